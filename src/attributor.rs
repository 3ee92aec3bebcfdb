//! What waits to be attributed, and the join that does it.
//!
//! In a replay everything waits: for the end of the feeds, and for that of the captures, since the wire's connections tell what clocks are
//! ahead. Then all are attributed in their order. In a live capture nothing waits: a contact is told at once as pending, and again when its
//! process is known, or when the feed has passed it.

use std::collections::VecDeque;

use crate::capture::Timestamp;
use crate::flow::Conversation;
use crate::inspect::SeenIn;
use crate::lists::Contact;
use crate::originator::record::{FeedKind, Record};
use crate::originator::{Attribution, AttributionLevel, FeedMemory, FeedReport, Join, Question};
use crate::sink::FlowRecord;
use crate::worker::Named;

/// Attributes contacts and conversations.
#[derive(Debug)]
pub struct Attributor {
    join: Join,
    /// The most that waits.
    most: usize,
    /// Whether everything waits for the end.
    at_end: bool,
    /// Whether conversations are to be told.
    flows: bool,
    contacts: Vec<Contact>,
    conversations: Vec<Conversation<Named>>,
    /// Contacts that were given back as pending.
    pending: VecDeque<Contact>,
    /// How long the feeds that spoke so far may be behind, in nanoseconds.
    patience: i64,
    /// When what came last was learned from.
    settled: Timestamp,
    /// Whether a record came since.
    fresh: bool,
    /// Contacts that were attributed before everything was known, because too many waited.
    early: u64,
    share: Share,
}

/// Which connections got a process, and how it was known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    /// Connections of hosts that a feed speaks of, by [`AttributionLevel`] in the order of [`AttributionLevel::ALL`].
    pub levels: [u64; AttributionLevel::ALL.len()],
}

impl Share {
    /// Connections of hosts that a feed speaks of.
    pub fn known(&self) -> u64 {
        self.levels.iter().sum()
    }

    /// Those of them that got a process.
    pub fn named(&self) -> u64 {
        let levels = AttributionLevel::ALL.iter().zip(self.levels);
        levels.filter(|(level, _)| **level > AttributionLevel::Host).map(|(_, count)| count).sum()
    }

    fn add(&mut self, attribution: &Attribution) {
        if attribution.level == AttributionLevel::NoTelemetry {
            return;
        }
        for (count, level) in self.levels.iter_mut().zip(AttributionLevel::ALL) {
            *count += u64::from(level == attribution.level);
        }
    }
}

/// What there is to tell of feeds at the end.
#[derive(Clone, Debug, Default)]
pub struct FeedClosing {
    /// What the join has to tell.
    pub report: FeedReport,
    /// Which connections got a process.
    pub share: Share,
    /// Whether something did not fit, so that a process may be missing.
    pub lost: bool,
}

/// A contact and who made it.
pub type Attributed = (Contact, Attribution);

/// What has waited until the end.
#[derive(Debug)]
pub enum Waited {
    /// A contact of which nothing was told.
    Contact(Attributed),
    /// A contact that was told as pending.
    Pending(Attributed),
    /// A conversation.
    Flow(FlowRecord),
}

const SECOND: i64 = 1_000_000_000;

impl Attributor {
    /// How often what came is learned from, in nanoseconds: offsets and addresses change slowly.
    const LEARN: i64 = 10 * SECOND;

    /// An Attributor for which everything waits until the end. With `flows` conversations are told too.
    pub fn replay(join: Join, memory: FeedMemory, flows: bool) -> Self {
        Self {
            join,
            most: memory.contacts,
            at_end: true,
            flows,
            contacts: Vec::new(),
            conversations: Vec::new(),
            pending: VecDeque::new(),
            patience: 0,
            settled: Timestamp::default(),
            fresh: false,
            early: 0,
            share: Share::default(),
        }
    }

    /// An Attributor for which nothing waits: what is not known yet is pending.
    pub fn live(join: Join, memory: FeedMemory, flows: bool) -> Self {
        Self { at_end: false, ..Self::replay(join, memory, flows) }
    }

    /// Takes a record of a feed.
    pub fn record(&mut self, record: &Record<'_>) {
        self.patience = self.patience.max(patience(record.feed));
        self.fresh = true;
        self.join.record(record);
    }

    /// Takes a contact. Gives it back with who made it, or as pending; nothing where it waits.
    pub fn contact(&mut self, contact: Contact) -> Option<Attributed> {
        if self.at_end {
            if self.contacts.len() < self.most {
                self.contacts.push(contact);
                return None;
            }
            if self.early == 0 {
                self.join.settle();
            }
            self.early += 1;
            let attribution = self.join.attribute(&question(&contact));
            return Some((contact, attribution));
        }
        let observation = &contact.observation;
        if observation.seen_in.is_connection() {
            // The hello stands for the beginning, which was a round trip or two before it.
            self.join.conversation(observation.flow, observation.at, true);
        }
        let attribution = self.join.attribute(&question(&contact));
        if attribution.level.is_tuple() {
            return Some((contact, attribution));
        }
        if self.pending.len() >= self.most {
            self.early += 1;
            return Some((contact, attribution));
        }
        let pending = Attribution {
            host: attribution.host,
            feed: attribution.feed,
            ..Attribution::nobody(AttributionLevel::Pending)
        };
        self.pending.push_back(contact.clone());
        Some((contact, pending))
    }

    /// Takes a conversation that is over, in a live capture or at the end of a replay. Gives it back with whose it is; nothing where it
    /// waits.
    pub fn conversation(&mut self, conversation: Conversation<Named>) -> Option<FlowRecord> {
        if !self.at_end {
            return self.flow(conversation);
        }
        self.join.conversation(conversation.flow, conversation.first, conversation.whole);
        self.conversations.push(conversation);
        None
    }

    /// Time has passed, in a live capture: gives the contacts of which there is something new to say.
    pub fn tick(&mut self, now: Timestamp) -> Vec<Attributed> {
        if self.at_end {
            return Vec::new();
        }
        if self.fresh && now.since(self.settled) >= Self::LEARN {
            self.join.settle();
            self.settled = now;
        }
        let mut known = Vec::new();
        let fresh = std::mem::take(&mut self.fresh);
        let mut rest = VecDeque::new();
        for one in std::mem::take(&mut self.pending) {
            let over = now.since(one.observation.at) > self.patience;
            if !fresh && !over {
                rest.push_back(one);
                continue;
            }
            let attribution = self.join.attribute(&question(&one));
            // What is not the five-tuple may yet be overruled by it.
            if over || attribution.level.is_tuple() {
                known.push((one, attribution));
            } else {
                rest.push_back(one);
            }
        }
        self.pending = rest;
        known
    }

    /// Gives all that has waited, in its order, and what there is to tell of the feeds.
    pub fn finish(mut self, tell: &mut dyn FnMut(Waited)) -> FeedClosing {
        self.join.settle();
        for one in std::mem::take(&mut self.contacts) {
            let attribution = self.join.attribute(&question(&one));
            tell(Waited::Contact((one, attribution)));
        }
        for one in std::mem::take(&mut self.pending) {
            let attribution = self.join.attribute(&question(&one));
            tell(Waited::Pending((one, attribution)));
        }
        for conversation in std::mem::take(&mut self.conversations) {
            if let Some(flow) = self.flow(conversation) {
                tell(Waited::Flow(flow));
            }
        }
        let mut report = self.join.report();
        report.limits.push(("contacts that were attributed before all was known".to_owned(), self.early));
        FeedClosing { lost: self.join.has_lost() || self.early > 0, report, share: self.share }
    }

    /// Says whose a conversation is.
    fn flow(&mut self, conversation: Conversation<Named>) -> Option<FlowRecord> {
        let name = conversation.name.as_deref();
        let question = Question {
            at: conversation.first,
            flow: conversation.flow,
            name: name.map(|(name, _)| name.as_str()),
            is_dns: false,
            is_server: name.is_none_or(|(_, seen_in)| seen_in.is_connection()),
            or_server: true,
        };
        let attribution = self.join.attribute(&question);
        self.share.add(&attribution);
        self.flows.then_some(FlowRecord { conversation, attribution: Some(attribution) })
    }
}

/// What is to be known of a contact.
fn question(contact: &Contact) -> Question<'_> {
    let observation = &contact.observation;
    Question {
        at: observation.at,
        flow: observation.flow,
        name: Some(&observation.hostname),
        is_dns: matches!(observation.seen_in, SeenIn::DnsQuery | SeenIn::DnsResponse),
        is_server: observation.seen_in.is_connection(),
        or_server: false,
    }
}

/// How long a feed may be behind the wire, in nanoseconds.
const fn patience(feed: FeedKind) -> i64 {
    const MINUTE: i64 = 60 * SECOND;
    match feed {
        // Written within seconds; batches that were forwarded have come after 79 s.
        FeedKind::Sysmon | FeedKind::SysmonLinux | FeedKind::Security => 2 * MINUTE,
        // Written at once, and shipped line by line.
        FeedKind::Tetragon => 2 * MINUTE,
        // Shipped in batches; a socket is told at its end, and osquery asks its tables now and then.
        FeedKind::ElasticDefend | FeedKind::Auditbeat | FeedKind::Osquery => 5 * MINUTE,
        // Exported by a cloud every few minutes.
        FeedKind::CrowdStrike | FeedKind::SentinelOne | FeedKind::Ocsf => 15 * MINUTE,
        // Delivered after up to 38 minutes, and sums every hour.
        FeedKind::Defender => 65 * MINUTE,
    }
}
