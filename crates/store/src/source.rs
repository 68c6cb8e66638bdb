//! A file that is sent, or a part of one, and the watch over it: a file that changes while it is sent must not arrive as
//! a mixture.

use crate::error::{ErrorKind, StoreError};
use crate::listing::Text;
use crate::sys::{self, File, FileId, Kind, Meta};
use bowline_core::transfer::{self, ByteRange, Digest, Hasher, UnixMode, Validator};
use bytes::Bytes;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is sent, or a part of it, as it was when it was opened.
///
/// Clones share the open file; reads of different clones do not disturb each other.
#[derive(Clone, Debug)]
pub struct Source {
    content: Arc<Content>,
    path: Arc<PathBuf>,
    opened: Meta,
    /// Which bytes of it are sent.
    part: Range<u64>,
}

#[derive(Debug)]
enum Content {
    File(File),
    /// Made for whoever asked for it; it does not change.
    Listing(Text),
}

impl Source {
    /// Opens a regular file. The path is the sender's own: symbolic links in it are followed.
    ///
    /// # Errors
    /// `NotFound`, `NotAFile`, `Denied`, `Io`.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let file = sys::open_source(path).map_err(|e| match StoreError::io(path, e) {
            e if e.kind() == ErrorKind::Exists => StoreError::new(ErrorKind::NotFound, path),
            e => e,
        })?;
        Self::from_file(file, path.to_path_buf())
    }

    pub(crate) fn from_file(file: File, path: PathBuf) -> Result<Self, StoreError> {
        let opened = sys::meta(&file).map_err(StoreError::at(&path))?;
        if opened.kind != Kind::File {
            return Err(StoreError::new(ErrorKind::NotAFile, &path));
        }
        Ok(Self::new(Content::File(file), path, opened))
    }

    pub(crate) fn from_listing(text: Text, path: PathBuf) -> Self {
        let id = FileId { len: text.bytes.len() as u64, ..FileId::default() };
        let opened = Meta { kind: Kind::File, id, changed: 0, mode: None };
        Self::new(Content::Listing(text), path, opened)
    }

    fn new(content: Content, path: PathBuf, opened: Meta) -> Self {
        let part = 0..opened.id.len;
        Self { content: Arc::new(content), path: Arc::new(path), opened, part }
    }

    /// A part of the file, as if it were a file of its own: length, offsets and identity are those of the part. The
    /// [look](Self::check) is still at the whole file.
    ///
    /// # Errors
    /// `OutOfRange` if the file has nothing of it; `NotAFile` for anything but the whole of a listing.
    pub fn range(mut self, range: ByteRange) -> Result<Self, StoreError> {
        if range.is_whole() {
            return Ok(self);
        }
        if let Content::Listing(_) = *self.content {
            return Err(not_divided(&self.path));
        }
        let within = range.within(self.opened.id.len);
        self.part = within
            .map_err(|error| StoreError::because(ErrorKind::OutOfRange, &self.path, error.to_string()))?;
        Ok(self)
    }

    /// Whether it is a file, or the listing of a folder.
    pub fn kind(&self) -> transfer::Kind {
        match *self.content {
            Content::File(_) => transfer::Kind::File,
            Content::Listing(_) => transfer::Kind::Listing,
        }
    }

    /// Who may use the file, where the system knows.
    pub fn unix_mode(&self) -> Option<UnixMode> {
        self.opened.mode
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes the file had when it was opened, or how many of them its part has.
    pub fn length(&self) -> u64 {
        self.part.end - self.part.start
    }

    /// When its content was last changed, in milliseconds since 1970.
    pub fn mtime_ms(&self) -> i64 {
        self.opened.mtime_ms()
    }

    /// What tells this version of this file from any other: 16 bytes of [`identity`](Self::identity).
    pub fn validator(&self) -> Validator {
        Validator::from_bytes(&self.identity().as_bytes()[..16]).expect("16 bytes fit a validator")
    }

    /// A hash of device, inode, length and both times, and of the place of a part.
    ///
    /// The same for every process that opens the unchanged file, so a sender can derive the id of a transfer from it
    /// and find that transfer again after a restart. It can be guessed: mix a secret key in.
    pub fn identity(&self) -> Digest {
        let Meta { id, changed, .. } = self.opened;
        let mut hasher = Hasher::new();
        if let Content::Listing(text) = &*self.content {
            hasher.update(&text.bytes);
        }
        for field in [id.dev, id.ino, id.len] {
            hasher.update(&field.to_be_bytes());
        }
        for time in [id.modified, changed] {
            hasher.update(&time.to_be_bytes());
        }
        if self.part != (0..id.len) {
            for end in [self.part.start, self.part.end] {
                hasher.update(&end.to_be_bytes());
            }
        }
        hasher.digest()
    }

    /// The `len` bytes at `offset`.
    ///
    /// # Errors
    /// `SourceChanged` if the file ends before; `Io`.
    pub fn read(&self, offset: u64, len: usize) -> Result<Bytes, StoreError> {
        let mut buffer = vec![0; len];
        self.read_into(offset, &mut buffer)?;
        Ok(buffer.into())
    }

    /// Fills `buffer` with the bytes at `offset`.
    ///
    /// # Errors
    /// `SourceChanged` if the file or its part ends before; `Io`.
    pub fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        let read = match &*self.content {
            Content::File(file) => {
                let left = self.length().saturating_sub(offset);
                let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
                // What lies behind a part is nobody's business; and what is in it is not beyond the greatest offset.
                let at = self.part.start.saturating_add(offset);
                sys::read_full_at(file, &mut buffer[..most], at).map_err(StoreError::at(&self.path))?
            }
            Content::Listing(text) => {
                let rest = usize::try_from(offset).ok().and_then(|offset| text.bytes.get(offset..));
                let rest = rest.unwrap_or_default();
                let read = rest.len().min(buffer.len());
                buffer[..read].copy_from_slice(&rest[..read]);
                read
            }
        };
        if read < buffer.len() {
            let why = format!("{read} of {} bytes are left at offset {offset}", buffer.len());
            return Err(StoreError::because(ErrorKind::SourceChanged, &self.path, why));
        }
        Ok(())
    }

    /// Looks whether the file is what it was when it was opened. Call it before the digest is sent.
    ///
    /// # Errors
    /// `SourceChanged` if its content, its name or its rights have been touched; `Io`.
    pub fn check(&self) -> Result<(), StoreError> {
        let Content::File(file) = &*self.content else { return Ok(()) };
        let meta = sys::meta(file).map_err(StoreError::at(&self.path))?;
        if meta == self.opened { Ok(()) } else { Err(StoreError::new(ErrorKind::SourceChanged, &self.path)) }
    }
}

/// Somebody wants a part of what is no file.
pub(crate) fn not_divided(path: &Path) -> StoreError {
    StoreError::because(ErrorKind::NotAFile, path, "nothing else has a range of bytes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::time::{Duration, UNIX_EPOCH};

    fn file(content: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a");
        fs::write(&path, content).expect("written");
        (dir, path)
    }

    #[test]
    fn a_file_is_read_anywhere_by_any_clone() {
        let (_dir, path) = file("hello world");
        let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        File::options().write(true).open(&path).and_then(|f| f.set_modified(time)).expect("set");
        let source = Source::open(&path).expect("a file");
        let clone = source.clone();
        assert_eq!((source.length(), source.mtime_ms()), (11, 1_700_000_000_123));
        assert_eq!(source.read(6, 5).expect("there"), "world");
        assert_eq!(clone.read(0, 5).expect("there"), "hello");
        assert_eq!(source.read(11, 0).expect("nothing"), "");
        source.check().expect("unchanged");
    }

    fn range(text: &str) -> ByteRange {
        text.parse().expect("a range")
    }

    #[test]
    fn a_part_is_read_as_if_it_were_a_file() {
        let (_dir, path) = file("hello world");
        let part = Source::open(&path).and_then(|file| file.range(range("4-7"))).expect("there");
        assert_eq!((part.length(), &part.read(0, 4).expect("there")[..]), (4, &b"o wo"[..]));
        assert_eq!(part.read(2, 2).expect("there"), "wo");
        // The file has a byte there, the part has none.
        assert_eq!(part.read(2, 3).expect_err("short").kind(), ErrorKind::SourceChanged);
        assert_eq!(part.read(u64::MAX, 1).expect_err("short").kind(), ErrorKind::SourceChanged);
        assert_eq!(part.read(4, 0).expect("nothing"), "");
        for (open, text) in [("6-", "world"), ("6-99", "world"), ("10-10", "d"), ("0-", "hello world")] {
            let part = Source::open(&path).and_then(|file| file.range(range(open))).expect("there");
            assert_eq!(part.read(0, text.len()).expect("there"), text);
            assert_eq!(part.length(), text.len() as u64, "{open}");
        }
    }

    #[test]
    fn a_part_that_no_file_has_is_refused_with_both_numbers() {
        let (_dir, path) = file("hello world");
        let error = Source::open(&path).and_then(|file| file.range(range("11-20"))).expect_err("beyond");
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
        assert!(error.reason().contains("begins at byte 11, and the file has 11 bytes"), "{error}");
        let (_dir, path) = file("");
        let kind = |text| Source::open(&path)?.range(range(text)).map(|part| part.length());
        assert_eq!(kind("0-").expect("all of it"), 0);
        assert_eq!(kind("0-0").expect_err("there is none").kind(), ErrorKind::OutOfRange);
    }

    #[test]
    fn a_listing_is_all_or_nothing() {
        let (dir, _path) = file("hello");
        fs::create_dir(dir.path().join("top")).expect("made");
        let store = crate::DiskStore::open(dir.path(), crate::Config::default()).expect("a folder");
        let listing = || store.listing(&transfer::SafeName::parse("top").expect("safe")).expect("a folder");
        assert_eq!(listing().range(ByteRange::WHOLE).expect("all").length(), listing().length());
        assert_eq!(listing().range(range("0-3")).expect_err("a part").kind(), ErrorKind::NotAFile);
    }

    #[test]
    fn a_change_outside_of_a_part_is_noticed_too() {
        let (_dir, path) = file("hello world");
        let part = Source::open(&path).and_then(|file| file.range(range("0-4"))).expect("there");
        part.check().expect("unchanged");
        fs::write(&path, "hello world!").expect("written");
        assert_eq!(part.check().expect_err("changed").kind(), ErrorKind::SourceChanged);
    }

    #[test]
    fn each_part_of_a_version_has_an_identity() {
        let (_dir, path) = file("hello world");
        let identity = |text: &str| {
            Source::open(&path).and_then(|file| file.range(range(text))).expect("there").identity()
        };
        let whole = Source::open(&path).expect("a file").identity();
        assert_eq!(identity("0-"), whole);
        assert_eq!(identity("0-10"), whole, "that is all of it");
        assert_eq!(identity("3-6"), identity("3-6"));
        let all = [whole, identity("3-6"), identity("2-6"), identity("3-7"), identity("3-")];
        let different: std::collections::BTreeSet<_> = all.iter().map(|id| *id.as_bytes()).collect();
        assert_eq!(different.len(), all.len());
    }

    #[test]
    fn times_before_1970_are_rounded_down() {
        let (_dir, path) = file("");
        let time = UNIX_EPOCH - Duration::from_micros(1_500);
        File::options().write(true).open(&path).and_then(|f| f.set_modified(time)).expect("set");
        assert_eq!(Source::open(&path).expect("a file").mtime_ms(), -2);
    }

    #[test]
    fn a_file_that_shrinks_is_noticed_by_reading() {
        let (_dir, path) = file("hello world");
        let source = Source::open(&path).expect("a file");
        fs::write(&path, "hello").expect("written");
        assert_eq!(source.read(3, 4).expect_err("short").kind(), ErrorKind::SourceChanged);
    }

    #[test]
    fn every_kind_of_change_is_noticed_by_a_look() {
        let changes: [fn(&Path); 4] = [
            |path| fs::write(path, "HELLO").expect("written"),
            |path| fs::write(path, "hello!").expect("written"),
            |path| {
                fs::rename(path, path.with_extension("old")).expect("moved");
                fs::rename(path.with_extension("old"), path).expect("moved back");
            },
            |path| {
                fs::hard_link(path, path.with_extension("link")).expect("linked");
                fs::remove_file(path).expect("removed");
                fs::rename(path.with_extension("link"), path).expect("put back");
            },
        ];
        for change in changes {
            let (_dir, path) = file("hello");
            let old = UNIX_EPOCH + Duration::from_secs(1);
            File::options().write(true).open(&path).and_then(|f| f.set_modified(old)).expect("set");
            let source = Source::open(&path).expect("a file");
            source.check().expect("unchanged");
            // The clock of the file system may be a tick behind: change until it shows.
            let noticed = (0..1_000_000).any(|_| {
                change(&path);
                source.check().is_err()
            });
            assert!(noticed);
            assert_eq!(source.check().expect_err("changed").kind(), ErrorKind::SourceChanged);
        }
    }

    #[test]
    fn identity_and_validator_tell_versions_apart() {
        let (dir, path) = file("hello");
        let (one, again) = (Source::open(&path).expect("a file"), Source::open(&path).expect("a file"));
        assert_eq!((one.identity(), one.validator()), (again.identity(), again.validator()));
        assert_eq!(one.validator().as_bytes(), &one.identity().as_bytes()[..16]);
        fs::write(dir.path().join("b"), "hello").expect("written");
        let other = Source::open(&dir.path().join("b")).expect("a file");
        assert_ne!(one.validator(), other.validator());
        fs::write(&path, "hello!").expect("written");
        assert_ne!(one.identity(), Source::open(&path).expect("a file").identity());
    }

    #[test]
    fn only_regular_files_are_sent() {
        let (dir, path) = file("hello");
        let kind = |path: &Path| Source::open(path).expect_err("no file").kind();
        assert_eq!(kind(dir.path()), ErrorKind::NotAFile);
        assert_eq!(kind(&dir.path().join("none")), ErrorKind::NotFound);
        assert_eq!(kind(&path.join("none")), ErrorKind::NotFound);
        #[cfg(unix)]
        {
            assert_eq!(kind(Path::new("/dev/null")), ErrorKind::NotAFile);
            std::os::unix::fs::symlink(&path, dir.path().join("link")).expect("linked");
            assert_eq!(Source::open(&dir.path().join("link")).expect("followed").length(), 5);
        }
    }
}
