//! Stage 2: frame → packet.
//!
//! Takes a [`Frame`](crate::capture::Frame)'s bytes and link type, walks link, network and transport headers, and gives a
//! [`Packet`] that borrows its payload. No heap, no state, no clock. What cannot be decoded is a [`Refusal`]: a
//! small value that is counted by layer and reason.

#![deny(clippy::indexing_slicing)]

mod ethernet;
mod gre;
mod link;
mod malformed;
mod net;
mod path;
mod ppp;
#[cfg(test)]
mod tests;
mod transport;
mod tunnel;
mod walk;
mod wireless;

use std::net::{IpAddr, Ipv4Addr};

use crate::capture::LinkType;
use crate::reader::Reader;
pub use malformed::{Layer, Malformed, Refusal, protocol_name};
pub use path::{Path, Tunnel, TunnelKind};

/// Decodes a frame of `link`, of which `bytes` were captured and `wire_len` bytes were on the wire.
///
/// Headers may be cut by a snap length only as far as the ports; a payload is given as far as it goes, and its
/// `wire_len` says how long it was.
///
/// # Errors
/// [`Refusal::Unsupported`] for what is no IP (ARP, LLDP, …), which is no damage; [`Refusal::Malformed`] for headers
/// that end too early or contradict themselves; [`Refusal::TooDeep`] where a limit on nesting was reached.
#[inline]
pub fn packet(link: LinkType, bytes: &[u8], wire_len: u32) -> Result<Packet<'_>, Refusal> {
    let mut walk = walk::Walk::new(bytes, wire_len);
    match link {
        LinkType::ETHERNET => ethernet::frame(&mut walk),
        other => link::other(&mut walk, other),
    }
}

/// The identification of the innermost IPv4 header of a frame, by which what is sent again differs from what is mirrored twice; nought
/// where there is none.
///
/// It is asked for so seldom that no packet carries it: the frame is decoded again, and its header is the last one before the
/// payload that has the packet's addresses. Whoever has the packet asks for [`distinction`].
#[cold]
pub fn identification(link: LinkType, bytes: &[u8], wire_len: u32) -> u16 {
    let Ok(packet) = packet(link, bytes, wire_len) else { return 0 };
    let (IpAddr::V4(src), IpAddr::V4(dst)) = (packet.src, packet.dst) else { return 0 };
    let payload = match packet.transport {
        Transport::Tcp(segment) => segment.payload,
        Transport::Udp(datagram) => datagram.payload,
        Transport::Fragment(fragment) => fragment.payload,
        Transport::Other(_) => return 0,
    };
    identification_in(before(payload, bytes), src, dst)
}

/// The identification of IPv4, if it is that, and the checksum of the transport, by which packets of one conversation with the same
/// numbers and payload differ. Each is nought where there is none. The packet is one of this frame, and neither a fragment nor put together
/// from fragments.
///
/// No packet carries them, so that only those pay who ask: the headers are looked for backwards from the payload, where they mostly are at
/// the first place.
pub fn distinction(bytes: &[u8], packet: &Packet<'_>) -> (u16, u16) {
    const TCP: usize = 20;
    let (payload, checksum_at) = match &packet.transport {
        Transport::Tcp(segment) => (segment.payload, 16),
        Transport::Udp(datagram) => (datagram.payload, 6),
        Transport::Other(_) | Transport::Fragment(_) => return (0, 0),
    };
    let headers = before(payload, bytes);
    let split = match &packet.transport {
        Transport::Tcp(segment) => {
            let Segment { src_port, dst_port, seq, ack, .. } = segment;
            let ports = u32::from(*src_port) << 16 | u32::from(*dst_port);
            let begins = |at: &usize| {
                let mut reader = Reader::new(headers.get(*at..).unwrap_or_default());
                reader.u32() == Ok(ports) && reader.u32() == Ok(*seq) && reader.u32() == Ok(*ack)
            };
            // Without options, or with so many words of them.
            (0..=10).filter_map(|words| headers.len().checked_sub(TCP + 4 * words)).find(begins)
        }
        _ => headers.len().checked_sub(8),
    };
    let Some((network, transport)) = split.and_then(|at| headers.split_at_checked(at)) else { return (0, 0) };
    let checksum = transport.get(checksum_at..).and_then(|rest| Reader::new(rest).u16().ok()).unwrap_or(0);
    let id = match (packet.src, packet.dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => identification_in(network, src, dst),
        _ => 0,
    };
    (id, checksum)
}

/// What lies before a part of a frame.
fn before<'a>(part: &[u8], frame: &'a [u8]) -> &'a [u8] {
    Reader::new(frame).take_up_to(part.as_ptr().addr().wrapping_sub(frame.as_ptr().addr()))
}

/// The identification in the last header of IPv4 with these addresses.
#[inline]
fn identification_in(headers: &[u8], src: Ipv4Addr, dst: Ipv4Addr) -> u16 {
    let [a, b, c, d] = src.octets();
    let [e, f, g, h] = dst.octets();
    // An identification, flags and an offset, a time to live, a protocol, a checksum, and both addresses.
    let header = headers.windows(16).rev().find(|it| it.ends_with(&[a, b, c, d, e, f, g, h]));
    header.and_then(|header| Reader::new(header).u16().ok()).unwrap_or(0)
}

/// Decodes the payload of an IP packet that was put together from fragments: `protocol` as the fragments named it, `path`
/// as they came. What is inside a tunnel is decoded on, and its path holds both.
///
/// # Errors
/// As [`packet`]; offsets count from the start of `payload`.
pub fn continue_ip<'a>(
    protocol: u8,
    src: IpAddr,
    dst: IpAddr,
    payload: &'a [u8],
    path: &Path,
) -> Result<Packet<'a>, Refusal> {
    let mut walk = walk::Walk::within(path.depth, payload);
    let mut decoded = net::beyond(&mut walk, net::Ends::new(src, dst), protocol);
    if let Ok(packet) = &mut decoded {
        packet.path = packet.path.within(path);
    }
    decoded
}

/// The innermost packet of a frame.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// Source address.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// What the packet carries.
    pub transport: Transport<'a>,
    /// What the packet was wrapped in.
    pub path: Path,
}

/// What an IP packet carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Transport<'a> {
    /// A TCP segment.
    Tcp(Segment<'a>),
    /// A UDP datagram.
    Udp(Datagram<'a>),
    /// Another protocol, by its number (<https://www.iana.org/assignments/protocol-numbers>).
    Other(u8),
    /// A fragment of a datagram that has to be put together first.
    Fragment(Fragment<'a>),
}

/// A TCP segment (RFC 9293 section 3.1).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Segment<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first payload byte, or of the SYN.
    pub seq: u32,
    /// Acknowledgement number; means nothing without [`TcpFlags::ACK`].
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// The payload as far as it was captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire, in bytes: more than `payload.len()` where a snap length cut it.
    pub wire_len: u32,
}

/// A UDP datagram (RFC 768).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Datagram<'a> {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// The payload as far as it was captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire, in bytes.
    pub wire_len: u32,
}

/// A fragment of an IP datagram (RFC 791 section 3.2, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Fragment<'a> {
    /// The datagram's identification; 16 bits in IPv4.
    pub id: u32,
    /// The protocol of the whole datagram's payload.
    pub protocol: u8,
    /// Where this part lies in the datagram's payload, in bytes.
    pub offset: u32,
    /// Whether more fragments follow this one.
    pub more: bool,
    /// This part of the payload as far as it was captured.
    pub payload: &'a [u8],
    /// This part's length on the wire, in bytes.
    pub wire_len: u32,
}

/// The control bits of a TCP header.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// The acknowledgement number means something.
    pub const ACK: u8 = 0x10;

    /// Whether any of `bits` is set.
    #[inline]
    pub const fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}
