//! Rows by a key; and where a key has many, those about a time.
//!
//! Most keys have a few rows, which are all looked at. What goes on for days has thousands under one key: they are kept in the order of their
//! times, each clock of each host for itself, and only those about the time that is asked for are looked at.

use std::cell::Cell;
use std::hash::Hash;

use rustc_hash::FxHashMap;

use super::sorted::{Entry, Sorted};

/// Numbers of rows by key. `G` is by what clock their times are.
#[derive(Debug)]
pub(super) struct Index<K, G> {
    heads: FxHashMap<K, Head>,
    /// Each row with the one that came after it and has its key; [`NONE`] for the last.
    links: Vec<Link>,
    /// The rows of keys that have more than [`Self::FEW`], under each of their times.
    many: FxHashMap<K, Sorted<G>>,
    /// How often more rows were about a time than are looked at.
    cut: Cell<u64>,
    /// How many rows were looked at.
    #[cfg(test)]
    looked: Cell<u64>,
}

/// The times of a row, by their clocks, in nanoseconds.
pub(super) type Places<G> = [Option<(G, i64)>; 2];

/// A time that is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Span {
    /// From when, in nanoseconds.
    pub(super) from: i64,
    /// Until when, itself included.
    pub(super) to: i64,
    /// What is nearest to this comes first.
    pub(super) about: i64,
}

impl Span {
    /// Whatever the time, but what is nearest to this first.
    pub(super) const fn all(about: i64) -> Self {
        Self { from: i64::MIN, to: i64::MAX, about }
    }
}

/// The rows of a key: mostly one, which stands here.
#[derive(Clone, Copy, Debug)]
struct Head {
    row: u32,
    /// The links of the others.
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

impl<K, G> Default for Index<K, G> {
    fn default() -> Self {
        Self {
            heads: FxHashMap::default(),
            links: Vec::new(),
            many: FxHashMap::default(),
            cut: Cell::new(0),
            #[cfg(test)]
            looked: Cell::new(0),
        }
    }
}

impl<K: Copy + Eq + Hash, G: Copy + Ord> Index<K, G> {
    /// Bytes that a row takes at the most: with a key of its own, or one of many with two times.
    pub(super) const BYTES: usize = {
        let alone = (size_of::<K>() + size_of::<Head>()) * 8 / 5;
        let of_many = 2 * size_of::<Entry<G>>();
        if alone > of_many { alone } else { of_many }
    };
    /// The most rows of a key that are looked at whatever their times: to look at so many costs less than to keep an order.
    pub(super) const FEW: u32 = 64;
    /// The most rows of one clock that are looked at for one time: so many things at once are of one that goes on and on, or made up.
    pub(super) const MOST: usize = 1024;
    /// The most clocks whose rows are looked at.
    const MOST_CLOCKS: usize = 64;

    /// Adds a row. `places` gives the times of this and of all rows before it.
    pub(super) fn add(&mut self, key: K, row: u32, places: impl Fn(u32) -> Places<G>) {
        let link = self.links.len() as u32;
        let head = self.heads.entry(key).or_insert(Head { row, first: NONE, last: NONE, length: 0 });
        head.length += 1;
        if head.length == 1 {
            return;
        }
        if head.length <= Self::FEW {
            self.links.push(Link { row, next: NONE });
            match self.links.get_mut(head.last as usize) {
                Some(last) => last.next = link,
                None => head.first = link,
            }
            head.last = link;
            return;
        }
        let put = |sorted: &mut Sorted<G>, row: u32| {
            for (group, at) in places(row).into_iter().flatten() {
                sorted.insert(Entry { group, at, row });
            }
        };
        let sorted = self.many.entry(key).or_insert_with(|| {
            let mut sorted = Sorted::default();
            rows(&self.links, Some(*head)).for_each(|row| put(&mut sorted, row));
            sorted
        });
        put(sorted, row);
    }

    /// The rows of a key, in no order: all of a few; of many those whose time, by its clock, is in one of the spans of that clock. A row
    /// may come twice, by either of its times.
    pub(super) fn near<'a, S: IntoIterator<Item = Span> + 'a>(
        &'a self,
        key: K,
        spans: impl Fn(G) -> S + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        let sorted = self.many.get(&key);
        let few = if sorted.is_some() { None } else { self.heads.get(&key).copied() };
        let in_spans = self.asked(sorted, spans).flat_map(move |(sorted, group, span)| {
            sorted.nearest(group, span).enumerate().map_while(|(number, entry)| {
                if number >= Self::MOST {
                    self.cut.set(self.cut.get() + 1);
                    return None;
                }
                Some(entry.row)
            })
        });
        self.count_looks(rows(&self.links, few).chain(in_spans))
    }

    /// The rows of a key that something is true of: all such of a few; of many those of each span that are nearest to its middle.
    pub(super) fn nearest<S: IntoIterator<Item = Span>>(
        &self,
        key: K,
        spans: impl Fn(G) -> S,
        is: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        let Some(sorted) = self.many.get(&key) else {
            let rows = rows(&self.links, self.heads.get(&key).copied());
            return self.count_looks(rows).filter(|row| is(*row)).collect();
        };
        let mut found = Vec::new();
        for (sorted, group, span) in self.asked(Some(sorted), spans) {
            let mut best = None;
            for (number, entry) in sorted.nearest(group, span).enumerate() {
                if number >= Self::MOST {
                    self.cut.set(self.cut.get() + 1);
                    break;
                }
                let distance = entry.at.abs_diff(span.about);
                if best.is_some_and(|best| best < distance) {
                    break;
                }
                #[cfg(test)]
                self.looked.set(self.looked.get() + 1);
                if is(entry.row) {
                    best = Some(distance);
                    found.push(entry.row);
                }
            }
        }
        found
    }

    /// The spans of all clocks under a key.
    fn asked<'a, S: IntoIterator<Item = Span> + 'a>(
        &'a self,
        sorted: Option<&'a Sorted<G>>,
        spans: impl Fn(G) -> S + 'a,
    ) -> impl Iterator<Item = (&'a Sorted<G>, G, Span)> + 'a {
        let groups = sorted.into_iter().flat_map(|sorted| sorted.groups().map(move |group| (sorted, group)));
        let groups = groups.enumerate().map_while(|(number, group)| {
            if number >= Self::MOST_CLOCKS {
                self.cut.set(self.cut.get() + 1);
                return None;
            }
            Some(group)
        });
        groups.flat_map(move |(sorted, group)| {
            spans(group).into_iter().map(move |span| (sorted, group, span)).collect::<Vec<_>>()
        })
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests count"))]
    fn count_looks<'a>(&'a self, rows: impl Iterator<Item = u32> + 'a) -> impl Iterator<Item = u32> + 'a {
        #[cfg(test)]
        let rows = rows.inspect(|_| self.looked.set(self.looked.get() + 1));
        rows
    }

    /// How many rows a key has.
    pub(super) fn count(&self, key: K) -> u32 {
        self.heads.get(&key).map_or(0, |head| head.length)
    }

    /// Whether a key has so many rows that they are kept in the order of their times.
    pub(super) fn has_many(&self, key: K) -> bool {
        self.count(key) > Self::FEW
    }

    /// Whether any has.
    pub(super) fn is_sorted_anywhere(&self) -> bool {
        !self.many.is_empty()
    }

    /// How often more rows were about a time than are looked at.
    pub(super) fn cut(&self) -> u64 {
        self.cut.get()
    }

    /// Without rows, but what was counted.
    pub(super) fn emptied(&self) -> Self {
        Self { cut: self.cut.clone(), ..Self::default() }
    }

    /// How many rows were looked at.
    #[cfg(test)]
    pub(super) fn looked(&self) -> u64 {
        self.looked.get()
    }
}

/// The rows that are linked from a head on.
fn rows(links: &[Link], head: Option<Head>) -> impl Iterator<Item = u32> + '_ {
    let mut at = head.map_or(NONE, |head| head.first);
    let others = std::iter::from_fn(move || {
        let link = links.get(at as usize)?;
        at = link.next;
        Some(link.row)
    });
    head.map(|head| head.row).into_iter().chain(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(rows: u32, at: impl Fn(u32) -> i64) -> Index<u32, u8> {
        let mut index = Index::default();
        for row in 0..rows {
            index.add(row % 3, row, |row| [Some((0, at(row))), None]);
        }
        index
    }

    #[test]
    fn a_few_are_all_looked_at() {
        let index = filled(10, i64::from);
        let no_span = |_| Vec::<Span>::new();
        assert_eq!(index.near(1, no_span).collect::<Vec<_>>(), [1, 4, 7]);
        assert_eq!((index.count(0), index.count(9)), (4, 0));
        assert_eq!(index.near(9, no_span).next(), None);
        assert_eq!(index.nearest(1, no_span, |row| row > 1), [4, 7]);
    }

    #[test]
    fn of_many_those_about_a_time_are_whatever_the_order() {
        for at in
            [|row: u32| i64::from(row), |row: u32| -i64::from(row), |row: u32| i64::from(row * 7 % 3000)]
        {
            let index = filled(3000, at);
            let span = |_| Some(Span { from: 90, to: 110, about: 100 });
            let mut found: Vec<u32> = index.near(2, span).collect();
            found.sort_unstable();
            let expected: Vec<u32> =
                (0..3000).filter(|row| row % 3 == 2 && (90..=110).contains(&at(*row))).collect();
            assert_eq!(found, expected);
            assert_eq!(index.looked(), expected.len() as u64);
            let all = |_| Some(Span::all(100));
            let nearest = index.nearest(2, all, |row| row % 2 == 0);
            let even = |row: &u32| row % 6 == 2;
            let best = (0..3000).filter(even).map(|row| at(row).abs_diff(100)).min().unwrap();
            assert!(nearest.iter().all(|row| at(*row).abs_diff(100) == best && even(row)), "{nearest:?}");
            assert_eq!(index.cut(), 0);
        }
    }

    #[test]
    fn what_is_cut_is_counted() {
        let index = filled(6000, |_| 7);
        assert_eq!(index.near(2, |_| Some(Span::all(0))).count(), Index::<u32, u8>::MOST);
        assert_eq!(index.cut(), 1);
    }

    #[test]
    fn each_clock_is_for_itself() {
        let mut index = Index::default();
        for row in 0..200u32 {
            index.add((), row, |row| [Some((0u8, i64::from(row))), Some((1u8, i64::from(row) + 1_000_000))]);
        }
        let span = |group: u8| {
            let about = if group == 0 { 50 } else { 1_000_150 };
            Some(Span { from: about, to: about, about })
        };
        assert_eq!(index.near((), span).collect::<Vec<_>>(), [50, 150]);
    }
}
