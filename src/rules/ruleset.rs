//! All rules together: a contact and its attribution → a finding.

use std::sync::Arc;

use super::{Facts, Finding, Level, LevelRules, Rule};
use crate::lists::Contact;
use crate::originator::{Attribution, Originator, Programs, WireClass};

/// Every rule that is loaded.
#[derive(Debug)]
pub struct Rules {
    programs: &'static Programs,
    levels: LevelRules,
}

impl Rules {
    /// The built-in rules alone.
    pub fn builtin() -> Self {
        Self { programs: Programs::builtin(), levels: LevelRules::default() }
    }

    /// What a contact means.
    pub fn judge(&self, contact: Contact, attribution: Attribution) -> Finding {
        let originator = Originator::of(&attribution, self.programs).map(Box::new);
        let wire = WireClass::default();
        let facts =
            Facts { contact: &contact, attribution: &attribution, originator: originator.as_deref(), wire };
        let rules: Vec<Arc<Rule>> = self.levels.judge(&facts).into_iter().cloned().collect();
        let level = rules.iter().filter_map(|rule| rule.level).max().unwrap_or(Level::Informational);
        Finding { contact, attribution, originator, wire, level, rules }
    }
}
