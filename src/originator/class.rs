//! What kind of program is behind a contact, and what about it is odd: [`Originator`].
//!
//! Judges a [`Process`] by its file's name, its path, its signer, the name it was built with, its parent and its command line, with the
//! data of [`programs`](super::programs). A name alone proves little: a browser is one only where browsers live. What was
//! found is kept as evidence, in words that an analyst can check.

use std::fmt;

use serde::Deserialize;

use super::attribution::{Attribution, Process};
use super::command_line::Signs;
use super::programs::{Place, Program, Programs, spelling, stem};
use crate::lists::Entry;

/// What kind of program it is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A web browser, in its own place.
    Browser,
    /// Keeps files in step with a cloud.
    SyncClient,
    /// Chats, meetings, notes, mail, media.
    Collaboration,
    /// Edits or shows documents.
    Office,
    /// Makes software: editors, version control, package managers, containers.
    DeveloperTool,
    /// Keeps programs up to date.
    Updater,
    /// Guards, watches or tunnels the endpoint.
    SecurityTool,
    /// A shell or the runtime of a language.
    Interpreter,
    /// A program of the system that intruders use to run or fetch things.
    Lolbin,
    /// Fetches or sends what it is told.
    DownloadUtility,
    /// Belongs to the system, or serves others.
    SystemService,
    /// Acts for others: a resolver, BITS, WebClient, a proxy.
    Delegate,
    /// None of these.
    #[default]
    Unknown,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 13] = [
        Self::Browser,
        Self::SyncClient,
        Self::Collaboration,
        Self::Office,
        Self::DeveloperTool,
        Self::Updater,
        Self::SecurityTool,
        Self::Interpreter,
        Self::Lolbin,
        Self::DownloadUtility,
        Self::SystemService,
        Self::Delegate,
        Self::Unknown,
    ];

    /// The word in records and rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Browser => "browser",
            Self::SyncClient => "sync-client",
            Self::Collaboration => "collaboration",
            Self::Office => "office",
            Self::DeveloperTool => "developer-tool",
            Self::Updater => "updater",
            Self::SecurityTool => "security-tool",
            Self::Interpreter => "interpreter",
            Self::Lolbin => "lolbin",
            Self::DownloadUtility => "download-utility",
            Self::SystemService => "system-service",
            Self::Delegate => "delegate",
            Self::Unknown => "unknown",
        }
    }

    /// Whether users install such programs for themselves, wherever they like.
    pub(super) const fn is_of_users(self) -> bool {
        matches!(
            self,
            Self::Browser | Self::SyncClient | Self::Collaboration | Self::Office | Self::DeveloperTool
        )
    }

    /// Whether it does what it is told by whoever calls it.
    pub const fn is_suspicious(self) -> bool {
        matches!(self, Self::Interpreter | Self::Lolbin | Self::DownloadUtility)
    }
}

/// What is odd about an originator.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tag {
    /// It does what it is told: a shell, an interpreter, a LOLBin, a download utility.
    SuspiciousProcess,
    /// It runs scripts.
    ScriptingProcess,
    /// Who started it does not start such programs: Office, a mail client, a PDF reader, a web server, a script host.
    UnusualParent,
    /// Its command line has the words of a download cradle or an encoded command.
    SuspiciousCommandLine,
    /// The code that it runs stands in its command line.
    InlineCode,
    /// It is not what its name says.
    Masquerade,
    /// Its file or its script lies where things are dropped.
    UnusualPath,
}

impl Tag {
    /// Every tag.
    pub const ALL: [Self; 7] = [
        Self::SuspiciousProcess,
        Self::ScriptingProcess,
        Self::UnusualParent,
        Self::SuspiciousCommandLine,
        Self::InlineCode,
        Self::Masquerade,
        Self::UnusualPath,
    ];

    /// The word in records and rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SuspiciousProcess => "suspicious-process",
            Self::ScriptingProcess => "scripting-process",
            Self::UnusualParent => "unusual-parent",
            Self::SuspiciousCommandLine => "suspicious-command-line",
            Self::InlineCode => "inline-code",
            Self::Masquerade => "masquerade",
            Self::UnusualPath => "unusual-path",
        }
    }
}

/// What an interpreter runs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Script {
    /// That is not known, or it is no interpreter.
    #[default]
    None,
    /// A file of a relative path, or below somebody's home.
    Loose,
    /// A file outside of homes and of the places where things are dropped.
    Settled,
}

impl Script {
    /// The word in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Loose => "loose",
            Self::Settled => "settled",
        }
    }
}

/// What is known of the program behind a contact.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Originator {
    /// What kind of program.
    pub class: Class,
    /// The file's name in lower case, without `.exe`; empty where it is not known.
    pub name: Box<str>,
    /// The program in whose own folder its file lies, where it is a part of that: `discord` of Discord's `Update.exe`.
    pub part_of: Option<Box<str>>,
    /// What is odd, in the order of [`Tag`].
    pub tags: Vec<Tag>,
    /// What the tags rest on, for people.
    pub evidence: Vec<String>,
    /// Where its file lies.
    pub place: Place,
    /// Whether its place or its signer bears out what its name says.
    pub confirmed: bool,
    /// For what its connections are made, where it acts for others: `bits`, `webclient`, `dns-client`, `winhttp`, `system`, `proxy`.
    pub delegate: Option<Box<str>>,
    /// What it runs.
    pub script: Script,
    /// What kind of program started it, by its name.
    pub parent: Option<Class>,
}

impl Originator {
    /// Whoever an attribution names; `None` where it names nobody. The programs are asked for only where it names somebody.
    pub fn of(attribution: &Attribution, programs: impl FnOnce() -> &'static Programs) -> Option<Self> {
        match (attribution.originator(), &attribution.delegated) {
            (Some(process), _) => Some(Self::of_process(process, programs())),
            // It acts for somebody who is not known.
            (None, Some(delegated)) => {
                let name = attribution.process.as_ref().map(|process| named(process).1);
                Some(Self {
                    class: Class::Delegate,
                    name: name.unwrap_or_default(),
                    evidence: vec![format!("acts for another ({})", delegated.kind)],
                    confirmed: true,
                    delegate: Some((*delegated.kind).into()),
                    ..Self::default()
                })
            }
            (None, None) => None,
        }
    }

    /// What is known of a process.
    pub fn of_process(process: &Process, programs: &Programs) -> Self {
        let mut judge = Judge::new(process, programs);
        judge.class();
        judge.parent();
        judge.command_line();
        judge.originator.tags.sort_unstable();
        judge.originator.tags.dedup();
        judge.originator
    }

    /// Whether it is at home at a service: one of the clients that the list names for it, or a developer's tool on a developer's
    /// platform.
    pub fn is_at_home(&self, entry: &Entry) -> bool {
        if self.has(Tag::Masquerade) || self.class.is_suspicious() {
            return false;
        }
        let named = entry.about.clients.iter().any(|client| match client.strip_prefix('@') {
            Some(class) => class == self.class.as_str(),
            None => **client == *self.name || Some(client) == self.part_of.as_ref(),
        });
        let where_it_may_be = self.place == Place::Own || !self.place.is_unusual();
        let developer = self.class == Class::DeveloperTool && entry.is_in("dev-platform");
        (named || developer) && where_it_may_be
    }

    /// Whether it has a tag.
    pub fn has(&self, tag: Tag) -> bool {
        self.tags.contains(&tag)
    }
}

/// A process while it is judged.
struct Judge<'a> {
    process: &'a Process,
    programs: &'a Programs,
    /// The file's path in one spelling; its name alone where the feed knows no more.
    path: String,
    program: Option<&'a Program>,
    originator: Originator,
}

impl<'a> Judge<'a> {
    fn new(process: &'a Process, programs: &'a Programs) -> Self {
        let (mut path, name) = named(process);
        let program = programs.named(&name);
        if !path.contains('/')
            && let Some(called) = called(process, &name)
            && programs.place(&called, program).is_unusual()
        {
            path = called;
        }
        Self { process, programs, path, program, originator: Originator { name, ..Originator::default() } }
    }

    fn class(&mut self) {
        let program = self.program;
        let place = self.programs.place(&self.path, program);
        self.originator.place = place;
        if place.is_unusual() {
            self.tag(Tag::UnusualPath, format_args!("runs from {}", self.shown_path()));
        }
        self.odd_name();
        match program {
            Some(program) => self.known(program, place),
            None => match self.programs.owner(&self.path, place) {
                Some(owner) => self.part_of(owner),
                None => self.unknown(place),
            },
        }
        self.built_as();
        let class = self.originator.class;
        if class.is_suspicious() {
            let name = self.originator.name.clone();
            self.tag(Tag::SuspiciousProcess, format_args!("{name} is {}", Article(class)));
        }
    }

    fn known(&mut self, program: &'a Program, place: Place) {
        let has_home = program.has_home();
        let class = program.class;
        let signed = self.signed(program);
        let portable = program.is_portable_at(&self.path);
        // A shell is one wherever it lies; a browser is not.
        let holds = class.is_suspicious()
            || match place {
                Place::Own | Place::NotKnown => true,
                Place::Dropped | Place::Temporary => false,
                Place::Installed => {
                    !has_home || (class != Class::SystemService && !self.path.starts_with("/windows/"))
                }
                // Nobody takes the name of a program that few have; on another drive it may be installed.
                Place::Other | Place::Home | Place::UserInstalled => {
                    !has_home
                        || signed == Some(true)
                        || portable
                        || (!program.imitated && class.is_of_users())
                }
            };
        let elsewhere = !matches!(place, Place::Own | Place::NotKnown);
        self.originator.confirmed = match signed {
            Some(signed) => signed && holds,
            None => place == Place::Own || (!has_home && elsewhere && holds),
        };
        let name = self.originator.name.clone();
        if program.imitated && has_home && elsewhere && (!holds || class.is_suspicious()) {
            self.tag(Tag::Masquerade, format_args!("{name} outside its own place: {}", self.shown_path()));
        } else if !holds && !has_home {
            self.tag(Tag::Masquerade, format_args!("{name} in a place where things are dropped"));
        }
        if signed == Some(false) {
            let signer = self.process.signer.as_deref().unwrap_or_default();
            self.tag(Tag::Masquerade, format_args!("{name} signed by {signer}"));
        }
        if holds && signed != Some(false) {
            self.originator.class = class;
            self.originator.delegate.clone_from(&program.delegate);
            self.services_of_windows();
        }
        if program.scripting {
            self.tag(Tag::ScriptingProcess, format_args!("{name} runs scripts"));
        }
    }

    /// Nobody knows its name, and it lies where only one program's own files are: its updater, its helper.
    fn part_of(&mut self, owner: &'a Program) {
        let Some(of) = owner.names.first() else { return };
        self.originator.evidence.push(format!("lies in the folder of {of}"));
        self.originator.class = owner.class;
        self.originator.part_of = Some(of.clone());
    }

    fn unknown(&mut self, place: Place) {
        let name = self.originator.name.clone();
        if self.process.pid == Some(4) && &*name == "system" {
            self.originator.class = Class::Delegate;
            self.originator.delegate = Some("system".into());
            self.originator.confirmed = true;
        } else if place != Place::Installed
            && let Some(known) = self.programs.imitated_by(&name)
        {
            self.tag(Tag::Masquerade, format_args!("{name} looks like {known}"));
        }
    }

    /// Whether its signer is one of the program's. `None` where either is not known.
    fn signed(&self, program: &Program) -> Option<bool> {
        let signer = self.process.signer.as_deref()?;
        if program.signers.is_empty() {
            return None;
        }
        Some(program.signers.iter().any(|known| signer.to_lowercase().contains(&known.to_lowercase())))
    }

    /// Names that hide what the file is.
    fn odd_name(&mut self) {
        let name = self.originator.name.clone();
        const DOCUMENTS: [&str; 12] = [
            ".pdf", ".doc", ".docx", ".xls", ".xlsx", ".jpg", ".png", ".txt", ".zip", ".mp4", ".ppt", ".html",
        ];
        if DOCUMENTS.iter().any(|document| name.trim_end().ends_with(document)) {
            self.tag(Tag::Masquerade, format_args!("{name} is named as a document"));
        }
        if name.contains(['\u{202e}', '\u{202d}', '\u{200b}', '\u{2066}', '\u{2067}']) {
            self.tag(Tag::Masquerade, "its name has characters that change how it is shown");
        }
        // Only threads of the kernel have brackets, and no file.
        if name.starts_with('[') && self.path.contains('/') {
            self.tag(Tag::Masquerade, format_args!("{name} is named as a thread of the kernel"));
        }
    }

    /// The name that the file was built with, where the feed knows it.
    fn built_as(&mut self) {
        let Some(original) = self.process.original_name.as_deref().filter(|name| !name.is_empty()) else {
            return;
        };
        let Some(built) = self.programs.built_as(original) else { return };
        if self.program.is_some_and(|program| std::ptr::eq(program, built)) {
            return;
        }
        let dangerous =
            built.class.is_suspicious() || matches!(built.class, Class::SystemService | Class::SecurityTool);
        if dangerous {
            let name = self.originator.name.clone();
            self.tag(Tag::Masquerade, format_args!("{name} was built as {original}"));
            self.originator.class = built.class;
            self.originator.confirmed = false;
            if built.scripting {
                self.tag(Tag::ScriptingProcess, format_args!("{original} runs scripts"));
            }
        }
    }

    /// Services that run in svchost.exe and connect for others.
    fn services_of_windows(&mut self) {
        if &*self.originator.name != "svchost" {
            return;
        }
        let line = self.process.command_line.as_deref().unwrap_or_default().to_lowercase();
        let mut words = line.split_whitespace().skip_while(|word| *word != "-s");
        let kind = match words.nth(1) {
            Some("bits") => "bits",
            Some("webclient") => "webclient",
            Some("dnscache") => "dns-client",
            Some("winhttpautoproxysvc") => "winhttp",
            _ => return,
        };
        self.originator.class = Class::Delegate;
        self.originator.delegate = Some(kind.into());
        self.originator.evidence.push(format!("svchost for {kind}"));
    }

    fn parent(&mut self) {
        let Some(parent) = &self.process.parent else { return };
        let class = self.originator.class;
        let (_, name) = named(parent);
        self.originator.parent = self.programs.named(&name).map(|program| program.class);
        if let Some(program) = self.program
            && !(program.started_by.is_empty() || name.is_empty() || program.started_by.contains(&name))
        {
            let own = self.originator.name.clone();
            self.tag(Tag::Masquerade, format_args!("{own} started by {name}"));
        }
        if !(class.is_suspicious() || class == Class::Unknown) {
            return;
        }
        let Some(program) = self.programs.named(&name).filter(|program| program.parent) else { return };
        // A script host that starts another of its kind, and a server that starts its own worker, are ordinary.
        if self.program.is_some_and(|own| std::ptr::eq(own, program)) {
            return;
        }
        self.tag(Tag::UnusualParent, format_args!("started by {name}"));
    }

    fn command_line(&mut self) {
        let class = self.originator.class;
        let Some(line) = self.process.command_line.as_deref() else { return };
        let reads = class.is_suspicious() || matches!(class, Class::Browser | Class::Unknown);
        if !reads {
            return;
        }
        let kind = match self.program {
            Some(_) => self.originator.name.clone(),
            // Renamed: its line is that of what it was built as.
            None => self.process.original_name.as_deref().map_or_else(
                || self.originator.name.clone(),
                |original| stem(&original.to_lowercase()).into(),
            ),
        };
        let signs = Signs::read(line, &kind);
        for word in signs.words.iter().filter(|word| word.starts_with("--") == (class == Class::Browser)) {
            self.tag(Tag::SuspiciousCommandLine, word);
        }
        if matches!(class, Class::Interpreter | Class::Lolbin) {
            if signs.inline {
                self.tag(Tag::InlineCode, "code in the command line");
            }
            self.script(&signs);
        }
    }

    fn script(&mut self, signs: &Signs) {
        if let Some(module) = &signs.module {
            let first = module.split('.').next().unwrap_or_default();
            if is_tool(self.programs, first)
                || ["azure", "awscli", "ensurepip", "venv", "build", "twine"].contains(&first)
            {
                self.tool(first);
            }
        }
        let Some(script) = &signs.script else { return };
        let path = spelling(script);
        let place = self.programs.place(&path, None);
        if place.is_unusual() {
            self.tag(Tag::UnusualPath, format_args!("runs {script}"));
            return;
        }
        let name = stem(&path);
        let bare = [".js", ".cjs", ".mjs", ".py", ".rb", ".pl", ".phar"]
            .iter()
            .find_map(|end| name.strip_suffix(end));
        let package = package(&path);
        let absolute = script.starts_with(['/', '\\']) || script.get(1..2) == Some(":");
        let named = package.or(bare).unwrap_or(name);
        // Whoever writes a script calls it as he likes; an installed one has its name from its package.
        let is_its_own = bare.is_none() || package.is_some() || place == Place::Installed;
        let tool = self.programs.tool_of(&path).and_then(|tool| tool.names.first());
        if absolute && is_its_own && is_tool(self.programs, named) {
            self.tool(named);
        } else if let Some(tool) = tool {
            self.tool(tool);
        } else if place == Place::Installed
            && bare.is_none()
            && let Some(program) = self.programs.named(named)
            && matches!(program.class, Class::SyncClient | Class::Collaboration | Class::Updater)
        {
            self.is_really(named, program.class);
        }
        self.originator.script = match place {
            Place::Installed | Place::Other if absolute => Script::Settled,
            _ => Script::Loose,
        };
    }

    /// An interpreter that runs a developer's tool is that tool.
    fn tool(&mut self, name: &str) {
        self.is_really(name, Class::DeveloperTool);
    }

    /// An interpreter that runs a program is that program.
    fn is_really(&mut self, name: &str, class: Class) {
        if self.originator.class == Class::Interpreter && !self.originator.has(Tag::Masquerade) {
            self.originator.evidence.push(format!("runs {name}"));
            self.originator.class = class;
            self.originator.name = name.into();
            self.originator.confirmed = false;
        }
    }

    fn tag(&mut self, tag: Tag, evidence: impl fmt::Display) {
        self.originator.tags.push(tag);
        let evidence = evidence.to_string();
        if !self.originator.evidence.contains(&evidence) {
            self.originator.evidence.push(evidence);
        }
    }

    fn shown_path(&self) -> String {
        self.process
            .executable
            .as_deref()
            .filter(|path| path.contains(['/', '\\']))
            .unwrap_or(&self.path)
            .to_owned()
    }
}

fn is_tool(programs: &Programs, name: &str) -> bool {
    programs.named(name).is_some_and(|program| program.class == Class::DeveloperTool)
}

/// The package that a script of Node's belongs to, by the folder below the last `node_modules`: `claude-code` of
/// `…/node_modules/@anthropic-ai/claude-code/cli.js`.
fn package(path: &str) -> Option<&str> {
    let (_, within) = path.rsplit_once("/node_modules/")?;
    let mut folders = within.split('/');
    let first = folders.next()?;
    if first.starts_with('@') { folders.next() } else { Some(first) }
}

/// The path of a process's file in one spelling, and its name without `.exe`.
fn named(process: &Process) -> (String, Box<str>) {
    let path = spelling(process.executable.as_deref().or(process.name.as_deref()).unwrap_or_default());
    let name = match &process.executable {
        Some(_) => stem(&path).into(),
        None => stem(&process.name.as_deref().unwrap_or_default().to_lowercase()).into(),
    };
    (path, name)
}

/// The path by which a process was called, where its feed knows no more than the name of its file and the two agree. Whoever starts a
/// process may write here what he likes, so that this bears nothing out; it may well tell against it.
fn called(process: &Process, name: &str) -> Option<String> {
    let line = process.command_line.as_deref()?.trim_start();
    let first = match line.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => line.split_whitespace().next(),
    };
    let path = spelling(first?);
    (path.contains('/') && stem(&path) == name).then_some(path)
}

/// A class in a sentence.
struct Article(Class);

impl fmt::Display for Article {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Class::Interpreter => "a shell or an interpreter",
            Class::Lolbin => "a program of the system that intruders use",
            Class::DownloadUtility => "a download utility",
            other => other.as_str(),
        })
    }
}

#[cfg(test)]
#[path = "class_tests.rs"]
mod tests;
