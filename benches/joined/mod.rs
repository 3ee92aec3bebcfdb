//! How fast telemetry and wire are joined: so many connections of records and as many of the wire, offsets of all clocks learned, and each
//! connection of the wire attributed.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use undertone::capture::Timestamp;
use undertone::flow::{Endpoint, Flow, Protocol};
use undertone::originator::record::{Clock, Connection, End, FeedKind, Process, Record, Said, Side, Time};
use undertone::originator::{FeedMemory, Join, Question};
use undertone::runtime::Threads;

const SECOND: i64 = 1_000_000_000;

/// Hosts, each with processes of its own and a clock that is wrong in its own way.
const HOSTS: u32 = 500;
const PROCESSES: u32 = 40;
/// How many connections each step alone is measured with.
const MANY: u32 = 1_000_000;

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

/// The connections, names of hosts, and identities of processes: what feed and wire are read from is there before.
struct Given {
    flows: Vec<(Timestamp, Flow)>,
    questions: Vec<Question<'static>>,
    hosts: Vec<String>,
    keys: Vec<String>,
}

impl Given {
    fn new(count: u32) -> Self {
        let flows: Vec<_> = (0..count).map(flow).collect();
        let question = |(at, flow): &(Timestamp, Flow)| Question {
            at: *at,
            flow: *flow,
            name: Some("api.example"),
            is_dns: false,
            is_server: true,
            or_server: false,
        };
        let key = |key| format!("365abb72-6759-5cd8-0000-{key:012x}");
        Self {
            questions: flows.iter().map(question).collect(),
            flows,
            hosts: (0..HOSTS).map(|host| format!("ws{host}.corp.example")).collect(),
            keys: (0..HOSTS * PROCESSES).map(key).collect(),
        }
    }

    /// Takes the connections on either side.
    fn taken(&self, threads: usize) -> Join {
        let threads = Threads(NonZeroUsize::new(threads).unwrap());
        let mut join = Join::new(FeedMemory::of_bytes(4 << 30)).with_hands(Arc::new(threads));
        for (number, (at, flow)) in (0..).zip(&self.flows) {
            let (host, process) = (number % HOSTS, number / HOSTS % PROCESSES);
            let skew = i64::from(host) * 7 * SECOND;
            join.record(&Record {
                feed: FeedKind::Sysmon,
                kind: "3".into(),
                id: None,
                host: self.hosts[host as usize].as_str().into(),
                host_id: None,
                time: Time { at: Timestamp::from_nanos(at.as_nanos() + SECOND), clock: Clock::Logged },
                second: Some(Time { at: Timestamp::from_nanos(at.as_nanos() - skew), clock: Clock::Skewed }),
                what: Said::Connection(Connection {
                    process: Process {
                        pid: Some(1000 + process),
                        key: Some(self.keys[(host * PROCESSES + process) as usize].as_str().into()),
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
            join.conversation(*flow, *at, true);
        }
        join
    }

    /// Attributes the connections, as a replay does at its end. Gives how many of them have a process now.
    fn attributed(&self, join: &mut Join) -> u32 {
        let mut named = 0;
        join.attribute_all(self.questions.iter().collect(), |question| **question, &mut |_, found| {
            let found = black_box(found);
            named += u32::from(found.level.is_tuple() && found.process.is_some());
        });
        named
    }
}

/// The threads that a replay has if it is not told, and one.
fn threads() -> Vec<usize> {
    let all = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    if all > 1 { vec![1, all] } else { vec![1] }
}

/// The whole, by how many connections.
#[divan::bench(args = [10_000, 100_000, 1_000_000], consts = [1, 2], sample_count = 10, sample_size = 1)]
fn join<const THREADS: usize>(bencher: Bencher<'_, '_>, count: u32) {
    let given = Given::new(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut join = given.taken(THREADS);
        join.settle();
        assert_eq!(given.attributed(&mut join), count, "every connection has its process");
    });
}

#[divan::bench(args = [1_000_000], sample_count = 10, sample_size = 1)]
fn take_records_and_connections(bencher: Bencher<'_, '_>, count: u32) {
    let given = Given::new(count);
    bencher.counter(ItemsCount::new(count)).bench_local(|| given.taken(1));
}

/// By threads: putting them into the table of both sides, and learning.
#[divan::bench(args = threads(), sample_count = 10, sample_size = 1)]
fn settle(bencher: Bencher<'_, '_>, threads: usize) {
    let given = Given::new(MANY);
    bencher.counter(ItemsCount::new(MANY)).with_inputs(|| given.taken(threads)).bench_local_values(
        |mut join| {
            join.settle();
            join
        },
    );
}

/// By threads.
#[divan::bench(args = threads(), sample_count = 10, sample_size = 1)]
fn attribute(bencher: Bencher<'_, '_>, threads: usize) {
    let given = Given::new(MANY);
    let mut join = given.taken(threads);
    join.settle();
    bencher.counter(ItemsCount::new(MANY)).bench_local(|| given.attributed(&mut join));
}
