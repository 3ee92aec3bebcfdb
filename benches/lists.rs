//! Lookup time by size of the lists, and the time and memory that loading them takes.
//!
//! The hostnames are made up with the measures of real ones: 24 bytes in the mean, 4 % below a listed suffix, 1 % that only look so.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]

use std::fmt::Write;
use std::hint::black_box;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher};
use undertone::lists::{Builder, Lists};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

const SIZES: [usize; 3] = [1_000, 100_000, 1_000_000];

/// Hostnames asked in one round.
const HOSTNAMES: usize = 20_000;

#[divan::bench(args = SIZES)]
fn lookup(bencher: Bencher<'_, '_>, size: usize) {
    let suffixes = suffixes(size);
    let mut builder = Builder::new();
    assert!(builder.add("list", suffixes.join("\n")).is_empty());
    bench_lookup(bencher, &builder.build(), &suffixes);
}

#[divan::bench]
fn lookup_builtin(bencher: Bencher<'_, '_>) {
    let lists = Lists::builtin();
    let mut suffixes: Vec<_> = lists.entries().map(|entry| entry.suffix.to_string()).collect();
    suffixes.sort();
    bench_lookup(bencher, &lists, &suffixes);
}

fn bench_lookup(bencher: Bencher<'_, '_>, lists: &Lists, suffixes: &[String]) {
    let hostnames = hostnames(suffixes);
    bencher
        .counter(ItemsCount::new(hostnames.len()))
        .bench_local(|| hostnames.iter().filter(|name| lists.lookup(black_box(name)).is_some()).count());
}

#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn load(bencher: Bencher<'_, '_>, size: usize) {
    let text = suffixes(size).join("\n");
    bencher.counter(ItemsCount::new(size)).bench_local(|| {
        let mut builder = Builder::new();
        assert!(builder.add("list", black_box(&text)).is_empty());
        builder.build()
    });
}

#[divan::bench]
fn load_builtin() -> Lists {
    Lists::builtin()
}

/// Suffixes with two or three labels.
fn suffixes(count: usize) -> Vec<String> {
    let mut random = Random(1);
    (0..count)
        .map(|nth| {
            let mut name = String::new();
            if nth % 3 == 0 {
                write!(name, "{}.", random.label(3, 8)).unwrap();
            }
            // The number makes each one different.
            write!(name, "{}{nth}.{}", random.label(3, 10), random.of(&["com", "net", "org", "io", "co.uk"]))
                .unwrap();
            name
        })
        .collect()
}

fn hostnames(suffixes: &[String]) -> Vec<String> {
    let mut random = Random(2);
    (0..HOSTNAMES)
        .map(|nth| match nth % 100 {
            0..4 => format!("{}.{}", random.label(3, 8), random.of(suffixes)),
            4 => format!("evil{}", random.of(suffixes)),
            _ => format!(
                "{}.{}.{}.{}",
                random.of(&["www", "api", "cdn", "static"]),
                random.label(3, 8),
                random.label(4, 12),
                random.of(&["com", "net", "org", "io", "co.uk"])
            ),
        })
        .collect()
}

/// A small generator, the same on every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % end
    }

    fn label(&mut self, from: usize, to: usize) -> String {
        let length = from + self.below(to - from);
        (0..length).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }

    fn of<'a, T>(&mut self, values: &'a [T]) -> &'a T {
        values.get(self.below(values.len())).unwrap()
    }
}
