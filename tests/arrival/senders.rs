//! Many senders, of whom some are hostile.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::time::Duration;

use undertone::arrival::{Ending, SourceCounts};
use undertone::originator::feed::Refusal;

use super::{Heard, open, start};

/// Senders in all, and those of them that are not hostile.
const SENDERS: u32 = 100;
const HONEST: u32 = SENDERS - 3;

/// Records of each that is not hostile.
const RECORDS: u32 = 100;

/// The bytes of the long line.
const LONG: u64 = 1 << 30;

/// What all may add to the memory of this process: what the records weigh that wait, 1 MiB and more for each hostile sender, and the
/// threads that send here.
const MOST_MEMORY: u64 = 64 << 20;

/// Held by whoever occupies much memory of this process, or measures it.
static MUCH_MEMORY: Mutex<()> = Mutex::new(());

trait Connection: Read + Write + Send {}

impl<C: Read + Write + Send> Connection for C {}

fn connect(address: &str) -> Box<dyn Connection> {
    match address.split_once(':').unwrap() {
        ("unix", path) => Box::new(UnixStream::connect(path).unwrap()),
        ("tcp", address) => Box::new(TcpStream::connect(address).unwrap()),
        _ => panic!("{address}"),
    }
}

#[test]
fn a_hundred_senders_over_a_unix_socket() {
    let folder = tempfile::tempdir().unwrap();
    a_hundred_senders(&format!("unix:{}/feed.sock", folder.path().display()));
}

#[test]
fn a_hundred_senders_over_tcp() {
    a_hundred_senders("tcp:127.0.0.1:0");
}

/// One of a hundred stalls within a record, one sends garbage all the time, one a line of a gibibyte; the others speak JSON lines, syslog by
/// lines and syslog by counted octets in pieces of different sizes.
fn a_hundred_senders(source: &str) {
    let _alone = MUCH_MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let arriving = open(&[source], None).unwrap();
    let address = arriving.names()[0].clone();
    let arriving = arriving.start().unwrap();
    let before = memory();
    let enough = Arc::new(AtomicBool::new(false));
    let together = Arc::new(Barrier::new(SENDERS as usize));
    let mut threads = Vec::new();
    for number in 0..SENDERS {
        let (address, enough, together) = (address.clone(), enough.clone(), together.clone());
        threads.push(std::thread::spawn(move || {
            let mut to = connect(&address);
            together.wait();
            match number {
                0 => {
                    let record = start("stalled", 1);
                    to.write_all(&record.as_bytes()[..record.len() / 2]).unwrap();
                    while !enough.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                }
                1 => garbage(&mut *to, &enough),
                2 => {
                    let block = vec![b'x'; 1 << 20];
                    to.write_all(b"{\"EventID\":1,\"CommandLine\":\"").unwrap();
                    (0..LONG >> 20).for_each(|_| to.write_all(&block).unwrap());
                    // Behind it the same sender is served again.
                    to.write_all(format!("\"}}\n{}\n", start("long", 7)).as_bytes()).unwrap();
                }
                _ => honest(&mut *to, number),
            }
        }));
    }
    let mut heard = Heard::default();
    let all = (HONEST * RECORDS + 1) as usize;
    heard.until(&arriving, "the others are served", |heard, counts| {
        heard.records == all && counts.sources[0].gone(Ending::Closed) == u64::from(HONEST) + 1
    });
    let grown = memory().saturating_sub(before);
    let busy = arriving.counts();
    enough.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    heard.until(&arriving, "all are gone", |_, counts| counts.sources[0].senders.is_empty());
    let (heard, counts) = heard.end(arriving);

    let expected: Vec<u32> = (0..RECORDS).collect();
    for number in 3..SENDERS {
        assert_eq!(heard.pids[&format!("host-{number}")], expected, "{number}");
    }
    assert_eq!(heard.pids["long"], [7]);
    assert_eq!(heard.pids.len(), HONEST as usize + 1, "nothing else was told");

    // Each has its own progress: who is left is the one that stalls, and the one that sends garbage.
    let half = start("stalled", 1).len() as u64 / 2;
    let senders = &busy.sources[0].senders;
    let stalled = senders.iter().find(|sender| sender.bytes == half).unwrap();
    assert!(stalled.last.is_some() && stalled.held as u64 >= half && stalled.told == 0, "{stalled:?}");
    let garbage = senders.iter().max_by_key(|sender| sender.refused).unwrap();
    assert!(garbage.refused > 0 && garbage.told == 0, "{garbage:?}");
    assert_eq!(senders.len(), 2, "{senders:#?}");

    let source: &SourceCounts = &counts.sources[0];
    assert_eq!(source.came, u64::from(SENDERS));
    assert_eq!(source.tally.told, all as u64);
    assert_eq!(source.gone(Ending::Closed) + source.gone(Ending::Broken), u64::from(SENDERS), "{source:#?}");
    assert!(source.tally.refused(Refusal::TooLong).count >= 1, "the long line");
    assert!(source.tally.refused(Refusal::CutShort).count >= 1, "the half record");
    assert!(source.tally.refused(Refusal::NotARecord).count > 0, "garbage");
    assert!(source.tally.bytes > LONG);
    println!("{address}: {} MiB more, waited {:?}", grown >> 20, counts.waited);
    assert!(grown < MOST_MEMORY, "{} MiB more", grown >> 20);
}

/// Records, as one of the senders there are writes them.
fn honest(to: &mut dyn Write, number: u32) {
    let mut all = Vec::new();
    for pid in 0..RECORDS {
        let record = start(&format!("host-{number}"), pid);
        let message = format!("<13>1 2026-11-25T12:00:00.000Z host-{number} app - - - {record}");
        match number % 4 {
            0 => writeln!(all, "{record}"),
            1 => writeln!(all, "{message}"),
            2 => write!(all, "{message}\0"),
            _ => write!(all, "{} {message}", message.len()),
        }
        .unwrap();
    }
    for piece in all.chunks(97 + number as usize * 31) {
        to.write_all(piece).unwrap();
        if number.is_multiple_of(7) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

/// Bytes of a generator (Marsaglia's xorshift), with line feeds in them.
fn garbage(to: &mut dyn Write, enough: &AtomicBool) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    while !enough.load(Ordering::Relaxed) {
        let block: Vec<u8> = (0..4096)
            .flat_map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()
            })
            .collect();
        to.write_all(&block).unwrap();
    }
}

/// Nobody reads for a while: the senders wait, nothing is lost, and the time is counted.
#[test]
fn a_consumer_that_is_behind_makes_senders_wait() {
    let arriving = open(&["tcp:127.0.0.1:0"], None).unwrap();
    let address = arriving.names()[0].clone();
    let arriving = arriving.start().unwrap();
    let text: String = (0..200).map(|pid| start("busy", pid) + "\n").collect();
    const TIMES: usize = 500;
    let sender = std::thread::spawn(move || {
        let mut to = connect(&address);
        (0..TIMES).for_each(|_| to.write_all(text.as_bytes()).unwrap());
    });
    std::thread::sleep(Duration::from_millis(1500));
    assert!(!sender.is_finished(), "40 MB fit nowhere");
    let mut heard = Heard::default();
    heard.until(&arriving, "all is told", |heard, _| heard.records == TIMES * 200);
    sender.join().unwrap();
    let (_, counts) = heard.end(arriving);
    assert!(counts.waited > Duration::from_millis(500), "{:?}", counts.waited);
}

/// Each within what one may hold, and together beyond what all may: those that hold most are ended, and whoever holds little is not.
#[test]
fn what_all_hold_together_is_bounded() {
    const ALL: usize = 128 << 20;
    /// Each of a record that does not end: just less than the longest there may be.
    const EACH: usize = 1_000_000;
    const GREEDY: usize = 180;
    let _alone = MUCH_MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir().unwrap();
    let arriving = open(&[&format!("unix:{}/feed.sock", folder.path().display())], None).unwrap();
    let address = arriving.names()[0].clone();
    let arriving = arriving.start().unwrap();
    let mut heard = Heard::default();
    // It was there first, and has the beginning of a record.
    let modest = start("modest", 7);
    let (beginning, rest) = modest.split_at(100);
    let mut small = connect(&address);
    small.write_all(beginning.as_bytes()).unwrap();
    let beginning = format!("{{\"EventID\":1,\"Message\":\"{}", "x".repeat(EACH));
    let mut greedy = Vec::new();
    for _ in 0..GREEDY {
        let mut one = connect(&address);
        // Whoever was ended does not read on, and that is not this sender's fault.
        _ = one.write_all(beginning.as_bytes());
        greedy.push(one);
    }
    let held = |counts: &SourceCounts| counts.senders.iter().map(|sender| sender.held).sum::<usize>();
    heard.until(&arriving, "the greediest are ended", |_, counts| {
        let source = &counts.sources[0];
        source.came == GREEDY as u64 + 1 && source.gone(Ending::TooMuch) > 20 && held(source) <= ALL
    });
    small.write_all(rest.as_bytes()).unwrap();
    small.write_all(b"\n").unwrap();
    let mut guest = connect(&address);
    guest.write_all((start("guest", 5) + "\n").as_bytes()).unwrap();
    heard.until(&arriving, "the others are served", |heard, _| heard.records == 2);
    assert!(arriving.counts().sources[0].senders.len() > 50, "most are there still");
    let (heard, _) = heard.end(arriving);
    assert_eq!((heard.pids["modest"].as_slice(), heard.pids["guest"].as_slice()), (&[7][..], &[5][..]));
    heard.says("occupied too much memory");
}

/// As many as there may be come from one address: another address is served at their cost, and they are not served beyond.
#[test]
fn a_crowd_from_one_address_makes_room_for_others() {
    const MOST: usize = 512;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let arriving = open(&["tcp:127.0.0.1:0", "tcp:[::1]:0"], None).unwrap();
    let [address, other] = [0, 1].map(|at: usize| -> SocketAddr {
        arriving.names()[at].strip_prefix("tcp:").unwrap().parse().unwrap()
    });
    let arriving = arriving.start().unwrap();
    let mut crowd: Vec<TcpStream> = Vec::new();
    let mut heard = Heard::default();
    for _ in 0..MOST {
        crowd.push(TcpStream::connect(address).unwrap());
    }
    heard.until(&arriving, "all are in", |_, counts| counts.sources[0].senders.len() == MOST);
    let mut late = TcpStream::connect(address).unwrap();
    assert_eq!(late.read(&mut [0]).unwrap_or(0), 0, "it is closed");
    let mut guest = TcpStream::connect(other).unwrap();
    guest.write_all((start("guest", 5) + "\n").as_bytes()).unwrap();
    heard.until(&arriving, "the guest is served", |heard, _| heard.pids.contains_key("guest"));
    let (heard, counts) = heard.end(arriving);
    assert_eq!(counts.sources[0].gone(Ending::Crowded), 1);
    assert_eq!(counts.sources[0].gone(Ending::Displaced), 1);
    heard.says("too many senders");
    heard.says("made room for another");
}

#[test]
fn a_unix_socket_is_for_its_owner_and_group_and_replaces_a_stale_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.sock");
    let source = format!("unix:{}", path.display());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "stale");
    let arriving = open(&[&source], None).unwrap().start().unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let taken = open(&[&source], None).unwrap_err();
    assert!(taken.contains("feed.sock: another program listens on it"), "{taken}");
    UnixStream::connect(&path).unwrap().write_all((start("a", 1) + "\n").as_bytes()).unwrap();
    let mut heard = Heard::default();
    heard.until(&arriving, "it is served", |heard, _| heard.records == 1);
    heard.end(arriving);
    assert!(!path.exists(), "it is taken away");
    fs::write(&path, "a letter").unwrap();
    let wrong = open(&[&source], None).unwrap_err();
    assert!(wrong.contains("is there, and is no socket"), "{wrong}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a letter");
}

#[test]
fn whoever_listens_in_the_open_is_refused() {
    for source in ["tcp:0.0.0.0:0", "tcp:[::]:0", "tcp:192.0.2.1:5170"] {
        let why = open(&[source], None).unwrap_err();
        assert!(why.contains("is not on loopback") && why.contains("--feed-tls-cert"), "{why}");
    }
    let why = open(&["tls:0.0.0.0:0"], None).unwrap_err();
    assert!(why.contains("needs --feed-tls-cert, --feed-tls-key and --feed-tls-ca"), "{why}");
}

/// What came before the end was asked for is told, whole or not.
#[test]
fn what_has_come_is_told_at_the_end() {
    let arriving = open(&["tcp:127.0.0.1:0"], None).unwrap();
    let address = arriving.names()[0].clone();
    let arriving = arriving.start().unwrap();
    let mut to = connect(&address);
    let mut heard = Heard::default();
    heard.until(&arriving, "it is in", |_, counts| counts.sources[0].senders.len() == 1);
    let text: String = (0..2000).map(|pid| start("late", pid) + "\n").collect();
    to.write_all(text.trim_end().as_bytes()).unwrap();
    let (heard, counts) = heard.end(arriving);
    assert_eq!(heard.records, 2000);
    assert_eq!(counts.sources[0].gone(Ending::Stopped), 1);
    let refused = connect_again(&address);
    assert!(refused, "nobody listens any more");
}

fn connect_again(address: &str) -> bool {
    let error = TcpStream::connect(address.strip_prefix("tcp:").unwrap()).err();
    error.is_some_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

/// A named pipe goes on when its writers end.
#[test]
fn a_named_pipe_outlives_its_writers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("feed.pipe");
    let mode = rustix::fs::Mode::from_bits_retain(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let arriving = open(&[path.to_str().unwrap()], None).unwrap().start().unwrap();
    for pid in 0..3 {
        write_to(&path, &(start("pipe", pid) + "\n"));
    }
    let mut heard = Heard::default();
    heard.until(&arriving, "all came", |heard, _| heard.records == 3);
    let (heard, _) = heard.end(arriving);
    assert_eq!(heard.pids["pipe"], [0, 1, 2]);
}

fn write_to(path: &Path, text: &str) {
    fs::OpenOptions::new().write(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// The memory that this process occupies, in bytes.
fn memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}
