//! The fields of a document, object by object. The order of the fields is their order in JSON.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::super::words;
use super::process::{
    AttributionFields, ContainerFields, HostFields, OrchestratorFields, ProcessFields, UserFields,
};
use crate::capture::Timestamp;
use crate::decode::Path;
use crate::flow::{Endpoint, Protocol};
use crate::hostname::Hostname;
use crate::inspect::tls::{EchOffer, HelloFacts, Ja4};
use crate::inspect::{Detail, Observation, SeenIn};
use crate::originator::WireClass;
use crate::rules::{Allowed, Finding, Rule};

/// A document.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    #[serde(rename = "@timestamp")]
    pub(super) timestamp: Timestamp,
    pub(super) ecs: Ecs,
    pub(super) event: Event,
    pub(super) observer: Observer<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<RuleFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) threat: Option<Threat<'a>>,
    pub(super) source: End<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) destination: Option<End<'a>>,
    pub(super) network: Network,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<HostFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<UserFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<ProcessFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) container: Option<ContainerFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) orchestrator: Option<OrchestratorFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dns: Option<Dns<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<Tls<'a>>,
    pub(super) related: Related<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<FileFields<'a>>,
    pub(super) undertone: Undertone<'a>,
}

#[derive(Serialize)]
pub(super) struct Ecs {
    pub(super) version: &'static str,
}

#[derive(Serialize)]
pub(super) struct Event {
    pub(super) kind: &'static str,
    pub(super) category: &'static [&'static str],
    #[serde(rename = "type")]
    pub(super) type_: &'static [&'static str],
    pub(super) module: &'static str,
    pub(super) dataset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) action: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) severity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) risk_score: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end: Option<Timestamp>,
    /// Nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) duration: Option<i64>,
}

impl Event {
    /// An event that is no finding.
    pub(super) const fn plain(dataset: &'static str, type_: &'static [&'static str]) -> Self {
        Self {
            kind: "event",
            category: &["network"],
            type_,
            module: "undertone",
            dataset,
            id: None,
            action: None,
            severity: None,
            risk_score: None,
            reason: None,
            start: None,
            end: None,
            duration: None,
        }
    }
}

#[derive(Serialize)]
pub(super) struct Observer<'a> {
    pub(super) vendor: &'static str,
    pub(super) product: &'static str,
    #[serde(rename = "type")]
    pub(super) type_: &'static str,
    pub(super) version: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ingress: Option<Ingress<'a>>,
}

impl<'a> Observer<'a> {
    pub(super) const fn new(ingress: Option<Ingress<'a>>) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        Self { vendor: "undertone", product: "undertone", type_: "sensor", version, ingress }
    }
}

#[derive(Serialize)]
pub(super) struct Ingress<'a> {
    pub(super) interface: Interface<'a>,
}

#[derive(Serialize)]
pub(super) struct Interface<'a> {
    pub(super) name: &'a str,
}

#[derive(Serialize)]
pub(super) struct RuleFields<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) ruleset: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) author: Option<[&'a str; 1]>,
}

#[derive(Serialize)]
pub(super) struct Threat<'a> {
    pub(super) framework: &'static str,
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub(super) tactic: Named<'a>,
    pub(super) technique: Techniques<'a>,
}

#[derive(Serialize)]
pub(super) struct Techniques<'a> {
    #[serde(flatten)]
    pub(super) named: Named<'a>,
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub(super) subtechnique: Named<'a>,
}

/// Ids and names side by side, as the schema has them.
#[derive(Default, Serialize)]
pub(super) struct Named<'a> {
    pub(super) id: Vec<&'a str>,
    pub(super) name: Vec<&'a str>,
}

impl<'a> Named<'a> {
    fn push(&mut self, id: &'a str, name: &'a str) {
        if !self.id.contains(&id) {
            self.id.push(id);
            self.name.push(name);
        }
    }

    const fn is_empty(&self) -> bool {
        self.id.is_empty()
    }
}

impl<'a> Threat<'a> {
    pub(super) fn of(ids: &[&'a str]) -> Option<Self> {
        let (mut tactic, mut named, mut subtechnique) =
            (Named::default(), Named::default(), Named::default());
        for id in ids {
            let technique = id.split_once('.').map_or(*id, |(technique, _)| technique);
            named.push(technique, words::technique(technique));
            if technique != *id {
                subtechnique.push(id, words::technique(id));
            }
            if let Some((id, name)) = words::tactic(technique) {
                tactic.push(id, name);
            }
        }
        let technique = Techniques { named, subtechnique };
        (!ids.is_empty()).then_some(Self { framework: "MITRE ATT&CK", tactic, technique })
    }
}

#[derive(Serialize)]
pub(super) struct End<'a> {
    pub(super) ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) domain: Option<&'a str>,
    /// What it sent, in conversations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) packets: Option<u64>,
}

impl<'a> End<'a> {
    pub(super) const fn new(end: Endpoint, domain: Option<&'a str>) -> Self {
        Self { ip: end.ip, port: Some(end.port), domain, bytes: None, packets: None }
    }
}

#[derive(Serialize)]
pub(super) struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transport: Option<Transport>,
    #[serde(rename = "type")]
    pub(super) type_: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) protocol: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) application: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) community_id: Option<String>,
    /// Both ways, in conversations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) packets: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vlan: Option<Vlan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inner: Option<Inner>,
}

/// A VLAN; the schema has its identifier as a keyword.
#[derive(Serialize)]
pub(super) struct Vlan {
    pub(super) id: String,
}

/// What stands within the outer VLAN.
#[derive(Serialize)]
pub(super) struct Inner {
    pub(super) vlan: Vlan,
}

/// The innermost tunnel, through which a packet came.
#[derive(Serialize)]
pub(super) struct TunnelFields {
    #[serde(rename = "type")]
    type_: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u32>,
    source: TunnelEnd,
    destination: TunnelEnd,
    /// How many tunnels there are, one in the other.
    depth: u8,
}

#[derive(Serialize)]
struct TunnelEnd {
    ip: IpAddr,
}

impl TunnelFields {
    pub(super) fn of(path: &Path) -> Option<Self> {
        path.tunnel.map(|tunnel| Self {
            type_: tunnel.kind.as_str(),
            id: tunnel.identifier(),
            source: TunnelEnd { ip: tunnel.src },
            destination: TunnelEnd { ip: tunnel.dst },
            depth: path.depth,
        })
    }
}

pub(super) struct Transport(pub(super) Protocol);

impl Serialize for Transport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Protocol::TCP => serializer.serialize_str("tcp"),
            Protocol::UDP => serializer.serialize_str("udp"),
            Protocol(number) => serializer.collect_str(&number),
        }
    }
}

#[derive(Serialize)]
pub(super) struct Dns<'a> {
    pub(super) question: Question<'a>,
}

#[derive(Serialize)]
pub(super) struct Question<'a> {
    pub(super) name: &'a str,
    #[serde(rename = "type")]
    pub(super) type_: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) class: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Tls<'a> {
    pub(super) client: TlsClient<'a>,
}

#[derive(Serialize)]
pub(super) struct TlsClient<'a> {
    pub(super) server_name: &'a str,
}

/// What a ClientHello says for which the schema has no place.
#[derive(Serialize)]
pub(super) struct HelloFields<'a> {
    pub(super) client: HelloClient<'a>,
}

#[derive(Serialize)]
pub(super) struct HelloClient<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ja4: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    alpn: &'a [String],
    versions: Vec<String>,
    /// Whether there are values that mean nothing, as browsers of the Chromium family send (RFC 8701).
    grease: bool,
    ml_kem: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    padding: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ech: Option<EchFields<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    esni: bool,
    /// False where the end of the hello is missing; lists may be short then.
    #[serde(skip_serializing_if = "is_true")]
    whole: bool,
}

/// The outer part of an encrypted ClientHello, or what looks like one.
#[derive(Serialize)]
pub(super) struct EchFields<'a> {
    pub(super) config_id: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_name: Option<&'a str>,
    pub(super) kind: &'static str,
}

impl<'a> From<&'a HelloFacts> for HelloFields<'a> {
    fn from(facts: &'a HelloFacts) -> Self {
        let ech = |offer: EchOffer| EchFields {
            config_id: offer.config_id,
            public_name: None,
            kind: offer.kind.as_str(),
        };
        Self {
            client: HelloClient {
                ja4: facts.ja4.as_ref().map(Ja4::as_str),
                alpn: &facts.alpn,
                versions: facts.versions.iter().map(|version| words::tls_version(*version)).collect(),
                grease: facts.grease,
                ml_kem: facts.ml_kem,
                padding: facts.padding,
                ech: facts.ech.map(ech),
                esni: facts.esni,
                whole: facts.whole,
            },
        }
    }
}

#[derive(Serialize)]
pub(super) struct Related<'a> {
    pub(super) ip: Vec<IpAddr>,
    pub(super) hosts: Vec<&'a str>,
}

#[derive(Serialize)]
pub(super) struct FileFields<'a> {
    pub(super) path: &'a str,
}

#[derive(Serialize)]
pub(super) struct Undertone<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) level: Option<&'static str>,
    pub(super) hostname: HostnameFields<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tls: Option<HelloFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tunnel: Option<TunnelFields>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) rules: Vec<FiredRule<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<ServiceFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) originator: Option<OriginatorFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allowed: Option<AllowedFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attribution: Option<AttributionFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary: Option<SummaryFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) frame: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct HostnameFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) seen_in: Ways,
    /// From the answer of DNS that it is taken from to the connection, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) age_ms: Option<i64>,
    /// Where it may be one of several, all of them.
    #[serde(skip_serializing_if = "<[Hostname]>::is_empty")]
    pub(super) candidates: &'a [Hostname],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) disagrees_with: Vec<OtherName<'a>>,
}

/// Another name of the same connection.
#[derive(Serialize)]
pub(super) struct OtherName<'a> {
    pub(super) name: &'a str,
    pub(super) seen_in: &'static str,
}

impl<'a> HostnameFields<'a> {
    pub(super) fn new(observation: &'a Observation, seen_in: Ways) -> Self {
        let derived = match &observation.detail {
            Detail::Derived(derived) => Some(&**derived),
            _ => None,
        };
        let other = |(seen_in, name): &'a (SeenIn, Hostname)| OtherName { name, seen_in: seen_in.as_str() };
        Self {
            name: (observation.seen_in != SeenIn::Address).then_some(&observation.hostname),
            seen_in,
            age_ms: derived.and_then(|derived| derived.age).map(|age| age / 1_000_000),
            candidates: derived
                .map(|derived| &*derived.candidates)
                .filter(|all| all.len() > 1)
                .unwrap_or_default(),
            disagrees_with: observation.disagrees_with.iter().map(other).collect(),
        }
    }

    /// Only how names were seen, where there are many.
    pub(super) const fn ways(seen_in: Ways) -> Self {
        Self { name: None, seen_in, age_ms: None, candidates: &[], disagrees_with: Vec::new() }
    }
}

/// One way in a hostname record; all of them in a finding.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Ways {
    One(&'static str),
    All(Vec<&'static str>),
}

#[derive(Serialize)]
pub(super) struct FiredRule<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    /// Its author's level. The finding's is that of the first rule.
    pub(super) level: &'static str,
}

impl<'a> From<&'a Rule> for FiredRule<'a> {
    fn from(rule: &'a Rule) -> Self {
        Self { id: &rule.id, name: &rule.name, level: rule.level.as_str() }
    }
}

/// The entry of an allow list that says that this may be.
#[derive(Serialize)]
pub(super) struct AllowedFields<'a> {
    list: &'a str,
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> From<&'a Allowed> for AllowedFields<'a> {
    fn from(allowed: &'a Allowed) -> Self {
        Self {
            list: &allowed.list,
            line: allowed.line,
            owner: allowed.owner.as_deref(),
            reason: allowed.reason.as_deref(),
        }
    }
}

/// What kind of program is behind it, by its process and by its hello.
#[derive(Serialize)]
pub(super) struct OriginatorFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    /// For what it connects, where it acts for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    delegate: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<&'a str>,
    /// What the hello looks like; never the name of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    wire: Option<&'static str>,
}

impl<'a> OriginatorFields<'a> {
    /// None where there is nothing to say.
    pub(super) fn of(finding: &'a Finding) -> Option<Self> {
        let (originator, wire) = (finding.originator.as_deref(), finding.wire);
        let wire = (wire != WireClass::Unknown).then(|| wire.as_str());
        (originator.is_some() || wire.is_some()).then(|| Self {
            class: originator.map(|found| found.class.as_str()),
            delegate: originator.and_then(|found| found.delegate.as_deref()),
            tags: originator.iter().flat_map(|found| &found.tags).map(|tag| tag.as_str()).collect(),
            evidence: originator.iter().flat_map(|found| &found.evidence).map(String::as_str).collect(),
            wire,
        })
    }
}

#[derive(Serialize)]
pub(super) struct ServiceFields<'a> {
    pub(super) name: &'a str,
    pub(super) category: &'a str,
    /// Further categories.
    #[serde(skip_serializing_if = "<[Box<str>]>::is_empty")]
    pub(super) also: &'a [Box<str>],
    pub(super) entry: &'a str,
    pub(super) tier: u8,
    /// The customer that the hostname names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tenant: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct SummaryFields<'a> {
    pub(super) alert: String,
    pub(super) count: u64,
    /// Of these, without the questions.
    pub(super) connections: u64,
    pub(super) hostnames: Vec<&'a str>,
    pub(super) destinations: Vec<IpAddr>,
    pub(super) ports: Vec<u16>,
    /// The categories of the service.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) service_types: Vec<&'a str>,
    /// Where the command line is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) suspicious_command_line: Option<bool>,
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) values_left_out: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as above
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as above
const fn is_true(flag: &bool) -> bool {
    *flag
}
