//! Why a frame gave no packet: small values that are counted by layer, and printed only in a summary.

use std::fmt;

use crate::reader::Short;

/// Why a frame gave no packet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The bytes contradict the layer's specification, or end too early.
    Malformed(Malformed),
    /// The layer names a protocol or link type that is not decoded, by its number.
    Unsupported(Layer, u32),
    /// More headers of this kind follow one another than are walked.
    TooDeep(Layer),
}

/// Which layer was short of bytes, and by how much.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Malformed {
    /// The layer that was being read.
    pub layer: Layer,
    /// Bytes it needed.
    pub needed: usize,
    /// Bytes it got.
    pub got: usize,
    /// Where the layer's bytes begin, from the start of the frame.
    pub offset: usize,
}

impl Malformed {
    /// What a cursor reported, told of the layer that begins `base` bytes into the frame.
    pub const fn new(layer: Layer, short: Short, base: usize) -> Self {
        Self { layer, needed: short.needed, got: short.got, offset: base + short.offset }
    }
}

/// A layer of a frame, by the name that Wireshark's users know.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Layer {
    /// The capture's link type.
    Link,
    /// Ethernet II, IEEE 802.3.
    Ethernet,
    /// IEEE 802.1Q and 802.1ad tags.
    Vlan,
    /// Linux cooked capture 1.
    LinuxSll,
    /// Linux cooked capture 2.
    LinuxSll2,
    /// BSD and OpenBSD loopback.
    Loopback,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// An IPv6 extension header.
    Ipv6Extension,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// IEEE 802.1ah.
    ProviderBackbone,
    /// IEEE 802.2 logical link control, with SNAP.
    Llc,
    /// Network service header.
    Nsh,
    /// Cisco metadata, which carries security group tags.
    CiscoMetadata,
    /// An MPLS label stack.
    Mpls,
    /// PPP over Ethernet.
    Pppoe,
    /// PPP, or Cisco HDLC.
    Ppp,
    /// Linux netfilter log.
    Nflog,
    /// Radiotap.
    Radiotap,
    /// IEEE 802.11.
    Ieee80211,
    /// GRE.
    Gre,
    /// ERSPAN.
    Erspan,
    /// Ethernet in IP.
    EtherIp,
    /// VXLAN.
    Vxlan,
    /// VXLAN with other protocols than Ethernet.
    VxlanGpe,
    /// Geneve.
    Geneve,
    /// GTP-U.
    GtpU,
    /// Teredo.
    Teredo,
    /// AYIYA.
    Ayiya,
    /// L2TP version 2.
    L2tp,
}

impl Layer {
    /// How many layers there are: the size of a table of counters.
    pub const COUNT: usize = Self::L2tp as usize + 1;

    /// The name in counters and summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Link => "link type",
            Self::Ethernet => "ethernet",
            Self::Vlan => "vlan",
            Self::LinuxSll => "linux sll",
            Self::LinuxSll2 => "linux sll2",
            Self::Loopback => "loopback",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Ipv6Extension => "ipv6 extension",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::ProviderBackbone => "802.1ah",
            Self::Llc => "llc",
            Self::Nsh => "nsh",
            Self::CiscoMetadata => "cisco metadata",
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::Ppp => "ppp",
            Self::Nflog => "nflog",
            Self::Radiotap => "radiotap",
            Self::Ieee80211 => "802.11",
            Self::Gre => "gre",
            Self::Erspan => "erspan",
            Self::EtherIp => "etherip",
            Self::Vxlan => "vxlan",
            Self::VxlanGpe => "vxlan-gpe",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp-u",
            Self::Teredo => "teredo",
            Self::Ayiya => "ayiya",
            Self::L2tp => "l2tp",
        }
    }
}

/// What a protocol's number in a layer stands for, where most networks have it and nothing below it is IP in the clear (IEEE 802 Numbers of
/// IANA; for LLC both service access points).
pub const fn protocol_name(layer: Layer, number: u32) -> Option<&'static str> {
    Some(match (layer, number) {
        (Layer::Llc, 0x4242) => "STP",
        (Layer::Llc, 0xe0e0) => "IPX",
        (Layer::Llc, 0xf0f0) => "NetBEUI",
        (Layer::Llc, 0xfefe) => "IS-IS",
        (Layer::Llc, 0x2000) => "CDP",
        (Layer::Llc, _) => return None,
        (_, 0x0806) => "ARP",
        (_, 0x0842) => "Wake-on-LAN",
        (_, 0x22ea) => "SRP",
        (_, 0x22f0) => "AVTP",
        (_, 0x6002) => "DEC MOP",
        (_, 0x8035) => "RARP",
        (_, 0x809b) => "AppleTalk",
        (_, 0x8137) => "IPX",
        (_, 0x8808) => "flow control",
        (_, 0x8809) => "LACP",
        (_, 0x888e) => "EAPOL",
        (_, 0x8892) => "PROFINET",
        (_, 0x88a2) => "ATA over Ethernet",
        (_, 0x88a4) => "EtherCAT",
        (_, 0x88b8) => "GOOSE",
        (_, 0x88cc) => "LLDP",
        (_, 0x88e5) => "MACsec, encrypted",
        (_, 0x88f5) => "MVRP",
        (_, 0x88f7) => "PTP",
        (_, 0x8902) => "CFM",
        (_, 0x8906) => "FCoE",
        (_, 0x8914) => "FIP",
        (_, 0x8915) => "RoCE",
        (_, 0x9000) => "loopback test",
        _ => return None,
    })
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(Malformed { layer, needed, got, offset }) => {
                write!(f, "{layer}: needs {needed} bytes at offset {offset}, there are {got}")
            }
            Self::TooDeep(layer) => write!(f, "{layer}: nested too deep"),
            Self::Unsupported(layer, number) => match protocol_name(*layer, *number) {
                Some(name) => write!(f, "{layer}: {number:#06x} ({name}) is not decoded"),
                None => write!(f, "{layer}: {number:#06x} is not decoded"),
            },
        }
    }
}
