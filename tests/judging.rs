//! Rules and allow lists, as a user gives them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use common::binary::{FIRST_LOOK, undertone};
use serde_json::Value;

const RULE: &str = "\
title: Own name
id: 4d0f9a36-3f0e-4f0c-9d0b-9f62a2b3c001
author: A. Nalyst
logsource:
    category: network_connection
detection:
    selection:
        DestinationHostname|endswith:
            - discord.com
            - ghostbin.co/
    condition: selection
level: critical
";

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn of<'r>(records: &'r [Value], dataset: &str, service: &str) -> Vec<&'r Value> {
    let is = |record: &&Value| {
        record["event"]["dataset"] == dataset && record["undertone"]["service"]["name"] == service
    };
    records.iter().filter(is).collect()
}

#[test]
fn a_users_rule_is_told_beside_the_built_in_ones() {
    let folder = tempfile::tempdir().unwrap();
    let rules = file(&folder, "rules/own/name.yml", RULE);
    file(&folder, "rules/readme.txt", "no rule");
    let path = folder.path().join("rules").display().to_string();
    let ran = undertone(&["replay", "--json", "--rules", &path, FIRST_LOOK])
        .ended(0)
        .says(&["1 rules: 1 by hostname"]);
    let records = ran.records();
    let discord = of(&records, "undertone.alert", "Discord");
    assert!(!discord.is_empty());
    for alert in discord {
        let rule = &alert["rule"];
        assert_eq!(
            (&rule["name"], &rule["author"][0], &rule["ruleset"]),
            (&"Own name".into(), &"A. Nalyst".into(), &rules.as_str().into())
        );
        assert_eq!(alert["undertone"]["level"], "critical");
        assert_eq!(alert["undertone"]["rules"].as_array().unwrap().len(), 3, "{alert}");
    }
    let only = undertone(&["replay", "--json", "--no-builtin-rules", "--rules", &path, FIRST_LOOK])
        .ended(0)
        .records();
    assert!(only.iter().all(|record| record["undertone"]["service"]["name"] == "Discord"), "{only:?}");
    assert!(!only.is_empty());
}

#[test]
fn check_says_what_each_rule_does() {
    let folder = tempfile::tempdir().unwrap();
    let good = file(&folder, "name.yml", RULE);
    let ran = undertone(&["check", "--rules", &good]).ended(0);
    for words in [
        "Own name: runs on 1 hostname",
        "`ghostbin.co/` can never match: a path is not in a hostname; write ghostbin.co",
    ] {
        assert!(ran.out.contains(words), "{}", ran.out);
    }
    let bad = file(&folder, "bad.yml", "title: [");
    undertone(&["check", "--rules", &bad]).ended(2).says(&["bad.yml", "is refused"]);
    undertone(&["check", "--rules", "/nothing/here"])
        .ended(2)
        .says(&["--rules /nothing/here", "cannot be read"]);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    undertone(&["check", "--rules", empty.to_str().unwrap()]).ended(2).says(&["holds no file"]);
}

/// What is allowed is counted and told nowhere else; what was never needed, or is over, is told.
#[test]
fn allow_lists_are_kept_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let allow = file(
        &folder,
        "allow.toml",
        "[[allow]]\nservice = \"Discord\"\nowner = \"games@example\"\nreason = \"support\"\n\
         [[allow]]\nservice = \"Pastebin\"\nexpires = 2020-01-01\n\
         [[allow]]\nservice = \"Dropbox\"\nclient = \"192.0.2.1\"\nowner = \"it@example\"\n",
    );
    let without = undertone(&["replay", "--json", FIRST_LOOK]).ended(0).records();
    let ran = undertone(&["replay", "--json", "--min-level", "informational", "--allow", &allow, FIRST_LOOK])
        .ended(0);
    let records = ran.records();
    assert!(of(&records, "undertone.alert", "Discord").is_empty());
    let summaries = of(&records, "undertone.summary", "Discord");
    let count = |records: &[&Value]| -> u64 {
        records.iter().map(|record| record["undertone"]["summary"]["count"].as_u64().unwrap()).sum()
    };
    assert_eq!(count(&summaries), count(&of(&without, "undertone.summary", "Discord")));
    for summary in summaries {
        let allowed = &summary["undertone"]["allowed"];
        assert_eq!(
            (&allowed["line"], &allowed["owner"], &allowed["reason"]),
            (&1.into(), &"games@example".into(), &"support".into())
        );
        assert_eq!(summary["undertone"]["level"], "informational");
    }
    assert_eq!(
        of(&records, "undertone.alert", "Pastebin").len(),
        of(&without, "undertone.alert", "Pastebin").len(),
        "an entry that has expired allows nothing"
    );
    ran.says(&[
        "allow.toml:1 ",
        "allow.toml:5 has expired and would have been used",
        "allow.toml:8 (it@example) was never used",
    ]);
    undertone(&["replay", "--allow", "/nothing", FIRST_LOOK])
        .ended(2)
        .says(&["--allow /nothing", "cannot be read"]);
}
