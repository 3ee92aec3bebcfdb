//! The directions of conversations about which something is remembered.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::Flow;

/// What is remembered of each direction, oldest first.
///
/// The table itself is not bounded: whoever fills it takes the [`oldest`](Table::take_oldest) out when it grows too large, for that
/// is where something is lost that has to be counted.
#[derive(Debug)]
pub struct Table<T> {
    open: FxHashMap<Flow, T>,
    /// How many directions have each tag.
    tags: FxHashMap<u32, u32>,
    /// The directions in the order in which they came, among others that have gone since.
    ages: VecDeque<Flow>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { open: FxHashMap::default(), tags: FxHashMap::default(), ages: VecDeque::new() }
    }
}

impl<T> Table<T> {
    /// What is remembered of a direction.
    #[inline]
    pub fn get(&self, flow: &Flow) -> Option<&T> {
        self.open.get(flow)
    }

    /// What is remembered of a direction, to be changed.
    #[inline]
    pub fn get_mut(&mut self, flow: &Flow) -> Option<&mut T> {
        self.open.get_mut(flow)
    }

    /// Forgets a direction, and gives what was remembered.
    pub fn take(&mut self, flow: &Flow) -> Option<T> {
        let taken = self.open.remove(flow)?;
        let tag = flow.tag();
        if let Some(count) = self.tags.get_mut(&tag) {
            *count -= 1;
            if *count == 0 {
                self.tags.remove(&tag);
            }
        }
        Some(taken)
    }

    /// Remembers something of a direction, instead of what was remembered, which it gives.
    pub fn put(&mut self, flow: Flow, what: T) -> Option<T> {
        let instead = self.open.insert(flow, what);
        if instead.is_some() {
            return instead;
        }
        *self.tags.entry(flow.tag()).or_default() += 1;
        self.ages.push_back(flow);
        // Directions come and go; the order keeps those that have gone until there are half as many of them as others.
        if self.ages.len() > self.open.len() / 2 * 3 + 1024 {
            self.ages.retain(|flow| self.open.contains_key(flow));
        }
        None
    }

    /// Forgets the direction that came first.
    pub fn take_oldest(&mut self) -> Option<(Flow, T)> {
        loop {
            let flow = self.ages.pop_front()?;
            if let Some(taken) = self.take(&flow) {
                return Some((flow, taken));
            }
        }
    }

    /// All that is remembered, in no particular order.
    pub fn into_all(self) -> impl Iterator<Item = (Flow, T)> {
        self.open.into_iter()
    }

    /// Whether something is remembered of a conversation with this [tag](Flow::tag).
    #[inline]
    pub fn has_tag(&self, tag: u32) -> bool {
        self.tags.contains_key(&tag)
    }

    /// How many directions there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, Protocol};

    fn flow(port: u16) -> Flow {
        let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        Flow { src: end([10, 0, 0, 1], port), dst: end([10, 0, 0, 2], 443), protocol: Protocol::TCP }
    }

    #[test]
    fn the_oldest_goes_first_and_tags_are_counted() {
        let mut table = Table::default();
        for port in 1..=4 {
            table.put(flow(port), port);
        }
        table.put(flow(1).reversed(), 11);
        assert_eq!(table.take(&flow(2)), Some(2));
        assert!(!table.has_tag(flow(2).tag()));
        assert_eq!(table.take_oldest(), Some((flow(1), 1)));
        assert!(table.has_tag(flow(1).tag()), "the other direction has the same tag");
        assert_eq!(table.take(&flow(1).reversed()), Some(11));
        assert!(!table.has_tag(flow(1).tag()));
        assert_eq!(
            [table.take_oldest(), table.take_oldest(), table.take_oldest()].map(|one| one.map(|one| one.1)),
            [Some(3), Some(4), None]
        );
    }

    #[test]
    fn directions_that_come_and_go_leave_nothing() {
        let mut table = Table::default();
        for round in 0..100_000u32 {
            table.put(flow(round as u16), round);
            table.take(&flow(round as u16));
        }
        assert!(table.is_empty() && table.tags.is_empty());
        assert!(table.ages.len() <= 1025, "{}", table.ages.len());
    }
}
