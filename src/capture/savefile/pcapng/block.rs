//! Blocks, and the three kinds of them that hold a packet.

use super::Interface;
use crate::capture::savefile::cutter::Stop;
use crate::capture::savefile::end::Damage;
use crate::capture::savefile::order::Order;
use crate::reader::{Reader, Short};

/// Section header; the same in both byte orders.
pub(super) const SECTION: u32 = 0x0a0d_0d0a;
pub(super) const INTERFACE: u32 = 1;
/// The obsolete packet block.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type and length before a block's body, length behind it.
pub(super) const BLOCK_FRAME: usize = 12;

/// The largest block that is accepted, since a block is held in memory whole; libpcap has the same limit. Packets are
/// far smaller; logged secrets or names of that size would be strange.
const MAX_BLOCK: u32 = 16 * 1024 * 1024;

/// A block; its body borrowed.
pub(super) struct Block<'a> {
    pub(super) kind: u32,
    pub(super) body: &'a [u8],
    /// With type and lengths.
    pub(super) length: usize,
}

impl<'a> Block<'a> {
    /// The block at the head of `rest`, which was read before and found whole.
    #[inline]
    pub(super) fn again(order: Order, rest: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader::new(rest);
        let [kind, length] = order.pair(reader.array().ok()?);
        let length = length as usize;
        let body = reader.take(length.checked_sub(BLOCK_FRAME)?).ok()?;
        reader.skip(4).ok()?;
        Some((Self { kind, body, length }, reader.rest()))
    }

    /// The block at the head of `rest`, and the bytes after it.
    pub(super) fn read(order: Order, rest: &'a [u8]) -> Result<(Self, &'a [u8]), Stop> {
        let mut reader = Reader::new(rest);
        let more = |needed| move |_: Short| Stop::More(needed);
        let [kind, length] = order.pair(reader.array().map_err(more(BLOCK_FRAME))?);
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

    pub(super) const fn is_packet(&self) -> bool {
        matches!(self.kind, ENHANCED_PACKET | SIMPLE_PACKET | PACKET)
    }

    /// The packet in it, if it is a packet block that holds together.
    #[inline]
    pub(super) fn packet(&self, order: Order) -> Option<Packet<'a>> {
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
        let [high, low, captured, wire_len] = order.words(reader.array().ok()?);
        let ticks = u64::from(high) << 32 | u64::from(low);
        Some(Packet { interface, ticks: Some(ticks), captured, wire_len, rest: reader.rest() })
    }
}

/// A packet block's fields.
pub(super) struct Packet<'a> {
    pub(super) interface: u32,
    /// None in a simple packet.
    pub(super) ticks: Option<u64>,
    captured: u32,
    pub(super) wire_len: u32,
    /// The data, padding and options.
    rest: &'a [u8],
}

impl<'a> Packet<'a> {
    #[inline]
    pub(super) fn data(&self, interface: &Interface) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.rest);
        if self.ticks.is_some() {
            return reader.take(self.captured as usize).ok();
        }
        // A simple packet does not say how much was captured: the snap length, or all.
        let snap_len = if interface.snap_len == 0 { u32::MAX } else { interface.snap_len };
        Some(reader.take_up_to(self.captured.min(snap_len) as usize))
    }
}

/// The byte order that a section header's magic says; the error is a short read, or nothing when it is no magic.
pub(super) fn byte_order(reader: &mut Reader<'_>) -> Result<Order, Option<Short>> {
    match reader.array()? {
        [0x4d, 0x3c, 0x2b, 0x1a] => Ok(Order::Little),
        [0x1a, 0x2b, 0x3c, 0x4d] => Ok(Order::Big),
        _ => Err(None),
    }
}
