//! Makes the datagrams of a client of any version, for tests.
#![allow(clippy::indexing_slicing)]

use super::keys::{Salts, Secrets};
use super::version::Version;

/// A client's packets under one set of keys.
pub(super) struct Client {
    pub(super) version: Version,
    /// The destination connection ID in the headers; the keys stay those of the first one.
    pub(super) id: Vec<u8>,
    pub(super) source_id: Vec<u8>,
    pub(super) token: Vec<u8>,
    pub(super) secrets: Secrets,
}

impl Client {
    pub(super) fn new(version: Version, id: &[u8]) -> Self {
        let secrets = Secrets::derive(&Salts::new(), &version.scheme().unwrap(), id);
        Self { version, id: id.to_vec(), source_id: b"scid".to_vec(), token: Vec::new(), secrets }
    }

    /// An Initial with these frames.
    pub(super) fn initial(&self, number: u64, number_len: u8, frames: &[u8]) -> Vec<u8> {
        let kind = self.version.scheme().unwrap().types.initial;
        let mut header = self.long_header(kind);
        header.extend(varint(self.token.len()));
        header.extend(&self.token);
        header.extend(varint(frames.len() + usize::from(number_len) + 16));
        self.secrets.seal(&header, number, number_len, frames)
    }

    /// An Initial with these frames, and padding inside until it has 1200 bytes.
    pub(super) fn datagram(&self, number: u64, frames: &[u8]) -> Vec<u8> {
        let mut frames = frames.to_vec();
        frames.resize(frames.len().max(1150), 0);
        self.initial(number, 2, &frames)
    }

    /// A packet of another type, whose content nobody can read.
    pub(super) fn other(&self, kind: u8, len: usize) -> Vec<u8> {
        let mut packet = self.long_header(kind);
        packet.extend(varint(len));
        packet.extend((0..len).map(|place| place as u8 ^ 0xa5));
        packet
    }

    fn long_header(&self, kind: u8) -> Vec<u8> {
        let mut header = vec![0xc0 | kind << 4];
        header.extend(self.version.0.to_be_bytes());
        header.push(self.id.len() as u8);
        header.extend(&self.id);
        header.push(self.source_id.len() as u8);
        header.extend(&self.source_id);
        header
    }
}

/// A CRYPTO frame of the IETF's.
pub(super) fn crypto(offset: usize, data: &[u8]) -> Vec<u8> {
    [&[6], &varint(offset)[..], &varint(data.len()), data].concat()
}

/// A CRYPTO frame of Google's.
pub(super) fn google_crypto(offset: usize, data: &[u8]) -> Vec<u8> {
    [&[8], &varint(offset)[..], &varint(data.len()), data].concat()
}

/// A STREAM frame of Google's, for stream 1.
pub(super) fn google_stream(offset: usize, data: &[u8]) -> Vec<u8> {
    [&[0xa4, 1], &(offset as u16).to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

pub(super) fn varint(value: usize) -> Vec<u8> {
    match value {
        0..0x40 => vec![value as u8],
        0x40..0x4000 => (value as u16 | 0x4000).to_be_bytes().to_vec(),
        _ => (value as u32 | 0x8000_0000).to_be_bytes().to_vec(),
    }
}

/// A ClientHello for `name` with so many bytes of padding extension before the name.
pub(super) fn client_hello(name: &str, padding: usize) -> Vec<u8> {
    let sni = [&[0][..], &(name.len() as u16).to_be_bytes(), name.as_bytes()].concat();
    let sni = [&(sni.len() as u16).to_be_bytes()[..], &sni].concat();
    let mut extensions = vec![0, 21];
    extensions.extend((padding as u16).to_be_bytes());
    extensions.extend((0..padding).map(|place| (place % 251) as u8));
    extensions.extend([0, 0]);
    extensions.extend((sni.len() as u16).to_be_bytes());
    extensions.extend(sni);
    let mut body = vec![3, 3];
    body.extend([0x5a; 32]);
    body.extend([0, 0, 2, 0x13, 0x01, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    [&[1], &(body.len() as u32).to_be_bytes()[1..], &body].concat()
}
