//! IEEE 802.11 data frames that are not encrypted, with or without a radiotap header.

use super::ethernet::llc;
use super::walk::Walk;
use super::{Layer, Packet, Refusal};

/// A frame behind a radiotap header (<https://www.radiotap.org>). All of its numbers are little-endian.
pub(super) fn radiotap<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    /// Whether another word of presence bits follows this one.
    const EXTENDED: u32 = 1 << 31;
    /// Whether a time of eight bytes stands first, and whether flags of one byte follow it.
    const TIME: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    /// The flag of padding between the 802.11 header and its body, to a multiple of four bytes.
    const PADDED: u8 = 0x20;
    let mut fields = walk.clone();
    let [_, _, low, high, words @ ..] = fields.array::<8>(Layer::Radiotap)?;
    let length = usize::from(u16::from_le_bytes([low, high]));
    walk.skip(Layer::Radiotap, length)?;
    let present = u32::from_le_bytes(words);
    let mut passed = 8_usize;
    let mut word = present;
    while word & EXTENDED != 0 {
        word = u32::from_le_bytes(fields.array(Layer::Radiotap)?);
        passed += 4;
    }
    if present & TIME != 0 {
        // Fields are aligned to their size from the start of the header.
        fields.skip(Layer::Radiotap, passed.next_multiple_of(8) - passed + 8)?;
    }
    let padded = present & FLAGS != 0 && fields.peek(Layer::Radiotap)? & PADDED != 0;
    ieee80211(walk, padded)
}

/// An 802.11 frame (IEEE 802.11-2020 section 9.3.2). `padded` says that the body begins at a multiple of four bytes.
pub(super) fn ieee80211<'a>(walk: &mut Walk<'a>, padded: bool) -> Result<Packet<'a>, Refusal> {
    /// Version 0, type data; and the bits of the subtype.
    const VERSION_AND_TYPE: u8 = 0x0f;
    const DATA: u8 = 0x08;
    const NO_BODY: u8 = 0x40;
    const QOS: u8 = 0x80;
    /// Flags: both set mean a fourth address.
    const BOTH_DS: u8 = 0x03;
    const PROTECTED: u8 = 0x40;
    const HT_CONTROL: u8 = 0x80;
    /// A bit of the QoS control field: the body is an aggregate of subframes.
    const AGGREGATE: u8 = 0x80;
    /// Duration and three addresses.
    const DURATION_ADDRESSES: usize = 20;

    walk.descend(Layer::Ieee80211)?;
    let [control, flags] = walk.array(Layer::Ieee80211)?;
    let unsupported =
        Err(Refusal::Unsupported(Layer::Ieee80211, u32::from(u16::from_be_bytes([control, flags]))));
    if control & VERSION_AND_TYPE != DATA || control & NO_BODY != 0 || flags & PROTECTED != 0 {
        return unsupported;
    }
    walk.skip(Layer::Ieee80211, DURATION_ADDRESSES)?;
    let [fragment, _] = walk.array(Layer::Ieee80211)?;
    if fragment & 0x0f != 0 {
        // A later fragment has no headers; the first is decoded as far as it goes.
        return unsupported;
    }
    let mut header = 24;
    if flags & BOTH_DS == BOTH_DS {
        walk.skip(Layer::Ieee80211, 6)?;
        header += 6;
    }
    let mut aggregate = false;
    if control & QOS != 0 {
        let [qos, _] = walk.array(Layer::Ieee80211)?;
        aggregate = qos & AGGREGATE != 0;
        header += 2;
        if flags & HT_CONTROL != 0 {
            walk.skip(Layer::Ieee80211, 4)?;
            header += 4;
        }
    }
    if padded {
        walk.skip(Layer::Ieee80211, usize::next_multiple_of(header, 4) - header)?;
    }
    if aggregate { subframe(walk) } else { llc(walk) }
}

/// The first subframe of an aggregate (IEEE 802.11-2020 section 9.3.2.2): two addresses, a length, LLC. Where another
/// follows, the packet says so.
fn subframe<'a>(walk: &mut Walk<'a>) -> Result<Packet<'a>, Refusal> {
    /// Bytes of a subframe's header.
    const HEADER: usize = 14;
    /// A checksum may follow the last subframe.
    const CHECKSUM: usize = 4;
    walk.skip(Layer::Ieee80211, HEADER - 2)?;
    let length = usize::from(u16::from_be_bytes(walk.array(Layer::Ieee80211)?));
    let more = walk.wire() > (HEADER + length).next_multiple_of(4) - HEADER + CHECKSUM;
    walk.limit(length);
    let mut decoded = llc(walk);
    if let Ok(packet) = &mut decoded
        && more
    {
        packet.path.unopened = packet.path.unopened.or(Some(Layer::Ieee80211));
    }
    decoded
}
