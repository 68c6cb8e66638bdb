//! Two threads at once, in an order forced by a disk that lets the other one go first.

use super::*;
use std::sync::mpsc;
use std::thread;

/// Runs a flush while the commit gives the file its name.
struct FlushesLate {
    flush: Mutex<Option<crate::Flush>>,
    result: Mutex<Option<mpsc::Receiver<Result<u64, StoreError>>>>,
}

impl Disk for FlushesLate {
    fn before(&self, op: Op) -> io::Result<()> {
        let flush = self.flush.lock().expect("no panic").take_if(|_| op == Op::Place);
        if let Some(flush) = flush {
            let (tell, told) = mpsc::channel();
            thread::spawn(move || tell.send(flush.run()));
            // It can answer only when the commit has ended. This only gives it time to answer before.
            if let Ok(early) = told.recv_timeout(Duration::from_millis(50)) {
                panic!("answered too early: {early:?}");
            }
            *self.result.lock().expect("no panic") = Some(told);
        }
        Ok(())
    }
}

#[test]
fn a_flush_during_the_commit_is_answered_by_it() {
    let disk = Arc::new(FlushesLate { flush: Mutex::default(), result: Mutex::default() });
    let rig = Rig::on(disk.clone(), |_| {});
    let mut partial = rig.begin(1, &spec("a", 3));
    partial.write(0, b"abc").expect("in order");
    *disk.flush.lock().expect("no panic") = Some(partial.flush());
    partial.commit(3, digest(b"abc")).expect("whole");
    let told = disk.result.lock().expect("no panic").take().expect("it was run");
    assert_eq!(told.recv().expect("an answer").expect("safe"), 3);
}

/// Lets another process run between the check for a journal and its creation.
struct Overtaken {
    dir: PathBuf,
    once: Mutex<bool>,
}

impl Disk for Overtaken {
    fn before(&self, op: Op) -> io::Result<()> {
        let first = op == Op::Create && !std::mem::replace(&mut *self.once.lock().expect("no panic"), true);
        if first {
            let other = DiskStore::open(&self.dir, Config::default()).expect("a store");
            let (mut partial, ..) = open(other.attach(id(1), &spec("a", 3), attach(0, BOB), day(0)));
            partial.write(0, b"ab").expect("in order");
            partial.detach().expect("safe");
        }
        Ok(())
    }
}

#[test]
fn a_journal_that_another_process_made_meanwhile_is_not_overwritten() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Overtaken { dir: dir.path().into(), once: Mutex::default() };
    let store = DiskStore::open_with(dir.path(), Config::default(), Faults::new(Arc::new(disk)));
    let store = store.expect("a store");
    assert_eq!(kind(store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0))), ErrorKind::Busy);
    assert_eq!(open(store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0))).1, 2);
}

/// Fails a sync, but only after another holder has begun to take over.
#[derive(Default)]
struct FailsLate {
    old: Mutex<Option<(DiskStore, Partial)>>,
    taken: Mutex<Option<thread::JoinHandle<Result<Attached, StoreError>>>>,
}

impl Disk for FailsLate {
    fn before(&self, op: Op) -> io::Result<()> {
        let old = self.old.lock().expect("no panic").take_if(|_| op == Op::SyncData);
        let Some((store, mut old)) = old else { return Ok(()) };
        let attaching = thread::spawn(move || store.attach(id(1), &spec("a", 9), attach(0, BOB), day(0)));
        // The fence is set before the other one waits for us to end.
        while old.write(0, b"").err().is_none_or(|e| e.kind() != ErrorKind::Fenced) {
            thread::yield_now();
        }
        *self.taken.lock().expect("no panic") = Some(attaching);
        Err(io::ErrorKind::InvalidData.into())
    }
}

#[test]
fn a_synchronisation_that_fails_during_a_takeover_fails_it() {
    let disk = Arc::new(FailsLate::default());
    let rig = Rig::on(disk.clone(), |_| {});
    let mut old = rig.begin(1, &spec("a", 9));
    old.write(0, b"abc").expect("in order");
    let flush = old.flush();
    *disk.old.lock().expect("no panic") = Some((rig.store.clone(), old));
    assert_eq!(kind(flush.run()), ErrorKind::Io);
    let taken = disk.taken.lock().expect("no panic").take().expect("begun");
    assert_eq!(kind(taken.join().expect("no panic")), ErrorKind::Io);
    assert_eq!(open(rig.store.attach(id(1), &spec("a", 9), attach(0, BOB), day(0))).1, 0);
}

/// Lets another holder take over while this one detaches.
#[derive(Default)]
struct TakenWhileDetaching {
    store: Mutex<Option<DiskStore>>,
    taken: Mutex<Option<thread::JoinHandle<Result<Attached, StoreError>>>>,
}

impl Disk for TakenWhileDetaching {
    fn before(&self, op: Op) -> io::Result<()> {
        let store = self.store.lock().expect("no panic").take_if(|_| op == Op::SyncSlot);
        if let Some(store) = store {
            let ticket = store.registry().enter(id(1));
            let attaching = thread::spawn(move || store.attach(id(1), &spec("a", 6), attach(0, BOB), day(0)));
            while ticket.live().held().is_none_or(|lease| lease.claim.epoch == 1) {
                thread::yield_now();
            }
            *self.taken.lock().expect("no panic") = Some(attaching);
        }
        Ok(())
    }
}

#[test]
fn a_late_detach_does_not_end_the_holder_that_took_over() {
    let disk = Arc::new(TakenWhileDetaching::default());
    let rig = Rig::on(disk.clone(), |_| {});
    let mut old = rig.begin(1, &spec("a", 6));
    old.write(0, b"abc").expect("in order");
    *disk.store.lock().expect("no panic") = Some(rig.store.clone());
    assert_eq!(kind(old.detach()), ErrorKind::Fenced);
    let taken = disk.taken.lock().expect("no panic").take().expect("begun");
    let (mut new, durable, _) = open(taken.join().expect("no panic"));
    assert_eq!(durable, 3);
    new.write(3, b"def").expect("still attached");
    new.commit(6, digest(b"abcdef")).expect("whole");
}

/// Another transfer finishes, and removes the staging folder that was just made for this one.
struct Vanishing {
    shard: PathBuf,
    times: Mutex<u32>,
}

impl Disk for Vanishing {
    fn before(&self, op: Op) -> io::Result<()> {
        let mut times = self.times.lock().expect("no panic");
        if op == Op::Create && *times > 0 && fs::remove_dir(&self.shard).is_ok() {
            *times -= 1;
        }
        Ok(())
    }
}

#[cfg(unix)]
#[test]
fn a_store_whose_folder_was_removed_or_replaced_says_so() {
    let rig = Rig::new();
    let why = || {
        let attached = rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0));
        attached.expect_err("there is no folder").reason()
    };
    fs::remove_dir(rig.dir.path()).expect("it is empty");
    assert!(why().contains("was removed, or replaced, since it was opened"), "{}", why());
    fs::create_dir(rig.dir.path()).expect("made anew");
    assert!(why().contains("was removed, or replaced, since it was opened"), "{}", why());
}

#[test]
fn a_folder_that_vanishes_before_its_journal_is_made_is_made_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(Vanishing { shard: dir.path().join(".bowline/01"), times: Mutex::new(3) });
    let store = DiskStore::open_with(dir.path(), Config::default(), Faults::new(disk.clone()));
    let attached = store.expect("a store").attach(id(1), &spec("a", 3), attach(0, ALICE), day(0));
    assert_eq!(open(attached).1, 0);
    assert_eq!(*disk.times.lock().expect("no panic"), 0);
}
