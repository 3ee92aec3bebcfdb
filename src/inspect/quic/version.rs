//! Versions of QUIC, and how each hides its Initial packets: the salt, the labels and the packet types.
//!
//! Every version's keys come from the same derivation (RFC 9001 section 5.2) with other constants. Google's
//! cleartext versions are in [`gquic`](super::gquic).

/// A version number as long headers carry it (RFC 9000 section 15). Unknown ones stay numbers.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Version(pub u32);

impl Version {
    /// QUIC version 1 (RFC 9000).
    pub const V1: Self = Self(0x0000_0001);
    /// QUIC version 2 (RFC 9369).
    pub const V2: Self = Self(0x6b33_43cf);
    /// The number that version 2 had in its drafts 1 and later.
    pub const V2_DRAFT: Self = Self(0x709a_50c4);
    /// Google QUIC 43: the last with the public header, cleartext.
    pub const Q043: Self = Self(u32::from_be_bytes(*b"Q043"));
    /// Google QUIC 44: an early long header, cleartext.
    pub const Q044: Self = Self(u32::from_be_bytes(*b"Q044"));
    /// Google QUIC 46: the long header of draft 17, cleartext.
    pub const Q046: Self = Self(u32::from_be_bytes(*b"Q046"));
    /// Google QUIC 50: Initial keys as in the drafts, with a salt of its own; Google's handshake.
    pub const Q050: Self = Self(u32::from_be_bytes(*b"Q050"));
    /// As Q050, with TLS for its handshake.
    pub const T050: Self = Self(u32::from_be_bytes(*b"T050"));
    /// As T050, with another salt.
    pub const T051: Self = Self(u32::from_be_bytes(*b"T051"));
    /// Meta's mvfst as of draft 24, which kept the salt of draft 21.
    pub const MVFST_D24: Self = Self(0xface_b001);
    /// Meta's mvfst as of draft 27.
    pub const MVFST: Self = Self(0xface_b002);
    /// Meta's other name for version 1.
    pub const MVFST_V1: Self = Self(0xface_b003);

    /// The IETF draft of that number.
    pub const fn draft(number: u8) -> Self {
        Self(0xff00_0000 | number as u32)
    }

    /// Whether packets of this version can be read here.
    #[inline]
    pub const fn is_known(self) -> bool {
        self.scheme().is_some() || matches!(self, Self::Q043 | Self::Q044 | Self::Q046)
    }

    /// How this version hides its Initials; nothing when it is not known here (or is one of the reserved
    /// numbers `?a?a?a?a` of RFC 9000 section 15, which nobody can open).
    #[inline]
    pub(super) const fn scheme(self) -> Option<Scheme> {
        Some(match self.0 {
            0x0000_0001 | 0xff00_0021 | 0xff00_0022 | 0xface_b003 => Scheme::ietf(Salt::V1),
            0x6b33_43cf => Scheme::v2(Salt::V2),
            0x709a_50c4 => Scheme::v2(Salt::V2Draft),
            0xff00_001d..=0xff00_0020 => Scheme::ietf(Salt::Draft29),
            0xff00_0017..=0xff00_001c => Scheme::ietf(Salt::Draft23),
            // mvfst's experiments (b00e, b010, b011, b013) fall through to the salt of draft 23 in its
            // source.
            0xface_b002 | 0xface_b00e | 0xface_b010 | 0xface_b011 | 0xface_b013 => {
                Scheme::ietf(Salt::Draft23)
            }
            0xff00_0016 | 0xface_b001 => Scheme::ietf(Salt::Draft21),
            0x5130_3530 => {
                Scheme { frames: Frames::Google, handshake: Handshake::Google, ..Scheme::ietf(Salt::Q050) }
            }
            0x5430_3530 => Scheme { frames: Frames::Google, ..Scheme::ietf(Salt::T050) },
            0x5430_3531 => Scheme { frames: Frames::Google, ..Scheme::ietf(Salt::T051) },
            _ => return None,
        })
    }
}

/// What speaks inside the CRYPTO stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Handshake {
    /// TLS 1.3: the bytes are a ClientHello handshake message (RFC 8446 section 4), from its type octet.
    Tls,
    /// Google's own: the bytes are a CHLO message, from its tag;
    /// [`gquic::server_name`](super::gquic::server_name) reads it.
    Google,
}

/// The constants of a version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scheme {
    pub(super) salt: Salt,
    pub(super) labels: &'static Labels,
    pub(super) types: &'static Types,
    pub(super) frames: Frames,
    pub(super) handshake: Handshake,
}

impl Scheme {
    const fn ietf(salt: Salt) -> Self {
        Self { salt, labels: &LABELS_V1, types: &TYPES_V1, frames: Frames::Quic, handshake: Handshake::Tls }
    }

    const fn v2(salt: Salt) -> Self {
        Self { salt, labels: &LABELS_V2, types: &TYPES_V2, frames: Frames::Quic, handshake: Handshake::Tls }
    }
}

/// Whose frame types stand in an Initial.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Frames {
    /// RFC 9000 section 12.4.
    Quic,
    /// Google's.
    Google,
}

/// The two type bits of a long header's first byte.
#[derive(Debug)]
pub(super) struct Types {
    pub(super) initial: u8,
    pub(super) retry: u8,
}

/// RFC 9000 section 17.2.
static TYPES_V1: Types = Types { initial: 0, retry: 3 };

/// RFC 9369 section 3.2.
static TYPES_V2: Types = Types { initial: 1, retry: 0 };

/// The `info` of each HKDF-Expand (RFC 8446 section 7.1: length, label, empty context), with the counter
/// octet of HKDF's only block (RFC 5869 section 2.3) already behind it.
#[derive(Debug)]
pub(super) struct Labels {
    pub(super) key: &'static [u8],
    pub(super) iv: &'static [u8],
    pub(super) hp: &'static [u8],
}

/// The same in every version.
pub(super) static CLIENT_IN: &[u8] = b"\x00\x20\x0ftls13 client in\x00\x01";

/// RFC 9001 section 5.1.
static LABELS_V1: Labels = Labels {
    key: b"\x00\x10\x0etls13 quic key\x00\x01",
    iv: b"\x00\x0c\x0dtls13 quic iv\x00\x01",
    hp: b"\x00\x10\x0dtls13 quic hp\x00\x01",
};

/// RFC 9369 section 3.3.2.
static LABELS_V2: Labels = Labels {
    key: b"\x00\x10\x10tls13 quicv2 key\x00\x01",
    iv: b"\x00\x0c\x0ftls13 quicv2 iv\x00\x01",
    hp: b"\x00\x10\x0ftls13 quicv2 hp\x00\x01",
};

/// Which initial salt: an index into [`SALTS`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Salt {
    V1,
    V2,
    V2Draft,
    Draft29,
    Draft23,
    Draft21,
    Q050,
    T050,
    T051,
}

/// The salts in the order of [`Salt`].
pub(super) static SALTS: [[u8; 20]; 9] = [
    // RFC 9001 section 5.2; drafts 33 and 34 have it too.
    *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a",
    // RFC 9369 section 3.3.1.
    *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9",
    // draft-ietf-quic-v2-01 section 3.3.1.
    *b"\xa7\x07\xc2\x03\xa5\x9b\x47\x18\x4a\x1d\x62\xca\x57\x04\x06\xea\x7a\xe3\xe5\xd3",
    // draft-ietf-quic-tls-29 section 5.2, until 32.
    *b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99",
    // draft-ietf-quic-tls-23 section 5.2, until 28.
    *b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02",
    // draft-ietf-quic-tls-21 section 5.2, and 22.
    *b"\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a",
    // In no document; Chromium's kQ050Salt, kT050Salt and kT051Salt.
    *b"\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45",
    *b"\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10",
    *b"\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: Version, expected: Option<(Salt, Frames, Handshake)>) {
        let scheme = version.scheme().map(|scheme| (scheme.salt, scheme.frames, scheme.handshake));
        assert_eq!(scheme, expected, "{version:x?}");
    }

    #[test]
    fn each_version_has_its_salt() {
        let tls = |salt| Some((salt, Frames::Quic, Handshake::Tls));
        check(Version::V1, tls(Salt::V1));
        check(Version::V2, tls(Salt::V2));
        check(Version::V2_DRAFT, tls(Salt::V2Draft));
        for (number, salt) in
            [(23, Salt::Draft23), (28, Salt::Draft23), (29, Salt::Draft29), (32, Salt::Draft29)]
        {
            check(Version::draft(number), tls(salt));
        }
        check(Version::draft(33), tls(Salt::V1));
        check(Version::draft(34), tls(Salt::V1));
        check(Version::MVFST_D24, tls(Salt::Draft21));
        check(Version::MVFST, tls(Salt::Draft23));
        check(Version::MVFST_V1, tls(Salt::V1));
        check(Version::Q050, Some((Salt::Q050, Frames::Google, Handshake::Google)));
        check(Version::T050, Some((Salt::T050, Frames::Google, Handshake::Tls)));
        check(Version::T051, Some((Salt::T051, Frames::Google, Handshake::Tls)));
    }

    #[test]
    fn others_have_none() {
        for number in [0, 2, 0x0a0a_0a0a, 0xfa1a_2a3a, 0xff00_0010, 0xff00_0023, 0xffff_ffff] {
            check(Version(number), None);
        }
        // These are cleartext.
        check(Version::Q043, None);
        check(Version::Q046, None);
    }
}
