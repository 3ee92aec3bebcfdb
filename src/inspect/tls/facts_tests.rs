//! ClientHellos by hand and of real clients: what they say beside the name.
#![allow(clippy::indexing_slicing, clippy::string_slice)]

use super::tests::{
    CHROMIUM, CURL, FIREFOX, ODD_EXTENSIONS, OPENSSL_NONAME, PLAIN, REAL, extension, message,
};
use super::*;
use crate::inspect::testing::{check_mutations, hex};

fn facts(stream: &[u8]) -> HelloFacts {
    client_hello(stream, &mut Vec::new()).found().expect("a hello").facts(Over::Tcp)
}

fn facts_of(extensions: &[u8]) -> HelloFacts {
    handshake(&message(0x0303, PLAIN, extensions)).found().expect("a hello").facts(Over::Quic)
}

#[test]
fn real_clients() {
    let chromium = facts(CHROMIUM);
    assert_eq!(chromium.alpn, ["h2", "http/1.1"]);
    assert_eq!(chromium.versions, [0x0304, 0x0303]);
    assert!(chromium.grease && chromium.ml_kem && chromium.whole && !chromium.esni);
    let ech = chromium.ech.expect("GREASE that looks like ECH");
    assert_eq!((ech.kdf, ech.aead, ech.enc), (1, 1, 32));
    assert!(ech.payload >= 128, "{ech:?}");

    let firefox = facts(FIREFOX);
    assert!(!firefox.grease && firefox.ml_kem && firefox.ech.is_some());

    let curl = facts(CURL);
    assert_eq!(curl.alpn, ["h2", "http/1.1"]);
    assert_eq!((curl.grease, curl.ml_kem, curl.ech, curl.padding.is_some()), (false, false, None, true));

    let openssl = facts(OPENSSL_NONAME);
    assert_eq!((openssl.versions.as_slice(), openssl.alpn.len()), (&[0x0303][..], 0));

    let of_browsers = [&chromium, &firefox, &curl, &openssl].map(|facts| facts.browsers_extension);
    assert_eq!(of_browsers, [true, true, false, false]);
    assert!(
        facts_of(&[0x44, 0x69, 0, 0]).browsers_extension && !facts_of(&[0x44, 0x6a, 0, 0]).browsers_extension
    );
}

/// The example of the specification.
#[test]
fn ja4_of_the_specification() {
    let extensions: Vec<u8> = [
        extension(0x001b, &[2, 0, 2]),
        extension(0, &[]),
        extension(0x0033, &[]),
        extension(0x0010, b"\x00\x0c\x02h2\x08http/1.1"),
        extension(0x4469, &[]),
        extension(0x0017, &[]),
        extension(0x002d, &[]),
        extension(0x000d, &hex("0010 0403 0804 0401 0503 0805 0501 0806 0601")),
        extension(0x0005, &[]),
        extension(0x0023, &[]),
        extension(0x0012, &[]),
        extension(0x002b, &hex("06 3a3a 0304 0303")),
        extension(0xff01, &[0]),
        extension(0x000b, &[]),
        extension(0x000a, &[]),
        extension(0x0015, &[]),
        extension(0x8a8a, &[]),
    ]
    .concat();
    let ciphers = hex("0020 9a9a 1301 1302 1303 c02b c02f c02c c030 cca9 cca8 c013 c014 009c 009d 002f 0035");
    let middle = [&[0][..], &ciphers, &[1, 0]].concat();
    let message = message(0x0303, &middle, &extensions);
    let hello = handshake(&message).found().expect("a hello");
    let ja4 = |over| hello.facts(over).ja4.expect("whole").to_string();
    assert_eq!(ja4(Over::Tcp), "t13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_eq!(ja4(Over::Quic), "q13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_eq!(ja4(Over::Dtls), "d13d1516h2_8daaf6152771_e5627efa2ab1");
    assert_eq!(handshake_prefix(&message[..150]).expect("a hello").facts(Over::Tcp).ja4, None);
}

fn ja4_of(version: u16, middle: &[u8], extensions: &[u8]) -> String {
    let message = message(version, middle, extensions);
    let hello = handshake(&message).found().expect("a hello");
    hello.facts(Over::Tcp).ja4.expect("whole").to_string()
}

#[test]
fn ja4_of_little() {
    assert_eq!(ja4_of(0x0301, &[0, 0, 0, 0], &[]), "t10i000000_000000000000_000000000000");
    assert_eq!(ja4_of(0x0300, &[0, 0, 0, 0], &[]), "ts3i000000_000000000000_000000000000");
    assert_eq!(ja4_of(0x0355, &[0, 0, 0, 0], &[]), "t00i000000_000000000000_000000000000");
    let middle = [&[0, 0, 240][..], &[0x13; 240], &[0]].concat();
    assert_eq!(&ja4_of(0x0303, &middle, &extension(1, &[]).repeat(120))[..10], "t12i999900");
    // DTLS counts its versions downwards.
    let versions = extension(43, &hex("04 fefd fefc"));
    assert_eq!(&ja4_of(0xfefd, &[0, 0, 0, 0, 0], &versions)[..3], "td3");
}

#[test]
fn ja4_of_odd_protocols() {
    for (protocol, characters) in [
        (&[0xab][..], "ab"),
        (&[0xab, 0xcd], "ad"),
        (&[0x30, 0xab], "3b"),
        (&[0x30, 0x31, 0xab, 0xcd], "3d"),
        (&[0x30, 0xab, 0xcd, 0x31], "01"),
        (b"h", "hh"),
        (b" ", "20"),
        (b"", "00"),
    ] {
        let list = [&[protocol.len() as u8], protocol].concat();
        let content = [&[0, list.len() as u8], &list[..]].concat();
        let ja4 = ja4_of(0x0303, PLAIN, &extension(16, &content));
        assert_eq!(&ja4[8..10], characters, "{protocol:?}");
    }
}

#[test]
fn encrypted_hellos() {
    let outer = hex("00 0001 0003 2a 0003 aabbcc 0002 ddee");
    let offer = EchOffer { config_id: 0x2a, kdf: 1, aead: 3, enc: 3, payload: 2, kind: EchKind::Unknown };
    assert_eq!(facts_of(&extension(0xfe0d, &outer)).ech, Some(offer));
    for cut in 0..outer.len() - 2 {
        assert_eq!(facts_of(&extension(0xfe0d, &outer[..cut])).ech, None);
    }
    assert_eq!(facts_of(&extension(0xfe0d, &[1])).ech, None);
    assert!(facts_of(&extension(0xffce, &[])).esni);
}

#[test]
fn odd_content_is_no_trouble() {
    for (kind, data) in ODD_EXTENSIONS {
        assert!(facts_of(&extension(*kind, data)).ja4.is_some());
    }
    for (stream, _) in REAL {
        check_mutations(stream, |bytes| {
            if let Some(hello) = client_hello_prefix(bytes, &mut Vec::new()) {
                assert_eq!(hello.facts(Over::Tcp).ja4.is_some(), hello.whole);
            }
        });
    }
}
