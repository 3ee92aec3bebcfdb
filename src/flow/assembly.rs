//! The bytes of one direction of a stream, put in order.
//!
//! An [`Assembly`] holds what was received of a stretch of stream, by range and not by count, so that loss, reordering,
//! repetition and overlap are all the same to it. Where two segments disagree about a byte, the first one wins (the policy that Suricata and Snort call
//! `first`), and the version in which the last one wins is kept beside it: stacks differ, a sensor cannot know
//! which version the server read, so both are read.

/// A stretch of stream, with holes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Assembly {
    /// Bytes from the base on; holes hold noughts.
    bytes: Vec<u8>,
    /// What is there: sorted, disjoint, not touching; positions from the base.
    ranges: Vec<(u32, u32)>,
    /// As `bytes`, but the last segment wins; only once two segments disagreed.
    conflicting: Option<Vec<u8>>,
}

/// What became of bytes given to an [`Assembly`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Insertion {
    /// They are held, or were already.
    Held,
    /// They lie beyond [`Assembly::LONGEST`].
    BeyondReach,
    /// They would make more than [`Assembly::MOST_HOLES`] holes.
    TooManyHoles,
}

impl Assembly {
    /// The most bytes from the base: the longest handshake message that is read (64 KiB), with its record headers even if every
    /// record is small. What an attacker can make the sensor hold for one direction.
    pub const LONGEST: u32 = 96 * 1024;
    /// The most holes: with reordering, more than a few mean that somebody is playing.
    pub const MOST_HOLES: usize = 64;

    /// Adds bytes that begin `offset` bytes after the base.
    pub fn insert(&mut self, offset: u32, data: &[u8]) -> Insertion {
        let Ok(len) = u32::try_from(data.len()) else { return Insertion::BeyondReach };
        let Some(end) = offset.checked_add(len).filter(|end| *end <= Self::LONGEST) else {
            return Insertion::BeyondReach;
        };
        if data.is_empty() {
            return Insertion::Held;
        }
        // The ranges which touch the new one: from the first that ends at or after it, up to those that begin after it.
        let first = self.ranges.partition_point(|range| range.1 < offset);
        let last = first + self.ranges.iter().skip(first).take_while(|range| range.0 <= end).count();
        if first == last && self.ranges.len() > Self::MOST_HOLES {
            return Insertion::TooManyHoles;
        }
        if self.bytes.len() < end as usize {
            self.bytes.resize(end as usize, 0);
            if let Some(conflicting) = &mut self.conflicting {
                conflicting.resize(end as usize, 0);
            }
        }
        self.write(offset, data, first, last);
        let merged = self
            .ranges
            .drain(first..last)
            .fold((offset, end), |all, one| (all.0.min(one.0), all.1.max(one.1)));
        self.ranges.insert(first, merged);
        Insertion::Held
    }

    /// The bytes from the base to the first hole, where the first segment wins.
    #[inline]
    pub fn contiguous(&self) -> &[u8] {
        self.bytes.get(..self.contiguous_len()).unwrap_or(&[])
    }

    /// The same stretch where the last segment wins, if segments disagreed.
    pub fn conflicting(&self) -> Option<&[u8]> {
        self.conflicting.as_deref().map(|bytes| bytes.get(..self.contiguous_len()).unwrap_or(&[]))
    }

    /// Whether nothing is held.
    pub const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Bytes of memory that are held for this stretch.
    pub fn held(&self) -> usize {
        self.bytes.capacity() + self.conflicting.as_ref().map_or(0, Vec::capacity)
    }

    /// Moves the base `count` bytes on, which forgets what lies before.
    pub fn advance(&mut self, count: u32) {
        let cut = (count as usize).min(self.bytes.len());
        self.bytes.drain(..cut);
        if let Some(conflicting) = &mut self.conflicting {
            conflicting.drain(..cut.min(conflicting.len()));
        }
        for range in &mut self.ranges {
            *range = (range.0.saturating_sub(count), range.1.saturating_sub(count));
        }
        self.ranges.retain(|range| range.0 < range.1);
    }

    fn contiguous_len(&self) -> usize {
        match self.ranges.first() {
            Some((0, end)) => *end as usize,
            _ => 0,
        }
    }

    /// Writes `data` where nothing is yet, and everywhere in the conflicting version once bytes differ. `first..last` are
    /// the ranges that may overlap it.
    fn write(&mut self, offset: u32, data: &[u8], first: usize, last: usize) {
        let part =
            |from: u32, to: u32| data.get((from - offset) as usize..(to - offset) as usize).unwrap_or(&[]);
        let end = offset + data.len() as u32;
        let overlaps: Vec<(u32, u32)> = self
            .ranges
            .iter()
            .take(last)
            .skip(first)
            .map(|range| (range.0.max(offset), range.1.min(end)))
            .filter(|range| range.0 < range.1)
            .collect();
        let disagree = overlaps
            .iter()
            .any(|(from, to)| self.bytes.get(*from as usize..*to as usize) != Some(part(*from, *to)));
        if disagree && self.conflicting.is_none() {
            self.conflicting = Some(self.bytes.clone());
        }
        if let Some(there) =
            self.conflicting.as_mut().and_then(|bytes| bytes.get_mut(offset as usize..end as usize))
        {
            there.copy_from_slice(data);
        }
        let mut at = offset;
        for (from, to) in overlaps.into_iter().chain([(end, end)]) {
            if let Some(there) = self.bytes.get_mut(at as usize..from as usize) {
                there.copy_from_slice(part(at, from));
            }
            at = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn holes_are_waited_for() {
        let mut stretch = Assembly::default();
        stretch.insert(3, b"def");
        assert_eq!(stretch.contiguous(), b"");
        stretch.insert(0, b"ab");
        assert_eq!(stretch.contiguous(), b"ab");
        stretch.insert(1, b"bc");
        assert_eq!(stretch.contiguous(), b"abcdef");
        assert_eq!(stretch.conflicting(), None);
    }

    #[test]
    fn both_versions_of_a_conflict_are_kept() {
        let mut stretch = Assembly::default();
        stretch.insert(0, b"good.example");
        stretch.insert(0, b"evil");
        stretch.insert(12, b"!");
        assert_eq!(stretch.contiguous(), b"good.example!");
        assert_eq!(stretch.conflicting(), Some(&b"evil.example!"[..]));
    }

    #[test]
    fn reach_and_holes_are_bounded() {
        let mut stretch = Assembly::default();
        assert_eq!(stretch.insert(Assembly::LONGEST, b"x"), Insertion::BeyondReach);
        assert_eq!(stretch.insert(u32::MAX, b"x"), Insertion::BeyondReach);
        for hole in 0..=Assembly::MOST_HOLES as u32 {
            assert_eq!(stretch.insert(hole * 2 + 1, b"x"), Insertion::Held);
        }
        assert_eq!(stretch.insert(1001, b"x"), Insertion::TooManyHoles);
        assert_eq!(stretch.insert(0, b"x"), Insertion::Held, "what fills a hole is welcome");
    }

    #[test]
    fn the_base_moves() {
        let mut stretch = Assembly::default();
        stretch.insert(0, b"abcd");
        stretch.insert(6, b"gh");
        stretch.advance(2);
        assert_eq!(stretch.contiguous(), b"cd");
        stretch.insert(2, b"ef");
        assert_eq!(stretch.contiguous(), b"cdefgh");
        stretch.advance(6);
        assert!(stretch.is_empty());
        stretch.insert(0, b"i");
        assert_eq!(stretch.contiguous(), b"i");
    }

    proptest! {
        /// Pieces of one text in any order, with any overlap, give that text and no conflict.
        #[test]
        fn any_order_of_agreeing_pieces(pieces in prop::collection::vec((0usize..200, 0usize..60), 0..40)) {
            let text: Vec<u8> = (0..=255).collect();
            let mut stretch = Assembly::default();
            let mut there = vec![false; 300];
            for (from, len) in pieces {
                let to = (from + len).min(text.len());
                assert_eq!(stretch.insert(from as u32, &text[from..to]), Insertion::Held);
                there[from..to].iter_mut().for_each(|known| *known = true);
            }
            let known = there.iter().position(|known| !known).unwrap();
            prop_assert_eq!(stretch.contiguous(), &text[..known]);
            prop_assert_eq!(stretch.conflicting(), None);
        }

        /// Against a byte-by-byte model: the first writer of a byte wins, and the last one in the other version.
        #[test]
        fn conflicts_follow_the_model(pieces in prop::collection::vec((0usize..40, prop::collection::vec(0u8..3, 0..12)), 0..12)) {
            let mut stretch = Assembly::default();
            let (mut first, mut last) = (vec![None; 64], vec![None; 64]);
            for (from, data) in &pieces {
                stretch.insert(*from as u32, data);
                for (place, byte) in data.iter().enumerate() {
                    first[from + place].get_or_insert(*byte);
                    last[from + place] = Some(*byte);
                }
            }
            let known = |model: &[Option<u8>]| model.iter().map_while(|byte| *byte).collect::<Vec<_>>();
            prop_assert_eq!(stretch.contiguous(), known(&first));
            match stretch.conflicting() {
                Some(other) => prop_assert_eq!(other, known(&last)),
                None => prop_assert_eq!(known(&first), known(&last)),
            }
        }
    }
}
