//! What a mirror port does to packets: what they came through is told, and what came twice is counted once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use common::binary::undertone;
use common::packets::{self, FIRST, hello, pcap, tcp};
use common::{Replayed, replay};
use undertone::decode::{Path, TunnelKind};
use undertone::flow::Conversation;
use undertone::worker::Named;

/// A hello that Chromium sent.
static CHROMIUM: &[u8] = include_bytes!("data/hellos/chromium-156.bin");

/// A frame with an 802.1Q tag.
fn tagged(frame: &[u8], vlan: u16) -> Vec<u8> {
    [&frame[..12], &[0x81, 0x00], &vlan.to_be_bytes(), &frame[12..]].concat()
}

/// A frame in VXLAN.
fn in_vxlan(frame: &[u8], network: u8) -> Vec<u8> {
    let payload = [&[8, 0, 0, 0, 0, 0, network, 0], frame].concat();
    packets::datagram(([192, 0, 2, 10], 40_000), ([192, 0, 2, 20], 4789), &payload)
}

/// Replays frames with chunks of every size, which is to change nothing.
#[track_caller]
fn replayed(frames: &[Vec<u8>]) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let bytes = pcap(frames);
    std::fs::write(&path, &bytes).unwrap();
    let path = std::slice::from_ref(&path);
    let expected = replay(path, 1, bytes.len());
    for chunk_bytes in 1..bytes.len() {
        assert_eq!(replay(path, 1, chunk_bytes), expected, "chunks of {chunk_bytes} bytes");
    }
    expected
}

/// A name, the VLANs, and the tunnel's kind, identifier and depth.
type Way = (String, Vec<u16>, Option<(TunnelKind, u32, u8)>);

fn ways(frames: &[Vec<u8>]) -> Vec<Way> {
    let replayed = replayed(frames);
    let observations = replayed.observations.iter();
    let way = |path: &Path| {
        let tunnel = path.tunnel.map(|tunnel| (tunnel.kind, tunnel.id, path.depth));
        (path.vlans.iter().flatten().map(|id| id.get()).collect(), tunnel)
    };
    observations
        .map(|one| {
            let (vlans, tunnel) = one.path.as_deref().map(way).unwrap_or_default();
            (one.hostname.to_string(), vlans, tunnel)
        })
        .collect()
}

/// However a name became known: by one packet, by the last of several, by a fragment, or by the end of the capture.
#[test]
fn what_a_name_came_through_is_told() {
    let stream = hello("pastebin.com");
    let (head, tail) = stream.split_at(60);
    let first = tcp(1000, FIRST, "A", head);
    let last = tcp(1000, FIRST.wrapping_add(60), "A", tail);
    let unfinished = tcp(1001, FIRST, "A", &CHROMIUM[..CHROMIUM.len() - 1]);
    let query =
        |name| packets::datagram((packets::CLIENT, 5000), ([9, 9, 9, 9], 53), &packets::dns_query(name));
    let frames = [
        query("a.example"),
        tagged(&query("b.example"), 5),
        tagged(&in_vxlan(&unfinished, 3), 7),
        in_vxlan(&first, 1),
        in_vxlan(&tagged(&tagged(&query("c.example"), 9), 8), 2),
        in_vxlan(&last, 1),
    ];
    let vxlan = |id| Some((TunnelKind::Vxlan, id, 1));
    let [a, b, c, whole, cut] = &ways(&frames)[..] else { panic!("five names") };
    let check = |way: &Way, name: &str, vlans: &[u16], tunnel| {
        assert_eq!(way, &(name.to_owned(), vlans.to_vec(), tunnel));
    };
    check(a, "a.example", &[], None);
    check(b, "b.example", &[5], None);
    check(c, "c.example", &[8, 9], vxlan(2));
    check(whole, "pastebin.com", &[], vxlan(1));
    let name = cut.0.clone();
    assert!(name.contains('.'), "{name}");
    check(cut, &name, &[7], vxlan(3));
}

/// A frame of IPv4 with another identification, and what a router changes.
fn routed(frame: &[u8], id: u16) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[..12].copy_from_slice(&[6; 12]);
    frame[14 + 4..14 + 6].copy_from_slice(&id.to_be_bytes());
    // Class, time to live and checksum.
    frame[14 + 1] ^= 0xb8;
    frame[14 + 8] -= 1;
    frame[14 + 10..14 + 12].copy_from_slice(&[0xba, 0xad]);
    frame
}

/// The names in order, how many packets were copies, and how many questions and hellos are counted.
#[track_caller]
fn check(frames: &[Vec<u8>], names: &[&str], copies: u64) {
    let replayed = replayed(frames);
    let seen: Vec<&str> = replayed.observations.iter().map(|one| one.hostname.as_str()).collect();
    assert_eq!(seen, names);
    let [counts] = &replayed.counts[..] else { panic!("one file") };
    assert_eq!(counts.copies, copies, "copies");
    assert_eq!(counts.names.iter().sum::<u64>(), names.len() as u64, "names that are counted");
    assert_eq!((counts.frames, counts.forgotten), (frames.len() as u64, 0));
}

fn query(name: &str) -> Vec<u8> {
    packets::datagram((packets::CLIENT, 5000), ([9, 9, 9, 9], 53), &packets::dns_query(name))
}

#[test]
fn what_is_mirrored_twice_is_counted_once() {
    let (one, other) = (query("pastebin.com"), query("a.example"));
    let first = tcp(1000, FIRST, "A", &hello("github.com"));
    let names = ["pastebin.com", "a.example", "github.com"];
    // At once, and after others; in another VLAN, behind a router, in a tunnel; each more than once.
    for copy in [
        |frame: &[u8]| frame.to_vec(),
        |frame: &[u8]| tagged(frame, 9),
        |frame: &[u8]| routed(frame, 0),
        |frame: &[u8]| in_vxlan(frame, 9),
    ] {
        let frames = [&one, &other, &first].map(|frame| [frame.clone(), copy(frame)]).concat();
        check(&frames, &names, 3);
        let mut frames = vec![one.clone(), other.clone(), first.clone()];
        frames.extend([copy(&first), copy(&one), copy(&other), copy(&one)]);
        check(&frames, &names, 4);
    }
}

#[test]
fn a_name_in_two_questions_of_one_message_is_there_twice_and_its_copy_is_none() {
    let mut message = packets::dns_query("pastebin.com");
    let question = message[12..].to_vec();
    message.extend(question);
    message[5] = 2;
    let both = packets::datagram((packets::CLIENT, 5000), ([9, 9, 9, 9], 53), &message);
    check(&[both.clone(), both], &["pastebin.com"; 2], 1);
}

#[test]
fn requests_behind_one_another_are_none_the_less_for_their_copies() {
    let get = |host: &str| format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
    let segment = |seq, payload: &[u8]| {
        packets::segment((packets::CLIENT, 1000), (packets::SERVER, 80), seq, "A", payload)
    };
    let (two, third) = ([get("a.example"), get("b.example")].concat(), get("c.example"));
    let frames = [segment(1, &two), segment(1 + two.len() as u32, &third)];
    let frames = frames.map(|frame| [frame.clone(), frame]).concat();
    check(&frames, &["a.example", "b.example", "c.example"], 2);
}

/// What passed between two ends, and how often something came twice: of the frames as they are, and of the same without copies.
#[test]
fn conversations_count_once_what_is_mirrored_twice() {
    let stream = hello("github.com");
    let answer = |seq, payload: &[u8]| {
        packets::segment((packets::SERVER, 443), (packets::CLIENT, 1000), seq, "A", payload)
    };
    let quic = |byte: u8| {
        packets::datagram(
            (packets::CLIENT, 5000),
            (packets::SERVER, 443),
            &[&[0x40; 20][..], &[byte; 20]].concat(),
        )
    };
    let once = [
        tcp(1000, FIRST.wrapping_sub(1), "S", b""),
        answer(6, b""),
        tcp(1000, FIRST, "A", &stream[..50]),
        tcp(1000, FIRST.wrapping_add(50), "A", &stream[50..]),
        quic(1),
        quic(2),
        answer(7, &[3; 40]),
        answer(47, &[4; 40]),
        // Without payload, and each another packet: of IPv4 by its identification, of TCP by its numbers.
        routed(&answer(87, b""), 1),
        routed(&answer(87, b""), 2),
        tcp(1000, FIRST.wrapping_add(300), "FA", b""),
    ];
    let volumes = |frames: &[Vec<u8>]| -> (Vec<_>, u64) {
        let all = replayed(frames).conversations;
        let copies = all.iter().map(|one| one.copies).sum();
        let one =
            |one: Conversation<Named>| (one.flow, one.sent, one.received, one.whole, one.ended, one.name);
        (all.into_iter().map(one).collect(), copies)
    };
    let (expected, _) = volumes(&once);
    assert_eq!(
        expected.iter().map(|one| (one.1.packets, one.2.packets)).collect::<Vec<_>>(),
        [(4, 5), (2, 0)]
    );
    for copy in [
        |frame: &[u8]| frame.to_vec(),
        |frame: &[u8]| tagged(frame, 9),
        |frame: &[u8]| in_vxlan(frame, 9),
        // Behind a router.
        |frame: &[u8]| routed(frame, u16::from_be_bytes([frame[18], frame[19]])),
    ] {
        // Right behind it, or after so many others.
        for lag in [0, 1, 5] {
            let mut frames = Vec::new();
            for number in 0..once.len() + lag {
                frames.extend(once.get(number).cloned());
                frames.extend(number.checked_sub(lag).map(|number| copy(&once[number])));
            }
            assert_eq!(volumes(&frames), (expected.clone(), once.len() as u64), "copies {lag} behind");
        }
    }
}

/// What conversations came through, as their first packets tell.
#[test]
fn conversations_tell_their_tunnel_and_vlans() {
    let first = tcp(1000, FIRST, "A", b"of no interest");
    let second = tcp(1000, FIRST.wrapping_add(14), "A", b"either");
    let frames = [tagged(&in_vxlan(&first, 3), 7), second.clone(), in_vxlan(&second, 4)];
    let [one] = &replayed(&frames).conversations[..] else { panic!("one") };
    let path = one.path.as_deref().unwrap();
    assert_eq!(path.tunnel.map(|tunnel| (tunnel.kind, tunnel.id)), Some((TunnelKind::Vxlan, 3)));
    assert_eq!(path.vlans[0].map(|id| id.get()), Some(7));
    assert_eq!((one.sent.packets, one.copies), (2, 1));
    let folder = tempfile::tempdir().unwrap();
    let (capture, flows) = (folder.path().join("a.pcap"), folder.path().join("flows"));
    std::fs::write(&capture, pcap(&frames)).unwrap();
    let [capture, flows] = [capture, flows].map(|path| path.display().to_string());
    undertone(&["replay", &capture, "--flows", &flows]).ended(0);
    let record: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&flows).unwrap()).unwrap();
    assert_eq!(record["undertone"]["tunnel"]["type"], "vxlan", "{record}");
    assert_eq!(record["undertone"]["tunnel"]["id"], 3);
    assert_eq!(record["network"]["vlan"]["id"], "7");
    assert_eq!(record["undertone"]["copies"], 1);
    assert_eq!(record["network"]["packets"], 2);
    assert_eq!(
        record["related"]["ip"],
        serde_json::json!(["10.0.0.7", "192.0.2.1", "192.0.2.10", "192.0.2.20"])
    );
}

/// A hello in two segments, each twice, in the orders in which a mirror port gives them.
#[test]
fn parts_of_a_hello_may_come_twice() {
    let stream = hello("github.com");
    let (head, tail) = stream.split_at(60);
    let first = tcp(1000, FIRST, "A", head);
    let last = tcp(1000, FIRST.wrapping_add(60), "A", tail);
    let syn = tcp(1000, FIRST.wrapping_sub(1), "S", b"");
    // Only both copies together say the name again.
    for (order, copies) in [([&first, &first, &last, &last], 0), ([&first, &last, &first, &last], 1)] {
        let mut frames = vec![syn.clone(), syn.clone()];
        frames.extend(order.into_iter().cloned());
        check(&frames, &["github.com"], copies);
    }
}

/// Each is the same client asking or saying the same again, and a packet of its own.
#[test]
fn what_is_sent_again_is_no_copy() {
    let again = "pastebin.com";
    let one = query(again);
    // Another identification of IPv4: sent again, however soon.
    check(&[one.clone(), routed(&one, 8)], &[again; 2], 0);
    let first = tcp(1000, FIRST, "A", &hello(again));
    check(&[first.clone(), routed(&first, 8)], &[again; 2], 0);
    // Another port, another number in DNS.
    let port = packets::datagram((packets::CLIENT, 5001), ([9, 9, 9, 9], 53), &packets::dns_query(again));
    let mut number = packets::dns_query(again);
    number[0] ^= 1;
    let number = packets::datagram((packets::CLIENT, 5000), ([9, 9, 9, 9], 53), &number);
    check(&[one.clone(), port, number], &[again; 3], 0);
    // The same to the last bit, and later: frames are a millisecond apart.
    let mut frames = vec![one.clone()];
    frames.extend((0..50).map(|port| tcp(2000 + port, FIRST, "A", b"of no interest")));
    frames.push(one);
    check(&frames, &[again; 2], 0);
    frames.remove(1);
    check(&frames, &[again], 1);
}

/// Files that follow one another are one capture, also for copies.
#[test]
fn a_copy_may_be_in_the_next_file() {
    let frames = [query("pastebin.com"), query("pastebin.com"), query("a.example")];
    let bytes = pcap(&frames);
    let (head, records) = bytes.split_at(24);
    let (first, rest) = records.split_at(16 + frames[0].len());
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("1.pcap"), folder.path().join("2.pcap")];
    std::fs::write(&paths[0], [head, first].concat()).unwrap();
    std::fs::write(&paths[1], [head, rest].concat()).unwrap();
    let replayed = replay(&paths, 1, 1 << 20);
    let names: Vec<&str> = replayed.observations.iter().map(|one| one.hostname.as_str()).collect();
    assert_eq!(names, ["pastebin.com", "a.example"]);
}

/// A pcap file of Ethernet frames with these times, in nanoseconds.
fn timed(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut file = pcap(&[]);
    for (at, frame) in frames {
        let (seconds, nanos) = ((at / 1_000_000_000) as u32, (at % 1_000_000_000) as u32);
        for word in [seconds, nanos, frame.len() as u32, frame.len() as u32] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(frame);
    }
    file
}

/// Names depend on the order of the frames, and their times on nothing else.
#[test]
fn times_that_run_backwards_or_jump_lose_nothing() {
    const SECOND: u64 = 1_000_000_000;
    let stream = hello("github.com");
    let (head, tail) = stream.split_at(60);
    let frames = [
        query("pastebin.com"),
        tcp(1000, FIRST, "A", head),
        query("a.example"),
        tcp(1000, FIRST.wrapping_add(60), "A", tail),
    ];
    let day = 86_400 * SECOND;
    for times in [
        [4, 3, 2, 1].map(|second| second * SECOND),
        [9 * day, 1, 5 * day, 2],
        [0, 4_294_967_295 * SECOND, 7, 0],
        [SECOND; 4],
    ] {
        let frames: Vec<(u64, Vec<u8>)> = times.into_iter().zip(frames.iter().cloned()).collect();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pcap");
        let bytes = timed(&frames);
        std::fs::write(&path, &bytes).unwrap();
        for chunk_bytes in (1..bytes.len()).step_by(7).chain([bytes.len()]) {
            let replayed = replay(std::slice::from_ref(&path), 1, chunk_bytes);
            let seen: Vec<_> = replayed
                .observations
                .iter()
                .map(|one| (one.hostname.as_str(), one.at.as_nanos().unsigned_abs()))
                .collect();
            let expected = [("pastebin.com", times[0]), ("a.example", times[2]), ("github.com", times[3])];
            assert_eq!(seen, expected, "{times:?} in chunks of {chunk_bytes}");
        }
    }
}

/// What could not be read is told by layer and reason, and where the first of it is.
#[test]
fn what_is_not_decoded_is_told_with_its_place() {
    let ether_type = |number: u16, rest: &[u8]| [&[2; 12], &number.to_be_bytes()[..], rest].concat();
    let good = query("a.example");
    let mut cut_header = good.clone();
    cut_header.truncate(20);
    let mut cut_inside = in_vxlan(&good, 1);
    cut_inside.truncate(60);
    // Sixteen bytes at the front of a datagram, and sixteen others there: IPv6 abandons it.
    let fragment = |byte| {
        let mut ip = vec![0x60, 0, 0, 0, 0, 24, 44, 64];
        ip.extend([0xfd; 32]);
        ip.extend([17, 0, 0, 1, 0, 0, 0, 9]);
        ip.extend([byte; 16]);
        ether_type(0x86dd, &ip)
    };
    let tags = (0..20).fold(good[14..].to_vec(), |inner, _| [&[0, 1, 0x81, 0][..], &inner].concat());
    let frames = [
        good.clone(),
        ether_type(0x0806, &[0; 46]),
        ether_type(0x0806, &[0; 46]),
        cut_header,
        cut_inside,
        fragment(1),
        fragment(2),
        ether_type(0x8100, &tags),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a.pcap"), pcap(&frames)).unwrap();
    let said = [
        "ethernet: ARP 0x0806 (first: packet 2) 2",
        "ipv4: malformed or cut short (first: packet 4) 1",
        "vxlan: malformed or cut short inside (first: packet 5) 1",
        "ip fragment: overlap in IPv6 (first: packet 7) 1",
        "vlan: too many headers (first: packet 8) 1",
    ];
    undertone(&["replay", "-v", &path("a.pcap")]).ended(0).says(&said);
    // Of several files, it is the place in its own.
    std::fs::write(path("b.pcap"), pcap(&[good.clone(), good.clone(), good, ether_type(0x88cc, &[0; 46])]))
        .unwrap();
    let of_b = format!("ethernet: LLDP 0x88cc (first: packet 4 of {}) 1", path("b.pcap"));
    undertone(&["replay", "-v", &path("a.pcap"), &path("b.pcap")]).ended(0).says(&[&of_b]);
}

#[test]
fn what_came_twice_is_told() {
    undertone(&["replay", "pcaps/mirrored-twice/input.pcap"])
        .ended(0)
        .says(&["mirrored     7 packets a second time; what they tell is counted once"]);
}

/// More datagrams in fragments than are held at one time: the oldest are given up, and it is said how many.
#[test]
fn fragments_that_are_given_up_are_told() {
    let first = |number: u16| {
        let mut ip = vec![0x45, 0, 0, 28];
        ip.extend(number.to_be_bytes());
        ip.extend([0x20, 0, 64, 17, 0, 0, 10, 0, 0, 7, 192, 0, 2, 1]);
        ip.extend([0; 8]);
        [&[2; 12], &[0x08, 0x00][..], &ip].concat()
    };
    let most = u16::try_from(undertone::flow::defrag::MAX_DATAGRAMS).unwrap();
    let frames: Vec<Vec<u8>> = (0..most + 7).map(first).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap").display().to_string();
    std::fs::write(&path, pcap(&frames)).unwrap();
    undertone(&["replay", "-v", &path])
        .ended(0)
        .says(&["IP datagrams with fragments missing 4,096", "open conversations given up 7"]);
}

/// A packet in as many tunnels as there may be is read; in one more it is counted, and the summary says why and which packet it was.
#[test]
fn what_nests_too_deep_is_counted_and_told() {
    let nested = |tunnels: usize| {
        let plain = query("pastebin.com");
        let (ethernet, mut packet) = (plain[..14].to_vec(), plain[14..].to_vec());
        for _ in 0..tunnels {
            let mut header = plain[14..34].to_vec();
            header[2..4].copy_from_slice(&(packet.len() as u16 + 20).to_be_bytes());
            header[9] = 4;
            packet = [header, packet].concat();
        }
        [ethernet, packet].concat()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, pcap(&[nested(10), nested(11), nested(40)])).unwrap();
    let ran =
        undertone(&["replay", "--json", "--min-level", "informational", path.to_str().unwrap()]).ended(0);
    let ran = ran.says(&["dns_query 1", "(first: packet 2) 2"]);
    assert_eq!(ran.alerts(), ["pastebin.com"]);
    let alert = &ran.records()[0];
    assert_eq!(alert["undertone"]["tunnel"]["depth"], 10, "{alert}");
}

/// As a host captures what it sends: the card is to cut it and fill in lengths and checksums, and one frame holds 60 kB.
#[test]
fn what_a_card_would_finish_is_read() {
    let unfinished = |frame: &[u8]| {
        let mut frame = frame.to_vec();
        // The length of the whole, and both checksums.
        frame[16..18].fill(0);
        frame[24..26].copy_from_slice(&[0xba, 0xad]);
        match frame[23] {
            17 => frame[38..42].fill(0),
            _ => frame[50..52].fill(0),
        }
        frame
    };
    let long = [hello("github.com"), vec![0x17; 60_000]].concat();
    let frames = [unfinished(&query("pastebin.com")), unfinished(&tcp(1000, FIRST, "A", &long))];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, pcap(&frames)).unwrap();
    let replayed = replay(&[path], 1, 1 << 20);
    let names: Vec<&str> = replayed.observations.iter().map(|one| one.hostname.as_str()).collect();
    assert_eq!(names, ["pastebin.com", "github.com"]);
    let volumes: Vec<u64> = replayed.conversations.iter().map(|one| one.sent.bytes).collect();
    assert_eq!(volumes, [frames[1].len() as u64]);
}
