//! What the clocks of records are ahead of the wire's, learned from connections that both of them saw.
//!
//! No clock of a feed can be trusted by itself: some follow no correction and are off by days, some are in local time and say
//! that they are not. What decides is the five-tuple: where one is unique on both sides, the difference of its two times is
//! a sample, and samples of one host, feed and clock that agree are that clock's offset at that time of the wire. A clock may jump: then
//! it has one offset before and another after.

use rustc_hash::FxHashMap;

use super::hosts::HostId;
use super::record::{Clock, FeedKind, Time};
use crate::capture::Timestamp;
use crate::hands::{Hands, each, pieces};

const SECOND: i64 = 1_000_000_000;

/// Which clock: a host may have several that go wrong in ways of their own.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct ClockId {
    pub(super) host: HostId,
    pub(super) feed: FeedKind,
    pub(super) clock: Clock,
}

/// A connection that a record and the wire both saw.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Sample {
    /// When it began, by the wire.
    pub(super) wire: Timestamp,
    /// What the record's clock was ahead then, in nanoseconds.
    pub(super) ahead: i64,
}

/// Things of clocks: each host has a few.
#[derive(Debug)]
struct ByClock<T> {
    /// By the number of the host.
    hosts: Vec<Vec<(FeedKind, Clock, T)>>,
}

impl<T> Default for ByClock<T> {
    fn default() -> Self {
        Self { hosts: Vec::new() }
    }
}

impl<T> ByClock<T> {
    fn get(&self, clock: ClockId) -> Option<&T> {
        let of_host = self.hosts.get(clock.host.number())?;
        of_host
            .iter()
            .find(|(feed, kind, _)| (*feed, *kind) == (clock.feed, clock.clock))
            .map(|(.., one)| one)
    }

    /// All of them.
    fn iter(&self) -> impl Iterator<Item = (ClockId, &T)> {
        self.hosts.iter().enumerate().flat_map(|(number, of_host)| {
            let host = HostId::from_number(number);
            of_host.iter().map(move |(feed, clock, one)| (ClockId { host, feed: *feed, clock: *clock }, one))
        })
    }
}

/// Samples, each with those of its clock.
#[derive(Debug, Default)]
pub(super) struct Samples(ByClock<Vec<Sample>>);

impl Samples {
    /// Adds a sample.
    pub(super) fn add(&mut self, clock: ClockId, sample: Sample) {
        self.of(clock).push(sample);
    }

    /// Adds all of others.
    pub(super) fn append(&mut self, others: Self) {
        let Self(ByClock { hosts }) = others;
        for (number, of_host) in hosts.into_iter().enumerate() {
            let host = HostId::from_number(number);
            for (feed, clock, mut samples) in of_host {
                self.of(ClockId { host, feed, clock }).append(&mut samples);
            }
        }
    }

    fn of(&mut self, clock: ClockId) -> &mut Vec<Sample> {
        let Self(ByClock { hosts }) = self;
        if hosts.len() <= clock.host.number() {
            hosts.resize_with(clock.host.number() + 1, Vec::new);
        }
        // There is one now.
        let of_host = &mut hosts[clock.host.number()];
        let place = of_host.iter().position(|(feed, kind, _)| (*feed, *kind) == (clock.feed, clock.clock));
        let place = place.unwrap_or_else(|| {
            of_host.push((clock.feed, clock.clock, Vec::new()));
            of_host.len() - 1
        });
        &mut of_host[place].2
    }
}

/// An offset, and where it was learned.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Offset {
    /// What the clock is ahead, in nanoseconds: the median.
    pub(super) ahead: i64,
    /// How far samples are from it, in nanoseconds: the median of the distances.
    pub(super) spread: i64,
    /// From how many connections.
    pub(super) samples: u32,
    /// Time of the first and the last of them, by the wire.
    from: Timestamp,
    to: Timestamp,
}

/// What a record's times say of a moment of the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fit {
    /// They agree with it.
    Agrees {
        /// How far they are from it after correction, in nanoseconds.
        distance: i64,
        /// What the clock is ahead, where that was learned.
        ahead: Option<i64>,
    },
    /// Nothing is known of the clock, and the times are at most half a day from it.
    Unknown {
        /// How far, in nanoseconds.
        distance: i64,
    },
    /// They do not.
    Disagrees,
}

/// Offsets of all clocks.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    offsets: ByClock<Learned>,
    /// What the written times of a host's feed are ahead of its own event times, in whole quarters of an hour: a mislabelled time zone.
    zones: FxHashMap<(HostId, FeedKind), i64>,
    /// How many clocks were given up because they jump too often.
    pub(super) given_up: u64,
}

/// The offsets of a clock.
#[derive(Debug)]
struct Learned {
    /// All of them, in the order of the wire.
    all: Vec<Offset>,
    /// Those that are believed, in runs between which the clock jumped.
    runs: Vec<Vec<Offset>>,
}

/// From when to when a clock's times are looked at, and about which of them most.
pub(super) type Reach = (i64, i64, i64);

impl Clocks {
    /// How many samples make an offset, at most: an offset follows a clock that drifts or jumps.
    pub(super) const WINDOW: usize = 32;
    /// How many samples make an offset that is believed, at least.
    pub(super) const LEARNED: u32 = 3;
    /// Samples that are further apart than this are of a clock that has jumped, in nanoseconds: writing a record takes up to four seconds.
    const JUMP: i64 = 5 * SECOND;
    /// The furthest that a time may be from the wire's where nothing is known of its clock, in nanoseconds: half a day, which
    /// is the most that a mislabelled zone and a clock of twelve hours make of it.
    const UNKNOWN: i64 = 12 * 3600 * SECOND;
    /// Time zones are whole multiples of this, in nanoseconds.
    const QUARTER: i64 = 900 * SECOND;

    /// Learns all offsets anew from samples, whatever their order.
    pub(super) fn learn(&mut self, Samples(samples): Samples, hands: &dyn Hands) {
        let pieces: Vec<_> = pieces(hands, samples.hosts.len()).map(|piece| piece.len()).collect();
        let mut hosts = samples.hosts.into_iter();
        let pieces: Vec<Vec<_>> =
            pieces.into_iter().map(|length| hosts.by_ref().take(length).collect()).collect();
        let learn = |(feed, clock, mut samples): (FeedKind, Clock, Vec<Sample>)| {
            // Mostly they are in order already.
            samples.sort_unstable();
            samples.dedup();
            (feed, clock, Learned::from(offsets(&samples)))
        };
        let learned = each(hands, pieces, |hosts| -> Vec<Vec<_>> {
            hosts.into_iter().map(|of_host| of_host.into_iter().map(learn).collect()).collect()
        });
        self.offsets = ByClock { hosts: learned.into_iter().flatten().collect() };
        self.given_up = self.offsets.iter().filter(|(_, learned)| learned.all.is_empty()).count() as u64;
    }

    /// Learns the zones of feeds whose records hold both the time of an event and that of its being written, in nanoseconds from the
    /// former to the latter.
    pub(super) fn learn_zones(&mut self, mut lags: FxHashMap<(HostId, FeedKind), Vec<i64>>) {
        self.zones = lags.iter_mut().filter_map(|(feed, lags)| Some((*feed, zone(median(lags)?)?))).collect();
    }

    /// What a clock is ahead at a moment of the wire: where it was learned nearest to it.
    pub(super) fn offset(&self, clock: ClockId, wire: Timestamp) -> Option<&Offset> {
        let offsets = &self.offsets.get(clock)?.all;
        let after = offsets.partition_point(|offset| offset.from <= wire);
        let nearest = |offset: &&Offset| distance(offset, wire);
        let around = after.checked_sub(1).and_then(|before| offsets.get(before)).into_iter();
        around.chain(offsets.get(after)).min_by_key(nearest)
    }

    /// What the wire's time is of a record, as far as that is known: its time less what its clock is ahead.
    pub(super) fn to_wire(&self, host: HostId, feed: FeedKind, time: Time) -> Timestamp {
        let clock = ClockId { host, feed, clock: time.clock };
        let runs = self.offsets.get(clock).into_iter().flat_map(|learned| &learned.runs);
        let best = runs.filter_map(|run| nearest(run, time.at)).min();
        let ahead = match best {
            Some((_, ahead)) => ahead,
            None if time.clock == Clock::Logged => self.zone(host, feed),
            None => 0,
        };
        back(time.at, ahead)
    }

    /// The mislabelled zone of a feed's written times, in nanoseconds; nought where there is none.
    pub(super) fn zone(&self, host: HostId, feed: FeedKind) -> i64 {
        self.zones.get(&(host, feed)).copied().unwrap_or(0)
    }

    /// Whether the offset of a clock was learned at some time.
    pub(super) fn is_learned(&self, host: HostId, feed: FeedKind, clock: Clock) -> bool {
        self.offsets.get(ClockId { host, feed, clock }).is_some_and(|learned| !learned.runs.is_empty())
    }

    /// Where the times of a clock are of which [`Self::fit`] may say that they agree with a moment of the wire.
    pub(super) fn reach(&self, clock: ClockId, wire: Timestamp, within: i64) -> Reach {
        let wire_is = wire.as_nanos();
        match self.offset(clock, wire).filter(|offset| offset.samples >= Self::LEARNED) {
            Some(offset) => {
                let (early, late) = offset.slack(clock.clock);
                let about = wire_is.saturating_add(offset.ahead);
                (about.saturating_sub(early), about.saturating_add(late.saturating_add(within)), about)
            }
            None => {
                let about = wire_is.saturating_add(self.told_zone(clock));
                let (early, late) = plausible(clock.clock);
                (about.saturating_sub(early), about.saturating_add(late.saturating_add(within)), about)
            }
        }
    }

    /// Where the times of a clock are that [`Self::to_wire`] puts between two moments of the wire; about one of them most.
    pub(super) fn between(&self, clock: ClockId, from: i64, to: i64, about: i64) -> Vec<Reach> {
        let runs = self.offsets.get(clock).map_or(&[][..], |learned| &learned.runs);
        let is_after = |run: &Vec<Offset>| run.first().is_some_and(|first| first.from.as_nanos() > to);
        let is_before = |run: &Vec<Offset>| run.last().is_some_and(|last| last.to.as_nanos() < from);
        // Beside those that were learned then, the nearest before and after.
        let first = runs.partition_point(is_before).saturating_sub(1);
        let last = runs.partition_point(|run| !is_after(run)).saturating_add(1).min(runs.len());
        let mut reaches: Vec<Reach> = (runs.get(first..last).unwrap_or_default().iter())
            .filter_map(|run| {
                let aheads = || run.iter().map(|offset| offset.ahead);
                let (least, most) = (aheads().min()?, aheads().max()?);
                let middle = run.get(run.len() / 2)?.ahead;
                let add = |at: i64, ahead: i64| at.saturating_add(ahead);
                Some((add(from, least), add(to, most), add(about, middle)))
            })
            .collect();
        if reaches.is_empty() {
            let zone = self.told_zone(clock);
            let add = |at: i64| at.saturating_add(zone);
            reaches.push((add(from), add(to), add(about)));
        }
        reaches
    }

    /// What a clock is ahead of the wire as far as its feed tells: its zone, if it is of written times.
    fn told_zone(&self, clock: ClockId) -> i64 {
        if clock.clock == Clock::Logged { self.zone(clock.host, clock.feed) } else { 0 }
    }

    /// Whether a record can be of a moment of the wire, or of something that came of it within so many nanoseconds.
    pub(super) fn fit(
        &self,
        host: HostId,
        feed: FeedKind,
        times: &Times,
        wire: Timestamp,
        within: i64,
    ) -> Fit {
        let mut unknown: Option<i64> = None;
        let mut plain: Option<Fit> = None;
        for time in times.best_first() {
            let distance = time.at.since(wire);
            let clock = ClockId { host, feed, clock: time.clock };
            match self.offset(clock, wire) {
                Some(offset) if offset.samples >= Self::LEARNED => {
                    let distance = distance.saturating_sub(offset.ahead);
                    let (early, late) = offset.slack(time.clock);
                    return match distance >= -early && distance <= late.saturating_add(within) {
                        true => Fit::Agrees { distance, ahead: Some(offset.ahead) },
                        false => Fit::Disagrees,
                    };
                }
                _ => {}
            }
            let zone = self.told_zone(clock);
            let distance = distance.saturating_sub(zone);
            let (early, late) = plausible(time.clock);
            if plain.is_none() && distance >= -early && distance <= late.saturating_add(within) {
                plain = Some(Fit::Agrees { distance, ahead: (zone != 0).then_some(zone) });
            }
            if unknown.is_none_or(|least| distance.abs() < least.abs()) {
                unknown = Some(distance);
            }
        }
        match (plain, unknown) {
            (Some(plain), _) => plain,
            (None, Some(distance)) if distance.abs() <= Self::UNKNOWN => Fit::Unknown { distance },
            _ => Fit::Disagrees,
        }
    }

    /// Every offset that was learned, for whoever reports: in the order of the clocks.
    pub(super) fn all(&self) -> Vec<(ClockId, &[Offset])> {
        let mut all: Vec<_> =
            self.offsets.iter().map(|(clock, learned)| (clock, learned.all.as_slice())).collect();
        all.sort_unstable_by_key(|(clock, _)| *clock);
        all
    }

    /// Every mislabelled zone that was found, in nanoseconds.
    pub(super) fn all_zones(&self) -> Vec<(HostId, FeedKind, i64)> {
        let mut all: Vec<_> = self.zones.iter().map(|((host, feed), zone)| (*host, *feed, *zone)).collect();
        // What offsets show of written times counts as well.
        for (clock, learned) in self.offsets.iter() {
            let known = all.iter().any(|(host, feed, _)| (*host, *feed) == (clock.host, clock.feed));
            let learned = learned.runs.first().and_then(|run| run.first());
            if clock.clock != Clock::Skewed
                && !known
                && let Some(zone) = learned.and_then(|offset| zone(offset.ahead))
            {
                all.push((clock.host, clock.feed, zone));
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

impl Learned {
    /// The most runs that a clock may have: one that jumps more often in one capture is no clock, and nothing is learned of it.
    const MOST_RUNS: usize = 1024;

    fn from(all: Vec<Offset>) -> Self {
        let believed: Vec<Offset> =
            all.iter().filter(|offset| offset.samples >= Clocks::LEARNED).copied().collect();
        let goes_on =
            |one: &Offset, next: &Offset| next.ahead.abs_diff(one.ahead) <= Clocks::JUMP.unsigned_abs();
        let runs: Vec<Vec<Offset>> = believed.chunk_by(goes_on).map(<[Offset]>::to_vec).collect();
        if runs.len() > Self::MOST_RUNS {
            Self { all: Vec::new(), runs: Vec::new() }
        } else {
            Self { all, runs }
        }
    }
}

impl Offset {
    /// How much earlier and later than expected a time may be, in nanoseconds. Writing a record takes seconds.
    fn slack(&self, clock: Clock) -> (i64, i64) {
        let slack = self.spread.saturating_mul(6).max(2 * SECOND);
        if clock == Clock::Logged { (slack.max(4 * SECOND), slack.max(10 * SECOND)) } else { (slack, slack) }
    }
}

/// Of a run's offsets the one that explains a time best: how far from it that was learned, and the offset.
fn nearest(run: &[Offset], at: Timestamp) -> Option<(i64, i64)> {
    let place = run.partition_point(|offset| offset.from <= back(at, offset.ahead));
    let around = place.saturating_sub(2)..place.saturating_add(2).min(run.len());
    let rank = |offset: &Offset| (distance(offset, back(at, offset.ahead)), offset.ahead);
    run.get(around)?.iter().map(rank).min()
}

/// The times of a record, at most two.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Times {
    pub(super) first: Time,
    pub(super) second: Option<Time>,
}

impl Times {
    /// The times, the one that says most of the moment first.
    fn best_first(&self) -> impl Iterator<Item = Time> {
        let rank = |time: &Time| time.clock;
        let (one, other) = (self.first, self.second);
        let turned = other.is_some_and(|other| rank(&other) < rank(&one));
        let (one, other) = if turned { (other, Some(one)) } else { (Some(one), other) };
        one.into_iter().chain(other)
    }

    /// The time of a clock, if the record has one.
    pub(super) fn of(&self, clock: Clock) -> Option<Timestamp> {
        self.all().find(|time| time.clock == clock).map(|time| time.at)
    }

    /// Where it stands among the records of its clocks.
    pub(super) fn places(&self, host: HostId, feed: FeedKind) -> [Option<(ClockId, i64)>; 2] {
        let place = |time: Time| (ClockId { host, feed, clock: time.clock }, time.at.as_nanos());
        [Some(place(self.first)), self.second.map(place)]
    }

    /// Both times.
    pub(super) fn all(&self) -> impl Iterator<Item = Time> {
        std::iter::once(self.first).chain(self.second)
    }

    /// The time by which the records of one feed stand in an order: the one that all of them have, which is when they were written.
    pub(super) fn order(&self) -> Time {
        const ORDER: [Clock; 5] =
            [Clock::Logged, Clock::Event, Clock::Received, Clock::Bucket, Clock::Skewed];
        ORDER.into_iter().find_map(|clock| Some(Time { at: self.of(clock)?, clock })).unwrap_or(self.first)
    }
}

/// How much earlier and later than the wire a time may be that nobody has corrected, in nanoseconds.
const fn plausible(clock: Clock) -> (i64, i64) {
    match clock {
        Clock::Event | Clock::Skewed => (2 * SECOND, 2 * SECOND),
        Clock::Logged => (2 * SECOND, 10 * SECOND),
        Clock::Received => (2 * SECOND, 3600 * SECOND),
        // The beginning of an hour, or of a minute; and the minute itself may be rounded.
        Clock::Bucket => (3600 * SECOND, 60 * SECOND),
    }
}

/// The offsets of one clock, from its samples in the order of the wire.
fn offsets(samples: &[Sample]) -> Vec<Offset> {
    let mut offsets = Vec::new();
    let mut window: Vec<Sample> = Vec::new();
    // The least and the most of the window.
    let mut extremes: Option<(i64, i64)> = None;
    for (index, sample) in samples.iter().enumerate() {
        let far = |ahead: i64| sample.ahead.abs_diff(ahead) > Clocks::JUMP.unsigned_abs();
        // What is near to both extremes is near to what is between them.
        let jumps = extremes.is_some_and(|(least, most)| far(least) || far(most))
            && median(&mut window.iter().map(|sample| sample.ahead).collect::<Vec<_>>()).is_some_and(far);
        if jumps && alone(samples, index) && window.len() >= Clocks::LEARNED as usize {
            continue;
        }
        if jumps || window.len() >= Clocks::WINDOW {
            offsets.extend(offset(&window));
            window.clear();
            extremes = None;
        }
        let (least, most) = extremes.unwrap_or((sample.ahead, sample.ahead));
        extremes = Some((least.min(sample.ahead), most.max(sample.ahead)));
        window.push(*sample);
    }
    // What is left over of a clock that has not jumped is not an offset less sure than the one before.
    let rest = offset(&window);
    match (offsets.last_mut(), rest) {
        (Some(last), Some(rest))
            if rest.samples < Clocks::LEARNED && (rest.ahead - last.ahead).abs() <= Clocks::JUMP =>
        {
            last.to = rest.to.max(last.to);
        }
        (_, rest) => offsets.extend(rest),
    }
    offsets
}

/// Whether none of the next two samples is like this one: then it is no jump, but an error.
fn alone(samples: &[Sample], index: usize) -> bool {
    let Some(this) = samples.get(index) else { return true };
    let next = samples.iter().skip(index + 1).take(2);
    !next.into_iter().any(|next| next.ahead.abs_diff(this.ahead) <= Clocks::JUMP.unsigned_abs())
}

fn offset(window: &[Sample]) -> Option<Offset> {
    let ahead = median(&mut window.iter().map(|sample| sample.ahead).collect::<Vec<_>>())?;
    let spread = median(
        &mut window
            .iter()
            .map(|sample| sample.ahead.saturating_sub(ahead).saturating_abs())
            .collect::<Vec<_>>(),
    )?;
    Some(Offset {
        ahead,
        spread,
        samples: u32::try_from(window.len()).unwrap_or(u32::MAX),
        from: window.first()?.wire,
        to: window.last()?.wire,
    })
}

fn median(values: &mut [i64]) -> Option<i64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable(middle).1)
}

/// The zone that an offset of written times amounts to: a multiple of a quarter of an hour, from two seconds less to six more.
fn zone(ahead: i64) -> Option<i64> {
    let quarters = (ahead.saturating_add(2 * SECOND)).div_euclid(Clocks::QUARTER);
    let rest = ahead - quarters * Clocks::QUARTER;
    // Twice twelve hours: a zone, and a clock that counts twelve hours.
    let most = 28 * 4;
    (quarters != 0 && quarters.abs() <= most && rest <= 6 * SECOND).then(|| quarters * Clocks::QUARTER)
}

fn distance(offset: &Offset, wire: Timestamp) -> i64 {
    offset.from.since(wire).max(wire.since(offset.to)).max(0)
}

fn back(at: Timestamp, by: i64) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos().saturating_sub(by))
}
