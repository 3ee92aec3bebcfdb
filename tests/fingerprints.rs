//! Names that other tools compute too: JA4 of a client, Community ID of a conversation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use undertone::flow::{Endpoint, Flow, Protocol};
use undertone::inspect::{Detail, SeenIn};

/// JA4 where the specification's authors computed another one than their text asks for: capture, theirs, what it is here.
///
/// The first protocol is the two bytes ba ad. "If the first or last byte of the first ALPN is not an ASCII alphanumeric
/// character, then we print the first and last characters of the hex representation of the first ALPN" (technical details,
/// "ALPN Extension Value"): b and d. Their program of that time printed 9 for each such byte; of the two its author calls the text
/// the right one (<https://github.com/FoxIO-LLC/ja4/issues/178>).
const JA4_OF_THE_TEXT: [(&str, &str, &str); 1] = [(
    "pcap/tls-non-ascii-alpn.pcapng",
    "t13d151699_8daaf6152771_e5627efa2ab1",
    "t13d1516bd_8daaf6152771_e5627efa2ab1",
)];

/// Each hello of which the specification's authors computed the JA4 (BSD-3-Clause; the captures are not part of the project).
#[test]
fn ja4_is_that_of_its_authors() {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("NOT RUN, for UNDERTONE_CORPUS is not set");
        return;
    };
    let folder = std::path::PathBuf::from(corpus).join("ja4");
    let (mut expected, mut seen) = (BTreeMap::<_, Vec<String>>::new(), BTreeMap::<_, Vec<String>>::new());
    for line in std::fs::read_to_string(folder.join("ja4.jsonl")).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |field: &str| line[field].as_str().unwrap().to_owned();
        let end = |ip: &str, port: &str| format!("{} {}", text(ip), text(port));
        let (capture, theirs) = (text("capture"), text("ja4"));
        let known = JA4_OF_THE_TEXT.iter().find(|(file, ja4, _)| *file == capture && *ja4 == theirs);
        let ja4 = known.map_or(theirs, |(_, _, right)| (*right).to_owned());
        let key = (capture, end("src", "sport"), end("dst", "dport"), text("server_name"));
        expected.entry(key).or_default().push(ja4);
    }
    let captures: std::collections::BTreeSet<_> =
        expected.keys().map(|(capture, ..)| capture.clone()).collect();
    for capture in captures {
        for one in common::observations(&folder.join(&capture)) {
            let end = |end: Endpoint| format!("{} {}", end.ip, end.port);
            let Detail::Hello(hello) = &one.detail else { continue };
            let Some(facts) = hello.facts() else { continue };
            assert!(matches!(one.seen_in, SeenIn::TlsSni | SeenIn::QuicSni | SeenIn::DtlsSni));
            let key =
                (capture.clone(), end(one.flow.src), end(one.flow.dst), one.hostname.as_str().to_owned());
            seen.entry(key).or_default().push(facts.ja4.unwrap().to_string());
        }
    }
    let mut hellos = 0;
    for (key, expected) in &expected {
        // Where there was a second hello, theirs is one of the two.
        let seen = seen.get(key).unwrap_or_else(|| panic!("{key:?} was not seen"));
        for ja4 in expected {
            assert!(seen.contains(ja4), "{key:?}: {seen:?} and not {ja4}");
            hellos += 1;
        }
    }
    println!("{hellos} hellos");
    assert!(hellos > 0);
}

/// TCP, UDP and SCTP of the published baseline (<https://github.com/corelight/community-id-spec/tree/master/baseline>). It has no UDP
/// over IPv6: those are Wireshark's.
#[test]
fn community_ids_are_those_of_others() {
    const SCTP: Protocol = Protocol(132);
    for (one, other, protocol, expected) in [
        ("128.232.110.120:34855", "66.35.250.204:80", Protocol::TCP, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ("192.168.1.52:54585", "8.8.8.8:53", Protocol::UDP, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
        (
            "[2001:470:e5bf:dead:4957:2174:e82c:4887]:63943",
            "[2607:f8b0:400c:c03::1a]:25",
            Protocol::TCP,
            "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=",
        ),
        ("192.168.170.8:7", "192.168.170.56:7", SCTP, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
        ("[2001:db8::7]:54585", "[2001:db8:5::53]:53", Protocol::UDP, "1:mcWOYIU/bldB28xJYVsaCeIO5sw="),
        ("[fe80::1]:5353", "[ff02::fb]:5353", Protocol::UDP, "1:vmVnlzQ4g6ZsPY2VX/lJfRJMmHo="),
        ("[2001:db8::7]:443", "[2001:db8::7]:50000", Protocol::UDP, "1:48F9aj29E4p8EbWP/Oy4Drcy7a8="),
    ] {
        let end = |text: &str| {
            let address: SocketAddr = text.parse().unwrap();
            Endpoint { ip: address.ip(), port: address.port() }
        };
        let flow = Flow { src: end(one), dst: end(other), protocol };
        assert_eq!(flow.key().community_id().to_string(), expected, "{one} {other}");
        assert_eq!(flow.reversed().key().community_id().to_string(), expected, "{other} {one}");
    }
}
