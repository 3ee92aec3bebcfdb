//! What waits to be attributed, and the join that does it.
//!
//! In a replay everything waits: for the end of the feeds, and for that of the captures, since the wire's connections tell what clocks are
//! ahead. Then all are attributed in their order. In a live capture nothing waits: a contact is told at once as pending, and again when its
//! process is known, or when the feed has passed it.

use std::collections::VecDeque;

use crate::capture::Timestamp;
use crate::flow::Conversation;
use crate::inspect::{SeenIn, dhcp};
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
    /// Whether conversations are to be given back at once, however little is known of whose they are.
    flows: bool,
    /// Whether conversations are of interest to rules, which need to know whose they are.
    judged: bool,
    /// Conversations that rules are to be asked of, in a live capture, once it is known whose they are.
    unjudged: VecDeque<Unjudged>,
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
        if matches!(attribution.level, AttributionLevel::NoTelemetry | AttributionLevel::Site) {
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

/// A conversation that rules are to be asked of once it is known whose it is.
#[derive(Debug)]
struct Unjudged {
    conversation: Conversation<Named>,
    /// How often it was tried to find out.
    tried: usize,
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
    /// A conversation of a live capture, that rules are yet to be asked of.
    Late(FlowRecord),
}

const SECOND: i64 = 1_000_000_000;

impl Attributor {
    /// How often what came is learned from, in nanoseconds: offsets and addresses change slowly.
    const LEARN: i64 = 10 * SECOND;

    /// For how long records are kept that packets may yet speak of, in nanoseconds, beyond what the feed may be behind: sensors are
    /// started anew, and captures of a pipe come minutes late.
    const KEPT: i64 = 600 * SECOND;

    /// When it is tried to find out whose a conversation was, in nanoseconds after its end; and a last time when the feed has passed. A busy
    /// network has a thousand a second, and each try is as much work as a contact.
    const TRIES: [i64; 3] = [0, 5 * SECOND, 30 * SECOND];

    /// An Attributor for which everything waits until the end. With `flows` conversations are told too.
    pub fn replay(join: Join, memory: FeedMemory, flows: bool) -> Self {
        Self {
            join,
            most: memory.contacts,
            at_end: true,
            flows,
            judged: false,
            unjudged: VecDeque::new(),
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
        // Before a feed has spoken it is waited for as for the quickest.
        let patience = patience(FeedKind::Sysmon);
        Self { at_end: false, patience, ..Self::replay(join, memory, flows) }
    }

    /// Whether rules are asked of every conversation, so that it pays to wait until it is known whose it is.
    pub const fn judge_conversations(&mut self, wanted: bool) {
        self.judged = wanted;
    }

    /// Whether conversations are to be told.
    pub const fn tells_flows(&self) -> bool {
        self.flows
    }

    /// Takes a record of a feed.
    pub fn record(&mut self, record: &Record<'_>) {
        self.patience = self.patience.max(patience(record.feed));
        self.fresh = true;
        self.join.record(record);
    }

    /// Takes what DHCP told of a client and its address.
    pub fn lease(&mut self, message: &dhcp::Message, at: Timestamp) {
        self.join.lease(message, at);
    }

    /// Takes a contact. Gives it back with who made it, or as pending; nothing where it waits.
    pub fn contact(&mut self, contact: Contact) -> Option<Attributed> {
        self.join.client(contact.observation.flow.src.ip);
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
            self.join.message(observation.flow, observation.at);
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
            if self.judged {
                self.unjudged.push_back(Unjudged { conversation: conversation.clone(), tried: 0 });
            }
            return Some(self.flow(conversation));
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
            if self.join.is_filling() {
                let kept = self.patience.saturating_add(Self::KEPT);
                self.join.forget(Timestamp::from_nanos(now.as_nanos().saturating_sub(kept)));
            }
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

    /// Gives the conversations, of a live capture, of which it is known by now whose they are, and forgets those of which the feed will not say
    /// it any more. What contacts there were before `now` has been taken by then.
    pub fn tick_conversations(&mut self, now: Timestamp) -> Vec<FlowRecord> {
        let (mut known, mut rest) = (Vec::new(), VecDeque::new());
        let mut left = self.unjudged.len();
        for mut one in std::mem::take(&mut self.unjudged) {
            // Of too many the oldest get no more time.
            let early = left > self.most;
            left -= 1;
            let waited = now.since(one.conversation.last);
            let over = early || waited > self.patience;
            if !over && Self::TRIES.get(one.tried).is_none_or(|next| waited < *next) {
                rest.push_back(one);
                continue;
            }
            one.tried += 1;
            self.early += u64::from(early);
            let Unjudged { conversation, tried } = one;
            let attribution = self.join.attribute(&whose(&conversation));
            if attribution.level.is_tuple() || (over && attribution.process.is_some()) {
                known.push(FlowRecord { conversation, attribution: Some(attribution) });
            } else if !over {
                rest.push_back(Unjudged { conversation, tried });
            }
        }
        self.unjudged = rest;
        known
    }

    /// Gives all that has waited, in its order, and what there is to tell of the feeds.
    pub fn finish(mut self, tell: &mut dyn FnMut(Waited)) -> FeedClosing {
        self.join.settle();
        let contacts = std::mem::take(&mut self.contacts);
        self.join.attribute_all(contacts, question, &mut |one, attribution| {
            tell(Waited::Contact((one, attribution)));
        });
        for one in std::mem::take(&mut self.pending) {
            let attribution = self.join.attribute(&question(&one));
            tell(Waited::Pending((one, attribution)));
        }
        let conversations = std::mem::take(&mut self.conversations);
        self.join.attribute_all(conversations, whose, &mut |conversation, attribution| {
            self.share.add(&attribution);
            tell(Waited::Flow(FlowRecord { conversation, attribution: Some(attribution) }));
        });
        for Unjudged { conversation, .. } in std::mem::take(&mut self.unjudged) {
            let attribution = self.join.attribute(&whose(&conversation));
            tell(Waited::Late(FlowRecord { conversation, attribution: Some(attribution) }));
        }
        let mut report = self.join.report();
        report.limits.push(("contacts that were attributed before all was known".to_owned(), self.early));
        FeedClosing { lost: self.join.has_lost() || self.early > 0, report, share: self.share }
    }

    /// Says whose a conversation is, and counts it.
    fn flow(&mut self, conversation: Conversation<Named>) -> FlowRecord {
        let attribution = self.join.attribute(&whose(&conversation));
        self.share.add(&attribution);
        FlowRecord { conversation, attribution: Some(attribution) }
    }
}

/// What is to be known of a conversation: whose it is.
fn whose(conversation: &Conversation<Named>) -> Question<'_> {
    let name = conversation.name.as_deref();
    Question {
        at: conversation.first,
        flow: conversation.flow,
        name: name.map(|(name, _)| name.as_str()),
        is_dns: false,
        is_server: name.is_none_or(|(_, seen_in)| seen_in.is_connection()),
        or_server: true,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, Flow, Protocol};
    use crate::hostname::Hostname;
    use crate::inspect::{Detail, Observation};
    use crate::lists::Lists;
    use crate::originator::record::{Clock, Connection, End, Process, Said, Side, Time};

    const fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_nanos(1_600_000_000 * SECOND + milliseconds * 1_000_000)
    }

    fn flow(port: u16) -> Flow {
        let end = |ip: [u8; 4], port| Endpoint { ip: ip.into(), port };
        Flow { src: end([10, 0, 0, 7], port), dst: end([162, 125, 1, 19], 443), protocol: Protocol::TCP }
    }

    fn contact(milliseconds: i64, port: u16) -> Contact {
        let name = "api.dropboxapi.com";
        let observation = Observation {
            at: at(milliseconds),
            source: 0,
            frame: 1,
            flow: flow(port),
            hostname: Hostname::new(name).unwrap(),
            seen_in: SeenIn::TlsSni,
            detail: Detail::Nothing,
            path: None,
            disagrees_with: Vec::new(),
        };
        static LISTS: std::sync::LazyLock<Lists> = std::sync::LazyLock::new(Lists::builtin);
        Contact { observation, entry: LISTS.lookup(name).unwrap().clone() }
    }

    fn connection(milliseconds: i64, pid: u32, port: u16) -> Record<'static> {
        let flow = flow(port);
        let end = |end: Endpoint| End { ip: end.ip, port: Some(end.port) };
        Record {
            feed: FeedKind::Sysmon,
            kind: "3".into(),
            id: None,
            host: "ws5".into(),
            host_id: None,
            time: Time { at: at(milliseconds + 1_000), clock: Clock::Logged },
            second: None,
            what: Said::Connection(Connection {
                process: Process { pid: Some(pid), image: Some("C:\\x.exe".into()), ..Process::default() },
                protocol: Some(Protocol::TCP),
                ends: [end(flow.src), end(flow.dst)],
                local: Some(Side::First),
                initiated: Some(true),
                name: None,
                count: 1,
            }),
        }
    }

    fn live() -> Attributor {
        let memory = FeedMemory::of_bytes(1 << 20);
        Attributor::live(Join::new(memory), memory, false)
    }

    fn pid(attribution: &Attribution) -> Option<u32> {
        attribution.process.as_ref().and_then(|process| process.pid)
    }

    #[test]
    fn a_record_80_seconds_late_names_what_was_pending() {
        let mut attributor = live();
        attributor.record(&connection(-1_000, 1, 1025));
        let (_, told) = attributor.contact(contact(0, 50_000)).unwrap();
        assert_eq!(told.level, AttributionLevel::Pending);
        assert!(attributor.tick(at(40_000)).is_empty(), "the feed may yet say");
        attributor.record(&connection(-10, 9, 50_000));
        let known = attributor.tick(at(80_000));
        let [(contact, attribution)] = known.as_slice() else { panic!("{known:?}") };
        assert_eq!(contact.observation.flow, flow(50_000));
        assert_eq!((attribution.level, pid(attribution)), (AttributionLevel::Tuple, Some(9)));
        assert!(attributor.tick(at(500_000)).is_empty());
    }

    #[test]
    fn a_record_that_was_first_names_at_once() {
        let mut attributor = live();
        attributor.record(&connection(-10, 9, 50_000));
        let (_, told) = attributor.contact(contact(0, 50_000)).unwrap();
        assert_eq!((told.level, pid(&told)), (AttributionLevel::Tuple, Some(9)));
        assert!(attributor.tick(at(500_000)).is_empty());
    }

    #[test]
    fn when_the_feed_has_passed_it_is_told_that_it_says_nothing() {
        let mut attributor = live();
        attributor.record(&connection(-1_000, 1, 1025));
        let (_, told) = attributor.contact(contact(0, 50_000)).unwrap();
        assert_eq!(told.level, AttributionLevel::Pending);
        attributor.record(&connection(100_000, 1, 1026));
        let mut known = attributor.tick(at(119_000));
        assert!(known.is_empty());
        known = attributor.tick(at(120_100));
        let levels: Vec<_> = known.iter().map(|(_, attribution)| attribution.level).collect();
        // The process that goes there at other times is context, and not the answer.
        assert_eq!(levels, [AttributionLevel::Host]);
        assert!(known.iter().all(|(_, attribution)| attribution.process.is_none()));
    }

    fn conversation(milliseconds: i64, port: u16) -> Conversation<Named> {
        let volume = crate::flow::Volume { packets: 1, bytes: 60 };
        Conversation {
            flow: flow(port),
            whole: true,
            ended: true,
            half_ended: true,
            source: 0,
            first_frame: 1,
            last_frame: 2,
            first: at(milliseconds),
            last: at(milliseconds + 500),
            sent: volume,
            received: volume,
            copies: 0,
            path: None,
            name: None,
        }
    }

    #[test]
    fn a_conversation_that_is_over_before_its_record_comes_is_known_later() {
        let mut attributor = live();
        attributor.judge_conversations(true);
        attributor.record(&connection(-1_000, 1, 1025));
        let told = attributor.conversation(conversation(0, 50_000)).unwrap();
        assert!(told.attribution.unwrap().process.is_none());
        assert!(attributor.tick_conversations(at(100)).is_empty(), "contacts of it may yet come");
        assert!(attributor.tick_conversations(at(40_000)).is_empty(), "the feed may yet say");
        attributor.record(&connection(-10, 9, 50_000));
        let known = attributor.tick_conversations(at(80_000));
        let [FlowRecord { attribution: Some(attribution), .. }] = known.as_slice() else {
            panic!("{known:?}")
        };
        assert_eq!((attribution.level, pid(attribution)), (AttributionLevel::Tuple, Some(9)));
        assert!(attributor.tick_conversations(at(81_000)).is_empty(), "once");
        // One that the feed never speaks of is forgotten.
        attributor.conversation(conversation(90_000, 50_001));
        assert!(attributor.tick_conversations(at(400_000)).is_empty() && attributor.unjudged.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded_for_ever() {
        let mut attributor = live();
        let mut named = 0;
        for second in 0..10_000i64 {
            let port = 1025 + (second % 60_000) as u16;
            attributor.record(&connection(second * 1_000, second as u32, port));
            let told = attributor.contact(contact(second * 1_000 + 10, port));
            named += u64::from(told.is_some_and(|(_, told)| pid(&told) == Some(second as u32)));
            attributor.tick(at(second * 1_000 + 500));
        }
        assert_eq!(named, 10_000);
        let report = attributor.join.report();
        assert!(report.processes < 2_000, "{}", report.processes);
        assert!(!attributor.join.has_lost(), "{:?}", report.limits);
    }
}
