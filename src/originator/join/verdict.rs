//! What is said of a contact once the [ladder](super::ladder) has been climbed down: one process, several, a host, or nobody.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::attribution::{Attribution, AttributionLevel as Level, Delegated, Host, Kinds, Process};
use super::super::clocks::ClockId;
use super::super::hosts::{HostId, Owner};
use super::super::record::{FeedKind, Time};
use super::super::texts::TextId;
use super::ladder::{ANSWERED_WITHIN, Candidate, Question};
use super::{Join, SECOND, destination};
use crate::capture::Timestamp;

/// Nanoseconds before a host's first record and after its last in which its telemetry still counts as there.
const COVERED_ABOUT: i64 = 300 * SECOND;
/// Records of a host about a server or a name from which it is told who has to do with it at all; where there are more, those about then.
const EVER: usize = 128;
/// Hosts behind a translation of addresses of which it is looked who asked for a name.
const BEHIND: usize = 256;

/// What was found of a contact: with numbers, for nothing is made of them until it is told.
#[derive(Debug)]
pub(super) struct Verdict {
    level: Level,
    accepted: bool,
    host: Option<HostId>,
    hosts: Vec<HostId>,
    /// Who it was.
    one: Option<Candidate>,
    acts_for: Option<ActsFor>,
    feed: Option<FeedKind>,
    kinds: [Option<TextId>; 3],
    candidates: u16,
    /// Who they are where it may be several, as far as these are told.
    others: Vec<Candidate>,
    /// When, for what processes are told to have begun.
    at: Timestamp,
}

/// That a process acts for another.
#[derive(Clone, Copy, Debug)]
pub(super) struct ActsFor {
    /// Where it stands among delegates.
    pub(super) place: usize,
    /// For whom it was, where something hints at one process, and what.
    pub(super) likely: Option<(Level, Candidate)>,
}

impl Verdict {
    /// Nobody is named, at this level.
    const fn nobody(level: Level, at: Timestamp) -> Self {
        Self {
            level,
            accepted: false,
            host: None,
            hosts: Vec::new(),
            one: None,
            acts_for: None,
            feed: None,
            kinds: [None; 3],
            candidates: 0,
            others: Vec::new(),
            at,
        }
    }

    /// The same, of the process that accepted the connection.
    pub(super) fn accepted(self) -> Self {
        Self { accepted: true, ..self }
    }

    /// How many it may be; and of these as many as are told.
    fn of(self, candidates: &[Candidate]) -> Self {
        let told = candidates.get(..Attribution::MOST_CANDIDATES).unwrap_or(candidates);
        let length = u16::try_from(candidates.len()).unwrap_or(u16::MAX);
        Self { candidates: length, others: told.to_vec(), ..self }
    }
}

impl Join {
    /// Makes of what was found what is told.
    pub(super) fn tell(&mut self, verdict: Verdict) -> Attribution {
        let Verdict { at, level, one, .. } = verdict;
        let kinds = verdict.kinds.map(|kind| kind.map(|kind| self.texts.share(kind)));
        let process = one.map(|one| self.make(&one, at));
        let delegated = verdict.acts_for.and_then(|acts| {
            let kind = self.delegates.kind_at(acts.place)?.clone();
            let (level, likely) = acts.likely.unzip();
            Some(Delegated { kind, likely: likely.map(|likely| self.make(&likely, at)), level })
        });
        Attribution {
            level,
            confidence: confidence(level),
            host: verdict.host.map(|host| self.host(host)),
            hosts: verdict.hosts.into_iter().map(|host| self.host(host)).collect(),
            process,
            accepted: verdict.accepted,
            delegated,
            feed: verdict.feed,
            records: Kinds::of(kinds),
            candidates: verdict.candidates,
            others: verdict.others.iter().map(|one| self.make(one, at)).collect(),
            clock_offset: one.and_then(|one| one.ahead),
        }
    }

    fn make(&mut self, one: &Candidate, at: Timestamp) -> Arc<Process> {
        let made = match self.processes.made(one.process) {
            Some(made) => made,
            None => {
                let host = self.processes.host(one.process).unwrap_or(one.host);
                let ahead = self.event_ahead(host, one.feed, at);
                self.processes.make(one.process, ahead, &self.texts)
            }
        };
        match one.pid {
            Some(pid) if made.pid.is_none() => Arc::new(Process { pid: Some(pid), ..(*made).clone() }),
            _ => made,
        }
    }

    /// It was this one.
    pub(super) fn verdict(
        &self,
        level: Level,
        one: &Candidate,
        question: &Question<'_>,
        began: Timestamp,
    ) -> Verdict {
        let mut kinds = [one.kind, one.also, self.processes.start_kind(one.process)];
        // Each once.
        for place in 1..kinds.len() {
            let (before, rest) = kinds.split_at_mut(place);
            if let Some(kind) = rest.first_mut()
                && before.contains(kind)
            {
                *kind = None;
            }
        }
        Verdict {
            host: Some(one.host),
            one: Some(*one),
            acts_for: self.acts_for(one, question, began),
            feed: Some(one.feed),
            kinds,
            candidates: 1,
            ..Verdict::nobody(level, began)
        }
    }

    /// Several may be it, and none is named.
    pub(super) fn ambiguous(&self, candidates: &[Candidate]) -> Verdict {
        let hosts: Vec<HostId> = candidates.iter().map(|one| one.host).collect();
        let host = hosts.first().filter(|first| hosts.iter().all(|host| host == *first)).copied();
        let hosts = if host.is_some() { Vec::new() } else { self.some_hosts(hosts.into_iter()) };
        let feed = candidates.first().map(|one| one.feed);
        let at = Timestamp::from_nanos(0);
        Verdict { host, hosts, feed, ..Verdict::nobody(Level::Ambiguous, at) }.of(candidates)
    }

    /// No process is named: because there is no telemetry of the host then, or because it says nothing of this.
    pub(super) fn nobody(&self, question: &Question<'_>, owner: &Owner) -> Verdict {
        let at = question.at;
        let host = match owner {
            Owner::Nobody => return self.behind(question),
            Owner::Several(hosts) => {
                let candidates = u16::try_from(hosts.len()).unwrap_or(u16::MAX);
                let hosts = self.some_hosts(hosts.iter().copied());
                return Verdict { candidates, hosts, ..Verdict::nobody(Level::Ambiguous, at) };
            }
            Owner::One(host) => *host,
        };
        let Some(feed) = self.covered_by(host, at) else {
            return Verdict { host: Some(host), ..Verdict::nobody(Level::NoTelemetry, at) };
        };
        let candidates = self.distinct(self.ever(question, host));
        let level = if candidates.is_empty() { Level::None } else { Level::Host };
        Verdict { host: Some(host), feed: Some(feed), ..Verdict::nobody(level, at) }.of(&candidates)
    }

    /// Who may have made a contact of an address that is no endpoint's: that of a gateway which translates addresses, perhaps. These are
    /// processes that asked for the name about then, on hosts of which no address is seen on the wire.
    fn behind(&self, question: &Question<'_>) -> Verdict {
        let no_telemetry = Verdict::nobody(Level::NoTelemetry, question.at);
        let Some(name) = question.name.and_then(|name| self.texts.find(name)) else {
            return no_telemetry;
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
        let Some(first) = candidates.first() else { return no_telemetry };
        let feed = Some(first.feed);
        let mut hosts: Vec<HostId> = candidates.iter().map(|one| one.host).collect();
        hosts.sort_unstable_by_key(|host| self.hosts.rank(*host));
        hosts.dedup();
        let hosts = self.some_hosts(hosts.into_iter());
        Verdict { hosts, feed, ..Verdict::nobody(Level::Site, question.at) }.of(&candidates)
    }

    fn some_hosts(&self, hosts: impl Iterator<Item = HostId>) -> Vec<HostId> {
        let mut some: Vec<HostId> = Vec::new();
        for host in hosts {
            if !some.contains(&host) && some.len() < Attribution::MOST_CANDIDATES {
                some.push(host);
            }
        }
        some.sort_unstable_by_key(|host| self.hosts.rank(*host));
        some
    }

    /// Which processes of the host have to do with this server or name at all.
    fn ever(&self, question: &Question<'_>, host: HostId) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        let server = question.flow.dst;
        if let Some(key) = destination(server.ip, server.port).filter(|_| question.is_server) {
            for name in self.hosts.aliases(host) {
                let spans = |clock: ClockId| Some(self.span_at_all(clock, question.at));
                let rows = self.destinations().near((*name, key), spans).take(EVER);
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
        let covered = self.hosts.aliases(host).iter().filter_map(|name| self.covered.get(name.number()));
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
