//! What a Worker tells: events, each of one frame.

use std::sync::Arc;

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
    /// A ClientHello that names no server.
    Nameless,
    /// A server name that is no hostname.
    NoHostname,
    /// A DNS message that could not be read to its end.
    MalformedDns,
    /// A datagram that was put together from fragments.
    Reassembled,
    /// A datagram of which fragments are missing, and which was given up.
    GivenUp,
    /// A fragment that was of no use, or a datagram that was put together and could not be decoded.
    Refused(Reason),
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
