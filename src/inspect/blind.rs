//! Encrypted DNS: where a client asks for names that nobody else sees.

use super::SeenIn;
use crate::capture::Timestamp;
use crate::decode::Path;
use crate::flow::{Flow, Protocol};
use crate::hostname::Hostname;

/// The port of DNS over TLS (RFC 7858 section 3.1) and over QUIC and DTLS (RFC 9250 section 4.1.1, RFC 8094 section 3.1).
pub const ENCRYPTED_DNS: u16 = 853;

/// A conversation in which names go unseen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BlindSpot {
    /// Time of the frame that showed it.
    pub at: Timestamp,
    /// Which capture file or interface, from 0.
    pub source: u32,
    /// Number of the frame there, from 1.
    pub frame: u64,
    /// Client to resolver.
    pub flow: Flow,
    /// What it is.
    pub how: EncryptedDns,
    /// The resolver's name, and where it was seen.
    pub name: Option<(Hostname, SeenIn)>,
    /// Through which tunnel and VLANs it came; `None` where through none.
    pub path: Option<Box<Path>>,
}

/// The ways in which DNS is encrypted.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum EncryptedDns {
    /// RFC 8484, over whichever HTTP.
    Https,
    /// RFC 7858.
    Tls,
    /// RFC 9250; or DNS over DTLS, which has the same port.
    Quic,
}

impl EncryptedDns {
    /// All of them, in the order of counters.
    pub const ALL: [Self; 3] = [Self::Https, Self::Tls, Self::Quic];

    /// The way that a port is for, if it is for one.
    pub fn of_port(flow: &Flow) -> Option<Self> {
        match (flow.dst.port, flow.protocol) {
            (ENCRYPTED_DNS, Protocol::TCP) => Some(Self::Tls),
            (ENCRYPTED_DNS, Protocol::UDP) => Some(Self::Quic),
            _ => None,
        }
    }

    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Https => "dns-over-https",
            Self::Tls => "dns-over-tls",
            Self::Quic => "dns-over-quic",
        }
    }

    /// The words for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Https => "DNS over HTTPS",
            Self::Tls => "DNS over TLS",
            Self::Quic => "DNS over QUIC",
        }
    }
}
