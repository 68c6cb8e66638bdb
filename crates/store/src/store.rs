//! The store: a folder into which files are received and from which they are sent.

use crate::config::{Config, Quota};
use crate::digests::Digests;
use crate::error::{ErrorKind, StoreError};
use crate::fault::Faults;
use crate::ledger::Ledger;
use crate::listing::Budget;
use crate::live::Registry;
use crate::principal::Principal;
use crate::root::Root;
use crate::source::Source;
use crate::strides::Strides;
use crate::sweep::Cursor;
use crate::sys::{Access, Kind};
use bowline_core::transfer::{SafeName, TransferId};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// A folder into which files are received and from which they are sent.
///
/// Clones share one store. Open a folder once per process and clone the store: two stores over one folder take each
/// other for different processes.
///
/// All calls block on the disk; make them where that does no harm.
#[derive(Clone)]
pub struct DiskStore {
    inner: Arc<Inner>,
    principal: Principal,
    /// The folder that names are relative to; `None`: the opened folder.
    folder: Option<SafeName>,
    /// The principal's quota, if it differs from the configuration.
    quota: Option<Quota>,
}

struct Inner {
    root: Root,
    config: Config,
    registry: Arc<Registry>,
    ledger: Arc<Ledger>,
    cursor: Mutex<Cursor>,
    /// The memory used by the listings being sent.
    listings: Arc<Budget>,
    /// The hashing of existing files for comparison.
    strides: Strides,
    digests: Digests,
}

impl DiskStore {
    /// Opens a folder, which must exist. Nothing is written before the first attach, so a read-only folder can be sent
    /// from.
    ///
    /// # Errors
    /// `NotFound` or `NotAFolder` if there is no such folder, `BadName` if the configured staging folder is not a plain
    /// relative path, `Denied`, `Io`.
    pub fn open(dir: &Path, config: Config) -> Result<Self, StoreError> {
        Self::open_with(dir, config, Faults::default())
    }

    pub(crate) fn open_with(dir: &Path, config: Config, faults: Faults) -> Result<Self, StoreError> {
        let root = Root::open(dir, &config, faults)?;
        Ok(Self::over(root, config))
    }

    /// A store over a folder without a path, in the model.
    #[cfg(test)]
    pub(crate) fn within(folder: crate::sys::Folder, config: Config) -> Result<Self, StoreError> {
        let root = Root::within(folder, Path::new("model"), &config, Faults::default())?;
        Ok(Self::over(root, config))
    }

    fn over(root: Root, config: Config) -> Self {
        let (registry, ledger, cursor) = (Arc::default(), Arc::default(), Mutex::default());
        let listings = Arc::new(Budget::new(config.listings));
        let (strides, digests) = Default::default();
        let inner = Arc::new(Inner { root, config, registry, ledger, cursor, listings, strides, digests });
        Self { inner, principal: Principal::default(), folder: None, quota: None }
    }

    /// The same store for this principal: its transfers belong to it, and count for it.
    #[must_use]
    pub fn for_principal(&self, principal: Principal) -> Self {
        Self { principal, ..self.clone() }
    }

    /// A view of the same store in which all names are relative to this folder, which is created with the first file in
    /// it. Nothing outside of it can be named.
    #[must_use]
    pub fn in_folder(&self, folder: SafeName) -> Self {
        Self { folder: Some(folder), ..self.clone() }
    }

    /// The same store, with another quota for its principal than the configured one.
    #[must_use]
    pub fn with_quota(&self, quota: Quota) -> Self {
        Self { quota: Some(quota), ..self.clone() }
    }

    /// The principal that it acts for.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Opens a finished file for sending. Never an unfinished one, and never through a symbolic link.
    ///
    /// # Errors
    /// `NotFound`; `NotAFile` for anything but a regular file; `BadName` in the staging folder; `TooManyOpen`,
    /// `Denied`, `Io`.
    pub fn source(&self, name: &SafeName) -> Result<Source, StoreError> {
        let (root, name) = (self.root(), &self.whole(name)?);
        let at = root.path(name);
        let (folder, meta) = match root.find(name) {
            Ok(found) => found.ok_or_else(|| StoreError::new(ErrorKind::NotFound, &at))?,
            // Something on the way is not a folder, so nothing is beneath it.
            Err(e) if e.kind() == ErrorKind::NoFolder => {
                return Err(StoreError::new(ErrorKind::NotFound, &at));
            }
            Err(e) => return Err(e),
        };
        if meta.kind != Kind::File {
            return Err(StoreError::new(ErrorKind::NotAFile, &at));
        }
        let file = folder.open_file(name.file_name(), Access::Read).map_err(StoreError::at(&at))?;
        Source::from_file(file, at)
    }

    /// The folder that was opened.
    pub fn dir(&self) -> &Path {
        self.root().dir()
    }

    /// How many bytes are free on its disk, if the system reports it.
    pub fn free(&self) -> Option<u64> {
        self.root().free()
    }

    /// How many bytes and files are kept of unfinished transfers, for all principals together. A file in transfer
    /// counts with its whole length, as for the [quota](Quota).
    pub fn unfinished(&self) -> (u64, u64) {
        self.ledger().total(self.root())
    }

    /// Whether something is kept of this unfinished transfer of the principal, even if an earlier process began it.
    /// Only the first look at what is [unfinished](Self::unfinished) blocks on the disk.
    pub fn has_begun(&self, id: TransferId) -> bool {
        self.ledger().has(self.root(), self.principal().key(id))
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What the principal may keep.
    pub fn quota(&self) -> &Quota {
        self.quota.as_ref().unwrap_or(&self.inner.config.quota)
    }

    /// The folder that names are relative to, if not the opened one.
    pub(crate) fn folder(&self) -> Option<&SafeName> {
        self.folder.as_ref()
    }

    /// The name relative to the opened folder.
    pub(crate) fn whole(&self, name: &SafeName) -> Result<SafeName, StoreError> {
        let Some(folder) = &self.folder else { return Ok(name.clone()) };
        let whole = folder.child(name.as_str());
        whole.map_err(|e| StoreError::because(ErrorKind::BadName, &self.root().path(name), e.to_string()))
    }

    pub(crate) fn root(&self) -> &Root {
        &self.inner.root
    }

    pub(crate) fn listings(&self) -> &Arc<Budget> {
        &self.inner.listings
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.inner.registry
    }

    pub(crate) fn ledger(&self) -> &Arc<Ledger> {
        &self.inner.ledger
    }

    pub(crate) fn strides(&self) -> &Strides {
        &self.inner.strides
    }

    pub(crate) fn digests(&self) -> &Digests {
        &self.inner.digests
    }

    pub(crate) fn cursor(&self) -> &Mutex<Cursor> {
        &self.inner.cursor
    }
}

impl fmt::Debug for DiskStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DiskStore").field("dir", &self.dir()).finish_non_exhaustive()
    }
}
