//! The program as a user meets it: options, exit statuses, and what goes where.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::binary::{
    FIRST_LOOK, Ran, command, dataset, records, signal, start, text, undertone, undertone_with, wait,
};
use common::packets;

/// Longer than anything takes that ends at all.
const LONG: Duration = Duration::from_secs(20);

#[test]
fn help_and_version_are_what_was_asked_for() {
    for args in [&["--version"][..], &["--help"], &["help", "replay"], &["bench", "--help"], &["-h"]] {
        let ran = undertone(args).ended(0);
        assert!(ran.out.contains("undertone") && ran.err.is_empty(), "{args:?}: {ran:#?}");
    }
    let ran = undertone(&["--version"]);
    assert_eq!(ran.out, format!("undertone {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_manual_and_completions_are_generated() {
    let manual = undertone(&["--generate", "man"]).ended(0);
    assert!(manual.out.contains(".TH undertone 1"), "{manual:?}");
    for shell in ["zsh", "fish", "powershell", "elvish"] {
        let script = undertone(&["--generate", &format!("complete-{shell}")]).ended(0).out;
        assert!(script.contains("no-builtin-lists"), "{shell}");
    }
    // bash takes its script.
    let script = undertone(&["--generate", "complete-bash"]).ended(0).out;
    let mut bash = Command::new("bash").args(["--norc", "-n"]).stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn what_cannot_be_understood_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (config, output) = (path("sensor.toml"), path("out"));
    std::fs::write(&config, "quiet = true\n\n[replay]\ncolour = \"x\"\n").unwrap();
    let at = format!("{config}:4: ");
    for (args, says) in [
        (&[][..], &["Usage:"][..]),
        (&["replay"], &["<CAPTURE>"]),
        (&["replay", FIRST_LOOK, "--nosuch"], &["--nosuch"]),
        (&["replay", FIRST_LOOK, "--threads", "0"], &["--threads", "1 to 1024"]),
        (&["replay", FIRST_LOOK, "--filter", "udp port"], &["--filter", "syntax error"]),
        (&["replay", FIRST_LOOK, "--config", &config], &[&at, "colour", "color"]),
        (&["replay", FIRST_LOOK, "--config", "no.toml"], &["no.toml", "No such file"]),
        (&["replay", FIRST_LOOK, "--lists", "no.txt"], &["no.txt", "No such file"]),
        (&["replay", FIRST_LOOK, "-o", "no/out"], &["no/out", "cannot be written"]),
        (&["replay", FIRST_LOOK, "--hostnames", "no/out"], &["no/out", "cannot be written"]),
        (&["live", "-i", "no", "--filter", "udp port"], &["--filter", "syntax error"]),
        (&["check", "two..dots"], &["two..dots", "empty label"]),
    ] {
        let ran = undertone(args).ended(2).says(says);
        assert!(ran.out.is_empty(), "{args:?}: {ran:#?}");
    }
    undertone(&["replay", FIRST_LOOK, "-o", &output, "--filter", "udp port"]).ended(2);
    assert!(!std::path::Path::new(&output).exists());
}

#[test]
fn a_finding_can_decide_the_status() {
    for (level, status) in [("informational", 3), ("medium", 3), ("high", 0), ("critical", 0)] {
        undertone(&["replay", FIRST_LOOK, "--fail-on", level]).ended(status);
    }
    // Findings that are not written decide too; what could not be read goes first.
    undertone(&["replay", FIRST_LOOK, "--fail-on", "low", "--min-level", "high"]).ended(3);
    undertone(&["replay", FIRST_LOOK, "no.pcap", "--fail-on", "low"]).ended(1).says(&["no.pcap"]);
    undertone(&[
        "replay",
        "pcaps/lookalikes",
        "--filter",
        "src host 10.77.0.11",
        "--fail-on",
        "informational",
    ])
    .ended(0);
}

#[test]
fn findings_go_where_they_should_and_the_rest_to_people() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (out, names) = (path("out.jsonl"), path("names.jsonl"));
    let plain = undertone(&["replay", FIRST_LOOK]).ended(0).says(&[
        "522 packets",
        "dns_query 31",
        "tls_sni 21",
        "Telegram 6",
        "5 medium",
        "(4 below the least level not written)",
    ]);
    assert_eq!(
        plain.alerts(),
        ["pastebin.com", "discord.com", "api.telegram.org", "api.dropboxapi.com", "d.docs.live.net"]
    );
    assert!(!plain.err.contains('\x1b'), "no colours but on a terminal: {}", plain.err);

    std::fs::write(&out, "what was there before, and is longer than nothing\n".repeat(1000)).unwrap();
    let filed = undertone(&["replay", FIRST_LOOK, "-o", &out, "--hostnames", &names]).ended(0);
    assert!(filed.out.is_empty());
    assert_eq!(std::fs::read_to_string(&out).unwrap(), plain.out);
    let seen = records(&std::fs::read_to_string(&names).unwrap());
    assert!(seen.iter().all(|record| dataset(record) == "undertone.hostname"));
    let count = |way: &str| seen.iter().filter(|one| one["undertone"]["hostname"]["seen_in"] == way).count();
    assert_eq!((count("dns_query"), count("tls_sni"), seen.len()), (31, 21, 52));
    let frames: Vec<_> = seen.iter().map(|one| one["undertone"]["frame"].as_u64().unwrap()).collect();
    assert!(frames.is_sorted() && frames.iter().all(|frame| (1..=522).contains(frame)));

    let same = undertone(&["replay", FIRST_LOOK, "--json"]).ended(0);
    assert_eq!(same.out, plain.out);
    let quiet = undertone(&["replay", FIRST_LOOK, "pcaps/formats-cut", "-q"]).ended(0);
    assert!(quiet.err.is_empty() && quiet.out.len() > plain.out.len(), "{quiet:#?}");
}

#[test]
fn levels_and_filters_choose() {
    let alerts = |args: &[&str]| {
        let ran = undertone(&[&["replay", FIRST_LOOK], args].concat()).ended(0);
        ran.alerts().len()
    };
    assert_eq!(alerts(&["--min-level", "informational"]), 9);
    assert_eq!(alerts(&["--min-level", "low"]), 5);
    assert_eq!(alerts(&["--min-level", "medium"]), 5);
    assert_eq!(alerts(&["--min-level", "high"]), 0);
    assert_eq!(alerts(&["--filter", "host 10.77.0.13"]), 1);
    assert_eq!(alerts(&["--filter", "host 10.77.0.11"]), 0);
    let ran = undertone(&["replay", FIRST_LOOK, "--filter", "udp port 53"]).ended(0);
    assert!(ran.err.contains("dns_query 31") && !ran.err.contains("tls_sni"), "{}", ran.err);
}

#[test]
fn a_configuration_file_does_what_the_options_do() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sensor.toml");
    std::fs::write(&config, "[replay]\nmin-level = \"informational\"\nhostnames = \"names.jsonl\"\n")
        .unwrap();
    let config = config.to_str().unwrap();
    let ran = undertone(&["replay", FIRST_LOOK, "--config", config]).ended(0);
    assert_eq!(ran.alerts().len(), 9);
    // Paths are relative to the file.
    let names = std::fs::read_to_string(folder.path().join("names.jsonl")).unwrap();
    assert_eq!(records(&names).len(), 52);
    let overruled = undertone(&["replay", FIRST_LOOK, "--config", config, "--min-level", "low"]).ended(0);
    assert_eq!(overruled.alerts().len(), 5);
}

#[test]
fn lists_of_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let ours = path("ours.txt", "# ours\nwww.python.org\n");
    let bad = path("bad.txt", "www.python.org\nnot a name\n");

    let ran = undertone(&["replay", FIRST_LOOK, "--lists", &ours, "--min-level", "informational"]).ended(0);
    assert_eq!(ran.alerts().len(), 10);
    assert!(ran.alerts().contains(&"www.python.org".to_owned()));
    let only = ["replay", FIRST_LOOK, "--no-builtin-lists", "--min-level", "informational", "--lists"];
    for list in [&ours, &bad] {
        let ran = undertone(&[&only[..], &[list]].concat()).ended(0);
        assert_eq!(ran.alerts(), ["www.python.org"]);
        assert_eq!(ran.err.contains(&format!("{bad}:2: ")), list == &bad, "{}", ran.err);
    }
    undertone(&only[..3]).ended(2).says(&["--no-builtin-lists", "nothing to find"]);

    undertone(&["check", "--lists", &ours]).ended(0);
    undertone(&["check", "--lists", &bad]).ended(2).says(&[&format!("{bad}:2: "), "not a name"]);
}

#[test]
fn a_hostname_is_explained() {
    let ran = undertone(&["check", "pastebin.com", "PasteBin.com.", "x.pastebin.com"]).ended(0);
    assert_eq!(ran.out.matches("Pastebin, paste, tier 1").count(), 3, "{}", ran.out);
    let others =
        ["notdropbox.com", "evil-box.com", "pastebin.com.cdn.example", "www.xbox.com", "microsoft.com"];
    let ran = undertone(&[&["check"][..], &others].concat()).ended(0);
    for name in others {
        assert!(ran.out.contains(&format!("{name}: meets no entry")), "{name}: {}", ran.out);
    }
}

#[test]
fn a_feed_is_described() {
    let ran = undertone(&["check", "--feed", "tests/data/telemetry/defender-portal.csv"]).ended(0);
    for line in [
        "4 used, 0 of other kinds, 1 refused",
        "2  ConnectionFailed",
        "hosts      janeslaptop1.corporatedomain\n",
        "written         2023-07-19T14:17:42.778000000Z to",
        "no readable time, first in line 7",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    let ran = undertone_with(&["check", "--feed", "-"], b"\x1b[2J\n{\"a\":1}\n").ended(2);
    assert!(ran.out.contains("JSON of no known format, first in line 2"), "{}", ran.out);
    undertone(&["check", "--feed", "no/such/file"]).ended(2).says(&["no/such/file", "No such file"]);
}

#[test]
fn what_cannot_be_delivered_is_told() {
    let full = "No space left on device";
    undertone(&["replay", FIRST_LOOK, "-o", "/dev/full"]).ended(1).says(&["/dev/full", full, "522 packets"]);
    // The findings are delivered, though the hostnames are not.
    let ran = undertone(&["replay", FIRST_LOOK, "--hostnames", "/dev/full", "--fail-on", "low"]);
    let ran = ran.ended(1).says(&["/dev/full", full]);
    ran.records();
    let device = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ran: Ran = command(&["replay", FIRST_LOOK, "-q"]).stdout(device).output().unwrap().into();
    ran.ended(1).says(&["standard output", full]);
    let device = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let ran: Ran = command(&["check", "pastebin.com"]).stdout(device).output().unwrap().into();
    ran.ended(2).says(&[full]);
}

#[test]
fn a_reader_that_has_gone_is_told() {
    let mut child = start(&["replay", "-", "--threads", "1"]);
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&std::fs::read(FIRST_LOOK).unwrap()).unwrap();
    drop(stdin);
    wait(child, LONG).ended(1).says(&["standard output: its reader has gone", "522 packets"]);
}

#[test]
fn a_reader_that_takes_one_line_gets_a_whole_one() {
    let mut child = start(&["replay", "pcaps"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    drop(out);
    assert_eq!(dataset(&records(&line)[0]), "undertone.alert");
    // What it had written into the pipe by then decides whether it notices.
    let ran = wait(child, LONG);
    assert!(ran.status == 1 || ran.status == 0 && !ran.err.contains("has gone"), "{ran:#?}");
}

/// A capture that is long, and then silent: its writer neither writes nor goes.
#[test]
fn a_signal_ends_a_replay_with_what_was_read() {
    for (threads, name) in [("1", "INT"), ("2", "INT"), ("8", "TERM")] {
        let mut child = start(&["replay", "-", "--threads", threads]);
        let mut stdin = child.stdin.take().unwrap();
        let capture = std::fs::read(FIRST_LOOK).unwrap();
        let (head, records) = capture.split_at(24);
        stdin.write_all(head).unwrap();
        // More than a chunk, so that some is handled before the signal comes.
        for _ in 0..30 {
            stdin.write_all(records).unwrap();
        }
        std::thread::sleep(Duration::from_millis(300));
        signal(&child, name);
        let ran = wait(child, LONG).ended(1).says(&[" packets ", "names ", "Telegram", "signal"]);
        assert!(!ran.records().is_empty());
        drop(stdin);
    }
}

#[test]
fn a_signal_ends_the_wait_for_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo").display().to_string();
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let child = start(&["replay", FIRST_LOOK, &fifo]);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    let ran = wait(child, LONG).ended(1).says(&["522 packets", "signal"]);
    assert_eq!(ran.alerts().len(), 5);
}

#[test]
fn figures_of_speed_are_json() {
    let ran = undertone(&[
        "bench",
        FIRST_LOOK,
        "pcaps/curl/input.pcap",
        "--json",
        "--rounds",
        "1",
        "--threads",
        "3",
    ]);
    let figures = ran.ended(0).records();
    assert_eq!(figures.iter().map(|one| one["threads"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    for one in &figures {
        assert_eq!(one["contacts"], figures[0]["contacts"]);
        assert!(one["packets"].as_u64().unwrap() > 522, "{one}");
        assert!(one["packets_per_second"].as_f64().unwrap() > 1.0, "{one}");
    }
    let table = undertone(&["bench", FIRST_LOOK, "--rounds", "1", "--threads", "1"]).ended(0).out;
    assert!(table.contains("522 packets") && table.contains("packets/s"), "{table}");
    for stage in ["reading", "headers", "decode", "inspect", "lists", "whole"] {
        assert!(table.contains(stage), "{table}");
    }
    undertone(&["bench", "Cargo.toml", "no.pcap"]).ended(1).says(&["Cargo.toml: is no capture", "no.pcap: "]);
}

#[test]
fn a_mix_is_measured_and_can_be_replayed() {
    let mix = ["bench", "--connections", "300", "--hits", "10", "--mix", "handshake"];
    let ran = undertone(&[&mix[..], &["--json", "--rounds", "1", "--threads", "2"]].concat());
    let figures = ran.ended(0).records();
    let [one, two] = &figures[..] else { panic!("{figures:?}") };
    assert_eq!((&one["names"], &one["contacts"]), (&two["names"], &two["contacts"]));
    assert_eq!(one["names"], 900, "a hello and two questions for each connection");
    assert!(one["contacts"].as_u64().unwrap() > 60, "{one}");
    assert_eq!(one["stages"].as_array().unwrap().len(), 6);
    assert!(one["peak_memory_bytes"].as_u64().unwrap() > 1 << 20, "{one}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mix.pcap").display().to_string();
    let said = undertone(&[&mix[..], &["--write", &path]].concat()).ended(0).out;
    assert!(said.contains("600 DNS queries"), "{said}");
    let ran = undertone(&["replay", &path]).ended(0).says(&["dns_query 600", "tls_sni 240", "quic_sni 60"]);
    assert!(!ran.alerts().is_empty());
    undertone(&["bench", &path, "--seed", "3"]).ended(2).says(&["--seed"]);
}

/// What a terminal shows of a shell command in which `$UNDERTONE` is the program. Output and errors are on the terminal.
fn terminal(shell: &str) -> (i32, String) {
    let output = Command::new("script")
        .args(["-qec", shell, "/dev/null"])
        .env("UNDERTONE", env!("CARGO_BIN_EXE_undertone"))
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("script (of util-linux) is needed: {error}"));
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"))
}

#[test]
fn a_terminal_shows_lines_for_people() {
    let capture = format!("$UNDERTONE replay {FIRST_LOOK}");
    let (status, shown) = terminal(&format!("{capture} --color never 2>/dev/null"));
    assert_eq!(status, 0);
    assert!(!shown.contains('\x1b') && !shown.contains('{'), "{shown}");
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 5 + 1 + 1 + 5, "findings, a blank line, the table with its head: {shown}");
    assert!(lines[0].contains("medium    10.77.0.12       Pastebin"), "{shown}");
    assert!(lines[0].ends_with("DNS, TLS → 10.77.0.104:443  (tool-like)"), "{shown}");
    assert!(lines[6].starts_with("level ") && lines[6].contains("client"), "{shown}");
    assert!(lines[9].contains("Telegram"), "{shown}");

    let (_, coloured) = terminal(&format!("{capture} 2>/dev/null"));
    assert!(coloured.contains("\x1b[33mmedium"), "{coloured}");
    let (_, plain) = terminal(&format!("NO_COLOR=1 {capture} 2>/dev/null"));
    assert_eq!(plain, shown);
    let (_, json) = terminal(&format!("{capture} --json 2>/dev/null"));
    assert_eq!(json, undertone(&["replay", FIRST_LOOK]).out);
    let (_, people) = terminal(&format!("{capture} >/dev/null"));
    assert!(people.contains("522 packets") && people.contains("findings"), "{people}");
    let (_, quiet) = terminal(&format!("{capture} -q >/dev/null"));
    assert_eq!(quiet, "");
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let hostile = ["\x1b]0;owned\x07", "\x1b[2J", "a\r\nb", "\u{202e}moc"];
    let frames = hostile.map(|label| {
        let query = packets::dns_query(&format!("{label}.pastebin.com"));
        packets::datagram((packets::CLIENT, 5000), ([9, 9, 9, 9], 53), &query)
    });
    std::fs::write(&path, packets::pcap(&frames)).unwrap();
    let path = path.display();
    let (status, shown) = terminal(&format!("$UNDERTONE replay {path} --color never --min-level low -v"));
    assert_eq!(status, 0);
    assert!(shown.contains("pastebin.com"), "{shown}");
    for bad in ["\x1b]", "\x07", "\x1b[2J.", "a\nb", "\u{202e}"] {
        assert!(!shown.contains(bad), "{bad:?}: {shown:?}");
    }
    // JSON has the names as zone files write them.
    let mut ran = undertone(&["replay", &path.to_string(), "--hostnames", "/dev/stdout", "-o", "/dev/null"]);
    ran.out.retain(|character| character != '\n');
    assert!(!ran.out.contains(char::is_control), "{:?}", ran.out);
    assert!(ran.out.contains(r#""\\027[2j.pastebin.com""#), "{}", ran.out);
}

#[test]
fn hostile_file_names_do_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a\x1b[2Jb");
    std::fs::write(&path, "no capture").unwrap();
    let ran = undertone(&["replay", path.to_str().unwrap()]).ended(1).says(&["a\\u{1b}[2Jb", "6e 6f 20 63"]);
    assert!(!ran.err.contains('\x1b'), "{:?}", ran.err);
    // As an output too.
    let ran = undertone(&["replay", FIRST_LOOK, "-o", path.join("x").to_str().unwrap()]).ended(2);
    assert!(!ran.err.contains('\x1b'), "{:?}", ran.err);
}

#[test]
fn standard_input_is_a_capture_whatever_its_form() {
    let plain = std::fs::read(FIRST_LOOK).unwrap();
    let expected = undertone(&["replay", FIRST_LOOK]).ended(0).alerts();
    let mut gz = Vec::new();
    flate2::read::GzEncoder::new(&plain[..], flate2::Compression::fast()).read_to_end(&mut gz).unwrap();
    let zst = zstd::encode_all(&plain[..], 1).unwrap();
    for input in [plain, gz, zst] {
        let ran = undertone_with(&["replay", "-"], &input).ended(0);
        assert_eq!(ran.alerts(), expected);
        assert_eq!(text(&ran.records()[0]["file"]["path"]), "-");
    }
    undertone_with(&["replay", "-"], b"no capture at all").ended(1).says(&["-: is no capture", "6e 6f 20"]);
    undertone_with(&["replay", "-"], b"").ended(1).says(&["-: is empty"]);
    undertone_with(&["replay", "-", "-"], b"").ended(2);
}
