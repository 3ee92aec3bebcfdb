//! The built-in lists as the program holds them: what the build script makes of their TOML, so that a start need not read that.
//!
//! Lines: a service begins with `=`, then its parts; each of its suffixes is one more, which begins with its tier and says with `+`
//! that the label in front names a customer. The build script and the program are built from the same file, so that there are no versions.

use super::service::{Service, Tier};

/// What stands between the parts of a service, and between several of one part.
pub(super) const PART: char = '\t';
pub(super) const ONE: char = '|';

/// The name of the built-in list in entries.
pub(super) const LIST: &str = "builtin";

/// A line of what was written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line<'t> {
    /// What says of a [`service`] what it is.
    Service(&'t str),
    /// A suffix of the service before it: its text, how noisy it is, and whether the label in front names a customer.
    Suffix(&'t str, Tier, bool),
}

/// The lines of what was written.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.split_terminator('\n').filter_map(|line| {
        if let Some(parts) = line.strip_prefix('=') {
            return Some(Line::Service(parts));
        }
        let tier = Tier::from_number(i64::from(line.as_bytes().first()?.wrapping_sub(b'0')))?;
        let suffix = line.get(1..)?;
        let tenants = suffix.strip_prefix('+');
        Some(Line::Suffix(tenants.unwrap_or(suffix), tier, tenants.is_some()))
    })
}

/// The service that a line says of what it is.
pub(super) fn service(parts: &str) -> Service {
    let mut parts = parts.split(PART);
    let name = parts.next().filter(|name| !name.is_empty()).map(Box::from);
    let category = parts.next().unwrap_or_default().into();
    let mut several = || -> Box<[Box<str>]> {
        let texts = parts.next().unwrap_or_default();
        if texts.is_empty() { Box::default() } else { texts.split(ONE).map(Box::from).collect() }
    };
    let (also, techniques, clients, not_tenants) = (several(), several(), several(), several());
    Service { name, category, also, techniques, clients, not_tenants, list: LIST.into() }
}
