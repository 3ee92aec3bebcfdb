//! Events of several inputs, in one order that no thread's timing decides.
//!
//! Every input tells how far it has passed; events are released in order of position up to the lowest of these marks. Releasing them as
//! they arrive would let the timing of threads decide what is known when a contact is judged.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Where in the whole an event stands: in a replay the file and the frame, in a live capture the time.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Position {
    /// The file, in the order in which files are read; or nought.
    pub file: u32,
    /// The frame in the file, or nanoseconds.
    pub place: u64,
}

/// One of the inputs.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Input(u32);

/// Puts the events of several inputs into one order.
#[derive(Debug)]
pub struct Watermark<E> {
    /// How far each input has passed; `None` when it has ended.
    passed: Vec<Option<Position>>,
    /// Events that came in order, as those of one input do: nothing has to be sorted.
    sorted: VecDeque<Waiting<E>>,
    /// Those that came behind a later one.
    waiting: BinaryHeap<Reverse<Waiting<E>>>,
    arrived: u64,
}

#[derive(Debug)]
struct Waiting<E> {
    /// Position, then input, then order of arrival from that input.
    key: (Position, Input, u64),
    event: E,
}

impl<E> Default for Watermark<E> {
    fn default() -> Self {
        Self { passed: Vec::new(), sorted: VecDeque::new(), waiting: BinaryHeap::new(), arrived: 0 }
    }
}

impl<E> Watermark<E> {
    /// Adds an input, which has passed nothing. Nothing is released until each input has passed something or ended.
    pub fn input(&mut self) -> Input {
        self.passed.push(Some(Position::default()));
        Input((self.passed.len() - 1) as u32)
    }

    /// Takes an event of an input. One at a position that its input has passed already is late, and released next.
    pub fn push(&mut self, input: Input, position: Position, event: E) {
        self.arrived += 1;
        let event = Waiting { key: (position, input, self.arrived), event };
        if self.sorted.back().is_none_or(|last| *last < event) {
            self.sorted.push_back(event);
        } else {
            self.waiting.push(Reverse(event));
        }
    }

    /// The input has nothing more to say of what stands before `position`.
    pub fn pass(&mut self, input: Input, position: Position) {
        if let Some(Some(passed)) = self.passed.get_mut(input.0 as usize) {
            *passed = position.max(*passed);
        }
    }

    /// The input has nothing more to say.
    pub fn end(&mut self, input: Input) {
        if let Some(passed) = self.passed.get_mut(input.0 as usize) {
            *passed = None;
        }
    }

    /// The next event that every input has passed.
    pub fn release(&mut self) -> Option<E> {
        let next = self.next()?.key.0;
        if self.passed.iter().flatten().any(|passed| *passed <= next) {
            return None;
        }
        self.release_early()
    }

    /// The next event, whether every input has passed it or not.
    pub fn release_early(&mut self) -> Option<E> {
        let is_sorted =
            self.sorted.front().is_some_and(|first| self.next().is_some_and(|next| next == first));
        let next = if is_sorted { self.sorted.pop_front() } else { self.waiting.pop().map(|event| event.0) };
        next.map(|waiting| waiting.event)
    }

    fn next(&self) -> Option<&Waiting<E>> {
        let waiting = self.waiting.peek().map(|event| &event.0);
        self.sorted.front().into_iter().chain(waiting).min()
    }

    /// How far every input has passed that has not ended.
    pub fn passed(&self) -> Option<Position> {
        self.passed.iter().flatten().min().copied()
    }

    /// How many events wait.
    pub fn waiting(&self) -> usize {
        self.sorted.len() + self.waiting.len()
    }
}

impl<E> PartialEq for Waiting<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<E> Eq for Waiting<E> {}

impl<E> PartialOrd for Waiting<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Waiting<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(place: u64) -> Position {
        Position { file: 0, place }
    }

    fn all<E>(order: &mut Watermark<E>) -> Vec<E> {
        std::iter::from_fn(|| order.release()).collect()
    }

    #[test]
    fn nothing_is_released_before_every_input_has_passed_it() {
        let mut order = Watermark::default();
        let (wire, feed) = (order.input(), order.input());
        order.push(wire, at(5), "contact");
        order.pass(wire, at(6));
        assert_eq!(order.release(), None, "the feed may yet say something of 5");
        order.push(feed, at(3), "process");
        order.pass(feed, at(5));
        assert_eq!(all(&mut order), ["process"]);
        order.end(feed);
        assert_eq!(all(&mut order), ["contact"]);
        assert_eq!(order.waiting(), 0);
    }

    #[test]
    fn a_mark_never_goes_back() {
        let mut order = Watermark::default();
        let wire = order.input();
        order.push(wire, at(5), ());
        order.pass(wire, at(9));
        order.pass(wire, at(1));
        assert_eq!(order.release(), Some(()));
    }

    proptest! {
        /// Whoever is faster: the order is the same.
        #[test]
        fn timing_decides_nothing(turns in prop::collection::vec(0usize..3, 0..200)) {
            let inputs: [Vec<u64>; 3] = [vec![1, 4, 4, 9], vec![2, 4, 8], vec![1, 1, 7, 9, 12]];
            let mut order = Watermark::default();
            let ids = [order.input(), order.input(), order.input()];
            let mut next = [0; 3];
            let mut released = Vec::new();
            for turn in turns.into_iter().chain((0..3).flat_map(|input| std::iter::repeat_n(input, 6))) {
                if let Some(place) = inputs[turn].get(next[turn]) {
                    order.push(ids[turn], at(*place), (*place, turn));
                    order.pass(ids[turn], at(*place));
                } else {
                    order.end(ids[turn]);
                }
                next[turn] += 1;
                released.extend(all(&mut order));
            }
            let mut expected: Vec<(u64, usize)> =
                inputs.iter().enumerate().flat_map(|(input, places)| places.iter().map(move |place| (*place, input))).collect();
            expected.sort_unstable();
            prop_assert_eq!(released, expected);
        }
    }
}
