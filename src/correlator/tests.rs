//! Contacts, conversations and records in, alerts and summaries out.

use std::sync::Arc;

const SECOND: i64 = 1_000_000_000;

use super::*;
use crate::flow::{Endpoint, Flow, Protocol};
use crate::hostname::Hostname;
use crate::inspect::Detail;
use crate::inspect::SeenIn;
use crate::lists::Lists;

/// Contacts: seconds, last byte of the client's address, name, way. What is told: alerts as `A first name ways (update)`, summaries as
/// `S count names`.
fn check(folding: Folding, contacts: &[(i64, u8, &str, SeenIn)], expected: &[&str]) {
    let lists = Lists::builtin();
    let mut correlator = Correlator::new(folding);
    let mut told = Vec::new();
    let mut tell = |record: Record| {
        told.push(match record {
            Record::Alert(alert) => format!(
                "A {} {} {}{}",
                alert.first.as_nanos() / SECOND,
                alert.finding.contact.observation.hostname,
                alert.seen_in.iter().map(|way| way.as_str()).collect::<Vec<_>>().join("+"),
                if alert.update { " (update)" } else { "" }
            ),
            Record::Summary(summary) => format!(
                "S {} {}",
                summary.count,
                summary.hostnames.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("+")
            ),
            Record::Hostname(_) | Record::Flow(_) | Record::Blind(_) | Record::Stats(_) => {
                unreachable!("none was given")
            }
        });
    };
    for (seconds, client, name, seen_in) in contacts {
        let end = |last, port| Endpoint { ip: [10, 0, 0, last].into(), port };
        let observation = Observation {
            at: Timestamp::from_parts(*seconds, 0),
            source: 0,
            frame: 1,
            flow: Flow { src: end(*client, 1000), dst: end(200, 443), protocol: Protocol::TCP },
            hostname: Hostname::new(name).unwrap(),
            seen_in: *seen_in,
            detail: Detail::Nothing,
            path: None,
            disagrees_with: Vec::new(),
        };
        let entry: Arc<_> = lists.lookup(name).unwrap().clone();
        correlator.contact(Contact { observation, entry }, &mut tell);
    }
    correlator.finish(&mut tell);
    assert_eq!(told, expected);
}

const ASKED: SeenIn = SeenIn::DnsQuery;
const REACHED: SeenIn = SeenIn::TlsSni;

#[test]
fn a_page_load_is_one_alert_that_stands_for_the_connection() {
    check(
        Folding::replay(),
        &[
            (1, 7, "api.dropboxapi.com", ASKED),
            (2, 7, "api.dropboxapi.com", REACHED),
            (3, 7, "content.dropboxapi.com", ASKED),
        ],
        &["A 1 api.dropboxapi.com dns_query+tls_sni", "S 3 api.dropboxapi.com+content.dropboxapi.com"],
    );
}

#[test]
fn clients_and_services_are_told_apart_in_the_order_of_their_first_contacts() {
    check(
        Folding::replay(),
        &[
            (1, 7, "pastebin.com", ASKED),
            (2, 8, "pastebin.com", REACHED),
            (3, 7, "t.me", REACHED),
            (4, 7, "pastebin.com", REACHED),
        ],
        &[
            "A 1 pastebin.com dns_query+tls_sni",
            "A 2 pastebin.com tls_sni",
            "A 3 t.me tls_sni",
            "S 2 pastebin.com",
            "S 1 pastebin.com",
            "S 1 t.me",
        ],
    );
}

#[test]
fn a_beacon_is_one_alert_an_hour_and_one_summary() {
    let beacon: Vec<_> = (0..10_000).map(|turn| (turn, 7, "pastebin.com", REACHED)).collect();
    check(
        Folding::replay(),
        &beacon,
        &[
            "A 0 pastebin.com tls_sni",
            "A 3601 pastebin.com tls_sni",
            "A 7202 pastebin.com tls_sni",
            "S 10000 pastebin.com",
        ],
    );
}

#[test]
fn a_live_sensor_tells_at_once_and_again_when_there_is_more_to_say() {
    check(
        Folding::live(),
        &[
            (1, 7, "pastebin.com", ASKED),
            (2, 7, "pastebin.com", REACHED),
            (2, 8, "t.me", REACHED),
            (60, 7, "pastebin.com", REACHED),
        ],
        &[
            "A 1 pastebin.com dns_query",
            "A 2 t.me tls_sni",
            "A 1 pastebin.com dns_query+tls_sni (update)",
            "S 3 pastebin.com",
            "S 1 t.me",
        ],
    );
}

/// A live sensor told of a contact before its process was known; that is allowed, or the client was and the process is not.
#[test]
fn what_is_allowed_when_its_process_is_known_is_told_again_and_counted_once() {
    use crate::originator::{AttributionLevel, Process};

    let lists = Lists::builtin();
    let entry = lists.lookup("pastebin.com").unwrap();
    let contact = |seconds| {
        let end = |last, port| Endpoint { ip: [10, 0, 0, last].into(), port };
        let observation = Observation {
            at: Timestamp::from_parts(seconds, 0),
            source: 0,
            frame: 1,
            flow: Flow { src: end(7, 1000), dst: end(200, 443), protocol: Protocol::TCP },
            hostname: Hostname::new("pastebin.com").unwrap(),
            seen_in: SeenIn::TlsSni,
            detail: Detail::Nothing,
            path: None,
            disagrees_with: Vec::new(),
        };
        Contact { observation, entry: entry.clone() }
    };
    let by = |name: &str| Attribution {
        process: Some(Arc::new(Process { pid: Some(9), name: Some(name.into()), ..Process::default() })),
        ..Attribution::nobody(AttributionLevel::Tuple)
    };
    let check = |allow: &str, expected: &[&str]| {
        let mut correlator = Correlator::new(Folding::live());
        let mut list = AllowList::new();
        assert!(list.add("allow.toml", allow.as_bytes(), &lists).is_empty());
        correlator.judge_by(Rules::builtin(), list);
        let mut told = Vec::new();
        let mut tell = |record: Record| {
            let finding = record.finding().unwrap();
            let allowed = if finding.allowed.is_some() { " allowed" } else { "" };
            told.push(match &record {
                Record::Alert(alert) => {
                    let update = if alert.update { " update" } else { "" };
                    format!("alert {}{allowed}{update} {:?}", finding.level.as_str(), alert.told_as)
                }
                Record::Summary(summary) => {
                    format!("summary {}{allowed} {}", finding.level.as_str(), summary.count)
                }
                other => unreachable!("{other:?}"),
            });
        };
        for seconds in [1, 2] {
            correlator
                .attributed((contact(seconds), Attribution::nobody(AttributionLevel::Pending)), &mut tell);
        }
        for seconds in [1, 2] {
            correlator.known((contact(seconds), by("backup.exe")), &mut tell);
        }
        correlator.finish(&mut tell);
        assert_eq!(told, expected, "{allow}");
    };
    check("", &["alert low None", "alert medium update Some(Low)", "summary medium 2"]);
    check(
        "[[allow]]\nservice = \"Pastebin\"\nprocess = \"backup\"\n",
        &[
            "alert low None",
            "alert informational allowed update Some(Low)",
            "summary informational allowed 2",
        ],
    );
    // To this client anything is allowed, and was from the first.
    check("[[allow]]\nclient = \"10.0.0.7\"\n", &["summary informational allowed 2"]);
    // To this client anything, but to that program.
    check(
        "[[allow]]\nclient = \"10.0.0.7\"\n[[allow]]\nallow = false\nprocess = \"backup\"\n",
        &["alert medium None", "summary medium 2"],
    );
}

/// A live sensor asks of a connection the rules without a hostname when its process is known, after its contacts, and once.
#[test]
fn a_live_connection_is_judged_when_its_process_is_known() {
    use crate::flow::Volume;
    use crate::originator::record::{
        Clock, Connection, End, FeedKind, Process, Record as Told, Said, Side, Time,
    };
    use crate::originator::{FeedMemory, Join};

    const RULE: &str = "title: Notepad\nlogsource:\n    category: network_connection\ndetection:\n    s:\n        Image|endswith: '\\notepad.exe'\n    condition: s\nlevel: high\n";
    let at = |milliseconds: i64| Timestamp::from_nanos(1_600_000_000 * SECOND + milliseconds * 1_000_000);
    let flow = |port| {
        let end = |last, port| Endpoint { ip: [10, 0, 0, last].into(), port };
        Flow { src: end(7, port), dst: end(200, 443), protocol: Protocol::TCP }
    };
    let record = |milliseconds: i64, port| {
        let end = |end: Endpoint| End { ip: end.ip, port: Some(end.port) };
        Told {
            feed: FeedKind::Sysmon,
            kind: "3".into(),
            id: None,
            host: "ws5".into(),
            host_id: None,
            time: Time { at: at(milliseconds + 1_000), clock: Clock::Logged },
            second: None,
            what: Said::Connection(Connection {
                process: Process {
                    pid: Some(9),
                    image: Some("C:\\Windows\\notepad.exe".into()),
                    ..Process::default()
                },
                protocol: Some(Protocol::TCP),
                ends: [end(flow(port).src), end(flow(port).dst)],
                local: Some(Side::First),
                initiated: Some(true),
                name: None,
                count: 1,
            }),
        }
    };
    let conversation = |milliseconds: i64, port| Conversation {
        flow: flow(port),
        whole: true,
        ended: true,
        source: 0,
        first_frame: 1,
        last_frame: 9,
        first: at(milliseconds),
        last: at(milliseconds + 400),
        sent: Volume { packets: 5, bytes: 500 },
        received: Volume { packets: 4, bytes: 400 },
        copies: Default::default(),
        half_ended: false,
        path: None,
        name: None,
    };
    let mut correlator = Correlator::new(Folding::live());
    let memory = FeedMemory::of_bytes(1 << 20);
    correlator.attribute(Attributor::live(Join::new(memory), memory, false));
    assert!(!correlator.asks_connections());
    correlator.judge_by(Rules::load(true, [("x.yml", RULE.as_bytes())]), AllowList::new());
    assert!(correlator.asks_connections());
    let mut told = Vec::new();
    let mut tell = |record: Record| {
        let finding = record.finding().unwrap();
        let (rule, service) = (&finding.rules[0].name, finding.contact.entry.service());
        told.push(format!("{} {} {rule} of {service}", record.kind(), finding.level.as_str()));
    };
    // One whose record came before it ended, and one whose record comes ten seconds later.
    correlator.record(&record(-10, 50_000));
    correlator.conversation(conversation(0, 50_000), &mut tell);
    correlator.conversation(conversation(100, 50_001), &mut tell);
    correlator.tick(at(300), &mut tell);
    correlator.tick(at(1_000), &mut tell);
    correlator.record(&record(90, 50_001));
    correlator.tick(at(40_000), &mut tell);
    correlator.tick(at(400_000), &mut tell);
    // And one that was judged as a contact.
    let entry = Lists::builtin().lookup("pastebin.com").unwrap().clone();
    let observation = Observation {
        at: at(500_050),
        source: 0,
        frame: 1,
        flow: flow(50_002),
        hostname: Hostname::new("pastebin.com").unwrap(),
        seen_in: SeenIn::TlsSni,
        detail: Detail::Nothing,
        path: None,
        disagrees_with: Vec::new(),
    };
    correlator.record(&record(500_000, 50_002));
    correlator.contact(Contact { observation, entry }, &mut tell);
    correlator.conversation(conversation(500_000, 50_002), &mut tell);
    correlator.tick(at(502_000), &mut tell);
    correlator.finish(&mut tell);
    let expected = [
        "alert high Notepad of Notepad",
        "alert high Program of the system that intruders use contacted a web service that is used for command and control of Pastebin",
        "summary high Notepad of Notepad",
        "summary high Program of the system that intruders use contacted a web service that is used for command and control of Pastebin",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_clock_that_runs_backwards_loses_nothing() {
    check(
        Folding::replay(),
        &[
            (100, 7, "pastebin.com", ASKED),
            (1, 7, "pastebin.com", REACHED),
            (9_000, 7, "pastebin.com", REACHED),
            (2, 7, "pastebin.com", ASKED),
        ],
        &[
            "A 100 pastebin.com dns_query+tls_sni",
            "A 9000 pastebin.com dns_query+tls_sni",
            "S 4 pastebin.com",
        ],
    );
}
