//! Link layers: from a capture's link type down to an EtherType, and from there to the network layer.

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::walk::Walk;
use super::{Layer, Packet, Refusal, net};
use crate::capture::LinkType;

/// The most VLAN tags on one frame. Two are QinQ, a third is a mirror port's own; the rest is room. Arkime stops at
/// 8 as well.
pub(super) const MAX_VLAN_TAGS: usize = 8;

/// EtherTypes (<https://www.iana.org/assignments/ieee-802-numbers>).
mod ether_type {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    /// 802.1Q.
    pub(super) const VLAN: u16 = 0x8100;
    /// 802.1ad, the provider's tag.
    pub(super) const VLAN_PROVIDER: u16 = 0x88a8;
    /// QinQ from before 802.1ad.
    pub(super) const VLAN_9100: u16 = 0x9100;
    /// QinQ from before 802.1ad.
    pub(super) const VLAN_9200: u16 = 0x9200;
}

/// Address families of BSD loopback headers. Each system counts IPv6 its own way.
mod family {
    pub(super) const INET: u32 = 2;
    pub(super) const INET6_LINUX: u32 = 10;
    pub(super) const INET6_NETBSD: u32 = 24;
    pub(super) const INET6_FREEBSD: u32 = 28;
    pub(super) const INET6_DARWIN: u32 = 30;
}

/// Decodes a frame of a link type other than Ethernet.
pub(super) fn other<'a>(walk: &mut Walk<'a>, link: LinkType) -> Result<Packet<'a>, Refusal> {
    match link {
        LinkType::LINUX_SLL => {
            // https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html: type, ARPHRD, address length, address, protocol.
            // etherparse's own header refuses ARPHRD numbers it does not know.
            let header: [u8; 16] = walk.array(Layer::LinuxSll)?;
            let [.., high, low] = header;
            network(walk, Layer::LinuxSll, u16::from_be_bytes([high, low]))
        }
        LinkType::LINUX_SLL2 => {
            // https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html: the protocol stands first.
            let header: [u8; 20] = walk.array(Layer::LinuxSll2)?;
            let [high, low, ..] = header;
            network(walk, Layer::LinuxSll2, u16::from_be_bytes([high, low]))
        }
        // 12 and 14 are what OpenBSD and old files wrote for raw IP.
        LinkType::RAW | LinkType(12 | 14) => net::by_version(walk, Layer::Link),
        LinkType::IPV4 => net::ipv4(walk),
        LinkType::IPV6 => net::ipv6(walk),
        LinkType::NULL | LinkType::LOOP => loopback(walk),
        LinkType(number) => Err(Refusal::Unsupported(Layer::Link, u32::from(number))),
    }
}

/// Decodes an Ethernet frame.
#[inline]
pub(super) fn ethernet<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    let header = match Ethernet2HeaderSlice::from_slice(walk.rest()) {
        Ok(header) => header,
        Err(short) => return Err(walk.malformed(Layer::Ethernet, short.required_len, short.len)),
    };
    walk.skip(Layer::Ethernet, header.slice().len())?;
    match header.ether_type().0 {
        ether_type::IPV4 => net::ipv4(walk),
        ether_type::IPV6 => net::ipv6(walk),
        other => network(walk, Layer::Ethernet, other),
    }
}

/// Decodes what an EtherType announces; `layer` carried the number.
#[inline(never)]
fn network<'a>(walk: &mut Walk<'a>, mut layer: Layer, mut ether_type: u16) -> Result<Packet<'a>, Refusal> {
    let mut tags = 0;
    loop {
        match ether_type {
            ether_type::IPV4 => return net::ipv4(walk),
            ether_type::IPV6 => return net::ipv6(walk),
            ether_type::VLAN | ether_type::VLAN_PROVIDER | ether_type::VLAN_9100 | ether_type::VLAN_9200 => {
                if tags == MAX_VLAN_TAGS {
                    return Err(Refusal::TooDeep(Layer::Vlan));
                }
                tags += 1;
                let tag = match SingleVlanHeaderSlice::from_slice(walk.rest()) {
                    Ok(tag) => tag,
                    Err(short) => return Err(walk.malformed(Layer::Vlan, short.required_len, short.len)),
                };
                walk.skip(Layer::Vlan, tag.slice().len())?;
                layer = Layer::Vlan;
                ether_type = tag.ether_type().0;
            }
            other => return Err(Refusal::Unsupported(layer, u32::from(other))),
        }
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
    match family {
        family::INET => net::ipv4(walk),
        family::INET6_LINUX | family::INET6_NETBSD | family::INET6_FREEBSD | family::INET6_DARWIN => {
            net::ipv6(walk)
        }
        other => Err(Refusal::Unsupported(Layer::Loopback, other)),
    }
}
