//! CrowdStrike's Falcon Data Replicator: events whose every value is a text.
//!
//! A process is told by the agent and the sensor's own number for it (`TargetProcessId` of its start, `ContextProcessId` of what it does),
//! which is not that of the operating system (`RawProcessId`). `aip` is the address that the cloud saw, never the host's own.

use std::borrow::Cow;
use std::net::IpAddr;

use super::document::Node;
use super::{Outcome, Refusal, Tell, time, values};
use crate::originator::record::{
    Clock, Connection, End, FeedKind, Parent, Process, Query, Record, Said, Side, Text, Time,
};

/// The most addresses or aliases that are taken of one answer.
const MAX_ANSWERS: usize = 256;

/// Tells what an event says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let Some(kind) = record.text("event_simpleName") else { return Outcome::PassedOver };
    let agent = record.text("aid");
    let agent_id = agent.as_deref();
    let said = match &*kind {
        "ProcessRollup2" | "SyntheticProcessRollup2" => start(record, agent_id),
        "EndOfProcess" => process(record, agent_id, "TargetProcessId").map(Said::End),
        "NetworkConnectIP4" | "NetworkConnectIP6" => connection(record, agent_id, true),
        "NetworkReceiveAcceptIP4" | "NetworkReceiveAcceptIP6" => connection(record, agent_id, false),
        "DnsRequest" | "SuspiciousDnsRequest" => query(record, agent_id),
        "LocalIpAddressIP4" | "LocalIpAddressIP6" => addresses(record),
        _ => return Outcome::PassedOver,
    };
    let what = match said {
        Ok(what) => what,
        Err(why) => return Outcome::Refused(why),
    };
    let Some(host) = record.text("ComputerName").or_else(|| agent.clone()) else {
        return Outcome::Refused(Refusal::NoHost);
    };
    let at = |name| record.text(name).and_then(|text| time::seconds(&text));
    let began = at("ProcessStartTime").filter(|_| matches!(what, Said::Start(_)));
    let seen = began.or_else(|| at("ContextTimeStamp")).map(|at| Time { at, clock: Clock::Event });
    let received = record.number("timestamp").and_then(|count| i64::try_from(count).ok());
    let received = received.map(|count| Time { at: time::milliseconds(count), clock: Clock::Received });
    let mut times = [seen, received].into_iter().flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    tell(Record {
        feed: FeedKind::CrowdStrike,
        id: record.text("id"),
        kind,
        host,
        host_id: agent,
        time,
        second: times.next(),
        what,
    });
    Outcome::Told
}

/// The process whose number stands in a field.
fn process<'d>(record: Node<'d>, agent: Option<&str>, number: &str) -> Result<Process<'d>, Refusal> {
    let key = key(agent, record.text(number));
    // The number of the system is that of the process which an event is about.
    let pid = record.small("RawProcessId").filter(|_| number == "TargetProcessId");
    if pid.is_none() && key.is_none() {
        return Err(Refusal::NoProcess);
    }
    Ok(Process { pid, key, name: record.text("ContextBaseFileName"), ..Process::default() })
}

fn start<'d>(record: Node<'d>, agent: Option<&str>) -> Result<Said<'d>, Refusal> {
    let digest = |name| record.text(name);
    let (image, name) = values::image(record.text("ImageFileName"));
    let started = record.text("ProcessStartTime").and_then(|text| time::seconds(&text));
    let is_running = record.text("event_simpleName").is_some_and(|kind| kind.starts_with("Synthetic"));
    let process = process(record, agent, "TargetProcessId")?;
    Ok(Said::Start(Process {
        image,
        name,
        command_line: record.text("CommandLine"),
        user: record.text("UserName").or_else(|| record.text("UserSid")),
        started: started.filter(|_| is_running).map(|at| Time { at, clock: Clock::Event }),
        sha256: digest("SHA256HashData").and_then(|digest| values::hash_of::<64>(&digest)),
        sha1: digest("SHA1HashData").and_then(|digest| values::hash_of::<40>(&digest)),
        md5: digest("MD5HashData").and_then(|digest| values::hash_of::<32>(&digest)),
        integrity: record.text("IntegrityLevel"),
        parent: values::parent(Parent {
            key: key(agent, record.text("ParentProcessId")),
            name: record.text("ParentBaseFileName"),
            ..Parent::default()
        }),
        ..process
    }))
}

fn connection<'d>(record: Node<'d>, agent: Option<&str>, connects: bool) -> Result<Said<'d>, Refusal> {
    let end = |four: &str, six: &str, port: &str| {
        let ip = record.text(four).or_else(|| record.text(six)).and_then(|text| values::address(&text));
        let port = record.small(port).filter(|port| *port > 0);
        ip.map(|ip| End { ip, port }).ok_or(Refusal::NoAddress)
    };
    let initiated = match record.text("ConnectionDirection").as_deref() {
        Some("0") => Some(true),
        Some("1") => Some(false),
        _ => Some(connects),
    };
    Ok(Said::Connection(Connection {
        process: process(record, agent, "ContextProcessId")?,
        protocol: record.text("Protocol").as_deref().and_then(values::protocol),
        ends: [
            end("LocalAddressIP4", "LocalAddressIP6", "LocalPort")?,
            end("RemoteAddressIP4", "RemoteAddressIP6", "RemotePort")?,
        ],
        local: Some(Side::First),
        initiated,
        name: None,
        count: 1,
    }))
}

fn query<'d>(record: Node<'d>, agent: Option<&str>) -> Result<Said<'d>, Refusal> {
    let list = |name: &str| -> Vec<String> {
        let text = record.text(name).unwrap_or_default();
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        parts.take(MAX_ANSWERS).map(str::to_owned).collect()
    };
    let addresses: Vec<IpAddr> = ["IP4Records", "IP6Records"]
        .into_iter()
        .flat_map(list)
        .filter_map(|address| values::address(&address))
        .collect();
    Ok(Said::Query(Query {
        process: process(record, agent, "ContextProcessId")?,
        name: record.text("DomainName").ok_or(Refusal::NoName)?,
        addresses,
        aliases: list("CNAMERecords").into_iter().map(Cow::Owned).collect(),
        status: record.text("QueryStatus"),
    }))
}

fn addresses(record: Node<'_>) -> Result<Said<'_>, Refusal> {
    let text = record.text("LocalAddressIP4").or_else(|| record.text("LocalAddressIP6"));
    let address = text.and_then(|text| values::address(&text)).filter(values::is_own);
    address.map(|address| Said::Addresses(vec![address])).ok_or(Refusal::NoAddress)
}

/// What tells a process from all others: the agent, and its sensor's number.
fn key<'d>(agent: Option<&str>, number: Option<Text<'d>>) -> Option<Text<'d>> {
    Some(Cow::Owned(format!("{}/{}", agent?, number.filter(|number| number != "0")?)))
}
