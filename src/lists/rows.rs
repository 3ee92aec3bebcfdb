//! Suffixes in as little memory as they need: one text that holds them all, a row of twelve octets for each, and a table of their numbers.
//!
//! A list may have a million lines, and each allocation of its own would take as much again as what it holds.

use std::hash::Hasher;
use std::ops::Range;

use rustc_hash::FxHasher;

use super::service::Tier;

/// What is kept of a suffix beside its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// Where its text begins in the text of all.
    start: u32,
    /// The number of its service.
    pub(super) service: u32,
    length: u16,
    pub(super) tier: Tier,
    pub(super) tenants: bool,
}

/// Every suffix once, by its text and by its number: the order in which they came.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows {
    /// All suffixes, one after another.
    text: String,
    rows: Vec<Row>,
    /// The number of a row, in the place of its hash or the next that was free. As many as a power of two.
    places: Vec<u32>,
    /// Of each place, some bits of the hash of what stands there, [`FREE`] where nothing does: few rows are looked at in vain, each of which
    /// is somewhere else in memory.
    tags: Vec<u8>,
}

/// The tag of a place where nothing stands.
const FREE: u8 = 0;

impl Rows {
    /// The most octets of all suffixes together: what a row can point into.
    const MOST_TEXT: usize = u32::MAX as usize;

    /// How many rows there are.
    pub(super) const fn len(&self) -> usize {
        self.rows.len()
    }

    /// A row by its number.
    pub(super) fn row(&self, number: u32) -> Option<Row> {
        self.rows.get(number as usize).copied()
    }

    /// The suffix of a row.
    pub(super) fn suffix(&self, row: Row) -> &str {
        self.text.get(row.range()).unwrap_or_default()
    }

    /// Every row, in the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = Row> {
        self.rows.iter().copied()
    }

    /// The number of the row of this suffix.
    #[inline]
    pub(super) fn find(&self, suffix: &str) -> Option<u32> {
        let (mut place, tag) = self.place(suffix);
        loop {
            match *self.tags.get(place)? {
                FREE => return None,
                found if found == tag => {
                    let number = *self.places.get(place)?;
                    let row = self.rows.get(number as usize)?;
                    if self.text.as_bytes().get(row.range()) == Some(suffix.as_bytes()) {
                        return Some(number);
                    }
                }
                _ => {}
            }
            place = self.next(place);
        }
    }

    /// Whether there is room for a suffix: for sixteen lists as long as they are read there is.
    pub(super) const fn has_room(&self, suffix: &str) -> bool {
        self.text.len() + suffix.len() <= Self::MOST_TEXT && suffix.len() <= u16::MAX as usize
    }

    /// Adds a suffix, or writes over what was known of it. One that there is [no room](Self::has_room) for is left out.
    pub(super) fn insert(&mut self, suffix: &str, service: u32, tier: Tier, tenants: bool) {
        if let Some(known) =
            self.find(suffix).and_then(|number| self.rows.get_mut(usize::try_from(number).ok()?))
        {
            *known = Row { service, tier, tenants, ..*known };
            return;
        }
        let (Ok(start), Ok(length)) = (u32::try_from(self.text.len()), u16::try_from(suffix.len())) else {
            return;
        };
        if !self.has_room(suffix) {
            return;
        }
        self.text.push_str(suffix);
        self.rows.push(Row { start, service, length, tier, tenants });
        if self.rows.len() * 4 > self.places.len() * 3 {
            self.grow();
        } else {
            self.enter(self.rows.len() - 1);
        }
    }

    /// Makes room beforehand. What is then not used is never touched, and so takes no memory.
    pub(super) fn reserve(&mut self, suffixes: usize, octets: usize) {
        self.rows.reserve(suffixes);
        self.text.reserve(octets);
    }

    /// Gives back what is not used.
    pub(super) fn shrink(&mut self) {
        self.rows.shrink_to_fit();
        self.text.shrink_to_fit();
    }

    /// Octets that they occupy.
    pub(super) const fn octets(&self) -> usize {
        self.text.capacity()
            + self.rows.capacity() * size_of::<Row>()
            + self.places.capacity() * (size_of::<u32>() + size_of::<u8>())
    }

    /// Doubles the table. The numbers are entered again from the rows, so that the old one need not be kept beside it.
    #[cold]
    fn grow(&mut self) {
        let places = (self.places.len() * 2).max(16);
        (self.places, self.tags) = (Vec::new(), Vec::new());
        (self.places, self.tags) = (vec![0; places], vec![FREE; places]);
        for number in 0..self.rows.len() {
            self.enter(number);
        }
    }

    /// Enters a row into the table, which has room.
    fn enter(&mut self, number: usize) {
        let Some(row) = self.rows.get(number) else { return };
        let (mut place, tag) = self.place(self.suffix(*row));
        while self.tags.get(place).is_some_and(|taken| *taken != FREE) {
            place = self.next(place);
        }
        if let (Some(free), Some(of), Ok(number)) =
            (self.places.get_mut(place), self.tags.get_mut(place), u32::try_from(number))
        {
            (*free, *of) = (number, tag);
        }
    }

    /// Where a suffix stands in the table, unless others had the place before it, and its tag.
    #[inline]
    fn place(&self, suffix: &str) -> (usize, u8) {
        let mut hasher = FxHasher::default();
        hasher.write(suffix.as_bytes());
        let hash = hasher.finish();
        (hash as usize & self.places.len().saturating_sub(1), (hash >> 56) as u8 | 1)
    }

    #[inline]
    const fn next(&self, place: usize) -> usize {
        (place + 1) & self.places.len().saturating_sub(1)
    }
}

impl Row {
    #[inline]
    const fn range(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_is_small() {
        assert_eq!(size_of::<Row>(), 12);
    }

    #[test]
    fn what_is_longer_than_a_row_can_say_is_left_out() {
        let mut rows = Rows::default();
        let long = "a".repeat(usize::from(u16::MAX) + 1);
        assert!(!rows.has_room(&long));
        rows.insert(&long, 0, Tier::One, false);
        assert_eq!((rows.len(), rows.find(&long)), (0, None));
    }

    proptest! {
        #[test]
        fn they_are_a_map(inserted in proptest::collection::vec(("[ab.]{0,6}", 0..9_u32), 0..300), asked in "[ab.]{0,6}") {
            let (mut rows, mut map) = (Rows::default(), BTreeMap::new());
            for (suffix, service) in &inserted {
                rows.insert(suffix, *service, Tier::One, false);
                map.insert(suffix.as_str(), *service);
            }
            prop_assert_eq!(rows.len(), map.len());
            let of = |suffix: &str| rows.find(suffix).and_then(|number| rows.row(number)).map(|row| row.service);
            for (suffix, service) in &map {
                prop_assert_eq!(of(suffix), Some(*service));
            }
            prop_assert_eq!(of(&asked), map.get(asked.as_str()).copied());
            prop_assert!(rows.iter().all(|row| map.contains_key(rows.suffix(row))));
        }
    }
}
