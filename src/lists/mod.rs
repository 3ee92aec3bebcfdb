//! Stage 5: hostname → service.
//!
//! Takes an [`Observation`]'s hostname, finds the list [`Entry`] with the longest suffix on label
//! boundaries, and gives a [`Contact`]. Lists come from the built-in catalogue and from the user's files; bad lines are
//! reported and the good ones kept. Nothing here opens a file: whoever reads one hands its bytes to [`Builder::add`].

mod allow;
mod catalogue;
mod chunk;
mod explain;
mod index;
mod parse;
mod problem;
mod suffix;
mod wanted;

use std::sync::Arc;

use crate::inspect::Observation;

pub use allow::{Allow, AllowList, Client};
pub use catalogue::CATEGORIES;
pub use explain::{Explanation, NearMiss};
pub use index::{Builder, Lists};
pub use problem::Problem;
pub use wanted::Wanted;

/// An observation whose hostname belongs to a listed service.
#[derive(Clone, Debug)]
pub struct Contact {
    /// What was seen.
    pub observation: Observation,
    /// The list entry that it met.
    pub entry: Arc<Entry>,
}

/// A line of a list: a hostname suffix, and what stands behind it.
///
/// What many entries have in common is shared, so that a list of a million plain lines stays small.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The suffix in canonical spelling, without a leading dot: it matches itself and every name below it.
    pub suffix: Box<str>,
    /// How noisy the name is.
    pub tier: Tier,
    /// Whether the label in front of the suffix names the customer: `contoso` in `contoso.sharepoint.com`.
    pub tenants: bool,
    /// The service behind it.
    pub about: Arc<Service>,
}

/// What the entries of one service have in common.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Service {
    /// Its name, as people write it: `Dropbox`. A plain list gives none; each of its suffixes is then a service of its own.
    pub name: Option<Box<str>>,
    /// What kind of service, one of [`CATEGORIES`] or the user's own word: `cloud-storage`.
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

impl Entry {
    /// The service's name: `Dropbox`; the suffix itself where the list says no more.
    pub fn service(&self) -> &str {
        self.about.name.as_deref().unwrap_or(&self.suffix)
    }

    /// What kind of service: `cloud-storage`.
    pub fn category(&self) -> &str {
        &self.about.category
    }

    /// Whether it belongs to a category, as the first or as a further one.
    pub fn is_in(&self, category: &str) -> bool {
        *self.about.category == *category || self.about.also.iter().any(|also| **also == *category)
    }

    /// ATT&CK techniques it has been used for.
    pub fn techniques(&self) -> &[Box<str>] {
        &self.about.techniques
    }

    /// The list it came from: `builtin`, or a path.
    pub fn list(&self) -> &str {
        &self.about.list
    }

    /// Whether no list has it, and a loaded rule asks for it.
    pub fn is_only_wanted(&self) -> bool {
        *self.about.list == *Wanted::LIST
    }

    /// An entry for a connection that a rule fires on whatever its server is called. No list has it, and it is no service: what it is
    /// called is the rule.
    pub fn of_rule(rule: &str) -> Self {
        let about = Service { name: Some(rule.into()), list: Self::OF_RULE.into(), ..Service::default() };
        Self { suffix: Box::default(), tier: Tier::Four, tenants: false, about: Arc::new(about) }
    }

    /// Whether it is [one for a connection](Self::of_rule), and no service.
    pub fn is_of_rule(&self) -> bool {
        *self.about.list == *Self::OF_RULE
    }

    /// What stands for the list of such an entry.
    const OF_RULE: &str = "connections";

    /// The label that names the customer, where names below this suffix have one: `contoso` of `contoso.sharepoint.com`.
    pub fn tenant<'h>(&self, hostname: &'h str) -> Option<&'h str> {
        if !self.tenants {
            return None;
        }
        let label = hostname.strip_suffix(&*self.suffix)?.strip_suffix('.')?.rsplit('.').next()?;
        (!self.about.not_tenants.iter().any(|other| **other == *label)).then_some(label)
    }
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
