//! A file that is sent, and the watch over it: a file that changes while it is sent must not arrive as a mixture.

use crate::error::{ErrorKind, StoreError};
use crate::listing::Text;
use crate::sys::{self, File, FileId, Kind, Meta};
use bowline_core::transfer::{self, Digest, Hasher, UnixMode, Validator};
use bytes::Bytes;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is sent, as it was when it was opened.
///
/// Clones share the open file; reads of different clones do not disturb each other.
#[derive(Clone, Debug)]
pub struct Source {
    content: Arc<Content>,
    path: Arc<PathBuf>,
    opened: Meta,
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
        Ok(Self { content: Arc::new(Content::File(file)), path: Arc::new(path), opened })
    }

    pub(crate) fn from_listing(text: Text, path: PathBuf) -> Self {
        let id = FileId { len: text.bytes.len() as u64, ..FileId::default() };
        let opened = Meta { kind: Kind::File, id, changed: 0, mode: None };
        Self { content: Arc::new(Content::Listing(text)), path: Arc::new(path), opened }
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

    /// How many bytes the file had when it was opened.
    pub fn length(&self) -> u64 {
        self.opened.id.len
    }

    /// When its content was last changed, in milliseconds since 1970.
    pub fn mtime_ms(&self) -> i64 {
        self.opened.mtime_ms()
    }

    /// What tells this version of this file from any other: 16 bytes of [`identity`](Self::identity).
    pub fn validator(&self) -> Validator {
        Validator::from_bytes(&self.identity().as_bytes()[..16]).expect("16 bytes fit a validator")
    }

    /// A hash of device, inode, length and both times.
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
    /// `SourceChanged` if the file ends before; `Io`.
    pub fn read_into(&self, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
        let read = match &*self.content {
            Content::File(file) => {
                sys::read_full_at(file, buffer, offset).map_err(StoreError::at(&self.path))?
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
