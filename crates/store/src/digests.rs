//! Remembers how far existing files were hashed, so that a sender that asks again, perhaps on its next link, need not
//! wait from the beginning.

use crate::live::lock;
use crate::sys::Meta;
use bowline_core::transfer::Hasher;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

/// How many files are remembered, in some 200 KB.
const MOST: usize = 64;
/// A file that was changed more recently than this may be changed again without a new time: file systems store times in
/// steps; on FAT they are two seconds.
const SETTLED: Duration = Duration::from_secs(10);

/// Hashers of files, as far as they have come, the most recent last.
#[derive(Debug, Default)]
pub(crate) struct Digests(Mutex<VecDeque<(Meta, Box<Hasher>)>>);

impl Digests {
    /// How far exactly this file has been hashed.
    pub(crate) fn find(&self, file: &Meta) -> Option<Box<Hasher>> {
        let kept = lock(&self.0);
        kept.iter().find(|(kept, _)| kept == file).map(|(_, hasher)| hasher.clone())
    }

    /// Remembers how far a file has been hashed, if `now`, in milliseconds since 1970, it has been unchanged for a
    /// while.
    pub(crate) fn keep(&self, file: &Meta, hasher: &Hasher, now: u64) {
        let changed = u64::try_from(file.changed).unwrap_or(0) / 1_000_000;
        // On other systems nothing distinguishes a file from another with the same name, length and time, and a sender
        // chooses the time.
        if !cfg!(unix) || now.saturating_sub(changed) < SETTLED.as_millis() as u64 {
            return;
        }
        let mut kept = lock(&self.0);
        let known = kept.iter().position(|(kept, _)| kept == file).and_then(|index| kept.remove(index));
        let further = known.map(|(_, known)| known).filter(|known| known.offset() > hasher.offset());
        kept.push_back((*file, further.unwrap_or_else(|| Box::new(hasher.clone()))));
        if kept.len() > MOST {
            kept.pop_front();
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::sys::{FileId, Kind};

    const NOW: u64 = 1_000_000;

    fn file(ino: u64) -> Meta {
        let id = FileId { ino, len: 3, ..FileId::default() };
        Meta { kind: Kind::File, id, changed: 0, mode: None }
    }

    fn hasher(data: &[u8]) -> Hasher {
        let mut hasher = Hasher::new();
        hasher.update(data);
        hasher
    }

    fn come(digests: &Digests, file: &Meta) -> Option<u64> {
        digests.find(file).map(|hasher| hasher.offset())
    }

    #[test]
    fn the_further_of_two_is_kept() {
        let digests = Digests::default();
        for data in ["a", "abc", "ab"] {
            digests.keep(&file(1), &hasher(data.as_bytes()), NOW);
        }
        assert_eq!(come(&digests, &file(1)), Some(3));
    }

    #[test]
    fn the_digest_of_a_file_that_has_changed_is_not_used() {
        let digests = Digests::default();
        digests.keep(&file(1), &hasher(b"abc"), NOW);
        assert_eq!(come(&digests, &Meta { changed: 1, ..file(1) }), None);
        assert_eq!(come(&digests, &file(2)), None);
    }

    #[test]
    fn a_recently_changed_file_is_not_remembered() {
        let digests = Digests::default();
        digests.keep(&file(1), &hasher(b"abc"), 9_999);
        assert_eq!(come(&digests, &file(1)), None);
        digests.keep(&file(1), &hasher(b"abc"), 10_000);
        assert_eq!(come(&digests, &file(1)), Some(3));
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let digests = Digests::default();
        for ino in 0..=MOST as u64 {
            digests.keep(&file(ino), &hasher(b"abc"), NOW);
        }
        assert_eq!((come(&digests, &file(0)), come(&digests, &file(1))), (None, Some(3)));
        assert_eq!(lock(&digests.0).len(), MOST);
    }
}
