//! Blind spots told: connections to resolvers of encrypted DNS, known by their name (the category `dns-over-https` of the lists) or by the port.
//!
//! A step of the Correlator, beside the naming: it looks at what the wire told and at the names that came of it. One record a client, resolver
//! and way; all connections are counted.

use std::net::IpAddr;

use rustc_hash::FxHashSet;

use crate::events::{Event, Instead, Sighting, What};
use crate::flow::Flow;
use crate::inspect::{BlindSpot, Detail, EncryptedDns, SeenIn};

/// Finds blind spots.
#[derive(Debug, Default)]
pub struct Blindness {
    told: FxHashSet<(IpAddr, IpAddr, EncryptedDns)>,
    counts: [u64; EncryptedDns::ALL.len()],
    told_again: u64,
}

impl Blindness {
    /// The category of the lists whose names are resolvers.
    pub const CATEGORY: &str = "dns-over-https";
    /// The most records that are remembered, so that they are told once; beyond it all are forgotten, and told again. A large network has ten
    /// resolvers for each of some thousand clients that use them; 2 MiB.
    pub const MOST_TOLD: usize = 32_768;

    /// Looks at an event. A conversation with the port says so, with a name or without one.
    pub fn event(&mut self, event: &Event) -> Option<BlindSpot> {
        let (flow, path) = match &event.what {
            What::Named(_, flow) => (**flow, None),
            What::Nameless(nameless) if !matches!(nameless.instead, Instead::Outer(_)) => {
                (nameless.flow, nameless.path.clone())
            }
            _ => return None,
        };
        let flow = if EncryptedDns::of_port(&flow).is_some() { flow } else { flow.reversed() };
        let how = EncryptedDns::of_port(&flow)?;
        let mark = event.mark;
        let spot =
            BlindSpot { at: mark.at, source: mark.source, frame: mark.frame, flow, how, name: None, path };
        self.count(spot)
    }

    /// Looks at a name.
    pub fn sighting(&mut self, sighting: &Sighting) -> Option<BlindSpot> {
        let observation = &sighting.observation;
        let port = EncryptedDns::of_port(&observation.flow);
        let listed = sighting.entry.as_ref().is_some_and(|entry| entry.is_in(Self::CATEGORY));
        let how = match (observation.seen_in, port) {
            (SeenIn::DnsQuery | SeenIn::DnsResponse, _) => return None,
            // What has its name from elsewhere was told as a conversation with the port.
            (_, Some(_)) if matches!(observation.detail, Detail::Derived(_)) => return None,
            (_, Some(how)) => how,
            (_, None) if listed => EncryptedDns::Https,
            (_, None) => return None,
        };
        let name = Some((observation.hostname.clone(), observation.seen_in));
        let (at, source, frame, flow) =
            (observation.at, observation.source, observation.frame, observation.flow);
        self.count(BlindSpot { at, source, frame, flow, how, name, path: observation.path.clone() })
    }

    /// Connections, by way in the order of [`EncryptedDns::ALL`].
    pub const fn counts(&self) -> [u64; EncryptedDns::ALL.len()] {
        self.counts
    }

    /// How many records may be told again, because [`Self::MOST_TOLD`] was reached.
    pub const fn told_again(&self) -> u64 {
        self.told_again
    }

    fn count(&mut self, spot: BlindSpot) -> Option<BlindSpot> {
        let Flow { src, dst, .. } = spot.flow;
        for (count, how) in self.counts.iter_mut().zip(EncryptedDns::ALL) {
            *count += u64::from(how == spot.how);
        }
        if self.told.len() >= Self::MOST_TOLD {
            self.told_again += self.told.len() as u64;
            self.told.clear();
        }
        self.told.insert((src.ip, dst.ip, spot.how)).then_some(spot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::Timestamp;
    use crate::events::Nameless;
    use crate::flow::{Endpoint, Protocol};
    use crate::hostname::Hostname;
    use crate::inspect::Observation;
    use crate::lists::Lists;
    use crate::seen::Mark;

    fn flow(port: u16, protocol: Protocol) -> Flow {
        let end = |last, port| Endpoint { ip: [10, 0, 0, last].into(), port };
        Flow { src: end(7, 50_000), dst: end(53, port), protocol }
    }

    fn named(name: &str, flow: Flow, seen_in: SeenIn) -> Sighting {
        let observation = Observation {
            at: Timestamp::from_nanos(1),
            source: 0,
            frame: 1,
            flow,
            hostname: Hostname::new(name).unwrap(),
            seen_in,
            detail: Detail::Nothing,
            path: None,
            disagrees_with: Vec::new(),
        };
        Sighting { observation, entry: Lists::builtin().lookup(name).cloned() }
    }

    fn nameless(flow: Flow) -> Event {
        let nameless = Nameless { flow, instead: Instead::Hello, hello: None, path: None };
        let mark = Mark { source: 0, frame: 1, at: Timestamp::from_nanos(1) };
        Event { mark, what: What::Nameless(Box::new(nameless)) }
    }

    #[test]
    fn by_name_and_by_port() {
        let mut blindness = Blindness::default();
        let mut check = |name: &str, port, protocol, seen_in, expected: Option<EncryptedDns>| {
            let spot = blindness.sighting(&named(name, flow(port, protocol), seen_in));
            assert_eq!(spot.map(|spot| spot.how), expected, "{name} {port}");
        };
        check("dns.google", 443, Protocol::TCP, SeenIn::TlsSni, Some(EncryptedDns::Https));
        check("dns.google", 443, Protocol::TCP, SeenIn::TlsSni, None);
        check("dns.google", 853, Protocol::TCP, SeenIn::TlsSni, Some(EncryptedDns::Tls));
        check("resolver.example", 853, Protocol::UDP, SeenIn::QuicSni, Some(EncryptedDns::Quic));
        check("pastebin.com", 443, Protocol::TCP, SeenIn::TlsSni, None);
        check("dns.google", 53, Protocol::UDP, SeenIn::DnsQuery, None);
        assert!(blindness.event(&nameless(flow(443, Protocol::TCP))).is_none());
        assert!(blindness.event(&nameless(flow(853, Protocol::TCP))).is_none(), "told before, by name");
        assert!(Blindness::default().event(&nameless(flow(853, Protocol::UDP).reversed())).is_some());
        assert_eq!(blindness.counts(), [2, 2, 1]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut blindness = Blindness::default();
        for client in 0..Blindness::MOST_TOLD as u32 + 10 {
            let mut flow = flow(853, Protocol::TCP);
            flow.src.ip = std::net::Ipv4Addr::from_bits(client).into();
            assert!(blindness.event(&nameless(flow)).is_some());
        }
        assert_eq!(blindness.told.len(), 10);
        assert_eq!(blindness.told_again(), Blindness::MOST_TOLD as u64);
    }
}
