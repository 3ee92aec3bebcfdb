//! The truth tables: what level each case shall have, as contacts with attributions.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod cases;

use std::sync::Arc;

use undertone::capture::Timestamp;
use undertone::flow::{Endpoint, Flow, Protocol};
use undertone::hostname::Hostname;
use undertone::inspect::{Detail, Observation, SeenIn};
use undertone::lists::{Contact, Lists};
use undertone::originator::{Attribution, AttributionLevel, Process};
use undertone::rules::{Finding, Level, Rules};

use cases::{Case, FURTHER, NAMED, OTHER_HAND, OWN, PUBLISHED, Want};

/// The finding of a case; none where the name meets no list.
fn finding(case: &Case, lists: &Lists, rules: &Rules) -> Option<Finding> {
    let hostname = Hostname::new(&case.hostname).unwrap();
    let entry = lists.lookup(&hostname)?.clone();
    let at = Timestamp::from_parts(2_000_000_000, 0);
    let end = |text: &str| {
        let address: std::net::SocketAddr = text.parse().unwrap();
        Endpoint { ip: address.ip(), port: address.port() }
    };
    let observation = Observation {
        at,
        source: 0,
        frame: 1,
        flow: Flow { src: end("10.0.0.7:50000"), dst: end("192.0.2.1:443"), protocol: Protocol::TCP },
        hostname,
        seen_in: SeenIn::TlsSni,
        detail: Detail::Nothing,
        path: None,
        disagrees_with: Vec::new(),
    };
    let process = |path: &str| Process { executable: Some(path.into()), ..Process::default() };
    let attribution = Attribution {
        level: AttributionLevel::TupleAndName,
        confidence: 99,
        process: Some(Arc::new(Process {
            pid: Some(4242),
            command_line: Some(case.command_line.as_str().into()),
            started: Some(Timestamp::from_parts(2_000_000_000 - case.age, 0)),
            parent: Some(Arc::new(process(&case.parent))),
            original_name: case.built_as.as_deref().map(Into::into),
            ..process(&case.executable)
        })),
        candidates: 1,
        ..Attribution::no_telemetry()
    };
    rules.judge(Contact { observation, entry }, attribution)
}

/// Says of each case that is not as wanted what it is instead.
fn check(table: &str, counts: [usize; 3]) {
    let (lists, rules) = (Lists::builtin(), Rules::builtin());
    let (mut wrong, mut found) = (Vec::new(), [0; 3]);
    for case in cases::read(table) {
        let finding = finding(&case, &lists, &rules);
        let level = finding.as_ref().map(|finding| finding.level);
        let right = case.want.is(level);
        found[case.want as usize] += usize::from(right);
        if !right {
            let why = finding.map(|finding| format!("{} ({:?})", finding.rules[0].name, finding.originator));
            wrong.push(format!("{} {}: {level:?}, {}", case.id, case.why, why.unwrap_or_default()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(found, counts, "alerts, none, low");
}

#[test]
fn the_published_table() {
    check(PUBLISHED, [29, 10, 1]);
}

#[test]
fn our_own_table() {
    check(OWN, [19, 21, 2]);
}

#[test]
fn our_further_table() {
    check(FURTHER, [107, 128, 13]);
}

#[test]
fn the_table_by_another_hand() {
    check(OTHER_HAND, [61, 47, 2]);
}

#[test]
fn our_table_of_names_alone() {
    check(NAMED, [47, 23, 7]);
}

/// Where the telemetry knows the names of files and not their paths, as the table has them that was published.
#[test]
fn the_published_table_by_names_alone() {
    let name = |path: &str| path.rsplit(['/', '\\']).next().unwrap().to_owned();
    let line = |case: &Case| {
        let Case { id, hostname, executable, parent, command_line, age, want, why, .. } = case;
        let want = ["Y", "N", "L"][*want as usize];
        format!("{id}|{hostname}|{}|{}|{command_line}|{age}|{want}|{why}\n", name(executable), name(parent))
    };
    check(&cases::read(PUBLISHED).iter().map(line).collect::<String>(), [29, 10, 1]);
}

/// A contact of nobody claims no process, and by the name alone nothing is more than low.
#[test]
fn nobody_is_named_and_nothing_is_claimed() {
    let (lists, rules) = (Lists::builtin(), Rules::builtin());
    for level in [
        AttributionLevel::NoTelemetry,
        AttributionLevel::Pending,
        AttributionLevel::None,
        AttributionLevel::Ambiguous,
        AttributionLevel::Host,
    ] {
        for case in cases::read(PUBLISHED) {
            let Some(finding) = finding(&case, &lists, &rules) else { continue };
            let finding = rules.judge(finding.contact, Attribution::nobody(level)).unwrap();
            assert!(finding.level <= Level::Low, "{} {level:?}", case.id);
            assert!(finding.originator.is_none());
            assert_eq!(finding.level == Level::Low, finding.contact.entry.tier.number() <= 2, "{}", case.id);
        }
    }
    assert!(Want::Low.is(Some(Level::Low)) && !Want::None.is(Some(Level::Medium)) && !Want::Alert.is(None));
}
