//! `undertone replay`: capture files in, findings out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::capture::{Filter, savefile};
use crate::config::{self, Verbosity};
use crate::correlator::Folding;
use crate::delivery::{self, Delivery};
use crate::merge::Merger;
use crate::runtime::{CHUNK_BYTES, Reading, Told, stop_on_signals};
use crate::sink::{Printable, Progress, Source};
use crate::worker::Worker;

/// Replays capture files. Gives the exit status.
///
/// # Errors
/// When the filter is wrong or an output cannot be opened; nothing was read then.
pub fn run(config: &config::Replay) -> Result<u8, Box<dyn std::error::Error>> {
    let began = Instant::now();
    let speak = config.talk.verbosity > Verbosity::Quiet;
    let (lists, _) = delivery::lists(&config.lists, speak);
    let lists = Arc::new(lists);
    let filter =
        config.filter.as_deref().map(Filter::new).transpose().map_err(|why| format!("--filter: {why}"))?;
    let expression = filter.as_ref().map(Filter::as_str);
    let make_worker = || {
        let filter = expression.and_then(|expression| Filter::new(expression).ok());
        Worker::new(lists.clone(), config.output.hostnames.is_some(), filter)
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
    let mut delivery = Delivery::open(&config.output, config.talk, &sources, &bar, Folding::replay())?;
    let stop = stop_on_signals()?;
    let progress = AtomicU64::new(0);
    let reading =
        Reading { threads: config.threads.get(), chunk_bytes: CHUNK_BYTES, stop: &stop, progress: &progress };
    let mut merger = Merger::new(make_worker(), config.separate);
    let mut cut_off = Vec::new();
    reading.files(&files, &make_worker, &mut merger, &mut |told| match told {
        Told::Chunk(finished) => {
            bar.advance(progress.swap(0, Ordering::Relaxed));
            if !delivery.take(finished) {
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

    let mut ended = delivery.end();
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
    Ok(delivery::close(ended, config.output.fail_on, complete, config.talk))
}
