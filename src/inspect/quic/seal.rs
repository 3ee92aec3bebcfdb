//! The other direction: a client's Initials, sealed as a client seals them. For whoever makes traffic to measure and to test with.

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::Version;
use super::keys::{Salts, Secrets};

/// Seals the Initials of one client after another.
#[derive(Debug)]
pub struct Sealer {
    salts: Salts,
}

impl Sealer {
    /// Prepares the salts.
    pub fn new() -> Self {
        Self { salts: Salts::new() }
    }

    /// A datagram of version 1 with one Initial (RFC 9000 section 17.2.2) of the client that chose the destination connection ID `id`.
    /// `frames` are its frames, padded until the datagram has `size` bytes (1200 at the least: RFC 9000 section 14.1); `number` is
    /// its packet number.
    pub fn initial(&self, id: &[u8; 8], number: u16, mut frames: Vec<u8>, size: u16) -> Vec<u8> {
        /// Octets of the packet number, and of the tag of AES-128-GCM.
        const AROUND: usize = 2 + 16;
        let Some(scheme) = Version::V1.scheme() else { return Vec::new() };
        let secrets = Secrets::derive(&self.salts, &scheme, id);
        let mut header = vec![0xc0];
        header.extend(Version::V1.0.to_be_bytes());
        header.push(id.len() as u8);
        header.extend(id);
        // Neither a source connection ID nor a token; two octets of length follow.
        header.extend([0, 0]);
        let padded = usize::from(size).saturating_sub(header.len() + 2 + AROUND);
        frames.resize(frames.len().max(padded), 0);
        header.extend(((frames.len() + AROUND) as u16 | 0x4000).to_be_bytes());
        secrets.seal(&header, u64::from(number), 2, &frames)
    }
}

impl Default for Sealer {
    fn default() -> Self {
        Self::new()
    }
}

impl Secrets {
    /// Protects a packet: `header` ends before the packet number, of which `number_len` octets are sent.
    pub(super) fn seal(&self, header: &[u8], number: u64, number_len: u8, frames: &[u8]) -> Vec<u8> {
        let mut packet = header.to_vec();
        if let Some(first) = packet.first_mut() {
            *first |= number_len.saturating_sub(1) & 3;
        }
        let octets = number.to_be_bytes();
        packet.extend(octets.iter().skip(octets.len().saturating_sub(usize::from(number_len))));
        let mut sealed = frames.to_vec();
        let nonce = Nonce::assume_unique_for_key(self.nonce(number));
        let (Ok(key), Ok(hp)) =
            (UnboundKey::new(&AES_128_GCM, &self.key), HeaderProtectionKey::new(&AES_128, &self.hp))
        else {
            return Vec::new();
        };
        if LessSafeKey::new(key).seal_in_place_append_tag(nonce, Aad::from(&packet), &mut sealed).is_err() {
            return Vec::new();
        }
        packet.extend(sealed);
        let sample = packet.get(header.len() + 4..header.len() + 4 + 16).unwrap_or_default();
        let [mask_first, mask_number @ ..] = hp.new_mask(sample).unwrap_or_default();
        let (front, protected) = packet.split_at_mut(header.len());
        if let Some(first) = front.first_mut() {
            *first ^= mask_first & 0x0f;
        }
        for (byte, mask) in protected.iter_mut().zip(mask_number).take(usize::from(number_len)) {
            *byte ^= mask;
        }
        packet
    }
}
