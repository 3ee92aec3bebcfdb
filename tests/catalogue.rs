//! The built-in catalogue as a whole: complete for what published lists have, and met by nothing that only looks like one of its names.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use undertone::hostname::Hostname;
use undertone::lists::Lists;

/// Names of published lists, with which lists have each.
const PUBLISHED: &str = include_str!("data/names/published.txt");

/// What the catalogue leaves out, and why.
const LEFT_OUT: &str = include_str!("../src/lists/left-out.toml");

fn published() -> Vec<(&'static str, &'static str)> {
    let lines = PUBLISHED.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap()).collect()
}

/// The names that are left out, which a test beside the catalogue holds to meet nothing.
fn left_out() -> HashSet<String> {
    let file: toml::Table = LEFT_OUT.parse().unwrap();
    let groups = file["left-out"].as_array().unwrap().iter();
    let names = groups.flat_map(|group| group["names"].as_array().unwrap());
    names.map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// A name that a pattern means; `.onion`, a domain without an apex, means what is below it.
fn meant(pattern: &str) -> String {
    let name = pattern.replace("*.", "x.").replace(['*', '?'], "x");
    if name.contains('.') { name } else { format!("x.{name}") }
}

/// Each name of the detections, of Elastic, Sigma and LOLC2 is an entry, or left out with a reason.
#[test]
fn the_catalogue_has_what_published_lists_have() {
    let (lists, left_out) = (Lists::builtin(), left_out());
    let published = published();
    assert!(published.len() > 700, "{}", published.len());
    let missing: Vec<_> = published
        .iter()
        .filter(|(name, _)| !left_out.contains(*name))
        .filter(|(name, _)| lists.lookup(&Hostname::new(meant(name)).unwrap()).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:#?}");
    for list in ["detections", "elastic", "sigma", "lolc2"] {
        let count = published.iter().filter(|(_, lists)| lists.split(' ').any(|one| one == list)).count();
        println!("{list}: {count}");
        assert!(count > 50, "{list}: {count}");
    }
    let left: Vec<_> = published.iter().filter(|(name, _)| left_out.contains(*name)).collect();
    // Patterns that are no suffix, and one mailer that a pattern of a detection meets by chance.
    assert!(left.len() <= 7, "{left:?}");
}

/// The list of names is that of the research that the catalogue was made from, where it is at hand.
#[test]
fn the_list_of_names_is_whole() {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("NOT RUN, for UNDERTONE_CORPUS is not set");
        return;
    };
    let mut reader = csv::Reader::from_path(Path::new(&corpus).join("../services.csv")).unwrap();
    let head = reader.headers().unwrap().clone();
    let columns: Vec<usize> = head
        .iter()
        .enumerate()
        .filter(|(_, name)| name.starts_with("in_") && *name != "in_lots")
        .map(|(at, _)| at)
        .collect();
    assert_eq!(columns.len(), 8);
    let rows = reader.records().map(Result::unwrap);
    let listed = rows.filter(|row| columns.iter().any(|at| !row[*at].is_empty()));
    let expected: BTreeSet<String> = listed.map(|row| row[0].to_owned()).collect();
    let found: BTreeSet<String> = published().into_iter().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(found, expected);
}

/// What a name looks like, and is not.
fn look_alikes(suffix: &str) -> Vec<String> {
    let (first, rest) = suffix.split_once('.').unwrap_or((suffix, ""));
    let last = suffix.rsplit('.').next().unwrap();
    let mut names = vec![
        format!("evil-{suffix}"),
        format!("not{suffix}"),
        format!("x{suffix}"),
        format!("my_{suffix}"),
        format!("{suffix}.evil.test"),
        format!("{suffix}.cdn.example"),
        format!("{}.evil.test", suffix.replace('.', "-")),
        format!("{suffix}x"),
        suffix.replace('.', ""),
        suffix.replacen('.', "-", 1),
        // An escape that a careless reader would take for a dot.
        suffix.replacen('.', "\\", 1),
    ];
    if !rest.is_empty() {
        names.push(format!("{suffix}.{last}"));
        let letter = first.chars().next_back().unwrap();
        names.push(format!("{first}{letter}.{rest}"));
        names.push(format!("{first}s.{rest}"));
        names.push(format!("{first}-login.{rest}"));
        if let Some(shorter) = first.strip_suffix(letter).filter(|shorter| !shorter.is_empty()) {
            names.push(format!("{shorter}.{rest}"));
        }
        // Letters that look like others: of another script, as bytes and as an A-label, and digits.
        for (plain, like) in
            [('a', "\u{430}"), ('e', "\u{435}"), ('o', "\u{43e}"), ('i', "\u{456}"), ('o', "0"), ('l', "1")]
        {
            if first.contains(plain) {
                names.push(format!("{}.{rest}", first.replace(plain, like)));
            }
        }
        names.push(format!("xn--{first}-q9a.{rest}"));
    }
    names
}

/// Over the whole catalogue: an entry is met by its apex and by what is below it; nothing that looks like it meets it, and no
/// name meets anything but the longest listed name on its own labels.
#[test]
fn nothing_meets_an_entry_that_only_looks_like_it() {
    let lists = Lists::builtin();
    let suffixes: HashSet<Box<str>> = lists.entries().map(|entry| entry.suffix).collect();
    let by_labels = |name: &str| {
        let labels: Vec<&str> = name.split('.').collect();
        let parents = (0..labels.len()).map(|from| labels[from..].join("."));
        parents.into_iter().find(|parent| suffixes.contains(parent.as_str()))
    };
    let mut tried = 0;
    for entry in lists.entries() {
        let suffix = &*entry.suffix;
        let met = |name: &str| {
            let name = Hostname::new(name).unwrap();
            (lists.lookup(&name).map(|entry| entry.suffix.to_string()), by_labels(&name))
        };
        for below in [
            suffix.to_owned(),
            suffix.to_uppercase(),
            format!("{suffix}."),
            format!("x.{suffix}"),
            format!("a.b-c.{suffix}"),
        ] {
            let (found, expected) = met(&below);
            assert_eq!(found, expected, "{below}");
            assert!(found.is_some(), "{below}");
        }
        assert_eq!(met(suffix).0.as_deref(), Some(suffix));
        for name in look_alikes(suffix) {
            // A shorter name may be another's own, and one.one.one.one.one lies below one.one.one.one.
            let is_listed = suffixes.contains(name.as_str()) || name.ends_with(&format!(".{suffix}"));
            let (found, expected) = met(&name);
            assert_eq!(found, expected, "{name}");
            assert!(is_listed || found.as_deref() != Some(suffix), "{name} meets {suffix}");
            tried += 1;
        }
        if entry.tenants {
            let label = format!("contoso.{suffix}");
            let own = lists.lookup(&label).unwrap();
            assert!(own.suffix != entry.suffix || own.tenant(&label) == Some("contoso"), "{label}");
            assert_eq!(entry.tenant(suffix), None);
        }
    }
    println!("{} entries, {tried} names that look like them", suffixes.len());
    assert!(tried > 30_000, "{tried}");
}

/// A client is at home by a name or a class that there is, so that no entry names a program in a way that is never met.
#[test]
fn own_clients_are_names_of_files_or_classes() {
    let classes: HashSet<&str> =
        undertone::originator::Class::ALL.iter().map(|class| class.as_str()).collect();
    for entry in Lists::builtin().entries() {
        for client in &entry.about.clients {
            match client.strip_prefix('@') {
                Some(class) => assert!(classes.contains(class), "{client} of {}", entry.service()),
                None => assert!(
                    client.to_lowercase() == **client
                        && !client.ends_with(".exe")
                        && !client.contains(['/', '\\']),
                    "{client} of {}",
                    entry.service()
                ),
            }
        }
    }
}
