//! The scene in the dialects of other agents: each as its maker writes records, of which `tests/data/telemetry` has examples.

use serde_json::{Value, json};

use super::{Endpoint, Program, Scene, Told, dotted, iso};

/// Seconds of the epoch.
fn millis(at: f64) -> i64 {
    (at * 1000.0).round() as i64
}

impl Scene {
    fn lines(&self, tell: impl Fn(usize, f64, &Endpoint, &Program, &Told) -> Option<Value>) -> String {
        let records = self.records.iter().enumerate();
        records
            .filter_map(|(number, (at, on, program, told))| tell(number, *at, on, program, told))
            .map(|record| format!("{record}\n"))
            .collect()
    }

    /// CrowdStrike's Falcon Data Replicator: every value is a text, and processes have numbers of the sensor.
    pub fn crowdstrike(&self) -> String {
        self.lines(|number, at, on, program, told| {
            let sensors = |pid: u32| format!("{}", 8_200_000_000_000_u64 + u64::from(pid));
            let mut record = json!({
                "aid": format!("aid-{}", on.name), "ComputerName": on.name, "aip": "203.0.113.1", "id": format!("cs-{number}"),
                "ContextTimeStamp": format!("{at:.3}"), "timestamp": (millis(at) + 600_000).to_string(), "event_platform": "Win"
            });
            let mut add = |more: Value| {
                record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            };
            match told {
                Told::Start => add(json!({
                    "event_simpleName": "ProcessRollup2", "TargetProcessId": sensors(program.pid), "RawProcessId": program.pid.to_string(),
                    "ImageFileName": program.image.replacen("C:", r"\Device\HarddiskVolume3", 1), "CommandLine": program.line,
                    "ProcessStartTime": format!("{:.3}", program.started), "UserName": "a", "ParentProcessId": sensors(program.parent_pid()),
                    "ParentBaseFileName": program.parent.rsplit('\\').next().unwrap()
                })),
                Told::Connection { from, to } => add(json!({
                    "event_simpleName": "NetworkConnectIP4", "ContextProcessId": sensors(program.pid), "ContextBaseFileName": program.name(),
                    "LocalAddressIP4": dotted(from.0), "LocalPort": from.1.to_string(), "RemoteAddressIP4": dotted(to.0),
                    "RemotePort": to.1.to_string(), "Protocol": "6", "ConnectionDirection": "0"
                })),
                Told::Question { name, answer } => add(json!({
                    "event_simpleName": "DnsRequest", "ContextProcessId": sensors(program.pid), "ContextBaseFileName": program.name(),
                    "DomainName": name, "RequestType": "1", "IP4Records": format!("{};", dotted(*answer)), "QueryStatus": "0"
                })),
            }
            Some(record)
        })
    }

    /// SentinelOne's Cloud Funnel: dotted keys, and times in milliseconds.
    pub fn sentinel_one(&self) -> String {
        self.lines(|number, at, on, program, told| {
            let mut record = json!({
                "endpoint.name": on.name, "agent.uuid": format!("agent-{}", on.name), "event.time": millis(at), "event.id": format!("S1_{number}"),
                "sca:atlantisIngestTime": millis(at) + 300_000, "endpoint.os": "windows"
            });
            let mut put = |key: &str, value: Value| _ = record.as_object_mut().unwrap().insert(key.to_owned(), value);
            let prefix = if matches!(told, Told::Start) { "tgt.process." } else { "src.process." };
            for (key, value) in [
                ("pid", json!(program.pid)),
                ("uid", json!(format!("{:016X}", u64::from(program.pid) << 20))),
                ("name", json!(program.name())),
                ("image.path", json!(program.image)),
                ("cmdline", json!(program.line)),
                ("user", json!("CORP\\a")),
                ("startTime", json!(millis(program.started))),
            ] {
                put(&format!("{prefix}{key}"), value);
            }
            match told {
                Told::Start => {
                    put("event.type", json!("Process Creation"));
                    put("src.process.pid", json!(program.parent_pid()));
                    put("src.process.image.path", json!(program.parent));
                }
                Told::Connection { from, to } => {
                    put("event.type", json!("IP Connect"));
                    put("meta.event.name", json!("TCPV4"));
                    put("event.network.direction", json!("OUTGOING"));
                    put("src.ip.address", json!(dotted(from.0)));
                    put("src.port.number", json!(from.1));
                    put("dst.ip.address", json!(dotted(to.0)));
                    put("dst.port.number", json!(to.1));
                }
                Told::Question { name, answer } => {
                    put("event.type", json!("DNS Resolved"));
                    put("event.dns.request", json!(name));
                    put("event.dns.response", json!(format!("{};", dotted(*answer))));
                }
            }
            Some(record)
        })
    }

    /// Tetragon with a policy that follows `tcp_connect`; in a container where one is given. It has no question.
    pub fn tetragon(&self, container: Option<&str>) -> String {
        self.lines(|_, at, on, program, told| {
            let exec_id = |pid: u32| format!("{}:{pid}", on.name);
            let mut process = json!({
                "exec_id": exec_id(program.pid), "pid": program.pid, "uid": 0, "cwd": "/", "binary": program.image,
                "arguments": program.line.split_once(' ').map_or("", |(_, rest)| rest), "start_time": iso(program.started)
            });
            if let Some(container) = container {
                process["pod"] = json!({"namespace": "default", "name": "web-1", "container": {"id": container, "pid": 17}});
            }
            let parent = json!({"exec_id": exec_id(program.parent_pid()), "pid": program.parent_pid(), "binary": program.parent});
            let event = match told {
                Told::Start => json!({"process_exec": {"process": process, "parent": parent}}),
                Told::Connection { from, to } => json!({"process_kprobe": {
                    "process": process, "parent": parent, "function_name": "tcp_connect",
                    "args": [{"sock_arg": {
                        "family": "AF_INET", "type": "SOCK_STREAM", "protocol": "IPPROTO_TCP",
                        "saddr": dotted(from.0), "daddr": dotted(to.0), "sport": from.1, "dport": to.1
                    }}]
                }}),
                Told::Question { .. } => return None,
            };
            let mut event = event;
            event["node_name"] = json!(on.name);
            event["time"] = json!(iso(at));
            Some(event)
        })
    }

    /// osquery's `process_events` and `socket_events`: whole seconds, and a connection without its own end.
    pub fn osquery(&self) -> String {
        self.lines(|number, at, on, program, told| {
            let (name, columns) = match told {
                Told::Start => (
                    "process_events",
                    json!({"pid": program.pid.to_string(), "path": program.image, "cmdline": program.line, "cwd": "/", "uid": "0",
                        "parent": program.parent_pid().to_string(), "time": (at.floor() as i64).to_string(), "eid": number.to_string()}),
                ),
                Told::Connection { to, .. } => (
                    "socket_events",
                    json!({"action": "connect", "pid": program.pid.to_string(), "path": program.image, "fd": "5", "status": "succeeded",
                        "family": "2", "protocol": "", "local_address": "", "local_port": "0", "remote_address": dotted(to.0),
                        "remote_port": to.1.to_string(), "time": (at.floor() as i64).to_string(), "eid": number.to_string()}),
                ),
                Told::Question { .. } => return None,
            };
            Some(json!({"name": name, "hostIdentifier": on.name, "unixTime": at.ceil() as i64 + 10, "action": "added", "columns": columns}))
        })
    }

    /// Starts of class 1007 of the Open Cybersecurity Schema Framework, as what Windows audits is written in it; and the connections as the
    /// Windows Filtering Platform tells them (5156), which know no more of the process than its number and file.
    pub fn ocsf_and_5156(&self) -> String {
        self.lines(|number, at, on, program, told| match told {
            Told::Start => Some(json!({
                "class_uid": 1007, "activity_id": 1, "time": millis(at), "device": {"name": on.name, "type_id": 0},
                "metadata": {"uid": format!("o-{number}"), "version": "0.31.2", "product": {"name": "Microsoft Windows"}},
                "process": {"pid": program.pid, "cmd_line": program.line, "file": {"path": program.image, "name": program.name()}},
                "actor": {"process": {"pid": program.parent_pid(), "file": {"path": program.parent}}, "user": {"name": "a", "domain": "CORP"}}
            })),
            Told::Connection { from, to } => Some(json!({
                "EventID": 5156, "SourceName": "Microsoft-Windows-Security-Auditing", "TimeCreated": iso(at), "Hostname": on.name,
                "RecordNumber": number, "ProcessId": program.pid.to_string(), "Direction": "%%14593", "Protocol": "6",
                "Application": program.image.replacen("C:", r"\device\harddiskvolume2", 1).to_lowercase(),
                "SourceAddress": dotted(from.0), "SourcePort": from.1.to_string(),
                "DestAddress": dotted(to.0), "DestPort": to.1.to_string()
            })),
            Told::Question { .. } => None,
        })
    }

    /// Auditbeat's auditd: system calls, without the endpoint's own end.
    pub fn auditd(&self) -> String {
        self.lines(|number, at, on, program, told| {
            let mut record = match told {
                Told::Start => json!({"event": {"action": "executed", "module": "auditd"}}),
                Told::Connection { to, .. } => json!({"event": {"action": "connected-to", "module": "auditd"},
                    "destination": {"ip": dotted(to.0), "port": to.1.to_string()}}),
                Told::Question { .. } => return None,
            };
            record["@timestamp"] = json!(iso(at));
            record["host"] = json!({"name": on.name, "ip": [dotted(on.ip)]});
            record["auditd"] = json!({"sequence": number, "data": {"arch": "x86_64"}});
            record["process"] = json!({"pid": program.pid, "executable": program.image, "name": program.name(), "title": program.line,
                "parent": {"pid": program.parent_pid()}});
            Some(record)
        })
    }
}
