//! Totals of what is over: of a tree with a million files, only a few numbers are kept.

use super::{Verb, json};
use crate::news::Counted;
use crate::units::{Size, count, span};
use bowline_tokio::Finished;
use std::time::Instant;

/// What is over, and how much there is.
#[derive(Debug)]
pub(super) struct Sums {
    /// Whether the command is about more than the files that it names.
    pub(super) tree: bool,
    /// How many files and folders have been found.
    pub(super) found: u64,
    /// How many bytes have arrived, or were there before.
    pub(super) bytes: u64,
    /// How many bytes the failed files have.
    pub(super) lost_bytes: u64,
    /// How many bytes have been counted.
    pub(super) expected_bytes: u64,
    pub(super) left_out: u64,
    folders: u64,
    files: u64,
    failed_files: u64,
    failed_folders: u64,
    /// How many files or folders could not even be started.
    missed: u64,
    already_there: u64,
    /// How many files and folders there are, as named by the command or counted.
    expected_files: u64,
    expected_folders: u64,
    /// How many folders have not been counted yet.
    uncounted: usize,
    began: Instant,
}

impl Sums {
    /// For a command about this many folders, and about files.
    pub(super) fn new(trees: usize) -> Self {
        Self {
            tree: trees > 0,
            found: 0,
            bytes: 0,
            lost_bytes: 0,
            expected_bytes: 0,
            left_out: 0,
            files: 0,
            folders: 0,
            failed_files: 0,
            failed_folders: 0,
            missed: 0,
            already_there: 0,
            expected_files: 0,
            expected_folders: 0,
            uncounted: trees,
            began: Instant::now(),
        }
    }

    /// The command names a file.
    pub(super) fn name_one(&mut self, bytes: u64) {
        self.expected_files += 1;
        self.expected_bytes = self.expected_bytes.saturating_add(bytes);
    }

    /// What was taken for a file is a folder, and may already count as found.
    pub(super) fn turn_into_tree(&mut self, was_found: bool) {
        self.tree = true;
        self.uncounted += 1;
        self.expected_files = self.expected_files.saturating_sub(1);
        self.found -= u64::from(was_found);
    }

    /// The contents of a folder have been counted, including the folder itself.
    pub(super) fn expect(&mut self, counted: Counted) {
        self.uncounted = self.uncounted.saturating_sub(1);
        self.expected_files = self.expected_files.saturating_add(counted.files);
        self.expected_folders = self.expected_folders.saturating_add(counted.folders);
        self.expected_bytes = self.expected_bytes.saturating_add(counted.bytes);
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

    /// A local folder has been created.
    pub(super) fn make_folder(&mut self) {
        self.found += 1;
        self.folders += 1;
    }

    pub(super) fn fail(&mut self, folder: bool, bytes: u64) {
        *(if folder { &mut self.failed_folders } else { &mut self.failed_files }) += 1;
        self.lost_bytes += bytes;
    }

    /// This many could not even be started.
    pub(super) fn miss(&mut self, things: u64) {
        self.found += things;
        self.missed += things;
    }

    /// How far it has got, in files.
    pub(super) fn title(&self) -> String {
        let over = self.files + self.failed_files;
        match self.expected_files.max(over) {
            _ if self.uncounted > 0 => count(over, "file"),
            all => format!("{over} of {all} files"),
        }
    }

    /// How much has failed, out of everything.
    pub(super) fn failure(&self) -> String {
        format!("{} of {} failed", self.failed(), self.all())
    }

    /// How much has not arrived, whether it failed or not, out of everything.
    pub(super) fn loss(&self) -> String {
        let arrived = self.files + self.folders;
        if self.uncounted > 0 {
            return format!("{} have arrived", of_kind(arrived, self.tree));
        }
        format!("{} of {} are missing", self.number() - arrived, self.all())
    }

    fn failed(&self) -> u64 {
        self.failed_files + self.failed_folders + self.missed
    }

    fn number(&self) -> u64 {
        self.found.max(self.expected_files.saturating_add(self.expected_folders))
    }

    fn all(&self) -> String {
        of_kind(self.number(), self.tree)
    }

    pub(super) fn line(&self) -> json::Line {
        json::Line::new("summary")
            .with("files", self.files)
            .with("folders", self.folders)
            .with("bytes", self.bytes)
            .with("already_there", self.already_there)
            .with("failed", self.failed())
            .with("left_out", self.left_out)
            .seconds("seconds", self.began.elapsed().as_secs_f64())
    }

    /// How it went, and where it went, if that needs to be said.
    pub(super) fn sentence(&self, verb: Verb, place: Option<&str>) -> String {
        let Self { files, folders, failed_files, failed_folders, missed, already_there, left_out, .. } =
            *self;
        let mut sentence = format!("{} {}, {}", verb.then, count(files, "file"), Size(self.bytes));
        for (number, text) in [
            (folders, count(folders, "folder")),
            (already_there, format!("{already_there} already there")),
            (left_out, format!("{left_out} left out")),
            (failed_files, format!("{} failed", count(failed_files, "file"))),
            (failed_folders, format!("{} failed", count(failed_folders, "folder"))),
            (missed, format!("{missed} could not be begun")),
        ] {
            if number > 0 {
                sentence.push_str(", ");
                sentence.push_str(&text);
            }
        }
        let place = place.filter(|_| files + folders > 0);
        let place = place.map_or_else(String::new, |place| format!(", into {place}"));
        format!("{sentence}{place}, in {}", span(self.began.elapsed().as_secs_f64()))
    }
}

/// This many, in words for what is counted.
fn of_kind(number: u64, tree: bool) -> String {
    if tree { format!("{number} files and folders") } else { count(number, "file") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::SEND;

    #[test]
    fn files_and_folders_are_counted_apart() {
        let mut sums = Sums::new(1);
        sums.expect(Counted { files: 10, folders: 3, bytes: 100 });
        (sums.found, sums.files, sums.folders) = (11, 6, 2);
        sums.fail(false, 10);
        sums.fail(false, 10);
        sums.fail(true, 0);
        sums.miss(4);
        assert_eq!(sums.title(), "8 of 10 files", "no folder is one of them");
        assert_eq!(sums.failure(), "7 of 15 files and folders failed");
        let sentence = sums.sentence(SEND, None);
        let expected =
            "sent 6 files, 0 B, 2 folders, 2 files failed, 1 folder failed, 4 could not be begun, in ";
        assert!(sentence.starts_with(expected), "{sentence}");
    }

    #[test]
    fn files_that_were_never_reached_are_missing_too() {
        let mut sums = Sums::new(0);
        (0..100).for_each(|_| sums.name_one(1));
        (sums.found, sums.files) = (100, 1);
        sums.fail(false, 1);
        assert_eq!(sums.loss(), "99 of 100 files are missing");
        let mut tree = Sums::new(1);
        (tree.found, tree.files) = (10, 5);
        assert_eq!(tree.loss(), "5 files and folders have arrived", "nobody knows how many there are");
        assert_eq!(tree.title(), "5 files");
        tree.expect(Counted { files: 90, folders: 10, bytes: 0 });
        assert_eq!(tree.loss(), "95 of 100 files and folders are missing");
    }

    #[test]
    fn files_beside_a_folder_are_counted_with_those_in_it() {
        let mut sums = Sums::new(1);
        sums.name_one(5);
        sums.expect(Counted { files: 2, folders: 1, bytes: 20 });
        assert_eq!((sums.title().as_str(), sums.expected_bytes), ("0 of 3 files", 25));
    }

    #[test]
    fn a_name_that_turns_out_to_be_a_folder_does_not_count_as_a_file() {
        let mut sums = Sums::new(0);
        sums.name_one(0);
        sums.found = 1;
        sums.turn_into_tree(true);
        assert_eq!(sums.title(), "0 files", "nobody knows how many are in it");
        sums.expect(Counted { files: 2, folders: 1, bytes: 20 });
        sums.make_folder();
        sums.files = 1;
        assert_eq!(sums.title(), "1 of 2 files");
        assert_eq!(sums.loss(), "1 of 3 files and folders are missing");
        (sums.found, sums.files) = (2, 2);
        sums.make_folder();
        sums.make_folder();
        assert_eq!(sums.failure(), "0 of 4 files and folders failed", "more than were counted");
    }
}
