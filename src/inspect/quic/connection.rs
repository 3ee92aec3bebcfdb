//! The Initials of one direction of one flow: which keys open which, and how often that is tried.
//!
//! The budget is the connection's own. A flood of Initials from ever new ports costs a derivation each all
//! the same, and has to be met where packets are counted.

use super::header::{Body, ConnectionId, Initial, Packet, Packets};
use super::keys::{Opened, Secrets};
use super::refusal::{Counters, Refusal};
use super::stream::{Found, Keyed};
use super::version::{Frames, Handshake};
use super::{Hello, Scratch};
use crate::inspect::Progress;

/// The most derivations of keys for one connection. A client needs one, two after a Retry; more happen when a
/// socket is used for several connections, and for a server's Initials, which nothing here can open.
pub const MAX_DERIVATIONS: u8 = 16;

/// The most packets of one connection that no key opened. Each costs as much as one that opens.
pub const MAX_FAILURES: u8 = 32;

/// The most derivations for one connection ID that opened nothing: a server sends all its Initials to the one
/// that the client chose, and the second try is for a packet that was damaged and sent again.
pub const MAX_TRIES: u8 = 2;

/// The most sets of keys that are kept for one connection: a first flight, one after a Retry, and two more
/// connections from the same socket.
pub const MAX_KEYS: usize = 4;

/// What is known of the Initials that one endpoint sends to another.
///
/// Owned and bounded: at most [`MAX_KEYS`] streams of [`MAX_HELLO`](super::MAX_HELLO) bytes each, and memory
/// only for what was received ([`held`](Self::held)). Datagrams may come in any order, and more than once;
/// the message that comes out is the same or none.
#[derive(Clone, Debug, Default)]
pub struct Connection {
    keys: Vec<Keyed>,
    /// The connection ID whose own keys last opened nothing, and how often.
    vain: (ConnectionId, u8),
    derivations: u8,
    failures: u8,
}

impl Connection {
    /// Nothing known yet, no memory held.
    pub const fn new() -> Self {
        Self { keys: Vec::new(), vain: (ConnectionId::NONE, 0), derivations: 0, failures: 0 }
    }

    /// Takes a datagram of this direction.
    ///
    /// `NeedMore` while a hello is unfinished (`at_least` counts bytes of its CRYPTO stream); `NotThis` when
    /// the datagram gave nothing and nothing is unfinished. After `Found` the connection may be kept: further
    /// Initials of the same hello are passed over cheaply, and a further connection from the same socket (a
    /// Retry makes one, with the same message) gives its own.
    pub fn push<'s>(&mut self, datagram: &[u8], scratch: &'s mut Scratch) -> Progress<Hello<'s>> {
        for packet in Packets::new(datagram) {
            let found = match packet {
                Ok(packet) => self.packet(&packet, scratch),
                Err(why) => {
                    scratch.counters.refuse(why);
                    None
                }
            };
            if let Some(found) = found {
                scratch.counters.hellos += 1;
                return Progress::Found(found.hello(&scratch.hello));
            }
        }
        match self.keys.iter().find(|keyed| !keyed.is_done()) {
            Some(keyed) => Progress::NeedMore { at_least: keyed.at_least(&mut scratch.hello) },
            None => Progress::NotThis,
        }
    }

    /// What is there of an unfinished hello, without a hole from its start: for a last look when no more
    /// datagrams will come. Nothing when there is no first byte.
    pub fn unfinished<'s>(&self, scratch: &'s mut Scratch) -> Option<Hello<'s>> {
        let found = self.keys.iter().find_map(|keyed| keyed.unfinished(&mut scratch.hello))?;
        Some(found.hello(&scratch.hello))
    }

    /// Whether a hello has begun and is not whole.
    pub fn is_unfinished(&self) -> bool {
        self.keys.iter().any(|keyed| !keyed.is_done())
    }

    /// Bytes of memory held beside the value itself.
    pub fn held(&self) -> usize {
        let streams = self.keys.iter().map(Keyed::held).sum::<usize>();
        streams + self.keys.capacity() * size_of::<Keyed>()
    }

    fn packet(&mut self, packet: &Packet<'_>, scratch: &mut Scratch) -> Option<Found> {
        let own = self.keys.iter().position(|keyed| keyed.is_of(packet));
        match packet.body {
            Body::Other => None,
            Body::Cleartext { number_len, frames } => {
                let place = match own {
                    Some(own) => own,
                    None => self.keep(Keyed::new(packet, Handshake::Google, None), &mut scratch.counters)?,
                };
                self.keys.get_mut(place)?.take(frames, Frames::Google, number_len, scratch)
            }
            Body::Initial(initial) => {
                let (place, opened) = self.open(packet, &initial, own, scratch)?;
                let keyed = self.keys.get_mut(place)?;
                keyed.saw(opened.number);
                let memory = std::mem::take(&mut scratch.packet);
                let frames = memory.get(opened.frames).unwrap_or_default();
                let found = keyed.take(frames, initial.scheme.frames, opened.number_len, scratch);
                scratch.packet = memory;
                found
            }
        }
    }

    /// Opens an Initial in the memory of `scratch`, and says with which keys: those of its connection ID,
    /// else any that are known, else its own.
    fn open(
        &mut self,
        packet: &Packet<'_>,
        initial: &Initial<'_>,
        own: Option<usize>,
        scratch: &mut Scratch,
    ) -> Option<(usize, Opened)> {
        if own.and_then(|own| self.keys.get(own)).is_some_and(Keyed::is_done) {
            return None;
        }
        if self.failures >= MAX_FAILURES {
            scratch.counters.refuse(Refusal::Budget);
            return None;
        }
        let known = own.map_or(0..self.keys.len(), |own| own..own + 1);
        for place in known.rev() {
            let keyed = self.keys.get(place);
            if let Some(opened) = keyed.and_then(|keyed| keyed.open(packet, initial, &mut scratch.packet)) {
                return Some((place, opened));
            }
        }
        let fresh =
            if own.is_none() { self.derive(packet, initial, scratch) } else { Err(Refusal::NotOpened) };
        match fresh {
            Ok((keyed, opened)) => Some((self.keep(keyed, &mut scratch.counters)?, opened)),
            Err(why) => {
                self.failures += u8::from(why == Refusal::NotOpened);
                scratch.counters.refuse(why);
                None
            }
        }
    }

    /// Opens an Initial with keys from its own connection ID, if the budget allows.
    fn derive(
        &mut self,
        packet: &Packet<'_>,
        initial: &Initial<'_>,
        scratch: &mut Scratch,
    ) -> Result<(Keyed, Opened), Refusal> {
        // After a Retry the ID is the server's, and may be of any length.
        if packet.id.as_slice().len() < MIN_FIRST_ID && self.keys.is_empty() {
            return Err(Refusal::ShortConnectionId);
        }
        let in_vain = self.vain.1 > 0 && self.vain.0 == packet.id;
        if self.derivations >= MAX_DERIVATIONS || in_vain && self.vain.1 >= MAX_TRIES {
            return Err(Refusal::Budget);
        }
        self.derivations += 1;
        scratch.counters.derived += 1;
        let secrets = Secrets::derive(&scratch.salts, &initial.scheme, packet.id.as_slice());
        match secrets.open(initial, 0, &mut scratch.packet) {
            Some(opened) => Ok((Keyed::new(packet, initial.scheme.handshake, Some(secrets)), opened)),
            None => {
                self.vain = (packet.id, if in_vain { self.vain.1 + 1 } else { 1 });
                Err(Refusal::NotOpened)
            }
        }
    }

    /// Keeps a set of keys, in place of the oldest that is done if there is no more room; gives its place.
    fn keep(&mut self, keyed: Keyed, counters: &mut Counters) -> Option<usize> {
        if self.keys.len() >= MAX_KEYS {
            let Some(done) = self.keys.iter().position(Keyed::is_done) else {
                counters.refuse(Refusal::TooManyKeys);
                return None;
            };
            self.keys.remove(done);
        }
        self.keys.reserve_exact(1);
        self.keys.push(keyed);
        Some(self.keys.len() - 1)
    }
}

/// The shortest connection ID that a client may choose for a server it does not know (RFC 9000 section 7.2).
const MIN_FIRST_ID: usize = 8;
