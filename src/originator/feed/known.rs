//! Addresses of hosts that were told already: Elastic's agents repeat them in every event.

use std::hash::BuildHasher;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::originator::record::{Record, Said};

/// How long a host's addresses are not told again, by the clock of the feed: they say until when the host had them.
const AGAIN_AFTER_NANOS: u64 = 60_000_000_000;

/// The most hosts that are remembered, at 24 bytes each. When there are more all are forgotten: then they are told once more.
const MAX_HOSTS: usize = 65_536;

/// What was told, by hashes of host and addresses, and when.
#[derive(Debug, Default)]
pub(super) struct Known(FxHashMap<u64, i64>);

impl Known {
    /// Whether a record says more than was said.
    pub(super) fn is_news(&mut self, record: &Record<'_>) -> bool {
        let Said::Addresses(addresses) = &record.what else { return true };
        let said = FxBuildHasher.hash_one((&record.host, addresses));
        let now = record.time.at.as_nanos();
        if self.0.len() >= MAX_HOSTS {
            self.0.clear();
        }
        let before = self.0.entry(said).or_insert(i64::MIN);
        let is_news = *before == i64::MIN || before.abs_diff(now) >= AGAIN_AFTER_NANOS;
        if is_news {
            *before = now;
        }
        is_news
    }
}
