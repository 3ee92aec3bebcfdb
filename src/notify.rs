//! Tells systemd how the sensor does (sd_notify(3)): that it listens, that it reads its lists again, that it ends, and once in a while that it
//! lives.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::{Duration, Instant};

/// A supervisor, if there is one.
#[derive(Debug, Default)]
pub struct Notify {
    socket: Option<UnixDatagram>,
    /// How often it wants to hear that the sensor lives.
    watchdog: Option<Duration>,
    spoke: Option<Instant>,
}

impl Notify {
    /// The supervisor that the environment names.
    ///
    /// # Errors
    /// When it names one that cannot be reached.
    pub fn from_environment() -> io::Result<Self> {
        let Some(name) = std::env::var_os("NOTIFY_SOCKET") else { return Ok(Self::default()) };
        let period = std::env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok());
        let mine = std::env::var("WATCHDOG_PID").ok().is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = period.filter(|_| mine).map(Duration::from_micros);
        Self::new(&name, watchdog).map_err(|error| {
            io::Error::new(error.kind(), format!("NOTIFY_SOCKET {}: {error}", name.display()))
        })
    }

    fn new(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        // With @ in front it is a name without a file.
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(rest) => SocketAddr::from_abstract_name(rest)?,
            None => SocketAddr::from_pathname(name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A supervisor that does not listen is none that the sensor waits for.
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(socket), watchdog, spoke: None })
    }

    /// Everything is open, and frames are looked at.
    pub fn ready(&self) {
        self.say("READY=1\n");
    }

    /// Configuration and lists are read again; [`ready`](Self::ready) says that this is over. With the time of the monotonic clock, by which a
    /// supervisor knows this from an earlier one (`Type=notify-reload`).
    pub fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
        self.say(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    }

    /// The end has begun.
    pub fn stopping(&self) {
        self.say("STOPPING=1\n");
    }

    /// The sensor lives: said twice as often as it is asked for, whoever calls more often.
    pub fn alive(&mut self) {
        let Some(period) = self.watchdog else { return };
        if self.spoke.is_none_or(|spoke| spoke.elapsed() >= period / 2) {
            self.spoke = Some(Instant::now());
            self.say("WATCHDOG=1\n");
        }
    }

    fn say(&self, text: &str) {
        if let Some(socket) = &self.socket {
            // Whoever does not hear it acts as if it was not said.
            drop(socket.send(text.as_bytes()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_hears_it_by_a_path_or_by_a_name_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let name = format!("undertone-test-{}", std::process::id());
        let sockets = [
            (UnixDatagram::bind(&path).unwrap(), path.into_os_string()),
            (
                UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(),
                format!("@{name}").into(),
            ),
        ];
        for (socket, name) in sockets {
            let mut notify = Notify::new(&name, Some(Duration::from_secs(60))).unwrap();
            notify.ready();
            notify.alive();
            notify.alive();
            notify.stopping();
            for expected in ["READY=1\n", "WATCHDOG=1\n", "STOPPING=1\n"] {
                let mut buffer = [0; 100];
                let got = socket.recv(&mut buffer).unwrap();
                assert_eq!(std::str::from_utf8(&buffer[..got]), Ok(expected));
            }
        }
        assert!(Notify::new(OsStr::new("/no/such"), None).is_err());
        Notify::default().ready();
    }
}
