//! Folders that are sent for themselves: so that empty ones arrive, and all get the times and modes that they had.

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
    /// When it was changed last at the sender, in milliseconds since 1970; 0 if unknown.
    pub mtime_ms: i64,
    /// Who is to use it. Its owner always may, whatever this says.
    pub unix_mode: Option<UnixMode>,
}

impl FolderSpec {
    /// A folder of which no more is known.
    pub fn new(name: SafeName) -> Self {
        Self { name, mtime_ms: 0, unix_mode: None }
    }
}

impl DiskStore {
    /// Makes a folder, and those on the way to it, where there are none; says whether it was there before. Its name
    /// survives a power cut.
    ///
    /// Time and mode are given to a folder that this process has made, be it on the way to a file; to any other only if
    /// [`Config::adopt_folders`](crate::Config::adopt_folders) is set. Whatever is made in the folder later changes its
    /// time, so call this when all that it holds is there. A system that does not set them is no obstacle.
    ///
    /// # Errors
    /// `NoFolder` if something else has the name, or one on the way to it; `BadName` in the staging folder; `Denied`, `NoSpace`, `Io`.
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

    /// Gives the folder of the store itself a time and a mode: of a [view](Self::in_folder), the folder that it is of. What
    /// is under way in it would change its time again, so call this last.
    ///
    /// # Errors
    /// `NotFound`, `NoFolder`: what a view is of is not there yet, or is no folder. `Denied`, `Io`: time and mode would not
    /// survive a power cut.
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
