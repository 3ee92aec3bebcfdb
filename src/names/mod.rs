//! What becomes of the names in messages: they are looked up, and told as events.

mod dns;

use std::sync::Arc;

use crate::conversations::Before;
use crate::datagrams;
use crate::events::{Certified, Event, Events, Instead, Nameless, Sighting, What};
use crate::flow::Flow;
use crate::hostname::{Hostname, NameBuf, is_address};
use crate::inspect::stream::Said;
use crate::inspect::tls::Over;
use crate::inspect::{Detail, ENCRYPTED_DNS, Observation, Progress, SeenIn, quic, socks, tls};
use crate::lists::Lists;
use crate::questions::Questions;
use crate::seen::Mark;

/// Decides what becomes of hostnames.
#[derive(Debug)]
pub(crate) struct Names {
    lists: Arc<Lists>,
    /// Carry every hostname, not only those that meet a list.
    every_hostname: bool,
    /// Tell of every connection that it has a name, since somebody else may see the rest of it.
    names_of_all: bool,
    buffer: NameBuf,
    /// Where the names in the records of a response are built.
    records: dns::Buffers,
}

/// Where a name stands.
#[derive(Clone, Copy, Debug)]
struct Place<'b> {
    flow: Flow,
    mark: Mark,
    seen_in: SeenIn,
    /// Names that the connection has in other places.
    others: &'b [(SeenIn, Hostname)],
    /// Whether something else may have been told of the connection before, so that its name matters to it.
    matters: bool,
}

impl Names {
    /// The most names of a certificate that are told. Content networks put a hundred into one; whoever was reached is then one of too
    /// many to say.
    const MOST_CERTIFIED: usize = 100;

    /// Looks names up in `lists`; with `every_hostname` those that meet none are told too.
    pub(crate) fn new(lists: Arc<Lists>, every_hostname: bool) -> Self {
        let records = dns::Buffers::default();
        Self { lists, every_hostname, names_of_all: false, buffer: NameBuf::new(), records }
    }

    /// Tells of every connection that it has a name, be that listed or not.
    pub(crate) const fn tell_names_of_all(&mut self, wanted: bool) {
        self.names_of_all = wanted;
    }

    /// Looks names up in other lists from now on.
    pub(crate) fn set_lists(&mut self, lists: Arc<Lists>) {
        self.lists = lists;
    }

    /// Whether a name can be of use to anybody.
    #[inline]
    pub(crate) fn is_useful(&self) -> bool {
        self.every_hostname || !self.lists.is_empty()
    }

    /// What a stream said, and before it.
    pub(crate) fn said(
        &mut self,
        flow: Flow,
        mark: Mark,
        said: &Said<'_>,
        before: &Before,
        questions: &mut Questions,
        events: &mut Events,
    ) {
        let mut tell = |what| events.push((flow.tag(), Event { mark, what }));
        let matters = !before.named && !before.is_start();
        let place = |seen_in| Place { flow, mark, seen_in, others: &before.others, matters };
        match said {
            Said::Hello(hello) => self.hello(hello, Over::Tcp, &place(SeenIn::TlsSni), &mut tell),
            Said::Http(request) => {
                let seen_in = if request.is_connect() { SeenIn::HttpConnect } else { SeenIn::HttpHost };
                // A proxy goes by the target, the server behind it by the header: where they differ, both are told.
                let host = request.host.filter(|host| {
                    request.authority.is_none_or(|target| !target.host.eq_ignore_ascii_case(host.host))
                });
                let both = [request.authority, host];
                let mut named = request.authority.is_some();
                for (server, other) in [(both[0], both[1]), (both[1], both[0])] {
                    let Some(server) = server else { continue };
                    let mut others = before.others.clone();
                    others.extend(
                        other.and_then(|other| Hostname::new(other.host).ok()).map(|other| (seen_in, other)),
                    );
                    let place = Place { others: &others, ..place(seen_in) };
                    let what = self.name(server.host, &place, &|| Detail::Port(server.port));
                    named |= !matches!(what, What::Address | What::NoHostname);
                    tell(what);
                }
                if !named && !before.named && !before.nameless && self.is_useful() {
                    tell(What::Nameless(Box::new(Nameless {
                        flow,
                        instead: Instead::Request,
                        hello: None,
                        path: None,
                    })));
                }
            }
            Said::Dns(message) => self.message(flow, message, mark, flow.tag(), questions, events),
            Said::Socks(request) => {
                if let socks::Destination::Name(name) = request.destination {
                    tell(self.name(name, &place(SeenIn::Socks), &|| Detail::Port(Some(request.port))));
                }
            }
            Said::Certificate(certificate) => {
                if self.is_useful()
                    && let Some(certified) = self.certified(flow.reversed(), certificate)
                {
                    tell(What::Certificate(Box::new(certified)));
                }
            }
            Said::Other => {
                if self.is_useful() {
                    let flow = before.from_the_client(flow);
                    tell(What::Nameless(Box::new(Nameless {
                        flow,
                        instead: Instead::Bytes,
                        hello: None,
                        path: None,
                    })));
                }
            }
        }
    }

    /// What a datagram said, or that it is of no protocol that is read.
    pub(crate) fn datagram(
        &mut self,
        flow: Flow,
        mark: Mark,
        said: &datagrams::Said<'_>,
        events: &mut Events,
    ) {
        let mut tell = |what| events.push((flow.tag(), Event { mark, what }));
        let place = |seen_in| Place { flow, mark, seen_in, others: &[], matters: false };
        match said {
            datagrams::Said::Dtls(hello) => {
                self.hello(hello, Over::Dtls, &place(SeenIn::DtlsSni), &mut tell);
            }
            datagrams::Said::Quic(hello) => match hello.handshake {
                quic::Handshake::Tls => {
                    let read = match tls::handshake(hello.bytes) {
                        Progress::Found(hello) => Some(hello),
                        _ => tls::handshake_prefix(hello.bytes),
                    };
                    if let Some(hello) = read {
                        self.hello(&hello, Over::Quic, &place(SeenIn::QuicSni), &mut tell);
                    }
                }
                quic::Handshake::Google => match quic::gquic::server_name(hello.bytes) {
                    Some(name) => tell(self.name(name, &place(SeenIn::QuicSni), &|| Detail::Nothing)),
                    None => tell(What::Nameless(Box::new(Nameless {
                        flow,
                        instead: Instead::Hello,
                        hello: None,
                        path: None,
                    }))),
                },
            },
            datagrams::Said::Refused(why) => tell(What::Quic(*why)),
            datagrams::Said::Other => {
                tell(What::Nameless(Box::new(Nameless {
                    flow,
                    instead: Instead::Bytes,
                    hello: None,
                    path: None,
                })));
            }
        }
    }

    fn hello(
        &mut self,
        hello: &tls::ClientHello<'_>,
        over: Over,
        place: &Place<'_>,
        tell: &mut dyn FnMut(What),
    ) {
        let every_hostname = self.every_hostname;
        let nameless = |instead| {
            let hello = Some(hello.keep(over));
            What::Nameless(Box::new(Nameless { flow: place.flow, instead, hello, path: None }))
        };
        let Some(name) = hello.server_name() else {
            tell(nameless(Instead::Hello));
            return;
        };
        let what = self.name(name, place, &|| {
            let mut hello = Box::new(hello.keep(over));
            // Every one will be asked what it says: better here, where threads share the work.
            if every_hostname {
                hello.settle();
            }
            Detail::Hello(hello)
        });
        let outer = match what {
            // The name is no matter, and may hide one that is.
            What::Counted(_) | What::Named(..) if self.is_useful() && hello.ech().is_some() => {
                Hostname::new(name).ok().map(Instead::Outer)
            }
            What::Address | What::NoHostname => Some(Instead::Request),
            _ => None,
        };
        tell(what);
        if let Some(outer) = outer {
            tell(nameless(outer));
        }
    }

    fn certified(&self, flow: Flow, certificate: &tls::Certificate<'_>) -> Option<Certified> {
        let read = |name: &[u8]| Hostname::new(name).ok().filter(|_| !is_address(name));
        let mut names: Vec<Hostname> =
            certificate.dns_names().filter_map(read).take(Self::MOST_CERTIFIED).collect();
        if names.is_empty() {
            // Before there were other names, the host's was the common name; it may be anything.
            let common =
                certificate.common_name().filter(|name| name.contains(&b'.') && !name.contains(&b' '));
            names.extend(common.and_then(read));
        }
        let names: Vec<_> = (names.into_iter())
            .map(|name| {
                let entry = self.lists.lookup(&name).cloned();
                (name, entry)
            })
            .collect();
        (!names.is_empty()).then_some(Certified { flow, names, path: None })
    }

    /// What becomes of a name as it stands in a message.
    fn name(&mut self, name: &[u8], place: &Place<'_>, detail: &dyn Fn() -> Detail) -> What {
        if is_address(name) {
            return What::Address;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        let what = match buffer.set_dotted(name) {
            Ok(()) => self.sight(buffer.as_str(), place, detail).unwrap_or_else(|| {
                // The port of DNS over TLS and QUIC says where names go unseen.
                match place.matters || self.names_of_all || place.flow.dst.port == ENCRYPTED_DNS {
                    true => What::Named(place.seen_in, Box::new(place.flow)),
                    false => What::Counted(place.seen_in),
                }
            }),
            Err(_) => What::NoHostname,
        };
        self.buffer = buffer;
        what
    }

    /// What becomes of a hostname: nothing if it meets no list and need not be told.
    #[inline]
    fn sight(&self, name: &str, place: &Place<'_>, detail: &dyn Fn() -> Detail) -> Option<What> {
        let entry = self.lists.lookup(name).cloned();
        if entry.is_none() && !self.every_hostname {
            return None;
        }
        let Place { flow, mark: Mark { source, frame, at }, seen_in, others, .. } = *place;
        let hostname = Hostname::from_canonical(name);
        let disagrees_with = others.iter().filter(|(_, other)| *other != hostname).cloned().collect();
        let observation = Observation {
            at,
            source,
            frame,
            flow,
            hostname,
            seen_in,
            detail: detail(),
            path: None,
            disagrees_with,
        };
        Some(What::Hostname(Box::new(Sighting { observation, entry })))
    }
}
