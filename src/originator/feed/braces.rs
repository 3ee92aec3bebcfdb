//! The braces of a JSON text: where an object ends, though it comes in pieces, is cut off, or is nested without end.

use memchr::memchr3;

/// How deeply a record may be nested. Those of the feeds are nested ten deep at most.
pub const MAX_DEPTH: usize = 64;

/// The arrays of records in what APIs and streams answer with, as keys of the outermost object.
const RECORDS: [&[u8]; 3] = [b"records", b"Results", b"results"];

/// The longest key that is remembered: longer than those that matter.
const MAX_KEY: usize = 16;

/// Counts braces. It is given the text from the object's first byte on, again and longer each time, and goes on where it stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Braces {
    at: usize,
    depth: usize,
    /// Which levels are arrays: a bit a level.
    arrays: u128,
    in_text: bool,
    escaped: bool,
    /// The last byte outside texts that was no white space; a quote stands for a whole text.
    before: u8,
    /// The last text, if it was short.
    key: ([u8; MAX_KEY], usize),
    /// Whether the array that began last may hold records.
    wrapper: bool,
    /// Whether the outermost object is within its `hits`.
    hits: bool,
}

/// Where an object ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Closed {
    /// Not in this text.
    Not,
    /// After so many bytes.
    At(usize),
    /// It wraps records, the first of which begins there.
    Wrapper(usize),
    /// It is cut off: there another begins, or another line.
    CutAt(usize),
    /// It is no JSON from there on.
    Broken(usize),
    /// There it is nested more deeply than is allowed.
    TooDeep(usize),
}

impl Braces {
    /// Looks for the end of the object.
    pub(super) fn scan(&mut self, text: &[u8]) -> Closed {
        while let Some(&byte) = text.get(self.at) {
            if self.in_text {
                if let Some(cut) = self.text(text) {
                    return Closed::CutAt(cut);
                }
                continue;
            }
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {
                    self.at += 1;
                    continue;
                }
                b'"' => {
                    self.in_text = true;
                    self.key.1 = 0;
                    self.at += 1;
                    continue;
                }
                b'{' | b'[' => {
                    if byte == b'{' && self.wrapper && self.before == b'[' {
                        self.wrapper = false;
                        return Closed::Wrapper(self.at);
                    }
                    // In an object a value stands behind a colon: what does not is the next record, this one being cut off.
                    if self.depth > 0 && !self.in_array() && self.before != b':' {
                        return Closed::CutAt(self.at);
                    }
                    if self.depth == MAX_DEPTH {
                        return Closed::TooDeep(self.at);
                    }
                    self.wrapper = byte == b'[' && self.is_wrapper();
                    if self.depth == 1 {
                        self.hits = byte == b'{' && self.key() == b"hits";
                    }
                    self.depth += 1;
                    let bit = 1 << self.depth;
                    self.arrays = if byte == b'[' { self.arrays | bit } else { self.arrays & !bit };
                }
                b'}' | b']' => {
                    if (byte == b']') != self.in_array() {
                        return Closed::Broken(self.at);
                    }
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Closed::At(self.at + 1);
                    }
                }
                _ => {}
            }
            self.before = byte;
            self.at += 1;
        }
        Closed::Not
    }

    /// Passes what is left of a wrapper behind its records: how many bytes, and whether its end is among them. Unlike
    /// [`scan`](Self::scan) it is given each byte once.
    pub(super) fn tail(&mut self, text: &[u8]) -> (usize, bool) {
        self.at = 0;
        // Other arrays of records in it are passed too.
        loop {
            self.wrapper = false;
            match self.scan(text) {
                Closed::Not => return (text.len(), false),
                Closed::At(end) => return (end, true),
                Closed::Wrapper(_) => {}
                Closed::CutAt(end) | Closed::Broken(end) | Closed::TooDeep(end) => return (end, true),
            }
        }
    }

    /// Leaves an array whose end was found by someone else.
    pub(super) const fn pop(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        self.before = b']';
    }

    const fn in_array(&self) -> bool {
        self.arrays >> self.depth & 1 == 1
    }

    fn key(&self) -> &[u8] {
        self.key.0.get(..self.key.1).unwrap_or_default()
    }

    fn is_wrapper(&self) -> bool {
        self.before == b':'
            && match self.depth {
                1 => RECORDS.contains(&self.key()),
                2 => self.hits && self.key() == b"hits",
                _ => false,
            }
    }

    /// Goes on within a text; where it is cut off by the end of its line, that is told.
    fn text(&mut self, text: &[u8]) -> Option<usize> {
        let rest = text.get(self.at..).unwrap_or_default();
        if self.escaped {
            self.escaped = false;
            self.at += 1;
            return None;
        }
        let length = memchr3(b'"', b'\\', b'\n', rest).unwrap_or(rest.len());
        for byte in rest.get(..length.min(MAX_KEY)).unwrap_or_default() {
            if let Some(slot) = self.key.0.get_mut(self.key.1) {
                *slot = *byte;
                self.key.1 += 1;
            }
        }
        self.at += length;
        match rest.get(length) {
            None => None,
            Some(b'\n') => Some(self.at + 1),
            Some(b'\\') => {
                self.escaped = true;
                self.at += 1;
                None
            }
            Some(_) => {
                self.in_text = false;
                self.before = b'"';
                self.at += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Closed) {
        assert_eq!(Braces::default().scan(text.as_bytes()), expected, "{text}");
        let mut braces = Braces::default();
        let mut found = Closed::Not;
        for end in 0..=text.len() {
            found = braces.scan(&text.as_bytes()[..end]);
            if found != Closed::Not {
                break;
            }
        }
        assert_eq!(found, expected, "byte by byte: {text}");
    }

    #[test]
    fn an_object_ends_with_its_brace() {
        check("{}", Closed::At(2));
        check(r#"{"a":[{},"}"],"b\"}":{"c":1}} {"#, Closed::At(29));
        check("{\n  \"a\" : {\n  }\n}\n", Closed::At(17));
        check(r#"{"a":1"#, Closed::Not);
        check(r#"{"a":"\\"}"#, Closed::At(10));
    }

    #[test]
    fn a_record_that_is_cut_off_does_not_take_the_next_with_it() {
        check("{\"a\":\"b\n{\"c\":1}", Closed::CutAt(8));
        check("{\"a\":1,\n{\"c\":1}", Closed::CutAt(8));
        check("{\"a\":1\n{\"c\":1}", Closed::CutAt(7));
        check("{\"a\":]", Closed::Broken(5));
    }

    #[test]
    fn depth_has_an_end() {
        check(&format!("{{\"a\":{}", "[".repeat(10_000)), Closed::TooDeep(5 + MAX_DEPTH - 1));
    }

    #[test]
    fn wrappers_are_entered() {
        check(r#"{"records":[{"a":1}]}"#, Closed::Wrapper(12));
        check(r#"{"took":1,"hits":{"total":{"value":1},"hits":[ {"_source":{}}]}}"#, Closed::Wrapper(47));
        check(r#"{"a":{"records":[{}]}}"#, Closed::At(22));
        check(r#"{"records":["a",{}]}"#, Closed::At(20));
        let mut braces = Braces::default();
        let text = br#"{"Stats":{},"Results":[{"a":1}],"More":[{"x":"]}"}]} "#;
        assert_eq!(braces.scan(text), Closed::Wrapper(23));
        braces.pop();
        assert_eq!(braces.tail(&text[31..]), (text.len() - 1 - 31, true));
    }
}
