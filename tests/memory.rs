//! How much memory a list takes, held by size and not by a clock: in a process of its own, for it looks at the whole process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};

use undertone::config::Config;
use undertone::judging::Judging;

const SUFFIXES: usize = 1_000_000;

/// Octets of a line.
const SHORTEST: usize = 22;
const LONGEST: usize = 40;

/// What a suffix may take beside its own octets: a row of 12, two places in the table of 5 each, 2 of the filter, and what is touched
/// while the table grows.
const MOST_BESIDE: usize = 32;

/// A list is read as the program reads it, from the command line on. Neither its text nor anything else but what is kept of each
/// suffix may ever have been in memory.
#[test]
fn a_million_suffixes_are_small_also_while_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    // Written piece by piece, for the most that this process has ever had is looked at.
    let mut file = BufWriter::new(File::create(&path).unwrap());
    for number in 0..SUFFIXES {
        let label = "a".repeat(number % (LONGEST - SHORTEST));
        writeln!(file, "{label}h{number:06}.example{:02}.com", number % 97).unwrap();
    }
    let octets = file.into_inner().unwrap().metadata().unwrap().len() as usize / SUFFIXES;
    assert!((SHORTEST..LONGEST).contains(&octets));
    let before = status("VmRSS:");

    let line = format!("undertone check --lists {}", path.display());
    let Ok(Config::Check(mut config)) = Config::from_command_line(line.split(' ').map(Into::into)) else {
        panic!("{line}");
    };
    let Judging { lists, problems, .. } = Judging::new(&mut config.lists, false, false);
    let (after, most) = (status("VmRSS:"), status("VmHWM:"));

    assert_eq!(problems, 0);
    assert!(lists.lookup("www.ah000001.example01.com").is_some());
    assert!(lists.lookup("ah000001.example02.com").is_none());
    let builtin = undertone::lists::Lists::builtin();
    assert_eq!(lists.len(), SUFFIXES + builtin.len());

    println!("{octets} octets a line: {} bytes a suffix", lists.octets() / SUFFIXES);
    assert!((octets..octets + MOST_BESIDE).contains(&(lists.octets() / SUFFIXES)));
    // The kernel's own count, with all that the index does not know of.
    let taken = (after - before) / SUFFIXES;
    assert!((octets..octets + MOST_BESIDE).contains(&taken), "{taken} bytes a suffix");
    let taken = (most - before) / SUFFIXES;
    assert!(taken < octets + MOST_BESIDE, "{taken} bytes a suffix at the most");
}

/// Bytes of this process by a line of its status.
fn status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() << 10
}
