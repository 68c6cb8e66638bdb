//! Every input in the corpora of the fuzzers, through the same functions, without a fuzzer.

use bowline_tests::fuzz::TARGETS;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_does_no_harm() {
    for (target, run) in TARGETS {
        let files = corpus(target);
        assert!(files.len() >= 5, "the corpus of {target} is missing");
        for file in files {
            let data = fs::read(&file).expect("readable");
            assert!(catch_unwind(|| run(&data)).is_ok(), "{}", file.display());
        }
    }
}

#[test]
fn no_input_at_all_does_no_harm() {
    for (_, run) in TARGETS {
        run(&[]);
    }
}
