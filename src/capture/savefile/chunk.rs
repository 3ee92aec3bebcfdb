//! A part of a capture file that can be read by itself: whole records, and what the file said about them before.

use std::fmt;

use super::{Interface, pcap, pcapng};
use crate::capture::{Frame, Timestamp};

/// Whole records of one file, in file order; it may hold none that is a packet. Reading it needs nothing but itself,
/// and can be done several times, from any packet on.
pub struct Chunk {
    /// Longer than what is used of it, so that memory that is used again need not be cleared.
    pub(super) buffer: Vec<u8>,
    /// Where it begins in its memory.
    pub(super) from: usize,
    pub(super) used: usize,
    pub(super) offset: u64,
    pub(super) frames_before: u64,
    pub(super) frames: u32,
    pub(super) last: u32,
    pub(super) layout: Layout,
}

/// How records are to be read.
#[derive(Clone, Debug)]
pub(super) enum Layout {
    Pcap(pcap::Head),
    Pcapng(pcapng::Section),
}

impl Chunk {
    /// Its frames, in file order, each with its place in the chunk for [`frame_at`](Self::frame_at).
    #[inline]
    pub fn frames(&self) -> Frames<'_> {
        Frames { layout: &self.layout, rest: self.bytes(), length: self.used }
    }

    /// The frames from the one at `place` on.
    #[inline]
    pub fn frames_from(&self, place: u32) -> Frames<'_> {
        let rest = self.bytes().get(place as usize..).unwrap_or_default();
        Frames { layout: &self.layout, rest, length: self.used }
    }

    /// The frame that [`frames`](Self::frames) gave with this `place`; anything or none for another place.
    #[inline]
    pub fn frame_at(&self, place: u32) -> Option<Frame<'_>> {
        self.frames_from(place).next().map(|(_, frame)| frame)
    }

    /// The interface that captured the frame at `place`; pcap does not tell.
    pub fn interface_at(&self, place: u32) -> Option<&Interface> {
        match &self.layout {
            Layout::Pcap(_) => None,
            Layout::Pcapng(section) => section.interface(self.bytes().get(place as usize..)?),
        }
    }

    /// How many frames it has.
    #[inline]
    pub const fn len(&self) -> u32 {
        self.frames
    }

    /// Whether it has no frame, only records of other kinds.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// How many frames of the file came before it: the number of its first frame, counted from nought.
    #[inline]
    pub const fn frames_before(&self) -> u64 {
        self.frames_before
    }

    /// Where its first byte is in the file, decompressed.
    #[inline]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// How many bytes of the file it is, decompressed.
    #[inline]
    pub const fn size(&self) -> usize {
        self.used
    }

    /// The time of its first frame.
    pub fn first_at(&self) -> Option<Timestamp> {
        self.frames().next().map(|(_, frame)| frame.at)
    }

    /// The time of its last frame; captures run backwards, so this need not be the latest.
    pub fn last_at(&self) -> Option<Timestamp> {
        if self.is_empty() { None } else { self.frame_at(self.last).map(|frame| frame.at) }
    }

    /// Its memory, for the next chunk.
    pub fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    #[inline]
    fn bytes(&self) -> &[u8] {
        self.buffer.get(self.from..self.from + self.used).unwrap_or_default()
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, used, frames, frames_before, layout, .. } = self;
        f.debug_struct("Chunk")
            .field("offset", offset)
            .field("size", used)
            .field("frames", frames)
            .field("frames_before", frames_before)
            .field("layout", layout)
            .finish_non_exhaustive()
    }
}

/// The frames of a chunk, each with its place in it.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    layout: &'a Layout,
    rest: &'a [u8],
    length: usize,
}

impl<'a> Iterator for Frames<'a> {
    type Item = (u32, Frame<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let place = (self.length - self.rest.len()) as u32;
        match self.layout {
            Layout::Pcap(head) => {
                let (frame, rest) = head.split(self.rest)?;
                self.rest = rest;
                Some((place, frame))
            }
            Layout::Pcapng(section) => {
                let (passed, frame, rest) = section.split(self.rest)?;
                self.rest = rest;
                Some((place + passed as u32, frame))
            }
        }
    }
}

impl std::iter::FusedIterator for Frames<'_> {}
