//! The packets that told something: of one that comes twice, what the second tells is dropped.
//!
//! A scan notes them; they are compared when a chunk is finished, in the order of the frames and with those of the chunk before it, so that
//! the edge between a packet and its copy changes nothing.

use std::num::NonZeroU64;

use crate::capture::Timestamp;
use crate::events::{Event, What};
use crate::flow::copies::Copies;
use crate::stats::Counts;

/// A packet that told something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Teller {
    /// As that of the events.
    pub(crate) tag: u32,
    /// As that of the events.
    pub(crate) frame: u64,
    /// The frame's time.
    pub(crate) at: Timestamp,
    /// What stands for the packet.
    pub(crate) number: NonZeroU64,
}

/// Drops what was told by packets that had come shortly before, and counts these packets. It has to be done in the order of the frames,
/// with what came in the chunk before.
pub(crate) fn drop_copies(
    copies: &mut Copies,
    tellers: &mut Vec<Teller>,
    events: &mut Vec<(u32, Event)>,
    counts: &mut Counts,
) {
    tellers.sort_by_key(|teller| teller.frame);
    let mut frames = Vec::new();
    for teller in tellers.drain(..) {
        if copies.is_copy(teller.number, teller.at) {
            counts.copies += 1;
            frames.push(teller.frame);
        }
    }
    counts.forgotten += copies.take_forgotten();
    if !frames.is_empty() {
        // That a datagram was put together remains true.
        let is_kept = |event: &Event| {
            matches!(event.what, What::Reassembled) || frames.binary_search(&event.mark.frame).is_err()
        };
        events.retain(|(_, event)| is_kept(event));
    }
}
