//! Where a sink writes: standard output or a file.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// An output that is open.
pub struct Target {
    /// What people call it in an error: `standard output`, or the path.
    pub name: String,
    /// Whether a person reads it as it is written.
    pub terminal: bool,
    /// It.
    pub writer: Box<dyn Write + Send>,
}

impl Target {
    /// Standard output.
    pub fn stdout() -> Self {
        let stdout = io::stdout();
        Self { name: "standard output".to_owned(), terminal: stdout.is_terminal(), writer: Box::new(stdout) }
    }

    /// A file, emptied first. It never counts as a terminal: what is written to a file by name is for machines.
    ///
    /// # Errors
    /// When it cannot be opened for writing; the error names it.
    pub fn create(path: &Path) -> io::Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path)
            .map_err(|error| io::Error::new(error.kind(), format!("{name}: cannot be written: {error}")))?;
        Ok(Self { name, terminal: false, writer: Box::new(file) })
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
