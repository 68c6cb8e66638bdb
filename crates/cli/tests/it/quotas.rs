//! Who may connect to a server, and how much a client may leave there.

use crate::common::{Process, World, bytes};
use std::fs;

#[test]
fn a_file_larger_than_the_quota_is_refused_with_both_numbers() {
    let world = World::new();
    world.file("big", 5001);
    world.file("small", 5000);
    let server = world.serve(&["--quota", "5k"]);
    let refused = world.run(["send", "big", &server.url]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let why = "larger than the whole quota; send it in smaller files, or raise the quota (0 of 5000 bytes are taken by \
               unfinished files, 5001 more are needed)";
    assert!(refused.stderr.contains(why), "{refused:?}");
    assert_eq!(world.run(["send", "small", &server.url]).code, Some(0));
}

#[test]
fn files_of_one_command_wait_for_each_other_where_they_fill_the_quota() {
    let world = World::new();
    for n in 0..20 {
        world.file(&format!("many/{n}"), 30_000);
    }
    let server = world.serve(&["--quota", "50k"]);
    let done = world.run(["send", "many", &server.url]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(fs::read_dir(world.path("inbox/many")).expect("listed").count(), 20);
}

#[test]
fn each_token_has_a_quota_of_its_own() {
    let world = World::new();
    fs::write(world.path("who"), "alice one quota=500k\nbob two\n").expect("writable");
    world.file("a", 400_000);
    world.file("b", 400_000);
    let server = world.serve(&["--tokens", "who"]);
    let hers = ["send", "a", &server.url, "--token", "one"];
    // It continues for ten seconds.
    let mut first = Process::start(&mut world.bowline(hers.iter().chain(&["--json", "--limit-rate", "40k"])));
    first.event(|event| event["event"] == "progress" && event["bytes"].as_u64() > Some(0));
    let mut second =
        Process::start(&mut world.bowline(["send", "b", &server.url, "--token", "one", "--json"]));
    let waits = second.event(|event| event["event"] == "retrying");
    let why = "(400000 of 500000 bytes are taken by unfinished files, 400000 more are needed)";
    assert!(waits["why"].as_str().is_some_and(|said| said.contains(why)), "{waits}");
    second.kill();
    assert_eq!(world.run(["send", "b", &server.url, "--token", "two"]).code, Some(0));
    first.kill();
    assert_eq!(world.run(hers).code, Some(0));
    let stranger = world.run(["send", "b", &server.url, "--token", "three"]);
    assert_eq!(stranger.code, Some(1), "{stranger:?}");
    assert!(world.inbox("a") == bytes("a", 400_000) && world.inbox("b") == bytes("b", 400_000));
}

#[test]
fn an_unreadable_file_of_tokens_is_reported() {
    let world = World::new();
    fs::write(world.path("who"), "alice\n").expect("writable");
    let served = world.run(["serve", "--listen", "127.0.0.1:0", "--tokens", "who"]);
    assert_eq!(served.code, Some(2), "{served:?}");
    assert!(
        served
            .stderr
            .ends_with("bowline: who: line 1: it has only one word; a name and a token are needed\n"),
        "{served:?}"
    );
    let served = world.run(["serve", "--listen", "127.0.0.1:0", "--tokens", "nowhere"]);
    assert_eq!(served.code, Some(1), "{served:?}");
    assert!(served.stderr.starts_with("bowline: nowhere: "), "{served:?}");
}
