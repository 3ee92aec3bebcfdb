//! The packets of a datagram: long headers (RFC 9000 section 17.2, RFC 9369 section 3.2), one behind the
//! other.
//!
//! Only what is readable without a key; what stands behind it is [`keys`](super::keys)'s. Versions without a
//! key at all are [`gquic`]'s.

use super::gquic;
use super::refusal::Refusal;
use super::version::{Scheme, Version};
use crate::reader::{Reader, Short};

/// The most packets of one datagram that are looked at. A client's first flight has one to four (Initial,
/// 0-RTT, Handshake); a datagram full of the smallest possible Initials would cost thirty times as much.
pub const MAX_PACKETS: usize = 8;

/// The longest connection ID (RFC 9000 section 17.2).
const MAX_ID: usize = 20;

/// What precedes the payload in every protected packet: the sample for header protection begins 4 bytes in
/// and has 16 (RFC 9001 section 5.4.2).
const SHORTEST_PROTECTED: usize = 4 + 16;

/// Whether a datagram's first bytes are a known version's: what can be said before anything is read in order.
#[inline]
pub(super) fn may_begin(datagram: &[u8]) -> bool {
    match datagram {
        [first, a, b, c, d, ..] if first & 0x80 != 0 => {
            Version(u32::from_be_bytes([*a, *b, *c, *d])).is_known()
        }
        [flags, ..] => gquic::may_begin(*flags),
        [] => false,
    }
}

/// The packets of a datagram, as far as each says where the next one begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packets<'a> {
    rest: Reader<'a>,
    seen: usize,
}

impl<'a> Packets<'a> {
    #[inline]
    pub(super) const fn new(datagram: &'a [u8]) -> Self {
        Self { rest: Reader::new(datagram), seen: 0 }
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Result<Packet<'a>, Refusal>;

    /// Nothing follows a refused packet, for its end is unknown.
    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = Reader::new(self.rest.rest());
        let first = self.rest.u8().ok()?;
        if first & 0x80 == 0 {
            // A short header has no length: it ends the datagram, as does padding (RFC 9000 section 12.2).
            // Only Google's public header is looked for here, and only as the first packet.
            self.rest.take_up_to(usize::MAX);
            return Some(gquic::public_header(start))
                .filter(|packet| self.seen == 0 && packet.as_ref().err() != Some(&Refusal::UnknownVersion));
        }
        let packet = long_header(&mut self.rest, start, first);
        if packet.is_err() || self.seen >= MAX_PACKETS {
            self.rest.take_up_to(usize::MAX);
        }
        self.seen += 1;
        match packet {
            _ if self.seen > MAX_PACKETS => Some(Err(Refusal::TooManyPackets)),
            // What follows a packet without being one is padding of some taste.
            Err(Refusal::UnknownVersion) if self.seen > 1 => None,
            packet => Some(packet),
        }
    }
}

/// A packet with a known version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    pub(super) version: Version,
    /// The destination connection ID.
    pub(super) id: ConnectionId,
    pub(super) body: Body<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Body<'a> {
    /// An Initial with keys.
    Initial(Initial<'a>),
    /// A packet of Google's cleartext versions.
    Cleartext {
        /// Octets of the packet number: some frames repeat its size.
        number_len: u8,
        frames: &'a [u8],
    },
    /// 0-RTT, Handshake or Retry: nothing to open.
    Other,
}

/// An Initial before it is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Initial<'a> {
    pub(super) scheme: Scheme,
    /// Everything before the packet number.
    pub(super) header: &'a [u8],
    /// Packet number, payload and tag; at least [`SHORTEST_PROTECTED`] bytes.
    pub(super) protected: &'a [u8],
}

fn long_header<'a>(rest: &mut Reader<'a>, start: Reader<'a>, first: u8) -> Result<Packet<'a>, Refusal> {
    let version = Version(rest.u32()?);
    let Some(scheme) = version.scheme() else { return gquic::long_header(rest, version, first) };
    let id = ConnectionId::read(rest)?;
    ConnectionId::read(rest)?;
    let kind = first >> 4 & 0x03;
    if kind == scheme.types.retry {
        rest.take_up_to(usize::MAX);
        return Ok(Packet { version, id, body: Body::Other });
    }
    let initial = kind == scheme.types.initial;
    let mut greased = false;
    if initial {
        let token = varint(rest)?;
        rest.skip(usize::try_from(token).unwrap_or(usize::MAX))?;
        greased = token > 0;
    }
    // Whoever holds a server's token may have been allowed to clear the fixed bit (RFC 9287 section 3.1).
    if first & 0x40 == 0 && !greased {
        return Err(Refusal::MalformedHeader);
    }
    let length = usize::try_from(varint(rest)?).unwrap_or(usize::MAX);
    if length < SHORTEST_PROTECTED {
        return Err(Refusal::MalformedHeader);
    }
    let header = start.rest().len() - rest.remaining();
    let Ok(protected) = rest.take(length) else { return Err(Refusal::Cut) };
    if !initial {
        return Ok(Packet { version, id, body: Body::Other });
    }
    let mut start = start;
    Ok(Packet {
        version,
        id,
        body: Body::Initial(Initial { scheme, header: start.take(header)?, protected }),
    })
}

/// A number of variable length (RFC 9000 section 16).
#[inline]
pub(super) fn varint(reader: &mut Reader<'_>) -> Result<u64, Short> {
    let mut ahead = *reader;
    let first = ahead.u8()?;
    let value = match first >> 6 {
        0 => u64::from(first),
        1 => u64::from(reader.u16()? & 0x3fff),
        2 => u64::from(reader.u32()? & 0x3fff_ffff),
        _ => reader.u64()? & 0x3fff_ffff_ffff_ffff,
    };
    if first >> 6 == 0 {
        *reader = ahead;
    }
    Ok(value)
}

/// A connection ID (RFC 9000 section 5.1), in place.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct ConnectionId {
    len: u8,
    bytes: [u8; MAX_ID],
}

impl ConnectionId {
    /// The empty one.
    pub(super) const NONE: Self = Self { len: 0, bytes: [0; MAX_ID] };

    /// Reads a length octet and as many bytes.
    #[inline]
    fn read(reader: &mut Reader<'_>) -> Result<Self, Refusal> {
        let len = reader.u8()?;
        Self::of(reader.take(usize::from(len))?)
    }

    /// The ID with these bytes.
    #[inline]
    pub(super) fn of(id: &[u8]) -> Result<Self, Refusal> {
        let mut bytes = [0; MAX_ID];
        let Some(place) = bytes.get_mut(..id.len()) else { return Err(Refusal::MalformedHeader) };
        place.copy_from_slice(id);
        Ok(Self { len: id.len() as u8, bytes })
    }

    /// Its bytes, at most 20.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl From<Short> for Refusal {
    fn from(_: Short) -> Self {
        Self::MalformedHeader
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_variable_length() {
        // RFC 9000 appendix A.1.
        for (bytes, expected) in [
            (&[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c][..], 151_288_809_941_952_652),
            (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
            (&[0x7b, 0xbd], 15_293),
            (&[0x25], 37),
            (&[0x40, 0x25], 37),
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!(varint(&mut reader), Ok(expected));
            assert!(reader.is_empty());
            for cut in 0..bytes.len() {
                let mut reader = Reader::new(&bytes[..cut]);
                assert!(varint(&mut reader).is_err());
                assert_eq!(reader.offset(), 0, "a failed read moves nothing");
            }
        }
    }

    fn check(datagram: &[u8], expected: &[Result<(u32, bool, usize), Refusal>]) {
        let packets = Packets::new(datagram).map(|packet| {
            packet.map(|packet| match packet.body {
                Body::Initial(initial) => (packet.version.0, true, initial.protected.len()),
                _ => (packet.version.0, false, 0),
            })
        });
        assert_eq!(packets.collect::<Vec<_>>(), expected, "{datagram:x?}");
    }

    fn long(first: u8, version: u32, tail: &[u8]) -> Vec<u8> {
        [&[first], &version.to_be_bytes()[..], &[2, 0xaa, 0xbb, 1, 0xcc], tail].concat()
    }

    #[test]
    fn packets_follow_each_other() {
        let body = [0x15; 21];
        let initial = long(0xc0, 1, &[&[0, 21][..], &body].concat());
        let token = long(0x80, 1, &[&[2, 9, 9, 21][..], &body].concat());
        let early = long(0xd0, 1, &[&[21][..], &body].concat());
        let retry = long(0xf0, 1, b"token and tag");
        check(&initial, &[Ok((1, true, 21))]);
        check(
            &[&initial[..], &early, &token, &[0; 40]].concat(),
            &[Ok((1, true, 21)), Ok((1, false, 0)), Ok((1, true, 21))],
        );
        check(&[&early[..], &initial].concat(), &[Ok((1, false, 0)), Ok((1, true, 21))]);
        check(&[&retry[..], &initial].concat(), &[Ok((1, false, 0))]);
        // Random padding whose first bit is set.
        check(&[&initial[..], &[0xee; 40]].concat(), &[Ok((1, true, 21))]);
        // In version 2 the same bits mean a Retry, and an Initial has others.
        check(&long(0xc0, 0x6b33_43cf, b"tag"), &[Ok((0x6b33_43cf, false, 0))]);
        check(&long(0xd0, 0x6b33_43cf, &[&[0, 21][..], &body].concat()), &[Ok((0x6b33_43cf, true, 21))]);
        let many = initial.repeat(MAX_PACKETS + 2);
        assert_eq!(Packets::new(&many).count(), MAX_PACKETS + 1);
        assert_eq!(Packets::new(&many).last().unwrap().err(), Some(Refusal::TooManyPackets));
    }

    #[test]
    fn refusals() {
        let body = [0x15; 21];
        check(&[], &[]);
        check(&long(0xc0, 0, b""), &[Err(Refusal::UnknownVersion)]);
        check(&long(0xc0, 0x1a2a_3a4a, b""), &[Err(Refusal::UnknownVersion)]);
        check(&long(0x80, 1, &[&[0, 21][..], &body].concat()), &[Err(Refusal::MalformedHeader)]);
        check(&long(0xc0, 1, &[&[0, 22][..], &body].concat()), &[Err(Refusal::Cut)]);
        check(&long(0xc0, 1, &[&[0, 19][..], &body].concat()), &[Err(Refusal::MalformedHeader)]);
        check(&long(0xc0, 1, &[0xff; 9]), &[Err(Refusal::MalformedHeader)]);
        let mut id_too_long = vec![0xc0, 0, 0, 0, 1, 21];
        id_too_long.extend([7; 64]);
        check(&id_too_long, &[Err(Refusal::MalformedHeader)]);
    }
}
