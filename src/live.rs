//! `undertone live`: interfaces in, findings out, until a signal ends it.
//!
//! Threads ([`tap`](crate::tap)) read the interfaces; this one gives what they tell to the Correlator, in the order of time, and minds all
//! else: interfaces that go away and come back, signals, counters.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};

use crate::arrival::Address;
use crate::capture::{Filter, Live, LiveError, LiveOptions};
use crate::config::{self, Destination, Verbosity};
use crate::correlator::Folding;
use crate::delivery::{self, Delivery};
use crate::gauges::{Gauges, Loss};
use crate::hands::OneByOne;
use crate::intake::{self, Intake};
use crate::judging::Judging;
use crate::lists::Lists;
use crate::metrics::Board;
use crate::notify::Notify;
use crate::outputs::Outputs;
use crate::reload::{self, Reloaded, Watched};
use crate::runtime::{Signals, now, spawn};
use crate::sandbox;
use crate::sink::{Printable, Progress, Source, Stats, span};
use crate::tap::{BATCHES, Batch, Order, Tap};
use crate::worker::{Open, Worker};

/// How often this thread looks around, at the least.
const LOOK_AROUND: Duration = Duration::from_millis(50);

/// How long it takes until an interface that failed is tried again for the first time: threads read meanwhile what it still holds. Each
/// time after that twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest time between two tries: who plugs a cable in again does not wait longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How often counters are put where they can be scraped, loss is looked for, and files for changes.
const MINUTE_HAND: Duration = Duration::from_secs(1);

/// The time over which loss is measured: a burst is not a loss of every second.
const LOSS_SPAN: Duration = Duration::from_secs(10);

/// From the signal on, this long is what was found delivered to outputs that take it slowly: the end is to come within two seconds.
const LAST: Duration = Duration::from_millis(1_400);

/// Captures until a signal comes. Gives the exit status.
///
/// # Errors
/// When the filter is wrong or an output cannot be opened.
pub fn run(config: &mut config::Live) -> Result<u8, Box<dyn std::error::Error>> {
    let began = Instant::now();
    let speak = config.talk.verbosity > Verbosity::Quiet;
    let Judging { lists, rules, allow, .. } = Judging::new(&mut config.lists, true, speak);
    let config = &*config;
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
    let arrival = match Intake::open(&config.arrivals) {
        Ok(arrival) => arrival,
        Err(error) => {
            eprintln!("undertone: {}", Printable(&error.to_string()));
            return Ok(1);
        }
    };
    let sources = Arc::new(config.interfaces.iter().cloned().map(Source::Interface).collect());
    let bar = Progress::new(None, false);
    let mut outputs = Outputs::new(config.spilling.clone(), config.rotation.clone());
    let mut delivery = Delivery::open_by(
        &config.output,
        config.talk,
        &sources,
        &bar,
        Folding::live(),
        &mut |destination| outputs.open(destination),
    )?
    .judging_by(rules, allow);
    delivery.split(config.threads.get());
    let signals = Signals::install()?;
    let board = Board::default();
    let (listener, metrics) = config.metrics.map(Board::listen).transpose()?.unzip();
    let notify = Notify::from_environment()?;

    // Everything is open, and no thread has been started: what is given up now is given up by all of them.
    if config.sandbox {
        let mut kept = kept(config);
        kept.read.extend(arrival.iter().flat_map(|arrival| arrival.folders().iter().cloned()));
        let given_up = sandbox::enter(&kept)?;
        if speak {
            eprintln!("undertone: runs {given_up}");
        }
    } else if speak {
        eprintln!("undertone: runs with all rights that it was started with (--no-sandbox)");
    }
    outputs.start()?;
    if let Some(listener) = listener {
        board.serve(listener)?;
    }

    let (give, batches) = bounded(BATCHES * config.threads.get());
    let flows = config.output.flows.is_some();
    let conversations = flows || (arrival.is_some() && delivery.asks_connections());
    let several = config.threads.get() > 1;
    let mut threads = Vec::new();
    for (thread, handles) in handles.into_iter().enumerate() {
        let (order, orders) = unbounded();
        let all_names = config.output.hostnames.is_some() || conversations;
        let worker = Worker::new(lists.load_full(), all_names, None)
            .with_conversations(conversations)
            .of_several(several);
        let open = if several { Open::of_several() } else { Open::default() };
        let tap = Tap { thread, worker, open, lists: lists.clone(), handles, orders, batches: give.clone() };
        interfaces.orders.push(order);
        threads.push(spawn(format!("tap-{thread}"), move || tap.run())?);
    }
    drop(give);
    let intake = Intake::start(arrival, &config.feeds, flows, &mut delivery, speak)?;
    if speak {
        let names = config.interfaces.join(", ");
        let scraped =
            metrics.map(|address| format!("; counters at http://{address}/metrics")).unwrap_or_default();
        eprintln!("undertone: capturing on {names}{scraped}; Ctrl-C ends it");
    }
    notify.ready();

    let mut desk = Desk {
        config,
        delivery,
        conversations: conversations || config.arrivals.sources.is_empty(),
        intake,
        interfaces,
        outputs,
        lists,
        watched: Watched::of(config),
        board,
        notify,
        began,
        stats: config.stats,
        written: began,
        measured: (began, Loss::default()),
        reloads: 0,
        refused: 0,
        reading: None,
        speak,
        stopped: None,
        running: threads.len(),
    };
    desk.work(&batches, &signals);
    desk.measure();
    let Desk { mut delivery, intake, interfaces, outputs, running, .. } = desk;
    let (arrived, heard) = intake.end(&mut delivery);
    let stopped = desk.stopped.unwrap_or_else(Instant::now);
    // A thread that panicked has told nothing of its end.
    let fallen = threads.into_iter().map(|thread| thread.join()).filter(Result::is_err).count();

    let mut ended = delivery.end(&OneByOne);
    ended.closing.inputs = config.interfaces.len() as u64;
    ended.closing.wall = began.elapsed();
    interfaces.gauges.close(&mut ended.closing);
    intake::close(&arrived, &mut ended.closing);
    tell(&outputs);
    for (name, lost) in outputs.close(stopped + LAST) {
        if lost > 0 && ended.failure.is_none() {
            let text = format!("{name}: {lost} records were not delivered");
            ended.failure = Some(std::io::Error::other(text));
        }
    }
    if fallen > 0 || running > 0 || !heard {
        eprintln!("undertone: a thread has failed; what it had not told is lost");
    }
    Ok(delivery::close(ended, config.output.fail_on, fallen == 0 && heard, config.talk))
}

/// What a sensor reads and writes again while it runs.
fn kept(config: &config::Live) -> sandbox::Kept {
    let read = config.lists.names().map(PathBuf::from);
    let output = &config.output;
    let written = [Some(&output.findings), output.hostnames.as_ref(), output.flows.as_ref()];
    sandbox::Kept {
        user: config.user.clone(),
        read: read.chain(config.file.clone()).chain(config.hosts_file.clone()).collect(),
        removed: config
            .arrivals
            .sources
            .iter()
            .filter_map(|address| match address {
                Address::Unix(path) => Some(path.clone()),
                _ => None,
            })
            .collect(),
        written: written
            .into_iter()
            .flatten()
            .filter_map(|destination| match destination {
                Destination::File(path) => Some(path.clone()),
                _ => None,
            })
            .collect(),
    }
}

/// Tells people what the outputs have to say.
fn tell(outputs: &Outputs) {
    for note in outputs.notes() {
        eprintln!("undertone: {}", Printable(&note));
    }
}

/// What the thread of the Correlator has before it.
struct Desk<'c> {
    config: &'c config::Live,
    delivery: Delivery,
    /// Whether connections are kept, for rules that are asked of all of them; where there is no telemetry, none is asked.
    conversations: bool,
    intake: Intake,
    interfaces: Interfaces<'c>,
    outputs: Outputs,
    lists: Arc<ArcSwap<Lists>>,
    /// The files of the lists, as they were read.
    watched: Watched,
    board: Board,
    notify: Notify,
    began: Instant,
    /// How often counters are written among the findings, and when that was done last.
    stats: Option<Duration>,
    written: Instant,
    /// When loss was measured last, and what it was.
    measured: (Instant, Loss),
    reloads: u64,
    refused: u64,
    /// Where it is told what was read again, while that goes on.
    reading: Option<Receiver<Result<Reloaded, Vec<String>>>>,
    speak: bool,
    /// When the threads were told to end.
    stopped: Option<Instant>,
    /// Threads that have not ended.
    running: usize,
}

impl Desk<'_> {
    /// Takes what the threads tell until all have ended.
    fn work(&mut self, batches: &Receiver<Batch>, signals: &Signals) {
        let mut looked = Instant::now();
        let mut minded = looked;
        let mut wait = LOOK_AROUND;
        while self.running > 0 {
            let mut delivered = match batches.recv_timeout(wait) {
                Ok(batch) => self.take(batch),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // Telemetry takes longer than frames: what the threads have told goes before it.
            for batch in batches.try_iter().take(BATCHES) {
                delivered &= self.take(batch);
            }
            let more = self.intake.take(&mut self.delivery);
            wait = if more { Duration::ZERO } else { LOOK_AROUND };
            if looked.elapsed() < LOOK_AROUND && delivered && self.stopped.is_none() {
                continue;
            }
            looked = Instant::now();
            let delivered = delivered && self.delivery.tick();
            tell(&self.outputs);
            if signals.stats.swap(false, Ordering::Relaxed) {
                self.write_stats();
            }
            if self.reading.is_none() && signals.reload.swap(false, Ordering::Relaxed) {
                self.outputs.reopen();
                self.reload();
            }
            if let Some(read) = self.reading.as_ref().and_then(|reading| reading.try_recv().ok()) {
                self.reading = None;
                self.reloaded(read);
            }
            if minded.elapsed() >= MINUTE_HAND {
                minded = Instant::now();
                self.mind();
            }
            if self.stopped.is_none() && (signals.stop.load(Ordering::Relaxed) || !delivered) {
                self.stopped = Some(Instant::now());
                self.notify.stopping();
                self.interfaces.tell(|| Order::Stop(now()));
                self.intake.stop();
            }
            if self.stopped.is_none() {
                self.interfaces.reopen(self.speak);
            }
        }
    }

    /// What is done every second.
    fn mind(&mut self) {
        self.notify.alive();
        self.board.write(self.count().prometheus());
        if self.stats.is_some_and(|period| self.written.elapsed() >= period) {
            self.written = Instant::now();
            self.write_stats();
        }
        if self.measured.0.elapsed() >= LOSS_SPAN {
            self.measure();
        }
        if self.config.watch && self.reading.is_none() && Watched::of(self.config) != self.watched {
            self.reload();
        }
    }

    /// Tells loudly of loss since it was looked for the last time.
    fn measure(&mut self) {
        let loss = self.interfaces.gauges.loss();
        let (since, before) = std::mem::replace(&mut self.measured, (Instant::now(), loss));
        if let Some(words) = loss.since(before) {
            eprintln!(
                "undertone: WARNING: lost in the last {}: {words}; see --threads, --buffer and --filter",
                span(since.elapsed())
            );
        }
    }

    /// All counters, at this moment.
    fn count(&self) -> Stats {
        let mut stats = Stats {
            at: now(),
            uptime: self.began.elapsed().as_secs(),
            reloads: self.reloads,
            reloads_refused: self.refused,
            ..Stats::default()
        };
        self.delivery.count(&mut stats);
        self.interfaces.gauges.stats(&mut stats);
        stats.outputs = self.outputs.stats();
        self.intake.stats(&mut stats);
        stats
    }

    fn write_stats(&mut self) {
        let stats = self.count();
        // A failure is noticed by whoever writes next.
        self.delivery.stats(stats);
    }

    /// Begins to read configuration and lists again, beside the work.
    fn reload(&mut self) {
        // Before they are read: what is written meanwhile is seen the next time.
        self.watched = Watched::of(self.config);
        self.notify.reloading();
        let (give, reading) = bounded(1);
        match spawn("reload".to_owned(), move || drop(give.send(reload::read()))) {
            Ok(_) => self.reading = Some(reading),
            Err(error) => self.reloaded(Err(vec![error.to_string()])),
        }
    }

    /// Goes by what was read again if nothing is wrong with it.
    fn reloaded(&mut self, read: Result<Reloaded, Vec<String>>) {
        // Whatever came of it.
        self.notify.ready();
        match read {
            Ok(Reloaded { config, judging }) => {
                let Judging { lists, rules, allow, .. } = judging;
                let (before, after) = (self.lists.load().len(), lists.len());
                self.lists.store(Arc::new(lists));
                self.delivery.judge_by(rules, allow);
                if self.speak && self.delivery.asks_connections() && !self.conversations {
                    eprintln!("undertone: rules that ask for no hostname take effect at the next start");
                }
                self.delivery.set(&config.output);
                self.stats = config.stats;
                self.reloads += 1;
                if self.speak {
                    eprintln!("undertone: read again: lists of {after} suffixes ({before} before)");
                    for option in reload::fixed(self.config, &config) {
                        eprintln!("undertone: {option} has changed; that takes effect at the next start");
                    }
                }
            }
            Err(problems) => {
                self.refused += 1;
                for problem in problems {
                    eprintln!("undertone: {}", Printable(&problem));
                }
                eprintln!(
                    "undertone: not read again, for what is said above; what was read before still holds"
                );
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
