//! Blocks of a plain file, read by several threads before it is their turn to be cut.
//!
//! What takes time of reading is the kernel's copy, and that needs no order. So a thread takes the [next block](Blocks::read) and reads it into
//! its own memory while another cuts the one before; in its turn [`Cutter::next_with`](super::Cutter::next_with) puts what was left in front of it. A block is
//! a guess where the cutter will be: one that is wrong is read again, and nothing else follows from it.
//!
//! Of a pcap file the records are walked over as they are read, while they are in the cache, from where the first one seems to begin: in its
//! turn only that has to be found right.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::BLOCK;
use super::pcap::{self, Stretch};

/// Memory in front of a block for the beginning of its first record, in bytes.
pub(super) const ROOM: usize = 64 << 10;

/// A regular file that is read from its beginning on, also through other handles.
#[derive(Clone, Debug)]
pub(super) struct Plain {
    file: Arc<File>,
    /// Up to where it was read.
    at: Arc<AtomicU64>,
}

impl Plain {
    pub(super) fn new(file: File) -> Self {
        Self { file: Arc::new(file), at: Arc::default() }
    }

    pub(super) fn position(&self) -> u64 {
        self.at.load(Ordering::Relaxed)
    }

    /// Takes what was read elsewhere as read.
    pub(super) fn skip(&self, bytes: u64) {
        self.at.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Read for Plain {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(into, self.position())?;
        self.skip(got as u64);
        Ok(got)
    }
}

/// The blocks of a file, for whoever reads ahead.
#[derive(Clone, Debug)]
pub struct Blocks {
    plain: Plain,
    /// Where the next block begins.
    next: Arc<AtomicU64>,
    bytes: usize,
    /// Of a pcap file.
    head: Option<pcap::Head>,
}

impl Blocks {
    pub(super) fn new(plain: &Plain, bytes: usize, head: Option<pcap::Head>) -> Self {
        Self { plain: plain.clone(), next: Arc::default(), bytes, head }
    }

    /// Reads the next block that nobody has, into memory that is used again. None at the end of the file.
    pub fn read(&self, buffer: &mut Vec<u8>) -> Option<Block> {
        let begins = self.next.fetch_add(self.bytes as u64, Ordering::Relaxed);
        let whole = ROOM + self.bytes;
        if buffer.len() < whole {
            buffer.resize(whole, 0);
        }
        let (mut got, mut stretch) = (0, None);
        while let Some(rest) = buffer.get_mut(ROOM + got..whole.min(ROOM + got + BLOCK))
            && !rest.is_empty()
        {
            let more = match self.plain.file.read_at(rest, begins + got as u64) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Whoever reads it in its turn meets this too, and tells it.
                Ok(0) | Err(_) => break,
                Ok(more) => more,
            };
            got += more;
            let bytes = buffer.get(ROOM..ROOM + got).unwrap_or_default();
            if got == more {
                stretch = self.head.and_then(|head| Stretch::new(head, bytes));
            }
            if let Some(stretch) = &mut stretch {
                stretch.walk(bytes);
            }
        }
        (got > 0).then(|| Block { plain: self.plain.clone(), begins, bytes: got, stretch })
    }

    pub(super) fn position(&self) -> u64 {
        self.plain.position()
    }

    /// Whether the block is of this file.
    pub(super) fn has(&self, block: &Block) -> bool {
        Arc::ptr_eq(&self.plain.file, &block.plain.file)
    }

    /// Takes a block as read, which begins where the file was read up to.
    pub(super) fn take(&self, block: &Block) {
        self.plain.skip(block.bytes as u64);
    }

    /// Lets the next block begin where the file was read up to.
    pub(super) fn begin_again(&self) {
        self.next.store(self.position(), Ordering::Relaxed);
    }
}

/// A block that was read; it lies in the memory that [`Blocks::read`] was given.
#[derive(Debug)]
pub struct Block {
    plain: Plain,
    /// Where it begins in the file.
    pub(super) begins: u64,
    pub(super) bytes: usize,
    /// What was walked over of it.
    pub(super) stretch: Option<Stretch>,
}
