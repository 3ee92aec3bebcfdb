//! The same findings, order and counters for any number of threads and any size of chunks, on real traffic.
//!
//! `tests/chopping.rs` moves the edges to every byte of a few small captures; this one takes every capture of the project, and
//! every one below the folder that `UNDERTONE_CORPUS` names.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use common::binary::{FIRST_LOOK, cases, list, undertone};
use common::{Replayed, replay};
use undertone::capture::savefile;
use undertone::lists::Builder;
use undertone::merge::Merger;
use undertone::runtime::{CHUNK_BYTES, Reading};
use undertone::worker::Worker;

/// Each number of threads with sizes of chunks in bytes: a record each, less than most hellos, a few packets, as in a replay.
const WAYS: [(usize, usize); 9] =
    [(1, 1), (1, 700), (1, 4096), (2, 1), (2, 700), (2, CHUNK_BYTES), (8, 1), (8, 4096), (8, CHUNK_BYTES)];

/// Chunks beyond this number are not worth their time in a test.
const MOST_CHUNKS: u64 = 20_000;

#[track_caller]
fn check(paths: &[PathBuf]) -> Replayed {
    let expected = replay(paths, 1, CHUNK_BYTES);
    let bytes: u64 = paths.iter().map(|path| path.metadata().unwrap().len()).sum();
    for (threads, chunk_bytes) in WAYS {
        // No record is shorter than this with its head; it is the size of a chunk of one.
        if bytes / chunk_bytes.max(60) as u64 > MOST_CHUNKS {
            continue;
        }
        let got = replay(paths, threads, chunk_bytes);
        let way = format!("{paths:?}: {threads} threads, chunks of {chunk_bytes}");
        for (number, (got, expected)) in got.events.iter().zip(&expected.events).enumerate() {
            assert_eq!(got, expected, "{way}: event {number}");
        }
        assert_eq!(got, expected, "{way}");
    }
    expected
}

#[test]
fn every_capture_of_the_project() {
    let (mut frames, mut names, mut all) = (0, 0, Vec::new());
    for (_, captures) in cases() {
        // A case of several files is one capture.
        let replayed = check(&captures);
        frames += replayed.counts.iter().map(|counts| counts.frames).sum::<u64>();
        names += replayed.observations.len();
        all.extend(captures);
    }
    assert!(frames > 5000 && names > 300, "{frames} frames, {names} names");
    check(&all);
}

#[test]
fn every_capture_of_the_corpus() {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("NOT RUN, for UNDERTONE_CORPUS is not set");
        return;
    };
    let mut folders = vec![PathBuf::from(corpus)];
    let mut replayed = 0;
    while let Some(folder) = folders.pop() {
        for path in list(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if is_capture(&path) {
                check(std::slice::from_ref(&path));
                replayed += 1;
            }
        }
    }
    assert!(replayed > 0, "there are captures in the corpus");
    println!("{replayed} captures");
}

fn is_capture(path: &Path) -> bool {
    let (files, problems) = savefile::open(&[path.to_owned()]);
    files.len() == 1 && problems.is_empty()
}

#[test]
fn the_program_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let names = folder.path().join("names.jsonl");
    let run = |threads: &str| {
        let names = names.to_str().unwrap();
        let args =
            ["replay", "pcaps", "--min-level", "informational", "--hostnames", names, "-v", "--threads"];
        let ran = undertone(&[&args[..], &[threads]].concat()).ended(0);
        // The first line of the closing summary tells how long it took.
        let told: Vec<String> =
            ran.err.lines().filter(|line| !line.contains(" of traffic in ")).map(str::to_owned).collect();
        (ran.out, std::fs::read_to_string(names).unwrap(), told)
    };
    let expected = run("1");
    assert!(expected.0.lines().count() > 40 && expected.1.lines().count() > 300 && expected.2.len() > 5);
    for threads in ["2", "8", "2", "8"] {
        assert!(run(threads) == expected, "{threads} threads");
    }
}

/// More records at the end of a capture than are made ready at once.
#[test]
fn hundreds_of_records_are_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mix.pcap");
    let path = path.to_str().unwrap();
    undertone(&["bench", "--mix", "handshake", "--connections", "6000", "--write", path]).ended(0);
    let run = |threads: &str, level: &str| {
        let args = ["replay", path, "--min-level", level, "--fail-on", "low", "--threads", threads];
        let ran = undertone(&args).ended(3);
        let tallied = |line: &&str| line.contains("findings") || line.contains("rules");
        (ran.out, ran.err.lines().filter(tallied).map(str::to_owned).collect::<Vec<_>>())
    };
    for (level, least) in [("informational", 350), ("medium", 0)] {
        let expected = run("1", level);
        assert!(expected.0.lines().count() >= least && !expected.1.is_empty(), "{:?}", expected.1);
        for threads in ["2", "3", "8"] {
            assert!(run(threads, level) == expected, "{threads} threads, {level}");
        }
    }
}

#[test]
fn a_panic_of_whoever_is_told_ends_the_workers() {
    let (ended, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let fallen = std::panic::catch_unwind(|| {
            let lists = Arc::new(Builder::new().build());
            let make_worker = || Worker::new(lists.clone(), true, None);
            let (files, _) = savefile::open(&[FIRST_LOOK.into()]);
            let (stop, progress) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
            // Many more chunks than there are at once.
            let reading = Reading { threads: 2, chunk_bytes: 1, stop: &stop, progress: &progress };
            let mut merger = Merger::new(make_worker(), false);
            reading.files(&files, &make_worker, &mut merger, &mut |_| panic!("on purpose"));
        });
        ended.send(fallen.is_err()).unwrap();
    });
    assert_eq!(wait.recv_timeout(Duration::from_secs(20)), Ok(true), "the workers wait for ever");
}
