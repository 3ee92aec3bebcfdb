//! A set of numbers that forgets: what happened lately, so that it is not told twice.

use rustc_hash::FxHashSet;

use crate::capture::Timestamp;

/// Remembers numbers for a while, in two generations: the younger one becomes the older one when it is old or full, and what the
/// older one held is forgotten.
#[derive(Debug)]
pub struct Recent {
    young: FxHashSet<u64>,
    old: FxHashSet<u64>,
    /// When the younger generation began.
    since: Option<Timestamp>,
    most: usize,
    /// Nanoseconds; what came within so many is remembered.
    at_least: i64,
    forgotten: u64,
}

impl Recent {
    /// Remembers what came within `at_least` nanoseconds, and at most `most` numbers in each of the two generations.
    pub fn new(most: usize, at_least: i64) -> Self {
        Self {
            young: FxHashSet::default(),
            old: FxHashSet::default(),
            since: None,
            most,
            at_least,
            forgotten: 0,
        }
    }

    /// Remembers a number. Says whether it is new.
    #[inline]
    pub fn insert(&mut self, number: u64, at: Timestamp) -> bool {
        if self.contains(number) {
            return false;
        }
        let since = *self.since.get_or_insert(at);
        let full = self.young.len() >= self.most;
        if full || at.since(since) > self.at_least {
            if full {
                self.forgotten += self.old.len() as u64;
            }
            self.old = std::mem::take(&mut self.young);
            self.since = Some(at);
        }
        self.young.insert(number);
        true
    }

    /// Whether a number is remembered.
    #[inline]
    pub fn contains(&self, number: u64) -> bool {
        self.young.contains(&number) || self.old.contains(&number)
    }

    /// How many numbers were forgotten before their time, because there were too many.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Every number that is remembered, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.old.iter().chain(&self.young).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_remembered_for_a_while() {
        let at = Timestamp::from_nanos;
        let mut recent = Recent::new(100, 10);
        assert!(recent.insert(1, at(0)));
        assert!(!recent.insert(1, at(10)));
        assert!(recent.insert(2, at(11)));
        assert!(recent.contains(1), "the older generation is remembered");
        assert!(recent.insert(3, at(22)));
        assert!(!recent.contains(1) && recent.contains(2) && recent.contains(3));
        assert_eq!(recent.forgotten(), 0);
    }

    #[test]
    fn there_are_never_too_many() {
        let mut recent = Recent::new(8, i64::MAX);
        for number in 0..1000 {
            assert!(recent.insert(number, Timestamp::from_nanos(0)));
            assert!(recent.contains(number));
        }
        assert_eq!(recent.iter().count() as u64 + recent.forgotten(), 1000);
        assert!(recent.iter().count() <= 16);
    }
}
