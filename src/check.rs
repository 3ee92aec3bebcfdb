//! `undertone check`: what a sensor would start with, what hostnames would meet, and what a feed of telemetry holds.

use std::io::{self, Write};
use std::path::Path;

use crate::config;
use crate::judging::Judging;
use crate::originator::feed::Census;
use crate::sink::Printable;
use crate::telemetry::Telemetry;

/// How many hosts are named. A feed of a whole company has thousands.
const HOSTS_NAMED: usize = 20;

/// Differences of clocks that are looked at for a zone are whole quarters of an hour,
const QUARTER_NANOS: i64 = 900_000_000_000;

/// give or take what a record is written late.
const LATE_NANOS: i64 = 60_000_000_000;

/// Validates lists and rules, explains the hostnames and describes the feeds on standard output. Gives the exit status: 2 when a list has
/// a bad line, a rule is none, or a feed cannot be read or holds nothing that is known.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run(config: &mut config::Check) -> io::Result<u8> {
    let Judging { lists, rules, allow, mut problems } = Judging::new(&mut config.lists, false, true);
    let mut out = io::stdout().lock();
    for hostname in &config.hostnames {
        writeln!(out, "{}", lists.explain(hostname))?;
    }
    for path in &config.feeds {
        match Telemetry::open_as(path, config.feed_format) {
            Ok(telemetry) => problems += usize::from(!feed(path, telemetry, &mut out)?),
            Err(why) => {
                eprintln!("undertone: {}: {why}", path.display());
                problems += 1;
            }
        }
    }
    if config.hostnames.is_empty() && config.feeds.is_empty() {
        let services: std::collections::HashSet<&str> = lists.services().collect();
        writeln!(out, "{} suffixes of {} services", lists.len(), services.len())?;
        if !allow.entries().is_empty() {
            writeln!(out, "{} entries of allow lists", allow.entries().len())?;
        }
        for report in rules.sigma().reports() {
            for line in report.to_string().lines() {
                writeln!(out, "{}", Printable(line))?;
            }
        }
    }
    Ok(if problems == 0 { 0 } else { 2 })
}

/// Says what a feed holds, and whether that is anything that is known.
fn feed(path: &Path, mut telemetry: Telemetry, out: &mut impl Write) -> io::Result<bool> {
    let mut census = Census::default();
    telemetry.read(&mut |record| census.add(&record));
    let tally = telemetry.tally();
    writeln!(out, "{}: {} bytes", Printable(&path.display().to_string()), tally.bytes)?;
    let (told, other, refused) = (tally.told, tally.passed_over, tally.all_refused());
    writeln!(out, "  records    {told} used, {other} of other kinds, {refused} refused")?;
    let mut before = None;
    for (feed, kind, count) in census.kinds() {
        let name = if before == Some(feed) { "" } else { feed.as_str() };
        writeln!(out, "  {name:<15} {count:>9}  {}", Printable(kind))?;
        before = Some(feed);
    }
    let said: Vec<String> = census.said().map(|(said, count)| format!("{count} {said}")).collect();
    if !said.is_empty() {
        writeln!(out, "  they say   {}", said.join(", "))?;
    }
    let hosts: Vec<String> = census.hosts().map(|host| Printable(host).to_string()).collect();
    if let Some(named) = hosts.get(..hosts.len().min(HOSTS_NAMED))
        && !named.is_empty()
    {
        let more = match hosts.len() - named.len() {
            0 => String::new(),
            more => format!(", and {more}{} more", if census.has_more_hosts() { " or" } else { "" }),
        };
        writeln!(out, "  hosts      {}{more}", named.join(", "))?;
    }
    for (clock, first, last) in census.clocks() {
        writeln!(out, "  clock      {:<15} {first} to {last}", clock.as_str())?;
    }
    for (first, second, nanos) in census.differences() {
        let (first, second) = (first.as_str(), second.as_str());
        writeln!(out, "  clock      {second} is {} {first}{}", ahead(nanos), zone(nanos))?;
    }
    for (why, refused) in tally.refusals() {
        writeln!(out, "  refused    {:>9}  {why}, first in line {}", refused.count, refused.first_line)?;
    }
    if let Some(why) = telemetry.failure() {
        writeln!(out, "  ended      {why}")?;
    }
    if told + other == 0 {
        writeln!(out, "  nothing in it is known: see README for what is read")?;
    }
    Ok(told + other > 0 && telemetry.failure().is_none())
}

/// A difference of clocks in seconds.
fn ahead(nanos: i64) -> String {
    let seconds = nanos as f64 / 1e9;
    format!("{:.3} s {}", seconds.abs(), if nanos < 0 { "behind" } else { "ahead of" })
}

/// What a difference by quarters of an hour means.
fn zone(nanos: i64) -> &'static str {
    let beyond = nanos.rem_euclid(QUARTER_NANOS);
    let is_zone = nanos.abs() >= QUARTER_NANOS - LATE_NANOS
        && (beyond <= LATE_NANOS || beyond >= QUARTER_NANOS - LATE_NANOS);
    if is_zone { ": one of them is local time, and is corrected when it is joined" } else { "" }
}
