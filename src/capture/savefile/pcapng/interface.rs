//! Interface blocks: link type, snap length, and the clock that packets are stamped with.

use std::sync::Arc;

use crate::capture::savefile::order::Order;
use crate::capture::savefile::pcap::link_type;
use crate::capture::{LinkType, Timestamp};
use crate::reader::{Reader, Short};

/// The longest interface name that is kept, in bytes; Linux has 15, Windows some 60.
const MAX_NAME: usize = 128;

/// An interface of a section.
#[derive(Clone, Debug)]
pub struct Interface {
    pub(super) link: LinkType,
    name: Option<Arc<str>>,
    /// The most bytes captured of a packet; nought is no limit.
    pub(super) snap_len: u32,
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

    pub(super) fn read(order: Order, body: &[u8]) -> Result<Self, Short> {
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
    pub(super) fn time(&self, ticks: u64) -> Timestamp {
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

/// The next option: its code and value, without the padding to four bytes.
fn option<'a>(order: Order, reader: &mut Reader<'a>) -> Result<(u16, &'a [u8]), Short> {
    let code = order.u16(reader)?;
    let length = order.u16(reader)?;
    let value = reader.take(length.into())?;
    // The last option's padding may be missing.
    reader.take_up_to(usize::from(length).next_multiple_of(4) - usize::from(length));
    Ok((code, value))
}
