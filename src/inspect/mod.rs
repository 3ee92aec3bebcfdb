//! Stage 4: bytes → hostnames seen.
//!
//! Takes payloads and the contiguous bytes of streams, gives [`Observation`]s. One file a protocol; each parser is a pure
//! function of the bytes it is given, and answers [`Progress`]: not yet, found, or not this protocol. None of them
//! knows about segments, chunks or threads.

#![deny(clippy::indexing_slicing)]

mod blind;
pub mod dhcp;
pub mod dns;
pub mod dtls;
pub mod http;
pub mod proxy;
pub mod quic;
pub mod socks;
pub mod stream;
pub mod tls;

#[cfg(test)]
mod testing;

pub use blind::{BlindSpot, ENCRYPTED_DNS, EncryptedDns};

use crate::capture::Timestamp;
use crate::decode::Path;
use crate::flow::Flow;
use crate::hostname::Hostname;

/// What a parser makes of the bytes so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Progress<T> {
    /// Too early to say; the answer cannot change before there are this many bytes in all.
    NeedMore {
        /// Bytes from the start of what the parser was given; always more than it was given.
        at_least: usize,
    },
    /// It is this protocol, and here is what it says.
    Found(T),
    /// It is not this protocol, and more bytes will not make it so.
    NotThis,
}

impl<T> Progress<T> {
    /// The same answer about something else.
    #[inline]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Progress<U> {
        match self {
            Self::Found(found) => Progress::Found(change(found)),
            Self::NeedMore { at_least } => Progress::NeedMore { at_least },
            Self::NotThis => Progress::NotThis,
        }
    }

    /// What was found, if it was.
    #[inline]
    pub fn found(self) -> Option<T> {
        match self {
            Self::Found(found) => Some(found),
            Self::NeedMore { .. } | Self::NotThis => None,
        }
    }
}

/// Whether bytes are worth collecting: a look at the first of them, for a stream whose start was not seen.
///
/// More bytes turn `Maybe` into one of the others, and never change `Yes` or `No`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Begins {
    /// They begin like the protocol.
    Yes,
    /// Every byte so far fits, and they are too few to say.
    Maybe,
    /// They do not.
    No,
}

/// A hostname on the wire: when, between whom, and where in the traffic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observation {
    /// Time of the frame that completed it.
    pub at: Timestamp,
    /// Which capture file or interface the frame came from: its place among the inputs, from 0.
    pub source: u32,
    /// Number of that frame in its file or on its interface, from 1.
    pub frame: u64,
    /// Client to server.
    pub flow: Flow,
    /// The name.
    pub hostname: Hostname,
    /// Where the name stood.
    pub seen_in: SeenIn,
    /// What else the message said.
    pub detail: Detail,
    /// Through which tunnel and VLANs it came; `None` where through none.
    pub path: Option<Box<Path>>,
    /// Names that the same connection has in other places, where they are not this one: of its server in DNS, of what a proxy was asked for, of
    /// the other version of a stretch of stream.
    pub disagrees_with: Vec<(SeenIn, Hostname)>,
}

/// Where a hostname stood.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum SeenIn {
    /// The question of a DNS query.
    DnsQuery,
    /// The question that a DNS response repeats, where the query itself was not seen.
    DnsResponse,
    /// Nowhere in the connection itself: the client had asked DNS for this name, and the answer was the server's address.
    DnsAnswer,
    /// The server name indication of a TLS ClientHello over TCP (RFC 6066 section 3).
    TlsSni,
    /// The certificate of a TLS server, where the hello had no name (TLS 1.2 and before).
    TlsCertificate,
    /// The server name indication of the ClientHello in a QUIC connection.
    QuicSni,
    /// The server name indication of a DTLS ClientHello.
    DtlsSni,
    /// The Host header of an HTTP/1 request, or the authority of its target.
    HttpHost,
    /// The authority of an HTTP CONNECT request.
    HttpConnect,
    /// The destination of a SOCKS 4a or 5 request.
    Socks,
    /// Nowhere: the connection has no name, and the address of its server stands for one.
    Address,
}

impl SeenIn {
    /// Every place in which names are seen, in the order of counters and summaries.
    pub const ALL: [Self; 10] = [
        Self::DnsQuery,
        Self::DnsResponse,
        Self::DnsAnswer,
        Self::TlsSni,
        Self::TlsCertificate,
        Self::QuicSni,
        Self::DtlsSni,
        Self::HttpHost,
        Self::HttpConnect,
        Self::Socks,
    ];

    /// Whether the server of the conversation is the one that the name belongs to; else it was asked about it: a resolver, a proxy.
    pub const fn is_connection(self) -> bool {
        match self {
            Self::DnsQuery | Self::DnsResponse | Self::HttpConnect | Self::Socks => false,
            Self::DnsAnswer
            | Self::TlsSni
            | Self::TlsCertificate
            | Self::QuicSni
            | Self::DtlsSni
            | Self::HttpHost
            | Self::Address => true,
        }
    }

    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DnsQuery => "dns_query",
            Self::DnsResponse => "dns_response",
            Self::DnsAnswer => "dns_answer",
            Self::TlsSni => "tls_sni",
            Self::TlsCertificate => "tls_certificate",
            Self::QuicSni => "quic_sni",
            Self::DtlsSni => "dtls_sni",
            Self::HttpHost => "http_host",
            Self::HttpConnect => "http_connect",
            Self::Socks => "socks",
            Self::Address => "address",
        }
    }
}

/// What the message around a hostname said.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Detail {
    /// A DNS question: its type and class as numbers (RFC 1035 section 4.1.2).
    Dns {
        /// QTYPE.
        qtype: u16,
        /// QCLASS, as on the wire (mDNS uses the top bit).
        qclass: u16,
    },
    /// A ClientHello of TLS, QUIC or DTLS, and what it says beside the name.
    Hello(Box<tls::KeptHello>),
    /// What a name is taken from whose connection has none: an answer of DNS, or the server's certificate.
    Derived(Box<Derived>),
    /// The destination port in a request to a proxy, or in an HTTP Host header.
    Port(Option<u16>),
    /// There is nothing more to say.
    Nothing,
}

impl Detail {
    /// The ClientHello, where there is one.
    pub fn hello(&self) -> Option<&tls::KeptHello> {
        match self {
            Self::Hello(hello) => Some(hello),
            Self::Derived(derived) => derived.hello.as_ref(),
            _ => None,
        }
    }

    /// Forgets what is only needed to work out the rest: for whoever keeps an observation.
    pub fn settle(&mut self) {
        match self {
            Self::Hello(hello) => hello.settle(),
            Self::Derived(derived) => derived.hello.iter_mut().for_each(tls::KeptHello::settle),
            _ => {}
        }
    }
}

/// How a connection whose client named no server came by a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Derived {
    /// From the answer of DNS to the connection, in nanoseconds of packet time; nothing where no answer says so.
    pub age: Option<i64>,
    /// Every name that it may be, the told one among them. More than one: none of them is certain.
    pub candidates: Vec<Hostname>,
    /// The name in clear of a hello that hides another.
    pub outer: Option<Hostname>,
    /// What the ClientHello says, where there was one.
    pub hello: Option<tls::KeptHello>,
}
