//! What has come already, by a mark of 64 bits.

/// Marks, each once.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// A power of two of places, by the highest bits of the mark; nought where there is none. What has its place taken stands in the next
    /// one that is free. In this order, that of the marks nearly, it grows by going through memory once.
    slots: Vec<u64>,
    used: usize,
}

impl Seen {
    /// Bytes that a mark takes at the most: three eighths of the places are taken at the least.
    pub(super) const BYTES: usize = size_of::<[u64; 8]>() / 3;
    const LEAST: usize = 64;

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.used
    }

    /// Adds a mark. Says whether it is new.
    pub(super) fn insert(&mut self, mark: u64) -> bool {
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            let more = vec![0; (self.slots.len() * 2).max(Self::LEAST)];
            for mark in std::mem::replace(&mut self.slots, more).into_iter().filter(|mark| *mark != 0) {
                self.put(mark);
            }
        }
        // No two marks become one by this, but for those that become nought and one.
        let mixed = (mark ^ (mark >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1);
        let is_new = self.put(mixed);
        self.used += usize::from(is_new);
        is_new
    }

    fn put(&mut self, mark: u64) -> bool {
        let places = self.slots.len() - 1;
        let mut at = (mark >> 1 >> (63 - self.slots.len().trailing_zeros())) as usize;
        // A quarter of them are free.
        while let Some(slot) = self.slots.get_mut(at) {
            if *slot == 0 || *slot == mark {
                let is_new = *slot == 0;
                *slot = mark;
                return is_new;
            }
            at = (at + 1) & places;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_new_once() {
        for step in [1, 1 << 32, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
            let mut seen = Seen::default();
            for number in 0..5_000u64 {
                assert!(seen.insert(number.wrapping_mul(step)), "{number} {step}");
            }
            assert!((0..5_000u64).all(|number| !seen.insert(number.wrapping_mul(step))));
            assert_eq!(seen.len(), 5_000);
            assert!(seen.slots.len() * 3 / 4 >= 5_000 && seen.slots.len() <= 5_000 * 8 / 3);
        }
    }
}
