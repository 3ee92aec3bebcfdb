//! An event of Windows (or of Sysmon for Linux), whichever way it was written: who wrote it, where, when, and its named values.

use super::document::Node;
use super::{Outcome, Tell, security, sysmon, values};
use crate::originator::record::{FeedKind, Text, Time};

/// An event.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    /// Its number among those of its provider.
    pub(super) id: u32,
    /// Its provider, or where that is not written its channel.
    pub(super) provider: Option<Text<'a>>,
    /// The host that it is of.
    pub(super) host: Option<Text<'a>>,
    /// Its number in its log.
    pub(super) number: Option<Text<'a>>,
    /// When it was written.
    pub(super) written: Option<Time>,
    /// When a collector took it, or another time of little worth.
    pub(super) received: Option<Time>,
    /// Its values.
    pub(super) data: Data<'a>,
}

/// The events that say something of processes, connections and names: Sysmon's, and those of the Security log.
pub(super) const fn matters(id: u32) -> bool {
    matches!(id, 1 | 3 | 5 | 22 | 4688 | 4689 | 5156)
}

impl Event<'_> {
    /// Tells what it says.
    pub(super) fn tell(self, tell: Tell<'_>) -> Outcome {
        match self.feed() {
            Some(feed @ (FeedKind::Sysmon | FeedKind::SysmonLinux)) => sysmon::tell(self, feed, tell),
            Some(_) => security::tell(self, tell),
            None => Outcome::PassedOver,
        }
    }

    /// Who wrote it. Some exports leave out both provider and channel; Sysmon's values have names that nobody else uses.
    pub(super) fn feed(&self) -> Option<FeedKind> {
        match self.provider.as_deref() {
            Some("Linux-Sysmon" | "Linux-Sysmon/Operational") => Some(FeedKind::SysmonLinux),
            Some("Microsoft-Windows-Security-Auditing" | "Security" | "security") => Some(FeedKind::Security),
            Some(provider) if provider.starts_with("Microsoft-Windows-Sysmon") => Some(FeedKind::Sysmon),
            None if self.data.utc_time.is_some() && self.id < 100 => Some(FeedKind::Sysmon),
            None if self.id > 4000 => Some(FeedKind::Security),
            _ => None,
        }
    }
}

macro_rules! data {
    ($($(#[$doc:meta])* $field:ident: $($name:literal)|+,)*) => {
        /// The values of an event that matter, without placeholders.
        #[derive(Debug, Default)]
        pub(super) struct Data<'a> {
            $($(#[$doc])* pub(super) $field: Option<Text<'a>>,)*
        }

        impl<'a> Data<'a> {
            /// Takes the value of a name.
            pub(super) fn set(&mut self, name: &str, value: impl FnOnce() -> Option<Text<'a>>) {
                match name {
                    $($($name)|+ => self.$field = value().and_then(values::text),)*
                    _ => {}
                }
            }
        }
    };
}

data! {
    utc_time: "UtcTime",
    guid: "ProcessGuid",
    /// In decimal (Sysmon, 5156), or in hexadecimal (4688, 4689).
    pid: "ProcessId",
    image: "Image",
    user: "User",
    command_line: "CommandLine",
    directory: "CurrentDirectory",
    original_name: "OriginalFileName",
    integrity: "IntegrityLevel",
    hashes: "Hashes",
    parent_guid: "ParentProcessGuid",
    parent_pid: "ParentProcessId",
    parent_image: "ParentImage",
    parent_command_line: "ParentCommandLine",
    parent_user: "ParentUser",
    protocol: "Protocol",
    initiated: "Initiated",
    source_ip: "SourceIp" | "SourceAddress",
    source_port: "SourcePort",
    destination_ip: "DestinationIp" | "DestAddress",
    destination_port: "DestinationPort" | "DestPort",
    destination_name: "DestinationHostname",
    query_name: "QueryName",
    query_status: "QueryStatus",
    query_results: "QueryResults",
    application: "Application",
    direction: "Direction",
    new_pid: "NewProcessId",
    new_name: "NewProcessName",
    parent_name: "ParentProcessName",
    process_name: "ProcessName",
    subject_user: "SubjectUserName",
    subject_domain: "SubjectDomainName",
    target_user: "TargetUserName",
    target_domain: "TargetDomainName",
}

impl<'a> Data<'a> {
    /// Takes the fields of a JSON object.
    pub(super) fn set_all(&mut self, object: Node<'a>) {
        for (name, value) in object.children() {
            self.set(name, || value.as_text());
        }
    }
}

/// A process id, as a text in decimal or hexadecimal.
pub(super) fn pid(text: Option<&Text<'_>>) -> Option<u32> {
    text.and_then(|text| values::number(text)).and_then(|pid| u32::try_from(pid).ok())
}
