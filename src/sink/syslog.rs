//! Records as syslog messages (RFC 5424), one a line; how they go over a connection is for the outlet to say.

use std::io::{self, Write};
use std::sync::Arc;

use super::{Record, Sink, Sources, ecs};
use crate::rules::Level;

/// Writes each record as a message: the head, then the JSON document that a file would get.
///
/// The facility is local0. The message id is the kind of record (`alert`, `summary`), and the severity goes by its level.
#[derive(Debug)]
pub struct Syslog<W> {
    output: W,
    sources: Arc<Sources>,
    /// Host, program and process, as they stand in each head.
    sender: String,
    line: Vec<u8>,
}

/// The facility local0, in the place where the head has it.
const LOCAL0: u8 = 16 << 3;

impl<W: Write> Syslog<W> {
    /// Writes to `output`, as messages of this host and process.
    pub fn new(output: W, sources: Arc<Sources>, host: &str, process: u32) -> Self {
        // RFC 5424 section 6.2.4: printable ASCII, at most 255; "-" is none.
        let host: String = host.chars().filter(char::is_ascii_graphic).take(255).collect();
        let host = if host.is_empty() { "-" } else { &host };
        Self { output, sources, sender: format!("{host} undertone {process}"), line: Vec::new() }
    }
}

impl<W: Write> Sink for Syslog<W> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        self.line.clear();
        // Six decimals are the most that a head may have.
        let time = record.at().to_string();
        let time = time.get(..time.len().saturating_sub(4)).unwrap_or_default();
        let priority = LOCAL0 | severity(record.level());
        write!(self.line, "<{priority}>1 {time}Z {} {} - ", self.sender, record.kind())?;
        ecs::write(record, &self.sources, &mut self.line)?;
        self.line.push(b'\n');
        self.output.write_all(&self.line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

const fn severity(level: Option<Level>) -> u8 {
    match level {
        Some(Level::Critical) => 2,
        Some(Level::High) => 3,
        Some(Level::Medium) => 4,
        Some(Level::Low) => 5,
        Some(Level::Informational) | None => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;
    use super::*;
    use crate::inspect::SeenIn;

    #[test]
    fn a_message_has_the_head_of_rfc_5424_and_the_document() {
        let mut out = Vec::new();
        let mut sink = Syslog::new(&mut out, Arc::new(capture()), "sensor 1\n", 42);
        sink.write(&Record::Alert(alert(hello(), &[SeenIn::TlsSni]))).unwrap();
        sink.write(&Record::Hostname(hello())).unwrap();
        sink.flush().unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let head = "<133>1 2026-11-20T12:00:00.123456Z sensor1 undertone 42 alert - {\"@timestamp\":";
        assert!(lines[0].starts_with(head), "{text}");
        assert!(lines[1].starts_with("<134>1 ") && lines[1].contains(" 42 hostname - {"), "{text}");
        let json = lines[0].split_once(" - ").unwrap().1;
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(json).unwrap()["event"]["dataset"],
            "undertone.alert"
        );
    }
}
