//! The Worker: frames → contacts, chunk by chunk.
//!
//! One of the two pure machines ([`Correlator`](crate::correlator::Correlator) is the other). A capture is read in chunks, by any number of
//! workers at once, and what comes out must not depend on where the chunks were cut. The contract is that the names of a
//! conversation depend only on its own frames, in the order of the file:
//!
//! * [`Worker::scan`] reads a chunk as if nothing came before it. It gives the events, and the conversations that are still open.
//! * [`Worker::resume`] reads a chunk again for exactly those conversations that were open before it, with what was known of
//!   them; what the scan said about these is dropped. It needs the chunk before it to be finished, so it runs in the order
//!   of the file, and touches only the frames of these conversations: the scan left an index.
//!
//! A conversation is known by a *tag*, 32 bits of a hash over its two endpoints. Two conversations with one tag are read again
//! together, which costs a little and changes nothing.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::capture::savefile::Chunk;
use crate::capture::{Filter, Frame};
use crate::conversations::{Conversations, Mark};
use crate::decode::{self, Packet, TcpFlags, Transport};
use crate::flow::{Endpoint, Flow, Protocol};
use crate::hostname::{Hostname, NameBuf};
use crate::inspect::stream::Said;
use crate::inspect::{Detail, Observation, SeenIn, dns};
use crate::lists::{Contact, Entry, Lists};
use crate::stats::Counts;

/// Something that a frame brought to light.
#[derive(Clone, Debug)]
pub struct Event {
    /// The frame.
    pub mark: Mark,
    /// What came to light.
    pub what: What,
}

/// What came to light.
#[derive(Clone, Debug)]
pub enum What {
    /// A hostname, which met a list or is to be recorded.
    Hostname(Box<Sighting>),
    /// A hostname that met no list and need not be recorded: it is only counted.
    Counted(SeenIn),
    /// A ClientHello that names no server.
    Nameless,
    /// A ClientHello whose server name is no hostname.
    NoHostname,
}

/// A hostname with all that is known of it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// What was seen.
    pub observation: Observation,
    /// The entry of the lists that it met.
    pub entry: Option<Arc<Entry>>,
}

impl Sighting {
    /// The contact, where a list was met.
    pub fn into_contact(self) -> Option<Contact> {
        self.entry.map(|entry| Contact { observation: self.observation, entry })
    }
}

/// What the scan of one chunk gave.
#[derive(Debug)]
pub struct Scan {
    /// Which file or interface the chunk is of.
    source: u32,
    /// Events in the order of the frames, each with the tag of its conversation; nought where a frame speaks for itself.
    events: Vec<(u32, Event)>,
    open: Open,
    /// The frames that matter to conversations: tag, place in the chunk, number of the frame in the chunk from 1.
    index: Vec<(u32, u32, u32)>,
    counts: Counts,
}

impl Scan {
    /// What was counted so far.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// The conversations that are still open at the end of a chunk.
#[derive(Debug, Default)]
pub struct Open {
    tcp: Conversations,
}

impl Open {
    /// How many conversations were given up because a limit was reached.
    pub const fn evicted(&self) -> u64 {
        self.tcp.evicted()
    }
}

/// What a chunk told once it is finished: events in the order of the frames, and what was counted.
#[derive(Debug, Default)]
pub struct Finished {
    /// Which file or interface it was of.
    pub source: u32,
    /// In the order of the frames.
    pub events: Vec<Event>,
    /// What was counted.
    pub counts: Counts,
}

/// Turns frames into events. Each thread has its own.
#[derive(Debug)]
pub struct Worker {
    judge: Judge,
    filter: Option<Filter>,
}

/// Decides what becomes of a hostname.
#[derive(Debug)]
struct Judge {
    lists: Arc<Lists>,
    /// Carry every hostname, not only those that meet a list.
    every_hostname: bool,
    name: NameBuf,
}

impl Worker {
    /// A Worker that looks for the names of `lists` in the frames that pass the filter; with `every_hostname` it tells the other
    /// names too.
    pub const fn new(lists: Arc<Lists>, every_hostname: bool, filter: Option<Filter>) -> Self {
        Self { judge: Judge { lists, every_hostname, name: NameBuf::new() }, filter }
    }

    /// Reads a chunk as if nothing came before it.
    pub fn scan(&mut self, source: u32, chunk: &Chunk) -> Scan {
        let mut scan = Scan {
            source,
            events: Vec::new(),
            open: Open::default(),
            index: Vec::new(),
            counts: Counts::default(),
        };
        for (place, frame) in chunk.frames() {
            let number = scan.counts.frames + 1;
            let mark = Mark { source, frame: number, at: frame.at };
            if let Some(tag) = self.frame(&mut scan.open, &frame, mark, &mut scan.counts, &mut scan.events) {
                scan.index.push((tag, place, number as u32));
            }
        }
        scan
    }

    /// Finishes the conversations that were open before a chunk, which was scanned, and whose frames are numbered from the one after
    /// `frames`. `open` becomes what is open at its end.
    pub fn resume(&mut self, open: &mut Open, frames: u64, chunk: &Chunk, scan: Scan) -> Finished {
        let Scan { source, mut events, open: later, index, counts } = scan;
        let tags: FxHashSet<u32> = open.tcp.flows().map(tag).collect();
        events.retain(|(tag, _)| !tags.contains(tag));
        events.iter_mut().for_each(|(_, event)| event.mark.frame += frames);
        for (tag, place, number) in index {
            if !tags.contains(&tag) {
                continue;
            }
            let Some(frame) = chunk.frame_at(place) else { continue };
            let Ok(packet) = decode::packet(frame.link, frame.bytes, frame.wire_len) else { continue };
            let mark = Mark { source, frame: frames + u64::from(number), at: frame.at };
            // What a frame says for itself the scan has counted.
            self.judge.packet(open, &packet, mark, &mut Counts::default(), &mut events);
        }
        let judge = &mut self.judge;
        open.tcp.absorb(later.tcp, frames, |flow| tags.contains(&tag(flow)), &mut |flow, mark, said| {
            judge.said(flow, mark, &said, &mut events);
        });
        finished(source, events, counts)
    }

    /// Tells what conversations say that are still open at the end of a capture, and how many were given up before because a
    /// limit was reached.
    pub fn finish(&mut self, open: Open) -> (Finished, u64) {
        let evicted = open.tcp.evicted();
        let mut events = Vec::new();
        let judge = &mut self.judge;
        open.tcp.finish(&mut |flow, mark, said| judge.said(flow, mark, &said, &mut events));
        let source = events.first().map_or(0, |(_, event)| event.mark.source);
        (finished(source, events, Counts::default()), evicted)
    }

    /// Puts what [`frame`](Self::frame) told into the form in which a chunk tells it.
    pub fn hand_over(&self, source: u32, events: Vec<(u32, Event)>, counts: Counts) -> Finished {
        finished(source, events, counts)
    }

    /// Reads the next frame of a conversation-keeping capture, as [`scan`](Self::scan) and [`resume`](Self::resume) together would.
    ///
    /// Gives the tag of the conversation for which the frame matters, if it matters for any.
    #[inline]
    pub fn frame(
        &mut self,
        open: &mut Open,
        frame: &Frame<'_>,
        mark: Mark,
        counts: &mut Counts,
        events: &mut Vec<(u32, Event)>,
    ) -> Option<u32> {
        counts.frame(frame);
        if self.filter.as_mut().is_some_and(|filter| !filter.passes(frame)) {
            counts.filtered += 1;
            return None;
        }
        match decode::packet(frame.link, frame.bytes, frame.wire_len) {
            Ok(packet) => self.judge.packet(open, &packet, mark, counts, events),
            Err(refusal) => {
                counts.refuse(refusal);
                None
            }
        }
    }
}

impl Judge {
    /// Gives the tag of the conversation for which the packet matters, if it matters for any.
    #[inline]
    fn packet(
        &mut self,
        open: &mut Open,
        packet: &Packet<'_>,
        mark: Mark,
        counts: &mut Counts,
        events: &mut Vec<(u32, Event)>,
    ) -> Option<u32> {
        match &packet.transport {
            Transport::Tcp(segment) => {
                const CONTROL: u8 = TcpFlags::SYN | TcpFlags::FIN | TcpFlags::RST;
                if segment.payload.is_empty() && !segment.flags.has(CONTROL) {
                    return None;
                }
                let flow = flow(packet, segment.src_port, segment.dst_port, Protocol::TCP);
                open.tcp.segment(flow, segment, mark, &mut |flow, mark, said| {
                    self.said(flow, mark, &said, events)
                });
                Some(tag(&flow))
            }
            Transport::Udp(datagram) => {
                if is_dns(datagram.src_port) || is_dns(datagram.dst_port) {
                    let flow = flow(packet, datagram.src_port, datagram.dst_port, Protocol::UDP);
                    self.dns(flow, datagram.payload, mark, counts, events);
                }
                None
            }
            Transport::Fragment(_) => {
                counts.fragments += 1;
                None
            }
            Transport::Other(_) => None,
        }
    }

    /// A DNS message in a datagram speaks for itself.
    fn dns(
        &mut self,
        flow: Flow,
        payload: &[u8],
        mark: Mark,
        counts: &mut Counts,
        events: &mut Vec<(u32, Event)>,
    ) {
        let Ok(message) = dns::Message::parse(payload) else {
            counts.dns_malformed += 1;
            return;
        };
        if message.is_response() {
            return;
        }
        let Self { lists, every_hostname, name } = self;
        let read = message.questions(name, |name, qtype, qclass| {
            let detail = || Detail::Dns { qtype: qtype.0, qclass: qclass.0 };
            match sight(lists, *every_hostname, name, flow, mark, SeenIn::DnsQuery, detail) {
                Some(what) => events.push((0, Event { mark, what })),
                None => counts.name(SeenIn::DnsQuery),
            }
        });
        counts.dns_malformed += u64::from(read.is_err());
    }

    fn said(&mut self, flow: Flow, mark: Mark, said: &Said<'_>, events: &mut Vec<(u32, Event)>) {
        let what = match said.name() {
            None => What::Nameless,
            Some(bytes) => match self.name.set_dotted(bytes) {
                Err(_) => What::NoHostname,
                Ok(()) => {
                    let name = self.name.as_str();
                    sight(&self.lists, self.every_hostname, name, flow, mark, SeenIn::TlsSni, || Detail::Tls)
                        .unwrap_or(What::Counted(SeenIn::TlsSni))
                }
            },
        };
        events.push((tag(&flow), Event { mark, what }));
    }
}

/// What becomes of a hostname: nothing if it meets no list and need not be told.
#[inline]
fn sight(
    lists: &Lists,
    every_hostname: bool,
    name: &str,
    flow: Flow,
    mark: Mark,
    seen_in: SeenIn,
    detail: impl FnOnce() -> Detail,
) -> Option<What> {
    let entry = lists.lookup(name).cloned();
    if entry.is_none() && !every_hostname {
        return None;
    }
    let Mark { source, frame, at } = mark;
    let hostname = Hostname::from_canonical(name);
    let observation = Observation { at, source, frame, flow, hostname, seen_in, detail: detail() };
    Some(What::Hostname(Box::new(Sighting { observation, entry })))
}

/// Puts the events of a chunk into the order of the frames, and counts them.
fn finished(source: u32, events: Vec<(u32, Event)>, mut counts: Counts) -> Finished {
    let mut events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
    events.sort_by_key(|event| (event.mark.source, event.mark.frame));
    for event in &mut events {
        match &mut event.what {
            What::Hostname(sighting) => {
                sighting.observation.frame = event.mark.frame;
                counts.name(sighting.observation.seen_in);
            }
            What::Counted(seen_in) => counts.name(*seen_in),
            What::Nameless => counts.nameless += 1,
            What::NoHostname => counts.no_hostname += 1,
        }
    }
    events.retain(|event| matches!(event.what, What::Hostname(_)));
    Finished { source, events, counts }
}

#[inline]
const fn is_dns(port: u16) -> bool {
    matches!(port, 53 | 5353 | 5355)
}

#[inline]
const fn flow(packet: &Packet<'_>, src_port: u16, dst_port: u16, protocol: Protocol) -> Flow {
    Flow {
        src: Endpoint { ip: packet.src, port: src_port },
        dst: Endpoint { ip: packet.dst, port: dst_port },
        protocol,
    }
}

/// The tag of a conversation: equal for both directions, never nought.
#[inline]
fn tag(flow: &Flow) -> u32 {
    let ends = flow.src.fold().wrapping_add(flow.dst.fold()).wrapping_add(u64::from(flow.protocol.0));
    // A multiplication moves what differs in low bits up; the upper half is the tag.
    let mixed = (ends ^ (ends >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 32) as u32).max(1)
}
