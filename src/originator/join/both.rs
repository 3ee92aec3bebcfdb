//! The connections of records and those of the wire by their ends, both in one table: whoever asks for the one asks for the other.
//!
//! Nearly all places of the table lie elsewhere in memory, so that each look at it waits for memory. Therefore one look finds both sides;
//! and of rows that came since somebody asked, where these are many, all are first sorted into the parts of the table, which fit
//! into a core's cache one by one. Parts are filled at once by whoever has hands for it, each with its rows in their order.

use super::super::clocks::ClockId;
use super::index::{Head, Places, Rows};
use crate::hands::{Hands, each, pieces};

/// Rows of both sides by key.
#[derive(Debug, Default)]
pub(super) struct Both {
    /// None before the first row.
    parts: Vec<Part>,
    /// How many rows of either side are in.
    taken: [usize; 2],
    /// How often more rows were about a time than are looked at, in tables of before.
    cut: u64,
}

/// The keys with some highest bits.
#[derive(Debug, Default)]
struct Part {
    /// A power of two of places, by the highest bits of the key after those; whose place is taken stands in the next one that is free.
    slots: Vec<Slot>,
    used: usize,
    feed: Rows<ClockId>,
    wire: Rows<()>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u64,
    feed: Head,
    wire: Head,
}

/// What a key has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'b> {
    /// Rows of connections of records, and which of them.
    pub(super) feed: (&'b Rows<ClockId>, Head),
    /// Rows of connections of the wire, and which of them.
    pub(super) wire: (&'b Rows<()>, Head),
}

/// Rows that are new to the table: how many there are, their keys, and their times.
pub(super) struct New<'n, G> {
    pub(super) length: usize,
    pub(super) key: &'n (dyn Fn(u32) -> Option<u64> + Sync),
    pub(super) places: &'n (dyn Fn(u32) -> Places<G> + Sync),
}

impl Slot {
    const FREE: Self = Self { key: 0, feed: Head::NONE, wire: Head::NONE };

    fn is_free(&self) -> bool {
        self.feed == Head::NONE && self.wire == Head::NONE
    }
}

impl Both {
    /// Bits of a key that say in which part it is.
    const PART: u32 = 6;
    /// How many new rows are sorted into parts before they are put into places.
    const MANY: usize = 1 << 14;
    /// Bytes that a row takes at the most: with a key of its own, and while it is sorted into its part; or as one of many.
    pub(super) const fn bytes<G: Copy + Ord>() -> usize {
        // Between three eighths and three quarters of the places are taken.
        let alone = size_of::<Slot>() * 8 / 3 + size_of::<(u64, u32)>();
        if alone > Rows::<G>::BYTES { alone } else { Rows::<G>::BYTES }
    }

    /// What a key has, as of the last [`Self::take`].
    #[inline]
    pub(super) fn find(&self, key: u64) -> Option<Found<'_>> {
        let part = self.parts.get(part_of(key))?;
        let slot = part.find(key)?;
        Some(Found { feed: (&part.feed, slot.feed), wire: (&part.wire, slot.wire) })
    }

    /// Takes the rows that it has not yet.
    pub(super) fn take(&mut self, feed: &New<'_, ClockId>, wire: &New<'_, ()>, hands: &dyn Hands) {
        let from = std::mem::replace(&mut self.taken, [feed.length, wire.length]);
        let new = [from[0].min(feed.length)..feed.length, from[1].min(wire.length)..wire.length];
        let [new_feed, new_wire] = &new;
        let count = new_feed.len() + new_wire.len();
        if count == 0 {
            return;
        }
        if self.parts.is_empty() {
            self.parts.resize_with(1 << Self::PART, Part::default);
        }
        if count < Self::MANY {
            for row in new_feed.clone() {
                self.add(row as u32, feed.key, |part, key, row| part.add_feed(key, row, feed.places));
            }
            for row in new_wire.clone() {
                self.add(row as u32, wire.key, |part, key, row| part.add_wire(key, row, wire.places));
            }
            return;
        }
        let feed_rows = by_part(new_feed, feed.key, hands);
        let wire_rows = by_part(new_wire, wire.key, hands);
        let size = self.parts.len().div_ceil(hands.count().max(1) * 4).max(1);
        each(hands, self.parts.chunks_mut(size).enumerate(), |(number, parts)| {
            for (place, part) in parts.iter_mut().enumerate() {
                let number = number * size + place;
                let of = |rows: &[Vec<Vec<(u64, u32)>>]| {
                    rows.iter().filter_map(|piece| piece.get(number)).map(Vec::len).sum::<usize>()
                };
                // Mostly both sides have the same keys.
                part.reserve(of(&feed_rows).max(of(&wire_rows)));
                for (key, row) in feed_rows.iter().filter_map(|piece| piece.get(number)).flatten() {
                    part.add_feed(*key, *row, feed.places);
                }
                for (key, row) in wire_rows.iter().filter_map(|piece| piece.get(number)).flatten() {
                    part.add_wire(*key, *row, wire.places);
                }
            }
        });
    }

    fn add(&mut self, row: u32, key: impl Fn(u32) -> Option<u64>, add: impl Fn(&mut Part, u64, u32)) {
        if let Some(key) = key(row)
            && let Some(part) = self.parts.get_mut(part_of(key))
        {
            add(part, key, row);
        }
    }

    /// How often more rows were about a time than are looked at.
    pub(super) fn cut(&self) -> u64 {
        self.cut + self.parts.iter().map(|part| part.feed.cut() + part.wire.cut()).sum::<u64>()
    }

    /// Without rows, but what was counted.
    pub(super) fn emptied(&self) -> Self {
        Self { cut: self.cut(), ..Self::default() }
    }

    /// How many rows were looked at.
    #[cfg(test)]
    pub(super) fn looked(&self) -> u64 {
        self.parts.iter().map(|part| part.feed.looked() + part.wire.looked()).sum::<u64>()
    }
}

impl Part {
    /// The least places of a part that has any.
    const LEAST: usize = 16;

    /// Where the search for a key begins.
    #[inline]
    fn place(&self, key: u64) -> usize {
        // There is at least one place, so that this shifts by less than 64.
        let bits = self.slots.len().trailing_zeros();
        ((key << Both::PART) >> 1 >> (63 - bits)) as usize
    }

    #[inline]
    fn find(&self, key: u64) -> Option<Slot> {
        if self.slots.is_empty() {
            return None;
        }
        let mut at = self.place(key);
        loop {
            let slot = self.slots.get(at)?;
            if slot.is_free() {
                return None;
            }
            if slot.key == key {
                return Some(*slot);
            }
            // A quarter of them are free.
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    fn add_feed(&mut self, key: u64, row: u32, places: impl Fn(u32) -> Places<ClockId>) {
        let Some(at) = self.slot(key) else { return };
        if let Some(slot) = self.slots.get_mut(at) {
            self.feed.add(&mut slot.feed, row, places);
        }
    }

    fn add_wire(&mut self, key: u64, row: u32, places: impl Fn(u32) -> Places<()>) {
        let Some(at) = self.slot(key) else { return };
        if let Some(slot) = self.slots.get_mut(at) {
            self.wire.add(&mut slot.wire, row, places);
        }
    }

    /// The place of a key, which is new where it had none; something is put there at once.
    fn slot(&mut self, key: u64) -> Option<usize> {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.resize((self.slots.len() * 2).max(Self::LEAST));
        }
        let mut at = self.place(key);
        loop {
            let places = self.slots.len() - 1;
            let slot = self.slots.get_mut(at)?;
            if slot.is_free() {
                slot.key = key;
                self.used += 1;
                return Some(at);
            }
            if slot.key == key {
                return Some(at);
            }
            at = (at + 1) & places;
        }
    }

    /// Makes room for so many more keys.
    fn reserve(&mut self, more: usize) {
        let least = (self.used + more) * 4 / 3 + 1;
        if least > self.slots.len() {
            self.resize(least.next_power_of_two().max(Self::LEAST));
        }
    }

    fn resize(&mut self, places: usize) {
        let before = std::mem::replace(&mut self.slots, vec![Slot::FREE; places]);
        // In the order of the keys, nearly, so that memory is gone through once.
        for slot in before.into_iter().filter(|slot| !slot.is_free()) {
            let mut at = self.place(slot.key);
            while let Some(place) = self.slots.get_mut(at) {
                if place.is_free() {
                    *place = slot;
                    break;
                }
                at = (at + 1) & (places - 1);
            }
        }
    }
}

#[inline]
const fn part_of(key: u64) -> usize {
    (key >> (64 - Both::PART)) as usize
}

/// Rows with their keys, in pieces that follow one another; of each piece those of every part.
fn by_part(
    rows: &std::ops::Range<usize>,
    key: &(dyn Fn(u32) -> Option<u64> + Sync),
    hands: &dyn Hands,
) -> Vec<Vec<Vec<(u64, u32)>>> {
    each(hands, pieces(hands, rows.len()), |piece| {
        let about = piece.len() >> Both::PART;
        let mut parts = vec![Vec::new(); 1 << Both::PART];
        parts.iter_mut().for_each(|part: &mut Vec<_>| part.reserve(about + about / 8 + 16));
        for row in piece {
            let row = (rows.start + row) as u32;
            if let Some(key) = key(row)
                && let Some(part) = parts.get_mut(part_of(key))
            {
                part.push((key, row));
            }
        }
        parts
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::hosts::HostId;
    use super::super::super::record::{Clock, FeedKind};
    use super::super::index::Span;
    use super::*;
    use crate::hands::OneByOne;
    use crate::hands::testing::Backwards;

    fn taken(feed: &[u64], wire: &[u64], steps: &[usize], hands: &dyn Hands) -> Both {
        let clock = ClockId { host: HostId::default(), feed: FeedKind::Sysmon, clock: Clock::Event };
        let mut both = Both::default();
        for step in steps.iter().chain([&usize::MAX]) {
            let new_feed = New {
                length: feed.len().min(*step),
                key: &|row| feed.get(row as usize).copied().filter(|key| key % 11 != 3),
                places: &|row| [Some((clock, i64::from(row))), None],
            };
            let new_wire = New {
                length: wire.len().min(*step),
                key: &|row| wire.get(row as usize).copied(),
                places: &|row| [Some(((), i64::from(row))), None],
            };
            both.take(&new_feed, &new_wire, hands);
        }
        both
    }

    /// The rows that a key has on both sides.
    fn rows(both: &Both, key: u64) -> [Vec<u32>; 2] {
        let Some(found) = both.find(key) else { return [Vec::new(), Vec::new()] };
        let mut feed: Vec<u32> = found.feed.0.near(found.feed.1, |_| Some(Span::all(0))).collect();
        let mut wire: Vec<u32> = found.wire.0.near(found.wire.1, |()| Some(Span::all(0))).collect();
        feed.sort_unstable();
        wire.sort_unstable();
        [feed, wire]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// As by looking at all rows, however many came at once, and whoever put them in. Some keys are all but alike, and some have many rows.
        #[test]
        fn as_a_plain_list(
            seed in any::<u64>(),
            sizes in prop::array::uniform2(prop_oneof![0usize..300, 20_000usize..40_000]),
            steps in prop::collection::vec(0usize..40_000, 0..3),
            kinds in 1u64..5000,
            low in any::<bool>(),
        ) {
            let mut seed = seed;
            let mut key = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let kind = (seed >> 33) % kinds;
                // Those that are all but alike have one place.
                if low { kind % 100 } else { kind.wrapping_mul(0x9e37_79b9_7f4a_7c15) }
            };
            let feed: Vec<u64> = (0..sizes[0]).map(|_| key()).collect();
            let wire: Vec<u64> = (0..sizes[1]).map(|_| key()).collect();
            let mut steps = steps;
            steps.sort_unstable();
            let one = taken(&feed, &wire, &steps, &OneByOne);
            let other = taken(&feed, &wire, &[], &Backwards(3));
            let plain = |rows: &[u64], key: u64| -> Vec<u32> {
                (0..rows.len() as u32).filter(|row| rows[*row as usize] == key).collect()
            };
            for key in feed.iter().chain(&wire).step_by(1 + (feed.len() + wire.len()) / 50) {
                let feed = if key % 11 == 3 { Vec::new() } else { plain(&feed, *key) };
                let expected = [feed, plain(&wire, *key)];
                // Of more only those nearest to a time are looked at.
                if expected.iter().all(|rows| rows.len() <= Rows::<()>::MOST) {
                    prop_assert_eq!(&rows(&one, *key), &expected);
                    prop_assert_eq!(&rows(&other, *key), &expected);
                }
            }
            prop_assert!(one.find(0x1234_5678_9abc_def1).is_none());
        }
    }
}
