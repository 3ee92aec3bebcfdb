//! All rules together: a contact and its attribution → a finding.

use std::sync::Arc;

use super::{Facts, Finding, Level, LevelRules, Rule, SigmaRules};
use crate::flow::Conversation;
use crate::hostname::Hostname;
use crate::inspect::{Detail, Observation, SeenIn};
use crate::lists::{Contact, Entry};
use crate::originator::{Attribution, Originator, Programs, WireClass, WireClients};

/// Every rule that is loaded.
#[derive(Debug)]
pub struct Rules {
    /// Whether the rules that give a level are among them; not with `--no-builtin-rules`.
    levels: bool,
    sigma: SigmaRules,
}

impl Rules {
    /// The built-in rules alone.
    pub fn builtin() -> Self {
        Self::load(true, [])
    }

    /// The built-in rules, if wanted, and Sigma rules by the names and contents of their files.
    pub fn load<'f>(builtin: bool, files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Self {
        Self { levels: builtin, sigma: SigmaRules::load(builtin, files) }
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
        let originator = Originator::of(&attribution, Programs::builtin).map(Box::new);
        let wire = WireClients::builtin().class(&contact.observation.detail);
        let facts =
            Facts { contact: &contact, attribution: &attribution, originator: originator.as_deref(), wire };
        let levels = (self.levels && !contact.entry.is_only_wanted()).then(LevelRules::builtin);
        let mut rules: Vec<Arc<Rule>> =
            levels.and_then(|levels| levels.judge(&facts)).into_iter().cloned().collect();
        rules.extend(self.sigma.fire(&facts));
        let level = sorted(&mut rules);
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

    /// What a connection means by the rules that ask for no hostname; none where none of them fires, or nobody is named.
    ///
    /// Such a finding has no service: its entry is [that of the rule](Entry::of_rule) which gave the level.
    pub fn connection(
        &self,
        conversation: &Conversation<(Hostname, SeenIn)>,
        attribution: &Attribution,
    ) -> Option<Finding> {
        let process = attribution.originator().or(attribution.process.as_ref())?;
        let image = process.executable.as_deref().or(process.name.as_deref()).unwrap_or_default();
        let flow = conversation.flow;
        if !self.sigma.may_fire_on_connection(image, flow.dst.port) {
            return None;
        }
        let (hostname, seen_in) = match conversation.name.as_deref() {
            Some((name, seen_in)) if seen_in.is_connection() => (name.clone(), *seen_in),
            _ => (Hostname::new(flow.dst.ip.to_string()).ok()?, SeenIn::Address),
        };
        let observation = Observation {
            at: conversation.first,
            source: conversation.source,
            frame: conversation.first_frame,
            flow,
            hostname,
            seen_in,
            detail: Detail::Nothing,
            path: conversation.path.clone(),
            disagrees_with: Vec::new(),
        };
        let originator = Originator::of(attribution, Programs::builtin).map(Box::new);
        let mut contact = Contact { observation, entry: Arc::new(Entry::of_rule("")) };
        let wire = WireClass::Unknown;
        let facts = Facts { contact: &contact, attribution, originator: originator.as_deref(), wire };
        let mut rules = self.sigma.fire_on_connection(&facts, image, flow.dst.port);
        let level = sorted(&mut rules);
        contact.entry = Arc::new(Entry::of_rule(&rules.first()?.name));
        let attribution = attribution.clone();
        Some(Finding { contact, attribution, originator, wire, level, rules, allowed: None })
    }
}

/// Puts the rule first that gives the level. Gives that.
fn sorted(rules: &mut [Arc<Rule>]) -> Level {
    // Stable: of the same level, the one that comes first in its file.
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.given()));
    rules.iter().filter_map(|rule| rule.given()).max().unwrap_or(Level::Informational)
}
