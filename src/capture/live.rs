//! Frames from an interface, by libpcap.
//!
//! One [`Live`] is one capture handle. On Linux libpcap maps the kernel's ring of blocks (TPACKET_V3) as long as immediate mode is
//! off, and hands out frames where they lie in it. On that ring libpcap waits without end for the first frame, whatever
//! timeout it was given; so it is asked without waiting, and the waiting is done here.

use std::fmt;
use std::os::fd::{AsRawFd, RawFd};

use super::{Frame, LinkType, Timestamp};

/// An open capture on one interface.
pub struct Live {
    handle: pcap::Capture<pcap::Active>,
    link: LinkType,
    /// Whether the last look gave nothing.
    empty: bool,
    /// What the counters said before: they are 32 bits wide and wrap.
    last: (u32, u32, u32),
    totals: LiveCounts,
}

/// How an interface is captured.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Bytes to capture of each frame.
    pub snaplen: u32,
    /// Bytes for frames that wait in the kernel.
    pub buffer: u32,
    /// A filter in the language of libpcap, which the kernel runs.
    pub filter: Option<String>,
}

/// What the kernel counted for one handle since it was opened.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct LiveCounts {
    /// Frames that passed the filter.
    pub received: u64,
    /// Frames that the kernel dropped because nobody fetched them in time.
    pub dropped: u64,
    /// Frames that the interface or its driver dropped.
    pub interface_dropped: u64,
}

/// What a look at the interface gave.
#[derive(Debug)]
pub enum Look<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// Nothing at this moment; if there was nothing at the last look either, nothing for a tenth of a second.
    Idle,
}

impl Live {
    /// Opens an interface in promiscuous mode.
    ///
    /// # Errors
    /// When there is no such interface, the rights are missing, or the filter is wrong; the text names the interface.
    pub fn open(interface: &str, options: &LiveOptions) -> Result<Self, LiveError> {
        let failed = |doing: &'static str| {
            let interface = interface.to_owned();
            move |error: pcap::Error| LiveError { interface, doing, error }
        };
        let inactive = pcap::Capture::from_device(interface).map_err(failed("opening"))?;
        let limit = |bytes: u32| i32::try_from(bytes).unwrap_or(i32::MAX);
        let mut handle = inactive
            .promisc(true)
            .snaplen(limit(options.snaplen))
            .buffer_size(limit(options.buffer))
            // How long a block of the ring may wait to be full.
            .timeout(WAIT_MILLISECONDS)
            .precision(pcap::Precision::Nano)
            .open()
            .map_err(failed("opening"))?;
        if let Some(filter) = &options.filter {
            handle.filter(filter, true).map_err(failed("filtering"))?;
        }
        let handle = handle.setnonblock().map_err(failed("opening"))?;
        let link = LinkType(u16::try_from(handle.get_datalink().0).unwrap_or(u16::MAX));
        Ok(Self { handle, link, empty: false, last: (0, 0, 0), totals: LiveCounts::default() })
    }

    /// The next frame. It waits for a tenth of a second at the most, and less when a signal comes.
    ///
    /// # Errors
    /// When the interface can be read no more, for instance since it is gone.
    pub fn look(&mut self) -> Result<Look<'_>, pcap::Error> {
        let link = self.link;
        if std::mem::take(&mut self.empty) {
            wait(self.handle.as_raw_fd());
        }
        match self.handle.next_packet() {
            Ok(packet) => {
                let time = packet.header.ts;
                // With nanosecond precision libpcap fills the field of the microseconds with nanoseconds.
                let at = Timestamp::from_parts(time.tv_sec, u32::try_from(time.tv_usec).unwrap_or(0));
                Ok(Look::Frame(Frame { at, link, wire_len: packet.header.len, bytes: packet.data }))
            }
            Err(pcap::Error::TimeoutExpired) => {
                self.empty = true;
                Ok(Look::Idle)
            }
            Err(error) => Err(error),
        }
    }

    /// What the kernel counted so far. To be asked more often than 32-bit counters wrap: every few minutes.
    pub fn counts(&mut self) -> LiveCounts {
        if let Ok(now) = self.handle.stats() {
            self.totals.received += u64::from(now.received.wrapping_sub(self.last.0));
            self.totals.dropped += u64::from(now.dropped.wrapping_sub(self.last.1));
            self.totals.interface_dropped += u64::from(now.if_dropped.wrapping_sub(self.last.2));
            self.last = (now.received, now.dropped, now.if_dropped);
        }
        self.totals
    }
}

/// How long the kernel gathers frames before it hands them over, and how long a look waits for them.
const WAIT_MILLISECONDS: i32 = 100;

/// Waits until there is something to read, a signal comes, or time is up: whoever looks next finds out which.
#[allow(unsafe_code, reason = "the standard library cannot wait for a descriptor")]
fn wait(descriptor: RawFd) {
    let mut one = libc::pollfd { fd: descriptor, events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is to one pollfd that lives through the call; poll(2) writes nothing but its `revents`.
    unsafe { libc::poll(&raw mut one, 1, WAIT_MILLISECONDS) };
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("link", &self.link).field("totals", &self.totals).finish_non_exhaustive()
    }
}

/// Why an interface cannot be captured.
#[derive(Debug)]
pub struct LiveError {
    interface: String,
    doing: &'static str,
    error: pcap::Error,
}

impl fmt::Display for LiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} interface {:?}: {}", self.doing, self.interface, self.error)?;
        let text = self.error.to_string();
        if text.contains("not permitted") || text.contains("denied") {
            f.write_str(
                "; capturing needs the capability CAP_NET_RAW (run as root, or setcap cap_net_raw+ep)",
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for LiveError {}
