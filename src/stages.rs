//! What `bench` measures: how long each stage of a replay takes with the ones before it, and how much memory the whole.

use std::fs::File;
use std::hint::black_box;
use std::io;
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::capture::savefile::{Chunk, Savefile};
use crate::cli::{Color, Format};
use crate::config::{Destination, Output, Talk, Verbosity};
use crate::correlator::Folding;
use crate::decode::{self, Transport};
use crate::delivery::{Delivery, Ended};
use crate::lists::Lists;
use crate::merge::Merger;
use crate::rules::Level;
use crate::runtime::{CHUNK_BYTES, Reading, Threads, Told, together};
use crate::sink::{Progress, Source, Sources};
use crate::stats::Counts;
use crate::worker::{Finished, What, Worker};

/// A stage, with everything before it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Stage {
    /// The bytes of the files, and nothing else: what the machine can do at best.
    Reading,
    /// The heads of records, and the first bytes of each frame.
    Headers,
    /// Link, network and transport.
    Decode,
    /// Conversations and names, put into order; no list is met.
    Inspect,
    /// The built-in lists.
    Lists,
    /// Judging, and writing what is told to nowhere.
    Whole,
}

impl Stage {
    pub(crate) const ALL: [Self; 6] =
        [Self::Reading, Self::Headers, Self::Decode, Self::Inspect, Self::Lists, Self::Whole];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Headers => "headers",
            Self::Decode => "decode",
            Self::Inspect => "inspect",
            Self::Lists => "lists",
            Self::Whole => "whole",
        }
    }
}

/// What is measured on.
pub(crate) struct Subject {
    /// Files that can be read again and again.
    pub(crate) files: Vec<Savefile>,
    none: Arc<Lists>,
    builtin: Arc<Lists>,
}

/// What a measurement gave.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) time: Duration,
    /// Of the stages that count.
    pub(crate) counts: Counts,
    /// Names that met a list.
    pub(crate) contacts: u64,
    /// The most memory that the process had meanwhile, in bytes, where the system tells.
    pub(crate) peak: Option<u64>,
}

impl Subject {
    pub(crate) fn new(files: Vec<Savefile>) -> Self {
        Self { files, none: Arc::default(), builtin: Arc::new(Lists::builtin()) }
    }

    /// Goes through the files once.
    pub(crate) fn measure(&self, stage: Stage, threads: usize) -> io::Result<Measured> {
        forget_peak();
        let began = Instant::now();
        let mut ended = None;
        let (counts, contacts) = match stage {
            Stage::Reading => {
                self.read(threads)?;
                Default::default()
            }
            Stage::Headers => self.walk(threads, headers),
            Stage::Decode => self.walk(threads, decoded),
            Stage::Inspect => self.names(threads, &self.none),
            Stage::Lists => self.names(threads, &self.builtin),
            Stage::Whole => self.whole(threads, &mut ended)?,
        };
        let time = began.elapsed();
        // A process that ends does not give its memory back piece by piece; here there are further rounds.
        drop(ended);
        Ok(Measured { time, counts, contacts, peak: peak() })
    }

    /// Every thread reads every so-manieth block.
    fn read(&self, threads: usize) -> io::Result<()> {
        /// As a replay reads.
        const BLOCK: usize = 256 << 10;
        let failure = std::sync::Mutex::new(None);
        for file in &self.files {
            let next = AtomicU64::new(0);
            together(threads, &|_| {
                let mut block = vec![0; BLOCK];
                let read = File::open(file.path()).and_then(|file| {
                    loop {
                        let at = next.fetch_add(BLOCK as u64, Ordering::Relaxed);
                        if file.read_at(&mut block, at)? == 0 {
                            return Ok(());
                        }
                        black_box(&block);
                    }
                });
                if let (Err(error), Ok(mut failure)) = (read, failure.lock()) {
                    *failure = Some(error);
                }
            });
        }
        failure.into_inner().ok().flatten().map_or(Ok(()), Err)
    }

    fn walk(&self, threads: usize, each: fn(&Chunk) -> u64) -> (Counts, u64) {
        let frames = AtomicU64::new(0);
        with_reading(threads, |reading| {
            reading.chunks(&self.files, &|| {
                |chunk: &Chunk| {
                    black_box(each(chunk));
                    frames.fetch_add(u64::from(chunk.len()), Ordering::Relaxed);
                }
            });
        });
        (Counts { frames: frames.into_inner(), ..Counts::default() }, 0)
    }

    fn names(&self, threads: usize, lists: &Arc<Lists>) -> (Counts, u64) {
        let make = || Worker::new(lists.clone(), false, None);
        let mut merger = Merger::new(make(), false);
        let (mut counts, mut contacts) = (Counts::default(), 0);
        let mut take = |finished: Finished| {
            counts.add(&finished.counts);
            contacts += contacts_of(&finished);
        };
        with_reading(threads, |reading| {
            reading.files(&self.files, &make, &mut merger, &mut |told| {
                if let Told::Chunk(finished) = told {
                    take(*finished);
                }
            });
        });
        merger.finish(&mut take);
        (counts, contacts)
    }

    /// As `replay -o /dev/null` does it.
    fn whole(&self, threads: usize, ended: &mut Option<Ended>) -> io::Result<(Counts, u64)> {
        let lists = Arc::new(Lists::builtin());
        let make = || Worker::new(lists.clone(), false, None);
        let sources: Arc<Sources> =
            Arc::new(self.files.iter().map(|file| Source::File(file.path().display().to_string())).collect());
        let bar = Progress::new(None, false);
        let output = Output {
            findings: Destination::File(PathBuf::from("/dev/null")),
            hostnames: None,
            flows: None,
            format: Format::Ecs,
            json: true,
            min_level: Level::Low,
            repeat_window: Duration::from_secs(3600),
            fail_on: None,
        };
        let talk = Talk { color: Color::Never, verbosity: Verbosity::Quiet };
        let mut delivery = Delivery::open(&output, talk, &sources, &bar, Folding::replay())?;
        let mut merger = Merger::new(make(), false);
        let (mut counts, mut contacts) = (Counts::default(), 0);
        let mut take = |finished: Finished| {
            counts.add(&finished.counts);
            contacts += contacts_of(&finished);
            // What cannot be written is told at the end.
            _ = delivery.take(finished);
        };
        with_reading(threads, |reading| {
            reading.files(&self.files, &make, &mut merger, &mut |told| {
                if let Told::Chunk(finished) = told {
                    take(*finished);
                }
            });
        });
        merger.finish(&mut take);
        let threads = Threads(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN));
        ended.insert(delivery.end(&threads)).failure.take().map_or(Ok((counts, contacts)), Err)
    }
}

fn with_reading(threads: usize, read: impl FnOnce(Reading<'_>)) {
    let (stop, progress) = (Arc::new(AtomicBool::new(false)), AtomicU64::new(0));
    read(Reading { threads, chunk_bytes: CHUNK_BYTES, stop: &stop, progress: &progress });
}

/// Reads what decoding reads: the time, the lengths, and the first 54 bytes of each frame.
fn headers(chunk: &Chunk) -> u64 {
    chunk.frames().fold(0, |sum, (_, frame)| {
        let touched = frame.bytes.iter().take(54).step_by(18).fold(0, |all, byte| all ^ byte);
        sum.wrapping_add(frame.at.as_nanos() as u64 ^ u64::from(frame.wire_len) ^ u64::from(touched))
    })
}

fn decoded(chunk: &Chunk) -> u64 {
    chunk.frames().fold(0, |sum, (_, frame)| {
        let decoded = decode::packet(frame.link, frame.bytes, frame.wire_len);
        sum ^ match decoded.map(|packet| packet.transport) {
            Ok(Transport::Tcp(segment)) => u64::from(segment.seq) ^ segment.payload.len() as u64,
            Ok(Transport::Udp(datagram)) => u64::from(datagram.dst_port),
            Ok(_) | Err(_) => 1,
        }
    })
}

/// Makes the peak what is held now.
fn forget_peak() {
    // Where that cannot be asked for, the peak is that of everything measured so far.
    _ = std::fs::write("/proc/self/clear_refs", "5");
}

fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibi| kibi << 10)
}

/// How many names met a list.
fn contacts_of(finished: &Finished) -> u64 {
    let names = finished.events.iter().filter(|event| matches!(event.what, What::Hostname(_)));
    names.count() as u64
}
