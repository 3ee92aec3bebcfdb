//! Lines that wait on disk for an output that does not take them.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where records wait that an output does not take in time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spilling {
    /// A folder for files that outlive the process; else they are files without a name.
    pub folder: Option<PathBuf>,
    /// The most bytes of each.
    pub most: u64,
}

/// A file of lines that is written at its end and read from its beginning.
///
/// With a name it outlives the process: what is left in it is delivered after the next start, though some of it may have been
/// delivered before. Without one it is gone with the process.
#[derive(Debug)]
pub struct Spill {
    file: File,
    /// Bytes that were read of it.
    read: u64,
    /// Bytes that are in it.
    length: u64,
    most: u64,
    named: bool,
}

/// Bytes that are read at once.
const BLOCK: usize = 256 << 10;

impl Spill {
    /// Opens a file by its name, for at most so many bytes. What is in it waits from now on.
    ///
    /// # Errors
    /// When it cannot be read and written.
    pub fn named(path: &Path, most: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        let mut spill = Self { length: file.metadata()?.len(), file, read: 0, most, named: true };
        // What follows the last line end was being written when the process ended.
        let mut whole = spill.length;
        let mut block = vec![0; BLOCK];
        while whole > 0 {
            let from = whole.saturating_sub(BLOCK as u64);
            let got = usize::try_from(whole - from).unwrap_or(0);
            let part = block.get_mut(..got).unwrap_or_default();
            spill.file.read_exact_at(part, from)?;
            match memchr::memrchr(b'\n', part) {
                Some(at) => {
                    whole = from + at as u64 + 1;
                    break;
                }
                None => whole = from,
            }
        }
        spill.file.set_len(whole)?;
        spill.length = whole;
        Ok(spill)
    }

    /// Makes a file without a name in a folder, for at most so many bytes.
    ///
    /// # Errors
    /// When the folder's file system has no such files.
    pub fn unnamed(folder: &Path, most: u64) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_TMPFILE)
            .open(folder)?;
        Ok(Self { file, read: 0, length: 0, most, named: false })
    }

    /// Bytes that wait.
    pub const fn waiting(&self) -> u64 {
        self.length - self.read
    }

    /// Whether what waits is still there after the process has ended.
    pub const fn outlives(&self) -> bool {
        self.named
    }

    /// Takes lines, if there is room for all of them.
    ///
    /// # Errors
    /// When there is not, or the disk takes no more.
    pub fn push(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.length.saturating_add(lines.len() as u64) > self.most {
            return Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the spill file is full"));
        }
        if let Err(error) = self.file.write_all_at(lines, self.length) {
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += lines.len() as u64;
        Ok(())
    }

    /// Gives the next lines; none when none wait.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn pop(&mut self) -> io::Result<Vec<u8>> {
        let mut lines = Vec::new();
        while lines.is_empty() && self.waiting() > 0 {
            // A line is far shorter than a block; if it is not, what is taken grows.
            let size = usize::try_from(self.waiting()).unwrap_or(usize::MAX).min(BLOCK);
            let mut block = vec![0; size];
            self.file.read_exact_at(&mut block, self.read)?;
            let end = memchr::memrchr(b'\n', &block).map_or(size, |at| at + 1);
            block.truncate(end);
            self.read += end as u64;
            lines = block;
        }
        if self.read == self.length {
            self.file.set_len(0)?;
            (self.read, self.length) = (0, 0);
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_as_they_went_in_within_the_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spill");
        for mut spill in
            [Spill::named(&path, 1 << 20).unwrap(), Spill::unnamed(folder.path(), 1 << 20).unwrap()]
        {
            let line = |number: usize| format!("{number:0>1000}\n").into_bytes();
            let fitted = (0..2000).take_while(|number| spill.push(&line(*number)).is_ok()).count();
            assert_eq!(fitted, (1 << 20) / 1001);
            let mut out = Vec::new();
            while spill.waiting() > 0 {
                out.extend(spill.pop().unwrap());
            }
            assert_eq!(out, (0..fitted).flat_map(line).collect::<Vec<u8>>());
            assert!(spill.pop().unwrap().is_empty());
            // Read to its end, it has room again.
            spill.push(&line(1)).unwrap();
            assert_eq!(spill.waiting(), 1001);
        }
    }

    #[test]
    fn what_has_a_name_is_there_after_an_end_in_the_middle_of_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spill");
        Spill::named(&path, 1000).unwrap().push(b"one\ntwo\nthr").unwrap();
        let mut spill = Spill::named(&path, 1000).unwrap();
        assert_eq!(spill.pop().unwrap(), b"one\ntwo\n");
        std::fs::write(&path, "no line").unwrap();
        assert_eq!(Spill::named(&path, 1000).unwrap().waiting(), 0);
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        assert!(Spill::named(&folder.path().join("link"), 1000).is_err());
    }
}
