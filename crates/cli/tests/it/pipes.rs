//! What comes through stdin: its length is unknown, and it cannot be read again.

use crate::common::{LIMIT, Process, Relay, Signal, World, bytes};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{ChildStdin, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const BIG: usize = 8_000_000;

/// Sends what is written into the pipe, slowly enough for the transfer to have a middle.
fn send(world: &World, url: &str) -> (Process, ChildStdin) {
    let args = ["send", "-", url, "--name", "piped", "--json", "--limit-rate", "1200k"];
    let mut sender = Process::start(world.bowline(args).stdin(Stdio::piped()));
    let stdin = sender.stdin();
    (sender, stdin)
}

/// Writes all of it on a thread of its own, like the program before a pipe.
fn write(mut stdin: ChildStdin) {
    thread::spawn(move || {
        // The reader may have been told to go.
        let _ = stdin.write_all(&bytes("piped", BIG));
    });
}

fn reached(number: u64) -> impl Fn(&Value) -> bool {
    move |event| event["received"].as_u64() >= Some(number)
}

fn safe(number: u64) -> impl Fn(&Value) -> bool {
    move |event| event["durable"].as_u64() >= Some(number)
}

/// Waits until a server holds no part of a file.
fn assert_nothing_is_left(world: &World) {
    fn parts(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).into_iter().flatten().map_while(Result::ok);
        let count = |path: &Path| {
            usize::from(path.extension().is_some_and(|extension| extension == "part")) + parts(path)
        };
        entries.map(|entry| count(&entry.path())).sum()
    }
    let (staging, began) = (world.path("inbox/.bowline"), Instant::now());
    while parts(&staging) > 0 {
        assert!(began.elapsed() < LIMIT, "a part is left");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_pipe_arrives_whole_over_connections_that_are_cut() {
    let world = World::new();
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let (mut sender, stdin) = send(&world, &relay.url);
    write(stdin);
    for place in [1_000_000, 3_000_000] {
        let told = sender.event(reached(place));
        assert!(told["bytes"].is_null() && told["seconds_left"].is_null(), "{told}");
        relay.cut();
    }
    let done = sender.event(|event| event["event"] == "done");
    assert_eq!((&done["links"], &done["bytes"]), (&Value::from(3), &Value::from(BIG)), "{done}");
    assert_eq!(sender.finish().code, Some(0));
    assert!(world.inbox("piped") == bytes("piped", BIG));
}

#[test]
fn a_server_that_was_killed_resumes_a_pipe_from_its_safe_bytes() {
    let world = World::new();
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let (mut sender, stdin) = send(&world, &relay.url);
    write(stdin);
    sender.event(safe(2_000_000));
    server.process.kill();
    let server = world.serve(&[]);
    relay.lead_to(server.address());
    assert_eq!(sender.finish().code, Some(0));
    assert!(world.inbox("piped") == bytes("piped", BIG));
}

#[test]
fn a_server_that_has_lost_safe_bytes_is_reported_in_one_sentence() {
    let world = World::new();
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let (mut sender, stdin) = send(&world, &relay.url);
    write(stdin);
    sender.event(safe(2_000_000));
    server.process.kill();
    fs::remove_dir_all(world.path("inbox/.bowline")).expect("it was there");
    let server = world.serve(&[]);
    relay.lead_to(server.address());
    let done = sender.finish();
    assert_eq!(done.code, Some(1), "{done:?}");
    let words = "bowline: piped: the other side does not have what it said it had, and a pipe cannot be read again \
                 (0 bytes are there of ";
    assert!(done.stderr.starts_with(words) && done.stderr.lines().count() == 1, "{done:?}");
    assert_nothing_is_left(&world);
}

#[test]
fn a_pipe_of_nothing_is_an_empty_file() {
    let world = World::new();
    let server = world.serve(&[]);
    let (sender, stdin) = send(&world, &server.url);
    drop(stdin);
    assert_eq!(sender.finish().code, Some(0));
    assert_eq!(world.inbox("piped"), b"");
}

#[test]
fn small_writes_to_a_pipe_are_sent_at_once() {
    let world = World::new();
    let server = world.serve(&[]);
    let (mut sender, mut stdin) = send(&world, &server.url);
    for (line, upto) in [("one\n", 4), ("two\n", 8), ("three\n", 14)] {
        stdin.write_all(line.as_bytes()).expect("it is read");
        sender.event(reached(upto));
    }
    drop(stdin);
    assert_eq!(sender.finish().code, Some(0));
    assert_eq!(world.inbox("piped"), b"one\ntwo\nthree\n");
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn an_interrupted_pipe_leaves_nothing_and_says_so() {
    let world = World::new();
    let server = world.serve(&[]);
    let (mut sender, stdin) = send(&world, &server.url);
    write(stdin);
    sender.event(safe(2_000_000));
    sender.signal(Signal::INT);
    let done = sender.finish();
    assert_eq!(done.code, Some(130), "{done:?}");
    assert_eq!(done.stderr, "bowline: interrupted; nothing that came through stdin is kept\n");
    assert_nothing_is_left(&world);
    assert!(!world.path("inbox/piped").exists());
}

#[test]
#[cfg_attr(windows, ignore = "there are no signals")]
fn an_interrupted_pipe_to_a_server_that_is_gone_does_not_say_that_nothing_is_kept() {
    let world = World::new();
    let server = world.serve(&[]);
    let (mut sender, stdin) = send(&world, &server.url);
    write(stdin);
    sender.event(safe(2_000_000));
    server.process.kill();
    sender.event(|event| event["state"] == "unreachable");
    sender.signal(Signal::INT);
    let done = sender.finish();
    assert_eq!(done.code, Some(130), "{done:?}");
    let words = "the server cannot be told, so it keeps what came through stdin until that expires\n";
    assert!(done.stderr.ends_with(words), "{done:?}");
}

#[test]
fn a_pipe_that_fills_its_quota_is_refused_and_makes_room() {
    let world = World::new();
    let server = world.serve(&["--quota", "1M"]);
    let (sender, stdin) = send(&world, &server.url);
    write(stdin);
    let done = sender.finish();
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.stderr.contains("0 of 1000000 bytes are taken by other unfinished files, and this one has"),
        "{done:?}"
    );
    assert_nothing_is_left(&world);
    world.file("large", 900_000);
    assert_eq!(world.run(["send", "large", &server.url]).code, Some(0));
}

#[test]
fn a_pipe_is_refused_a_taken_name() {
    let world = World::new();
    world.file("inbox/piped", 10);
    let server = world.serve(&[]);
    let (sender, stdin) = send(&world, &server.url);
    write(stdin);
    let done = sender.finish();
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("the server has another file of that name"), "{done:?}");
    assert_eq!(world.inbox("piped"), bytes("inbox/piped", 10));
}
