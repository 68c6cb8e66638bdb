//! What happens to a command whose output nobody reads.

use crate::common::{Process, Signal, World};

#[test]
fn a_server_whose_log_nobody_reads_goes_on_and_ends_on_time() {
    let world = World::new();
    for n in 0..300 {
        world.file(&format!("many/{n}"), 1);
    }
    let (server, url, words) = world.serve_aloud(&["-vv"]);
    assert_eq!(world.run(["send", "many", &url]).code, Some(0));
    assert_eq!(world.run(["list", &url]).code, Some(0));
    server.signal(Signal::TERM);
    assert_eq!(server.finish().code, Some(0));
    // Some pages of the pipe have room at their ends.
    let pipe = words.room();
    assert!(words.rest().len() > pipe / 2, "all of it fitted in");
}

/// A folder with this many files, whose names are long.
fn long_names(world: &World, folder: &str, count: usize) {
    let name = "x".repeat(200);
    for n in 0..count {
        world.file(&format!("{folder}/{name}{n}"), 1000);
    }
}

#[test]
fn a_command_whose_output_nobody_reads_ends_with_a_signal() {
    let world = World::new();
    long_names(&world, "inbox", 200);
    let server = world.serve(&[]);
    for args in [&["list", &server.url, "--json"][..], &["list", &server.url, "--report", "/dev/stdout"]] {
        let mut list = Process::start(&mut world.bowline(args));
        list.narrow();
        // It has done everything else, and the pipe has no room for all of it.
        list.line().expect("the first line");
        list.signal(Signal::TERM);
        assert_eq!(list.finish_unread(), Some(130), "{args:?}");
    }
}

#[test]
fn an_interruption_is_reported_only_once() {
    let world = World::new();
    long_names(&world, "many", 200);
    let server = world.serve(&[]);
    let (mut send, mut words) = world.aloud(["send", "many", &server.url, "--json", "--limit-rate", "2k"]);
    send.narrow();
    send.line().expect("a line of the connection");
    send.signal(Signal::INT);
    words.until("interrupted");
    send.signal(Signal::INT);
    assert_eq!(send.finish_unread(), Some(130));
    assert_eq!(words.rest(), "");
}
