//! Where the walk through a frame is: the bytes not yet read, how many there were on the wire, and the way so far.
//!
//! Every layer takes its header off a [`Walk`] and hands the rest on. Only this file makes refusals of short reads.

use super::{Layer, Malformed, Refusal};
use crate::reader::{Reader, Short};

/// The rest of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    reader: Reader<'a>,
    /// Where the reader's first byte lies in the frame.
    base: usize,
    /// How long the rest was on the wire: never less than what was captured of it.
    wire: usize,
}

impl<'a> Walk<'a> {
    /// At the first byte of a frame that had `wire_len` bytes on the wire.
    #[inline]
    pub(super) fn new(frame: &'a [u8], wire_len: u32) -> Self {
        let wire = usize::try_from(wire_len).unwrap_or(usize::MAX).max(frame.len());
        Self { reader: Reader::new(frame), base: 0, wire }
    }

    /// What was captured of the rest.
    #[inline]
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.reader.rest()
    }

    /// The rest's length on the wire, as packets report it.
    #[inline]
    pub(super) fn wire_len(&self) -> u32 {
        u32::try_from(self.wire).unwrap_or(u32::MAX)
    }

    /// The rest's length on the wire.
    #[inline]
    pub(super) const fn wire(&self) -> usize {
        self.wire
    }

    /// Where the rest begins in the frame.
    #[inline]
    pub(super) const fn offset(&self) -> usize {
        self.base + self.reader.offset()
    }

    /// The next byte, which stays.
    #[inline]
    pub(super) fn peek(&self, layer: Layer) -> Result<u8, Refusal> {
        let mut ahead = *self;
        ahead.array::<1>(layer).map(|[byte]| byte)
    }

    /// Takes the next `N` bytes of `layer`'s header.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self, layer: Layer) -> Result<[u8; N], Refusal> {
        match self.reader.array::<N>() {
            Ok(bytes) => {
                self.wire -= N;
                Ok(bytes)
            }
            Err(short) => Err(self.refuse(layer, short)),
        }
    }

    /// Moves over `count` bytes of `layer`'s header.
    #[inline]
    pub(super) fn skip(&mut self, layer: Layer, count: usize) -> Result<(), Refusal> {
        match self.reader.skip(count) {
            Ok(()) => {
                self.wire -= count;
                Ok(())
            }
            Err(short) => Err(self.refuse(layer, short)),
        }
    }

    /// Makes the rest end where its own length field says: padding behind it falls away. A length beyond the
    /// captured bytes is believed, for a snap length may have cut them.
    #[inline]
    pub(super) fn limit(&mut self, len: usize) {
        let base = self.offset();
        self.reader = Reader::new(self.reader.take_up_to(len));
        self.base = base;
        self.wire = len;
    }

    /// Leaves a rest of which `wire` bytes were on the wire and none was captured.
    #[cold]
    pub(super) fn leave_uncaptured(&mut self, wire: usize) {
        self.limit(0);
        self.wire = wire;
    }

    /// The refusal of a header that begins here.
    #[cold]
    pub(super) const fn malformed(&self, layer: Layer, needed: usize, got: usize) -> Refusal {
        Refusal::Malformed(Malformed { layer, needed, got, offset: self.offset() })
    }

    #[cold]
    const fn refuse(&self, layer: Layer, short: Short) -> Refusal {
        Refusal::Malformed(Malformed::new(layer, short, self.base))
    }
}
