//! What is told of findings that belong together, and of those that do not.

use std::sync::{Arc, LazyLock};

use super::*;
use crate::flow::{Endpoint, Flow, Protocol};
use crate::hostname::Hostname;
use crate::inspect::{Detail, Observation};
use crate::lists::{Contact, Lists};
use crate::originator::{Host, Process};
use crate::rules::Rules;

/// Who is said to have made a contact.
#[derive(Clone, Copy)]
enum By {
    Pid(u32),
    Pending,
    Nobody,
}

fn finding(seconds: i64, seen_in: SeenIn, by: By) -> Finding {
    static LISTS: LazyLock<Lists> = LazyLock::new(Lists::builtin);
    static RULES: LazyLock<Rules> = LazyLock::new(Rules::builtin);
    let end = |last, port| Endpoint { ip: [10, 0, 0, last].into(), port };
    let observation = Observation {
        at: Timestamp::from_parts(seconds, 0),
        source: 0,
        frame: 1,
        flow: Flow { src: end(7, 1000), dst: end(200, 443), protocol: Protocol::TCP },
        hostname: Hostname::new("pastebin.com").unwrap(),
        seen_in,
        detail: Detail::Nothing,
        path: None,
        disagrees_with: Vec::new(),
    };
    let entry = LISTS.lookup("pastebin.com").unwrap().clone();
    let attribution = match by {
        By::Pending => Attribution::nobody(AttributionLevel::Pending),
        By::Nobody => Attribution::nobody(AttributionLevel::None),
        By::Pid(pid) => Attribution {
            host: Some(Arc::new(Host { name: "ws5".into(), id: None })),
            process: Some(Arc::new(Process {
                pid: Some(pid),
                name: Some("x.exe".into()),
                entity_id: Some(format!("k{pid}").into()),
                ..Process::default()
            })),
            ..Attribution::nobody(AttributionLevel::Tuple)
        },
    };
    RULES.judge(Contact { observation, entry }, attribution).unwrap()
}

/// What is told in short: alerts as `A time ways pid (update)`, summaries as `S count pid`; with the ids of the alerts.
fn told(record: Record, lines: &mut Vec<String>, ids: &mut Vec<u64>) {
    let pid = |finding: &Finding| match &finding.attribution.process {
        Some(process) => process.pid.map_or_else(String::new, |pid| pid.to_string()),
        None => finding.attribution.level.as_str().to_owned(),
    };
    match record {
        Record::Alert(alert) => {
            let ways: Vec<&str> = alert.seen_in.iter().map(|way| way.as_str()).collect();
            let update = if alert.update { " (update)" } else { "" };
            let seconds = alert.first.as_nanos() / SECOND;
            lines.push(format!("A {seconds} {} {}{update}", ways.join("+"), pid(&alert.finding)));
            ids.push(alert.id);
        }
        Record::Summary(summary) => lines.push(format!("S {} {}", summary.count, pid(&summary.finding))),
        other => unreachable!("{other:?}"),
    }
}

const ASKED: SeenIn = SeenIn::DnsQuery;
const REACHED: SeenIn = SeenIn::TlsSni;

/// Findings, and what is told of them.
fn check(findings: &[(i64, SeenIn, By)], expected: &[&str]) {
    let (mut lines, mut ids) = (Vec::new(), Vec::new());
    let mut folder = Folder::new(Folding::replay());
    for (seconds, seen_in, by) in findings {
        folder.finding(finding(*seconds, *seen_in, *by), &mut |record| told(record, &mut lines, &mut ids));
    }
    folder.finish(&mut |record| told(record, &mut lines, &mut ids));
    assert_eq!(lines, expected);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), lines.iter().filter(|line| line.starts_with('A')).count(), "each has its id");
}

#[test]
fn processes_are_told_apart() {
    check(
        &[(1, REACHED, By::Pid(1)), (2, REACHED, By::Pid(2)), (3, REACHED, By::Pid(1))],
        &["A 1 tls_sni 1", "A 2 tls_sni 2", "S 2 1", "S 1 2"],
    );
}

#[test]
fn a_question_of_nobody_belongs_to_the_connection_of_the_same_page_load() {
    let whole = ["A 1 dns_query+tls_sni 1", "S 2 1"];
    check(&[(1, ASKED, By::Nobody), (2, REACHED, By::Pid(1))], &whole);
    check(&[(1, REACHED, By::Pid(1)), (2, ASKED, By::Nobody)], &whole);
    check(
        &[(1, ASKED, By::Nobody), (20, REACHED, By::Pid(1))],
        &["A 1 dns_query none", "A 20 tls_sni 1", "S 1 none", "S 1 1"],
    );
    check(
        &[(1, REACHED, By::Pid(1)), (1, REACHED, By::Pid(2)), (2, ASKED, By::Nobody)],
        &["A 1 tls_sni 1", "A 1 tls_sni 2", "A 2 dns_query none", "S 1 1", "S 1 2", "S 1 none"],
    );
}

/// Of one page load, or not: a question and a connection that were pending together.
#[test]
fn what_was_pending_together_may_be_of_two_processes() {
    let folded = |known: &[(i64, SeenIn, By)]| {
        let (mut lines, mut ids) = (Vec::new(), Vec::new());
        let mut folder = Folder::new(Folding::live());
        let mut tell = |record| told(record, &mut lines, &mut ids);
        folder.finding(finding(1, ASKED, By::Pending), &mut tell);
        folder.finding(finding(2, REACHED, By::Pending), &mut tell);
        for (seconds, seen_in, by) in known {
            folder.known(finding(*seconds, *seen_in, *by), &mut tell);
        }
        folder.finish(&mut tell);
        // How each alert stands at the end, and the summaries.
        let mut last: Vec<(u64, String)> = Vec::new();
        let mut summaries = Vec::new();
        let mut ids = ids.into_iter();
        for line in lines {
            if line.starts_with('S') {
                summaries.push(line);
                continue;
            }
            let id = ids.next().unwrap();
            let line = line.replace(" (update)", "");
            match last.iter_mut().find(|(known, _)| *known == id) {
                Some((_, before)) => *before = line,
                None => last.push((id, line)),
            }
        }
        last.into_iter().map(|(_, line)| line).chain(summaries).collect::<Vec<_>>()
    };
    let (asked, reached) = (|by| (1, ASKED, by), |by| (2, REACHED, by));
    let together = ["A 1 dns_query+tls_sni 1", "S 2 1"];
    let (one, other, nobody) = (By::Pid(1), By::Pid(2), By::Nobody);
    for (known, expected) in [
        ([reached(one), asked(one)], &together[..]),
        ([asked(one), reached(one)], &together),
        ([reached(one), asked(nobody)], &together),
        ([asked(nobody), reached(one)], &together),
        ([reached(one), asked(other)], &["A 1 tls_sni 1", "A 1 dns_query 2", "S 1 1", "S 1 2"]),
        ([asked(one), reached(other)], &["A 1 dns_query 1", "A 2 tls_sni 2", "S 1 1", "S 1 2"]),
        ([asked(nobody), reached(nobody)], &["A 1 dns_query+tls_sni none", "S 2 none"]),
    ] {
        assert_eq!(folded(&known), expected);
    }
}

#[test]
fn what_was_pending_is_told_again_under_its_id() {
    let (mut lines, mut ids) = (Vec::new(), Vec::new());
    let mut folder = Folder::new(Folding::live());
    let mut tell = |record| told(record, &mut lines, &mut ids);
    folder.finding(finding(1, ASKED, By::Pending), &mut tell);
    folder.finding(finding(2, REACHED, By::Pending), &mut tell);
    folder.tick(Timestamp::from_parts(60, 0), &mut tell);
    folder.known(finding(1, ASKED, By::Pid(1)), &mut tell);
    folder.known(finding(2, REACHED, By::Pid(1)), &mut tell);
    folder.finding(finding(100, REACHED, By::Pid(1)), &mut tell);
    folder.finding(finding(200, REACHED, By::Pending), &mut tell);
    folder.known(finding(200, REACHED, By::Nobody), &mut tell);
    folder.finish(&mut tell);
    let expected = [
        "A 1 dns_query pending",
        "A 1 dns_query+tls_sni pending (update)",
        "A 1 dns_query+tls_sni 1 (update)",
        "A 1 dns_query+tls_sni 1 (update)",
        "A 200 tls_sni pending",
        "A 200 tls_sni none (update)",
        "S 3 1",
        "S 1 none",
    ];
    assert_eq!(lines, expected);
    assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4] == ids[5] && ids[0] != ids[4]);
}
