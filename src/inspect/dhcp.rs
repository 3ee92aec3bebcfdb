//! DHCP (RFC 2131, 2132): which address a client got, for how long, and what it calls itself.
//!
//! Of all messages three kinds matter. A REQUEST has the client's name (option 12; or option 81, RFC 4702) and need not be granted; an ACK
//! has the address and the lease, and need not repeat the name; a RELEASE or DECLINE gives the address up. Whoever reads them puts REQUEST and ACK together, by
//! transaction and client ([`Leases`](crate::originator::Leases)). Here each message stands for itself.

use std::net::Ipv4Addr;

use crate::hostname::Hostname;
use crate::reader::{Reader, Short};

/// The port of servers and relays.
pub const SERVER: u16 = 67;
/// The port of clients.
pub const CLIENT: u16 = 68;

/// Whether both ports are of DHCP: a client's and a server's, or a relay's and a server's.
#[inline]
pub const fn is_between(src: u16, dst: u16) -> bool {
    matches!((src, dst), (SERVER, SERVER | CLIENT) | (CLIENT, SERVER))
}

/// What kind of message: option 53 (RFC 2132 section 9.6), those that matter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// The client wants an address, or wants to keep the one that it has.
    Request,
    /// The server gives it.
    Ack,
    /// The client needs it no more, or found that somebody else has it.
    Release,
}

/// Who a client is: its hardware address, 16 octets with nought behind what is less.
pub type Hardware = [u8; 16];

/// A message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// What kind.
    pub kind: Kind,
    /// The number of the transaction (`xid`), which the client chose.
    pub transaction: u32,
    /// The client (`chaddr`).
    pub client: Hardware,
    /// The address that it has already (`ciaddr`).
    pub has: Option<Ipv4Addr>,
    /// The address that it is given (`yiaddr`).
    pub gets: Option<Ipv4Addr>,
    /// For how many seconds (option 51); 2^32 - 1 is for ever.
    pub lease: Option<u32>,
    /// The name of the client: the fully qualified one, where there is one.
    pub name: Option<Hostname>,
}

/// Why a message was not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoMessage {
    /// It is not DHCP, or a message that does not matter here.
    NotThis,
    /// It is cut short, or its options do not fit into it.
    Malformed,
}

impl From<Short> for NoMessage {
    fn from(_: Short) -> Self {
        Self::Malformed
    }
}

/// `99.130.83.99`, before the options: RFC 2131 section 3.
const COOKIE: u32 = 0x6382_5363;

/// Octets of `sname` and `file`, which may hold options as well (RFC 2132 section 9.3).
const SNAME: usize = 64;
const FILE: usize = 128;

/// Reads a message.
///
/// # Errors
/// When it is none that matters, or is malformed.
pub fn message(payload: &[u8]) -> Result<Message, NoMessage> {
    let mut reader = Reader::new(payload);
    let (op, _) = (reader.u8()?, reader.u8()?);
    let (length, _) = (reader.u8()?, reader.u8()?);
    if !matches!(op, 1 | 2) {
        return Err(NoMessage::NotThis);
    }
    let transaction = reader.u32()?;
    // Seconds and flags.
    reader.skip(4)?;
    let (has, gets) = (address(&mut reader)?, address(&mut reader)?);
    // Of the next server and of the relay.
    reader.skip(8)?;
    let mut client: Hardware = reader.array()?;
    client.iter_mut().skip(usize::from(length)).for_each(|octet| *octet = 0);
    let (sname, file) = (reader.take(SNAME)?, reader.take(FILE)?);
    // BOOTP without it (RFC 951) tells no lease.
    if reader.u32()? != COOKIE {
        return Err(NoMessage::NotThis);
    }
    let mut options = Options::default();
    options.read(reader.rest())?;
    // RFC 2131 section 4.1: first `file`, then `sname`.
    if options.overload & 1 != 0 {
        options.read(file)?;
    }
    if options.overload & 2 != 0 {
        options.read(sname)?;
    }
    let kind = match (op, options.kind) {
        (1, Some(3)) => Kind::Request,
        (2, Some(5)) => Kind::Ack,
        (1, Some(4 | 7)) => Kind::Release,
        _ => return Err(NoMessage::NotThis),
    };
    let name = options.qualified.or(options.short);
    Ok(Message { kind, transaction, client, has, gets, lease: options.lease, name })
}

/// What options say.
#[derive(Default)]
struct Options {
    kind: Option<u8>,
    overload: u8,
    lease: Option<u32>,
    short: Option<Hostname>,
    qualified: Option<Hostname>,
}

impl Options {
    /// Reads options up to their end. What is behind the end is padding.
    fn read(&mut self, options: &[u8]) -> Result<(), NoMessage> {
        const PAD: u8 = 0;
        const END: u8 = 255;
        let mut reader = Reader::new(options);
        while let Ok(code) = reader.u8() {
            match code {
                PAD => continue,
                END => return Ok(()),
                _ => {}
            }
            let length = reader.u8()?;
            let mut value = reader.sub(usize::from(length))?;
            match code {
                12 => self.short = name(value.rest()),
                51 => self.lease = value.u32().ok(),
                52 => self.overload = value.u8()?,
                53 => self.kind = value.u8().ok(),
                81 => self.qualified = qualified(value),
                _ => {}
            }
        }
        Ok(())
    }
}

/// An address; that of nobody is none.
fn address(reader: &mut Reader<'_>) -> Result<Option<Ipv4Addr>, Short> {
    let address = Ipv4Addr::from(reader.array::<4>()?);
    Ok(Some(address).filter(|address| !address.is_unspecified()))
}

/// A name in ASCII; some clients end it with a zero.
fn name(text: &[u8]) -> Option<Hostname> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    Hostname::new(text).ok()
}

/// The client's fully qualified name: RFC 4702 section 2.
fn qualified(mut value: Reader<'_>) -> Option<Hostname> {
    const IN_LABELS: u8 = 0x04;
    let flags = value.u8().ok()?;
    // Two results of the server, which mean nothing any more.
    value.skip(2).ok()?;
    let text = if flags & IN_LABELS == 0 { value.rest().to_vec() } else { labels(value)? };
    // A client that does not know its domain sends its own label alone, or nothing for the server to say.
    name(&text)
}

/// The labels of DNS, with dots between them. A name that is not ended is a partial one.
fn labels(mut value: Reader<'_>) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    while let Ok(length) = value.u8() {
        if length == 0 {
            break;
        }
        let label = value.take(usize::from(length)).ok()?;
        if !text.is_empty() {
            text.push(b'.');
        }
        text.extend_from_slice(label);
    }
    Some(text)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::check_mutations;
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 7];

    /// A message with these options, and these in `file` and `sname`.
    fn built(op: u8, options: &[(u8, &[u8])], file: &[(u8, &[u8])], sname: &[(u8, &[u8])]) -> Vec<u8> {
        let write = |options: &[(u8, &[u8])]| {
            let mut bytes: Vec<u8> = options
                .iter()
                .flat_map(|(code, value)| [&[*code, value.len() as u8], *value].concat())
                .collect();
            bytes.push(255);
            bytes
        };
        let mut bytes = vec![op, 1, 6, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 0];
        bytes.extend([0; 4]);
        bytes.extend(if op == 2 { [10, 0, 0, 7] } else { [0; 4] });
        bytes.extend([0; 8]);
        bytes.extend(MAC);
        // What a server leaves behind the hardware address is of no meaning.
        bytes.extend([9; 10]);
        for (place, options) in [(SNAME, sname), (FILE, file)] {
            let mut field = if options.is_empty() { Vec::new() } else { write(options) };
            field.resize(place, 0);
            bytes.extend(field);
        }
        bytes.extend(COOKIE.to_be_bytes());
        bytes.extend(write(options));
        bytes
    }

    fn client() -> Hardware {
        let mut client = [0; 16];
        client[..6].copy_from_slice(&MAC);
        client
    }

    #[track_caller]
    fn check(payload: &[u8], kind: Kind, name: Option<&str>, lease: Option<u32>) {
        let found = message(payload).unwrap();
        assert_eq!((found.kind, found.name.as_deref(), found.lease), (kind, name, lease));
        assert_eq!((found.transaction, found.client), (0xdead_beef, client()));
        let gets = (kind == Kind::Ack).then_some(Ipv4Addr::new(10, 0, 0, 7));
        assert_eq!((found.has, found.gets), (None, gets));
    }

    const HOUR: (u8, &[u8]) = (51, &[0, 0, 14, 16]);

    #[test]
    fn names_addresses_and_leases() {
        check(&built(1, &[(53, &[3]), (12, b"WS5")], &[], &[]), Kind::Request, Some("ws5"), None);
        check(&built(1, &[(12, b"ws5\0"), (53, &[3])], &[], &[]), Kind::Request, Some("ws5"), None);
        check(&built(2, &[(53, &[5]), HOUR], &[], &[]), Kind::Ack, None, Some(3600));
        check(&built(1, &[(53, &[7])], &[], &[]), Kind::Release, None, None);
        check(&built(1, &[(53, &[4])], &[], &[]), Kind::Release, None, None);
    }

    #[test]
    fn the_qualified_name_is_text_or_labels() {
        let request = |fqdn: &[u8]| built(1, &[(53, &[3]), (81, fqdn), (12, b"ws5")], &[], &[]);
        check(&request(b"\x00\x00\x00WS5.Corp.Example"), Kind::Request, Some("ws5.corp.example"), None);
        check(
            &request(b"\x05\xff\xff\x03WS5\x04corp\x07example\x00"),
            Kind::Request,
            Some("ws5.corp.example"),
            None,
        );
        // A partial one, none, and one that does not fit into its option.
        check(&request(b"\x04\x00\x00\x03ws6"), Kind::Request, Some("ws6"), None);
        check(&request(b"\x00\x00\x00"), Kind::Request, Some("ws5"), None);
        check(&request(b"\x04\x00\x00\x09ws6"), Kind::Request, Some("ws5"), None);
    }

    #[test]
    fn options_may_be_in_other_fields() {
        let payload = built(2, &[(52, &[3])], &[(53, &[5]), HOUR], &[(12, b"ws5")]);
        check(&payload, Kind::Ack, Some("ws5"), Some(3600));
        let not_said = built(2, &[(53, &[5])], &[HOUR], &[(12, b"ws5")]);
        check(&not_said, Kind::Ack, None, None);
    }

    #[test]
    fn what_is_none_and_what_is_malformed() {
        let not_this = |payload: &[u8]| assert_eq!(message(payload), Err(NoMessage::NotThis));
        // Discover, offer, an answer as a question, none; no cookie; no such operation.
        not_this(&built(1, &[(53, &[1])], &[], &[]));
        not_this(&built(2, &[(53, &[2])], &[], &[]));
        not_this(&built(1, &[(53, &[5])], &[], &[]));
        not_this(&built(1, &[], &[], &[]));
        let mut bootp = built(1, &[(53, &[3])], &[], &[]);
        bootp[236] = 0;
        not_this(&bootp);
        not_this(&[b'G'; 300]);
        assert_eq!(message(&[]), Err(NoMessage::Malformed));
    }

    #[test]
    fn every_prefix_is_refused_or_says_less() {
        let options: &[(u8, &[u8])] =
            &[(53, &[5]), HOUR, (81, b"\x00\x00\x00ws5.corp.example"), (12, b"ws5")];
        let payload = built(2, options, &[], &[]);
        let whole = message(&payload).unwrap();
        for end in 0..payload.len() {
            match message(&payload[..end]) {
                Ok(found) => {
                    // Between options nothing shows that some are missing.
                    assert!(end > 240 && (found.kind, found.gets) == (whole.kind, whole.gets), "{end}");
                }
                Err(NoMessage::NotThis) => assert_eq!(end, 240, "only the options are missing"),
                Err(NoMessage::Malformed) => {}
            }
        }
        check_mutations(&payload, |changed| _ = message(changed));
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(mut bytes in prop::collection::vec(any::<u8>(), 0..600), cookie in any::<bool>()) {
            if cookie && bytes.len() > 240 {
                bytes[0] = 1 + (bytes[0] & 1);
                bytes[236..240].copy_from_slice(&COOKIE.to_be_bytes());
            }
            _ = message(&bytes).is_ok();
        }
    }
}
