//! Service bindings: the parameters of SVCB and HTTPS records (RFC 9460), among them the keys for an encrypted
//! ClientHello (RFC 9848).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::QType;
use crate::reader::{Reader, Short};

/// Keys of parameters (RFC 9460 section 14.3).
const ALPN: u16 = 1;
const PORT: u16 = 3;
const IPV4_HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6_HINT: u16 = 6;

/// The version of an ECH configuration: that of RFC 9849.
const ECH_VERSION: u16 = 0xfe0d;

/// How to reach a service.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Binding<'a> {
    /// SVCB or HTTPS.
    pub qtype: QType,
    /// Nought for an alias of the whole name; else lower ones first.
    pub priority: u16,
    /// The name of the server; `.` for the record's own.
    pub target: &'a str,
    /// The parameters as they stand.
    pub(super) params: &'a [u8],
}

impl<'a> Binding<'a> {
    /// The application protocols that the server speaks.
    pub fn alpn(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        items(self.param(ALPN), |list| {
            let length = list.u8()?;
            list.take(usize::from(length))
        })
    }

    /// The port, where it is not the one that was asked for.
    pub fn port(&self) -> Option<u16> {
        Reader::new(self.param(PORT)).u16().ok()
    }

    /// Addresses of the server.
    pub fn ipv4_hints(&self) -> impl Iterator<Item = Ipv4Addr> + use<'a> {
        items(self.param(IPV4_HINT), |list| list.array::<4>().map(Ipv4Addr::from))
    }

    /// Addresses of the server.
    pub fn ipv6_hints(&self) -> impl Iterator<Item = Ipv6Addr> + use<'a> {
        items(self.param(IPV6_HINT), |list| list.array::<16>().map(Ipv6Addr::from))
    }

    /// The configurations for an encrypted ClientHello, of the versions that are known.
    pub fn ech(&self) -> impl Iterator<Item = EchConfig<'a>> + use<'a> {
        // Behind the length of the list.
        items(self.param(ECH).get(2..).unwrap_or_default(), |list| {
            let (version, length) = (list.u16()?, list.u16()?);
            Ok((version, list.take(usize::from(length))?))
        })
        .filter_map(|(version, contents)| EchConfig::read(contents).ok().filter(|_| version == ECH_VERSION))
    }

    /// A parameter's value; empty when it is not there.
    fn param(&self, key: u16) -> &'a [u8] {
        let params = items(self.params, |list| {
            let (key, length) = (list.u16()?, list.u16()?);
            Ok((key, list.take(usize::from(length))?))
        });
        params.into_iter().find(|(name, _)| *name == key).map_or(&[], |(_, value)| value)
    }
}

/// A server's configuration for an encrypted ClientHello (RFC 9849 section 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct EchConfig<'a> {
    /// Its identifier, which a client repeats in its hello.
    pub config_id: u8,
    /// The key encapsulation mechanism.
    pub kem: u16,
    /// The name that stands in clear in the outer hello.
    pub public_name: &'a [u8],
}

impl<'a> EchConfig<'a> {
    fn read(contents: &'a [u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(contents);
        let (config_id, kem) = (reader.u8()?, reader.u16()?);
        for _ in ["public key", "cipher suites"] {
            let length = reader.u16()?;
            reader.skip(usize::from(length))?;
        }
        let _maximum_name_length = reader.u8()?;
        let length = reader.u8()?;
        Ok(Self { config_id, kem, public_name: reader.take(usize::from(length))? })
    }
}

/// The items of a list, up to the first that is cut.
fn items<'a, T>(
    list: &'a [u8],
    read: impl Fn(&mut Reader<'a>) -> Result<T, Short>,
) -> impl Iterator<Item = T> {
    let mut reader = Reader::new(list);
    std::iter::from_fn(move || read(&mut reader).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::testing::{check_mutations, hex};

    /// In the order and with the sizes of a record of Cloudflare's; key and addresses are made up.
    static PARAMS: &str = "0001 0006 02 6833 02 6832
        0003 0002 01bb
        0004 0008 c0000201 c0000202
        0005 004b 0049 fe0d 0045 2a 0020 0020 0101010101010101010101010101010101010101010101010101010101010101
            0008 0001 0001 0001 0003 00 12 636c6f7564666c6172652d6563682e636f6d 0000
        0006 0010 20010db8000000000000000000000001
        0007 0001 ff";

    fn binding(params: &[u8]) -> Binding<'_> {
        Binding { qtype: QType::HTTPS, priority: 1, target: ".", params }
    }

    #[test]
    fn parameters() {
        let params = hex(PARAMS);
        let binding = binding(&params);
        assert_eq!(binding.alpn().collect::<Vec<_>>(), [b"h3", b"h2"]);
        assert_eq!(binding.port(), Some(443));
        assert_eq!(binding.ipv4_hints().count(), 2);
        assert_eq!(
            binding.ipv6_hints().collect::<Vec<_>>(),
            ["2001:db8::1".parse::<Ipv6Addr>().expect("an address")]
        );
        let ech = EchConfig { config_id: 0x2a, kem: 0x20, public_name: b"cloudflare-ech.com" };
        assert_eq!(binding.ech().collect::<Vec<_>>(), [ech]);
    }

    #[test]
    fn cut_and_changed() {
        let params = hex(PARAMS);
        let all = |params: &[u8]| {
            let binding = binding(params);
            let names = binding.ech().map(|config| config.public_name.len()).sum::<usize>();
            (binding.alpn().count(), binding.ipv4_hints().count(), binding.ipv6_hints().count(), names)
        };
        assert_eq!(all(&[]), (0, 0, 0, 0));
        for cut in 0..params.len() {
            assert!(all(params.get(..cut).unwrap_or_default()).3 <= 18);
        }
        check_mutations(&params, |params| assert!(all(params).3 <= params.len()));
        // An unknown version of the configuration.
        let old = hex(&PARAMS.replace("fe0d", "fe0a"));
        assert_eq!(binding(&old).ech().count(), 0);
    }
}
