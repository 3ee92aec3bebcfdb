//! Reading a capture that is in memory: cutting it, and walking over its frames.

use std::hint::black_box;
use std::io::Cursor;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use undertone::capture::savefile::{Chunk, Cutter};

/// Bytes of the captures made here: a chunk that stays in the second-level cache.
const SMALL: usize = 256 * 1024;
/// Bytes of a file of many chunks.
const LARGE: usize = 64 << 20;
const CHUNK: usize = 2 << 20;

const FRAME_LENS: [usize; 3] = [64, 300, 900];

fn main() {
    divan::main();
}

/// Walks over the frames of a chunk of pcap, adding up what they say.
#[divan::bench(args = FRAME_LENS)]
fn frames_of_pcap(bencher: Bencher<'_, '_>, frame_len: usize) {
    frames(bencher, &pcap(frame_len, SMALL));
}

/// The same of pcapng.
#[divan::bench(args = FRAME_LENS)]
fn frames_of_pcapng(bencher: Bencher<'_, '_>, frame_len: usize) {
    frames(bencher, &pcapng(frame_len, SMALL));
}

/// Cuts a file into chunks and looks at no frame: what is done under the lock.
#[divan::bench(args = FRAME_LENS)]
fn cut_pcap(bencher: Bencher<'_, '_>, frame_len: usize) {
    let file: &'static [u8] = pcap(frame_len, LARGE).leak();
    let mut buffer = Vec::new();
    bencher.counter(ItemsCount::new(LARGE / (frame_len + 16))).counter(BytesCount::new(LARGE)).bench_local(
        || {
            let mut frames = 0;
            let mut cutter = Cutter::new(Box::new(Cursor::new(file)), CHUNK).expect("a capture");
            while let Some(chunk) = cutter.next(std::mem::take(&mut buffer)) {
                frames += chunk.len();
                buffer = chunk.into_buffer();
            }
            frames
        },
    );
}

/// Cuts a file and walks over the frames.
#[divan::bench(args = FRAME_LENS)]
fn cut_and_frames_of_pcap(bencher: Bencher<'_, '_>, frame_len: usize) {
    let file: &'static [u8] = pcap(frame_len, LARGE).leak();
    let mut buffer = Vec::new();
    bencher.counter(ItemsCount::new(LARGE / (frame_len + 16))).counter(BytesCount::new(LARGE)).bench_local(
        || {
            let mut sum = 0;
            let mut cutter = Cutter::new(Box::new(Cursor::new(file)), CHUNK).expect("a capture");
            while let Some(chunk) = cutter.next(std::mem::take(&mut buffer)) {
                sum ^= touch(&chunk);
                buffer = chunk.into_buffer();
            }
            sum
        },
    );
}

fn frames(bencher: Bencher<'_, '_>, file: &[u8]) {
    let mut cutter = Cutter::new(Box::new(Cursor::new(file.to_vec())), file.len()).expect("a capture");
    let chunk = cutter.next(Vec::new()).expect("a chunk");
    bencher
        .counter(ItemsCount::new(chunk.len()))
        .counter(BytesCount::new(chunk.size()))
        .bench_local(|| touch(black_box(&chunk)));
}

/// Reads what decoding reads first: time, lengths, and a byte of the frame.
fn touch(chunk: &Chunk) -> u64 {
    chunk.frames().fold(0, |sum, (place, frame)| {
        let byte = frame.bytes.get(12).copied().unwrap_or(0);
        sum.wrapping_add(frame.at.as_nanos() as u64 ^ u64::from(frame.wire_len ^ place) ^ u64::from(byte))
    })
}

fn pcap(frame_len: usize, bytes: usize) -> Vec<u8> {
    let mut file = Vec::with_capacity(bytes + 1024);
    file.extend([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0]);
    let frame = vec![0x5a; frame_len];
    let mut micros = 0;
    while file.len() < bytes {
        for word in [1_700_000_000, micros % 1_000_000, frame_len as u32, frame_len as u32] {
            file.extend(u32::to_le_bytes(word));
        }
        file.extend(&frame);
        micros += 1;
    }
    file
}

fn pcapng(frame_len: usize, bytes: usize) -> Vec<u8> {
    let block = |file: &mut Vec<u8>, kind: u32, words: &[u32], data: &[u8]| {
        let length = (12 + 4 * words.len() + data.len().next_multiple_of(4)) as u32;
        for word in [kind, length].iter().chain(words) {
            file.extend(word.to_le_bytes());
        }
        file.extend(data);
        file.resize(file.len().next_multiple_of(4), 0);
        file.extend(length.to_le_bytes());
    };
    let mut file = Vec::with_capacity(bytes + 1024);
    block(&mut file, 0x0a0d_0d0a, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX], &[]);
    block(&mut file, 1, &[1, 0], &[]);
    let frame = vec![0x5a; frame_len];
    while file.len() < bytes {
        let length = frame_len as u32;
        let low = file.len() as u32;
        block(&mut file, 6, &[0, 0x0006_0000, low, length, length], &frame);
    }
    file
}
