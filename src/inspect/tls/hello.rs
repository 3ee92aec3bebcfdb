//! The ClientHello (RFC 8446 section 4.1.2): handshake message → its fields, extensions and server names.
//!
//! tls-parser reads the message; what it refuses (a session ID of more than 32 octets, an odd length of the cipher suites) or
//! cannot know (a message cut short, the cookie of DTLS) is read by an own walk into the same fields. No content of an
//! extension is looked at but the server name's, so that no odd extension hides it.

use tls_parser::{
    SNIType, TlsCipherSuiteID, TlsClientHelloContents, TlsCompressionID, parse_tls_extension_sni_hostname,
    parse_tls_handshake_client_hello,
};

use super::record::{MESSAGE_HEADER, Want};
use crate::inspect::Progress;
use crate::reader::{Reader, Short};

/// The handshake type of a ClientHello.
const CLIENT_HELLO: u8 = 1;

/// Octets of the random.
const RANDOM: usize = 32;

/// What a client says first.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientHello<'a> {
    /// The fields before the extensions: version, random, session ID, cipher suites, compression.
    pub fields: TlsClientHelloContents<'a>,
    /// Whether every octet of the message was there. If not, lists may end early.
    pub whole: bool,
    /// The message without its type and length.
    pub(super) body: &'a [u8],
}

impl<'a> ClientHello<'a> {
    /// The name of the server that the client wants (RFC 6066 section 3): the first host name in the message.
    ///
    /// The bytes are what the client wrote: in any case, perhaps with a trailing dot, perhaps an address although the
    /// RFC forbids that, perhaps no valid hostname. [`Hostname::new`](crate::hostname::Hostname::new) decides.
    #[inline]
    pub fn server_name(&self) -> Option<&'a [u8]> {
        self.server_names().next()
    }

    /// Every host name in the message. More than one is against RFC 6066, and servers refuse it or take the first.
    ///
    /// Entries of another type than `host_name` and empty ones are left out. The length of the list is not believed, and the
    /// last name's only as far as there are octets; in a message that is not whole, a name has to be.
    #[inline]
    pub fn server_names(&self) -> ServerNames<'a> {
        ServerNames { extensions: self.extensions(), entries: &[], whole: self.whole }
    }

    /// The extensions in the order of the message.
    #[inline]
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions { rest: self.fields.ext.unwrap_or_default() }
    }
}

/// Reads a handshake message: type, length and body, as QUIC's CRYPTO stream or a reassembled DTLS message has it.
pub fn handshake(message: &[u8]) -> Progress<ClientHello<'_>> {
    let Want::Octets(length) = wanted(message) else { return Progress::NotThis };
    let Some(message) = message.get(..length) else {
        return Progress::NeedMore { at_least: length };
    };
    body(message.get(MESSAGE_HEADER..).unwrap_or_default()).map_or(Progress::NotThis, Progress::Found)
}

/// What the first octets of a handshake message say, when the rest will never come.
pub fn handshake_prefix(message: &[u8]) -> Option<ClientHello<'_>> {
    let Want::Octets(length) = wanted(message) else { return None };
    match message.get(MESSAGE_HEADER..length) {
        Some(whole) => body(whole),
        None => body_prefix(message.get(MESSAGE_HEADER..)?),
    }
}

/// Reads the body of a message, all of which is there.
pub(in crate::inspect) fn body(body: &[u8]) -> Option<ClientHello<'_>> {
    Some(ClientHello { fields: fields(body)?, whole: true, body })
}

/// What the first octets of a message's body say.
pub(in crate::inspect) fn body_prefix(body: &[u8]) -> Option<ClientHello<'_>> {
    Some(ClientHello { fields: own_fields(body)?, whole: false, body })
}

/// How many octets of a handshake message a ClientHello needs. Longer than 64 KiB it cannot be.
pub(super) fn wanted(message: &[u8]) -> Want {
    let mut reader = Reader::new(message);
    match (reader.u8(), reader.u8(), reader.u16()) {
        (Ok(CLIENT_HELLO), Ok(0), Ok(length)) => Want::Octets(MESSAGE_HEADER + usize::from(length)),
        (Ok(_), Ok(_), Ok(_)) => Want::Nothing,
        _ => Want::Octets(MESSAGE_HEADER),
    }
}

/// The fields of a whole message's body.
fn fields(body: &[u8]) -> Option<TlsClientHelloContents<'_>> {
    if is_tls(Reader::new(body).u16().ok()?) {
        match parse_tls_handshake_client_hello(body) {
            // Without extensions and with octets left over, the length of the extensions was wrong.
            Ok((rest, fields)) if fields.ext.is_some() || rest.is_empty() => return Some(fields),
            _ => {}
        }
    }
    own_fields(body)
}

/// The fields of a body as far as they go, each list as far as there are octets. Not without a version and a random.
fn own_fields(body: &[u8]) -> Option<TlsClientHelloContents<'_>> {
    let mut reader = Reader::new(body);
    let version = reader.u16().ok().filter(|version| is_tls(*version) || is_dtls(*version))?;
    let random = reader.take(RANDOM).ok()?;
    let session_id = list(&mut reader, Reader::u8);
    if is_dtls(version) {
        // The cookie, RFC 6347 section 4.2.1.
        list(&mut reader, Reader::u8);
    }
    let ciphers = list(&mut reader, Reader::u16).unwrap_or_default();
    let ciphers = ciphers.as_chunks::<2>().0.iter().map(|pair| TlsCipherSuiteID(u16::from_be_bytes(*pair)));
    let compression =
        list(&mut reader, Reader::u8).unwrap_or_default().iter().map(|id| TlsCompressionID(*id));
    let extensions = list(&mut reader, Reader::u16);
    Some(TlsClientHelloContents::new(
        version,
        random,
        session_id.filter(|id| !id.is_empty()),
        ciphers.collect(),
        compression.collect(),
        extensions,
    ))
}

/// A list behind its length, as far as it goes. Nothing when there is not even the length.
fn list<'a, N: Into<usize>>(
    reader: &mut Reader<'a>,
    length: impl Fn(&mut Reader<'a>) -> Result<N, Short>,
) -> Option<&'a [u8]> {
    let length = length(reader).ok()?;
    Some(reader.take_up_to(length.into()))
}

/// SSL 3.0 and all TLS. A hello of TLS 1.3 says 1.2 here (RFC 8446 section 4.1.2).
const fn is_tls(version: u16) -> bool {
    version >> 8 == 3
}

/// DTLS 1.0 is 0xfeff, DTLS 1.2 is 0xfefd.
pub(super) const fn is_dtls(version: u16) -> bool {
    version >> 8 == 0xfe
}

/// The number of an extension (<https://www.iana.org/assignments/tls-extensiontype-values>).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ExtensionType(pub u16);

impl ExtensionType {
    /// RFC 6066 section 3.
    pub const SERVER_NAME: Self = Self(0);
    /// RFC 8446 section 4.2.7.
    pub const SUPPORTED_GROUPS: Self = Self(10);
    /// RFC 8446 section 4.2.3.
    pub const SIGNATURE_ALGORITHMS: Self = Self(13);
    /// RFC 7301.
    pub const ALPN: Self = Self(16);
    /// RFC 7685.
    pub const PADDING: Self = Self(21);
    /// RFC 8446 section 4.2.1.
    pub const SUPPORTED_VERSIONS: Self = Self(43);
    /// RFC 9849.
    pub const ENCRYPTED_CLIENT_HELLO: Self = Self(0xfe0d);
    /// draft-ietf-tls-esni-02.
    pub const ENCRYPTED_SERVER_NAME: Self = Self(0xffce);
}

/// An extension of a ClientHello.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extension<'a> {
    /// Its number.
    pub kind: ExtensionType,
    /// Its content.
    pub data: &'a [u8],
    /// Whether the content is as long as the extension says. The last one is not where the message was cut.
    pub whole: bool,
}

/// The extensions of a ClientHello in their order.
#[derive(Clone, Debug)]
pub struct Extensions<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Extension<'a>;

    #[inline]
    fn next(&mut self) -> Option<Extension<'a>> {
        let mut reader = Reader::new(std::mem::take(&mut self.rest));
        let kind = ExtensionType(reader.u16().ok()?);
        let length = usize::from(reader.u16().ok()?);
        let data = reader.take_up_to(length);
        self.rest = reader.rest();
        Some(Extension { kind, data, whole: data.len() == length })
    }
}

/// The host names in a ClientHello.
#[derive(Clone, Debug)]
pub struct ServerNames<'a> {
    extensions: Extensions<'a>,
    /// What is left of the extension's list.
    entries: &'a [u8],
    /// Whether the whole message is there.
    whole: bool,
}

impl<'a> Iterator for ServerNames<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            while self.entries.is_empty() {
                let extension = self.extensions.find(|one| one.kind == ExtensionType::SERVER_NAME)?;
                // Behind the length of the list, RFC 6066 section 3.
                self.entries = extension.data.get(2..).unwrap_or_default();
            }
            let (kind, name) = match parse_tls_extension_sni_hostname(self.entries) {
                Ok((rest, entry)) => {
                    self.entries = rest;
                    entry
                }
                Err(_) => {
                    let mut cut = Reader::new(std::mem::take(&mut self.entries));
                    let (Ok(kind), Ok(_), true) = (cut.u8(), cut.u16(), self.whole) else { continue };
                    (SNIType(kind), cut.rest())
                }
            };
            if kind == SNIType::HostName && !name.is_empty() {
                return Some(name);
            }
        }
    }
}
