//! Where the answers are that lead a client to a server: a table of places, small enough to stay in the processor's cache.

use std::net::IpAddr;

use super::records::{Place, Records};

/// Places of records, by client and server.
///
/// A pair has a set; an entry there is 32 bits that stand for the pair, and a place. Others may have the same bits: what the record says
/// decides.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Nothing until the first answer comes.
    sets: Vec<Set>,
}

type Set = [Entry; Pairs::WAYS];

/// Bits that stand for a pair, whether the name meets a list, and a place; nought where there is none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Entry(u64);

/// What became of a place that was entered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Entered {
    /// It was put beside others.
    Beside,
    /// It took the place of the record before it of the same pair and name.
    Instead(Place),
    /// Another one was given up for it.
    ForAnother(Place),
}

/// A client and a server, as a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair(u64);

impl Pair {
    #[inline]
    pub(super) fn new(client: IpAddr, server: IpAddr) -> Self {
        let bits = |ip| match ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => fold((ip.to_bits() >> 64) as u64 ^ 0x243f_6a88_85a3_08d3, ip.to_bits() as u64),
        };
        Self(fold(bits(client) ^ 0x1319_8a2e_0370_7344, bits(server) ^ 0xa409_3822_299f_31d0))
    }

    const fn bits(self) -> u32 {
        self.0 as u32 | 1
    }

    const fn set(self) -> usize {
        (self.0 >> 40) as usize % Pairs::SETS
    }
}

/// Both halves of a product: every bit of either factor matters to every bit.
const fn fold(one: u64, other: u64) -> u64 {
    let product = (one ^ 0x9e37_79b9_7f4a_7c15) as u128 * (other ^ 0xd1b5_4a32_d192_ed03) as u128;
    product as u64 ^ (product >> 64) as u64
}

impl Entry {
    const LISTED: u64 = 1 << 31;

    const fn new(pair: Pair, place: Place, listed: bool) -> Self {
        let listed = if listed { Self::LISTED } else { 0 };
        Self((pair.bits() as u64) << 32 | listed | place.bits() as u64)
    }

    const fn is_empty(self) -> bool {
        self.0 == 0
    }

    const fn is_of(self, pair: Pair) -> bool {
        self.0 >> 32 == pair.bits() as u64
    }

    const fn is_listed(self) -> bool {
        self.0 & Self::LISTED != 0
    }

    pub(super) const fn place(self) -> Place {
        Place::new(self.0 as u32)
    }
}

impl Pairs {
    /// The most entries of a set, and so the most names of a pair.
    pub(super) const WAYS: usize = 32;
    /// One MiB: for each record that has room, three addresses.
    pub(super) const SETS: usize = 1 << 12;

    /// Where answers of a pair may be, in no particular order.
    pub(super) fn of(&self, pair: Pair) -> impl Iterator<Item = Place> {
        let set = self.sets.get(pair.set()).into_iter().flatten();
        set.filter(move |entry| entry.is_of(pair)).map(|entry| entry.place())
    }

    /// Enters a place, instead of one for which `same` says that it has the same name. Where the set is full the oldest that meets no list
    /// gives way, or else the oldest.
    pub(super) fn enter(
        &mut self,
        pair: Pair,
        place: Place,
        listed: bool,
        records: &Records,
        same: impl Fn(Place) -> bool,
    ) -> Entered {
        if self.sets.is_empty() {
            self.sets.resize(Self::SETS, [Entry::default(); Self::WAYS]);
        }
        let Some(set) = self.sets.get_mut(pair.set()) else { return Entered::Beside };
        let new = Entry::new(pair, place, listed);
        // None is behind an empty one.
        let is_its = |entry: &Entry| entry.is_empty() || entry.is_of(pair) && same(entry.place());
        let empty = set.iter().position(is_its);
        let by_age = |entry: &&mut Entry| (!entry.is_listed(), records.age(entry.place()));
        let victim = match empty {
            Some(nth) => set.get_mut(nth),
            None => set.iter_mut().max_by_key(by_age),
        };
        let Some(victim) = victim else { return Entered::Beside };
        let before = std::mem::replace(victim, new);
        match empty {
            _ if before.is_empty() => Entered::Beside,
            Some(_) => Entered::Instead(before.place()),
            None => Entered::ForAnother(before.place()),
        }
    }

    /// A record has another place.
    pub(super) fn moved(&mut self, pair: Pair, from: Place, to: Place) {
        let set = self.sets.get_mut(pair.set()).into_iter().flatten();
        for entry in set.filter(|entry| entry.is_of(pair) && entry.place() == from) {
            *entry = Entry::new(pair, to, entry.is_listed());
        }
    }

    /// Takes a place out. Says whether it was there.
    pub(super) fn forget(&mut self, pair: Pair, place: Place) -> bool {
        let Some(set) = self.sets.get_mut(pair.set()) else { return false };
        let Some(found) = set.iter().position(|entry| entry.is_of(pair) && entry.place() == place) else {
            return false;
        };
        // The last one takes its place, so that none is behind an empty one.
        let last = set.iter().rposition(|entry| !entry.is_empty()).unwrap_or(found);
        set.swap(found, last);
        if let Some(last) = set.get_mut(last) {
            *last = Entry::default();
        }
        true
    }

    /// How many places there are.
    #[cfg(test)]
    pub(super) fn entries(&self) -> usize {
        self.sets.iter().flatten().filter(|entry| !entry.is_empty()).count()
    }
}
