//! The pcapng format: blocks, each with its length at both ends
//! (<https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng>).
//!
//! A section header sets the byte order, interface blocks fill a table, packets name an interface of it; all other
//! blocks are passed over. A walk stops before a block that changes the table after a packet was met, so that what
//! it walked over can be read again with one table.

mod block;
mod interface;

use std::sync::Arc;

use super::cutter::{Marks, Stop};
use super::end::Damage;
use super::order::Order;
use crate::capture::{Frame, Timestamp};
use crate::reader::Reader;
use block::{BLOCK_FRAME, Block, INTERFACE, Packet, SECTION, byte_order};

pub use interface::Interface;

/// The most interfaces of one section: the table is memory that the file's author asks for. Further interfaces are
/// not entered, and their packets are counted as packets of an unknown interface.
const MAX_INTERFACES: usize = 4096;

/// Whether `first` begins a pcapng file, which may be cut short within these bytes.
pub(super) fn sniff(first: &[u8]) -> bool {
    let mut reader = Reader::new(first);
    reader.u32() == Ok(SECTION) && reader.skip(4).is_ok() && byte_order(&mut reader).is_ok()
}

/// What packets of one chunk have in common.
#[derive(Clone, Debug)]
pub(super) struct Section {
    order: Order,
    pub(super) interfaces: Arc<Vec<Interface>>,
    /// The time of the packets that bring none (simple packets): that of the record before them.
    stamp: Timestamp,
}

impl Section {
    /// The first frame at or after the head of `rest`, with how many bytes before it were passed over, and the bytes
    /// after it.
    #[inline]
    pub(super) fn split<'a>(&self, mut rest: &'a [u8]) -> Option<(usize, Frame<'a>, &'a [u8])> {
        let mut passed = 0;
        loop {
            let (block, after) = Block::again(self.order, rest)?;
            if let Some(packet) = block.packet(self.order)
                && let Some(frame) = self.frame(&packet)
            {
                return Some((passed, frame, after));
            }
            passed += block.length;
            rest = after;
        }
    }

    /// The interface of the packet at the head of `rest`.
    pub(super) fn interface(&self, rest: &[u8]) -> Option<&Interface> {
        let (block, _) = Block::again(self.order, rest)?;
        self.interfaces.get(block.packet(self.order)?.interface as usize)
    }

    #[inline]
    fn frame<'a>(&self, packet: &Packet<'a>) -> Option<Frame<'a>> {
        let interface = self.interfaces.get(packet.interface as usize)?;
        let bytes = packet.data(interface)?;
        let at = packet.ticks.map_or(self.stamp, |ticks| interface.time(ticks));
        let wire_len = packet.wire_len.max(bytes.len() as u32);
        Some(Frame { at, link: interface.link, wire_len, bytes })
    }
}

/// Walks over the blocks of a file.
#[derive(Debug)]
pub(super) struct Walk {
    section: Section,
    /// The time of the last packet that had one.
    last: Timestamp,
    latest: Option<Timestamp>,
    damaged_packets: u64,
}

impl Walk {
    /// A walk that begins at a section header.
    pub(super) fn new() -> Self {
        let section =
            Section { order: Order::Little, interfaces: Arc::default(), stamp: Timestamp::default() };
        Self { section, last: Timestamp::default(), latest: None, damaged_packets: 0 }
    }

    /// Goes on at `marks` as far as `bytes` hold whole blocks that can be read with one table.
    pub(super) fn walk(&mut self, bytes: &[u8], marks: &mut Marks) -> Stop {
        let Some(mut rest) = bytes.get(marks.whole..) else { return Stop::More(marks.whole) };
        loop {
            match self.step(rest, marks) {
                Ok(after) => rest = after,
                Err(Stop::More(needed)) => return Stop::More(marks.whole + needed),
                Err(stop) => return stop,
            }
        }
    }

    /// What the packets between the last two stops have in common.
    pub(super) const fn section(&self) -> &Section {
        &self.section
    }

    /// The latest time walked over.
    pub(super) const fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// Packets that name an unknown interface or are longer than their block.
    pub(super) const fn damaged_packets(&self) -> u64 {
        self.damaged_packets
    }

    fn step<'a>(&mut self, rest: &'a [u8], marks: &mut Marks) -> Result<&'a [u8], Stop> {
        let kind = Reader::new(rest).u32();
        if kind == Ok(SECTION) {
            return self.begin_section(rest, marks);
        }
        let (block, after) = Block::read(self.section.order, rest)?;
        if block.is_packet() {
            self.packet(&block, marks)?;
        } else {
            if block.kind == INTERFACE {
                if marks.packets {
                    return Err(Stop::Cut);
                }
                let interface = Interface::read(self.section.order, block.body);
                let interface = interface.map_err(|_| Stop::Damaged(Damage::Interface))?;
                if self.section.interfaces.len() < MAX_INTERFACES {
                    Arc::make_mut(&mut self.section.interfaces).push(interface);
                }
            }
            marks.other(block.length);
        }
        Ok(after)
    }

    fn begin_section<'a>(&mut self, rest: &'a [u8], marks: &mut Marks) -> Result<&'a [u8], Stop> {
        if marks.whole > 0 {
            return Err(Stop::Cut);
        }
        let mut reader = Reader::new(rest);
        let more = |_| Stop::More(BLOCK_FRAME);
        reader.skip(8).map_err(more)?;
        let order = byte_order(&mut reader).map_err(|short| match short {
            Some(_) => Stop::More(BLOCK_FRAME),
            None => Stop::Damaged(Damage::ByteOrder),
        })?;
        let (block, after) = Block::read(order, rest)?;
        let mut body = Reader::new(block.body);
        let version = body.skip(4).and_then(|()| order.u16(&mut body));
        if version != Ok(1) {
            return Err(Stop::Damaged(Damage::Version(version.unwrap_or(0))));
        }
        self.section.order = order;
        self.section.interfaces = Arc::default();
        marks.other(block.length);
        Ok(after)
    }

    fn packet(&mut self, block: &Block<'_>, marks: &mut Marks) -> Result<(), Stop> {
        let packet = block.packet(self.section.order);
        if let Some(Packet { ticks: None, .. }) = packet {
            if marks.stamped && self.section.stamp != self.last {
                return Err(Stop::Cut);
            }
            self.section.stamp = self.last;
            marks.stamped = true;
        }
        marks.packets = true;
        match packet.and_then(|packet| self.section.frame(&packet)) {
            Some(frame) => {
                self.last = frame.at;
                self.latest = self.latest.max(Some(frame.at));
                marks.frame(block.length);
            }
            None => {
                self.damaged_packets += 1;
                marks.other(block.length);
            }
        }
        Ok(())
    }
}
