//! Where records begin and end, in bytes that come in any cuts.
//!
//! One machine for all texts, since feeds are joined and wrapped in every way: JSON one a line, pretty-printed, concatenated, in arrays
//! and in the answers of APIs; `<Event>` … `</Event>` wherever they stand; rows of a table; any of these behind the head of a
//! syslog line. What is none of these is refused, and the next line is looked at afresh.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::{self, Finder};
use memchr::{memchr, memchr_iter, memchr2};

use super::braces::{Braces, Closed};
use super::tally::Refusal;

/// The most bytes of one record. An event of Windows has at most 64 KiB before it is written as text; the largest that collectors
/// make of one, with its message and its XML beside the fields, stay below 400 KiB.
pub const MAX_RECORD: usize = 1 << 20;

/// The most bytes of markup between events: a declaration, a comment, the start tag around all events.
const MAX_MARKUP: usize = 64 * 1024;

/// How far into a line its JSON may begin: behind a syslog header with structured data.
const MAX_HEADER: usize = 2048;

/// Something found in the text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Piece {
    /// A JSON object that stands alone on its line, if it is one: only its last byte was looked at.
    Line(Range<usize>),
    /// A JSON object whose braces were counted.
    Object(Range<usize>),
    /// An `<Event>` with its end tag.
    Event(Range<usize>),
    /// A line that may be the header of a table.
    Header(Range<usize>),
    /// A row of a table.
    Row(Range<usize>),
    /// Something that is refused; it was passed.
    Refused(Refusal),
}

/// Finds the pieces of a text.
#[derive(Debug, Default)]
pub(super) struct Framer {
    state: State,
    /// Where the array of a wrapper was entered.
    wrapper: Option<Braces>,
    /// Whether the last object was written in one line.
    one_line: bool,
    /// Whether a line ended since.
    ended: bool,
    /// Bytes of the piece that were looked at without finding its end.
    seen: usize,
    /// Whether what was looked at of a row ends within quotes.
    quoted: bool,
    /// Lines that ended before the piece that is looked for.
    line: u64,
    /// Likewise before the piece that was found last.
    found: u64,
}

#[derive(Debug, Default)]
enum State {
    /// Where a record may begin.
    #[default]
    Between,
    /// In a JSON object.
    Object(Braces),
    /// Behind the array of a wrapper, before the wrapper's end.
    Wrapper(Braces),
    /// In an event.
    Event,
    /// In a table: at the beginning of a row.
    Table,
    /// In what was refused, up to the end of its line.
    Line,
    /// In an event that was refused, up to its end or the next event.
    RefusedEvent,
}

impl Framer {
    /// The line in which the piece that was found last begins, from 1.
    pub(super) const fn line(&self) -> u64 {
        self.found + 1
    }

    /// What follows is a table: the header was known.
    pub(super) fn table(&mut self) {
        self.state = State::Table;
    }

    /// The next piece of `bytes` from `at` on, which moves behind it. None when the rest is too short for one: the next call is to bring
    /// the rest again, and more behind it. `last` when there is no more.
    pub(super) fn next(&mut self, bytes: &[u8], at: &mut usize, last: bool) -> Option<Piece> {
        loop {
            let rest = bytes.get(*at..).unwrap_or_default();
            let step = match &mut self.state {
                State::Between => self.between(rest, last),
                State::Object(_) => self.object(rest, last),
                State::Wrapper(braces) => match braces.tail(rest) {
                    (taken, true) => Step::Skip(taken, State::Between),
                    (taken, false) => Step::Wait(taken),
                },
                State::Event => self.event(rest, last),
                State::Table => self.row(rest, last),
                State::Line => match memchr(b'\n', rest) {
                    Some(end) => Step::Skip(end + 1, State::Between),
                    None => Step::Wait(rest.len()),
                },
                State::RefusedEvent => Self::refused_event(rest),
            };
            let from = *at;
            self.found = self.line;
            match step {
                Step::Skip(taken, state) => {
                    self.pass(rest, taken, at);
                    self.state = state;
                }
                Step::Wait(taken) => {
                    if taken > 0 {
                        self.pass(rest, taken, at);
                    }
                    return None;
                }
                Step::Refuse(taken, why, state) => {
                    self.pass(rest, taken, at);
                    self.state = state;
                    return Some(Piece::Refused(why));
                }
                Step::Found(kind, piece, taken, state) => {
                    let range = from + piece.start..from + piece.end;
                    self.pass(rest, taken, at);
                    self.state = state;
                    return Some(kind(range));
                }
            }
        }
    }

    fn pass(&mut self, rest: &[u8], taken: usize, at: &mut usize) {
        self.line += memchr_iter(b'\n', rest.get(..taken).unwrap_or_default()).count() as u64;
        (self.seen, self.quoted) = (0, false);
        *at += taken;
    }

    fn between(&mut self, rest: &[u8], last: bool) -> Step {
        if self.wrapper.is_some()
            && let Some(end) = rest.iter().position(|byte| !is_blank(*byte))
            && rest.get(end) == Some(&b']')
            && let Some(mut braces) = self.wrapper.take()
        {
            braces.pop();
            return Step::Skip(end + 1, State::Wrapper(braces));
        }
        let blank = blank(rest, self.wrapper.is_none());
        if blank > 0 {
            self.ended |= memchr(b'\n', rest.get(..blank).unwrap_or_default()).is_some();
            return Step::Skip(blank, State::Between);
        }
        match rest.first() {
            None => Step::Wait(0),
            // Where each record had its own line, this one has too.
            Some(b'{') if self.one_line && self.ended && self.wrapper.is_none() => self.json_line(rest, last),
            Some(b'{') => Step::Skip(0, State::Object(Braces::default())),
            Some(b'<') => self.markup(rest, last),
            Some(_) => self.text_line(rest, last),
        }
    }

    /// A line that begins with a brace, after others that were records. A brace alone begins an object of several lines; what else does not
    /// end with one is cut off.
    fn json_line(&mut self, rest: &[u8], last: bool) -> Step {
        let Some((line, taken)) = self.whole_line(rest, last) else { return self.wait(rest) };
        // Behind the last of an array stands its bracket.
        let end = line.iter().rposition(|byte| !is_blank(*byte) && *byte != b']').map_or(0, |end| end + 1);
        let object = line.get(..end).unwrap_or_default();
        match object.last() {
            Some(b'}') if object.len() <= MAX_RECORD => {
                Step::Found(Piece::Line, 0..object.len(), taken, State::Between)
            }
            Some(b'{') if object.len() == 1 => Step::Skip(0, State::Object(Braces::default())),
            _ => Step::Refuse(
                taken,
                if line.len() > MAX_RECORD { Refusal::TooLong } else { Refusal::CutShort },
                State::Between,
            ),
        }
    }

    fn object(&mut self, rest: &[u8], last: bool) -> Step {
        let State::Object(braces) = &mut self.state else { return Step::Skip(0, State::Between) };
        match braces.scan(rest) {
            Closed::Not if rest.len() > MAX_RECORD => Step::Refuse(rest.len(), Refusal::TooLong, State::Line),
            Closed::Not if last => {
                // What stands behind its first line may be whole.
                let taken = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                Step::Refuse(taken, Refusal::CutShort, State::Between)
            }
            Closed::Not => Step::Wait(0),
            Closed::At(end) if end > MAX_RECORD => Step::Refuse(end, Refusal::TooLong, State::Between),
            Closed::At(end) => {
                self.one_line = memchr(b'\n', rest.get(..end).unwrap_or_default()).is_none();
                self.ended = false;
                Step::Found(Piece::Object, 0..end, end, State::Between)
            }
            Closed::Wrapper(end) => {
                self.wrapper = Some(std::mem::take(braces));
                Step::Skip(end, State::Between)
            }
            Closed::CutAt(end) => Step::Refuse(end, Refusal::CutShort, State::Between),
            Closed::Broken(end) => Step::Refuse(end, Refusal::BrokenJson, State::Line),
            Closed::TooDeep(end) => Step::Refuse(end, Refusal::TooDeep, State::Line),
        }
    }

    fn event(&mut self, rest: &[u8], last: bool) -> Step {
        let from = self.seen.saturating_sub(END_TAG.len());
        let unseen = rest.get(from..).unwrap_or_default();
        let Some(end) = END.find(unseen) else {
            return match () {
                () if rest.len() > MAX_RECORD => {
                    Step::Refuse(rest.len() - END_TAG.len(), Refusal::TooLong, State::RefusedEvent)
                }
                () if last => {
                    let line = memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
                    Step::Refuse(again(rest).unwrap_or(line).min(line), Refusal::CutShort, State::Between)
                }
                () => {
                    self.seen = rest.len();
                    Step::Wait(0)
                }
            };
        };
        let end = from + end + END_TAG.len();
        let event = rest.get(..end).unwrap_or_default();
        match again(event) {
            Some(next) => Step::Refuse(next, Refusal::CutShort, State::Between),
            None if end > MAX_RECORD => Step::Refuse(end, Refusal::TooLong, State::Between),
            None => Step::Found(Piece::Event, 0..end, end, State::Between),
        }
    }

    fn refused_event(rest: &[u8]) -> Step {
        let end = END.find(rest).map(|end| end + END_TAG.len());
        let next = START.find_iter(rest).find(|at| is_event(rest, *at) == Some(true));
        match (end, next) {
            (Some(end), Some(next)) => Step::Skip(end.min(next), State::Between),
            (Some(end), None) => Step::Skip(end, State::Between),
            (None, Some(next)) => Step::Skip(next, State::Between),
            (None, None) => Step::Wait(rest.len().saturating_sub(END_TAG.len())),
        }
    }

    /// A row ends with the line that ends outside quotes.
    fn row(&mut self, rest: &[u8], last: bool) -> Step {
        let blank = blank(rest, false);
        if blank > 0 {
            return Step::Skip(blank, State::Table);
        }
        if rest.first() == Some(&b'{') || is_event(rest, 0) == Some(true) {
            return Step::Skip(0, State::Between);
        }
        while let Some(found) = memchr2(b'"', b'\n', rest.get(self.seen..).unwrap_or_default()) {
            let at = self.seen + found;
            self.seen = at + 1;
            if rest.get(at) == Some(&b'"') {
                self.quoted = !self.quoted;
            } else if !self.quoted {
                let row = rest.get(..at).unwrap_or_default().trim_ascii_end().len();
                return match row <= MAX_RECORD {
                    true => Step::Found(Piece::Row, 0..row, at + 1, State::Table),
                    false => Step::Refuse(at + 1, Refusal::TooLong, State::Table),
                };
            }
        }
        self.seen = rest.len();
        // Of a row with a quote too many, only the first line is given up: what follows may be rows again.
        let line = || memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        match last {
            _ if rest.len() > MAX_RECORD && self.quoted => {
                Step::Refuse(line(), Refusal::TooLong, State::Table)
            }
            _ if rest.len() > MAX_RECORD => Step::Refuse(rest.len(), Refusal::TooLong, State::Line),
            true if rest.is_empty() => Step::Wait(0),
            true if self.quoted => Step::Refuse(line(), Refusal::CutShort, State::Table),
            true => Step::Found(Piece::Row, 0..rest.trim_ascii_end().len(), rest.len(), State::Table),
            false => Step::Wait(0),
        }
    }

    /// What begins with `<`: an event, markup around events, or the priority of a syslog line.
    fn markup(&mut self, rest: &[u8], last: bool) -> Step {
        match is_event(rest, 0) {
            Some(true) => return Step::Skip(0, State::Event),
            None if !last => return Step::Wait(0),
            _ => {}
        }
        // A tag ends on its line; a declaration or a comment may go on.
        let long = match rest.get(1) {
            Some(b'?' | b'!') => true,
            Some(byte) if *byte == b'/' || byte.is_ascii_alphabetic() => false,
            None if !last => return Step::Wait(0),
            _ => return self.text_line(rest, last),
        };
        let end = if long { memchr(b'>', rest) } else { memchr2(b'>', b'\n', rest) };
        match end {
            Some(end) if end < MAX_MARKUP && rest.get(end) == Some(&b'>') => {
                Step::Skip(end + 1, State::Between)
            }
            None if rest.len() < MAX_MARKUP && !last => Step::Wait(0),
            _ => self.text_line(rest, last),
        }
    }

    /// A line of other text: with a record behind its head, or the header of a table.
    fn text_line(&mut self, rest: &[u8], last: bool) -> Step {
        let line = self.whole_line(rest, last);
        let text = line.map_or(rest, |(line, _)| line);
        let from = self.seen.saturating_sub(START_TAG.len() + 1);
        let unseen = text.get(from..).unwrap_or_default();
        let event = START.find_iter(unseen).find(|at| is_event(unseen, *at) == Some(true));
        let event = event.map(|at| from + at);
        let json = memmem::find(text.get(..MAX_HEADER).unwrap_or(text), b"{\"");
        match (event, json, line) {
            (Some(event), json, _) if json.is_none_or(|json| event < json) => Step::Skip(event, State::Event),
            (_, Some(json), Some((line, taken))) if line.len() <= MAX_RECORD => {
                Step::Found(Piece::Line, json..line.trim_ascii_end().len(), taken, State::Between)
            }
            (_, None, Some((line, taken))) if line.len() <= MAX_RECORD => {
                self.wrapper = None;
                Step::Found(Piece::Header, 0..line.trim_ascii_end().len(), taken, State::Between)
            }
            (_, _, Some((_, taken))) => Step::Refuse(taken, Refusal::TooLong, State::Between),
            (_, _, None) => self.wait(rest),
        }
    }

    /// The first line without its end, and its length with it.
    fn whole_line<'r>(&self, rest: &'r [u8], last: bool) -> Option<(&'r [u8], usize)> {
        let unseen = rest.get(self.seen..).unwrap_or_default();
        match memchr(b'\n', unseen) {
            Some(end) => Some((rest.get(..self.seen + end)?, self.seen + end + 1)),
            None if last => Some((rest, rest.len())),
            None => None,
        }
    }

    /// Waits for the end of a line, while it is not too long.
    fn wait(&mut self, rest: &[u8]) -> Step {
        if rest.len() > MAX_RECORD {
            return Step::Refuse(rest.len(), Refusal::TooLong, State::Line);
        }
        self.seen = rest.len();
        Step::Wait(0)
    }
}

enum Step {
    /// Pass so many bytes.
    Skip(usize, State),
    /// Pass so many bytes, and wait for more.
    Wait(usize),
    Refuse(usize, Refusal, State),
    /// A piece, and the bytes to pass with it.
    Found(fn(Range<usize>) -> Piece, Range<usize>, usize, State),
}

static START: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(START_TAG));
static END: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(END_TAG));

const START_TAG: &[u8] = b"<Event";
const END_TAG: &[u8] = b"</Event>";

/// Whether an event begins here; not known while its tag may go on.
fn is_event(text: &[u8], at: usize) -> Option<bool> {
    let text = text.get(at..).unwrap_or_default();
    let begins = text.iter().zip(START_TAG).all(|(byte, expected)| byte == expected);
    match text.get(START_TAG.len()) {
        _ if !begins => Some(false),
        None => None,
        Some(byte) => Some(*byte == b'>' || byte.is_ascii_whitespace()),
    }
}

/// Where another event begins within one.
fn again(event: &[u8]) -> Option<usize> {
    START.find_iter(event).find(|at| *at > 0 && is_event(event, *at) == Some(true))
}

/// What may stand between records and means nothing: white space, NUL, the mark of an encoding.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b'\0' | b',' | 0xef | 0xbb | 0xbf)
}

/// How much of it there is; around arrays also their brackets.
fn blank(rest: &[u8], brackets: bool) -> usize {
    rest.iter()
        .position(|byte| !(is_blank(*byte) || brackets && matches!(byte, b'[' | b']')))
        .unwrap_or(rest.len())
}
