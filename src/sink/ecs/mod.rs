//! Records as documents of the Elastic Common Schema, version 9 (<https://www.elastic.co/docs/reference/ecs>).
//!
//! Fields stand in a stable order; what the schema has no place for stands under `undertone.`. `host.*`, `user.*` and
//! `process.*` are the endpoint's; what the sensor says of itself is `observer.*`. The structures borrow from the
//! record, and a field that is not known is left out.

mod blind;
mod fields;
mod flow;
mod process;
mod stats;

use std::io::{self, Write};
use std::net::IpAddr;

use super::{Record, Source, Sources, words};
use crate::decode::Path;
use crate::flow::Flow;
use crate::inspect::tls::EchKind;
use crate::inspect::{Detail, Observation, SeenIn};
use crate::originator::{Process, Tag};
use crate::rules::{Alert, Finding, Summary};
use fields::{
    AllowedFields, Dns, Document, Ecs, End, Event, FileFields, FiredRule, HelloFields, HostnameFields,
    Ingress, Inner, Interface, Network, Observer, OriginatorFields, Question, Related, RuleFields,
    ServiceFields, SummaryFields, Threat, Tls, TlsClient, Transport, TunnelFields, Undertone, Vlan, Ways,
};
use flow::FlowDocument;
use process::{AttributionFields, Endpoint};

/// The version of the schema, in `ecs.version`.
pub const VERSION: &str = "9.5.0";

/// Writes the record as one JSON document, without a line end.
///
/// # Errors
/// When `to` fails.
pub fn write(record: &Record, sources: &Sources, to: impl Write) -> io::Result<()> {
    let result = match record {
        Record::Alert(alert) => serde_json::to_writer(to, &Document::alert(alert, sources)),
        Record::Summary(summary) => serde_json::to_writer(to, &Document::summary(summary, sources)),
        Record::Hostname(observation) => serde_json::to_writer(to, &Document::hostname(observation, sources)),
        Record::Flow(flow) => serde_json::to_writer(to, &FlowDocument::new(flow, sources)),
        Record::Blind(spot) => serde_json::to_writer(to, &blind::BlindDocument::new(spot, sources)),
        Record::Stats(stats) => serde_json::to_writer(to, &stats::document(stats)),
    };
    result.map_err(io::Error::from)
}

impl<'a> Document<'a> {
    fn alert(alert: &'a Alert, sources: &'a Sources) -> Self {
        let finding = &alert.finding;
        let observation = &finding.contact.observation;
        let mut document = Self::hostname(observation, sources);
        document.event = Event {
            kind: "alert",
            category: &["network", "intrusion_detection"],
            dataset: "undertone.alert",
            id: Some(format!("{:016x}", alert.id)),
            action: alert.update.then_some("attribution-update"),
            severity: Some(finding.level.severity()),
            risk_score: Some(f32::from(finding.level.severity())),
            reason: Some(reason(finding)),
            start: Some(alert.first),
            ..document.event
        };
        document.take(finding);
        // The resolver of a question is not at home at the name that it was asked for.
        if !observation.seen_in.is_connection()
            && let Some(destination) = &mut document.destination
        {
            destination.domain = None;
        }
        document.undertone.hostname = HostnameFields::new(observation, ways(&alert.seen_in));
        document
    }

    /// A summary stands for many conversations: what differs from one to the next is listed or left out, and so is the tunnel that not all
    /// of them came through.
    fn summary(summary: &'a Summary, sources: &'a Sources) -> Self {
        let finding = &summary.finding;
        let client = finding.contact.observation.flow.src.ip;
        let mut document = Self::hostname(&finding.contact.observation, sources);
        document.timestamp = summary.last;
        document.event = Event {
            category: &["network", "intrusion_detection"],
            type_: &["info"],
            dataset: "undertone.summary",
            severity: Some(finding.level.severity()),
            risk_score: Some(f32::from(finding.level.severity())),
            reason: Some(summed_up(summary)),
            start: Some(summary.first),
            end: Some(summary.last),
            duration: Some(summary.last.since(summary.first)),
            ..document.event
        };
        document.take(finding);
        document.source.port = None;
        document.destination = None;
        document.network =
            Network { transport: None, protocol: None, community_id: None, ..document.network };
        if !summary.one_path {
            (document.network.vlan, document.network.inner) = (None, None);
            document.undertone.tunnel = None;
        }
        let tunnel = finding.contact.observation.path.as_ref().and_then(|path| path.tunnel);
        let tunnel = tunnel.filter(|_| summary.one_path).map(|tunnel| [tunnel.src, tunnel.dst]);
        document.dns = None;
        document.tls = None;
        document.undertone.tls = None;
        let others = summary.destinations.iter().copied().chain(tunnel.into_iter().flatten());
        document.related = Related {
            ip: distinct(std::iter::once(client).chain(others)),
            hosts: summary.hostnames.iter().map(|name| &**name).collect(),
        };
        document.undertone.frame = None;
        document.undertone.hostname = HostnameFields::ways(ways(&summary.seen_in));
        document.undertone.summary = Some(SummaryFields {
            alert: format!("{:016x}", summary.id),
            count: summary.count,
            connections: summary.connections,
            hostnames: summary.hostnames.iter().map(|name| &**name).collect(),
            destinations: summary.destinations.iter().copied().collect(),
            ports: summary.ports.iter().copied().collect(),
            service_types: (finding.listed().into_iter())
                .flat_map(|listed| {
                    std::iter::once(listed.category).chain(listed.also.iter().map(|also| &**also))
                })
                .collect(),
            suspicious_command_line: suspicious_command_line(finding),
            values_left_out: summary.values_left_out,
        });
        document
    }

    fn hostname(observation: &'a Observation, sources: &'a Sources) -> Self {
        let Flow { src, dst, protocol } = observation.flow;
        let name = &*observation.hostname;
        let named = observation.seen_in != SeenIn::Address;
        let (mut file, mut frame, mut interface) = (None, None, None);
        match sources.get(observation.source) {
            Some(Source::File(path)) => {
                file = Some(FileFields { path });
                frame = Some(observation.frame);
            }
            Some(Source::Interface(name)) => interface = Some(Ingress { interface: Interface { name } }),
            None => {}
        }
        let path = observation.path.as_deref().unwrap_or(&Path::PLAIN);
        let [outer, inner] = path.vlans.map(|id| id.map(|id| Vlan { id: id.to_string() }));
        Self {
            timestamp: observation.at,
            ecs: Ecs { version: VERSION },
            event: Event::plain(
                "undertone.hostname",
                match observation.seen_in.is_connection() {
                    true => &["connection"],
                    false => &["connection", "protocol"],
                },
            ),
            observer: Observer::new(interface),
            rule: None,
            threat: None,
            source: End::new(src, None),
            destination: Some(End::new(dst, Some(name).filter(|_| named))),
            network: Network {
                transport: Some(Transport(protocol)),
                type_: if src.ip.is_ipv4() { "ipv4" } else { "ipv6" },
                protocol: words::protocol(observation),
                application: None,
                community_id: Some(observation.flow.key().community_id().to_string()),
                bytes: None,
                packets: None,
                vlan: outer,
                inner: inner.map(|vlan| Inner { vlan }),
            },
            host: None,
            user: None,
            process: None,
            container: None,
            orchestrator: None,
            dns: match &observation.detail {
                Detail::Dns { qtype, qclass } => Some(Dns {
                    question: Question { name, type_: words::dns_type(*qtype), class: class(*qclass) },
                }),
                _ => None,
            },
            tls: match &observation.detail {
                Detail::Hello(_) => Some(Tls { client: TlsClient { server_name: name } }),
                _ => None,
            },
            related: Related {
                ip: related_ips(observation.flow, path),
                hosts: if named { vec![name] } else { Vec::new() },
            },
            file,
            undertone: Undertone {
                level: None,
                hostname: HostnameFields::new(observation, Ways::One(observation.seen_in.as_str())),
                tls: hello_fields(observation),
                tunnel: TunnelFields::of(path),
                rules: Vec::new(),
                service: None,
                originator: None,
                allowed: None,
                attribution: None,
                summary: None,
                frame,
            },
        }
    }

    /// What a finding says, in alerts and summaries alike.
    fn take(&mut self, finding: &'a Finding) {
        let listed = finding.listed();
        self.rule = finding.rules.first().map(|rule| RuleFields {
            id: &rule.id,
            name: &rule.name,
            ruleset: rule.ruleset(),
            author: rule.author.as_deref().map(|author| [author]),
        });
        self.network.application =
            listed.as_ref().map(|listed| listed.service.to_lowercase().replace(' ', "-"));
        self.undertone.level = Some(finding.level.as_str());
        self.undertone.rules = finding.rules.iter().map(|rule| FiredRule::from(&**rule)).collect();
        self.undertone.originator = OriginatorFields::of(finding);
        self.undertone.attribution = Some(AttributionFields::from(&finding.attribution));
        let Endpoint { host, user, process, container, orchestrator } = Endpoint::from(&finding.attribution);
        (self.host, self.user, self.process) = (host, user, process);
        (self.container, self.orchestrator) = (container, orchestrator);
        self.undertone.allowed = finding.allowed.as_deref().map(AllowedFields::from);
        self.undertone.service = listed.map(|listed| ServiceFields {
            name: listed.service,
            category: listed.category,
            also: listed.also,
            entry: listed.suffix,
            tier: listed.tier,
            tenant: finding.contact.entry.tenant(&finding.contact.observation.hostname),
        });
        self.threat = Threat::of(&finding.techniques());
    }
}

/// The addresses of a conversation, and of the ends of its tunnel.
fn related_ips(flow: Flow, path: &Path) -> Vec<IpAddr> {
    let tunnel = path.tunnel.map(|tunnel| [tunnel.src, tunnel.dst]);
    distinct([flow.src.ip, flow.dst.ip].into_iter().chain(tunnel.into_iter().flatten()))
}

/// Each address once.
fn distinct(addresses: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut all = Vec::new();
    for ip in addresses {
        if !all.contains(&ip) {
            all.push(ip);
        }
    }
    all
}

/// What a ClientHello says beside the name. The name in clear is known to hide another where DNS said so.
fn hello_fields(observation: &Observation) -> Option<HelloFields<'_>> {
    let facts = observation.detail.hello()?.facts()?;
    let outer = match &observation.detail {
        Detail::Derived(derived) => derived.outer.as_ref(),
        _ => Some(&observation.hostname),
    };
    let mut fields = HelloFields::from(facts);
    if let (Some(ech), Some(EchKind::Encrypted)) = (&mut fields.client.ech, facts.ech.map(|ech| ech.kind)) {
        ech.public_name = outer.map(|name| &**name);
    }
    Some(fields)
}

/// A sentence for people who read a list of alerts.
fn reason(finding: &Finding) -> String {
    let Some(listed) = finding.listed() else {
        let rule = finding.rules.first().map_or("", |rule| &rule.name);
        let how = if finding.attribution.accepted { "accepted a connection to" } else { "connected to" };
        return format!("{} {how} {} ({rule})", who(finding), finding.name());
    };
    let observation = &finding.contact.observation;
    let name = &observation.hostname;
    let client = who(finding);
    let carrier = words::carrier(observation.seen_in);
    if observation.seen_in.is_connection() {
        format!("{client} reached {name} ({}, {}) over {carrier}", listed.service, listed.category)
    } else {
        format!("{client} asked {carrier} for {name} ({}, {})", listed.service, listed.category)
    }
}

/// `powershell.exe (10.0.0.7)`, with the process where one is named: for whom it is, where that is known.
fn who(finding: &Finding) -> String {
    let client = finding.contact.observation.flow.src.ip;
    let attribution = &finding.attribution;
    let name = |process: &Process| process.name.as_deref().map(str::to_owned);
    let process = attribution.process.as_deref().and_then(name);
    let behind = attribution.delegated.as_ref().and_then(|delegated| name(delegated.likely.as_deref()?));
    match (process, behind) {
        (Some(process), Some(behind)) => format!("{process} for {behind} ({client})"),
        (Some(process), None) => format!("{process} ({client})"),
        (None, _) => client.to_string(),
    }
}

fn summed_up(summary: &Summary) -> String {
    let client = who(&summary.finding);
    let Some(listed) = summary.finding.listed() else {
        let rule = summary.finding.rules.first().map_or("", |rule| &rule.name);
        let connections = if summary.count == 1 { "connection" } else { "connections" };
        return format!("{client} had {} {connections} that met a rule ({rule})", summary.count);
    };
    let contacts = if summary.count == 1 { "contact" } else { "contacts" };
    format!("{client} had {} {contacts} with {} ({})", summary.count, listed.service, listed.category)
}

/// Whether the command line of whoever is behind it is suspicious; nothing where it is not known.
fn suspicious_command_line(finding: &Finding) -> Option<bool> {
    finding.attribution.originator()?.command_line.as_ref()?;
    Some(finding.originator.as_ref()?.has(Tag::SuspiciousCommandLine))
}

fn ways<'a>(seen_in: impl IntoIterator<Item = &'a SeenIn>) -> Ways {
    Ways::All(seen_in.into_iter().map(|seen_in| seen_in.as_str()).collect())
}

/// The class of a question where it is not the Internet. mDNS has a flag in the top bit (RFC 6762 section 5.4).
fn class(number: u16) -> Option<String> {
    match number & 0x7fff {
        1 => None,
        3 => Some("CH".to_owned()),
        4 => Some("HS".to_owned()),
        255 => Some("ANY".to_owned()),
        _ => Some(format!("CLASS{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;
    use super::*;
    use crate::decode::{Tunnel, TunnelKind};
    use crate::flow::Protocol;
    use crate::rules::Level;
    use serde_json::Value;

    fn text(record: &Record, sources: &Sources) -> String {
        let mut text = Vec::new();
        write(record, sources, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// Compares as JSON, for a readable difference, and as text, for the order.
    fn check(record: &Record, sources: &Sources, expected: &str) {
        let got = text(record, sources);
        let expected = expected.replace("VERSION", env!("CARGO_PKG_VERSION")).replace('\n', "");
        let parsed: Value = serde_json::from_str(&got).unwrap();
        assert_eq!(parsed, serde_json::from_str::<Value>(&expected).unwrap());
        assert_eq!(got, expected);
    }

    #[test]
    fn an_alert_of_a_connection() {
        check(
            &Record::Alert(alert(hello(), &[SeenIn::DnsQuery, SeenIn::TlsSni])),
            &capture(),
            r#"{"@timestamp":"2026-11-20T12:00:00.123456789Z","ecs":{"version":"9.5.0"},
"event":{"kind":"alert","category":["network","intrusion_detection"],"type":["connection"],"module":"undertone",
"dataset":"undertone.alert","id":"00000000000000ab","severity":21,"risk_score":21.0,
"reason":"10.0.0.7 reached api.dropboxapi.com (Dropbox, cloud-storage) over TLS","start":"2026-11-20T12:00:00.122456789Z"},
"observer":{"vendor":"undertone","product":"undertone","type":"sensor","version":"VERSION"},
"rule":{"id":"tier-2","name":"Contact with a listed service","ruleset":"undertone"},
"threat":{"framework":"MITRE ATT&CK","tactic":{"id":["TA0011","TA0010"],"name":["Command and Control","Exfiltration"]},
"technique":{"id":["T1102","T1567"],"name":["Web Service","Exfiltration Over Web Service"],
"subtechnique":{"id":["T1102.002","T1567.002"],"name":["Bidirectional Communication","Exfiltration to Cloud Storage"]}}},
"source":{"ip":"10.0.0.7","port":50096},"destination":{"ip":"162.125.1.19","port":443,"domain":"api.dropboxapi.com"},
"network":{"transport":"tcp","type":"ipv4","protocol":"tls","application":"dropbox","community_id":"1:y5usQvgLn8AV3GkKoIA6ZN46NDs="},
"tls":{"client":{"server_name":"api.dropboxapi.com"}},
"related":{"ip":["10.0.0.7","162.125.1.19"],"hosts":["api.dropboxapi.com"]},
"file":{"path":"office.pcapng"},
"undertone":{"level":"low","hostname":{"name":"api.dropboxapi.com","seen_in":["dns_query","tls_sni"]},
"tls":{"client":{"ja4":"t13d1517h2_8daaf6152771_cb7bf5808d99","alpn":["h2","http/1.1"],"versions":["1.3","1.2"],"grease":true,"ml_kem":true,
"ech":{"config_id":232,"kind":"unknown"}}},
"rules":[{"id":"tier-2","name":"Contact with a listed service","level":"low"}],
"service":{"name":"Dropbox","category":"cloud-storage","entry":"dropboxapi.com","tier":2},
"attribution":{"level":"no-telemetry"},"frame":42}}"#,
        );
    }

    /// The innermost addresses are those of the record; which way the packet came stands beside them, in a summary if all came so.
    #[test]
    fn what_came_through_a_tunnel_and_vlans() {
        let path = |tunnel, vlans: [u16; 2]| {
            let vlans = vlans.map(std::num::NonZeroU16::new);
            Some(Box::new(Path { tunnel, vlans, depth: 2, unopened: None }))
        };
        let tunnel = |kind, id| Tunnel { kind, id, src: [192, 0, 2, 1].into(), dst: [192, 0, 2, 2].into() };
        let record = |path| {
            let record = Record::Hostname(Observation { path, ..hello() });
            serde_json::from_str::<Value>(&text(&record, &capture())).unwrap()
        };
        let both = record(path(Some(tunnel(TunnelKind::Vxlan, 0)), [100, 42]));
        assert_eq!(both["source"]["ip"], "10.0.0.7");
        assert_eq!(both["network"]["vlan"]["id"], "100");
        assert_eq!(both["network"]["inner"]["vlan"]["id"], "42");
        let expected = serde_json::json!({"type": "vxlan", "id": 0, "source": {"ip": "192.0.2.1"},
            "destination": {"ip": "192.0.2.2"}, "depth": 2});
        assert_eq!(both["undertone"]["tunnel"], expected);
        let ips = serde_json::json!(["10.0.0.7", "162.125.1.19", "192.0.2.1", "192.0.2.2"]);
        assert_eq!(both["related"]["ip"], ips);
        let unnumbered = record(path(Some(tunnel(TunnelKind::IpInIp, 0)), [0, 0]));
        assert_eq!(unnumbered["undertone"]["tunnel"].get("id"), None);
        assert_eq!(unnumbered["network"].get("vlan"), None);
        let tagged = record(path(None, [7, 0]));
        assert_eq!((&tagged["network"]["vlan"]["id"], tagged["network"].get("inner")), (&"7".into(), None));
        assert_eq!(tagged["undertone"].get("tunnel"), None);
        let mut summary = summary(Level::High);
        summary.finding.contact.observation.path = path(Some(tunnel(TunnelKind::Gre, 9)), [7, 8]);
        let both =
            serde_json::from_str::<Value>(&text(&Record::Summary(summary.clone()), &capture())).unwrap();
        assert_eq!(
            (&both["network"]["vlan"]["id"], &both["network"]["inner"]["vlan"]["id"]),
            (&"7".into(), &"8".into())
        );
        assert_eq!(both["undertone"]["tunnel"]["type"], "gre");
        let ips = serde_json::json!(["10.0.0.7", "162.125.1.19", "192.0.2.1", "192.0.2.2"]);
        assert_eq!(both["related"]["ip"], ips);
        let several = text(&Record::Summary(Summary { one_path: false, ..summary }), &capture());
        for word in ["vlan", "tunnel", "192.0.2."] {
            assert!(!several.contains(word), "{several}");
        }
    }

    #[test]
    fn an_alert_of_a_question_on_an_interface() {
        let interface = [Source::Interface("eth1".into())].into_iter().collect();
        let alert = Alert { update: true, ..alert(question(65, 1), &[SeenIn::DnsQuery]) };
        check(
            &Record::Alert(alert),
            &interface,
            r#"{"@timestamp":"2026-11-20T12:00:00.123456789Z","ecs":{"version":"9.5.0"},
"event":{"kind":"alert","category":["network","intrusion_detection"],"type":["connection","protocol"],"module":"undertone",
"dataset":"undertone.alert","id":"00000000000000ab","action":"attribution-update","severity":21,"risk_score":21.0,
"reason":"2001:db8::7 asked DNS for api.dropboxapi.com (Dropbox, cloud-storage)","start":"2026-11-20T12:00:00.122456789Z"},
"observer":{"vendor":"undertone","product":"undertone","type":"sensor","version":"VERSION","ingress":{"interface":{"name":"eth1"}}},
"rule":{"id":"tier-2","name":"Contact with a listed service","ruleset":"undertone"},
"threat":{"framework":"MITRE ATT&CK","tactic":{"id":["TA0011","TA0010"],"name":["Command and Control","Exfiltration"]},
"technique":{"id":["T1102","T1567"],"name":["Web Service","Exfiltration Over Web Service"],
"subtechnique":{"id":["T1102.002","T1567.002"],"name":["Bidirectional Communication","Exfiltration to Cloud Storage"]}}},
"source":{"ip":"2001:db8::7","port":40000},"destination":{"ip":"2001:db8::53","port":53},
"network":{"transport":"udp","type":"ipv6","protocol":"dns","application":"dropbox","community_id":"1:8DlPQTme4fAA3Jfgqqlfn77JXXc="},
"dns":{"question":{"name":"api.dropboxapi.com","type":"HTTPS"}},
"related":{"ip":["2001:db8::7","2001:db8::53"],"hosts":["api.dropboxapi.com"]},
"undertone":{"level":"low","hostname":{"name":"api.dropboxapi.com","seen_in":["dns_query"]},
"rules":[{"id":"tier-2","name":"Contact with a listed service","level":"low"}],
"service":{"name":"Dropbox","category":"cloud-storage","entry":"dropboxapi.com","tier":2},
"attribution":{"level":"no-telemetry"}}}"#,
        );
    }

    #[test]
    fn a_summary() {
        let mut summary = summary(Level::High);
        summary.values_left_out = 3;
        check(
            &Record::Summary(summary),
            &capture(),
            r#"{"@timestamp":"2026-11-20T12:01:00.000000000Z","ecs":{"version":"9.5.0"},
"event":{"kind":"event","category":["network","intrusion_detection"],"type":["info"],"module":"undertone",
"dataset":"undertone.summary","severity":73,"risk_score":73.0,
"reason":"10.0.0.7 had 1234 contacts with Dropbox (cloud-storage)",
"start":"2026-11-20T12:00:00.123456789Z","end":"2026-11-20T12:01:00.000000000Z","duration":59876543211},
"observer":{"vendor":"undertone","product":"undertone","type":"sensor","version":"VERSION"},
"rule":{"id":"tier-2","name":"Contact with a listed service","ruleset":"undertone"},
"threat":{"framework":"MITRE ATT&CK","tactic":{"id":["TA0011","TA0010"],"name":["Command and Control","Exfiltration"]},
"technique":{"id":["T1102","T1567"],"name":["Web Service","Exfiltration Over Web Service"],
"subtechnique":{"id":["T1102.002","T1567.002"],"name":["Bidirectional Communication","Exfiltration to Cloud Storage"]}}},
"source":{"ip":"10.0.0.7"},"network":{"type":"ipv4","application":"dropbox"},
"related":{"ip":["10.0.0.7","162.125.1.19"],"hosts":["api.dropboxapi.com","content.dropboxapi.com"]},
"file":{"path":"office.pcapng"},
"undertone":{"level":"high","hostname":{"seen_in":["dns_query","tls_sni"]},
"rules":[{"id":"tier-2","name":"Contact with a listed service","level":"high"}],
"service":{"name":"Dropbox","category":"cloud-storage","entry":"dropboxapi.com","tier":2},
"attribution":{"level":"no-telemetry"},
"summary":{"alert":"00000000000000ab","count":1234,"connections":1000,"hostnames":["api.dropboxapi.com","content.dropboxapi.com"],
"destinations":["162.125.1.19"],"ports":[443],"service_types":["cloud-storage"],"values_left_out":3}}}"#,
        );
    }

    #[test]
    fn a_hostname_of_a_question() {
        check(
            &Record::Hostname(question(1234, 0x8003)),
            &capture(),
            r#"{"@timestamp":"2026-11-20T12:00:00.123456789Z","ecs":{"version":"9.5.0"},
"event":{"kind":"event","category":["network"],"type":["connection","protocol"],"module":"undertone","dataset":"undertone.hostname"},
"observer":{"vendor":"undertone","product":"undertone","type":"sensor","version":"VERSION"},
"source":{"ip":"2001:db8::7","port":40000},"destination":{"ip":"2001:db8::53","port":53,"domain":"api.dropboxapi.com"},
"network":{"transport":"udp","type":"ipv6","protocol":"dns","community_id":"1:8DlPQTme4fAA3Jfgqqlfn77JXXc="},
"dns":{"question":{"name":"api.dropboxapi.com","type":"TYPE1234","class":"CH"}},
"related":{"ip":["2001:db8::7","2001:db8::53"],"hosts":["api.dropboxapi.com"]},
"file":{"path":"office.pcapng"},
"undertone":{"hostname":{"name":"api.dropboxapi.com","seen_in":"dns_query"},"frame":41}}"#,
        );
    }

    #[test]
    fn a_service_without_techniques_is_no_threat_and_an_unknown_one_keeps_its_id() {
        let mut alert = alert(hello(), &[SeenIn::TlsSni]);
        alert.finding.contact.entry = entry("Google Drive", &[]);
        let document: Value = serde_json::from_str(&text(&Record::Alert(alert.clone()), &capture())).unwrap();
        assert_eq!(document.get("threat"), None);
        assert_eq!(document["network"]["application"], "google-drive");

        alert.finding.contact.entry = entry("x", &["T9999.001", "T9999", "T1102"]);
        let document: Value = serde_json::from_str(&text(&Record::Alert(alert), &capture())).unwrap();
        assert_eq!(document["threat"]["technique"]["id"], serde_json::json!(["T9999", "T1102"]));
        assert_eq!(document["threat"]["technique"]["name"], serde_json::json!(["T9999", "Web Service"]));
        assert_eq!(document["threat"]["tactic"]["id"], serde_json::json!(["TA0011"]));
    }

    /// Every field outside `undertone.` that is written, with its type in ECS 9.
    const FIELDS: &[(&str, &str)] = &[
        ("@timestamp", "date"),
        ("destination.domain", "keyword"),
        ("destination.ip", "ip"),
        ("destination.port", "long"),
        ("dns.question.class", "keyword"),
        ("dns.question.name", "keyword"),
        ("dns.question.type", "keyword"),
        ("ecs.version", "keyword"),
        ("event.action", "keyword"),
        ("event.category", "keyword[]"),
        ("event.dataset", "keyword"),
        ("event.duration", "long"),
        ("event.end", "date"),
        ("event.id", "keyword"),
        ("event.kind", "keyword"),
        ("event.module", "keyword"),
        ("event.reason", "keyword"),
        ("event.risk_score", "float"),
        ("event.severity", "long"),
        ("event.start", "date"),
        ("event.type", "keyword[]"),
        ("file.path", "keyword"),
        ("network.application", "keyword"),
        ("network.community_id", "keyword"),
        ("network.protocol", "keyword"),
        ("network.transport", "keyword"),
        ("network.type", "keyword"),
        ("observer.ingress.interface.name", "keyword"),
        ("observer.product", "keyword"),
        ("observer.type", "keyword"),
        ("observer.vendor", "keyword"),
        ("observer.version", "keyword"),
        ("related.hosts", "keyword[]"),
        ("related.ip", "ip[]"),
        ("rule.id", "keyword"),
        ("rule.name", "keyword"),
        ("rule.ruleset", "keyword"),
        ("source.ip", "ip"),
        ("source.port", "long"),
        ("threat.framework", "keyword"),
        ("threat.tactic.id", "keyword[]"),
        ("threat.tactic.name", "keyword[]"),
        ("threat.technique.id", "keyword[]"),
        ("threat.technique.name", "keyword[]"),
        ("threat.technique.subtechnique.id", "keyword[]"),
        ("threat.technique.subtechnique.name", "keyword[]"),
        ("tls.client.server_name", "keyword"),
    ];

    /// The values that ECS allows in fields of a closed vocabulary.
    const VOCABULARY: &[(&str, &[&str])] = &[
        ("event.kind", &["alert", "event"]),
        ("event.category", &["network", "intrusion_detection"]),
        ("event.type", &["connection", "info", "protocol"]),
    ];

    fn fields(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    if path != "undertone" {
                        fields(value, &path, found);
                    }
                }
            }
            value => found.push((path.to_owned(), value.clone())),
        }
    }

    fn has_type(value: &Value, expected: &str) -> bool {
        if let Some(element) = expected.strip_suffix("[]") {
            return value
                .as_array()
                .is_some_and(|values| !values.is_empty() && values.iter().all(|v| has_type(v, element)));
        }
        match expected {
            "date" => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
            "float" => value.is_f64(),
            "ip" => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
            "keyword" => value.is_string(),
            "long" => value.is_i64(),
            _ => false,
        }
    }

    #[test]
    fn every_field_is_in_the_schema_with_its_type_or_under_undertone() {
        let interface: Sources = [Source::Interface("eth1".into())].into_iter().collect();
        let updated = Alert { update: true, ..alert(hello(), &[SeenIn::DnsQuery, SeenIn::TlsSni]) };
        let mut unused: Vec<&str> = FIELDS.iter().map(|(path, _)| *path).collect();
        for (record, sources) in [
            (Record::Alert(updated), &interface),
            (Record::Alert(alert(question(28, 1), &[SeenIn::DnsQuery])), &capture()),
            (Record::Summary(summary(Level::Low)), &capture()),
            (Record::Hostname(hello()), &interface),
            (Record::Hostname(question(16, 3)), &Sources::default()),
        ] {
            let document: Value = serde_json::from_str(&text(&record, sources)).unwrap();
            let mut found = Vec::new();
            fields(&document, "", &mut found);
            for (path, value) in found {
                let Some((_, expected)) = FIELDS.iter().find(|(known, _)| *known == path) else {
                    panic!("{path} is no field of ECS")
                };
                assert!(has_type(&value, expected), "{path} is {value}, not {expected}");
                for (_, words) in VOCABULARY.iter().filter(|(known, _)| *known == path) {
                    let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                    assert!(
                        values.iter().all(|value| words.contains(&value.as_str().unwrap())),
                        "{path} {value}"
                    );
                }
                unused.retain(|known| *known != path);
            }
        }
        assert!(unused.is_empty(), "never written: {unused:?}");
    }

    #[test]
    fn another_transport_is_a_number() {
        assert_eq!(serde_json::to_string(&Transport(Protocol(132))).unwrap(), "\"132\"");
    }
}
