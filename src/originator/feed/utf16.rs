//! UTF-16 into UTF-8, in pieces: what is no character becomes U+FFFD, and nothing ends the reading.

/// A reader of UTF-16.
#[derive(Debug)]
pub(super) struct Utf16 {
    big_endian: bool,
    /// The first byte of a unit that came without its second.
    half: Option<u8>,
    /// The first unit of a pair that came without its second.
    high: Option<u16>,
}

impl Utf16 {
    pub(super) const fn new(big_endian: bool) -> Self {
        Self { big_endian, half: None, high: None }
    }

    /// Appends what `bytes` hold.
    pub(super) fn read(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        let mut bytes = bytes;
        if let Some(first) = self.half.take() {
            let Some((second, rest)) = bytes.split_first() else {
                self.half = Some(first);
                return;
            };
            self.unit([first, *second], into);
            bytes = rest;
        }
        let (units, rest) = bytes.as_chunks::<2>();
        for unit in units {
            self.unit(*unit, into);
        }
        self.half = rest.first().copied();
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, into: &mut Vec<u8>) {
        if self.high.take().is_some() | self.half.take().is_some() {
            push(char::REPLACEMENT_CHARACTER, into);
        }
    }

    fn unit(&mut self, bytes: [u8; 2], into: &mut Vec<u8>) {
        let unit = if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) };
        let high = self.high.take();
        match (high, unit) {
            (None, 0..0x80) => into.push(unit as u8),
            (None, 0xd800..0xdc00) => self.high = Some(unit),
            (Some(high), 0xdc00..0xe000) => {
                let code = 0x1_0000 + (u32::from(high - 0xd800) << 10) + u32::from(unit - 0xdc00);
                push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), into);
            }
            (Some(_), _) => {
                push(char::REPLACEMENT_CHARACTER, into);
                self.unit(bytes, into);
            }
            (None, unit) => push(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER), into),
        }
    }
}

fn push(character: char, into: &mut Vec<u8>) {
    into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_units_in_any_cuts_become_what_the_library_makes_of_them(
            units in prop::collection::vec(prop_oneof![any::<u16>(), 0xd800..0xe000_u16], 0..40),
            big_endian: bool,
            cut in 1..9_usize,
        ) {
            let bytes: Vec<u8> = units
                .iter()
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            let mut text = Vec::new();
            let mut utf16 = Utf16::new(big_endian);
            bytes.chunks(cut).for_each(|piece| utf16.read(piece, &mut text));
            utf16.finish(&mut text);
            prop_assert_eq!(String::from_utf8(text).unwrap(), String::from_utf16_lossy(&units));
        }
    }
}
