//! What a packet was wrapped in: VLAN tags and tunnels.
//!
//! A plain packet's path is empty. Each wrapping adds itself when its inside is decoded, from the innermost outwards, so
//! that plain packets pay nothing for it.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU16;

use super::Layer;

/// The wrappings around a packet.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Path {
    /// The innermost tunnel, through which the packet itself went.
    pub tunnel: Option<Tunnel>,
    /// VLAN identifiers of the first two tags from outside, wherever in the frame they stand. A tag of VLAN 0 carries
    /// a priority and no VLAN (IEEE 802.1Q), and is left out.
    pub vlans: [Option<NonZeroU16>; 2],
    /// How many tunnels lie around the packet.
    pub depth: u8,
    /// A layer that was recognised and not opened: a tunnel on its own UDP port whose inside did not decode, so that
    /// the packet is the datagram itself; or 802.11 frames that carry further packets beside this one.
    pub unopened: Option<Layer>,
}

impl Path {
    /// That of a plain packet.
    pub const PLAIN: Self = Self { tunnel: None, vlans: [None; 2], depth: 0, unopened: None };

    /// Whether there is neither a tunnel nor a VLAN in it.
    pub const fn is_plain(&self) -> bool {
        self.depth == 0 && matches!(self.vlans, [None, None])
    }

    /// What is to be kept of it: nothing of a plain packet's.
    pub fn boxed(&self) -> Option<Box<Self>> {
        (!self.is_plain()).then(|| Box::new(*self))
    }

    /// This path, inside another: what a datagram put together from fragments carries, inside what the fragments came
    /// through.
    #[must_use]
    pub fn within(mut self, outer: &Self) -> Self {
        self.tunnel = self.tunnel.or(outer.tunnel);
        self.depth = self.depth.saturating_add(outer.depth);
        self.unopened = self.unopened.or(outer.unopened);
        self.add_vlans(outer.vlans);
        self
    }

    /// Notes a tunnel around what is already noted.
    pub(super) fn add_tunnel(&mut self, tunnel: Tunnel) {
        self.tunnel = self.tunnel.or(Some(tunnel));
        self.depth = self.depth.saturating_add(1);
    }

    /// Notes tags around what is already noted, the outer of the two first.
    pub(super) fn add_vlans(&mut self, outer: [Option<NonZeroU16>; 2]) {
        self.vlans = match (outer, self.vlans) {
            ([Some(first), None] | [None, Some(first)], [next, _]) => [Some(first), next],
            ([None, None], inner) => inner,
            (both, _) => both,
        };
    }
}

/// One tunnel.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tunnel {
    /// Which kind.
    pub kind: TunnelKind,
    /// Which of those between the same two ends, as the kind counts them; 0 where it does not.
    pub id: u32,
    /// Who sent the outer packet.
    pub src: IpAddr,
    /// To whom.
    pub dst: IpAddr,
}

/// A kind of tunnel, and what its [`id`](Tunnel::id) is.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum TunnelKind {
    /// GRE (RFC 2784, RFC 2890): the key.
    Gre,
    /// PPTP's GRE (RFC 2637): the call.
    Pptp,
    /// ERSPAN, a mirror port's way over IP: the session (of type I: 0).
    Erspan,
    /// VXLAN (RFC 7348): the network identifier.
    Vxlan,
    /// VXLAN with other protocols than Ethernet (draft-ietf-nvo3-vxlan-gpe): the network identifier.
    VxlanGpe,
    /// Geneve (RFC 8926): the network identifier.
    Geneve,
    /// GTP-U (3GPP TS 29.281): the tunnel endpoint identifier.
    GtpU,
    /// Teredo (RFC 4380).
    Teredo,
    /// AYIYA (draft-massar-v6ops-ayiya).
    Ayiya,
    /// L2TP version 2 (RFC 2661): the tunnel in the upper half, the session in the lower.
    L2tp,
    /// IPv4 in IPv4 (RFC 2003), IPv6 in IPv6 (RFC 2473).
    IpInIp,
    /// IPv6 in IPv4 (RFC 4213).
    SixInFour,
    /// IPv4 in IPv6 (RFC 2473).
    FourInSix,
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// MPLS in IP (RFC 4023).
    MplsInIp,
}

impl Tunnel {
    /// The identifier, where the kind has one and the packet says it.
    pub const fn identifier(&self) -> Option<u32> {
        match self.kind {
            // A key or a session is said, or it is nought here.
            TunnelKind::Gre | TunnelKind::Erspan | TunnelKind::VxlanGpe if self.id == 0 => None,
            TunnelKind::Gre
            | TunnelKind::Pptp
            | TunnelKind::Erspan
            | TunnelKind::Vxlan
            | TunnelKind::VxlanGpe
            | TunnelKind::Geneve
            | TunnelKind::GtpU
            | TunnelKind::L2tp => Some(self.id),
            TunnelKind::Teredo
            | TunnelKind::Ayiya
            | TunnelKind::IpInIp
            | TunnelKind::SixInFour
            | TunnelKind::FourInSix
            | TunnelKind::EtherIp
            | TunnelKind::MplsInIp => None,
        }
    }
}

impl TunnelKind {
    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gre => "gre",
            Self::Pptp => "pptp",
            Self::Erspan => "erspan",
            Self::Vxlan => "vxlan",
            Self::VxlanGpe => "vxlan-gpe",
            Self::Geneve => "geneve",
            Self::GtpU => "gtp-u",
            Self::Teredo => "teredo",
            Self::Ayiya => "ayiya",
            Self::L2tp => "l2tp",
            Self::IpInIp => "ipip",
            Self::SixInFour => "6in4",
            Self::FourInSix => "4in6",
            Self::EtherIp => "etherip",
            Self::MplsInIp => "mpls-in-ip",
        }
    }
}

impl fmt::Display for TunnelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
