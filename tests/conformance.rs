//! Captures made by others: every hostname that Wireshark finds in them is found, and every other one was looked at in the packet.
//!
//! The captures are not part of the project. `UNDERTONE_CORPUS` names a folder of folders, each with captures and a `names.jsonl`
//! (a line a capture, what tshark read in it); without it these tests say so and pass.
//!
//! An address in place of a name is no hostname: such are not reported, but counted, and how many there are in a capture is compared.
//!
//! Names are compared by capture, kind, both ends and how often: a request that is read once too often is as wrong as one that is missed.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use undertone::inspect::{Observation, SeenIn};
use undertone::runtime::CHUNK_BYTES;

/// Names that are not reported: see the file for its form.
const ALLOWED: &str = include_str!("conformance.allowed");

/// Names that are reported and Wireshark does not show, in the same form.
const BEYOND: &str = include_str!("conformance.beyond");

/// How often a name is in a capture between two ends.
type Tally = BTreeMap<Place, Frames>;
/// A capture, a kind and a name, and both ends in the order of their text.
type Place = (String, Name, [String; 2]);
/// A kind and a name.
type Name = (String, String);
/// The frames that complete it.
type Frames = Vec<u64>;

#[test]
fn every_name_that_wireshark_finds_is_found() {
    let Some(corpus) = corpus() else { return };
    let (mut found, mut missed) = (BTreeMap::<String, [usize; 2]>::new(), Vec::new());
    let (expected, seen) = both(&corpus);
    for (key, frames) in &expected {
        let here = seen.get(key).map_or(0, Vec::len).min(frames.len());
        let tally = found.entry(key.1.0.clone()).or_default();
        *tally = [tally[0] + frames.len(), tally[1] + here];
        if here < frames.len() {
            missed.push((key, frames.len() - here, frames));
        }
    }
    for (kind, [all, found]) in &found {
        println!("{kind}: {found} of {all} found");
    }
    settle(&missed, ALLOWED);
}

#[test]
fn names_beyond_wireshark() {
    let Some(corpus) = corpus() else { return };
    let (expected, seen) = both(&corpus);
    let mut beyond = Vec::new();
    for (key, frames) in &seen {
        let known = expected.get(key).map_or(0, Vec::len);
        if known < frames.len() {
            beyond.push((key, frames.len() - known, frames));
        }
    }
    println!("{} names seen", seen.values().map(Vec::len).sum::<usize>());
    settle(&beyond, BEYOND);
}

/// Compares what differs with what may, to the number.
#[track_caller]
fn settle(differing: &[(&Place, usize, &Frames)], allowed: &str) {
    let mut counts = BTreeMap::<(String, String, String), (usize, Vec<String>)>::new();
    for ((capture, (kind, name), ends), times, frames) in differing {
        let (count, places) = counts.entry((capture.clone(), kind.clone(), name.clone())).or_default();
        *count += times;
        places.push(format!("{} - {} in {frames:?}", ends[0], ends[1]));
    }
    let mut allowed = allowances(allowed);
    let mut wrong = Vec::new();
    for ((capture, kind, name), (count, places)) in counts {
        let may = allowed.remove(&(capture.clone(), kind.clone(), name.clone())).unwrap_or(0);
        if may != count {
            let places = places.join("; ");
            wrong.push(format!("{capture}\t{kind}\t{name}\t{count}\t({may} allowed) {places}"));
        }
    }
    assert!(wrong.is_empty(), "{} without a reason:\n{}", wrong.len(), wrong.join("\n"));
    assert!(allowed.is_empty(), "allowed and not needed: {allowed:#?}");
}

/// What an allowance file says: capture, kind and name, and how often it may differ.
fn allowances(text: &str) -> BTreeMap<(String, String, String), usize> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let mut all = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split('\t').collect();
        let [capture, kind, name, times, reason] = fields[..] else {
            panic!("five fields and tabs: {line:?}")
        };
        assert!(reason.len() > 10, "a reason is wanted: {line:?}");
        let times: usize = times.parse().unwrap();
        let again = all.insert((capture.into(), kind.into(), name.into()), times);
        assert!(times > 0 && again.is_none(), "once is enough: {line:?}");
    }
    all
}

/// What Wireshark finds in the captures, and what is seen here.
fn both(corpus: &Path) -> (Tally, Tally) {
    let (mut expected, mut seen) = (Tally::new(), Tally::new());
    for (capture, names) in expectations(corpus) {
        let replayed = common::replay(&[corpus.join(&capture)], 1, CHUNK_BYTES);
        let addresses: u64 = replayed.counts.iter().map(|counts| counts.addresses).sum();
        if addresses > 0 {
            seen.insert(an_address(&capture), vec![0; addresses as usize]);
        }
        for observation in replayed.observations {
            let name = (kind(observation.seen_in).to_owned(), observation.hostname.as_str().to_owned());
            let key = (capture.clone(), name, ends(&observation));
            seen.entry(key).or_default().push(observation.frame);
        }
        for (kind, name, mut ends, frame) in names {
            ends.sort();
            if kind != "dns" && is_address(&name) {
                expected.entry(an_address(&capture)).or_default().push(frame);
                continue;
            }
            // The name as it is seen here, where it is.
            let here = (capture.clone(), (kind.clone(), String::new()), ends.clone());
            let same = seen
                .range(here..)
                .map(|(key, _)| key)
                .take_while(|key| key.0 == capture && key.1.0 == kind)
                .find(|key| key.2 == ends && common::same_name(&key.1.1, &name));
            let name = same.map_or_else(|| name.to_ascii_lowercase(), |key| key.1.1.clone());
            expected.entry((capture.clone(), (kind, name), ends)).or_default().push(frame);
        }
    }
    (expected, seen)
}

/// What stands for all addresses of a capture that are where names could be.
fn an_address(capture: &str) -> Place {
    (capture.to_owned(), ("address".to_owned(), "(an address)".to_owned()), Default::default())
}

/// Whether a name that Wireshark shows is an address, perhaps with a port.
fn is_address(shown: &str) -> bool {
    let host = shown.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
    let host = host.map_or(shown, |(host, _)| host);
    [host, shown].iter().any(|host| host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok())
}

/// The kind of a name, as `names.jsonl` calls it.
fn kind(seen_in: SeenIn) -> &'static str {
    match seen_in {
        SeenIn::DnsQuery | SeenIn::DnsResponse => "dns",
        SeenIn::TlsSni => "tls",
        SeenIn::QuicSni => "quic",
        SeenIn::HttpHost | SeenIn::HttpConnect => "http",
        other => other.as_str(),
    }
}

/// One name that Wireshark found: kind, name, both ends, frame.
type Expected = (String, String, [String; 2], u64);

fn expectations(corpus: &Path) -> Vec<(String, Vec<Expected>)> {
    let mut all = Vec::new();
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for folder in folders {
        let Ok(lines) = std::fs::read_to_string(folder.join("names.jsonl")) else { continue };
        for line in lines.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let names = line["names"].as_array().unwrap().iter().map(|name| {
                let end = |ip: &str, port: &str| format!("{} {}", text(&name[ip]), text(&name[port]));
                let ends = [end("src", "sport"), end("dst", "dport")];
                (text(&name["kind"]), text(&name["name"]), ends, name["frame"].as_u64().unwrap())
            });
            let folder = folder.file_name().unwrap().to_str().unwrap();
            all.push((format!("{folder}/{}", text(&line["capture"])), names.collect()));
        }
    }
    assert!(!all.is_empty(), "{} holds no names.jsonl", corpus.display());
    all
}

fn ends(one: &Observation) -> [String; 2] {
    let mut ends = [one.flow.src, one.flow.dst].map(|end| format!("{} {}", end.ip, end.port));
    ends.sort();
    ends
}

fn corpus() -> Option<PathBuf> {
    match std::env::var_os("UNDERTONE_CORPUS") {
        Some(path) => Some(path.into()),
        None => {
            println!("NOT RUN, for UNDERTONE_CORPUS is not set");
            None
        }
    }
}
