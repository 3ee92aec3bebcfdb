//! Every capture that comes with the project: what the program finds in it, and what its README says is in it.
//!
//! `expected.jsonl` beside a capture is what the program writes, but for its version. `UNDERTONE_BLESS=1` writes these files anew;
//! what changes in them is to be read before it is committed. The table of the README is another reader's view (tshark's), so the
//! two tests together say that a file that was blessed is also right.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use common::binary::{Ran, cases, command, records, text};
use serde_json::Value;

/// Replays a case as somebody does who is in its folder.
fn replay(folder: &Path, captures: &[PathBuf], options: &[&str]) -> Ran {
    let names = captures.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
    let args: Vec<&str> = ["replay", "--json", "--min-level", "informational", "-q"]
        .into_iter()
        .chain(options.iter().copied())
        .chain(names)
        .collect();
    Ran::from(command(&args).current_dir(folder).output().unwrap()).ended(0)
}

fn name(folder: &Path) -> String {
    folder.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn findings_are_the_expected_ones() {
    let bless = std::env::var_os("UNDERTONE_BLESS").is_some_and(|value| value == "1");
    let mut wrong = Vec::new();
    for (folder, captures) in cases() {
        let file = folder.join("expected.jsonl");
        let mut found = replay(&folder, &captures, &[]).records();
        for record in &mut found {
            record["observer"].as_object_mut().unwrap().remove("version").unwrap();
        }
        if bless {
            let lines: String = found.iter().map(|record| format!("{record}\n")).collect();
            std::fs::write(&file, lines).unwrap();
            continue;
        }
        let Ok(lines) = std::fs::read_to_string(&file) else {
            wrong.push(format!("{}: there is no expected.jsonl", name(&folder)));
            continue;
        };
        wrong.extend(difference(&found, &records(&lines)).map(|what| format!("{}: {what}", name(&folder))));
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// The first difference between two lists of records.
fn difference(found: &[Value], expected: &[Value]) -> Option<String> {
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        if found != expected {
            return Some(format!("line {}:\n  found    {found}\n  expected {expected}", number + 1));
        }
    }
    (found.len() != expected.len())
        .then(|| format!("{} lines where {} are expected", found.len(), expected.len()))
}

/// A name, who said it, and in which way.
type Seen = (String, String, String);

/// Hellos that a client sent twice in whole, by case and name: again by TCP, or after a Retry of QUIC. tshark leaves the second out; here
/// a name is seen whenever it is sent.
const SENT_AGAIN: [(&str, &str); 4] = [
    ("quic-aioquic", "gist.github.com"),
    ("quic-aioquic", "paste.ee"),
    ("split-hello", "drive.google.com"),
    ("split-hello", "portal.office.example"),
];

/// What the tables of a README say.
#[derive(Default)]
struct Table {
    /// How often it is seen, and whether it is a contact.
    rows: BTreeMap<Seen, (u64, bool)>,
    /// What tshark does not see: words of the second table, and of the text.
    beside: BTreeSet<String>,
}

#[test]
fn names_are_those_of_the_readme() {
    let mut wrong = Vec::new();
    let (mut rows, mut contacts) = (0, 0);
    for (folder, captures) in cases() {
        let table = Table::read(&std::fs::read_to_string(folder.join("README.md")).unwrap());
        let (seen, listed) = names(&folder, &captures);
        for (row, (count, contact)) in &table.rows {
            rows += 1;
            contacts += u64::from(*contact);
            let (hostname, client, way) = row;
            let found = seen.get(row).copied().unwrap_or(0);
            // tshark tells an address in place of a name too; it is no hostname.
            let count = if hostname == "(an address)" { &0 } else { count };
            let again = way.ends_with("_sni") && SENT_AGAIN.contains(&(&name(&folder), hostname));
            if found != count + u64::from(again) {
                wrong.push(format!("{}: {row:?} is seen {found} times, not {count}", name(&folder)));
            }
            if found > 0 && listed.contains(&(hostname.clone(), client.clone())) != *contact {
                let word = if *contact { "no contact" } else { "a contact" };
                wrong.push(format!("{}: {hostname} of {client} is {word}", name(&folder)));
            }
        }
        for row in seen.keys().filter(|row| !table.rows.contains_key(*row) && !table.beside.contains(&row.0))
        {
            wrong.push(format!("{}: {row:?} is not in the README", name(&folder)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(rows > 250 && contacts > 150, "{rows} rows, {contacts} contacts");
}

/// How often each name was seen, and the names of contacts with their clients.
fn names(folder: &Path, captures: &[PathBuf]) -> (BTreeMap<Seen, u64>, BTreeSet<(String, String)>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let ran = replay(folder, captures, &["--hostnames", file.path().to_str().unwrap()]);
    let mut seen = BTreeMap::new();
    for record in records(&std::fs::read_to_string(file.path()).unwrap()) {
        // Where names go unseen is told among them.
        if record["event"]["dataset"] == "undertone.blind_spot" {
            continue;
        }
        let hostname = &record["undertone"]["hostname"];
        let row =
            (plain(&text(&hostname["name"])), text(&record["source"]["ip"]), text(&hostname["seen_in"]));
        *seen.entry(row).or_default() += 1;
    }
    let mut listed = BTreeSet::new();
    for record in ran.records() {
        for hostname in record["undertone"]["summary"]["hostnames"].as_array().into_iter().flatten() {
            listed.insert((plain(&text(hostname)), text(&record["source"]["ip"])));
        }
    }
    (seen, listed)
}

impl Table {
    /// Reads the README of a case, as `pcaps/lab/readme.py` writes it.
    fn read(readme: &str) -> Self {
        let mut table = Self::default();
        for line in readme.lines() {
            let line = line.trim().trim_matches('|');
            let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
            if let [hostname, client, way, how, contact] = cells[..]
                && matches!(contact.split(' ').next(), Some("yes" | "no"))
            {
                if hostname == "(none)" {
                    continue;
                }
                let way = match way.split_once(' ') {
                    Some(("tls_sni", "(dtls)")) => "dtls_sni",
                    Some((way, _)) => way,
                    None => way,
                };
                let row =
                    table.rows.entry((as_here(hostname), client.to_owned(), way.to_owned())).or_default();
                row.0 += how.split(", ").map(times).sum::<u64>();
                row.1 = contact == "yes";
            } else {
                table.beside.extend(line.split([' ', ',', ';', ':', '|', '(', ')']).map(as_here));
            }
        }
        table
    }
}

/// `A ×3` is three times.
fn times(how: &str) -> u64 {
    how.split_once('×').map_or(1, |(_, number)| number.parse().unwrap())
}

/// A name of the README as undertone has it: tshark keeps capitals and a last dot, and calls the root by name.
fn as_here(shown: &str) -> String {
    let shown = if shown == "<Root>" { "." } else { shown };
    let rest = shown.strip_suffix('.').filter(|rest| !rest.is_empty()).unwrap_or(shown);
    rest.to_ascii_lowercase()
}

/// A name as the table has it: without the escapes of zone files (RFC 1035 section 5.1), and without telling which address it is.
fn plain(hostname: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), hostname.as_bytes());
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'\\', [a @ b'0'..=b'9', b, c, after @ ..]) => {
                let number =
                    [a, b, c].iter().fold(0u32, |number, digit| number * 10 + u32::from(**digit - b'0'));
                bytes.push(u8::try_from(number).unwrap());
                rest = after;
            }
            (b'\\', [escaped, after @ ..]) => {
                bytes.push(*escaped);
                rest = after;
            }
            _ => bytes.push(*first),
        }
    }
    let name = String::from_utf8_lossy(&bytes).into_owned();
    if name.parse::<IpAddr>().is_ok() { "(an address)".to_owned() } else { name }
}
