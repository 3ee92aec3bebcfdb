//! The machine as a whole: published packets, every version, and hellos in every disorder.
#![allow(clippy::indexing_slicing)]

use proptest::prelude::*;

use super::testing::{Client, client_hello, crypto, google_crypto, google_stream};
use super::vectors::{CLIENT_HELLO, V1_CLIENT, V1_RETRY, V1_SERVER, V2_CLIENT, unhex};
use super::version::Frames;
use super::*;
use crate::inspect::Progress;

const ID: &[u8] = b"8 octets";

/// Every version that has keys.
fn versions() -> Vec<Version> {
    let mut versions = (22..=34).map(Version::draft).collect::<Vec<_>>();
    versions.extend([Version::V1, Version::V2, Version::V2_DRAFT, Version::MVFST_D24, Version::MVFST]);
    versions.extend([Version::MVFST_V1, Version::Q050, Version::T050, Version::T051]);
    versions.extend([0xface_b00e, 0xface_b010, 0xface_b011, 0xface_b013].map(Version));
    versions
}

/// Pushes datagrams into a new connection; gives the answer to the last one, and what was counted.
fn push(datagrams: &[impl AsRef<[u8]>]) -> (Progress<Vec<u8>>, Counters, Connection) {
    let (mut connection, mut scratch) = (Connection::new(), Scratch::new());
    let mut last = Progress::NotThis;
    for datagram in datagrams {
        last = match connection.push(datagram.as_ref(), &mut scratch) {
            Progress::Found(hello) => Progress::Found(hello.bytes.to_vec()),
            Progress::NeedMore { at_least } => Progress::NeedMore { at_least },
            Progress::NotThis => Progress::NotThis,
        };
    }
    (last, scratch.counters, connection)
}

/// Exactly one of these datagrams is answered by a hello, and it is this one.
fn check(datagrams: &[impl AsRef<[u8]>], hello: &[u8]) {
    let (mut connection, mut scratch, mut found) = (Connection::new(), Scratch::new(), Vec::new());
    for datagram in datagrams {
        if let Progress::Found(hello) = connection.push(datagram.as_ref(), &mut scratch) {
            found.push(hello.bytes.to_vec());
        }
    }
    assert!(found == [hello], "{} of {} datagrams gave a hello", found.len(), datagrams.len());
    assert!(connection.held() < 1024);
}

/// The server name of a ClientHello, as a second reader would find it.
fn server_name(hello: &[u8]) -> Option<&[u8]> {
    let session = 38 + 1 + usize::from(*hello.get(38)?);
    let ciphers =
        session + 2 + usize::from(u16::from_be_bytes([*hello.get(session)?, *hello.get(session + 1)?]));
    let mut at = ciphers + 1 + usize::from(*hello.get(ciphers)?) + 2;
    while let Some([a, b, c, d]) = hello.get(at..at + 4) {
        let len = usize::from(u16::from_be_bytes([*c, *d]));
        if [*a, *b] == [0, 0] {
            return hello.get(at + 4 + 5..at + 4 + len);
        }
        at += 4 + len;
    }
    None
}

#[test]
fn published_initials() {
    let hello = unhex(CLIENT_HELLO);
    for packet in [V1_CLIENT, V2_CLIENT] {
        let packet = unhex(packet);
        assert!(begins(&packet));
        check(&[packet], &hello);
    }
    assert_eq!(server_name(&hello), Some(&b"example.com"[..]));
}

#[test]
fn the_tests_own_packets_are_the_published_ones() {
    for (version, published) in [(Version::V1, V1_CLIENT), (Version::V2, V2_CLIENT)] {
        let client = Client { source_id: Vec::new(), ..Client::new(version, &unhex("8394c8f03e515708")) };
        let mut frames = crypto(0, &unhex(CLIENT_HELLO));
        frames.resize(1162, 0);
        assert_eq!(client.initial(2, 4, &frames), unhex(published));
    }
    // Version 2 under the number and salt of its drafts begins so (msquic's known answer).
    let client =
        Client { source_id: Vec::new(), ..Client::new(Version::V2_DRAFT, &unhex("8394c8f03e515708")) };
    let mut frames = crypto(0, &unhex(CLIENT_HELLO));
    frames.resize(1162, 0);
    let begins = unhex("dd709a50c4088394c8f03e5157080000449e4391d84823b8e610589c83c92d0e97eb7a6e5003");
    assert!(client.initial(2, 4, &frames).starts_with(&begins));
}

#[test]
fn a_servers_packets_are_not_this() {
    // Without the client's side: no try at all, for the client's connection ID is empty.
    let (last, counters, _) = push(&[unhex(V1_SERVER)]);
    assert_eq!((last, counters.derived), (Progress::NotThis, 0));
    assert_eq!(counters.refused(Refusal::ShortConnectionId), 1);
    assert!(!begins(&unhex(V1_RETRY)));
    assert_eq!(push(&[unhex(V1_RETRY)]).0, Progress::NotThis);
    // To a client with a longer one: two tries, however many come.
    let server = Client { id: b"the client's".to_vec(), ..Client::new(Version::V1, ID) };
    let datagrams =
        (0..50).map(|number| server.datagram(number, &crypto(0, &[2, 0, 0, 1, 0]))).collect::<Vec<_>>();
    let (last, counters, connection) = push(&datagrams);
    assert_eq!((last, counters.derived, connection.held()), (Progress::NotThis, u64::from(MAX_TRIES), 0));
    assert_eq!(counters.refused(Refusal::Budget), 50 - u64::from(MAX_TRIES));
}

#[test]
fn every_version() {
    let (tls, google) =
        (client_hello("www.example.org", 9), gquic::tests::chlo(&[(b"SNI\0", b"www.example.org")]));
    for version in versions() {
        let scheme = version.scheme().unwrap();
        let hello = if scheme.handshake == Handshake::Tls { &tls } else { &google };
        let frame = if scheme.frames == Frames::Quic { crypto } else { google_crypto };
        let (first, second) = hello.split_at(20);
        let client = Client::new(version, ID);
        let whole = client.datagram(1, &frame(0, hello));
        assert!(begins(&whole), "{version:x?}");
        check(&[whole], hello);
        check(&[client.datagram(2, &frame(20, second)), client.datagram(1, &frame(0, first))], hello);
        // The same bytes under another version's keys.
        let mut other = client.datagram(1, &frame(0, hello));
        other[1..5].copy_from_slice(
            &if version == Version::V2 { Version::V2_DRAFT } else { Version::V2 }.0.to_be_bytes(),
        );
        assert!(!matches!(push(&[other]).0, Progress::Found(_)), "{version:x?}");
    }
}

#[test]
fn cleartext_versions() {
    let hello = gquic::tests::chlo(&[(b"PAD\0", &[b'-'; 400]), (b"SNI\0", b"www.example.org")]);
    let packets = |version: Version, frames: &[u8]| {
        let number = [0, 0, 0, 1];
        let hash = [0xee; 12];
        let version_bytes = version.0.to_be_bytes();
        match version {
            // Flags: version, connection ID of eight octets, packet number of two or of one.
            Version::Q043 => vec![
                [&[0x19], ID, &version_bytes, &number[2..], &hash, frames].concat(),
                [&[0x09], ID, &version_bytes, &number[3..], &hash, frames].concat(),
            ],
            Version::Q044 => {
                vec![[&[0xff], &version_bytes[..], &[0x50], ID, &number, &hash, frames].concat()]
            }
            _ => vec![[&[0xc3], &version_bytes[..], &[0x50], ID, &number, &hash, frames].concat()],
        }
    };
    for version in [Version::Q043, Version::Q044, Version::Q046] {
        let to_the_end = [&[0x80, 1][..], &hello].concat();
        for whole in
            packets(version, &google_stream(0, &hello)).into_iter().chain(packets(version, &to_the_end))
        {
            assert!(begins(&whole), "{version:x?}");
            check(std::slice::from_ref(&whole), &hello);
            for cut in 0..whole.len() {
                assert!(
                    !matches!(push(&[&whole[..cut]]).0, Progress::Found(found) if found != hello),
                    "{cut}"
                );
            }
        }
        let first = packets(version, &google_stream(0, &hello[..100])).remove(0);
        let second = packets(version, &google_stream(100, &hello[100..])).remove(0);
        check(&[&first, &second], &hello);
        check(&[&second, &first], &hello);
        let (last, counters, _) = push(&packets(version, &google_stream(0, b"REJ\0 and so on")));
        assert_eq!((last, counters.refused(Refusal::NotClientHello)), (Progress::NotThis, counters.opened));
    }
    assert_eq!(gquic::server_name(&hello), Some(&b"www.example.org"[..]));
    // The server's side of Q046: its own ID, none of the client's.
    let server = [&[0xc3], &Version::Q046.0.to_be_bytes()[..], &[0x05], ID, &[0; 40]].concat();
    assert!(!begins(&server));
}

/// Every order of `pieces`.
fn orders(pieces: usize) -> Vec<Vec<usize>> {
    let Some(last) = pieces.checked_sub(1) else { return vec![vec![]] };
    let shorter = orders(last).into_iter();
    shorter
        .flat_map(|order| (0..=last).map(move |at| [&order[..at], &[last], &order[at..]].concat()))
        .collect()
}

#[test]
fn every_split_in_two() {
    let hello = client_hello("split.example", 3);
    let client = Client::new(Version::V1, ID);
    for cut in 0..=hello.len() {
        let (first, second) = (crypto(0, &hello[..cut]), crypto(cut, &hello[cut..]));
        check(&[client.datagram(0, &[&first[..], &[0; 7], &second].concat())], &hello);
        check(&[client.datagram(0, &[&second[..], &[1], &first].concat())], &hello);
        if (1..hello.len()).contains(&cut) {
            let (first, second) = (client.datagram(0, &first), client.datagram(1, &second));
            check(&[&first, &second], &hello);
            check(&[&second, &first], &hello);
            check(&[&second, &second, &first], &hello);
            let last = push(&[&first]).0;
            assert_eq!(last, Progress::NeedMore { at_least: if cut < 4 { 4 } else { hello.len() } });
        }
    }
}

#[test]
fn every_order_of_five_pieces() {
    let hello = client_hello("order.example", 1700);
    let client = Client::new(Version::V2, ID);
    let cuts = [0, 3, 700, 1100, 1101, hello.len()];
    let piece = |at: usize| crypto(cuts[at], &hello[cuts[at]..cuts[at + 1]]);
    let overlapping =
        |at: usize| crypto(cuts[at].saturating_sub(9), &hello[cuts[at].saturating_sub(9)..cuts[at + 1]]);
    for order in orders(5) {
        let datagram = |at: usize| client.datagram(at as u64, &piece(at));
        check(&order.iter().map(|at| datagram(*at)).collect::<Vec<_>>(), &hello);
        check(&[client.datagram(0, &order.iter().flat_map(|at| piece(*at)).collect::<Vec<_>>())], &hello);
        check(
            &order.iter().map(|at| client.datagram(*at as u64, &overlapping(*at))).collect::<Vec<_>>(),
            &hello,
        );
    }
}

#[test]
fn conflicting_overlaps_keep_the_first_bytes_and_say_so() {
    let (hello, other) = (client_hello("first.example", 30), client_hello("other.example", 30));
    let client = Client::new(Version::V1, ID);
    let datagrams = [
        client.datagram(0, &crypto(10, &hello[10..])),
        client.datagram(1, &crypto(0, &other[..100])),
        client.datagram(2, &crypto(0, &other)),
    ];
    let (mut connection, mut scratch) = (Connection::new(), Scratch::new());
    assert!(matches!(connection.push(&datagrams[0], &mut scratch), Progress::NeedMore { .. }));
    let Progress::Found(found) = connection.push(&datagrams[1], &mut scratch) else { panic!("not whole") };
    // Up to where the name begins both are equal.
    assert_eq!((found.bytes, found.conflicting), (hello.as_slice(), other[..100] != hello[..100]));
    let (mut connection, mut scratch) = (Connection::new(), Scratch::new());
    connection.push(&datagrams[0], &mut scratch);
    let Progress::Found(found) = connection.push(&datagrams[2], &mut scratch) else { panic!("not whole") };
    assert_eq!((found.bytes, found.conflicting), (hello.as_slice(), true));
    assert_eq!(scratch.counters.refused(Refusal::Conflict), 1);
}

#[test]
fn coalesced_packets() {
    let hello = client_hello("coalesced.example", 40);
    for version in [Version::V1, Version::V2, Version::draft(29)] {
        let client = Client::new(version, ID);
        let initial = version.scheme().unwrap().types.initial;
        let (zero_rtt, handshake) = (client.other(initial + 1, 300), client.other(initial + 2, 90));
        let (first, second) =
            (client.initial(0, 1, &crypto(0, &hello[..50])), client.initial(1, 3, &crypto(50, &hello[50..])));
        let padding = vec![0; 200];
        check(&[[&first[..], &second].concat()], &hello);
        check(&[[&second[..], &zero_rtt, &first].concat()], &hello);
        check(&[[&zero_rtt[..], &handshake, &first, &second, &padding].concat()], &hello);
        check(
            &[[&first[..], &zero_rtt, &padding].concat(), [&handshake[..], &second, &[0x41; 30]].concat()],
            &hello,
        );
        assert!(begins(&[&zero_rtt[..], &handshake, &first].concat()));
        assert!(!begins(&[&zero_rtt[..], &handshake].concat()));
    }
}

#[test]
fn connection_ids_change() {
    let hello = client_hello("retry.example", 40);
    let (first, second) = hello.split_at(60);
    // The server's choice comes into the headers; the keys stay.
    let mut client = Client::new(Version::V1, ID);
    let start = client.datagram(0, &crypto(0, first));
    client.id = b"srv".to_vec();
    check(&[start.clone(), client.datagram(1, &crypto(60, second))], &hello);
    // A Retry: new keys, of an ID that may be short, and the same hello again from its start.
    let mut retried = Client::new(Version::V1, b"rt");
    retried.token = vec![7; 90];
    check(&[start, retried.datagram(1, &crypto(0, &hello))], &hello);
    // Both at once, in disorder: no byte of one flight goes into the other.
    let other = client_hello("other.example", 40);
    let (a, b) = (Client::new(Version::V1, b"client a"), Client::new(Version::V1, b"client b"));
    let datagrams = [
        a.datagram(0, &crypto(0, first)),
        b.datagram(0, &crypto(60, &other[60..])),
        a.datagram(1, &crypto(60, second)),
        b.datagram(1, &crypto(0, &other[..60])),
    ];
    let (mut connection, mut scratch) = (Connection::new(), Scratch::new());
    let mut found = Vec::new();
    for datagram in &datagrams {
        if let Progress::Found(hello) = connection.push(datagram, &mut scratch) {
            found.push(hello.bytes.to_vec());
        }
    }
    assert_eq!(found, [hello.clone(), other]);
    // What follows a hello under its keys costs no derivation and gives nothing.
    let more = a.datagram(2, &crypto(0, &hello));
    let derived = scratch.counters.derived;
    assert_eq!(connection.push(&more, &mut scratch), Progress::NotThis);
    assert_eq!(scratch.counters.derived, derived);
}

#[test]
fn packet_numbers_beyond_their_octets() {
    let hello = client_hello("number.example", 0);
    let client = Client::new(Version::V1, ID);
    let padding = [0; 40];
    let mut datagrams = [0, 120, 240].map(|number| client.initial(number, 1, &padding)).to_vec();
    datagrams.push(client.initial(300, 1, &crypto(0, &hello)));
    check(&datagrams, &hello);
}

#[test]
fn every_prefix_gives_nothing_or_the_hello() {
    let hello = client_hello("prefix.example", 5);
    let client = Client::new(Version::V1, ID);
    let first = client.initial(0, 2, &crypto(0, &hello));
    let datagram = [&first[..], &client.other(2, 40), &[0; 20]].concat();
    for cut in 0..=datagram.len() {
        let (last, counters, _) = push(&[&datagram[..cut]]);
        let expected = if cut < first.len() { Progress::NotThis } else { Progress::Found(hello.clone()) };
        assert_eq!(last, expected, "{cut}");
        assert_eq!(counters.derived > 0, cut >= first.len(), "no key for a packet that is cut");
    }
    // A capture that keeps only the start of frames says so.
    assert!(begins(&datagram[..100]));
    assert_eq!(push(&[&datagram[..100]]).1.refused(Refusal::Cut), 1);
}

#[test]
fn no_mutation_gives_another_hello() {
    let hello = client_hello("mutation.example", 5);
    let client = Client::new(Version::V1, ID);
    let datagrams =
        [client.initial(0, 2, &crypto(40, &hello[40..])), client.initial(1, 2, &crypto(0, &hello[..40]))];
    for which in 0..2 {
        for at in 0..datagrams[which].len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut mutated = datagrams.clone();
                mutated[which][at] ^= flip;
                match push(&mutated).0 {
                    Progress::Found(found) => assert_eq!(found, hello),
                    // The damaged one is sent again.
                    _ => check(&[&mutated[0], &mutated[1], &datagrams[which]], &hello),
                }
            }
        }
    }
}

#[test]
fn streams_that_are_no_hello() {
    let client = Client::new(Version::V1, ID);
    for (frames, why) in [
        (crypto(0, &[2, 0, 0, 9]), Refusal::NotClientHello),
        (crypto(0, &[1, 1, 0, 0]), Refusal::HelloTooLong),
        ([crypto(0, &[1]), vec![0x1e]].concat(), Refusal::UnexpectedFrame),
        ([crypto(0, &[1]), vec![6, 1, 9]].concat(), Refusal::MalformedFrame),
        (crypto(MAX_HELLO, &[1]), Refusal::TooFar),
    ] {
        let (last, counters, _) = push(&[client.initial(0, 1, &frames)]);
        assert!(!matches!(last, Progress::Found(_)), "{why:?}");
        assert_eq!(counters.refused(why), 1, "{why:?}");
    }
    // A frame that does not belong there ends the walk, and loses nothing before it.
    let hello = client_hello("kept.example", 5);
    check(&[client.datagram(0, &[crypto(0, &hello), vec![0x1e, 6]].concat())], &hello);
}

#[test]
fn what_is_unfinished_can_be_looked_at() {
    let hello = client_hello("unfinished.example", 600);
    let client = Client::new(Version::V1, ID);
    let (_, _, connection) =
        push(&[client.datagram(0, &[crypto(0, &hello[..300]), crypto(400, &hello[400..])].concat())]);
    let mut scratch = Scratch::new();
    assert_eq!(connection.unfinished(&mut scratch).unwrap().bytes, &hello[..300]);
    assert!(Connection::new().unfinished(&mut scratch).is_none());
}

#[test]
fn the_budget_of_a_connection() {
    let mut datagrams = Vec::new();
    for number in 0_u64..100 {
        let stranger = Client { id: number.to_be_bytes().to_vec(), ..Client::new(Version::V1, ID) };
        datagrams.push(stranger.datagram(0, &crypto(0, b"\x01")));
    }
    let (last, counters, connection) = push(&datagrams);
    assert_eq!(
        (last, counters.derived, connection.held()),
        (Progress::NotThis, u64::from(MAX_DERIVATIONS), 0)
    );
    assert_eq!(counters.refused(Refusal::Budget), 100 - u64::from(MAX_DERIVATIONS));
    // A hello that never ends.
    let client = Client::new(Version::V1, ID);
    let drip = (0..300).map(|at| client.datagram(at, &crypto(2 * at as usize, &[1]))).collect::<Vec<_>>();
    let (last, counters, connection) = push(&drip);
    assert_eq!((last, counters.refused(Refusal::TooManyInitials)), (Progress::NotThis, 1));
    assert!(connection.held() < 1024);
    // More sets of keys than are kept.
    let clients = (0..9_u64).map(|number| Client::new(Version::V1, &number.to_be_bytes()));
    let (_, counters, _) =
        push(&clients.map(|client| client.datagram(0, &crypto(0, &[1]))).collect::<Vec<_>>());
    assert_eq!(counters.refused(Refusal::TooManyKeys), 9 - MAX_KEYS as u64);
}

/// A hundred thousand Initials with as many connection ID's: to one flow, and each to its own.
#[test]
fn a_flood_holds_no_memory() {
    let client = Client::new(Version::V1, ID);
    let mut datagram = client.initial(0, 1, &crypto(0, &client_hello("flood.example", 10)));
    let (mut one, mut scratch, mut held) = (Connection::new(), Scratch::new(), 0);
    let (mut words, mut number) = (1_u64, 0_u64);
    while number < 100_000 {
        words = words.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        datagram[6..14].copy_from_slice(&words.to_be_bytes());
        let mut own = Connection::new();
        assert_eq!(own.push(&datagram, &mut scratch), Progress::NotThis);
        assert_eq!(one.push(&datagram, &mut scratch), Progress::NotThis);
        held += own.held();
        number += 1;
    }
    assert_eq!((held, one.held()), (0, 0));
    assert_eq!(scratch.counters.derived, 100_000 + u64::from(MAX_DERIVATIONS));
    assert!(size_of::<Connection>() <= 64, "{}", size_of::<Connection>());
}

/// What is unfinished goes from one thread to another, and is finished there.
#[test]
fn a_connection_can_be_handed_on() {
    let hello = client_hello("handed-on.example", 40);
    let client = Client::new(Version::V1, ID);
    let (_, _, connection) = push(&[client.datagram(0, &crypto(0, &hello[..50]))]);
    let copy = connection.clone();
    let second = client.datagram(1, &crypto(50, &hello[50..]));
    for mut connection in [connection, copy] {
        let (second, hello) = (second.clone(), hello.clone());
        let thread = std::thread::spawn(move || {
            let mut scratch = Scratch::new();
            let Progress::Found(found) = connection.push(&second, &mut scratch) else { panic!("not whole") };
            assert_eq!((found.bytes, found.id.as_slice()), (hello.as_slice(), ID));
        });
        thread.join().unwrap();
    }
}

/// The most that a hostile client can make one connection hold.
#[test]
fn memory_of_one_connection() {
    let worst = (0..MAX_KEYS as u64).flat_map(|number| {
        let client = Client::new(Version::V1, &number.to_be_bytes());
        (0..60_usize).map(move |at| {
            let piece = vec![at as u8; 1090];
            client.datagram(at as u64, &crypto(1 + at * 1091, &piece))
        })
    });
    let (mut connection, mut scratch) = (Connection::new(), Scratch::new());
    for datagram in worst {
        connection.push(&datagram, &mut scratch);
    }
    assert!(connection.held() > MAX_KEYS * 60_000, "{}", connection.held());
    assert!(connection.held() < MAX_KEYS * 2 * (MAX_HELLO + MAX_RANGES * 12 + 256), "{}", connection.held());
}

#[test]
fn other_protocols_do_not_begin_so() {
    let dns = b"\xc0\x00\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example\x03com\x00\x00\x01\x00\x01";
    let rtp = [&[0x80, 0x60, 0x12, 0x34][..], &[0x55; 160]].concat();
    let stun = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let dtls = [&[0x16, 0xfe, 0xff][..], &[0; 60]].concat();
    let negotiation = [&[0xca, 0, 0, 0, 0, 8][..], ID, &[0, 0, 0, 0, 1]].concat();
    let greased = [&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a, 8][..], ID, &[0; 1200]].concat();
    for datagram in [&dns[..], &rtp, &stun, &dtls, &negotiation, &greased, &[0x41; 1200], &[0xff; 1200], &[]]
    {
        assert!(!begins(datagram), "{datagram:x?}");
        assert_eq!(push(&[datagram]).0, Progress::NotThis);
    }
}

proptest! {
    #[test]
    fn garbage(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..4)) {
        push(&datagrams);
    }

    /// Garbage behind a version that is known.
    #[test]
    fn garbage_with_a_version(first in any::<u8>(), which in 0_usize..40, tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut known = versions();
        known.extend([Version::Q044, Version::Q046]);
        let version = known[which % known.len()];
        let datagram = [&[first | 0x80], &version.0.to_be_bytes()[..], &tail].concat();
        let (_, _, connection) = push(&[&datagram, &datagram]);
        prop_assert!(connection.held() < 4096);
        push(&[[&[0x09], ID, &Version::Q043.0.to_be_bytes(), &tail].concat()]);
    }

    /// Garbage that is properly sealed.
    #[test]
    fn sealed_garbage(frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 4..200), 1..5)) {
        for version in [Version::V1, Version::Q050] {
            let client = Client::new(version, ID);
            push(&frames.iter().enumerate().map(|(at, frames)| client.initial(at as u64, 2, frames)).collect::<Vec<_>>());
        }
    }

    /// Any pieces, overlapping or doubled, in any order, over any number of datagrams: the hello, once.
    #[test]
    fn any_disorder(
        padding in 0_usize..2500,
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..300), 0..40),
        order in any::<u64>(),
        at_once in 1_usize..6,
    ) {
        let hello = client_hello("disorder.example", padding);
        let mut starts = cuts.iter().map(|(at, _)| at.index(hello.len())).chain([0]).collect::<Vec<_>>();
        starts.sort_unstable();
        starts.dedup();
        let mut pieces = Vec::new();
        for (place, start) in starts.iter().enumerate() {
            let end = starts.get(place + 1).copied().unwrap_or(hello.len());
            let beyond = cuts.get(place).map_or(0, |(_, beyond)| *beyond);
            pieces.push(crypto(*start, &hello[*start..(end + beyond).min(hello.len())]));
        }
        let mut state = order;
        for at in (1..pieces.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            pieces.swap(at, (state >> 33) as usize % (at + 1));
        }
        let client = Client::new(Version::V1, ID);
        let datagrams = pieces.chunks(at_once).enumerate().map(|(number, pieces)| client.datagram(number as u64, &pieces.concat()));
        let datagrams = datagrams.flat_map(|datagram| [datagram.clone(), datagram]).collect::<Vec<_>>();
        let (mut connection, mut scratch, mut found) = (Connection::new(), Scratch::new(), 0);
        for datagram in &datagrams {
            if let Progress::Found(whole) = connection.push(datagram, &mut scratch) {
                prop_assert_eq!(whole.bytes, &hello);
                prop_assert!(!whole.conflicting);
                found += 1;
            }
        }
        prop_assert_eq!(found, 1);
        prop_assert_eq!(server_name(&hello), Some(&b"disorder.example"[..]));
    }
}
