//! Whether a record may say something, from a look at its bytes: most records of a log are of other kinds, and are not read for that.

use std::sync::LazyLock;

use memchr::memmem::Finder;

use super::{defender, elastic_defend, windows};

static EVENT_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"EventID\""));
static ELASTIC: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b":\"endpoint.events."));
static DEFENDER: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b":\"AdvancedHunting-"));
static WINLOG_ID: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"event_id\""));

/// Whether a JSON text may hold a record that matters. It says no only where the text names the number of an event of Windows, the data
/// set of an Elastic endpoint or the table of Defender, and each that it names is of no interest. A quote within a text is escaped, so
/// nobody's command line is taken for one of these.
pub(super) fn may_matter(json: &[u8]) -> bool {
    let number = |behind: &[u8]| number(behind).is_none_or(windows::matters);
    any(json, &EVENT_ID, number)
        .or_else(|| any(json, &WINLOG_ID, number))
        .or_else(|| any(json, &ELASTIC, |behind| !elastic_defend::is_other(behind)))
        .or_else(|| any(json, &DEFENDER, |behind| !defender::is_other(behind)))
        .unwrap_or(true)
}

/// Whether what stands behind one of the marks matters; nothing where there is no mark.
fn any(json: &[u8], name: &Finder<'_>, matters: impl Fn(&[u8]) -> bool) -> Option<bool> {
    let mut found = None;
    let mut rest = json;
    while let Some(behind) = name.find(rest).and_then(|at| rest.get(at + name.needle().len()..)) {
        if matters(behind) {
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
        check(r#"{"event":{"dataset":"endpoint.events.file"}}"#, false);
        check(r#"{"event":{"dataset":"endpoint.events.network"}}"#, true);
        check(r#"{"a":":\":\"endpoint.events.file\"","b":"endpoint.events.file"}"#, false);
        check(r#"{"a":":\"endpoint.events.file\"","b":"x:endpoint.events.file"}"#, true);
        check(r#"{"category":"AdvancedHunting-DeviceFileEvents"}"#, false);
        check(r#"{"category":"AdvancedHunting-DeviceNetworkInfo"}"#, true);
    }
}
