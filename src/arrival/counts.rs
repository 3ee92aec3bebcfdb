//! What live telemetry has counted so far, by source and by sender.

use std::time::Duration;

use crate::capture::Timestamp;
use crate::originator::feed::Tally;

/// All counters.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// By the number of the source.
    pub sources: Vec<SourceCounts>,
    /// For how long nothing was read because the consumer was behind. Senders wait then, and lose nothing by it unless they give up.
    pub waited: Duration,
    /// Notices that were not given because there were too many.
    pub notices_withheld: u64,
}

/// What is counted of a source.
#[derive(Clone, Debug, Default)]
pub struct SourceCounts {
    /// The source, as `--feed` names it; with the port that it got, if it asked for any.
    pub address: String,
    /// What its senders and files held.
    pub tally: Tally,
    /// When something came last.
    pub last: Option<Timestamp>,
    /// Those that are connected.
    pub senders: Vec<SenderCounts>,
    /// Senders that connected.
    pub came: u64,
    /// Times that a message's length was looked for and something else was there.
    pub misframed: u64,
    /// What became of its file.
    pub file: FileCounts,
    pub(super) gone: [u64; Ending::ALL.len()],
}

impl SourceCounts {
    /// Senders that are no longer connected, or never were let in, for a reason.
    pub fn gone(&self, why: Ending) -> u64 {
        self.gone.get(why as usize).copied().unwrap_or_default()
    }

    /// Every reason for which a sender is gone, in the order of [`Ending::ALL`].
    pub fn endings(&self) -> impl Iterator<Item = (Ending, u64)> + '_ {
        Ending::ALL.into_iter().map(|why| (why, self.gone(why))).filter(|(_, count)| *count > 0)
    }

    pub(super) fn end(&mut self, why: Ending) {
        if let Some(count) = self.gone.get_mut(why as usize) {
            *count += 1;
        }
    }
}

/// How far a sender has come.
#[derive(Clone, Debug)]
pub struct SenderCounts {
    /// Who it is: its address, or its process and user.
    pub peer: String,
    /// When it connected.
    pub since: Timestamp,
    /// When something came last.
    pub last: Option<Timestamp>,
    /// Bytes that came, without encryption.
    pub bytes: u64,
    /// Records that it told.
    pub told: u64,
    /// What was refused of it.
    pub refused: u64,
    /// Bytes that are occupied for a record which is not whole.
    pub held: usize,
}

/// What became of a followed file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct FileCounts {
    /// Times that another file took its name.
    pub rotated: u64,
    /// Times that it was emptied.
    pub truncated: u64,
    /// Those of them where no copy holds what it had: what was written since the last look is lost.
    pub truncated_without_copy: u64,
    /// Bytes at its beginning that were not read, for they were older than what is of use.
    pub skipped: u64,
    /// Earlier files that were read on for a shorter time, since there were too many.
    pub given_up: u64,
    /// Looks that were left out, since too many earlier files waited to be read: what came and went meanwhile is lost.
    pub unseen: u64,
}

/// Why a sender is gone.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Ending {
    /// It closed the connection.
    Closed,
    /// The connection broke.
    Broken,
    /// A record was begun and not finished in time.
    Stalled,
    /// It did not finish the handshake in time.
    Silent,
    /// It showed no certificate.
    NoCertificate,
    /// Its certificate has expired.
    Expired,
    /// Its certificate comes from another authority.
    UnknownAuthority,
    /// Its certificate is wrong in another way.
    BadCertificate,
    /// It does not speak TLS.
    NotTls,
    /// The handshake failed otherwise.
    Handshake,
    /// There were as many senders as there may be.
    Crowded,
    /// It made room for another: it had been silent for longest, of the address with the most senders.
    Displaced,
    /// It occupied most when all together occupied too much.
    TooMuch,
    /// The sensor ended.
    Stopped,
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Closed,
        Self::Broken,
        Self::Stalled,
        Self::Silent,
        Self::NoCertificate,
        Self::Expired,
        Self::UnknownAuthority,
        Self::BadCertificate,
        Self::NotTls,
        Self::Handshake,
        Self::Crowded,
        Self::Displaced,
        Self::TooMuch,
        Self::Stopped,
    ];

    /// What happened, in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Broken => "connection broken",
            Self::Stalled => "stalled within a record",
            Self::Silent => "no handshake in time",
            Self::NoCertificate => "no certificate",
            Self::Expired => "certificate expired",
            Self::UnknownAuthority => "certificate of another authority",
            Self::BadCertificate => "certificate not valid",
            Self::NotTls => "not TLS",
            Self::Handshake => "handshake failed",
            Self::Crowded => "too many senders",
            Self::Displaced => "made room for another",
            Self::TooMuch => "occupied too much memory",
            Self::Stopped => "the sensor ended",
        }
    }

    /// Whether it is how senders should end.
    pub const fn is_usual(self) -> bool {
        matches!(self, Self::Closed | Self::Stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_ending_has_its_own_count() {
        let mut counts = SourceCounts::default();
        for (at, why) in Ending::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, at, "{why:?} stands where its number says");
            counts.end(why);
            assert_eq!(counts.gone(why), 1);
        }
        assert_eq!(counts.endings().count(), Ending::ALL.len());
    }
}
