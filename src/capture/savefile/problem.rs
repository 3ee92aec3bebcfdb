//! What is told about a path that gives no frames, with a guess at what it is instead.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A path, and why it was not read.
#[derive(Debug)]
pub struct Problem {
    /// As given, or as found inside a directory that was given.
    pub path: PathBuf,
    /// What is the matter.
    pub why: Why,
}

/// Why a path was not read.
#[derive(Debug)]
pub enum Why {
    /// The system refused.
    Io(io::Error),
    /// It holds nothing at all.
    Empty,
    /// It is compressed, and cut short or damaged before its first bytes: what was in it cannot be told.
    Compression,
    /// It is no capture file.
    NotCapture {
        /// Its first bytes (at most 16), decompressed when it is compressed.
        first: Vec<u8>,
        /// What files begin so, where that is known.
        looks_like: Option<&'static str>,
    },
    /// A directory without a capture file.
    NoCaptures {
        /// Hidden files and directories in it, which were not looked at.
        hidden: u64,
        /// Files in it that are no captures.
        others: u64,
    },
    /// Not an error: what was passed over in a directory that does hold captures.
    Skipped {
        /// Hidden files and directories.
        hidden: u64,
        /// Files that are no captures.
        others: u64,
        /// The first of those.
        example: Option<PathBuf>,
    },
}

impl Problem {
    /// Whether something that should have been read was not; else it is a remark.
    pub const fn is_error(&self) -> bool {
        !matches!(self.why, Why::Skipped { .. })
    }

    /// Whether the file is readable and simply no capture.
    pub(super) const fn is_other_kind_of_file(&self) -> bool {
        matches!(self.why, Why::NotCapture { .. } | Why::Empty)
    }
}

impl std::error::Error for Problem {}

impl fmt::Display for Problem {
    /// One line, without the control characters that a path may have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", Printable(&self.path))?;
        match &self.why {
            Why::Io(error) => write!(f, "{error}"),
            Why::Empty => write!(f, "is empty"),
            Why::Compression => write!(f, "is a compressed file, damaged or cut short at its start"),
            Why::NotCapture { first, looks_like } => {
                write!(f, "is no capture file")?;
                for (index, byte) in first.iter().enumerate() {
                    write!(f, "{}{byte:02x}", if index == 0 { "; it begins with " } else { " " })?;
                }
                looks_like.map_or(Ok(()), |what| write!(f, ": {what}"))
            }
            Why::NoCaptures { hidden, others } => {
                write!(f, "holds no capture file ({others} other files, {hidden} hidden)")
            }
            Why::Skipped { hidden, others, example } => {
                write!(f, "skipped {others} files that are no captures and {hidden} hidden")?;
                example.as_ref().map_or(Ok(()), |path| write!(f, "; the first is {}", Printable(path)))
            }
        }
    }
}

/// A path as it can be shown on a terminal.
struct Printable<'a>(&'a Path);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_string_lossy().chars().try_for_each(|c| {
            if c.is_control() { write!(f, "{}", c.escape_default()) } else { write!(f, "{c}") }
        })
    }
}

/// What kind of file begins with `first`, when it is no capture that can be read here.
pub(super) fn looks_like(first: &[u8]) -> Option<&'static str> {
    const MAGICS: &[(&[u8], &str)] = &[
        (b"snoop\0\0\0", "a Solaris snoop capture; editcap -F pcapng converts it"),
        (b"GMBU", "a Microsoft Network Monitor capture; editcap -F pcapng converts it"),
        (b"RTSS", "a Microsoft Network Monitor 1 capture; editcap -F pcapng converts it"),
        (b"btsnoop\0", "a Bluetooth capture"),
        (b"\xfd7zXZ\0", "an xz file; decompress it first"),
        (b"BZh", "a bzip2 file; decompress it first"),
        (b"\x04\x22\x4d\x18", "an lz4 file; decompress it first"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
        (b"PK\x03\x04", "a zip archive; unpack it first"),
        (b"\x1f\x8b", "a gzip file inside a compressed one"),
        (b"\x28\xb5\x2f\xfd", "a zstd file inside a compressed one"),
        (b"\x7fELF", "a program"),
        (b"MZ", "a Windows program"),
        (b"ElfFile\0", "a Windows event log; it belongs to --feed"),
        (b"%PDF", "a PDF document"),
        (b"SQLite format", "an SQLite database"),
        (b"{", "JSON"),
        (b"<", "XML or HTML"),
    ];
    if let Some((_, what)) = MAGICS.iter().find(|(magic, _)| first.starts_with(magic)) {
        return Some(what);
    }
    let text = |&byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    (!first.is_empty() && first.iter().all(text)).then_some("text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_the_first_bytes_and_what_they_would_be() {
        let check = |first: &[u8], expected: &str| {
            let why = Why::NotCapture { first: first.to_vec(), looks_like: looks_like(first) };
            assert_eq!(Problem { path: "a\x1b[1m".into(), why }.to_string(), expected);
        };
        check(b"\x7fELF\x02", "a\\u{1b}[1m: is no capture file; it begins with 7f 45 4c 46 02: a program");
        check(b"hello\n", "a\\u{1b}[1m: is no capture file; it begins with 68 65 6c 6c 6f 0a: text");
        check(b"", "a\\u{1b}[1m: is no capture file");
        check(&[0, 1], "a\\u{1b}[1m: is no capture file; it begins with 00 01");
    }
}
