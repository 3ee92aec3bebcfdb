//! SOCKS: what a client asks a proxy for (SOCKS 4, 4a; RFC 1928 and 1929 for 5).
//!
//! Only the client's direction is read. A client of version 5 sends a greeting, perhaps a user name and password, and
//! the request, each after an answer of the proxy; here they simply follow one another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{Begins, Progress};
use crate::reader::{Reader, Short};

/// The most bytes of a user name or of a domain in version 4, which has no lengths. No name is longer than 255.
pub const MAX_TEXT: usize = 255;

/// The most authentication methods in a greeting: all that were ever registered are ten.
const MAX_METHODS: u8 = 16;

/// A request to a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// 4 or 5.
    pub version: u8,
    /// 1 to connect, 2 to listen, 3 to relay UDP.
    pub command: u8,
    /// Whom the client wants to reach.
    pub destination: Destination<'a>,
    /// The destination's port.
    pub port: u16,
    /// Where the request ends: bytes from the first of the stream. What follows goes to the destination.
    pub end: usize,
}

/// Whom a request is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Destination<'a> {
    /// A name, as the client wrote it.
    Name(&'a [u8]),
    /// An address.
    Address(IpAddr),
}

/// Whether bytes begin like a SOCKS client: a request of version 4, or a greeting of version 5 and its request.
#[inline]
pub fn begins(first: &[u8]) -> Begins {
    match first.first() {
        None => Begins::Maybe,
        Some(4 | 5) => match read(first) {
            Ok(_) => Begins::Yes,
            Err(Stop::Short(_)) => Begins::Maybe,
            Err(Stop::Other) => Begins::No,
        },
        Some(_) => Begins::No,
    }
}

/// Reads the request. `stream` starts with the first byte of the client.
pub fn request(stream: &[u8]) -> Progress<Request<'_>> {
    match read(stream) {
        Ok(request) => Progress::Found(request),
        Err(Stop::Short(short)) => Progress::NeedMore { at_least: short.offset + short.needed },
        Err(Stop::Other) => Progress::NotThis,
    }
}

/// Why there is no request.
enum Stop {
    /// Bytes are missing.
    Short(Short),
    /// This is something else.
    Other,
}

impl From<Short> for Stop {
    fn from(short: Short) -> Self {
        Self::Short(short)
    }
}

fn read(stream: &[u8]) -> Result<Request<'_>, Stop> {
    let mut reader = Reader::new(stream);
    match reader.u8()? {
        4 => version_4(reader),
        5 => {
            greeting(&mut reader)?;
            version_5(reader)
        }
        _ => Err(Stop::Other),
    }
}

fn version_4(mut reader: Reader<'_>) -> Result<Request<'_>, Stop> {
    let command = one_of(&mut reader, &[1, 2])?;
    let (port, address) = (reader.u16()?, Ipv4Addr::from(reader.u32()?));
    text(&mut reader)?;
    let destination = match address.octets() {
        // 4a: an address that cannot be says that a name follows.
        [0, 0, 0, last] if last != 0 => match text(&mut reader)? {
            [] => return Err(Stop::Other),
            name => Destination::Name(name),
        },
        _ => Destination::Address(address.into()),
    };
    Ok(Request { version: 4, command, destination, port, end: reader.offset() })
}

/// Printable text with a zero behind it.
fn text<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Stop> {
    let rest = reader.rest();
    let length = rest.iter().take(MAX_TEXT + 1).position(|byte| *byte < b' ').unwrap_or(rest.len());
    if length > MAX_TEXT || rest.get(length).is_some_and(|end| *end != 0) {
        return Err(Stop::Other);
    }
    let (text, _zero) = (reader.take(length)?, reader.u8()?);
    Ok(text)
}

/// The methods that a client offers (RFC 1928 section 3): registered ones, or private ones from 0x80.
fn greeting(reader: &mut Reader<'_>) -> Result<(), Stop> {
    let count = reader.u8()?;
    if count == 0 || count > MAX_METHODS {
        return Err(Stop::Other);
    }
    let methods = Reader::new(reader.rest()).take_up_to(usize::from(count));
    if methods.iter().any(|method| matches!(method, 0x0a..=0x7f | 0xff)) {
        return Err(Stop::Other);
    }
    reader.skip(usize::from(count))?;
    Ok(())
}

/// What follows the greeting: user name and password in a form of their own (RFC 1929), and the request.
fn version_5(mut reader: Reader<'_>) -> Result<Request<'_>, Stop> {
    if one_of(&mut reader, &[1, 5])? == 1 {
        for _ in 0..2 {
            let length = reader.u8()?;
            reader.skip(usize::from(length))?;
        }
        one_of(&mut reader, &[5])?;
    }
    let command = one_of(&mut reader, &[1, 2, 3])?;
    one_of(&mut reader, &[0])?;
    let destination = match one_of(&mut reader, &[1, 3, 4])? {
        1 => Destination::Address(Ipv4Addr::from(reader.u32()?).into()),
        4 => Destination::Address(Ipv6Addr::from(reader.array::<16>()?).into()),
        _ => {
            let length = reader.u8()?;
            if length == 0 {
                return Err(Stop::Other);
            }
            Destination::Name(reader.take(usize::from(length))?)
        }
    };
    let port = reader.u16()?;
    Ok(Request { version: 5, command, destination, port, end: reader.offset() })
}

/// The next byte, which has to be one of these.
fn one_of(reader: &mut Reader<'_>, allowed: &[u8]) -> Result<u8, Stop> {
    Some(reader.u8()?).filter(|byte| allowed.contains(byte)).ok_or(Stop::Other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inspect::testing::{check_begins, check_mutations, check_prefixes};

    fn check(bytes: &[u8], version: u8, destination: Destination<'_>, port: u16) {
        let request = Request { version, command: 1, destination, port, end: bytes.len() };
        let stream = [bytes, b"\x16\x03\x01"].concat();
        let answer = check_prefixes(&stream, super::request);
        assert_eq!(answer, Some((bytes.len(), Progress::Found(request))));
        assert_eq!(check_begins(&stream, begins), Begins::Yes);
        check_mutations(&stream, |bytes| {
            let _answer = super::request(bytes);
        });
    }

    #[test]
    fn requests() {
        let name = Destination::Name(b"api.telegram.org");
        check(b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00api.telegram.org\x00", 4, name, 443);
        check(b"\x04\x01\x01\xbb\x00\x00\x00\x01user\x00api.telegram.org\x00", 4, name, 443);
        let address = Destination::Address(Ipv4Addr::new(192, 0, 2, 1).into());
        check(b"\x04\x01\x00\x50\xc0\x00\x02\x01\x00", 4, address, 80);
        check(b"\x05\x01\x00\x05\x01\x00\x03\x10api.telegram.org\x01\xbb", 5, name, 443);
        check(
            b"\x05\x02\x00\x02\x01\x04user\x04pass\x05\x01\x00\x03\x10api.telegram.org\x01\xbb",
            5,
            name,
            443,
        );
        check(b"\x05\x01\x02\x01\x01u\x00\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50", 5, address, 80);
        let address = Destination::Address("2001:db8::1".parse().expect("an address"));
        let v6 = b"\x05\x02\x00\x80\x05\x01\x00\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50";
        check(v6, 5, address, 80);
    }

    #[test]
    fn other_protocols() {
        for (bytes, settled) in [
            (&b"\x16\x03\x01"[..], 1),
            (b"\x04\x03", 2),
            (b"\x04\x01\x01\xbb\x01\x02\x03\x04\x01\x02", 9),
            (b"\x04\x01\x01\xbb\x00\x00\x00\x01\x00\x00", 10),
            (b"\x05\x00", 2),
            (b"\x05\x11", 2),
            (b"\x05\x01\x33", 3),
            (b"\x05\x01\x00\x16", 4),
            (b"\x05\x01\x00\x05\x04", 5),
            (b"\x05\x01\x00\x05\x01\x00\x02", 7),
            (b"\x05\x01\x00\x05\x01\x00\x03\x00", 8),
        ] {
            assert_eq!(check_prefixes(bytes, request), Some((settled, Progress::NotThis)), "{bytes:?}");
        }
        let endless = [&b"\x04\x01\x01\xbb\x01\x02\x03\x04"[..], &[b'x'; 300]].concat();
        assert_eq!(check_prefixes(&endless, request), Some((8 + MAX_TEXT + 1, Progress::NotThis)));
    }

    proptest! {
        #[test]
        fn garbage(first in prop::sample::select(vec![4u8, 5]), bytes in prop::collection::vec(0u8..6, 0..60)) {
            let bytes = [&[first][..], &bytes].concat();
            check_prefixes(&bytes, request);
            check_begins(&bytes, begins);
        }
    }
}
