//! Outputs that are slow, absent, full, put aside or killed: the capture goes on, and no finding is lost untold or torn.
//!
//! All of it happens in a network namespace (`common/cable.rs`).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use common::binary::{FIRST_LOOK, dataset, wait};
use common::cable::{PLAYER, Sensor, in_namespace, ip, play, plug_in};
use common::packets::{datagram, dns_query};
use serde_json::Value;

fn main() -> ExitCode {
    in_namespace("outputs", inside)
}

fn inside() {
    plug_in();
    ip(&["link", "set", "lo", "up"]);
    a_file_that_is_put_aside();
    a_reader_that_comes_later();
    a_reader_that_does_not_read();
    a_reader_that_goes();
    a_disk_that_is_full();
    a_sensor_that_is_killed();
    syslog_over_udp();
    println!("outputs: 7 ok");
}

/// Questions for a listed name, each of another client: an alert each.
fn ask(clients: std::ops::Range<u32>, pause: Duration) {
    let mut cable = pcap::Capture::from_device(PLAYER).unwrap().open().unwrap();
    for client in clients {
        let from = [10, 3, (client >> 8) as u8, client as u8];
        cable.sendpacket(datagram((from, 4000), ([10, 0, 0, 53], 53), &dns_query("pastebin.com"))).unwrap();
        std::thread::sleep(pause);
    }
}

/// The clients of the alerts in a text of whole lines, in order.
fn clients(text: &str) -> Vec<u32> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole");
    let client = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let first = dataset(&record) == "undertone.alert" && record["event"]["action"].is_null();
        let ip: std::net::Ipv4Addr = record["source"]["ip"].as_str().unwrap().parse().unwrap();
        first.then(|| u32::from(ip) & 0xffff)
    };
    text.lines().filter_map(client).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// As logrotate does it: the file is renamed, and the sensor told. By size, the sensor does it itself.
fn a_file_that_is_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("out"), folder.path().join("aside"));
    let mut sensor = Sensor::start(&["-o", &format!("file:{}", path.display())]);
    ask(0..100, Duration::ZERO);
    std::thread::sleep(Duration::from_millis(700));
    std::fs::rename(&path, &aside).unwrap();
    sensor.signal("HUP");
    sensor.hears("read again");
    ask(100..200, Duration::ZERO);
    sensor.stop("INT").ended(0);
    assert_eq!(clients(&read(&aside)), (0..100).collect::<Vec<_>>());
    assert_eq!(clients(&read(&path)), (100..200).collect::<Vec<_>>());

    let path = folder.path().join("long");
    let sensor = Sensor::start(&["-o", path.to_str().unwrap(), "--rotate-size", "1", "--rotate-keep", "9"]);
    ask(0..2000, Duration::from_micros(200));
    sensor.stop("INT").ended(0);
    let mut parts: Vec<String> = (1..=9)
        .rev()
        .filter_map(|number| std::fs::read_to_string(folder.path().join(format!("long.{number}"))).ok())
        .collect();
    parts.push(read(&path));
    assert!(parts.len() > 2, "{}", parts.len());
    assert!(parts.iter().all(|part| part.len() <= 1 << 20 && part.ends_with('\n')));
    assert_eq!(clients(&parts.concat()), (0..2000).collect::<Vec<_>>());
}

/// Nobody listens when the sensor starts, nor when it ends; what was found waits in the folder, and the next sensor delivers it.
fn a_reader_that_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (socket, to) = (at("socket"), format!("unix:{}", at("socket")));
    let options = ["-o", &to, "--spill", folder.path().to_str().unwrap()];
    let mut sensor = Sensor::start(&options);
    ask(0..50, Duration::ZERO);
    sensor.hears("records wait, and it is tried again");
    sensor.stop("INT").ended(0);

    let listener = UnixListener::bind(&socket).unwrap();
    let sensor = Sensor::start(&options);
    let reading = std::thread::spawn(move || {
        let lines = BufReader::new(listener.accept().unwrap().0).lines();
        lines.map(|line| line.unwrap() + "\n").collect::<String>()
    });
    ask(50..100, Duration::ZERO);
    sensor.stop("INT").ended(0);
    assert_eq!(clients(&reading.join().unwrap()), (0..100).collect::<Vec<_>>());
}

/// Standard output is a pipe that nobody empties, and more comes than it holds.
fn a_reader_that_does_not_read() {
    const ASKED: u32 = 2_000;
    let sensor = Sensor::start(&["--json", "--threads", "2"]);
    ask(0..ASKED, Duration::from_micros(100));
    std::thread::sleep(Duration::from_millis(500));
    let began = Instant::now();
    let ran = sensor.stop_unread("TERM").ended(1);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let ran =
        ran.says(&["  2,000 packets ", "Pastebin 2,000", "standard output: ", " records were not delivered"]);
    assert!(!ran.err.contains("dropped"), "{}", ran.err);
}

/// What a pipe has lost is lost: a sensor whose findings nobody can ever read again ends, and says so.
fn a_reader_that_goes() {
    let mut sensor = Sensor::start(&["--json"]);
    drop(sensor.child.stdout.take());
    ask(0..10, Duration::ZERO);
    let mut said = String::new();
    let ran = wait(sensor.child, Duration::from_secs(10)).ended(1);
    sensor.lines.iter().for_each(|line| said += &line);
    assert!(said.contains("standard output: its reader has gone"), "{said}{ran:?}");
}

/// A file system that is full, and has room again later.
fn a_disk_that_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(&disk).status();
    assert!(mounted.unwrap().success());
    std::fs::write(disk.join("in-the-way"), vec![0; 128 << 10]).unwrap();
    let path = disk.join("out");
    let mut sensor = Sensor::start(&["-o", path.to_str().unwrap(), "--min-level", "low"]);
    ask(0..100, Duration::from_millis(1));
    sensor.hears("No space left on device (os error 28); records wait, and it is tried again");
    let some = clients(&read(&path));
    assert!((1..100).contains(&some.len()), "{}", some.len());
    std::fs::remove_file(disk.join("in-the-way")).unwrap();
    sensor.hears("is written again");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(clients(&read(&path)), (0..100).collect::<Vec<_>>());
    sensor.signal("KILL");
    drop(wait(sensor.child, Duration::from_secs(10)));
    assert!(Command::new("umount").arg(&disk).status().unwrap().success());
}

/// A finding is written when its line end is. What has none when the sensor is killed is taken away by the next one.
fn a_sensor_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    for round in 0..6u32 {
        let sensor = Sensor::start(&["-o", path.to_str().unwrap()]);
        let from = round * 1000;
        std::thread::scope(|scope| {
            scope.spawn(|| ask(from..from + 1000, Duration::from_micros(300)));
            std::thread::sleep(Duration::from_millis(400 + 37 * u64::from(round)));
            sensor.signal("KILL");
            drop(wait(sensor.child, Duration::from_secs(10)));
        });
        let text = read(&path);
        let whole = text.rfind('\n').and_then(|at| text.get(..=at)).unwrap_or_default();
        let found: Vec<u32> = clients(whole).into_iter().filter(|client| *client >= from).collect();
        assert!(
            found.iter().zip(from..).all(|(client, expected)| *client == expected),
            "none is missing between"
        );
    }
    // The last half line, if there is one, or one that is made.
    std::fs::write(&path, read(&path) + "{\"torn\":").unwrap();
    Sensor::start(&["-o", path.to_str().unwrap()]).stop("INT").ended(0);
    assert!(clients(&read(&path)).len() > 100);
}

fn syslog_over_udp() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let to = format!("syslog:udp:{}", socket.local_addr().unwrap());
    let sensor = Sensor::start(&["-o", &to]);
    play(FIRST_LOOK);
    let mut buffer = vec![0; 65_536];
    let got = socket.recv(&mut buffer).unwrap();
    let message = String::from_utf8(buffer[..got].to_vec()).unwrap();
    assert!(message.starts_with("<133>1 20") && message.contains(" alert - {\"@timestamp\":"), "{message}");
    assert!(message.ends_with('}'), "{message}");
    sensor.stop("INT").ended(0);
}
