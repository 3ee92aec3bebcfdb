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

/// Every capture of others that has hellos, and how many of them are of browsers, of tools, and of neither, by structure alone: Chrome, by their
/// authors' word and by its ciphers, over TCP and QUIC; Firefox (`tls12.pcap`, to a name of Mozilla's); agents and telemetry of Windows (to names
/// of Sophos, OpenDNS and Microsoft), by TLS 1.2 and without GREASE; and a client on macOS that may be Safari or anything else there.
const OTHERS: [(&str, [usize; 3]); 14] = [
    ("badcurveball.pcap", [1, 0, 0]),
    ("browsers-x509.pcapng", [3, 0, 0]),
    ("chrome-cloudflare-quic-with-secrets.pcapng", [2, 0, 0]),
    ("http2-with-cookies.pcapng", [1, 0, 0]),
    ("latest.pcapng", [4, 1, 0]),
    ("macos_tcp_flags.pcap", [0, 0, 1]),
    ("quic-tls-handshake.pcapng", [1, 0, 0]),
    ("quic-with-several-tls-frames.pcapng", [1, 0, 0]),
    ("ssh2.pcapng", [3, 4, 0]),
    ("tls-handshake.pcapng", [84, 0, 0]),
    ("tls-non-ascii-alpn.pcapng", [1, 0, 0]),
    ("tls-sni.pcapng", [84, 0, 0]),
    ("tls12.pcap", [1, 0, 0]),
    ("tls3.pcapng", [13, 0, 0]),
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
    let none = WireClients::read("client = []", None).unwrap();
    let mut without_a_hello = 0;
    let mut names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let name = path.file_name().unwrap().to_str().unwrap();
        let [browsers, unknown, tools] = count(&path, &none, BROWSER);
        let Some((_, expected)) = OTHERS.iter().find(|(listed, _)| *listed == name) else {
            assert_eq!([browsers, tools, unknown], [0; 3], "{name}");
            without_a_hello += 1;
            continue;
        };
        assert_eq!([browsers, tools, unknown], *expected, "{name}: browsers, tools, unknown");
        // With the data, what is known by its hash is told as by its structure.
        let [with, _, _] = count(&path, WireClients::builtin(), BROWSER);
        assert_eq!(with, browsers, "{name}");
    }
    assert_eq!(without_a_hello, 2, "of sixteen");
}
