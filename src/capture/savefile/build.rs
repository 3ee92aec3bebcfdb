//! Writes small captures for tests.

use std::io::Write;

/// Writes a pcap file.
pub(crate) struct Pcap {
    pub(crate) bytes: Vec<u8>,
    little: bool,
    record_extra: usize,
}

impl Pcap {
    /// Microseconds.
    pub(crate) const MICROS: u32 = 0xa1b2_c3d4;
    /// Nanoseconds.
    pub(crate) const NANOS: u32 = 0xa1b2_3c4d;
    /// Kuznetzov's.
    pub(crate) const MODIFIED: u32 = 0xa1b2_cd34;

    /// A little-endian file of microseconds and Ethernet frames.
    pub(crate) fn ethernet() -> Self {
        Self::new(true, Self::MICROS, 1)
    }

    pub(crate) fn new(little: bool, magic: u32, link: u32) -> Self {
        let record_extra = if magic == Self::MODIFIED { 8 } else { 0 };
        let mut pcap = Self { bytes: Vec::new(), little, record_extra };
        pcap.u32s(&[magic]);
        let version: [u16; 2] = [2, 4];
        for half in version {
            pcap.bytes.extend(if little { half.to_le_bytes() } else { half.to_be_bytes() });
        }
        pcap.u32s(&[0, 0, 262_144, link]);
        pcap
    }

    pub(crate) fn frame(self, seconds: u32, fraction: u32, frame: &[u8]) -> Self {
        self.cut_frame(seconds, fraction, frame, frame.len() as u32)
    }

    pub(crate) fn cut_frame(mut self, seconds: u32, fraction: u32, frame: &[u8], wire_len: u32) -> Self {
        self.u32s(&[seconds, fraction, frame.len() as u32, wire_len]);
        self.bytes.extend(vec![0xee; self.record_extra]);
        self.bytes.extend(frame);
        self
    }

    fn u32s(&mut self, numbers: &[u32]) {
        for number in numbers {
            self.bytes.extend(if self.little { number.to_le_bytes() } else { number.to_be_bytes() });
        }
    }
}

/// Writes a pcapng file.
pub(crate) struct Pcapng {
    pub(crate) bytes: Vec<u8>,
    little: bool,
}

impl Pcapng {
    /// A section header of this byte order.
    pub(crate) fn new(little: bool) -> Self {
        Self { bytes: Vec::new(), little }.section(little)
    }

    /// Another section.
    pub(crate) fn section(mut self, little: bool) -> Self {
        self.little = little;
        let mut body = self.u32(0x1a2b_3c4d);
        body.extend(self.u16(1));
        body.extend(self.u16(0));
        body.extend([0xff; 8]);
        self.block(0x0a0d_0d0a, &body)
    }

    /// An interface, with options as (code, value).
    pub(crate) fn interface(self, link: u16, snap_len: u32, options: &[(u16, &[u8])]) -> Self {
        let mut body = self.u16(link);
        body.extend(self.u16(0));
        body.extend(self.u32(snap_len));
        for (code, value) in options {
            body.extend(self.u16(*code));
            body.extend(self.u16(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    /// An enhanced packet block.
    pub(crate) fn packet(self, interface: u32, ticks: u64, frame: &[u8]) -> Self {
        self.cut_packet(interface, ticks, frame, frame.len() as u32)
    }

    pub(crate) fn cut_packet(self, interface: u32, ticks: u64, frame: &[u8], wire_len: u32) -> Self {
        let mut body = self.u32(interface);
        body.extend(self.times_and_lengths(ticks, frame, wire_len));
        self.block(6, &body)
    }

    /// An obsolete packet block.
    pub(crate) fn old_packet(self, interface: u16, ticks: u64, frame: &[u8]) -> Self {
        let mut body = self.u16(interface);
        body.extend(self.u16(7));
        body.extend(self.times_and_lengths(ticks, frame, frame.len() as u32));
        self.block(2, &body)
    }

    /// A simple packet block.
    pub(crate) fn simple_packet(self, frame: &[u8], wire_len: u32) -> Self {
        let mut body = self.u32(wire_len);
        body.extend(frame);
        self.block(3, &body)
    }

    pub(crate) fn block(mut self, kind: u32, body: &[u8]) -> Self {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32((padded + 12) as u32);
        self.bytes.extend(self.u32(kind));
        self.bytes.extend(&length);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(&length);
        self
    }

    fn times_and_lengths(&self, ticks: u64, frame: &[u8], wire_len: u32) -> Vec<u8> {
        let words = [(ticks >> 32) as u32, ticks as u32, frame.len() as u32, wire_len];
        words.into_iter().flat_map(|word| self.u32(word)).chain(frame.iter().copied()).collect()
    }

    fn u16(&self, number: u16) -> Vec<u8> {
        if self.little { number.to_le_bytes() } else { number.to_be_bytes() }.to_vec()
    }

    fn u32(&self, number: u32) -> Vec<u8> {
        if self.little { number.to_le_bytes() } else { number.to_be_bytes() }.to_vec()
    }
}

/// `bytes` as a gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// `bytes` as a zstd frame.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
