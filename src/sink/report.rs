//! The closing summary: what was read, what was found, and what was not.
//!
//! The figures are gathered elsewhere; here they become text for people on standard error.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style};

use super::Printable;
use crate::capture::Timestamp;
use crate::rules::Level;

/// The figures of a run, as they are at its end. Lists are in any order; what is nought or empty is not shown.
#[derive(Clone, Debug, Default)]
pub struct Closing {
    /// Capture files or interfaces that were read.
    pub inputs: u64,
    /// Packets that were read.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Time of the earliest packet.
    pub first: Option<Timestamp>,
    /// Time of the latest packet.
    pub last: Option<Timestamp>,
    /// How long it took.
    pub wall: Duration,
    /// Hostnames seen, by the word for where.
    pub names: Vec<(String, u64)>,
    /// Packets that came twice and told something: it is counted once.
    pub copies: u64,
    /// Connections in which names go unseen, by what they are.
    pub blind: Vec<(String, u64)>,
    /// Contacts, by service.
    pub contacts: Vec<(String, u64)>,
    /// Alerts by level, in the order of [`Level::ALL`], written or not.
    pub findings: [u64; 5],
    /// Those of them that were below the least level and not written.
    pub withheld: u64,
    /// Alerts by the name of the rule that gave the level.
    pub rules: Vec<(String, u64)>,
    /// Records of telemetry, by feed and kind.
    pub feed: Vec<(String, u64)>,
    /// Hosts that they speak of.
    pub hosts: u64,
    /// Addresses that DHCP gave to clients by name.
    pub leases: u64,
    /// Processes that they speak of.
    pub processes: u64,
    /// Connections of these hosts that got a process, and all of them.
    pub connections: (u64, u64),
    /// Connections of these hosts by how their process is known.
    pub levels: Vec<(String, u64)>,
    /// What the clocks of records are off by.
    pub clocks: Vec<String>,
    /// What could not be read of telemetry, by reason.
    pub feed_refused: Vec<(String, u64)>,
    /// Contacts that an allow list allowed, by its entry.
    pub allowed: Vec<(String, u64)>,
    /// What the user should look at: entries of allow lists that were never used, or have expired.
    pub notes: Vec<String>,
    /// Packets that contradict a specification, by layer and reason.
    pub malformed: Vec<(String, u64)>,
    /// Packets of what is not decoded, by layer and number.
    pub unsupported: Vec<(String, u64)>,
    /// Packets that never came, by where they were lost.
    pub dropped: Vec<(String, u64)>,
    /// Limits that were reached, and how often: findings may be missing.
    pub limits: Vec<(String, u64)>,
    /// Captures that end in the middle of a packet: which, and where.
    pub cut_off: Vec<String>,
    /// Inputs that were not read: which, and why.
    pub not_read: Vec<String>,
}

/// Entries of a list that are shown unless all are wanted; the largest.
const SHOWN: usize = 8;

/// Where a line is broken, in characters.
const WIDTH: usize = 110;

/// Where the text after a label begins.
const INDENT: usize = 15;

impl Closing {
    /// The text, which ends with a line end; in full or with the largest entries of each list.
    pub fn show(&self, full: bool, colours: bool) -> String {
        let mut text = Text { text: String::new(), full, colours };
        text.line("", Tone::Head, &self.head());
        text.counts("names", Tone::Plain, &self.names);
        if self.copies > 0 {
            let packets = plural(self.copies, "packet");
            text.line(
                "mirrored",
                Tone::Plain,
                &[format!("{packets} a second time; what they tell is counted once")],
            );
        }
        text.counts("blind spots", Tone::Warning, &self.blind);
        text.counts("contacts", Tone::Plain, &self.contacts);
        text.line("findings", Tone::Found, &self.found());
        text.counts("rules", Tone::Plain, &self.rules);
        text.counts("feed", Tone::Plain, &self.feed);
        if self.hosts > 0 {
            text.line("", Tone::Plain, &self.told_by_feeds());
        }
        text.counts("attributed", Tone::Plain, &self.levels);
        text.each("clocks", Tone::Plain, &self.clocks);
        text.counts("unreadable", Tone::Warning, &self.feed_refused);
        text.counts("allowed", Tone::Plain, &self.allowed);
        text.each("to look at", Tone::Warning, &self.notes);
        text.counts("malformed", Tone::Warning, &self.malformed);
        text.counts("not decoded", Tone::Plain, &self.unsupported);
        text.counts("dropped", Tone::Warning, &self.dropped);
        text.counts("limits", Tone::Warning, &self.limits);
        text.each("cut off", Tone::Warning, &self.cut_off);
        text.each("not read", Tone::Error, &self.not_read);
        text.text
    }

    /// `1,234 packets   5.6 MB   2 inputs   1 h 2 min of traffic in 400 ms   3.1 M packets/s   1.2 Gbit/s`
    fn head(&self) -> Vec<String> {
        let mut head = vec![plural(self.packets, "packet"), scaled(self.bytes as f64, "B")];
        if self.inputs != 1 {
            head.push(plural(self.inputs, "input"));
        }
        let traffic = match (self.first, self.last) {
            (Some(first), Some(last)) => Duration::from_nanos(u64::try_from(last.since(first)).unwrap_or(0)),
            _ => Duration::ZERO,
        };
        head.push(format!("{} of traffic in {}", span(traffic), span(self.wall)));
        let seconds = self.wall.as_secs_f64();
        // The speed of a short run says nothing but how long it takes to begin.
        if seconds >= 0.01 && self.packets > 0 {
            head.push(scaled(self.packets as f64 / seconds, "packets/s"));
            head.push(scaled(self.bytes as f64 * 8.0 / seconds, "bit/s"));
        }
        head
    }

    /// `2 hosts   120 processes   17 of 18 connections of these hosts got a process (94 %)`
    fn told_by_feeds(&self) -> Vec<String> {
        let (named, known) = self.connections;
        let percent =
            (named * 100).checked_div(known).map(|share| format!(" ({share} %)")).unwrap_or_default();
        let leases = (self.leases > 0).then(|| format!("{} by DHCP", plural(self.leases, "lease")));
        let mut told = vec![plural(self.hosts, "host")];
        told.extend(leases);
        told.extend([
            plural_of(self.processes, "process", "processes"),
            format!(
                "{} of {} of these hosts got a process{percent}",
                count(named),
                plural(known, "connection")
            ),
        ]);
        told
    }

    fn found(&self) -> Vec<String> {
        let mut found: Vec<String> = Level::ALL
            .iter()
            .zip(self.findings)
            .rev()
            .filter(|(_, number)| *number > 0)
            .map(|(level, number)| format!("{} {}", count(number), level.as_str()))
            .collect();
        if found.is_empty() {
            found.push("none".to_owned());
        }
        if self.withheld > 0 {
            found.push(format!("({} below the least level not written)", count(self.withheld)));
        }
        found
    }
}

#[derive(Clone, Copy)]
enum Tone {
    Head,
    Plain,
    Found,
    Warning,
    Error,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Head => Style::new(),
            Self::Plain => Style::new().effects(Effects::DIMMED),
            Self::Found => Style::new().effects(Effects::BOLD),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Error => AnsiColor::Red.on_default().effects(Effects::BOLD),
        }
    }
}

struct Text {
    text: String,
    full: bool,
    colours: bool,
}

impl Text {
    /// A label and what belongs to it, on as many lines as are needed.
    fn line(&mut self, label: &str, tone: Tone, parts: &[String]) {
        let style = if self.colours { tone.style() } else { Style::new() };
        let mut column = INDENT;
        if matches!(tone, Tone::Head) {
            self.text.push_str("  ");
            column = 2;
        } else {
            // Writing to a String cannot fail.
            write!(self.text, "  {style}{label:<width$}{style:#}", width = INDENT - 2).unwrap_or_default();
        }
        for (index, part) in parts.iter().enumerate() {
            let width = part.chars().count();
            if index > 0 && column + 3 + width > WIDTH {
                self.text.push('\n');
                self.text.push_str(&" ".repeat(INDENT));
                column = INDENT;
            } else if index > 0 {
                self.text.push_str("   ");
                column += 3;
            }
            self.text.push_str(part);
            column += width;
        }
        self.text.push('\n');
    }

    /// The largest numbers first.
    fn counts(&mut self, label: &str, tone: Tone, counts: &[(String, u64)]) {
        let mut sorted: Vec<_> = counts.iter().filter(|(_, number)| *number > 0).collect();
        sorted.sort_by(|(name, number), (other_name, other)| other.cmp(number).then(name.cmp(other_name)));
        let shown = if self.full { sorted.len() } else { SHOWN };
        let mut parts: Vec<String> = sorted
            .iter()
            .take(shown)
            .map(|(name, number)| format!("{} {}", Printable(name), count(*number)))
            .collect();
        let rest: u64 = sorted.iter().skip(shown).map(|(_, number)| number).sum();
        if rest > 0 {
            parts.push(format!("({} others {})", count((sorted.len() - shown) as u64), count(rest)));
        }
        if !parts.is_empty() {
            self.line(label, tone, &parts);
        }
    }

    /// One line each.
    fn each(&mut self, label: &str, tone: Tone, lines: &[String]) {
        let shown = if self.full { lines.len() } else { SHOWN };
        for (index, line) in lines.iter().take(shown).enumerate() {
            self.line(if index == 0 { label } else { "" }, tone, &[Printable(line).to_string()]);
        }
        if lines.len() > shown {
            self.line("", tone, &[format!("and {} more; -v shows all", count((lines.len() - shown) as u64))]);
        }
    }
}

/// A number with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A quantity with a decimal prefix: `5.6 GB`, `3.1 M packets/s`.
pub fn scaled(quantity: f64, unit: &str) -> String {
    let (mut quantity, mut prefix) = (quantity, "");
    for larger in ["k", "M", "G", "T", "P"] {
        // What would be shown as 1000 has the next prefix.
        if quantity < 999.5 {
            break;
        }
        quantity /= 1000.0;
        prefix = larger;
    }
    let decimals = usize::from(!prefix.is_empty() && quantity < 99.95);
    // A unit of one letter, or bits, takes the prefix as its own; a word stands apart.
    let space = if prefix.is_empty() || unit.len() == 1 || unit == "bit/s" { "" } else { " " };
    format!("{quantity:.decimals$} {prefix}{space}{unit}")
}

/// A time in at most two units: `1 h 2 min`, `3.4 s`, `12 ms`.
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        86_400.. => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
        3_600.. => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        60.. => format!("{} min {} s", seconds / 60, seconds % 60),
        1.. => format!("{:.1} s", time.as_secs_f64()),
        0 => format!("{} ms", time.as_millis()),
    }
}

fn plural_of(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closing() -> Closing {
        let counts =
            |list: &[(&str, u64)]| list.iter().map(|(name, number)| ((*name).to_owned(), *number)).collect();
        Closing {
            inputs: 2,
            packets: 1_234_567,
            bytes: 8_210_000_000,
            first: Some(Timestamp::from_parts(0, 0)),
            last: Some(Timestamp::from_parts(7_980, 0)),
            wall: Duration::from_millis(3_200),
            blind: Vec::new(),
            names: counts(&[("dns_query", 12_034), ("tls_sni", 8_000), ("nothing", 0)]),
            copies: 1_200,
            contacts: counts(&[
                ("Pastebin", 12),
                ("Dropbox", 120),
                ("GitHub", 4),
                ("Discord", 4),
                ("Telegram", 3),
                ("a", 1),
                ("b", 1),
                ("c", 1),
                ("d", 1),
                ("e", 1),
            ]),
            findings: [7, 5, 0, 2, 0],
            withheld: 7,
            rules: counts(&[("Contact with a listed service", 14)]),
            feed: counts(&[("sysmon 3", 18), ("sysmon 1", 4)]),
            hosts: 1,
            leases: 2,
            processes: 30,
            connections: (17, 18),
            levels: counts(&[("tuple", 17), ("none", 1)]),
            clocks: vec!["ws5 sysmon trace: -1 min 1 s (from 17 connections)".into()],
            feed_refused: counts(&[("a.jsonl: broken JSON (first: line 7)", 2)]),
            allowed: counts(&[("ours.toml:3", 2)]),
            notes: vec!["ours.toml:9 was never used".to_owned()],
            malformed: counts(&[("ipv4: length", 3)]),
            unsupported: counts(&[("ethernet: 0x88cc", 40)]),
            dropped: Vec::new(),
            limits: counts(&[("open streams", 1)]),
            cut_off: vec!["a.pcap: in packet 17".into()],
            not_read: vec!["notes\x1b[2J.txt: no capture: begins with 23 20".into(), "b: gone".into()],
        }
    }

    #[test]
    fn it_reads_well() {
        assert_eq!(
            closing().show(false, false),
            "  1,234,567 packets   8.2 GB   2 inputs   2 h 13 min of traffic in 3.2 s   386 k packets/s   20.5 Gbit/s
  names        dns_query 12,034   tls_sni 8,000
  mirrored     1,200 packets a second time; what they tell is counted once
  contacts     Dropbox 120   Pastebin 12   Discord 4   GitHub 4   Telegram 3   a 1   b 1   c 1   (2 others 2)
  findings     2 high   5 low   7 informational   (7 below the least level not written)
  rules        Contact with a listed service 14
  feed         sysmon 3 18   sysmon 1 4
               1 host   2 leases by DHCP   30 processes
               17 of 18 connections of these hosts got a process (94 %)
  attributed   tuple 17   none 1
  clocks       ws5 sysmon trace: -1 min 1 s (from 17 connections)
  unreadable   a.jsonl: broken JSON (first: line 7) 2
  allowed      ours.toml:3 2
  to look at   ours.toml:9 was never used
  malformed    ipv4: length 3
  not decoded  ethernet: 0x88cc 40
  limits       open streams 1
  cut off      a.pcap: in packet 17
  not read     notes\\u{1b}[2J.txt: no capture: begins with 23 20
               b: gone
"
        );
    }

    #[test]
    fn in_full_nothing_is_left_out() {
        let text = closing().show(true, false);
        assert!(text.contains("d 1") && text.contains("e 1\n") && !text.contains("others"), "{text}");
    }

    #[test]
    fn nothing_is_a_summary_too() {
        assert_eq!(
            Closing { inputs: 1, packets: 1, bytes: 60, ..Closing::default() }.show(false, false),
            "  1 packet   60 B   0 ms of traffic in 0 ms\n  findings     none\n"
        );
    }

    #[test]
    fn no_line_is_too_long_and_lists_are_bounded() {
        let long = Closing {
            contacts: (0..200).map(|index| (format!("service number {index}"), index)).collect(),
            not_read: (0..50).map(|index| format!("file {index}")).collect(),
            ..Closing::default()
        };
        for (full, most, least) in [(false, 20, 10), (true, 200, 60)] {
            let text = long.show(full, false);
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
            assert!((least..most).contains(&text.lines().count()), "{text}");
        }
        assert!(long.show(false, false).contains("and 42 more; -v shows all"));
    }

    #[test]
    fn colours_touch_labels_only() {
        let coloured = closing().show(false, true);
        assert!(coloured.contains("\x1b[33mmalformed"), "{coloured}");
        assert!(!closing().show(false, false).contains('\x1b'));
    }

    #[test]
    fn numbers_are_readable() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (u64::MAX, "18,446,744,073,709,551,615")]
        {
            assert_eq!(count(number), text);
        }
        for (quantity, unit, text) in [
            (0.0, "B", "0 B"),
            (999.0, "B", "999 B"),
            (999.9, "B", "1.0 kB"),
            (1_500.0, "B", "1.5 kB"),
            (99_960.0, "B", "100 kB"),
            (20.5e9, "bit/s", "20.5 Gbit/s"),
            (3.14e6, "packets/s", "3.1 M packets/s"),
            (5e18, "B", "5000 PB"),
        ] {
            assert_eq!(scaled(quantity, unit), text);
        }
        for (time, text) in
            [(0, "0 ms"), (999, "999 ms"), (1_000, "1.0 s"), (61_000, "1 min 1 s"), (90_000_000, "1 d 1 h")]
        {
            assert_eq!(span(Duration::from_millis(time)), text);
        }
    }
}
