//! The conversations that are still open: `flow` and `inspect` put together, for TCP.
//!
//! A direction has state only while something is expected of it: after a SYN until its first bytes, and from
//! bytes that begin like a protocol we read until that parser has decided. Before and after, it has none, and each segment
//! stands for itself: one that begins like a protocol opens the direction, wherever in a connection it is (after
//! STARTTLS, after CONNECT, in the middle of a capture), any other is left alone. So what is open at the end of a
//! chunk is little, and neither a SYN nor the other direction is needed.

use std::cell::Cell;

use rustc_hash::FxHashSet;

use crate::decode::{Segment, TcpFlags};
use crate::flow::{Assembly, Flow, Insertion, Table};
use crate::hostname::{Hostname, is_address};
use crate::inspect::SeenIn;
use crate::inspect::stream::{self, Kind, Read, Recognised, Said};
use crate::seen::{Kept, Seen};

/// What a conversation told: which direction, in which frame it became clear, what it was, and what was known before it.
pub type Tell<'t> = &'t mut dyn FnMut(Flow, Seen<'_>, Said<'_>, &Before);

/// What is known of a direction before the bytes that are looked at.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Before {
    /// Whose first bytes they are; nothing where the direction's beginning was not seen.
    start: Option<Side>,
    /// Whether a name was told of it.
    pub named: bool,
    /// Whether it was told that there is none.
    pub nameless: bool,
    /// Names that what follows may disagree with: where a proxy was asked to connect to, or what another version of the same bytes says.
    pub others: Vec<(SeenIn, Hostname)>,
}

/// Who speaks in a direction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Side {
    Client,
    /// The server, where nothing is seen of the client.
    Server,
}

impl Before {
    /// Whether the direction was seen from its beginning on.
    pub const fn is_start(&self) -> bool {
        self.start.is_some()
    }

    /// The direction as the client's, whoever speaks in it.
    pub fn from_the_client(&self, flow: Flow) -> Flow {
        if self.start == Some(Side::Server) { flow.reversed() } else { flow }
    }

    /// Whether the first bytes of a connection said nothing: neither who the server is, nor that they do not say it.
    const fn is_a_riddle(&self) -> bool {
        self.start.is_some() && !self.named && !self.nameless
    }

    /// Tells something, and remembers it.
    fn tell(&mut self, flow: Flow, mark: Seen<'_>, said: Said<'_>, tell: Tell<'_>) {
        let named = said.names_the_server();
        let target = said.target().filter(|(_, name)| !is_address(name));
        let target = target.and_then(|(seen_in, name)| Some((seen_in, Hostname::new(name).ok()?)));
        tell(flow, mark, said, self);
        self.named |= named;
        self.nameless |= !named;
        self.others.extend(target);
    }
}

/// The directions of TCP conversations that something is expected of.
#[derive(Debug, Default)]
pub struct Conversations {
    open: Table<State>,
    /// Bytes held by the open directions.
    held: usize,
    evicted: u64,
}

#[derive(Debug)]
enum State {
    /// A SYN was seen; the first byte will have this sequence number.
    Waiting(u32, Option<Side>),
    /// Bytes were seen, and are not yet enough.
    Collecting(Box<Collecting>),
    /// Whole messages were read up to this sequence number, where the next one begins even if a segment brings bytes before it again.
    Read(u32, Before),
}

#[derive(Debug)]
struct Collecting {
    /// Sequence number of the assembly's first byte.
    base: u32,
    /// What it begins like; `None` while that is not clear.
    kind: Option<Kind>,
    /// The parser has no use for fewer bytes than these.
    at_least: usize,
    assembly: Assembly,
    /// The last frame that brought bytes.
    last: Kept,
    /// Whether messages before the base were read: what comes again from there is known.
    moved: bool,
    before: Before,
    /// Whether messages were read up to the base, and nothing is here of what follows.
    finished: bool,
}

impl Conversations {
    /// The most directions open at once; beyond it the oldest is given up. Whoever scans a network opens one with each SYN:
    /// 32,768 are what a link has on which 100,000 connections begin in a second, each a third of a second before its hello; some 15 MiB.
    pub const MOST: usize = 32_768;
    /// The most bytes held for all of them together; beyond it the oldest is given up.
    pub const MOST_BYTES: usize = 16 << 20;

    /// Takes a segment: tells what became clear by it, and remembers what is still open.
    pub fn segment(&mut self, flow: Flow, segment: &Segment<'_>, mark: Seen<'_>, tell: Tell<'_>) {
        if segment.flags.has(TcpFlags::SYN) {
            self.synchronise(flow, segment, mark, tell);
            return;
        }
        let nameless = Cell::new(false);
        let tell: Tell<'_> = &mut |from, mark, said, before| {
            if from == flow && said.is_a_hello_without_a_name() {
                nameless.set(true);
            }
            tell(from, mark, said, before);
        };
        if self.open.is_empty() || !self.continues(flow, segment, mark, tell) {
            self.begin(flow, segment, Before::default(), mark, tell);
        }
        if nameless.get() {
            self.expect_certificate(flow.reversed(), segment, mark, tell);
        }
    }

    /// Tells what the open conversations still say, as after the last frame of a capture.
    pub fn finish(mut self, tell: Tell<'_>) {
        let mut rest = Vec::new();
        while let Some((flow, state)) = self.open.take_oldest() {
            if let State::Collecting(open) = state {
                rest.push((flow, open));
            }
        }
        rest.sort_unstable_by_key(|(flow, open)| (open.last.mark, *flow));
        for (flow, open) in rest {
            open.tell_rest(flow, open.last.seen(), tell);
        }
    }

    /// Takes over what `later` has open (the next chunk, scanned from nothing), but for the conversations whose tag is one of
    /// `except`. Frames of `later` are numbered from the one after `frames`.
    pub fn absorb(&mut self, mut later: Self, frames: u64, except: &FxHashSet<u32>, tell: Tell<'_>) {
        self.evicted += later.evicted;
        while let Some((flow, mut state)) = later.open.take_oldest() {
            if except.contains(&flow.tag()) {
                continue;
            }
            if let State::Collecting(open) = &mut state {
                open.last.mark.frame += frames;
            }
            self.keep(flow, state, tell);
        }
    }

    /// Whether a direction of a conversation with this tag is open.
    #[inline]
    pub fn has_tag(&self, tag: u32) -> bool {
        self.open.has_tag(tag)
    }

    /// How many directions are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no direction is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// How many directions were given up because [`Self::MOST`] or [`Self::MOST_BYTES`] was reached.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn synchronise(&mut self, flow: Flow, segment: &Segment<'_>, mark: Seen<'_>, tell: Tell<'_>) {
        let first = segment.seq.wrapping_add(1);
        let again = match self.open.get(&flow) {
            Some(State::Waiting(next, _)) => *next == first,
            Some(State::Collecting(open)) => open.base == first,
            Some(State::Read(..)) | None => false,
        };
        // A SYN sent again changes nothing; one with another number is a new connection on the same ports.
        if !again {
            self.give_up(&flow, Some(mark), tell);
            let server = flow.reversed();
            let side = if !segment.flags.has(TcpFlags::ACK) {
                // The server's side need not speak for both, if its SYN came before.
                if let Some(State::Waiting(_, side)) = self.open.get_mut(&server) {
                    *side = None;
                }
                Some(Side::Client)
            } else {
                self.open.get(&server).is_none().then_some(Side::Server)
            };
            self.keep(flow, State::Waiting(first, side), tell);
        }
        // TCP Fast Open (RFC 7413 section 3) sends the first bytes with the SYN.
        if !segment.payload.is_empty() {
            let data = Segment { seq: first, flags: TcpFlags(segment.flags.0 & !TcpFlags::SYN), ..*segment };
            self.segment(flow, &data, mark, tell);
        }
    }

    /// Gives the segment to its direction if that is open. Says whether it was of use there.
    fn continues(&mut self, flow: Flow, segment: &Segment<'_>, mark: Seen<'_>, tell: Tell<'_>) -> bool {
        if segment.flags.has(TcpFlags::RST) {
            return self.give_up(&flow, Some(mark), tell);
        }
        let Some(state) = self.open.get(&flow) else { return false };
        if let State::Read(next, _) = *state {
            return self.follows(flow, next, segment, mark, tell);
        }
        if let State::Waiting(next, side) = *state {
            if segment.payload.is_empty() {
                // The end of the handshake, or a keep-alive.
                return true;
            }
            if segment.seq == next {
                self.open.take(&flow);
                self.begin(flow, segment, Before { start: side, ..Before::default() }, mark, tell);
                return true;
            }
        } else if segment.payload.is_empty() && !segment.flags.has(TcpFlags::FIN) {
            return true;
        }
        let mut open = match self.open.take(&flow) {
            Some(State::Collecting(open)) => open,
            Some(State::Waiting(next, start)) => {
                Box::new(Collecting::new(next, Before { start, ..Before::default() }, mark.keep()))
            }
            Some(State::Read(next, before)) => Box::new(Collecting::new(next, before, mark.keep())),
            None => return false,
        };
        self.held -= open.assembly.held();
        let (used, stays) = open.add(flow, segment, mark, tell);
        if stays {
            self.keep(flow, State::Collecting(open), tell);
        } else if open.finished && !segment.flags.has(TcpFlags::FIN) {
            self.keep(flow, State::Read(open.base, open.before), tell);
        }
        used
    }

    /// Takes a segment behind messages that were read up to `next`: of one that brings their last bytes again, what follows them. Says
    /// whether it was of use here; else it stands for itself.
    fn follows(
        &mut self,
        flow: Flow,
        next: u32,
        segment: &Segment<'_>,
        mark: Seen<'_>,
        tell: Tell<'_>,
    ) -> bool {
        let before = next.wrapping_sub(segment.seq).cast_signed();
        let rest = usize::try_from(before).ok().and_then(|before| segment.payload.get(before..));
        match rest {
            Some(rest) if before > 0 && !rest.is_empty() => {
                let known = self.take_before(&flow);
                let wire_len = segment.wire_len.saturating_sub(before.unsigned_abs());
                let rest = Segment { seq: next, payload: rest, wire_len, ..*segment };
                self.begin(flow, &rest, known, mark, tell);
                true
            }
            _ if before > 0 => {
                // All of it was there before. A whole message is told again, as if it stood alone; what is begun is not waited for.
                let mut known = Before::default();
                if let Some(State::Read(_, before)) = self.open.get(&flow) {
                    known.clone_from(before);
                }
                read(flow, segment.payload, None, &mut known, mark, tell);
                true
            }
            _ if segment.payload.is_empty() => {
                if segment.flags.has(TcpFlags::FIN) {
                    self.open.take(&flow);
                }
                true
            }
            _ => {
                let known = self.take_before(&flow);
                // What follows at once stands for itself, and so does what begins a message, though something before it may be lost.
                // The rest is a part of what will yet come.
                if before == 0 || matches!(stream::recognise(segment.payload, &flow), Recognised::Is(_)) {
                    self.begin(flow, segment, known, mark, tell);
                    return true;
                }
                let mut open = Box::new(Collecting::new(next, known, mark.keep()));
                let (used, stays) = open.add(flow, segment, mark, tell);
                if stays {
                    self.keep(flow, State::Collecting(open), tell);
                }
                used
            }
        }
    }

    /// Looks at a segment for itself: it opens the direction if it is the beginning of something.
    fn begin(
        &mut self,
        flow: Flow,
        segment: &Segment<'_>,
        mut before: Before,
        mark: Seen<'_>,
        tell: Tell<'_>,
    ) {
        if segment.payload.is_empty() {
            return;
        }
        if before.start.is_none() && stream::recognise(segment.payload, &flow) == Recognised::Nothing {
            return;
        }
        let Some((consumed, kind, at_least)) = read(flow, segment.payload, None, &mut before, mark, tell)
        else {
            return;
        };
        let next = segment.seq.wrapping_add(consumed as u32);
        if consumed == segment.payload.len() {
            if !segment.flags.has(TcpFlags::FIN) {
                self.keep(flow, State::Read(next, before), tell);
            }
            return;
        }
        let mut open = Box::new(Collecting::new(next, before, mark.keep()));
        (open.kind, open.at_least) = (kind, at_least);
        open.moved = consumed > 0;
        let rest = segment.payload.get(consumed..).unwrap_or(&[]);
        if open.assembly.insert(0, rest) != Insertion::Held || open.ends_with(segment) {
            open.tell_rest(flow, mark, tell);
        } else {
            self.keep(flow, State::Collecting(open), tell);
        }
    }

    /// Waits for the certificate of a server that the client has not named, in whose direction nothing was read yet.
    #[cold]
    fn expect_certificate(&mut self, server: Flow, hello: &Segment<'_>, mark: Seen<'_>, tell: Tell<'_>) {
        let next = match self.open.get(&server) {
            Some(State::Waiting(next, _)) => *next,
            None if hello.flags.has(TcpFlags::ACK) => hello.ack,
            _ => return,
        };
        let mut open = Box::new(Collecting::new(next, Before::default(), mark.keep()));
        open.kind = Some(Kind::Certificate);
        self.open.take(&server);
        self.keep(server, State::Collecting(open), tell);
    }

    /// Forgets a direction, and gives what was known of it.
    fn take_before(&mut self, flow: &Flow) -> Before {
        match self.open.take(flow) {
            Some(State::Read(_, before)) => before,
            _ => Before::default(),
        }
    }

    fn keep(&mut self, flow: Flow, state: State, tell: Tell<'_>) {
        if let State::Collecting(open) = &state {
            self.held += open.assembly.held();
        }
        self.open.put(flow, state);
        while self.open.len() > Self::MOST || self.held > Self::MOST_BYTES {
            let Some((flow, oldest)) = self.open.take_oldest() else { break };
            self.close(flow, oldest, None, tell);
            self.evicted += 1;
        }
    }

    /// Closes a direction, and tells what it said so far. Says whether it was open.
    fn give_up(&mut self, flow: &Flow, mark: Option<Seen<'_>>, tell: Tell<'_>) -> bool {
        let state = self.open.take(flow);
        let was_open = state.is_some();
        if let Some(state) = state {
            self.close(*flow, state, mark, tell);
        }
        was_open
    }

    fn close(&mut self, flow: Flow, state: State, mark: Option<Seen<'_>>, tell: Tell<'_>) {
        if let State::Collecting(open) = state {
            self.held -= open.assembly.held();
            open.tell_rest(flow, mark.unwrap_or_else(|| open.last.seen()), tell);
        }
    }
}

impl Collecting {
    fn new(base: u32, before: Before, last: Kept) -> Self {
        Self {
            base,
            kind: None,
            at_least: 1,
            assembly: Assembly::default(),
            last,
            moved: false,
            before,
            finished: false,
        }
    }

    /// Adds a segment. Says whether it was of use here, and whether the direction stays open.
    fn add(&mut self, flow: Flow, segment: &Segment<'_>, mark: Seen<'_>, tell: Tell<'_>) -> (bool, bool) {
        // The difference of sequence numbers is signed (RFC 9293 section 3.4).
        let distance = segment.seq.wrapping_sub(self.base).cast_signed();
        let (offset, payload) = match u32::try_from(distance) {
            Ok(offset) => (offset, segment.payload),
            // What lies before the base was told already, or stands for itself; what lies behind it is used.
            Err(_) => match segment.payload.get(distance.unsigned_abs() as usize..) {
                Some(rest) if !rest.is_empty() => (0, rest),
                rest => {
                    if !self.moved {
                        read(flow, segment.payload, None, &mut Before::default(), mark, tell);
                    }
                    // The end of a message's body: what follows stands for itself.
                    let done = self.moved && self.assembly.is_empty() && rest.is_some();
                    return (true, !done);
                }
            },
        };
        if self.assembly.insert(offset, payload) != Insertion::Held {
            // What was waited for is lost: the stream has gone on without it.
            self.tell_rest(flow, mark, tell);
            return (false, false);
        }
        if !payload.is_empty() {
            self.last.set(mark);
        }
        if !self.read(flow, mark, tell) {
            return (true, false);
        }
        let ends = self.ends_with(segment);
        if ends {
            self.tell_rest(flow, mark, tell);
        }
        (true, !ends)
    }

    /// Reads as far as the bytes go. Says whether more are expected.
    fn read(&mut self, flow: Flow, mark: Seen<'_>, tell: Tell<'_>) -> bool {
        if self.assembly.contiguous().len() < self.at_least {
            return true;
        }
        let outcome = match self.assembly.conflicting() {
            None => read(flow, self.assembly.contiguous(), self.kind, &mut self.before, mark, tell),
            Some(other) => {
                let first = self.assembly.contiguous();
                read_both(flow, first, other, self.kind, &mut self.before, mark, tell)
            }
        };
        let Some((consumed, kind, at_least)) = outcome else { return false };
        let skips = consumed > self.assembly.contiguous().len();
        self.assembly.advance(consumed as u32);
        self.base = self.base.wrapping_add(consumed as u32);
        self.moved |= consumed > 0;
        (self.kind, self.at_least) = (kind, at_least);
        self.finished = self.moved && !skips && self.assembly.is_empty();
        !self.finished && (skips || !self.assembly.is_empty())
    }

    /// Whether nothing can come after this segment that would be of use: the sender ended the stream with it, or a
    /// snap length cut off a part that no other frame will bring.
    fn ends_with(&self, segment: &Segment<'_>) -> bool {
        let end = segment.seq.wrapping_add(segment.wire_len);
        let reached = self.base.wrapping_add(self.assembly.contiguous().len() as u32);
        let cut = segment.wire_len as usize > segment.payload.len();
        cut || (segment.flags.has(TcpFlags::FIN) && end == reached)
    }

    /// Tells what a stream that ends too early said as far as it went.
    fn tell_rest(&self, flow: Flow, mark: Seen<'_>, tell: Tell<'_>) {
        let mut quiet = true;
        if let Some(kind) = self.kind {
            stream::read_cut(kind, self.assembly.contiguous(), &mut |said| {
                quiet = false;
                tell(flow, mark, said, &self.before);
            });
        }
        if quiet && !self.assembly.is_empty() && self.before.is_a_riddle() {
            tell(flow, mark, Said::Other, &self.before);
        }
    }
}

/// Reads one message after the other. `None` when what follows is nothing we read; else how many bytes are done with, what the
/// rest begins like, and how many bytes of the rest are needed.
fn read(
    flow: Flow,
    bytes: &[u8],
    mut kind: Option<Kind>,
    before: &mut Before,
    mark: Seen<'_>,
    tell: Tell<'_>,
) -> Option<(usize, Option<Kind>, usize)> {
    let mut consumed = 0;
    loop {
        let rest = bytes.get(consumed..).unwrap_or(&[]);
        if rest.is_empty() {
            return Some((consumed, None, 1));
        }
        let recognised = match kind {
            Some(kind) => Recognised::Is(kind),
            None if before.start == Some(Side::Server) => stream::recognise_server(rest, &flow),
            None => stream::recognise(rest, &flow),
        };
        let (mut known, mut outcome) = (None, Read::Done);
        match recognised {
            Recognised::Is(kind) => {
                known = Some(kind);
                outcome = stream::read(kind, rest, &mut |said| before.tell(flow, mark, said, tell));
            }
            Recognised::MayBe => outcome = Read::NeedMore { at_least: rest.len() + 1 },
            Recognised::Nothing => {}
        }
        match outcome {
            Read::Message(len) => (consumed, kind) = (consumed + len.max(1), None),
            Read::NeedMore { at_least } => return Some((consumed, known, at_least.max(rest.len() + 1))),
            Read::Done => {
                if before.is_a_riddle() {
                    tell(flow, mark, Said::Other, before);
                    before.nameless = true;
                }
                return None;
            }
        }
    }
}

/// Reads both versions of a stretch about which segments disagreed: either may be what the server got. Where the names in them differ, each
/// is told with the other. What follows is read as in the first version.
#[cold]
fn read_both(
    flow: Flow,
    first: &[u8],
    second: &[u8],
    kind: Option<Kind>,
    before: &mut Before,
    mark: Seen<'_>,
    tell: Tell<'_>,
) -> Option<(usize, Option<Kind>, usize)> {
    let names = |bytes| {
        let mut names = Vec::new();
        read(flow, bytes, kind, &mut before.clone(), mark, &mut |_, _, said, _| {
            names.extend(said.place().map(|(seen_in, name)| (seen_in, name.to_vec())));
        });
        names
    };
    let (of_first, of_second) = (names(first), names(second));
    let others = |here: &[(SeenIn, Vec<u8>)], there: &[(SeenIn, Vec<u8>)]| {
        let others = there.iter().filter(|other| !here.contains(other));
        others.filter_map(|(seen_in, name)| Some((*seen_in, Hostname::new(name).ok()?))).collect::<Vec<_>>()
    };
    let mut known = before.clone();
    let kept = before.others.len();
    before.others.extend(others(&of_first, &of_second));
    let told = before.others.len();
    let outcome = read(flow, first, kind, before, mark, tell);
    before.others.drain(kept..told);
    known.others.extend(others(&of_second, &of_first));
    read(flow, second, kind, &mut known, mark, &mut |flow, mark, said, before| {
        let new = said.place().is_some_and(|(_, name)| !of_first.iter().any(|(_, one)| one == name));
        if new {
            tell(flow, mark, said, before);
        }
    });
    outcome
}
