//! JSON lines: one document a line, whole or not at all.

use std::io::{self, Write};
use std::sync::Arc;

use super::{Record, Sink, Sources, ecs};
use crate::hands::{Hands, each, pieces};

/// When lines go to the output.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flush {
    /// Every record at once, and what is told together together: for findings, which are few and must not be lost.
    Each,
    /// When enough have come together, and at [`Sink::flush`]: for hostnames, which are many.
    WhenFull,
}

/// Lines that are held under [`Flush::WhenFull`] before they are written, in bytes: a system call for some hundred records.
const FULL: usize = 64 << 10;

/// Writes a document a line.
///
/// Lines are put together in memory, and whole lines are handed to the output in one write. When that fails, a line may be
/// torn there; nothing follows it, and every later call fails too. A reader that has gone (a closed pipe) is an error as
/// a full disk is: somebody wanted these findings.
#[derive(Debug)]
pub struct JsonLines<W> {
    name: String,
    output: W,
    flush: Flush,
    sources: Arc<Sources>,
    lines: Vec<u8>,
    failed: Option<io::ErrorKind>,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `output`, which errors call `name`.
    pub fn new(name: impl Into<String>, output: W, flush: Flush, sources: Arc<Sources>) -> Self {
        Self { name: name.into(), output, flush, sources, lines: Vec::new(), failed: None }
    }

    fn deliver(&mut self) -> io::Result<()> {
        let result = self.output.write_all(&self.lines).and_then(|()| self.output.flush());
        self.lines.clear();
        result.map_err(|error| {
            self.failed = Some(error.kind());
            let why = match error.kind() {
                io::ErrorKind::BrokenPipe => "its reader has gone".to_owned(),
                _ => format!("cannot be written: {error}"),
            };
            io::Error::new(error.kind(), format!("{}: {why}; what follows was not delivered", self.name))
        })
    }

    fn check(&self) -> io::Result<()> {
        match self.failed {
            Some(kind) => Err(io::Error::new(kind, format!("{}: failed before", self.name))),
            None => Ok(()),
        }
    }
}

/// Adds the line of a record.
fn line(record: &Record, sources: &Sources, to: &mut Vec<u8>) -> io::Result<()> {
    ecs::write(record, sources, &mut *to)?;
    to.push(b'\n');
    Ok(())
}

impl<W: Write> Sink for JsonLines<W> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.check()?;
        let whole = self.lines.len();
        if let Err(error) = line(record, &self.sources, &mut self.lines) {
            self.lines.truncate(whole);
            return Err(error);
        }
        if self.flush == Flush::Each || self.lines.len() >= FULL { self.deliver() } else { Ok(()) }
    }

    fn write_all(&mut self, records: Vec<Record>, hands: &dyn Hands) -> io::Result<()> {
        self.check()?;
        let (mut records, sources) = (records.into_iter(), &self.sources);
        let shares: Vec<_> = pieces(hands, records.len()).map(|piece| piece.len()).collect();
        let shares = shares.into_iter().map(|share| records.by_ref().take(share).collect());
        let made = each(hands, shares, |share: Vec<Record>| {
            let mut lines = Vec::new();
            share.iter().try_for_each(|record| line(record, sources, &mut lines)).map(|()| lines)
        });
        for lines in made {
            self.lines.extend(lines?);
        }
        if self.flush == Flush::Each || self.lines.len() >= FULL { self.deliver() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.check()?;
        if self.lines.is_empty() { Ok(()) } else { self.deliver() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;
    use super::*;
    use crate::hands::testing::Backwards;
    use crate::inspect::SeenIn;

    /// Remembers every write, and has room for so many bytes.
    struct Disk {
        writes: Vec<Vec<u8>>,
        room: usize,
        full: io::ErrorKind,
    }

    impl Write for &mut Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Err(self.full.into());
            }
            self.room -= taken;
            self.writes.push(bytes[..taken].to_vec());
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn disk(room: usize) -> Disk {
        Disk { writes: Vec::new(), room, full: io::ErrorKind::StorageFull }
    }

    #[test]
    fn a_finding_is_one_write_of_one_line() {
        let mut disk = disk(usize::MAX);
        let mut sink = JsonLines::new("out", &mut disk, Flush::Each, Arc::new(capture()));
        sink.write(&Record::Alert(alert(hello(), &[SeenIn::TlsSni]))).unwrap();
        sink.write(&Record::Summary(summary(crate::rules::Level::Low))).unwrap();
        sink.flush().unwrap();
        assert_eq!(disk.writes.len(), 2);
        for line in &disk.writes {
            assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            assert!(line.ends_with(b"}\n"));
        }
    }

    /// Whoever makes the lines, and however many there are.
    #[test]
    fn what_is_told_together_is_the_same_lines() {
        let records: Vec<Record> = (0..7)
            .map(|nth| match nth % 3 {
                0 => Record::Summary(summary(crate::rules::Level::Low)),
                1 => Record::Alert(crate::rules::Alert { id: nth, ..alert(hello(), &[SeenIn::TlsSni]) }),
                _ => Record::Hostname(hello()),
            })
            .collect();
        for number in 0..=records.len() {
            let written = |write: &dyn Fn(&mut JsonLines<&mut Disk>, Vec<Record>)| {
                let mut disk = disk(usize::MAX);
                let mut sink = JsonLines::new("out", &mut disk, Flush::Each, Arc::new(capture()));
                write(&mut sink, records[..number].to_vec());
                assert!(sink.lines.is_empty(), "none waits");
                disk.writes.concat()
            };
            let expected = written(&|sink, records| records.iter().for_each(|one| sink.write(one).unwrap()));
            for hands in 1..=8 {
                let got = written(&|sink, records| sink.write_all(records, &Backwards(hands)).unwrap());
                assert!(got == expected, "{number} records, {hands} hands");
            }
        }
    }

    #[test]
    fn what_is_told_together_fails_together_and_for_good() {
        let mut disk = disk(3000);
        let mut sink = JsonLines::new("out", &mut disk, Flush::Each, Arc::new(capture()));
        let records = vec![Record::Hostname(hello()); 9];
        let error = sink.write_all(records.clone(), &Backwards(2)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().starts_with("out: "), "{error}");
        assert!(sink.write_all(records, &Backwards(2)).is_err() && sink.flush().is_err());
        assert_eq!(disk.writes.concat().len(), 3000, "nothing follows what is torn");
    }

    #[test]
    fn hostnames_are_written_together_and_none_is_left() {
        let mut disk = disk(usize::MAX);
        let mut sink = JsonLines::new("out", &mut disk, Flush::WhenFull, Arc::new(capture()));
        for _ in 0..1000 {
            sink.write(&Record::Hostname(hello())).unwrap();
        }
        assert!(sink.lines.len() < FULL);
        sink.flush().unwrap();
        assert!((2..100).contains(&disk.writes.len()), "{}", disk.writes.len());
        assert!(disk.writes.iter().all(|lines| lines.ends_with(b"}\n")));
        assert_eq!(disk.writes.concat().iter().filter(|byte| **byte == b'\n').count(), 1000);
    }

    #[test]
    fn a_full_disk_is_told_and_nothing_follows_a_torn_line() {
        for (full, says) in [
            (
                io::ErrorKind::StorageFull,
                "out: cannot be written: no storage space; what follows was not delivered",
            ),
            (io::ErrorKind::BrokenPipe, "out: its reader has gone; what follows was not delivered"),
        ] {
            let mut disk = Disk { full, ..disk(100) };
            let mut sink = JsonLines::new("out", &mut disk, Flush::Each, Arc::new(capture()));
            let record = Record::Hostname(hello());
            let error = sink.write(&record).unwrap_err();
            assert_eq!((error.kind(), error.to_string().as_str()), (full, says));
            sink.output.room = usize::MAX;
            assert_eq!(sink.write(&record).unwrap_err().kind(), full);
            assert_eq!(sink.flush().unwrap_err().kind(), full);
            assert_eq!(disk.writes.concat().len(), 100);
        }
    }
}
