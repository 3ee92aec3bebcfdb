//! The outputs of a live sensor: each with a thread that writes, so that a slow or absent reader never stops the capture.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::runtime::spawn;
use crate::sink::{Backlog, Destination, Outlet, OutputStats, Rotation, Spill, Spilling, Target};

/// The time that an output has at the end at the least, however late it is.
const LEAST: Duration = Duration::from_millis(100);

/// The outputs that are open.
#[derive(Debug)]
pub struct Outputs {
    spilling: Spilling,
    rotation: Rotation,
    backlogs: Vec<Backlog>,
    /// Those that nobody writes yet.
    waiting: Vec<(Backlog, Outlet)>,
}

impl Outputs {
    /// None yet.
    pub const fn new(spilling: Spilling, rotation: Rotation) -> Self {
        Self { spilling, rotation, backlogs: Vec::new(), waiting: Vec::new() }
    }

    /// Opens one; it is written once they are [started](Self::start). A terminal is one like any other: it may be held.
    ///
    /// # Errors
    /// When it, or the file for what it does not take, cannot be opened; the error names it.
    pub fn open(&mut self, destination: &Destination) -> io::Result<Target> {
        let outlet = Outlet::open(destination, self.rotation.clone(), true)?;
        let name = destination.to_string();
        let backlog = Backlog::new(name.clone(), self.spill(destination, self.backlogs.len())?);
        let feeder = backlog.feeder();
        self.waiting.push((backlog.clone(), outlet));
        self.backlogs.push(backlog);
        Ok(Target {
            name,
            terminal: Target::is_terminal(destination),
            syslog: destination.is_syslog(),
            writer: Box::new(feeder),
        })
    }

    /// Starts the threads that write.
    ///
    /// # Errors
    /// When the system has no room for them.
    pub fn start(&mut self) -> io::Result<()> {
        for (number, (backlog, outlet)) in std::mem::take(&mut self.waiting).into_iter().enumerate() {
            spawn(format!("output-{number}"), move || backlog.work(outlet))?;
        }
        Ok(())
    }

    fn spill(&self, destination: &Destination, number: usize) -> io::Result<Option<Spill>> {
        let Some(folder) = &self.spilling.folder else {
            // Where there are none of these files, memory is what there is.
            return Ok(Spill::unnamed(&std::env::temp_dir(), self.spilling.most)
                .or_else(|_| Spill::unnamed(Path::new("."), self.spilling.most))
                .ok());
        };
        let path = folder.join(format!("undertone-{number}.spill"));
        let spill = Spill::named(&path, self.spilling.most).map_err(|error| {
            io::Error::new(error.kind(), format!("--spill: {} for {destination}: {error}", path.display()))
        })?;
        Ok(Some(spill))
    }

    /// Files are opened again by their names.
    pub fn reopen(&self) {
        self.backlogs.iter().for_each(Backlog::reopen);
    }

    /// What people are to know.
    pub fn notes(&self) -> Vec<String> {
        self.backlogs.iter().flat_map(Backlog::notes).collect()
    }

    /// What was counted.
    pub fn stats(&self) -> Vec<OutputStats> {
        self.backlogs.iter().map(Backlog::stats).collect()
    }

    /// Delivers what waits, until this time. Gives how many records each output has lost, in all.
    pub fn close(self, until: Instant) -> Vec<(String, u64)> {
        let close = |backlog: &Backlog| {
            let left = until.saturating_duration_since(Instant::now());
            (backlog.stats().name, backlog.close(left.max(LEAST)))
        };
        self.backlogs.iter().map(close).collect()
    }
}
