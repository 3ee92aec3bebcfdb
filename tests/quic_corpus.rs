//! Server names in the QUIC of captures made by others, against what another reader found in them.
//!
//! `UNDERTONE_CORPUS` names a folder whose folders each have a `names.jsonl`: a line a capture,
//! `{"capture": PATH, "names": [{"kind": "quic", "name", "src", "sport", "dst", "dport"}]}`.
//! Without it nothing is run, and that is said.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::path::Path;
use std::process::ExitCode;

use etherparse::{LaxNetSlice, LaxSlicedPacket, TransportSlice};
use serde_json::Value;
use undertone::inspect::Progress;
use undertone::inspect::quic::{Connection, Counters, Handshake, Refusal, Scratch, begins, gquic};

fn main() -> ExitCode {
    let Some(corpus) = std::env::var_os("UNDERTONE_CORPUS") else {
        println!("quic_corpus: NOT RUN, for UNDERTONE_CORPUS is not set");
        return ExitCode::SUCCESS;
    };
    let (mut listed, mut found, mut counters) = (0, 0, Counters::default());
    let (mut missed, mut versions) = (false, BTreeMap::new());
    for (capture, expected) in captures(Path::new(&corpus)) {
        let mut scratch = Scratch::new();
        let names = match names(Path::new(&capture), &mut scratch, &mut versions) {
            Ok(names) => names,
            Err(error) if expected.is_empty() => {
                println!("{capture}: {error}");
                continue;
            }
            Err(error) => panic!("{capture}: {error}"),
        };
        counters.merge(&scratch.counters);
        listed += expected.len();
        found += expected.intersection(&names).count();
        for name in expected.difference(&names) {
            println!("{capture}: missed {name:?}");
            missed = true;
        }
        for name in names.difference(&expected) {
            println!("{capture}: beyond the list {name:?}");
        }
    }
    println!(
        "quic_corpus: {found} of {listed} names; {} keys derived, {} Initials opened, {} hellos",
        counters.derived, counters.opened, counters.hellos
    );
    for (version, hellos) in versions {
        println!("  version {version:08x}: {hellos} hellos");
    }
    for why in Refusal::ALL.into_iter().filter(|why| counters.refused(*why) > 0) {
        println!("  {}: {}", why.as_str(), counters.refused(why));
    }
    if missed || listed == 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Source, destination, and the name that was asked for.
type Name = (IpAddr, u16, IpAddr, u16, String);

/// Each capture of the corpus, with the names that its list gives.
fn captures(corpus: &Path) -> Vec<(String, BTreeSet<Name>)> {
    let mut captures = Vec::new();
    for folder in std::fs::read_dir(corpus).unwrap().flatten() {
        let Ok(list) = std::fs::read_to_string(folder.path().join("names.jsonl")) else { continue };
        for line in list.lines() {
            let line = serde_json::from_str::<Value>(line).unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let names = line["names"].as_array().unwrap().iter().filter(|name| name["kind"] == "quic");
            let names = names.map(|name| {
                let address = |key: &str| text(&name[key]).parse().unwrap();
                let port = |key: &str| text(&name[key]).parse().unwrap();
                (address("src"), port("sport"), address("dst"), port("dport"), text(&name["name"]))
            });
            let path = folder.path().join(text(&line["capture"]));
            captures.push((path.display().to_string(), names.collect()));
        }
    }
    captures.sort();
    captures
}

/// The names that the QUIC of a capture has.
fn names(
    capture: &Path,
    scratch: &mut Scratch,
    versions: &mut BTreeMap<u32, u32>,
) -> Result<BTreeSet<Name>, pcap::Error> {
    let mut capture = pcap::Capture::from_file(capture)?;
    let link = capture.get_datalink().0;
    let (mut names, mut connections) = (BTreeSet::new(), HashMap::<_, Connection>::new());
    while let Ok(packet) = capture.next_packet() {
        let Some((flow, payload)) = datagram(link, packet.data) else { continue };
        if !begins(payload) && !connections.contains_key(&flow) {
            continue;
        }
        let connection = connections.entry(flow).or_default();
        if let Progress::Found(hello) = connection.push(payload, scratch) {
            *versions.entry(hello.version.0).or_default() += 1;
            let name = match hello.handshake {
                Handshake::Tls => server_name(hello.bytes),
                Handshake::Google => gquic::server_name(hello.bytes),
            };
            let (src, sport, dst, dport) = flow;
            let name =
                name.map_or_else(|| "(none)".into(), |name| String::from_utf8_lossy(name).into_owned());
            names.insert((src, sport, dst, dport, name));
        }
    }
    for (flow, connection) in connections.iter().filter(|(_, connection)| connection.is_unfinished()) {
        let there = connection.unfinished(scratch).map_or(0, |hello| hello.bytes.len());
        println!("unfinished with {there} bytes: {flow:?}");
    }
    Ok(names)
}

type Flow = (IpAddr, u16, IpAddr, u16);

/// The UDP datagram of a frame, by link type (<https://www.tcpdump.org/linktypes.html>).
fn datagram(link: i32, frame: &[u8]) -> Option<(Flow, &[u8])> {
    let packet = match link {
        0 => LaxSlicedPacket::from_ip(frame.get(4..)?),
        1 => return udp(LaxSlicedPacket::from_ethernet(frame).ok()?),
        9 => LaxSlicedPacket::from_ip(frame.get(if frame.starts_with(&[0xff, 3]) { 4 } else { 2 }..)?),
        12 | 101 => LaxSlicedPacket::from_ip(frame),
        113 => LaxSlicedPacket::from_ip(frame.get(16..)?),
        _ => return None,
    };
    udp(packet.ok()?)
}

fn udp(packet: LaxSlicedPacket<'_>) -> Option<(Flow, &[u8])> {
    let (src, dst): (IpAddr, IpAddr) = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        LaxNetSlice::Ipv6(ip) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        _ => return None,
    };
    let Some(TransportSlice::Udp(udp)) = packet.transport else { return None };
    Some(((src, udp.source_port(), dst, udp.destination_port()), udp.payload()))
}

/// The server name of a ClientHello (RFC 6066 section 3), read apart from the parser under test.
fn server_name(hello: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| Some(usize::from(u16::from_be_bytes([*hello.get(at)?, *hello.get(at + 1)?])));
    let session = 38 + 1 + usize::from(*hello.get(38)?);
    let ciphers = session + 2 + number(session)?;
    let mut at = ciphers + 1 + usize::from(*hello.get(ciphers)?) + 2;
    while at < hello.len() {
        let (kind, len) = (number(at)?, number(at + 2)?);
        if kind == 0 {
            return hello.get(at + 4 + 5..at + 4 + len);
        }
        at += 4 + len;
    }
    None
}
