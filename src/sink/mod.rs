//! Stage 8: what leaves.
//!
//! Takes findings and gives records: Elastic Common Schema in JSON lines, or text for people on a terminal. Whole lines
//! are written, and flushed; an error of the output is told, never swallowed.
