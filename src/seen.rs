//! Where something was seen: in which frame, and through which wrappings.

use crate::capture::Timestamp;
use crate::decode::Path;

/// Which frame: its place among the inputs, and its time.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Mark {
    /// Which capture file or interface, from 0.
    pub source: u32,
    /// Number of the frame there, from 1.
    pub frame: u64,
    /// The frame's time.
    pub at: Timestamp,
}

/// A frame that is being read, and what the packet in it was wrapped in.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'p> {
    /// The frame.
    pub mark: Mark,
    /// The wrappings.
    pub path: &'p Path,
}

impl Seen<'_> {
    /// The same, for later.
    pub fn keep(self) -> Kept {
        Kept { mark: self.mark, path: boxed(self.path) }
    }
}

/// A frame that was read, and what the packet in it was wrapped in. A plain packet's wrappings take no room.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The frame.
    pub mark: Mark,
    path: Option<Box<Path>>,
}

impl Kept {
    /// Another frame in its place.
    pub fn set(&mut self, seen: Seen<'_>) {
        self.mark = seen.mark;
        if self.path.as_deref().unwrap_or(&Path::PLAIN) != seen.path {
            self.path = boxed(seen.path);
        }
    }

    /// As it was when it was read.
    pub fn seen(&self) -> Seen<'_> {
        Seen { mark: self.mark, path: self.path.as_deref().unwrap_or(&Path::PLAIN) }
    }
}

/// What a record has to say of a path: nothing of a plain one.
pub(crate) fn boxed(path: &Path) -> Option<Box<Path>> {
    path.boxed()
}
