//! Rows in the order of their times, into which one more can be put at any place.

use super::index::Span;

/// A row at a time of its.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Entry<G> {
    /// By what clock the time is.
    pub(super) group: G,
    /// In nanoseconds.
    pub(super) at: i64,
    /// The number of the row.
    pub(super) row: u32,
}

/// Rows in the order of their clocks, and of one clock in that of their times. They are in blocks, so that one that comes late moves few.
#[derive(Debug)]
pub(super) struct Sorted<G> {
    blocks: Vec<Vec<Entry<G>>>,
}

impl<G> Default for Sorted<G> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}

/// A place between two entries: that before the entry of a block.
type Place = (usize, usize);

impl<G: Copy + Ord> Sorted<G> {
    /// Entries of a block.
    const BLOCK: usize = 256;

    /// Puts an entry into its place.
    pub(super) fn insert(&mut self, entry: Entry<G>) {
        let (number, place) = self.place(entry);
        // What belongs before a block may stand at the end of the one before it, where what comes in order has room.
        let (number, place) = match number.checked_sub(1).and_then(|before| self.blocks.get(before)) {
            Some(before) if place == 0 && before.len() < Self::BLOCK => (number - 1, before.len()),
            _ => (number, place),
        };
        let Some(block) = self.blocks.get_mut(number) else {
            self.blocks.push(vec![entry]);
            return;
        };
        block.insert(place.min(block.len()), entry);
        if block.len() > Self::BLOCK {
            let rest = block.split_off(Self::BLOCK / 2);
            self.blocks.insert(number + 1, rest);
        }
    }

    /// The place before the first entry that is not less than this.
    fn place(&self, entry: Entry<G>) -> Place {
        let number = self.blocks.partition_point(|block| block.last().is_some_and(|last| *last < entry));
        let place = self.blocks.get(number).map_or(0, |block| block.partition_point(|one| *one < entry));
        (number, place)
    }

    fn get(&self, (block, place): Place) -> Option<Entry<G>> {
        self.blocks.get(block)?.get(place).copied()
    }

    fn after(&self, (block, place): Place) -> Place {
        if place + 1 < self.blocks.get(block).map_or(0, Vec::len) {
            (block, place + 1)
        } else {
            (block + 1, 0)
        }
    }

    fn before(&self, (block, place): Place) -> Option<Place> {
        match place.checked_sub(1) {
            Some(place) => Some((block, place)),
            None => {
                let block = block.checked_sub(1)?;
                Some((block, self.blocks.get(block)?.len().checked_sub(1)?))
            }
        }
    }

    /// The clocks that there are times of.
    pub(super) fn groups(&self) -> impl Iterator<Item = G> + '_ {
        let mut next = self.get((0, 0));
        std::iter::from_fn(move || {
            let group = next?.group;
            let last = self.place(Entry { group, at: i64::MAX, row: u32::MAX });
            next = self.get(last);
            Some(group)
        })
    }

    /// The entries of a clock that are in a span, those nearest to its middle first.
    pub(super) fn nearest(&self, group: G, span: Span) -> impl Iterator<Item = Entry<G>> + '_ {
        let middle = self.place(Entry { group, at: span.about.min(span.to).max(span.from), row: 0 });
        let mut right = middle;
        let mut left = self.before(middle);
        let is_in = move |entry: &Entry<G>| entry.group == group && (span.from..=span.to).contains(&entry.at);
        std::iter::from_fn(move || {
            let one = left.and_then(|place| self.get(place)).filter(is_in);
            let other = self.get(right).filter(is_in);
            let distance = |entry: &Entry<G>| entry.at.abs_diff(span.about);
            match (one, other) {
                (Some(one), other) if other.is_none_or(|other| distance(&one) <= distance(&other)) => {
                    left = left.and_then(|place| self.before(place));
                    Some(one)
                }
                (_, Some(other)) => {
                    right = self.after(right);
                    Some(other)
                }
                (_, None) => None,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// As by looking at everything.
        #[test]
        fn as_a_plain_list(
            entries in prop::collection::vec((0u8..3, -500i64..500), 0..2000),
            about in -600i64..600,
            width in 0i64..300,
            other in -600i64..600,
        ) {
            let mut sorted = Sorted::default();
            let mut plain = Vec::new();
            for (row, (group, at)) in entries.into_iter().enumerate() {
                let entry = Entry { group, at, row: row as u32 };
                sorted.insert(entry);
                plain.push(entry);
            }
            plain.sort_unstable();
            prop_assert!(sorted.blocks.iter().flatten().eq(plain.iter()));
            prop_assert!(sorted.blocks.iter().all(|block| (1..=Sorted::<u8>::BLOCK).contains(&block.len())));
            let mut groups: Vec<u8> = plain.iter().map(|entry| entry.group).collect();
            groups.dedup();
            prop_assert_eq!(sorted.groups().collect::<Vec<_>>(), groups);
            for group in 0..3 {
                // The middle need not be in the span.
                let span = Span { from: about - width, to: about + width / 2, about: other };
                let mut expected: Vec<_> = plain
                    .iter()
                    .filter(|entry| entry.group == group && (span.from..=span.to).contains(&entry.at))
                    .copied()
                    .collect();
                let found: Vec<_> = sorted.nearest(group, span).collect();
                prop_assert!(found.is_sorted_by_key(|entry| entry.at.abs_diff(span.about)));
                let mut in_order = found.clone();
                in_order.sort_unstable();
                expected.sort_unstable();
                prop_assert_eq!(in_order, expected);
            }
        }
    }
}
