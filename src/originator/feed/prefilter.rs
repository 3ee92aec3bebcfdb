//! Whether a record may say something, from a look at its bytes: most records of a log are of other kinds, and are not read for that.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::windows;

static EVENT_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"EventID\""));
static WINLOG_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"event_id\""));

/// Whether a JSON text may hold a record that matters. It says no only where the text names the number of an event of Windows, and each
/// that it names is of no interest. A quote within a text is escaped, so nobody's command line is taken for such a name.
pub(super) fn may_matter(json: &[u8]) -> bool {
    none_or_some(json, &EVENT_ID).or_else(|| none_or_some(json, &WINLOG_ID)).unwrap_or(true)
}

/// Whether one of the numbers behind a name matters; nothing where there is none.
fn none_or_some(json: &[u8], name: &Finder<'_>) -> Option<bool> {
    let mut found = None;
    let mut rest = json;
    while let Some(behind) = name.find(rest).and_then(|at| rest.get(at + name.needle().len()..)) {
        if number(behind).is_none_or(windows::matters) {
            return Some(true);
        }
        found = Some(false);
        rest = behind;
    }
    found
}

/// The number behind a name: `:3`, `: 3`, `:"3"`.
fn number(behind: &[u8]) -> Option<u32> {
    let value = behind.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let digits = value.strip_prefix(b"\"").unwrap_or(value);
    let mut number = 0_u32;
    let mut length = 0;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()).take(6) {
        number = number * 10 + u32::from(digit - b'0');
        length += 1;
    }
    (length > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_of_no_interest_are_passed_over() {
        let check = |json: &str, expected| assert_eq!(may_matter(json.as_bytes()), expected, "{json}");
        check(r#"{"EventID":7,"Image":"x"}"#, false);
        check(r#"{"EventID" : "7"}"#, false);
        check(r#"{"EventID":3}"#, true);
        check(r##"{"EventID":{"#text":3}}"##, true);
        check(r#"{"records":[{"EventID":7},{"EventID":22}]}"#, true);
        check(r#"{"a":"\"EventID\":7","EventID":3}"#, true);
        check(r#"{"a":"\"EventID\":3","EventID":7}"#, false);
        check(r#"{"winlog":{"event_id":10}}"#, false);
        check(r#"{"winlog":{"event_id":"1"}}"#, true);
        check(r#"{"EventID"}"#, true);
        check("{}", true);
    }
}
