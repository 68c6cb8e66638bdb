//! Files that say what should happen, and that are rewritten when something else is intended.

use std::path::Path;
use std::{env, fs};

/// Compares a file with what happened. With `BLESS=1` in the environment, it writes what happened to the file instead.
///
/// # Errors
/// The first line that differs, with those before it.
pub fn check(file: &Path, happened: &str) -> Result<(), String> {
    let written = fs::read_to_string(file).unwrap_or_default();
    if written == happened {
        return Ok(());
    }
    if env::var_os("BLESS").is_some_and(|bless| bless == "1") {
        return fs::write(file, happened).map_err(|error| format!("{}: {error}", file.display()));
    }
    Err(format!("{}:\n{}", file.display(), difference(&written, happened)))
}

fn difference(written: &str, happened: &str) -> String {
    let mut common = Vec::new();
    let (mut a, mut b) = (written.lines(), happened.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if a == b => common.push(a),
            (a, b) => {
                let before = common[common.len().saturating_sub(3)..].join("\n");
                let (a, b) = (a.unwrap_or("(the end)"), b.unwrap_or("(the end)"));
                return format!("{before}\nwritten  {a}\nhappened {b}\nBLESS=1 writes what happened");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown_with_what_came_before() {
        let shown = difference("a\nb\nc\n", "a\nb\nd\n");
        assert_eq!(shown, "a\nb\nwritten  c\nhappened d\nBLESS=1 writes what happened");
    }
}
