//! A full disk, at either end: here, a disk that is too small for a file that consists of one hole.

use crate::common::{Done, Server, World, bytes};
use std::fs::{self, File};

/// More than any disk has, and less than the largest file of a file system.
const HUGE: u64 = 8 << 40;

fn world() -> (World, Server) {
    let world = World::new();
    File::create(world.path("huge")).and_then(|file| file.set_len(HUGE)).expect("a hole");
    let server = world.serve(&["--quota", "100000G"]);
    (world, server)
}

fn lines(done: &Done) -> Vec<&str> {
    assert_eq!(done.code, Some(1), "{done:?}");
    done.stderr.lines().collect()
}

#[test]
fn a_full_disk_is_reported_once_and_given_up_in_the_given_time() {
    let (world, server) = world();
    let done = world.run(["send", "huge", &server.url, "--give-up-after", "2s"]);
    let [first, last] = &lines(&done)[..] else { panic!("{done:?}") };
    assert!(first.starts_with("not yet: huge: the other side says: no space left; "), "{done:?}");
    assert!(first.ends_with("; giving up in 2 s"), "{done:?}");
    assert!(last.starts_with("bowline: huge: the other side says: no space left; "), "{done:?}");
    assert!(last.ends_with("; gave up after 2 s; the same command resumes"), "{done:?}");
}

#[test]
fn a_full_disk_here_is_waited_for_too() {
    let world = World::new();
    fs::create_dir(world.path("inbox")).expect("a folder");
    File::create(world.path("inbox/huge")).and_then(|file| file.set_len(HUGE)).expect("a hole");
    let server = world.serve(&[]);
    let done = world.run(["fetch", &format!("{}/huge", server.url), "--give-up-after", "2s"]);
    let [first, last] = &lines(&done)[..] else { panic!("{done:?}") };
    assert!(first.starts_with("not yet: huge: here: no space left; make room for it ("), "{done:?}");
    assert!(first.ends_with("; giving up in 2 s"), "{done:?}");
    assert!(last.starts_with("bowline: huge: here: no space left; make room for it ("), "{done:?}");
    assert!(last.ends_with("; gave up after 2 s; the same command resumes"), "{done:?}");
}

#[test]
fn programs_hear_of_a_full_disk_too() {
    let (world, server) = world();
    let done = world.run(["send", "huge", &server.url, "--give-up-after", "2s", "--json"]);
    assert_eq!(lines(&done).len(), 1, "{done:?}");
    let has = |words: &str| done.stdout.contains(words);
    assert!(has("{\"event\":\"retrying\",\"name\":\"huge\",\"why\":\"the other side says: no space left;"));
    assert!(has(
        "{\"event\":\"failed\",\"name\":\"huge\",\"error\":\"huge: the other side says: no space left"
    ));
}

#[test]
fn a_file_that_has_room_goes_on_beside_one_that_has_none() {
    let (world, server) = world();
    world.file("small", 3_000_000);
    let done =
        world.run(["send", "huge", "small", &server.url, "--give-up-after", "2s", "--limit-rate", "1M"]);
    let last = *lines(&done).last().expect("a line");
    assert!(
        last.ends_with("; gave up after 2 s (1 of 2 files are missing); the same command resumes"),
        "{done:?}"
    );
    assert!(world.inbox("small") == bytes("small", 3_000_000), "it took longer than two seconds");
}
