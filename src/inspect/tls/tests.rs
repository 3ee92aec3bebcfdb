//! ClientHellos of real clients and by hand: every prefix, every mutation, every odd extension before the name.
#![allow(clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;
use crate::inspect::Begins;
use crate::inspect::testing::{check_begins, check_mutations, check_prefixes, hex};

pub(crate) static CHROMIUM: &[u8] = include_bytes!("../../../tests/data/hellos/chromium-156.bin");
pub(crate) static FIREFOX: &[u8] = include_bytes!("../../../tests/data/hellos/firefox-153.bin");
pub(crate) static CURL: &[u8] = include_bytes!("../../../tests/data/hellos/curl-7.88-openssl-3.0.bin");
pub(crate) static OPENSSL: &[u8] = include_bytes!("../../../tests/data/hellos/openssl-3.0.bin");
pub(crate) static OPENSSL_NONAME: &[u8] = include_bytes!("../../../tests/data/hellos/openssl-3.0-noname.bin");

pub(crate) static REAL: [(&[u8], Option<&str>); 5] = [
    (CHROMIUM, Some("accounts.google.com")),
    (FIREFOX, Some("localhost")),
    (CURL, Some("pastebin.com")),
    (OPENSSL, Some("Pastebin.COM")),
    (OPENSSL_NONAME, None),
];

/// A handshake message with the given version and bytes between random and extensions.
pub(crate) fn message(version: u16, middle: &[u8], extensions: &[u8]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([7; 32]);
    body.extend(middle);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    message
}

/// No session ID, two cipher suites, no compression.
pub(crate) const PLAIN: &[u8] = &[0, 0, 4, 0x13, 0x01, 0x13, 0x02, 1, 0];

pub(crate) fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes(), &(data.len() as u16).to_be_bytes(), data].concat()
}

/// The content of a server name extension with these entries.
fn names(entries: &[(u8, &[u8])]) -> Vec<u8> {
    let list: Vec<u8> = entries
        .iter()
        .flat_map(|(kind, name)| [&[*kind], &(name.len() as u16).to_be_bytes()[..], name].concat())
        .collect();
    [&(list.len() as u16).to_be_bytes(), &list[..]].concat()
}

pub(crate) fn server_name(name: &str) -> Vec<u8> {
    extension(0, &names(&[(0, name.as_bytes())]))
}

/// The message in records of the given sizes, the last as long as it takes.
pub(crate) fn records(message: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut stream = Vec::new();
    let mut rest = message;
    for size in sizes.iter().copied().chain([usize::MAX]) {
        let (head, tail) = rest.split_at(size.min(rest.len()));
        stream.extend([22, 3, 1]);
        stream.extend((head.len() as u16).to_be_bytes());
        stream.extend(head);
        rest = tail;
        if size == usize::MAX || (rest.is_empty() && size > 0) {
            break;
        }
    }
    stream
}

/// What a stream says: its final answer and the name in it.
fn read(stream: &[u8]) -> Progress<Option<Vec<u8>>> {
    client_hello(stream, &mut Vec::new()).map(|hello| hello.server_name().map(<[u8]>::to_vec))
}

fn prefix_name(stream: &[u8]) -> Option<Vec<u8>> {
    client_hello_prefix(stream, &mut Vec::new())?.server_name().map(<[u8]>::to_vec)
}

#[track_caller]
fn check(stream: &[u8], expected: Option<&str>) {
    let expected = expected.map(|name| name.as_bytes().to_vec());
    assert_eq!(check_prefixes(stream, read), Some((stream.len(), Progress::Found(expected.clone()))));
    assert_eq!(check_begins(stream, begins), Begins::Yes);
    // A prefix says the same as the whole or nothing, and once it says it, it goes on saying it.
    let mut known = false;
    for end in 0..=stream.len() {
        let name = prefix_name(&stream[..end]);
        assert!(name.is_none() || name == expected, "{name:?} at {end}");
        assert!(!known || name.is_some(), "forgotten at {end}");
        known = name.is_some();
    }
    assert_eq!(known, expected.is_some());
}

#[test]
fn real_clients() {
    for (stream, name) in REAL {
        check(stream, name);
        // What follows the hello changes nothing.
        let mut joined = Vec::new();
        let more = [stream, &[20, 3, 3, 0, 1, 1]].concat();
        let hello = client_hello(&more, &mut joined).found().expect("a hello");
        assert_eq!(hello.server_name(), name.map(str::as_bytes));
        assert!(hello.whole && joined.is_empty());
    }
}

#[test]
fn any_record_edges() {
    let message = &OPENSSL[5..];
    for first in 0..message.len() {
        check(&records(message, &[first]), Some("Pastebin.COM"));
    }
    check(&records(message, &vec![1; message.len()]), Some("Pastebin.COM"));
    check(&records(message, &[0, 0, 2, 0, 1, 0, 0, 5, 0]), Some("Pastebin.COM"));
    let mut odd_version = records(message, &[100]);
    odd_version[2] = 0x77;
    odd_version[106] = 0x42;
    check(&odd_version, Some("Pastebin.COM"));
}

#[test]
fn what_may_not_stand_between_records() {
    let message = &OPENSSL[5..];
    for between in
        [&[20, 3, 3, 0, 1, 1][..], &[21, 3, 3, 0, 2, 1, 0], &[23, 3, 3, 0, 1, 0], &[22, 3, 3, 0xff, 0xff]]
    {
        let records = records(message, &[60]);
        let stream = [&records[..65], between, &records[65..]].concat();
        assert_eq!(check_prefixes(&stream, read), Some((70, Progress::NotThis)), "{between:?}");
        assert_eq!(prefix_name(&stream), None);
    }
}

#[test]
fn other_protocols() {
    for (bytes, settled) in [
        ("474554202f20485454502f312e310d0a", 1),
        ("170303002000000000", 1),
        ("16030100", usize::MAX),
        ("1602010020010000", 5),
        ("1603014801010000", 5),
        ("160301004002000036030300000000", 9),
        ("160301004001010000030300000000", 9),
        // SSL 2: length with the top bit, type 1, version 3.1.
        ("802e010301001500000010", 1),
    ] {
        let bytes = hex(bytes);
        let answer = check_prefixes(&bytes, read).map(|(at, answer)| {
            assert_eq!(answer, Progress::NotThis);
            at
        });
        assert_eq!(answer.unwrap_or(usize::MAX), settled, "{bytes:02x?}");
        let begins = check_begins(&bytes, begins);
        assert_eq!(begins, if settled == usize::MAX { Begins::Maybe } else { Begins::No }, "{bytes:02x?}");
    }
}

/// Extensions that readers of whole ClientHellos choke on, or that servers would refuse.
pub(crate) static ODD_EXTENSIONS: &[(u16, &[u8])] = &[
    (1, &[]),              // max_fragment_length, empty
    (5, &[9]),             // status_request of an unknown type
    (10, &[]),             // supported_groups, empty
    (10, &[0, 3, 0, 29]),  // supported_groups, odd length
    (11, &[]),             // ec_point_formats, empty
    (11, &[9, 0]),         // ec_point_formats, longer than the extension
    (13, &[]),             // signature_algorithms, empty
    (13, &[0, 9, 4]),      // signature_algorithms, longer than the extension
    (15, &[1, 2, 3]),      // heartbeat, too long
    (16, &[0, 9, 2]),      // ALPN, longer than the extension
    (18, &[1]),            // signed_certificate_timestamp, not empty
    (21, &[]),             // padding, empty
    (22, &[1]),            // encrypt_then_mac, not empty
    (23, &[1]),            // extended_master_secret, not empty
    (28, &[1]),            // record_size_limit, too short
    (41, &[0]),            // pre_shared_key, cut
    (42, &[1]),            // early_data, not empty
    (43, &[]),             // supported_versions, empty
    (43, &[3, 3, 4]),      // supported_versions, odd length
    (44, &[0, 9]),         // cookie, longer than the extension
    (45, &[]),             // psk_key_exchange_modes, empty
    (48, &[0]),            // oid_filters, cut
    (51, &[0xff, 0xff]),   // key_share, longer than the extension
    (0x0a0a, &[0; 3]),     // GREASE with content
    (0x3374, &[1]),        // next_protocol_negotiation, not empty
    (0xfe0d, &[]),         // encrypted_client_hello, empty
    (0xffce, &[1, 2]),     // encrypted server name, cut
    (0xff01, &[]),         // renegotiation_info, empty
    (0xffff, &[0xff; 40]), // unknown
];

#[test]
fn no_odd_extension_hides_the_name() {
    for (kind, data) in ODD_EXTENSIONS {
        let extensions = [extension(*kind, data), server_name("api.telegram.org")].concat();
        check(&records(&message(0x0303, PLAIN, &extensions), &[]), Some("api.telegram.org"));
    }
    let all: Vec<u8> = ODD_EXTENSIONS.iter().flat_map(|(kind, data)| extension(*kind, data)).collect();
    let extensions = [&all[..], &server_name("api.telegram.org"), &all].concat();
    check(&records(&message(0x0303, PLAIN, &extensions), &[]), Some("api.telegram.org"));
}

#[test]
fn odd_fields_before_the_extensions() {
    let long_session = [&[40][..], &[1; 40], &PLAIN[1..]].concat();
    let odd_ciphers = [&[0, 0, 3, 0x13, 0x01, 0x13][..], &PLAIN[7..]].concat();
    let no_ciphers = [0, 0, 0, 1, 0];
    let no_compression = [0, 0, 2, 0x13, 0x01, 0];
    for middle in [&long_session[..], &odd_ciphers, &no_ciphers, &no_compression] {
        for version in [0x0300, 0x0301, 0x0303, 0x0304, 0x03ff] {
            let message = message(version, middle, &server_name("dropbox.com"));
            check(&records(&message, &[]), Some("dropbox.com"));
        }
    }
    // A hello of SSL 3.0 may end before the extensions.
    let mut short = message(0x0300, PLAIN, &[]);
    short.truncate(short.len() - 2);
    short[3] -= 2;
    check(&records(&short, &[]), None);
}

#[track_caller]
fn check_names(content: &[u8], expected: &[&str]) {
    for after in [Vec::new(), extension(0xffff, b"after")] {
        let extensions = [extension(0, content), after].concat();
        let message = message(0x0303, PLAIN, &extensions);
        let hello = handshake(&message).found().expect("a hello");
        let found: Vec<&str> =
            hello.server_names().map(|name| std::str::from_utf8(name).expect("text")).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn odd_server_names() {
    check_names(&names(&[]), &[]);
    check_names(&[], &[]);
    check_names(&[0], &[]);
    check_names(&names(&[(0, b"A.example.")]), &["A.example."]);
    check_names(&names(&[(0, b"192.0.2.7")]), &["192.0.2.7"]);
    check_names(&names(&[(0, b"a.example"), (0, b"b.example")]), &["a.example", "b.example"]);
    check_names(&names(&[(0, b""), (0, b"b.example")]), &["b.example"]);
    check_names(&names(&[(1, b"not.a.name"), (0, b"b.example")]), &["b.example"]);
    check_names(&names(&[(1, b"not.a.name")]), &[]);
    // The list says it is empty, shorter or longer than it is.
    for length in [0, 5, 0xff] {
        let mut content = names(&[(0, b"a.example")]);
        content[1] = length;
        check_names(&content, &["a.example"]);
    }
    // The name says it is longer than it is: what there is. Shorter: what it says.
    let mut content = names(&[(0, b"a.example")]);
    content[4] = 0xff;
    check_names(&content, &["a.example"]);
    content[4] = 6;
    check_names(&content, &["a.exam"]);
    // Two extensions.
    let extensions = [server_name("a.example"), server_name("b.example")].concat();
    let message = message(0x0303, PLAIN, &extensions);
    let hello = handshake(&message).found().expect("a hello");
    assert_eq!(hello.server_names().collect::<Vec<_>>(), [b"a.example", b"b.example"]);
}

#[test]
fn lengths_beyond_the_message() {
    // The extension is longer than the extensions, and these than the message.
    let mut message = message(0x0303, PLAIN, &server_name("a.example"));
    let extensions = message.len() - server_name("a.example").len();
    for place in [extensions - 1, extensions + 3] {
        let was = message[place];
        message[place] = 0xff;
        check(&records(&message, &[]), Some("a.example"));
        message[place] = was;
    }
    message[extensions - 1] = 0;
    check(&records(&message, &[]), None);
}

#[test]
fn the_limit() {
    let extensions = [extension(0xffff, &[0; 60_000]), server_name("a.example")].concat();
    let message = message(0x0303, PLAIN, &extensions);
    let stream = records(&message, &[16_000; 3]);
    assert_eq!(read(&stream), Progress::Found(Some(b"a.example".to_vec())));
    // Records of one octet each make six of one.
    let stream = records(&message, &vec![1; message.len()]);
    assert_eq!(read(&stream[..10_000]), Progress::NeedMore { at_least: 10_001 });
    assert_eq!(read(&stream[..MAX_STREAM - 6]), Progress::NeedMore { at_least: MAX_STREAM - 5 });
    assert_eq!(read(&stream[..MAX_STREAM]), Progress::NotThis);
    assert_eq!(read(&stream), Progress::NotThis);
    // Empty records without end.
    let stream = [22, 3, 1, 0, 0].repeat(MAX_STREAM / 5 + 1);
    assert_eq!(read(&stream), Progress::NotThis);
    assert_eq!(begins(&stream), Begins::No);
}

#[test]
fn changed_bytes() {
    for (stream, _) in REAL {
        check_mutations(stream, |bytes| {
            let _answer = read(bytes);
            let _name = prefix_name(bytes);
        });
    }
}

/// What tls-parser's own list of extensions makes of a hello that has nothing odd in it.
#[test]
fn tls_parser_agrees() {
    for (stream, name) in REAL {
        let (_, record) = tls_parser::parse_tls_plaintext(stream).expect("a record");
        let tls_parser::TlsMessage::Handshake(tls_parser::TlsMessageHandshake::ClientHello(theirs)) =
            &record.msg[0]
        else {
            panic!("no hello")
        };
        let ours = handshake(&stream[5..]).found().expect("a hello");
        assert_eq!(&ours.fields, theirs);
        let (_, extensions) = tls_parser::parse_tls_client_hello_extensions(theirs.ext.unwrap_or_default())
            .expect("extensions");
        assert_eq!(ours.extensions().count(), extensions.len());
        assert_eq!(ours.server_name(), name.map(str::as_bytes));
    }
}

proptest! {
    #[test]
    fn garbage_after_any_beginning(kept in 0usize..600, garbage in prop::collection::vec(any::<u8>(), 0..300)) {
        for (stream, _) in REAL {
            let bytes = [&stream[..kept.min(stream.len())], &garbage].concat();
            check_begins(&bytes, begins);
            check_prefixes(&bytes, read);
            if let Some(name) = prefix_name(&bytes) {
                prop_assert!(name.len() <= bytes.len());
            }
        }
    }

    #[test]
    fn begins_refuses_no_hello(kept in 0usize..300, sizes in prop::collection::vec(0usize..9, 0..6)) {
        let stream = records(&OPENSSL[5..], &sizes);
        let stream = &stream[..kept.min(stream.len())];
        prop_assert_ne!(begins(stream), Begins::No);
        prop_assert_ne!(read(stream), Progress::NotThis);
    }
}
