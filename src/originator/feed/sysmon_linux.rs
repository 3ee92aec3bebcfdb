//! Sysmon for Linux in rows of Azure's `Syslog`: an event as XML in the message, the host and its address beside it.

use std::borrow::Cow;

use super::document::Node;
use super::{Outcome, Tell, time, values, windows, xml};
use crate::originator::record::{Clock, FeedKind, Record, Said, Time};

/// Tells what a row says.
pub(super) fn read(record: Node<'_>, tell: Tell<'_>) -> Outcome {
    let message = record.get("SyslogMessage").and_then(Node::as_str).unwrap_or_default();
    let Some(event) = message.find("<Event>").and_then(|at| message.get(at..)) else {
        return Outcome::PassedOver;
    };
    let host = record.text("HostName").or_else(|| record.text("Computer"));
    let address = record.text("HostIP").and_then(|text| values::address(&text));
    let at = record.text("TimeGenerated").and_then(|text| time::timestamp(&text));
    if let (Some(host), Some(address), Some(at)) = (&host, address, at) {
        tell(Record {
            feed: FeedKind::SysmonLinux,
            kind: Cow::Borrowed("HostIP"),
            id: None,
            host: Cow::Borrowed(host),
            host_id: None,
            time: Time { at, clock: Clock::Logged },
            second: None,
            what: Said::Addresses(vec![address]),
        });
    }
    match xml::number(event.as_bytes()) {
        Some(id) if !windows::matters(id) => Outcome::PassedOver,
        _ => xml::read(event, host.as_deref(), tell),
    }
}
