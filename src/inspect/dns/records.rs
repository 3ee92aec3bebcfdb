//! The records of a response (RFC 1035 section 4.1.3): addresses, other names, and service bindings (RFC 9460).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Damage, HEADER, Message, QClass, QType, name, svcb::Binding};
use crate::hostname::NameBuf;
use crate::reader::Reader;

/// The most records that are read of one message: a resolver's answer has a handful, and a full UDP one of 4096
/// octets with the shortest of them 256.
pub const MAX_RECORDS: u32 = 512;

/// The pointer to the name of the first question, right behind the header: the owner of most records.
const FIRST_QUESTION: [u8; 2] = [0xc0, HEADER as u8];

/// Where in a message a record stood.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Section {
    /// What was asked for.
    Answer,
    /// Who is in charge of the name.
    Authority,
    /// What may be of use: addresses of the names in the answers.
    Additional,
}

/// A record, while the message is read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// Where it stood.
    pub section: Section,
    /// Whose record this is, in canonical spelling.
    pub name: &'a str,
    /// Its class, with the top bit that multicast DNS uses.
    pub class: QClass,
    /// How long it may be kept, in seconds; nought where the top bit is set (RFC 2181 section 8).
    pub ttl: u32,
    /// What it says.
    pub data: Data<'a>,
}

/// What a record says.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Data<'a> {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name that this one stands for.
    Cname(&'a str),
    /// How to reach a service: types SVCB and HTTPS.
    Binding(Binding<'a>),
}

impl Message<'_> {
    /// Gives each record that is an address, a CNAME or a service binding, in order; others are stepped over, and so are
    /// those whose data is not of the form that their type asks for.
    ///
    /// `owner` and `target` are where names are built; what they held is gone.
    ///
    /// # Errors
    /// [`Damage`] where the message stops making sense, or after [`MAX_RECORDS`]; the records before it were given.
    pub fn records(
        &self,
        owner: &mut NameBuf,
        target: &mut NameBuf,
        each: impl FnMut(Record<'_>),
    ) -> Result<(), Damage> {
        self.records_of("", owner, target, each)
    }

    /// The same, for who has read the first question: its name is not read again where records point to it. Empty where that is not
    /// known.
    pub(super) fn records_of(
        &self,
        first: &str,
        owner: &mut NameBuf,
        target: &mut NameBuf,
        mut each: impl FnMut(Record<'_>),
    ) -> Result<(), Damage> {
        let mut reader = Reader::new(self.bytes).at(HEADER)?;
        for _ in 0..self.header.questions {
            name::skip(&mut reader)?;
            reader.skip(4)?;
        }
        let sections = [
            (Section::Answer, self.header.answers),
            (Section::Authority, self.header.nameservers),
            (Section::Additional, self.header.additional),
        ];
        let mut budget = MAX_RECORDS;
        for (section, count) in sections {
            for _ in 0..count {
                budget = budget.checked_sub(1).ok_or(Damage::TooManyRecords)?;
                let mut start = reader;
                let known = !first.is_empty() && start.rest().starts_with(&FIRST_QUESTION);
                name::skip(&mut reader)?;
                let (qtype, class) = (QType(reader.u16()?), QClass(reader.u16()?));
                let (ttl, length) = (reader.u32()?, reader.u16()?);
                let at = reader;
                let data = reader.take(usize::from(length))?;
                let Some(data) = read(qtype, data, at, target) else { continue };
                let name = if known {
                    first
                } else {
                    name::read(&mut start, owner)?;
                    owner.as_str()
                };
                let ttl = if ttl >> 31 == 0 { ttl } else { 0 };
                each(Record { section, name, class, ttl, data });
            }
        }
        Ok(())
    }
}

/// The data of a record: its octets, and the cursor of the message at the first of them, for names may point back.
fn read<'n>(qtype: QType, data: &'n [u8], mut at: Reader<'_>, target: &'n mut NameBuf) -> Option<Data<'n>> {
    let end = at.offset() + data.len();
    match qtype {
        QType::A => Some(Data::A(<[u8; 4]>::try_from(data).ok()?.into())),
        QType::AAAA => Some(Data::Aaaa(<[u8; 16]>::try_from(data).ok()?.into())),
        QType::CNAME => {
            name::read(&mut at, target).ok()?;
            (at.offset() == end).then(|| Data::Cname(target.as_str()))
        }
        QType::SVCB | QType::HTTPS => {
            let priority = at.u16().ok()?;
            name::read(&mut at, target).ok()?;
            let params = data.get(data.len().checked_sub(end.checked_sub(at.offset())?)?..)?;
            Some(Data::Binding(Binding { qtype, priority, target: target.as_str(), params }))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{message, name as wire, question};
    use super::*;
    use crate::inspect::testing::{check_mutations, hex};

    /// A record whose owner is a pointer to the first question.
    fn record(qtype: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u16).to_be_bytes();
        [&[0xc0, 0x0c][..], &qtype.to_be_bytes(), &[0, 1], &ttl.to_be_bytes(), &length, data].concat()
    }

    /// Each record in a line, and how the message ended.
    fn read_all(bytes: &[u8]) -> (Vec<String>, Result<(), Damage>) {
        let mut lines = Vec::new();
        let Ok(message) = Message::parse(bytes) else { return (lines, Ok(())) };
        let end = message.records(&mut NameBuf::new(), &mut NameBuf::new(), |record| {
            let data = match record.data {
                Data::A(address) => format!("A {address}"),
                Data::Aaaa(address) => format!("AAAA {address}"),
                Data::Cname(target) => format!("CNAME {target}"),
                Data::Binding(binding) => {
                    assert!(binding.alpn().count() + binding.ipv4_hints().count() <= bytes.len());
                    assert!(binding.ipv6_hints().count() + binding.ech().count() <= bytes.len());
                    format!("{} {} {}", binding.qtype, binding.priority, binding.target)
                }
            };
            lines.push(format!("{:?} {} {} {data}", record.section, record.name, record.ttl));
        });
        (lines, end)
    }

    fn check(bytes: &[u8], expected: &[&str], end: Result<(), Damage>) {
        let (lines, ended) = read_all(bytes);
        assert_eq!(lines, expected);
        assert_eq!(ended, end);
        for cut in 0..bytes.len() {
            let (lines, _) = read_all(bytes.get(..cut).unwrap_or_default());
            assert!(
                lines.iter().zip(expected).all(|(line, expected)| line == expected),
                "{lines:?} at {cut}"
            );
        }
        check_mutations(bytes, |bytes| {
            let _lines = read_all(bytes);
        });
    }

    #[test]
    fn a_chain_of_names_and_its_addresses() {
        let body = [
            question("www.dropbox.com", 1),
            // www-env.<pointer to dropbox.com>
            record(5, 300, b"\x07www-env\xc0\x10"),
            [&wire("www-env.Dropbox.COM")[..], &hex("0001 0001 0000003c 0004 a27d0613")].concat(),
            record(28, 60, &hex("2620 0100 6022 0013 0000 0000 a27d 4212")),
            record(1, 0x8000_0001, &[192, 0, 2, 1]),
            record(46, 60, &[1, 2, 3]),
            record(1, 60, &[1, 2, 3]),
            record(1, 60, &[192, 0, 2, 2]),
        ]
        .concat();
        let lines = [
            "Answer www.dropbox.com 300 CNAME www-env.dropbox.com",
            "Answer www-env.dropbox.com 60 A 162.125.6.19",
            "Answer www.dropbox.com 60 AAAA 2620:100:6022:13::a27d:4212",
            "Answer www.dropbox.com 0 A 192.0.2.1",
            "Additional www.dropbox.com 60 A 192.0.2.2",
        ];
        check(&message(0x8180, [1, 4, 2, 1], &body), &lines, Ok(()));
        let cut = Damage::Cut { needed: 1, got: 0, offset: HEADER + body.len() };
        check(
            &message(0x8180, [1, 5, 2, 1], &body),
            &lines.map(|line| line.replace("Additional", "Authority")).each_ref().map(String::as_str),
            Err(cut),
        );
    }

    #[test]
    fn bindings() {
        let body = [
            question("a.example", 65),
            record(65, 300, &[&[0, 0][..], &wire("cdn.example")].concat()),
            record(65, 300, &[&[0, 1, 0][..], &hex("0001 0003 02 6832 0004 0004 c0000201")].concat()),
            // A target that runs out of the record.
            record(64, 300, &[0, 1, 5, b'a']),
        ]
        .concat();
        let lines = ["Answer a.example 300 HTTPS 0 cdn.example", "Answer a.example 300 HTTPS 1 ."];
        check(&message(0x8180, [1, 3, 0, 0], &body), &lines, Ok(()));
    }

    #[test]
    fn the_limit() {
        let body = [question("a.example", 1), record(1, 1, &[192, 0, 2, 1]).repeat(600)].concat();
        let (lines, end) = read_all(&message(0x8180, [1, 600, 0, 0], &body));
        assert_eq!((lines.len(), end), (512, Err(Damage::TooManyRecords)));
    }

    proptest! {
        #[test]
        fn garbage(counts in any::<[u8; 4]>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _lines = read_all(&message(0x8180, counts.map(|count| u16::from(count & 7)), &bytes));
        }
    }
}
