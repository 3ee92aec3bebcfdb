//! The value that every stage shares: a hostname in one canonical spelling.
//!
//! A [`NameBuf`] builds the spelling in place and is used again for the next name, so that a name which meets no
//! list costs no allocation; a [`Hostname`] is the owned, checked value. Both hold the same text: ASCII letters in lower
//! case, no trailing dot, labels divided by dots, never empty (the DNS root alone is `.`).
//!
//! Names on the wire are bytes. A byte that would change the meaning of the text or of a terminal (a dot or a
//! backslash inside a label, a control byte, a byte that is not part of valid UTF-8) is written `\DDD`, three
//! decimal digits, as in RFC 1035 section 5.1. So `evil\046com` is one label, and cannot pass for `evil.com`.

use std::fmt;

/// The most octets a name may have on the wire: RFC 1035 section 2.3.4 (255 with the root's length octet and the
/// first label's), as text 253.
pub const MAX_WIRE_TEXT: usize = 253;

/// A hostname in canonical spelling; whoever holds one holds a valid one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hostname(Box<str>);

impl Hostname {
    /// Reads a dotted name, as a server name indication, an HTTP Host or a line of a list has it.
    ///
    /// # Errors
    /// When the name is empty, longer than [`MAX_WIRE_TEXT`] or has an empty label.
    pub fn new(dotted: impl AsRef<[u8]>) -> Result<Self, InvalidHostname> {
        let mut buffer = NameBuf::new();
        buffer.set_dotted(dotted.as_ref())?;
        Ok(buffer.to_hostname())
    }

    /// The canonical text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// From the text of a [`NameBuf`], which is canonical already.
    pub(crate) fn from_canonical(text: &str) -> Self {
        Self(if text.is_empty() { ".".into() } else { text.into() })
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::ops::Deref for Hostname {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl serde::Serialize for Hostname {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Builds the canonical spelling of one name after another in the same memory.
///
/// Between names the buffer is empty; [`as_str`](NameBuf::as_str) is the last name that was accepted.
#[derive(Debug, Default)]
pub struct NameBuf {
    text: String,
    /// Octets of the name as the wire counts them, without escapes: one a byte and one a dot.
    wire: usize,
}

impl NameBuf {
    /// An empty buffer.
    pub const fn new() -> Self {
        Self { text: String::new(), wire: 0 }
    }

    /// Forgets the name, keeps the memory.
    #[inline]
    pub fn clear(&mut self) {
        self.text.clear();
        self.wire = 0;
    }

    /// Appends a label as DNS carries it: any bytes but none.
    ///
    /// # Errors
    /// When the label is empty or the name grows beyond [`MAX_WIRE_TEXT`]; the buffer is then empty.
    #[inline]
    pub fn push_label(&mut self, label: &[u8]) -> Result<(), InvalidHostname> {
        if label.is_empty() {
            self.clear();
            return Err(InvalidHostname::EmptyLabel);
        }
        self.wire += label.len() + usize::from(!self.text.is_empty());
        if self.wire > MAX_WIRE_TEXT {
            self.clear();
            return Err(InvalidHostname::TooLong);
        }
        if !self.text.is_empty() {
            self.text.push('.');
        }
        match std::str::from_utf8(label) {
            Ok(text) if label.iter().all(|byte| is_plain(*byte)) => {
                let start = self.text.len();
                self.text.push_str(text);
                if let Some(added) = self.text.get_mut(start..) {
                    added.make_ascii_lowercase();
                }
            }
            _ => push_escaped(&mut self.text, label),
        }
        Ok(())
    }

    /// Makes the buffer hold the DNS root, `.`.
    pub fn set_root(&mut self) {
        self.clear();
        self.text.push('.');
    }

    /// Replaces the name by a dotted one; one trailing dot is left out.
    ///
    /// # Errors
    /// When the name is empty, longer than [`MAX_WIRE_TEXT`] or has an empty label; the buffer is then empty.
    #[inline]
    pub fn set_dotted(&mut self, dotted: &[u8]) -> Result<(), InvalidHostname> {
        self.clear();
        let dotted = dotted.strip_suffix(b".").unwrap_or(dotted);
        if dotted.is_empty() {
            return Err(InvalidHostname::Empty);
        }
        if is_ordinary(dotted)
            && let Ok(text) = std::str::from_utf8(dotted)
        {
            self.set_canonical(text);
            self.text.make_ascii_lowercase();
            return Ok(());
        }
        for label in dotted.split(|byte| *byte == b'.') {
            self.push_label(label)?;
        }
        Ok(())
    }

    /// Makes the buffer hold a name that is canonical but for its letters' case.
    #[inline]
    pub(crate) fn set_canonical(&mut self, text: &str) {
        self.clear();
        self.text.push_str(text);
        self.wire = text.len();
    }

    /// The name, or nothing when the buffer is empty.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name as an owned value. An empty buffer gives the root.
    pub fn to_hostname(&self) -> Hostname {
        Hostname::from_canonical(&self.text)
    }
}

/// Whether a byte can stand in a label as it is; bytes outside ASCII want a closer look.
#[inline]
pub(crate) const fn is_plain(byte: u8) -> bool {
    byte > 0x1f && byte < 0x7f && byte != b'.' && byte != b'\\'
}

/// Whether a dotted name has nothing but labels of plain bytes, and is not too long: as good as all have.
#[inline]
fn is_ordinary(dotted: &[u8]) -> bool {
    let mut before = b'.';
    let mut ordinary = dotted.len() <= MAX_WIRE_TEXT;
    for byte in dotted {
        ordinary &= is_plain(*byte) || (*byte == b'.' && before != b'.');
        before = *byte;
    }
    ordinary && before != b'.'
}

#[cold]
fn push_escaped(text: &mut String, label: &[u8]) {
    for chunk in label.utf8_chunks() {
        for character in chunk.valid().chars() {
            match u8::try_from(character) {
                Ok(byte) if byte.is_ascii() && !is_plain(byte) => push_decimal(text, byte),
                _ if character.is_control() => {
                    let mut utf8 = [0; 4];
                    character.encode_utf8(&mut utf8).bytes().for_each(|byte| push_decimal(text, byte));
                }
                _ => text.push(character.to_ascii_lowercase()),
            }
        }
        chunk.invalid().iter().for_each(|byte| push_decimal(text, *byte));
    }
}

fn push_decimal(text: &mut String, byte: u8) {
    text.push('\\');
    for digit in [byte / 100, byte / 10 % 10, byte % 10] {
        text.push(char::from(b'0' + digit));
    }
}

/// Whether a name as it stands in a message is in truth an address, of either version, perhaps in brackets or with a zone (RFC 6874).
pub fn is_address(name: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
    if !name.iter().all(is_plain) && !name.contains(&b':') {
        return false;
    }
    let text = std::str::from_utf8(name).unwrap_or_default();
    let text = text.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    text.split('%').next().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok())
}

/// Why bytes are no hostname.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InvalidHostname {
    /// There is nothing in it.
    Empty,
    /// Two dots follow each other, or the name begins with one.
    EmptyLabel,
    /// It has more than [`MAX_WIRE_TEXT`] octets.
    TooLong,
}

impl fmt::Display for InvalidHostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("is empty"),
            Self::EmptyLabel => f.write_str("has an empty label (two dots together, or a dot in front)"),
            Self::TooLong => write!(f, "is longer than {MAX_WIRE_TEXT} octets"),
        }
    }
}

impl std::error::Error for InvalidHostname {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dotted: &[u8], expected: Result<&str, InvalidHostname>) {
        assert_eq!(Hostname::new(dotted).as_deref().map_err(|error| *error), expected, "{dotted:?}");
    }

    #[test]
    fn one_spelling() {
        check(b"PASTEBIN.COM.", Ok("pastebin.com"));
        check(b"_dmarc.Example.ORG", Ok("_dmarc.example.org"));
        check("Bücher.example".as_bytes(), Ok("bücher.example"));
        check(b"a b.local", Ok("a b.local"));
        check(b"", Err(InvalidHostname::Empty));
        check(b".", Err(InvalidHostname::Empty));
        check(b"..", Err(InvalidHostname::EmptyLabel));
        check(b".a", Err(InvalidHostname::EmptyLabel));
        check(&[b'a'; 253], Ok(&"a".repeat(253)));
        check(&[b'a'; 254], Err(InvalidHostname::TooLong));
    }

    #[test]
    fn addresses_are_no_hostnames() {
        for address in ["10.0.0.1", "10.0.0.1.", "::1", "fe80::1%eth0", "[2001:db8::1]"] {
            assert!(is_address(address.as_bytes()), "{address}");
        }
        for name in ["10.0.0.1.example", "1.2.3", "a", "", "300.1.1.1", "1.0.0.127.in-addr.arpa", "a:1"] {
            assert!(!is_address(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn hostile_bytes_are_escaped() {
        check(b"a\x1b[31m.example", Ok("a\\027[31m.example"));
        check(b"a\0b", Ok("a\\000b"));
        check(b"\xff\xfe.x", Ok("\\255\\254.x"));
        check(b"a\\b", Ok("a\\092b"));
        // U+009B is the one-character form of ESC [ on some terminals.
        check("a\u{9b}b".as_bytes(), Ok("a\\194\\155b"));
        let mut name = NameBuf::new();
        name.push_label(b"evil.com").unwrap();
        name.push_label(b"example").unwrap();
        assert_eq!(name.as_str(), "evil\\046com.example");
    }

    #[test]
    fn the_length_is_counted_on_the_wire() {
        let mut name = NameBuf::new();
        for _ in 0..4 {
            name.push_label(&[0xff; 62]).unwrap();
        }
        assert_eq!(name.push_label(b"ab"), Err(InvalidHostname::TooLong));
        assert_eq!(name.as_str(), "");
    }
}
