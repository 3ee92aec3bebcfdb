//! `undertone bench`: how fast captures are handled on this machine, by number of threads.
//!
//! The captures are read into memory first, so that no disk is measured; what is timed is the whole of a replay but for writing
//! findings: cutting into chunks, decoding, inspecting, meeting the lists, merging, correlating.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use crate::capture::savefile::{self, Savefile};
use crate::config;
use crate::correlator::{Correlator, Folding};
use crate::lists::Lists;
use crate::merge::Merger;
use crate::runtime::{CHUNK_BYTES, Reading, Told};
use crate::sink::{count, scaled};
use crate::stats::Counts;
use crate::worker::{What, Worker};

/// Measures, and writes a table or JSON lines to standard output. Gives the exit status.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run(config: &config::Bench) -> io::Result<u8> {
    let (files, mut problems) = savefile::open(&config.paths);
    problems.retain(savefile::Problem::is_error);
    let mut in_memory = Vec::new();
    for file in files {
        match file.into_memory() {
            Ok(file) => in_memory.push(file),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        problems.iter().for_each(|problem| eprintln!("undertone: {problem}"));
        return Ok(1);
    }
    let files = in_memory;
    let lists = Arc::new(Lists::builtin());
    let mut out = io::stdout().lock();
    let mut threads = 1;
    let mut header = !config.json;
    loop {
        let (median, counts, contacts) = measure(&files, &lists, threads, config.rounds.get());
        let seconds = median.as_secs_f64().max(f64::EPSILON);
        let (packets, bits) = (counts.frames as f64 / seconds, counts.wire_bytes as f64 * 8.0 / seconds);
        let nanos = seconds * 1e9 / (counts.frames.max(1) as f64);
        if config.json {
            let line = serde_json::json!({
                "threads": threads, "rounds": config.rounds.get(), "packets": counts.frames, "bytes": counts.wire_bytes,
                "contacts": contacts, "seconds": seconds, "packets_per_second": packets, "bits_per_second": bits,
                "nanoseconds_per_packet": nanos,
            });
            writeln!(out, "{line}")?;
        } else {
            if std::mem::take(&mut header) {
                writeln!(
                    out,
                    "{} packets, {}, {} contacts; median of {} rounds\n\nthreads  time         packets/s       rate           a packet",
                    count(counts.frames),
                    scaled(counts.wire_bytes as f64, "B"),
                    count(contacts),
                    config.rounds
                )?;
            }
            let columns = (scaled(packets, "packets/s"), scaled(bits, "bit/s"));
            writeln!(
                out,
                "{threads:>7}  {:<11}  {:<14}  {:<13}  {nanos:.1} ns",
                format!("{seconds:.4} s"),
                columns.0,
                columns.1
            )?;
        }
        if threads == config.threads.get() {
            return Ok(0);
        }
        threads = (threads * 2).min(config.threads.get());
    }
}

/// The median time of so many rounds after one that is not counted, what was counted, and how many contacts there were.
fn measure(files: &[Savefile], lists: &Arc<Lists>, threads: usize, rounds: u32) -> (Duration, Counts, u64) {
    let make_worker = || Worker::new(lists.clone(), false, None);
    let mut times = Vec::new();
    let (mut counts, mut contacts) = (Counts::default(), 0);
    for _ in 0..=rounds {
        (counts, contacts) = (Counts::default(), 0);
        let began = Instant::now();
        let (stop, progress) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
        let reading = Reading { threads, chunk_bytes: CHUNK_BYTES, stop: &stop, progress: &progress };
        let mut merger = Merger::new(make_worker(), false);
        let mut correlator = Correlator::new(Folding::replay());
        let mut take = |finished: crate::worker::Finished| {
            counts.add(&finished.counts);
            for event in finished.events {
                if let What::Hostname(sighting) = event.what
                    && let Some(contact) = sighting.into_contact()
                {
                    contacts += 1;
                    correlator.contact(contact, &mut drop);
                }
            }
        };
        reading.files(files, &make_worker, &mut merger, &mut |told| {
            if let Told::Chunk(finished) = told {
                take(finished);
            }
        });
        merger.finish(&mut take);
        correlator.finish(&mut drop);
        times.push(began.elapsed());
    }
    times.remove(0);
    times.sort_unstable();
    (times.get(times.len() / 2).copied().unwrap_or_default(), counts, contacts)
}
