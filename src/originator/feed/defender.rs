//! Microsoft Defender for Endpoint: rows of DeviceNetworkEvents, DeviceProcessEvents and DeviceNetworkInfo, as records of the streaming
//! API, as answers of the hunting APIs, as rows of Log Analytics, and as the portal's CSV.
//!
//! Every column may be missing: a query projects what it likes. A process is told by the device, its number and the moment it was created,
//! for numbers are used again. What the built-in network inspection tells (`…Inspected`) has no process, and is passed over.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr};

use super::document::{Document, Node};
use super::{Outcome, Refusal, Tell, time, values};
use crate::capture::Timestamp;
use crate::originator::record::{
    Clock, Connection, End, FeedKind, NameKind, Parent, Process, Record, Said, Side, Text, Time,
};

/// What the categories of the streaming API begin with.
const MARK: &str = "AdvancedHunting-";

/// Where the table is told, instead of a kind of event.
const NETWORK_INFO: &str = "DeviceNetworkInfo";

/// What Log Analytics adds to a column that had values of several types.
const TYPES: [&str; 10] =
    ["_string", "_long", "_int", "_datetime", "_dynamic", "_guid", "_s", "_d", "_t", "_g"];

/// The most addresses that are taken of a device.
const MAX_ADDRESSES: usize = 256;

/// Whether a record looks like one of them.
pub(super) fn is(record: Node<'_>) -> bool {
    let row = row(record);
    (row.has("DeviceId") || row.has("DeviceName"))
        && [
            "ActionType",
            "InitiatingProcessFileName",
            "InitiatingProcessId",
            "IPAddresses",
            "RemoteIP",
            "ProcessId",
        ]
        .into_iter()
        .any(|column| row.has(column))
        || record.text("category").is_some_and(|category| category.starts_with(MARK))
}

/// Whether the category behind its mark, in a JSON text, is one that says nothing here.
pub(super) fn is_other(behind: &[u8]) -> bool {
    !["DeviceNetworkEvents\"", "DeviceProcessEvents\"", "DeviceNetworkInfo\""]
        .into_iter()
        .any(|table| behind.starts_with(table.as_bytes()))
}

/// The row itself, out of the envelope of the streaming API.
fn row(record: Node<'_>) -> Node<'_> {
    record.get("properties").filter(|properties| properties.is_object()).unwrap_or(record)
}

/// Tells what a record says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let table = record.text("category").or_else(|| record.text("Type"));
    let table = table.as_deref().map(|table| table.strip_prefix(MARK).unwrap_or(table));
    let row = Row(row(record));
    let Some(kind) = kind(table, row) else { return Outcome::PassedOver };
    let device = row.text("DeviceId");
    let Some(host) = row.text("DeviceName").or_else(|| device.clone()) else {
        return Outcome::Refused(Refusal::NoHost);
    };
    let said = match &*kind {
        NETWORK_INFO => addresses(row),
        "ProcessCreated" => start(row, device.as_deref()),
        _ => connection(row, device.as_deref(), &kind),
    };
    let what = match said {
        Ok(Some(what)) => what,
        Ok(None) => return Outcome::PassedOver,
        Err(why) => return Outcome::Refused(why),
    };
    let clock = if kind.ends_with(AGGREGATED) { Clock::Bucket } else { Clock::Event };
    let created = row.time("ProcessCreationTime", clock).filter(|_| matches!(what, Said::Start(_)));
    let stamped = row.time("Timestamp", clock).or_else(|| row.time("TimeGenerated", clock));
    let received = Row(record).time("time", Clock::Received);
    let mut times = [created.or(stamped), received].into_iter().flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    let report = row.text("ReportId");
    tell(Record {
        feed: FeedKind::Defender,
        // A report's number begins anew with the device; with the time it is unique.
        id: report.map(|report| Cow::Owned(format!("{report}/{}", stamped.unwrap_or(time).at.as_nanos()))),
        kind,
        host,
        host_id: device,
        time,
        second: times.next(),
        what,
    });
    Outcome::Told
}

/// What the name of an hourly summary ends with.
const AGGREGATED: &str = "AggregatedReport";

/// What kind of record a row is, if it is one that says something.
fn kind<'d>(table: Option<&str>, row: Row<'d>) -> Option<Text<'d>> {
    match table {
        Some(NETWORK_INFO) => return Some(Cow::Borrowed(NETWORK_INFO)),
        Some(table)
            if table.starts_with("Device")
                && !matches!(table, "DeviceNetworkEvents" | "DeviceProcessEvents") =>
        {
            return None;
        }
        _ => {}
    }
    match row.text("ActionType") {
        Some(kind) => {
            let summed = kind.strip_suffix(AGGREGATED).unwrap_or(&kind);
            let matters = matches!(
                summed,
                "ProcessCreated"
                    | "ConnectionAttempt"
                    | "ConnectionRequest"
                    | "ConnectionSuccess"
                    | "ConnectionFailed"
                    | "ConnectionFound"
                    | "ConnectionAcknowledged"
                    | "InboundConnectionAccepted"
                    | "InboundConnectionAttempted"
            );
            matters.then_some(kind)
        }
        // The kind was not projected: the columns tell.
        None if row.text("RemoteIP").is_some() => Some(Cow::Borrowed("Connection")),
        None if row.text("IPAddresses").is_some() => Some(Cow::Borrowed(NETWORK_INFO)),
        None if row.text("ProcessId").is_some() => Some(Cow::Borrowed("ProcessCreated")),
        None => None,
    }
}

fn start<'d>(row: Row<'d>, device: Option<&str>) -> Result<Option<Said<'d>>, Refusal> {
    let created = row.time("ProcessCreationTime", Clock::Event);
    let pid = row.number("ProcessId").ok_or(Refusal::NoProcess)?;
    let (image, name) = file(row.text("FolderPath"), row.text("FileName"));
    let mut process = Process {
        pid: Some(pid),
        key: key(device, pid, created.map(|time| time.at)),
        image,
        name,
        original_name: row.text("ProcessVersionInfoOriginalFileName"),
        command_line: row.text("ProcessCommandLine"),
        user: values::user(row.text("AccountDomain"), row.text("AccountName")),
        integrity: row.text("ProcessIntegrityLevel"),
        ..Process::default()
    };
    row.hashes("", &mut process);
    let (image, name) = file(row.text("InitiatingProcessFolderPath"), row.text("InitiatingProcessFileName"));
    let started = row.time("InitiatingProcessCreationTime", Clock::Event).map(|time| time.at);
    let pid = row.number("InitiatingProcessId");
    process.parent = values::parent(Parent {
        pid,
        key: pid.and_then(|pid| key(device, pid, started)),
        image,
        name,
        command_line: row.text("InitiatingProcessCommandLine"),
        user: values::user(
            row.text("InitiatingProcessAccountDomain"),
            row.text("InitiatingProcessAccountName"),
        ),
        started,
    });
    Ok(Some(Said::Start(process)))
}

fn connection<'d>(row: Row<'d>, device: Option<&str>, kind: &str) -> Result<Option<Said<'d>>, Refusal> {
    let Some(process) = initiator(row, device) else { return Ok(None) };
    let remote =
        values::address(&row.text("RemoteIP").ok_or(Refusal::NoAddress)?).ok_or(Refusal::NoAddress)?;
    let local = row.text("LocalIP").and_then(|text| values::address(&text));
    let end = |ip, port| End {
        ip,
        port: row.number(port).and_then(|port| port.try_into().ok()).filter(|port| *port > 0),
    };
    let initiated = match kind {
        kind if kind.starts_with("Inbound") => Some(false),
        kind if kind.starts_with("ConnectionFound") || kind.starts_with("ConnectionAcknowledged") => None,
        "Connection" => None,
        _ => Some(true),
    };
    Ok(Some(Said::Connection(Connection {
        process,
        protocol: row.text("Protocol").as_deref().and_then(values::protocol),
        ends: [
            end(local.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), "LocalPort"),
            end(remote, "RemotePort"),
        ],
        local: Some(Side::First),
        initiated,
        name: row.text("RemoteUrl").map(|name| (name, NameKind::Vendor)),
        count: count(row),
    })))
}

/// The process that a row names as the one who acted.
fn initiator<'d>(row: Row<'d>, device: Option<&str>) -> Option<Process<'d>> {
    let pid = row.number("InitiatingProcessId").filter(|pid| *pid > 0);
    let (image, name) = file(row.text("InitiatingProcessFolderPath"), row.text("InitiatingProcessFileName"));
    if pid.is_none() && image.is_none() && name.is_none() {
        return None;
    }
    let started = row.time("InitiatingProcessCreationTime", Clock::Event);
    let parent = row.number("InitiatingProcessParentId").filter(|pid| *pid > 0);
    let parent_started = row.time("InitiatingProcessParentCreationTime", Clock::Event).map(|time| time.at);
    let mut process = Process {
        pid,
        key: pid.and_then(|pid| key(device, pid, started.map(|time| time.at))),
        image,
        name,
        original_name: row.text("InitiatingProcessVersionInfoOriginalFileName"),
        command_line: row.text("InitiatingProcessCommandLine"),
        user: values::user(
            row.text("InitiatingProcessAccountDomain"),
            row.text("InitiatingProcessAccountName"),
        ),
        started,
        integrity: row.text("InitiatingProcessIntegrityLevel"),
        parent: values::parent(Parent {
            pid: parent,
            key: parent.and_then(|pid| key(device, pid, parent_started)),
            name: row.text("InitiatingProcessParentFileName"),
            started: parent_started,
            ..Parent::default()
        }),
        ..Process::default()
    };
    row.hashes("InitiatingProcess", &mut process);
    Some(process)
}

/// How many connections a summary stands for.
fn count(row: Row<'_>) -> u32 {
    let path = "uniqueEventsAggregated";
    let Some(additional) = row.column("AdditionalFields") else { return 1 };
    let count = match additional.as_str() {
        // It is a JSON text more often than an object.
        Some(text) => Document::parse(text).ok().and_then(|inner| inner.root().small(path)),
        None => additional.small(path),
    };
    count.filter(|count| *count > 0).unwrap_or(1)
}

fn addresses(row: Row<'_>) -> Result<Option<Said<'_>>, Refusal> {
    let list = row.column("IPAddresses").ok_or(Refusal::NoAddress)?;
    let read = |list: Node<'_>| -> Vec<IpAddr> {
        let address = |entry: Node<'_>| entry.text("IPAddress").and_then(|text| values::address(&text));
        list.children()
            .filter_map(|(_, entry)| address(entry))
            .filter(values::is_own)
            .take(MAX_ADDRESSES)
            .collect()
    };
    let addresses = match list.as_str() {
        Some(text) => {
            Document::parse(text).map(|inner| read(inner.root())).map_err(|_| Refusal::NoAddress)?
        }
        None => read(list),
    };
    if addresses.is_empty() {
        return Err(Refusal::NoAddress);
    }
    Ok(Some(Said::Addresses(addresses)))
}

/// What tells a process from all others: the device, its number, and when it was created.
fn key<'d>(device: Option<&str>, pid: u32, created: Option<Timestamp>) -> Option<Text<'d>> {
    Some(Cow::Owned(format!("{}/{pid}/{}", device?, created?.as_nanos())))
}

/// The path and the name of a file. The column for the folder mostly ends with the file.
fn file<'d>(folder: Option<Text<'d>>, name: Option<Text<'d>>) -> (Option<Text<'d>>, Option<Text<'d>>) {
    match (folder, name) {
        (Some(folder), Some(name)) => {
            let last = folder.rsplit(['\\', '/']).next().unwrap_or_default();
            match last.eq_ignore_ascii_case(&name) {
                true => (Some(folder), None),
                false => {
                    let separator = if folder.contains('\\') { '\\' } else { '/' };
                    let folder = folder.trim_end_matches(separator);
                    (Some(Cow::Owned(format!("{folder}{separator}{name}"))), None)
                }
            }
        }
        (Some(path), None) => (Some(path), None),
        (None, name) => (None, name),
    }
}

/// A row, whose columns may have been split by type.
#[derive(Clone, Copy)]
struct Row<'d>(Node<'d>);

impl<'d> Row<'d> {
    fn column(self, name: &str) -> Option<Node<'d>> {
        self.0.children().find_map(|(column, node)| {
            let rest = column.strip_prefix(name)?;
            ((rest.is_empty() || TYPES.contains(&rest))
                && (node.as_text().is_some() || node.is_object() || node.is_array()))
            .then_some(node)
        })
    }

    fn text(self, name: &str) -> Option<Text<'d>> {
        self.column(name)?.as_text()
    }

    fn number(self, name: &str) -> Option<u32> {
        self.column(name)?.as_number()?.try_into().ok()
    }

    /// A time. One without a zone is what the portal showed, which may be local.
    fn time(self, name: &str, clock: Clock) -> Option<Time> {
        let text = self.text(name)?;
        let zoned =
            text.ends_with(['Z', 'z']) || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
        let clock = if zoned || clock != Clock::Event { clock } else { Clock::Logged };
        time::timestamp(&text).map(|at| Time { at, clock })
    }

    fn hashes(self, prefix: &str, process: &mut Process<'_>) {
        let text = |name: &str| self.text(&format!("{prefix}{name}"));
        process.sha256 = text("SHA256").and_then(|digest| values::hash_of::<64>(&digest));
        process.sha1 = text("SHA1").and_then(|digest| values::hash_of::<40>(&digest));
        process.md5 = text("MD5").and_then(|digest| values::hash_of::<32>(&digest));
    }
}
