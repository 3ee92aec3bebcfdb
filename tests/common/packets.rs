//! Packets and captures made by hand, for what real traffic does not show on demand.

use etherparse::PacketBuilder;

/// A client and a server.
pub const CLIENT: [u8; 4] = [10, 0, 0, 7];
pub const SERVER: [u8; 4] = [192, 0, 2, 1];
/// The client's first byte has this sequence number: the stream wraps around within a hello.
pub const FIRST: u32 = u32::MAX - 300;

/// A frame of TCP from the client's port to the server's.
pub fn tcp(port: u16, seq: u32, flags: &str, payload: &[u8]) -> Vec<u8> {
    segment((CLIENT, port), (SERVER, 443), seq, flags, payload)
}

/// A frame of TCP between any two ends; `flags` are of `SARF`.
pub fn segment(from: ([u8; 4], u16), to: ([u8; 4], u16), seq: u32, flags: &str, payload: &[u8]) -> Vec<u8> {
    let mut builder =
        PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from.0, to.0, 64).tcp(from.1, to.1, seq, 64240);
    for flag in flags.chars() {
        builder = match flag {
            'S' => builder.syn(),
            'A' => builder.ack(1),
            'R' => builder.rst(),
            'F' => builder.fin(),
            other => panic!("no flag {other}"),
        };
    }
    let mut frame = Vec::new();
    builder.write(&mut frame, payload).unwrap();
    frame
}

/// A frame of UDP between any two ends.
pub fn datagram(from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4(from.0, to.0, 64)
        .udp(from.1, to.1)
        .write(&mut frame, payload)
        .unwrap();
    frame
}

/// A DNS query for the addresses of a name.
pub fn dns_query(name: &str) -> Vec<u8> {
    let mut message = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.extend_from_slice(&[0, 0, 1, 0, 1]);
    message
}

/// A small ClientHello in one record, with a server name.
pub fn hello(name: &str) -> Vec<u8> {
    let name = name.as_bytes();
    let mut list = vec![0];
    list.extend_from_slice(&(name.len() as u16).to_be_bytes());
    list.extend_from_slice(name);
    let mut extensions = vec![0, 0];
    extensions.extend_from_slice(&(list.len() as u16 + 2).to_be_bytes());
    extensions.extend_from_slice(&(list.len() as u16).to_be_bytes());
    extensions.extend_from_slice(&list);
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(&[0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend_from_slice(&(extensions.len() as u16).to_be_bytes());
    body.extend_from_slice(&extensions);
    let mut message = vec![1, 0];
    message.extend_from_slice(&(body.len() as u16).to_be_bytes());
    message.extend_from_slice(&body);
    records(&message, message.len())
}

/// A handshake message in TLS records of so many bytes.
pub fn records(message: &[u8], size: usize) -> Vec<u8> {
    message
        .chunks(size)
        .flat_map(|part| {
            let mut record = vec![22, 3, 1];
            record.extend_from_slice(&(part.len() as u16).to_be_bytes());
            record.extend_from_slice(part);
            record
        })
        .collect()
}

/// The handshake message in a stream of one record.
pub fn message(record: &[u8]) -> &[u8] {
    &record[5..]
}

/// A pcap file of Ethernet frames, a millisecond apart.
pub fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 262_144, 1] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for (number, frame) in frames.iter().enumerate() {
        let (seconds, nanos) = (1_795_176_000 + number as u32 / 1000, number as u32 % 1000 * 1_000_000);
        for word in [seconds, nanos, frame.len() as u32, frame.len() as u32] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        file.extend_from_slice(frame);
    }
    file
}
