//! Bytes that come in pieces, cut into lines.

use std::borrow::Cow;

/// Cuts pieces into lines; keeps no more than the line that is not complete yet.
#[derive(Debug, Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// Takes the next piece, and gives each line that is complete, with its end.
    pub(super) fn take(&mut self, mut piece: &[u8], each: &mut impl FnMut(&[u8])) {
        while let Some((line, rest)) =
            memchr::memchr(b'\n', piece).and_then(|end| piece.split_at_checked(end + 1))
        {
            if self.begun.is_empty() {
                each(line);
            } else {
                self.begun.extend_from_slice(line);
                each(&self.begun);
                self.begun.clear();
            }
            piece = rest;
        }
        self.begun.extend_from_slice(piece);
    }

    /// Gives the last line, where it has no end.
    pub(super) fn end(&mut self, each: &mut impl FnMut(&[u8])) {
        if !self.begun.is_empty() {
            each(&self.begun);
            self.begun = Vec::new();
        }
    }
}

/// The text of a line. Bytes that are no UTF-8 become U+FFFD.
pub(super) fn text(line: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(line)
}

/// A line without its end.
pub(super) fn content(line: &str) -> &str {
    line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However bytes are cut, the lines are those of the whole.
        #[test]
        fn lines_are_those_of_the_whole(pieces in proptest::collection::vec("[a\u{fc}\r\n]{0,6}|\\PC{0,3}", 0..8), cut in 0..4_usize) {
            let whole = pieces.concat();
            let (mut lines, mut got) = (Lines::default(), Vec::new());
            // Also within characters.
            for piece in whole.as_bytes().chunks(cut + 1) {
                lines.take(piece, &mut |line| got.push(text(line).into_owned()));
            }
            lines.end(&mut |line| got.push(text(line).into_owned()));
            prop_assert_eq!(got.concat(), whole.clone());
            prop_assert!(got.iter().map(|line| content(line)).eq(whole.lines()));
        }
    }
}
