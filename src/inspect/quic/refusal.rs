//! Why packets, frames or whole datagrams gave nothing, as numbers.

/// Why something was refused. Limits are among them: each that is reached is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// The version is not known here: reserved, newer, or no QUIC at all.
    UnknownVersion,
    /// A header's lengths do not fit each other or the datagram.
    MalformedHeader,
    /// The packet is longer than what was captured of it, and cannot be authenticated.
    Cut,
    /// A datagram has more packets than [`MAX_PACKETS`](super::MAX_PACKETS); the rest was not looked at.
    TooManyPackets,
    /// The connection ID is too short for a client's first flight, and no keys are known: a server's Initial.
    ShortConnectionId,
    /// No key opened the packet: a server's Initial, or damaged, or forged.
    NotOpened,
    /// The connection's budget for trying keys is spent ([`MAX_DERIVATIONS`](super::MAX_DERIVATIONS),
    /// [`MAX_FAILURES`](super::MAX_FAILURES), [`MAX_TRIES`](super::MAX_TRIES)).
    Budget,
    /// More than [`MAX_KEYS`](super::MAX_KEYS) sets of keys opened something on one connection.
    TooManyKeys,
    /// More than [`MAX_INITIALS`](super::MAX_INITIALS) Initials, and still no whole hello.
    TooManyInitials,
    /// A frame that may not stand in an Initial (RFC 9000 section 17.2.2), or of an unknown type.
    UnexpectedFrame,
    /// A frame is longer than its packet.
    MalformedFrame,
    /// Bytes of the CRYPTO stream beyond [`MAX_HELLO`](super::MAX_HELLO).
    TooFar,
    /// A hello in more pieces than [`MAX_RANGES`](super::MAX_RANGES).
    TooManyRanges,
    /// The stream overlaps itself with other bytes; the first ones were kept.
    Conflict,
    /// The CRYPTO stream does not begin with a ClientHello or CHLO.
    NotClientHello,
    /// The hello says that it is longer than [`MAX_HELLO`](super::MAX_HELLO).
    HelloTooLong,
}

impl Refusal {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 16] = [
        Self::UnknownVersion,
        Self::MalformedHeader,
        Self::Cut,
        Self::TooManyPackets,
        Self::ShortConnectionId,
        Self::NotOpened,
        Self::Budget,
        Self::TooManyKeys,
        Self::TooManyInitials,
        Self::UnexpectedFrame,
        Self::MalformedFrame,
        Self::TooFar,
        Self::TooManyRanges,
        Self::Conflict,
        Self::NotClientHello,
        Self::HelloTooLong,
    ];

    /// What a reader has to know of: a name may have been missed by it, or two versions of one were sent. The others are what others'
    /// packets look like.
    pub const TOLD: [Self; 9] = [
        Self::Cut,
        Self::TooManyPackets,
        Self::Budget,
        Self::TooManyKeys,
        Self::TooManyInitials,
        Self::TooFar,
        Self::TooManyRanges,
        Self::Conflict,
        Self::HelloTooLong,
    ];

    /// The words in the closing summary, of what is [told](Self::TOLD).
    pub const fn words(self) -> &'static str {
        match self {
            Self::Cut => "quic: Initials cut by a snap length, which no key opens",
            Self::TooManyPackets => "quic: datagrams with too many packets",
            Self::Budget => "quic: Initials beyond a connection's budget for keys",
            Self::TooManyKeys => "quic: connections with too many sets of keys",
            Self::TooManyInitials => "quic: hellos over too many Initials",
            Self::TooFar => "quic: hellos beyond the longest that is read",
            Self::TooManyRanges => "quic: hellos in too many pieces",
            Self::Conflict => "quic: hellos that overlap themselves with other bytes; the first were read",
            Self::HelloTooLong => "quic: hellos that say they are too long",
            _ => self.as_str(),
        }
    }

    /// The word in counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownVersion => "unknown_version",
            Self::MalformedHeader => "malformed_header",
            Self::Cut => "cut",
            Self::TooManyPackets => "too_many_packets",
            Self::ShortConnectionId => "short_connection_id",
            Self::NotOpened => "not_opened",
            Self::Budget => "budget",
            Self::TooManyKeys => "too_many_keys",
            Self::TooManyInitials => "too_many_initials",
            Self::UnexpectedFrame => "unexpected_frame",
            Self::MalformedFrame => "malformed_frame",
            Self::TooFar => "too_far",
            Self::TooManyRanges => "too_many_ranges",
            Self::Conflict => "conflict",
            Self::NotClientHello => "not_client_hello",
            Self::HelloTooLong => "hello_too_long",
        }
    }
}

/// What was done and what was refused. Counters of two places merge by addition.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counters {
    /// Sets of keys derived: the cost that a flood of Initials can cause.
    pub derived: u64,
    /// Initials opened, cleartext ones included.
    pub opened: u64,
    /// Hellos that came out whole.
    pub hellos: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl Counters {
    /// How often for this reason.
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused.get(why as usize).copied().unwrap_or_default()
    }

    /// Adds another place's numbers to these.
    pub fn merge(&mut self, other: &Self) {
        self.derived += other.derived;
        self.opened += other.opened;
        self.hellos += other.hellos;
        for (mine, theirs) in self.refused.iter_mut().zip(other.refused) {
            *mine += theirs;
        }
    }

    #[inline]
    pub(super) fn refuse(&mut self, why: Refusal) {
        if let Some(count) = self.refused.get_mut(why as usize) {
            *count += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_place_and_word() {
        let mut words = std::collections::HashSet::new();
        for (place, why) in Refusal::ALL.into_iter().enumerate() {
            assert_eq!(why as usize, place);
            assert!(words.insert(why.as_str()));
        }
    }

    #[test]
    fn counters_add_up() {
        let mut one = Counters { derived: 1, ..Counters::default() };
        one.refuse(Refusal::HelloTooLong);
        let mut two = one;
        two.merge(&one);
        assert_eq!((two.derived, two.refused(Refusal::HelloTooLong), two.refused(Refusal::Cut)), (2, 2, 0));
    }
}
