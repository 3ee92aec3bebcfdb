//! Rows of Azure Monitor's `WindowsEvent`, whose values are a JSON text in a column.

use super::document::{Document, Node};
use super::windows::{Event, matters};
use super::{Outcome, Refusal, Tell, time};
use crate::originator::record::{Clock, Time};

/// Tells what a row of it says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let Some(id) = record.small("EventID").filter(|id| matters(*id)) else { return Outcome::PassedOver };
    let Some(data) = record.get("EventData") else { return Outcome::PassedOver };
    let mut event = Event {
        id,
        provider: record.text("Provider").or_else(|| record.text("Channel")),
        host: record.text("Computer"),
        number: record.text("EventRecordId"),
        ..Event::default()
    };
    event.written = record
        .text("TimeGenerated")
        .and_then(|text| time::timestamp(&text))
        .map(|at| Time { at, clock: if id > 100 { Clock::Event } else { Clock::Logged } });
    let Some(text) = data.as_str() else {
        event.data.set_all(data);
        return event.tell(tell);
    };
    let Ok(inner) = Document::parse(text) else { return Outcome::Refused(Refusal::BrokenJson) };
    event.data.set_all(inner.root());
    event.tell(tell)
}
