use super::*;
use crate::journal::State;

fn commit(rig: &Rig, n: u8, file: &str, data: &[u8]) -> Result<(), StoreError> {
    let mut partial = rig.begin(n, &spec(file, data.len()));
    partial.write(0, data)?;
    partial.commit(data.len() as u64, digest(data)).map(|_| ())
}

#[test]
fn a_wrong_digest_leaves_nothing() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("dir/a", 3));
    partial.write(0, b"abc").expect("in order");
    let error = partial.commit(3, digest(b"abd")).expect_err("not these");
    assert_eq!(error.kind(), ErrorKind::DigestMismatch);
    assert!(fs::read_dir(rig.dir.path()).expect("a folder").next().is_none());
    let (_, durable, _) = open(rig.store.attach(id(1), &spec("dir/a", 3), attach(0, ALICE), day(0)));
    assert_eq!(durable, 0);
}

#[test]
fn a_wrong_length_keeps_what_is_there() {
    let rig = Rig::new();
    let spec = spec("a", 4);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"abc").expect("in order");
    assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::LengthMismatch);
    let (partial, durable, _) = open(rig.store.attach(id(1), &spec, attach(0, ALICE), day(0)));
    assert_eq!(durable, 3);
    assert_eq!(kind(partial.commit(4, digest(b"abc"))), ErrorKind::LengthMismatch);
    assert!(!rig.path("a").exists());
}

#[test]
fn the_first_of_two_files_with_one_name_wins() {
    let rig = Rig::new();
    let (spec_a, spec_b) = (spec("x", 3), spec("x", 4));
    let (mut a, mut b) = (rig.begin(1, &spec_a), rig.begin(2, &spec_b));
    a.write(0, b"aaa").expect("in order");
    b.write(0, b"bbbb").expect("in order");
    b.commit(4, digest(b"bbbb")).expect("first");
    assert_eq!(kind(a.commit(3, digest(b"aaa"))), ErrorKind::Exists);
    assert_eq!(rig.read("x"), b"bbbb");
    assert_eq!(kind(rig.store.attach(id(1), &spec_a, attach(0, ALICE), day(0))), ErrorKind::Exists);
    // Once the name is free, an attach is enough.
    fs::rename(rig.path("x"), rig.path("y")).expect("moved away");
    let again = rig.store.attach(id(1), &spec_a, attach(0, ALICE), day(0));
    assert!(matches!(again, Ok(Attached::Committed { length: 3, digest: d }) if d == digest(b"aaa")));
    assert_eq!(rig.read("x"), b"aaa");
}

#[test]
fn a_name_that_was_taken_meanwhile_is_noticed_before_the_rest_has_come() {
    let sent = content(200_000);
    let mut other = sent.clone();
    other[99_999] ^= 1;
    for other in [&sent[..150_000], &other] {
        let rig = Rig::new();
        let spec = spec("x", sent.len());
        let mut partial = rig.begin(1, &spec);
        partial.write(0, &sent[..50_000]).expect("in order");
        assert_eq!(partial.flush().run().expect("the name is free"), 50_000);
        commit(&rig, 2, "x", other).expect("first");
        partial.write(50_000, &sent[50_000..100_000]).expect("in order");
        assert_eq!(kind(partial.flush().run()), ErrorKind::Exists);
        partial.detach().expect("safe");
        fs::rename(rig.path("x"), rig.path("y")).expect("moved away");
        let (_, durable, _) = open(rig.store.attach(id(1), &spec, attach(0, ALICE), day(0)));
        assert_eq!(durable, 100_000, "nothing is lost");
    }
}

#[test]
fn a_name_that_the_same_bytes_have_or_that_may_be_replaced_is_free() {
    let sent = content(100_000);
    let begun = |rig: &Rig| {
        let mut partial = rig.begin(1, &spec("x", sent.len()));
        partial.write(0, &sent[..70_000]).expect("in order");
        partial
    };
    let rig = Rig::new();
    let mut partial = begun(&rig);
    commit(&rig, 2, "x", &sent).expect("first");
    assert_eq!(partial.flush().run().expect("it may be the same"), 70_000);
    let rig = Rig::with(|config| config.overwrite = true);
    let mut partial = begun(&rig);
    fs::write(rig.path("x"), b"another").expect("writable");
    assert_eq!(partial.flush().run().expect("it is replaced"), 70_000);
    fs::remove_file(rig.path("x")).expect("there");
    fs::create_dir(rig.path("x")).expect("writable");
    assert_eq!(kind(partial.flush().run()), ErrorKind::InTheWay);
}

#[test]
fn two_senders_of_the_same_bytes_both_succeed() {
    let rig = Rig::new();
    let (mut a, mut b) = (rig.begin(1, &spec("x", 3)), rig.begin(2, &spec("x", 3)));
    a.write(0, b"abc").expect("in order");
    b.write(0, b"abc").expect("in order");
    a.commit(3, digest(b"abc")).expect("first");
    b.commit(3, digest(b"abc")).expect("the same");
    assert_eq!(files(rig.dir.path()).len(), 3);
}

#[test]
fn a_taken_name_is_reported_before_a_byte_is_sent() {
    let rig = Rig::new();
    fs::write(rig.path("x"), "abc").expect("written");
    assert_eq!(kind(rig.store.attach(id(1), &spec("x", 4), attach(0, ALICE), day(0))), ErrorKind::Exists);
    let present = rig.store.attach(id(1), &spec("x", 3), attach(0, ALICE), day(0));
    assert!(matches!(present, Ok(Attached::Present { length: 3, digest: d }) if d == digest(b"abc")));
    fs::create_dir(rig.path("d")).expect("made");
    assert_eq!(kind(rig.store.attach(id(1), &spec("d", 4), attach(0, ALICE), day(0))), ErrorKind::InTheWay);
    assert_eq!(files(rig.dir.path()), ["x"]);
}

#[test]
fn with_overwriting_allowed_the_last_wins() {
    let rig = Rig::with(|config| config.overwrite = true);
    fs::write(rig.path("x"), "older").expect("written");
    commit(&rig, 1, "x", b"new").expect("replaced");
    assert_eq!(rig.read("x"), b"new");
    commit(&rig, 2, "x", b"new").expect("replaced");
    fs::create_dir(rig.path("d")).expect("made");
    assert_eq!(kind(rig.store.attach(id(3), &spec("d", 4), attach(0, ALICE), day(0))), ErrorKind::InTheWay);
}

#[test]
fn a_repeated_offer_is_answered_from_the_journal() {
    let rig = Rig::new();
    commit(&rig, 1, "a/b", b"abc").expect("whole");
    for store in [rig.store.clone(), rig.other_process()] {
        for attach in
            [attach(0, ALICE), attach(9, BOB), Attach { mode: Mode::CreateOnly, ..attach(1, ALICE) }]
        {
            let again = store.attach(id(1), &spec("a/b", 3), attach, day(0));
            assert!(matches!(again, Ok(Attached::Committed { length: 3, digest: d }) if d == digest(b"abc")));
        }
    }
    assert_eq!(
        kind(rig.store.attach(id(1), &spec("a/b", 4), attach(0, ALICE), day(0))),
        ErrorKind::SourceChanged
    );
}

#[test]
fn a_committed_file_that_was_changed_is_not_called_committed() {
    let rig = Rig::new();
    commit(&rig, 1, "a", b"abc").expect("whole");
    fs::write(rig.path("a"), "xyz").expect("edited");
    let again = rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0));
    assert!(matches!(again, Ok(Attached::Present { digest: d, .. }) if d == digest(b"xyz")), "{again:?}");
    fs::remove_file(rig.path("a")).expect("removed");
    let (mut partial, durable, epoch) =
        open(rig.store.attach(id(1), &spec("a", 3), attach(1, ALICE), day(0)));
    assert_eq!((durable, epoch), (0, 2));
    partial.write(0, b"abc").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!(rig.read("a"), b"abc");
}

#[test]
fn a_committed_file_on_a_remounted_disk_is_still_committed() {
    let rig = Rig::with(|config| config.overwrite = true);
    commit(&rig, 1, "a", b"abc").expect("whole");
    let place = rig.store.root().place(rig.store.principal().key(id(1))).expect("a folder");
    let (mut slots, record) = place.open_slots().expect("free").expect("a journal");
    let mut record = record.expect("whole");
    let State::Committed { file, .. } = &mut record.state else { panic!("{record:?}") };
    file.dev += 1;
    slots.write(&Faults::default(), &record).expect("written");
    drop(slots);
    let again = rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0));
    assert!(matches!(again, Ok(Attached::Committed { .. })), "{again:?}");
}

#[test]
fn a_restart_of_a_committed_transfer_needs_its_name_again() {
    let rig = Rig::with(|config| config.overwrite = true);
    commit(&rig, 1, "a", b"abc").expect("whole");
    let restart = Attach { mode: Mode::Restart, ..attach(0, ALICE) };
    let (mut partial, durable, epoch) = open(rig.store.attach(id(1), &spec("a", 2), restart, day(0)));
    assert_eq!((durable, epoch), (0, 2));
    partial.write(0, b"xy").expect("in order");
    partial.commit(2, digest(b"xy")).expect("whole");
    assert_eq!(rig.read("a"), b"xy");
}

#[test]
fn a_journal_that_is_not_kept_leaves_an_empty_folder() {
    let rig = Rig::with(|config| config.keep_committed = None);
    commit(&rig, 1, "a", b"abc").expect("whole");
    assert!(!rig.path(".bowline").exists());
    let present = rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0));
    assert!(matches!(present, Ok(Attached::Present { digest: d, .. }) if d == digest(b"abc")));
    // Other files keep their folders.
    let other = rig.begin(2, &spec("b", 3));
    commit(&rig, 3, "c", b"abc").expect("whole");
    assert_eq!(fs::read_dir(rig.path(".bowline")).expect("a folder").count(), 1);
    other.discard().expect("removed");
    assert_eq!(files(rig.dir.path()), ["a", "c"]);
    assert!(!rig.path(".bowline").exists());
}

#[test]
fn a_name_on_another_file_system_gets_a_copy() {
    for (overwrite, keep) in [(false, true), (true, false)] {
        let script = Arc::new(Script::default());
        let rig = Rig::on(script.clone(), |config| {
            config.overwrite = overwrite;
            config.keep_committed = config.keep_committed.filter(|_| keep);
        });
        script.fail(Op::Place, io::ErrorKind::CrossesDevices);
        commit(&rig, 1, "far/a", &content(100_000)).expect("copied");
        assert_eq!(rig.read("far/a"), content(100_000));
        let mtime = fs::metadata(rig.path("far/a")).and_then(|m| m.modified()).expect("a time");
        assert_eq!(mtime, UNIX_EPOCH + Duration::from_millis(1_700_000_000_123));
        assert_eq!(files(rig.dir.path()).len(), 1 + usize::from(keep), "{:?}", files(rig.dir.path()));
        if keep {
            let again = rig.store.attach(id(1), &spec("far/a", 100_000), attach(0, ALICE), day(0));
            assert!(matches!(again, Ok(Attached::Committed { .. })));
        }
    }
}

#[test]
fn a_folder_that_denies_permission_is_named_relative_to_the_store() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    let denied = |folder: &str| {
        format!("not permitted in the folder {folder}; check its owner and its mode (permission denied)")
    };
    for (number, name, folder) in [(1, "d/e/a", "d/e"), (2, "a", "that all files are in")] {
        script.fail(Op::Place, io::ErrorKind::PermissionDenied);
        let error = commit(&rig, number, name, b"abc").expect_err("no place");
        assert_eq!((error.kind(), error.reason()), (ErrorKind::Denied, denied(folder)));
    }
    script.fail(Op::Create, io::ErrorKind::PermissionDenied);
    let begun = |rig: &Rig| rig.store.attach(id(3), &spec("b/a", 3), attach(0, ALICE), day(0)).map(drop);
    assert_eq!(begun(&rig).expect_err("no staging").reason(), denied(".bowline"));
    let fresh = Rig::on(script.clone(), |_| {});
    script.fail(Op::Create, io::ErrorKind::PermissionDenied);
    assert_eq!(begun(&fresh).expect_err("no staging").reason(), denied("that all files are in"));
    script.fail(Op::Create, io::ErrorKind::PermissionDenied);
    let error = rig.store.make_folder(&crate::FolderSpec::new(name("d/new"))).expect_err("no folder");
    assert_eq!(error.reason(), denied("d"));
}

#[test]
fn a_copy_does_not_replace_a_file_that_took_its_name() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    let mut partial = rig.begin(1, &spec("a", 3));
    partial.write(0, b"abc").expect("in order");
    fs::write(rig.path("a"), "mine").expect("written");
    script.fail(Op::Place, io::ErrorKind::CrossesDevices);
    assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::Exists);
    assert_eq!(rig.read("a"), b"mine");
    assert_eq!(files(rig.dir.path()).len(), 3);
}

#[test]
fn a_small_file_costs_two_synchronisations() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    commit(&rig, 1, "a", b"abc").expect("whole");
    assert_eq!(script.count(Op::SyncData), 1);
    assert_eq!(script.count(Op::SyncFolder), 1);
    assert_eq!(script.count(Op::SyncSlot), 0);
}

#[test]
fn a_folder_that_was_removed_is_synchronised_again() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    let mut syncs = vec![];
    for n in 1..=3 {
        commit(&rig, n, &format!("d/{n}"), b"abc").expect("whole");
        syncs.push(script.count(Op::SyncFolder));
        if n == 2 {
            // The next folder of this name may well get the same inode.
            fs::remove_dir_all(rig.path("d")).expect("removed");
        }
    }
    // The folder and the one that contains it; the folder alone; both.
    assert_eq!(syncs, [2, 3, 5]);
}

#[test]
fn an_inode_proves_a_rename_without_reading_the_file() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    script.fail(Op::SyncFolder, io::ErrorKind::InvalidData);
    commit(&rig, 1, "a", b"abc").expect_err("interrupted after the rename");
    // What only reading could reveal.
    let file = fs::File::options().write(true).open(rig.path("a")).expect("there");
    let time = file.metadata().and_then(|meta| meta.modified()).expect("a time");
    let file = crate::sys::File::Disk(file);
    crate::sys::write_all_at(&file, b"xyz", 0).expect("written");
    file.set_modified(time).expect("set");
    let again = rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0));
    assert!(matches!(again, Ok(Attached::Committed { digest: d, .. }) if d == digest(b"abc")), "{again:?}");
}

#[test]
fn a_part_that_replaced_the_right_one_gets_the_name_only_if_its_bytes_are_right() {
    for (bytes, is_it) in [(b"xyz", false), (b"abc", true)] {
        let script = Arc::new(Script::default());
        let rig = Rig::on(script.clone(), |_| {});
        script.fail(Op::Place, io::ErrorKind::InvalidData);
        commit(&rig, 1, "a", b"abc").expect_err("interrupted before the rename");
        let path = rig.path(&part(&rig));
        fs::write(rig.path("other"), bytes).expect("written");
        fs::rename(rig.path("other"), path).expect("replaced");
        match rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0)).expect("an answer") {
            Attached::Committed { .. } => assert!(is_it),
            Attached::Partial { durable, .. } => assert!(!is_it && durable == 0 && !rig.path("a").exists()),
            Attached::Present { .. } => panic!("there is no such file"),
        }
    }
}

#[test]
fn a_commit_that_is_finished_later_is_kept_from_then_on() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    script.fail(Op::Place, io::ErrorKind::InvalidData);
    assert_eq!(kind(commit(&rig, 1, "a", b"abc")), ErrorKind::Io);
    for now in [day(5), day(5) + Duration::from_secs(23 * 3600)] {
        let again = rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), now);
        assert!(matches!(again, Ok(Attached::Committed { .. })), "{again:?}");
    }
}

#[test]
fn a_transfer_whose_part_is_lost_starts_over_and_makes_no_folder() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    script.fail(Op::Place, io::ErrorKind::InvalidData);
    commit(&rig, 1, "dir/a", b"abc").expect_err("interrupted before the rename");
    fs::remove_file(rig.path(&part(&rig))).expect("lost");
    fs::remove_dir(rig.path("dir")).expect("removed");
    let (_, durable, _) = open(rig.store.attach(id(1), &spec("dir/a", 3), attach(0, ALICE), day(0)));
    assert_eq!(durable, 0);
    assert!(!rig.path("dir").exists());
}
