//! Which capture files are one capture.
//!
//! A long capture is often written as many files, one after another (`tcpdump -G`, `dumpcap -b`). Such files form a
//! *chain*, and a conversation goes on over the edge between them. Files that overlap in time come from different
//! places and keep separate state. This is only the rule: it opens nothing.

use super::Timestamp;

/// Files that are one capture.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChainId(pub u32);

/// Places files, in the order in which they are read, into chains.
///
/// Each file is placed when its turn comes, and its end is reported before the next one is placed.
#[derive(Debug, Default)]
pub struct Chains {
    separate: bool,
    count: u32,
    /// Chains whose files so far have ended and that a later file may continue, with the latest time in them.
    open: Vec<(ChainId, Timestamp)>,
    /// Chains with a file being read, with the latest time of the files before it.
    busy: Vec<(ChainId, Option<Timestamp>)>,
}

impl Chains {
    /// The longest pause between the end of a file and the start of the one that continues it. A rotation leaves
    /// no pause but silence on the wire; after five minutes of it no conversation cut in the middle of a hello is
    /// left to be continued, and two captures of the same morning should not be taken for one.
    pub const MAX_PAUSE_NANOS: i64 = 5 * 60 * 1_000_000_000;

    /// No chains yet; with `separate` every file will be its own.
    pub const fn new(separate: bool) -> Self {
        Self { separate, count: 0, open: Vec::new(), busy: Vec::new() }
    }

    /// The chain of the next file, whose first packet is of `first`: the one that ended last among those that ended
    /// before, by at most [`MAX_PAUSE_NANOS`](Self::MAX_PAUSE_NANOS); else a new one. A file without a first time is a new one.
    pub fn place(&mut self, first: Option<Timestamp>) -> ChainId {
        let fits = |&(_, latest): &(ChainId, Timestamp)| {
            first.is_some_and(|first| first >= latest && first.since(latest) <= Self::MAX_PAUSE_NANOS)
        };
        let best = (self.open.iter().enumerate())
            .filter(|(_, chain)| fits(chain))
            .max_by_key(|(_, (id, latest))| (*latest, std::cmp::Reverse(*id)));
        let (id, latest) = match best.map(|(index, _)| index) {
            Some(index) if !self.separate => {
                let (id, latest) = self.open.swap_remove(index);
                (id, Some(latest))
            }
            _ => {
                let id = ChainId(self.count);
                self.count += 1;
                (id, None)
            }
        };
        self.busy.push((id, latest));
        id
    }

    /// The file that was placed into `chain` has ended; `latest` is the latest time of its packets, if it had any.
    pub fn ended(&mut self, chain: ChainId, latest: Option<Timestamp>) {
        let Some(index) = self.busy.iter().position(|&(id, _)| id == chain) else { return };
        let (_, before) = self.busy.swap_remove(index);
        if let Some(latest) = before.max(latest) {
            self.open.push((chain, latest));
        }
    }

    /// Forgets and returns the chains that no file can continue whose first packet is of `next` or later, so that
    /// their state can be given up. Only for files that come in time order.
    pub fn take_finished(&mut self, next: Timestamp) -> Vec<ChainId> {
        let finished =
            |&mut (_, latest): &mut (ChainId, Timestamp)| next.since(latest) > Self::MAX_PAUSE_NANOS;
        self.open.extract_if(.., finished).map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of the first and the latest packet of each file, and the chain it should be in.
    type Files = &'static [(Option<i64>, Option<i64>, u32)];

    fn check(separate: bool, files: Files) {
        let time = |seconds: Option<i64>| seconds.map(|seconds| Timestamp::from_parts(seconds, 0));
        let mut chains = Chains::new(separate);
        for (index, &(first, latest, expected)) in files.iter().enumerate() {
            let id = chains.place(time(first));
            assert_eq!(id, ChainId(expected), "file {index} of {files:?}");
            chains.ended(id, time(latest));
        }
    }

    #[test]
    fn rotated_files_are_one_capture() {
        check(false, &[(Some(0), Some(60), 0), (Some(60), Some(119), 0), (Some(121), Some(180), 0)]);
        check(false, &[(Some(0), Some(60), 0), (Some(360), Some(361), 0), (Some(662), Some(663), 1)]);
    }

    #[test]
    fn files_that_overlap_are_separate() {
        check(false, &[(Some(0), Some(60), 0), (Some(59), Some(119), 1)]);
        // Two sensors, each with rotation: every file takes the chain that ended last and still fits.
        check(
            false,
            &[
                (Some(0), Some(60), 0),
                (Some(30), Some(90), 1),
                (Some(61), Some(120), 0),
                (Some(91), Some(150), 1),
                (Some(151), Some(152), 1),
                (Some(151), Some(152), 0),
            ],
        );
    }

    #[test]
    fn when_asked_all_are_separate() {
        check(true, &[(Some(0), Some(60), 0), (Some(60), Some(119), 1), (Some(120), Some(180), 2)]);
    }

    #[test]
    fn files_without_packets_continue_nothing() {
        check(false, &[(None, None, 0), (Some(5), Some(6), 1), (None, None, 2), (Some(7), Some(8), 1)]);
        // Standard input tells its times only when it was read.
        check(false, &[(None, Some(10), 0), (Some(10), Some(20), 0)]);
    }

    #[test]
    fn a_chain_ends_at_its_latest_time_not_at_its_last() {
        check(false, &[(Some(0), Some(100), 0), (Some(100), Some(90), 0), (Some(95), Some(96), 1)]);
    }

    #[test]
    fn chains_out_of_reach_are_finished() {
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        let mut chains = Chains::new(false);
        let first = chains.place(Some(at(0)));
        chains.ended(first, Some(at(100)));
        assert_eq!(chains.take_finished(at(400)), []);
        assert_eq!(chains.take_finished(at(401)), [first]);
        assert_eq!(chains.take_finished(at(401)), []);
        assert_ne!(chains.place(Some(at(101))), first);
    }
}
