//! Event log files: built here from the records that winlogbeat's maker published, cut and changed.
//!
//! The layout is that of libevtx's *Windows XML Event Log (EVTX) format*; a record is written as binary XML without templates.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use proptest::prelude::*;
use serde_json::Value;
use undertone::originator::feed::{Feed, Refusal, Tally};
use undertone::originator::record::Record;

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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

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
