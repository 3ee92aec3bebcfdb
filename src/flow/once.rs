//! A set of numbers that grows no further than a limit: what was told once, and need not be again.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

/// Remembers numbers in the order in which they came; beyond the limit the oldest is forgotten.
///
/// Unlike [`Recent`](super::Recent) it knows no time: what it says depends only on the order of what it was given.
#[derive(Clone, Debug, Default)]
pub struct Once {
    told: FxHashSet<u64>,
    order: VecDeque<u64>,
    forgotten: u64,
}

impl Once {
    /// The most numbers; about 1.5 MiB.
    pub const MOST: usize = 65_536;

    /// Remembers a number. Says whether it is new.
    #[inline]
    pub fn insert(&mut self, number: u64) -> bool {
        if !self.told.insert(number) {
            return false;
        }
        self.order.push_back(number);
        if self.order.len() > Self::MOST
            && let Some(oldest) = self.order.pop_front()
        {
            self.told.remove(&oldest);
            self.forgotten += 1;
        }
        true
    }

    /// How many numbers were forgotten because [`Self::MOST`] was reached.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut once = Once::default();
        for number in 0..Once::MOST as u64 + 5 {
            assert!(once.insert(number));
            assert!(!once.insert(number));
        }
        assert_eq!((once.forgotten(), once.told.len()), (5, Once::MOST));
        assert!(once.insert(0) && !once.insert(100));
    }
}
