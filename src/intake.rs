//! Telemetry of a live sensor on its way in: records to the Correlator, notices to people, counters into the closing summary.

use std::collections::BTreeMap;

use crossbeam_channel::TryRecvError;

use crate::arrival::{Arrival, Arriving, Counts, FileCounts, OpenError, SourceCounts, Told};
use crate::attributor::Attributor;
use crate::config::{Arrivals, Feeds};
use crate::delivery::Delivery;
use crate::sink::{Closing, FeedStats, Printable, Stats};

/// What is taken before others have their turn. Each may hold a mebibyte of records, which takes some 5 ms.
const TURN: usize = 8;

/// Telemetry that arrives, if any was asked for.
pub struct Intake {
    arriving: Option<Arriving>,
    names: Vec<String>,
}

impl Intake {
    /// Opens the sources: listens, and finds the files. None where none is asked for.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn open(arrivals: &Arrivals) -> Result<Option<Arrival>, OpenError> {
        if arrivals.sources.is_empty() {
            return Ok(None);
        }
        Arrival::open(&arrivals.sources, arrivals.tls.as_ref(), arrivals.format).map(Some)
    }

    /// Starts to read, and has `delivery` name processes.
    ///
    /// # Errors
    /// When the system has no room for a thread.
    pub fn start(
        arrival: Option<Arrival>,
        feeds: &Feeds,
        flows: bool,
        delivery: &mut Delivery,
        speak: bool,
    ) -> std::io::Result<Self> {
        let Some(arrival) = arrival else { return Ok(Self { arriving: None, names: Vec::new() }) };
        let (join, memory) = feeds.join();
        delivery.attribute(Attributor::live(join, memory, flows));
        let names = arrival.names().to_vec();
        if speak {
            eprintln!("undertone: telemetry comes from {}", Printable(&names.join(", ")));
        }
        Ok(Self { arriving: Some(arrival.start()?), names })
    }

    /// Takes some of what has arrived. Whether there may be more.
    pub fn take(&mut self, delivery: &mut Delivery) -> bool {
        for _ in 0..TURN {
            let Some(arriving) = &self.arriving else { return false };
            match arriving.told().try_recv() {
                Ok(told) => self.told(told, delivery),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Adds what was counted so far.
    pub fn stats(&self, stats: &mut Stats) {
        let Some(arriving) = &self.arriving else { return };
        let counts = arriving.counts();
        stats.feeds = counts.sources.iter().map(feed_stats).collect();
        stats.feeds_waited_ms = u64::try_from(counts.waited.as_millis()).unwrap_or(u64::MAX);
        stats.feed_notices_withheld = counts.notices_withheld;
    }

    /// Nothing more is let in.
    pub fn stop(&self) {
        if let Some(arriving) = &self.arriving {
            arriving.stop();
        }
    }

    /// Takes what is left. Gives the counters, and whether nothing failed.
    pub fn end(mut self, delivery: &mut Delivery) -> (Counts, bool) {
        self.stop();
        let Some(arriving) = self.arriving.take() else { return (Counts::default(), true) };
        arriving.told().iter().for_each(|told| self.told(told, delivery));
        let counts = arriving.counts();
        (counts, arriving.join())
    }

    fn told(&self, told: Told, delivery: &mut Delivery) {
        let name = |source: usize| self.names.get(source).map_or("", String::as_str);
        match told {
            Told::Records { records, .. } => records.iter().for_each(|record| delivery.record(record)),
            Told::Notice { source, text } => {
                eprintln!("undertone: {}: {}", Printable(name(source)), Printable(&text));
            }
            Told::Ended { source } => eprintln!("undertone: {}: has ended", Printable(name(source))),
            Told::Passed(_) => {}
        }
    }
}

/// What was counted of a source.
fn feed_stats(source: &SourceCounts) -> FeedStats {
    let SourceCounts { address, tally, last, senders, came, misframed, file, .. } = source;
    let mut refused: BTreeMap<String, u64> =
        tally.refusals().map(|(why, refused)| (why.to_string(), refused.count)).collect();
    refused.insert(MISFRAMED.to_owned(), *misframed);
    let mut became =
        BTreeMap::from([("rotated".to_owned(), file.rotated), ("emptied".to_owned(), file.truncated)]);
    became.extend(lost_of_file(*file).map(|(what, count)| (what.to_owned(), count)));
    for counts in [&mut refused, &mut became] {
        counts.retain(|_, count| *count > 0);
    }
    FeedStats {
        feed: address.clone(),
        senders: senders.len() as u64,
        came: *came,
        gone: source.endings().map(|(why, count)| (why.as_str().to_owned(), count)).collect(),
        bytes: tally.bytes,
        records: tally.told,
        passed_over: tally.passed_over,
        refused,
        held_bytes: senders.iter().map(|sender| sender.held as u64).sum(),
        last: *last,
        file: became,
    }
}

/// Why what had no length before it is refused.
const MISFRAMED: &str = "no length before a message";

/// What of a followed file was lost.
const fn lost_of_file(file: FileCounts) -> [(&'static str, u64); 4] {
    [
        ("emptied without a copy", file.truncated_without_copy),
        ("bytes too old", file.skipped),
        ("earlier files left early", file.given_up),
        ("not looked at in time", file.unseen),
    ]
}

/// What the closing summary says of what arrived: what was refused, who was, and what was given up.
pub fn close(counts: &Counts, closing: &mut Closing) {
    for source in &counts.sources {
        let name = &source.address;
        for (why, refused) in source.tally.refusals() {
            closing.feed_refused.push((format!("{name}: {why}"), refused.count));
        }
        closing.feed_refused.push((format!("{name}: {MISFRAMED}"), source.misframed));
        for (why, count) in source.endings().filter(|(why, _)| !why.is_usual()) {
            closing.limits.push((format!("{name}: {}", why.as_str()), count));
        }
        closing
            .limits
            .extend(lost_of_file(source.file).map(|(what, count)| (format!("{name}: {what}"), count)));
    }
    let waited = u64::try_from(counts.waited.as_millis()).unwrap_or(u64::MAX);
    closing.limits.push(("milliseconds that senders of telemetry waited".to_owned(), waited));
    closing.limits.push(("notices of telemetry withheld".to_owned(), counts.notices_withheld));
}
