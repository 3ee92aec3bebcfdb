//! The chunks of all captures, put back into their order.
//!
//! Workers scan chunks in any order; a [`Merger`] finishes them in the order in which they were cut, each with the conversations that the
//! chunk before it left open, and numbers their frames. Files that follow one another in time are one capture: the first
//! chunk of one is resumed with what the last chunk of the other left open.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::capture::savefile::Chunk;
use crate::capture::{ChainId, Chains, Timestamp};
use crate::worker::{Finished, Open, Scan, Worker};

/// A chunk that was scanned.
#[derive(Debug)]
pub struct Scanned {
    /// Which file it is of, in the order in which files are read.
    pub source: u32,
    /// The chunk.
    pub chunk: Chunk,
    /// What its scan gave.
    pub scan: Scan,
    /// Whose memory it lies in.
    pub thread: usize,
}

/// Finishes chunks in order.
#[derive(Debug)]
pub struct Merger {
    worker: Worker,
    chains: Chains,
    /// Chunks that came before their turn, by their number.
    early: BTreeMap<u64, Scanned>,
    next: u64,
    open: FxHashMap<ChainId, Open>,
    current: Option<Current>,
    evicted: u64,
}

/// The file that is being read.
#[derive(Clone, Copy, Debug)]
struct Current {
    source: u32,
    chain: ChainId,
    frames: u64,
    latest: Option<Timestamp>,
}

impl Merger {
    /// A Merger that resumes with `worker`. With `separate` no file continues another.
    pub fn new(worker: Worker, separate: bool) -> Self {
        Self {
            worker,
            chains: Chains::new(separate),
            early: BTreeMap::new(),
            next: 0,
            open: FxHashMap::default(),
            current: None,
            evicted: 0,
        }
    }

    /// Takes the chunk that was cut as the `number`th, from 0, and finishes all that can be finished now. `tell` is given what each
    /// chunk told, and `recycle` its memory and whose that is.
    pub fn push(
        &mut self,
        number: u64,
        scanned: Scanned,
        tell: &mut dyn FnMut(Finished),
        recycle: &mut dyn FnMut(usize, Vec<u8>),
    ) {
        self.early.insert(number, scanned);
        while let Some(scanned) = self.early.remove(&self.next) {
            self.next += 1;
            let Scanned { source, chunk, scan, thread } = scanned;
            let current = self.current(source, &chunk, tell);
            let open = self.open.entry(current.chain).or_default();
            let finished = self.worker.resume(open, current.frames, &chunk, scan);
            self.passed(current, &finished);
            tell(finished);
            recycle(thread, chunk.into_buffer());
        }
    }

    /// Reads the next chunk, where nobody scans chunks before their turn: in one pass.
    pub fn read(&mut self, source: u32, chunk: &Chunk, tell: &mut dyn FnMut(Finished)) {
        let current = self.current(source, chunk, tell);
        let open = self.open.entry(current.chain).or_default();
        let finished = self.worker.follow(source, open, current.frames, chunk);
        self.passed(current, &finished);
        tell(finished);
    }

    /// Tells what the conversations that are still open at the end of everything say.
    ///
    /// Says how many conversations were given up because a limit was reached.
    pub fn finish(mut self, tell: &mut dyn FnMut(Finished)) -> u64 {
        self.end_file();
        let mut chains: Vec<ChainId> = self.open.keys().copied().collect();
        chains.sort_unstable();
        self.evicted + chains.into_iter().map(|chain| self.end_chain(chain, tell)).sum::<u64>()
    }

    /// Where the file of a chunk stands before it.
    fn current(&mut self, source: u32, chunk: &Chunk, tell: &mut dyn FnMut(Finished)) -> Current {
        match self.current {
            Some(current) if current.source == source => current,
            _ => self.begin_file(source, chunk.first_at(), tell),
        }
    }

    fn passed(&mut self, before: Current, finished: &Finished) {
        self.current = Some(Current {
            frames: before.frames + finished.counts.frames,
            latest: before.latest.max(finished.counts.last),
            ..before
        });
    }

    fn begin_file(
        &mut self,
        source: u32,
        first: Option<Timestamp>,
        tell: &mut dyn FnMut(Finished),
    ) -> Current {
        self.end_file();
        for over in first.map_or_else(Vec::new, |first| self.chains.take_finished(first)) {
            self.evicted += self.end_chain(over, tell);
        }
        let chain = self.chains.place(first);
        Current { source, chain, frames: 0, latest: None }
    }

    fn end_file(&mut self) {
        if let Some(Current { chain, latest, .. }) = self.current.take() {
            self.chains.ended(chain, latest);
        }
    }

    fn end_chain(&mut self, chain: ChainId, tell: &mut dyn FnMut(Finished)) -> u64 {
        let Some(open) = self.open.remove(&chain) else { return 0 };
        let (finished, evicted) = self.worker.finish(open);
        tell(finished);
        evicted
    }
}
