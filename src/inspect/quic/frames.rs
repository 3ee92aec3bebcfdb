//! The frames of an opened Initial (RFC 9000 sections 12.4 and 19), for the sake of the CRYPTO frames among
//! them.

use super::header::varint;
use super::refusal::Refusal;
use crate::reader::{Reader, Short};

/// Gives offset and data of each CRYPTO frame to `crypto`.
///
/// # Errors
/// [`Refusal::UnexpectedFrame`] where a frame stands that is none of an Initial's (RFC 9000 section 17.2.2),
/// [`Refusal::MalformedFrame`] where one is longer than the packet. What came before has been given.
pub(super) fn walk<'a>(frames: &'a [u8], mut crypto: impl FnMut(u64, &'a [u8])) -> Result<(), Refusal> {
    let mut reader = Reader::new(frames);
    while !reader.is_empty() {
        if skip_padding(&mut reader) {
            continue;
        }
        match one(&mut reader) {
            Ok(Frame::Crypto(offset, data)) => crypto(offset, data),
            Ok(Frame::Passed) => {}
            Ok(Frame::Unexpected) => return Err(Refusal::UnexpectedFrame),
            Err(_) => return Err(Refusal::MalformedFrame),
        }
    }
    Ok(())
}

enum Frame<'a> {
    Crypto(u64, &'a [u8]),
    Passed,
    Unexpected,
}

fn one<'a>(reader: &mut Reader<'a>) -> Result<Frame<'a>, Short> {
    // The type may be written longer than it needs to be; an endpoint is free to take that (section 12.4).
    match varint(reader)? {
        PADDING | PING => {}
        kind @ (ACK | ACK_ECN) => ack(reader, kind == ACK_ECN)?,
        CRYPTO => {
            let offset = varint(reader)?;
            return Ok(Frame::Crypto(offset, counted(reader)?));
        }
        CONNECTION_CLOSE => {
            varint(reader)?;
            varint(reader)?;
            counted(reader)?;
        }
        _ => return Ok(Frame::Unexpected),
    }
    Ok(Frame::Passed)
}

/// RFC 9000 section 19.3.
fn ack(reader: &mut Reader<'_>, ecn: bool) -> Result<(), Short> {
    varint(reader)?;
    varint(reader)?;
    let ranges = varint(reader)?;
    varint(reader)?;
    for _ in 0..ranges {
        varint(reader)?;
        varint(reader)?;
    }
    for _ in 0..if ecn { 3 } else { 0 } {
        varint(reader)?;
    }
    Ok(())
}

/// A length and as many bytes.
pub(super) fn counted<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    let length = varint(reader)?;
    reader.take(usize::try_from(length).unwrap_or(usize::MAX))
}

/// Moves over PADDING, of which a first flight is mostly made; says whether there was any.
#[inline]
pub(super) fn skip_padding(reader: &mut Reader<'_>) -> bool {
    const RUN: usize = 64;
    let before = reader.remaining();
    while let Some(run) = reader.rest().first_chunk::<RUN>()
        && *run == [0; RUN]
    {
        reader.take_up_to(RUN);
    }
    while reader.rest().first() == Some(&0) {
        reader.take_up_to(1);
    }
    reader.remaining() < before
}

const PADDING: u64 = 0x00;
const PING: u64 = 0x01;
const ACK: u64 = 0x02;
const ACK_ECN: u64 = 0x03;
const CRYPTO: u64 = 0x06;
/// The kind for the transport; the application's (0x1d) may not stand in an Initial.
const CONNECTION_CLOSE: u64 = 0x1c;

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(frames: &[u8], expected: &[(u64, &[u8])], end: Result<(), Refusal>) {
        let mut seen = Vec::new();
        assert_eq!(walk(frames, |offset, data| seen.push((offset, data))), end, "{frames:x?}");
        assert_eq!(seen, expected, "{frames:x?}");
    }

    #[test]
    fn crypto_among_others() {
        check(&[], &[], Ok(()));
        check(
            &[6, 0, 2, b'a', b'b', 0, 0, 0, 1, 6, 0x40, 2, 0x40, 1, b'c'],
            &[(0, b"ab"), (2, b"c")],
            Ok(()),
        );
        check(&[&[0; 200][..], &[6, 5, 1, b'x'], &[0; 63]].concat(), &[(5, b"x")], Ok(()));
        check(&[2, 9, 0, 2, 1, 0, 0, 1, 1, 6, 0, 1, b'x'], &[(0, b"x")], Ok(()));
        check(&[3, 9, 0, 0, 1, 7, 8, 9, 6, 0, 1, b'x'], &[(0, b"x")], Ok(()));
        check(&[0x1c, 1, 2, 3, b'w', b'h', b'y', 6, 0, 1, b'x'], &[(0, b"x")], Ok(()));
        check(&[0x40, 6, 0, 1, b'x'], &[(0, b"x")], Ok(()));
    }

    #[test]
    fn the_walk_ends_where_it_must() {
        check(&[6, 0, 1, b'x', 0x1d, 6, 1, 1, b'y'], &[(0, b"x")], Err(Refusal::UnexpectedFrame));
        check(&[8, 0], &[], Err(Refusal::UnexpectedFrame));
        check(&[6, 0, 2, b'x'], &[], Err(Refusal::MalformedFrame));
        check(
            &[2, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[],
            Err(Refusal::MalformedFrame),
        );
    }

    #[test]
    fn every_prefix_gives_a_prefix() {
        let frames = [6, 0, 2, b'a', b'b', 2, 9, 0, 0, 1, 6, 2, 1, b'c', 0, 0];
        for cut in 0..frames.len() {
            let mut seen = Vec::new();
            let end = walk(&frames[..cut], |offset, data| seen.push((offset, data)));
            assert_ne!(end, Err(Refusal::UnexpectedFrame));
            assert!([(0, &b"ab"[..]), (2, b"c")].starts_with(&seen));
        }
    }

    proptest! {
        #[test]
        fn garbage(frames in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut given = 0;
            let end = walk(&frames, |_, data| given += data.len());
            prop_assert!(end.is_err() || given <= frames.len());
        }
    }
}
