//! A group: how its alert and its summary take in what belongs to them.

use std::collections::BTreeMap;

use super::{Group, is_pending, says_more};
use crate::capture::Timestamp;
use crate::inspect::SeenIn;
use crate::rules::{Alert, Finding, Summary};

impl Group {
    pub(super) const fn new(summary: Summary, first: Timestamp) -> Self {
        Self {
            summary,
            first,
            alert: None,
            grown: false,
            pending: None,
            unknown: BTreeMap::new(),
            nobodys: None,
            claimed: None,
        }
    }

    /// Takes notice that it is known of a contact who made it.
    pub(super) fn learn(&mut self, finding: &Finding) {
        let way = finding.contact.observation.seen_in;
        if let Some(count) = self.unknown.get_mut(&way) {
            *count -= 1;
            if *count == 0 {
                self.unknown.remove(&way);
            }
        }
    }

    /// Makes the alert that has not settled say what was told of it.
    pub(super) fn tell_with(&mut self, told: &Alert) {
        if let Some(alert) = &mut self.alert {
            alert.finding = told.finding.clone();
            alert.seen_in.clone_from(&told.seen_in);
            alert.told_as = alert.told_as.max(Some(told.finding.level));
        }
    }

    /// Takes in what belongs to it as well.
    pub(super) fn take_in(&mut self, other: Summary) {
        let summary = &mut self.summary;
        summary.count += other.count;
        summary.connections += other.connections;
        summary.first = summary.first.min(other.first);
        summary.last = summary.last.max(other.last);
        summary.seen_in.extend(other.seen_in);
        let hostnames = other.hostnames.iter().filter(|value| !summary.hostnames.keep(value)).count();
        let destinations =
            other.destinations.iter().filter(|value| !summary.destinations.keep(value)).count();
        let ports = other.ports.iter().filter(|value| !summary.ports.keep(value)).count();
        summary.values_left_out += other.values_left_out + (hostnames + destinations + ports) as u64;
        summary.one_path &= other.one_path && same_path(&summary.finding, &other.finding);
    }

    pub(super) fn add_to_summary(&mut self, finding: &mut Finding) {
        let observation = &finding.contact.observation;
        let summary = &mut self.summary;
        summary.count += 1;
        summary.one_path &= same_path(finding, &summary.finding);
        summary.first = summary.first.min(observation.at);
        summary.last = summary.last.max(observation.at);
        summary.seen_in.insert(observation.seen_in);
        let named = observation.seen_in != SeenIn::Address;
        let mut left_out = named && !summary.hostnames.keep(&observation.hostname);
        if observation.seen_in.is_connection() {
            summary.connections += 1;
            left_out |= !summary.destinations.keep(&observation.flow.dst.ip);
            left_out |= !summary.ports.keep(&observation.flow.dst.port);
        }
        summary.values_left_out += u64::from(left_out);
        if says_more(finding, &summary.finding) {
            finding.contact.observation.detail.settle();
            let before = std::mem::replace(&mut summary.finding, finding.clone());
            summary.finding.also(&before.rules);
        } else {
            summary.finding.also(&finding.rules);
        }
    }

    pub(super) fn add_to_alert(&mut self, finding: Finding) {
        let Some(alert) = &mut self.alert else { return };
        if let Some(pending) = self.pending.as_mut().filter(|_| is_pending(&finding)) {
            let way = finding.contact.observation.seen_in;
            *self.unknown.entry(way).or_default() += 1;
            pending.seen_in.insert(way);
            if says_more(&finding, &pending.finding) {
                pending.finding = finding.clone();
                pending.finding.contact.observation.detail.settle();
            }
        }
        self.grown |= alert.seen_in.insert(finding.contact.observation.seen_in);
        if says_more(&finding, &alert.finding) {
            let before = std::mem::replace(&mut alert.finding, finding);
            alert.finding.also(&before.rules);
            alert.finding.contact.observation.detail.settle();
            self.grown = true;
        } else {
            self.grown |= alert.finding.also(&finding.rules);
        }
    }

    /// Settles the alert; gives it if it says more than was told.
    pub(super) fn settle(&mut self) -> Option<Alert> {
        let alert = self.alert.take()?;
        std::mem::take(&mut self.grown).then_some(*alert)
    }
}

/// Whether two contacts came through the same tunnel and VLANs.
fn same_path(one: &Finding, other: &Finding) -> bool {
    one.contact.observation.path == other.contact.observation.path
}
