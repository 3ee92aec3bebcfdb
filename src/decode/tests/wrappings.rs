//! Packets in wrappings: any legal nest of them decodes to the same packet, and says what it was wrapped in.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU16;

use super::wrap::{udp_ports, v4_between, v6_between};
use super::*;
use crate::decode::path::{Path, Tunnel, TunnelKind};
use crate::decode::walk::MAX_DEPTH;

/// One wrapping. Numbers are identifiers.
#[derive(Clone, Copy, Debug)]
enum Wrapping {
    Ethernet,
    /// An 802.3 length, LLC and SNAP.
    Snap,
    Vlan {
        tpid: u16,
        id: u16,
    },
    Mpls {
        labels: u8,
        control_word: bool,
    },
    Pppoe {
        compressed: bool,
    },
    ProviderBackbone,
    Gre {
        outer: Outer,
        checksum: bool,
        key: Option<u32>,
        sequence: bool,
        route: bool,
    },
    Pptp {
        outer: Outer,
        call: u16,
        acknowledges: bool,
    },
    Erspan1 {
        outer: Outer,
    },
    Erspan2 {
        outer: Outer,
        session: u16,
    },
    Erspan3 {
        outer: Outer,
        session: u16,
        platform: bool,
    },
    IpInIp {
        outer: Outer,
    },
    EtherIp {
        outer: Outer,
    },
    MplsInIp {
        outer: Outer,
    },
    Vxlan {
        outer: Outer,
        port: u16,
        id: u32,
    },
    VxlanGpe {
        outer: Outer,
        id: u32,
    },
    GreInUdp {
        outer: Outer,
    },
    MplsInUdp {
        outer: Outer,
    },
    Ayiya {
        outer: Outer,
    },
    Aruba {
        outer: Outer,
    },
    Nsh {
        words: u8,
    },
    CiscoMetadata,
    Geneve {
        outer: Outer,
        options: u8,
        id: u32,
    },
    GtpU {
        outer: Outer,
        id: u32,
        sequence: bool,
        extensions: u8,
    },
    Teredo {
        outer: Outer,
        authentication: Option<u8>,
        origin: bool,
    },
    L2tp {
        outer: Outer,
        id: u32,
        length: bool,
        sequence: bool,
        offset: Option<u8>,
    },
}

/// The packet around a tunnel: its version, and the last byte of its addresses.
#[derive(Clone, Copy, Debug)]
enum Outer {
    V4(u8),
    V6(u8),
}

impl Outer {
    fn wrap(self, protocol: u8, inner: &[u8]) -> Vec<u8> {
        match (self, self.ends()) {
            (_, (IpAddr::V4(src), IpAddr::V4(dst))) => {
                v4_between((src.octets(), dst.octets()), protocol, inner)
            }
            (_, (IpAddr::V6(src), IpAddr::V6(dst))) => {
                v6_between((src.octets(), dst.octets()), protocol, inner)
            }
            _ => unreachable!(),
        }
    }

    fn ends(self) -> (IpAddr, IpAddr) {
        match self {
            Self::V4(last) => (Ipv4Addr::new(10, 0, 0, last).into(), Ipv4Addr::new(10, 0, 1, last).into()),
            Self::V6(last) => {
                let end = |half| Ipv6Addr::new(0xfd00, 0, 0, half, 0, 0, 0, u16::from(last)).into();
                (end(0), end(1))
            }
        }
    }

    fn ether_type(self) -> u16 {
        match self {
            Self::V4(_) => 0x0800,
            Self::V6(_) => 0x86dd,
        }
    }
}

/// Something wrapped, and what decoding it has to say.
#[derive(Clone, Debug)]
struct Wrapped {
    /// What it is; 0x6558 for an Ethernet frame.
    ether_type: u16,
    bytes: Vec<u8>,
    /// From the outside in.
    vlans: Vec<u16>,
    tunnels: Vec<Tunnel>,
    /// How often it counts towards the limit on nesting.
    nesting: usize,
}

impl Wrapped {
    fn plain(v6_inside: bool, tcp_inside: bool) -> Self {
        let (protocol, transport) = if tcp_inside { (6, tcp(&[], PAYLOAD)) } else { (17, udp(PAYLOAD)) };
        let (ether_type, bytes) =
            if v6_inside { (0x86dd, v6(protocol, &transport)) } else { (0x0800, v4(protocol, &transport)) };
        Self { ether_type, bytes, vlans: Vec::new(), tunnels: Vec::new(), nesting: 0 }
    }

    fn is_ip(&self) -> bool {
        matches!(self.ether_type, 0x0800 | 0x86dd)
    }

    /// As an Ethernet frame; one that it is already stays.
    fn framed(self) -> Self {
        if self.ether_type == 0x6558 { self } else { self.wrap(Wrapping::Ethernet) }
    }

    /// The number by which NSH and VXLAN-GPE announce it; NSH itself counts its own nesting.
    fn service_protocol(&self) -> Option<u8> {
        Some(match self.ether_type {
            0x0800 => 1,
            0x86dd => 2,
            0x6558 => 3,
            0x894f => 4,
            0x8847 => 5,
            _ => return None,
        })
    }

    fn becomes(mut self, ether_type: u16, bytes: Vec<u8>) -> Self {
        self.ether_type = ether_type;
        self.bytes = bytes;
        self
    }

    fn nested(mut self) -> Self {
        self.nesting += 1;
        self
    }

    fn through(mut self, kind: TunnelKind, id: u32, outer: Outer, protocol: u8, inner: &[u8]) -> Self {
        let (src, dst) = outer.ends();
        self.tunnels.insert(0, Tunnel { kind, id, src, dst });
        self.nesting += 1;
        self.becomes(outer.ether_type(), outer.wrap(protocol, inner))
    }

    /// Wraps it, in a frame first where only a frame can be wrapped so; what cannot be wrapped so stays as it is.
    fn wrap(self, wrapping: Wrapping) -> Self {
        match wrapping {
            Wrapping::Ethernet => {
                // A frame in a frame is announced by an EtherType, and counts.
                let nested = self.ether_type == 0x6558;
                let bytes = eth(self.ether_type, &self.bytes);
                let framed = self.becomes(0x6558, bytes);
                if nested { framed.nested() } else { framed }
            }
            Wrapping::Snap => {
                let nested = self.ether_type == 0x6558;
                let llc = snap(self.ether_type, &self.bytes);
                let Some(length) = u16::try_from(llc.len()).ok().filter(|length| *length <= 1500) else {
                    return self;
                };
                let framed = self.becomes(0x6558, eth(length, &llc)).nested();
                if nested { framed.nested() } else { framed }
            }
            Wrapping::Vlan { tpid, id } => {
                let nested = self.ether_type == 0x6558;
                let bytes = vlan(id, self.ether_type, &self.bytes);
                let mut tagged = self.becomes(tpid, bytes);
                if id != 0 {
                    tagged.vlans.insert(0, id);
                }
                if nested { tagged.nested() } else { tagged }
            }
            Wrapping::Mpls { labels, control_word } => {
                if !self.is_ip() && self.ether_type != 0x6558 {
                    return self;
                }
                let stack: Vec<u8> = (0..labels)
                    .flat_map(|place| [0, 16 + place, u8::from(place + 1 == labels), 64])
                    .collect();
                let word: &[u8] = if control_word && !self.is_ip() { &[0, 0, 0, 1] } else { &[] };
                let bytes = join(&[&stack, word, &self.bytes]);
                self.becomes(0x8847, bytes).nested()
            }
            Wrapping::Pppoe { compressed } => {
                let header = if compressed { PppHeader::Compressed } else { PppHeader::Plain };
                let Some(ppp) = ppp(self.ether_type, header, &self.bytes) else { return self };
                let length = u16::try_from(ppp.len()).unwrap().to_be_bytes();
                self.becomes(0x8864, join(&[&[0x11, 0, 0, 7], &length, &ppp])).nested()
            }
            Wrapping::ProviderBackbone => {
                let framed = self.framed();
                let bytes = join(&[&[0, 0, 0, 9], &framed.bytes]);
                framed.becomes(0x88e7, bytes).nested()
            }
            Wrapping::Gre { outer, checksum, key, sequence, route } => {
                let nested = self.ether_type == 0x6558;
                let flags = u16::from(checksum) << 15
                    | u16::from(route) << 14
                    | u16::from(key.is_some()) << 13
                    | u16::from(sequence) << 12;
                let mut gre = join(&[&flags.to_be_bytes(), &self.ether_type.to_be_bytes()]);
                if checksum || route {
                    gre.extend([0xba, 0xad, 0, 0]);
                }
                gre.extend(key.map(u32::to_be_bytes).into_iter().flatten());
                if sequence {
                    gre.extend([0, 0, 0, 1]);
                }
                if route {
                    gre.extend([0x08, 0, 0, 4, 10, 0, 0, 1, 0, 0, 0, 0]);
                }
                gre.extend(&self.bytes);
                let tunnel = self.through(TunnelKind::Gre, key.unwrap_or(0), outer, 47, &gre);
                if nested { tunnel.nested() } else { tunnel }
            }
            Wrapping::Pptp { outer, call, acknowledges } => {
                let Some(ppp) = ppp(self.ether_type, PppHeader::Framed, &self.bytes) else { return self };
                let length = u16::try_from(ppp.len()).unwrap().to_be_bytes();
                let mut gre = join(&[&[0x30, 0x01 | u8::from(acknowledges) << 7, 0x88, 0x0b], &length]);
                gre.extend(call.to_be_bytes());
                gre.extend([0, 0, 0, 1]);
                if acknowledges {
                    gre.extend([0, 0, 0, 2]);
                }
                gre.extend(ppp);
                self.through(TunnelKind::Pptp, u32::from(call), outer, 47, &gre).nested()
            }
            Wrapping::Erspan1 { outer } => {
                let framed = self.framed();
                let gre = join(&[&[0, 0, 0x88, 0xbe], &framed.bytes]);
                framed.through(TunnelKind::Erspan, 0, outer, 47, &gre)
            }
            Wrapping::Erspan2 { outer, session } => {
                let framed = self.framed();
                let [high, low] = session.to_be_bytes();
                let head = [0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0x0a, 0x18 | high, low, 0, 0, 0, 7];
                let gre = join(&[&head, &framed.bytes]);
                framed.through(TunnelKind::Erspan, u32::from(session), outer, 47, &gre)
            }
            Wrapping::Erspan3 { outer, session, platform } => {
                let framed = self.framed();
                let [high, low] = session.to_be_bytes();
                let head =
                    [0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0x0a, 0x18 | high, low, 1, 2, 3, 4, 0, 0, 0];
                let more: &[u8] = if platform { &[0x05, 5, 5, 5, 5, 5, 5, 5, 5] } else { &[0x04] };
                let gre = join(&[&head, more, &framed.bytes]);
                framed.through(TunnelKind::Erspan, u32::from(session), outer, 47, &gre)
            }
            Wrapping::IpInIp { outer } => {
                let (kind, protocol) = match (outer, self.ether_type) {
                    (Outer::V4(_), 0x0800) => (TunnelKind::IpInIp, 4),
                    (Outer::V6(_), 0x0800) => (TunnelKind::FourInSix, 4),
                    (Outer::V4(_), 0x86dd) => (TunnelKind::SixInFour, 41),
                    (Outer::V6(_), 0x86dd) => (TunnelKind::IpInIp, 41),
                    _ => return self,
                };
                let inner = self.bytes.clone();
                self.through(kind, 0, outer, protocol, &inner)
            }
            Wrapping::EtherIp { outer } => {
                let framed = self.framed();
                let inner = join(&[&[0x30, 0], &framed.bytes]);
                framed.through(TunnelKind::EtherIp, 0, outer, 97, &inner)
            }
            Wrapping::MplsInIp { outer } => {
                let labelled = self.wrap(Wrapping::Mpls { labels: 1, control_word: false });
                if labelled.ether_type != 0x8847 {
                    return labelled;
                }
                let inner = labelled.bytes.clone();
                labelled.through(TunnelKind::MplsInIp, 0, outer, 137, &inner)
            }
            Wrapping::Vxlan { outer, port, id } => {
                let framed = self.framed();
                let [_, a, b, c] = id.to_be_bytes();
                let inner = udp_ports(40_000, port, &join(&[&[0x08, 0, 0, 0, a, b, c, 0], &framed.bytes]));
                framed.through(TunnelKind::Vxlan, id, outer, 17, &inner)
            }
            Wrapping::VxlanGpe { outer, id } => {
                let Some(next) = self.service_protocol() else { return self };
                let [_, a, b, c] = id.to_be_bytes();
                let inner = udp_ports(40_000, 4790, &join(&[&[0x0c, 0, 0, next, a, b, c, 0], &self.bytes]));
                self.through(TunnelKind::VxlanGpe, id, outer, 17, &inner)
            }
            Wrapping::GreInUdp { outer } => {
                let nested = self.ether_type == 0x6558;
                let gre = join(&[&[0, 0], &self.ether_type.to_be_bytes(), &self.bytes]);
                let tunnel = self.through(TunnelKind::Gre, 0, outer, 17, &udp_ports(40_000, 4754, &gre));
                if nested { tunnel.nested() } else { tunnel }
            }
            Wrapping::MplsInUdp { outer } => {
                let labelled = self.wrap(Wrapping::Mpls { labels: 2, control_word: false });
                if labelled.ether_type != 0x8847 {
                    return labelled;
                }
                let inner = udp_ports(40_000, 6635, &labelled.bytes);
                labelled.through(TunnelKind::MplsInIp, 0, outer, 17, &inner)
            }
            Wrapping::Ayiya { outer } => {
                let next = match self.ether_type {
                    0x0800 => 4,
                    0x86dd => 41,
                    _ => return self,
                };
                let head = join(&[&[0x44, 0x52, 0x11, next, 1, 2, 3, 4], &[0xaa; 36]]);
                let inner = udp_ports(5072, 40_000, &join(&[&head, &self.bytes]));
                self.through(TunnelKind::Ayiya, 0, outer, 17, &inner)
            }
            Wrapping::Aruba { outer } => {
                if self.ether_type == 0x6558 {
                    return self;
                }
                let wireless = ieee80211(0x08, 0x02, &[], &snap(self.ether_type, &self.bytes));
                let gre = join(&[&[0, 0, 0x82, 0x10], &wireless]);
                self.through(TunnelKind::Gre, 0, outer, 47, &gre).nested().nested()
            }
            Wrapping::Nsh { words } => {
                let Some(next) = self.service_protocol() else { return self };
                let context = vec![0xcc; usize::from(words) * 4 - 4];
                let bytes = join(&[&[0x0f, 0xc0 | words, 1, next], &context, &self.bytes]);
                self.becomes(0x894f, bytes).nested()
            }
            Wrapping::CiscoMetadata => {
                let nested = self.ether_type == 0x6558;
                let bytes = join(&[&[1, 1, 0, 1, 0, 9], &self.ether_type.to_be_bytes(), &self.bytes]);
                let wrapped = self.becomes(0x8909, bytes).nested();
                if nested { wrapped.nested() } else { wrapped }
            }
            Wrapping::Geneve { outer, options, id } => {
                let nested = self.ether_type == 0x6558;
                let [high, low] = self.ether_type.to_be_bytes();
                let [_, a, b, c] = id.to_be_bytes();
                let head = [options, 0, high, low, a, b, c, 0];
                let options = vec![0xee; usize::from(options) * 4];
                let inner = udp_ports(40_000, 6081, &join(&[&head, &options, &self.bytes]));
                let tunnel = self.through(TunnelKind::Geneve, id, outer, 17, &inner);
                if nested { tunnel.nested() } else { tunnel }
            }
            Wrapping::GtpU { outer, id, sequence, extensions } => {
                if !self.is_ip() {
                    return self;
                }
                let mut optional = Vec::new();
                if sequence || extensions > 0 {
                    optional.extend([0, 1, 0, if extensions > 0 { 0x85 } else { 0 }]);
                }
                for place in 1..=extensions {
                    optional.extend([1, 0x10, 0, if place == extensions { 0 } else { 0x85 }]);
                }
                let flags = 0x30 | u8::from(sequence) << 1 | u8::from(extensions > 0) << 2;
                let length = u16::try_from(optional.len() + self.bytes.len()).unwrap().to_be_bytes();
                let head = join(&[&[flags, 255], &length, &id.to_be_bytes(), &optional]);
                let inner = udp_ports(2152, 2152, &join(&[&head, &self.bytes]));
                self.through(TunnelKind::GtpU, id, outer, 17, &inner)
            }
            Wrapping::Teredo { outer, authentication, origin } => {
                if self.ether_type != 0x86dd {
                    return self;
                }
                let mut head = Vec::new();
                if let Some(length) = authentication {
                    head.extend([0, 1, length, length]);
                    head.extend(vec![0xaa; 2 * usize::from(length) + 9]);
                }
                if origin {
                    head.extend([0, 0, 0xff, 0xff, 1, 2, 3, 4]);
                }
                let inner = udp_ports(3544, 40_000, &join(&[&head, &self.bytes]));
                self.through(TunnelKind::Teredo, 0, outer, 17, &inner)
            }
            Wrapping::L2tp { outer, id, length, sequence, offset } => {
                let Some(ppp) = ppp(self.ether_type, PppHeader::Framed, &self.bytes) else { return self };
                let flags = 2
                    | u16::from(length) << 14
                    | u16::from(sequence) << 11
                    | u16::from(offset.is_some()) << 9;
                let mut rest = id.to_be_bytes().to_vec();
                if sequence {
                    rest.extend([0, 1, 0, 0]);
                }
                if let Some(offset) = offset {
                    rest.extend([0, offset]);
                    rest.extend(vec![0xee; usize::from(offset)]);
                }
                rest.extend(ppp);
                let mut l2tp = flags.to_be_bytes().to_vec();
                if length {
                    l2tp.extend(u16::try_from(4 + rest.len()).unwrap().to_be_bytes());
                }
                l2tp.extend(rest);
                let inner = udp_ports(1701, 1701, &l2tp);
                self.through(TunnelKind::L2tp, id, outer, 17, &inner).nested()
            }
        }
    }

    /// As a frame of a link type; of Ethernet where that link type cannot carry it.
    fn on(self, link: LinkType) -> (LinkType, Self) {
        let ip = self.is_ip();
        let [high, low] = self.ether_type.to_be_bytes();
        let inner = self.bytes.clone();
        match link {
            LinkType::LINUX_SLL if self.ether_type != 0x6558 => {
                let head = [0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, high, low];
                (link, self.becomes(0, join(&[&head, &inner])))
            }
            LinkType::LINUX_SLL2 if self.ether_type != 0x6558 => {
                let head = [high, low, 0, 0, 0, 0, 0, 3, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0];
                (link, self.becomes(0, join(&[&head, &inner])))
            }
            LinkType::RAW if ip => (link, self),
            LinkType::NULL if ip => {
                let family = if self.ether_type == 0x0800 { 2 } else { 30 };
                (link, self.becomes(0, join(&[&[family, 0, 0, 0], &inner])))
            }
            LinkType::PPP | LinkType::PPP_HDLC => {
                let header = if link == LinkType::PPP { PppHeader::Plain } else { PppHeader::Framed };
                match ppp(self.ether_type, header, &inner) {
                    Some(ppp) => (link, self.becomes(0, ppp).nested()),
                    None => self.on(LinkType::ETHERNET),
                }
            }
            LinkType::PPP_ETHER => {
                let wrapped = self.wrap(Wrapping::Pppoe { compressed: false });
                if wrapped.ether_type == 0x8864 { (link, wrapped) } else { wrapped.on(LinkType::ETHERNET) }
            }
            LinkType::NFLOG if ip => {
                let length = u16::try_from(4 + inner.len()).unwrap().to_le_bytes();
                let head = [2, 0, 0, 0, 8, 0, 1, 0, 8, 0, 1, 0, 5, 0, 10, 0, 0, 0, 0, 0];
                let bytes = join(&[&head, &length, &[9, 0], &inner]);
                (link, self.becomes(0, bytes))
            }
            LinkType::IEEE802_11 if self.ether_type != 0x6558 => {
                let bytes = ieee80211(0x08, 0x01, &[], &snap(self.ether_type, &inner));
                (link, self.becomes(0, bytes).nested().nested())
            }
            LinkType::IEEE802_11_RADIOTAP if self.ether_type != 0x6558 => {
                // Quality of service, four addresses; the header's 32 bytes need no padding.
                let bytes = ieee80211(0x88, 0x03, &[2, 0, 0, 0, 0, 4, 0, 0], &snap(self.ether_type, &inner));
                (link, self.becomes(0, join(&[RADIOTAP, &bytes])).nested().nested())
            }
            _ => (LinkType::ETHERNET, self.framed()),
        }
    }

    fn path(&self) -> Path {
        let mut path = Path {
            tunnel: self.tunnels.last().copied(),
            depth: u8::try_from(self.tunnels.len()).unwrap(),
            ..Path::default()
        };
        for (place, id) in path.vlans.iter_mut().zip(&self.vlans) {
            *place = NonZeroU16::new(*id);
        }
        path
    }
}

/// A radiotap header with a second word of presence bits, a time, and flags.
const RADIOTAP: &[u8] =
    &[0, 0, 25, 0, 0x03, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 0x00];

fn snap(ether_type: u16, inner: &[u8]) -> Vec<u8> {
    join(&[&[0xaa, 0xaa, 3, 0, 0, 0], &ether_type.to_be_bytes(), inner])
}

/// What of PPP's header is there.
#[derive(Clone, Copy, Debug)]
enum PppHeader {
    /// Address, control and protocol, as in HDLC-like framing.
    Framed,
    /// The protocol.
    Plain,
    /// The protocol in one byte.
    Compressed,
}

fn ppp(ether_type: u16, header: PppHeader, inner: &[u8]) -> Option<Vec<u8>> {
    let protocol = match ether_type {
        0x0800 => 0x21,
        0x86dd => 0x57,
        _ => return None,
    };
    let head: &[u8] = match header {
        PppHeader::Framed => &[0xff, 0x03, 0, protocol],
        PppHeader::Plain => &[0, protocol],
        PppHeader::Compressed => &[protocol],
    };
    Some(join(&[head, inner]))
}

fn ieee80211(control: u8, flags: u8, more: &[u8], body: &[u8]) -> Vec<u8> {
    join(&[&[control, flags, 0, 0], &[2; 18], &[0x10, 0], more, body])
}

fn check(link: LinkType, wrapped: Wrapped, v6_inside: bool, what: &dyn std::fmt::Debug) {
    let (link, wrapped) = wrapped.on(link);
    let frame = &wrapped.bytes;
    let decoded = packet(link, frame, wire_len(frame));
    if wrapped.nesting > MAX_DEPTH {
        assert!(matches!(decoded, Err(Refusal::TooDeep(_))), "{what:?}: {decoded:?}");
        return;
    }
    let whole = decoded.unwrap_or_else(|refusal| panic!("{what:?} {link:?}: {refusal}: {frame:02x?}"));
    let ends = if v6_inside { v6_ends() } else { v4_ends() };
    assert_eq!((whole.src, whole.dst), ends, "{what:?}");
    let expected = (SRC_PORT, DST_PORT, PAYLOAD.to_vec(), wire_len(PAYLOAD));
    assert_eq!(tcp_payload(&whole), Some(expected), "{what:?}");
    assert_eq!(whole.path, wrapped.path(), "{what:?}");

    for cut in 0..frame.len() {
        match packet(link, &frame[..cut], wire_len(frame)) {
            Err(Refusal::Malformed(malformed)) => {
                assert!(malformed.needed > malformed.got, "{what:?} cut at {cut}: {malformed:?}");
                assert!(malformed.offset <= cut, "{what:?} cut at {cut}: {malformed:?}");
            }
            Err(refusal) => panic!("{what:?} cut at {cut}: {refusal}"),
            // A tunnel by its port, cut before the ports inside it.
            Ok(packet) if packet.path.unopened.is_some() => {
                assert!(matches!(packet.transport, Transport::Udp(_)), "{what:?} cut at {cut}");
            }
            Ok(packet) => {
                let (src_port, dst_port, payload, wire) = tcp_payload(&packet).unwrap();
                assert_eq!((packet.src, packet.dst), ends, "{what:?} cut at {cut}");
                assert_eq!((src_port, dst_port, wire), (SRC_PORT, DST_PORT, wire_len(PAYLOAD)), "{what:?}");
                assert!(PAYLOAD.starts_with(&payload), "{what:?} cut at {cut}");
            }
        }
        check_bounds("cut", link, frame, cut);
    }
}

const OUTER: Outer = Outer::V4(1);

/// Each wrapping once, with each of what it may leave out or put in.
fn single() -> Vec<Wrapping> {
    let outer = OUTER;
    let mut all = vec![
        Wrapping::Ethernet,
        Wrapping::Snap,
        Wrapping::Vlan { tpid: 0x8100, id: 5 },
        Wrapping::Vlan { tpid: 0x88a8, id: 0 },
        Wrapping::Mpls { labels: 1, control_word: false },
        Wrapping::Mpls { labels: 16, control_word: true },
        Wrapping::Pppoe { compressed: false },
        Wrapping::Pppoe { compressed: true },
        Wrapping::ProviderBackbone,
        Wrapping::Pptp { outer, call: 77, acknowledges: false },
        Wrapping::Pptp { outer, call: 77, acknowledges: true },
        Wrapping::Erspan1 { outer },
        Wrapping::Erspan2 { outer, session: 1023 },
        Wrapping::Erspan3 { outer, session: 1, platform: false },
        Wrapping::Erspan3 { outer, session: 1, platform: true },
        Wrapping::IpInIp { outer },
        Wrapping::IpInIp { outer: Outer::V6(3) },
        Wrapping::EtherIp { outer },
        Wrapping::MplsInIp { outer },
        Wrapping::Vxlan { outer, port: 4789, id: 0x12_3456 },
        Wrapping::Vxlan { outer: Outer::V6(3), port: 8472, id: 1 },
        Wrapping::VxlanGpe { outer, id: 9 },
        Wrapping::GreInUdp { outer },
        Wrapping::MplsInUdp { outer },
        Wrapping::Ayiya { outer },
        Wrapping::Aruba { outer },
        Wrapping::Nsh { words: 2 },
        Wrapping::Nsh { words: 6 },
        Wrapping::CiscoMetadata,
        Wrapping::Geneve { outer, options: 0, id: 0xff_ffff },
        Wrapping::Geneve { outer, options: 63, id: 1 },
        Wrapping::GtpU { outer, id: 0xdead_beef, sequence: false, extensions: 0 },
        Wrapping::GtpU { outer, id: 1, sequence: true, extensions: 0 },
        Wrapping::GtpU { outer, id: 1, sequence: false, extensions: 2 },
        Wrapping::Teredo { outer, authentication: None, origin: false },
        Wrapping::Teredo { outer, authentication: Some(0), origin: true },
        Wrapping::Teredo { outer, authentication: Some(9), origin: false },
        Wrapping::L2tp { outer, id: 0x0001_0002, length: false, sequence: false, offset: None },
        Wrapping::L2tp { outer, id: 0x0001_0002, length: true, sequence: true, offset: Some(3) },
    ];
    for bits in 0..16_u32 {
        let key = (bits & 1 == 1).then_some(0xcafe);
        let (checksum, sequence, route) = (bits & 2 != 0, bits & 4 != 0, bits & 8 != 0);
        all.push(Wrapping::Gre { outer, checksum, key, sequence, route });
    }
    all
}

const LINKS: [LinkType; 11] = [
    LinkType::ETHERNET,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::RAW,
    LinkType::NULL,
    LinkType::PPP,
    LinkType::PPP_HDLC,
    LinkType::PPP_ETHER,
    LinkType::NFLOG,
    LinkType::IEEE802_11,
    LinkType::IEEE802_11_RADIOTAP,
];

#[test]
fn each_wrapping_on_each_link_decodes_to_what_is_inside() {
    for wrapping in single() {
        for link in LINKS {
            for v6_inside in [false, true] {
                let plain = Wrapped::plain(v6_inside, true);
                check(link, plain.clone().wrap(wrapping), v6_inside, &wrapping);
                check(link, plain.wrap(Wrapping::Ethernet).wrap(wrapping), v6_inside, &wrapping);
            }
        }
    }
}

#[test]
fn no_damage_to_a_wrapped_frame_reaches_beyond_it() {
    for wrapping in single() {
        for link in LINKS {
            let (link, wrapped) = Wrapped::plain(true, false).wrap(wrapping).on(link);
            let mut frame = wrapped.bytes;
            for place in 0..frame.len() {
                let kept = frame[place];
                for value in [0, 1, 2, 4, 0x3f, 0x40, 0x45, 0x60, 0x7f, 0x80, 0xfe, 0xff] {
                    frame[place] = value;
                    check_bounds("damaged", link, &frame, frame.len());
                }
                frame[place] = kept;
            }
        }
    }
}

fn outer() -> impl Strategy<Value = Outer> {
    prop_oneof![any::<u8>().prop_map(Outer::V4), any::<u8>().prop_map(Outer::V6)]
}

fn wrapping() -> impl Strategy<Value = Wrapping> {
    (prop::sample::select(single()), outer()).prop_map(|(mut wrapping, new)| {
        match &mut wrapping {
            Wrapping::Gre { outer, .. }
            | Wrapping::Pptp { outer, .. }
            | Wrapping::Erspan1 { outer }
            | Wrapping::Erspan2 { outer, .. }
            | Wrapping::Erspan3 { outer, .. }
            | Wrapping::IpInIp { outer }
            | Wrapping::EtherIp { outer }
            | Wrapping::MplsInIp { outer }
            | Wrapping::Vxlan { outer, .. }
            | Wrapping::VxlanGpe { outer, .. }
            | Wrapping::GreInUdp { outer }
            | Wrapping::MplsInUdp { outer }
            | Wrapping::Ayiya { outer }
            | Wrapping::Aruba { outer }
            | Wrapping::Geneve { outer, .. }
            | Wrapping::GtpU { outer, .. }
            | Wrapping::Teredo { outer, .. }
            | Wrapping::L2tp { outer, .. } => *outer = new,
            _ => {}
        }
        wrapping
    })
}

proptest! {
    #[test]
    fn any_nest_decodes_to_what_is_inside(
        link in prop::sample::select(LINKS.to_vec()),
        nest in prop::collection::vec(wrapping(), 0..9),
        v6_inside in any::<bool>(),
        tcp_inside in any::<bool>(),
    ) {
        let plain = Wrapped::plain(v6_inside, tcp_inside);
        check(link, nest.iter().fold(plain, |inner, wrapping| inner.wrap(*wrapping)), v6_inside, &nest);
    }
}

/// A port is a guess: what is no tunnel stays the datagram that it is.
#[test]
fn a_datagram_that_is_no_tunnel_is_not_lost() {
    for (src, dst) in [
        (40_000, 4789),
        (40_000, 8472),
        (40_000, 6081),
        (2152, 2152),
        (3544, 9),
        (9, 3544),
        (1701, 9),
        (9, 4754),
        (9, 4790),
        (5072, 9),
        (9, 6635),
    ] {
        for payload in [&[][..], PAYLOAD, &[0; 64], &[8; 64], &[0x30; 64], &[0xff; 64]] {
            let frame = v4(17, &udp_ports(src, dst, payload));
            let packet = packet(LinkType::RAW, &frame, wire_len(&frame)).unwrap();
            let expected = Datagram { src_port: src, dst_port: dst, payload, wire_len: wire_len(payload) };
            assert_eq!(packet.transport, Transport::Udp(expected), "{src} {dst} {payload:02x?}");
            assert_eq!((packet.src, packet.dst), v4_ends());
            assert_eq!(packet.path.depth, 0);
        }
    }
}

/// Guesses fall back at each level alone: a datagram inside a tunnel that is understood stays inside it.
#[test]
fn a_failed_guess_inside_a_tunnel_keeps_the_tunnel() {
    let inner = v4(17, &udp_ports(9, 4789, &[0x08, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3]));
    let plain = Wrapped { ether_type: 0x0800, bytes: inner, ..Wrapped::plain(false, false) };
    let frame = plain.wrap(Wrapping::Vxlan { outer: OUTER, port: 4789, id: 42 }).bytes;
    let packet = packet(LinkType::RAW, &frame, wire_len(&frame)).unwrap();
    assert_eq!((packet.src, packet.dst), v4_ends());
    assert_eq!((packet.path.depth, packet.path.unopened), (1, Some(Layer::Vxlan)));
    assert_eq!(packet.path.tunnel.map(|tunnel| tunnel.id), Some(42));
}

/// A fragment inside a tunnel has the inner addresses; put together, it is decoded on, and keeps the whole path.
#[test]
fn fragments_in_and_around_tunnels_go_on() {
    let outer_tunnel = Wrapping::Vxlan { outer: OUTER, port: 4789, id: 42 };
    let inner = Wrapped::plain(true, true).wrap(Wrapping::IpInIp { outer: Outer::V4(9) });
    // The datagram that is fragmented: 6in4, of protocol 41, with a TCP segment inside.
    let whole = inner.bytes[20..].to_vec();
    let mut first = v4_between(([10, 0, 0, 9], [10, 0, 1, 9]), 41, &whole[..48]);
    first[6] = 0x20;
    let wrapped = Wrapped { bytes: first, ether_type: 0x0800, ..Wrapped::plain(false, false) };
    let tagged = wrapped.wrap(outer_tunnel).wrap(Wrapping::Vlan { tpid: 0x8100, id: 5 }).framed();
    let part = packet(LinkType::ETHERNET, &tagged.bytes, wire_len(&tagged.bytes)).unwrap();
    let Transport::Fragment(fragment) = part.transport else { panic!("{part:?}") };
    assert_eq!((fragment.protocol, fragment.payload), (41, &whole[..48]));
    assert_eq!((part.src, part.dst), Outer::V4(9).ends());
    assert_eq!(part.path.tunnel.map(|tunnel| tunnel.kind), Some(TunnelKind::Vxlan));

    let packet = continue_ip(fragment.protocol, part.src, part.dst, &whole, &part.path).unwrap();
    assert_eq!((packet.src, packet.dst), v6_ends());
    assert_eq!(tcp_payload(&packet).unwrap().2, PAYLOAD);
    assert_eq!((packet.path.depth, packet.path.vlans), (2, [NonZeroU16::new(5), None]));
    let (src, dst) = Outer::V4(9).ends();
    assert_eq!(packet.path.tunnel, Some(Tunnel { kind: TunnelKind::SixInFour, id: 0, src, dst }));
}

/// An aggregate gives its first frame, and says that there are more.
#[test]
fn an_aggregate_of_802_11_tells_of_its_rest() {
    let one = snap(0x0800, &v4(6, &tcp(&[], PAYLOAD)));
    let length = u16::try_from(one.len()).unwrap().to_be_bytes();
    let subframe = join(&[&[2; 12], &length, &one]);
    let padding = vec![0; subframe.len().next_multiple_of(4) - subframe.len()];
    for (body, unopened) in [
        (subframe.clone(), None),
        (join(&[&subframe, &padding, &[0xfc; 4]]), None),
        (join(&[&subframe, &padding, &subframe]), Some(Layer::Ieee80211)),
    ] {
        let frame = ieee80211(0x88, 0x01, &[0x80, 0], &body);
        let packet = packet(LinkType::IEEE802_11, &frame, wire_len(&frame)).unwrap();
        assert_eq!(tcp_payload(&packet).unwrap().2, PAYLOAD);
        assert_eq!(packet.path.unopened, unopened);
    }
}

#[test]
fn what_stands_beside_data_is_named() {
    let check = |link, frame: &[u8], expected| check_refused(link, frame, expected);
    let body = snap(0x0800, &v4(6, &tcp(&[], PAYLOAD)));
    let unsupported = |layer, number| Refusal::Unsupported(layer, number);
    let wireless = LinkType::IEEE802_11;
    check(wireless, &ieee80211(0x80, 0, &[], &body), unsupported(Layer::Ieee80211, 0x8000));
    check(wireless, &[0xd4, 0, 0, 0, 2, 2, 2, 2, 2, 2], unsupported(Layer::Ieee80211, 0xd400));
    check(wireless, &ieee80211(0x08, 0x41, &[], &body), unsupported(Layer::Ieee80211, 0x0841));
    check(wireless, &ieee80211(0x48, 0x01, &[], &[]), unsupported(Layer::Ieee80211, 0x4801));
    let ethernet = LinkType::ETHERNET;
    check(ethernet, &eth(0x0026, &[0x42, 0x42, 3, 0, 0, 0]), unsupported(Layer::Llc, 0x4242));
    check(ethernet, &eth(0x0026, &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0]), unsupported(Layer::Llc, 0x2000));
    check(ethernet, &eth(0x8863, &[0x11, 9, 0, 0, 0, 0]), unsupported(Layer::Ethernet, 0x8863));
    check(ethernet, &eth(0x8864, &[0x11, 0, 0, 7, 0, 8, 0xc0, 0x21]), unsupported(Layer::Ppp, 0xc021));
    check(ethernet, &eth(0x88e5, &[0; 40]), unsupported(Layer::Ethernet, 0x88e5));
    let labels = [0, 1, 0, 64].repeat(ethernet::MAX_MPLS_LABELS + 1);
    check(ethernet, &eth(0x8847, &labels), Refusal::TooDeep(Layer::Mpls));
    let malformed = |layer, needed, got, offset| Refusal::Malformed(Malformed { layer, needed, got, offset });
    check(ethernet, &eth(0x894f, &[0x0f, 0xc1, 1, 1, 0, 0, 0, 0]), malformed(Layer::Nsh, 8, 4, 14));
    check(ethernet, &eth(0x8864, &[0x12, 0, 0, 7, 0, 0]), malformed(Layer::Pppoe, 6, 0, 14));
    let raw = LinkType::RAW;
    check(raw, &v4(47, &[0, 0, 0x20, 0x01, 1, 2]), unsupported(Layer::Gre, 0x2001));
    check(raw, &v4(47, &[0, 3, 0x08, 0, 1, 2]), unsupported(Layer::Gre, 3));
    check(raw, &v4(47, &[0x20, 0x81, 0x88, 0x0b, 0, 0, 0, 7, 0, 0, 0, 1]), unsupported(Layer::Gre, 0x2081));
}
