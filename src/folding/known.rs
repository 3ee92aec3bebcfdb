//! Findings that were taken as pending: what becomes of their alert and summary when it is known who made them, or that nobody will be named.

use std::collections::BTreeSet;

use super::{Claimed, Folder, GroupKey, says_more};
use crate::inspect::Observation;
use crate::rules::Finding;
use crate::sink::Record;

impl Folder {
    /// Takes of a finding that was taken as pending who made it, or that nobody will be named: tells the alert that it belongs to again. The
    /// first that has a process gives it to the alert; what turns out to be another one's later is taken out of it, and told for itself.
    pub fn known(&mut self, finding: Finding, tell: &mut dyn FnMut(Record)) {
        let key = GroupKey::of(&finding);
        let nobody = key.of_nobody();
        let at = finding.contact.observation.at;
        if self.groups.get(&nobody).is_some_and(|group| group.pending.is_some() && group.first <= at) {
            self.known_of_pending(key, nobody, finding, tell);
        } else if let Some(taken) = self.taken.get(&nobody).cloned()
            && self.groups.get(&taken).is_some_and(|group| group.claimed.is_some())
        {
            self.known_of_claimed(key, &taken, finding, tell);
        } else {
            self.taken.remove(&nobody);
            match self.groups.get_mut(&key) {
                Some(group) if says_more(&finding, &group.summary.finding) => group.summary.finding = finding,
                Some(_) => {}
                None => self.finding(finding, tell),
            }
        }
    }

    /// The same of an alert for which there is no process yet.
    fn known_of_pending(
        &mut self,
        key: GroupKey,
        nobody: GroupKey,
        finding: Finding,
        tell: &mut dyn FnMut(Record),
    ) {
        let Some(group) = self.groups.get_mut(&nobody) else { return };
        group.learn(&finding);
        let nobodys = group.nobodys.take();
        let mut ways = BTreeSet::from([finding.contact.observation.seen_in]);
        ways.extend(nobodys.iter().map(|other| other.contact.observation.seen_in));
        let best = match nobodys {
            Some(other) if key.process.is_none() && !says_more(&finding, &other) => other,
            _ => Box::new(finding),
        };
        if key.process.is_none() && !group.unknown.is_empty() {
            // Another contact of it may yet have a process.
            group.nobodys = Some(best);
            return;
        }
        let Some(mut group) = self.groups.remove(&nobody) else { return };
        let Some(mut alert) = group.pending.take() else { return };
        let own = best;
        // The connection stands for the question before it, as long as it may be of the same process.
        let is_connection = |finding: &Finding| finding.contact.observation.seen_in.is_connection();
        let contact = alert.finding.contact.clone();
        let keeps = is_connection(&alert.finding) && !is_connection(&own);
        alert.finding = (*own).clone();
        if keeps {
            alert.finding.contact = contact;
        }
        alert.update = true;
        tell(Record::Alert((*alert).clone()));
        group.tell_with(&alert);
        group.summary.finding = alert.finding.clone();
        if !group.unknown.is_empty() {
            group.claimed = Some(Box::new(Claimed { alert: *alert, own: *own, ways, keeps }));
            self.taken.insert(nobody.clone(), key.clone());
        }
        self.put(&nobody, key, group);
    }

    /// The same of an alert that has the process of another of its contacts.
    fn known_of_claimed(
        &mut self,
        key: GroupKey,
        taken: &GroupKey,
        finding: Finding,
        tell: &mut dyn FnMut(Record),
    ) {
        let Some(group) = self.groups.get_mut(taken) else { return };
        group.learn(&finding);
        let Some(mut claimed) = group.claimed.take() else { return };
        let Observation { seen_in, .. } = finding.contact.observation;
        // A question that nobody asked belongs to the page load of the one process that reached the service.
        let own = key == *taken || (key.process.is_none() && !seen_in.is_connection());
        let mut changed = false;
        if own {
            claimed.ways.insert(seen_in);
            if key == *taken && says_more(&finding, &claimed.own) {
                claimed.own.clone_from(&finding);
            }
            let is_shown = claimed.keeps && key == *taken && seen_in.is_connection();
            if is_shown || says_more(&claimed.own, &claimed.alert.finding) {
                claimed.alert.finding = claimed.own.clone();
                claimed.keeps = false;
                changed = true;
            }
        } else {
            group.summary.count = group.summary.count.saturating_sub(1);
            group.summary.connections =
                group.summary.connections.saturating_sub(u64::from(seen_in.is_connection()));
            if !group.unknown.contains_key(&seen_in) && !claimed.ways.contains(&seen_in) {
                changed |= claimed.alert.seen_in.remove(&seen_in);
                group.summary.seen_in.remove(&seen_in);
            }
            let shown = &claimed.alert.finding.contact.observation;
            if (shown.at, shown.flow) == (finding.contact.observation.at, finding.contact.observation.flow) {
                claimed.alert.finding = claimed.own.clone();
                changed = true;
            }
        }
        if changed {
            tell(Record::Alert(claimed.alert.clone()));
            group.tell_with(&claimed.alert);
            group.summary.finding = claimed.alert.finding.clone();
        }
        if group.unknown.is_empty() {
            self.taken.remove(&taken.of_nobody());
        } else {
            group.claimed = Some(claimed);
        }
        if !own {
            self.finding(finding, tell);
        }
    }

    /// Whether a finding that was pending belongs to what is folded here.
    pub fn has(&self, finding: &Finding) -> bool {
        let key = GroupKey::of(finding);
        let pending = self.groups.get(&key.of_nobody()).is_some_and(|group| group.pending.is_some());
        pending || self.groups.contains_key(&key) || self.taken.contains_key(&key.of_nobody())
    }

    /// Forgets a finding that was taken as pending and belongs elsewhere. Says whether there was one.
    pub fn take_back(&mut self, finding: &Finding) -> bool {
        let nobody = GroupKey::of(finding).of_nobody();
        let Some(group) = self.groups.get_mut(&nobody) else { return false };
        let is_connection = finding.contact.observation.seen_in.is_connection();
        group.summary.count = group.summary.count.saturating_sub(1);
        group.summary.connections = group.summary.connections.saturating_sub(u64::from(is_connection));
        if group.summary.count == 0 {
            self.groups.remove(&nobody);
            self.opened.retain(|key| *key != nobody);
        }
        true
    }
}
