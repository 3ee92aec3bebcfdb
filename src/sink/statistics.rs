//! What a sensor has counted, as it leaves: in `stats` records, and for whoever scrapes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::capture::Timestamp;

/// All counters of a sensor, from its start to a moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Stats {
    /// The moment.
    #[serde(skip)]
    pub at: Timestamp,
    /// Seconds since the start.
    pub uptime: u64,
    /// Frames that were looked at, on all interfaces.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Time of the latest of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_packet: Option<Timestamp>,
    /// Hostnames seen, by the word for where.
    pub names: BTreeMap<String, u64>,
    /// Alerts by level, whether they were written or not.
    pub alerts: BTreeMap<String, u64>,
    /// How often lists and configuration were read again, and hold since.
    pub reloads: u64,
    /// How often they were read again and refused.
    pub reloads_refused: u64,
    /// What reached a limit, by the limit.
    pub limits: BTreeMap<String, u64>,
    /// By interface.
    pub interfaces: Vec<InterfaceStats>,
    /// By thread and interface.
    pub taps: Vec<TapStats>,
    /// By thread.
    pub threads: Vec<ThreadStats>,
    /// By output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputStats>,
    /// By source of telemetry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub feeds: Vec<FeedStats>,
    /// Milliseconds in which no telemetry was read because the Correlator was behind; senders wait then.
    pub feeds_waited_ms: u64,
    /// Notices about telemetry that were not given because there were too many.
    pub feed_notices_withheld: u64,
}

/// What is counted of an interface as a whole.
#[derive(Clone, Debug, Default, Serialize)]
pub struct InterfaceStats {
    /// Its name.
    pub name: String,
    /// Whether it can be read at the moment.
    pub up: bool,
    /// How often it was opened anew.
    pub reopened: u64,
    /// Frames that the interface or its driver dropped.
    pub interface_dropped: u64,
}

/// What a thread counts of an interface. Of what was received, each frame is processed, dropped, skipped, or still in the kernel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TapStats {
    /// The thread's number.
    pub thread: usize,
    /// The interface's name.
    pub interface: String,
    /// Frames that passed the filter, dropped ones among them.
    pub received: u64,
    /// Frames that were looked at.
    pub processed: u64,
    /// Frames that the kernel dropped because nobody fetched them in time.
    pub dropped: u64,
    /// Frames from before the thread's group was complete.
    pub skipped: u64,
    /// Frames that contradict a specification, by layer.
    pub malformed: BTreeMap<String, u64>,
}

/// What is counted of a thread as a whole.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ThreadStats {
    /// The thread's number.
    pub thread: usize,
    /// Names that were given up because the queue to the Correlator was full.
    pub queue_full: u64,
    /// Open conversations that were given up because a table was full.
    pub evicted: u64,
}

/// What is counted of an output.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OutputStats {
    /// What people call it.
    pub name: String,
    /// Records that were delivered.
    pub delivered: u64,
    /// Bytes that wait in memory.
    pub waiting_bytes: u64,
    /// Bytes that wait in the spill file.
    pub spilled_bytes: u64,
    /// Records that were lost because neither had room.
    pub lost: u64,
    /// Whether the last attempt to write failed.
    pub failing: bool,
}

/// What is counted of a source of telemetry.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FeedStats {
    /// The source, as `--feed` names it.
    pub feed: String,
    /// Senders that are connected.
    pub senders: u64,
    /// Senders that ever were.
    pub came: u64,
    /// Senders that are gone or were not let in, by the reason; `stalled within a record` is one.
    pub gone: BTreeMap<String, u64>,
    /// Bytes that came, without encryption.
    pub bytes: u64,
    /// Records that told something.
    pub records: u64,
    /// Records of kinds that nothing is learned from.
    pub passed_over: u64,
    /// What was refused, by the reason.
    pub refused: BTreeMap<String, u64>,
    /// Bytes that are held for records that are not whole.
    pub held_bytes: u64,
    /// When something came last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// What became of a followed file: `rotated`, and what of it was lost.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub file: BTreeMap<String, u64>,
}

impl Stats {
    /// The counters in the text format of Prometheus, version 0.0.4
    /// (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    pub fn prometheus(&self) -> String {
        let mut text = Text(String::new());
        text.family("build_info", "gauge", "What runs.", &[(&[("version", env!("CARGO_PKG_VERSION"))], 1)]);
        text.family("uptime_seconds", "gauge", "Seconds since the start.", &[(&[], self.uptime)]);
        text.family("packets_total", "counter", "Frames that were looked at.", &[(&[], self.packets)]);
        text.family("bytes_total", "counter", "Bytes of these frames on the wire.", &[(&[], self.bytes)]);
        let seconds =
            self.last_packet.map_or(0, |at| u64::try_from(at.as_nanos() / 1_000_000_000).unwrap_or(0));
        text.family("last_packet_seconds", "gauge", "Time of the latest frame.", &[(&[], seconds)]);
        text.map("names_total", "Hostnames seen.", "seen_in", &self.names);
        text.map("alerts_total", "Alerts, written or not.", "level", &self.alerts);
        text.map("limits_total", "What reached a limit.", "limit", &self.limits);
        text.family("reloads_total", "counter", "Configurations that took effect.", &[(&[], self.reloads)]);
        text.family(
            "reloads_refused_total",
            "counter",
            "Configurations that were refused.",
            &[(&[], self.reloads_refused)],
        );
        type Of<T> = (&'static str, &'static str, &'static str, fn(&T) -> u64);
        let interfaces: [Of<InterfaceStats>; 3] = [
            ("interface_up", "gauge", "Whether the interface can be read.", |of| u64::from(of.up)),
            ("interface_reopened_total", "counter", "How often it was opened anew.", |of| of.reopened),
            ("interface_dropped_total", "counter", "Frames that it dropped itself.", |of| {
                of.interface_dropped
            }),
        ];
        for (name, kind, help, value) in interfaces {
            text.head(name, kind, help);
            for of in &self.interfaces {
                text.sample(name, &[("interface", &of.name)], value(of));
            }
        }
        let taps: [Of<TapStats>; 4] = [
            ("received_total", "counter", "Frames that passed the filter, dropped ones too.", |of| {
                of.received
            }),
            ("processed_total", "counter", "Frames that were looked at.", |of| of.processed),
            ("dropped_total", "counter", "Frames that the kernel dropped.", |of| of.dropped),
            ("skipped_total", "counter", "Frames from before all threads were ready.", |of| of.skipped),
        ];
        for (name, kind, help, value) in taps {
            text.head(name, kind, help);
            for of in &self.taps {
                let thread = of.thread.to_string();
                text.sample(name, &[("interface", &of.interface), ("thread", &thread)], value(of));
            }
        }
        text.head("malformed_total", "counter", "Frames that contradict a specification.");
        for of in &self.taps {
            for (layer, frames) in &of.malformed {
                let thread = of.thread.to_string();
                let labels = [("interface", &*of.interface), ("thread", &thread), ("layer", layer)];
                text.sample("malformed_total", &labels, *frames);
            }
        }
        let threads: [Of<ThreadStats>; 2] = [
            ("queue_full_total", "counter", "Names given up because a queue was full.", |of| of.queue_full),
            ("evicted_total", "counter", "Open conversations given up.", |of| of.evicted),
        ];
        for (name, kind, help, value) in threads {
            text.head(name, kind, help);
            for of in &self.threads {
                text.sample(name, &[("thread", &of.thread.to_string())], value(of));
            }
        }
        let outputs: [Of<OutputStats>; 5] = [
            ("output_delivered_total", "counter", "Records that were delivered.", |of| of.delivered),
            ("output_waiting_bytes", "gauge", "Bytes that wait in memory.", |of| of.waiting_bytes),
            ("output_spilled_bytes", "gauge", "Bytes that wait in the spill file.", |of| of.spilled_bytes),
            ("output_lost_total", "counter", "Records that were lost.", |of| of.lost),
            ("output_failing", "gauge", "Whether the last attempt failed.", |of| u64::from(of.failing)),
        ];
        for (name, kind, help, value) in outputs {
            if !self.outputs.is_empty() {
                text.head(name, kind, help);
            }
            for of in &self.outputs {
                text.sample(name, &[("output", &of.name)], value(of));
            }
        }
        self.feeds(&mut text);
        text.0
    }

    fn feeds(&self, text: &mut Text) {
        if self.feeds.is_empty() {
            return;
        }
        type Of = (&'static str, &'static str, &'static str, fn(&FeedStats) -> u64);
        let feeds: [Of; 7] = [
            ("feed_senders", "gauge", "Senders of telemetry that are connected.", |of| of.senders),
            ("feed_senders_total", "counter", "Senders of telemetry that ever were.", |of| of.came),
            ("feed_bytes_total", "counter", "Bytes of telemetry.", |of| of.bytes),
            ("feed_records_total", "counter", "Records that told something.", |of| of.records),
            ("feed_passed_over_total", "counter", "Records of other kinds.", |of| of.passed_over),
            ("feed_held_bytes", "gauge", "Bytes of records that are not whole.", |of| of.held_bytes),
            ("feed_last_seconds", "gauge", "When something came last.", |of| {
                of.last.map_or(0, |at| u64::try_from(at.as_nanos() / 1_000_000_000).unwrap_or(0))
            }),
        ];
        for (name, kind, help, value) in feeds {
            text.head(name, kind, help);
            for of in &self.feeds {
                text.sample(name, &[("feed", &of.feed)], value(of));
            }
        }
        type Reasons = (&'static str, &'static str, &'static str, fn(&FeedStats) -> &BTreeMap<String, u64>);
        let reasons: [Reasons; 3] = [
            ("feed_gone_total", "Senders that are gone or were not let in.", "reason", |of| &of.gone),
            ("feed_refused_total", "What was refused.", "reason", |of| &of.refused),
            ("feed_file_total", "What became of a followed file.", "event", |of| &of.file),
        ];
        for (name, help, label, values) in reasons {
            text.head(name, "counter", help);
            for of in &self.feeds {
                for (reason, count) in values(of) {
                    text.sample(name, &[("feed", &of.feed), (label, reason)], *count);
                }
            }
        }
        let waited = [(&[][..], self.feeds_waited_ms)];
        text.family("feeds_waited_milliseconds_total", "counter", "How long telemetry had to wait.", &waited);
        let withheld = [(&[][..], self.feed_notices_withheld)];
        text.family("feed_notices_withheld_total", "counter", "Notices that were not given.", &withheld);
    }
}

/// Lines of the text format. Writing to a String cannot fail.
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        write!(self.0, "# HELP undertone_{name} {help}\n# TYPE undertone_{name} {kind}\n")
            .unwrap_or_default();
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: u64) {
        write!(self.0, "undertone_{name}").unwrap_or_default();
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' }).unwrap_or_default();
        }
        writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" }).unwrap_or_default();
    }

    fn family(&mut self, name: &str, kind: &str, help: &str, samples: &[(&[(&str, &str)], u64)]) {
        self.head(name, kind, help);
        samples.iter().for_each(|(labels, value)| self.sample(name, labels, *value));
    }

    fn map(&mut self, name: &str, help: &str, label: &str, values: &BTreeMap<String, u64>) {
        self.head(name, "counter", help);
        values.iter().for_each(|(text, value)| self.sample(name, &[(label, text)], *value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_prometheus_reads() {
        let malformed = BTreeMap::from([("ipv4".to_owned(), 3)]);
        let stats = Stats {
            packets: 7,
            taps: vec![TapStats { thread: 1, interface: "a\"\\b".into(), malformed, ..TapStats::default() }],
            feeds: vec![FeedStats {
                feed: "unix:/run/a".into(),
                senders: 2,
                gone: BTreeMap::from([("closed".to_owned(), 9)]),
                ..FeedStats::default()
            }],
            ..Stats::default()
        };
        let text = stats.prometheus();
        assert!(text.contains("\nundertone_feed_senders{feed=\"unix:/run/a\"} 2\n"), "{text}");
        let labels = "{feed=\"unix:/run/a\",reason=\"closed\"} 9\n";
        assert!(text.contains(&format!("\nundertone_feed_gone_total{labels}")), "{text}");
        assert!(text.contains("\nundertone_feeds_waited_milliseconds_total 0\n"), "{text}");
        assert!(text.contains("\nundertone_packets_total 7\n"), "{text}");
        let labels = "{interface=\"a\\\"\\\\b\",thread=\"1\",layer=\"ipv4\"} 3\n";
        assert!(text.contains(&format!("\nundertone_malformed_total{labels}")), "{text}");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("undertone_") && value.parse::<u64>().is_ok(), "{line}");
            let family = name.split('{').next().unwrap();
            assert!(text.contains(&format!("# TYPE {family} ")), "{line}");
        }
    }
}
