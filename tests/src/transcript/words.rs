//! Lines to words, and words to values.

use bowline_core::{Instant, Role};
use std::time::Duration;

/// The words of a line, up to a `#`. A text in quotes is one word.
#[derive(Debug)]
pub(super) struct Words<'a> {
    words: std::vec::IntoIter<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        let mut words = Vec::new();
        let mut rest = line.trim_start();
        while !rest.is_empty() && !rest.starts_with('#') {
            let quoted = rest.starts_with('"').then(|| rest[1..].find('"').map(|end| end + 2)).flatten();
            let end = quoted.or_else(|| rest.find(char::is_whitespace)).unwrap_or(rest.len());
            words.push(&rest[..end]);
            rest = rest[end..].trim_start();
        }
        Self { words: words.into_iter() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.as_slice().is_empty()
    }

    pub(super) fn peek(&self) -> &'a str {
        self.words.as_slice().first().copied().unwrap_or_default()
    }

    pub(super) fn next(&mut self) -> Result<&'a str, String> {
        self.words.next().ok_or_else(|| "something is missing".into())
    }

    pub(super) fn finish(&mut self) -> Result<(), String> {
        match self.words.next() {
            None => Ok(()),
            Some(word) => Err(format!("too much: {word}")),
        }
    }
}

/// The text between quotes.
pub(super) fn text(word: &str) -> Option<&str> {
    word.strip_prefix('"')?.strip_suffix('"')
}

/// A number and its unit.
fn split(word: &str) -> Option<(u64, &str)> {
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    Some((word[..digits].parse().ok()?, &word[digits..]))
}

pub(super) fn duration(word: &str) -> Result<Duration, String> {
    match split(word) {
        Some((n, "ms")) => Ok(Duration::from_millis(n)),
        Some((n, "s")) => Ok(Duration::from_secs(n)),
        Some((n, "min")) => Ok(Duration::from_secs(n * 60)),
        _ => Err(format!("{word} is no time")),
    }
}

pub(super) fn time(word: &str) -> Option<Instant> {
    duration(word).ok().map(Instant::from)
}

pub(super) fn size(word: &str) -> Result<usize, String> {
    match split(word) {
        Some((n, "" | "B")) => Ok(n as usize),
        Some((n, "kB")) => Ok(n as usize * 1000),
        Some((n, "KiB")) => Ok((n as usize) << 10),
        Some((n, "MiB")) => Ok((n as usize) << 20),
        _ => Err(format!("{word} is no size")),
    }
}

pub(super) fn role(word: &str) -> Result<Role, String> {
    match word {
        "client" => Ok(Role::Client),
        "server" => Ok(Role::Server),
        _ => Err(format!("nobody is {word}")),
    }
}
