//! The two directions of a conversation, where each was kept by another thread: one record.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::capture::Timestamp;
use crate::flow::{Conversation, FlowKey, Volume};
use crate::worker::Named;

/// How long a direction waits for the other one, in nanoseconds: threads look for conversations that are over every ten seconds.
const PATIENCE: i64 = 15_000_000_000;

/// The most directions that wait; beyond it the oldest is told alone. Somebody who scans a network makes as many in a second; 20 MiB.
const MOST: usize = 1 << 16;

/// Directions of conversations that wait for the other one.
#[derive(Debug, Default)]
pub(super) struct Halves {
    waiting: FxHashMap<FlowKey, Half>,
    /// In the order in which they came, among others that are gone.
    order: VecDeque<(FlowKey, u64)>,
    came: u64,
    /// How far all threads have passed.
    passed: Timestamp,
}

#[derive(Debug)]
struct Half {
    thread: usize,
    conversation: Conversation<Named>,
    since: Timestamp,
    number: u64,
}

impl Halves {
    /// Takes a conversation that is over on a thread: one of two directions is told at once, one of one waits.
    pub(super) fn take(
        &mut self,
        thread: usize,
        conversation: Conversation<Named>,
        over: &mut Vec<Conversation<Named>>,
    ) {
        if is_whole(&conversation) {
            over.push(conversation);
            return;
        }
        let key = conversation.flow.key();
        if let Some(half) = self.waiting.remove(&key) {
            if half.thread != thread && belong_together(&half.conversation, &conversation) {
                over.push(joined(half.conversation, conversation));
                return;
            }
            over.push(half.conversation);
        }
        self.came += 1;
        let number = self.came;
        self.waiting.insert(key, Half { thread, conversation, since: self.passed, number });
        self.order.push_back((key, number));
        while self.waiting.len() > MOST && self.tell_oldest(over) {}
        // Of most the other direction has come.
        if self.order.len() > 2 * self.waiting.len() + 1024 {
            let waiting = &self.waiting;
            self.order.retain(|(key, number)| waiting.get(key).is_some_and(|half| half.number == *number));
        }
    }

    /// Tells those that have waited long enough by this time, or all.
    pub(super) fn settle(&mut self, passed: Option<Timestamp>, over: &mut Vec<Conversation<Named>>) {
        let Some(passed) = passed else {
            while self.tell_oldest(over) {}
            return;
        };
        self.passed = passed;
        while let Some((key, number)) = self.order.front() {
            let waits = self
                .waiting
                .get(key)
                .is_some_and(|half| half.number == *number && passed.since(half.since) <= PATIENCE);
            if waits || !self.tell_oldest(over) {
                return;
            }
        }
    }

    /// Tells the one that has waited the longest, if it still waits. Says whether there was one.
    fn tell_oldest(&mut self, over: &mut Vec<Conversation<Named>>) -> bool {
        let Some((key, number)) = self.order.pop_front() else { return false };
        if self.waiting.get(&key).is_some_and(|half| half.number == number)
            && let Some(half) = self.waiting.remove(&key)
        {
            over.push(half.conversation);
        }
        true
    }
}

const fn is_whole(conversation: &Conversation<Named>) -> bool {
    conversation.sent.packets > 0 && conversation.received.packets > 0
}

/// Whether one is the direction that the other has not, at the same time.
fn belong_together(one: &Conversation<Named>, other: &Conversation<Named>) -> bool {
    /// How far apart they may be, in nanoseconds: a client that is not answered at once.
    const GAP: i64 = 60_000_000_000;
    let from = |half: &Conversation<Named>| match half.sent.packets {
        0 => half.flow.dst,
        _ => half.flow.src,
    };
    from(one) != from(other) && one.first.since(other.last) <= GAP && other.first.since(one.last) <= GAP
}

/// Both directions as one conversation. Who is the client is known best by who saw its beginning; else the first to speak is.
fn joined(one: Conversation<Named>, other: Conversation<Named>) -> Conversation<Named> {
    let (first, second) = if one.first <= other.first { (one, other) } else { (other, one) };
    let by = if second.whole && !first.whole { &second } else { &first };
    let flow = by.flow;
    let volume = |half: &Conversation<Named>, sent: bool| {
        let same = half.flow == flow;
        let Volume { packets, bytes } = if same == sent { half.sent } else { half.received };
        (packets, bytes)
    };
    let both = |sent| {
        let ((packets, bytes), (more_packets, more_bytes)) = (volume(&first, sent), volume(&second, sent));
        Volume { packets: packets + more_packets, bytes: bytes + more_bytes }
    };
    let (sent, received) = (both(true), both(false));
    Conversation {
        flow,
        whole: first.whole || second.whole,
        ended: first.ended || second.ended || (first.half_ended && second.half_ended),
        half_ended: first.half_ended || second.half_ended,
        source: first.source,
        first_frame: first.first_frame,
        last_frame: first.last_frame,
        first: first.first,
        last: first.last.max(second.last),
        sent,
        received,
        copies: first.copies + second.copies,
        path: first.path,
        name: first.name.or(second.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Endpoint, Flow, Protocol};

    fn half(sent: u64, received: u64, seconds: i64, whole: bool) -> Conversation<Named> {
        let end = |last, port| Endpoint { ip: [10, 0, 0, last].into(), port };
        let volume = |packets| Volume { packets, bytes: packets * 100 };
        Conversation {
            flow: Flow { src: end(1, 40_000), dst: end(2, 443), protocol: Protocol::TCP },
            whole,
            ended: false,
            half_ended: true,
            source: 0,
            first_frame: 1,
            last_frame: 9,
            first: Timestamp::from_parts(seconds, 0),
            last: Timestamp::from_parts(seconds + 1, 0),
            sent: volume(sent),
            received: volume(received),
            copies: 1,
            path: None,
            name: None,
        }
    }

    fn told(halves: &mut Halves, thread: usize, one: Conversation<Named>) -> Vec<(u64, u64)> {
        let mut over = Vec::new();
        halves.take(thread, one, &mut over);
        over.iter().map(|one| (one.sent.packets, one.received.packets)).collect()
    }

    #[test]
    fn two_directions_are_one_conversation() {
        let halves = &mut Halves::default();
        assert_eq!(told(halves, 0, half(3, 2, 5, true)), [(3, 2)], "it is whole");
        assert_eq!(told(halves, 0, half(3, 0, 5, true)), []);
        let mut over = Vec::new();
        // The server's side was first seen from the server, for whom the client is.
        let mut server = half(7, 0, 6, false);
        server.flow = server.flow.reversed();
        halves.take(1, server, &mut over);
        let [one] = &over[..] else { panic!("{over:?}") };
        assert_eq!((one.flow, one.sent.packets, one.received.packets), (half(0, 0, 0, true).flow, 3, 7));
        assert_eq!((one.sent.bytes, one.received.bytes, one.copies), (300, 700, 2));
        assert!(one.whole && one.ended);
        assert_eq!((one.first, one.last), (Timestamp::from_parts(5, 0), Timestamp::from_parts(7, 0)));
        halves.settle(None, &mut over);
        assert_eq!(over.len(), 1);
    }

    #[test]
    fn what_does_not_belong_together_is_told_alone() {
        for (thread, other) in
            [(0, half(0, 7, 5, true)), (1, half(7, 0, 5, true)), (1, half(0, 7, 500, true))]
        {
            let halves = &mut Halves::default();
            assert_eq!(told(halves, 0, half(3, 0, 5, true)), []);
            assert_eq!(told(halves, thread, other), [(3, 0)]);
            let mut over = Vec::new();
            halves.settle(None, &mut over);
            assert_eq!(over.len(), 1);
        }
    }

    #[test]
    fn nobody_waits_for_ever() {
        let halves = &mut Halves::default();
        assert_eq!(told(halves, 0, half(3, 0, 5, true)), []);
        let mut over = Vec::new();
        halves.settle(Some(Timestamp::from_parts(10, 0)), &mut over);
        let mut other = half(4, 0, 5, true);
        other.flow.src.port += 1;
        assert_eq!(told(halves, 0, other), []);
        // The first came before anything had passed.
        halves.settle(Some(Timestamp::from_parts(20, 0)), &mut over);
        assert_eq!(over.len(), 1);
        halves.settle(Some(Timestamp::from_parts(26, 0)), &mut over);
        assert_eq!(over.len(), 2);
        for number in 0..MOST as u32 + 10 {
            let mut one = half(1, 0, 0, true);
            one.flow.src.ip = std::net::Ipv4Addr::from_bits(number).into();
            halves.take(0, one, &mut over);
        }
        assert_eq!((over.len(), halves.waiting.len()), (12, MOST));
        assert!(halves.order.len() <= 2 * MOST + 1025);
    }
}
