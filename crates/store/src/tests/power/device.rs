//! A model of a device.
//!
//! A synced file has its content, and a synced folder its names, its time and its mode. Anything not synced may be there
//! completely, partly or not at all. Only a rename is all or nothing, as on every journaling file system; and both names
//! may be left if only one of two folders was synced.

use super::Story;
use crate::fault::{Disk, Op};
use std::collections::{BTreeMap, HashMap};
use std::fs::Permissions;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fs, io};
use tempfile::TempDir;

/// The names in a folder: what they refer to, and whether that is a folder.
type Names = BTreeMap<String, (u64, bool)>;

/// The time and the mode of a folder.
type Dress = (SystemTime, Permissions);

/// A device that loses power after some steps.
pub(super) struct Device {
    pub(super) served: PathBuf,
    /// A link to every file that ever existed, by inode, so that removed files can reappear.
    attic: PathBuf,
    /// Whether finished files belong on another file system.
    far: bool,
    /// How many journal slots are synchronised before a synchronisation fails: the process dies there, and the power
    /// stays on.
    dies_after: Option<usize>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    steps: usize,
    places: usize,
    slots: usize,
    files: HashMap<u64, (Vec<u8>, SystemTime)>,
    folders: HashMap<u64, Names>,
    dresses: HashMap<u64, Dress>,
}

impl Disk for Device {
    fn before(&self, op: Op) -> io::Result<()> {
        let mut cache = self.cache.lock().expect("no panic");
        self.remember(&mut cache);
        cache.steps = cache.steps.checked_sub(1).ok_or(io::ErrorKind::Other)?;
        match op {
            Op::Place => cache.places += 1,
            Op::SyncSlot => cache.slots += 1,
            _ => {}
        }
        if op == Op::SyncSlot && self.dies_after == Some(cache.slots) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let crosses = self.far && op == Op::Place && cache.places % 2 == 1;
        if crosses { Err(io::ErrorKind::CrossesDevices.into()) } else { Ok(()) }
    }

    fn sync(&self, what: crate::sys::Meta) {
        let mut cache = self.cache.lock().expect("no panic");
        self.remember(&mut cache);
        let ino = what.id.ino;
        if let Some((path, _)) = folders(&self.served).into_iter().find(|(_, inode)| *inode == ino) {
            cache.folders.insert(ino, names(&path));
            cache.dresses.insert(ino, dress(&path));
        } else {
            cache.files.insert(ino, stored(&self.attic.join(ino.to_string())));
        }
    }
}

impl Device {
    pub(super) fn new(base: &Path, story: &Story, steps: usize) -> Self {
        let (served, attic) = (base.join("served"), base.join("attic"));
        fs::create_dir(&served).expect("a folder");
        fs::create_dir(&attic).expect("a folder");
        let cache = Mutex::new(Cache { steps, ..Cache::default() });
        Self { served, attic, far: story.far, dies_after: story.dies_after, cache }
    }

    /// Creates a file there that has been there for long.
    pub(super) fn put(&self, file: &str, content: &[u8]) {
        let path = self.served.join(file);
        fs::write(&path, content).expect("written");
        let mut cache = self.cache.lock().expect("no panic");
        self.remember(&mut cache);
        cache.files.insert(inode(&path), stored(&path));
        cache.folders.insert(inode(&self.served), names(&self.served));
    }

    /// Keeps a link to every file.
    fn remember(&self, cache: &mut Cache) {
        let folders = folders(&self.served);
        cache.folders.retain(|inode, _| folders.iter().any(|(_, there)| there == inode));
        cache.dresses.retain(|inode, _| folders.iter().any(|(_, there)| there == inode));
        for (path, _) in folders {
            for (name, (inode, is_folder)) in names(&path) {
                let link = self.attic.join(inode.to_string());
                if !is_folder && !link.exists() {
                    fs::hard_link(path.join(name), link).expect("linked");
                }
            }
        }
    }

    /// Reduces the served folder to what the device has kept; returns what there was to lose.
    pub(super) fn lose_power(&self, kept: Kept) -> Lost {
        let mut lost = Lost::default();
        let mut cache = self.cache.lock().expect("no panic");
        self.remember(&mut cache);
        let root = inode(&self.served);
        let cached: HashMap<u64, Names> =
            folders(&self.served).into_iter().map(|(path, inode)| (inode, names(&path))).collect();
        let mut tree = HashMap::new();
        for inode in cached.keys().chain(cache.folders.keys()).copied() {
            let (new, old) = (cached.get(&inode).cloned(), cache.folders.get(&inode).cloned());
            let (new, old) = (new.unwrap_or_default(), old.unwrap_or_default());
            lost.names |= new != old;
            tree.insert(
                inode,
                match kept.names {
                    Some(true) => new,
                    Some(false) => old,
                    None => old.into_iter().chain(new).collect(),
                },
            );
        }
        if kept.names == Some(true) {
            cache.dresses =
                folders(&self.served).into_iter().map(|(path, inode)| (inode, dress(&path))).collect();
        }
        fs::remove_dir_all(&self.served).expect("removed");
        self.rebuild(&self.served, root, &tree, &cache.dresses);
        for (path, _) in folders(&self.served) {
            for (name, (inode, is_folder)) in names(&path) {
                let journal = Path::new(&name).extension().is_some_and(|end| end == "jnl");
                if !is_folder {
                    let how = if journal { kept.journal } else { kept.data };
                    let changed = restore(&path.join(name), cache.files.get(&inode), how, journal);
                    lost.journal |= changed && journal;
                    lost.data |= changed && !journal;
                }
            }
        }
        lost
    }

    pub(super) fn restore_power(&self) {
        *self.cache.lock().expect("no panic") = Cache { steps: usize::MAX, slots: 1000, ..Cache::default() };
    }

    fn rebuild(&self, path: &Path, folder: u64, tree: &HashMap<u64, Names>, dresses: &HashMap<u64, Dress>) {
        fs::create_dir(path).expect("made");
        for (name, (inode, is_folder)) in tree.get(&folder).into_iter().flatten() {
            if *is_folder {
                self.rebuild(&path.join(name), *inode, tree, dresses);
            } else {
                fs::hard_link(self.attic.join(inode.to_string()), path.join(name)).expect("linked");
            }
        }
        if let Some((time, mode)) = dresses.get(&folder) {
            let dressed = fs::set_permissions(path, mode.clone());
            dressed.and_then(|()| fs::File::open(path)?.set_modified(*time)).expect("set");
        }
    }
}

/// What the device has kept of what was not synchronised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub(super) data: Much,
    pub(super) journal: Much,
    /// The names: all, none, or the old ones together with the new ones. Times and modes of folders: all, or none.
    pub(super) names: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Much {
    All,
    Nothing,
    Half,
}

/// What was not synchronised when the power failed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lost {
    data: bool,
    journal: bool,
    names: bool,
}

impl Kept {
    pub(super) const ALL: Self = Self { data: Much::All, journal: Much::All, names: Some(true) };
    pub(super) const NOTHING: Self = Self { data: Much::Nothing, journal: Much::Nothing, names: Some(false) };

    /// Whether this differs from keeping everything.
    pub(super) fn matters(self, lost: Lost) -> bool {
        (lost.data || self.data == Much::All)
            && (lost.journal || self.journal == Much::All)
            && (lost.names || self.names == Some(true))
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        let much = [Much::All, Much::Nothing, Much::Half];
        let names = [Some(true), Some(false), None];
        much.into_iter().flat_map(move |data| {
            much.into_iter().flat_map(move |journal| names.map(|names| Self { data, journal, names }))
        })
    }
}

/// Removes what the device has lost of a file; returns whether there was anything to lose.
fn restore(path: &Path, synced: Option<&(Vec<u8>, SystemTime)>, how: Much, journal: bool) -> bool {
    let (old, time) = synced.cloned().unwrap_or((Vec::new(), UNIX_EPOCH));
    let (mut new, _) = stored(path);
    if how == Much::All {
        return new != old;
    }
    if how == Much::Nothing {
        new = old;
    } else if journal {
        // Of the bytes of each slot that differ, the first half has been written.
        let mut old = old;
        old.resize(old.len().max(new.len()), 0);
        for start in (0..new.len()).step_by(crate::journal::SLOT) {
            let end = new.len().min(start + crate::journal::SLOT);
            let differ: Vec<_> = (start..end).filter(|at| new[*at] != old[*at]).collect();
            let middle = differ.get(differ.len() / 2).copied().unwrap_or(end);
            new[middle..end].copy_from_slice(&old[middle..end]);
        }
    } else {
        // The length is the new one; of the bytes that were added, half are zero.
        let middle = old.len().min(new.len()).midpoint(new.len());
        new[middle..].fill(0);
    }
    fs::write(path, new).expect("written");
    fs::File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("set");
    true
}

fn dress(folder: &Path) -> Dress {
    let meta = fs::metadata(folder).expect("there");
    (meta.modified().expect("a time"), meta.permissions())
}

/// In memory where possible: these tests write a lot, and synchronise nothing.
pub(in crate::tests) fn fast_folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn stored(path: &Path) -> (Vec<u8>, SystemTime) {
    let time = fs::metadata(path).and_then(|meta| meta.modified()).expect("a time");
    (fs::read(path).expect("a file"), time)
}

fn inode(path: &Path) -> u64 {
    fs::metadata(path).expect("there").ino()
}

fn names(folder: &Path) -> Names {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    entries
        .map(|entry| {
            let meta = entry.metadata().expect("there");
            (entry.file_name().into_string().expect("UTF-8"), (meta.ino(), meta.is_dir()))
        })
        .collect()
}

/// Every folder beneath one, itself included, with its inode.
fn folders(root: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = vec![(root.to_path_buf(), inode(root))];
    let mut at = 0;
    while let Some((path, _)) = found.get(at).cloned() {
        let inner = names(&path).into_iter().filter(|(_, (_, is_folder))| *is_folder);
        found.extend(inner.map(|(name, (inode, _))| (path.join(name), inode)));
        at += 1;
    }
    found
}
