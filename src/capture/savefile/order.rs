//! The byte order of a capture file: that of the host that wrote it.

use crate::reader::{Reader, Short};

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    #[inline]
    pub(super) fn u16(self, reader: &mut Reader<'_>) -> Result<u16, Short> {
        match self {
            Self::Little => reader.u16_le(),
            Self::Big => reader.u16(),
        }
    }

    #[inline]
    pub(super) fn u32(self, reader: &mut Reader<'_>) -> Result<u32, Short> {
        match self {
            Self::Little => reader.u32_le(),
            Self::Big => reader.u32(),
        }
    }

    /// Eight bytes as a signed number (pcapng's `if_tsoffset`).
    #[inline]
    pub(super) fn i64(self, reader: &mut Reader<'_>) -> Result<i64, Short> {
        reader.array().map(match self {
            Self::Little => i64::from_le_bytes,
            Self::Big => i64::from_be_bytes,
        })
    }
}
