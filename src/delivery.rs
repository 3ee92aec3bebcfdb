//! What the machines told, on its way out: to the Correlator, to the sinks, and into the closing summary.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::attributor::{Attributor, FeedClosing};
use crate::capture::Timestamp;
use crate::config::{self, Destination, Talk, Verbosity};
use crate::correlator::{Correlator, Folding, Over};
use crate::flow::Conversation;
use crate::hands::Hands;
use crate::inspect::{BlindSpot, Detail, EncryptedDns, SeenIn};
use crate::lists::AllowList;
use crate::meeting::Meeting;
use crate::naming::Naming;
use crate::originator::{AttributionLevel, OffsetFound, record};
use crate::rules::{Level, Rules};
use crate::sink::{
    AtLeast, Closing, Flush, Human, JsonLines, Printable, Progress, Record, Sink, Source, Sources, Stats,
    Syslog, Target, span,
};
use crate::stats::{Counts, Reason};
use crate::watermark::{Input, Position, Watermark};
use crate::worker::{Event, Finished, Named, Sighting};

/// How a destination is opened: [`Target::open`] for a run that may wait for its readers.
pub type Opening<'o> = &'o mut dyn FnMut(&Destination) -> io::Result<Target>;

/// How many records are held at the end before they are made ready together: less than a megabyte.
const AT_ONCE: usize = 256;

/// Fewer are not worth a thread.
const FEW: usize = 64;

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

    /// Tells what is left and writes everything that is held, made ready by `hands`. Gives what the closing summary says so far, and how it
    /// went.
    pub fn end(mut self, hands: &dyn Hands) -> Ended {
        self.order.end(self.wire);
        self.threads.iter().for_each(|input| self.order.end(*input));
        self.correlate();
        self.settle_names(None);
        if let Some(meeting) = &mut self.meeting {
            meeting.settle_conversations(None, &mut self.over);
        }
        self.tell_conversations();
        let Self { correlator, mut outputs, totals, late, cut, sources, begun, .. } = self;
        let blind = EncryptedDns::ALL.iter().zip(correlator.blindness().counts());
        let blind = blind.map(|(how, count)| (how.words().to_owned(), count)).collect();
        let blind_again = correlator.blindness().told_again();
        let (answers, early) = (correlator.naming().answers_given_up(), correlator.naming().settled_early());
        let mut left = Vec::new();
        let Over { feed, allow, closed_early, unnamed, remembered } = correlator.finish(&mut |record| {
            left.push(record);
            if hands.count() == 1 || left.len() >= AT_ONCE {
                outputs.write_all(&mut left, hands);
            }
        });
        outputs.write_all(&mut left, hands);
        let (allowed, notes): (Vec<_>, Vec<_>) =
            allow.entries().iter().map(|entry| (entry.count(), entry.note())).unzip();
        outputs.flush();
        let Outputs { findings, tally, failure, .. } = outputs;
        let listed = |counts: FxHashMap<Box<str>, u64>| {
            counts.into_iter().map(|(name, count)| (name.into_string(), count)).collect()
        };
        // A number of all packets, as one of a file where there are several.
        let place = |number: u64| match begun.iter().rfind(|(_, before)| *before < number) {
            Some((source, before)) if begun.len() > 1 => match sources.get(*source) {
                Some(Source::File(path)) => format!("packet {} of {path}", number - before),
                _ => format!("packet {number}"),
            },
            _ => format!("packet {number}"),
        };
        let refused = |malformed: bool| {
            let wanted = |reason: &Reason| matches!(reason, Reason::Unsupported(..)) != malformed;
            let mut found: Vec<(String, u64)> = (totals.refused.tallies().iter())
                .filter(|tally| wanted(&tally.reason))
                .map(|tally| (format!("{} (first: {})", tally.reason, place(tally.first)), tally.frames))
                .collect();
            if malformed {
                found.push(("dns: malformed or cut short".to_owned(), totals.dns_malformed));
                found.push(("dhcp: malformed or cut short".to_owned(), totals.dhcp_malformed));
                found.push(("tls: the server name is no hostname".to_owned(), totals.no_hostname));
                found.extend(totals.quic.iter().map(|(why, count)| (why.words().to_owned(), *count)));
            } else {
                found.push(("other protocols and types".to_owned(), totals.refused.others()));
                found.push(("IP datagrams with fragments missing".to_owned(), totals.unfinished));
            }
            found
        };
        let mut names: Vec<(String, u64)> = SeenIn::ALL
            .iter()
            .zip(totals.names)
            .map(|(seen_in, count)| (seen_in.as_str().to_owned(), count))
            .collect();
        names.push(("tls without a name".to_owned(), totals.nameless));
        names.push(("addresses instead of a name".to_owned(), totals.addresses));
        let closing = Closing {
            packets: totals.frames,
            bytes: totals.wire_bytes,
            first: totals.first,
            last: totals.last,
            names,
            blind,
            contacts: listed(tally.contacts),
            findings: tally.levels,
            withheld: findings.withheld(),
            rules: listed(tally.rules),
            allowed: allowed.into_iter().flatten().collect(),
            notes: notes.into_iter().flatten().collect(),
            malformed: refused(true),
            unsupported: refused(false),
            copies: totals.copies,
            limits: vec![
                ("pairs of client and service summarised early".to_owned(), closed_early),
                ("conversations without the name that was found for them".to_owned(), unnamed),
                ("names judged before every thread had passed them".to_owned(), late),
                ("packets forgotten before a copy of them could come".to_owned(), totals.forgotten),
                ("answers of DNS given up".to_owned(), answers),
                ("blind spots that are told again".to_owned(), blind_again),
                ("connections named before their time".to_owned(), early),
                ("conversations written before their end".to_owned(), cut),
            ],
            ..Closing::default()
        };
        let mut closing = closing;
        let lost = feed.as_ref().is_some_and(|feed| feed.lost);
        if let Some(feed) = feed {
            say_of_feeds(&mut closing, feed);
        }
        Ended { closing, failure, highest: tally.highest, lost, remembered }
    }
}

fn nanoseconds(time: std::time::Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

/// A sink for machines.
fn lines(target: Target, flush: Flush, sources: &Arc<Sources>) -> Box<dyn Sink> {
    if target.syslog {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Box::new(Syslog::new(target.writer, sources.clone(), &host, std::process::id()))
    } else {
        Box::new(JsonLines::new(target.name, target.writer, flush, sources.clone()))
    }
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

/// How a run ended.
pub struct Ended {
    /// The closing summary, as far as the outputs know it.
    pub closing: Closing,
    /// Why not everything was written.
    pub failure: Option<io::Error>,
    /// The highest level of a finding, whether it was written or not.
    pub highest: Option<Level>,
    /// Whether telemetry, or what waited for it, did not fit.
    pub lost: bool,
    /// What was remembered of names.
    pub remembered: Naming,
}

/// What the closing summary says of feeds.
fn say_of_feeds(closing: &mut Closing, feed: FeedClosing) {
    let FeedClosing { report, share, .. } = feed;
    closing.feed = report.records;
    closing.feed.push(("again".to_owned(), report.duplicates));
    closing.feed.push(("without a host".to_owned(), report.without_host));
    closing.hosts = report.hosts;
    closing.leases = report.leases;
    closing.processes = report.processes;
    closing.connections = (share.named(), share.known());
    closing.levels = (AttributionLevel::ALL.iter().zip(share.levels))
        .map(|(level, count)| (level.as_str().to_owned(), count))
        .collect();
    let told = |nanos: i64| {
        let sign = if nanos < 0 { "-" } else { "+" };
        format!("{sign}{}", span(std::time::Duration::from_nanos(nanos.unsigned_abs())))
    };
    for offset in &report.offsets {
        // Whole hours that are a zone are told once, below.
        let zone = report.zones.iter().find(|zone| (&zone.host, zone.feed) == (&offset.host, offset.feed));
        let zone = zone.filter(|zone| offset.ahead.abs_diff(zone.ahead) < 60_000_000_000);
        let OffsetFound { host, feed, clock, ahead, samples, jumps } = offset;
        let jumped = if *jumps > 0 { format!(", jumped {jumps} times") } else { String::new() };
        closing.clocks.push(format!(
            "{host} {} {}: {} (from {samples} connections{jumped})",
            feed.as_str(),
            clock.as_str(),
            told(ahead - zone.map_or(0, |zone| zone.ahead))
        ));
    }
    for zone in &report.zones {
        closing.clocks.push(format!(
            "{} {}: times are local and do not say so, taken as {}",
            zone.host,
            zone.feed.as_str(),
            zone.zone()
        ));
    }
    closing.limits.extend(report.limits);
}

impl Outputs {
    /// Tells a blind spot among the findings, and where names are written there too: the reader of either wants to know.
    fn blind_spot(&mut self, spot: Option<BlindSpot>) {
        let Some(spot) = spot else { return };
        let record = Record::Blind(Box::new(spot));
        self.write(&record);
        if let Some(hostnames) = &mut self.hostnames
            && self.failure.is_none()
        {
            self.failure = hostnames.write(&record).err();
        }
    }

    fn write(&mut self, record: &Record) {
        if let Record::Alert(alert) = record {
            self.tally.alert(alert);
        }
        let sink: &mut dyn Sink = match record {
            Record::Hostname(_) => match &mut self.hostnames {
                Some(hostnames) => hostnames,
                None => return,
            },
            Record::Flow(_) => match &mut self.flows {
                Some(flows) => flows,
                None => return,
            },
            Record::Alert(_) | Record::Summary(_) | Record::Blind(_) | Record::Stats(_) => &mut self.findings,
        };
        if self.failure.is_none() {
            self.failure = sink.write(record).err();
        }
    }

    /// Writes several, and forgets them.
    fn write_all(&mut self, records: &mut Vec<Record>, hands: &dyn Hands) {
        if hands.count() == 1 || records.len() < FEW {
            records.drain(..).for_each(|record| self.write(&record));
            return;
        }
        let mut findings = Vec::with_capacity(records.len());
        for record in records.drain(..) {
            match &record {
                Record::Hostname(_) | Record::Flow(_) => self.write(&record),
                Record::Alert(alert) => {
                    self.tally.alert(alert);
                    findings.push(record);
                }
                Record::Summary(_) | Record::Blind(_) | Record::Stats(_) => findings.push(record),
            }
        }
        if self.failure.is_none() {
            self.failure = self.findings.write_all(findings, hands).err();
        }
    }

    fn flush(&mut self) {
        let hostnames = self.hostnames.as_mut().map(|hostnames| hostnames.flush());
        let flows = self.flows.as_mut().map(|flows| flows.flush());
        for result in [Some(self.findings.flush()), hostnames, flows].into_iter().flatten() {
            if self.failure.is_none() {
                self.failure = result.err();
            }
        }
    }
}

impl Tally {
    fn contact(&mut self, service: &str) {
        match self.contacts.get_mut(service) {
            Some(count) => *count += 1,
            None => _ = self.contacts.insert(service.into(), 1),
        }
    }

    fn alert(&mut self, alert: &crate::rules::Alert) {
        if alert.update {
            return;
        }
        let level = alert.finding.level;
        self.highest = self.highest.max(Some(level));
        for (count, one) in self.levels.iter_mut().zip(Level::ALL) {
            *count += u64::from(one == level);
        }
        if let Some(rule) = alert.finding.rules.first() {
            *self.rules.entry(rule.name.as_str().into()).or_default() += 1;
        }
    }
}

/// Shows the closing summary and what went wrong, and gives the exit status.
pub fn close(ended: Ended, fail_on: Option<Level>, complete: bool, talk: Talk) -> u8 {
    let Ended { closing, failure, highest, lost, remembered } = ended;
    // The process ends next, and its memory with it: to give it back piece by piece takes a tenth of the time of a short replay.
    std::mem::forget(remembered);
    if talk.verbosity > Verbosity::Quiet {
        let colours = talk.colours(io::stderr().is_terminal());
        eprint!("{}", closing.show(talk.verbosity == Verbosity::Full, colours));
    }
    if let Some(failure) = &failure {
        eprintln!("undertone: {}", Printable(&failure.to_string()));
    }
    match fail_on {
        _ if failure.is_some() || !complete || lost => 1,
        Some(level) if highest >= Some(level) => 3,
        _ => 0,
    }
}
