//! Folders that are sent for themselves, so that empty ones arrive, and all get their times and modes.

use crate::error::{ErrorKind, StoreError};
use crate::store::DiskStore;
use crate::sys;
use bowline_core::transfer::{SafeName, UnixMode};

/// A folder that a sender announces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FolderSpec {
    /// Where it goes, relative to the served folder.
    pub name: SafeName,
    /// When it was last changed at the sender, in milliseconds since 1970; 0 if unknown.
    pub mtime_ms: i64,
    /// Its permissions. Its owner always has access, whatever this says.
    pub unix_mode: Option<UnixMode>,
}

impl FolderSpec {
    /// A folder about which no more is known.
    pub fn new(name: SafeName) -> Self {
        Self { name, mtime_ms: 0, unix_mode: None }
    }
}

impl DiskStore {
    /// Makes a folder, and those on the way to it, if they do not exist; returns whether it existed before. Its name
    /// survives a power cut.
    ///
    /// Time and mode are set on a folder that this process has made, even if only on the way to a file; on any other
    /// only if [`Config::adopt_folders`](crate::Config::adopt_folders) is set. Whatever is made in the folder later
    /// changes its time, so call this when all its contents are there. A system that does not support them is no
    /// obstacle.
    ///
    /// # Errors
    /// `NoFolder` if something else has the name, or one on the way to it; `BadName` in the staging folder; `Denied`,
    /// `NoSpace`, `Io`.
    pub fn make_folder(&self, spec: &FolderSpec) -> Result<bool, StoreError> {
        let (root, name) = (self.root(), self.whole(&spec.name)?);
        let at = root.path(&name);
        let (folder, existed) = root.make_folder(&name)?;
        let meta = folder.meta().map_err(StoreError::at(&at))?;
        if self.config().adopt_folders || root.has_made(&meta) {
            let _ = folder.dress(sys::moment(spec.mtime_ms), spec.unix_mode);
            root.sync_folder(&folder).map_err(StoreError::at(&at))?;
        }
        Ok(existed)
    }

    /// Sets the time and mode of the store's own folder, or, for a [view](Self::in_folder), of its folder. Transfers in
    /// it would change its time again, so call this last.
    ///
    /// # Errors
    /// `NotFound`, `NoFolder`: the folder of the view does not exist yet, or is not a folder. `Denied`, `Io`: time and
    /// mode might not survive a power cut.
    pub fn dress(&self, mtime_ms: i64, unix_mode: Option<UnixMode>) -> Result<(), StoreError> {
        let root = self.root();
        let (folder, at) = match self.folder() {
            None => (root.top(), root.dir().to_owned()),
            Some(name) => {
                let at = root.path(name);
                let found = root.find_folder(name)?;
                (found.ok_or_else(|| StoreError::new(ErrorKind::NotFound, &at))?, at)
            }
        };
        let _ = folder.dress(sys::moment(mtime_ms), unix_mode);
        root.sync_folder(&folder).map_err(StoreError::at(&at))
    }
}
