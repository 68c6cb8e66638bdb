//! Times and sizes in the words of people, words of somebody else, and lines that break between words.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt::{self, Write};
use core::time::Duration;

/// `60 s`, `58.7 s`: a silence, or a heartbeat, which the settings of proxies have in seconds too.
#[derive(Clone, Copy)]
pub(crate) struct Secs(pub(crate) Duration);

impl fmt::Display for Secs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0.as_millis() + 50) / 100;
        match tenths % 10 {
            0 => write!(f, "{} s", tenths / 10),
            tenth => write!(f, "{}.{tenth} s", tenths / 10),
        }
    }
}

/// A time in the words of a sentence: `20 ms`, `1.5 s`, `60 s`, `3 min 20 s`, `2 h`.
///
/// ```
/// use bowline_core::closing::Span;
/// use core::time::Duration;
///
/// assert_eq!(format!("no answer within {}", Span(Duration::from_millis(1500))), "no answer within 1.5 s");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = (self.0.as_millis() + 500) / 1000;
        match self.0.as_millis() {
            0 => f.write_str("less than 1 ms"),
            millis @ 1..1000 => write!(f, "{millis} ms"),
            1000..99_950 => Secs(self.0).fmt(f),
            _ if seconds < 3600 => Units((seconds / 60, "min"), (seconds % 60, "s")).fmt(f),
            _ => Units((seconds / 3600, "h"), (seconds % 3600 / 60, "min")).fmt(f),
        }
    }
}

/// `3 min 20 s`, `3 min`.
struct Units((u128, &'static str), (u128, &'static str));

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self((large, unit), (small, part)) = self;
        write!(f, "{large} {unit}")?;
        if *small > 0 { write!(f, " {small} {part}") } else { Ok(()) }
    }
}

/// A number of bytes, with this many digits behind the point where a larger unit fits.
pub(crate) struct Size(pub(crate) u64, pub(crate) usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        match UNITS.iter().find(|(size, _)| self.0 >= *size) {
            Some((size, unit)) => write!(f, "{:.*} {unit}", self.1, self.0 as f64 / *size as f64),
            None => write!(f, "{}", Count(self.0, "byte")),
        }
    }
}

/// `1 message`, `2 messages`.
pub(crate) struct Count(pub(crate) u64, pub(crate) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.0, self.1, if self.0 == 1 { "" } else { "s" })
    }
}

/// Whether a character has no place in a log or on a terminal when it comes from the network: control characters, other
/// ends of a line, marks that turn the direction of writing, and what is not seen at all. Joiners stay, which belong to
/// words and to pictures. What this crate prints is free of them; ask for words that are printed as they came, such as
/// [`Close::reason`](crate::Close::reason).
///
/// ```
/// use bowline_core::closing::is_active;
///
/// assert!(is_active('\x1b') && is_active('\n') && is_active('\u{202e}') && is_active('\u{61c}'));
/// assert!(!is_active('é') && !is_active('\u{200d}'));
/// ```
pub fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A text in which U+FFFD stands for everything that [is active](is_active).
///
/// ```
/// use bowline_core::closing::plain;
///
/// assert_eq!(plain("a\rb"), "a\u{fffd}b");
/// ```
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_active) { text.replace(is_active, "\u{fffd}").into() } else { text.into() }
}

/// Words of somebody else, on one line whatever they are.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            c if is_active(c) => write!(f, "{}", c.escape_default()),
            c => f.write_char(c),
        })
    }
}

/// What fits into a line of a terminal.
const WIDTH: usize = 80;

/// Passes text on, and breaks lines between words before they grow too long.
pub(crate) struct Wrap<'a, W> {
    out: &'a mut W,
    /// How many spaces a line begins with that continues another.
    indent: usize,
    column: usize,
    word: String,
}

impl<'a, W: Write> Wrap<'a, W> {
    /// Goes on in this column.
    pub(crate) fn new(out: &'a mut W, column: usize, indent: usize) -> Self {
        Self { out, indent, column, word: String::new() }
    }

    /// Writes the last word.
    pub(crate) fn finish(mut self) -> fmt::Result {
        self.flush()
    }

    fn flush(&mut self) -> fmt::Result {
        if self.word.is_empty() {
            return Ok(());
        }
        let len = self.word.chars().count();
        let space = usize::from(self.column > self.indent);
        if self.column + space + len > WIDTH && self.column > self.indent {
            write!(self.out, "\n{:indent$}", "", indent = self.indent)?;
            self.column = self.indent;
        } else if space > 0 {
            self.out.write_char(' ')?;
            self.column += 1;
        }
        self.out.write_str(&self.word)?;
        self.column += len;
        self.word.clear();
        Ok(())
    }
}

impl<W: Write> Write for Wrap<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            if c == ' ' { self.flush()? } else { self.word.push(c) }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn wrapped(text: &str, indent: usize) -> String {
        let mut out = String::new();
        let mut wrap = Wrap::new(&mut out, indent, indent);
        wrap.write_str(text).unwrap();
        wrap.finish().unwrap();
        out
    }

    #[test]
    fn names_of_all_languages_stay_as_they_are() {
        for name in ["plain.txt", "día 1 🏖.jpg", "文件 二.bin", "ملف.txt", "👩\u{200d}🚀.png"] {
            assert!(matches!(plain(name), Cow::Borrowed(same) if same == name));
        }
    }

    #[test]
    fn terminal_control_characters_are_replaced() {
        for active in ["\x1b[31m", "\r", "\n", "\x07", "\x7f", "\u{9b}", "\u{202e}", "\u{2028}", "\u{feff}"] {
            assert!(!plain(active).contains(is_active), "{active:?}");
        }
        assert_eq!(plain("a\rb"), "a\u{fffd}b");
    }

    #[test]
    fn lines_break_before_they_grow_too_long() {
        let word = "x".repeat(39);
        assert_eq!(wrapped(&[&*word, &*word].join(" "), 0), [&*word, &*word].join(" "));
        let longer = "x".repeat(40);
        assert_eq!(wrapped(&[&*word, &*longer].join(" "), 0), [&*word, &*longer].join(" "));
        assert_eq!(wrapped(&[&*longer, &*longer].join(" "), 0), [&*longer, &*longer].join("\n"));
        assert_eq!(wrapped(&[&*word, &*word, "yz"].join(" "), 0), [&*word, " ", &*word, "\nyz"].concat());
        assert_eq!(wrapped(&[&*word, "yz", &*word].join(" "), 2), [&*word, " yz\n  ", &*word].concat());
    }

    #[test]
    fn a_word_longer_than_a_line_gets_its_own_line() {
        let word = "x".repeat(100);
        assert_eq!(wrapped(&word, 1), word);
        assert_eq!(wrapped(&["a", &*word, "b"].join(" "), 1), ["a\n ", &*word, "\n b"].concat());
    }

    #[test]
    fn short_times_are_shown_in_milliseconds() {
        let told = |micros| Span(Duration::from_micros(micros)).to_string();
        for (micros, words) in [
            (999, "less than 1 ms"),
            (1_000, "1 ms"),
            (999_999, "999 ms"),
            (1_000_000, "1 s"),
            (1_449_000, "1.4 s"),
            (58_750_000, "58.8 s"),
            (99_949_000, "99.9 s"),
            (99_950_000, "1 min 40 s"),
            (300_400_000, "5 min"),
            (3_599_499_000, "59 min 59 s"),
            (3_599_500_000, "1 h"),
            (7_500_000_000, "2 h 5 min"),
        ] {
            assert_eq!(told(micros), words);
        }
        assert_eq!(Secs(Duration::from_millis(349_960)).to_string(), "350 s");
        assert_eq!(Secs(Duration::from_millis(40)).to_string(), "0 s");
    }

    #[test]
    fn a_single_byte_is_written_in_the_singular() {
        let told = |bytes| Size(bytes, 1).to_string();
        assert_eq!(
            [0, 1, 1023, 1536].map(told),
            ["0 bytes", "1 byte", "1023 bytes", "1.5 KiB"].map(String::from)
        );
    }
}
