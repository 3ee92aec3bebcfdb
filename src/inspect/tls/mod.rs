//! TLS: the bytes of a connection, from the client or from the server, → what they say in clear.
//!
//! [`begins`] tells whether a stream or a segment begins with a ClientHello; [`client_hello`] reads it from TCP bytes, over
//! any number of TLS records; [`handshake`] reads the handshake message itself, which is what QUIC and DTLS carry.
//! [`certificate()`] reads the names in a server's certificate from its side of the connection (TLS 1.2 and before; later it is encrypted).
//! [`client_hello_prefix`] and [`handshake_prefix`] give what a hello says that will never be complete.
//!
//! A hello in the form of SSL 2 (RFC 5246 appendix E.2) has no place for a name, and is not read.

mod certificate;
mod der;
mod facts;
mod hello;
mod ja4;
mod kept;
mod record;

pub use certificate::{Certificate, begins_server, certificate};
pub use facts::{EchKind, EchOffer, HelloFacts, MAX_ALPN};
pub use hello::{
    ClientHello, Extension, ExtensionType, Extensions, ServerNames, handshake, handshake_prefix,
};
pub(super) use hello::{body, body_prefix};
pub use ja4::{Ja4, Over};
pub use kept::KeptHello;
pub use record::{CHANGE_CIPHER_SPEC, MAX_STREAM, begins, begins_second};

use super::Progress;

/// Reads the ClientHello that a TCP stream begins with: `stream` starts with the first octet of the first TLS record.
///
/// A hello that lies in one record is borrowed from `stream`; one that was cut into several is joined in `joined`.
/// [`Progress::NotThis`]: another protocol, another message, a record between that is no handshake, or more than [`MAX_STREAM`].
pub fn client_hello<'a>(stream: &'a [u8], joined: &'a mut Vec<u8>) -> Progress<ClientHello<'a>> {
    let (message, progress) = record::join(stream, joined, hello::wanted);
    match progress {
        Progress::Found(()) => match handshake(message) {
            // The length of the message is part of the message: records cannot bring more of it.
            Progress::NeedMore { .. } => Progress::NotThis,
            answer => answer,
        },
        Progress::NeedMore { at_least } => Progress::NeedMore { at_least },
        Progress::NotThis => Progress::NotThis,
    }
}

/// What the first part of a ClientHello says, when the rest will never come: a snap length cut it, or a segment is lost.
///
/// Of the names only those are given that lie wholly within, so the answer is that of the whole hello or none.
pub fn client_hello_prefix<'a>(stream: &'a [u8], joined: &'a mut Vec<u8>) -> Option<ClientHello<'a>> {
    match record::join(stream, joined, hello::wanted) {
        (_, Progress::NotThis) => None,
        (message, _) => handshake_prefix(message),
    }
}

#[cfg(test)]
mod facts_tests;
#[cfg(test)]
pub(crate) mod tests;
