//! `undertone replay`: capture files in, findings out.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::attributor::Attributor;
use crate::capture::{Filter, savefile};
use crate::config::{self, Verbosity};
use crate::correlator::Folding;
use crate::delivery::{self, Delivery};
use crate::judging::Judging;
use crate::merge::Merger;
use crate::originator::feed::FeedFormat;
use crate::runtime::{CHUNK_BYTES, Reading, Threads, Told, stop_on_signals};
use crate::sink::{Printable, Progress, Source};
use crate::telemetry::Telemetry;
use crate::worker::Worker;

/// Replays capture files. Gives the exit status.
///
/// # Errors
/// When the filter is wrong or an output cannot be opened; nothing was read then.
pub fn run(config: &mut config::Replay) -> Result<u8, Box<dyn std::error::Error>> {
    let began = Instant::now();
    let speak = config.talk.verbosity > Verbosity::Quiet;
    let Judging { lists, rules, allow, .. } =
        Judging::new(&mut config.lists, config.threads.get() > 1, speak);
    let lists = Arc::new(lists);
    let filter =
        config.filter.as_deref().map(Filter::new).transpose().map_err(|why| format!("--filter: {why}"))?;
    let expression = filter.as_ref().map(Filter::as_str);
    let flows = config.output.flows.is_some();
    let joins = !config.feeds.paths.is_empty();
    // Names that no list has are of interest where every connection is told, or is asked about.
    let all_names = config.output.hostnames.is_some() || flows || (joins && rules.sigma().ask_connections());
    let make_worker = || {
        let filter = expression.and_then(|expression| Filter::new(expression).ok());
        Worker::new(lists.clone(), all_names, filter).with_conversations(flows || joins)
    };
    let (files, problems) = savefile::open(&config.paths);
    let mut not_read = Vec::new();
    for problem in &problems {
        if problem.is_error() {
            eprintln!("undertone: {problem}");
            not_read.push(problem.to_string());
        } else if speak {
            eprintln!("undertone: {problem}");
        }
    }

    let sources =
        Arc::new(files.iter().map(|file| Source::File(file.path().display().to_string())).collect());
    let total = files.iter().map(savefile::Savefile::size).sum::<Option<u64>>();
    let bar = Progress::new(total, speak);
    let mut delivery = Delivery::open(&config.output, config.talk, &sources, &bar, Folding::replay())?
        .judging_by(rules, allow);
    let stop = stop_on_signals()?;
    let mut feed_refused = Vec::new();
    if joins {
        let (join, memory) = config.feeds.join();
        let join = join.with_hands(Arc::new(Threads(config.threads)));
        delivery.attribute(Attributor::replay(join, memory, flows));
        for path in &config.feeds.paths {
            if let Err(why) = read_feed(path, config.feeds.format, &stop, &mut delivery, &mut feed_refused) {
                let problem = format!("--feed {}: {why}", path.display());
                eprintln!("undertone: {}", Printable(&problem));
                not_read.push(problem);
            }
        }
    }
    let progress = AtomicU64::new(0);
    let reading =
        Reading { threads: config.threads.get(), chunk_bytes: CHUNK_BYTES, stop: &stop, progress: &progress };
    let mut merger = Merger::new(make_worker(), config.separate);
    let mut cut_off = Vec::new();
    reading.files(&files, &make_worker, &mut merger, &mut |told| match told {
        Told::Chunk(finished) => {
            bar.advance(progress.swap(0, Ordering::Relaxed));
            if !delivery.take(*finished) {
                stop.store(true, Ordering::Relaxed);
            }
        }
        Told::File { source, end } => {
            let path =
                files.get(source as usize).map(|file| file.path().display().to_string()).unwrap_or_default();
            match end {
                Ok(Some(end)) if !end.how.is_whole() => cut_off.push(format!("{path}: {end}")),
                Ok(_) => {}
                Err(problem) => {
                    eprintln!("undertone: {problem}");
                    not_read.push(problem.to_string());
                }
            }
        }
    });
    let given_up = merger.finish(&mut |finished| _ = delivery.take(finished));
    bar.finish();
    if speak {
        cut_off.iter().for_each(|line| eprintln!("undertone: {}", Printable(line)));
    }

    let mut ended = delivery.end(&Threads(config.threads));
    let complete = not_read.is_empty() && !stop.load(Ordering::Relaxed);
    if stop.load(Ordering::Relaxed) && ended.failure.is_none() {
        ended.failure = Some(io::Error::new(
            io::ErrorKind::Interrupted,
            "stopped by a signal; what was read until then is reported",
        ));
    }
    ended.closing.inputs = files.len() as u64;
    ended.closing.wall = began.elapsed();
    ended.closing.limits.push(("open conversations given up".to_owned(), given_up));
    ended.closing.cut_off = cut_off;
    ended.closing.not_read = not_read;
    ended.closing.feed_refused = feed_refused;
    Ok(delivery::close(ended, config.output.fail_on, complete, config.talk))
}

/// Reads endpoint telemetry to its end. What cannot be used of it is added to `refused`, by file and reason.
fn read_feed(
    path: &Path,
    format: Option<FeedFormat>,
    stop: &Arc<AtomicBool>,
    delivery: &mut Delivery,
    refused: &mut Vec<(String, u64)>,
) -> Result<(), String> {
    let mut telemetry =
        Telemetry::open_as(path, format).map_err(|error| format!("cannot be read: {error}"))?;
    while !stop.load(Ordering::Relaxed) && telemetry.step(&mut |record| delivery.record(&record)) {}
    let tally = telemetry.tally();
    let name = path.display();
    for (why, found) in tally.refusals() {
        refused.push((format!("{name}: {why} (first: line {})", found.first_line), found.count));
    }
    match telemetry.failure() {
        Some(why) => Err(format!("{why}; what stands before was used")),
        None if tally.told + tally.passed_over == 0 => Err("holds no record of a known format".to_owned()),
        None => Ok(()),
    }
}
