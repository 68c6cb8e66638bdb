//! Every transcript happens as it is written. See `bowline_tests::transcript` for their format.

use bowline_tests::transcript;
use std::path::{Path, PathBuf};

#[test]
fn every_transcript_happens_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let mut files: Vec<PathBuf> =
        folder.read_dir().expect("transcripts").map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(files.len() > 5, "transcripts are missing: {files:?}");
    let wrong: Vec<_> = files.iter().filter_map(|file| transcript::check(file).err()).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n\n"));
}
