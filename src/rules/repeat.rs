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
    pub hostnames: BTreeSet<Hostname>,
    /// The servers connected to (resolvers are none), at most [`Summary::MOST_VALUES`].
    pub destinations: BTreeSet<IpAddr>,
    /// Their ports, at most [`Summary::MOST_VALUES`].
    pub ports: BTreeSet<u16>,
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
