//! The last packets of a conversation, so that it is known which of the next ones are copies.

use super::copies::WINDOW;
use crate::capture::Timestamp;

/// So many packets of its conversation back a copy is looked for. A switch sends it right behind the packet, a router some ten microseconds
/// later: in this time a conversation of 10 Gbit/s has sent eight.
pub(super) const RECENT: usize = 16;

/// How many of them there are beside the last one.
const OLDER: usize = RECENT - 1;

/// The last [`RECENT`] packets.
#[derive(Clone, Debug, Default)]
pub(super) struct Recall {
    /// The last one. Of a conversation without packets it means nothing.
    number: u32,
    at: Timestamp,
    any: bool,
    /// Those before it; there are none in the most of all conversations, where somebody scans a network.
    older: Option<Box<Older>>,
}

/// Packets in a ring.
#[derive(Clone, Debug, Default)]
struct Older {
    numbers: [u32; OLDER],
    times: [Timestamp; OLDER],
    /// How many there are.
    count: u8,
    /// Where the next one has its place: that of the oldest, if the ring is full.
    next: u8,
}

/// One of the first packets of a stretch, which may be a copy of one before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct First {
    pub(super) number: u32,
    pub(super) at: Timestamp,
    pub(super) bytes: u32,
    /// Whether the lower endpoint sent it.
    pub(super) by_low: bool,
    /// Whether it is a copy of one in the same stretch.
    pub(super) copy: bool,
}

impl Recall {
    /// Whether a packet is a copy of one of these, if so many others are between them and it.
    #[inline]
    pub(super) fn knows(&self, number: u32, at: Timestamp, between: usize) -> bool {
        let is = |known: u32, then: Timestamp| known == number && lately(then, at);
        if self.any && between < RECENT && is(self.number, self.at) {
            return true;
        }
        let Some(older) = &self.older else { return false };
        // All at once, which is faster than to stop at the first.
        if !older.numbers.iter().fold(false, |found, known| found | (*known == number)) {
            return false;
        }
        let gone = (usize::from(older.count) + 1 + between).saturating_sub(RECENT);
        older.in_order().skip(gone).any(|(known, then)| is(known, then))
    }

    /// Takes the next packet.
    #[inline]
    pub(super) fn remember(&mut self, number: u32, at: Timestamp) {
        if self.any {
            self.older.get_or_insert_default().push(self.number, self.at);
        }
        (self.number, self.at, self.any) = (number, at, true);
    }

    /// Takes the packets that follow.
    pub(super) fn go_on(&mut self, later: &Self) {
        let older = later.older.iter().flat_map(|older| older.in_order());
        let last = later.any.then_some((later.number, later.at));
        for (number, at) in older.chain(last) {
            self.remember(number, at);
        }
    }
}

impl Older {
    fn push(&mut self, number: u32, at: Timestamp) {
        let next = usize::from(self.next);
        if let (Some(place), Some(time)) = (self.numbers.get_mut(next), self.times.get_mut(next)) {
            (*place, *time) = (number, at);
        }
        self.next = if next + 1 < OLDER { self.next + 1 } else { 0 };
        self.count = (self.count + 1).min(OLDER as u8);
    }

    /// The oldest first.
    fn in_order(&self) -> impl Iterator<Item = (u32, Timestamp)> {
        let oldest = if usize::from(self.count) < OLDER { 0 } else { usize::from(self.next) };
        let all = self.numbers.iter().copied().zip(self.times.iter().copied());
        let (first, second) = (all.clone().skip(oldest), all.take(oldest));
        first.chain(second).take(usize::from(self.count))
    }
}

fn lately(known: Timestamp, at: Timestamp) -> bool {
    known.since(at).checked_abs().is_some_and(|age| age <= WINDOW)
}
