//! Durations, sizes and rates, as people write and read them.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) use bowline_core::closing::Span;

/// Reads `500ms`, `20s`, `1.5m`, `2h`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text)?;
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "" => return Err("a unit is missing: ms, s, m or h".into()),
        _ => return Err(format!("unknown unit '{unit}': use ms, s, m or h")),
    };
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(duration) if duration >= Duration::from_millis(1) => Ok(duration),
        Ok(_) => Err("it must be at least 1ms".into()),
        Err(_) => Err("that is too long".into()),
    }
}

/// Reads `1000`, `500k`, `2M`, `1.5MiB`: k, M, G and T are powers of 1000, KiB, MiB, GiB and TiB of 1024.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text)?;
    let scale: u64 = match unit {
        "" | "B" => 1,
        "k" | "K" | "kB" | "KB" => 1000,
        "M" | "MB" => 1000 * 1000,
        "G" | "GB" => 1000 * 1000 * 1000,
        "T" | "TB" => 1000 * 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(format!("unknown unit '{unit}': use k, M, G or KiB, MiB, GiB")),
    };
    let bytes = number * scale as f64;
    if bytes < 9e18 { Ok(bytes.round() as u64) } else { Err("that is too much".into()) }
}

/// Reads a day or a moment in UTC: `2030-12-31`, which means its beginning, or `2030-12-31T23:59:59Z`.
pub(crate) fn parse_moment(text: &str) -> Result<SystemTime, String> {
    let wrong = || "it must be a day such as 2030-12-31, or a moment such as 2030-12-31T23:59:59Z".to_owned();
    let (day, time) = match text.split_once('T') {
        Some((day, time)) => (day, time.strip_suffix('Z').ok_or_else(wrong)?),
        None => (text, "00:00:00"),
    };
    let numbers = |text: &str, by: char, widths: [usize; 3]| -> Option<[u64; 3]> {
        let parts: Vec<_> = text.split(by).collect();
        let parts: [&str; 3] = parts.try_into().ok()?;
        let fits = parts
            .iter()
            .zip(widths)
            .all(|(part, width)| part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit()));
        let read = parts.map(|part| part.parse().ok());
        if let ([Some(a), Some(b), Some(c)], true) = (read, fits) { Some([a, b, c]) } else { None }
    };
    let [year, month, day] = numbers(day, '-', [4, 2, 2]).ok_or_else(wrong)?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2]).ok_or_else(wrong)?;
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let months = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = months.get((month as usize).wrapping_sub(1)).copied().unwrap_or(0);
    if year < 1970 || day == 0 || day > length || hour > 23 || minute > 59 || second > 59 {
        return Err(format!("there is no such day or time: {text}"));
    }
    let before = year - 1;
    let years = (year - 1970) * 365 + (before / 4 - before / 100 + before / 400)
        - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let days = years + months[..month as usize - 1].iter().sum::<u64>() + day - 1;
    Ok(UNIX_EPOCH + Duration::from_secs(days * 86400 + hour * 3600 + minute * 60 + second))
}

/// A time in UTC.
pub(crate) fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let lengths = [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while days >= lengths[month] {
        days -= lengths[month];
        month += 1;
    }
    let (hours, minutes, seconds) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year}-{:02}-{:02} {hours:02}:{minutes:02}:{seconds:02} UTC", month + 1, days + 1)
}

/// The lowest limit: a server demands this rate of a sender by default.
const MIN_LIMIT: u64 = 1024;

/// Reads a rate limit: a size per second, optionally with `/s` at the end.
pub(crate) fn parse_rate(text: &str) -> Result<u64, String> {
    match parse_size(text.strip_suffix("/s").unwrap_or(text))? {
        0 => Err("it must be more than 0; leave out the option for no limit".into()),
        rate @ ..MIN_LIMIT => Err(format!(
            "{rate} bytes a second is too little for a file; the least is 1KiB, and {rate}k means {rate} kB"
        )),
        rate => Ok(rate),
    }
}

/// The lowest rate that is accepted; `None` accepts any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Least(pub(crate) Option<u64>);

/// Reads such a rate, or `none`.
pub(crate) fn parse_least(text: &str) -> Result<Least, String> {
    if text == "none" {
        return Ok(Least(None));
    }
    match parse_size(text.strip_suffix("/s").unwrap_or(text))? {
        0 => Err("it must be more than 0; use \"none\" to allow any rate".into()),
        rate => Ok(Least(Some(rate))),
    }
}

fn split(text: &str) -> Result<(f64, &str), String> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = number.parse().map_err(|_| "it must begin with a number")?;
    Ok((number, unit.trim_start()))
}

/// A number of things, in words.
pub(crate) fn count(number: u64, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Bytes in a unit that needs few digits: `17 B`, `1.5 KiB`, `256.0 MiB`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size(pub(crate) u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut units = ["KiB", "MiB", "GiB", "TiB", "PiB"].into_iter();
        if self.0 < 1024 {
            return f.pad(&format!("{} B", self.0));
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = units.next().unwrap_or_default();
        // What would be printed as 1024.0 belongs to the next unit.
        for next in units {
            if value < 1023.95 {
                break;
            }
            value /= 1024.0;
            unit = next;
        }
        f.pad(&format!("{value:.1} {unit}"))
    }
}

/// An average rate: `3.2 MiB/s`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_second = self.bytes as f64 / self.seconds.max(0.001);
        f.pad(&format!("{}/s", Size(per_second as u64)))
    }
}

/// A time in whole seconds, where it is shown again and again and more digits would only flicker: `0 s`, `7 s`,
/// `3 min 20 s`.
pub(crate) fn whole(time: Duration) -> String {
    match time.as_secs() {
        0 => "0 s".into(),
        seconds => Span(Duration::from_secs(seconds)).to_string(),
    }
}

/// A time that was measured in seconds.
pub(crate) fn span(seconds: f64) -> Span {
    Span(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
}

/// A short time, to a tenth of a millisecond.
pub(crate) fn millis(time: Duration) -> String {
    match time.as_secs_f64() * 1000.0 {
        ..0.05 => "less than 0.1 ms".into(),
        millis => format!("{millis:.1} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit() {
        for (text, millis) in [("500ms", 500), ("20s", 20_000), ("1.5m", 90_000), ("2 h", 7_200_000)] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_duration_needs_a_number_then_a_unit_then_some_length() {
        assert_eq!(parse_duration("20"), Err("a unit is missing: ms, s, m or h".into()));
        assert_eq!(parse_duration("fast"), Err("it must begin with a number".into()));
        assert_eq!(parse_duration("-3s"), Err("it must begin with a number".into()));
        assert_eq!(parse_duration("1.2.3s"), Err("it must begin with a number".into()));
        assert_eq!(parse_duration("0s"), Err("it must be at least 1ms".into()));
        assert!(parse_duration("99999999999999999999h").is_err());
        assert!(parse_duration("3d").unwrap_err().contains("'d'"));
    }

    #[test]
    fn sizes_are_read_in_thousands_or_in_powers_of_two() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("500k", 500_000),
            ("2M", 2_000_000),
            ("1.5MiB", 1_572_864),
            ("1GiB", 1 << 30),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        assert!(parse_size("1 parsec").is_err());
        assert!(parse_size("99999999TiB").is_err());
        assert!(parse_size("").is_err());
    }

    #[test]
    fn moments_are_read_as_utc() {
        for (text, seconds) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2030-12-31T23:59:59Z", 1_924_991_999),
            ("2100-03-01", 4_107_542_400),
        ] {
            assert_eq!(parse_moment(text), Ok(UNIX_EPOCH + Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(parse_moment("2100-02-29"), Err("there is no such day or time: 2100-02-29".into()));
        for text in ["1969-12-31", "2030-00-01", "2030-13-01", "2030-01-00", "2030-01-01T24:00:00Z"] {
            assert!(parse_moment(text).is_err_and(|why| why.starts_with("there is no ")), "{text}");
        }
        for text in
            ["", "tomorrow", "2030-1-1", "+203-01-01", "2030-01-01T10:00", "2030-01-01T10:00:00+01:00"]
        {
            assert!(parse_moment(text).is_err_and(|why| why.contains("it must be a day")), "{text}");
        }
    }

    #[test]
    fn a_day_has_its_date() {
        let day = |seconds| utc(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(day(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(day(951_868_799), "2000-02-29 23:59:59 UTC");
        assert_eq!(day(1_798_761_599), "2026-12-31 23:59:59 UTC");
        assert_eq!(day(1_798_761_600), "2027-01-01 00:00:00 UTC");
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        assert_eq!(parse_rate("500k/s"), Ok(500_000));
        assert_eq!(parse_rate("1.5MiB"), Ok(1_572_864));
        assert!(parse_rate("0").is_err());
    }

    #[test]
    fn a_limit_with_which_no_file_arrives_is_refused() {
        assert_eq!(parse_rate("1KiB"), Ok(1024));
        let why = "500 bytes a second is too little for a file; the least is 1KiB, and 500k means 500 kB";
        assert_eq!(parse_rate("500"), Err(why.into()));
        assert!(parse_rate("1023").is_err());
        assert_eq!(parse_least("500"), Ok(Least(Some(500))));
    }

    #[test]
    fn sizes_are_shown_with_few_digits() {
        let shown = |bytes| Size(bytes).to_string();
        assert_eq!(shown(0), "0 B");
        assert_eq!(shown(1023), "1023 B");
        assert_eq!(shown(1024), "1.0 KiB");
        assert_eq!(shown((1 << 20) - 1), "1.0 MiB");
        assert_eq!(shown(256 << 20), "256.0 MiB");
        assert_eq!(shown(u64::MAX), "16384.0 PiB");
        assert_eq!(Rate { bytes: 3 << 20, seconds: 2.0 }.to_string(), "1.5 MiB/s");
    }

    #[test]
    fn times_that_are_shown_again_and_again_have_whole_seconds() {
        let shown = |millis| whole(Duration::from_millis(millis));
        assert_eq!(shown(999), "0 s");
        assert_eq!(shown(7999), "7 s");
        assert_eq!(shown(200_999), "3 min 20 s");
    }

    #[test]
    fn a_time_without_end_is_long() {
        assert!(span(f64::INFINITY).to_string().starts_with("5124095576030431 h"));
        assert_eq!(span(1.5).to_string(), "1.5 s");
    }
}
