//! The values of telemetry, as feeds write them: placeholders, numbers, addresses, GUIDs, hashes.

use std::borrow::Cow;
use std::net::IpAddr;

use memchr::{memchr, memchr2};

use crate::capture::Timestamp;
use crate::flow::Protocol;
use crate::originator::record::{Clock, Parent, Process, Text, Time};

/// What a process is called whose file Sysmon could not learn any more, as it is and as some exports escape it.
const UNKNOWN_PROCESS: [&str; 2] = ["<unknown process>", "&lt;unknown process&gt;"];

/// The most bytes of a number's text that are looked at: 64 bits in hexadecimal with `0x`, or in decimal.
const MAX_NUMBER: usize = 20;

/// A text, unless it is a placeholder for none.
pub(super) fn told(text: &str) -> Option<&str> {
    let text = text.trim_matches(|character: char| character.is_ascii_whitespace() || character == '\0');
    match text {
        "" | "-" | "N/A" | "n/a" | "null" | "(null)" | "NOT_TRANSLATED" | "%9" => None,
        _ => Some(text),
    }
}

/// Likewise of a text that may be owned.
pub(super) fn text(text: Text<'_>) -> Option<Text<'_>> {
    match text {
        Cow::Borrowed(text) => told(text).map(Cow::Borrowed),
        Cow::Owned(owned) => match told(&owned) {
            Some(kept) if kept.len() == owned.len() => Some(Cow::Owned(owned)),
            kept => kept.map(|kept| Cow::Owned(kept.to_owned())),
        },
    }
}

/// In lower case; borrowed where it is already.
pub(super) fn lower(text: Text<'_>) -> Text<'_> {
    match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(text.to_ascii_lowercase()),
        false => text,
    }
}

/// A number in decimal, or in hexadecimal behind `0x`, as the Security log writes process ids.
pub(super) fn number(text: &str) -> Option<u64> {
    let text = text.trim_ascii();
    if text.len() > MAX_NUMBER {
        return None;
    }
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// An address: without brackets and zone, a mapped IPv4 address as IPv4.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_ascii();
    let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let text = memchr(b'%', text.as_bytes()).and_then(|zone| text.get(..zone)).unwrap_or(text);
    text.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

/// Whether an address tells one host from others: not that of a loop, and none that is valid on one link alone.
pub(super) fn is_own(address: &IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !(address.is_loopback() || address.is_unspecified() || address.is_multicast() || link_local)
}

/// A GUID in lower case and without braces, and none where it is all zeros.
pub(super) fn guid(text: Text<'_>) -> Option<Text<'_>> {
    let text = match text {
        Cow::Borrowed(text) => Cow::Borrowed(bare(text)),
        Cow::Owned(text) => Cow::Owned(bare(&text).to_owned()),
    };
    (!text.is_empty() && text.bytes().any(|byte| !matches!(byte, b'0' | b'-'))).then(|| lower(text))
}

fn bare(guid: &str) -> &str {
    guid.trim_matches(|character: char| matches!(character, '{' | '}') || character.is_ascii_whitespace())
}

/// The second in which a process began, which Sysmon writes into its GUID: the third and the second group, of a GUID as [`guid`] gives it.
pub(super) fn started(guid: &str) -> Option<Time> {
    let (low, high) = (guid.get(8..14)?, guid.get(13..19)?);
    let group = |text: &str| u16::from_str_radix(text.strip_prefix('-')?.strip_suffix('-')?, 16).ok();
    let seconds = i64::from(group(high)?) << 16 | i64::from(group(low)?);
    Some(Time { at: Timestamp::from_parts(seconds, 0), clock: Clock::Event })
}

/// The path of a process's file, or its name alone where there is no path, and neither where it is not known.
pub(super) fn image<'a>(text: Option<Text<'a>>) -> (Option<Text<'a>>, Option<Text<'a>>) {
    match text.and_then(self::text) {
        Some(text) if UNKNOWN_PROCESS.contains(&&*text) => (None, None),
        Some(text) if memchr2(b'/', b'\\', text.as_bytes()).is_some() => (Some(text), None),
        name => (None, name),
    }
}

/// A user of a domain.
pub(super) fn user<'a>(domain: Option<Text<'a>>, name: Option<Text<'a>>) -> Option<Text<'a>> {
    match (domain, name?) {
        (Some(domain), name) => Some(Cow::Owned(format!("{domain}\\{name}"))),
        (None, name) => Some(name),
    }
}

/// Takes the hashes that matter from `SHA1=…,MD5=…,SHA256=…,IMPHASH=…`.
pub(super) fn hashes(text: &str, process: &mut Process<'_>) {
    for hash in text.split(',') {
        let Some((algorithm, digest)) = hash.split_once('=') else { continue };
        match algorithm.trim_ascii() {
            "SHA256" => process.sha256 = hash_of::<64>(digest),
            "SHA1" => process.sha1 = hash_of::<40>(digest),
            "MD5" => process.md5 = hash_of::<32>(digest),
            _ => {}
        }
    }
}

/// A digest of `N` hexadecimal digits in lower case.
pub(super) fn hash_of<'a, const N: usize>(digest: &str) -> Option<Text<'a>> {
    let digest = digest.trim_ascii();
    (digest.len() == N && digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .then(|| Cow::Owned(digest.to_ascii_lowercase()))
}

/// A protocol by its name, or by its number.
pub(super) fn protocol(text: &str) -> Option<Protocol> {
    let text = text.trim_ascii();
    let begins = |name: &str| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let named = |name: &str, protocol| begins(name).then_some(protocol);
    // `Tcp`, `TCPV4`, `TcpV6`, `IPPROTO_TCP`.
    named("tcp", Protocol::TCP)
        .or_else(|| named("udp", Protocol::UDP))
        .or_else(|| named("IPPROTO_TCP", Protocol::TCP))
        .or_else(|| named("IPPROTO_UDP", Protocol::UDP))
        .or_else(|| text.parse().ok().map(Protocol))
}

/// Whether a parent says anything.
pub(super) fn parent<'a>(parent: Parent<'a>) -> Option<Parent<'a>> {
    (parent != Parent::default()).then_some(parent)
}

/// A pod by its namespace, if that is told, and its name.
pub(super) fn pod<'d>(namespace: Option<Text<'d>>, name: Option<Text<'d>>) -> Option<Text<'d>> {
    let name = name?;
    Some(match namespace {
        Some(namespace) => Cow::Owned(format!("{namespace}/{name}")),
        None => name,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_nothing() {
        for nothing in ["", "-", " ", "N/A", "null", "NOT_TRANSLATED", "\0"] {
            assert_eq!(told(nothing), None, "{nothing:?}");
        }
        assert_eq!(told(" a b "), Some("a b"));
        assert_eq!(text(Cow::Owned("a ".to_owned())).as_deref(), Some("a"));
        assert_eq!(image(Some("<unknown process>".into())), (None, None));
        assert_eq!(image(Some("&lt;unknown process&gt;".into())), (None, None));
        assert_eq!(image(Some("java".into())), (None, Some("java".into())));
        assert_eq!(image(Some("/bin/sh".into())), (Some("/bin/sh".into()), None));
    }

    #[test]
    fn numbers_are_decimal_or_hexadecimal() {
        assert_eq!(number("0xd8c"), Some(3468));
        assert_eq!(number("3468"), Some(3468));
        assert_eq!(number(&"1".repeat(1000)), None);
        assert_eq!(number("0x"), None);
    }

    #[test]
    fn addresses_come_in_many_spellings() {
        let check = |text: &str, expected: &str| assert_eq!(address(text), expected.parse().ok(), "{text}");
        check("0:0:0:0:0:0:0:1", "::1");
        check("fe80:0:0:0:80ac:4126:fa58:1b53", "fe80::80ac:4126:fa58:1b53");
        check("::ffff:151.101.208.133", "151.101.208.133");
        check("fe80::1%4", "fe80::1");
        check("[2001:db8::1]", "2001:db8::1");
        check("-", "");
    }

    #[test]
    fn guids_lose_braces_case_and_nothingness() {
        let check = |text: &'static str, expected| assert_eq!(guid(text.into()).as_deref(), expected);
        check("{365ABB72-6759-5CD8-0000-0010E2D50F00}", Some("365abb72-6759-5cd8-0000-0010e2d50f00"));
        check("365abb72-6759-5cd8-0000-0010e2d50f00", Some("365abb72-6759-5cd8-0000-0010e2d50f00"));
        check("{00000000-0000-0000-0000-000000000000}", None);
        check("", None);
        let began = started("365abb72-6759-5cd8-0000-0010e2d50f00").unwrap();
        assert_eq!(began.at.to_string(), "2019-05-12T18:35:05.000000000Z");
        assert_eq!(started("365abb72"), None);
    }

    #[test]
    fn protocols_have_names_and_numbers() {
        for (text, expected) in
            [("tcp", 6), ("TcpV4", 6), ("Udp", 17), ("17", 17), ("IPPROTO_TCP", 6), ("1", 1)]
        {
            assert_eq!(protocol(text), Some(Protocol(expected)), "{text}");
        }
        assert_eq!(protocol("ipv9"), None);
    }
}
