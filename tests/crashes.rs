//! Nothing that a capture holds makes the sensor panic, hang or want memory without end.
//!
//! `tests/crashes` holds captures that nobody would send: those that broke something once, and the nastiest ones that we can think of.
//! Each is replayed as it is, in every form of threads and chunks; then it, and the small captures of the project, with bytes
//! changed, cut out and brought in from others. `UNDERTONE_ROUNDS` asks for more of that, from `UNDERTONE_SEED` on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::Replayed;
use undertone::capture::savefile;
use undertone::runtime::CHUNK_BYTES;

/// Nothing here takes more than a second; a loop takes for ever.
const LONGEST: Duration = Duration::from_secs(60);

/// Changed captures in an ordinary run.
const ROUNDS: u64 = 400;

/// The largest capture that is changed: the small ones hold as many kinds of packets.
const LARGEST: usize = 150_000;

#[test]
fn no_capture_breaks_it() {
    for path in files("tests/crashes") {
        let expected = bounded(&path, 1, CHUNK_BYTES);
        for (threads, chunk_bytes) in [(1, 1), (2, 100), (8, CHUNK_BYTES)] {
            // With chunks of a record each, one of millions of records takes its time.
            if chunk_bytes < CHUNK_BYTES && expected.iter().any(|replayed| frames(replayed) > 400_000) {
                continue;
            }
            let got = bounded(&path, threads, chunk_bytes);
            assert!(got == expected, "{path:?} is another with {threads} threads, chunks of {chunk_bytes}");
        }
    }
}

#[test]
fn each_is_explained() {
    let readme = std::fs::read_to_string("tests/crashes/README.md").unwrap();
    let names: Vec<String> = files("tests/crashes").iter().map(|path| name(path).to_owned()).collect();
    for name in &names {
        let lines = readme.lines().filter(|line| line.starts_with(&format!("| {name} |"))).count();
        assert!(lines == 1 || ["README.md", "make.py"].contains(&name.as_str()), "{name}: {lines} lines");
    }
    let lines: Vec<_> = readme.lines().filter(|line| line.starts_with("| ")).skip(1).collect();
    assert_eq!(lines.len() + 2, names.len(), "a line for a file that is not there: {lines:#?}");
}

#[test]
fn what_stands_before_the_damage_is_told() {
    for (name, expected) in [
        ("length-of-4-gib.pcap", 1),
        ("length-beyond-the-end.pcap", 1),
        ("longer-than-the-wire.pcap", 2),
        ("block-of-nothing.pcapng", 1),
        ("packet-of-no-interface.pcapng", 1),
        ("gzip-cut.pcap.gz", 40),
        ("gzip-with-more-behind.pcap.gz", 1),
        ("gzip-wrong-sum.pcap.gz", 1),
        ("gzip-of-many-members.pcap.gz", 1),
        ("tcp-backwards.pcap", 1),
        ("tcp-one-byte-at-a-time.pcap", 1),
        ("tls-records-of-one.pcap", 1),
        ("tls-second-hellos.pcap", 1),
        ("http-many-requests.pcap", 300),
        ("quic-crypto-frames.pcap", 2),
    ] {
        let replayed = bounded(&Path::new("tests/crashes").join(name), 1, CHUNK_BYTES).unwrap();
        // The same packet again is a copy.
        let copies: u64 = replayed.counts.iter().map(|counts| counts.copies).sum();
        let names = replayed.observations.len() + copies as usize;
        assert!(names >= expected, "{name}: {names} names of {expected}");
    }
}

#[test]
fn no_changed_capture_breaks_it() {
    let asked = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (rounds, first) = (asked("UNDERTONE_ROUNDS").unwrap_or(ROUNDS), asked("UNDERTONE_SEED").unwrap_or(0));
    let mut originals: Vec<Vec<u8>> = Vec::new();
    let mut folders = vec![PathBuf::from("tests/crashes"), PathBuf::from("pcaps")];
    folders.extend(std::env::var_os("UNDERTONE_CORPUS").map(PathBuf::from));
    for path in folders.iter().flat_map(files) {
        let bytes = std::fs::read(path).unwrap();
        if !bytes.is_empty() && bytes.len() <= LARGEST {
            originals.push(bytes);
        }
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("changed");
    std::fs::create_dir_all(&folder).unwrap();
    let mut slowest = (Duration::ZERO, 0);
    for seed in first..first + rounds {
        // The file stays where it broke something.
        let path = folder.join(format!("{seed}.pcap"));
        std::fs::write(&path, changed(&originals, seed)).unwrap();
        let begin = Instant::now();
        let ways = [(1, CHUNK_BYTES), (1, 600), (2, 2000)];
        let [expected, ..] = ways.map(|(threads, chunk_bytes)| bounded(&path, threads, chunk_bytes));
        if expected.is_some() && seed % 8 == 0 {
            assert!(bounded(&path, 2, 700) == expected, "{path:?} depends on its chunks");
        }
        slowest = slowest.max((begin.elapsed(), seed));
        std::fs::remove_file(&path).unwrap();
    }
    println!("{rounds} of {} captures; the slowest: {slowest:?}", originals.len());
}

/// Replays a file in a thread of its own, which has to come back. `None` where it is no capture.
#[track_caller]
fn bounded(path: &Path, threads: usize, chunk_bytes: usize) -> Option<Replayed> {
    let (done, answer) = mpsc::channel();
    let here = path.to_owned();
    std::thread::spawn(move || {
        let (files, _problems) = savefile::open(std::slice::from_ref(&here));
        let replayed = (!files.is_empty()).then(|| common::replay(&[here], threads, chunk_bytes));
        let _gone = done.send(replayed);
    });
    match answer.recv_timeout(LONGEST) {
        Ok(replayed) => replayed,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{path:?} hangs ({threads}, {chunk_bytes})"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{path:?} breaks it ({threads}, {chunk_bytes})"),
    }
}

/// A capture with changes, always the same for one number.
fn changed(originals: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut bytes = originals[random.below(originals.len())].clone();
    for _ in 0..1 << random.below(7) {
        let at = random.below(bytes.len().max(1));
        let most = if random.below(4) == 0 { bytes.len() } else { 64 };
        let len = random.below(most.max(1)).min(bytes.len() - at);
        match random.below(8) {
            0 | 1 => bytes[at] ^= 1 << random.below(8),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.below(6)],
            3 => bytes[at..at + len].iter_mut().for_each(|byte| *byte = random.below(256) as u8),
            4 => drop(bytes.drain(at..at + len)),
            5 => {
                let part = bytes[at..at + len].to_vec();
                bytes.splice(at..at, part);
            }
            6 => {
                let other = &originals[random.below(originals.len())];
                let from = random.below(other.len());
                bytes.splice(at..at + len, other[from..].iter().take(most).copied());
            }
            // A number of four bytes, as lengths in captures are.
            _ => {
                let value = [0, 1, 16, 65_535, 262_145, 0x7fff_ffff, 0x8000_0000, u32::MAX][random.below(8)];
                bytes
                    .iter_mut()
                    .skip(at / 4 * 4)
                    .zip(value.to_le_bytes())
                    .for_each(|(byte, new)| *byte = new);
            }
        }
        if bytes.is_empty() || bytes.len() > 4 * LARGEST {
            bytes = originals[random.below(originals.len())].clone();
        }
    }
    bytes
}

/// Numbers that look like chance (xorshift64*).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// Every file below a folder, in the order of names.
fn files(folder: impl AsRef<Path>) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(path) } else { vec![path] }).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn frames(replayed: &Replayed) -> u64 {
    replayed.counts.iter().map(|counts| counts.frames).sum()
}
