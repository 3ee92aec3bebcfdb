//! A file that is followed, whatever is done to it while it is written.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use undertone::arrival::{Arriving, Counts};

use super::{Heard, open, start};

/// A file in a folder of its own, whose lines are numbered starts of processes.
struct Log {
    folder: tempfile::TempDir,
    file: Option<File>,
    next: u32,
}

impl Log {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), file: None, next: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("events.json")
    }

    fn follow(&self) -> Arriving {
        open(&[self.path().to_str().unwrap()], None).unwrap().start().unwrap()
    }

    /// Opens it, and makes it where it is not there.
    fn open(&mut self) {
        self.file = Some(OpenOptions::new().create(true).append(true).open(self.path()).unwrap());
    }

    fn write(&mut self, records: u32) {
        for _ in 0..records {
            let line = start("log", self.next) + "\n";
            // Writers write in pieces.
            let file = self.file.as_mut().unwrap();
            file.write_all(&line.as_bytes()[..40]).unwrap();
            file.write_all(&line.as_bytes()[40..]).unwrap();
            self.next += 1;
        }
    }

    fn aside(&self, number: u32) -> PathBuf {
        self.folder.path().join(format!("events.json.{number}"))
    }

    /// Hears all that was written, each once.
    fn all(&self, arriving: Arriving) -> (Heard, Counts) {
        let mut heard = Heard::default();
        heard.until(&arriving, "all is told", |heard, _| heard.records >= self.next as usize);
        // If something is told twice, it comes now.
        std::thread::sleep(Duration::from_millis(600));
        let (heard, counts) = heard.end(arriving);
        let mut pids = heard.pids["log"].clone();
        pids.sort_unstable();
        assert_eq!(pids, (0..self.next).collect::<Vec<_>>());
        assert_eq!(counts.sources[0].tally.told, u64::from(self.next));
        assert_eq!(counts.sources[0].tally.all_refused(), 0, "{counts:#?}");
        (heard, counts)
    }
}

fn pause() {
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn a_file_that_is_not_there_yet_is_waited_for() {
    let mut log = Log::new();
    let arriving = log.follow();
    pause();
    log.open();
    log.write(10);
    let (heard, counts) = log.all(arriving);
    heard.says("is not there yet; it is waited for");
    heard.says("is there now");
    assert!(counts.sources[0].last.is_some());
}

#[test]
fn what_a_file_holds_already_is_read() {
    let mut log = Log::new();
    log.open();
    log.write(1000);
    let arriving = log.follow();
    pause();
    log.write(10);
    log.all(arriving);
}

/// The writer goes on in the renamed file for a while, as it does until it is told of the new one.
#[test]
fn a_file_that_is_renamed_and_made_anew_loses_nothing() {
    let mut log = Log::new();
    log.open();
    let arriving = log.follow();
    for round in 0..4 {
        log.write(200);
        fs::rename(log.path(), log.aside(round)).unwrap();
        log.write(100);
        if round % 2 == 0 {
            File::create_new(log.path()).unwrap();
            pause();
            log.write(50);
        }
        pause();
        log.open();
        log.write(1);
        pause();
    }
    let (heard, counts) = log.all(arriving);
    assert_eq!(counts.sources[0].file.rotated, 4);
    heard.says("another file took its name; both are read");
}

/// As logrotate's copytruncate does it, at any moment between two looks.
#[test]
fn a_file_that_is_copied_and_emptied_loses_nothing() {
    let mut log = Log::new();
    log.open();
    let arriving = log.follow();
    log.write(1);
    pause();
    for round in 0..5_u32 {
        log.write(100 + round);
        std::thread::sleep(Duration::from_millis(u64::from(round) * 90));
        log.write(20);
        fs::copy(log.path(), log.aside(round)).unwrap();
        log.file.as_mut().unwrap().set_len(0).unwrap();
        // Even where it has grown beyond the place that was reached before the next look.
        log.write(if round % 2 == 0 { 3 } else { 400 });
        pause();
    }
    let (heard, counts) = log.all(arriving);
    let file = counts.sources[0].file;
    assert_eq!((file.truncated, file.truncated_without_copy), (5, 0));
    heard.says("was emptied; what it held is read from its copy");
}

#[test]
fn a_file_that_is_emptied_is_read_from_its_beginning() {
    let mut log = Log::new();
    log.open();
    let arriving = log.follow();
    log.write(50);
    std::thread::sleep(Duration::from_secs(1));
    let file = log.file.as_mut().unwrap();
    file.set_len(0).unwrap();
    file.rewind().unwrap();
    pause();
    log.write(5);
    let (heard, counts) = log.all(arriving);
    assert_eq!((counts.sources[0].file.truncated, counts.sources[0].file.truncated_without_copy), (1, 1));
    heard.says("was emptied, and no copy of it is beside it");
}

/// While nobody listens, files come and go; they are opened all the same.
#[test]
fn files_are_rotated_while_the_consumer_is_behind() {
    let mut log = Log::new();
    log.open();
    let arriving = log.follow();
    for round in 0..6 {
        log.write(12_000);
        fs::rename(log.path(), log.aside(round)).unwrap();
        log.open();
        pause();
    }
    log.write(1);
    // Only now somebody listens, and what was put aside is taken away.
    (0..6).for_each(|round| fs::remove_file(log.aside(round)).unwrap());
    let (_, counts) = log.all(arriving);
    assert_eq!(counts.sources[0].file.rotated, 6);
    assert!(counts.waited > Duration::ZERO);
}

#[test]
fn what_cannot_be_followed_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8], why: &str| {
        let path: &Path = &folder.path().join(name);
        fs::write(path, bytes).unwrap();
        let error = open(&[path.to_str().unwrap()], None).unwrap_err();
        assert!(error.contains(&path.display().to_string()) && error.contains(why), "{error}");
    };
    check("a.json.gz", &[0x1f, 0x8b, 8, 0, 0], "is compressed, and nothing follows in it");
    check("a.json", &[0x28, 0xb5, 0x2f, 0xfd, 0], "is compressed");
    check("a.evtx", b"ElfFile\0", "is an event log");
    let error = open(&[folder.path().to_str().unwrap()], None).unwrap_err();
    assert!(error.contains("is no file"), "{error}");
}
