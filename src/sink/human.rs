//! Records as lines for people at a terminal; everything from outside is escaped.
//!
//! A finding is a line as soon as it comes; summaries are gathered and become a table at [`Sink::flush`]. Columns have
//! widths that fit nearly all, and what is longer pushes the rest of its line aside rather than being cut.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use anstyle::{AnsiColor, Effects, Style};

use super::report::count;
use super::{Printable, Record, Sink, Stats, words};
use crate::capture::Timestamp;
use crate::inspect::{BlindSpot, Observation, SeenIn};
use crate::originator::{Attribution, AttributionLevel, Process, Tag, WireClass};
use crate::rules::{Alert, Finding, Level, Summary};

/// The most rows that are gathered before they are written: more than a screen shows, and a bound on memory.
const MOST_ROWS: usize = 1000;

/// Names of a service that a row of the summary shows.
const NAMES_SHOWN: usize = 2;

/// Writes a line for each finding, and a table of the summaries.
#[derive(Debug)]
pub struct Human<W> {
    output: W,
    colours: bool,
    rows: Vec<Row>,
    failed: Option<io::ErrorKind>,
}

/// A row of the table of summaries; its texts are escaped.
#[derive(Debug)]
struct Row {
    level: Level,
    cells: [String; 5],
    names: String,
}

impl<W: Write> Human<W> {
    /// Writes to `output`, with or without colours.
    pub const fn new(output: W, colours: bool) -> Self {
        Self { output, colours, rows: Vec::new(), failed: None }
    }

    fn paint<T>(&self, style: Style, text: T) -> Painted<T> {
        Painted { style: if self.colours { style } else { Style::new() }, text }
    }

    fn alert(&self, alert: &Alert) -> Result<String, fmt::Error> {
        let finding = &alert.finding;
        let observation = &finding.contact.observation;
        let mut line = String::new();
        let level = finding.level;
        write!(line, "{}  ", self.paint(DIM, clock(observation.at)))?;
        write!(line, "{}  ", self.paint(style(level), format_args!("{:<8}", short(level))))?;
        write!(line, "{:<15}  ", observation.flow.src.ip.to_string())?;
        let service = finding.service();
        write!(line, "{}  ", self.paint(BOLD, format_args!("{service:<18}")))?;
        let name = finding.name();
        write!(line, "{}  ", self.paint(CYAN, format_args!("{name:<36}")))?;
        let how = how(alert.seen_in.iter().copied(), observation);
        write!(line, "{}", self.paint(DIM, how))?;
        if let Some(by) = by(&finding.attribution) {
            write!(line, "  {}", self.paint(BOLD, by))?;
        }
        if let Some(what) = what(finding) {
            write!(line, "  {what}")?;
        }
        if let Some(rule) = only_rule(finding) {
            write!(line, "  {}", Printable(rule))?;
        }
        if alert.update {
            write!(line, "  {}", self.paint(DIM, "(update)"))?;
        }
        line.push('\n');
        Ok(line)
    }

    fn hostname(&self, observation: &Observation) -> Result<String, fmt::Error> {
        let mut line = String::new();
        write!(line, "{}  ", self.paint(DIM, clock(observation.at)))?;
        write!(line, "{:<15}  ", observation.flow.src.ip.to_string())?;
        let name = Printable(&observation.hostname).to_string();
        write!(line, "{}  ", self.paint(CYAN, format_args!("{name:<36}")))?;
        writeln!(line, "{}", self.paint(DIM, how([observation.seen_in], observation)))?;
        Ok(line)
    }

    fn stats(&self, stats: &Stats) -> Result<String, fmt::Error> {
        let dropped: u64 = stats.taps.iter().map(|tap| tap.dropped).sum();
        let mut line = format!("{} packets, {} dropped", count(stats.packets), count(dropped));
        for (level, alerts) in stats.alerts.iter().filter(|(_, alerts)| **alerts > 0) {
            write!(line, ", {} {level}", count(*alerts))?;
        }
        let mut text = String::new();
        write!(text, "{}  ", self.paint(DIM, clock(stats.at)))?;
        writeln!(text, "{}", self.paint(DIM, line))?;
        Ok(text)
    }

    fn blind_spot(&self, spot: &BlindSpot) -> Result<String, fmt::Error> {
        let mut line = String::new();
        write!(line, "{}  ", self.paint(DIM, clock(spot.at)))?;
        write!(line, "{}  ", self.paint(DIM, format_args!("{:<8}", "info")))?;
        write!(line, "{:<15}  ", spot.flow.src.ip.to_string())?;
        write!(line, "{}  ", self.paint(BOLD, format_args!("{:<18}", "(names unseen)")))?;
        let name = spot.name.as_ref().map_or_else(String::new, |(name, _)| Printable(name).to_string());
        write!(line, "{}  ", self.paint(CYAN, format_args!("{name:<36}")))?;
        writeln!(line, "{}", self.paint(DIM, format_args!("{} → {}", spot.how.words(), spot.flow.dst)))?;
        Ok(line)
    }

    fn table(&self) -> Result<String, fmt::Error> {
        const HEADS: [&str; 5] = ["level", "client", "service", "contacts", "first – last"];
        const RIGHT: usize = 3;
        let mut widths = HEADS.map(|head| head.chars().count());
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(&row.cells) {
                *width = cell.chars().count().max(*width);
            }
        }
        let mut table = String::from("\n");
        for (index, (head, width)) in HEADS.iter().zip(widths).enumerate() {
            let text = if index == RIGHT { format!("{head:>width$}") } else { format!("{head:<width$}") };
            write!(table, "{}  ", self.paint(DIM, text))?;
        }
        writeln!(table, "{}", self.paint(DIM, "names"))?;
        for row in &self.rows {
            for (index, (cell, width)) in row.cells.iter().zip(widths).enumerate() {
                let text = if index == RIGHT { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                let style = match index {
                    0 => style(row.level),
                    2 => BOLD,
                    4 => DIM,
                    _ => Style::new(),
                };
                write!(table, "{}  ", self.paint(style, text))?;
            }
            writeln!(table, "{}", self.paint(CYAN, &row.names))?;
        }
        Ok(table)
    }

    /// Writes what was put together, unless an earlier write failed.
    fn deliver(&mut self, text: Result<String, fmt::Error>) -> io::Result<()> {
        if let Some(kind) = self.failed {
            return Err(io::Error::new(kind, "the terminal failed before"));
        }
        let text = text.map_err(io::Error::other)?;
        self.output.write_all(text.as_bytes()).and_then(|()| self.output.flush()).map_err(|error| {
            self.failed = Some(error.kind());
            io::Error::new(error.kind(), format!("the terminal cannot be written to: {error}"))
        })
    }
}

impl<W: Write> Sink for Human<W> {
    fn write(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Alert(alert) => self.deliver(self.alert(alert)),
            Record::Hostname(observation) => self.deliver(self.hostname(observation)),
            // Conversations are for files.
            Record::Flow(_) => Ok(()),
            Record::Blind(spot) => self.deliver(self.blind_spot(spot)),
            Record::Stats(stats) => self.deliver(self.stats(stats)),
            Record::Summary(summary) => {
                self.rows.push(Row::from(summary));
                if self.rows.len() >= MOST_ROWS { self.flush() } else { Ok(()) }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let table = self.table();
        self.rows.clear();
        self.deliver(table)
    }
}

impl From<&Summary> for Row {
    fn from(summary: &Summary) -> Self {
        let finding = &summary.finding;
        let mut names: Vec<String> =
            summary.hostnames.iter().take(NAMES_SHOWN).map(|name| Printable(name).to_string()).collect();
        let more = summary.hostnames.len().saturating_sub(NAMES_SHOWN);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        if let Some(rule) = only_rule(finding) {
            names.push(Printable(rule).to_string());
        }
        let (first, last) = (clock(summary.first), clock(summary.last));
        // The day is told once where both are on one.
        let same_day = first.get(..11) == last.get(..11);
        let last = if same_day { last.get(11..19) } else { last.get(..19) };
        Self {
            level: finding.level,
            cells: [
                short(finding.level).to_owned(),
                finding.contact.observation.flow.src.ip.to_string(),
                finding.service(),
                count(summary.count),
                format!("{} – {}", first.get(..19).unwrap_or(&first), last.unwrap_or_default()),
            ],
            names: names.join(", "),
        }
    }
}

/// How a name was seen, and where the conversation that says most went: `DNS, TLS → 162.125.1.19:443`.
fn how(seen_in: impl IntoIterator<Item = SeenIn>, observation: &Observation) -> String {
    let mut carriers: Vec<&str> = seen_in.into_iter().map(words::carrier).collect();
    carriers.dedup();
    format!("{} → {}", carriers.join(", "), observation.flow.dst)
}

/// What kind of program is behind it and what is odd about it: `(interpreter, suspicious-command-line)`; by its hello alone, `(tool-like)`.
fn what(finding: &Finding) -> Option<String> {
    let Some(originator) = &finding.originator else {
        let wire = finding.wire;
        return (wire != WireClass::Unknown).then(|| format!("({})", wire.as_str()));
    };
    let odd =
        originator.tags.iter().filter(|tag| !matches!(tag, Tag::SuspiciousProcess | Tag::ScriptingProcess));
    let words: Vec<&str> =
        std::iter::once(originator.class.as_str()).chain(odd.map(|tag| tag.as_str())).collect();
    Some(format!("({})", words.join(", ")))
}

/// The rule that fired on a connection with no service, which has nothing else to say what it is.
fn only_rule(finding: &Finding) -> Option<&str> {
    let rule = finding.rules.first().filter(|_| finding.listed().is_none())?;
    Some(&rule.name)
}

/// Who made it and how that is known: `powershell.exe 3284 (tuple)`, `svchost.exe 700 for bitsadmin.exe 8 (bits, command-line)`.
fn by(attribution: &Attribution) -> Option<String> {
    let named = |process: &Process| {
        let name = process.name.as_deref().unwrap_or("process");
        let pid = process.pid.map_or_else(String::new, |pid| format!(" {pid}"));
        format!("{}{pid}", Printable(name))
    };
    let level = attribution.level.as_str();
    let Some(process) = attribution.process.as_deref() else {
        return match attribution.level {
            AttributionLevel::NoTelemetry | AttributionLevel::None => None,
            AttributionLevel::Ambiguous | AttributionLevel::Site => {
                Some(format!("one of {} ({level})", attribution.candidates))
            }
            _ => Some(format!("({level})")),
        };
    };
    let Some(delegated) = &attribution.delegated else {
        return Some(format!("{} ({level})", named(process)));
    };
    Some(match &delegated.likely {
        Some(likely) => {
            let how = delegated.level.map_or("", AttributionLevel::as_str);
            format!("{} for {} ({}, {how})", named(process), named(likely), delegated.kind)
        }
        None => format!("{} for another ({}, {level})", named(process), delegated.kind),
    })
}

/// `2026-11-20 12:00:00.123`, in UTC.
fn clock(at: Timestamp) -> String {
    let text = at.to_string().replace('T', " ");
    text.get(..23).unwrap_or(&text).to_owned()
}

const fn short(level: Level) -> &'static str {
    match level {
        Level::Informational => "info",
        other => other.as_str(),
    }
}

const BOLD: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);
const CYAN: Style = AnsiColor::Cyan.on_default();

fn style(level: Level) -> Style {
    match level {
        Level::Informational => DIM,
        Level::Low => AnsiColor::Green.on_default(),
        Level::Medium => AnsiColor::Yellow.on_default(),
        Level::High => AnsiColor::Red.on_default().effects(Effects::BOLD),
        Level::Critical => AnsiColor::White.on(AnsiColor::Red).effects(Effects::BOLD),
    }
}

struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:#}", self.style, self.text, self.style)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;
    use super::*;
    use crate::hostname::Hostname;
    use crate::rules::Values;

    fn shown(records: &[Record], colours: bool) -> String {
        let mut text = Vec::new();
        let mut sink = Human::new(&mut text, colours);
        for record in records {
            sink.write(record).unwrap();
        }
        sink.flush().unwrap();
        sink.flush().unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn lines_are_aligned_and_the_table_follows() {
        let update = Alert { update: true, ..alert(question(1, 1), &[SeenIn::DnsQuery]) };
        let records = [
            Record::Alert(alert(hello(), &[SeenIn::DnsQuery, SeenIn::TlsSni])),
            Record::Alert(update),
            Record::Hostname(hello()),
            Record::Summary(summary(Level::Low)),
            Record::Summary(summary(Level::Informational)),
        ];
        assert_eq!(
            shown(&records, false),
            "\
2026-11-20 12:00:00.123  low       10.0.0.7         Dropbox             api.dropboxapi.com                    DNS, TLS → 162.125.1.19:443
2026-11-20 12:00:00.123  low       2001:db8::7      Dropbox             api.dropboxapi.com                    DNS → [2001:db8::53]:53  (update)
2026-11-20 12:00:00.123  10.0.0.7         api.dropboxapi.com                    TLS → 162.125.1.19:443

level  client    service  contacts  first – last                    names
low    10.0.0.7  Dropbox     1,234  2026-11-20 12:00:00 – 12:01:00  api.dropboxapi.com, content.dropboxapi.com
info   10.0.0.7  Dropbox     1,234  2026-11-20 12:00:00 – 12:01:00  api.dropboxapi.com, content.dropboxapi.com
"
        );
    }

    /// Where a rule fired on a connection, there is no service, and perhaps no name: the rule says what it is.
    #[test]
    fn a_connection_without_a_service_is_told_by_its_rule() {
        let observation = Observation {
            seen_in: SeenIn::Address,
            hostname: Hostname::new("162.125.1.19").unwrap(),
            detail: crate::inspect::Detail::Nothing,
            ..hello()
        };
        let entry = std::sync::Arc::new(crate::lists::Entry::of_rule("x"));
        let mut alert = alert(observation.clone(), &[SeenIn::Address]);
        alert.finding.contact.entry = entry.clone();
        let mut summary = summary(Level::Low);
        summary.finding.contact = crate::lists::Contact { observation, entry };
        summary.hostnames = Values::default();
        assert_eq!(
            shown(&[Record::Alert(alert), Record::Summary(summary)], false),
            "\
2026-11-20 12:00:00.123  low       10.0.0.7         (no service)        162.125.1.19:443                      a connection without a name → 162.125.1.19:443  Contact with a listed service

level  client    service       contacts  first – last                    names
low    10.0.0.7  (no service)     1,234  2026-11-20 12:00:00 – 12:01:00  Contact with a listed service
"
        );
    }

    #[test]
    fn colours_are_escape_sequences_and_nothing_else_changes() {
        for level in Level::ALL {
            let records = [
                Record::Alert(Alert {
                    finding: finding(hello(), level),
                    ..alert(hello(), &[SeenIn::DnsQuery, SeenIn::TlsSni])
                }),
                Record::Summary(summary(level)),
            ];
            let coloured = shown(&records, true);
            assert!(coloured.contains("\x1b["), "{level:?}");
            let mut plain = String::new();
            for (index, part) in coloured.split('\x1b').enumerate() {
                plain.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
            }
            assert_eq!(plain, shown(&records, false), "{level:?}");
        }
    }

    #[test]
    fn no_control_byte_of_another_gets_out() {
        for hostile in ["\x1b]0;title\x07", "a\r\nb", "\u{202e}moc.live", "zero\u{200b}width", "\u{9b}2J"] {
            let hostname = Hostname::new(hostile).unwrap();
            let observation = Observation { hostname: hostname.clone(), ..hello() };
            let mut alert = alert(observation.clone(), &[SeenIn::TlsSni]);
            alert.finding.contact.entry = entry(hostile, &[]);
            let mut summary = summary(Level::Low);
            summary.finding.contact.entry = entry(hostile, &[]);
            summary.hostnames = [hostname].into_iter().collect();
            let text = shown(
                &[Record::Alert(alert), Record::Hostname(observation), Record::Summary(summary)],
                false,
            );
            for line in text.lines() {
                assert_eq!(line, Printable(line).to_string(), "{hostile:?}");
            }
            assert_eq!(text.lines().count(), 5, "two lines, a blank one, the table: {text}");
        }
    }

    #[test]
    fn days_are_told_where_they_differ_and_names_are_few() {
        let mut summary = summary(Level::Low);
        summary.last = Timestamp::from_parts(1_795_176_000 + 86_400, 0);
        summary.hostnames =
            ["a.x", "b.x", "c.x", "d.x"].iter().map(|name| Hostname::new(name).unwrap()).collect();
        let text = shown(&[Record::Summary(summary)], false);
        assert!(text.contains("2026-11-20 12:00:00 – 2026-11-21 12:00:00"), "{text}");
        assert!(text.ends_with("a.x, b.x, 2 more\n"), "{text}");
    }

    #[test]
    fn memory_for_the_table_is_bounded() {
        let mut sink = Human::new(Vec::new(), false);
        for _ in 0..=MOST_ROWS {
            sink.write(&Record::Summary(summary(Level::Low))).unwrap();
        }
        assert_eq!(sink.rows.len(), 1);
        sink.flush().unwrap();
        let text = String::from_utf8(sink.output).unwrap();
        assert_eq!(text.lines().count(), MOST_ROWS + 1 + 2 * 2, "rows, and two heads with a blank line each");
    }
}
