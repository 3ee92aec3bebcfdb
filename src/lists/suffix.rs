//! One suffix as a person writes it → its canonical spelling, or what would have been right.

use std::net::IpAddr;

use crate::hostname::NameBuf;

/// The most octets of a label: RFC 1035 section 2.3.4.
const LONGEST_LABEL: usize = 63;

/// What was wrong with a suffix, and what would be right.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Wrong {
    pub(super) wrong: String,
    pub(super) right: String,
}

/// Reads a suffix: `dropbox.com`, `*.dropbox.com`, `.dropbox.com` and `DropBox.com.` all mean the name and everything below.
///
/// A single label is a whole top-level domain, and so more often a slip than not: it wants the dot in front.
pub(super) fn read<'b>(text: &str, buffer: &'b mut NameBuf) -> Result<&'b str, Wrong> {
    let dotted = text.strip_prefix("*.").or_else(|| text.strip_prefix('.'));
    let name = dotted.unwrap_or(text);
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) {
        return Err(explain_character(text));
    }
    if let Err(invalid) = buffer.set_dotted(name.as_bytes()) {
        return Err(wrong(invalid, "write a hostname: example.com"));
    }
    let name = buffer.as_str();
    if name.split('.').any(|label| label.len() > LONGEST_LABEL) {
        return Err(wrong(format_args!("has a label longer than {LONGEST_LABEL} octets"), ""));
    }
    let top = name.rsplit('.').next().unwrap_or_default();
    if top.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong("is an address or a number, not a hostname", "lists hold hostnames only"));
    }
    if top.len() == name.len() && dotted.is_none() {
        return Err(wrong(
            "is a single label, and would match a whole top-level domain",
            format_args!("write .{name} if that is meant"),
        ));
    }
    Ok(name)
}

fn wrong(wrong: impl std::fmt::Display, right: impl std::fmt::Display) -> Wrong {
    Wrong { wrong: wrong.to_string(), right: right.to_string() }
}

/// Says what a text with characters that no hostname has may have been meant to be.
#[cold]
fn explain_character(text: &str) -> Wrong {
    if let Some((_, rest)) = text.split_once("://") {
        return wrong("is a URL, not a hostname", instead(host_of(rest)));
    }
    if let Some(inner) = text.strip_prefix("||") {
        return wrong(
            "is an advertisement blocker's pattern",
            instead(inner.split('^').next().unwrap_or_default()),
        );
    }
    if text.parse::<IpAddr>().is_ok() {
        return wrong("is an address, not a hostname", "lists hold hostnames only");
    }
    if text.contains('/') {
        return wrong("has a path, which is not visible on the wire", instead(host_of(text)));
    }
    if text.contains('*') || text.contains('?') {
        return wrong(
            "has a wildcard that is not `*.` in front",
            "a suffix matches everything below it: example.com",
        );
    }
    if let Some((_, domain)) = text.split_once('@') {
        return wrong("is a mail address, not a hostname", instead(domain));
    }
    if text.contains(':') {
        return wrong("has a port", instead(host_of(text)));
    }
    if !text.is_ascii() {
        return wrong(
            "is not ASCII; names on the wire are (RFC 5890)",
            "write its A-label, which begins with xn--",
        );
    }
    let odd =
        text.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')).unwrap_or(' ');
    wrong(
        format_args!("has the character `{}`", odd.escape_debug()),
        "write one hostname a line: example.com",
    )
}

/// The host of what stands after `scheme://`: without user, port, path.
fn host_of(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default()
}

fn instead(host: &str) -> String {
    let mut buffer = NameBuf::new();
    match read_plain(host, &mut buffer) {
        Some(name) => format!("write {name}"),
        None => "write a hostname: example.com".to_owned(),
    }
}

/// A suggestion must itself be right; unlike [`read`] this cannot come back to [`instead`].
fn read_plain<'b>(host: &str, buffer: &'b mut NameBuf) -> Option<&'b str> {
    let host = host.strip_prefix("*.").unwrap_or(host);
    let plain = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    (plain
        && host.contains('.')
        && host.parse::<IpAddr>().is_err()
        && buffer.set_dotted(host.as_bytes()).is_ok())
    .then(|| buffer.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, (&str, &str)>) {
        let mut buffer = NameBuf::new();
        let got = read(text, &mut buffer);
        match (got, expected) {
            (Ok(name), Ok(expected)) => assert_eq!(name, expected, "{text}"),
            (Err(got), Err((wrong, right))) => {
                assert!(got.wrong.contains(wrong), "{text}: {got:?}");
                assert!(got.right.contains(right), "{text}: {got:?}");
            }
            (got, _) => panic!("{text}: {got:?}"),
        }
    }

    #[test]
    fn spellings_of_a_suffix() {
        check("dropbox.com", Ok("dropbox.com"));
        check("DropBox.COM.", Ok("dropbox.com"));
        check("*.dropbox.com", Ok("dropbox.com"));
        check(".dropbox.com", Ok("dropbox.com"));
        check("xn--bcher-kva.example", Ok("xn--bcher-kva.example"));
        check("_dmarc.example.com", Ok("_dmarc.example.com"));
        check("t.co", Ok("t.co"));
        check("1fichier.com", Ok("1fichier.com"));
        check(".onion", Ok("onion"));
        check("*.zip", Ok("zip"));
    }

    #[test]
    fn what_is_refused_says_what_would_be_right() {
        check("https://Pastebin.com/raw/x?y", Err(("URL", "write pastebin.com")));
        check("https://u:p@pastebin.com:8443/", Err(("URL", "write pastebin.com")));
        check("https://[::1]/", Err(("URL", "write a hostname")));
        check("ghostbin.co/", Err(("path", "write ghostbin.co")));
        check("ghostbin.co:443", Err(("port", "write ghostbin.co")));
        check("||ads.example^$third-party", Err(("blocker", "write ads.example")));
        check("a@example.com", Err(("mail", "write example.com")));
        check("ia*.us.archive.org", Err(("wildcard", "example.com")));
        check("*.portmap.*", Err(("wildcard", "example.com")));
        check("*", Err(("wildcard", "example.com")));
        check("10.0.0.1", Err(("address", "hostnames only")));
        check("fe80::1", Err(("address", "hostnames only")));
        check("bücher.example", Err(("ASCII", "xn--")));
        check("com", Err(("single label", "write .com")));
        check("a..com", Err(("empty label", "example.com")));
        check("..com", Err(("empty label", "example.com")));
        check(".", Err(("empty", "example.com")));
        check("a;b.com", Err(("character `;`", "example.com")));
        check("a\0b.com", Err(("character `\\0`", "example.com")));
        check(&format!("{}.com", "a".repeat(64)), Err(("63", "")));
        check(&"a.".repeat(130), Err(("253", "example.com")));
    }
}
