//! Processes that may have only a few files open.

use crate::common::{Process, Server, World, bytes};
use std::fs;
use std::process::Command;

const FILES: usize = 120;
/// As deep as names may be, apart from the folder that contains everything.
const LEVELS: usize = 62;

impl World {
    /// A command that may have this many files open: at its start, and at most.
    fn limited(&self, soft: u32, hard: u32, args: &[&str]) -> Command {
        let mut command = self.under(&limits(soft, hard), args);
        command.env("RUST_LOG", "off");
        command
    }

    fn serve_limited(&self, soft: u32, hard: u32) -> Server {
        self.serve_under(&limits(soft, hard))
    }

    /// A folder of many files, few in each folder.
    fn crowd(&self, folder: &str) {
        for n in 0..FILES {
            self.file(&format!("{folder}/{}/{n}", n / 4), 20_000);
        }
    }

    fn has_crowd(&self, there: &str, folder: &str) {
        for n in 0..FILES {
            let data = fs::read(self.path(there).join(format!("{}/{n}", n / 4))).expect("it arrived");
            assert!(data == bytes(&format!("{folder}/{}/{n}", n / 4), 20_000), "{there}/{n}");
        }
    }

    /// The names of one file before the next folder and one after it, in each folder of a deep tree.
    fn depths() -> impl Iterator<Item = String> {
        (0..LEVELS).flat_map(|level| ["a", "z"].map(|file| format!("{}{file}", "m/".repeat(level))))
    }

    fn has_depths(&self, there: &str) {
        for name in Self::depths() {
            let data = fs::read(self.path(there).join(&name)).expect("it arrived");
            assert!(data == bytes(&format!("deep/{name}"), 100), "{there}/{name}");
        }
    }
}

fn limits(soft: u32, hard: u32) -> String {
    format!("ulimit -Sn {soft} && ulimit -Hn {hard}")
}

#[test]
fn the_soft_limit_is_raised_to_the_hard_one() {
    let world = World::new();
    world.crowd("crowd");
    let server = world.serve_limited(32, 512);
    let args = ["send", "crowd", &server.url, "--limit-rate", "2M"];
    let sent = Process::start(&mut world.limited(32, 512, &args)).finish();
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(!sent.stderr.contains("too many"), "{sent:?}");
    world.has_crowd("inbox/crowd", "crowd");
}

#[test]
fn a_server_that_may_open_few_files_takes_all_of_them_one_after_the_other() {
    let world = World::new();
    world.crowd("a");
    world.crowd("b");
    let server = world.serve_limited(40, 40);
    let send = |folder: &str| {
        Process::start(&mut world.bowline(["send", folder, &server.url, "--limit-rate", "1M"]))
    };
    for sender in [send("a"), send("b")] {
        let sent = sender.finish();
        assert_eq!(sent.code, Some(0), "{sent:?}");
    }
    world.has_crowd("inbox/a", "a");
    world.has_crowd("inbox/b", "b");
}

#[test]
fn a_client_that_may_open_few_files_sends_and_fetches_all_of_them() {
    let world = World::new();
    world.crowd("crowd");
    let server = world.serve(&[]);
    let sent = Process::start(&mut world.limited(30, 30, &["send", "crowd", &server.url])).finish();
    assert_eq!(sent.code, Some(0), "{sent:?}");
    world.has_crowd("inbox/crowd", "crowd");
    let args = ["fetch", &format!("{}/crowd", server.url), "-o", "fetched"];
    let fetched = Process::start(&mut world.limited(30, 30, &args)).finish();
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    world.has_crowd("fetched", "crowd");
}

#[test]
fn a_tree_may_be_deeper_than_so_many_files_may_be_open() {
    let world = World::new();
    for name in World::depths() {
        world.file(&format!("deep/{name}"), 100);
    }
    let server = world.serve_limited(40, 40);
    let sent = Process::start(&mut world.limited(40, 40, &["send", "deep", &server.url])).finish();
    assert_eq!(sent.code, Some(0), "{sent:?}");
    world.has_depths("inbox/deep");
    let args = ["fetch", &format!("{}/deep", server.url), "-o", "fetched"];
    let fetched = Process::start(&mut world.limited(40, 40, &args)).finish();
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    world.has_depths("fetched");
}

#[test]
fn a_client_that_may_open_too_few_files_says_so_and_ends() {
    let world = World::new();
    for name in World::depths() {
        world.file(&format!("deep/{name}"), 100);
    }
    let server = world.serve(&[]);
    let args = ["send", "deep", &server.url, "--give-up-after", "4s", "--quiet"];
    let sent = Process::start(&mut world.limited(18, 18, &args)).finish();
    assert_eq!(sent.code, Some(1), "{sent:?}");
    assert!(sent.stderr.contains(": too many files are open, "), "{sent:?}");
    assert!(sent.stderr.contains("; gave up after 4 s ("), "{sent:?}");
}
