//! TLS records → the first handshake message (RFC 8446 section 5.1).
//!
//! A sender may cut a handshake message into records wherever it likes, down to an octet each. Nothing here knows
//! what the message says, but for its length.

use crate::inspect::{Begins, Progress};
use crate::reader::Reader;

/// The most bytes of a stream in which a ClientHello is looked for: the largest hello that a length of two octets
/// can mean, and browsers need 2 KiB. A stream that goes on beyond is [`Progress::NotThis`] after [`Begins::Yes`], by which it can be counted.
pub const MAX_STREAM: usize = 64 * 1024;

/// The content type of records that carry handshake messages (RFC 8446 section 5.1).
pub(super) const HANDSHAKE: u8 = 22;

/// The most octets in a record: 2^14, and 2048 that an older sender may add (RFC 5246 section 6.2.3).
const MAX_RECORD: u16 = (1 << 14) + 2048;

/// A record's type, version and length.
const RECORD_HEADER: usize = 5;

/// A handshake message's type and length.
pub(super) const MESSAGE_HEADER: usize = 4;

/// The most records in whose headers [`begins`] looks for the first five octets of the message. A client sends one.
const MAX_RECORDS_PROBED: usize = 8;

/// Whether bytes begin like a ClientHello in TLS records. Refuses most at the first byte.
///
/// It looks at the record's type, version and length, and at the message's type, length and version, wherever record edges
/// lie between. The minor version of a record says nothing (RFC 8446 section 5.1) and is not looked at.
#[inline]
pub fn begins(first: &[u8]) -> Begins {
    match first.first() {
        Some(&HANDSHAKE) => begins_message(first, is_hello_octet),
        Some(_) => Begins::No,
        None => Begins::Maybe,
    }
}

/// The record that clients of TLS 1.3 put before their second hello, the answer to a HelloRetryRequest (RFC 8446 appendix D.4).
///
/// The second hello has the first one's name (section 4.1.2), and is the only one where the first was lost. Clients send
/// this record before their last flight too: what follows it then is no hello.
pub const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];

/// Whether bytes begin with [`CHANGE_CIPHER_SPEC`].
#[inline]
pub fn begins_second(first: &[u8]) -> Begins {
    let same = first.iter().zip(&CHANGE_CIPHER_SPEC).all(|(octet, wanted)| octet == wanted);
    match same {
        true if first.len() >= CHANGE_CIPHER_SPEC.len() => Begins::Yes,
        true => Begins::Maybe,
        false => Begins::No,
    }
}

/// Whether `octet` can stand at `place` of a ClientHello: its type, a length below 64 KiB, SSL 3.0 or later.
const fn is_hello_octet(place: usize, octet: u8) -> bool {
    match place {
        0 => octet == 1,
        1 => octet == 0,
        4 => octet == 3,
        _ => true,
    }
}

/// Whether records begin like a handshake message whose first five octets `fits` accepts.
pub(super) fn begins_message(first: &[u8], fits: impl Fn(usize, u8) -> bool) -> Begins {
    let mut reader = Reader::new(first);
    let mut place = 0;
    for record in 0..MAX_RECORDS_PROBED {
        let header = reader.take_up_to(RECORD_HEADER);
        if !header_fits(header, record == 0) {
            return Begins::No;
        }
        let [_, _, _, high, low] = header else { return Begins::Maybe };
        for octet in reader.take_up_to(usize::from(u16::from_be_bytes([*high, *low]))) {
            if !fits(place, *octet) {
                return Begins::No;
            }
            if place == MESSAGE_HEADER {
                return Begins::Yes;
            }
            place += 1;
        }
        if reader.is_empty() {
            return Begins::Maybe;
        }
    }
    Begins::No
}

/// Whether the octets of a record's header, as many as there are, are those of a handshake record.
///
/// The major version is asked of the first record only: it is what tells TLS from other protocols.
fn header_fits(header: &[u8], first: bool) -> bool {
    let mut reader = Reader::new(header);
    let other_kind = reader.u8().is_ok_and(|kind| kind != HANDSHAKE);
    let other_major = reader.u8().is_ok_and(|major| first && major != 3);
    let too_long = reader.skip(1).and_then(|()| reader.u16()).is_ok_and(|length| length > MAX_RECORD);
    !(other_kind || other_major || too_long)
}

/// How many octets of handshake messages a reader wants to have, seeing those there are.
pub(super) enum Want {
    /// As many as this, from the first.
    Octets(usize),
    /// None, for it is not the message.
    Nothing,
}

/// Takes the handshake octets out of the records of `stream`, until there are as many as `want` asks for.
///
/// They are borrowed from `stream` while they lie in one record, else put together in `joined`. They are given
/// also when the answer is not [`Progress::Found`]: as many as there were.
pub(super) fn join<'a>(
    stream: &'a [u8],
    joined: &'a mut Vec<u8>,
    want: impl Fn(&[u8]) -> Want,
) -> (&'a [u8], Progress<()>) {
    joined.clear();
    let mut reader = Reader::new(stream.get(..MAX_STREAM).unwrap_or(stream));
    let mut first: &[u8] = &[];
    let progress = loop {
        if reader.rest().first().is_some_and(|kind| reader.offset() == 0 && *kind != HANDSHAKE) {
            break Progress::NotThis;
        }
        let at = reader.offset();
        let Ok(header) = reader.array::<RECORD_HEADER>() else {
            break need(if stream.is_empty() { 1 } else { at + RECORD_HEADER });
        };
        if !header_fits(&header, at == 0) {
            break Progress::NotThis;
        }
        let [_, _, _, high, low] = header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let payload = reader.take_up_to(length);
        if joined.is_empty() && first.is_empty() {
            first = payload;
        } else if !payload.is_empty() {
            if joined.is_empty() {
                joined.extend_from_slice(first);
            }
            joined.extend_from_slice(payload);
        }
        let have = if joined.is_empty() { first } else { joined.as_slice() };
        let Want::Octets(wanted) = want(have) else { break Progress::NotThis };
        if have.len() >= wanted {
            break Progress::Found(());
        }
        let missing = length - payload.len();
        if missing > 0 {
            let to_go = wanted - have.len();
            break need(reader.offset() + if missing >= to_go { to_go } else { missing + RECORD_HEADER });
        }
    };
    (if joined.is_empty() { first } else { joined }, progress)
}

/// Not before there are so many bytes; never when that is beyond [`MAX_STREAM`].
const fn need(at_least: usize) -> Progress<()> {
    if at_least > MAX_STREAM { Progress::NotThis } else { Progress::NeedMore { at_least } }
}
