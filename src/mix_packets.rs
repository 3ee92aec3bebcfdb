//! The packets of a synthetic mix: frames of Ethernet, whole and with right checksums, and the messages in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The most bytes asked of [`Random::bytes`], and those it takes them from.
const POOL: usize = 1 << 16;

/// Numbers that a seed decides (splitmix64), and bytes that look like encrypted ones.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
    pool: std::sync::Arc<[u8]>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self { state: seed, pool: std::sync::Arc::default() };
        random.pool = (0..2 * POOL / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        random
    }

    pub(crate) const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `end`.
    pub(crate) const fn below(&mut self, end: u64) -> u64 {
        ((self.next() as u128 * end as u128) >> 64) as u64
    }

    /// One of several words.
    pub(crate) fn of<'v>(&mut self, words: &[&'v str]) -> &'v str {
        words.get(self.below(words.len() as u64) as usize).copied().unwrap_or_default()
    }

    /// So many bytes, and up to `more` further ones.
    pub(crate) fn up_to(&mut self, least: u64, more: u64) -> Vec<u8> {
        let count = least + self.below(more);
        self.bytes(count as usize)
    }

    /// So many bytes, at most 64 KiB.
    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        let from = self.below(POOL as u64) as usize;
        self.pool.get(from..from + count.min(POOL)).unwrap_or_default().to_vec()
    }
}

/// One end of a conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party {
    ip: IpAddr,
    port: u16,
    mac: [u8; 6],
}

impl Party {
    /// One of the office's clients.
    pub(crate) const fn client(number: u64, ipv6: bool, port: u16) -> Self {
        let [.., high, low] = (number as u16).to_be_bytes();
        Self { ip: address(0x0a14_0000 + number as u32 + 100, ipv6), port, mac: [2, 0, 0, 0, high, low] }
    }

    /// One of the servers outside, behind the office's router: 198.18.0.0/15 is for benchmarks (RFC 2544).
    pub(crate) const fn server(number: u64, ipv6: bool) -> Self {
        Self { ip: address(0xc612_0000 + number as u32, ipv6), port: 443, mac: ROUTER }
    }

    /// The office's resolver.
    pub(crate) const fn resolver() -> Self {
        Self { ip: address(0x0a14_0035, false), port: 53, mac: [2, 0, 0, 0, 0xff, 53] }
    }
}

const ROUTER: [u8; 6] = [2, 0, 0, 0, 0xff, 1];

const fn address(number: u32, ipv6: bool) -> IpAddr {
    if ipv6 {
        // 2001:db8::/32 is for documentation (RFC 3849).
        IpAddr::V6(Ipv6Addr::from_bits(0x2001_0db8 << 96 | number as u128))
    } else {
        IpAddr::V4(Ipv4Addr::from_bits(number))
    }
}

/// A frame with a UDP datagram.
pub(crate) fn udp(from: &Party, to: &Party, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() + 8) as u16;
    let mut header = Vec::with_capacity(8);
    for half in [from.port, to.port, length, 0] {
        header.extend(half.to_be_bytes());
    }
    frame(from, to, 17, header, 6, payload)
}

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const PSH: u8 = 8;
pub(crate) const ACK: u8 = 16;

/// A TCP connection: whoever sends, the numbers follow.
pub(crate) struct TcpTalk {
    ends: [Party; 2],
    next: [u32; 2],
}

impl TcpTalk {
    pub(crate) fn new(client: Party, server: Party, random: &mut Random) -> Self {
        Self { ends: [client, server], next: [random.next() as u32, random.next() as u32] }
    }

    /// A segment of the client's.
    pub(crate) fn up(&mut self, flags: u8, payload: &[u8]) -> Vec<u8> {
        let ([client, server], [own, other]) = (self.ends, self.next);
        let frame = segment(&client, &server, own, other, flags, payload);
        self.next = [own.wrapping_add(occupies(flags, payload)), other];
        frame
    }

    /// A segment of the server's.
    pub(crate) fn down(&mut self, flags: u8, payload: &[u8]) -> Vec<u8> {
        let ([client, server], [other, own]) = (self.ends, self.next);
        let frame = segment(&server, &client, own, other, flags, payload);
        self.next = [other, own.wrapping_add(occupies(flags, payload))];
        frame
    }
}

/// How many sequence numbers a segment takes.
const fn occupies(flags: u8, payload: &[u8]) -> u32 {
    payload.len() as u32 + (flags & (SYN | FIN) != 0) as u32
}

fn segment(from: &Party, to: &Party, seq: u32, ack: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(24);
    header.extend(from.port.to_be_bytes());
    header.extend(to.port.to_be_bytes());
    header.extend(seq.to_be_bytes());
    header.extend(if flags & ACK != 0 { ack } else { 0 }.to_be_bytes());
    let syn = flags & SYN != 0;
    header.extend([if syn { 0x60 } else { 0x50 }, flags, 0xfa, 0xf0, 0, 0, 0, 0]);
    if syn {
        // The longest segment: 1460.
        header.extend([2, 4, 5, 0xb4]);
    }
    frame(from, to, 6, header, 16, payload)
}

/// A frame with an IP packet; the checksum of `header` is at `checksum_at` and covers everything.
fn frame(
    from: &Party,
    to: &Party,
    protocol: u8,
    mut header: Vec<u8>,
    checksum_at: usize,
    payload: &[u8],
) -> Vec<u8> {
    let length = (header.len() + payload.len()) as u16;
    let mut frame = Vec::with_capacity(14 + 40 + usize::from(length));
    frame.extend(to.mac);
    frame.extend(from.mac);
    let pseudo = match (from.ip, to.ip) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            frame.extend([8, 0]);
            let [high, low] = (length + 20).to_be_bytes();
            let [id_high, id_low] = (length ^ from.port).to_be_bytes();
            let mut ip =
                [0x45, 0, high, low, id_high, id_low, 0x40, 0, 64, protocol, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            let addresses = [src.octets(), dst.octets()];
            for (to, octet) in ip.iter_mut().skip(12).zip(addresses.as_flattened()) {
                *to = *octet;
            }
            let [high, low] = checksum(sum(&ip)).to_be_bytes();
            for (to, octet) in ip.iter_mut().skip(10).zip([high, low]) {
                *to = octet;
            }
            frame.extend(ip);
            sum(addresses.as_flattened())
        }
        (src, dst) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(length.to_be_bytes());
            frame.extend([protocol, 64]);
            let mut total = 0;
            for ip in [src, dst] {
                if let IpAddr::V6(ip) = ip {
                    frame.extend(ip.octets());
                    total += sum(&ip.octets());
                }
            }
            total
        }
    };
    let total = pseudo + u64::from(protocol) + u64::from(length) + sum(&header) + sum(payload);
    for (to, octet) in header.iter_mut().skip(checksum_at).zip(checksum(total).to_be_bytes()) {
        *to = octet;
    }
    frame.extend(header);
    frame.extend(payload);
    frame
}

/// The sum of 16-bit words (RFC 1071), not yet folded.
fn sum(bytes: &[u8]) -> u64 {
    let words = bytes.chunks_exact(2);
    let last = words.remainder().first().map_or(0, |last| u64::from(*last) << 8);
    words.fold(last, |sum, word| match word {
        [high, low] => sum + u64::from(u16::from_be_bytes([*high, *low])),
        _ => sum,
    })
}

const fn checksum(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A query for a name, as a browser's: with EDNS.
pub(crate) fn query(id: u16, name: &str, qtype: u16) -> Vec<u8> {
    let mut message = head(id, 0x0100, [1, 0, 0, 1]);
    question(&mut message, name, qtype);
    message.extend(OPT);
    message
}

/// The answer to it: addresses, in three of four behind an alias; for type 65 nothing, or the address of whom to ask.
pub(crate) fn answer(id: u16, name: &str, qtype: u16, server: u64, kind: u64) -> Vec<u8> {
    if qtype != 1 {
        let mut message = head(id, 0x8180, [1, 0, 1, 1]);
        question(&mut message, name, qtype);
        // SOA of the name itself: two names, which are the question's, and five numbers.
        message.extend([0xc0, 12, 0, 6, 0, 1, 0, 0, 3, 0x84, 0, 24, 0xc0, 12, 0xc0, 12]);
        message.extend([0; 20]);
        message.extend(OPT);
        return message;
    }
    let addresses = 1 + (kind as u16 & 1);
    let alias = kind > 0;
    let mut message = head(id, 0x8180, [1, addresses + u16::from(alias), 0, 1]);
    question(&mut message, name, qtype);
    let mut owner = [0xc0, 12];
    if alias {
        // Two labels before the name of the question.
        message.extend([0xc0, 12, 0, 5, 0, 1, 0, 0, 1, 0x2c, 0, 11]);
        owner = (message.len() as u16 | 0xc000).to_be_bytes();
        message.extend(b"\x04edge\x03cdn\xc0\x0c");
    }
    for nth in 0..addresses {
        message.extend(owner);
        message.extend([0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        message.extend((0xc612_0000 + (server as u32 + u32::from(nth)) % (1 << 16)).to_be_bytes());
    }
    message.extend(OPT);
    message
}

/// EDNS(0), 1232 octets (RFC 6891).
const OPT: [u8; 11] = [0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, 0];

fn head(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [id, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect()
}

fn question(message: &mut Vec<u8>, name: &str, qtype: u16) {
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(qtype.to_be_bytes());
    message.extend([0, 1]);
}

/// A ClientHello as browsers send it, the extensions in any order; a large one has a key share of ML-KEM-768.
pub(crate) fn client_hello(random: &mut Random, name: &str, large: bool, quic: bool) -> Vec<u8> {
    let extension =
        |kind: u16, body: &[u8]| [&kind.to_be_bytes()[..], &(body.len() as u16).to_be_bytes(), body].concat();
    let sized = |body: &[u8]| [&(body.len() as u16).to_be_bytes()[..], body].concat();
    let share =
        |group: u16, key: &[u8]| [&group.to_be_bytes()[..], &(key.len() as u16).to_be_bytes(), key].concat();
    let mut shares = Vec::new();
    if large {
        shares.extend(share(0x11ec, &random.bytes(1216)));
    }
    shares.extend(share(0x001d, &random.bytes(32)));
    let host = [&[0][..], &sized(name.as_bytes())].concat();
    let alpn: &[u8] = if quic { b"\x02h3" } else { b"\x02h2\x08http/1.1" };
    let mut extensions = vec![
        extension(0, &sized(&host)),
        extension(10, &sized(&[0x11, 0xec, 0, 0x1d, 0, 0x17, 0, 0x18])),
        extension(13, &sized(&[4, 3, 8, 4, 4, 1, 5, 3, 8, 5, 5, 1, 8, 6, 6, 1])),
        extension(16, &sized(alpn)),
        extension(43, &[4, 3, 4, 3, 3]),
        extension(45, &[1, 1]),
        extension(51, &sized(&shares)),
        extension(27, &[2, 0, 2]),
    ];
    if quic {
        extensions.push(extension(57, &random.bytes(90)));
    } else {
        extensions.extend([
            extension(23, &[]),
            extension(35, &[]),
            extension(11, &[1, 0]),
            extension(5, &[1, 0, 0, 0, 0]),
        ]);
    }
    // Encrypted Client Hello as GREASE (RFC 9849).
    extensions.push(extension(0xfe0d, &random.bytes(186)));
    for last in (1..extensions.len()).rev() {
        extensions.swap(last, random.below(last as u64 + 1) as usize);
    }
    let mut body = vec![3, 3];
    body.extend(random.bytes(32));
    let session: usize = if quic { 0 } else { 32 };
    body.push(session as u8);
    body.extend(random.bytes(session));
    body.extend(sized(&[
        0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0xcc, 0xa9, 0xcc, 0xa8,
        0xc0, 0x13, 0xc0, 0x14, 0, 0x9c, 0, 0x9d, 0, 0x2f, 0, 0x35,
    ]));
    body.extend([1, 0]);
    body.extend(sized(&extensions.concat()));
    let [_, high, middle, low] = (body.len() as u32).to_be_bytes();
    [&[1, high, middle, low][..], &body].concat()
}

/// A part of a hello at `offset`, in CRYPTO frames out of order, as Chrome sends it (RFC 9000 section 19.6).
pub(crate) fn crypto(random: &mut Random, offset: usize, part: &[u8]) -> Vec<u8> {
    let varint = |value: usize| (value as u16 | 0x4000).to_be_bytes();
    let piece = part.len() / (1 + random.below(4) as usize) + 1;
    let mut frames: Vec<Vec<u8>> = part
        .chunks(piece)
        .enumerate()
        .map(|(nth, data)| [&[6][..], &varint(offset + nth * piece), &varint(data.len()), data].concat())
        .collect();
    for last in (1..frames.len()).rev() {
        frames.swap(last, random.below(last as u64 + 1) as usize);
    }
    frames.concat()
}
