//! Where the walk through a frame is: the bytes not yet read, how many there were on the wire, and the way so far.
//!
//! Every layer takes its header off a [`Walk`] and hands the rest on. Only this file makes refusals of short reads.

use super::{Layer, Malformed, Refusal};
use crate::reader::{Reader, Short};

/// The rest of a frame. Layers pass it on by reference: a copy of what was just written stalls the processor for as
/// long as a whole header takes.
#[derive(Clone, Debug)]
pub(super) struct Walk<'a> {
    /// What was captured of the rest.
    rest: &'a [u8],
    /// How many further bytes of the rest were on the wire and not captured.
    uncaptured: usize,
    /// Where the frame begins in memory: what offsets are counted from, when one is asked for.
    start: usize,
    /// How many wrappings lie behind.
    depth: usize,
}

/// The most wrappings of one packet: tunnels, label stacks, frames within frames. Mirrored overlays of operators reach
/// four or five; the rest is room, and what a hostile frame may cost.
pub(super) const MAX_DEPTH: usize = 10;

impl<'a> Walk<'a> {
    /// At the first byte of a frame that had `wire_len` bytes on the wire.
    #[inline]
    pub(super) fn new(frame: &'a [u8], wire_len: u32) -> Self {
        let uncaptured = usize::try_from(wire_len).unwrap_or(usize::MAX).saturating_sub(frame.len());
        Self { rest: frame, uncaptured, start: frame.as_ptr().addr(), depth: 0 }
    }

    /// At the first byte of what came through `depth` tunnels already.
    pub(super) fn within(depth: u8, bytes: &'a [u8]) -> Self {
        Self { rest: bytes, uncaptured: 0, start: bytes.as_ptr().addr(), depth: usize::from(depth) }
    }

    /// Counts one wrapping, of `layer`.
    #[inline]
    pub(super) const fn descend(&mut self, layer: Layer) -> Result<(), Refusal> {
        if self.is_deepest() {
            return Err(Refusal::TooDeep(layer));
        }
        self.depth += 1;
        Ok(())
    }

    /// Whether no further wrapping would be allowed.
    pub(super) const fn is_deepest(&self) -> bool {
        self.depth >= MAX_DEPTH
    }

    /// What was captured of the rest.
    #[inline]
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The rest's length on the wire.
    #[inline]
    pub(super) const fn wire(&self) -> usize {
        self.rest.len().saturating_add(self.uncaptured)
    }

    /// The rest's length on the wire, as packets report it.
    #[inline]
    pub(super) fn wire_len(&self) -> u32 {
        u32::try_from(self.wire()).unwrap_or(u32::MAX)
    }

    /// The next byte, which stays.
    #[inline]
    pub(super) fn peek(&self, layer: Layer) -> Result<u8, Refusal> {
        Reader::new(self.rest).u8().map_err(|short| self.short(layer, short))
    }

    /// Takes the next `N` bytes of `layer`'s header.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self, layer: Layer) -> Result<[u8; N], Refusal> {
        let mut reader = Reader::new(self.rest);
        match reader.array::<N>() {
            Ok(bytes) => {
                self.rest = reader.rest();
                Ok(bytes)
            }
            Err(short) => Err(self.short(layer, short)),
        }
    }

    /// Moves over `count` bytes of `layer`'s header.
    #[inline]
    pub(super) fn skip(&mut self, layer: Layer, count: usize) -> Result<(), Refusal> {
        let mut reader = Reader::new(self.rest);
        match reader.skip(count) {
            Ok(()) => {
                self.rest = reader.rest();
                Ok(())
            }
            Err(short) => Err(self.short(layer, short)),
        }
    }

    /// Makes the rest end where a length field says: padding behind it falls away. A length beyond the captured
    /// bytes is believed, for a snap length may have cut them.
    #[inline]
    pub(super) fn limit(&mut self, len: usize) {
        self.rest = Reader::new(self.rest).take_up_to(len);
        self.uncaptured = len - self.rest.len();
    }

    /// Leaves a rest of which `wire` bytes were on the wire and none was captured.
    #[cold]
    pub(super) fn leave_uncaptured(&mut self, wire: usize) {
        self.limit(0);
        self.uncaptured = wire;
    }

    /// The refusal of a header that begins here.
    #[cold]
    pub(super) fn malformed(&self, layer: Layer, needed: usize, got: usize) -> Refusal {
        Refusal::Malformed(Malformed { layer, needed, got, offset: self.offset() })
    }

    fn offset(&self) -> usize {
        self.rest.as_ptr().addr() - self.start
    }

    #[cold]
    fn short(&self, layer: Layer, short: Short) -> Refusal {
        Refusal::Malformed(Malformed::new(layer, short, self.offset()))
    }
}
