//! Writes lists that are TOML in the form of [`built`](super::built). For the build script: the program writes none.

use std::fmt::{Display, Write};

use super::built::{LIST, ONE, PART};
use super::form::{self, Reader, Take};
use super::service::{Service, Tier};

/// Writes lists that come as TOML.
#[derive(Debug)]
pub(crate) struct Writer {
    text: String,
    /// The file that is read.
    file: String,
    problems: Vec<String>,
}

impl Writer {
    /// With nothing written.
    ///
    /// # Errors
    /// When the words that all lists may use are no TOML.
    pub(crate) fn new() -> Result<Self, String> {
        form::words().map_err(|error| format!("expand.toml: {error}"))?;
        Ok(Self { text: String::new(), file: String::new(), problems: Vec::new() })
    }

    /// Takes the text of a file.
    pub(crate) fn file(&mut self, name: &str, text: &str) {
        name.clone_into(&mut self.file);
        let mut reader = Reader::new(LIST.into());
        text.split_inclusive('\n').for_each(|line| reader.line(line, self));
        reader.end(self);
    }

    /// What was written, or all that was wrong: file, line, text, and why.
    ///
    /// # Errors
    /// When anything was.
    pub(crate) fn end(self) -> Result<String, Vec<String>> {
        if self.problems.is_empty() { Ok(self.text) } else { Err(self.problems) }
    }
}

impl Take for Writer {
    fn service(&mut self, service: Service) {
        let Service { name, category, also, techniques, clients, not_tenants, list: _ } = service;
        let several = [&also, &techniques, &clients, &not_tenants];
        let all = name.iter().chain([&category]).chain(several.into_iter().flatten());
        for text in all.filter(|text| text.contains([PART, ONE, '\n', '\r']) || text.is_empty()) {
            self.problems.push(format!("{}: `{}` is empty, or has a tab or `|` in it", self.file, text));
        }
        let joined = several.map(|texts| texts.join(&*String::from(ONE)));
        let name = name.as_deref().unwrap_or_default();
        let [also, techniques, clients, not_tenants] = joined;
        let parts = [name, &category, &also, &techniques, &clients, &not_tenants];
        self.text.push('=');
        self.text.push_str(&parts.join(&*String::from(PART)));
        self.text.push('\n');
    }

    fn suffix(&mut self, _line: usize, suffix: &str, tier: Tier, tenants: bool) {
        let tenants = if tenants { "+" } else { "" };
        // Nothing keeps a text from growing.
        _ = writeln!(self.text, "{}{tenants}{suffix}", tier.number());
    }

    fn refuse(&mut self, line: usize, text: &str, wrong: &dyn Display, right: &dyn Display) {
        let text = text.trim();
        self.problems.push(format!("{}:{line}: `{text}` {wrong}; {right}", self.file));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What keeps the program from being built: every mistake, with its file and line.
    #[test]
    fn what_is_wrong_is_told_with_file_and_line() {
        let mut writer = Writer::new().unwrap();
        writer.file("a.toml", "tier = 1\n[[service]]\nname = 'A'\nsuffixes = ['a.example']\n");
        writer.file(
            "b.toml",
            "[[service]]\nname = 'B'\nsuffixes = [\n'https://b.example/']\n[[service]]\nnam = 'C'\n",
        );
        writer.file("c.toml", "[[service]]\nname = 'C|D'\nsuffixes = ['c.example'\n");
        writer.file("d.toml", "[[service]]\nname = 'C|D'\ntier = 7\nsuffixes = ['c.example']\n");
        let problems = writer.end().unwrap_err();
        let expected = [
            "b.toml:4: `https://b.example/` is a URL",
            "b.toml:6: `nam = 'C'` unknown field",
            "c.toml:3: `suffixes = ['c.example'` unclosed array",
            "d.toml: `C|D` is empty, or has a tab",
            "d.toml:4: `c.example` has tier 7",
        ];
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.starts_with(expected), "{problem} instead of {expected}");
        }
    }
}
