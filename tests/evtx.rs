//! Event log files: one that Windows wrote, and some built here from the records that winlogbeat's maker published, cut and changed.
//!
//! What Windows wrote is a log of Sysmon of seven weeks, `tests/data/issue_43.evtx` of williballenthin/python-evtx (Apache 2.0), of 33
//! chunks. It is compared with what python-evtx, which is another reader altogether, makes of it.
//!
//! The layout of those built here is that of libevtx's *Windows XML Event Log (EVTX) format*; a record is written as binary XML without
//! templates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use common::binary::{records, text, undertone};
use common::retold::Retold;
use proptest::prelude::*;
use serde_json::Value;
use undertone::flow::Protocol;
use undertone::originator::feed::{Feed, Refusal, Tally};
use undertone::originator::record::{Clock, Process, Record, Said, Time};

/// The records, as winlogbeat ships them; what is told of either must be the same.
const PUBLISHED: &str = include_str!("data/telemetry/winlogbeat.jsonl");

const HEAD: usize = 4096;
const CHUNK: usize = 64 * 1024;

#[test]
fn a_log_file_tells_what_winlogbeat_made_of_it() {
    let (from_json, _) = told(PUBLISHED.as_bytes(), usize::MAX);
    let file = log();
    let (from_log, tally) = told(&file, usize::MAX);
    assert_eq!(from_log, from_json);
    assert_eq!((tally.told, tally.passed_over, tally.all_refused()), (3, 1, 0));
    for piece in [1, 7, 4096, 65_536, 70_000] {
        assert_eq!(told(&file, piece), (from_log.clone(), tally.clone()), "in pieces of {piece}");
    }
}

/// A file of `tests/data/telemetry/windows`.
fn of_windows(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/telemetry/windows").join(name)
}

fn unpacked(name: &str) -> Vec<u8> {
    zstd::decode_all(std::fs::File::open(of_windows(name)).unwrap()).unwrap()
}

#[test]
fn a_log_that_windows_wrote_tells_what_another_reader_makes_of_it() {
    let file = unpacked("sysmon.evtx.zst");
    let (from_log, tally) = told(&file, usize::MAX);
    // python-evtx has 1730 records as well, of which 870 are of kinds that say nothing here, and gives these.
    assert_eq!((tally.told, tally.passed_over, tally.all_refused()), (860, 870, 0));
    let reading = String::from_utf8(unpacked("sysmon.python-evtx.xml.zst")).unwrap();
    let expected: Vec<(i64, String)> = reading.lines().map(expected).collect();
    let mut lines = Vec::new();
    let mut machine = Feed::new();
    let mut tell = |record: Record<'_>| lines.push(line(&record));
    machine.push(&file, &mut tell);
    machine.finish(&mut tell);
    assert_eq!(lines.len(), expected.len());
    for ((written, line), (expected_written, expected_line)) in lines.iter().zip(&expected) {
        assert_eq!(line, expected_line);
        // Windows counts tenths of microseconds, which python-evtx adds up as floating point.
        assert!((written - expected_written).abs() <= 2, "{line}: {written} {expected_written}");
    }
    let of = |kind: &str| lines.iter().filter(|(_, line)| line.starts_with(kind)).count();
    assert_eq!((of("1 "), of("3 "), of("5 ")), (356, 153, 351));
    for piece in [1000, 65_536, 70_000] {
        let in_pieces = told(&file, piece);
        assert!(in_pieces == (from_log.clone(), tally.clone()), "in pieces of {piece}");
    }
}

/// When a record was written, in microseconds, and what it says, as [`expected`] tells it.
fn line(record: &Record<'_>) -> (i64, String) {
    let time = |clocks: &[Clock]| {
        let times = [Some(record.time), record.second].into_iter().flatten();
        let time = times.into_iter().find(|time: &Time| clocks.contains(&time.clock)).unwrap();
        time.at.as_nanos() / 1000
    };
    let mut line = format!("{} {} {}", record.kind, record.id.as_deref().unwrap(), record.host);
    line += &format!(" at {}", time(&[Clock::Event, Clock::Skewed]));
    let mut of = |process: &Process<'_>| {
        let (pid, key) = (process.pid.unwrap(), process.key.as_deref().unwrap());
        line += &format!(" {pid} {key} {}", process.image.as_deref().or(process.name.as_deref()).unwrap());
    };
    match &record.what {
        Said::Start(process) => {
            of(process);
            let parent = process.parent.as_ref().unwrap();
            let image = parent.image.as_deref().or(parent.name.as_deref()).unwrap_or("-");
            let (line_of, user) =
                (process.command_line.as_deref().unwrap(), process.user.as_deref().unwrap());
            line += &format!(" {line_of} in {} by {user}", process.directory.as_deref().unwrap());
            line += &format!(" {}", process.integrity.as_deref().unwrap());
            line += &format!(" {}", process.sha1.as_deref().unwrap_or("-"));
            line += &format!(" from {} {image}", parent.pid.unwrap());
            line += &format!(" {}", parent.command_line.as_deref().unwrap_or("-"));
        }
        Said::End(process) => of(process),
        Said::Connection(connection) => {
            of(&connection.process);
            let [one, other] = connection.ends.map(|end| format!("{} {}", end.ip, end.port.unwrap_or(0)));
            let tcp = connection.protocol == Some(Protocol::TCP);
            line += &format!(" {one} {other} tcp {tcp} {}", connection.initiated.unwrap());
        }
        other => panic!("{other:?}"),
    }
    (time(&[Clock::Logged]), line)
}

/// What python-evtx says of a record: the texts of its elements, found without a parser.
fn expected(xml: &str) -> (i64, String) {
    let between = |begin: &str, end: &str| {
        let rest = xml.split_once(begin)?.1;
        let text = rest.split_once(end)?.0;
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
        Some(text.replace("&apos;", "'").replace("&amp;", "&"))
    };
    let data = |name: &str| between(&format!("<Data Name=\"{name}\">"), "</Data>").unwrap();
    let trimmed = |name: &str| match data(name).trim() {
        "" => "-".to_owned(),
        text => text.to_owned(),
    };
    let micros = |text: &str| {
        let time: jiff::Timestamp =
            format!("{}Z", text.trim_end_matches('Z').replace(' ', "T")).parse().unwrap();
        time.as_microsecond()
    };
    let id = between("<EventID Qualifiers=\"\">", "<").unwrap();
    let number = between("<EventRecordID>", "<").unwrap();
    let host = between("<Computer>", "<").unwrap();
    let written = between("SystemTime=\"", "\"").unwrap();
    let mut line = format!("{id} {number} {host} at {}", micros(&data("UtcTime")));
    let key = data("ProcessGuid").trim_matches(['{', '}']).to_owned();
    line += &format!(" {} {key} {}", data("ProcessId"), data("Image"));
    if id == "1" {
        line += &format!(" {} in {} by {}", trimmed("CommandLine"), data("CurrentDirectory"), data("User"));
        let hashes = data("Hashes");
        let sha1 = hashes.split(',').find_map(|hash| hash.strip_prefix("SHA1=")).unwrap();
        line += &format!(" {} {}", data("IntegrityLevel"), sha1.to_lowercase());
        line += &format!(" from {} {}", data("ParentProcessId"), trimmed("ParentImage"));
        line += &format!(" {}", trimmed("ParentCommandLine"));
    } else if id == "3" {
        let end = |side: &str| {
            let ip: std::net::IpAddr = data(&format!("{side}Ip")).parse().unwrap();
            format!("{ip} {}", data(&format!("{side}Port")))
        };
        let initiated = data("Initiated") == "True";
        line += &format!(
            " {} {} tcp {} {initiated}",
            end("Source"),
            end("Destination"),
            data("Protocol") == "tcp"
        );
    }
    (micros(&written), line)
}

#[test]
fn a_round_of_a_log_that_windows_wrote() {
    let log = of_windows("sysmon.evtx.zst");
    let retold = Retold::of(&log);
    let folder = tempfile::tempdir().unwrap();
    let (capture, flows) = (folder.path().join("retold.pcap"), folder.path().join("flows.jsonl"));
    std::fs::write(&capture, retold.pcap()).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let (flows_path, log, capture) = (path(&flows), path(&log), path(&capture));
    undertone(&["replay", "--flows", &flows_path, "--feed", &log, &capture]).ended(0);
    // By the reading of python-evtx: the programs of what reached out over TCP, by both ends.
    let reading = String::from_utf8(unpacked("sysmon.python-evtx.xml.zst")).unwrap();
    let mut programs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, line) in reading.lines().map(expected) {
        let words: Vec<&str> = line.split(' ').collect();
        if words[0] == "3" && line.ends_with("tcp true true") {
            let ends = words[words.len() - 7..words.len() - 3].join(" ");
            let image = words[7..words.len() - 7].join(" ");
            programs.entry(ends).or_default().push(image);
        }
    }
    let mut named = BTreeSet::new();
    for flow in records(&std::fs::read_to_string(flows).unwrap()) {
        let end = |name: &str| format!("{} {}", text(&flow[name]["ip"]), flow[name]["port"]);
        let ends = format!("{} {}", end("source"), end("destination"));
        let Some(programs) = programs.get(&ends) else { continue };
        assert_eq!(flow["undertone"]["attribution"]["level"], "tuple", "{flow:#}");
        assert_eq!(flow["host"]["name"], "desktop-df4ulde", "{flow:#}");
        assert!(programs.contains(&text(&flow["process"]["executable"]).to_owned()), "{programs:?} {flow:#}");
        named.insert(ends);
    }
    // The others are of IPv6 or of the loopback, of which no packets were made.
    assert_eq!((named.len(), programs.len()), (110, 121));
}

#[test]
fn chunks_stand_for_themselves() {
    let file = log();
    let mut many = file.clone();
    // An empty chunk, one that is none, and the first again.
    many.extend(vec![0; CHUNK]);
    many.extend(vec![b'x'; CHUNK]);
    many.extend(&file[HEAD..]);
    let (records, tally) = told(&many, 1000);
    assert_eq!(records.len(), 6);
    assert_eq!(tally.refused(Refusal::BrokenLog).count, 1);
    assert_eq!(tally.refused(Refusal::BrokenLog).first_line, 3);
}

#[test]
fn what_stands_before_a_cut_is_told() {
    let file = log();
    let (whole, _) = told(&file, usize::MAX);
    let mut most = 0;
    for end in (0..file.len()).step_by(97) {
        let (records, tally) = told(&file[..end], usize::MAX);
        assert!(whole.starts_with(&records), "the first {end} bytes");
        assert!(end < 8 || tally.refused(Refusal::CutShort).count == 1 || (HEAD..=HEAD + 512).contains(&end));
        most = most.max(records.len());
    }
    assert_eq!(most, 3);
}

#[test]
fn what_stands_before_a_cut_of_a_log_that_windows_wrote_is_told() {
    let file = unpacked("sysmon.evtx.zst");
    let (whole, _) = told(&file[..HEAD + 2 * CHUNK], usize::MAX);
    let mut most = 0;
    for end in (HEAD..HEAD + 2 * CHUNK).step_by(1501) {
        let (records, _) = told(&file[..end], usize::MAX);
        assert!(whole.starts_with(&records), "the first {end} bytes");
        most = most.max(records.len());
    }
    assert!(most > whole.len() / 2, "{most} of {}", whole.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn changed_logs_of_windows_break_nothing(
        chunk in 0..33_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| unpacked("sysmon.evtx.zst"));
        let mut file = FILE[..HEAD].to_vec();
        file.extend(&FILE[HEAD + chunk * CHUNK..][..CHUNK]);
        for (at, byte) in changes {
            file[HEAD + at.index(CHUNK)] = byte;
        }
        told(&file, usize::MAX);
    }

    #[test]
    fn changed_files_break_nothing(
        changes in prop::collection::vec((0..6000_usize, any::<u8>()), 1..12),
        cut in prop_oneof![Just(usize::MAX), 0..(HEAD + CHUNK)],
    ) {
        let mut file = log();
        for (at, byte) in changes {
            // The records and the head of the chunk, not the emptiness behind them.
            let at = if at < 8 { at + HEAD } else { HEAD + at % 6000 };
            file[at] = byte;
        }
        file.truncate(cut);
        told(&file, usize::MAX);
    }
}

fn told(feed: &[u8], piece: usize) -> (Vec<String>, Tally) {
    let mut told = Vec::new();
    let mut machine = Feed::new();
    let mut tell = |record: Record<'_>| told.push(format!("{record:?}"));
    for piece in feed.chunks(piece) {
        machine.push(piece, &mut tell);
    }
    machine.finish(&mut tell);
    (told, machine.tally().clone())
}

/// A file of one chunk with the published records.
fn log() -> Vec<u8> {
    let mut chunk = vec![0; 512];
    let mut last = 0;
    for (number, line) in PUBLISHED.lines().enumerate() {
        last = chunk.len();
        let record = record(&serde_json::from_str(line).unwrap(), last + 24);
        let size = (24 + record.len() + 4) as u32;
        chunk.extend(0x0000_2a2a_u32.to_le_bytes());
        chunk.extend(size.to_le_bytes());
        chunk.extend((number as u64 + 1).to_le_bytes());
        chunk.extend(131_000_000_000_000_000_u64.to_le_bytes());
        chunk.extend(record);
        chunk.extend(size.to_le_bytes());
    }
    let (free, count) = (chunk.len() as u32, PUBLISHED.lines().count() as u64);
    let mut put = |at: usize, bytes: &[u8]| chunk[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"ElfChnk\0");
    for (at, number) in [(8, 1), (16, count), (24, 1), (32, count)] {
        put(at, &number.to_le_bytes());
    }
    put(40, &128_u32.to_le_bytes());
    put(44, &(last as u32).to_le_bytes());
    put(48, &free.to_le_bytes());
    chunk.resize(CHUNK, 0);
    let mut file = b"ElfFile\0".to_vec();
    file.resize(HEAD, 0);
    file.extend(chunk);
    file
}

/// A record as binary XML that begins at an offset of its chunk.
fn record(published: &Value, at: usize) -> Vec<u8> {
    let winlog = &published["winlog"];
    let mut xml = BinaryXml { at, bytes: vec![0x0f, 1, 1, 0] };
    xml.open("Event", &[]);
    xml.open("System", &[]);
    xml.open("Provider", &[("Name", winlog["provider_name"].as_str().unwrap())]);
    xml.end();
    xml.element("EventID", winlog["event_id"].as_str().unwrap());
    xml.open("TimeCreated", &[("SystemTime", published["@timestamp"].as_str().unwrap())]);
    xml.end();
    xml.element("EventRecordID", &winlog["record_id"].to_string());
    xml.element("Computer", winlog["computer_name"].as_str().unwrap());
    xml.end();
    xml.open("EventData", &[]);
    for (name, value) in winlog["event_data"].as_object().unwrap() {
        xml.open("Data", &[("Name", name)]);
        xml.text(value.as_str().unwrap());
        xml.end();
    }
    xml.end();
    xml.end();
    xml.bytes.push(0);
    xml.bytes
}

struct BinaryXml {
    at: usize,
    bytes: Vec<u8>,
}

impl BinaryXml {
    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.bytes.push(if attributes.is_empty() { 0x01 } else { 0x41 });
        self.bytes.extend([0; 4]);
        self.name(name);
        if !attributes.is_empty() {
            self.bytes.extend([0; 4]);
        }
        for (name, value) in attributes {
            self.bytes.push(0x06);
            self.name(name);
            self.text(value);
        }
        self.bytes.push(0x02);
    }

    /// The offset of a name, which follows at once.
    fn name(&mut self, name: &str) {
        let offset = (self.at + self.bytes.len() + 4) as u32;
        self.bytes.extend(offset.to_le_bytes());
        self.bytes.extend([0; 6]);
        self.bytes.extend((name.encode_utf16().count() as u16).to_le_bytes());
        self.bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
        self.bytes.extend([0; 2]);
    }

    fn text(&mut self, text: &str) {
        self.bytes.extend([0x05, 0x01]);
        self.bytes.extend((text.encode_utf16().count() as u16).to_le_bytes());
        self.bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    }

    fn element(&mut self, name: &str, text: &str) {
        self.open(name, &[]);
        self.text(text);
        self.end();
    }

    fn end(&mut self) {
        self.bytes.push(0x04);
    }
}
