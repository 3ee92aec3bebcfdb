//! Ethernet and what stands between it and IP: VLAN tags, MPLS labels, provider backbones, LLC and SNAP.

use std::num::NonZeroU16;

use etherparse::{Ethernet2HeaderSlice, SingleVlanHeaderSlice};

use super::walk::Walk;
use super::{Layer, Packet, Refusal, net, ppp};

/// The most VLAN tags in a row. Two are QinQ, a third is a mirror port's own; the rest is room. Arkime stops at 8 too.
pub(super) const MAX_VLAN_TAGS: usize = 8;

/// The most MPLS labels in a row. Segment routing stacks about ten; the rest is room.
pub(super) const MAX_MPLS_LABELS: usize = 16;

/// EtherTypes (<https://www.iana.org/assignments/ieee-802-numbers>).
pub(super) mod ether_type {
    /// The largest length of an IEEE 802.3 frame, where an EtherType would stand.
    pub(crate) const MAX_LENGTH: u16 = 1500;
    pub(crate) const IPV4: u16 = 0x0800;
    /// ERSPAN type III.
    pub(crate) const ERSPAN_3: u16 = 0x22eb;
    /// Transparent Ethernet bridging (RFC 1701): an Ethernet frame.
    pub(crate) const ETHERNET: u16 = 0x6558;
    /// 802.1Q.
    pub(crate) const VLAN: u16 = 0x8100;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const PPP: u16 = 0x880b;
    pub(crate) const MPLS: u16 = 0x8847;
    /// MPLS with upstream-assigned labels (RFC 5332).
    pub(crate) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(crate) const PPPOE_SESSION: u16 = 0x8864;
    /// LLC in frames longer than a length field can say.
    pub(crate) const JUMBO_LLC: u16 = 0x8870;
    /// 802.1ad, the provider's tag.
    pub(crate) const VLAN_PROVIDER: u16 = 0x88a8;
    /// ERSPAN types I and II.
    pub(crate) const ERSPAN: u16 = 0x88be;
    /// Cisco metadata.
    pub(crate) const CISCO_METADATA: u16 = 0x8909;
    /// Network service header.
    pub(crate) const NSH: u16 = 0x894f;
    /// 802.1ah, the backbone's tag.
    pub(crate) const PROVIDER_BACKBONE: u16 = 0x88e7;
    /// QinQ from before 802.1ad.
    pub(crate) const VLAN_9100: u16 = 0x9100;
    /// QinQ from before 802.1ad.
    pub(crate) const VLAN_9200: u16 = 0x9200;
}

/// Decodes an Ethernet frame.
#[inline]
pub(super) fn frame<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
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
pub(super) fn network<'a>(
    walk: &mut Walk<'a>,
    mut layer: Layer,
    mut ether_type: u16,
) -> Result<Packet<'a>, Refusal> {
    let mut vlans = [None; 2];
    for tags in 0..=MAX_VLAN_TAGS {
        match ether_type {
            ether_type::VLAN | ether_type::VLAN_PROVIDER | ether_type::VLAN_9100 | ether_type::VLAN_9200 => {}
            _ => {
                let mut decoded = untagged(walk, layer, ether_type);
                if let Ok(packet) = &mut decoded {
                    packet.path.add_vlans(vlans);
                }
                return decoded;
            }
        }
        if tags == MAX_VLAN_TAGS {
            break;
        }
        let tag = match SingleVlanHeaderSlice::from_slice(walk.rest()) {
            Ok(tag) => tag,
            Err(short) => return Err(walk.malformed(Layer::Vlan, short.required_len, short.len)),
        };
        walk.skip(Layer::Vlan, tag.slice().len())?;
        let id = NonZeroU16::new(tag.vlan_identifier().value());
        match &mut vlans {
            [first @ None, _] => *first = id,
            [_, second @ None] => *second = id,
            _ => {}
        }
        layer = Layer::Vlan;
        ether_type = tag.ether_type().0;
    }
    Err(Refusal::TooDeep(Layer::Vlan))
}

/// Decodes what an EtherType other than a VLAN tag's announces.
fn untagged<'a>(walk: &mut Walk<'a>, layer: Layer, ether_type: u16) -> Result<Packet<'a>, Refusal> {
    match ether_type {
        ether_type::IPV4 => net::ipv4(walk),
        ether_type::IPV6 => net::ipv6(walk),
        ether_type::MPLS | ether_type::MPLS_UPSTREAM => mpls(walk),
        ether_type::PPPOE_SESSION => ppp::pppoe(walk),
        ether_type::PPP => ppp::frame(walk),
        ether_type::ETHERNET => {
            walk.descend(Layer::Ethernet)?;
            frame(walk)
        }
        ether_type::PROVIDER_BACKBONE => {
            // IEEE 802.1ah: priority and flags of a byte, the service's identifier of three, then the customer's frame.
            walk.descend(Layer::ProviderBackbone)?;
            walk.skip(Layer::ProviderBackbone, 4)?;
            frame(walk)
        }
        ether_type::CISCO_METADATA => {
            // Version, length, option, security group tag, and the EtherType that this one stands before.
            walk.descend(Layer::CiscoMetadata)?;
            let [_, _, _, _, _, _, high, low] = walk.array(Layer::CiscoMetadata)?;
            network(walk, Layer::CiscoMetadata, u16::from_be_bytes([high, low]))
        }
        ether_type::NSH => nsh(walk),
        ether_type::JUMBO_LLC => llc(walk),
        1..=ether_type::MAX_LENGTH if matches!(layer, Layer::Ethernet | Layer::Vlan) => {
            walk.limit(usize::from(ether_type));
            llc(walk)
        }
        other => Err(Refusal::Unsupported(layer, u32::from(other))),
    }
}

/// Both service access points of SNAP, and unnumbered information.
const SNAP: [u8; 3] = [0xaa, 0xaa, 0x03];

/// IEEE 802.2 logical link control, and the subnetwork access protocol behind it (RFC 1042).
pub(super) fn llc<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    /// The service access point of IP.
    const IP: [u8; 3] = [0x06, 0x06, 0x03];
    match walk.array(Layer::Llc)? {
        SNAP => {}
        IP => return net::by_version(walk, Layer::Llc),
        [dsap, ssap, _] => {
            return Err(Refusal::Unsupported(Layer::Llc, u32::from(u16::from_be_bytes([dsap, ssap]))));
        }
    }
    match walk.array(Layer::Llc)? {
        // RFC 1042, and IEEE 802.1H for bridged frames: an EtherType follows.
        [0, 0, 0 | 0xf8, high, low] => {
            walk.descend(Layer::Llc)?;
            network(walk, Layer::Llc, u16::from_be_bytes([high, low]))
        }
        [_, _, _, high, low] => {
            Err(Refusal::Unsupported(Layer::Llc, u32::from(u16::from_be_bytes([high, low]))))
        }
    }
}

/// A network service header (RFC 8300 section 2.2): its length in words of four bytes, and what follows.
fn nsh<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    /// The base header and the service path.
    const SHORTEST: usize = 8;
    walk.descend(Layer::Nsh)?;
    let start = walk.clone();
    let [_, words, _, next] = walk.array(Layer::Nsh)?;
    let length = usize::from(words & 0x3f) * 4;
    if length < SHORTEST {
        return Err(start.malformed(Layer::Nsh, SHORTEST, length));
    }
    walk.skip(Layer::Nsh, length - 4)?;
    service_protocol(walk, Layer::Nsh, next)
}

/// Decodes what a protocol number announces that is shared by NSH (RFC 8300 section 2.2) and VXLAN-GPE.
pub(super) fn service_protocol<'a>(
    walk: &mut Walk<'a>,
    layer: Layer,
    next: u8,
) -> Result<Packet<'a>, Refusal> {
    match next {
        1 => net::ipv4(walk),
        2 => net::ipv6(walk),
        3 => frame(walk),
        4 => nsh(walk),
        5 => mpls(walk),
        other => Err(Refusal::Unsupported(layer, u32::from(other))),
    }
}

/// An MPLS label stack (RFC 3032 section 2.1) and what is most likely below it, for the stack itself does not say.
pub(super) fn mpls<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    walk.descend(Layer::Mpls)?;
    for _ in 0..MAX_MPLS_LABELS {
        let [_, _, bottom, _] = walk.array(Layer::Mpls)?;
        if bottom & 1 == 1 {
            return below_mpls(walk);
        }
    }
    Err(Refusal::TooDeep(Layer::Mpls))
}

fn below_mpls<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    /// An Ethernet frame's EtherType as far behind the label stack as 12 bytes of addresses put it.
    const ETHER_TYPE: usize = 12;
    /// A pseudowire's control word (RFC 4385 section 3): four bits of nought lead it.
    const CONTROL_WORD: usize = 4;
    match walk.peek(Layer::Mpls)? >> 4 {
        // Pseudowires that could be taken for IP have to carry a control word (RFC 4928 section 3).
        4 => net::ipv4(walk),
        6 => net::ipv6(walk),
        // The associated channel (RFC 4385 section 5) carries no traffic of users.
        1 => Err(Refusal::Unsupported(Layer::Mpls, 1)),
        0 if !announces_network(walk, ETHER_TYPE) => {
            walk.skip(Layer::Mpls, CONTROL_WORD)?;
            frame(walk)
        }
        _ => frame(walk),
    }
}

/// Whether an EtherType of what is decoded here, or a length and SNAP, stands `ahead` bytes on.
fn announces_network(walk: &Walk<'_>, ahead: usize) -> bool {
    let mut walk = walk.clone();
    let Ok([high, low]) = walk.skip(Layer::Mpls, ahead).and_then(|()| walk.array(Layer::Mpls)) else {
        return false;
    };
    match u16::from_be_bytes([high, low]) {
        1..=ether_type::MAX_LENGTH => walk.array(Layer::Mpls).is_ok_and(|llc| llc == SNAP),
        ether_type::IPV4
        | ether_type::ETHERNET
        | ether_type::VLAN
        | ether_type::IPV6
        | ether_type::MPLS
        | ether_type::MPLS_UPSTREAM
        | ether_type::PPPOE_SESSION
        | ether_type::PPP
        | ether_type::JUMBO_LLC
        | ether_type::VLAN_PROVIDER
        | ether_type::CISCO_METADATA
        | ether_type::NSH
        | ether_type::PROVIDER_BACKBONE
        | ether_type::VLAN_9100
        | ether_type::VLAN_9200 => true,
        _ => false,
    }
}
