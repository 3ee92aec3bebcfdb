//! Stage 1: where frames come from.
//!
//! Takes interfaces and capture files, gives [`Frame`]s in the order in which they were captured. Nothing here
//! looks into a frame.

pub mod savefile;

mod chains;
mod filter;
mod frame;
mod live;

pub use chains::{ChainId, Chains};
pub use filter::Filter;
pub use frame::{Frame, LinkType, Timestamp};
pub use live::{Live, LiveCounts, LiveError, LiveOptions, Look};
