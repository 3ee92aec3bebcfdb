//! What `--feed` names: a file that is followed, standard input, or a socket that senders connect to.

use std::ffi::OsStr;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The most bytes of a socket's path: `sun_path` of unix(7) has 108, the last of which is nought.
const MOST_PATH: usize = 107;

/// Where telemetry comes from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Address {
    /// A file, which a live sensor follows.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// A Unix socket, which is made.
    Unix(PathBuf),
    /// An address on loopback, which is listened on.
    Tcp(SocketAddr),
    /// An address that is listened on, for senders that show a certificate.
    Tls(SocketAddr),
}

impl Address {
    /// Reads the value of `--feed`: `PATH`, `-`, `unix:PATH`, `tcp:ADDRESS:PORT` or `tls:ADDRESS:PORT`. A file whose name begins like one
    /// of these is written with `./` before it.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn parse(text: &OsStr) -> Result<Self, AddressError> {
        let bytes = text.as_bytes();
        let after = |way: &str| bytes.strip_prefix(way.as_bytes());
        if bytes.is_empty() {
            Err(AddressError::Empty)
        } else if bytes == b"-" {
            Ok(Self::Stdin)
        } else if let Some(path) = after("unix:") {
            match path.len() {
                0 => Err(AddressError::NoPath),
                1..=MOST_PATH => Ok(Self::Unix(PathBuf::from(OsStr::from_bytes(path)))),
                length => Err(AddressError::PathTooLong(length)),
            }
        } else if let Some(address) = after("tcp:") {
            let address = socket("tcp", address)?;
            if is_loopback(address.ip()) { Ok(Self::Tcp(address)) } else { Err(AddressError::Open(address)) }
        } else if let Some(address) = after("tls:") {
            Ok(Self::Tls(socket("tls", address)?))
        } else if let Some(way) = other_way(bytes) {
            Err(AddressError::OtherWay(way))
        } else {
            Ok(Self::File(PathBuf::from(text)))
        }
    }

    /// Whether senders need a certificate.
    pub const fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("-"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Tls(address) => write!(f, "tls:{address}"),
        }
    }
}

/// Why a value of `--feed` names no source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AddressError {
    /// It is empty.
    Empty,
    /// `unix:` without a path.
    NoPath,
    /// A path that no socket can have: its length.
    PathTooLong(usize),
    /// `tcp:` or `tls:` without an address and a port: the way, and what stands there.
    NotAnAddress(&'static str, String),
    /// `tcp:` with an address that is not on loopback.
    Open(SocketAddr),
    /// A way in that there is not.
    OtherWay(String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => {
                f.write_str("is empty; give a file, -, unix:PATH, tcp:ADDRESS:PORT or tls:ADDRESS:PORT")
            }
            Self::NoPath => f.write_str("names no socket; write unix:/run/undertone/feed.sock"),
            Self::PathTooLong(length) => {
                write!(f, "has a path of {length} bytes; that of a socket has at most {MOST_PATH}")
            }
            Self::NotAnAddress(way, what) => {
                let example = if *way == "tls" { "0.0.0.0:6514" } else { "127.0.0.1:5170" };
                write!(
                    f,
                    "'{what}' is no numeric address with a port; write {way}:{example} or {way}:[::1]:5170"
                )
            }
            Self::Open(address) => write!(
                f,
                "{address} is not on loopback, so that others could write telemetry; use tls:{address} with --feed-tls-cert, \
                 --feed-tls-key and --feed-tls-ca"
            ),
            Self::OtherWay(way) => write!(
                f,
                "'{way}' is no way in; there are unix:PATH, tcp:ADDRESS:PORT and tls:ADDRESS:PORT, and a file of such a name is \
                 written with ./ before it"
            ),
        }
    }
}

impl std::error::Error for AddressError {}

/// Whether only this machine reaches it.
fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn socket(way: &'static str, text: &[u8]) -> Result<SocketAddr, AddressError> {
    let text = String::from_utf8_lossy(text);
    text.parse().map_err(|_| AddressError::NotAnAddress(way, text.into_owned()))
}

/// What looks like a URL, or like a way in that others have.
fn other_way(text: &[u8]) -> Option<String> {
    let colon = text.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = text.split_at_checked(colon)?;
    let known = [&b"udp"[..], b"http", b"https", b"syslog", b"relp", b"kafka", b"file", b"stdin", b"ssl"];
    let is_url = rest.starts_with(b"://") && scheme.iter().all(u8::is_ascii_alphanumeric);
    let scheme = scheme.to_ascii_lowercase();
    let is_way = is_url
        || known.contains(&scheme.as_slice())
        || matches!(scheme.as_slice(), b"tcp" | b"tls" | b"unix");
    (is_way && colon > 0)
        .then(|| format!("{}:", String::from_utf8_lossy(text.get(..colon).unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = match Address::parse(OsStr::new(text)) {
            Ok(address) => format!("{address:?}"),
            Err(error) => error.to_string(),
        };
        assert!(told.contains(expected), "{text}: {told}");
    }

    #[test]
    fn every_way_in_is_known() {
        check("events.json", r#"File("events.json")"#);
        check("./tcp:x", r#"File("./tcp:x")"#);
        check("a:b.json", r#"File("a:b.json")"#);
        check("-", "Stdin");
        check("unix:/run/feed.sock", r#"Unix("/run/feed.sock")"#);
        check("tcp:127.0.0.1:5170", "Tcp(127.0.0.1:5170)");
        check("tcp:127.9.9.9:1", "Tcp(");
        check("tcp:[::1]:5170", "Tcp([::1]:5170)");
        check("tcp:[::ffff:127.0.0.1]:5170", "Tcp(");
        check("tls:0.0.0.0:6514", "Tls(0.0.0.0:6514)");
    }

    #[test]
    fn what_is_wrong_is_named_with_what_is_right() {
        check("", "is empty; give a file");
        check("unix:", "names no socket; write unix:");
        check(&format!("unix:/{}", "x".repeat(107)), "a path of 108 bytes; that of a socket has at most 107");
        check("tcp:", "'' is no numeric address with a port; write tcp:127.0.0.1:5170");
        check("tcp:5170", "'5170' is no numeric address");
        check("tcp:localhost:5170", "'localhost:5170' is no numeric address");
        check("tls:::1:6514x", "write tls:0.0.0.0:6514");
        check(
            "tcp:0.0.0.0:5170",
            "0.0.0.0:5170 is not on loopback, so that others could write telemetry; use tls:0.0.0.0:5170",
        );
        check("tcp:[::]:5170", "is not on loopback");
        check("tcp:10.0.0.1:5170", "is not on loopback");
        check("udp:127.0.0.1:514", "'udp:' is no way in");
        check("https://splunk/", "'https:' is no way in");
        check("TCP:127.0.0.1:5170", "'TCP:' is no way in");
    }

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in ["a/b.json", "-", "unix:/run/x", "tcp:127.0.0.1:1", "tls:[::]:6514"] {
            assert_eq!(Address::parse(OsStr::new(text)).unwrap().to_string(), text);
        }
    }
}
