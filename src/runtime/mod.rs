//! Threads, channels and shutdown: the only code that spawns, and the only clock.
//!
//! Each thread of a replay cuts the next chunk of the capture (under a lock; blocks of plain files are read before), scans it, and hands
//! it on. The calling thread is one of them: it merges the chunks in order, correlates, and writes; while there is nothing to merge it
//! scans like the others, so that as many threads as were asked for have work, and no more. No more than a few chunks exist at once:
//! their memory goes round. With one thread, the same machines run one after the other, without any channel.

mod cutting;

use std::io;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::{Sender, TryRecvError, bounded};

use crate::capture::Timestamp;
use crate::capture::savefile::{Chunk, End, Problem, Savefile};
use crate::hands::{Hands, Part};
use crate::merge::{Merger, Scanned};
use crate::worker::{Finished, Worker};
use cutting::Cutting;

/// The bytes of a chunk: large enough that locks and channels cost nothing, small enough that what a core has just read is still in its
/// cache when it scans.
pub const CHUNK_BYTES: usize = 1 << 20;

/// How many chunks exist at once for each thread: one that is scanned, and one that waits for its turn to be merged. Each thread has its own
/// memory for them, which goes round between it and the calling one: what another core has written is slow to be written again.
const CHUNKS_A_THREAD: usize = 2;

/// What reading captures tells the calling thread.
#[derive(Debug)]
pub enum Told {
    /// What a chunk told, in the order of the files.
    Chunk(Box<Finished>),
    /// A file was read to its end, or as far as it goes.
    File {
        /// Which, in the order in which the files were read.
        source: u32,
        /// How it ended, or why it could not be read.
        end: Result<Option<End>, Problem>,
    },
}

/// How captures are read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'r> {
    /// Threads that scan.
    pub threads: usize,
    /// About how many bytes a chunk has.
    pub chunk_bytes: usize,
    /// Once it is true, no further chunk is read; what was read is finished.
    pub stop: &'r Arc<AtomicBool>,
    /// Bytes that were read of the files, for whoever shows progress.
    pub progress: &'r AtomicU64,
}

impl Reading<'_> {
    /// Reads capture files to their ends: scans their chunks, merges them, and tells what they told on the calling thread.
    ///
    /// `make_worker` makes the machine for each thread. The merger is not finished: other files may follow.
    pub fn files(
        &self,
        files: &[Savefile],
        make_worker: &(dyn Fn() -> Worker + Sync),
        merger: &mut Merger,
        tell: &mut dyn FnMut(Told),
    ) {
        let cutting = Cutting::of(files);
        if self.threads == 1 {
            self.alone(&cutting, merger, tell);
            return;
        }
        let (free, memory): (Vec<_>, Vec<_>) = (0..self.threads).map(|_| bounded(CHUNKS_A_THREAD)).unzip();
        for free in free.iter().flat_map(|free| [free; CHUNKS_A_THREAD]) {
            give_back(free, Vec::new());
        }
        // A chunk has a buffer, so the queue never blocks a worker; files that end tell so through it as well.
        let (done, scanned) = bounded(self.threads * (CHUNKS_A_THREAD + 1));
        let cutting = &cutting;
        // What is moved in is dropped with a panic here: the workers then wait for nothing, and end.
        std::thread::scope(move |scope| {
            let mut memory = memory.into_iter().enumerate();
            let Some((_, own_memory)) = memory.next() else { return };
            for (thread, buffers) in memory {
                let done = done.clone();
                scope.spawn(move || {
                    let _told = Fall(&done);
                    let mut worker = make_worker();
                    // The buffer is taken before the chunk gets its number: the chunk whose turn it is always has one.
                    while let Ok(buffer) = buffers.recv() {
                        let mut gone = false;
                        let more = self.scan(cutting, &mut worker, thread, buffer, &mut |message| {
                            gone |= done.send(message).is_err()
                        });
                        if gone || !more {
                            return;
                        }
                    }
                });
            }
            drop(done);
            let mut worker = make_worker();
            let mut more = true;
            loop {
                // What can be merged goes first: others wait for its memory.
                let message = match scanned.try_recv() {
                    Ok(message) => message,
                    Err(TryRecvError::Disconnected) if !more => return,
                    Err(_) => {
                        if more && let Ok(buffer) = own_memory.try_recv() {
                            let mut own = Vec::new();
                            more =
                                self.scan(cutting, &mut worker, 0, buffer, &mut |message| own.push(message));
                            for message in own {
                                merge(message, merger, tell, &free);
                            }
                            continue;
                        }
                        // Every chunk is with another thread, or waits for one that is.
                        match scanned.recv() {
                            Ok(message) => message,
                            Err(_) if more => continue,
                            Err(_) => return,
                        }
                    }
                };
                // The chunk of a thread that has fallen will not come; the scope ends with its panic.
                if !merge(message, merger, tell, &free) {
                    return;
                }
            }
        });
    }

    /// Cuts capture files, and gives each chunk to one of the threads and to nothing else: what is left of a replay when nobody looks at
    /// the frames. `each` is made once a thread.
    pub fn chunks<E: FnMut(&Chunk)>(&self, files: &[Savefile], make: &(dyn Fn() -> E + Sync)) {
        let cutting = Cutting::of(files);
        together(self.threads, &|_| {
            let (mut each, mut buffer) = (make(), Vec::new());
            while let Some((.., chunk)) = self.cut(&cutting, std::mem::take(&mut buffer), &mut Vec::new()) {
                each(&chunk);
                buffer = chunk.into_buffer();
            }
        });
    }

    /// One thread: chunk by chunk, in turn.
    fn alone(&self, cutting: &Cutting<'_>, merger: &mut Merger, tell: &mut dyn FnMut(Told)) {
        let mut buffer = Vec::new();
        loop {
            let mut ends = Vec::new();
            let next = self.cut(cutting, std::mem::take(&mut buffer), &mut ends);
            if let Some((_, source, chunk)) = next {
                merger.read(source, &chunk, &mut |finished| tell(Told::Chunk(Box::new(finished))));
                buffer = chunk.into_buffer();
            } else {
                ends.into_iter().for_each(|(source, end)| tell(Told::File { source, end }));
                return;
            }
            ends.into_iter().for_each(|(source, end)| tell(Told::File { source, end }));
        }
    }

    /// One of several threads: cuts and scans a chunk, and gives what there is to tell. Says whether there may be another chunk.
    fn scan(
        &self,
        cutting: &Cutting<'_>,
        worker: &mut Worker,
        thread: usize,
        buffer: Vec<u8>,
        give: &mut dyn FnMut(Message),
    ) -> bool {
        let mut ends = Vec::new();
        let next = self.cut(cutting, buffer, &mut ends);
        ends.into_iter().for_each(|(source, end)| give(Message::File(source, end)));
        let Some((number, source, chunk)) = next else { return false };
        let scan = worker.scan(source, &chunk);
        give(Message::Chunk(number, Box::new(Scanned { source, chunk, scan, thread })));
        true
    }
}

/// Does the same on so many threads at once, each with its number from 0, one of them the calling one.
pub fn together(threads: usize, work: &(dyn Fn(usize) + Sync)) {
    std::thread::scope(|scope| {
        for nth in 1..threads {
            scope.spawn(move || work(nth));
        }
        work(0);
    });
}

/// Threads that do what can be done at once, the calling one among them; they are there while there is something to do.
#[derive(Clone, Copy, Debug)]
pub struct Threads(pub NonZeroUsize);

impl Hands for Threads {
    fn count(&self) -> usize {
        self.0.get()
    }

    fn all(&self, parts: Vec<Part<'_>>) {
        let threads = self.count().min(parts.len());
        let queue = Mutex::new(parts.into_iter());
        // Whoever has panicked held no lock.
        let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
        together(threads.max(1), &|_| {
            while let Some(part) = next() {
                part();
            }
        });
    }
}

/// Does two things, `at_once` where there is a thread to spare for the second.
pub fn both<A, B: Send>(
    at_once: bool,
    first: impl FnOnce() -> A,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    if !at_once {
        return (first(), second());
    }
    std::thread::scope(|scope| {
        let second = scope.spawn(second);
        let first = first();
        match second.join() {
            Ok(second) => (first, second),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

enum Message {
    Chunk(u64, Box<Scanned>),
    File(u32, Result<Option<End>, Problem>),
    /// A worker has panicked.
    Fallen,
}

/// Takes what a thread told, on the calling one. Says whether there can be more.
fn merge(
    message: Message,
    merger: &mut Merger,
    tell: &mut dyn FnMut(Told),
    free: &[Sender<Vec<u8>>],
) -> bool {
    match message {
        Message::Chunk(number, scanned) => merger.push(
            number,
            *scanned,
            &mut |finished| tell(Told::Chunk(Box::new(finished))),
            &mut |thread, buffer| {
                if let Some(free) = free.get(thread) {
                    give_back(free, buffer);
                }
            },
        ),
        Message::File(source, end) => tell(Told::File { source, end }),
        Message::Fallen => return false,
    }
    true
}

/// Tells that a worker has panicked, as it does so.
struct Fall<'s>(&'s Sender<Message>);

impl Drop for Fall<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            drop(self.0.send(Message::Fallen));
        }
    }
}

/// Gives a chunk's memory back for the next one. The workers may be gone by then.
fn give_back(free: &Sender<Vec<u8>>, buffer: Vec<u8>) {
    drop(free.send(buffer));
}

/// Flags that signals set. Whoever sees one of the last two takes it down.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    /// SIGINT, SIGTERM: the process is to end.
    pub stop: Arc<AtomicBool>,
    /// SIGHUP: what was read from files is to be read again.
    pub reload: Arc<AtomicBool>,
    /// SIGUSR1: the counters are to be told.
    pub stats: Arc<AtomicBool>,
}

impl Signals {
    /// Installs the handlers.
    ///
    /// # Errors
    /// When the system refuses to.
    pub fn install() -> io::Result<Self> {
        let signals = Self { stop: stop_on_signals()?, ..Self::default() };
        signal_hook::flag::register(signal_hook::consts::SIGHUP, signals.reload.clone())?;
        signal_hook::flag::register(signal_hook::consts::SIGUSR1, signals.stats.clone())?;
        Ok(signals)
    }
}

/// A flag that becomes true when a signal asks the process to end (SIGINT, SIGTERM); a second signal ends it at once.
///
/// # Errors
/// When the system refuses to install the handlers.
pub fn stop_on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // In this order: the first signal finds the flag false and sets it, the second finds it true.
        signal_hook::flag::register_conditional_default(signal, stop.clone())?;
        signal_hook::flag::register(signal, stop.clone())?;
    }
    Ok(stop)
}

/// Starts a thread with a name of at most fifteen letters, for those who look at the process.
///
/// # Errors
/// When the system has no room for one more.
pub fn spawn<T: Send + 'static>(
    name: String,
    run: impl FnOnce() -> T + Send + 'static,
) -> io::Result<std::thread::JoinHandle<T>> {
    std::thread::Builder::new().name(name).spawn(run)
}

/// The time of day, as captures count it.
pub fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_do_each_part_once_whoever_is_first() {
        for count in 1..5 {
            let threads = Threads(NonZeroUsize::new(count).unwrap());
            for parts in [0, 1, 2, 1000] {
                let mut done = vec![0; parts];
                threads
                    .all(done.iter_mut().map(|done| -> Part<'_> { Box::new(move || *done += 1) }).collect());
                assert!(done.iter().all(|done| *done == 1), "{count} {parts}");
            }
        }
    }
}
