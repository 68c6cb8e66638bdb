//! What is over, in sums: a tree of a million files is remembered in a few numbers.

use super::{Verb, json};
use crate::units::{Size, Span};
use bowline_tokio::Finished;
use std::time::Instant;

/// What is over, and how much there is.
#[derive(Debug)]
pub(super) struct Sums {
    /// The command is about more than the files that it names.
    pub(super) tree: bool,
    /// How many files and folders have been found.
    pub(super) found: usize,
    /// How many bytes have arrived, or were there.
    pub(super) bytes: u64,
    /// How many bytes the files have that failed.
    pub(super) lost_bytes: u64,
    /// How many bytes somebody has counted.
    pub(super) expected_bytes: u64,
    pub(super) left_out: u64,
    pub(super) folders: u64,
    files: u64,
    failed: u64,
    already_there: u64,
    /// How many files somebody has counted.
    expected_files: u64,
    began: Instant,
}

impl Sums {
    pub(super) fn new(tree: bool) -> Self {
        Self {
            tree,
            found: 0,
            bytes: 0,
            lost_bytes: 0,
            expected_bytes: 0,
            left_out: 0,
            files: 0,
            folders: 0,
            failed: 0,
            already_there: 0,
            expected_files: 0,
            began: Instant::now(),
        }
    }

    pub(super) fn expect(&mut self, files: u64, bytes: u64) {
        self.expected_files = self.expected_files.saturating_add(files);
        self.expected_bytes = self.expected_bytes.saturating_add(bytes);
    }

    pub(super) fn done(&mut self, folder: bool, finished: &Finished) {
        if folder {
            self.folders += 1;
            return;
        }
        self.files += 1;
        self.bytes += finished.bytes;
        self.already_there += u64::from(finished.deduplicated);
    }

    pub(super) fn fail(&mut self, bytes: u64) {
        self.failed += 1;
        self.lost_bytes += bytes;
    }

    /// How far it is, in files.
    pub(super) fn title(&self) -> String {
        let over = self.files + self.failed;
        let all = self.expected_files.max(if self.tree { over } else { self.found as u64 });
        format!("{over} of {all} files")
    }

    pub(super) fn line(&self) -> json::Line {
        json::Line::new("summary")
            .with("files", self.files)
            .with("folders", self.folders)
            .with("bytes", self.bytes)
            .with("already_there", self.already_there)
            .with("failed", self.failed)
            .with("left_out", self.left_out)
            .seconds("seconds", self.began.elapsed().as_secs_f64())
    }

    pub(super) fn sentence(&self, verb: Verb) -> String {
        let Self { files, folders, failed, already_there, left_out, .. } = self;
        let count = |number: u64, thing: &str| {
            if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
        };
        let mut sentence = format!("{} {}, {}", verb.then, count(*files, "file"), Size(self.bytes));
        for (number, text) in [
            (*folders, count(*folders, "folder")),
            (*already_there, format!("{already_there} already there")),
            (*left_out, format!("{left_out} left out")),
            (*failed, format!("{failed} failed")),
        ] {
            if number > 0 {
                sentence.push_str(", ");
                sentence.push_str(&text);
            }
        }
        format!("{sentence}, in {}", Span::seconds(self.began.elapsed().as_secs_f64()))
    }
}
