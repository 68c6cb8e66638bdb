//! A process is killed at each system call that changes something, on a real disk; then another one recovers.

use super::power::fast_folder;
use super::sender::{Sender, flushed_twice, in_many_links};
use super::*;
use crate::sys::doom;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Output};

/// The work of a process that does not live to see its end.
struct Story {
    name: &'static str,
    config: fn(&mut Config),
    /// What an earlier process has left behind.
    before: fn(&DiskStore, &mut Sender),
    tell: fn(&DiskStore, &mut Sender) -> Result<(), StoreError>,
    /// What has the name beforehand.
    old: Option<&'static [u8]>,
    /// Finished files belong on another file system.
    is_far: bool,
}

const PLAIN: Story =
    Story { name: "", config: |_| {}, before: |_, _| {}, tell: flushed_twice, old: None, is_far: false };

const STORIES: [Story; 9] = [
    Story { name: "upload", ..PLAIN },
    Story { name: "no journal afterwards", config: |config| config.keep_committed = None, ..PLAIN },
    Story { name: "small file", tell: |store, sender| sender.finish(store), ..PLAIN },
    Story {
        name: "replacement",
        config: |config| config.overwrite = true,
        old: Some(b"what was there before"),
        ..PLAIN
    },
    Story { name: "another file system", is_far: true, ..PLAIN },
    Story { name: "many links", tell: in_many_links, ..PLAIN },
    Story { name: "resumed", before: half, tell: |store, sender| sender.finish(store), ..PLAIN },
    Story { name: "begun anew", before: half, tell: restart, ..PLAIN },
    Story { name: "swept", before: half, tell: sweep, ..PLAIN },
];

/// An earlier process has received the beginning, and some bytes that were not made safe.
fn half(store: &DiskStore, sender: &mut Sender) {
    let mut partial = sender.attach(store).expect("attached").expect("nothing there yet");
    sender.write(&mut partial, 70_000).expect("in order");
    sender.flush(&mut partial).expect("safe");
    sender.write(&mut partial, 10_000).expect("in order");
}

fn restart(store: &DiskStore, sender: &mut Sender) -> Result<(), StoreError> {
    (sender.mode, sender.safe) = (Mode::Restart, 0);
    flushed_twice(store, sender)
}

/// Removes what has expired, and nearly finishes another file, for the next sweep.
fn sweep(store: &DiskStore, sender: &mut Sender) -> Result<(), StoreError> {
    store.sweep(day(1000), 100)?;
    (sender.safe, sender.seen) = (0, 0);
    flushed_twice(store, sender)
}

impl Story {
    fn sender(&self) -> Sender {
        let file = if self.old.is_some() { "a" } else { "d/a" };
        Sender::new(file, content(if self.name == "small file" { 1000 } else { 2 * 65_536 + 30_077 }))
    }

    fn store(&self, dir: &Path) -> DiskStore {
        let mut config = Config::default();
        (self.config)(&mut config);
        let faults = if self.is_far { Faults::new(Arc::new(Far::default())) } else { Faults::default() };
        DiskStore::open_with(dir, config, faults).expect("a store")
    }

    /// Kills a process at each call, until one gets to its end.
    fn survives(&self) {
        for calls in 0.. {
            if self.survives_at(calls) {
                assert!(calls > 10, "the story has calls");
                return;
            }
        }
    }

    fn survives_at(&self, calls: u32) -> bool {
        let dir = fast_folder();
        let mut sender = self.sender();
        let path = dir.path().join(sender.spec.name.as_str());
        if let Some(old) = self.old {
            fs::write(&path, old).expect("written");
        }
        (self.before)(&self.store(dir.path()), &mut sender);
        let Output { status, stdout, stderr } = self.told_by_a_process(dir.path(), calls);
        let case = format!("\"{}\", killed at call {calls}, {status}", self.name);
        assert!(
            status.success() || status.signal() == Some(9),
            "{case}: {}",
            String::from_utf8_lossy(&stderr)
        );
        if matches!(self.name, "begun anew" | "swept") {
            // What was promised before was given up on purpose.
            sender.safe = 0;
        }
        sender.learn(&String::from_utf8_lossy(&stdout));

        // A reader of the name sees a complete file or none.
        match fs::read(&path) {
            Ok(found) => assert!(Some(&*found) == self.old || found == sender.data, "half a file: {case}"),
            Err(_) => assert!(self.old.is_none() && !sender.done, "no file: {case}"),
        }
        let store = self.store(dir.path());
        sender.finish(&store).unwrap_or_else(|e| panic!("{e}: {case}"));
        assert!(fs::read(&path).expect("the file") == sender.data, "another file: {case}");
        for late in [2000, 3000] {
            store.sweep(day(late), 100).expect("swept");
        }
        assert_eq!(files(dir.path()), [sender.spec.name.as_str()], "left over: {case}");
        assert!(!dir.path().join(".bowline").exists(), "left over: {case}");
        status.success()
    }

    fn told_by_a_process(&self, dir: &Path, calls: u32) -> Output {
        Command::new(std::env::current_exe().expect("a path"))
            .args([
                "--exact",
                "tests::killed::one_that_is_to_die",
                "--ignored",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("STORY", self.name)
            .env("FOLDER", dir)
            .env("CALLS", calls.to_string())
            .output()
            .expect("it was started")
    }
}

/// The first step to each place leads to another file system.
#[derive(Default)]
struct Far(Mutex<usize>);

impl Disk for Far {
    fn before(&self, op: Op) -> io::Result<()> {
        let mut places = self.0.lock().expect("no panic");
        *places += usize::from(op == Op::Place);
        if op == Op::Place && *places % 2 == 1 { Err(io::ErrorKind::CrossesDevices.into()) } else { Ok(()) }
    }
}

/// The process that is killed.
#[test]
#[ignore = "only a test that starts it with a story to tell can run it"]
fn one_that_is_to_die() {
    let env = |name| std::env::var(name).expect("who starts it sets it");
    let story = STORIES.iter().find(|story| story.name == env("STORY")).expect("one of them");
    let store = story.store(Path::new(&env("FOLDER")));
    let mut sender = story.sender();
    sender.prints = true;
    doom::seal(env("CALLS").parse().expect("a number"));
    (story.tell)(&store, &mut sender).expect("nothing fails but the process");
}

#[test]
#[ignore = "has to run alone: between fork and exec, what it starts holds a copy of every lock of the tests beside it"]
fn a_process_that_is_killed_at_any_call_loses_nothing_that_it_promised() {
    for story in STORIES {
        story.survives();
    }
}
