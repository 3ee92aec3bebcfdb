//! The answers of late, one after the other in one piece of memory that is gone round in.
//!
//! Nearly every answer is written and never asked for. So it is written once, behind the one before it, as bytes: no
//! memory of its own, and nothing to look up but where [`Pairs`](super::pairs::Pairs) put it.
//!
//! A record that nothing refers to any more, since the same was answered again, is written over. One that counts is written again in front
//! when its turn comes, while there is room: what was answered once is not pushed out by what is answered again and again. Where
//! more count than there is room for, the oldest are given up.

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
    /// Words of records that something refers to.
    live: u64,
    /// How many answers came.
    answers: u32,
    /// The entries of the lists that names of records meet, in the order of the records.
    entries: VecDeque<Arc<lists::Entry>>,
    /// How many were before them.
    entries_gone: u32,
    /// A record that is written again.
    moving: Vec<u8>,
}

/// Where a record is: words since the beginning, of which the lower bits are kept. It comes again after 16 GiB, which is harmless: whoever
/// asks compares what stands there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Place(u32);

/// A record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record<'r> {
    at: i64,
    ttl: u32,
    /// Which answer it was.
    nth: u32,
    /// How many pairs refer to it.
    pairs: u8,
    /// Which entry its name meets.
    entry: Option<u32>,
    client: IpAddr,
    v4: &'r [[u8; 4]],
    v6: &'r [[u8; 16]],
    name: &'r [u8],
}

/// What becomes of a record: where it was, where it is, and what it says. Nowhere any more where it was given up.
pub(super) type Moved<'m> = &'m mut dyn FnMut(Place, Option<Place>, &Record<'_>);

const WORD: usize = 8;
/// Octets before the addresses: length of the name, how many addresses of each family, flags, how many pairs, nothing; time, time to live, number.
const HEAD: usize = 24;
/// Where in it stands how many pairs refer to the record.
const PAIRS: usize = 5;
const CLIENT_IS_V6: u8 = 1;
/// The number of an entry stands behind the head.
const LISTED: u8 = 2;
/// What is left before the end of the memory, where the next record does not fit; its words stand for the length of the name.
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
    /// The bytes of all records.
    pub(super) const BYTES: usize = 4 << 20;
    const WORDS: u64 = (Self::BYTES / WORD) as u64;
    /// The most words that count; beyond it the oldest are given up. Some 45,000 answers with 70,000 addresses: a thousand clients that
    /// each know seventy. The rest is for what comes again.
    const MOST_LIVE: u64 = Self::WORDS / 4 * 3;
    /// Free words before a record is written: for the longest, what is left before the end, and one that is written again.
    const ROOM: u64 = 2048;
    /// The most addresses of a record, some more than are kept of a response.
    pub(super) const MOST_ADDRESSES: usize = 100;

    /// Adds an answer, to which as many pairs refer as it has addresses. What becomes of older ones that have to make room is told first.
    pub(super) fn push(&mut self, told: &Told<'_>, moved: Moved<'_>) -> Place {
        if self.bytes.is_empty() {
            self.bytes = vec![0; Self::BYTES];
        }
        while Self::WORDS - (self.head - self.tail) < Self::ROOM {
            self.make_room(moved);
        }
        self.answers = self.answers.wrapping_add(1);
        let addresses = told.addresses.get(..Self::MOST_ADDRESSES).unwrap_or(told.addresses);
        let v4 = addresses.iter().filter(|ip| ip.is_ipv4()).count();
        let record = Record {
            at: told.at.as_nanos(),
            ttl: told.ttl,
            nth: self.answers,
            pairs: addresses.len() as u8,
            entry: told.entry.map(|entry| self.keep(entry.clone())),
            client: told.client,
            v4: &[],
            v6: &[],
            name: told.name.as_bytes(),
        };
        let words = record.words(v4, addresses.len() - v4);
        self.pad(words);
        let flags = if told.client.is_ipv6() { CLIENT_IS_V6 } else { 0 }
            | if record.entry.is_some() { LISTED } else { 0 };
        let mut space = self.space();
        space.put(&(record.name.len() as u16).to_le_bytes());
        space.put(&[v4 as u8, (addresses.len() - v4) as u8, flags, record.pairs, 0, 0]);
        space.put(&record.at.to_le_bytes());
        space.put(&record.ttl.to_le_bytes());
        space.put(&record.nth.to_le_bytes());
        if let Some(entry) = record.entry {
            space.put(&entry.to_le_bytes());
        }
        space.put_ip(told.client);
        addresses.iter().filter(|ip| ip.is_ipv4()).for_each(|ip| space.put_ip(*ip));
        addresses.iter().filter(|ip| ip.is_ipv6()).for_each(|ip| space.put_ip(*ip));
        space.put(record.name);
        self.live += words;
        let place = Place::of(self.head);
        self.head += words;
        place
    }

    /// The record at a place.
    pub(super) fn get(&self, place: Place) -> Option<Record<'_>> {
        let (head, rest) = self.from(u64::from(place.0))?.split_first_chunk::<HEAD>()?;
        let [l0, l1, v4, v6, flags, pairs, _, _, at @ .., t0, t1, t2, t3, n0, n1, n2, n3] = *head;
        let (entry, rest) = match flags & LISTED {
            0 => (None, rest),
            _ => rest.split_first_chunk().map(|(entry, rest)| (Some(u32::from_le_bytes(*entry)), rest))?,
        };
        let (client, rest) = match flags & CLIENT_IS_V6 {
            0 => rest.split_first_chunk::<4>().map(|(ip, rest)| (Ipv4Addr::from(*ip).into(), rest))?,
            _ => rest.split_first_chunk::<16>().map(|(ip, rest)| (Ipv6Addr::from(*ip).into(), rest))?,
        };
        let (v4, rest) = rest.split_at_checked(usize::from(v4) * 4)?;
        let (v6, rest) = rest.split_at_checked(usize::from(v6) * 16)?;
        Some(Record {
            at: i64::from_le_bytes(at),
            ttl: u32::from_le_bytes([t0, t1, t2, t3]),
            nth: u32::from_le_bytes([n0, n1, n2, n3]),
            pairs,
            entry,
            client,
            v4: v4.as_chunks().0,
            v6: v6.as_chunks().0,
            name: rest.get(..usize::from(u16::from_le_bytes([l0, l1])))?,
        })
    }

    /// One pair less refers to a record.
    pub(super) fn release(&mut self, place: Place) {
        let Some(words) = self.get(place).map(|record| record.words(record.v4.len(), record.v6.len())) else {
            return;
        };
        let at = (u64::from(place.0) % Self::WORDS) as usize * WORD + PAIRS;
        if let Some(pairs) = self.bytes.get_mut(at) {
            *pairs = pairs.saturating_sub(1);
            if *pairs == 0 {
                self.live = self.live.saturating_sub(words);
            }
        }
    }

    /// How many words were written since a place: the more, the longer ago what stands there was written.
    pub(super) const fn age(&self, place: Place) -> u32 {
        (self.head as u32).wrapping_sub(place.0) & Place::MASK
    }

    /// How many answers came after a record.
    pub(super) const fn answers_since(&self, record: &Record<'_>) -> u32 {
        self.answers.wrapping_sub(record.nth)
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

    /// Keeps an entry for a record that is written next. Gives its number.
    fn keep(&mut self, entry: Arc<lists::Entry>) -> u32 {
        self.entries.push_back(entry);
        self.entries_gone.wrapping_add(self.entries.len() as u32 - 1)
    }

    /// Goes to the beginning of the memory, if so many words do not fit before its end.
    fn pad(&mut self, words: u64) {
        let left = Self::WORDS - self.head % Self::WORDS;
        if left < words {
            let [first, second] = (left as u16).to_le_bytes();
            self.space().put(&[first, second, 0, 0, PADDING, 0, 0, 0]);
            self.head += left;
        }
    }

    /// Does away with the oldest record, or writes it again in front.
    fn make_room(&mut self, moved: Moved<'_>) {
        let old = Place::of(self.tail);
        let padding = self.from(self.tail).and_then(|bytes| match *bytes.first_chunk::<WORD>()? {
            [w0, w1, _, _, PADDING, ..] => Some(u64::from(u16::from_le_bytes([w0, w1]))),
            _ => None,
        });
        let Some(record) = self.get(old).filter(|_| padding.is_none()) else {
            self.tail += padding.unwrap_or(1).max(1);
            return;
        };
        let words = record.words(record.v4.len(), record.v6.len());
        let (listed, counts) = (record.entry.is_some(), record.pairs > 0);
        let again = counts && self.live <= Self::MOST_LIVE;
        if counts && !again {
            moved(old, None, &record);
            self.live = self.live.saturating_sub(words);
        }
        let mut moving = std::mem::take(&mut self.moving);
        moving.clear();
        moving.extend(self.from(self.tail).into_iter().flatten().take(words as usize * WORD));
        self.tail += words;
        let entry = if listed { self.entries.pop_front() } else { None };
        self.entries_gone = self.entries_gone.wrapping_add(u32::from(entry.is_some()));
        if again {
            if let Some(entry) = entry {
                let number = self.keep(entry).to_le_bytes();
                if let Some(place) = moving.get_mut(HEAD..HEAD + number.len()) {
                    place.copy_from_slice(&number);
                }
            }
            self.pad(words);
            self.space().put(&moving);
            let new = Place::of(self.head);
            self.head += words;
            if let Some(record) = self.get(new) {
                moved(old, Some(new), &record);
            }
        }
        self.moving = moving;
    }
}

impl Record<'_> {
    /// The words that it takes with so many addresses of each family.
    const fn words(&self, v4: usize, v6: usize) -> u64 {
        let client = if self.client.is_ipv4() { 4 } else { 16 };
        let entry = if self.entry.is_some() { 4 } else { 0 };
        (HEAD + entry + client + 4 * v4 + 16 * v6 + self.name.len()).div_ceil(WORD) as u64
    }

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
