//! A file being sent, or a part of one, and the check that it stays the same: a file that changes meanwhile must not
//! arrive as a mixture.

use crate::error::{ErrorKind, StoreError};
use crate::listing::Text;
use crate::sys::{self, File, FileId, Kind, Meta};
use bowline_core::transfer::{self, ByteRange, Digest, Hasher, UnixMode, Validator};
use bytes::Bytes;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file being sent, or a part of it, as it was when it was opened.
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
    /// Made for the peer that asked for it; it does not change.
    Listing(Text),
}

impl Source {
    /// Opens a regular file. The path is the sender's own: symbolic links in it are followed.
    ///
    /// # Errors
    /// `NotFound`, `NotAFile`, `TooManyOpen`, `Denied`, `Io`.
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
    /// [check](Self::check) still covers the whole file.
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

    /// The permissions of the file, if the system has them.
    pub fn unix_mode(&self) -> Option<UnixMode> {
        self.opened.mode
    }

    /// The path that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The length of the file when it was opened, or of the part.
    pub fn length(&self) -> u64 {
        self.part.end - self.part.start
    }

    /// When its content was last changed, in milliseconds since 1970.
    pub fn mtime_ms(&self) -> i64 {
        self.opened.mtime_ms()
    }

    /// Distinguishes this version of this file from any other: 16 bytes of [`identity`](Self::identity).
    pub fn validator(&self) -> Validator {
        Validator::from_bytes(&self.identity().as_bytes()[..16]).expect("16 bytes fit a validator")
    }

    /// A hash of inode, length and both times, and of the range of a part. The device number is left out, because many
    /// systems change it at each mount.
    ///
    /// It is the same for every process that opens the unchanged file, so a sender can derive the id of a transfer from
    /// it and find that transfer again after a restart. It can be guessed: mix in a secret key.
    pub fn identity(&self) -> Digest {
        let Meta { id, changed, .. } = self.opened;
        let mut hasher = Hasher::new();
        if let Content::Listing(text) = &*self.content {
            hasher.update(&text.bytes);
        }
        for field in [id.ino, id.len] {
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
                // Bytes behind a part are not sent; and its own bytes are not beyond the greatest offset.
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
            let why = format!("only {read} of {} bytes are left at offset {offset}", buffer.len());
            return Err(StoreError::because(ErrorKind::SourceChanged, &self.path, why));
        }
        Ok(())
    }

    /// Checks whether the file is still what it was when it was opened. Call it before the digest is sent.
    ///
    /// # Errors
    /// `SourceChanged` if its content, its name or its permissions were changed; `Io`.
    pub fn check(&self) -> Result<(), StoreError> {
        let Content::File(file) = &*self.content else { return Ok(()) };
        let meta = sys::meta(file).map_err(StoreError::at(&self.path))?;
        if meta == self.opened { Ok(()) } else { Err(StoreError::new(ErrorKind::SourceChanged, &self.path)) }
    }
}

/// A part was requested of something that is not a file.
pub(crate) fn not_divided(path: &Path) -> StoreError {
    StoreError::because(ErrorKind::NotAFile, path, "nothing else has a range of bytes")
}

#[cfg(test)]
mod tests;
