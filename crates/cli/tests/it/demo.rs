//! The demo keeps its promise.

use crate::common::World;

#[test]
fn the_demo_ends_with_equal_digests_and_plain_text() {
    let world = World::new();
    let mut command = world.bowline(["demo", "--size", "2MiB", "--seed", "7", "--explain"]);
    let temporary = world.path("tmp");
    std::fs::create_dir(&temporary).expect("a folder");
    let done = crate::common::Process::start(command.env("TMPDIR", &temporary)).finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.starts_with("\nWhat happened since the command started:\n"), "{done:?}");
    assert!(done.stderr.contains("\nConnection 2, from "), "{done:?}");
    assert!(done.stderr.lines().all(|line| line.chars().count() <= 80), "{done:?}");
    assert!(done.stdout.contains("all digests are equal"), "{done:?}");
    for mishap in ["resets the connection", "carries nothing", "goes silent", "slows down", "in the middle"] {
        assert!(done.stdout.contains(mishap), "{mishap}: {done:?}");
    }
    assert!(done.stdout.contains("keepalive ping timeout"), "{done:?}");
    assert!(!done.stdout.contains('\x1b'), "{done:?}");
    assert!(done.stdout.lines().all(|line| line.chars().count() <= 80), "{done:?}");
    assert_eq!(std::fs::read_dir(&temporary).expect("it is there").count(), 0, "something was left behind");
}
