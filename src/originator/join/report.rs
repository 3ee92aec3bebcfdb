//! What the closing summary says of feeds.

use std::time::Duration;

use rustc_hash::FxHashSet;

use super::super::clocks::Clocks;
use super::super::hosts::HostId;
use super::super::record::{Clock, FeedKind};
use super::Join;

/// What the closing summary says of feeds.
#[derive(Clone, Debug, Default)]
pub struct FeedReport {
    /// Records by feed and kind: `sysmon 3`.
    pub records: Vec<(String, u64)>,
    /// Records that had come already.
    pub duplicates: u64,
    /// Records that name no host.
    pub without_host: u64,
    /// Hosts that records speak of.
    pub hosts: u64,
    /// Addresses that DHCP gave to clients that said their name, renewals included.
    pub leases: u64,
    /// Processes.
    pub processes: u64,
    /// What clocks were found to be ahead.
    pub offsets: Vec<OffsetFound>,
    /// Feeds whose times are in a zone that they do not name.
    pub zones: Vec<ZoneFound>,
    /// Limits that were reached: what, and how often.
    pub limits: Vec<(String, u64)>,
}

/// What a clock was found to be ahead of the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OffsetFound {
    /// The host's name.
    pub host: String,
    /// Which feed.
    pub feed: FeedKind,
    /// Which of its clocks.
    pub clock: Clock,
    /// By how much, in nanoseconds; less than nought is behind.
    pub ahead: i64,
    /// Connections that it was learned from.
    pub samples: u32,
    /// How many offsets there were one after the other, where the clock jumped.
    pub jumps: u32,
}

/// A feed whose times are local and say that they are not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ZoneFound {
    /// The host's name.
    pub host: String,
    /// Which feed.
    pub feed: FeedKind,
    /// What its times are ahead of UTC, in nanoseconds.
    pub ahead: i64,
}

impl ZoneFound {
    /// As people write it: `UTC-05:00`.
    pub fn zone(&self) -> String {
        let minutes = Duration::from_nanos(self.ahead.unsigned_abs()).as_secs() / 60;
        let sign = if self.ahead < 0 { '-' } else { '+' };
        format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl Join {
    /// What there is to tell of the feeds.
    pub fn report(&self) -> FeedReport {
        let hosts: FxHashSet<HostId> = (self.covered.iter().enumerate())
            .filter(|(_, covered)| !covered.is_empty())
            .map(|(number, _)| self.hosts.canonical(HostId::from_number(number)))
            .collect();
        let name = |host| self.hosts.name(self.hosts.canonical(host)).to_string();
        let mut records: Vec<(String, u64)> = (self.counts.records.iter())
            .map(|((feed, kind), count)| (format!("{} {}", feed.as_str(), self.texts.get(*kind)), *count))
            .collect();
        records.push(("others".to_owned(), self.counts.other_records));
        records.retain(|(_, count)| *count > 0);
        records.sort_unstable();
        let mut offsets: Vec<OffsetFound> = Vec::new();
        for (clock, found) in self.clocks.all() {
            let learned = found.iter().filter(|offset| offset.samples >= Clocks::LEARNED);
            let Some(most) = learned.clone().max_by_key(|offset| offset.samples) else { continue };
            let mut jumps = 0;
            let mut before: Option<i64> = None;
            for offset in learned.clone() {
                let far = before.is_some_and(|before| (offset.ahead - before).abs() > 5_000_000_000);
                jumps += u32::from(far);
                before = Some(offset.ahead);
            }
            offsets.push(OffsetFound {
                host: name(clock.host),
                feed: clock.feed,
                clock: clock.clock,
                ahead: most.ahead,
                samples: learned.map(|offset| offset.samples).sum(),
                jumps,
            });
        }
        offsets.sort_unstable_by(|one, other| {
            (&one.host, one.feed, one.clock).cmp(&(&other.host, other.feed, other.clock))
        });
        let mut zones: Vec<ZoneFound> = (self.clocks.all_zones().into_iter())
            .map(|(host, feed, ahead)| ZoneFound { host: name(host), feed, ahead })
            .collect();
        zones.sort_unstable_by(|one, other| {
            (&one.host, one.feed, one.ahead).cmp(&(&other.host, other.feed, other.ahead))
        });
        let given_up = &self.counts.given_up;
        let destinations = self.destinations.get().map_or(0, |destinations| destinations.index.cut());
        let cut = self.both.cut() + destinations + self.asked.cut() + self.commands.cut();
        let limits = [
            ("connections of the feed", given_up.connections),
            ("questions of the feed", given_up.queries),
            ("connections of the wire that the feed might have named", given_up.wire),
            ("processes of the feed", self.processes.given_up),
            ("hosts and addresses of the feed", self.hosts.given_up),
            ("clients of the wire", given_up.clients),
            ("leases of DHCP", self.hosts.leases.given_up),
            ("texts of the feed", self.texts.left_out),
            ("texts of the feed that were cut", self.texts.cut),
            ("contacts with more candidates than are looked at", cut),
            ("clocks of the feed that jump too often", self.clocks.given_up),
        ];
        FeedReport {
            records,
            duplicates: self.counts.duplicates,
            without_host: self.counts.without_host,
            hosts: hosts.len() as u64,
            leases: self.hosts.leases.told,
            processes: self.processes.len() as u64,
            offsets,
            zones,
            limits: limits.into_iter().map(|(what, count)| (what.to_owned(), count)).collect(),
        }
    }

    /// Whether something did not fit, so that an attribution may be missing.
    pub fn has_lost(&self) -> bool {
        let given_up = &self.counts.given_up;
        given_up.connections
            + given_up.queries
            + given_up.wire
            + self.processes.given_up
            + self.texts.left_out
            > 0
    }
}
