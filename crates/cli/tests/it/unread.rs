//! What becomes of a command whose words nobody reads.

use crate::common::{Process, Signal, World};

/// How much a pipe holds.
const PIPE: usize = 64 << 10;

#[test]
fn a_server_whose_log_nobody_reads_serves_on_and_ends_in_time() {
    let world = World::new();
    for n in 0..300 {
        world.file(&format!("many/{n}"), 1);
    }
    let (server, url, words) = world.serve_aloud(&["-vv"]);
    assert_eq!(world.run(["send", "many", &url]).code, Some(0));
    assert_eq!(world.run(["list", &url]).code, Some(0));
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code, Some(0));
    // Some of its pages have room at their ends.
    assert!(words.rest().len() > PIPE / 2, "all of it fitted in");
}

#[test]
fn a_command_that_waits_for_whoever_reads_nothing_ends_with_the_second_signal() {
    let world = World::new();
    let name = "x".repeat(200);
    for n in 0..2 * PIPE / name.len() {
        world.file(&format!("inbox/{name}{n}"), 1);
    }
    let server = world.serve(&[]);
    let mut list = Process::start(&mut world.bowline(["list", &server.url, "--json"]));
    // It has done everything else, and the pipe has no room for all of it.
    list.line().expect("an entry");
    list.signal(Signal::INT);
    list.signal(Signal::TERM);
    assert_eq!(list.finish_unread(), Some(130));
}
