//! The formats of a list, recognised by what is in it.
//!
//! | Format | What it looks like | |
//! |---|---|---|
//! | plain text | `dropbox.com`, a suffix a line; `*.dropbox.com` and `.dropbox.com` mean the same | `#` comments |
//! | hosts file | `0.0.0.0 dropbox.com www.dropbox.com` | `#` comments; may be mixed with plain lines |
//! | response policy zone | `dropbox.com CNAME .` and `*.dropbox.com CNAME .` | `;` comments |
//! | TOML | as the built-in [`catalogue`] | service, category, tier |
//!
//! Whatever the format, an entry matches its suffix and every name below it. Each line that cannot be used is told with what
//! would be right, and the others are kept.

use std::net::IpAddr;
use std::sync::Arc;

use super::index::Adding;
use super::{Service, catalogue, suffix};
use crate::hostname::NameBuf;

/// The category of lists that name none.
pub(super) const PLAIN_CATEGORY: &str = "user-list";

/// Reads a list, whatever its format.
pub(super) fn parse(text: &[u8], list: &Arc<str>, adding: &mut Adding<'_>) {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        adding.problems.refuse(0, "", "is UTF-16", "save it as UTF-8");
        return;
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    // Bytes that are no UTF-8 become U+FFFD, and so a line that is refused.
    let text = String::from_utf8_lossy(text);
    if text.lines().any(looks_like_toml) {
        catalogue::parse(&text, list, adding);
        return;
    }
    let about =
        Arc::new(Service { category: PLAIN_CATEGORY.into(), list: Arc::clone(list), ..Service::default() });
    let mut lines = Lines { about, buffer: NameBuf::new(), adding };
    lines.adding.reserve(memchr::memchr_iter(b'\n', text.as_bytes()).count());
    if text.lines().any(looks_like_zone) {
        lines.zone(&text);
    } else {
        lines.plain(&text);
    }
}

/// Whether a line can only be TOML: the header of a service, or a quoted value.
fn looks_like_toml(line: &str) -> bool {
    catalogue::is_service(line)
        || line.split_once('=').is_some_and(|(key, value)| {
            !key.trim().is_empty()
                && key.trim().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                && value.trim_start().starts_with(['"', '\'', '['])
        })
}

/// Whether a line can only be of a zone file: a directive, or a record as policy zones and their heads have them.
fn looks_like_zone(line: &str) -> bool {
    if line.starts_with("$TTL") || line.starts_with("$ORIGIN") {
        return true;
    }
    let mut words = line.split_ascii_whitespace();
    match words.next() {
        None => false,
        Some(first) if first.starts_with(['#', ';']) => false,
        Some(_) => {
            words.take(3).any(|word| word.eq_ignore_ascii_case("CNAME") || word.eq_ignore_ascii_case("SOA"))
        }
    }
}

struct Lines<'a, 'b> {
    about: Arc<Service>,
    buffer: NameBuf,
    adding: &'a mut Adding<'b>,
}

impl Lines<'_, '_> {
    /// Plain lines and those of hosts files.
    fn plain(&mut self, text: &str) {
        for (number, line) in (1..).zip(text.lines()) {
            let content = line.split('#').next().unwrap_or_default();
            let mut words = content.split_ascii_whitespace();
            let Some(first) = words.next() else { continue };
            match words.next() {
                None => self.suffix(number, line, first),
                Some(second) if is_address(first) => {
                    for name in std::iter::once(second).chain(words) {
                        // Every hosts file names the machine itself: a single label, or an address for a name.
                        if name.contains('.') && name != first && !OWN_NAMES.contains(&name) {
                            self.suffix(number, line, name);
                        }
                    }
                }
                Some(_) => self.adding.problems.refuse(
                    number,
                    line,
                    "has several words",
                    "write one hostname a line; what follows a # is a comment",
                ),
            }
        }
    }

    /// The records of a response policy zone (draft-vixie-dnsop-dns-rpz): what is left of the zone's name is a trigger.
    fn zone(&mut self, text: &str) {
        let mut origin = String::new();
        // Parentheses let a record go on over line ends: RFC 1035 section 5.1.
        let mut open = 0_usize;
        for (number, line) in (1..).zip(text.lines()) {
            let content = line.split(';').next().unwrap_or_default();
            let inside = open > 0;
            open = (open + content.matches('(').count()).saturating_sub(content.matches(')').count());
            let mut words = content.split_ascii_whitespace();
            let Some(owner) = words.next() else { continue };
            if inside || content.starts_with([' ', '\t']) {
                continue;
            }
            if owner.starts_with('$') {
                match owner {
                    "$TTL" => {}
                    "$ORIGIN" => origin = words.next().unwrap_or_default().trim_end_matches('.').to_owned(),
                    _ => self.adding.problems.refuse(number, line, "is a directive that is not followed", ""),
                }
                continue;
            }
            let mut words = words.skip_while(|word| is_class_or_ttl(word));
            let (kind, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let kind = kind.to_ascii_uppercase();
            if kind == "SOA" && owner.ends_with('.') && origin.is_empty() {
                origin = owner.trim_end_matches('.').to_owned();
            }
            if owner == "@" || matches!(&*kind, "SOA" | "NS") {
                continue;
            }
            if kind.is_empty() {
                self.adding.problems.refuse(number, line, "is no record", "write example.com CNAME .");
                continue;
            }
            if matches!(&*value.to_ascii_lowercase(), "rpz-passthru." | "rpz-passthru") {
                self.adding.problems.note(number, line, "lets the name pass, and was not listed", "");
                continue;
            }
            let owner = match owner.strip_suffix('.') {
                Some(absolute) => absolute
                    .strip_suffix(&*origin)
                    .and_then(|name| name.strip_suffix('.'))
                    .unwrap_or(absolute),
                None => owner,
            };
            if owner.rsplit('.').next().is_some_and(|label| label.starts_with("rpz-")) {
                self.adding.problems.refuse(
                    number,
                    line,
                    "is a trigger on addresses or name servers, not on a hostname",
                    "",
                );
                continue;
            }
            self.suffix(number, line, owner);
        }
    }

    fn suffix(&mut self, number: usize, line: &str, text: &str) {
        match suffix::read(text, &mut self.buffer) {
            Ok(suffix) => self.adding.suffix(number, suffix, &self.about),
            Err(wrong) => self.adding.problems.refuse(number, line, wrong.wrong, wrong.right),
        }
    }
}

/// Names with a dot that hosts files give to the machine itself.
const OWN_NAMES: [&str; 3] = ["localhost.localdomain", "localhost4.localdomain4", "localhost6.localdomain6"];

/// Whether a word is an address, with or without the scope of a link-local one (`fe80::1%lo0`).
fn is_address(word: &str) -> bool {
    word.split('%').next().is_some_and(|address| address.parse::<IpAddr>().is_ok())
}

fn is_class_or_ttl(word: &str) -> bool {
    word.eq_ignore_ascii_case("IN") || word.as_bytes().first().is_some_and(u8::is_ascii_digit)
}
