//! The Correlator: contacts in order → alerts, summaries and hostname records.
//!
//! One of the two pure machines ([`Worker`](crate::worker::Worker) is the other): it spawns nothing, opens nothing and reads no
//! clock; time comes with the contacts, and in a live sensor by [`Correlator::tick`]. It is given everything in the order of
//! the capture, so what it gives does not depend on threads.
//!
//! What the wire told comes as events, and leaves the first step as names ([`Naming`]). A contact then goes through three: who made it
//! (`originator`), what that means (`rules`), and whether that was told before ([`Folder`]).

use std::cell::OnceCell;

use rustc_hash::FxHashSet;

use crate::attributor::{Attributed, Attributor, FeedClosing, Waited};
use crate::blindness::Blindness;
use crate::capture::Timestamp;
use crate::events::{Event, Sighting, What};
use crate::flow::{Conversation, FlowKey};
use crate::given::Given;
use crate::inspect::{BlindSpot, Observation};
use crate::lists::{AllowList, Client, Contact};
use crate::naming::Naming;
use crate::originator::Attribution;
use crate::originator::record;
use crate::rules::{Allowed, Finding, Level, Rules};
use crate::sink::{FlowRecord, Record};
use crate::worker::Named;

pub use crate::folding::{Folder, Folding};

/// Turns contacts into records.
#[derive(Debug)]
pub struct Correlator {
    naming: Naming,
    given: Given,
    blindness: Blindness,
    /// The built-in ones where none were given: they are only read when they are needed.
    rules: OnceCell<Rules>,
    allow: AllowList,
    /// What is allowed: folded, and told as summaries.
    allowed: Folder,
    folder: Folder,
    /// Where there is telemetry.
    attributor: Option<Attributor>,
    /// Connections on which rules fired as on contacts, where rules are asked of every connection: they are not asked again.
    judged: FxHashSet<FlowKey>,
}

impl Correlator {
    /// A Correlator that has seen nothing.
    pub fn new(folding: Folding) -> Self {
        Self {
            naming: Naming::default(),
            given: Given::default(),
            blindness: Blindness::default(),
            rules: OnceCell::new(),
            allow: AllowList::new(),
            allowed: Folder::new(folding),
            folder: Folder::new(folding),
            attributor: None,
            judged: FxHashSet::default(),
        }
    }

    /// The most connections that are remembered to have been judged as contacts; beyond it all are forgotten, and an alert may come twice: as
    /// many as a busy hour has.
    const MOST_JUDGED: usize = 1 << 16;

    /// Takes the next event of the capture, and adds the names that are certain by it to `told`. Gives the blind spot that it shows.
    pub fn event(&mut self, event: Event, told: &mut Vec<Sighting>) -> Option<BlindSpot> {
        if let What::Lease(message) = &event.what {
            if let Some(attributor) = &mut self.attributor {
                attributor.lease(message, event.mark.at);
            }
            return None;
        }
        let spot = self.blindness.event(&event);
        self.naming.take(event, told);
        spot
    }

    /// The blind spot that a name shows.
    pub fn blind_spot(&mut self, sighting: &Sighting) -> Option<BlindSpot> {
        self.blindness.sighting(sighting)
    }

    /// Finds blind spots.
    pub const fn blindness(&self) -> &Blindness {
        &self.blindness
    }

    /// Adds the names that are certain by `now`, or all that there will be.
    pub fn settle_names(&mut self, now: Option<Timestamp>, told: &mut Vec<Sighting>) {
        match now {
            Some(now) => self.naming.settle(now, told),
            None => self.naming.finish(told),
        }
    }

    /// Gives connections their names.
    pub const fn naming(&self) -> &Naming {
        &self.naming
    }

    /// Attributes contacts with this.
    pub fn attribute(&mut self, mut attributor: Attributor) {
        attributor.judge_conversations(self.rules().sigma().ask_connections());
        self.attributor = Some(attributor);
    }

    /// From now on judges by these rules, and tells of what the list allows in summaries only.
    pub fn judge_by(&mut self, rules: Rules, allow: AllowList) {
        let ask = rules.sigma().ask_connections();
        (self.rules, self.allow) = (OnceCell::from(rules), allow);
        if let Some(attributor) = &mut self.attributor {
            attributor.judge_conversations(ask);
        }
    }

    fn rules(&self) -> &Rules {
        self.rules.get_or_init(Rules::builtin)
    }

    /// Whether rules are asked of every connection whose process is known.
    pub fn asks_connections(&self) -> bool {
        self.rules().sigma().ask_connections()
    }

    /// Takes the next contact of the capture.
    pub fn contact(&mut self, contact: Contact, tell: &mut dyn FnMut(Record)) {
        let attributed = match &mut self.attributor {
            None => Some((contact, Attribution::no_telemetry())),
            Some(attributor) => attributor.contact(contact),
        };
        if let Some(attributed) = attributed {
            self.attributed(attributed, tell);
        }
    }

    /// Takes a record of endpoint telemetry.
    pub fn record(&mut self, record: &record::Record<'_>) {
        if let Some(attributor) = &mut self.attributor {
            attributor.record(record);
        }
    }

    /// Takes a name that was given to a connection which has none, for its conversation.
    pub fn give(&mut self, observation: &Observation) {
        self.given.take(observation);
    }

    /// Takes a conversation that is over.
    pub fn conversation(&mut self, mut conversation: Conversation<Named>, tell: &mut dyn FnMut(Record)) {
        if conversation.name.is_none() {
            let expected = || self.naming.expected(&conversation.flow.key());
            conversation.name = self.given.name(&conversation).or_else(expected).map(Box::new);
        }
        let flow = match &mut self.attributor {
            None => Some(FlowRecord { conversation, attribution: None }),
            Some(attributor) => attributor.conversation(conversation),
        };
        if let Some(flow) = flow {
            self.flow(flow, tell);
        }
    }

    /// Tells a conversation, where that is wanted.
    fn flow(&self, flow: FlowRecord, tell: &mut dyn FnMut(Record)) {
        if self.attributor.as_ref().is_none_or(Attributor::tells_flows) {
            tell(Record::Flow(Box::new(flow)));
        }
    }

    /// Asks of a connection the rules that ask for no hostname, unless they were asked of it as of a contact.
    fn connection(&mut self, flow: &FlowRecord, tell: &mut dyn FnMut(Record)) {
        let Some(attribution) = &flow.attribution else { return };
        if self.judged.contains(&flow.conversation.flow.key()) {
            return;
        }
        if let Some(mut finding) = self.rules().connection(&flow.conversation, attribution) {
            self.allow(&mut finding);
            self.fold(finding, tell);
        }
    }

    /// Takes a hostname that is to be recorded, whether listed or not.
    pub fn hostname(&mut self, observation: Observation, tell: &mut dyn FnMut(Record)) {
        tell(Record::Hostname(observation));
    }

    /// Tells the alerts that have settled by `now`.
    pub fn tick(&mut self, now: Timestamp, tell: &mut dyn FnMut(Record)) {
        let known = self.attributor.as_mut().map(|attributor| attributor.tick(now));
        for attributed in known.into_iter().flatten() {
            self.known(attributed, tell);
        }
        let known = self.attributor.as_mut().map(|attributor| attributor.tick_conversations(now));
        for flow in known.into_iter().flatten() {
            self.connection(&flow, tell);
        }
        self.folder.tick(now, tell);
    }

    /// Alerts stand for this many nanoseconds from now on.
    pub const fn set_repeat_window(&mut self, repeat_window: i64) {
        self.folder.set_repeat_window(repeat_window);
    }

    /// Tells what is left: what waited for telemetry, alerts that have not settled, then a summary of each group, in the order in
    /// which they were opened. Gives what there is to tell of the whole.
    pub fn finish(mut self, tell: &mut dyn FnMut(Record)) -> Over {
        let mut feed = None;
        if let Some(attributor) = self.attributor.take() {
            let flows = attributor.tells_flows();
            feed = Some(attributor.finish(&mut |waited| match waited {
                Waited::Contact(attributed) => self.attributed(attributed, tell),
                Waited::Pending(attributed) => self.known(attributed, tell),
                Waited::Flow(flow) => {
                    self.connection(&flow, tell);
                    if flows {
                        tell(Record::Flow(Box::new(flow)));
                    }
                }
                Waited::Late(flow) => self.connection(&flow, tell),
            }));
        }
        let closed_early = self.folder.closed_early() + self.allowed.closed_early();
        self.folder.finish(tell);
        self.allowed.finish(&mut summaries(tell));
        let unnamed = self.given.forgotten();
        Over { feed, allow: self.allow, closed_early, unnamed, remembered: self.naming }
    }

    fn attributed(&mut self, (contact, attribution): Attributed, tell: &mut dyn FnMut(Record)) {
        if let Some(finding) = self.judge(contact, attribution) {
            self.fold(finding, tell);
        }
    }

    fn fold(&mut self, finding: Finding, tell: &mut dyn FnMut(Record)) {
        if finding.allowed.is_some() {
            self.allowed.finding(finding, &mut summaries(tell));
        } else {
            self.folder.finding(finding, tell);
        }
    }

    /// Takes of a contact that was pending who made it.
    fn known(&mut self, (contact, attribution): Attributed, tell: &mut dyn FnMut(Record)) {
        let Some(finding) = self.judge(contact, attribution) else { return };
        if finding.allowed.is_none() && self.allowed.take_back(&finding) {
            // It was allowed to whoever it might have been, and is not to this process.
            self.folder.finding(finding, tell);
        } else if finding.allowed.is_none() || self.folder.has(&finding) {
            // What was told is told again, if only that it is allowed.
            self.folder.known(finding, tell);
        } else {
            self.allowed.known(finding, &mut summaries(tell));
        }
    }

    /// What a contact means, and whether it is allowed; nothing where no rule says anything of it.
    fn judge(&mut self, contact: Contact, attribution: Attribution) -> Option<Finding> {
        let rules = self.rules.get_or_init(Rules::builtin);
        let mut finding = rules.judge(contact, attribution)?;
        if rules.sigma().ask_connections() && finding.contact.observation.seen_in.is_connection() {
            if self.judged.len() >= Self::MOST_JUDGED {
                self.judged.clear();
            }
            self.judged.insert(finding.contact.observation.flow.key());
        }
        self.allow(&mut finding);
        Some(finding)
    }

    /// Says whether a finding is allowed, and by whom.
    fn allow(&mut self, finding: &mut Finding) {
        if self.allow.entries().is_empty() {
            return;
        }
        let Finding { contact, attribution, .. } = &*finding;
        let process = attribution.originator();
        let client = Client {
            address: contact.observation.flow.src.ip,
            host: attribution.host.as_ref().map(|host| &*host.name),
            image: process.and_then(|process| process.executable.as_deref().or(process.name.as_deref())),
            signer: process.and_then(|process| process.signer.as_deref()),
        };
        let observation = &contact.observation;
        if let Some(allow) = self.allow.allows(observation.at, client, &observation.hostname, &contact.entry)
        {
            finding.allowed = Some(Box::new(Allowed::from(allow)));
            finding.level = Level::Informational;
        }
    }

    /// How many groups were summarised early because [`Folder::MOST_GROUPS`] was reached.
    pub const fn closed_early(&self) -> u64 {
        self.folder.closed_early()
    }
}

/// What there is to tell of a run when it is over.
#[derive(Debug)]
pub struct Over {
    /// Of feeds, if there were any.
    pub feed: Option<FeedClosing>,
    /// Of allow lists: how often each entry was needed.
    pub allow: AllowList,
    /// How many groups were summarised early because [`Folder::MOST_GROUPS`] was reached.
    pub closed_early: u64,
    /// How many names that were given to connections were forgotten before these were told as conversations.
    pub unnamed: u64,
    /// What was remembered of names: some ten MiB in as many pieces as there are names.
    pub remembered: Naming,
}

/// Tells summaries, and no alerts.
fn summaries(tell: &mut dyn FnMut(Record)) -> impl FnMut(Record) {
    |record| {
        if matches!(record, Record::Summary(_)) {
            tell(record);
        }
    }
}

#[cfg(test)]
mod tests;
