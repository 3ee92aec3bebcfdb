//! What waits between whoever finds and whoever writes: lines in memory, then on disk, then none.
//!
//! One end ([`Feeder`]) never waits. At the other a thread works through the lines ([`Backlog::work`]), and tries again what an output
//! does not take. What people are to know of it is kept until somebody asks.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::outlet::{Outlet, Undelivered};
use super::spill::Spill;
use super::statistics::OutputStats;

/// Lines on their way to an output. Copies are of the same.
#[derive(Clone, Debug)]
pub struct Backlog(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: String,
    state: Mutex<State>,
    /// Something has changed for the thread that works.
    work: Condvar,
    /// That thread has ended.
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// What the thread has in hand.
    in_hand: Vec<u8>,
    spill: Option<Spill>,
    /// Whether the spill file took no more the last time.
    spill_failed: bool,
    delivered: u64,
    lost: u64,
    /// What was lost when people were last told.
    lost_told: u64,
    failing: Option<String>,
    notes: Vec<String>,
    /// The output cannot come back.
    gone: Option<io::ErrorKind>,
    reopen: bool,
    /// No further lines come, and after this time no more are delivered.
    closing: Option<Instant>,
    ended: bool,
}

/// The most bytes that wait in memory: some six thousand records.
const MOST_BYTES: usize = 8 << 20;

/// Bytes that are handed to an output at once, if so many wait.
const BATCH: usize = 64 << 10;

/// How long an output that failed is left alone the first time; each time after that twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest time between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Backlog {
    /// Nothing waits, but for what a spill file holds from before.
    pub fn new(name: String, spill: Option<Spill>) -> Self {
        let state = State { spill, ..State::default() };
        Self(Arc::new(Shared { name, state: Mutex::new(state), work: Condvar::new(), ended: Condvar::new() }))
    }

    /// The end at which lines come in.
    pub fn feeder(&self) -> Feeder {
        Feeder(self.clone())
    }

    /// The output is to be opened again by its name.
    pub fn reopen(&self) {
        self.state().reopen = true;
        self.0.work.notify_all();
    }

    /// What people are to know that they were not told.
    pub fn notes(&self) -> Vec<String> {
        let mut state = self.state();
        let lost = state.lost - state.lost_told;
        if lost > 0 {
            state.lost_told = state.lost;
            let note =
                format!("{}: {lost} records are lost, for it takes none and nothing has room", self.0.name);
            state.notes.push(note);
        }
        std::mem::take(&mut state.notes)
    }

    /// What was counted.
    pub fn stats(&self) -> OutputStats {
        let state = self.state();
        OutputStats {
            name: self.0.name.clone(),
            delivered: state.delivered,
            waiting_bytes: (state.bytes + state.in_hand.len()) as u64,
            spilled_bytes: state.spill.as_ref().map_or(0, Spill::waiting),
            lost: state.lost,
            failing: state.failing.is_some() || state.gone.is_some(),
        }
    }

    /// No further lines come: what waits is delivered if that takes no longer than this. What is not, is kept in the spill file if that
    /// outlives the process. Gives how many records are lost, in all.
    pub fn close(&self, longest: Duration) -> u64 {
        let mut state = self.state();
        state.closing = Some(Instant::now() + longest);
        // A thread that is not stuck ends by itself.
        let until = Instant::now() + longest + FIRST_PAUSE;
        self.0.work.notify_all();
        while !state.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.0.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        // If the thread is stuck in a write, nobody knows what of that arrives.
        let rest =
            std::iter::once(std::mem::take(&mut state.in_hand)).chain(std::mem::take(&mut state.lines));
        for lines in rest.collect::<Vec<_>>() {
            let kept = match &mut state.spill {
                Some(spill) if spill.outlives() => spill.push(&lines).is_ok(),
                _ => false,
            };
            if !kept {
                state.lost += records(&lines);
            }
        }
        if let Some(spill) = &mut state.spill
            && !spill.outlives()
        {
            let mut lost = 0;
            while let Ok(lines) = spill.pop()
                && !lines.is_empty()
            {
                lost += records(&lines);
            }
            state.lost += lost;
        }
        state.lost_told = state.lost;
        state.lost
    }

    /// Delivers lines until no further come.
    pub fn work(&self, mut outlet: Outlet) {
        while let Some(lines) = self.take(&mut outlet) {
            let mut taken = 0;
            let mut pause = FIRST_PAUSE;
            while let Some(rest) = lines.get(taken..).filter(|rest| !rest.is_empty()) {
                match outlet.deliver(rest) {
                    Ok(lost) => {
                        self.delivered(rest, lost);
                        taken = lines.len();
                    }
                    Err(Undelivered { taken: some, lost, error }) => {
                        self.delivered(rest.get(..some).unwrap_or_default(), lost);
                        taken += some;
                        if !self.failed(&error, pause, &mut outlet) {
                            self.give_back(lines.get(taken..).unwrap_or_default());
                            return self.end();
                        }
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
            }
        }
        self.end();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, lines: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        if let Some(kind) = state.gone {
            return Err(kind.into());
        }
        let full = state.bytes + lines.len() > MOST_BYTES;
        let State { spill, spill_failed, .. } = &mut *state;
        // Once something is on disk, what comes later goes behind it.
        match spill {
            Some(spill) if full || spill.waiting() > 0 => {
                let pushed = spill.push(lines);
                let failed = pushed.is_err();
                let news = failed && !std::mem::replace(spill_failed, failed);
                if let Err(error) = pushed {
                    state.lost += records(lines);
                    if news {
                        let note = format!("{}: what does not fit into memory is lost: {error}", self.0.name);
                        state.notes.push(note);
                    }
                }
            }
            _ if full => state.lost += records(lines),
            _ => {
                state.bytes += lines.len();
                state.lines.push_back(lines.to_vec());
            }
        }
        self.0.work.notify_one();
        Ok(())
    }

    /// Waits for lines. None when no further come.
    fn take(&self, outlet: &mut Outlet) -> Option<Vec<u8>> {
        let mut state = self.state();
        loop {
            if std::mem::take(&mut state.reopen)
                && let Err(error) = outlet.reopen()
            {
                let note =
                    format!("{}: cannot be opened again, the old one is still written: {error}", self.0.name);
                state.notes.push(note);
            }
            let mut batch = state.lines.pop_front().unwrap_or_default();
            if batch.is_empty()
                && let Some(spill) = &mut state.spill
            {
                match spill.pop() {
                    Ok(lines) => batch = lines,
                    Err(error) => {
                        state.spill = None;
                        let note = format!(
                            "{}: the spill file cannot be read, and is given up: {error}",
                            self.0.name
                        );
                        state.notes.push(note);
                    }
                }
            } else {
                state.bytes -= batch.len();
                while batch.len() < BATCH
                    && let Some(more) = state.lines.pop_front()
                {
                    state.bytes -= more.len();
                    batch.extend_from_slice(&more);
                }
            }
            if !batch.is_empty() {
                state.in_hand.clone_from(&batch);
                return Some(batch);
            }
            if state.closing.is_some() {
                return None;
            }
            state = self.0.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn delivered(&self, lines: &[u8], lost: u64) {
        let mut state = self.state();
        state.delivered += records(lines) - lost;
        state.lost += lost;
        let taken = lines.len().min(state.in_hand.len());
        state.in_hand.drain(..taken);
        if !lines.is_empty() && state.failing.take().is_some() {
            state.spill_failed = false;
            let note = format!("{}: is written again", self.0.name);
            state.notes.push(note);
        }
    }

    /// Waits after a failure. Says whether to try again.
    fn failed(&self, error: &io::Error, pause: Duration, outlet: &mut Outlet) -> bool {
        let mut state = self.state();
        if !outlet.can_come_back() {
            state.gone = Some(error.kind());
            return false;
        }
        let text = error.to_string();
        if state.failing.as_ref() != Some(&text) {
            let note = format!("{}: {text}; records wait, and it is tried again", self.0.name);
            state.notes.push(note);
            state.failing = Some(text);
        }
        let until = Instant::now() + pause;
        loop {
            let end = state.closing.map_or(until, |closing| until.min(closing));
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return state.closing.is_none_or(|closing| Instant::now() < closing);
            }
            state = self.0.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            if std::mem::take(&mut state.reopen) {
                // Whoever put the file aside may have made room.
                drop(outlet.reopen());
                return true;
            }
        }
    }

    fn give_back(&self, lines: &[u8]) {
        let mut state = self.state();
        state.in_hand.clear();
        state.bytes += lines.len();
        state.lines.push_front(lines.to_vec());
    }

    fn end(&self) {
        self.state().ended = true;
        self.0.ended.notify_all();
    }
}

fn records(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

/// The end of a [`Backlog`] at which lines come in. It fails only when the output is gone for good.
#[derive(Debug)]
pub struct Feeder(Backlog);

impl Write for Feeder {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.0.push(lines).map(|()| lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::unix::net::UnixListener;

    use super::super::{Destination, Rotation};
    use super::*;

    fn line(number: usize) -> Vec<u8> {
        format!("{number:0>1023}\n").into_bytes()
    }

    /// Nobody listens; what neither memory nor the spill file has room for is lost and counted, and the rest comes in order once
    /// somebody does.
    #[test]
    fn whoever_feeds_never_waits_and_nothing_is_lost_untold() {
        const SENT: usize = 20_000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        for (spill, kept) in [(None, MOST_BYTES >> 10), (Some(4 << 20), (MOST_BYTES + (4 << 20)) >> 10)] {
            drop(std::fs::remove_file(&path));
            let spill = spill.map(|most| Spill::unnamed(folder.path(), most).unwrap());
            let outlet = Outlet::open(&Destination::Unix(path.clone()), Rotation::default(), true).unwrap();
            let backlog = Backlog::new("out".to_owned(), spill);
            let working = backlog.clone();
            let thread = std::thread::spawn(move || working.work(outlet));
            let mut feeder = backlog.feeder();
            (0..SENT).for_each(|number| feeder.write_all(&line(number)).unwrap());
            let before = backlog.stats();
            assert!(before.failing && before.delivered == 0, "{before:?}");
            let notes = backlog.notes().join("\n");
            assert!(notes.contains("out: No such file") && notes.contains("records are lost"), "{notes}");

            let reader = BufReader::new(UnixListener::bind(&path).unwrap().accept().unwrap().0);
            let reading =
                std::thread::spawn(move || reader.lines().map(Result::unwrap).collect::<Vec<String>>());
            let lost = backlog.close(Duration::from_secs(20));
            thread.join().unwrap();
            let got: Vec<usize> = reading.join().unwrap().iter().map(|line| line.parse().unwrap()).collect();
            assert_eq!(got.len() as u64 + lost, SENT as u64);
            // A batch more than memory holds may be in hand.
            assert!((kept..=kept + (BATCH >> 10) + 1).contains(&got.len()), "{}", got.len());
            assert!(got.is_sorted(), "in order");
            assert_eq!(backlog.stats().delivered, got.len() as u64);
        }
    }

    #[test]
    fn what_was_not_delivered_waits_for_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let (path, spill) = (folder.path().join("socket"), folder.path().join("spill"));
        let start = || {
            let outlet = Outlet::open(&Destination::Unix(path.clone()), Rotation::default(), true).unwrap();
            let backlog = Backlog::new("out".to_owned(), Some(Spill::named(&spill, 1 << 20).unwrap()));
            let working = backlog.clone();
            (backlog, std::thread::spawn(move || working.work(outlet)))
        };
        let (backlog, thread) = start();
        backlog.feeder().write_all(b"one\ntwo\n").unwrap();
        assert_eq!(backlog.close(Duration::from_millis(300)), 0);
        thread.join().unwrap();

        let listener = UnixListener::bind(&path).unwrap();
        let (backlog, thread) = start();
        backlog.feeder().write_all(b"three\n").unwrap();
        let reader = BufReader::new(listener.accept().unwrap().0);
        assert_eq!(backlog.close(Duration::from_secs(20)), 0);
        thread.join().unwrap();
        assert_eq!(reader.lines().map(Result::unwrap).collect::<Vec<_>>(), ["one", "two", "three"]);
    }
}
