//! The whole sensor with telemetry of endpoints: packets and records in, processes out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::path::Path;

use common::binary::{Ran, dataset, records, text, undertone};
use common::scene::{Endpoint, NOON, Program, Scene};
use serde_json::Value;

fn workstation() -> Endpoint {
    Endpoint { name: "ws5.corp.example".to_owned(), ip: [10, 0, 0, 7] }
}

/// A replay of a capture with a feed.
fn replay(folder: &Path, capture: &[u8], feed: &str, more: &[&str]) -> Ran {
    let (pcap, records) = (folder.join("input.pcap"), folder.join("feed"));
    std::fs::write(&pcap, capture).unwrap();
    std::fs::write(&records, feed).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (feed, pcap) = (path(&records), path(&pcap));
    let args = [&["replay", "--json", "--min-level", "informational", "--feed", &feed, &pcap], more].concat();
    undertone(&args)
}

fn of_kind<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| dataset(record) == kind).collect()
}

#[test]
fn a_beacon_of_ten_thousand_is_one_alert_and_one_summary() {
    const TURNS: u64 = 10_000;
    let on = workstation();
    let program = Program {
        pid: 3284,
        started: NOON as f64,
        image: r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe".to_owned(),
        line: "powershell.exe -File beacon.ps1".to_owned(),
        parent: r"C:\Windows\explorer.exe".to_owned(),
        ..Program::default()
    };
    let mut scene = Scene::default();
    scene.starts(&on, &program);
    for turn in 0..TURNS {
        // An hour is the window in which an alert is not repeated.
        let at = (NOON + 5) as f64 + turn as f64 * 0.35;
        scene.reaches(at, &on, &program, "api.dropboxapi.com", [162, 125, 1, 19], None);
    }
    let folder = tempfile::tempdir().unwrap();
    let ran = replay(folder.path(), &scene.pcap(), &scene.sysmon_xml(), &[]).ended(0);
    assert!(!ran.err.contains("candidates"), "no limit is reached: {}", ran.err);
    let records = ran.records();
    let (alerts, summaries) = (of_kind(&records, "undertone.alert"), of_kind(&records, "undertone.summary"));
    let ([alert], [summary]) = (alerts.as_slice(), summaries.as_slice()) else {
        panic!("{} alerts, {} summaries", alerts.len(), summaries.len())
    };
    assert_eq!(alert["undertone"]["attribution"]["level"], "tuple-and-name");
    assert_eq!(alert["process"]["pid"], 3284);
    assert_eq!(summary["process"]["pid"], 3284);
    assert_eq!(summary["undertone"]["summary"]["count"], TURNS * 2, "{summary}");
}

/// Two hosts that swap their addresses, and telemetry that has none: whose each is, leases alone say.
#[test]
fn leases_name_the_hosts_of_a_feed_without_addresses() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps/dhcp");
    let capture = std::fs::read(folder.join("input.pcap")).unwrap();
    let feed = std::fs::read_to_string(folder.join("sysmon.xml")).unwrap();
    let work = tempfile::tempdir().unwrap();
    for threads in ["1", "3"] {
        let ran = replay(work.path(), &capture, &feed, &["--threads", threads]).ended(0);
        let ran = ran.says(&["2 hosts   4 leases by DHCP"]);
        let records = ran.records();
        let found: Vec<_> = of_kind(&records, "undertone.alert")
            .into_iter()
            .map(|alert| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                assert_eq!(alert["undertone"]["attribution"]["level"], "dns-answer", "{alert}");
                (text(&alert["source"]["ip"]), text(&alert["host"]["name"]), text(&alert["process"]["name"]))
            })
            .collect();
        let expected = [
            ("10.77.0.21", "ws1.office.example", "curl.exe"),
            ("10.77.0.22", "ws2.office.example", "powershell.exe"),
            ("10.77.0.21", "ws2.office.example", "powershell.exe"),
            ("10.77.0.22", "ws1.office.example", "curl.exe"),
        ];
        let expected = expected.map(|(ip, host, name)| (ip.to_owned(), host.to_owned(), name.to_owned()));
        assert_eq!(found, expected);
    }
}

fn beaten(turns: u32) -> Scene {
    let on = workstation();
    let mut scene = Scene::default();
    for turn in 0..turns {
        let program = Program {
            pid: 5000 + turn,
            started: (NOON + i64::from(turn)) as f64,
            image: format!(r"C:\Tools\t{turn}.exe"),
            line: format!("t{turn}.exe --number {turn}"),
            parent: r"C:\Windows\explorer.exe".to_owned(),
            ..Program::default()
        };
        scene.starts(&on, &program);
        let at = (NOON + i64::from(turn)) as f64 + 0.5;
        scene.reaches(at, &on, &program, "api.dropboxapi.com", [162, 125, 1, 19], None);
    }
    scene
}

#[test]
fn a_stated_format_is_taken_for_what_it_is() {
    let scene = beaten(3);
    let folder = tempfile::tempdir().unwrap();
    let alerts =
        |feed: &str, format: &str| replay(folder.path(), &scene.pcap(), feed, &["--feed-format", format]);
    let right = alerts(&scene.sysmon_xml(), "event-xml").ended(0);
    assert!(right.records().iter().all(|record| record["process"]["pid"].is_u64()), "{right:?}");
    let wrong = alerts(&scene.sysmon_xml(), "tetragon").ended(1);
    let wrong =
        wrong.says(&["holds no record of a known format", "not of the format that --feed-format states"]);
    assert!(wrong.records().iter().all(|record| record["process"].is_null()), "{wrong:?}");
    alerts("", "sysmon").ended(2).says(&["'sysmon'", "event-xml", "winlogbeat", "elastic-defend", "ocsf"]);
    undertone(&["replay", "--feed-format", "ocsf", "a.pcap"]).ended(2).says(&["--feed"]);
    let path = folder.path().join("feed");
    std::fs::write(&path, scene.winlogbeat()).unwrap();
    let path = path.to_str().unwrap();
    undertone(&["check", "--feed", path, "--feed-format", "winlogbeat"]).ended(0);
    undertone(&["check", "--feed", path, "--feed-format", "evtx"]).ended(2);
}

/// What does not fit is told, and the exit status is 1; what fits is attributed.
#[test]
fn a_feed_that_does_not_fit_is_told() {
    let scene = beaten(1_500);
    let folder = tempfile::tempdir().unwrap();
    let feed = scene.sysmon_xml();
    let small = replay(folder.path(), &scene.pcap(), &feed, &["--feed-memory", "1"]).ended(1);
    let small = small.says(&["limits", "processes of the feed"]);
    let named = |ran: &Ran| {
        let records = ran.records();
        of_kind(&records, "undertone.alert").iter().filter(|alert| alert["process"]["pid"].is_u64()).count()
    };
    let whole = replay(folder.path(), &scene.pcap(), &feed, &["--feed-memory", "64"]).ended(0);
    assert_eq!(named(&whole), 1_500);
    assert!((100..1_500).contains(&named(&small)), "{} are named", named(&small));
}

/// The conversations of a replay.
fn flows(folder: &Path, capture: &[u8], feed: &str, more: &[&str]) -> Vec<Value> {
    let path = folder.join("flows.jsonl");
    let path = path.to_str().unwrap();
    replay(folder, capture, feed, &[&["--flows", path], more].concat()).ended(0);
    records(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn the_order_of_records_changes_no_conversation() {
    let scene = beaten(40);
    let folder = tempfile::tempdir().unwrap();
    let feed = scene.sysmon_xml();
    let expected = flows(folder.path(), &scene.pcap(), &feed, &[]);
    assert_eq!(expected.len(), 40);
    assert!(expected.iter().all(|flow| flow["process"]["pid"].is_u64()));
    let lines: Vec<&str> = feed.lines().collect();
    for turn in 1..8 {
        // Every line once, in another order each time.
        let count = lines.len();
        let step = [count - 1, 7, 11, 13, 17, 19, 23][turn - 1];
        assert!(!count.is_multiple_of(step));
        let mixed: String = (0..count).map(|place| format!("{}\n", lines[place * step % count])).collect();
        let threads = (turn % 3 + 1).to_string();
        let found = flows(folder.path(), &scene.pcap(), &mixed, &["--threads", &threads]);
        assert_eq!(found, expected, "by steps of {step}");
    }
}

#[test]
fn a_conversation_with_its_process_is_a_document() {
    let scene = beaten(1);
    let folder = tempfile::tempdir().unwrap();
    let mut found = flows(folder.path(), &scene.pcap(), &scene.sysmon_xml(), &[]);
    let [flow] = found.as_mut_slice() else { panic!("{found:?}") };
    flow["file"]["path"] = "".into();
    flow["observer"]["version"] = "".into();
    let expected: Value = serde_json::from_str(include_str!("data/flow.json")).unwrap();
    assert_eq!(*flow, expected, "{flow:#}");
}

/// What was found out of a connection that names nobody stands in its conversation too.
#[test]
fn names_from_answers_are_the_conversations_too() {
    for (case, named, way) in [
        ("nameless", &["10.77.0.104:443", "10.77.0.131:443"][..], "dns_answer"),
        ("certificate", &["10.77.0.104:9440"], "tls_certificate"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("flows.jsonl");
        let path = path.to_str().unwrap();
        let capture = format!("pcaps/{case}/input.pcap");
        undertone(&["replay", "-q", &capture, "--flows", path]).ended(0);
        let flows = records(&std::fs::read_to_string(path).unwrap());
        for end in named {
            let is = |flow: &&Value| {
                let there = format!("{}:{}", text(&flow["destination"]["ip"]), flow["destination"]["port"]);
                there == *end && flow["undertone"]["hostname"]["seen_in"] == way
            };
            let flow = flows.iter().find(is).unwrap_or_else(|| panic!("{end}: {flows:#?}"));
            assert!(text(&flow["destination"]["domain"]).ends_with("pastebin.com"), "{flow}");
        }
        let outer = flows.iter().filter(|flow| flow["undertone"]["hostname"].is_null());
        assert!(outer.count() < flows.len() / 2, "{flows:#?}");
    }
}

/// Two programs of one host, each at a service of its own, at the same time.
fn two(images: [&str; 2]) -> Scene {
    let on = workstation();
    let mut scene = Scene::default();
    let names = [("api.dropboxapi.com", [162, 125, 1, 19]), ("pastebin.com", [104, 20, 3, 235])];
    for (number, (image, (name, server))) in images.into_iter().zip(names).enumerate() {
        let program = Program {
            pid: 4000 + number as u32,
            started: NOON as f64 + 1.25,
            image: image.to_owned(),
            line: format!("{image} --to somewhere"),
            parent: if image.starts_with('/') { "/usr/bin/bash" } else { r"C:\Windows\explorer.exe" }
                .to_owned(),
            ..Program::default()
        };
        scene.starts(&on, &program);
        scene.reaches(NOON as f64 + 3.0 + number as f64 * 0.1, &on, &program, name, server, None);
    }
    scene
}

/// A round of a format through a replay: both contacts are by the right process, at this level, and so are the conversations.
#[track_caller]
fn round(scene: &Scene, feed: &str, level: &str, kind: &str, hosts: &str) {
    let folder = tempfile::tempdir().unwrap();
    let stated = folder.path().join("hosts");
    std::fs::write(&stated, hosts).unwrap();
    let ran = replay(folder.path(), &scene.pcap(), feed, &["--hosts", stated.to_str().unwrap()]).ended(0);
    assert!(!ran.err.contains("unreadable"), "{}", ran.err);
    let records = ran.records();
    let alerts = of_kind(&records, "undertone.alert");
    let connections: Vec<_> = alerts.iter().filter(|alert| alert["destination"]["port"] == 443).collect();
    assert_eq!(connections.len(), 2, "{alerts:#?}");
    for alert in connections {
        let pid = if text(&alert["undertone"]["service"]["name"]) == "Dropbox" { 4000 } else { 4001 };
        let attribution = &alert["undertone"]["attribution"];
        assert_eq!((&attribution["level"], &attribution["feed"]), (&level.into(), &kind.into()), "{alert:#}");
        assert_eq!(alert["process"]["pid"], pid, "{alert:#}");
        assert_eq!(alert["host"]["name"], "ws5.corp.example", "{alert:#}");
        assert!(
            alert["process"]["command_line"].is_string() && alert["process"]["parent"]["pid"].is_u64(),
            "{alert:#}"
        );
    }
    assert!(ran.err.contains("2 of 2 connections"), "{}", ran.err);
    // The records in another order.
    let turned: Vec<&str> = feed.lines().rev().collect();
    let turned =
        replay(folder.path(), &scene.pcap(), &turned.join("\n"), &["--hosts", stated.to_str().unwrap()]);
    assert_eq!(turned.ended(0).out, ran.out);
}

const WINDOWS: [&str; 2] =
    [r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe", r"C:\Windows\System32\curl.exe"];
const LINUX: [&str; 2] = ["/usr/bin/python3.11", "/usr/bin/curl"];

#[test]
fn a_round_of_crowdstrike_has_no_number_of_the_system_but_by_the_start() {
    let scene = two(WINDOWS);
    // The parent is known by the sensor's number alone.
    let feed = scene.crowdstrike();
    let folder = tempfile::tempdir().unwrap();
    let records = replay(folder.path(), &scene.pcap(), &feed, &[]).ended(0).records();
    let alerts = of_kind(&records, "undertone.alert");
    let of = |pid: u64| alerts.iter().find(|alert| alert["process"]["pid"] == pid).unwrap();
    for (pid, name, service) in [(4000, "powershell.exe", "Dropbox"), (4001, "curl.exe", "Pastebin")] {
        let alert = of(pid);
        assert_eq!(
            (&alert["process"]["name"], &alert["undertone"]["service"]["name"]),
            (&name.into(), &service.into())
        );
        assert_eq!(alert["undertone"]["attribution"]["level"], "tuple-and-name", "{alert:#}");
        assert_eq!(alert["process"]["parent"]["name"], "explorer.exe");
    }
}

#[test]
fn a_round_of_sentinel_one() {
    let scene = two(WINDOWS);
    round(&scene, &scene.sentinel_one(), "tuple-and-name", "sentinel-one", "");
}

#[test]
fn a_round_of_tetragon() {
    let scene = two(LINUX);
    round(&scene, &scene.tetragon(None), "tuple", "tetragon", "");
}

/// Pods have addresses of their own; the sensor outside of the node sees the node's, with the same ports.
#[test]
fn a_round_of_tetragon_in_a_pod() {
    let scene = two(LINUX);
    let pods = scene.tetragon(Some("containerd://551e")).replace("10.0.0.7", "10.244.0.30");
    let folder = tempfile::tempdir().unwrap();
    let stated = folder.path().join("hosts");
    std::fs::write(&stated, "10.0.0.7 ws5.corp.example\n").unwrap();
    let more = ["--hosts", stated.to_str().unwrap()];
    let records = replay(folder.path(), &scene.pcap(), &pods, &more).ended(0).records();
    let alerts = of_kind(&records, "undertone.alert");
    let connections: Vec<_> = alerts.iter().filter(|alert| alert["destination"]["port"] == 443).collect();
    assert_eq!(connections.len(), 2, "{alerts:#?}");
    for alert in connections {
        let pid = if text(&alert["undertone"]["service"]["name"]) == "Dropbox" { 4000 } else { 4001 };
        assert_eq!(alert["process"]["pid"], pid, "{alert:#}");
        assert_eq!(alert["undertone"]["attribution"]["level"], "destination", "{alert:#}");
        assert_eq!(alert["container"], serde_json::json!({"id": "containerd://551e"}), "{alert:#}");
        let pod = serde_json::json!({"type": "kubernetes", "namespace": "default", "resource": {"type": "pod", "name": "web-1"}});
        assert_eq!(alert["orchestrator"], pod, "{alert:#}");
    }
}

#[test]
fn a_round_of_ocsf_says_of_the_connections_of_another_feed_what_ran() {
    let scene = two(WINDOWS);
    round(&scene, &scene.ocsf_and_5156(), "tuple", "security", "");
}

#[test]
fn rounds_without_a_port_of_ones_own_are_at_no_tuple() {
    let scene = two(LINUX);
    // Its records have no address of the endpoint at all.
    round(&scene, &scene.osquery(), "destination", "osquery", "10.0.0.7 ws5.corp.example\n");
    round(&scene, &scene.auditd(), "destination", "auditbeat", "");
}

#[test]
fn a_round_of_elastic_defend() {
    // `connection_attempted`, after elastic/endpoint-package, `windows_network_attempted_accepted_and_disconnect.md`: that and
    // `connection_accepted`, of which `tests/data/telemetry` has a record, have the same fields.
    let scene = two(WINDOWS);
    round(&scene, &scene.elastic_defend(), "tuple-and-name", "elastic-defend", "");
}
