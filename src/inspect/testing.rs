//! What every parser of this stage is put through: each prefix of its input, each changed byte.

#![allow(clippy::indexing_slicing)]

use super::{Begins, Progress};

/// Gives `parse` every prefix of `input`; `None` stands for an answer of `NeedMore`.
///
/// The answer has to be `NeedMore` until it is final, never before the `at_least` that it named itself, and final
/// for ever. Gives the final answer, if there was one, and how many bytes it took.
pub(crate) fn check_prefixes<'a, T: PartialEq + std::fmt::Debug>(
    input: &'a [u8],
    parse: impl Fn(&'a [u8]) -> Progress<T>,
) -> Option<(usize, Progress<T>)> {
    let mut not_before = 0;
    let mut settled: Option<(usize, Progress<T>)> = None;
    for end in 0..=input.len() {
        let answer = parse(&input[..end]);
        match (&settled, answer) {
            (Some((at, first)), answer) => {
                assert_eq!(*first, answer, "changed at {end}, was settled at {at}")
            }
            (None, Progress::NeedMore { at_least }) => {
                assert!(at_least > end, "{end} bytes want {at_least}");
                assert!(
                    at_least >= not_before,
                    "{end} bytes want {at_least}, fewer than before: {not_before}"
                );
                not_before = at_least;
            }
            (None, answer) => {
                assert!(end >= not_before, "answered at {end}, said it could not before {not_before}");
                settled = Some((end, answer));
            }
        }
    }
    settled
}

/// Gives `begins` every prefix of `input`: it may go from `Maybe` to an answer once. Gives the last answer.
pub(crate) fn check_begins(input: &[u8], begins: impl Fn(&[u8]) -> Begins) -> Begins {
    let mut last = begins(&[]);
    for end in 1..=input.len() {
        let now = begins(&input[..end]);
        assert!(last == Begins::Maybe || last == now, "{last:?} became {now:?} at {end}");
        last = now;
    }
    last
}

/// Gives `parse` the input with each byte replaced by each of a choice of values, to see that it returns.
pub(crate) fn check_mutations(input: &[u8], mut parse: impl FnMut(&[u8])) {
    let mut changed = input.to_vec();
    for place in 0..input.len() {
        let was = changed[place];
        for value in
            [0, 1, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xff, was ^ 1, was.wrapping_add(1), was.wrapping_sub(1)]
        {
            changed[place] = value;
            parse(&changed);
        }
        changed[place] = was;
    }
}

/// Bytes from hexadecimal digits; anything else in `text` is left out.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    assert!(digits.len().is_multiple_of(2), "half a byte");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
