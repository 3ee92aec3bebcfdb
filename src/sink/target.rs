//! Where a sink writes: standard output or a file.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use super::{Destination, Outlet, Rotation};

/// An output that is open.
pub struct Target {
    /// What people call it in an error: `standard output`, or the path.
    pub name: String,
    /// Whether a person reads it as it is written.
    pub terminal: bool,
    /// Whether it takes syslog messages.
    pub syslog: bool,
    /// It.
    pub writer: Box<dyn Write + Send>,
}

impl Target {
    /// Standard output.
    pub fn stdout() -> Self {
        let name = Destination::Stdout.to_string();
        let terminal = Self::is_terminal(&Destination::Stdout);
        Self { name, terminal, syslog: false, writer: Box::new(io::stdout()) }
    }

    /// Any destination; a file is emptied first. What is written to it waits for its reader.
    ///
    /// # Errors
    /// When it cannot be opened; the error names it.
    pub fn open(destination: &Destination) -> io::Result<Self> {
        match destination {
            Destination::Stdout => Ok(Self::stdout()),
            Destination::File(path) => Self::create(path),
            _ => Ok(Self {
                name: destination.to_string(),
                terminal: false,
                syslog: destination.is_syslog(),
                writer: Box::new(Outlet::open(destination, Rotation::default(), false)?),
            }),
        }
    }

    /// Whether a person reads what is written there.
    pub fn is_terminal(destination: &Destination) -> bool {
        *destination == Destination::Stdout && io::stdout().is_terminal()
    }

    /// A file, emptied first. It never counts as a terminal: what is written to a file by name is for machines.
    ///
    /// # Errors
    /// When it cannot be opened for writing; the error names it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{name}: cannot be written: {error}")))?;
        Ok(Self { name, terminal: false, syslog: false, writer: Box::new(file) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_emptied_and_a_bad_path_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        std::fs::write(&path, "old").unwrap();
        let mut target = Target::create(&path).unwrap();
        target.writer.write_all(b"new\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new\n");
        assert!(!target.terminal);

        let error = Target::create(&folder.path().join("no/out")).err().unwrap().to_string();
        assert!(error.contains("no/out: cannot be written: No such file"), "{error}");
    }
}
