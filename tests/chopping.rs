//! The same bytes, cut anywhere, in any order, repeated, overlapping, and with the chunk's edge anywhere: the same observation.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use common::packets::{self, FIRST, hello, message, pcap, records, tcp};
use common::{Replayed, replay};
use proptest::prelude::*;
use undertone::inspect::SeenIn;
use undertone::runtime::CHUNK_BYTES;

/// A hello that Chromium sent: 1.8 kB, with an ML-KEM key share; its server name lies behind it.
static CHROMIUM: &[u8] = include_bytes!("data/hellos/chromium-156.bin");

/// The names that a replay of these frames gives, in order.
fn names(frames: &[Vec<u8>]) -> Vec<String> {
    let replayed = replay_frames(frames, CHUNK_BYTES);
    replayed.observations.iter().map(|one| format!("{} {}", one.seen_in.as_str(), one.hostname)).collect()
}

fn replay_frames(frames: &[Vec<u8>], chunk_bytes: usize) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, pcap(frames)).unwrap();
    replay(&[path], 1, chunk_bytes)
}

fn chromium_name() -> String {
    let [name] = &names(&[tcp(1000, FIRST, "A", CHROMIUM)])[..] else {
        panic!("one name is in a whole hello")
    };
    name.clone()
}

#[test]
fn a_hello_cut_in_two_anywhere() {
    for (stream, expected) in
        [(hello("pastebin.com"), "tls_sni pastebin.com".to_owned()), (CHROMIUM.to_vec(), chromium_name())]
    {
        // With and without the SYN, in order; and the second part first, which only a SYN makes sense of.
        for cut in 1..stream.len() {
            let (head, tail) = stream.split_at(cut);
            let syn = tcp(1000, FIRST.wrapping_sub(1), "S", b"");
            let first = tcp(1000, FIRST, "A", head);
            let second = tcp(1000, FIRST.wrapping_add(cut as u32), "A", tail);
            for frames in [
                vec![first.clone(), second.clone()],
                vec![syn.clone(), first.clone(), second.clone()],
                vec![syn.clone(), second.clone(), first.clone()],
                vec![syn, first.clone(), first, second.clone(), second],
            ] {
                assert_eq!(names(&frames), [expected.as_str()], "cut at {cut} of {}", stream.len());
            }
        }
    }
}

#[test]
fn a_hello_cut_into_records_anywhere() {
    let expected = chromium_name();
    let whole = message(CHROMIUM);
    for size in (1..whole.len()).filter(|size| *size < 80 || size % 7 == 0) {
        let stream = records(whole, size);
        if stream.len() > 60_000 {
            continue;
        }
        // Segments that have nothing to do with the records.
        let frames: Vec<_> = stream
            .chunks(1100)
            .enumerate()
            .map(|(at, part)| tcp(1000, FIRST.wrapping_add(at as u32 * 1100), "A", part))
            .collect();
        assert_eq!(names(&frames), [expected.as_str()], "records of {size}");
    }
}

#[test]
fn a_hello_that_is_never_complete_says_what_it_can() {
    let stream = hello("pastebin.com");
    let expected = ["tls_sni pastebin.com"];
    // The name is the last thing in this hello; another message of padding behind it is lost.
    let mut longer = stream.clone();
    longer[3..5].copy_from_slice(&(stream.len() as u16 - 5).to_be_bytes());
    let whole = tcp(1000, FIRST, "A", &longer);
    assert_eq!(names(&[whole]), expected);

    // Chromium's hello, of which the last bytes never come: the name was there.
    let head = &CHROMIUM[..CHROMIUM.len() - 1];
    let name = chromium_name();
    let unfinished = tcp(1000, FIRST, "A", head);
    assert_eq!(names(std::slice::from_ref(&unfinished)), [name.as_str()]);
    let reset = tcp(1000, FIRST.wrapping_add(head.len() as u32), "R", b"");
    assert_eq!(names(&[unfinished, reset]), [name.as_str()]);
}

#[test]
fn segments_that_disagree_give_both_names() {
    let (good, evil) = (hello("good.example"), hello("evil.example"));
    let (head, tail) = good.split_at(good.len() - 14);
    let other = &evil[head.len()..];
    let end = FIRST.wrapping_add(head.len() as u32);
    let syn = tcp(1000, FIRST.wrapping_sub(1), "S", b"");
    let frames = [syn, tcp(1000, end, "A", tail), tcp(1000, end, "A", other), tcp(1000, FIRST, "A", head)];
    assert_eq!(names(&frames), ["tls_sni good.example", "tls_sni evil.example"]);
}

#[test]
fn a_hello_behind_other_traffic_of_the_connection() {
    // STARTTLS: the connection begins with another protocol.
    let first = b"EHLO client.example\r\n";
    let frames = [
        tcp(1000, FIRST.wrapping_sub(1), "S", b""),
        tcp(1000, FIRST, "A", first),
        tcp(1000, FIRST.wrapping_add(21), "A", b"STARTTLS\r\n"),
        tcp(1000, FIRST.wrapping_add(31), "A", &hello("mail.example")),
    ];
    assert_eq!(names(&frames), ["tls_sni mail.example"]);
}

#[test]
fn ports_used_again_are_another_connection() {
    let frames = [
        tcp(1000, FIRST.wrapping_sub(1), "S", b""),
        tcp(1000, FIRST, "A", &hello("one.example")[..40]),
        tcp(1000, 77, "S", b""),
        tcp(1000, 78, "A", &hello("two.example")),
    ];
    assert_eq!(names(&frames), ["tls_sni two.example"]);
}

/// Conversations that lie across each other, with questions between them.
fn mixed() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let streams: Vec<Vec<u8>> = vec![
        hello("pastebin.com"),
        CHROMIUM.to_vec(),
        hello("api.telegram.org"),
        records(message(CHROMIUM), 300),
    ];
    for (port, _) in streams.iter().enumerate().take(3) {
        frames.push(tcp(1000 + port as u16, FIRST.wrapping_sub(1), "S", b""));
    }
    for round in 0..12 {
        for (port, stream) in streams.iter().enumerate() {
            let size = stream.len() / 7 + 1;
            // The second stream's segments come in pairs, the later one first.
            let part = if port == 1 { round ^ 1 } else { round };
            if let Some(bytes) = stream.chunks(size).nth(part) {
                frames.push(tcp(1000 + port as u16, FIRST.wrapping_add((part * size) as u32), "A", bytes));
            }
        }
        let query = packets::dns_query(&format!("q{round}.dropbox.com"));
        frames.push(packets::datagram((packets::CLIENT, 5000 + round as u16), ([9, 9, 9, 9], 53), &query));
    }
    frames.push(tcp(1003, FIRST.wrapping_add(40_000), "R", b""));
    frames
}

#[test]
fn the_edge_of_a_chunk_may_be_anywhere() {
    let frames = mixed();
    let expected = replay_frames(&frames, usize::MAX >> 1);
    let count = |seen_in| expected.observations.iter().filter(|one| one.seen_in == seen_in).count();
    assert_eq!((count(SeenIn::TlsSni), count(SeenIn::DnsQuery)), (4, 12));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let bytes = pcap(&frames);
    std::fs::write(&path, &bytes).unwrap();
    // The first edge moves over every byte of the capture; with small chunks the others do so too.
    for chunk_bytes in 1..=bytes.len() {
        assert_eq!(
            replay(std::slice::from_ref(&path), 1, chunk_bytes),
            expected,
            "chunks of {chunk_bytes} bytes"
        );
    }
}

#[test]
fn the_edge_of_a_file_may_be_anywhere() {
    let frames = mixed();
    let expected = replay_frames(&frames, CHUNK_BYTES);
    let bytes = pcap(&frames);
    let (head, records) = bytes.split_at(24);
    let mut at = 0;
    let folder = tempfile::tempdir().unwrap();
    let paths = [folder.path().join("1.pcap"), folder.path().join("2.pcap")];
    for frame in &frames {
        at += 16 + frame.len();
        std::fs::write(&paths[0], [head, &records[..at]].concat()).unwrap();
        std::fs::write(&paths[1], [head, &records[at..]].concat()).unwrap();
        if at == records.len() {
            break;
        }
        // Given in the wrong order; the times in them say which comes first.
        let both = replay(&[paths[1].clone(), paths[0].clone()], 1, CHUNK_BYTES);
        let seen = |replayed: &Replayed| {
            replayed
                .observations
                .iter()
                .map(|one| (one.hostname.clone(), one.at, one.flow))
                .collect::<Vec<_>>()
        };
        assert_eq!(seen(&both), seen(&expected), "cut after {at} bytes");
        let total: u64 = both.counts.iter().map(|counts| counts.frames).sum();
        assert_eq!(total, frames.len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Pieces in any order, repeated and overlapping: with the SYN seen, always the name, once for each time it was sent whole.
    #[test]
    fn any_order_of_segments(
        cuts in prop::collection::vec(1usize..1800, 1..12),
        overlap in 0usize..200,
        order in any::<prop::sample::Index>(),
        seed in any::<u64>(),
        chunk_bytes in 1usize..4000,
    ) {
        let mut edges: Vec<usize> = cuts.into_iter().filter(|cut| *cut < CHROMIUM.len()).collect();
        edges.extend([0, CHROMIUM.len()]);
        edges.sort_unstable();
        edges.dedup();
        let mut parts: Vec<Vec<u8>> = edges
            .windows(2)
            .map(|edge| {
                let to = (edge[1] + overlap).min(CHROMIUM.len());
                tcp(1000, FIRST.wrapping_add(edge[0] as u32), "A", &CHROMIUM[edge[0]..to])
            })
            .collect();
        // A shuffle that proptest can shrink: by a seed, and a rotation.
        let mut state = seed;
        for at in (1..parts.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            parts.swap(at, (state >> 33) as usize % (at + 1));
        }
        let rotation = order.index(parts.len());
        parts.rotate_left(rotation);
        let mut frames = vec![tcp(1000, FIRST.wrapping_sub(1), "S", b"")];
        frames.extend(parts);
        let replayed = replay_frames(&frames, chunk_bytes);
        let found: Vec<String> = replayed.observations.iter().map(|one| format!("{} {}", one.seen_in.as_str(), one.hostname)).collect();
        prop_assert_eq!(found, [chromium_name()]);
    }
}

/// A frame's IP datagram in fragments of so many bytes of payload (a multiple of eight).
fn fragments(frame: &[u8], id: u16, size: usize) -> Vec<Vec<u8>> {
    let (ethernet, ip) = frame.split_at(14);
    let (header, payload) = ip.split_at(20);
    let parts = payload.len().div_ceil(size);
    payload
        .chunks(size)
        .enumerate()
        .map(|(at, part)| {
            let mut header = header.to_vec();
            header[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
            header[4..6].copy_from_slice(&id.to_be_bytes());
            let more = if at + 1 < parts { 0x2000 } else { 0 };
            header[6..8].copy_from_slice(&(more | (at * size / 8) as u16).to_be_bytes());
            [ethernet, &header, part].concat()
        })
        .collect()
}

/// Fragments of datagrams that lie across each other: questions, and the segments of hellos, of which some come whole.
#[test]
fn fragments_in_any_order_with_the_edge_of_a_chunk_anywhere() {
    let mut frames = Vec::new();
    let stream = CHROMIUM;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for (number, part) in stream.chunks(700).enumerate() {
        let segment = tcp(1000, FIRST.wrapping_add(number as u32 * 700), "A", part);
        parts.extend(if number == 1 { vec![segment] } else { fragments(&segment, 7 + number as u16, 160) });
    }
    let query =
        packets::datagram((packets::CLIENT, 5000), ([9, 9, 9, 9], 53), &packets::dns_query("a.pastebin.com"));
    parts.extend(fragments(&query, 99, 16));
    frames.push(tcp(1000, FIRST.wrapping_sub(1), "S", b""));
    // Backwards, in threes: so the fragments of each come before those that begin it.
    parts.chunks_mut(3).for_each(|some| some.reverse());
    frames.extend(parts.into_iter().rev());
    let expected = replay_frames(&frames, usize::MAX >> 1);
    let mut told: Vec<String> = expected
        .observations
        .iter()
        .map(|one| format!("{} {}", one.seen_in.as_str(), one.hostname))
        .collect();
    told.sort();
    assert_eq!(told, ["dns_query a.pastebin.com".to_owned(), chromium_name()]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let bytes = pcap(&frames);
    std::fs::write(&path, &bytes).unwrap();
    for chunk_bytes in 1..=bytes.len() {
        assert_eq!(
            replay(std::slice::from_ref(&path), 1, chunk_bytes),
            expected,
            "chunks of {chunk_bytes} bytes"
        );
    }
}
