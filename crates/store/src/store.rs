//! The store: a folder that files are received into and sent from.

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

/// A folder that files are received into and sent from.
///
/// Clones share one store. Open a folder once for each process and clone the store: two stores over one folder take
/// each other for different processes.
///
/// All calls block on the disk; make them where that harms nobody.
#[derive(Clone)]
pub struct DiskStore {
    inner: Arc<Inner>,
    principal: Principal,
    /// What all names are in; `None`: in the folder that was opened.
    folder: Option<SafeName>,
    /// What the principal may keep, if not what the configuration says.
    quota: Option<Quota>,
}

struct Inner {
    root: Root,
    config: Config,
    registry: Arc<Registry>,
    ledger: Arc<Ledger>,
    cursor: Mutex<Cursor>,
    /// What the listings hold that are being sent.
    listings: Arc<Budget>,
    /// Files that are hashed to be compared.
    strides: Strides,
    digests: Digests,
}

impl DiskStore {
    /// Opens a folder. Nothing is written before the first attach, so a read-only folder can be sent from.
    ///
    /// # Errors
    /// `NotFound` or `NotAFolder` if there is no such folder, `BadName` if the staging folder of the configuration is
    /// no plain relative path, `Denied`, `Io`.
    pub fn open(dir: &Path, config: Config) -> Result<Self, StoreError> {
        Self::open_with(dir, config, Faults::default())
    }

    pub(crate) fn open_with(dir: &Path, config: Config, faults: Faults) -> Result<Self, StoreError> {
        let root = Root::open(dir, &config, faults)?;
        Ok(Self::over(root, config))
    }

    /// A store over a folder that is no path: of a model.
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

    /// The same store, in the hands of this principal: what it attaches to is bound to it, and counts for it.
    #[must_use]
    pub fn for_principal(&self, principal: Principal) -> Self {
        Self { principal, ..self.clone() }
    }

    /// The same store, but whatever is named is in this folder of it, which comes to be with the first file in it.
    /// Nothing outside of it can be named.
    #[must_use]
    pub fn in_folder(&self, folder: SafeName) -> Self {
        Self { folder: Some(folder), ..self.clone() }
    }

    /// The same store, with a quota for its principal that is not that of the configuration.
    #[must_use]
    pub fn with_quota(&self, quota: Quota) -> Self {
        Self { quota: Some(quota), ..self.clone() }
    }

    /// Whose hands it is in.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Opens a finished file, to be sent. Never one under way, and never through a symbolic link.
    ///
    /// # Errors
    /// `NotFound`; `NotAFile` for anything but a regular file; `BadName` in the staging folder; `TooManyOpen`, `Denied`, `Io`.
    pub fn source(&self, name: &SafeName) -> Result<Source, StoreError> {
        let (root, name) = (self.root(), &self.whole(name)?);
        let at = root.path(name);
        let (folder, meta) = match root.find(name) {
            Ok(found) => found.ok_or_else(|| StoreError::new(ErrorKind::NotFound, &at))?,
            // Something on the way is no folder, so nothing is beneath it.
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

    /// How many bytes are free on its disk, where the system says so.
    pub fn free(&self) -> Option<u64> {
        self.root().free()
    }

    /// How many bytes and how many files are kept of what is not finished, for all principals together. Of a file under way
    /// its whole length counts, as for the [quota](Quota).
    pub fn unfinished(&self) -> (u64, u64) {
        self.ledger().total(self.root())
    }

    /// Whether something is kept of this transfer of the principal, which is not finished: also if an earlier process has
    /// begun it. Only the first look at what is [unfinished](Self::unfinished) waits for the disk.
    pub fn has_begun(&self, id: TransferId) -> bool {
        self.ledger().has(self.root(), self.principal().key(id))
    }

    /// How the folder is treated.
    pub fn config(&self) -> &Config {
        &self.inner.config
    }

    /// What the principal may keep.
    pub fn quota(&self) -> &Quota {
        self.quota.as_ref().unwrap_or(&self.inner.config.quota)
    }

    /// What all names are in, if not in the folder that was opened.
    pub(crate) fn folder(&self) -> Option<&SafeName> {
        self.folder.as_ref()
    }

    /// The name from the folder that was opened on.
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
