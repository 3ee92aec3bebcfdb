//! Stage 2 alone: a frame decoded to its five-tuple and payload.
//!
//! `by_hand` is the floor: the same header slices of etherparse, with none of the tolerance. `sliced_packet` is what
//! etherparse does on its own. Times are of one machine; their ratios in one run are what to compare.

#![allow(clippy::unwrap_used)] // of frames built here

use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use divan::Bencher;
use divan::counter::ItemsCount;
use etherparse::{
    Ethernet2HeaderSlice, Ipv4HeaderSlice, Ipv6HeaderSlice, NetSlice, PacketBuilder, SingleVlanHeaderSlice,
    SlicedPacket, TcpHeaderSlice, TransportSlice, UdpHeaderSlice,
};
use rustc_hash::FxHasher;
use undertone::capture::LinkType;
use undertone::decode::{self, Transport};

fn main() {
    divan::main();
}

/// Frames in turn: enough that a branch predictor does not learn them by heart, few enough for the cache.
const FRAMES: usize = 1024;

/// A five-tuple and a payload's length, as one number: what a flow table asks for.
#[inline]
fn hash(src: &IpAddr, dst: &IpAddr, src_port: u16, dst_port: u16, payload: usize) -> u64 {
    let mut hasher = FxHasher::default();
    (src, dst, src_port, dst_port, payload).hash(&mut hasher);
    hasher.finish()
}

/// Seven of ten frames are TCP, the others UDP; one of ten is IPv6, one of ten carries a VLAN tag. 300 bytes each.
fn plain_frames() -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut frames = Vec::with_capacity(FRAMES);
    for _ in 0..FRAMES {
        let [a, b, c, d, e, kind, tag, tcp] = random().to_le_bytes();
        let link = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let v6 = |last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, last];
        let ip = match (kind % 10, tag % 10) {
            (0, _) => link.ipv6(v6(b), v6(c), 64),
            (_, 0) => link.single_vlan(7.try_into().unwrap()).ipv4([10, 0, a, b], [198, 51, 100, c], 64),
            _ => link.ipv4([10, 0, a, b], [198, 51, 100, c], 64),
        };
        let port = 49_152 + u16::from(d);
        let mut frame = Vec::new();
        if tcp % 10 < 7 {
            let build = ip.tcp(port, 443, u32::from(e), 65_535).ack(1);
            let payload = vec![e; 300 - build.size(0)];
            build.write(&mut frame, &payload).unwrap();
        } else {
            let build = ip.udp(port, 53);
            let payload = vec![e; 300 - build.size(0)];
            build.write(&mut frame, &payload).unwrap();
        }
        frames.push(frame);
    }
    frames
}

fn run(bencher: Bencher<'_, '_>, frames: &[Vec<u8>], decode: impl Fn(&[u8]) -> u64 + Sync) {
    bencher
        .counter(ItemsCount::new(frames.len()))
        .bench(|| frames.iter().fold(0, |sum, frame| sum ^ decode(divan::black_box(frame))));
}

fn ours(frame: &[u8]) -> u64 {
    let decoded = decode::packet(LinkType::ETHERNET, frame, frame.len() as u32);
    let Ok(packet) = &decoded else { return 0 };
    match &packet.transport {
        Transport::Tcp(it) => hash(&packet.src, &packet.dst, it.src_port, it.dst_port, it.payload.len()),
        Transport::Udp(it) => hash(&packet.src, &packet.dst, it.src_port, it.dst_port, it.payload.len()),
        _ => 0,
    }
}

#[divan::bench]
fn plain(bencher: Bencher<'_, '_>) {
    run(bencher, &plain_frames(), ours);
}

#[divan::bench]
fn by_hand(bencher: Bencher<'_, '_>) {
    run(bencher, &plain_frames(), |frame| walk_by_hand(frame).unwrap_or_default());
}

#[divan::bench]
fn sliced_packet(bencher: Bencher<'_, '_>) {
    run(bencher, &plain_frames(), |frame| slice_packet(frame).unwrap_or_default());
}

/// The same frames in a wrapping each: what a mirror port of an overlay network or of an operator delivers.
#[divan::bench(args = ["qinq", "mpls", "pppoe", "gre", "erspan", "vxlan", "vxlan in erspan"])]
fn wrapped(bencher: Bencher<'_, '_>, wrapping: &str) {
    let frames: Vec<Vec<u8>> = plain_frames().iter().map(|frame| wrap(frame, wrapping)).collect();
    assert!(frames.iter().all(|frame| ours(frame) != 0));
    run(bencher, &frames, ours);
}

fn wrap(frame: &[u8], wrapping: &str) -> Vec<u8> {
    let (addresses, rest) = frame.split_at(12);
    let (ether_type, ip) = rest.split_at(2);
    match wrapping {
        "qinq" => [addresses, &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6], rest].concat(),
        // A pseudowire, for the frames with a tag; their label stack cannot say that they are no IP.
        "mpls" => [addresses, &[0x88, 0x47, 0, 1, 0, 64, 0, 1, 1, 64, 0, 0, 0, 0], frame].concat(),
        "pppoe" => {
            let protocol = match ether_type {
                [0x08, 0] => 0x21,
                [0x86, _] => 0x57,
                // PPP carries no VLAN tags: the tag's frame stays as it is.
                _ => return frame.to_vec(),
            };
            let [high, low] = (ip.len() as u16 + 2).to_be_bytes();
            [addresses, &[0x88, 0x64, 0x11, 0, 0, 7, high, low, 0, protocol], ip].concat()
        }
        "gre" => in_ip(47, &[&[0x20, 0, 0x65, 0x58, 0, 0, 0, 9], frame].concat()),
        "erspan" => {
            in_ip(47, &[&[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 7, 0, 0, 0, 0], frame].concat())
        }
        "vxlan" => {
            let [high, low] = (frame.len() as u16 + 16).to_be_bytes();
            in_ip(17, &[&[0xc0, 0, 0x12, 0xb5, high, low, 0, 0, 8, 0, 0, 0, 0, 0, 9, 0], frame].concat())
        }
        _ => wrap(&wrap(frame, "vxlan"), "erspan"),
    }
}

/// An Ethernet frame with an IPv4 packet.
fn in_ip(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = (payload.len() as u16 + 20).to_be_bytes();
    let header = [0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2];
    [&[2, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 4, 0x08, 0][..], &header, payload].concat()
}

fn walk_by_hand(frame: &[u8]) -> Option<u64> {
    let ethernet = Ethernet2HeaderSlice::from_slice(frame).ok()?;
    let mut rest = frame.get(14..)?;
    let mut ether_type = ethernet.ether_type().0;
    while ether_type == 0x8100 {
        let tag = SingleVlanHeaderSlice::from_slice(rest).ok()?;
        rest = rest.get(4..)?;
        ether_type = tag.ether_type().0;
    }
    let (src, dst, protocol): (IpAddr, IpAddr, u8) = match ether_type {
        0x0800 => {
            let header = Ipv4HeaderSlice::from_slice(rest).ok()?;
            rest = rest.get(header.slice().len()..usize::from(header.total_len()))?;
            (header.source_addr().into(), header.destination_addr().into(), header.protocol().0)
        }
        0x86dd => {
            let header = Ipv6HeaderSlice::from_slice(rest).ok()?;
            rest = rest.get(40..)?.get(..usize::from(header.payload_length()))?;
            (header.source_addr().into(), header.destination_addr().into(), header.next_header().0)
        }
        _ => return None,
    };
    match protocol {
        6 => {
            let header = TcpHeaderSlice::from_slice(rest).ok()?;
            let payload = rest.get(header.slice().len()..)?;
            Some(hash(&src, &dst, header.source_port(), header.destination_port(), payload.len()))
        }
        17 => {
            let header = UdpHeaderSlice::from_slice(rest).ok()?;
            let payload = rest.get(8..usize::from(header.length()))?;
            Some(hash(&src, &dst, header.source_port(), header.destination_port(), payload.len()))
        }
        _ => None,
    }
}

fn slice_packet(frame: &[u8]) -> Option<u64> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let (src, dst): (IpAddr, IpAddr) = match packet.net? {
        NetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        NetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return None,
    };
    match packet.transport? {
        TransportSlice::Tcp(it) => {
            Some(hash(&src, &dst, it.source_port(), it.destination_port(), it.payload().len()))
        }
        TransportSlice::Udp(it) => {
            Some(hash(&src, &dst, it.source_port(), it.destination_port(), it.payload().len()))
        }
        _ => None,
    }
}
