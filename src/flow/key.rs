//! Which conversation a packet belongs to.

use std::fmt;
use std::net::IpAddr;

/// An address and a port.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Endpoint {
    /// Address.
    pub ip: IpAddr,
    /// TCP or UDP port.
    pub port: u16,
}

impl Endpoint {
    /// Address and port folded into 64 bits: for hashing, not for telling endpoints apart.
    #[inline]
    pub const fn fold(&self) -> u64 {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let ip = match self.ip {
            IpAddr::V4(ip) => ip.to_bits() as u64,
            IpAddr::V6(ip) => {
                let bits = ip.to_bits();
                (bits as u64) ^ ((bits >> 64) as u64).wrapping_mul(ODD).rotate_left(29)
            }
        };
        ((ip << 16) ^ (ip >> 48) ^ self.port as u64).wrapping_mul(ODD)
    }
}

impl std::hash::Hash for Endpoint {
    #[inline]
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.fold());
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// An IP protocol number.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Transmission Control Protocol.
    pub const TCP: Self = Self(6);
    /// User Datagram Protocol.
    pub const UDP: Self = Self(17);
}

/// One direction of a conversation: who sends to whom. In an observation, the client is the source.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Flow {
    /// Who sends.
    pub src: Endpoint,
    /// Who receives.
    pub dst: Endpoint,
    /// TCP or UDP.
    pub protocol: Protocol,
}

impl Flow {
    /// The other direction.
    #[inline]
    pub const fn reversed(self) -> Self {
        Self { src: self.dst, dst: self.src, protocol: self.protocol }
    }

    /// 32 bits by which a conversation is known: equal for both directions, never nought. Two conversations may have one tag.
    #[inline]
    pub fn tag(&self) -> u32 {
        let ends = self.src.fold().wrapping_add(self.dst.fold()).wrapping_add(u64::from(self.protocol.0));
        // A multiplication moves what differs in low bits up; the upper half is the tag.
        let mixed = (ends ^ (ends >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed >> 32) as u32).max(1)
    }

    /// 64 bits by which a conversation is known: equal for both directions, and not for two conversations of a capture unless
    /// somebody has searched for them. All bits of it are as good, the highest too.
    #[inline]
    pub const fn fold(&self) -> u64 {
        const ODD: u64 = 0xd6e8_feb8_6659_fd93;
        // The ends are mixed each for itself before they are added: a client and its server on one port each would else be as another
        // client and another server whose addresses have the same sum.
        const fn mix(bits: u64) -> u64 {
            let bits = (bits ^ (bits >> 32)).wrapping_mul(ODD);
            bits ^ (bits >> 29)
        }
        let ends = mix(self.src.fold()).wrapping_add(mix(self.dst.fold()));
        let all = ends.wrapping_add((self.protocol.0 as u64) << 56 | self.protocol.0 as u64);
        (all ^ (all >> 32)).wrapping_mul(ODD)
    }

    /// Whether both are of one conversation: the same ends, in either direction.
    #[inline]
    pub fn is_of(&self, other: &Self) -> bool {
        self.protocol == other.protocol
            && ((self.src == other.src && self.dst == other.dst)
                || (self.src == other.dst && self.dst == other.src))
    }

    /// The conversation, in which both directions are equal.
    #[inline]
    pub fn key(self) -> FlowKey {
        let (low, high) = if self.src <= self.dst { (self.src, self.dst) } else { (self.dst, self.src) };
        FlowKey { low, high, protocol: self.protocol }
    }
}

/// A conversation: both directions are equal.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlowKey {
    /// The lower endpoint, by address and then port.
    pub low: Endpoint,
    /// The higher endpoint.
    pub high: Endpoint,
    /// TCP or UDP.
    pub protocol: Protocol,
}

impl FlowKey {
    /// Community ID version 1 (<https://github.com/corelight/community-id-spec>), with the default seed of nought.
    pub fn community_id(&self) -> CommunityId {
        let mut hash = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
        hash.update(&[0, 0]);
        for end in [&self.low, &self.high] {
            match end.ip {
                IpAddr::V4(ip) => hash.update(&ip.octets()),
                IpAddr::V6(ip) => hash.update(&ip.octets()),
            }
        }
        hash.update(&[self.protocol.0, 0]);
        hash.update(&self.low.port.to_be_bytes());
        hash.update(&self.high.port.to_be_bytes());
        let mut digest = [0; 20];
        digest.copy_from_slice(hash.finish().as_ref());
        CommunityId(digest)
    }
}

/// A Community ID: the name by which other tools know the same conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CommunityId([u8; 20]);

impl fmt::Display for CommunityId {
    /// The version, a colon, and the digest in base64 (RFC 4648 section 4).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        f.write_str("1:")?;
        for group in self.0.chunks(3) {
            let mut bits =
                group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for place in 0..4 {
                let symbol = if place <= group.len() { ALPHABET[(bits >> 18) as usize & 63] } else { b'=' };
                bits <<= 6;
                fmt::Write::write_char(f, char::from(symbol))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published baseline, <https://github.com/corelight/community-id-spec/tree/master/baseline>.
    #[test]
    fn community_ids_are_the_published_ones() {
        for (src, dst, protocol, expected) in [
            ("128.232.110.120:34855", "66.35.250.204:80", Protocol::TCP, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
            ("192.168.1.52:54585", "8.8.8.8:53", Protocol::UDP, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
            ("66.35.250.204:80", "128.232.110.120:34855", Protocol::TCP, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
        ] {
            let end = |text: &str| {
                let address: std::net::SocketAddr = text.parse().unwrap();
                Endpoint { ip: address.ip(), port: address.port() }
            };
            let flow = Flow { src: end(src), dst: end(dst), protocol };
            assert_eq!(flow.key().community_id().to_string(), expected);
            assert_eq!(flow.key(), flow.reversed().key());
        }
    }

    /// Both directions are one, and a large network's conversations differ, even in half of the bits.
    #[test]
    fn what_conversations_are_known_by() {
        let end = |ip: u32, port| Endpoint { ip: std::net::Ipv4Addr::from(ip).into(), port };
        let mut folds = Vec::new();
        for client in 0..64u32 {
            for server in 0..64u32 {
                for port in 0..64u16 {
                    for to in [80, 443, 53] {
                        let (src, dst) =
                            (end(0x0a00_0000 + client, 50_000 + port), end(0x0a00_0100 + server, to));
                        let flow = Flow { src, dst, protocol: Protocol::TCP };
                        assert!(flow.fold() == flow.reversed().fold() && flow.is_of(&flow.reversed()));
                        let other = Flow { protocol: Protocol::UDP, ..flow };
                        assert!(other.fold() != flow.fold() && !other.is_of(&flow));
                        folds.push(flow.fold());
                    }
                }
            }
        }
        let all = folds.len();
        for kept in [u64::MAX, u64::MAX << 24] {
            let mut some: Vec<u64> = folds.iter().map(|fold| fold & kept).collect();
            some.sort_unstable();
            some.dedup();
            // Of 786,432 in 40 bits 0.3 pairs are expected to be one.
            assert!(some.len() + 4 > all, "{} of {all}", some.len());
        }
        // As even over the places of a table as chance has it.
        let mut places = vec![0u32; 1 << 12];
        folds.iter().for_each(|fold| places[(fold >> 52) as usize] += 1);
        assert!(
            places.iter().all(|count| (110..280).contains(count)),
            "{:?} {:?}",
            places.iter().min(),
            places.iter().max()
        );
    }
}
