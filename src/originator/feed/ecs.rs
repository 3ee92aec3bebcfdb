//! What records in the Elastic Common Schema have in common, whoever wrote them; nested or with dotted keys.

use std::borrow::Cow;
use std::net::IpAddr;

use super::document::Node;
use super::{Refusal, Tell, time, values};
use crate::originator::record::{
    Clock, Connection, End, FeedKind, Parent, Process, Query, Record, Said, Side, Text, Time,
};

/// The most values that are taken of a list: addresses of a host, of an answer.
const MAX_LIST: usize = 256;

/// The time at a path.
pub(super) fn time(record: Node<'_>, path: &str, clock: Clock) -> Option<Time> {
    time::timestamp(&record.text(path)?).map(|at| Time { at, clock })
}

/// `process.*` and `user.*`.
pub(super) fn process(record: Node<'_>) -> Process<'_> {
    match record.get("process") {
        Some(process) => process_at(record, process, ""),
        None => process_at(record, record, "process."),
    }
}

/// A process whose fields stand behind a prefix.
pub(super) fn process_at<'d>(record: Node<'d>, node: Node<'d>, prefix: &str) -> Process<'d> {
    // With dotted keys the prefix is part of each.
    let field = |name: &str| match prefix {
        "" => node.get(name),
        prefix => node.get(&format!("{prefix}{name}")),
    };
    let text = |name: &str| field(name).and_then(Node::as_text);
    let (image, name) = values::image(text("executable"));
    let digest = |name| field(name).and_then(Node::as_text);
    let signed = field("code_signature.trusted").and_then(Node::as_bool).unwrap_or(false);
    let (parent_image, parent_name) = values::image(text("parent.executable"));
    Process {
        pid: field("pid").and_then(Node::as_number).and_then(|pid| u32::try_from(pid).ok()),
        key: text("entity_id"),
        name: if image.is_some() { None } else { text("name").or(name) },
        image,
        original_name: text("pe.original_file_name"),
        command_line: text("command_line").or_else(|| arguments(field("args")?)),
        directory: text("working_directory"),
        user: values::user(record.text("user.domain"), record.text("user.name")),
        started: text("start")
            .and_then(|text| time::timestamp(&text))
            .map(|at| Time { at, clock: Clock::Event }),
        sha256: digest("hash.sha256").and_then(|digest| values::hash_of::<64>(&digest)),
        sha1: digest("hash.sha1").and_then(|digest| values::hash_of::<40>(&digest)),
        md5: digest("hash.md5").and_then(|digest| values::hash_of::<32>(&digest)),
        signer: text("code_signature.subject_name").filter(|_| signed),
        integrity: text("Ext.token.integrity_level_name"),
        container: record.text("container.id"),
        container_name: record.text("container.name"),
        pod: pod(record),
        parent: values::parent(Parent {
            pid: field("parent.pid").and_then(Node::as_number).and_then(|pid| u32::try_from(pid).ok()),
            key: text("parent.entity_id"),
            name: if parent_image.is_some() { None } else { text("parent.name").or(parent_name) },
            image: parent_image,
            command_line: text("parent.command_line").or_else(|| arguments(field("parent.args")?)),
            user: text("parent.user.name"),
            started: text("parent.start").and_then(|text| time::timestamp(&text)),
        }),
    }
}

/// The pod, as the schema has it, or as Elastic's agents add it.
fn pod(record: Node<'_>) -> Option<Text<'_>> {
    let of_schema = || record.text("orchestrator.resource.type").is_some_and(|kind| kind == "pod");
    match record.text("kubernetes.pod.name") {
        Some(name) => values::pod(record.text("kubernetes.namespace"), Some(name)),
        None if of_schema() => {
            values::pod(record.text("orchestrator.namespace"), record.text("orchestrator.resource.name"))
        }
        None => None,
    }
}

/// A command line, where there are only its arguments. One with spaces in it is quoted.
fn arguments(list: Node<'_>) -> Option<Text<'_>> {
    if !list.is_array() {
        return list.as_text();
    }
    let mut line = String::new();
    for argument in list.children().filter_map(|(_, argument)| argument.as_text()) {
        if !line.is_empty() {
            line.push(' ');
        }
        match argument.contains(' ') && !argument.contains('"') {
            true => line.extend(["\"", &argument, "\""]),
            false => line.push_str(&argument),
        }
    }
    (!line.is_empty()).then_some(Text::Owned(line))
}

/// `source.*`, `destination.*` and `network.*`; the process is the one that is given.
pub(super) fn connection<'d>(record: Node<'d>, process: Process<'d>) -> Result<Connection<'d>, Refusal> {
    let source = end(record, "source.ip", "source.port").ok_or(Refusal::NoAddress)?;
    let destination = end(record, "destination.ip", "destination.port").ok_or(Refusal::NoAddress)?;
    let direction = record.text("network.direction");
    let initiated = match direction.as_deref() {
        Some("egress" | "outbound" | "outgoing") => Some(true),
        Some("ingress" | "inbound" | "incoming" | "listening") => Some(false),
        _ => None,
    };
    if source.ip.is_unspecified() && destination.ip.is_unspecified() {
        return Err(Refusal::NoAddress);
    }
    let protocol = record.text("network.transport").or_else(|| record.text("network.iana_number"));
    Ok(Connection {
        process,
        protocol: protocol.as_deref().and_then(values::protocol),
        ends: [source, destination],
        local: initiated.map(|initiated| if initiated { Side::First } else { Side::Second }),
        initiated,
        name: None,
        count: 1,
    })
}

/// An end by the paths of its address and its port.
pub(super) fn end(record: Node<'_>, ip: &str, port: &str) -> Option<End> {
    let ip = values::address(&record.text(ip)?)?;
    Some(End { ip, port: record.small(port).filter(|port| *port > 0) })
}

/// `dns.*`.
pub(super) fn query<'d>(record: Node<'d>, process: Process<'d>) -> Result<Query<'d>, Refusal> {
    let answers = || record.get("dns.answers").into_iter().flat_map(Node::children).map(|(_, answer)| answer);
    let mut addresses = addresses(record, "dns.resolved_ip");
    if addresses.is_empty() {
        let data = answers().filter_map(|answer| values::address(&answer.text("data")?));
        addresses = data.take(MAX_LIST).collect();
    }
    let alias = |answer: Node<'d>| match answer.text("type").as_deref() {
        Some("CNAME") => answer.text("data"),
        _ => None,
    };
    Ok(Query {
        process,
        name: record.text("dns.question.name").ok_or(Refusal::NoName)?,
        addresses,
        aliases: answers().filter_map(alias).take(MAX_LIST).collect(),
        status: record.text("dns.response_code"),
    })
}

/// The addresses in a list, or the one that stands for it.
pub(super) fn addresses(record: Node<'_>, path: &str) -> Vec<IpAddr> {
    let Some(list) = record.get(path) else { return Vec::new() };
    let address = |node: Node<'_>| node.as_text().and_then(|text| values::address(&text));
    match list.is_array() {
        true => list.children().filter_map(|(_, node)| address(node)).take(MAX_LIST).collect(),
        false => address(list).into_iter().collect(),
    }
}

/// Tells the addresses of the host, which Elastic's agents put into every event.
pub(super) fn tell_addresses(
    record: Node<'_>,
    feed: FeedKind,
    host: &str,
    host_id: Option<&str>,
    time: Time,
    tell: Tell<'_>,
) {
    let mut addresses = addresses(record, "host.ip");
    addresses.retain(values::is_own);
    if !addresses.is_empty() {
        tell(Record {
            feed,
            kind: Cow::Borrowed("host.ip"),
            id: None,
            host: Cow::Borrowed(host),
            host_id: host_id.map(Cow::Borrowed),
            time,
            second: None,
            what: Said::Addresses(addresses),
        });
    }
}
