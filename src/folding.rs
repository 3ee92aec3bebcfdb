//! Findings folded: one alert and one summary for what belongs together.
//!
//! An alert stands for all contacts of one client, by one process where that is known, with one service until the repeat window is over,
//! a summary for all of them at the end. Time comes with the findings, and in a live sensor by [`Folder::tick`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use rustc_hash::FxHashMap;

use crate::capture::Timestamp;
use crate::inspect::{Observation, SeenIn};
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

    /// Takes of a finding that was taken as pending who made it, or that nobody will be named: tells the alert that it belongs to again. The
    /// first that has a process gives it to the alert; what turns out to be another one's later is taken out of it, and told for itself.
    pub fn known(&mut self, finding: Finding, tell: &mut dyn FnMut(Record)) {
        let key = GroupKey::of(&finding);
        let nobody = key.of_nobody();
        let at = finding.contact.observation.at;
        if self.groups.get(&nobody).is_some_and(|group| group.pending.is_some() && group.first <= at) {
            self.known_of_pending(key, nobody, finding, tell);
        } else if let Some(taken) = self.taken.get(&nobody).cloned()
            && self.groups.get(&taken).is_some_and(|group| group.claimed.is_some())
        {
            self.known_of_claimed(key, &taken, finding, tell);
        } else {
            self.taken.remove(&nobody);
            match self.groups.get_mut(&key) {
                Some(group) if says_more(&finding, &group.summary.finding) => group.summary.finding = finding,
                Some(_) => {}
                None => self.finding(finding, tell),
            }
        }
    }

    /// The same of an alert for which there is no process yet.
    fn known_of_pending(
        &mut self,
        key: GroupKey,
        nobody: GroupKey,
        finding: Finding,
        tell: &mut dyn FnMut(Record),
    ) {
        let Some(group) = self.groups.get_mut(&nobody) else { return };
        group.learn(&finding);
        let nobodys = group.nobodys.take();
        let mut ways = BTreeSet::from([finding.contact.observation.seen_in]);
        ways.extend(nobodys.iter().map(|other| other.contact.observation.seen_in));
        let best = match nobodys {
            Some(other) if key.process.is_none() && !says_more(&finding, &other) => other,
            _ => Box::new(finding),
        };
        if key.process.is_none() && !group.unknown.is_empty() {
            // Another contact of it may yet have a process.
            group.nobodys = Some(best);
            return;
        }
        let Some(mut group) = self.groups.remove(&nobody) else { return };
        let Some(mut alert) = group.pending.take() else { return };
        let own = best;
        // The connection stands for the question before it, as long as it may be of the same process.
        let is_connection = |finding: &Finding| finding.contact.observation.seen_in.is_connection();
        let contact = alert.finding.contact.clone();
        let keeps = is_connection(&alert.finding) && !is_connection(&own);
        alert.finding = (*own).clone();
        if keeps {
            alert.finding.contact = contact;
        }
        alert.update = true;
        tell(Record::Alert((*alert).clone()));
        group.tell_with(&alert);
        group.summary.finding = alert.finding.clone();
        if !group.unknown.is_empty() {
            group.claimed = Some(Box::new(Claimed { alert: *alert, own: *own, ways, keeps }));
            self.taken.insert(nobody.clone(), key.clone());
        }
        self.put(&nobody, key, group);
    }

    /// The same of an alert that has the process of another of its contacts.
    fn known_of_claimed(
        &mut self,
        key: GroupKey,
        taken: &GroupKey,
        finding: Finding,
        tell: &mut dyn FnMut(Record),
    ) {
        let Some(group) = self.groups.get_mut(taken) else { return };
        group.learn(&finding);
        let Some(mut claimed) = group.claimed.take() else { return };
        let Observation { seen_in, .. } = finding.contact.observation;
        // A question that nobody asked belongs to the page load of the one process that reached the service.
        let own = key == *taken || (key.process.is_none() && !seen_in.is_connection());
        let mut changed = false;
        if own {
            claimed.ways.insert(seen_in);
            if key == *taken && says_more(&finding, &claimed.own) {
                claimed.own.clone_from(&finding);
            }
            let is_shown = claimed.keeps && key == *taken && seen_in.is_connection();
            if is_shown || says_more(&claimed.own, &claimed.alert.finding) {
                claimed.alert.finding = claimed.own.clone();
                claimed.keeps = false;
                changed = true;
            }
        } else {
            group.summary.count = group.summary.count.saturating_sub(1);
            group.summary.connections =
                group.summary.connections.saturating_sub(u64::from(seen_in.is_connection()));
            if !group.unknown.contains_key(&seen_in) && !claimed.ways.contains(&seen_in) {
                changed |= claimed.alert.seen_in.remove(&seen_in);
                group.summary.seen_in.remove(&seen_in);
            }
            let shown = &claimed.alert.finding.contact.observation;
            if (shown.at, shown.flow) == (finding.contact.observation.at, finding.contact.observation.flow) {
                claimed.alert.finding = claimed.own.clone();
                changed = true;
            }
        }
        if changed {
            tell(Record::Alert(claimed.alert.clone()));
            group.tell_with(&claimed.alert);
            group.summary.finding = claimed.alert.finding.clone();
        }
        if group.unknown.is_empty() {
            self.taken.remove(&taken.of_nobody());
        } else {
            group.claimed = Some(claimed);
        }
        if !own {
            self.finding(finding, tell);
        }
    }

    /// Whether a finding that was pending belongs to what is folded here.
    pub fn has(&self, finding: &Finding) -> bool {
        let key = GroupKey::of(finding);
        let pending = self.groups.get(&key.of_nobody()).is_some_and(|group| group.pending.is_some());
        pending || self.groups.contains_key(&key) || self.taken.contains_key(&key.of_nobody())
    }

    /// Forgets a finding that was taken as pending and belongs elsewhere. Says whether there was one.
    pub fn take_back(&mut self, finding: &Finding) -> bool {
        let nobody = GroupKey::of(finding).of_nobody();
        let Some(group) = self.groups.get_mut(&nobody) else { return false };
        let is_connection = finding.contact.observation.seen_in.is_connection();
        group.summary.count = group.summary.count.saturating_sub(1);
        group.summary.connections = group.summary.connections.saturating_sub(u64::from(is_connection));
        if group.summary.count == 0 {
            self.groups.remove(&nobody);
            self.opened.retain(|key| *key != nobody);
        }
        true
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

impl Group {
    const fn new(summary: Summary, first: Timestamp) -> Self {
        Self {
            summary,
            first,
            alert: None,
            grown: false,
            pending: None,
            unknown: BTreeMap::new(),
            nobodys: None,
            claimed: None,
        }
    }

    /// Takes notice that it is known of a contact who made it.
    fn learn(&mut self, finding: &Finding) {
        let way = finding.contact.observation.seen_in;
        if let Some(count) = self.unknown.get_mut(&way) {
            *count -= 1;
            if *count == 0 {
                self.unknown.remove(&way);
            }
        }
    }

    /// Makes the alert that has not settled say what was told of it.
    fn tell_with(&mut self, told: &Alert) {
        if let Some(alert) = &mut self.alert {
            alert.finding = told.finding.clone();
            alert.seen_in.clone_from(&told.seen_in);
            alert.told_as = alert.told_as.max(Some(told.finding.level));
        }
    }

    /// Takes in what belongs to it as well.
    fn take_in(&mut self, other: Summary) {
        let summary = &mut self.summary;
        summary.count += other.count;
        summary.connections += other.connections;
        summary.first = summary.first.min(other.first);
        summary.last = summary.last.max(other.last);
        summary.seen_in.extend(other.seen_in);
        let hostnames = other.hostnames.iter().filter(|value| !summary.hostnames.keep(value)).count();
        let destinations =
            other.destinations.iter().filter(|value| !summary.destinations.keep(value)).count();
        let ports = other.ports.iter().filter(|value| !summary.ports.keep(value)).count();
        summary.values_left_out += other.values_left_out + (hostnames + destinations + ports) as u64;
        summary.one_path &= other.one_path && same_path(&summary.finding, &other.finding);
    }

    fn add_to_summary(&mut self, finding: &mut Finding) {
        let observation = &finding.contact.observation;
        let summary = &mut self.summary;
        summary.count += 1;
        summary.one_path &= same_path(finding, &summary.finding);
        summary.first = summary.first.min(observation.at);
        summary.last = summary.last.max(observation.at);
        summary.seen_in.insert(observation.seen_in);
        let named = observation.seen_in != SeenIn::Address;
        let mut left_out = named && !summary.hostnames.keep(&observation.hostname);
        if observation.seen_in.is_connection() {
            summary.connections += 1;
            left_out |= !summary.destinations.keep(&observation.flow.dst.ip);
            left_out |= !summary.ports.keep(&observation.flow.dst.port);
        }
        summary.values_left_out += u64::from(left_out);
        if says_more(finding, &summary.finding) {
            finding.contact.observation.detail.settle();
            let before = std::mem::replace(&mut summary.finding, finding.clone());
            summary.finding.also(&before.rules);
        } else {
            summary.finding.also(&finding.rules);
        }
    }

    fn add_to_alert(&mut self, finding: Finding) {
        let Some(alert) = &mut self.alert else { return };
        if let Some(pending) = self.pending.as_mut().filter(|_| is_pending(&finding)) {
            let way = finding.contact.observation.seen_in;
            *self.unknown.entry(way).or_default() += 1;
            pending.seen_in.insert(way);
            if says_more(&finding, &pending.finding) {
                pending.finding = finding.clone();
                pending.finding.contact.observation.detail.settle();
            }
        }
        self.grown |= alert.seen_in.insert(finding.contact.observation.seen_in);
        if says_more(&finding, &alert.finding) {
            let before = std::mem::replace(&mut alert.finding, finding);
            alert.finding.also(&before.rules);
            alert.finding.contact.observation.detail.settle();
            self.grown = true;
        } else {
            self.grown |= alert.finding.also(&finding.rules);
        }
    }

    /// Settles the alert; gives it if it says more than was told.
    fn settle(&mut self) -> Option<Alert> {
        let alert = self.alert.take()?;
        std::mem::take(&mut self.grown).then_some(*alert)
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

/// Whether two contacts came through the same tunnel and VLANs.
fn same_path(one: &Finding, other: &Finding) -> bool {
    one.contact.observation.path == other.contact.observation.path
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use super::*;
    use crate::flow::{Endpoint, Flow, Protocol};
    use crate::hostname::Hostname;
    use crate::inspect::{Detail, Observation};
    use crate::lists::{Contact, Lists};
    use crate::originator::{Host, Process};
    use crate::rules::Rules;

    /// Who is said to have made a contact.
    #[derive(Clone, Copy)]
    enum By {
        Pid(u32),
        Pending,
        Nobody,
    }

    fn finding(seconds: i64, seen_in: SeenIn, by: By) -> Finding {
        static LISTS: LazyLock<Lists> = LazyLock::new(Lists::builtin);
        static RULES: LazyLock<Rules> = LazyLock::new(Rules::builtin);
        let end = |last, port| Endpoint { ip: [10, 0, 0, last].into(), port };
        let observation = Observation {
            at: Timestamp::from_parts(seconds, 0),
            source: 0,
            frame: 1,
            flow: Flow { src: end(7, 1000), dst: end(200, 443), protocol: Protocol::TCP },
            hostname: Hostname::new("pastebin.com").unwrap(),
            seen_in,
            detail: Detail::Nothing,
            path: None,
            disagrees_with: Vec::new(),
        };
        let entry = LISTS.lookup("pastebin.com").unwrap().clone();
        let attribution = match by {
            By::Pending => Attribution::nobody(AttributionLevel::Pending),
            By::Nobody => Attribution::nobody(AttributionLevel::None),
            By::Pid(pid) => Attribution {
                host: Some(Arc::new(Host { name: "ws5".into(), id: None })),
                process: Some(Arc::new(Process {
                    pid: Some(pid),
                    name: Some("x.exe".into()),
                    entity_id: Some(format!("k{pid}").into()),
                    ..Process::default()
                })),
                ..Attribution::nobody(AttributionLevel::Tuple)
            },
        };
        RULES.judge(Contact { observation, entry }, attribution).unwrap()
    }

    /// What is told in short: alerts as `A time ways pid (update)`, summaries as `S count pid`; with the ids of the alerts.
    fn told(record: Record, lines: &mut Vec<String>, ids: &mut Vec<u64>) {
        let pid = |finding: &Finding| match &finding.attribution.process {
            Some(process) => process.pid.map_or_else(String::new, |pid| pid.to_string()),
            None => finding.attribution.level.as_str().to_owned(),
        };
        match record {
            Record::Alert(alert) => {
                let ways: Vec<&str> = alert.seen_in.iter().map(|way| way.as_str()).collect();
                let update = if alert.update { " (update)" } else { "" };
                let seconds = alert.first.as_nanos() / SECOND;
                lines.push(format!("A {seconds} {} {}{update}", ways.join("+"), pid(&alert.finding)));
                ids.push(alert.id);
            }
            Record::Summary(summary) => lines.push(format!("S {} {}", summary.count, pid(&summary.finding))),
            other => unreachable!("{other:?}"),
        }
    }

    const ASKED: SeenIn = SeenIn::DnsQuery;
    const REACHED: SeenIn = SeenIn::TlsSni;

    /// Findings, and what is told of them.
    fn check(findings: &[(i64, SeenIn, By)], expected: &[&str]) {
        let (mut lines, mut ids) = (Vec::new(), Vec::new());
        let mut folder = Folder::new(Folding::replay());
        for (seconds, seen_in, by) in findings {
            folder
                .finding(finding(*seconds, *seen_in, *by), &mut |record| told(record, &mut lines, &mut ids));
        }
        folder.finish(&mut |record| told(record, &mut lines, &mut ids));
        assert_eq!(lines, expected);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), lines.iter().filter(|line| line.starts_with('A')).count(), "each has its id");
    }

    #[test]
    fn processes_are_told_apart() {
        check(
            &[(1, REACHED, By::Pid(1)), (2, REACHED, By::Pid(2)), (3, REACHED, By::Pid(1))],
            &["A 1 tls_sni 1", "A 2 tls_sni 2", "S 2 1", "S 1 2"],
        );
    }

    #[test]
    fn a_question_of_nobody_belongs_to_the_connection_of_the_same_page_load() {
        let whole = ["A 1 dns_query+tls_sni 1", "S 2 1"];
        check(&[(1, ASKED, By::Nobody), (2, REACHED, By::Pid(1))], &whole);
        check(&[(1, REACHED, By::Pid(1)), (2, ASKED, By::Nobody)], &whole);
        check(
            &[(1, ASKED, By::Nobody), (20, REACHED, By::Pid(1))],
            &["A 1 dns_query none", "A 20 tls_sni 1", "S 1 none", "S 1 1"],
        );
        check(
            &[(1, REACHED, By::Pid(1)), (1, REACHED, By::Pid(2)), (2, ASKED, By::Nobody)],
            &["A 1 tls_sni 1", "A 1 tls_sni 2", "A 2 dns_query none", "S 1 1", "S 1 2", "S 1 none"],
        );
    }

    /// Of one page load, or not: a question and a connection that were pending together.
    #[test]
    fn what_was_pending_together_may_be_of_two_processes() {
        let folded = |known: &[(i64, SeenIn, By)]| {
            let (mut lines, mut ids) = (Vec::new(), Vec::new());
            let mut folder = Folder::new(Folding::live());
            let mut tell = |record| told(record, &mut lines, &mut ids);
            folder.finding(finding(1, ASKED, By::Pending), &mut tell);
            folder.finding(finding(2, REACHED, By::Pending), &mut tell);
            for (seconds, seen_in, by) in known {
                folder.known(finding(*seconds, *seen_in, *by), &mut tell);
            }
            folder.finish(&mut tell);
            // How each alert stands at the end, and the summaries.
            let mut last: Vec<(u64, String)> = Vec::new();
            let mut summaries = Vec::new();
            let mut ids = ids.into_iter();
            for line in lines {
                if line.starts_with('S') {
                    summaries.push(line);
                    continue;
                }
                let id = ids.next().unwrap();
                let line = line.replace(" (update)", "");
                match last.iter_mut().find(|(known, _)| *known == id) {
                    Some((_, before)) => *before = line,
                    None => last.push((id, line)),
                }
            }
            last.into_iter().map(|(_, line)| line).chain(summaries).collect::<Vec<_>>()
        };
        let (asked, reached) = (|by| (1, ASKED, by), |by| (2, REACHED, by));
        let together = ["A 1 dns_query+tls_sni 1", "S 2 1"];
        let (one, other, nobody) = (By::Pid(1), By::Pid(2), By::Nobody);
        for (known, expected) in [
            ([reached(one), asked(one)], &together[..]),
            ([asked(one), reached(one)], &together),
            ([reached(one), asked(nobody)], &together),
            ([asked(nobody), reached(one)], &together),
            ([reached(one), asked(other)], &["A 1 tls_sni 1", "A 1 dns_query 2", "S 1 1", "S 1 2"]),
            ([asked(one), reached(other)], &["A 1 dns_query 1", "A 2 tls_sni 2", "S 1 1", "S 1 2"]),
            ([asked(nobody), reached(nobody)], &["A 1 dns_query+tls_sni none", "S 2 none"]),
        ] {
            assert_eq!(folded(&known), expected);
        }
    }

    #[test]
    fn what_was_pending_is_told_again_under_its_id() {
        let (mut lines, mut ids) = (Vec::new(), Vec::new());
        let mut folder = Folder::new(Folding::live());
        let mut tell = |record| told(record, &mut lines, &mut ids);
        folder.finding(finding(1, ASKED, By::Pending), &mut tell);
        folder.finding(finding(2, REACHED, By::Pending), &mut tell);
        folder.tick(Timestamp::from_parts(60, 0), &mut tell);
        folder.known(finding(1, ASKED, By::Pid(1)), &mut tell);
        folder.known(finding(2, REACHED, By::Pid(1)), &mut tell);
        folder.finding(finding(100, REACHED, By::Pid(1)), &mut tell);
        folder.finding(finding(200, REACHED, By::Pending), &mut tell);
        folder.known(finding(200, REACHED, By::Nobody), &mut tell);
        folder.finish(&mut tell);
        let expected = [
            "A 1 dns_query pending",
            "A 1 dns_query+tls_sni pending (update)",
            "A 1 dns_query+tls_sni 1 (update)",
            "A 1 dns_query+tls_sni 1 (update)",
            "A 200 tls_sni pending",
            "A 200 tls_sni none (update)",
            "S 3 1",
            "S 1 none",
        ];
        assert_eq!(lines, expected);
        assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] == ids[5] && ids[0] != ids[4]);
    }
}
