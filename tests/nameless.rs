//! Connections that do not name their server: certificates, other protocols, answers of DNS and encrypted hellos, cut, reordered, one-sided, and
//! with the chunk's edge anywhere; and the names that come of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use common::packets::{self, CLIENT, FIRST, SERVER, datagram, hello, pcap, segment};
use common::{Replayed, replay};
use proptest::prelude::*;
use undertone::runtime::CHUNK_BYTES;

/// A client's hello without a name, and a server's first flight with TLS 1.2 and with 1.3.
static NONAME: &[u8] = include_bytes!("data/hellos/openssl-3.0-noname.bin");
static FLIGHT: &[u8] = include_bytes!("data/servers/openssl-3.0-tls12.bin");
static FLIGHT_13: &[u8] = include_bytes!("data/servers/openssl-3.0-tls13.bin");

const PORT: u16 = 1000;

fn up(seq: u32, flags: &str, payload: &[u8]) -> Vec<u8> {
    segment((CLIENT, PORT), (SERVER, 443), seq, flags, payload)
}

/// The server's first byte has the number 1, which is what clients here acknowledge.
fn down(offset: usize, flags: &str, payload: &[u8]) -> Vec<u8> {
    segment((SERVER, 443), (CLIENT, PORT), 1 + offset as u32, flags, payload)
}

fn syn() -> Vec<u8> {
    up(FIRST.wrapping_sub(1), "S", b"")
}

fn syn_ack() -> Vec<u8> {
    segment((SERVER, 443), (CLIENT, PORT), 0, "SA", b"")
}

fn replay_frames(frames: &[Vec<u8>], chunk_bytes: usize) -> Replayed {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    std::fs::write(&path, pcap(frames)).unwrap();
    replay(&[path], 1, chunk_bytes)
}

/// What is told of connections, in a word each.
fn told(replayed: &Replayed) -> Vec<String> {
    let names = replayed.events.iter().map(|event| {
        let (_, what) = event.split_once("what: ").unwrap();
        let kind = what.split('(').next().unwrap();
        match kind {
            "Nameless" => {
                let (_, instead) = what.split_once("instead: ").unwrap();
                format!("nameless {}", instead.split([',', '(']).next().unwrap())
            }
            "Certificate" => {
                assert!(what.contains("10.0.0.7, port: 1000 }, dst"), "client to server: {what}");
                let names: Vec<&str> =
                    what.split("Hostname(\"").skip(1).map(|name| name.split('"').next().unwrap()).collect();
                format!("certificate {}", names.join(" "))
            }
            "Answer" => {
                let (_, asked) = what.split_once("name: \"").unwrap();
                format!("answer {}", asked.split('"').next().unwrap())
            }
            "Hostname" => {
                let (_, name) = what.split_once("hostname: Hostname(\"").unwrap();
                format!("name {}", name.split('"').next().unwrap())
            }
            other => panic!("{other}: {event}"),
        }
    });
    names.collect()
}

fn check(frames: &[Vec<u8>], expected: &[&str], about: &str) {
    let whole = replay_frames(frames, CHUNK_BYTES);
    assert_eq!(told(&whole), expected, "{about}");
}

const CERTIFICATE: &str = "certificate a.example *.b.example xn--bcher-kva.example";

#[test]
fn a_certificate_cut_in_two_anywhere() {
    let expected = ["nameless Hello", CERTIFICATE];
    for cut in (1..FLIGHT.len()).step_by(3) {
        let (head, tail) = FLIGHT.split_at(cut);
        let hello = up(FIRST, "A", NONAME);
        let (first, second) = (down(0, "A", head), down(cut, "A", tail));
        for frames in [
            vec![syn(), syn_ack(), hello.clone(), first.clone(), second.clone()],
            vec![syn(), syn_ack(), hello.clone(), second.clone(), first.clone()],
            // In the middle of a connection; and with everything twice.
            vec![hello.clone(), first.clone(), second.clone()],
            vec![hello, first.clone(), first, second.clone(), second],
        ] {
            check(&frames, &expected, &format!("cut at {cut}"));
        }
    }
}

#[test]
fn certificates_that_are_not_asked() {
    let flight = down(0, "A", FLIGHT);
    check(
        &[syn(), syn_ack(), up(FIRST, "A", &hello("a.example")), flight.clone()],
        &["name a.example"],
        "a name",
    );
    let frames = [syn(), syn_ack(), up(FIRST, "A", NONAME), down(0, "A", FLIGHT_13)];
    check(&frames, &["nameless Hello"], "an encrypted certificate");
    check(&[flight], &[], "in the middle, without the client's side");
}

#[test]
fn one_side_of_a_mirror_port() {
    check(&[syn_ack(), down(0, "A", FLIGHT)], &[CERTIFICATE], "the server's side");
    check(
        &[syn_ack(), down(0, "A", b"SSH-2.0-x\r\n")],
        &["nameless Bytes"],
        "the server's side of another protocol",
    );
    check(&[syn(), up(FIRST, "A", b"SSH-2.0-x\r\n")], &["nameless Bytes"], "the client's side");
    // The server's SYN first: the client's side is there all the same, and speaks for both.
    check(
        &[syn_ack(), syn(), up(FIRST, "A", &hello("a.example")), down(0, "A", FLIGHT)],
        &["name a.example"],
        "swapped",
    );
}

#[test]
fn another_protocol_is_told_once() {
    let stream = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n";
    for cut in 1..stream.len() {
        let (head, tail) = stream.split_at(cut);
        let (first, second) = (up(FIRST, "A", head), up(FIRST.wrapping_add(cut as u32), "A", tail));
        check(&[syn(), first.clone(), second.clone()], &["nameless Bytes"], "in order");
        check(&[syn(), second.clone(), first.clone()], &["nameless Bytes"], "swapped");
        check(&[first, second], &[], "in the middle of a connection");
    }
    let later = up(FIRST.wrapping_add(stream.len() as u32), "A", &hello("mail.example"));
    check(&[syn(), up(FIRST, "A", stream), later], &["nameless Bytes", "name mail.example"], "STARTTLS");
    check(
        &[syn(), up(FIRST, "A", b"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n")],
        &["nameless Request"],
        "an address",
    );
    check(&[syn(), up(FIRST, "A", b"GET / HTTP/1.0\r\n\r\n")], &["nameless Request"], "no Host");
    check(&[syn(), up(FIRST, "F", b"")], &[], "nothing at all");
}

#[test]
fn a_conversation_over_udp_is_told_once() {
    let one = |to: [u8; 4]| datagram((CLIENT, 4000), (to, 5000), b"hello");
    check(&[one(SERVER), one(SERVER), one([192, 0, 2, 2])], &["nameless Bytes", "nameless Bytes"], "two");
    let back = datagram((SERVER, 5000), (CLIENT, 4000), b"hello");
    check(&[one(SERVER), back, one(SERVER)], &["nameless Bytes"], "both directions");
    check(&[one([224, 0, 0, 251])], &[], "a group has no server");
}

/// A response with an alias and an address.
fn response(name: &str) -> Vec<u8> {
    let mut message = packets::dns_query(name);
    message[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 2]);
    message.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03cdn\xc0\x0c");
    let alias = (message.len() - 6) as u8;
    message.extend([0xc0, alias]);
    message.extend(b"\0\x01\0\x01\0\0\0\x3c\0\x04");
    message.extend(SERVER);
    message
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

#[test]
fn answers_over_tcp_cut_anywhere() {
    let stream = [framed(&response("pastebin.com")), framed(&response("a.example"))].concat();
    let server =
        |offset: usize, part: &[u8]| segment((SERVER, 53), (CLIENT, PORT), 1 + offset as u32, "A", part);
    let syn_ack = segment((SERVER, 53), (CLIENT, PORT), 0, "SA", b"");
    // Of the response alone the question is told too, once.
    let expected = ["answer pastebin.com", "name pastebin.com", "answer a.example", "name a.example"];
    for cut in 1..stream.len() {
        let (head, tail) = stream.split_at(cut);
        let (first, second) = (server(0, head), server(cut, tail));
        check(&[syn_ack.clone(), first.clone(), second.clone()], &expected, "in order");
        check(&[syn_ack.clone(), second, first], &expected, "swapped");
    }
}

#[test]
fn a_name_is_told_once_by_query_and_response() {
    let query = datagram((CLIENT, 5000), ([9, 9, 9, 9], 53), &packets::dns_query("a.example"));
    let answer = datagram(([9, 9, 9, 9], 53), (CLIENT, 5000), &response("a.example"));
    check(&[query.clone(), answer.clone()], &["name a.example", "answer a.example"], "both");
    check(&[answer.clone(), query.clone()], &["answer a.example", "name a.example"], "swapped");
    check(std::slice::from_ref(&answer), &["answer a.example", "name a.example"], "the response");
    let other = datagram(([9, 9, 9, 9], 53), (CLIENT, 5000), &response("b.example"));
    check(&[query, other], &["name a.example", "answer b.example", "name b.example"], "another question");
}

/// All of it in one capture, conversations across each other.
fn mixed() -> Vec<Vec<u8>> {
    let resolver = [9, 9, 9, 9];
    let mut frames = vec![syn(), syn_ack(), up(FIRST, "A", NONAME)];
    for (number, part) in FLIGHT.chunks(300).enumerate() {
        let port = 5000 + number as u16;
        let name = format!("n{number}.example");
        frames.push(datagram((CLIENT, port), (resolver, 53), &packets::dns_query(&name)));
        frames.push(down(number * 300, "A", part));
        frames.push(datagram((CLIENT, 4000), (SERVER, 5000), b"hello"));
        frames.push(datagram((resolver, 53), (CLIENT, port), &response(&name)));
        frames.push(datagram((resolver, 53), (CLIENT, port + 100), &response(&name)));
    }
    frames.push(segment((CLIENT, 2000), (SERVER, 22), 0, "S", b""));
    frames.extend(
        (0..6).map(|at| {
            segment((CLIENT, 2000), (SERVER, 22), 1 + at, "A", &b"SSH-2."[at as usize..=at as usize])
        }),
    );
    frames
}

#[test]
fn the_edge_of_a_chunk_may_be_anywhere() {
    let frames = mixed();
    let expected = replay_frames(&frames, usize::MAX >> 1);
    let words = told(&expected);
    let count = |word: &str| words.iter().filter(|told| told.starts_with(word)).count();
    let parts = FLIGHT.len().div_ceil(300);
    assert_eq!(
        (count("certificate"), count("nameless Bytes"), count("nameless Hello")),
        (1, 2, 1),
        "{words:?}"
    );
    assert_eq!((count("answer"), count("name ")), (2 * parts, 2 * parts), "{words:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.pcap");
    let bytes = pcap(&frames);
    std::fs::write(&path, &bytes).unwrap();
    for chunk_bytes in (1..=bytes.len()).step_by(5) {
        assert_eq!(
            replay(std::slice::from_ref(&path), 1, chunk_bytes),
            expected,
            "chunks of {chunk_bytes} bytes"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// In any order and number of pieces, which may overlap: the certificate's names, and never twice; the same for any edges of chunks.
    #[test]
    fn a_certificate_in_any_pieces(
        cuts in prop::collection::vec(1usize..1500, 1..8),
        overlap in 0usize..200,
        seed in any::<u64>(),
        handshake in any::<bool>(),
        chunk_bytes in 1usize..3000,
    ) {
        let mut edges: Vec<usize> = cuts.into_iter().filter(|cut| *cut < FLIGHT.len()).collect();
        edges.extend([0, FLIGHT.len()]);
        edges.sort_unstable();
        edges.dedup();
        let until = |end: usize| (end + overlap).min(FLIGHT.len());
        let mut parts: Vec<Vec<u8>> =
            edges.windows(2).map(|edge| down(edge[0], "A", &FLIGHT[edge[0]..until(edge[1])])).collect();
        let mut state = seed;
        for at in (1..parts.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            parts.swap(at, (state >> 33) as usize % (at + 1));
        }
        let mut frames = if handshake { vec![syn(), syn_ack()] } else { Vec::new() };
        frames.push(up(FIRST, "A", NONAME));
        frames.extend(parts);
        let replayed = replay_frames(&frames, chunk_bytes);
        prop_assert_eq!(told(&replayed), ["nameless Hello", CERTIFICATE]);
        prop_assert_eq!(replayed, replay_frames(&frames, CHUNK_BYTES));
    }
}
