//! Google QUIC: the cleartext versions' headers (Q043, Q044, Q046), Google's frames, and the CHLO message.
//!
//! Q050 hides its Initials as the IETF's drafts do, with a salt of its own ([`version`](super::version)), but
//! has these frames and this message inside; T050 and T051 have the frames and TLS. Google wrote the layouts
//! down only in part ("QUIC Wire Layout Specification", "QUIC Crypto"); beyond those this follows lsquic and
//! nDPI. The packet hash of the cleartext versions is not checked.

use super::frames::{counted, skip_padding};
use super::header::{Body, ConnectionId, Packet, varint};
use super::refusal::Refusal;
use super::version::Version;
use crate::reader::{Reader, Short};

/// The server name of a CHLO: the value of its tag `SNI\0`.
///
/// The message may be cut; a name is given when the whole of it is there.
pub fn server_name(chlo: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(chlo);
    let entries = entries(&mut reader)?;
    let values = reader.at(INDEX + ENTRY * entries).ok()?;
    let mut start = 0;
    for _ in 0..entries {
        let tag = reader.array::<4>().ok()?;
        let end = reader.u32_le().ok()? as usize;
        if tag == *b"SNI\0" {
            let mut values = values;
            values.skip(start).ok()?;
            return values.take(end.checked_sub(start)?).ok().filter(|name| !name.is_empty());
        }
        start = end;
    }
    None
}

/// Whether a first byte can be the flags of a client's first packet with the public header. The top two bits
/// are reserved; such a packet says its version and has a connection ID.
#[inline]
pub(super) const fn may_begin(flags: u8) -> bool {
    flags & 0xc0 == 0 && flags & VERSION_AND_ID == VERSION_AND_ID
}

/// Reads the public header of Q043: flags, connection ID, version, packet number, hash.
pub(super) fn public_header(mut reader: Reader<'_>) -> Result<Packet<'_>, Refusal> {
    let flags = reader.u8()?;
    if !may_begin(flags) {
        return Err(Refusal::UnknownVersion);
    }
    let id = reader.array::<8>()?;
    let version = Version(reader.u32()?);
    if version != Version::Q043 {
        return Err(Refusal::UnknownVersion);
    }
    cleartext(&mut reader, version, &id, NUMBER_LENGTHS.into_iter().nth(usize::from(flags >> 4)).unwrap_or(1))
}

/// Reads the rest of a long header whose version is none of those with keys.
pub(super) fn long_header<'a>(
    rest: &mut Reader<'a>,
    version: Version,
    first: u8,
) -> Result<Packet<'a>, Refusal> {
    let number_len = match version {
        // The type's number: Initial.
        Version::Q044 if first == 0xff => 4,
        Version::Q046 if first & 0xf0 == 0xc0 => (first & 0x03) + 1,
        _ => return Err(Refusal::UnknownVersion),
    };
    // Two nibbles, each nought or three less than a length; a client sends its server's eight octets and none
    // of its own.
    if rest.u8()? != 0x50 {
        return Err(Refusal::ShortConnectionId);
    }
    let id = rest.array::<8>()?;
    cleartext(rest, version, &id, number_len)
}

fn cleartext<'a>(
    rest: &mut Reader<'a>,
    version: Version,
    id: &[u8],
    number_len: u8,
) -> Result<Packet<'a>, Refusal> {
    rest.skip(usize::from(number_len) + HASH)?;
    let frames = rest.take_up_to(usize::MAX);
    Ok(Packet { version, id: ConnectionId::of(id)?, body: Body::Cleartext { number_len, frames } })
}

/// Gives offset and data of each piece of the crypto stream to `crypto`: STREAM frames of stream 1 (to Q046),
/// CRYPTO frames (from Q050).
///
/// # Errors
/// As [`frames::walk`](super::frames::walk).
pub(super) fn walk<'a>(
    frames: &'a [u8],
    number_len: u8,
    mut crypto: impl FnMut(u64, &'a [u8]),
) -> Result<(), Refusal> {
    let mut reader = Reader::new(frames);
    while !reader.is_empty() {
        if skip_padding(&mut reader) {
            continue;
        }
        match one(&mut reader, number_len) {
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

fn one<'a>(reader: &mut Reader<'a>, number_len: u8) -> Result<Frame<'a>, Short> {
    match reader.u8()? {
        kind @ 0x80.. => return stream(reader, kind),
        kind @ 0x40..=0x7f => ack(reader, kind)?,
        // RST_STREAM, GOAWAY with its reason, WINDOW_UPDATE, BLOCKED.
        0x01 => reader.skip(4 + 8 + 4)?,
        0x03 => skip_reason(reader, 4 + 4)?,
        0x04 => reader.skip(4 + 8)?,
        0x05 => reader.skip(4)?,
        // CONNECTION_CLOSE with its reason, STOP_WAITING, PING.
        0x02 => skip_reason(reader, 4)?,
        0x06 => reader.skip(usize::from(number_len))?,
        0x07 => {}
        0x08 => {
            let offset = varint(reader)?;
            return Ok(Frame::Crypto(offset, counted(reader)?));
        }
        _ => return Ok(Frame::Unexpected),
    }
    Ok(Frame::Passed)
}

/// `1fdooossB`: fin, data length present, octets of the offset (none, or one more than said), of the stream's
/// number.
fn stream<'a>(reader: &mut Reader<'a>, kind: u8) -> Result<Frame<'a>, Short> {
    let number = big_endian(reader, usize::from(kind & 0x03) + 1)?;
    let offset = match usize::from(kind >> 2 & 0x07) {
        0 => 0,
        octets => big_endian(reader, octets + 1)?,
    };
    let data = if kind & 0x20 == 0 {
        reader.take_up_to(usize::MAX)
    } else {
        let length = reader.u16()?;
        reader.take(usize::from(length))?
    };
    Ok(if number == 1 { Frame::Crypto(offset, data) } else { Frame::Passed })
}

/// `01nullmmB`: several blocks, octets of the largest number, octets of a block's length.
fn ack(reader: &mut Reader<'_>, kind: u8) -> Result<(), Short> {
    let octets =
        |bits: u8| usize::from(NUMBER_LENGTHS.into_iter().nth(usize::from(bits & 0x03)).unwrap_or(1));
    let block = octets(kind);
    reader.skip(octets(kind >> 2) + 2)?;
    let blocks = if kind & 0x20 == 0 { 0 } else { usize::from(reader.u8()?) };
    reader.skip(block + blocks * (1 + block))?;
    match usize::from(reader.u8()?) {
        0 => Ok(()),
        stamps => reader.skip(1 + 4 + (stamps - 1) * (1 + 2)),
    }
}

fn skip_reason(reader: &mut Reader<'_>, before: usize) -> Result<(), Short> {
    reader.skip(before)?;
    let length = reader.u16()?;
    reader.skip(usize::from(length))
}

fn big_endian(reader: &mut Reader<'_>, octets: usize) -> Result<u64, Short> {
    Ok(reader.take(octets)?.iter().fold(0, |number, octet| number << 8 | u64::from(*octet)))
}

/// How long a CHLO is, in bytes, by what is there of it: nothing when it is none, [`Err`] with how much is
/// needed to say.
pub(super) fn message_len(chlo: &[u8]) -> Option<Result<usize, usize>> {
    if !chlo.iter().zip(b"CHLO").all(|(have, want)| have == want) {
        return None;
    }
    let mut reader = Reader::new(chlo);
    if reader.remaining() < INDEX {
        return Some(Err(INDEX));
    }
    let entries = entries(&mut reader)?;
    let values = INDEX + ENTRY * entries;
    let Some(last) = entries.checked_sub(1) else { return Some(Ok(values)) };
    if reader.skip(ENTRY * last + 4).is_err() {
        return Some(Err(values));
    }
    Some(match reader.u32_le() {
        Ok(end) => Ok(values.saturating_add(end as usize)),
        Err(_) => Err(values),
    })
}

/// Reads the tag and the number of entries of a CHLO.
fn entries(reader: &mut Reader<'_>) -> Option<usize> {
    if reader.array::<4>().ok()? != *b"CHLO" {
        return None;
    }
    let entries = usize::from(reader.u16_le().ok()?);
    reader.skip(2).ok()?;
    (entries <= MAX_ENTRIES).then_some(entries)
}

/// Public flags: version present, eight octets of connection ID present.
const VERSION_AND_ID: u8 = 0x01 | 0x08;

/// Octets of a packet number by two bits.
const NUMBER_LENGTHS: [u8; 4] = [1, 2, 4, 6];

/// The packet hash (FNV-1a, 96 bits) of a cleartext packet.
const HASH: usize = 12;

/// Octets of a message before its index: tag, number of entries, two of padding.
const INDEX: usize = 8;

/// Octets of an entry of the index: a tag, and where its value ends.
const ENTRY: usize = 8;

/// The most entries of a message: Chromium's own limit (`kMaxEntries`).
const MAX_ENTRIES: usize = 128;

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A CHLO with these tags and values.
    pub(in crate::inspect::quic) fn chlo(entries: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut message = b"CHLO".to_vec();
        message.extend((entries.len() as u16).to_le_bytes());
        message.extend([0, 0]);
        let mut end = 0;
        for (tag, value) in entries {
            end += value.len() as u32;
            message.extend(*tag);
            message.extend(end.to_le_bytes());
        }
        entries.iter().for_each(|(_, value)| message.extend(*value));
        message
    }

    #[test]
    fn names() {
        let name = Some(&b"www.example.com"[..]);
        let message = chlo(&[(b"PAD\0", &[b'-'; 40]), (b"SNI\0", b"www.example.com"), (b"VER\0", b"Q043")]);
        assert_eq!(server_name(&message), name);
        assert_eq!(message_len(&message), Some(Ok(message.len())));
        for cut in 0..message.len() {
            let there = server_name(&message[..cut]);
            assert!(there == name || there.is_none(), "{cut}");
            let needed = message_len(&message[..cut]).unwrap();
            assert!(needed == Ok(message.len()) || needed.is_err_and(|needed| needed > cut), "{cut}");
        }
        assert_eq!(server_name(&chlo(&[(b"VER\0", b"Q043")])), None);
        assert_eq!(server_name(&chlo(&[(b"SNI\0", b"")])), None);
        assert_eq!(message_len(&chlo(&[])), Some(Ok(8)));
        assert_eq!(message_len(b"REJ\0"), None);
        assert_eq!(message_len(b"CHLO\xff\xff\0\0"), None);
        // Ends that run backwards.
        let mut backwards = chlo(&[(b"PAD\0", b"12345678"), (b"SNI\0", b"a.example")]);
        backwards[20..24].copy_from_slice(&2_u32.to_le_bytes());
        assert_eq!(server_name(&backwards), None);
    }

    fn check(frames: &[u8], expected: &[(u64, &[u8])], end: Result<(), Refusal>) {
        let mut seen = Vec::new();
        assert_eq!(walk(frames, 4, |offset, data| seen.push((offset, data))), end, "{frames:x?}");
        assert_eq!(seen, expected, "{frames:x?}");
    }

    #[test]
    fn frames() {
        check(&[0xa0, 1, 0, 2, b'a', b'b', 0, 0], &[(0, b"ab")], Ok(()));
        check(&[0xa4, 1, 1, 2, 0, 1, b'c', 0x80, 1, b'd', b'e'], &[(0x102, b"c"), (0, b"de")], Ok(()));
        // Another stream, STOP_WAITING, PING and both forms of ACK before the one that counts.
        check(&[0xa0, 3, 0, 1, b'x', 6, 0, 0, 0, 1, 7, 0xa0, 1, 0, 1, b'a'], &[(0, b"a")], Ok(()));
        check(&[0x40, 9, 0, 0, 9, 0, 0xa0, 1, 0, 1, b'a'], &[(0, b"a")], Ok(()));
        let ack = [0x65, 0, 9, 0, 0, 1, 0, 2, 3, 0, 1, 2, 8, 0, 0, 0, 0, 9, 0, 0];
        check(&[&ack[..], &[0xa0, 1, 0, 1, b'a']].concat(), &[(0, b"a")], Ok(()));
        check(&[8, 0x40, 3, 2, b'a', b'b'], &[(3, b"ab")], Ok(()));
        check(&[9], &[], Err(Refusal::UnexpectedFrame));
        check(&[0xa0, 1, 0, 9, b'a'], &[], Err(Refusal::MalformedFrame));
    }

    proptest! {
        #[test]
        fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut given = 0;
            let end = walk(&bytes, 1, |_, data| given += data.len());
            prop_assert!(end.is_err() || given <= bytes.len());
            let chlo = [b"CHLO", &bytes[..]].concat();
            prop_assert!(server_name(&chlo).is_none_or(|name| name.len() <= bytes.len()));
            prop_assert!(message_len(&chlo).is_none_or(|len| len != Err(chlo.len())));
            prop_assert!(public_header(Reader::new(&bytes)).is_err() || bytes.len() > 24);
        }
    }
}
