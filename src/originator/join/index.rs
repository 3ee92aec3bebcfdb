//! Rows by a key; and where a key has many, those about a time.
//!
//! Most keys have a few rows, which are all looked at. What goes on for days has thousands under one key: they are kept in the order of their
//! times, each clock of each host for itself, and only those about the time that is asked for are looked at.

use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};

use rustc_hash::FxHashMap;

use super::sorted::{Entry, Sorted};

/// Numbers of rows by key. `G` is by what clock their times are.
#[derive(Debug)]
pub(super) struct Index<K, G> {
    heads: FxHashMap<K, Head>,
    rows: Rows<G>,
}

/// Rows that have a key together, of all keys.
#[derive(Debug)]
pub(super) struct Rows<G> {
    groups: Vec<Group>,
    /// Each row with the one that came after it and has its key; [`NONE`] for the last.
    links: Vec<Link>,
    /// The rows of keys that have more than [`Self::FEW`], under each of their times.
    many: Vec<Sorted<G>>,
    /// How often more rows were about a time than are looked at.
    cut: AtomicU64,
    /// How many rows were looked at.
    #[cfg(test)]
    looked: AtomicU64,
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

/// The rows of a key: mostly one, whose number this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Head(u32);

impl Head {
    /// No rows.
    pub(super) const NONE: Self = Self(NONE);
    /// What the number of a group has, and no number of a row: there are no more rows than this.
    pub(super) const GROUP: u32 = 1 << 31;

    /// Whether there is just one row.
    pub(super) const fn is_one(self) -> bool {
        self.0 < Self::GROUP
    }
}

/// The rows of a key that has several.
#[derive(Clone, Copy, Debug)]
struct Group {
    row: u32,
    /// The links of the others, as far as they are few.
    first: u32,
    last: u32,
    length: u32,
    /// Where they are kept in the order of their times, if they are many.
    sorted: u32,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    row: u32,
    next: u32,
}

const NONE: u32 = u32::MAX;

impl<G> Default for Rows<G> {
    fn default() -> Self {
        Self {
            groups: Vec::new(),
            links: Vec::new(),
            many: Vec::new(),
            cut: AtomicU64::new(0),
            #[cfg(test)]
            looked: AtomicU64::new(0),
        }
    }
}

impl<K, G> Default for Index<K, G> {
    fn default() -> Self {
        Self { heads: FxHashMap::default(), rows: Rows::default() }
    }
}

impl<G: Copy + Ord> Rows<G> {
    /// Bytes that a row takes at the most which shares its key: one of a few, or of many with two times.
    pub(super) const BYTES: usize = {
        let of_few = size_of::<Group>() + size_of::<Link>();
        let of_many = 2 * size_of::<Entry<G>>();
        if of_few > of_many { of_few } else { of_many }
    };
    /// The most rows of a key that are looked at whatever their times: to look at so many costs less than to keep an order.
    pub(super) const FEW: u32 = 64;
    /// The most rows of one clock that are looked at for one time: so many things at once are of one that goes on and on, or made up.
    pub(super) const MOST: usize = 1024;
    /// The most clocks whose rows are looked at.
    const MOST_CLOCKS: usize = 64;

    /// Adds a row to a key's. `places` gives the times of this and of all rows before it.
    pub(super) fn add(&mut self, head: &mut Head, row: u32, places: impl Fn(u32) -> Places<G>) {
        if *head == Head::NONE {
            *head = Head(row);
            return;
        }
        if head.is_one() {
            let group = self.groups.len() as u32;
            self.groups.push(Group { row: head.0, first: NONE, last: NONE, length: 1, sorted: NONE });
            *head = Head(Head::GROUP | group);
        }
        let Some(group) = self.groups.get_mut((head.0 & !Head::GROUP) as usize) else { return };
        group.length += 1;
        if group.length <= Self::FEW {
            let link = self.links.len() as u32;
            self.links.push(Link { row, next: NONE });
            match self.links.get_mut(group.last as usize) {
                Some(last) => last.next = link,
                None => group.first = link,
            }
            group.last = link;
            return;
        }
        let put = |sorted: &mut Sorted<G>, row: u32| {
            for (group, at) in places(row).into_iter().flatten() {
                sorted.insert(Entry { group, at, row });
            }
        };
        if group.sorted == NONE {
            group.sorted = self.many.len() as u32;
            let mut sorted = Sorted::default();
            linked(&self.links, group.row, group.first).for_each(|row| put(&mut sorted, row));
            self.many.push(sorted);
        }
        if let Some(sorted) = self.many.get_mut(group.sorted as usize) {
            put(sorted, row);
        }
    }

    fn group(&self, head: Head) -> Option<&Group> {
        if head.is_one() { None } else { self.groups.get((head.0 & !Head::GROUP) as usize) }
    }

    /// The rows of a key where they are few; or their order where they are many.
    fn of(&self, head: Head) -> (impl Iterator<Item = u32> + '_, Option<&Sorted<G>>) {
        let group = self.group(head);
        let sorted = group.and_then(|group| self.many.get(group.sorted as usize));
        let first = group.map_or(NONE, |group| group.first);
        let row = if head.is_one() { Some(head.0) } else { group.map(|group| group.row) };
        let few = row.filter(|_| sorted.is_none());
        (few.into_iter().flat_map(move |row| linked(&self.links, row, first)), sorted)
    }

    /// The rows of a key, in no order: all of a few; of many those whose time, by its clock, is in one of the spans of that clock. A row
    /// may come twice, by either of its times.
    pub(super) fn near<'a, S: IntoIterator<Item = Span> + 'a>(
        &'a self,
        head: Head,
        spans: impl Fn(G) -> S + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        let (few, sorted) = self.of(head);
        let in_spans = self.asked(sorted, spans).flat_map(move |(sorted, group, span)| {
            sorted.nearest(group, span).enumerate().map_while(|(number, entry)| {
                if number >= Self::MOST {
                    self.count_cut();
                    return None;
                }
                Some(entry.row)
            })
        });
        few.chain(in_spans).inspect(|_| self.count_look())
    }

    /// Tells the same rows, without much ado where it is one.
    #[inline]
    pub(super) fn tell_near<S: IntoIterator<Item = Span>>(
        &self,
        head: Head,
        spans: impl Fn(G) -> S,
        mut tell: impl FnMut(u32),
    ) {
        if head.is_one() {
            self.count_look();
            tell(head.0);
        } else if head != Head::NONE {
            self.near(head, spans).for_each(tell);
        }
    }

    /// Tells the rows of a key that something is true of: all such of a few; of many those of each span that are nearest to its middle.
    pub(super) fn nearest<S: IntoIterator<Item = Span>>(
        &self,
        head: Head,
        spans: impl Fn(G) -> S,
        is: impl Fn(u32) -> bool,
        mut tell: impl FnMut(u32),
    ) {
        if head.is_one() {
            self.count_look();
            if is(head.0) {
                tell(head.0);
            }
            return;
        }
        let (few, sorted) = self.of(head);
        few.inspect(|_| self.count_look()).filter(|row| is(*row)).for_each(&mut tell);
        for (sorted, group, span) in self.asked(sorted, spans) {
            let mut best = None;
            for (number, entry) in sorted.nearest(group, span).enumerate() {
                if number >= Self::MOST {
                    self.count_cut();
                    break;
                }
                let distance = entry.at.abs_diff(span.about);
                if best.is_some_and(|best| best < distance) {
                    break;
                }
                self.count_look();
                if is(entry.row) {
                    best = Some(distance);
                    tell(entry.row);
                }
            }
        }
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
                self.count_cut();
                return None;
            }
            Some(group)
        });
        groups.flat_map(move |(sorted, group)| {
            spans(group).into_iter().map(move |span| (sorted, group, span)).collect::<Vec<_>>()
        })
    }

    fn count_cut(&self) {
        self.cut.fetch_add(1, Ordering::Relaxed);
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests count"))]
    fn count_look(&self) {
        #[cfg(test)]
        self.looked.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether a key has so many rows that they are kept in the order of their times.
    pub(super) fn has_many(&self, head: Head) -> bool {
        self.group(head).is_some_and(|group| group.length > Self::FEW)
    }

    /// How often more rows were about a time than are looked at.
    pub(super) fn cut(&self) -> u64 {
        self.cut.load(Ordering::Relaxed)
    }

    /// Without rows, but what was counted.
    pub(super) fn emptied(&self) -> Self {
        Self { cut: AtomicU64::new(self.cut()), ..Self::default() }
    }

    /// How many rows were looked at.
    #[cfg(test)]
    pub(super) fn looked(&self) -> u64 {
        self.looked.load(Ordering::Relaxed)
    }
}

impl<K: Copy + Eq + Hash, G: Copy + Ord> Index<K, G> {
    /// Bytes that a row takes at the most: with a key of its own, or one of many with two times.
    pub(super) const BYTES: usize = {
        let alone = (size_of::<K>() + size_of::<Head>()) * 8 / 5;
        if alone > Rows::<G>::BYTES { alone } else { Rows::<G>::BYTES }
    };

    fn head(&self, key: K) -> Head {
        self.heads.get(&key).copied().unwrap_or(Head::NONE)
    }

    /// Adds a row. `places` gives the times of this and of all rows before it. Says whether it is the first of its key.
    pub(super) fn add(&mut self, key: K, row: u32, places: impl Fn(u32) -> Places<G>) -> bool {
        let head = self.heads.entry(key).or_insert(Head::NONE);
        let is_first = *head == Head::NONE;
        self.rows.add(head, row, places);
        is_first
    }

    /// The rows of a key, as [`Rows::near`].
    pub(super) fn near<'a, S: IntoIterator<Item = Span> + 'a>(
        &'a self,
        key: K,
        spans: impl Fn(G) -> S + 'a,
    ) -> impl Iterator<Item = u32> + 'a {
        self.rows.near(self.head(key), spans)
    }

    /// The rows of a key that something is true of, as [`Rows::nearest`].
    pub(super) fn nearest<S: IntoIterator<Item = Span>>(
        &self,
        key: K,
        spans: impl Fn(G) -> S,
        is: impl Fn(u32) -> bool,
        tell: impl FnMut(u32),
    ) {
        self.rows.nearest(self.head(key), spans, is, tell);
    }

    /// Whether any key has so many rows that they are kept in the order of their times.
    pub(super) fn is_sorted_anywhere(&self) -> bool {
        !self.rows.many.is_empty()
    }

    /// How often more rows were about a time than are looked at.
    pub(super) fn cut(&self) -> u64 {
        self.rows.cut()
    }

    /// Without rows, but what was counted.
    pub(super) fn emptied(&self) -> Self {
        Self { heads: FxHashMap::default(), rows: self.rows.emptied() }
    }

    /// How many rows were looked at.
    #[cfg(test)]
    pub(super) fn looked(&self) -> u64 {
        self.rows.looked()
    }
}

/// A row, and those that are linked from a link on.
fn linked(links: &[Link], row: u32, first: u32) -> impl Iterator<Item = u32> + '_ {
    let mut at = first;
    let others = std::iter::from_fn(move || {
        let link = links.get(at as usize)?;
        at = link.next;
        Some(link.row)
    });
    std::iter::once(row).chain(others)
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
        assert!(index.head(9) == Head::NONE && !index.rows.has_many(index.head(0)));
        assert_eq!(index.near(9, no_span).next(), None);
        let mut found = Vec::new();
        index.nearest(1, no_span, |row| row > 1, |row| found.push(row));
        assert_eq!(found, [4, 7]);
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
            let mut nearest = Vec::new();
            index.nearest(2, all, |row| row % 2 == 0, |row| nearest.push(row));
            let even = |row: &u32| row % 6 == 2;
            let best = (0..3000).filter(even).map(|row| at(row).abs_diff(100)).min().unwrap();
            assert!(nearest.iter().all(|row| at(*row).abs_diff(100) == best && even(row)), "{nearest:?}");
            assert_eq!(index.cut(), 0);
        }
    }

    #[test]
    fn what_is_cut_is_counted() {
        let index = filled(6000, |_| 7);
        assert_eq!(index.near(2, |_| Some(Span::all(0))).count(), Rows::<u8>::MOST);
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
