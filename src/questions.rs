//! The questions to resolvers of which one side was seen: so that a name is told once, whether the query was seen, the response (as on a mirror
//! port that shows one side), or both, in whichever order.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::capture::Timestamp;

/// Questions by the [tag](crate::flow::Flow::tag) of their conversation, and a hash of the message's identifier, the name and the type.
#[derive(Debug, Default)]
pub struct Questions {
    open: FxHashMap<(u32, u64), Seen>,
    /// In the order in which they came, among others of which both sides were seen since.
    order: VecDeque<(u32, u64)>,
    forgotten: u64,
    /// What was news and is to be asked elsewhere too, where that is wanted.
    noted: Option<Vec<Question>>,
}

/// A side of a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Question {
    /// Which side.
    pub side: Side,
    /// The tag of its conversation.
    pub tag: u32,
    /// A hash of the message's identifier, the name and the type.
    pub question: u64,
}

/// The side of a question that was seen.
#[derive(Clone, Copy, Debug)]
struct Seen {
    side: Side,
    /// How often, without the other side.
    times: u16,
    /// When last.
    at: Timestamp,
}

/// A side of a question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Side {
    /// The client's.
    Query,
    /// The resolver's.
    Response,
}

impl Questions {
    /// The most questions of which one side was seen; beyond it the oldest is forgotten, and its name told again when the other side
    /// comes. A network that asks ten thousand a second has a thousand open; 1.5 MiB.
    pub const MOST: usize = 32_768;
    /// Nanoseconds in which the other side belongs to the first: resolvers give up after half a minute at the most, and identifiers come
    /// again.
    pub const PATIENCE: i64 = 30_000_000_000;

    /// One that notes what was news, for whoever has to ask elsewhere as well.
    pub fn that_note() -> Self {
        Self { noted: Some(Vec::new()), ..Self::default() }
    }

    /// The first of what was news since this was last asked.
    #[inline]
    pub fn take_noted(&mut self) -> Option<Question> {
        let noted = self.noted.as_mut()?;
        let first = noted.first().copied();
        noted.clear();
        first
    }

    /// A side of a question was seen. Says whether it is news: the other one was not seen before.
    #[inline]
    pub fn is_news(&mut self, side: Side, tag: u32, question: u64, at: Timestamp) -> bool {
        let news = self.sees(side, (tag, question), at);
        if news && let Some(noted) = &mut self.noted {
            noted.push(Question { side, tag, question });
        }
        news
    }

    #[inline]
    fn sees(&mut self, side: Side, key: (u32, u64), at: Timestamp) -> bool {
        if let Some(seen) = self.open.get_mut(&key) {
            let late = at.since(seen.at) > Self::PATIENCE;
            if seen.side != side && !late {
                seen.times -= 1;
                if seen.times == 0 {
                    self.open.remove(&key);
                }
                return false;
            }
            let times = if late { 1 } else { seen.times.saturating_add(1) };
            *seen = Seen { side, times, at };
            return true;
        }
        self.open.insert(key, Seen { side, times: 1, at });
        self.order.push_back(key);
        self.hold_limits(at);
        true
    }

    /// The conversations of questions of which one side was seen.
    pub fn tags(&self) -> FxHashSet<u32> {
        self.open.keys().map(|(tag, _)| *tag).collect()
    }

    /// Takes over what `later` has open (the next chunk, read as if nothing came before it), but for the conversations whose tag is one of
    /// `except`.
    pub fn absorb(&mut self, later: Self, except: &FxHashSet<u32>) {
        self.forgotten += later.forgotten;
        for key in later.order {
            if !except.contains(&key.0)
                && let Some(seen) = later.open.get(&key)
                && self.open.insert(key, *seen).is_none()
            {
                self.order.push_back(key);
                self.hold_limits(seen.at);
            }
        }
    }

    /// How many questions were forgotten before their time, because [`Self::MOST`] was reached.
    pub const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    fn hold_limits(&mut self, now: Timestamp) {
        while self.open.len() > Self::MOST {
            let Some(oldest) = self.order.pop_front() else { return };
            if let Some(seen) = self.open.remove(&oldest) {
                self.forgotten += u64::from(now.since(seen.at) <= Self::PATIENCE);
            }
        }
        // Of most both sides are seen.
        if self.order.len() > 2 * self.open.len() + 1024 {
            self.order.retain(|key| self.open.contains_key(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Side::{Query, Response};
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_nanos(seconds * 1_000_000_000)
    }

    fn check(seen: &[(Side, u32, u64, i64)], news: &[bool]) {
        let mut questions = Questions::default();
        let told: Vec<bool> =
            seen.iter().map(|(side, tag, id, when)| questions.is_news(*side, *tag, *id, at(*when))).collect();
        assert_eq!(told, news, "{seen:?}");
    }

    #[test]
    fn each_answer_is_for_one_question() {
        check(&[(Query, 1, 7, 0), (Response, 1, 7, 1), (Response, 1, 7, 1)], &[true, false, true]);
        check(
            &[(Query, 1, 7, 0), (Query, 1, 7, 0), (Response, 1, 7, 1), (Response, 1, 7, 1)],
            &[true, true, false, false],
        );
        check(&[(Response, 1, 7, 1), (Query, 1, 7, 0), (Query, 1, 7, 2)], &[true, false, true]);
        check(&[(Query, 1, 7, 0), (Response, 2, 7, 0), (Response, 1, 8, 0)], &[true, true, true]);
        check(&[(Query, 1, 7, 0), (Response, 1, 7, 31)], &[true, true]);
    }

    #[test]
    fn they_are_bounded() {
        let mut questions = Questions::default();
        for number in 0..3 * Questions::MOST as u32 {
            assert!(questions.is_news(Query, number, 1, at(i64::from(number / 100))));
        }
        assert_eq!(questions.open.len(), Questions::MOST);
        assert!(questions.order.len() <= 2 * Questions::MOST + 1025);
        assert_eq!(questions.forgotten(), 0, "they were old");
        for number in 0..100_000 {
            assert!(questions.is_news(Query, number, 3, at(2000)));
            assert!(!questions.is_news(Response, number, 3, at(2000)));
        }
        for number in 0..Questions::MOST as u32 + 10 {
            assert!(questions.is_news(Query, number, 4, at(3000)));
        }
        assert_eq!(questions.forgotten(), 10);
    }

    #[test]
    fn a_chunk_goes_on_where_the_one_before_it_ended() {
        let (mut questions, mut later) = (Questions::default(), Questions::default());
        questions.is_news(Query, 1, 7, at(0));
        later.is_news(Query, 2, 8, at(1));
        later.is_news(Query, 3, 9, at(1));
        questions.absorb(later, &[3].into_iter().collect());
        let mut answered = |tag, id| !questions.is_news(Response, tag, id, at(1));
        assert_eq!([answered(1, 7), answered(2, 8), answered(3, 9)], [true, true, false]);
    }
}
