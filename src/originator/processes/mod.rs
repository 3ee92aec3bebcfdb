//! The processes of all hosts by the interval in which they lived: number → [start, end), with the feed's identity.
//!
//! Numbers recur within seconds, most processes began before the feed did, and some had gone when their record was
//! written. So a process is put together from everything that speaks of it: its start and end, the connections and questions that
//! are its own, the processes that it started. What is put together does not depend on the order in which it came: of two
//! values for one thing the one from the better kind of record stands, of equals the later, of equals the first in the alphabet.
//!
//! Here is what is kept of them, and how it is forgotten: `take` puts to it what a record says, `find` says which process is meant,
//! `told` what is known of one.

mod find;
mod take;
mod told;

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use rustc_hash::FxHashMap;

use super::attribution::Process;
use super::hosts::HostId;
use super::texts::{TextId, Texts, file_name};
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

    /// The process with the same identity of which another record tells the number, where this one's record did not.
    fn with_number(&self, id: ProcessId) -> ProcessId {
        let key = self
            .entity_of(id)
            .filter(|entity| entity.pid.is_none())
            .and_then(|entity| Some((entity.host, entity.key?)));
        let numbered = key.and_then(|key| self.numbered.as_ref()?.get(&key).copied().flatten());
        numbered.unwrap_or(id)
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
}
