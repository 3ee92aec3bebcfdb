//! The pcap format: one head, then records of 16 bytes and a frame
//! (<https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap>, sections 4 and 5).

use super::cutter::{Marks, Stop};
use super::end::Damage;
use super::order::Order;
use crate::capture::{Frame, LinkType, Timestamp};
use crate::reader::{Reader, Short};

/// Bytes of a file's head.
pub(super) const HEAD_LEN: usize = 24;

/// The largest frame that is accepted. libpcap and Wireshark refuse larger ones in files of network traffic, so no
/// tool writes them; a larger length means that the file is damaged, and the smaller the limit, the sooner that is seen.
const MAX_FRAME: u32 = 256 * 1024;

/// Heads that follow one another where a record begins. That four do so by chance is as good as impossible; that somebody writes such a frame is
/// not, and costs him nothing but our time.
const LIKELY: usize = 4;

/// What a file's head says about all its records.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    order: Order,
    /// Nanoseconds in one unit of a time's fraction.
    fraction_nanos: i64,
    link: LinkType,
    /// Bytes of a record before its frame.
    record_head: usize,
}

impl Head {
    /// Whether `first` begins a pcap file.
    pub(super) fn sniff(first: &[u8]) -> bool {
        Self::magic(&mut Reader::new(first)).is_some()
    }

    /// Reads the head; none when it is not one or not whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let (order, fraction_nanos, record_head) = Self::magic(&mut reader)?;
        reader.skip(16).ok()?; // version, reserved, and the snap length, which files in use get wrong
        let link = order.u32(&mut reader).ok()?;
        Some(Self { order, fraction_nanos, link: link_type(link), record_head })
    }

    fn magic(reader: &mut Reader<'_>) -> Option<(Order, i64, usize)> {
        let magic: [u8; 4] = reader.array().ok()?;
        for (order, number) in
            [(Order::Little, u32::from_le_bytes(magic)), (Order::Big, u32::from_be_bytes(magic))]
        {
            match number {
                0xa1b2_c3d4 => return Some((order, 1000, 16)),
                0xa1b2_3c4d => return Some((order, 1, 16)),
                // Kuznetzov's libpcap: interface, protocol and packet type follow the lengths.
                0xa1b2_cd34 => return Some((order, 1000, 24)),
                _ => {}
            }
        }
        None
    }

    /// The frame at the head of `rest`, and the bytes after it; none at the end of the whole records.
    #[inline]
    pub(super) fn split<'a>(&self, rest: &'a [u8]) -> Option<(Frame<'a>, &'a [u8])> {
        let mut reader = Reader::new(rest);
        let record = self.record(&mut reader).ok()?;
        let bytes = reader.take(record.captured as usize).ok()?;
        // A length on the wire below the captured one is a writer's mistake.
        let wire_len = record.wire_len.max(record.captured);
        Some((Frame { at: self.time(record), link: self.link, wire_len, bytes }, reader.rest()))
    }

    /// Where in the middle of a file a record seems to begin: the first place from which [`LIKELY`] heads follow one another. It is a guess:
    /// what a frame carries may look like records.
    fn guess(&self, bytes: &[u8]) -> Option<usize> {
        (0..bytes.len()).find(|from| self.seems_right(bytes.get(*from..).unwrap_or_default()))
    }

    fn seems_right(&self, mut rest: &[u8]) -> bool {
        let mut before = None;
        for _ in 0..LIKELY {
            let mut reader = Reader::new(rest);
            let Ok(record) = self.record(&mut reader) else { return false };
            let Record { seconds, fraction, captured, wire_len } = record;
            let near = |before: u32| seconds.abs_diff(before) <= 3600;
            if !before.is_none_or(near)
                || i64::from(fraction) * self.fraction_nanos >= 1_000_000_000
                || !(1..=MAX_FRAME).contains(&captured)
                || !(captured..=MAX_FRAME).contains(&wire_len)
                || reader.skip(captured as usize).is_err()
            {
                return false;
            }
            before = Some(seconds);
            rest = reader.rest();
        }
        true
    }

    #[inline]
    fn record(&self, reader: &mut Reader<'_>) -> Result<Record, Short> {
        let [seconds, fraction, captured, wire_len] = self.order.words(reader.array()?);
        reader.skip(self.record_head - 16)?;
        Ok(Record { seconds, fraction, captured, wire_len })
    }

    #[inline]
    fn time(&self, record: Record) -> Timestamp {
        // Fits: 2^32 seconds are 4.3e18 ns, and 2^32 µs are little beside that.
        let seconds = i64::from(record.seconds) * 1_000_000_000;
        Timestamp::from_nanos(seconds + i64::from(record.fraction) * self.fraction_nanos)
    }
}

#[derive(Clone, Copy)]
struct Record {
    seconds: u32,
    fraction: u32,
    captured: u32,
    wire_len: u32,
}

/// The number of a link type in a pcap head or a pcapng interface. Its upper half says how long the frame check
/// sequence is, which a packet's own lengths leave outside; and files written where raw IP has the number 12 or 14
/// mean the same.
pub(super) const fn link_type(number: u32) -> LinkType {
    match number & 0xffff {
        12 | 14 => LinkType::RAW,
        number => LinkType(number as u16),
    }
}

/// Walks over the records of a file.
#[derive(Debug)]
pub(super) struct Walk {
    pub(super) head: Head,
    latest: Option<Timestamp>,
}

impl Walk {
    pub(super) const fn new(head: Head) -> Self {
        Self { head, latest: None }
    }

    /// Goes on at `marks` as far as `bytes` hold whole records.
    pub(super) fn walk(&mut self, bytes: &[u8], marks: &mut Marks) -> Stop {
        let Some(mut rest) = bytes.get(marks.whole..) else { return Stop::More(marks.whole) };
        loop {
            let mut reader = Reader::new(rest);
            let Ok(record) = self.head.record(&mut reader) else {
                return Stop::More(marks.whole + self.head.record_head);
            };
            if record.captured > MAX_FRAME {
                return Stop::Damaged(Damage::FrameLength(record.captured));
            }
            let length = self.head.record_head + record.captured as usize;
            if reader.skip(record.captured as usize).is_err() {
                return Stop::More(marks.whole + length);
            }
            self.latest = self.latest.max(Some(self.head.time(record)));
            marks.frame(length);
            rest = reader.rest();
        }
    }

    /// Goes on behind what a stretch was walked over before, if this walk has come to where that begins.
    pub(super) fn follow(&mut self, stretch: &Stretch, begins: usize, marks: &mut Marks) {
        if marks.whole == begins {
            marks.follow(&stretch.marks);
            self.latest = self.latest.max(stretch.walk.latest);
        }
    }

    /// The latest time walked over.
    pub(super) const fn latest(&self) -> Option<Timestamp> {
        self.latest
    }
}

/// A stretch of records that is walked over before it is known where its first one begins: while it is in the cache.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Where it is guessed to begin.
    pub(super) from: usize,
    walk: Walk,
    /// From there on.
    marks: Marks,
}

impl Stretch {
    /// One that begins in these bytes from the middle of a file.
    pub(super) fn new(head: Head, bytes: &[u8]) -> Option<Self> {
        let from = head.guess(bytes)?;
        Some(Self { from, walk: Walk::new(head), marks: Marks::default() })
    }

    /// Goes on as far as `bytes`, which begin where those of [`new`](Self::new) did, hold whole records. What stops it otherwise the next walk meets
    /// as well.
    pub(super) fn walk(&mut self, bytes: &[u8]) {
        _ = self.walk.walk(bytes.get(self.from..).unwrap_or_default(), &mut self.marks);
    }
}
