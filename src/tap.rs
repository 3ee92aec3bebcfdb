//! One thread of a live capture: its handles, one an interface, read in turn into one Worker.
//!
//! No frame leaves the thread. What frames told goes in batches to the thread of the Correlator, through a queue that never stops the
//! reading: what finds no room in it is held, up to a limit, and beyond that given up and counted. With each batch goes the time that
//! the thread has passed, which moves on by the clock where an interface is silent.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use crossbeam_channel::{Receiver, Sender, TrySendError};

use crate::capture::{Live, LiveCounts, Look, Timestamp};
use crate::lists::Lists;
use crate::runtime::now;
use crate::seen::Mark;
use crate::worker::{Finished, Open, Told, Worker};

/// A thread of a live capture, before it runs.
pub struct Tap {
    /// Its number, from 0.
    pub thread: usize,
    /// The machine that reads the frames.
    pub worker: Worker,
    /// What it has open.
    pub open: Open,
    /// The lists that hold at the moment, for all threads.
    pub lists: Arc<ArcSwap<Lists>>,
    /// Its handle on each interface, by the number of the interface.
    pub handles: Vec<Live>,
    /// What it is told.
    pub orders: Receiver<Order>,
    /// Where it tells.
    pub batches: Sender<Batch>,
}

/// What a thread is told to do.
#[derive(Debug)]
pub enum Order {
    /// To handle what was captured before this time, and end.
    Stop(Timestamp),
    /// To give up its handle on an interface, once what it holds is read: it has failed, here or on another thread.
    Close(usize),
    /// To read an interface with a new handle, which is so many from the first.
    Open(usize, u32, Box<Live>),
}

/// What a thread tells.
#[derive(Debug)]
pub struct Batch {
    /// Which thread.
    pub thread: usize,
    /// What frames told, by interface.
    pub finished: Vec<Finished>,
    /// The thread has nothing more to say of what was before this time.
    pub passed: Timestamp,
    /// What was counted since it was started, if some time has passed since that was told.
    pub tally: Option<Tally>,
    /// Interfaces that cannot be read any more.
    pub lost: Vec<Lost>,
    /// Whether it is the last one.
    pub last: bool,
}

/// A handle that has failed.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The number of the interface.
    pub interface: usize,
    /// How many from the first handle it was.
    pub generation: u32,
    /// libpcap's words.
    pub why: String,
}

/// What a thread has counted since it was started.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// What the kernel counted, by interface.
    pub interfaces: Vec<LiveCounts>,
    /// Names that were given up because the queue to the Correlator was full.
    pub queue_full: u64,
    /// Open conversations that were given up because a table was full.
    pub evicted: u64,
}

/// Batches that wait for the Correlator, for each thread. One is a millisecond of a busy link or a tenth of a second of a quiet one.
pub const BATCHES: usize = 64;

/// The most names that a thread holds while the queue is full; beyond it they are given up and counted. Half a second of a busy link;
/// 25 MiB.
const MOST_HELD: usize = 1 << 16;

/// Frames of one interface that are read before the next has its turn: enough that turning costs nothing, and few enough that no ring
/// runs full meanwhile.
const TURN: usize = 1024;

/// Frames that told nothing after which that is handed on, at the latest.
const QUIET: u64 = 4096;

/// How old what the kernel still gathers can be, in nanoseconds: the time for which it gathers, the time for which a thread waits, and as
/// much again for a machine that is busy.
const GATHERED: i64 = 300_000_000;

/// How often conversations are looked through for those that are over, in nanoseconds.
const SWEEP: i64 = 10_000_000_000;

/// A conversation in which nothing has passed for so many nanoseconds is told: five minutes, after which datagrams are another one.
const SILENT: i64 = 300_000_000_000;

/// How often counters are told, in nanoseconds; also often enough that those of 32 bits do not wrap unseen.
const TELL: i64 = 500_000_000;

/// Turns without a frame that show that the kernel holds none: each waits as long as the kernel gathers frames, and one is there for
/// chance.
const SILENT_TURNS: u32 = 3;

/// An interface as a thread reads it.
struct Reading {
    /// Nothing while the interface is down.
    handle: Option<Live>,
    generation: u32,
    /// Since when the handle is known to have failed. What the kernel gathered before is still read.
    failed: Option<Timestamp>,
    told: Told,
    /// No frame before this time comes any more.
    passed: Timestamp,
    /// What earlier handles counted.
    before: LiveCounts,
    /// While the thread is to end: whether all that was captured before was read.
    drained: bool,
}

/// The state of the thread while it runs.
struct Running {
    thread: usize,
    worker: Worker,
    open: Open,
    interfaces: Vec<Reading>,
    frames: u64,
    batches: Sender<Batch>,
    /// What found no room in the queue.
    held: Vec<Finished>,
    held_events: usize,
    held_tellers: usize,
    queue_full: u64,
    evicted: u64,
    lost: Vec<Lost>,
    told_at: Timestamp,
    /// When conversations were looked through for those that are over.
    swept: Timestamp,
    /// When the thread is to end: what came before is still read.
    stop: Option<Timestamp>,
}

impl Tap {
    /// Reads until it is told to stop, or nobody listens any more.
    pub fn run(self) {
        let Self { thread, worker, open, lists, handles, orders, batches } = self;
        let mut lists = Cache::new(lists);
        let mut used = lists.load().clone();
        let interfaces = handles.into_iter().map(|handle| Reading::new(Some(handle))).collect();
        let mut running = Running::new(thread, worker, open, interfaces, batches);
        let mut silent = 0;
        loop {
            // Between frames: every name is looked up in one set of lists, the old or the new.
            if !Arc::ptr_eq(lists.load(), &used) {
                used = lists.load().clone();
                running.worker.set_lists(used.clone());
            }
            let stopping = running.stop.is_some();
            for order in orders.try_iter() {
                running.obey(order);
            }
            if running.stop.is_some() && !stopping {
                // Silence before says nothing of what the kernel has gathered since.
                silent = 0;
            }
            let frames = running.turn();
            if !running.hand_on(frames == 0) {
                return;
            }
            silent = if frames == 0 { silent + 1 } else { 0 };
            if running.stop.is_some()
                && (silent >= SILENT_TURNS || running.interfaces.iter().all(|interface| interface.drained))
            {
                break;
            }
            if frames == 0 {
                let sound = running.interfaces.iter().filter(|interface| interface.failed.is_none());
                Live::wait(sound.filter_map(|interface| interface.handle.as_ref()));
            }
        }
        running.end();
    }
}

impl Reading {
    fn new(handle: Option<Live>) -> Self {
        Self {
            handle,
            generation: 0,
            failed: None,
            told: Told::default(),
            passed: Timestamp::default(),
            before: LiveCounts::default(),
            drained: false,
        }
    }

    /// What was counted for the interface on this thread.
    fn counts(&mut self) -> LiveCounts {
        self.before + self.handle.as_mut().map(Live::counts).unwrap_or_default()
    }

    /// Takes another handle, or none; what the old one counted is kept.
    fn replace(&mut self, handle: Option<Live>) {
        self.before = self.counts();
        self.handle = handle;
        self.failed = None;
        self.drained = false;
    }
}

impl Running {
    /// The state of a thread that has read nothing yet.
    fn new(
        thread: usize,
        worker: Worker,
        open: Open,
        interfaces: Vec<Reading>,
        batches: Sender<Batch>,
    ) -> Self {
        Self {
            thread,
            worker,
            open,
            interfaces,
            frames: 0,
            batches,
            held: Vec::new(),
            held_events: 0,
            held_tellers: 0,
            queue_full: 0,
            evicted: 0,
            lost: Vec::new(),
            told_at: Timestamp::default(),
            swept: Timestamp::default(),
            stop: None,
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Stop(from) => self.stop = Some(from),
            Order::Open(interface, generation, handle) => {
                if let Some(reading) = self.interfaces.get_mut(interface) {
                    reading.generation = generation;
                    reading.replace(Some(*handle));
                }
            }
            Order::Close(interface) => {
                if let Some(reading) = self.interfaces.get_mut(interface) {
                    reading.failed = reading.failed.or_else(|| Some(now()));
                }
            }
        }
    }

    /// Reads a few frames of each interface. Gives how many there were.
    fn turn(&mut self) -> usize {
        (0..self.interfaces.len()).map(|interface| self.read(interface)).sum()
    }

    /// Reads a few frames of an interface. Gives how many there were.
    fn read(&mut self, interface: usize) -> usize {
        let Self { worker, open, interfaces, frames, lost, stop, .. } = self;
        let Some(reading) = interfaces.get_mut(interface) else { return 0 };
        let Some(handle) = &mut reading.handle else {
            reading.passed = reading.passed.max(settled());
            reading.drained = true;
            return 0;
        };
        let mut read = 0;
        while read < TURN {
            match handle.look() {
                Ok(Look::Frame(frame)) => {
                    read += 1;
                    *frames += 1;
                    reading.passed = reading.passed.max(frame.at);
                    reading.drained = stop.is_some_and(|stop| frame.at > stop);
                    let mark = Mark { source: interface as u32, frame: *frames, at: frame.at };
                    worker.frame(open, &frame, mark, &mut reading.told);
                }
                Ok(Look::Early) => read += 1,
                Ok(Look::Idle) => {
                    reading.passed = reading.passed.max(settled());
                    break;
                }
                Err(error) => {
                    reading.passed = reading.passed.max(settled());
                    if reading.failed.is_none() {
                        reading.failed = Some(now());
                        let generation = reading.generation;
                        lost.push(Lost { interface, generation, why: error.to_string() });
                    }
                    break;
                }
            }
        }
        if read == 0 && reading.failed.is_some_and(|failed| failed < settled()) {
            reading.replace(None);
        }
        read
    }

    /// Hands on what was told, if there is anything or it is time. Says whether somebody listens.
    fn hand_on(&mut self, idle: bool) -> bool {
        self.gather(idle);
        if self.held.is_empty() && self.lost.is_empty() && !idle {
            return true;
        }
        let now = now();
        let tally = (now.since(self.told_at) >= TELL || now < self.told_at).then(|| {
            self.told_at = now;
            self.look_for_interfaces_down();
            self.tally()
        });
        let batch = self.batch(tally, false);
        match self.batches.try_send(batch) {
            Ok(()) => (self.held_events, self.held_tellers) = (0, 0),
            Err(TrySendError::Full(batch)) => {
                self.held = batch.finished;
                self.lost = batch.lost;
                // Counters that were not told are told with the next batch.
                self.told_at = Timestamp::default();
            }
            Err(TrySendError::Disconnected(_)) => return false,
        }
        true
    }

    /// Gives up handles of interfaces that were taken down.
    fn look_for_interfaces_down(&mut self) {
        for (interface, reading) in self.interfaces.iter_mut().enumerate() {
            if reading.failed.is_none() && reading.handle.as_ref().is_some_and(Live::is_down) {
                reading.failed = Some(now());
                let why = "the interface is down".to_owned();
                self.lost.push(Lost { interface, generation: reading.generation, why });
            }
        }
    }

    /// Puts what frames told into the form in which it is handed on.
    fn gather(&mut self, all: bool) {
        for source in 0..self.interfaces.len() {
            let Some(reading) = self.interfaces.get_mut(source) else { continue };
            if reading.told.frames() > 0
                && (all || !reading.told.is_quiet() || reading.told.frames() >= QUIET)
            {
                let told = std::mem::take(&mut reading.told);
                let passed = reading.passed;
                let over = (passed.since(self.swept) >= SWEEP).then(|| {
                    self.swept = passed;
                    Timestamp::from_nanos(passed.as_nanos().saturating_sub(SILENT))
                });
                let finished = self.worker.hand_over(&mut self.open, source as u32, told, over);
                self.hold(finished);
            }
        }
    }

    fn batch(&mut self, tally: Option<Tally>, last: bool) -> Batch {
        Batch {
            thread: self.thread,
            finished: std::mem::take(&mut self.held),
            passed: self.interfaces.iter().map(|reading| reading.passed).min().unwrap_or_default(),
            tally,
            lost: std::mem::take(&mut self.lost),
            last,
        }
    }

    /// Keeps what is to be handed on, within the limit.
    fn hold(&mut self, mut finished: Finished) {
        let room = MOST_HELD.saturating_sub(self.held_events);
        if finished.events.len() > room {
            self.queue_full += (finished.events.len() - room) as u64;
            finished.events.truncate(room);
        }
        // Without these a copy on another thread, or the other side of a question, is told as well.
        let unmatched = finished.tellers.len().saturating_sub(MOST_HELD - self.held_tellers.min(MOST_HELD));
        finished.tellers.truncate(finished.tellers.len() - unmatched);
        finished.counts.forgotten += unmatched as u64;
        self.held_tellers += finished.tellers.len();
        self.held_events += finished.events.len();
        match self.held.iter_mut().find(|held| held.source == finished.source) {
            Some(held) => {
                held.counts.add(&finished.counts);
                held.events.append(&mut finished.events);
                held.tellers.append(&mut finished.tellers);
                held.counted.append(&mut finished.counted);
                held.conversations.append(&mut finished.conversations);
                held.cut += finished.cut;
            }
            None => self.held.push(finished),
        }
    }

    fn tally(&mut self) -> Tally {
        self.evicted = self.evicted.max(self.open.evicted());
        Tally {
            interfaces: self.interfaces.iter_mut().map(Reading::counts).collect(),
            queue_full: self.queue_full,
            evicted: self.evicted,
        }
    }

    /// Tells what open conversations still say, and the last counts.
    fn end(mut self) {
        self.gather(true);
        self.evicted = self.open.evicted();
        let (finished, _) = self.worker.finish(std::mem::take(&mut self.open));
        self.hold(finished);
        let tally = self.tally();
        let batch = self.batch(Some(tally), true);
        // There is nothing left to read, so this may wait; who does not listen any more has ended.
        drop(self.batches.send(batch));
    }
}

/// What is stamped before this time has left the kernel, if it was waited for.
fn settled() -> Timestamp {
    Timestamp::from_nanos(now().as_nanos().saturating_sub(GATHERED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{Event, What};
    use crate::stats::Counts;

    /// A thread without interfaces, and the queue that it tells into.
    fn running() -> (Running, Receiver<Batch>) {
        let (batches, told) = crossbeam_channel::bounded(1);
        let worker = Worker::new(Arc::new(Lists::builtin()), false, None);
        let running = Running::new(0, worker, Open::default(), Vec::new(), batches);
        (running, told)
    }

    fn finished(events: usize) -> Finished {
        let event = |frame: usize| Event {
            mark: Mark { source: 0, frame: frame as u64, at: now() },
            what: What::Address,
        };
        let counts = Counts { frames: events as u64, ..Counts::default() };
        Finished { events: (0..events).map(event).collect(), counts, ..Finished::default() }
    }

    /// Nobody takes what is told: what there is no room for is counted to the last event, and no frame is; what there was room for
    /// arrives.
    #[test]
    fn what_a_full_queue_costs_is_counted() {
        let (mut running, told) = running();
        running.hold(finished(10));
        assert!(running.hand_on(true), "there is room for one");
        for _ in 0..3 {
            running.hold(finished(MOST_HELD / 2));
            assert!(running.hand_on(true));
        }
        running.hold(finished(7));
        assert!(running.hand_on(true));
        assert_eq!(running.tally().queue_full, (MOST_HELD / 2 + 7) as u64);
        let events = |batch: &Batch| batch.finished.iter().map(|one| one.events.len()).sum::<usize>();
        let frames = |batch: &Batch| batch.finished.iter().map(|one| one.counts.frames).sum::<u64>();
        let first = told.recv().unwrap();
        assert_eq!((events(&first), first.tally.map(|tally| tally.queue_full)), (10, Some(0)));
        // There is room again: what was held goes, with how much was not.
        assert!(running.hand_on(true));
        let second = told.recv().unwrap();
        assert_eq!((events(&second), frames(&second)), (MOST_HELD, (MOST_HELD / 2 * 3 + 7) as u64));
        assert_eq!(second.tally.map(|tally| tally.queue_full), Some((MOST_HELD / 2 + 7) as u64));
        running.hold(finished(5));
        assert!(running.hand_on(true));
        assert_eq!(
            (events(&told.recv().unwrap()), running.tally().queue_full),
            (5, (MOST_HELD / 2 + 7) as u64)
        );
        drop(told);
        running.hold(finished(1));
        assert!(!running.hand_on(true), "nobody listens");
    }

    /// Conversations that are over wait with the names.
    #[test]
    fn conversations_are_kept_while_the_queue_is_full() {
        let (mut running, told) = running();
        running.hold(finished(1));
        assert!(running.hand_on(true));
        for cut in [3, 4] {
            running.hold(Finished { cut, ..finished(1) });
            assert!(running.hand_on(true));
        }
        told.recv().unwrap();
        assert!(running.hand_on(true));
        let [one] = &told.recv().unwrap().finished[..] else { panic!("one interface") };
        assert_eq!((one.cut, one.events.len()), (7, 2));
    }
}
