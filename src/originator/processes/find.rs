//! Which process is meant: the one that had a number at a time, whether two are one, when it lived, and who started whom.

use super::super::hosts::{HostId, Hosts};
use super::super::texts::{Texts, same_file_name};
use super::{Began, Mention, ProcessId, Processes, SECOND};
use crate::capture::Timestamp;

impl Processes {
    /// How long after its end a process is still looked for, in nanoseconds: records of what it did are written
    /// seconds later.
    const GRACE: i64 = 300 * SECOND;
    /// How far the times of two records of one start may be apart, and how much later than what it did a start may be written.
    const GRAIN: i64 = 2 * SECOND;

    /// Whom a mention at a time is about, as of all that is known by now: the process itself if anything is known of it, else the
    /// one that had its number then. The time is by the clock that the feed's records are in order by.
    pub(in crate::originator) fn resolve(
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
    pub(in crate::originator) fn same(
        &self,
        one: ProcessId,
        other: ProcessId,
        hosts: &Hosts,
        texts: &Texts,
    ) -> bool {
        self.are_one(one, other, false, hosts, texts)
    }

    /// Whether two are one process of which it is known that they did the same: then it is enough that their files agree, where one
    /// has no number.
    pub(in crate::originator) fn same_doer(
        &self,
        one: ProcessId,
        other: ProcessId,
        hosts: &Hosts,
        texts: &Texts,
    ) -> bool {
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
    pub(in crate::originator) fn better(&self, one: ProcessId, other: ProcessId) -> ProcessId {
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
    pub(in crate::originator) fn lived_about(&self, id: ProcessId, at: Timestamp, within: i64) -> bool {
        let Some(entity) = self.entity_of(id) else { return false };
        let at = at.as_nanos();
        let begun = entity.began.is_none_or(|began| began.at() <= at.saturating_add(within));
        let ended = entity.ended.is_some_and(|ended| ended < at.saturating_sub(within));
        begun && !ended
    }

    /// Whether a process began about a time, by the clock of its own events.
    pub(in crate::originator) fn began_about(&self, id: ProcessId, at: Timestamp, within: i64) -> bool {
        self.entity_of(id)
            .and_then(|entity| entity.began)
            .is_some_and(|began| began.at().abs_diff(at.as_nanos()) <= within.unsigned_abs())
    }

    /// When a process began, or if that is not known was heard of last, and when it ended; in nanoseconds.
    pub(in crate::originator) fn lifetime(&self, id: ProcessId) -> Option<(i64, Option<i64>)> {
        let entity = self.entity_of(id)?;
        Some((entity.began.map_or(entity.heard, Began::at), entity.ended))
    }

    /// Whether one process started the other, or started what started it.
    pub(in crate::originator) fn is_ancestor(
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
}
