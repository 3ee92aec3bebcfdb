//! Text from outside, made safe to show: names, paths and lists say nothing to the terminal and pass for nothing else.

use std::fmt;

/// Text in which everything that moves the cursor, changes the order of letters or cannot be seen is written `\u{…}`.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = 0;
        for (at, character) in self.0.char_indices().filter(|(_, character)| is_treacherous(*character)) {
            f.write_str(self.0.get(plain..at).unwrap_or_default())?;
            write!(f, "\\u{{{:x}}}", u32::from(character))?;
            plain = at + character.len_utf8();
        }
        f.write_str(self.0.get(plain..).unwrap_or_default())
    }
}

/// Whether a reader could be deceived: control characters, those without width, and those that reorder (Unicode
/// Standard Annex 9, and `Default_Ignorable_Code_Point` of UCD; Unicode Technical Report 36 says why).
const fn is_treacherous(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_deceives_is_written_out() {
        for (text, shown) in [
            ("", ""),
            ("plain naïve 日本 ✓", "plain naïve 日本 ✓"),
            ("\x1b[31mred\x07", "\\u{1b}[31mred\\u{7}"),
            ("a\r\nb\t", "a\\u{d}\\u{a}b\\u{9}"),
            ("c1 \u{9b}31m", "c1 \\u{9b}31m"),
            ("exe.\u{202e}gpj\u{202c}", "exe.\\u{202e}gpj\\u{202c}"),
            ("pay\u{200b}pal\u{feff}", "pay\\u{200b}pal\\u{feff}"),
            ("\u{e0041}", "\\u{e0041}"),
        ] {
            assert_eq!(Printable(text).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn nothing_treacherous_gets_out(text in any::<String>()) {
            let shown = Printable(&text).to_string();
            prop_assert!(!shown.chars().any(|character| character.is_control() || is_treacherous(character)));
            prop_assert!(shown.chars().count() >= text.chars().count());
        }
    }
}
