//! The only code that cuts slices by lengths from the wire.
//!
//! A [`Reader`] is a cursor over borrowed bytes. Every read either returns what was asked for or a [`Short`]
//! that says how much was needed, how much there was, and where; the cursor does not move on failure, so a
//! caller may wait for more bytes and try again. Parsers are sequences of typed reads and never index.

/// A cursor over borrowed bytes. Numbers are big-endian (network order) unless the method says `le`.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the first of `bytes`.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { whole: bytes, rest: bytes }
    }

    /// The next byte.
    #[inline]
    pub fn u8(&mut self) -> Result<u8, Short> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The next two bytes as a number.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next three bytes as a number (lengths of TLS handshake messages).
    #[inline]
    pub fn u24(&mut self) -> Result<u32, Short> {
        self.array::<3>().map(|[a, b, c]| u32::from_be_bytes([0, a, b, c]))
    }

    /// The next four bytes as a number.
    #[inline]
    pub fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes as a number.
    #[inline]
    pub fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next two bytes as a little-endian number.
    #[inline]
    pub fn u16_le(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_le_bytes)
    }

    /// The next four bytes as a little-endian number.
    #[inline]
    pub fn u32_le(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next `N` bytes.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let Some((head, rest)) = self.rest.split_first_chunk::<N>() else { return Err(self.short(N)) };
        self.rest = rest;
        Ok(*head)
    }

    /// The next `count` bytes, borrowed.
    #[inline]
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Short> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else { return Err(self.short(count)) };
        self.rest = rest;
        Ok(head)
    }

    /// The next `count` bytes as a cursor of their own, whose offsets start at nought.
    #[inline]
    pub fn sub(&mut self, count: usize) -> Result<Self, Short> {
        self.take(count).map(Self::new)
    }

    /// Moves over `count` bytes.
    #[inline]
    pub fn skip(&mut self, count: usize) -> Result<(), Short> {
        self.take(count).map(|_| ())
    }

    /// At most `count` of the next bytes: as many as there are.
    #[inline]
    pub fn take_up_to(&mut self, count: usize) -> &'a [u8] {
        let (head, rest) = self.rest.split_at(count.min(self.rest.len()));
        self.rest = rest;
        head
    }

    /// All bytes not yet read; the cursor does not move.
    #[inline]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// How many bytes are not yet read.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Whether every byte was read.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes were read since the start.
    #[inline]
    pub const fn offset(&self) -> usize {
        self.whole.len() - self.rest.len()
    }

    /// The same bytes, with the cursor `offset` bytes from the start: what a DNS compression pointer asks for.
    #[inline]
    pub fn at(&self, offset: usize) -> Result<Self, Short> {
        match self.whole.get(offset..) {
            Some(rest) => Ok(Self { whole: self.whole, rest }),
            None => Err(Short { needed: offset, got: self.whole.len(), offset: self.whole.len() }),
        }
    }

    #[cold]
    fn short(&self, needed: usize) -> Short {
        Short { needed, got: self.rest.len(), offset: self.offset() }
    }
}

/// Fewer bytes than were asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Short {
    /// Bytes asked for.
    pub needed: usize,
    /// Bytes there were.
    pub got: usize,
    /// Where, in bytes from the start of what the [`Reader`] was given.
    pub offset: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_read_moves_nothing_and_says_where() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.u16(), Ok(0x0102));
        assert_eq!(reader.u16(), Err(Short { needed: 2, got: 1, offset: 2 }));
        assert_eq!(reader.u8(), Ok(3));
        assert!(reader.is_empty());
    }

    #[test]
    fn lengths_beyond_the_end_are_refused() {
        let mut reader = Reader::new(&[0; 4]);
        assert_eq!(reader.take(usize::MAX).unwrap_err().needed, usize::MAX);
        assert!(reader.at(5).is_err());
        assert_eq!(reader.at(4).map(|end| end.remaining()), Ok(0));
        assert_eq!(reader.take_up_to(9).len(), 4);
    }

    #[test]
    fn numbers_have_their_byte_order() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(Reader::new(&bytes).u24(), Ok(0x0001_0203));
        assert_eq!(Reader::new(&bytes).u32(), Ok(0x0102_0304));
        assert_eq!(Reader::new(&bytes).u32_le(), Ok(0x0403_0201));
        assert_eq!(Reader::new(&bytes).u16_le(), Ok(0x0201));
        assert_eq!(Reader::new(&bytes).u64(), Ok(0x0102_0304_0506_0708));
    }
}
