//! SentinelOne's Cloud Funnel: flat events with dotted keys, the time in milliseconds.
//!
//! What a service did on behalf of a process is told of that process (`src.process`); the service stands beside it (`osSrc.process`).
//! The types of events are written with and without spaces.

use std::borrow::Cow;
use std::net::IpAddr;

use super::document::Node;
use super::{Outcome, Refusal, Tell, time, values};
use crate::capture::Timestamp;
use crate::originator::record::{
    Clock, Connection, End, FeedKind, Parent, Process, Query, Record, Said, Side, Text, Time,
};

/// The most addresses that are taken of one answer.
const MAX_ANSWERS: usize = 256;

/// Tells what an event says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let Some(kind) = record.text("event.type") else { return Outcome::PassedOver };
    let plain: String = kind.chars().filter(|character| *character != ' ').collect();
    let agent = record.text("agent.uuid");
    let said = match plain.as_str() {
        "ProcessCreation" => process(record, agent.as_deref(), "tgt.process.").map(|mut process| {
            process.parent = values::parent(parent(record, agent.as_deref(), "src.process."));
            process.started = None;
            Said::Start(process)
        }),
        "ProcessTermination" | "ProcessExit" => {
            process(record, agent.as_deref(), "src.process.").map(Said::End)
        }
        "IPConnect" => connection(record, agent.as_deref()),
        "DNSResolved" | "DNSUnresolved" => query(record, agent.as_deref()),
        _ => return Outcome::PassedOver,
    };
    let what = match said {
        Ok(what) => what,
        Err(why) => return Outcome::Refused(why),
    };
    let Some(host) = record.text("endpoint.name").or_else(|| agent.clone()) else {
        return Outcome::Refused(Refusal::NoHost);
    };
    let at = |path| milliseconds(record, path);
    let received = at("sca:atlantisIngestTime").map(|at| Time { at, clock: Clock::Received });
    let seen = at("event.time").map(|at| Time { at, clock: Clock::Event });
    let mut times = [seen, received].into_iter().flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    tell(Record {
        feed: FeedKind::SentinelOne,
        id: record.text("event.id"),
        kind,
        host,
        host_id: agent,
        time,
        second: times.next(),
        what,
    });
    Outcome::Told
}

fn milliseconds(record: Node<'_>, path: &str) -> Option<Timestamp> {
    record.number(path).and_then(|count| i64::try_from(count).ok()).map(time::milliseconds)
}

/// The process whose fields stand behind a prefix.
fn process<'d>(record: Node<'d>, agent: Option<&str>, prefix: &str) -> Result<Process<'d>, Refusal> {
    let text = |name: &str| record.text(&format!("{prefix}{name}"));
    let pid = record.small(&format!("{prefix}pid"));
    let key = key(agent, text("uid"));
    if pid.is_none() && key.is_none() {
        return Err(Refusal::NoProcess);
    }
    let (image, name) = values::image(text("image.path"));
    let is_signed = text("signedStatus").is_some_and(|status| status == "signed")
        && text("verifiedStatus").is_none_or(|status| status == "verified");
    Ok(Process {
        pid,
        key,
        name: if image.is_some() { None } else { name.or_else(|| text("name")) },
        image,
        command_line: text("cmdline"),
        user: text("user"),
        started: milliseconds(record, &format!("{prefix}startTime"))
            .map(|at| Time { at, clock: Clock::Event }),
        sha256: text("image.sha256").and_then(|digest| values::hash_of::<64>(&digest)),
        sha1: text("image.sha1").and_then(|digest| values::hash_of::<40>(&digest)),
        md5: text("image.md5").and_then(|digest| values::hash_of::<32>(&digest)),
        signer: text("publisher").filter(|_| is_signed),
        integrity: text("integrityLevel"),
        parent: values::parent(parent(record, agent, &format!("{prefix}parent."))),
        ..Process::default()
    })
}

fn parent<'d>(record: Node<'d>, agent: Option<&str>, prefix: &str) -> Parent<'d> {
    let text = |name: &str| record.text(&format!("{prefix}{name}"));
    let (image, name) = values::image(text("image.path"));
    Parent {
        pid: record.small(&format!("{prefix}pid")),
        key: key(agent, text("uid")),
        name: if image.is_some() { None } else { name.or_else(|| text("name")) },
        image,
        command_line: text("cmdline"),
        user: text("user"),
        started: milliseconds(record, &format!("{prefix}startTime")),
    }
}

fn connection<'d>(record: Node<'d>, agent: Option<&str>) -> Result<Said<'d>, Refusal> {
    let end = |ip: &str, port: &str| {
        let ip = record.text(ip).and_then(|text| values::address(&text)).ok_or(Refusal::NoAddress)?;
        Ok(End { ip, port: record.small(port).filter(|port| *port > 0) })
    };
    let initiated = match record.text("event.network.direction").as_deref() {
        Some("OUTGOING") => Some(true),
        Some("INCOMING") => Some(false),
        _ => None,
    };
    Ok(Said::Connection(Connection {
        process: process(record, agent, "src.process.")?,
        protocol: record.text("meta.event.name").as_deref().and_then(values::protocol),
        ends: [end("src.ip.address", "src.port.number")?, end("dst.ip.address", "dst.port.number")?],
        local: initiated.map(|initiated| if initiated { Side::First } else { Side::Second }),
        initiated,
        name: None,
        count: record.small("event.repetitionCount").filter(|count| *count > 0).unwrap_or(1),
    }))
}

fn query<'d>(record: Node<'d>, agent: Option<&str>) -> Result<Said<'d>, Refusal> {
    let response = record.text("event.dns.response").unwrap_or_default();
    let addresses: Vec<IpAddr> =
        response.split([';', ' ']).filter_map(values::address).take(MAX_ANSWERS).collect();
    Ok(Said::Query(Query {
        process: process(record, agent, "src.process.")?,
        name: record.text("event.dns.request").ok_or(Refusal::NoName)?,
        addresses,
        aliases: Vec::new(),
        status: record.text("event.dns.status"),
    }))
}

/// What tells a process from all others: the agent, and its number for it.
fn key<'d>(agent: Option<&str>, uid: Option<Text<'d>>) -> Option<Text<'d>> {
    Some(Cow::Owned(format!("{}/{}", agent?, uid?)))
}
