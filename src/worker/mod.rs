//! The Worker: frames → contacts, chunk by chunk.
//!
//! One of the two pure machines ([`Correlator`](crate::correlator::Correlator) is the other). A capture is read in chunks, by any number of
//! workers at once, and what comes out must not depend on where the chunks were cut. The contract is that the names of a
//! conversation depend only on its own frames, in the order of the file:
//!
//! * [`Worker::scan`] reads a chunk as if nothing came before it. It gives the events, and the conversations that are still open.
//! * [`Worker::resume`] reads a chunk again for exactly those conversations that were open before it, with what was known of
//!   them; what the scan said about these is dropped. It needs the chunk before it to be finished, so it runs in the order
//!   of the file, and touches only the frames of these conversations: the scan left an index.
//!
//! A conversation is known by its [tag](Flow::tag), 32 bits of a hash over its two endpoints. Two conversations with one tag are read again
//! together, which costs a little and changes nothing.
//!
//! What one packet says, and of which conversation, the `Judge` finds out (`judge`); what has to be read again is found in `again`;
//! what came of it all is put into the form in which a chunk tells it in `told`.

mod again;
mod judge;
mod told;

use std::sync::Arc;

use crate::capture::savefile::Chunk;
use crate::capture::{Filter, Frame, Timestamp};
use crate::conversations::Conversations;
use crate::datagrams::Datagrams;
use crate::decode::{self, Packet};
use crate::flow::copies::Copies;
use crate::flow::defrag::Defrag;
use crate::flow::{Endpoint, Flow, Ledger, Protocol};
use crate::hostname::Hostname;
use crate::inspect::SeenIn;
use crate::lists::Lists;
use crate::questions::Questions;
use crate::seen::Mark;
use crate::stats::Counts;
use crate::tellers;
use again::{of_these, packet_at};
use judge::Judge;
use told::{finished, name};

use crate::events::{Answers, Events};

pub use crate::events::{Event, Instead, Sighting, What};
pub use crate::tellers::Teller;
pub use told::{Finished, Told};

/// What the scan of one chunk gave.
#[derive(Debug)]
pub struct Scan {
    /// Which file or interface the chunk is of.
    source: u32,
    told: Told,
    open: Open,
    /// The frames that matter to conversations.
    index: Vec<Mattering>,
}

/// A frame of a chunk that matters to a conversation.
#[derive(Clone, Copy, Debug)]
struct Mattering {
    /// To which.
    matter: Matter,
    /// Where it lies in the chunk.
    place: u32,
    /// Its number in the chunk, from 1.
    number: u32,
}

/// What a frame matters to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Matter {
    /// The [tag](Flow::tag) of the conversation; of a fragment, that of its datagram.
    pub tag: u32,
    /// Where something of it may be remembered.
    kind: Kind,
}

/// Where something may be remembered of what a frame matters to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    /// Among the streams, and the questions in them.
    Segment,
    /// Among the questions.
    Message,
    /// Among the connections over UDP.
    Datagram,
    /// Among the datagrams of which fragments are missing.
    Fragment,
}

/// Where a packet is from.
#[derive(Clone, Copy, Debug)]
struct Origin<'f> {
    /// The frame; for what was put together from fragments, that of the last of them.
    frame: &'f Frame<'f>,
    mark: Mark,
    /// What the packet says for itself has this tag: nought, or the datagram's from whose fragments it was put together.
    of: u32,
}

impl Origin<'_> {
    /// By which a packet that is sent again differs.
    fn identification(&self, packet: &Packet<'_>) -> u16 {
        match self.of {
            0 => decode::distinction(self.frame.bytes, packet).0,
            // Of a datagram in fragments it is that of the last of them.
            _ => decode::identification(self.frame.link, self.frame.bytes, self.frame.wire_len),
        }
    }
}

/// The conversations that are still open at the end of a chunk.
#[derive(Debug, Default)]
pub struct Open {
    /// IP datagrams of which fragments are missing.
    fragments: Defrag,
    tcp: Conversations,
    udp: Datagrams,
    questions: Questions,
    /// The packets that told something lately.
    copies: Copies,
    evicted: u64,
    /// Every conversation, where they are asked for.
    ledger: Ledger<Named>,
}

/// A name of a conversation, and where it was seen.
pub type Named = (Hostname, SeenIn);

impl Open {
    /// What is open on one of several threads that each see a part of the whole ([`Worker::of_several`]).
    pub fn of_several() -> Self {
        Self { questions: Questions::that_note(), ..Self::default() }
    }

    /// How many conversations were given up because a limit was reached.
    pub const fn evicted(&self) -> u64 {
        self.tcp.evicted()
            + self.udp.evicted()
            + self.questions.forgotten()
            + self.fragments.counters().evicted
            + self.evicted
    }

    /// Whether a conversation with this tag is open.
    #[inline]
    fn has_tag(&self, tag: u32) -> bool {
        self.tcp.has_tag(tag) || self.udp.has_tag(tag)
    }
}

/// Turns frames into events. Each thread has its own.
#[derive(Debug)]
pub struct Worker {
    judge: Judge,
    filter: Option<Filter>,
    /// Whether every conversation is told.
    conversations: bool,
    /// Whether others see the rest of what this one sees a part of.
    of_several: bool,
    /// Empty vectors, to be filled again.
    memory: Told,
    /// How much the last scan gave.
    usual: Usual,
}

/// How much a scan gives: the next one gives as much again, and vectors that grow as they are filled are copied as often as they double.
#[derive(Clone, Copy, Debug, Default)]
struct Usual {
    events: usize,
    /// How many answers, and how many octets of names.
    answers: (usize, usize),
    tellers: usize,
    index: usize,
}

impl Usual {
    /// Of what was told: and an eighth more, for no two are alike.
    fn of(told: &Told, index: usize) -> Self {
        let and_more = |length: usize| length + length / 8;
        let (answers, octets) = told.events.answers.room();
        Self {
            events: and_more(told.events.len()),
            answers: (and_more(answers), and_more(octets)),
            tellers: and_more(told.tellers.len()),
            index: and_more(index),
        }
    }

    fn told(self) -> Told {
        let (list, answers) = (Vec::with_capacity(self.events), Answers::with_room(self.answers));
        Told {
            events: Events { list, answers },
            tellers: Vec::with_capacity(self.tellers),
            ..Told::default()
        }
    }
}

impl Worker {
    /// A Worker that looks for the names of `lists` in the frames that pass the filter; with `every_hostname` it tells the other
    /// names too.
    pub fn new(lists: Arc<Lists>, every_hostname: bool, filter: Option<Filter>) -> Self {
        Self {
            judge: Judge::new(lists, every_hostname),
            filter,
            conversations: false,
            of_several: false,
            memory: Told::default(),
            usual: Usual::default(),
        }
    }

    /// Sees a part of a capture, as other Workers see the rest at the same time: tells what is needed to join what they tell.
    #[must_use]
    pub fn of_several(mut self, several: bool) -> Self {
        self.of_several = several;
        self.judge.names.tell_names_of_all(several);
        self
    }

    /// Tells every conversation of TCP, and of UDP but for DNS, with what passed each way. Fragments count for none.
    #[must_use]
    pub const fn with_conversations(mut self, wanted: bool) -> Self {
        self.conversations = wanted;
        self
    }

    /// Looks for the names of other lists from now on.
    pub fn set_lists(&mut self, lists: Arc<Lists>) {
        self.judge.names.set_lists(lists);
    }

    /// Reads a chunk as if nothing came before it.
    pub fn scan(&mut self, source: u32, chunk: &Chunk) -> Scan {
        let open = Open { ledger: Ledger::of_a_stretch(), ..Open::default() };
        let (told, index) = (self.usual.told(), Vec::with_capacity(self.usual.index));
        let mut scan = Scan { source, told, open, index };
        for (place, frame) in chunk.frames() {
            let number = scan.told.counts.frames + 1;
            let mark = Mark { source, frame: number, at: frame.at };
            if let Some(matter) = self.frame(&mut scan.open, &frame, mark, &mut scan.told) {
                scan.index.push(Mattering { matter, place, number: number as u32 });
            }
        }
        self.usual = Usual::of(&scan.told, scan.index.len());
        scan
    }

    /// Finishes the conversations that were open before a chunk, which was scanned, and whose frames are numbered from the one after
    /// `frames`. `open` becomes what is open at its end.
    pub fn resume(&mut self, open: &mut Open, frames: u64, chunk: &Chunk, scan: Scan) -> Finished {
        let Scan { source, mut told, open: later, index } = scan;
        let again = open.again(chunk, &index, &told.fed);
        told.events.retain(|(tag, event)| {
            !again.contains(tag)
                && event.what.datagrams().is_none_or(|flow| open.udp.is_first(flow, event.mark.at))
        });
        told.events.iter_mut().for_each(|(_, event)| event.mark.frame += frames);
        told.tellers.retain(|teller| !again.contains(&teller.tag));
        told.tellers.iter_mut().for_each(|teller| teller.frame += frames);
        // What a frame says for itself the scan has counted.
        let mut counts = std::mem::take(&mut told.counts);
        for Mattering { place, number, .. } in of_these(&index, &again) {
            let Some((frame, packet)) = packet_at(chunk, place) else { continue };
            let mark = Mark { source, frame: frames + u64::from(number), at: frame.at };
            self.judge.packet(open, &packet, Origin { frame: &frame, mark, of: 0 }, &mut told);
        }
        self.judge.absorb(open, later, frames, &again, &mut told.events);
        tellers::drop_copies(&mut open.copies, &mut told.tellers, &mut told.events, &mut counts);
        let mut finished = finished(source, frames, &mut told.events, counts);
        self.conversations(open, &mut finished);
        finished
    }

    /// Reads the next chunk of a capture of which nobody else reads any: what [`scan`](Self::scan) and [`resume`](Self::resume) together tell, in
    /// one pass.
    pub fn follow(&mut self, source: u32, open: &mut Open, frames: u64, chunk: &Chunk) -> Finished {
        let mut told = std::mem::take(&mut self.memory);
        told.events.answers = Answers::with_room(self.usual.answers);
        for (_, frame) in chunk.frames() {
            let mark = Mark { source, frame: frames + told.counts.frames + 1, at: frame.at };
            self.frame(open, &frame, mark, &mut told);
        }
        told.fed.clear();
        self.usual = Usual::of(&told, 0);
        let mut counts = std::mem::take(&mut told.counts);
        tellers::drop_copies(&mut open.copies, &mut told.tellers, &mut told.events, &mut counts);
        told.tellers.clear();
        let mut finished = finished(source, frames, &mut told.events, counts);
        self.memory = told;
        self.conversations(open, &mut finished);
        finished
    }

    /// Tells what conversations say that are still open at the end of a capture, and how many were given up before because a
    /// limit was reached.
    pub fn finish(&mut self, mut open: Open) -> (Finished, u64) {
        let evicted = open.evicted();
        let mut events = self.judge.finish(open.tcp, open.udp, &mut open.questions);
        let source = events.first().map_or(0, |(_, event)| event.mark.source);
        let counts = Counts { unfinished: open.fragments.unfinished() as u64, ..Counts::default() };
        let mut finished = finished(source, 0, &mut events, counts);
        let mut ledger = open.ledger;
        name(&mut ledger, &finished.events);
        finished.conversations = ledger.finish();
        (finished, evicted)
    }

    /// Puts what [`frame`](Self::frame) told into the form in which a chunk tells it; with the conversations that have been silent since
    /// `silent_since`.
    pub fn hand_over(
        &self,
        open: &mut Open,
        source: u32,
        told: Told,
        silent_since: Option<Timestamp>,
    ) -> Finished {
        let Told { mut events, mut tellers, mut counts, .. } = told;
        tellers::drop_copies(&mut open.copies, &mut tellers, &mut events, &mut counts);
        let mut counted = Vec::new();
        if self.of_several {
            counted.extend(events.iter().filter_map(|(_, event)| match event.what {
                What::Counted(seen_in) => Some((event.mark.frame, seen_in)),
                _ => None,
            }));
        } else {
            tellers.clear();
        }
        let mut finished = finished(source, 0, &mut events, counts);
        (finished.tellers, finished.counted) = (tellers, counted);
        self.conversations(open, &mut finished);
        if let Some(since) = silent_since.filter(|_| self.conversations) {
            finished.conversations.extend(open.ledger.take_over(since));
        }
        finished
    }

    /// Names conversations, and tells those for which there is no room any more.
    fn conversations(&self, open: &mut Open, finished: &mut Finished) {
        if self.conversations {
            name(&mut open.ledger, &finished.events);
            let cut = open.ledger.cut();
            finished.conversations = open.ledger.take_excess();
            finished.cut = open.ledger.cut() - cut;
        }
    }

    /// Reads the next frame of a conversation-keeping capture, as [`scan`](Self::scan) and [`resume`](Self::resume) together would.
    ///
    /// Gives what the frame matters to, if it matters to anything.
    #[inline]
    pub fn frame(
        &mut self,
        open: &mut Open,
        frame: &Frame<'_>,
        mark: Mark,
        told: &mut Told,
    ) -> Option<Matter> {
        told.counts.frame(frame);
        if self.filter.as_mut().is_some_and(|filter| !filter.passes(frame)) {
            told.counts.filtered += 1;
            return None;
        }
        // Looked at where it was decoded: moved, it would be copied.
        match &decode::packet(frame.link, frame.bytes, frame.wire_len) {
            Ok(packet) => {
                if self.conversations {
                    self.judge.enter(&mut open.ledger, packet, frame, mark);
                }
                self.judge.packet(open, packet, Origin { frame, mark, of: 0 }, told)
            }
            Err(refusal) => {
                told.counts.refuse(*refusal);
                None
            }
        }
    }
}

#[inline]
const fn flow(packet: &Packet<'_>, src_port: u16, dst_port: u16, protocol: Protocol) -> Flow {
    Flow {
        src: Endpoint { ip: packet.src, port: src_port },
        dst: Endpoint { ip: packet.dst, port: dst_port },
        protocol,
    }
}
