//! Where what the threads of a live capture told comes together, before the Correlator takes it.
//!
//! The kernel shares frames out by what it sees of them. Of a tunnel it mostly sees the outer ends, so that the two directions of a
//! conversation in one, or a packet and its copy in another, may be read by two threads, neither of which can know. Each thread then tells what
//! stands alone for it, and with it by what that is recognised. What comes later than the same by another thread is left out here, in the order of
//! time: copies of packets, the response to a question whose query was told, and what a server's side says where the client has said more.
//!
//! A pure machine, as the Correlator is. One thread has nobody to meet, and goes past it.

use std::collections::VecDeque;
use std::hash::BuildHasher as _;

use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::capture::Timestamp;
use crate::events::{Event, Instead, What};
use crate::flow::copies::Copies;
use crate::flow::{Conversation, Flow, Recent};
use crate::halves::Halves;
use crate::inspect::SeenIn;
use crate::questions::Questions;
use crate::stats::Counts;
use crate::worker::{Named, Teller};

/// Joins what several threads tell.
#[derive(Debug)]
pub struct Meeting {
    threads: usize,
    /// Packets that told something, until every thread has passed them.
    waiting: VecDeque<Notice>,
    copies: Copies,
    questions: Questions,
    /// What is left out, by thread and frame.
    left_out: FxHashMap<(usize, u64), LeftOut>,
    /// The same in the order in which it was found out.
    found: VecDeque<(Timestamp, (usize, u64))>,
    /// Connections that have a name, and by which thread.
    named: Recent,
    /// Connections of which it was told that they have none, and by which thread.
    nameless: Recent,
    halves: Halves,
    /// How far all threads had passed when packets were compared last.
    passed: Timestamp,
    forgotten: u64,
}

/// A packet that told something.
#[derive(Clone, Copy, Debug)]
struct Notice {
    thread: usize,
    teller: Teller,
    /// Names in it that are counted already and go no further.
    counted: Option<(SeenIn, u64)>,
}

/// What is left out of what a frame told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum LeftOut {
    All,
    /// The names of a response, though not what it says of them.
    Names,
}

/// How long it is remembered that a connection has a name, in nanoseconds: until the server's certificate has come, or the first bytes
/// in the other direction; as long as a client waits for them.
const REMEMBERED: i64 = 60_000_000_000;

/// The most connections of which that is remembered, twice: ten thousand a second; 3 MiB.
const MOST_REMEMBERED: usize = 1 << 16;

/// How long it is remembered what is left out, in nanoseconds: a thread gathers what it tells for less than a second.
const LATE: i64 = 1_000_000_000;

/// The most packets that wait; beyond it the earliest are not compared. As many as there may be names that wait.
const MOST_WAITING: usize = 1 << 17;

impl Meeting {
    /// For so many threads.
    pub fn new(threads: usize) -> Self {
        Self {
            threads,
            waiting: VecDeque::new(),
            copies: Copies::default(),
            questions: Questions::default(),
            left_out: FxHashMap::default(),
            found: VecDeque::new(),
            named: Recent::new(MOST_REMEMBERED, REMEMBERED),
            nameless: Recent::new(MOST_REMEMBERED, REMEMBERED),
            halves: Halves::default(),
            passed: Timestamp::default(),
            forgotten: 0,
        }
    }

    /// Takes the packets that told something to a thread, and the names that it only counted, both in the order of the frames.
    pub fn tellers(&mut self, thread: usize, tellers: Vec<Teller>, counted: &[(u64, SeenIn)]) {
        let mut counted = counted.iter().copied().peekable();
        for teller in tellers {
            while counted.next_if(|(frame, _)| *frame < teller.frame).is_some() {}
            let mut names: Option<(SeenIn, u64)> = None;
            while let Some((_, seen_in)) = counted.next_if(|(frame, _)| *frame == teller.frame) {
                // Those of one message were seen in one way.
                names = Some((seen_in, names.map_or(0, |(_, count)| count) + 1));
            }
            self.waiting.push_back(Notice { thread, teller, counted: names });
        }
        let excess = self.waiting.len().saturating_sub(MOST_WAITING);
        self.forgotten += excess as u64;
        self.waiting.drain(..excess);
    }

    /// Compares the packets that every thread has passed. What is counted twice is taken out of `totals`.
    pub fn settle(&mut self, passed: Timestamp, totals: &mut Counts) {
        // Up to the mark before this one events were released, and what is said later of a frame is late anyhow.
        let before = std::mem::replace(&mut self.passed, passed);
        while let Some((_, key)) = self.found.pop_front_if(|(at, _)| before.since(*at) > LATE) {
            self.left_out.remove(&key);
        }
        let mut ready: Vec<Notice> = Vec::new();
        self.waiting.retain(|notice| {
            let is_ready = notice.teller.at < passed;
            if is_ready {
                ready.push(*notice);
            }
            !is_ready
        });
        ready.sort_by_key(|notice| (notice.teller.at, notice.thread, notice.teller.frame));
        for Notice { thread, teller, counted } in ready {
            let Teller { frame, at, number, question, .. } = teller;
            let copy = self.copies.is_copy(number, at);
            let answered = !copy
                && question
                    .is_some_and(|asked| !self.questions.is_news(asked.side, asked.tag, asked.question, at));
            if !copy && !answered {
                continue;
            }
            totals.copies += u64::from(copy);
            if let Some((seen_in, count)) = counted {
                totals.unname(seen_in, count);
            }
            let left_out = if copy { LeftOut::All } else { LeftOut::Names };
            self.left_out.insert((thread, frame), left_out);
            self.found.push_back((at, (thread, frame)));
        }
        totals.forgotten += self.copies.take_forgotten() + std::mem::take(&mut self.forgotten);
    }

    /// Whether an event is news, of those that every thread has passed, in the order of time. What is not is taken out of `totals`.
    pub fn admits(&mut self, thread: usize, event: &Event, totals: &mut Counts) -> bool {
        let news = match self.left_out.get(&(thread, event.mark.frame)) {
            Some(LeftOut::Names) => !is_question(&event.what),
            Some(LeftOut::All) => false,
            None => self.is_more(thread, event),
        };
        if !news {
            match &event.what {
                What::Hostname(sighting) => totals.unname(sighting.observation.seen_in, 1),
                What::Named(seen_in, _) => totals.unname(*seen_in, 1),
                What::Nameless(one) if one.instead == Instead::Hello => {
                    totals.nameless = totals.nameless.saturating_sub(1);
                }
                _ => {}
            }
        }
        news
    }

    /// Whether an event says more of its connection than another thread has said.
    fn is_more(&mut self, thread: usize, event: &Event) -> bool {
        let at = event.mark.at;
        match &event.what {
            What::Hostname(sighting) if !is_question(&event.what) => {
                self.named.insert(key(thread, &sighting.observation.flow), at);
                true
            }
            What::Named(_, flow) => {
                self.named.insert(key(thread, flow), at);
                true
            }
            What::Certificate(certified) => !self.another(thread, &self.named, &certified.flow),
            What::Nameless(one) => {
                let bytes = one.instead == Instead::Bytes;
                let known = bytes
                    && (self.another(thread, &self.named, &one.flow)
                        || self.another(thread, &self.nameless, &one.flow));
                if !known {
                    self.nameless.insert(key(thread, &one.flow), at);
                }
                !known
            }
            _ => true,
        }
    }

    /// Whether another thread has said something of a connection.
    fn another(&self, thread: usize, of: &Recent, flow: &Flow) -> bool {
        (0..self.threads).any(|other| other != thread && of.contains(key(other, flow)))
    }

    /// Takes a conversation that is over on a thread; adds to `over` what is over for all.
    pub fn conversation(
        &mut self,
        thread: usize,
        conversation: Conversation<Named>,
        over: &mut Vec<Conversation<Named>>,
    ) {
        self.halves.take(thread, conversation, over);
    }

    /// Adds to `over` the conversations whose other direction has not come by this time, or all.
    pub fn settle_conversations(&mut self, passed: Option<Timestamp>, over: &mut Vec<Conversation<Named>>) {
        self.halves.settle(passed, over);
    }
}

/// The same for both directions.
fn key(thread: usize, flow: &Flow) -> u64 {
    FxBuildHasher.hash_one((thread, flow.key()))
}

fn is_question(what: &What) -> bool {
    match what {
        What::Hostname(sighting) => {
            matches!(sighting.observation.seen_in, SeenIn::DnsQuery | SeenIn::DnsResponse)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;
    use crate::events::{Certified, Nameless};
    use crate::flow::{Endpoint, Protocol};
    use crate::questions::{Question, Side};
    use crate::seen::Mark;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_nanos(millis * 1_000_000)
    }

    fn teller(frame: u64, millis: i64, number: u64, question: Option<(Side, u64)>) -> Teller {
        let question = question.map(|(side, question)| Question { side, tag: 5, question });
        Teller { tag: 5, frame, at: at(millis), number: NonZeroU64::new(number).unwrap(), question }
    }

    fn flow() -> Flow {
        let end = |last, port| Endpoint { ip: [10, 0, 0, last].into(), port };
        Flow { src: end(1, 40_000), dst: end(2, 443), protocol: Protocol::TCP }
    }

    fn event(frame: u64, millis: i64, what: What) -> Event {
        Event { mark: Mark { source: 0, frame, at: at(millis) }, what }
    }

    fn named() -> What {
        What::Named(SeenIn::TlsSni, Box::new(flow()))
    }

    #[test]
    fn a_copy_on_another_thread_is_left_out_and_not_counted() {
        let mut meeting = Meeting::new(2);
        let mut totals = Counts::default();
        totals.name(SeenIn::TlsSni);
        totals.name(SeenIn::TlsSni);
        totals.name(SeenIn::DnsQuery);
        totals.name(SeenIn::DnsQuery);
        // The same two packets, of which the second tells a name that is only counted.
        for thread in [1, 0] {
            let tellers = vec![teller(7, 10, 1, None), teller(9, 12, 2, None)];
            meeting.tellers(thread, tellers, &[(9, SeenIn::DnsQuery)]);
        }
        meeting.settle(at(12), &mut totals);
        assert_eq!(totals.copies, 1, "the second has not been passed");
        assert!(meeting.admits(0, &event(7, 10, named()), &mut totals));
        assert!(!meeting.admits(1, &event(7, 10, named()), &mut totals));
        assert!(meeting.admits(1, &event(8, 11, named()), &mut totals));
        // Nothing comes any more.
        meeting.settle(Timestamp::from_nanos(i64::MAX), &mut totals);
        assert!(!meeting.admits(1, &event(9, 12, What::Address), &mut totals));
        assert_eq!((totals.copies, totals.names.iter().sum::<u64>()), (2, 2));
        meeting.settle(Timestamp::from_nanos(i64::MAX), &mut totals);
        assert_eq!((meeting.left_out.len(), meeting.found.len()), (0, 0), "nothing is kept for ever");
    }

    #[test]
    fn a_response_is_no_news_where_the_query_was_told() {
        let mut meeting = Meeting::new(2);
        let mut totals = Counts::default();
        meeting.tellers(1, vec![teller(3, 11, 2, Some((Side::Response, 9)))], &[(3, SeenIn::DnsResponse)]);
        meeting.tellers(0, vec![teller(3, 10, 1, Some((Side::Query, 9)))], &[(3, SeenIn::DnsQuery)]);
        totals.name(SeenIn::DnsResponse);
        totals.name(SeenIn::DnsQuery);
        meeting.settle(at(20), &mut totals);
        assert_eq!((totals.copies, totals.names.iter().sum::<u64>()), (0, 1));
        // What it says of the name is told.
        assert!(meeting.admits(1, &event(3, 11, What::MalformedDns), &mut totals));
    }

    #[test]
    fn what_the_server_says_is_no_news_where_the_client_has_named_it() {
        let certificate =
            || What::Certificate(Box::new(Certified { flow: flow(), names: Vec::new(), path: None }));
        let bytes = |flow| {
            What::Nameless(Box::new(Nameless { flow, instead: Instead::Bytes, hello: None, path: None }))
        };
        let mut totals = Counts::default();
        let mut meeting = Meeting::new(3);
        assert!(meeting.admits(2, &event(1, 1, bytes(flow())), &mut totals));
        assert!(!meeting.admits(0, &event(1, 1, bytes(flow().reversed())), &mut totals), "told once");
        assert!(meeting.admits(1, &event(1, 1, certificate()), &mut totals));
        assert!(meeting.admits(0, &event(2, 2, named()), &mut totals));
        assert!(!meeting.admits(1, &event(3, 3, certificate()), &mut totals));
        assert!(
            meeting.admits(0, &event(3, 3, certificate()), &mut totals),
            "its own thread knows what it tells"
        );
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut meeting = Meeting::new(2);
        let mut totals = Counts::default();
        for frame in 0..MOST_WAITING as u64 + 3 {
            meeting.tellers(0, vec![teller(frame, 1, frame + 1, None)], &[]);
        }
        meeting.settle(at(2), &mut totals);
        assert!(totals.forgotten >= 3, "{}", totals.forgotten);
    }
}
