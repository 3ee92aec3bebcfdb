//! DNS over TCP (RFC 1035 section 4.2.2, RFC 7766): messages behind a length of two octets each.

use super::{HEADER, Message};
use crate::inspect::{Begins, Progress};
use crate::reader::Reader;

/// A message in a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Framed<'a> {
    /// The message.
    pub message: &'a [u8],
    /// Octets of length and message: where the next message begins.
    pub consumed: usize,
}

/// The first message of a stream. [`Progress::NotThis`]: the length is shorter than a header.
///
/// A client sends several messages one after another; `stream` is then given again without what was consumed.
pub fn tcp(stream: &[u8]) -> Progress<Framed<'_>> {
    let mut reader = Reader::new(stream);
    let Ok(length) = reader.u16() else { return Progress::NeedMore { at_least: 2 } };
    let length = usize::from(length);
    if length < HEADER {
        return Progress::NotThis;
    }
    match reader.take(length) {
        Ok(message) => Progress::Found(Framed { message, consumed: reader.offset() }),
        Err(_) => Progress::NeedMore { at_least: 2 + length },
    }
}

/// Whether bytes begin like a query or a response over TCP, for ports on which nobody expects them.
///
/// It asks for one question, an ordinary query, and counts that fit into the length. On port 53 a stream is DNS without being asked.
#[inline]
pub fn begins(first: &[u8]) -> Begins {
    let mut reader = Reader::new(first);
    // Behind length and identifier: flags, and the number of questions. Most streams end here.
    let (Ok(length), Ok(_id)) = (reader.u16(), reader.u16()) else { return Begins::Maybe };
    let length = usize::from(length);
    if length < HEADER + 5 {
        return Begins::No;
    }
    let flags = match reader.u8() {
        Err(_) => return Begins::Maybe,
        Ok(flags) if flags >> 3 & 0xf != 0 => return Begins::No,
        Ok(flags) => flags,
    };
    let is_query = flags & 0x80 == 0;
    // Reserved, and the response code, which a query has not.
    match reader.u8() {
        Err(_) => return Begins::Maybe,
        Ok(flags) if flags & 0x40 != 0 || flags & 0xf > if is_query { 0 } else { 10 } => return Begins::No,
        Ok(_) => {}
    }
    let mut octets = 5;
    for (place, most) in [(0, 1), (1, 0xff), (2, 0xff), (3, 0xff)] {
        let least = u16::from(place == 0);
        let most = if is_query && place > 0 { if place == 3 { 2 } else { 0 } } else { most };
        match (reader.u8(), reader.u8()) {
            (Ok(high), _) if high != 0 => return Begins::No,
            (_, Ok(low)) if u16::from(low) < least || u16::from(low) > most => return Begins::No,
            (_, Ok(low)) => octets += if place == 0 { 0 } else { 11 * usize::from(low) },
            (_, Err(_)) => return Begins::Maybe,
        }
    }
    if HEADER + octets > length {
        return Begins::No;
    }
    // The first label of the question: the root, or a length with text behind it.
    match reader.u8() {
        Err(_) => Begins::Maybe,
        Ok(0) => Begins::Yes,
        Ok(label @ 1..=63) => {
            let text = reader.take_up_to(usize::from(label));
            match text.iter().all(u8::is_ascii_graphic) {
                false => Begins::No,
                true if text.len() == usize::from(label) => Begins::Yes,
                true => Begins::Maybe,
            }
        }
        Ok(_) => Begins::No,
    }
}

impl Message<'_> {
    /// Whether this looks like DNS on a port on which nobody expects it: one question of a known type and class that is
    /// all there, of printable letters, and counts that fit into the message.
    pub fn is_plausible(&self) -> bool {
        let header = &self.header;
        let records = [header.answers, header.nameservers, header.additional].map(usize::from);
        let [answers, authorities, additional] = records;
        let counts = match header.query {
            true => answers == 0 && authorities == 0 && additional <= 2 && self.rcode() == 0,
            false => answers + authorities + additional <= self.bytes.len() / 11,
        };
        if !counts || header.questions != 1 || self.opcode() != 0 {
            return false;
        }
        let Ok(mut reader) = Reader::new(self.bytes).at(HEADER) else { return false };
        loop {
            match reader.u8().map(usize::from) {
                Ok(0) => break,
                Ok(length @ 1..=63) => match reader.take(length) {
                    Ok(label) if label.iter().all(u8::is_ascii_graphic) => {}
                    _ => return false,
                },
                _ => return false,
            }
        }
        let (Ok(qtype), Ok(qclass)) = (reader.u16(), reader.u16()) else { return false };
        super::QType(qtype).mnemonic().is_some() && qclass == super::QClass::IN.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{message, question};
    use super::*;
    use crate::inspect::testing::{check_begins, check_mutations, check_prefixes};

    fn framed(message: &[u8]) -> Vec<u8> {
        [&(message.len() as u16).to_be_bytes(), message].concat()
    }

    fn query() -> Vec<u8> {
        message(
            0x0120,
            [1, 0, 0, 1],
            &[&question("pastebin.com", 65)[..], &[0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]].concat(),
        )
    }

    #[test]
    fn several_messages() {
        let (first, second) = (query(), message(0x0100, [1, 0, 0, 0], &question("b.example", 1)));
        let stream = [framed(&first), framed(&second)].concat();
        let frame = Framed { message: &first, consumed: first.len() + 2 };
        assert_eq!(check_prefixes(&stream, tcp), Some((first.len() + 2, Progress::Found(frame))));
        let rest = stream.get(frame.consumed..).unwrap_or_default();
        assert_eq!(tcp(rest), Progress::Found(Framed { message: &second, consumed: second.len() + 2 }));
        assert_eq!(check_begins(&stream, begins), Begins::Yes);
        assert_eq!(check_prefixes(&[0, 11, 0], tcp), Some((2, Progress::NotThis)));
        check_mutations(&stream, |bytes| {
            let _answer = (tcp(bytes), check_begins(bytes, begins));
        });
    }

    #[test]
    fn plausible_or_not() {
        let check = |message: &[u8], expected: bool| {
            let begins = check_begins(&framed(message), begins);
            assert_eq!(begins == Begins::Yes, expected, "{begins:?} {message:02x?}");
            assert_eq!(Message::parse(message).expect("a header").is_plausible(), expected, "{message:02x?}");
        };
        check(&query(), true);
        check(&message(0x8180, [1, 1, 0, 0], &[&question("a.example", 1)[..], &[0; 16]].concat()), true);
        check(&message(0x8183, [1, 0, 0, 0], &question("a.example", 1)), true);
        check(&message(0, [1, 0, 0, 0], &[0, 0, 2, 0, 1]), true);
        check(&message(0, [2, 0, 0, 0], &question("a.example", 1).repeat(2)), false);
        check(&message(0, [1, 1, 0, 0], &question("a.example", 1)), false);
        check(&message(0x2800, [1, 0, 0, 0], &question("a.example", 6)), false);
        check(&message(0x8180, [1, 200, 0, 0], &question("a.example", 1)), false);
        check(&message(0, [1, 0, 0, 0], b"\x02\x01a\x00\x00\x01\x00\x01"), false);
        check(&message(0, [1, 0, 0, 0], b"\xc0\x0c\x00\x01\x00\x01"), false);
        for unknown in [question("a.example", 65280), b"\x01a\0\0\x01\0\x05".to_vec(), b"\x05a".to_vec()] {
            assert!(!Message::parse(&message(0, [1, 0, 0, 0], &unknown)).expect("a header").is_plausible());
        }
        for other in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
            b"SSH-2.0-OpenSSH",
            b"\0\0\0\x10\0\0",
        ] {
            assert_eq!(check_begins(other, begins), Begins::No, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage(kept in 0usize..40, garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            let stream = framed(&query());
            let bytes = [stream.get(..kept).unwrap_or(&stream), &garbage].concat();
            check_begins(&bytes, begins);
            check_prefixes(&bytes, tcp);
        }
    }
}
