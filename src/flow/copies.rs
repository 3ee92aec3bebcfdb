//! Packets that were seen lately: a mirror port sends many of them twice.
//!
//! Both ports of a conversation are mirrored, or a packet is mirrored in one VLAN and again in the next: then it comes twice, within
//! a few milliseconds. A copy is the same IP packet: both ends, the identification of IPv4, TCP's numbers and flags, length and payload are
//! equal. What lies around it (addresses of Ethernet, tags, tunnels) and what a router changes on the way (time to live, class, checksum) may
//! differ. What is sent again is no copy: over IPv4 it has another identification, and over IPv6, which has none, it comes later
//! than [`WINDOW`].
//!
//! What is asked for here is only what told something; the packets of conversations are told apart where these are kept
//! ([`Ledger`](super::Ledger)). A number stands for a packet, made with a secret of this process: nobody can build two packets with one
//! number, of which the second would be swallowed.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU64;

use super::Flow;
use crate::capture::Timestamp;

/// How long after a packet the same one is a copy, in nanoseconds of packet time. Mirror ports and the switches behind them need
/// microseconds, a congested one some milliseconds; TCP sends nothing again before 200 ms (Linux's shortest; RFC 6298 has a second), DNS
/// clients wait a second, and LLMNR 100 ms (RFC 4795 section 2.7), twice of this.
pub const WINDOW: i64 = 50_000_000;

/// The most packets that are remembered, in 256 KiB: those of [`WINDOW`] where 300,000 names are told in a second.
pub const MOST: usize = SETS * WAYS;

const SETS: usize = 1 << 12;
/// Packets that have one place in the table; the oldest gives way.
const WAYS: usize = 4;

/// Makes numbers that stand for packets. Those of one process agree.
#[derive(Clone, Copy, Debug)]
pub struct Numbering([u64; 2]);

/// What of a packet makes it that one, beside its ends and payload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Identity {
    /// The identification of IPv4.
    pub id: u16,
    /// TCP's sequence number.
    pub seq: u32,
    /// TCP's acknowledgement number.
    pub ack: u32,
    /// TCP's control bits.
    pub flags: u8,
    /// The payload's length on the wire.
    pub wire_len: u32,
}

impl Numbering {
    /// The one of this process.
    pub fn of_this_process() -> Self {
        static SECRET: std::sync::LazyLock<Numbering> = std::sync::LazyLock::new(|| {
            let random = RandomState::new();
            Numbering([random.hash_one(0), random.hash_one(1)])
        });
        *SECRET
    }

    /// A number of a packet among the others of its conversation, made of less: there are only a few to be confused with, and each packet needs
    /// one. `checksum` is the transport's, and makes up for what is left out of the payload, and for the options of TCP.
    #[inline]
    pub fn short(&self, from_low: bool, identity: Identity, checksum: u16, payload: &[u8]) -> u32 {
        let Self([first, second]) = *self;
        let mix = |state: u64, one: u64, other: u64| {
            let wide = u128::from(one ^ first) * u128::from(other ^ state);
            (wide as u64) ^ ((wide >> 64) as u64)
        };
        let Identity { id, seq, ack, flags, wire_len } = identity;
        let small =
            u64::from(id) << 32 | u64::from(checksum) << 16 | u64::from(flags) << 8 | u64::from(from_low);
        let begins = payload.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let ends = payload.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let state = mix(second, small, u64::from(seq) << 32 | u64::from(ack));
        let state = mix(state, begins, ends);
        (mix(state, u64::from(wire_len), payload.len() as u64) >> 32) as u32
    }

    /// The number of a packet.
    pub fn number(&self, flow: &Flow, identity: Identity, payload: &[u8]) -> NonZeroU64 {
        let Self([first, second]) = *self;
        let mut state = second;
        let mut add = |one: u64, other: u64| {
            let wide = u128::from(one ^ first) * u128::from(other ^ state);
            state = (wide as u64) ^ ((wide >> 64) as u64);
        };
        for ip in [flow.src.ip, flow.dst.ip] {
            match ip {
                IpAddr::V4(ip) => add(u64::from(ip.to_bits()), 4),
                IpAddr::V6(ip) => add((ip.to_bits() >> 64) as u64, ip.to_bits() as u64),
            }
        }
        let Identity { id, seq, ack, flags, wire_len } = identity;
        let ports = u64::from(flow.src.port) << 16 | u64::from(flow.dst.port);
        add(ports << 32 | u64::from(id) << 16 | u64::from(flow.protocol.0) << 8 | u64::from(flags), {
            u64::from(seq) << 32 | u64::from(ack)
        });
        let (whole, rest) = payload.as_chunks::<16>();
        for bytes in whole {
            let both = u128::from_le_bytes(*bytes);
            add(both as u64, (both >> 64) as u64);
        }
        let mut last = [0; 16];
        last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        let both = u128::from_le_bytes(last);
        add(both as u64, (both >> 64) as u64);
        add(u64::from(wire_len), payload.len() as u64);
        NonZeroU64::new(state).unwrap_or(NonZeroU64::MIN)
    }
}

/// The packets that were seen lately.
#[derive(Clone, Debug, Default)]
pub struct Copies {
    /// Nothing until the first packet is asked for.
    sets: Vec<[Option<Known>; WAYS]>,
    forgotten: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    number: NonZeroU64,
    at: Timestamp,
}

impl Copies {
    /// Whether a packet is a copy of one that came lately; it is remembered itself.
    pub fn is_copy(&mut self, number: NonZeroU64, at: Timestamp) -> bool {
        if self.sets.is_empty() {
            self.sets.resize(SETS, [None; WAYS]);
        }
        let place = number.get() as usize % SETS;
        let Some(set) = self.sets.get_mut(place) else { return false };
        let lately = |known: &Known| known.at.since(at).checked_abs().is_some_and(|age| age <= WINDOW);
        if let Some(known) = set.iter_mut().flatten().find(|known| known.number == number) {
            let copy = lately(known);
            known.at = at;
            return copy;
        }
        if let Some(oldest) = set.iter_mut().min_by_key(|known| known.map(|known| known.at)) {
            self.forgotten += u64::from(oldest.as_ref().is_some_and(lately));
            *oldest = Some(Known { number, at });
        }
        false
    }

    /// How many packets were forgotten within their [`WINDOW`] since this was last asked, because there were too many.
    pub fn take_forgotten(&mut self) -> u64 {
        std::mem::take(&mut self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, Protocol};

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(1_795_176_000_000_000_000 + millis * 1_000_000)
    }

    #[test]
    fn what_comes_again_within_the_window_is_a_copy() {
        let mut copies = Copies::default();
        let number = |number| NonZeroU64::new(number).unwrap();
        assert!(!copies.is_copy(number(7), at(0)));
        assert!(!copies.is_copy(number(8), at(0)));
        assert!(copies.is_copy(number(7), at(50)));
        assert!(copies.is_copy(number(7), at(100)), "each copy counts from the one before");
        assert!(!copies.is_copy(number(7), at(151)));
        assert!(copies.is_copy(number(7), at(120)), "clocks run backwards");
        assert!(!copies.is_copy(number(7), at(0)));
        assert!(!copies.is_copy(number(8), Timestamp::from_nanos(i64::MIN)));
        assert!(!copies.is_copy(number(8), Timestamp::from_nanos(i64::MAX)));
    }

    #[test]
    fn the_oldest_gives_way_and_is_counted_when_it_was_young() {
        let mut copies = Copies::default();
        let same_place = |number: u64| NonZeroU64::new((number << 32) | 5).unwrap();
        for number in 0..5 {
            assert!(!copies.is_copy(same_place(number), at(number as i64)));
        }
        assert_eq!((copies.take_forgotten(), copies.take_forgotten()), (1, 0));
        assert!(!copies.is_copy(same_place(0), at(5)), "forgotten");
        assert_eq!(copies.take_forgotten(), 1);
        assert!(copies.is_copy(same_place(4), at(6)));
        assert!(!copies.is_copy(same_place(9), at(1_000)));
        assert_eq!(copies.take_forgotten(), 0, "whose time is over is not missed");
    }

    #[test]
    fn a_short_number_differs_too() {
        let numbering = Numbering::of_this_process();
        let identity = Identity { id: 1, seq: 2, ack: 3, flags: 4, wire_len: 40 };
        let payload: Vec<u8> = (0..40).collect();
        let mut numbers = std::collections::BTreeSet::new();
        let mut check = |from_low, identity, checksum, payload: &[u8]| {
            let number = numbering.short(from_low, identity, checksum, payload);
            assert_eq!(number, numbering.short(from_low, identity, checksum, payload));
            assert!(numbers.insert(number), "{from_low} {identity:?} {checksum} {payload:?}");
        };
        check(false, identity, 5, &payload);
        check(true, identity, 5, &payload);
        check(false, Identity { id: 2, ..identity }, 5, &payload);
        check(false, Identity { seq: 3, ..identity }, 5, &payload);
        check(false, Identity { ack: 4, ..identity }, 5, &payload);
        check(false, Identity { flags: 5, ..identity }, 5, &payload);
        check(false, Identity { wire_len: 41, ..identity }, 5, &payload);
        check(false, identity, 6, &payload);
        check(false, identity, 5, &payload[1..]);
        check(false, identity, 5, &payload[..39]);
        check(false, identity, 5, &payload[..7]);
    }

    /// Each bit of what makes a packet matters.
    #[test]
    fn another_packet_has_another_number() {
        let numbering = Numbering::of_this_process();
        let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        let flow = Flow { src: end([10, 0, 0, 1], 1), dst: end([10, 0, 0, 2], 2), protocol: Protocol::TCP };
        let identity = Identity { id: 1, seq: 2, ack: 3, flags: 4, wire_len: 40 };
        let payload = [0; 40];
        let mut numbers = std::collections::BTreeSet::from([numbering.number(&flow, identity, &payload)]);
        let mut check = |flow: Flow, identity, payload: &[u8]| {
            let number = numbering.number(&flow, identity, payload);
            assert_eq!(number, Numbering::of_this_process().number(&flow, identity, payload));
            assert!(numbers.insert(number), "{flow:?} {identity:?} {payload:?}");
        };
        check(flow.reversed(), identity, &payload);
        check(Flow { protocol: Protocol::UDP, ..flow }, identity, &payload);
        check(Flow { src: end([10, 0, 0, 1], 3), ..flow }, identity, &payload);
        check(Flow { dst: end([10, 0, 0, 3], 2), ..flow }, identity, &payload);
        let v6 = |low: u16| Endpoint { ip: [0xfd00, 0, 0, 0, 0, 0, 0, low].into(), port: 1 };
        check(Flow { src: v6(1), dst: v6(2), ..flow }, identity, &payload);
        check(Flow { src: v6(2), dst: v6(1), ..flow }, identity, &payload);
        check(flow, Identity { id: 2, ..identity }, &payload);
        check(flow, Identity { seq: 3, ..identity }, &payload);
        check(flow, Identity { ack: 4, ..identity }, &payload);
        check(flow, Identity { flags: 5, ..identity }, &payload);
        check(flow, Identity { wire_len: 41, ..identity }, &payload);
        for len in 0..40 {
            check(flow, identity, &payload[..len]);
        }
        for bit in 0..320 {
            let mut payload = payload;
            payload[bit / 8] ^= 1 << (bit % 8);
            check(flow, identity, &payload);
        }
    }
}
