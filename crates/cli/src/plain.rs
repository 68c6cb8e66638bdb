//! Text from elsewhere, made harmless for a terminal.

use bowline_core::closing::is_active;
use console::{Term, measure_text_width};
use std::borrow::Cow;

/// Replaces what a terminal obeys or hides: control characters, line ends, and marks that change the direction of
/// the text around them.
pub(crate) fn plain(text: &str) -> Cow<'_, str> {
    if text.contains(is_active) { text.replace(is_active, "\u{fffd}").into() } else { text.into() }
}

/// How many columns this has, if it is a terminal: elsewhere, a line has room for everything.
pub(crate) fn columns(terminal: &Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| columns.into())
}

/// Breaks a text for the columns behind a margin, which all of its lines but the first begin with.
pub(crate) fn beside(margin: usize, text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.into() };
    // Where there is no room for words, the terminal breaks them as it likes.
    wrapped(text, columns.saturating_sub(margin).max(20)).join(&format!("\n{:margin$}", ""))
}

/// Breaks a text into lines of at most so many columns, at spaces where there are any.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    // Two spaces in a row, as names may have them, have a word of nothing between them.
    for word in text.split(' ') {
        let fits = |line: &str| measure_text_width(line) + 1 + measure_text_width(word) <= columns;
        match lines.last_mut().filter(|line| line.is_empty() || fits(line)) {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_languages_stay_as_they_are() {
        for name in ["plain.txt", "día 1 🏖.jpg", "文件 二.bin", "ملف.txt", "👩\u{200d}🚀.png"] {
            assert!(matches!(plain(name), Cow::Borrowed(same) if same == name));
        }
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        for active in ["\x1b[31m", "\r", "\n", "\x07", "\x7f", "\u{9b}", "\u{202e}", "\u{2028}", "\u{feff}"] {
            assert!(!plain(active).contains(is_active), "{active:?}");
        }
        assert_eq!(plain("a\rb"), "a\u{fffd}b");
    }

    #[test]
    fn long_sentences_are_broken_between_words() {
        assert_eq!(wrapped("one two three four", 9), ["one two", "three", "four"]);
        assert_eq!(wrapped("unbreakable no", 5), ["unbreakable", "no"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("a  b", 5), ["a  b"], "spaces in a name stay");
        assert_eq!(wrapped("文件 文件", 8), ["文件", "文件"], "wide characters have two columns");
        assert_eq!(
            beside(4, "one two, three and a word more", Some(24)),
            "one two, three and a\n    word more"
        );
        assert_eq!(beside(4, "one two, three and a word more", None), "one two, three and a word more");
    }
}
