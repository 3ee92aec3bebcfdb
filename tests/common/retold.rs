//! A capture of what telemetry says was on the wire: the packets of its DNS questions and of its connections.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use undertone::originator::record::{Clock, Record, Said};
use undertone::telemetry::Telemetry;

use super::packets::{datagram, dns_query, hello, segment};

/// Where the questions go.
const RESOLVER: [u8; 4] = [192, 168, 0, 4];

/// Nanoseconds that Sysmon takes to write a record: the median of 1,244 records that the Security log has as well.
const LAG: i64 = 1_140_000_000;

/// A capture that was made from telemetry.
#[derive(Debug, Default)]
pub struct Retold {
    /// Frames, each with its time in nanoseconds.
    frames: Vec<(i64, Vec<u8>)>,
    /// Names that were only looked up in the cache, and how often.
    pub cached: BTreeMap<String, u32>,
}

impl Retold {
    /// What a feed of one host says: a question as the packet that asked it, a connection as its handshake and a hello with the name whose
    /// answer led there. A question that was answered by the cache alone makes no packet. The time of the wire is that of writing, less the
    /// zone that the host's own starts show, and what writing takes.
    pub fn of(path: &Path) -> Self {
        let mut said: Vec<(i64, Wire)> = Vec::new();
        let mut zones: Vec<i64> = Vec::new();
        let mut addresses: BTreeMap<Ipv4Addr, u32> = BTreeMap::new();
        let mut telemetry = Telemetry::open(path).unwrap();
        telemetry.read(&mut |record| {
            let time = |clock| times(&record).find(|time| time.1 == clock).map(|time| time.0);
            match &record.what {
                Said::Start(_) => {
                    if let (Some(event), Some(logged)) = (time(Clock::Event), time(Clock::Logged)) {
                        zones.push(((logged - event) as f64 / 900e9).round() as i64 * 900_000_000_000);
                    }
                }
                Said::Query(query) => {
                    let cached = query.status.as_deref() == Some("9701");
                    let to: Vec<Ipv4Addr> = query.addresses.iter().filter_map(|ip| v4(*ip)).collect();
                    let name = query.name.trim_end_matches('.').to_lowercase();
                    said.push((time(Clock::Logged).unwrap(), Wire::Question { name, to, cached }));
                }
                Said::Connection(connection) if connection.initiated == Some(true) => {
                    let [src, dst] = connection.ends.map(|end| Some((v4(end.ip)?, end.port?)));
                    if let (Some(src), Some(dst)) = (src, dst)
                        && connection.protocol == Some(undertone::flow::Protocol::TCP)
                        && !src.0.is_loopback()
                    {
                        *addresses.entry(src.0).or_default() += 1;
                        said.push((time(Clock::Logged).unwrap(), Wire::Connection { src, dst }));
                    }
                }
                _ => {}
            }
        });
        zones.sort_unstable();
        let zone = zones.get(zones.len() / 2).copied().unwrap_or(0);
        said.sort();
        let mut retold = Self::default();
        let host = addresses.into_iter().max_by_key(|(_, count)| *count).map(|(ip, _)| ip);
        let host = host.unwrap_or(Ipv4Addr::new(172, 18, 39, 5));
        let mut led: BTreeMap<Ipv4Addr, String> = BTreeMap::new();
        for (number, (written, wire)) in said.into_iter().enumerate() {
            let at = written - zone - LAG;
            match wire {
                Wire::Question { name, to, cached } => {
                    led.extend(to.into_iter().map(|ip| (ip, name.clone())));
                    if cached {
                        *retold.cached.entry(name).or_default() += 1;
                    } else {
                        let port = 50_000 + (number % 10_000) as u16;
                        let packet = datagram((host.octets(), port), (RESOLVER, 53), &dns_query(&name));
                        retold.frames.push((at - 30_000_000, packet));
                    }
                }
                Wire::Connection { src, dst } => {
                    let (from, to) = ((src.0.octets(), src.1), (dst.0.octets(), dst.1));
                    retold.frames.push((at, segment(from, to, 7, "S", &[])));
                    retold.frames.push((at + 10_000_000, segment(to, from, 0, "SA", &[])));
                    if let Some(name) = led.get(&dst.0) {
                        retold.frames.push((at + 20_000_000, segment(from, to, 8, "A", &hello(name))));
                    }
                }
            }
        }
        retold.frames.sort();
        retold
    }

    /// As a pcap file with times in nanoseconds.
    pub fn pcap(&self) -> Vec<u8> {
        let mut file = Vec::new();
        for word in [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 262_144, 1] {
            file.extend_from_slice(&word.to_le_bytes());
        }
        for (at, frame) in &self.frames {
            let (seconds, nanos) = (at.div_euclid(1_000_000_000), at.rem_euclid(1_000_000_000));
            for word in [seconds as u32, nanos as u32, frame.len() as u32, frame.len() as u32] {
                file.extend_from_slice(&word.to_le_bytes());
            }
            file.extend_from_slice(frame);
        }
        file
    }
}

#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Wire {
    Question { name: String, to: Vec<Ipv4Addr>, cached: bool },
    Connection { src: (Ipv4Addr, u16), dst: (Ipv4Addr, u16) },
}

fn times(record: &Record<'_>) -> impl Iterator<Item = (i64, Clock)> {
    std::iter::once(record.time).chain(record.second).map(|time| (time.at.as_nanos(), time.clock))
}

const fn v4(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}
