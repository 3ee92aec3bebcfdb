//! Sources of endpoint telemetry: a file, plain or compressed, or standard input, pushed through a [`Feed`].

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::capture::savefile::{Failure, Source};
use crate::originator::feed::{Feed, FeedFormat, Tally};
use crate::originator::record::Record;

/// How many bytes are read at once: they are still in the second-level cache when their records are looked at.
const BLOCK: usize = 256 * 1024;

/// A source that is being read.
pub struct Telemetry {
    source: Source,
    block: Vec<u8>,
    feed: Feed,
    failure: Option<Failure>,
}

impl Telemetry {
    /// Opens a file, or standard input for `-`. Whether it is compressed by gzip or zstd follows from its first bytes.
    ///
    /// # Errors
    /// When it cannot be opened or its first bytes cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::open_as(path, None)
    }

    /// The same of records whose format is stated.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub fn open_as(path: &Path, format: Option<FeedFormat>) -> io::Result<Self> {
        let read: Box<dyn Read + Send> =
            if path.as_os_str() == "-" { Box::new(io::stdin()) } else { Box::new(File::open(path)?) };
        let feed = Feed::of(format);
        Ok(Self { source: Source::new(read)?, block: vec![0; BLOCK], feed, failure: None })
    }

    /// Reads some, and tells its records. Whether there may be more.
    pub fn step(&mut self, tell: &mut dyn FnMut(Record<'_>)) -> bool {
        match self.source.read(&mut self.block) {
            Ok(got) if got > 0 => {
                self.feed.push(self.block.get(..got).unwrap_or_default(), tell);
                return true;
            }
            Ok(_) => {}
            Err(failure) => self.failure = Some(failure),
        }
        self.feed.finish(tell);
        false
    }

    /// Reads all that is left.
    pub fn read(&mut self, tell: &mut dyn FnMut(Record<'_>)) {
        while self.step(tell) {}
    }

    /// What it held so far.
    pub const fn tally(&self) -> &Tally {
        self.feed.tally()
    }

    /// Why it ended too early, if it did; what stands before was told.
    pub fn failure(&self) -> Option<String> {
        self.failure.map(|failure| match failure {
            Failure::CutShort => "the compressed file is cut short".to_owned(),
            Failure::Damaged => "the compressed file is damaged".to_owned(),
            Failure::Io(kind) => kind.to_string(),
        })
    }
}
