//! The addresses of an answer: few, and then without memory of their own.

use std::net::{IpAddr, Ipv4Addr};

use super::MAX_ADDRESSES;

/// At most [`MAX_ADDRESSES`] addresses, each once.
#[derive(Clone)]
pub enum Addresses {
    /// So many of these.
    Few(u8, [IpAddr; Self::FEW]),
    /// More.
    Many(Vec<IpAddr>),
}

impl Addresses {
    /// As many as nearly every answer has at the most.
    pub const FEW: usize = 4;

    /// None.
    pub const fn new() -> Self {
        Self::Few(0, [IpAddr::V4(Ipv4Addr::UNSPECIFIED); Self::FEW])
    }

    /// Adds an address, if there is room for it and it is not there.
    pub fn add(&mut self, ip: IpAddr) {
        if self.contains(&ip) || self.len() >= MAX_ADDRESSES {
            return;
        }
        match self {
            Self::Few(len, few) => match few.get_mut(usize::from(*len)) {
                Some(place) => {
                    *place = ip;
                    *len += 1;
                }
                None => {
                    let mut many = few.to_vec();
                    many.push(ip);
                    *self = Self::Many(many);
                }
            },
            Self::Many(many) => many.push(ip),
        }
    }
}

impl Default for Addresses {
    fn default() -> Self {
        Self::new()
    }
}

impl std::ops::Deref for Addresses {
    type Target = [IpAddr];

    #[inline]
    fn deref(&self) -> &[IpAddr] {
        match self {
            Self::Few(len, few) => few.get(..usize::from(*len)).unwrap_or(few),
            Self::Many(many) => many,
        }
    }
}

impl FromIterator<IpAddr> for Addresses {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(ips: I) -> Self {
        let mut addresses = Self::new();
        ips.into_iter().for_each(|ip| addresses.add(ip));
        addresses
    }
}

impl PartialEq for Addresses {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Addresses {}

impl std::fmt::Debug for Addresses {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
