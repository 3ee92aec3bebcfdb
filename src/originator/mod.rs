//! Stage 6: who is behind it.
//!
//! Takes a [`Contact`](crate::lists::Contact) and says which process made it, how that is known and how surely: an
//! [`Attribution`]. Without telemetry for a host the answer is that there is none; a process is never guessed.

mod answers;
mod attribution;
mod class;
mod clocks;
mod command_line;
mod delegates;
pub mod feed;
mod hosts;
mod join;
mod leases;
mod owned;
mod processes;
mod programs;
pub mod record;
mod texts;
mod wire;

pub use answers::{Answers, Asked, Candidates, Told};
pub use attribution::{Attribution, AttributionLevel, Delegated, Host, Kinds, Process};
pub use class::{Class, Originator, Script, Tag};
pub use command_line::Signs;
pub use join::{FeedMemory, FeedReport, Join, OffsetFound, Question, ZoneFound};
pub use leases::Leases;
pub use programs::{Place, Program, Programs};
pub use wire::{WireClass, WireClients};
