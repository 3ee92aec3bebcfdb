//! The end of a run: what is left is told, and what the closing summary says is put together.

use std::io::{self, IsTerminal};

use rustc_hash::FxHashMap;

use super::{Delivery, Outputs};
use crate::attributor::FeedClosing;
use crate::config::{Talk, Verbosity};
use crate::correlator::Over;
use crate::hands::Hands;
use crate::inspect::{EncryptedDns, SeenIn};
use crate::naming::Naming;
use crate::originator::{AttributionLevel, OffsetFound};
use crate::rules::Level;
use crate::sink::{Closing, Printable, Source, span};
use crate::stats::Reason;

/// How many records are held at the end before they are made ready together: less than a megabyte.
const AT_ONCE: usize = 256;

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

impl Delivery {
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
