//! Reading again what a sensor was started with: configuration and lists, all of it or nothing. The old stands until then, so that for
//! a while both are in memory.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use crate::config::{self, Config};
use crate::judging::Judging;

/// What was read again.
pub struct Reloaded {
    /// The configuration.
    pub config: config::Live,
    /// The lists, rules and allow lists that it names.
    pub judging: Judging,
}

/// Reads everything again that the command line names.
///
/// # Errors
/// When anything is wrong with it, down to a line of a list: what was wrong, a line each. What is wrong at the start is left out, since
/// the rest is better than nothing; here there is something better than the rest.
pub fn read() -> Result<Reloaded, Vec<String>> {
    let mut config = match Config::from_command_line(std::env::args_os()) {
        Ok(Config::Live(config)) => *config,
        Ok(_) => return Err(vec!["the configuration is of another use".to_owned()]),
        Err(error) => return Err(error.to_string().lines().map(str::to_owned).collect()),
    };
    let mut problems = Vec::new();
    // On this thread alone: a sandbox need not let a sensor begin another.
    let judging = Judging::build(&mut config.lists, false, &mut |problem| problems.push(problem));
    if problems.is_empty() { Ok(Reloaded { config, judging }) } else { Err(problems) }
}

/// What of a configuration differs from the one that a sensor was started with, and cannot change while it runs.
pub fn fixed(old: &config::Live, new: &config::Live) -> Vec<&'static str> {
    [
        ("interface", old.interfaces != new.interfaces),
        ("snaplen", old.snaplen != new.snaplen),
        ("buffer", old.buffer != new.buffer),
        ("no-promiscuous", old.promiscuous != new.promiscuous),
        ("filter", old.filter != new.filter),
        ("threads", old.threads != new.threads),
        ("user", old.user != new.user),
        ("no-sandbox", old.sandbox != new.sandbox),
        ("flows", old.output.flows != new.output.flows),
        ("rotate-size, rotate-age or rotate-keep", old.rotation != new.rotation),
        ("spill or spill-limit", old.spilling != new.spilling),
        ("metrics", old.metrics != new.metrics),
        ("output", old.output.findings != new.output.findings),
        ("hostnames", old.output.hostnames != new.output.hostnames),
        ("feed", old.arrivals.sources != new.arrivals.sources),
        ("feed-format", old.arrivals.format != new.arrivals.format),
        ("feed-memory", old.feeds.memory != new.feeds.memory),
        ("hosts", old.feeds.hosts != new.feeds.hosts),
    ]
    .into_iter()
    .filter_map(|(option, differs)| differs.then_some(option))
    .collect()
}

/// Files that are looked at for changes: when each was written, and how long it is. A file that is not there is one that changed.
#[derive(Debug, Eq, PartialEq)]
pub struct Watched(Vec<(PathBuf, Option<(SystemTime, u64)>)>);

impl Watched {
    /// The files of a configuration, as they are now.
    pub fn of(config: &config::Live) -> Self {
        let named = config.lists.names().map(PathBuf::from);
        Self(
            named
                .chain(config.file.clone())
                .map(|path| {
                    let about =
                        fs::metadata(&path).and_then(|about| Ok((about.modified()?, about.len()))).ok();
                    (path, about)
                })
                .collect(),
        )
    }
}
