//! Stage 7: what it means.
//!
//! Takes an attributed contact and gives a [`Finding`]: its level, and the rules that fired.

pub mod detections;
mod facts;
mod level;
mod repeat;
mod ruleset;
pub mod sigma;

use std::sync::Arc;

use serde::Deserialize;

use crate::lists::{Allow, Contact};
use crate::originator::{Attribution, Originator, WireClass};

pub use facts::Facts;
pub use level::LevelRules;
pub use repeat::{Alert, Summary, Values};
pub use ruleset::Rules;
pub use sigma::SigmaRules;

/// How much a finding deserves somebody's time: the levels of Sigma.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Context only.
    #[default]
    Informational,
    /// Worth a line.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look today.
    High,
    /// Worth a look now.
    Critical,
}

impl Level {
    /// Every level, from the lowest.
    pub const ALL: [Self; 5] = [Self::Informational, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word in records and options.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Informational => "informational",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// The number in `event.severity`, as Elastic's detection rules map the levels.
    pub const fn severity(self) -> u8 {
        match self {
            Self::Informational => 10,
            Self::Low => 21,
            Self::Medium => 47,
            Self::High => 73,
            Self::Critical => 99,
        }
    }
}

/// A rule, as findings quote it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    /// A stable identity.
    pub id: String,
    /// What the rule says, in a few words.
    pub name: String,
    /// Its author's level.
    pub level: Level,
    /// Whether a finding gets that level. The published detections give none: of what they meet the level rules decide.
    pub decides: bool,
    /// ATT&CK techniques that it stands for: `T1102.002`.
    pub techniques: Box<[Box<str>]>,
    /// Where it comes from; empty for a built-in one, else the path of its file.
    pub source: Box<str>,
    /// Who wrote it: licences of rules ask that this be said wherever one fires.
    pub author: Option<Box<str>>,
}

impl Rule {
    /// The level that it gives a finding; none where it gives none.
    pub fn given(&self) -> Option<Level> {
        self.decides.then_some(self.level)
    }

    /// The set that it belongs to, in records.
    pub fn ruleset(&self) -> &str {
        if self.source.is_empty() { "undertone" } else { &self.source }
    }
}

/// A contact, who made it, and what that means.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was seen, and the list entry that it met.
    pub contact: Contact,
    /// Who made it.
    pub attribution: Attribution,
    /// What kind of program that is; none where nobody is named.
    pub originator: Option<Box<Originator>>,
    /// What its hello looks like.
    pub wire: WireClass,
    /// The level of the highest rule that fired.
    pub level: Level,
    /// The rules that fired, first the one that gave the level; never empty.
    pub rules: Vec<Arc<Rule>>,
    /// The entry of an allow list that says that this may be. It is counted, and told in the summary only.
    pub allowed: Option<Box<Allowed>>,
}

/// Who allowed a contact.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Allowed {
    /// The list.
    pub list: Arc<str>,
    /// The line of its entry, from 1.
    pub line: usize,
    /// Who answers for it.
    pub owner: Option<Box<str>>,
    /// Why it is there.
    pub reason: Option<Box<str>>,
}

impl From<&Allow> for Allowed {
    fn from(allow: &Allow) -> Self {
        Self {
            list: Arc::clone(&allow.list),
            line: allow.line,
            owner: allow.owner.clone(),
            reason: allow.reason.clone(),
        }
    }
}

impl Finding {
    /// Adds rules that fired on other contacts of the same alert. Says whether there were new ones.
    pub fn also(&mut self, rules: &[Arc<Rule>]) -> bool {
        let before = self.rules.len();
        for rule in rules {
            if !self.rules.iter().any(|known| Arc::ptr_eq(known, rule) || known == rule) {
                self.rules.push(Arc::clone(rule));
            }
        }
        // Stable: the rule that gave the level stays first.
        self.rules.sort_by_key(|rule| std::cmp::Reverse(rule.given()));
        self.rules.len() > before
    }

    /// ATT&CK techniques: the service's, then what the rules say beside them.
    pub fn techniques(&self) -> Vec<&str> {
        let mut techniques: Vec<&str> = Vec::new();
        let of_rules = self.rules.iter().flat_map(|rule| &rule.techniques);
        for technique in self.contact.entry.techniques().iter().chain(of_rules) {
            if !techniques.contains(&&**technique) {
                techniques.push(technique);
            }
        }
        techniques
    }
}
