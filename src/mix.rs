//! A synthetic office mix: the capture that is measured where there is none, and that anybody can make again.
//!
//! Clients ask DNS for a name (twice, as browsers do: the address and type 65), are answered, and connect: over TCP with a ClientHello
//! of the size of before or of that with ML-KEM, in one or two segments, or over QUIC with Initials that are really sealed; then data
//! flow, and acknowledgements. Some sixty conversations go on at once. A number decides everything: the same seed gives the same bytes.

use std::collections::VecDeque;
use std::io::{self, Write};

use crate::cli::Shape;
use crate::inspect::quic::Sealer;
use crate::mix_packets::{
    ACK, FIN, PSH, Party, Random, SYN, TcpTalk, answer, client_hello, crypto, query, udp,
};

/// A mix to be made.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// What there is most of.
    pub shape: Shape,
    /// What decides everything else.
    pub seed: u64,
    /// How many TLS and QUIC connections, each with two DNS queries and their answers; or the usual number.
    pub connections: Option<u32>,
    /// How many names of a hundred are listed ones.
    pub hits: u8,
}

/// What was made.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Made {
    /// Frames.
    pub packets: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// DNS queries; each has its answer.
    pub queries: u64,
    /// ClientHellos over TCP.
    pub hellos: u64,
    /// QUIC connections.
    pub quic: u64,
}

/// Connections of the mixes that figures are given of, and how many of them are QUIC: 1.31 million packets and 1.07 GB of bulk,
/// 0.78 million packets and 0.21 GB of handshakes.
const fn usual(shape: Shape) -> (u64, u64) {
    match shape {
        Shape::Bulk => (24_000, 4_784),
        Shape::Handshake => (60_000, 12_040),
    }
}

/// Conversations that go on at once.
const AT_ONCE: usize = 64;

/// Names that the built-in lists know, and those of which a network has most.
const LISTED: [&str; 24] = [
    "api.dropboxapi.com",
    "content.dropboxapi.com",
    "pastebin.com",
    "raw.githubusercontent.com",
    "api.github.com",
    "gist.github.com",
    "api.telegram.org",
    "t.me",
    "discord.com",
    "cdn.discordapp.com",
    "gateway.discord.gg",
    "graph.microsoft.com",
    "onedrive.live.com",
    "contoso.sharepoint.com",
    "www.googleapis.com",
    "drive.google.com",
    "docs.google.com",
    "slack.com",
    "hooks.slack.com",
    "api.notion.com",
    "transfer.sh",
    "webhook.site",
    "api.trello.com",
    "bit.ly",
];

/// Names that no list knows: so many differ.
const MADE_UP: usize = 20_000;

/// Clients of the office.
const CLIENTS: u64 = 500;

/// When the mix begins: 2026-11-20T08:00:00Z in nanoseconds.
const BEGIN: u64 = 1_795_161_600_000_000_000;

impl Mix {
    /// Writes the mix as a pcap file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<Made> {
        let mut maker = Maker::new(*self);
        let mut clock = BEGIN;
        // Nanoseconds, little-endian, Ethernet.
        let head = [0xa1b2_3c4d, 0x0004_0002, 0, 0, 262_144, 1];
        let head: Vec<u8> = head.into_iter().flat_map(u32::to_le_bytes).collect();
        out.write_all(&head)?;
        maker.made.bytes = head.len() as u64;
        let mut talks: Vec<VecDeque<Vec<u8>>> = (0..AT_ONCE).filter_map(|_| maker.next()).collect();
        while !talks.is_empty() {
            let turn = maker.random.below(talks.len() as u64) as usize;
            let Some(talk) = talks.get_mut(turn) else { break };
            // A few packets follow one another, as a sender's do.
            for _ in 0..=maker.random.below(3) {
                let Some(frame) = talk.pop_front() else { break };
                clock += 200 + maker.random.below(4_000);
                let length = frame.len() as u32;
                let words = [(clock / 1_000_000_000) as u32, (clock % 1_000_000_000) as u32, length, length];
                let mut record = [0; 16];
                for (to, word) in record.chunks_exact_mut(4).zip(words) {
                    to.copy_from_slice(&word.to_le_bytes());
                }
                out.write_all(&record)?;
                out.write_all(&frame)?;
                maker.made.packets += 1;
                maker.made.bytes += 16 + frame.len() as u64;
            }
            if talk.is_empty() {
                match maker.next() {
                    Some(next) => *talk = next,
                    None => drop(talks.swap_remove(turn)),
                }
            }
        }
        Ok(maker.made)
    }
}

/// Makes one conversation after the other.
struct Maker {
    mix: Mix,
    random: Random,
    names: Vec<String>,
    begun: u64,
    sealer: Sealer,
    made: Made,
}

impl Maker {
    fn new(mix: Mix) -> Self {
        let mut random = Random::new(mix.seed);
        let names = (0..MADE_UP).map(|_| made_up(&mut random)).collect();
        Self { mix, random, names, begun: 0, sealer: Sealer::new(), made: Made::default() }
    }

    /// The frames of the next connection, from the question for its server's address on.
    fn next(&mut self) -> Option<VecDeque<Vec<u8>>> {
        let (all, quic) = usual(self.mix.shape);
        if self.begun == self.mix.connections.map_or(all, u64::from) {
            return None;
        }
        // QUIC is spread evenly, so that its share is exact in a mix of the usual size.
        let is_quic = (self.begun + 1) * quic / all > self.begun * quic / all;
        self.begun += 1;

        let random = &mut self.random;
        let client = random.below(CLIENTS);
        let name = if random.below(100) < u64::from(self.mix.hits) {
            random.of(&LISTED).to_owned()
        } else {
            // The smaller of two: some names are asked for far more often than others.
            let nth = random.below(MADE_UP as u64).min(random.below(MADE_UP as u64));
            self.names.get(nth as usize).cloned().unwrap_or_default()
        };
        let ipv6 = random.below(10) == 0;
        let server = random.below(1 << 16);
        let mut frames = VecDeque::new();
        self.resolve(client, server, &name, &mut frames);
        let (from, to) =
            (Party::client(client, ipv6, random_port(&mut self.random)), Party::server(server, ipv6));
        if is_quic {
            self.quic(from, to, &name, &mut frames);
        } else {
            self.tls(from, to, &name, &mut frames);
        }
        Some(frames)
    }

    fn resolve(&mut self, client: u64, server: u64, name: &str, frames: &mut VecDeque<Vec<u8>>) {
        let resolver = Party::resolver();
        for qtype in [1, 65] {
            let asking = Party::client(client, false, random_port(&mut self.random));
            let id = self.random.next() as u16;
            frames.push_back(udp(&asking, &resolver, &query(id, name, qtype)));
            frames.push_back(udp(&resolver, &asking, &answer(id, name, qtype, server, self.random.below(4))));
            self.made.queries += 1;
        }
    }

    fn tls(&mut self, client: Party, server: Party, name: &str, frames: &mut VecDeque<Vec<u8>>) {
        /// What a segment carries over Ethernet behind a tunnel of the office's provider.
        const SEGMENT: usize = 1_430;
        self.made.hellos += 1;
        let large = self.random.below(100) < 50;
        let hello = client_hello(&mut self.random, name, large, false);
        let length = hello.len() as u16;
        let record: Vec<u8> = [&[0x16, 3, 1][..], &length.to_be_bytes(), &hello].concat();
        let (data, up) = self.amount();
        let random = &mut self.random;
        let mut talk = TcpTalk::new(client, server, random);
        frames.push_back(talk.up(SYN, &[]));
        frames.push_back(talk.down(SYN | ACK, &[]));
        frames.push_back(talk.up(ACK, &[]));
        frames.extend(record.chunks(SEGMENT).map(|part| talk.up(ACK | PSH, part)));
        let rest = match self.mix.shape {
            Shape::Bulk => 1_200,
            Shape::Handshake => 100,
        };
        // The server's flight: its hello, and what is encrypted.
        let flight = match self.mix.shape {
            Shape::Bulk => 2 * SEGMENT,
            Shape::Handshake => 120 + random.below(200) as usize,
        };
        let mut bytes = random.bytes(flight);
        bytes.splice(..6, [0x16, 3, 3, 0, 0x7a, 2]);
        frames.extend(bytes.chunks(SEGMENT).map(|part| talk.down(ACK | PSH, part)));
        let mut last = random.bytes(64);
        last.splice(..9, [0x14, 3, 3, 0, 1, 1, 0x17, 3, 3]);
        frames.push_back(talk.up(ACK | PSH, &last));
        for nth in 0..data {
            if nth % 10 == up % 10 {
                let mut request = random.up_to(100, 400);
                request.splice(..3, [0x17, 3, 3]);
                frames.push_back(talk.up(ACK | PSH, &request));
            }
            let mut part = if nth + 1 == data { random.up_to(100, rest) } else { random.bytes(SEGMENT) };
            // A record of 16 KiB begins with every eleventh segment or so.
            if nth % 11 == 0 {
                part.splice(..5, [0x17, 3, 3, 0x40, 0x11]);
            }
            frames.push_back(talk.down(ACK, &part));
            if nth % 2 == 1 {
                frames.push_back(talk.up(ACK, &[]));
            }
        }
        frames.push_back(talk.up(ACK | FIN, &[]));
        frames.push_back(talk.down(ACK | FIN, &[]));
        if self.mix.shape == Shape::Bulk {
            frames.push_back(talk.up(ACK, &[]));
        }
    }

    fn quic(&mut self, client: Party, server: Party, name: &str, frames: &mut VecDeque<Vec<u8>>) {
        /// A datagram of the first flight, as browsers pad it.
        const FIRST: u16 = 1_250;
        /// Bytes of the hello in one Initial.
        const PART: usize = 1_100;
        self.made.quic += 1;
        let (data, up) = self.amount();
        let rest = match self.mix.shape {
            Shape::Bulk => 1_100,
            Shape::Handshake => 100,
        };
        let random = &mut self.random;
        let large = random.below(100) < 50;
        let hello = client_hello(random, name, large, true);
        let id = random.next().to_be_bytes();
        for (number, part) in hello.chunks(PART).enumerate() {
            let sealed = self.sealer.initial(&id, number as u16, crypto(random, number * PART, part), FIRST);
            frames.push_back(udp(&client, &server, &sealed));
        }
        // The server's Initial and Handshake packets: nothing that is read.
        let long = |first: u8, random: &mut Random, length: usize| {
            let mut bytes = random.bytes(length);
            bytes.splice(..6, [first, 0, 0, 0, 1, 0]);
            bytes
        };
        frames.push_back(udp(&server, &client, &long(0xe1, random, 1_250)));
        frames.push_back(udp(&client, &server, &long(0xe0, random, 120)));
        for nth in 0..data.max(1) {
            let mut part = if nth + 1 >= data { random.up_to(100, rest) } else { random.bytes(1_252) };
            part.splice(..1, [0x43]);
            frames.push_back(udp(&server, &client, &part));
            if nth % 2 == up % 2 {
                let mut acknowledged = random.bytes(35);
                acknowledged.splice(..1, [0x41]);
                frames.push_back(udp(&client, &server, &acknowledged));
            }
        }
    }

    /// How many datagrams or segments of data come down, and a number that says where something goes up.
    fn amount(&mut self) -> (u64, u64) {
        let random = &mut self.random;
        let data = match self.mix.shape {
            // A page is small, a download is not: one in eight is ten times as long.
            Shape::Bulk if random.below(8) == 0 => 60 + random.below(152),
            Shape::Bulk => 1 + random.below(20),
            Shape::Handshake => random.below(3),
        };
        (data, random.below(16))
    }
}

/// A name of two to four labels, with the measures of real ones.
fn made_up(random: &mut Random) -> String {
    let front = random.of(&["www", "api", "cdn", "static", "img", "login", "assets", "edge"]).to_owned();
    let label = |random: &mut Random, least: u64, most: u64| -> String {
        let length = least + random.below(most - least + 1);
        (0..length).map(|_| char::from(b'a' + random.below(26) as u8)).collect()
    };
    let (host, domain) = (label(random, 3, 8), label(random, 4, 12));
    let top = random.of(&["com", "com", "com", "net", "org", "io", "example", "co.uk"]);
    match random.below(3) {
        0 => format!("{domain}.{top}"),
        1 => format!("{front}.{domain}.{top}"),
        _ => format!("{host}.{front}.{domain}.{top}"),
    }
}

fn random_port(random: &mut Random) -> u16 {
    (49_152 + random.below(16_384)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(mix: Mix) -> (Made, Vec<u8>) {
        let mut file = Vec::new();
        let made = mix.write(&mut file).unwrap();
        assert_eq!(made.bytes, file.len() as u64);
        (made, file)
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        for (shape, digest) in [(Shape::Bulk, BULK), (Shape::Handshake, HANDSHAKE)] {
            let mix = Mix { shape, seed: 1, connections: Some(100), hits: 4 };
            let (counted, file) = made(mix);
            assert_eq!((counted.queries, counted.hellos + counted.quic), (200, 100));
            let found = ring::digest::digest(&ring::digest::SHA256, &file);
            let found: String = found.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(found, digest, "{shape:?}: figures are given of what this makes");
            assert_ne!(made(Mix { seed: 2, ..mix }).1, file);
        }
    }

    /// The first octets of SHA-256 of the first hundred connections.
    const BULK: &str = "6433acabb2b03aa8";
    const HANDSHAKE: &str = "dc29265c175a7a87";
}
