//! What becomes of the names in messages: they are looked up, and told as events.

use std::sync::Arc;

use crate::datagrams;
use crate::events::{Event, Sighting, What};
use crate::flow::Flow;
use crate::hostname::{Hostname, NameBuf};
use crate::inspect::stream::Said;
use crate::inspect::tls::Over;
use crate::inspect::{Detail, Observation, Progress, SeenIn, dns, quic, socks, tls};
use crate::lists::Lists;
use crate::seen::Mark;
use crate::stats::Counts;

/// Decides what becomes of hostnames.
#[derive(Debug)]
pub(crate) struct Names {
    lists: Arc<Lists>,
    /// Carry every hostname, not only those that meet a list.
    every_hostname: bool,
    buffer: NameBuf,
}

impl Names {
    /// Looks names up in `lists`; with `every_hostname` those that meet none are told too.
    pub(crate) fn new(lists: Arc<Lists>, every_hostname: bool) -> Self {
        Self { lists, every_hostname, buffer: NameBuf::new() }
    }

    /// Looks names up in other lists from now on.
    pub(crate) fn set_lists(&mut self, lists: Arc<Lists>) {
        self.lists = lists;
    }

    /// A DNS message in a datagram speaks for itself; one in a datagram that came in fragments has the tag `of` that.
    pub(crate) fn question(
        &mut self,
        flow: Flow,
        payload: &[u8],
        mark: Mark,
        of: u32,
        counts: &mut Counts,
        events: &mut Vec<(u32, Event)>,
    ) {
        let read = self.dns(payload, |this, name, detail| {
            match this.sight(name, flow, mark, SeenIn::DnsQuery, detail) {
                Some(what) => events.push((of, Event { mark, what })),
                None if of == 0 => counts.name(SeenIn::DnsQuery),
                None => events.push((of, Event { mark, what: What::Counted(SeenIn::DnsQuery) })),
            }
        });
        match (read, of) {
            (true, _) => {}
            (false, 0) => counts.dns_malformed += 1,
            (false, of) => events.push((of, Event { mark, what: What::MalformedDns })),
        }
    }

    /// Gives the questions of a query. Says whether the message could be read to the end of its questions.
    fn dns(&mut self, message: &[u8], mut each: impl FnMut(&Self, &str, &dyn Fn() -> Detail)) -> bool {
        let Ok(message) = dns::Message::parse(message) else { return false };
        if message.is_response() {
            return true;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = message.questions(&mut buffer, |name, qtype, qclass| {
            each(self, name, &|| Detail::Dns { qtype: qtype.0, qclass: qclass.0 });
        });
        self.buffer = buffer;
        read.is_ok()
    }

    /// What a stream said.
    pub(crate) fn said(&mut self, flow: Flow, mark: Mark, said: &Said<'_>, events: &mut Vec<(u32, Event)>) {
        let mut tell = |what| events.push((flow.tag(), Event { mark, what }));
        match said {
            Said::Hello(hello) => tell(self.hello(hello, Over::Tcp, flow, mark)),
            Said::Http(request) => {
                let seen_in = if request.is_connect() { SeenIn::HttpConnect } else { SeenIn::HttpHost };
                // A proxy goes by the target, the server behind it by the header: where they differ, both are told.
                let host = request
                    .host
                    .filter(|host| request.authority.is_none_or(|target| target.host != host.host));
                for server in request.authority.into_iter().chain(host) {
                    tell(self.name(server.host, flow, mark, seen_in, &|| Detail::Port(server.port)));
                }
            }
            Said::Dns(message) => {
                let whole = self.dns(message, |this, name, detail| {
                    let what = this.sight(name, flow, mark, SeenIn::DnsQuery, detail);
                    events.push((
                        flow.tag(),
                        Event { mark, what: what.unwrap_or(What::Counted(SeenIn::DnsQuery)) },
                    ));
                });
                if !whole {
                    events.push((flow.tag(), Event { mark, what: What::MalformedDns }));
                }
            }
            Said::Socks(request) => {
                if let socks::Destination::Name(name) = request.destination {
                    tell(self.name(name, flow, mark, SeenIn::Socks, &|| Detail::Port(Some(request.port))));
                }
            }
        }
    }

    /// What a hello in datagrams said.
    pub(crate) fn datagram(
        &mut self,
        flow: Flow,
        mark: Mark,
        said: &datagrams::Said<'_>,
        events: &mut Vec<(u32, Event)>,
    ) {
        let what = match said {
            datagrams::Said::Dtls(hello) => Some(self.hello(hello, Over::Dtls, flow, mark)),
            datagrams::Said::Quic(hello) => match hello.handshake {
                quic::Handshake::Tls => match tls::handshake(hello.bytes) {
                    Progress::Found(hello) => Some(hello),
                    _ => tls::handshake_prefix(hello.bytes),
                }
                .map(|hello| self.hello(&hello, Over::Quic, flow, mark)),
                quic::Handshake::Google => Some(match quic::gquic::server_name(hello.bytes) {
                    Some(name) => self.name(name, flow, mark, SeenIn::QuicSni, &|| Detail::Nothing),
                    None => What::Nameless,
                }),
            },
        };
        if let Some(what) = what {
            events.push((flow.tag(), Event { mark, what }));
        }
    }

    fn hello(&mut self, hello: &tls::ClientHello<'_>, over: Over, flow: Flow, mark: Mark) -> What {
        let seen_in = match over {
            Over::Tcp => SeenIn::TlsSni,
            Over::Quic => SeenIn::QuicSni,
            Over::Dtls => SeenIn::DtlsSni,
        };
        match hello.server_name() {
            Some(name) => {
                self.name(name, flow, mark, seen_in, &|| Detail::Hello(Box::new(hello.facts(over))))
            }
            None => What::Nameless,
        }
    }

    /// What becomes of a name as it stands in a message.
    fn name(
        &mut self,
        name: &[u8],
        flow: Flow,
        mark: Mark,
        seen_in: SeenIn,
        detail: &dyn Fn() -> Detail,
    ) -> What {
        let mut buffer = std::mem::take(&mut self.buffer);
        let what = match buffer.set_dotted(name) {
            Ok(()) => {
                self.sight(buffer.as_str(), flow, mark, seen_in, detail).unwrap_or(What::Counted(seen_in))
            }
            Err(_) => What::NoHostname,
        };
        self.buffer = buffer;
        what
    }

    /// What becomes of a hostname: nothing if it meets no list and need not be told.
    #[inline]
    fn sight(
        &self,
        name: &str,
        flow: Flow,
        mark: Mark,
        seen_in: SeenIn,
        detail: &dyn Fn() -> Detail,
    ) -> Option<What> {
        let entry = self.lists.lookup(name).cloned();
        if entry.is_none() && !self.every_hostname {
            return None;
        }
        let Mark { source, frame, at } = mark;
        let hostname = Hostname::from_canonical(name);
        let observation =
            Observation { at, source, frame, flow, hostname, seen_in, detail: detail(), path: None };
        Some(What::Hostname(Box::new(Sighting { observation, entry })))
    }
}
