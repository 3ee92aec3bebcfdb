//! Telemetry recorded by others: every record that says something of a process, a connection or a name is told, as it stands there.
//!
//! The recordings are not part of the project: they are beside the folder that `UNDERTONE_CORPUS` names (OTRF/Security-Datasets, MIT).
//! What is expected is read out of them here again, by other means, field by field.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use undertone::originator::feed::Refusal;
use undertone::originator::record::{End, Record, Said};
use undertone::telemetry::Telemetry;

#[test]
fn every_record_is_told_as_it_stands_there() {
    let Some(feeds) = feeds() else { return };
    let mut all = 0;
    for path in feeds {
        let expected = expected(&path);
        let mut told = Vec::new();
        let mut telemetry = Telemetry::open(&path).unwrap();
        telemetry.read(&mut |record| told.extend(line(&record)));
        assert_eq!(telemetry.failure(), None);
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(told.len(), expected.len(), "{name}");
        for (told, expected) in told.iter().zip(&expected) {
            assert_eq!(told, expected, "{name}");
        }
        all += told.len();
        let tally = telemetry.tally();
        let refusals: BTreeMap<Refusal, u64> =
            tally.refusals().map(|(why, refused)| (why, refused.count)).collect();
        println!("{name}: {} told, {} passed over, {refusals:?}", tally.told, tally.passed_over);
        // A connection between no address and no address, as Sysmon for Linux writes them, is all that cannot be used.
        assert!(refusals.keys().all(|why| *why == Refusal::NoAddress), "{name}: {refusals:?}");
    }
    assert!(all > 1500, "{all} records");
}

/// A record as a line: host, kind, pid, and what is particular to the kind.
fn line(record: &Record<'_>) -> Option<String> {
    let ends = |ends: &[End; 2]| ends.map(|end| format!("{} {}", end.ip, end.port.unwrap_or(0))).join(" ");
    let (process, more) = match &record.what {
        Said::Start(process) => (process, process.command_line.as_deref().unwrap_or_default().to_owned()),
        Said::End(process) => (process, String::new()),
        Said::Connection(connection) => (&connection.process, ends(&connection.ends)),
        Said::Query(query) => (&query.process, format!("{} {}", query.name, query.addresses.len())),
        Said::Addresses(_) => return None,
    };
    let image = process.image.as_deref().or(process.name.as_deref()).unwrap_or_default();
    Some(format!("{} {} {} {image} {more}", record.host, record.kind, process.pid.unwrap_or(0)))
}

/// The same lines, from the file itself.
fn expected(path: &Path) -> Vec<String> {
    let text = Command::new("zcat").arg(path).output().unwrap().stdout;
    String::from_utf8(text)
        .unwrap()
        .lines()
        .filter_map(|text| expect(&serde_json::from_str(text).unwrap()))
        .collect()
}

fn expect(row: &Value) -> Option<String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut take = |object: &Value| {
        fields.extend(object.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))));
    };
    take(row);
    if let Some(data) = row["EventData"].as_str().filter(|data| data.starts_with('{')) {
        take(&serde_json::from_str(data).unwrap());
    }
    if let Some(xml) = row["SyslogMessage"].as_str() {
        for data in xml.split("<Data Name=\"").skip(1) {
            let (name, rest) = data.split_once("\">").unwrap();
            let value = rest.split("</Data>").next().unwrap();
            fields.insert(
                name.to_owned(),
                value.replace("&lt;", "<").replace("&quot;", "\"").replace("&amp;", "&"),
            );
        }
        let id = xml.split("<EventID>").nth(1)?.split('<').next().unwrap();
        fields.insert("EventID".to_owned(), id.to_owned());
        fields.insert("Channel".to_owned(), "Linux-Sysmon".to_owned());
    }
    let get = |names: &[&str]| {
        let found = names.iter().find_map(|name| fields.get(*name)).map_or("", String::as_str);
        if matches!(found, "-" | "<unknown process>" | "&lt;unknown process&gt;") { "" } else { found.trim() }
    };
    let source = get(&["SourceName", "Provider", "Channel"]);
    let kind = get(&["EventID"]);
    let sysmon = source.contains("Sysmon") && ["1", "3", "5", "22"].contains(&kind);
    let security = source.to_lowercase().contains("security") && ["4688", "4689", "5156"].contains(&kind);
    if !sysmon && !security {
        return None;
    }
    let pid = match kind {
        "4688" => get(&["NewProcessId"]),
        "5156" => get(&["ProcessId", "ProcessID"]),
        _ => get(&["ProcessId"]),
    };
    // Where it is left out, the process has its GUID.
    let pid = match pid.strip_prefix("0x") {
        Some(hex) => u32::from_str_radix(hex, 16).unwrap(),
        None => pid.parse().unwrap_or_else(|_| u32::from(get(&["ProcessGuid"]).is_empty())),
    };
    let image = get(match kind {
        "4688" => &["NewProcessName"],
        "4689" => &["ProcessName"],
        "5156" => &["Application"],
        _ => &["Image"],
    });
    let ip = |names: &[&str]| get(names).parse::<IpAddr>().unwrap().to_canonical();
    let more = match kind {
        "1" | "4688" => get(&["CommandLine"]).to_owned(),
        "3" | "5156" => {
            let ends = [ip(&["SourceIp", "SourceAddress"]), ip(&["DestinationIp", "DestAddress"])];
            if ends.iter().all(IpAddr::is_unspecified) {
                return None;
            }
            let ports = [get(&["SourcePort"]), get(&["DestinationPort", "DestPort"])];
            format!("{} {} {} {}", ends[0], ports[0], ends[1], ports[1])
        }
        "22" => {
            let answers = get(&["QueryResults"]).split(';').filter(|answer| answer.parse::<IpAddr>().is_ok());
            format!("{} {}", get(&["QueryName"]), answers.count())
        }
        _ => String::new(),
    };
    Some(format!("{} {kind} {pid} {image} {more}", get(&["Hostname", "HostName", "Computer"])))
}

fn feeds() -> Option<Vec<PathBuf>> {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("NOT RUN, for UNDERTONE_CORPUS is not set");
        return None;
    };
    let folder = Path::new(&corpus).join("../feeds");
    let files = |folder: &Path| {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let mut feeds: Vec<PathBuf> = files(&folder)
        .iter()
        .filter(|path| path.is_dir())
        .flat_map(|path| files(path))
        .filter(|path| path.to_string_lossy().ends_with(".json.gz"))
        .collect();
    feeds.sort();
    assert!(feeds.len() >= 9, "{} feeds below {}", feeds.len(), folder.display());
    Some(feeds)
}
