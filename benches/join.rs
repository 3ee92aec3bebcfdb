//! How fast telemetry and wire are joined: connections of records and of the wire, offsets learned, and each connection of the wire
//! attributed.
//!
//! `cargo bench --bench join` prints nanoseconds for each connection, and the whole for a million on either side.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a measurement that cannot go on says so")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use undertone::capture::Timestamp;
use undertone::flow::{Endpoint, Flow, Protocol};
use undertone::originator::record::{Clock, Connection, End, FeedKind, Process, Record, Said, Side, Time};
use undertone::originator::{FeedMemory, Join, Question};

const SECOND: i64 = 1_000_000_000;

/// Hosts, each with processes of its own and a clock that is wrong in its own way.
const HOSTS: u32 = 500;
const PROCESSES: u32 = 40;

/// The connection of a number: a host's, a millisecond after the one before.
fn flow(number: u32) -> (Timestamp, Flow) {
    let host = number % HOSTS;
    let client = Ipv4Addr::from_bits(0x0a00_0000 + host + 1);
    let server = Ipv4Addr::from_bits(0xc000_0000 + number % 9_973);
    let src = Endpoint { ip: client.into(), port: 1024 + (number / HOSTS % 60_000) as u16 };
    let dst = Endpoint { ip: server.into(), port: 443 };
    (Timestamp::from_nanos(1_600_000_000 * SECOND + i64::from(number) * 1_000_000), Flow { src, dst, protocol: Protocol::TCP })
}

fn end(end: Endpoint) -> End {
    End { ip: end.ip, port: Some(end.port) }
}

fn main() {
    let most: u32 = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(1_000_000);
    let names: Vec<String> = (0..HOSTS).map(|host| format!("ws{host}.corp.example")).collect();
    let keys: Vec<String> = (0..HOSTS * PROCESSES).map(|key| format!("365abb72-6759-5cd8-0000-{key:012x}")).collect();
    println!("{:>9}  {:>10}  {:>10}  {:>10}  {:>10}  {:>12}", "on a side", "take", "settle", "attribute", "whole", "named");
    for count in [most / 100, most / 10, most] {
        for _ in 0..3 {
            let (times, named) = run(count, &names, &keys);
            let [take, settle, attribute] = times.map(|time| time.as_nanos() as f64 / f64::from(count));
            let whole: Duration = times.iter().sum();
            println!(
                "{count:>9}  {take:>7.0} ns  {settle:>7.0} ns  {attribute:>7.0} ns  {:>8.3} s  {named:>12}",
                whole.as_secs_f64()
            );
            assert_eq!(named, count, "every connection has its process");
        }
    }
}

/// Takes so many connections on either side, learns, and attributes all of them. Gives how long each step took, and how many were named.
fn run(count: u32, names: &[String], keys: &[String]) -> ([Duration; 3], u32) {
    let mut join = Join::new(FeedMemory::of_bytes(4 << 30));
    let began = Instant::now();
    for number in 0..count {
        let (at, flow) = flow(number);
        let (host, process) = (number % HOSTS, number / HOSTS % PROCESSES);
        let skew = i64::from(host) * 7 * SECOND;
        join.record(&Record {
            feed: FeedKind::Sysmon,
            kind: "3".into(),
            id: None,
            host: names[host as usize].as_str().into(),
            host_id: None,
            time: Time { at: Timestamp::from_nanos(at.as_nanos() + SECOND), clock: Clock::Logged },
            second: Some(Time { at: Timestamp::from_nanos(at.as_nanos() - skew), clock: Clock::Skewed }),
            what: Said::Connection(Connection {
                process: Process {
                    pid: Some(1000 + process),
                    key: Some(keys[(host * PROCESSES + process) as usize].as_str().into()),
                    image: Some("C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe".into()),
                    user: Some("CORP\\a".into()),
                    ..Process::default()
                },
                protocol: Some(Protocol::TCP),
                ends: [end(flow.src), end(flow.dst)],
                local: Some(Side::First),
                initiated: Some(true),
                name: None,
                count: 1,
            }),
        });
        join.conversation(flow, at, true);
    }
    let take = began.elapsed();
    let began = Instant::now();
    join.settle();
    let settle = began.elapsed();
    let began = Instant::now();
    let mut named = 0;
    for number in 0..count {
        let (at, flow) = flow(number);
        let question =
            Question { at, flow, name: Some("api.example"), is_dns: false, is_server: true, or_server: false };
        let found = black_box(join.attribute(&question));
        named += u32::from(found.level.is_tuple() && found.process.is_some());
    }
    ([take, settle, began.elapsed()], named)
}
