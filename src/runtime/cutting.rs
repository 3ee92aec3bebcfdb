//! The captures of a replay as several threads cut them: each reads its next block before its turn, and cuts it in its turn.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::Reading;
use crate::capture::savefile::{Blocks, Chunk, Cutter, End, Problem, Savefile};

/// Captures that several threads cut.
#[derive(Debug)]
pub(super) struct Cutting<'f> {
    files: &'f [Savefile],
    /// Of the file that is being cut, to be read ahead.
    blocks: Mutex<Option<Blocks>>,
    place: Mutex<Place>,
    /// Told when a chunk has been cut.
    turn: Condvar,
}

impl<'f> Cutting<'f> {
    pub(super) fn of(files: &'f [Savefile]) -> Self {
        Self { files, blocks: Mutex::default(), place: Mutex::default(), turn: Condvar::new() }
    }
}

/// Where the cutting of the captures stands.
#[derive(Debug, Default)]
struct Place {
    /// The file that is being cut.
    source: u32,
    /// Number of the next chunk.
    number: u64,
    cutter: Option<Cutter>,
}

/// What is behind a lock. A thread that panicked has poisoned nothing that matters: the scope ends with its panic.
fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reading<'_> {
    /// The next chunk of the captures, with its number and its file's.
    pub(super) fn cut(
        &self,
        cutting: &Cutting<'_>,
        mut buffer: Vec<u8>,
        ends: &mut Vec<(u32, Result<Option<End>, Problem>)>,
    ) -> Option<(u64, u32, Chunk)> {
        /// How long a turn is waited for. It comes when another thread has read a block, or never, if that has fallen.
        const TURN: Duration = Duration::from_millis(2);
        let mut block = None;
        if self.threads > 1 {
            let blocks = held(&cutting.blocks).clone();
            block = blocks.and_then(|blocks| blocks.read(&mut buffer));
        }
        let mut place = held(&cutting.place);
        while let (Some(block), Some(cutter)) = (&block, &place.cutter)
            && cutter.awaits(block)
        {
            let (waited, late) =
                cutting.turn.wait_timeout(place, TURN).unwrap_or_else(PoisonError::into_inner);
            place = waited;
            if late.timed_out() {
                break;
            }
        }
        let Cutting { files, .. } = cutting;
        let Place { source, number, cutter } = &mut *place;
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if cutter.is_none() {
                match self.open(files.get(*source as usize)?) {
                    Ok(open) => {
                        *held(&cutting.blocks) = open.blocks().cloned();
                        *cutter = Some(open);
                    }
                    Err(_) if self.stop.load(Ordering::Relaxed) => return None,
                    Err(problem) => {
                        ends.push((*source, Err(problem)));
                        *source += 1;
                    }
                }
            }
            let Some(open) = cutter else { continue };
            let before = open.counts().stored_bytes;
            let cut = open.next_with(std::mem::take(&mut buffer), block.take());
            cutting.turn.notify_all();
            self.progress.fetch_add(open.counts().stored_bytes - before, Ordering::Relaxed);
            if let Some(chunk) = cut {
                *number += 1;
                return Some((*number - 1, *source, chunk));
            }
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            ends.push((*source, Ok(open.end())));
            *cutter = None;
            *held(&cutting.blocks) = None;
            *source += 1;
        }
    }

    fn open(&self, file: &Savefile) -> Result<Cutter, Problem> {
        if !file.is_stream() {
            return file.cutter(self.chunk_bytes);
        }
        let stream = file.clone();
        file.cutter_over(Patient::start(move || stream.open(), self.stop.clone()), self.chunk_bytes)
    }
}

/// A stream that may be silent for any time, read by a thread of its own: whoever waits for it can be stopped.
struct Patient {
    blocks: Receiver<io::Result<Vec<u8>>>,
    /// What is left of the last block.
    block: io::Cursor<Vec<u8>>,
    stop: Arc<AtomicBool>,
}

impl Patient {
    /// What a pipe holds on Linux: more does not come at once.
    const BLOCK_BYTES: usize = 64 << 10;
    /// Blocks that are read ahead.
    const BLOCKS: usize = 4;
    /// How long it takes to notice that it is to stop.
    const NOTICE: Duration = Duration::from_millis(50);

    /// Opens a stream, which may wait too, and reads it. The thread is left behind when nobody reads here any more: it ends
    /// with the process, for nothing else wakes it from a read.
    fn start(
        open: impl FnOnce() -> io::Result<Box<dyn Read + Send>> + Send + 'static,
        stop: Arc<AtomicBool>,
    ) -> io::Result<Box<dyn Read + Send>> {
        let (give, blocks) = bounded(Self::BLOCKS);
        let read = move || {
            let mut stream = match open() {
                Ok(stream) => stream,
                Err(error) => return drop(give.send(Err(error))),
            };
            loop {
                let mut block = vec![0; Self::BLOCK_BYTES];
                let got = match stream.read(&mut block) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    got => got,
                };
                let last = !matches!(got, Ok(1..));
                let block = got.map(|got| {
                    block.truncate(got);
                    block
                });
                if give.send(block).is_err() || last {
                    return;
                }
            }
        };
        std::thread::Builder::new().spawn(read)?;
        Ok(Box::new(Self { blocks, block: io::Cursor::default(), stop }))
    }
}

impl Read for Patient {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let got = self.block.read(into)?;
            if got > 0 || into.is_empty() || self.stop.load(Ordering::Relaxed) {
                return Ok(got);
            }
            match self.blocks.recv_timeout(Self::NOTICE) {
                Ok(block) => self.block = io::Cursor::new(block?),
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
            if self.block.get_ref().is_empty() {
                return Ok(0);
            }
        }
    }
}
