//! A file that is sent, and the watch over it: a file that changes while it is sent must not arrive as a mixture.

use crate::error::{ErrorKind, StoreError};
use crate::sys::{self, Kind, Meta};
use bowline_core::transfer::{Digest, Hasher, Validator};
use bytes::Bytes;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is sent, as it was when it was opened.
///
/// Clones share the open file; reads of different clones do not disturb each other.
#[derive(Clone, Debug)]
pub struct Source {
    file: Arc<File>,
    path: Arc<PathBuf>,
    opened: Meta,
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
        Ok(Self { file: Arc::new(file), path: Arc::new(path), opened })
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
        self.opened.id.modified.div_euclid(1_000_000)
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
        let read = sys::read_full_at(&self.file, &mut buffer, offset).map_err(StoreError::at(&self.path))?;
        if read < len {
            let why = format!("{read} of {len} bytes are left at offset {offset}");
            return Err(StoreError::because(ErrorKind::SourceChanged, &self.path, why));
        }
        Ok(buffer.into())
    }

    /// Looks whether the file is what it was when it was opened. Call it before the digest is sent.
    ///
    /// # Errors
    /// `SourceChanged` if its content, its name or its rights have been touched; `Io`.
    pub fn check(&self) -> Result<(), StoreError> {
        let meta = sys::meta(&self.file).map_err(StoreError::at(&self.path))?;
        if meta == self.opened { Ok(()) } else { Err(StoreError::new(ErrorKind::SourceChanged, &self.path)) }
    }
}
