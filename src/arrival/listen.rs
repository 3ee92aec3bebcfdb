//! Sockets that senders connect to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt;
use rustls::ServerConfig;

use super::sender::{Peer, Stream};

/// What a Unix socket may be written to by: its owner and its group. `connect` needs the right to write.
const NOT_FOR_OTHERS: Mode = Mode::from_bits_retain(0o117);

/// When a silent connection is asked whether there is still somebody: after a minute, each quarter of a minute, four times. Without that,
/// machines that vanished would keep their places for ever.
const KEEPALIVE: (Duration, Duration, u32) = (Duration::from_secs(60), Duration::from_secs(15), 4);

/// A socket that is listened on.
#[derive(Debug)]
pub(super) struct Listener {
    /// The number of its source.
    pub(super) source: usize,
    socket: Socket,
    /// What senders have to show.
    pub(super) tls: Option<Arc<ServerConfig>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    /// Listens on an address.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn tcp(
        source: usize,
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { source, socket: Socket::Tcp(listener), tls })
    }

    /// Makes a Unix socket that its owner and group may write to. A socket that nobody listens on is replaced.
    ///
    /// # Errors
    /// When something else is there, or somebody listens there, or the system refuses.
    pub(super) fn unix(source: usize, path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(ErrorKind::AlreadyExists, "is there, and is no socket"));
            }
            Ok(_) => match UnixStream::connect(path) {
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
                Ok(_) => {
                    return Err(io::Error::new(ErrorKind::AddrInUse, "another program listens on it"));
                }
                Err(error) => return Err(error),
            },
            Err(_) => {}
        }
        // The mask is the process's: this is before there are other threads.
        let before = rustix::process::umask(NOT_FOR_OTHERS);
        let listener = UnixListener::bind(path);
        rustix::process::umask(before);
        let listener = listener?;
        listener.set_nonblocking(true)?;
        Ok(Self { source, socket: Socket::Unix(listener, path.to_owned()), tls: None })
    }

    /// The address as it came to be, where the system chose the port.
    pub(super) fn local(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok(),
            Socket::Unix(..) => None,
        }
    }

    /// The next that connects.
    ///
    /// # Errors
    /// When there is none, and when the system refuses.
    pub(super) fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.socket {
            Socket::Tcp(listener) => {
                let (stream, peer) = listener.accept()?;
                stream.set_nonblocking(true)?;
                // Refused for a connection that is broken already, which is noticed when it is read.
                _ = keep_alive(&stream);
                let peer = Peer { name: peer.to_string(), ip: Some(peer.ip().to_canonical()) };
                Ok((Stream::Tcp(stream), peer))
            }
            Socket::Unix(listener, _) => {
                let (stream, _) = listener.accept()?;
                stream.set_nonblocking(true)?;
                let name = match sockopt::socket_peercred(&stream) {
                    Ok(who) => format!("process {} of user {}", who.pid, who.uid),
                    Err(_) => "a process".to_owned(),
                };
                Ok((Stream::Unix(stream), Peer { name, ip: None }))
            }
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.socket {
            Socket::Tcp(listener) => listener.as_fd(),
            Socket::Unix(listener, _) => listener.as_fd(),
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Socket::Unix(_, path) = &self.socket {
            // Where that is no longer allowed, the next start replaces it.
            _ = fs::remove_file(path);
        }
    }
}

fn keep_alive(stream: &TcpStream) -> rustix::io::Result<()> {
    let (idle, interval, times) = KEEPALIVE;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, idle)?;
    sockopt::set_tcp_keepintvl(stream, interval)?;
    sockopt::set_tcp_keepcnt(stream, times)
}

/// Standard input, as a stream.
///
/// # Errors
/// When there is none.
pub(super) fn stdin() -> io::Result<Stream> {
    Ok(Stream::Pipe(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
}

/// A named pipe, which does not end when its writers do.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn pipe(path: &Path) -> io::Result<Stream> {
    // Whoever may write himself is never told that there are no writers.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).write(true).custom_flags(nonblocking).open(path).map(Stream::Pipe)
}
