//! What a ClientHello looks like: a browser's, or another program's.
//!
//! Known clients are in `wire.toml`, by their JA4. For those that were never seen there is a rule by structure: Chromium sends application settings
//! and Firefox offers delegated credentials, which nobody else does; browsers of the Chromium family and Safari send GREASE (RFC 8701), Firefox
//! offers an encrypted ClientHello, and all have many extensions; libraries offer long lists of ciphers, or few extensions. What
//! fits neither is unknown.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use crate::inspect::Detail;
use crate::inspect::tls::HelloFacts;

/// What kind of client a hello looks like. Never the name of a process.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum WireClass {
    /// As browsers write it.
    BrowserLike,
    /// As libraries and tools write it.
    ToolLike,
    /// There is no hello, or it may be either.
    #[default]
    Unknown,
}

impl WireClass {
    /// The word in records and rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BrowserLike => "browser-like",
            Self::ToolLike => "tool-like",
            Self::Unknown => "unknown",
        }
    }
}

/// Hellos that are known.
#[derive(Debug, Default)]
pub struct WireClients {
    by_ja4: FxHashMap<Box<str>, WireClass>,
}

impl WireClients {
    /// The built-in ones.
    pub fn builtin() -> &'static Self {
        // A test holds that the data is well-formed.
        static BUILTIN: LazyLock<WireClients> =
            LazyLock::new(|| WireClients::read(include_str!("wire.toml"), None).unwrap_or_default());
        &BUILTIN
    }

    /// Reads the data file, but for one client, if that is wanted.
    ///
    /// # Errors
    /// When it is no TOML of this form; the message says where.
    pub fn read(text: &str, without: Option<&str>) -> Result<Self, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        let clients = file.client.into_iter().filter(|client| Some(client.name.as_str()) != without);
        let known = clients
            .flat_map(|client| client.ja4.into_iter().map(move |ja4| (ja4.into_boxed_str(), client.class)));
        Ok(Self { by_ja4: known.collect() })
    }

    /// What a message looks like; unknown where it is no hello.
    pub fn class(&self, detail: &Detail) -> WireClass {
        match detail {
            Detail::Hello(hello) => hello.facts().map_or(WireClass::Unknown, |facts| self.class_of(facts)),
            _ => WireClass::Unknown,
        }
    }

    /// What a hello looks like.
    pub fn class_of(&self, facts: &HelloFacts) -> WireClass {
        let Some(ja4) = facts.ja4.filter(|_| facts.whole) else { return WireClass::Unknown };
        let text = ja4.as_str();
        self.by_ja4.get(text).copied().unwrap_or_else(|| structure(text, facts))
    }
}

/// Extensions that a browser's hello has at the least, over TCP and over QUIC.
const BROWSERS_EXTENSIONS: (u32, u32) = (13, 12);

/// Extensions that a library's hello has at the most, over TCP and over QUIC.
const LIBRARYS_EXTENSIONS: (u32, u32) = (12, 9);

/// Ciphers that no browser offers so many of.
const LIBRARYS_CIPHERS: u32 = 28;

/// By structure alone. JA4 begins with the counts of ciphers and extensions, two digits each, without GREASE.
fn structure(ja4: &str, facts: &HelloFacts) -> WireClass {
    let count = |at: std::ops::Range<usize>| ja4.get(at).and_then(|digits| digits.parse::<u32>().ok());
    let (Some(ciphers), Some(extensions)) = (count(4..6), count(6..8)) else { return WireClass::Unknown };
    let ((browsers, _), (librarys, _)) = (BROWSERS_EXTENSIONS, LIBRARYS_EXTENSIONS);
    match ja4.get(..1) {
        Some("t") if facts.browsers_extension => WireClass::BrowserLike,
        // Chromium that encrypts its hello has twelve and more; a library in its guise had fewer.
        Some("q")
            if facts.browsers_extension && (facts.ech.is_none() || extensions >= BROWSERS_EXTENSIONS.1) =>
        {
            WireClass::BrowserLike
        }
        Some("t") if facts.grease && extensions >= browsers => WireClass::BrowserLike,
        Some("t") if facts.ech.is_some() && extensions >= browsers && !facts.alpn.is_empty() => {
            WireClass::BrowserLike
        }
        Some("t") if facts.grease || facts.ech.is_some() => WireClass::Unknown,
        Some("t") if ciphers >= LIBRARYS_CIPHERS || extensions <= librarys => WireClass::ToolLike,
        Some("q") if facts.ech.is_some() && extensions >= BROWSERS_EXTENSIONS.1 => WireClass::BrowserLike,
        Some("q") if !facts.grease && facts.ech.is_none() && extensions <= LIBRARYS_EXTENSIONS.1 => {
            WireClass::ToolLike
        }
        _ => WireClass::Unknown,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    client: Vec<Client>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    name: String,
    class: WireClass,
    ja4: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_is_in_order() {
        let file: File = toml::from_str(include_str!("wire.toml")).unwrap();
        let mut seen = std::collections::HashSet::new();
        for client in &file.client {
            assert!(!client.name.is_empty() && client.class != WireClass::Unknown);
            for ja4 in &client.ja4 {
                assert!(ja4.len() == 36 && seen.insert(ja4.clone()), "{ja4}");
            }
        }
        assert_eq!(WireClients::builtin().by_ja4.len(), seen.len());
    }
}
