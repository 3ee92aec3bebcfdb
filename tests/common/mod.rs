//! What several tests need: a replay within the process, and packets made by hand.

#![allow(dead_code, unreachable_pub, reason = "each test is a crate of its own, and uses a part of it")]

pub mod binary;
pub mod cable;
pub mod packets;
pub mod retold;
pub mod scene;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, LazyLock};

use undertone::capture::savefile;
use undertone::flow::Conversation;
use undertone::inspect::Observation;
use undertone::lists::Lists;
use undertone::merge::Merger;
use undertone::runtime::{CHUNK_BYTES, Reading, Told};
use undertone::stats::Counts;
use undertone::worker::{Finished, Named, What, Worker};

/// All that the machines before the Correlator tell of some captures.
#[derive(Debug, Default, PartialEq)]
pub struct Replayed {
    /// Each event, as text, so that two runs can be compared to the letter.
    pub events: Vec<String>,
    /// Every hostname.
    pub observations: Vec<Observation>,
    /// What was counted, for each file.
    pub counts: Vec<Counts>,
    /// Every conversation.
    pub conversations: Vec<Conversation<Named>>,
}

/// Replays captures with so many threads and chunks of so many bytes, and keeps every hostname and conversation.
pub fn replay(paths: &[PathBuf], threads: usize, chunk_bytes: usize) -> Replayed {
    static LISTS: LazyLock<Arc<Lists>> = LazyLock::new(|| Arc::new(Lists::builtin()));
    // Many replays of small captures should not build them each time.
    let lists = &*LISTS;
    let make_worker = || Worker::new(lists.clone(), true, None).with_conversations(true);
    let (files, problems) = savefile::open(paths);
    assert!(problems.is_empty(), "{problems:?}");
    let mut merger = Merger::new(make_worker(), false);
    let (stop, progress) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    let reading = Reading { threads, chunk_bytes, stop: &stop, progress: &progress };
    let mut replayed = Replayed { counts: vec![Counts::default(); files.len()], ..Replayed::default() };
    let keep = |replayed: &mut Replayed, finished: Finished| {
        replayed.conversations.extend(finished.conversations);
        for event in finished.events {
            replayed.events.push(format!("{event:?}"));
            if let What::Hostname(sighting) = event.what {
                replayed.observations.push(sighting.observation);
            }
        }
    };
    reading.files(&files, &make_worker, &mut merger, &mut |told| {
        if let Told::Chunk(finished) = told {
            replayed.counts[finished.source as usize].add(&finished.counts);
            keep(&mut replayed, *finished);
        }
    });
    merger.finish(&mut |finished| keep(&mut replayed, finished));
    replayed
}

/// Every hostname in one capture.
pub fn observations(path: &Path) -> Vec<Observation> {
    replay(&[path.to_owned()], 1, CHUNK_BYTES).observations
}

/// Whether a hostname is what Wireshark shows as `shown`: it keeps upper case, calls the root by name, and leaves the port of an HTTP
/// Host where it is.
pub fn same_name(hostname: &str, shown: &str) -> bool {
    let shown = match shown.rsplit_once(':') {
        _ if shown == "<Root>" => ".",
        Some((host, port)) if port.parse::<u16>().is_ok() && hostname != shown => host,
        _ => shown,
    };
    hostname.eq_ignore_ascii_case(shown.strip_suffix('.').filter(|rest| !rest.is_empty()).unwrap_or(shown))
}
