//! The fields that Sigma rules see of a contact: Sigma's taxonomy for `network_connection`, `dns_query` and `dns`, and undertone's own.
//!
//! Names come from the wire, the process from the endpoint's telemetry. A field that is not known is missing, which rsigma
//! reads as no match.

use std::borrow::Cow;

use rsigma_eval::{Event, EventValue};

use crate::flow::Protocol;
use crate::inspect::{Detail, SeenIn};
use crate::originator::{Originator, Process};
use crate::rules::Facts;

/// What has to be known for a field to be there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Needs {
    /// The packets, and the lists.
    Wire,
    /// The process.
    Process,
}

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in rules.
    pub name: &'static str,
    /// What has to be known for it to be there.
    pub needs: Needs,
    /// What it is.
    pub about: &'static str,
}

const fn wire(name: &'static str, about: &'static str) -> Field {
    Field { name, needs: Needs::Wire, about }
}

const fn process(name: &'static str, about: &'static str) -> Field {
    Field { name, needs: Needs::Process, about }
}

/// Every field that is filled.
pub const FIELDS: &[Field] = &[
    wire("DestinationHostname", "the name that was reached or asked for"),
    wire("QueryName", "the same"),
    wire("query", "the same"),
    wire("HostnameAndParents", "the name and every domain above it: a value means itself and all below it"),
    wire("record_type", "the type of a DNS question: A, AAAA, HTTPS …"),
    wire("SourceIp", "the client"),
    wire("SourcePort", "its port"),
    wire("SourceIsIpv6", "true or false"),
    wire("SourceHostname", "the client's name, where telemetry knows it"),
    wire("DestinationIp", "the server; of a question the resolver"),
    wire("DestinationPort", "its port"),
    wire("DestinationIsIpv6", "true or false"),
    wire("Protocol", "tcp or udp"),
    wire("Initiated", "true; false where the process is who accepted the connection"),
    wire("Computer", "the endpoint's name, where telemetry knows it"),
    process("Image", "the path of the process's file"),
    process("ProcessId", "its number"),
    process("ProcessGuid", "the feed's identity for it"),
    process("CommandLine", "how it was called"),
    process("CurrentDirectory", "where it was started"),
    process("OriginalFileName", "the name its file was built with"),
    process("User", "its user, as DOMAIN\\name where there is a domain"),
    process("IntegrityLevel", "its integrity level"),
    process("Hashes", "MD5=…,SHA1=…,SHA256=…, as far as known"),
    process("ParentImage", "the path of its parent's file"),
    process("ParentCommandLine", "how its parent was called"),
    process("ParentProcessId", "its parent's number"),
    process("ProcessName", "the name of its file"),
    process("ParentProcessName", "the name of its parent's file"),
    process("Signer", "who signed its file"),
    process("SecondsSinceProcessStart", "its age at the contact"),
    process("OriginatorClass", "browser, interpreter, lolbin …"),
    process("OriginatorTags", "suspicious-process, masquerade …"),
    process("OriginatorAtHome", "true where it is a client of the service"),
    wire("ServiceName", "the service of the list entry"),
    wire("ServiceCategory", "its categories"),
    wire("ServiceEntry", "the suffix of the list entry"),
    wire("NoiseTier", "1 a contact is news … 4 on every network all day"),
    wire("Tenant", "the customer that the hostname names"),
    wire("SeenIn", "dns_query, tls_sni, quic_sni, http_host …"),
    wire("WireClass", "browser-like, tool-like or unknown"),
    wire("Ja4", "the fingerprint of the hello"),
    wire("AttributionLevel", "tuple-and-name … no-telemetry"),
    wire("AttributionConfidence", "in percent"),
];

/// The fields that hold the hostname.
pub const HOSTNAMES: [&str; 4] = ["DestinationHostname", "QueryName", "query", "HostnameAndParents"];

/// A contact as rsigma sees it.
#[derive(Clone, Copy)]
pub(super) struct ContactEvent<'a>(pub(super) Facts<'a>);

impl<'a> ContactEvent<'a> {
    /// The process that rules are about: for whom the contact was made, else whose connection it is.
    fn process(&self) -> Option<&'a Process> {
        let attribution = self.0.attribution;
        attribution.originator().or(attribution.process.as_ref()).map(|process| &**process)
    }

    /// Whether no process is known.
    pub(super) const fn is_of_nobody(&self) -> bool {
        self.0.attribution.process.is_none() && self.0.originator.is_none()
    }

    fn field(&self, name: &str) -> Option<EventValue<'a>> {
        let Facts { contact, attribution, wire, .. } = self.0;
        let (observation, entry) = (&contact.observation, &contact.entry);
        let flow = &observation.flow;
        let originator: Option<&'a Originator> = self.0.originator;
        let process = self.process();
        let parent = process.and_then(|process| process.parent.as_deref());
        let of = |text: &'a Option<std::sync::Arc<str>>| text.as_deref().map(text_value);
        // A connection that no list speaks of has no service, and perhaps no name.
        if entry.is_of_rule() {
            let of_service =
                ["ServiceName", "ServiceCategory", "ServiceEntry", "NoiseTier", "Tenant", "OriginatorAtHome"];
            let has_no_name = observation.seen_in == SeenIn::Address;
            if of_service.contains(&name) || (has_no_name && (HOSTNAMES.contains(&name) || name == "SeenIn"))
            {
                return None;
            }
        }
        let value = match name {
            "DestinationHostname" | "QueryName" | "query" => text_value(&observation.hostname),
            "HostnameAndParents" => {
                let name: &'a str = &observation.hostname;
                let above = std::iter::successors(Some(name), |name| Some(name.split_once('.')?.1));
                list(above.map(text_value))
            }
            "record_type" => match observation.detail {
                Detail::Dns { qtype, .. } => EventValue::Str(Cow::Borrowed(record_type(qtype)?)),
                _ => return None,
            },
            "SourceIp" => owned(flow.src.ip),
            "SourcePort" => EventValue::Int(flow.src.port.into()),
            "SourceIsIpv6" => EventValue::Bool(flow.src.ip.is_ipv6()),
            "DestinationIp" => owned(flow.dst.ip),
            "DestinationPort" => EventValue::Int(flow.dst.port.into()),
            "DestinationIsIpv6" => EventValue::Bool(flow.dst.ip.is_ipv6()),
            "Protocol" => match flow.protocol {
                Protocol::TCP => EventValue::Str(Cow::Borrowed("tcp")),
                Protocol::UDP => EventValue::Str(Cow::Borrowed("udp")),
                Protocol(number) => EventValue::Int(number.into()),
            },
            "Initiated" => EventValue::Bool(!attribution.accepted),
            "SourceHostname" | "Computer" => text_value(&attribution.host.as_ref()?.name),
            "Image" => process.and_then(|process| of(&process.executable).or_else(|| of(&process.name)))?,
            "ProcessId" => EventValue::Int(process?.pid?.into()),
            "ProcessGuid" => of(&process?.entity_id)?,
            "CommandLine" => of(&process?.command_line)?,
            "CurrentDirectory" => of(&process?.directory)?,
            "OriginalFileName" => of(&process?.original_name)?,
            "IntegrityLevel" => of(&process?.integrity)?,
            "Signer" => of(&process?.signer)?,
            "User" => user(process?)?,
            "Hashes" => hashes(process?)?,
            "ParentImage" => parent.and_then(|parent| of(&parent.executable).or_else(|| of(&parent.name)))?,
            "ParentCommandLine" => of(&parent?.command_line)?,
            "ParentProcessId" => EventValue::Int(parent?.pid?.into()),
            "ProcessName" => file_name(process?)?,
            "ParentProcessName" => file_name(parent?)?,
            "SecondsSinceProcessStart" => {
                let age = observation.at.since(process?.started?);
                // Clocks that agree to a second may have the start behind the contact.
                EventValue::Float(age.max(0) as f64 / 1e9)
            }
            "OriginatorClass" => EventValue::Str(Cow::Borrowed(originator?.class.as_str())),
            "OriginatorTags" => {
                list(originator?.tags.iter().map(|tag| EventValue::Str(Cow::Borrowed(tag.as_str()))))
            }
            "OriginatorAtHome" => EventValue::Bool(originator?.is_at_home(entry)),
            "ServiceName" => text_value(entry.service()),
            "ServiceCategory" => {
                let also = entry.about.also.iter().map(|category| text_value(category));
                list(std::iter::once(text_value(entry.category())).chain(also))
            }
            "ServiceEntry" => text_value(&entry.suffix),
            "NoiseTier" => EventValue::Int(entry.tier.number().into()),
            "Tenant" => text_value(self.0.tenant()?),
            "SeenIn" => EventValue::Str(Cow::Borrowed(observation.seen_in.as_str())),
            "WireClass" => EventValue::Str(Cow::Borrowed(wire.as_str())),
            "Ja4" => match &observation.detail {
                Detail::Hello(hello) => owned(hello.facts()?.ja4?),
                _ => return None,
            },
            "AttributionLevel" => EventValue::Str(Cow::Borrowed(attribution.level.as_str())),
            "AttributionConfidence" => EventValue::Int(attribution.confidence.into()),
            _ => return None,
        };
        Some(value)
    }
}

fn text_value(text: &str) -> EventValue<'_> {
    EventValue::Str(Cow::Borrowed(text))
}

fn owned(value: impl ToString) -> EventValue<'static> {
    EventValue::Str(Cow::Owned(value.to_string()))
}

fn list<'a>(values: impl Iterator<Item = EventValue<'a>>) -> EventValue<'a> {
    EventValue::Array(values.collect())
}

fn user(process: &Process) -> Option<EventValue<'_>> {
    let user = process.user.as_deref()?;
    Some(match &process.user_domain {
        Some(domain) => owned(format!("{domain}\\{user}")),
        None => text_value(user),
    })
}

fn hashes(process: &Process) -> Option<EventValue<'_>> {
    let named = [("MD5", &process.md5), ("SHA1", &process.sha1), ("SHA256", &process.sha256)];
    let known =
        named.iter().filter_map(|(name, hash)| Some(format!("{name}={}", hash.as_ref()?.to_uppercase())));
    let text = known.collect::<Vec<_>>().join(",");
    (!text.is_empty()).then(|| owned(text))
}

fn file_name(process: &Process) -> Option<EventValue<'_>> {
    let path = process.name.as_deref().or(process.executable.as_deref())?;
    Some(text_value(path.rsplit(['\\', '/']).next().unwrap_or(path)))
}

/// The names of the types that rules speak of.
const fn record_type(number: u16) -> Option<&'static str> {
    Some(match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        10 => "NULL",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        33 => "SRV",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        _ => return None,
    })
}

impl Event for ContactEvent<'_> {
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        self.field(path)
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.all_string_values().iter().any(|text| pred(text))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let values = FIELDS.iter().filter_map(|field| self.field(field.name));
        values
            .filter_map(|value| match value {
                EventValue::Str(text) => Some(text),
                _ => None,
            })
            .collect()
    }

    fn to_json(&self) -> serde_json::Value {
        let fields = FIELDS.iter().filter_map(|field| {
            let value = self.field(field.name)?;
            Some((field.name.to_owned(), value.to_json()))
        });
        serde_json::Value::Object(fields.collect())
    }
}
