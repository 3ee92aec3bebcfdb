//! Records that the makers of telemetry published, in every format that is read: what is told of each, value by value.
//!
//! `tests/data/telemetry/README.md` names the source and licence of each file. Beside a file stands what it tells, a line a record, which
//! was compared with the file by eye; `UNDERTONE_BLESS=1` writes it anew. The same files are fed in every cut, with every prefix, and
//! changed in thousands of ways: nothing breaks, and what stands before a change is told as before.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use undertone::originator::feed::{Feed, Tally};
use undertone::originator::record::{Parent, Process, Record, Said, Time};

#[test]
fn each_record_is_told_as_its_maker_meant_it() {
    let files = files();
    assert!(files.len() >= 6, "{files:?}");
    for path in files {
        let (told, tally) = told(&fs::read(&path).unwrap(), usize::MAX);
        let mut text = told.join("\n");
        text.push('\n');
        for (why, refused) in tally.refusals() {
            writeln!(text, "refused: {why}, {} from line {}", refused.count, refused.first_line).unwrap();
        }
        writeln!(text, "passed over: {}", tally.passed_over).unwrap();
        let expected = PathBuf::from(format!("{}.told", path.display()));
        if std::env::var_os("UNDERTONE_BLESS").is_some() {
            fs::write(&expected, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&expected).unwrap(), "{}", path.display());
    }
}

#[test]
fn cuts_change_nothing() {
    for path in files() {
        let feed = fs::read(&path).unwrap();
        let whole = told(&feed, usize::MAX);
        for piece in [1, 2, 3, 5, 17, 100, 1000] {
            assert_eq!(told(&feed, piece), whole, "{} in pieces of {piece}", path.display());
        }
    }
}

#[test]
fn every_prefix_tells_what_is_whole_in_it() {
    for path in files() {
        let feed = fs::read(&path).unwrap();
        let (whole, _) = told(&feed, usize::MAX);
        let step = (feed.len() / 500).max(1);
        for end in (0..feed.len()).step_by(step) {
            let (mut prefix, _) = told(&feed[..end], usize::MAX);
            // That the last cell of a table is cut off cannot be seen.
            if path.extension().is_some_and(|extension| extension == "csv") {
                prefix.pop();
            }
            assert!(whole.starts_with(&prefix), "the first {end} bytes of {}: {prefix:?}", path.display());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn changed_feeds_break_nothing(
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..6),
        piece in prop_oneof![Just(usize::MAX), 1..2000_usize],
    ) {
        let files = files();
        let mut feed = fs::read(file.get(&files)).unwrap();
        for (at, change) in changes {
            let at = at.index(feed.len().max(1)).min(feed.len());
            match change {
                Change::Put(bytes) => drop(feed.splice(at..at, bytes)),
                Change::Replace(byte) => feed[at..].iter_mut().take(1).for_each(|old| *old = byte),
                Change::Cut(length) => drop(feed.drain(at..(at + length).min(feed.len()))),
                Change::Repeat(length) => {
                    let copy = feed[at..(at + length).min(feed.len())].to_vec();
                    drop(feed.splice(at..at, copy));
                }
            }
        }
        let (_, tally) = told(&feed, piece);
        prop_assert_eq!(tally.bytes, feed.len() as u64);
        // Whatever was changed, what comes behind a line of its own is told.
        let mut more = feed.clone();
        more.extend_from_slice(b"\n\n");
        more.extend_from_slice(MORE.as_bytes());
        let (records, _) = told(&more, piece);
        let found = records.iter().any(|record| record.contains("host behind-all"));
        prop_assert!(found || is_swallowed(&feed), "{}", String::from_utf8_lossy(&feed));
    }
}

/// A record that comes behind a changed feed.
const MORE: &str = "{\"EventID\":5156,\"SourceName\":\"Microsoft-Windows-Security-Auditing\",\"ProcessId\":\"7\",\
\"TimeCreated\":\"2020-09-21T13:09:42Z\",\"SourceAddress\":\"10.0.0.7\",\"DestAddress\":\"192.0.2.7\",\"Hostname\":\"behind-all\"}\n\
{\"EventID\":5156,\"SourceName\":\"Microsoft-Windows-Security-Auditing\",\"ProcessId\":\"7\",\
\"TimeCreated\":\"2020-09-21T13:09:42Z\",\"SourceAddress\":\"10.0.0.7\",\"DestAddress\":\"192.0.2.7\",\"Hostname\":\"behind-all\"}\n";

/// Whether what follows may belong to what was changed: an open array or object of a wrapper, an open quote of a table, another encoding.
fn is_swallowed(feed: &[u8]) -> bool {
    let count = |byte: u8| feed.iter().filter(|other| **other == byte).count();
    count(b'{') != count(b'}')
        || count(b'[') != count(b']')
        || count(b'"') % 2 == 1
        || feed.contains(&0)
        || feed[..2.min(feed.len())].contains(&0xff)
}

#[derive(Clone, Debug)]
enum Change {
    Put(Vec<u8>),
    Replace(u8),
    Cut(usize),
    Repeat(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        "\n",
        ",",
        ":",
        "<Event>",
        "</Event>",
        "<",
        "&lt;",
        "&x;",
        "<!ENTITY a \"b\">",
        "\0",
        "null",
        "1e999",
        "\\ud800",
        "{\"records\":[",
        "\u{feff}",
        "<![CDATA[",
        "DeviceName,RemoteIP\n",
    ]);
    prop_oneof![
        token.prop_map(|token| Change::Put(token.as_bytes().to_vec())),
        prop::collection::vec(any::<u8>(), 1..8).prop_map(Change::Put),
        any::<u8>().prop_map(Change::Replace),
        (1..3000_usize).prop_map(Change::Cut),
        (1..3000_usize).prop_map(Change::Repeat),
    ]
}

/// What a feed tells when it comes in pieces.
fn told(feed: &[u8], piece: usize) -> (Vec<String>, Tally) {
    let mut told = Vec::new();
    let mut machine = Feed::new();
    let mut tell = |record: Record<'_>| told.push(say(&record));
    for piece in feed.chunks(piece) {
        machine.push(piece, &mut tell);
    }
    machine.finish(&mut tell);
    (told, machine.tally().clone())
}

/// A record as one line: every value that it has.
fn say(record: &Record<'_>) -> String {
    let mut line = format!("{} {} host {}", record.feed.as_str(), record.kind, record.host);
    let mut more = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            write!(line, " {name} {value}").unwrap();
        }
    };
    more("host-id", record.host_id.as_deref());
    more("id", record.id.as_deref());
    let time = |time: &Time| format!("{} {:?}", time.at, time.clock);
    more("at", Some(&time(&record.time)));
    more("also", record.second.as_ref().map(time).as_deref());
    match &record.what {
        Said::Start(process) => line + &format!(" START{}", say_process(process)),
        Said::End(process) => line + &format!(" END{}", say_process(process)),
        Said::Connection(connection) => {
            let end = |side: usize| {
                let end = connection.ends[side];
                format!("{}:{}", end.ip, end.port.map_or_else(|| "?".to_owned(), |port| port.to_string()))
            };
            let name = connection
                .name
                .as_ref()
                .map(|(name, kind)| format!(" name {name} {kind:?}"))
                .unwrap_or_default();
            line + &format!(
                " CONNECTION {:?} {} {} local {:?} initiated {:?}{name} count {}{}",
                connection.protocol.map(|protocol| protocol.0),
                end(0),
                end(1),
                connection.local,
                connection.initiated,
                connection.count,
                say_process(&connection.process)
            )
        }
        Said::Query(query) => {
            let status = query.status.as_deref().unwrap_or("none");
            line + &format!(
                " QUERY {} {:?} {:?} status {status}{}",
                query.name,
                query.addresses,
                query.aliases,
                say_process(&query.process)
            )
        }
        Said::Addresses(addresses) => line + &format!(" ADDRESSES {addresses:?}"),
    }
}

fn say_process(process: &Process<'_>) -> String {
    let mut line = String::new();
    let pid = process.pid.map(|pid| pid.to_string());
    let started = process.started.map(|time| format!("{} {:?}", time.at, time.clock));
    let parent = process.parent.as_ref().map(say_parent);
    for (name, value) in [
        ("pid", pid.as_deref()),
        ("key", process.key.as_deref()),
        ("image", process.image.as_deref()),
        ("name", process.name.as_deref()),
        ("original", process.original_name.as_deref()),
        ("line", process.command_line.as_deref()),
        ("in", process.directory.as_deref()),
        ("user", process.user.as_deref()),
        ("started", started.as_deref()),
        ("sha256", process.sha256.as_deref()),
        ("sha1", process.sha1.as_deref()),
        ("md5", process.md5.as_deref()),
        ("signer", process.signer.as_deref()),
        ("integrity", process.integrity.as_deref()),
        ("container", process.container.as_deref()),
        ("container-name", process.container_name.as_deref()),
        ("pod", process.pod.as_deref()),
        ("parent", parent.as_deref()),
    ] {
        if let Some(value) = value {
            write!(line, " {name} [{value}]").unwrap();
        }
    }
    line
}

fn say_parent(parent: &Parent<'_>) -> String {
    let mut line = String::new();
    let pid = parent.pid.map(|pid| pid.to_string());
    let started = parent.started.map(|at| at.to_string());
    for (name, value) in [
        ("pid", pid.as_deref()),
        ("key", parent.key.as_deref()),
        ("image", parent.image.as_deref()),
        ("name", parent.name.as_deref()),
        ("line", parent.command_line.as_deref()),
        ("user", parent.user.as_deref()),
        ("started", started.as_deref()),
    ] {
        if let Some(value) = value {
            write!(line, "{name} [{value}] ").unwrap();
        }
    }
    line.trim_end().to_owned()
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/telemetry");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // What Windows wrote is a folder of its own, and tried in `evtx.rs`.
        .filter(|path| path.is_file())
        .filter(|path| !path.extension().is_some_and(|extension| extension == "told" || extension == "md"))
        .collect();
    files.sort();
    files
}
