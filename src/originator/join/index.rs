//! Rows by a key: many may have one.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Numbers of rows by key, in the order in which they came.
#[derive(Debug)]
pub(super) struct Index<K> {
    heads: FxHashMap<K, Head>,
    /// Each row with the one that came after it and has its key; [`NONE`] for the last.
    links: Vec<Link>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    first: u32,
    last: u32,
    length: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    row: u32,
    next: u32,
}

const NONE: u32 = u32::MAX;

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self { heads: FxHashMap::default(), links: Vec::new() }
    }
}

impl<K: Eq + Hash> Index<K> {
    /// Bytes that a row takes, with a key of its own.
    pub(super) const BYTES: usize = size_of::<Link>() + (size_of::<K>() + size_of::<Head>()) * 8 / 5;

    /// Adds a row.
    pub(super) fn add(&mut self, key: K, row: u32) {
        let link = self.links.len() as u32;
        self.links.push(Link { row, next: NONE });
        let head = self.heads.entry(key).or_insert(Head { first: link, last: NONE, length: 0 });
        if let Some(last) = self.links.get_mut(head.last as usize) {
            last.next = link;
        }
        head.last = link;
        head.length += 1;
    }

    /// The rows of a key.
    pub(super) fn rows(&self, key: K) -> impl Iterator<Item = u32> {
        let mut at = self.heads.get(&key).map_or(NONE, |head| head.first);
        std::iter::from_fn(move || {
            let link = self.links.get(at as usize)?;
            at = link.next;
            Some(link.row)
        })
    }

    /// How many rows a key has.
    pub(super) fn count(&self, key: K) -> u32 {
        self.heads.get(&key).map_or(0, |head| head.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_their_order() {
        let mut index = Index::default();
        for row in 0..10 {
            index.add(row % 3, row);
        }
        assert_eq!(index.rows(1).collect::<Vec<_>>(), [1, 4, 7]);
        assert_eq!((index.count(0), index.count(9)), (4, 0));
        assert_eq!(index.rows(9).next(), None);
    }
}
