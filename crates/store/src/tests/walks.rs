//! Walks through folders.

use super::*;
use crate::{Found, LeftOut};
use bowline_core::transfer::listing::Entry;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

#[test]
fn a_walk_goes_the_same_way_each_time() {
    let rig = Rig::new();
    for file in ["b/z", "b/a/x", "b-", "b0", "a", "é", "文件/1", "B"] {
        fs::create_dir_all(rig.path(file).parent().expect("a folder")).expect("made");
        fs::write(rig.path(file), file).expect("written");
    }
    fs::create_dir(rig.path("empty")).expect("made");
    let told = |found: Found| match found {
        Found::File(entry) => format!("{} {}", entry.name, entry.length),
        Found::Folder(entry) => format!("{}/", entry.name),
        Found::End(name) => format!("end {name}"),
        Found::LeftOut { path, why } => panic!("{}: {why}", path.display()),
    };
    let whole: Vec<_> = rig.store.walk(None).expect("a folder").map(told).collect();
    let expected = [
        "B 1",
        "a 1",
        "b/",
        "b/a/",
        "b/a/x 5",
        "end b/a",
        "b/z 3",
        "end b",
        "b- 2",
        "b0 2",
        "empty/",
        "end empty",
        "é 2",
        "文件/",
        "文件/1 8",
        "end 文件",
    ];
    assert_eq!(whole, expected);
    let inner: Vec<_> = rig.store.walk(Some(&name("b"))).expect("a folder").map(told).collect();
    assert_eq!(inner, ["a/", "a/x 5", "end a", "z 3"]);
}

#[test]
fn a_file_with_the_name_of_staging_is_reported_as_left_out() {
    let rig = Rig::new();
    fs::write(rig.path(".bowline"), "xyz").expect("written");
    let found: Vec<_> = rig.store.walk(None).expect("a folder").collect();
    let [Found::LeftOut { path, why: why @ LeftOut::Reserved }] = &found[..] else { panic!("{found:?}") };
    assert!(path.as_os_str() == ".bowline" && !why.is_by_nature());
}

#[test]
fn entries_that_cannot_be_sent_are_reported_with_the_reason() {
    use std::os::unix::ffi::OsStrExt as _;
    let rig = Rig::new();
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), "xyz").expect("written");
    rig.begin(1, &spec("z", 3)).detach().expect("staging is there");
    fs::create_dir(rig.path("d")).expect("made");
    symlink(outside.path(), rig.path("d/folder link")).expect("linked");
    symlink(outside.path().join("secret"), rig.path("d/file link")).expect("linked");
    symlink("nowhere", rig.path("d/dangling")).expect("linked");
    fs::write(rig.path("d/a:b"), "").expect("written");
    fs::write(rig.path("d/fine"), "").expect("written");
    let odd = |name: &[u8]| rig.dir.path().join(std::ffi::OsStr::from_bytes(name));
    fs::write(odd(b"d/\xff"), "").expect("written");
    // Nobody would send them under a better name.
    symlink("nowhere", odd(b"d/link \xff")).expect("linked");
    let pipes = [rig.path("d/socket"), odd(b"d/socket \xff")]
        .map(|path| std::os::unix::net::UnixListener::bind(path).expect("bound"));
    let (mut links, mut special, mut staging, mut names, mut fine) = (0, 0, 0, 0, 0);
    for found in rig.store.walk(None).expect("a folder") {
        match found {
            Found::LeftOut { why: LeftOut::Link, .. } => links += 1,
            Found::LeftOut { why: LeftOut::Special, .. } => special += 1,
            Found::LeftOut { why: LeftOut::Staging, .. } => staging += 1,
            Found::LeftOut { path, why: LeftOut::Name(_) } => {
                assert!(path.starts_with("d"), "{}", path.display());
                names += 1;
            }
            Found::File(entry) => {
                assert_eq!(entry.name, name("d/fine"));
                fine += 1;
            }
            Found::Folder(entry) => assert_eq!(entry.name, name("d")),
            Found::End(_) => {}
            other @ Found::LeftOut { .. } => panic!("{other:?}"),
        }
    }
    assert_eq!((links, special, staging, names, fine), (4, 2, 1, 2, 1));
    drop(pipes);
}

#[test]
fn entries_that_vanish_before_the_walk_reaches_them_are_reported() {
    let rig = Rig::new();
    for file in ["a", "b", "d/e"] {
        fs::create_dir_all(rig.path(file).parent().expect("a folder")).expect("made");
        fs::write(rig.path(file), "").expect("written");
    }
    let mut walk = rig.store.walk(None).expect("a folder");
    assert!(matches!(walk.next(), Some(Found::File(entry)) if entry.name == name("a")));
    fs::rename(rig.path("b"), rig.path("c")).expect("moved");
    fs::remove_dir_all(rig.path("d")).expect("removed");
    let vanished = |found| match found {
        Found::LeftOut { path, why: why @ LeftOut::Vanished } if !why.is_by_nature() => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(walk.map(vanished).collect::<Vec<_>>(), ["b", "d"].map(PathBuf::from));
}

#[test]
fn a_walk_stays_where_it_began() {
    let rig = Rig::new();
    let outside = tempfile::tempdir().expect("a folder");
    fs::write(outside.path().join("secret"), "xyz").expect("written");
    for file in ["a/1", "b/2"] {
        fs::create_dir_all(rig.path(file).parent().expect("a folder")).expect("made");
        fs::write(rig.path(file), "").expect("written");
    }
    let mut walk = rig.store.walk(None).expect("a folder");
    assert!(matches!(walk.next(), Some(Found::Folder(entry)) if entry.name == name("a")));
    // Behind its back, everything that it has not seen yet is redirected.
    for file in ["a", "b"] {
        fs::rename(rig.path(file), rig.path(&format!("{file}.old"))).expect("moved");
        symlink(outside.path(), rig.path(file)).expect("linked");
    }
    for found in walk {
        match found {
            Found::File(entry) => {
                assert_eq!(entry.name, name("a/1"), "it is still in the folder that it entered");
            }
            Found::End(_) | Found::LeftOut { why: LeftOut::Link, .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kind(rig.store.source(&name("a/secret"))), ErrorKind::NotFound);
}

/// Sixty nested folders; each has one file before the next folder and one after it.
fn deep(rig: &Rig) -> String {
    let way = vec!["m"; 60].join("/");
    fs::create_dir_all(rig.path(&way)).expect("made");
    for folder in rig.path(&way).ancestors().take(60) {
        fs::write(folder.join("a"), "").expect("written");
        fs::write(folder.join("z"), "").expect("written");
    }
    way
}

/// The files that a walk finds if nothing is left out.
fn files_of(walk: impl Iterator<Item = Found>) -> Vec<Entry> {
    let file = |found| match found {
        Found::File(entry) => Some(entry),
        Found::LeftOut { path, why } => panic!("{}: {why}", path.display()),
        Found::Folder(_) | Found::End(_) => None,
    };
    walk.filter_map(file).collect()
}

#[test]
fn a_walk_comes_back_to_the_folders_that_it_has_closed() {
    let rig = Rig::new();
    let way = deep(&rig);
    let found = files_of(rig.store.walk(None).expect("a folder"));
    let folders: Vec<_> = std::iter::successors(Some(&*way), |way| way.strip_suffix("/m")).collect();
    let before = folders.iter().rev().map(|folder| format!("{folder}/a"));
    let expected: Vec<_> = before.chain(folders.iter().map(|folder| format!("{folder}/z"))).collect();
    assert_eq!(found.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_walk_comes_back_through_no_link() {
    let rig = Rig::new();
    deep(&rig);
    let outside = tempfile::tempdir().expect("a folder");
    fs::create_dir(outside.path().join("m")).expect("made");
    fs::write(outside.path().join("m/z"), "xyz").expect("written");
    let mut walk = rig.store.walk(None).expect("a folder");
    let is_deepest = |found: Found| matches!(found, Found::File(entry) if entry.name.file_name() == "z");
    assert!(walk.any(is_deepest));
    fs::rename(rig.path("m/m"), rig.path("moved")).expect("moved");
    symlink(outside.path(), rig.path("m/m")).expect("linked");
    let is_lost = |found: &Found| {
        matches!(found, Found::LeftOut { path, why: LeftOut::Unreadable(error) }
            if error.kind() == ErrorKind::NotFound && path.ends_with("m/z"))
    };
    let (lost, rest): (Vec<_>, Vec<_>) = walk.partition(is_lost);
    let found = files_of(rest.into_iter());
    assert_eq!(found.len(), 4, "three in folders that are still open, and the one beside the link");
    assert!(found.iter().all(|file| file.length == 0));
    assert_eq!(lost.len(), 55, "what is in the folders between is told");
}
