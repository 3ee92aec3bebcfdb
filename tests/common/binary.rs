//! The program as a user runs it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A few seconds of an office: five findings of level medium (curl, by its hello), four of level informational.
pub const FIRST_LOOK: &str = "pcaps/first-look/input.pcap";

/// The program with these arguments, in the project's folder, and in an environment that does not change what it writes.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_undertone"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
    command
}

/// What a run gave.
#[derive(Debug)]
pub struct Ran {
    /// Exit status; -1 for a signal.
    pub status: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// Standard output as JSON lines.
    pub fn records(&self) -> Vec<Value> {
        records(&self.out)
    }

    /// The names of its alerts, in order.
    pub fn alerts(&self) -> Vec<String> {
        let alerts = self.records().into_iter().filter(|record| dataset(record) == "undertone.alert");
        alerts.map(|record| text(&record["undertone"]["hostname"]["name"])).collect()
    }

    /// Says that it ended so, and gives itself back.
    #[track_caller]
    pub fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self:#?}");
        self
    }

    /// Says that standard error has all of these.
    #[track_caller]
    pub fn says(self, words: &[&str]) -> Self {
        for word in words {
            assert!(self.err.contains(word), "{word:?} is missing: {self:#?}");
        }
        self
    }
}

/// Runs the program to its end.
pub fn undertone(args: &[&str]) -> Ran {
    command(args).output().unwrap().into()
}

/// Runs it with this on standard input.
pub fn undertone_with(args: &[&str], input: &[u8]) -> Ran {
    let mut child = start(args);
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        // It may end before it has read everything.
        scope.spawn(move || drop(stdin.write_all(input)));
        child.wait_with_output().unwrap().into()
    })
}

/// Starts it with pipes on all sides.
pub fn start(args: &[&str]) -> Child {
    let pipes = |command: &mut Command| {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    };
    pipes(&mut command(args)).unwrap()
}

/// Sends a signal to a process that was started here.
pub fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

/// Waits for a process to end; it is ended, and that is a failure, when it takes too long.
#[track_caller]
pub fn wait(mut child: Child, longest: Duration) -> Ran {
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if began.elapsed() > longest {
            child.kill().unwrap();
            panic!("still running after {longest:?}: {:#?}", Ran::from(child.wait_with_output().unwrap()));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap().into()
}

/// Text as JSON lines.
#[track_caller]
pub fn records(lines: &str) -> Vec<Value> {
    assert!(lines.is_empty() || lines.ends_with('\n'), "the last line is whole");
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The kind of a record.
pub fn dataset(record: &Value) -> &str {
    record["event"]["dataset"].as_str().unwrap()
}

/// A text in a record.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// The folders of the captures that come with the project, each with its captures in the order of their names.
pub fn cases() -> Vec<(PathBuf, Vec<PathBuf>)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps");
    let mut cases = Vec::new();
    for folder in list(&top) {
        let captures: Vec<PathBuf> = list(&folder)
            .into_iter()
            .filter(|path| path.file_name().and_then(OsStr::to_str).unwrap().starts_with("input"))
            .collect();
        if !captures.is_empty() {
            cases.push((folder, captures));
        }
    }
    assert!(cases.len() > 30, "the captures are there");
    cases
}

/// What is in a folder, in the order of the names; nothing for what is no folder.
pub fn list(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}
