//! The Open Cybersecurity Schema Framework: Process Activity (1007).
//!
//! A launched process is `process`, who launched it `actor.process`. Network Activity (4001) and DNS Activity (4003) are passed over: the
//! schema lets their actor be a process, but no published record has one together with both addresses.

use std::borrow::Cow;

use super::document::Node;
use super::{Outcome, Refusal, Tell, time, values};
use crate::originator::record::{Clock, FeedKind, Parent, Process, Record, Said, Time};

/// The most hashes that are taken.
const MAX_HASHES: usize = 256;

/// Tells what a record says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let class = record.small::<u32>("class_uid");
    let activity = record.small::<u32>("activity_id");
    let (said, kind) = match (class, activity) {
        (Some(1007), Some(1)) => (start(record), "1007.1"),
        (Some(1007), Some(2)) => (end(record), "1007.2"),
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
    let mut times =
        [at("time", Clock::Event), at("metadata.logged_time", Clock::Received)].into_iter().flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    tell(Record {
        feed: FeedKind::Ocsf,
        kind: Cow::Borrowed(kind),
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
    for (_, hash) in node.get("file.hashes").into_iter().flat_map(Node::children).take(MAX_HASHES) {
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

fn end(record: Node<'_>) -> Result<Said<'_>, Refusal> {
    record.get("process").ok_or(Refusal::NoProcess).and_then(process).map(Said::End)
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
