//! The index: a hostname, and the entry with the longest suffix that it ends with on a label boundary.
//!
//! Every suffix of a name that begins at a label is looked up in a hash set, longest first: a name has few labels,
//! and hashing twenty bytes is cheaper than walking a tree of them. A set of the lengths that occur saves lookups that
//! could not succeed, first of all the one for `com`, and a filter by the first octets nearly all others. This file knows no format; [`parse`]
//! does.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::problem::{Problem, Problems};
use super::wanted::{self, Texts, Wanted};
use super::{Entry, Service, Tier, catalogue, parse};

/// Every list in use, ready to be asked. Immutable; workers share one.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    entries: HashSet<BySuffix, FxBuildHasher>,
    lengths: Lengths,
    filter: Filter,
    /// Texts that only rules ask for.
    texts: Option<Texts>,
}

impl Lists {
    /// The built-in catalogue alone.
    pub fn builtin() -> Self {
        Builder::with_builtin().build()
    }

    /// The entry with the longest suffix that the hostname equals or lies below. The hostname is in canonical spelling, as a
    /// [`Hostname`](crate::hostname::Hostname) or a [`NameBuf`](crate::hostname::NameBuf) has it.
    #[inline]
    pub fn lookup(&self, hostname: &str) -> Option<&Arc<Entry>> {
        let mut rest = hostname;
        loop {
            if self.lengths.contains(rest.len())
                && self.filter.may_have(rest)
                && let Some(found) = self.entries.get(rest)
            {
                return Some(&found.0);
            }
            // Labels are short: a search that is made for long texts costs more.
            let dot = rest.bytes().position(|byte| byte == b'.');
            match dot.and_then(|dot| rest.get(dot + 1..)) {
                Some(parent) => rest = parent,
                None => return self.texts.as_ref()?.find(hostname),
            }
        }
    }

    /// The entry of exactly this suffix.
    pub fn entry(&self, suffix: &str) -> Option<&Arc<Entry>> {
        self.entries.get(suffix).map(|found| &found.0)
    }

    /// Every entry, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.iter().map(|entry| &entry.0)
    }

    /// How many suffixes there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Takes lists one after another; the later wins where two have the same suffix.
#[derive(Debug, Default)]
pub struct Builder {
    lists: Lists,
}

impl Builder {
    /// Without any list.
    pub fn new() -> Self {
        Self::default()
    }

    /// With the built-in catalogue.
    pub fn with_builtin() -> Self {
        let mut builder = Self::new();
        for file in catalogue::FILES {
            // A test holds that the catalogue has no problem.
            drop(builder.add_as(catalogue::LIST, file.text.as_bytes()));
        }
        builder
    }

    /// Adds the text of a list, in any of the formats of [`parse`], and tells what it could not use.
    ///
    /// `list` is the name in problems and in [`Entry::list`]: the path, as the user gave it.
    pub fn add(&mut self, list: &str, text: impl AsRef<[u8]>) -> Vec<Problem> {
        self.add_as(list, text.as_ref())
    }

    /// Adds what rules ask for and no list has. Comes after the lists.
    pub fn want<'w>(&mut self, wanted: impl IntoIterator<Item = &'w Wanted> + Clone) {
        let about = wanted::about();
        for one in wanted.clone() {
            if let Wanted::Suffix(suffix) = one
                && self.lists.lookup(suffix).is_none()
            {
                self.insert(wanted::entry(suffix, &about));
            }
        }
        self.lists.texts = Texts::new(wanted);
    }

    /// What was added, ready to be asked.
    pub fn build(mut self) -> Lists {
        let Lists { entries, filter, .. } = &mut self.lists;
        entries.shrink_to_fit();
        *filter = Filter::new(entries.len(), entries.iter().map(|entry| &*entry.0.suffix));
        self.lists
    }

    fn add_as(&mut self, list: &str, text: &[u8]) -> Vec<Problem> {
        let list: Arc<str> = list.into();
        let mut problems = Problems::new(Arc::clone(&list));
        parse::parse(text, &list, &mut Adding { builder: self, problems: &mut problems });
        problems.finish()
    }

    fn insert(&mut self, entry: Entry) -> Option<Arc<Entry>> {
        self.lists.lengths.insert(entry.suffix.len());
        self.lists.entries.replace(BySuffix(Arc::new(entry))).map(|old| old.0)
    }
}

/// Where a parser puts what it reads: entries into the index, and problems beside it.
pub(super) struct Adding<'a> {
    builder: &'a mut Builder,
    pub(super) problems: &'a mut Problems,
}

impl Adding<'_> {
    /// Makes room, so that a long list is not hashed again and again while it grows.
    pub(super) fn reserve(&mut self, entries: usize) {
        self.builder.lists.entries.reserve(entries);
    }

    /// Adds an entry about which the list says everything.
    pub(super) fn entry(&mut self, line: usize, entry: Entry) {
        let about = Arc::clone(&entry.about);
        let tier = entry.tier;
        if let Some(old) = self.builder.insert(entry) {
            if old.list() != &*about.list {
                self.problems.note(
                    line,
                    &old.suffix,
                    format_args!(
                        "was {} ({}, tier {}) in {}",
                        old.service(),
                        old.category(),
                        old.tier.number(),
                        old.list()
                    ),
                    "this list stands",
                );
            } else if (&*old.about, old.tier) != (&*about, tier) {
                self.problems.note(
                    line,
                    &old.suffix,
                    "stands twice in this list, with different words",
                    "the later stands",
                );
            }
        }
    }

    /// Adds a suffix of which the list says no more. Where another list knows what it is, that is kept: the line says
    /// that the name matters, not that it is no longer Dropbox.
    pub(super) fn suffix(&mut self, line: usize, suffix: &str, about: &Arc<Service>) {
        let entry = match self.builder.lists.entry(suffix) {
            Some(known) if known.list() == &*about.list => return,
            Some(known) if known.about.name.is_some() => {
                let tier = known.tier.min(PLAIN_TIER);
                self.problems.note(
                    line,
                    suffix,
                    format_args!("is {} ({}) in {}", known.service(), known.category(), known.list()),
                    format_args!("service and category are kept, the tier is now {}", tier.number()),
                );
                let about = Service { list: Arc::clone(&about.list), ..(*known.about).clone() };
                Entry { suffix: suffix.into(), tier, tenants: known.tenants, about: Arc::new(about) }
            }
            _ => Entry { suffix: suffix.into(), tier: PLAIN_TIER, tenants: false, about: Arc::clone(about) },
        };
        self.builder.insert(entry);
    }
}

/// The tier of a plain line: whoever lists a name wants to hear of it, and has not said how much.
const PLAIN_TIER: Tier = Tier::Two;

/// An entry that is found by its suffix.
#[derive(Clone, Debug)]
struct BySuffix(Arc<Entry>);

impl Borrow<str> for BySuffix {
    #[inline]
    fn borrow(&self) -> &str {
        &self.0.suffix
    }
}

impl Hash for BySuffix {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.suffix.hash(state);
    }
}

impl PartialEq for BySuffix {
    fn eq(&self, other: &Self) -> bool {
        self.0.suffix == other.0.suffix
    }
}

impl Eq for BySuffix {}

/// Which lengths of suffixes occur: one bit for each length of a hostname, 0 to 253 (and some for escaped names).
#[derive(Clone, Copy, Debug, Default)]
struct Lengths([u64; 4]);

impl Lengths {
    #[inline]
    fn contains(&self, length: usize) -> bool {
        self.0.get(length / 64).is_some_and(|word| word >> (length % 64) & 1 == 1)
    }

    fn insert(&mut self, length: usize) {
        if let Some(word) = self.0.get_mut(length / 64) {
            *word |= 1 << (length % 64);
        }
    }
}

/// Says of most texts that they are none of the suffixes, by a bit for their length and first octets: it fits into a cache where the set
/// does not.
#[derive(Clone, Debug, Default)]
struct Filter {
    /// Nothing before the lists are built: then every text may be one.
    bits: Vec<u64>,
    /// How far a hash is to be moved for the place of its bit.
    shift: u32,
}

impl Filter {
    /// Bits for each suffix: of those that are none one in sixteen passes.
    const BITS: usize = 16;
    /// The most bits, in two MiB.
    const MOST: usize = 1 << 24;

    fn new<'s>(count: usize, suffixes: impl Iterator<Item = &'s str>) -> Self {
        let bits = count.saturating_mul(Self::BITS).clamp(1 << 12, Self::MOST).next_power_of_two();
        let mut filter = Self { bits: vec![0; bits / 64], shift: u64::BITS - bits.trailing_zeros() };
        for suffix in suffixes {
            let place = filter.place(suffix);
            if let Some(word) = filter.bits.get_mut(place / 64) {
                *word |= 1 << (place % 64);
            }
        }
        filter
    }

    #[inline]
    fn may_have(&self, text: &str) -> bool {
        let place = self.place(text);
        self.bits.get(place / 64).is_none_or(|word| word >> (place % 64) & 1 == 1)
    }

    #[inline]
    const fn place(&self, text: &str) -> usize {
        let first = match text.as_bytes() {
            [a, b, c, d, e, f, g, h, ..] => u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            [a, b, c, d, ..] => u32::from_le_bytes([*a, *b, *c, *d]) as u64,
            _ => 0,
        };
        let hash = (first ^ (text.len() as u64).rotate_right(8)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        match self.shift {
            0 => 0,
            shift => (hash >> shift) as usize,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What lookup means, without any index.
    fn naive<'a>(suffixes: &'a [String], hostname: &str) -> Option<&'a str> {
        suffixes
            .iter()
            .map(String::as_str)
            .filter(|suffix| {
                hostname == *suffix
                    || hostname
                        .strip_suffix(suffix)
                        .is_some_and(|front| front.ends_with('.') && front.len() > 1)
            })
            .max_by_key(|suffix| suffix.len())
    }

    fn plain(suffixes: &[String]) -> Lists {
        let mut builder = Builder::new();
        // The dot in front lets a single label pass.
        let problems = builder.add("list", suffixes.iter().map(|s| format!(".{s}\n")).collect::<String>());
        assert!(problems.is_empty(), "{problems:?}");
        builder.build()
    }

    #[test]
    fn the_longest_suffix_wins() {
        let lists = plain(&["com".into(), "b.com".into(), "a.b.com".into()]);
        let found = |name| lists.lookup(name).map(|entry| &*entry.suffix);
        assert_eq!(found("com"), Some("com"));
        assert_eq!(found("x.com"), Some("com"));
        assert_eq!(found("ab.com"), Some("com"));
        assert_eq!(found("x.a.b.com"), Some("a.b.com"));
        assert_eq!(found("xa.b.com"), Some("b.com"));
        assert_eq!(found("b.com.org"), None);
        assert_eq!(found(""), None);
        assert_eq!(found("."), None);
    }

    #[test]
    fn a_hostname_longer_than_any_length_is_looked_up() {
        let lists = plain(&["b.com".into()]);
        let long = format!("{}.b.com", "\\255".repeat(120));
        assert!(lists.lookup(&long).is_some());
    }

    #[test]
    fn the_later_list_stands_and_this_is_told() {
        let mut builder = Builder::new();
        assert!(
            builder
                .add("one", "[[service]]\nname = \"A\"\ncategory = \"x\"\ntier = 4\nsuffixes = [\"a.com\"]")
                .is_empty()
        );
        let told = builder
            .add("two", "[[service]]\nname = \"B\"\ncategory = \"y\"\ntier = 1\nsuffixes = [\"a.com\"]");
        assert_eq!(told.len(), 1);
        assert!(!told[0].refused);
        assert_eq!(told[0].to_string(), "two:5: `a.com` was A (x, tier 4) in one; this list stands");
        let lists = builder.build();
        assert_eq!(lists.len(), 1);
        let entry = lists.entry("a.com").unwrap();
        assert_eq!(
            (entry.service(), entry.category(), entry.tier, entry.list()),
            ("B", "y", Tier::One, "two")
        );
    }

    #[test]
    fn a_plain_line_keeps_what_is_known_of_a_name() {
        let mut builder = Builder::with_builtin();
        let told = builder.add("mine", "github.com\npastebin.com\nown.example\n");
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|problem| !problem.refused));
        let lists = builder.build();
        let seen = |name| {
            let entry: &Arc<Entry> = lists.entry(name).unwrap();
            (entry.service().to_owned(), entry.category().to_owned(), entry.tier, entry.list().to_owned())
        };
        assert_eq!(seen("github.com"), ("GitHub".into(), "dev-platform".into(), Tier::Two, "mine".into()));
        assert_eq!(seen("pastebin.com"), ("Pastebin".into(), "paste".into(), Tier::One, "mine".into()));
        assert_eq!(seen("own.example"), ("own.example".into(), "user-list".into(), Tier::Two, "mine".into()));
    }

    proptest! {
        #[test]
        fn lookup_equals_the_naive_reference(
            suffixes in proptest::collection::vec("[ab]{1,2}(\\.[ab]{1,2}){0,3}", 0..12),
            hostnames in proptest::collection::vec("[ab]{1,2}(\\.[ab]{1,2}){0,5}", 1..20),
        ) {
            let lists = plain(&suffixes);
            for hostname in &hostnames {
                prop_assert_eq!(lists.lookup(hostname).map(|entry| &*entry.suffix), naive(&suffixes, hostname));
            }
        }
    }
}
