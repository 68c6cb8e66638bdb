//! Makes text from elsewhere harmless for a terminal.

pub(crate) use bowline_core::closing::plain;

use console::{Term, measure_text_width};

/// The number of columns, if this is a terminal: elsewhere, lines may be of any length.
pub(crate) fn columns(terminal: &Term) -> Option<usize> {
    terminal.size_checked().map(|(_, columns)| columns.into())
}

/// Wraps a text to the right of a margin, with which all of its lines but the first begin.
pub(crate) fn beside(margin: usize, text: &str, columns: Option<usize>) -> String {
    let Some(columns) = columns else { return text.into() };
    // If there is no room for words, the terminal breaks them as it likes.
    wrapped(text, columns.saturating_sub(margin).max(20)).join(&format!("\n{:margin$}", ""))
}

/// Wraps a text into lines of at most this many columns, at spaces where there are any.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    // Two spaces in a row, which names may have, have an empty word between them.
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
