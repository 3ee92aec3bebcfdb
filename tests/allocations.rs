//! What a packet may allocate: in a process of its own, for every allocation of it is counted.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use common::binary::undertone;
use undertone::capture::Filter;
use undertone::capture::savefile;
use undertone::lists::Lists;
use undertone::runtime::CHUNK_BYTES;
use undertone::worker::{Open, Worker};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// One at a time: the counter is the process's.
static ONE: Mutex<()> = Mutex::new(());

/// Frames and allocations of a capture, as one thread reads it, from its second chunk on: by then the memory that goes round is there.
fn count(path: &Path, filter: &str) -> (u64, u64) {
    let (files, problems) = savefile::open(&[path.to_owned()]);
    assert!(problems.is_empty());
    let mut worker = Worker::new(Arc::new(Lists::builtin()), false, Some(Filter::new(filter).unwrap()));
    let mut cutter = files[0].cutter(CHUNK_BYTES).unwrap();
    let (mut open, mut frames, mut counted, mut before) = (Open::default(), 0, 0, None);
    let _alone = ONE.lock().unwrap();
    let _profiler = dhat::Profiler::builder().testing().build();
    let mut allocations = 0;
    while let Some(chunk) = cutter.next(Vec::new()) {
        let at = dhat::HeapStats::get().total_blocks;
        let finished = worker.follow(0, &mut open, frames, &chunk);
        frames += finished.counts.frames;
        if before.replace(()).is_some() {
            allocations += dhat::HeapStats::get().total_blocks - at;
            counted += finished.counts.frames - finished.counts.filtered;
        }
    }
    (counted, allocations)
}

/// A mix of which no name meets a list, with so many connections: the capture, and how many of them are TLS and QUIC.
fn mix(folder: &Path, shape: &str, connections: u64) -> (PathBuf, u64, u64) {
    let path = folder.join(shape);
    let [to, count] = [path.to_str().unwrap(), &connections.to_string()];
    undertone(&["bench", "--mix", shape, "--connections", count, "--hits", "0", "--write", to]).ended(0);
    // Four of five are TLS, as nearly as the seed has it.
    (path, connections * 81 / 100, connections * 21 / 100)
}

/// Questions and answers allocate nothing until their name meets a list: a chunk allocates as a whole.
#[test]
fn messages_of_dns_allocate_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, ..) = mix(folder.path(), "handshake", 6000);
    let (messages, allocations) = count(&path, "udp port 53");
    assert!(messages > 20_000 && allocations < messages / 50, "{allocations} for {messages} messages");
}

/// What allocates is a hello that comes in pieces, and the connections of QUIC that are remembered; no packet before or after.
#[test]
fn packets_allocate_by_the_connection() {
    let folder = tempfile::tempdir().unwrap();
    for (shape, connections, least) in [("handshake", 6000, 40_000), ("bulk", 600, 20_000)] {
        let (path, tls, quic) = mix(folder.path(), shape, connections);
        let (segments, allocations) = count(&path, "tcp");
        assert!(segments > least && allocations < 5 * tls, "{shape}: {allocations} for {segments} segments");
        let (datagrams, allocations) = count(&path, "udp port 443");
        assert!(allocations < 6 * quic, "{shape}: {allocations} for {datagrams} datagrams");
    }
}
