//! The configuration file: TOML whose keys are the long names of options.
//!
//! A file becomes the options that would have been typed, and these are read by the readers of the command line: so a key and
//! its option cannot come to mean different things, and a new option is a new key. What the options amount to is
//! for [`config`](crate::config) to say.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::{ArgAction, CommandFactory, FromArgMatches, ValueHint, parser::ValueSource};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::cli::Args;
use crate::config::{Destination, Error, Problem, read_limited};

/// The longest file that is read, in bytes: some thousand times what anybody writes.
const MOST_CONFIG_BYTES: u64 = 1 << 20;

/// Reads the command line, with the options of the file that it names beside its own.
pub(crate) fn parse(mut line: Vec<OsString>) -> Result<Args, Error> {
    let typed = lenient().try_get_matches_from(&line).ok();
    let Some((name, typed)) = typed.as_ref().and_then(|matches| matches.subcommand()) else {
        return strict(&line);
    };
    if let Some(path) = typed.get_one::<PathBuf>("config") {
        let options = File::read(path)?.options(name, typed);
        // A line with a subcommand begins with it: no option of the program's own goes with one.
        line.splice(2..2, options);
    }
    strict(&line)
}

fn strict(line: &[OsString]) -> Result<Args, Error> {
    let matches = Args::command().try_get_matches_from(line).map_err(Error::Usage)?;
    Args::from_arg_matches(&matches).map_err(Error::Usage)
}

/// The command line with nothing required: what is missing may stand in the file.
fn lenient() -> clap::Command {
    Args::command().mut_subcommands(|command| command.mut_args(|argument| argument.required(false)))
}

/// A configuration file whose every key is known and every value valid.
struct File {
    settings: Vec<Setting>,
}

/// A key of the file, as it would be typed.
struct Setting {
    /// The use it is for; nothing for every use that has the option.
    table: Option<String>,
    key: String,
    typed: Vec<OsString>,
}

impl File {
    fn read(path: &Path) -> Result<Self, Error> {
        let fail = |problem| Error::Invalid(vec![problem]);
        let name = path.display().to_string();
        let bytes = read_limited(path, MOST_CONFIG_BYTES)
            .map_err(|error| fail(Problem::new(format!("--config {name}"), error)))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            fail(Problem::new(format!("--config {name}"), format!("is no text: {error}")))
        })?;
        let table = DeTable::parse(&text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(&text, span.start));
            fail(Problem::new(format!("{name}:{line}"), error.message()))
        })?;

        let mut reader = FileReader {
            name: &name,
            text: &text,
            folder: path.parent().unwrap_or_else(|| Path::new("")),
            command: lenient(),
            settings: Vec::new(),
            problems: Vec::new(),
        };
        for (key, value) in table.get_ref() {
            match value.get_ref() {
                DeValue::Table(inner) if reader.command.find_subcommand(key.get_ref().as_ref()).is_some() => {
                    inner.iter().for_each(|(inner, value)| reader.take(Some(key.get_ref()), inner, value));
                }
                _ => reader.take(None, key, value),
            }
        }
        if reader.problems.is_empty() {
            Ok(Self { settings: reader.settings })
        } else {
            Err(Error::Invalid(reader.problems))
        }
    }

    /// The options for a use that the command line does not give itself.
    fn options(self, subcommand: &str, typed: &clap::ArgMatches) -> Vec<OsString> {
        // One scale under two names: whoever types one of them overrules both.
        const VERBOSITY: [&str; 2] = ["quiet", "verbose"];
        let given = |key: &str| {
            let id = key.replace('-', "_");
            typed.try_contains_id(&id).is_ok() && typed.value_source(&id) == Some(ValueSource::CommandLine)
        };
        let command = lenient();
        let has = |key: &str| option(&command, subcommand, key).is_some();
        let own = |key: &str| {
            self.settings.iter().any(|other| other.key == key && other.table.as_deref() == Some(subcommand))
        };
        self.settings
            .iter()
            .filter(|setting| match &setting.table {
                Some(table) => table == subcommand,
                None => has(&setting.key) && !own(&setting.key),
            })
            .filter(|setting| match VERBOSITY.contains(&setting.key.as_str()) {
                true => !VERBOSITY.iter().any(|key| given(key)),
                false => !given(&setting.key),
            })
            .flat_map(|setting| setting.typed.iter().cloned())
            .collect()
    }
}

/// Options that take a path or another [`Destination`].
const OUTPUTS: [&str; 3] = ["output", "hostnames", "flows"];

/// The uses of which a configuration can speak.
const TABLES: [&str; 4] = ["replay", "live", "bench", "check"];

/// The option of a use by its long name.
fn option<'a>(command: &'a clap::Command, subcommand: &str, key: &str) -> Option<&'a clap::Arg> {
    command
        .find_subcommand(subcommand)?
        .get_opts()
        .find(|option| option.get_long() == Some(key) && key != "config")
}

struct FileReader<'a> {
    name: &'a str,
    text: &'a str,
    folder: &'a Path,
    command: clap::Command,
    settings: Vec<Setting>,
    problems: Vec<Problem>,
}

impl FileReader<'_> {
    /// Takes a key and its value, or says what is wrong with them.
    fn take(&mut self, table: Option<&str>, key: &Spanned<Cow<'_, str>>, value: &Spanned<DeValue<'_>>) {
        let line = line_of(self.text, key.span().start);
        let key = key.get_ref().as_ref();
        let result = self.typed(table, key, value.get_ref());
        let table = table.map(str::to_owned);
        match result {
            Ok(typed) => self.settings.push(Setting { table, key: key.to_owned(), typed }),
            Err(text) => {
                let key = table.map_or_else(|| key.to_owned(), |table| format!("{table}.{key}"));
                self.problems.push(Problem::new(format!("{}:{line}: {key}", self.name), text));
            }
        }
    }

    /// The key and its value as they would be typed.
    fn typed(&self, table: Option<&str>, key: &str, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
        let uses: Vec<&str> = match &table {
            Some(table) => vec![table],
            None => TABLES.to_vec(),
        };
        let found: Vec<(&str, &clap::Arg)> =
            uses.iter().filter_map(|name| Some((*name, option(&self.command, name, key)?))).collect();
        if table.is_none() && TABLES.contains(&key) {
            return Err(format!("is a use, not an option; its options stand below [{key}]"));
        }
        let Some((_, first)) = found.first() else {
            return Err(self.unknown(table, key));
        };
        let typed = match value {
            DeValue::Array(values) if matches!(first.get_action(), ArgAction::Append) => values
                .iter()
                .map(|value| self.one(first, key, value.get_ref()))
                .collect::<Result<Vec<_>, _>>()?
                .concat(),
            DeValue::Array(_) => return Err("takes one value, not a list".to_owned()),
            value => self.one(first, key, value)?,
        };
        for (name, _) in &found {
            let line =
                [OsString::from("undertone"), OsString::from(*name)].into_iter().chain(typed.iter().cloned());
            self.command.clone().try_get_matches_from(line).map_err(|error| reason(&error))?;
        }
        Ok(typed)
    }

    fn one(&self, option: &clap::Arg, key: &str, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
        let is_path =
            matches!(option.get_value_hint(), ValueHint::FilePath | ValueHint::DirPath | ValueHint::AnyPath);
        let text = match value {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(number) if !is_path => number.as_str(),
            DeValue::Float(number) if !is_path => number.as_str(),
            DeValue::Boolean(true) if matches!(option.get_action(), ArgAction::SetTrue) => {
                return Ok(vec![format!("--{key}").into()]);
            }
            DeValue::Boolean(false) if matches!(option.get_action(), ArgAction::SetTrue) => {
                return Ok(Vec::new());
            }
            DeValue::Boolean(true) if !is_path => "true",
            DeValue::Boolean(false) if !is_path => "false",
            other if is_path => {
                return Err(format!("takes a path in quotes, not {}", with_article(other.type_str())));
            }
            other => return Err(format!("takes a plain value, not {}", with_article(other.type_str()))),
        };
        let mut typed = OsString::from(format!("--{key}="));
        if is_path && OUTPUTS.contains(&key) {
            typed.push(Destination::text_in(self.folder, text));
        } else if is_path && text != "-" {
            typed.push(self.folder.join(text));
        } else {
            typed.push(text);
        }
        Ok(vec![typed])
    }

    fn unknown(&self, table: Option<&str>, key: &str) -> String {
        let elsewhere: Vec<String> = TABLES
            .iter()
            .filter(|other| option(&self.command, other, key).is_some())
            .map(|other| format!("[{other}]"))
            .collect();
        if let Some(table) = table
            && !elsewhere.is_empty()
        {
            return format!("{table} has no such option; it belongs to {}", elsewhere.join(", "));
        }
        let mut known: Vec<&str> = TABLES
            .iter()
            .filter(|other| table.is_none_or(|table| table == **other))
            .filter_map(|name| self.command.find_subcommand(name))
            .flat_map(clap::Command::get_opts)
            .filter_map(clap::Arg::get_long)
            .filter(|long| *long != "config")
            .chain(TABLES.into_iter().filter(|_| table.is_none()))
            .collect();
        known.sort_unstable();
        known.dedup();
        match known.iter().map(|known| (distance(known, key), known)).min() {
            Some((steps, nearest)) if steps <= key.chars().count().div_ceil(2) => {
                format!("there is no such option; did you mean {nearest}?")
            }
            _ => format!("there is no such option; there are {}", known.join(", ")),
        }
    }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// What clap says of a value, in one line: without "error:", usage and the pointer to help.
fn reason(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    let parts: Vec<&str> = text
        .split("\n\n")
        .filter(|part| !part.starts_with("For more information") && !part.starts_with("Usage:"))
        .flat_map(str::lines)
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("; ").replace("; [", " [")
}

/// The line, from 1, of a byte of the text.
fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// How many characters to insert, delete or replace to come from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (index, character) in from.chars().enumerate() {
        let mut next = vec![index + 1];
        for ((column, other), (above, diagonal)) in to.iter().enumerate().zip(row.iter().skip(1).zip(&row)) {
            let left = next.get(column).copied().unwrap_or(usize::MAX - 1);
            next.push((diagonal + usize::from(character != *other)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Destination, Verbosity};
    use crate::rules::Level;

    /// What `undertone USE --config FILE OPTIONS…` amounts to with this file.
    fn with(file: &str, line: &str) -> (tempfile::TempDir, Result<Config, Error>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u.toml");
        std::fs::write(&path, file).unwrap();
        std::fs::write(folder.path().join("ours.txt"), "one.example\n").unwrap();
        let mut words: Vec<OsString> =
            std::iter::once("undertone").chain(line.split(' ')).map(OsString::from).collect();
        words.insert(2, "--config".into());
        words.insert(3, path.into());
        let config = Config::from_command_line(words);
        (folder, config)
    }

    const FILE: &str = r#"
min-level = "medium"
lists = ["ours.txt"]
quiet = true
json = true

[replay]
threads = 3
separate = true
hostnames = "names.jsonl"

[live]
interface = ["eth0", "eth1"]
min-level = "high"
filter = "port 53"
snaplen = 1_000
"#;

    #[test]
    fn a_key_is_its_option() {
        let (folder, config) = with(FILE, "replay a.pcap");
        let Config::Replay(replay) = config.unwrap() else { panic!() };
        assert_eq!((replay.threads.get(), replay.separate), (3, true));
        assert_eq!(replay.output.min_level, Level::Medium);
        assert_eq!(replay.output.hostnames, Some(Destination::File(folder.path().join("names.jsonl"))));
        assert_eq!(replay.lists.files.len(), 1);
        assert_eq!((replay.talk.verbosity, replay.output.json), (Verbosity::Quiet, true));
        assert_eq!(replay.filter, None, "another table's");
    }

    #[test]
    fn a_table_goes_before_the_top_and_may_give_what_is_required() {
        let (_folder, config) = with(FILE, "live -o x");
        let Config::Live(live) = config.unwrap() else { panic!() };
        assert_eq!(live.interfaces, ["eth0", "eth1"]);
        assert_eq!((live.output.min_level, live.snaplen), (Level::High, 1000));
        assert_eq!(live.filter.as_deref(), Some("port 53"));
    }

    #[test]
    fn the_command_line_goes_before_the_file() {
        let (_folder, config) = with(FILE, "live -i lo --min-level low -v --json=false -- ");
        let error = config.unwrap_err();
        assert!(error.to_string().contains("unexpected argument"), "after -- nothing is an option: {error}");

        let (_folder, config) = with(FILE, "live -i lo --min-level low -v --json=false");
        let Config::Live(live) = config.unwrap() else { panic!() };
        assert_eq!(live.interfaces, ["lo"]);
        assert_eq!((live.output.min_level, live.talk.verbosity), (Level::Low, Verbosity::Full));
        assert!(!live.output.json);
        assert_eq!(live.snaplen, 1000);
    }

    #[test]
    fn an_empty_file_changes_nothing_and_what_is_missing_is_asked_for() {
        let (_folder, config) = with("", "live");
        assert!(config.unwrap_err().to_string().contains("--interface <IFACE>"));
        let (_folder, config) = with("# only a comment\n[replay]\n", "replay a");
        assert!(matches!(config, Ok(Config::Replay(_))));
    }

    #[test]
    fn every_problem_is_told_with_file_line_and_key() {
        for (file, says) in [
            (
                "min-levl = 'low'",
                &["u.toml:1: min-levl: there is no such option; did you mean min-level?"][..],
            ),
            ("min_level = 'low'", &["did you mean min-level?"]),
            ("[reply]\nthreads = 1", &["u.toml:1: reply: there is no such option; did you mean replay?"]),
            (
                "\n[replay]\n\ninterface = 'x'",
                &["u.toml:4: replay.interface: replay has no such option; it belongs to [live]"],
            ),
            (
                "frobnicate = 1",
                &["u.toml:1: frobnicate: there is no such option; there are allow, bench, buffer, check, "],
            ),
            ("config = 'other'", &["there is no such option"]),
            ("replay = 1", &["u.toml:1: replay: is a use, not an option; its options stand below [replay]"]),
            ("[replay]\npaths = ['a']", &["replay.paths: there is no such option"]),
            (
                "min-level = 'hgh'",
                &["u.toml:1: min-level: invalid value 'hgh'", "informational, low", "exists: 'high'"],
            ),
            ("threads = 0", &["u.toml:1: threads: invalid value '0'", "a number from 1 to 1024"]),
            ("threads = 1.5", &["invalid value '1.5'"]),
            ("threads = [1, 2]", &["takes one value, not a list"]),
            ("threads = { a = 1 }", &["takes a plain value, not a table"]),
            ("output = 5", &["u.toml:1: output: takes a path in quotes, not an integer"]),
            ("lists = ['a', 2]", &["u.toml:1: lists: takes a path in quotes, not an integer"]),
            ("json = 'perhaps'", &["invalid value 'perhaps'"]),
            ("quiet = 1", &["u.toml:1: quiet: "]),
            ("repeat-window = 3600", &["a number with a unit is needed"]),
            ("a = ", &["u.toml:1: "]),
            ("json = true\njson = true", &["u.toml:2: duplicate key"]),
            ("x = 1\ny = 2", &["u.toml:1: x: ", "u.toml:2: y: "]),
            ("[live]\nbuffer = 4096", &["u.toml:2: live.buffer: ", "1..=2047"]),
        ] {
            let (_folder, config) = with(file, "check");
            let error = config.unwrap_err();
            assert_eq!(error.exit_code(), 2);
            for says in says {
                assert!(error.to_string().contains(says), "{file}: {error}");
            }
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("u.toml");
        let line = || {
            ["undertone", "check", "--config"].map(OsString::from).into_iter().chain([path.clone().into()])
        };
        assert!(
            Config::from_command_line(line()).unwrap_err().to_string().contains("u.toml: cannot be read")
        );
        std::fs::write(&path, b"\xff").unwrap();
        assert!(Config::from_command_line(line()).unwrap_err().to_string().contains("u.toml: is no text"));
        std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
        assert!(Config::from_command_line(line()).unwrap_err().to_string().contains("longer than the 1 MiB"));
    }

    #[test]
    fn steps_between_words() {
        for (from, to, steps) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("min_level", "min-level", 1),
        ] {
            assert_eq!(distance(from, to), steps, "{from} {to}");
        }
    }
}
