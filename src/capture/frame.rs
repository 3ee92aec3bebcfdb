//! A captured frame, and the two numbers every capture gives it: a time and a link type.

use std::fmt;

/// One captured frame; its bytes stay where the capture put them.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub at: Timestamp,
    /// What its first byte belongs to.
    pub link: LinkType,
    /// Its length on the wire, in bytes; more than `bytes.len()` where a snap length cut it.
    pub wire_len: u32,
    /// The bytes that were captured.
    pub bytes: &'a [u8],
}

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds, as captures count them.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From nanoseconds since the epoch.
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From seconds and nanoseconds since the epoch. What does not fit (the year 2262) becomes the last moment.
    #[inline]
    pub const fn from_parts(seconds: i64, nanos: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanos as i64))
    }

    /// Nanoseconds since the epoch.
    #[inline]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Nanoseconds from `earlier` to here, negative when the clock ran backwards.
    #[inline]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, always with nine decimals: `2026-11-20T12:00:00.123456789Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every i64 of nanoseconds is a moment between 1677 and 2262, which jiff's years hold.
        let moment = jiff::Timestamp::from_nanosecond(i128::from(self.0)).map_err(|_| fmt::Error)?;
        write!(f, "{moment:.9}")
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A link-layer type as capture files number it (<https://www.tcpdump.org/linktypes.html>). An unknown number is
/// data, not an error.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a protocol family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without address and control bytes.
    pub const PPP: Self = Self(9);
    /// PPP in HDLC-like framing.
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE; the capture begins at the PPPoE header.
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IPv4 or IPv6 (OpenBSD and old files use 12 or 14 for it).
    pub const RAW: Self = Self(101);
    /// IEEE 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// OpenBSD loopback: a protocol family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// IEEE 802.11 behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux netfilter log.
    pub const NFLOG: Self = Self(239);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_rfc_3339() {
        let at = Timestamp::from_parts(1_795_176_000, 123_456_789);
        assert_eq!(at.to_string(), "2026-11-20T12:00:00.123456789Z");
        assert_eq!(Timestamp::from_parts(0, 0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp::from_nanos(-1).to_string(), "1969-12-31T23:59:59.999999999Z");
    }

    #[test]
    fn no_number_is_out_of_range() {
        assert!(!Timestamp::from_parts(i64::MAX, u32::MAX).to_string().is_empty());
        assert!(!Timestamp::from_nanos(i64::MIN).to_string().is_empty());
        assert_eq!(Timestamp::from_nanos(i64::MIN).since(Timestamp::from_nanos(i64::MAX)), i64::MIN);
    }
}
