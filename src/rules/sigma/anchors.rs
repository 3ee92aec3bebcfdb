//! What a connection must have for a rule to be worth asking: the name of a file, or a port.
//!
//! A rule without a hostname is asked of every connection whose process is known. Nearly all of them name a few programs or a few ports, and
//! nearly every connection has none of these: so rules are found by them, and the others are not asked.

use std::collections::BTreeSet;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Modifier, Quantifier, SelectorPattern, SigmaRule, SigmaValue,
    StringPart,
};

/// What a connection must have one of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Anchors {
    /// Names of the process's file, in lower case.
    pub(super) files: BTreeSet<String>,
    /// The server's ports.
    pub(super) ports: BTreeSet<u16>,
}

impl Anchors {
    fn len(&self) -> usize {
        self.files.len() + self.ports.len()
    }
}

/// The anchors of a rule; none where it may be fulfilled without any.
pub(super) fn of(rule: &SigmaRule) -> Option<Anchors> {
    one(rule.detection.conditions.iter().map(|condition| of_condition(rule, condition)))
}

/// Every part has to hold: the one that leaves the fewest connections says which.
fn all(parts: impl Iterator<Item = Option<Anchors>>) -> Option<Anchors> {
    // A port alone leaves more than a program does.
    parts.flatten().min_by_key(|anchors| (!anchors.ports.is_empty(), anchors.len()))
}

/// One part has to hold.
fn one(parts: impl Iterator<Item = Option<Anchors>>) -> Option<Anchors> {
    let mut found = Anchors::default();
    for part in parts {
        let part = part?;
        found.files.extend(part.files);
        found.ports.extend(part.ports);
    }
    (found.len() > 0).then_some(found)
}

fn of_condition(rule: &SigmaRule, condition: &ConditionExpr) -> Option<Anchors> {
    match condition {
        ConditionExpr::And(parts) => all(parts.iter().map(|part| of_condition(rule, part))),
        ConditionExpr::Or(parts) => one(parts.iter().map(|part| of_condition(rule, part))),
        ConditionExpr::Not(_) => None,
        ConditionExpr::Identifier(name) => of_detection(rule.detection.named.get(name)?),
        ConditionExpr::Selector { quantifier, pattern } => {
            let named = rule.detection.named.iter().filter(|(name, _)| match pattern {
                SelectorPattern::Them => !name.starts_with('_'),
                SelectorPattern::Pattern(_) => pattern.matches_detection_name(name),
            });
            let parts = named.map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => all(parts),
                Quantifier::Any | Quantifier::Count(_) => one(parts),
            }
        }
    }
}

fn of_detection(detection: &Detection) -> Option<Anchors> {
    match detection {
        Detection::AllOf(items) => all(items.iter().map(of_item)),
        Detection::AnyOf(parts) => one(parts.iter().map(of_detection)),
        Detection::And(parts) => all(parts.iter().map(of_detection)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => None,
    }
}

fn of_item(item: &DetectionItem) -> Option<Anchors> {
    let field = &item.field;
    let plain = field.modifiers.is_empty();
    let each: fn(&SigmaValue) -> Option<Anchors> = match field.name.as_deref()? {
        "Image" if plain || field.modifiers.as_slice() == [Modifier::EndsWith] => |value| {
            let name = file(value)?;
            Some(Anchors { files: [name].into(), ..Anchors::default() })
        },
        "DestinationPort" if plain => |value| {
            let port = match value {
                SigmaValue::Integer(number) => u16::try_from(*number).ok()?,
                SigmaValue::String(text) => text.as_plain()?.parse().ok()?,
                _ => return None,
            };
            Some(Anchors { ports: [port].into(), ..Anchors::default() })
        },
        _ => return None,
    };
    one(item.values.iter().map(each))
}

/// The whole name of a file, where a path ends with one.
fn file(value: &SigmaValue) -> Option<String> {
    let SigmaValue::String(text) = value else { return None };
    let Some(StringPart::Plain(last)) = text.parts.last() else { return None };
    let (_, name) = last.rsplit_once(['\\', '/'])?;
    (!name.is_empty()).then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(detection: &str, files: &[&str], ports: &[u16]) {
        let text =
            format!("title: T\nlogsource:\n    category: network_connection\ndetection:\n{detection}\n");
        let collection = rsigma_parser::parse_sigma_yaml(&text).unwrap();
        let anchors = of(&collection.rules[0]);
        let expected = Anchors {
            files: files.iter().map(|name| (*name).to_owned()).collect(),
            ports: ports.iter().copied().collect(),
        };
        assert_eq!(anchors, (expected.len() > 0).then_some(expected), "{detection}");
    }

    #[test]
    fn programs_and_ports_are_found() {
        check("    s:\n        Image|endswith: '\\A.exe'\n    condition: s", &["a.exe"], &[]);
        check(
            "    s:\n        Image|endswith:\n            - '\\a.exe'\n            - '/b'\n        DestinationPort: 443\n    condition: s",
            &["a.exe", "b"],
            &[],
        );
        check(
            "    s:\n        DestinationPort:\n            - 80\n            - '443'\n    condition: s",
            &[],
            &[80, 443],
        );
        check("    s:\n        Image: 'C:\\x\\a.exe'\n    condition: s", &["a.exe"], &[]);
        check("    s:\n        Image: '*\\a.exe'\n    condition: s", &["a.exe"], &[]);
        check(
            "    s:\n        Image|endswith: '\\a.exe'\n    t:\n        DestinationPort: 1\n    condition: s or t",
            &["a.exe"],
            &[1],
        );
        check(
            "    s1:\n        Image|endswith: '\\a.exe'\n    s2:\n        Image|endswith: '\\b.exe'\n    f:\n        DestinationPort: 1\n    condition: 1 of s* and not f",
            &["a.exe", "b.exe"],
            &[],
        );
        check(
            "    s:\n        - Image|endswith: '\\a.exe'\n        - Image|endswith: '\\b.exe'\n    condition: s",
            &["a.exe", "b.exe"],
            &[],
        );
    }

    #[test]
    fn what_may_be_fulfilled_without_one_has_none() {
        for detection in [
            "    s:\n        Image|contains: '\\Users\\Public\\'\n    condition: s",
            "    s:\n        Image|endswith: 'a.exe'\n    condition: s",
            "    s:\n        Image|endswith: '\\a*'\n    condition: s",
            "    s:\n        Image|endswith: '\\'\n    condition: s",
            "    s:\n        DestinationPort|gt: 1000\n    condition: s",
            "    s:\n        DestinationPort: 443\n    condition: not s",
            "    s:\n        Image|endswith: '\\a.exe'\n    t:\n        User: x\n    condition: s or t",
            "    s:\n        Image|endswith:\n            - '\\a.exe'\n            - 'b.exe'\n    condition: s",
        ] {
            check(detection, &[], &[]);
        }
    }
}
