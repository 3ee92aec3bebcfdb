//! Browser or tool, from the hello alone: the lab's clients and captures of others, with the client held out of the data each time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::path::{Path, PathBuf};

use undertone::inspect::Detail;
use undertone::originator::{WireClass, WireClients};

const DATA: &str = include_str!("../src/originator/wire.toml");

const BROWSER: WireClass = WireClass::BrowserLike;
const TOOL: WireClass = WireClass::ToolLike;

/// A folder of pcaps/, its client in the data file, what it is, and what the structure alone says at the least.
const LAB: [(&str, &str, WireClass); 12] = [
    ("chromium", "Chromium: Chrome, Edge, Brave, Opera", BROWSER),
    ("firefox", "Firefox", BROWSER),
    ("curl", "curl", TOOL),
    ("wget", "wget", TOOL),
    ("python", "Python", TOOL),
    ("node", "Node.js", TOOL),
    ("go", "Go", TOOL),
    ("openssl", "OpenSSL", TOOL),
    ("quic-aioquic", "aioquic", TOOL),
    ("quic-chromium", "Chromium: Chrome, Edge, Brave, Opera", BROWSER),
    ("quic-curl", "curl", TOOL),
    ("quic-firefox", "Firefox", BROWSER),
];

/// Others' captures of which the client is known from what they are: Chrome, by its authors' word, and Firefox.
const OTHERS: [(&str, &str, WireClass); 4] = [
    ("browsers-x509.pcapng", "Chromium: Chrome, Edge, Brave, Opera", BROWSER),
    ("http2-with-cookies.pcapng", "Chromium: Chrome, Edge, Brave, Opera", BROWSER),
    ("tls3.pcapng", "Chromium: Chrome, Edge, Brave, Opera", BROWSER),
    ("tls12.pcap", "Firefox", BROWSER),
];

/// Hellos by what comes out: right, unknown, wrong.
fn count(path: &Path, clients: &WireClients, expected: WireClass) -> [usize; 3] {
    let mut counts = [0; 3];
    for one in common::observations(path) {
        if !matches!(one.detail, Detail::Hello(_)) {
            continue;
        }
        match clients.class(&one.detail) {
            class if class == expected => counts[0] += 1,
            WireClass::Unknown => counts[1] += 1,
            _ => counts[2] += 1,
        }
    }
    counts
}

/// With the data every client is told; without its own line none is told wrongly.
fn check(paths: impl Iterator<Item = (PathBuf, &'static str, WireClass)>) -> [usize; 3] {
    let mut sum = [0; 3];
    for (path, client, expected) in paths {
        let [right, unknown, wrong] = count(&path, WireClients::builtin(), expected);
        assert!(
            right > 10 * unknown && wrong == 0,
            "{}: {right} right, {unknown} unknown, {wrong} wrong",
            path.display()
        );
        let held_out = WireClients::read(DATA, Some(client)).unwrap();
        let counts = count(&path, &held_out, expected);
        println!(
            "{:<60} {:<14} held out: {counts:?} right, unknown, wrong",
            path.display(),
            expected.as_str()
        );
        assert_eq!(counts[2], 0, "{}", path.display());
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    sum
}

#[test]
fn the_labs_clients_are_told_apart() {
    let folder =
        |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps").join(name).join("input.pcap");
    let [right, unknown, _] =
        check(LAB.into_iter().map(|(name, client, class)| (folder(name), client, class)));
    assert!(right >= 20 * unknown, "by structure alone {right} are told, and {unknown} are unknown");
}

#[test]
fn clients_of_others_are_told_apart() {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("NOT RUN, for UNDERTONE_CORPUS is not set");
        return;
    };
    let folder = Path::new(&corpus).join("ja4/pcap");
    check(OTHERS.into_iter().map(|(name, client, class)| (folder.join(name), client, class)));
}
