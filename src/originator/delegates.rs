//! Processes that act for another: BITS, WebClient, the DNS client, `System`, proxies. The owner of the socket is then not who is behind it.
//!
//! Which they are stands in a data file, `delegates.toml`, which is meant to be edited.

use std::sync::{Arc, LazyLock};

use serde::Deserialize;

use super::class::Class;
use super::programs::{Place, Programs, spelling, stem};
use super::texts::file_name;

/// The table of delegates.
#[derive(Debug)]
pub(super) struct Delegates {
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    delegate: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    kind: Arc<str>,
    names: Vec<Box<str>>,
    pid: Option<u32>,
    #[serde(default)]
    command: Vec<Box<str>>,
    #[serde(default)]
    without_command: Vec<Box<str>>,
}

impl Delegates {
    /// The table that comes with the program.
    pub(super) fn builtin() -> &'static Self {
        // That the file can be read is held by a test.
        static BUILTIN: LazyLock<Delegates> =
            LazyLock::new(|| Delegates { entries: read(include_str!("delegates.toml")).unwrap_or_default() });
        &BUILTIN
    }

    /// Why the connections of processes are not their own that stand at a place of the table.
    pub(super) fn kind_at(&self, place: usize) -> Option<&Arc<str>> {
        self.entries.get(place).map(|entry| &entry.kind)
    }

    /// Why a process's connections are not its own, if they are not.
    #[cfg(test)]
    fn kind(&self, pid: Option<u32>, image: Option<&str>, command_line: Option<&str>) -> Option<&Arc<str>> {
        self.kind_at(self.place(pid, image, command_line)?)
    }

    /// Where in the table a process stands whose connections are not its own.
    pub(super) fn place(
        &self,
        pid: Option<u32>,
        image: Option<&str>,
        command_line: Option<&str>,
    ) -> Option<usize> {
        let image = image.filter(|image| !image.is_empty());
        let name = image.map(|image| file_name(image).to_ascii_lowercase());
        let command_line = command_line.map(str::to_ascii_lowercase);
        let holds = |words: &[Box<str>]| {
            command_line.as_deref().is_some_and(|line| words.iter().any(|word| line.contains(&**word)))
        };
        let found = self.entries.iter().position(|entry| {
            let named = name.as_deref().map(|name| entry.names.iter().any(|one| **one == *name));
            let is_it = match entry.pid {
                Some(_) => entry.pid == pid && named != Some(false),
                None => named == Some(true),
            };
            is_it && (entry.command.is_empty() || holds(&entry.command)) && !holds(&entry.without_command)
        });
        found.filter(|_| image.is_none_or(is_where_it_belongs))
    }
}

/// Whether a file lies where a program of its name does: what only bears a delegate's name acts for itself.
fn is_where_it_belongs(image: &str) -> bool {
    let path = spelling(image);
    let programs = Programs::builtin();
    let program = programs.named(stem(&path));
    match programs.place(&path, program) {
        Place::Own | Place::NotKnown => true,
        Place::Temporary | Place::Dropped => false,
        Place::Installed => {
            !program.is_some_and(|known| known.has_home() && known.class == Class::SystemService)
        }
        Place::Home | Place::UserInstalled | Place::Other => {
            !program.is_some_and(|known| known.has_home() && known.imitated)
        }
    }
}

fn read(text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    toml::from_str::<File>(text).map(|file| file.delegate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_can_be_read_and_is_in_lower_case() {
        let entries = read(include_str!("delegates.toml")).unwrap();
        assert!(entries.len() > 8);
        for entry in entries {
            let words = entry.names.iter().chain(&entry.command).chain(&entry.without_command);
            assert!(words.into_iter().all(|word| **word == *word.to_lowercase()), "{entry:?}");
        }
    }

    #[test]
    fn who_acts_for_another() {
        const SVCHOST: &str = "C:\\Windows\\System32\\svchost.exe";
        let delegates = Delegates::builtin();
        for (pid, image, command_line, expected) in [
            (700, SVCHOST, Some("C:\\Windows\\System32\\svchost.exe -k netsvcs -p -s BITS"), Some("bits")),
            (700, SVCHOST, Some("svchost.exe -k LocalService -p -s WebClient"), Some("webclient")),
            (700, SVCHOST, Some("svchost.exe -k NetworkService -p -s Dnscache"), Some("dns-client")),
            (700, SVCHOST, Some("svchost.exe -k netsvcs -p -s wuauserv"), None),
            (700, SVCHOST, Some("svchost.exe -k netsvcs"), Some("service-host")),
            (700, SVCHOST, None, Some("service-host")),
            (4, "System", None, Some("system")),
            (4, "", None, Some("system")),
            (4, "C:\\Windows\\System32\\smss.exe", None, None),
            (5, "C:\\Users\\a\\System", None, None),
            (9, "/usr/lib/systemd/systemd-resolved", None, Some("dns-client")),
            (
                9,
                "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18\\MsMpEng.exe",
                None,
                Some("antivirus"),
            ),
            (
                9,
                "C:\\Windows\\System32\\rundll32.exe",
                Some("rundll32.exe C:\\Windows\\system32\\davclnt.dll,DavSetCookie"),
                Some("webclient"),
            ),
            (9, "C:\\Windows\\System32\\rundll32.exe", Some("rundll32.exe a.dll,b"), None),
            (9, "C:\\Windows\\System32\\bitsadmin.exe", None, None),
            // What only bears the name.
            (9, "C:\\Users\\u\\Downloads\\MsMpEng.exe", None, None),
            (9, "C:\\Users\\u\\svchost.exe", Some("svchost.exe -k netsvcs -p -s BITS"), None),
            (9, "C:\\Program Files\\x\\svchost.exe", None, None),
            (9, "/tmp/squid", None, None),
            (9, "/usr/sbin/squid", None, Some("proxy")),
            (9, "D:\\Tools\\Fiddler.exe", None, Some("proxy")),
            (9, "MsMpEng.exe", None, Some("antivirus")),
        ] {
            let kind = delegates.kind(Some(pid), Some(image), command_line).map(|kind| &**kind);
            assert_eq!(kind, expected, "{pid} {image} {command_line:?}");
        }
        assert_eq!(delegates.kind(Some(4), None, None).map(|kind| &**kind), Some("system"));
        assert_eq!(delegates.kind(None, None, None), None);
    }
}
