//! Generic routing encapsulation, and what uses it: ERSPAN and PPTP.

use super::ethernet::{self, ether_type};
use super::net::Ends;
use super::path::TunnelKind;
use super::tunnel::inside;
use super::walk::Walk;
use super::{Layer, Packet, Refusal, ppp, wireless};

/// Bits of the first two bytes.
const CHECKSUM: u16 = 0x8000;
const ROUTING: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACKNOWLEDGEMENT: u16 = 0x0080;
const VERSION: u16 = 0x0007;

/// Decodes what GRE carries between `ends`.
pub(super) fn gre<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    let [a, b, c, d] = walk.array(Layer::Gre)?;
    let (flags, protocol) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    match flags & VERSION {
        0 => version_0(walk, ends, flags, protocol),
        1 => version_1(walk, ends, flags, protocol),
        // As it stands in the first two bytes, where EtherTypes stand in the next two.
        other => Err(Refusal::Unsupported(Layer::Gre, u32::from(other))),
    }
}

/// RFC 2784 and RFC 2890, and the source routes of RFC 1701.
fn version_0<'a>(walk: &mut Walk<'a>, ends: Ends, flags: u16, protocol: u16) -> Result<Packet<'a>, Refusal> {
    if flags & (CHECKSUM | ROUTING) != 0 {
        walk.skip(Layer::Gre, 4)?;
    }
    let key = if flags & KEY != 0 { u32::from_be_bytes(walk.array(Layer::Gre)?) } else { 0 };
    if flags & SEQUENCE != 0 {
        walk.skip(Layer::Gre, 4)?;
    }
    if flags & ROUTING != 0 {
        // RFC 1701: entries of an address family, an offset and a length; one of noughts ends them.
        loop {
            match walk.array(Layer::Gre)? {
                [0, 0, _, 0] => break,
                [_, _, _, length] => walk.skip(Layer::Gre, usize::from(length))?,
            }
        }
    }
    match protocol {
        // Type I has no header, and no sequence numbers either, which is how it is told apart.
        ether_type::ERSPAN if flags & SEQUENCE == 0 => {
            inside(walk, Layer::Erspan, ends.tunnel(TunnelKind::Erspan, 0), ethernet::frame)
        }
        ether_type::ERSPAN | ether_type::ERSPAN_3 => erspan(walk, ends),
        other => inside(walk, Layer::Gre, ends.tunnel(TunnelKind::Gre, key), |walk| match other {
            // What wireless controllers of Aruba are sent by their access points: 802.11 frames.
            0x8200..=0x8370 | 0x9000 if other & 0x0f == 0 => wireless::ieee80211(walk, false),
            other => ethernet::network(walk, Layer::Gre, other),
        }),
    }
}

/// ERSPAN types II and III (draft-foschiano-erspan-03 sections 4.2 and 4.3).
fn erspan<'a>(walk: &mut Walk<'a>, ends: Ends) -> Result<Packet<'a>, Refusal> {
    let start = walk.clone();
    let [version, _, session_high, session_low, _, _, _, _] = walk.array(Layer::Erspan)?;
    let session = u32::from(u16::from_be_bytes([session_high, session_low]) & 0x03ff);
    match version >> 4 {
        1 => {}
        2 => {
            // The last bit says whether eight bytes of the platform's own follow.
            let [_, _, _, last] = walk.array(Layer::Erspan)?;
            if last & 1 == 1 {
                walk.skip(Layer::Erspan, 8)?;
            }
        }
        _ => return Err(start.malformed(Layer::Erspan, 8, 0)),
    }
    inside(walk, Layer::Erspan, ends.tunnel(TunnelKind::Erspan, session), ethernet::frame)
}

/// PPTP (RFC 2637 section 4.1): the key is a length and a call, and a packet may be an acknowledgement alone.
fn version_1<'a>(walk: &mut Walk<'a>, ends: Ends, flags: u16, protocol: u16) -> Result<Packet<'a>, Refusal> {
    if protocol != ether_type::PPP {
        return Err(Refusal::Unsupported(Layer::Gre, u32::from(protocol)));
    }
    let [length_high, length_low, call_high, call_low] = walk.array(Layer::Gre)?;
    if flags & SEQUENCE == 0 {
        return Err(Refusal::Unsupported(Layer::Gre, u32::from(flags)));
    }
    walk.skip(Layer::Gre, 4)?;
    if flags & ACKNOWLEDGEMENT != 0 {
        walk.skip(Layer::Gre, 4)?;
    }
    walk.limit(usize::from(u16::from_be_bytes([length_high, length_low])));
    let call = u32::from(u16::from_be_bytes([call_high, call_low]));
    inside(walk, Layer::Gre, ends.tunnel(TunnelKind::Pptp, call), ppp::frame)
}
