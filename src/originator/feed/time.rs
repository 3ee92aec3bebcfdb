//! Times in telemetry: dates as texts, and counts of seconds since 1970.

use crate::capture::Timestamp;

/// Years that are believed: those that nanoseconds since 1970 can tell.
const YEARS: std::ops::RangeInclusive<i64> = 1678..=2261;

/// Reads `2020-10-23T02:36:40.671Z` and its relatives: a space for the `T`, no fraction or one of any length (what is finer than a
/// nanosecond is left out), `Z`, an offset, or no zone, which means UTC here: what else it may mean is found out by the join.
pub(super) fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim_ascii().as_bytes();
    let (date, rest) = text.split_at_checked(10)?;
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else { return None };
    let (time, rest) = rest.split_at_checked(9)?;
    let &[b'T' | b't' | b' ', h1, h2, b':', n1, n2, b':', s1, s2] = time else { return None };
    let year = digits(&[y1, y2, y3, y4])?;
    let (month, day) = (digits(&[m1, m2])?, digits(&[d1, d2])?);
    let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[n1, n2])?, digits(&[s1, s2])?);
    // A leap second is the first of the next minute, as clocks without leap seconds have it.
    let valid = YEARS.contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !valid {
        return None;
    }
    let (nanos, rest) = fraction(rest)?;
    let offset = offset(rest)?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(Timestamp::from_parts(seconds, nanos))
}

/// Seconds since 1970 as a text, with or without a fraction: `1762067162.385`.
pub(super) fn seconds(text: &str) -> Option<Timestamp> {
    let text = text.trim_ascii();
    let (whole, rest) = match text.split_once('.') {
        Some((whole, _)) => (whole, text.get(whole.len()..)?),
        None => (text, ""),
    };
    let whole = whole.parse().ok()?;
    let (nanos, rest) = fraction(rest.as_bytes())?;
    rest.is_empty().then(|| Timestamp::from_parts(whole, nanos))
}

/// Milliseconds since 1970.
pub(super) const fn milliseconds(count: i64) -> Timestamp {
    Timestamp::from_parts(count.div_euclid(1000), count.rem_euclid(1000) as u32 * 1_000_000)
}

/// The nanoseconds of a fraction, and what follows it.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let Some((b'.' | b',', rest)) = text.split_first() else { return Some((0, text)) };
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = rest.split_at_checked(length)?;
    let mut nanos = 0;
    for place in 0..9 {
        nanos = nanos * 10 + u32::from(digits.get(place).map_or(0, |digit| digit - b'0'));
    }
    (length > 0).then_some((nanos, rest))
}

/// The seconds by which a zone is ahead of UTC.
fn offset(zone: &[u8]) -> Option<i64> {
    let (sign, rest) = match zone.split_first() {
        None => return Some(0),
        Some((b'Z' | b'z', [])) => return Some(0),
        Some((b'+', rest)) => (1, rest),
        Some((b'-', rest)) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = match *rest {
        [h1, h2] => (digits(&[h1, h2])?, 0),
        [h1, h2, n1, n2] | [h1, h2, b':', n1, n2] => (digits(&[h1, h2])?, digits(&[n1, n2])?),
        _ => return None,
    };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 by the Gregorian calendar: years of 365 days from March on, and the leap days before.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months_since_march = (month + 9) % 12;
    let day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dates_come_in_many_spellings() {
        let check = |text: &str, expected: &str| {
            assert_eq!(timestamp(text).map(|time| time.to_string()).unwrap_or_default(), expected, "{text}");
        };
        check("2020-10-23T02:36:40.671Z", "2020-10-23T02:36:40.671000000Z");
        check("2020-10-18 02:17:12.527", "2020-10-18T02:17:12.527000000Z");
        check("2020-10-09 18:27:49", "2020-10-09T18:27:49.000000000Z");
        check("2022-05-13T08:54:05.1230000Z", "2022-05-13T08:54:05.123000000Z");
        check("2022-05-11T18:10:20.465735000Z", "2022-05-11T18:10:20.465735000Z");
        check("2022-05-11T18:10:20.4657350001Z", "2022-05-11T18:10:20.465735000Z");
        check("2020-02-29T00:00:00+02:00", "2020-02-28T22:00:00.000000000Z");
        check("2020-02-29T00:00:00-0530", "2020-02-29T05:30:00.000000000Z");
        check("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000Z");
        for wrong in
            ["", "2021-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "2020-13-01T00:00:00Z", "2020-10-09"]
        {
            check(wrong, "");
        }
        for wrong in [
            "2020-10-09T24:00:00Z",
            "2020-10-09T00:00:00.Z",
            "2020-10-09T00:00:00 PM",
            "10/9/2020 6:27:49 PM",
        ] {
            check(wrong, "");
        }
    }

    #[test]
    fn counts_of_seconds_have_fractions() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(seconds(text).map(Timestamp::as_nanos), expected, "{text}");
        };
        check("1762067162.385", Some(1_762_067_162_385_000_000));
        check("1412123850", Some(1_412_123_850_000_000_000));
        check("1.", None);
        check("-", None);
        assert_eq!(milliseconds(1_743_508_799_999).as_nanos(), 1_743_508_799_999_000_000);
        assert_eq!(milliseconds(-1).as_nanos(), -1_000_000);
    }

    proptest! {
        #[test]
        fn every_time_is_read_as_it_is_written(nanos in -9_000_000_000_000_000_000_i64..9_000_000_000_000_000_000) {
            let time = Timestamp::from_nanos(nanos);
            prop_assert_eq!(timestamp(&time.to_string()), Some(time));
        }

        #[test]
        fn any_text_is_a_time_or_none(text in "[0-9TZ:. +-]{0,40}|\\PC{0,40}") {
            timestamp(&text);
            seconds(&text);
        }
    }
}
