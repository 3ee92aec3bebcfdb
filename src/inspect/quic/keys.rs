//! The keys of a client's Initials: derivation, header protection, packet protection (RFC 9001 section 5).

use std::ops::Range;

use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;

use super::header::Initial;
use super::version::{CLIENT_IN, SALTS, Salt, Scheme};

/// The salts, ready as HMAC keys: half of their hashing is done once.
#[derive(Clone, Debug)]
pub(super) struct Salts([hmac::Key; SALTS.len()]);

impl Salts {
    pub(super) fn new() -> Self {
        Self(SALTS.map(|salt| hmac::Key::new(hmac::HMAC_SHA256, &salt)))
    }

    fn get(&self, salt: Salt) -> &hmac::Key {
        let [first, ..] = &self.0;
        self.0.get(salt as usize).unwrap_or(first)
    }
}

/// What opens a client's Initials. Small, for it is kept with a connection; the round keys are made anew from
/// it for each packet, which costs less than one block of the payload.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Secrets {
    pub(super) key: [u8; 16],
    iv: [u8; 12],
    pub(super) hp: [u8; 16],
}

impl Secrets {
    /// Derives the client's keys from the destination connection ID of its first Initial (RFC 9001 section
    /// 5.2).
    pub(super) fn derive(salts: &Salts, scheme: &Scheme, id: &[u8]) -> Self {
        let initial = hmac::sign(salts.get(scheme.salt), id);
        let initial = hmac::Key::new(hmac::HMAC_SHA256, initial.as_ref());
        let client = hmac::sign(&initial, CLIENT_IN);
        let client = hmac::Key::new(hmac::HMAC_SHA256, client.as_ref());
        Self {
            key: first_bytes(&client, scheme.labels.key),
            iv: first_bytes(&client, scheme.labels.iv),
            hp: first_bytes(&client, scheme.labels.hp),
        }
    }

    /// Opens a packet in the memory of `packet`.
    ///
    /// Nothing comes out when the packet was not sealed with these keys. `expected` is the packet number
    /// after the highest one so far.
    pub(super) fn open(&self, initial: &Initial<'_>, expected: u64, packet: &mut Vec<u8>) -> Option<Opened> {
        let Initial { header, protected, .. } = *initial;
        let hp = HeaderProtectionKey::new(&AES_128, &self.hp).ok()?;
        let [mask_first, mask_number @ ..] = hp.new_mask(protected.get(4..20)?).ok()?;
        packet.clear();
        packet.extend_from_slice(header);
        packet.extend_from_slice(protected);
        let first = packet.first_mut()?;
        *first ^= mask_first & 0x0f;
        let number_len = *first & 0x03;
        let mut truncated = 0;
        let number = packet.get_mut(header.len()..)?.iter_mut().zip(mask_number);
        for (byte, mask) in number.take(usize::from(number_len) + 1) {
            *byte ^= mask;
            truncated = truncated << 8 | u64::from(*byte);
        }
        let number_len = number_len + 1;
        let number = whole_number(truncated, u32::from(number_len) * 8, expected);
        let start = header.len() + usize::from(number_len);
        let (aad, sealed) = packet.split_at_mut_checked(start)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &self.key).ok()?);
        let nonce = Nonce::assume_unique_for_key(self.nonce(number));
        let frames = key.open_in_place(nonce, Aad::from(&*aad), sealed).ok()?;
        Some(Opened { number, number_len, frames: start..start + frames.len() })
    }

    /// RFC 9001 section 5.3.
    pub(super) fn nonce(&self, number: u64) -> [u8; 12] {
        let mut nonce = self.iv;
        for (byte, number) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
            *byte ^= number;
        }
        nonce
    }
}

/// A packet without its protection.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) number: u64,
    /// Octets that the number had on the wire.
    pub(super) number_len: u8,
    /// Where its frames are in the memory that was given.
    pub(super) frames: Range<usize>,
}

/// The whole packet number that is nearest to the expected one (RFC 9000 appendix A.3).
fn whole_number(truncated: u64, bits: u32, expected: u64) -> u64 {
    let window = 1_u64 << bits;
    let half = window / 2;
    let candidate = (expected & !(window - 1)) | truncated;
    if candidate + half <= expected && candidate < (1 << 62) - window {
        candidate + window
    } else if candidate > expected + half && candidate >= window {
        candidate - window
    } else {
        candidate
    }
}

/// HKDF-Expand of at most one block: the counter octet is part of `info`.
fn first_bytes<const N: usize>(key: &hmac::Key, info: &[u8]) -> [u8; N] {
    hmac::sign(key, info).as_ref().first_chunk().copied().unwrap_or([0; N])
}

#[cfg(test)]
mod tests {
    use super::super::vectors::unhex;
    use super::super::version::Version;
    use super::*;

    fn check(version: Version, id: &str, key: &str, iv: &str, hp: &str) {
        let secrets = Secrets::derive(&Salts::new(), &version.scheme().unwrap(), &unhex(id));
        assert_eq!(secrets.key.as_slice(), unhex(key), "{version:x?}");
        assert_eq!(secrets.iv.as_slice(), unhex(iv), "{version:x?}");
        assert_eq!(secrets.hp.as_slice(), unhex(hp), "{version:x?}");
    }

    #[test]
    fn published_keys() {
        let id = "8394c8f03e515708";
        // RFC 9001 appendix A.1.
        let (key, iv) = ("1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c");
        check(Version::V1, id, key, iv, "9f50449e04a0e810283a1e9933adedd2");
        // RFC 9369 appendix A.1.
        let (key, iv) = ("8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f");
        check(Version::V2, id, key, iv, "45b95e15235d6f45a6b19cbcb0294ba9");
        // draft-ietf-quic-tls-29 appendix A.1.
        let (key, iv) = ("175257a31eb09dea9366d8bb79ad80ba", "6b26114b9cba2b63a9e8dd4f");
        check(Version::draft(29), id, key, iv, "9ddd12c994c0698b89374a9c077a3077");
        // draft-ietf-quic-tls-23 appendix A.1.
        let (key, iv) = ("af7fd7efebd21878ff66811248983694", "8681359410a70bb9c92f0420");
        check(Version::draft(23), id, key, iv, "a980b8b4fb7d9fbc13e814c23164253d");
        // No document: these opened a packet of Chrome's.
        let (key, iv) = ("3c239b1c4a98d7db260b292196b85e9d", "348ac0c4a59f5b20bd460deb");
        check(Version::Q050, "05e0dc1feb30d22b", key, iv, "ac8d192e1924e37acb5b63011ae4e812");
    }

    #[test]
    fn packet_numbers() {
        // RFC 9000 appendix A.3.
        assert_eq!(whole_number(0x9b32, 16, 0xa82f_30eb), 0xa82f_9b32);
        assert_eq!(whole_number(0, 8, 0), 0);
        assert_eq!(whole_number(0, 8, 256), 256);
        assert_eq!(whole_number(255, 8, 256), 255);
        assert_eq!(whole_number(1, 8, 255), 257);
        assert_eq!(whole_number(u64::from(u32::MAX), 32, 0), u64::from(u32::MAX));
    }
}
