//! Puts the CRYPTO stream of one connection together, by ranges: in any order, doubled, overlapping.
//!
//! Bytes are kept in the order in which they came, so memory grows with what was received and never with what
//! an offset claims, and nothing is moved when a hole closes. Where two frames give different bytes for the
//! same place, the first ones stay (a server that has acted on them cannot take them back) and the conflict
//! is remembered.

use super::refusal::Refusal;

/// The most bytes of a hello: the length that a TLS stack commonly accepts, and 30 times a hello with ML-KEM.
pub const MAX_HELLO: usize = 64 * 1024;

/// The most pieces of a hello at one time. Chrome cuts one into about ten a packet, in two packets; a client
/// that sends single octets must not make each insertion dear.
pub const MAX_RANGES: usize = 256;

/// A stream that is being put together.
#[derive(Clone, Debug, Default)]
pub(super) struct Assembly {
    /// What was received, in order of arrival, nothing twice.
    bytes: Vec<u8>,
    /// Where each piece belongs: sorted, disjoint.
    ranges: Vec<Range>,
    conflict: bool,
}

/// Bytes `start..end` of the stream are at `at` in the order of arrival. 32 bits hold every place below
/// [`MAX_HELLO`].
#[derive(Clone, Copy, Debug)]
struct Range {
    start: u32,
    end: u32,
    at: u32,
}

impl Range {
    const fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

impl Assembly {
    /// Adds `data` at `offset` of the stream.
    ///
    /// # Errors
    /// [`Refusal::TooFar`] with nothing added, or [`Refusal::TooManyRanges`] with what came
    /// before the limit added.
    pub(super) fn insert(&mut self, offset: u64, data: &[u8]) -> Result<(), Refusal> {
        let end = offset.checked_add(data.len() as u64).filter(|end| *end <= MAX_HELLO as u64);
        let (Some(end), Ok(start)) = (end, u32::try_from(offset)) else { return Err(Refusal::TooFar) };
        let (mut at, end, mut data) = (start, end as u32, data);
        let mut place = self.ranges.partition_point(|range| range.end <= at);
        while at < end {
            match self.ranges.get(place).copied() {
                Some(range) if range.start <= at => {
                    let count = (range.end.min(end) - at) as usize;
                    let (known, rest) = data.split_at_checked(count).unwrap_or((data, &[]));
                    let held = self.bytes.get((range.at + (at - range.start)) as usize..).unwrap_or_default();
                    self.conflict |= !held.starts_with(known);
                    (at, data, place) = (range.end.min(end), rest, place + 1);
                }
                next => {
                    let until = next.map_or(end, |range| range.start.min(end));
                    let (new, rest) = data.split_at_checked((until - at) as usize).unwrap_or((data, &[]));
                    place = self.add(place, at, until, new)?;
                    (at, data) = (until, rest);
                }
            }
        }
        Ok(())
    }

    /// Adds bytes that no range has, before the range at `place`; gives that range's new place.
    fn add(&mut self, place: usize, start: u32, end: u32, new: &[u8]) -> Result<usize, Refusal> {
        let at = self.bytes.len() as u32;
        let before = place.checked_sub(1).and_then(|before| self.ranges.get_mut(before));
        if let Some(before) = before
            && before.end == start
            && before.at as usize + before.len() == at as usize
        {
            before.end = end;
            self.bytes.extend_from_slice(new);
            return Ok(place);
        }
        if self.ranges.len() >= MAX_RANGES {
            return Err(Refusal::TooManyRanges);
        }
        self.ranges.insert(place, Range { start, end, at });
        self.bytes.extend_from_slice(new);
        Ok(place + 1)
    }

    /// Puts what is there without a hole from the start into `out`.
    pub(super) fn copy_prefix(&self, out: &mut Vec<u8>) {
        out.clear();
        for range in &self.ranges {
            if range.start as usize != out.len() {
                break;
            }
            let piece = self.bytes.get(range.at as usize..).and_then(|rest| rest.get(..range.len()));
            out.extend_from_slice(piece.unwrap_or_default());
        }
    }

    /// Whether two frames disagreed.
    pub(super) const fn conflict(&self) -> bool {
        self.conflict
    }

    /// Whether nothing was received.
    pub(super) const fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Bytes of memory that are held.
    pub(super) const fn held(&self) -> usize {
        self.bytes.capacity() + self.ranges.capacity() * size_of::<Range>()
    }

    /// Forgets the stream, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ranges.clear();
        self.conflict = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    static STREAM: &[u8] = b"abcdefghijklmnopqrstuvwxyz";

    fn check(inserts: &[(u64, &[u8])], expected: &[u8], conflict: bool) {
        let mut assembly = Assembly::default();
        for (offset, data) in inserts {
            assembly.insert(*offset, data).unwrap();
        }
        let mut out = Vec::new();
        assembly.copy_prefix(&mut out);
        assert_eq!((out.as_slice(), assembly.conflict()), (expected, conflict), "{inserts:?}");
    }

    #[test]
    fn pieces_fall_into_place() {
        check(&[(0, b"abc"), (3, b"def")], b"abcdef", false);
        check(&[(3, b"def"), (0, b"abc")], b"abcdef", false);
        check(&[(0, b"abc"), (0, b"abc"), (0, b"ab"), (1, b"bc")], b"abc", false);
        check(&[(0, b"abcd"), (2, b"cdef")], b"abcdef", false);
        check(&[(2, b"cd"), (6, b"gh"), (0, b"abcdefghij")], b"abcdefghij", false);
        check(&[(4, b"ef"), (0, b"ab")], b"ab", false);
        check(&[(4, b"ef"), (2, b""), (0, b"")], b"", false);
    }

    #[test]
    fn the_first_bytes_stay_and_the_conflict_is_known() {
        check(&[(0, b"abcd"), (2, b"XYef")], b"abcdef", true);
        check(&[(2, b"cd"), (0, b"abXYef")], b"abcdef", true);
        check(&[(0, b"abcd"), (0, b"abcX")], b"abcd", true);
    }

    #[test]
    fn limits() {
        let mut assembly = Assembly::default();
        assert_eq!(assembly.insert(MAX_HELLO as u64, b"a"), Err(Refusal::TooFar));
        assert_eq!(assembly.insert(u64::MAX, b"a"), Err(Refusal::TooFar));
        assert!(assembly.is_empty() && assembly.held() == 0);
        assert_eq!(assembly.insert(MAX_HELLO as u64 - 1, b"a"), Ok(()));
        assert!(assembly.held() < 1024, "an offset costs no memory");
        for piece in 1..MAX_RANGES as u64 {
            assert_eq!(assembly.insert(piece * 2, b"a"), Ok(()));
        }
        assert_eq!(assembly.insert(1, b"a"), Err(Refusal::TooManyRanges));
        assert!(assembly.held() < 8 * 1024);
    }

    proptest! {
        /// Against a model that has one cell an octet.
        #[test]
        fn equals_a_plain_model(inserts in prop::collection::vec((0_usize..26, 0_usize..12, any::<bool>()), 0..40)) {
            let mut assembly = Assembly::default();
            let (mut model, mut conflict) = ([None; 26], false);
            for (start, count, other) in inserts {
                let mut piece = STREAM.iter().copied().skip(start).take(count).collect::<Vec<u8>>();
                if other && let Some(last) = piece.last_mut() {
                    *last = b'!';
                }
                assembly.insert(start as u64, &piece).unwrap();
                for (cell, byte) in model.iter_mut().skip(start).zip(&piece) {
                    conflict |= cell.is_some_and(|held| held != *byte);
                    cell.get_or_insert(*byte);
                }
            }
            let expected = model.into_iter().map_while(|cell| cell).collect::<Vec<u8>>();
            let mut out = Vec::new();
            assembly.copy_prefix(&mut out);
            prop_assert_eq!(out, expected);
            prop_assert_eq!(assembly.conflict(), conflict);
        }
    }
}
