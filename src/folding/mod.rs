//! Findings folded: one alert and one summary for what belongs together.
//!
//! An alert stands for all contacts of one client, by one process where that is known, with one service until the repeat window is over,
//! a summary for all of them at the end. Time comes with the findings, and in a live sensor by [`Folder::tick`].
//!
//! `group` keeps the alert and the summary of a group up to date; `known` is for findings that were taken before it was known who made them.

mod group;
mod known;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::capture::Timestamp;
use crate::inspect::SeenIn;
use crate::originator::{Attribution, AttributionLevel};
use crate::rules::{Alert, Finding, Summary};
use crate::sink::Record;

/// How findings are folded.
#[derive(Clone, Copy, Debug)]
pub struct Folding {
    /// A client that goes on contacting a service is told of again after so many nanoseconds.
    pub repeat_window: i64,
    /// What belongs to one page load: for so many nanoseconds after its first contact an alert waits for the connection that
    /// follows the DNS question, and for the other ways in which the name is seen.
    pub settle: i64,
    /// Tell an alert at its first contact, and again when it settles if it says more by then (a live sensor); otherwise tell it
    /// once, when it has settled (a replay).
    pub at_once: bool,
}

impl Folding {
    /// One hour: a beacon is a few lines a shift.
    pub const REPEAT_WINDOW: i64 = 3600 * SECOND;
    /// Ten seconds: a resolver's retries (5 s), then a handshake's.
    pub const SETTLE: i64 = 10 * SECOND;

    /// As a replay folds: every alert once, when all that belongs to it is known.
    pub const fn replay() -> Self {
        Self { repeat_window: Self::REPEAT_WINDOW, settle: Self::SETTLE, at_once: false }
    }

    /// As a live sensor folds: every alert at once, and again when it says more.
    pub const fn live() -> Self {
        Self { at_once: true, ..Self::replay() }
    }
}

const SECOND: i64 = 1_000_000_000;

/// Folds findings into alerts and summaries.
#[derive(Debug)]
pub struct Folder {
    folding: Folding,
    groups: FxHashMap<GroupKey, Box<Group>>,
    /// Groups in the order in which they were opened.
    opened: VecDeque<GroupKey>,
    /// Alerts that have not settled, in the order in which they were opened.
    unsettled: VecDeque<(GroupKey, Timestamp)>,
    /// Which group has the alert that was pending in another, while some contacts of it are pending.
    taken: FxHashMap<GroupKey, GroupKey>,
    closed_early: u64,
}

/// What belongs together.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct GroupKey {
    client: IpAddr,
    service: Box<str>,
    /// The process, by its host and what tells it from others; nothing where none is named.
    process: Option<Box<str>>,
}

impl GroupKey {
    fn of(finding: &Finding) -> Self {
        Self {
            client: finding.contact.observation.flow.src.ip,
            service: finding.contact.entry.service().into(),
            process: process(&finding.attribution),
        }
    }

    /// The key of what no process is named for.
    fn of_nobody(&self) -> Self {
        Self { process: None, ..self.clone() }
    }
}

/// What tells a process from all others.
fn process(attribution: &Attribution) -> Option<Box<str>> {
    let process = attribution.process.as_deref()?;
    let host = attribution.host.as_deref().map_or("", |host| &host.name);
    let (pid, name) = (process.pid, process.executable.as_deref().or(process.name.as_deref()));
    let text = match (&process.entity_id, process.started) {
        (Some(id), _) => format!("{host}\n{id}\n{pid:?}"),
        (None, Some(started)) => format!("{host}\n{pid:?}\n{}", started.as_nanos()),
        (None, None) => format!("{host}\n{pid:?}\n{}", name.unwrap_or_default()),
    };
    Some(text.into())
}

/// All contacts of one client with one service, by one process.
#[derive(Debug)]
struct Group {
    summary: Summary,
    /// When the last alert was opened.
    first: Timestamp,
    /// That alert, until it has settled: till then it may come to say more.
    alert: Option<Box<Alert>>,
    /// Whether `alert` says more than was told of it.
    grown: bool,
    /// What was told while the process was not known: it is told again when it is.
    pending: Option<Box<Alert>>,
    /// How many contacts of that alert are pending, by the way in which their names were seen.
    unknown: BTreeMap<SeenIn, u32>,
    /// The one of those for which nobody is named that says most, while others are pending.
    nobodys: Option<Box<Finding>>,
    /// That alert, when one of its contacts has a process and others are pending.
    claimed: Option<Box<Claimed>>,
}

/// An alert that has the process of one of its contacts.
#[derive(Debug)]
struct Claimed {
    /// As it was told.
    alert: Alert,
    /// Of what is known to be of this process, what says most.
    own: Finding,
    /// The ways in which it was seen.
    ways: BTreeSet<SeenIn>,
    /// Whether the alert shows a contact of which it is not known yet.
    keeps: bool,
}

impl Folder {
    /// The most pairs of client and service that are kept; the oldest is summarised early when there are more. 32,768 pairs are
    /// a busy day of a large network, and some 40 MiB.
    pub const MOST_GROUPS: usize = 32_768;

    /// How many alerts that have not settled are looked through for the one that a question belongs to: those of a busy second.
    const MOST_NEIGHBOURS: usize = 256;

    /// A Folder that has seen nothing.
    pub fn new(folding: Folding) -> Self {
        Self {
            folding,
            groups: FxHashMap::default(),
            opened: VecDeque::new(),
            unsettled: VecDeque::new(),
            taken: FxHashMap::default(),
            closed_early: 0,
        }
    }

    /// Alerts stand for this many nanoseconds from now on.
    pub const fn set_repeat_window(&mut self, repeat_window: i64) {
        self.folding.repeat_window = repeat_window;
    }

    /// Takes the next finding.
    pub fn finding(&mut self, mut finding: Finding, tell: &mut dyn FnMut(Record)) {
        let at = finding.contact.observation.at;
        self.tick(at, tell);
        let key = GroupKey::of(&finding);
        self.adopt(&key, at);
        let key = self.neighbour(key, &finding);
        match self.groups.get_mut(&key) {
            Some(group) => {
                group.add_to_summary(&mut finding);
                if at.since(group.first) > self.folding.repeat_window {
                    if let Some(settled) = group.settle() {
                        tell(Record::Alert(settled));
                    }
                    self.open_alert(key, finding, tell);
                } else if at.since(group.first) <= self.folding.settle {
                    group.add_to_alert(finding);
                }
            }
            None => {
                self.make_room(tell);
                finding.contact.observation.detail.settle();
                let summary = summary(identity(&key, at), &finding);
                let mut group = Group::new(summary, at);
                group.add_to_summary(&mut finding);
                self.groups.insert(key.clone(), Box::new(group));
                self.opened.push_back(key.clone());
                self.open_alert(key, finding, tell);
            }
        }
    }

    /// Puts the group of one key under another; what is there already takes it in.
    fn put(&mut self, before: &GroupKey, key: GroupKey, group: Box<Group>) {
        let place = self.opened.iter().rposition(|opened| opened == before);
        if let Some(there) = self.groups.get_mut(&key) {
            there.take_in(group.summary);
            if let Some(place) = place.filter(|_| *before != key) {
                self.opened.remove(place);
            }
            return;
        }
        if group.alert.is_some() {
            self.unsettled.push_back((key.clone(), group.first));
        }
        match place.and_then(|place| self.opened.get_mut(place)) {
            Some(opened) => opened.clone_from(&key),
            None => self.opened.push_back(key.clone()),
        }
        self.groups.insert(key, group);
    }

    /// Questions of which nobody is known to have asked them, just before the first connection of a process to the same service, are of
    /// this process's page load.
    fn adopt(&mut self, key: &GroupKey, at: Timestamp) {
        if key.process.is_none() || self.folding.at_once || self.groups.contains_key(key) {
            return;
        }
        let nobody = key.of_nobody();
        let is_of_it = self.groups.get(&nobody).is_some_and(|group| {
            let asked_only = group
                .alert
                .as_ref()
                .is_some_and(|alert| !alert.finding.contact.observation.seen_in.is_connection());
            asked_only && at.since(group.summary.first) <= self.folding.settle
        });
        if is_of_it && let Some(mut group) = self.groups.remove(&nobody) {
            let id = identity(key, group.first);
            group.summary.id = id;
            if let Some(alert) = &mut group.alert {
                alert.id = id;
            }
            self.put(&nobody, key.clone(), group);
        }
    }

    /// The group of a finding: what nobody is named for belongs to the one process that had to do with the service just before it.
    fn neighbour(&self, key: GroupKey, finding: &Finding) -> GroupKey {
        let asked = !finding.contact.observation.seen_in.is_connection();
        if key.process.is_some() || self.folding.at_once || !asked || self.groups.contains_key(&key) {
            return key;
        }
        let at = finding.contact.observation.at;
        let recent = self.unsettled.iter().rev().take(Self::MOST_NEIGHBOURS);
        let mut near = recent
            .filter(|(other, first)| {
                other.process.is_some()
                    && (other.client, &other.service) == (key.client, &key.service)
                    && at.since(*first) <= self.folding.settle
            })
            .map(|(other, _)| other);
        match (near.next(), near.next()) {
            (Some(one), None) => one.clone(),
            _ => key,
        }
    }

    /// Tells the alerts that have settled by `now`.
    pub fn tick(&mut self, now: Timestamp, tell: &mut dyn FnMut(Record)) {
        while let Some((key, first)) = self.unsettled.front() {
            if now.since(*first) <= self.folding.settle {
                return;
            }
            if let Some(group) = self.groups.get_mut(key)
                && group.first == *first
                && let Some(settled) = group.settle()
            {
                tell(Record::Alert(settled));
            }
            self.unsettled.pop_front();
        }
    }

    /// Tells what is left: alerts that have not settled, then a summary of each group, in the order in which they were opened.
    pub fn finish(mut self, tell: &mut dyn FnMut(Record)) {
        self.tick(Timestamp::from_nanos(i64::MAX), tell);
        while let Some((key, _)) = self.unsettled.pop_front() {
            if let Some(settled) = self.groups.get_mut(&key).and_then(|group| group.settle()) {
                tell(Record::Alert(settled));
            }
        }
        for key in self.opened {
            if let Some(group) = self.groups.remove(&key) {
                tell(Record::Summary(group.summary));
            }
        }
    }

    /// How many groups were summarised early because [`Self::MOST_GROUPS`] was reached.
    pub const fn closed_early(&self) -> u64 {
        self.closed_early
    }

    fn open_alert(&mut self, key: GroupKey, finding: Finding, tell: &mut dyn FnMut(Record)) {
        let Some(group) = self.groups.get_mut(&key) else { return };
        let mut alert = Box::new(alert(&key, finding));
        group.first = alert.first;
        group.grown = !self.folding.at_once;
        if self.folding.at_once {
            tell(Record::Alert((*alert).clone()));
            alert.update = true;
            alert.told_as = Some(alert.finding.level);
        }
        if is_pending(&alert.finding) {
            group.pending = Some(alert.clone());
            group.unknown = alert.seen_in.iter().map(|way| (*way, 1)).collect();
            (group.nobodys, group.claimed) = (None, None);
        }
        self.unsettled.push_back((key, alert.first));
        group.alert = Some(alert);
    }

    fn make_room(&mut self, tell: &mut dyn FnMut(Record)) {
        while self.groups.len() >= Self::MOST_GROUPS {
            let Some(oldest) = self.opened.pop_front() else { return };
            if let Some(mut group) = self.groups.remove(&oldest) {
                if let Some(settled) = group.settle() {
                    tell(Record::Alert(settled));
                }
                self.closed_early += 1;
                self.taken.remove(&oldest.of_nobody());
                tell(Record::Summary(group.summary));
            }
        }
    }
}

/// Whether it may yet become known who made a contact.
fn is_pending(finding: &Finding) -> bool {
    finding.attribution.level == AttributionLevel::Pending
}

/// Whether a finding stands better for the contacts of a page load than another: by its level, then as a connection, which names
/// the server and not the resolver, and then by how surely its process is known.
fn says_more(finding: &Finding, than: &Finding) -> bool {
    let rank = |finding: &Finding| {
        let is_connection = finding.contact.observation.seen_in.is_connection();
        (finding.level, is_connection, finding.attribution.level)
    };
    rank(finding) > rank(than)
}

fn alert(key: &GroupKey, mut finding: Finding) -> Alert {
    finding.contact.observation.detail.settle();
    let observation = &finding.contact.observation;
    let first = observation.at;
    let seen_in: BTreeSet<SeenIn> = [observation.seen_in].into();
    Alert { id: identity(key, first), update: false, told_as: None, first, finding, seen_in }
}

fn summary(id: u64, finding: &Finding) -> Summary {
    let at = finding.contact.observation.at;
    Summary {
        id,
        finding: finding.clone(),
        first: at,
        last: at,
        count: 0,
        connections: 0,
        seen_in: Default::default(),
        hostnames: Default::default(),
        destinations: Default::default(),
        ports: Default::default(),
        values_left_out: 0,
        one_path: true,
    }
}

/// The same for the same input on every machine, and in every version that folds in the same way.
fn identity(key: &GroupKey, first: Timestamp) -> u64 {
    let GroupKey { client, service, process } = key;
    let mut text = format!("{client}\n{service}\n{}", first.as_nanos());
    if let Some(process) = process {
        text.push('\n');
        text.push_str(process);
    }
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |id, byte| id << 8 | u64::from(*byte))
}
