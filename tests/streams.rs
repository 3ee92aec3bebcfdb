//! Every protocol that is read from streams and datagrams, cut, reordered, repeated, overlapping, and with the chunk's edge anywhere:
//! the same names, or none where the first bytes never came; never others.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use common::packets::{self, CLIENT, FIRST, SERVER, hello, pcap, segment};
use common::{Replayed, replay};
use proptest::prelude::*;
use undertone::runtime::CHUNK_BYTES;

/// A client's side of a connection: the server's port, the bytes, and the names in them, in order.
struct Stream {
    about: &'static str,
    port: u16,
    bytes: Vec<u8>,
    names: Vec<&'static str>,
}

fn streams() -> Vec<Stream> {
    let dns = |names: &[&str]| -> Vec<u8> {
        names
            .iter()
            .flat_map(|name| {
                let query = packets::dns_query(name);
                let mut framed = (query.len() as u16).to_be_bytes().to_vec();
                framed.extend(query);
                framed
            })
            .collect()
    };
    let behind = |front: &[u8], name: &str| [front, &hello(name)].concat();
    let stream = |about, port, bytes, names| Stream { about, port, bytes, names };
    vec![
        stream("HTTP", 80, b"GET /a HTTP/1.1\r\nUser-Agent: x\r\nHost: pastebin.com\r\n\r\n".to_vec(), vec![
            "http_host pastebin.com",
        ]),
        stream(
            "pipelined HTTP with a body",
            8080,
            b"POST /a HTTP/1.1\r\nHost: a.example:8080\r\nContent-Length: 5\r\n\r\nGET /GET /b HTTP/1.1\r\nhost:b.example\r\n\r\n".to_vec(),
            vec!["http_host a.example", "http_host b.example"],
        ),
        stream(
            "a tunnel through an HTTP proxy, and TLS in it",
            3128,
            behind(b"CONNECT pastebin.com:443 HTTP/1.1\r\nHost: pastebin.com:443\r\n\r\n", "pastebin.com"),
            vec!["http_connect pastebin.com", "tls_sni pastebin.com"],
        ),
        stream("SOCKS 5, and TLS behind it", 1080, behind(b"\x05\x01\x00\x05\x01\x00\x03\x0cpastebin.com\x01\xbb", "pastebin.com"), vec![
            "socks pastebin.com",
            "tls_sni pastebin.com",
        ]),
        stream("SOCKS 4a", 1080, b"\x04\x01\x01\xbb\x00\x00\x00\x01me\0pastebin.com\0".to_vec(), vec!["socks pastebin.com"]),
        stream("PROXY 1, and TLS behind it", 8443, behind(b"PROXY TCP4 192.0.2.7 192.0.2.8 40000 443\r\n", "pastebin.com"), vec![
            "tls_sni pastebin.com",
        ]),
        stream(
            "PROXY 2, and TLS behind it",
            8443,
            behind(
                b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x08\x9c\x40\x01\xbb",
                "pastebin.com",
            ),
            vec!["tls_sni pastebin.com"],
        ),
        stream("DNS over TCP", 53, dns(&["pastebin.com", "api.telegram.org", "example.org"]), vec![
            "dns_query pastebin.com",
            "dns_query api.telegram.org",
            "dns_query example.org",
        ]),
    ]
}

fn tcp(stream: &Stream, offset: usize, flags: &str, payload: &[u8]) -> Vec<u8> {
    segment((CLIENT, 1000), (SERVER, stream.port), FIRST.wrapping_add(offset as u32), flags, payload)
}

fn syn(stream: &Stream) -> Vec<u8> {
    segment((CLIENT, 1000), (SERVER, stream.port), FIRST.wrapping_sub(1), "S", b"")
}

fn replay_frames(frames: &[Vec<u8>], chunk_bytes: usize) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, pcap(frames)).unwrap();
    replay(&[path], 1, chunk_bytes)
}

fn names(frames: &[Vec<u8>], chunk_bytes: usize) -> Vec<String> {
    let replayed = replay_frames(frames, chunk_bytes);
    replayed.observations.iter().map(|one| format!("{} {}", one.seen_in.as_str(), one.hostname)).collect()
}

#[test]
fn cut_in_two_anywhere_in_any_order() {
    for stream in streams() {
        assert_eq!(
            names(&[tcp(&stream, 0, "A", &stream.bytes)], CHUNK_BYTES),
            stream.names,
            "{}",
            stream.about
        );
        for cut in 1..stream.bytes.len() {
            let (head, tail) = stream.bytes.split_at(cut);
            let (first, second) = (tcp(&stream, 0, "A", head), tcp(&stream, cut, "A", tail));
            for frames in [
                vec![first.clone(), second.clone()],
                vec![syn(&stream), first.clone(), second.clone()],
                vec![syn(&stream), second, first],
            ] {
                assert_eq!(names(&frames, CHUNK_BYTES), stream.names, "{} cut at {cut}", stream.about);
            }
        }
    }
}

#[test]
fn byte_by_byte_with_the_edge_of_a_chunk_anywhere() {
    for stream in streams() {
        let mut frames = vec![syn(&stream)];
        frames.extend((0..stream.bytes.len()).map(|at| tcp(&stream, at, "A", &stream.bytes[at..=at])));
        let expected = replay_frames(&frames, CHUNK_BYTES);
        let told: Vec<String> = expected
            .observations
            .iter()
            .map(|one| format!("{} {}", one.seen_in.as_str(), one.hostname))
            .collect();
        assert_eq!(told, stream.names, "{}", stream.about);
        for chunk_bytes in (1..4000).step_by(37) {
            assert_eq!(
                replay_frames(&frames, chunk_bytes),
                expected,
                "{}, chunks of {chunk_bytes}",
                stream.about
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// With the SYN seen: the names, however the bytes come. Without it: no other name.
    #[test]
    fn any_pieces(
        which in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 1..8),
        overlap in 0usize..30,
        seed in any::<u64>(),
        with_syn in any::<bool>(),
        chunk_bytes in 1usize..2000,
    ) {
        let streams = streams();
        let stream = &streams[which.index(streams.len())];
        let mut edges: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.bytes.len())).collect();
        edges.extend([0, stream.bytes.len()]);
        edges.sort_unstable();
        edges.dedup();
        let mut frames: Vec<Vec<u8>> = edges
            .windows(2)
            .map(|edge| tcp(stream, edge[0], "A", &stream.bytes[edge[0]..(edge[1] + overlap).min(stream.bytes.len())]))
            .collect();
        let mut state = seed;
        for at in (1..frames.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            frames.swap(at, (state >> 33) as usize % (at + 1));
        }
        if with_syn {
            frames.insert(0, syn(stream));
        }
        let told = names(&frames, chunk_bytes);
        prop_assert_eq!(&told, &names(&frames, CHUNK_BYTES));
        if with_syn {
            // A message that came whole before the one in front of it is told before it; one that came twice, twice.
            let distinct: std::collections::BTreeSet<&str> = told.iter().map(String::as_str).collect();
            prop_assert_eq!(distinct, stream.names.iter().copied().collect());
        } else {
            prop_assert!(told.iter().all(|name| stream.names.contains(&name.as_str())), "{:?}", told);
        }
    }
}

/// The frames of one of our captures, and what it gives as it is.
fn captured(case: &str) -> (Vec<Vec<u8>>, Vec<String>) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("pcaps").join(case).join("input.pcap");
    let (files, problems) = undertone::capture::savefile::open(&[path]);
    assert!(problems.is_empty(), "{problems:?}");
    let mut cutter = files[0].cutter(1 << 20).unwrap();
    let mut frames = Vec::new();
    while let Some(chunk) = cutter.next(Vec::new()) {
        frames.extend(chunk.frames().map(|(_, frame)| frame.bytes.to_vec()));
    }
    let told = sorted(names(&frames, CHUNK_BYTES));
    (frames, told)
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

/// Hellos in datagrams come in any order, and twice: a name for each, as often as the client said it and no other.
#[test]
fn datagrams_in_any_order() {
    for case in ["quic-chromium", "quic-firefox", "quic-curl", "quic-aioquic", "dtls"] {
        let (frames, expected) = captured(case);
        assert!(expected.iter().any(|name| name.contains("_sni")), "{case}: {expected:?}");
        let distinct =
            |names: Vec<String>| sorted(names).into_iter().collect::<std::collections::BTreeSet<_>>();
        let all = distinct(expected.clone());
        // Neighbours change places; then every frame comes twice; then the other way round.
        let mut swapped = frames.clone();
        swapped.chunks_mut(2).for_each(|pair| pair.reverse());
        let doubled: Vec<_> = frames.iter().flat_map(|frame| [frame.clone(), frame.clone()]).collect();
        for (how, frames) in [("swapped", &swapped), ("doubled", &doubled)] {
            let whole = replay_frames(frames, CHUNK_BYTES);
            // Of a response that comes before its query, the name is told there.
            let told =
                whole.observations.iter().map(|one| format!("{} {}", one.seen_in.as_str(), one.hostname));
            let told = told.map(|name| name.replace("dns_response", "dns_query"));
            assert_eq!(distinct(told.collect()), all, "{case}, {how}");
            for chunk_bytes in [1, 700, 1500, 2900, 4096, 10_000] {
                assert_eq!(
                    replay_frames(frames, chunk_bytes),
                    whole,
                    "{case}, {how}, chunks of {chunk_bytes}"
                );
            }
        }
    }
}
