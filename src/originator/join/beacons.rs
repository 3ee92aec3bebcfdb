//! What goes on and on: thousands of records under one key, of which only those about each time are looked at.

use super::super::attribution::{Attribution, AttributionLevel};
use super::super::record::Process;
use super::tests::{
    POWERSHELL, RESOLVER, SERVER, Sysmon, WS5, ask, at, flow, joined, keyed, process, shuffle,
};
use super::*;

/// What a beacon leaves behind, turn by turn.
type Turn = fn(i64) -> (Vec<Record<'static>>, Flow);

/// Seconds between the turns.
const EVERY: i64 = 10;

/// A client with a port for each turn, on as many addresses as that needs.
fn client(turn: i64) -> String {
    format!("10.0.{}.7:{}", turn / 50_000, 10_000 + turn % 50_000)
}

fn beaten(turns: i64, turn: Turn) -> (Vec<Record<'static>>, Vec<(i64, Flow)>) {
    let mut records = Vec::new();
    let mut flows = Vec::new();
    for number in 0..turns {
        let (more, flow) = turn(number);
        records.extend(more);
        flows.push((number * EVERY * 1000, flow));
    }
    (records, flows)
}

/// All connections and all questions attributed, and how many rows were looked at for that.
fn all(records: &[Record<'_>], flows: &[(i64, Flow)]) -> (Vec<Attribution>, u64) {
    let mut join = joined(records, flows);
    let looked = |join: &Join| {
        join.both.looked() + join.destinations().looked() + join.asked.looked() + join.commands.looked()
    };
    let before = looked(&join);
    let mut sorted = flows.to_vec();
    sorted.sort();
    let found = (sorted.iter())
        .flat_map(|(when, flow)| {
            let question =
                Flow { src: Endpoint { port: 5353, ..flow.src }, dst: tests::end(RESOLVER), ..*flow };
            [ask(&mut join, when - 30, question, "a.example"), ask(&mut join, when + 30, *flow, "a.example")]
        })
        .collect();
    assert_eq!(
        join.report().limits.iter().map(|(_, count)| count).sum::<u64>(),
        0,
        "{:?}",
        join.report().limits
    );
    (found, looked(&join) - before)
}

/// Every turn is attributed at these levels; four times as many turns cost four times as much; and the order of records changes nothing.
#[track_caller]
fn check(turns: i64, turn: Turn, question: AttributionLevel, connection: AttributionLevel, most_looks: u64) {
    let (mut records, mut flows) = beaten(turns, turn);
    let (expected, looked) = all(&records, &flows);
    for pair in expected.chunks(2) {
        let [asked, made] = pair else { panic!("{pair:?}") };
        assert_eq!((asked.level, made.level), (question, connection), "{asked:?} {made:?}");
    }
    let of_each = looked / turns as u64;
    assert!(of_each <= most_looks, "{of_each} rows are looked at for each turn");
    let (fewer, fewer_flows) = beaten(turns / 4, turn);
    let (_, fewer_looked) = all(&fewer, &fewer_flows);
    assert!(
        looked * 10 <= fewer_looked * 45,
        "{fewer_looked} rows for a quarter of the turns, {looked} for all"
    );
    records.reverse();
    assert!(all(&records, &flows).0 == expected, "reversed");
    shuffle(&mut records, 11);
    shuffle(&mut flows, 12);
    assert!(all(&records, &flows).0 == expected, "shuffled");
}

fn moment(turn: i64) -> i64 {
    turn * EVERY * 1000
}

fn asked(turn: i64, by: Process<'static>) -> Record<'static> {
    WS5.query(at(moment(turn) - 20), by, "a.example", "0", &["162.125.1.19"])
}

#[test]
fn a_question_for_each_connection() {
    check(
        10_000,
        |turn| {
            let client = client(turn);
            let beacon = keyed(9, POWERSHELL, "k9");
            let made = WS5.connection(at(moment(turn)), beacon.clone(), &client, SERVER);
            (vec![asked(turn, beacon), made], flow(&client, SERVER))
        },
        AttributionLevel::DnsAnswer,
        AttributionLevel::TupleAndName,
        16,
    );
}

#[test]
fn a_clock_that_is_days_off() {
    check(
        1_200,
        |turn| {
            let client = client(turn);
            let beacon = keyed(9, POWERSHELL, "k9");
            let off = Sysmon { skewed: -5 * 86_400 * SECOND + turn * 3_000_000, logged: 7 * SECOND, ..WS5 };
            let asked = off.query(at(moment(turn) - 20), beacon.clone(), "a.example", "0", &["162.125.1.19"]);
            let made = off.connection(at(moment(turn)), beacon, &client, SERVER);
            (vec![asked, made], flow(&client, SERVER))
        },
        AttributionLevel::DnsAnswer,
        AttributionLevel::TupleAndName,
        16,
    );
}

#[test]
fn questions_alone() {
    check(
        1_200,
        |turn| {
            // Another connection keeps the address the host's.
            let other =
                WS5.connection(at(moment(turn)), process(4, "System"), "10.0.0.7:139", "10.0.0.9:139");
            (vec![asked(turn, keyed(9, POWERSHELL, "k9")), other], flow("10.0.0.7:40000", SERVER))
        },
        AttributionLevel::DnsAnswer,
        AttributionLevel::DnsAnswer,
        // An answer is good for five minutes.
        128,
    );
}

#[test]
fn connections_without_a_port_of_their_own() {
    check(
        1_200,
        |turn| {
            let beacon = keyed(9, POWERSHELL, "k9");
            let mut made = WS5.connection(at(moment(turn)), beacon.clone(), &client(turn), SERVER);
            made.feed = FeedKind::Auditbeat;
            if let Said::Connection(connection) = &mut made.what {
                connection.ends[0].port = None;
            }
            (vec![made, asked(turn, beacon)], flow(&client(turn), SERVER))
        },
        AttributionLevel::DnsAnswer,
        AttributionLevel::Destination,
        16,
    );
}

#[test]
fn one_port_for_ever() {
    check(
        1_200,
        |turn| {
            let beacon = keyed(9, POWERSHELL, "k9");
            let made = WS5.connection(at(moment(turn)), beacon.clone(), "10.0.0.7:40000", SERVER);
            (vec![asked(turn, beacon), made], flow("10.0.0.7:40000", SERVER))
        },
        AttributionLevel::DnsAnswer,
        AttributionLevel::TupleAndName,
        16,
    );
}

#[test]
fn a_program_that_is_started_for_each() {
    check(
        1_200,
        |turn| {
            let other =
                WS5.connection(at(moment(turn)), process(4, "System"), "10.0.0.7:139", "10.0.0.9:139");
            let line = "curl https://a.example/x";
            let key: &'static str = format!("k{turn}").leak();
            let curl =
                Process { command_line: Some(line.into()), ..keyed(turn as u32 + 100, "C:\\curl.exe", key) };
            let start = WS5.start(at(moment(turn) - 40), curl.clone());
            let end = WS5.end(at(moment(turn) + 500), curl);
            (vec![start, other, end], flow(&client(turn), SERVER))
        },
        // Sixty of them were there within five minutes, and none is named.
        AttributionLevel::Ambiguous,
        AttributionLevel::Ambiguous,
        256,
    );
}
