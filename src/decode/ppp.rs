//! The point-to-point protocol, on a line of its own, over Ethernet, and inside tunnels.

use super::ethernet::{self, ether_type};
use super::walk::Walk;
use super::{Layer, Packet, Refusal, net};

/// Protocols of PPP (<https://www.iana.org/assignments/ppp-numbers>).
mod protocol {
    pub(super) const IPV4: u16 = 0x0021;
    pub(super) const IPV6: u16 = 0x0057;
    pub(super) const MPLS: u16 = 0x0281;
    pub(super) const MPLS_UPSTREAM: u16 = 0x0283;
}

/// A frame of a serial line: PPP in HDLC-like framing (RFC 1662), PPP alone, or Cisco's HDLC, which the first byte
/// tells apart (<https://www.tcpdump.org/linktypes/LINKTYPE_PPP_HDLC.html>).
pub(super) fn hdlc<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    match walk.peek(Layer::Ppp)? {
        // Cisco's unicast and multicast addresses; an EtherType follows.
        0x0f | 0x8f => {
            let [_, _, high, low] = walk.array(Layer::Ppp)?;
            ethernet::network(walk, Layer::Ppp, u16::from_be_bytes([high, low]))
        }
        _ => frame(walk),
    }
}

/// PPP over Ethernet (RFC 2516 section 4), from its own header on.
pub(super) fn pppoe<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    /// Version 1, type 1.
    const VERSION_TYPE: u8 = 0x11;
    /// The code of session data.
    const SESSION: u8 = 0;
    let start = walk.clone();
    let [version_type, code, _, _, high, low] = walk.array(Layer::Pppoe)?;
    if version_type != VERSION_TYPE {
        return Err(start.malformed(Layer::Pppoe, 6, 0));
    }
    if code != SESSION {
        return Err(Refusal::Unsupported(Layer::Pppoe, u32::from(code)));
    }
    walk.limit(usize::from(u16::from_be_bytes([high, low])));
    frame(walk)
}

/// A PPP frame (RFC 1661 section 2), behind address and control bytes or without them.
pub(super) fn frame<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    /// All stations: no protocol begins with this byte.
    const ADDRESS: u8 = 0xff;
    walk.descend(Layer::Ppp)?;
    if walk.peek(Layer::Ppp)? == ADDRESS {
        walk.skip(Layer::Ppp, 2)?;
    }
    // Protocols are odd: an odd first byte is a compressed one (RFC 1661 section 6.5).
    let [first] = walk.array(Layer::Ppp)?;
    let number = if first & 1 == 1 {
        u16::from(first)
    } else {
        let [second] = walk.array(Layer::Ppp)?;
        u16::from_be_bytes([first, second])
    };
    match number {
        protocol::IPV4 => net::ipv4(walk),
        protocol::IPV6 => net::ipv6(walk),
        protocol::MPLS | protocol::MPLS_UPSTREAM => ethernet::network(walk, Layer::Ppp, ether_type::MPLS),
        other => Err(Refusal::Unsupported(Layer::Ppp, u32::from(other))),
    }
}
