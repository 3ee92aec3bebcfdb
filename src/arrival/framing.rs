//! Where a sender's messages end, when its transport says so: syslog over TCP (RFC 6587).
//!
//! What a connection speaks is recognised by its first bytes. Octet counting (3.4.1) begins each message with its length and a space;
//! a length is believed only as far as it says where the next one stands, and nothing is set aside for it. Non-transparent framing
//! (3.4.2) begins with a priority and ends with a line feed, or with NUL as some senders have it. All else is text that frames itself: JSON
//! lines, events in XML, UTF-16.

use memchr::memchr;

/// The most digits of a message's length. Longer messages than a feed takes are refused by the feed; ten digits are where a number is
/// no length any more.
const MOST_DIGITS: usize = 10;

/// A part of what a sender said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part<'b> {
    /// Text.
    Text(&'b [u8]),
    /// A message has ended: what it left unfinished stays so.
    End,
}

/// The framing of a connection.
#[derive(Debug, Default)]
pub(super) struct Framing {
    state: State,
    /// Bytes that tell what the connection speaks, or a length.
    head: Vec<u8>,
    /// Times that a length was looked for and something else was there.
    misframed: u64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum State {
    /// The first bytes decide.
    #[default]
    Beginning,
    /// It frames itself.
    Plain,
    /// A line a message, and NUL ends one too.
    Lines,
    /// At a length.
    Length,
    /// Within a message, with so many bytes left.
    Message(u64),
    /// Where no length was: up to the end of the line.
    Lost,
}

impl Framing {
    /// How often a length was looked for and something else was there.
    pub(super) const fn misframed(&self) -> u64 {
        self.misframed
    }

    /// Takes the next bytes and tells them without the framing.
    pub(super) fn push(&mut self, mut bytes: &[u8], tell: &mut dyn FnMut(Part<'_>)) {
        while let Some(first) = bytes.first() {
            let taken = match self.state {
                State::Plain => {
                    tell(Part::Text(bytes));
                    bytes.len()
                }
                State::Lines => {
                    let end = memchr(0, bytes);
                    tell(Part::Text(bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default()));
                    if end.is_some() {
                        tell(Part::Text(b"\n"));
                    }
                    end.map_or(bytes.len(), |end| end + 1)
                }
                State::Message(left) => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    tell(Part::Text(bytes.get(..length).unwrap_or_default()));
                    self.state = State::Message(left - length as u64);
                    if left == length as u64 {
                        tell(Part::Text(b"\n"));
                        tell(Part::End);
                        self.state = State::Length;
                    }
                    length
                }
                State::Lost => match memchr(b'\n', bytes) {
                    Some(end) => {
                        self.state = State::Length;
                        end + 1
                    }
                    None => bytes.len(),
                },
                State::Beginning => {
                    self.begin(*first, tell);
                    1
                }
                State::Length => {
                    self.length(*first);
                    1
                }
            };
            bytes = bytes.get(taken..).unwrap_or_default();
        }
    }

    /// Nothing more comes: tells what was held to see what it is.
    pub(super) fn finish(&mut self, tell: &mut dyn FnMut(Part<'_>)) {
        if self.state == State::Beginning && !self.head.is_empty() {
            self.plain(tell);
        }
    }

    /// Looks at one of the first bytes.
    fn begin(&mut self, byte: u8, tell: &mut dyn FnMut(Part<'_>)) {
        self.head.push(byte);
        match (self.head.as_slice(), byte) {
            ([b'<'], _) | ([b'1'..=b'9'], _) => {}
            ([b'<', b'0'..=b'9'], _) => {
                self.state = State::Lines;
                tell(Part::Text(&std::mem::take(&mut self.head)));
            }
            ([b'1'..=b'9', ..], b'0'..=b'9') if self.head.len() <= MOST_DIGITS => {}
            ([b'1'..=b'9', ..], b' ') => self.message(),
            _ => self.plain(tell),
        }
    }

    fn plain(&mut self, tell: &mut dyn FnMut(Part<'_>)) {
        self.state = State::Plain;
        tell(Part::Text(&std::mem::take(&mut self.head)));
    }

    /// Looks at a byte where a length stands. Between messages some senders put a line feed.
    fn length(&mut self, byte: u8) {
        match (self.head.as_slice(), byte) {
            ([], b'\n' | b'\r' | 0) => {}
            ([], b'1'..=b'9') | ([_, ..], b'0'..=b'9') if self.head.len() < MOST_DIGITS => {
                self.head.push(byte)
            }
            ([_, ..], b' ') => self.message(),
            _ => {
                self.misframed += 1;
                self.head.clear();
                self.state = if byte == b'\n' { State::Length } else { State::Lost };
            }
        }
    }

    /// The length is whole: digits, and perhaps the space.
    fn message(&mut self) {
        let digits = self.head.iter().filter(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |length, digit| length * 10 + u64::from(digit - b'0'));
        self.head.clear();
        self.state = State::Message(length);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is told of bytes that come in pieces of a size: texts, with `|` where a message ended.
    fn read(bytes: &[u8], piece: usize) -> (String, u64) {
        let mut framing = Framing::default();
        let mut told = Vec::new();
        let mut tell = |part: Part<'_>| match part {
            Part::Text(text) => told.extend_from_slice(text),
            Part::End => told.push(b'|'),
        };
        bytes.chunks(piece).for_each(|piece| framing.push(piece, &mut tell));
        framing.finish(&mut tell);
        (String::from_utf8_lossy(&told).into_owned(), framing.misframed())
    }

    fn check(bytes: &str, expected: &str, misframed: u64) {
        for piece in 1..=bytes.len() {
            assert_eq!(read(bytes.as_bytes(), piece), (expected.to_owned(), misframed), "{bytes} by {piece}");
        }
    }

    #[test]
    fn text_that_frames_itself_is_left_alone() {
        check("{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}\n{\"b\":2}\n", 0);
        check("<Event>\0</Event>", "<Event>\0</Event>", 0);
        check("\u{feff}{}\n", "\u{feff}{}\n", 0);
        check("12", "12", 0);
        check("<", "<", 0);
        check("12345678901 x", "12345678901 x", 0);
        check("192.168.0.1,a\n", "192.168.0.1,a\n", 0);
        check("0 x", "0 x", 0);
    }

    #[test]
    fn octets_are_counted() {
        check("5 <1>ab3 {}\n11 <1>45 6\n{}x", "<1>ab\n|{}\n\n|<1>45 6\n{}x\n|", 0);
        check("2 ab\n\r\n\x002 cd", "ab\n|cd\n|", 0);
        check("3 ab", "ab", 0);
        check("1 a9999999999 b", "a\n|b", 0);
    }

    #[test]
    fn a_lost_count_is_found_again_behind_the_line() {
        check("2 abgarbage\n2 cd", "ab\n|cd\n|", 1);
        check("2 ab7x\n2 cd", "ab\n|cd\n|", 1);
        check("2 ab7\n2 cd", "ab\n|cd\n|", 1);
        check("2 ab0 \n2 cd", "ab\n|cd\n|", 1);
        check("2 ab12345678901 \n2 cd", "ab\n|cd\n|", 1);
    }

    #[test]
    fn lines_end_with_a_line_feed_or_nought() {
        check("<13>a\n<14>b\0<15>c", "<13>a\n<14>b\n<15>c", 0);
    }

    proptest! {
        /// However the bytes are cut, the same is told.
        #[test]
        fn cuts_decide_nothing(bytes in prop::collection::vec(prop::sample::select(b"<19 0{}a\n\0".to_vec()), 0..60), piece in 1usize..9) {
            prop_assert_eq!(read(&bytes, piece), read(&bytes, 60));
        }
    }
}
