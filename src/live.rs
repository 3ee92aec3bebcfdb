//! `undertone live`: interfaces in, findings out, until a signal ends it.
//!
//! Threads ([`tap`](crate::tap)) read the interfaces; this one gives what they tell to the Correlator, in the order of time, and minds all
//! else: interfaces that go away and come back, signals, counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use crate::capture::{Filter, Live, LiveError, LiveOptions};
use crate::config::{self, Verbosity};
use crate::correlator::Folding;
use crate::delivery::{self, Delivery};
use crate::gauges::Gauges;
use crate::runtime::{now, spawn, stop_on_signals};
use crate::sink::{Printable, Progress, Source, span};
use crate::tap::{BATCHES, Batch, Order, Tap};
use crate::worker::Worker;

/// How often this thread looks around, at the least.
const LOOK_AROUND: Duration = Duration::from_millis(50);

/// How long it takes until an interface that failed is tried again for the first time: threads read meanwhile what it still holds. Each
/// time after that twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest time between two tries: who plugs a cable in again does not wait longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Captures until a signal comes. Gives the exit status.
///
/// # Errors
/// When the filter is wrong or an output cannot be opened.
pub fn run(config: &config::Live) -> Result<u8, Box<dyn std::error::Error>> {
    let began = Instant::now();
    let speak = config.talk.verbosity > Verbosity::Quiet;
    let (lists, _) = delivery::lists(&config.lists, speak);
    let lists = Arc::new(ArcSwap::from_pointee(lists));
    config.filter.as_deref().map(Filter::new).transpose().map_err(|why| format!("--filter: {why}"))?;
    let mut interfaces = Interfaces::new(config);
    let handles = match interfaces.open() {
        Ok(handles) => handles,
        Err(error) => {
            eprintln!("undertone: {}", Printable(&error.to_string()));
            return Ok(1);
        }
    };
    let sources = Arc::new(config.interfaces.iter().cloned().map(Source::Interface).collect());
    let bar = Progress::new(None, false);
    let mut delivery = Delivery::open(&config.output, config.talk, &sources, &bar, Folding::live())?;
    delivery.split(config.threads.get());
    let stop = stop_on_signals()?;

    let (give, batches) = bounded(BATCHES * config.threads.get());
    let mut threads = Vec::new();
    for (thread, handles) in handles.into_iter().enumerate() {
        let (order, orders) = unbounded();
        let worker = Worker::new(lists.load_full(), config.output.hostnames.is_some(), None);
        let tap = Tap { thread, worker, lists: lists.clone(), handles, orders, batches: give.clone() };
        interfaces.orders.push(order);
        threads.push(spawn(format!("tap-{thread}"), move || tap.run())?);
    }
    drop(give);
    if speak {
        let names = config.interfaces.join(", ");
        eprintln!("undertone: capturing on {names}; Ctrl-C ends it");
    }

    let mut desk = Desk { delivery, interfaces, speak, stopping: false, running: threads.len() };
    desk.work(&batches, &stop);
    let Desk { delivery, interfaces, running, .. } = desk;
    // A thread that panicked has told nothing of its end.
    let fallen = threads.into_iter().map(|thread| thread.join()).filter(Result::is_err).count();

    let mut ended = delivery.end();
    ended.closing.inputs = config.interfaces.len() as u64;
    ended.closing.wall = began.elapsed();
    interfaces.gauges.close(&mut ended.closing);
    if fallen > 0 || running > 0 {
        eprintln!("undertone: a thread has failed; what it had not told is lost");
    }
    Ok(delivery::close(ended, config.output.fail_on, fallen == 0, config.talk))
}

/// What the thread of the Correlator has before it.
struct Desk<'c> {
    delivery: Delivery,
    interfaces: Interfaces<'c>,
    speak: bool,
    /// Whether the threads were told to end.
    stopping: bool,
    /// Threads that have not ended.
    running: usize,
}

impl Desk<'_> {
    /// Takes what the threads tell until all have ended.
    fn work(&mut self, batches: &Receiver<Batch>, stop: &Arc<AtomicBool>) {
        let mut looked = Instant::now();
        while self.running > 0 {
            let delivered = match batches.recv_timeout(LOOK_AROUND) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            if looked.elapsed() < LOOK_AROUND && delivered && !self.stopping {
                continue;
            }
            looked = Instant::now();
            let delivered = delivered && self.delivery.tick();
            if !self.stopping && (stop.load(Ordering::Relaxed) || !delivered) {
                self.stopping = true;
                self.interfaces.tell(|| Order::Stop(now()));
            }
            if !self.stopping {
                self.interfaces.reopen(self.speak);
            }
        }
    }

    /// Takes a batch. Says whether outputs still take records.
    fn take(&mut self, batch: Batch) -> bool {
        self.interfaces.gauges.add(&batch);
        for lost in &batch.lost {
            self.interfaces.lost(lost.interface, lost.generation, &lost.why);
        }
        for finished in batch.finished {
            self.delivery.take_from(batch.thread, finished);
        }
        if batch.last {
            self.running -= 1;
            self.delivery.ended(batch.thread);
        }
        self.delivery.passed(batch.thread, batch.passed)
    }
}

/// The interfaces, and the threads that read them.
struct Interfaces<'c> {
    config: &'c config::Live,
    options: LiveOptions,
    gauges: Gauges,
    /// Those that failed, by number.
    down: Vec<Option<Down>>,
    /// How often each was opened anew.
    generations: Vec<u32>,
    /// To each thread.
    orders: Vec<Sender<Order>>,
}

/// An interface that has failed.
struct Down {
    since: Instant,
    /// When it is tried again.
    next: Instant,
    pause: Duration,
}

impl<'c> Interfaces<'c> {
    fn new(config: &'c config::Live) -> Self {
        Self {
            config,
            options: LiveOptions {
                snaplen: config.snaplen,
                buffer: config.buffer,
                promiscuous: config.promiscuous,
                filter: config.filter.clone(),
            },
            gauges: Gauges::new(&config.interfaces, config.threads.get()),
            down: config.interfaces.iter().map(|_| None).collect(),
            generations: vec![0; config.interfaces.len()],
            orders: Vec::new(),
        }
    }

    /// Opens each interface once for each thread. Gives the handles by thread, then by interface.
    fn open(&self) -> Result<Vec<Vec<Live>>, LiveError> {
        let threads = self.config.threads.get();
        let mut handles: Vec<Vec<Live>> = (0..threads).map(|_| Vec::new()).collect();
        for name in &self.config.interfaces {
            for (own, handle) in handles.iter_mut().zip(Live::open_group(name, &self.options, threads)?) {
                own.push(handle);
            }
        }
        if threads > 1 {
            let complete = now();
            handles.iter_mut().flatten().for_each(|handle| handle.begin(complete));
        }
        Ok(handles)
    }

    /// Tells every thread something. One that has ended does not hear it, and need not.
    fn tell(&self, order: impl Fn() -> Order) {
        self.orders.iter().for_each(|thread| drop(thread.send(order())));
    }

    /// Takes notice that a handle on an interface has failed.
    fn lost(&mut self, interface: usize, generation: u32, why: &str) {
        // The others of its group fail as well, sooner or later.
        if self.generations.get(interface) != Some(&generation) {
            return;
        }
        let (Some(down), Some(gauges)) =
            (self.down.get_mut(interface), self.gauges.interfaces.get_mut(interface))
        else {
            return;
        };
        if down.is_some() {
            return;
        }
        let since = Instant::now();
        *down = Some(Down { since, next: since + FIRST_PAUSE, pause: FIRST_PAUSE });
        gauges.up = false;
        eprintln!("undertone: {}: {}; it is tried again until it is back", gauges.name, Printable(why));
        self.tell(|| Order::Close(interface));
    }

    /// Tries the interfaces again whose time has come.
    fn reopen(&mut self, speak: bool) {
        for interface in 0..self.down.len() {
            let Some(Some(down)) = self.down.get_mut(interface) else { continue };
            if Instant::now() < down.next {
                continue;
            }
            down.pause = (down.pause * 2).min(LONGEST_PAUSE);
            down.next = Instant::now() + down.pause;
            let since = down.since;
            let Some(name) = self.config.interfaces.get(interface) else { continue };
            let Ok(mut group) = Live::open_group(name, &self.options, self.config.threads.get()) else {
                continue;
            };
            if group.len() > 1 {
                let complete = now();
                group.iter_mut().for_each(|handle| handle.begin(complete));
            }
            let generation = self.generations.get_mut(interface).map_or(0, |generation| {
                *generation += 1;
                *generation
            });
            for (thread, handle) in self.orders.iter().zip(group) {
                drop(thread.send(Order::Open(interface, generation, Box::new(handle))));
            }
            if let Some(down) = self.down.get_mut(interface) {
                *down = None;
            }
            if let Some(gauges) = self.gauges.interfaces.get_mut(interface) {
                gauges.up = true;
                gauges.reopened += 1;
            }
            if speak {
                eprintln!("undertone: {name}: capturing again, after {}", span(since.elapsed()));
            }
        }
    }
}
