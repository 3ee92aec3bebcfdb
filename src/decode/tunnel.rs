//! Tunnels: what an IP protocol number or a UDP port announces as another packet.
//!
//! A protocol number is certain, so a tunnel that does not decode is refused. A port is a guess: where the inside does
//! not decode, the packet is the datagram itself.

use super::net::{self, Between, Ends, protocol};
use super::path::{Tunnel, TunnelKind};
use super::walk::Walk;
use super::{Layer, Packet, Refusal, Transport, ethernet, gre, ppp};

/// UDP ports of tunnels (<https://www.iana.org/assignments/service-names-port-numbers>).
mod port {
    pub(super) const L2TP: u16 = 1701;
    pub(super) const GTP_U: u16 = 2152;
    pub(super) const TEREDO: u16 = 3544;
    pub(super) const GRE: u16 = 4754;
    pub(super) const VXLAN: u16 = 4789;
    pub(super) const VXLAN_GPE: u16 = 4790;
    pub(super) const AYIYA: u16 = 5072;
    pub(super) const GENEVE: u16 = 6081;
    pub(super) const MPLS: u16 = 6635;
    /// VXLAN before it had a number of its own; Linux still begins with it.
    pub(super) const VXLAN_LINUX: u16 = 8472;
}

/// Decodes the inside of a tunnel, and notes the tunnel in the packet.
pub(super) fn inside<'a>(
    walk: &mut Walk<'a>,
    layer: Layer,
    tunnel: Tunnel,
    decode: impl FnOnce(&mut Walk<'a>) -> Result<Packet<'a>, Refusal>,
) -> Result<Packet<'a>, Refusal> {
    walk.descend(layer)?;
    let mut decoded = decode(walk);
    if let Ok(packet) = &mut decoded {
        packet.path.add_tunnel(tunnel);
    }
    decoded
}

/// Decodes the tunnel of an IP protocol number; a number that is none is only named.
pub(super) fn by_protocol<'a>(walk: &mut Walk<'a>, ends: Ends, number: u8) -> Result<Packet<'a>, Refusal> {
    match number {
        protocol::IPV4 => {
            let kind = if ends.is_ipv4() { TunnelKind::IpInIp } else { TunnelKind::FourInSix };
            inside(walk, Layer::Ipv4, ends.tunnel(kind, 0), net::ipv4)
        }
        protocol::IPV6 => {
            let kind = if ends.is_ipv4() { TunnelKind::SixInFour } else { TunnelKind::IpInIp };
            inside(walk, Layer::Ipv6, ends.tunnel(kind, 0), net::ipv6)
        }
        protocol::GRE => gre::gre(walk, ends),
        protocol::ETHER_IP => inside(walk, Layer::EtherIp, ends.tunnel(TunnelKind::EtherIp, 0), |walk| {
            // RFC 3378 section 3: version 3 and twelve reserved bits.
            walk.skip(Layer::EtherIp, 2)?;
            ethernet::frame(walk)
        }),
        protocol::MPLS => inside(walk, Layer::Mpls, ends.tunnel(TunnelKind::MplsInIp, 0), ethernet::mpls),
        other => Ok(ends.packet(Transport::Other(other))),
    }
}

/// Whether a datagram may be a tunnel's, by its ports. Every datagram is asked, so this neither branches nor is exact:
/// [`by_port`] is.
#[inline(always)]
pub(super) const fn has_port(src: u16, dst: u16) -> bool {
    /// From the first to the last of a group of ports that lie close together.
    const GROUP: u16 = port::VXLAN_GPE - port::GRE;
    (dst.wrapping_sub(port::GRE) <= GROUP)
        | (dst == port::VXLAN_LINUX)
        | (dst == port::GENEVE)
        | (dst == port::GTP_U)
        | (dst == port::MPLS)
        | (dst == port::AYIYA)
        | (src == port::AYIYA)
        | (dst == port::TEREDO)
        | (src == port::TEREDO)
        | (dst == port::L2TP)
        | (src == port::L2TP)
}

/// Which tunnel that is. Most come from any port, so that only the destination means something; servers of Teredo,
/// AYIYA and L2TP answer from theirs.
pub(super) const fn by_port(src: u16, dst: u16) -> Option<Layer> {
    match (src, dst) {
        (_, port::VXLAN | port::VXLAN_LINUX) => Some(Layer::Vxlan),
        (_, port::VXLAN_GPE) => Some(Layer::VxlanGpe),
        (_, port::GENEVE) => Some(Layer::Geneve),
        (_, port::GTP_U) => Some(Layer::GtpU),
        (_, port::GRE) => Some(Layer::Gre),
        (_, port::MPLS) => Some(Layer::Mpls),
        (port::AYIYA, _) | (_, port::AYIYA) => Some(Layer::Ayiya),
        (port::TEREDO, _) | (_, port::TEREDO) => Some(Layer::Teredo),
        (port::L2TP, _) | (_, port::L2TP) => Some(Layer::L2tp),
        _ => None,
    }
}

/// Decodes a datagram's payload as the tunnel that [`by_port`] named.
#[cold]
pub(super) fn datagram<'a>(walk: &mut Walk<'a>, ends: Ends, layer: Layer) -> Result<Packet<'a>, Refusal> {
    match layer {
        Layer::Vxlan => vxlan(walk, ends),
        Layer::VxlanGpe => vxlan_gpe(walk, ends),
        Layer::Geneve => geneve(walk, ends),
        Layer::GtpU => gtp_u(walk, ends),
        Layer::Teredo => teredo(walk, ends),
        Layer::L2tp => l2tp(walk, ends),
        Layer::Ayiya => ayiya(walk, ends),
        // RFC 8086 and RFC 7510: as over IP, with ports for the sake of load balancing.
        Layer::Gre => gre::gre(walk, ends),
        Layer::Mpls => inside(walk, Layer::Mpls, ends.tunnel(TunnelKind::MplsInIp, 0), ethernet::mpls),
        other => Err(Refusal::Unsupported(other, 0)),
    }
}

/// RFC 7348 section 5: flags, a group policy's three bytes, the network identifier, a reserved byte.
fn vxlan<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    /// The identifier is valid.
    const VALID: u8 = 0x08;
    let [flags, _, _, _, a, b, c, _] = walk.array(Layer::Vxlan)?;
    if flags & VALID == 0 {
        return Err(Refusal::Unsupported(Layer::Vxlan, u32::from(flags)));
    }
    let tunnel = ends.tunnel(TunnelKind::Vxlan, u32::from_be_bytes([0, a, b, c]));
    inside(walk, Layer::Vxlan, tunnel, ethernet::frame)
}

/// draft-ietf-nvo3-vxlan-gpe section 3: as VXLAN, with a protocol where that has reserved bytes.
fn vxlan_gpe<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    /// The identifier is valid.
    const VALID: u8 = 0x08;
    let [flags, _, _, next, a, b, c, _] = walk.array(Layer::VxlanGpe)?;
    let id = if flags & VALID == 0 { 0 } else { u32::from_be_bytes([0, a, b, c]) };
    let tunnel = ends.tunnel(TunnelKind::VxlanGpe, id);
    inside(walk, Layer::VxlanGpe, tunnel, |walk| ethernet::service_protocol(walk, Layer::VxlanGpe, next))
}

/// RFC 8926 section 3.4: version and length of the options, flags, an EtherType, the network identifier, a reserved byte.
fn geneve<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    let [version_options, _, high, low, a, b, c, _] = walk.array(Layer::Geneve)?;
    if version_options >> 6 != 0 {
        return Err(Refusal::Unsupported(Layer::Geneve, u32::from(version_options >> 6)));
    }
    walk.skip(Layer::Geneve, usize::from(version_options & 0x3f) * 4)?;
    let tunnel = ends.tunnel(TunnelKind::Geneve, u32::from_be_bytes([0, a, b, c]));
    inside(walk, Layer::Geneve, tunnel, |walk| {
        ethernet::network(walk, Layer::Geneve, u16::from_be_bytes([high, low]))
    })
}

/// 3GPP TS 29.281 section 5: flags, message type, length, endpoint identifier, and behind them what the flags say.
fn gtp_u<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    /// Version 1 of GTP (not GTP').
    const VERSION_MASK: u8 = 0xf0;
    const VERSION_1: u8 = 0x30;
    /// Any of: an extension header, a sequence number, an N-PDU number. Then all three have their room.
    const OPTIONAL: u8 = 0x07;
    const EXTENSION: u8 = 0x04;
    /// The message that carries a packet.
    const G_PDU: u8 = 255;
    let [flags, message, high, low, a, b, c, d] = walk.array(Layer::GtpU)?;
    if flags & VERSION_MASK != VERSION_1 || message != G_PDU {
        return Err(Refusal::Unsupported(Layer::GtpU, u32::from(u16::from_be_bytes([flags, message]))));
    }
    walk.limit(usize::from(u16::from_be_bytes([high, low])));
    if flags & OPTIONAL != 0 {
        let [_, _, _, mut next] = walk.array(Layer::GtpU)?;
        if flags & EXTENSION == 0 {
            next = 0;
        }
        // Section 5.2.1: a length in words of four bytes, content, the next one's type.
        while next != 0 {
            let [words] = walk.array(Layer::GtpU)?;
            let Some(content) = (usize::from(words) * 4).checked_sub(2) else {
                return Err(walk.malformed(Layer::GtpU, 4, 0));
            };
            walk.skip(Layer::GtpU, content)?;
            [next] = walk.array(Layer::GtpU)?;
        }
    }
    let tunnel = ends.tunnel(TunnelKind::GtpU, u32::from_be_bytes([a, b, c, d]));
    inside(walk, Layer::GtpU, tunnel, |walk| net::by_version(walk, Layer::GtpU))
}

/// RFC 4380 section 5.1.1: an authentication and an origin may stand before the IPv6 packet.
fn teredo<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    if let [0, 1, client, secret, ..] = walk.rest() {
        // The lengths' own four bytes, both values, a nonce of eight bytes and a confirmation of one.
        walk.skip(Layer::Teredo, 4 + usize::from(*client) + usize::from(*secret) + 9)?;
    }
    if let [0, 0, ..] = walk.rest() {
        walk.skip(Layer::Teredo, 8)?;
    }
    inside(walk, Layer::Teredo, ends.tunnel(TunnelKind::Teredo, 0), net::ipv6)
}

/// draft-massar-v6ops-ayiya-02 section 3: lengths of identity and signature, an operation, the next header, a time.
fn ayiya<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    /// The operation that forwards a packet.
    const FORWARD: u8 = 1;
    let [identity, signature, operation, next, _, _, _, _] = walk.array(Layer::Ayiya)?;
    if operation & 0x0f != FORWARD {
        return Err(Refusal::Unsupported(Layer::Ayiya, u32::from(operation & 0x0f)));
    }
    // The identity's length is a power of two; the signature's counts words of four bytes.
    walk.skip(Layer::Ayiya, (1 << (identity >> 4)) + usize::from(signature >> 4) * 4)?;
    let tunnel = ends.tunnel(TunnelKind::Ayiya, 0);
    match next {
        protocol::IPV4 => inside(walk, Layer::Ayiya, tunnel, net::ipv4),
        protocol::IPV6 => inside(walk, Layer::Ayiya, tunnel, net::ipv6),
        other => Err(Refusal::Unsupported(Layer::Ayiya, u32::from(other))),
    }
}

/// RFC 2661 section 3.1: flags, and what they say of length, tunnel, session, sequence and offset; PPP follows.
fn l2tp<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    const CONTROL: u16 = 0x8000;
    const LENGTH: u16 = 0x4000;
    const SEQUENCE: u16 = 0x0800;
    const OFFSET: u16 = 0x0200;
    const VERSION: u16 = 0x000f;
    let whole = walk.clone();
    let flags = u16::from_be_bytes(walk.array(Layer::L2tp)?);
    if flags & CONTROL != 0 || flags & VERSION != 2 {
        return Err(Refusal::Unsupported(Layer::L2tp, u32::from(flags)));
    }
    if flags & LENGTH != 0 {
        // The length counts from the first byte of the header.
        let length = usize::from(u16::from_be_bytes(walk.array(Layer::L2tp)?));
        let Some(rest) = length.checked_sub(4) else { return Err(whole.malformed(Layer::L2tp, 4, length)) };
        walk.limit(rest);
    }
    let id = u32::from_be_bytes(walk.array(Layer::L2tp)?);
    if flags & SEQUENCE != 0 {
        walk.skip(Layer::L2tp, 4)?;
    }
    if flags & OFFSET != 0 {
        let padding = u16::from_be_bytes(walk.array(Layer::L2tp)?);
        walk.skip(Layer::L2tp, usize::from(padding))?;
    }
    inside(walk, Layer::L2tp, ends.tunnel(TunnelKind::L2tp, id), ppp::frame)
}
