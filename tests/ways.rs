//! What a mirror port does to packets: what they came through is told, and what came twice is counted once.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so")]

mod common;

use common::packets::{self, FIRST, hello, pcap, tcp};
use common::{Replayed, replay};
use undertone::decode::{Path, TunnelKind};

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
