//! What a stream of bytes says, whichever protocol it is: recognised by its first bytes, read message by message.
//!
//! Whoever puts segments in order asks [`recognise`] once, and then [`read`] whenever there are enough bytes.

use super::{Begins, Progress, SeenIn, dns, http, proxy, socks, tls};
use crate::flow::Flow;

/// A protocol that is read from streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A TLS client's side.
    Tls,
    /// What a TLS client puts before its second hello.
    ChangeCipherSpec,
    /// An HTTP/1 client's side.
    Http,
    /// DNS, either side.
    Dns,
    /// A SOCKS client's side.
    Socks,
    /// A PROXY header, and whatever follows it.
    Proxy,
    /// A TLS server's side, as far as its certificate.
    Certificate,
}

/// The longest body, in bytes, behind which the next request is waited for: a form, a query. Behind an upload the next request stands at
/// the beginning of a segment, as good as always.
const LONGEST_BODY: usize = 64 << 10;

/// What first bytes are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recognised {
    /// The beginning of this protocol.
    Is(Kind),
    /// Too few to say.
    MayBe,
    /// Nothing that is read here.
    Nothing,
}

/// How reading went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// One message was read, of so many bytes; another may follow.
    Message(usize),
    /// Nothing more is of use in this direction.
    Done,
    /// There have to be so many bytes in all.
    NeedMore {
        /// Bytes from the start of what was given.
        at_least: usize,
    },
}

/// What a stream said.
#[derive(Debug)]
pub enum Said<'a> {
    /// A TLS client introduced itself.
    Hello(tls::ClientHello<'a>),
    /// An HTTP client asked.
    Http(http::Request<'a>),
    /// A message of DNS, which may not make sense.
    Dns(&'a [u8]),
    /// A SOCKS client asked its proxy.
    Socks(socks::Request<'a>),
    /// A TLS server showed its certificate.
    Certificate(tls::Certificate<'a>),
    /// A connection began with what is no protocol that is read here.
    Other,
}

impl Said<'_> {
    /// What tells two versions of one message apart: the name in it, as it stands in the stream.
    pub fn name(&self) -> Option<&[u8]> {
        self.place().map(|(_, name)| name)
    }

    /// The name in a message as it stands in the stream, and where that is; of DNS, the message.
    pub fn place(&self) -> Option<(SeenIn, &[u8])> {
        match self {
            Self::Hello(hello) => hello.server_name().map(|name| (SeenIn::TlsSni, name)),
            Self::Http(request) => {
                let seen_in = if request.is_connect() { SeenIn::HttpConnect } else { SeenIn::HttpHost };
                request.server().map(|server| (seen_in, server.host))
            }
            Self::Dns(message) => Some((SeenIn::DnsQuery, message)),
            Self::Socks(request) => match request.destination {
                socks::Destination::Name(name) => Some((SeenIn::Socks, name)),
                socks::Destination::Address(_) => None,
            },
            Self::Certificate(_) | Self::Other => None,
        }
    }

    /// Where a proxy is asked to connect to, if that is a name.
    pub fn target(&self) -> Option<(SeenIn, &[u8])> {
        self.place().filter(|(seen_in, _)| matches!(seen_in, SeenIn::HttpConnect | SeenIn::Socks))
    }

    /// Whether the server's name stands in it, or an address in place of one.
    pub fn names_the_server(&self) -> bool {
        !matches!(self, Self::Dns(_)) && self.name().is_some()
    }

    /// Whether a TLS client has not said whom it means.
    pub fn is_a_hello_without_a_name(&self) -> bool {
        matches!(self, Self::Hello(hello) if hello.server_name().is_none())
    }
}

/// What the first bytes of a stream, or of a segment, are.
#[inline]
pub fn recognise(first: &[u8], flow: &Flow) -> Recognised {
    let mut may_be = false;
    if dns::is_port(flow.dst.port) || dns::is_port(flow.src.port) {
        match dns::begins(first) {
            Begins::Yes => return Recognised::Is(Kind::Dns),
            Begins::Maybe => may_be = true,
            Begins::No => {}
        }
    }
    // The octet by which each of the protocols below begins: most segments have another.
    if first.first().is_some_and(|octet| !matches!(octet, 4 | 5 | b'\r' | 20 | 22 | b'A'..=b'Z')) {
        return if may_be { Recognised::MayBe } else { Recognised::Nothing };
    }
    for (kind, begins) in [
        (Kind::Tls, tls::begins(first)),
        (Kind::ChangeCipherSpec, tls::begins_second(first)),
        (Kind::Http, http::begins(first)),
        (Kind::Socks, socks::begins(first)),
        (Kind::Proxy, proxy::begins(first)),
    ] {
        match begins {
            Begins::Yes => return Recognised::Is(kind),
            Begins::Maybe => may_be = true,
            Begins::No => {}
        }
    }
    if may_be { Recognised::MayBe } else { Recognised::Nothing }
}

/// What the first bytes of a server are, of whose client nothing is seen.
pub fn recognise_server(first: &[u8], flow: &Flow) -> Recognised {
    if dns::is_port(flow.src.port) {
        return recognise(first, flow);
    }
    match tls::begins_server(first) {
        Begins::Yes => Recognised::Is(Kind::Certificate),
        Begins::Maybe => Recognised::MayBe,
        Begins::No => Recognised::Nothing,
    }
}

/// Reads one message from the start of `bytes`.
pub fn read(kind: Kind, bytes: &[u8], tell: &mut dyn FnMut(Said<'_>)) -> Read {
    let mut joined = Vec::new();
    let progress = match kind {
        // What a client sends after its hello is of no use until it begins another handshake.
        Kind::Tls => {
            tls::client_hello(bytes, &mut joined).map(|hello| (Some(Said::Hello(hello)), usize::MAX))
        }
        Kind::ChangeCipherSpec => Progress::Found((None, tls::CHANGE_CIPHER_SPEC.len())),
        Kind::Http => http::request(bytes).map(|request| {
            let body = match request.body {
                http::Body::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
                http::Body::Chunked => bytes.get(request.end..).and_then(http::chunks).unwrap_or(0),
                http::Body::Other => 0,
            };
            (Some(Said::Http(request)), request.end.saturating_add(body))
        }),
        Kind::Dns => dns::tcp(bytes).map(|framed| (Some(Said::Dns(framed.message)), framed.consumed)),
        Kind::Socks => socks::request(bytes).map(|request| (Some(Said::Socks(request)), request.end)),
        Kind::Proxy => proxy::header(bytes).map(|header| (None, header.end)),
        Kind::Certificate => tls::certificate(bytes, &mut joined)
            .map(|certificate| (Some(Said::Certificate(certificate)), usize::MAX)),
    };
    match progress {
        Progress::Found((said, consumed)) => {
            if let Some(said) = said {
                tell(said);
            }
            // A short body that is not here yet is passed over; a long one is nobody's business.
            if consumed > bytes.len().saturating_add(LONGEST_BODY) {
                Read::Done
            } else {
                Read::Message(consumed)
            }
        }
        Progress::NeedMore { at_least } => Read::NeedMore { at_least },
        Progress::NotThis => Read::Done,
    }
}

/// Reads what a message that will never be complete says as far as it goes.
pub fn read_cut(kind: Kind, bytes: &[u8], tell: &mut dyn FnMut(Said<'_>)) {
    match kind {
        Kind::Tls => {
            if let Some(hello) = tls::client_hello_prefix(bytes, &mut Vec::new()) {
                tell(Said::Hello(hello));
            }
        }
        // The head of a request, or a DNS message, that is not whole may yet hold its name.
        Kind::Http => {
            if let Some(request) = http::request_prefix(bytes) {
                tell(Said::Http(request));
            }
        }
        Kind::Dns => {
            if let Some(message) = bytes.get(2..) {
                tell(Said::Dns(message));
            }
        }
        Kind::ChangeCipherSpec | Kind::Socks | Kind::Proxy | Kind::Certificate => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, Protocol};
    use crate::inspect::testing::{check_begins, hex};

    /// The names in a stream whose messages follow each other.
    fn names(bytes: &[u8]) -> Vec<String> {
        let end = |port| Endpoint { ip: std::net::Ipv4Addr::LOCALHOST.into(), port };
        let flow = Flow { src: end(50_000), dst: end(443), protocol: Protocol::TCP };
        let (mut names, mut at) = (Vec::new(), 0);
        while let Recognised::Is(kind) = recognise(bytes.get(at..).unwrap_or_default(), &flow) {
            let read = read(kind, bytes.get(at..).unwrap_or_default(), &mut |said| {
                names.extend(said.name().map(|name| String::from_utf8_lossy(name).into_owned()));
            });
            match read {
                Read::Message(length) => at += length,
                _ => break,
            }
        }
        names
    }

    /// A ClientHello with the name `a.b`, in one record.
    fn hello() -> Vec<u8> {
        let random = "07".repeat(32);
        hex(&format!(
            "16 0303 003b 01 000037 0303 {random} 00 0002 1301 01 00 000c 0000 0008 0006 00 0003 612e62"
        ))
    }

    #[test]
    fn a_second_hello() {
        assert_eq!(names(&hello()), ["a.b"]);
        let second = [&tls::CHANGE_CIPHER_SPEC[..], &hello()].concat();
        assert_eq!(names(&second), ["a.b"]);
        assert_eq!(check_begins(&second, tls::begins_second), Begins::Yes);
        // What else clients send behind it is encrypted.
        let last = [&tls::CHANGE_CIPHER_SPEC[..], &hex("17 0303 0002 0102")].concat();
        assert!(names(&last).is_empty());
        assert_eq!(check_begins(&hex("14 0303 0001 02 16"), tls::begins_second), Begins::No);
    }

    #[test]
    fn a_request_behind_chunks() {
        let first =
            "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\nContent-Length: 50\r\n\r\n";
        let second = "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n";
        for (body, expected) in [
            ("4\r\nbody\r\n0\r\n\r\n", &["a.example", "b.example"][..]),
            ("0\r\n\r\n", &["a.example", "b.example"]),
            ("ffffffffffffffff\r\n\r\n", &["a.example"]),
        ] {
            assert_eq!(names(format!("{first}{body}{second}").as_bytes()), expected, "{body:?}");
        }
    }
}
