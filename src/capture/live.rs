//! Frames from an interface, by libpcap.
//!
//! One [`Live`] is one capture handle. On Linux libpcap maps the kernel's ring of blocks (TPACKET_V3) as long as immediate mode is
//! off, and hands out frames where they lie in it. On that ring libpcap waits without end for the first frame, whatever
//! timeout it was given; so it is asked without waiting, and the waiting is done by [`Live::wait`].
//!
//! Handles of one [group](Live::open_group) share what passes an interface (packet(7), `PACKET_FANOUT_HASH`): the kernel gives each frame
//! to one of them, and those of one conversation, both ways and in fragments, to the same.

use std::fmt;
use std::io;
use std::ops::Add;
use std::os::fd::{AsRawFd, RawFd};

use super::{Frame, LinkType, Timestamp};

/// An open capture on one interface.
pub struct Live {
    handle: pcap::Capture<pcap::Active>,
    link: LinkType,
    interface: String,
    /// What was stamped before is not looked at: it was shared out while the group was not yet complete.
    begin: Timestamp,
    /// What the counters said before: they are 32 bits wide and wrap.
    last: (u32, u32, u32),
    totals: LiveCounts,
}

/// How an interface is captured.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// Bytes to capture of each frame.
    pub snaplen: u32,
    /// Bytes for frames that wait in the kernel, for each handle.
    pub buffer: u32,
    /// Whether frames that are for nobody here are wanted too.
    pub promiscuous: bool,
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
    /// Frames that came before the group was complete, and were not looked at.
    pub skipped: u64,
}

impl Add for LiveCounts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            received: self.received + more.received,
            dropped: self.dropped + more.dropped,
            interface_dropped: self.interface_dropped + more.interface_dropped,
            skipped: self.skipped + more.skipped,
        }
    }
}

/// What a look at the interface gave.
#[derive(Debug)]
pub enum Look<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// A frame that came before the group was complete.
    Early,
    /// Nothing at this moment.
    Idle,
}

impl Live {
    /// Opens so many handles on an interface, which share what passes it. Frames from before they were all there are to be left out:
    /// [`begin`](Self::begin) says when that was.
    ///
    /// # Errors
    /// When there is no such interface, the rights are missing, or the filter is wrong; the text names the interface.
    pub fn open_group(
        interface: &str,
        options: &LiveOptions,
        handles: usize,
    ) -> Result<Vec<Self>, LiveError> {
        let mut group: Vec<Self> =
            (0..handles).map(|_| Self::open(interface, options)).collect::<Result<_, _>>()?;
        if handles > 1 {
            let mut id = None;
            for live in &mut group {
                let joined = join(live.handle.as_raw_fd(), id).map_err(|error| LiveError {
                    interface: interface.to_owned(),
                    doing: "sharing out",
                    error: pcap::Error::PcapError(error.to_string()),
                })?;
                id = Some(joined);
            }
        }
        Ok(group)
    }

    /// What was stamped before this time is not looked at.
    pub const fn begin(&mut self, at: Timestamp) {
        self.begin = at;
    }

    fn open(interface: &str, options: &LiveOptions) -> Result<Self, LiveError> {
        let failed = |doing: &'static str| {
            let interface = interface.to_owned();
            move |error: pcap::Error| LiveError { interface, doing, error }
        };
        let inactive = pcap::Capture::from_device(interface).map_err(failed("opening"))?;
        let limit = |bytes: u32| i32::try_from(bytes).unwrap_or(i32::MAX);
        let mut handle = inactive
            .promisc(options.promiscuous)
            .snaplen(limit(options.snaplen))
            .buffer_size(limit(options.buffer))
            // How long a block of the ring may wait to be full.
            .timeout(Self::WAIT_MILLISECONDS)
            .precision(pcap::Precision::Nano)
            .open()
            .map_err(failed("opening"))?;
        if let Some(filter) = &options.filter {
            handle.filter(filter, true).map_err(failed("filtering"))?;
        }
        let handle = handle.setnonblock().map_err(failed("opening"))?;
        let link = LinkType(u16::try_from(handle.get_datalink().0).unwrap_or(u16::MAX));
        let begin = Timestamp::from_nanos(i64::MIN);
        let interface = interface.to_owned();
        Ok(Self { handle, link, interface, begin, last: (0, 0, 0), totals: LiveCounts::default() })
    }

    /// The next frame, without waiting.
    ///
    /// # Errors
    /// When the interface can be read no more, for instance since it is gone.
    #[inline]
    pub fn look(&mut self) -> Result<Look<'_>, pcap::Error> {
        match self.handle.next_packet() {
            Ok(packet) => {
                let time = packet.header.ts;
                // With nanosecond precision libpcap fills the field of the microseconds with nanoseconds.
                let at = Timestamp::from_parts(time.tv_sec, u32::try_from(time.tv_usec).unwrap_or(0));
                if at < self.begin {
                    self.totals.skipped += 1;
                    return Ok(Look::Early);
                }
                Ok(Look::Frame(Frame {
                    at,
                    link: self.link,
                    wire_len: packet.header.len,
                    bytes: packet.data,
                }))
            }
            Err(pcap::Error::TimeoutExpired) => Ok(Look::Idle),
            Err(error) => Err(error),
        }
    }

    /// How long the kernel gathers frames before it hands them over, in milliseconds, and how long [`wait`](Self::wait) waits for them.
    pub const WAIT_MILLISECONDS: i32 = 100;

    /// Waits until one of the handles has something to read, a signal comes, or time is up: whoever looks next finds out which.
    #[allow(unsafe_code, reason = "the standard library cannot wait for descriptors")]
    pub fn wait<'l>(handles: impl Iterator<Item = &'l Self>) {
        let mut all: Vec<libc::pollfd> = handles
            .map(|live| libc::pollfd { fd: live.handle.as_raw_fd(), events: libc::POLLIN, revents: 0 })
            .collect();
        let count = libc::nfds_t::try_from(all.len()).unwrap_or(0);
        // SAFETY: the pointer is to so many pollfd, which live through the call; poll(2) writes nothing but their `revents`.
        unsafe { libc::poll(all.as_mut_ptr(), count, Self::WAIT_MILLISECONDS) };
    }

    /// Whether the interface was taken down or away. libpcap says nothing of an interface that is down and still there.
    #[allow(unsafe_code, reason = "the standard library knows no interfaces")]
    pub fn is_down(&self) -> bool {
        if self.interface == ANY {
            return false;
        }
        // SAFETY: all zeros are a valid ifreq: an empty name and no flags.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, from) in request.ifr_name.iter_mut().zip(self.interface.bytes().take(libc::IFNAMSIZ - 1)) {
            *to = from as libc::c_char;
        }
        // SAFETY: the pointer is to an ifreq with a name that ends with a zero; it lives through the call, which writes the flags.
        let asked = unsafe { libc::ioctl(self.handle.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
        // SAFETY: the request was for the flags, so it is they that stand there, or the zeros from before.
        let flags = libc::c_int::from(unsafe { request.ifr_ifru.ifru_flags });
        asked != 0 || flags & libc::IFF_UP == 0
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

/// What stands for all interfaces at once.
const ANY: &str = "any";

/// Puts a handle into the group of this number, or into a new one of which the kernel chooses the number. Gives the number.
#[allow(unsafe_code, reason = "libpcap cannot set this option, and gives the descriptor for that")]
fn join(descriptor: RawFd, group: Option<u16>) -> io::Result<u16> {
    let flags = libc::PACKET_FANOUT_HASH
        | libc::PACKET_FANOUT_FLAG_DEFRAG
        | if group.is_none() { libc::PACKET_FANOUT_FLAG_UNIQUEID } else { 0 };
    let mut value: libc::c_uint = flags << 16 | libc::c_uint::from(group.unwrap_or(0));
    let mut size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the pointer is to a value of that size, which lives through the call.
    let set = unsafe {
        libc::setsockopt(descriptor, libc::SOL_PACKET, libc::PACKET_FANOUT, (&raw const value).cast(), size)
    };
    if set != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the pointers are to a value of the size that the other names, and both live through the call.
    let got = unsafe {
        libc::getsockopt(
            descriptor,
            libc::SOL_PACKET,
            libc::PACKET_FANOUT,
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    // The number is in the lower half.
    if got == 0 { Ok(value as u16) } else { Err(io::Error::last_os_error()) }
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
