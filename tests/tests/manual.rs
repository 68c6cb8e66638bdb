//! The manual quotes no sentence that no test has seen.

use std::fs;
use std::path::Path;

/// The text blocks of a page of the manual, each as one line.
fn quoted(page: &str) -> Vec<String> {
    let mut quotes = Vec::new();
    let mut lines = page.lines().map(|line| line.trim_start_matches("//!").trim());
    while let Some(line) = lines.next() {
        if line == "```text" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            quotes.push(block.join(" "));
        }
    }
    quotes
}

/// Everything in the golden files, each file as one line, with the line breaks of the transcripts undone.
fn seen() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("transcripts"), root.join("../crates/core/src/closing/tests")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let texts =
        files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "txt"));
    let words = texts.flat_map(|path| {
        let text = fs::read_to_string(path).unwrap();
        text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_sentence_in_the_manual_was_seen_in_a_test() {
    let page = include_str!("../../crates/core/src/manual/failures.rs");
    let (quotes, seen) = (quoted(page), seen());
    assert!(quotes.len() > 10, "{quotes:?}");
    let unseen: Vec<_> = quotes.iter().filter(|quote| !seen.contains(quote.as_str())).collect();
    assert!(unseen.is_empty(), "{unseen:#?}");
}
