//! The index: a hostname, and the entry with the longest suffix that it ends with on a label boundary.
//!
//! Every suffix of a name that begins at a label is looked up in a hash table, longest first: a name has few labels,
//! and hashing twenty bytes is cheaper than walking a tree of them. A set of the lengths that occur saves lookups that
//! could not succeed, first of all the one for `com`, and a filter by the first octets nearly all others. This file knows no format;
//! [`parse`](super::parse) does.

use std::fmt::Display;
use std::sync::{Arc, OnceLock};

use super::built::{self, Line};
use super::form::Take;
use super::parse::{Outline, Taking};
use super::problem::{Problem, Problems};
use super::rows::{Row, Rows};
use super::wanted::{self, Texts, Wanted};
use super::{Entry, Service, Tier, catalogue};

/// Every list in use, ready to be asked; workers share one. What they answer does not change.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    rows: Rows,
    services: Vec<Held>,
    made: Made,
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
        match self.find(hostname) {
            Some(number) => self.made(number),
            None => self.texts.as_ref()?.find(hostname),
        }
    }

    /// The entry of exactly this suffix.
    pub fn entry(&self, suffix: &str) -> Option<&Arc<Entry>> {
        self.made(self.rows.find(suffix)?)
    }

    /// Every entry, in the order of the lists. Each is made for whoever asks: for people, not for packets.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.rows.iter().filter_map(|row| self.make(row))
    }

    /// The service of every entry: its name, or the suffix itself where the list says no more.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| {
            let name = self.service(row.service).and_then(|about| about.name.as_deref());
            name.unwrap_or_else(|| self.rows.suffix(row))
        })
    }

    /// How many suffixes there are.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether nothing is listed.
    pub const fn is_empty(&self) -> bool {
        self.rows.len() == 0
    }

    /// Octets that the suffixes occupy, with what finds them.
    pub const fn octets(&self) -> usize {
        self.rows.octets() + self.filter.octets() + self.made.octets()
    }

    /// The number of the longest suffix that the hostname equals or lies below.
    #[inline]
    fn find(&self, hostname: &str) -> Option<u32> {
        let mut rest = hostname;
        loop {
            if self.lengths.contains(rest.len())
                && self.filter.may_have(rest)
                && let Some(found) = self.rows.find(rest)
            {
                return Some(found);
            }
            // Labels are short: a search that is made for long texts costs more.
            let dot = rest.bytes().position(|byte| byte == b'.');
            rest = dot.and_then(|dot| rest.get(dot + 1..))?;
        }
    }

    /// The suffix of every entry, by its number.
    pub(super) fn suffixes(&self) -> impl Iterator<Item = (u32, &str)> {
        (0..).zip(self.rows.iter().map(|row| self.rows.suffix(row)))
    }

    /// The entry of this number, made when it is asked for first.
    #[inline]
    pub(super) fn made(&self, number: u32) -> Option<&Arc<Entry>> {
        self.made.get(number, || self.rows.row(number).and_then(|row| self.make(row)))
    }

    /// A service by its number.
    fn service(&self, number: u32) -> Option<&Arc<Service>> {
        self.services.get(number as usize).map(Held::service)
    }

    fn make(&self, row: Row) -> Option<Entry> {
        let about = Arc::clone(self.service(row.service)?);
        Some(Entry { suffix: self.rows.suffix(row).into(), tier: row.tier, tenants: row.tenants, about })
    }
}

/// A service, or what is built in of one, which is read when it is met first.
#[derive(Clone, Debug)]
enum Held {
    Read(Arc<Service>),
    Built(&'static str, OnceLock<Arc<Service>>),
}

impl Held {
    fn service(&self) -> &Arc<Service> {
        match self {
            Self::Read(service) => service,
            Self::Built(parts, read) => read.get_or_init(|| Arc::new(built::service(parts))),
        }
    }
}

/// Entries that were met. As good as all names meet a few of them; of a long list most are never met.
#[derive(Clone, Debug, Default)]
struct Made(Box<[OnceLock<Block>]>);

/// The entries of [`Made::BLOCK`] numbers.
type Block = Box<[OnceLock<Option<Arc<Entry>>>]>;

impl Made {
    /// Entries of a block: few enough that one that is met does not make room for many that are not.
    const BLOCK: usize = 32;

    /// Room for so many entries, none of them made.
    fn new(entries: usize) -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(entries.div_ceil(Self::BLOCK)).collect())
    }

    #[inline]
    fn get(&self, number: u32, make: impl FnOnce() -> Option<Entry>) -> Option<&Arc<Entry>> {
        let number = number as usize;
        let block = self.0.get(number / Self::BLOCK)?;
        let block = block.get_or_init(|| std::iter::repeat_with(OnceLock::new).take(Self::BLOCK).collect());
        block.get(number % Self::BLOCK)?.get_or_init(|| make().map(Arc::new)).as_ref()
    }

    /// Octets of it while none is made.
    const fn octets(&self) -> usize {
        self.0.len() * size_of::<OnceLock<Block>>()
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
        for line in catalogue::lines() {
            match line {
                Line::Service(parts) => _ = builder.add_service(Held::Built(parts, OnceLock::new())),
                Line::Suffix(suffix, tier, tenants) => {
                    builder.insert(suffix, builder.last_service(), tier, tenants)
                }
            }
        }
        builder
    }

    /// Adds the text of a list, in any of the formats of [`parse`](super::parse), and tells what it could not use.
    ///
    /// `list` is the name in problems and in [`Entry::list`]: the path, as the user gave it.
    pub fn add(&mut self, list: &str, text: impl AsRef<[u8]>) -> Vec<Problem> {
        let text = text.as_ref();
        let mut outline = Outline::default();
        outline.take(text);
        let mut taking = self.take(list, outline);
        taking.take(text);
        taking.end()
    }

    /// Adds a list whose text comes piece by piece, and came so before to an outline.
    pub fn take(&mut self, list: &str, outline: Outline) -> Taking<'_> {
        let list: Arc<str> = list.into();
        let problems = Problems::new(Arc::clone(&list));
        Taking::new(list, outline, Adding { builder: self, problems })
    }

    /// Adds what rules ask for and no list has. Comes after the lists.
    pub fn want<'w>(&mut self, wanted: impl IntoIterator<Item = &'w Wanted> + Clone) {
        let mut service = None;
        for one in wanted.clone() {
            if let Wanted::Suffix(suffix) = one
                && self.lists.find(suffix).is_none()
            {
                let service = *service.get_or_insert_with(|| self.add_service(Held::Read(wanted::about())));
                self.insert(suffix, service, Tier::Four, false);
            }
        }
        self.lists.texts = Texts::new(wanted);
    }

    /// What was added, ready to be asked.
    pub fn build(mut self) -> Lists {
        let Lists { rows, filter, made, .. } = &mut self.lists;
        rows.shrink();
        *filter = Filter::new(rows.len(), rows.iter().map(|row| rows.suffix(row)));
        *made = Made::new(rows.len());
        self.lists
    }

    /// Adds a service. Gives its number.
    fn add_service(&mut self, service: Held) -> u32 {
        self.lists.services.push(service);
        self.last_service()
    }

    /// The number of the service that came last.
    fn last_service(&self) -> u32 {
        // Each has a line of its own in a list: memory ends before the numbers do.
        u32::try_from(self.lists.services.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    fn insert(&mut self, suffix: &str, service: u32, tier: Tier, tenants: bool) {
        self.lists.lengths.insert(suffix.len());
        self.lists.rows.insert(suffix, service, tier, tenants);
    }

    /// What is known of a suffix.
    fn known(&self, suffix: &str) -> Option<Entry> {
        self.lists.make(self.lists.rows.row(self.lists.rows.find(suffix)?)?)
    }
}

/// Where a parser puts what it reads: entries into the index, and problems beside it.
#[derive(Debug)]
pub(super) struct Adding<'a> {
    builder: &'a mut Builder,
    pub(super) problems: Problems,
}

impl Adding<'_> {
    /// Makes room for a list of so many suffixes that are so many octets together.
    pub(super) fn reserve(&mut self, suffixes: usize, octets: usize) {
        self.builder.lists.rows.reserve(suffixes, octets);
    }

    /// Adds a service of which lines say no more than that they belong to it. Gives its number.
    pub(super) fn plain_service(&mut self, service: Service) -> u32 {
        self.builder.add_service(Held::Read(Arc::new(service)))
    }

    /// Adds a suffix of which the list says no more. Where another list knows what it is, that is kept: the line says
    /// that the name matters, not that it is no longer Dropbox.
    pub(super) fn plain(&mut self, line: usize, suffix: &str, service: u32) {
        if !self.has_room(line, suffix) {
            return;
        }
        let lists = &self.builder.lists;
        let about = |service: u32| lists.service(service);
        let Some(list) = about(service).map(|about| Arc::clone(&about.list)) else { return };
        let known = lists.rows.find(suffix).and_then(|number| lists.rows.row(number));
        let (tier, tenants, service) = match known.and_then(|row| Some((row, about(row.service)?))) {
            Some((row, _)) if row.service == service => return,
            Some((_, about)) if about.list == list => return,
            Some((row, known)) if let Some(name) = &known.name => {
                let tier = row.tier.min(PLAIN_TIER);
                self.problems.note(
                    line,
                    suffix,
                    format_args!("is {name} ({}) in {}", known.category, known.list),
                    format_args!("service and category are kept, the tier is now {}", tier.number()),
                );
                let about = Service { list, ..(**known).clone() };
                (tier, row.tenants, self.builder.add_service(Held::Read(Arc::new(about))))
            }
            _ => (PLAIN_TIER, false, service),
        };
        self.builder.insert(suffix, service, tier, tenants);
    }

    fn has_room(&mut self, line: usize, suffix: &str) -> bool {
        let has_room = self.builder.lists.rows.has_room(suffix);
        if !has_room {
            self.problems.refuse(line, suffix, "finds no room", "4 GiB of suffixes are held together");
        }
        has_room
    }
}

/// Entries about which the list says everything.
impl Take for Adding<'_> {
    fn service(&mut self, service: Service) {
        self.builder.add_service(Held::Read(Arc::new(service)));
    }

    fn suffix(&mut self, line: usize, suffix: &str, tier: Tier, tenants: bool) {
        if !self.has_room(line, suffix) {
            return;
        }
        let Some(about) = self.builder.lists.services.last().map(|last| Arc::clone(last.service())) else {
            return;
        };
        if let Some(old) = self.builder.known(suffix) {
            if old.list() != &*about.list {
                self.problems.note(
                    line,
                    suffix,
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
                    suffix,
                    "stands twice in this list, with different words",
                    "the later stands",
                );
            }
        }
        self.builder.insert(suffix, self.builder.last_service(), tier, tenants);
    }

    fn refuse(&mut self, line: usize, text: &str, wrong: &dyn Display, right: &dyn Display) {
        self.problems.refuse(line, text, wrong, right);
    }
}

/// The tier of a plain line: whoever lists a name wants to hear of it, and has not said how much.
const PLAIN_TIER: Tier = Tier::Two;

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

    const fn octets(&self) -> usize {
        self.bits.len() * size_of::<u64>()
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
