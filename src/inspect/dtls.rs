//! DTLS: UDP datagrams → the ClientHello (RFC 6347, RFC 9147).
//!
//! [`begins`] tells whether a datagram has a part of a ClientHello, [`fragments`] gives the parts, and an [`Assembly`] puts those
//! of one client together. What the hello says is for [`tls`] to tell.

use super::tls::{self, ClientHello};
use crate::reader::{Reader, Short};

/// The most octets of a ClientHello that is put together. Those of browsers have 2 KiB.
pub const MAX_HELLO: usize = 16 * 1024;

/// The most separate stretches of one hello that are remembered. A client that sends in order makes one.
pub const MAX_RANGES: usize = 16;

/// The content type of handshake records, and the type of a ClientHello.
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;

/// The first octet of all versions: 0xfeff is 1.0, 0xfefd is 1.2, and 1.3 says 1.2 here.
const VERSION_MAJOR: u8 = 0xfe;

/// A part of a ClientHello.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment<'a> {
    /// The message's number: 0, or 1 after the server has asked for a cookie.
    pub message_seq: u16,
    /// Octets of the whole message's body.
    pub length: u32,
    /// Where this part lies in it.
    pub offset: u32,
    /// The part.
    pub data: &'a [u8],
}

/// Whether a datagram begins with a part of a ClientHello in clear.
#[inline]
pub fn begins(datagram: &[u8]) -> bool {
    datagram.first() == Some(&HANDSHAKE) && fragments(datagram).next().is_some()
}

/// The parts of ClientHellos in a datagram, up to the first thing that is something else.
pub fn fragments(datagram: &[u8]) -> Fragments<'_> {
    Fragments { records: Reader::new(datagram), messages: Reader::new(&[]) }
}

/// The parts of ClientHellos in a datagram.
#[derive(Clone, Debug)]
pub struct Fragments<'a> {
    records: Reader<'a>,
    messages: Reader<'a>,
}

impl<'a> Iterator for Fragments<'a> {
    type Item = Fragment<'a>;

    fn next(&mut self) -> Option<Fragment<'a>> {
        while self.messages.is_empty() {
            self.messages = record(&mut self.records).ok().flatten()?;
        }
        let fragment = fragment(&mut self.messages).ok().flatten();
        if fragment.is_none() {
            self.records = Reader::new(&[]);
            self.messages = Reader::new(&[]);
        }
        fragment
    }
}

/// The payload of a handshake record in clear (RFC 6347 section 4.1). One that the datagram cuts is used as far as it goes.
fn record<'a>(reader: &mut Reader<'a>) -> Result<Option<Reader<'a>>, Short> {
    let (kind, major, _minor) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let epoch = reader.u16()?;
    reader.skip(6)?;
    let length = reader.u16()?;
    let payload = Reader::new(reader.take_up_to(usize::from(length)));
    Ok((kind == HANDSHAKE && major == VERSION_MAJOR && epoch == 0).then_some(payload))
}

/// A part of a handshake message (RFC 6347 section 4.2.2), if it is of a ClientHello.
fn fragment<'a>(reader: &mut Reader<'a>) -> Result<Option<Fragment<'a>>, Short> {
    let (kind, length) = (reader.u8()?, reader.u24()?);
    let (message_seq, offset, size) = (reader.u16()?, reader.u24()?, reader.u24()?);
    let data = reader.take_up_to(size as usize);
    let fits = kind == CLIENT_HELLO && offset + size <= length && (size > 0 || length == 0);
    Ok(fits.then_some(Fragment { message_seq, length, offset, data }))
}

/// Puts the ClientHello of one client together from its parts, in any order, as often as they come.
///
/// The first to say how long the message is decides; parts that disagree are left out, and of parts that overlap the first counts.
#[derive(Debug, Default)]
pub struct Assembly {
    message_seq: u16,
    body: Vec<u8>,
    /// What is there: stretches in order, which neither touch nor overlap.
    ranges: Vec<(u32, u32)>,
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq)]
pub enum Assembled<'a> {
    /// The message is not all there.
    NeedMore,
    /// It is, and this is what it says.
    Found(ClientHello<'a>),
    /// It is all there, and no ClientHello.
    NotThis,
    /// The message is longer than [`MAX_HELLO`], or in more than [`MAX_RANGES`] stretches.
    TooMuch,
}

impl Assembly {
    /// An empty one.
    pub const fn new() -> Self {
        Self { message_seq: 0, body: Vec::new(), ranges: Vec::new() }
    }

    /// Takes a part. One of a later message begins anew, for that repeats the hello with the server's cookie; a message in
    /// one part is not copied.
    pub fn push<'a>(&'a mut self, part: &Fragment<'a>) -> Assembled<'a> {
        let (length, end) = (part.length as usize, part.offset as usize + part.data.len());
        if length == part.data.len() {
            return found(part.data);
        }
        if length > MAX_HELLO {
            return Assembled::TooMuch;
        }
        if part.data.is_empty() {
            return Assembled::NeedMore;
        }
        if self.ranges.is_empty() || part.message_seq > self.message_seq {
            *self = Self { message_seq: part.message_seq, body: vec![0; length], ranges: Vec::new() };
        }
        if part.message_seq != self.message_seq || length != self.body.len() {
            return Assembled::NeedMore;
        }
        if let Some(place) = self.body.get_mut(part.offset as usize..end) {
            let new = part.data.iter().zip(part.offset..).zip(place);
            for ((byte, at), place) in new {
                if !self.ranges.iter().any(|(from, to)| (*from..*to).contains(&at)) {
                    *place = *byte;
                }
            }
            self.cover(part.offset, end as u32);
        }
        match self.ranges.as_slice() {
            [(0, to)] if *to as usize == length => found(&self.body),
            ranges if ranges.len() > MAX_RANGES => {
                *self = Self::new();
                Assembled::TooMuch
            }
            _ => Assembled::NeedMore,
        }
    }

    /// Bytes of memory that are held.
    pub fn held(&self) -> usize {
        self.body.capacity()
    }

    /// What the hello says when the rest will never come.
    pub fn prefix(&self) -> Option<ClientHello<'_>> {
        match self.ranges.first() {
            Some((0, to)) => tls::body_prefix(self.body.get(..*to as usize)?),
            _ => None,
        }
    }

    /// Adds a stretch, and joins those that it touches.
    fn cover(&mut self, mut from: u32, mut to: u32) {
        self.ranges.retain(|(start, end)| {
            let apart = *end < from || to < *start;
            if !apart {
                (from, to) = (from.min(*start), to.max(*end));
            }
            apart
        });
        let place = self.ranges.partition_point(|(start, _)| *start < from);
        self.ranges.insert(place, (from, to));
    }
}

fn found(body: &[u8]) -> Assembled<'_> {
    tls::body(body).map_or(Assembled::NotThis, Assembled::Found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::super::tls::tests::{PLAIN, extension, message, server_name};
    use super::*;
    use crate::inspect::testing::check_mutations;

    /// The body of a hello with a cookie.
    fn hello(version: u16, cookie: &[u8]) -> Vec<u8> {
        let middle = [&[0, cookie.len() as u8][..], cookie, &PLAIN[1..]].concat();
        let extensions =
            [extension(10, &[0, 2, 0, 29]), server_name("turn.example"), extension(0xffff, &[0; 9])].concat();
        message(version, &middle, &extensions)[4..].to_vec()
    }

    /// A part of a message in a record of its own.
    fn datagram(seq: u16, body: &[u8], from: usize, to: usize) -> Vec<u8> {
        let u24 = |number: usize| (number as u32).to_be_bytes()[1..].to_vec();
        let handshake =
            [&[1][..], &u24(body.len()), &seq.to_be_bytes(), &u24(from), &u24(to - from), &body[from..to]]
                .concat();
        let length = (handshake.len() as u16).to_be_bytes();
        [&[22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 0][..], &length, &handshake].concat()
    }

    /// What a client's datagrams come to: the name, or the last answer in words.
    fn read<'a>(datagrams: impl IntoIterator<Item = &'a Vec<u8>>) -> String {
        let (mut assembly, mut last) = (Assembly::new(), String::from("nothing"));
        for datagram in datagrams {
            for part in fragments(datagram) {
                last = match assembly.push(&part) {
                    Assembled::Found(hello) => {
                        String::from_utf8_lossy(hello.server_name().unwrap_or(b"no name")).into_owned()
                    }
                    other => format!("{other:?}"),
                };
            }
        }
        last
    }

    #[test]
    fn one_datagram() {
        for version in [0xfeff, 0xfefd, 0xfefc] {
            for cookie in [&[][..], &[7; 20], &[7; 255]] {
                let body = hello(version, cookie);
                let datagram = datagram(0, &body, 0, body.len());
                assert!(begins(&datagram));
                assert_eq!(read([&datagram]), "turn.example");
                for cut in 0..datagram.len() {
                    assert!(["nothing", "NeedMore"].contains(&read([&datagram[..cut].to_vec()]).as_str()));
                }
                check_mutations(&datagram, |bytes| {
                    let _name = (begins(bytes), read([&bytes.to_vec()]));
                });
            }
        }
    }

    #[test]
    fn fragments_in_any_order() {
        let body = hello(0xfefd, &[]);
        for cut in 1..body.len() {
            let (first, second) = (datagram(0, &body, 0, cut), datagram(0, &body, cut, body.len()));
            assert_eq!(read([&first]), "NeedMore");
            assert_eq!(read([&first, &second]), "turn.example");
            assert_eq!(read([&second, &second, &first, &first]), "turn.example");
            assert_eq!(read([&[&first[..], &second].concat()]), "turn.example");
        }
        let parts: Vec<_> =
            (0..body.len()).step_by(9).map(|at| datagram(0, &body, at, body.len().min(at + 12))).collect();
        assert_eq!(read(parts.iter().rev()), "turn.example");
    }

    #[test]
    fn a_prefix_says_the_same_or_nothing() {
        let body = hello(0xfefd, &[]);
        let mut named = 0;
        for cut in 1..body.len() {
            let first = datagram(0, &body, 0, cut);
            let mut assembly = Assembly::new();
            for part in fragments(&first) {
                assert_eq!(assembly.push(&part), Assembled::NeedMore);
            }
            if let Some(name) = assembly.prefix().and_then(|hello| hello.server_name()) {
                assert_eq!(name, b"turn.example");
                named += 1;
            }
        }
        assert_eq!(named, 13, "the last extension has 13 octets");
    }

    #[test]
    fn a_hello_again_with_a_cookie() {
        let (first, second) = (hello(0xfeff, &[]), hello(0xfefd, &[9; 20]));
        let half = datagram(0, &first, 0, 30);
        let parts = [datagram(1, &second, 0, 40), datagram(1, &second, 40, second.len())];
        assert_eq!(read([&half, &parts[0], &parts[1]]), "turn.example");
        assert_eq!(read([&parts[0], &half, &parts[1]]), "turn.example");
    }

    #[test]
    fn limits() {
        let long = vec![0; MAX_HELLO + 1];
        assert_eq!(read([&datagram(0, &long, 0, 9)]), "TooMuch");
        let body = vec![0; 1000];
        let sparse: Vec<_> = (0..=MAX_RANGES).map(|at| datagram(0, &body, 2 * at, 2 * at + 1)).collect();
        assert_eq!(read(&sparse), "TooMuch");
        assert_eq!(read(&sparse[1..]), "NeedMore");
    }

    #[test]
    fn other_datagrams() {
        let body = hello(0xfefd, &[]);
        let good = datagram(0, &body, 0, body.len());
        for (place, value) in [(0, 23), (1, 3), (4, 1), (13, 2), (24, 0xff)] {
            let mut other = good.clone();
            other[place] = value;
            assert!(!begins(&other), "{place}");
            assert_eq!(read([&other]), "nothing");
        }
        assert!(!begins(&[]));
    }

    proptest! {
        #[test]
        fn garbage(bytes in prop::collection::vec(any::<u8>(), 0..100), kept in 0usize..40) {
            let body = hello(0xfefd, &[]);
            let good = datagram(0, &body, 0, body.len());
            let _name = read([&[&good[..kept], &bytes].concat()]);
        }

        #[test]
        fn any_cuts(order in prop::collection::vec((0usize..100, 1usize..60), 1..60)) {
            let body = hello(0xfefd, &[]);
            let parts: Vec<_> = order
                .iter()
                .map(|(from, size)| datagram(0, &body, *from.min(&body.len()), (from + size).min(body.len()).max(*from.min(&body.len()))))
                .collect();
            let name = read(&parts);
            prop_assert!(["turn.example", "NeedMore", "TooMuch", "nothing"].contains(&name.as_str()), "{name}");
        }
    }
}
