//! A sender: its connection, its framing, its feed and its progress. What it does concerns no other.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};

use super::counts::{Ending, SenderCounts};
use super::framing::{Framing, Part};
use super::tls;
use crate::capture::Timestamp;
use crate::originator::feed::{Feed, FeedFormat, Tally};
use crate::originator::record::Record;

/// How long a handshake may take: some round trips to the other side of the world, and slow machines.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a record may take from the first of its bytes that came to the last: at a mebibyte, 17 kB a second. Who stalls within a record
/// occupies memory and will not finish it.
const RECORD: Duration = Duration::from_secs(60);

/// What a record that is not whole may occupy before memory is given back at a look around.
const SPARE: usize = 128 * 1024;

/// Reads of a connection with TLS in one turn; each brings at most a few records of 16 KiB.
const TLS_READS: usize = 8;

/// A connection, or a pipe.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// A pipe, or whatever standard input is.
    Pipe(File),
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(into),
            Self::Unix(stream) => stream.read(into),
            Self::Pipe(stream) => stream.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
            Self::Pipe(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Pipe(stream) => stream.as_fd(),
        }
    }
}

/// Who connects.
#[derive(Debug)]
pub(super) struct Peer {
    /// For people.
    pub(super) name: String,
    /// What its connections are counted by, where there are too many.
    pub(super) ip: Option<IpAddr>,
}

/// A sender.
#[derive(Debug)]
pub(super) struct Sender {
    /// The number of its source.
    pub(super) source: usize,
    pub(super) peer: Peer,
    stream: Stream,
    tls: Option<Box<ServerConnection>>,
    framing: Framing,
    feed: Feed,
    since: Timestamp,
    came: Instant,
    last: Option<Timestamp>,
    /// When it was last not within a record, or finished one.
    whole: Instant,
    /// When something came last, or it connected.
    pub(super) heard: Instant,
    bytes: u64,
}

/// What a turn of a sender gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// All that was there.
    Read,
    /// As much as there is in one turn; perhaps there is more.
    Full,
    /// Nothing comes any more.
    Ended(Ending),
}

impl Sender {
    pub(super) fn new(
        source: usize,
        peer: Peer,
        stream: Stream,
        tls: Option<&Arc<ServerConfig>>,
        format: Option<FeedFormat>,
        now: Timestamp,
    ) -> Result<Self, rustls::Error> {
        let tls = tls.map(|config| ServerConnection::new(config.clone()).map(Box::new)).transpose()?;
        let came = Instant::now();
        Ok(Self {
            source,
            peer,
            stream,
            tls,
            framing: Framing::default(),
            feed: Feed::of(format),
            since: now,
            came,
            last: None,
            whole: came,
            heard: came,
            bytes: 0,
        })
    }

    /// Whether it has still to show a certificate.
    pub(super) fn is_stranger(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.is_handshaking())
    }

    /// Whether something waits to be written to it.
    pub(super) fn wants_write(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }

    pub(super) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(super) const fn tally(&self) -> &Tally {
        self.feed.tally()
    }

    pub(super) const fn held(&self) -> usize {
        self.feed.held()
    }

    pub(super) const fn misframed(&self) -> u64 {
        self.framing.misframed()
    }

    pub(super) fn counts(&self) -> SenderCounts {
        SenderCounts {
            peer: self.peer.name.clone(),
            since: self.since,
            last: self.last,
            bytes: self.bytes,
            told: self.tally().told,
            refused: self.tally().all_refused(),
            held: self.held(),
        }
    }

    /// Reads what has come, at most one block, and tells its records.
    pub(super) fn read(
        &mut self,
        block: &mut [u8],
        now: Timestamp,
        tell: &mut dyn FnMut(Record<'_>),
    ) -> Turn {
        let before = self.bytes;
        let done = self.tally().told + self.tally().passed_over + self.tally().all_refused();
        let turn = if self.tls.is_some() {
            self.read_tls(block, tell)
        } else {
            match self.stream.read(block) {
                Ok(0) => Turn::Ended(Ending::Closed),
                Ok(got) => {
                    self.push(block.get(..got).unwrap_or_default(), tell);
                    if got == block.len() { Turn::Full } else { Turn::Read }
                }
                Err(error) => failed(&error),
            }
        };
        if self.bytes > before {
            self.last = Some(now);
            self.heard = Instant::now();
            let tally = self.tally();
            if !self.feed.is_within() || tally.told + tally.passed_over + tally.all_refused() > done {
                self.whole = self.heard;
            }
        }
        turn
    }

    /// Nothing more is read of it: tells what is left.
    pub(super) fn finish(&mut self, tell: &mut dyn FnMut(Record<'_>)) {
        let feed = &mut self.feed;
        self.framing.finish(&mut |part| {
            if let Part::Text(text) = part {
                feed.push(text, tell);
            }
        });
        self.feed.finish(tell);
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            // It may be gone; nothing is lost by that.
            _ = tls.write_tls(&mut self.stream);
        }
    }

    /// Looks whether it takes too long over something, and gives memory back.
    pub(super) fn look(&mut self, now: Instant, tell: &mut dyn FnMut(Record<'_>)) -> Option<Ending> {
        if self.feed.held() > SPARE {
            self.feed.compact();
        }
        if self.is_stranger() {
            return (now.duration_since(self.came) > HANDSHAKE).then_some(Ending::Silent);
        }
        if !self.feed.is_within() || now.duration_since(self.whole) <= RECORD {
            return None;
        }
        // Some senders write the end of a line only before the next: what they sent is whole.
        let refused = self.tally().all_refused();
        self.feed.finish(tell);
        self.whole = now;
        (self.tally().all_refused() > refused).then_some(Ending::Stalled)
    }

    fn push(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Record<'_>)) {
        self.bytes += bytes.len() as u64;
        let feed = &mut self.feed;
        self.framing.push(bytes, &mut |part| match part {
            Part::Text(text) => feed.push(text, tell),
            Part::End => feed.finish(tell),
        });
    }

    fn read_tls(&mut self, block: &mut [u8], tell: &mut dyn FnMut(Record<'_>)) -> Turn {
        for _ in 0..TLS_READS {
            let Some(tls) = &mut self.tls else { return Turn::Read };
            let got = match tls.read_tls(&mut self.stream) {
                Ok(got) => got,
                Err(error) if is_later(&error) => return self.write(Turn::Read),
                Err(error) => return failed(&error),
            };
            let refused = tls.process_new_packets().err();
            // What was encrypted before the fault is still good.
            let mut closed = got == 0;
            while let Some(tls) = &mut self.tls
                && let Ok(length) = tls.reader().read(block)
            {
                self.push(block.get(..length).unwrap_or_default(), tell);
                if length == 0 {
                    closed = true;
                    break;
                }
            }
            if let Some(error) = refused {
                let ending = if self.is_stranger() { tls::ending(&error) } else { Ending::Broken };
                return self.write(Turn::Ended(ending));
            }
            if closed {
                let ending = if self.is_stranger() { Ending::Handshake } else { Ending::Closed };
                return self.write(Turn::Ended(ending));
            }
        }
        self.write(Turn::Full)
    }

    /// Writes what TLS has to say, as far as it goes at once.
    pub(super) fn write(&mut self, turn: Turn) -> Turn {
        while let Some(tls) = &mut self.tls
            && tls.wants_write()
        {
            match tls.write_tls(&mut self.stream) {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                _ if matches!(turn, Turn::Ended(_)) => break,
                _ => return Turn::Ended(Ending::Broken),
            }
        }
        turn
    }
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

fn failed(error: &io::Error) -> Turn {
    if is_later(error) { Turn::Read } else { Turn::Ended(Ending::Broken) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"EventTime":"2020-10-18 21:15:06","EventID":1,"Hostname":"a","SourceName":"Microsoft-Windows-Sysmon","UtcTime":"2020-10-18 21:15:05.123","ProcessId":"7","Image":"C:\\a.exe"}"#;

    /// A sender that writes these pieces, each of which is read before the next: what a look after so many seconds says, and how many
    /// records were told by then.
    fn check(pieces: &[&str], seconds: u64, expected: (Option<Ending>, u64)) {
        let (mut to, from) = UnixStream::pair().unwrap();
        from.set_nonblocking(true).unwrap();
        let peer = Peer { name: String::new(), ip: None };
        let now = Timestamp::default();
        let mut sender = Sender::new(0, peer, Stream::Unix(from), None, None, now).unwrap();
        let mut block = vec![0; 4096];
        for piece in pieces {
            to.write_all(piece.as_bytes()).unwrap();
            assert_eq!(sender.read(&mut block, now, &mut |_| {}), Turn::Read);
        }
        let later = Instant::now() + Duration::from_secs(seconds);
        let ending = sender.look(later, &mut |_| {});
        assert_eq!((ending, sender.tally().told), expected, "{pieces:?} after {seconds} s");
    }

    #[test]
    fn who_stalls_within_a_record_is_left() {
        let line = format!("{LINE}\n");
        let half = LINE.split_at(99).0;
        check(&[&line], 100_000, (None, 1));
        check(&[&line, half], 59, (None, 1));
        check(&[&line, half], 61, (Some(Ending::Stalled), 1));
        check(&[half], 61, (Some(Ending::Stalled), 0));
        // A byte now and then is no progress.
        check(&[half, "a", "b", "c"], 61, (Some(Ending::Stalled), 0));
    }

    #[test]
    fn who_ends_a_line_only_before_the_next_is_told_too() {
        let lines = format!("{LINE}\n{LINE}\n{LINE}");
        check(&[&lines], 59, (None, 2));
        check(&[&lines], 61, (None, 3));
    }
}
