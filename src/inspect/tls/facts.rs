//! What a ClientHello says beside the name: fingerprint, protocols, versions, encryption of the hello.
//!
//! Nothing here is computed before it is asked for, since most hellos meet no list.

use super::hello::{ClientHello, ExtensionType};
use super::ja4::{Ja4, Over};
use crate::reader::{Reader, Short};

/// The most protocols that are kept of one hello. Browsers offer two.
pub const MAX_ALPN: usize = 16;

/// What a ClientHello says beside the name, as an observation keeps it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HelloFacts {
    /// The client's fingerprint. Not of a hello that was cut.
    pub ja4: Option<Ja4>,
    /// Application protocols in the client's order (RFC 7301), bytes outside ASCII escaped; at most [`MAX_ALPN`].
    pub alpn: Vec<String>,
    /// Versions offered, in the client's order and without GREASE; the old field's alone where there is no list.
    pub versions: Vec<u16>,
    /// Whether there are reserved values that mean nothing (RFC 8701), as browsers of the Chromium family send.
    pub grease: bool,
    /// Whether there is an extension that browsers alone send: application settings (draft-vvv-tls-alps, in both of its numbers) or delegated
    /// credentials (RFC 9345).
    pub browsers_extension: bool,
    /// Whether a group with ML-KEM is offered, or its draft.
    pub ml_kem: bool,
    /// Octets of the padding extension (RFC 7685).
    pub padding: Option<u16>,
    /// An encrypted ClientHello, or something that looks like one.
    pub ech: Option<EchOffer>,
    /// Whether there is the encrypted server name of 2019, which came before ECH.
    pub esni: bool,
    /// Whether every octet of the hello was there.
    pub whole: bool,
}

/// The outer part of an encrypted ClientHello (RFC 9849 section 5).
///
/// A client that has no configuration sends one with random content. What tells the two apart is whether the
/// server's name in DNS has a configuration with this identifier (`ech` in its HTTPS record).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EchOffer {
    /// The identifier of the configuration that the client used, or a random number.
    pub config_id: u8,
    /// HPKE key derivation function.
    pub kdf: u16,
    /// HPKE cipher.
    pub aead: u16,
    /// Octets of the encapsulated key.
    pub enc: u16,
    /// Octets of the encrypted hello.
    pub payload: u16,
    /// Whether something is hidden: nothing in the hello says so.
    pub kind: EchKind,
}

/// What an offer of an encrypted ClientHello is, by what the client's DNS said before.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum EchKind {
    /// DNS said nothing of it that was seen.
    #[default]
    Unknown,
    /// DNS gave a configuration with this identifier and this name in clear: another name is hidden.
    Encrypted,
    /// DNS told this client how to reach the name, and had no configuration: the content is random, the name the true one (RFC 9849 section 6.2).
    Grease,
}

impl EchKind {
    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Encrypted => "encrypted",
            Self::Grease => "grease",
        }
    }
}

impl<'a> ClientHello<'a> {
    /// What the hello says beside the name. Allocates, and hashes.
    pub fn facts(&self, over: Over) -> HelloFacts {
        let listed = versions(self);
        let ciphers = self.fields.ciphers.iter().map(|cipher| cipher.0);
        let kinds = self.extensions().map(|one| one.kind.0);
        let groups = u16_list(self.extension(ExtensionType::SUPPORTED_GROUPS), Reader::u16);
        HelloFacts {
            ja4: self.whole.then(|| Ja4::new(self, over)),
            alpn: self.alpn().take(MAX_ALPN).map(|value| value.escape_ascii().to_string()).collect(),
            grease: ciphers.chain(kinds).chain(listed.iter().copied()).any(is_grease),
            versions: match listed.is_empty() {
                true => vec![self.fields.version.0],
                false => listed.into_iter().filter(|version| !is_grease(*version)).collect(),
            },
            browsers_extension: self.extensions().any(|one| is_of_browsers(one.kind.0)),
            ml_kem: groups.into_iter().any(is_ml_kem),
            padding: self.extension(ExtensionType::PADDING).and_then(|data| data.len().try_into().ok()),
            ech: self.ech(),
            esni: self.extension(ExtensionType::ENCRYPTED_SERVER_NAME).is_some(),
            whole: self.whole,
        }
    }

    /// The outer part of an encrypted ClientHello, if the client offers one.
    pub fn ech(&self) -> Option<EchOffer> {
        ech(self.extension(ExtensionType::ENCRYPTED_CLIENT_HELLO)?).ok().flatten()
    }

    /// The content of the first extension of a kind.
    pub fn extension(&self, kind: ExtensionType) -> Option<&'a [u8]> {
        self.extensions().find(|one| one.kind == kind).map(|one| one.data)
    }

    /// The application protocols in the client's order (RFC 7301 section 3.1), as far as the list makes sense.
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        // Behind the length of the list.
        let list = self.extension(ExtensionType::ALPN).and_then(|data| data.get(2..)).unwrap_or_default();
        let mut reader = Reader::new(list);
        std::iter::from_fn(move || {
            let length = reader.u8().ok()?;
            reader.take(usize::from(length)).ok()
        })
    }
}

/// The versions in the extension, with GREASE (RFC 8446 section 4.2.1).
pub(super) fn versions(hello: &ClientHello<'_>) -> Vec<u16> {
    u16_list(hello.extension(ExtensionType::SUPPORTED_VERSIONS), |reader| reader.u8().map(u16::from))
}

/// The numbers of two octets in an extension, behind the length of their list.
pub(super) fn u16_list<'a>(
    data: Option<&'a [u8]>,
    length: impl Fn(&mut Reader<'a>) -> Result<u16, Short>,
) -> Vec<u16> {
    let mut reader = Reader::new(data.unwrap_or_default());
    let length = length(&mut reader).unwrap_or(0);
    let (pairs, _odd) = reader.take_up_to(usize::from(length)).as_chunks::<2>();
    pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect()
}

/// The outer form; the inner one never travels in clear.
fn ech(data: &[u8]) -> Result<Option<EchOffer>, Short> {
    let mut reader = Reader::new(data);
    if reader.u8()? != 0 {
        return Ok(None);
    }
    let (kdf, aead, config_id) = (reader.u16()?, reader.u16()?, reader.u8()?);
    let enc = reader.u16()?;
    reader.skip(usize::from(enc))?;
    Ok(Some(EchOffer { config_id, kdf, aead, enc, payload: reader.u16()?, kind: EchKind::Unknown }))
}

/// A reserved value that means nothing: 0x0a0a, 0x1a1a, … 0xfafa (RFC 8701 section 2).
#[inline]
pub(super) const fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// Application settings, which Chromium sends, and delegated credentials, which Firefox does.
const fn is_of_browsers(extension: u16) -> bool {
    matches!(extension, 17513 | 17613 | 34)
}

/// The pure groups, those beside an elliptic curve, and the draft that browsers sent in 2023 and 2024.
const fn is_ml_kem(group: u16) -> bool {
    matches!(group, 0x0200..=0x0202 | 0x11eb..=0x11ed | 0x6399 | 0x639a)
}
