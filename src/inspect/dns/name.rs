//! Domain names in a message (RFC 1035 sections 3.1 and 4.1.4) → a [`NameBuf`].

use super::Damage;
use crate::hostname::{InvalidHostname, MAX_WIRE_TEXT, NameBuf, is_plain};
use crate::reader::Reader;

/// The most labels of a name: each takes two of 255 octets, and the root one.
pub const MAX_LABELS: usize = 127;

/// The most compression pointers of a name. Each label may be reached by one; more only cost time.
pub const MAX_POINTERS: usize = 127;

/// The bits of a length octet that tell a pointer (11) and the kinds nobody uses (01, 10) from a length (00).
const KIND: u8 = 0xc0;

/// Reads the name at the cursor, which then stands behind it. The root is `.`.
///
/// `reader` is a cursor over the whole message, so that pointers find their targets.
#[inline]
pub(super) fn read(reader: &mut Reader<'_>, name: &mut NameBuf) -> Result<(), Damage> {
    if let Some(behind) = read_ordinary(*reader, name) {
        *reader = behind;
        return Ok(());
    }
    // Given no message to point into, scan refuses pointers, and follows none. It says nothing of lengths.
    match dns_parser::Name::scan(reader.rest(), &[]) {
        Ok(plain) => read_plain(reader.take(plain.byte_len())?, name),
        Err(_) => read_any(reader, name),
    }
}

/// Reads a name as almost all are, of ordinary characters, in one pass. Gives the cursor behind it; nothing when it is another, or the root.
#[inline]
fn read_ordinary<'a>(mut reader: Reader<'a>, name: &mut NameBuf) -> Option<Reader<'a>> {
    let mut text = [0; MAX_WIRE_TEXT + 1];
    let (mut end, mut labels) = (0, 0u8);
    let mut behind = None;
    let (mut start, mut pointers) = (reader.offset(), 0);
    loop {
        let length = usize::from(reader.u8().ok()?);
        if length == 0 {
            break;
        }
        // What is longer than a label is a pointer, or nothing that is used. A pointer has to point before the part that it ends.
        if length > usize::from(!KIND) {
            let target = (length & usize::from(!KIND)) << 8 | usize::from(reader.u8().ok()?);
            pointers += 1;
            if length < usize::from(KIND) || target >= start || pointers > MAX_POINTERS {
                return None;
            }
            behind = behind.or(Some(reader));
            start = target;
            reader = reader.at(target).ok()?;
            continue;
        }
        let label = reader.take(length).ok()?;
        let (to, dot) = text.get_mut(end..=end + length)?.split_at_mut(length);
        to.copy_from_slice(label);
        dot.fill(b'.');
        end += length + 1;
        labels += 1;
    }
    // All labels at once: they are short, and there may be no dots but those between them.
    let text = text.get_mut(..end)?;
    let (mut ordinary, mut dots) = (true, 0u8);
    for octet in &mut *text {
        ordinary &= is_plain(*octet) | (*octet == b'.');
        dots += u8::from(*octet == b'.');
        *octet = octet.to_ascii_lowercase();
    }
    if !ordinary || dots != labels {
        return None;
    }
    let text = std::str::from_utf8(text.get(..end.checked_sub(1)?)?).ok()?;
    name.set_canonical(text);
    Some(behind.unwrap_or(reader))
}

/// Copies the labels of a name without pointers, which was checked.
#[inline]
fn read_plain(labels: &[u8], name: &mut NameBuf) -> Result<(), Damage> {
    let mut reader = Reader::new(labels);
    name.clear();
    loop {
        match reader.u8()? {
            0 => break,
            length => push(name, reader.take(usize::from(length))?)?,
        }
    }
    if name.as_str().is_empty() {
        name.set_root();
    }
    Ok(())
}

/// Reads a name of any bytes, with pointers, each of which has to point before the part that it ends.
fn read_any(reader: &mut Reader<'_>, name: &mut NameBuf) -> Result<(), Damage> {
    let mut at = *reader;
    let mut start = at.offset();
    let mut behind = None;
    let (mut labels, mut pointers) = (0, 0);
    name.clear();
    loop {
        let offset = at.offset();
        match at.u8()? {
            0 => break,
            length if length & KIND == 0 => {
                labels += 1;
                if labels > MAX_LABELS {
                    return Err(Damage::TooManyLabels);
                }
                push(name, at.take(usize::from(length))?)?;
            }
            high if high & KIND == KIND => {
                let target = usize::from(u16::from_be_bytes([high & !KIND, at.u8()?]));
                pointers += 1;
                if target >= start {
                    return Err(Damage::PointerForward { offset, target });
                }
                if pointers > MAX_POINTERS {
                    return Err(Damage::TooManyPointers);
                }
                behind.get_or_insert(at);
                start = target;
                at = at.at(target)?;
            }
            octet => return Err(Damage::LabelKind { octet, offset }),
        }
    }
    *reader = behind.unwrap_or(at);
    if name.as_str().is_empty() {
        name.set_root();
    }
    Ok(())
}

/// Moves the cursor behind a name without following pointers.
pub(super) fn skip(reader: &mut Reader<'_>) -> Result<(), Damage> {
    loop {
        let offset = reader.offset();
        match reader.u8()? {
            0 => return Ok(()),
            length if length & KIND == 0 => reader.skip(usize::from(length))?,
            high if high & KIND == KIND => return Ok(reader.skip(1)?),
            octet => return Err(Damage::LabelKind { octet, offset }),
        }
    }
}

#[inline]
fn push(name: &mut NameBuf, label: &[u8]) -> Result<(), Damage> {
    match name.push_label(label) {
        Ok(()) => Ok(()),
        // Labels here are never empty: an empty one ends the name.
        Err(InvalidHostname::TooLong | InvalidHostname::Empty | InvalidHostname::EmptyLabel) => {
            Err(Damage::NameTooLong)
        }
    }
}
