//! What frames told, and the form in which a chunk tells it: events in the order of the frames, counts, and names for conversations.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::{Named, Origin};
use crate::decode::Layer;
use crate::events::{Event, Events, Instead, What};
use crate::flow::{Conversation, Ledger, defrag};
use crate::inspect::SeenIn;
use crate::questions::Question;
use crate::seen::Mark;
use crate::stats::{Counts, Reason};
use crate::tellers::Teller;

/// What frames told, one after the other.
#[derive(Debug, Default)]
pub struct Told {
    /// Each with the tag of its conversation; nought where a frame speaks for itself.
    pub(super) events: Events,
    /// What each datagram that was put together from fragments mattered to: its own tag, and that of the conversation or of
    /// the datagram that it is a fragment of.
    pub(super) fed: Vec<(u32, u32)>,
    /// The packets that told something.
    pub(super) tellers: Vec<Teller>,
    pub(super) counts: Counts,
}

impl Told {
    /// Whether there is nothing but counts in it.
    pub fn is_quiet(&self) -> bool {
        self.events.is_empty()
    }

    /// How many frames told it.
    pub const fn frames(&self) -> u64 {
        self.counts.frames
    }

    /// How many events there are.
    #[inline]
    pub(super) fn so_far(&self) -> usize {
        self.events.len()
    }

    /// Whether anything was told since that a copy of the packet would double. An answer of DNS and a lease are the same if they come twice, and
    /// that there is a conversation is told once.
    pub(super) fn tells_since(&self, before: usize) -> bool {
        self.events.iter().skip(before).any(|(_, event)| {
            !matches!(event.what, What::Answer(_) | What::Lease(_)) && event.what.datagrams().is_none()
        })
    }

    /// Remembers that a packet told something since so much was told.
    pub(super) fn teller(
        &mut self,
        before: usize,
        tag: u32,
        mark: Mark,
        number: NonZeroU64,
        question: Option<Question>,
    ) {
        // What others said that had to give way is not its own.
        if self.events.iter().skip(before).any(|(_, event)| event.mark == mark) {
            self.tellers.push(Teller { tag, frame: mark.frame, at: mark.at, number, question });
        }
    }

    /// Counts a packet whose inside could not be decoded.
    #[cold]
    pub(super) fn unopened(&mut self, layer: Layer, Origin { mark, of, .. }: Origin<'_>) {
        let reason = Reason::Unopened(layer);
        match of {
            0 => self.counts.refuse_at(reason, self.counts.frames),
            of => self.events.push((of, Event { mark, what: What::Refused(reason) })),
        }
    }
}

/// What a chunk told once it is finished: events in the order of the frames, and what was counted.
#[derive(Debug, Default)]
pub struct Finished {
    /// Which file or interface it was of.
    pub source: u32,
    /// In the order of the frames.
    pub events: Vec<Event>,
    /// What was counted.
    pub counts: Counts,
    /// Conversations that are over, where they are asked for: at the end of the capture all that are left.
    pub conversations: Vec<Conversation<Named>>,
    /// How many of them had to be told before their end.
    pub cut: u64,
    /// Of one of several threads: the packets that told something, in the order of the frames.
    pub tellers: Vec<Teller>,
    /// Likewise, the names that were only counted: of which frame, in that order.
    pub counted: Vec<(u64, SeenIn)>,
}

/// Puts the events of a chunk, whose frames are numbered from the one after `frames`, into the order of the frames, and counts them.
pub(super) fn finished(source: u32, frames: u64, events: &mut Events, mut counts: Counts) -> Finished {
    // What is only counted is most: its order matters to nobody but the first of each reason.
    let mut kept = Vec::new();
    let mut refused = Vec::new();
    let Events { list, answers } = events;
    let answers = Arc::new(std::mem::take(answers));
    for (_, mut event) in list.drain(..) {
        match &mut event.what {
            What::Hostname(sighting) => {
                sighting.observation.frame = event.mark.frame;
                counts.name(sighting.observation.seen_in);
            }
            What::Counted(seen_in) | What::Named(seen_in, _) => counts.name(*seen_in),
            What::Nameless(one) => counts.nameless += u64::from(one.instead == Instead::Hello),
            What::Answer(answer) => answer.share(&answers),
            What::Certificate(_) | What::Lease(_) => {}
            What::Address => counts.addresses += 1,
            What::Quic(why) => counts.refuse_quic(*why, 1),
            What::NoHostname => counts.no_hostname += 1,
            What::MalformedDns => counts.dns_malformed += 1,
            What::MalformedDhcp => counts.dhcp_malformed += 1,
            What::Reassembled => counts.reassembled += 1,
            What::GivenUp => counts.unfinished += 1,
            What::Refused(Reason::Fragment(defrag::Reason::Copy)) => counts.copies += 1,
            What::Refused(reason) => refused.push((event.mark, *reason)),
        }
        if event.what.is_for_the_correlator() {
            kept.push(event);
        }
    }
    refused.sort_by_key(|(mark, _)| (mark.source, mark.frame));
    for (mark, reason) in refused {
        // Frames of a live capture are numbered over all interfaces: which of this stretch it was is not known then.
        counts.refuse_at(reason, mark.frame.saturating_sub(frames).min(counts.frames));
    }
    kept.sort_by_key(|event| (event.mark.source, event.mark.frame));
    Finished { source, events: kept, counts, ..Finished::default() }
}

/// Gives conversations the names that were seen in them.
pub(super) fn name(ledger: &mut Ledger<Named>, events: &[Event]) {
    for event in events {
        if let What::Hostname(sighting) = &event.what {
            let observation = &sighting.observation;
            if !matches!(observation.seen_in, SeenIn::DnsQuery | SeenIn::DnsResponse) {
                let name = (observation.hostname.clone(), observation.seen_in);
                ledger.name(observation.flow, event.mark.source, event.mark.frame, name);
            }
        }
    }
}
