//! One set of keys and the CRYPTO stream that it opens: from frames to a whole handshake message.

use super::assembly::{Assembly, MAX_HELLO};
use super::header::{ConnectionId, Initial, Packet};
use super::keys::{Opened, Secrets};
use super::refusal::Refusal;
use super::version::{Frames, Handshake, Version};
use super::{Hello, Scratch, frames, gquic};

/// The most Initials that are opened for one hello. [`MAX_HELLO`] fits into 55 datagrams of 1200 bytes; the
/// rest is room for copies, and for a client that sends other things first so as not to be read.
pub const MAX_INITIALS: u8 = 250;

/// One set of keys, and the stream that they open.
#[derive(Clone, Debug)]
pub(super) struct Keyed {
    version: Version,
    handshake: Handshake,
    id: ConnectionId,
    /// None in cleartext versions.
    secrets: Option<Secrets>,
    /// The packet number after the highest one seen.
    expected: u64,
    initials: u8,
    /// Nothing more is wanted: the hello was given, or there is none.
    done: bool,
    assembly: Assembly,
}

impl Keyed {
    pub(super) fn new(packet: &Packet<'_>, handshake: Handshake, secrets: Option<Secrets>) -> Self {
        Self {
            version: packet.version,
            handshake,
            id: packet.id,
            secrets,
            expected: 0,
            initials: 0,
            done: false,
            assembly: Assembly::default(),
        }
    }

    /// Whether a packet has the version and the connection ID that these keys come from.
    pub(super) fn is_of(&self, packet: &Packet<'_>) -> bool {
        self.version == packet.version && self.id == packet.id
    }

    /// Whether the hello was given, or will never be.
    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Bytes of memory held beside the value itself.
    pub(super) const fn held(&self) -> usize {
        self.assembly.held()
    }

    /// Opens an Initial in the given memory, if it was sealed with these keys.
    pub(super) fn open(
        &self,
        packet: &Packet<'_>,
        initial: &Initial<'_>,
        memory: &mut Vec<u8>,
    ) -> Option<Opened> {
        if packet.version != self.version {
            return None;
        }
        self.secrets.as_ref()?.open(initial, self.expected, memory)
    }

    /// Remembers the number of a packet that was opened.
    pub(super) fn saw(&mut self, number: u64) {
        self.expected = self.expected.max(number + 1);
    }

    /// How many bytes the stream must have for more to be said; uses the memory given.
    pub(super) fn at_least(&self, memory: &mut Vec<u8>) -> usize {
        self.assembly.copy_prefix(memory);
        needed(self.handshake, memory).unwrap_or(MAX_HELLO)
    }

    /// Puts what there is of an unfinished hello into the memory given.
    pub(super) fn unfinished(&self, memory: &mut Vec<u8>) -> Option<Found> {
        self.assembly.copy_prefix(memory);
        (!memory.is_empty()).then(|| self.found(self.assembly.conflict()))
    }

    /// Adds the frames of an opened packet; gives the hello that they complete, whose bytes are then in
    /// `scratch`.
    pub(super) fn take(
        &mut self,
        frames: &[u8],
        kind: Frames,
        number_len: u8,
        scratch: &mut Scratch,
    ) -> Option<Found> {
        if self.done {
            return None;
        }
        let Scratch { fresh, hello, counters, .. } = scratch;
        counters.opened += 1;
        if self.initials >= MAX_INITIALS {
            counters.refuse(Refusal::TooManyInitials);
            self.finish();
            return None;
        }
        self.initials += 1;
        // Most hellos are whole after one packet, and never need memory of their own.
        let first = self.assembly.is_empty();
        fresh.clear();
        let assembly = if first { fresh } else { &mut self.assembly };
        let mut full = None;
        let insert = |offset, data: &[u8]| full = assembly.insert(offset, data).err().or(full);
        let walked = match kind {
            Frames::Quic => frames::walk(frames, insert),
            Frames::Google => gquic::walk(frames, number_len, insert),
        };
        for why in walked.err().into_iter().chain(full) {
            counters.refuse(why);
        }
        assembly.copy_prefix(hello);
        match needed(self.handshake, hello) {
            Ok(needed) if needed <= hello.len() => {
                hello.truncate(needed);
                let conflicting = assembly.conflict();
                if conflicting {
                    counters.refuse(Refusal::Conflict);
                }
                self.finish();
                Some(self.found(conflicting))
            }
            Ok(_) => {
                if first && !assembly.is_empty() {
                    self.assembly = assembly.clone();
                }
                None
            }
            Err(why) => {
                counters.refuse(why);
                self.finish();
                None
            }
        }
    }

    const fn found(&self, conflicting: bool) -> Found {
        Found { handshake: self.handshake, version: self.version, id: self.id, conflicting }
    }

    fn finish(&mut self) {
        self.done = true;
        self.assembly = Assembly::default();
    }
}

/// How many bytes of a message must be there for it to be whole, or for its length to be known.
fn needed(handshake: Handshake, message: &[u8]) -> Result<usize, Refusal> {
    let needed = match (handshake, message) {
        // RFC 8446 section 4: msg_type client_hello(1), and a length of three octets.
        (Handshake::Tls, [1, a, b, c, ..]) => TLS_HEADER + u32::from_be_bytes([0, *a, *b, *c]) as usize,
        (Handshake::Tls, [] | [1, ..]) => TLS_HEADER,
        (Handshake::Tls, _) => return Err(Refusal::NotClientHello),
        (Handshake::Google, _) => match gquic::message_len(message) {
            Some(Ok(needed) | Err(needed)) => needed,
            None => return Err(Refusal::NotClientHello),
        },
    };
    if needed > MAX_HELLO { Err(Refusal::HelloTooLong) } else { Ok(needed) }
}

/// Octets of a handshake message before its body.
const TLS_HEADER: usize = 4;

/// What is known of a hello beside its bytes.
pub(super) struct Found {
    handshake: Handshake,
    version: Version,
    id: ConnectionId,
    conflicting: bool,
}

impl Found {
    pub(super) const fn hello(self, bytes: &[u8]) -> Hello<'_> {
        let Self { handshake, version, id, conflicting } = self;
        Hello { bytes, handshake, version, id, conflicting }
    }
}
