//! Endpoints that do things: the packets on the wire, and what telemetry writes of them, in several dialects.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::packets;

#[path = "dialects.rs"]
mod dialects;

/// Noon of 2026-11-20, in seconds.
pub const NOON: i64 = 1_795_176_000;

/// The resolver that every endpoint asks.
const RESOLVER: [u8; 4] = [10, 0, 0, 53];

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    pub name: String,
    pub ip: [u8; 4],
}

/// A process of an endpoint.
#[derive(Clone, Debug, Default)]
pub struct Program {
    pub pid: u32,
    /// Seconds since 1970, with fractions in milliseconds.
    pub started: f64,
    pub image: String,
    pub line: String,
    pub parent: String,
    /// The name that its file was built with, where that is another.
    pub built_as: Option<String>,
}

impl Program {
    fn name(&self) -> &str {
        self.image.rsplit(['\\', '/']).next().unwrap()
    }

    /// A number for its parent: one for each path.
    fn parent_pid(&self) -> u32 {
        self.parent.bytes().fold(7, |sum, byte| (sum * 31 + u32::from(byte)) % 9000) + 100_000
    }

    /// As Sysmon writes it: the start's second is part of it.
    fn guid(&self) -> String {
        let second = self.started as u32;
        format!("{{365ABB72-{:04X}-{:04X}-0000-0010{:08X}}}", second & 0xffff, second >> 16, self.pid)
    }
}

/// What telemetry has a record of.
#[derive(Clone, Debug)]
enum Told {
    Start,
    Connection { from: ([u8; 4], u16), to: ([u8; 4], u16) },
    Question { name: String, answer: [u8; 4] },
}

/// Packets, and records of them.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    frames: Vec<(f64, Vec<u8>)>,
    records: Vec<(f64, Endpoint, Program, Told)>,
    ports: u16,
}

impl Scene {
    /// A process begins.
    pub fn starts(&mut self, on: &Endpoint, program: &Program) {
        self.records.push((program.started, on.clone(), program.clone(), Told::Start));
    }

    /// It asks for a name, connects and sends this as its first bytes; a small hello where there are none.
    pub fn reaches(
        &mut self,
        at: f64,
        on: &Endpoint,
        program: &Program,
        name: &str,
        server: [u8; 4],
        hello: Option<&[u8]>,
    ) {
        let asked = packets::dns_query(name.trim_end_matches('.'));
        let question = packets::datagram((on.ip, 30_000 + self.ports), (RESOLVER, 53), &asked);
        self.frames.push((at, question));
        let told = Told::Question { name: name.to_owned(), answer: server };
        self.records.push((at + 0.015, on.clone(), program.clone(), told));
        self.connects(at, on, program, name, server, hello);
    }

    /// The same without the question, as when its answer is still known.
    pub fn connects(
        &mut self,
        at: f64,
        on: &Endpoint,
        program: &Program,
        name: &str,
        server: [u8; 4],
        hello: Option<&[u8]>,
    ) {
        self.ports = self.ports % 20_000 + 1;
        let (client, there) = ((on.ip, 40_000 + self.ports), (server, 443));
        let hello = hello.map_or_else(|| packets::hello(name.trim_end_matches('.')), <[u8]>::to_vec);
        self.frames.push((at + 0.020, packets::segment(client, there, 0, "S", &[])));
        self.frames.push((at + 0.030, packets::segment(there, client, 5000, "SA", &[])));
        self.frames.push((at + 0.040, packets::segment(client, there, 1, "A", &hello)));
        self.frames.push((at + 0.300, packets::segment(client, there, 1 + hello.len() as u32, "FA", &[])));
        let told = Told::Connection { from: client, to: there };
        self.records.push((at + 0.025, on.clone(), program.clone(), told));
    }

    /// The packets as a pcap file, in the order of their times.
    pub fn pcap(&self) -> Vec<u8> {
        let mut frames = self.frames.clone();
        frames.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut file = Vec::new();
        for word in [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 262_144, 1] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        for (at, frame) in &frames {
            let millis = (at * 1000.0).round() as i64;
            let (seconds, nanos) = ((millis / 1000) as u32, (millis % 1000) as u32 * 1_000_000);
            for word in [seconds, nanos, frame.len() as u32, frame.len() as u32] {
                file.extend_from_slice(&word.to_le_bytes());
            }
            file.extend_from_slice(frame);
        }
        file
    }

    /// Sysmon's records as Windows writes events, one a line; those of paths with `/` as Sysmon for Linux does.
    pub fn sysmon_xml(&self) -> String {
        let mut text = String::new();
        for (number, (at, on, program, told)) in self.records.iter().enumerate() {
            let (id, data) = sysmon(*at, program, told);
            let linux = program.image.starts_with('/');
            let (provider, channel) = if linux {
                (
                    "<Provider Name=\"Linux-Sysmon\" Guid=\"{ff032593-a8d3-4f13-b0d6-01fc615a0f97}\"/>",
                    "Linux-Sysmon/Operational",
                )
            } else {
                (
                    "<Provider Name=\"Microsoft-Windows-Sysmon\" Guid=\"{5770385F-C22A-43E0-BF4C-06F5698FFBD9}\"/>",
                    "Microsoft-Windows-Sysmon/Operational",
                )
            };
            write!(
                text,
                "<Event xmlns=\"http://schemas.microsoft.com/win/2004/08/events/event\"><System>{provider}<EventID>{id}</EventID><Version>5</Version><Level>4</Level><Task>{id}</Task><Opcode>0</Opcode><Keywords>0x8000000000000000</Keywords><TimeCreated SystemTime=\"{}\"/><EventRecordID>{}</EventRecordID><Correlation/><Execution ProcessID=\"1880\" ThreadID=\"288\"/><Channel>{channel}</Channel><Computer>{}</Computer><Security UserID=\"S-1-5-18\"/></System><EventData>",
                iso(at + 0.004),
                number + 1,
                on.name
            )
            .unwrap();
            for (name, value) in data {
                let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                write!(text, "<Data Name=\"{name}\">{value}</Data>").unwrap();
            }
            text.push_str("</EventData></Event>\n");
        }
        text
    }

    /// The same as winlogbeat sends it, without its module: a JSON line each.
    pub fn winlogbeat(&self) -> String {
        let line = |(number, (at, on, program, told)): (usize, &(f64, Endpoint, Program, Told))| {
            let (id, data) = sysmon(*at, program, told);
            let data: serde_json::Map<String, Value> =
                data.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            let record = json!({
                "@timestamp": iso(at + 0.004),
                "agent": {"type": "winlogbeat", "version": "7.17.0"},
                "event": {"code": id.to_string(), "kind": "event", "provider": "Microsoft-Windows-Sysmon"},
                "host": {"name": on.name},
                "winlog": {
                    "channel": "Microsoft-Windows-Sysmon/Operational", "computer_name": on.name, "event_id": id, "api": "wineventlog",
                    "provider_name": "Microsoft-Windows-Sysmon", "record_id": number + 1, "event_data": data,
                    "process": {"pid": 1880, "thread": {"id": 288}}
                }
            });
            format!("{record}\n")
        };
        self.records.iter().enumerate().map(line).collect()
    }

    /// The same as Elastic Defend writes it on macOS: process and network events in ECS, a JSON line each. Only its connections have the name
    /// that was asked for, and no event has a question.
    pub fn elastic_defend(&self) -> String {
        let mut names = std::collections::HashMap::new();
        for (_, _, program, told) in &self.records {
            if let Told::Question { name, answer } = told {
                names.insert((program.pid, *answer), name.trim_end_matches('.').to_lowercase());
            }
        }
        let mut text = String::new();
        for (number, (at, on, program, told)) in self.records.iter().enumerate() {
            let process = json!({"pid": program.pid, "entity_id": program.guid(), "executable": program.image, "name": program.name()});
            let (dataset, action, own) = match told {
                Told::Start => {
                    let mut process = process;
                    process["command_line"] = program.line.as_str().into();
                    process["parent"] = json!({
                        "pid": program.parent_pid(), "executable": program.parent,
                        "name": program.parent.rsplit('/').next().unwrap()
                    });
                    ("process", "exec", json!({"process": process}))
                }
                Told::Connection { from, to } => (
                    "network",
                    "connection_attempted",
                    json!({
                        "process": process, "network": {"transport": "tcp", "type": "ipv4", "direction": "egress"},
                        "source": {"ip": dotted(from.0), "port": from.1}, "destination": {
                            "ip": dotted(to.0), "port": to.1, "domain": names.get(&(program.pid, to.0))
                        }
                    }),
                ),
                Told::Question { .. } => continue,
            };
            let mut record = json!({
                "@timestamp": iso(*at), "agent": {"type": "endpoint", "version": "8.15.0"}, "ecs": {"version": "8.10.0"},
                "host": {"name": on.name, "id": format!("host-{}", on.name), "os": {"type": "macos"}, "ip": [dotted(on.ip)]},
                "user": {"name": "u"},
                "event": {
                    "module": "endpoint", "dataset": format!("endpoint.events.{dataset}"), "kind": "event", "action": action,
                    "id": format!("event-{number}"), "created": iso(*at)
                }
            });
            for (key, value) in own.as_object().unwrap() {
                record[key] = value.clone();
            }
            writeln!(text, "{record}").unwrap();
        }
        text
    }

    /// The same as Microsoft Defender streams it: network and process events, a JSON line each. It has no question.
    pub fn defender(&self) -> String {
        let mut text = String::new();
        for (number, (at, on, program, told)) in self.records.iter().enumerate() {
            let parent = program.parent.rsplit(['\\', '/']).next().unwrap();
            let (category, properties) = match told {
                Told::Start => (
                    "AdvancedHunting-DeviceProcessEvents",
                    json!({
                        "Timestamp": iso(*at), "DeviceId": format!("dev-{}", on.name), "DeviceName": on.name, "ActionType": "ProcessCreated",
                        "FileName": program.name(), "FolderPath": program.image, "ProcessId": program.pid, "ProcessCommandLine": program.line,
                        "ProcessCreationTime": iso(program.started), "AccountDomain": "CORP", "AccountName": "a",
                        "InitiatingProcessFileName": parent, "InitiatingProcessFolderPath": program.parent, "InitiatingProcessId": program.parent_pid(),
                        "InitiatingProcessCreationTime": iso(program.started - 100.0), "ReportId": number + 1
                    }),
                ),
                Told::Connection { from, to } => (
                    "AdvancedHunting-DeviceNetworkEvents",
                    json!({
                        "Timestamp": iso(*at), "DeviceId": format!("dev-{}", on.name), "DeviceName": on.name, "ActionType": "ConnectionSuccess",
                        "RemoteIP": dotted(to.0), "RemotePort": to.1, "LocalIP": dotted(from.0), "LocalPort": from.1, "Protocol": "Tcp",
                        "RemoteUrl": null, "RemoteIPType": "Public", "LocalIPType": "Private",
                        "InitiatingProcessFileName": program.name(), "InitiatingProcessFolderPath": program.image,
                        "InitiatingProcessId": program.pid, "InitiatingProcessCommandLine": program.line,
                        "InitiatingProcessCreationTime": iso(program.started), "InitiatingProcessParentFileName": parent,
                        "InitiatingProcessParentId": program.parent_pid(), "InitiatingProcessAccountDomain": "CORP", "InitiatingProcessAccountName": "a",
                        "ReportId": number + 1
                    }),
                ),
                Told::Question { .. } => continue,
            };
            let record = json!({
                "time": iso(at + 300.0), "tenantId": "00000000-0000-0000-0000-000000000001", "operationName": "Publish",
                "category": category, "properties": properties
            });
            writeln!(text, "{record}").unwrap();
        }
        text
    }
}

/// Sysmon's event and its data.
fn sysmon(at: f64, program: &Program, told: &Told) -> (u8, Vec<(&'static str, String)>) {
    let utc = |at: f64| iso(at).replace('T', " ").trim_end_matches('Z').to_owned();
    let common = |at: f64| {
        vec![
            ("RuleName", "-".to_owned()),
            ("UtcTime", utc(at)),
            ("ProcessGuid", program.guid()),
            ("ProcessId", program.pid.to_string()),
            ("Image", program.image.clone()),
        ]
    };
    match told {
        Told::Start => {
            let mut data = common(program.started);
            data.extend([
                ("OriginalFileName", program.built_as.clone().unwrap_or_else(|| "-".to_owned())),
                ("CommandLine", program.line.clone()),
                ("CurrentDirectory", r"C:\Users\a\".to_owned()),
                ("User", r"CORP\a".to_owned()),
                ("IntegrityLevel", "Medium".to_owned()),
                (
                    "Hashes",
                    "SHA256=E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855".to_owned(),
                ),
                (
                    "ParentProcessGuid",
                    format!("{{365ABB72-0001-5CD8-0000-0010{:08X}}}", program.parent_pid()),
                ),
                ("ParentProcessId", program.parent_pid().to_string()),
                ("ParentImage", program.parent.clone()),
                ("ParentCommandLine", program.parent.clone()),
            ]);
            (1, data)
        }
        Told::Connection { from, to } => {
            let mut data = common(at);
            data.extend([
                ("User", r"CORP\a".to_owned()),
                ("Protocol", "tcp".to_owned()),
                ("Initiated", "true".to_owned()),
                ("SourceIsIpv6", "false".to_owned()),
                ("SourceIp", dotted(from.0)),
                ("SourceHostname", "-".to_owned()),
                ("SourcePort", from.1.to_string()),
                ("SourcePortName", "-".to_owned()),
                ("DestinationIsIpv6", "false".to_owned()),
                ("DestinationIp", dotted(to.0)),
                ("DestinationHostname", "-".to_owned()),
                ("DestinationPort", to.1.to_string()),
                ("DestinationPortName", "https".to_owned()),
            ]);
            (3, data)
        }
        Told::Question { name, answer } => {
            let mut data = common(at);
            data.extend([
                ("QueryName", name.clone()),
                ("QueryStatus", "0".to_owned()),
                ("QueryResults", format!("::ffff:{};", dotted(*answer))),
                ("User", r"CORP\a".to_owned()),
            ]);
            (22, data)
        }
    }
}

fn dotted(ip: [u8; 4]) -> String {
    std::net::Ipv4Addr::from(ip).to_string()
}

/// `2026-11-20T12:00:00.123Z`
fn iso(at: f64) -> String {
    let at = undertone::capture::Timestamp::from_nanos((at * 1000.0).round() as i64 * 1_000_000);
    let text = at.to_string();
    format!("{}Z", text.split_at(23).0)
}
