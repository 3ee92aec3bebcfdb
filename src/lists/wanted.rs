//! Hostnames that no list has and a loaded rule asks for: suffixes, and texts within names.
//!
//! A contact with one of them is of no interest by itself; it is brought before the rules, and forgotten where none fires.

use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use super::{Entry, Service, Tier};

/// A hostname that a rule asks for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Wanted {
    /// A name and all below it.
    Suffix(String),
    /// Names that begin so.
    Start(String),
    /// Names that end so, within a label.
    End(String),
    /// Names that have this anywhere.
    Within(String),
}

impl Wanted {
    /// Shorter texts are in too many names to be looked for in all of them.
    pub const SHORTEST_TEXT: usize = 3;

    /// The name of the list that entries of rules come from.
    pub const LIST: &str = "rules";
}

/// Texts to find in names.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    automaton: AhoCorasick,
    entries: Vec<(Position, Arc<Entry>)>,
}

/// Where in the name a text has to stand.
#[derive(Clone, Copy, Debug)]
enum Position {
    Start,
    End,
    Within,
}

impl Texts {
    /// Texts of what is wanted; suffixes are left to the index. None where there is none.
    pub(super) fn new<'w>(wanted: impl IntoIterator<Item = &'w Wanted>) -> Option<Self> {
        let about = about();
        let mut texts = Vec::new();
        let mut entries = Vec::new();
        for wanted in wanted {
            let (position, text, shown) = match wanted {
                Wanted::Suffix(_) => continue,
                Wanted::Start(text) => (Position::Start, text, format!("{text}*")),
                Wanted::End(text) => (Position::End, text, format!("*{text}")),
                Wanted::Within(text) => (Position::Within, text, format!("*{text}*")),
            };
            texts.push(text);
            entries.push((position, Arc::new(entry(&shown, &about))));
        }
        if texts.is_empty() {
            return None;
        }
        let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(texts).ok()?;
        Some(Self { automaton, entries })
    }

    /// The entry of the first text that stands where it has to.
    pub(super) fn find(&self, hostname: &str) -> Option<&Arc<Entry>> {
        self.automaton.find_overlapping_iter(hostname).find_map(|found| {
            let (position, entry) = self.entries.get(found.pattern().as_usize())?;
            let stands = match position {
                Position::Start => found.start() == 0,
                Position::End => found.end() == hostname.len(),
                Position::Within => true,
            };
            stands.then_some(entry)
        })
    }
}

/// The entry of a text that only a rule asks for.
fn entry(suffix: &str, about: &Arc<Service>) -> Entry {
    Entry { suffix: suffix.into(), tier: Tier::Four, tenants: false, about: Arc::clone(about) }
}

/// What stands behind names that only rules ask for.
pub(super) fn about() -> Arc<Service> {
    Arc::new(Service { category: "rule".into(), list: Wanted::LIST.into(), ..Service::default() })
}

#[cfg(test)]
mod tests {
    use super::super::Builder;
    use super::*;

    #[test]
    fn what_only_rules_ask_for_is_found_behind_the_lists() {
        let mut builder = Builder::with_builtin();
        builder.want(&[
            Wanted::Suffix("ngrok.example".into()),
            Wanted::Suffix("api.dropboxapi.com".into()),
            Wanted::Suffix("example.dropboxapi.com".into()),
            Wanted::Start("aaa.stage.".into()),
            Wanted::End("-tunnel".into()),
            Wanted::Within("pool".into()),
        ]);
        let lists = builder.build();
        let found =
            |name: &str| lists.lookup(name).map(|entry| (entry.suffix.to_string(), entry.is_only_wanted()));
        assert_eq!(found("x.ngrok.example"), Some(("ngrok.example".into(), true)));
        assert_eq!(found("notngrok.example"), None);
        assert_eq!(found("api.dropboxapi.com"), Some(("api.dropboxapi.com".into(), false)));
        assert_eq!(found("x.example.dropboxapi.com"), Some(("dropboxapi.com".into(), false)));
        assert_eq!(found("aaa.stage.123.example"), Some(("aaa.stage.*".into(), true)));
        assert_eq!(found("x.aaa.stage.123.example"), None);
        assert_eq!(found("a.b-tunnel"), Some(("*-tunnel".into(), true)));
        assert_eq!(found("a.b-tunnel.example"), None);
        assert_eq!(found("spool.example"), Some(("*pool*".into(), true)));
        assert_eq!(found("nothing.example"), None);
    }
}
