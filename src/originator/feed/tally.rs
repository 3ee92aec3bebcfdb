//! What a feed held: records told, passed over and refused, with the reasons.

use std::fmt;

use super::Outcome;

/// Why something in a feed was not used.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Refusal {
    /// It is no record of any kind: a line of other text.
    NotARecord,
    /// It is JSON, but no record of a format that is known.
    Unrecognised,
    /// It is no record of the format that was stated.
    OtherFormat,
    /// It begins like JSON and is not.
    BrokenJson,
    /// It begins like an event in XML and is not one.
    BrokenXml,
    /// It is a row that does not fit its header.
    BrokenRow,
    /// A chunk or a record of an event log file that is damaged.
    BrokenLog,
    /// It ends before its end.
    CutShort,
    /// It is longer than [`MAX_RECORD`](super::MAX_RECORD).
    TooLong,
    /// It is nested more deeply than [`MAX_DEPTH`](super::MAX_DEPTH), or has more fields than are taken.
    TooDeep,
    /// It does not say which host it is of.
    NoHost,
    /// It has no time that can be read.
    NoTime,
    /// It is of a process and has neither its number nor another identity.
    NoProcess,
    /// It is of a connection without the addresses that tell one.
    NoAddress,
    /// It is of a question to DNS and has no name.
    NoName,
}

impl Refusal {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::NotARecord,
        Self::Unrecognised,
        Self::OtherFormat,
        Self::BrokenJson,
        Self::BrokenXml,
        Self::BrokenRow,
        Self::BrokenLog,
        Self::CutShort,
        Self::TooLong,
        Self::TooDeep,
        Self::NoHost,
        Self::NoTime,
        Self::NoProcess,
        Self::NoAddress,
        Self::NoName,
    ];

    /// What is wrong, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotARecord => "not a record",
            Self::Unrecognised => "JSON of no known format",
            Self::OtherFormat => "not of the format that --feed-format states",
            Self::BrokenJson => "broken JSON",
            Self::BrokenXml => "broken XML",
            Self::BrokenRow => "row that does not fit its header",
            Self::BrokenLog => "damaged event log",
            Self::CutShort => "cut short",
            Self::TooLong => "longer than 1 MiB",
            Self::TooDeep => "nested too deeply, or too many fields",
            Self::NoHost => "no host",
            Self::NoTime => "no readable time",
            Self::NoProcess => "no process",
            Self::NoAddress => "no addresses",
            Self::NoName => "no name asked for",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How often something was refused, and where first.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refused {
    /// How often.
    pub count: u64,
    /// The line of the first, from 1; of an event log file, the number of its chunk.
    pub first_line: u64,
}

/// What a feed held so far.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Bytes that were pushed.
    pub bytes: u64,
    /// Records that were told: what says something of a process, a connection, a question to DNS, or addresses.
    pub told: u64,
    /// Records of a known format that say nothing of these.
    pub passed_over: u64,
    refused: [Refused; Refusal::ALL.len()],
}

impl Tally {
    /// What was refused for a reason.
    pub fn refused(&self, why: Refusal) -> Refused {
        self.refused.get(why as usize).copied().unwrap_or_default()
    }

    /// Every reason for which something was refused, in the order of [`Refusal::ALL`].
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, Refused)> + '_ {
        Refusal::ALL.into_iter().map(|why| (why, self.refused(why))).filter(|(_, refused)| refused.count > 0)
    }

    /// How much was refused.
    pub fn all_refused(&self) -> u64 {
        self.refused.iter().map(|refused| refused.count).sum()
    }

    /// Adds what another feed of the same source held. The line of the first refusal is the earlier feed's.
    pub fn add(&mut self, later: &Self) {
        self.bytes += later.bytes;
        self.told += later.told;
        self.passed_over += later.passed_over;
        for (refused, more) in self.refused.iter_mut().zip(&later.refused) {
            if refused.count == 0 {
                refused.first_line = more.first_line;
            }
            refused.count += more.count;
        }
    }

    /// Counts what became of a record.
    pub(super) fn count(&mut self, outcome: Outcome, line: u64) {
        match outcome {
            Outcome::Told => self.told += 1,
            Outcome::PassedOver => self.passed_over += 1,
            Outcome::Refused(why) => self.refuse(why, line),
        }
    }

    /// Counts a refusal.
    pub(super) fn refuse(&mut self, why: Refusal, line: u64) {
        if let Some(refused) = self.refused.get_mut(why as usize) {
            if refused.count == 0 {
                refused.first_line = line;
            }
            refused.count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_count() {
        let mut tally = Tally::default();
        for (at, why) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at, "{why:?} stands where its number says");
            tally.refuse(why, at as u64 + 1);
            tally.refuse(why, 99);
            assert_eq!(tally.refused(why), Refused { count: 2, first_line: at as u64 + 1 });
        }
        assert_eq!(tally.all_refused(), 30);
        assert_eq!(tally.refusals().count(), 15);
    }

    #[test]
    fn feeds_of_one_source_add_up() {
        let mut first = Tally { bytes: 1, told: 2, passed_over: 3, ..Tally::default() };
        let mut second = first.clone();
        first.refuse(Refusal::NoHost, 7);
        second.refuse(Refusal::NoHost, 8);
        second.refuse(Refusal::NoTime, 9);
        first.add(&second);
        assert_eq!((first.bytes, first.told, first.passed_over), (2, 4, 6));
        assert_eq!(first.refused(Refusal::NoHost), Refused { count: 2, first_line: 7 });
        assert_eq!(first.refused(Refusal::NoTime), Refused { count: 1, first_line: 9 });
    }
}
