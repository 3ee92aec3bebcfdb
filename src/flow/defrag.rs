//! Fragments of IP datagrams → whole payloads (RFC 791 section 3.2, RFC 8200 section 4.5).
//!
//! One table, bounded by the number of datagrams, by their bytes and by packet time. What it gives back goes to
//! [`continue_ip`](crate::decode::continue_ip). Fragments that a snap length cut cannot be put together, and are refused.
//!
//! Where fragments overlap, hosts differ, and what one sees an observer may not. IPv6 settled it: the datagram is
//! abandoned (RFC 5722, RFC 8200 section 4.5). For IPv4 the bytes that came first stay, which is the policy "first" of
//! Novak, *Target-Based Fragmentation Reassembly* (Sourcefire, 2005); Linux has dropped such datagrams since 4.19, so
//! that what is read here was at worst not read there.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;
use std::net::IpAddr;

use etherparse::defrag::IpDefragBuf;
use etherparse::{IpFragOffset, IpNumber};
use rustc_hash::FxBuildHasher;

use crate::capture::Timestamp;
use crate::decode::{Fragment, Packet, Path};

/// The most datagrams at one time. Linux keeps about as many by default; a sensor's share of fragments is small.
pub const MAX_DATAGRAMS: usize = 4096;

/// The most bytes of all datagrams at one time: Linux's `ipfrag_high_thresh`. Who sends fragments decides about it.
pub const MAX_BYTES: usize = 4 << 20;

/// The most fragments of one datagram: 64 KiB in fragments of the smallest MTU that is met (576 bytes), twice. The work
/// for each fragment grows with their number.
pub const MAX_FRAGMENTS: u16 = 256;

/// How long a datagram waits for its fragments, in nanoseconds of packet time: Linux's `ipfrag_time`. Identifications of
/// IPv4 come again after 65,536 datagrams (RFC 4963), so that the 60 seconds of RFC 8200 would mix more of them up.
pub const TIMEOUT: i64 = 30_000_000_000;

/// How long fragments of a datagram that was completed are taken for copies, in nanoseconds of packet time: a mirror
/// port that sends each packet twice does so within this, and identifications do not come again within it.
pub const COPIES: i64 = 1_000_000_000;

/// Longest payload of an IP datagram, in bytes.
const MAX_PAYLOAD: u32 = 65_535;

/// Which datagram a fragment belongs to.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct FragmentKey {
    src: IpAddr,
    dst: IpAddr,
    id: u32,
    /// Of IPv4 alone: fragments of one IPv6 datagram may differ in it (RFC 8200 section 4.5).
    protocol: u8,
    /// Tenants of a network use the same addresses, on different paths.
    path: Path,
}

impl FragmentKey {
    /// The datagram of `fragment`, which `packet` carries.
    pub const fn new(packet: &Packet<'_>, fragment: &Fragment<'_>) -> Self {
        let protocol = if packet.dst.is_ipv4() { fragment.protocol } else { 0 };
        Self { src: packet.src, dst: packet.dst, id: fragment.id, protocol, path: packet.path }
    }

    /// 32 bits by which the datagram is known, never nought: what [`Flow::tag`](super::Flow::tag) is to a conversation.
    pub fn tag(&self) -> u32 {
        ((FxBuildHasher.hash_one(self) >> 32) as u32).max(1)
    }
}

/// What a fragment led to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reassembly {
    /// Others are missing.
    NeedMore,
    /// It was the last one missing.
    Complete {
        /// The protocol of the payload, as the fragment at its beginning named it.
        protocol: u8,
        /// The datagram's payload.
        payload: Vec<u8>,
    },
    /// It was not used.
    Refused(Reason),
}

/// Why a fragment was not used.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// A snap length cut it.
    SnapCut,
    /// It brings nothing that was not there.
    Copy,
    /// It has no payload.
    Empty,
    /// It is not the last, and its length is no multiple of eight (RFC 791, RFC 8200 section 4.5).
    Unaligned,
    /// It reaches beyond the longest payload of IP.
    TooLong,
    /// It puts the datagram's end elsewhere than another fragment did.
    ConflictingEnd,
    /// It overlaps another: its IPv6 datagram is abandoned.
    Overlap,
    /// Its datagram was abandoned before.
    Abandoned,
    /// Its datagram has [`MAX_FRAGMENTS`] already.
    TooMany,
}

impl Reason {
    /// Every reason, in the order of counters and summaries.
    pub const ALL: [Self; 9] = [
        Self::SnapCut,
        Self::Copy,
        Self::Empty,
        Self::Unaligned,
        Self::TooLong,
        Self::ConflictingEnd,
        Self::Overlap,
        Self::Abandoned,
        Self::TooMany,
    ];

    /// The words in summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SnapCut => "cut by a snap length",
            Self::Copy => "copy",
            Self::Empty => "empty",
            Self::Unaligned => "length no multiple of eight",
            Self::TooLong => "too long",
            Self::ConflictingEnd => "conflicting end",
            Self::Overlap => "overlap in IPv6",
            Self::Abandoned => "datagram abandoned",
            Self::TooMany => "too many fragments",
        }
    }
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Datagrams put together.
    pub completed: u64,
    /// Datagrams given up because [`TIMEOUT`] had passed.
    pub timed_out: u64,
    /// Datagrams given up because [`MAX_DATAGRAMS`] or [`MAX_BYTES`] was reached, the oldest first.
    pub evicted: u64,
    /// Fragments that overlapped others and were used where these left room (IPv4).
    pub overlapped: u64,
    /// Fragments refused, by the place of the reason in [`Reason::ALL`].
    pub refused: [u64; Reason::ALL.len()],
}

/// Datagrams of which fragments are missing.
#[derive(Clone, Debug, Default)]
pub struct Defrag {
    datagrams: HashMap<FragmentKey, Entry, FxBuildHasher>,
    /// By age.
    order: BTreeMap<u64, FragmentKey>,
    /// The next place in `order`.
    next: u64,
    /// Of all buffers.
    bytes: usize,
    counters: Counters,
}

/// A datagram on its way from one table to another.
#[derive(Debug)]
pub struct Unfinished {
    key: FragmentKey,
    entry: Entry,
}

impl Unfinished {
    /// Which datagram it is.
    pub const fn key(&self) -> &FragmentKey {
        &self.key
    }
}

#[derive(Clone, Debug)]
struct Entry {
    place: u64,
    /// Of the fragment that came first; when it is done, of the one that came last.
    since: Timestamp,
    protocol: u8,
    fragments: u16,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    Open(IpDefragBuf),
    Abandoned,
    Done,
}

impl Entry {
    fn is_over(&self, now: Timestamp) -> bool {
        let window = if matches!(self.state, State::Done) { COPIES } else { TIMEOUT };
        // Clocks jump backwards as well.
        now.since(self.since).checked_abs().is_none_or(|age| age > window)
    }

    fn bytes(&self) -> usize {
        match &self.state {
            State::Open(buffer) => buffer.data().len(),
            State::Abandoned | State::Done => 0,
        }
    }
}

impl Defrag {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the `fragment` of the datagram `key`, seen at `at`.
    pub fn push(&mut self, key: FragmentKey, fragment: &Fragment<'_>, at: Timestamp) -> Reassembly {
        let pushed = match self.try_push(key, fragment, at) {
            Ok(pushed) => pushed,
            Err(reason) => {
                if let Some(count) = self.counters.refused.get_mut(reason as usize) {
                    *count += 1;
                }
                Reassembly::Refused(reason)
            }
        };
        self.keep_bounds();
        pushed
    }

    /// Gives up what has waited too long. Only a live sensor has to ask: a table that is never asked forgets when a
    /// datagram's key comes again, and when it is full.
    pub fn expire(&mut self, now: Timestamp) {
        let over = |key: &FragmentKey| self.datagrams.get(key).is_none_or(|entry| entry.is_over(now));
        let over: Vec<FragmentKey> = self.order.values().filter(|key| over(key)).copied().collect();
        for key in over {
            if let Some(Entry { state: State::Open(_), .. }) = self.remove(&key) {
                self.counters.timed_out += 1;
            }
        }
    }

    /// Which datagrams are here, the oldest first; completed ones stay for [`COPIES`].
    pub fn keys(&self) -> impl Iterator<Item = &FragmentKey> {
        self.order.values()
    }

    /// How many datagrams still wait for fragments.
    pub fn unfinished(&self) -> usize {
        self.datagrams.values().filter(|entry| matches!(entry.state, State::Open(_))).count()
    }

    /// Takes a datagram out, for another table.
    pub fn take(&mut self, key: &FragmentKey) -> Option<Unfinished> {
        self.remove(key).map(|entry| Unfinished { key: *key, entry })
    }

    /// Takes all of them out, the oldest first.
    pub fn take_all(&mut self) -> Vec<Unfinished> {
        let keys: Vec<FragmentKey> = self.order.values().copied().collect();
        keys.iter().filter_map(|key| self.take(key)).collect()
    }

    /// Puts a datagram in that was taken out of another table. One of the same key that is already here gives way: it
    /// was begun in the middle.
    pub fn put(&mut self, unfinished: Unfinished) {
        let Unfinished { key, entry } = unfinished;
        self.remove(&key);
        self.insert(key, entry);
        self.keep_bounds();
    }

    /// What happened so far.
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    fn try_push(
        &mut self,
        key: FragmentKey,
        fragment: &Fragment<'_>,
        at: Timestamp,
    ) -> Result<Reassembly, Reason> {
        let part = Part::new(fragment)?;
        if self.datagrams.get(&key).is_some_and(|entry| entry.is_over(at))
            && let Some(Entry { state: State::Open(_), .. }) = self.remove(&key)
        {
            self.counters.timed_out += 1;
        }
        if !self.datagrams.contains_key(&key) {
            let protocol = fragment.protocol;
            let state = State::Open(IpDefragBuf::new(IpNumber(protocol), Vec::new(), Vec::new()));
            self.insert(key, Entry { place: 0, since: at, protocol, fragments: 0, state });
        }
        let Some(entry) = self.datagrams.get_mut(&key) else { return Err(Reason::Abandoned) };
        let buffer = match &mut entry.state {
            State::Open(buffer) => buffer,
            State::Abandoned => return Err(Reason::Abandoned),
            State::Done => return Err(Reason::Copy),
        };
        if entry.fragments == MAX_FRAGMENTS {
            return Err(Reason::TooMany);
        }
        let before = buffer.data().len();
        let added = part.add(buffer, key.dst.is_ipv6());
        let after = buffer.data().len();
        if added == Err(Reason::Overlap) {
            entry.state = State::Abandoned;
            self.bytes = self.bytes.saturating_sub(before);
            return Err(Reason::Overlap);
        }
        self.bytes = (self.bytes + after).saturating_sub(before);
        let added = added?;
        self.counters.overlapped += u64::from(added == Added::Partly);
        entry.fragments += 1;
        if part.start == 0 {
            entry.protocol = fragment.protocol;
        }
        if !buffer.is_complete() {
            return Ok(Reassembly::NeedMore);
        }
        self.bytes = self.bytes.saturating_sub(buffer.data().len());
        entry.since = at;
        let protocol = entry.protocol;
        let State::Open(buffer) = std::mem::replace(&mut entry.state, State::Done) else {
            return Err(Reason::Abandoned);
        };
        self.counters.completed += 1;
        Ok(Reassembly::Complete { protocol, payload: buffer.take_bufs().0 })
    }

    fn keep_bounds(&mut self) {
        while self.datagrams.len() > MAX_DATAGRAMS || self.bytes > MAX_BYTES {
            let Some((_, key)) = self.order.pop_first() else { break };
            if let Some(Entry { state: State::Open(_), .. }) = self.remove(&key) {
                self.counters.evicted += 1;
            }
        }
    }

    fn insert(&mut self, key: FragmentKey, entry: Entry) {
        self.bytes += entry.bytes();
        self.order.insert(self.next, key);
        self.datagrams.insert(key, Entry { place: self.next, ..entry });
        self.next += 1;
    }

    fn remove(&mut self, key: &FragmentKey) -> Option<Entry> {
        let entry = self.datagrams.remove(key)?;
        self.order.remove(&entry.place);
        self.bytes = self.bytes.saturating_sub(entry.bytes());
        Some(entry)
    }
}

/// A fragment that can be put together: whole, aligned, within bounds.
#[derive(Clone, Copy, Debug)]
struct Part<'a> {
    start: u16,
    end: u16,
    more: bool,
    payload: &'a [u8],
}

/// How much of a part was new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Added {
    All,
    Partly,
}

impl<'a> Part<'a> {
    fn new(fragment: &Fragment<'a>) -> Result<Self, Reason> {
        let Fragment { offset, more, payload, wire_len, .. } = *fragment;
        if u32::try_from(payload.len()).is_ok_and(|captured| captured < wire_len) {
            return Err(Reason::SnapCut);
        }
        if payload.is_empty() {
            return Err(Reason::Empty);
        }
        if more && payload.len() % 8 != 0 {
            return Err(Reason::Unaligned);
        }
        let end = offset.saturating_add(wire_len);
        let (Ok(start), Ok(end)) = (u16::try_from(offset), u16::try_from(end.min(MAX_PAYLOAD + 1))) else {
            return Err(Reason::TooLong);
        };
        Ok(Self { start, end, more, payload })
    }

    /// Copies what is new of it.
    fn add(&self, buffer: &mut IpDefragBuf, overlap_abandons: bool) -> Result<Added, Reason> {
        let reach = buffer.sections().iter().map(|section| section.end).max().unwrap_or(0);
        if buffer.end().is_some_and(|end| self.end > end || (!self.more && self.end != end))
            || (!self.more && self.end < reach)
        {
            return Err(Reason::ConflictingEnd);
        }
        let mut sections: Vec<(u16, u16)> =
            buffer.sections().iter().map(|section| (section.start, section.end)).collect();
        sections.sort_unstable();
        let covered = sections.iter().any(|(start, end)| *start <= self.start && self.end <= *end);
        if covered && (self.more || buffer.end().is_some()) && !(overlap_abandons && self.differs(buffer)) {
            return Err(Reason::Copy);
        }
        let overlaps = sections.iter().any(|(start, end)| *start < self.end && self.start < *end);
        if overlaps && overlap_abandons {
            return Err(Reason::Overlap);
        }
        let mut start = self.start;
        for (from, to) in sections {
            if start < from && start < self.end {
                self.copy(buffer, start, from.min(self.end))?;
            }
            start = start.max(to);
        }
        // The last piece, which may be empty, brings the datagram's end.
        if start < self.end || (!self.more && buffer.end().is_none()) {
            self.copy(buffer, start.min(self.end), self.end)?;
        }
        Ok(if overlaps { Added::Partly } else { Added::All })
    }

    /// Whether the bytes that are already there are others.
    fn differs(&self, buffer: &IpDefragBuf) -> bool {
        buffer.data().get(usize::from(self.start)..usize::from(self.end)) != Some(self.payload)
    }

    /// Copies the bytes from `start` to `end` of the datagram.
    fn copy(&self, buffer: &mut IpDefragBuf, start: u16, end: u16) -> Result<(), Reason> {
        let offset = IpFragOffset::try_new(start / 8).map_err(|_| Reason::TooLong)?;
        let first = usize::from(start.saturating_sub(self.start));
        let piece = self.payload.get(first..usize::from(end.saturating_sub(self.start)));
        let more = self.more || end < self.end;
        buffer.add(offset, more, piece.ok_or(Reason::TooLong)?).map_err(|_| Reason::ConflictingEnd)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::decode::Transport;

    const AT: Timestamp = Timestamp::from_nanos(1_000_000_000_000);

    fn fragment(id: u32, offset: usize, more: bool, payload: &[u8]) -> Fragment<'_> {
        let offset = u32::try_from(offset).unwrap();
        Fragment { id, protocol: 17, offset, more, payload, wire_len: u32::try_from(payload.len()).unwrap() }
    }

    fn key(v6: bool, fragment: &Fragment<'_>) -> FragmentKey {
        let end = |last: u8| -> IpAddr {
            if v6 {
                [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last].into()
            } else {
                [10, 0, 0, last].into()
            }
        };
        let transport = Transport::Fragment(*fragment);
        FragmentKey::new(&Packet { src: end(1), dst: end(2), transport, path: Path::default() }, fragment)
    }

    fn push(table: &mut Defrag, v6: bool, part: &Fragment<'_>, at: Timestamp) -> Reassembly {
        table.push(key(v6, part), part, at)
    }

    fn after(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(AT.as_nanos() + nanos)
    }

    fn complete(payload: &[u8]) -> Reassembly {
        Reassembly::Complete { protocol: 17, payload: payload.to_vec() }
    }

    #[test]
    fn two_fragments_in_either_order_are_a_datagram() {
        let (first, second) = (fragment(1, 0, true, b"eight by"), fragment(1, 8, false, b"tes"));
        for v6 in [false, true] {
            for (early, late) in [(first, second), (second, first)] {
                let mut table = Defrag::new();
                assert_eq!(push(&mut table, v6, &early, AT), Reassembly::NeedMore);
                assert_eq!(table.unfinished(), 1);
                assert_eq!(push(&mut table, v6, &late, AT), complete(b"eight bytes"));
                assert_eq!((table.unfinished(), table.bytes), (0, 0));
            }
        }
    }

    /// Of IPv6 the fragment at the beginning names the protocol; of IPv4 each datagram has its own.
    #[test]
    fn protocols_are_of_the_datagram() {
        let (mut first, second) = (fragment(1, 0, true, b"eight by"), fragment(1, 8, false, b"tes"));
        first.protocol = 6;
        let mut table = Defrag::new();
        assert_eq!(push(&mut table, true, &second, AT), Reassembly::NeedMore);
        let expected = Reassembly::Complete { protocol: 6, payload: b"eight bytes".to_vec() };
        assert_eq!(push(&mut table, true, &first, AT), expected);
        assert_eq!(push(&mut table, false, &second, AT), Reassembly::NeedMore);
        assert_eq!(push(&mut table, false, &first, AT), Reassembly::NeedMore);
    }

    #[test]
    fn what_cannot_be_put_together_is_refused_and_counted() {
        let cut = Fragment { wire_len: 16, ..fragment(1, 0, true, b"eight by") };
        for (part, reason) in [
            (cut, Reason::SnapCut),
            (fragment(1, 0, true, b""), Reason::Empty),
            (fragment(1, 0, true, b"seven b"), Reason::Unaligned),
            (fragment(1, 65_528, false, b"eight by"), Reason::TooLong),
        ] {
            let mut table = Defrag::new();
            assert_eq!(push(&mut table, false, &part, AT), Reassembly::Refused(reason));
            assert_eq!(table.counters().refused[reason as usize], 1);
            assert_eq!(table.keys().count(), 0);
        }
        assert!(Reason::ALL.iter().enumerate().all(|(place, reason)| *reason as usize == place));
        let longest = fragment(1, 65_528, false, b"seven b");
        assert_eq!(push(&mut Defrag::new(), false, &longest, AT), Reassembly::NeedMore);
    }

    #[test]
    fn an_end_is_told_once() {
        let mut table = Defrag::new();
        assert_eq!(push(&mut table, false, &fragment(1, 8, false, b"tes"), AT), Reassembly::NeedMore);
        for beyond in
            [fragment(1, 8, false, b"test"), fragment(1, 16, true, b"eight by"), fragment(1, 8, false, b"t")]
        {
            let refused = Reassembly::Refused(Reason::ConflictingEnd);
            assert_eq!(push(&mut table, false, &beyond, AT), refused);
        }
        assert_eq!(push(&mut table, false, &fragment(1, 0, true, b"eight by"), AT), complete(b"eight bytes"));
    }

    #[test]
    fn an_overlap_in_ipv6_abandons_the_datagram() {
        let mut table = Defrag::new();
        let first = fragment(1, 0, true, b"sixteen bytes ..");
        assert_eq!(push(&mut table, true, &first, AT), Reassembly::NeedMore);
        assert_eq!(push(&mut table, true, &first, AT), Reassembly::Refused(Reason::Copy));
        let overlap = fragment(1, 8, true, b"overlapping it..");
        assert_eq!(push(&mut table, true, &overlap, AT), Reassembly::Refused(Reason::Overlap));
        assert_eq!((table.bytes, table.unfinished()), (0, 0));
        let last = fragment(1, 16, false, b"end");
        assert_eq!(push(&mut table, true, &last, AT), Reassembly::Refused(Reason::Abandoned));
        // As long as its fragments may still come, and no longer.
        assert_eq!(push(&mut table, true, &first, after(TIMEOUT + 1)), Reassembly::NeedMore);
    }

    #[test]
    fn an_overlap_in_ipv4_keeps_what_came_first() {
        let mut table = Defrag::new();
        assert_eq!(push(&mut table, false, &fragment(1, 8, true, b"11111111"), AT), Reassembly::NeedMore);
        assert_eq!(push(&mut table, false, &fragment(1, 16, false, b"22222"), AT), Reassembly::NeedMore);
        let whole = b"333333333333333333333";
        assert_eq!(
            push(&mut table, false, &fragment(1, 0, false, whole), AT),
            complete(b"333333331111111122222")
        );
        assert_eq!(table.counters().overlapped, 1);
    }

    /// A mirror port that sends each packet twice.
    #[test]
    fn copies_of_a_completed_datagram_begin_no_other() {
        let mut table = Defrag::new();
        let (first, second) = (fragment(1, 0, true, b"eight by"), fragment(1, 8, false, b"tes"));
        let copy = Reassembly::Refused(Reason::Copy);
        assert_eq!(push(&mut table, false, &first, AT), Reassembly::NeedMore);
        assert_eq!(push(&mut table, false, &first, AT), copy);
        assert_eq!(push(&mut table, false, &second, AT), complete(b"eight bytes"));
        assert_eq!(push(&mut table, false, &second, after(COPIES)), copy);
        assert_eq!(push(&mut table, false, &second, after(COPIES + 1)), Reassembly::NeedMore);
        assert_eq!(push(&mut table, false, &first, after(COPIES + 1)), complete(b"eight bytes"));
    }

    #[test]
    fn packet_time_ends_the_waiting_whichever_way_it_jumps() {
        for jump in [TIMEOUT + 1, -TIMEOUT - 1] {
            let mut table = Defrag::new();
            assert_eq!(push(&mut table, false, &fragment(1, 0, true, b"eight by"), AT), Reassembly::NeedMore);
            let late = fragment(1, 8, false, b"tes");
            assert_eq!(push(&mut table, false, &late, after(jump)), Reassembly::NeedMore);
            assert_eq!(table.counters().timed_out, 1);
            table.expire(after(jump));
            assert_eq!(table.unfinished(), 1);
            table.expire(AT);
            assert_eq!((table.unfinished(), table.counters().timed_out, table.bytes), (0, 2, 0));
        }
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let mut table = Defrag::new();
        for id in 0..2 * u32::try_from(MAX_DATAGRAMS).unwrap() {
            push(&mut table, false, &fragment(id, 0, true, b"eight by"), AT);
        }
        assert_eq!(table.keys().count(), MAX_DATAGRAMS);
        assert_eq!(table.counters().evicted, u64::try_from(MAX_DATAGRAMS).unwrap());
        let newest = 2 * u32::try_from(MAX_DATAGRAMS).unwrap() - 1;
        assert_eq!(
            push(&mut table, false, &fragment(newest, 8, false, b"tes"), AT),
            complete(b"eight bytes")
        );

        let mut table = Defrag::new();
        for id in 0..1000 {
            push(&mut table, false, &fragment(id, 65_520, true, b"eight by"), AT);
            assert!(table.bytes <= MAX_BYTES);
        }
        assert_eq!(table.keys().count(), MAX_BYTES / 65_528);
        let mut table = Defrag::new();
        for place in 0..usize::from(MAX_FRAGMENTS) {
            let part = fragment(1, place * 16, true, b"eight by");
            assert_eq!(push(&mut table, false, &part, AT), Reassembly::NeedMore);
        }
        let refused = Reassembly::Refused(Reason::TooMany);
        assert_eq!(push(&mut table, false, &fragment(1, 8, true, b"eight by"), AT), refused);
    }

    /// What was pushed and what must come of it: bytes that came first, until every byte below the end is there.
    fn model(parts: &[(usize, bool, Vec<u8>)]) -> Option<Vec<u8>> {
        let mut bytes: Vec<Option<u8>> = Vec::new();
        let mut end = None;
        for (offset, more, payload) in parts {
            let stop = offset + payload.len();
            if end.is_some_and(|end| stop > end || (!more && stop != end)) || (!more && stop < bytes.len()) {
                continue;
            }
            bytes.resize(bytes.len().max(stop), None);
            for (place, byte) in bytes[*offset..].iter_mut().zip(payload) {
                place.get_or_insert(*byte);
            }
            if !more {
                end = Some(stop);
            }
            if end == Some(bytes.len()) && bytes.iter().all(Option::is_some) {
                return bytes.into_iter().collect();
            }
        }
        None
    }

    proptest! {
        #[test]
        fn any_cut_in_any_order_through_any_tables_is_the_datagram(
            payload in prop::collection::vec(any::<u8>(), 9..2000),
            size in 1_usize..64,
            seed in any::<u64>(),
            handover in any::<prop::sample::Index>(),
            v6 in any::<bool>(),
            twice in any::<bool>(),
        ) {
            let parts: Vec<&[u8]> = payload.chunks(size * 8).collect();
            prop_assume!(parts.len() > 1);
            let mut order: Vec<usize> = (0..parts.len()).chain((0..parts.len()).filter(|_| twice)).collect();
            order.sort_by_key(|place| (*place as u64 + 1).wrapping_mul(seed | 1).rotate_left(17));
            let handover = handover.index(order.len());
            let mut table = Defrag::new();
            let mut completed = Vec::new();
            for (count, place) in order.into_iter().enumerate() {
                if count == handover {
                    let mut next = Defrag::new();
                    table.take_all().into_iter().for_each(|unfinished| next.put(unfinished));
                    prop_assert_eq!((table.bytes, table.keys().count()), (0, 0));
                    table = next;
                }
                let part = fragment(1, place * size * 8, place + 1 < parts.len(), parts[place]);
                match push(&mut table, v6, &part, AT) {
                    Reassembly::Complete { payload, .. } => completed.push(payload),
                    Reassembly::NeedMore => {}
                    Reassembly::Refused(reason) => prop_assert!(twice && reason == Reason::Copy, "{reason:?}"),
                }
            }
            prop_assert_eq!(completed, [payload]);
        }

        #[test]
        fn overlaps_in_ipv4_are_as_the_model_has_them(
            parts in prop::collection::vec((0_usize..6, any::<bool>(), 1_usize..40, any::<u8>()), 1..12),
        ) {
            let parts: Vec<(usize, bool, Vec<u8>)> = parts
                .into_iter()
                .map(|(offset, more, len, byte)| {
                    (offset * 8, more, vec![byte; if more { len.next_multiple_of(8) } else { len }])
                })
                .collect();
            let mut table = Defrag::new();
            let mut completed = None;
            for (offset, more, payload) in &parts {
                if let Reassembly::Complete { payload, .. } =
                    push(&mut table, false, &fragment(1, *offset, *more, payload), AT)
                {
                    completed = completed.or(Some(payload));
                }
            }
            prop_assert_eq!(completed, model(&parts));
        }

        #[test]
        fn no_fragment_breaks_the_table(
            parts in prop::collection::vec(
                (0_u32..3, 0_u32..70_000, any::<bool>(), 0_usize..100, any::<bool>(), any::<i64>()), 0..60,
            ),
        ) {
            let mut table = Defrag::new();
            let zeros = [0; 100];
            for (id, offset, more, len, v6, at) in parts {
                let part = Fragment { offset, ..fragment(id, 0, more, &zeros[..len]) };
                push(&mut table, v6, &part, Timestamp::from_nanos(at % (2 * TIMEOUT)));
                let bytes: usize = table.datagrams.values().map(Entry::bytes).sum();
                prop_assert_eq!(table.bytes, bytes);
                prop_assert_eq!(table.order.len(), table.datagrams.len());
            }
        }
    }
}
