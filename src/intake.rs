//! Telemetry of a live sensor on its way in: records to the Correlator, notices to people, counters into the closing summary.

use crossbeam_channel::TryRecvError;

use crate::arrival::{Arrival, Arriving, Counts, OpenError, Told};
use crate::attributor::Attributor;
use crate::config::{Arrivals, Feeds};
use crate::delivery::Delivery;
use crate::sink::{Closing, Printable};

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

/// What the closing summary says of what arrived: what was refused, who was, and what was given up.
pub fn close(counts: &Counts, closing: &mut Closing) {
    for source in &counts.sources {
        let name = &source.address;
        for (why, refused) in source.tally.refusals() {
            closing.feed_refused.push((format!("{name}: {why}"), refused.count));
        }
        closing.feed_refused.push((format!("{name}: no length before a message"), source.misframed));
        for (why, count) in source.endings().filter(|(why, _)| !why.is_usual()) {
            closing.limits.push((format!("{name}: {}", why.as_str()), count));
        }
        let file = source.file;
        closing.limits.extend([
            (format!("{name}: emptied without a copy"), file.truncated_without_copy),
            (format!("{name}: bytes too old"), file.skipped),
            (format!("{name}: earlier files left early"), file.given_up),
            (format!("{name}: not looked at in time"), file.unseen),
        ]);
    }
    let waited = u64::try_from(counts.waited.as_millis()).unwrap_or(u64::MAX);
    closing.limits.push(("milliseconds that senders of telemetry waited".to_owned(), waited));
    closing.limits.push(("notices of telemetry withheld".to_owned(), counts.notices_withheld));
}
