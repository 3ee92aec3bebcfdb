//! The processes of all hosts by the interval in which they lived: number → [start, end), with the feed's identity.
//!
//! Numbers recur within seconds, most processes began before the feed did, and some had gone when their record was
//! written. So a process is put together from everything that speaks of it: its start and end, the connections and questions that
//! are its own, the processes that it started. What is put together does not depend on the order in which it came: of two
//! values for one thing the one from the better kind of record stands, of equals the later, of equals the first in the alphabet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rustc_hash::FxHashMap;

use super::attribution::Process;
use super::clocks::Times;
use super::hosts::{HostId, Hosts};
use super::record;
use super::texts::{TextId, Texts, file_name, same_file_name};
use crate::capture::Timestamp;

const SECOND: i64 = 1_000_000_000;

/// A process.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct ProcessId(u32);

impl ProcessId {
    /// Its number among all, from 0.
    pub(super) const fn number(self) -> u32 {
        self.0
    }

    /// The process with a number.
    pub(super) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// What a record says of the process that it is about, for finding it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Mention {
    pub(super) host: HostId,
    pub(super) pid: Option<u32>,
    /// The process itself, where the record says enough to tell it from others with its number.
    pub(super) process: Option<ProcessId>,
}

/// Which record says something of a process; the best last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Source {
    /// The record of a process that it started.
    Child,
    /// The record of a connection or a question.
    Mention,
    /// The record of its end.
    End,
    /// The record of its start.
    Start,
}

/// What is known of processes.
#[derive(Debug)]
pub(super) struct Processes {
    known: FxHashMap<Identity, ProcessId>,
    by_pid: FxHashMap<(HostId, u32), Vec<ProcessId>>,
    /// Processes with a number by their identity, where feeds leave the number out of some records; nothing where several have one identity.
    numbered: Option<FxHashMap<(HostId, TextId), Option<ProcessId>>>,
    /// Ends that name only the number: by the feed's order, and by the event's clock.
    ends: FxHashMap<(HostId, u32), Vec<(i64, i64)>>,
    all: Vec<Entity>,
    /// What was made of each when somebody asked.
    made: Vec<Made>,
    most: usize,
    /// How many were given up because there were too many.
    pub(super) given_up: u64,
}

/// What was made of a process.
#[derive(Debug, Default)]
struct Made {
    /// As records have it.
    process: Option<Arc<Process>>,
    /// For what it acts for others, as a number that [`Processes::acts`] gives it; nought where that was not asked.
    acts: AtomicU32,
}

/// Notes a process with a number by its identity: forked ones have one together, and are not told apart by it.
fn number(
    numbered: &mut FxHashMap<(HostId, TextId), Option<ProcessId>>,
    key: (HostId, TextId),
    id: ProcessId,
) {
    numbered.entry(key).and_modify(|known| *known = known.filter(|known| *known == id)).or_insert(Some(id));
}

/// What tells a process from others.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Identity {
    /// The feed's identity. Forked processes may have one together, and differ in their numbers.
    Key(HostId, TextId, Option<u32>),
    /// A start without one: the number and the time.
    Started(HostId, u32, i64),
    /// Neither: the number and the file, where that is known.
    Named(HostId, u32, Option<TextId>),
}

#[derive(Clone, Debug)]
struct Entity {
    host: HostId,
    pid: Option<u32>,
    key: Option<TextId>,
    values: [Option<Value>; Field::ALL.len()],
    /// When it began, by the event's own clock; what its own start says goes before what others say.
    began: Option<Began>,
    /// Whether the time in its identity was read, which is the same each time.
    key_read: bool,
    /// When it began, by the clock that the feed's records are in order by.
    began_order: Option<i64>,
    ended: Option<i64>,
    ended_order: Option<i64>,
    parent: Option<ParentRef>,
    /// The kind of the record of its start: `1`.
    start_kind: Option<TextId>,
    /// When it was last heard of, by the clock that the feed's records are in order by.
    heard: i64,
}

/// When a process began, in nanoseconds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Began {
    /// As its own start says.
    Told(i64),
    /// As others say, perhaps to the second.
    Said(i64),
}

impl Began {
    const fn at(self) -> i64 {
        match self {
            Self::Told(at) | Self::Said(at) => at,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Value {
    source: Source,
    at: i64,
    text: TextId,
}

#[derive(Clone, Copy, Debug)]
struct ParentRef {
    at: i64,
    pid: Option<u32>,
    process: Option<ProcessId>,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Image,
    Name,
    OriginalName,
    CommandLine,
    Directory,
    User,
    Sha256,
    Sha1,
    Md5,
    Signer,
    Integrity,
    Container,
    ContainerName,
    Pod,
}

impl Field {
    const ALL: [Self; 14] = [
        Self::Image,
        Self::Name,
        Self::OriginalName,
        Self::CommandLine,
        Self::Directory,
        Self::User,
        Self::Sha256,
        Self::Sha1,
        Self::Md5,
        Self::Signer,
        Self::Integrity,
        Self::Container,
        Self::ContainerName,
        Self::Pod,
    ];

    /// The most bytes of it that are kept.
    const fn longest(self) -> usize {
        match self {
            Self::CommandLine => Texts::LONGEST_COMMAND_LINE,
            _ => Texts::LONGEST,
        }
    }
}

impl Processes {
    /// Bytes that a process takes, beside its texts.
    pub(super) const BYTES: usize = size_of::<Entity>() + size_of::<Process>() + 160;
    /// The most processes with one number on one host that are looked through: nobody's numbers recur as often in a day.
    const MOST_OF_A_NUMBER: usize = 4096;
    /// How long after its end a process is still looked for, in nanoseconds: records of what it did are written
    /// seconds later.
    const GRACE: i64 = 300 * SECOND;
    /// How far the times of two records of one start may be apart, and how much later than what it did a start may be written.
    const GRAIN: i64 = 2 * SECOND;

    /// No processes yet, and room for so many.
    pub(super) fn new(most: usize) -> Self {
        Self {
            known: FxHashMap::default(),
            by_pid: FxHashMap::default(),
            numbered: None,
            ends: FxHashMap::default(),
            all: Vec::new(),
            made: Vec::new(),
            most,
            given_up: 0,
        }
    }

    /// How many processes there are.
    pub(super) const fn len(&self) -> usize {
        self.all.len()
    }

    /// Takes what a record says of a process. Gives whom it is about.
    pub(super) fn take(
        &mut self,
        host: HostId,
        process: &record::Process<'_>,
        source: Source,
        times: &Times,
        kind: Option<TextId>,
        texts: &mut Texts,
    ) -> Mention {
        let again = self.again(host, process, texts);
        let key = match again {
            Some((_, key)) => Some(key),
            None => process.key.as_deref().and_then(|key| texts.keep_lower(key)),
        };
        // What the process is known by mostly says it: then it need not be looked for among all texts.
        let known = again.and_then(|(id, _)| self.entity_of(id));
        let known = known.map_or([None; Field::ALL.len()], |entity| entity.values);
        let keep = |field: Field, text: Option<&str>, texts: &mut Texts| {
            let text = text?;
            let same = known.get(field as usize).copied().flatten().map(|known| known.text);
            if let Some(same) = same.filter(|same| texts.get(*same) == text) {
                return Some(same);
            }
            texts.keep_up_to(text, field.longest())
        };
        let image = keep(Field::Image, process.image.as_deref(), texts);
        let name = keep(Field::Name, process.name.as_deref(), texts);
        let order = times.order().at.as_nanos();
        let id = match again {
            Some((id, _)) => Some(id),
            None => {
                let identity = match (key, process.pid) {
                    (Some(key), pid) => Some(Identity::Key(host, key, pid)),
                    (None, Some(pid)) if source == Source::Start => Some(Identity::Started(host, pid, order)),
                    (None, Some(pid)) if source != Source::End => {
                        let file = image.or(name).map(|file| file_name(texts.get(file)).to_owned());
                        Some(Identity::Named(host, pid, file.and_then(|file| texts.keep_lower(&file))))
                    }
                    (None, _) => None,
                };
                let Some(identity) = identity else {
                    if source == Source::End
                        && let Some(pid) = process.pid
                    {
                        self.ends.entry((host, pid)).or_default().push((order, event_time(times)));
                    }
                    return Mention { host, pid: process.pid, process: None };
                };
                self.entity(identity, host, process.pid, key)
            }
        };
        let Some(id) = id else {
            return Mention { host, pid: process.pid, process: None };
        };
        let parent = process.parent.as_ref().and_then(|parent| self.parent(host, parent, times, texts));
        let Some(entity) = self.all.get_mut(id.0 as usize) else {
            return Mention { host, pid: process.pid, process: None };
        };
        if let Some(made) = self.made.get_mut(id.0 as usize) {
            *made = Made::default();
        }
        let began = match (source, process.started) {
            (Source::Start, _) => Some(Began::Told(event_time(times))),
            (_, Some(started)) => Some(Began::Said(started.at.as_nanos())),
            (_, None) if key.is_some() && entity.key_read => None,
            (_, None) => {
                entity.key_read = true;
                process.key.as_deref().and_then(guid_time).map(Began::Said)
            }
        };
        match source {
            Source::Start => {
                entity.began_order = least(entity.began_order, Some(order));
                entity.start_kind = entity.start_kind.max_by_text(kind, texts);
            }
            Source::End => {
                entity.ended = least(entity.ended, Some(event_time(times)));
                entity.ended_order = least(entity.ended_order, Some(order));
            }
            Source::Mention | Source::Child => {}
        }
        entity.heard = entity.heard.max(order);
        // The least: what is told goes before what is said, the earlier before the later.
        entity.began = entity.began.into_iter().chain(began).min();
        if let Some(parent) = parent
            && entity.parent.is_none_or(|known| (parent.at, parent.pid) < (known.at, known.pid))
        {
            entity.parent = Some(parent);
        }
        entity.set(Field::Image, image, source, order, texts);
        entity.set(Field::Name, name, source, order, texts);
        for (field, text) in [
            (Field::OriginalName, &process.original_name),
            (Field::CommandLine, &process.command_line),
            (Field::Directory, &process.directory),
            (Field::User, &process.user),
            (Field::Sha256, &process.sha256),
            (Field::Sha1, &process.sha1),
            (Field::Md5, &process.md5),
            (Field::Signer, &process.signer),
            (Field::Integrity, &process.integrity),
            (Field::Container, &process.container),
            (Field::ContainerName, &process.container_name),
            (Field::Pod, &process.pod),
        ] {
            if let Some(text) = text {
                entity.set(field, keep(field, Some(text), texts), source, order, texts);
            }
        }
        Mention { host, pid: process.pid, process: Some(id) }
    }

    /// The process with this identity and number, and its identity, if it was heard of: by its number, of which a host has few.
    fn again(
        &self,
        host: HostId,
        process: &record::Process<'_>,
        texts: &Texts,
    ) -> Option<(ProcessId, TextId)> {
        const FEW: usize = 4;
        let (said, pid) = (process.key.as_deref()?, process.pid?);
        let of_number = self.by_pid.get(&(host, pid))?;
        of_number.iter().rev().take(FEW).find_map(|id| {
            let key = self.entity_of(*id)?.key?;
            (texts.get(key) == said).then_some((*id, key))
        })
    }

    /// For what a process acts for others, as a number: as it was found before, or as it is found now; as of what its records say by now.
    pub(super) fn acts(&self, id: ProcessId, find: impl FnOnce() -> u32) -> u32 {
        let Some(made) = self.made.get(id.0 as usize) else { return find() };
        match made.acts.load(Ordering::Relaxed) {
            // Two that find it at once find the same.
            0 => {
                let found = find();
                made.acts.store(found.saturating_add(1), Ordering::Relaxed);
                found
            }
            known => known - 1,
        }
    }

    /// Whom a mention at a time is about, as of all that is known by now: the process itself if anything is known of it, else the
    /// one that had its number then. The time is by the clock that the feed's records are in order by.
    pub(super) fn resolve(
        &self,
        mention: Mention,
        order: Timestamp,
        hosts: &Hosts,
        texts: &Texts,
    ) -> Option<ProcessId> {
        let own = mention.process.map(|own| self.with_number(own));
        let has_start = |id: ProcessId| self.entity_of(id).is_some_and(|entity| entity.start_kind.is_some());
        if own.is_some_and(|id| has_start(id) || (self.key(id).is_some() && self.has_file(id, texts))) {
            return own;
        }
        let file = own.and_then(|id| self.file(id, texts));
        let then = mention.pid.and_then(|pid| self.at(mention.host, pid, order, hosts, texts));
        match (own, then, file) {
            (own, None, _) => own,
            (None, then, _) | (Some(_), then, None) => then,
            (Some(_), Some(then), Some(file)) => match self.file(then, texts) {
                Some(other) if !same_file_name(file, other) => own,
                _ => Some(then),
            },
        }
    }

    /// The process with the same identity of which another record tells the number, where this one's record did not.
    fn with_number(&self, id: ProcessId) -> ProcessId {
        let key = self
            .entity_of(id)
            .filter(|entity| entity.pid.is_none())
            .and_then(|entity| Some((entity.host, entity.key?)));
        let numbered = key.and_then(|key| self.numbered.as_ref()?.get(&key).copied().flatten());
        numbered.unwrap_or(id)
    }

    /// The process that had a number at a time: of those that began before, the last, unless it had ended long ago.
    fn at(
        &self,
        host: HostId,
        pid: u32,
        order: Timestamp,
        hosts: &Hosts,
        texts: &Texts,
    ) -> Option<ProcessId> {
        let at = order.as_nanos();
        let mut best: Option<(i64, bool, ProcessId)> = None;
        let names = hosts.aliases(host);
        for id in names.iter().filter_map(|name| self.by_pid.get(&(*name, pid))).flatten() {
            let Some(entity) = self.entity_of(*id) else { continue };
            let Some(began) = entity.began_order else { continue };
            if began > at.saturating_add(Self::GRAIN) {
                continue;
            }
            let keyed = entity.key.is_some();
            let better = best.is_none_or(|(other, other_keyed, other_id)| {
                if began.abs_diff(other) <= Self::GRAIN.unsigned_abs() && keyed != other_keyed {
                    // Two feeds of one start: the one with an identity says more.
                    return keyed;
                }
                (began, self.file(*id, texts)) > (other, self.file(other_id, texts))
            });
            if better {
                best = Some((began, keyed, *id));
            }
        }
        let (began, _, id) = best?;
        let by_number = names.iter().filter_map(|name| self.ends.get(&(*name, pid))).flatten();
        let by_number = by_number.map(|(order, _)| *order).filter(|order| *order >= began);
        let ended = self.entity_of(id)?.ended_order.into_iter().chain(by_number).min();
        ended.is_none_or(|ended| at.saturating_sub(ended) <= Self::GRACE).then_some(id)
    }

    /// Whether two are one process: by identity, or by number where at most one of them has an identity and their files agree.
    pub(super) fn same(&self, one: ProcessId, other: ProcessId, hosts: &Hosts, texts: &Texts) -> bool {
        self.are_one(one, other, false, hosts, texts)
    }

    /// Whether two are one process of which it is known that they did the same: then it is enough that their files agree, where one
    /// has no number.
    pub(super) fn same_doer(&self, one: ProcessId, other: ProcessId, hosts: &Hosts, texts: &Texts) -> bool {
        self.are_one(one, other, true, hosts, texts)
    }

    fn are_one(
        &self,
        one: ProcessId,
        other: ProcessId,
        did_the_same: bool,
        hosts: &Hosts,
        texts: &Texts,
    ) -> bool {
        if one == other {
            return true;
        }
        let (Some(first), Some(second)) = (self.entity_of(one), self.entity_of(other)) else { return false };
        let one_host = hosts.canonical(first.host) == hosts.canonical(second.host);
        let one_number = match (first.pid, second.pid) {
            (Some(first), Some(second)) => first == second,
            (None, None) => false,
            _ => did_the_same && self.file(one, texts).is_some() && self.file(other, texts).is_some(),
        };
        if !one_host || !one_number {
            return false;
        }
        if first.key.is_some() && second.key.is_some() && first.key != second.key {
            return false;
        }
        let apart = match (first.began_order, second.began_order) {
            (Some(one), Some(other)) => one.abs_diff(other) > Self::GRAIN.unsigned_abs(),
            _ => false,
        };
        let files = (self.file(one, texts), self.file(other, texts));
        !apart && !matches!(files, (Some(one), Some(other)) if !same_file_name(one, other))
    }

    /// Of two that are [the same](Self::same), the one that more is known of.
    pub(super) fn better(&self, one: ProcessId, other: ProcessId) -> ProcessId {
        let rank = |id: ProcessId| {
            let entity = self.entity_of(id);
            let known = entity.map_or(0, |entity| entity.values.iter().flatten().count());
            (
                entity.is_some_and(|entity| entity.start_kind.is_some()),
                entity.is_some_and(|e| e.key.is_some()),
                known,
            )
        };
        if rank(other) > rank(one) { other } else { one }
    }

    /// Whether a process was alive about a time, which is by the clock of its own events; also within so many nanoseconds of it.
    pub(super) fn lived_about(&self, id: ProcessId, at: Timestamp, within: i64) -> bool {
        let Some(entity) = self.entity_of(id) else { return false };
        let at = at.as_nanos();
        let begun = entity.began.is_none_or(|began| began.at() <= at.saturating_add(within));
        let ended = entity.ended.is_some_and(|ended| ended < at.saturating_sub(within));
        begun && !ended
    }

    /// Whether a process began about a time, by the clock of its own events.
    pub(super) fn began_about(&self, id: ProcessId, at: Timestamp, within: i64) -> bool {
        self.entity_of(id)
            .and_then(|entity| entity.began)
            .is_some_and(|began| began.at().abs_diff(at.as_nanos()) <= within.unsigned_abs())
    }

    /// When a process began, or if that is not known was heard of last, and when it ended; in nanoseconds.
    pub(super) fn lifetime(&self, id: ProcessId) -> Option<(i64, Option<i64>)> {
        let entity = self.entity_of(id)?;
        Some((entity.began.map_or(entity.heard, Began::at), entity.ended))
    }

    /// Whether one process started the other, or started what started it.
    pub(super) fn is_ancestor(
        &self,
        elder: ProcessId,
        younger: ProcessId,
        hosts: &Hosts,
        texts: &Texts,
    ) -> bool {
        let mut at = younger;
        // A chain that is longer, or goes round, is made up.
        for _ in 0..8 {
            let Some(parent) =
                self.entity_of(at).and_then(|entity| entity.parent).and_then(|parent| parent.process)
            else {
                return false;
            };
            let parent = self.with_number(parent);
            if self.same(parent, elder, hosts, texts) {
                return true;
            }
            at = parent;
        }
        false
    }

    /// A process's command line.
    pub(super) fn command_line<'t>(&self, id: ProcessId, texts: &'t Texts) -> Option<&'t str> {
        self.text(id, Field::CommandLine, texts)
    }

    /// The whole path of a process's file, or its name.
    pub(super) fn image<'t>(&self, id: ProcessId, texts: &'t Texts) -> Option<&'t str> {
        self.text(id, Field::Image, texts).or_else(|| self.text(id, Field::Name, texts))
    }

    /// The host of a process, by the name that its records have.
    pub(super) fn host(&self, id: ProcessId) -> Option<HostId> {
        Some(self.entity_of(id)?.host)
    }

    /// Whether it is known when a process began or ended.
    pub(super) fn ended_or_began_known(&self, id: ProcessId) -> bool {
        self.entity_of(id).is_some_and(|entity| entity.began.is_some() || entity.ended.is_some())
    }

    /// Whether a process runs in a container.
    pub(super) fn is_contained(&self, id: ProcessId) -> bool {
        self.entity_of(id).is_some_and(|entity| {
            entity.values.get(Field::Container as usize).is_some_and(Option::is_some)
                || entity.values.get(Field::Pod as usize).is_some_and(Option::is_some)
        })
    }

    /// A process's number.
    pub(super) fn pid(&self, id: ProcessId) -> Option<u32> {
        self.entity_of(id)?.pid
    }

    /// The kind of the record that told of a process's start.
    pub(super) fn start_kind(&self, id: ProcessId) -> Option<TextId> {
        self.entity_of(id)?.start_kind
    }

    /// A key that puts processes into an order that does not depend on the order in which they came.
    pub(super) fn order<'t>(&self, id: ProcessId, texts: &'t Texts) -> (Option<u32>, &'t str, i64) {
        let entity = self.entity_of(id);
        let key = entity.and_then(|entity| entity.key).map_or("", |key| texts.get(key));
        (
            entity.and_then(|entity| entity.pid),
            key,
            entity.and_then(|entity| entity.began).map_or(i64::MIN, Began::at),
        )
    }

    /// A process as records have it, if it was made before.
    pub(super) fn made(&self, id: ProcessId) -> Option<Arc<Process>> {
        self.made.get(id.0 as usize)?.process.clone()
    }

    /// Makes a process as records have it. Its times are by the wire's clock if `ahead` is what the host's events are ahead of it.
    pub(super) fn make(&mut self, id: ProcessId, ahead: i64, texts: &Texts) -> Arc<Process> {
        let parent = self.entity_of(id).and_then(|entity| entity.parent);
        let parent = parent.map(|parent| match parent.process {
            Some(process) => {
                let process = self.with_number(process);
                Arc::new(Process { parent: None, ..self.build(process, ahead, texts) })
            }
            None => Arc::new(Process { pid: parent.pid, ..Process::default() }),
        });
        let made = Arc::new(Process { parent, ..self.build(id, ahead, texts) });
        if let Some(place) = self.made.get_mut(id.0 as usize) {
            place.process = Some(made.clone());
        }
        made
    }

    /// Forgets how processes look in records: what is known of clocks or of parents has changed.
    pub(super) fn forget_made(&mut self) {
        self.made.iter_mut().for_each(|made| made.process = None);
    }

    /// Forgets processes that had ended before a time, and of the others all but so many that were heard of last. Gives the new number
    /// of each that is left, by its old one.
    pub(super) fn forget(&mut self, before: Timestamp, most: usize) -> Vec<Option<ProcessId>> {
        let before = before.as_nanos();
        let ended = |entity: &Entity| entity.ended_order.is_some_and(|ended| ended < before);
        let mut heard: Vec<i64> =
            self.all.iter().filter(|entity| !ended(entity)).map(|entity| entity.heard).collect();
        heard.sort_unstable_by(|one, other| other.cmp(one));
        let least = heard.get(most).copied();
        let keeps = |entity: &Entity| !ended(entity) && least.is_none_or(|least| entity.heard > least);
        let mut moved = Vec::with_capacity(self.all.len());
        let mut left = 0;
        for entity in &self.all {
            moved.push(keeps(entity).then(|| {
                left += 1;
                ProcessId(left - 1)
            }));
        }
        let follow = |id: ProcessId| moved.get(id.0 as usize).copied().flatten();
        self.all.retain(|entity| keeps(entity));
        for entity in &mut self.all {
            if let Some(parent) = &mut entity.parent {
                parent.process = parent.process.and_then(follow);
            }
        }
        self.made.clear();
        self.made.resize_with(self.all.len(), Made::default);
        if self.numbered.is_some() {
            self.number_all();
        }
        self.known = self.known.drain().filter_map(|(key, id)| Some((key, follow(id)?))).collect();
        self.by_pid = (self.by_pid.drain())
            .map(|(key, ids)| (key, ids.into_iter().filter_map(follow).collect::<Vec<_>>()))
            .filter(|(_, ids)| !ids.is_empty())
            .collect();
        self.ends.retain(|_, ends| {
            ends.retain(|(order, _)| *order >= before);
            !ends.is_empty()
        });
        moved
    }

    /// Gives texts other numbers; nothing for those that have no room any more.
    pub(super) fn map_texts(&mut self, map: &mut dyn FnMut(TextId) -> Option<TextId>) {
        for entity in &mut self.all {
            entity.key = entity.key.and_then(&mut *map);
            entity.start_kind = entity.start_kind.and_then(&mut *map);
            for value in &mut entity.values {
                *value = value.and_then(|value| Some(Value { text: map(value.text)?, ..value }));
            }
        }
        self.known = (self.known.drain())
            .filter_map(|(identity, id)| {
                let identity = match identity {
                    Identity::Key(host, key, pid) => Identity::Key(host, map(key)?, pid),
                    Identity::Named(host, pid, Some(file)) => Identity::Named(host, pid, Some(map(file)?)),
                    other => other,
                };
                Some((identity, id))
            })
            .collect();
        if self.numbered.is_some() {
            self.number_all();
        }
    }

    fn build(&self, id: ProcessId, ahead: i64, texts: &Texts) -> Process {
        let Some(entity) = self.entity_of(id) else { return Process::default() };
        let share = |field: Field| {
            entity.values.get(field as usize).copied().flatten().map(|value| texts.share(value.text))
        };
        let executable = share(Field::Image);
        let name = executable.as_deref().map(file_name).filter(|name| !name.is_empty());
        let name = name.map(Arc::from).or_else(|| share(Field::Name));
        // Only a path has folders; a bare name is no executable's path.
        let executable = executable.filter(|path| path.contains(['\\', '/']));
        let user = share(Field::User);
        let (user_domain, user) = match user.as_deref().and_then(|user| user.split_once('\\')) {
            Some((domain, user)) if !domain.is_empty() => (Some(domain.into()), Some(user.into())),
            Some((_, user)) => (None, Some(user.into())),
            None => (None, user),
        };
        let wire = |at: i64| Timestamp::from_nanos(at.saturating_sub(ahead));
        Process {
            pid: entity.pid,
            entity_id: entity.key.map(|key| texts.share(key)),
            executable,
            name,
            original_name: share(Field::OriginalName),
            command_line: share(Field::CommandLine),
            directory: share(Field::Directory),
            user_domain,
            user,
            started: entity.began.map(|began| wire(began.at())),
            ended: entity.ended.or_else(|| self.end_of_number(entity)).map(wire),
            sha256: share(Field::Sha256),
            sha1: share(Field::Sha1),
            md5: share(Field::Md5),
            signer: share(Field::Signer),
            integrity: share(Field::Integrity),
            container: share(Field::Container),
            container_name: share(Field::ContainerName),
            pod: share(Field::Pod),
            parent: None,
        }
    }

    /// When a process ended of which only the number was told: the first such end after its start.
    fn end_of_number(&self, entity: &Entity) -> Option<i64> {
        let began = entity.began_order?;
        let ends = self.ends.get(&(entity.host, entity.pid?))?.iter();
        ends.filter(|(order, _)| *order >= began).min().map(|(_, event)| *event)
    }

    fn text<'t>(&self, id: ProcessId, field: Field, texts: &'t Texts) -> Option<&'t str> {
        let value = self.entity_of(id)?.values.get(field as usize).copied().flatten()?;
        Some(texts.get(value.text))
    }

    fn file<'t>(&self, id: ProcessId, texts: &'t Texts) -> Option<&'t str> {
        self.image(id, texts).map(file_name).filter(|name| !name.is_empty())
    }

    /// Whether [`Self::file`] gives something.
    fn has_file(&self, id: ProcessId, texts: &Texts) -> bool {
        self.image(id, texts).is_some_and(|image| !image.is_empty() && !image.ends_with(['\\', '/']))
    }

    fn key(&self, id: ProcessId) -> Option<TextId> {
        self.entity_of(id)?.key
    }

    fn entity_of(&self, id: ProcessId) -> Option<&Entity> {
        self.all.get(id.0 as usize)
    }

    fn entity(
        &mut self,
        identity: Identity,
        host: HostId,
        pid: Option<u32>,
        key: Option<TextId>,
    ) -> Option<ProcessId> {
        if let Some(known) = self.known.get(&identity) {
            return Some(*known);
        }
        let of_number = pid.and_then(|pid| self.by_pid.get(&(host, pid))).map_or(0, Vec::len);
        if self.all.len() >= self.most || of_number >= Self::MOST_OF_A_NUMBER {
            self.given_up += 1;
            return None;
        }
        let id = ProcessId(self.all.len() as u32);
        self.all.push(Entity {
            host,
            pid,
            key,
            values: [None; Field::ALL.len()],
            began: None,
            key_read: false,
            began_order: None,
            ended: None,
            ended_order: None,
            parent: None,
            start_kind: None,
            heard: i64::MIN,
        });
        self.made.push(Made::default());
        self.known.insert(identity, id);
        if let Some(pid) = pid {
            self.by_pid.entry((host, pid)).or_default().push(id);
        }
        match (pid, key, &mut self.numbered) {
            (Some(_), Some(key), Some(numbered)) => number(numbered, (host, key), id),
            (None, Some(_), None) => self.number_all(),
            _ => {}
        }
        Some(id)
    }

    /// Finds the processes with a number by their identities, from the first record on that leaves the number out.
    fn number_all(&mut self) {
        let mut numbered = FxHashMap::default();
        for (place, entity) in self.all.iter().enumerate() {
            if let (Some(_), Some(key)) = (entity.pid, entity.key) {
                number(&mut numbered, (entity.host, key), ProcessId(place as u32));
            }
        }
        self.numbered = Some(numbered);
    }

    fn parent(
        &mut self,
        host: HostId,
        parent: &record::Parent<'_>,
        times: &Times,
        texts: &mut Texts,
    ) -> Option<ParentRef> {
        let at = times.order().at.as_nanos();
        let said = record::Process {
            pid: parent.pid,
            key: parent.key.clone(),
            image: parent.image.clone(),
            name: parent.name.clone(),
            command_line: parent.command_line.clone(),
            user: parent.user.clone(),
            started: parent.started.map(|at| record::Time { at, clock: record::Clock::Event }),
            ..record::Process::default()
        };
        let mention = self.take(host, &said, Source::Child, times, None, texts);
        let known = mention.process.is_some() || parent.pid.is_some();
        known.then_some(ParentRef { at, pid: parent.pid, process: mention.process })
    }
}

impl Entity {
    /// Takes a value for a field, unless what is there stands before it.
    fn set(&mut self, field: Field, text: Option<TextId>, source: Source, at: i64, texts: &Texts) {
        let Some(text) = text else { return };
        let Some(known) = self.values.get_mut(field as usize) else { return };
        let is_better = known.is_none_or(|known| {
            // A file's path says more than its name alone.
            let is_path = |text| texts.get(text).contains(['\\', '/']);
            let (one, other) = ((source, at), (known.source, known.at));
            match field {
                _ if text == known.text => one > other,
                Field::Image if is_path(text) != is_path(known.text) => is_path(text),
                _ if one == other => texts.get(text) < texts.get(known.text),
                _ => one > other,
            }
        });
        if is_better {
            *known = Some(Value { source, at, text });
        }
    }
}

trait Pick {
    fn max_by_text(self, other: Self, texts: &Texts) -> Self;
}

impl Pick for Option<TextId> {
    fn max_by_text(self, other: Self, texts: &Texts) -> Self {
        let text = |id: Self| id.map(|id| texts.get(id));
        if text(other) > text(self) { other } else { self }
    }
}

fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    one.into_iter().chain(other).min()
}

/// When it happened, by the host's clock where the record has that.
fn event_time(times: &Times) -> i64 {
    times.of(record::Clock::Event).unwrap_or_else(|| times.order().at).as_nanos()
}

/// The second in which a process began, which Sysmon writes into its GUID: `365abb72-6759-5cd8-…` holds 0x5cd86759.
fn guid_time(guid: &str) -> Option<i64> {
    let guid = guid.trim_start_matches('{');
    let is_dash = |at: usize| guid.as_bytes().get(at) == Some(&b'-');
    // Five parts make it a GUID; other identities look like this only by chance.
    if ![8, 13, 18, 23].into_iter().all(is_dash) || guid.len() < 36 || (24..36).any(is_dash) {
        return None;
    }
    let number = |at: std::ops::Range<usize>| i64::from_str_radix(guid.get(at)?, 16).ok();
    let (_, low, high) = (number(0..8)?, number(9..13)?, number(14..18)?);
    let seconds = high << 16 | low;
    // 2010 and later: Sysmon is from 2014.
    (seconds > 1_262_304_000).then_some(seconds * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_holds_the_second_of_the_start() {
        for (guid, seconds) in [
            ("365abb72-6759-5cd8-0000-0010e2d50f00", Some(0x5cd8_6759)),
            ("{39e4a257-79fb-5f92-7117-000000000700}", Some(0x5f92_79fb)),
            ("00000000-0000-0000-0000-000000000000", None),
            ("mtc2mzg4ndg0ny0xmjm0", None),
            ("d1/9/2020-01-01", None),
            ("365abb72-6759-5cd8", None),
            ("", None),
        ] {
            assert_eq!(guid_time(guid), seconds.map(|seconds: i64| seconds * SECOND), "{guid}");
        }
    }
}
