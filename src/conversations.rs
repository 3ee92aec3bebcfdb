//! The conversations that are still open: `flow` and `inspect` put together, for TCP.
//!
//! A direction has state only while something is expected of it: after a SYN until its first bytes, and from
//! bytes that begin like a protocol we read until that parser has decided. Before and after, it has none, and each segment
//! stands for itself: one that begins like a protocol opens the direction, wherever in a connection it is (after
//! STARTTLS, after CONNECT, in the middle of a capture), any other is left alone. So what is open at the end of a
//! chunk is little, and neither a SYN nor the other direction is needed.

use rustc_hash::FxHashSet;

use crate::decode::{Segment, TcpFlags};
use crate::flow::{Assembly, Flow, Insertion, Table};
use crate::inspect::stream::{self, Kind, Read, Recognised, Said};
use crate::seen::{Kept, Seen};

/// What a conversation told: which direction, in which frame it became clear, and what it was.
pub type Tell<'t> = &'t mut dyn FnMut(Flow, Seen<'_>, Said<'_>);

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
    Waiting(u32),
    /// Bytes were seen, and are not yet enough.
    Collecting(Box<Collecting>),
    /// Whole messages were read up to this sequence number, where the next one begins even if a segment brings bytes before it again.
    Read(u32),
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
        } else if self.open.is_empty() || !self.continues(flow, segment, mark, tell) {
            self.begin(flow, segment, mark, tell);
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
            Some(State::Waiting(next)) => *next == first,
            Some(State::Collecting(open)) => open.base == first,
            Some(State::Read(_)) | None => false,
        };
        // A SYN sent again changes nothing; one with another number is a new connection on the same ports.
        if !again {
            self.give_up(&flow, Some(mark), tell);
            self.keep(flow, State::Waiting(first), tell);
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
        if let State::Read(next) = *state {
            return self.follows(flow, next, segment, mark, tell);
        }
        if let State::Waiting(next) = *state {
            if segment.payload.is_empty() {
                // The end of the handshake, or a keep-alive.
                return true;
            }
            if segment.seq == next {
                self.open.take(&flow);
                return false;
            }
        } else if segment.payload.is_empty() && !segment.flags.has(TcpFlags::FIN) {
            return true;
        }
        let mut open = match self.open.take(&flow) {
            Some(State::Collecting(open)) => open,
            Some(State::Waiting(next) | State::Read(next)) => Box::new(Collecting::new(next, mark.keep())),
            None => return false,
        };
        self.held -= open.assembly.held();
        let (used, stays) = open.add(flow, segment, mark, tell);
        if stays {
            self.keep(flow, State::Collecting(open), tell);
        } else if open.finished && !segment.flags.has(TcpFlags::FIN) {
            self.keep(flow, State::Read(open.base), tell);
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
                self.open.take(&flow);
                let wire_len = segment.wire_len.saturating_sub(before.unsigned_abs());
                self.begin(flow, &Segment { seq: next, payload: rest, wire_len, ..*segment }, mark, tell);
                true
            }
            _ if before > 0 => {
                // All of it was there before. A whole message is told again, as if it stood alone; what is begun is not waited for.
                read(flow, segment.payload, None, mark, tell);
                true
            }
            _ if segment.payload.is_empty() => {
                if segment.flags.has(TcpFlags::FIN) {
                    self.open.take(&flow);
                }
                true
            }
            _ => {
                self.open.take(&flow);
                // What follows at once stands for itself, and so does what begins a message, though something before it may be lost.
                // The rest is a part of what will yet come.
                if before == 0 || matches!(stream::recognise(segment.payload, &flow), Recognised::Is(_)) {
                    return false;
                }
                let mut open = Box::new(Collecting::new(next, mark.keep()));
                let (used, stays) = open.add(flow, segment, mark, tell);
                if stays {
                    self.keep(flow, State::Collecting(open), tell);
                }
                used
            }
        }
    }

    /// Looks at a segment for itself: it opens the direction if it is the beginning of something.
    fn begin(&mut self, flow: Flow, segment: &Segment<'_>, mark: Seen<'_>, tell: Tell<'_>) {
        if segment.payload.is_empty() || stream::recognise(segment.payload, &flow) == Recognised::Nothing {
            return;
        }
        let Some((consumed, kind, at_least)) = read(flow, segment.payload, None, mark, tell) else { return };
        let mut open = Box::new(Collecting::new(segment.seq.wrapping_add(consumed as u32), mark.keep()));
        (open.kind, open.at_least) = (kind, at_least);
        open.moved = consumed > 0;
        let rest = segment.payload.get(consumed..).unwrap_or(&[]);
        if consumed == segment.payload.len() {
            if !segment.flags.has(TcpFlags::FIN) {
                self.keep(flow, State::Read(open.base), tell);
            }
            return;
        }
        if open.assembly.insert(0, rest) != Insertion::Held || open.ends_with(segment) {
            open.tell_rest(flow, mark, tell);
        } else {
            self.keep(flow, State::Collecting(open), tell);
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
    fn new(base: u32, last: Kept) -> Self {
        Self {
            base,
            kind: None,
            at_least: 1,
            assembly: Assembly::default(),
            last,
            moved: false,
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
                        read(flow, segment.payload, None, mark, tell);
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
        let mut names: Vec<Option<Vec<u8>>> = Vec::new();
        let conflicting = self.assembly.conflicting();
        let outcome = read(flow, self.assembly.contiguous(), self.kind, mark, &mut |flow, mark, said| {
            if conflicting.is_some() {
                names.push(said.name().map(<[u8]>::to_vec));
            }
            tell(flow, mark, said);
        });
        // Where segments disagreed, both versions are read: either may be what the server got.
        if let Some(other) = conflicting {
            read(flow, other, self.kind, mark, &mut |flow, mark, said| {
                if !names.iter().any(|name| name.as_deref() == said.name()) {
                    tell(flow, mark, said);
                }
            });
        }
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
        if let Some(kind) = self.kind {
            stream::read_cut(kind, self.assembly.contiguous(), &mut |said| tell(flow, mark, said));
        }
    }
}

/// Reads one message after the other. `None` when what follows is nothing we read; else how many bytes are done with, what the
/// rest begins like, and how many bytes of the rest are needed.
fn read(
    flow: Flow,
    bytes: &[u8],
    mut kind: Option<Kind>,
    mark: Seen<'_>,
    tell: Tell<'_>,
) -> Option<(usize, Option<Kind>, usize)> {
    let mut consumed = 0;
    loop {
        let rest = bytes.get(consumed..).unwrap_or(&[]);
        if rest.is_empty() {
            return Some((consumed, None, 1));
        }
        let known = match kind {
            Some(kind) => kind,
            None => match stream::recognise(rest, &flow) {
                Recognised::Is(kind) => kind,
                Recognised::MayBe => return Some((consumed, None, rest.len() + 1)),
                Recognised::Nothing => return None,
            },
        };
        match stream::read(known, rest, &mut |said| tell(flow, mark, said)) {
            Read::Message(len) => (consumed, kind) = (consumed + len.max(1), None),
            Read::NeedMore { at_least } => {
                return Some((consumed, Some(known), at_least.max(rest.len() + 1)));
            }
            Read::Done => return None,
        }
    }
}
