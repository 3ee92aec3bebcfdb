//! Endpoint telemetry: bytes in any cuts → [`Record`]s, whatever wrote them.
//!
//! A [`Feed`] is a pure machine. It recognises by their content the encoding, the framing and, record by record, the format, so that one
//! stream may hold several. Each format has a file of its own here, which turns its records into the one model of
//! [`record`](super::record). A record that cannot be used is counted with its reason and the line of the first; the rest is used.
//! Feeds are written by hosts that may be hostile: no record is longer than [`MAX_RECORD`] or nested more deeply than [`MAX_DEPTH`],
//! and what is held between two calls is at most one record.

mod auditbeat;
mod azure;
mod braces;
mod census;
mod crowdstrike;
mod defender;
mod document;
mod ecs;
mod elastic_defend;
mod evtx;
mod flat;
mod format;
mod framer;
mod known;
mod ocsf;
mod osquery;
mod prefilter;
mod security;
mod sentinel_one;
mod sysmon;
mod sysmon_linux;
mod table;
mod tally;
mod tetragon;
mod time;
mod utf16;
mod values;
mod windows;
mod winlogbeat;
mod xml;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use document::{Document, Node, Spare};
use evtx::Log;
use framer::{Framer, Piece};
use known::Known;
use table::Header;
use utf16::Utf16;

pub use braces::MAX_DEPTH;
pub use census::Census;
pub use format::{FeedFormat, NoFormat};
pub use framer::MAX_RECORD;
pub use tally::{Refusal, Refused, Tally};

use super::record::Record;

/// Who is told of records.
type Tell<'t> = &'t mut dyn FnMut(Record<'_>);

/// How many bytes of another encoding are turned into text at once.
const PIECE: usize = 64 * 1024;

/// How many bytes tell an encoding.
const MARK: usize = evtx::MAGIC.len();

/// A feed of telemetry.
#[derive(Debug, Default)]
pub struct Feed {
    encoding: Encoding,
    /// What was pushed and belongs to a record that is not whole yet.
    held: Vec<u8>,
    framer: Framer,
    /// The columns of the table that is being read.
    header: Option<Header>,
    known: Known,
    tally: Tally,
    /// What every record is stated to be.
    format: Option<FeedFormat>,
    /// The memory of the record before.
    spare: Spare,
}

/// How the bytes are to be read.
#[derive(Debug, Default)]
enum Encoding {
    /// Too few came to tell.
    #[default]
    Unknown,
    Utf8,
    Utf16(Utf16),
    /// An event log file, which is no text.
    Log(Log),
}

/// What became of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outcome {
    /// It was told.
    Told,
    /// It is of a known format and says nothing that is asked for.
    PassedOver,
    /// It cannot be used.
    Refused(Refusal),
}

impl Feed {
    /// A feed of which nothing was read yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A feed whose records are of this format, where one is stated: what is not is refused.
    pub fn of(format: Option<FeedFormat>) -> Self {
        Self { format, ..Self::default() }
    }

    /// Takes the next bytes, and tells the records that are whole with them.
    pub fn push(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Record<'_>)) {
        self.tally.bytes += bytes.len() as u64;
        match &mut self.encoding {
            Encoding::Unknown => {
                self.held.extend_from_slice(bytes);
                if self.held.len() >= MARK {
                    self.begin(tell);
                }
            }
            Encoding::Utf8 if self.held.is_empty() => {
                let used = self.read(bytes, false, tell);
                self.held.extend_from_slice(bytes.get(used..).unwrap_or_default());
            }
            Encoding::Utf8 => {
                self.held.extend_from_slice(bytes);
                self.read_held(false, tell);
            }
            Encoding::Utf16(_) => self.wide(bytes, tell),
            Encoding::Log(log) => log.push(bytes, &mut self.tally, tell),
        }
    }

    /// Nothing more comes: tells what is left.
    pub fn finish(&mut self, tell: &mut dyn FnMut(Record<'_>)) {
        if matches!(self.encoding, Encoding::Unknown) {
            self.begin(tell);
        }
        match &mut self.encoding {
            Encoding::Log(log) => return log.finish(&mut self.tally, tell),
            Encoding::Utf16(utf16) => utf16.finish(&mut self.held),
            Encoding::Unknown | Encoding::Utf8 => {}
        }
        self.read_held(true, tell);
    }

    /// What the feed held so far.
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The bytes that it occupies for a record that is not whole yet.
    pub const fn held(&self) -> usize {
        self.held.capacity()
    }

    /// Whether part of a record came.
    pub const fn is_within(&self) -> bool {
        !self.held.is_empty()
    }

    /// Gives back what a long record occupied. Whoever reads many feeds at once calls it now and then.
    pub fn compact(&mut self) {
        self.held.shrink_to_fit();
    }

    /// Looks at the first bytes, which the marks of the encodings are in. Without a mark, every second byte of text in UTF-16 is nought.
    fn begin(&mut self, tell: Tell<'_>) {
        let held = std::mem::take(&mut self.held);
        let (encoding, mark) = match *held.as_slice() {
            ref head if head.starts_with(evtx::MAGIC) && self.may_be(FeedFormat::Evtx) => {
                (Encoding::Log(Log::new()), 0)
            }
            [0xff, 0xfe, ..] => (Encoding::Utf16(Utf16::new(false)), 2),
            [0xfe, 0xff, ..] => (Encoding::Utf16(Utf16::new(true)), 2),
            [1..=255, 0, 1..=255, 0, ..] => (Encoding::Utf16(Utf16::new(false)), 0),
            [0, 1..=255, 0, 1..=255, ..] => (Encoding::Utf16(Utf16::new(true)), 0),
            _ => (Encoding::Utf8, 0),
        };
        self.encoding = encoding;
        self.tally.bytes -= held.len() as u64;
        self.push(held.get(mark..).unwrap_or_default(), tell);
        self.tally.bytes += mark as u64;
    }

    /// Text in UTF-16.
    fn wide(&mut self, bytes: &[u8], tell: Tell<'_>) {
        for piece in bytes.chunks(PIECE) {
            if let Encoding::Utf16(utf16) = &mut self.encoding {
                utf16.read(piece, &mut self.held);
            }
            self.read_held(false, tell);
        }
    }

    fn read_held(&mut self, last: bool, tell: Tell<'_>) {
        let mut held = std::mem::take(&mut self.held);
        let used = self.read(&held, last, tell);
        held.drain(..used);
        self.held = held;
    }

    /// Reads what is whole, and gives how much that was.
    fn read(&mut self, bytes: &[u8], last: bool, tell: Tell<'_>) -> usize {
        let mut at = 0;
        while let Some(piece) = self.framer.next(bytes, &mut at, last) {
            let line = self.framer.line();
            let outcome = match piece {
                Piece::Line(range) => {
                    let json = bytes.get(range).unwrap_or_default();
                    match self.json(json, tell) {
                        Outcome::Refused(Refusal::BrokenJson | Refusal::TooDeep) => {
                            self.objects(json, line, tell);
                            continue;
                        }
                        outcome => outcome,
                    }
                }
                Piece::Object(range) => self.json(bytes.get(range).unwrap_or_default(), tell),
                Piece::Event(range) => self.event(bytes.get(range).unwrap_or_default(), tell),
                Piece::Header(range) => match Header::parse(bytes.get(range).unwrap_or_default()) {
                    Some(header) => {
                        self.header = Some(header);
                        self.framer.table();
                        continue;
                    }
                    None => Outcome::Refused(Refusal::NotARecord),
                },
                Piece::Row(range) => self.row(bytes.get(range).unwrap_or_default(), tell),
                Piece::Refused(why) => Outcome::Refused(why),
            };
            self.tally.count(outcome, line);
        }
        at
    }

    /// A line that is not the one object which its ends promise: perhaps several, or one of which a part can be used.
    fn objects(&mut self, line: &[u8], number: u64, tell: Tell<'_>) {
        let mut framer = Framer::default();
        let mut at = 0;
        while let Some(piece) = framer.next(line, &mut at, true) {
            let outcome = match piece {
                Piece::Line(range) | Piece::Object(range) => {
                    self.json(line.get(range).unwrap_or_default(), tell)
                }
                Piece::Event(range) => self.event(line.get(range).unwrap_or_default(), tell),
                Piece::Header(_) | Piece::Row(_) => Outcome::Refused(Refusal::BrokenJson),
                Piece::Refused(why) => Outcome::Refused(why),
            };
            self.tally.count(outcome, number);
        }
    }

    /// Whether records may be of a format, by what was stated.
    fn may_be(&self, format: FeedFormat) -> bool {
        self.format.is_none_or(|stated| stated == format)
    }

    fn event(&self, event: &[u8], tell: Tell<'_>) -> Outcome {
        if self.may_be(FeedFormat::EventXml) {
            xml::event(event, tell)
        } else {
            Outcome::Refused(Refusal::OtherFormat)
        }
    }

    fn row(&mut self, row: &[u8], tell: Tell<'_>) -> Outcome {
        // Tables are joined too: a row may be the next one's header.
        if Header::may_be(row)
            && let Some(header) = Header::parse(row)
        {
            self.header = Some(header);
            return Outcome::PassedOver;
        }
        let cells = self.header.as_ref().and_then(|header| Some((header, header.row(row)?)));
        match cells {
            Some((header, cells)) => record(header.document(&cells).root(), self.format, tell),
            None => Outcome::Refused(Refusal::BrokenRow),
        }
    }

    fn json(&mut self, json: &[u8], tell: Tell<'_>) -> Outcome {
        if !prefilter::may_matter(json) {
            return Outcome::PassedOver;
        }
        let mended;
        let text = std::str::from_utf8(json).ok();
        let parsed = text.and_then(|json| Document::parse_in(json, std::mem::take(&mut self.spare)).ok());
        let document = match parsed {
            Some(document) => document,
            None => {
                mended = mend(json);
                match mended.as_deref().map(Document::parse) {
                    Some(Ok(document)) => document,
                    _ => return Outcome::Refused(Refusal::BrokenJson),
                }
            }
        };
        let outcome = self.document(document.root(), tell);
        self.spare = document.recycle();
        outcome
    }

    /// Reads a record, or each of those that an answer of an API wraps.
    fn document(&mut self, document: Node<'_>, tell: Tell<'_>) -> Outcome {
        let Self { known, tally, framer, format, .. } = self;
        let mut tell = |record: Record<'_>| {
            if known.is_news(&record) {
                tell(record);
            }
        };
        let Some(records) = wrapped(document) else { return record(document, *format, &mut tell) };
        let mut last = Outcome::PassedOver;
        let mut children = records.children().peekable();
        while let Some((_, child)) = children.next() {
            last = record(child, *format, &mut tell);
            // The last is counted by who asked for all of them.
            if children.peek().is_some() {
                tally.count(last, framer.line());
            }
        }
        last
    }
}

/// The array of records in what an API or a stream answers with, where it stands on one line.
fn wrapped(document: Node<'_>) -> Option<Node<'_>> {
    let is_wrapper = |key| matches!(key, "records" | "Results" | "results" | "hits");
    document.children().filter(|(key, _)| is_wrapper(*key)).find_map(|(key, node)| {
        let records = if key == "hits" { node.get("hits")? } else { node };
        let holds =
            records.is_array() && records.children().next().is_some_and(|(_, first)| first.is_object());
        holds.then_some(records)
    })
}

/// Reads one record, of the format that is stated, or else of the first that its outermost keys belong to.
fn record(record: Node<'_>, format: Option<FeedFormat>, tell: Tell<'_>) -> Outcome {
    let shape = Shape::of(record);
    if let Some(source) = shape.source {
        // Elasticsearch answers with the document inside of what it knows about it.
        return self::record(source, format, tell);
    }
    if let Some(format) = format {
        return format.read(record, tell).unwrap_or(Outcome::Refused(Refusal::OtherFormat));
    }
    match () {
        () if shape.event_id && shape.event_data => azure::read(record, tell),
        () if shape.event_id || shape.winlogbeat_6 => flat::read(record, tell),
        () if shape.sentinel_one => sentinel_one::read(record, tell),
        () if shape.ecs && elastic_defend::is(record) => elastic_defend::read(record, tell),
        () if shape.winlog => winlogbeat::read(record, tell),
        () if shape.ecs && auditbeat::is(record) => auditbeat::read(record, tell),
        () if shape.defender && defender::is(record) => defender::read(record, tell),
        () if shape.crowdstrike => crowdstrike::read(record, tell),
        () if shape.tetragon => tetragon::read(record, tell),
        () if shape.osquery => osquery::read(record, tell),
        () if shape.ocsf => ocsf::read(record, tell),
        () if shape.syslog => sysmon_linux::read(record, tell),
        () => Outcome::Refused(Refusal::Unrecognised),
    }
}

/// What the outermost keys of a record tell of its format; of dotted keys, what stands before the first dot.
#[derive(Default)]
struct Shape<'d> {
    /// `EventID`: an event of Windows, flat.
    event_id: bool,
    /// `EventData`: its values are in a column.
    event_data: bool,
    /// `log_name`: winlogbeat before its seventh version.
    winlogbeat_6: bool,
    /// `winlog`: winlogbeat since.
    winlog: bool,
    /// `agent`, `event`, `auditd`, `data_stream`: the Elastic Common Schema.
    ecs: bool,
    /// `DeviceId`, `DeviceName`, `properties`: Microsoft Defender.
    defender: bool,
    /// `event_simpleName`.
    crowdstrike: bool,
    /// `src.process.pid` and its like, which are always dotted.
    sentinel_one: bool,
    /// `process_exec` and its like.
    tetragon: bool,
    /// `hostIdentifier`.
    osquery: bool,
    /// `class_uid`.
    ocsf: bool,
    /// `SyslogMessage`: a row of Azure.
    syslog: bool,
    source: Option<Node<'d>>,
}

impl<'d> Shape<'d> {
    fn of(record: Node<'d>) -> Self {
        let mut shape = Self::default();
        for (key, node) in record.children() {
            match key {
                "EventID" => shape.event_id = true,
                "EventData" => shape.event_data = true,
                "log_name" => shape.winlogbeat_6 = true,
                "agent" | "event" | "auditd" | "data_stream" => shape.ecs = true,
                "winlog" => shape.winlog = true,
                "DeviceId" | "DeviceName" | "properties" => shape.defender = true,
                "SyslogMessage" => shape.syslog = true,
                "event_simpleName" => shape.crowdstrike = true,
                "src.process.pid" | "src.process.uid" | "tgt.process.pid" => shape.sentinel_one = true,
                "process_exec" | "process_exit" | "process_kprobe" => shape.tetragon = true,
                "hostIdentifier" => shape.osquery = true,
                "class_uid" => shape.ocsf = true,
                "_source" if node.is_object() => shape.source = Some(node),
                // Of others only those that begin like one of these.
                _ if !matches!(key.as_bytes().first(), Some(b'a' | b'e' | b'd' | b'w')) => {}
                _ => match key.split_once('.') {
                    Some(("agent" | "event" | "auditd" | "data_stream", _)) => shape.ecs = true,
                    Some(("winlog", _)) => shape.winlog = true,
                    _ => {}
                },
            }
        }
        shape
    }
}

/// JSON whose texts hold bytes that JSON forbids, NUL and other control characters or broken UTF-8, without them; none where that is not
/// what is wrong.
fn mend(json: &[u8]) -> Option<String> {
    let wrong = |code: u32| code < 0x20 && !matches!(code, 0x09 | 0x0a | 0x0d);
    let text = String::from_utf8_lossy(json);
    if matches!(text, Cow::Borrowed(_)) && !json.iter().any(|byte| wrong(u32::from(*byte))) {
        return None;
    }
    Some(text.replace(|character: char| wrong(character.into()), " "))
}
