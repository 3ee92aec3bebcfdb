//! The built-in rules that give a contact its level: `levels.toml`, read from the top.
//!
//! The first rule whose conditions all hold decides. They are data, so that an analyst can read why a finding has its level, and know
//! classes, tiers, categories and tags; no hostname.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::{Facts, Level, Rule};

/// The rules that give a level, in their order.
#[derive(Debug)]
pub struct LevelRules {
    rules: Vec<(When, Arc<Rule>)>,
}

impl LevelRules {
    /// The built-in ones, read when they are asked for first.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<LevelRules> = LazyLock::new(|| {
            // A test holds that they are well-formed.
            LevelRules::read(include_str!("levels.toml")).unwrap_or(LevelRules { rules: Vec::new() })
        });
        &BUILTIN
    }

    /// Reads the data file.
    ///
    /// # Errors
    /// When it is no TOML of this form; the message says where.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        let rules = file.rule.into_iter().map(|form| {
            let rule = Rule {
                id: form.id,
                name: form.name,
                level: form.level,
                decides: true,
                techniques: form.techniques.into_iter().map(String::into_boxed_str).collect(),
                ..Rule::default()
            };
            (form.when, Arc::new(rule))
        });
        Ok(Self { rules: rules.collect() })
    }

    /// The rule that decides. The last one of the built-in rules has no condition, so there is one.
    pub fn judge(&self, facts: &Facts<'_>) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|(when, _)| when.holds(facts)).map(|(_, rule)| rule)
    }

    /// Every rule.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.rules.iter().map(|(_, rule)| rule)
    }
}

#[derive(Deserialize)]
struct File {
    rule: Vec<Form>,
}

#[derive(Deserialize)]
struct Form {
    id: String,
    name: String,
    level: Level,
    #[serde(default)]
    techniques: Vec<String>,
    #[serde(flatten)]
    when: When,
}

/// The conditions of a rule; one that is not set holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct When {
    tier: Option<Vec<u8>>,
    category: Option<Vec<String>>,
    class: Option<Vec<String>>,
    tags: Option<Vec<String>>,
    without: Option<Vec<String>>,
    place: Option<Vec<String>>,
    script: Option<Vec<String>>,
    delegate: Option<Vec<String>>,
    parent: Option<Vec<String>>,
    wire: Option<Vec<String>>,
    home: Option<bool>,
    confirmed: Option<bool>,
    tenant: Option<bool>,
}

/// What stands for the class where nobody is named.
const NOBODY: &str = "nobody";

impl When {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let (entry, originator) = (facts.entry(), facts.originator);
        let one_of = |wanted: &Option<Vec<String>>, is: &dyn Fn(&str) -> bool| {
            wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|word| is(word)))
        };
        let has = |tag: &str| {
            originator.is_some_and(|originator| originator.tags.iter().any(|has| has.as_str() == tag))
        };
        let is =
            |wanted: Option<bool>, found: &dyn Fn() -> bool| wanted.is_none_or(|wanted| wanted == found());
        self.tier.as_ref().is_none_or(|tiers| tiers.contains(&entry.tier.number()))
            && one_of(&self.class, &|class| originator.map_or(NOBODY, |found| found.class.as_str()) == class)
            && one_of(&self.tags, &has)
            && self.without.as_ref().is_none_or(|tags| !tags.iter().any(|tag| has(tag)))
            && one_of(&self.category, &|category| entry.is_in(category))
            && one_of(&self.place, &|place| originator.is_some_and(|found| found.place.as_str() == place))
            && one_of(&self.script, &|script| originator.is_some_and(|found| found.script.as_str() == script))
            && one_of(&self.delegate, &|kind| {
                originator.is_some_and(|found| found.delegate.as_deref() == Some(kind))
            })
            && one_of(&self.parent, &|class| {
                originator.and_then(|found| found.parent).is_some_and(|parent| parent.as_str() == class)
            })
            && one_of(&self.wire, &|wire| facts.wire.as_str() == wire)
            && is(self.home, &|| facts.is_at_home())
            && is(self.confirmed, &|| originator.is_some_and(|found| found.confirmed))
            && is(self.tenant, &|| facts.tenant().is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lists::CATEGORIES;
    use crate::originator::{Class, Place, Script, Tag, WireClass};

    /// Each word of the data file is one that can be.
    #[test]
    fn the_data_file_is_in_order() {
        let rules = LevelRules::read(include_str!("levels.toml")).unwrap();
        let mut ids = std::collections::HashSet::new();
        let check = |words: &Option<Vec<String>>, known: &[&str]| {
            for word in words.iter().flatten() {
                assert!(known.contains(&word.as_str()), "{word} is none of {known:?}");
            }
        };
        let classes: Vec<_> = Class::ALL.iter().map(|class| class.as_str()).chain([NOBODY]).collect();
        let tags: Vec<_> = Tag::ALL.iter().map(|tag| tag.as_str()).collect();
        let places = [
            Place::Own,
            Place::Installed,
            Place::UserInstalled,
            Place::Home,
            Place::Temporary,
            Place::Dropped,
            Place::Other,
            Place::NotKnown,
        ];
        let scripts = [Script::None, Script::Loose, Script::Settled].map(Script::as_str);
        let wires = [WireClass::BrowserLike, WireClass::ToolLike, WireClass::Unknown].map(WireClass::as_str);
        let categories: Vec<_> = CATEGORIES.iter().map(|(category, _)| *category).collect();
        for (when, rule) in &rules.rules {
            assert!(ids.insert(rule.id.clone()) && rule.id.len() == 36, "{} is an id of two rules", rule.id);
            assert!(!rule.name.is_empty() && rule.given().is_some());
            check(&when.class, &classes);
            check(&when.parent, &classes);
            check(&when.tags, &tags);
            check(&when.without, &tags);
            check(&when.category, &categories);
            check(&when.place, &places.map(Place::as_str));
            check(&when.script, &scripts);
            check(&when.wire, &wires);
            let kinds = [
                "antivirus",
                "bits",
                "com-surrogate",
                "dns-client",
                "dns-server",
                "proxy",
                "service-host",
                "system",
                "webclient",
                "winhttp",
            ];
            check(&when.delegate, &kinds);
            assert!(when.tier.iter().flatten().all(|tier| (1..=4).contains(tier)));
        }
        let (last, _) = rules.rules.last().unwrap();
        assert!(
            last.class.is_none() && last.tier.is_none() && last.tags.is_none(),
            "the last rule always holds"
        );
    }
}
