//! JA4: the fingerprint of a TLS client (FoxIO's specification "JA4: TLS Client Fingerprinting", BSD licence).
//!
//! Only the client's fingerprint: the others of that family are not free to use.

use std::fmt;

use ring::digest::SHA256;

use super::facts::{is_grease, u16_list, versions};
use super::hello::{ClientHello, ExtensionType, is_dtls};
use crate::reader::Reader;

/// What carried a ClientHello.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Over {
    /// TLS over TCP.
    Tcp,
    /// QUIC.
    Quic,
    /// DTLS.
    Dtls,
}

/// A JA4 fingerprint: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Ja4([u8; LENGTH]);

/// Ten characters, twelve and twelve, with two underscores.
const LENGTH: usize = 36;

impl Ja4 {
    /// The fingerprint of a hello that is there as a whole.
    pub(super) fn new(hello: &ClientHello<'_>, over: Over) -> Self {
        let mut ciphers: Vec<u16> = hello.fields.ciphers.iter().map(|cipher| cipher.0).filter(real).collect();
        let mut extensions: Vec<u16> = hello.extensions().map(|one| one.kind.0).filter(real).collect();
        let signatures = u16_list(hello.extension(ExtensionType::SIGNATURE_ALGORITHMS), Reader::u16);
        let named = hello.extension(ExtensionType::SERVER_NAME).is_some();
        let [first, last] = alpn_characters(hello.alpn().next());
        let start = format!(
            "{}{}{}{:02}{:02}{first}{last}_",
            match over {
                Over::Tcp => 't',
                Over::Quic => 'q',
                Over::Dtls => 'd',
            },
            version(hello),
            if named { 'd' } else { 'i' },
            ciphers.len().min(99),
            extensions.len().min(99),
        );
        ciphers.sort_unstable();
        extensions.retain(|kind| ![ExtensionType::SERVER_NAME.0, ExtensionType::ALPN.0].contains(kind));
        extensions.sort_unstable();
        let parts = [
            start.as_bytes(),
            &hash(&ciphers, []),
            b"_",
            &hash(&extensions, signatures.into_iter().filter(real)),
        ];
        let mut text = [b'0'; LENGTH];
        text.iter_mut().zip(parts.concat()).for_each(|(place, byte)| *place = byte);
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Every byte is an ASCII letter, digit or underscore.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Ja4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// No GREASE value: these are left out everywhere.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "a filter's argument")]
const fn real(value: &u16) -> bool {
    !is_grease(*value)
}

/// The newest version offered, in two characters. Those of DTLS count downwards.
fn version(hello: &ClientHello<'_>) -> &'static str {
    let age = |version: &u16| if is_dtls(*version) { !*version } else { *version };
    let offered = versions(hello).into_iter().filter(real).max_by_key(age);
    match offered.unwrap_or(hello.fields.version.0) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// The first and the last character of the first protocol; of its hexadecimal digits where they are no letters or digits.
fn alpn_characters(protocol: Option<&[u8]>) -> [char; 2] {
    let Some((first, last)) = protocol.and_then(|value| Some((*value.first()?, *value.last()?))) else {
        return ['0', '0'];
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first, last].map(char::from);
    }
    [first >> 4, last & 0xf].map(|digit| char::from_digit(u32::from(digit), 16).unwrap_or('0'))
}

/// The first twelve digits of the SHA-256 of a list, and of a second one behind an underscore; zeros where the first is empty.
fn hash(list: &[u16], behind: impl IntoIterator<Item = u16>) -> [u8; 12] {
    let mut digits = [b'0'; 12];
    if list.is_empty() {
        return digits;
    }
    // One text and one digest: a digest for each number was a quarter of the time of a replay full of hellos.
    let mut text = Vec::with_capacity(5 * list.len() + 128);
    let mut add = |separator: Option<u8>, value: u16| {
        text.extend(separator);
        text.extend([12, 8, 4, 0].map(|shift| digit((value >> shift & 0xf) as u8)));
    };
    list.iter().enumerate().for_each(|(at, value)| add((at > 0).then_some(b','), *value));
    behind
        .into_iter()
        .enumerate()
        .for_each(|(at, value)| add(Some(if at == 0 { b'_' } else { b',' }), value));
    let hashed = ring::digest::digest(&SHA256, &text);
    let nibbles = hashed.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    for (place, nibble) in digits.iter_mut().zip(nibbles) {
        *place = digit(nibble);
    }
    digits
}

/// A hexadecimal digit in lower case.
const fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}
