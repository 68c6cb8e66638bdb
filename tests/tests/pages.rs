//! The Rust programs on every page are compiled.

use std::fs;
use std::path::{Path, PathBuf};

/// The Markdown pages of a folder.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_program_that_a_page_shows_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let shown = fs::read_to_string(root.join("tests/src/lib.rs")).unwrap();
    let mut checked = 0;
    for page in pages(&root).into_iter().chain(pages(&root.join("docs"))) {
        let text = fs::read_to_string(&page).unwrap();
        if text.contains("```rust") {
            let name = page.strip_prefix(&root).unwrap().display().to_string();
            assert!(shown.contains(&format!("include_str!(\"../../{name}\")")), "{name} is in no doc test");
            checked += 1;
        }
    }
    assert!(checked > 1, "no page shows a program");
    for folder in fs::read_dir(root.join("crates")).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(text) = fs::read_to_string(folder.join("README.md")) else { continue };
        if text.contains("```rust") {
            let library = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
            assert!(library.contains("include_str!(\"../README.md\")"), "{folder:?} is in no doc test");
        }
    }
}
