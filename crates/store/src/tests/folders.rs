//! Folders: creating them, setting their attributes, and listing them.

use super::*;
use crate::FolderSpec;
use bowline_core::transfer::{Kind, Listing, UnixMode};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::thread;

pub(super) const SOME_TIME: i64 = 1_600_000_000_123;

pub(super) fn folder(file: &str) -> FolderSpec {
    FolderSpec { name: name(file), mtime_ms: SOME_TIME, unix_mode: Some(UnixMode::from_bits(0o750)) }
}

pub(super) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("there").permissions().mode() & 0o7777
}

fn set_mode(path: &Path, bits: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(bits)).expect("ours");
}

pub(super) fn mtime_ms(path: &Path) -> i64 {
    let time = fs::metadata(path).and_then(|meta| meta.modified()).expect("a time");
    time.duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64
}

fn put(rig: &Rig, n: u8, file: &str, unix_mode: Option<u32>) {
    let mut partial = rig.begin(n, &spec(file, 3));
    partial.set_unix_mode(unix_mode.map(UnixMode::from_bits));
    partial.write(0, b"abc").expect("in order");
    partial.commit(3, digest(b"abc")).expect("whole");
}

#[test]
fn a_store_in_a_folder_dresses_that_folder() {
    let rig = Rig::new();
    let inner = rig.store.in_folder(name("home/alice"));
    let mode_750 = Some(UnixMode::from_bits(0o750));
    assert_eq!(kind(inner.dress(SOME_TIME, mode_750)), ErrorKind::NotFound);
    fs::create_dir_all(rig.path("home/alice")).expect("ours");
    for dir in ["", "home", "home/alice"] {
        set_mode(&rig.path(dir), 0o700);
    }
    inner.dress(SOME_TIME, mode_750).expect("dressed");
    assert_eq!((mode(&rig.path("home/alice")), mtime_ms(&rig.path("home/alice"))), (0o750, SOME_TIME));
    for above in ["", "home"] {
        assert_eq!(mode(&rig.path(above)), 0o700, "{above:?}");
        assert_ne!(mtime_ms(&rig.path(above)), SOME_TIME, "{above:?}");
    }
}

/// A part that its owner cannot open would be in the way of its own next attempt, except for root.
#[test]
fn a_part_stays_open_to_its_owner_until_it_is_complete() {
    for (op, flushed) in [(Op::SyncData, false), (Op::WriteSlot, false), (Op::SyncSlot, true)] {
        let script = Arc::new(Script::default());
        let rig = Rig::on(script.clone(), |_| {});
        let mut partial = rig.begin(1, &spec("a", 3));
        partial.set_unix_mode(Some(UnixMode::from_bits(0o440)));
        partial.write(0, b"abc").expect("in order");
        if flushed {
            partial.flush().run().expect("safe");
        }
        script.fail(op, io::ErrorKind::InvalidData);
        partial.commit(3, digest(b"abc")).expect_err("the disk says so");
        let part = files(rig.dir.path()).into_iter().find(|file| file.contains(".part")).expect("a part");
        assert_eq!(mode(&rig.path(&part)) & 0o600, 0o600, "{op:?}");

        match rig.store.attach(id(1), &spec("a", 3), attach(0, ALICE), day(0)).expect("an answer") {
            Attached::Partial { mut partial, durable, .. } => {
                partial.set_unix_mode(Some(UnixMode::from_bits(0o440)));
                partial.write(durable, &b"abc"[durable as usize..]).expect("in order");
                partial.commit(3, digest(b"abc")).expect("whole");
                assert_eq!(mode(&rig.path("a")), 0o440, "{op:?}");
            }
            // The store that finishes it does not know the requested mode, so the owner may write, and that is all.
            Attached::Committed { .. } => assert_eq!(mode(&rig.path("a")), 0o640, "{op:?}"),
            other @ Attached::Present { .. } => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_empty_folder_is_made_with_all_its_parents() {
    let rig = Rig::new();
    assert!(!rig.store.make_folder(&folder("a/b/c")).expect("made"));
    assert!(rig.store.make_folder(&folder("a/b/c")).expect("there"));
    assert!(rig.store.make_folder(&folder("a/b")).expect("made on the way"));
    assert!(rig.path("a/b/c").is_dir());
    assert_eq!((mode(&rig.path("a/b/c")), mtime_ms(&rig.path("a/b/c"))), (0o750, SOME_TIME));
    assert_eq!(files(rig.dir.path()), [""; 0]);
}

#[test]
fn a_folder_gets_its_time_and_mode_after_its_files() {
    let rig = Rig::new();
    put(&rig, 1, "d/e/a", None);
    assert!(rig.store.make_folder(&folder("d/e")).expect("there"));
    assert!(rig.store.make_folder(&folder("d")).expect("there"));
    for folder in ["d", "d/e"] {
        assert_eq!((mode(&rig.path(folder)), mtime_ms(&rig.path(folder))), (0o750, SOME_TIME), "{folder}");
    }
}

#[test]
fn a_folder_that_was_there_before_stays_as_it_is() {
    for adopt in [false, true] {
        let rig = Rig::with(|config| config.adopt_folders = adopt);
        fs::create_dir(rig.path("d")).expect("made");
        set_mode(&rig.path("d"), 0o2711);
        let before = mtime_ms(&rig.path("d"));
        assert!(rig.store.make_folder(&folder("d")).expect("there"));
        // Bits other than the permissions are never changed.
        let expected = if adopt { (0o2750, SOME_TIME) } else { (0o2711, before) };
        assert_eq!((mode(&rig.path("d")), mtime_ms(&rig.path("d"))), expected);
    }
}

#[test]
fn the_owner_is_never_locked_out_of_a_folder() {
    let rig = Rig::new();
    for bits in [0, 0o007, 0o7555] {
        let shut = FolderSpec { unix_mode: Some(UnixMode::from_bits(bits)), ..folder("d") };
        rig.store.make_folder(&shut).expect("made");
        assert_eq!(mode(&rig.path("d")), 0o700 | bits & 0o777);
    }
}

#[test]
fn a_folder_without_a_given_time_and_mode_is_an_ordinary_one() {
    let rig = Rig::new();
    fs::create_dir(rig.path("ordinary")).expect("made");
    let plain = FolderSpec { name: name("d"), mtime_ms: 0, unix_mode: None };
    rig.store.make_folder(&plain).expect("made");
    assert_eq!(mode(&rig.path("d")), mode(&rig.path("ordinary")));
    assert!((mtime_ms(&rig.path("d")) - mtime_ms(&rig.path("ordinary"))).abs() < 60_000);
}

#[test]
fn obstacles_to_a_folder_are_refused_and_left_alone() {
    let rig = Rig::new();
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(rig.path("file"), "x").expect("written");
    symlink(outside.path(), rig.path("link")).expect("linked");
    rig.begin(1, &spec("z", 3)).detach().expect("staging is there");
    for (file, expected) in [
        ("file", ErrorKind::NoFolder),
        ("file/d", ErrorKind::NoFolder),
        ("link", ErrorKind::NoFolder),
        ("link/d", ErrorKind::NoFolder),
        (".bowline", ErrorKind::BadName),
        (".BOWLINE/d", ErrorKind::BadName),
    ] {
        assert_eq!(kind(rig.store.make_folder(&folder(file))), expected, "{file}");
    }
    assert_eq!(fs::read_dir(outside.path()).expect("a folder").count(), 0);
    assert_ne!(mtime_ms(outside.path()), SOME_TIME);
}

#[test]
fn a_new_folder_is_durable_before_it_is_reported() {
    let disk = Arc::new(Script::default());
    let rig = Rig::on(disk.clone(), |_| {});
    rig.store.make_folder(&folder("a/b")).expect("made");
    // The root contains a, a contains b, and b has its time and mode.
    assert_eq!((disk.count(Op::Create), disk.count(Op::SyncFolder)), (2, 3));
    disk.fail(Op::SyncFolder, io::ErrorKind::StorageFull);
    assert_eq!(kind(rig.store.make_folder(&folder("c"))), ErrorKind::NoSpace);
    disk.fail(Op::Create, io::ErrorKind::PermissionDenied);
    assert_eq!(kind(rig.store.make_folder(&folder("d"))), ErrorKind::Denied);
}

#[test]
fn several_threads_that_make_one_folder_all_find_it() {
    let rig = Rig::new();
    let made = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let rig = &rig;
                scope.spawn(move || {
                    put(rig, n, &format!("a/b/{n}"), None);
                    rig.store.make_folder(&folder("a/b/c")).map(|existed| usize::from(!existed))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic").expect("made")).sum::<usize>()
    });
    assert_eq!(made, 1);
    assert_eq!(fs::read_dir(rig.path("a/b")).expect("a folder").count(), 9);
}

#[test]
fn a_file_gets_the_permissions_that_it_had_and_no_others() {
    let rig = Rig::new();
    for (n, bits) in [0o600, 0o755, 0o444, 0o7777, 0].into_iter().enumerate() {
        let file = format!("file {n}");
        put(&rig, n as u8, &file, Some(bits));
        assert_eq!(mode(&rig.path(&file)), bits & 0o777);
        assert_eq!(mtime_ms(&rig.path(&file)), spec("a", 3).mtime_ms);
    }
    // It is the same transfer, whatever mode is requested.
    assert!(matches!(
        rig.store.attach(id(0), &spec("file 0", 3), attach(0, ALICE), day(0)),
        Ok(Attached::Committed { .. })
    ));
}

#[test]
fn a_listing_tells_what_a_folder_holds() {
    let rig = Rig::new();
    put(&rig, 1, "top/d/a 1", Some(0o640));
    put(&rig, 2, "elsewhere", None);
    symlink("a 1", rig.path("top/d/link")).expect("linked");
    fs::write(rig.path("top/a:b"), "").expect("written");
    let mut of_d = folder("top/d");
    of_d.unix_mode = Some(UnixMode::from_bits(0o711));
    rig.store.make_folder(&of_d).expect("there");
    let mut of_top = folder("top");
    of_top.mtime_ms = 5;
    rig.store.make_folder(&of_top).expect("there");

    let source = rig.store.listing(Some(&name("top"))).expect("a folder");
    assert_eq!(source.kind(), Kind::Listing);
    let text = source.read(0, source.length() as usize).expect("all of it");
    let expected =
        "bowline listing 1 750 5\nd 711 1600000000123 0 d\nf 640 1700000000123 3 d/a 1\nend 2 1 1\n";
    assert_eq!(text, expected);
    assert_eq!(source.read(4, 4).expect("in the middle"), "ine ");
    assert_eq!(kind(source.read(source.length() - 1, 2)), ErrorKind::SourceChanged);
    assert_eq!(kind(source.read(u64::MAX, 1)), ErrorKind::SourceChanged);
    source.check().expect("it does not change");
    let listing = Listing::parse(text).expect("a good one");
    let totals = listing.totals();
    assert_eq!((totals.files, totals.folders, totals.bytes), (1, 1, 3));
    assert_eq!((totals.skipped, totals.unnamed), (1, 1));
    assert_eq!(kind(rig.store.listing(Some(&name("elsewhere")))), ErrorKind::NotAFolder);
    assert_eq!(kind(rig.store.listing(Some(&name("none")))), ErrorKind::NotFound);
    assert_eq!(kind(rig.store.listing(Some(&name(".bowline")))), ErrorKind::BadName);
    assert_eq!(kind(rig.store.listing(Some(&name("top/d/link")))), ErrorKind::NotAFolder);
}

#[test]
fn staging_is_found_by_its_name_after_it_was_moved_or_removed() {
    let rig = Rig::new();
    let durable = || match rig.store.attach(id(1), &spec("a", 9), attach(0, ALICE), day(0)) {
        Ok(Attached::Partial { mut partial, durable, .. }) => {
            partial.write(durable, b"abc").expect("in order");
            partial.detach().expect("safe");
            durable
        }
        other => panic!("{other:?}"),
    };
    assert_eq!((durable(), durable()), (0, 3));
    fs::rename(rig.dir.path().join(".bowline"), rig.dir.path().join("moved")).expect("moved");
    assert_eq!((durable(), durable()), (0, 3));
    fs::remove_dir_all(rig.dir.path().join(".bowline")).expect("removed");
    assert_eq!((durable(), durable()), (0, 3));
}
