//! A name on another disk than that of staging.

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
    // What is in staging already takes room there all the same.
    disk.free.store(8, Relaxed);
    let again = rig.store.attach(id(1), &spec("far/a", 9), attach(0, ALICE), day(0));
    assert_eq!(kind(again), ErrorKind::NoSpace);
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
