//! An existing file with the name and length of an offered one: its digest says whether it is the same.

use crate::clock::millis;
use crate::error::{ErrorKind, StoreError};
use crate::fault::{Op, time_of_day};
use crate::hashing::hash_file;
use crate::store::DiskStore;
use crate::strides::STRIDE;
use crate::sys::{self, Access, Meta};
use bowline_core::transfer::{Digest, Hasher, SafeName};
use std::path::PathBuf;

/// An existing file, and its digest as far as it has been computed. It is open only during a stride, so many may wait.
pub(crate) struct Present {
    store: DiskStore,
    /// Relative to the opened folder.
    name: SafeName,
    at: PathBuf,
    file: Meta,
    /// Boxed: it has two kilobytes.
    hasher: Box<Hasher>,
}

impl Present {
    pub(crate) fn new(store: &DiskStore, name: &SafeName, file: Meta) -> Self {
        let at = store.root().path(name);
        Self {
            store: store.clone(),
            name: name.clone(),
            at,
            file,
            hasher: store.digests().find(&file).unwrap_or_default(),
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.file.id.len
    }

    /// Hashes on; returns the digest once it is known.
    ///
    /// # Errors
    /// `Exists` if it is another file by now; `Denied`, `Io`.
    pub(crate) fn stride(&mut self) -> Result<Option<Digest>, StoreError> {
        let found = self.store.root().find(&self.name)?.filter(|(_, meta)| meta.id == self.file.id);
        let (folder, _) = found.ok_or_else(|| self.changed())?;
        let io = |e| StoreError::io(&self.at, e);
        let opened = self.store.root().faults.before(Op::Hash);
        let file = opened.and_then(|()| folder.open_file(self.name.file_name(), Access::Read)).map_err(io)?;
        let upto = self.length().min(self.hasher.offset() + STRIDE);
        let all = hash_file(&file, upto, &mut self.hasher).map_err(io)?;
        let meta = sys::meta(&file).map_err(io)?;
        if !all || meta.id != self.file.id {
            return Err(self.changed());
        }
        if meta == self.file {
            self.store.digests().keep(&meta, &self.hasher, millis(time_of_day()));
        }
        Ok((upto == self.length()).then(|| self.hasher.digest()))
    }

    /// The digest, however long it takes.
    pub(crate) fn digest(mut self) -> Result<Digest, StoreError> {
        loop {
            if let Some(digest) = self.stride()? {
                return Ok(digest);
            }
        }
    }

    fn changed(&self) -> StoreError {
        StoreError::because(ErrorKind::Exists, &self.at, "it changed while it was being compared")
    }
}
