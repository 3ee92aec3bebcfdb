//! What a sensor does that runs for months: it shares frames out among threads, counts what it lost, and reads its lists again.
//!
//! All of it happens in a network namespace (`common/cable.rs`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::binary::{FIRST_LOOK, dataset, text, undertone};
use common::cable::{PLAYER, SENSOR, Sensor, in_namespace, ip, play, play_into, plug_in, plug_in_another};
use common::packets::{datagram, dns_query, segment};
use serde_json::Value;
use undertone::capture::{Live, LiveOptions, Look};

fn main() -> ExitCode {
    in_namespace("sensor", inside)
}

fn inside() {
    plug_in();
    plug_in_another("ut-tap", "ut-tapped");
    ip(&["link", "set", "lo", "up"]);
    no_conversation_is_split_between_threads();
    two_interfaces_are_one_capture();
    any_is_an_interface_too();
    counters_add_up_wherever_they_are_told();
    loss_is_told();
    lists_are_read_again();
    lists_are_read_again_under_load();
    rules_and_allow_lists_are_read_again();
    tables_that_are_full_say_so();
    a_supervisor_hears_how_it_goes();
    the_unit_is_understood();
    a_flood_can_be_ended();
    println!("sensor: 12 ok");
}

/// 50,000 conversations, whose frames go both ways; the group is opened while they pass.
fn no_conversation_is_split_between_threads() {
    const FLOWS: u32 = 50_000;
    let ends = |flow: u32| {
        let client = [10, 1, (flow >> 8) as u8, flow as u8];
        ((client, 1024 + (flow >> 4) as u16), ([192, 0, 2, (flow % 200) as u8], 443))
    };
    let (started, opened) = (AtomicBool::new(false), AtomicBool::new(false));
    let options = LiveOptions { snaplen: 128, buffer: 64 << 20, promiscuous: true, filter: None };
    let mut seen: BTreeMap<Vec<u8>, (usize, u32)> = BTreeMap::new();
    let mut early = 0;
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut cable = pcap::Capture::from_device(PLAYER).unwrap().open().unwrap();
            let mut turn = 0;
            while turn < 3 {
                for flow in 0..FLOWS {
                    let (client, server) = ends(flow);
                    let (from, to) = if turn == 1 { (server, client) } else { (client, server) };
                    cable.sendpacket(datagram(from, to, b"x")).unwrap();
                    if flow == 1_000 {
                        started.store(true, Ordering::Relaxed);
                    }
                }
                // The first way is gone again and again until the group is open, however long that takes.
                turn += usize::from(opened.load(Ordering::Relaxed));
            }
        });
        while !started.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        let mut group = Live::open_group(SENSOR, &options, 2).unwrap();
        let complete = undertone::runtime::now();
        group.iter_mut().for_each(|handle| handle.begin(complete));
        opened.store(true, Ordering::Relaxed);
        let mut silent = 0;
        while silent < 4 || !sending.is_finished() {
            let mut read = 0;
            for (number, handle) in group.iter_mut().enumerate() {
                for _ in 0..1000 {
                    match handle.look().unwrap() {
                        Look::Frame(frame) => {
                            // Addresses and ports, the lower end first.
                            let mut ends = [
                                [&frame.bytes[26..30], &frame.bytes[34..36]].concat(),
                                [&frame.bytes[30..34], &frame.bytes[36..38]].concat(),
                            ];
                            ends.sort();
                            let (on, frames) = seen.entry(ends.concat()).or_insert((number, 0));
                            assert_eq!(*on, number, "a conversation is split");
                            *frames += 1;
                        }
                        Look::Early => early += 1,
                        Look::Idle => break,
                    }
                    read += 1;
                }
            }
            if read == 0 {
                silent += 1;
                Live::wait(group.iter());
            } else {
                silent = 0;
            }
        }
        let counts: Vec<_> = group.iter_mut().map(Live::counts).collect();
        assert!(counts.iter().all(|counts| counts.dropped == 0), "{counts:?}");
        let handled: u64 = seen.values().map(|(_, frames)| u64::from(*frames)).sum();
        assert_eq!(counts.iter().map(|counts| counts.received).sum::<u64>(), handled + early);
        assert_eq!(counts.iter().map(|counts| counts.skipped).sum::<u64>(), early);
    });
    assert_eq!(seen.len(), FLOWS as usize);
    assert!(seen.values().all(|(_, frames)| *frames >= 2), "both ways were seen of each");
    let second = seen.values().filter(|(on, _)| *on == 1).count();
    assert!((20_000..30_000).contains(&second), "{second} of {FLOWS} on the second");
}

/// A tap gives what each end sends on an interface of its own.
fn two_interfaces_are_one_capture() {
    let replayed = undertone(&["replay", FIRST_LOOK]).ended(0);
    let folder = tempfile::tempdir().unwrap();
    let halves = ["there", "back"].map(|name| folder.path().join(name).display().to_string());
    for (half, filter) in halves.iter().zip(["src net 10.77.0.0/27", "not src net 10.77.0.0/27"]) {
        let mut capture = pcap::Capture::from_file(FIRST_LOOK).unwrap();
        capture.filter(filter, true).unwrap();
        let mut file = capture.savefile(half).unwrap();
        let mut frames = 0;
        while let Ok(frame) = capture.next_packet() {
            file.write(&frame);
            frames += 1;
        }
        assert!(frames > 50, "{filter}");
    }
    let sensor = Sensor::on(&[SENSOR, "ut-tap"], &["--json", "--threads", "3"]);
    std::thread::scope(|scope| {
        scope.spawn(|| play_into("ut-tapped", &halves[1]));
        play(&halves[0]);
    });
    let live = sensor.stop("INT").ended(0).says(&["  522 packets ", "2 inputs"]);
    let alerts = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(alerts(live.alerts()), alerts(replayed.alerts()));
    let interfaces: BTreeSet<String> = live
        .records()
        .iter()
        .map(|record| text(&record["observer"]["ingress"]["interface"]["name"]))
        .collect();
    assert!(interfaces.contains(SENSOR), "{interfaces:?}");
}

fn any_is_an_interface_too() {
    let sensor = Sensor::on(&["any"], &["--json", "--threads", "2", "--filter", "inbound"]);
    play(FIRST_LOOK);
    let live = sensor.stop("INT").ended(0).says(&["  522 packets ", "Telegram 6"]);
    assert!(live.alerts().contains(&"api.telegram.org".to_owned()), "{live:#?}");
}

fn counters_add_up_wherever_they_are_told() {
    let options =
        ["--json", "--threads", "2", "--metrics", "0", "--stats", "1", "--min-level", "informational"];
    let sensor = Sensor::start(&options);
    let address = sensor.said.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let frames = play(FIRST_LOOK);
    // A frame that is cut is counted as malformed, where it came in.
    pcap::Capture::from_device(PLAYER).unwrap().open().unwrap().sendpacket(&[0x08; 14][..]).unwrap();
    let mut cut = datagram(([10, 0, 0, 1], 1), ([10, 0, 0, 2], 53), b"");
    cut.truncate(30);
    pcap::Capture::from_device(PLAYER).unwrap().open().unwrap().sendpacket(cut).unwrap();
    let total = frames + 2;

    let began = Instant::now();
    let metrics = loop {
        let metrics = get(&address, "/metrics");
        if metrics.contains(&format!("\nundertone_packets_total {total}\n")) {
            break metrics;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{metrics}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(get(&address, "/healthz").ends_with("\r\n\r\nok\n"));
    assert!(metrics.contains("undertone_malformed_total{interface=\"ut-sensor\","), "{metrics}");
    assert!(metrics.contains("undertone_interface_up{interface=\"ut-sensor\"} 1\n"), "{metrics}");

    sensor.signal("USR1");
    std::thread::sleep(Duration::from_millis(300));
    let live = sensor.stop("TERM").ended(0);
    let records = live.records();
    let stats: Vec<&Value> = records.iter().filter(|record| dataset(record) == "undertone.stats").collect();
    assert!(stats.len() >= 2, "every second, and when it was asked for: {live:#?}");
    let last = &stats.last().unwrap()["undertone"]["stats"];
    let sum = |key: &str| -> u64 {
        last["taps"].as_array().unwrap().iter().map(|tap| tap[key].as_u64().unwrap()).sum()
    };
    assert_eq!(last["packets"], total);
    assert_eq!((sum("received"), sum("processed"), sum("dropped"), sum("skipped")), (total, total, 0, 0));
    assert_eq!(last["taps"].as_array().unwrap().len(), 2, "{last}");
    assert_eq!(last["alerts"]["low"], 5, "{last}");
    let malformed: u64 =
        (last["taps"].as_array().unwrap().iter()).filter_map(|tap| tap["malformed"]["ipv4"].as_u64()).sum();
    assert_eq!(malformed, 1, "{last}");
}

fn get(address: &str, path: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    write!(client, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    answer
}

/// A sensor that is held while more comes than its ring has room for.
fn loss_is_told() {
    let sensor = Sensor::start(&["-o", "/dev/null", "--buffer", "1", "--threads", "1", "--metrics", "0"]);
    let address = sensor.said.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    sensor.signal("STOP");
    let mut cable = pcap::Capture::from_device(PLAYER).unwrap().open().unwrap();
    let frame = datagram(([10, 0, 0, 1], 1000), ([10, 0, 0, 2], 2000), &[7; 1400]);
    const SENT: u64 = 5_000;
    (0..SENT).for_each(|_| cable.sendpacket(&*frame).unwrap());
    sensor.signal("CONT");
    std::thread::sleep(Duration::from_millis(2_500));
    let metrics = get(&address, "/metrics");
    let value = |name: &str| -> u64 {
        let line = metrics.lines().find(|line| line.starts_with(&format!("undertone_{name}{{"))).unwrap();
        line.rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    assert_eq!(value("received_total"), SENT);
    assert!(value("dropped_total") > SENT / 2, "{metrics}");
    assert_eq!(value("received_total"), value("processed_total") + value("dropped_total"));
    sensor.stop("INT").ended(0).says(&["WARNING: lost in the last ", " of 5,000 packets (", "dropped"]);
}

fn lists_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("ours.txt");
    std::fs::write(&list, "nobody.example\n").unwrap();
    let path = list.display().to_string();
    let ask = |name: &str| {
        let frame = datagram(([10, 0, 0, 7], 4000), ([10, 0, 0, 53], 53), &dns_query(name));
        pcap::Capture::from_device(PLAYER).unwrap().open().unwrap().sendpacket(frame).unwrap();
        std::thread::sleep(Duration::from_millis(600));
    };
    let options = ["--json", "--no-builtin-lists", "--lists", &path, "--min-level", "informational"];
    for watch in [false, true] {
        std::fs::write(&list, "nobody.example\n").unwrap();
        let mut sensor = Sensor::start(&[&options[..], if watch { &["--watch"] } else { &[] }].concat());
        let mut again = |content: &str, says: &str| {
            std::fs::write(&list, content).unwrap();
            if !watch {
                sensor.signal("HUP");
            }
            sensor.hears(says)
        };
        ask("first.example");
        again("first.example\nnobody.example\n", "read again: lists of 2 suffixes (1 before)");
        ask("first.example");
        // A list with a bad line changes nothing, and says which.
        again("second.example\nnot..good\n", "not read again, for what is said above");
        ask("second.example");
        ask("b.first.example");
        again("second.example\n", "read again: lists of 1 suffixes (2 before)");
        ask("second.example");
        assert!(sensor.said.contains("ours.txt:2"), "{}", sensor.said);
        let alerts = sensor.stop("INT").ended(0).alerts();
        assert_eq!(alerts, ["first.example", "second.example"], "watch: {watch}");
    }
}

/// Every question is of a name that both lists have, in another category each: it is told by the one or the other, and none is lost.
fn lists_are_read_again_under_load() {
    const ASKED: u32 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("ours.txt");
    std::fs::write(&list, "old.example\nload.example\n").unwrap();
    let (path, names) = (list.display().to_string(), folder.path().join("names").display().to_string());
    let mut sensor = Sensor::start(&[
        "-o",
        "/dev/null",
        "--no-builtin-lists",
        "--lists",
        &path,
        "--hostnames",
        &names,
        "--min-level",
        "informational",
    ]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut cable = pcap::Capture::from_device(PLAYER).unwrap().open().unwrap();
            for question in 0..ASKED {
                let client = [10, 2, (question >> 8) as u8, question as u8];
                let frame = datagram(
                    (client, 4000),
                    ([10, 0, 0, 53], 53),
                    &dns_query(&format!("q{question}.load.example")),
                );
                cable.sendpacket(frame).unwrap();
                // At a rate that a debug build keeps up with.
                std::thread::sleep(Duration::from_micros(100));
            }
        });
        for turn in 0..8 {
            std::fs::write(&list, format!("turn-{turn}.example\nload.example\n")).unwrap();
            sensor.signal("HUP");
            sensor.hears("read again: lists of 2 suffixes");
        }
    });
    let live = sensor.stop("INT").ended(0).says(&["20,000 packets", "load.example 20,000"]);
    assert!(!live.err.contains("dropped"), "{live:#?}");
    assert_eq!(std::fs::read_to_string(&names).unwrap().lines().count(), ASKED as usize);
}

/// Each takes effect at the next contact; a bad file keeps what was there before, and says why.
fn rules_and_allow_lists_are_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (rules, allow) = (at("rules.yml"), at("allow.toml"));
    let rule = |level: &str| {
        format!(
            "title: Ours\nid: 11111111-2222-4333-8444-555555555555\nlogsource: {{category: dns_query}}\n\
             detection: {{one: {{QueryName: ours.example}}, condition: one}}\nlevel: {level}\n"
        )
    };
    let list = at("ours.txt");
    std::fs::write(&list, "ours.example\n").unwrap();
    std::fs::write(&rules, rule("high")).unwrap();
    std::fs::write(&allow, "# nobody\n").unwrap();
    let options = ["--json", "--lists", &list, "--rules", &rules, "--allow", &allow, "--no-builtin-rules"];
    let mut sensor = Sensor::start(&options);
    // A client of its own each time: none of them is told of before.
    let ask = |client: u8| {
        let frame = datagram(([10, 0, 7, client], 4000), ([10, 0, 0, 53], 53), &dns_query("ours.example"));
        pcap::Capture::from_device(PLAYER).unwrap().open().unwrap().sendpacket(frame).unwrap();
        std::thread::sleep(Duration::from_millis(600));
    };
    let mut again = |file: &str, content: &str, says: &[&str]| {
        std::fs::write(file, content).unwrap();
        sensor.signal("HUP");
        says.iter().for_each(|words| _ = sensor.hears(words));
    };
    ask(1);
    again(&rules, &rule("critical"), &["read again"]);
    ask(2);
    again(&rules, "title: [\n", &["rules.yml", "not read again, for what is said above"]);
    ask(3);
    std::fs::write(&rules, rule("critical")).unwrap();
    let allowed =
        "[[allow]]\nsuffix = \"ours.example\"\nclient = \"10.0.7.4\"\nowner = \"it\"\nreason = \"a test\"\n";
    again(&allow, allowed, &["read again"]);
    ask(4);
    again(&allow, "[[allow]]\nsufix = \"a\"\n", &["allow.toml", "not read again, for what is said above"]);
    ask(4);
    ask(5);
    let records = sensor.stop("INT").ended(0).records();
    let told: Vec<(String, String)> = (records.iter())
        .filter(|record| dataset(record) == "undertone.alert" && record["event"]["action"].is_null())
        .map(|record| (text(&record["source"]["ip"]), text(&record["undertone"]["level"])))
        .collect();
    let expected = [(1, "high"), (2, "critical"), (3, "critical"), (5, "critical")];
    assert_eq!(told, expected.map(|(client, level)| (format!("10.0.7.{client}"), level.to_owned())));
}

/// More connections begin than are remembered: what was given up is counted to the last one, wherever it is told.
fn tables_that_are_full_say_so() {
    use undertone::conversations::Conversations;
    const MORE: u64 = 5_000;
    let begun = Conversations::MOST as u64 + MORE;
    let sensor = Sensor::start(&["-o", "/dev/null", "--threads", "1", "--metrics", "0"]);
    let address = sensor.said.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    let mut cable = pcap::Capture::from_device(PLAYER).unwrap().open().unwrap();
    for number in 0..begun {
        let client = [10, 8, (number >> 8) as u8, number as u8];
        let port = 1024 + (number >> 16) as u16;
        cable.sendpacket(segment((client, port), ([192, 0, 2, 1], 443), 7, "S", b"")).unwrap();
    }
    let began = Instant::now();
    loop {
        let metrics = get(&address, "/metrics");
        if metrics.contains(&format!("\nundertone_evicted_total{{thread=\"0\"}} {MORE}\n")) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{metrics}");
        std::thread::sleep(Duration::from_millis(100));
    }
    sensor.stop("INT").ended(0).says(&["open conversations given up 5,000"]);
}

/// As systemd hears it: that it is ready, lives, reads its lists again and is ready again, and ends.
fn a_supervisor_hears_how_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let hears = |expected: &str| {
        let mut buffer = [0; 1000];
        loop {
            let got = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{expected}: {error}"));
            let said = std::str::from_utf8(&buffer[..got]).unwrap().to_owned();
            // That it lives it says in between.
            if said != "WATCHDOG=1\n" || expected == said {
                assert!(said.starts_with(expected), "{said:?} where {expected:?} was to come");
                return said;
            }
        }
    };
    let path = path.display().to_string();
    let environment = [("NOTIFY_SOCKET", &*path), ("WATCHDOG_USEC", "2000000")];
    let sensor = Sensor::within(&environment, &[SENSOR], &["-o", "/dev/null"]);
    hears("READY=1\n");
    hears("WATCHDOG=1\n");
    hears("WATCHDOG=1\n");
    sensor.signal("HUP");
    let before = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let said = hears("RELOADING=1\nMONOTONIC_USEC=");
    let micros: i64 = said.trim().rsplit_once('=').unwrap().1.parse().unwrap();
    assert!((micros / 1_000_000 - before.tv_sec).abs() < 10, "{said} at {before:?}");
    hears("READY=1\n");
    sensor.stop("TERM").ended(0);
    hears("STOPPING=1\n");
}

/// What systemd says of the unit, with the program and the folders of this machine, where systemd is.
fn the_unit_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let unit = std::fs::read_to_string(".systemd/undertone.service").unwrap();
    let config = folder.path().join("undertone.toml");
    std::fs::write(&config, "[live]\ninterface = [\"eth1\"]\n").unwrap();
    let here = unit.replace("/usr/bin/undertone", env!("CARGO_BIN_EXE_undertone"));
    let here = here.replace("/etc/undertone/undertone.toml", config.to_str().unwrap());
    let path = folder.path().join("undertone.service");
    std::fs::write(&path, &here).unwrap();
    // What it does before it starts.
    let before = here.lines().find_map(|line| line.strip_prefix("ExecStartPre=")).unwrap();
    let arguments: Vec<&str> = before.split(' ').skip(1).collect();
    undertone(&arguments).ended(0);
    std::fs::write(&config, "[live]\ninterfaces = 7\n").unwrap();
    let refused = undertone(&arguments);
    assert!(refused.status != 0 && refused.err.contains("undertone.toml"), "{refused:?}");
    let verify =
        std::process::Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output();
    match verify {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            println!("sensor: the unit was NOT VERIFIED, for there is no systemd here");
        }
        verified => {
            let verified = verified.unwrap();
            let said = String::from_utf8_lossy(&verified.stderr).into_owned();
            assert!(verified.status.success() && !said.contains("undertone.service"), "{said}");
        }
    }
}

fn a_flood_can_be_ended() {
    let sensor = Sensor::start(&["-o", "/dev/null", "--threads", "2"]);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut cable = pcap::Capture::from_device(PLAYER).unwrap().open().unwrap();
            let frame = datagram(([10, 0, 0, 1], 1000), ([10, 0, 0, 2], 53), &dns_query("pastebin.com"));
            while !done.load(Ordering::Relaxed) {
                cable.sendpacket(&*frame).unwrap();
            }
        });
        std::thread::sleep(Duration::from_secs(1));
        let began = Instant::now();
        sensor.stop("TERM").ended(0).says(&["Pastebin"]);
        done.store(true, Ordering::Relaxed);
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    });
}
