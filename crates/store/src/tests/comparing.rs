//! A file with the same name as an offered one that changes while it is hashed.

use super::*;
use crate::fault::held_clock;
use crate::strides::STRIDE;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, symlink};

/// Changes a file at one of the strides in which it is hashed.
struct Changes {
    path: Mutex<PathBuf>,
    /// How many strides are left until then.
    left: Mutex<usize>,
    change: fn(&File) -> io::Result<()>,
}

impl Disk for Changes {
    fn before(&self, op: Op) -> io::Result<()> {
        let mut left = self.left.lock().expect("no panic");
        if op == Op::Hash && *left == 1 {
            let file = File::options().write(true).open(&*self.path.lock().expect("no panic"))?;
            (self.change)(&file)?;
        }
        *left = left.saturating_sub(usize::from(op == Op::Hash));
        Ok(())
    }
}

/// A store in which a file of this length is changed at this stride.
fn changing(len: u64, stride: usize, change: fn(&File) -> io::Result<()>) -> Rig {
    let disk = Arc::new(Changes { path: Mutex::default(), left: Mutex::new(stride), change });
    let rig = Rig::on(disk.clone(), |_| {});
    let file = File::create(rig.path("a")).expect("made");
    file.set_len(len).and_then(|()| file.set_modified(day(0))).expect("a sparse file of old");
    *disk.path.lock().expect("no panic") = rig.path("a");
    rig
}

#[test]
fn a_file_that_changes_in_its_last_stride_counts_as_another() {
    let rig = changing(3, 1, |file| file.write_all_at(b"xyz", 0));
    let error = rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0)).expect_err("changed");
    assert_eq!(error.kind(), ErrorKind::Exists);
    assert!(error.reason().contains("it changed while it was being compared"), "{error}");
}

#[test]
fn nothing_is_remembered_of_a_file_that_was_touched_meanwhile() {
    // Somebody changes it behind the first stride, and restores its time.
    let rig = changing(STRIDE + 1, 2, |file| {
        file.write_all_at(b"x", 0)?;
        file.set_modified(day(0))
    });
    held_clock::set(SystemTime::now() + Duration::from_secs(3600));
    let spec = spec("a", STRIDE as usize + 1);
    let look = || rig.store.attach(id(1), &spec, attach(0, ALICE), day(0)).expect("compared");
    look();
    let Attached::Present { digest: found, .. } = look() else { panic!("it is there") };
    assert_eq!(found, digest(&rig.read("a")), "of what is there by now");
}

#[test]
fn a_link_that_has_the_name_is_not_compared() {
    let rig = Rig::new();
    fs::write(rig.path("yy"), "ab").expect("written");
    symlink("yy", rig.path("a")).expect("linked");
    // As long as the link.
    let taken = rig.store.attach(id(1), &spec("a", 2), attach(0, ALICE), day(0));
    assert_eq!(kind(taken), ErrorKind::Exists);
}

#[test]
#[cfg(not(target_vendor = "apple"))]
fn a_pipe_is_not_taken_for_an_empty_file() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    script.fail(Op::Place, io::ErrorKind::InvalidData);
    assert_eq!(kind(rig.begin(1, &spec("a", 0)).commit(0, digest(b""))), ErrorKind::Io);
    fs::remove_file(rig.path(&part(&rig))).expect("lost");
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, rig.path("a"), rustix::fs::FileType::Fifo, mode, 0).expect("a pipe");
    let again = rig.store.attach(id(1), &spec("a", 0), attach(0, ALICE), day(0));
    assert_eq!(kind(again), ErrorKind::InTheWay);
}
