//! Telemetry as it arrives: files that grow, standard input, and sockets that senders connect to.
//!
//! One thread reads all of it, by epoll(7): senders send little, hundreds of them are idle, and what they send has to become one order anyway.
//! Each sender has a turn of one block whenever it has something, whatever the others do; each has its own framing, feed, progress
//! and time limits, so that whoever stalls, lies or floods harms itself. Records cross to the consumer in batches through a bounded
//! channel. When that is full nothing is read, the senders wait, and the time is counted.
//!
//! [`Arrival::open`] opens everything, which may need privileges; [`Arrival::start`] starts the thread, which needs none but to accept, read,
//! and open a followed file's successor in the same folder.
//!
//! * [`Address`] is what `--feed` names.
//! * Sockets are for this machine, or ask for a certificate ([`TlsFiles`]).
//! * [`Told::Passed`] says up to when everything that arrived was told: a live feed's part of the watermark.

mod address;
mod counts;
mod follow;
mod framing;
mod hub;
mod listen;
mod sender;
mod tls;

use std::fmt;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, bounded};

use crate::capture::Timestamp;
use crate::originator::feed::FeedFormat;
use crate::originator::record::Record;
use crate::runtime::spawn;

pub use address::{Address, AddressError};
pub use counts::{Counts, Ending, FileCounts, SenderCounts, SourceCounts};
pub use tls::{TlsError, TlsFiles};

use follow::Followed;
use hub::Hub;
use listen::Listener;
use sender::Stream;

/// Batches that wait for the consumer. Each holds records of a mebibyte, or little more with the last, so together they hold some 30 MiB at
/// the most.
const BATCHES: usize = 16;

/// What arrives.
#[derive(Debug)]
pub enum Told {
    /// Records.
    Records {
        /// The number of the source, in the order given.
        source: usize,
        /// When they came.
        at: Timestamp,
        /// What they are.
        records: Vec<Record<'static>>,
    },
    /// What came before this time was told, of every source.
    Passed(Timestamp),
    /// Something that people want to know: a sender that was refused, a file that was rotated.
    Notice {
        /// The number of the source.
        source: usize,
        /// What happened. It may name what others wrote.
        text: String,
    },
    /// A source has ended: standard input.
    Ended {
        /// The number of the source.
        source: usize,
    },
}

/// Sources that are open.
#[derive(Debug)]
pub struct Arrival {
    names: Vec<String>,
    listeners: Vec<Listener>,
    followed: Vec<(usize, Followed)>,
    streams: Vec<(usize, &'static str, Stream)>,
    folders: Vec<PathBuf>,
    format: Option<FeedFormat>,
}

/// Why a source cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// One of the sources: which, and why.
    Source(Address, io::Error),
    /// A file for TLS.
    Tls(TlsError),
    /// There is a source with TLS, and no files for it.
    NoTlsFiles(Address),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(address, why) => write!(f, "--feed {address}: {why}"),
            Self::Tls(why) => why.fmt(f),
            Self::NoTlsFiles(address) => {
                write!(f, "--feed {address}: needs --feed-tls-cert, --feed-tls-key and --feed-tls-ca")
            }
        }
    }
}

impl std::error::Error for OpenError {}

impl Arrival {
    /// Opens the sources, whose records are all of this format if one is stated: listens, and finds the files. The first thing that is wrong
    /// ends it.
    ///
    /// # Errors
    /// When a source or a file for TLS cannot be used. A followed file need not be there yet.
    pub fn open(
        sources: &[Address],
        tls: Option<&TlsFiles>,
        format: Option<FeedFormat>,
    ) -> Result<Self, OpenError> {
        let config = tls.map(TlsFiles::load).transpose().map_err(OpenError::Tls)?;
        let mut arrival = Self {
            names: Vec::new(),
            listeners: Vec::new(),
            followed: Vec::new(),
            streams: Vec::new(),
            folders: Vec::new(),
            format,
        };
        for (source, address) in sources.iter().enumerate() {
            let wrong = |why| OpenError::Source(address.clone(), why);
            let mut name = address.to_string();
            match address {
                Address::File(path) if is_pipe(path) => {
                    arrival.streams.push((source, "its writers", listen::pipe(path).map_err(wrong)?));
                }
                Address::File(path) => {
                    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                    arrival.folders.push(folder.map_or_else(|| ".".into(), PathBuf::from));
                    arrival.followed.push((source, Followed::new(path.clone(), format).map_err(wrong)?));
                }
                Address::Stdin => {
                    arrival.streams.push((source, "standard input", listen::stdin().map_err(wrong)?));
                }
                Address::Unix(path) => {
                    arrival.listeners.push(Listener::unix(source, path).map_err(wrong)?);
                }
                Address::Tcp(at) | Address::Tls(at) => {
                    let config = match (address, &config) {
                        (Address::Tls(_), Some(config)) => Some(config.clone()),
                        (Address::Tls(_), None) => return Err(OpenError::NoTlsFiles(address.clone())),
                        _ => None,
                    };
                    let listener = Listener::tcp(source, *at, config).map_err(wrong)?;
                    if let Some(local) = listener.local() {
                        name = if address.is_tls() { Address::Tls(local) } else { Address::Tcp(local) }
                            .to_string();
                    }
                    arrival.listeners.push(listener);
                }
            }
            arrival.names.push(name);
        }
        Ok(arrival)
    }

    /// The sources as they came to be, in the order given: with the port that the system chose.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Folders that have to stay readable once privileges are given up: successors of followed files appear there, and their copies.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// Starts the thread that reads.
    ///
    /// # Errors
    /// When the system has no room for it.
    pub fn start(self) -> io::Result<Arriving> {
        let (give, told) = bounded(BATCHES);
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Mutex::new(Counts::default()));
        let hub = Hub::new(self, give, stop.clone(), counts.clone())?;
        let thread = spawn("feeds".to_owned(), move || hub.run())?;
        Ok(Arriving { told, stop, counts, thread: Some(thread) })
    }
}

/// Sources that are being read.
#[derive(Debug)]
pub struct Arriving {
    told: Receiver<Told>,
    stop: Arc<AtomicBool>,
    counts: Arc<Mutex<Counts>>,
    thread: Option<JoinHandle<()>>,
}

impl Arriving {
    /// What arrives. It is disconnected when everything was told, after [`stop`](Self::stop) or when each source has ended.
    pub const fn told(&self) -> &Receiver<Told> {
        &self.told
    }

    /// What was counted up to a quarter of a second ago, and after the end all of it.
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Asks the thread to end: it reads what has come, tells it, and ends. What is told is to be received until then.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the thread, and drops what it still tells. Whether it ended as it should.
    pub fn join(mut self) -> bool {
        self.end()
    }

    fn end(&mut self) -> bool {
        self.stop();
        self.told.iter().for_each(drop);
        self.thread.take().is_none_or(|thread| thread.join().is_ok())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.end();
    }
}

fn is_pipe(path: &std::path::Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}
