//! The transport layer: TCP and UDP headers, and the payload behind them.

use etherparse::err::tcp;
use etherparse::{TcpHeaderSlice, UdpHeaderSlice};

use super::net::{Between, Ends};
use super::walk::Walk;
use super::{Datagram, Layer, Packet, Refusal, Segment, TcpFlags, Transport, tunnel};

/// Bytes of a TCP header without options, and of a UDP header.
const TCP_LEN: usize = 20;
const UDP_LEN: usize = 8;

/// Decodes a TCP segment (RFC 9293 section 3.1).
#[inline(always)]
pub(super) fn tcp<'a>(walk: &mut Walk<'a>, ip: &impl Between) -> Result<Packet<'a>, Refusal> {
    let header = match TcpHeaderSlice::from_slice(walk.rest()) {
        Ok(header) => header,
        Err(error) => return bad_tcp(walk, ip.ends(), &error),
    };
    walk.skip(Layer::Tcp, header.slice().len())?;
    Ok(ip.packet(Transport::Tcp(segment(walk, &header))))
}

/// Decodes a UDP datagram (RFC 768).
#[inline(always)]
pub(super) fn udp<'a>(walk: &mut Walk<'a>, ip: &impl Between) -> Result<Packet<'a>, Refusal> {
    let header = match UdpHeaderSlice::from_slice(walk.rest()) {
        Ok(header) => header,
        Err(short) => return Err(walk.malformed(Layer::Udp, short.required_len, short.len)),
    };
    match usize::from(header.length()) {
        // Segmentation offload, or a jumbogram (RFC 2675 section 4): the payload is what there is.
        0 => {}
        short if short < UDP_LEN => return Err(walk.malformed(Layer::Udp, UDP_LEN, short)),
        // A length beyond the IP packet's end is wrong, and is cut to that.
        length if length < walk.wire() => walk.limit(length),
        _ => {}
    }
    walk.skip(Layer::Udp, UDP_LEN)?;
    let (src_port, dst_port) = (header.source_port(), header.destination_port());
    if tunnel::has_port(src_port, dst_port) {
        return guess(walk, ip.ends(), datagram(walk, src_port, dst_port));
    }
    Ok(ip.packet(Transport::Udp(datagram(walk, src_port, dst_port))))
}

#[inline(always)]
fn datagram<'a>(walk: &Walk<'a>, src_port: u16, dst_port: u16) -> Datagram<'a> {
    Datagram { src_port, dst_port, payload: walk.rest(), wire_len: walk.wire_len() }
}

#[inline(always)]
fn segment<'a>(walk: &Walk<'a>, header: &TcpHeaderSlice<'_>) -> Segment<'a> {
    Segment {
        src_port: header.source_port(),
        dst_port: header.destination_port(),
        seq: header.sequence_number(),
        ack: header.acknowledgment_number(),
        flags: TcpFlags(header.slice().get(13).copied().unwrap_or_default()),
        payload: walk.rest(),
        wire_len: walk.wire_len(),
    }
}

/// Decodes the tunnel that a datagram's port announces, or else gives the datagram. The limit on nesting holds: what nests
/// that deep was understood all the way.
#[cold]
fn guess<'a>(walk: &mut Walk<'a>, ends: Ends, datagram: Datagram<'a>) -> Result<Packet<'a>, Refusal> {
    let mut packet = ends.packet(Transport::Udp(datagram));
    let Some(layer) = tunnel::by_port(datagram.src_port, datagram.dst_port) else { return Ok(packet) };
    match tunnel::datagram(walk, ends, layer) {
        Err(Refusal::Malformed(_)) => packet.path.unopened = Some(layer),
        Err(Refusal::TooDeep(_)) if !walk.is_deepest() => packet.path.unopened = Some(layer),
        Err(Refusal::Unsupported(..)) => {}
        decided => return decided,
    }
    Ok(packet)
}

/// A header that etherparse refuses is damaged, unless a snap length cut nothing but its options: then ports and
/// numbers are there, and the payload is not.
#[cold]
fn bad_tcp<'a>(
    walk: &mut Walk<'a>,
    ends: Ends,
    error: &tcp::HeaderSliceError,
) -> Result<Packet<'a>, Refusal> {
    let short = match error {
        tcp::HeaderSliceError::Len(short) => short,
        tcp::HeaderSliceError::Content(tcp::HeaderError::DataOffsetTooSmall { data_offset }) => {
            return Err(walk.malformed(Layer::Tcp, TCP_LEN, usize::from(*data_offset) * 4));
        }
    };
    let refusal = walk.malformed(Layer::Tcp, short.required_len, short.len);
    if walk.wire() < short.required_len {
        return Err(refusal);
    }
    let wire = walk.wire() - short.required_len;
    let Ok(mut fixed) = walk.array::<TCP_LEN>(Layer::Tcp) else { return Err(refusal) };
    let [.., data_offset, _, _, _, _, _, _, _] = &mut fixed;
    *data_offset = 0x50;
    let Ok(header) = TcpHeaderSlice::from_slice(&fixed) else { return Err(refusal) };
    walk.leave_uncaptured(wire);
    Ok(ends.packet(Transport::Tcp(segment(walk, &header))))
}
