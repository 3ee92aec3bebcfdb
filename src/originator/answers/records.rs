//! The answers of late, one after the other in one piece of memory that is gone round in: the oldest make room for the newest.
//!
//! Nearly every answer is written and never asked for. So it is written once, behind the one before it, as bytes: no
//! memory of its own, and nothing to look up but where [`Pairs`](super::pairs::Pairs) put it.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::{Answer, Asked, Told};
use crate::capture::Timestamp;
use crate::hostname::Hostname;
use crate::lists;

/// The answers of late.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// Nothing until the first answer comes.
    bytes: Vec<u8>,
    /// Where the next record goes, and where the oldest is, in words since the beginning.
    head: u64,
    tail: u64,
    /// The entries of the lists that names of records meet, in the order of the records.
    entries: VecDeque<Arc<lists::Entry>>,
    /// How many were before them.
    entries_gone: u32,
}

/// Where a record is: words since the beginning, of which the lower bits are kept. It comes again after 16 GiB, which is harmless: whoever
/// asks compares what stands there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place(u32);

/// A record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'r> {
    /// Words that it takes.
    words: u64,
    at: i64,
    ttl: u32,
    /// Which entry its name meets.
    entry: Option<u32>,
    client: IpAddr,
    v4: &'r [[u8; 4]],
    v6: &'r [[u8; 16]],
    name: &'r [u8],
}

/// Octets before the addresses.
const HEAD: usize = 24;
const WORD: usize = 8;
const CLIENT_IS_V6: u8 = 1;
const LISTED: u8 = 2;
/// What is left before the end of the memory, where the next record does not fit.
const PADDING: u8 = 4;

impl Place {
    const MASK: u32 = u32::MAX >> 1;

    pub(super) const fn new(bits: u32) -> Self {
        Self(bits & Self::MASK)
    }

    pub(super) const fn bits(self) -> u32 {
        self.0
    }

    const fn of(word: u64) -> Self {
        Self(word as u32 & Self::MASK)
    }
}

impl Records {
    /// The bytes of all records: those of some 130,000 answers. Two thousand clients that each know sixty names; with
    /// [`Pairs`](super::pairs::Pairs) it is what is to be found of 24 hours in an office, and of some minutes at a provider.
    pub(super) const BYTES: usize = 8 << 20;
    const WORDS: u64 = (Self::BYTES / WORD) as u64;

    /// Adds an answer. Those that have to make room for it are given to `forget` first, oldest first.
    pub(super) fn push(&mut self, told: &Told<'_>, forget: &mut dyn FnMut(Place, Record<'_>)) -> Place {
        if self.bytes.is_empty() {
            self.bytes = vec![0; Self::BYTES];
        }
        let v4 = told.addresses.iter().filter(|ip| ip.is_ipv4()).count();
        let v6 = told.addresses.len() - v4;
        let client = if told.client.is_ipv4() { 4 } else { 16 };
        let octets = HEAD + client + 4 * v4 + 16 * v6 + told.name.len();
        let words = octets.div_ceil(WORD) as u64;
        let left = Self::WORDS - self.head % Self::WORDS;
        if left < words {
            self.make_room(left, forget);
            let [first, second] = (left as u16).to_le_bytes();
            self.space().put(&[first, second, 0, 0, 0, 0, PADDING, 0]);
            self.head += left;
        }
        self.make_room(words, forget);
        let entry = told.entry.map(|entry| {
            self.entries.push_back(entry.clone());
            self.entries_gone.wrapping_add(self.entries.len() as u32 - 1)
        });
        let flags =
            if told.client.is_ipv6() { CLIENT_IS_V6 } else { 0 } | if entry.is_some() { LISTED } else { 0 };
        let (words_2, name_2) = ((words as u16).to_le_bytes(), (told.name.len() as u16).to_le_bytes());
        let rest = [v4 as u8, v6 as u8, flags, 0];
        let (at, ttl) = (told.at.as_nanos().to_le_bytes(), told.ttl.to_le_bytes());
        let entry = entry.unwrap_or_default().to_le_bytes();
        let head = [&words_2[..], &name_2, &rest, &at, &ttl, &entry];
        let place = Place::of(self.head);
        let mut space = self.space();
        head.into_iter().for_each(|part| space.put(part));
        space.put_ip(told.client);
        told.addresses.iter().filter(|ip| ip.is_ipv4()).for_each(|ip| space.put_ip(*ip));
        told.addresses.iter().filter(|ip| ip.is_ipv6()).for_each(|ip| space.put_ip(*ip));
        space.put(told.name.as_bytes());
        self.head += words;
        place
    }

    /// The record at a place.
    pub(super) fn get(&self, place: Place) -> Option<Record<'_>> {
        let (head, rest) = self.from(u64::from(place.0))?.split_first_chunk::<HEAD>()?;
        let [w0, w1, n0, n1, v4, v6, flags, _, at @ .., t0, t1, t2, t3, e0, e1, e2, e3] = *head;
        let (client, rest) = match flags & CLIENT_IS_V6 {
            0 => rest.split_first_chunk::<4>().map(|(ip, rest)| (Ipv4Addr::from(*ip).into(), rest))?,
            _ => rest.split_first_chunk::<16>().map(|(ip, rest)| (Ipv6Addr::from(*ip).into(), rest))?,
        };
        let (v4, rest) = rest.split_at_checked(usize::from(v4) * 4)?;
        let (v6, rest) = rest.split_at_checked(usize::from(v6) * 16)?;
        Some(Record {
            words: u64::from(u16::from_le_bytes([w0, w1])),
            at: i64::from_le_bytes(at),
            ttl: u32::from_le_bytes([t0, t1, t2, t3]),
            entry: (flags & LISTED != 0).then(|| u32::from_le_bytes([e0, e1, e2, e3])),
            client,
            v4: v4.as_chunks().0,
            v6: v6.as_chunks().0,
            name: rest.get(..usize::from(u16::from_le_bytes([n0, n1])))?,
        })
    }

    /// How many words were written since a place: the more, the older is what stands there.
    pub(super) const fn age(&self, place: Place) -> u32 {
        (self.head as u32).wrapping_sub(place.0) & Place::MASK
    }

    /// What a record says.
    pub(super) fn answer(&self, record: &Record<'_>) -> Option<Answer> {
        let entry = record
            .entry
            .and_then(|entry| self.entries.get(entry.wrapping_sub(self.entries_gone) as usize).cloned());
        let name = Hostname::from_canonical(std::str::from_utf8(record.name).ok()?);
        let at = Timestamp::from_nanos(record.at);
        Some(Answer::new(Arc::new(Asked { name, entry }), at, record.ttl))
    }

    fn from(&self, word: u64) -> Option<&[u8]> {
        self.bytes.get((word % Self::WORDS) as usize * WORD..)
    }

    /// The memory from the head on.
    fn space(&mut self) -> Space<'_> {
        let from = (self.head % Self::WORDS) as usize * WORD;
        Space(self.bytes.get_mut(from..).unwrap_or_default())
    }

    /// Forgets the oldest until so many words are free.
    fn make_room(&mut self, words: u64, forget: &mut dyn FnMut(Place, Record<'_>)) {
        while self.head + words - self.tail > Self::WORDS {
            let place = Place::of(self.tail);
            let padding = self.from(self.tail).and_then(|bytes| match *bytes.first_chunk::<WORD>()? {
                [w0, w1, .., PADDING, _] => Some(u64::from(u16::from_le_bytes([w0, w1]))),
                _ => None,
            });
            let Some(record) = self.get(place).filter(|_| padding.is_none()) else {
                self.tail += padding.unwrap_or(1).max(1);
                continue;
            };
            forget(place, record);
            let (words, listed) = (record.words, record.entry.is_some());
            self.tail += words.max(1);
            if listed && self.entries.pop_front().is_some() {
                self.entries_gone = self.entries_gone.wrapping_add(1);
            }
        }
    }
}

impl Record<'_> {
    /// Whether it leads a client to a server.
    pub(super) fn leads(&self, client: IpAddr, server: IpAddr) -> bool {
        self.client == client
            && match server {
                IpAddr::V4(ip) => self.v4.contains(&ip.octets()),
                IpAddr::V6(ip) => self.v6.contains(&ip.octets()),
            }
    }

    pub(super) fn is_of(&self, name: &str) -> bool {
        self.name == name.as_bytes()
    }

    pub(super) const fn client(&self) -> IpAddr {
        self.client
    }

    pub(super) fn servers(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let v4 = self.v4.iter().map(|ip| IpAddr::from(*ip));
        v4.chain(self.v6.iter().map(|ip| IpAddr::from(*ip)))
    }
}

/// Memory that is written to.
struct Space<'m>(&'m mut [u8]);

impl Space<'_> {
    #[inline]
    fn put(&mut self, part: &[u8]) {
        if let Some((to, rest)) = std::mem::take(&mut self.0).split_at_mut_checked(part.len()) {
            to.copy_from_slice(part);
            self.0 = rest;
        }
    }

    #[inline]
    fn put_ip(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.put(&ip.octets()),
            IpAddr::V6(ip) => self.put(&ip.octets()),
        }
    }
}
