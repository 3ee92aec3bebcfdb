//! Tetragon: starts and ends of processes on Linux, and connections where a tracing policy follows `tcp_connect`.
//!
//! `pid` is that of the host, also within a container.

use std::borrow::Cow;

use super::document::Node;
use super::{Outcome, Refusal, Tell, time, values};
use crate::originator::record::{
    Clock, Connection, End, FeedKind, Parent, Process, Record, Said, Side, Text, Time,
};

/// Tells what an event says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let event = ["process_exec", "process_exit", "process_kprobe"]
        .into_iter()
        .find_map(|kind| record.get(kind).map(|event| (kind, event)));
    let Some((kind, event)) = event else { return Outcome::PassedOver };
    let function = event.text("function_name");
    if kind == "process_kprobe"
        && !function.as_ref().is_some_and(|function| function.starts_with("tcp_connect"))
    {
        return Outcome::PassedOver;
    }
    let said = process(event).and_then(|mut process| match kind {
        "process_exec" => {
            process.started = None;
            Ok(Said::Start(process))
        }
        "process_exit" => Ok(Said::End(process)),
        _ => connection(event, process),
    });
    let what = match said {
        Ok(what) => what,
        Err(why) => return Outcome::Refused(why),
    };
    let Some(host) = record.text("node_name") else { return Outcome::Refused(Refusal::NoHost) };
    let Some(at) = record.text("time").and_then(|text| time::timestamp(&text)) else {
        return Outcome::Refused(Refusal::NoTime);
    };
    tell(Record {
        feed: FeedKind::Tetragon,
        kind: if kind == "process_kprobe" { function.unwrap_or_default() } else { kind.into() },
        id: None,
        host,
        host_id: None,
        time: Time { at, clock: Clock::Event },
        second: None,
        what,
    });
    Outcome::Told
}

fn process(event: Node<'_>) -> Result<Process<'_>, Refusal> {
    let process = event.get("process").ok_or(Refusal::NoProcess)?;
    let (pid, key) = (process.small("pid"), process.text("exec_id"));
    if pid.is_none() && key.is_none() {
        return Err(Refusal::NoProcess);
    }
    let (image, name) = values::image(process.text("binary"));
    let parent = event.get("parent");
    let (parent_image, parent_name) = values::image(parent.and_then(|parent| parent.text("binary")));
    let started = |node: Node<'_>| node.text("start_time").and_then(|text| time::timestamp(&text));
    Ok(Process {
        pid,
        key,
        image,
        name,
        command_line: command_line(process),
        directory: process.text("cwd"),
        user: process.text("uid"),
        started: started(process).map(|at| Time { at, clock: Clock::Event }),
        container: process.text("pod.container.id").or_else(|| process.text("docker")),
        container_name: process.text("pod.container.name"),
        pod: values::pod(process.text("pod.namespace"), process.text("pod.name")),
        parent: values::parent(Parent {
            pid: parent.and_then(|parent| parent.small("pid")),
            key: parent.and_then(|parent| parent.text("exec_id")).or_else(|| process.text("parent_exec_id")),
            image: parent_image,
            name: parent_name,
            command_line: parent.and_then(command_line),
            user: parent.and_then(|parent| parent.text("uid")),
            started: parent.and_then(started),
        }),
        ..Process::default()
    })
}

/// The arguments behind the file, as they were called.
fn command_line(process: Node<'_>) -> Option<Text<'_>> {
    let binary = process.text("binary")?;
    match process.text("arguments") {
        Some(arguments) => Some(Cow::Owned(format!("{binary} {arguments}"))),
        None => Some(binary),
    }
}

fn connection<'d>(event: Node<'d>, process: Process<'d>) -> Result<Said<'d>, Refusal> {
    let socket = event
        .get("args")
        .into_iter()
        .flat_map(Node::children)
        .find_map(|(_, argument)| argument.get("sock_arg"))
        .ok_or(Refusal::NoAddress)?;
    let end = |ip: &str, port: &str| {
        let ip = socket.text(ip).and_then(|text| values::address(&text)).ok_or(Refusal::NoAddress)?;
        Ok(End { ip, port: socket.small(port).filter(|port| *port > 0) })
    };
    Ok(Said::Connection(Connection {
        process,
        protocol: socket.text("protocol").as_deref().and_then(values::protocol),
        ends: [end("saddr", "sport")?, end("daddr", "dport")?],
        local: Some(Side::First),
        initiated: Some(true),
        name: None,
        count: 1,
    }))
}
