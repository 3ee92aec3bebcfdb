//! Sigma rules over contacts: the community's own, the user's, and the built-in ones.
//!
//! Rules of the categories `network_connection`, `dns_query` and `dns` run unchanged, and `contact` (product `undertone`), which is
//! both. rsigma parses and evaluates them; here is what it is asked ([`fields`]), which hostnames rules ask for
//! (`names`), and when a rule may be asked at all: one that speaks of a process waits until the process is known, since rsigma reads a
//! missing field as no match, and an exclusion would not hold.
//!
//! A rule without a hostname runs on every connection whose process telemetry names, whatever its server is called
//! ([`SigmaRules::fire_on_connection`]); one of questions on listed names only. What is not served is named ([`Service`]): correlation rules,
//! other log sources, rules that can never fire.

mod anchors;
mod connections;
pub mod fields;
mod names;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, LazyLock};

use rsigma_eval::Engine;
use rsigma_parser::SigmaRule;

use super::{Facts, Level, Rule};
use crate::lists::Wanted;
use crate::originator::record::FeedKind;
use connections::OnConnections;
use fields::{ContactEvent, FIELDS};

/// Every Sigma rule that is loaded.
#[derive(Debug)]
pub struct SigmaRules {
    /// Whether the built-in ones are among them.
    builtin: bool,
    /// The user's.
    own: Set,
}

/// Rules that were read together.
struct Set {
    /// Rules for connections.
    connections: Engine,
    /// Rules for questions.
    questions: Engine,
    /// Rules that ask for no hostname.
    on_connections: OnConnections,
    loaded: Vec<Loaded>,
    /// Whether each of them asks for something of a process.
    all_need_process: bool,
    wanted: BTreeSet<Wanted>,
    reports: Vec<Report>,
}

/// A rule that runs.
struct Loaded {
    rule: Arc<Rule>,
    needs_process: bool,
    excluded_by: Vec<&'static str>,
    product: Option<String>,
}

/// A document of a rule file, and what became of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Report {
    /// The file; empty for a built-in rule.
    pub file: Box<str>,
    /// The rule's identity, where it has one.
    pub id: String,
    /// Its title, or what the file is about.
    pub title: String,
    /// Whether it runs, and on what.
    pub service: Service,
    /// What may not be as its author meant, and what would be right.
    pub notes: Vec<(String, String)>,
}

/// Whether a rule runs, and on what.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Service {
    /// On every contact with the hostnames that it asks for.
    Names(usize),
    /// On every connection whose process is known: it asks for no hostname.
    Connections,
    /// On every question for a listed name: it asks for no hostname.
    Listed,
    /// Not at all, and why.
    Unserved(String),
    /// It runs, and can never fire.
    Never(String),
    /// It is no rule.
    Refused(String),
}

impl Service {
    /// Whether something is wrong with the document itself.
    pub const fn is_wrong(&self) -> bool {
        matches!(self, Self::Never(_) | Self::Refused(_))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, title, service, notes, .. } = self;
        f.write_str(if file.is_empty() { "builtin" } else { file })?;
        if !title.is_empty() {
            write!(f, ": {title}")?;
        }
        write!(f, ": {service}")?;
        for (what, right) in notes {
            write!(f, "\n  {what}")?;
            if !right.is_empty() {
                write!(f, "; {right}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Names(1) => f.write_str("runs on 1 hostname"),
            Self::Names(count) => write!(f, "runs on {count} hostnames"),
            Self::Connections => f.write_str(
                "runs on every connection whose process telemetry (--feed) names: it asks for no hostname",
            ),
            Self::Listed => f.write_str("runs on questions for listed names only: it asks for no hostname"),
            Self::Unserved(why) => write!(f, "is not served: {why}"),
            Self::Never(why) => write!(f, "can never fire: it {why}"),
            Self::Refused(why) => write!(f, "is refused: {why}"),
        }
    }
}

macro_rules! builtin {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../builtin/", $name, ".yml")))),*]
    };
}

/// The built-in rules, by the names of their files.
const BUILTIN: &[(&str, &str)] = builtin!(
    "aggregate"
    "dead-drop"
    "no-browser"
    "process-list"
    "sequence"
    "sequence-any-age"
);

/// The built-in rules, compiled when they are asked for first: without telemetry they never are.
fn builtin() -> &'static Set {
    static SET: LazyLock<Set> =
        LazyLock::new(|| Set::load(BUILTIN.iter().map(|(_, text)| ("", text.as_bytes()))));
    &SET
}

impl Default for SigmaRules {
    fn default() -> Self {
        Self::new()
    }
}

impl SigmaRules {
    /// The most rules that are loaded: several times what the community has in all, and some hundred MiB.
    pub const MOST: usize = 50_000;

    /// Without any rule.
    pub fn new() -> Self {
        Self::load(false, [])
    }

    /// Loads rules: the built-in ones if wanted, and files by name and content.
    pub fn load<'f>(builtin: bool, files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Self {
        Self { builtin, own: Set::load(files) }
    }

    /// The built-in rules, where they are wanted.
    fn builtin(&self) -> Option<&'static Set> {
        self.builtin.then(builtin)
    }

    /// The rules that fire on a contact.
    pub fn fire(&self, facts: &Facts<'_>) -> Vec<Arc<Rule>> {
        let event = ContactEvent(*facts);
        let mut fired = Vec::new();
        // A test holds that each built-in rule speaks of a process.
        if !event.is_of_nobody()
            && let Some(builtin) = self.builtin()
        {
            builtin.fire(&event, &mut fired);
        }
        self.own.fire(&event, &mut fired);
        fired
    }

    /// Whether any rule is to be asked of connections whatever their servers are called.
    pub const fn ask_connections(&self) -> bool {
        // A test holds that each built-in rule asks for a hostname.
        !self.own.on_connections.is_empty()
    }

    /// Whether any rule may fire on a connection to this port by a process of this file: most connections are spared the rest.
    pub fn may_fire_on_connection(&self, image: &str, port: u16) -> bool {
        !self.own.on_connections.candidates(image, port).is_empty()
    }

    /// The rules without a hostname that fire on a connection, of those that [may](Self::may_fire_on_connection).
    pub fn fire_on_connection(&self, facts: &Facts<'_>, image: &str, port: u16) -> Vec<Arc<Rule>> {
        let event = ContactEvent(*facts);
        let candidates = self.own.on_connections.candidates(image, port).into_iter();
        let fired = candidates.filter(|free| rsigma_eval::evaluate_rule(&free.rule, &event).is_some());
        let loaded = fired.filter_map(|free| self.own.loaded.get(free.loaded));
        loaded.filter(|loaded| loaded.may_fire(&event)).map(|loaded| Arc::clone(&loaded.rule)).collect()
    }

    /// The hostnames that rules of the user's ask for.
    pub const fn wanted(&self) -> &BTreeSet<Wanted> {
        &self.own.wanted
    }

    /// How many of the user's rules run, and on what, in a line.
    pub fn summed_up(&self) -> String {
        let count = |is: &dyn Fn(&Service) -> bool| {
            self.own.reports.iter().filter(|report| is(&report.service)).count()
        };
        let parts = [
            (count(&|service| matches!(service, Service::Names(_))), "by hostname"),
            (count(&|service| matches!(service, Service::Connections)), "on connections by process"),
            (count(&|service| matches!(service, Service::Listed)), "on questions for listed names only"),
            (count(&|service| matches!(service, Service::Unserved(_))), "not served"),
            (count(&|service| matches!(service, Service::Never(_))), "that can never fire"),
            (count(&|service| matches!(service, Service::Refused(_))), "refused"),
        ];
        let all = count(&|_| true);
        let parts: Vec<_> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        format!("{all} rules: {} (undertone check says which)", parts.join(", "))
    }

    /// Every document of the user's, and what became of it.
    pub fn own_reports(&self) -> &[Report] {
        &self.own.reports
    }

    /// Every document, and what became of it: first the built-in ones.
    pub fn reports(&self) -> Vec<&Report> {
        self.sets().flat_map(|set| &set.reports).collect()
    }

    /// Every rule that runs.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Rule>> {
        self.sets().flat_map(|set| &set.loaded).map(|loaded| &loaded.rule)
    }

    fn sets(&self) -> impl Iterator<Item = &Set> {
        self.builtin().into_iter().chain([&self.own])
    }
}

impl Set {
    /// Reads files by name and content; those of built-in rules have no name.
    fn load<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> Self {
        let mut rules = Self {
            connections: Engine::new(),
            questions: Engine::new(),
            on_connections: OnConnections::default(),
            loaded: Vec::new(),
            all_need_process: true,
            wanted: BTreeSet::new(),
            reports: Vec::new(),
        };
        let mut compiled = [Vec::new(), Vec::new()];
        for (file, bytes) in files {
            rules.file(file, bytes, &mut compiled);
        }
        rules.all_need_process = rules.loaded.iter().all(|loaded| loaded.needs_process);
        let [connections, questions] = compiled;
        rules.connections.extend_compiled_rules(connections);
        rules.questions.extend_compiled_rules(questions);
        rules
    }

    /// Adds the rules that fire on a contact.
    fn fire(&self, event: &ContactEvent<'_>, to: &mut Vec<Arc<Rule>>) {
        // None of them would.
        if self.all_need_process && event.is_of_nobody() {
            return;
        }
        let connection = event.0.contact.observation.seen_in.is_connection();
        let engine = if connection { &self.connections } else { &self.questions };
        to.extend(engine.evaluate(event).into_iter().filter_map(|result| {
            let loaded = self.loaded.get(result.header.rule_id?.parse::<usize>().ok()?)?;
            loaded.may_fire(event).then(|| Arc::clone(&loaded.rule))
        }));
    }

    fn file(&mut self, file: &str, bytes: &[u8], compiled: &mut [Vec<rsigma_eval::CompiledRule>; 2]) {
        let refuse = |why: String| Report {
            file: file.into(),
            id: String::new(),
            title: String::new(),
            service: Service::Refused(why),
            notes: Vec::new(),
        };
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text.trim_start_matches('\u{feff}'),
            Err(_) => return self.reports.push(refuse("is not UTF-8".to_owned())),
        };
        let collection = match rsigma_parser::parse_sigma_yaml(text) {
            Ok(collection) => collection,
            Err(error) => return self.reports.push(refuse(error.to_string())),
        };
        self.reports.extend(collection.errors.into_iter().map(refuse));
        for correlation in collection.correlations {
            self.reports.push(Report {
                id: correlation.id.unwrap_or_default(),
                title: correlation.title,
                service: Service::Unserved(
                    "correlation rules need a SIEM; SecondsSinceProcessStart and the summary record stand for the common ones"
                        .to_owned(),
                ),
                ..refuse(String::new())
            });
        }
        for filter in collection.filters {
            self.reports.push(Report {
                id: filter.id.unwrap_or_default(),
                title: filter.title,
                service: Service::Unserved("filters of rules are not read; use --allow".to_owned()),
                ..refuse(String::new())
            });
        }
        for rule in collection.rules {
            self.rule(file, rule, compiled);
        }
    }

    fn rule(&mut self, file: &str, mut rule: SigmaRule, compiled: &mut [Vec<rsigma_eval::CompiledRule>; 2]) {
        let category = rule.logsource.category.clone().unwrap_or_default();
        let (connection, question) = match category.as_str() {
            "network_connection" => (true, false),
            "dns_query" | "dns" => (false, true),
            "contact" => (true, true),
            _ => (false, false),
        };
        let reading = names::read(&rule);
        let mut report = Report {
            file: file.into(),
            id: rule.id.clone().unwrap_or_default(),
            title: rule.title.clone(),
            service: match (&reading.hostnames, &reading.never) {
                (_, Some(why)) => Service::Never(why.clone()),
                (Some(names), None) => Service::Names(names.len()),
                (None, None) if connection => Service::Connections,
                (None, None) => Service::Listed,
            },
            notes: reading.notes,
        };
        if !connection && !question {
            let source =
                if category.is_empty() { "no category".to_owned() } else { format!("category {category}") };
            report.service = Service::Unserved(format!(
                "{source}; contacts are network_connection, dns_query, dns and contact"
            ));
        } else if self.loaded.len() >= SigmaRules::MOST {
            report.service = Service::Unserved(format!("{} rules are loaded already", SigmaRules::MOST));
        } else if reading.never.is_none() {
            let number = self.loaded.len();
            let told = Arc::new(self.told(file, &rule));
            // The engine gives the identity back: here, the place among the loaded rules.
            rule.id = Some(number.to_string());
            match rsigma_eval::compile_rule(&rule) {
                Ok(done) => {
                    if connection && reading.hostnames.is_none() {
                        self.on_connections.add(number, &rule, done.clone());
                    }
                    if !file.is_empty() {
                        self.wanted.extend(reading.hostnames.into_iter().flatten());
                    }
                    self.loaded.push(Loaded {
                        rule: told,
                        needs_process: reading.needs_process,
                        excluded_by: reading.excluded_by.into_iter().collect(),
                        product: rule.logsource.product.clone(),
                    });
                    let [connections, questions] = compiled;
                    if connection {
                        connections.push(done.clone());
                    }
                    if question {
                        questions.push(done);
                    }
                }
                Err(error) => report.service = Service::Refused(error.to_string()),
            }
        }
        self.reports.push(report);
    }

    /// The rule as findings quote it. Of what a built-in rule meets the level rules decide.
    fn told(&self, file: &str, rule: &SigmaRule) -> Rule {
        let level = rule.level.as_ref().map_or(Level::Medium, |level| {
            Level::ALL.into_iter().find(|known| known.as_str() == level.as_str()).unwrap_or(Level::Medium)
        });
        let builtin = file.is_empty();
        let technique = |tag: &String| {
            let name = tag.to_lowercase();
            let number = name.strip_prefix("attack.t")?;
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            is_number.then(|| format!("T{number}").into_boxed_str())
        };
        let author = rule.author.clone().filter(|_| !builtin);
        Rule {
            id: rule.id.clone().unwrap_or_default(),
            name: rule.title.clone(),
            level,
            decides: !builtin,
            techniques: rule.tags.iter().filter_map(technique).collect(),
            source: file.into(),
            author: author.map(String::into_boxed_str),
        }
    }
}

impl Loaded {
    /// Whether all is known that the rule speaks of.
    fn may_fire(&self, event: &ContactEvent<'_>) -> bool {
        let known = |name: &str| rsigma_eval::Event::get_field(event, name).is_some();
        if self.needs_process && event.is_of_nobody() {
            return false;
        }
        self.excluded_by.iter().all(|name| known(name)) && self.is_of_this_system(event)
    }

    /// Rules of another operating system do not fire, where it is known which one it is.
    fn is_of_this_system(&self, event: &ContactEvent<'_>) -> bool {
        let windows = match event.0.attribution.feed {
            Some(FeedKind::Sysmon | FeedKind::Security) => Some(true),
            Some(FeedKind::SysmonLinux) => Some(false),
            _ => match rsigma_eval::Event::get_field(event, "Image") {
                Some(rsigma_eval::EventValue::Str(path)) if path.contains('\\') => Some(true),
                Some(rsigma_eval::EventValue::Str(path)) if path.starts_with('/') => Some(false),
                _ => None,
            },
        };
        match (self.product.as_deref(), windows) {
            (Some("windows"), Some(windows)) => windows,
            (Some("linux" | "macos"), Some(windows)) => !windows,
            _ => true,
        }
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set").field("loaded", &self.loaded.len()).field("wanted", &self.wanted.len()).finish()
    }
}

/// The fields that rules see, as a table for people.
pub fn table() -> String {
    FIELDS.iter().map(|field| format!("{:<26}{}\n", field.name, field.about)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What lets the built-in rules wait until a process is known.
    #[test]
    fn built_in_rules_speak_of_a_process_and_ask_for_hostnames() {
        let set = builtin();
        assert_eq!(set.loaded.len(), BUILTIN.len());
        assert!(set.loaded.iter().all(|loaded| loaded.needs_process) && set.all_need_process);
        assert!(set.on_connections.is_empty());
        assert!(set.reports.iter().all(|report| matches!(report.service, Service::Names(_))));
        // None is added to those that the lists have to look for.
        assert!(set.wanted.is_empty() && SigmaRules::load(true, []).wanted().is_empty());
    }
}
