//! Which program is what, and where it lives: the data file `programs.toml`, ready to be asked.
//!
//! Knows names and folders, and nothing of processes; [`class`](super::class) puts them together. Paths of Windows, Linux and
//! macOS are compared in one spelling: lower case, forward slashes, no drive.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;
use serde::Deserialize;

use super::class::Class;

/// Every known program, and the kinds of places.
#[derive(Debug, Default)]
pub struct Programs {
    programs: Vec<Program>,
    by_name: FxHashMap<Box<str>, usize>,
    /// Names that end with `*`, without it.
    by_start: Vec<(Box<str>, usize)>,
    by_original: FxHashMap<Box<str>, usize>,
    places: Vec<(Pattern, Place)>,
}

/// A program, or several of one maker.
#[derive(Debug)]
pub struct Program {
    /// What it is.
    pub class: Class,
    /// For what its connections are made, where it acts for others.
    pub delegate: Option<Box<str>>,
    /// Whether it runs scripts.
    pub scripting: bool,
    /// Whether a shell that it starts is unusual.
    pub parent: bool,
    /// Whether intruders take its name.
    pub imitated: bool,
    /// Who signs it.
    pub signers: Box<[Box<str>]>,
    /// The names of its file; the first is the program's.
    pub(super) names: Box<[Box<str>]>,
    versioned: bool,
    /// Folders of its own; none where it may live anywhere.
    paths: Box<[Pattern]>,
    /// Who alone starts it; empty where anybody may.
    pub(super) started_by: Box<[Box<str>]>,
    /// Folders, wherever they are, in which it is carried about.
    portable: Box<[Box<str>]>,
}

impl Program {
    /// Whether it has places of its own.
    pub fn has_home(&self) -> bool {
        !self.paths.is_empty()
    }

    /// Whether a path, in one spelling, lies in a folder in which it is carried about on a stick or unpacked. This bears out
    /// nothing.
    pub fn is_portable_at(&self, path: &str) -> bool {
        let mut folders = path.rsplit('/').skip(1);
        folders.any(|folder| self.portable.iter().any(|portable| fits(portable, folder)))
    }
}

/// Where a file lies.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Place {
    /// Its path is not known.
    #[default]
    NotKnown,
    /// Where this program lives.
    Own,
    /// Where only administrators write.
    Installed,
    /// Where users install programs for themselves, below their homes.
    UserInstalled,
    /// Below somebody's home.
    Home,
    /// Where downloads and installers run.
    Temporary,
    /// Where anybody can write, and no installer leaves a program.
    Dropped,
    /// Anywhere else.
    Other,
}

impl Place {
    /// The word in rules.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotKnown => "not-known",
            Self::Own => "own",
            Self::Installed => "installed",
            Self::UserInstalled => "user-installed",
            Self::Home => "home",
            Self::Temporary => "temporary",
            Self::Dropped => "dropped",
            Self::Other => "other",
        }
    }

    /// Whether what runs here may well have been left by an intruder.
    pub const fn is_unusual(self) -> bool {
        matches!(self, Self::Temporary | Self::Dropped)
    }
}

impl Programs {
    /// The built-in ones.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Programs> = LazyLock::new(|| {
            // A test holds that it is well-formed.
            Programs::read(include_str!("programs.toml")).unwrap_or_default()
        });
        &BUILTIN
    }

    /// Reads the data file.
    ///
    /// # Errors
    /// When it is no TOML of this form; the message says where.
    pub fn read(text: &str) -> Result<Self, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        let mut programs = Self::default();
        let kinds = [
            (&file.places.exceptions, Place::Installed),
            (&file.places.homes, Place::Home),
            (&file.places.dropped, Place::Dropped),
            (&file.places.temporary, Place::Temporary),
            (&file.places.installed, Place::Installed),
            (&file.places.user_installed, Place::UserInstalled),
        ];
        for (paths, place) in kinds {
            let patterns = paths.iter().flat_map(|path| Pattern::read(path));
            programs.places.extend(patterns.map(|pattern| (pattern, place)));
        }
        for form in file.program {
            let at = programs.programs.len();
            let names: Box<[Box<str>]> = form.names.into_iter().map(String::into_boxed_str).collect();
            for name in &names {
                match name.strip_suffix('*') {
                    Some(start) => programs.by_start.push((start.into(), at)),
                    None => _ = programs.by_name.insert(name.clone(), at),
                }
            }
            for name in form.built_as {
                programs.by_original.insert(name.into_boxed_str(), at);
            }
            programs.programs.push(Program {
                class: form.class,
                delegate: form.delegate.map(String::into_boxed_str),
                scripting: form.scripting,
                parent: form.parent,
                imitated: form.imitated,
                signers: form.signers.into_iter().map(String::into_boxed_str).collect(),
                names,
                versioned: form.versioned,
                paths: form.paths.iter().flat_map(|path| Pattern::read(path)).collect(),
                started_by: form.started_by.into_iter().map(String::into_boxed_str).collect(),
                portable: form.portable.into_iter().map(|name| name.to_lowercase().into()).collect(),
            });
        }
        Ok(programs)
    }

    /// The program of a file's name, as [`stem`] gives it.
    pub fn named(&self, stem: &str) -> Option<&Program> {
        let of = |name: &str| self.by_name.get(name).and_then(|at| self.programs.get(*at));
        of(stem)
            .or_else(|| of(unversioned(stem)?).filter(|program| program.versioned))
            .or_else(|| self.cut_short(stem))
            .or_else(|| {
                let (_, at) = self.by_start.iter().find(|(start, _)| stem.starts_with(&**start))?;
                self.programs.get(*at)
            })
    }

    /// The program that a file was built as.
    pub fn built_as(&self, original: &str) -> Option<&Program> {
        let lower = original.to_lowercase();
        let whole = self.by_original.get(lower.trim()).and_then(|at| self.programs.get(*at));
        let lower = lower.trim().trim_end_matches(".mui");
        whole.or_else(|| self.named(stem(lower.strip_suffix(".dll").unwrap_or(lower))))
    }

    /// Linux keeps fifteen characters of a process's name.
    fn cut_short(&self, stem: &str) -> Option<&Program> {
        if stem.len() != LINUX_NAME {
            return None;
        }
        self.programs.iter().find(|program| program.names.iter().any(|name| name.starts_with(stem)))
    }

    /// The well-known name that a name only looks like.
    pub fn imitated_by(&self, stem: &str) -> Option<&str> {
        let known = self.programs.iter().filter(|program| program.imitated);
        let mut names =
            known.flat_map(|program| &program.names).filter(|name| name.len() >= SHORTEST_IMITATED);
        names.find(|name| looks_like(stem, name)).map(|name| &**name)
    }

    /// The program of which a file of an unknown name is a part: it lies in a folder that is this program's alone. Where only
    /// administrators write any file there is; in a user's folder one whose name says what it is for.
    pub fn owner(&self, path: &str, place: Place) -> Option<&Program> {
        const PARTS: [&str; 8] =
            ["update", "updater", "squirrel", "crash", "helper", "uninst", "elevat", "notif"];
        let name = stem(path);
        let is_part = match place {
            Place::Installed => true,
            Place::Home | Place::UserInstalled | Place::Dropped => {
                PARTS.iter().any(|part| name.contains(part))
            }
            _ => false,
        };
        if !is_part {
            return None;
        }
        let parts: Vec<&str> = folders(path).collect();
        let of_users = self.programs.iter().filter(|program| program.class.is_of_users() && program.imitated);
        let mut of_users = of_users.filter(|program| {
            program.paths.iter().any(|pattern| pattern.is_of_one_program() && pattern.begins(&parts))
        });
        of_users.next()
    }

    /// The developer's tool in whose own folder a script lies: an editor's extension, or its half on another machine.
    pub fn tool_of(&self, path: &str) -> Option<&Program> {
        let parts: Vec<&str> = folders(path).collect();
        let mut tools = self.programs.iter().filter(|program| program.class == Class::DeveloperTool);
        tools.find(|program| {
            program.paths.iter().any(|pattern| pattern.is_of_one_program() && pattern.begins(&parts))
        })
    }

    /// What kind of place a path is, in one spelling ([`spelling`]), for a program, if it is a known one: the longer folder stands.
    pub fn place(&self, path: &str, program: Option<&Program>) -> Place {
        if !path.contains('/') {
            return Place::NotKnown;
        }
        let parts: Vec<&str> = folders(path).collect();
        let begins = |pattern: &&Pattern| pattern.begins(&parts);
        let own = program.and_then(|program| program.paths.iter().filter(begins).map(Pattern::len).max());
        let place = self.places.iter().find(|(pattern, _)| pattern.begins(&parts));
        match (own, place) {
            (Some(own), Some((pattern, place))) if place.is_unusual() && pattern.len() > own => *place,
            (Some(_), _) => Place::Own,
            (None, Some((_, place))) => *place,
            (None, None) => match parts.first().copied() {
                Some("users" | "home" | "root" | "documents and settings") => Place::Home,
                _ => Place::Other,
            },
        }
    }
}

/// The longest name of a process that Linux keeps (`TASK_COMM_LEN` without its end).
const LINUX_NAME: usize = 15;

/// Shorter names are within too many others.
const SHORTEST_IMITATED: usize = 6;

/// A file's name without its folders and without `.exe`, and without what macOS puts behind a helper's: `(Renderer)`.
pub(super) fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let name = name.strip_suffix(" (deleted)").unwrap_or(name);
    let name = name.strip_suffix(".exe").unwrap_or(name);
    name.strip_suffix(')').and_then(|front| front.rsplit_once(" (")).map_or(name, |(front, _)| front)
}

/// The name before the version: `python` of `python3.11` and of `python-3`.
fn unversioned(stem: &str) -> Option<&str> {
    let name = stem.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-' | '_'));
    let name = if name.len() < stem.len() { name } else { return None };
    // pythonw3.11, perl5.36.0-x86, python3.11m
    (!name.is_empty()).then_some(name)
}

/// The folders of a path in one spelling, and its file.
fn folders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

/// A path in one spelling: lower case, forward slashes, without drive, device or `..`.
pub(super) fn spelling(path: &str) -> String {
    let lower = path.trim_matches(['"', ' ']).to_lowercase().replace('\\', "/");
    let mut rest = lower.strip_suffix(" (deleted)").unwrap_or(&lower);
    rest = rest.strip_prefix("//?/").or_else(|| rest.strip_prefix("/??/")).unwrap_or(rest);
    if let Some(device) = rest.strip_prefix("/device/harddiskvolume") {
        rest = device.trim_start_matches(|c: char| c.is_ascii_digit());
    } else if let Some((drive, after)) = rest.split_once(':')
        && drive.len() == 1
    {
        rest = after;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            ".." => _ = parts.pop(),
            "." => {}
            "progra~1" => parts.push("program files"),
            "progra~2" => parts.push("program files (x86)"),
            "%windir%" | "%systemroot%" | "systemroot" if parts.len() < 2 => parts = vec!["", "windows"],
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// Whether a name is another with something before or behind it (`evil-chrome`, `svchost32`), or with one slip (`scvhost`).
fn looks_like(name: &str, known: &str) -> bool {
    if name == known {
        return false;
    }
    let within = name.match_indices(known).any(|(at, _)| {
        let before = name.get(..at).and_then(|front| front.chars().next_back());
        let after = name.get(at + known.len()..).and_then(|rest| rest.chars().next());
        before.is_none_or(|c| !c.is_alphanumeric()) && after.is_none_or(|c| !c.is_alphabetic())
    });
    within || is_one_slip_away(name.as_bytes(), known.as_bytes())
}

/// Whether one character was added, left out, changed, or two neighbours were swapped.
fn is_one_slip_away(one: &[u8], other: &[u8]) -> bool {
    let same_start = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) =
        (one.get(same_start..).unwrap_or_default(), other.get(same_start..).unwrap_or_default());
    match (one, other) {
        ([], [_]) | ([_], []) => true,
        ([a, one @ ..], [b, other @ ..]) => {
            let swapped = match (one, other) {
                ([c, one @ ..], [d, other @ ..]) => a == d && b == c && one == other,
                _ => false,
            };
            let left_out = std::iter::once(b).chain(other).eq(one);
            let added = std::iter::once(a).chain(one).eq(other);
            // A digit in place of another digit is another version, not a slip.
            let changed = one == other && !(a.is_ascii_digit() && b.is_ascii_digit());
            swapped || left_out || added || changed
        }
        _ => false,
    }
}

/// The beginning of a path: its folders, each with `*` for any characters.
#[derive(Debug)]
struct Pattern(Box<[Box<str>]>);

impl Pattern {
    /// A path of the data file; several where a short form stands for several.
    fn read(path: &str) -> Vec<Self> {
        const SHORT: [(&str, &[&str]); 5] = [
            ("%programfiles%", &["/program files", "/program files (x86)"]),
            ("%localappdata%", &["/users/*/appdata/local"]),
            ("%appdata%", &["/users/*/appdata/roaming"]),
            ("%systemroot%", &["/windows"]),
            ("~/", &["/home/*/", "/root/", "/users/*/"]),
        ];
        let lower = path.to_lowercase();
        for (short, long) in SHORT {
            if let Some(rest) = lower.strip_prefix(short) {
                return long.iter().map(|long| Self::of(&format!("{long}{rest}"))).collect();
            }
        }
        vec![Self::of(path)]
    }

    fn of(path: &str) -> Self {
        Self(spelling(path).split('/').filter(|part| !part.is_empty()).map(Box::from).collect())
    }

    const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it is the folder of one program, and not one that many share.
    fn is_of_one_program(&self) -> bool {
        let [first, .., last] = &*self.0 else { return false };
        let least = match &**first {
            "users" if self.0.get(2).is_some_and(|third| **third == *"appdata") => 5,
            "users" => 3,
            "usr" | "home" | "root" | "windows" | "programdata" => 3,
            _ => 2,
        };
        self.0.len() >= least && **last != *"*" && **first != *"windows"
    }

    fn begins(&self, parts: &[&str]) -> bool {
        let all = self.0.iter().zip(parts);
        self.len() <= parts.len() && all.into_iter().all(|(pattern, part)| fits(pattern, part))
    }
}

/// Whether a text fits a pattern with `*`.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, mut pattern)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    while let Some((middle, behind)) = pattern.split_once('*') {
        let Some((_, after)) = rest.split_once(middle) else { return false };
        (rest, pattern) = (after, behind);
    }
    rest.ends_with(pattern)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    places: Places,
    program: Vec<Form>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Places {
    installed: Vec<String>,
    user_installed: Vec<String>,
    exceptions: Vec<String>,
    homes: Vec<String>,
    temporary: Vec<String>,
    dropped: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Form {
    class: Class,
    names: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    portable: Vec<String>,
    #[serde(default)]
    started_by: Vec<String>,
    #[serde(default)]
    signers: Vec<String>,
    #[serde(default)]
    built_as: Vec<String>,
    delegate: Option<String>,
    #[serde(default)]
    scripting: bool,
    #[serde(default)]
    versioned: bool,
    #[serde(default)]
    imitated: bool,
    #[serde(default)]
    parent: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_is_in_order() {
        let programs = Programs::read(include_str!("programs.toml")).unwrap();
        let mut names = std::collections::HashSet::new();
        for program in &programs.programs {
            for name in &program.names {
                assert!(name.to_lowercase() == **name && !name.ends_with(".exe"), "{name}");
                assert!(names.insert(name.clone()), "{name} is two programs");
            }
            assert_eq!(program.class == Class::Delegate, program.delegate.is_some(), "{:?}", program.names);
        }
    }

    #[test]
    fn paths_have_one_spelling() {
        for (path, expected) in [
            (r"C:\Windows\System32\cmd.exe", "/windows/system32/cmd.exe"),
            (r"\Device\HarddiskVolume3\Windows\cmd.exe", "/windows/cmd.exe"),
            (r"\\?\C:\Temp\A.EXE", "/temp/a.exe"),
            (r#""C:\PROGRA~1\x\y.exe""#, "/program files/x/y.exe"),
            (r"\SystemRoot\System32\smss.exe", "/windows/system32/smss.exe"),
            (r"C:\Program Files\Google\..\..\Users\Public\chrome.exe", "/users/public/chrome.exe"),
            (r"\\server\share\x.exe", "//server/share/x.exe"),
            ("/tmp/.x (deleted)", "/tmp/.x"),
            ("bash", "bash"),
        ] {
            assert_eq!(spelling(path), expected, "{path}");
        }
    }

    #[test]
    fn places_are_told_apart() {
        let programs = Programs::builtin();
        for (path, place) in [
            (r"C:\Program Files\x\y.exe", Place::Installed),
            (r"C:\Windows\System32\y.exe", Place::Installed),
            (r"C:\Windows\Temp\y.exe", Place::Dropped),
            (r"C:\Users\u\AppData\Local\Temp\7z\y.exe", Place::Temporary),
            (r"C:\Users\u\Downloads\y.exe", Place::Temporary),
            (r"C:\Users\Public\y.exe", Place::Dropped),
            (r"C:\Users\u\AppData\Roaming\y.exe", Place::Dropped),
            (r"C:\ProgramData\y.exe", Place::Dropped),
            (r"C:\ProgramData\chocolatey\bin\y.exe", Place::Installed),
            (r"C:\Users\u\y.exe", Place::Home),
            (r"C:\Users\u\AppData\Local\x\y.exe", Place::Home),
            (r"C:\Users\u\AppData\Local\Programs\x\y.exe", Place::UserInstalled),
            (r"C:\Users\u\AppData\Local\x\app-1.2.3\y.exe", Place::UserInstalled),
            (r"C:\Users\u\AppData\Local\x\Update.exe", Place::UserInstalled),
            ("/home/u/.local/share/x/y", Place::UserInstalled),
            (r"C:\IT\y.exe", Place::Other),
            (r"\\server\share\program files\y.exe", Place::Other),
            ("/usr/bin/y", Place::Installed),
            ("/tmp/y", Place::Temporary),
            ("/dev/shm/y", Place::Dropped),
            ("/home/u/bin/y", Place::Home),
            ("/Users/Shared/y", Place::Dropped),
            ("/memfd:x (deleted)", Place::Dropped),
            ("y", Place::NotKnown),
        ] {
            assert_eq!(programs.place(&spelling(path), None), place, "{path}");
        }
    }

    #[test]
    fn names_are_known_with_versions_and_cut_short() {
        let class = |name: &str| Programs::builtin().named(stem(name)).map(|program| program.class);
        for name in
            ["python3.11.exe", "python", "python311", "pythonw3.11.exe", "ruby3.2", "perl5.36.0", "node18"]
        {
            assert_eq!(class(name), Some(Class::Interpreter), "{name}");
        }
        assert_eq!(class("google-chrome-s"), Some(Class::Browser));
        assert_eq!(class("git-remote-http"), Some(Class::DeveloperTool));
        assert_eq!(class("Google Chrome Helper (Renderer)".to_lowercase().as_str()), Some(Class::Browser));
        assert_eq!(class("terraform-provider-aws_v5"), Some(Class::DeveloperTool));
        for name in ["svchost32.exe", "python-helper", "chrome2", "my-cmd.exe", "cmd.exe.bak", "notcmd.exe"] {
            assert_eq!(class(name), None, "{name}");
        }
    }

    #[test]
    fn look_alikes_are_told() {
        let like = |name: &str| Programs::builtin().imitated_by(name);
        for (name, known) in [
            ("evil-chrome", "chrome"),
            ("svchost32", "svchost"),
            ("scvhost", "svchost"),
            ("svch0st", "svchost"),
            ("chrome_update", "chrome"),
            ("onedrive.sync", "onedrive"),
            ("exp1orer", "explorer"),
            ("msmpengs", "msmpeng"),
        ] {
            assert_eq!(like(name), Some(known), "{name}");
        }
        for name in ["setup", "xapt", "chromedriver", "explorers-guide", "bot"] {
            assert_eq!(like(name), None, "{name}");
        }
    }

    #[test]
    fn patterns_have_stars() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*c", "abc", true),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abde", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
