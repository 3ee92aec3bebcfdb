//! Who made a contact, and how that is known.

use std::sync::Arc;

use super::record::FeedKind;
use crate::capture::Timestamp;

/// Who made a contact, and how that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribution {
    /// How it is known.
    pub level: AttributionLevel,
    /// How sure it is, in percent.
    pub confidence: u8,
    /// The endpoint, where the feed knows one by this address.
    pub host: Option<Arc<Host>>,
    /// The endpoints that it may be, where the address does not say which; at most [`Self::MOST_CANDIDATES`].
    pub hosts: Vec<Arc<Host>>,
    /// The process whose connection or question it is; none at levels that name no process.
    pub process: Option<Arc<Process>>,
    /// Whether it is the process that accepted the connection, at the server; contacts are only attributed to who began them.
    pub accepted: bool,
    /// Where the process only acts for another (BITS, WebClient, a resolver): why, and for whom, if there is a hint.
    pub delegated: Option<Delegated>,
    /// The telemetry that said so.
    pub feed: Option<FeedKind>,
    /// The kinds of records that were used, in the feed's words: `3`, `22`, `1`.
    pub records: Kinds,
    /// How many processes it may be.
    pub candidates: u16,
    /// These, where it is ambiguous; at most [`Self::MOST_CANDIDATES`].
    pub others: Vec<Arc<Process>>,
    /// What the clock of the record is ahead of the wire's, in nanoseconds, where that was learned.
    pub clock_offset: Option<i64>,
}

impl Attribution {
    /// The most candidates that are named.
    pub const MOST_CANDIDATES: usize = 8;

    /// No telemetry speaks of the host.
    pub const fn no_telemetry() -> Self {
        Self::nobody(AttributionLevel::NoTelemetry)
    }

    /// Nobody is named, at this level.
    pub const fn nobody(level: AttributionLevel) -> Self {
        Self {
            level,
            confidence: 0,
            host: None,
            hosts: Vec::new(),
            process: None,
            accepted: false,
            delegated: None,
            feed: None,
            records: Kinds::NONE,
            candidates: 0,
            others: Vec::new(),
            clock_offset: None,
        }
    }

    /// The process that a verdict may be about: whoever the contact was made for, if it was made for another, else whose it is. None
    /// where no process is named for sure enough.
    pub fn originator(&self) -> Option<&Arc<Process>> {
        match &self.delegated {
            Some(delegated) => delegated.likely.as_ref(),
            None => self.process.as_ref(),
        }
    }
}

/// Kinds of records, each once: so few that they need no memory of their own.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Kinds([Option<Arc<str>>; 3]);

impl Kinds {
    /// No kind.
    pub const NONE: Self = Self([None, None, None]);

    /// These, where they differ.
    pub(super) fn of(kinds: [Option<Arc<str>>; 3]) -> Self {
        Self(kinds)
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().map(|kind| &**kind)
    }
}

/// The rungs of the ladder from knowing nothing to knowing the process, lowest first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum AttributionLevel {
    /// No telemetry speaks of this host.
    NoTelemetry,
    /// Live: the feed may yet say.
    Pending,
    /// The feed has passed and says nothing of it.
    None,
    /// Several processes may be it, and none is named.
    Ambiguous,
    /// The address is nobody's that is known: which processes, of endpoints that are not seen on the wire themselves, asked for the name
    /// about then, from behind a translation of addresses; none is named.
    Site,
    /// Only which processes of the host use this service at all; none is named.
    Host,
    /// A process whose command line holds the name was alive.
    CommandLine,
    /// A process of the host asked for the name about then.
    Name,
    /// A process of the host asked for the name, and the answer was this server; of a question itself, that the process asked it.
    DnsAnswer,
    /// The same process was seen at the same server and port before, on this day.
    DestinationBefore,
    /// The only process of the host with a connection to this server and port about then.
    Destination,
    /// The same five-tuple, unique on both sides, while the record's clock is not known.
    TupleOnly,
    /// The same five-tuple at the same time.
    Tuple,
    /// The same five-tuple at the same time, and the same name.
    TupleAndName,
}

impl AttributionLevel {
    /// Every level, lowest first.
    pub const ALL: [Self; 14] = [
        Self::NoTelemetry,
        Self::Pending,
        Self::None,
        Self::Ambiguous,
        Self::Site,
        Self::Host,
        Self::CommandLine,
        Self::Name,
        Self::DnsAnswer,
        Self::DestinationBefore,
        Self::Destination,
        Self::TupleOnly,
        Self::Tuple,
        Self::TupleAndName,
    ];

    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoTelemetry => "no-telemetry",
            Self::Pending => "pending",
            Self::None => "none",
            Self::Ambiguous => "ambiguous",
            Self::Site => "site",
            Self::Host => "host",
            Self::CommandLine => "command-line",
            Self::Name => "name",
            Self::DnsAnswer => "dns-answer",
            Self::DestinationBefore => "destination-before",
            Self::Destination => "destination",
            Self::TupleOnly => "tuple-only",
            Self::Tuple => "tuple",
            Self::TupleAndName => "tuple-and-name",
        }
    }

    /// Whether the process is known by the connection's own addresses and ports.
    pub const fn is_tuple(self) -> bool {
        matches!(self, Self::TupleOnly | Self::Tuple | Self::TupleAndName)
    }
}

/// An endpoint.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Host {
    /// Its name, in lower case, fully qualified where the feed has it so.
    pub name: Arc<str>,
    /// The feed's identity for it.
    pub id: Option<Arc<str>>,
}

/// A process of an endpoint: what all its records together say.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Process {
    /// The operating system's number.
    pub pid: Option<u32>,
    /// The feed's identity for it: a GUID, an entity id.
    pub entity_id: Option<Arc<str>>,
    /// The whole path of its file, as the feed writes it.
    pub executable: Option<Arc<str>>,
    /// The name of its file, as the feed writes it; `None` where that could not be found out.
    pub name: Option<Arc<str>>,
    /// The name that its file was built with.
    pub original_name: Option<Arc<str>>,
    /// How it was called.
    pub command_line: Option<Arc<str>>,
    /// The directory that it was started in.
    pub directory: Option<Arc<str>>,
    /// The domain of its user.
    pub user_domain: Option<Arc<str>>,
    /// Its user.
    pub user: Option<Arc<str>>,
    /// When it began, by the wire's clock as far as that is known.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// SHA-256 of its file.
    pub sha256: Option<Arc<str>>,
    /// SHA-1 of its file.
    pub sha1: Option<Arc<str>>,
    /// MD5 of its file.
    pub md5: Option<Arc<str>>,
    /// Who signed its file.
    pub signer: Option<Arc<str>>,
    /// Its integrity level.
    pub integrity: Option<Arc<str>>,
    /// The container that it runs in.
    pub container: Option<Arc<str>>,
    /// That container's name.
    pub container_name: Option<Arc<str>>,
    /// The pod that the container is of: `namespace/name`, or its name alone.
    pub pod: Option<Arc<str>>,
    /// Who started it; that one's parent is not told.
    pub parent: Option<Arc<Self>>,
}

/// That a process acts for another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delegated {
    /// Why its connections are not its own: `bits`, `webclient`, `dns-client`, `system`, `proxy`.
    pub kind: Arc<str>,
    /// For whom it was, where something hints at one process.
    pub likely: Option<Arc<Process>>,
    /// What hints at it: a lower rung of the ladder.
    pub level: Option<AttributionLevel>,
}
