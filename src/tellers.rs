//! The packets that told something: of one that comes twice, what the second tells is dropped.
//!
//! A scan notes them; they are compared when a chunk is finished, in the order of the frames and with those of the chunk before it, so that
//! the edge between a packet and its copy changes nothing.

use std::num::NonZeroU64;

use crate::capture::Timestamp;
use crate::events::{Event, What};
use crate::flow::copies::Copies;
use crate::questions::Question;
use crate::stats::Counts;

/// A packet that told something.
#[derive(Clone, Copy, Debug)]
pub struct Teller {
    /// As that of the events.
    pub tag: u32,
    /// As that of the events.
    pub frame: u64,
    /// The frame's time.
    pub at: Timestamp,
    /// What stands for the packet.
    pub number: NonZeroU64,
    /// The question to a resolver that it tells, where that is noted.
    pub question: Option<Question>,
}

/// Drops what was told by packets that had come shortly before, and counts these packets. It has to be done in the order of the frames,
/// with what came in the chunk before. What is left of `tellers` are the others.
pub(crate) fn drop_copies(
    copies: &mut Copies,
    tellers: &mut Vec<Teller>,
    events: &mut Vec<(u32, Event)>,
    counts: &mut Counts,
) {
    tellers.sort_by_key(|teller| teller.frame);
    let mut frames = Vec::new();
    tellers.retain(|teller| {
        let copy = copies.is_copy(teller.number, teller.at);
        if copy {
            counts.copies += 1;
            frames.push(teller.frame);
        }
        !copy
    });
    counts.forgotten += copies.take_forgotten();
    if !frames.is_empty() {
        // That a datagram was put together remains true.
        let is_kept = |event: &Event| {
            matches!(event.what, What::Reassembled) || frames.binary_search(&event.mark.frame).is_err()
        };
        events.retain(|(_, event)| is_kept(event));
    }
}
