//! Stage 8: what leaves.
//!
//! Takes alerts, summaries and, when asked for, every hostname, and writes them: JSON lines for machines ([`JsonLines`] of
//! [`ecs`] documents), readable lines for people ([`Human`]). What people read beside them, on standard error, is here too:
//! the progress bar ([`Progress`]) and the closing summary ([`Closing`]). Nothing here decides what is a finding, and
//! nothing prints an error: errors go back to whoever writes.

mod backlog;
mod destination;
pub mod ecs;
mod escape;
mod human;
mod jsonl;
mod level;
mod outlet;
mod progress;
mod report;
mod spill;
mod statistics;
mod syslog;
mod target;
mod words;

use std::io;

use crate::capture::Timestamp;
use crate::flow::Conversation;
use crate::hands::Hands;
use crate::hostname::Hostname;
use crate::inspect::{BlindSpot, Observation, SeenIn};
use crate::originator::Attribution;
use crate::rules::{Alert, Finding, Level, Summary};

pub use backlog::{Backlog, Feeder};
pub use destination::Destination;
pub use escape::Printable;
pub use human::Human;
pub use jsonl::{Flush, JsonLines};
pub use level::AtLeast;
pub use outlet::{Outlet, Rotation, Undelivered};
pub use progress::{Above, Progress};
pub use report::{Closing, count, scaled, span};
pub use spill::{Spill, Spilling};
pub use statistics::{FeedStats, InterfaceStats, OutputStats, Stats, TapStats, ThreadStats};
pub use syslog::Syslog;
pub use target::Target;

/// Where records go.
pub trait Sink {
    /// Takes a record. When this returns, the record is written or is held to be written by a later call, as the sink says.
    ///
    /// # Errors
    /// When it could not be delivered; a sink that failed once fails ever after, so that no record is torn or missing
    /// between others.
    fn write(&mut self, record: &Record) -> io::Result<()>;

    /// Takes several records, in their order. Whoever can make them ready at once has `hands` for it.
    ///
    /// # Errors
    /// As [`write`](Sink::write).
    fn write_all(&mut self, records: Vec<Record>, hands: &dyn Hands) -> io::Result<()> {
        _ = hands;
        records.iter().try_for_each(|record| self.write(record))
    }

    /// Writes what is held.
    ///
    /// # Errors
    /// As [`write`](Sink::write).
    fn flush(&mut self) -> io::Result<()>;
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        (**self).write(record)
    }

    fn write_all(&mut self, records: Vec<Record>, hands: &dyn Hands) -> io::Result<()> {
        (**self).write_all(records, hands)
    }

    fn flush(&mut self) -> io::Result<()> {
        (**self).flush()
    }
}

/// What can leave.
#[derive(Clone, Debug)]
pub enum Record {
    /// A finding, told once.
    Alert(Alert),
    /// What repeated.
    Summary(Summary),
    /// A hostname that was seen, listed or not.
    Hostname(Observation),
    /// A conversation, and whose it was.
    Flow(Box<FlowRecord>),
    /// Where names go unseen.
    Blind(Box<BlindSpot>),
    /// What a sensor has counted.
    Stats(Box<Stats>),
}

/// A conversation, and whose it was.
#[derive(Clone, Debug)]
pub struct FlowRecord {
    /// The conversation; its name, and where that was seen, if it has one.
    pub conversation: Conversation<(Hostname, SeenIn)>,
    /// Whose it was; nothing where there is no telemetry at all.
    pub attribution: Option<Attribution>,
}

impl Record {
    /// The finding behind it; a hostname has none.
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Alert(alert) => Some(&alert.finding),
            Self::Summary(summary) => Some(&summary.finding),
            Self::Hostname(_) | Self::Flow(_) | Self::Blind(_) | Self::Stats(_) => None,
        }
    }

    /// Its kind, as in `event.dataset`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Alert(_) => "alert",
            Self::Summary(_) => "summary",
            Self::Hostname(_) => "hostname",
            Self::Flow(_) => "flow",
            Self::Blind(_) => "blind_spot",
            Self::Stats(_) => "stats",
        }
    }

    /// Its time.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Alert(alert) => alert.finding.contact.observation.at,
            Self::Summary(summary) => summary.last,
            Self::Hostname(observation) => observation.at,
            Self::Flow(flow) => flow.conversation.last,
            Self::Blind(blind) => blind.at,
            Self::Stats(stats) => stats.at,
        }
    }

    /// Its level: that a blind spot is there is for information; a hostname has none.
    pub fn level(&self) -> Option<Level> {
        match self {
            Self::Blind(_) => Some(Level::Informational),
            _ => self.finding().map(|finding| finding.level),
        }
    }
}

/// The inputs by [`Observation::source`], so that a record can say where it comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sources(Vec<Source>);

/// An input.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A capture file: its path; `-` is standard input.
    File(String),
    /// An interface: its name.
    Interface(String),
}

impl Sources {
    /// The source of an observation, if there is one with this number.
    pub fn get(&self, source: u32) -> Option<&Source> {
        self.0.get(usize::try_from(source).ok()?)
    }
}

impl FromIterator<Source> for Sources {
    fn from_iter<I: IntoIterator<Item = Source>>(sources: I) -> Self {
        Self(sources.into_iter().collect())
    }
}

/// What records say of a list entry.
struct Listed<'a> {
    suffix: &'a str,
    service: &'a str,
    category: &'a str,
    also: &'a [Box<str>],
    tier: u8,
}

impl Finding {
    /// The list entry; none where a rule fired on a connection whatever its server is called.
    fn listed(&self) -> Option<Listed<'_>> {
        let entry = &self.contact.entry;
        (!entry.is_of_rule()).then(|| Listed {
            suffix: &entry.suffix,
            service: entry.service(),
            category: entry.category(),
            also: &entry.about.also,
            tier: entry.tier.number(),
        })
    }

    /// The service, for people.
    fn service(&self) -> String {
        self.listed()
            .map_or_else(|| "(no service)".to_owned(), |listed| Printable(listed.service).to_string())
    }

    /// The name that was seen, for people; the server where there was none.
    fn name(&self) -> String {
        let observation = &self.contact.observation;
        match observation.seen_in {
            SeenIn::Address => observation.flow.dst.to_string(),
            _ => Printable(&observation.hostname).to_string(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    //! The records that the tests of all sinks write.

    use std::sync::Arc;

    use super::*;
    use crate::capture::Timestamp;
    use crate::flow::{Endpoint, Flow, Protocol};
    use crate::hostname::Hostname;
    use crate::inspect::tls::{self, KeptHello, Over};
    use crate::inspect::{Detail, SeenIn};
    use crate::lists::{Contact, Entry, Service, Tier};
    use crate::originator::{Attribution, WireClass};
    use crate::rules::Rule;

    pub(crate) const NOON: Timestamp = Timestamp::from_parts(1_795_176_000, 123_456_789);

    pub(crate) fn entry(service: &str, techniques: &[&str]) -> Arc<Entry> {
        let about = Service {
            name: Some(service.into()),
            category: "cloud-storage".into(),
            techniques: techniques.iter().map(|technique| (*technique).into()).collect(),
            list: "builtin".into(),
            ..Service::default()
        };
        Arc::new(Entry {
            suffix: "dropboxapi.com".into(),
            tier: Tier::Two,
            tenants: false,
            about: Arc::new(about),
        })
    }

    pub(crate) fn end(text: &str) -> Endpoint {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { ip: address.ip(), port: address.port() }
    }

    /// A hello of Chromium.
    pub(crate) fn chromium() -> KeptHello {
        static CHROMIUM: &[u8] = include_bytes!("../../tests/data/hellos/chromium-156.bin");
        let mut joined = Vec::new();
        tls::client_hello(CHROMIUM, &mut joined).found().unwrap().keep(Over::Tcp)
    }

    pub(crate) fn hello() -> Observation {
        Observation {
            at: NOON,
            source: 0,
            frame: 42,
            flow: Flow { src: end("10.0.0.7:50096"), dst: end("162.125.1.19:443"), protocol: Protocol::TCP },
            hostname: Hostname::new("api.dropboxapi.com").unwrap(),
            seen_in: SeenIn::TlsSni,
            detail: Detail::Hello(Box::new(chromium())),
            disagrees_with: Vec::new(),
            path: None,
        }
    }

    pub(crate) fn question(qtype: u16, qclass: u16) -> Observation {
        Observation {
            at: NOON,
            source: 0,
            frame: 41,
            flow: Flow {
                src: end("[2001:db8::7]:40000"),
                dst: end("[2001:db8::53]:53"),
                protocol: Protocol::UDP,
            },
            hostname: Hostname::new("api.dropboxapi.com").unwrap(),
            seen_in: SeenIn::DnsQuery,
            detail: Detail::Dns { qtype, qclass },
            disagrees_with: Vec::new(),
            path: None,
        }
    }

    pub(crate) fn finding(observation: Observation, level: Level) -> Finding {
        let contact = Contact { observation, entry: entry("Dropbox", &["T1102.002", "T1567.002"]) };
        Finding {
            contact,
            attribution: Attribution::no_telemetry(),
            originator: None,
            wire: WireClass::Unknown,
            allowed: None,
            level,
            rules: vec![
                Rule {
                    id: "tier-2".into(),
                    name: "Contact with a listed service".into(),
                    level,
                    decides: true,
                    ..Rule::default()
                }
                .into(),
            ],
        }
    }

    pub(crate) fn alert(observation: Observation, seen_in: &[SeenIn]) -> Alert {
        Alert {
            id: 0xab,
            update: false,
            told_as: None,
            first: Timestamp::from_nanos(NOON.as_nanos() - 1_000_000),
            finding: finding(observation, Level::Low),
            seen_in: seen_in.iter().copied().collect(),
        }
    }

    pub(crate) fn summary(level: Level) -> Summary {
        Summary {
            id: 0xab,
            finding: finding(hello(), level),
            first: NOON,
            last: Timestamp::from_parts(1_795_176_060, 0),
            count: 1234,
            connections: 1000,
            seen_in: [SeenIn::DnsQuery, SeenIn::TlsSni].into(),
            hostnames: ["api.dropboxapi.com", "content.dropboxapi.com"]
                .iter()
                .map(|name| Hostname::new(name).unwrap())
                .collect(),
            destinations: [end("162.125.1.19:0").ip].into_iter().collect(),
            ports: [443].into_iter().collect(),
            values_left_out: 0,
            one_path: true,
        }
    }

    pub(crate) fn capture() -> Sources {
        [Source::File("office.pcapng".into())].into_iter().collect()
    }

    #[test]
    fn a_source_that_is_not_there_is_nothing() {
        assert_eq!(capture().get(0), Some(&Source::File("office.pcapng".into())));
        assert_eq!(capture().get(1), None);
        assert_eq!(capture().get(u32::MAX), None);
    }
}
