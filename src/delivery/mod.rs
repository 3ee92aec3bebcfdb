//! What the machines told, on its way out: to the Correlator, to the sinks, and into the closing summary.
//!
//! Which sink takes a record, and what is counted of it, is said in `outputs`; how a run ends, and what its closing summary says, in
//! `closing`.

mod closing;
mod outputs;

use std::io;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::attributor::Attributor;
use crate::capture::Timestamp;
use crate::config::{self, Destination, Talk};
use crate::correlator::{Correlator, Folding};
use crate::flow::Conversation;
use crate::inspect::{Detail, SeenIn};
use crate::lists::AllowList;
use crate::meeting::Meeting;
use crate::originator::record;
use crate::rules::{Level, Rules};
use crate::sink::{AtLeast, Flush, Human, Progress, Record, Sink, Source, Sources, Stats, Target};
use crate::stats::Counts;
use crate::watermark::{Input, Position, Watermark};
use crate::worker::{Event, Finished, Named, Sighting};
use outputs::lines;

pub use closing::{Ended, close};

/// How a destination is opened: [`Target::open`] for a run that may wait for its readers.
pub type Opening<'o> = &'o mut dyn FnMut(&Destination) -> io::Result<Target>;

/// Where everything goes that a run finds.
pub struct Delivery {
    /// What the wire told, and to which thread, until every input has passed it.
    order: Watermark<(usize, Event)>,
    wire: Input,
    /// The threads of a live capture, each of which is an input of its own.
    threads: Vec<Input>,
    /// Where these come together, if there are several.
    meeting: Option<Meeting>,
    /// Conversations on their way through it.
    over: Vec<Conversation<Named>>,
    /// How far the wire has passed.
    passed: Position,
    correlator: Correlator,
    /// Names on their way from the one to the other.
    named: Vec<Sighting>,
    outputs: Outputs,
    /// What was counted, over all inputs.
    totals: Counts,
    /// What was released before every thread had passed it, since too much waited.
    late: u64,
    sources: Arc<Sources>,
    /// Each file that held packets, and how many packets came before it.
    begun: Vec<(u32, u64)>,
    /// Conversations that were told before their end.
    cut: u64,
}

struct Outputs {
    findings: AtLeast<Box<dyn Sink>>,
    hostnames: Option<Box<dyn Sink>>,
    flows: Option<Box<dyn Sink>>,
    tally: Tally,
    /// Why the findings or hostnames could not be written; nothing is written after the first failure.
    failure: Option<io::Error>,
}

/// What the closing summary says of findings.
#[derive(Default)]
struct Tally {
    contacts: FxHashMap<Box<str>, u64>,
    levels: [u64; Level::ALL.len()],
    rules: FxHashMap<Box<str>, u64>,
    highest: Option<Level>,
}

impl Delivery {
    /// The most that waits for a thread that is behind; beyond it the earliest is judged at once, in an order that may be wrong. A
    /// thread is at the most a second behind, and 131,072 names and answers in a second are more than a link brings; 250 MiB, if each is a
    /// browser's hello.
    pub const MOST_WAITING: usize = 1 << 17;

    /// Opens the outputs. Lines for people appear above the progress bar.
    ///
    /// # Errors
    /// When an output cannot be opened; the error names it.
    pub fn open(
        output: &config::Output,
        talk: Talk,
        sources: &Arc<Sources>,
        bar: &Progress,
        folding: Folding,
    ) -> io::Result<Self> {
        Self::open_by(output, talk, sources, bar, folding, &mut Target::open)
    }

    /// Likewise; `open` opens each output.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_by(
        output: &config::Output,
        talk: Talk,
        sources: &Arc<Sources>,
        bar: &Progress,
        folding: Folding,
        open: Opening<'_>,
    ) -> io::Result<Self> {
        let target = open(&output.findings)?;
        let findings: Box<dyn Sink> = if target.terminal && !output.json {
            Box::new(Human::new(bar.above(target.writer), talk.colours(true)))
        } else {
            lines(target, Flush::Each, sources)
        };
        let mut more = |destination: &Option<Destination>| {
            let target = destination.as_ref().map(&mut *open).transpose()?;
            Ok::<_, io::Error>(target.map(|target| lines(target, Flush::WhenFull, sources)))
        };
        let (hostnames, flows) = (more(&output.hostnames)?, more(&output.flows)?);
        let repeat_window = nanoseconds(output.repeat_window);
        let mut order = Watermark::default();
        Ok(Self {
            wire: order.input(),
            order,
            threads: Vec::new(),
            meeting: None,
            over: Vec::new(),
            late: 0,
            cut: 0,
            passed: Position::default(),
            correlator: Correlator::new(Folding { repeat_window, ..folding }),
            named: Vec::new(),
            outputs: Outputs {
                findings: AtLeast::new(output.min_level, findings),
                hostnames,
                flows,
                tally: Tally::default(),
                failure: None,
            },
            totals: Counts::default(),
            sources: sources.clone(),
            begun: Vec::new(),
        })
    }

    /// Names the processes with this.
    pub fn attribute(&mut self, attributor: Attributor) {
        self.correlator.attribute(attributor);
    }

    /// Takes a record of endpoint telemetry.
    pub fn record(&mut self, record: &record::Record<'_>) {
        self.correlator.record(record);
    }

    /// Judges contacts by these, and not by the built-in rules alone.
    #[must_use]
    pub fn judging_by(mut self, rules: Rules, allow: AllowList) -> Self {
        self.judge_by(rules, allow);
        self
    }

    /// Whether rules are asked of every connection whose process is known.
    pub fn asks_connections(&self) -> bool {
        self.correlator.asks_connections()
    }

    /// From now on judges contacts by these. What allow lists counted before is forgotten.
    pub fn judge_by(&mut self, rules: Rules, allow: AllowList) {
        self.correlator.judge_by(rules, allow);
    }

    /// Takes what a chunk told. Says whether outputs still take records.
    pub fn take(&mut self, finished: Finished) -> bool {
        if finished.counts.frames > 0
            && self.begun.last().is_none_or(|(source, _)| *source != finished.source)
            && matches!(self.sources.get(finished.source), Some(Source::File(_)))
        {
            self.begun.push((finished.source, self.totals.frames));
        }
        self.totals.add(&finished.counts);
        // Files are read one after the other: this chunk's frames follow those of its file that came before. What is told at the
        // end of an earlier file has none.
        if finished.counts.frames > 0 {
            let before = if finished.source == self.passed.file { self.passed.place } else { 0 };
            self.passed = Position { file: finished.source, place: before + finished.counts.frames };
        }
        for event in finished.events {
            let position = Position { file: event.mark.source, place: event.mark.frame };
            self.order.push(self.wire, position, (0, event));
        }
        self.order.pass(self.wire, Position { place: self.passed.place + 1, ..self.passed });
        self.cut += finished.cut;
        // First what happened in them: names are part of it.
        self.correlate();
        self.over.extend(finished.conversations);
        self.tell_conversations();
        self.outputs.failure.is_none()
    }

    /// The wire is read by so many threads from now on, in the order of time.
    pub fn split(&mut self, threads: usize) {
        self.order.end(self.wire);
        self.threads = (0..threads).map(|_| self.order.input()).collect();
        self.meeting = (threads > 1).then(|| Meeting::new(threads));
    }

    /// Takes what a thread told of a live capture; [`passed`](Self::passed) says how far it is.
    pub fn take_from(&mut self, thread: usize, finished: Finished) {
        self.totals.add(&finished.counts);
        let Some(input) = self.threads.get(thread) else { return };
        for event in finished.events {
            self.order.push(*input, moment(event.mark.at), (thread, event));
        }
        self.cut += finished.cut;
        match &mut self.meeting {
            None => self.over.extend(finished.conversations),
            Some(meeting) => {
                meeting.tellers(thread, finished.tellers, &finished.counted);
                for conversation in finished.conversations {
                    meeting.conversation(thread, conversation, &mut self.over);
                }
            }
        }
        self.tell_conversations();
    }

    /// Tells the conversations that are over.
    fn tell_conversations(&mut self) {
        let Self { over, correlator, outputs, .. } = self;
        for conversation in over.drain(..) {
            correlator.conversation(conversation, &mut |record| outputs.write(&record));
        }
    }

    /// A thread has nothing more to say of what was before this time. Says whether outputs still take records.
    pub fn passed(&mut self, thread: usize, at: Timestamp) -> bool {
        if let Some(input) = self.threads.get(thread) {
            self.order.pass(*input, moment(at));
        }
        self.correlate()
    }

    /// A thread has nothing more to say.
    pub fn ended(&mut self, thread: usize) {
        if let Some(input) = self.threads.get(thread) {
            self.order.end(*input);
        }
    }

    /// Judges by another configuration from now on.
    pub fn set(&mut self, output: &config::Output) {
        self.outputs.findings.set_level(output.min_level);
        self.correlator.set_repeat_window(nanoseconds(output.repeat_window));
    }

    /// Writes what the sensor has counted, among the findings.
    pub fn stats(&mut self, stats: Stats) -> bool {
        self.outputs.write(&Record::Stats(Box::new(stats)));
        self.outputs.failure.is_none()
    }

    /// Adds to what the sensor has counted what is known here.
    pub fn count(&self, stats: &mut Stats) {
        let totals = &self.totals;
        (stats.packets, stats.bytes, stats.last_packet) = (totals.frames, totals.wire_bytes, totals.last);
        let names = SeenIn::ALL.iter().zip(totals.names);
        stats.names = names.map(|(seen_in, count)| (seen_in.as_str().to_owned(), count)).collect();
        let levels = Level::ALL.iter().zip(self.outputs.tally.levels);
        stats.alerts = levels.map(|(level, count)| (level.as_str().to_owned(), count)).collect();
        stats.limits = [
            ("summarised_early".to_owned(), self.correlator.closed_early()),
            ("judged_early".to_owned(), self.late),
        ]
        .into();
    }

    /// Takes what no input can change any more. Says whether outputs still take records.
    fn correlate(&mut self) -> bool {
        if let Some(meeting) = &mut self.meeting {
            meeting.settle(passed(&self.order), &mut self.totals);
        }
        let mut named = std::mem::take(&mut self.named);
        loop {
            let (thread, event) = match self.order.release() {
                Some(event) => event,
                None if !self.threads.is_empty() && self.order.waiting() > Self::MOST_WAITING => {
                    self.late += 1;
                    match self.order.release_early() {
                        Some(event) => event,
                        None => break,
                    }
                }
                None => break,
            };
            if let Some(meeting) = &mut self.meeting
                && !meeting.admits(thread, &event, &mut self.totals)
            {
                continue;
            }
            let spot = self.correlator.event(event, &mut named);
            self.outputs.blind_spot(spot);
            named.drain(..).for_each(|sighting| self.sighting(sighting));
        }
        self.named = named;
        self.outputs.failure.is_none()
    }

    /// Takes a name.
    fn sighting(&mut self, sighting: Sighting) {
        let Self { correlator, outputs, totals, .. } = self;
        if let Detail::Derived(_) = sighting.observation.detail {
            totals.name(sighting.observation.seen_in);
            if outputs.flows.is_some() {
                correlator.give(&sighting.observation);
            }
        }
        outputs.blind_spot(correlator.blind_spot(&sighting));
        if outputs.hostnames.is_some() {
            outputs.write(&Record::Hostname(sighting.observation.clone()));
        }
        if let Some(contact) = sighting.into_contact() {
            outputs.tally.contact(contact.entry.service());
            correlator.contact(contact, &mut |record| outputs.write(&record));
        }
    }

    /// Takes the names that are certain by now, or all that there will be.
    fn settle_names(&mut self, now: Option<Timestamp>) {
        let mut named = std::mem::take(&mut self.named);
        self.correlator.settle_names(now, &mut named);
        named.drain(..).for_each(|sighting| self.sighting(sighting));
        self.named = named;
    }

    /// Tells what has settled by the time that every thread has passed, and writes what is held.
    pub fn tick(&mut self) -> bool {
        let now = match self.order.passed() {
            Some(_) => passed(&self.order),
            None => Timestamp::default(),
        };
        self.settle_names(Some(now));
        if let Some(meeting) = &mut self.meeting {
            meeting.settle_conversations(Some(now), &mut self.over);
        }
        self.tell_conversations();
        let outputs = &mut self.outputs;
        self.correlator.tick(now, &mut |record| outputs.write(&record));
        outputs.flush();
        outputs.failure.is_none()
    }
}

fn nanoseconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// Before which time nothing comes any more; that of the end where every input has ended.
fn passed<E>(order: &Watermark<E>) -> Timestamp {
    let end = Timestamp::from_nanos(i64::MAX);
    order
        .passed()
        .map_or(end, |passed| Timestamp::from_nanos(i64::try_from(passed.place).unwrap_or(i64::MAX)))
}

/// Where a moment of a live capture stands in the order.
fn moment(at: Timestamp) -> Position {
    Position { file: 0, place: u64::try_from(at.as_nanos()).unwrap_or(0) }
}
