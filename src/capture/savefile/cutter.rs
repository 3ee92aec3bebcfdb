//! Cuts one capture file into chunks, in file order.
//!
//! It reads blocks into the chunk's own memory and walks over the heads of the records to find the last whole one;
//! what is left begins the next chunk. Bytes are moved once more only there. It reads no frame. Blocks that other threads have
//! [read ahead](super::ahead) are taken as they lie.

use std::fmt;
use std::fs::File;
use std::io::Read;

use super::ahead::{Block, Blocks, Plain, ROOM};
use super::chunk::{Chunk, Layout};
use super::end::{Counts, Damage, End, Ending};
use super::problem::looks_like;
use super::source::{Failure, Source};
use super::{BLOCK, Why, pcap, pcapng};
use crate::capture::Timestamp;

/// The largest chunk that can be asked for, in bytes: places in a chunk are 32-bit numbers.
const MAX_CHUNK: usize = 1 << 30;

/// Cuts one capture file into [`Chunk`]s.
pub struct Cutter {
    source: Source,
    chunk_bytes: usize,
    format: Format,
    /// What was read and not yet given out, from `held_from` on.
    held: Vec<u8>,
    held_from: usize,
    /// Where the next chunk begins, in the decompressed file.
    offset: u64,
    bytes: u64,
    frames: u64,
    /// Why the source gave no more, when that happened within the head.
    failure: Option<Failure>,
    /// Of a regular file.
    blocks: Option<Blocks>,
    end: Option<Ending>,
}

enum Format {
    /// A pcap file that ends within its head.
    Headless,
    Pcap(pcap::Walk),
    Pcapng(pcapng::Walk),
}

/// How far a walk got within one chunk.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Bytes of whole records.
    pub(super) whole: usize,
    frames: u32,
    last: u32,
    /// Whether a packet was met, readable or not.
    pub(super) packets: bool,
    /// Whether a packet without a time was met.
    pub(super) stamped: bool,
}

impl Marks {
    /// Moves over a record that is a frame.
    #[inline]
    pub(super) const fn frame(&mut self, length: usize) {
        self.frames += 1;
        self.last = self.whole as u32;
        self.whole += length;
    }

    /// Moves over a stretch that begins here.
    pub(super) const fn follow(&mut self, stretch: &Self) {
        if stretch.frames > 0 {
            self.last = self.whole as u32 + stretch.last;
        }
        self.frames += stretch.frames;
        self.whole += stretch.whole;
        self.packets |= stretch.packets;
        self.stamped |= stretch.stamped;
    }

    /// Moves over another record.
    pub(super) const fn other(&mut self, length: usize) {
        self.whole += length;
    }
}

/// Why a walk stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The chunk has to be at least this long for the next record to be whole.
    More(usize),
    /// The next record needs a chunk of its own.
    Cut,
    /// The next record is wrong.
    Damaged(Damage),
}

impl Cutter {
    /// Reads the head of a capture, to cut it into chunks of about `chunk_bytes`.
    ///
    /// # Errors
    /// When it cannot be read, or is no capture.
    pub fn new(read: Box<dyn Read + Send>, chunk_bytes: usize) -> Result<Self, Why> {
        let mut source = Source::new(read).map_err(Why::Io)?;
        let mut head = [0; pcap::HEAD_LEN];
        let (got, failure) = source.read_full(&mut head);
        if let Some(Failure::Io(kind)) = failure {
            return Err(Why::Io(kind.into()));
        }
        let head = head.get(..got).unwrap_or_default();
        let mut held = Vec::new();
        let mut offset = 0;
        let format = if let Some(head) = pcap::Head::read(head) {
            offset = pcap::HEAD_LEN as u64;
            Format::Pcap(pcap::Walk::new(head))
        } else if pcap::Head::sniff(head) {
            held.extend_from_slice(head);
            Format::Headless
        } else if pcapng::sniff(head) {
            held.extend_from_slice(head);
            Format::Pcapng(pcapng::Walk::new())
        } else if head.is_empty() && failure.is_none() {
            return Err(Why::Empty);
        } else if failure.is_some() {
            return Err(Why::Compression);
        } else {
            let first = head.get(..16).unwrap_or(head).to_vec();
            return Err(Why::NotCapture { looks_like: looks_like(&first), first });
        };
        let chunk_bytes = chunk_bytes.clamp(1, MAX_CHUNK);
        let bytes = got as u64;
        Ok(Self {
            source,
            chunk_bytes,
            format,
            held,
            held_from: 0,
            offset,
            bytes,
            frames: 0,
            failure,
            blocks: None,
            end: None,
        })
    }

    /// As [`new`](Self::new), of a regular file: its blocks may be read ahead, unless it is compressed.
    ///
    /// # Errors
    /// As there.
    pub fn of_file(file: File, chunk_bytes: usize) -> Result<Self, Why> {
        let plain = Plain::new(file);
        let mut cutter = Self::new(Box::new(plain.clone()), chunk_bytes)?;
        if cutter.source.skip(0) {
            let head = match &cutter.format {
                Format::Pcap(walk) => Some(walk.head),
                Format::Headless | Format::Pcapng(_) => None,
            };
            cutter.blocks = Some(Blocks::new(&plain, cutter.chunk_bytes, head));
        }
        Ok(cutter)
    }

    /// The blocks of a plain file, for whoever reads ahead.
    pub const fn blocks(&self) -> Option<&Blocks> {
        self.blocks.as_ref()
    }

    /// Whether a block has its turn after others have had theirs.
    pub fn awaits(&self, block: &Block) -> bool {
        let mine = self.blocks.as_ref().filter(|blocks| blocks.has(block));
        self.end.is_none() && mine.is_some_and(|blocks| blocks.position() < block.begins)
    }

    /// The next chunk: at least one whole record, and about as many bytes as were asked for. `buffer` is memory to
    /// be used again, from [`Chunk::into_buffer`]. None when the file is read; [`end`](Self::end) says how it ended.
    pub fn next(&mut self, buffer: Vec<u8>) -> Option<Chunk> {
        self.next_with(buffer, None)
    }

    /// The next chunk, from a block that was read ahead into `buffer`, if it begins where this file is cut now.
    pub fn next_with(&mut self, mut buffer: Vec<u8>, block: Option<Block>) -> Option<Chunk> {
        if self.end.is_some() {
            return None;
        }
        // One record of the largest size should not make every buffer as large for good.
        let usual = 2 * (self.chunk_bytes + BLOCK);
        if buffer.len() > usual {
            buffer.truncate(usual);
            buffer.shrink_to_fit();
        }
        let mut marks = Marks::default();
        let held = self.held.get(self.held_from..).unwrap_or_default();
        let mut stop = self.format.walk(held, &mut marks);
        // What is held may be more than one chunk; then only the chunk is moved, so that each byte moves once.
        let mut used = if matches!(stop, Stop::Cut) { marks.whole } else { held.len() };
        let fits = |block: &Block, blocks: &Blocks| {
            blocks.has(block) && blocks.position() == block.begins && used <= ROOM
        };
        let ahead = block.filter(|block| {
            matches!(stop, Stop::More(_)) && self.blocks.as_ref().is_some_and(|blocks| fits(block, blocks))
        });
        // What is left lies just in front of the block.
        let from = if ahead.is_some() { ROOM - used } else { 0 };
        if buffer.len() < from + used {
            buffer.resize(from + used, 0);
        }
        if let (Some(to), Some(left)) = (buffer.get_mut(from..from + used), held.get(..used)) {
            to.copy_from_slice(left);
        }
        self.held_from += used;
        if let (Some(block), Some(blocks)) = (ahead, &self.blocks) {
            blocks.take(&block);
            self.source.skip(block.bytes);
            self.bytes += block.bytes as u64;
            let left = used;
            used += block.bytes;
            let bytes = buffer.get(from..from + used).unwrap_or_default();
            if let (Format::Pcap(walk), Some(stretch)) = (&mut self.format, &block.stretch) {
                // Only the first records are walked over here, if it was guessed right where they end.
                let begins = left + stretch.from;
                _ = walk.walk(bytes.get(..begins).unwrap_or_default(), &mut marks);
                walk.follow(stretch, begins, &mut marks);
            }
            stop = self.format.walk(bytes, &mut marks);
        }
        let before = self.blocks.as_ref().map(Blocks::position);

        loop {
            match stop {
                Stop::More(_) if used >= self.chunk_bytes && marks.whole > 0 => break,
                Stop::More(needed) => match self.read(&mut buffer, from, &mut used, needed) {
                    Ok(true) => {
                        stop =
                            self.format.walk(buffer.get(from..from + used).unwrap_or_default(), &mut marks);
                    }
                    Ok(false) if used == marks.whole => break self.end = Some(Ending::Whole),
                    Ok(false) | Err(Failure::CutShort) => {
                        break self.end = Some(Ending::CutShort {
                            needed: (needed - marks.whole) as u64,
                            got: (used - marks.whole) as u64,
                        });
                    }
                    Err(Failure::Damaged) => break self.end = Some(Ending::Damaged(Damage::Compression)),
                    Err(Failure::Io(kind)) => break self.end = Some(Ending::Failed(kind)),
                },
                Stop::Cut => break,
                Stop::Damaged(damage) => break self.end = Some(Ending::Damaged(damage)),
            }
        }
        // What was read here nobody else need read.
        if let Some(blocks) = self.blocks.as_ref().filter(|blocks| Some(blocks.position()) != before) {
            blocks.begin_again();
        }
        self.hold(buffer.get(from + marks.whole..from + used).unwrap_or_default());
        self.give(buffer, from, &marks)
    }

    /// What was read so far.
    pub fn counts(&self) -> Counts {
        Counts {
            bytes: self.bytes,
            stored_bytes: self.source.stored_bytes(),
            frames: self.frames,
            damaged_packets: match &self.format {
                Format::Headless | Format::Pcap(_) => 0,
                Format::Pcapng(walk) => walk.damaged_packets(),
            },
        }
    }

    /// The latest time of the frames given out so far.
    pub const fn latest(&self) -> Option<Timestamp> {
        match &self.format {
            Format::Headless => None,
            Format::Pcap(walk) => walk.latest(),
            Format::Pcapng(walk) => walk.latest(),
        }
    }

    /// How the file ended, once it has.
    pub fn end(&self) -> Option<End> {
        self.end.map(|how| End { offset: self.offset, how })
    }

    /// Reads a block towards `needed` bytes or the whole chunk; false at the end of the file.
    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        from: usize,
        used: &mut usize,
        needed: usize,
    ) -> Result<bool, Failure> {
        match (self.failure, &self.format) {
            (Some(failure), _) => return Err(failure),
            (None, Format::Headless) => return Ok(false),
            (None, Format::Pcap(_) | Format::Pcapng(_)) => {}
        }
        let want = needed.max(self.chunk_bytes).saturating_sub(*used).min(BLOCK);
        let until = from + *used + want;
        if buffer.len() < until {
            buffer.resize(until, 0);
        }
        let got = self.source.read(buffer.get_mut(from + *used..until).unwrap_or_default())?;
        *used += got;
        self.bytes += got as u64;
        Ok(got > 0)
    }

    /// Keeps `rest` for the next chunk, before what is held already (then `rest` is empty).
    fn hold(&mut self, rest: &[u8]) {
        if self.held_from >= self.held.len() {
            self.held.clear();
            self.held_from = 0;
            self.held.extend_from_slice(rest);
        }
    }

    fn give(&mut self, buffer: Vec<u8>, from: usize, marks: &Marks) -> Option<Chunk> {
        let layout = match &self.format {
            Format::Pcap(walk) => Layout::Pcap(walk.head),
            Format::Pcapng(walk) => Layout::Pcapng(walk.section().clone()),
            Format::Headless => return None,
        };
        if marks.whole == 0 {
            return None;
        }
        let chunk = Chunk {
            buffer,
            from,
            used: marks.whole,
            offset: self.offset,
            frames_before: self.frames,
            frames: marks.frames,
            last: marks.last,
            layout,
        };
        self.offset += marks.whole as u64;
        self.frames += u64::from(marks.frames);
        Some(chunk)
    }
}

impl Format {
    fn walk(&mut self, bytes: &[u8], marks: &mut Marks) -> Stop {
        match self {
            Self::Headless => Stop::More(pcap::HEAD_LEN),
            Self::Pcap(walk) => walk.walk(bytes, marks),
            Self::Pcapng(walk) => walk.walk(bytes, marks),
        }
    }
}

impl fmt::Debug for Cutter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cutter").field("offset", &self.offset).field("end", &self.end).finish_non_exhaustive()
    }
}
