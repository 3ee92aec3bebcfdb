//! Which hostnames a rule asks for: what the lists have to look for, so that the rule can fire.
//!
//! A rule needs a hostname where every way to fulfil its condition has one. What it asks for becomes a suffix on label boundaries where
//! the value is one (`ngrok.io`, `.ngrok.io`, `*.ngrok.io`), else a text to find in names. Whether the rule then fires is its
//! own to say: this only brings the contact before it.

use std::collections::BTreeSet;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Modifier, Quantifier, SelectorPattern, SigmaRule, SigmaValue,
    SpecialChar, StringPart,
};

use super::fields::{FIELDS, HOSTNAMES, Needs};
use crate::lists::Wanted;

/// What a rule is about, as far as its condition says.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The hostnames that it asks for; none where it can be fulfilled without one.
    pub(super) hostnames: Option<BTreeSet<Wanted>>,
    /// Whether it speaks of a process.
    pub(super) needs_process: bool,
    /// Fields that it excludes by: they have to be known, or the exclusion would not hold.
    pub(super) excluded_by: BTreeSet<&'static str>,
    /// Why it can never fire.
    pub(super) never: Option<String>,
    /// What may not be as its author meant, with what would be right.
    pub(super) notes: Vec<(String, String)>,
}

/// Reads a rule's conditions.
pub(super) fn read(rule: &SigmaRule) -> Reading {
    let mut reading = Reading::default();
    let mut all = Some(BTreeSet::new());
    let mut possible = false;
    for condition in &rule.detection.conditions {
        let found = Reader { rule, reading: &mut reading }.condition(condition, false);
        possible |= found.possible;
        all = either(all, found.hostnames);
    }
    reading.hostnames = all;
    if possible {
        if let Some(why) = reading.never.take()
            && !why.starts_with("asks for")
        {
            reading.notes.push((format!("a part of it {why}"), String::new()));
        }
    } else if reading.never.is_none() {
        reading.never = Some("has no condition that can be fulfilled".to_owned());
    }
    reading
}

/// What a part of a condition asks for.
struct Found {
    hostnames: Option<BTreeSet<Wanted>>,
    possible: bool,
}

/// The hostnames of one of two ways: of both, if both need one.
fn either(one: Option<BTreeSet<Wanted>>, other: Option<BTreeSet<Wanted>>) -> Option<BTreeSet<Wanted>> {
    let (mut one, other) = (one?, other?);
    one.extend(other);
    Some(one)
}

impl Found {
    const ANY: Self = Self { hostnames: None, possible: true };

    /// Every part has to hold: the one that asks for the fewest hostnames says which.
    fn all(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self::ANY, |one, other| Self {
            hostnames: match (one.hostnames, other.hostnames) {
                (Some(one), Some(other)) => Some(if other.len() < one.len() { other } else { one }),
                (one, other) => one.or(other),
            },
            possible: one.possible && other.possible,
        })
    }

    /// One part has to hold.
    fn one(parts: impl Iterator<Item = Self>) -> Self {
        parts.fold(Self { hostnames: Some(BTreeSet::new()), possible: false }, |one, other| {
            // What cannot be fulfilled asks for nothing.
            let hostnames =
                if other.possible { either(one.hostnames, other.hostnames) } else { one.hostnames };
            Self { hostnames, possible: one.possible || other.possible }
        })
    }
}

struct Reader<'a> {
    rule: &'a SigmaRule,
    reading: &'a mut Reading,
}

impl Reader<'_> {
    fn condition(&mut self, condition: &ConditionExpr, negated: bool) -> Found {
        match condition {
            ConditionExpr::And(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.condition(part, negated)).collect();
                if negated { Found::ANY } else { Found::all(parts.into_iter()) }
            }
            ConditionExpr::Or(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.condition(part, negated)).collect();
                if negated { Found::ANY } else { Found::one(parts.into_iter()) }
            }
            ConditionExpr::Not(part) => {
                self.condition(part, !negated);
                Found::ANY
            }
            ConditionExpr::Identifier(name) => match self.rule.detection.named.get(name) {
                Some(detection) => self.detection(detection, negated),
                None => {
                    self.never(format!("speaks of {name}, which it does not define"));
                    Found { hostnames: None, possible: false }
                }
            },
            ConditionExpr::Selector { quantifier, pattern } => {
                let mut names: Vec<&String> = self.rule.detection.named.keys().collect();
                names.sort();
                let chosen = names.into_iter().filter(|name| match pattern {
                    SelectorPattern::Them => !name.starts_with('_'),
                    SelectorPattern::Pattern(_) => pattern.matches_detection_name(name),
                });
                let parts: Vec<_> = chosen
                    .filter_map(|name| self.rule.detection.named.get(name))
                    .map(|detection| self.detection(detection, negated))
                    .collect();
                match quantifier {
                    _ if negated => Found::ANY,
                    Quantifier::All => Found::all(parts.into_iter()),
                    Quantifier::Any | Quantifier::Count(_) => Found::one(parts.into_iter()),
                }
            }
        }
    }

    fn detection(&mut self, detection: &Detection, negated: bool) -> Found {
        match detection {
            Detection::AllOf(items) => {
                let parts: Vec<_> = items.iter().map(|item| self.item(item, negated)).collect();
                Found::all(parts.into_iter())
            }
            Detection::AnyOf(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.detection(part, negated)).collect();
                Found::one(parts.into_iter())
            }
            Detection::And(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.detection(part, negated)).collect();
                Found::all(parts.into_iter())
            }
            Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {
                Found::ANY
            }
        }
    }

    fn item(&mut self, item: &DetectionItem, negated: bool) -> Found {
        let Some(name) = item.field.name.as_deref() else { return Found::ANY };
        let absent = item.values.contains(&SigmaValue::Null)
            || (item.field.has_modifier(Modifier::Exists) && item.values.contains(&SigmaValue::Bool(false)));
        let Some(field) = FIELDS.iter().find(|field| field.name == name) else {
            if !negated && !absent {
                self.never(format!("needs the field {name}, which nothing here fills"));
            }
            return Found { hostnames: None, possible: absent };
        };
        if field.needs == Needs::Process {
            self.reading.needs_process = true;
            if negated && !absent {
                self.reading.excluded_by.insert(field.name);
            }
        }
        // A connection may well have none.
        if !HOSTNAMES.contains(&name) || negated || absent {
            return Found::ANY;
        }
        self.hostnames(item)
    }

    fn hostnames(&mut self, item: &DetectionItem) -> Found {
        let field = &item.field;
        let unknown =
            [Modifier::Re, Modifier::FieldRef, Modifier::Expand, Modifier::Base64, Modifier::Exists];
        if let Some(modifier) = unknown.into_iter().find(|modifier| field.has_modifier(*modifier)) {
            if modifier != Modifier::Exists {
                self.note(
                    format!("asks for hostnames by {modifier:?}"),
                    "that is no name to look for; it is tried wherever the rule is asked".to_owned(),
                );
            }
            return Found::ANY;
        }
        let apexes: BTreeSet<String> =
            item.values.iter().filter_map(|value| plain(value).map(|text| text.to_lowercase())).collect();
        let parts: Vec<_> = item.values.iter().map(|value| self.hostname(item, value, &apexes)).collect();
        if field.has_modifier(Modifier::All) {
            Found::all(parts.into_iter())
        } else {
            Found::one(parts.into_iter())
        }
    }

    fn hostname(&mut self, item: &DetectionItem, value: &SigmaValue, others: &BTreeSet<String>) -> Found {
        let impossible = Found { hostnames: None, possible: false };
        let SigmaValue::String(text) = value else { return impossible };
        let shown = text.original.to_lowercase();
        // The longest plain part, and whether something may stand before and behind it.
        let mut parts = text.parts.iter().enumerate().filter_map(|(at, part)| match part {
            StringPart::Plain(text) => Some((at, text.to_lowercase())),
            StringPart::Special(SpecialChar::WildcardMulti | SpecialChar::WildcardSingle) => None,
        });
        let Some(first) = parts.next() else { return Found::ANY };
        let (at, literal) =
            parts.fold(first, |one, other| if other.1.len() > one.1.len() { other } else { one });
        let field = &item.field;
        let before =
            at > 0 || field.has_modifier(Modifier::Contains) || field.has_modifier(Modifier::EndsWith);
        let behind = at + 1 < text.parts.len()
            || field.has_modifier(Modifier::Contains)
            || field.has_modifier(Modifier::StartsWith);
        let wrong = match () {
            () if literal.contains('/') => Some("a path is not in a hostname"),
            () if literal.contains(':') => Some("a port is not in a hostname"),
            () if literal.contains(|c: char| c.is_whitespace()) => Some("a hostname has no blanks"),
            () if literal.starts_with('.') && !before => Some("a hostname begins with no dot"),
            () if literal.ends_with('.') && !behind => Some("a hostname ends with no dot here"),
            () if !literal.is_ascii() => Some("a hostname on the wire is ASCII; write its A-label, xn--…"),
            () => None,
        };
        if let Some(wrong) = wrong {
            let right = literal.split(['/', ':']).next().unwrap_or_default().trim_matches(['.', ' ']);
            self.note(format!("`{shown}` can never match: {wrong}"), format!("write {right}"));
            self.never(format!("asks for `{shown}`, and {wrong}"));
            return impossible;
        }
        if let Some(apex) = literal.strip_prefix('.')
            && !behind
            && apex.contains('.')
            && !others.contains(apex)
        {
            self.note(format!("`{shown}` misses {apex} itself"), format!("write {apex} as well"));
        }
        let suffix = literal.strip_prefix('.').unwrap_or(&literal);
        let is_suffix =
            !behind && (suffix.contains('.') || literal.starts_with('.')) && !suffix.starts_with('-');
        let wanted = match () {
            () if is_suffix => Wanted::Suffix(suffix.to_owned()),
            () if literal.len() < Wanted::SHORTEST_TEXT => {
                self.note(
                    format!("`{shown}` is too short to look for in every name"),
                    "that is no name to look for; it is tried wherever the rule is asked".to_owned(),
                );
                return Found::ANY;
            }
            () if !before => Wanted::Start(literal),
            () if !behind => Wanted::End(literal),
            () => Wanted::Within(literal),
        };
        Found { hostnames: Some(BTreeSet::from([wanted])), possible: true }
    }

    /// The first reason stands.
    fn never(&mut self, why: String) {
        self.reading.never.get_or_insert(why);
    }

    fn note(&mut self, what: String, right: String) {
        let note = (what, right);
        if !self.reading.notes.contains(&note) {
            self.reading.notes.push(note);
        }
    }
}

fn plain(value: &SigmaValue) -> Option<String> {
    match value {
        SigmaValue::String(text) => text.as_plain(),
        _ => None,
    }
}
