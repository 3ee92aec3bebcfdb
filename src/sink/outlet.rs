//! A destination that is open, or is opened again: lines go out whole, and what was not taken is known.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::Destination;

/// When a file is put aside and a new one begun.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rotation {
    /// A file does not become longer than so many bytes, unless one record is.
    pub size: Option<u64>,
    /// A file does not become older.
    pub age: Option<Duration>,
    /// So many old files are kept: `NAME.1` is the youngest of them.
    pub keep: u32,
}

/// A destination.
#[derive(Debug)]
pub struct Outlet {
    destination: Destination,
    rotation: Rotation,
    /// Addresses of its host, which are looked up once: later there may be no right to.
    addresses: Vec<SocketAddr>,
    open: Option<Open>,
}

#[derive(Debug)]
enum Open {
    Stdout(io::Stdout),
    File { file: File, regular: bool, length: u64, begun: SystemTime },
    Stream(Stream),
    Unix(UnixDatagram),
    Udp(UdpSocket),
}

/// How lines go over a connection.
#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
    /// With its length before each message, and without a line end.
    SyslogTcp(TcpStream),
    /// A local daemon that takes no datagrams.
    SyslogUnix(UnixStream),
}

/// Lines that were not delivered.
#[derive(Debug)]
pub struct Undelivered {
    /// So many bytes of whole lines were delivered before.
    pub taken: usize,
    /// So many of these lines are lost, for they are longer than a message can be.
    pub lost: u64,
    /// Why no more.
    pub error: io::Error,
}

impl Undelivered {
    const fn nothing(error: io::Error) -> Self {
        Self { taken: 0, lost: 0, error }
    }
}

/// How long a connection may take to be made.
const PATIENCE: Duration = Duration::from_secs(5);

impl Outlet {
    /// Opens it. Only a file must be there: whoever listens on a socket may come later.
    ///
    /// # Errors
    /// When a file cannot be opened for writing, or a host has no address; the error names it.
    pub fn open(destination: &Destination, rotation: Rotation, append: bool) -> io::Result<Self> {
        let named = |error: io::Error| {
            io::Error::new(error.kind(), format!("{destination}: cannot be written: {error}"))
        };
        let addresses = match destination {
            Destination::Tcp(address) | Destination::SyslogTcp(address) | Destination::SyslogUdp(address) => {
                address.to_socket_addrs().map_err(named)?.collect()
            }
            _ => Vec::new(),
        };
        let mut outlet = Self { destination: destination.clone(), rotation, addresses, open: None };
        match destination {
            Destination::Stdout => outlet.open = Some(Open::Stdout(io::stdout())),
            Destination::File(path) => {
                if !append {
                    File::create(path).map_err(named)?;
                }
                outlet.open = Some(file(path).map_err(named)?);
            }
            _ => {}
        }
        Ok(outlet)
    }

    /// What it is.
    pub const fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Whether it can come back once it has failed: what a pipe has lost is lost.
    pub const fn can_come_back(&self) -> bool {
        !matches!(self.destination, Destination::Stdout)
    }

    /// Opens a file again by its name, since somebody may have put it aside.
    ///
    /// # Errors
    /// When that cannot be opened; the old one is written to as before.
    pub fn reopen(&mut self) -> io::Result<()> {
        if let Destination::File(path) = &self.destination {
            self.open = Some(file(path)?);
        }
        Ok(())
    }

    /// Delivers lines, each whole or not at all as far as its kind can promise that. A connection that is not there is made. Gives how
    /// many lines are lost, for they are longer than a message can be.
    ///
    /// # Errors
    /// When not all were taken.
    pub fn deliver(&mut self, lines: &[u8]) -> Result<u64, Undelivered> {
        self.rotate(lines.len()).map_err(Undelivered::nothing)?;
        if self.open.is_none() {
            self.open = Some(self.connect().map_err(Undelivered::nothing)?);
        }
        let Some(open) = &mut self.open else { return Ok(0) };
        let result = open.deliver(lines);
        if result.is_err() && !matches!(open, Open::File { .. } | Open::Stdout(_)) {
            self.open = None;
        }
        result
    }

    fn connect(&self) -> io::Result<Open> {
        let tcp = || {
            let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in &self.addresses {
                match TcpStream::connect_timeout(address, PATIENCE) {
                    Ok(stream) => return Ok(stream),
                    Err(error) => failure = error,
                }
            }
            Err(failure)
        };
        Ok(match &self.destination {
            Destination::Stdout => Open::Stdout(io::stdout()),
            Destination::File(path) => file(path)?,
            Destination::Unix(path) => Open::Stream(Stream::Unix(UnixStream::connect(path)?)),
            Destination::Tcp(_) => Open::Stream(Stream::Tcp(tcp()?)),
            Destination::SyslogTcp(_) => Open::Stream(Stream::SyslogTcp(tcp()?)),
            Destination::SyslogUnix(path) => {
                let socket = UnixDatagram::unbound()?;
                match socket.connect(path) {
                    Ok(()) => Open::Unix(socket),
                    // EPROTOTYPE: it is a stream socket.
                    Err(_) => Open::Stream(Stream::SyslogUnix(UnixStream::connect(path)?)),
                }
            }
            Destination::SyslogUdp(_) => {
                let address = self.addresses.first().ok_or(io::ErrorKind::AddrNotAvailable)?;
                let any: SocketAddr = match address {
                    SocketAddr::V4(_) => ([0, 0, 0, 0], 0).into(),
                    SocketAddr::V6(_) => ([0u16; 8], 0).into(),
                };
                let socket = UdpSocket::bind(any)?;
                socket.connect(address)?;
                Open::Udp(socket)
            }
        })
    }

    /// Puts the file aside if it is time.
    fn rotate(&mut self, more: usize) -> io::Result<()> {
        let (Destination::File(path), Some(Open::File { regular: true, length, begun, .. })) =
            (&self.destination, &self.open)
        else {
            return Ok(());
        };
        let long = self.rotation.size.is_some_and(|size| length.saturating_add(more as u64) > size);
        let old = self.rotation.age.is_some_and(|age| begun.elapsed().unwrap_or_default() >= age);
        if *length == 0 || !(long || old) {
            return Ok(());
        }
        let aside = |number: u32| {
            let mut name = path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        for number in (1..self.rotation.keep).rev() {
            match std::fs::rename(aside(number), aside(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        match self.rotation.keep {
            0 => std::fs::remove_file(path)?,
            _ => std::fs::rename(path, aside(1))?,
        }
        self.open = Some(file(path)?);
        Ok(())
    }
}

/// Opens a file to add to it. What follows its last line end is the rest of a write that was cut short, and is taken away.
fn file(path: &Path) -> io::Result<Open> {
    let mut file = OpenOptions::new().append(true).create(true).open(path)?;
    let about = file.metadata()?;
    let mut length = about.len();
    if about.is_file() && length > 0 {
        // Files are not always readable to who writes them; then nothing is known of their end.
        if let Ok(whole) = whole_lines(path, length)
            && whole < length
        {
            file.set_len(whole)?;
            length = whole;
        }
        file.flush()?;
    }
    let begun = about.created().unwrap_or_else(|_| SystemTime::now());
    Ok(Open::File { file, regular: about.is_file(), length, begun })
}

/// How many bytes of a file are whole lines.
fn whole_lines(path: &Path, length: u64) -> io::Result<u64> {
    use std::os::unix::fs::FileExt;

    /// The longest line that is looked for, in bytes; far more than a record has.
    const LONGEST: u64 = 1 << 20;
    let file = File::open(path)?;
    let from = length.saturating_sub(LONGEST);
    let mut end = vec![0; usize::try_from(length - from).unwrap_or(0)];
    file.read_exact_at(&mut end, from)?;
    Ok(match end.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => from + at as u64 + 1,
        None if from == 0 => 0,
        // No file of lines: it is left as it is.
        None => length,
    })
}

impl Open {
    fn deliver(&mut self, lines: &[u8]) -> Result<u64, Undelivered> {
        match self {
            Self::Stdout(stdout) => {
                let mut stdout = stdout.lock();
                all(lines, |bytes| stdout.write(bytes))?;
                stdout.flush().map(|()| 0).map_err(Undelivered::nothing)
            }
            Self::File { file, regular, length, .. } => match all(lines, |bytes| (&*file).write(bytes)) {
                Ok(lost) => {
                    *length += lines.len() as u64;
                    Ok(lost)
                }
                // A line that has no room is taken away again, so that the next one does not follow its first half.
                Err(undelivered) if *regular => {
                    *length += undelivered.taken as u64;
                    let cut = file.set_len(*length);
                    Err(match cut {
                        Ok(()) => undelivered,
                        Err(error) => Undelivered { error, ..undelivered },
                    })
                }
                Err(undelivered) => Err(undelivered),
            },
            Self::Stream(Stream::Unix(stream)) => all(lines, |bytes| stream.write(bytes)),
            Self::Stream(Stream::Tcp(stream)) => all(lines, |bytes| stream.write(bytes)),
            Self::Stream(Stream::SyslogUnix(stream)) => all(lines, |bytes| stream.write(bytes)),
            Self::Stream(Stream::SyslogTcp(stream)) => each(lines, |message| {
                let mut frame = format!("{} ", message.len()).into_bytes();
                frame.extend_from_slice(message);
                stream.write_all(&frame)
            }),
            Self::Unix(socket) => each(lines, |message| socket.send(message).map(drop)),
            Self::Udp(socket) => each(lines, |message| socket.send(message).map(drop)),
        }
    }
}

/// Writes all bytes of some lines. What was taken are whole lines.
fn all(lines: &[u8], mut write: impl FnMut(&[u8]) -> io::Result<usize>) -> Result<u64, Undelivered> {
    let mut written = 0;
    while let Some(rest) = lines.get(written..).filter(|rest| !rest.is_empty()) {
        let error = match write(rest) {
            Ok(0) => io::ErrorKind::WriteZero.into(),
            Ok(bytes) => {
                written += bytes;
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        let whole = lines.get(..written).unwrap_or_default();
        let taken = memchr::memrchr(b'\n', whole).map_or(0, |at| at + 1);
        return Err(Undelivered { taken, lost: 0, error });
    }
    Ok(0)
}

/// Sends each line as a message.
fn each(lines: &[u8], mut send: impl FnMut(&[u8]) -> io::Result<()>) -> Result<u64, Undelivered> {
    let (mut taken, mut lost) = (0, 0);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match send(line.strip_suffix(b"\n").unwrap_or(line)) {
            // EMSGSIZE: no later attempt would do better. It is lost, and the rest goes on.
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => lost += 1,
            Err(error) => return Err(Undelivered { taken, lost, error }),
            Ok(()) => {}
        }
        taken += line.len();
    }
    Ok(lost)
}

/// For a run that may wait: an outlet that failed has failed.
impl Write for Outlet {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.deliver(lines).map(|_| lines.len()).map_err(|undelivered| undelivered.error)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read};
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn open(destination: &Destination) -> Outlet {
        Outlet::open(destination, Rotation::default(), true).unwrap()
    }

    #[test]
    fn a_file_is_added_to_behind_its_last_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        for (before, after) in
            [("", "new\n"), ("old\n", "old\nnew\n"), ("old\nto", "old\nnew\n"), ("to", "new\n")]
        {
            std::fs::write(&path, before).unwrap();
            open(&Destination::File(path.clone())).deliver(b"new\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after, "{before:?}");
        }
        Outlet::open(&Destination::File(path.clone()), Rotation::default(), false).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        let error = Outlet::open(&Destination::File(folder.path().join("no/out")), Rotation::default(), true);
        assert!(error.unwrap_err().to_string().contains("no/out: cannot be written: No such file"));
    }

    #[test]
    fn a_file_is_put_aside_when_it_is_long_or_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).ok();
        let rotation = Rotation { size: Some(10), age: None, keep: 2 };
        let mut outlet = Outlet::open(&Destination::File(path), rotation, true).unwrap();
        for line in ["first\n", "two\n", "third\n", "a longer one\n", "fifth\n"] {
            outlet.deliver(line.as_bytes()).unwrap();
        }
        assert_eq!(read("out").as_deref(), Some("fifth\n"));
        assert_eq!(read("out.1").as_deref(), Some("a longer one\n"));
        assert_eq!(read("out.2").as_deref(), Some("third\n"));
        assert_eq!(read("out.3"), None, "two are kept");

        let rotation = Rotation { size: None, age: Some(Duration::from_millis(30)), keep: 1 };
        let other = folder.path().join("aged");
        let mut outlet = Outlet::open(&Destination::File(other), rotation, true).unwrap();
        outlet.deliver(b"young\n").unwrap();
        outlet.deliver(b"still\n").unwrap();
        std::thread::sleep(Duration::from_millis(50));
        outlet.deliver(b"late\n").unwrap();
        assert_eq!(read("aged").as_deref(), Some("late\n"));
        assert_eq!(read("aged.1").as_deref(), Some("young\nstill\n"));
    }

    #[test]
    fn lines_and_messages_go_to_whoever_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let mut outlet = open(&Destination::Unix(path.clone()));
        // Nobody is there yet; then somebody is, goes, and comes back.
        assert_eq!(outlet.deliver(b"a\n").unwrap_err().taken, 0);
        let listener = UnixListener::bind(&path).unwrap();
        for _ in 0..2 {
            while outlet.deliver(b"a\nb\n").is_err() {}
            let mut line = String::new();
            BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
            assert_eq!(line, "a\n");
        }

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        for (destination, expected) in [
            (Destination::Tcp(address.clone()), "one\nand two\n"),
            (Destination::SyslogTcp(address), "3 one7 and two"),
        ] {
            let mut outlet = open(&destination);
            outlet.deliver(b"one\nand two\n").unwrap();
            drop(outlet);
            let mut text = String::new();
            listener.accept().unwrap().0.read_to_string(&mut text).unwrap();
            assert_eq!(text, expected);
        }

        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let local = folder.path().join("log");
        let unix = UnixDatagram::bind(&local).unwrap();
        let mut long = vec![b'x'; 70_000];
        long.extend(b"\none\ntwo\n");
        let mut buffer = [0; 100];
        let mut outlet = open(&Destination::SyslogUdp(udp.local_addr().unwrap().to_string()));
        assert_eq!(outlet.deliver(&long).unwrap(), 1, "what is longer than a datagram is lost, and counted");
        for expected in [&b"one"[..], b"two"] {
            let got = udp.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..got], expected);
        }
        open(&Destination::SyslogUnix(local)).deliver(b"one\ntwo\n").unwrap();
        for expected in [&b"one"[..], b"two"] {
            let got = unix.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..got], expected);
        }
    }
}
