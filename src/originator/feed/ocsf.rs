//! The Open Cybersecurity Schema Framework: Process Activity (1007), Network Activity (4001) and DNS Activity (4003).
//!
//! A launched process is `process`, who launched it `actor.process`; of connections and questions the actor is the process. Records of
//! networks alone have no actor, and are passed over.

use std::borrow::Cow;
use std::net::IpAddr;

use super::document::Node;
use super::{Outcome, Refusal, Tell, time, values};
use crate::originator::record::{
    Clock, Connection, End, FeedKind, NameKind, Parent, Process, Query, Record, Said, Side, Time,
};

/// The most answers that are taken.
const MAX_ANSWERS: usize = 256;

/// Tells what a record says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let class = record.small::<u32>("class_uid");
    let activity = record.small::<u32>("activity_id");
    let actor = record.get("actor.process");
    let said = match (class, activity, actor) {
        (Some(1007), Some(1), _) => start(record),
        (Some(1007), Some(2), _) => {
            record.get("process").ok_or(Refusal::NoProcess).and_then(process).map(Said::End)
        }
        (Some(4001), Some(1 | 2 | 4 | 6), Some(actor)) => connection(record, actor),
        (Some(4003), _, Some(actor)) => query(record, actor),
        _ => return Outcome::PassedOver,
    };
    let what = match said {
        Ok(what) => what,
        Err(why) => return Outcome::Refused(why),
    };
    let host =
        ["device.hostname", "device.name", "device.uid"].into_iter().find_map(|path| record.text(path));
    let Some(host) = host else { return Outcome::Refused(Refusal::NoHost) };
    let at = |path, clock| {
        let count = record.number(path).and_then(|count| i64::try_from(count).ok())?;
        Some(Time { at: time::milliseconds(count), clock })
    };
    // What sums up or ends a connection says when it was written, not when it began.
    let clock = if class == Some(4001) && activity != Some(1) { Clock::Received } else { Clock::Event };
    let began = at("start_time", Clock::Event).filter(|_| class == Some(4001));
    let mut times =
        [began, at("time", clock), at("metadata.logged_time", Clock::Received)].into_iter().flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    let (class, activity) = (class.unwrap_or_default(), activity.unwrap_or_default());
    tell(Record {
        feed: FeedKind::Ocsf,
        kind: Cow::Owned(format!("{class}.{activity}")),
        id: record.text("metadata.uid"),
        host,
        host_id: record.text("device.uid"),
        time,
        second: times.next(),
        what,
    });
    Outcome::Told
}

fn process(node: Node<'_>) -> Result<Process<'_>, Refusal> {
    let (pid, key) = (node.small("pid"), node.text("uid"));
    if pid.is_none() && key.is_none() {
        return Err(Refusal::NoProcess);
    }
    let (image, name) = values::image(node.text("file.path").or_else(|| node.text("path")));
    let created = node.number("created_time").and_then(|count| i64::try_from(count).ok());
    let mut process = Process {
        pid,
        key,
        name: if image.is_some() {
            None
        } else {
            name.or_else(|| node.text("name").or_else(|| node.text("file.name")))
        },
        image,
        command_line: node.text("cmd_line"),
        directory: node.text("working_directory"),
        user: values::user(node.text("user.domain"), node.text("user.name")),
        started: created.map(|count| Time { at: time::milliseconds(count), clock: Clock::Event }),
        integrity: node.text("integrity"),
        container: node.text("container.uid"),
        container_name: node.text("container.name"),
        parent: node.get("parent_process").and_then(parent),
        ..Process::default()
    };
    for (_, hash) in node.get("file.hashes").into_iter().flat_map(Node::children).take(MAX_ANSWERS) {
        let value = hash.text("value").unwrap_or_default();
        match hash.number("algorithm_id") {
            Some(1) => process.md5 = values::hash_of::<32>(&value),
            Some(2) => process.sha1 = values::hash_of::<40>(&value),
            Some(3) => process.sha256 = values::hash_of::<64>(&value),
            _ => {}
        }
    }
    Ok(process)
}

fn parent(node: Node<'_>) -> Option<Parent<'_>> {
    let (image, name) = values::image(node.text("file.path").or_else(|| node.text("path")));
    let created = node.number("created_time").and_then(|count| i64::try_from(count).ok());
    values::parent(Parent {
        pid: node.small("pid"),
        key: node.text("uid"),
        name: if image.is_some() {
            None
        } else {
            name.or_else(|| node.text("name").or_else(|| node.text("file.name")))
        },
        image,
        command_line: node.text("cmd_line"),
        user: values::user(node.text("user.domain"), node.text("user.name")),
        started: created.map(time::milliseconds),
    })
}

fn start(record: Node<'_>) -> Result<Said<'_>, Refusal> {
    let mut process = record.get("process").ok_or(Refusal::NoProcess).and_then(process)?;
    process.started = None;
    process.user = process
        .user
        .or_else(|| values::user(record.text("actor.user.domain"), record.text("actor.user.name")));
    process.parent = process.parent.or_else(|| parent(record.get("actor.process")?));
    Ok(Said::Start(process))
}

fn connection<'d>(record: Node<'d>, actor: Node<'d>) -> Result<Said<'d>, Refusal> {
    let end = |ip: &str, port: &str| {
        let ip = record.text(ip).and_then(|text| values::address(&text)).ok_or(Refusal::NoAddress)?;
        Ok(End { ip, port: record.small(port).filter(|port| *port > 0) })
    };
    let initiated = match record.small::<u32>("connection_info.direction_id") {
        Some(2) => Some(true),
        Some(1) => Some(false),
        _ => None,
    };
    let protocol =
        record.text("connection_info.protocol_num").or_else(|| record.text("connection_info.protocol_name"));
    let name = record.text("dst_endpoint.hostname").or_else(|| record.text("dst_endpoint.domain"));
    Ok(Said::Connection(Connection {
        process: process(actor)?,
        protocol: protocol.as_deref().and_then(values::protocol),
        ends: [end("src_endpoint.ip", "src_endpoint.port")?, end("dst_endpoint.ip", "dst_endpoint.port")?],
        local: initiated.map(|initiated| if initiated { Side::First } else { Side::Second }),
        initiated,
        name: name.map(|name| (name, NameKind::Vendor)),
        count: record.small("count").filter(|count| *count > 0).unwrap_or(1),
    }))
}

fn query<'d>(record: Node<'d>, actor: Node<'d>) -> Result<Said<'d>, Refusal> {
    let answers = || record.get("answers").into_iter().flat_map(Node::children).map(|(_, answer)| answer);
    let addresses: Vec<IpAddr> =
        answers().filter_map(|answer| values::address(&answer.text("rdata")?)).take(MAX_ANSWERS).collect();
    let alias = |answer: Node<'d>| match answer.text("type").as_deref() {
        Some("CNAME") => answer.text("rdata"),
        _ => None,
    };
    Ok(Said::Query(Query {
        process: process(actor)?,
        name: record.text("query.hostname").ok_or(Refusal::NoName)?,
        addresses,
        aliases: answers().filter_map(alias).take(MAX_ANSWERS).collect(),
        status: record.text("rcode").or_else(|| record.text("rcode_id")),
    }))
}
