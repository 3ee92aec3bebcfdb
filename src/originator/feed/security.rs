//! The Security log of Windows: 4688 a process began, 4689 it ended, 5156 a connection was allowed.
//!
//! Its events are written when it happens, by the host's clock: where the zone is known, they have the best times of a Windows host.

use std::borrow::Cow;

use super::windows::{Data, Event, pid};
use super::{Outcome, Refusal, Tell, sysmon, values};
use crate::originator::record::{Connection, FeedKind, Parent, Process, Record, Said, Side, Text};

/// What `Direction` says of a connection that others began, where it was not put in words.
const INBOUND: [&str; 2] = ["%%14592", "Inbound"];

/// And of one that the host began.
const OUTBOUND: [&str; 2] = ["%%14593", "Outbound"];

/// Tells what an event of the Security log says.
pub(super) fn tell(mut event: Event<'_>, tell: Tell<'_>) -> Outcome {
    let kind = match event.id {
        4688 => "4688",
        4689 => "4689",
        5156 => "5156",
        _ => return Outcome::PassedOver,
    };
    let Some(host) = event.host.take() else { return Outcome::Refused(Refusal::NoHost) };
    let mut times = [event.written, event.received].into_iter().flatten();
    let Some(time) = times.next() else { return Outcome::Refused(Refusal::NoTime) };
    let what = match event.id {
        4688 => start(event.data),
        4689 => end(event.data),
        _ => connection(event.data),
    };
    let what = match what {
        Ok(what) => what,
        Err(why) => return Outcome::Refused(why),
    };
    tell(Record {
        feed: FeedKind::Security,
        kind: Cow::Borrowed(kind),
        id: event.number,
        host,
        host_id: None,
        time,
        second: times.next(),
        what,
    });
    Outcome::Told
}

fn start(data: Data<'_>) -> Result<Said<'_>, Refusal> {
    let (image, name) = values::image(data.new_name);
    let (parent_image, parent_name) = values::image(data.parent_name);
    // The new token, where the process was started as somebody else; else that of who started it.
    let user = values::user(data.target_domain, data.target_user)
        .or_else(|| values::user(data.subject_domain, data.subject_user));
    Ok(Said::Start(Process {
        pid: Some(pid(data.new_pid.as_ref()).ok_or(Refusal::NoProcess)?),
        image,
        name,
        command_line: data.command_line,
        user,
        parent: values::parent(Parent {
            pid: pid(data.pid.as_ref()),
            image: parent_image,
            name: parent_name,
            ..Parent::default()
        }),
        ..Process::default()
    }))
}

fn end(data: Data<'_>) -> Result<Said<'_>, Refusal> {
    let (image, name) = values::image(data.process_name);
    Ok(Said::End(Process {
        pid: Some(pid(data.pid.as_ref()).ok_or(Refusal::NoProcess)?),
        image,
        name,
        ..Process::default()
    }))
}

fn connection(mut data: Data<'_>) -> Result<Said<'_>, Refusal> {
    let (image, name) = values::image(data.application.take());
    let process = Process {
        pid: Some(pid(data.pid.as_ref()).ok_or(Refusal::NoProcess)?),
        image,
        name,
        ..Process::default()
    };
    let is =
        |words: [&str; 2]| data.direction.as_ref().is_some_and(|said: &Text<'_>| words.contains(&&**said));
    // The first end is who began it, in both directions.
    let (local, initiated) = match (is(OUTBOUND), is(INBOUND)) {
        (true, _) => (Some(Side::First), Some(true)),
        (_, true) => (Some(Side::Second), Some(false)),
        _ => (None, None),
    };
    Ok(Said::Connection(Connection {
        process,
        protocol: data.protocol.as_deref().and_then(values::protocol),
        ends: sysmon::ends(&data).ok_or(Refusal::NoAddress)?,
        local,
        initiated,
        name: None,
        count: 1,
    }))
}
