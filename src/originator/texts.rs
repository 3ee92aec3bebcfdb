//! The texts of records, each kept once.
//!
//! A feed says the same few thousand paths, users and names over and over. They are kept once and known by a number; what is
//! longer than its kind may be is cut, and what does not fit any more is left out, and both are counted.

use std::num::NonZeroU32;
use std::sync::Arc;

use rustc_hash::FxHashMap;

/// A text that is kept.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) struct TextId(NonZeroU32);

/// Texts, each kept once.
#[derive(Debug)]
pub(super) struct Texts {
    ids: FxHashMap<Arc<str>, TextId>,
    texts: Vec<Arc<str>>,
    bytes: usize,
    most_bytes: usize,
    /// How many were cut because they were too long.
    pub(super) cut: u64,
    /// How many were left out because [`Self::new`]'s bytes were used up.
    pub(super) left_out: u64,
}

impl Texts {
    /// The longest command line, in bytes: what Sysmon and most agents keep, and more than people read. (Windows allows 32 KiB.)
    pub(super) const LONGEST_COMMAND_LINE: usize = 4096;
    /// The longest of all other texts, in bytes: the longest path that file systems allow fits.
    pub(super) const LONGEST: usize = 1024;
    /// What a text costs beside its bytes: two pointers with lengths, a number, a counter, and the table's spare room.
    const OVERHEAD: usize = 72;

    /// No texts yet, and room for so many bytes of them.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { ids: FxHashMap::default(), texts: Vec::new(), bytes: 0, most_bytes, cut: 0, left_out: 0 }
    }

    /// None of the texts, but what was counted.
    pub(super) fn emptied(&self) -> Self {
        Self { cut: self.cut, left_out: self.left_out, ..Self::new(self.most_bytes) }
    }

    /// Bytes that the texts take.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps a text of at most [`Self::LONGEST`] bytes. Nothing of an empty one, nor where there is no room.
    pub(super) fn keep(&mut self, text: &str) -> Option<TextId> {
        self.keep_up_to(text, Self::LONGEST)
    }

    /// Keeps a text in lower case.
    pub(super) fn keep_lower(&mut self, text: &str) -> Option<TextId> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.keep(&text.to_ascii_lowercase())
        } else {
            self.keep(text)
        }
    }

    /// Keeps a text of at most so many bytes.
    pub(super) fn keep_up_to(&mut self, text: &str, longest: usize) -> Option<TextId> {
        let text = if text.len() > longest {
            self.cut += 1;
            text.get(..text.floor_char_boundary(longest)).unwrap_or_default()
        } else {
            text
        };
        if text.is_empty() {
            return None;
        }
        if let Some(id) = self.ids.get(text) {
            return Some(*id);
        }
        let bytes = text.len() + Self::OVERHEAD;
        if self.bytes + bytes > self.most_bytes {
            self.left_out += 1;
            return None;
        }
        let id = TextId(NonZeroU32::new(u32::try_from(self.texts.len() + 1).ok()?)?);
        self.bytes += bytes;
        let text: Arc<str> = text.into();
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        Some(id)
    }

    /// The number of a text, if it is kept.
    pub(super) fn find(&self, text: &str) -> Option<TextId> {
        self.ids.get(text).copied()
    }

    /// A text by its number.
    pub(super) fn get(&self, id: TextId) -> &str {
        self.texts.get(id.0.get() as usize - 1).map_or("", |text| text)
    }

    /// A text by its number, shared.
    pub(super) fn share(&self, id: TextId) -> Arc<str> {
        self.texts.get(id.0.get() as usize - 1).cloned().unwrap_or_default()
    }
}

/// The name of a file without its folders, of Windows or of Unix.
pub(super) fn file_name(path: &str) -> &str {
    let last = path.bytes().rposition(|byte| matches!(byte, b'\\' | b'/'));
    last.and_then(|last| path.get(last + 1..)).unwrap_or(path)
}

/// Whether two names of files may be one: without regard to case, and where one was cut at 15 bytes (Linux keeps no more of a
/// thread's name) by what is left of it.
pub(super) fn same_file_name(one: &str, other: &str) -> bool {
    const COMM: usize = 15;
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    short.eq_ignore_ascii_case(long)
        || (short.len() == COMM && long.get(..COMM).is_some_and(|start| start.eq_ignore_ascii_case(short)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_cut_where_it_is_too_long() {
        let mut texts = Texts::new(1 << 20);
        let one = texts.keep("C:\\a.exe").unwrap();
        assert_eq!(texts.keep("C:\\a.exe"), Some(one));
        assert_eq!(texts.get(one), "C:\\a.exe");
        assert_eq!(texts.keep(""), None);
        assert_eq!(texts.keep_lower("A.Example"), texts.find("a.example"));
        let long = "é".repeat(Texts::LONGEST);
        let cut = texts.keep(&long).unwrap();
        assert_eq!((texts.get(cut).len(), texts.cut), (Texts::LONGEST, 1));
    }

    #[test]
    fn there_is_no_more_than_was_allowed() {
        let mut texts = Texts::new(1000);
        let kept = (0..100).filter(|number| texts.keep(&number.to_string()).is_some()).count();
        assert!((5..20).contains(&kept), "{kept}");
        assert_eq!(texts.left_out, 100 - kept as u64);
        assert!(texts.keep("0").is_some(), "what is there is found");
    }

    #[test]
    fn names_of_files() {
        for (path, name) in
            [("C:\\Windows\\a.exe", "a.exe"), ("/usr/bin/java", "java"), ("java", "java"), ("", "")]
        {
            assert_eq!(file_name(path), name);
        }
        for (one, other, same) in [
            ("Svchost.exe", "svchost.EXE", true),
            ("http-nio-8080-e", "http-nio-8080-exec-1", true),
            ("java", "javac", false),
            ("a", "", false),
        ] {
            assert_eq!(same_file_name(one, other), same, "{one} {other}");
        }
    }
}
