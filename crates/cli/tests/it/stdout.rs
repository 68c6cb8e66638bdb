//! What happens to a command whose stdout accepts no more.

use crate::common::{World, bytes};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The exit code and the stderr of a command that prints there.
fn printing(command: &mut Command, stdout: impl Into<Stdio>) -> (Option<i32>, String) {
    let done = command.stdout(stdout).output().expect("it starts");
    (done.status.code(), String::from_utf8(done.stderr).expect("UTF-8"))
}

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("Linux has it")
}

#[test]
fn a_full_disk_behind_stdout_is_reported_once_and_is_a_failure() {
    let world = World::new();
    world.file("a", 100_000);
    let server = world.serve(&[]);
    let fetched = format!("{}/a", server.url);
    for words in [
        &["send", "a", &server.url, "--json"][..],
        &["fetch", &fetched, "-o", "b", "--json"],
        &["probe", &server.url, "--json"],
        &["watch", &server.url, "--for", "1s", "--json"],
        &["completions", "bash"],
        &["man"],
        &["--help"],
        &["send", "--help"],
        &["--version"],
    ] {
        let (code, said) = printing(&mut world.bowline(words), full());
        assert_eq!(code, Some(1), "{words:?}: {said}");
        assert_eq!(
            said, "bowline: stdout accepts no more: No space left on device (os error 28)\n",
            "{words:?}"
        );
    }
    assert!(world.inbox("a") == bytes("a", 100_000), "the file has gone on");
}

#[test]
fn a_demo_that_nobody_can_read_is_a_failure() {
    for json in [&["--json"][..], &[]] {
        let world = World::new();
        let (code, said) = printing(world.bowline(["demo", "--size", "100k"]).args(json), full());
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("stdout accepts no more"), "{said}");
    }
}

#[test]
fn a_reader_that_has_gone_is_not_a_failure() {
    let world = World::new();
    world.file("a", 100_000);
    let server = world.serve(&[]);
    for words in
        [&["send", "a", &server.url, "--json"][..], &["completions", "bash"], &["--help"], &["--version"]]
    {
        let (reader, writer) = UnixStream::pair().expect("two ends");
        drop(reader);
        assert_eq!(
            printing(&mut world.bowline(words), OwnedFd::from(writer)),
            (Some(0), String::new()),
            "{words:?}"
        );
    }
    assert!(world.inbox("a") == bytes("a", 100_000));
}

#[test]
fn a_watch_that_nobody_can_read_ends() {
    let world = World::new();
    let server = world.serve(&[]);
    let (reader, gone) = UnixStream::pair().expect("two ends");
    drop(reader);
    for (stdout, code) in [(Stdio::from(OwnedFd::from(gone)), 0), (full().into(), 1)] {
        let began = Instant::now();
        let watch = ["watch", &server.url, "--for", "10m", "--json"];
        let (ended, said) = printing(&mut world.bowline(watch), stdout);
        assert_eq!(ended, Some(code), "{said}");
        assert!(began.elapsed() < Duration::from_secs(300), "it went on until its time was over");
    }
}
