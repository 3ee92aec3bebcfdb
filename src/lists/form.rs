//! The TOML form of lists: the built-in catalogue, and those of the user that say more than names.
//!
//! Made for reading and editing:
//!
//! ```toml
//! category = "cloud-storage"                       # for every service of the file, as are the next four
//! techniques = ["T1102.002", "T1567.002"]          # ATT&CK
//! tier = 2                                         # how noisy: 1 a contact is news … 4 on every network all day
//! also = ["collaboration"]                         # further categories
//! clients = ["@office", "dropbox"]                 # own programs: file names in lower case, without .exe; @ a class
//!
//! [expand]
//! site = ["paris", "rome"]                         # {site} in a suffix stands for each of these
//!
//! [[service]]
//! name = "Dropbox"                                 # without a name, each suffix is a service of its own
//! suffixes = ["dropbox.com", "dropboxapi.com"]     # each matches itself and every name below it
//! tenants = ["contoso.example"]                    # suffixes too: the label in front of them names a customer
//! not-tenants = ["www"]                            # but these labels do not
//! tiers = { "dropbox.com" = 3 }                    # where one suffix differs from its service
//! ```
//!
//! A service may say `category`, `techniques`, `tier`, `also` and `clients` for itself. It is read as a
//! document of its own, so that a mistake in one costs that one. `{aws-region}`, `{azure-region}` and `{gcp-region}` stand for
//! the words of `expand.toml`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use toml::Spanned;

use super::chunk::{Chunk, Cutter};
use super::service::{Service, Tier};
use super::suffix;
use crate::hostname::NameBuf;

/// What begins a service.
pub(super) const HEADER: &str = "[[service]]";

/// The category of lists that name none.
pub(super) const PLAIN_CATEGORY: &str = "user-list";

/// The tier of services that name none.
const PLAIN_TIER: i64 = 2;

/// Where what is read is put.
pub(super) trait Take {
    /// A service, to which the suffixes belong that follow.
    fn service(&mut self, service: Service);

    /// A suffix in canonical spelling, whether the label in front of it names a customer, and the line where it stands.
    fn suffix(&mut self, line: usize, suffix: &str, tier: Tier, tenants: bool);

    /// A text that was not taken, what is wrong with it, and what would be right.
    fn refuse(&mut self, line: usize, text: &str, wrong: &dyn Display, right: &dyn Display);
}

/// Words that every list may use in braces.
static WORDS: LazyLock<Words> = LazyLock::new(|| {
    // A test holds that it is well-formed.
    words().unwrap_or_default()
});

pub(super) type Words = BTreeMap<String, Vec<String>>;

/// Reads the words that every list may use in braces.
pub(super) fn words() -> Result<Words, toml::de::Error> {
    toml::from_str(include_str!("expand.toml"))
}

/// What a file says for all its services, or one says for itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Head {
    category: Option<String>,
    techniques: Option<Vec<String>>,
    tier: Option<i64>,
    also: Option<Vec<String>>,
    clients: Option<Vec<String>>,
    #[serde(default)]
    expand: Words,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    service: [Form; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Form {
    name: Option<String>,
    category: Option<String>,
    techniques: Option<Vec<String>>,
    tier: Option<i64>,
    also: Option<Vec<String>>,
    clients: Option<Vec<String>>,
    #[serde(default)]
    suffixes: Vec<Spanned<String>>,
    #[serde(default)]
    tenants: Vec<Spanned<String>>,
    #[serde(default)]
    not_tenants: Vec<String>,
    #[serde(default)]
    tiers: BTreeMap<Spanned<String>, i64>,
}

/// Reads a list line by line.
#[derive(Debug)]
pub(super) struct Reader {
    list: Arc<str>,
    head: Head,
    buffer: NameBuf,
    cutter: Cutter,
}

impl Reader {
    /// A reader of the list of this name.
    pub(super) fn new(list: Arc<str>) -> Self {
        Self { list, head: Head::default(), buffer: NameBuf::new(), cutter: Cutter::new(HEADER) }
    }

    /// Takes the next line, with its end.
    pub(super) fn line(&mut self, line: &str, take: &mut impl Take) {
        if let Some(chunk) = self.cutter.line(line) {
            self.chunk(&chunk, take);
        }
    }

    /// Takes the end of the list.
    pub(super) fn end(&mut self, take: &mut impl Take) {
        let cutter = std::mem::replace(&mut self.cutter, Cutter::new(HEADER));
        self.chunk(&cutter.end(), take);
    }

    fn chunk(&mut self, chunk: &Chunk, take: &mut impl Take) {
        let result = if chunk.is_entry(HEADER) {
            toml::from_str(&chunk.text).map(|Document { service: [form] }| self.service(chunk, form, take))
        } else {
            toml::from_str(&chunk.text).map(|head| self.head = head)
        };
        if let Err(error) = result {
            let (line, text) = chunk.line_at(error.span().map_or(0, |span| span.start));
            take.refuse(line, text, &error.message(), &"nothing was taken from this part of the file");
        }
    }

    fn service(&mut self, chunk: &Chunk, form: Form, take: &mut impl Take) {
        let head = &self.head;
        let strings = |own: Option<Vec<String>>, common: &Option<Vec<String>>| -> Box<[Box<str>]> {
            let list = own.or_else(|| common.clone()).unwrap_or_default();
            list.into_iter().map(String::into_boxed_str).collect()
        };
        take.service(Service {
            name: form.name.map(String::into_boxed_str),
            category: form
                .category
                .or_else(|| head.category.clone())
                .map_or_else(|| PLAIN_CATEGORY.into(), String::into_boxed_str),
            also: strings(form.also, &head.also),
            techniques: strings(form.techniques, &head.techniques),
            clients: strings(form.clients, &head.clients),
            not_tenants: strings(Some(form.not_tenants), &None),
            list: Arc::clone(&self.list),
        });
        let tier = form.tier.or(head.tier).unwrap_or(PLAIN_TIER);
        for (suffixes, tenants) in [(&form.suffixes, false), (&form.tenants, true)] {
            for suffix in suffixes {
                let tier = form.tiers.get(suffix.as_ref().as_str()).copied().unwrap_or(tier);
                self.suffix(chunk, suffix, tier, tenants, take);
            }
        }
        for suffix in form.tiers.keys() {
            if !form.suffixes.iter().chain(&form.tenants).any(|listed| listed == suffix) {
                let (line, text) = chunk.line_at(suffix.span().start);
                take.refuse(line, text, &"gives a tier to what is no suffix of this service", &"");
            }
        }
    }

    fn suffix(
        &mut self,
        chunk: &Chunk,
        text: &Spanned<String>,
        tier: i64,
        tenants: bool,
        take: &mut impl Take,
    ) {
        let (line, _) = chunk.line_at(text.span().start);
        let Some(tier) = Tier::from_number(tier) else {
            take.refuse(line, text.as_ref(), &format_args!("has tier {tier}"), &"tiers are 1 to 4");
            return;
        };
        for text in self.expanded(text.as_ref()) {
            match suffix::read(&text, &mut self.buffer) {
                Ok(suffix) => take.suffix(line, suffix, tier, tenants),
                Err(wrong) => take.refuse(line, &text, &wrong.wrong, &wrong.right),
            }
        }
    }

    /// The suffix with each word of `[expand]` in its place; itself, where there is none.
    fn expanded(&self, text: &str) -> Vec<String> {
        if !text.contains('{') {
            return vec![text.to_owned()];
        }
        let found = self.head.expand.iter().chain(&*WORDS).find_map(|(name, words)| {
            let (before, after) = text.split_once(&format!("{{{name}}}"))?;
            Some(words.iter().map(|word| format!("{before}{word}{after}")).collect())
        });
        found.unwrap_or_else(|| vec![text.to_owned()])
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::FILES;
    use super::super::chunk::chunks;
    use super::*;

    /// Services and suffixes in alphabetical order, so that everybody finds and adds them in the same place.
    #[test]
    fn the_catalogue_is_sorted() {
        let mut names = std::collections::HashSet::new();
        for file in FILES {
            let mut last = String::new();
            for chunk in chunks(file.text, HEADER).iter().skip(1) {
                let Document { service: [form] } = toml::from_str(&chunk.text).unwrap();
                let name = form.name.unwrap().to_lowercase();
                assert!(last < name, "{}: {name} after {last}", file.name);
                assert!(names.insert(name.clone()), "{}: {name} is a service of another file", file.name);
                last = name;
                assert!(!form.suffixes.is_empty() || !form.tenants.is_empty(), "{last}");
                for suffixes in [form.suffixes, form.tenants] {
                    assert!(suffixes.is_sorted_by(|a, b| a.as_ref() < b.as_ref()), "{}: {last}", file.name);
                }
            }
        }
    }

    #[test]
    fn words_of_all_lists_are_sorted() {
        let words = words().unwrap();
        assert!(!words.is_empty());
        assert!(words.values().all(|words| words.len() > 30 && words.is_sorted()));
    }
}
