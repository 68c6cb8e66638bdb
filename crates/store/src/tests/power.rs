//! The power goes at every step of every story, and the device keeps as little, or as much, as it may.
//!
//! The model of a device: a synchronised file has its content, a synchronised folder its names. What was not
//! synchronised may be there, may be missing, and may be there in part. Only a rename is all or nothing, as on every
//! file system with a journal; and both names may be left when only one of two folders was synchronised.

use super::*;
use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt as _;

/// The names in a folder: what they stand for, and whether that is a folder.
type Names = BTreeMap<String, (u64, bool)>;

/// A device that loses power after some steps.
struct Device {
    served: PathBuf,
    /// A link to every file that ever was, by inode, so that what was removed can come back.
    attic: PathBuf,
    /// Whether finished files belong on another file system.
    far: bool,
    /// How many journal slots are synchronised before one cannot be: the process dies there, and the power stays.
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
        } else {
            cache.files.insert(ino, stored(&self.attic.join(ino.to_string())));
        }
    }
}

impl Device {
    fn new(base: &Path, story: &Story, steps: usize) -> Self {
        let (served, attic) = (base.join("served"), base.join("attic"));
        fs::create_dir(&served).expect("a folder");
        fs::create_dir(&attic).expect("a folder");
        let cache = Mutex::new(Cache { steps, ..Cache::default() });
        Self { served, attic, far: story.far, dies_after: story.dies_after, cache }
    }

    /// Puts a file there that has been there for long.
    fn put(&self, file: &str, content: &[u8]) {
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
        for (path, _) in folders {
            for (name, (inode, is_folder)) in names(&path) {
                let link = self.attic.join(inode.to_string());
                if !is_folder && !link.exists() {
                    fs::hard_link(path.join(name), link).expect("linked");
                }
            }
        }
    }

    /// Leaves of the served folder what the device has kept; says what there was to lose.
    fn lose_power(&self, kept: Kept) -> Lost {
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
        fs::remove_dir_all(&self.served).expect("removed");
        self.rebuild(&self.served, root, &tree);
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

    fn restore_power(&self) {
        *self.cache.lock().expect("no panic") = Cache { steps: usize::MAX, slots: 1000, ..Cache::default() };
    }

    fn rebuild(&self, path: &Path, folder: u64, tree: &HashMap<u64, Names>) {
        fs::create_dir(path).expect("made");
        for (name, (inode, is_folder)) in tree.get(&folder).into_iter().flatten() {
            if *is_folder {
                self.rebuild(&path.join(name), *inode, tree);
            } else {
                fs::hard_link(self.attic.join(inode.to_string()), path.join(name)).expect("linked");
            }
        }
    }
}

/// What the device has kept of what was not synchronised.
#[derive(Clone, Copy, Debug)]
struct Kept {
    data: Much,
    journal: Much,
    /// The names: all, none, or the old ones beside the new ones.
    names: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Much {
    All,
    Nothing,
    Half,
}

/// What was not synchronised when the power went.
#[derive(Clone, Copy, Debug, Default)]
struct Lost {
    data: bool,
    journal: bool,
    names: bool,
}

impl Kept {
    const ALL: Self = Self { data: Much::All, journal: Much::All, names: Some(true) };

    /// Whether it makes a difference to keeping all.
    fn matters(self, lost: Lost) -> bool {
        (lost.data || self.data == Much::All)
            && (lost.journal || self.journal == Much::All)
            && (lost.names || self.names == Some(true))
    }

    fn all() -> impl Iterator<Item = Self> {
        let much = [Much::All, Much::Nothing, Much::Half];
        let names = [Some(true), Some(false), None];
        much.into_iter().flat_map(move |data| {
            much.into_iter().flat_map(move |journal| names.map(|names| Self { data, journal, names }))
        })
    }
}

/// Takes back what the device has lost of a file; says whether there was anything to lose.
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

/// In memory where there is such a place: these tests write much, and synchronise nothing.
fn fast_folder() -> TempDir {
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

/// The sending side: what it has, and what it was told.
struct Sender {
    spec: Spec,
    data: Vec<u8>,
    mode: Mode,
    seen: u32,
    safe: u64,
    done: bool,
}

impl Sender {
    fn new(file: &str, data: Vec<u8>) -> Self {
        let spec = spec(file, data.len());
        Self { spec, data, mode: Mode::AttachOrCreate, seen: 0, safe: 0, done: false }
    }

    fn attach(&mut self, store: &DiskStore) -> Result<Option<Partial>, StoreError> {
        let attach = Attach { mode: self.mode, epoch_seen: self.seen, owner: ALICE };
        match store.attach(id(0xEE), &self.spec, attach, day(0))? {
            Attached::Partial { partial, durable, prefix, epoch } => {
                assert!(!self.done, "a finished transfer begins again");
                assert!(durable >= self.safe, "{} bytes were safe, {durable} are left", self.safe);
                assert_eq!(prefix, digest(&self.data[..durable as usize]), "{durable} bytes");
                assert!(epoch > self.seen);
                (self.mode, self.seen, self.safe) = (Mode::AttachOrCreate, epoch, durable);
                Ok(Some(partial))
            }
            Attached::Committed { digest: d, .. } | Attached::Present { digest: d, .. } => {
                assert_eq!(d, digest(&self.data));
                self.done = true;
                Ok(None)
            }
        }
    }

    fn write(&self, partial: &mut Partial, bytes: usize) -> Result<(), StoreError> {
        let at = partial.written() as usize;
        let end = self.data.len().min(at + bytes);
        partial.write(at as u64, &self.data[at..end])
    }

    fn flush(&mut self, partial: &mut Partial) -> Result<(), StoreError> {
        self.safe = partial.flush().run()?;
        Ok(())
    }

    fn commit(&mut self, partial: Partial) -> Result<(), StoreError> {
        partial.commit(self.data.len() as u64, digest(&self.data))?;
        self.done = true;
        Ok(())
    }

    fn finish(&mut self, store: &DiskStore) -> Result<(), StoreError> {
        if let Some(mut partial) = self.attach(store)? {
            self.write(&mut partial, usize::MAX / 2)?;
            self.commit(partial)?;
        }
        Ok(())
    }
}

struct Story {
    config: Config,
    /// What stands under the name before.
    before: Option<&'static [u8]>,
    far: bool,
    dies_after: Option<usize>,
    sender: fn() -> Sender,
    tell: fn(&DiskStore, &mut Sender) -> Result<(), StoreError>,
}

impl Story {
    fn new(tell: fn(&DiskStore, &mut Sender) -> Result<(), StoreError>) -> Self {
        let sender = || Sender::new("d/a", content(2 * 65_536 + 30_077));
        Self { config: Config::default(), before: None, far: false, dies_after: None, sender, tell }
    }

    /// Tells the story again and again, a step further each time, up to its end.
    fn survives(&self) {
        for steps in 0.. {
            let (whole, lost) = self.survives_at(steps, Kept::ALL);
            for kept in Kept::all().filter(|kept| kept.matters(lost)) {
                self.survives_at(steps, kept);
            }
            if whole {
                assert!(steps > 3, "the story has steps");
                return;
            }
        }
    }

    /// Whether the story came to its end before the power went, and what was lost.
    fn survives_at(&self, steps: usize, kept: Kept) -> (bool, Lost) {
        let base = fast_folder();
        let device = Arc::new(Device::new(base.path(), self, steps));
        let mut sender = (self.sender)();
        let file = sender.spec.name.as_str().to_owned();
        let path = device.served.join(&file);
        if let Some(before) = self.before {
            device.put(&file, before);
        }
        let store = DiskStore::open_with(&device.served, self.config.clone(), Faults::new(device.clone()))
            .expect("a store");
        let told = (self.tell)(&store, &mut sender);
        drop(store);
        let lost = device.lose_power(kept);
        let case = format!("{steps} steps, {kept:?}, {told:?}");

        // Whoever looks under the name sees a whole file or none, at any time.
        if let Ok(found) = fs::read(&path) {
            assert!(Some(&*found) == self.before || found == sender.data, "half a file: {case}");
        } else {
            assert!(self.before.is_none() && !sender.done, "no file: {case}");
        }
        device.restore_power();
        let store = DiskStore::open_with(&device.served, self.config.clone(), Faults::new(device.clone()))
            .expect("a store");
        sender.finish(&store).unwrap_or_else(|e| panic!("{e}: {case}"));
        assert!(fs::read(&path).expect("the file") == sender.data, "another file: {case}");
        store.sweep(day(1000), 100).expect("swept");
        assert_eq!(files(&device.served), [file], "{case}");
        (told.is_ok(), lost)
    }
}

fn flushed_twice(store: &DiskStore, sender: &mut Sender) -> Result<(), StoreError> {
    let mut partial = sender.attach(store)?.expect("nothing there yet");
    sender.write(&mut partial, 40_000)?;
    sender.flush(&mut partial)?;
    sender.write(&mut partial, 60_000)?;
    sender.write(&mut partial, 40_000)?;
    sender.flush(&mut partial)?;
    sender.write(&mut partial, 100_000)?;
    sender.commit(partial)
}

#[test]
fn a_long_upload_survives() {
    Story::new(flushed_twice).survives();
}

#[test]
fn a_long_upload_without_a_journal_afterwards_survives() {
    let mut story = Story::new(flushed_twice);
    story.config.keep_committed = None;
    story.survives();
}

#[test]
fn a_small_upload_survives() {
    let mut story = Story::new(|store, sender| sender.finish(store));
    story.sender = || Sender::new("a", content(1000));
    story.survives();
}

#[test]
fn a_replacement_survives() {
    let mut story = Story::new(flushed_twice);
    story.config.overwrite = true;
    story.before = Some(b"what was there before");
    story.sender = || Sender::new("a", content(150_000));
    story.survives();
}

#[test]
fn an_upload_to_another_file_system_survives() {
    let mut story = Story::new(flushed_twice);
    story.far = true;
    story.survives();
}

#[test]
fn an_upload_in_many_links_survives() {
    Story::new(|store, sender| {
        let mut first = sender.attach(store)?.expect("nothing there yet");
        sender.write(&mut first, 50_000)?;
        sender.flush(&mut first)?;
        sender.write(&mut first, 50_000)?;
        // Taken over while the first still holds it, then left in order, then found by the next.
        let mut second = sender.attach(store)?.expect("under way");
        assert_eq!(second.written(), 100_000);
        sender.write(&mut second, 60_000)?;
        sender.safe = second.detach()?;
        sender.finish(store)
    })
    .survives();
}

#[test]
fn a_restart_with_another_version_survives() {
    Story::new(|store, sender| {
        let whole = std::mem::replace(&mut sender.data, content(90_000));
        let second = std::mem::replace(&mut sender.spec, spec("d/a", 90_000));
        sender.spec.validator = None;
        let told = (|| {
            let mut partial = sender.attach(store)?.expect("nothing there yet");
            sender.write(&mut partial, 80_000)?;
            sender.flush(&mut partial)
        })();
        // From here on the sender wants the other version, whatever became of the first.
        (sender.data, sender.spec) = (whole.iter().map(|byte| byte ^ 0x55).collect(), second);
        (sender.mode, sender.safe) = (Mode::Restart, 0);
        told?;
        flushed_twice(store, sender)
    })
    .survives();
}

#[test]
fn a_transfer_that_begins_anew_after_its_file_was_removed_survives() {
    Story::new(|store, sender| {
        sender.finish(store)?;
        fs::remove_file(store.dir().join("d/a")).map_err(StoreError::at(store.dir()))?;
        (sender.done, sender.safe) = (false, 0);
        flushed_twice(store, sender)
    })
    .survives();
}

#[test]
fn a_discarded_upload_leaves_nothing_that_matters() {
    Story::new(|store, sender| {
        let mut partial = sender.attach(store)?.expect("nothing there yet");
        sender.write(&mut partial, 80_000)?;
        sender.flush(&mut partial)?;
        sender.safe = 0;
        partial.discard()?;
        flushed_twice(store, sender)
    })
    .survives();
}

#[test]
fn a_crash_before_the_power_cut_takes_no_safe_byte_with_it() {
    let mut story = Story::new(|store, sender| {
        let mut partial = sender.attach(store)?.expect("nothing there yet");
        sender.write(&mut partial, 40_000)?;
        sender.flush(&mut partial)?;
        sender.write(&mut partial, 40_000)?;
        sender.flush(&mut partial)?;
        sender.write(&mut partial, 40_000)?;
        let told = sender.flush(&mut partial);
        drop(partial);
        match told {
            Err(e) if e.io_error().is_some_and(|e| e.kind() == io::ErrorKind::Interrupted) => {}
            told => return told,
        }
        sender.finish(store)
    });
    story.dies_after = Some(3);
    story.survives();
}

#[test]
fn an_upload_into_a_folder_that_somebody_else_has_just_made_survives() {
    Story::new(|store, sender| {
        fs::create_dir(store.dir().join("d")).map_err(StoreError::at(store.dir()))?;
        sender.finish(store)
    })
    .survives();
}
