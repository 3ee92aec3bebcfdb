//! What each parser costs a message: `cargo bench --bench inspect`; of QUIC, `cargo bench --bench quic`.
//!
//! Beside the rows of undertone, what was measured of others on the machine on which their crates were chosen (nanoseconds a message, other
//! inputs, so an order of magnitude): a DNS question by an own walk 15, by dns-parser's header and name scan 26, by its `Packet::parse` 34,
//! by simple-dns 120, by hickory 670; a ClientHello of 315 and 1789 octets by an own walk 6 and 20, by tls-parser's fields with a loop over unknown
//! extensions 56 and 76, by its record and extension parsers 535 and 580; a QUIC Initial, keys and all, 1500.

#![allow(clippy::unwrap_used, missing_docs)]

use divan::{Bencher, black_box};
use undertone::hostname::NameBuf;
use undertone::inspect::{dns, dtls, http, proxy, socks, tls};

static CHROMIUM: &[u8] = include_bytes!("../tests/data/hellos/chromium-156.bin");
static OPENSSL: &[u8] = include_bytes!("../tests/data/hellos/openssl-3.0.bin");
static SERVER: &[u8] = include_bytes!("../tests/data/servers/openssl-3.0-tls12.bin");

/// A query of a browser: 40 octets, type HTTPS, EDNS.
static QUERY: &[u8] =
    b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01\x03www\x08pastebin\x03com\0\0\x41\0\x01\0\0\x29\x10\0\0\0\0\0\0\0";

/// Its label is not ASCII.
static QUERY_UTF8: &[u8] =
    b"\0\0\0\0\0\x01\0\0\0\0\0\0\x0bB\xc3\xbccherwurm\x05_http\x04_tcp\x05local\0\0\x0c\0\x01";

static REQUEST: &[u8] = b"GET /raw/abcdef HTTP/1.1\r\nUser-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64)\r\n\
    Accept: text/html,application/xhtml+xml\r\nAccept-Encoding: gzip, deflate\r\nHost: pastebin.com\r\nConnection: keep-alive\r\n\r\n";

static SOCKS: &[u8] = b"\x05\x01\x00\x05\x01\x00\x03\x10api.telegram.org\x01\xbb";

fn main() {
    divan::main();
}

/// Bytes in the middle of a stream, of which each `begins` has to say that it is nothing.
#[divan::bench(args = ["tls", "server", "http", "socks", "proxy", "dns", "dtls"])]
fn begins_refuses(bencher: Bencher<'_, '_>, protocol: &str) {
    let bulk: Vec<[u8; 64]> = (0..256u32)
        .map(|n| std::array::from_fn(|at| (n.wrapping_mul(2_654_435_761).rotate_left(at as u32) >> 7) as u8))
        .collect();
    let begins: fn(&[u8]) -> bool = match protocol {
        "tls" => |bytes| tls::begins(bytes) == undertone::inspect::Begins::No,
        "server" => |bytes| tls::begins_server(bytes) == undertone::inspect::Begins::No,
        "http" => |bytes| http::begins(bytes) == undertone::inspect::Begins::No,
        "socks" => |bytes| socks::begins(bytes) == undertone::inspect::Begins::No,
        "proxy" => |bytes| proxy::begins(bytes) == undertone::inspect::Begins::No,
        "dns" => |bytes| dns::begins(bytes) == undertone::inspect::Begins::No,
        _ => |bytes| !dtls::begins(bytes),
    };
    bencher
        .counter(divan::counter::ItemsCount::new(256usize))
        .bench_local(|| bulk.iter().filter(|bytes| begins(black_box(&bytes[..]))).count());
}

#[divan::bench(args = ["plain", "utf8"])]
fn dns_question(bencher: Bencher<'_, '_>, kind: &str) {
    let query = if kind == "plain" { QUERY } else { QUERY_UTF8 };
    let mut name = NameBuf::new();
    bencher.bench_local(|| {
        let message = dns::Message::parse(black_box(query)).unwrap();
        let mut types = 0;
        message.questions(&mut name, |name, qtype, _| types += usize::from(qtype.0) + name.len()).unwrap();
        types
    });
}

#[divan::bench]
fn dns_packet_parse_of_the_crate(bencher: Bencher<'_, '_>) {
    // It refuses type 65: an A query instead.
    let mut query = QUERY.to_vec();
    query[31] = 1;
    bencher.bench_local(|| dns_parser::Packet::parse(black_box(&query)).unwrap().questions.len());
}

#[divan::bench]
fn dns_answer_with_three_records(bencher: Bencher<'_, '_>) {
    let mut response = QUERY.split_at(QUERY.len() - 11).0.to_vec();
    response.splice(2..12, *b"\x81\x80\0\x01\0\x03\0\0\0\0");
    response.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03env\xc0\x10");
    response.extend(b"\xc0\x2e\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
    response.extend(b"\xc0\x2e\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x02");
    let (mut owner, mut target) = (NameBuf::new(), NameBuf::new());
    bencher.bench_local(|| {
        let message = dns::Message::parse(black_box(&response)).unwrap();
        let mut seconds = 0;
        let end = message.records(&mut owner, &mut target, |record| seconds += record.ttl);
        assert!(end.is_ok() && seconds == 180);
    });
}

/// What the Worker makes of a response: aliases followed, addresses kept.
#[divan::bench]
fn dns_answered(bencher: Bencher<'_, '_>) {
    let mut response = QUERY.split_at(QUERY.len() - 11).0.to_vec();
    response.splice(2..12, *b"\x81\x80\0\x01\0\x03\0\0\0\0");
    response.extend(b"\xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03env\xc0\x10");
    response.extend(b"\xc0\x2e\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
    response.extend(b"\xc0\x2e\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x02");
    let (mut owner, mut target, mut aliases) = (NameBuf::new(), NameBuf::new(), dns::Aliases::default());
    bencher.bench_local(|| {
        let message = dns::Message::parse(black_box(&response)).unwrap();
        message.answered("www.pastebin.com", &mut owner, &mut target, &mut aliases).addresses.len()
    });
}

/// A hello that is kept for later, against one that is worked out at once (`client_hello_facts`).
#[divan::bench]
fn client_hello_kept(bencher: Bencher<'_, '_>) {
    let mut joined = Vec::new();
    let hello = tls::client_hello(CHROMIUM, &mut joined).found().unwrap();
    bencher.bench_local(|| black_box(&hello).keep(tls::Over::Tcp));
}

#[divan::bench]
fn dtls_hello(bencher: Bencher<'_, '_>) {
    // The hello of Chromium in one fragment (RFC 6347 section 4.2.2).
    let body = CHROMIUM.split_at(9).1;
    let length = (body.len() as u32).to_be_bytes();
    let mut datagram = b"\x16\xfe\xfd\0\0\0\0\0\0\0\0".to_vec();
    datagram.extend((body.len() as u16 + 12).to_be_bytes());
    datagram.push(1);
    datagram.extend(&length[1..]);
    datagram.extend([0, 0, 0, 0, 0]);
    datagram.extend(&length[1..]);
    datagram.extend(body);
    bencher.bench_local(|| {
        let mut assembly = dtls::Assembly::default();
        let mut found = |part: dtls::Fragment<'_>| matches!(assembly.push(&part), dtls::Assembled::Found(_));
        dtls::fragments(black_box(&datagram)).filter(|part| found(*part)).count()
    });
}

#[divan::bench(args = ["one", "two"])]
fn proxy_header(bencher: Bencher<'_, '_>, version: &str) {
    let header: &[u8] = match version {
        "one" => b"PROXY TCP4 192.0.2.7 192.0.2.8 40000 443\r\n",
        _ => b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc0\x00\x02\x08\x9c\x40\x01\xbb",
    };
    bencher.bench_local(|| proxy::header(black_box(header)).found().unwrap().end);
}

#[divan::bench(args = ["openssl", "chromium"])]
fn client_hello(bencher: Bencher<'_, '_>, client: &str) {
    let stream = if client == "openssl" { OPENSSL } else { CHROMIUM };
    let mut joined = Vec::new();
    bencher.bench_local(|| {
        let hello = tls::client_hello(black_box(stream), &mut joined).found().unwrap();
        hello.server_name().map(<[u8]>::len)
    });
}

#[divan::bench]
fn client_hello_in_two_records(bencher: Bencher<'_, '_>) {
    let (mut stream, mut joined) = (vec![22, 3, 1, 3, 0xe8], Vec::new());
    let (head, tail) = CHROMIUM.split_at(5 + 1000);
    stream.extend(head.split_at(5).1);
    stream.extend([22, 3, 1]);
    stream.extend((tail.len() as u16).to_be_bytes());
    stream.extend(tail);
    bencher.bench_local(|| {
        let hello = tls::client_hello(black_box(&stream), &mut joined).found().unwrap();
        hello.server_name().map(<[u8]>::len)
    });
}

#[divan::bench]
fn client_hello_prefix(bencher: Bencher<'_, '_>) {
    let mut joined = Vec::new();
    let cut = CHROMIUM.split_at(1400).0;
    bencher.bench_local(|| tls::client_hello_prefix(black_box(cut), &mut joined).map(|hello| hello.whole));
}

#[divan::bench]
fn client_hello_facts(bencher: Bencher<'_, '_>) {
    let mut joined = Vec::new();
    let hello = tls::client_hello(CHROMIUM, &mut joined).found().unwrap();
    bencher.bench_local(|| black_box(&hello).facts(tls::Over::Tcp));
}

#[divan::bench]
fn server_certificate(bencher: Bencher<'_, '_>) {
    let mut joined = Vec::new();
    bencher.bench_local(|| {
        let certificate = tls::certificate(black_box(SERVER), &mut joined).found().unwrap();
        certificate.dns_names().count()
    });
}

#[divan::bench]
fn http_request(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| http::request(black_box(REQUEST)).found().unwrap().end);
}

#[divan::bench]
fn socks_request(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| socks::request(black_box(SOCKS)).found().unwrap().end);
}
