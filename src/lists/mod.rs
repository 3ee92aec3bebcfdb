//! Stage 5: hostname → service.
//!
//! Takes an [`Observation`](crate::inspect::Observation)'s hostname, finds the list [`Entry`] with the longest suffix on label
//! boundaries, and gives a [`Contact`]. Lists come from the built-in catalogue and from the user's files; bad lines are
//! reported and the good ones kept.

use std::sync::Arc;

use crate::inspect::Observation;

/// An observation whose hostname belongs to a listed service.
#[derive(Clone, Debug)]
pub struct Contact {
    /// What was seen.
    pub observation: Observation,
    /// The list entry that it met.
    pub entry: Arc<Entry>,
}

/// A line of a list: a hostname suffix, and what stands behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The suffix in canonical spelling, without a leading dot: it matches itself and every name below it.
    pub suffix: String,
    /// The service's name, as people write it: `Dropbox`.
    pub service: String,
    /// What kind of service: `cloud-storage`.
    pub category: String,
    /// How noisy the name is.
    pub tier: Tier,
    /// ATT&CK techniques it has been used for: `T1102.002`.
    pub techniques: Vec<String>,
    /// The list it came from: `builtin`, or a path.
    pub list: String,
}

/// How noisy a name is in an ordinary network, from 1 (a contact is itself news) to 4 (on every network all day).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tier {
    /// Little or no business use.
    One = 1,
    /// Used by some hosts; the client decides.
    Two = 2,
    /// Common; needs the client's identity and its behaviour.
    Three = 3,
    /// On every network; never alone.
    Four = 4,
}
