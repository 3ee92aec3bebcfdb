//! Stage 5: hostname → service.
//!
//! Takes an [`Observation`]'s hostname, finds the list [`Entry`] with the longest suffix on label
//! boundaries, and gives a [`Contact`]. Lists come from the built-in catalogue and from the user's files; bad lines are
//! reported and the good ones kept. Nothing here opens a file: whoever reads one hands its bytes to [`Builder::add`], or piece by piece to
//! an [`Outline`] and then to what [`Builder::take`] gives, so that the text of a long list is never in memory as a whole.

mod allow;
mod built;
mod catalogue;
mod chunk;
mod explain;
mod form;
mod index;
mod lines;
mod parse;
mod problem;
mod rows;
mod service;
mod suffix;
mod wanted;
#[cfg(test)]
mod writer;

use std::sync::Arc;

use crate::inspect::Observation;

pub use allow::{Allow, AllowList, Client};
pub use catalogue::CATEGORIES;
pub use explain::{Explanation, NearMiss};
pub use index::{Builder, Lists};
pub use parse::{Outline, Taking};
pub use problem::Problem;
pub use service::{Service, Tier};
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
/// What many entries have in common is shared. Lists hold their lines in a smaller form: of each that is met, an entry is made once.
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
