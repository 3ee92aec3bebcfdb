//! The outputs: which sink takes a record, and what is counted of it for the closing summary.

use std::sync::Arc;

use super::{Outputs, Tally};
use crate::hands::Hands;
use crate::inspect::BlindSpot;
use crate::rules::Level;
use crate::sink::{Flush, JsonLines, Record, Sink, Sources, Syslog, Target};

/// Fewer are not worth a thread.
const FEW: usize = 64;

impl Outputs {
    /// Tells a blind spot among the findings, and where names are written there too: the reader of either wants to know.
    pub(super) fn blind_spot(&mut self, spot: Option<BlindSpot>) {
        let Some(spot) = spot else { return };
        let record = Record::Blind(Box::new(spot));
        self.write(&record);
        if let Some(hostnames) = &mut self.hostnames
            && self.failure.is_none()
        {
            self.failure = hostnames.write(&record).err();
        }
    }

    pub(super) fn write(&mut self, record: &Record) {
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
    pub(super) fn write_all(&mut self, records: &mut Vec<Record>, hands: &dyn Hands) {
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

    pub(super) fn flush(&mut self) {
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
    pub(super) fn contact(&mut self, service: &str) {
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

/// A sink for machines.
pub(super) fn lines(target: Target, flush: Flush, sources: &Arc<Sources>) -> Box<dyn Sink> {
    if target.syslog {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Box::new(Syslog::new(target.writer, sources.clone(), &host, std::process::id()))
    } else {
        Box::new(JsonLines::new(target.name, target.writer, flush, sources.clone()))
    }
}
