//! Processes that may not write long files.

use crate::common::{Process, World, bytes};
use std::fs;

/// In blocks, whose size depends on the shell: a few MiB at most.
const LIMIT: &str = "ulimit -f 2048";
/// Longer than that.
const LONG: usize = 5_000_000;

const TOO_LONG: &str = "the file is longer than allowed here; use another disk, or let this program write longer files (ulimit -f, LimitFSIZE)";

#[test]
fn a_server_that_may_write_no_long_file_refuses_one_and_takes_others() {
    let world = World::new();
    world.file("long", LONG);
    world.file("short", 1000);
    let server = world.serve_under(LIMIT);
    let refused = world.run(["send", "long", &server.url]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let why = format!("bowline: long: the other side says: {TOO_LONG}");
    assert!(refused.stderr.starts_with(&why), "{refused:?}");
    assert_eq!(world.run(["send", "short", &server.url]).code, Some(0));
    assert!(world.inbox("short") == bytes("short", 1000));
}

#[test]
fn a_client_that_may_write_no_long_file_says_so() {
    let world = World::new();
    world.file("inbox/long", LONG);
    let server = world.serve(&[]);
    let args = ["fetch", &format!("{}/long", server.url), "-o", "fetched"];
    let refused = Process::start(&mut world.under(LIMIT, &args)).finish();
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.starts_with(&format!("bowline: long: {TOO_LONG}")), "{refused:?}");
    assert!(!fs::exists(world.path("fetched")).expect("looked"));
}
