//! What a Worker tells: events, each of one frame.

use std::net::IpAddr;
use std::sync::Arc;

use crate::decode::Path;
use crate::flow::{Flow, Protocol};
use crate::hostname::Hostname;
use crate::inspect::dhcp;
use crate::inspect::dns::Answered;
use crate::inspect::quic::Refusal;
use crate::inspect::tls::KeptHello;
use crate::inspect::{Observation, SeenIn};
use crate::lists::{Contact, Entry};
use crate::seen::Mark;
use crate::stats::Reason;

/// Something that a frame brought to light.
#[derive(Clone, Debug)]
pub struct Event {
    /// The frame.
    pub mark: Mark,
    /// What came to light.
    pub what: What,
}

/// What came to light.
#[derive(Clone, Debug)]
pub enum What {
    /// A hostname, which met a list or is to be recorded.
    Hostname(Box<Sighting>),
    /// A hostname that met no list and need not be recorded: it is only counted.
    Counted(SeenIn),
    /// The same in a connection of which something else may have been told before: that it has a name matters.
    Named(SeenIn, Box<Flow>),
    /// A connection whose client names no server, or not the one that it means. A ClientHello without a name is counted.
    Nameless(Box<Nameless>),
    /// The names in the certificate of a server that the client has not named.
    Certificate(Box<Certified>),
    /// What a resolver told a client.
    Answer(Box<Resolved>),
    /// What DHCP told of a client and its address.
    Lease(Box<dhcp::Message>),
    /// A message of DHCP that could not be read.
    MalformedDhcp,
    /// A server name, or a Host, that is an address: no hostname.
    Address,
    /// A server name that is no hostname.
    NoHostname,
    /// Something of QUIC that could not be read, or a limit that was reached.
    Quic(Refusal),
    /// A DNS message that could not be read to its end.
    MalformedDns,
    /// A datagram that was put together from fragments.
    Reassembled,
    /// A datagram of which fragments are missing, and which was given up.
    GivenUp,
    /// A fragment that was of no use, or a datagram that was put together and could not be decoded.
    Refused(Reason),
}

impl What {
    /// The conversation, if it is one over UDP of a protocol that is not read.
    pub fn datagrams(&self) -> Option<&Flow> {
        match self {
            Self::Nameless(one) if one.instead == Instead::Bytes && one.flow.protocol == Protocol::UDP => {
                Some(&one.flow)
            }
            _ => None,
        }
    }

    /// Whether the Correlator has use for it; the rest is for counters.
    pub const fn is_for_the_correlator(&self) -> bool {
        match self {
            Self::Hostname(_)
            | Self::Named(..)
            | Self::Nameless(_)
            | Self::Certificate(_)
            | Self::Answer(_)
            | Self::Lease(_) => true,
            Self::Counted(_)
            | Self::Address
            | Self::NoHostname
            | Self::Quic(_)
            | Self::MalformedDns
            | Self::MalformedDhcp
            | Self::Reassembled
            | Self::GivenUp
            | Self::Refused(_) => false,
        }
    }
}

/// A hostname with all that is known of it.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// What was seen.
    pub observation: Observation,
    /// The entry of the lists that it met.
    pub entry: Option<Arc<Entry>>,
}

impl Sighting {
    /// The contact, where a list was met.
    pub fn into_contact(self) -> Option<Contact> {
        self.entry.map(|entry| Contact { observation: self.observation, entry })
    }
}

/// A connection whose client names no server, or not the one that it means.
#[derive(Clone, Debug)]
pub struct Nameless {
    /// Client to server; of datagrams, who sent the first one seen to whom.
    pub flow: Flow,
    /// What there is instead.
    pub instead: Instead,
    /// The ClientHello, where there is one of TLS.
    pub hello: Option<KeptHello>,
    /// Through which tunnel and VLANs it came; `None` where through none.
    pub path: Option<Box<Path>>,
}

/// What a connection has instead of its server's name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Instead {
    /// A ClientHello without a name.
    Hello,
    /// A ClientHello with a name, and an offer of an encrypted one, whose name may be another.
    Outer(Hostname),
    /// A request without a hostname.
    Request,
    /// Bytes of a protocol that is not read here.
    Bytes,
}

/// The names in a server's certificate.
#[derive(Clone, Debug)]
pub struct Certified {
    /// Client to server.
    pub flow: Flow,
    /// As they stand, with `*` for any label; with the entries of the lists that they meet.
    pub names: Vec<(Hostname, Option<Arc<Entry>>)>,
    /// Through which tunnel and VLANs it came; `None` where through none.
    pub path: Option<Box<Path>>,
}

/// What a resolver told a client.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Who had asked.
    pub client: IpAddr,
    /// The name that it had asked for.
    pub name: Hostname,
    /// The entry of the lists that it meets.
    pub entry: Option<Arc<Entry>>,
    /// Where the name is at home, by whichever names.
    pub answered: Answered,
    /// Whether the question was how to reach the service (types SVCB and HTTPS): the answer without a configuration for an encrypted
    /// ClientHello then says that there is none.
    pub service: bool,
}
