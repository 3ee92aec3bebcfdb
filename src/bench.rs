//! `undertone bench`: how fast this machine handles captures, stage by stage and by number of threads.
//!
//! Every figure is a median over rounds; in each round every stage is measured in turn with each number of threads, so that what else
//! the machine does falls on all alike. Beside them stands what the machine can do at best: reading alone.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::capture::savefile::{self, Savefile};
use crate::config;
use crate::mix::{Made, Mix};
use crate::sink::{count, scaled};
use crate::stages::{Measured, Stage, Subject};
use crate::stats::Counts;

/// Measures, and writes a table or JSON lines to standard output. Gives the exit status.
///
/// # Errors
/// When standard output cannot be written to, or the mix to a file.
pub fn run(config: &config::Bench) -> io::Result<u8> {
    let mut out = io::stdout().lock();
    if let Some(path) = &config.write {
        let made = write_mix(config.mix, File::create(path).map_err(|error| named(path, &error))?)?;
        writeln!(out, "{}: {}", path.display(), Words(made))?;
        return Ok(0);
    }
    let mut scratch = Scratch::default();
    let mut paths = config.paths.clone();
    let mut said = String::new();
    if paths.is_empty() {
        let (path, file) = scratch.file()?;
        let made = write_mix(config.mix, file)?;
        said = format!("{} mix, seed {}: {}\n", shape(config.mix), config.mix.seed, Words(made));
        paths.push(path);
    }
    let (mut files, mut problems) = savefile::open(&paths);
    problems.retain(savefile::Problem::is_error);
    if let Some(stream) = files.iter().position(Savefile::is_stream) {
        // It can be read once: a copy of it can be read again.
        let (path, mut copy) = scratch.file()?;
        let mut stream = files.remove(stream).open()?;
        io::copy(&mut stream, &mut copy)?;
        let (copies, wrong) = savefile::open(&[path]);
        files.extend(copies);
        problems.extend(wrong);
    }
    if !problems.is_empty() {
        problems.iter().for_each(|problem| eprintln!("undertone: {problem}"));
        return Ok(1);
    }
    let subject = Subject::new(files);
    let figures = Figures::measure(&subject, config.threads.get(), config.rounds.get())?;
    if config.json {
        figures.json(config, &mut out)?
    } else {
        figures.table(&said, config, &mut out)?
    }
    Ok(0)
}

/// The medians of every stage, for each number of threads.
struct Figures {
    counts: Counts,
    contacts: u64,
    rows: Vec<Row>,
}

struct Row {
    threads: usize,
    /// Of each stage with those before it.
    times: [Duration; Stage::ALL.len()],
    peak: Option<u64>,
}

impl Figures {
    fn measure(subject: &Subject, most: usize, rounds: u32) -> io::Result<Self> {
        let threads: Vec<usize> =
            std::iter::successors(Some(1), |threads| (*threads < most).then(|| (threads * 2).min(most)))
                .collect();
        let mut times = vec![[const { Vec::new() }; Stage::ALL.len()]; threads.len()];
        let mut peaks = vec![None; threads.len()];
        let mut whole = Measured::default();
        // The first round fills the memory of the machine, and is not counted.
        for round in 0..=rounds {
            for ((threads, times), peak) in threads.iter().zip(&mut times).zip(&mut peaks) {
                for (stage, times) in Stage::ALL.into_iter().zip(times) {
                    let measured = subject.measure(stage, *threads)?;
                    if round > 0 {
                        times.push(measured.time);
                    }
                    if stage == Stage::Whole {
                        *peak = measured.peak.max(*peak);
                        whole = measured;
                    }
                }
            }
        }
        let rows = threads.into_iter().zip(times).zip(peaks);
        let rows = rows.map(|((threads, times), peak)| Row { threads, times: times.map(median), peak });
        Ok(Self { contacts: whole.contacts, counts: whole.counts, rows: rows.collect() })
    }

    fn table(&self, said: &str, config: &config::Bench, out: &mut dyn Write) -> io::Result<()> {
        let counts = &self.counts;
        writeln!(
            out,
            "{said}{} packets, {}, {} names, {} contacts; medians of {} rounds\n",
            count(counts.frames),
            scaled(counts.wire_bytes as f64, "B"),
            count(counts.names.iter().sum()),
            count(self.contacts),
            config.rounds
        )?;
        writeln!(
            out,
            "threads  stage    time        packets/s        rate           a packet   share   speed-up  peak memory"
        )?;
        let first = self.rows.first();
        for row in &self.rows {
            for (stage, time, share) in row.shares() {
                let speed = Speed::of(counts, time);
                let mut more = String::new();
                if stage == Stage::Whole {
                    let one = first.map_or(1.0, |first| seconds(first.whole()) / seconds(time));
                    let peak = row.peak.map_or_else(String::new, |peak| scaled(peak as f64, "B"));
                    more = format!("  {:<8}  {peak}", format!("{one:.2} ×"));
                }
                let line = format!(
                    "{:>7}  {:<7}  {:<10}  {:<15}  {:<13}  {:<9}  {:>5}{more}",
                    row.threads,
                    stage.as_str(),
                    format!("{:.4} s", seconds(time)),
                    scaled(speed.packets, "packets/s"),
                    scaled(speed.bits, "bit/s"),
                    format!("{:.1} ns", speed.nanos),
                    format!("{:.0} %", share * 100.0),
                );
                writeln!(out, "{}", line.trim_end())?;
            }
            writeln!(out)?;
        }
        let Some(best) = self.rows.iter().min_by_key(|row| row.whole()) else { return Ok(()) };
        let speed = Speed::of(counts, best.whole());
        let ceiling = seconds(best.times[0]) / seconds(best.whole());
        writeln!(
            out,
            "This traffic at {} is what {} threads hold here; reading alone would be {:.1} times as fast.",
            scaled(speed.bits, "bit/s"),
            best.threads,
            1.0 / ceiling
        )
    }

    fn json(&self, config: &config::Bench, out: &mut dyn Write) -> io::Result<()> {
        let counts = &self.counts;
        let first = self.rows.first().map_or(1.0, |row| seconds(row.whole()));
        for row in &self.rows {
            let stages: Vec<_> = row
                .shares()
                .map(|(stage, time, share)| {
                    let speed = Speed::of(counts, time);
                    serde_json::json!({
                        "stage": stage.as_str(), "seconds": seconds(time), "share": share, "packets_per_second": speed.packets,
                        "bits_per_second": speed.bits, "nanoseconds_per_packet": speed.nanos,
                    })
                })
                .collect();
            let speed = Speed::of(counts, row.whole());
            let mut line = serde_json::json!({
                "threads": row.threads, "rounds": config.rounds, "packets": counts.frames, "bytes": counts.wire_bytes,
                "names": counts.names.iter().sum::<u64>(), "contacts": self.contacts, "seconds": seconds(row.whole()),
                "packets_per_second": speed.packets, "bits_per_second": speed.bits, "nanoseconds_per_packet": speed.nanos,
                "speed_up": first / seconds(row.whole()), "peak_memory_bytes": row.peak, "stages": stages,
            });
            if config.paths.is_empty() {
                line["mix"] = serde_json::json!({"shape": shape(config.mix), "seed": config.mix.seed, "hits": config.mix.hits});
            }
            writeln!(out, "{line}")?;
        }
        Ok(())
    }
}

impl Row {
    const fn whole(&self) -> Duration {
        let [.., whole] = self.times;
        whole
    }

    /// Each stage, its time with those before it, and the share of the whole that it takes itself.
    fn shares(&self) -> impl Iterator<Item = (Stage, Duration, f64)> {
        let before = std::iter::once(Duration::ZERO).chain(self.times);
        Stage::ALL.into_iter().zip(self.times).zip(before).map(|((stage, time), before)| {
            (stage, time, seconds(time.saturating_sub(before)) / seconds(self.whole()))
        })
    }
}

struct Speed {
    packets: f64,
    bits: f64,
    nanos: f64,
}

impl Speed {
    fn of(counts: &Counts, time: Duration) -> Self {
        let (seconds, packets) = (seconds(time), counts.frames as f64);
        Self {
            packets: packets / seconds,
            bits: counts.wire_bytes as f64 * 8.0 / seconds,
            nanos: seconds * 1e9 / packets.max(1.0),
        }
    }
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64().max(f64::EPSILON)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn write_mix(mix: config::Mix, file: File) -> io::Result<Made> {
    let config::Mix { shape, seed, connections, hits } = mix;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let made = Mix { shape, seed, connections: connections.map(u32::from), hits }.write(&mut out)?;
    out.flush()?;
    Ok(made)
}

fn shape(mix: config::Mix) -> &'static str {
    match mix.shape {
        crate::cli::Shape::Bulk => "bulk",
        crate::cli::Shape::Handshake => "handshake",
    }
}

/// What a mix holds, in words.
struct Words(Made);

impl std::fmt::Display for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Made { packets, bytes, queries, hellos, quic } = self.0;
        let [packets, queries, hellos, quic] = [packets, queries, hellos, quic].map(count);
        write!(
            f,
            "{packets} packets, {}, {queries} DNS queries, {hellos} TLS hellos, {quic} QUIC connections",
            scaled(bytes as f64, "B")
        )
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: cannot be written: {error}", path.display()))
}

/// Files that are gone with this value.
#[derive(Default)]
struct Scratch(Vec<PathBuf>);

impl Scratch {
    fn file(&mut self) -> io::Result<(PathBuf, File)> {
        let name = format!("undertone-bench-{}-{}.pcap", std::process::id(), self.0.len());
        let path = std::env::temp_dir().join(name);
        let file = File::create_new(&path).map_err(|error| named(&path, &error))?;
        self.0.push(path.clone());
        Ok((path, file))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        for path in &self.0 {
            // Somebody else may have tidied up.
            _ = std::fs::remove_file(path);
        }
    }
}
