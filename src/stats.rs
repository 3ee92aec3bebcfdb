//! What was counted: by the worker for each chunk, added up by the merge.
//!
//! Counts of chunks merge by addition, so totals do not depend on where chunks were cut or on who read them.

use std::collections::BTreeMap;

use crate::capture::{Frame, Timestamp};
use crate::decode::{self, Layer, Refusal};
use crate::flow::defrag;
use crate::inspect::{SeenIn, quic};

/// What a stretch of capture held.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Frames, whether they passed the filter or not.
    pub frames: u64,
    /// Time of the earliest of them; captures do run backwards.
    pub first: Option<Timestamp>,
    /// Time of the latest.
    pub last: Option<Timestamp>,
    /// Their bytes on the wire.
    pub wire_bytes: u64,
    /// Their bytes in the capture.
    pub captured_bytes: u64,
    /// Frames that the filter left out.
    pub filtered: u64,
    /// Hostnames seen, by [`SeenIn`] in the order of [`SeenIn::ALL`].
    pub names: [u64; SeenIn::ALL.len()],
    /// ClientHellos that name no server.
    pub nameless: u64,
    /// ClientHellos whose server name is no hostname.
    pub no_hostname: u64,
    /// Datagrams with QUIC of which something could not be read, by reason in the order in which they were met.
    pub quic: Vec<(quic::Refusal, u64)>,
    /// Server names and Hosts that are addresses.
    pub addresses: u64,
    /// Fragments of IP datagrams.
    pub fragments: u64,
    /// Datagrams that were put together from them.
    pub reassembled: u64,
    /// Datagrams of which fragments are missing, at the end or when they were given up.
    pub unfinished: u64,
    /// Packets that told something, and came lately: what they tell again is not counted.
    pub copies: u64,
    /// Packets that were forgotten before the time was over in which a copy may come.
    pub forgotten: u64,
    /// DNS messages that could not be read to their end.
    pub dns_malformed: u64,
    /// DHCP messages that could not be read.
    pub dhcp_malformed: u64,
    /// Why frames gave no packet.
    pub refused: Refused,
}

impl Counts {
    /// Counts a frame.
    #[inline]
    pub fn frame(&mut self, frame: &Frame<'_>) {
        self.first = Some(self.first.map_or(frame.at, |first| first.min(frame.at)));
        self.last = Some(self.last.map_or(frame.at, |last| last.max(frame.at)));
        self.frames += 1;
        self.wire_bytes += u64::from(frame.wire_len);
        self.captured_bytes += frame.bytes.len() as u64;
    }

    /// Counts a hostname.
    #[inline]
    pub fn name(&mut self, seen_in: SeenIn) {
        if let Some(count) =
            SeenIn::ALL.iter().position(|one| *one == seen_in).and_then(|at| self.names.get_mut(at))
        {
            *count += 1;
        }
    }

    /// Takes hostnames out again that were counted twice.
    pub fn unname(&mut self, seen_in: SeenIn, times: u64) {
        if let Some(count) =
            SeenIn::ALL.iter().position(|one| *one == seen_in).and_then(|at| self.names.get_mut(at))
        {
            *count = count.saturating_sub(times);
        }
    }

    /// Frames that contradict a specification, by layer.
    pub fn malformed(&self) -> BTreeMap<String, u64> {
        let mut layers = BTreeMap::new();
        for tally in self.refused.tallies() {
            if let Reason::Malformed(layer) | Reason::TooDeep(layer) = tally.reason {
                *layers.entry(layer.to_string()).or_default() += tally.frames;
            }
        }
        for (layer, count) in
            [("dns", self.dns_malformed), ("dhcp", self.dhcp_malformed), ("tls", self.no_hostname)]
        {
            if count > 0 {
                *layers.entry(layer.to_owned()).or_default() += count;
            }
        }
        layers
    }

    /// Counts the last frame as one that gave no packet.
    #[cold]
    pub fn refuse(&mut self, refusal: Refusal) {
        self.refused.add(refusal.into(), 1, self.frames);
    }

    /// Counts a frame of this stretch, by its number there, as one that was of no use.
    #[cold]
    pub fn refuse_at(&mut self, reason: Reason, frame: u64) {
        self.refused.add(reason, 1, frame);
    }

    /// Counts datagrams with QUIC of which something could not be read.
    #[cold]
    pub fn refuse_quic(&mut self, why: quic::Refusal, datagrams: u64) {
        match self.quic.iter_mut().find(|(known, _)| *known == why) {
            Some((_, count)) => *count += datagrams,
            None => self.quic.push((why, datagrams)),
        }
    }

    /// Adds the counts of the stretch that follows this one.
    pub fn add(&mut self, next: &Self) {
        for tally in &next.refused.kinds {
            self.refused.add(tally.reason, tally.frames, self.frames + tally.first);
        }
        self.refused.others += next.refused.others;
        self.frames += next.frames;
        self.wire_bytes += next.wire_bytes;
        self.captured_bytes += next.captured_bytes;
        self.filtered += next.filtered;
        self.first = self.first.into_iter().chain(next.first).min();
        self.last = self.last.max(next.last);
        self.nameless += next.nameless;
        self.no_hostname += next.no_hostname;
        self.addresses += next.addresses;
        next.quic.iter().for_each(|(why, count)| self.refuse_quic(*why, *count));
        self.fragments += next.fragments;
        self.reassembled += next.reassembled;
        self.unfinished += next.unfinished;
        self.copies += next.copies;
        self.forgotten += next.forgotten;
        self.dns_malformed += next.dns_malformed;
        self.dhcp_malformed += next.dhcp_malformed;
        for (count, more) in self.names.iter_mut().zip(next.names) {
            *count += more;
        }
    }
}

/// Frames that gave no packet, by layer and reason, with the number of the first of each kind.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Refused {
    /// In the order in which the kinds were met.
    kinds: Vec<Tally>,
    /// Frames of kinds that were met after [`Refused::MOST_KINDS`] others.
    others: u64,
}

/// How often frames were refused for one reason.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Tally {
    /// The reason.
    pub reason: Reason,
    /// How many frames.
    pub frames: u64,
    /// Number of the first of them, from 1.
    pub first: u64,
}

/// Why a frame gave no packet, without the lengths that differ from frame to frame.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// The layer's bytes end too early or contradict its specification.
    Malformed(Layer),
    /// The layer names a protocol that is not decoded, by its number.
    Unsupported(Layer, u32),
    /// More headers of this kind follow one another than are walked.
    TooDeep(Layer),
    /// It looks like the layer by its port, and what it carries could not be decoded: the packet is taken as a datagram.
    Unopened(Layer),
    /// A fragment of no use.
    Fragment(defrag::Reason),
}

impl Refused {
    /// The most kinds told apart: whoever makes up ethertypes does not make up memory.
    pub const MOST_KINDS: usize = 128;

    /// The kinds, in the order in which they were met.
    pub fn tallies(&self) -> &[Tally] {
        &self.kinds
    }

    /// Frames of kinds that were met after [`Refused::MOST_KINDS`] others.
    pub const fn others(&self) -> u64 {
        self.others
    }

    fn add(&mut self, reason: Reason, frames: u64, first: u64) {
        if let Some(tally) = self.kinds.iter_mut().find(|tally| tally.reason == reason) {
            tally.frames += frames;
        } else if self.kinds.len() < Self::MOST_KINDS {
            self.kinds.push(Tally { reason, frames, first });
        } else {
            self.others += frames;
        }
    }
}

impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(malformed) => Self::Malformed(malformed.layer),
            Refusal::Unsupported(layer, number) => Self::Unsupported(layer, number),
            Refusal::TooDeep(layer) => Self::TooDeep(layer),
        }
    }
}

impl From<defrag::Reason> for Reason {
    fn from(reason: defrag::Reason) -> Self {
        Self::Fragment(reason)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(layer) => write!(f, "{layer}: malformed or cut short"),
            Self::Unsupported(layer, number) => match decode::protocol_name(*layer, *number) {
                Some(name) => write!(f, "{layer}: {name} {number:#06x}"),
                None => write!(f, "{layer}: {number:#06x}"),
            },
            Self::TooDeep(layer) => write!(f, "{layer}: too many headers"),
            Self::Unopened(layer) => write!(f, "{layer}: malformed or cut short inside"),
            Self::Fragment(reason) => write!(f, "ip fragment: {}", reason.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_stretches_add_up_to_the_counts_of_the_whole() {
        let arp = Refusal::Unsupported(Layer::Ethernet, 0x0806);
        let mut first = Counts { frames: 4, ..Counts::default() };
        first.refuse(arp);
        first.frames = 10;
        let mut second = Counts { frames: 2, ..Counts::default() };
        second.refuse(arp);
        second.frames = 3;
        second.refuse(Refusal::TooDeep(Layer::Vlan));
        first.add(&second);
        assert_eq!(first.frames, 13);
        assert_eq!(
            first.refused.tallies(),
            [
                Tally { reason: Reason::Unsupported(Layer::Ethernet, 0x0806), frames: 2, first: 4 },
                Tally { reason: Reason::TooDeep(Layer::Vlan), frames: 1, first: 13 },
            ]
        );
    }

    #[test]
    fn made_up_kinds_do_not_take_memory() {
        let mut counts = Counts::default();
        for number in 0..1000 {
            counts.refuse(Refusal::Unsupported(Layer::Ethernet, number));
        }
        assert_eq!(counts.refused.tallies().len(), Refused::MOST_KINDS);
        assert_eq!(counts.refused.others(), 1000 - Refused::MOST_KINDS as u64);
    }
}
