//! Everything in a folder, one entry after the other, in an order that does not depend on the disk.
//!
//! No symbolic link is followed: a walk stays beneath the folder in which it began, whatever is renamed meanwhile. It
//! remembers the names in the folders that it is in, and nothing about those that it has left. However deep it is, it
//! keeps only a few of them open.

use crate::error::{ErrorKind, StoreError};
use crate::store::DiskStore;
use crate::sys::{Folder, Kind, Meta};
use bowline_core::transfer::listing::Entry;
use bowline_core::transfer::{self, NameError, SafeName, UnixMode};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::{fmt, io, vec};

/// How many of the innermost folders are kept open: few, since others need to open files too, and enough that the walk
/// seldom returns to a folder that it has closed.
const OPEN: usize = 4;

/// What a [`Walk`] finds.
#[derive(Debug)]
pub enum Found {
    /// A file.
    File(Entry),
    /// A folder; its contents come next.
    Folder(Entry),
    /// All contents of this folder have been returned.
    End(SafeName),
    /// Something that cannot be sent.
    LeftOut {
        /// Its path, relative to the beginning of the walk.
        path: PathBuf,
        /// Why.
        why: LeftOut,
    },
}

/// Why something in a folder is not sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum LeftOut {
    /// A link, which leads elsewhere.
    Link,
    /// A device, a socket, a pipe.
    Special,
    /// The folder in which this or another store keeps unfinished files.
    Staging,
    /// It has the name of that folder, and is something else.
    Reserved,
    /// Its name is not allowed on every system.
    Name(NameError),
    /// It was moved or removed after its folder had been read.
    Vanished,
    /// The system does not let us examine it.
    Unreadable(StoreError),
}

impl LeftOut {
    /// Whether it could never be sent, so that nobody expects it.
    pub fn is_by_nature(&self) -> bool {
        matches!(self, Self::Link | Self::Special | Self::Staging)
    }

    /// Whether it can be examined as soon as fewer files are open.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreadable(error) if error.kind() == ErrorKind::TooManyOpen)
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link => f.write_str("a symbolic link"),
            Self::Special => f.write_str("neither a file nor a folder"),
            Self::Staging => f.write_str("files under way"),
            Self::Reserved => f.write_str("the name is reserved for files under way"),
            Self::Name(error) => error.fmt(f),
            Self::Vanished => f.write_str("it was moved or removed meanwhile"),
            Self::Unreadable(error) => f.write_str(&error.reason()),
        }
    }
}

/// Everything in a folder. See [`DiskStore::walk`].
pub struct Walk {
    store: DiskStore,
    /// The beginning, relative to the store.
    from: Option<SafeName>,
    staging: Option<Meta>,
    beginning: Folder,
    meta: Meta,
    /// The folders that the walk is in.
    levels: Vec<Level>,
    /// What was last left out, and what to examine again, both in the innermost folder.
    left_out: Option<OsString>,
    again: Option<OsString>,
}

struct Level {
    /// `None` while the walk is far below it.
    folder: Option<Folder>,
    /// Relative to the beginning, which has none itself.
    name: Option<SafeName>,
    left: vec::IntoIter<OsString>,
}

impl DiskStore {
    /// Walks through a folder of the store, or through all of it: the entries of each folder in the order of the bytes
    /// of their names, each folder followed by its contents. Names are relative to the beginning.
    ///
    /// # Errors
    /// `NotFound`; `NotAFolder` if the name refers to something else; `BadName` in the staging folder; `TooManyOpen`,
    /// `Denied`, `Io`.
    pub fn walk(&self, from: Option<&SafeName>) -> Result<Walk, StoreError> {
        let root = self.root();
        let from = from.map(|name| self.whole(name)).transpose()?.or_else(|| self.folder().cloned());
        let from = from.as_ref();
        let at = from.map_or_else(|| root.dir().to_owned(), |name| root.path(name));
        let folder = match from {
            None => root.top(),
            Some(name) => match root.find_folder(name) {
                Ok(found) => found.ok_or_else(|| StoreError::new(ErrorKind::NotFound, &at))?,
                Err(e) if e.kind() == ErrorKind::NoFolder => {
                    return Err(StoreError::new(ErrorKind::NotAFolder, &at));
                }
                Err(e) => return Err(e),
            },
        };
        let meta = folder.meta().map_err(StoreError::at(&at))?;
        let first = Level::read(folder.clone(), None).map_err(StoreError::at(&at))?;
        let staging = root.staging_here().map_err(StoreError::at(&at))?.map(|(_, meta)| meta);
        Ok(Walk {
            store: self.clone(),
            from: from.cloned(),
            staging,
            beginning: folder,
            meta,
            levels: vec![first],
            left_out: None,
            again: None,
        })
    }
}

impl Level {
    fn read(folder: Folder, name: Option<SafeName>) -> io::Result<Self> {
        let entries = in_order(folder.entries()?);
        Ok(Self { folder: Some(folder), name, left: entries.into_iter() })
    }

    /// The folder. If it was closed, it is found again by its name, beneath this beginning and not through links.
    fn open(&mut self, beginning: &Folder) -> io::Result<Folder> {
        if let Some(folder) = &self.folder {
            return Ok(folder.clone());
        }
        let mut parts = self.name.iter().flat_map(SafeName::components);
        let folder = parts.try_fold(beginning.clone(), |folder, part| folder.enter(part))?;
        self.folder = Some(folder.clone());
        Ok(folder)
    }
}

impl Walk {
    /// When the folder in which the walk began was last changed, in milliseconds since 1970.
    pub fn mtime_ms(&self) -> i64 {
        self.meta.mtime_ms()
    }

    /// The permissions of that folder, if the system has them.
    pub fn unix_mode(&self) -> Option<UnixMode> {
        self.meta.mode
    }

    /// Examines again what was just [left out](Found::LeftOut): the walk returns it next. After a while it may be
    /// possible to open a folder that could not be opened [because of others](LeftOut::is_passing).
    pub fn look_again(&mut self) {
        self.again = self.left_out.take();
    }

    /// Examines a name in the innermost folder; a folder is returned with its contents.
    fn look(&mut self, part: &OsStr) -> Result<(Entry, Option<Level>), LeftOut> {
        let level = self.levels.last_mut().ok_or(LeftOut::Vanished)?;
        let opened = level.open(&self.beginning);
        let at = path(level.name.as_ref()).join(part);
        let unreadable = |e| LeftOut::Unreadable(StoreError::io(&at, e));
        let folder = opened.map_err(|e| match e.kind() {
            // Its contents may be somewhere else by now.
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                let why = "its folder was moved or removed meanwhile";
                LeftOut::Unreadable(StoreError::because(ErrorKind::NotFound, &at, why))
            }
            _ => unreadable(e),
        })?;
        let meta = folder.stat(part).map_err(unreadable)?.ok_or(LeftOut::Vanished)?;
        // Regardless of its name.
        match meta.kind {
            Kind::Link => return Err(LeftOut::Link),
            Kind::Other => return Err(LeftOut::Special),
            Kind::File | Kind::Folder => {}
        }
        let part = part.to_str().ok_or(LeftOut::Name(NameError::NotUtf8))?;
        let name = level.name.as_ref().map_or_else(|| SafeName::parse(part), |folder| folder.child(part));
        let name = name.map_err(LeftOut::Name)?;
        let whole = self.from.as_ref().map_or_else(|| Ok(name.clone()), |from| from.child(name.as_str()));
        let whole = whole.map_err(LeftOut::Name)?;
        let ours = self.staging.is_some_and(|staging| cfg!(unix) && staging.is_same_inode(&meta));
        let is_folder = meta.kind == Kind::Folder;
        if ours || self.store.root().check(&whole).is_err() {
            return Err(if is_folder { LeftOut::Staging } else { LeftOut::Reserved });
        }
        let entry = Entry {
            name: name.clone(),
            kind: if is_folder { transfer::Kind::Folder } else { transfer::Kind::File },
            length: if is_folder { 0 } else { meta.id.len },
            mtime_ms: meta.mtime_ms(),
            unix_mode: meta.mode,
        };
        if !is_folder {
            return Ok((entry, None));
        }
        match folder.enter(part).and_then(|folder| Level::read(folder, Some(name))) {
            Ok(inner) => Ok((entry, Some(inner))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Err(LeftOut::Vanished),
            // Something else has its place by now.
            Err(e) if e.kind() == io::ErrorKind::NotADirectory => Err(LeftOut::Special),
            Err(e) => Err(unreadable(e)),
        }
    }
}

/// The names in the order of a walk, each once: a system may return one twice if its folder changes meanwhile.
fn in_order(mut names: Vec<OsString>) -> Vec<OsString> {
    names.sort_unstable();
    names.dedup();
    names
}

fn path(name: Option<&SafeName>) -> PathBuf {
    name.map_or_else(PathBuf::new, |name| PathBuf::from(name.as_str()))
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        let level = self.levels.last_mut()?;
        self.left_out = None;
        let Some(part) = self.again.take().or_else(|| level.left.next()) else {
            return self.levels.pop()?.name.map(Found::End);
        };
        Some(match self.look(&part) {
            Ok((entry, None)) => Found::File(entry),
            Ok((entry, Some(inner))) => {
                self.levels.push(inner);
                if let Some(outer) = self.levels.iter_mut().nth_back(OPEN) {
                    outer.folder = None;
                }
                Found::Folder(entry)
            }
            Err(why) => {
                let path = path(self.levels.last()?.name.as_ref()).join(&part);
                self.left_out = Some(part);
                Found::LeftOut { path, why }
            }
        })
    }
}

impl fmt::Debug for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("from", &self.from)
            .field("depth", &self.levels.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_the_system_repeats_is_found_once() {
        let names = ["b", "a", "c", "a", "b"].map(OsString::from);
        assert_eq!(in_order(names.into()), ["a", "b", "c"]);
    }

    #[test]
    fn a_deep_walk_holds_few_folders_open() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::create_dir_all(dir.path().join(vec!["m"; 60].join("/"))).expect("made");
        let store = DiskStore::open(dir.path(), crate::Config::default()).expect("a store");
        let (mut walk, mut deepest, mut most) = (store.walk(None).expect("a folder"), 0, 0);
        while walk.next().is_some() {
            deepest = deepest.max(walk.levels.len());
            most = most.max(walk.levels.iter().filter(|level| level.folder.is_some()).count());
        }
        assert_eq!((deepest, most), (61, OPEN));
    }
}
