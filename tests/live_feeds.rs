//! Telemetry beside a live capture: alerts come at once and again with their process, whatever the feed does.
//!
//! All of it happens in a network namespace (`common/cable.rs`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::binary::{FIRST_LOOK, Ran, dataset, text, undertone};
use common::cable::{Sensor, in_namespace, ip, play_into, plug_in_another};
use common::packets::{datagram, dns_query, hello, segment};
use jiff::civil::DateTime;
use serde_json::Value;

fn main() -> ExitCode {
    in_namespace("live_feeds", inside)
}

fn inside() {
    ip(&["link", "set", "lo", "up"]);
    std::thread::scope(|scope| {
        // It takes as long as a feed may be behind.
        let passed = scope.spawn(nobody_when_the_feed_has_passed);
        let cases = every_case_with_a_feed_ends_as_its_replay();
        what_is_pending_may_turn_out_to_be_allowed();
        a_flood_of_telemetry_stalls_no_capture();
        passed.join().unwrap();
        println!("live_feeds: {cases} cases as in their replay, and 3 others ok");
    });
}

/// The way in of a feed.
#[derive(Clone, Copy, Debug)]
enum Way {
    File,
    Unix,
    Tcp,
}

/// Each case that has telemetry, by each of its feeds and ways in turn: played in its own time, with the feed's times moved to now.
fn every_case_with_a_feed_ends_as_its_replay() -> usize {
    let mut cases: Vec<(PathBuf, PathBuf)> = Vec::new();
    for (folder, captures) in common::binary::cases() {
        let feeds = common::binary::list(&folder).into_iter().filter(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            !matches!(name, "README.md" | "expected.jsonl") && !name.starts_with("input")
        });
        if let [capture] = &captures[..] {
            cases.extend(feeds.filter(|path| path.is_file()).map(|feed| (capture.clone(), feed)));
        }
    }
    assert!(cases.len() >= 12, "{cases:?}");
    let next = AtomicUsize::new(0);
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (cases, next, wrong) = (&cases, &next, &wrong);
            scope.spawn(move || {
                let cable = (format!("ut-fs{number}"), format!("ut-fp{number}"));
                plug_in_another(&cable.0, &cable.1);
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let Some((capture, feed)) = cases.get(turn) else { return };
                    let way = [Way::File, Way::Unix, Way::Tcp][turn % 3];
                    wrong.lock().unwrap().extend(ends_as_its_replay(&cable, capture, feed, way));
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    cases.len()
}

fn ends_as_its_replay(cable: &(String, String), capture: &Path, feed: &Path, way: Way) -> Vec<String> {
    let options = ["--json", "--min-level", "informational"];
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let asked = match way {
        Way::File => at("feed.log"),
        Way::Unix => format!("unix:{}", at("feed.sock")),
        Way::Tcp => "tcp:127.0.0.1:0".to_owned(),
    };
    let sensor = Sensor::on(&[&cable.0], &[&["--threads", "2", "--feed", &asked][..], &options].concat());
    let moved = play_now(&cable.1, capture);
    let records = moved_by(&std::fs::read_to_string(feed).unwrap(), moved);
    std::thread::sleep(Duration::from_millis(300));
    send(&sensor, way, &asked, &records);
    // Until it has been read and nothing is pending that the feed has told.
    std::thread::sleep(Duration::from_millis(1_500));
    let live = sensor.stop("INT").ended(0);

    // The same time and the same records, read from files.
    let (capture_then, feed_then) = (at("then.pcap"), at("then.feed"));
    std::fs::write(&feed_then, &records).unwrap();
    std::fs::write(&capture_then, capture_moved_by(capture, moved)).unwrap();
    let replayed = [&["replay", &capture_then, "--feed", &feed_then][..], &options].concat();
    let replayed = undertone(&replayed).ended(0);

    let name = format!("{}, {way:?}", feed.display());
    let mut wrong = Vec::new();
    // At first nobody knows.
    let first = live.records().into_iter().find(|record| dataset(record) == "undertone.alert").unwrap();
    if first["undertone"]["attribution"]["level"] != "pending" {
        wrong.push(format!("{name}: not pending at first: {first}"));
    }
    let (live, replayed) = (settled(&live), settled(&replayed));
    for (only, all, others) in [("live", &live, &replayed), ("replayed", &replayed, &live)] {
        for alert in all.iter().filter(|alert| !others.contains(alert)) {
            let undertone = &alert["undertone"];
            let attribution = &undertone["attribution"];
            wrong.push(format!(
                "{name}: only {only}: {} {} {attribution} {alert}",
                alert["event"]["reason"], undertone["hostname"]
            ));
        }
    }
    wrong
}

/// A capture with its times moved by so many seconds.
fn capture_moved_by(capture: &Path, moved: i64) -> Vec<u8> {
    let mut file = common::packets::pcap(&[]);
    let mut capture = pcap::Capture::from_file_with_precision(capture, pcap::Precision::Nano).unwrap();
    while let Ok(frame) = capture.next_packet() {
        let (seconds, nanos) = (frame.header.ts.tv_sec + moved, frame.header.ts.tv_usec);
        for word in [seconds as u32, nanos as u32, frame.header.caplen, frame.header.len] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(frame.data);
    }
    file
}

/// Alerts as they stand at the end, without what another time and place change.
fn settled(ran: &Ran) -> Vec<Value> {
    let mut alerts: BTreeMap<String, Value> = BTreeMap::new();
    for record in ran.records().into_iter().filter(|record| dataset(record) == "undertone.alert") {
        alerts.insert(text(&record["event"]["id"]), record);
    }
    let mut alerts: Vec<Value> = alerts.into_values().collect();
    for alert in &mut alerts {
        for (within, keys) in [
            ("", &["@timestamp", "file"][..]),
            ("/event", &["id", "start", "end", "duration", "action"]),
            ("/observer", &["ingress"]),
            ("/undertone", &["frame"]),
            ("/undertone/attribution", &["clock_offset_ms"]),
            ("/process", &["start"]),
            ("/process/parent", &["start"]),
        ] {
            if let Some(object) = alert.pointer_mut(within).and_then(Value::as_object_mut) {
                keys.iter().for_each(|key| _ = object.remove(*key));
            }
        }
    }
    alerts
}

/// Plays a capture in its own time from now on. Gives by how many seconds its times were moved.
fn play_now(player: &str, capture: &Path) -> i64 {
    let mut cable = pcap::Capture::from_device(player).unwrap().open().unwrap();
    let mut capture = pcap::Capture::from_file_with_precision(capture, pcap::Precision::Nano).unwrap();
    let mut moved = None;
    while let Ok(frame) = capture.next_packet() {
        let (seconds, nanos) = (frame.header.ts.tv_sec, frame.header.ts.tv_usec as u32);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let moved = *moved.get_or_insert(now.as_secs() as i64 + 1 - seconds);
        let due = UNIX_EPOCH + Duration::new((seconds + moved) as u64, nanos);
        std::thread::sleep(due.duration_since(SystemTime::now()).unwrap_or_default());
        cable.sendpacket(frame.data).unwrap();
    }
    moved.unwrap()
}

/// A text with every date and time in it moved by so many seconds.
fn moved_by(text: &str, seconds: i64) -> String {
    const LEN: usize = "2026-11-20T12:00:00".len();
    let mut moved = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("20") {
        let (before, from) = rest.split_at(at);
        moved += before;
        let time = from.get(..LEN).filter(|time| matches!(time.as_bytes()[10], b'T' | b' '));
        match time.and_then(|time| time.replace(' ', "T").parse::<DateTime>().ok().zip(Some(time))) {
            Some((parsed, time)) => {
                let later = parsed.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap();
                let separator = if time.contains('T') { 'T' } else { ' ' };
                moved += &later.strftime(&format!("%Y-%m-%d{separator}%H:%M:%S")).to_string();
                rest = from.split_at(LEN).1;
            }
            None => {
                moved += "20";
                rest = from.split_at(2).1;
            }
        }
    }
    moved + rest
}

/// Sends telemetry to a sensor that was asked to take it so.
fn send(sensor: &Sensor, way: Way, asked: &str, records: &str) {
    let mut to: Box<dyn Write> = match way {
        Way::File => Box::new(std::fs::File::create(asked).unwrap()),
        Way::Unix => Box::new(UnixStream::connect(asked.strip_prefix("unix:").unwrap()).unwrap()),
        Way::Tcp => Box::new(TcpStream::connect(address(sensor)).unwrap()),
    };
    to.write_all(records.as_bytes()).unwrap();
}

/// Where a sensor listens that was asked to choose a port.
fn address(sensor: &Sensor) -> String {
    let said = sensor.said.split("telemetry comes from ").nth(1).unwrap();
    let from = said.split("tcp:").nth(1).unwrap();
    from.split([',', '\n']).next().unwrap().to_owned()
}

/// A connection of which the endpoint says nothing: `pending`, and `none` when the feed has passed it.
fn nobody_when_the_feed_has_passed() {
    /// Sysmon's: two minutes, and the time that a sensor takes.
    const LONGEST: Duration = Duration::from_secs(140);
    let cable = ("ut-none", "ut-nonep");
    plug_in_another(cable.0, cable.1);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (feed, out) = (at("feed.log"), at("out"));
    std::fs::write(&feed, "").unwrap();
    let sensor = Sensor::on(&[cable.0], &["-o", &out, "--feed", &feed, "--min-level", "informational"]);
    let began = Instant::now();
    reach(cable.1, [10, 0, 0, 7], 40_000, "pastebin.com");
    // The host speaks, of another connection.
    let mut log = std::fs::OpenOptions::new().append(true).open(&feed).unwrap();
    log.write_all(sysmon_connection([10, 0, 0, 7], 40_001).as_bytes()).unwrap();
    let level = |record: &Value| text(&record["undertone"]["attribution"]["level"]);
    let alerts = || -> Vec<Value> {
        let all = common::binary::records(&std::fs::read_to_string(&out).unwrap());
        all.into_iter().filter(|record| dataset(record) == "undertone.alert").collect()
    };
    while alerts().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(10), "no alert");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(alerts().iter().map(level).collect::<Vec<_>>(), ["pending"]);
    loop {
        std::thread::sleep(Duration::from_millis(500));
        let alerts = alerts();
        if let [first, last] = &alerts[..] {
            // The host is known, and no process of it.
            assert!(matches!(&*level(last), "none" | "host"), "{last}");
            assert!(last["process"].is_null(), "{last}");
            assert_eq!(last["event"]["action"], "attribution-update");
            assert_eq!(last["event"]["id"], first["event"]["id"]);
            break;
        }
        assert!(began.elapsed() < LONGEST, "{alerts:?}");
    }
    assert!(began.elapsed() > Duration::from_secs(110), "it was waited for: {:?}", began.elapsed());
    sensor.stop("INT").ended(0);
}

/// A question and a hello of a client.
fn reach(player: &str, client: [u8; 4], port: u16, name: &str) {
    let mut cable = pcap::Capture::from_device(player).unwrap().open().unwrap();
    let server = ([192, 0, 2, 1], 443);
    cable.sendpacket(segment((client, port), server, 7, "S", b"")).unwrap();
    cable.sendpacket(segment((client, port), server, 8, "A", &hello(name))).unwrap();
}

/// A record of Sysmon of the connection that [`reach`] makes, by PowerShell, now.
fn sysmon_connection(client: [u8; 4], port: u16) -> String {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M:%S.%3f").to_string();
    let client = std::net::Ipv4Addr::from(client);
    format!(
        r#"{{"EventTime":"{now}","UtcTime":"{now}","Hostname":"WS5","SourceName":"Microsoft-Windows-Sysmon","EventID":3,"ProcessGuid":"{{365ABB72-6759-5CD8-0000-0010E2D50F00}}","ProcessId":"1420","Image":"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe","User":"CORP\\a","Protocol":"tcp","Initiated":"true","SourceIp":"{client}","SourcePort":"{port}","DestinationIp":"192.0.2.1","DestinationPort":"443"}}
"#
    )
}

/// Who may reach a service is said by its program: as long as that is not known an alert stands, and it is taken back when it is.
fn what_is_pending_may_turn_out_to_be_allowed() {
    let cable = ("ut-allow", "ut-allowp");
    plug_in_another(cable.0, cable.1);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (socket, allow) = (at("feed.sock"), at("allow.toml"));
    std::fs::write(
        &allow,
        "[[allow]]\nservice = \"Pastebin\"\nprocess = \"powershell\"\nowner = \"it\"\nreason = \"a test\"\nexpires = 2099-01-01\n",
    )
    .unwrap();
    let feed = format!("unix:{socket}");
    let options = ["--json", "--feed", &feed, "--allow", &allow, "--min-level", "informational"];
    let sensor = Sensor::on(&[cable.0], &options);
    reach(cable.1, [10, 0, 0, 7], 40_000, "pastebin.com");
    std::thread::sleep(Duration::from_millis(700));
    let mut sender = UnixStream::connect(&socket).unwrap();
    sender.write_all(sysmon_connection([10, 0, 0, 7], 40_000).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let live = sensor.stop("INT").ended(0);
    let records = live.records();
    let alerts: Vec<&Value> = records.iter().filter(|record| dataset(record) == "undertone.alert").collect();
    let [first, last] = &alerts[..] else { panic!("{live:#?}") };
    assert_eq!(first["undertone"]["attribution"]["level"], "pending", "{first}");
    assert!(first["undertone"]["allowed"].is_null(), "{first}");
    assert_eq!(
        (&last["event"]["id"], &last["event"]["action"]),
        (&first["event"]["id"], &"attribution-update".into())
    );
    assert_eq!(last["undertone"]["level"], "informational", "{last}");
    assert_eq!(last["undertone"]["allowed"]["owner"], "it", "{last}");
    assert_eq!(last["process"]["name"], "powershell.exe", "{last}");
}

/// Senders that send as fast as they can: they wait, and frames do not.
fn a_flood_of_telemetry_stalls_no_capture() {
    let cable = ("ut-flood", "ut-floodp");
    plug_in_another(cable.0, cable.1);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("feed.sock");
    let feed = format!("unix:{}", socket.display());
    let options =
        ["--json", "--feed", &feed, "--metrics", "0", "--stats", "1", "--min-level", "informational"];
    let sensor = Sensor::on(&[cable.0], &options);
    let scraped = sensor.said.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let done = AtomicUsize::new(0);
    let frames = std::thread::scope(|scope| {
        for number in 0..3 {
            let (socket, done) = (&socket, &done);
            scope.spawn(move || {
                let mut sender = UnixStream::connect(socket).unwrap();
                // One sends what nobody reads, the others records of many connections.
                let block: String = match number {
                    0 => "no record at all\n".repeat(4_000),
                    _ => (0..100).map(|port| sysmon_connection([10, 9, number, 1], 1_000 + port)).collect(),
                };
                sender.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
                while done.load(Ordering::Relaxed) == 0 {
                    drop(sender.write(block.as_bytes()));
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        let mut frames = 0;
        for client in 0..200u16 {
            let from = [10, 3, (client >> 8) as u8, client as u8];
            let mut player = pcap::Capture::from_device(cable.1).unwrap().open().unwrap();
            player
                .sendpacket(datagram((from, 4000), ([10, 0, 0, 53], 53), &dns_query("pastebin.com")))
                .unwrap();
            frames += 1;
            std::thread::sleep(Duration::from_millis(5));
        }
        frames += play_into(cable.1, FIRST_LOOK);
        // All that was on the wire has been told while the flood goes on.
        let began = Instant::now();
        let metrics = loop {
            let metrics = get(&scraped, "/metrics");
            if metrics.contains(&format!("\nundertone_packets_total {frames}\n")) {
                break metrics;
            }
            assert!(began.elapsed() < Duration::from_secs(10), "{metrics}");
            std::thread::sleep(Duration::from_millis(100));
        };
        let value = |name: &str| -> u64 {
            let line = metrics.lines().find(|line| line.starts_with(&format!("undertone_{name}"))).unwrap();
            line.rsplit_once(' ').unwrap().1.parse().unwrap()
        };
        assert_eq!(value("dropped_total{"), 0, "{metrics}");
        assert_eq!(value("feed_senders{"), 3, "{metrics}");
        assert!(value("feed_bytes_total{") > 100_000, "{metrics}");
        assert!(value("feed_refused_total{") > 1_000, "{metrics}");
        done.store(1, Ordering::Relaxed);
        frames
    });
    let live = sensor.stop("TERM").ended(0).says(&["not a record"]);
    assert!(!live.err.contains("dropped"), "{}", live.err);
    let records = live.records();
    let stats = records.iter().rfind(|record| dataset(record) == "undertone.stats").unwrap();
    let stats = &stats["undertone"]["stats"];
    assert!(stats["packets"].as_u64().unwrap() <= frames);
    assert_eq!(stats["feeds"][0]["feed"], feed);
    let asked = live
        .records()
        .iter()
        .filter(|one| dataset(one) == "undertone.alert" && one["event"]["action"].is_null())
        .count();
    assert!(asked >= 200 + 5, "{asked}");
}

fn get(address: &str, path: &str) -> String {
    use std::io::Read;
    let mut client = TcpStream::connect(address).unwrap();
    write!(client, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}
