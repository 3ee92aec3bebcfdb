//! Every conversation from its first packet to its last, with what passed each way.
//!
//! A conversation of TCP begins with a SYN that has a number of its own: ports that are used again after one make a new conversation. One of
//! UDP ends where nothing passes for five minutes. What is kept of a stretch of capture and what is kept of the next add up to what is
//! kept of both, wherever the edge between them is: whether a packet begins a conversation depends on it and on the packet before it.
//!
//! A packet that a mirror port sends twice counts once. It is a copy of one of the [`RECENT`] packets before it in the conversation, if one of
//! them has the same number ([`Numbering::short`](super::copies::Numbering::short)) and is not further away in time than a copy can be
//! ([`WINDOW`](super::copies::WINDOW)); so whether it is one depends on these packets alone, and the two sides of an edge can tell: the earlier one has kept its last
//! packets, and the later one its first.

use rustc_hash::FxHashMap;

use super::recall::{First, RECENT, Recall};
use super::{Flow, FlowKey, Protocol};
use crate::capture::Timestamp;
use crate::decode::{Path, Segment, TcpFlags};

/// A conversation, and what was learned of it: `N`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Conversation<N> {
    /// Client to server, as far as that is known: by who began it, or else by the ports.
    pub flow: Flow,
    /// Whether its beginning was seen.
    pub whole: bool,
    /// Whether its end was seen: both sides have sent all, or one has given up. Of UDP it never is.
    pub ended: bool,
    /// Whether one side at least has sent all.
    pub half_ended: bool,
    /// Which capture file or interface its first packet is of.
    pub source: u32,
    /// Number of that packet's frame there, from 1.
    pub first_frame: u64,
    /// Number of its last packet's frame.
    pub last_frame: u64,
    /// Time of its first packet.
    pub first: Timestamp,
    /// Time of its last packet.
    pub last: Timestamp,
    /// What the client sent.
    pub sent: Volume,
    /// What the server sent.
    pub received: Volume,
    /// Packets of either that were copies of one before, and count for neither.
    pub copies: u64,
    /// Through which tunnel and VLANs its first packet came; `None` where through none.
    pub path: Option<Box<Path>>,
    /// What was learned of it, if something was.
    pub name: Option<Box<N>>,
}

/// How much passed one way.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Bytes of their frames on the wire.
    pub bytes: u64,
}

impl Volume {
    const fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// A packet, as the ledger sees it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'p> {
    /// Who sends to whom.
    pub flow: Flow,
    /// When.
    pub at: Timestamp,
    /// Which capture file or interface.
    pub source: u32,
    /// Number of the frame.
    pub frame: u64,
    /// Bytes of the frame on the wire.
    pub bytes: u32,
    /// What stands for the packet: a copy of it has the same.
    pub number: u32,
    /// Through which wrappings it came.
    pub path: &'p Path,
    /// Which beginning it is of, if it is of one: whether the lower endpoint began, and its first sequence number.
    start: Option<Start>,
    /// How it ends its direction, if it does.
    end: Option<Ending>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Start {
    by_low: bool,
    number: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ending {
    Finished,
    Reset,
}

impl<'p> Entry<'p> {
    /// A packet in a frame of so many bytes.
    #[inline]
    pub const fn new(
        flow: Flow,
        at: Timestamp,
        source: u32,
        frame: u64,
        bytes: u32,
        number: u32,
        path: &'p Path,
    ) -> Self {
        Self { flow, at, source, frame, bytes, number, path, start: None, end: None }
    }

    /// What a segment of TCP says of where its conversation begins and ends.
    #[inline]
    #[must_use]
    pub fn with_segment(self, segment: &Segment<'_>) -> Self {
        let from_low = self.flow.src <= self.flow.dst;
        let flags = segment.flags;
        let start = if !flags.has(TcpFlags::SYN) {
            None
        } else if flags.has(TcpFlags::ACK) {
            // The answer names the number that it answers.
            Some(Start { by_low: !from_low, number: segment.ack.wrapping_sub(1) })
        } else {
            Some(Start { by_low: from_low, number: segment.seq })
        };
        let end = if flags.has(TcpFlags::RST) {
            Some(Ending::Reset)
        } else {
            flags.has(TcpFlags::FIN).then_some(Ending::Finished)
        };
        Self { start, end, ..self }
    }
}

/// Conversations, in the order in which they began, and what was learned of them.
#[derive(Debug)]
pub struct Ledger<N> {
    parts: Vec<Part<N>>,
    /// The last part of each pair of endpoints.
    current: FxHashMap<FlowKey, u32>,
    /// How many were taken out before their end because there were too many.
    cut: u64,
    /// Whether something may come before its first packets, so that these have to be kept.
    stretch: bool,
}

/// A conversation in the making.
#[derive(Debug)]
struct Part<N> {
    key: FlowKey,
    start: Option<Start>,
    /// Whether the lower endpoint sent the first packet.
    first_by_low: bool,
    source: u32,
    first_frame: u64,
    last_frame: u64,
    first: Timestamp,
    /// Time of the packet that was last in the order of the capture.
    last: Timestamp,
    by_low: Volume,
    by_high: Volume,
    low_done: bool,
    high_done: bool,
    copies: u64,
    /// The last packets.
    recall: Recall,
    /// The first packets, of a stretch that others may come before.
    firsts: Vec<First>,
    path: Option<Box<Path>>,
    name: Option<Box<N>>,
}

impl<N> Default for Ledger<N> {
    fn default() -> Self {
        Self { parts: Vec::new(), current: FxHashMap::default(), cut: 0, stretch: false }
    }
}

/// Nanoseconds of silence after which what follows by UDP is another conversation: RFC 4787 section 4.3 has a NAT forget one after two
/// minutes at the earliest and five by default.
const SILENCE: i64 = 300_000_000_000;

impl<N> Ledger<N> {
    /// The most conversations at once; beyond it the older half is told as far as it went. A million: what a busy link has in ten
    /// minutes. Each takes 200 bytes beside its place in the index, and 184 more from its second packet on: some 450 MiB.
    pub const MOST: usize = 1 << 20;

    /// One of a stretch of capture that another ledger will [`absorb`](Self::absorb).
    pub fn of_a_stretch() -> Self {
        Self { stretch: true, ..Self::default() }
    }

    /// Takes a packet.
    #[inline]
    pub fn packet(&mut self, entry: &Entry<'_>) {
        let key = entry.flow.key();
        let next = self.parts.len() as u32;
        let place = self.current.entry(key).or_insert(next);
        match self.parts.get_mut(*place as usize) {
            Some(known) if known.goes_on(entry.start, entry.at) => known.enter(entry, self.stretch),
            _ => {
                *place = next;
                self.parts.push(Part::begin(key, entry, self.stretch));
            }
        }
    }

    /// Takes what was learned of a conversation in one of its frames; what was learned first stays.
    pub fn name(&mut self, flow: Flow, source: u32, frame: u64, name: N) {
        let key = flow.key();
        let Some(current) = self.current.get(&key) else { return };
        let is_it = |part: &Part<N>| part.key == key && (part.source != source || part.first_frame <= frame);
        let mut place = *current as usize;
        // It is mostly of the last one with these endpoints; else of the last one that had begun by then.
        if !self.parts.get(place).is_some_and(is_it) {
            let Some(earlier) = self.parts.get(..place).and_then(|parts| parts.iter().rposition(is_it))
            else {
                return;
            };
            place = earlier;
        }
        if let Some(part) = self.parts.get_mut(place)
            && part.name.is_none()
        {
            part.name = Some(Box::new(name));
        }
    }

    /// Takes over what the next stretch of the capture has, whose frames are numbered from the one after `frames`.
    pub fn absorb(&mut self, later: Self, frames: u64) {
        self.cut += later.cut;
        for mut part in later.parts {
            part.first_frame += frames;
            part.last_frame += frames;
            self.push(part);
        }
    }

    /// Takes out what has to go because there are more than [`Self::MOST`]: the older half.
    pub fn take_excess(&mut self) -> Vec<Conversation<N>> {
        if self.parts.len() <= Self::MOST {
            return Vec::new();
        }
        let rest = self.parts.split_off(Self::MOST / 2);
        let taken = std::mem::replace(&mut self.parts, rest);
        self.cut += taken.len() as u64;
        self.index();
        taken.into_iter().map(Part::told).collect()
    }

    /// Takes out what has ended before this time or has been silent since.
    pub fn take_over(&mut self, before: Timestamp) -> Vec<Conversation<N>> {
        let (over, rest): (Vec<Part<N>>, Vec<Part<N>>) =
            self.parts.drain(..).partition(|part| part.last < before);
        self.parts = rest;
        self.index();
        over.into_iter().map(Part::told).collect()
    }

    /// Takes all out.
    pub fn finish(self) -> Vec<Conversation<N>> {
        self.parts.into_iter().map(Part::told).collect()
    }

    /// How many conversations there are.
    pub const fn len(&self) -> usize {
        self.parts.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// How many conversations were told before their end because [`Self::MOST`] was reached.
    pub const fn cut(&self) -> u64 {
        self.cut
    }

    fn index(&mut self) {
        self.current.clear();
        self.current.extend(self.parts.iter().enumerate().map(|(place, part)| (part.key, place as u32)));
    }

    fn push(&mut self, mut part: Part<N>) {
        let next = self.parts.len() as u32;
        let place = self.current.entry(part.key).or_insert(next);
        match self.parts.get_mut(*place as usize) {
            Some(known) if known.goes_on(part.start, part.first) => known.add(part),
            _ => {
                *place = next;
                part.firsts = Vec::new();
                self.parts.push(part);
            }
        }
    }
}

impl<N> Part<N> {
    fn begin(key: FlowKey, entry: &Entry<'_>, stretch: bool) -> Self {
        let mut part = Self {
            key,
            start: entry.start,
            first_by_low: entry.flow.src <= entry.flow.dst,
            source: entry.source,
            first_frame: entry.frame,
            last_frame: entry.frame,
            first: entry.at,
            last: entry.at,
            by_low: Volume::default(),
            by_high: Volume::default(),
            low_done: false,
            high_done: false,
            copies: 0,
            recall: Recall::default(),
            firsts: Vec::new(),
            path: entry.path.boxed(),
            name: None,
        };
        part.enter(entry, stretch);
        part
    }

    /// Whether what begins so, at this time, is more of the same conversation.
    fn goes_on(&self, start: Option<Start>, at: Timestamp) -> bool {
        if self.key.protocol == Protocol::TCP {
            start.is_none() || start == self.start
        } else {
            at.since(self.last) <= SILENCE
        }
    }

    /// Takes a packet.
    #[inline]
    fn enter(&mut self, entry: &Entry<'_>, stretch: bool) {
        let Entry { at, bytes, number, .. } = *entry;
        let by_low = entry.flow.src <= entry.flow.dst;
        let copy = self.recall.knows(number, at, 0);
        self.recall.remember(number, at);
        if stretch && self.firsts.len() < RECENT {
            self.firsts.push(First { number, at, bytes, by_low, copy });
        }
        if copy {
            self.copies += 1;
        } else {
            let volume = if by_low { &mut self.by_low } else { &mut self.by_high };
            volume.packets += 1;
            volume.bytes += u64::from(bytes);
        }
        self.last_frame = entry.frame;
        self.last = at;
        match entry.end {
            None => {}
            Some(Ending::Reset) => (self.low_done, self.high_done) = (true, true),
            Some(Ending::Finished) if by_low => self.low_done = true,
            Some(Ending::Finished) => self.high_done = true,
        }
    }

    /// Takes in what follows: of its first packets those are copies too that were here before.
    fn add(&mut self, mut more: Self) {
        for (number_before, first) in more.firsts.iter().enumerate() {
            if !first.copy && self.recall.knows(first.number, first.at, number_before) {
                let volume = if first.by_low { &mut more.by_low } else { &mut more.by_high };
                volume.packets -= 1;
                volume.bytes -= u64::from(first.bytes);
                more.copies += 1;
            }
        }
        self.recall.go_on(&more.recall);
        self.last_frame = more.last_frame;
        self.last = more.last;
        self.by_low.add(more.by_low);
        self.by_high.add(more.by_high);
        self.low_done |= more.low_done;
        self.high_done |= more.high_done;
        self.copies += more.copies;
        self.name = self.name.take().or(more.name);
    }

    fn told(self) -> Conversation<N> {
        let FlowKey { low, high, protocol } = self.key;
        let by_low = self.start.map_or_else(|| self.low_is_client(), |start| start.by_low);
        let (src, dst) = if by_low { (low, high) } else { (high, low) };
        let (sent, received) = if by_low { (self.by_low, self.by_high) } else { (self.by_high, self.by_low) };
        Conversation {
            flow: Flow { src, dst, protocol },
            whole: self.start.is_some() || protocol != Protocol::TCP,
            ended: self.low_done && self.high_done,
            half_ended: self.low_done || self.high_done,
            source: self.source,
            first_frame: self.first_frame,
            last_frame: self.last_frame,
            first: self.first,
            last: self.last,
            sent,
            received,
            copies: self.copies,
            path: self.path,
            name: self.name,
        }
    }

    /// Whether the lower endpoint is the client, where nobody was seen to begin: the other one has a server's port, or it spoke first.
    const fn low_is_client(&self) -> bool {
        const FIRST_EPHEMERAL: u16 = 1024;
        match (self.key.low.port < FIRST_EPHEMERAL, self.key.high.port < FIRST_EPHEMERAL) {
            (false, true) => true,
            (true, false) => false,
            _ => self.first_by_low,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::flow::Endpoint;

    fn flow(src: u16, dst: u16, protocol: Protocol) -> Flow {
        let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        let (client, server) = ([10, 0, 0, 9], [10, 0, 0, 2]);
        // The server's address is the lower one.
        if dst < src {
            Flow { src: end(client, src), dst: end(server, dst), protocol }
        } else {
            Flow { src: end(server, src), dst: end(client, dst), protocol }
        }
    }

    /// Each frame has a number of its own, if it is given none.
    fn tcp(frame: u64, src: u16, dst: u16, flags: u8, seq: u32, ack: u32) -> Entry<'static> {
        let segment = Segment {
            src_port: src,
            dst_port: dst,
            seq,
            ack,
            flags: TcpFlags(flags),
            payload: &[],
            wire_len: 0,
        };
        let at = Timestamp::from_parts(frame as i64, 0);
        let flow = flow(src, dst, Protocol::TCP);
        Entry::new(flow, at, 0, frame, 100, 1_000 + frame as u32, &Path::PLAIN).with_segment(&segment)
    }

    fn udp(frame: u64, seconds: i64, flow: Flow) -> Entry<'static> {
        let at = Timestamp::from_parts(seconds, 0);
        Entry::new(flow, at, 0, frame, 100, 1_000 + frame as u32, &Path::PLAIN)
    }

    const SYN: u8 = TcpFlags::SYN;
    const ACK: u8 = TcpFlags::ACK;
    const FIN: u8 = TcpFlags::FIN;
    const RST: u8 = TcpFlags::RST;

    /// Conversations as `client>server first-last sent/received`, and what is known of beginning and end.
    fn told(ledger: Ledger<u64>) -> Vec<String> {
        (ledger.finish().iter())
            .map(|one| {
                let words = [(one.whole, " whole"), (one.ended, " ended")];
                let words: String = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
                let Conversation { flow, first_frame, last_frame, sent, received, copies, .. } = one;
                assert_eq!((sent.bytes, received.bytes), (sent.packets * 100, received.packets * 100));
                let copies = if *copies > 0 { format!(" {copies} twice") } else { String::new() };
                format!(
                    "{}>{} {first_frame}-{last_frame} {}/{}{copies}{words}",
                    flow.src.port, flow.dst.port, sent.packets, received.packets
                )
            })
            .collect()
    }

    /// The same for the whole, and for every cut of it.
    fn check(entries: &[Entry<'_>], expected: &[&str]) {
        for cut in 0..=entries.len() {
            let (mut first, mut second) = (Ledger::<u64>::default(), Ledger::<u64>::of_a_stretch());
            entries[..cut].iter().for_each(|entry| first.packet(entry));
            for entry in &entries[cut..] {
                second.packet(&Entry { frame: entry.frame - cut as u64, ..*entry });
            }
            first.absorb(second, cut as u64);
            assert_eq!(told(first), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_new_number_on_the_same_ports_is_a_new_conversation() {
        check(
            &[
                tcp(1, 50_000, 443, SYN, 7, 0),
                tcp(2, 50_000, 443, SYN, 7, 0),
                tcp(3, 443, 50_000, SYN | ACK, 99, 8),
                tcp(4, 50_000, 443, ACK, 8, 100),
                tcp(5, 50_000, 443, ACK | FIN, 8, 100),
                tcp(6, 443, 50_000, ACK | FIN, 100, 9),
                tcp(7, 50_000, 443, SYN, 1000, 0),
                tcp(8, 443, 50_000, RST, 0, 0),
            ],
            &["50000>443 1-6 4/2 whole ended", "50000>443 7-8 1/1 whole ended"],
        );
    }

    #[test]
    fn the_beginning_is_known_by_its_answer_too() {
        check(
            &[
                tcp(1, 443, 50_000, SYN | ACK, 99, 8),
                tcp(2, 50_000, 443, SYN, 7, 0),
                tcp(3, 50_000, 443, ACK, 8, 0),
            ],
            &["50000>443 1-3 2/1 whole"],
        );
    }

    #[test]
    fn without_a_beginning_the_ports_tell() {
        check(&[tcp(1, 443, 50_000, ACK, 1, 1), tcp(2, 50_000, 443, ACK, 1, 1)], &["50000>443 1-2 1/1"]);
        check(&[tcp(1, 6000, 5000, ACK, 1, 1), tcp(2, 5000, 6000, ACK, 1, 1)], &["6000>5000 1-2 1/1"]);
    }

    #[test]
    fn silence_parts_datagrams() {
        let udp = |frame: u64, seconds: i64, src, dst| udp(frame, seconds, flow(src, dst, Protocol::UDP));
        check(
            &[
                udp(1, 0, 50_000, 443),
                udp(2, 299, 443, 50_000),
                udp(3, 599, 50_000, 443),
                udp(4, 900, 50_000, 443),
                udp(5, 10, 50_000, 443),
            ],
            &["50000>443 1-3 2/1 whole", "50000>443 4-5 2/0 whole"],
        );
    }

    #[test]
    fn there_are_never_more_than_allowed() {
        let mut ledger = Ledger::<()>::default();
        for number in 0..Ledger::<()>::MOST as u64 + 1 {
            let end = |ip: u32, port| Endpoint { ip: std::net::Ipv4Addr::from_bits(ip).into(), port };
            let flow = Flow { src: end(number as u32, 2), dst: end(u32::MAX, 1), protocol: Protocol::UDP };
            ledger.packet(&udp(number + 1, 0, flow));
        }
        assert_eq!(ledger.take_excess().len(), Ledger::<()>::MOST / 2);
        assert_eq!(
            (ledger.len(), ledger.cut()),
            (Ledger::<()>::MOST / 2 + 1, (Ledger::<()>::MOST / 2) as u64)
        );
        assert!(ledger.take_excess().is_empty());
    }

    #[test]
    fn a_name_belongs_to_the_conversation_that_had_begun() {
        let mut ledger = Ledger::default();
        let first = tcp(1, 50_000, 443, SYN, 7, 0);
        ledger.packet(&first);
        ledger.packet(&tcp(5, 50_000, 443, SYN, 8, 0));
        ledger.name(first.flow.reversed(), 0, 4, 4);
        ledger.name(first.flow, 0, 6, 6);
        ledger.name(first.flow, 0, 7, 7);
        let names: Vec<_> = ledger.finish().into_iter().map(|one| one.name).collect();
        assert_eq!(names, [Some(Box::new(4u64)), Some(Box::new(6))]);
    }

    /// A packet that comes again within 50 ms, with fewer than 16 of its conversation between, counts once.
    #[test]
    fn a_packet_that_comes_twice_counts_once() {
        let millis = |entry: Entry<'static>, number: u32, millis: i64| Entry {
            number,
            at: Timestamp::from_nanos(millis * 1_000_000),
            ..entry
        };
        let (there, back) = ((50_000, 443), (443, 50_000));
        let packet =
            |frame, (src, dst): (u16, u16), number, at| millis(tcp(frame, src, dst, ACK, 0, 0), number, at);
        check(
            &[
                packet(1, there, 1, 0),
                packet(2, there, 1, 0),
                packet(3, back, 2, 1),
                packet(4, there, 3, 2),
                packet(5, back, 2, 51),
                packet(6, there, 3, 53),
                packet(7, there, 3, 103),
                packet(8, there, 3, 60),
            ],
            &["50000>443 1-8 3/1 4 twice"],
        );
        let many: Vec<u32> = (1..=RECENT as u32 + 1).collect();
        for (between, expected) in
            [(RECENT, "50000>443 1-17 16/0 1 twice"), (RECENT + 1, "50000>443 1-18 18/0")]
        {
            let numbers = many.iter().take(between).chain(&[1]);
            let entries: Vec<_> =
                numbers.zip(1..).map(|(number, frame)| packet(frame, there, *number, 0)).collect();
            check(&entries, &[expected]);
        }
    }

    /// Milliseconds from one packet to the next: within the time of a copy, or of another conversation.
    fn step() -> impl Strategy<Value = i64> {
        prop_oneof![4 => -60i64..60, 1 => -400_000i64..400_000]
    }

    proptest! {
        /// Any packets, in three stretches with any edges: what the parts give is what the whole gives.
        #[test]
        fn stretches_add_up(
            packets in prop::collection::vec((0u16..3, any::<bool>(), 0u8..32, 0u32..3, 0u32..3, step(), 0u32..12), 0..60),
            edges in (0usize..60, 0usize..60),
        ) {
            let mut at = 0;
            let entries: Vec<Entry<'_>> = packets
                .iter()
                .enumerate()
                .map(|(index, (port, back, flags, seq, ack, millis, number))| {
                    at += millis;
                    let (src, dst) = if *back { (443, 50_000 + port) } else { (50_000 + port, 443) };
                    let frame = index as u64 + 1;
                    let at = Timestamp::from_nanos(at * 1_000_000);
                    let entry = match *port {
                        2 => udp(frame, 0, flow(src, dst, Protocol::UDP)),
                        _ => tcp(frame, src, dst, *flags, *seq, *ack),
                    };
                    Entry { at, number: *number, ..entry }
                })
                .collect();
            let mut whole = Ledger::<u64>::default();
            entries.iter().for_each(|entry| whole.packet(entry));
            let expected = whole.finish();
            let (one, other) = (edges.0.min(entries.len()), edges.1.min(entries.len()));
            let (one, other) = (one.min(other), one.max(other));
            let stretch = |from: usize, to: usize| {
                let mut ledger = Ledger::<u64>::of_a_stretch();
                entries[from..to].iter().for_each(|entry| ledger.packet(&Entry { frame: entry.frame - from as u64, ..*entry }));
                ledger
            };
            let mut parts = stretch(0, one);
            parts.absorb(stretch(one, other), one as u64);
            parts.absorb(stretch(other, entries.len()), other as u64);
            prop_assert_eq!(parts.finish(), expected);
        }
    }
}
