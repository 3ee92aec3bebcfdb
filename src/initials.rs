//! The QUIC connections that are known: `flow` and `inspect` put together, for UDP.
//!
//! A direction is remembered from its first Initial on, and also after its hello was read: so the hello is decrypted once, and
//! Initials that follow cost nothing. It is forgotten when there are too many.

use rustc_hash::FxHashSet;

use crate::conversations::Mark;
use crate::flow::{Flow, Table};
use crate::inspect::Progress;
use crate::inspect::quic::{Connection, Hello, Scratch};

/// What a connection told: which direction, in which frame it became clear, and the hello.
pub type Tell<'t> = &'t mut dyn FnMut(Flow, Mark, Hello<'_>);

/// The directions of UDP in which Initials were seen.
#[derive(Debug, Default)]
pub struct Initials {
    open: Table<Known>,
    /// Bytes held by them.
    held: usize,
    evicted: u64,
}

#[derive(Debug)]
struct Known {
    connection: Connection,
    /// The last frame with an Initial.
    last: Mark,
}

impl Initials {
    /// The most directions remembered; beyond it the oldest is forgotten. Each is about 150 bytes, and a hello that comes after so
    /// many other connections is one that its client sends very slowly.
    pub const MOST: usize = 65_536;
    /// The most bytes held for hellos that are not whole.
    pub const MOST_BYTES: usize = 16 << 20;

    /// Takes a datagram of which [`quic::begins`](crate::inspect::quic::begins) holds.
    pub fn datagram(
        &mut self,
        flow: Flow,
        payload: &[u8],
        mark: Mark,
        scratch: &mut Scratch,
        tell: Tell<'_>,
    ) {
        if let Some(known) = self.open.get_mut(&flow) {
            let before = known.connection.held();
            known.last = mark;
            if let Progress::Found(hello) = known.connection.push(payload, scratch) {
                tell(flow, mark, hello);
            }
            self.held = self.held - before + known.connection.held();
        } else {
            let mut connection = Connection::new();
            if let Progress::Found(hello) = connection.push(payload, scratch) {
                tell(flow, mark, hello);
            }
            self.keep(flow, Known { connection, last: mark }, scratch, tell);
        }
        self.hold_limits(scratch, tell);
    }

    /// Tells what the connections still say whose hello is not whole, as after the last frame of a capture.
    pub fn finish(mut self, scratch: &mut Scratch, tell: Tell<'_>) {
        let mut rest = Vec::new();
        while let Some((flow, known)) = self.open.take_oldest() {
            rest.push((flow, known));
        }
        rest.sort_unstable_by_key(|(flow, known)| (known.last, *flow));
        for (flow, known) in rest {
            if let Some(hello) = known.connection.unfinished(scratch) {
                tell(flow, known.last, hello);
            }
        }
    }

    /// Takes over what `later` knows (the next chunk, scanned from nothing), but for the conversations whose tag is one of
    /// `except`. Frames of `later` are numbered from the one after `frames`.
    pub fn absorb(
        &mut self,
        mut later: Self,
        frames: u64,
        except: &FxHashSet<u32>,
        scratch: &mut Scratch,
        tell: Tell<'_>,
    ) {
        self.evicted += later.evicted;
        while let Some((flow, mut known)) = later.open.take_oldest() {
            if !except.contains(&flow.tag()) {
                known.last.frame += frames;
                self.keep(flow, known, scratch, tell);
            }
        }
    }

    /// Whether a direction of a conversation with this tag is remembered.
    #[inline]
    pub fn has_tag(&self, tag: u32) -> bool {
        self.open.has_tag(tag)
    }

    /// How many directions were forgotten because [`Self::MOST`] or [`Self::MOST_BYTES`] was reached.
    pub const fn evicted(&self) -> u64 {
        self.evicted
    }

    fn keep(&mut self, flow: Flow, known: Known, scratch: &mut Scratch, tell: Tell<'_>) {
        self.held += known.connection.held();
        self.open.put(flow, known);
        self.hold_limits(scratch, tell);
    }

    fn hold_limits(&mut self, scratch: &mut Scratch, tell: Tell<'_>) {
        while self.open.len() > Self::MOST || self.held > Self::MOST_BYTES {
            let Some((flow, known)) = self.open.take_oldest() else { return };
            self.held -= known.connection.held();
            self.evicted += 1;
            if let Some(hello) = known.connection.unfinished(scratch) {
                tell(flow, known.last, hello);
            }
        }
    }
}
