//! The ladder of evidence: from the five-tuple down to nothing at all, and no lower rung overrides a higher one.

use std::net::IpAddr;
use std::sync::Arc;

use super::super::attribution::{Attribution, AttributionLevel as Level, Delegated};
use super::super::clocks::{ClockId, Fit, Reach};
use super::super::hosts::{HostId, Owner, can_be_owned};
use super::super::processes::ProcessId;
use super::super::record::{Clock, FeedKind};
use super::super::texts::TextId;
use super::index::Span;
use super::{ConnectionRow, Join, Lived, QueryRow, SECOND, WireRow, destination, is_fixed};
use crate::capture::Timestamp;
use crate::flow::Flow;

/// What is asked of the join: who made this contact, or whose connection this is.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// When.
    pub at: Timestamp,
    /// Client to server.
    pub flow: Flow,
    /// The name that was asked for or connected to, if there was one.
    pub name: Option<&'a str>,
    /// Whether it is a question to a resolver: then the packet's sender is not who asked.
    pub is_dns: bool,
    /// Whether the server is the one that the name belongs to, and no proxy.
    pub is_server: bool,
    /// Whether the process that accepted the connection is of interest, where the one that began it is not known.
    pub or_server: bool,
}

/// A process that may be it.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    host: HostId,
    process: ProcessId,
    /// Its number, where the process itself has none and another record of the same has.
    pid: Option<u32>,
    feed: FeedKind,
    /// The kind of its record.
    kind: Option<TextId>,
    /// Another kind of record that says the same.
    also: Option<TextId>,
    /// How far its record is from the contact, in nanoseconds.
    distance: i64,
    ahead: Option<i64>,
    /// Whether its record says which name it was.
    named: bool,
}

/// Nanoseconds before a connection in which the question for its name may have been asked: clients keep answers for minutes.
const ASKED_BEFORE: i64 = 300 * SECOND;
/// Nanoseconds about a contact in which a process whose command line holds the name may have lived.
const COMMAND_ABOUT: i64 = 300 * SECOND;
/// Nanoseconds about a connection in which a record without its own port may be of it.
const DESTINATION_ABOUT: i64 = 10 * SECOND;
/// Nanoseconds for which a feed tells of one connection of many alike.
const DAY: i64 = 86_400 * SECOND;
/// Nanoseconds after a DNS question in which its record may be written: when the answer is there, or has not come.
const ANSWERED_WITHIN: i64 = 10 * SECOND;
/// Nanoseconds by which the first of several askers has to be ahead of the next, to be the one that caused the packet.
const FIRST_BY: i64 = SECOND;
/// Nanoseconds before a host's first record and after its last in which its telemetry still counts as there.
const COVERED_ABOUT: i64 = 300 * SECOND;
/// Records of a host about a server or a name from which it is told who has to do with it at all; where there are more, those about then.
const EVER: usize = 128;
/// Hosts behind a translation of addresses of which it is looked who asked for a name.
const BEHIND: usize = 256;

impl Join {
    /// Says who made a contact, as of all that is known by now.
    pub fn attribute(&mut self, question: &Question<'_>) -> Attribution {
        self.hosts.settle();
        let client = question.flow.src.ip;
        let owner = self.hosts.owner(client, question.at);
        if question.is_dns {
            return self.of_question(question, &owner);
        }
        let wire = self.began(question);
        // A lease gives no name that overrules the record of a connection.
        let told = match self.hosts.leases.is_empty() {
            true => owner.clone(),
            false => self.hosts.told_owner(client, question.at),
        };
        if let Some(found) = self.by_tuple(question, wire, &told, false) {
            return found;
        }
        if question.or_server
            && let Some(found) = self.by_tuple(question, wire, &told, true)
        {
            return Attribution { accepted: true, ..found };
        }
        let began = wire.map_or(question.at, |wire| wire.began);
        let Owner::One(host) = owner else { return self.nobody(question, &owner) };
        if let Some(found) = self.by_destination(question, began, host) {
            return found;
        }
        if let Some(found) = self.by_name(question, began, host) {
            return found;
        }
        self.nobody(question, &owner)
    }

    /// The connection of the wire that a contact belongs to: of those with its ends, the last that began before it.
    fn began(&self, question: &Question<'_>) -> Option<WireRow> {
        let key = question.flow.key();
        let at = question.at.as_nanos();
        let before = Span { from: i64::MIN, to: at, about: at };
        let after = Span { from: at.saturating_add(1), to: i64::MAX, about: at };
        let is = |row: u32| self.wire.get(row as usize).is_some_and(|row| row.flow.key() == key);
        let rows = self.conversations.nearest(question.flow.fold(), |()| [before, after], is);
        // The last one before it; or else the first one after it, for captures run backwards.
        let rows = rows.into_iter().filter_map(|row| self.wire.get(row as usize));
        rows.copied().min_by_key(|row| match question.at.since(row.began) {
            since @ 0.. => (false, since, !row.whole),
            since => (true, since.saturating_neg(), !row.whole),
        })
    }

    /// By the exact five-tuple.
    fn by_tuple(
        &mut self,
        question: &Question<'_>,
        wire: Option<WireRow>,
        owner: &Owner,
        accepted: bool,
    ) -> Option<Attribution> {
        let key = question.flow.fold();
        let began = wire.map_or(question.at, |wire| wire.began);
        let at_all = |clock: ClockId| Some(self.span_at_all(clock, began));
        let fitting = |clock: ClockId| Some(self.span_of_fit(clock, began, 0));
        let (mut sure, mut unsure) = (Vec::new(), Vec::new());
        let mut look = |rows: &mut dyn Iterator<Item = u32>| {
            for row in rows {
                let Some(row) = self.connections.get(row as usize) else { continue };
                if !row.is(question.flow) || self.is_clients(row, question.flow, owner) == accepted {
                    continue;
                }
                let host = row.mention.host;
                let (fits, distance, ahead) = match self.clocks.fit(host, row.feed, &row.times, began, 0) {
                    Fit::Agrees { distance, ahead } => (true, distance, ahead),
                    Fit::Unknown { distance } => (false, distance, None),
                    // It began before the capture did: its record is older than the first packet that was seen.
                    Fit::Disagrees if wire.is_none_or(|wire| !wire.whole) => (false, i64::MAX, None),
                    Fit::Disagrees => continue,
                };
                let Some(candidate) = self.candidate(row, distance, ahead) else { continue };
                if fits { sure.push(candidate) } else { unsure.push(candidate) }
            }
            !sure.is_empty()
        };
        if !look(&mut self.tuples.near(key, fitting)) && self.tuples.has_many(key) {
            look(&mut self.tuples.near(key, at_all));
        }
        let known = !sure.is_empty();
        let mut candidates = self.distinct_doers(if known { sure } else { unsure });
        match candidates.as_mut_slice() {
            [] => None,
            [one] if known => {
                let asked = self.asked_by(one, question, began);
                one.also = one.also.or(asked);
                let level = if one.named || asked.is_some() { Level::TupleAndName } else { Level::Tuple };
                let one = *one;
                Some(self.found(level, &one, question, began))
            }
            [one] if !is_fixed(question.flow) => {
                let one = *one;
                Some(self.found(Level::TupleOnly, &one, question, began))
            }
            [_] => None,
            _ => Some(self.ambiguous(&candidates)),
        }
    }

    /// Whether a record is of the end that began the connection: both ends may tell of it.
    fn is_clients(&self, row: &ConnectionRow, flow: Flow, owner: &Owner) -> bool {
        if let Some(initiated) = row.initiated {
            return initiated;
        }
        match row.local_ip() {
            Some(local) if flow.src.ip != flow.dst.ip => local == flow.src.ip,
            _ => owner.may_be(self.hosts.canonical(row.mention.host)) || *owner == Owner::Nobody,
        }
    }

    fn candidate(&self, row: &ConnectionRow, distance: i64, ahead: Option<i64>) -> Option<Candidate> {
        let order = row.times.order().at;
        Some(Candidate {
            host: self.hosts.canonical(row.mention.host),
            process: self.processes.resolve(row.mention, order, &self.hosts, &self.texts)?,
            pid: row.mention.pid,
            feed: row.feed,
            kind: row.kind,
            also: None,
            distance,
            ahead,
            named: row.name.is_some(),
        })
    }

    fn asker(&self, row: &QueryRow, distance: i64, ahead: Option<i64>) -> Option<Candidate> {
        let order = row.times.order().at;
        Some(Candidate {
            host: self.hosts.canonical(row.mention.host),
            process: self.processes.resolve(row.mention, order, &self.hosts, &self.texts)?,
            pid: row.mention.pid,
            feed: row.feed,
            kind: row.kind,
            also: None,
            distance,
            ahead,
            named: true,
        })
    }

    /// Candidates with each process once, nearest first; of what is one process in two feeds, the one that says more.
    fn distinct(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
        self.distinct_by(candidates, |one, other| self.processes.same(one, other, &self.hosts, &self.texts))
    }

    /// The same of records of one connection.
    fn distinct_doers(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
        self.distinct_by(candidates, |one, other| {
            self.processes.same_doer(one, other, &self.hosts, &self.texts)
        })
    }

    fn distinct_by(
        &self,
        mut candidates: Vec<Candidate>,
        same: impl Fn(ProcessId, ProcessId) -> bool,
    ) -> Vec<Candidate> {
        if candidates.len() < 2 {
            return candidates;
        }
        candidates.sort_unstable_by(|one, other| self.rank(one).cmp(&self.rank(other)));
        let mut distinct: Vec<Candidate> = Vec::new();
        for candidate in candidates {
            let known = distinct
                .iter_mut()
                .find(|known| known.host == candidate.host && same(known.process, candidate.process));
            match known {
                Some(known) => {
                    known.process = self.processes.better(known.process, candidate.process);
                    known.named |= candidate.named;
                    known.pid = known.pid.or(candidate.pid);
                }
                None => distinct.push(candidate),
            }
        }
        distinct
    }

    /// An order in which the order of records plays no part.
    fn rank(&self, one: &Candidate) -> impl Ord {
        let kind = one.kind.map_or("", |kind| self.texts.get(kind));
        let (pid, key, began) = self.processes.order(one.process, &self.texts);
        (
            one.distance.saturating_abs(),
            self.hosts.rank(one.host),
            pid,
            key.to_owned(),
            began,
            one.feed,
            kind.to_owned(),
        )
    }

    /// The kind of a record in which the candidate asks for the contact's name, before it.
    fn asked_by(&self, one: &Candidate, question: &Question<'_>, began: Timestamp) -> Option<TextId> {
        let name = self.texts.find(question.name?)?;
        let is_ones = |row: u32| {
            let Some(row) = self.queries.get(row as usize) else { return false };
            let before = began.since(self.wire_time(row));
            let order = row.times.order().at;
            (-ANSWERED_WITHIN..=DAY).contains(&before)
                && self
                    .processes
                    .resolve(row.mention, order, &self.hosts, &self.texts)
                    .is_some_and(|asker| self.processes.same(asker, one.process, &self.hosts, &self.texts))
        };
        let rows = self.hosts.aliases(one.host).iter().flat_map(|host| {
            let spans = |clock| self.spans(clock, began, (DAY, ANSWERED_WITHIN));
            self.asked.nearest((*host, name), spans, is_ones)
        });
        let kinds = rows.filter_map(|row| self.queries.get(row as usize)?.kind);
        kinds.min_by_key(|kind| self.texts.get(*kind))
    }

    /// Questions of a host for a name that were asked about a time, so long before and after it at the most.
    fn asked_rows(
        &self,
        host: HostId,
        name: TextId,
        at: Timestamp,
        (before, after): (i64, i64),
    ) -> impl Iterator<Item = &QueryRow> {
        let rows = self.hosts.aliases(host).iter().flat_map(move |host| {
            self.asked.near((*host, name), move |clock| self.spans(clock, at, (before, after)))
        });
        rows.filter_map(|row| self.queries.get(row as usize))
    }

    /// Where times of a clock are that may be so long before or after a moment of the wire.
    fn spans(&self, clock: ClockId, at: Timestamp, (before, after): (i64, i64)) -> Vec<Span> {
        let at = at.as_nanos();
        let (from, to) = (at.saturating_sub(before), at.saturating_add(after));
        self.clocks.between(clock, from, to, at).into_iter().map(span).collect()
    }

    /// Where times of a clock are that may agree with a moment of the wire.
    fn span_of_fit(&self, clock: ClockId, at: Timestamp, within: i64) -> Span {
        span(self.clocks.reach(clock, at, within))
    }

    /// All times of a clock, those nearest to a moment of the wire first.
    fn span_at_all(&self, clock: ClockId, at: Timestamp) -> Span {
        Span::all(self.span_of_fit(clock, at, 0).about)
    }

    /// When a question was asked, by the wire's clock as far as that is known.
    fn wire_time(&self, row: &QueryRow) -> Timestamp {
        let host = row.mention.host;
        let best = row.times.all().min_by_key(|time| {
            let learned = self.clocks.is_learned(host, row.feed, time.clock);
            (!learned, time.clock == Clock::Skewed && !learned, time.clock)
        });
        self.clocks.to_wire(host, row.feed, best.unwrap_or(row.times.first))
    }

    /// By the only process of the host at this server and port about then, or on this day.
    fn by_destination(
        &mut self,
        question: &Question<'_>,
        began: Timestamp,
        host: HostId,
    ) -> Option<Attribution> {
        let server = question.flow.dst;
        let key = destination(server.ip, server.port)?;
        let (mut same_port, mut about, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for name in self.hosts.aliases(host) {
            let spans = |clock: ClockId| {
                let mut spans = vec![self.span_of_fit(clock, began, DESTINATION_ABOUT)];
                if clock.feed == FeedKind::Defender {
                    spans.extend(self.spans(clock, began, (DAY, DESTINATION_ABOUT)));
                }
                spans
            };
            for row in self.destinations.near((*name, key), spans) {
                let Some(row) = self.connections.get(row as usize) else { continue };
                let remote = row.remote();
                let there = remote.is_some_and(|end| (end.ip, end.port) == (server.ip, Some(server.port)));
                if !there || row.protocol.is_some_and(|protocol| protocol != question.flow.protocol) {
                    continue;
                }
                // A container has an address of its own, which its host puts another in place of.
                let hidden = row.local_ip().is_some_and(|own| {
                    own != question.flow.src.ip
                        && (!can_be_owned(own)
                            || (row.mention.process)
                                .is_some_and(|process| self.processes.is_contained(process)))
                });
                let own_end_known = row.flow().is_some() && !hidden;
                let fit = self.clocks.fit(*name, row.feed, &row.times, began, DESTINATION_ABOUT);
                if let (false, Fit::Agrees { distance, ahead }) = (own_end_known, fit) {
                    let candidate = self.candidate(row, distance, ahead);
                    // Mostly the port stays the same, and then it is this one.
                    if hidden && row.has_port(question.flow.src.port) {
                        same_port.extend(candidate);
                    } else {
                        about.extend(candidate);
                    }
                }
                // This feed tells of one connection of many alike, with the port of that one.
                let time = self.clocks.to_wire(*name, row.feed, row.times.order());
                let since = began.since(time);
                if row.feed == FeedKind::Defender && (-DESTINATION_ABOUT..=DAY).contains(&since) {
                    let candidate = self.candidate(row, since, None);
                    before.extend(candidate.filter(|one| {
                        let at = Timestamp::from_nanos(began.as_nanos());
                        self.processes.lived_about(one.process, at, DESTINATION_ABOUT)
                    }));
                }
            }
        }
        let rungs = [
            (Level::Destination, same_port),
            (Level::Destination, about),
            (Level::DestinationBefore, before),
        ];
        for (level, candidates) in rungs {
            let mut candidates = self.distinct(candidates);
            if candidates.len() > 1 {
                // Of several at one server, the one that asked for this name.
                let asked: Vec<Candidate> = (candidates.iter())
                    .filter(|one| {
                        one.named && question.name.is_some() || self.asked_by(one, question, began).is_some()
                    })
                    .copied()
                    .collect();
                if asked.len() == 1 {
                    candidates = asked;
                }
            }
            match candidates.as_slice() {
                [] => {}
                [one] => {
                    let one = *one;
                    return Some(self.found(level, &one, question, began));
                }
                _ => return Some(self.ambiguous(&candidates)),
            }
        }
        None
    }

    /// By who asked for the name, or has it in the command line.
    fn by_name(&mut self, question: &Question<'_>, began: Timestamp, host: HostId) -> Option<Attribution> {
        let name = self.texts.find(question.name?)?;
        let (with_answer, about) = self.askers(host, name, question, began);
        let commands = self.commanders(host, name, began);
        for (level, candidates) in
            [(Level::DnsAnswer, with_answer), (Level::Name, about), (Level::CommandLine, commands)]
        {
            match candidates.as_slice() {
                [] => {}
                [one] => {
                    let one = *one;
                    return Some(self.found(level, &one, question, began));
                }
                _ => return Some(self.ambiguous(&candidates)),
            }
        }
        None
    }

    /// Who asked for a name before a connection: those whose answer was its server, and those that asked about then.
    fn askers(
        &self,
        host: HostId,
        name: TextId,
        question: &Question<'_>,
        began: Timestamp,
    ) -> (Vec<Candidate>, Vec<Candidate>) {
        let (mut with_answer, mut about) = (Vec::new(), Vec::new());
        let rows = self.asked_rows(host, name, began, (ASKED_BEFORE, ANSWERED_WITHIN));
        for row in rows.filter(|row| !row.cached) {
            let since = began.since(self.wire_time(row));
            let Some(candidate) = self.asker(row, since, None) else { continue };
            if question.is_server
                && row.addresses.contains(&question.flow.dst.ip)
                && (-ANSWERED_WITHIN..=ASKED_BEFORE).contains(&since)
            {
                with_answer.push(candidate);
            } else if since.abs() <= ANSWERED_WITHIN {
                about.push(candidate);
            }
        }
        (self.without_lookers(self.distinct(with_answer)), self.without_lookers(self.distinct(about)))
    }

    /// Leaves out what looks up what others ask for, where there is somebody else.
    fn without_lookers(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
        if candidates.len() < 2 {
            return candidates;
        }
        let others: Vec<Candidate> =
            candidates.iter().filter(|one| self.delegate(one.process).is_none()).copied().collect();
        if others.is_empty() { candidates } else { others }
    }

    /// Processes that lived about a time and whose command line holds the name; of those that started one another, the last.
    fn commanders(&self, host: HostId, name: TextId, at: Timestamp) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = Vec::new();
        // Who began later is nobody; who began before may live still.
        let rows = self.hosts.aliases(host).iter().flat_map(|host| {
            let about = at.as_nanos().saturating_add(self.event_ahead(*host, FeedKind::Sysmon, at));
            let (first, to) = (about.saturating_sub(COMMAND_ABOUT), about.saturating_add(COMMAND_ABOUT));
            let span = move |lived: Lived| Span { from: first.saturating_sub(lived.most()), to, about };
            self.commands.near((*host, name), move |lived| Some(span(lived)))
        });
        for process in rows.map(ProcessId::from_number) {
            let Some((of, pid_host)) = self.processes.host(process).map(|of| (self.hosts.canonical(of), of))
            else {
                continue;
            };
            let ahead = self.event_ahead(pid_host, FeedKind::Sysmon, at);
            let at = Timestamp::from_nanos(at.as_nanos().saturating_add(ahead));
            let lived = self.processes.began_about(process, at, COMMAND_ABOUT)
                || self.processes.lived_about(process, at, COMMAND_ABOUT)
                    && self.processes.ended_or_began_known(process);
            if of == host && lived && self.delegate(process).is_none() {
                let kind = self.processes.start_kind(process);
                let feed = FeedKind::Sysmon;
                found.push(Candidate {
                    host,
                    process,
                    pid: None,
                    feed,
                    kind,
                    also: None,
                    distance: 0,
                    ahead: None,
                    named: true,
                });
            }
        }
        let found = self.distinct(found);
        let started_other = |one: &&Candidate| {
            !found.iter().any(|other| {
                other.process != one.process
                    && self.processes.is_ancestor(one.process, other.process, &self.hosts, &self.texts)
            })
        };
        found.iter().filter(started_other).copied().collect()
    }

    /// Who asked a question of DNS: the process of the record of that question, and never the resolver that sent the packet.
    fn of_question(&mut self, question: &Question<'_>, owner: &Owner) -> Attribution {
        let Owner::One(host) = *owner else { return self.nobody(question, owner) };
        let Some(name) = question.name.and_then(|name| self.texts.find(name)) else {
            return self.nobody(question, owner);
        };
        let mut candidates = Vec::new();
        let rows = self.hosts.aliases(host).iter().flat_map(|host| {
            self.asked
                .near((*host, name), |clock| Some(self.span_of_fit(clock, question.at, ANSWERED_WITHIN)))
        });
        let rows = rows.filter_map(|row| self.queries.get(row as usize));
        for row in rows.filter(|row| !row.cached) {
            let fit = self.clocks.fit(row.mention.host, row.feed, &row.times, question.at, ANSWERED_WITHIN);
            if let Fit::Agrees { distance, ahead } = fit {
                candidates.extend(self.asker(row, distance, ahead));
            }
        }
        let candidates = self.without_lookers(self.distinct(candidates));
        let first = match candidates.as_slice() {
            [one] => Some(*one),
            // Who asked first caused the packet; who asked later was answered from the cache.
            [one, other, ..] if other.distance - one.distance >= FIRST_BY && one.distance <= FIRST_BY => {
                Some(*one)
            }
            [] => None,
            _ => return self.ambiguous(&candidates),
        };
        if let Some(first) = first {
            return self.found(Level::DnsAnswer, &first, question, question.at);
        }
        let commands = self.commanders(host, name, question.at);
        match commands.as_slice() {
            [] => self.nobody(question, owner),
            [one] => {
                let one = *one;
                self.found(Level::CommandLine, &one, question, question.at)
            }
            _ => self.ambiguous(&commands),
        }
    }

    /// Why a process's connections are not its own, if they are not.
    fn delegate(&self, process: ProcessId) -> Option<Arc<str>> {
        let mut known = self.known_delegates.borrow_mut();
        let kind = || {
            let image = self.processes.image(process, &self.texts);
            let command_line = self.processes.command_line(process, &self.texts);
            self.delegates.kind(self.processes.pid(process), image, command_line).cloned()
        };
        known.entry(process.number()).or_insert_with(kind).clone()
    }

    /// For whom a delegate acted: the only process that asked for the name, or else the only one with it in its command line.
    fn delegated(&mut self, one: &Candidate, question: &Question<'_>, began: Timestamp) -> Option<Delegated> {
        let kind = self.delegate(one.process)?;
        let mut found = None;
        if let Some(name) = question.name.and_then(|name| self.texts.find(name)) {
            let own = |candidates: Vec<Candidate>| -> Vec<Candidate> {
                (candidates.into_iter()).filter(|one| self.delegate(one.process).is_none()).collect()
            };
            let (with_answer, about) = self.askers(one.host, name, question, began);
            let rungs = [
                (Level::DnsAnswer, own(with_answer)),
                (Level::Name, own(about)),
                (Level::CommandLine, self.commanders(one.host, name, began)),
            ];
            found = rungs.into_iter().find_map(|(level, candidates)| match candidates.as_slice() {
                [one] => Some((level, *one)),
                _ => None,
            });
        }
        let (level, likely) = found.unzip();
        let likely = likely.map(|likely: Candidate| self.make(&likely, began));
        Some(Delegated { kind, likely, level })
    }

    fn make(&mut self, one: &Candidate, at: Timestamp) -> Arc<super::super::attribution::Process> {
        let host = self.processes.host(one.process).unwrap_or(one.host);
        let ahead = self.event_ahead(host, one.feed, at);
        let made = self.processes.make(one.process, ahead, &self.texts);
        match one.pid {
            Some(pid) if made.pid.is_none() => {
                Arc::new(super::super::attribution::Process { pid: Some(pid), ..(*made).clone() })
            }
            _ => made,
        }
    }

    fn found(
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
    fn ambiguous(&mut self, candidates: &[Candidate]) -> Attribution {
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
    fn nobody(&mut self, question: &Question<'_>, owner: &Owner) -> Attribution {
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

    fn some_hosts(
        &mut self,
        hosts: impl Iterator<Item = HostId>,
    ) -> Vec<Arc<super::super::attribution::Host>> {
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
                let time = super::super::record::Time { at, clock: clock.clock };
                self.clocks.to_wire(clock.host, clock.feed, time)
            };
            if at.since(wire(*from)) >= -COVERED_ABOUT && at.since(wire(*to)) <= COVERED_ABOUT {
                feeds.push(clock.feed);
            }
        }
        feeds.into_iter().min()
    }

    /// Whose address this is: the host, for whoever wants to name no process.
    pub fn host_of(&mut self, ip: IpAddr, at: Timestamp) -> Option<Arc<super::super::attribution::Host>> {
        match self.hosts.owner(ip, at) {
            Owner::One(host) => Some(self.host(host)),
            _ => None,
        }
    }
}

fn span((from, to, about): Reach) -> Span {
    Span { from, to, about }
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
