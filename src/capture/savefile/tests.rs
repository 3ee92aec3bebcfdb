//! Every format, cut and damaged at every byte, in chunks of every size.

use std::io::{self, Cursor};

use proptest::prelude::*;

use super::build::{Pcap, Pcapng, gzip, zstd};
use super::*;
use crate::capture::{Frame, LinkType};

/// More than any small capture has, in bytes.
const LARGE: usize = 4096;

/// A frame as a test compares it: nanoseconds, link type, length on the wire, bytes.
type Seen = (i64, u16, u32, Vec<u8>);

/// All frames of a capture, and how it ended. Checks on the way what holds for every chunk.
fn read(bytes: &[u8], chunk_bytes: usize) -> Result<(Vec<Seen>, End, Counts), Why> {
    let mut cutter = Cutter::new(Box::new(Cursor::new(bytes.to_vec())), chunk_bytes)?;
    let seen = |frame: Frame<'_>| (frame.at.as_nanos(), frame.link.0, frame.wire_len, frame.bytes.to_vec());
    let mut frames = Vec::new();
    let mut buffer = vec![0xaa; 77];
    let mut offset = None;
    let mut latest = None;
    while let Some(chunk) = cutter.next(buffer) {
        assert!(chunk.size() > 0);
        assert_eq!(chunk.offset(), offset.unwrap_or_else(|| chunk.offset()), "chunks adjoin");
        assert_eq!(chunk.frames_before(), frames.len() as u64);
        assert_eq!(chunk.frames().count(), chunk.len() as usize);
        assert_eq!(chunk.first_at(), chunk.frames().next().map(|(_, frame)| frame.at));
        assert_eq!(chunk.last_at(), chunk.frames().last().map(|(_, frame)| frame.at));
        for (place, frame) in chunk.frames() {
            let again = chunk.frame_at(place).unwrap();
            assert_eq!(seen(again), seen(frame));
            latest = latest.max(Some(frame.at));
            frames.push(seen(frame));
        }
        assert_eq!(cutter.latest(), latest);
        offset = Some(chunk.offset() + chunk.size() as u64);
        buffer = chunk.into_buffer();
    }
    assert!(cutter.next(Vec::new()).is_none());
    let end = cutter.end().unwrap();
    assert_eq!(end.offset, offset.unwrap_or(end.offset));
    assert_eq!(cutter.counts().frames, frames.len() as u64);
    Ok((frames, end, cutter.counts()))
}

/// That `bytes` hold these frames, whatever the size of the chunks and however it is compressed.
fn check(bytes: &[u8], expected: &[Seen]) {
    for chunk_bytes in 1..=bytes.len() + 1 {
        let (frames, end, counts) = read(bytes, chunk_bytes).unwrap();
        assert_eq!(frames, expected, "chunks of {chunk_bytes}");
        assert_eq!(end, End { offset: bytes.len() as u64, how: Ending::Whole });
        assert_eq!(counts.bytes, bytes.len() as u64);
        assert_eq!(counts.stored_bytes, bytes.len() as u64);
    }
    let (one, two) = bytes.split_at(bytes.len() / 2);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 9, 9], zstd(bytes).as_slice()].concat();
    for compressed in [
        gzip(bytes),
        zstd(bytes),
        [gzip(one), gzip(two)].concat(),
        [zstd(one), zstd(two)].concat(),
        skippable,
    ] {
        let (frames, end, counts) = read(&compressed, 100).unwrap();
        assert_eq!(frames, expected);
        assert_eq!(end, End { offset: bytes.len() as u64, how: Ending::Whole });
        assert_eq!((counts.bytes, counts.stored_bytes), (bytes.len() as u64, compressed.len() as u64));
    }
}

/// A pcap of four frames: an empty one, one that the snap length cut, one that is itself a pcap, one out of order.
fn small_pcap() -> Vec<u8> {
    let inner = Pcap::ethernet().frame(1, 2, b"inner").bytes;
    Pcap::ethernet()
        .frame(10, 1, b"")
        .cut_frame(11, 2, b"second", 1500)
        .frame(12, 3, &inner)
        .frame(9, 4, b"last")
        .bytes
}

/// A pcap of which some frames are pcaps themselves: from the middle of one of them records seem to begin that are none.
fn misleading_pcap() -> Vec<u8> {
    let inner = (0..6).fold(Pcap::ethernet(), |pcap, second| pcap.frame(second, 0, b"in it")).bytes;
    let frame = |pcap: Pcap, nth: u32| match nth % 7 {
        3 => pcap.frame(100 + nth, 7, &inner),
        5 => pcap.cut_frame(100 + nth, 8, b"cut", 1500),
        _ => pcap.frame(200 - nth, nth, &vec![nth as u8; nth as usize]),
    };
    (0..24).fold(Pcap::ethernet(), frame).bytes
}

/// A pcapng with every kind of block, two interfaces of different link types and clocks, and two sections.
fn small_pcapng() -> Vec<u8> {
    Pcapng::new(true)
        .interface(1, 6, &[(2, b"eth0"), (9, &[9]), (0, b"")])
        .packet(0, 5_000_000_001, b"one")
        .block(4, &[0; 8]) // names
        .interface(113, 0, &[(9, &[0x80 | 10]), (14, &100_i64.to_le_bytes())])
        .packet(1, 1024 + 512, b"two")
        .simple_packet(b"simple", 9)
        .old_packet(0, 6_000_000_000, b"old")
        .simple_packet(b"again", 5)
        .block(0x0bad_cafe, b"custom")
        .packet(7, 1, b"of no interface")
        .section(false)
        .interface(14, 0, &[])
        .packet(0, 7_000_001, b"three")
        .block(5, &[0; 12]) // statistics
        .bytes
}

#[rustfmt::skip]
fn small_pcapng_frames() -> Vec<Seen> {
    vec![
        (5_000_000_001, 1, 3, b"one".to_vec()),
        (101_500_000_000, 113, 3, b"two".to_vec()),
        (101_500_000_000, 1, 9, b"simple".to_vec()),
        (6_000_000_000, 1, 3, b"old".to_vec()),
        (6_000_000_000, 1, 5, b"again".to_vec()),
        (7_000_001_000, 101, 5, b"three".to_vec()),
    ]
}

#[test]
fn pcap_of_every_clock_and_byte_order() {
    // Bytes written by hand, so that reader and builder cannot err together.
    static GOLDEN: [u8; 43] = [
        0xa1, 0xb2, 0x3c, 0x4d, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0x14, 0, 0,
        113, //
        0x40, 0, 0, 1, 0x3b, 0x9a, 0xc9, 0xff, 0, 0, 0, 3, 0, 0, 0, 60, b'a', b'b', b'c',
    ];
    check(&GOLDEN, &[(0x4000_0001 * 1_000_000_000 + 999_999_999, 113, 60, b"abc".to_vec())]);

    for little in [true, false] {
        for (magic, nanos) in [(Pcap::MICROS, 3000), (Pcap::NANOS, 3), (Pcap::MODIFIED, 3000)] {
            let pcap = Pcap::new(little, magic, 101).frame(2, 3, b"x").cut_frame(u32::MAX, 0, b"yz", 3);
            let late = i64::from(u32::MAX) * 1_000_000_000;
            check(
                &pcap.bytes,
                &[(2_000_000_000 + nanos, 101, 1, b"x".to_vec()), (late, 101, 3, b"yz".to_vec())],
            );
        }
    }
    check(&Pcap::ethernet().bytes, &[]);
    // A writer's mistake: fewer bytes on the wire than in the file.
    check(&Pcap::ethernet().cut_frame(0, 0, b"four", 2).bytes, &[(0, 1, 4, b"four".to_vec())]);
}

#[test]
fn raw_ip_has_one_number() {
    for (written, read) in
        [(12, LinkType::RAW), (14, LinkType::RAW), (101, LinkType::RAW), (228, LinkType::IPV4)]
    {
        check(&Pcap::new(true, Pcap::MICROS, written).frame(0, 0, b"").bytes, &[(0, read.0, 0, vec![])]);
    }
}

#[test]
fn pcap_with_empty_cut_nested_and_backward_frames() {
    let inner = Pcap::ethernet().frame(1, 2, b"inner").bytes;
    check(
        &small_pcap(),
        &[
            (10_000_001_000, 1, 0, vec![]),
            (11_000_002_000, 1, 1500, b"second".to_vec()),
            (12_000_003_000, 1, inner.len() as u32, inner),
            (9_000_004_000, 1, 4, b"last".to_vec()),
        ],
    );
}

#[test]
fn pcapng_with_every_block() {
    check(&small_pcapng(), &small_pcapng_frames());
    let (_, _, counts) = read(&small_pcapng(), LARGE).unwrap();
    assert_eq!(counts.damaged_packets, 1);
}

#[test]
fn pcapng_interfaces_have_names() {
    let mut cutter = Cutter::new(Box::new(Cursor::new(small_pcapng())), LARGE).unwrap();
    let mut names = Vec::new();
    while let Some(chunk) = cutter.next(Vec::new()) {
        for (place, frame) in chunk.frames() {
            let interface = chunk.interface_at(place).unwrap();
            assert_eq!(interface.link(), frame.link);
            names.push(interface.name().map(str::to_owned));
        }
    }
    let eth0 = Some("eth0".to_owned());
    assert_eq!(names, [eth0.clone(), None, eth0.clone(), eth0.clone(), eth0, None]);
}

#[test]
fn pcapng_clocks() {
    let check_clock = |resolution: u8, ticks: u64, nanos: i64| {
        let file = Pcapng::new(false).interface(1, 0, &[(9, &[resolution])]).packet(0, ticks, b"");
        let (frames, ..) = read(&file.bytes, LARGE).unwrap();
        assert_eq!(frames, [(nanos, 1, 0, vec![])], "resolution {resolution:#x}");
    };
    check_clock(0, 3, 3_000_000_000);
    check_clock(3, 3, 3_000_000);
    check_clock(9, u64::MAX, i64::MAX);
    check_clock(6, u64::MAX, i64::MAX);
    check_clock(12, 3_999, 3);
    check_clock(28, u64::MAX, 1);
    check_clock(127, u64::MAX - 1, 0);
    check_clock(0x80, 3, 3_000_000_000);
    check_clock(0x80 | 32, 1 << 31, 500_000_000);
    check_clock(0xff, u64::MAX, 0);
}

#[test]
fn an_interface_is_known_from_its_block_on_whatever_the_chunks() {
    let file = Pcapng::new(true)
        .interface(1, 0, &[])
        .packet(1, 1, b"too early")
        .interface(113, 0, &[])
        .packet(1, 2, b"in time")
        .bytes;
    check(&file, &[(2000, 113, 7, b"in time".to_vec())]);
}

/// Cuts `whole` at every byte: the frames before the cut are all there, and the cut is told.
fn check_prefixes(whole: &[u8]) {
    let (all, ..) = read(whole, LARGE).unwrap();
    let mut before = 0;
    for cut in 0..whole.len() {
        for (stored, chunk_bytes) in
            [(whole[..cut].to_vec(), LARGE), (whole[..cut].to_vec(), 1), (gzip(&whole[..cut]), 50)]
        {
            match read(&stored, chunk_bytes) {
                Ok((frames, end, _)) => {
                    assert_eq!(frames, all[..frames.len()], "cut at {cut}");
                    assert!(frames.len() == before || frames.len() == before + 1, "cut at {cut}");
                    before = frames.len();
                    match end.how {
                        Ending::Whole => assert_eq!(end.offset, cut as u64),
                        Ending::CutShort { needed, got } => {
                            assert_eq!(end.offset + got, cut as u64);
                            assert!(
                                needed > got && end.offset + needed <= whole.len() as u64,
                                "cut at {cut}"
                            );
                        }
                        how => panic!("cut at {cut}: {how:?}"),
                    }
                }
                Err(Why::Empty) => assert_eq!(cut, 0),
                Err(Why::NotCapture { first, .. }) => {
                    assert!(cut < 12);
                    assert_eq!(first, whole[..cut]);
                }
                Err(why) => panic!("cut at {cut}: {why:?}"),
            }
        }
    }
    assert!(before + 1 >= all.len());
}

#[test]
fn everything_before_a_cut_is_used() {
    check_prefixes(&small_pcap());
    check_prefixes(&small_pcapng());
}

#[test]
fn everything_before_a_cut_of_the_compressed_file_is_used() {
    let mut pcap = Pcap::ethernet();
    let mut noise: u32 = 1;
    for index in 0..2000 {
        let frame: Vec<u8> = (0..50)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        pcap = pcap.frame(index, 0, &frame);
    }
    let (all, ..) = read(&pcap.bytes, 10_000).unwrap();
    // The last bytes of gzip carry no packet; zstd gives whole blocks (of 128 KiB, RFC 8878 section 3.1.1.2.4).
    for (whole, expected) in [(gzip(&pcap.bytes), all.len()), (zstd(&pcap.bytes), 128 * 1024 / 66)] {
        let mut most = 0;
        for cut in (40..whole.len()).step_by(997).chain([whole.len() - 1]) {
            let Ok((frames, end, _)) = read(&whole[..cut], 10_000) else { continue };
            assert!(matches!(end.how, Ending::CutShort { .. }), "cut at {cut}: {end:?}");
            assert_eq!(frames, all[..frames.len()]);
            most = most.max(frames.len());
        }
        assert_eq!(most, expected);
    }
}

#[test]
fn a_changed_byte_is_no_catastrophe() {
    for original in [small_pcap(), small_pcapng(), gzip(&small_pcap()), zstd(&small_pcap())] {
        let mut bytes = original.clone();
        for index in 0..bytes.len() {
            for change in [0x01, 0x02, 0x08, 0x10, 0x40, 0x80, 0xff] {
                bytes[index] = original[index] ^ change;
                if let (Ok((small, end, _)), Ok((large, same, _))) = (read(&bytes, 1), read(&bytes, LARGE)) {
                    assert_eq!((small, end), (large, same), "byte {index} changed by {change:#x}");
                }
            }
            bytes[index] = original[index];
        }
    }
}

#[test]
fn a_damage_is_told_with_its_offset() {
    let check_damage = |bytes: &[u8], frames: usize, offset: usize, damage: Damage| {
        for chunk_bytes in [1, 40, LARGE] {
            let (seen, end, _) = read(bytes, chunk_bytes).unwrap();
            assert_eq!(seen.len(), frames);
            assert_eq!(end, End { offset: offset as u64, how: Ending::Damaged(damage) });
        }
    };
    let pcap = Pcap::ethernet().frame(1, 1, b"good");
    let offset = pcap.bytes.len();
    let mut bytes = pcap.frame(2, 2, b"bad").bytes;
    bytes[offset + 8..offset + 12].copy_from_slice(&(256 * 1024 + 1_u32).to_le_bytes());
    check_damage(&bytes, 1, offset, Damage::FrameLength(262_145));

    let good = || Pcapng::new(true).interface(1, 0, &[]).packet(0, 1, b"good");
    let offset = good().bytes.len();
    let change = |at: usize, value: u32| {
        let mut bytes = good().packet(0, 2, b"bad").bytes;
        bytes[offset + at..offset + at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    check_damage(&change(4, 11), 1, offset, Damage::BlockLength(11));
    check_damage(&change(4, 16 * 1024 * 1024 + 4), 1, offset, Damage::BlockLength(16 * 1024 * 1024 + 4));
    check_damage(&change(32, 44), 1, offset, Damage::BlockLengths(36, 44));
    check_damage(&good().block(1, &[0; 4]).bytes, 1, offset, Damage::Interface);
    check_damage(&good().block(0x0a0d_0d0a, &[0; 16]).bytes, 1, offset, Damage::ByteOrder);
    let mut other = Pcapng::new(true).bytes;
    other[12] = 2;
    check_damage(&[good().bytes, other].concat(), 1, offset, Damage::Version(2));

    let mut compressed = gzip(&small_pcap());
    let checksum = compressed.len() - 8;
    compressed[checksum] ^= 1;
    check_damage(&compressed, 4, small_pcap().len(), Damage::Compression);
}

#[test]
fn packets_that_do_not_hold_together_are_counted() {
    let mut file = Pcapng::new(true).interface(1, 0, &[]).packet(0, 1, b"long").packet(0, 2, b"good").bytes;
    let captured = 28 + 20 + 20;
    file[captured..captured + 4].copy_from_slice(&9_u32.to_le_bytes());
    let (frames, end, counts) = read(&file, LARGE).unwrap();
    assert_eq!(frames, [(2000, 1, 4, b"good".to_vec())]);
    assert!(end.how.is_whole());
    assert_eq!(counts.damaged_packets, 1);
}

#[test]
fn interfaces_have_a_limit() {
    let mut file = Pcapng::new(true);
    for _ in 0..4097 {
        file = file.interface(1, 0, &[]);
    }
    let (frames, _, counts) =
        read(&file.packet(4095, 1, b"in").packet(4096, 1, b"out").bytes, LARGE).unwrap();
    assert_eq!(frames, [(1000, 1, 2, b"in".to_vec())]);
    assert_eq!(counts.damaged_packets, 1);
}

#[test]
fn a_promised_length_takes_no_memory() {
    let bomb = zstd(&vec![0; 64 << 20]);
    let file = [zstd(&Pcap::ethernet().bytes), bomb].concat();
    let mut cutter = Cutter::new(Box::new(Cursor::new(file)), 1 << 16).unwrap();
    let mut buffer = Vec::new();
    while let Some(chunk) = cutter.next(buffer) {
        buffer = chunk.into_buffer();
        assert!(buffer.capacity() <= 1024 * 1024);
    }
    assert_eq!(cutter.counts().frames, 4 << 20, "records of nought bytes");
}

#[test]
fn a_compressed_file_that_gives_nothing_is_no_other_kind_of_file() {
    for compressed in [gzip(&small_pcap()), zstd(&small_pcap())] {
        for cut in 4..20 {
            match read(&compressed[..cut], LARGE) {
                Err(Why::Compression) => {}
                Ok((frames, end, _)) => assert!(frames.is_empty() && !end.how.is_whole(), "cut at {cut}"),
                Err(why) => panic!("cut at {cut}: {why:?}"),
            }
        }
    }
    for twice in [gzip(&gzip(&small_pcap())), zstd(&gzip(&small_pcap()))] {
        assert!(matches!(read(&twice, LARGE), Err(Why::NotCapture { looks_like: Some(_), .. })));
    }
}

#[test]
fn a_read_that_fails_ends_the_file_with_its_reason() {
    struct Failing(Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let few = into.len().min(7);
            match self.0.read(&mut into[..few])? {
                0 => Err(io::ErrorKind::PermissionDenied.into()),
                got => Ok(got),
            }
        }
    }
    for bytes in [small_pcap(), small_pcapng(), gzip(&small_pcap()), zstd(&small_pcap())] {
        let (frames, ..) = read(&bytes, LARGE).unwrap();
        let mut cutter = Cutter::new(Box::new(Failing(Cursor::new(bytes))), LARGE).unwrap();
        let mut seen = 0;
        while let Some(chunk) = cutter.next(Vec::new()) {
            seen += chunk.len() as usize;
        }
        assert_eq!(seen, frames.len());
        assert_eq!(cutter.end().unwrap().how, Ending::Failed(io::ErrorKind::PermissionDenied));
    }
}

proptest! {
    #[test]
    fn anything_after_a_head_is_read_or_refused(
        ng: bool, little: bool, garbage in proptest::collection::vec(any::<u8>(), 0..600), size in 1..700_usize,
    ) {
        let head = if ng {
            Pcapng::new(little).interface(1, 0, &[]).bytes
        } else {
            Pcap::new(little, Pcap::NANOS, 1).bytes
        };
        let bytes = [head, garbage].concat();
        let (frames, end, _) = read(&bytes, size).unwrap();
        let (same, same_end, _) = read(&bytes, LARGE).unwrap();
        prop_assert_eq!((frames, end), (same, same_end));
    }

    #[test]
    fn small_numbers_after_a_head_are_read_or_refused(
        ng: bool, words in proptest::collection::vec(0_u32..40, 0..200), size in 1..700_usize,
    ) {
        let head = if ng { Pcapng::new(true).bytes } else { Pcap::ethernet().bytes };
        let bytes: Vec<u8> = head.into_iter().chain(words.iter().flat_map(|word| word.to_le_bytes())).collect();
        let (frames, end, _) = read(&bytes, size).unwrap();
        let (same, same_end, _) = read(&bytes, LARGE).unwrap();
        prop_assert_eq!((frames, end), (same, same_end));
    }
}

#[test]
fn directories_are_searched_and_files_put_in_time_order() {
    let top = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = top.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let at = |seconds| Pcap::ethernet().frame(seconds, 0, b"frame").bytes;
    write("captures/c.txt", &at(1));
    write("captures/b/late.pcap", &gzip(&at(5)));
    write("captures/b/.hidden.pcap", &at(0));
    write("captures/.git/x.pcap", &at(0));
    write("captures/a.pcap", &zstd(&at(3)));
    write("captures/b/empty", b"");
    write("captures/b/readme", b"no capture");
    std::os::unix::fs::symlink("..", top.path().join("captures/b/up")).unwrap();
    let early = write("early", &at(2));
    let same = write("same", &at(3));
    let wrong = write("wrong", b"\x7fELF, and so on");
    let missing = top.path().join("missing");
    let nothing = write("nothing/readme", b"no capture").parent().unwrap().to_owned();

    let paths = [early, missing, "-".into(), top.path().join("captures"), wrong, same, nothing];
    let (savefiles, problems) = open(&paths);
    let names: Vec<_> =
        savefiles.iter().map(|file| file.path().file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["c.txt", "-", "early", "a.pcap", "same", "late.pcap"]);
    let firsts: Vec<_> =
        savefiles.iter().map(|file| file.first().map(|at| at.as_nanos() / 1_000_000_000)).collect();
    assert_eq!(firsts, [Some(1), None, Some(2), Some(3), Some(3), Some(5)]);
    assert_eq!((savefiles[0].size(), savefiles[1].size()), (Some(at(1).len() as u64), None));

    let told: Vec<_> = problems.iter().map(|problem| (problem.is_error(), &problem.why)).collect();
    assert!(
        matches!(
            told[..],
            [
                (true, Why::Io(_)),
                (false, Why::Skipped { hidden: 2, others: 3, example: Some(_) }),
                (true, Why::NotCapture { looks_like: Some("a program"), .. }),
                (true, Why::NoCaptures { hidden: 0, others: 1 }),
            ]
        ),
        "{told:?}"
    );
}

#[test]
fn a_pipe_is_read_once_and_not_touched_before() {
    let top = tempfile::tempdir().unwrap();
    let path = top.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (savefiles, problems) = open(std::slice::from_ref(&path)); // would wait for ever if it opened the pipe
    assert!(problems.is_empty(), "{problems:?}");
    let writer = std::thread::spawn(move || std::fs::write(path, gzip(&small_pcap())).unwrap());
    let mut cutter = savefiles[0].cutter(LARGE).unwrap();
    assert_eq!(cutter.next(Vec::new()).unwrap().len(), 4);
    assert!(cutter.next(Vec::new()).is_none());
    writer.join().unwrap();
}

/// Blocks that are used, left out, or read for nothing.
#[test]
fn blocks_that_are_read_ahead_change_nothing() {
    use std::io::Write;
    let seen = |frame: Frame<'_>| (frame.at.as_nanos(), frame.link.0, frame.wire_len, frame.bytes.to_vec());
    let mut damaged = misleading_pcap();
    let place = damaged.len() * 2 / 3;
    damaged.splice(place.., [0xff; 40]);
    let mut guesses = [0, 0];
    for bytes in [small_pcap(), small_pcapng(), misleading_pcap(), damaged] {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        // Chunks of one record each begin where records begin.
        let mut alone = Cutter::new(Box::new(Cursor::new(bytes.clone())), 1).unwrap();
        let begins: Vec<u64> =
            std::iter::from_fn(|| alone.next(Vec::new()).map(|chunk| chunk.offset())).collect();
        for chunk_bytes in 1..=bytes.len() + 1 {
            let (expected, end, counts) = read(&bytes, chunk_bytes).unwrap();
            let mut cutter = Cutter::of_file(file.reopen().unwrap(), chunk_bytes).unwrap();
            let blocks = cutter.blocks().unwrap().clone();
            let (mut frames, mut used, mut turn) = (Vec::new(), 0, 0);
            let mut latest = None;
            loop {
                let mut buffer = Vec::new();
                let block = match turn % 4 {
                    0 => None,
                    1 => blocks.read(&mut buffer).and_then(|_| blocks.read(&mut buffer)),
                    _ => blocks.read(&mut buffer),
                };
                turn += 1;
                let fits = block.as_ref().filter(|block| blocks.position() == block.begins);
                used += usize::from(fits.is_some());
                if let Some((block, stretch)) = fits.and_then(|block| Some((block, block.stretch.as_ref()?)))
                {
                    let right = begins.contains(&(block.begins + stretch.from as u64));
                    guesses[usize::from(right)] += 1;
                }
                let Some(chunk) = cutter.next_with(buffer, block) else { break };
                assert_eq!(chunk.frames().count(), chunk.len() as usize);
                assert_eq!(chunk.last_at(), chunk.frames().last().map(|(_, frame)| frame.at));
                latest = latest.max(chunk.frames().map(|(_, frame)| frame.at).max());
                assert_eq!(cutter.latest(), latest);
                frames.extend(chunk.frames().map(|(_, frame)| seen(frame)));
            }
            assert_eq!(frames, expected, "chunks of {chunk_bytes}");
            assert_eq!((cutter.end().unwrap(), cutter.counts().frames), (end, counts.frames));
            if end.how.is_whole() {
                // How much is read behind a damage depends on how it is read.
                assert_eq!(cutter.counts(), counts);
            }
            // The first is read without one, and of the second one is left out.
            assert!(used > 0 || 3 * chunk_bytes as u64 > end.offset, "chunks of {chunk_bytes}");
        }
    }
    let [wrong, right] = guesses;
    assert!(wrong > 100 && right > 100, "{wrong} wrong, {right} right");
}

/// A changed byte makes guesses of where records begin wrong, or the records themselves.
#[test]
fn a_changed_byte_changes_the_same_read_ahead_or_not() {
    use std::io::Write;
    let whole = misleading_pcap();
    let mut guesses = 0;
    for place in 24..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0xff;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        for chunk_bytes in [300, 500] {
            let (expected, end, counts) = read(&bytes, chunk_bytes).unwrap();
            let mut cutter = Cutter::of_file(file.reopen().unwrap(), chunk_bytes).unwrap();
            let blocks = cutter.blocks().unwrap().clone();
            let mut frames = Vec::new();
            let mut next = cutter.next(Vec::new());
            while let Some(chunk) = next {
                let seen = |frame: Frame<'_>| {
                    (frame.at.as_nanos(), frame.link.0, frame.wire_len, frame.bytes.to_vec())
                };
                frames.extend(chunk.frames().map(|(_, frame)| seen(frame)));
                let mut buffer = Vec::new();
                let block = blocks.read(&mut buffer);
                guesses += usize::from(block.as_ref().is_some_and(|block| block.stretch.is_some()));
                next = cutter.next_with(buffer, block);
            }
            assert_eq!(frames, expected, "byte {place}, chunks of {chunk_bytes}");
            assert_eq!((cutter.end().unwrap(), cutter.counts().frames), (end, counts.frames), "byte {place}");
        }
    }
    assert!(guesses > 1000, "{guesses} guesses");
}
