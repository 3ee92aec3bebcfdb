//! DER (ITU-T X.690): tags and lengths, as far as a certificate needs them.
//!
//! Twenty lines of walking over lengths need no library; one for whole certificates decodes keys, times and policies too.

use crate::reader::Reader;

/// Tags of what is looked for.
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;

/// The next element: its tag and its content. Nothing at the end, and where the bytes are no DER.
#[inline]
pub(super) fn element<'a>(reader: &mut Reader<'a>) -> Option<(u8, &'a [u8])> {
    let tag = reader.u8().ok()?;
    let length = match reader.u8().ok()? {
        short @ 0..=0x7f => usize::from(short),
        0x81 => usize::from(reader.u8().ok()?),
        0x82 => usize::from(reader.u16().ok()?),
        0x83 => reader.u24().ok()? as usize,
        _ => return None,
    };
    Some((tag, reader.take(length).ok()?))
}

/// The content of the next element, if it has this tag.
pub(super) fn expect<'a>(reader: &mut Reader<'a>, tag: u8) -> Option<&'a [u8]> {
    element(reader).filter(|(found, _)| *found == tag).map(|(_, content)| content)
}

/// The elements of a content, in order.
pub(super) fn elements(content: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut reader = Reader::new(content);
    std::iter::from_fn(move || element(&mut reader))
}
