//! The pcapng format: blocks, each with its length at both ends
//! (<https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcapng>).
//!
//! A section header sets the byte order, interface blocks fill a table, packets name an interface of it; all other
//! blocks are passed over. A walk stops before a block that changes the table after a packet was met, so that what
//! it walked over can be read again with one table.

use std::sync::Arc;

use super::Damage;
use super::cutter::{Marks, Stop};
use super::order::Order;
use super::pcap::link_type;
use crate::capture::{Frame, LinkType, Timestamp};
use crate::reader::{Reader, Short};

/// Section header; the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// The obsolete packet block.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type and length before a block's body, length behind it.
const BLOCK_FRAME: usize = 12;

/// The largest block that is accepted, since a block is held in memory whole; libpcap has the same limit. Packets are
/// far smaller; logged secrets or names of that size would be strange.
const MAX_BLOCK: u32 = 16 * 1024 * 1024;

/// The most interfaces of one section: the table is memory that the file's author asks for. Further interfaces are
/// not entered, and their packets are counted as packets of an unknown interface.
const MAX_INTERFACES: usize = 4096;

/// The longest interface name that is kept, in bytes; Linux has 15, Windows some 60.
const MAX_NAME: usize = 128;

/// Whether `first` begins a pcapng file, which may be cut short within these bytes.
pub(super) fn sniff(first: &[u8]) -> bool {
    let mut reader = Reader::new(first);
    reader.u32() == Ok(SECTION) && reader.skip(4).is_ok() && byte_order(&mut reader).is_ok()
}

/// An interface of a section.
#[derive(Clone, Debug)]
pub struct Interface {
    link: LinkType,
    name: Option<Arc<str>>,
    /// The most bytes captured of a packet; nought is no limit.
    snap_len: u32,
    units: Units,
    offset_nanos: i64,
}

impl Interface {
    /// What its frames begin with.
    pub const fn link(&self) -> LinkType {
        self.link
    }

    /// The name of the device, as the capturing host knew it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    fn read(order: Order, body: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(body);
        let link = link_type(order.u16(&mut reader)?.into());
        reader.skip(2)?;
        let snap_len = order.u32(&mut reader)?;
        let mut interface = Self { link, name: None, snap_len, units: Units::Times(1000), offset_nanos: 0 };
        // Options that do not hold together take only themselves away: the packets can still be read.
        while let Ok((code, value)) = option(order, &mut reader) {
            match (code, value) {
                (0, _) => break,
                (2, name) => {
                    let name = Reader::new(name).take_up_to(MAX_NAME);
                    interface.name = Some(String::from_utf8_lossy(name).as_ref().into());
                }
                (9, &[resolution]) => interface.units = Units::new(resolution),
                (14, value) => {
                    if let Ok(seconds) = order.i64(&mut Reader::new(value)) {
                        interface.offset_nanos = seconds.saturating_mul(1_000_000_000);
                    }
                }
                _ => {}
            }
        }
        Ok(interface)
    }

    #[inline]
    fn time(&self, ticks: u64) -> Timestamp {
        Timestamp::from_nanos(self.units.nanos(ticks).saturating_add(self.offset_nanos))
    }
}

/// What one tick of an interface's clock is in nanoseconds (`if_tsresol`).
#[derive(Clone, Copy, Debug)]
enum Units {
    /// So many nanoseconds.
    Times(u64),
    /// One nanosecond divided by this.
    Over(u64),
    /// One second divided by two to the power of this.
    Shift(u8),
}

impl Units {
    const fn new(resolution: u8) -> Self {
        let exponent = resolution & 0x7f;
        match (resolution & 0x80, exponent) {
            (0, 0..=9) => Self::Times(10_u64.pow(9 - exponent as u32)),
            (0, 10..=28) => Self::Over(10_u64.pow(exponent as u32 - 9)),
            (0, _) => Self::Over(u64::MAX), // 2^64 such ticks are not yet a nanosecond
            _ => Self::Shift(exponent),
        }
    }

    #[inline]
    fn nanos(self, ticks: u64) -> i64 {
        match self {
            Self::Times(nanos) => i64::try_from(ticks.saturating_mul(nanos)).unwrap_or(i64::MAX),
            Self::Over(parts) => i64::try_from(ticks / parts).unwrap_or(i64::MAX),
            Self::Shift(exponent) => {
                // Fits: 2^64 times 10^9 is below 2^94.
                i64::try_from((u128::from(ticks) * 1_000_000_000) >> exponent).unwrap_or(i64::MAX)
            }
        }
    }
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
    pub(super) fn split<'a>(&self, mut rest: &'a [u8]) -> Option<(usize, Frame<'a>, &'a [u8])> {
        let mut passed = 0;
        loop {
            let (block, after) = Block::read(self.order, rest).ok()?;
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
        let (block, _) = Block::read(self.order, rest).ok()?;
        self.interfaces.get(block.packet(self.order)?.interface as usize)
    }

    fn frame<'a>(&self, packet: &Packet<'a>) -> Option<Frame<'a>> {
        let interface = self.interfaces.get(packet.interface as usize)?;
        let bytes = packet.data(interface)?;
        let at = packet.ticks.map_or(self.stamp, |ticks| interface.time(ticks));
        let wire_len = packet.wire_len.max(bytes.len() as u32);
        Some(Frame { at, link: interface.link, wire_len, bytes })
    }
}

/// A block; its body borrowed.
struct Block<'a> {
    kind: u32,
    body: &'a [u8],
    /// With type and lengths.
    length: usize,
}

impl<'a> Block<'a> {
    /// The block at the head of `rest`, and the bytes after it.
    fn read(order: Order, rest: &'a [u8]) -> Result<(Self, &'a [u8]), Stop> {
        let mut reader = Reader::new(rest);
        let more = |needed| move |_: Short| Stop::More(needed);
        let kind = order.u32(&mut reader).map_err(more(BLOCK_FRAME))?;
        let length = order.u32(&mut reader).map_err(more(BLOCK_FRAME))?;
        if length > MAX_BLOCK || (length as usize) < BLOCK_FRAME {
            return Err(Stop::Damaged(Damage::BlockLength(length)));
        }
        let whole = length as usize;
        let body = reader.take(whole - BLOCK_FRAME).map_err(more(whole))?;
        let again = order.u32(&mut reader).map_err(more(whole))?;
        if again != length {
            return Err(Stop::Damaged(Damage::BlockLengths(length, again)));
        }
        Ok((Self { kind, body, length: whole }, reader.rest()))
    }

    const fn is_packet(&self) -> bool {
        matches!(self.kind, ENHANCED_PACKET | SIMPLE_PACKET | PACKET)
    }

    /// The packet in it, if it is a packet block that holds together.
    #[inline]
    fn packet(&self, order: Order) -> Option<Packet<'a>> {
        let mut reader = Reader::new(self.body);
        let interface = match self.kind {
            ENHANCED_PACKET => order.u32(&mut reader).ok()?,
            PACKET => {
                let interface = order.u16(&mut reader).ok()?;
                reader.skip(2).ok()?; // drops
                interface.into()
            }
            SIMPLE_PACKET => {
                let wire_len = order.u32(&mut reader).ok()?;
                return Some(Packet {
                    interface: 0,
                    ticks: None,
                    captured: wire_len,
                    wire_len,
                    rest: reader.rest(),
                });
            }
            _ => return None,
        };
        let high = order.u32(&mut reader).ok()?;
        let low = order.u32(&mut reader).ok()?;
        let captured = order.u32(&mut reader).ok()?;
        let wire_len = order.u32(&mut reader).ok()?;
        let ticks = u64::from(high) << 32 | u64::from(low);
        Some(Packet { interface, ticks: Some(ticks), captured, wire_len, rest: reader.rest() })
    }
}

/// A packet block's fields.
struct Packet<'a> {
    interface: u32,
    /// None in a simple packet.
    ticks: Option<u64>,
    captured: u32,
    wire_len: u32,
    /// The data, padding and options.
    rest: &'a [u8],
}

impl<'a> Packet<'a> {
    fn data(&self, interface: &Interface) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.rest);
        if self.ticks.is_some() {
            return reader.take(self.captured as usize).ok();
        }
        // A simple packet does not say how much was captured: the snap length, or all.
        let snap_len = if interface.snap_len == 0 { u32::MAX } else { interface.snap_len };
        Some(reader.take_up_to(self.captured.min(snap_len) as usize))
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

/// The byte order that a section header's magic says; the error is a short read, or nothing when it is no magic.
fn byte_order(reader: &mut Reader<'_>) -> Result<Order, Option<Short>> {
    match reader.array()? {
        [0x4d, 0x3c, 0x2b, 0x1a] => Ok(Order::Little),
        [0x1a, 0x2b, 0x3c, 0x4d] => Ok(Order::Big),
        _ => Err(None),
    }
}

/// The next option: its code and value, without the padding to four bytes.
fn option<'a>(order: Order, reader: &mut Reader<'a>) -> Result<(u16, &'a [u8]), Short> {
    let code = order.u16(reader)?;
    let length = order.u16(reader)?;
    let value = reader.take(length.into())?;
    // The last option's padding may be missing.
    reader.take_up_to(usize::from(length).next_multiple_of(4) - usize::from(length));
    Ok((code, value))
}
