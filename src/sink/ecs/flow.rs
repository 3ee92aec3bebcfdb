//! Conversations as documents.

use serde::Serialize;

use super::super::{FlowRecord, Source, Sources, words};
use super::fields::{
    Ecs, End, Event, FileFields, HostnameFields, Ingress, Inner, Interface, Network, Observer, Related,
    Transport, TunnelFields, Vlan, Ways,
};
use super::process::{
    AttributionFields, ContainerFields, Endpoint, HostFields, OrchestratorFields, ProcessFields, UserFields,
};
use crate::capture::Timestamp;
use crate::decode::Path;

/// A conversation as a document.
#[derive(Serialize)]
pub(super) struct FlowDocument<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    ecs: Ecs,
    event: Event,
    observer: Observer<'a>,
    source: End<'a>,
    destination: End<'a>,
    network: Network,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<HostFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<UserFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<ProcessFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<ContainerFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orchestrator: Option<OrchestratorFields<'a>>,
    related: Related<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileFields<'a>>,
    undertone: FlowUndertone<'a>,
}

#[derive(Serialize)]
struct FlowUndertone<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    hostname: Option<HostnameFields<'a>>,
    flow: FlowFields,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<TunnelFields>,
    /// Packets that came twice, and of which bytes and packets count the first.
    #[serde(skip_serializing_if = "is_nought")]
    copies: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<AttributionFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<u64>,
}

/// What is to be known of the figures.
#[derive(Serialize)]
struct FlowFields {
    /// Whether the beginning was seen; else somebody may have begun it long before, and it may be the other one.
    begin_seen: bool,
    end_seen: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "so serde asks")]
const fn is_nought(count: &u64) -> bool {
    *count == 0
}

impl<'a> FlowDocument<'a> {
    pub(super) fn new(record: &'a FlowRecord, sources: &'a Sources) -> Self {
        let conversation = &record.conversation;
        let flow = conversation.flow;
        let (mut file, mut frame, mut ingress) = (None, None, None);
        match sources.get(conversation.source) {
            Some(Source::File(path)) => {
                file = Some(FileFields { path });
                frame = Some(conversation.first_frame);
            }
            Some(Source::Interface(name)) => ingress = Some(Ingress { interface: Interface { name } }),
            None => {}
        }
        let path = conversation.path.as_deref().unwrap_or(&Path::PLAIN);
        let [outer, inner] = path.vlans.map(|id| id.map(|id| Vlan { id: id.to_string() }));
        let name = conversation.name.as_deref();
        let domain = name.filter(|(_, seen_in)| seen_in.is_connection()).map(|(name, _)| name.as_str());
        let Endpoint { host, user, process, container, orchestrator } =
            record.attribution.as_ref().map(Endpoint::from).unwrap_or_default();
        let (sent, received) = (conversation.sent, conversation.received);
        let mut event = Event::plain("undertone.flow", &["connection", "info"]);
        event.start = Some(conversation.first);
        event.end = Some(conversation.last);
        event.duration = Some(conversation.last.since(conversation.first).max(0));
        let mut source = End::new(flow.src, None);
        (source.bytes, source.packets) = (Some(sent.bytes), Some(sent.packets));
        let mut destination = End::new(flow.dst, domain);
        (destination.bytes, destination.packets) = (Some(received.bytes), Some(received.packets));
        Self {
            timestamp: conversation.first,
            ecs: Ecs { version: super::VERSION },
            event,
            observer: Observer::new(ingress),
            source,
            destination,
            network: Network {
                transport: Some(Transport(flow.protocol)),
                type_: if flow.src.ip.is_ipv4() { "ipv4" } else { "ipv6" },
                protocol: name.and_then(|(_, seen_in)| words::protocol_of(*seen_in)),
                application: None,
                community_id: Some(flow.key().community_id().to_string()),
                bytes: Some(sent.bytes + received.bytes),
                packets: Some(sent.packets + received.packets),
                vlan: outer,
                inner: inner.map(|vlan| Inner { vlan }),
            },
            host,
            user,
            process,
            container,
            orchestrator,
            related: Related {
                ip: super::related_ips(flow, path),
                hosts: name.map(|(name, _)| name.as_str()).into_iter().collect(),
            },
            file,
            undertone: FlowUndertone {
                hostname: name.map(|(name, seen_in)| HostnameFields {
                    name: Some(name),
                    ..HostnameFields::ways(Ways::One(seen_in.as_str()))
                }),
                flow: FlowFields { begin_seen: conversation.whole, end_seen: conversation.ended },
                tunnel: TunnelFields::of(path),
                copies: conversation.copies,
                attribution: record.attribution.as_ref().map(AttributionFields::from),
                frame,
            },
        }
    }
}
