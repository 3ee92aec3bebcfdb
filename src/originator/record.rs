//! What endpoint telemetry says, whatever wrote it: the one model into which every feed format is turned.
//!
//! Texts borrow from the bytes that were read, so that a record costs no allocation until something of it is kept. What a feed leaves
//! out, or writes as a placeholder (`-`, an empty text, `null`, a GUID of zeros), is `None`. Every time keeps the kind of
//! its clock, for some of them are off by days.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::capture::Timestamp;
use crate::flow::Protocol;

/// A text of a record.
pub type Text<'a> = Cow<'a, str>;

/// The telemetry that a record comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum FeedKind {
    /// Sysmon on Windows, in any of its spellings.
    Sysmon,
    /// Sysmon for Linux.
    SysmonLinux,
    /// The Security log of Windows.
    Security,
    /// Elastic Defend.
    ElasticDefend,
    /// Auditbeat.
    Auditbeat,
    /// Microsoft Defender for Endpoint.
    Defender,
    /// CrowdStrike's Falcon Data Replicator.
    CrowdStrike,
    /// SentinelOne's Cloud Funnel.
    SentinelOne,
    /// Tetragon.
    Tetragon,
    /// osquery.
    Osquery,
    /// The Open Cybersecurity Schema Framework.
    Ocsf,
}

impl FeedKind {
    /// The word in records and summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sysmon => "sysmon",
            Self::SysmonLinux => "sysmon-linux",
            Self::Security => "security",
            Self::ElasticDefend => "elastic-defend",
            Self::Auditbeat => "auditbeat",
            Self::Defender => "defender",
            Self::CrowdStrike => "crowdstrike",
            Self::SentinelOne => "sentinel-one",
            Self::Tetragon => "tetragon",
            Self::Osquery => "osquery",
            Self::Ocsf => "ocsf",
        }
    }
}

/// A record of a feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<'a> {
    /// What wrote it.
    pub feed: FeedKind,
    /// Its kind in that feed's own words: `3` (Sysmon's event), `connection_attempted`, `ConnectionSuccess`.
    pub kind: Text<'a>,
    /// What makes it unique among the host's records, where the feed has such: a record number, an event id.
    pub id: Option<Text<'a>>,
    /// The endpoint's name as the feed writes it, short or fully qualified; never the collector's.
    pub host: Text<'a>,
    /// The endpoint's identity where the feed has one that outlives its name: a device or agent id.
    pub host_id: Option<Text<'a>>,
    /// The best time that it has.
    pub time: Time,
    /// Another time that it has.
    pub second: Option<Time>,
    /// What it says.
    pub what: Said<'a>,
}

/// A time in a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Time {
    /// The time.
    pub at: Timestamp,
    /// What kind of clock it was read from.
    pub clock: Clock,
}

/// The clocks that records are stamped by.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Clock {
    /// When it happened, by the host's clock.
    Event,
    /// When it happened, by a clock that follows no correction (`UtcTime` in Sysmon's events 3 and 22): off by seconds to days.
    Skewed,
    /// When the record was written, by the host's clock, perhaps in a mislabelled time zone; seconds late.
    Logged,
    /// When a collector took it.
    Received,
    /// The beginning of an interval in which it happened.
    Bucket,
}

impl Clock {
    /// The word in summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Skewed => "trace",
            Self::Logged => "written",
            Self::Received => "received",
            Self::Bucket => "bucket",
        }
    }
}

/// What a record says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said<'a> {
    /// A process began, or was found running (`already_running`).
    Start(Process<'a>),
    /// A process ended.
    End(Process<'a>),
    /// A process had a connection.
    Connection(Connection<'a>),
    /// A process asked for a name.
    Query(Query<'a>),
    /// The host has these addresses.
    Addresses(Vec<IpAddr>),
}

/// A process, as far as a record speaks of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Process<'a> {
    /// The operating system's number.
    pub pid: Option<u32>,
    /// The strongest identity that the feed has, as it writes it, in lower case and without braces: a GUID, an entity id. Feeds whose
    /// key is made of several columns join them with `/`.
    pub key: Option<Text<'a>>,
    /// The whole path of its file.
    pub image: Option<Text<'a>>,
    /// The name of its file, where the path is not known. On Linux it may be cut at 15 bytes.
    pub name: Option<Text<'a>>,
    /// The name that its file was built with (`OriginalFileName`).
    pub original_name: Option<Text<'a>>,
    /// How it was called.
    pub command_line: Option<Text<'a>>,
    /// The directory that it was started in.
    pub directory: Option<Text<'a>>,
    /// Who runs it: `DOMAIN\name`, or `name`.
    pub user: Option<Text<'a>>,
    /// When it began, where the record says so of a process that it did not begin.
    pub started: Option<Time>,
    /// SHA-256 of its file, in lower case.
    pub sha256: Option<Text<'a>>,
    /// SHA-1 of its file, in lower case.
    pub sha1: Option<Text<'a>>,
    /// MD5 of its file, in lower case.
    pub md5: Option<Text<'a>>,
    /// Who signed its file, where the signature was found good.
    pub signer: Option<Text<'a>>,
    /// Its integrity level in the feed's words.
    pub integrity: Option<Text<'a>>,
    /// The container that it runs in.
    pub container: Option<Text<'a>>,
    /// The container's name.
    pub container_name: Option<Text<'a>>,
    /// The pod that the container is of: its namespace and its name, with `/` between them, or its name alone.
    pub pod: Option<Text<'a>>,
    /// Who started it.
    pub parent: Option<Parent<'a>>,
}

/// Who started a process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parent<'a> {
    /// The operating system's number.
    pub pid: Option<u32>,
    /// As [`Process::key`].
    pub key: Option<Text<'a>>,
    /// The whole path of its file.
    pub image: Option<Text<'a>>,
    /// The name of its file.
    pub name: Option<Text<'a>>,
    /// How it was called.
    pub command_line: Option<Text<'a>>,
    /// Who runs it.
    pub user: Option<Text<'a>>,
    /// When it began.
    pub started: Option<Timestamp>,
}

/// A connection of a process.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection<'a> {
    /// Whose it is.
    pub process: Process<'a>,
    /// TCP, UDP, or another; `None` where the record does not say.
    pub protocol: Option<Protocol>,
    /// Its ends, in the order of the record, which need not be that of the wire.
    pub ends: [End; 2],
    /// Which of the two is the endpoint's own, where the record says so.
    pub local: Option<Side>,
    /// Whether the endpoint began it.
    pub initiated: Option<bool>,
    /// The name that the record gives the other end, and what kind of name that is.
    pub name: Option<(Text<'a>, NameKind)>,
    /// How many connections it stands for; 1 but in summed-up records.
    pub count: u32,
}

/// An end of a connection in a record.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct End {
    /// The address: a mapped IPv4 address as IPv4, without a zone. Where the record does not tell it, the unspecified one.
    pub ip: IpAddr,
    /// The port, where the record has it.
    pub port: Option<u16>,
}

/// One of the two ends.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// The first.
    First,
    /// The second.
    Second,
}

/// What kind of name a record gives the other end.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum NameKind {
    /// A reverse lookup of its address, which says nothing of what was asked for, and never satisfies a rule.
    Reverse,
    /// The name that the program asked for.
    Asked,
    /// What the vendor makes of it: a URL, a host, or both in turn.
    Vendor,
}

/// A question of a process to DNS.
#[derive(Clone, Debug, PartialEq)]
pub struct Query<'a> {
    /// Who asked.
    pub process: Process<'a>,
    /// For what, as the record writes it.
    pub name: Text<'a>,
    /// The addresses in the answer.
    pub addresses: Vec<IpAddr>,
    /// The other names in the answer.
    pub aliases: Vec<Text<'a>>,
    /// The result in the feed's words: `0`, `9003`, `NXDOMAIN`.
    pub status: Option<Text<'a>>,
}
