//! Work in parts of which none needs another: whoever has threads does several of them at once.
//!
//! No stage spawns anything. It says what may be done at once, and cuts it so that what comes out does not depend on who does it, nor on
//! how many there are; [`runtime`](crate::runtime) has the threads.

use std::fmt::Debug;

/// A part of a work.
pub type Part<'p> = Box<dyn FnOnce() + Send + 'p>;

/// Whoever does work that is cut into parts.
pub trait Hands: Debug + Send + Sync {
    /// How many parts are done at once.
    fn count(&self) -> usize;

    /// Does all parts, and comes back when they are done.
    fn all(&self, parts: Vec<Part<'_>>);
}

/// Does one part after the other.
#[derive(Clone, Copy, Debug)]
pub struct OneByOne;

impl Hands for OneByOne {
    fn count(&self) -> usize {
        1
    }

    fn all(&self, parts: Vec<Part<'_>>) {
        parts.into_iter().for_each(|part| part());
    }
}

/// What a function makes of each of some things, in their order.
pub fn each<T: Send, R: Send>(
    hands: &dyn Hands,
    things: impl IntoIterator<Item = T>,
    make: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let mut made: Vec<(Option<T>, Option<R>)> = things.into_iter().map(|thing| (Some(thing), None)).collect();
    let make = &make;
    let parts =
        made.iter_mut().map(|(thing, made)| -> Part<'_> { Box::new(move || *made = thing.take().map(make)) });
    hands.all(parts.collect());
    made.into_iter().filter_map(|(_, made)| made).collect()
}

/// So many things as equal pieces, one after the other, as there are hands: from where to where.
pub fn pieces(hands: &dyn Hands, length: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let size = length.div_ceil(hands.count().max(1)).max(1);
    (0..length).step_by(size).map(move |from| from..(from + size).min(length))
}

#[cfg(test)]
pub(crate) mod testing {
    use super::{Hands, Part};

    /// So many hands, which do the last part first.
    #[derive(Debug)]
    pub(crate) struct Backwards(pub(crate) usize);

    impl Hands for Backwards {
        fn count(&self) -> usize {
            self.0
        }

        fn all(&self, parts: Vec<Part<'_>>) {
            parts.into_iter().rev().for_each(|part| part());
        }
    }
}
