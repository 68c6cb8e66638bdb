//! The served folder, and how to get through it.
//!
//! ```text
//! served/holiday/beach.jpg        a finished file, under the name that its sender gave it
//! served/.bowline/3f/3f8a….part   bytes of a file under way; the name is the id, known to the two ends only
//! served/.bowline/3f/3f8a….jnl    its journal
//! ```

use crate::config::{Config, Durability};
use crate::error::{ErrorKind, StoreError};
use crate::fault::{Faults, Op};
use crate::journal::Record;
use crate::live::lock;
use crate::slots::Slots;
use crate::sys::{self, File, Folder, Meta};
use bowline_core::transfer::SafeName;
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The served folder.
#[derive(Debug)]
pub(crate) struct Root {
    folder: Folder,
    path: PathBuf,
    /// The way to the staging folder.
    pub(crate) staging: SafeName,
    durability: Durability,
    pub(crate) faults: Faults,
    /// The staging folder as last found.
    pub(crate) staged: Mutex<Option<(Folder, Meta)>>,
    /// Folders whose own names are durable, by device and inode.
    listed: Mutex<HashSet<(u64, u64)>>,
    /// Folders that were made here.
    made: Mutex<HashSet<(u64, u64)>>,
}

/// How many folders are remembered as durable: more than one upload of many files uses at a time.
const LISTED: usize = 4096;
/// How many folders are remembered as made here: those of a large tree, in 2 MiB.
const MADE: usize = 65_536;

/// The folders on the way to a name.
pub(crate) fn parents(name: &SafeName) -> impl Iterator<Item = &str> {
    let mut parts = name.components();
    parts.next_back();
    parts
}

impl Root {
    pub(crate) fn open(path: &Path, config: &Config, faults: Faults) -> Result<Self, StoreError> {
        let folder = Folder::open(path).map_err(|e| match e.kind() {
            io::ErrorKind::NotADirectory => StoreError::new(ErrorKind::NotAFolder, path),
            _ => StoreError::io(path, e),
        });
        Self::within(folder?, path, config, faults)
    }

    /// The same for a folder that is already open.
    pub(crate) fn within(
        folder: Folder,
        path: &Path,
        config: &Config,
        faults: Faults,
    ) -> Result<Self, StoreError> {
        let staging = config.staging.to_str().map(|name| SafeName::parse(&name.replace('\\', "/")));
        let Some(Ok(staging)) = staging else {
            let why = "the staging folder must be a plain relative path";
            return Err(StoreError::because(ErrorKind::BadName, &config.staging, why));
        };
        let (staged, listed, made) = Default::default();
        let (path, durability) = (path.to_path_buf(), config.fsync);
        Ok(Self { folder, path, staging, durability, faults, staged, listed, made })
    }

    /// The path of the finished file with this name.
    pub(crate) fn path(&self, name: &SafeName) -> PathBuf {
        let mut path = PathBuf::with_capacity(self.path.as_os_str().len() + 1 + name.as_str().len());
        path.push(&self.path);
        path.extend(name.components());
        path
    }

    /// The folder whose permissions are to blame if something in staging is not permitted.
    pub(crate) fn staging_or_root(&self) -> &str {
        let first = self.staging.components().next().unwrap_or_default();
        match self.folder.stat(first) {
            Ok(Some(_)) => self.staging.as_str(),
            _ => "",
        }
    }

    /// The folder itself.
    pub(crate) fn dir(&self) -> &Path {
        &self.path
    }

    /// Whether the folder is no longer where it was opened.
    pub(crate) fn is_gone(&self) -> bool {
        let there = Folder::open(&self.path).and_then(|there| there.meta());
        !matches!((there, self.folder.meta()), (Ok(there), Ok(ours)) if there.is_same_inode(&ours))
    }

    pub(crate) fn free(&self) -> Option<u64> {
        self.folder.free()
    }

    // Finished files.

    /// The folder of a name and what has the name; `None` if nothing has.
    pub(crate) fn find(&self, name: &SafeName) -> Result<Option<(Folder, Meta)>, StoreError> {
        let Some(folder) = self.find_parent(name)? else { return Ok(None) };
        let meta = folder.stat(name.file_name()).map_err(StoreError::at(&self.path(name)))?;
        Ok(meta.map(|meta| (folder, meta)))
    }

    /// The folder for a name, if it exists.
    pub(crate) fn find_parent(&self, name: &SafeName) -> Result<Option<Folder>, StoreError> {
        let found = self.walk(name, parents(name), &self.path(name), false)?;
        Ok(found.map(|(folder, _)| folder))
    }

    /// The folder for a name, made if necessary, and durable.
    pub(crate) fn make_parent(&self, name: &SafeName) -> Result<Folder, StoreError> {
        let at = self.path(name);
        let made = self.walk(name, parents(name), &at, true)?;
        made.map(|(folder, _)| folder).ok_or_else(|| StoreError::new(ErrorKind::NotFound, &at))
    }

    /// The folder with this name, made if necessary, and durable; the flag says whether it existed before.
    pub(crate) fn make_folder(&self, name: &SafeName) -> Result<(Folder, bool), StoreError> {
        let at = self.path(name);
        self.walk(name, name.components(), &at, true)?
            .ok_or_else(|| StoreError::new(ErrorKind::NotFound, &at))
    }

    /// The folder with this name, if it exists.
    pub(crate) fn find_folder(&self, name: &SafeName) -> Result<Option<Folder>, StoreError> {
        let found = self.walk(name, name.components(), &self.path(name), false)?;
        Ok(found.map(|(folder, _)| folder))
    }

    /// Descends these components of a name, one at a time, never through a link and never into staging. The flag says
    /// whether the last of them existed before.
    fn walk<'a>(
        &self,
        name: &SafeName,
        parts: impl Iterator<Item = &'a str>,
        at: &Path,
        make: bool,
    ) -> Result<Option<(Folder, bool)>, StoreError> {
        self.check(name)?;
        // Held open, so that its inode is not reused if it is removed meanwhile.
        let held = self.staging_here().map_err(StoreError::at(at))?;
        let staging = held.as_ref().map(|(_, meta)| *meta);
        let mut folder = self.top();
        let mut existed = true;
        for (depth, part) in parts.enumerate() {
            let next = if make {
                self.make(&folder, part, false)
            } else {
                folder.enter(part).map(|folder| (folder, false))
            };
            let (next, made) = match next {
                Ok(next) => next,
                Err(e) if e.kind() == io::ErrorKind::NotFound && !make => return Ok(None),
                Err(e) if e.kind() == io::ErrorKind::NotADirectory => {
                    return Err(StoreError::because(
                        ErrorKind::NoFolder,
                        at,
                        format!("{part} is not a folder"),
                    ));
                }
                Err(e) => {
                    // If the folder exists, it cannot be entered; if not, it cannot be made.
                    let entered = folder.stat(part).is_ok_and(|there| there.is_some());
                    let denied: Vec<_> = name.components().take(depth + usize::from(entered)).collect();
                    return Err(StoreError::io(at, e).within(&denied.join("/")));
                }
            };
            let meta = next.meta().map_err(StoreError::at(at))?;
            // Staging by another spelling, on a file system that folds case or drops invisible characters.
            if cfg!(unix) && staging.is_some_and(|staging| meta.is_same_inode(&staging)) {
                return Err(StoreError::new(ErrorKind::BadName, at));
            }
            if make {
                self.list(&folder, &meta).map_err(StoreError::at(at))?;
            }
            (folder, existed) = (next, !made);
        }
        Ok(Some((folder, existed)))
    }

    /// The staging folder, if it exists and can be examined. Without it another spelling of its name cannot be
    /// recognised, so a process that cannot open files must not continue as if it did not exist.
    pub(crate) fn staging_here(&self) -> io::Result<Option<(Folder, Meta)>> {
        match self.find_staging() {
            Err(e) if sys::is_too_many_open(&e) => Err(e),
            found => Ok(found.ok()),
        }
    }

    /// Refuses names that lead to staging or into it.
    pub(crate) fn check(&self, name: &SafeName) -> Result<(), StoreError> {
        let mut parts = name.components();
        let within = self
            .staging
            .components()
            .all(|own| parts.next().is_some_and(|part| part.eq_ignore_ascii_case(own)));
        if within { Err(StoreError::new(ErrorKind::BadName, &self.path(name))) } else { Ok(()) }
    }

    // Making durable.

    /// Makes the bytes of a file survive a power cut.
    pub(crate) fn sync_data(&self, file: &File) -> io::Result<()> {
        if self.durability == Durability::None {
            return Ok(());
        }
        self.faults.sync(Op::SyncData, || sys::meta(file), || file.sync_data())
    }

    /// The same, including the times of the file.
    pub(crate) fn sync_all(&self, file: &File) -> io::Result<()> {
        if self.durability == Durability::None {
            return Ok(());
        }
        self.faults.sync(Op::SyncData, || sys::meta(file), || file.sync_all())
    }

    pub(crate) fn sync_slots(&self, slots: &Slots) -> io::Result<()> {
        if self.durability == Durability::None { Ok(()) } else { slots.sync(&self.faults) }
    }

    pub(crate) fn confirm_slots(&self, slots: &Slots, record: &Record) -> io::Result<()> {
        if self.durability == Durability::None { Ok(()) } else { slots.confirm(&self.faults, record) }
    }

    pub(crate) fn sync_folder(&self, folder: &Folder) -> io::Result<()> {
        if self.durability == Durability::None {
            return Ok(());
        }
        self.faults.sync(Op::SyncFolder, || folder.meta(), || folder.sync())
    }

    /// Opens a folder in `folder`, making it if necessary; the flag says whether it was made.
    pub(crate) fn make(&self, folder: &Folder, part: &str, private: bool) -> io::Result<(Folder, bool)> {
        match folder.enter(part) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            folder => return folder.map(|folder| (folder, false)),
        }
        self.faults.before(Op::Create)?;
        let (inner, made) = folder.create(part, private)?;
        if made {
            let key = key(&inner.meta()?);
            // Its inode may be that of a removed folder.
            lock(&self.listed).remove(&key);
            let mut ours = lock(&self.made);
            if ours.len() == MADE {
                ours.clear();
            }
            ours.insert(key);
        }
        Ok((inner, made))
    }

    /// Whether this process has made a folder. If there are too many, all are forgotten.
    pub(crate) fn has_made(&self, folder: &Meta) -> bool {
        lock(&self.made).contains(&key(folder))
    }

    /// Makes the name of a folder survive a power cut, whoever made it.
    fn list(&self, parent: &Folder, inner: &Meta) -> io::Result<()> {
        if lock(&self.listed).contains(&key(inner)) {
            return Ok(());
        }
        self.sync_folder(parent)?;
        let mut listed = lock(&self.listed);
        if listed.len() == LISTED {
            listed.clear();
        }
        listed.insert(key(inner));
        Ok(())
    }

    /// The served folder.
    pub(crate) fn top(&self) -> Folder {
        self.folder.clone()
    }
}

fn key(meta: &Meta) -> (u64, u64) {
    (meta.id.dev, meta.id.ino)
}
