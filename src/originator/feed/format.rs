//! The formats by name, for whoever states which it is.

use std::fmt;
use std::str::FromStr;

use super::document::Node;
use super::{
    Outcome, Tell, auditbeat, azure, crowdstrike, defender, elastic_defend, flat, ocsf, osquery,
    sentinel_one, sysmon_linux, tetragon, winlogbeat,
};

/// How records are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FeedFormat {
    /// Events of Windows, or of Sysmon for Linux, as XML; in lines of syslog too.
    EventXml,
    /// An event log file of Windows (`.evtx`).
    Evtx,
    /// Events of Windows as flat JSON: NXLog, PowerShell, winlogbeat before its seventh version.
    EventJson,
    /// Events of Windows as Azure Monitor has them, with their data in a column.
    AzureEvent,
    /// Events of Sysmon for Linux as Azure Monitor has them, in rows of syslog.
    AzureSyslog,
    /// winlogbeat, with or without its module for Sysmon.
    Winlogbeat,
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

impl FeedFormat {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::EventXml,
        Self::Evtx,
        Self::EventJson,
        Self::AzureEvent,
        Self::AzureSyslog,
        Self::Winlogbeat,
        Self::ElasticDefend,
        Self::Auditbeat,
        Self::Defender,
        Self::CrowdStrike,
        Self::SentinelOne,
        Self::Tetragon,
        Self::Osquery,
        Self::Ocsf,
    ];

    /// Its name on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EventXml => "event-xml",
            Self::Evtx => "evtx",
            Self::EventJson => "event-json",
            Self::AzureEvent => "azure-event",
            Self::AzureSyslog => "azure-syslog",
            Self::Winlogbeat => "winlogbeat",
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

    /// Reads a record of it; `None` where its records are no JSON or rows.
    pub(super) fn read(self, record: Node<'_>, tell: Tell<'_>) -> Option<Outcome> {
        Some(match self {
            Self::EventXml | Self::Evtx => return None,
            Self::EventJson => flat::read(record, tell),
            Self::AzureEvent => azure::read(record, tell),
            Self::AzureSyslog => sysmon_linux::read(record, tell),
            Self::Winlogbeat => winlogbeat::read(record, tell),
            Self::ElasticDefend => elastic_defend::read(record, tell),
            Self::Auditbeat => auditbeat::read(record, tell),
            Self::Defender => defender::read(record, tell),
            Self::CrowdStrike => crowdstrike::read(record, tell),
            Self::SentinelOne => sentinel_one::read(record, tell),
            Self::Tetragon => tetragon::read(record, tell),
            Self::Osquery => osquery::read(record, tell),
            Self::Ocsf => ocsf::read(record, tell),
        })
    }
}

impl fmt::Display for FeedFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no format's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NoFormat(String);

impl fmt::Display for NoFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = FeedFormat::ALL.map(FeedFormat::as_str).join(", ");
        write!(f, "'{}' is no format of telemetry; known are {known}", self.0)
    }
}

impl std::error::Error for NoFormat {}

impl FromStr for FeedFormat {
    type Err = NoFormat;

    fn from_str(name: &str) -> Result<Self, NoFormat> {
        let known = Self::ALL.into_iter().find(|format| format.as_str() == name);
        known.ok_or_else(|| NoFormat(name.to_owned()))
    }
}
