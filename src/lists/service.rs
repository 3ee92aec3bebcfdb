//! What stands behind a suffix: the service, and how noisy its names are.

use std::sync::Arc;

/// What the entries of one service have in common.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Service {
    /// Its name, as people write it: `Dropbox`. A plain list gives none; each of its suffixes is then a service of its own.
    pub name: Option<Box<str>>,
    /// What kind of service, one of [`CATEGORIES`](super::CATEGORIES) or the user's own word: `cloud-storage`.
    pub category: Box<str>,
    /// Further categories that it belongs to as well.
    pub also: Box<[Box<str>]>,
    /// ATT&CK techniques it has been used for: `T1102.002`.
    pub techniques: Box<[Box<str>]>,
    /// Who is at home here: file names of its own programs in lower case, without `.exe`; with `@` in front a whole class of
    /// them, `@office` or `@developer-tool`.
    pub clients: Box<[Box<str>]>,
    /// Labels which stand where a customer's would, and name none: `www`.
    pub not_tenants: Box<[Box<str>]>,
    /// The list it came from: `builtin`, or a path.
    pub list: Arc<str>,
}

/// How noisy a name is in an ordinary network, from 1 (a contact is itself news) to 4 (on every network all day).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tier {
    /// Little or no business use.
    One = 1,
    /// Used by some hosts; the client decides.
    Two = 2,
    /// Common; needs the client's identity and its behaviour.
    Three = 3,
    /// On every network; never alone.
    Four = 4,
}

impl Tier {
    /// The number in records and lists, 1 to 4.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The tier of a number in a list.
    pub const fn from_number(number: i64) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            3 => Some(Self::Three),
            4 => Some(Self::Four),
            _ => None,
        }
    }
}
