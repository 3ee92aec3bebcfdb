//! The Judge: reads a packet, hands it to the conversation that it is of, and tells what that then says.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::{Kind, Matter, Named, Open, Origin, Told, flow};
use crate::capture::Frame;
use crate::conversations::{Before, Conversations};
use crate::datagrams::{self, Datagrams};
use crate::decode::{self, Datagram, Fragment, Packet, Path, Segment, TcpFlags, Transport};
use crate::events::{Event, Events, What};
use crate::flow::copies::{Identity, Numbering};
use crate::flow::defrag::{FragmentKey, Reassembly};
use crate::flow::{self, Flow, Ledger, Protocol};
use crate::inspect::stream::Said;
use crate::inspect::{dhcp, dns, quic};
use crate::lists::Lists;
use crate::names::Names;
use crate::questions::Questions;
use crate::seen::{Mark, Seen, boxed};

/// Reads packets: what is kept for it from one to the next is memory only.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) names: Names,
    quic: quic::Scratch,
    numbering: Numbering,
}

impl Judge {
    /// A Judge that looks for the names of `lists`, and with `every_hostname` tells the other names too.
    pub(super) fn new(lists: Arc<Lists>, every_hostname: bool) -> Self {
        let names = Names::new(lists, every_hostname);
        Self { names, quic: quic::Scratch::new(), numbering: Numbering::of_this_process() }
    }

    /// Enters a packet into its conversation.
    pub(super) fn enter(
        &self,
        ledger: &mut Ledger<Named>,
        packet: &Packet<'_>,
        frame: &Frame<'_>,
        mark: Mark,
    ) {
        let entry = |flow: Flow, identity: Identity, payload: &[u8]| {
            let (id, checksum) = decode::distinction(frame.bytes, packet);
            let number =
                self.numbering.short(flow.src <= flow.dst, Identity { id, ..identity }, checksum, payload);
            flow::Entry::new(flow, mark.at, mark.source, mark.frame, frame.wire_len, number, &packet.path)
        };
        match &packet.transport {
            Transport::Tcp(segment) => {
                let Segment { src_port, dst_port, seq, ack, flags: TcpFlags(flags), payload, wire_len } =
                    *segment;
                let flow = flow(packet, src_port, dst_port, Protocol::TCP);
                let identity = Identity { id: 0, seq, ack, flags, wire_len };
                ledger.packet(&entry(flow, identity, payload).with_segment(segment));
            }
            Transport::Udp(datagram)
                if !dns::is_port(datagram.dst_port) && !dns::is_port(datagram.src_port) =>
            {
                let Datagram { src_port, dst_port, payload, wire_len } = *datagram;
                let flow = flow(packet, src_port, dst_port, Protocol::UDP);
                let identity = Identity { wire_len, ..Identity::default() };
                ledger.packet(&entry(flow, identity, payload));
            }
            _ => {}
        }
    }

    /// Gives the conversation (or the datagram in fragments) to which the packet matters, if it matters to any.
    #[inline]
    pub(super) fn packet(
        &mut self,
        open: &mut Open,
        packet: &Packet<'_>,
        origin: Origin<'_>,
        told: &mut Told,
    ) -> Option<Matter> {
        if let Some(layer) = packet.path.unopened {
            told.unopened(layer, origin);
        }
        match &packet.transport {
            Transport::Tcp(segment) => {
                const CONTROL: u8 = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST;
                if segment.payload.is_empty() && !segment.flags.has(CONTROL) {
                    return None;
                }
                Some(Matter { tag: self.segment(open, packet, segment, origin, told), kind: Kind::Segment })
            }
            Transport::Udp(datagram) => self.datagram(open, packet, datagram, origin, told),
            Transport::Fragment(fragment) => {
                told.counts.fragments += u64::from(origin.of == 0);
                Some(Matter {
                    tag: self.fragment(open, packet, fragment, origin, told),
                    kind: Kind::Fragment,
                })
            }
            Transport::Other(_) => None,
        }
    }

    /// Reads a segment that may matter. Gives the tag of its conversation.
    fn segment(
        &mut self,
        open: &mut Open,
        packet: &Packet<'_>,
        segment: &Segment<'_>,
        origin: Origin<'_>,
        told: &mut Told,
    ) -> u32 {
        let before = told.so_far();
        let flow = flow(packet, segment.src_port, segment.dst_port, Protocol::TCP);
        let mark = origin.mark;
        let seen = Seen { mark, path: &packet.path };
        let (names, events) = (&mut self.names, &mut told.events);
        open.tcp.segment(flow, segment, seen, &mut |flow, seen, said, before| {
            said_in_stream(names, flow, seen, &said, before, &mut open.questions, events);
        });
        if told.so_far() != before {
            let Segment { seq, ack, flags: TcpFlags(flags), wire_len, payload, .. } = *segment;
            let identity = Identity { id: origin.identification(packet), seq, ack, flags, wire_len };
            let number = self.numbering.number(&flow, identity, payload);
            told.teller(before, flow.tag(), mark, number, open.questions.take_noted());
        }
        flow.tag()
    }

    /// Reads a datagram. Gives the conversation to which it matters.
    #[inline]
    fn datagram(
        &mut self,
        open: &mut Open,
        packet: &Packet<'_>,
        datagram: &Datagram<'_>,
        origin: Origin<'_>,
        told: &mut Told,
    ) -> Option<Matter> {
        let Self { names, quic, numbering } = self;
        let before = told.so_far();
        let Origin { mark, of, .. } = origin;
        let Datagram { src_port, dst_port, payload, wire_len } = *datagram;
        let flow = flow(packet, src_port, dst_port, Protocol::UDP);
        let events = &mut told.events;
        let tag;
        let mut kind = Kind::Message;
        if dns::is_port(dst_port) || dns::is_port(src_port) {
            // What a resolver's response tells depends on whether its query was seen; of a group, every message speaks for itself.
            tag = (dst_port == dns::PORT || src_port == dns::PORT).then(|| flow.tag());
            let told_of = if of == 0 { tag.unwrap_or(0) } else { of };
            let questions = &mut open.questions;
            through(&packet.path, events, |events| {
                names.message(flow, payload, mark, told_of, questions, events);
            });
        } else if dhcp::is_between(src_port, dst_port) {
            // Each message speaks for itself.
            tag = None;
            let what = match dhcp::message(payload) {
                Ok(message) => Some(What::Lease(Box::new(message))),
                Err(dhcp::NoMessage::Malformed) => Some(What::MalformedDhcp),
                Err(dhcp::NoMessage::NotThis) => None,
            };
            events.extend(what.map(|what| (of, Event { mark, what })));
        } else {
            let seen = Seen { mark, path: &packet.path };
            let useful = names.is_useful();
            let tell: datagrams::Tell<'_> =
                &mut |flow, seen, said| said_in_datagrams(names, flow, seen, &said, events);
            let matters = open.udp.datagram(flow, payload, seen, quic, tell)
                || useful && open.udp.other(flow, payload, seen, tell);
            tag = matters.then(|| flow.tag());
            kind = Kind::Datagram;
        }
        if told.tells_since(before) {
            let identity = Identity { id: origin.identification(packet), wire_len, ..Identity::default() };
            let number = numbering.number(&flow, identity, payload);
            told.teller(before, tag.unwrap_or(of), mark, number, open.questions.take_noted());
        }
        tag.map(|tag| Matter { tag, kind })
    }

    /// Puts a datagram together, and reads it when it is whole. Gives its tag.
    #[cold]
    fn fragment(
        &mut self,
        open: &mut Open,
        packet: &Packet<'_>,
        fragment: &Fragment<'_>,
        origin: Origin<'_>,
        told: &mut Told,
    ) -> u32 {
        let key = FragmentKey::new(packet, fragment);
        let tag = key.tag();
        let timed_out = open.fragments.counters().timed_out;
        let mark = origin.mark;
        let pushed = open.fragments.push(key, fragment, mark.at);
        let mut tell = |what| told.events.push((tag, Event { mark, what }));
        if open.fragments.counters().timed_out > timed_out {
            tell(What::GivenUp);
        }
        match pushed {
            Reassembly::NeedMore => {}
            Reassembly::Refused(reason) => tell(What::Refused(reason.into())),
            Reassembly::Complete { protocol, payload } => {
                tell(What::Reassembled);
                match decode::continue_ip(protocol, packet.src, packet.dst, &payload, &packet.path) {
                    Ok(whole) => {
                        if let Some(fed) = self.packet(open, &whole, Origin { of: tag, ..origin }, told) {
                            told.fed.push((tag, fed.tag));
                        }
                    }
                    Err(refusal) => tell(What::Refused(refusal.into())),
                }
            }
        }
        tag
    }

    /// Takes over what a scan left open, but for what was read again: joined to what was open before.
    pub(super) fn absorb(
        &mut self,
        open: &mut Open,
        later: Open,
        frames: u64,
        again: &FxHashSet<u32>,
        events: &mut Events,
    ) {
        let Open { mut fragments, tcp, udp, questions, ledger, .. } = later;
        open.ledger.absorb(ledger, frames);
        open.evicted += fragments.counters().evicted;
        for unfinished in fragments.take_all() {
            if !again.contains(&unfinished.key().tag()) {
                open.fragments.put(unfinished);
            }
        }
        open.questions.absorb(questions, again);
        let Self { names, quic, .. } = self;
        open.tcp.absorb(tcp, frames, again, &mut |flow, seen, said, before| {
            said_in_stream(names, flow, seen, &said, before, &mut open.questions, events);
        });
        let tell: datagrams::Tell<'_> =
            &mut |flow, seen, said| said_in_datagrams(names, flow, seen, &said, events);
        open.udp.absorb(udp, frames, again, quic, tell);
    }

    /// What conversations say that are still open at the end of a capture.
    pub(super) fn finish(&mut self, tcp: Conversations, udp: Datagrams, questions: &mut Questions) -> Events {
        let mut events = Events::default();
        let Self { names, quic, .. } = self;
        tcp.finish(&mut |flow, seen, said, before| {
            said_in_stream(names, flow, seen, &said, before, questions, &mut events);
        });
        udp.finish(quic, &mut |flow, seen, said| said_in_datagrams(names, flow, seen, &said, &mut events));
        events
    }
}

/// What becomes of what a stream said, and through which wrappings it came.
fn said_in_stream(
    names: &mut Names,
    flow: Flow,
    seen: Seen<'_>,
    said: &Said<'_>,
    before: &Before,
    questions: &mut Questions,
    events: &mut Events,
) {
    through(seen.path, events, |events| names.said(flow, seen.mark, said, before, questions, events));
}

/// The same of a hello in datagrams.
fn said_in_datagrams(
    names: &mut Names,
    flow: Flow,
    seen: Seen<'_>,
    said: &datagrams::Said<'_>,
    events: &mut Events,
) {
    through(seen.path, events, |events| names.datagram(flow, seen.mark, said, events));
}

/// Notes a path in the observations that are added.
#[inline]
fn through(path: &Path, events: &mut Events, add: impl FnOnce(&mut Events)) {
    let before = events.len();
    add(events);
    if path.is_plain() {
        return;
    }
    for (_, event) in events.iter_mut().skip(before) {
        match &mut event.what {
            What::Hostname(sighting) => sighting.observation.path = boxed(path),
            What::Nameless(nameless) => nameless.path = boxed(path),
            What::Certificate(certified) => certified.path = boxed(path),
            _ => {}
        }
    }
}
