//! Where records go, as it is written: `-`, a path, or a form with a name before it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Where records go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination {
    /// `-`: standard output.
    Stdout,
    /// `PATH` or `file:PATH`: a file. A replay empties it first; a live sensor adds to it.
    File(PathBuf),
    /// `unix:PATH`: lines to whoever listens on a stream socket.
    Unix(PathBuf),
    /// `tcp:HOST:PORT`: lines to whoever listens there.
    Tcp(String),
    /// `syslog:unix:PATH`: syslog messages (RFC 5424) to a local daemon.
    SyslogUnix(PathBuf),
    /// `syslog:tcp:HOST:PORT`: with the length before each (RFC 6587 section 3.4.1).
    SyslogTcp(String),
    /// `syslog:udp:HOST:PORT`: a datagram each (RFC 5426).
    SyslogUdp(String),
}

/// Forms with a name: the name, and whether a path follows or an address.
const FORMS: [(&str, bool); 6] = [
    ("syslog:unix:", true),
    ("syslog:tcp:", false),
    ("syslog:udp:", false),
    ("file:", true),
    ("unix:", true),
    ("tcp:", false),
];

impl Destination {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        if text == "-" {
            return Ok(Self::Stdout);
        }
        let bytes = text.as_bytes();
        let Some((form, rest)) = form(bytes) else {
            return match bytes.strip_prefix(b"syslog:") {
                Some(_) => {
                    Err("syslog goes to syslog:unix:PATH, syslog:tcp:HOST:PORT or syslog:udp:HOST:PORT"
                        .into())
                }
                None => Ok(Self::File(text.into())),
            };
        };
        if rest.is_empty() {
            return Err(format!("something is needed behind {form}"));
        }
        let path = || PathBuf::from(OsStr::from_bytes(rest));
        let address = || {
            let text = String::from_utf8_lossy(rest).into_owned();
            match text.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => Ok(text),
                _ => Err(format!("a host and a port are needed behind {form}, such as {form}192.0.2.1:514")),
            }
        };
        Ok(match form {
            "file:" => Self::File(path()),
            "unix:" => Self::Unix(path()),
            "tcp:" => Self::Tcp(address()?),
            "syslog:unix:" => Self::SyslogUnix(path()),
            "syslog:tcp:" => Self::SyslogTcp(address()?),
            _ => Self::SyslogUdp(address()?),
        })
    }

    /// The same text with its path, if it has one, taken from a folder.
    pub fn text_in(folder: &Path, text: &str) -> OsString {
        match form(text.as_bytes()) {
            _ if text == "-" => text.into(),
            Some((_, _)) if FORMS.iter().any(|(form, path)| !path && text.starts_with(form)) => text.into(),
            Some((form, rest)) => {
                let mut whole = OsString::from(form);
                whole.push(folder.join(OsString::from_vec(rest.to_vec())));
                whole
            }
            None => folder.join(text).into(),
        }
    }

    /// Whether it takes syslog messages.
    pub const fn is_syslog(&self) -> bool {
        matches!(self, Self::SyslogUnix(_) | Self::SyslogTcp(_) | Self::SyslogUdp(_))
    }

    /// The path that is written to or connected to.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Unix(path) | Self::SyslogUnix(path) => Some(path),
            _ => None,
        }
    }
}

fn form(text: &[u8]) -> Option<(&'static str, &[u8])> {
    FORMS.iter().find_map(|(form, _)| Some((*form, text.strip_prefix(form.as_bytes())?)))
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("standard output"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::SyslogUnix(path) => write!(f, "syslog:unix:{}", path.display()),
            Self::SyslogTcp(address) => write!(f, "syslog:tcp:{address}"),
            Self::SyslogUdp(address) => write!(f, "syslog:udp:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, expected) in [
            ("-", Ok(Destination::Stdout)),
            ("out.jsonl", Ok(Destination::File("out.jsonl".into()))),
            ("file:-", Ok(Destination::File("-".into()))),
            ("unix:/run/a", Ok(Destination::Unix("/run/a".into()))),
            ("tcp:[::1]:9", Ok(Destination::Tcp("[::1]:9".into()))),
            ("syslog:unix:/dev/log", Ok(Destination::SyslogUnix("/dev/log".into()))),
            ("syslog:tcp:a:6514", Ok(Destination::SyslogTcp("a:6514".into()))),
            ("syslog:udp:a:514", Ok(Destination::SyslogUdp("a:514".into()))),
            ("syslog:a", Err("syslog goes to")),
            ("tcp:a", Err("a host and a port are needed behind tcp:")),
            ("tcp::9", Err("a host and a port")),
            ("syslog:udp:a:http", Err("a host and a port")),
            ("unix:", Err("something is needed behind unix:")),
        ] {
            match (Destination::parse(OsStr::new(text)), expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found, expected, "{text}");
                }
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{text}: {found}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn paths_are_taken_from_the_folder_of_their_file() {
        for (text, expected) in [
            ("-", "-"),
            ("a/out", "/etc/u/a/out"),
            ("/out", "/out"),
            ("file:out", "file:/etc/u/out"),
            ("syslog:unix:/dev/log", "syslog:unix:/dev/log"),
            ("unix:s", "unix:/etc/u/s"),
            ("tcp:a:1", "tcp:a:1"),
            ("syslog:udp:a:1", "syslog:udp:a:1"),
        ] {
            assert_eq!(Destination::text_in(Path::new("/etc/u"), text), expected, "{text}");
        }
    }
}
