//! The command line as it is typed: options, their help, completions and the manual page.
//!
//! Nothing is decided here that needs another option, a file or the machine; that is [`config`](crate::config). The help
//! of an option is its documentation: the manual page and the completions are made from it.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args as Group, CommandFactory, Parser, Subcommand, ValueEnum, ValueHint};

use crate::originator::feed::FeedFormat;
use crate::rules::Level;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "undertone",
    version,
    about = "Find command-and-control that hides inside trusted web services",
    long_about = "undertone is a network sensor. It reads packets from an interface or from capture files, learns every \
        hostname that is asked for or connected to, and finds command-and-control that hides inside trusted web services \
        (MITRE ATT&CK T1102): Dropbox, Pastebin, GitHub, Telegram, Discord, OneDrive and their like.\n\n\
        Standard output is for findings: JSON lines, or readable lines on a terminal. Standard error is for people: \
        progress, warnings and a closing summary.",
    after_help = "Try 'undertone help replay', or --help for examples and exit statuses.",
    after_long_help = AFTER_ALL,
    arg_required_else_help = true,
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = false,
    max_term_width = 110
)]
pub struct Args {
    /// Print the manual page or the completions of a shell, and exit
    #[arg(long, value_enum, value_name = "WHAT")]
    pub generate: Option<Generate>,

    /// What to do; there is always one, unless something is generated.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Args {
    /// Writes what `--generate` asks for.
    ///
    /// # Errors
    /// When writing fails.
    pub fn generate(what: Generate, to: &mut dyn Write) -> io::Result<()> {
        let mut command = Self::command();
        command.build();
        let shell = match what {
            Generate::Man => return manual_page(&command, to),
            Generate::CompleteBash => clap_complete::Shell::Bash,
            Generate::CompleteZsh => clap_complete::Shell::Zsh,
            Generate::CompleteFish => clap_complete::Shell::Fish,
            Generate::CompletePowershell => clap_complete::Shell::PowerShell,
            Generate::CompleteElvish => clap_complete::Shell::Elvish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, "undertone", &mut script);
        to.write_all(&script)
    }
}

/// The uses.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find listed services in capture files
    #[command(
        long_about = "Reads capture files and writes what was found in them.\n\n\
            Captures are pcap or pcapng, also compressed with gzip or zstd. Files that follow one another in time are one \
            capture, so that a conversation may begin in one and end in the next; files that overlap in time are kept apart.",
        after_long_help = AFTER_REPLAY
    )]
    Replay(ReplayArgs),

    /// Find listed services in the traffic of an interface, as it passes
    #[command(
        long_about = "Captures on one or more interfaces and writes what is found, until a signal ends it.\n\n\
            Capturing needs the capability CAP_NET_RAW.",
        after_long_help = AFTER_LIVE
    )]
    Live(LiveArgs),

    /// Measure how fast captures are read on this machine
    #[command(
        long_about = "Reads captures into memory and measures how many packets and bits a second are handled, by number \
            of threads.",
        after_long_help = AFTER_BENCH
    )]
    Bench(BenchArgs),

    /// Validate configuration and lists, or say what a hostname would meet
    #[command(
        long_about = "Reads the configuration and the lists, and reports everything that is wrong with them.\n\n\
            With hostnames, says for each which list entry it would meet, and why.",
        after_long_help = AFTER_CHECK
    )]
    Check(CheckArgs),
}

/// `undertone replay`
#[derive(Debug, Group)]
pub struct ReplayArgs {
    /// Capture files, directories (read recursively), or - for standard input
    #[arg(value_name = "CAPTURE", required = true, value_hint = ValueHint::AnyPath)]
    pub paths: Vec<PathBuf>,

    /// Treat every file as a capture of its own
    ///
    /// Without this, files that follow one another in time are one capture, as rotated files are.
    #[arg(long, help_heading = "Input", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub separate: bool,

    /// Which frames are looked at.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Endpoint telemetry, which names the processes.
    #[command(flatten)]
    pub feeds: FeedArgs,
    /// Which hostnames are of interest.
    #[command(flatten)]
    pub lists: ListArgs,
    /// What is written, where and how.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How much of the machine is used.
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// What every use has.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `undertone live`
#[derive(Debug, Group)]
pub struct LiveArgs {
    /// Interface to capture on; repeat it for several
    #[arg(short, long, help_heading = "Input", value_name = "IFACE", required = true, value_hint = ValueHint::Other,
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub interface: Vec<String>,

    /// Bytes to capture of each frame
    ///
    /// A frame is longer than the link allows where the kernel has put segments together.
    #[arg(long, help_heading = "Input", value_name = "BYTES", default_value = "65535",
          value_parser = clap::value_parser!(u32).range(64..=262_144))]
    pub snaplen: u32,

    /// Memory for frames that wait in the kernel, in MiB for each interface and thread
    #[arg(long, help_heading = "Input", value_name = "MIB", default_value = "64",
          value_parser = clap::value_parser!(u32).range(1..=2047))]
    pub buffer: u32,

    /// Look only at frames that are for this machine or for everybody
    #[arg(long, help_heading = "Input", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub no_promiscuous: bool,

    /// Endpoint telemetry, which names the processes.
    #[command(flatten)]
    pub feeds: FeedArgs,
    /// Who may send it from elsewhere.
    #[command(flatten)]
    pub feed_tls: FeedTlsArgs,
    /// What a sensor has that runs for months.
    #[command(flatten)]
    pub sensor: SensorArgs,
    /// Which frames are looked at.
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Which hostnames are of interest.
    #[command(flatten)]
    pub lists: ListArgs,
    /// What is written, where and how.
    #[command(flatten)]
    pub output: OutputArgs,
    /// How much of the machine is used.
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// What every use has.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What a sensor has that runs for months.
#[derive(Debug, Group)]
pub struct SensorArgs {
    /// Write the counters among the findings this often, in seconds; 0 for only when SIGUSR1 asks for them
    #[arg(long, help_heading = "Running", value_name = "SECONDS", default_value = "0",
          value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub stats: u32,

    /// Answer /metrics (for Prometheus) and /healthz on this address
    ///
    /// A port alone is one of the loopback address: 9464 is 127.0.0.1:9464.
    #[arg(long, help_heading = "Running", value_name = "ADDR", value_parser = metrics_address)]
    pub metrics: Option<SocketAddr>,

    /// Become this user once everything is open; it takes root
    #[arg(long, help_heading = "Running", value_name = "NAME",
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub user: Option<String>,

    /// Keep all rights that it was started with
    ///
    /// Otherwise a sensor keeps CAP_NET_RAW alone once everything is open, and the folders of what it reads and writes again
    /// (Landlock), and executes nothing (seccomp). A list in another folder is then refused until the next start.
    #[arg(long, help_heading = "Running", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub no_sandbox: bool,

    /// Put an output file aside when it would become longer than this, in MiB
    ///
    /// The file FILE becomes FILE.1, that FILE.2, and so on. SIGHUP opens files again by their names, for whoever puts them
    /// aside otherwise.
    #[arg(long, help_heading = "Output", value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..))]
    pub rotate_size: Option<u32>,

    /// Put an output file aside when it is older than this
    #[arg(long, help_heading = "Output", value_name = "DURATION", value_parser = duration)]
    pub rotate_age: Option<Duration>,

    /// Output files that are kept once they are put aside
    #[arg(long, help_heading = "Output", value_name = "N", default_value = "7",
          value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub rotate_keep: u32,

    /// Keep records in this folder that an output does not take in time, also beyond the end
    ///
    /// Without it (and without STATE_DIRECTORY, which systemd sets) they are kept in a file that is gone at the end.
    #[arg(long, help_heading = "Output", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub spill: Option<PathBuf>,

    /// The most that is kept so for each output, in MiB; what comes then is lost, and counted
    #[arg(long, help_heading = "Output", value_name = "MIB", default_value = "256")]
    pub spill_limit: u32,

    /// Read configuration, lists, rules and allow lists again when a file of them changes, as SIGHUP does
    #[arg(long, help_heading = "Lists", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub watch: bool,
}

/// `undertone bench`
#[derive(Debug, Group)]
pub struct BenchArgs {
    /// Capture files; without one, a synthetic office mix is made
    #[arg(value_name = "CAPTURE", value_hint = ValueHint::FilePath)]
    pub paths: Vec<PathBuf>,

    /// What there is most of in the mix
    #[arg(
        long,
        help_heading = "Mix",
        value_name = "SHAPE",
        default_value = "bulk",
        conflicts_with = "paths"
    )]
    pub mix: Shape,

    /// Number from which the mix is made: the same gives the same bytes
    #[arg(long, help_heading = "Mix", value_name = "N", default_value = "1", conflicts_with = "paths")]
    pub seed: u64,

    /// TLS and QUIC connections of the mix [default: 24000 for bulk, 60000 for handshake]
    #[arg(long, help_heading = "Mix", value_name = "N", conflicts_with = "paths")]
    pub connections: Option<NonZeroU32>,

    /// How many names of a hundred are listed ones
    #[arg(long, help_heading = "Mix", value_name = "PERCENT", default_value = "4", conflicts_with = "paths",
          value_parser = clap::value_parser!(u8).range(..=100))]
    pub hits: u8,

    /// Write the mix to a file, to measure others with it, and measure nothing
    #[arg(long, help_heading = "Mix", value_name = "FILE", conflicts_with = "paths", value_hint = ValueHint::FilePath)]
    pub write: Option<PathBuf>,

    /// Times to go through the captures for each figure
    #[arg(long, help_heading = "Running", value_name = "N", default_value = "5")]
    pub rounds: NonZeroU32,

    /// Write the figures as JSON
    #[arg(long, help_heading = "Output", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub json: bool,

    /// How much of the machine is used.
    #[command(flatten)]
    pub threads: ThreadArgs,
    /// What every use has.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// `undertone check`
#[derive(Debug, Group)]
pub struct CheckArgs {
    /// Hostnames to look up in the lists
    #[arg(value_name = "HOSTNAME", value_hint = ValueHint::Hostname)]
    pub hostnames: Vec<String>,

    /// Read endpoint telemetry and say what was recognised: records by kind, hosts, clocks, and what could not be used and
    /// why; a file, or - for standard input
    #[arg(long, help_heading = "Telemetry", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub feed: Vec<PathBuf>,

    /// State the format of the telemetry, where it is not recognised
    ///
    /// Every record is taken for one of it then, and what is none is refused.
    #[arg(long, help_heading = "Telemetry", value_name = "FORMAT", requires = "feed", value_parser = formats())]
    pub feed_format: Option<FeedFormat>,

    /// Which hostnames are of interest.
    #[command(flatten)]
    pub lists: ListArgs,
    /// What every use has.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Which frames are looked at.
#[derive(Debug, Group)]
pub struct FilterArgs {
    /// Look only at frames that match a filter in the language of tcpdump
    #[arg(long, help_heading = "Input", value_name = "BPF", value_hint = ValueHint::Other,
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub filter: Option<String>,
}

/// Endpoint telemetry, which names the processes.
#[derive(Debug, Group)]
pub struct FeedArgs {
    /// Read endpoint telemetry from a file, to name the process behind each contact; repeat it for several
    ///
    /// A live sensor follows the file through rotation and truncation, and can listen as well: unix:PATH makes a socket,
    /// tcp:127.0.0.1:PORT listens on loopback, tls:ADDRESS:PORT anywhere, for senders that show a certificate. Senders write
    /// JSON lines, or syslog (RFC 6587).
    ///
    /// Sysmon and the Security log of Windows, Sysmon for Linux, Elastic Defend, Auditbeat, Microsoft Defender, CrowdStrike, SentinelOne,
    /// Tetragon, osquery and OCSF; the format is recognised by the content, and so is compression with gzip or zstd. What a file
    /// holds is said by undertone check --feed. - is standard input. The order of files and of
    /// records does not matter, and their clocks need not be right: what they are off by is learned from connections.
    #[arg(long, help_heading = "Telemetry", value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub feed: Vec<PathBuf>,

    /// State the format of the telemetry, where it is not recognised
    ///
    /// Every record is taken for one of it then, and what is none is refused.
    #[arg(long, help_heading = "Telemetry", value_name = "FORMAT", requires = "feed", value_parser = formats())]
    pub feed_format: Option<FeedFormat>,

    /// Say which addresses are whose: a file of lines with an address and a name
    ///
    /// Without it that is learned from the telemetry itself. What the file says goes before what was learned.
    #[arg(long, help_heading = "Telemetry", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub hosts: Option<PathBuf>,

    /// Memory for telemetry and for what waits for it, in MiB
    ///
    /// What does not fit is told in the closing summary, and the exit status is 1.
    #[arg(long, help_heading = "Telemetry", value_name = "MIB", default_value = "1024",
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub feed_memory: u32,
}

/// Who may send telemetry from elsewhere.
#[derive(Debug, Group)]
pub struct FeedTlsArgs {
    /// Certificate of this sensor for --feed tls:ADDRESS:PORT, with those between it and its authority (PEM)
    #[arg(long, help_heading = "Telemetry", value_name = "FILE", value_hint = ValueHint::FilePath,
          requires_all = ["feed_tls_key", "feed_tls_ca"])]
    pub feed_tls_cert: Option<PathBuf>,

    /// Its key (PEM)
    #[arg(long, help_heading = "Telemetry", value_name = "FILE", value_hint = ValueHint::FilePath,
          requires_all = ["feed_tls_cert", "feed_tls_ca"])]
    pub feed_tls_key: Option<PathBuf>,

    /// Authorities that certificates of senders come from (PEM); a sender without such a certificate is refused
    #[arg(long, help_heading = "Telemetry", value_name = "FILE", value_hint = ValueHint::FilePath,
          requires_all = ["feed_tls_cert", "feed_tls_key"])]
    pub feed_tls_ca: Option<PathBuf>,
}

/// How much of the machine is used.
#[derive(Debug, Group)]
pub struct ThreadArgs {
    /// Threads that look at packets [default: one for each core]
    ///
    /// Findings are the same for any number.
    #[arg(long, help_heading = "Running", value_name = "N", value_parser = thread_count)]
    pub threads: Option<NonZeroUsize>,
}

/// Which hostnames are of interest.
#[derive(Debug, Group)]
pub struct ListArgs {
    /// Add the list in a file to the built-in one; repeat it for several
    ///
    /// One hostname suffix a line, # begins a comment. A suffix matches itself and every name below it. Bad lines
    /// are reported, and the good ones kept.
    #[arg(long, help_heading = "Lists", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub lists: Vec<PathBuf>,

    /// Leave the built-in list out
    #[arg(long, help_heading = "Lists", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub no_builtin_lists: bool,

    /// Allow what a list says: who may reach what, until when; repeat it for several
    ///
    /// A hostname suffix a line, or TOML with client, process, tenant, owner, reason and expiry. What is allowed is counted in the
    /// summary and told nowhere else; entries that were never used, or have expired, are told at the end.
    #[arg(long, help_heading = "Lists", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub allow: Vec<PathBuf>,

    /// Add Sigma rules: a file, or every .yml below a folder; repeat it for several
    ///
    /// Rules for network_connection, dns_query and dns are used. Hostnames that a rule asks for are looked for too. A rule that
    /// speaks of a process waits until it is known. undertone check says of each rule whether it runs.
    #[arg(long, help_heading = "Rules", value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub rules: Vec<PathBuf>,

    /// Leave the built-in rules out: only findings of rules that --rules names
    #[arg(long, help_heading = "Rules", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub no_builtin_rules: bool,
}

/// What is written, where and how.
#[derive(Debug, Group)]
pub struct OutputArgs {
    /// Write findings to a file or to a socket instead of standard output
    ///
    /// A file (PATH or file:PATH), which a replay empties first and a live sensor adds to; JSON lines for whoever listens
    /// (unix:PATH, tcp:HOST:PORT); or syslog (syslog:unix:PATH, syslog:tcp:HOST:PORT, syslog:udp:HOST:PORT).
    #[arg(short, long, help_heading = "Output", value_name = "WHERE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,

    /// Form of the records
    #[arg(long, help_heading = "Output", value_name = "FORMAT", value_enum, default_value = "ecs")]
    pub format: Format,

    /// Write JSON lines on a terminal too
    ///
    /// JSON lines are what a file or a pipe always gets.
    #[arg(long, help_heading = "Output", value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub json: bool,

    /// Write every hostname that is seen there, as JSON lines; all that --output takes is taken
    #[arg(long, help_heading = "Output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub hostnames: Option<PathBuf>,

    /// Write every conversation of TCP and UDP to a file, as JSON lines; it is emptied first
    ///
    /// Bytes and packets each way, beginning and end, the name where there was one, and with --feed the process. Conversations with DNS
    /// servers are left out: their names are in --hostnames.
    #[arg(long, help_heading = "Output", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub flows: Option<PathBuf>,

    /// Write only findings of this level or a higher one
    ///
    /// The others are counted in the closing summary.
    #[arg(long, help_heading = "Output", value_name = "LEVEL", value_enum, default_value = "low")]
    pub min_level: Level,

    /// Tell a client's further contacts with a service again only after this time
    ///
    /// Contacts within it belong to the alert that was told, and are counted in the summary at the end. A number with a
    /// unit: s, m, h or d; parts may follow one another, as in 1h30m.
    #[arg(long, help_heading = "Output", value_name = "DURATION", default_value = "1h", value_parser = duration)]
    pub repeat_window: Duration,

    /// Exit with status 3 when a finding has this level or a higher one
    #[arg(long, help_heading = "Output", value_name = "LEVEL", value_enum)]
    pub fail_on: Option<Level>,
}

/// What every use has.
#[derive(Debug, Group)]
pub struct CommonArgs {
    /// Read options from a TOML file; the command line overrules it
    ///
    /// Keys are the long names of options. At the top of the file they hold for every use that has the option; in a table
    /// named replay, live, bench or check for that use only. Paths are relative to the file. An option that is given on
    /// the command line replaces the file's; --json=false unsets what the file sets, and so with every such switch.
    #[arg(long, help_heading = "Running", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,

    /// When to colour what people read
    ///
    /// By itself, colour is used on a terminal, unless the environment variable NO_COLOR is set or TERM is "dumb".
    #[arg(long, help_heading = "Running", value_name = "WHEN", value_enum, default_value = "auto")]
    pub color: Color,

    /// Only findings and errors: no progress bar, no warnings, no closing summary
    #[arg(short, long, help_heading = "Running", conflicts_with = "verbose")]
    pub quiet: bool,

    /// A closing summary in full: nothing is left out for shortness
    #[arg(short, long, help_heading = "Running")]
    pub verbose: bool,
}

/// What `--generate` makes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Generate {
    /// The manual page, in roff
    Man,
    /// Completions for bash
    CompleteBash,
    /// Completions for zsh
    CompleteZsh,
    /// Completions for fish
    CompleteFish,
    /// Completions for PowerShell
    CompletePowershell,
    /// Completions for elvish
    CompleteElvish,
}

/// What a synthetic mix has most of.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Shape {
    /// Data: 1.31 million packets and 1.07 GB with 24,000 connections
    Bulk,
    /// Conversations that say little more than their names: 0.78 million packets and 0.21 GB with 60,000
    Handshake,
}

/// Form of the records.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// Elastic Common Schema 9
    Ecs,
}

/// When to colour what people read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ValueEnum for Level {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.as_str()))
    }
}

/// The most threads: far beyond any machine on which more would help, and few enough to start.
pub const MOST_THREADS: usize = 1024;

/// A format of telemetry, by its name.
fn formats() -> impl TypedValueParser<Value = FeedFormat> {
    PossibleValuesParser::new(FeedFormat::ALL.map(FeedFormat::as_str))
        .try_map(|name| name.parse::<FeedFormat>())
}

fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse()
        .map_err(|_| "an address with a port is needed, such as 127.0.0.1:9464, or a port alone".to_owned())
}

fn thread_count(text: &str) -> Result<NonZeroUsize, String> {
    match text.parse::<usize>().ok().and_then(NonZeroUsize::new) {
        Some(count) if count.get() <= MOST_THREADS => Ok(count),
        _ => Err(format!("a number from 1 to {MOST_THREADS} is needed")),
    }
}

/// The longest time that an option can have, in seconds: a year and a day.
const LONGEST: u64 = 366 * 86_400;

/// Reads `90s`, `30m`, `1h30m`, `2d`.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a number with a unit is needed: s, m, h or d, such as 90s, 1h or 1h30m".to_owned();
    let (mut seconds, mut number) = (0u64, None::<u64>);
    for character in text.chars() {
        if let Some(digit) = character.to_digit(10) {
            let sum = number.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit));
            number = Some(sum);
            continue;
        }
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        seconds = seconds.saturating_add(number.take().ok_or_else(wrong)?.saturating_mul(unit));
    }
    if number.is_some() || text.is_empty() {
        return Err(wrong());
    }
    if !(1..=LONGEST).contains(&seconds) {
        return Err("a time from 1s to 366d is needed".to_owned());
    }
    Ok(Duration::from_secs(seconds))
}

/// One page for the command and all its uses.
fn manual_page(command: &clap::Command, to: &mut dyn Write) -> io::Result<()> {
    let page = clap_mangen::Man::new(command.clone()).manual("undertone manual");
    let mut roff = Vec::new();
    page.render_title(&mut roff)?;
    page.render_name_section(&mut roff)?;
    page.render_synopsis_section(&mut roff)?;
    page.render_description_section(&mut roff)?;
    page.render_options_section(&mut roff)?;
    for subcommand in command.get_subcommands().filter(|subcommand| subcommand.get_name() != "help") {
        writeln!(roff, ".SH \"UNDERTONE {}\"", subcommand.get_name().to_uppercase())?;
        let page = clap_mangen::Man::new(subcommand.clone());
        let mut sections = Vec::new();
        page.render_synopsis_section(&mut sections)?;
        page.render_description_section(&mut sections)?;
        page.render_options_section(&mut sections)?;
        page.render_extra_section(&mut sections)?;
        // Sections of a use are subsections of the page.
        for line in String::from_utf8_lossy(&sections).lines() {
            match line.strip_prefix(".SH ") {
                Some("EXTRA") => writeln!(roff, ".SS NOTES")?,
                Some(title) => writeln!(roff, ".SS {title}")?,
                None => writeln!(roff, "{line}")?,
            }
        }
    }
    page.render_extra_section(&mut roff)?;
    page.render_version_section(&mut roff)?;
    to.write_all(&roff)
}

const AFTER_ALL: &str = "\
Examples:
  undertone replay office.pcapng                     findings of a capture, readable
  undertone replay captures/ | jq .                  of every capture in a directory, as JSON
  undertone live -i eth1 -o findings.jsonl           of an interface, until Ctrl-C
  undertone check api.dropboxapi.com notdropbox.com  what these names would meet
  undertone --generate man | man -l -                the manual page

Exit status:
  0  ran to the end
  1  could not; what was found until then was written
  2  the command line, the configuration or a list cannot be used
  3  with --fail-on LEVEL, when a finding reached it";

const AFTER_REPLAY: &str = "\
Examples:
  undertone replay office.pcapng
      Findings as readable lines on a terminal, as JSON lines anywhere else.

  undertone replay -o findings.jsonl --hostnames names.jsonl captures/
      Every capture below a directory; findings to one file, every hostname seen to another.

  undertone replay --feed sysmon.evtx --feed security.jsonl.gz --flows flows.jsonl office.pcapng
      The process behind each contact and each connection, from endpoint telemetry.

  zcat remote.pcap.gz | undertone replay --lists ours.txt --no-builtin-lists -
      Standard input, and only the services of our own list.

  undertone replay --fail-on high --min-level medium nightly/*.pcap
      For a job: status 3 when there is a finding of level high or critical.

Exit status:
  0  ran to the end; a capture that is cut off is used up to the cut, with a warning
  1  could not: a file is no capture or cannot be read (the others are), telemetry did not fit
     into --feed-memory, or findings could not be delivered (a full disk, a reader that has
     gone); what was found until then was written
  2  the command line, the configuration or a list cannot be used; nothing was read
  3  with --fail-on LEVEL, when a finding reached it; 1 goes before 3";

const AFTER_LIVE: &str = "\
Examples:
  undertone live -i eth1
      Findings of one interface as readable lines, until Ctrl-C.

  undertone live -i eth1 -i eth2 --buffer 512 -o /var/log/undertone.jsonl
      Two SPAN ports, with more room for bursts; findings to a file.

  undertone live -i eth1 --filter 'not net 10.9.0.0/16' --config /etc/undertone.toml
      Without one network; everything else from a file.

Signals:
  SIGINT, SIGTERM  handle what was captured, write the summaries, and end
  SIGHUP           read configuration and lists again; what is wrong changes nothing,
                   and until all is read, old and new lists are in memory together
  SIGUSR1          write the counters among the findings

Exit status:
  0  ended by a signal (SIGINT, SIGTERM), after everything seen was handled
  1  could not: an interface cannot be opened, or findings not be delivered
  2  the command line, the configuration or a list cannot be used; nothing was captured
  3  with --fail-on LEVEL, when a finding reached it; 1 goes before 3";

const AFTER_BENCH: &str = "\
Each stage is measured with the ones before it, on one thread and on more: reading the file and nothing else, walking over the heads
of its packets, decoding them, finding their names, looking these up in the built-in lists, and the whole of a replay. The first two
are what this machine can do at best. Files are read as a replay reads them, after one round that is not counted: what lies in memory
by then costs no disk.

Examples:
  undertone bench
      A synthetic office mix of 1 GB, on one thread and up to one for each core.

  undertone bench --mix handshake --connections 600000 --threads 1
      Ten times the usual size, on one thread.

  undertone bench --seed 7 --write mix.pcap
      The mix as a capture, for other programs.

  undertone bench --threads 4 --rounds 20 --json office.pcapng > figures.json
      One's own traffic, up to four threads, twenty rounds for each figure, for a script.

Exit status:
  0  ran to the end
  1  could not: a file is no capture, or cannot be read or written
  2  the command line or the configuration cannot be used";

const AFTER_CHECK: &str = "\
Examples:
  undertone check --config /etc/undertone.toml
      Whether a sensor would start with this configuration; every bad line of its lists.

  undertone check --lists ours.txt api.dropboxapi.com notdropbox.com
      Which entry of which list each name would meet.

Exit status:
  0  everything is in order (whether hostnames meet an entry does not matter)
  2  the command line, the configuration or a list has something wrong with it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Args::command().debug_assert();
    }

    fn typed(line: &str) -> Result<Args, clap::Error> {
        Args::try_parse_from(std::iter::once("undertone").chain(line.split(' ')))
    }

    #[test]
    fn help_names_every_option_and_shows_examples() {
        let mut all = Args::command();
        all.build();
        assert_eq!(all.get_subcommands().count(), 5, "the four uses, and help");
        for command in all.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            let long = command.render_long_help().to_string();
            let short = command.render_help().to_string();
            assert!(short.len() * 4 < long.len() * 3, "{} -h is short", command.get_name());
            for section in ["Examples:", "Exit status:"] {
                assert!(long.contains(section), "{} --help has {section}", command.get_name());
                assert!(!short.contains(section), "{} -h has no {section}", command.get_name());
            }
            for option in command.get_opts() {
                let name = format!("--{}", option.get_long().unwrap());
                assert!(long.contains(&name) && short.contains(&name), "{} {name}", command.get_name());
                assert!(option.get_help().is_some() && option.get_help_heading().is_some(), "{name}");
            }
        }
    }

    #[test]
    fn every_example_parses() {
        for text in [AFTER_ALL, AFTER_REPLAY, AFTER_LIVE, AFTER_BENCH, AFTER_CHECK] {
            let examples = text.lines().filter_map(|line| {
                line.strip_prefix("  ")
                    .filter(|line| !line.starts_with(' '))
                    .and_then(|line| line.find("undertone "))
                    .and_then(|start| line.get(start + 2..))
            });
            let mut count = 0;
            for example in examples {
                let example = example
                    .split("  ")
                    .next()
                    .unwrap()
                    .split(" |")
                    .next()
                    .unwrap()
                    .split(" >")
                    .next()
                    .unwrap();
                let (mut words, mut quoted) = (vec![String::new()], false);
                for character in example.chars() {
                    match character {
                        '\'' => quoted = !quoted,
                        ' ' if !quoted => words.push(String::new()),
                        _ => words.last_mut().unwrap().push(character),
                    }
                }
                Args::try_parse_from(&words).unwrap_or_else(|error| panic!("{example}: {error}"));
                count += 1;
            }
            assert!(count >= 2, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_option() {
        for (line, says) in [
            ("replay", "<CAPTURE>"),
            ("live", "--interface"),
            ("live -i ", "--interface"),
            ("live -i eth0 --snaplen 10", "--snaplen"),
            ("live -i eth0 --buffer 0", "--buffer"),
            ("live -i eth0 --metrics here", "127.0.0.1:9464"),
            ("live -i eth0 --stats 1h", "--stats"),
            ("replay a --threads 0", "from 1 to 1024"),
            ("replay a --threads many", "from 1 to 1024"),
            ("replay a --min-level grave", "informational, low, medium, high, critical"),
            ("replay a --format eve", "ecs"),
            ("replay a --repeat-window 1", "unit"),
            ("replay a --repeat-window 1h5", "unit"),
            ("replay a --repeat-window h", "unit"),
            ("replay a --repeat-window 0s", "1s to 366d"),
            ("replay a --repeat-window 99999999999999999999d", "1s to 366d"),
            ("replay a -q -v", "--verbose"),
            ("replay a --color blue", "--color"),
            ("replay a --rules", "--rules"),
            ("bench a --rounds 0", "--rounds"),
            ("--generate tea", "complete-bash"),
        ] {
            let error = typed(line).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{line}");
            assert!(error.to_string().contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn durations_add_up() {
        for (text, seconds) in [("90s", 90), ("1h", 3_600), ("1h30m", 5_400), ("2d", 172_800), ("1m1s", 61)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn switches_can_be_unset() {
        for (line, expected) in
            [("replay a", false), ("replay --json a", true), ("replay --json=false a", false)]
        {
            let Some(Command::Replay(args)) = typed(line).unwrap().command else { panic!("{line}") };
            assert_eq!((args.output.json, args.paths.len()), (expected, 1), "{line}");
        }
    }

    #[test]
    fn the_manual_and_all_completions_are_generated() {
        for what in Generate::value_variants() {
            let mut text = Vec::new();
            Args::generate(*what, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            for word in ["min", "repeat", "no-builtin-lists", "snaplen", "generate"] {
                // roff writes a hyphen as \-
                assert!(text.replace("\\-", "-").contains(word), "{what:?} {word}");
            }
        }
    }
}
