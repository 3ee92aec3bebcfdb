//! QUIC: datagrams → ClientHellos.
//!
//! A client's Initial packets are encrypted with keys that anyone can derive from the first of them (RFC 9001
//! section 5.2), so a sensor can read the ClientHello. [`begins`] tells cheaply whether a UDP datagram on any
//! port has an Initial; a [`Connection`] opens the Initials of one direction of one flow, puts the CRYPTO
//! stream together over any number of frames, packets and datagrams, and gives the handshake message. What
//! the message says is the TLS parser's.
//!
//! One direction is enough: keys come from the client's own datagrams, also after a Retry (RFC 9001 section
//! 5.2: new keys from the connection ID that the server chose, which the client's next Initial carries).
//!
//! Nothing here reads a server's Initials, 0-RTT, Handshake or 1-RTT packets.

mod assembly;
mod connection;
mod frames;
pub mod gquic;
mod header;
mod keys;
mod refusal;
mod seal;
mod stream;
mod version;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use assembly::Assembly;
use header::{Body, Packets};
use keys::Salts;

pub use assembly::{MAX_HELLO, MAX_RANGES};
pub use connection::{Connection, MAX_DERIVATIONS, MAX_FAILURES, MAX_KEYS, MAX_TRIES};
pub use header::{ConnectionId, MAX_PACKETS};
pub use refusal::{Counters, Refusal};
pub use seal::Sealer;
pub use stream::MAX_INITIALS;
pub use version::{Handshake, Version};

/// Whether a UDP datagram has a packet that a [`Connection`] wants to see: an Initial of a known version, on
/// any port.
///
/// Costs a few nanoseconds where there is none, for the version has to be one of thirty numbers. The 1200
/// bytes that a client must send (RFC 9000 section 14.1) are not asked for: a server that wants to hide need
/// not insist on them. A connection may be given other datagrams too; they say nothing to it.
#[inline]
pub fn begins(datagram: &[u8]) -> bool {
    header::may_begin(datagram)
        && Packets::new(datagram).any(|packet| match packet {
            Ok(packet) => !matches!(packet.body, Body::Other),
            Err(why) => why == Refusal::Cut,
        })
}

/// A whole handshake message of a client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hello<'s> {
    /// The message from its first octet to its last.
    pub bytes: &'s [u8],
    /// What kind of message.
    pub handshake: Handshake,
    /// The version in the packets that carried it.
    pub version: Version,
    /// The connection ID that its keys come from. Two hellos of one flow with one ID are one hello, sent
    /// twice.
    pub id: ConnectionId,
    /// Whether parts of it came twice with different bytes; the first ones are in `bytes`.
    pub conflicting: bool,
}

/// Memory that one connection after the other uses, and what was counted in doing so.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// What was done and refused since this value was made or since the caller last took it.
    pub counters: Counters,
    salts: Salts,
    packet: Vec<u8>,
    hello: Vec<u8>,
    fresh: Assembly,
}

impl Scratch {
    /// Prepares the salts; memory grows to the largest hello seen, at most some [`MAX_HELLO`].
    pub fn new() -> Self {
        Self {
            counters: Counters::default(),
            salts: Salts::new(),
            packet: Vec::new(),
            hello: Vec::new(),
            fresh: Assembly::default(),
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
