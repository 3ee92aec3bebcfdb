//! Stage 1: where frames come from.
//!
//! Takes interfaces and capture files, gives [`Frame`]s in the order in which they were captured. Nothing here
//! looks into a frame.

mod frame;

pub use frame::{Frame, LinkType, Timestamp};
