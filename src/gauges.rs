//! What a live capture has counted so far, by thread and interface: for the summary, the `stats` records and whoever scrapes.

use crate::capture::LiveCounts;
use crate::sink::Closing;
use crate::stats::Counts;
use crate::tap::{Batch, Tally};

/// All counters of a live capture.
#[derive(Clone, Debug, Default)]
pub struct Gauges {
    /// By the number of the interface.
    pub interfaces: Vec<InterfaceGauges>,
    /// By the number of the thread.
    pub threads: Vec<ThreadGauges>,
}

/// What is said of an interface beside what threads count of it.
#[derive(Clone, Debug, Default)]
pub struct InterfaceGauges {
    /// Its name.
    pub name: String,
    /// Whether it can be read at the moment.
    pub up: bool,
    /// How often it was opened anew.
    pub reopened: u64,
}

/// What a thread has counted.
#[derive(Clone, Debug, Default)]
pub struct ThreadGauges {
    /// What the kernel counted, and what was given up.
    pub tally: Tally,
    /// What became of the frames, by interface.
    pub counts: Vec<Counts>,
}

/// Frames of an interface, of all threads.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Frames {
    /// What the kernel counted; what the interface itself dropped each handle counts, so it is the largest that is right.
    pub kernel: LiveCounts,
    /// Frames that were looked at.
    pub processed: u64,
}

impl Gauges {
    /// Nothing counted yet, on so many threads.
    pub fn new(interfaces: &[String], threads: usize) -> Self {
        let interface = |name: &String| InterfaceGauges { name: name.clone(), up: true, reopened: 0 };
        let counts = vec![Counts::default(); interfaces.len()];
        let tally = Tally { interfaces: vec![LiveCounts::default(); interfaces.len()], ..Tally::default() };
        Self {
            interfaces: interfaces.iter().map(interface).collect(),
            threads: vec![ThreadGauges { tally, counts }; threads],
        }
    }

    /// Adds what a thread told.
    pub fn add(&mut self, batch: &Batch) {
        let Some(thread) = self.threads.get_mut(batch.thread) else { return };
        for finished in &batch.finished {
            if let Some(counts) = thread.counts.get_mut(finished.source as usize) {
                counts.add(&finished.counts);
            }
        }
        if let Some(tally) = &batch.tally {
            thread.tally = tally.clone();
        }
    }

    /// What became of the frames of an interface.
    pub fn frames(&self, interface: usize) -> Frames {
        let mut all = Frames::default();
        for thread in &self.threads {
            let kernel = thread.tally.interfaces.get(interface).copied().unwrap_or_default();
            let dropped = all.kernel.interface_dropped.max(kernel.interface_dropped);
            all.kernel = LiveCounts { interface_dropped: dropped, ..all.kernel + kernel };
            all.processed += thread.counts.get(interface).map_or(0, |counts| counts.frames);
        }
        all
    }

    /// Says in a closing summary what was lost.
    pub fn close(&self, closing: &mut Closing) {
        for (number, interface) in self.interfaces.iter().enumerate() {
            let kernel = self.frames(number).kernel;
            closing.dropped.push((format!("{}: kernel", interface.name), kernel.dropped));
            closing.dropped.push((format!("{}: interface", interface.name), kernel.interface_dropped));
            let early = format!("{}: before all threads were ready", interface.name);
            closing.dropped.push((early, kernel.skipped));
        }
        closing.dropped.push(("names: queue full".to_owned(), self.queue_full()));
        closing.limits.push(("open conversations given up".to_owned(), self.evicted()));
    }

    /// Names that were given up because the queue to the Correlator was full.
    pub fn queue_full(&self) -> u64 {
        self.threads.iter().map(|thread| thread.tally.queue_full).sum()
    }

    /// Open conversations that were given up because a table was full.
    pub fn evicted(&self) -> u64 {
        self.threads.iter().map(|thread| thread.tally.evicted).sum()
    }
}
