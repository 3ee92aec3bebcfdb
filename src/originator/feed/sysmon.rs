//! Sysmon's events: 1 process create, 3 network connection, 5 process terminated, 22 DNS query.
//!
//! `UtcTime` of events 1 and 5 is right. That of 3 and 22 is the time of a tracing session, which follows no correction of the clock and was
//! found wrong by seconds to days; they are told with the time of writing first.

use std::borrow::Cow;
use std::net::IpAddr;

use super::windows::{Data, Event, pid};
use super::{Outcome, Refusal, Tell, time, values};
use crate::flow::Protocol;
use crate::originator::record::{
    Clock, Connection, End, FeedKind, NameKind, Parent, Process, Query, Record, Said, Side, Text, Time,
};

/// From here on ports are those that systems give to who connects. Of two ends, one on each side of it, the upper began the connection.
const FIRST_EPHEMERAL: u16 = 32_768;

/// The type of an alias in `QueryResults`: CNAME.
const CNAME: &str = "5";

/// The most addresses or aliases that are taken of one answer; Windows keeps far fewer.
const MAX_ANSWERS: usize = 256;

/// Tells what an event of Sysmon says.
pub(super) fn tell(mut event: Event<'_>, feed: FeedKind, tell: Tell<'_>) -> Outcome {
    if !matches!(event.id, 1 | 3 | 5 | 22) {
        return Outcome::PassedOver;
    }
    let utc = event.data.utc_time.as_deref().and_then(time::timestamp);
    let own =
        utc.map(|at| Time { at, clock: if is_traced(event.id) { Clock::Skewed } else { Clock::Event } });
    match said(event.id, &mut event.data) {
        Ok(what) => tell_as(&mut event, feed, own, what, tell),
        Err(why) => Outcome::Refused(why),
    }
}

/// Tells what was read of an event of Sysmon; `own` is its `UtcTime`.
pub(super) fn tell_as(
    event: &mut Event<'_>,
    feed: FeedKind,
    own: Option<Time>,
    what: Said<'_>,
    tell: Tell<'_>,
) -> Outcome {
    let Some(host) = event.host.take() else { return Outcome::Refused(Refusal::NoHost) };
    let times = match is_traced(event.id) {
        true => [event.written, own, event.received],
        false => [own, event.written, event.received],
    };
    let mut times = times.into_iter().flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    let kind = match event.id {
        1 => "1",
        3 => "3",
        5 => "5",
        _ => "22",
    };
    tell(Record {
        feed,
        kind: Cow::Borrowed(kind),
        id: event.number.take(),
        host,
        host_id: None,
        time,
        second: times.next(),
        what,
    });
    Outcome::Told
}

/// Whether the time of an event is that of a tracing session.
const fn is_traced(id: u32) -> bool {
    matches!(id, 3 | 22)
}

fn said<'a>(id: u32, data: &mut Data<'a>) -> Result<Said<'a>, Refusal> {
    let mut process = process(data);
    if process.pid.is_none() && process.key.is_none() {
        return Err(Refusal::NoProcess);
    }
    Ok(match id {
        1 => {
            process.started = None;
            start(&mut process, data);
            Said::Start(process)
        }
        5 => Said::End(process),
        3 => Said::Connection(connection(process, data)?),
        _ => Said::Query(query(process, data)?),
    })
}

fn process<'a>(data: &mut Data<'a>) -> Process<'a> {
    let (image, name) = values::image(data.image.take());
    let key = data.guid.take().and_then(values::guid);
    Process {
        pid: pid(data.pid.as_ref()),
        started: key.as_deref().and_then(values::started),
        key,
        image,
        name,
        user: data.user.take(),
        ..Process::default()
    }
}

fn start<'a>(process: &mut Process<'a>, data: &mut Data<'a>) {
    process.command_line = data.command_line.take();
    process.directory = data.directory.take();
    process.original_name = data.original_name.take();
    process.integrity = data.integrity.take();
    if let Some(hashes) = &data.hashes {
        values::hashes(hashes, process);
    }
    let (image, name) = values::image(data.parent_image.take());
    let key = data.parent_guid.take().and_then(values::guid);
    process.parent = values::parent(Parent {
        pid: pid(data.parent_pid.as_ref()),
        started: key.as_deref().and_then(values::started).map(|time| time.at),
        key,
        image,
        name,
        command_line: data.parent_command_line.take(),
        user: data.parent_user.take(),
    });
}

fn connection<'a>(process: Process<'a>, data: &mut Data<'a>) -> Result<Connection<'a>, Refusal> {
    let ends = ends(data).ok_or(Refusal::NoAddress)?;
    let protocol = data.protocol.as_deref().and_then(values::protocol);
    let initiated = data.initiated.as_deref().map(|initiated| initiated.eq_ignore_ascii_case("true"));
    Ok(Connection {
        process,
        protocol,
        ends,
        local: local(initiated, protocol, &ends),
        initiated,
        name: data.destination_name.take().map(|name| (name, NameKind::Reverse)),
        count: 1,
    })
}

/// Both ends of a connection; nothing, where neither has an address.
pub(super) fn ends(data: &Data<'_>) -> Option<[End; 2]> {
    let end = |ip: &Option<Text<'_>>, port: &Option<Text<'_>>| {
        let ip = values::address(ip.as_deref()?)?;
        // Sysmon for Linux writes port 0 where it does not know.
        let port = port.as_deref().and_then(|port| port.trim_ascii().parse().ok()).filter(|port| *port > 0);
        Some(End { ip, port })
    };
    let ends = [end(&data.source_ip, &data.source_port)?, end(&data.destination_ip, &data.destination_port)?];
    ends.iter().any(|end| !end.ip.is_unspecified()).then_some(ends)
}

/// The endpoint's own end of a connection: the first where it began it. Of datagrams that it did not begin, the order means nothing.
pub(super) fn local(initiated: Option<bool>, protocol: Option<Protocol>, ends: &[End; 2]) -> Option<Side> {
    match initiated? {
        true => Some(Side::First),
        false => accepted(ends).filter(|_| protocol == Some(Protocol::TCP)),
    }
}

/// The endpoint's own end of a connection that it accepted. Until 2019 Sysmon wrote the endpoint first, now it writes first who began it; so
/// the ports must tell.
const fn accepted(ends: &[End; 2]) -> Option<Side> {
    match [ends[0].port, ends[1].port] {
        [Some(first), Some(second)] if first >= FIRST_EPHEMERAL && second < FIRST_EPHEMERAL => {
            Some(Side::Second)
        }
        [Some(first), Some(second)] if first < FIRST_EPHEMERAL && second >= FIRST_EPHEMERAL => {
            Some(Side::First)
        }
        _ => None,
    }
}

fn query<'a>(process: Process<'a>, data: &mut Data<'a>) -> Result<Query<'a>, Refusal> {
    let name = data.query_name.take().ok_or(Refusal::NoName)?;
    let (addresses, aliases) = results(data.query_results.take().unwrap_or_default());
    Ok(Query { process, name, addresses, aliases, status: data.query_status.take() })
}

/// Reads `type:  5 github.map.fastly.net;::ffff:151.101.208.133;`: an address stands alone, another record behind its type.
fn results(text: Text<'_>) -> (Vec<IpAddr>, Vec<Text<'_>>) {
    let mut addresses = Vec::new();
    let mut aliases = Vec::new();
    let mut take = |answer: &str| -> Option<String> {
        match answer.strip_prefix("type:") {
            Some(record) => {
                let (kind, name) = record.trim_ascii_start().split_once(' ')?;
                (kind == CNAME).then(|| name.trim_ascii().to_owned())
            }
            None => {
                addresses.extend(values::address(answer).filter(|_| addresses.len() < MAX_ANSWERS));
                None
            }
        }
    };
    for answer in text.split(';').filter(|answer| !answer.is_empty()) {
        if let Some(alias) = take(answer)
            && aliases.len() < MAX_ANSWERS
        {
            aliases.push(Cow::Owned(alias));
        }
    }
    (addresses, aliases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_addresses_and_aliases() {
        let text =
            "type:  5 github.map.fastly.net;::ffff:151.101.208.133;140.82.113.3;2001:db8::1;type: 28 x;type:";
        let (addresses, aliases) = results(text.into());
        let expected: Vec<IpAddr> =
            ["151.101.208.133", "140.82.113.3", "2001:db8::1"].map(|text| text.parse().unwrap()).into();
        assert_eq!(addresses, expected);
        assert_eq!(aliases, ["github.map.fastly.net"]);
        assert_eq!(results("-".into()), (vec![], vec![]));
    }
}
