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
//! A conversation is known by its [tag](Flow::tag), 32 bits of a hash over its two endpoints. Two conversations with one tag are read again
//! together, which costs a little and changes nothing.

use std::num::NonZeroU64;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use crate::capture::savefile::Chunk;
use crate::capture::{Filter, Frame, Timestamp};
use crate::conversations::{Before, Conversations};
use crate::datagrams::{self, Datagrams};
use crate::decode::{self, Datagram, Fragment, Layer, Packet, Path, Segment, TcpFlags, Transport};
use crate::flow::copies::{Copies, Identity, Numbering};
use crate::flow::defrag::{self, Defrag, FragmentKey, Reassembly};
use crate::flow::{self, Conversation, Endpoint, Flow, Ledger, Protocol};
use crate::hostname::Hostname;
use crate::inspect::stream::Said;
use crate::inspect::{SeenIn, dhcp, dns, quic};
use crate::lists::Lists;
use crate::names::Names;
use crate::questions::{Question, Questions};
use crate::seen::{Mark, Seen, boxed};
use crate::stats::{Counts, Reason};
use crate::tellers;

pub use crate::events::{Event, Instead, Sighting, What};
pub use crate::tellers::Teller;

/// What the scan of one chunk gave.
#[derive(Debug)]
pub struct Scan {
    /// Which file or interface the chunk is of.
    source: u32,
    told: Told,
    open: Open,
    /// The frames that matter to conversations.
    index: Vec<Mattering>,
}

/// A frame of a chunk that matters to a conversation.
#[derive(Clone, Copy, Debug)]
struct Mattering {
    /// To which.
    matter: Matter,
    /// Where it lies in the chunk.
    place: u32,
    /// Its number in the chunk, from 1.
    number: u32,
}

/// What a frame matters to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Matter {
    /// The [tag](Flow::tag) of the conversation; of a fragment, that of its datagram.
    pub tag: u32,
    /// Where something of it may be remembered.
    kind: Kind,
}

/// Where something may be remembered of what a frame matters to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Among the streams, and the questions in them.
    Segment,
    /// Among the questions.
    Message,
    /// Among the connections over UDP.
    Datagram,
    /// Among the datagrams of which fragments are missing.
    Fragment,
}

/// What frames told, one after the other.
#[derive(Debug, Default)]
pub struct Told {
    /// Each with the tag of its conversation; nought where a frame speaks for itself.
    events: Vec<(u32, Event)>,
    /// What each datagram that was put together from fragments mattered to: its own tag, and that of the conversation or of
    /// the datagram that it is a fragment of.
    fed: Vec<(u32, u32)>,
    /// The packets that told something.
    tellers: Vec<Teller>,
    counts: Counts,
}

impl Told {
    /// Whether there is nothing but counts in it.
    pub const fn is_quiet(&self) -> bool {
        self.events.is_empty()
    }

    /// How many frames told it.
    pub const fn frames(&self) -> u64 {
        self.counts.frames
    }

    /// How many events there are.
    #[inline]
    const fn so_far(&self) -> usize {
        self.events.len()
    }

    /// Whether anything was told since that a copy of the packet would double. An answer of DNS and a lease are the same if they come twice, and
    /// that there is a conversation is told once.
    fn tells_since(&self, before: usize) -> bool {
        self.events.iter().skip(before).any(|(_, event)| {
            !matches!(event.what, What::Answer(_) | What::Lease(_)) && event.what.datagrams().is_none()
        })
    }

    /// Remembers that a packet told something since so much was told.
    fn teller(
        &mut self,
        before: usize,
        tag: u32,
        mark: Mark,
        number: NonZeroU64,
        question: Option<Question>,
    ) {
        // What others said that had to give way is not its own.
        if self.events.iter().skip(before).any(|(_, event)| event.mark == mark) {
            self.tellers.push(Teller { tag, frame: mark.frame, at: mark.at, number, question });
        }
    }

    /// Counts a packet whose inside could not be decoded.
    #[cold]
    fn unopened(&mut self, layer: Layer, Origin { mark, of, .. }: Origin<'_>) {
        let reason = Reason::Unopened(layer);
        match of {
            0 => self.counts.refuse_at(reason, self.counts.frames),
            of => self.events.push((of, Event { mark, what: What::Refused(reason) })),
        }
    }
}

/// Where a packet is from.
#[derive(Clone, Copy, Debug)]
struct Origin<'f> {
    /// The frame; for what was put together from fragments, that of the last of them.
    frame: &'f Frame<'f>,
    mark: Mark,
    /// What the packet says for itself has this tag: nought, or the datagram's from whose fragments it was put together.
    of: u32,
}

impl Origin<'_> {
    /// By which a packet that is sent again differs.
    fn identification(&self, packet: &Packet<'_>) -> u16 {
        match self.of {
            0 => decode::distinction(self.frame.bytes, packet).0,
            // Of a datagram in fragments it is that of the last of them.
            _ => decode::identification(self.frame.link, self.frame.bytes, self.frame.wire_len),
        }
    }
}

/// The conversations that are still open at the end of a chunk.
#[derive(Debug, Default)]
pub struct Open {
    /// IP datagrams of which fragments are missing.
    fragments: Defrag,
    tcp: Conversations,
    udp: Datagrams,
    questions: Questions,
    /// The packets that told something lately.
    copies: Copies,
    evicted: u64,
    /// Every conversation, where they are asked for.
    ledger: Ledger<Named>,
}

/// A name of a conversation, and where it was seen.
pub type Named = (Hostname, SeenIn);

impl Open {
    /// What is open on one of several threads that each see a part of the whole ([`Worker::of_several`]).
    pub fn of_several() -> Self {
        Self { questions: Questions::that_note(), ..Self::default() }
    }

    /// How many conversations were given up because a limit was reached.
    pub const fn evicted(&self) -> u64 {
        self.tcp.evicted()
            + self.udp.evicted()
            + self.questions.forgotten()
            + self.fragments.counters().evicted
            + self.evicted
    }

    /// Whether a conversation with this tag is open.
    #[inline]
    fn has_tag(&self, tag: u32) -> bool {
        self.tcp.has_tag(tag) || self.udp.has_tag(tag)
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
    /// Conversations that are over, where they are asked for: at the end of the capture all that are left.
    pub conversations: Vec<Conversation<Named>>,
    /// How many of them had to be told before their end.
    pub cut: u64,
    /// Of one of several threads: the packets that told something, in the order of the frames.
    pub tellers: Vec<Teller>,
    /// Likewise, the names that were only counted: of which frame, in that order.
    pub counted: Vec<(u64, SeenIn)>,
}

/// Turns frames into events. Each thread has its own.
#[derive(Debug)]
pub struct Worker {
    judge: Judge,
    filter: Option<Filter>,
    /// Whether every conversation is told.
    conversations: bool,
    /// Whether others see the rest of what this one sees a part of.
    of_several: bool,
    /// Empty vectors, to be filled again.
    memory: Told,
    /// How much the last scan gave.
    usual: Usual,
}

/// How much a scan gives: the next one gives as much again, and vectors that grow as they are filled are copied as often as they double.
#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    events: usize,
    tellers: usize,
    index: usize,
}

impl Usual {
    /// Of a scan: and an eighth more, for no two are alike.
    const fn of(scan: &Scan) -> Self {
        const fn and_more(length: usize) -> usize {
            length + length / 8
        }
        Self {
            events: and_more(scan.told.events.len()),
            tellers: and_more(scan.told.tellers.len()),
            index: and_more(scan.index.len()),
        }
    }

    fn told(self) -> Told {
        let (events, tellers) = (Vec::with_capacity(self.events), Vec::with_capacity(self.tellers));
        Told { events, tellers, ..Told::default() }
    }
}

/// Reads packets: what is kept for it from one to the next is memory only.
#[derive(Debug)]
struct Judge {
    names: Names,
    quic: quic::Scratch,
    numbering: Numbering,
}

impl Worker {
    /// A Worker that looks for the names of `lists` in the frames that pass the filter; with `every_hostname` it tells the other
    /// names too.
    pub fn new(lists: Arc<Lists>, every_hostname: bool, filter: Option<Filter>) -> Self {
        let names = Names::new(lists, every_hostname);
        let numbering = Numbering::of_this_process();
        let judge = Judge { names, quic: quic::Scratch::new(), numbering };
        Self {
            judge,
            filter,
            conversations: false,
            of_several: false,
            memory: Told::default(),
            usual: Usual::default(),
        }
    }

    /// Sees a part of a capture, as other Workers see the rest at the same time: tells what is needed to join what they tell.
    #[must_use]
    pub fn of_several(mut self, several: bool) -> Self {
        self.of_several = several;
        self.judge.names.tell_names_of_all(several);
        self
    }

    /// Tells every conversation of TCP, and of UDP but for DNS, with what passed each way. Fragments count for none.
    #[must_use]
    pub const fn with_conversations(mut self, wanted: bool) -> Self {
        self.conversations = wanted;
        self
    }

    /// Looks for the names of other lists from now on.
    pub fn set_lists(&mut self, lists: Arc<Lists>) {
        self.judge.names.set_lists(lists);
    }

    /// Reads a chunk as if nothing came before it.
    pub fn scan(&mut self, source: u32, chunk: &Chunk) -> Scan {
        let open = Open { ledger: Ledger::of_a_stretch(), ..Open::default() };
        let (told, index) = (self.usual.told(), Vec::with_capacity(self.usual.index));
        let mut scan = Scan { source, told, open, index };
        for (place, frame) in chunk.frames() {
            let number = scan.told.counts.frames + 1;
            let mark = Mark { source, frame: number, at: frame.at };
            if let Some(matter) = self.frame(&mut scan.open, &frame, mark, &mut scan.told) {
                scan.index.push(Mattering { matter, place, number: number as u32 });
            }
        }
        self.usual = Usual::of(&scan);
        scan
    }

    /// Finishes the conversations that were open before a chunk, which was scanned, and whose frames are numbered from the one after
    /// `frames`. `open` becomes what is open at its end.
    pub fn resume(&mut self, open: &mut Open, frames: u64, chunk: &Chunk, scan: Scan) -> Finished {
        let Scan { source, mut told, open: later, index } = scan;
        let again = self.judge.again(open, chunk, &index, &told.fed);
        told.events.retain(|(tag, event)| {
            !again.contains(tag)
                && event.what.datagrams().is_none_or(|flow| open.udp.is_first(flow, event.mark.at))
        });
        told.events.iter_mut().for_each(|(_, event)| event.mark.frame += frames);
        told.tellers.retain(|teller| !again.contains(&teller.tag));
        told.tellers.iter_mut().for_each(|teller| teller.frame += frames);
        // What a frame says for itself the scan has counted.
        let mut counts = std::mem::take(&mut told.counts);
        for Mattering { place, number, .. } in of_these(&index, &again) {
            let Some((frame, packet)) = packet_at(chunk, place) else { continue };
            let mark = Mark { source, frame: frames + u64::from(number), at: frame.at };
            self.judge.packet(open, &packet, Origin { frame: &frame, mark, of: 0 }, &mut told);
        }
        self.judge.absorb(open, later, frames, &again, &mut told.events);
        tellers::drop_copies(&mut open.copies, &mut told.tellers, &mut told.events, &mut counts);
        let mut finished = finished(source, frames, &mut told.events, counts);
        self.conversations(open, &mut finished);
        finished
    }

    /// Reads the next chunk of a capture of which nobody else reads any: what [`scan`](Self::scan) and [`resume`](Self::resume) together tell, in
    /// one pass.
    pub fn follow(&mut self, source: u32, open: &mut Open, frames: u64, chunk: &Chunk) -> Finished {
        let mut told = std::mem::take(&mut self.memory);
        for (_, frame) in chunk.frames() {
            let mark = Mark { source, frame: frames + told.counts.frames + 1, at: frame.at };
            self.frame(open, &frame, mark, &mut told);
        }
        told.fed.clear();
        let mut counts = std::mem::take(&mut told.counts);
        tellers::drop_copies(&mut open.copies, &mut told.tellers, &mut told.events, &mut counts);
        told.tellers.clear();
        let mut finished = finished(source, frames, &mut told.events, counts);
        self.memory = told;
        self.conversations(open, &mut finished);
        finished
    }

    /// Tells what conversations say that are still open at the end of a capture, and how many were given up before because a
    /// limit was reached.
    pub fn finish(&mut self, mut open: Open) -> (Finished, u64) {
        let evicted = open.evicted();
        let mut events = Vec::new();
        let Judge { names, quic, .. } = &mut self.judge;
        open.tcp.finish(&mut |flow, seen, said, before| {
            said_in_stream(names, flow, seen, &said, before, &mut open.questions, &mut events);
        });
        open.udp
            .finish(quic, &mut |flow, seen, said| said_in_datagrams(names, flow, seen, &said, &mut events));
        let source = events.first().map_or(0, |(_, event)| event.mark.source);
        let counts = Counts { unfinished: open.fragments.unfinished() as u64, ..Counts::default() };
        let mut finished = finished(source, 0, &mut events, counts);
        let mut ledger = open.ledger;
        name(&mut ledger, &finished.events);
        finished.conversations = ledger.finish();
        (finished, evicted)
    }

    /// Puts what [`frame`](Self::frame) told into the form in which a chunk tells it; with the conversations that have been silent since
    /// `silent_since`.
    pub fn hand_over(
        &self,
        open: &mut Open,
        source: u32,
        told: Told,
        silent_since: Option<Timestamp>,
    ) -> Finished {
        let Told { mut events, mut tellers, mut counts, .. } = told;
        tellers::drop_copies(&mut open.copies, &mut tellers, &mut events, &mut counts);
        let mut counted = Vec::new();
        if self.of_several {
            counted.extend(events.iter().filter_map(|(_, event)| match event.what {
                What::Counted(seen_in) => Some((event.mark.frame, seen_in)),
                _ => None,
            }));
        } else {
            tellers.clear();
        }
        let mut finished = finished(source, 0, &mut events, counts);
        (finished.tellers, finished.counted) = (tellers, counted);
        self.conversations(open, &mut finished);
        if let Some(since) = silent_since.filter(|_| self.conversations) {
            finished.conversations.extend(open.ledger.take_over(since));
        }
        finished
    }

    /// Names conversations, and tells those for which there is no room any more.
    fn conversations(&self, open: &mut Open, finished: &mut Finished) {
        if self.conversations {
            name(&mut open.ledger, &finished.events);
            let cut = open.ledger.cut();
            finished.conversations = open.ledger.take_excess();
            finished.cut = open.ledger.cut() - cut;
        }
    }

    /// Reads the next frame of a conversation-keeping capture, as [`scan`](Self::scan) and [`resume`](Self::resume) together would.
    ///
    /// Gives what the frame matters to, if it matters to anything.
    #[inline]
    pub fn frame(
        &mut self,
        open: &mut Open,
        frame: &Frame<'_>,
        mark: Mark,
        told: &mut Told,
    ) -> Option<Matter> {
        told.counts.frame(frame);
        if self.filter.as_mut().is_some_and(|filter| !filter.passes(frame)) {
            told.counts.filtered += 1;
            return None;
        }
        // Looked at where it was decoded: moved, it would be copied.
        match &decode::packet(frame.link, frame.bytes, frame.wire_len) {
            Ok(packet) => {
                if self.conversations {
                    enter(&mut open.ledger, packet, frame, mark, self.judge.numbering);
                }
                self.judge.packet(open, packet, Origin { frame, mark, of: 0 }, told)
            }
            Err(refusal) => {
                told.counts.refuse(*refusal);
                None
            }
        }
    }
}

impl Judge {
    /// Gives the conversation (or the datagram in fragments) to which the packet matters, if it matters to any.
    #[inline]
    fn packet(
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

    /// The tags of what has to be read again in a chunk: what was open before it; and what belongs to a datagram in fragments of
    /// which that is so, for it feeds a conversation in another frame, or not at all.
    fn again(&self, open: &Open, chunk: &Chunk, index: &[Mattering], fed: &[(u32, u32)]) -> FxHashSet<u32> {
        let fragments: FxHashSet<u32> = open.fragments.keys().map(FragmentKey::tag).collect();
        let asked = open.questions.tags();
        let was_open = |Matter { tag, kind }: &Matter| match kind {
            Kind::Segment => open.tcp.has_tag(*tag) || asked.contains(tag),
            Kind::Message => asked.contains(tag),
            Kind::Datagram => open.udp.has_tag(*tag),
            Kind::Fragment => fragments.contains(tag),
        };
        let mut before = None;
        let mut again: FxHashSet<u32> = (index.iter().map(|one| one.matter))
            // Packets of one conversation often follow one another.
            .filter(|matter| before.replace(*matter) != Some(*matter))
            .filter(was_open)
            .map(|matter| matter.tag)
            .collect();
        // What fragments feed is in no frame of its own.
        let any = |tag: &u32| open.has_tag(*tag) || fragments.contains(tag) || asked.contains(tag);
        again.extend(fed.iter().map(|(_, fed)| *fed).filter(any));
        let mut edges = fed.to_vec();
        loop {
            close(&mut again, &edges);
            if fragments.is_disjoint(&again) {
                return again;
            }
            // Datagrams that are completed by this chunk feed what the scan could not know of.
            let before = again.len();
            let mut table = open.fragments.clone();
            for Mattering { place, .. } in of_these(index, &again) {
                if let Some((frame, packet)) = packet_at(chunk, place) {
                    feed(&mut table, &packet, frame.at, &mut edges);
                }
            }
            close(&mut again, &edges);
            if again.len() == before {
                return again;
            }
        }
    }

    fn absorb(
        &mut self,
        open: &mut Open,
        later: Open,
        frames: u64,
        again: &FxHashSet<u32>,
        events: &mut Vec<(u32, Event)>,
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
}

/// What becomes of what a stream said, and through which wrappings it came.
fn said_in_stream(
    names: &mut Names,
    flow: Flow,
    seen: Seen<'_>,
    said: &Said<'_>,
    before: &Before,
    questions: &mut Questions,
    events: &mut Vec<(u32, Event)>,
) {
    through(seen.path, events, |events| names.said(flow, seen.mark, said, before, questions, events));
}

/// The same of a hello in datagrams.
fn said_in_datagrams(
    names: &mut Names,
    flow: Flow,
    seen: Seen<'_>,
    said: &datagrams::Said<'_>,
    events: &mut Vec<(u32, Event)>,
) {
    through(seen.path, events, |events| names.datagram(flow, seen.mark, said, events));
}

/// Notes a path in the observations that are added.
#[inline]
fn through(path: &Path, events: &mut Vec<(u32, Event)>, add: impl FnOnce(&mut Vec<(u32, Event)>)) {
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

/// Those frames that matter to a conversation with one of these tags.
fn of_these(index: &[Mattering], tags: &FxHashSet<u32>) -> impl Iterator<Item = Mattering> {
    // Packets of one conversation often follow one another.
    let mut last = (0, false);
    index.iter().copied().filter(move |one| {
        let tag = one.matter.tag;
        if tag != last.0 {
            last = (tag, tags.contains(&tag));
        }
        last.1
    })
}

/// The frame at a place in a chunk, and its packet.
fn packet_at(chunk: &Chunk, place: u32) -> Option<(Frame<'_>, Packet<'_>)> {
    let frame = chunk.frame_at(place)?;
    let packet = decode::packet(frame.link, frame.bytes, frame.wire_len).ok()?;
    Some((frame, packet))
}

/// Adds every tag that stands beside one of `tags`, and what stands beside that.
fn close(tags: &mut FxHashSet<u32>, edges: &[(u32, u32)]) {
    while edges.iter().any(|(one, other)| {
        let (has_one, has_other) = (tags.contains(one), tags.contains(other));
        if has_one != has_other {
            tags.extend([*one, *other]);
        }
        has_one != has_other
    }) {}
}

/// What a fragment feeds when its datagram is whole with it, as an edge between tags.
fn feed(table: &mut Defrag, packet: &Packet<'_>, at: Timestamp, edges: &mut Vec<(u32, u32)>) -> Option<u32> {
    let ends = |src_port, dst_port, protocol| Some(flow(packet, src_port, dst_port, protocol).tag());
    match &packet.transport {
        Transport::Tcp(segment) => ends(segment.src_port, segment.dst_port, Protocol::TCP),
        Transport::Udp(datagram) => ends(datagram.src_port, datagram.dst_port, Protocol::UDP),
        Transport::Other(_) => None,
        Transport::Fragment(fragment) => {
            let key = FragmentKey::new(packet, fragment);
            let tag = key.tag();
            if let Reassembly::Complete { protocol, payload } = table.push(key, fragment, at)
                && let Ok(whole) =
                    decode::continue_ip(protocol, packet.src, packet.dst, &payload, &packet.path)
                && let Some(fed) = feed(table, &whole, at, edges)
            {
                edges.push((tag, fed));
            }
            Some(tag)
        }
    }
}

/// Puts the events of a chunk, whose frames are numbered from the one after `frames`, into the order of the frames, and counts them.
fn finished(source: u32, frames: u64, events: &mut Vec<(u32, Event)>, mut counts: Counts) -> Finished {
    // What is only counted is most: its order matters to nobody but the first of each reason.
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    for (_, mut event) in events.drain(..) {
        match &mut event.what {
            What::Hostname(sighting) => {
                sighting.observation.frame = event.mark.frame;
                counts.name(sighting.observation.seen_in);
            }
            What::Counted(seen_in) | What::Named(seen_in, _) => counts.name(*seen_in),
            What::Nameless(one) => counts.nameless += u64::from(one.instead == Instead::Hello),
            What::Certificate(_) | What::Answer(_) | What::Lease(_) => {}
            What::Address => counts.addresses += 1,
            What::Quic(why) => counts.refuse_quic(*why, 1),
            What::NoHostname => counts.no_hostname += 1,
            What::MalformedDns => counts.dns_malformed += 1,
            What::MalformedDhcp => counts.dhcp_malformed += 1,
            What::Reassembled => counts.reassembled += 1,
            What::GivenUp => counts.unfinished += 1,
            What::Refused(Reason::Fragment(defrag::Reason::Copy)) => counts.copies += 1,
            What::Refused(reason) => refused.push((event.mark, *reason)),
        }
        if event.what.is_for_the_correlator() {
            kept.push(event);
        }
    }
    refused.sort_by_key(|(mark, _)| (mark.source, mark.frame));
    for (mark, reason) in refused {
        // Frames of a live capture are numbered over all interfaces: which of this stretch it was is not known then.
        counts.refuse_at(reason, mark.frame.saturating_sub(frames).min(counts.frames));
    }
    kept.sort_by_key(|event| (event.mark.source, event.mark.frame));
    Finished { source, events: kept, counts, ..Finished::default() }
}

/// Enters a packet into its conversation.
fn enter(
    ledger: &mut Ledger<Named>,
    packet: &Packet<'_>,
    frame: &Frame<'_>,
    mark: Mark,
    numbering: Numbering,
) {
    let entry = |flow: Flow, identity: Identity, payload: &[u8]| {
        let (id, checksum) = decode::distinction(frame.bytes, packet);
        let number = numbering.short(flow.src <= flow.dst, Identity { id, ..identity }, checksum, payload);
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
        Transport::Udp(datagram) if !dns::is_port(datagram.dst_port) && !dns::is_port(datagram.src_port) => {
            let Datagram { src_port, dst_port, payload, wire_len } = *datagram;
            let flow = flow(packet, src_port, dst_port, Protocol::UDP);
            let identity = Identity { wire_len, ..Identity::default() };
            ledger.packet(&entry(flow, identity, payload));
        }
        _ => {}
    }
}

/// Gives conversations the names that were seen in them.
fn name(ledger: &mut Ledger<Named>, events: &[Event]) {
    for event in events {
        if let What::Hostname(sighting) = &event.what {
            let observation = &sighting.observation;
            if !matches!(observation.seen_in, SeenIn::DnsQuery | SeenIn::DnsResponse) {
                let name = (observation.hostname.clone(), observation.seen_in);
                ledger.name(observation.flow, event.mark.source, event.mark.frame, name);
            }
        }
    }
}

#[inline]
const fn flow(packet: &Packet<'_>, src_port: u16, dst_port: u16, protocol: Protocol) -> Flow {
    Flow {
        src: Endpoint { ip: packet.src, port: src_port },
        dst: Endpoint { ip: packet.dst, port: dst_port },
        protocol,
    }
}
