//! The PROXY protocol: a header in front of a stream, by which a proxy tells a server who its client is
//! (HAProxy's "The PROXY protocol", versions 1 and 2).
//!
//! A sensor has to step over it, for the client's own bytes come behind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use memchr::memchr;

use super::{Begins, Progress};
use crate::reader::{Reader, Short};

/// The longest line of version 1, with its end.
pub const MAX_LINE: usize = 107;

/// What version 2 begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// What version 1 begins with.
const WORD: &[u8] = b"PROXY ";

/// The type of the value that holds the name which the client asked the proxy for.
const AUTHORITY: u8 = 0x02;

/// The header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header<'a> {
    /// 1 or 2.
    pub version: u8,
    /// The client and the address that it connected to, where the proxy tells.
    pub addresses: Option<(SocketAddr, SocketAddr)>,
    /// The server name that the client asked the proxy for (version 2).
    pub authority: Option<&'a [u8]>,
    /// Where the stream goes on: bytes from its first.
    pub end: usize,
}

/// Whether bytes begin like a header.
#[inline]
pub fn begins(first: &[u8]) -> Begins {
    match first.first() {
        None => Begins::Maybe,
        Some(b'P') => fits(WORD, first),
        Some(b'\r') => fits(SIGNATURE, first),
        Some(_) => Begins::No,
    }
}

fn fits(whole: &[u8], first: &[u8]) -> Begins {
    match (first.starts_with(whole), whole.starts_with(first)) {
        (true, _) => Begins::Yes,
        (_, true) => Begins::Maybe,
        _ => Begins::No,
    }
}

/// Reads the header at the start of `stream`.
pub fn header(stream: &[u8]) -> Progress<Header<'_>> {
    match (begins(stream), stream.first()) {
        (Begins::No, _) => Progress::NotThis,
        (Begins::Maybe, _) => Progress::NeedMore { at_least: stream.len() + 1 },
        (Begins::Yes, Some(b'P')) => version_1(stream),
        (Begins::Yes, _) => match version_2(stream) {
            Ok(Some(header)) => Progress::Found(header),
            Ok(None) => Progress::NotThis,
            Err(short) => Progress::NeedMore { at_least: short.offset + short.needed },
        },
    }
}

fn version_1(stream: &[u8]) -> Progress<Header<'_>> {
    let line = stream.get(..MAX_LINE).unwrap_or(stream);
    let Some(end) = memchr(b'\n', line) else {
        return match line.len() < MAX_LINE {
            true => Progress::NeedMore { at_least: line.len() + 1 },
            false => Progress::NotThis,
        };
    };
    let addresses = line.get(..end).and_then(addresses_in_words);
    Progress::Found(Header { version: 1, addresses, authority: None, end: end + 1 })
}

/// `PROXY TCP4 source destination port port`; anything else tells no addresses.
fn addresses_in_words(line: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let _proxy = words.next();
    words.next().filter(|family| ["TCP4", "TCP6"].contains(family))?;
    let addresses: [IpAddr; 2] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let ports: [u16; 2] = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let ([src, dst], [src_port, dst_port]) = (addresses, ports);
    Some((SocketAddr::new(src, src_port), SocketAddr::new(dst, dst_port)))
}

fn version_2(stream: &[u8]) -> Result<Option<Header<'_>>, Short> {
    let mut reader = Reader::new(stream);
    reader.skip(SIGNATURE.len())?;
    let command = reader.u8()?;
    if command >> 4 != 2 {
        return Ok(None);
    }
    let (family, length) = (reader.u8()?, reader.u16()?);
    let body = reader.sub(usize::from(length))?;
    let mut rest = body;
    let addresses = match (command & 0xf, family >> 4) {
        (1, 1) => pair(&mut rest, |reader| reader.array::<4>().map(|octets| Ipv4Addr::from(octets).into())),
        (1, 2) => pair(&mut rest, |reader| reader.array::<16>().map(|octets| Ipv6Addr::from(octets).into())),
        // A unix socket's two paths.
        (1, 3) => rest.skip(216).ok().and(None),
        _ => None,
    };
    let authority = std::iter::from_fn(|| {
        let (kind, length) = (rest.u8().ok()?, rest.u16().ok()?);
        Some((kind, rest.take(usize::from(length)).ok()?))
    })
    .find_map(|(kind, value)| (kind == AUTHORITY && !value.is_empty()).then_some(value));
    Ok(Some(Header { version: 2, addresses, authority, end: reader.offset() }))
}

/// Two addresses and two ports.
fn pair<'a>(
    reader: &mut Reader<'a>,
    address: impl Fn(&mut Reader<'a>) -> Result<IpAddr, Short>,
) -> Option<(SocketAddr, SocketAddr)> {
    let (src, dst) = (address(reader).ok()?, address(reader).ok()?);
    let (src_port, dst_port) = (reader.u16().ok()?, reader.u16().ok()?);
    Some((SocketAddr::new(src, src_port), SocketAddr::new(dst, dst_port)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::inspect::testing::{check_begins, check_mutations, check_prefixes, hex};

    fn check(bytes: &[u8], version: u8, addresses: Option<(&str, &str)>, authority: Option<&str>) {
        let addresses =
            addresses.map(|(src, dst)| (src.parse().expect("an address"), dst.parse().expect("an address")));
        let header = Header { version, addresses, authority: authority.map(str::as_bytes), end: bytes.len() };
        let stream = [bytes, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(check_prefixes(&stream, super::header), Some((bytes.len(), Progress::Found(header))));
        assert_eq!(check_begins(&stream, begins), Begins::Yes);
        check_mutations(&stream, |bytes| {
            let _answer = super::header(bytes);
        });
    }

    #[test]
    fn headers() {
        let v4 = Some(("192.0.2.1:56324", "198.51.100.2:443"));
        let v6 = Some(("[2001:db8::1]:56324", "[2001:db8::2]:443"));
        check(b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", 1, v4, None);
        check(b"PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n", 1, v6, None);
        check(b"PROXY UNKNOWN\r\n", 1, None, None);
        check(b"PROXY TCP4 192.0.2.1 nonsense\r\n", 1, None, None);
        let signature = "0d0a0d0a000d0a515549540a";
        let v4_bytes = "c0000201 c6336402 dc04 01bb";
        check(&hex(&format!("{signature} 21 11 000c {v4_bytes}")), 2, v4, None);
        check(&hex(&format!("{signature} 20 00 0000")), 2, None, None);
        check(&hex(&format!("{signature} 20 11 000c {v4_bytes}")), 2, None, None);
        check(&hex(&format!("{signature} 21 11 0004 c0000201")), 2, None, None);
        let values = "01 0002 6832 02 0009 612e6578616d706c65";
        check(&hex(&format!("{signature} 21 11 001d {v4_bytes} {values}")), 2, v4, Some("a.example"));
        let v6_bytes = "20010db8000000000000000000000001 20010db8000000000000000000000002 dc04 01bb";
        check(&hex(&format!("{signature} 21 21 0024 {v6_bytes}")), 2, v6, None);
    }

    #[test]
    fn other_protocols() {
        for (bytes, settled) in [
            (&b"POST / HTTP/1.1"[..], 2),
            (b"\r\n\r\nGET", 5),
            (b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0", 13),
            (&[b"PROXY ", &[b'x'; 120][..]].concat(), MAX_LINE),
        ] {
            assert_eq!(check_prefixes(bytes, header), Some((settled, Progress::NotThis)), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage(first in prop::sample::select(vec![WORD, &SIGNATURE[..]]), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            check_prefixes(&[first, &bytes].concat(), header);
        }
    }
}
