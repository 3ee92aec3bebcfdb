//! Rules that ask for no hostname, over every connection whose process telemetry names.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::path::Path;

use common::binary::{dataset, undertone};
use common::scene::{Endpoint, NOON, Program, Scene};
use serde_json::Value;

/// As the community's rules of this kind are written.
const RULE: &str = r"
title: Notepad connected
id: 81a2c7b1-0000-4000-8000-000000000001
author: A. Nalyst
logsource:
    category: network_connection
    product: windows
detection:
    selection:
        Image|endswith: '\notepad.exe'
        Initiated: 'true'
    filter_main_printer:
        DestinationPort: 9100
    condition: selection and not 1 of filter_main_*
level: high
";

const NOTEPAD: &str = r"C:\Windows\System32\notepad.exe";

fn workstation() -> Endpoint {
    Endpoint { name: "ws5.corp.example".to_owned(), ip: [10, 0, 0, 7] }
}

fn program(image: &str) -> Program {
    Program {
        pid: 4242,
        started: NOON as f64,
        image: image.to_owned(),
        line: image.to_owned(),
        parent: r"C:\Windows\explorer.exe".to_owned(),
        ..Program::default()
    }
}

/// A program that connects so many times, every 20 seconds, and that asks for the name first.
fn beacon(image: &str, name: &str, times: u32) -> Scene {
    let (on, program, mut scene) = (workstation(), program(image), Scene::default());
    scene.starts(&on, &program);
    for turn in 0..times {
        let at = NOON as f64 + 5.0 + 20.0 * f64::from(turn);
        if turn == 0 {
            scene.reaches(at, &on, &program, name, [198, 51, 100, 9], None);
        } else {
            scene.connects(at, &on, &program, name, [198, 51, 100, 9], None);
        }
    }
    scene
}

fn replay(scene: &Scene, rule: &str, with_feed: bool, more: &[&str]) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.display().to_string()
    };
    let (pcap, feed) = (write("input.pcap", &scene.pcap()), write("feed.xml", scene.sysmon_xml().as_bytes()));
    let rule = write("rule.yml", rule.as_bytes());
    let mut args = vec!["replay", "--json", "--min-level", "informational", "-q", "--rules", &rule];
    if with_feed {
        args.extend(["--feed", &feed]);
    }
    args.extend(more);
    args.push(&pcap);
    undertone(&args).ended(0).records()
}

fn of<'r>(records: &'r [Value], name: &str) -> Vec<&'r Value> {
    records.iter().filter(|record| dataset(record) == name).collect()
}

/// No list has the name; the alert has no service, its rule, its process, and its summary counts what repeats.
#[test]
fn a_connection_to_nowhere_is_one_alert_and_one_summary() {
    let records = replay(&beacon(NOTEPAD, "c2.example", 100), RULE, true, &[]);
    let (alerts, summaries) = (of(&records, "undertone.alert"), of(&records, "undertone.summary"));
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    let [summary] = summaries.as_slice() else { panic!("{summaries:?}") };
    assert_eq!(alert["undertone"]["level"], "high");
    assert_eq!(
        (&alert["rule"]["name"], &alert["rule"]["author"][0]),
        (&"Notepad connected".into(), &"A. Nalyst".into())
    );
    assert_eq!(alert["undertone"].get("service"), None);
    assert_eq!(alert["network"].get("application"), None);
    assert_eq!(alert["destination"]["domain"], "c2.example");
    assert_eq!(
        (&alert["process"]["executable"], &alert["host"]["name"]),
        (&NOTEPAD.into(), &"ws5.corp.example".into())
    );
    assert_eq!(
        alert["event"]["reason"],
        "notepad.exe (10.0.0.7) connected to c2.example (Notepad connected)"
    );
    assert_eq!(summary["undertone"]["summary"]["count"], 100);
    assert_eq!(summary["undertone"]["summary"]["alert"], alert["event"]["id"]);
    assert_eq!(summary["undertone"]["summary"]["hostnames"][0], "c2.example");
    assert_eq!(summary["undertone"]["summary"]["ports"], serde_json::json!([443]));
}

/// A connection without any name is told by its server's address.
#[test]
fn a_connection_without_a_name_is_told_by_its_address() {
    let (on, program, mut scene) = (workstation(), program(NOTEPAD), Scene::default());
    scene.starts(&on, &program);
    scene.connects(NOON as f64 + 5.0, &on, &program, "x", [198, 51, 100, 9], Some(b"no hello at all"));
    let records = replay(&scene, RULE, true, &[]);
    let alerts = of(&records, "undertone.alert");
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!(alert["undertone"]["hostname"], serde_json::json!({"seen_in": ["address"]}));
    assert_eq!(
        (&alert["destination"]["ip"], alert["destination"].get("domain")),
        (&"198.51.100.9".into(), None)
    );
    assert_eq!(
        alert["event"]["reason"],
        "notepad.exe (10.0.0.7) connected to 198.51.100.9:443 (Notepad connected)"
    );
    let summary = of(&records, "undertone.summary")[0]["undertone"]["summary"].clone();
    assert_eq!((&summary["count"], &summary["hostnames"]), (&1.into(), &serde_json::json!([])));
}

/// Without telemetry nobody is known; another program, or what the rule excludes, is not met; and what is allowed is counted.
#[test]
fn what_the_rule_does_not_mean_is_not_told() {
    let unlisted = beacon(NOTEPAD, "c2.example", 3);
    assert!(replay(&unlisted, RULE, false, &[]).is_empty());
    assert!(replay(&beacon(r"C:\Windows\System32\mspaint.exe", "c2.example", 3), RULE, true, &[]).is_empty());
    let excluded = RULE.replace("9100", "443");
    assert!(replay(&unlisted, &excluded, true, &[]).is_empty());
    let allow = tempfile::NamedTempFile::with_suffix(".toml").unwrap();
    let text = "[[allow]]\nprocess = \"notepad\"\nowner = \"it\"\nreason = \"a test\"\n";
    std::fs::write(allow.path(), text).unwrap();
    let records = replay(&unlisted, RULE, true, &["--allow", allow.path().to_str().unwrap()]);
    assert_eq!(of(&records, "undertone.alert").len(), 0, "{records:?}");
    assert_eq!(of(&records, "undertone.summary")[0]["undertone"]["summary"]["count"], 3);
}

/// A listed name is a contact: the rule stands beside the built-in one, and nothing is told twice.
#[test]
fn a_contact_is_told_once() {
    let records = replay(&beacon(NOTEPAD, "pastebin.com", 3), RULE, true, &[]);
    let alerts = of(&records, "undertone.alert");
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!(alert["undertone"]["service"]["name"], "Pastebin");
    let names: Vec<_> =
        alert["undertone"]["rules"].as_array().unwrap().iter().map(|rule| &rule["name"]).collect();
    assert!(names.contains(&&"Notepad connected".into()) && names.len() > 1, "{names:?}");
    let only = replay(&beacon(NOTEPAD, "pastebin.com", 3), RULE, true, &["--no-builtin-rules"]);
    assert_eq!(of(&only, "undertone.alert").len(), 1);
}

#[test]
fn check_says_where_such_a_rule_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rule.yml");
    std::fs::write(&path, RULE).unwrap();
    let ran = undertone(&["check", "--rules", path.to_str().unwrap()]).ended(0);
    let words = "Notepad connected: runs on every connection whose process telemetry (--feed) names: it asks for no hostname";
    assert!(ran.out.contains(words), "{}", ran.out);
}

/// Rules of the community on recordings of attacks, with what the attacked host's Sysmon wrote: an implant in Notepad that calls home, and
/// PowerShell that asks the directory.
#[test]
fn rules_of_the_community_fire_on_recordings() {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("NOT RUN, for UNDERTONE_CORPUS is not set");
        return;
    };
    let shared = Path::new(&corpus).join("..");
    let rules = shared.join("sigma").display().to_string();
    for (folder, expected) in [
        ("dcom-iertutil", ("high", "notepad.exe", "Network Connection Initiated Via Notepad.EXE", 1)),
        (
            "powerview-ldap",
            ("low", "powershell.exe", "Network Connection Initiated By PowerShell Process", 9),
        ),
    ] {
        let mut paths: Vec<String> = std::fs::read_dir(shared.join("feeds").join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path().display().to_string())
            .collect();
        paths.sort();
        let (feeds, captures): (Vec<String>, Vec<String>) =
            paths.into_iter().partition(|path| path.ends_with(".json.gz"));
        let mut args = vec!["replay", "--json", "-q", "--rules", &rules, "--feed", &feeds[0]];
        args.extend(captures.iter().map(String::as_str));
        let records = undertone(&args).ended(0).records();
        let found: Vec<_> = of(&records, "undertone.summary")
            .into_iter()
            .filter(|summary| summary["undertone"].get("service").is_none())
            .map(|summary| {
                (
                    summary["undertone"]["level"].as_str().unwrap(),
                    summary["process"]["name"].as_str().unwrap(),
                    summary["rule"]["name"].as_str().unwrap(),
                    summary["undertone"]["summary"]["count"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, [expected], "{folder}");
    }
}
