//! `Retry-After` (RFC 9110 §10.2.3) without a clock: a date is compared with the server's own `Date`.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// How long a server or a proxy asks to wait, if it says so in a form that we understand.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        return value.parse().ok().map(Duration::from_secs);
    }
    let then = seconds(value)?;
    let now = seconds(headers.get(DATE)?.to_str().ok()?.trim())?;
    Some(Duration::from_secs(then.saturating_sub(now)))
}

/// The seconds since the year 1 of a date like `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that senders may still
/// use.
fn seconds(date: &str) -> Option<u64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAYS_BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let (_, date) = date.split_once(", ")?;
    let mut fields = date.split(' ');
    let mut field = || fields.next();
    let day = number(field()?, 1..=31)?;
    let name = field()?;
    let month = MONTHS.iter().position(|known| *known == name)?;
    let year = number(field()?, 1..=9999)?;
    let time = field()?;
    if field() != Some("GMT") || field().is_some() {
        return None;
    }
    let mut time = time.split(':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    let clock = number(hour, 0..=23)? * 3600 + number(minute, 0..=59)? * 60 + number(second, 0..=60)?;
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let past = year - 1;
    let days = past * 365 + past / 4 - past / 100 + past / 400 + DAYS_BEFORE[month] + day - 1;
    Some((days + u64::from(leap && month > 1)) * 86_400 + clock)
}

fn number(digits: &str, range: std::ops::RangeInclusive<u64>) -> Option<u64> {
    digits.parse().ok().filter(|number| range.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn asked(retry_after: &str, date: Option<&str>) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_str(retry_after).unwrap());
        if let Some(date) = date {
            headers.insert(DATE, HeaderValue::from_str(date).unwrap());
        }
        super::retry_after(&headers)
    }

    #[test]
    fn seconds_are_read() {
        assert_eq!(asked(" 120 ", None), Some(Duration::from_secs(120)));
        assert_eq!(asked("0", None), Some(Duration::ZERO));
    }

    #[test]
    fn a_date_is_read_relative_to_the_date_of_the_answer() {
        let date = Some("Wed, 28 Feb 2024 23:59:50 GMT");
        assert_eq!(asked("Thu, 29 Feb 2024 00:00:05 GMT", date), Some(Duration::from_secs(15)));
        assert_eq!(asked("Fri, 01 Mar 2024 00:00:00 GMT", date), Some(Duration::from_secs(86_410)));
        assert_eq!(asked("Wed, 28 Feb 2024 23:00:00 GMT", date), Some(Duration::ZERO));
        let date = Some("Mon, 28 Feb 2000 00:00:00 GMT");
        assert_eq!(asked("Wed, 01 Mar 2000 00:00:00 GMT", date), Some(Duration::from_secs(2 * 86_400)));
        let date = Some("Sun, 31 Dec 2000 00:00:00 GMT");
        assert_eq!(asked("Mon, 01 Jan 2001 00:00:00 GMT", date), Some(Duration::from_secs(86_400)));
        let date = Some("Sat, 31 Dec 2099 23:59:59 GMT");
        assert_eq!(asked("Thu, 31 Dec 2099 23:59:59 GMT", date), Some(Duration::ZERO));
        assert_eq!(asked("Fri, 01 Jan 2100 00:00:00 GMT", date), Some(Duration::from_secs(1)));
        let date = Some("Sun, 28 Feb 2100 00:00:00 GMT");
        assert_eq!(asked("Mon, 01 Mar 2100 00:00:00 GMT", date), Some(Duration::from_secs(86_400)));
    }

    #[test]
    fn unreadable_values_are_ignored() {
        let date = Some("Wed, 28 Feb 2024 23:59:50 GMT");
        for bad in ["", "soon", "-1", "1.5", "99999999999999999999999", "Thu, 29 Foo 2024 00:00:05 GMT"] {
            assert_eq!(asked(bad, date), None, "{bad}");
        }
        assert_eq!(asked("Thu, 29 Feb 2024 00:00:05 GMT", None), None);
        assert_eq!(asked("Thu, 29 Feb 2024 24:00:05 GMT", date), None);
    }
}
