//! Names that were given to connections that have none, until their conversations are told.

use rustc_hash::FxHashMap;

use crate::capture::Timestamp;
use crate::flow::{Conversation, FlowKey};
use crate::inspect::Observation;
use crate::worker::Named;

/// Names by their connections.
#[derive(Debug, Default)]
pub(crate) struct Given {
    names: FxHashMap<FlowKey, Vec<(Timestamp, Named)>>,
    kept: usize,
    forgotten: u64,
}

impl Given {
    /// The most names that wait for their conversations: those of an hour of a large network, some 40 MiB.
    const MOST: usize = 1 << 18;

    /// Takes the name of a connection.
    pub(crate) fn take(&mut self, observation: &Observation) {
        if self.kept >= Self::MOST {
            self.forgotten += 1;
            return;
        }
        let named = (observation.hostname.clone(), observation.seen_in);
        self.names.entry(observation.flow.key()).or_default().push((observation.at, named));
        self.kept += 1;
    }

    /// The first name that was given to a conversation which is over.
    pub(crate) fn name(&mut self, conversation: &Conversation<Named>) -> Option<Named> {
        let key = conversation.flow.key();
        let names = self.names.get_mut(&key)?;
        let place = names.iter().position(|(at, _)| (conversation.first..=conversation.last).contains(at))?;
        let (_, name) = names.remove(place);
        // Those of the same conversation, and of what was before it.
        let before = names.len();
        names.retain(|(at, _)| *at > conversation.last);
        self.kept -= 1 + before - names.len();
        if names.is_empty() {
            self.names.remove(&key);
        }
        Some(name)
    }

    /// How many were given up because [`Self::MOST`] was reached.
    pub(crate) const fn forgotten(&self) -> u64 {
        self.forgotten
    }
}
