//! DNS: a message → its questions and answers (RFC 1035 section 4).
//!
//! [`Message::parse`] reads the header, [`Message::questions`] the questions, of any type, class and opcode, into one
//! [`NameBuf`], [`Message::records`] the addresses, aliases and service bindings of a response; [`tcp()`] finds messages in a stream. What is damaged ends the message there: the questions before it were given. dns-parser reads the header and
//! checks ordinary names; names that are compressed or not ASCII are read by an own walk with bounds. Its reader of whole messages
//! refuses the types that browsers send all day, and believes counts and pointers; nothing here uses it.

mod addresses;
mod answer;
mod name;
mod numbers;
mod records;
mod svcb;
mod tcp;

use std::fmt;

use crate::hostname::NameBuf;
use crate::reader::{Reader, Short};

pub use addresses::Addresses;
pub use answer::{Aliases, Answered, MAX_ADDRESSES, MAX_CHAIN, MAX_ECH};
pub use name::{MAX_LABELS, MAX_POINTERS};
pub use numbers::{QClass, QType};
pub use records::{Data, MAX_RECORDS, Record, Section};
pub use svcb::{Binding, EchConfig};
pub use tcp::{Framed, begins, tcp};

/// The port of resolvers.
pub const PORT: u16 = 53;

/// Whether a port is one of DNS: ordinary, multicast (RFC 6762) or link-local multicast (RFC 4795).
#[inline]
pub const fn is_port(port: u16) -> bool {
    matches!(port, PORT | 5353 | 5355)
}

/// Octets of the header: RFC 1035 section 4.1.1.
const HEADER: usize = 12;

/// The reserved bit of the header's fourth octet. Senders set it, and no receiver minds.
const Z: u8 = 0x40;

/// The most questions that are read of one message. Resolvers send one, multicast DNS a few dozen; a
/// compressed question of six octets can stand for 255, so that many of them are work without end.
pub const MAX_QUESTIONS: u16 = 256;

/// A DNS message whose header was read.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    header: dns_parser::Header,
}

impl<'a> Message<'a> {
    /// Reads the header. `bytes` is the message from its first octet: a UDP payload, or what is behind the length over TCP.
    ///
    /// # Errors
    /// [`NotDns`] when there is no whole header. Whatever has one passes: see [`Message::is_plausible`].
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotDns> {
        let mut header = Reader::new(bytes).array::<HEADER>().map_err(NotDns)?;
        let [_, _, _, reserved, ..] = &mut header;
        *reserved &= !Z;
        match dns_parser::Header::parse(&header) {
            Ok(header) => Ok(Self { bytes, header }),
            Err(_) => Err(NotDns(Short { needed: HEADER, got: bytes.len(), offset: 0 })),
        }
    }

    /// The identifier that a response repeats.
    #[inline]
    pub const fn id(&self) -> u16 {
        self.header.id
    }

    /// Whether this is a response.
    #[inline]
    pub const fn is_response(&self) -> bool {
        !self.header.query
    }

    /// What is asked for: 0 for a query, 4 notify, 5 update (<https://www.iana.org/assignments/dns-parameters>).
    pub fn opcode(&self) -> u8 {
        Reader::new(self.bytes).at(2).and_then(|mut flags| flags.u8()).map_or(0, |flags| flags >> 3 & 0xf)
    }

    /// The response code without the upper bits of EDNS: 0 for no error, 3 for no such name.
    pub fn rcode(&self) -> u8 {
        self.header.response_code.into()
    }

    /// Whether the response was cut because it did not fit; the client asks again over TCP.
    pub const fn is_truncated(&self) -> bool {
        self.header.truncated
    }

    /// How many questions the header announces.
    #[inline]
    pub const fn question_count(&self) -> u16 {
        self.header.questions
    }

    /// Reads the first question, its name into `name`. A response with more of them answers none (RFC 9619).
    #[inline]
    pub fn question(&self, name: &mut NameBuf) -> Option<Question> {
        let mut reader = Reader::new(self.bytes).at(HEADER).ok()?;
        name::read(&mut reader, name).ok().filter(|()| self.header.questions > 0)?;
        let (qtype, qclass) = (QType(reader.u16().ok()?), QClass(reader.u16().ok()?));
        Some(Question { qtype, qclass, behind: reader.offset() })
    }

    /// Gives each question's name, type and class, in order. `name` is where names are built; what it held is gone.
    ///
    /// # Errors
    /// [`Damage`] where the questions stop making sense, or after [`MAX_QUESTIONS`]; those before it were given.
    #[inline]
    pub fn questions(
        &self,
        name: &mut NameBuf,
        mut each: impl FnMut(&str, QType, QClass),
    ) -> Result<(), Damage> {
        self.questions_from(0, HEADER, name, &mut each)
    }

    /// The same for who has read the [first one](Self::question), with its name in `name`.
    ///
    /// # Errors
    /// As [`questions`](Self::questions).
    #[inline]
    pub fn questions_with(
        &self,
        first: Question,
        name: &mut NameBuf,
        mut each: impl FnMut(&str, QType, QClass),
    ) -> Result<(), Damage> {
        each(name.as_str(), first.qtype, first.qclass);
        self.questions_from(1, first.behind, name, &mut each)
    }

    #[inline]
    fn questions_from(
        &self,
        first: u16,
        offset: usize,
        name: &mut NameBuf,
        each: &mut impl FnMut(&str, QType, QClass),
    ) -> Result<(), Damage> {
        let mut reader = Reader::new(self.bytes).at(offset)?;
        for _ in first..self.header.questions.min(MAX_QUESTIONS) {
            name::read(&mut reader, name)?;
            let (qtype, qclass) = (QType(reader.u16()?), QClass(reader.u16()?));
            each(name.as_str(), qtype, qclass);
        }
        if self.header.questions > MAX_QUESTIONS {
            return Err(Damage::TooManyQuestions);
        }
        Ok(())
    }
}

/// The first question of a message, beside its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    /// Its type.
    pub qtype: QType,
    /// Its class.
    pub qclass: QClass,
    /// Where the next one begins.
    behind: usize,
}

/// Fewer octets than a header has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NotDns(pub Short);

impl fmt::Display for NotDns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes are no DNS header", self.0.got)
    }
}

impl std::error::Error for NotDns {}

/// Why the rest of a message was not read. Offsets count from the first octet of the message.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Damage {
    /// The message ends within something.
    Cut {
        /// Octets needed.
        needed: usize,
        /// Octets there were.
        got: usize,
        /// Where.
        offset: usize,
    },
    /// A label of a kind that no standard has: neither a length nor a pointer.
    LabelKind {
        /// The octet.
        octet: u8,
        /// Where.
        offset: usize,
    },
    /// A compression pointer that does not point backwards: it could go round for ever.
    PointerForward {
        /// Where the pointer is.
        offset: usize,
        /// Where it points.
        target: usize,
    },
    /// More than [`MAX_POINTERS`] pointers in one name.
    TooManyPointers,
    /// More than [`MAX_LABELS`] labels in one name.
    TooManyLabels,
    /// A name of more than 255 octets (RFC 1035 section 2.3.4).
    NameTooLong,
    /// More than [`MAX_QUESTIONS`] questions.
    TooManyQuestions,
    /// More than [`MAX_RECORDS`] records.
    TooManyRecords,
}

impl Damage {
    /// The word in counters and summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cut { .. } => "cut",
            Self::LabelKind { .. } => "label kind",
            Self::PointerForward { .. } => "pointer forward",
            Self::TooManyPointers => "too many pointers",
            Self::TooManyLabels => "too many labels",
            Self::NameTooLong => "name too long",
            Self::TooManyQuestions => "too many questions",
            Self::TooManyRecords => "too many records",
        }
    }
}

impl From<Short> for Damage {
    #[cold]
    fn from(short: Short) -> Self {
        Self::Cut { needed: short.needed, got: short.got, offset: short.offset }
    }
}

#[cfg(test)]
mod tests;
