//! Everything valid, or a named error: from what was typed and the configuration file to what a use needs.
//!
//! Every problem is found before anything starts, and names the option, or the file, line and key. Besides the configuration
//! file (read by `config_file`) and the lists nothing is opened here.

use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arrival::{Address, TlsFiles};
use crate::cli::{
    Color, Command, CommonArgs, FeedArgs, FeedTlsArgs, Format, Generate, ListArgs, OutputArgs, Shape,
};
use crate::config_file;
use crate::hostname::Hostname;
use crate::list_file::{ListFile, MOST_LIST_BYTES};
use crate::originator::feed::FeedFormat;
use crate::originator::{FeedMemory, Join};
use crate::rules::Level;
pub use crate::sink::Destination;
use crate::sink::{Printable, Rotation, Spilling};
use crate::stated_hosts::{self, Stated};

/// What to do, with everything that is needed to do it.
#[derive(Debug)]
pub enum Config {
    /// Print the manual page or completions.
    Generate(Generate),
    /// Read capture files.
    Replay(Replay),
    /// Capture on interfaces.
    Live(Box<Live>),
    /// Measure.
    Bench(Bench),
    /// Validate what a sensor would start with.
    Check(Check),
}

/// Reading capture files.
#[derive(Debug)]
pub struct Replay {
    /// Files and directories in the order given; `-`, at most once, is standard input.
    pub paths: Vec<PathBuf>,
    /// Whether every file is a capture of its own.
    pub separate: bool,
    /// A filter in the language of libpcap, not yet compiled.
    pub filter: Option<String>,
    /// Threads that look at packets.
    pub threads: NonZeroUsize,
    /// Endpoint telemetry.
    pub feeds: Feeds,
    /// Which hostnames are of interest.
    pub lists: Lists,
    /// What is written, where and how.
    pub output: Output,
    /// What people read.
    pub talk: Talk,
}

/// Endpoint telemetry.
#[derive(Debug, Default)]
pub struct Feeds {
    /// Where it comes from, in the order given; `-`, at most once, is standard input.
    pub paths: Vec<PathBuf>,
    /// What format it is stated to be.
    pub format: Option<FeedFormat>,
    /// Which addresses are whose, as far as that was stated.
    pub hosts: Vec<Stated>,
    /// Bytes for it and for what waits for it.
    pub memory: u64,
}

impl Feeds {
    /// What joins it to what is seen on the wire, and what that may occupy.
    pub fn join(&self) -> (Join, FeedMemory) {
        let memory = FeedMemory::of_bytes(self.memory);
        let mut join = Join::new(memory);
        for (ip, host) in &self.hosts {
            join.state(*ip, host);
        }
        (join, memory)
    }
}

/// Capturing on interfaces.
#[derive(Debug)]
pub struct Live {
    /// Interfaces, each once.
    pub interfaces: Vec<String>,
    /// Bytes to capture of each frame.
    pub snaplen: u32,
    /// Bytes for frames that wait in the kernel, for each interface and thread; fits a C `int`, as libpcap wants it.
    pub buffer: u32,
    /// Whether frames are wanted that are for other machines.
    pub promiscuous: bool,
    /// Endpoint telemetry as it arrives.
    pub arrivals: Arrivals,
    /// What is known of it beforehand, and what it may occupy.
    pub feeds: Feeds,
    /// A filter in the language of libpcap, not yet compiled.
    pub filter: Option<String>,
    /// Threads that look at packets.
    pub threads: NonZeroUsize,
    /// How often counters are written among the findings.
    pub stats: Option<Duration>,
    /// Where counters can be scraped.
    pub metrics: Option<SocketAddr>,
    /// Whether files are read again when they change.
    pub watch: bool,
    /// The file that it was configured with.
    pub file: Option<PathBuf>,
    /// The file that states which addresses are whose.
    pub hosts_file: Option<PathBuf>,
    /// The user to become once everything is open.
    pub user: Option<String>,
    /// Whether rights are given up that are not needed.
    pub sandbox: bool,
    /// When an output file is put aside.
    pub rotation: Rotation,
    /// Where records wait that an output does not take in time.
    pub spilling: Spilling,
    /// Which hostnames are of interest.
    pub lists: Lists,
    /// What is written, where and how.
    pub output: Output,
    /// What people read.
    pub talk: Talk,
}

/// Endpoint telemetry as it arrives.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Where it comes from, each once.
    pub sources: Vec<Address>,
    /// What senders from elsewhere are asked with; there where a source needs it.
    pub tls: Option<TlsFiles>,
    /// What format it is stated to be.
    pub format: Option<FeedFormat>,
}

/// Measuring.
#[derive(Debug)]
pub struct Bench {
    /// Capture files; with none, the mix.
    pub paths: Vec<PathBuf>,
    /// What is made when there are none.
    pub mix: Mix,
    /// Where the mix is only to be written to.
    pub write: Option<PathBuf>,
    /// Times to go through the captures for each figure.
    pub rounds: NonZeroU32,
    /// The most threads to measure with.
    pub threads: NonZeroUsize,
    /// Whether the figures are JSON.
    pub json: bool,
    /// What people read.
    pub talk: Talk,
}

/// A synthetic mix.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// What there is most of.
    pub shape: Shape,
    /// What decides everything else.
    pub seed: u64,
    /// How many connections there are, where it is not the usual number of the shape.
    pub connections: Option<NonZeroU32>,
    /// How many names of a hundred are listed ones.
    pub hits: u8,
}

/// Validating.
#[derive(Debug)]
pub struct Check {
    /// Names to look up.
    pub hostnames: Vec<Hostname>,
    /// Telemetry to look at.
    pub feeds: Vec<PathBuf>,
    /// What format it is stated to be.
    pub feed_format: Option<FeedFormat>,
    /// Which hostnames are of interest.
    pub lists: Lists,
    /// What people read.
    pub talk: Talk,
}

/// Which hostnames are of interest.
#[derive(Debug)]
pub struct Lists {
    /// Whether the built-in catalogue is one of them.
    pub builtin: bool,
    /// The user's lists, in the order given, open to be read.
    pub files: Vec<ListFile>,
    /// Whether the built-in rules judge contacts.
    pub builtin_rules: bool,
    /// The user's rules, in the order given; those of a folder by name.
    pub rules: Vec<TextFile>,
    /// Allow lists, in the order given.
    pub allow: Vec<TextFile>,
}

impl Lists {
    /// The files that it names, as they were given: lists, rules, allow lists.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let texts = self.rules.iter().chain(&self.allow);
        self.files.iter().map(|file| file.name.as_str()).chain(texts.map(|file| file.name.as_str()))
    }
}

/// A rule file or an allow list of the user's, read but not parsed.
#[derive(Debug, Eq, PartialEq)]
pub struct TextFile {
    /// Its path, as given.
    pub name: String,
    /// Its bytes; none once they were parsed.
    pub bytes: Vec<u8>,
}

/// What is written, where and how.
#[derive(Debug)]
pub struct Output {
    /// Where findings go.
    pub findings: Destination,
    /// Where every hostname goes, if anywhere.
    pub hostnames: Option<Destination>,
    /// Where every conversation goes, if anywhere.
    pub flows: Option<Destination>,
    /// Form of the records.
    pub format: Format,
    /// Whether findings are JSON lines on a terminal too.
    pub json: bool,
    /// Findings below this level are not written.
    pub min_level: Level,
    /// For how long a client's further contacts with a service belong to the alert that was told.
    pub repeat_window: Duration,
    /// The level from which a finding decides the exit status.
    pub fail_on: Option<Level>,
}

/// What people read on standard error, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Talk {
    /// When to use colour.
    pub color: Color,
    /// How much is said.
    pub verbosity: Verbosity,
}

impl Talk {
    /// Whether to use colour on an output that is a terminal or is none.
    pub fn colours(self, terminal: bool) -> bool {
        // https://no-color.org: set, and not empty.
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        match self.color {
            Color::Auto => terminal && !refused,
            Color::Always => true,
            Color::Never => false,
        }
    }
}

/// How much is said to people.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// Progress, warnings and a closing summary.
    #[default]
    Normal,
    /// The closing summary in full.
    Full,
}

/// The longest file of hosts that is read, in bytes: a quarter of a million lines.
const MOST_HOSTS_BYTES: u64 = 16 << 20;

/// The longest rule file that is read, in bytes: many times the longest that is known, and YAML takes some fifty times its bytes.
const MOST_RULE_BYTES: u64 = 4 << 20;

/// The most rule files of a folder: ten times what the community has in all.
const MOST_RULE_FILES: usize = 50_000;

impl Config {
    /// What the command line (with the program's name first) and the file that it names amount to.
    ///
    /// # Errors
    /// When anything in them is wrong, and when help or the version is asked for.
    pub fn from_command_line(line: impl IntoIterator<Item = OsString>) -> Result<Self, Error> {
        let args = config_file::parse(line.into_iter().collect())?;
        if let Some(what) = args.generate {
            return Ok(Self::Generate(what));
        }
        let mut problems = Vec::new();
        let config = match args.command {
            Some(Command::Replay(args)) => {
                let dashes = |paths: &[PathBuf]| paths.iter().filter(|path| is_dash(path)).count();
                once("CAPTURE", "-", dashes(&args.paths), &mut problems);
                once("--feed", "-", dashes(&args.feeds.feed), &mut problems);
                if dashes(&args.paths) > 0 && dashes(&args.feeds.feed) > 0 {
                    problems.push(Problem::new(
                        "--feed -",
                        "standard input is the capture; give the telemetry as a file",
                    ));
                }
                replayed(&args.feeds.feed, &mut problems);
                let inputs: Vec<PathBuf> = args.paths.iter().chain(&args.feeds.feed).cloned().collect();
                Self::Replay(Replay {
                    separate: args.separate,
                    feeds: feeds(args.feeds, &mut problems),
                    filter: args.filter.filter,
                    threads: threads(args.threads.threads),
                    lists: lists(
                        args.lists,
                        args.output.hostnames.is_some() || args.output.flows.is_some(),
                        &mut problems,
                    ),
                    output: output(args.output, &inputs, &mut problems),
                    talk: talk(&args.common),
                    paths: args.paths,
                })
            }
            Some(Command::Live(mut args)) => {
                for interface in &args.interface {
                    let times = args.interface.iter().filter(|other| *other == interface).count();
                    once("--interface", interface, times, &mut problems);
                }
                problems.dedup();
                let arrivals = arrivals(&args.feeds, args.feed_tls, &mut problems);
                let hosts_file = args.feeds.hosts.clone();
                let followed: Vec<PathBuf> = std::mem::take(&mut args.feeds.feed);
                if args.sensor.no_sandbox && args.sensor.user.is_some() {
                    problems.push(Problem::new("--user", "is a part of what --no-sandbox switches off"));
                }
                Self::Live(Box::new(Live {
                    arrivals,
                    feeds: feeds(args.feeds, &mut problems),
                    interfaces: args.interface,
                    snaplen: args.snaplen,
                    buffer: args.buffer << 20,
                    promiscuous: !args.no_promiscuous,
                    stats: (args.sensor.stats > 0).then(|| Duration::from_secs(args.sensor.stats.into())),
                    metrics: args.sensor.metrics,
                    watch: args.sensor.watch,
                    hosts_file,
                    file: args.common.config.clone(),
                    user: args.sensor.user,
                    sandbox: !args.sensor.no_sandbox,
                    rotation: Rotation {
                        size: args.sensor.rotate_size.map(|mebibytes| u64::from(mebibytes) << 20),
                        age: args.sensor.rotate_age,
                        keep: args.sensor.rotate_keep,
                    },
                    spilling: Spilling {
                        // systemd makes this folder for its service.
                        folder: args
                            .sensor
                            .spill
                            .or_else(|| std::env::var_os("STATE_DIRECTORY").map(Into::into)),
                        most: u64::from(args.sensor.spill_limit) << 20,
                    },
                    filter: args.filter.filter,
                    threads: threads(args.threads.threads),
                    lists: lists(
                        args.lists,
                        args.output.hostnames.is_some() || args.output.flows.is_some(),
                        &mut problems,
                    ),
                    output: output(args.output, &followed, &mut problems),
                    talk: talk(&args.common),
                }))
            }
            Some(Command::Bench(args)) => Self::Bench(Bench {
                mix: Mix { shape: args.mix, seed: args.seed, connections: args.connections, hits: args.hits },
                write: args.write,
                rounds: args.rounds,
                threads: threads(args.threads.threads),
                json: args.json,
                talk: talk(&args.common),
                paths: args.paths,
            }),
            Some(Command::Check(args)) => Self::Check(Check {
                hostnames: hostnames(&args.hostnames, &mut problems),
                feeds: args.feed,
                feed_format: args.feed_format,
                lists: lists(args.lists, true, &mut problems),
                talk: talk(&args.common),
            }),
            // The definition of the command line demands one or the other.
            None => {
                return Err(Error::Invalid(vec![Problem::new(
                    "COMMAND",
                    "replay, live, bench or check is needed",
                )]));
            }
        };
        if problems.is_empty() { Ok(config) } else { Err(Error::Invalid(problems)) }
    }
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum Error {
    /// The command line is wrong, or asks for help or the version.
    Usage(clap::Error),
    /// What it says cannot be used; never empty.
    Invalid(Vec<Problem>),
}

impl Error {
    /// The exit status: 0 for help and version, else 2.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(error) if !error.use_stderr() => 0,
            _ => 2,
        }
    }

    /// Shows it where it belongs: help and version on standard output, the rest on standard error.
    ///
    /// # Errors
    /// When that cannot be written to.
    pub fn print(&self) -> std::io::Result<()> {
        match self {
            Self::Usage(error) => error.print(),
            Self::Invalid(_) => {
                std::io::Write::write_all(&mut std::io::stderr(), format!("{self}\n").as_bytes())
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(error) => error.fmt(f),
            Self::Invalid(problems) => {
                for (index, problem) in problems.iter().enumerate() {
                    write!(f, "{}error: {problem}", if index == 0 { "" } else { "\n" })?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The option and its value, or the file, line and key.
    pub place: String,
    /// What is wrong, and what would be right.
    pub text: String,
}

impl Problem {
    pub(crate) fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Printable(&self.place), Printable(&self.text))
    }
}

/// Reads a file of at most so many bytes.
pub(crate) fn read_limited(path: &Path, most: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(most + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("is longer than the {} MiB that are read", most >> 20));
    }
    Ok(bytes)
}

fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn once(place: &str, value: &str, times: usize, problems: &mut Vec<Problem>) {
    if times > 1 {
        problems.push(Problem::new(format!("{place} {value}"), "is given more than once"));
    }
}

/// As many as asked for, else one for each core that this process may use.
fn threads(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}

fn talk(args: &CommonArgs) -> Talk {
    let verbosity = match (args.quiet, args.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Full,
        _ => Verbosity::Normal,
    };
    Talk { color: args.color, verbosity }
}

/// Opens the lists, and reads rules and allow lists. Without any, `useful` says whether something is left to do.
fn lists(args: ListArgs, useful: bool, problems: &mut Vec<Problem>) -> Lists {
    if args.no_builtin_lists && args.lists.is_empty() && args.rules.is_empty() && !useful {
        problems.push(Problem::new(
            "--no-builtin-lists",
            "leaves nothing to find; give a list with --lists, or --hostnames to write every hostname",
        ));
    }
    let mut files = Vec::new();
    for path in args.lists {
        match ListFile::open(&path) {
            Ok(list) => files.push(list),
            Err(error) => problems.push(Problem::new(format!("--lists {}", path.display()), error)),
        }
    }
    let mut allow = Vec::new();
    for path in args.allow {
        let name = path.display().to_string();
        match read_limited(&path, MOST_LIST_BYTES) {
            Ok(bytes) => allow.push(TextFile { name, bytes }),
            Err(error) => problems.push(Problem::new(format!("--allow {name}"), error)),
        }
    }
    let rules = rules(args.rules, problems);
    Lists { builtin: !args.no_builtin_lists, files, builtin_rules: !args.no_builtin_rules, rules, allow }
}

/// Reads rule files, and those of folders and the folders in them.
fn rules(paths: Vec<PathBuf>, problems: &mut Vec<Problem>) -> Vec<TextFile> {
    let mut files = Vec::new();
    for path in paths {
        let place = format!("--rules {}", path.display());
        let mut found = Vec::new();
        if let Err(error) = rule_files(&path, &mut found) {
            problems.push(Problem::new(place, error));
            continue;
        }
        if found.is_empty() {
            problems.push(Problem::new(place, "holds no file that ends with .yml or .yaml"));
        }
        found.sort();
        for path in found {
            let name = path.display().to_string();
            match read_limited(&path, MOST_RULE_BYTES) {
                Ok(bytes) => files.push(TextFile { name, bytes }),
                Err(error) => problems.push(Problem::new(format!("--rules {name}"), error)),
            }
        }
    }
    files
}

/// A file itself, or the rule files below a folder.
fn rule_files(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    if !path.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let wrong = |error: std::io::Error| format!("{} cannot be read: {error}", folder.display());
        for entry in std::fs::read_dir(&folder).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            // A link to a folder may lead back; one to a file is followed.
            let (kind, path) = (entry.file_type().map_err(wrong)?, entry.path());
            if kind.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "yml" || ending == "yaml") {
                found.push(path);
            }
        }
        if found.len() > MOST_RULE_FILES {
            return Err(format!("holds more than {MOST_RULE_FILES} rule files"));
        }
    }
    Ok(())
}

fn feeds(args: FeedArgs, problems: &mut Vec<Problem>) -> Feeds {
    let mut hosts = Vec::new();
    if let Some(path) = &args.hosts {
        let name = path.display();
        let place = format!("--hosts {name}");
        match read_limited(path, MOST_HOSTS_BYTES).map(String::from_utf8) {
            Err(error) => problems.push(Problem::new(place, error)),
            Ok(Err(error)) => problems.push(Problem::new(place, format!("is no text: {error}"))),
            Ok(Ok(text)) => {
                let (stated, wrong) = stated_hosts::read(&text);
                hosts = stated;
                problems
                    .extend(wrong.into_iter().map(|(line, why)| Problem::new(format!("{name}:{line}"), why)));
            }
        }
    }
    Feeds { paths: args.feed, format: args.feed_format, hosts, memory: u64::from(args.feed_memory) << 20 }
}

/// A replay reads files to their ends: nothing arrives.
fn replayed(feeds: &[PathBuf], problems: &mut Vec<Problem>) {
    for path in feeds {
        let place = || format!("--feed {}", path.display());
        match Address::parse(path.as_os_str()) {
            Ok(Address::File(_) | Address::Stdin) => {}
            Ok(_) => {
                problems.push(Problem::new(place(), "is listened on by live; replay reads files, and -"))
            }
            Err(error) => problems.push(Problem::new(place(), error.to_string())),
        }
    }
}

/// Where telemetry comes from, and what senders from elsewhere are asked with.
fn arrivals(args: &FeedArgs, tls: FeedTlsArgs, problems: &mut Vec<Problem>) -> Arrivals {
    let mut sources: Vec<Address> = Vec::new();
    for path in &args.feed {
        let place = path.display().to_string();
        match Address::parse(path.as_os_str()) {
            Ok(address) if sources.contains(&address) => once("--feed", &place, 2, problems),
            Ok(address) => sources.push(address),
            Err(error) => problems.push(Problem::new(format!("--feed {place}"), error.to_string())),
        }
    }
    let tls = match tls {
        FeedTlsArgs { feed_tls_cert: Some(cert), feed_tls_key: Some(key), feed_tls_ca: Some(ca) } => {
            Some(TlsFiles { cert, key, ca })
        }
        _ => None,
    };
    match (&tls, sources.iter().find(|source| source.is_tls())) {
        (None, Some(source)) => problems.push(Problem::new(
            format!("--feed {source}"),
            "needs --feed-tls-cert, --feed-tls-key and --feed-tls-ca, for only senders with a certificate are let in",
        )),
        (Some(tls), None) => problems.push(Problem::new(
            format!("--feed-tls-cert {}", tls.cert.display()),
            "is of no use without --feed tls:ADDRESS:PORT",
        )),
        _ => {}
    }
    Arrivals { sources, tls, format: args.feed_format }
}

fn output(args: OutputArgs, inputs: &[PathBuf], problems: &mut Vec<Problem>) -> Output {
    let mut destination = |option: &str, path: PathBuf| match Destination::parse(path.as_os_str()) {
        Ok(destination) => destination,
        Err(text) => {
            problems.push(Problem::new(format!("{option} {}", path.display()), text));
            Destination::Stdout
        }
    };
    let findings = args.output.map_or(Destination::Stdout, |path| destination("--output", path));
    let hostnames = args.hostnames.map(|path| destination("--hostnames", path));
    let flows = args.flows.map(|path| destination("--flows", path));
    let destinations =
        [("--output", Some(&findings)), ("--hostnames", hostnames.as_ref()), ("--flows", flows.as_ref())];
    for (option, destination) in destinations {
        // What is written to is emptied first: an input would be lost.
        if let Some(Destination::File(path)) = destination
            && let Some(input) = inputs.iter().find(|input| !is_dash(input) && is_same_file(input, path))
        {
            let place = format!("{option} {}", path.display());
            problems
                .push(Problem::new(place, format!("is the input {}, which would be lost", input.display())));
        }
    }
    if findings == Destination::Stdout {
        for (option, _) in destinations.iter().skip(1).filter(|one| one.1 == Some(&Destination::Stdout)) {
            problems.push(Problem::new(
                format!("{option} -"),
                "standard output is for findings, unless --output names a file",
            ));
        }
    } else if hostnames == Some(Destination::Stdout) && flows == Some(Destination::Stdout) {
        problems.push(Problem::new("--flows -", "standard output is for --hostnames; give a file"));
    }
    let files = destinations.iter().filter_map(|(option, destination)| match destination {
        Some(Destination::File(path)) => Some((*option, path)),
        _ => None,
    });
    let files: Vec<_> = files.collect();
    for (index, (option, path)) in files.iter().enumerate() {
        let earlier = files.iter().take(index);
        if let Some((other, _)) = earlier.into_iter().find(|(_, other)| is_same_file(other, path)) {
            let what = match *other {
                "--output" => "findings",
                _ => "hostnames",
            };
            let place = format!("{option} {}", path.display());
            problems.push(Problem::new(place, format!("is where {what} go; give another file")));
        }
    }
    Output {
        findings,
        hostnames,
        flows,
        format: args.format,
        json: args.json,
        min_level: args.min_level,
        repeat_window: args.repeat_window,
        fail_on: args.fail_on,
    }
}

/// Whether both paths lead to one regular file, or would once it is there. Devices and pipes may be shared.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| match path.canonicalize() {
        Ok(found) if found.is_file() => Some(found),
        Ok(_) => None,
        Err(_) => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty())
                .unwrap_or_else(|| Path::new("."));
            Some(folder.canonicalize().ok()?.join(path.file_name()?))
        }
    };
    place(one).is_some_and(|found| Some(found) == place(other))
}

fn hostnames(args: &[String], problems: &mut Vec<Problem>) -> Vec<Hostname> {
    let mut names = Vec::new();
    for text in args {
        match Hostname::new(text) {
            Ok(name) => names.push(name),
            Err(error) => problems.push(Problem::new(format!("HOSTNAME '{text}'"), error.to_string())),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Config, Error> {
        Config::from_command_line(std::iter::once("undertone").chain(line.split(' ')).map(OsString::from))
    }

    #[test]
    fn nothing_but_a_capture_is_needed() {
        let Config::Replay(replay) = of("replay a.pcap").unwrap() else { panic!() };
        assert_eq!(replay.paths, [Path::new("a.pcap")]);
        assert!(
            !replay.separate
                && replay.filter.is_none()
                && replay.lists.builtin
                && replay.lists.files.is_empty()
        );
        let output = replay.output;
        assert_eq!((output.findings, output.hostnames), (Destination::Stdout, None));
        assert_eq!((output.min_level, output.fail_on), (Level::Low, None));
        assert_eq!(output.repeat_window, Duration::from_secs(3_600));
        assert_eq!(replay.talk.verbosity, Verbosity::Normal);
        assert_eq!(replay.threads, std::thread::available_parallelism().unwrap());
    }

    #[test]
    fn every_use_takes_its_options() {
        let Config::Live(live) = of("live -i eth0 -i eth1 --buffer 2047 --threads 3 -v -o -").unwrap() else {
            panic!()
        };
        assert_eq!(live.interfaces, ["eth0", "eth1"]);
        assert_eq!((live.buffer, live.snaplen, live.threads.get()), (2047 << 20, 65_535, 3));
        assert!(i32::try_from(live.buffer).is_ok());
        assert_eq!((live.talk.verbosity, &live.output.findings), (Verbosity::Full, &Destination::Stdout));
        let line = "live -i a --feed b --feed unix:/c --feed tls:[::]:1 --feed-tls-cert d --feed-tls-key e --feed-tls-ca f";
        let Config::Live(live) = of(line).unwrap() else { panic!() };
        let sources: Vec<String> = live.arrivals.sources.iter().map(ToString::to_string).collect();
        assert_eq!(sources, ["b", "unix:/c", "tls:[::]:1"]);
        assert_eq!(live.arrivals.tls.unwrap().ca, Path::new("f"));

        let Config::Bench(bench) = of("bench a b --rounds 2 --json").unwrap() else { panic!() };
        assert_eq!((bench.paths.len(), bench.rounds.get(), bench.json), (2, 2, true));
        let Config::Bench(bench) = of("bench --mix handshake --seed 7 --write mix.pcap").unwrap() else {
            panic!()
        };
        assert_eq!((bench.paths.len(), bench.mix.shape, bench.mix.seed), (0, Shape::Handshake, 7));
        assert_eq!((bench.mix.hits, bench.mix.connections, bench.write.is_some()), (4, None, true));

        let Config::Check(check) = of("check PASTEBIN.com. x.pastebin.com").unwrap() else { panic!() };
        assert_eq!(
            check.hostnames.iter().map(Hostname::as_str).collect::<Vec<_>>(),
            ["pastebin.com", "x.pastebin.com"]
        );

        assert!(matches!(of("--generate man"), Ok(Config::Generate(Generate::Man))));
    }

    #[test]
    fn help_and_version_are_no_failure() {
        for (line, status) in
            [("--help", 0), ("replay -h", 0), ("help live", 0), ("--version", 0), ("brew", 2), ("replay", 2)]
        {
            assert_eq!(of(line).unwrap_err().exit_code(), status, "{line}");
        }
        let error = Config::from_command_line([OsString::from("undertone")]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("Usage:"), "{error}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("a.pcap"), "").unwrap();
        for (line, says) in [
            ("replay - a -".to_owned(), "error: CAPTURE -: is given more than once"),
            (
                "live -i eth0 --feed tcp:0.0.0.0:5170".to_owned(),
                "error: --feed tcp:0.0.0.0:5170: 0.0.0.0:5170 is not on loopback",
            ),
            (
                "live -i eth0 --feed tls:[::]:6514".to_owned(),
                "error: --feed tls:[::]:6514: needs --feed-tls-cert, --feed-tls-key and --feed-tls-ca",
            ),
            (
                "live -i eth0 --feed-tls-cert a --feed-tls-key b --feed-tls-ca c".to_owned(),
                "error: --feed-tls-cert a: is of no use without --feed tls:ADDRESS:PORT",
            ),
            ("live -i eth0 --feed a --feed a".to_owned(), "error: --feed a: is given more than once"),
            ("live -i eth0 --feed udp:1".to_owned(), "error: --feed udp:1: 'udp:' is no way in"),
            (
                "replay a --feed unix:/b".to_owned(),
                "error: --feed unix:/b: is listened on by live; replay reads files, and -",
            ),
            ("live -i eth0 -i eth1 -i eth0".to_owned(), "error: --interface eth0: is given more than once"),
            ("check \u{202e}..b".to_owned(), "error: HOSTNAME '\\u{202e}..b': has"),
            ("check a..b".to_owned(), "error: HOSTNAME 'a..b': has an empty label"),
            (
                "check ok.example --lists /no/such".to_owned(),
                "error: --lists /no/such: cannot be read: No such file",
            ),
            (format!("check --lists {}", folder.path().display()), "cannot be read: Is a directory"),
            ("replay a --no-builtin-lists".to_owned(), "error: --no-builtin-lists: leaves nothing to find"),
            ("replay a --hostnames -".to_owned(), "error: --hostnames -: standard output is for findings"),
            (format!("replay a -o {0} --hostnames {0}", at("out")), "is where findings go"),
            (format!("replay {0} -o {0}", at("a.pcap")), "which would be lost"),
            (
                format!("replay {0} --hostnames {1}/./a.pcap", at("a.pcap"), folder.path().display()),
                "which would be lost",
            ),
        ] {
            let error = of(&line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn what_looks_odd_is_allowed() {
        for line in [
            "replay a --no-builtin-lists --hostnames /dev/null -o /dev/null",
            "replay a --hostnames - -o /dev/null",
            "check --no-builtin-lists",
            "live -i a --repeat-window 366d --fail-on critical",
        ] {
            assert!(of(line).is_ok(), "{line}: {}", of(line).unwrap_err());
        }
    }

    #[test]
    fn lists_are_read_and_every_bad_one_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ours.txt");
        std::fs::write(&path, b"one.example\nbad\xff.example\n").unwrap();
        let path = path.display();
        let Config::Check(check) = of(&format!("check --lists {path}")).unwrap() else { panic!() };
        let names: Vec<&str> = check.lists.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, [path.to_string()]);

        let Err(Error::Invalid(problems)) = of(&format!("check --lists /no/1 --lists {path} --lists /no/2"))
        else {
            panic!()
        };
        assert_eq!(
            problems.iter().map(|problem| problem.place.as_str()).collect::<Vec<_>>(),
            ["--lists /no/1", "--lists /no/2"]
        );
    }
}
