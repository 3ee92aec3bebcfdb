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

    /// Four numbers at once: record heads are read so, in a quarter of the time that four reads take.
    #[inline]
    pub(super) const fn words(self, bytes: [u8; 16]) -> [u32; 4] {
        let all = u128::from_le_bytes(bytes);
        let [a, b, c, d] = [all as u32, (all >> 32) as u32, (all >> 64) as u32, (all >> 96) as u32];
        match self {
            Self::Little => [a, b, c, d],
            Self::Big => [a.swap_bytes(), b.swap_bytes(), c.swap_bytes(), d.swap_bytes()],
        }
    }

    /// Two numbers at once.
    #[inline]
    pub(super) const fn pair(self, bytes: [u8; 8]) -> [u32; 2] {
        let both = u64::from_le_bytes(bytes);
        match self {
            Self::Little => [both as u32, (both >> 32) as u32],
            Self::Big => [(both as u32).swap_bytes(), ((both >> 32) as u32).swap_bytes()],
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
