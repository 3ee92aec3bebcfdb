//! The connections over UDP that are known: `flow` and `inspect` put together, for QUIC and DTLS.
//!
//! A direction with QUIC Initials is remembered from the first of them on, and also after its hello was read: so the hello is
//! decrypted once, and Initials that follow cost nothing. One with a DTLS hello is remembered too. Either is forgotten when there are
//! too many. Of other protocols it is told that there is a conversation, once.

use rustc_hash::FxHashSet;

use crate::capture::Timestamp;
use crate::flow::{Flow, Once, Table};
use crate::inspect::quic::{Connection, Hello, Refusal, Scratch};
use crate::inspect::tls::ClientHello;
use crate::inspect::{Progress, dtls, quic};
use crate::seen::{Kept, Seen};

/// What a connection told: which direction, in which frame it became clear, and the hello.
pub type Tell<'t> = &'t mut dyn FnMut(Flow, Seen<'_>, Said<'_>);

/// A hello in datagrams.
#[derive(Debug)]
pub enum Said<'a> {
    /// Of QUIC.
    Quic(Hello<'a>),
    /// Of DTLS.
    Dtls(ClientHello<'a>),
    /// Something of QUIC could not be read, or a limit was reached.
    Refused(Refusal),
    /// None: a conversation of a protocol that is not read here.
    Other,
}

/// The directions of UDP that something is remembered of.
#[derive(Debug, Default)]
pub struct Datagrams {
    open: Table<Known>,
    /// Bytes held by them.
    held: usize,
    evicted: u64,
    /// Conversations of other protocols that were told of.
    others: Once,
}

#[derive(Debug)]
struct Known {
    state: State,
    /// The last frame that counted.
    last: Kept,
}

#[derive(Debug)]
enum State {
    Quic(Connection),
    Dtls(Box<dtls::Assembly>),
    /// Its hello was told.
    DtlsTold,
}

impl Datagrams {
    /// The most directions remembered; beyond it the oldest is forgotten. Each is about 300 bytes, and a hello that comes after so
    /// many other connections is one that its client sends very slowly. What a table of 32,768 places holds: one more would double it.
    pub const MOST: usize = 28_000;
    /// The most bytes held for hellos that are not whole.
    pub const MOST_BYTES: usize = 16 << 20;

    /// Takes a datagram. Says whether it matters to a connection here.
    #[inline]
    pub fn datagram(
        &mut self,
        flow: Flow,
        payload: &[u8],
        mark: Seen<'_>,
        scratch: &mut Scratch,
        tell: Tell<'_>,
    ) -> bool {
        if quic::begins(payload) {
            self.initial(flow, payload, mark, scratch, tell);
        } else if dtls::begins(payload) {
            self.hello(flow, payload, mark, tell);
        } else {
            return false;
        }
        self.hold_limits(scratch, tell);
        true
    }

    /// Takes a datagram that is [nothing here](Self::datagram): the first one of a conversation in each hour is told. Says whether it was.
    #[inline]
    pub fn other(&mut self, flow: Flow, payload: &[u8], mark: Seen<'_>, tell: Tell<'_>) -> bool {
        if payload.is_empty() || flow.dst.ip.is_multicast() || self.open.has_tag(flow.tag()) {
            return false;
        }
        let new = self.is_first(&flow, mark.mark.at);
        if new {
            tell(flow, mark, Said::Other);
        }
        new
    }

    /// Whether nothing was told yet of a conversation of another protocol, in the hour that a moment is in.
    ///
    /// An hour of the clock, so that what is told first does not depend on what was told before.
    #[inline]
    pub fn is_first(&mut self, flow: &Flow, at: Timestamp) -> bool {
        const HOUR: i64 = 3600 * 1_000_000_000;
        let hour = at.as_nanos().div_euclid(HOUR).cast_unsigned();
        self.others.insert(flow.fold().wrapping_add(hour.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }

    /// Tells what the connections still say whose hello is not whole, as after the last frame of a capture.
    pub fn finish(self, scratch: &mut Scratch, tell: Tell<'_>) {
        let mut rest: Vec<_> = self.open.into_all().filter(|(_, known)| known.is_unfinished()).collect();
        rest.sort_unstable_by_key(|(flow, known)| (known.last.mark, *flow));
        for (flow, known) in rest {
            known.tell_rest(flow, scratch, tell);
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
                known.last.mark.frame += frames;
                self.keep(flow, known);
                self.hold_limits(scratch, tell);
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

    fn initial(&mut self, flow: Flow, payload: &[u8], mark: Seen<'_>, scratch: &mut Scratch, tell: Tell<'_>) {
        let before = scratch.counters;
        self.push(flow, payload, mark, scratch, tell);
        for why in Refusal::TOLD {
            if scratch.counters.refused(why) > before.refused(why) {
                tell(flow, mark, Said::Refused(why));
            }
        }
    }

    fn push(&mut self, flow: Flow, payload: &[u8], mark: Seen<'_>, scratch: &mut Scratch, tell: Tell<'_>) {
        if let Some(Known { state: State::Quic(connection), last }) = self.open.get_mut(&flow) {
            let before = connection.held();
            last.set(mark);
            if let Progress::Found(hello) = connection.push(payload, scratch) {
                tell(flow, mark, Said::Quic(hello));
            }
            self.held = self.held - before + connection.held();
        } else {
            let mut connection = Connection::new();
            if let Progress::Found(hello) = connection.push(payload, scratch) {
                tell(flow, mark, Said::Quic(hello));
            }
            self.keep(flow, Known { state: State::Quic(connection), last: mark.keep() });
        }
    }

    fn hello(&mut self, flow: Flow, payload: &[u8], mark: Seen<'_>, tell: Tell<'_>) {
        let mut assembly = match self.take(&flow) {
            Some(Known { state: State::Dtls(assembly), .. }) => assembly,
            _ => Box::default(),
        };
        let (mut missing, mut told) = (false, false);
        for part in dtls::fragments(payload) {
            missing = match assembly.push(&part) {
                dtls::Assembled::Found(hello) => {
                    tell(flow, mark, Said::Dtls(hello));
                    told = true;
                    false
                }
                dtls::Assembled::NeedMore => true,
                dtls::Assembled::NotThis | dtls::Assembled::TooMuch => false,
            };
        }
        if missing || told {
            let state = if missing { State::Dtls(assembly) } else { State::DtlsTold };
            self.keep(flow, Known { state, last: mark.keep() });
        }
    }

    fn take(&mut self, flow: &Flow) -> Option<Known> {
        let known = self.open.take(flow)?;
        self.held -= known.held();
        Some(known)
    }

    fn keep(&mut self, flow: Flow, known: Known) {
        self.held += known.held();
        if let Some(instead) = self.open.put(flow, known) {
            self.held -= instead.held();
        }
    }

    fn hold_limits(&mut self, scratch: &mut Scratch, tell: Tell<'_>) {
        while self.open.len() > Self::MOST || self.held > Self::MOST_BYTES {
            let Some((flow, known)) = self.open.take_oldest() else { return };
            self.held -= known.held();
            self.evicted += 1;
            known.tell_rest(flow, scratch, tell);
        }
    }
}

impl Known {
    fn is_unfinished(&self) -> bool {
        match &self.state {
            State::Quic(connection) => connection.is_unfinished(),
            State::Dtls(_) => true,
            State::DtlsTold => false,
        }
    }

    fn held(&self) -> usize {
        match &self.state {
            State::Quic(connection) => connection.held(),
            State::Dtls(assembly) => assembly.held(),
            State::DtlsTold => 0,
        }
    }

    /// Tells what a hello that will never be whole says as far as it goes.
    fn tell_rest(&self, flow: Flow, scratch: &mut Scratch, tell: Tell<'_>) {
        match &self.state {
            State::Quic(connection) => {
                if let Some(hello) = connection.unfinished(scratch) {
                    tell(flow, self.last.seen(), Said::Quic(hello));
                }
            }
            State::Dtls(assembly) => {
                if let Some(hello) = assembly.prefix() {
                    tell(flow, self.last.seen(), Said::Dtls(hello));
                }
            }
            State::DtlsTold => {}
        }
    }
}
