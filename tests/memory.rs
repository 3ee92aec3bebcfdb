//! How much memory a list takes, held by size and not by a clock: in a process of its own, for it looks at the whole process.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::fmt::Write;

use undertone::lists::Builder;

const SUFFIXES: usize = 100_000;

/// What one suffix of some twenty characters may take, with its place in the index: a million are below 150 MiB with the program and the
/// text that they are read from.
const MOST_BYTES_A_SUFFIX: usize = 130;

#[test]
fn a_long_list_is_small() {
    let mut text = String::new();
    for number in 0..SUFFIXES {
        writeln!(text, "host{number:06}.example{}.com", number % 97).unwrap();
    }
    let before = resident();
    let mut builder = Builder::new();
    assert!(builder.add("list", &text).is_empty());
    let lists = builder.build();
    let taken = (resident() - before) / SUFFIXES;
    assert_eq!(lists.len(), SUFFIXES);
    assert!(lists.lookup("www.host000007.example7.com").is_some());
    assert!(lists.lookup("host000007.example8.com").is_none());
    // The suffix's own characters alone are twenty: less would mean that nothing was measured.
    assert!((20..=MOST_BYTES_A_SUFFIX).contains(&taken), "{taken} bytes a suffix");
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}
