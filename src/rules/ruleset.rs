//! All rules together: a contact and its attribution → a finding.

use std::sync::Arc;

use super::{Facts, Finding, Level, LevelRules, Rule, SigmaRules};
use crate::lists::Contact;
use crate::originator::{Attribution, Originator, Programs, WireClients};

/// Every rule that is loaded.
#[derive(Debug)]
pub struct Rules {
    programs: &'static Programs,
    /// The rules that give a level; none with `--no-builtin-rules`.
    levels: Option<LevelRules>,
    sigma: SigmaRules,
}

impl Rules {
    /// The built-in rules alone.
    pub fn builtin() -> Self {
        Self::load(true, [])
    }

    /// The built-in rules, if wanted, and Sigma rules by the names and contents of their files.
    pub fn load<'f>(builtin: bool, files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Self {
        Self {
            programs: Programs::builtin(),
            levels: builtin.then(LevelRules::default),
            sigma: SigmaRules::load(builtin, files),
        }
    }

    /// The Sigma rules.
    pub const fn sigma(&self) -> &SigmaRules {
        &self.sigma
    }

    /// What a contact means; none where no rule says anything of it.
    ///
    /// The level is the highest that a rule gives. Built-in rules give one by the level rules; those say nothing of names that only
    /// a rule of the user's asks for.
    pub fn judge(&self, contact: Contact, attribution: Attribution) -> Option<Finding> {
        let originator = Originator::of(&attribution, self.programs).map(Box::new);
        let wire = WireClients::builtin().class(&contact.observation.detail);
        let facts =
            Facts { contact: &contact, attribution: &attribution, originator: originator.as_deref(), wire };
        let levels = self.levels.as_ref().filter(|_| !contact.entry.is_only_wanted());
        let mut rules: Vec<Arc<Rule>> =
            levels.and_then(|levels| levels.judge(&facts)).into_iter().cloned().collect();
        rules.extend(self.sigma.fire(&facts));
        let level = rules.iter().filter_map(|rule| rule.level).max().unwrap_or(Level::Informational);
        // Stable: of the same level, the one that comes first in its file.
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.level));
        (!rules.is_empty()).then_some(Finding {
            contact,
            attribution,
            originator,
            wire,
            level,
            rules,
            allowed: None,
        })
    }
}
