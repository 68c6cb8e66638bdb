//! How much a principal may keep, and that nobody else is charged for it.

use super::*;
use crate::{Principal, Quota};

fn of(rig: &Rig, name: &str) -> DiskStore {
    rig.store.for_principal(Principal::named(name).expect("a short name"))
}

fn with_quota(bytes: Option<u64>, partials: Option<u64>) -> Rig {
    Rig::with(|config| config.quota = Quota { bytes, partials })
}

fn begin(store: &DiskStore, n: u8, length: usize) -> Result<Partial, StoreError> {
    match store.attach(id(n), &spec(&format!("f{n}"), length), attach(0, ALICE), day(0))? {
        Attached::Partial { partial, .. } => Ok(partial),
        other => panic!("no partial: {other:?}"),
    }
}

/// Why there is no room for it, whatever happens.
fn refused(store: &DiskStore, n: u8, length: usize) -> String {
    objection(store, n, length, ErrorKind::Quota)
}

/// Why there is no room for it until others have ended.
fn put_off(store: &DiskStore, n: u8, length: usize) -> String {
    objection(store, n, length, ErrorKind::QuotaBusy)
}

/// Why there would be no room for it even if there were nothing else.
fn too_large(store: &DiskStore, n: u8, length: usize) -> String {
    objection(store, n, length, ErrorKind::OverQuota)
}

fn objection(store: &DiskStore, n: u8, length: usize, kind: ErrorKind) -> String {
    let error = begin(store, n, length).expect_err("too much");
    assert_eq!(error.kind(), kind);
    error.reason()
}

#[test]
fn an_id_of_another_principal_is_unknown_and_stays_untouched() {
    let rig = Rig::new();
    let (alice, bob) = (of(&rig, "alice"), of(&rig, "bob"));
    let mut partial = begin(&alice, 1, 6).expect("new");
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    let only = Attach { mode: Mode::AttachOnly, ..attach(0, ALICE) };
    let answer =
        |store: &DiskStore, n| store.attach(id(n), &spec("f1", 6), only, day(0)).expect_err("unknown");
    for stranger in [&bob, &rig.store] {
        let (theirs, nobodys) = (answer(stranger, 1), answer(stranger, 2));
        assert_eq!(theirs.kind(), ErrorKind::NotFound);
        assert_eq!(theirs.to_string(), nobodys.to_string(), "no difference shows");
        // Nor does the same id lead there in any other way.
        let (partial, durable, epoch) = open(stranger.attach(id(1), &spec("f1", 6), attach(7, BOB), day(0)));
        assert_eq!((durable, epoch), (0, 8));
        partial.discard().expect("removed");
    }
    assert_eq!(open(alice.attach(id(1), &spec("f1", 6), attach(1, ALICE), day(0))).1, 3);
}

#[test]
fn another_principal_neither_fences_nor_ends_a_transfer() {
    let rig = Rig::new();
    let mut held = begin(&of(&rig, "alice"), 1, 6).expect("new");
    let rival = begin(&of(&rig, "bob"), 1, 6).expect("one of its own");
    held.write(0, b"abcdef").expect("not fenced");
    rival.discard().expect("removed");
    held.commit(6, digest(b"abcdef")).expect("whole");
}

#[test]
fn the_principal_of_a_partial_survives_a_restart() {
    let rig = with_quota(Some(10), None);
    let mut partial = begin(&of(&rig, "alice"), 1, 6).expect("new");
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    let later = rig.other_process();
    let alice = later.for_principal(Principal::named("alice").expect("short"));
    let bob = later.for_principal(Principal::named("bob").expect("short"));
    assert!(
        refused(&alice, 2, 8).ends_with("(3 of 10 bytes are taken by unfinished files, 8 more are needed)")
    );
    assert_eq!(open(alice.attach(id(1), &spec("f1", 6), attach(1, ALICE), day(0))).1, 3);
    begin(&bob, 1, 10).expect("bob has nothing");
}

#[test]
fn attached_files_count_in_full_and_others_as_far_as_they_are_safe() {
    let rig = with_quota(Some(100), None);
    let mut first = begin(&rig.store, 1, 60).expect("room");
    assert_eq!(
        put_off(&rig.store, 2, 41),
        "the quota is taken by files that are under way; wait until they end, or raise it (60 of 100 bytes are taken by \
         unfinished files, 41 more are needed)"
    );
    first.write(0, &content(10)).expect("in order");
    first.detach().expect("safe");
    let second = begin(&rig.store, 2, 90).expect("room: 10 bytes are safe of the first");
    assert!(put_off(&rig.store, 1, 60).contains("(90 of 100"), "it does not fit beside the second any more");
    second.discard().expect("removed");
    let mut first = begin(&rig.store, 1, 60).expect("room again");
    first.write(10, &content(60)[10..]).expect("in order");
    first.commit(60, digest(&content(60))).expect("whole");
    begin(&rig.store, 3, 100).expect("finished files do not count");
}

#[test]
fn a_dropped_or_damaged_partial_counts_only_for_what_it_occupies() {
    let rig = with_quota(Some(100), None);
    let mut partial = begin(&rig.store, 1, 100).expect("room");
    partial.write(0, &content(30)).expect("in order");
    assert_eq!(partial.flush().run().expect("safe"), 30);
    partial.write(30, &content(10)).expect("in order");
    drop(partial);
    let mut other = begin(&rig.store, 2, 70).expect("30 are safe");
    assert!(put_off(&rig.store, 3, 70).contains("(100 of 100"));
    assert_eq!(
        refused(&rig.store, 3, 71),
        "quota exceeded; finish or cancel what is unfinished, or raise the quota (100 of 100 bytes are taken by \
         unfinished files, 71 more are needed)",
        "those 30 stay"
    );
    other.write(0, &content(70)).expect("in order");
    other.commit(70, digest(b"else")).expect_err("not these bytes");
    begin(&rig.store, 3, 70).expect("they are gone");
}

#[test]
fn unfinished_files_are_counted() {
    let rig = with_quota(None, Some(2));
    let first = begin(&rig.store, 1, 6).expect("one");
    let second = begin(&rig.store, 2, 6).expect("two");
    assert!(put_off(&rig.store, 3, 6).ends_with("(2 unfinished files are kept here; at most 2 may be)"));
    first.detach().expect("safe");
    assert!(put_off(&rig.store, 3, 6).contains("(2 unfinished files"));
    second.detach().expect("safe");
    assert!(refused(&rig.store, 3, 6).contains("(2 unfinished files"));
    begin(&rig.store, 1, 6).expect("it is one of the two").discard().expect("removed");
    begin(&rig.store, 3, 6).expect("room");
}

#[test]
fn a_sweep_makes_room() {
    let rig = with_quota(Some(10), None);
    let mut partial = begin(&rig.store, 1, 10).expect("room");
    partial.write(0, &content(10)).expect("in order");
    partial.detach().expect("safe");
    assert!(refused(&rig.store, 2, 1).contains("(10 of 10"));
    rig.store.sweep(day(8), 100).expect("a folder");
    begin(&rig.store, 2, 10).expect("room");
}

#[test]
fn a_refusal_leaves_nothing_behind() {
    let rig = with_quota(Some(10), None);
    too_large(&rig.store, 1, 11);
    assert!(files(rig.dir.path()).is_empty());
}

#[test]
fn one_principal_does_not_use_up_the_quota_of_another() {
    let rig = with_quota(Some(10), Some(1));
    let _alices = begin(&of(&rig, "alice"), 1, 10).expect("room");
    let _bobs = begin(&of(&rig, "bob"), 1, 10).expect("room");
    assert!(put_off(&of(&rig, "alice"), 2, 0).contains("(1 unfinished files"));
}

#[test]
fn an_expired_transfer_begins_anew_whether_it_was_swept_or_not() {
    for swept in [false, true] {
        let rig = Rig::new();
        let mut partial = begin(&rig.store, 1, 6).expect("new");
        partial.write(0, b"abc").expect("in order");
        partial.detach().expect("safe");
        if swept {
            rig.store.sweep(day(8), 100).expect("a folder");
        }
        let only = Attach { mode: Mode::AttachOnly, ..attach(1, ALICE) };
        let gone = kind(rig.store.attach(id(1), &spec("f1", 6), only, day(8)));
        assert_eq!(gone, if swept { ErrorKind::NotFound } else { ErrorKind::Expired });
        let (_, durable, epoch) = open(rig.store.attach(id(1), &spec("f1", 6), attach(1, ALICE), day(8)));
        assert_eq!((durable, epoch), (0, 2), "{swept}");
    }
}

#[test]
fn the_expiry_is_reported_and_only_progress_postpones_it() {
    let rig = Rig::new();
    let told = |at| match rig.store.attach(id(1), &spec("f1", 6), attach(0, ALICE), at) {
        Ok(Attached::Partial { partial, expires, .. }) => (partial, expires.expect("an end")),
        other => panic!("no partial: {other:?}"),
    };
    let near = |end: SystemTime, expected: SystemTime| {
        end.duration_since(expected).expect("not before") < Duration::from_secs(60)
    };
    let (partial, end) = told(day(0));
    assert!(near(end, day(7)));
    drop(partial);
    let (mut partial, end) = told(day(3));
    assert!(near(end, day(7)), "to attach is no progress");
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    assert!(near(told(day(4)).1, day(10)));
}

#[test]
fn nothing_is_kept_beyond_the_greatest_age() {
    let rig = Rig::with(|config| config.expire_after = Some(Duration::from_secs(7 * 24 * 3600)));
    for week in 0..6 {
        // An hour longer each time, since the first attach took a while, too.
        let now = day(6 * week) + Duration::from_secs(3600 * week);
        let (mut partial, durable, _) = open(rig.store.attach(id(1), &spec("f1", 60), attach(0, ALICE), now));
        // On day 30 it begins again.
        assert_eq!(durable, if week == 5 { 0 } else { week }, "{week}");
        partial.write(durable, b"x").expect("in order");
        partial.detach().expect("safe");
    }
}

#[test]
fn a_committed_record_expires_too() {
    let rig = Rig::new();
    let mut partial = begin(&rig.store, 1, 3).expect("new");
    partial.write(0, b"abc").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
    let again = |at| rig.store.attach(id(1), &spec("f1", 3), attach(1, ALICE), at);
    assert!(matches!(again(day(0)), Ok(Attached::Committed { .. })));
    assert!(
        matches!(again(day(2)), Ok(Attached::Present { .. })),
        "the file is there, that is all that is known"
    );
}

fn begin_unknown(store: &DiskStore, n: u8) -> Partial {
    let spec = Spec { length: None, ..spec(&format!("f{n}"), 0) };
    open(store.attach(id(n), &spec, attach(0, ALICE), day(0))).0
}

#[test]
fn a_file_of_unknown_length_counts_for_what_has_come() {
    let rig = with_quota(Some(10), None);
    let mut growing = begin_unknown(&rig.store, 1);
    growing.write(0, b"abcdef").expect("room");
    let why = "6 of 10 bytes are taken by unfinished files, 5 more are needed";
    assert!(put_off(&rig.store, 2, 5).contains(why));
    let known = begin(&rig.store, 2, 3).expect("room");
    let error = growing.write(6, b"gh").expect_err("too much");
    assert_eq!(error.kind(), ErrorKind::QuotaBusy);
    assert_eq!(growing.write(6, b"ghijk").expect_err("whatever ends").kind(), ErrorKind::OverQuota);
    assert!(error.reason().contains("3 of 10 bytes are taken by other unfinished files, and this one has 8"));
    // Nothing has changed: there is room again, and the same bytes arrive again.
    known.discard().expect("removed");
    growing.write(6, b"gh").expect("room");
    assert_eq!(growing.detach().expect("safe"), 8);
    refused(&rig.store, 2, 3);
    let spec = Spec { length: None, ..spec("f1", 0) };
    let (mut growing, durable, _) = open(rig.store.attach(id(1), &spec, attach(1, ALICE), day(0)));
    assert_eq!(durable, 8);
    growing.write(8, b"ij").expect("room");
    growing.commit(10, digest(b"abcdefghij")).expect("whole");
    begin(&rig.store, 2, 10).expect("nothing counts any more");
}

#[test]
fn another_process_finds_a_file_of_unknown_length_again() {
    let rig = Rig::new();
    let mut growing = begin_unknown(&rig.store, 1);
    growing.write(0, b"abc").expect("in order");
    growing.detach().expect("safe");
    let other = rig.other_process();
    let spec = Spec { length: None, ..spec("f1", 0) };
    let known = Spec { length: Some(6), ..spec.clone() };
    let error = other.attach(id(1), &known, attach(1, ALICE), day(0)).expect_err("another file");
    assert_eq!(error.kind(), ErrorKind::SourceChanged);
    let (mut growing, durable, _) = open(other.attach(id(1), &spec, attach(1, ALICE), day(0)));
    assert_eq!(durable, 3);
    growing.write(3, b"def").expect("in order");
    growing.commit(6, digest(b"abcdef")).expect("whole");
    let again = other.attach(id(1), &spec, attach(2, ALICE), day(0));
    assert!(matches!(again, Ok(Attached::Committed { length: 6, .. })), "{again:?}");
    let taken = other.attach(id(2), &spec, attach(0, ALICE), day(0)).expect_err("the name is taken");
    assert_eq!(taken.kind(), ErrorKind::Exists);
}

#[test]
fn unfinished_files_of_all_principals_are_counted_together() {
    let rig = with_quota(None, None);
    let held = begin(&of(&rig, "alice"), 1, 20).expect("new");
    let mut other = begin(&of(&rig, "bob"), 2, 30).expect("new");
    assert_eq!(rig.store.unfinished(), (50, 2));
    other.write(0, b"abc").expect("in order");
    other.detach().expect("safe");
    assert_eq!(rig.store.unfinished(), (23, 2));
    held.discard().expect("removed");
    assert_eq!(rig.store.unfinished(), (3, 1));
    // If nothing is counted for a quota, the disk is read.
    assert_eq!(rig.other_process().unfinished(), (3, 1));
}

#[test]
fn a_quota_of_its_own_replaces_that_of_the_store() {
    let rig = with_quota(Some(10), None);
    let quota = |bytes| Quota { bytes: Some(bytes), partials: None };
    let alice = of(&rig, "alice").with_quota(quota(20));
    let held = begin(&alice, 1, 20).expect("hers");
    assert!(put_off(&alice, 2, 1).contains("20 of 20 bytes"), "{}", put_off(&alice, 2, 1));
    assert!(too_large(&of(&rig, "bob"), 3, 11).contains("0 of 10 bytes"));
    let narrow = of(&rig, "carol").with_quota(quota(5));
    let name = spec("open", 0);
    let open = Spec { length: None, ..name };
    let mut growing = match narrow.attach(id(4), &open, attach(0, ALICE), day(0)).expect("new") {
        Attached::Partial { partial, .. } => partial,
        other => panic!("no partial: {other:?}"),
    };
    growing.write(0, b"abcde").expect("so much may come");
    assert_eq!(growing.write(5, b"f").expect_err("no more").kind(), ErrorKind::OverQuota);
    drop(held);
}

#[test]
fn a_takeover_keeps_what_the_old_holder_had_written() {
    let rig = with_quota(Some(100), None);
    let mut old = begin(&rig.store, 1, 20).expect("new");
    old.write(0, b"abc").expect("in order");
    let new = begin(&rig.store, 1, 20).expect("taken over");
    drop((old, new));
    assert_eq!(rig.store.unfinished(), (3, 1));
}

#[test]
fn a_transfer_resumed_by_a_new_process_is_kept_without_a_quota_too() {
    let rig = with_quota(None, None);
    let mut partial = begin(&rig.store, 1, 20).expect("new");
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    let other = rig.other_process();
    let partial = begin(&other, 1, 20).expect("gone on with");
    assert_eq!(other.unfinished(), (20, 1));
    drop(partial);
    assert_eq!(other.unfinished(), (3, 1));
}

#[test]
fn what_a_failed_commit_leaves_behind_is_counted() {
    let rig = with_quota(Some(100), None);
    let whole = |n| {
        let mut partial = begin(&rig.store, n, 3).expect("new");
        partial.write(0, b"abc").expect("in order");
        partial
    };
    let taken = whole(1);
    fs::write(rig.path("f1"), "another").expect("written");
    assert_eq!(kind(taken.commit(3, digest(b"abc"))), ErrorKind::Exists);
    assert_eq!(rig.store.unfinished(), (3, 1), "it waits for its name");
    assert_eq!(kind(whole(2).commit(3, digest(b"xyz"))), ErrorKind::DigestMismatch);
    assert_eq!(rig.store.unfinished(), (3, 1), "nothing is left of it");
}

#[test]
fn a_file_that_gets_its_name_later_no_longer_counts() {
    for kept in [None, Some(Duration::from_secs(3600))] {
        let rig = Rig::with(|config| config.keep_committed = kept);
        let mut partial = begin(&rig.store, 1, 3).expect("new");
        partial.write(0, b"abc").expect("in order");
        fs::write(rig.path("f1"), "another").expect("written");
        assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::Exists);
        fs::remove_file(rig.path("f1")).expect("removed");
        assert_eq!(rig.store.unfinished(), (3, 1), "it waits for its name");
        let again = rig.store.attach(id(1), &spec("f1", 3), attach(0, ALICE), day(0));
        assert!(matches!(again, Ok(Attached::Committed { .. })), "{again:?}");
        assert_eq!(rig.store.unfinished(), (0, 0), "{kept:?}");
    }
}

#[test]
fn a_file_lost_before_it_got_its_name_no_longer_counts() {
    let rig = Rig::new();
    let mut partial = begin(&rig.store, 1, 3).expect("new");
    partial.write(0, b"abc").expect("in order");
    fs::remove_dir_all(rig.path(".bowline")).expect("removed");
    assert_eq!(kind(partial.commit(3, digest(b"abc"))), ErrorKind::Io);
    assert_eq!(rig.store.unfinished(), (0, 0));
}

#[test]
fn a_partial_whose_restart_failed_still_counts() {
    let script = Arc::new(Script::default());
    let rig = Rig::on(script.clone(), |_| {});
    let mut partial = begin(&rig.store, 1, 20).expect("new");
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    script.fail(Op::WriteSlot, io::ErrorKind::InvalidData);
    let restart = Attach::new(Mode::Restart, ALICE);
    assert_eq!(kind(rig.store.attach(id(1), &spec("f1", 20), restart, day(0))), ErrorKind::Io);
    assert_eq!(rig.store.unfinished(), (3, 1));
}
