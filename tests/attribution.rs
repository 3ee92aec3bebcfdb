//! Telemetry recorded by others, joined to the captures of the same minutes: every connection gets its process, and none a wrong one.
//!
//! The recordings are not part of the project: they are beside the folder that `UNDERTONE_CORPUS` names (OTRF/Security-Datasets, MIT). Where
//! there is no capture, one is made of what the telemetry itself says was on the wire.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use common::binary::{Ran, dataset, list, records, text, undertone};
use common::retold::Retold;
use serde_json::Value;
use undertone::originator::record::Said;
use undertone::telemetry::Telemetry;

/// A set of recordings; nothing where they are not there.
fn set(name: &str) -> Option<PathBuf> {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("NOT RUN, for UNDERTONE_CORPUS is not set");
        return None;
    };
    let folder = Path::new(&corpus).parent().unwrap().join("feeds").join(name);
    assert!(folder.is_dir(), "{} is not there", folder.display());
    Some(folder)
}

fn parts(folder: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    list(folder).into_iter().partition(|path| path.extension().is_some_and(|extension| extension == "gz"))
}

/// Replays captures with telemetry. Gives what it said, and the conversations.
fn replay(feeds: &[PathBuf], captures: &[PathBuf], more: &[&str]) -> (Ran, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let flows = folder.path().join("flows.jsonl");
    let paths = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
    let mut args = vec!["replay".to_owned(), "--flows".to_owned(), flows.display().to_string()];
    args.extend(more.iter().map(|arg| (*arg).to_owned()));
    for feed in paths(feeds) {
        args.extend(["--feed".to_owned(), feed]);
    }
    args.extend(paths(captures));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let ran = undertone(&args).ended(0);
    let lines = std::fs::read_to_string(flows).unwrap();
    (ran, records(&lines))
}

/// An end of a connection.
type End = (IpAddr, u16);

fn ends(flow: &Value) -> [End; 2] {
    let end =
        |name: &str| (text(&flow[name]["ip"]).parse().unwrap(), flow[name]["port"].as_u64().unwrap() as u16);
    [end("source"), end("destination")]
}

/// Whose each connection is by the records alone: the programs of those with exactly these ends, by which end they are of, in any order.
fn by_records(feeds: &[PathBuf]) -> BTreeMap<([End; 2], bool), BTreeSet<String>> {
    let mut found: BTreeMap<([End; 2], bool), BTreeSet<String>> = BTreeMap::new();
    for path in feeds {
        Telemetry::open(path).unwrap().read(&mut |record| {
            let Said::Connection(connection) = &record.what else { return };
            let [Some(one), Some(other)] = connection.ends.map(|end| Some((end.ip, end.port?))) else {
                return;
            };
            let image = connection.process.image.as_deref().or(connection.process.name.as_deref());
            if let (Some(image), Some(initiated)) = (image, connection.initiated) {
                let file = image.rsplit(['\\', '/']).next().unwrap().to_lowercase();
                let ends = [one.min(other), one.max(other)];
                found.entry((ends, initiated)).or_default().insert(file);
            }
        });
    }
    found
}

/// Every TCP connection whose beginning is in the captures and that has a record: how many of them, each once, are named by who
/// began them, and how many by who accepted them.
#[track_caller]
fn check(name: &str, expected: (usize, usize)) {
    let Some(folder) = set(name) else { return };
    let (feeds, captures) = parts(&folder);
    let (ran, flows) = replay(&feeds, &captures, &[]);
    let truth = by_records(&feeds);
    let (mut began, mut accepted) = (BTreeSet::new(), BTreeSet::new());
    for flow in flows.iter().filter(|flow| flow["network"]["transport"] == "tcp") {
        assert_eq!(dataset(flow), "undertone.flow");
        let [one, other] = ends(flow);
        let key = [one.min(other), one.max(other)];
        let attribution = &flow["undertone"]["attribution"];
        let level = text(&attribution["level"]);
        let side = attribution["side"] != "server";
        let programs = truth.get(&(key, true)).or_else(|| truth.get(&(key, false)));
        let Some(programs) = programs.filter(|_| flow["undertone"]["flow"]["begin_seen"] == true) else {
            assert!(!level.starts_with("tuple"), "there is no record: {flow}");
            continue;
        };
        assert!(level == "tuple" || level == "tuple-and-name", "{flow}");
        let program = text(&flow["process"]["name"]).to_lowercase();
        let right = truth.get(&(key, side));
        assert!(
            right.is_some_and(|right| right.contains(&program)),
            "{program} is none of {programs:?}: {flow}"
        );
        assert!(flow["process"]["pid"].is_u64() && flow["host"]["name"].is_string(), "{flow}");
        if side { &mut began } else { &mut accepted }.insert(key);
    }
    assert_eq!((began.len(), accepted.len()), expected, "{name}: {}", ran.err);
}

#[test]
fn log4shell_linux() {
    check("log4shell-linux", (3, 0));
}

#[test]
fn log4shell_windows() {
    check("log4shell-windows", (2, 1));
}

#[test]
fn dcom_iertutil() {
    check("dcom-iertutil", (17, 0));
}

#[test]
fn powerview_ldap() {
    check("powerview-ldap", (18, 0));
}

/// Clocks and zones are told as they were found in these recordings by other means.
#[test]
fn offsets_and_zones_are_told() {
    let Some(folder) = set("dcom-iertutil") else { return };
    let (feeds, captures) = parts(&folder);
    let (ran, _) = replay(&feeds, &captures, &["-v"]);
    ran.says(&[
        "mordordc.theshire.local sysmon trace: -11.4 s",
        "workstation6.theshire.local sysmon trace: -10.4 s",
        "workstation5.theshire.local sysmon: times are local and do not say so, taken as UTC-04:00",
        "3 hosts",
        "connections of these hosts got a process",
    ]);
    let Some(folder) = set("powerview-ldap") else { return };
    let (feeds, captures) = parts(&folder);
    let (ran, _) = replay(&feeds, &captures, &["-v"]);
    ran.says(&["workstation5.theshire.local sysmon trace: +3.3 s"]);
}

#[test]
fn bitsadmin_is_behind_svchost() {
    let Some(retold) = retold("bitsadmin-github") else { return };
    assert_eq!(
        retold.alerts,
        ["raw.githubusercontent.com tuple-and-name svchost.exe 4696 for bitsadmin.exe (bits)"]
    );
}

#[test]
fn mshta_is_the_unknown_process() {
    let Some(retold) = retold("mshta-github") else { return };
    assert_eq!(retold.alerts, ["raw.githubusercontent.com dns-answer mshta.exe 10076"]);
}

#[test]
fn powershell_asked_and_not_the_antivirus() {
    let Some(retold) = retold("cmstp-github") else { return };
    assert!(retold.cached.len() > 150 && retold.cached.contains_key("avatars0.githubusercontent.com"));
    assert_eq!(
        retold.alerts,
        [
            "fp-vp.azureedge.net dns-answer MsMpEng.exe 3408 for ? (antivirus)",
            "github.com tuple-and-name powershell.exe 6708"
        ]
    );
}

#[test]
fn wmic_loads_a_stylesheet() {
    let Some(retold) = retold("wmic-github") else { return };
    assert_eq!(retold.alerts, ["raw.githubusercontent.com tuple-and-name WMIC.exe 1064"]);
}

/// Excel at home: each of its connections with a name is its own, and what the catalogue lists of them is no finding of a level that is shown.
#[test]
fn excel_talks_to_office() {
    let Some(retold) = retold("excel-office365") else { return };
    assert_eq!(retold.alerts, ["login.live.com tuple-and-name svchost.exe 8612"]);
    let excel: BTreeSet<&str> = (retold.flows.iter())
        .filter(|(_, program)| program == "EXCEL.EXE")
        .map(|(name, _)| name.as_str())
        .collect();
    for name in ["odc.officeapps.live.com", "roaming.officeapps.live.com", "officeclient.microsoft.com"] {
        assert!(excel.contains(name), "{name}: {:?}", retold.flows);
    }
}

/// What a set without a capture comes to.
struct Found {
    /// Questions that the telemetry says were to the cache alone.
    cached: BTreeMap<String, u32>,
    /// Alerts as `name level process pid (for whom, why)`.
    alerts: Vec<String>,
    /// Conversations with a name: the name, and the program.
    flows: Vec<(String, String)>,
}

fn retold(name: &str) -> Option<Found> {
    let (feeds, _) = parts(&set(name)?);
    let retold = Retold::of(feeds.first().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("retold.pcap");
    std::fs::write(&capture, retold.pcap()).unwrap();
    let (ran, flows) = replay(&feeds, &[capture], &["--json", "--min-level", "informational"]);
    let mut alerts = Vec::new();
    for alert in ran.records().iter().filter(|record| dataset(record) == "undertone.alert") {
        let (hostname, attribution) = (&alert["undertone"]["hostname"], &alert["undertone"]["attribution"]);
        let mut line = format!("{} {}", text(&hostname["name"]), text(&attribution["level"]));
        if alert["process"].is_object() {
            line = format!("{line} {} {}", text(&alert["process"]["name"]), alert["process"]["pid"]);
        }
        let delegated = &attribution["delegated"];
        if delegated.is_object() {
            let whom = delegated["process"]["name"].as_str().unwrap_or("?");
            line = format!("{line} for {whom} ({})", text(&delegated["kind"]));
        }
        alerts.push(line);
    }
    alerts.sort();
    let flows = (flows.iter())
        .filter_map(|flow| {
            let name = flow["destination"]["domain"].as_str()?.to_owned();
            Some((name, flow["process"]["name"].as_str()?.to_owned()))
        })
        .collect();
    Some(Found { cached: retold.cached, alerts, flows })
}

/// The lines of a feed in reverse, in many other orders, and twice: the same findings and conversations, to the letter.
#[test]
fn the_order_of_records_changes_nothing() {
    for name in ["dcom-iertutil", "powerview-ldap"] {
        let Some(folder) = set(name) else { return };
        let (feeds, captures) = parts(&folder);
        let (_, expected) = replay(&feeds, &captures, &["--threads", "1"]);
        let out = std::process::Command::new("zcat").args(&feeds).output().unwrap().stdout;
        let mut lines: Vec<&str> = std::str::from_utf8(&out).unwrap().lines().collect();
        let folder = tempfile::tempdir().unwrap();
        let feed = folder.path().join("feed.jsonl");
        for turn in 0..6u64 {
            match turn {
                0 => lines.reverse(),
                1 => lines.extend(lines.clone()),
                _ => shuffle(&mut lines, turn),
            }
            std::fs::write(&feed, lines.join("\n")).unwrap();
            let threads = (turn % 3 + 1).to_string();
            let (_, found) = replay(std::slice::from_ref(&feed), &captures, &["--threads", &threads]);
            assert!(found == expected, "{name}, turn {turn}");
        }
    }
}

/// A feed beside another, in either order of the options; and in two halves.
#[test]
fn the_order_of_feeds_and_captures_changes_nothing() {
    let Some(folder) = set("dcom-iertutil") else { return };
    let (feeds, captures) = parts(&folder);
    let other = parts(&set("powerview-ldap").unwrap()).0;
    let both: Vec<PathBuf> = feeds.iter().chain(&other).cloned().collect();
    let turned: Vec<PathBuf> = both.iter().rev().cloned().collect();
    let (_, expected) = replay(&both, &captures, &[]);
    let (_, found) = replay(&turned, &captures, &[]);
    assert!(found == expected);
    let turned: Vec<PathBuf> = captures.iter().rev().cloned().collect();
    let (_, found) = replay(&both, &turned, &[]);
    let key = |flows: &[Value]| {
        let mut lines: Vec<String> = flows
            .iter()
            .map(|flow| {
                format!(
                    "{} {} {}",
                    text(&flow["@timestamp"]),
                    text(&flow["network"]["community_id"]),
                    flow["process"]
                )
            })
            .collect();
        lines.sort();
        lines
    };
    assert_eq!(key(&found), key(&expected));
}

fn shuffle<T>(values: &mut [T], mut seed: u64) {
    for place in (1..values.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        values.swap(place, (seed >> 33) as usize % (place + 1));
    }
}
