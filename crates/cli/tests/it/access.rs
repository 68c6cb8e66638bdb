//! What tokens allow, where they come from, and what changes while a server runs.

use crate::common::{LIMIT, Process, Server, Signal, World, bytes};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Instant;

fn write_private(world: &World, name: &str, text: &str) {
    let path = world.path(name);
    fs::write(&path, text).expect("writable");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("ours");
}

/// Waits until the server behaves differently from before.
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < LIMIT, "{what}");
    }
}

fn stop(server: Server) -> String {
    server.process.signal(Signal::INT);
    server.process.finish().stderr
}

#[test]
fn each_token_allows_what_its_line_says() {
    let world = World::new();
    write_private(&world, "who", "alice eins send folder=alice\nbob zwei fetch\n");
    world.file("a", 1000);
    let server = world.serve(&["--tokens", "who"]);
    let name = |name: &str| format!("{}/{name}", server.url);
    let run = |args: &[&str], token| Process::start(world.bowline(args).env("BOWLINE_TOKEN", token)).finish();
    assert_eq!(run(&["send", "a", &server.url], "eins").code, Some(0));
    assert!(world.inbox("alice/a") == bytes("a", 1000));
    let refused = run(&["fetch", &name("a"), "-o", "back"], "eins");
    assert!(refused.stderr.contains("you may not fetch files from this server"), "{refused:?}");
    world.file("inbox/alice/b", 10);
    world.file("b", 20);
    assert_eq!(run(&["send", "b", &server.url], "eins").code, Some(1));
    let refused = run(&["send", "a", &server.url], "zwei");
    assert!(refused.stderr.contains("you may not send files to this server"), "{refused:?}");
    assert_eq!(run(&["fetch", &name("alice/a"), "-o", "back"], "zwei").code, Some(0));
    let told = stop(server);
    assert!(told.contains("received alice/a: 1000 B from alice at 127.0.0.1:"), "{told}");
    assert!(told.contains("not transferred: alice/b with alice at 127.0.0.1:"), "{told}");
    assert!(told.contains("not transferred: alice/a with alice at 127.0.0.1:"), "{told}");
    assert!(told.contains("not transferred: a with bob at 127.0.0.1:"), "{told}");
    assert!(told.contains("sent alice/a: 1000 B to bob at 127.0.0.1:"), "{told}");
    assert!(!told.contains("eins") && !told.contains("zwei"), "{told}");
}

#[test]
fn a_server_may_do_only_one_of_the_two() {
    let world = World::new();
    world.file("a", 10);
    world.file("inbox/b", 10);
    let (reads, writes) = (world.serve(&["--read-only"]), world.serve(&["--write-only"]));
    let send = |url: &str| world.run(["send", "a", url]);
    let fetch = |url: &str| world.run(["fetch", &format!("{url}/b"), "-o", "back"]);
    let refused = send(&reads.url);
    assert!(refused.code == Some(1) && refused.stderr.contains("may not send"), "{refused:?}");
    assert_eq!(fetch(&reads.url).code, Some(0));
    assert_eq!(send(&writes.url).code, Some(0));
    let refused = fetch(&writes.url);
    assert!(refused.code == Some(1) && refused.stderr.contains("may not fetch"), "{refused:?}");
}

#[test]
fn tokens_that_change_count_without_a_restart_and_a_transfer_goes_on() {
    let world = World::new();
    write_private(&world, "who", "alice first\n");
    write_private(&world, "token", "first\n");
    world.file("a", 3_000_000);
    let server = world.serve(&["--tokens", "who", "--limit-rate", "500k"]);
    let mut sending =
        Process::start(&mut world.bowline(["send", "a", &server.url, "--token-file", "token", "--json"]));
    sending.middle();
    // So that it is not over in the meantime.
    sending.signal(Signal::USR1);
    sending.event(|event| event["stage"] == "paused");
    write_private(&world, "token", "second\n");
    write_private(&world, "who", "alice\n");
    server.process.signal(Signal::HUP);
    write_private(&world, "who", "alice second\n");
    server.process.signal(Signal::HUP);
    sending.event(|event| event["event"] == "link" && event["state"] == "down");
    sending.signal(Signal::USR2);
    let done = sending.event(|event| event["event"] == "done");
    assert_eq!((done["links"].as_u64(), done["bytes"].as_u64()), (Some(2), Some(3_000_000)));
    assert!(world.inbox("a") == bytes("a", 3_000_000));
    let probe = |token| {
        Process::start(world.bowline(["probe", &server.url]).env("BOWLINE_TOKEN", token)).finish().code
    };
    assert_eq!((probe("second"), probe("first")), (Some(0), Some(1)));
    let told = stop(server);
    assert!(told.contains("the list of tokens was read again") && !told.contains("nothing"), "{told}");
}

#[test]
fn a_server_with_nothing_to_reload_survives_a_hangup() {
    let world = World::new();
    let (server, url, mut words) = world.serve_aloud(&[]);
    server.signal(Signal::HUP);
    words.until("there is nothing to read again");
    let probe = || Process::start(&mut world.bowline(["probe", &url])).finish().code;
    assert_eq!((probe(), probe()), (Some(0), Some(0)));
}

#[test]
fn a_list_that_cannot_be_read_changes_nothing() {
    let world = World::new();
    write_private(&world, "who", "alice one\n");
    let (server, url, mut words) = world.serve_aloud(&["--tokens", "who"]);
    write_private(&world, "who", "alice\n");
    server.signal(Signal::HUP);
    words.until(
        "who: line 1: it has only one word; a name and a token are needed; the list of tokens stays as it was",
    );
    let probe = Process::start(world.bowline(["probe", &url]).env("BOWLINE_TOKEN", "one")).finish();
    assert_eq!(probe.code, Some(0), "the old list counts: {probe:?}");
}

#[test]
fn tokens_come_from_the_environment_as_well() {
    let world = World::new();
    world.file("a", 10);
    let args = ["serve", "--listen", "127.0.0.1:0", "--dir", "inbox"];
    let mut command = world.bowline(args);
    let mut process = Process::start(command.env("BOWLINE_TOKENS", "alice one send\npublic - fetch"));
    let line = process.line().expect("it listens");
    let url = line.strip_prefix("listening on ").expect("the agreed words");
    assert_eq!(world.run(["send", "a", url, "--token", "one"]).code, Some(0));
    assert_eq!(world.run(["fetch", &format!("{url}/a"), "-o", "back"]).code, Some(0));
    let refused = world.run(["send", "a", url]);
    assert!(refused.code == Some(1) && refused.stderr.contains("may not send"), "{refused:?}");
    assert_eq!(world.run(["send", "a", url, "--token", "two"]).code, Some(1));
}

#[test]
fn lines_that_cannot_be_read_open_no_server() {
    let world = World::new();
    let mut command = world.bowline(["serve", "--check"]);
    let lines = OsStr::from_bytes(b"# caf\xe9\nalice one");
    let done = Process::start(command.env("BOWLINE_TOKENS", lines)).finish();
    assert_eq!((done.code, &done.stdout[..]), (Some(2), ""), "{done:?}");
    assert_eq!(done.stderr, "bowline: BOWLINE_TOKENS: it is not UTF-8\n");
}

#[test]
fn a_secret_that_everybody_can_read_is_warned_of() {
    let world = World::new();
    world.file("a", 10);
    for (name, text) in [("who", "alice one"), ("token", "one"), ("settings", "[send]\ntoken = \"one\"\n")] {
        fs::write(world.path(name), text).expect("writable");
        fs::set_permissions(world.path(name), Permissions::from_mode(0o644)).expect("ours");
    }
    let server = world.serve(&["--tokens", "who"]);
    let warning = |name| format!("every user of this machine can read {name}; chmod 600 {name}\n");
    let sent = world.run(["send", "a", &server.url, "--token-file", "token"]);
    assert!(sent.code == Some(0) && sent.stderr.starts_with(&warning("token")), "{sent:?}");
    let sent = world.run(["send", "a", &server.url, "--config", "settings"]);
    assert!(sent.code == Some(0) && sent.stderr.starts_with(&warning("settings")), "{sent:?}");
    let sent = world.run(["send", "a", &server.url, "--config", "settings", "--quiet"]);
    assert_eq!((sent.code, sent.stderr.as_str()), (Some(0), ""));
    assert!(stop(server).starts_with(&warning("who")));
    let sent = world.run(["send", "a", "ws://127.0.0.1:1", "--token-file", "nowhere"]);
    assert!(sent.code == Some(1) && sent.stderr.starts_with("bowline: nowhere: "), "{sent:?}");
}

/// A list that comes through a pipe shows when a server reads it, and makes the server wait.
#[test]
#[cfg(not(target_vendor = "apple"))]
fn a_hangup_during_the_start_does_not_end_the_server() {
    use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, open};
    let world = World::new();
    let tokens = world.path("tokens");
    mknodat(CWD, &tokens, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made");
    // This works as soon as somebody reads.
    let write = || open(&tokens, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()).map(fs::File::from);
    let serve = ["serve", "--listen", "127.0.0.1:0", "--dir", "inbox", "--tokens", "tokens"];
    let mut server = Process::start(&mut world.bowline(serve));
    let mut list = None;
    eventually("the list is read", || {
        list = write().ok();
        list.is_some()
    });
    server.signal(Signal::HUP);
    list.expect("opened").write_all(b"alice one\n").expect("read");
    assert!(server.line().is_some_and(|line| line.starts_with("listening on ")));
    eventually("it is read again, as was asked for", || write().is_ok());
}
