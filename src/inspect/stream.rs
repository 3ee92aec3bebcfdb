//! What a stream of bytes says, whichever protocol it is: recognised by its first bytes, read message by message.
//!
//! Whoever puts segments in order asks [`recognise`] once, and then [`read`] whenever there are enough bytes.

use super::{Begins, Progress, dns, http, proxy, socks, tls};
use crate::flow::Flow;

/// A protocol that is read from streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A TLS client's side.
    Tls,
    /// An HTTP/1 client's side.
    Http,
    /// DNS, either side.
    Dns,
    /// A SOCKS client's side.
    Socks,
    /// A PROXY header, and whatever follows it.
    Proxy,
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
}

impl Said<'_> {
    /// What tells two versions of one message apart: the name in it, as it stands in the stream.
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Hello(hello) => hello.server_name(),
            Self::Http(request) => request.server().map(|server| server.host),
            Self::Dns(message) => Some(message),
            Self::Socks(request) => match request.destination {
                socks::Destination::Name(name) => Some(name),
                socks::Destination::Address(_) => None,
            },
        }
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
    for (kind, begins) in [
        (Kind::Tls, tls::begins(first)),
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

/// Reads one message from the start of `bytes`.
pub fn read(kind: Kind, bytes: &[u8], tell: &mut dyn FnMut(Said<'_>)) -> Read {
    let mut joined = Vec::new();
    let progress = match kind {
        // What a client sends after its hello is of no use until it begins another handshake.
        Kind::Tls => {
            tls::client_hello(bytes, &mut joined).map(|hello| (Some(Said::Hello(hello)), usize::MAX))
        }
        Kind::Http => http::request(bytes).map(|request| {
            let body = match request.body {
                http::Body::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
                http::Body::Chunked | http::Body::Other => 0,
            };
            (Some(Said::Http(request)), request.end.saturating_add(body))
        }),
        Kind::Dns => dns::tcp(bytes).map(|framed| (Some(Said::Dns(framed.message)), framed.consumed)),
        Kind::Socks => socks::request(bytes).map(|request| (Some(Said::Socks(request)), request.end)),
        Kind::Proxy => proxy::header(bytes).map(|header| (None, header.end)),
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
        Kind::Socks | Kind::Proxy => {}
    }
}
