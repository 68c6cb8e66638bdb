//! What is told afterwards, by `--explain`.

use crate::common::{Process, Relay, World};
use rustix::process::Signal;
use std::net::TcpListener;

fn is_readable(text: &str) -> bool {
    text.lines().all(|line| line.chars().count() <= 80)
}

#[test]
fn a_send_over_a_link_that_was_cut_tells_the_life_of_both_connections() {
    let world = World::new();
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    world.file("a.bin", 8_000_000);
    let args = ["send", "a.bin", &relay.url, "--json", "--limit-rate", "1500k", "--explain"];
    let mut sender = Process::start(&mut world.bowline(args));
    sender.middle();
    relay.cut();
    let done = sender.finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    let mut rest = done.stderr.as_str();
    for words in [
        "\nWhat happened, from the start of the command on:\n\n      0.",
        &format!("s  dials {}/\n", relay.url),
        "s  connection 1 is up\n",
        "s  connection 1 has ended: no close frame received or sent;",
        "s  connection 2 is up\n",
        "s  sent a.bin: 7.6 MiB in ",
        "s  connection 2 has ended: sent 1000 (OK); then received 1000 (OK)\n",
        "\nConnection 1, from ",
        "s on:\n\n      0.000 s  opened as the client;",
        "\nConnection 2, from ",
        "      0.000 s  opened as the client;",
        "s  we close with 1000",
    ] {
        let found = rest.find(words).unwrap_or_else(|| panic!("{words:?} in\n{rest}\nof\n{}", done.stderr));
        rest = &rest[found + words.len()..];
    }
    assert!(is_readable(&done.stderr), "{}", done.stderr);
    assert!(!done.stderr.contains("gives up"), "{}", done.stderr);
}

#[test]
fn a_fetch_that_fails_tells_what_was_tried_before_it_says_why() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("an address");
    let world = World::new();
    let done = world.run(["fetch", &format!("ws://{address}/a"), "--give-up-after", "1s", "--explain", "-q"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    let (story, error) = done.stderr.trim_end().rsplit_once('\n').expect("lines");
    assert!(error.starts_with("bowline: nobody listens at "), "{done:?}");
    for words in [
        "s  dials ws://",
        "s  not reachable: nobody listens at ",
        "s  waits for ",
        "s  gives up: never connected",
    ] {
        assert!(story.contains(words), "{words:?} in\n{story}");
    }
    assert!(!story.contains("Connection"), "{story}");
    assert!(is_readable(story), "{story}");
}

#[test]
fn a_watch_tells_its_story_when_it_is_ended() {
    let world = World::new();
    let server = world.serve(&[]);
    let mut watch = Process::start(&mut world.bowline(["watch", &server.url, "--json", "--explain"]));
    watch.event(|event| event["state"] == "up");
    watch.signal(Signal::INT);
    let done = watch.finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.starts_with("\nWhat happened, "), "{done:?}");
    assert!(
        done.stderr.contains("connection 1 is up") && done.stderr.contains("\nConnection 1, from"),
        "{done:?}"
    );
    assert!(is_readable(&done.stderr), "{}", done.stderr);
}

#[test]
fn nobody_who_has_not_asked_is_told_a_story() {
    let world = World::new();
    let server = world.serve(&[]);
    world.file("a.bin", 1000);
    let done = world.run(["send", "a.bin", &server.url]);
    assert_eq!((done.code, done.stderr.lines().count()), (Some(0), 1), "{done:?}");
}
