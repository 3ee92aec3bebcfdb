//! Builders of headers: each puts one layer in front of what is inside it.

use super::*;

pub(super) const V4: ([u8; 4], [u8; 4]) = ([192, 0, 2, 1], [198, 51, 100, 2]);
pub(super) const V6: ([u8; 16], [u8; 16]) = (
    [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
);

pub(super) fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub(super) fn tcp(options: &[u8], payload: &[u8]) -> Vec<u8> {
    let offset = u8::try_from(5 + options.len() / 4).unwrap() << 4;
    join(&[
        &SRC_PORT.to_be_bytes(),
        &DST_PORT.to_be_bytes(),
        &SEQ.to_be_bytes(),
        &[0, 0, 0, 9, offset, 0x18, 0xff, 0xff, 0xba, 0xad, 0, 0],
        options,
        payload,
    ])
}

pub(super) fn udp_ports(src: u16, dst: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    join(&[&src.to_be_bytes(), &dst.to_be_bytes(), &length.to_be_bytes(), &[0xba, 0xad], payload])
}

pub(super) fn udp(payload: &[u8]) -> Vec<u8> {
    udp_ports(SRC_PORT, DST_PORT, payload)
}

/// `fragment` is the word of flags and offset.
pub(super) fn v4_with(options: &[u8], fragment: u16, protocol: u8, inner: &[u8]) -> Vec<u8> {
    let ihl = 0x40 | u8::try_from(5 + options.len() / 4).unwrap();
    let total = u16::try_from(20 + options.len() + inner.len()).unwrap();
    join(&[
        &[ihl, 0],
        &total.to_be_bytes(),
        &[0x12, 0x34],
        &fragment.to_be_bytes(),
        &[64, protocol, 0xba, 0xad],
        &V4.0,
        &V4.1,
        options,
        inner,
    ])
}

/// With addresses of its own.
pub(super) fn v4_between(ends: ([u8; 4], [u8; 4]), protocol: u8, inner: &[u8]) -> Vec<u8> {
    let mut packet = v4(protocol, inner);
    packet[12..16].copy_from_slice(&ends.0);
    packet[16..20].copy_from_slice(&ends.1);
    packet
}

/// With addresses of its own.
pub(super) fn v6_between(ends: ([u8; 16], [u8; 16]), next: u8, inner: &[u8]) -> Vec<u8> {
    let mut packet = v6(next, inner);
    packet[8..24].copy_from_slice(&ends.0);
    packet[24..40].copy_from_slice(&ends.1);
    packet
}

pub(super) fn v4(protocol: u8, inner: &[u8]) -> Vec<u8> {
    v4_with(&[], 0x4000, protocol, inner)
}

pub(super) fn v6(next: u8, inner: &[u8]) -> Vec<u8> {
    let length = u16::try_from(inner.len()).unwrap();
    join(&[&[0x60, 0, 0, 0], &length.to_be_bytes(), &[next, 64], &V6.0, &V6.1, inner])
}

pub(super) fn eth(ether_type: u16, inner: &[u8]) -> Vec<u8> {
    join(&[&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2], &ether_type.to_be_bytes(), inner])
}

pub(super) fn vlan(id: u16, ether_type: u16, inner: &[u8]) -> Vec<u8> {
    join(&[&(0x6000 | id).to_be_bytes(), &ether_type.to_be_bytes(), inner])
}
