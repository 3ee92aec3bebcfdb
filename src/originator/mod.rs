//! Stage 6: who is behind it.
//!
//! Takes a [`Contact`](crate::lists::Contact) and says which process made it, how that is known and how surely: an
//! [`Attribution`]. Without telemetry for a host the answer is that there is none; a process is never guessed.

mod answers;

pub use answers::{Answers, Asked, Candidates};

/// Who made a contact, and how that is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attribution {
    /// How it is known.
    pub level: AttributionLevel,
}

/// The rungs of the ladder from knowing nothing to knowing the process.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum AttributionLevel {
    /// No telemetry speaks of this host.
    NoTelemetry,
}

impl AttributionLevel {
    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoTelemetry => "no-telemetry",
        }
    }
}
