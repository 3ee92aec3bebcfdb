//! Link types: from what a capture says its frames begin with, down to an EtherType or an IP packet.

use super::walk::Walk;
use super::{Layer, Packet, Refusal, ethernet, net, ppp, wireless};
use crate::capture::LinkType;

/// Decodes a frame of any link type but Ethernet.
pub(super) fn other<'a>(walk: &mut Walk<'a>, link: LinkType) -> Result<Packet<'a>, Refusal> {
    match link {
        LinkType::LINUX_SLL => sll(walk),
        LinkType::LINUX_SLL2 => sll2(walk),
        // 12 and 14 are what OpenBSD and old files wrote for raw IP.
        LinkType::RAW | LinkType(12 | 14) => net::by_version(walk, Layer::Link),
        LinkType::IPV4 => net::ipv4(walk),
        LinkType::IPV6 => net::ipv6(walk),
        LinkType::NULL | LinkType::LOOP => loopback(walk),
        LinkType::PPP | LinkType::PPP_HDLC => ppp::hdlc(walk),
        LinkType::PPP_ETHER => ppp::pppoe(walk),
        LinkType::NFLOG => nflog(walk),
        LinkType::IEEE802_11 => wireless::ieee80211(walk, false),
        LinkType::IEEE802_11_RADIOTAP => wireless::radiotap(walk),
        LinkType(number) => Err(Refusal::Unsupported(Layer::Link, u32::from(number))),
    }
}

/// Linux cooked capture 1: packet type, ARPHRD, length and bytes of the sender's address, protocol
/// (<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>). etherparse's own header refuses unknown ARPHRDs.
fn sll<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    let [_, _, type_high, type_low, _, _, _, _, _, _, _, _, _, _, high, low] = walk.array(Layer::LinuxSll)?;
    cooked(walk, Layer::LinuxSll, [type_high, type_low], [high, low])
}

/// Linux cooked capture 2: protocol, reserved, interface, ARPHRD, packet type, the sender's address
/// (<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html>).
fn sll2<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    let [high, low, _, _, _, _, _, _, type_high, type_low] = walk.array(Layer::LinuxSll2)?;
    walk.skip(Layer::LinuxSll2, 10)?;
    cooked(walk, Layer::LinuxSll2, [type_high, type_low], [high, low])
}

/// What a cooked header announces: by the interface's ARPHRD where that has frames of its own, else by protocol.
fn cooked<'a>(
    walk: &mut Walk<'a>,
    layer: Layer,
    hardware: [u8; 2],
    protocol: [u8; 2],
) -> Result<Packet<'a>, Refusal> {
    const ARPHRD_IEEE80211: u16 = 801;
    const ARPHRD_IEEE80211_RADIOTAP: u16 = 803;
    /// The kernel's ETH_P_802_2: LLC follows.
    const LLC: u16 = 4;
    match (u16::from_be_bytes(hardware), u16::from_be_bytes(protocol)) {
        (ARPHRD_IEEE80211, _) => wireless::ieee80211(walk, false),
        (ARPHRD_IEEE80211_RADIOTAP, _) => wireless::radiotap(walk),
        (_, LLC) => ethernet::llc(walk),
        (_, ether_type) => ethernet::network(walk, layer, ether_type),
    }
}

/// BSD loopback: an address family of four bytes in the byte order of the capturing host, which may not be ours
/// (<https://www.tcpdump.org/linktypes/LINKTYPE_NULL.html>).
fn loopback<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    let family: [u8; 4] = walk.array(Layer::Loopback)?;
    // Families are small: read in the wrong order they are not.
    let family = match u32::from_le_bytes(family) {
        small @ 0..=0xffff => small,
        _ => u32::from_be_bytes(family),
    };
    // Each system counts IPv6 its own way: Linux, NetBSD and OpenBSD, FreeBSD, Darwin.
    match family {
        2 => net::ipv4(walk),
        10 | 24 | 28 | 30 => net::ipv6(walk),
        other => Err(Refusal::Unsupported(Layer::Loopback, other)),
    }
}

/// Linux netfilter log: a family, and attributes of which one is the packet
/// (<https://www.tcpdump.org/linktypes/LINKTYPE_NFLOG.html>).
fn nflog<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    /// The attribute that holds the packet.
    const NFULA_PAYLOAD: u16 = 9;
    /// Bytes of an attribute's length and type, which the length counts as well.
    const HEADER: usize = 4;
    let _family_version_resource: [u8; 4] = walk.array(Layer::Nflog)?;
    loop {
        // Both numbers are in the byte order of the capturing host; types are small.
        let [a, b, c, d] = walk.array(Layer::Nflog)?;
        let (length, kind) = if d == 0 {
            (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]))
        } else {
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        };
        let Some(length) = usize::from(length).checked_sub(HEADER) else {
            return Err(walk.malformed(Layer::Nflog, HEADER, usize::from(length)));
        };
        if kind == NFULA_PAYLOAD {
            walk.limit(length);
            return net::by_version(walk, Layer::Nflog);
        }
        walk.skip(Layer::Nflog, length.next_multiple_of(4))?;
    }
}
