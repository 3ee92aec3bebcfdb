//! What a replay takes: files, directories and pipes, whole or not, in any order, one capture or many.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use common::binary::{FIRST_LOOK, Ran, records, text, undertone};
use common::packets::{self, FIRST, hello, pcap, tcp};
use undertone::capture::savefile::{self, Savefile};

const ROTATION: [&str; 2] = ["pcaps/formats-rotation/input-1.pcap", "pcaps/formats-rotation/input-2.pcap"];

/// A folder with these files in it, and its path.
fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let path = folder.path().display().to_string();
    (folder, path)
}

/// The names that a replay saw: `tls_sni pastebin.com`, sorted.
fn names(args: &[&str]) -> Vec<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    let args = [&["replay", "-q", "--hostnames", file.path().to_str().unwrap()], args].concat();
    undertone(&args).ended(0);
    let mut names: Vec<String> = records(&std::fs::read_to_string(file.path()).unwrap())
        .iter()
        .map(|record| {
            let hostname = &record["undertone"]["hostname"];
            format!("{} {}", text(&hostname["seen_in"]), text(&hostname["name"]))
        })
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_no_capture_is_told_and_the_others_are_read() {
    let expected = undertone(&["replay", FIRST_LOOK]).ended(0).alerts();
    let (_folder, top) = folder(&[("notes.txt", b"not a capture"), ("empty.pcap", b""), ("none/.keep", b"")]);
    let path = |name: &str| format!("{top}/{name}");
    for (bad, says) in [
        (path("notes.txt"), &["notes.txt: is no capture file; it begins with 6e 6f 74 20 61", "text"][..]),
        (path("empty.pcap"), &["empty.pcap: is empty"]),
        (path("no.pcap"), &["no.pcap: No such file"]),
        (path("none"), &["none: holds no capture file (0 other files, 1 hidden)"]),
        (top.clone(), &["holds no capture file (2 other files, 1 hidden)"]),
    ] {
        for args in [["replay", &bad, FIRST_LOOK], ["replay", FIRST_LOOK, &bad]] {
            let ran = undertone(&args).ended(1).says(says).says(&["522 packets", "not read"]);
            assert_eq!(ran.alerts(), expected, "{bad}");
        }
        let ran = undertone(&["replay", &bad, "-q"]).ended(1).says(says);
        assert!(ran.out.is_empty() && !ran.err.contains("findings"), "{ran:#?}");
    }
}

#[test]
fn what_cannot_be_opened_is_told() {
    // A link to nothing, and a device that is no capture: root opens everything else.
    let (folder, top) = folder(&[]);
    std::os::unix::fs::symlink("nowhere", folder.path().join("link.pcap")).unwrap();
    undertone(&["replay", &format!("{top}/link.pcap"), FIRST_LOOK])
        .ended(1)
        .says(&["link.pcap", "522 packets"]);
    undertone(&["replay", "/dev/null", FIRST_LOOK]).ended(1).says(&["/dev/null: is empty", "522 packets"]);
}

#[test]
fn a_file_that_is_cut_off_is_used_up_to_the_cut() {
    let whole = std::fs::read(FIRST_LOOK).unwrap();
    let expected = undertone(&["replay", FIRST_LOOK]).ended(0);
    for keep in [24, 30, 40, 41, whole.len() / 2, whole.len() - 1] {
        let (_folder, top) = folder(&[("cut.pcap", &whole[..keep])]);
        let ran = undertone(&["replay", &top]).ended(0);
        let warned = ran.err.contains("cut.pcap: is cut short at byte ");
        assert_eq!(warned, keep != 24, "a head alone is a whole capture: {ran:#?}");
        assert!(ran.alerts().len() <= expected.alerts().len(), "{ran:#?}");
        if keep == whole.len() / 2 {
            assert!(ran.alerts().contains(&"pastebin.com".to_owned()), "{ran:#?}");
        }
    }
    // The file behind it is read as well.
    let ran = undertone(&["replay", "pcaps/formats-cut/input.pcap", FIRST_LOOK]).ended(0);
    ran.says(&["580 packets", "cut off"]);
}

#[test]
fn a_compressed_file_that_is_cut_off_or_damaged_is_used_up_to_there() {
    let whole = std::fs::read(FIRST_LOOK).unwrap();
    // In parts, as pigz and pzstd write: what a part holds of which the end is missing may be lost.
    let (mut gzip, mut zstd) = (Vec::new(), Vec::new());
    for part in whole.chunks(whole.len().div_ceil(4)) {
        let mut encoder = flate2::write::GzEncoder::new(&mut gzip, flate2::Compression::fast());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap();
        zstd.extend(zstd::encode_all(part, 1).unwrap());
    }
    for compressed in [gzip, zstd] {
        let (_folder, top) = folder(&[("whole", &compressed)]);
        undertone(&["replay", &top]).ended(0).says(&["522 packets"]);

        let (_folder, top) = folder(&[("cut", &compressed[..compressed.len() - 20])]);
        let cut = undertone(&["replay", &top]).ended(0).says(&["cut: is cut short", "cut off"]);
        assert!(cut.alerts().contains(&"pastebin.com".to_owned()), "{cut:#?}");

        let mut damaged = compressed.clone();
        let late = damaged.len() / 8 * 7;
        damaged[late..late + 40].fill(0xa5);
        let (_folder, top) = folder(&[("bad", &damaged)]);
        let bad = undertone(&["replay", &top]).ended(0).says(&["bad: is damaged", "cut off"]);
        assert!(bad.alerts().contains(&"pastebin.com".to_owned()), "{bad:#?}");
    }
}

#[test]
fn several_captures_at_once() {
    let ran = undertone(&["replay", FIRST_LOOK, "pcaps/curl/input.pcap", "--min-level", "informational"]);
    let ran = ran.ended(0).says(&["2 inputs"]);
    let files: BTreeSet<String> = ran.records().iter().map(|record| text(&record["file"]["path"])).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    let each = [names(&[FIRST_LOOK]), names(&["pcaps/curl/input.pcap"])].concat();
    let mut each: Vec<_> = each.into_iter().collect();
    each.sort();
    assert_eq!(names(&[FIRST_LOOK, "pcaps/curl/input.pcap"]), each);
    assert_eq!(names(&["pcaps/curl/input.pcap", FIRST_LOOK]), each);
}

#[test]
fn a_directory_is_read_all_the_way_down() {
    let curl = std::fs::read("pcaps/curl/input.pcap").unwrap();
    let first = std::fs::read(FIRST_LOOK).unwrap();
    let (_folder, top) = folder(&[
        ("a/b/c/one.pcap", &curl),
        ("two", &first),
        ("README", b"no capture"),
        (".hidden.pcap", &first),
    ]);
    let ran = undertone(&["replay", &top]).ended(0).says(&["2 inputs", "skipped 1 files", "1 hidden"]);
    assert!(ran.err.contains(" packets"));
    let both = names(&[&top]);
    assert_eq!(both, names(&["pcaps/curl/input.pcap", FIRST_LOOK]));
}

#[test]
fn rotated_files_are_one_capture_in_any_order() {
    let over_the_edge = "tls_sni www.dropbox.com".to_owned();
    let expected = names(&ROTATION);
    assert!(expected.contains(&over_the_edge), "{expected:?}");
    let findings = |args: &[&str]| without_paths(&undertone(&[&["replay"], args].concat()).ended(0));
    for args in [&[ROTATION[1], ROTATION[0]][..], &["pcaps/formats-rotation"]] {
        assert_eq!(names(args), expected, "{args:?}");
        assert_eq!(findings(args), findings(&ROTATION), "{args:?}");
    }
    for args in [&["--separate", ROTATION[0], ROTATION[1]][..], &[ROTATION[0]], &[ROTATION[1]]] {
        assert!(!names(args).contains(&over_the_edge), "{args:?}");
    }
}

/// Findings, but for where they were read.
fn without_paths(ran: &Ran) -> Vec<serde_json::Value> {
    let mut records = ran.records();
    for record in &mut records {
        record.as_object_mut().unwrap().remove("file");
    }
    records
}

#[test]
fn captures_that_overlap_in_time_are_kept_apart() {
    // The same connection as two sensors saw it, each with a half of the hello: neither half is the other's.
    let stream = hello("pastebin.com");
    let (head, tail) = stream.split_at(stream.len() - 6);
    let syn = tcp(1000, FIRST.wrapping_sub(1), "S", b"");
    let question = packets::dns_query("x.example");
    let later = |port| packets::datagram((packets::CLIENT, port), ([9, 9, 9, 9], 53), &question);
    let one = pcap(&[syn, tcp(1000, FIRST, "A", head), later(9), later(10)]);
    let two = pcap(&[later(9), tcp(1000, FIRST.wrapping_add(head.len() as u32), "A", tail)]);
    let (_folder, top) = folder(&[("one.pcap", &one), ("two.pcap", &two)]);
    // What the unfinished hello says as far as it goes has no name.
    assert_eq!(names(&[&top]), ["dns_query x.example"; 3]);
    // One after the other they are one capture. The times of the second are moved behind the first's.
    let mut behind = two;
    for record in [24, 24 + 16 + later(9).len()] {
        let seconds = u32::from_le_bytes(behind[record..record + 4].try_into().unwrap()) + 5;
        behind[record..record + 4].copy_from_slice(&seconds.to_le_bytes());
    }
    let (_folder, top) = folder(&[("one.pcap", &one), ("two.pcap", &behind)]);
    let whole = "tls_sni pastebin.com";
    assert!(names(&[&top]).iter().any(|name| name == whole));
    assert!(!names(&["--separate", &top]).iter().any(|name| name == whole));
}

#[test]
fn the_same_capture_twice_says_everything_twice() {
    let (once, twice) = (names(&[FIRST_LOOK]), names(&[FIRST_LOOK, FIRST_LOOK]));
    let mut expected = [once.clone(), once].concat();
    expected.sort();
    assert_eq!(twice, expected);
    // Findings are folded by client and service: there are no more of them.
    let ran = undertone(&["replay", FIRST_LOOK, FIRST_LOOK]).ended(0);
    assert_eq!(ran.alerts().len(), 5);
}

#[test]
fn a_capture_in_memory_needs_no_file() {
    let (folder, _) = folder(&[("a.pcap", &std::fs::read(FIRST_LOOK).unwrap())]);
    let path = folder.path().join("a.pcap");
    let file = only(&path);
    let size = file.size();
    let frames = |file: &Savefile| {
        let mut cutter = file.cutter(10_000).unwrap();
        while cutter.next(Vec::new()).is_some() {}
        cutter.counts().frames
    };
    let memory = file.into_memory().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((memory.size(), memory.path(), memory.is_stream()), (size, path.as_path(), false));
    assert_eq!((frames(&memory), frames(&memory)), (522, 522), "as often as it is wanted");

    std::fs::write(&path, std::fs::read(FIRST_LOOK).unwrap()).unwrap();
    let file = only(&path);
    std::fs::remove_file(&path).unwrap();
    let problem = file.into_memory().unwrap_err().to_string();
    assert!(problem.contains("a.pcap: No such file"), "{problem}");
}

fn only(path: &Path) -> Savefile {
    let (mut files, problems) = savefile::open(&[PathBuf::from(path)]);
    assert!(problems.is_empty(), "{problems:?}");
    files.remove(0)
}
