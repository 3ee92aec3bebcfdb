//! Events of Windows as flat JSON, in the three ways of the collections of the Open Threat Research Forge: winlogbeat 5 and 6
//! (`event_data`), NXLog (`SourceModuleType`), and an export by PowerShell (`TimeCreated`).
//!
//! Their times are told as they are: NXLog writes local time without a zone, the export local time with a `Z` that is false.

use super::document::Node;
use super::windows::{Event, matters};
use super::{Outcome, Tell, time};
use crate::originator::record::{Clock, Time};

/// Tells what a record says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    match record.get("event_data") {
        Some(data) if record.has("log_name") => winlogbeat_6(record, data, tell),
        _ => flat(record, tell),
    }
}

fn winlogbeat_6(record: Node<'_>, data: Node<'_>, tell: Tell<'_>) -> Outcome {
    let Some(id) = record.small("event_id").filter(|id| matters(*id)) else { return Outcome::PassedOver };
    let mut event = Event {
        id,
        provider: record.text("source_name").or_else(|| record.text("log_name")),
        // `host.name` is the collector's.
        host: record.text("computer_name"),
        number: record.text("record_number"),
        ..Event::default()
    };
    let clock = if id > 100 { Clock::Event } else { Clock::Logged };
    event.written = at(record, "@timestamp", clock);
    event.data.set_all(data);
    event.tell(tell)
}

fn flat(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let Some(id) = record.small("EventID").filter(|id| matters(*id)) else { return Outcome::PassedOver };
    let nxlog = record.has("EventTime");
    let mut event = Event {
        id,
        provider: record.text("SourceName").or_else(|| record.text("Channel")),
        host: record.text("Hostname").or_else(|| record.text("Computer")),
        number: record.text("RecordNumber").or_else(|| record.text("EventRecordID")),
        ..Event::default()
    };
    if nxlog {
        event.written = at(record, "EventTime", Clock::Logged);
        event.received = at(record, "@timestamp", Clock::Received);
    } else {
        event.written =
            at(record, "TimeCreated", Clock::Logged).or_else(|| at(record, "@timestamp", Clock::Logged));
    }
    event.data.set_all(record);
    // A number is NXLog's own field: the process of the service that wrote the event. As a text it is that of a connection.
    if id > 100 && event.data.pid.is_none() {
        event.data.pid = record.get("ProcessID").and_then(Node::as_str).map(Into::into);
    }
    event.tell(tell)
}

fn at(record: Node<'_>, path: &str, clock: Clock) -> Option<Time> {
    time::timestamp(&record.text(path)?).map(|at| Time { at, clock })
}
