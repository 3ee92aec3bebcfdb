//! Frames as data: each layer's frames in tables, and what is true of every one of them however it is cut or damaged.

#![allow(clippy::indexing_slicing)] // of frames that the tests made themselves

use std::net::IpAddr;

use etherparse::{LaxSlicedPacket, NetSlice, SlicedPacket, TransportSlice};
use proptest::prelude::*;

use super::*;

mod wrap;
mod wrappings;

/// What every frame of the tables carries.
const PAYLOAD: &[u8] = b"the payload of every frame";
const SRC_PORT: u16 = 49152;
const DST_PORT: u16 = 443;
const SEQ: u32 = 0x0102_0304;

use wrap::{eth, join, tcp, udp, v4, v4_with, v6, vlan};

fn v4_ends() -> (IpAddr, IpAddr) {
    (wrap::V4.0.into(), wrap::V4.1.into())
}

fn v6_ends() -> (IpAddr, IpAddr) {
    (wrap::V6.0.into(), wrap::V6.1.into())
}

/// A frame that carries [`PAYLOAD`] between the addresses and ports of the builders.
#[derive(Clone, Debug)]
struct Case {
    name: &'static str,
    link: LinkType,
    frame: Vec<u8>,
    ends: (IpAddr, IpAddr),
}

fn tcp_payload(packet: &Packet<'_>) -> Option<(u16, u16, Vec<u8>, u32)> {
    match packet.transport {
        Transport::Tcp(it) => Some((it.src_port, it.dst_port, it.payload.to_vec(), it.wire_len)),
        Transport::Udp(it) => Some((it.src_port, it.dst_port, it.payload.to_vec(), it.wire_len)),
        _ => None,
    }
}

/// An IPv6 extension header of eight bytes whose next header is `next`.
fn extension(next: u8, inner: &[u8]) -> Vec<u8> {
    join(&[&[next, 0, 1, 4, 0, 0, 0, 0], inner])
}

fn cases() -> Vec<Case> {
    let in_v4 = || v4(6, &tcp(&[], PAYLOAD));
    let in_v6 = || v6(17, &udp(PAYLOAD));
    let mut cases = Vec::new();
    let mut v4_case = |name, link, frame| cases.push(Case { name, link, frame, ends: v4_ends() });

    v4_case("tcp", LinkType::ETHERNET, eth(0x0800, &in_v4()));
    v4_case("tcp options", LinkType::ETHERNET, eth(0x0800, &v4(6, &tcp(&[1; 40], PAYLOAD))));
    v4_case("udp", LinkType::ETHERNET, eth(0x0800, &v4(17, &udp(PAYLOAD))));
    v4_case("ipv4 options", LinkType::ETHERNET, eth(0x0800, &v4_with(&[1; 40], 0, 17, &udp(PAYLOAD))));
    v4_case("padding", LinkType::ETHERNET, join(&[&eth(0x0800, &in_v4()), &[0xee; 9]]));
    v4_case("ah in ipv4", LinkType::ETHERNET, {
        let ah = join(&[&[17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], &[0xaa; 12], &udp(PAYLOAD)]);
        eth(0x0800, &v4(51, &ah))
    });
    for (name, tag) in [("8100", 0x8100), ("88a8", 0x88a8), ("9100", 0x9100), ("9200", 0x9200)] {
        v4_case(name, LinkType::ETHERNET, eth(tag, &vlan(7, 0x0800, &in_v4())));
    }
    v4_case("as many tags as may be", LinkType::ETHERNET, {
        let tags =
            (1..ethernet::MAX_VLAN_TAGS).fold(vlan(7, 0x0800, &in_v4()), |inner, _| vlan(8, 0x8100, &inner));
        eth(0x88a8, &tags)
    });
    v4_case(
        "sll",
        LinkType::LINUX_SLL,
        join(&[&[0, 4, 0xff, 0xfe, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0], &in_v4()]),
    );
    v4_case(
        "sll2",
        LinkType::LINUX_SLL2,
        join(&[&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0], &in_v4()]),
    );
    v4_case(
        "sll with a tag",
        LinkType::LINUX_SLL,
        join(&[&[0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 0x81, 0], &vlan(7, 0x0800, &in_v4())]),
    );
    v4_case("raw", LinkType::RAW, in_v4());
    v4_case("raw 12", LinkType(12), in_v4());
    v4_case("raw ipv4", LinkType::IPV4, in_v4());
    v4_case("null little", LinkType::NULL, join(&[&[2, 0, 0, 0], &in_v4()]));
    v4_case("null big", LinkType::NULL, join(&[&[0, 0, 0, 2], &in_v4()]));
    v4_case("loop", LinkType::LOOP, join(&[&[0, 0, 0, 2], &in_v4()]));

    let mut v6_case = |name, link, frame| cases.push(Case { name, link, frame, ends: v6_ends() });
    v6_case("ipv6 udp", LinkType::ETHERNET, eth(0x86dd, &in_v6()));
    v6_case("ipv6 tcp", LinkType::ETHERNET, eth(0x86dd, &v6(6, &tcp(&[], PAYLOAD))));
    v6_case("ipv6 padding", LinkType::ETHERNET, join(&[&eth(0x86dd, &in_v6()), &[0xee; 9]]));
    v6_case("raw ipv6", LinkType::IPV6, in_v6());
    v6_case("raw, of version 6", LinkType::RAW, in_v6());
    for family in [10, 24, 28, 30] {
        v6_case("null ipv6 little", LinkType::NULL, join(&[&[family, 0, 0, 0], &in_v6()]));
        v6_case("loop ipv6", LinkType::LOOP, join(&[&[0, 0, 0, family], &in_v6()]));
    }
    for kind in [0, 43, 60, 135, 139, 140] {
        v6_case("an extension header", LinkType::IPV6, v6(kind, &extension(17, &udp(PAYLOAD))));
    }
    v6_case(
        "atomic fragment",
        LinkType::IPV6,
        v6(44, &join(&[&[6, 0, 0, 0, 0, 0, 0, 9], &tcp(&[], PAYLOAD)])),
    );
    v6_case("extension headers in no order", LinkType::IPV6, {
        let chain = extension(17, &udp(PAYLOAD));
        let chain = join(&[&[0, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2], &[0xaa; 12], &chain]);
        v6(43, &extension(60, &extension(51, &chain)))
    });
    v6_case("as many extension headers as may be", LinkType::IPV6, {
        let chain = extension(6, &tcp(&[], PAYLOAD));
        v6(60, &(1..net::MAX_EXTENSIONS).fold(chain, |inner, _| extension(60, &inner)))
    });
    cases
}

#[test]
fn every_layer_is_walked_to_the_payload() {
    for Case { name, link, frame, ends } in cases() {
        let packet = packet(link, &frame, wire_len(&frame)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((packet.src, packet.dst), ends, "{name}");
        let (src_port, dst_port, payload, wire) = tcp_payload(&packet).unwrap();
        assert_eq!((src_port, dst_port, wire), (SRC_PORT, DST_PORT, wire_len(PAYLOAD)), "{name}");
        assert_eq!(payload, PAYLOAD, "{name}");
        if let Transport::Tcp(segment) = packet.transport {
            assert_eq!((segment.seq, segment.ack, segment.flags), (SEQ, 9, TcpFlags(0x18)), "{name}");
        }
    }
}

/// However many of its bytes a snap length left, a frame is a refusal of a short header or the same packet with less
/// payload, whose length on the wire stays.
#[test]
fn a_cut_frame_is_refused_or_has_less_payload() {
    for Case { name, link, frame, ends } in cases() {
        let mut found = 0;
        for cut in 0..frame.len() {
            match packet(link, &frame[..cut], wire_len(&frame)) {
                Ok(packet) => {
                    found += 1;
                    let (src_port, dst_port, payload, wire) = tcp_payload(&packet).unwrap();
                    assert_eq!((packet.src, packet.dst), ends, "{name} cut at {cut}");
                    assert_eq!((src_port, dst_port, wire), (SRC_PORT, DST_PORT, wire_len(PAYLOAD)), "{name}");
                    assert!(PAYLOAD.starts_with(&payload), "{name} cut at {cut}");
                }
                Err(Refusal::Malformed(malformed)) => {
                    assert_eq!(found, 0, "{name} cut at {cut}: a shorter cut was decoded");
                    assert!(malformed.needed > malformed.got, "{name} cut at {cut}: {malformed:?}");
                    assert!(malformed.offset + malformed.got == cut, "{name} cut at {cut}: {malformed:?}");
                }
                Err(refusal) => panic!("{name} cut at {cut}: {refusal}"),
            }
        }
        assert!(found >= PAYLOAD.len(), "{name}: {found}");
    }
}

#[test]
fn no_damage_to_one_byte_reaches_beyond_the_frame() {
    for Case { name, link, mut frame, .. } in cases() {
        for place in 0..frame.len() {
            let kept = frame[place];
            for value in 0..=255 {
                frame[place] = value;
                check_bounds(name, link, &frame, frame.len());
                check_bounds(name, link, &frame, frame.len() / 2);
            }
            frame[place] = kept;
        }
    }
}

/// Whatever the bytes, a payload lies in the captured part of the frame and its length on the wire is no less.
fn check_bounds(name: &str, link: LinkType, frame: &[u8], captured: usize) {
    let frame = &frame[..captured];
    let Ok(packet) = packet(link, frame, wire_len(frame)) else { return };
    let (payload, wire) = match packet.transport {
        Transport::Tcp(it) => (it.payload, it.wire_len),
        Transport::Udp(it) => (it.payload, it.wire_len),
        Transport::Fragment(it) => (it.payload, it.wire_len),
        Transport::Other(_) => return,
    };
    assert!(payload.len() <= wire as usize, "{name}");
    let (start, end) = (frame.as_ptr().addr(), frame.as_ptr().addr() + frame.len());
    let payload = payload.as_ptr().addr()..payload.as_ptr().addr() + payload.len();
    assert!(payload.is_empty() || (start <= payload.start && payload.end <= end), "{name}");
}

fn on_ethernet() -> Vec<Case> {
    cases().into_iter().filter(|case| case.link == LinkType::ETHERNET).collect()
}

fn wire_len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

fn check_refused(link: LinkType, frame: &[u8], expected: Refusal) {
    assert_eq!(packet(link, frame, wire_len(frame)), Err(expected), "{frame:02x?}");
}

#[test]
fn refusals_name_the_layer() {
    let malformed = |layer, needed, got, offset| Refusal::Malformed(Malformed { layer, needed, got, offset });
    let ethernet = LinkType::ETHERNET;
    let segment = tcp(&[], PAYLOAD);

    check_refused(ethernet, &eth(0x0806, &[0; 28]), Refusal::Unsupported(Layer::Ethernet, 0x0806));
    check_refused(ethernet, &eth(0x88cc, &[0; 28]), Refusal::Unsupported(Layer::Ethernet, 0x88cc));
    check_refused(
        ethernet,
        &eth(0x8100, &vlan(1, 0x0806, &[0; 28])),
        Refusal::Unsupported(Layer::Vlan, 0x0806),
    );
    check_refused(LinkType(999), &[0; 60], Refusal::Unsupported(Layer::Link, 999));
    check_refused(LinkType::RAW, &[0x50; 60], Refusal::Unsupported(Layer::Link, 5));
    check_refused(LinkType::NULL, &[7, 0, 0, 0, 0, 0, 0, 0], Refusal::Unsupported(Layer::Loopback, 7));
    check_refused(ethernet, &[], malformed(Layer::Ethernet, 14, 0, 0));
    check_refused(ethernet, &eth(0x0800, &[]), malformed(Layer::Ipv4, 20, 0, 14));
    check_refused(ethernet, &eth(0x0800, &[0x44; 20]), malformed(Layer::Ipv4, 20, 16, 14));
    check_refused(ethernet, &eth(0x0800, &v6(6, &segment)), malformed(Layer::Ipv4, 20, 0, 14));
    check_refused(ethernet, &eth(0x86dd, &v4(17, &udp(PAYLOAD))), malformed(Layer::Ipv6, 40, 0, 14));

    let mut short_total = eth(0x0800, &v4(6, &segment));
    short_total[16..18].copy_from_slice(&[0, 19]);
    check_refused(ethernet, &short_total, malformed(Layer::Ipv4, 20, 19, 14));
    let mut no_header = segment.clone();
    no_header[12] = 0x40;
    check_refused(LinkType::RAW, &v4(6, &no_header), malformed(Layer::Tcp, 20, 16, 20));
    let mut beyond_the_end = tcp(&[], &[]);
    beyond_the_end[12] = 0xf0;
    check_refused(LinkType::RAW, &v4(6, &beyond_the_end), malformed(Layer::Tcp, 60, 20, 20));
    let mut short_udp = udp(PAYLOAD);
    short_udp[4..6].copy_from_slice(&[0, 7]);
    check_refused(LinkType::RAW, &v4(17, &short_udp), malformed(Layer::Udp, 8, 7, 20));

    let tags = (0..=ethernet::MAX_VLAN_TAGS).fold(v4(6, &segment), |inner, _| vlan(1, 0x8100, &inner));
    check_refused(ethernet, &eth(0x8100, &tags), Refusal::TooDeep(Layer::Vlan));
    let chain = (0..=net::MAX_EXTENSIONS).fold(segment, |inner, _| extension(60, &inner));
    check_refused(LinkType::RAW, &v6(60, &chain), Refusal::TooDeep(Layer::Ipv6Extension));
}

/// What segmentation offload and careless senders leave in length fields.
#[test]
fn lengths_that_say_nothing_leave_the_payload_whole() {
    let check = |name, frame: &[u8], ends| {
        let packet =
            packet(LinkType::RAW, frame, wire_len(frame)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((packet.src, packet.dst), ends, "{name}");
        let expected = (SRC_PORT, DST_PORT, PAYLOAD.to_vec(), wire_len(PAYLOAD));
        assert_eq!(tcp_payload(&packet), Some(expected), "{name}");
    };
    let mut frame = v4(6, &tcp(&[], PAYLOAD));
    frame[2..4].copy_from_slice(&[0, 0]);
    check("total length 0", &frame, v4_ends());
    let mut frame = v6(6, &tcp(&[], PAYLOAD));
    frame[4..6].copy_from_slice(&[0, 0]);
    check("payload length 0", &frame, v6_ends());
    for length in [[0, 0], [0xff, 0xff]] {
        let mut frame = v4(17, &udp(PAYLOAD));
        frame[24..26].copy_from_slice(&length);
        check("udp length", &frame, v4_ends());
    }
    let mut frame = v4(17, &join(&[&udp(PAYLOAD), b"behind the datagram"]));
    frame[24..26].copy_from_slice(&(8 + PAYLOAD.len() as u16).to_be_bytes());
    check("udp length within the ip packet", &frame, v4_ends());
}

#[test]
fn a_length_on_the_wire_is_the_headers_or_else_the_captures() {
    let mut frame = v4(6, &tcp(&[], PAYLOAD));
    let wire = |frame: &[u8], wire| tcp_payload(&packet(LinkType::RAW, frame, wire).unwrap()).unwrap().3;
    assert_eq!(wire(&frame, 9000), wire_len(PAYLOAD), "padding that was not captured is none of the payload");
    assert_eq!(wire(&frame, 0), wire_len(PAYLOAD), "a capture that says too little");
    frame[2..4].copy_from_slice(&9000u16.to_be_bytes());
    assert_eq!(wire(&frame, 9000), 9000 - 40, "a jumbo frame that was cut");
    frame[2..4].copy_from_slice(&[0, 0]);
    assert_eq!(wire(&frame, 65_000), 65_000 - 40, "segmentation offload that was cut");
}

#[test]
fn fragments_are_given_as_they_are() {
    let check = |frame: &[u8], ends, expected: Fragment<'_>| {
        let packet = packet(LinkType::RAW, frame, wire_len(frame)).unwrap();
        assert_eq!((packet.src, packet.dst), ends);
        assert_eq!(packet.transport, Transport::Fragment(expected));
    };
    let part = |id, offset, more| Fragment {
        id,
        protocol: 17,
        offset,
        more,
        payload: PAYLOAD,
        wire_len: wire_len(PAYLOAD),
    };
    check(&v4_with(&[], 0x2000, 17, PAYLOAD), v4_ends(), part(0x1234, 0, true));
    check(&v4_with(&[], 0x2001, 17, PAYLOAD), v4_ends(), part(0x1234, 8, true));
    check(&v4_with(&[1; 4], 0x1fff, 17, PAYLOAD), v4_ends(), part(0x1234, 65_528, false));
    for (word, offset, more) in [(1u16, 0, true), (8, 8, false), (0xfff9, 65_528, true)] {
        let fragment = join(&[&[17, 0], &word.to_be_bytes(), &[0xde, 0xad, 0xbe, 0xef], PAYLOAD]);
        check(&v6(44, &fragment), v6_ends(), part(0xdead_beef, offset, more));
        check(&v6(60, &extension(44, &fragment)), v6_ends(), part(0xdead_beef, offset, more));
    }
}

#[test]
fn an_identification_is_that_of_the_innermost_ipv4_header() {
    let check = |link, frame: &[u8], expected| {
        assert_eq!(identification(link, frame, wire_len(frame)), expected, "{frame:02x?}");
    };
    let plain = v4(6, &tcp(&[], PAYLOAD));
    let mut inner = plain.clone();
    inner[4..6].copy_from_slice(&[0x56, 0x78]);
    check(LinkType::RAW, &plain, 0x1234);
    check(LinkType::ETHERNET, &eth(0x8100, &vlan(7, 0x0800, &plain)), 0x1234);
    check(LinkType::RAW, &v4(4, &inner), 0x5678);
    check(LinkType::RAW, &v6(4, &inner), 0x5678);
    check(LinkType::RAW, &v4_with(&[], 0x2001, 17, PAYLOAD), 0x1234);
    // IPv6 has none; a frame that is refused has none.
    check(LinkType::RAW, &v6(6, &tcp(&[], PAYLOAD)), 0);
    check(LinkType::RAW, &v4(41, &v6(6, &tcp(&[], PAYLOAD))), 0);
    check(LinkType::RAW, &plain[..30], 0);
}

/// A packet is written for every frame: what grows it is paid by all. A refusal takes no room of its own.
#[test]
fn a_packet_stays_small() {
    assert!(size_of::<Packet<'_>>() <= 136);
    assert_eq!(size_of::<Result<Packet<'_>, Refusal>>(), size_of::<Packet<'_>>());
}

#[test]
fn other_protocols_keep_their_number() {
    for number in [1, 2, 50, 58, 59, 132, 255] {
        assert_eq!(
            packet(LinkType::RAW, &v6(number, PAYLOAD), 66).unwrap().transport,
            Transport::Other(number)
        );
    }
    // A number that means an extension header in IPv6 alone.
    assert_eq!(packet(LinkType::RAW, &v4(60, PAYLOAD), 46).unwrap().transport, Transport::Other(60));
}

/// Compares with etherparse's own walk where both know the layers: what it decodes we decode alike.
fn check_against_etherparse(frame: &[u8]) {
    let ours = packet(LinkType::ETHERNET, frame, wire_len(frame));
    let Ok(theirs) = SlicedPacket::from_ethernet(frame) else { return };
    let (src, dst): (IpAddr, IpAddr) = match &theirs.net {
        Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return,
    };
    let expected = match &theirs.transport {
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port(), tcp.payload()),
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port(), udp.payload()),
        _ => return,
    };
    let ours = ours.unwrap_or_else(|refusal| panic!("{refusal}: {frame:02x?}"));
    assert_eq!((ours.src, ours.dst), (src, dst), "{frame:02x?}");
    let (src_port, dst_port, payload, _) = tcp_payload(&ours).unwrap();
    assert_eq!((src_port, dst_port, &payload[..]), expected, "{frame:02x?}");
}

/// What etherparse's lenient walk decodes of a frame that lies about its lengths, we decode too.
fn check_against_lax_etherparse(frame: &[u8]) {
    let Ok(theirs) = LaxSlicedPacket::from_ethernet(frame) else { return };
    let ports = match &theirs.transport {
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
        _ => return,
    };
    match packet(LinkType::ETHERNET, frame, wire_len(frame)) {
        Ok(ours) => {
            let (src_port, dst_port, ..) = tcp_payload(&ours).unwrap();
            assert_eq!((src_port, dst_port), ports, "{frame:02x?}");
        }
        // It takes headers for whole that a length field cuts; we do not.
        Err(refusal) => assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}: {frame:02x?}"),
    }
}

proptest! {
    #[test]
    fn garbage_of_any_link_type_is_decoded_or_refused(
        link in prop_oneof![
            Just(0u16), Just(1), Just(9), Just(12), Just(50), Just(51), Just(101), Just(105), Just(108),
            Just(113), Just(127), Just(228), Just(229), Just(239), Just(276), any::<u16>(),
        ],
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        check_bounds("garbage", LinkType(link), &bytes, bytes.len());
    }

    #[test]
    fn etherparse_decodes_alike(
        case in prop::sample::select(on_ethernet()),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut frame = case.frame;
        for (place, value) in damage {
            let place = place.index(frame.len());
            frame[place] = value;
        }
        if is_cut {
            frame.truncate(cut.index(frame.len()));
        }
        check_against_etherparse(&frame);
        check_against_lax_etherparse(&frame);
    }
}
