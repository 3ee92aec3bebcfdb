//! A file that grows, through whatever is done to it: renamed and made anew, emptied, copied and emptied, not there yet.
//!
//! The file is looked at by name and by identity (device and inode). A file that lost its name is read on until nothing has come for
//! [`LINGER`], since its writer may not have noticed. A file that was emptied is told by its length, or by the bytes before its end as it
//! was: what it held and was not read yet stands in the copy that was made of it, if one is found beside it.
//! What is written to an empty file and taken away again between two looks is not seen.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use memchr::memchr;

use super::counts::FileCounts;
use crate::originator::feed::{Feed, FeedFormat, Tally};
use crate::originator::record::Record;

/// How long a file that lost its name is read on. A writer opens the new one when it is told to, after all files of the machine were
/// rotated and compressed.
const LINGER: Duration = Duration::from_secs(300);

/// Files that lost their name and are read on, once they were read to their ends: who rotates more often than each half minute has writers
/// that follow at once.
const MOST_EARLIER: usize = 8;

/// Bytes of a file that are read of what it held when it was found first. At some hundred MB of telemetry an hour, what is older is of
/// processes that are gone.
const MOST_PAST: u64 = 256 << 20;

/// Bytes before its end by which a file is known again: more than two records have in common, with the times in them.
const MARK: usize = 256;

/// Files beside an emptied one that are looked at for its copy.
const MOST_COPIES: usize = 64;

/// A file that is followed.
#[derive(Debug)]
pub(super) struct Followed {
    path: PathBuf,
    /// What every record is stated to be.
    format: Option<FeedFormat>,
    current: Option<Reading>,
    /// Files that lost their name, and copies, the earliest first.
    earlier: VecDeque<Reading>,
    /// What feeds held that ended.
    tally: Tally,
    counts: FileCounts,
    /// What stands at the path and cannot be followed.
    unusable: Option<(u64, u64)>,
    /// What was wrong at the last look.
    complaint: Option<ErrorKind>,
    looked: bool,
}

/// An open file.
#[derive(Debug)]
struct Reading {
    file: File,
    id: (u64, u64),
    /// Up to where it was read.
    at: u64,
    /// Its length, and when it was changed, when it was looked at last.
    length: u64,
    changed: Option<SystemTime>,
    /// The bytes before its end then.
    mark: Vec<u8>,
    /// Whether what was left of it is gone.
    lost: bool,
    /// Whether the beginning of a line is looked for.
    within_line: bool,
    feed: Feed,
    /// When something came last.
    heard: Instant,
}

impl Followed {
    /// A file, which need not be there yet.
    ///
    /// # Errors
    /// When it is there and cannot be followed.
    pub(super) fn new(path: PathBuf, format: Option<FeedFormat>) -> io::Result<Self> {
        let mut followed = Self {
            path,
            format,
            current: None,
            earlier: VecDeque::new(),
            tally: Tally::default(),
            counts: FileCounts::default(),
            unusable: None,
            complaint: None,
            looked: false,
        };
        match followed.find() {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(followed),
        }
    }

    pub(super) const fn counts(&self) -> FileCounts {
        self.counts
    }

    /// What it held so far.
    pub(super) fn tally(&self) -> Tally {
        let mut tally = self.tally.clone();
        self.earlier.iter().chain(&self.current).for_each(|reading| tally.add(reading.feed.tally()));
        tally
    }

    /// Whether it is there.
    pub(super) const fn is_there(&self) -> bool {
        self.current.is_some()
    }

    /// Looks whether another file took the name, without reading. It costs nothing and is done while the consumer is behind, too: a file that
    /// is renamed twice between two looks is not seen.
    pub(super) fn look(&mut self, notice: &mut dyn FnMut(String)) {
        // Those that wait to be read are read first.
        if self.earlier.len() > MOST_EARLIER {
            self.counts.unseen += 1;
            return;
        }
        let (before, there) = (self.counts, self.is_there());
        let found = self.emptied(notice).and_then(|()| self.find());
        let complaint = found.as_ref().err().map(io::Error::kind);
        match found {
            Ok(()) if self.counts.rotated > before.rotated => {
                notice("another file took its name; both are read".to_owned());
            }
            Ok(()) if !there && self.is_there() && self.looked => notice("is there now".to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound && !self.is_there() && !self.looked => {
                notice("is not there yet; it is waited for".to_owned());
            }
            Err(error) if error.kind() != ErrorKind::NotFound && complaint != self.complaint => {
                notice(error.to_string());
            }
            _ => {}
        }
        self.complaint = complaint;
        self.looked = true;
    }

    /// Reads a block of each of its files, at most. Whether there may be more.
    pub(super) fn read(
        &mut self,
        block: &mut [u8],
        tell: &mut dyn FnMut(Record<'_>),
        notice: &mut dyn FnMut(String),
    ) -> io::Result<bool> {
        let now = Instant::now();
        let mut more = false;
        for reading in &mut self.earlier {
            match reading.read(block, now, tell) {
                Ok(again) => more |= again,
                Err(error) => {
                    reading.lost = true;
                    notice(format!("an earlier file: {error}"));
                }
            }
        }
        let crowd = self.earlier.len().saturating_sub(MOST_EARLIER);
        if !more {
            self.counts.given_up += crowd as u64;
            for mut reading in done(&mut self.earlier, crowd, now) {
                reading.feed.finish(tell);
                self.tally.add(reading.feed.tally());
            }
        }
        self.emptied(notice)?;
        if let Some(reading) = &mut self.current {
            more |= reading.read(block, now, tell)?;
        }
        Ok(more)
    }

    /// Nothing more is read: tells what is left.
    pub(super) fn finish(&mut self, tell: &mut dyn FnMut(Record<'_>)) {
        for mut reading in self.earlier.drain(..).chain(self.current.take()) {
            reading.feed.finish(tell);
            self.tally.add(reading.feed.tally());
        }
    }

    /// Opens what stands at the path, if it is another file than before.
    fn find(&mut self) -> io::Result<()> {
        let id = identity(&fs::metadata(&self.path)?);
        if self.current.as_ref().is_some_and(|current| current.id == id) || self.unusable == Some(id) {
            return Ok(());
        }
        self.unusable = Some(id);
        let file = File::open(&self.path)?;
        let found = file.metadata()?;
        usable(&file, &found)?;
        let mut reading = Reading::new(file, &found, self.format);
        // What took the name of a file that was followed is read whole.
        if self.current.is_none() && found.len() > MOST_PAST {
            reading.at = found.len() - MOST_PAST;
            reading.within_line = true;
            self.counts.skipped += reading.at;
        }
        self.unusable = None;
        if let Some(mut former) = self.current.replace(reading) {
            self.counts.rotated += 1;
            former.heard = Instant::now();
            self.earlier.push_back(former);
        }
        Ok(())
    }

    /// Begins again where the file was emptied, and looks for what was not read in a copy of it.
    fn emptied(&mut self, notice: &mut dyn FnMut(String)) -> io::Result<()> {
        let Some(current) = &mut self.current else { return Ok(()) };
        if !current.was_emptied()? {
            return Ok(());
        }
        let anew = Reading::new(current.file.try_clone()?, &current.file.metadata()?, self.format);
        let mut former = std::mem::replace(current, anew);
        self.counts.truncated += 1;
        former.heard = Instant::now();
        match former.copy(&self.path) {
            Some(copy) => {
                (former.id, former.file) = copy;
                notice("was emptied; what it held is read from its copy".to_owned());
            }
            None => {
                self.counts.truncated_without_copy += 1;
                former.lost = true;
                notice(
                    "was emptied, and no copy of it is beside it; what it got last may be lost".to_owned(),
                );
            }
        }
        self.earlier.push_back(former);
        Ok(())
    }
}

impl Reading {
    fn new(file: File, found: &Metadata, format: Option<FeedFormat>) -> Self {
        Self {
            file,
            id: identity(found),
            at: 0,
            length: 0,
            changed: None,
            mark: Vec::new(),
            lost: false,
            within_line: false,
            feed: Feed::of(format),
            heard: Instant::now(),
        }
    }

    /// Whether something else stands in the file than what was there. Takes notice of what is there now.
    fn was_emptied(&mut self) -> io::Result<bool> {
        let found = self.file.metadata()?;
        let changed = found.modified().ok();
        if found.len() < self.length.max(self.at) {
            return Ok(true);
        }
        if found.len() == self.length && changed == self.changed {
            return Ok(false);
        }
        if !is_before(&self.file, self.length, &self.mark) {
            return Ok(true);
        }
        let from = found.len().saturating_sub(MARK as u64);
        let mut mark = vec![0; (found.len() - from) as usize];
        if self.file.read_exact_at(&mut mark, from).is_ok() {
            (self.mark, self.length, self.changed) = (mark, found.len(), changed);
        }
        Ok(false)
    }

    /// Reads a block. Whether there may be more.
    fn read(&mut self, block: &mut [u8], now: Instant, tell: &mut dyn FnMut(Record<'_>)) -> io::Result<bool> {
        let got = if self.lost { 0 } else { self.file.read_at(block, self.at)? };
        if got == 0 {
            return Ok(false);
        }
        let mut bytes = block.get(..got).unwrap_or_default();
        self.at += got as u64;
        self.heard = now;
        if self.within_line {
            let end = memchr(b'\n', bytes);
            self.within_line = end.is_none();
            bytes = end.and_then(|end| bytes.get(end + 1..)).unwrap_or_default();
        }
        self.feed.push(bytes, tell);
        Ok(got == block.len())
    }

    /// A copy of the file as it was before it was emptied: a file beside it whose name begins with the same, and which has the bytes
    /// before its end where they stood.
    fn copy(&self, path: &Path) -> Option<((u64, u64), File)> {
        if self.mark.is_empty() {
            return None;
        }
        let name = path.file_name().map(OsStr::as_bytes)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut beside: Vec<(SystemTime, PathBuf)> = fs::read_dir(folder.unwrap_or_else(|| Path::new(".")))
            .ok()?
            .flatten()
            .filter(|entry| {
                let other = entry.file_name();
                other.as_bytes().starts_with(name) && other.as_bytes() != name
            })
            .filter_map(|entry| Some((entry.metadata().ok()?, entry.path())))
            .filter(|(found, _)| found.is_file() && found.len() >= self.length)
            .filter_map(|(found, path)| Some((found.modified().ok()?, path)))
            .collect();
        beside.sort_unstable_by(|one, other| other.cmp(one));
        beside.into_iter().take(MOST_COPIES).find_map(|(_, path)| {
            let file = File::open(path).ok()?;
            let id = identity(&file.metadata().ok()?);
            is_before(&file, self.length, &self.mark).then_some((id, file))
        })
    }
}

/// Whether these bytes stand in a file before a place.
fn is_before(file: &File, at: u64, mark: &[u8]) -> bool {
    let mut found = [0; MARK];
    let Some(found) = found.get_mut(..mark.len()) else { return false };
    file.read_exact_at(found, at - mark.len() as u64).is_ok() && found == mark
}

/// Takes out those that nothing is expected of any more, and the first so many.
fn done(earlier: &mut VecDeque<Reading>, crowd: usize, now: Instant) -> Vec<Reading> {
    let (mut done, mut kept) = (Vec::new(), VecDeque::new());
    for (number, reading) in earlier.drain(..).enumerate() {
        if number < crowd || reading.lost || now.duration_since(reading.heard) > LINGER {
            done.push(reading);
        } else {
            kept.push_back(reading);
        }
    }
    *earlier = kept;
    done
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

/// Whether a file can be followed: what is compressed is never written on.
fn usable(file: &File, found: &Metadata) -> io::Result<()> {
    let wrong = |why| Err(io::Error::new(ErrorKind::InvalidInput, why));
    if !found.is_file() {
        return wrong("is no file; give a file, or unix:PATH for a socket");
    }
    let mut magic = [0; 4];
    match file.read_at(&mut magic, 0) {
        Ok(4) => {}
        Ok(_) => return Ok(()),
        Err(error) => return Err(error),
    }
    match magic {
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd] => {
            wrong("is compressed, and nothing follows in it; replay reads it")
        }
        [b'E', b'l', b'f', b'F'] => {
            wrong("is an event log, which is not written at its end; replay reads it")
        }
        _ => Ok(()),
    }
}
