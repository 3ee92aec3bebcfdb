//! The network layer: IPv4, IPv6 and its extension headers, down to the protocol of the payload.
//!
//! Checksums are never looked at: a mirror port sees packets before the network card has filled them in.

use std::net::IpAddr;

use etherparse::err::{ipv4, ipv6};
use etherparse::{Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice};

use super::path::{Path, Tunnel, TunnelKind};
use super::walk::Walk;
use super::{Fragment, Layer, Packet, Refusal, Transport, transport, tunnel};

/// The most extension headers of one IPv6 packet. RFC 8200 section 4.1 has each at most once, destination options
/// twice: seven in all; RFC 9288 lets a receiver refuse long chains.
pub(super) const MAX_EXTENSIONS: usize = 10;

/// Protocol numbers (<https://www.iana.org/assignments/protocol-numbers>).
pub(super) mod protocol {
    /// IPv6 hop-by-hop options.
    pub(crate) const HOP_BY_HOP: u8 = 0;
    /// IPv4 inside.
    pub(crate) const IPV4: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    /// IPv6 inside.
    pub(crate) const IPV6: u8 = 41;
    /// IPv6 routing header.
    pub(crate) const ROUTING: u8 = 43;
    /// IPv6 fragment header.
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const GRE: u8 = 47;
    /// Authentication header (RFC 4302): signed, not encrypted.
    pub(crate) const AH: u8 = 51;
    /// IPv6 destination options.
    pub(crate) const DESTINATION: u8 = 60;
    pub(crate) const ETHER_IP: u8 = 97;
    /// Mobility header (RFC 6275).
    pub(crate) const MOBILITY: u8 = 135;
    pub(crate) const MPLS: u8 = 137;
    /// Host identity protocol (RFC 7401).
    pub(crate) const HIP: u8 = 139;
    /// Shim6 (RFC 5533).
    pub(crate) const SHIM6: u8 = 140;
}

/// Who sends to whom. Headers stand for their own addresses, so that a packet is written once, when all is known:
/// moving half-built addresses about costs more than reading the headers.
pub(super) trait Between {
    fn src(&self) -> IpAddr;
    fn dst(&self) -> IpAddr;

    /// A packet between them.
    #[inline(always)]
    fn packet<'a>(&self, transport: Transport<'a>) -> Packet<'a> {
        Packet { src: self.src(), dst: self.dst(), transport, path: Path::PLAIN }
    }

    /// The addresses alone, for what is off the plain path.
    fn ends(&self) -> Ends {
        Ends { src: self.src(), dst: self.dst() }
    }
}

impl Between for Ipv4HeaderSlice<'_> {
    #[inline(always)]
    fn src(&self) -> IpAddr {
        IpAddr::V4(self.source_addr())
    }

    #[inline(always)]
    fn dst(&self) -> IpAddr {
        IpAddr::V4(self.destination_addr())
    }
}

impl Between for Ipv6HeaderSlice<'_> {
    #[inline(always)]
    fn src(&self) -> IpAddr {
        IpAddr::V6(self.source_addr())
    }

    #[inline(always)]
    fn dst(&self) -> IpAddr {
        IpAddr::V6(self.destination_addr())
    }
}

/// Addresses off the plain path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    src: IpAddr,
    dst: IpAddr,
}

impl Ends {
    /// Between two addresses.
    pub(super) const fn new(src: IpAddr, dst: IpAddr) -> Self {
        Self { src, dst }
    }

    /// Whether they are of IPv4.
    pub(super) const fn is_ipv4(&self) -> bool {
        self.dst.is_ipv4()
    }

    /// A tunnel between them.
    pub(super) const fn tunnel(self, kind: TunnelKind, id: u32) -> Tunnel {
        Tunnel { kind, id, src: self.src, dst: self.dst }
    }
}

impl Between for Ends {
    fn src(&self) -> IpAddr {
        self.src
    }

    fn dst(&self) -> IpAddr {
        self.dst
    }
}

/// Decodes IPv4 or IPv6, as the first four bits say; `layer` promised one of the two.
pub(super) fn by_version<'a>(walk: &mut Walk<'a>, layer: Layer) -> Result<Packet<'a>, Refusal> {
    match walk.peek(layer)? >> 4 {
        4 => ipv4(walk),
        6 => ipv6(walk),
        version => Err(Refusal::Unsupported(layer, u32::from(version))),
    }
}

/// Decodes an IPv4 packet (RFC 791 section 3.1).
#[inline(never)]
pub(super) fn ipv4<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    let header = match Ipv4HeaderSlice::from_slice(walk.rest()) {
        Ok(header) => header,
        Err(error) => return Err(bad_ipv4(walk, &error)),
    };
    let header_len = header.slice().len();
    match usize::from(header.total_len()) {
        // Segmentation offload: the card will cut the packet and fill in the lengths.
        0 => {}
        short if short < header_len => return Err(walk.malformed(Layer::Ipv4, header_len, short)),
        total => walk.limit(total),
    }
    walk.skip(Layer::Ipv4, header_len)?;
    if header.is_fragmenting_payload() {
        return Ok(header.packet(Transport::Fragment(Fragment {
            id: u32::from(header.identification()),
            protocol: header.protocol().0,
            offset: u32::from(header.fragments_offset().byte_offset()),
            more: header.more_fragments(),
            payload: walk.rest(),
            wire_len: walk.wire_len(),
        })));
    }
    payload(walk, &header, header.protocol().0)
}

/// Decodes an IPv6 packet (RFC 8200 section 3).
#[inline(never)]
pub(super) fn ipv6<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    let header = match Ipv6HeaderSlice::from_slice(walk.rest()) {
        Ok(header) => header,
        Err(error) => return Err(bad_ipv6(walk, &error)),
    };
    walk.skip(Layer::Ipv6, header.slice().len())?;
    match usize::from(header.payload_length()) {
        // Segmentation offload, or a jumbogram (RFC 2675): the payload is what there is.
        0 => {}
        length => walk.limit(length),
    }
    payload(walk, &header, header.next_header().0)
}

/// Decodes what an IP packet carries.
#[inline(always)]
fn payload<'a>(walk: &mut Walk<'a>, ip: &impl Between, number: u8) -> Result<Packet<'a>, Refusal> {
    match number {
        protocol::TCP => transport::tcp(walk, ip),
        protocol::UDP => transport::udp(walk, ip),
        other => beyond(walk, ip.ends(), other),
    }
}

/// Walks extension headers, in any order, until something else comes.
#[inline(never)]
pub(super) fn beyond<'a>(walk: &mut Walk<'a>, ends: Ends, mut number: u8) -> Result<Packet<'a>, Refusal> {
    for _ in 0..MAX_EXTENSIONS {
        number = match number {
            protocol::TCP => return transport::tcp(walk, &ends),
            protocol::UDP => return transport::udp(walk, &ends),
            // RFC 4302 section 2.2: the length counts words of four bytes, less two.
            protocol::AH => {
                let [next, length] = walk.array(Layer::Ipv6Extension)?;
                walk.skip(Layer::Ipv6Extension, (usize::from(length) + 2) * 4 - 2)?;
                next
            }
            // IPv4 has no other.
            other if ends.is_ipv4() => return tunnel::by_protocol(walk, ends, other),
            // RFC 8200 section 4.2: the length counts words of eight bytes, without the first.
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION
            | protocol::MOBILITY
            | protocol::HIP
            | protocol::SHIM6 => {
                let [next, length] = walk.array(Layer::Ipv6Extension)?;
                walk.skip(Layer::Ipv6Extension, (usize::from(length) + 1) * 8 - 2)?;
                next
            }
            protocol::FRAGMENT => {
                let header = match Ipv6FragmentHeaderSlice::from_slice(walk.rest()) {
                    Ok(header) => header,
                    Err(short) => {
                        return Err(walk.malformed(Layer::Ipv6Extension, short.required_len, short.len));
                    }
                };
                walk.skip(Layer::Ipv6Extension, header.slice().len())?;
                if header.is_fragmenting_payload() {
                    return Ok(ends.packet(Transport::Fragment(Fragment {
                        id: header.identification(),
                        protocol: header.next_header().0,
                        offset: u32::from(header.fragment_offset().byte_offset()),
                        more: header.more_fragments(),
                        payload: walk.rest(),
                        wire_len: walk.wire_len(),
                    })));
                }
                // An atomic fragment is a whole packet (RFC 6946).
                header.next_header().0
            }
            other => return tunnel::by_protocol(walk, ends, other),
        };
    }
    match number {
        protocol::TCP => transport::tcp(walk, &ends),
        protocol::UDP => transport::udp(walk, &ends),
        _ => Err(Refusal::TooDeep(Layer::Ipv6Extension)),
    }
}

#[cold]
fn bad_ipv4(walk: &Walk<'_>, error: &ipv4::HeaderSliceError) -> Refusal {
    match error {
        ipv4::HeaderSliceError::Len(short) => walk.malformed(Layer::Ipv4, short.required_len, short.len),
        ipv4::HeaderSliceError::Content(ipv4::HeaderError::HeaderLengthSmallerThanHeader { ihl }) => {
            walk.malformed(Layer::Ipv4, 20, usize::from(*ihl) * 4)
        }
        // Another version: there is nothing of this header.
        ipv4::HeaderSliceError::Content(ipv4::HeaderError::UnexpectedVersion { .. }) => {
            walk.malformed(Layer::Ipv4, 20, 0)
        }
    }
}

#[cold]
fn bad_ipv6(walk: &Walk<'_>, error: &ipv6::HeaderSliceError) -> Refusal {
    match error {
        ipv6::HeaderSliceError::Len(short) => walk.malformed(Layer::Ipv6, short.required_len, short.len),
        ipv6::HeaderSliceError::Content(_) => walk.malformed(Layer::Ipv6, 40, 0),
    }
}
