//! Messages of DNS: questions are names that are told, answers say where those names are at home.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::{Names, Place};
use crate::events::{Event, Resolved, What};
use crate::flow::Flow;
use crate::hostname::{Hostname, NameBuf};
use crate::inspect::dns::{Message, QType};
use crate::inspect::{Detail, SeenIn};
use crate::lists::Lists;
use crate::originator::Asked;
use crate::seen::Mark;
use crate::stats::Counts;

/// Where the names of records are built.
#[derive(Debug)]
pub(super) struct Buffers {
    owner: NameBuf,
    target: NameBuf,
    /// Names that were asked for lately, by hash: most are asked for again.
    asked: Box<[Option<Arc<Asked>>; Self::ASKED]>,
}

impl Buffers {
    /// A busy client network asks for some hundred names again and again.
    const ASKED: usize = 1024;

    /// The name, and the entry of the lists that it meets.
    fn asked(&mut self, name: &str, lists: &Lists) -> Arc<Asked> {
        let place = FxBuildHasher.hash_one(name) as usize % Self::ASKED;
        let Some(known) = self.asked.get_mut(place) else { return asked(name, lists) };
        match known {
            Some(known) if *known.name == *name => known.clone(),
            _ => known.insert(asked(name, lists)).clone(),
        }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self { owner: NameBuf::new(), target: NameBuf::new(), asked: Box::new([const { None }; Self::ASKED]) }
    }
}

fn asked(name: &str, lists: &Lists) -> Arc<Asked> {
    Arc::new(Asked { name: Hostname::from_canonical(name), entry: lists.lookup(name).cloned() })
}

impl Names {
    /// A DNS message in a datagram speaks for itself; one in a datagram that came in fragments has the tag `of` that.
    pub(crate) fn message(
        &mut self,
        flow: Flow,
        payload: &[u8],
        mark: Mark,
        of: u32,
        counts: &mut Counts,
        events: &mut Vec<(u32, Event)>,
    ) {
        let read = self.dns(flow, mark, payload, |what| match what {
            What::Counted(seen_in) if of == 0 => counts.name(seen_in),
            what => events.push((of, Event { mark, what })),
        });
        match (read, of) {
            (true, _) => {}
            (false, 0) => counts.dns_malformed += 1,
            (false, of) => events.push((of, Event { mark, what: What::MalformedDns })),
        }
    }

    /// A DNS message in a stream.
    pub(super) fn stream_message(
        &mut self,
        flow: Flow,
        mark: Mark,
        message: &[u8],
        events: &mut Vec<(u32, Event)>,
    ) {
        let tag = flow.tag();
        if !self.dns(flow, mark, message, |what| events.push((tag, Event { mark, what }))) {
            events.push((tag, Event { mark, what: What::MalformedDns }));
        }
    }

    /// Tells the questions of a query, and what a response says of its question. Says whether the message could be read to the end of
    /// its questions.
    fn dns(&mut self, flow: Flow, mark: Mark, message: &[u8], mut tell: impl FnMut(What)) -> bool {
        let Ok(message) = Message::parse(message) else { return false };
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = if message.is_response() {
            self.response(flow, &message, &mut buffer, &mut tell);
            true
        } else {
            let place = Place { flow, mark, seen_in: SeenIn::DnsQuery, others: &[], matters: false };
            let read = message.questions(&mut buffer, |name, qtype, qclass| {
                let detail = || Detail::Dns { qtype: qtype.0, qclass: qclass.0 };
                let what = self.sight(name, &place, &detail);
                tell(what.unwrap_or(What::Counted(SeenIn::DnsQuery)));
            });
            read.is_ok()
        };
        self.buffer = buffer;
        read
    }

    /// Tells what a response says of the name that was asked for. One that goes to a group has no client.
    fn response(
        &mut self,
        flow: Flow,
        message: &Message<'_>,
        buffer: &mut NameBuf,
        tell: &mut impl FnMut(What),
    ) {
        let client = flow.dst.ip;
        if !self.is_useful() || message.rcode() != 0 || client.is_multicast() {
            return;
        }
        let Some((qtype, _)) = message.question(buffer) else { return };
        let Buffers { owner, target, .. } = &mut self.records;
        let answered = message.answered(buffer.as_str(), owner, target);
        let service = matches!(qtype, QType::SVCB | QType::HTTPS);
        if answered.addresses.is_empty() && answered.ech.is_empty() && !service {
            return;
        }
        let asked = self.records.asked(buffer.as_str(), &self.lists);
        tell(What::Answer(Box::new(Resolved { client, asked, answered, service })));
    }
}
