//! Contacts that are expected: who may reach what, until when, and who says so.
//!
//! A plain list has a hostname suffix a line. TOML says more:
//!
//! ```toml
//! [[allow]]
//! service = "Dropbox"                         # or suffix = "dropboxapi.com", or category = "cloud-storage"
//! tenant = "contoso"                          # of contoso.sharepoint.com
//! client = "10.1.0.0/16"                      # an address or a net
//! host = "ws5"                                # the endpoint's name, where its telemetry gives one
//! process = "dropbox"                         # the file name, with or without .exe
//! path = 'C:\Program Files\Dropbox\*'         # the whole path; * at the end for what follows
//! signer = "Dropbox, Inc"
//! owner = "it@contoso.example"
//! reason = "backup of the sales team"
//! expires = 2027-06-30                        # the last day, UTC
//! ```
//!
//! An entry holds when everything that it says is so; what is not known (a process, without telemetry) is not so. Of several the
//! most specific stands: first by process, then by client, then by name. `allow = false` makes an exception to a wider
//! entry. An allowed contact is still counted; entries that were never used, or had expired, can be told at the end.
//!
//! A suffix allows the service that it belongs to, and not what has an entry of its own below it: `googleapis.com` does not
//! allow `sheets.googleapis.com`.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

use super::chunk::{Chunk, chunks};
use super::problem::{Problem, Problems};
use super::{Entry, Lists, suffix};
use crate::capture::Timestamp;
use crate::hostname::NameBuf;

/// Everything that is allowed, and how often each entry was needed.
#[derive(Clone, Debug, Default)]
pub struct AllowList {
    entries: Vec<Allow>,
}

/// An entry of an allow list: every condition that is set must hold.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Allow {
    /// Whether it allows, or makes an exception to a wider entry.
    pub allow: bool,
    /// The service's name.
    pub service: Option<Box<str>>,
    /// A hostname suffix.
    pub suffix: Option<Box<str>>,
    /// The service of the list entry that the suffix meets.
    suffix_service: Option<Box<str>>,
    /// A category of services.
    pub category: Option<Box<str>>,
    /// The customer's label in the hostname.
    pub tenant: Option<Box<str>>,
    /// A net: an address and how many of its leading bits count.
    pub client: Option<(IpAddr, u8)>,
    /// The endpoint's name, in lower case.
    pub host: Option<Box<str>>,
    /// The process's file name, in lower case, without `.exe`.
    pub process: Option<Box<str>>,
    /// The process's path, in lower case; with `*` at its end, what it begins with.
    pub path: Option<Box<str>>,
    /// Who signed the process's file.
    pub signer: Option<Box<str>>,
    /// Who answers for the entry.
    pub owner: Option<Box<str>>,
    /// Why it is there.
    pub reason: Option<Box<str>>,
    /// The first moment at which it no longer holds.
    pub expires: Option<Timestamp>,
    /// Where it stands: the list and the line.
    pub list: Arc<str>,
    /// The line of the list, from 1.
    pub line: usize,
    /// Contacts that it decided.
    pub used: u64,
    /// Contacts that it would have decided, had it not expired.
    pub used_expired: u64,
}

/// Who made a contact, as far as that is known.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Its address on the wire.
    pub address: IpAddr,
    /// The endpoint's name.
    pub host: Option<&'a str>,
    /// The path of the process's file, or its name alone.
    pub image: Option<&'a str>,
    /// Who signed it.
    pub signer: Option<&'a str>,
}

impl AllowList {
    /// Without any entry.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds the text of an allow list, plain or TOML, and tells what it could not use. The lists say which service a suffix
    /// belongs to.
    pub fn add(&mut self, list: &str, text: impl AsRef<[u8]>, lists: &Lists) -> Vec<Problem> {
        let text = String::from_utf8_lossy(text.as_ref());
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let list: Arc<str> = list.into();
        let mut reader =
            Reader { problems: Problems::new(Arc::clone(&list)), list, lists, buffer: NameBuf::new() };
        if text.lines().any(|line| line.trim_start().starts_with(HEADER)) {
            self.entries.extend(chunks(text, HEADER).iter().filter_map(|chunk| reader.chunk(chunk)));
        } else {
            self.entries
                .extend((1..).zip(text.lines()).filter_map(|(number, line)| reader.line(number, line)));
        }
        reader.problems.finish()
    }

    /// The entry that allows a contact, if one does.
    pub fn allows(
        &mut self,
        at: Timestamp,
        client: Client<'_>,
        hostname: &str,
        entry: &Entry,
    ) -> Option<&Allow> {
        let image = client.image.map(str::to_lowercase);
        let client = Client { image: image.as_deref(), ..client };
        let mut best: Option<&mut Allow> = None;
        for allow in self.entries.iter_mut().filter(|allow| allow.holds(client, hostname, entry)) {
            if allow.expires.is_some_and(|expires| at >= expires) {
                allow.used_expired += 1;
            } else if best.as_ref().is_none_or(|best| best.rank() <= allow.rank()) {
                best = Some(allow);
            }
        }
        let best = best?;
        best.used += 1;
        best.allow.then_some(best)
    }

    /// Every entry, in the order in which they were added.
    pub fn entries(&self) -> &[Allow] {
        &self.entries
    }
}

impl Allow {
    /// Whether everything that it says is so, whenever the contact was. The image is in lower case.
    fn holds(&self, client: Client<'_>, hostname: &str, entry: &Entry) -> bool {
        let image = client.image;
        is(&self.service, |service| *service == *entry.service())
            && is(&self.suffix, |suffix| is_below(hostname, suffix))
            && is(&self.suffix_service, |service| *service == *entry.service())
            && is(&self.category, |category| entry.is_in(category))
            && is(&self.tenant, |tenant| entry.tenant(hostname) == Some(tenant))
            && self.client.is_none_or(|(net, bits)| is_in(client.address, net, bits))
            && is(&self.host, |host| client.host.is_some_and(|name| name.eq_ignore_ascii_case(host)))
            && is(&self.process, |process| image.is_some_and(|image| file_name(image) == process))
            && is(&self.path, |path| {
                image.is_some_and(|image| match path.strip_suffix('*') {
                    Some(front) => image.starts_with(front),
                    None => image == path,
                })
            })
            && is(&self.signer, |signer| client.signer == Some(signer))
    }

    /// How specific it is: more conditions on the process, then on the client, then on the name.
    fn rank(&self) -> impl Ord + use<> {
        let process = (self.path.is_some(), self.process.is_some(), self.signer.is_some());
        // An IPv4 net of n bits is as narrow as an IPv6 net of 96 + n.
        let bits = self.client.map(|(net, bits)| if net.is_ipv4() { bits.saturating_add(96) } else { bits });
        let name = (
            self.tenant.is_some(),
            self.suffix.as_ref().map(|suffix| suffix.len()),
            self.service.is_some(),
            self.category.is_some(),
        );
        (process, self.host.is_some(), bits, name)
    }

    /// How many contacts it decided, with its name; none where there were none.
    pub fn count(&self) -> Option<(String, u64)> {
        (self.used > 0).then(|| (self.to_string(), self.used))
    }

    /// What its owner should know: that it was never used, or has expired.
    pub fn note(&self) -> Option<String> {
        let owner = self.owner.as_ref().map(|owner| format!(" ({owner})")).unwrap_or_default();
        match (self.used, self.used_expired) {
            (0, 0) => Some(format!("{self}{owner} was never used")),
            (_, 0) => None,
            (_, times) => Some(format!("{self}{owner} has expired and would have been used {times} times")),
        }
    }

    fn has_no_condition(&self) -> bool {
        [
            &self.service,
            &self.suffix,
            &self.category,
            &self.tenant,
            &self.host,
            &self.process,
            &self.path,
            &self.signer,
        ]
        .iter()
        .all(|condition| condition.is_none())
            && self.client.is_none()
    }
}

impl std::fmt::Display for Allow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.list, self.line)
    }
}

/// Whether a condition is not set, or holds.
fn is(condition: &Option<Box<str>>, holds: impl Fn(&str) -> bool) -> bool {
    condition.as_deref().is_none_or(holds)
}

fn is_below(hostname: &str, suffix: &str) -> bool {
    hostname.strip_suffix(suffix).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

fn is_in(address: IpAddr, net: IpAddr, bits: u8) -> bool {
    let (difference, width) = match (address.to_canonical(), net) {
        (IpAddr::V4(address), IpAddr::V4(net)) => (u128::from(address.to_bits() ^ net.to_bits()), 32),
        (IpAddr::V6(address), IpAddr::V6(net)) => (address.to_bits() ^ net.to_bits(), 128),
        _ => return false,
    };
    difference.checked_shr(u32::saturating_sub(width, bits.into())).unwrap_or_default() == 0
}

/// The last part of a path of Windows or Unix, in lower case, without `.exe`.
fn file_name(path: &str) -> &str {
    let name = path.rsplit(['\\', '/']).next().unwrap_or_default();
    name.strip_suffix(".exe").unwrap_or(name)
}

const HEADER: &str = "[[allow]]";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    allow: [Form; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    allow: Option<bool>,
    service: Option<String>,
    suffix: Option<String>,
    category: Option<String>,
    tenant: Option<String>,
    client: Option<String>,
    host: Option<String>,
    process: Option<String>,
    path: Option<String>,
    signer: Option<String>,
    owner: Option<String>,
    reason: Option<String>,
    expires: Option<toml::value::Datetime>,
}

struct Reader<'a> {
    list: Arc<str>,
    lists: &'a Lists,
    buffer: NameBuf,
    problems: Problems,
}

impl Reader<'_> {
    fn line(&mut self, number: usize, line: &str) -> Option<Allow> {
        let text = line.split('#').next().unwrap_or_default().trim();
        if text.is_empty() {
            return None;
        }
        let mut allow = Allow { allow: true, list: Arc::clone(&self.list), line: number, ..Allow::default() };
        self.suffix(text, number, &mut allow).then_some(allow)
    }

    fn chunk(&mut self, chunk: &Chunk) -> Option<Allow> {
        if !chunk.is_entry(HEADER) {
            // What stands before the first entry can only be comments.
            let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
            let lines = (chunk.line..).zip(chunk.text.lines()).filter(|(_, line)| is_content(line));
            lines.for_each(|(number, line)| {
                self.problems.refuse(number, line, "stands before the first [[allow]]", "")
            });
            return None;
        }
        let form = match toml::from_str(&chunk.text) {
            Ok(Document { allow: [form] }) => form,
            Err(error) => {
                let (line, text) = chunk.line_at(error.span().map_or(0, |span| span.start));
                self.problems.refuse(line, text, error.message(), "this entry was not taken");
                return None;
            }
        };
        self.entry(chunk.line, form)
    }

    fn entry(&mut self, line: usize, form: Form) -> Option<Allow> {
        let lower = |text: Option<String>| text.map(|text| text.to_lowercase().into_boxed_str());
        let mut allow = Allow {
            allow: form.allow.unwrap_or(true),
            service: form.service.map(String::into_boxed_str),
            category: form.category.map(String::into_boxed_str),
            tenant: lower(form.tenant),
            host: lower(form.host),
            process: form.process.map(|name| file_name(&name.to_lowercase()).into()),
            path: lower(form.path),
            signer: form.signer.map(String::into_boxed_str),
            owner: form.owner.map(String::into_boxed_str),
            reason: form.reason.map(String::into_boxed_str),
            list: Arc::clone(&self.list),
            line,
            ..Allow::default()
        };
        if let Some(suffix) = form.suffix
            && !self.suffix(&suffix, line, &mut allow)
        {
            return None;
        }
        if let Some(client) = form.client {
            allow.client = net(&client);
            if allow.client.is_none() {
                self.problems.refuse(
                    line,
                    &client,
                    "is no address or net",
                    "write 10.0.0.7, 10.0.0.0/8 or fd00::/8",
                );
                return None;
            }
        }
        if let Some(date) = form.expires {
            allow.expires = end_of(&date.to_string());
            if allow.expires.is_none() {
                self.problems.refuse(line, &date.to_string(), "is no date", "write the last day: 2027-06-30");
                return None;
            }
        }
        if allow.has_no_condition() {
            self.problems.refuse(
                line,
                HEADER,
                "says nothing, and would allow everything",
                "name a service, a client or a process",
            );
            return None;
        }
        if let Some(service) = &allow.service
            && !self.lists.services().any(|known| *known == **service)
        {
            self.problems.note(line, service, "is no service of the lists, and never allows anything", "");
        }
        Some(allow)
    }

    fn suffix(&mut self, text: &str, line: usize, allow: &mut Allow) -> bool {
        match suffix::read(text, &mut self.buffer) {
            Ok(suffix) => {
                match self.lists.lookup(suffix) {
                    Some(entry) => allow.suffix_service = Some(entry.service().into()),
                    None => self.problems.note(
                        line,
                        text,
                        "meets no entry of the lists by itself",
                        "what is below it is allowed",
                    ),
                }
                allow.suffix = Some(suffix.into());
                true
            }
            Err(wrong) => {
                self.problems.refuse(line, text, wrong.wrong, wrong.right);
                false
            }
        }
    }
}

/// An address, or a net in CIDR notation.
fn net(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Some(width), |bits| bits.parse().ok())?;
    (bits <= width).then_some((address, bits))
}

/// The first moment after a day in UTC.
fn end_of(day: &str) -> Option<Timestamp> {
    let next: jiff::civil::Date = day.parse::<jiff::civil::Date>().ok()?.tomorrow().ok()?;
    let seconds = next.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second();
    Some(Timestamp::from_parts(seconds, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;

    /// 2027-06-30 at noon.
    const NOW: i64 = 1_814_356_800 * 1_000_000_000;

    const DROPBOX: &str = r"C:\Program Files\Dropbox\Client\Dropbox.exe";

    fn list(text: &str) -> (AllowList, Vec<String>) {
        let mut list = AllowList::new();
        let problems = list.add("allow", text, &Lists::builtin());
        (list, problems.iter().map(ToString::to_string).collect())
    }

    /// Whether 10.1.2.3, with the process at `image`, may reach `hostname`.
    fn allowed(list: &mut AllowList, hostname: &str, image: Option<&str>) -> bool {
        let lists = Lists::builtin();
        let client = Client { address: [10, 1, 2, 3].into(), host: Some("WS5"), image, signer: None };
        list.allows(Timestamp::from_nanos(NOW), client, hostname, lists.lookup(hostname).unwrap()).is_some()
    }

    #[track_caller]
    fn check(text: &str, hostname: &str, image: Option<&str>, expected: bool) {
        let (mut list, problems) = list(text);
        assert_eq!(problems, [""; 0]);
        assert_eq!(allowed(&mut list, hostname, image), expected, "{text}");
    }

    #[test]
    fn each_condition_must_hold() {
        let entry = |conditions: &str| format!("[[allow]]\n{conditions}\n");
        for (conditions, expected) in [
            ("service = 'Dropbox'", true),
            ("service = 'Box'", false),
            ("category = 'cloud-storage'", true),
            ("category = 'paste'", false),
            ("suffix = 'dropboxapi.com'", true),
            ("suffix = 'api.dropboxapi.com'", true),
            ("suffix = 'content.dropboxapi.com'", false),
            ("client = '10.1.2.3'", true),
            ("client = '10.0.0.0/8'", true),
            ("client = '0.0.0.0/0'", true),
            ("client = '10.2.0.0/16'", false),
            ("client = '::/0'", false),
            ("host = 'ws5'", true),
            ("host = 'ws6'", false),
            ("process = 'Dropbox.exe'", true),
            ("process = 'dropbox'", true),
            ("process = 'box'", false),
            (r"path = 'c:\program files\dropbox\*'", true),
            (r"path = 'C:\Program Files\Dropbox'", false),
            (r"path = 'C:\Users\*'", false),
            ("signer = 'Dropbox, Inc'", false),
            ("service = 'Dropbox'\nprocess = 'rclone'", false),
            ("service = 'Dropbox'\nexpires = 2027-06-30", true),
            ("service = 'Dropbox'\nexpires = 2027-06-29", false),
        ] {
            check(&entry(conditions), "api.dropboxapi.com", Some(DROPBOX), expected);
        }
        check("[[allow]]\ntenant = 'Contoso'", "contoso.sharepoint.com", None, true);
        check("[[allow]]\ntenant = 'contoso'", "fabrikam.sharepoint.com", None, false);
    }

    #[test]
    fn an_unknown_process_is_not_the_allowed_one() {
        check("[[allow]]\nprocess = 'dropbox'", "api.dropboxapi.com", None, false);
        check("[[allow]]\nhost = 'ws5'\nsigner = 'x'", "api.dropboxapi.com", None, false);
    }

    #[test]
    fn a_shared_parent_does_not_allow_its_children() {
        check("googleapis.com", "www.googleapis.com", None, true);
        check("googleapis.com", "iam.googleapis.com", None, true);
        check("googleapis.com", "sheets.googleapis.com", None, false);
        check("box.com # and dropbox?", "dropbox.com", None, false);
    }

    #[test]
    fn the_most_specific_stands() {
        let text = "[[allow]]\nclient = '10.0.0.0/8'\n[[allow]]\nclient = '10.1.0.0/16'\nallow = false\n\
                    [[allow]]\nprocess = 'dropbox'\n";
        check(text, "api.dropboxapi.com", None, false);
        check(text, "api.dropboxapi.com", Some(DROPBOX), true);
        check(
            "[[allow]]\nservice = 'Dropbox'\n[[allow]]\nservice = 'Dropbox'\nallow = false",
            "dropbox.com",
            None,
            false,
        );
    }

    #[test]
    fn use_and_expiry_are_counted() {
        let (mut list, _) = list(
            "[[allow]]\nservice = 'Dropbox'\n[[allow]]\nservice = 'Box'\n[[allow]]\nservice = 'Dropbox'\nexpires = 2020-01-01",
        );
        allowed(&mut list, "dropbox.com", None);
        allowed(&mut list, "dropbox.com", None);
        let used: Vec<_> =
            list.entries().iter().map(|allow| (allow.line, allow.used, allow.used_expired)).collect();
        assert_eq!(used, [(1, 2, 0), (3, 0, 0), (5, 0, 2)]);
    }

    #[test]
    fn the_last_day_counts_to_its_end() {
        let end = end_of("2027-06-30").unwrap().as_nanos();
        assert_eq!(end - NOW, DAY / 2);
        assert_eq!(end_of("2027-06-30T10:00:00Z"), None);
    }

    #[test]
    fn what_is_wrong_is_told_and_the_rest_kept() {
        let (list, told) = list(
            "# mine\nservice = 'Box'\n[[allow]]\nservice = 'Dropbox'\n[[allow]]\nservise = 'Box'\n[[allow]]\nclient = '10.0.0.0/33'\n\
             [[allow]]\nreason = 'none'\n[[allow]]\nservice = 'No Such'\n[[allow]]\nsuffix = 'https://x.example/'\n\
             [[allow]]\nsuffix = 'dropbox.com'\nexpires = 10:00:00\n",
        );
        assert_eq!(list.entries().iter().map(|allow| allow.line).collect::<Vec<_>>(), [3, 11]);
        let expected = [
            "allow:2: `service = 'Box'` stands before",
            "allow:6: `servise = 'Box'` unknown field",
            "allow:7: `10.0.0.0/33` is no address or net",
            "allow:9: `[[allow]]` says nothing",
            "allow:11: `No Such` is no service of the lists",
            "allow:13: `https://x.example/` is a URL",
            "allow:15: `10:00:00` is no date",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told} instead of {expected}");
        }
    }
}
