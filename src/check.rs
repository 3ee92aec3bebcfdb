//! `undertone check`: what a sensor would start with, and what hostnames would meet.

use std::io::{self, Write};

use crate::config;
use crate::judging::Judging;
use crate::sink::Printable;

/// Validates lists and rules, and explains the hostnames on standard output. Gives the exit status: 2 when a list has a bad line or a
/// rule is none.
///
/// # Errors
/// When standard output cannot be written to.
pub fn run(config: &config::Check) -> io::Result<u8> {
    let Judging { lists, rules, allow, problems } = Judging::new(&config.lists, true);
    let mut out = io::stdout().lock();
    for hostname in &config.hostnames {
        writeln!(out, "{}", lists.explain(hostname))?;
    }
    if config.hostnames.is_empty() {
        let services: std::collections::BTreeSet<&str> =
            lists.entries().map(|entry| entry.service()).collect();
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
