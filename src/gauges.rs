//! What a live capture has counted so far, by thread and interface: for the summary, the `stats` records and whoever scrapes.

use crate::capture::LiveCounts;
use crate::sink::{Closing, InterfaceStats, Stats, TapStats, ThreadStats, count};
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

/// What came, and what of it was lost.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Loss {
    /// Frames that came, as far as anybody counted them.
    pub came: u64,
    /// Frames that the kernel or an interface dropped.
    pub lost: u64,
    /// Names that were given up because a queue was full.
    pub queue_full: u64,
}

impl Loss {
    /// What was lost since an earlier time, in words, if it was more than a thousandth of what came.
    pub fn since(self, earlier: Self) -> Option<String> {
        let came = self.came.saturating_sub(earlier.came);
        let lost = self.lost.saturating_sub(earlier.lost);
        let names = self.queue_full.saturating_sub(earlier.queue_full);
        let mut words = Vec::new();
        if lost.saturating_mul(1000) > came {
            let percent = lost as f64 * 100.0 / came.max(1) as f64;
            words.push(format!("{} of {} packets ({percent:.1} %)", count(lost), count(came)));
        }
        if names > 0 {
            words.push(format!("{} names, since what is told could not be handled in time", count(names)));
        }
        (!words.is_empty()).then(|| words.join("; and "))
    }
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

    /// The counters by interface, thread, and both.
    pub fn stats(&self, stats: &mut Stats) {
        for (number, interface) in self.interfaces.iter().enumerate() {
            stats.interfaces.push(InterfaceStats {
                name: interface.name.clone(),
                up: interface.up,
                reopened: interface.reopened,
                interface_dropped: self.frames(number).kernel.interface_dropped,
            });
        }
        for (thread, gauges) in self.threads.iter().enumerate() {
            let Tally { queue_full, evicted, .. } = gauges.tally;
            stats.threads.push(ThreadStats { thread, queue_full, evicted });
            for ((interface, kernel), counts) in
                self.interfaces.iter().zip(&gauges.tally.interfaces).zip(&gauges.counts)
            {
                stats.taps.push(TapStats {
                    thread,
                    interface: interface.name.clone(),
                    received: kernel.received,
                    processed: counts.frames,
                    dropped: kernel.dropped,
                    skipped: kernel.skipped,
                    malformed: counts.malformed(),
                });
            }
        }
    }

    /// All frames, and those that are lost: what the kernel and the interfaces dropped.
    pub fn loss(&self) -> Loss {
        let mut loss = Loss { queue_full: self.queue_full(), ..Loss::default() };
        for number in 0..self.interfaces.len() {
            let kernel = self.frames(number).kernel;
            loss.came += kernel.received + kernel.interface_dropped;
            loss.lost += kernel.dropped + kernel.interface_dropped;
        }
        loss
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_from_a_thousandth_on() {
        let loss = |came, lost, queue_full| Loss { came, lost, queue_full };
        for (now, before, words) in [
            (loss(1_000, 1, 0), loss(0, 0, 0), None),
            (loss(1_000, 2, 0), loss(0, 0, 0), Some("2 of 1,000 packets (0.2 %)")),
            (loss(101_000, 52, 0), loss(100_000, 50, 0), Some("2 of 1,000 packets (0.2 %)")),
            (loss(0, 0, 0), loss(0, 0, 0), None),
            (loss(0, 0, 7), loss(0, 0, 6), Some("1 names, since what is told could not be handled in time")),
        ] {
            assert_eq!(now.since(before).as_deref(), words, "{now:?}");
        }
    }
}
