//! How fast telemetry and wire are joined: so many connections of records and as many of the wire, offsets of all clocks learned, and each
//! connection of the wire attributed.

use std::hint::black_box;
use std::net::Ipv4Addr;

use divan::Bencher;
use divan::counter::ItemsCount;
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
    (
        Timestamp::from_nanos(1_600_000_000 * SECOND + i64::from(number) * 1_000_000),
        Flow { src, dst, protocol: Protocol::TCP },
    )
}

fn end(end: Endpoint) -> End {
    End { ip: end.ip, port: Some(end.port) }
}

#[divan::bench(args = [10_000, 100_000, 1_000_000], sample_count = 5, sample_size = 1)]
fn join(bencher: Bencher<'_, '_>, count: u32) {
    let names = names();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut join = taken(count, &names);
        join.settle();
        assert_eq!(attributed(&mut join, count), count, "every connection has its process");
    });
}

#[divan::bench(args = [1_000_000], sample_count = 5, sample_size = 1)]
fn take_records_and_connections(bencher: Bencher<'_, '_>, count: u32) {
    let names = names();
    bencher.counter(ItemsCount::new(count)).bench_local(|| taken(count, &names));
}

#[divan::bench(args = [1_000_000], sample_count = 5, sample_size = 1)]
fn settle(bencher: Bencher<'_, '_>, count: u32) {
    let mut join = taken(count, &names());
    bencher.counter(ItemsCount::new(count)).bench_local(|| join.settle());
}

#[divan::bench(args = [1_000_000], sample_count = 5, sample_size = 1)]
fn attribute(bencher: Bencher<'_, '_>, count: u32) {
    let mut join = taken(count, &names());
    join.settle();
    bencher.counter(ItemsCount::new(count)).bench_local(|| attributed(&mut join, count));
}

/// Names of hosts, and identities of processes.
type Names = (Vec<String>, Vec<String>);

fn names() -> Names {
    let keys = (0..HOSTS * PROCESSES).map(|key| format!("365abb72-6759-5cd8-0000-{key:012x}")).collect();
    ((0..HOSTS).map(|host| format!("ws{host}.corp.example")).collect(), keys)
}

/// Takes so many connections on either side.
fn taken(count: u32, (names, keys): &Names) -> Join {
    let mut join = Join::new(FeedMemory::of_bytes(4 << 30));
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
    join
}

/// Attributes so many connections. Gives how many of them have a process now.
fn attributed(join: &mut Join, count: u32) -> u32 {
    let mut named = 0;
    for number in 0..count {
        let (at, flow) = flow(number);
        let question = Question {
            at,
            flow,
            name: Some("api.example"),
            is_dns: false,
            is_server: true,
            or_server: false,
        };
        let found = black_box(join.attribute(&question));
        named += u32::from(found.level.is_tuple() && found.process.is_some());
    }
    named
}
