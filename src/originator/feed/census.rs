//! What a feed tells, counted: records by kind, hosts, and the clocks they are stamped by.

use std::collections::{BTreeMap, BTreeSet};

use crate::capture::Timestamp;
use crate::originator::record::{Clock, FeedKind, Record, Said, Time};

/// The most different kinds of records that are counted apart. Formats have below thirty each; what is beyond is counted together.
const MAX_KINDS: usize = 256;

/// The most hosts that are named.
const MAX_HOSTS: usize = 10_000;

/// The most differences between two clocks that are looked at: enough for their median.
const MAX_DIFFERENCES: usize = 4096;

/// What is counted together when there are too many kinds.
const OTHER_KINDS: &str = "others";

/// What a feed told.
#[derive(Clone, Debug, Default)]
pub struct Census {
    kinds: BTreeMap<(FeedKind, String), u64>,
    said: BTreeMap<&'static str, u64>,
    hosts: BTreeSet<String>,
    more_hosts: bool,
    clocks: BTreeMap<Clock, (Timestamp, Timestamp)>,
    differences: BTreeMap<(Clock, Clock), Vec<i64>>,
}

impl Census {
    /// Counts a record.
    pub fn add(&mut self, record: &Record<'_>) {
        let kind = match self.kinds.len() < MAX_KINDS {
            true => record.kind.as_ref(),
            false => OTHER_KINDS,
        };
        let known = self.kinds.get_mut(&(record.feed, kind.to_owned()));
        match known {
            Some(count) => *count += 1,
            None => drop(self.kinds.insert((record.feed, kind.to_owned()), 1)),
        }
        *self.said.entry(said(&record.what)).or_default() += 1;
        if !self.hosts.contains(record.host.as_ref()) {
            if self.hosts.len() < MAX_HOSTS {
                self.hosts.insert(record.host.clone().into_owned());
            } else {
                self.more_hosts = true;
            }
        }
        let Time { at, clock } = record.time;
        self.see(at, clock);
        if let Some(second) = record.second {
            self.see(second.at, second.clock);
            let differences = self.differences.entry((clock, second.clock)).or_default();
            if differences.len() < MAX_DIFFERENCES {
                differences.push(second.at.since(at));
            }
        }
    }

    /// How many records of each kind, in the feed's own words.
    pub fn kinds(&self) -> impl Iterator<Item = (FeedKind, &str, u64)> {
        self.kinds.iter().map(|((feed, kind), count)| (*feed, kind.as_str(), *count))
    }

    /// How many records say what: `start`, `end`, `connection`, `query`, `addresses`.
    pub fn said(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.said.iter().map(|(said, count)| (*said, *count))
    }

    /// The hosts, in the order of their names.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }

    /// Whether there are more hosts than are named.
    pub const fn has_more_hosts(&self) -> bool {
        self.more_hosts
    }

    /// The earliest and the latest time by each clock.
    pub fn clocks(&self) -> impl Iterator<Item = (Clock, Timestamp, Timestamp)> {
        self.clocks.iter().map(|(clock, (first, last))| (*clock, *first, *last))
    }

    /// By how many nanoseconds the second clock is ahead of the first, in the median of the records that have both.
    pub fn differences(&self) -> impl Iterator<Item = (Clock, Clock, i64)> {
        self.differences.iter().filter_map(|((first, second), differences)| {
            let mut differences = differences.clone();
            let middle = differences.len() / 2;
            (!differences.is_empty()).then(|| (*first, *second, *differences.select_nth_unstable(middle).1))
        })
    }

    fn see(&mut self, at: Timestamp, clock: Clock) {
        let (first, last) = self.clocks.entry(clock).or_insert((at, at));
        *first = at.min(*first);
        *last = at.max(*last);
    }
}

const fn said(what: &Said<'_>) -> &'static str {
    match what {
        Said::Start(_) => "start",
        Said::End(_) => "end",
        Said::Connection(_) => "connection",
        Said::Query(_) => "query",
        Said::Addresses(_) => "addresses",
    }
}
