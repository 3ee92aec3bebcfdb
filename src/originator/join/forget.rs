//! What a live sensor forgets, so that it can go on for ever in the room that it has.

use rustc_hash::FxHashMap;

use super::super::clocks::Times;
use super::super::record::FeedKind;
use super::seen::Seen;
use super::{Destinations, Join};
use crate::capture::Timestamp;
use crate::originator::hosts::HostId;
use crate::originator::processes::ProcessId;
use crate::originator::texts::{TextId, Texts};

impl Join {
    /// Forgets the records and connections of before this time, processes that had ended by then, and where these are still too many the
    /// ones that were not heard of for longest; then the texts that nothing speaks of any more.
    pub fn forget(&mut self, before: Timestamp) {
        let clocks = &self.clocks;
        let is_of_now =
            |host: HostId, feed: FeedKind, times: &Times| clocks.to_wire(host, feed, times.order()) >= before;
        self.connections.retain(|row| is_of_now(row.mention.host, row.feed, &row.times));
        self.queries.retain(|row| is_of_now(row.mention.host, row.feed, &row.times));
        self.addresses.retain(|(_, host, feed, times)| is_of_now(*host, *feed, times));
        self.wire.retain(|row| row.began >= before);
        self.hosts.leases.forget(before);
        // Half of what there is room for is kept, so that this is not done again at once.
        let moved = self.processes.forget(before, self.memory.processes / 2);
        let follow = |process: Option<ProcessId>| {
            process.and_then(|process| moved.get(process.number() as usize).copied().flatten())
        };
        for row in &mut self.connections {
            row.mention.process = follow(row.mention.process);
        }
        for row in &mut self.queries {
            row.mention.process = follow(row.mention.process);
        }
        let commands: Vec<(TextId, ProcessId)> = (self.in_commands.iter())
            .filter_map(|(name, process)| Some((*name, follow(Some(*process))?)))
            .collect();
        self.in_commands = commands.into_iter().collect();
        self.forget_texts();
        self.seen = Seen::default();
        self.index();
    }

    /// Keeps the texts that something speaks of.
    fn forget_texts(&mut self) {
        let mut kept = self.texts.emptied();
        let mut numbers: FxHashMap<TextId, Option<TextId>> = FxHashMap::default();
        let old = &self.texts;
        let mut keep = |text: TextId| -> Option<TextId> {
            *numbers
                .entry(text)
                .or_insert_with(|| kept.keep_up_to(old.get(text), Texts::LONGEST_COMMAND_LINE))
        };
        self.processes.map_texts(&mut keep);
        for row in &mut self.connections {
            row.kind = row.kind.and_then(&mut keep);
            row.name = row.name.and_then(&mut keep);
        }
        for row in &mut self.queries {
            row.kind = row.kind.and_then(&mut keep);
            row.name = row.name.and_then(&mut keep);
        }
        let records = std::mem::take(&mut self.counts.records);
        self.counts.records = records
            .into_iter()
            .filter_map(|((feed, kind), count)| Some(((feed, keep(kind)?), count)))
            .collect();
        let commands = std::mem::take(&mut self.in_commands);
        self.in_commands =
            commands.into_iter().filter_map(|(name, process)| Some((keep(name)?, process))).collect();
        self.texts = kept;
    }

    /// Builds the indexes anew.
    fn index(&mut self) {
        self.both = self.both.emptied();
        if let Some(destinations) = self.destinations.get_mut() {
            *destinations = Destinations { index: destinations.index.emptied(), taken: 0 };
        }
        self.index_rows();
        self.asked = self.asked.emptied();
        self.askers = FxHashMap::default();
        for number in 0..self.queries.len() {
            let row = self.queries.get(number).map(|row| (row.mention.host, row.name));
            if let Some((host, Some(name))) = row {
                self.index_query(number as u32, host, name);
            }
        }
        self.index_commands();
    }

    /// Builds the index of names in command lines anew.
    pub(super) fn index_commands(&mut self) {
        self.commands = self.commands.emptied();
        let mut all: Vec<(TextId, ProcessId)> = self.in_commands.iter().copied().collect();
        all.sort_unstable_by_key(|(_, process)| process.number());
        for (name, process) in all {
            self.index_command(name, process);
        }
    }

    /// Whether so much is kept that something should be forgotten.
    pub fn is_filling(&self) -> bool {
        let filling = |have: usize, room: usize| have > room / 4 * 3;
        filling(self.connections.len(), self.memory.connections)
            || filling(self.queries.len(), self.memory.queries)
            || filling(self.wire.len(), self.memory.wire)
            || filling(self.processes.len(), self.memory.processes)
            || filling(self.texts.bytes(), self.memory.texts)
            || filling(self.seen.len(), self.memory.records())
            || self.hosts.leases.is_filling()
    }
}
