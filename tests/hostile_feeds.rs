//! Feeds that lie: what can be told is, nothing else breaks, and memory stays bounded.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

use undertone::originator::feed::{Feed, MAX_RECORD, Refusal};
use undertone::originator::record::{Record, Said};

/// A record that stands behind each piece of what is hostile.
const GOOD: &[u8] = b"{\"EventID\":5156,\"SourceName\":\"Microsoft-Windows-Security-Auditing\",\"ProcessId\":\"7\",\
\"TimeCreated\":\"2020-09-21T13:09:42Z\",\"SourceAddress\":\"10.0.0.7\",\"DestAddress\":\"192.0.2.7\",\"Hostname\":\"h\"}\n";

/// How the bytes come.
const PIECE: usize = 64 * 1024;

/// Pushes what is hostile between good records, and gives the refusals; all good records are told.
fn check(hostile: impl Iterator<Item = Vec<u8>>) -> Vec<(Refusal, u64)> {
    let mut feed = Feed::new();
    let mut told = 0;
    let mut tell = |record: Record<'_>| told += u32::from(record.kind == "5156" && record.host == "h");
    feed.push(GOOD, &mut tell);
    feed.push(GOOD, &mut tell);
    for piece in hostile {
        feed.push(&piece, &mut tell);
        assert!(feed.held() < 3 * MAX_RECORD, "{} bytes are held", feed.held());
    }
    feed.push(b"\n", &mut tell);
    feed.push(GOOD, &mut tell);
    feed.push(GOOD, &mut tell);
    feed.finish(&mut tell);
    assert_eq!(told, 4, "{:?}", feed.tally());
    feed.tally().refusals().map(|(why, refused)| (why, refused.count)).collect()
}

/// A head, so many MiB of one byte, and a tail.
fn long(head: &str, mebibytes: usize, tail: &str) -> impl Iterator<Item = Vec<u8>> {
    let body = std::iter::repeat_n(vec![b'x'; PIECE], mebibytes << 20 >> 16);
    [head.as_bytes().to_vec()].into_iter().chain(body).chain([tail.as_bytes().to_vec()])
}

/// A text at once.
fn once(text: String) -> impl Iterator<Item = Vec<u8>> {
    [text.into_bytes()].into_iter()
}

#[test]
fn lines_without_end_are_one_refusal() {
    let too_long = [(Refusal::TooLong, 1)];
    assert_eq!(check(long("{\"EventID\":3,\"Image\":\"", 100, "\"}")), too_long);
    assert_eq!(check(long("<Event xmlns='x'><System>", 100, "</Event>")), too_long);
    assert_eq!(check(long("May 11 host sshd: ", 100, "")), too_long);
    assert_eq!(check(long("<?xml ", 100, "?>")), too_long);
    // In a table the quote is given up first, then the line.
    assert_eq!(check(long("DeviceName,RemoteIP\n\"", 10, "\"\n")), [(Refusal::TooLong, 2)]);
}

#[test]
fn nesting_and_counts_have_an_end() {
    let deep = |brackets: &str, closing: &str| {
        format!("{{\"EventID\":{}1{}}}", brackets.repeat(10_000), closing.repeat(10_000))
    };
    assert_eq!(check(once(deep("[", "]"))), [(Refusal::TooDeep, 1)]);
    assert_eq!(check(once(deep("{\"a\":", "}"))), [(Refusal::TooDeep, 1)]);
    let many = format!("{{\"EventID\":3,\"x\":[{}1]}}", "1,".repeat(100_000));
    assert_eq!(check(once(many)), [(Refusal::BrokenJson, 1)]);
    assert_eq!(check(once("{\"EventID\":3,\"ProcessId\":1e999999}".to_owned())), [(Refusal::BrokenJson, 1)]);
}

#[test]
fn entities_are_not_expanded() {
    let mut bomb = "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [\n<!ENTITY lol0 \"lol\">\n".to_owned();
    for number in 1..10 {
        bomb += &format!("<!ENTITY lol{number} \"{}\">\n", format!("&lol{};", number - 1).repeat(10));
    }
    bomb += "]>\n<Event><System><Provider Name='Microsoft-Windows-Sysmon'/><EventID>1</EventID><Computer>c</Computer></System>\
        <EventData><Data Name='UtcTime'>2020-09-21 13:09:42.000</Data><Data Name='ProcessId'>1</Data>\
        <Data Name='CommandLine'>&lol9;&lol9;</Data></EventData></Event>\n";
    let mut lines = Vec::new();
    Feed::new().push(bomb.as_bytes(), &mut |record| {
        if let Said::Start(process) = record.what {
            lines.push(process.command_line.unwrap().into_owned());
        }
    });
    assert_eq!(lines, ["&lol9;&lol9;"]);
    let refused = check(once(bomb));
    assert!(refused.iter().all(|(why, _)| *why == Refusal::NotARecord), "{refused:?}");
}

#[test]
fn noise_is_counted_and_passed() {
    // A generator of noise: what it gives is no text, and has all bytes in it.
    let mut state = 0x9e37_79b9_u32;
    let noise = std::iter::repeat_with(move || {
        let byte = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            (state >> 8) as u8
        };
        let mut piece: Vec<u8> = std::iter::repeat_with(byte).take(PIECE).collect();
        // Braces would be JSON that goes on: they are elsewhere.
        piece.iter_mut().filter(|byte| matches!(**byte, b'{' | b'<')).for_each(|byte| *byte = b'\n');
        piece
    });
    let refused = check(noise.take(64));
    assert!(refused.iter().any(|(why, count)| *why == Refusal::NotARecord && *count > 1000), "{refused:?}");
    assert_eq!(check(std::iter::repeat_n(vec![0; PIECE], 64)), []);
}

#[test]
fn broken_utf_16_loses_only_what_is_broken() {
    let event = |id: u32| {
        format!(
            "<Event><System><Provider Name='Microsoft-Windows-Sysmon'/><EventID>1</EventID><EventRecordID>{id}</EventRecordID>\
             <Computer>c</Computer></System><EventData><Data Name='UtcTime'>2020-09-21 13:09:42.000</Data>\
             <Data Name='ProcessId'>1</Data><Data Name='Image'>C:\\x?</Data></EventData></Event>\r\n"
        )
    };
    let mut bytes = vec![0xff, 0xfe];
    for (id, wrong) in [0xd800_u16, 0xdc00, 0xffff, 0].into_iter().enumerate() {
        // The question mark becomes half a pair, no character, or nothing.
        bytes.extend(
            event(id as u32)
                .encode_utf16()
                .flat_map(|unit| if unit == u16::from(b'?') { wrong } else { unit }.to_le_bytes()),
        );
    }
    bytes.push(b'<');
    let mut images = Vec::new();
    let mut feed = Feed::new();
    let mut tell = |record: Record<'_>| {
        if let Said::Start(process) = record.what {
            images.push(process.image.unwrap().into_owned());
        }
    };
    feed.push(&bytes, &mut tell);
    feed.finish(&mut tell);
    assert_eq!(images, ["C:\\x\u{fffd}", "C:\\x\u{fffd}", "C:\\x\u{ffff}", "C:\\x"]);
}
