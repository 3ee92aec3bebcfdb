//! Stage 7: what it means.
//!
//! Takes an attributed contact and gives a [`Finding`]: its level, and the rules that fired.

mod level;
mod repeat;

use crate::lists::Contact;
use crate::originator::Attribution;

pub use level::BuiltinRules;
pub use repeat::{Alert, Summary};

/// How much a finding deserves somebody's time: the levels of Sigma.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Context only.
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
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// A stable identity.
    pub id: String,
    /// What the rule says, in a few words.
    pub name: String,
    /// The level it gives.
    pub level: Level,
}

/// A contact, who made it, and what that means.
#[derive(Clone, Debug)]
pub struct Finding {
    /// What was seen, and the list entry that it met.
    pub contact: Contact,
    /// Who made it.
    pub attribution: Attribution,
    /// The level of the highest rule that fired.
    pub level: Level,
    /// The rules that fired, highest first; never empty.
    pub rules: Vec<std::sync::Arc<Rule>>,
}
