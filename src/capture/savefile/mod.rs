//! Capture files: pcap and pcapng, plain, gzip or zstd, from files, directories and standard input.
//!
//! [`open`] finds the files and puts them in order; each [`Savefile`] is read through a [`Cutter`], which cuts it into
//! [`Chunk`]s of whole records, in file order; a chunk gives its [`Frames`] to whoever holds it. What a file is
//! follows from its first bytes, never from its name. Everything before a cut or a damage is delivered, and
//! [`Cutter::end`] says where and why it ended.

mod ahead;
mod chunk;
mod cutter;
mod end;
mod find;
mod order;
mod pcap;
mod pcapng;
mod problem;
mod source;

#[cfg(test)]
pub(crate) mod build;

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use ahead::{Block, Blocks};
pub use chunk::{Chunk, Frames};
pub use cutter::Cutter;
pub use end::{Counts, Damage, End, Ending};
pub use pcapng::Interface;
pub use problem::{Problem, Why};
pub use source::{Failure, Source};

use super::Timestamp;
use find::Candidate;

/// The most bytes asked for with one read. What was read is then still in the second-level cache when its records are
/// walked: blocks of 64 to 512 KiB are equally fast, 16 MiB take up to three times as long.
const BLOCK: usize = 256 * 1024;

/// How far [`open`] looks for a file's first packet, in decompressed bytes. A pcapng file may hold certificates,
/// secrets and names before it; one that holds more than this is read first, as those without packets are.
const FIRST_PACKET_WITHIN: u64 = 1 << 20;

/// Finds the capture files at `paths`, looks at the head and the first packet of each, and returns them in time order;
/// those of the same time stand as they were given.
///
/// A directory is searched for files that are captures, all the way down, in the order of their names. `-` is
/// standard input; it and other files that can be read only once (pipes) are not touched, have no first time, and
/// keep their place. No file stays open.
pub fn open(paths: &[PathBuf]) -> (Vec<Savefile>, Vec<Problem>) {
    let mut problems = Vec::new();
    let mut savefiles = Vec::new();
    for path in paths {
        let mut skipped = find::Skipped::default();
        let before = savefiles.len();
        let candidates = match find::find(path, &mut skipped, &mut problems) {
            Ok(candidates) => candidates,
            Err(error) => {
                problems.push(Problem { path: path.clone(), why: Why::Io(error) });
                continue;
            }
        };
        for candidate in candidates {
            let named = candidate.named;
            match Savefile::new(candidate) {
                Ok(savefile) => savefiles.push(savefile),
                Err(problem) if !named && problem.is_other_kind_of_file() => skipped.other(&problem.path),
                Err(problem) => problems.push(problem),
            }
        }
        problems.extend(skipped.problem(path, savefiles.len() > before));
    }
    (in_time_order(savefiles), problems)
}

/// One capture file, closed.
#[derive(Clone, Debug)]
pub struct Savefile {
    path: PathBuf,
    kind: Kind,
    first: Option<Timestamp>,
}

/// What a path leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    /// A regular file, and its length in bytes.
    Regular(u64),
    /// A pipe, a socket, a device: it can be read once.
    Stream,
    /// Standard input.
    Stdin,
    /// Nothing any more: its bytes are here.
    Memory(Arc<[u8]>),
}

impl Savefile {
    fn new(candidate: Candidate) -> Result<Self, Problem> {
        let mut savefile = Self { path: candidate.path, kind: candidate.kind, first: None };
        if matches!(savefile.kind, Kind::Regular(_)) {
            savefile.first = savefile.look_for_first()?;
        }
        Ok(savefile)
    }

    /// Where it is; `-` is standard input.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The time of its first packet, when that could be looked up without using the file up.
    pub const fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// Its length in bytes as it is stored (compressed), unless it is a stream.
    pub fn size(&self) -> Option<u64> {
        match &self.kind {
            Kind::Regular(size) => Some(*size),
            Kind::Memory(bytes) => Some(bytes.len() as u64),
            Kind::Stream | Kind::Stdin => None,
        }
    }

    /// Whether its bytes come from somebody who may take any time to send them.
    pub const fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream | Kind::Stdin)
    }

    /// The same capture, with its bytes read into memory as they are stored (compressed).
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn into_memory(self) -> Result<Self, Problem> {
        let mut bytes = Vec::new();
        match self.open().and_then(|mut read| read.read_to_end(&mut bytes)) {
            Ok(_) => Ok(Self { kind: Kind::Memory(bytes.into()), ..self }),
            Err(error) => Err(Problem { path: self.path, why: Why::Io(error) }),
        }
    }

    /// Opens it, to read its bytes as they are stored. It may wait for whoever writes to a pipe.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(&self) -> io::Result<Box<dyn Read + Send>> {
        Ok(match &self.kind {
            Kind::Stdin => Box::new(io::stdin()),
            Kind::Regular(_) | Kind::Stream => Box::new(File::open(&self.path)?),
            Kind::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
        })
    }

    /// Opens it, to be cut into chunks of about `chunk_bytes`.
    ///
    /// # Errors
    /// When it cannot be opened or, for a stream or a file that has changed, when it is no capture.
    pub fn cutter(&self, chunk_bytes: usize) -> Result<Cutter, Problem> {
        if !matches!(self.kind, Kind::Regular(_)) {
            return self.cutter_over(self.open(), chunk_bytes);
        }
        File::open(&self.path)
            .map_err(Why::Io)
            .and_then(|file| Cutter::of_file(file, chunk_bytes))
            .map_err(|why| Problem { path: self.path.clone(), why })
    }

    /// As [`cutter`](Self::cutter), over what [`open`](Self::open) gave.
    ///
    /// # Errors
    /// As there.
    pub fn cutter_over(
        &self,
        opened: io::Result<Box<dyn Read + Send>>,
        chunk_bytes: usize,
    ) -> Result<Cutter, Problem> {
        opened
            .map_err(Why::Io)
            .and_then(|read| Cutter::new(read, chunk_bytes))
            .map_err(|why| Problem { path: self.path.clone(), why })
    }

    fn look_for_first(&self) -> Result<Option<Timestamp>, Problem> {
        /// Enough for the first packet of most files.
        const LOOK: usize = 4096;
        let mut cutter = self.cutter(LOOK)?;
        let mut buffer = Vec::new();
        while let Some(chunk) = cutter.next(buffer) {
            let first = chunk.first_at();
            if first.is_some() || cutter.counts().bytes > FIRST_PACKET_WITHIN {
                return Ok(first);
            }
            buffer = chunk.into_buffer();
        }
        Ok(None)
    }
}

/// Sorts by first time, leaving streams where they stand. Regular files without packets come first.
fn in_time_order(savefiles: Vec<Savefile>) -> Vec<Savefile> {
    let regular = |savefile: &Savefile| matches!(savefile.kind, Kind::Regular(_));
    let places: Vec<bool> = savefiles.iter().map(regular).collect();
    let (mut files, streams): (Vec<_>, Vec<_>) = savefiles.into_iter().partition(regular);
    files.sort_by_key(|savefile| savefile.first); // stable
    let (mut files, mut streams) = (files.into_iter(), streams.into_iter());
    places.iter().filter_map(|&is_file| if is_file { files.next() } else { streams.next() }).collect()
}

#[cfg(test)]
mod tests;
