//! HTTP/1: the head of a request → the server's name (RFC 9112).
//!
//! [`request`] reads one head and says where it ends: what follows is the body, the next request, or, after CONNECT, whatever
//! the client tells the other end. HTTP/2 and 3 are not read: they travel encrypted.

use memchr::{memchr, memmem, memrchr};

use super::{Begins, Progress};
use crate::reader::Reader;

/// The most bytes of a head. Servers refuse more than 8 to 48 KiB.
pub const MAX_HEAD: usize = 64 * 1024;

/// The longest method that is believed; the longest that is registered has 17 letters.
const MAX_METHOD: usize = 24;

/// The head of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a [u8],
    /// The target as it stands in the first line.
    pub target: &'a [u8],
    /// The authority in the target: of CONNECT, or of an absolute URI, as proxies are sent.
    pub authority: Option<Authority<'a>>,
    /// The first Host header that is not empty.
    pub host: Option<Authority<'a>>,
    /// How many Host headers there were. More than one is an error that servers need not notice (RFC 9112 section 3.2).
    pub hosts: u16,
    /// What follows the head.
    pub body: Body,
    /// Where the head ends: bytes from its first, with the empty line.
    pub end: usize,
}

impl<'a> Request<'a> {
    /// Whether the client asks a proxy for a tunnel. What follows the head goes through it.
    pub fn is_connect(&self) -> bool {
        self.method == b"CONNECT"
    }

    /// The server that the request is for: the target says so before the Host header does (RFC 9112 section 3.2.2).
    #[inline]
    pub fn server(&self) -> Option<Authority<'a>> {
        self.authority.or(self.host)
    }
}

/// A host, and a port where there is one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Authority<'a> {
    /// A name or an address, as it was written; an IPv6 address without its brackets. Never empty.
    pub host: &'a [u8],
    /// The port.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host`, `host:port`, `[address]:port`; user information before an `@` is left out.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let text = memrchr(b'@', text).and_then(|at| text.get(at + 1..)).unwrap_or(text);
        let (host, port) = match text.strip_prefix(b"[") {
            Some(inner) => {
                let (host, behind) = inner.split_at_checked(memchr(b']', inner)?)?;
                (host, behind.strip_prefix(b"]:"))
            }
            None => match memrchr(b':', text).and_then(|at| text.split_at_checked(at)) {
                // More colons than one: an IPv6 address without brackets.
                Some((host, port)) if memchr(b':', host).is_none() => (host, port.strip_prefix(b":")),
                _ => (text, None),
            },
        };
        let port = port.and_then(number).and_then(|port| u16::try_from(port).ok());
        (!host.is_empty()).then_some(Self { host, port })
    }
}

/// What follows a head (RFC 9112 section 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// So many bytes, often none; then the next request.
    Length(u64),
    /// Chunks, whose end only their reader knows.
    Chunked,
    /// Another protocol: after CONNECT, or after an upgrade that the server may refuse.
    Other,
}

/// Whether bytes begin like a request: a method, a space, and a target that fits.
///
/// A method is three capitals or more, perhaps with `-` or `_`: beside the registered ones, clients of Windows have their
/// own (`BITS_POST`, `CCM_POST`, `RPC_IN_DATA`). A target is a path, `*`, or a URI of http or ws; of CONNECT, anything.
#[inline]
pub fn begins(first: &[u8]) -> Begins {
    match first.first() {
        Some(b'A'..=b'Z') => begins_method(first),
        Some(_) => Begins::No,
        None => Begins::Maybe,
    }
}

fn begins_method(first: &[u8]) -> Begins {
    let in_method = |byte: &u8| byte.is_ascii_uppercase() || matches!(byte, b'-' | b'_');
    let length = first.iter().take(MAX_METHOD + 1).take_while(|byte| in_method(byte)).count();
    let (method, rest) = first.split_at_checked(length).unwrap_or((first, &[]));
    match (rest, rest.strip_prefix(b" ")) {
        _ if length > MAX_METHOD => Begins::No,
        ([], _) => Begins::Maybe,
        (_, Some(target)) if length >= 3 => begins_target(method, target),
        _ => Begins::No,
    }
}

fn begins_target(method: &[u8], target: &[u8]) -> Begins {
    let scheme = |scheme: &[u8]| {
        let same = target.iter().zip(scheme).all(|(byte, wanted)| byte.eq_ignore_ascii_case(wanted));
        (same, same && target.len() >= scheme.len())
    };
    match (target.first(), scheme(b"http"), scheme(b"ws")) {
        (None, ..) => Begins::Maybe,
        (Some(byte), ..) if method == b"CONNECT" && byte.is_ascii_graphic() => Begins::Yes,
        (Some(b'/' | b'*'), ..) | (_, (_, true), _) | (_, _, (_, true)) => Begins::Yes,
        (_, (true, _), _) | (_, _, (true, _)) => Begins::Maybe,
        _ => Begins::No,
    }
}

/// Reads the head of a request. `stream` starts with its first byte; empty lines before it belong to no request.
pub fn request(stream: &[u8]) -> Progress<Request<'_>> {
    if begins(stream) == Begins::No {
        return Progress::NotThis;
    }
    let stream = stream.get(..MAX_HEAD).unwrap_or(stream);
    if let Some(end) = memchr(b'\n', stream)
        && stream.get(..end).and_then(request_line).is_none()
    {
        return Progress::NotThis;
    }
    match head_end(stream).and_then(|end| read(stream.get(..end)?)) {
        Some(request) => Progress::Found(request),
        None if stream.len() >= MAX_HEAD => Progress::NotThis,
        None => Progress::NeedMore { at_least: stream.len() + 1 },
    }
}

/// What the whole lines of a head say that will never be complete.
pub fn request_prefix(stream: &[u8]) -> Option<Request<'_>> {
    if begins(stream) != Begins::Yes {
        return None;
    }
    let stream = stream.get(..MAX_HEAD).unwrap_or(stream);
    read(stream.get(..=memrchr(b'\n', stream)?)?)
}

/// Behind the first empty line. A line ends with LF, and CR before it is left out (RFC 9112 section 2.2).
fn head_end(stream: &[u8]) -> Option<usize> {
    let crlf = memmem::find(stream, b"\n\r\n").map(|at| at + 3);
    let before = crlf.and_then(|end| stream.get(..end)).unwrap_or(stream);
    memmem::find(before, b"\n\n").map(|at| at + 2).or(crlf)
}

/// Method and target of a first line. The version is behind the last space, for targets come with spaces in them.
fn request_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let line = line.trim_ascii_end();
    let (method, rest) = line.split_at_checked(memchr(b' ', line)?)?;
    let (target, version) = rest.split_at_checked(memrchr(b' ', rest)?)?;
    version.starts_with(b" HTTP/1.").then_some((method, target.trim_ascii()))
}

fn read(head: &[u8]) -> Option<Request<'_>> {
    let mut lines = head.split(|byte| *byte == b'\n').peekable();
    let (method, target) = request_line(lines.next()?)?;
    let connect = method == b"CONNECT";
    let authority = absolute(target).or_else(|| authority_form(target).filter(|_| connect));
    let (mut host, mut hosts) = (None, 0u16);
    let (mut length, mut chunked, mut upgrade) = (0, false, connect);
    while let Some(line) = lines.next() {
        let mut reader = Reader::new(line);
        let Some(name) = memchr(b':', line).and_then(|colon| reader.take(colon).ok()) else { continue };
        let mut value = reader.rest().get(1..).unwrap_or_default().trim_ascii();
        // A value may go on in lines that begin with white space (RFC 9112 section 5.2).
        while let Some(folded) = lines.next_if(|next| matches!(next.first(), Some(b' ' | b'\t'))) {
            if value.is_empty() {
                value = folded.trim_ascii();
            }
        }
        let is = |wanted: &[u8]| name.trim_ascii().eq_ignore_ascii_case(wanted);
        if is(b"host") {
            hosts = hosts.saturating_add(1);
            host = host.or_else(|| Authority::parse(value));
        } else if is(b"content-length") {
            length = number(value).unwrap_or(length);
        } else if is(b"transfer-encoding") {
            chunked = true;
        } else if is(b"upgrade") {
            upgrade = true;
        }
    }
    let body = match (upgrade, chunked) {
        (true, _) => Body::Other,
        (false, true) => Body::Chunked,
        (false, false) => Body::Length(length),
    };
    Some(Request { method, target, authority, host, hosts, body, end: head.len() })
}

/// How many bytes a body in chunks takes (RFC 9112 section 7.1), with its trailer and the empty line. `None` when it is not all
/// there, and when it makes no sense.
pub fn chunks(body: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(body);
    loop {
        let size = line(&mut reader)?;
        // Behind a semicolon stands what is said about the chunk.
        let digits = size.split(|byte| *byte == b';').next()?.trim_ascii();
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        match usize::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()? {
            0 => break,
            size => reader.skip(size).ok()?,
        }
        if !line(&mut reader)?.is_empty() {
            return None;
        }
    }
    while !line(&mut reader)?.is_empty() {}
    Some(reader.offset())
}

/// The next line, without its end.
fn line<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let line = reader.take(memchr(b'\n', reader.rest())? + 1).ok()?;
    Some(line.trim_ascii_end())
}

/// The authority of an absolute URI (RFC 3986 section 3.2).
fn absolute(target: &[u8]) -> Option<Authority<'_>> {
    let at = memmem::find(target, b"://")?;
    let scheme = target.get(..at)?;
    if !scheme.iter().all(u8::is_ascii_alphabetic) {
        return None;
    }
    authority_form(target.get(at + 3..)?)
}

/// An authority, and nothing of a path that stands behind it.
fn authority_form(text: &[u8]) -> Option<Authority<'_>> {
    let end = text.iter().position(|byte| b"/?#\\".contains(byte)).unwrap_or(text.len());
    Authority::parse(text.get(..end)?)
}

/// A decimal number, of digits alone.
fn number(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::*;
    use crate::inspect::testing::{check_begins, check_mutations, check_prefixes};

    /// What a head says of its server: authority, host, number of Host headers.
    fn check(
        head: &str,
        authority: Option<(&str, Option<u16>)>,
        host: Option<(&str, Option<u16>)>,
        hosts: u16,
    ) {
        let stream = head.replace('\n', "\r\n").into_bytes();
        let (at, answer) = check_prefixes(&stream, request).expect("an answer");
        let request = answer.found().expect("a request");
        assert_eq!((at, request.end), (stream.len(), stream.len()));
        let part = |part: Option<(&str, _)>| part.map(|(host, port)| (host.as_bytes().to_vec(), port));
        let found = |part: Option<Authority<'_>>| part.map(|part| (part.host.to_vec(), part.port));
        assert_eq!(found(request.authority), part(authority), "{head}");
        assert_eq!(found(request.host), part(host), "{head}");
        assert_eq!(request.hosts, hosts, "{head}");
        assert_eq!(check_begins(&stream, begins), Begins::Yes);
        check_mutations(&stream, |bytes| {
            let _answer = super::request(bytes);
        });
        // With bare line feeds the same.
        let bare = super::request(head.as_bytes()).found().expect("a request");
        assert_eq!(
            (found(bare.authority), found(bare.host)),
            (found(request.authority), found(request.host))
        );
    }

    #[test]
    fn hosts() {
        check("GET / HTTP/1.1\nHost: pastebin.com\nAccept: */*\n\n", None, Some(("pastebin.com", None)), 1);
        check(
            "GET /a b HTTP/1.0\nhOsT:\t PasteBin.com:8080 \n\n",
            None,
            Some(("PasteBin.com", Some(8080))),
            1,
        );
        check("POST /x HTTP/1.1\nAccept: */*\nHost : a.example\n\n", None, Some(("a.example", None)), 1);
        check("GET / HTTP/1.1\nHost:\n  a.example\n\n", None, Some(("a.example", None)), 1);
        check("GET / HTTP/1.1\nHost: a.example\n b.example\n\n", None, Some(("a.example", None)), 1);
        check("GET / HTTP/1.1\nHost: a.example\nHost: b.example\n\n", None, Some(("a.example", None)), 2);
        check("GET / HTTP/1.1\nHost:\nHost: b.example\n\n", None, Some(("b.example", None)), 2);
        check("GET / HTTP/1.1\nX-Host: b.example\nHostile: c\nno colon\n\n", None, None, 0);
        check("GET / HTTP/1.1\nHost: [2001:db8::1]:81\n\n", None, Some(("2001:db8::1", Some(81))), 1);
        check("GET / HTTP/1.1\nHost: [2001:db8::1]\n\n", None, Some(("2001:db8::1", None)), 1);
        check("GET / HTTP/1.1\nHost: 2001:db8::1\n\n", None, Some(("2001:db8::1", None)), 1);
        check("GET / HTTP/1.1\nHost: a.example:\n\n", None, Some(("a.example", None)), 1);
        check("GET / HTTP/1.1\nHost: a.example:99999\n\n", None, Some(("a.example", None)), 1);
        check("OPTIONS * HTTP/1.1\nHost: a@b.example\n\n", None, Some(("b.example", None)), 1);
        check("GET / HTTP/1.1\n\n", None, None, 0);
    }

    #[test]
    fn targets() {
        let dropbox = Some(("api.dropboxapi.com", Some(443)));
        check(
            "CONNECT api.dropboxapi.com:443 HTTP/1.1\nHost: x.example\n\n",
            dropbox,
            Some(("x.example", None)),
            1,
        );
        check("CONNECT [2001:db8::1]:443 HTTP/1.1\n\n", Some(("2001:db8::1", Some(443))), None, 0);
        check(
            "GET http://api.dropboxapi.com:443/x?u=http://y HTTP/1.1\nHost: x.example\n\n",
            dropbox,
            Some(("x.example", None)),
            1,
        );
        check("GET HTTP://user:pass@a.example?x HTTP/1.1\n\n", Some(("a.example", None)), None, 0);
        check("CONNECT a.example:443/x HTTP/1.1\n\n", Some(("a.example", Some(443))), None, 0);
        check("CONNECT http://a.example/ HTTP/1.1\n\n", Some(("a.example", None)), None, 0);
        check("CONNECT / HTTP/1.1\nHost: a.example\n\n", None, Some(("a.example", None)), 1);
        check("GET /redirect?to=http://a.example/ HTTP/1.1\n\n", None, None, 0);
        check("GET http:///x HTTP/1.1\n\n", None, None, 0);
        check("BITS_POST /x HTTP/1.1\nHost: a.example\n\n", None, Some(("a.example", None)), 1);
        check("VERSION-CONTROL ws://a.example HTTP/1.1\n\n", Some(("a.example", None)), None, 0);
    }

    #[test]
    fn what_follows() {
        let follows = |headers: &str| {
            let head = format!("POST / HTTP/1.1\r\n{headers}\r\nbody");
            let request = request(head.as_bytes()).found().expect("a request");
            assert_eq!(head.as_bytes().get(request.end..), Some(&b"body"[..]));
            request.body
        };
        assert_eq!(follows(""), Body::Length(0));
        assert_eq!(follows("Content-Length: 4\r\n"), Body::Length(4));
        assert_eq!(follows("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"), Body::Chunked);
        assert_eq!(follows("Content-Length: -4\r\n"), Body::Length(0));
        assert_eq!(follows("Connection: upgrade\r\nUpgrade: websocket\r\n"), Body::Other);
        let connect = b"CONNECT a.example:1 HTTP/1.1\r\n\r\n\x16\x03\x01";
        assert_eq!(
            request(connect).found().map(|request| (request.end, request.body)),
            Some((32, Body::Other))
        );
    }

    #[test]
    fn bodies_in_chunks() {
        for (body, expected) in [
            ("0\r\n\r\nGET", Some(5)),
            ("0\n\nGET", Some(3)),
            ("5\r\nhello\r\n0A;x=y\r\n0123456789\r\n000\r\nTrailer: 1\r\n\r\nGET", Some(49)),
            ("5\r\nhello\r\n0\r\n", None),
            ("5\r\nhello world\r\n0\r\n\r\n", None),
            ("+5\r\nhello\r\n0\r\n\r\n", None),
            ("\r\n0\r\n\r\n", None),
            ("10000000000000000\r\n\r\nGET", None),
            ("ffffffffffffffff\r\n\r\nGET", None),
            ("", None),
        ] {
            assert_eq!(chunks(body.as_bytes()), expected, "{body}");
            for (cut, _) in body.char_indices() {
                assert_eq!(
                    chunks(&body.as_bytes()[..cut]),
                    expected.filter(|end| *end <= cut),
                    "{body} {cut}"
                );
            }
            check_mutations(body.as_bytes(), |bytes| {
                assert!(chunks(bytes).is_none_or(|end| end <= bytes.len()));
            });
        }
    }

    #[test]
    fn other_protocols() {
        for (text, settled) in [
            ("GET / HTTP/2.0\r\n\r\n", 16),
            ("GET /\r\n", 7),
            ("get / HTTP/1.1\r\n", 1),
            ("PRI * HTTP/2.0\r\n\r\n", 16),
            ("OPTIONS rtsp://a.example/ RTSP/1.0\r\n", 9),
            ("GET  / HTTP/1.1\r\n", 5),
            ("\x16\x03\x01", 1),
            ("SSH-2.0-OpenSSH\r\n", 5),
            ("EHLO host.example\r\n", 7),
            ("ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1", 25),
            ("MAIL FROM:<a>\r\n", 6),
        ] {
            assert_eq!(
                check_prefixes(text.as_bytes(), request),
                Some((settled, Progress::NotThis)),
                "{text}"
            );
            check_begins(text.as_bytes(), begins);
        }
    }

    #[test]
    fn the_limit() {
        let long =
            |size: usize| format!("GET / HTTP/1.1\r\nHost: a.example\r\nX: {}\r\n\r\n", "x".repeat(size));
        let most = MAX_HEAD - long(0).len();
        assert!(request(long(most).as_bytes()).found().is_some());
        assert_eq!(request(long(most + 1).as_bytes()), Progress::NotThis);
        assert!(matches!(request(&long(most + 1).as_bytes()[..MAX_HEAD - 1]), Progress::NeedMore { .. }));
    }

    proptest! {
        #[test]
        fn garbage(kept in 0usize..60, garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            let head = b"GET http://a@[::1]:80/ HTTP/1.1\r\nHost: b:1\r\n\r\n";
            let bytes = [head.get(..kept).unwrap_or(head), &garbage].concat();
            check_begins(&bytes, begins);
            check_prefixes(&bytes, request);
        }

        #[test]
        fn authorities(text in prop::collection::vec(prop::sample::select(b"a.:[]@0189 ".to_vec()), 0..12)) {
            if let Some(authority) = Authority::parse(&text) {
                prop_assert!(!authority.host.is_empty() && authority.host.len() <= text.len());
            }
        }
    }
}
