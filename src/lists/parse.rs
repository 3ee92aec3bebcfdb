//! The formats of a list, recognised by what is in it.
//!
//! | Format | What it looks like | |
//! |---|---|---|
//! | plain text | `dropbox.com`, a suffix a line; `*.dropbox.com` and `.dropbox.com` mean the same | `#` comments |
//! | hosts file | `0.0.0.0 dropbox.com www.dropbox.com` | `#` comments; may be mixed with plain lines |
//! | response policy zone | `dropbox.com CNAME .` and `*.dropbox.com CNAME .` | `;` comments |
//! | TOML | as the built-in [`catalogue`] | service, category, tier |
//!
//! Whatever the format, an entry matches its suffix and every name below it. Each line that cannot be used is told with what
//! would be right, and the others are kept.

use std::net::IpAddr;
use std::sync::Arc;

use super::index::Adding;
use super::{Service, catalogue, suffix};
use crate::hostname::NameBuf;

/// The category of lists that name none.
pub(super) const PLAIN_CATEGORY: &str = "user-list";

/// Reads a list, whatever its format.
pub(super) fn parse(text: &[u8], list: &Arc<str>, adding: &mut Adding<'_>) {
    if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
        adding.problems.refuse(0, "", "is UTF-16", "save it as UTF-8");
        return;
    }
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    // Bytes that are no UTF-8 become U+FFFD, and so a line that is refused.
    let text = String::from_utf8_lossy(text);
    if text.lines().any(looks_like_toml) {
        catalogue::parse(&text, list, adding);
        return;
    }
    let about =
        Arc::new(Service { category: PLAIN_CATEGORY.into(), list: Arc::clone(list), ..Service::default() });
    let mut lines = Lines { about, buffer: NameBuf::new(), adding };
    lines.adding.reserve(memchr::memchr_iter(b'\n', text.as_bytes()).count());
    if text.lines().any(looks_like_zone) {
        lines.zone(&text);
    } else {
        lines.plain(&text);
    }
}

/// Whether a line can only be TOML: the header of a service, or a quoted value.
fn looks_like_toml(line: &str) -> bool {
    line.trim_start().starts_with(catalogue::HEADER)
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

struct Lines<'a, 'b> {
    about: Arc<Service>,
    buffer: NameBuf,
    adding: &'a mut Adding<'b>,
}

impl Lines<'_, '_> {
    /// Plain lines and those of hosts files.
    fn plain(&mut self, text: &str) {
        for (number, line) in (1..).zip(text.lines()) {
            let content = line.split('#').next().unwrap_or_default();
            let mut words = content.split_ascii_whitespace();
            let Some(first) = words.next() else { continue };
            match words.next() {
                None => self.suffix(number, line, first),
                Some(second) if is_address(first) => {
                    for name in std::iter::once(second).chain(words) {
                        // Every hosts file names the machine itself: a single label, or an address for a name.
                        if name.contains('.') && name != first && !OWN_NAMES.contains(&name) {
                            self.suffix(number, line, name);
                        }
                    }
                }
                Some(_) => self.adding.problems.refuse(
                    number,
                    line,
                    "has several words",
                    "write one hostname a line; what follows a # is a comment",
                ),
            }
        }
    }

    /// The records of a response policy zone (draft-vixie-dnsop-dns-rpz): what is left of the zone's name is a trigger.
    fn zone(&mut self, text: &str) {
        let mut origin = String::new();
        // Parentheses let a record go on over line ends: RFC 1035 section 5.1.
        let mut open = 0_usize;
        for (number, line) in (1..).zip(text.lines()) {
            let content = line.split(';').next().unwrap_or_default();
            let inside = open > 0;
            open = (open + content.matches('(').count()).saturating_sub(content.matches(')').count());
            let mut words = content.split_ascii_whitespace();
            let Some(owner) = words.next() else { continue };
            if inside || content.starts_with([' ', '\t']) {
                continue;
            }
            if owner.starts_with('$') {
                match owner {
                    "$TTL" => {}
                    "$ORIGIN" => origin = words.next().unwrap_or_default().trim_end_matches('.').to_owned(),
                    _ => self.adding.problems.refuse(number, line, "is a directive that is not followed", ""),
                }
                continue;
            }
            let mut words = words.skip_while(|word| is_class_or_ttl(word));
            let (kind, value) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let kind = kind.to_ascii_uppercase();
            if kind == "SOA" && owner.ends_with('.') && origin.is_empty() {
                origin = owner.trim_end_matches('.').to_owned();
            }
            if owner == "@" || matches!(&*kind, "SOA" | "NS") {
                continue;
            }
            if kind.is_empty() {
                self.adding.problems.refuse(number, line, "is no record", "write example.com CNAME .");
                continue;
            }
            if matches!(&*value.to_ascii_lowercase(), "rpz-passthru." | "rpz-passthru") {
                self.adding.problems.note(number, line, "lets the name pass, and was not listed", "");
                continue;
            }
            let owner = match owner.strip_suffix('.') {
                Some(absolute) => absolute
                    .strip_suffix(&*origin)
                    .and_then(|name| name.strip_suffix('.'))
                    .unwrap_or(absolute),
                None => owner,
            };
            if owner.rsplit('.').next().is_some_and(|label| label.starts_with("rpz-")) {
                self.adding.problems.refuse(
                    number,
                    line,
                    "is a trigger on addresses or name servers, not on a hostname",
                    "",
                );
                continue;
            }
            self.suffix(number, line, owner);
        }
    }

    fn suffix(&mut self, number: usize, line: &str, text: &str) {
        match suffix::read(text, &mut self.buffer) {
            Ok(suffix) => self.adding.suffix(number, suffix, &self.about),
            Err(wrong) => self.adding.problems.refuse(number, line, wrong.wrong, wrong.right),
        }
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
