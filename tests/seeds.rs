//! The five published detections, as built-in rules: each name that one lists fires it, by each process that it lists.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::sync::Arc;

use undertone::capture::Timestamp;
use undertone::flow::{Endpoint, Flow, Protocol};
use undertone::hostname::Hostname;
use undertone::inspect::{Detail, Observation, SeenIn};
use undertone::lists::{Contact, Lists};
use undertone::originator::{Attribution, AttributionLevel, Process};
use undertone::rules::{Finding, Level, Rules};

/// Name, text, names that it lists.
const RULES: [(&str, &str, usize); 6] = [
    ("process-list", include_str!("../src/rules/builtin/process-list.yml"), 35),
    ("sequence", include_str!("../src/rules/builtin/sequence.yml"), 29),
    ("sequence-any-age", include_str!("../src/rules/builtin/sequence-any-age.yml"), 29),
    ("no-browser", include_str!("../src/rules/builtin/no-browser.yml"), 25),
    ("aggregate", include_str!("../src/rules/builtin/aggregate.yml"), 26),
    ("dead-drop", include_str!("../src/rules/builtin/dead-drop.yml"), 34),
];

/// The items of a list below a key.
fn items<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let lines = text.lines().skip_while(|line| line.trim() != format!("{key}:")).skip(1);
    lines.map_while(|line| line.trim().strip_prefix("- ")).map(|item| item.trim_matches('\'')).collect()
}

fn id(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("id: ")).unwrap()
}

/// What is found when a process, so many seconds old, reaches a name.
fn meet(lists: &Lists, rules: &Rules, hostname: &str, path: &str, age: i64) -> Option<Finding> {
    let hostname = Hostname::new(hostname).unwrap();
    let entry = lists.lookup(&hostname)?.clone();
    let end = |text: &str| {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { ip: address.ip(), port: address.port() }
    };
    let observation = Observation {
        at: Timestamp::from_parts(1_000_000, 0),
        source: 0,
        frame: 1,
        flow: Flow { src: end("10.0.0.7:50000"), dst: end("192.0.2.1:443"), protocol: Protocol::TCP },
        hostname,
        seen_in: SeenIn::TlsSni,
        detail: Detail::Nothing,
        path: None,
        disagrees_with: Vec::new(),
    };
    let process = Process {
        executable: Some(path.into()),
        started: Some(Timestamp::from_parts(1_000_000 - age, 0)),
        ..Process::default()
    };
    let attribution =
        Attribution { process: Some(Arc::new(process)), ..Attribution::nobody(AttributionLevel::Tuple) };
    rules.judge(Contact { observation, entry }, attribution)
}

fn fires(finding: Option<&Finding>, text: &str) -> bool {
    finding.is_some_and(|finding| finding.rules.iter().any(|rule| rule.id == id(text)))
}

/// A path for each name of a process: where the system has it.
fn path(name: &str) -> String {
    match name.strip_suffix(".exe") {
        Some("powershell") => r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe".to_owned(),
        Some("python*") => r"C:\Python311\python3.11.exe".to_owned(),
        Some(name) => format!(r"C:\Windows\System32\{name}.exe"),
        None if name == "python*" => "/usr/bin/python3".to_owned(),
        None => format!("/usr/bin/{name}"),
    }
}

#[test]
fn each_listed_name_fires_by_each_listed_process() {
    let (lists, rules) = (Lists::builtin(), Rules::builtin());
    for (name, text, count) in RULES {
        let names = items(text, "HostnameAndParents");
        assert_eq!(names.len(), count, "{name}");
        let mut processes = items(text, "ProcessName");
        if processes.is_empty() {
            processes = vec!["powershell.exe", "python*.exe", "curl", "rundll32.exe"];
        }
        for hostname in &names {
            for process in &processes {
                for hostname in
                    [(*hostname).to_owned(), format!("x.{hostname}"), format!("{}.", hostname.to_uppercase())]
                {
                    let found = meet(&lists, &rules, &hostname, &path(process), 3);
                    assert!(fires(found.as_ref(), text), "{name}: {hostname} by {process}");
                }
            }
            for other in [format!("not{hostname}"), format!("{hostname}.evil.example")] {
                // notapi.twitter.com is none of api.twitter.com's, and one of twitter.com's.
                if names.iter().any(|name| other.ends_with(&format!(".{name}"))) {
                    continue;
                }
                let found = meet(&lists, &rules, &other, &path("powershell.exe"), 3);
                assert!(!fires(found.as_ref(), text), "{name}: {other}");
            }
        }
    }
}

#[test]
fn exclusions_and_windows_hold() {
    let (lists, rules) = (Lists::builtin(), Rules::builtin());
    let text = |name: &str| RULES.iter().find(|rule| rule.0 == name).unwrap().1;
    let check = |name: &str, hostname: &str, path: &str, age: i64, expected: bool| {
        let found = meet(&lists, &rules, hostname, path, age);
        assert_eq!(fires(found.as_ref(), text(name)), expected, "{name}: {hostname} by {path}, {age} s");
    };
    let (powershell, chrome) =
        (path("powershell.exe"), r"C:\Program Files\Google\Chrome\Application\chrome.exe");
    let onedrive = r"C:\Users\u\AppData\Local\Microsoft\OneDrive\OneDrive.exe";
    check("sequence", "pastebin.com", &powershell, 300, true);
    check("sequence", "pastebin.com", &powershell, 301, false);
    check("sequence-any-age", "pastebin.com", &powershell, 301, true);
    for rule in ["no-browser", "dead-drop"] {
        check(rule, "pastebin.com", chrome, 3, false);
        check(rule, "pastebin.com", r"C:\Users\u\evil-chrome.exe", 3, true);
        check(rule, "pastebin.com", r"C:\Users\u\AppData\Local\Temp\chrome.exe", 3, true);
        check(rule, "onedrive.live.com", onedrive, 3, false);
        check(rule, "pastebin.com", onedrive, 3, true);
    }
    check("dead-drop", "github.com", r"C:\Windows\System32\svchost.exe", 3, false);
    check("process-list", "pastebin.com", chrome, 3, false);
    check("process-list", "pastebin.com", r"C:\Users\u\my-cmd.exe", 3, false);
}

/// What the flags of the detections said of a name, its categories say.
#[test]
fn flags_are_categories() {
    let lists = Lists::builtin();
    for (category, names) in [
        (
            "cloud-storage",
            "dropbox.com onedrive.live.com drive.google.com sharepoint.com box.com pcloud.com graph.microsoft.com amazonaws.com docs.google.com",
        ),
        ("paste", "pastebin.com paste.ee ghostbin.com hastebin.com gist.github.com pastebin.pl"),
        ("social", "twitter.com api.twitter.com t.co blogspot.com discord.com discordapp.com reddit.com"),
        ("dev-platform", "api.github.com raw.githubusercontent.com gist.github.com"),
        ("messaging", "api.telegram.org slack.com api.slack.com"),
    ] {
        for name in names.split(' ') {
            assert!(lists.lookup(name).unwrap().is_in(category), "{name} is no {category}");
        }
    }
}

/// Each file has what a detection engineer looks for, and its level decides no finding's.
#[test]
fn rules_carry_their_metadata() {
    let rules = Rules::builtin();
    assert_eq!(rules.sigma().reports().len(), RULES.len());
    for report in rules.sigma().reports() {
        assert!(report.notes.is_empty() && !report.service.is_wrong(), "{report}");
    }
    let mut ids = std::collections::BTreeSet::new();
    for (name, text, _) in RULES {
        for key in [
            "title: ",
            "id: ",
            "level: ",
            "confidence: ",
            "falsepositives:",
            "references:",
            "    - attack.t1102",
        ] {
            assert!(text.lines().any(|line| line.starts_with(key)), "{name} has no {key}");
        }
        ids.insert(id(text));
        let rule = rules.sigma().iter().find(|rule| rule.id == id(text)).unwrap();
        assert!(!rule.decides && rule.level >= Level::Medium && rule.techniques.len() == 1, "{rule:?}");
    }
    assert_eq!(ids.len(), RULES.len());
}
