//! Imports run one way: a stage imports only the stages listed above it, and the plumbing that all share.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The stages, in the order of the data, which is the alphabet's.
const STAGES: [&str; 8] = ["capture", "decode", "flow", "inspect", "lists", "originator", "rules", "sink"];

/// What every stage may import.
const SHARED: [&str; 3] = ["hands", "hostname", "reader"];

/// The plumbing that composes stages, and what each file of it may import besides stages and shared plumbing.
const PLUMBING: &[(&str, &[&str])] = &[
    ("stats", &[]),
    ("seen", &[]),
    ("conversations", &["seen"]),
    ("datagrams", &["seen"]),
    ("events", &["seen", "stats"]),
    ("questions", &[]),
    ("names", &["conversations", "datagrams", "events", "questions", "seen"]),
    ("tellers", &["events", "questions", "stats"]),
    ("worker", &["conversations", "datagrams", "events", "names", "questions", "seen", "stats", "tellers"]),
    ("merge", &["stats", "worker"]),
    ("blindness", &["events"]),
    ("naming", &["events", "seen"]),
    ("folding", &[]),
    ("given", &["worker"]),
    ("attributor", &["worker"]),
    ("correlator", &["attributor", "blindness", "events", "folding", "given", "naming", "worker"]),
    ("watermark", &[]),
    ("halves", &["worker"]),
    ("meeting", &["events", "halves", "questions", "stats", "worker"]),
    ("cli", &[]),
    ("list_file", &[]),
    ("stated_hosts", &[]),
    ("config", &["arrival", "cli", "config_file", "list_file", "stated_hosts"]),
    ("config_file", &["cli", "config"]),
    ("telemetry", &[]),
    ("judging", &["config", "runtime"]),
    (
        "delivery",
        &["attributor", "config", "correlator", "meeting", "naming", "stats", "watermark", "worker"],
    ),
    ("runtime", &["merge", "worker"]),
    ("arrival", &["runtime"]), // one file a way in
    ("intake", &["arrival", "attributor", "config", "delivery"]),
    ("mix", &["cli", "mix_packets"]),
    ("mix_packets", &[]),
    ("stages", &["cli", "config", "correlator", "delivery", "merge", "runtime", "stats", "worker"]),
    ("bench", &["cli", "config", "mix", "stages", "stats"]),
    ("check", &["config", "judging", "telemetry"]),
    ("tap", &["runtime", "seen", "worker"]),
    ("gauges", &["stats", "tap"]),
    ("metrics", &["runtime"]),
    ("notify", &[]),
    ("outputs", &["runtime"]),
    ("sandbox", &[]),
    ("reload", &["config", "judging"]),
    (
        "live",
        &[
            "arrival",
            "config",
            "correlator",
            "delivery",
            "gauges",
            "intake",
            "judging",
            "metrics",
            "notify",
            "outputs",
            "reload",
            "runtime",
            "sandbox",
            "tap",
            "worker",
        ],
    ),
    (
        "replay",
        &[
            "attributor",
            "config",
            "correlator",
            "delivery",
            "judging",
            "merge",
            "runtime",
            "telemetry",
            "worker",
        ],
    ),
    ("lib", &[]),
    ("main", &["bench", "check", "cli", "config", "live", "replay"]),
];

/// What the pure stages and machines may not name: clocks, threads, files, sockets.
const IMPURE: [&str; 9] = [
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "std::os",
    "std::process",
    "std::thread",
    "Instant",
    "SystemTime::", // an attribute of events in XML is called so too
    "std::env",
];

/// Where purity is promised.
const PURE: &[&str] = &[
    "hands",
    "decode",
    "flow",
    "inspect",
    "lists",
    "originator",
    "rules",
    "seen",
    "conversations",
    "datagrams",
    "events",
    "names",
    "questions",
    "tellers",
    "blindness",
    "naming",
    "folding",
    "given",
    "attributor",
    "correlator",
    "halves",
    "meeting",
    "merge",
    "stats",
    "stated_hosts",
    "watermark",
    "worker",
];

#[test]
fn stages_import_only_the_stages_above_them() {
    let mut wrong = Vec::new();
    for (module, files) in sources() {
        let allowed: Vec<&str> = match STAGES.iter().position(|stage| *stage == module) {
            Some(at) => STAGES[..at].iter().chain(&SHARED).copied().collect(),
            None if SHARED.contains(&module.as_str()) => vec!["reader"],
            None => match PLUMBING.iter().find(|(name, _)| *name == module) {
                Some((_, more)) => STAGES.iter().chain(&SHARED).chain(*more).copied().collect(),
                None => {
                    panic!("src/{module}.rs is neither a stage nor listed as plumbing in tests/layers.rs")
                }
            },
        };
        for file in files {
            for import in imports(&code(&file)) {
                if import != module && !allowed.contains(&import.as_str()) {
                    wrong.push(format!("{} imports {import}; it may import {allowed:?}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pure_code_names_no_clock_thread_file_or_socket() {
    let mut wrong = Vec::new();
    for (module, files) in sources() {
        if !PURE.contains(&module.as_str()) {
            continue;
        }
        for file in files {
            let text = code(&file);
            wrong.extend(
                IMPURE
                    .iter()
                    .filter(|name| text.contains(**name))
                    .map(|name| format!("{} names {name}", file.display())),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is() {
    for file in sources().into_values().flatten() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with what it is", file.display());
    }
}

#[test]
fn unsafe_code_is_where_it_has_a_reason() {
    for (module, files) in sources() {
        for file in files {
            let allowed = module == "capture" && file.ends_with("live.rs");
            assert!(allowed || !code(&file).contains("unsafe"), "{} holds unsafe code", file.display());
        }
    }
}

/// The files of each module at the top of the crate.
fn sources() -> BTreeMap<String, Vec<PathBuf>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut modules = BTreeMap::new();
    for entry in fs::read_dir(&root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut files = Vec::new();
        collect(&path, &mut files);
        assert!(!files.is_empty(), "{} holds no source", path.display());
        modules.insert(name, files);
    }
    assert!(modules.len() >= STAGES.len() + SHARED.len());
    modules
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        fs::read_dir(path).unwrap().for_each(|entry| collect(&entry.unwrap().path(), files));
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        files.push(path.to_owned());
    }
}

/// The code of a file, without comments and without its tests.
fn code(file: &Path) -> String {
    if file.ends_with("tests.rs") {
        return String::new();
    }
    let text = fs::read_to_string(file).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// The crate's modules that some code names: `crate::NAME`, in a group after `use crate::{`, or by the crate's name.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for root in ["crate::", "undertone::"] {
        for (at, _) in code.match_indices(root) {
            let rest = code.get(at + root.len()..).unwrap();
            match rest.strip_prefix('{') {
                Some(group) => {
                    let mut depth = 0;
                    let mut word = String::new();
                    for character in group.chars() {
                        match character {
                            '{' => depth += 1,
                            '}' if depth == 0 => break,
                            '}' => depth -= 1,
                            _ => {}
                        }
                        if character == ',' && depth == 0 {
                            found.push(first_word(&word));
                            word.clear();
                        } else {
                            word.push(character);
                        }
                    }
                    found.push(first_word(&word));
                }
                None => found.push(first_word(rest)),
            }
        }
    }
    found.retain(|name| name.starts_with(|first: char| first.is_ascii_lowercase()));
    found
}

fn first_word(text: &str) -> String {
    text.trim_start()
        .chars()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .collect()
}
