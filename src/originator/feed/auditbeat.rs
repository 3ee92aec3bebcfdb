//! Auditbeat on Linux: flows of its socket data set, and system calls of its auditd module.
//!
//! A flow is written when it has ended; its time is that of its beginning. A `connect` of auditd is seen before the socket has an
//! address of its own, so the endpoint's end is not known.

use std::net::{IpAddr, Ipv4Addr};

use super::document::Node;
use super::{Outcome, Refusal, Tell, ecs, values};
use crate::originator::record::{Clock, Connection, End, FeedKind, NameKind, Parent, Record, Said, Side};

/// Whether a record looks like one of its.
pub(super) fn is(record: Node<'_>) -> bool {
    let is = |path, word: &str| record.text(path).is_some_and(|text| text == word);
    is("agent.type", "auditbeat")
        || is("event.module", "auditd")
        || (is("event.module", "system")
            && (is("event.dataset", "socket") || is("event.dataset", "system.socket")))
        || record.has("auditd.data")
}

/// Tells what a record says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let action = record.get("event.action").and_then(Node::as_text);
    let Some(kind) = action.filter(|action| ACTIONS.contains(&&**action)) else { return Outcome::PassedOver };
    let host = ["host.name", "host.hostname", "agent.hostname", "agent.name", "beat.hostname"];
    let Some(host) = host.into_iter().find_map(|path| record.text(path)) else {
        return Outcome::Refused(Refusal::NoHost);
    };
    let what = match &*kind {
        "network_flow" | "socket_opened" | "socket_closed" => flow(record),
        "connected-to" => call(record, true),
        "accepted-connection-from" => call(record, false),
        _ => executed(record),
    };
    let what = match what {
        Ok(what) => what,
        Err(why) => return Outcome::Refused(why),
    };
    let began = ecs::time(record, "event.start", Clock::Event);
    // When a flow was written says little of when it was; a system call is written when it is made.
    let clock = if kind == "network_flow" { Clock::Received } else { Clock::Event };
    let mut times = [began, ecs::time(record, "@timestamp", clock)].into_iter().flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    let host_id = record.text("host.id").or_else(|| record.text("agent.id"));
    ecs::tell_addresses(record, FeedKind::Auditbeat, &host, host_id.as_deref(), time, tell);
    tell(Record {
        feed: FeedKind::Auditbeat,
        kind,
        id: record.text("event.id").or_else(|| record.text("auditd.sequence")),
        host,
        host_id,
        time,
        second: times.next(),
        what,
    });
    Outcome::Told
}

/// The actions that say something.
const ACTIONS: [&str; 6] = [
    "network_flow",
    "socket_opened",
    "socket_closed",
    "connected-to",
    "accepted-connection-from",
    "executed",
];

fn flow(record: Node<'_>) -> Result<Said<'_>, Refusal> {
    let mut process = ecs::process(record);
    if process.pid.is_none() {
        return Err(Refusal::NoProcess);
    }
    process.started = ecs::time(record, "process.created", Clock::Event).or(process.started);
    let mut connection = ecs::connection(record, process)?;
    connection.name = record.text("destination.domain").map(|name| (name, NameKind::Asked));
    Ok(Said::Connection(connection))
}

/// A system call on a socket: the other end alone.
fn call(record: Node<'_>, initiated: bool) -> Result<Said<'_>, Refusal> {
    let mut process = ecs::process(record);
    // Older versions have the parent beside the process.
    if process.parent.is_none() {
        process.parent = values::parent(Parent { pid: record.small("process.ppid"), ..Parent::default() });
    }
    if process.pid.is_none() {
        return Err(Refusal::NoProcess);
    }
    let other = match initiated {
        true => ecs::end(record, "destination.ip", "destination.port"),
        false => ecs::end(record, "source.ip", "source.port"),
    };
    let other = other
        .or_else(|| ecs::end(record, "auditd.data.socket.addr", "auditd.data.socket.port"))
        .or_else(|| ecs::end(record, "auditd.summary.object.primary", "auditd.summary.object.secondary"))
        .ok_or(Refusal::NoAddress)?;
    let own = End { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: None };
    Ok(Said::Connection(Connection {
        process,
        protocol: None,
        ends: if initiated { [own, other] } else { [other, own] },
        local: Some(if initiated { Side::First } else { Side::Second }),
        initiated: Some(initiated),
        name: None,
        count: 1,
    }))
}

fn executed(record: Node<'_>) -> Result<Said<'_>, Refusal> {
    let mut process = ecs::process(record);
    if process.pid.is_none() {
        return Err(Refusal::NoProcess);
    }
    process.command_line = process.command_line.or_else(|| record.text("process.title"));
    Ok(Said::Start(process))
}
