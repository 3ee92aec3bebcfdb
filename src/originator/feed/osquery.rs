//! osquery: rows of `process_events` and `socket_events`, added one by one or in a snapshot.
//!
//! A `connect` is seen before its socket has an address, so that the endpoint's end is mostly not known; times are of whole seconds.

use std::net::{IpAddr, Ipv4Addr};

use super::document::Node;
use super::{Outcome, Refusal, Tell, time, values};
use crate::originator::record::{
    Clock, Connection, End, FeedKind, Parent, Process, Record, Said, Side, Time,
};

/// Tells what a result says.
pub(super) fn read(result: Node<'_>, tell: Tell<'_>) -> Outcome {
    if result.text("action").is_some_and(|action| action == "removed") {
        return Outcome::PassedOver;
    }
    let Some(rows) = result.get("snapshot") else {
        return result.get("columns").map_or(Outcome::PassedOver, |row| self::row(result, row, tell));
    };
    let mut all = Outcome::PassedOver;
    for (_, row) in rows.children() {
        match self::row(result, row, tell) {
            Outcome::Told => all = Outcome::Told,
            outcome if all == Outcome::PassedOver => all = outcome,
            _ => {}
        }
    }
    all
}

/// Tells what a row says. Its columns tell its table, for the name of a query is what people call it.
fn row(result: Node<'_>, row: Node<'_>, tell: Tell<'_>) -> Outcome {
    let (kind, said) = match row.text("action").as_deref() {
        Some("connect") => ("connect", connection(row, true)),
        Some("accept") => ("accept", connection(row, false)),
        None if row.has("cmdline") && row.has("pid") && row.has("time") => ("process_events", start(row)),
        _ => return Outcome::PassedOver,
    };
    let what = match said {
        Ok(what) => what,
        Err(why) => return Outcome::Refused(why),
    };
    let Some(host) = result.text("hostIdentifier") else { return Outcome::Refused(Refusal::NoHost) };
    let at = |text: Option<_>, clock| {
        text.and_then(|text: crate::originator::record::Text<'_>| time::seconds(&text))
            .map(|at| Time { at, clock })
    };
    let mut times = [at(row.text("time"), Clock::Event), at(result.text("unixTime"), Clock::Received)]
        .into_iter()
        .flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    tell(Record {
        feed: FeedKind::Osquery,
        kind: kind.into(),
        id: row.text("eid"),
        host,
        host_id: result.text("decorations.host_uuid"),
        time,
        second: times.next(),
        what,
    });
    Outcome::Told
}

fn process(row: Node<'_>) -> Result<Process<'_>, Refusal> {
    let (image, name) = values::image(row.text("path"));
    Ok(Process { pid: Some(row.small("pid").ok_or(Refusal::NoProcess)?), image, name, ..Process::default() })
}

fn start(row: Node<'_>) -> Result<Said<'_>, Refusal> {
    Ok(Said::Start(Process {
        command_line: row.text("cmdline"),
        directory: row.text("cwd"),
        user: row.text("username").or_else(|| row.text("uid")),
        parent: values::parent(Parent { pid: row.small("parent"), ..Parent::default() }),
        ..process(row)?
    }))
}

fn connection(row: Node<'_>, initiated: bool) -> Result<Said<'_>, Refusal> {
    let end = |ip: &str, port: &str| {
        let ip = row.text(ip).and_then(|text| values::address(&text))?;
        Some(End { ip, port: row.small(port).filter(|port| *port > 0) })
    };
    let own = end("local_address", "local_port");
    let own = own.unwrap_or(End { ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED), port: None });
    Ok(Said::Connection(Connection {
        process: process(row)?,
        protocol: row
            .text("protocol")
            .as_deref()
            .and_then(values::protocol)
            .filter(|protocol| protocol.0 > 0),
        ends: [own, end("remote_address", "remote_port").ok_or(Refusal::NoAddress)?],
        local: Some(Side::First),
        initiated: Some(initiated),
        name: None,
        count: 1,
    }))
}
