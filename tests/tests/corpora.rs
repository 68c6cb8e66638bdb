//! Every input in the corpora of the fuzzers, through the same functions, without a fuzzer. Inputs that are generated
//! from values are compared with those values; `BLESS=1` generates them again.

use bowline_tests::fuzz::{TARGETS, seeds};
use bowline_tests::heap;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target)
}

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = folder(target);
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

#[test]
fn every_input_does_no_harm() {
    assert!(heap::is_counting());
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

#[test]
fn inputs_match_the_seeds_they_are_made_from() {
    let bless = std::env::var_os("BLESS").is_some();
    for seed in seeds() {
        let file = folder(seed.target).join(seed.name);
        if bless {
            fs::create_dir_all(folder(seed.target)).expect("a folder");
            fs::write(&file, &seed.bytes).expect("written");
        }
        let is_same = fs::read(&file).is_ok_and(|bytes| bytes == seed.bytes);
        assert!(is_same, "{} differs from what it is made from; see BLESS=1", file.display());
    }
}
