//! What a response says of the name that was asked for, whichever names it goes by: its addresses, and how to hide from sight there.

use std::net::IpAddr;

use super::{Addresses, Data, Message, Record, Section};
use crate::hostname::{Hostname, NameBuf};

/// The most names in a chain of aliases. Resolvers give up after 8 to 17 of them.
pub const MAX_CHAIN: usize = 17;

/// The most addresses that are kept of a response; a full one of 512 octets has 29.
pub const MAX_ADDRESSES: usize = 64;

/// The most configurations for an encrypted hello that are kept of a response: a server has one, or two while keys change.
pub const MAX_ECH: usize = 4;

/// How often the records are gone through while names are found that stand before those that they are aliases of. Resolvers write chains in order.
const MAX_PASSES: usize = 3;

/// Where the name that was asked for is at home.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Answered {
    /// Its addresses, also those that its aliases have, and those that are hints only.
    pub addresses: Addresses,
    /// How long all of that may be kept, in seconds: the shortest time of the records used.
    pub ttl: u32,
    /// Configurations for an encrypted ClientHello: identifier, and the name in clear.
    pub ech: Vec<(u8, Hostname)>,
}

/// The names that the one that was asked for goes by, at most [`MAX_CHAIN`]: memory that is used again for the next message.
#[derive(Debug, Default)]
pub struct Aliases {
    names: String,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Aliases {
    fn clear(&mut self) {
        self.names.clear();
        self.ends.clear();
    }

    const fn len(&self) -> usize {
        self.ends.len()
    }

    fn has(&self, name: &str) -> bool {
        let mut from = 0;
        self.ends.iter().any(|to| self.names.get(std::mem::replace(&mut from, *to)..*to) == Some(name))
    }

    /// Adds a name that is not the root.
    fn add(&mut self, name: &str) {
        if name != "." && self.len() < MAX_CHAIN && !self.has(name) {
            self.names.push_str(name);
            self.ends.push(self.names.len());
        }
    }
}

impl Message<'_> {
    /// What the records say of `asked`, the name of the first question in canonical spelling. Records that do not lead from it are passed over; where
    /// the message is damaged, those before the damage count.
    pub fn answered(
        &self,
        asked: &str,
        owner: &mut NameBuf,
        target: &mut NameBuf,
        aliases: &mut Aliases,
    ) -> Answered {
        aliases.clear();
        let mut answered = Answered::default();
        for _ in 0..MAX_PASSES {
            let before = aliases.len();
            let mut strangers = false;
            answered = Answered { ttl: u32::MAX, ..Answered::default() };
            // What was read before the damage stands.
            let _damage = self.records_of(asked, owner, target, |record| {
                if record.section == Section::Authority {
                    return;
                }
                if record.name == asked || aliases.has(record.name) {
                    take(&record, &mut answered, aliases);
                } else {
                    strangers = true;
                }
            });
            if !strangers || aliases.len() == before {
                break;
            }
        }
        if answered.addresses.is_empty() && answered.ech.is_empty() {
            answered.ttl = 0;
        }
        answered
    }
}

/// Takes what a record says of a name that leads from the one that was asked for.
fn take(record: &Record<'_>, answered: &mut Answered, aliases: &mut Aliases) {
    let mut leads_to = |name: &str| aliases.add(name);
    answered.ttl = answered.ttl.min(record.ttl);
    let mut address = |ip: IpAddr| {
        answered.addresses.add(ip);
    };
    match record.data {
        Data::A(ip) => address(ip.into()),
        Data::Aaaa(ip) => address(ip.into()),
        Data::Cname(name) => leads_to(name),
        Data::Binding(binding) => {
            leads_to(binding.target);
            binding.ipv4_hints().for_each(|ip| address(ip.into()));
            binding.ipv6_hints().for_each(|ip| address(ip.into()));
            for config in binding.ech() {
                if let Ok(public_name) = Hostname::new(config.public_name) {
                    let config = (config.config_id, public_name);
                    if answered.ech.len() < MAX_ECH && !answered.ech.contains(&config) {
                        answered.ech.push(config);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{message, name as wire, question};
    use super::*;
    use crate::inspect::testing::{check_mutations, hex};

    fn record(owner: &str, qtype: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u16).to_be_bytes();
        [&wire(owner)[..], &qtype.to_be_bytes(), &[0, 1], &ttl.to_be_bytes(), &length, data].concat()
    }

    fn read(bytes: &[u8], asked: &str) -> Answered {
        Message::parse(bytes)
            .map(|message| {
                message.answered(asked, &mut NameBuf::new(), &mut NameBuf::new(), &mut Aliases::default())
            })
            .unwrap_or_default()
    }

    fn response(records: &[Vec<u8>]) -> Vec<u8> {
        let body = [question("www.example.com", 1), records.concat()].concat();
        message(0x8180, [1, records.len() as u16, 0, 0], &body)
    }

    #[test]
    fn chains_are_followed_in_any_order_and_strangers_are_not() {
        let chain = [
            record("www.example.com", 5, 300, &wire("a.cdn.example")),
            record("a.cdn.example", 5, 60, &wire("b.cdn.example")),
            record("b.cdn.example", 1, 20, &[192, 0, 2, 1]),
            record("other.example", 1, 5, &[192, 0, 2, 9]),
        ];
        let expected =
            Answered { addresses: [[192, 0, 2, 1].into()].into_iter().collect(), ttl: 20, ech: vec![] };
        assert_eq!(read(&response(&chain), "www.example.com"), expected);
        let [first, second, third, _] = chain;
        assert_eq!(read(&response(&[third, second, first]), "www.example.com"), expected);
    }

    #[test]
    fn a_chain_that_goes_round_ends() {
        let records = [
            record("www.example.com", 5, 300, &wire("a.example")),
            record("a.example", 5, 60, &wire("www.example.com")),
        ];
        assert!(read(&response(&records), "www.example.com").addresses.is_empty());
    }

    #[test]
    fn bindings_give_hints_and_configurations() {
        let params = hex(
            "0001 00 0004 0008 c0000201 c0000202 0005 0022 0020 fe0d 001c 4d 0020 0004 01020304 0004 00010001 00 0a \
             7075622e6578616d706c 0000",
        );
        let records = [record("www.example.com", 65, 7, &params)];
        let answered = read(&response(&records), "www.example.com");
        assert_eq!(answered.addresses.len(), 2);
        assert_eq!(answered.ech, [(77, Hostname::new("pub.exampl").unwrap())]);
        assert_eq!(answered.ttl, 7);
        check_mutations(&response(&records), |bytes| {
            assert!(read(bytes, "www.example.com").addresses.len() <= bytes.len());
        });
    }

    #[test]
    fn limits() {
        let many: Vec<_> =
            (0..200).map(|last| record("www.example.com", 1, 60, &[192, 0, 2, last])).collect();
        assert_eq!(read(&response(&many), "www.example.com").addresses.len(), MAX_ADDRESSES);
        let chain: Vec<_> = (0..40)
            .map(|at| {
                let owner = if at == 0 { "www.example.com".to_owned() } else { format!("n{at}.example") };
                record(&owner, 5, 60, &wire(&format!("n{}.example", at + 1)))
            })
            .chain([record("n40.example", 1, 60, &[192, 0, 2, 1])])
            .collect();
        assert!(read(&response(&chain), "www.example.com").addresses.is_empty());
    }

    proptest! {
        #[test]
        fn garbage(counts in any::<[u8; 4]>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = message(0x8180, counts.map(|count| u16::from(count & 7)), &bytes);
            prop_assert!(read(&bytes, "a.example").addresses.len() <= bytes.len());
        }
    }
}
