//! What is said of a contact once the [ladder](super::ladder) has been climbed down: one process, several, a host, or nobody.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::attribution::{Attribution, AttributionLevel as Level, Host, Process};
use super::super::clocks::ClockId;
use super::super::hosts::{HostId, Owner};
use super::super::record::{FeedKind, Time};
use super::ladder::{ANSWERED_WITHIN, Candidate, Question};
use super::{Join, SECOND, destination};
use crate::capture::Timestamp;

/// Nanoseconds before a host's first record and after its last in which its telemetry still counts as there.
const COVERED_ABOUT: i64 = 300 * SECOND;
/// Records of a host about a server or a name from which it is told who has to do with it at all; where there are more, those about then.
const EVER: usize = 128;
/// Hosts behind a translation of addresses of which it is looked who asked for a name.
const BEHIND: usize = 256;

impl Join {
    pub(super) fn make(&mut self, one: &Candidate, at: Timestamp) -> Arc<Process> {
        let host = self.processes.host(one.process).unwrap_or(one.host);
        let ahead = self.event_ahead(host, one.feed, at);
        let made = self.processes.make(one.process, ahead, &self.texts);
        match one.pid {
            Some(pid) if made.pid.is_none() => Arc::new(Process { pid: Some(pid), ..(*made).clone() }),
            _ => made,
        }
    }

    pub(super) fn found(
        &mut self,
        level: Level,
        one: &Candidate,
        question: &Question<'_>,
        began: Timestamp,
    ) -> Attribution {
        let kinds = [one.kind, one.also, self.processes.start_kind(one.process)];
        let mut records: Vec<Arc<str>> = Vec::with_capacity(kinds.iter().flatten().count());
        for (place, kind) in kinds.into_iter().enumerate() {
            if let Some(kind) =
                kind.filter(|kind| !kinds.iter().take(place).any(|other| *other == Some(*kind)))
            {
                records.push(self.texts.share(kind));
            }
        }
        Attribution {
            level,
            confidence: confidence(level),
            host: Some(self.host(one.host)),
            hosts: Vec::new(),
            process: Some(self.make(one, began)),
            delegated: self.delegated(one, question, began),
            accepted: false,
            feed: Some(one.feed),
            records,
            candidates: 1,
            others: Vec::new(),
            clock_offset: one.ahead,
        }
    }

    /// Several may be it, and none is named.
    pub(super) fn ambiguous(&mut self, candidates: &[Candidate]) -> Attribution {
        let hosts: Vec<HostId> = candidates.iter().map(|one| one.host).collect();
        let one_host = hosts.first().filter(|first| hosts.iter().all(|host| host == *first)).copied();
        let host = one_host.map(|host| self.host(host));
        let hosts = if host.is_some() { Vec::new() } else { self.some_hosts(hosts.into_iter()) };
        let at = Timestamp::from_nanos(0);
        let named: Vec<Candidate> = candidates.iter().take(Attribution::MOST_CANDIDATES).copied().collect();
        let others = named.iter().map(|one| self.make(one, at)).collect();
        Attribution {
            confidence: confidence(Level::Ambiguous),
            host,
            hosts,
            feed: candidates.first().map(|one| one.feed),
            candidates: u16::try_from(candidates.len()).unwrap_or(u16::MAX),
            others,
            ..Attribution::nobody(Level::Ambiguous)
        }
    }

    /// No process is named: because there is no telemetry of the host then, or because it says nothing of this.
    pub(super) fn nobody(&mut self, question: &Question<'_>, owner: &Owner) -> Attribution {
        let host = match owner {
            Owner::Nobody => return self.behind(question),
            Owner::Several(hosts) => {
                let candidates = u16::try_from(hosts.len()).unwrap_or(u16::MAX);
                let hosts = hosts.clone();
                let hosts = self.some_hosts(hosts.into_iter());
                return Attribution { candidates, hosts, ..Attribution::nobody(Level::Ambiguous) };
            }
            Owner::One(host) => *host,
        };
        let Some(feed) = self.covered_by(host, question.at) else {
            return Attribution { host: Some(self.host(host)), ..Attribution::no_telemetry() };
        };
        let candidates = self.distinct(self.ever(question, host));
        let level = if candidates.is_empty() { Level::None } else { Level::Host };
        let at = question.at;
        let named: Vec<Candidate> = candidates.iter().take(Attribution::MOST_CANDIDATES).copied().collect();
        let others = named.iter().map(|one| self.make(one, at)).collect();
        Attribution {
            confidence: confidence(level),
            host: Some(self.host(host)),
            feed: Some(feed),
            candidates: u16::try_from(candidates.len()).unwrap_or(u16::MAX),
            others,
            ..Attribution::nobody(level)
        }
    }

    /// Who may have made a contact of an address that is no endpoint's: that of a gateway which translates addresses, perhaps. These are
    /// processes that asked for the name about then, on hosts of which no address is seen on the wire.
    fn behind(&mut self, question: &Question<'_>) -> Attribution {
        let Some(name) = question.name.and_then(|name| self.texts.find(name)) else {
            return Attribution::no_telemetry();
        };
        let asked = self.askers.get(&name).map_or(&[][..], Vec::as_slice);
        let mut hosts: Vec<HostId> = (asked.iter().map(|host| self.hosts.canonical(*host)))
            .filter(|host| !self.seen_on_wire.contains(host))
            .collect();
        hosts.sort_unstable_by_key(|host| self.hosts.rank(*host));
        hosts.dedup();
        let mut candidates = Vec::new();
        for host in hosts.into_iter().take(BEHIND) {
            let (with_answer, about) = self.askers(host, name, question, question.at);
            candidates.extend(with_answer.into_iter().chain(about).filter(|one| {
                // An answer that is kept is good for minutes, but is no evidence of this.
                one.distance.saturating_abs() <= ANSWERED_WITHIN
            }));
        }
        let candidates = self.without_lookers(self.distinct(candidates));
        let Some(first) = candidates.first() else { return Attribution::no_telemetry() };
        let feed = Some(first.feed);
        let mut hosts: Vec<HostId> = candidates.iter().map(|one| one.host).collect();
        hosts.sort_unstable_by_key(|host| self.hosts.rank(*host));
        hosts.dedup();
        let named: Vec<Candidate> = candidates.iter().take(Attribution::MOST_CANDIDATES).copied().collect();
        Attribution {
            confidence: confidence(Level::Site),
            hosts: self.some_hosts(hosts.into_iter()),
            feed,
            candidates: u16::try_from(candidates.len()).unwrap_or(u16::MAX),
            others: named.iter().map(|one| self.make(one, question.at)).collect(),
            ..Attribution::nobody(Level::Site)
        }
    }

    fn some_hosts(&mut self, hosts: impl Iterator<Item = HostId>) -> Vec<Arc<Host>> {
        let mut some: Vec<HostId> = Vec::new();
        for host in hosts {
            if !some.contains(&host) && some.len() < Attribution::MOST_CANDIDATES {
                some.push(host);
            }
        }
        some.sort_unstable_by_key(|host| self.hosts.rank(*host));
        some.into_iter().map(|host| self.host(host)).collect()
    }

    /// Which processes of the host have to do with this server or name at all.
    fn ever(&self, question: &Question<'_>, host: HostId) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let server = question.flow.dst;
        if let Some(key) = destination(server.ip, server.port).filter(|_| question.is_server) {
            for name in self.hosts.aliases(host) {
                let spans = |clock: ClockId| Some(self.span_at_all(clock, question.at));
                let rows = self.destinations.near((*name, key), spans).take(EVER);
                let rows = rows.filter_map(|row| self.connections.get(row as usize));
                candidates.extend(rows.filter_map(|row| self.candidate(row, 0, None)));
            }
        }
        if let Some(name) = question.name.and_then(|name| self.texts.find(name)) {
            let rows = self.hosts.aliases(host).iter().flat_map(|host| {
                let spans = |clock: ClockId| Some(self.span_at_all(clock, question.at));
                self.asked.near((*host, name), spans).take(EVER)
            });
            let rows = rows.filter_map(|row| self.queries.get(row as usize)).filter(|row| !row.cached);
            candidates.extend(rows.filter_map(|row| self.asker(row, 0, None)));
        }
        candidates
    }

    /// The feed that speaks of a host about a time.
    fn covered_by(&self, host: HostId, at: Timestamp) -> Option<FeedKind> {
        let mut feeds: Vec<FeedKind> = Vec::new();
        let covered = self.hosts.aliases(host).iter().filter_map(|name| self.covered.get(name));
        for (clock, from, to) in covered.flatten() {
            let wire = |at| {
                let time = Time { at, clock: clock.clock };
                self.clocks.to_wire(clock.host, clock.feed, time)
            };
            if at.since(wire(*from)) >= -COVERED_ABOUT && at.since(wire(*to)) <= COVERED_ABOUT {
                feeds.push(clock.feed);
            }
        }
        feeds.into_iter().min()
    }

    /// Whose address this is: the host, for whoever wants to name no process.
    pub fn host_of(&mut self, ip: IpAddr, at: Timestamp) -> Option<Arc<Host>> {
        match self.hosts.owner(ip, at) {
            Owner::One(host) => Some(self.host(host)),
            _ => None,
        }
    }
}

/// How sure a rung is, in percent.
const fn confidence(level: Level) -> u8 {
    match level {
        Level::TupleAndName => 99,
        Level::Tuple => 97,
        Level::TupleOnly => 90,
        Level::Destination | Level::DnsAnswer => 75,
        Level::DestinationBefore => 60,
        Level::Name => 50,
        Level::CommandLine => 45,
        Level::Host | Level::Site => 20,
        Level::Ambiguous | Level::None | Level::Pending | Level::NoTelemetry => 0,
    }
}
