//! `undertone live`: an interface in, findings out, until a signal ends it.
//!
//! One handle, one thread, and the same machines as a replay: a frame is read as it comes, with what is open carried from
//! one to the next.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::capture::{Filter, Live, LiveOptions, Look, Timestamp};
use crate::config::{self, Verbosity};
use crate::correlator::Folding;
use crate::delivery::{self, Delivery};
use crate::runtime::{now, stop_on_signals};
use crate::seen::Mark;
use crate::sink::{Printable, Progress, Source};
use crate::worker::{Open, Told, Worker};

/// Frames after which what they told is handed on, at the latest.
const BATCH: u64 = 4096;

/// A signal has come. What the kernel took before it has been seen, and is still handled: until a frame is younger, or none comes.
#[derive(Clone, Copy, Debug)]
struct Stopping {
    from: Timestamp,
    idle: u32,
}

impl Stopping {
    /// Looks without a frame that show that the kernel holds none: all but the first wait as long as the kernel gathers frames, and
    /// one of them is there for chance.
    const IDLE: u32 = 3;
}

/// Captures until a signal comes. Gives the exit status.
///
/// # Errors
/// When the filter is wrong or an output cannot be opened.
pub fn run(config: &config::Live) -> Result<u8, Box<dyn std::error::Error>> {
    let began = Instant::now();
    let speak = config.talk.verbosity > Verbosity::Quiet;
    let [interface] = config.interfaces.as_slice() else {
        return Err(
            "--interface: this version captures on one interface; start one undertone for each".into()
        );
    };
    let (lists, _) = delivery::lists(&config.lists, speak);
    let mut worker = Worker::new(Arc::new(lists), config.output.hostnames.is_some(), None);
    let options =
        LiveOptions { snaplen: config.snaplen, buffer: config.buffer, filter: config.filter.clone() };
    config.filter.as_deref().map(Filter::new).transpose().map_err(|why| format!("--filter: {why}"))?;
    let mut capture = match Live::open(interface, &options) {
        Ok(capture) => capture,
        Err(error) => {
            eprintln!("undertone: {}", Printable(&error.to_string()));
            return Ok(1);
        }
    };
    let sources = Arc::new([Source::Interface(interface.clone())].into_iter().collect());
    let bar = Progress::new(None, false);
    let mut delivery = Delivery::open(&config.output, config.talk, &sources, &bar, Folding::live())?;
    let stop = stop_on_signals()?;
    if speak {
        eprintln!("undertone: capturing on {interface}; Ctrl-C ends it");
    }

    let mut open = Open::default();
    let mut frames = 0;
    let mut failure = None;
    let mut stopping = None;
    let mut told = Told::default();
    loop {
        if stopping.is_none() && stop.load(Ordering::Relaxed) {
            stopping = Some(Stopping { from: now(), idle: 0 });
        }
        let (mut idle, mut last) = (true, false);
        match capture.look() {
            Ok(Look::Frame(frame)) => {
                frames += 1;
                idle = false;
                last = stopping.is_some_and(|stopping| frame.at > stopping.from);
                let mark = Mark { source: 0, frame: frames, at: frame.at };
                worker.frame(&mut open, &frame, mark, &mut told);
            }
            Ok(Look::Idle) => {
                if let Some(stopping) = &mut stopping {
                    stopping.idle += 1;
                    last = stopping.idle == Stopping::IDLE;
                }
            }
            Err(error) => {
                failure = Some(error);
                last = true;
            }
        }
        if !told.is_quiet() || idle || last || frames % BATCH == 0 {
            let finished = worker.hand_over(0, std::mem::take(&mut told));
            let at: Timestamp = if idle { now() } else { finished.counts.last.unwrap_or_default() };
            if !delivery.take(finished) || !delivery.tick(at) {
                break;
            }
        }
        if last {
            break;
        }
    }

    let given_up = open.evicted();
    delivery.take(worker.finish(open).0);
    let kernel = capture.counts();
    let mut ended = delivery.end();
    ended.closing.inputs = 1;
    ended.closing.wall = began.elapsed();
    ended.closing.limits.push(("open conversations given up".to_owned(), given_up));
    ended.closing.dropped = vec![
        (format!("{interface}: kernel"), kernel.dropped),
        (format!("{interface}: interface"), kernel.interface_dropped),
    ];
    if let Some(error) = &failure {
        eprintln!("undertone: {interface}: {error}");
    }
    Ok(delivery::close(ended, config.output.fail_on, failure.is_none(), config.talk))
}
