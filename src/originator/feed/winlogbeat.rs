//! Winlogbeat 7 and later: events of Windows as it ships them (`winlog.event_data`), and as its module for Sysmon or the ingest
//! pipeline of the same name leaves them, with the values renamed to ECS.
//!
//! The module sets `@timestamp` from `UtcTime`, and keeps the time of writing in `event.created`. What it calls `destination.domain` is a
//! reverse lookup. The host is `winlog.computer_name`; `host.name` may be the collector's.

use super::document::Node;
use super::windows::{Event, matters};
use super::{Outcome, Refusal, Tell, ecs, sysmon, values};
use crate::originator::record::{Clock, FeedKind, NameKind, Query, Said};

/// Tells what a record says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let id = record.small("winlog.event_id").or_else(|| record.small("event.code"));
    let Some(id) = id.filter(|id| matters(*id)) else { return Outcome::PassedOver };
    let mut event = Event {
        id,
        provider: record.text("winlog.provider_name").or_else(|| record.text("winlog.channel")),
        host: record.text("winlog.computer_name"),
        number: record.text("winlog.record_id"),
        ..Event::default()
    };
    if id > 100 || record.has("winlog.event_data.UtcTime") {
        let clock = if id > 100 { Clock::Event } else { Clock::Logged };
        event.written = ecs::time(record, "@timestamp", clock);
        event.received = ecs::time(record, "event.ingested", Clock::Received);
        if let Some(data) = record.get("winlog.event_data") {
            event.data.set_all(data);
        }
        return event.tell(tell);
    }
    match event.feed() {
        Some(feed @ (FeedKind::Sysmon | FeedKind::SysmonLinux)) => module(record, event, feed, tell),
        _ => Outcome::PassedOver,
    }
}

/// Of the module's renaming, `winlog.event_data` keeps what ECS has no name for.
fn module(record: Node<'_>, mut event: Event<'_>, feed: FeedKind, tell: Tell<'_>) -> Outcome {
    let traced = matches!(event.id, 3 | 22);
    let own = ecs::time(record, "@timestamp", if traced { Clock::Skewed } else { Clock::Event });
    event.written = ecs::time(record, "event.created", Clock::Logged);
    event.received = ecs::time(record, "event.ingested", Clock::Received);
    let what = match said(record, event.id) {
        Ok(what) => what,
        Err(why) => return Outcome::Refused(why),
    };
    sysmon::tell_as(&mut event, feed, own, what, tell)
}

fn said(record: Node<'_>, id: u32) -> Result<Said<'_>, Refusal> {
    let mut process = ecs::process(record);
    process.key = process.key.and_then(values::guid);
    process.integrity = record.text("winlog.event_data.IntegrityLevel");
    if let Some(parent) = &mut process.parent {
        parent.key = parent.key.take().and_then(values::guid);
        parent.started = parent.key.as_deref().and_then(values::started).map(|time| time.at);
    }
    if process.pid.is_none() && process.key.is_none() {
        return Err(Refusal::NoProcess);
    }
    if id != 1 {
        process.started = process.key.as_deref().and_then(values::started);
    }
    Ok(match id {
        1 => Said::Start(process),
        5 => Said::End(process),
        3 => {
            let mut connection = ecs::connection(record, process)?;
            connection.name = record.text("destination.domain").map(|name| (name, NameKind::Reverse));
            connection.local = sysmon::local(connection.initiated, connection.protocol, &connection.ends);
            Said::Connection(connection)
        }
        _ => Said::Query(Query { status: record.text("sysmon.dns.status"), ..ecs::query(record, process)? }),
    })
}
