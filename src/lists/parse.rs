//! The formats of a list, recognised by what is in it.
//!
//! | Format | What it looks like | |
//! |---|---|---|
//! | plain text | `dropbox.com`, a suffix a line; `*.dropbox.com` and `.dropbox.com` mean the same | `#` comments |
//! | hosts file | `0.0.0.0 dropbox.com www.dropbox.com` | `#` comments; may be mixed with plain lines |
//! | response policy zone | `dropbox.com CNAME .` and `*.dropbox.com CNAME .` | `;` comments |
//! | TOML | as the built-in [`catalogue`](super::catalogue): [`form`](super::form) | service, category, tier |
//!
//! Whatever the format, an entry matches its suffix and every name below it. Each line that cannot be used is told with what
//! would be right, and the others are kept.

use std::net::IpAddr;
use std::sync::Arc;

use super::form::{HEADER, PLAIN_CATEGORY, Reader};
use super::index::Adding;
use super::lines::{Lines, content, text};
use super::problem::Problem;
use super::{Service, suffix};
use crate::hostname::NameBuf;

/// What a list looks like, which the whole of it says: its format, and how long it is.
///
/// Whoever reads a list twice, first for this and then for [what is in it](super::Builder::take), need not hold it in memory.
#[derive(Debug, Default)]
pub struct Outline {
    begun: Lines,
    seen: Seen,
    octets: usize,
}

#[derive(Debug, Default)]
struct Seen {
    lines: usize,
    is_utf16: bool,
    is_toml: bool,
    is_zone: bool,
}

impl Outline {
    /// Takes the next piece of the text.
    pub fn take(&mut self, piece: &[u8]) {
        self.octets += piece.len();
        self.begun.take(piece, &mut |line| self.seen.line(line));
    }
}

impl Seen {
    fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        if self.lines == 1 {
            self.is_utf16 = line.starts_with(b"\xff\xfe") || line.starts_with(b"\xfe\xff");
        }
        if !self.is_toml && !self.is_utf16 {
            let line = text(unmarked(line, self.lines));
            self.is_toml = looks_like_toml(content(&line));
            self.is_zone = self.is_zone || looks_like_zone(content(&line));
        }
    }
}

/// A line without the mark that some editors put in front of a file.
fn unmarked(line: &[u8], number: usize) -> &[u8] {
    if number == 1 { line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line) } else { line }
}

/// Takes a list piece by piece.
#[derive(Debug)]
pub struct Taking<'b> {
    adding: Adding<'b>,
    begun: Lines,
    /// The number of the line before the next.
    line: usize,
    format: Format,
}

#[derive(Debug)]
enum Format {
    /// Not read.
    Utf16,
    Toml(Box<Reader>),
    Lines(Plain),
    Zone(Plain, Zone),
}

impl<'b> Taking<'b> {
    pub(super) fn new(list: Arc<str>, mut outline: Outline, mut adding: Adding<'b>) -> Self {
        let Outline { begun, seen, octets } = &mut outline;
        begun.end(&mut |line| seen.line(line));
        let mut plain = || {
            // A line end and a dot or blank are no part of a suffix.
            adding.reserve(seen.lines, *octets);
            let about =
                Service { category: PLAIN_CATEGORY.into(), list: Arc::clone(&list), ..Service::default() };
            Plain { service: adding.plain_service(about), buffer: NameBuf::new() }
        };
        let format = match seen {
            Seen { is_utf16: true, .. } => Format::Utf16,
            Seen { is_toml: true, .. } => Format::Toml(Box::new(Reader::new(list))),
            Seen { is_zone: true, .. } => Format::Zone(plain(), Zone::default()),
            _ => Format::Lines(plain()),
        };
        if matches!(format, Format::Utf16) {
            adding.problems.refuse(0, "", "is UTF-16", "save it as UTF-8");
        }
        Self { adding, begun: Lines::default(), line: 0, format }
    }

    /// Takes the next piece of the text.
    pub fn take(&mut self, piece: &[u8]) {
        let Self { adding, begun, line: number, format } = self;
        begun.take(piece, &mut |line| format.line(line, number, adding));
    }

    /// Takes the end of the text. Tells what could not be used.
    pub fn end(mut self) -> Vec<Problem> {
        let Self { adding, begun, line: number, format } = &mut self;
        begun.end(&mut |line| format.line(line, number, adding));
        if let Format::Toml(reader) = format {
            reader.end(adding);
        }
        self.adding.problems.finish()
    }

    /// Takes that the text ends before its end, and why. Tells what could not be used.
    pub fn cut_off(mut self, why: &dyn std::fmt::Display) -> Vec<Problem> {
        self.adding.problems.refuse(0, "", why, "what stands before was taken");
        self.end()
    }
}

impl Format {
    fn line(&mut self, line: &[u8], number: &mut usize, adding: &mut Adding<'_>) {
        *number += 1;
        let line = text(unmarked(line, *number));
        match self {
            Self::Utf16 => {}
            Self::Toml(reader) => reader.line(&line, adding),
            Self::Lines(plain) => plain.line(*number, content(&line), adding),
            Self::Zone(plain, zone) => {
                if let Some(name) = zone.line(*number, content(&line), adding) {
                    plain.suffix(*number, content(&line), name, adding);
                }
            }
        }
    }
}

/// Whether a line can only be TOML: the header of a service, or a quoted value.
fn looks_like_toml(line: &str) -> bool {
    line.trim_start().starts_with(HEADER)
        || line.split_once('=').is_some_and(|(key, value)| {
            !key.trim().is_empty()
                && key.trim().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
                && value.trim_start().starts_with(['"', '\'', '['])
        })
}

/// Whether a line can only be of a zone file: a directive, or a record as policy zones and their heads have them.
fn looks_like_zone(line: &str) -> bool {
    if line.starts_with("$TTL") || line.starts_with("$ORIGIN") {
        return true;
    }
    let mut words = line.split_ascii_whitespace();
    match words.next() {
        None => false,
        Some(first) if first.starts_with(['#', ';']) => false,
        Some(_) => {
            words.take(3).any(|word| word.eq_ignore_ascii_case("CNAME") || word.eq_ignore_ascii_case("SOA"))
        }
    }
}

/// Lines that hold names and no more.
#[derive(Debug)]
struct Plain {
    /// The number of what stands behind them all.
    service: u32,
    buffer: NameBuf,
}

impl Plain {
    /// A plain line, or one of a hosts file.
    fn line(&mut self, number: usize, line: &str, adding: &mut Adding<'_>) {
        let content = line.split('#').next().unwrap_or_default();
        let mut words = content.split_ascii_whitespace();
        let Some(first) = words.next() else { return };
        match words.next() {
            None => self.suffix(number, line, first, adding),
            Some(second) if is_address(first) => {
                for name in std::iter::once(second).chain(words) {
                    // Every hosts file names the machine itself: a single label, or an address for a name.
                    if name.contains('.') && name != first && !OWN_NAMES.contains(&name) {
                        self.suffix(number, line, name, adding);
                    }
                }
            }
            Some(_) => adding.problems.refuse(
                number,
                line,
                "has several words",
                "write one hostname a line; what follows a # is a comment",
            ),
        }
    }

    fn suffix(&mut self, number: usize, line: &str, text: &str, adding: &mut Adding<'_>) {
        match suffix::read(text, &mut self.buffer) {
            Ok(suffix) => adding.plain(number, suffix, self.service),
            Err(wrong) => adding.problems.refuse(number, line, wrong.wrong, wrong.right),
        }
    }
}

/// How far a response policy zone was read (draft-vixie-dnsop-dns-rpz): what is left of its name is a trigger.
#[derive(Debug, Default)]
struct Zone {
    origin: String,
    /// Parentheses that are open, which let a record go on over line ends: RFC 1035 section 5.1.
    open: usize,
}

impl Zone {
    /// The trigger of a line, if it has one.
    fn line<'l>(&mut self, number: usize, line: &'l str, adding: &mut Adding<'_>) -> Option<&'l str> {
        let content = line.split(';').next().unwrap_or_default();
        let inside = self.open > 0;
        self.open = (self.open + content.matches('(').count()).saturating_sub(content.matches(')').count());
        let mut words = content.split_ascii_whitespace();
        let owner = words.next()?;
        if inside || content.starts_with([' ', '\t']) {
            return None;
        }
        if owner.starts_with('$') {
            match owner {
                "$TTL" => {}
                "$ORIGIN" => {
                    words.next().unwrap_or_default().trim_end_matches('.').clone_into(&mut self.origin)
                }
                _ => adding.problems.refuse(number, line, "is a directive that is not followed", ""),
            }
            return None;
        }
        let mut words = words.skip_while(|word| is_class_or_ttl(word));
        let (kind, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let is = |word: &str, one: &str| word.eq_ignore_ascii_case(one);
        if is(kind, "SOA") && owner.ends_with('.') && self.origin.is_empty() {
            owner.trim_end_matches('.').clone_into(&mut self.origin);
        }
        if owner == "@" || is(kind, "SOA") || is(kind, "NS") {
            return None;
        }
        if kind.is_empty() {
            adding.problems.refuse(number, line, "is no record", "write example.com CNAME .");
            return None;
        }
        if is(value, "rpz-passthru.") || is(value, "rpz-passthru") {
            adding.problems.note(number, line, "lets the name pass, and was not listed", "");
            return None;
        }
        let owner = match owner.strip_suffix('.') {
            Some(absolute) => absolute
                .strip_suffix(&*self.origin)
                .and_then(|name| name.strip_suffix('.'))
                .unwrap_or(absolute),
            None => owner,
        };
        if owner.rsplit('.').next().is_some_and(|label| label.starts_with("rpz-")) {
            adding.problems.refuse(
                number,
                line,
                "is a trigger on addresses or name servers, not on a hostname",
                "",
            );
            return None;
        }
        Some(owner)
    }
}

/// Names with a dot that hosts files give to the machine itself.
const OWN_NAMES: [&str; 3] = ["localhost.localdomain", "localhost4.localdomain4", "localhost6.localdomain6"];

/// Whether a word is an address, with or without the scope of a link-local one (`fe80::1%lo0`).
fn is_address(word: &str) -> bool {
    word.split('%').next().is_some_and(|address| address.parse::<IpAddr>().is_ok())
}

fn is_class_or_ttl(word: &str) -> bool {
    word.eq_ignore_ascii_case("IN") || word.as_bytes().first().is_some_and(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::lists::{Builder, Tier};

    /// The suffixes that a list gives, in order, and its problems as `line: what was wrong`.
    fn read(text: impl AsRef<[u8]>) -> (Vec<String>, Vec<String>) {
        let mut builder = Builder::new();
        let problems = builder.add("list", text);
        let lists = builder.build();
        let mut suffixes: Vec<_> = lists.entries().map(|entry| entry.suffix.to_string()).collect();
        suffixes.sort();
        (suffixes, problems.iter().map(|problem| format!("{}: {}", problem.line, problem.wrong)).collect())
    }

    #[track_caller]
    fn check(text: impl AsRef<[u8]>, suffixes: &[&str], problems: &[&str]) {
        let (got, told) = read(text);
        assert_eq!(got, suffixes);
        assert_eq!(told.len(), problems.len(), "{told:?}");
        for (told, problem) in told.iter().zip(problems) {
            assert!(told.starts_with(problem), "{told} instead of {problem}");
        }
    }

    #[test]
    fn plain_text() {
        check("", &[], &[]);
        check("\n\n# nothing\n   # here\n", &[], &[]);
        check("a.example", &["a.example"], &[]);
        check(
            "\u{feff}# my list\r\nA.Example.\r\n\t*.b.example   # why\r\n.c.example\r\n",
            &["a.example", "b.example", "c.example"],
            &[],
        );
        // Twice in one list is once.
        check("a.example\n*.a.example\n", &["a.example"], &[]);
    }

    #[test]
    fn each_bad_line_is_told_and_the_good_ones_are_kept() {
        check(
            "good.example\nhttps://pastebin.com/raw/x\nghostbin.co/\ntwo words.example\ncom\n10.0.0.1\n\
             ia*.us.archive.org\nb\u{fc}cher.example\na..b\n\u{1b}[31m.example\nalso.good.example",
            &["also.good.example", "good.example"],
            &[
                "2: is a URL",
                "3: has a path",
                "4: has several words",
                "5: is a single label",
                "6: is an address",
                "7: has a wildcard",
                "8: is not ASCII",
                "9: has an empty label",
                "10: has the character",
            ],
        );
        check(b"a.example\n\xff\xfe.example\nb.example\n", &["a.example", "b.example"], &["2: is not ASCII"]);
        check(b"\xff\xfea\0.\0b\0\n\0", &[], &["0: is UTF-16"]);
    }

    #[test]
    fn hosts_files() {
        check(
            "127.0.0.1 localhost localhost.localdomain\n::1 ip6-localhost\nfe80::1%lo0 localhost\n\
             255.255.255.255 broadcasthost\n0.0.0.0 0.0.0.0\n\
             0.0.0.0 a.example b.example # two\n0.0.0.0\tC.example\n:: d.example\nplain.example\n0.0.0.0 e.example/x\n",
            &["a.example", "b.example", "c.example", "d.example", "plain.example"],
            &["10: has a path"],
        );
    }

    #[test]
    fn response_policy_zones() {
        let zone = "$TTL 300\n@ IN SOA localhost. root.localhost. (\n  1 ; serial\n  2 3\n  4 5 )\n  IN NS localhost.\n\
             a.example CNAME . ; why\n*.a.example 60 IN CNAME *.\nb.example\tA\t127.0.0.1\nc.example CNAME rpz-passthru.\n\
             32.1.0.0.127.rpz-ip CNAME .\nd.example\n$INCLUDE other.zone\ne..example CNAME .\n";
        check(
            zone,
            &["a.example", "b.example"],
            &[
                "10: lets the name pass",
                "11: is a trigger on addresses",
                "12: is no record",
                "13: is a directive",
                "14: has an empty label",
            ],
        );
        check(
            "rpz.local. 60 IN SOA ns. root. 1 2 3 4 5\na.example.rpz.local. 60 IN CNAME .\n*.b.example.rpz.local. CNAME .\n",
            &["a.example", "b.example"],
            &[],
        );
        check(
            "$ORIGIN rpz.local.\na.example.rpz.local. CNAME .\nb.example CNAME .\n",
            &["a.example", "b.example"],
            &[],
        );
    }

    #[test]
    fn toml() {
        let text = r#"
category = "paste"
tier = 1
techniques = ["T1102.001"]
[expand]
n = ["1", "2"]

[[service]]
name = "A"
suffixes = ["a.example", "a{n}.example", "https://x.example/"]

[[service]] # nothing but tenants
name = "B"
category = "hosting"
tier = 3
tenants = ["b.example", "c.example"]
not-tenants = ["www"]
tiers = { "c.example" = 4, "d.example" = 1 }

[[service]]
nam = "C"
suffixes = ["never.example"]

[[service]]
suffixes = [
  "d.example",
  "e.example"
"#;
        check(
            text,
            &["a.example", "a1.example", "a2.example", "b.example", "c.example"],
            &["10: is a URL", "18: gives a tier", "21: unknown field", "27: unclosed array"],
        );
        let mut builder = Builder::new();
        builder.add("mine.toml", text);
        let lists = builder.build();
        let a = lists.entry("a2.example").unwrap();
        assert_eq!((a.service(), a.category(), a.tier, a.list()), ("A", "paste", Tier::One, "mine.toml"));
        assert_eq!(a.techniques().iter().map(|t| &**t).collect::<Vec<_>>(), ["T1102.001"]);
        assert_eq!(a.tenant("x.a2.example"), None);
        let b = lists.lookup("contoso.b.example").unwrap();
        assert_eq!((b.service(), b.category(), b.tier), ("B", "hosting", Tier::Three));
        assert_eq!(b.tenant("contoso.b.example"), Some("contoso"));
        assert_eq!(b.tenant("x.contoso.b.example"), Some("contoso"));
        assert_eq!(b.tenant("www.b.example"), None);
        assert_eq!(b.tenant("b.example"), None);
        assert_eq!(lists.entry("c.example").unwrap().tier, Tier::Four);
    }

    #[test]
    fn tiers_are_1_to_4() {
        check("[[service]]\ntier = 5\nsuffixes = [\n\"a.example\"]\n", &[], &["4: has tier 5"]);
        check(
            "tier = \"two\"\n[[service]]\nsuffixes = [\"a.example\"]\n",
            &["a.example"],
            &["1: invalid type"],
        );
    }

    #[test]
    fn a_file_of_another_kind_is_told_shortly() {
        let (suffixes, problems) = read("https://pastebin.com/x\n".repeat(5000));
        assert_eq!(suffixes, [""; 0]);
        assert_eq!(problems.len(), 1001);
        assert_eq!(problems.last().unwrap(), "0: has 4000 more lines that were refused");
    }

    #[test]
    fn a_problem_reads_as_a_sentence() {
        let told = |text: &str| Builder::new().add("/etc/list", text).remove(0).to_string();
        assert_eq!(
            told("a.example\nhttps://pastebin.com/raw/x"),
            "/etc/list:2: `https://pastebin.com/raw/x` is a URL, not a hostname; write pastebin.com"
        );
        assert_eq!(told("\u{1b}[31mx").matches('\u{1b}').count(), 0);
        assert!(told(&"x/".repeat(1000)).len() < 300);
    }

    /// What every list must stand: each prefix, and each byte changed, gives entries and problems and no panic; what was
    /// taken is a canonical hostname.
    #[test]
    fn cut_and_changed_anywhere() {
        let samples = [
            "a.example\n*.b.example # x\n0.0.0.0 c.example\n",
            "$TTL 1\n@ SOA a. b. ( 1 )\na.example CNAME .\n",
            "category = \"x\"\n[expand]\nn = [\"1\"]\n[[service]]\nname = \"A\"\nsuffixes = [\"a{n}.example\"]\ntiers = { \"a{n}.example\" = 1 }\n",
        ];
        for sample in samples {
            for end in 0..sample.len() {
                canonical(&sample.as_bytes()[..end]);
            }
            for at in 0..sample.len() {
                for byte in [0, b'\n', b' ', b'"', b'.', b'[', b'{', 0x80, 0xff] {
                    let mut changed = sample.as_bytes().to_vec();
                    changed[at] = byte;
                    canonical(&changed);
                }
            }
        }
    }

    fn canonical(text: &[u8]) {
        for suffix in read(text).0 {
            let hostname = crate::hostname::Hostname::new(&suffix).unwrap();
            assert_eq!(hostname.as_str(), suffix);
        }
    }

    proptest! {
        #[test]
        fn garbage(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            canonical(&text);
        }

        #[test]
        fn garbage_lines(lines in proptest::collection::vec("[a-z.*#/ \t=\"\\[\\];@:0-9CNAME$-]{0,30}", 0..20)) {
            canonical(lines.join("\n").as_bytes());
        }
    }
}
