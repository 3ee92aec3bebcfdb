//! DNS messages by hand: every prefix, every mutation, and dns-parser as an oracle.
#![allow(clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::inspect::testing::{check_mutations, hex};

/// A header with these counts, then `body`.
pub(crate) fn message(flags: u16, counts: [u16; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34];
    bytes.extend(flags.to_be_bytes());
    bytes.extend(counts.iter().flat_map(|count| count.to_be_bytes()));
    bytes.extend(body);
    bytes
}

/// A name's labels and the root.
pub(crate) fn name(dotted: &str) -> Vec<u8> {
    let labels = dotted.split('.').filter(|label| !label.is_empty());
    labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).chain([0]).collect()
}

pub(crate) fn question(dotted: &str, qtype: u16) -> Vec<u8> {
    [&name(dotted)[..], &qtype.to_be_bytes(), &[0, 1]].concat()
}

type Questions = Vec<(String, u16, u16)>;

fn read(bytes: &[u8]) -> (Questions, Result<(), Damage>) {
    let mut questions = Vec::new();
    let mut buffer = NameBuf::new();
    let message = Message::parse(bytes).expect("a header");
    let end = message.questions(&mut buffer, |name, qtype, qclass| {
        questions.push((name.to_owned(), qtype.0, qclass.0));
    });
    (questions, end)
}

#[track_caller]
fn check(body: &[u8], count: u16, expected: &[(&str, u16, u16)], end: Result<(), Damage>) {
    let bytes = message(0x0100, [count, 0, 0, 0], body);
    let expected: Vec<_> =
        expected.iter().map(|(name, qtype, qclass)| (name.to_string(), *qtype, *qclass)).collect();
    assert_eq!(read(&bytes), (expected.clone(), end));
    // Each prefix gives the first of them, and says why no more.
    for cut in HEADER..bytes.len() {
        let (questions, end) = read(&bytes[..cut]);
        assert!(expected.starts_with(&questions), "{questions:?} at {cut}");
        assert!(end.is_err() || questions == expected);
    }
    check_mutations(&bytes, |bytes| {
        let _answer = read(bytes);
    });
}

#[test]
fn every_type_class_and_opcode() {
    for qtype in [1u16, 28, 33, 32, 35, 43, 52, 64, 65, 99, 251, 255, 257, 0, 65280, 65535] {
        for qclass in [1u16, 3, 254, 255, 0, 0x8001] {
            let body = [&name("a.example")[..], &qtype.to_be_bytes(), &qclass.to_be_bytes()].concat();
            check(&body, 1, &[("a.example", qtype, qclass)], Ok(()));
        }
    }
    for opcode in 0..16u8 {
        for bits in [0x0000, 0x0040, 0x8180, 0x8003] {
            let bytes = message(bits | u16::from(opcode) << 11, [1, 0, 0, 0], &question("PASTEBIN.com", 65));
            let parsed = Message::parse(&bytes).expect("a header");
            assert_eq!((parsed.id(), parsed.opcode()), (0x1234, opcode));
            assert_eq!((parsed.is_response(), parsed.rcode()), (bits & 0x8000 != 0, (bits & 0xf) as u8));
            assert_eq!(read(&bytes).0, [("pastebin.com".to_owned(), 65, 1)]);
        }
    }
}

#[test]
fn any_number_of_questions() {
    check(&[], 0, &[], Ok(()));
    check(&[0, 0, 2, 0, 1], 1, &[(".", 2, 1)], Ok(()));
    let two = [question("a.example", 1), question("b.example", 28)].concat();
    check(&two, 2, &[("a.example", 1, 1), ("b.example", 28, 1)], Ok(()));
    check(&two, 1, &[("a.example", 1, 1)], Ok(()));
    let cut = Err(Damage::Cut { needed: 1, got: 0, offset: HEADER + two.len() });
    check(&two, 3, &[("a.example", 1, 1), ("b.example", 28, 1)], cut);
    let many = message(0, [300, 0, 0, 0], &[0, 0, 1, 0, 1].repeat(300));
    let (questions, end) = read(&many);
    assert_eq!((questions.len(), end), (usize::from(MAX_QUESTIONS), Err(Damage::TooManyQuestions)));
}

#[test]
fn odd_names() {
    let asks = [0, 1, 0, 1];
    check(&[b"\x06_dmarc\x01a\x00", &asks[..]].concat(), 1, &[("_dmarc.a", 1, 1)], Ok(()));
    check(&[b"\x0aAnna's Mac\x05local\x00", &asks[..]].concat(), 1, &[("anna's mac.local", 1, 1)], Ok(()));
    check(&["\x07Bücher\x05local\x00".as_bytes(), &asks].concat(), 1, &[("bücher.local", 1, 1)], Ok(()));
    check(
        &[b"\x04\xff\x80\x00.\x01t\x00", &asks[..]].concat(),
        1,
        &[("\\255\\128\\000\\046.t", 1, 1)],
        Ok(()),
    );
    let label = [&[63][..], &[b'x'; 63]].concat();
    let longest = [label.repeat(3), [&[61][..], &[b'x'; 61], &[0], &asks].concat()].concat();
    let text = [&["x".repeat(63).as_str(); 3][..], &["x".repeat(61).as_str()]].concat().join(".");
    check(&longest, 1, &[(&text, 1, 1)], Ok(()));
    let longer = [label.repeat(3), [&[62][..], &[b'x'; 62], &[0], &asks].concat()].concat();
    check(&longer, 1, &[], Err(Damage::NameTooLong));
    check(&[1, b'x'].repeat(2000), 1, &[], Err(Damage::TooManyLabels));
    check(b"\x40x\x00\x00\x01\x00\x01", 1, &[], Err(Damage::LabelKind { octet: 0x40, offset: 12 }));
    check(b"\x01a\x80\x00\x00\x01\x00\x01", 1, &[], Err(Damage::LabelKind { octet: 0x80, offset: 14 }));
}

#[test]
fn pointers() {
    // b.<pointer to "example">, behind a.example
    let body = [&question("a.example", 1)[..], b"\x01b\xc0\x0e\x00\x1c\x00\x01"].concat();
    check(&body, 2, &[("a.example", 1, 1), ("b.example", 28, 1)], Ok(()));
    let body = [&question("a.example", 1)[..], b"\xc0\x0c\x00\x41\x00\x01"].concat();
    check(&body, 2, &[("a.example", 1, 1), ("a.example", 65, 1)], Ok(()));
    // To itself, forwards, into its own name, and out of the message.
    let forward = |target| Err(Damage::PointerForward { offset: 12, target });
    check(b"\xc0\x0c\x00\x01\x00\x01", 1, &[], forward(12));
    check(b"\xc0\x0e\x00\x00\x01\x00\x01", 1, &[], forward(14));
    check(b"\xff\xff\x00\x01\x00\x01", 1, &[], forward(0x3fff));
    check(b"\x01a\xc0\x0c\x00\x01\x00\x01", 1, &[], Err(Damage::PointerForward { offset: 14, target: 12 }));
    // A chain, each to the one before: 12, 14, 16 …; the first points to the root in the header.
    let mut chain = vec![0xc0, 4];
    for target in 0..200u16 {
        chain.extend((0xc000 | (12 + 2 * target)).to_be_bytes());
    }
    let bytes = message(0, [1, 0, 0, 0], &chain);
    let mut reader = Reader::new(&bytes).at(HEADER + 2 * 126).expect("within");
    let mut buffer = NameBuf::new();
    assert_eq!(name::read(&mut reader, &mut buffer), Ok(()));
    assert_eq!((buffer.as_str(), reader.offset()), (".", HEADER + 2 * 126 + 2));
    let mut reader = Reader::new(&bytes).at(HEADER + 2 * 127).expect("within");
    assert_eq!(name::read(&mut reader, &mut buffer), Err(Damage::TooManyPointers));
}

#[test]
fn a_name_cannot_be_built_out_of_pointers_without_end() {
    // 64 labels, each followed by a pointer to the one before: 2 x 64 octets of text, all from backwards pointers.
    let mut body = vec![1, b'a', 0];
    let mut last = 12u16;
    for _ in 0..130 {
        let here = 12 + body.len() as u16;
        body.extend([1, b'b']);
        body.extend((0xc000 | last).to_be_bytes());
        last = here;
    }
    let bytes = message(0, [1, 0, 0, 0], &body);
    let mut buffer = NameBuf::new();
    let mut reader = Reader::new(&bytes).at(usize::from(last)).expect("within");
    let end = name::read(&mut reader, &mut buffer);
    assert!(
        matches!(end, Err(Damage::NameTooLong | Damage::TooManyPointers | Damage::TooManyLabels)),
        "{end:?}"
    );
    // A name that runs into itself once is legal for a pointer that points before it, and is bounded.
    assert!(buffer.as_str().len() <= 253);
}

#[test]
fn shorter_than_a_header() {
    for length in 0..HEADER {
        let error = Message::parse(&[0; HEADER][..length]).expect_err("no header");
        assert_eq!(error.0.got, length);
    }
}

/// Whatever dns-parser's reader of whole messages accepts is read, with the same questions.
fn check_against_dns_parser(bytes: &[u8]) {
    let Ok(theirs) = dns_parser::Packet::parse(bytes) else { return };
    let (ours, end) = read(bytes);
    if matches!(end, Err(Damage::NameTooLong | Damage::PointerForward { .. })) {
        return;
    }
    assert_eq!((ours.len(), end), (theirs.questions.len(), Ok(())));
    for (ours, theirs) in ours.iter().zip(&theirs.questions) {
        assert_eq!(ours.1, theirs.qtype as u16);
        let name = theirs.qname.to_string().to_ascii_lowercase();
        if !ours.0.contains('\\') && !name.is_empty() {
            assert_eq!(ours.0, name);
        }
    }
}

#[test]
fn dns_parser_agrees() {
    let query = [question("www.Example.com", 1), hex("c0100001 0001 000029 1000 0000 8000 0000")].concat();
    let bytes = message(0x0120, [2, 0, 0, 1], &query);
    assert!(dns_parser::Packet::parse(&bytes).is_ok());
    check_against_dns_parser(&bytes);
    check_mutations(&bytes, check_against_dns_parser);
}

#[test]
fn mnemonics() {
    for (number, word) in
        [(1, "A"), (28, "AAAA"), (65, "HTTPS"), (255, "ANY"), (65280, "TYPE65280"), (0, "TYPE0")]
    {
        assert_eq!(QType(number).to_string(), word);
    }
    assert_eq!(QClass(1).to_string(), "IN");
    assert_eq!(QClass(0x8001).to_string(), "CLASS32769");
    assert_eq!(QClass(0x8001).without_top_bit(), QClass::IN);
}

proptest! {
    #[test]
    fn garbage(bytes in prop::collection::vec(any::<u8>(), HEADER..400)) {
        let (questions, _) = read(&bytes);
        prop_assert!(questions.iter().all(|(name, ..)| !name.is_empty()));
        check_against_dns_parser(&bytes);
    }

    #[test]
    fn labels_and_pointers(parts in prop::collection::vec((0u8..4, any::<u8>()), 0..200), count in 0u16..40) {
        let mut body = Vec::new();
        for (kind, value) in parts {
            match kind {
                0 => body.extend([0, 0, value, 0, 1]),
                1 => body.extend([0xc0, value]),
                2 => body.extend([&[value & 15][..], &[b'a' + value % 26; 16][..usize::from(value & 15)]].concat()),
                _ => body.push(value),
            }
        }
        let bytes = message(0, [count, 0, 0, 0], &body);
        let (questions, _) = read(&bytes);
        prop_assert!(questions.iter().all(|(name, ..)| !name.is_empty() && name.len() <= 4 * 253));
        check_against_dns_parser(&bytes);
    }
}
