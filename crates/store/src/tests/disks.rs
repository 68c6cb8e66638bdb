//! A name on another disk than staging.

use super::*;
use crate::space::Volume;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A disk of its own in a folder of the store.
#[derive(Default)]
struct Mounted {
    /// The inode of the folder.
    far: AtomicU64,
    /// How many bytes are free there.
    free: AtomicU64,
    script: Script,
}

impl Disk for Mounted {
    fn before(&self, op: Op) -> io::Result<()> {
        self.script.before(op)
    }

    fn volume(&self, folder: &crate::sys::Meta) -> Option<Volume> {
        let is_far = folder.id.ino == self.far.load(Relaxed);
        is_far.then(|| Volume { number: u64::MAX, free: Some(self.free.load(Relaxed)) })
    }
}

fn mounted(free: u64) -> (Arc<Mounted>, Rig) {
    let disk = Arc::new(Mounted::default());
    let rig = Rig::on(disk.clone(), |_| {});
    let (_, made) = rig.store.root().make_folder(&name("far")).expect("made");
    assert!(!made);
    let far = rig.store.root().find_folder(&name("far")).expect("readable").expect("there");
    disk.far.store(far.meta().expect("a folder").id.ino, Relaxed);
    disk.free.store(free, Relaxed);
    (disk, rig)
}

#[test]
fn room_is_asked_for_where_the_file_goes() {
    let (disk, rig) = mounted(8);
    for file in ["far/a", "far/away/a"] {
        let error = rig.store.attach(id(1), &spec(file, 9), attach(0, ALICE), day(0)).expect_err("full");
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert!(error.to_string().contains("9 bytes are needed, 8 are free"), "{error}");
    }
    rig.begin(2, &spec("near", 9)).detach().expect("there is room");
    disk.free.store(9, Relaxed);
    let mut partial = rig.begin(1, &spec("far/a", 9));
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    // What is already in staging takes room there all the same.
    disk.free.store(8, Relaxed);
    let again = rig.store.attach(id(1), &spec("far/a", 9), attach(0, ALICE), day(0));
    assert_eq!(kind(again), ErrorKind::NoSpace);
}

#[test]
fn bytes_that_are_already_there_need_no_room() {
    let disk = Arc::new(Mounted::default());
    let rig = Rig::on(disk.clone(), |_| {});
    let spec = spec("a", 9);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"abcdef").expect("in order");
    partial.detach().expect("safe");
    let staging = rig.store.root().staging_folder().expect("there").meta().expect("a folder");
    disk.far.store(staging.id.ino, Relaxed);
    disk.free.store(2, Relaxed);
    assert_eq!(kind(rig.store.attach(id(1), &spec, attach(0, ALICE), day(0))), ErrorKind::NoSpace);
    disk.free.store(3, Relaxed);
    open(rig.store.attach(id(1), &spec, attach(0, ALICE), day(0)));
}

#[test]
fn room_is_asked_for_again_before_a_copy() {
    let (disk, rig) = mounted(3);
    let mut partial = rig.begin(1, &spec("far/a", 3));
    partial.write(0, b"abc").expect("in order");
    disk.free.store(2, Relaxed);
    disk.script.fail(Op::Place, io::ErrorKind::CrossesDevices);
    assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::NoSpace);
    assert!(fs::read_dir(rig.path("far")).expect("a folder").next().is_none());
    disk.free.store(3, Relaxed);
    let again = rig.store.attach(id(1), &spec("far/a", 3), attach(0, ALICE), day(0));
    assert!(matches!(again, Ok(Attached::Committed { .. })), "{again:?}");
}

#[test]
fn a_copy_succeeds_on_a_disk_without_modes() {
    let (disk, rig) = mounted(3);
    let mut partial = rig.begin(1, &spec("far/a", 3));
    partial.write(0, b"abc").expect("in order");
    disk.script.fail(Op::Place, io::ErrorKind::CrossesDevices);
    disk.script.fail(Op::Mode, io::ErrorKind::PermissionDenied);
    partial.commit(3, digest(b"abc")).expect("copied");
    assert_eq!(rig.read("far/a"), b"abc");
}

/// A copy is made, and the power fails before it has its name.
fn cut_before_the_name(rig: &Rig, script: &Script) {
    let mut partial = rig.begin(1, &spec("far/a", 3));
    partial.write(0, b"abc").expect("in order");
    script.fail(Op::Place, io::ErrorKind::CrossesDevices);
    script.fail(Op::Place, io::ErrorKind::InvalidData);
    script.fail(Op::Remove, io::ErrorKind::InvalidData);
    partial.commit(3, digest(b"abc")).expect_err("cut");
    assert_eq!(fs::read_dir(rig.path("far")).expect("a folder").count(), 1);
}

#[test]
fn a_copy_left_by_a_power_cut_is_removed_by_the_next_attempt() {
    for crosses in [true, false] {
        let (disk, rig) = mounted(3);
        cut_before_the_name(&rig, &disk.script);
        if crosses {
            disk.script.fail(Op::Place, io::ErrorKind::CrossesDevices);
        }
        let again = rig.store.attach(id(1), &spec("far/a", 3), attach(0, ALICE), day(0));
        assert!(matches!(again, Ok(Attached::Committed { .. })), "{again:?}");
        assert_eq!(fs::read_dir(rig.path("far")).expect("a folder").count(), 1);
        assert_eq!(rig.read("far/a"), b"abc");
    }
}

#[test]
fn a_copy_left_by_a_power_cut_is_swept_away() {
    let (disk, rig) = mounted(3);
    cut_before_the_name(&rig, &disk.script);
    fs::write(rig.path("far/a"), "other").expect("written");
    rig.store.sweep(day(8), 10).expect("a folder");
    assert_eq!(files(rig.dir.path()), ["far/a"]);
    assert_eq!(rig.read("far/a"), b"other");
}

/// Puts another file in the place of a copy.
struct Swap {
    path: Mutex<PathBuf>,
    script: Script,
}

impl Disk for Swap {
    fn before(&self, op: Op) -> io::Result<()> {
        let far = self.path.lock().expect("no panic").clone();
        if op == Op::SyncData {
            for copy in fs::read_dir(&far).into_iter().flatten() {
                fs::write(far.with_extension("other"), "half")?;
                fs::rename(far.with_extension("other"), copy?.path())?;
            }
        }
        self.script.before(op)
    }
}

#[test]
fn only_the_copy_itself_gets_the_name() {
    let disk = Arc::new(Swap { path: Mutex::default(), script: Script::default() });
    let rig = Rig::on(disk.clone(), |_| {});
    *disk.path.lock().expect("no panic") = rig.path("far");
    let mut partial = rig.begin(1, &spec("far/a", 3));
    partial.write(0, b"abc").expect("in order");
    disk.script.fail(Op::Place, io::ErrorKind::CrossesDevices);
    assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::Io);
    assert!(!rig.path("far/a").exists());
    assert_eq!(fs::read_dir(rig.path("far")).expect("a folder").count(), 1, "it is not ours to remove");
}

#[test]
fn transfers_whose_ids_begin_alike_are_copied_under_different_names() {
    let mut left = Vec::new();
    for last in [1, 2] {
        let (disk, rig) = mounted(3);
        let mut bytes = [7; 16];
        bytes[15] = last;
        let id = TransferId::from_bytes(bytes);
        let (mut partial, ..) = open(rig.store.attach(id, &spec("far/a", 3), attach(0, ALICE), day(0)));
        partial.write(0, b"abc").expect("in order");
        disk.script.fail(Op::Place, io::ErrorKind::CrossesDevices);
        disk.script.fail(Op::Place, io::ErrorKind::InvalidData);
        disk.script.fail(Op::Remove, io::ErrorKind::InvalidData);
        partial.commit(3, digest(b"abc")).expect_err("cut");
        left.extend(files(&rig.path("far")));
    }
    assert_ne!(left[0], left[1]);
    assert!(left.iter().all(|name| name.len() == ".bowline-.tmp".len() + 32), "{left:?}");
}
