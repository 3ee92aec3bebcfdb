//! The endpoint's fields: host, user, process, and how they are known.

use serde::Serialize;

use crate::capture::Timestamp;
use crate::originator::{Attribution, Delegated, Host, Process};

/// What an attribution says, for the places where the schema has it.
#[derive(Default)]
pub(super) struct Endpoint<'a> {
    pub(super) host: Option<HostFields<'a>>,
    pub(super) user: Option<UserFields<'a>>,
    pub(super) process: Option<ProcessFields<'a>>,
    pub(super) container: Option<ContainerFields<'a>>,
    pub(super) orchestrator: Option<OrchestratorFields<'a>>,
}

impl<'a> From<&'a Attribution> for Endpoint<'a> {
    fn from(attribution: &'a Attribution) -> Self {
        let process = attribution.process.as_deref();
        Self {
            host: attribution.host.as_deref().map(HostFields::from),
            user: process.and_then(UserFields::of),
            process: process.map(ProcessFields::from),
            container: process.and_then(ContainerFields::of),
            orchestrator: process.and_then(OrchestratorFields::of),
        }
    }
}

#[derive(Serialize)]
pub(super) struct HostFields<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
}

impl<'a> From<&'a Host> for HostFields<'a> {
    fn from(host: &'a Host) -> Self {
        Self { name: &host.name, id: host.id.as_deref() }
    }
}

#[derive(Serialize)]
pub(super) struct UserFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<&'a str>,
    name: &'a str,
}

impl<'a> UserFields<'a> {
    fn of(process: &'a Process) -> Option<Self> {
        Some(Self { domain: process.user_domain.as_deref(), name: process.user.as_deref()? })
    }
}

#[derive(Serialize)]
pub(super) struct ContainerFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

impl<'a> ContainerFields<'a> {
    fn of(process: &'a Process) -> Option<Self> {
        let (id, name) = (process.container.as_deref(), process.container_name.as_deref());
        (id.is_some() || name.is_some()).then_some(Self { id, name })
    }
}

/// What runs the container.
#[derive(Serialize)]
pub(super) struct OrchestratorFields<'a> {
    #[serde(rename = "type")]
    type_: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
    resource: ResourceFields<'a>,
}

#[derive(Serialize)]
struct ResourceFields<'a> {
    #[serde(rename = "type")]
    type_: &'static str,
    name: &'a str,
}

impl<'a> OrchestratorFields<'a> {
    fn of(process: &'a Process) -> Option<Self> {
        let pod = process.pod.as_deref()?;
        let (namespace, name) = pod.split_once('/').map_or((None, pod), |(space, name)| (Some(space), name));
        let resource = ResourceFields { type_: "pod", name };
        Some(Self { type_: "kubernetes", namespace, resource })
    }
}

#[derive(Serialize)]
pub(super) struct ProcessFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_line: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_directory: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<HashFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pe: Option<PeFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_signature: Option<SignatureFields<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Box<Self>>,
}

impl<'a> From<&'a Process> for ProcessFields<'a> {
    fn from(process: &'a Process) -> Self {
        let (md5, sha1, sha256) =
            (process.md5.as_deref(), process.sha1.as_deref(), process.sha256.as_deref());
        let hashed = md5.or(sha1).or(sha256).is_some();
        Self {
            pid: process.pid,
            entity_id: process.entity_id.as_deref(),
            name: process.name.as_deref(),
            executable: process.executable.as_deref(),
            command_line: process.command_line.as_deref(),
            working_directory: process.directory.as_deref(),
            start: process.started,
            end: process.ended,
            hash: hashed.then_some(HashFields { md5, sha1, sha256 }),
            pe: process.original_name.as_deref().map(|original_file_name| PeFields { original_file_name }),
            code_signature: process.signer.as_deref().map(|subject_name| SignatureFields { subject_name }),
            parent: process.parent.as_deref().map(|parent| Box::new(Self::from(parent))),
        }
    }
}

#[derive(Serialize)]
struct HashFields<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha1: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
}

#[derive(Serialize)]
struct PeFields<'a> {
    original_file_name: &'a str,
}

#[derive(Serialize)]
struct SignatureFields<'a> {
    subject_name: &'a str,
}

/// How it is known.
#[derive(Serialize)]
pub(super) struct AttributionFields<'a> {
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    confidence: Option<f64>,
    /// The end of the connection that the process is at, where it is not the client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    records: Vec<&'a str>,
    #[serde(skip_serializing_if = "is_nought")]
    candidates: u16,
    /// Who they are, where several may be it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    others: Vec<Brief<'a>>,
    /// The endpoints that it may be, where the address does not say which.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hosts: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_offset_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    integrity_level: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delegated: Option<DelegatedFields<'a>>,
}

impl<'a> From<&'a Attribution> for AttributionFields<'a> {
    fn from(attribution: &'a Attribution) -> Self {
        let process = attribution.process.as_deref();
        Self {
            level: attribution.level.as_str(),
            confidence: (attribution.confidence > 0).then(|| f64::from(attribution.confidence) / 100.0),
            side: attribution.accepted.then_some("server"),
            feed: attribution.feed.map(crate::originator::record::FeedKind::as_str),
            records: attribution.records.iter().collect(),
            candidates: attribution.candidates,
            others: attribution.others.iter().map(|process| Brief::from(&**process)).collect(),
            hosts: attribution.hosts.iter().map(|host| &*host.name).collect(),
            clock_offset_ms: attribution.clock_offset.map(|nanos| nanos / 1_000_000),
            integrity_level: process.and_then(|process| process.integrity.as_deref()),
            delegated: attribution.delegated.as_ref().map(DelegatedFields::from),
        }
    }
}

/// That the process acts for another, and for whom.
#[derive(Serialize)]
struct DelegatedFields<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<ProcessFields<'a>>,
}

impl<'a> From<&'a Delegated> for DelegatedFields<'a> {
    fn from(delegated: &'a Delegated) -> Self {
        Self {
            kind: &delegated.kind,
            level: delegated.level.map(crate::originator::AttributionLevel::as_str),
            process: delegated.likely.as_deref().map(ProcessFields::from),
        }
    }
}

/// A process among others.
#[derive(Serialize)]
struct Brief<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executable: Option<&'a str>,
}

impl<'a> From<&'a Process> for Brief<'a> {
    fn from(process: &'a Process) -> Self {
        Self {
            pid: process.pid,
            entity_id: process.entity_id.as_deref(),
            name: process.name.as_deref(),
            executable: process.executable.as_deref(),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands over a reference
const fn is_nought(number: &u16) -> bool {
    *number == 0
}
