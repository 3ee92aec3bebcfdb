//! Feeds as a whole: every framing, every cut, and what is no feed at all.

use super::*;
use crate::originator::record::{Clock, Said};

/// A record of the Security log as NXLog writes it (after OTRF/Security-Datasets, MIT, shortened).
const CONNECTION: &str = r#"{"EventID":5156,"Channel":"Security","host":"wec","ProcessId":"5908","EventTime":"2020-09-21 13:09:42","Application":"\\device\\harddiskvolume2\\windows\\system32\\svchost.exe","@timestamp":"2020-09-21T17:09:44.452Z","RecordNumber":663198,"Direction":"%%14593","SourcePort":"49402","DestPort":"443","Protocol":"6","DestAddress":"192.0.2.7","SourceName":"Microsoft-Windows-Security-Auditing","SourceAddress":"10.0.0.7","Hostname":"WORKSTATION5.theshire.local"}"#;

/// A record that is of no interest.
const OTHER: &str =
    r#"{"EventID":10,"SourceName":"Microsoft-Windows-Sysmon","TargetImage":"{\"EventID\":3}"}"#;

/// An event of Sysmon, with a line in its command line.
const EVENT: &str = "<Event xmlns=\"http://schemas.microsoft.com/win/2004/08/events/event\"><System><Provider Name=\"Microsoft-Windows-Sysmon\"/>\
<EventID>1</EventID><TimeCreated SystemTime=\"2026-11-20T12:00:06.562199Z\"/><EventRecordID>4711</EventRecordID><Computer>WS7</Computer></System>\
<EventData><Data Name=\"UtcTime\">2026-11-20 12:00:05.563</Data><Data Name=\"ProcessGuid\">{11D2A7C4-E6F5-691E-0000-0010E2D50F00}</Data>\
<Data Name=\"ProcessId\">1420</Data><Data Name=\"Image\">C:\\Windows\\System32\\regsvr32.exe</Data>\
<Data Name=\"CommandLine\">a\nb</Data></EventData></Event>";

/// What a feed tells, a line a record, and its tally, when it comes in pieces of so many bytes.
fn told(feed: &[u8], piece: usize) -> (Vec<String>, Tally) {
    let mut lines = Vec::new();
    let mut machine = Feed::new();
    let mut tell = |record: Record<'_>| lines.push(format!("{record:?}"));
    for piece in feed.chunks(piece) {
        machine.push(piece, &mut tell);
    }
    machine.finish(&mut tell);
    (lines, machine.tally().clone())
}

/// Checks how many records are told, passed over and refused, and that cuts change nothing.
fn check(feed: &str, expected: [u64; 2], refused: &[(Refusal, u64)]) {
    let whole = told(feed.as_bytes(), usize::MAX);
    assert_eq!([whole.1.told, whole.1.passed_over], expected, "{feed}");
    assert_eq!(whole.0.len() as u64, expected[0], "{feed}");
    let refusals: Vec<_> = whole.1.refusals().map(|(why, refused)| (why, refused.count)).collect();
    assert_eq!(refusals, refused, "{feed}");
    for piece in [1, 2, 3, 7, 64, 1000] {
        assert_eq!(told(feed.as_bytes(), piece), whole, "pieces of {piece}: {feed}");
    }
}

#[test]
fn a_record_is_what_it_says() {
    let mut records = 0;
    let mut feed = Feed::new();
    feed.push(format!("{CONNECTION}\n{EVENT}").as_bytes(), &mut |record| {
        records += 1;
        match record.what {
            Said::Connection(connection) => {
                assert_eq!(record.host, "WORKSTATION5.theshire.local");
                assert_eq!(record.id.as_deref(), Some("663198"));
                assert_eq!(record.time.at.to_string(), "2020-09-21T13:09:42.000000000Z");
                assert_eq!(record.time.clock, Clock::Logged);
                assert_eq!(record.second.unwrap().clock, Clock::Received);
                assert_eq!(connection.initiated, Some(true));
                assert_eq!(connection.process.pid, Some(5908));
            }
            Said::Start(process) => {
                assert_eq!(record.time.at.to_string(), "2026-11-20T12:00:05.563000000Z");
                assert_eq!(record.time.clock, Clock::Event);
                assert_eq!(process.key.as_deref(), Some("11d2a7c4-e6f5-691e-0000-0010e2d50f00"));
                assert_eq!(process.command_line.as_deref(), Some("a\nb"));
                assert_eq!(process.started, None);
            }
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(records, 2);
}

#[test]
fn records_stand_in_every_frame() {
    let pretty = CONNECTION.replace(',', ",\n  ").replace('{', "{\n ");
    check(&format!("{CONNECTION}\n{OTHER}\r\n\n{CONNECTION}"), [2, 1], &[]);
    check(&format!("{CONNECTION}{OTHER} {CONNECTION}\n"), [2, 1], &[]);
    check(&format!("{CONNECTION}\n{CONNECTION}{OTHER}\n{CONNECTION}\n"), [3, 1], &[]);
    check(&format!("[{CONNECTION},{OTHER},\n{CONNECTION}]"), [2, 1], &[]);
    check(&format!("[\n{CONNECTION},\n{OTHER},\n{CONNECTION}\n]\n"), [2, 1], &[]);
    check(&format!("{pretty}\n{pretty}\n{OTHER}"), [2, 1], &[]);
    check(&format!("{CONNECTION}\n{CONNECTION}\n{pretty}\n{CONNECTION}\n"), [4, 0], &[]);
    check(
        &format!("{{\"records\":[{CONNECTION},{OTHER}],\"x\":[{{\"y\":\"]}}\"}}]}}{CONNECTION}"),
        [2, 1],
        &[],
    );
    check(
        &format!(
            "{OTHER}\n{OTHER}\n{{\"records\":[{CONNECTION},{OTHER}]}}\n{{\"Results\":[{CONNECTION}]}}\n"
        ),
        [2, 3],
        &[],
    );
    check(
        &format!(
            "{{\"took\":1,\"hits\":{{\"total\":{{\"value\":2}},\"hits\":[{{\"_id\":\"a\",\"_source\":{CONNECTION}}},\n{OTHER}]}}}}"
        ),
        [1, 1],
        &[],
    );
    check(&format!("{EVENT}{EVENT}\n{EVENT}"), [3, 0], &[]);
    check(
        &format!("\u{feff}<?xml version='1.0'?>\n<Events>\n{EVENT}\n<!-- x -->{EVENT}</Events>\n"),
        [2, 0],
        &[],
    );
    check(
        &format!("<13>1 2022-05-11T18:10:20Z host sysmon - - - {EVENT}\n{CONNECTION}\n{EVENT}"),
        [3, 0],
        &[],
    );
    check(&format!("May 11 18:10:20 host nxlog: {CONNECTION}\nMay 11 host x: {OTHER}\n"), [1, 1], &[]);
}

#[test]
fn text_of_two_bytes_a_letter_is_read() {
    let text = format!("\u{feff}<Events>{EVENT}\r\n{EVENT}</Events>");
    for big_endian in [false, true] {
        let bytes = |text: &str| -> Vec<u8> {
            text.encode_utf16()
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect()
        };
        for text in [bytes(&text), bytes(text.trim_start_matches('\u{feff}'))] {
            for piece in [1, 3, 1000, usize::MAX] {
                let (records, tally) = told(&text, piece);
                assert_eq!((records.len(), tally.all_refused(), tally.bytes), (2, 0, text.len() as u64));
            }
        }
    }
}

#[test]
fn what_is_broken_takes_nothing_else_with_it() {
    check("", [0, 0], &[]);
    check("hello\nworld", [0, 0], &[(Refusal::NotARecord, 2)]);
    check(&format!("hello\n{CONNECTION}\nworld\n{CONNECTION}\n"), [2, 0], &[(Refusal::NotARecord, 2)]);
    check(&format!("{{\"a\":1}}\n{CONNECTION}\n"), [1, 0], &[(Refusal::Unrecognised, 1)]);
    let half = |text: &'static str| text.get(..text.len() / 2).unwrap();
    let cut = half(CONNECTION);
    check(&format!("{cut}\n{CONNECTION}\n{cut}\n{CONNECTION}"), [2, 0], &[(Refusal::CutShort, 2)]);
    check(&format!("{CONNECTION}\n{cut}"), [1, 0], &[(Refusal::CutShort, 1)]);
    check(&format!("{}{EVENT}{EVENT}", half(EVENT)), [2, 0], &[(Refusal::CutShort, 1)]);
    check(&format!("{EVENT}{}", half(EVENT)), [1, 0], &[(Refusal::CutShort, 1)]);
    let deep = format!("{{\"EventID\":{}", "[".repeat(10_000));
    check(&format!("{CONNECTION}\n{deep}\n{CONNECTION}\n"), [2, 0], &[(Refusal::CutShort, 1)]);
    let deep = format!("{{\"EventID\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    check(&format!("{CONNECTION}\n{deep}\n{CONNECTION}\n"), [2, 0], &[(Refusal::TooDeep, 1)]);
    check(&format!("{deep}\n{CONNECTION}\n"), [1, 0], &[(Refusal::TooDeep, 1)]);
    check(&format!("\0\0{CONNECTION}\0\n\0{}", CONNECTION.replace("svchost", "svc\0host")), [2, 0], &[]);
    check(&CONNECTION.replace("5908", "none"), [0, 0], &[(Refusal::NoProcess, 1)]);
    check(&CONNECTION.replace("Hostname", "hostname"), [0, 0], &[(Refusal::NoHost, 1)]);
    check(&CONNECTION.replace("SourceAddress", "x"), [0, 0], &[(Refusal::NoAddress, 1)]);
    let timeless = CONNECTION.replace("EventTime", "x").replace("@timestamp", "y");
    check(&timeless, [0, 0], &[(Refusal::NoTime, 1)]);
}

#[test]
fn a_line_without_end_is_passed_in_bounded_memory() {
    let mut feed = Feed::new();
    let mut records = 0;
    let mut tell = |_: Record<'_>| records += 1;
    for start in ["{\"Image\":\"", "<Event>", "noise", "<x "] {
        feed.push(CONNECTION.as_bytes(), &mut tell);
        feed.push(b"\n", &mut tell);
        feed.push(start.as_bytes(), &mut tell);
        for _ in 0..100 {
            feed.push(&[b'x'; 64 * 1024], &mut tell);
            assert!(
                feed.held.capacity() < 3 * MAX_RECORD,
                "{start}: {} bytes are held",
                feed.held.capacity()
            );
        }
        feed.push(b"</Event>\n", &mut tell);
    }
    feed.push(CONNECTION.as_bytes(), &mut tell);
    feed.finish(&mut tell);
    assert_eq!(records, 5);
    assert_eq!(
        feed.tally().refused(Refusal::TooLong).count + feed.tally().refused(Refusal::NotARecord).count,
        4
    );
}

/// What is told of a text whose format is stated, and what is refused.
fn stated(format: FeedFormat, text: &str) -> (usize, Vec<&'static str>) {
    let mut feed = Feed::of(Some(format));
    let mut told = 0;
    feed.push(text.as_bytes(), &mut |_| told += 1);
    feed.finish(&mut |_| told += 1);
    (told, feed.tally().refusals().map(|(why, _)| why.as_str()).collect())
}

#[test]
fn a_stated_format_goes_before_what_is_recognised() {
    let process_only = r#"{"@timestamp":"2026-11-20T12:00:00Z","host":{"name":"a"},"process":{"pid":7,"executable":"/usr/bin/curl"},"event.action":"executed"}"#;
    assert_eq!(stated(FeedFormat::Auditbeat, process_only), (1, vec![]));
    // Nothing tells whose it is.
    let unmarked = r#"{"@timestamp":"2026-11-20T12:00:00Z","event_action":"executed"}"#;
    let mut feed = Feed::new();
    feed.push(unmarked.as_bytes(), &mut |_| panic!("told"));
    feed.finish(&mut |_| panic!("told"));
    assert_eq!(feed.tally().refusals().next().unwrap().0, Refusal::Unrecognised);
    let xml = "<Event><System><EventID>3</EventID></System></Event>";
    assert_eq!(stated(FeedFormat::Tetragon, xml), (0, vec![Refusal::OtherFormat.as_str()]));
    assert_eq!(stated(FeedFormat::EventXml, process_only), (0, vec![Refusal::OtherFormat.as_str()]));
    let log = String::from_utf8(evtx::MAGIC.to_vec()).unwrap();
    assert_eq!(stated(FeedFormat::Ocsf, &log), (0, vec![Refusal::NotARecord.as_str()]));
}

#[test]
fn every_format_has_a_name_of_its_own() {
    for format in FeedFormat::ALL {
        assert_eq!(format.as_str().parse(), Ok(format));
        assert_eq!(FeedFormat::ALL.iter().filter(|other| other.as_str() == format.as_str()).count(), 1);
    }
    let said = "sysmon".parse::<FeedFormat>().unwrap_err().to_string();
    assert!(said.starts_with("'sysmon' is no format of telemetry; known are event-xml, evtx,"), "{said}");
}
