//! What a stream of bytes says, whichever protocol it is: recognised by its first bytes, read message by message.
//!
//! Whoever puts segments in order asks [`recognise`] once, and then [`read`] whenever there are enough bytes.

use super::{Begins, Progress, tls};
use crate::flow::Flow;

/// A protocol that is read from streams.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A TLS client's side.
    Tls,
}

/// What first bytes are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Recognised {
    /// The beginning of this protocol.
    Is(Kind),
    /// Too few to say.
    MayBe,
    /// Nothing that is read here.
    Nothing,
}

/// How reading went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Read {
    /// One message was read, of so many bytes; another may follow.
    Message(usize),
    /// Nothing more is of use in this direction.
    Done,
    /// There have to be so many bytes in all.
    NeedMore {
        /// Bytes from the start of what was given.
        at_least: usize,
    },
}

/// What a stream said.
#[derive(Debug)]
pub enum Said<'a> {
    /// A TLS client introduced itself.
    Hello(tls::ClientHello<'a>),
}

impl Said<'_> {
    /// The name in it, as it stands in the stream.
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Hello(hello) => hello.server_name(),
        }
    }
}

/// What the first bytes of a stream, or of a segment, are.
#[inline]
pub fn recognise(first: &[u8], _flow: &Flow) -> Recognised {
    match tls::begins(first) {
        Begins::Yes => Recognised::Is(Kind::Tls),
        Begins::Maybe => Recognised::MayBe,
        Begins::No => Recognised::Nothing,
    }
}

/// Reads one message from the start of `bytes`.
pub fn read(kind: Kind, bytes: &[u8], tell: &mut dyn FnMut(Said<'_>)) -> Read {
    match kind {
        Kind::Tls => match tls::client_hello(bytes, &mut Vec::new()) {
            Progress::Found(hello) => {
                tell(Said::Hello(hello));
                // What a client sends after its hello is of no use until it begins another handshake.
                Read::Done
            }
            Progress::NeedMore { at_least } => Read::NeedMore { at_least },
            Progress::NotThis => Read::Done,
        },
    }
}

/// Reads what a message that will never be complete says as far as it goes.
pub fn read_cut(kind: Kind, bytes: &[u8], tell: &mut dyn FnMut(Said<'_>)) {
    match kind {
        Kind::Tls => {
            if let Some(hello) = tls::client_hello_prefix(bytes, &mut Vec::new()) {
                tell(Said::Hello(hello));
            }
        }
    }
}
