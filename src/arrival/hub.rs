//! The thread that reads: turns for all who have something, limits for all together, and what is told of it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{SendTimeoutError, TrySendError};
use rustc_hash::FxHashMap;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};

use super::counts::{Counts, Ending, SourceCounts};
use super::follow::Followed;
use super::listen::Listener;
use super::sender::{Peer, Sender, Stream, Turn};
use super::{Arrival, Told};
use crate::originator::feed::{FeedFormat, Tally};
use crate::originator::record::Record;
use crate::runtime::now;

/// How often files are looked at, time limits are held, counters are given and the mark is moved on when nothing happens. A quarter of a second
/// is below what Sysmon needs to write a record (1.1 s in the middle), and costs a few calls of the system for each file.
const LOOK: Duration = Duration::from_millis(250);

/// The most bytes that are read of a sender or a file in its turn.
const BLOCK: usize = 64 * 1024;

/// What records weigh together before they are handed on within a turn.
const BATCH: usize = 1 << 20;

/// Senders at once: half of the 1024 descriptors that a process has by default. A site with more endpoints has collectors, which send for
/// thousands.
pub(super) const MOST_SENDERS: usize = 512;

/// Those of them that have not shown their certificate yet. Beyond that the one that came first gives way: who floods the listener
/// competes with himself.
const MOST_STRANGERS: usize = 64;

/// What records that are not whole may occupy together. A record has at most a mebibyte, and those of honest senders are read whole.
const MOST_HELD: usize = 128 << 20;

/// Connections that are accepted in one turn.
const ACCEPTS: usize = 32;

/// Events that are taken from the system at once.
const EVENTS: usize = 256;

/// How often it is looked around while the consumer is behind.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long what has come is still read after the end was asked for.
const LAST: Duration = Duration::from_secs(1);

/// Notices that wait for a consumer that is behind.
const MOST_NOTICES: usize = 256;

/// Notices of a source at once, and how often there is room for another.
const NOTICES: (u32, Duration) = (20, Duration::from_secs(3));

/// Everything that the thread has before it.
pub(super) struct Hub {
    epoll: OwnedFd,
    listeners: Vec<Listener>,
    followed: Vec<(usize, Followed)>,
    senders: BTreeMap<u64, Sender>,
    /// Streams that are always ready, since they are files.
    ready: Vec<u64>,
    /// The number of the next sender; those before were listeners.
    next: u64,
    /// Until when nobody is let in, for the system has no descriptors left.
    exhausted: Option<Instant>,
    /// What every record is stated to be.
    format: Option<FeedFormat>,
    block: Vec<u8>,
    out: Out,
    /// Of each source: what senders that are gone held.
    sources: Vec<SourceCounts>,
}

/// What goes to the consumer.
struct Out {
    give: crossbeam_channel::Sender<Told>,
    stop: Arc<AtomicBool>,
    shared: Arc<Mutex<Counts>>,
    /// Records of each source that were not handed on yet, and what they weigh.
    waiting: Vec<(Vec<Record<'static>>, usize)>,
    /// Of each source: how many notices may be given, and since when.
    allowance: Vec<(u32, Instant)>,
    withheld: u64,
    notices: VecDeque<(usize, String)>,
    waited: Duration,
    /// The consumer is gone.
    gone: bool,
}

impl Hub {
    pub(super) fn new(
        arrival: Arrival,
        give: crossbeam_channel::Sender<Told>,
        stop: Arc<AtomicBool>,
        shared: Arc<Mutex<Counts>>,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for (number, listener) in arrival.listeners.iter().enumerate() {
            epoll::add(&epoll, listener, EventData::new_u64(number as u64), EventFlags::IN)?;
        }
        let count = arrival.names.len();
        let source = |address| SourceCounts { address, ..SourceCounts::default() };
        let mut hub = Self {
            epoll,
            next: arrival.listeners.len() as u64,
            listeners: arrival.listeners,
            followed: arrival.followed,
            senders: BTreeMap::new(),
            ready: Vec::new(),
            exhausted: None,
            format: arrival.format,
            block: vec![0; BLOCK],
            out: Out {
                give,
                stop,
                shared,
                waiting: vec![(Vec::new(), 0); count],
                allowance: vec![(NOTICES.0, Instant::now()); count],
                withheld: 0,
                notices: VecDeque::new(),
                waited: Duration::ZERO,
                gone: false,
            },
            sources: arrival.names.into_iter().map(source).collect(),
        };
        for (source, name, stream) in arrival.streams {
            hub.admit(source, stream, Peer { name: name.to_owned(), ip: None }, None)?;
        }
        hub.publish();
        Ok(hub)
    }

    /// Reads until the end is asked for, or nothing can come any more.
    pub(super) fn run(mut self) {
        let mut looked = None::<Instant>;
        let mut last = None::<Instant>;
        let mut more = false;
        loop {
            if last.is_none() && self.out.stop.load(Ordering::Relaxed) {
                last = Some(Instant::now());
                // Nobody else is let in.
                self.listeners.clear();
            }
            let busy = more || !self.ready.is_empty();
            let due = looked.map_or(Duration::ZERO, |at| LOOK.saturating_sub(at.elapsed()));
            let wait = if busy || last.is_some() { Duration::ZERO } else { due };
            let at = now();
            let Ok(mut happened) = self.turns(wait) else { break };
            if looked.is_none_or(|at| at.elapsed() >= LOOK) || last.is_some() {
                self.look();
                looked = Some(Instant::now());
                more = self.read_files();
                self.flush();
                self.publish();
                // A consumer that is behind learns of a later time later.
                if self.out.waiting.iter().all(|(records, _)| records.is_empty()) {
                    let told = self.out.give.try_send(Told::Passed(at));
                    self.out.gone |= matches!(told, Err(TrySendError::Disconnected(_)));
                }
            } else {
                more = more && self.read_files();
                self.flush();
            }
            happened |= more;
            let over = last.is_some_and(|since| !happened || since.elapsed() > LAST);
            let nothing = self.listeners.is_empty() && self.followed.is_empty() && self.senders.is_empty();
            if over || nothing || self.out.gone {
                break;
            }
        }
        self.finish();
    }

    /// Waits for whoever has something, and gives each a turn. Whether somebody had.
    fn turns(&mut self, wait: Duration) -> io::Result<bool> {
        let mut events = Vec::with_capacity(EVENTS);
        let wait = Timespec { tv_sec: 0, tv_nsec: i64::from(wait.subsec_nanos()) };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut numbers: Vec<u64> = events.iter().map(|event| event.data.u64()).collect();
        numbers.extend_from_slice(&self.ready);
        for number in &numbers {
            if usize::try_from(*number).is_ok_and(|number| number < self.listeners.len()) {
                self.accept(*number as usize);
            } else {
                self.turn(*number);
            }
        }
        Ok(!numbers.is_empty())
    }

    /// Lets in those who connect.
    fn accept(&mut self, number: usize) {
        for _ in 0..ACCEPTS {
            let Some(listener) = self.listeners.get(number) else { return };
            let (source, tls) = (listener.source, listener.tls.clone());
            match listener.accept() {
                Ok((stream, peer)) => {
                    if let Some(counts) = self.sources.get_mut(source) {
                        counts.came += 1;
                    }
                    if self.senders.len() >= MOST_SENDERS && !self.displace(peer.ip) {
                        self.gone(source, &peer.name, Ending::Crowded);
                        continue;
                    }
                    let name = peer.name.clone();
                    if self.admit(source, stream, peer, tls.as_ref()).is_err() {
                        self.gone(source, &name, Ending::Broken);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Who connected is gone again.
                Err(error)
                    if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    self.out.notice(source, format!("nobody can connect: {error}; it is tried again"));
                    self.exhausted = Some(Instant::now());
                    for listener in &self.listeners {
                        _ = epoll::delete(&self.epoll, listener);
                    }
                    return;
                }
            }
        }
    }

    /// Makes room for a sender from an address that has fewer than another: the one of the latter that was silent for longest goes.
    fn displace(&mut self, from: Option<IpAddr>) -> bool {
        let mut addresses = FxHashMap::<_, usize>::default();
        for sender in self.senders.values() {
            *addresses.entry(sender.peer.ip).or_default() += 1;
        }
        let own = addresses.get(&from).copied().unwrap_or_default();
        let Some((most, count)) = addresses.into_iter().max_by_key(|(ip, count)| (*count, *ip)) else {
            return false;
        };
        let of_them = self.senders.iter().filter(|(_, sender)| sender.peer.ip == most);
        match of_them.min_by_key(|(_, sender)| sender.heard).map(|(number, _)| *number) {
            Some(number) if count > own + 1 => {
                self.end(number, Ending::Displaced);
                true
            }
            _ => false,
        }
    }

    /// Takes a sender.
    fn admit(
        &mut self,
        source: usize,
        stream: Stream,
        peer: Peer,
        tls: Option<&Arc<rustls::ServerConfig>>,
    ) -> io::Result<()> {
        let number = self.next;
        self.next += 1;
        let sender = Sender::new(source, peer, stream, tls, self.format, now()).map_err(io::Error::other)?;
        match epoll::add(&self.epoll, sender.stream(), EventData::new_u64(number), EventFlags::IN) {
            Ok(()) => {}
            // A file, which is always ready.
            Err(rustix::io::Errno::PERM) => self.ready.push(number),
            Err(error) => return Err(error.into()),
        }
        self.senders.insert(number, sender);
        let strangers = self.senders.iter().filter(|(_, sender)| sender.is_stranger());
        if tls.is_some()
            && strangers.clone().count() > MOST_STRANGERS
            && let Some((first, _)) = strangers.min_by_key(|(number, _)| **number)
        {
            self.end(*first, Ending::Displaced);
        }
        Ok(())
    }

    /// Gives a sender its turn.
    fn turn(&mut self, number: u64) {
        let Some(sender) = self.senders.get_mut(&number) else { return };
        let source = sender.source;
        let before = sender.wants_write();
        let turn = sender.read(&mut self.block, now(), &mut |record| self.out.record(source, record));
        if self.out.is_full(source) {
            self.out.flush(source, &mut self.followed);
        }
        if let Turn::Ended(why) = turn {
            self.end(number, why);
            return;
        }
        // Told again when it can be written to, for as long as something waits.
        if let Some(sender) = self.senders.get(&number)
            && sender.wants_write() != before
        {
            let flags = if before { EventFlags::IN } else { EventFlags::IN | EventFlags::OUT };
            _ = epoll::modify(&self.epoll, sender.stream(), EventData::new_u64(number), flags);
        }
    }

    /// Takes leave of a sender.
    fn end(&mut self, number: u64, why: Ending) {
        self.ready.retain(|ready| *ready != number);
        let Some(mut sender) = self.senders.remove(&number) else { return };
        let source = sender.source;
        sender.finish(&mut |record| self.out.record(source, record));
        if let Some(counts) = self.sources.get_mut(source) {
            counts.tally.add(sender.tally());
            counts.misframed += sender.misframed();
            counts.last = counts.last.max(sender.counts().last);
        }
        self.gone(source, &sender.peer.name, why);
        if matches!(sender.stream(), Stream::Pipe(_)) {
            self.out.flush(source, &mut self.followed);
            self.out.tell(Told::Ended { source }, &mut self.followed);
        }
    }

    fn gone(&mut self, source: usize, who: &str, why: Ending) {
        if let Some(counts) = self.sources.get_mut(source) {
            counts.end(why);
        }
        if !why.is_usual() {
            self.out.notice(source, format!("{who}: {}", why.as_str()));
        }
    }

    /// Holds the limits of time and memory, and looks at files.
    fn look(&mut self) {
        let at = Instant::now();
        if self.exhausted.is_some_and(|since| since.elapsed() > Duration::from_secs(1)) {
            self.exhausted = None;
            for (number, listener) in self.listeners.iter().enumerate() {
                _ = epoll::add(&self.epoll, listener, EventData::new_u64(number as u64), EventFlags::IN);
            }
        }
        let mut over = Vec::new();
        for (number, sender) in &mut self.senders {
            let source = sender.source;
            if let Some(why) = sender.look(at, &mut |record| self.out.record(source, record)) {
                over.push((*number, why));
            }
        }
        over.into_iter().for_each(|(number, why)| self.end(number, why));
        while self.senders.values().map(Sender::held).sum::<usize>() > MOST_HELD
            && let Some((number, _)) = self.senders.iter().max_by_key(|(_, sender)| sender.held())
        {
            self.end(*number, Ending::TooMuch);
        }
        self.out.look_at(&mut self.followed);
    }

    /// Reads a block of each file, at most. Whether there may be more.
    fn read_files(&mut self) -> bool {
        let mut more = false;
        let mut notices = Vec::new();
        for (source, followed) in &mut self.followed {
            let before = self.out.count(*source);
            let out = &mut self.out;
            let read =
                followed.read(&mut self.block, &mut |record| out.record(*source, record), &mut |text| {
                    notices.push((*source, text))
                });
            match read {
                Ok(again) => more |= again,
                Err(error) => notices.push((*source, error.to_string())),
            }
            if self.out.count(*source) > before
                && let Some(counts) = self.sources.get_mut(*source)
            {
                counts.last = Some(now());
            }
        }
        for source in 0..self.sources.len() {
            if self.out.is_full(source) {
                self.out.flush(source, &mut self.followed);
            }
        }
        notices.into_iter().for_each(|(source, text)| self.out.notice(source, text));
        more
    }

    /// Hands on all records and notices, as far as there is room for them.
    fn flush(&mut self) {
        for source in 0..self.sources.len() {
            self.out.offer(source);
        }
        let out = &mut self.out;
        while let Some((source, text)) = out.notices.pop_front() {
            if let Err(TrySendError::Full(Told::Notice { source, text })) =
                out.give.try_send(Told::Notice { source, text })
            {
                out.notices.push_front((source, text));
                break;
            }
        }
    }

    /// Gives the counters to whoever asks for them.
    fn publish(&self) {
        let mut sources = self.sources.clone();
        let mut add = |source: usize, tally: &Tally, change: &dyn Fn(&mut SourceCounts)| {
            if let Some(counts) = sources.get_mut(source) {
                counts.tally.add(tally);
                change(counts);
            }
        };
        for sender in self.senders.values() {
            let own = sender.counts();
            add(sender.source, sender.tally(), &|counts| {
                counts.last = counts.last.max(own.last);
                counts.misframed += sender.misframed();
                counts.senders.push(own.clone());
            });
        }
        for (source, followed) in &self.followed {
            add(*source, &followed.tally(), &|counts| counts.file = followed.counts());
        }
        let counts = Counts { sources, waited: self.out.waited, notices_withheld: self.out.withheld };
        *self.out.shared.lock().unwrap_or_else(PoisonError::into_inner) = counts;
    }

    /// Tells what is left.
    fn finish(mut self) {
        let numbers: Vec<u64> = self.senders.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.end(number, Ending::Stopped));
        for (source, followed) in &mut self.followed {
            followed.finish(&mut |record| self.out.record(*source, record));
        }
        for source in 0..self.sources.len() {
            self.out.flush(source, &mut self.followed);
        }
        for (source, text) in std::mem::take(&mut self.out.notices) {
            self.out.tell(Told::Notice { source, text }, &mut self.followed);
        }
        self.publish();
    }
}

impl Out {
    fn record(&mut self, source: usize, record: Record<'_>) {
        if let Some((records, weight)) = self.waiting.get_mut(source) {
            *weight += record.weight();
            records.push(record.into_owned());
        }
    }

    fn count(&self, source: usize) -> usize {
        self.waiting.get(source).map_or(0, |(records, _)| records.len())
    }

    fn is_full(&self, source: usize) -> bool {
        self.waiting.get(source).is_some_and(|(_, weight)| *weight >= BATCH)
    }

    /// Hands on the records of a source if there is room. What does not fit waits for those that follow: only who weighs as much as a
    /// batch makes all wait.
    fn offer(&mut self, source: usize) {
        let Some((records, weight)) = self.waiting.get_mut(source) else { return };
        if records.is_empty() || self.give.is_full() {
            return;
        }
        let told = Told::Records { source, at: now(), records: std::mem::take(records) };
        match self.give.try_send(told) {
            Err(TrySendError::Full(Told::Records { records: back, .. })) => *records = back,
            Err(_) => self.gone = true,
            Ok(()) => *weight = 0,
        }
    }

    /// Hands on the records of a source.
    fn flush(&mut self, source: usize, followed: &mut [(usize, Followed)]) {
        let Some((records, weight)) = self.waiting.get_mut(source) else { return };
        if records.is_empty() {
            return;
        }
        *weight = 0;
        let records = std::mem::take(records);
        self.tell(Told::Records { source, at: now(), records }, followed);
    }

    /// Hands something on, and waits for the consumer for as long as it takes. Files are looked at meanwhile, for one may be renamed.
    fn tell(&mut self, told: Told, followed: &mut [(usize, Followed)]) {
        if self.gone {
            return;
        }
        let since = Instant::now();
        let mut told = match self.give.try_send(told) {
            Ok(()) => return,
            Err(error) => error.into_inner(),
        };
        loop {
            match self.give.send_timeout(told, PATIENCE) {
                Ok(()) => break,
                Err(SendTimeoutError::Disconnected(_)) => {
                    self.gone = true;
                    break;
                }
                Err(SendTimeoutError::Timeout(back)) => {
                    told = back;
                    self.look_at(followed);
                }
            }
        }
        self.waited += since.elapsed();
    }

    fn look_at(&mut self, followed: &mut [(usize, Followed)]) {
        for (source, followed) in followed {
            followed.look(&mut |text| self.notice(*source, text));
        }
    }

    /// Keeps something for people, unless they have just been told too much.
    fn notice(&mut self, source: usize, text: String) {
        let Some((left, since)) = self.allowance.get_mut(source) else { return };
        let (most, each) = NOTICES;
        let earned = u32::try_from(since.elapsed().as_millis() / each.as_millis()).unwrap_or(u32::MAX);
        if earned > 0 {
            *left = left.saturating_add(earned).min(most);
            *since = Instant::now();
        }
        if *left == 0 || self.notices.len() >= MOST_NOTICES {
            self.withheld += 1;
            return;
        }
        *left -= 1;
        self.notices.push_back((source, text));
    }
}
