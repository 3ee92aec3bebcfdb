//! Elastic Defend: process and network events of the Elastic endpoint.
//!
//! Its connections have the process's identity and path, not its command line or parent: those are in the process's own event. Only on
//! macOS do they have the name that was asked for; elsewhere it stands in events of DNS, which the process itself is named in.
//!
//! Of `connection_attempted` no whole record was published. The maker lists its fields in one with those of `connection_accepted` and
//! `disconnect_received`, of which there are: elastic/endpoint-package, `custom_documentation/doc/endpoint/network/windows/`
//! `windows_network_attempted_accepted_and_disconnect.md`, commit 35ca51bd8de344be3f2c06b385f976a1a6f72f66.

use super::document::Node;
use super::{Outcome, Refusal, Tell, ecs};
use crate::originator::record::{Clock, FeedKind, NameKind, Query, Record, Said, Side, Text, Time};

/// What the data sets of its events begin with.
const DATASET: &str = "endpoint.events.";

/// Whether a record looks like one of them.
pub(super) fn is(record: Node<'_>) -> bool {
    let is = |path, word: &str| record.text(path).is_some_and(|text| text == word);
    is("agent.type", "endpoint") || is("event.module", "endpoint") || dataset(record).is_some()
}

/// The data set without what all begin with.
fn dataset(record: Node<'_>) -> Option<&str> {
    ["event.dataset", "data_stream.dataset"]
        .into_iter()
        .find_map(|path| record.get(path).and_then(Node::as_str)?.strip_prefix(DATASET))
}

/// Tells what a record says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let dataset = dataset(record);
    if !matches!(dataset, Some("process" | "network")) {
        return Outcome::PassedOver;
    }
    let Some(host) = record.text("host.name").or_else(|| record.text("host.hostname")) else {
        return Outcome::Refused(Refusal::NoHost);
    };
    let created = ecs::time(record, "event.created", Clock::Event);
    let Some(time) = ecs::time(record, "@timestamp", Clock::Event).or(created) else {
        return Outcome::Refused(Refusal::NoTime);
    };
    let host_id = record.text("host.id").or_else(|| record.text("agent.id"));
    ecs::tell_addresses(record, FeedKind::ElasticDefend, &host, host_id.as_deref(), time, tell);
    let mut head = Head { record, host, host_id, time, told: false };
    let outcome = match dataset {
        Some("process") => process(&mut head, tell),
        _ => network(&mut head, tell),
    };
    match outcome {
        Ok(()) if head.told => Outcome::Told,
        Ok(()) => Outcome::PassedOver,
        Err(why) => Outcome::Refused(why),
    }
}

/// What the records have in common that are made of one event.
struct Head<'d> {
    record: Node<'d>,
    host: Text<'d>,
    host_id: Option<Text<'d>>,
    time: Time,
    told: bool,
}

impl<'d> Head<'d> {
    fn tell(&mut self, kind: &'d str, time: Time, what: Said<'d>, tell: Tell<'_>) {
        self.told = true;
        tell(Record {
            feed: FeedKind::ElasticDefend,
            kind: kind.into(),
            id: self.record.text("event.id"),
            host: self.host.clone(),
            host_id: self.host_id.clone(),
            time,
            second: ecs::time(self.record, "event.ingested", Clock::Received),
            what,
        });
    }

    /// What happened; several things at once, where a process lived shortly.
    fn action(&self, wanted: &[&str]) -> Option<&'d str> {
        let action = self.record.get("event.action")?;
        let is = |node: Node<'d>| node.as_str().filter(|text| wanted.contains(text));
        match action.is_array() {
            true => action.children().find_map(|(_, node)| is(node)),
            false => is(action),
        }
    }
}

fn process(head: &mut Head<'_>, tell: Tell<'_>) -> Result<(), Refusal> {
    let process = ecs::process(head.record);
    if process.pid.is_none() && process.key.is_none() {
        return Err(Refusal::NoProcess);
    }
    let running = head.action(&["already_running"]);
    if let Some(action) = head.action(&["start", "fork", "exec"]).or(running) {
        let mut started = process.clone();
        // It says of a process that was found running when it began.
        started.started = started.started.filter(|_| running.is_some());
        head.tell(action, head.time, Said::Start(started), tell);
    }
    if let Some(action) = head.action(&["end"]) {
        let end = ecs::time(head.record, "process.end", Clock::Event).unwrap_or(head.time);
        head.tell(action, end, Said::End(process), tell);
    }
    Ok(())
}

fn network(head: &mut Head<'_>, tell: Tell<'_>) -> Result<(), Refusal> {
    let Some(action) =
        head.action(&["connection_attempted", "connection_accepted", "disconnect_received", "lookup_result"])
    else {
        return Ok(());
    };
    let process = ecs::process(head.record);
    if process.pid.is_none() && process.key.is_none() {
        return Err(Refusal::NoProcess);
    }
    if action == "lookup_result" {
        let query = ecs::query(head.record, process)?;
        let status = query.status.or_else(|| head.record.text("dns.Ext.status"));
        head.tell(action, head.time, Said::Query(Query { status, ..query }), tell);
        return Ok(());
    }
    let mut connection = ecs::connection(head.record, process)?;
    if connection.initiated.is_none() {
        // On Linux only the action tells the direction.
        let initiated = match action {
            "connection_attempted" => Some(true),
            "connection_accepted" => Some(false),
            _ => None,
        };
        connection.initiated = initiated;
        connection.local = initiated.map(|initiated| if initiated { Side::First } else { Side::Second });
    }
    connection.name = head.record.text("destination.domain").map(|name| (name, NameKind::Asked));
    // That a connection ended says only that it began before.
    let clock = if action == "disconnect_received" { Clock::Received } else { Clock::Event };
    let time = Time { at: head.time.at, clock };
    head.tell(action, time, Said::Connection(connection), tell);
    Ok(())
}

/// Whether a JSON text names a data set that says nothing here.
pub(super) fn is_other(behind: &[u8]) -> bool {
    !(behind.starts_with(b"process\"") || behind.starts_with(b"network\""))
}
