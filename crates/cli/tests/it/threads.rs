//! A system that provides no more threads.

use crate::common::{Process, World};

/// No machine's address space has room for the stack of such a thread.
const STACK: &str = "1152921504606846976";

#[test]
fn a_command_that_gets_no_threads_says_so_and_ends() {
    let world = World::new();
    world.file("a", 1);
    for args in [&["send", "a", "ws://127.0.0.1:1"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let done = Process::start(world.bowline(args).env("RUST_MIN_STACK", STACK)).finish();
        assert_eq!(done.code, Some(1), "{done:?}");
        let line = done.stderr.strip_prefix("bowline: the system allows no more threads: ");
        assert_eq!(line.map(|line| line.lines().count()), Some(1), "{done:?}");
    }
}
