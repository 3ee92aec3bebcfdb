//! What repeats is told once: findings folded into alerts and summaries.
//!
//! One [`Alert`] stands for all contacts of one client (and process, once known) with one service within a window, and one
//! [`Summary`] for all of them at the end.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Finding, Level};
use crate::capture::Timestamp;
use crate::hostname::Hostname;
use crate::inspect::SeenIn;

/// A finding, told once.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Identity: a hash of client, service, process and first time. An update carries the id of what it updates.
    pub id: u64,
    /// Whether an alert with this id was told before.
    pub update: bool,
    /// With which level it was, at most: who read of it then shall read what became of it.
    pub told_as: Option<Level>,
    /// Time of the first contact.
    pub first: Timestamp,
    /// The contact that says most: a connection, where one was seen, else the DNS question.
    pub finding: Finding,
    /// Every way in which names of the service were seen, in the order of [`SeenIn`].
    pub seen_in: BTreeSet<SeenIn>,
}

/// What one client had to do with one service, from the first contact to the last.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The alert this belongs to: the first for this client and service.
    pub id: u64,
    /// The finding with the highest level.
    pub finding: Finding,
    /// Time of the first contact.
    pub first: Timestamp,
    /// Time of the last contact.
    pub last: Timestamp,
    /// Contacts: every question, every hello.
    pub count: u64,
    /// Those of them that were connections.
    pub connections: u64,
    /// Every way in which names of the service were seen.
    pub seen_in: BTreeSet<SeenIn>,
    /// The names, at most [`Summary::MOST_VALUES`].
    pub hostnames: Values<Hostname>,
    /// The servers connected to (resolvers are none), at most [`Summary::MOST_VALUES`].
    pub destinations: Values<IpAddr>,
    /// Their ports, at most [`Summary::MOST_VALUES`].
    pub ports: Values<u16>,
    /// Names, servers and ports that were not kept because there were too many.
    pub values_left_out: u64,
    /// The tunnel and VLANs through which all of it came: those of the finding, if no contact came another way.
    pub one_path: bool,
}

impl Summary {
    /// The most names, servers or ports that a summary lists: enough to read, and a bound on memory against a client that
    /// makes up a new tenant label for every contact.
    pub const MOST_VALUES: usize = 64;
}

/// Different values in their order, at most [`Summary::MOST_VALUES`]. Nearly always it is one: a tree of each kind would take as much memory as
/// all the rest of a summary.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Values<T>(Vec<T>);

impl<T> Default for Values<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Values<T> {
    /// Adds a value, if there is room. Says whether it is there now.
    pub fn keep(&mut self, value: &T) -> bool
    where
        T: Clone,
    {
        match self.0.binary_search(value) {
            Ok(_) => true,
            Err(_) if self.0.len() >= Summary::MOST_VALUES => false,
            Err(place) => {
                if self.0.capacity() == self.0.len() {
                    // A vector that grows by itself begins with four.
                    self.0.reserve_exact(self.0.len().max(1));
                }
                self.0.insert(place, value.clone());
                true
            }
        }
    }

    /// The values, the least first.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Clone + Ord> FromIterator<T> for Values<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut kept = Self::default();
        for value in values {
            kept.keep(&value);
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_different_in_order_and_bounded() {
        let mut values = Values::default();
        let kept = [7, 3, 7, 9, 3].map(|value| values.keep(&value));
        assert_eq!((kept, values.iter().copied().collect::<Vec<_>>()), ([true; 5], vec![3, 7, 9]));
        let kept = (100..200).filter(|value| values.keep(value)).count();
        assert_eq!((kept, values.len()), (Summary::MOST_VALUES - 3, Summary::MOST_VALUES));
        assert!(values.keep(&100) && !values.keep(&1), "what is there is there, and nothing new comes");
        assert_eq!(values, values.iter().rev().copied().collect());
    }
}
