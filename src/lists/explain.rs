//! Why a hostname meets an entry, or meets none although it looks as if it should.

use std::cmp::Reverse;
use std::fmt;
use std::sync::Arc;

use super::{Entry, Lists};

/// What the lists make of a hostname.
#[derive(Clone, Debug)]
pub struct Explanation<'a> {
    /// The hostname that was asked about.
    pub hostname: &'a str,
    /// The entry that it meets.
    pub entry: Option<&'a Arc<Entry>>,
    /// Entries with shorter suffixes that would stand without that one, longest first.
    pub behind: Vec<&'a Arc<Entry>>,
    /// Entries that it only looks like: the longest of each kind.
    pub near: Vec<NearMiss<'a>>,
}

/// An entry that a hostname looks like and does not meet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NearMiss<'a> {
    /// It ends with the suffix, but within a label: `notdropbox.com`.
    InsideLabel(&'a Entry),
    /// It holds the suffix, but somebody else's domain follows: `pastebin.com.cdn.example`.
    NotAtEnd(&'a Entry),
    /// The suffix lies below it: `microsoft.com` above `graph.microsoft.com`.
    Above(&'a Entry),
}

impl Lists {
    /// What the lists make of a hostname, and why. Looks at every entry: for people, not for packets.
    pub fn explain<'a>(&'a self, hostname: &'a str) -> Explanation<'a> {
        let entry = self.lookup(hostname);
        let mut behind = Vec::new();
        let mut rest = entry.map_or("", |entry| &*entry.suffix);
        while let Some((_, parent)) = rest.split_once('.') {
            let Some(next) = self.lookup(parent) else { break };
            behind.push(next);
            rest = &next.suffix;
        }
        let near = if entry.is_none() { self.near(hostname) } else { Vec::new() };
        Explanation { hostname, entry, behind, near }
    }

    fn near<'a>(&'a self, hostname: &str) -> Vec<NearMiss<'a>> {
        // The longer suffix is the nearer; the alphabet decides the rest, so that the answer is always the same.
        let mut nearest: [Option<(usize, Reverse<&str>, u32)>; 3] = [None; 3];
        for (number, suffix) in self.suffixes() {
            let slot = if hostname.ends_with(suffix) {
                0
            } else if holds_on_boundaries(hostname, suffix) {
                1
            } else if suffix.strip_suffix(hostname).is_some_and(|front| front.ends_with('.')) {
                2
            } else {
                continue;
            };
            if let Some(best) = nearest.get_mut(slot) {
                *best = (*best).max(Some((suffix.len(), Reverse(suffix), number)));
            }
        }
        let kinds: [fn(&'a Entry) -> NearMiss<'a>; 3] =
            [NearMiss::InsideLabel, NearMiss::NotAtEnd, NearMiss::Above];
        let misses = kinds.into_iter().zip(nearest);
        misses.filter_map(|(kind, best)| best.and_then(|best| Some(kind(self.made(best.2)?)))).collect()
    }
}

/// Whether the hostname begins with the suffix, or has it after a dot, and goes on with a dot.
fn holds_on_boundaries(hostname: &str, suffix: &str) -> bool {
    hostname.match_indices(suffix).any(|(at, _)| {
        let before = hostname.get(..at).is_some_and(|front| front.is_empty() || front.ends_with('.'));
        before && hostname.get(at + suffix.len()..).is_some_and(|rest| rest.starts_with('.'))
    })
}

impl<'a> NearMiss<'a> {
    /// The entry that it looks like.
    pub const fn entry(&self) -> &'a Entry {
        match self {
            Self::InsideLabel(entry) | Self::NotAtEnd(entry) | Self::Above(entry) => entry,
        }
    }
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(entry) = self.entry else {
            write!(f, "{}: meets no entry", self.hostname)?;
            return self.near.iter().try_for_each(|near| write!(f, "\n  {near}"));
        };
        write!(f, "{}: {}", self.hostname, Words(entry))?;
        if *entry.suffix == *self.hostname {
            f.write_str("\n  is the entry itself")?;
        } else {
            write!(f, "\n  lies below the entry {}", entry.suffix)?;
        }
        if let Some(tenant) = entry.tenant(self.hostname) {
            write!(f, ", customer {tenant}")?;
        }
        self.behind.iter().try_for_each(|entry| {
            write!(f, "\n  the longer suffix stands before {}: {}", entry.suffix, Words(entry))
        })
    }
}

impl fmt::Display for NearMiss<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { suffix, .. } = self.entry();
        match self {
            Self::InsideLabel(_) => write!(f, "ends with {suffix}, but not at a dot: another domain")?,
            Self::NotAtEnd(_) => write!(f, "holds {suffix}, but does not end with it: another domain")?,
            Self::Above(_) => write!(f, "is above {suffix}, which alone is listed")?,
        }
        write!(f, " ({})", Words(self.entry()))
    }
}

/// An entry in a few words.
struct Words<'a>(&'a Entry);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {}, tier {}, from {}",
            self.0.service(),
            self.0.category(),
            self.0.tier.number(),
            self.0.list()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(hostname: &str, expected: &[&str]) {
        let lists = Lists::builtin();
        let text = lists.explain(hostname).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{text}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{line} has no {expected}");
        }
    }

    #[test]
    fn what_a_name_meets() {
        check("pastebin.com", &["Pastebin, paste, tier 1, from builtin", "is the entry itself"]);
        check("x.pastebin.com", &["Pastebin", "lies below the entry pastebin.com"]);
        check(
            "contoso.sharepoint.com",
            &["SharePoint", "lies below the entry sharepoint.com, customer contoso"],
        );
        check(
            "content.dropboxapi.com",
            &["Dropbox", "is the entry itself", "stands before dropboxapi.com: Dropbox"],
        );
    }

    #[test]
    fn what_a_name_only_looks_like() {
        check("notdropbox.com", &["meets no entry", "ends with dropbox.com, but not at a dot"]);
        check("evil-box.com", &["meets no entry", "ends with box.com, but not at a dot"]);
        check("www.xbox.com", &["meets no entry", "ends with box.com, but not at a dot"]);
        check(
            "pastebin.com.cdn.example",
            &["meets no entry", "holds pastebin.com, but does not end with it"],
        );
        check(
            "microsoft.com",
            &["meets no entry", "is above social.technet.microsoft.com, which alone is listed"],
        );
        check("nothing.example", &["meets no entry"]);
    }
}
