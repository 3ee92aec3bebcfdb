//! The ladder of evidence: from the five-tuple down to nothing at all, and no lower rung overrides a higher one.

use super::super::attribution::{Attribution, AttributionLevel as Level};
use super::super::clocks::{ClockId, Fit, Reach};
use super::super::hosts::{HostId, Owner, can_be_owned};
use super::super::processes::{Mention, ProcessId};
use super::super::record::{Clock, FeedKind};
use super::super::texts::TextId;
use super::both::Found;
use super::index::Span;
use super::verdict::{ActsFor, Verdict};
use super::{ConnectionRow, Join, Lived, QueryRow, SECOND, WireRow, destination, is_fixed};
use crate::capture::Timestamp;
use crate::flow::Flow;
use crate::hands::each;

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
pub(super) struct Candidate {
    pub(super) host: HostId,
    pub(super) process: ProcessId,
    /// Its number, where the process itself has none and another record of the same has.
    pub(super) pid: Option<u32>,
    pub(super) feed: FeedKind,
    /// The kind of its record.
    pub(super) kind: Option<TextId>,
    /// Another kind of record that says the same.
    pub(super) also: Option<TextId>,
    /// How far its record is from the contact, in nanoseconds.
    pub(super) distance: i64,
    pub(super) ahead: Option<i64>,
    /// Whether its record says which name it was.
    pub(super) named: bool,
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
pub(super) const ANSWERED_WITHIN: i64 = 10 * SECOND;
/// Nanoseconds by which the first of several askers has to be ahead of the next, to be the one that caused the packet.
const FIRST_BY: i64 = SECOND;

/// Processes that may be it: mostly one, which needs no memory of its own.
#[derive(Default)]
struct Several {
    first: Option<Candidate>,
    more: Vec<Candidate>,
}

impl Several {
    fn push(&mut self, one: Candidate) {
        match self.first {
            None => self.first = Some(one),
            Some(_) => self.more.push(one),
        }
    }

    fn into_all(self) -> Vec<Candidate> {
        self.first.into_iter().chain(self.more).collect()
    }
}

impl Join {
    /// Says who made a contact, as of all that is known by now.
    pub fn attribute(&mut self, question: &Question<'_>) -> Attribution {
        self.hosts.settle();
        self.index_rows();
        let verdict = self.find(question, self.both.find(question.flow.fold()));
        self.tell(verdict)
    }

    /// Says who made each of these, as of all that is known by now, in their order: the same as if they were asked for one by one, but the
    /// search is done by all hands.
    pub fn attribute_all<T: Sync>(
        &mut self,
        asked: Vec<T>,
        question: impl for<'t> Fn(&'t T) -> Question<'t> + Sync,
        tell: &mut dyn FnMut(T, Attribution),
    ) {
        // So many that it pays to hand them out; and so few, where there is one hand, that what was found is still in its cache.
        const EACH: usize = 4096;
        // Smaller pieces than there are hands for, so that nobody waits long for the last of them.
        const PIECE: usize = 512;
        self.hosts.settle();
        self.index_rows();
        let hands = self.hands.clone();
        let block = if hands.count() > 1 { EACH * hands.count() } else { Self::LOOKED_UP };
        // The same memory for all blocks.
        let mut verdicts: Vec<Option<Verdict>> = Vec::new();
        verdicts.resize_with(block.min(asked.len()), || None);
        let mut asked = asked.into_iter();
        while !asked.as_slice().is_empty() {
            let pieces = asked.as_slice().chunks(PIECE).zip(verdicts.chunks_mut(PIECE));
            each(&*hands, pieces, |(asked, verdicts)| self.find_all(asked, &question, verdicts));
            for verdict in verdicts.iter_mut().filter_map(Option::take) {
                let attribution = self.tell(verdict);
                if let Some(one) = asked.next() {
                    tell(one, attribution);
                }
            }
        }
    }

    fn find_all<T>(
        &self,
        asked: &[T],
        question: &impl for<'t> Fn(&'t T) -> Question<'t>,
        verdicts: &mut [Option<Verdict>],
    ) {
        for (block, verdicts) in asked.chunks(Self::LOOKED_UP).zip(verdicts.chunks_mut(Self::LOOKED_UP)) {
            let found = self.found(block.iter().map(|one| question(one).flow));
            for ((one, found), verdict) in block.iter().zip(found).zip(verdicts) {
                *verdict = Some(self.find(&question(one), found));
            }
        }
    }

    /// Finds who made a contact, of whose connection this is known.
    fn find(&self, question: &Question<'_>, found: Option<Found<'_>>) -> Verdict {
        let client = question.flow.src.ip;
        let owner = self.hosts.owner(client, question.at);
        if question.is_dns {
            return self.of_question(question, &owner);
        }
        let wire = self.began(question, found);
        // A lease gives no name that overrules the record of a connection.
        let leased;
        let told = match self.hosts.leases.is_empty() {
            true => &owner,
            false => {
                leased = self.hosts.told_owner(client, question.at);
                &leased
            }
        };
        if let Some(verdict) = self.by_tuple(question, found, wire, told, false) {
            return verdict;
        }
        if question.or_server
            && let Some(verdict) = self.by_tuple(question, found, wire, told, true)
        {
            return verdict.accepted();
        }
        let began = wire.map_or(question.at, |wire| wire.began);
        let Owner::One(host) = owner else { return self.nobody(question, &owner) };
        if let Some(verdict) = self.by_destination(question, began, host) {
            return verdict;
        }
        if let Some(verdict) = self.by_name(question, began, host) {
            return verdict;
        }
        self.nobody(question, &owner)
    }

    /// The connection of the wire that a contact belongs to: of those with its ends, the last that began before it.
    fn began(&self, question: &Question<'_>, found: Option<Found<'_>>) -> Option<WireRow> {
        let (rows, head) = found?.wire;
        let at = question.at.as_nanos();
        let before = Span { from: i64::MIN, to: at, about: at };
        let after = Span { from: at.saturating_add(1), to: i64::MAX, about: at };
        // The last one before it; or else the first one after it, for captures run backwards.
        let rank = |row: &WireRow| match question.at.since(row.began) {
            since @ 0.. => (false, since, !row.whole),
            since => (true, since.saturating_neg(), !row.whole),
        };
        let mut best: Option<WireRow> = None;
        let is = |row: u32| self.wire.get(row as usize).is_some_and(|row| row.flow.is_of(&question.flow));
        rows.nearest(
            head,
            |()| [before, after],
            is,
            |row| {
                if let Some(row) = self.wire.get(row as usize)
                    && best.is_none_or(|best| rank(row) < rank(&best))
                {
                    best = Some(*row);
                }
            },
        );
        best
    }

    /// By the exact five-tuple.
    fn by_tuple(
        &self,
        question: &Question<'_>,
        found: Option<Found<'_>>,
        wire: Option<WireRow>,
        owner: &Owner,
        accepted: bool,
    ) -> Option<Verdict> {
        let (rows, head) = found?.feed;
        let began = wire.map_or(question.at, |wire| wire.began);
        let at_all = |clock: ClockId| Some(self.span_at_all(clock, began));
        let fitting = |clock: ClockId| Some(self.span_of_fit(clock, began, 0));
        let (mut sure, mut unsure) = (Several::default(), Several::default());
        let look = |row: u32, sure: &mut Several, unsure: &mut Several| {
            let Some(row) = self.connections.get(row as usize) else { return };
            if !row.is(question.flow) || self.is_clients(row, question.flow, owner) == accepted {
                return;
            }
            let host = row.mention.host;
            let (fits, distance, ahead) = match self.clocks.fit(host, row.feed, &row.times, began, 0) {
                Fit::Agrees { distance, ahead } => (true, distance, ahead),
                Fit::Unknown { distance } => (false, distance, None),
                // It began before the capture did: its record is older than the first packet that was seen.
                Fit::Disagrees if wire.is_none_or(|wire| !wire.whole) => (false, i64::MAX, None),
                Fit::Disagrees => return,
            };
            let Some(candidate) = self.candidate(row, distance, ahead) else { return };
            if fits { sure.push(candidate) } else { unsure.push(candidate) }
        };
        rows.tell_near(head, fitting, |row| look(row, &mut sure, &mut unsure));
        if sure.first.is_none() && rows.has_many(head) {
            rows.tell_near(head, at_all, |row| look(row, &mut sure, &mut unsure));
        }
        let known = sure.first.is_some();
        let mut several = if known { sure } else { unsure };
        if !several.more.is_empty() {
            let mut distinct = self.distinct_doers(several.into_all()).into_iter();
            several = Several { first: distinct.next(), more: distinct.collect() };
        }
        let mut one = several.first?;
        if !several.more.is_empty() {
            return Some(self.ambiguous(&several.into_all()));
        }
        if known {
            let asked = self.asked_by(&one, question, began);
            one.also = one.also.or(asked);
            let level = if one.named || asked.is_some() { Level::TupleAndName } else { Level::Tuple };
            return Some(self.verdict(level, &one, question, began));
        }
        (!is_fixed(question.flow)).then(|| self.verdict(Level::TupleOnly, &one, question, began))
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

    /// The process of a record of a connection, which is so far from the contact.
    pub(super) fn candidate(
        &self,
        row: &ConnectionRow,
        distance: i64,
        ahead: Option<i64>,
    ) -> Option<Candidate> {
        let one = self.mentioned(row.mention, row.times.order().at, row.feed)?;
        Some(Candidate { kind: row.kind, distance, ahead, named: row.name.is_some(), ..one })
    }

    /// The process of a record of a question.
    pub(super) fn asker(&self, row: &QueryRow, distance: i64, ahead: Option<i64>) -> Option<Candidate> {
        let one = self.mentioned(row.mention, row.times.order().at, row.feed)?;
        Some(Candidate { kind: row.kind, distance, ahead, named: true, ..one })
    }

    /// The process that a record mentions, at its own time.
    fn mentioned(&self, mention: Mention, at: Timestamp, feed: FeedKind) -> Option<Candidate> {
        Some(Candidate {
            host: self.hosts.canonical(mention.host),
            process: self.processes.resolve(mention, at, &self.hosts, &self.texts)?,
            pid: mention.pid,
            feed,
            kind: None,
            also: None,
            distance: 0,
            ahead: None,
            named: false,
        })
    }

    /// Candidates with each process once, nearest first; of what is one process in two feeds, the one that says more.
    pub(super) fn distinct(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
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
        let mut first: Option<TextId> = None;
        for host in self.hosts.aliases(one.host) {
            let spans = |clock| self.spans(clock, began, (DAY, ANSWERED_WITHIN));
            self.asked.nearest((*host, name), spans, is_ones, |row| {
                let kind = self.queries.get(row as usize).and_then(|row| row.kind);
                first = first.into_iter().chain(kind).min_by_key(|kind| self.texts.get(*kind));
            });
        }
        first
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
    pub(super) fn span_at_all(&self, clock: ClockId, at: Timestamp) -> Span {
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
    fn by_destination(&self, question: &Question<'_>, began: Timestamp, host: HostId) -> Option<Verdict> {
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
            for row in self.destinations().near((*name, key), spans) {
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
                [one] => return Some(self.verdict(level, one, question, began)),
                _ => return Some(self.ambiguous(&candidates)),
            }
        }
        None
    }

    /// By who asked for the name, or has it in the command line.
    fn by_name(&self, question: &Question<'_>, began: Timestamp, host: HostId) -> Option<Verdict> {
        let name = self.texts.find(question.name?)?;
        let (with_answer, about) = self.askers(host, name, question, began);
        let commands = self.commanders(host, name, began);
        for (level, candidates) in
            [(Level::DnsAnswer, with_answer), (Level::Name, about), (Level::CommandLine, commands)]
        {
            match candidates.as_slice() {
                [] => {}
                [one] => return Some(self.verdict(level, one, question, began)),
                _ => return Some(self.ambiguous(&candidates)),
            }
        }
        None
    }

    /// Who asked for a name before a connection: those whose answer was its server, and those that asked about then.
    pub(super) fn askers(
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
    pub(super) fn without_lookers(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
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
    fn of_question(&self, question: &Question<'_>, owner: &Owner) -> Verdict {
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
            return self.verdict(Level::DnsAnswer, &first, question, question.at);
        }
        let commands = self.commanders(host, name, question.at);
        match commands.as_slice() {
            [] => self.nobody(question, owner),
            [one] => self.verdict(Level::CommandLine, one, question, question.at),
            _ => self.ambiguous(&commands),
        }
    }

    /// Where in the table of delegates a process stands whose connections are not its own.
    pub(super) fn delegate(&self, process: ProcessId) -> Option<usize> {
        let place = self.processes.acts(process, || {
            let image = self.processes.image(process, &self.texts);
            let command_line = self.processes.command_line(process, &self.texts);
            let place = self.delegates.place(self.processes.pid(process), image, command_line);
            place.map_or(0, |place| place as u32 + 1)
        });
        (place as usize).checked_sub(1)
    }

    /// For whom a delegate acted: the only process that asked for the name, or else the only one with it in its command line.
    pub(super) fn acts_for(
        &self,
        one: &Candidate,
        question: &Question<'_>,
        began: Timestamp,
    ) -> Option<ActsFor> {
        let place = self.delegate(one.process)?;
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
        Some(ActsFor { place, likely: found })
    }
}

fn span((from, to, about): Reach) -> Span {
    Span { from, to, about }
}
