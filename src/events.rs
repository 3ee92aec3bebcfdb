//! What a Worker tells: events, each of one frame.

use std::fmt;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
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
    Answer(Answer),
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

/// Events as they come to light, each with the tag of its conversation; nought where a frame speaks for itself.
#[derive(Debug, Default)]
pub(crate) struct Events {
    pub(crate) list: Vec<(u32, Event)>,
    /// What those of them tell that are answers.
    pub(crate) answers: Answers,
}

impl Deref for Events {
    type Target = Vec<(u32, Event)>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.list
    }
}

impl DerefMut for Events {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.list
    }
}

/// What resolvers told in a stretch of frames. It is one memory for all of it: nearly every name is answered, few of them meet a list, and
/// what a name meets is all that memory of its own is for.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    all: Vec<Resolved>,
    /// The names, one behind the other.
    names: String,
}

impl Answers {
    /// With room for so many answers, and so many octets of names.
    pub(crate) fn with_room((answers, octets): (usize, usize)) -> Self {
        Self { all: Vec::with_capacity(answers), names: String::with_capacity(octets) }
    }

    /// How many there are, and how many octets their names have.
    pub(crate) const fn room(&self) -> (usize, usize) {
        (self.all.len(), self.names.len())
    }

    /// Adds what a client was told of a name.
    pub(crate) fn add(&mut self, name: &str, resolved: Resolved) -> Answer {
        let nth = self.all.len() as u32;
        let from = self.names.len();
        self.names.push_str(name);
        self.all.push(Resolved { name: (from, self.names.len()), ..resolved });
        Answer { of: None, nth }
    }
}

/// What a resolver told a client.
#[derive(Clone)]
pub struct Answer {
    /// All of the stretch; nothing while it is being read.
    of: Option<Arc<Answers>>,
    nth: u32,
}

impl Answer {
    /// The answer, of a stretch that was read.
    pub(crate) fn share(&mut self, answers: &Arc<Answers>) {
        self.of = Some(Arc::clone(answers));
    }

    /// What was told, and of which name in canonical spelling; nothing while the stretch is being read.
    pub fn get(&self) -> Option<(&Resolved, &str)> {
        let answers = self.of.as_ref()?;
        let resolved = answers.all.get(self.nth as usize)?;
        let (from, to) = resolved.name;
        Some((resolved, answers.names.get(from..to)?))
    }
}

impl fmt::Debug for Answer {
    /// It alone, and not what else was told in the stretch.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Resolved");
        if let Some((Resolved { client, entry, answered, service, .. }, name)) = self.get() {
            shown.field("client", client).field("name", &name).field("entry", entry);
            shown.field("answered", answered).field("service", service);
        }
        shown.finish()
    }
}

/// What a resolver told a client of the name that it had asked for.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Who had asked.
    pub client: IpAddr,
    /// Where the name stands among the others.
    name: (usize, usize),
    /// The entry of the lists that it meets.
    pub entry: Option<Arc<Entry>>,
    /// Where the name is at home, by whichever names.
    pub answered: Answered,
    /// Whether the question was how to reach the service (types SVCB and HTTPS): the answer without a configuration for an encrypted
    /// ClientHello then says that there is none.
    pub service: bool,
}

impl Resolved {
    /// What was told of a name that [`Answers::add`] puts to it.
    pub(crate) const fn new(
        client: IpAddr,
        entry: Option<Arc<Entry>>,
        answered: Answered,
        service: bool,
    ) -> Self {
        Self { client, name: (0, 0), entry, answered, service }
    }
}
