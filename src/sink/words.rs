//! What records call things: names of DNS types, of ATT&CK techniques and tactics, and of the ways a name is seen.

use crate::flow::Protocol;
use crate::inspect::{Detail, Observation, SeenIn};

/// The name of a DNS type (IANA, Domain Name System Parameters); without one, `TYPE` and the number (RFC 3597 section 5).
pub(super) fn dns_type(number: u16) -> String {
    let name = match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        10 => "NULL",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        24 => "SIG",
        25 => "KEY",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        37 => "CERT",
        39 => "DNAME",
        41 => "OPT",
        43 => "DS",
        44 => "SSHFP",
        45 => "IPSECKEY",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        53 => "SMIMEA",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        62 => "CSYNC",
        63 => "ZONEMD",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        32_768 => "TA",
        32_769 => "DLV",
        _ => return format!("TYPE{number}"),
    };
    name.to_owned()
}

/// A version of TLS as people write it; the number where it has no name: a draft's, or one that is made up.
pub(super) fn tls_version(number: u16) -> String {
    let name = match number {
        0x0304 => "1.3",
        0x0303 => "1.2",
        0x0302 => "1.1",
        0x0301 => "1.0",
        0x0300 => "ssl-3.0",
        0xfefc => "dtls-1.3",
        0xfefd => "dtls-1.2",
        0xfeff => "dtls-1.0",
        _ => return format!("{number:#06x}"),
    };
    name.to_owned()
}

/// `network.protocol`: what carried the name, where that is known.
pub(super) fn protocol(observation: &Observation) -> Option<&'static str> {
    match &observation.detail {
        Detail::Derived(derived) if observation.seen_in == SeenIn::DnsAnswer && derived.hello.is_some() => {
            Some(if observation.flow.protocol == Protocol::TCP { "tls" } else { "quic" })
        }
        _ => protocol_of(observation.seen_in),
    }
}

/// The same of a place alone.
pub(super) const fn protocol_of(seen_in: SeenIn) -> Option<&'static str> {
    Some(match seen_in {
        SeenIn::DnsQuery | SeenIn::DnsResponse => "dns",
        SeenIn::DnsAnswer | SeenIn::Address => return None,
        SeenIn::TlsSni | SeenIn::TlsCertificate => "tls",
        SeenIn::QuicSni => "quic",
        SeenIn::DtlsSni => "dtls",
        SeenIn::HttpHost | SeenIn::HttpConnect => "http",
        SeenIn::Socks => "socks",
    })
}

/// What carried the name, as people write it.
pub(super) const fn carrier(seen_in: SeenIn) -> &'static str {
    match seen_in {
        SeenIn::DnsQuery | SeenIn::DnsResponse => "DNS",
        SeenIn::DnsAnswer | SeenIn::Address => "a connection without a name",
        SeenIn::TlsSni | SeenIn::TlsCertificate => "TLS",
        SeenIn::QuicSni => "QUIC",
        SeenIn::DtlsSni => "DTLS",
        SeenIn::HttpHost => "HTTP",
        SeenIn::HttpConnect => "an HTTP proxy",
        SeenIn::Socks => "a SOCKS proxy",
    }
}

/// The name of an ATT&CK technique or sub-technique; the id itself where the table has none.
pub(super) fn technique(id: &str) -> &str {
    match id {
        "T1016" => "System Network Configuration Discovery",
        "T1016.001" => "Internet Connection Discovery",
        "T1027" => "Obfuscated Files or Information",
        "T1036" => "Masquerading",
        "T1036.005" => "Match Legitimate Resource Name or Location",
        "T1041" => "Exfiltration Over C2 Channel",
        "T1048" => "Exfiltration Over Alternative Protocol",
        "T1059" => "Command and Scripting Interpreter",
        "T1059.001" => "PowerShell",
        "T1071" => "Application Layer Protocol",
        "T1071.001" => "Web Protocols",
        "T1071.004" => "DNS",
        "T1090" => "Proxy",
        "T1090.001" => "Internal Proxy",
        "T1090.002" => "External Proxy",
        "T1090.003" => "Multi-hop Proxy",
        "T1090.004" => "Domain Fronting",
        "T1102" => "Web Service",
        "T1102.001" => "Dead Drop Resolver",
        "T1102.002" => "Bidirectional Communication",
        "T1102.003" => "One-Way Communication",
        "T1105" => "Ingress Tool Transfer",
        "T1197" => "BITS Jobs",
        "T1218" => "System Binary Proxy Execution",
        "T1219" => "Remote Access Tools",
        "T1219.001" => "IDE Tunneling",
        "T1219.002" => "Remote Desktop Software",
        "T1496" => "Resource Hijacking",
        "T1567" => "Exfiltration Over Web Service",
        "T1567.001" => "Exfiltration to Code Repository",
        "T1567.002" => "Exfiltration to Cloud Storage",
        "T1567.003" => "Exfiltration to Text Storage Sites",
        "T1567.004" => "Exfiltration Over Webhook",
        "T1568" => "Dynamic Resolution",
        "T1568.001" => "Fast Flux DNS",
        "T1568.002" => "Domain Generation Algorithms",
        "T1572" => "Protocol Tunneling",
        _ => id,
    }
}

/// The ATT&CK tactic of a technique, as id and name.
pub(super) fn tactic(technique: &str) -> Option<(&'static str, &'static str)> {
    match technique {
        "T1016" => Some(("TA0007", "Discovery")),
        "T1027" | "T1036" | "T1197" | "T1218" => Some(("TA0005", "Defense Evasion")),
        "T1059" => Some(("TA0002", "Execution")),
        "T1041" | "T1048" | "T1567" => Some(("TA0010", "Exfiltration")),
        "T1071" | "T1090" | "T1102" | "T1105" | "T1219" | "T1568" | "T1572" => {
            Some(("TA0011", "Command and Control"))
        }
        "T1496" => Some(("TA0040", "Impact")),
        _ => None,
    }
}
