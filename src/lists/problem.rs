//! What is wrong with a line of a list, and what would be right.

use std::fmt;
use std::sync::Arc;

/// A line of a list that was not taken as it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// The list: a path, as the user gave it.
    pub list: Arc<str>,
    /// The line, from 1; 0 when it is about the list as a whole.
    pub line: usize,
    /// The text it is about, cut to [`Problem::LONGEST_EXCERPT`] characters, with control characters escaped.
    pub text: String,
    /// What was wrong.
    pub wrong: String,
    /// What would be right; empty when nothing is to be done.
    pub right: String,
    /// Whether the text was kept out of the lists. Otherwise this is a note: it was taken, but perhaps not as meant.
    pub refused: bool,
}

impl Problem {
    /// Enough of a line to find it again, and short enough for a terminal.
    pub const LONGEST_EXCERPT: usize = 80;
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.list)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        f.write_str(": ")?;
        if !self.text.is_empty() {
            write!(f, "`{}` ", self.text)?;
        }
        f.write_str(&self.wrong)?;
        if !self.right.is_empty() {
            write!(f, "; {}", self.right)?;
        }
        Ok(())
    }
}

/// Gathers the problems of one list, up to a limit.
#[derive(Debug)]
pub(super) struct Problems {
    list: Arc<str>,
    kept: Vec<Problem>,
    /// How many refusals and notes were too many.
    more_refused: usize,
    more_notes: usize,
}

impl Problems {
    /// The most that are kept for one list: a file of another kind is wrong on every line, and a person reads a few of them.
    const MOST: usize = 1000;

    pub(super) const fn new(list: Arc<str>) -> Self {
        Self { list, kept: Vec::new(), more_refused: 0, more_notes: 0 }
    }

    /// The line was kept out.
    pub(super) fn refuse(
        &mut self,
        line: usize,
        text: &str,
        wrong: impl fmt::Display,
        right: impl fmt::Display,
    ) {
        self.push(line, text, &wrong, &right, true);
    }

    /// The line was taken, but something is worth knowing.
    pub(super) fn note(
        &mut self,
        line: usize,
        text: &str,
        wrong: impl fmt::Display,
        right: impl fmt::Display,
    ) {
        self.push(line, text, &wrong, &right, false);
    }

    fn push(
        &mut self,
        line: usize,
        text: &str,
        wrong: &dyn fmt::Display,
        right: &dyn fmt::Display,
        refused: bool,
    ) {
        if self.kept.len() >= Self::MOST {
            *(if refused { &mut self.more_refused } else { &mut self.more_notes }) += 1;
            return;
        }
        self.kept.push(Problem {
            list: Arc::clone(&self.list),
            line,
            text: excerpt(text),
            wrong: wrong.to_string(),
            right: right.to_string(),
            refused,
        });
    }

    pub(super) fn finish(mut self) -> Vec<Problem> {
        let more = [
            (
                self.more_refused,
                "more lines that were refused",
                "perhaps this file is no list of hostnames",
                true,
            ),
            (self.more_notes, "more lines with something to note", "", false),
        ];
        for (count, wrong, right, refused) in more.into_iter().filter(|more| more.0 > 0) {
            self.kept.push(Problem {
                list: Arc::clone(&self.list),
                line: 0,
                text: String::new(),
                wrong: format!("has {count} {wrong}"),
                right: right.to_owned(),
                refused,
            });
        }
        self.kept
    }
}

/// What could change the meaning of a terminal is escaped; quotes and backslashes stay as the file has them.
fn excerpt(text: &str) -> String {
    let text = text.trim();
    let mut excerpt = String::new();
    for character in text.chars().take(Problem::LONGEST_EXCERPT) {
        match character {
            '"' | '\'' | '\\' => excerpt.push(character),
            _ => excerpt.extend(character.escape_debug()),
        }
    }
    if text.chars().nth(Problem::LONGEST_EXCERPT).is_some() {
        excerpt.push('…');
    }
    excerpt
}
