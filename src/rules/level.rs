//! The built-in rules that give a contact its level from what is known of the name alone.
//!
//! While nobody says which process made a contact, the noise of the name decides: on tiers 1 and 2 a contact is worth a line, on
//! tiers 3 and 4 every network has it all day.

use super::{Level, Rule};
use crate::lists::Tier;

/// The built-in rules, in the order of their levels.
#[derive(Debug)]
pub struct BuiltinRules {
    rare: std::sync::Arc<Rule>,
    common: std::sync::Arc<Rule>,
}

impl Default for BuiltinRules {
    fn default() -> Self {
        let rule = |id: &str, name: &str, level| {
            std::sync::Arc::new(Rule { id: id.to_owned(), name: name.to_owned(), level })
        };
        Self {
            rare: rule(
                "5a0d3c1e-8f0b-4c55-9f6e-0c6a7b1f2d01",
                "Web service that is used for command and control contacted",
                Level::Low,
            ),
            common: rule(
                "5a0d3c1e-8f0b-4c55-9f6e-0c6a7b1f2d02",
                "Common web service that is also used for command and control contacted",
                Level::Informational,
            ),
        }
    }
}

impl BuiltinRules {
    /// The rules that fire on a contact with a name of this tier, highest first.
    pub fn judge(&self, tier: Tier) -> Vec<std::sync::Arc<Rule>> {
        match tier {
            Tier::One | Tier::Two => vec![self.rare.clone()],
            Tier::Three | Tier::Four => vec![self.common.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tier_decides_while_no_process_is_known() {
        let rules = BuiltinRules::default();
        for (tier, level) in [
            (Tier::One, Level::Low),
            (Tier::Two, Level::Low),
            (Tier::Three, Level::Informational),
            (Tier::Four, Level::Informational),
        ] {
            assert_eq!(rules.judge(tier).first().map(|rule| rule.level), Some(level));
        }
    }
}
