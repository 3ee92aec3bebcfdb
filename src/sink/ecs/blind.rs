//! A blind spot as a document: who asks which resolver in a way that hides the names.

use serde::Serialize;

use super::super::{Source, Sources};
use super::VERSION;
use super::fields::Inner;
use super::fields::{
    Ecs, End, Event, FileFields, Ingress, Interface, Network, Observer, Related, Transport, TunnelFields,
    Vlan,
};
use crate::capture::Timestamp;
use crate::decode::Path;
use crate::inspect::BlindSpot;

/// A document of a blind spot.
#[derive(Serialize)]
pub(super) struct BlindDocument<'a> {
    #[serde(rename = "@timestamp")]
    timestamp: Timestamp,
    ecs: Ecs,
    event: Event,
    observer: Observer<'a>,
    source: End<'a>,
    destination: End<'a>,
    network: Network,
    related: Related<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<FileFields<'a>>,
    undertone: Undertone<'a>,
}

#[derive(Serialize)]
struct Undertone<'a> {
    blind_spot: Fields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tunnel: Option<TunnelFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frame: Option<u64>,
}

#[derive(Serialize)]
struct Fields<'a> {
    #[serde(rename = "type")]
    type_: &'static str,
    /// By what it is known.
    by: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen_in: Option<&'a str>,
}

impl<'a> BlindDocument<'a> {
    pub(super) fn new(spot: &'a BlindSpot, sources: &'a Sources) -> Self {
        let (mut file, mut frame, mut ingress) = (None, None, None);
        match sources.get(spot.source) {
            Some(Source::File(path)) => {
                file = Some(FileFields { path });
                frame = Some(spot.frame);
            }
            Some(Source::Interface(name)) => ingress = Some(Ingress { interface: Interface { name } }),
            None => {}
        }
        let (src, dst) = (spot.flow.src, spot.flow.dst);
        let name = spot.name.as_ref().map(|(name, _)| &**name);
        let path = spot.path.as_deref().unwrap_or(&Path::PLAIN);
        let [outer, inner] = path.vlans.map(|id| id.map(|id| Vlan { id: id.to_string() }));
        let resolver = name.map_or_else(|| dst.to_string(), str::to_owned);
        let words = spot.how.words();
        Self {
            timestamp: spot.at,
            ecs: Ecs { version: VERSION },
            event: Event {
                kind: "event",
                category: &["network"],
                type_: &["connection", "info"],
                module: "undertone",
                dataset: "undertone.blind_spot",
                id: None,
                action: None,
                severity: None,
                risk_score: None,
                reason: Some(format!(
                    "{} asks {resolver} by {words}: the names that it asks for go unseen",
                    src.ip
                )),
                start: None,
                end: None,
                duration: None,
            },
            observer: Observer {
                vendor: "undertone",
                product: "undertone",
                type_: "sensor",
                version: env!("CARGO_PKG_VERSION"),
                ingress,
            },
            source: End { ip: src.ip, port: Some(src.port), domain: None, bytes: None, packets: None },
            destination: End { ip: dst.ip, port: Some(dst.port), domain: name, bytes: None, packets: None },
            network: Network {
                transport: Some(Transport(spot.flow.protocol)),
                type_: if src.ip.is_ipv4() { "ipv4" } else { "ipv6" },
                protocol: None,
                application: Some(spot.how.as_str().to_owned()),
                community_id: Some(spot.flow.key().community_id().to_string()),
                bytes: None,
                packets: None,
                vlan: outer,
                inner: inner.map(|vlan| Inner { vlan }),
            },
            related: Related { ip: vec![src.ip, dst.ip], hosts: name.into_iter().collect() },
            file,
            undertone: Undertone {
                blind_spot: Fields {
                    type_: spot.how.as_str(),
                    by: if name.is_some() { "name" } else { "port" },
                    seen_in: spot.name.as_ref().map(|(_, seen_in)| seen_in.as_str()),
                },
                tunnel: TunnelFields::of(path),
                frame,
            },
        }
    }
}
