//! The server's side: ServerHello and Certificate (RFC 5246 section 7.4) → the names in the first certificate.
//!
//! With TLS 1.3 the certificate is encrypted; a stream that chose it is not this. Names say whom a server claims to be; nothing
//! here verifies a signature.

use super::der::{OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element, elements, expect};
use super::record::{MESSAGE_HEADER, Want, begins_message, join};
use crate::inspect::{Begins, Progress};
use crate::reader::{Reader, Short};

/// Handshake types.
const SERVER_HELLO: u8 = 2;
const CERTIFICATE: u8 = 11;

/// The attribute of a subject that holds a name: 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// The extension that holds further names: 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// The tags of a certificate's version and extensions, and of a host name among other names (RFC 5280 sections 4.1, 4.2.1.6).
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;

/// A server's certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Certificate<'a> {
    /// The subject, in DER.
    subject: &'a [u8],
    /// The extensions, in DER.
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate in DER as far as its extensions. Nothing when it is none.
    pub fn parse(der: &'a [u8]) -> Option<Self> {
        let mut certificate = Reader::new(expect(&mut Reader::new(der), SEQUENCE)?);
        let mut fields = Reader::new(expect(&mut certificate, SEQUENCE)?);
        let (first, _) = element(&mut fields)?;
        // The serial number, behind a version where there is one.
        if first == VERSION {
            element(&mut fields)?;
        }
        let (_algorithm, _issuer, _validity) =
            (expect(&mut fields, SEQUENCE)?, expect(&mut fields, SEQUENCE)?, expect(&mut fields, SEQUENCE)?);
        let subject = expect(&mut fields, SEQUENCE)?;
        let extensions = elements(fields.rest()).find(|(tag, _)| *tag == EXTENSIONS);
        let extensions = extensions
            .and_then(|(_, content)| expect(&mut Reader::new(content), SEQUENCE))
            .unwrap_or_default();
        Some(Self { subject, extensions })
    }

    /// The host names in subjectAltName, as they stand: with `*` where the certificate is for many.
    pub fn dns_names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let names = elements(self.extensions).find_map(|(_, extension)| {
            let mut extension = Reader::new(extension);
            let kind = expect(&mut extension, OBJECT_IDENTIFIER)?;
            // The value, behind a boolean where the extension is critical.
            let value = elements(extension.rest()).find(|(tag, _)| *tag == OCTET_STRING);
            value.filter(|_| kind == SUBJECT_ALT_NAME).map(|(_, value)| value)
        });
        let names = names.and_then(|value| expect(&mut Reader::new(value), SEQUENCE)).unwrap_or_default();
        elements(names).filter(|(tag, _)| *tag == DNS_NAME).map(|(_, name)| name)
    }

    /// The last common name of the subject: a host name in old certificates, anything in others.
    pub fn common_name(&self) -> Option<&'a [u8]> {
        let sets = elements(self.subject).flat_map(|(_set, attributes)| elements(attributes));
        let names = sets.filter_map(|(_, attribute)| {
            let mut attribute = Reader::new(attribute);
            let kind = expect(&mut attribute, OBJECT_IDENTIFIER)?;
            element(&mut attribute).filter(|_| kind == COMMON_NAME).map(|(_, text)| text)
        });
        names.last()
    }
}

/// Whether bytes begin like a server's first record: a ServerHello.
#[inline]
pub fn begins_server(first: &[u8]) -> Begins {
    let fits = |place, octet| match place {
        0 => octet == SERVER_HELLO,
        1 => octet == 0,
        4 => octet == 3,
        _ => true,
    };
    match first.first() {
        Some(22) => begins_message(first, fits),
        Some(_) => Begins::No,
        None => Begins::Maybe,
    }
}

/// Reads the server's first certificate. `stream` starts with the first octet of the server's first record.
///
/// The bytes are borrowed from `stream` when they lie in one record, else joined in `joined`. [`Progress::NotThis`] also when the server
/// resumes a session, for then it sends none.
pub fn certificate<'a>(stream: &'a [u8], joined: &'a mut Vec<u8>) -> Progress<Certificate<'a>> {
    let (messages, progress) = join(stream, joined, wanted);
    match progress {
        Progress::Found(()) => {
            match first_certificate(messages).ok().flatten().and_then(Certificate::parse) {
                Some(certificate) => Progress::Found(certificate),
                None => Progress::NotThis,
            }
        }
        Progress::NeedMore { at_least } => Progress::NeedMore { at_least },
        Progress::NotThis => Progress::NotThis,
    }
}

/// How many octets of the server's messages are needed for the first certificate.
fn wanted(messages: &[u8]) -> Want {
    match first_certificate(messages) {
        Ok(Some(_)) => Want::Octets(messages.len()),
        Ok(None) => Want::Nothing,
        Err(short) => Want::Octets(short.offset + short.needed),
    }
}

/// The first certificate in a Certificate message, before which a ServerHello may stand. `Ok(None)`: there will be none.
fn first_certificate(messages: &[u8]) -> Result<Option<&[u8]>, Short> {
    let mut reader = Reader::new(messages);
    let (mut kind, mut length) = message_header(&mut reader)?;
    if kind == SERVER_HELLO {
        reader.skip(length as usize)?;
        (kind, length) = message_header(&mut reader)?;
    }
    if kind != CERTIFICATE {
        return Ok(None);
    }
    // Lengths of the list and of its first entry, within the message, which need not be there as a whole.
    let (list, first) = (reader.u24()?, reader.u24()?);
    let fits = length >= 6 && list <= length - 3 && first <= list.saturating_sub(3);
    if fits { reader.take(first as usize).map(Some) } else { Ok(None) }
}

/// Type and length of a handshake message. Where it is cut, all of it is asked for.
fn message_header(reader: &mut Reader<'_>) -> Result<(u8, u32), Short> {
    let mut header = Reader::new(reader.take(MESSAGE_HEADER)?);
    Ok((header.u8()?, header.u24()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use proptest::prelude::*;

    use super::super::tests::records;
    use super::*;
    use crate::inspect::testing::{check_begins, check_mutations, check_prefixes};

    /// A server's first flight (TLS 1.2): see the file beside it.
    static SERVER: &[u8] = include_bytes!("../../../tests/data/servers/openssl-3.0-tls12.bin");
    static SERVER_13: &[u8] = include_bytes!("../../../tests/data/servers/openssl-3.0-tls13.bin");

    type Names = (Option<String>, Vec<String>);

    fn names(certificate: &Certificate<'_>) -> Names {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (certificate.common_name().map(text), certificate.dns_names().map(text).collect())
    }

    fn read(stream: &[u8]) -> Progress<Names> {
        certificate(stream, &mut Vec::new()).map(|certificate| names(&certificate))
    }

    fn expected() -> Names {
        (
            Some("old.example".into()),
            ["a.example", "*.b.example", "xn--bcher-kva.example"].map(String::from).into(),
        )
    }

    /// The handshake octets in the records of a stream.
    fn payload(mut stream: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        while let [22, _, _, high, low, rest @ ..] = stream {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            all.extend(&rest[..length]);
            stream = &rest[length..];
        }
        all
    }

    #[test]
    fn a_real_server() {
        let (at, answer) = check_prefixes(SERVER, read).expect("an answer");
        assert_eq!(answer, Progress::Found(expected()));
        assert!(at < SERVER.len());
        assert_eq!(check_begins(SERVER, begins_server), Begins::Yes);
        assert_eq!(super::super::begins(SERVER), Begins::No);
        check_mutations(SERVER, |bytes| {
            let _names = read(bytes);
        });
    }

    #[test]
    fn any_record_edges() {
        let messages = payload(SERVER);
        for sizes in [vec![], vec![1; messages.len()], vec![3, 0, 70, 1, 5], vec![90; 9]] {
            let stream = records(&messages, &sizes);
            assert_eq!(
                check_prefixes(&stream, read).map(|(_, answer)| answer),
                Some(Progress::Found(expected()))
            );
            assert_eq!(check_begins(&stream, begins_server), Begins::Yes);
        }
    }

    #[test]
    fn without_the_hello() {
        let messages = payload(SERVER);
        let hello = 4 + usize::from(messages[3]);
        let stream = records(&messages[hello..], &[]);
        assert_eq!(
            check_prefixes(&stream, read).map(|(_, answer)| answer),
            Some(Progress::Found(expected()))
        );
        assert_eq!(check_begins(&stream, begins_server), Begins::No);
    }

    #[test]
    fn nothing_in_clear() {
        assert!(matches!(check_prefixes(SERVER_13, read), Some((_, Progress::NotThis))));
        assert_eq!(check_begins(SERVER_13, begins_server), Begins::Yes);
    }

    #[test]
    fn odd_lengths() {
        let hello = [2, 0, 0, 2, 3, 3];
        for message in [
            &[11, 0, 0, 3, 0, 0, 0, 0, 0, 0][..],
            &[11, 0, 0, 6, 0, 0, 3, 0, 0, 9],
            &[11, 0, 0, 6, 0, 0, 9, 0, 0, 0],
            &[11, 0, 0, 6, 0, 0, 3, 0, 0, 0],
            &[14, 0, 0, 0],
        ] {
            let stream = records(&[&hello[..], message].concat(), &[]);
            let (_, answer) = check_prefixes(&stream, read).expect("an answer");
            assert_eq!(answer, Progress::NotThis, "{message:?}");
        }
    }

    #[test]
    fn every_prefix_of_a_certificate() {
        let messages = payload(SERVER);
        let der = first_certificate(&messages).expect("whole").expect("a certificate");
        assert_eq!(Certificate::parse(der).map(|certificate| names(&certificate)), Some(expected()));
        for cut in 0..der.len() {
            assert_eq!(Certificate::parse(&der[..cut]), None);
        }
        check_mutations(der, |bytes| {
            if let Some(certificate) = Certificate::parse(bytes) {
                let (_, names) = names(&certificate);
                assert!(names.len() <= bytes.len());
            }
        });
    }

    proptest! {
        #[test]
        fn garbage(kept in 0usize..1200, garbage in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = [&SERVER[..kept.min(SERVER.len())], &garbage].concat();
            check_prefixes(&bytes, read);
            check_begins(&bytes, begins_server);
            let _certificate = Certificate::parse(&garbage).map(|certificate| names(&certificate));
        }
    }
}
