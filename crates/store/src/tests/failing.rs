use super::*;

fn rig() -> (Rig, Arc<Script>) {
    let script = Arc::new(Script::default());
    (Rig::on(script.clone(), |_| {}), script)
}

#[test]
fn a_full_disk_keeps_the_partial_and_lets_the_same_bytes_be_tried_again() {
    let (rig, script) = rig();
    let spec = spec("a", 6);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"abc").expect("in order");
    script.fail(Op::WriteData, io::ErrorKind::StorageFull);
    assert_eq!(kind(partial.write(3, b"def")), ErrorKind::NoSpace);
    assert_eq!(partial.written(), 3);
    assert_eq!(partial.flush().run().expect("safe"), 3);
    script.fail(Op::WriteData, io::ErrorKind::QuotaExceeded);
    assert_eq!(kind(partial.write(3, b"def")), ErrorKind::NoSpace);
    partial.write(3, b"def").expect("there is room again");
    partial.commit(6, digest(b"abcdef")).expect("whole");
}

#[test]
fn after_a_failed_synchronisation_nothing_more_is_promised() {
    for op in [Op::SyncData, Op::WriteSlot, Op::SyncSlot, Op::SyncFolder] {
        let (rig, script) = rig();
        let spec = spec("a", 9);
        let mut partial = rig.begin(1, &spec);
        partial.write(0, b"abc").expect("in order");
        if op != Op::SyncFolder {
            partial.flush().run().expect("safe");
        }
        partial.write(3, b"def").expect("in order");
        script.fail(op, io::ErrorKind::InvalidData);
        assert_eq!(kind(partial.flush().run()), ErrorKind::Io);
        // The next synchronisation of the same file would succeed, and mean nothing.
        assert_eq!(kind(partial.write(6, b"ghi")), ErrorKind::Io);
        assert_eq!(kind(partial.flush().run()), ErrorKind::Io);
        // Read again from the disk, although the failed one is still held.
        let attached = rig.store.attach(id(1), &spec, attach(0, ALICE), day(0)).expect("opened afresh");
        let Attached::Partial { partial: mut again, durable, prefix, .. } = attached else {
            panic!("no partial")
        };
        assert!(op != Op::SyncData || durable == 3, "{durable}");
        assert_eq!(prefix, digest(&b"abcdef"[..durable as usize]));
        again.write(durable, &b"abcdefghi"[durable as usize..]).expect("in order");
        assert_eq!(kind(partial.write(6, b"ghi")), ErrorKind::Fenced);
        drop(partial);
        again.commit(9, digest(b"abcdefghi")).expect("whole");
        assert_eq!(rig.read("a"), b"abcdefghi");
    }
}

/// Somebody clears the staging folder while bytes arrive.
#[cfg(unix)]
#[test]
fn a_removed_part_is_not_called_safe_and_starts_over() {
    use bowline_core::transfer::Retry;
    type Step = fn(&Rig, Partial) -> Result<(), StoreError>;
    let flush: Step = |_, mut partial| partial.flush().run().map(drop);
    let commit: Step = |_, partial| partial.commit(6, digest(b"abcdef")).map(drop);
    let take_over: Step =
        |rig, _held| rig.store.attach(id(1), &spec("a", 6), attach(0, ALICE), day(0)).map(drop);
    for (written, step) in [(6, flush), (6, commit), (6, take_over), (3, take_over)] {
        for flushed in [true, false] {
            let (rig, _) = rig();
            let mut partial = rig.begin(1, &spec("a", 6));
            partial.write(0, b"abc").expect("in order");
            if flushed {
                partial.flush().run().expect("safe");
            }
            fs::remove_dir_all(rig.path(".bowline")).expect("removed");
            partial.write(3, &b"def"[..written - 3]).expect("in order");
            // The sender tries again after a while.
            let error = step(&rig, partial).expect_err("nobody will find these bytes");
            assert_eq!((error.kind(), error.code().retry()), (ErrorKind::Io, Retry::Wait), "{error}");
            let (mut again, durable, _) =
                open(rig.store.attach(id(1), &spec("a", 6), attach(0, ALICE), day(0)));
            assert_eq!(durable, 0);
            again.write(0, b"abcdef").expect("in order");
            again.commit(6, digest(b"abcdef")).expect("whole");
        }
    }
}

/// Something has taken the place of staging, perhaps in order to have it on another disk.
#[cfg(unix)]
#[test]
fn an_obstacle_in_place_of_the_staging_folder_is_named() {
    let outside = tempfile::tempdir().expect("a folder");
    let put: [fn(&Path, &Path) -> io::Result<()>; 2] = [
        |_, staging| fs::write(staging, "a file"),
        |outside, staging| std::os::unix::fs::symlink(outside, staging),
    ];
    for put in put {
        for folder in [".bowline", "own/parts"] {
            let rig = Rig::with(|config| config.staging = folder.into());
            let staging = rig.path(folder);
            fs::create_dir_all(staging.parent().expect("the served folder")).expect("made");
            put(outside.path(), &staging).expect("put there");
            let error =
                rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0)).expect_err("no folder");
            assert_eq!(error.kind(), ErrorKind::NoFolder, "{error}");
            assert!(error.reason().ends_with(&format!("({folder} is not a folder)")), "{error}");
        }
    }
}

#[test]
fn a_disk_that_fills_during_a_synchronisation_says_so() {
    let (rig, script) = rig();
    let mut partial = rig.begin(1, &spec("a", 9));
    partial.write(0, b"abc").expect("in order");
    script.fail(Op::SyncData, io::ErrorKind::StorageFull);
    assert_eq!(kind(partial.flush().run()), ErrorKind::NoSpace);
    assert_eq!(kind(partial.commit(9, digest(b""))), ErrorKind::NoSpace);
}

/// A process that takes over shares the file on which the old holder's synchronisation failed.
#[test]
fn a_failure_of_the_old_holder_is_not_hidden_by_a_takeover() {
    let (rig, script) = rig();
    let spec = spec("a", 9);
    let mut old = rig.begin(1, &spec);
    old.write(0, b"abc").expect("in order");
    script.fail(Op::SyncData, io::ErrorKind::InvalidData);
    assert_eq!(kind(rig.store.attach(id(1), &spec, attach(0, BOB), day(0))), ErrorKind::Io);
    assert_eq!(kind(old.write(3, b"d")), ErrorKind::Fenced);
    let (_, durable, _) = open(rig.store.attach(id(1), &spec, attach(0, BOB), day(0)));
    assert_eq!(durable, 0);
}

#[test]
fn a_commit_that_fails_anywhere_is_finished_by_the_next_attach() {
    let data = content(200_000);
    for flushed in [false, true] {
        for op in
            [Op::SyncData, Op::WriteSlot, Op::SyncSlot, Op::Create, Op::Place, Op::SyncFolder, Op::Remove]
        {
            let (rig, script) = rig();
            let spec = spec("d/a", data.len());
            let mut partial = rig.begin(1, &spec);
            partial.write(0, &data).expect("in order");
            if flushed {
                partial.flush().run().expect("safe");
            }
            script.fail(op, io::ErrorKind::InvalidData);
            let failed = partial.commit(data.len() as u64, digest(&data)).is_err();
            // The journal of an unflushed file is not synchronised; cleaning up may fail without harm.
            assert_eq!(failed, op != Op::Remove && (flushed || op != Op::SyncSlot), "{op:?}");
            match rig.store.attach(id(1), &spec, attach(0, ALICE), day(0)).expect("an answer") {
                Attached::Partial { mut partial, durable, .. } => {
                    partial.write(durable, &data[durable as usize..]).expect("in order");
                    partial.commit(data.len() as u64, digest(&data)).expect("whole");
                }
                Attached::Committed { digest: d, .. } => assert_eq!(d, digest(&data)),
                Attached::Present { .. } => panic!("the journal is there"),
            }
            assert_eq!(rig.read("d/a"), data);
        }
    }
}

#[test]
fn a_read_only_folder_sends_and_does_not_receive() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("a"), "abc").expect("written");
    let script = Arc::new(Script::default());
    let store = DiskStore::open_with(dir.path(), Config::default(), Faults::new(script.clone()))
        .expect("nothing is written yet");
    assert_eq!(store.source(&name("a")).expect("a file").length(), 3);
    script.fail(Op::Create, io::ErrorKind::ReadOnlyFilesystem);
    let error = store.attach(id(1), &spec("b", 3), attach(0, ALICE), day(0)).expect_err("read-only");
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(error.path(), dir.path().join("b"));
    assert_eq!(files(dir.path()), ["a"]);
}

#[test]
fn a_store_that_is_not_a_folder_is_refused_at_once() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("a"), "abc").expect("written");
    assert_eq!(kind(DiskStore::open(&dir.path().join("a"), Config::default())), ErrorKind::NotAFolder);
    assert_eq!(kind(DiskStore::open(&dir.path().join("b"), Config::default())), ErrorKind::NotFound);
    for staging in ["", "/tmp", "../x", "a/../b"] {
        let config = Config { staging: staging.into(), ..Config::default() };
        assert_eq!(kind(DiskStore::open(dir.path(), config)), ErrorKind::BadName, "{staging:?}");
    }
}
