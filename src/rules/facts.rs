//! What the rules look at: a contact, and who is behind it.

use crate::lists::{Contact, Entry};
use crate::originator::{Attribution, Originator, WireClass};

/// All that a rule may ask of a contact.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The contact.
    pub contact: &'a Contact,
    /// Who made it, and how that is known.
    pub attribution: &'a Attribution,
    /// What kind of program that is; none where nobody is named.
    pub originator: Option<&'a Originator>,
    /// What its hello looks like.
    pub wire: WireClass,
}

impl<'a> Facts<'a> {
    /// The list entry that the contact met.
    pub fn entry(&self) -> &'a Entry {
        &self.contact.entry
    }

    /// The customer's label in the hostname.
    pub fn tenant(&self) -> Option<&'a str> {
        self.contact.entry.tenant(&self.contact.observation.hostname)
    }

    /// Whether the originator is at home at this service.
    pub fn is_at_home(&self) -> bool {
        self.originator.is_some_and(|originator| originator.is_at_home(self.entry()))
    }
}
