//! What is told of a file that was read: how much of it, and how it ended.

use std::fmt;
use std::io::ErrorKind;

/// What was read of a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Bytes, decompressed.
    pub bytes: u64,
    /// Bytes as they are stored.
    pub stored_bytes: u64,
    /// Frames given out.
    pub frames: u64,
    /// Packets of a pcapng file that name an unknown interface or are longer than their block.
    pub damaged_packets: u64,
}

/// How a file ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct End {
    /// Where, in the decompressed file: after the last whole record.
    pub offset: u64,
    /// In which way.
    pub how: Ending,
}

/// The way a file ended. In each case all whole records before were given out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// After a whole record.
    Whole,
    /// Within a record (of a compressed file: or between two, when its compressed stream is not complete).
    CutShort {
        /// Bytes that the record has, as far as can be told.
        needed: u64,
        /// Bytes that there are of it.
        got: u64,
    },
    /// At something that cannot be.
    Damaged(Damage),
    /// The system could not read on.
    Failed(ErrorKind),
}

impl Ending {
    /// Whether all of the file was read.
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Whole)
    }
}

impl fmt::Display for End {
    /// The rest of a sentence that begins with the file's name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let offset = self.offset;
        match self.how {
            Ending::Whole => write!(f, "ends after {offset} bytes"),
            Ending::CutShort { needed, got } => {
                write!(f, "is cut short at byte {offset}: a record of {needed} bytes has {got}")
            }
            Ending::Damaged(damage) => write!(f, "is damaged at byte {offset}: {damage}"),
            Ending::Failed(kind) => write!(f, "cannot be read beyond byte {offset}: {kind}"),
        }
    }
}

/// What in a file cannot be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Damage {
    /// A frame of this many bytes.
    FrameLength(u32),
    /// A pcapng block of this many bytes.
    BlockLength(u32),
    /// The two lengths of a pcapng block.
    BlockLengths(u32, u32),
    /// A pcapng section in no byte order.
    ByteOrder,
    /// A pcapng section of this major version.
    Version(u16),
    /// A pcapng interface block that is too short.
    Interface,
    /// The compressed stream.
    Compression,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameLength(length) => write!(f, "a frame of {length} bytes"),
            Self::BlockLength(length) => write!(f, "a block of {length} bytes"),
            Self::BlockLengths(first, last) => {
                write!(f, "a block of {first} bytes at its head and {last} at its end")
            }
            Self::ByteOrder => write!(f, "a section header without a byte order"),
            Self::Version(major) => write!(f, "a section of version {major}"),
            Self::Interface => write!(f, "an interface block that is too short"),
            Self::Compression => write!(f, "the compressed data are not valid"),
        }
    }
}
