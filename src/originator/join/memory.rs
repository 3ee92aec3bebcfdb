//! How much of telemetry is kept at once.

use super::super::clocks::ClockId;
use super::super::hosts::HostId;
use super::super::processes::Processes;
use super::both::Both;
use super::index::{Head, Index};
use super::seen::Seen;
use super::{ConnectionRow, QueryRow, WireRow};

/// The room for telemetry and for what waits for it, as numbers of things: each limit is told when it is reached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FeedMemory {
    /// Processes.
    pub processes: usize,
    /// Bytes of their texts.
    pub texts: usize,
    /// Connections of records.
    pub connections: usize,
    /// Questions of records.
    pub queries: usize,
    /// Connections of the wire.
    pub wire: usize,
    /// Contacts that wait.
    pub contacts: usize,
}

impl FeedMemory {
    /// Bytes that are enough for a day of some hundred hosts, and leave room on a machine of 4 GiB.
    pub const DEFAULT_BYTES: u64 = 1 << 30;

    /// Shares so many bytes out: two fifths to processes and their texts, a quarter each to the connections of records and to those
    /// of the wire with the contacts that wait, a tenth to questions.
    pub fn of_bytes(bytes: u64) -> Self {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        let share =
            |percent: usize, each: usize| (bytes / 100 * percent / each.max(1)).min(Head::GROUP as usize - 1);
        let seen = Seen::BYTES;
        Self {
            processes: share(20, Processes::BYTES),
            texts: share(20, 1),
            connections: share(
                25,
                size_of::<ConnectionRow>()
                    + Both::bytes::<ClockId>()
                    + Index::<(HostId, u64), ClockId>::BYTES
                    + seen,
            ),
            queries: share(10, size_of::<QueryRow>() + Index::<u64, ClockId>::BYTES + 64 + seen),
            wire: share(10, size_of::<WireRow>() + Both::bytes::<()>()),
            contacts: share(15, 1024),
        }
    }

    /// Records that are known again.
    pub(super) const fn records(&self) -> usize {
        self.connections + self.queries + self.processes
    }

    /// Addresses of hosts by records that say nothing else.
    pub(super) const fn addresses(&self) -> usize {
        self.queries
    }
}

impl Default for FeedMemory {
    fn default() -> Self {
        Self::of_bytes(Self::DEFAULT_BYTES)
    }
}
