//! A file that changes is never sent half old and half new, and its sender stores nothing but a key.

use crate::common::{Process, Server, World, bytes};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime};

const BIG: usize = 8_000_000;
const SLOW: [&str; 3] = ["--limit-rate", "1200k", "--json"];

/// What may happen to a file between two checks of it, and what its bytes are then.
type Change = fn(&Path) -> Vec<u8>;

const CHANGES: &[(&str, Change)] = &[
    // Only Unix reports when a file was changed without its time.
    #[cfg(unix)]
    ("other bytes under the same size and time", |path| {
        let time = fs::metadata(path).and_then(|meta| meta.modified()).expect("a time");
        let new = bytes("other", BIG);
        fs::write(path, &new).expect("writable");
        File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("set");
        new
    }),
    ("more bytes", |path| {
        let new = bytes("longer", BIG + 1000);
        fs::write(path, &new).expect("writable");
        new
    }),
    ("fewer bytes", |path| {
        let new = bytes("shorter", BIG - 1000);
        fs::write(path, &new).expect("writable");
        new
    }),
    ("another time", |path| {
        let later = SystemTime::now() + Duration::from_secs(5);
        File::options().write(true).open(path).and_then(|file| file.set_modified(later)).expect("set");
        fs::read(path).expect("readable")
    }),
    ("another file under the name", |path| {
        let (old, time) =
            (fs::read(path).expect("readable"), fs::metadata(path).expect("it is there").modified());
        let new: Vec<u8> = old.iter().map(|byte| byte ^ 1).collect();
        let beside = path.with_extension("new");
        fs::write(&beside, &new).expect("writable");
        File::options().write(true).open(&beside).and_then(|file| file.set_modified(time?)).expect("set");
        fs::rename(&beside, path).expect("renamed over");
        new
    }),
];

/// A sender in the middle of a file.
fn middle(world: &World, server: &Server) -> Process {
    let args = ["send", "big", &server.url];
    let mut sender = Process::start(&mut world.bowline(args.iter().chain(&SLOW)));
    sender.middle();
    sender
}

#[test]
fn a_file_that_changed_while_its_sender_was_dead_is_sent_as_it_is_now() {
    for &(what, change) in CHANGES {
        let world = World::new();
        let path = world.file("big", BIG);
        let server = world.serve(&[]);
        middle(&world, &server).kill();
        let new = change(&path);
        let again = world.run(["send", "big", &server.url]);
        assert_eq!(again.code, Some(0), "{what}: {again:?}");
        assert!(world.inbox("big") == new, "{what}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_sent_arrives_whole_or_not_at_all() {
    for &(what, change) in CHANGES {
        let world = World::new();
        let path = world.file("big", BIG);
        let old = fs::read(&path).expect("readable");
        let server = world.serve(&[]);
        let sender = middle(&world, &server);
        let new = change(&path);
        let done = sender.finish();
        let arrived = world.path("inbox/big").exists().then(|| world.inbox("big"));
        if done.code == Some(0) {
            // The file that was opened had not changed: by now, only its name refers to another one.
            assert!(arrived.as_ref() == Some(&old), "{what}: neither old nor nothing");
        } else {
            assert_eq!(done.code, Some(1), "{what}: {done:?}");
            assert!(done.stderr.contains("changed"), "{what}: {done:?}");
            assert!(arrived.is_none(), "{what}");
        }
        if arrived.is_none() {
            assert_eq!(world.run(["send", "big", &server.url]).code, Some(0), "{what}");
            assert!(world.inbox("big") == new, "{what}");
        }
    }
}

#[test]
fn a_client_is_told_to_fetch_again_when_the_file_has_changed() {
    let world = World::new();
    let path = world.file("inbox/big", BIG);
    let server = world.serve(&[]);
    let (url, place) = (format!("{}/big", server.url), world.path("copy"));
    let mut fetch = Process::start(&mut world.bowline(["fetch", &url, "-o", "copy"].iter().chain(&SLOW)));
    fetch.middle();
    fs::write(&path, bytes("other", BIG)).expect("writable");
    let done = fetch.finish();
    let words = "bowline: big: the file has changed on the server; fetch it again\n";
    assert!(done.code == Some(1) && done.stderr == words && !place.exists(), "{done:?}");

    assert_eq!(world.run(["fetch", &url, "-o", "copy"]).code, Some(0));
    assert!(fs::read(place).expect("it is there") == bytes("other", BIG));
}

#[test]
fn a_part_that_is_removed_during_a_fetch_is_fetched_again() {
    let world = World::new();
    world.file("inbox/big", BIG);
    let server = world.serve(&[]);
    let url = format!("{}/big", server.url);
    let mut fetch = Process::start(&mut world.bowline(["fetch", &url, "-o", "copy"].iter().chain(&SLOW)));
    fetch.middle();
    // A file that is put into it meanwhile keeps it there.
    while let Err(error) = fs::remove_dir_all(world.path(".bowline")) {
        assert_eq!(error.kind(), ErrorKind::DirectoryNotEmpty);
    }
    let done = fetch.finish();
    let is_told = done.stdout.contains("(somebody has removed what had arrived)");
    assert!(done.code == Some(0) && is_told, "{done:?}");
    assert!(fs::read(world.path("copy")).expect("it is there") == world.inbox("big"));
}

#[test]
fn a_sender_leaves_nothing_behind_but_its_key_and_what_it_knows_of_the_path() {
    let world = World::new();
    world.file("docs/big", BIG);
    let server = world.serve(&[]);
    let listed = |dir: &str| {
        let entries = fs::read_dir(world.path(dir)).expect("a folder");
        let mut names: Vec<_> =
            entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
        names.sort();
        names
    };
    let args = ["send", "docs/big", &server.url];
    let mut sender = Process::start(&mut world.bowline(args.iter().chain(&SLOW)));
    sender.middle();
    sender.kill();
    assert_eq!(listed("docs"), ["big"], "after a crash");
    assert_eq!(listed("state"), ["secret"], "after a crash");
    assert_eq!(world.run(["send", "docs/big", &server.url]).code, Some(0));
    assert_eq!(listed("docs"), ["big"]);
    let state = listed("state");
    assert!(state.iter().all(|name| name == "secret" || name == "paths"), "{state:?}");
}
