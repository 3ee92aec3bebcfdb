//! What QUIC costs a datagram: the Initials of RFC 9001 and RFC 9369 (1200 bytes, one CRYPTO frame), and
//! datagrams that are none.

use divan::{Bencher, black_box};
use undertone::inspect::Progress;
use undertone::inspect::quic::{Connection, Scratch, begins};

#[path = "../src/inspect/quic/vectors.rs"]
#[allow(dead_code)]
mod vectors;

fn main() {
    divan::main();
}

/// From the first datagram to the whole hello: keys, header protection, AES-128-GCM, frames, assembly.
#[divan::bench(args = ["v1", "v2"])]
fn hello_from_one_initial(bencher: Bencher<'_, '_>, version: &str) {
    let datagram = vectors::unhex(if version == "v1" { vectors::V1_CLIENT } else { vectors::V2_CLIENT });
    let mut scratch = Scratch::new();
    bencher.bench_local(|| {
        let mut connection = Connection::new();
        matches!(connection.push(black_box(&datagram), &mut scratch), Progress::Found(_))
    });
}

/// What a flood costs: an Initial that its own keys do not open.
#[divan::bench]
fn initial_that_does_not_open(bencher: Bencher<'_, '_>) {
    let mut datagram = vectors::unhex(vectors::V1_CLIENT);
    if let Some(last) = datagram.last_mut() {
        *last ^= 1;
    }
    let mut scratch = Scratch::new();
    bencher.bench_local(|| Connection::new().push(black_box(&datagram), &mut scratch) == Progress::NotThis);
}

/// A further Initial after the hello was found.
#[divan::bench]
fn initial_after_the_hello(bencher: Bencher<'_, '_>) {
    let datagram = vectors::unhex(vectors::V1_CLIENT);
    let (mut connection, mut scratch) = (Connection::new(), Scratch::new());
    black_box(connection.push(&datagram, &mut scratch));
    bencher.bench_local(|| connection.push(black_box(&datagram), &mut scratch) == Progress::NotThis);
}

/// The question that every UDP datagram is asked.
#[divan::bench(args = ["initial", "dns", "rtp", "short header"])]
fn does_it_begin(bencher: Bencher<'_, '_>, kind: &str) {
    let datagram = match kind {
        "initial" => vectors::unhex(vectors::V1_CLIENT),
        "dns" => b"\xc0\x11\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01".to_vec(),
        "rtp" => [&[0x80, 0x60][..], &[0x55; 170]].concat(),
        _ => vec![0x41; 1200],
    };
    bencher.bench_local(|| begins(black_box(&datagram)));
}
