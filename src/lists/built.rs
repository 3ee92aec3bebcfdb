//! The built-in lists as the program holds them: what the build script makes of their TOML, so that a start need not read that.
//!
//! Lines: a service begins with `=`, then its parts; each of its suffixes is one more, which begins with its tier and says with `+`
//! that the label in front names a customer. The build script and the program are built from the same file, so that there are no versions.

use std::sync::Arc;

use super::form::Take;
use super::service::{Service, Tier};

/// What stands between the parts of a service, and between several of one part.
pub(super) const PART: char = '\t';
pub(super) const ONE: char = '|';

/// The name of the built-in list in entries.
pub(super) const LIST: &str = "builtin";

/// Reads what was written.
pub(super) fn read(text: &str, take: &mut impl Take) {
    let list: Arc<str> = LIST.into();
    for line in text.lines() {
        if let Some(parts) = line.strip_prefix('=') {
            let mut parts = parts.split(PART);
            let name = parts.next().filter(|name| !name.is_empty()).map(Box::from);
            let category = parts.next().unwrap_or_default().into();
            let mut several = || -> Box<[Box<str>]> {
                let texts = parts.next().unwrap_or_default();
                if texts.is_empty() { Box::default() } else { texts.split(ONE).map(Box::from).collect() }
            };
            let (also, techniques, clients, not_tenants) = (several(), several(), several(), several());
            let list = Arc::clone(&list);
            take.service(Service { name, category, also, techniques, clients, not_tenants, list });
        } else if let Some((tier, suffix)) = line.split_at_checked(1) {
            let tier = tier.parse().ok().and_then(Tier::from_number).unwrap_or(Tier::Two);
            let tenants = suffix.strip_prefix('+');
            take.suffix(0, tenants.unwrap_or(suffix), tier, tenants.is_some());
        }
    }
}
