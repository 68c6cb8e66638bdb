//! The store as its users see it, on a disk that fails on command.

mod attaching;
mod clocks;
mod committing;
#[cfg(unix)]
mod comparing;
mod counting;
#[cfg(unix)]
mod descriptors;
mod discarding;
#[cfg(unix)]
mod disks;
mod errors;
mod failing;
#[cfg(unix)]
mod folders;
#[cfg(unix)]
mod killed;
mod listings;
#[cfg(unix)]
mod names;
#[cfg(unix)]
mod power;
mod quotas;
mod races;
mod schedules;
mod sender;
mod split;
mod sweeping;
mod takeover;
#[cfg(unix)]
mod walks;

use crate::fault::{Disk, Faults, Op};
use crate::{Attach, Attached, Config, DiskStore, Durability, ErrorKind, Mode, Partial, Spec, StoreError};
use bowline_core::transfer::{Digest, SafeName, TransferId, Validator};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};
use tempfile::TempDir;

pub(crate) const ALICE: [u8; 16] = [0xA1; 16];
pub(crate) const BOB: [u8; 16] = [0xB0; 16];

/// Some moment, and some days after it.
pub(crate) fn day(n: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + n * 24 * 3600)
}

pub(crate) fn name(name: &str) -> SafeName {
    SafeName::parse(name).expect("a safe name")
}

pub(crate) fn id(n: u8) -> TransferId {
    TransferId::from_bytes([n; 16])
}

/// Bytes of which no two pieces are alike.
pub(crate) fn content(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 251 + i) as u8 ^ (i / 65_536) as u8).collect()
}

pub(crate) fn spec(file: &str, length: usize) -> Spec {
    let validator = Some(Validator::from_bytes(b"version 1").expect("short"));
    Spec { name: name(file), length: Some(length as u64), mtime_ms: 1_700_000_000_123, validator }
}

pub(crate) fn attach(epoch_seen: u32, owner: [u8; 16]) -> Attach {
    Attach { mode: Mode::AttachOrCreate, epoch_seen, owner }
}

/// A folder and a store over it, which synchronises nothing.
pub(crate) struct Rig {
    pub(crate) dir: TempDir,
    pub(crate) store: DiskStore,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { fsync: Durability::None, ..Config::default() };
        change(&mut config);
        let dir = tempfile::tempdir().expect("a folder");
        let store = DiskStore::open(dir.path(), config).expect("a store");
        Self { dir, store }
    }

    /// A store that asks `disk` before every step, over a folder that outlives it.
    pub(crate) fn on(disk: Arc<dyn Disk>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        let dir = tempfile::tempdir().expect("a folder");
        let store = DiskStore::open_with(dir.path(), config, Faults::new(disk)).expect("a store");
        Self { dir, store }
    }

    /// Another process with the same folder.
    pub(crate) fn other_process(&self) -> DiskStore {
        DiskStore::open(self.dir.path(), self.store.config().clone()).expect("a store")
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub(crate) fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).expect("the file")
    }

    pub(crate) fn begin(&self, n: u8, spec: &Spec) -> Partial {
        open(self.store.attach(id(n), spec, attach(0, ALICE), day(0))).0
    }
}

/// The partial, how much of it is safe, and its epoch.
pub(crate) fn open(attached: Result<Attached, StoreError>) -> (Partial, u64, u32) {
    match attached {
        Ok(Attached::Partial { partial, durable, epoch, .. }) => (partial, durable, epoch),
        other => panic!("no partial: {other:?}"),
    }
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, StoreError>) -> ErrorKind {
    result.expect_err("an error").kind()
}

/// Every file beneath a folder, relative to it.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(dir).expect("beneath").to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// The one part in staging.
pub(crate) fn part(rig: &Rig) -> String {
    let is_part = |file: &String| file.strip_suffix(".part").is_some();
    files(rig.dir.path()).into_iter().find(is_part).expect("a part")
}

/// A disk that fails on command.
#[derive(Default)]
pub(crate) struct Script {
    next: Mutex<Vec<(Op, io::ErrorKind)>>,
    pub(crate) seen: Mutex<Vec<Op>>,
}

impl Script {
    /// The next step of this kind fails.
    pub(crate) fn fail(&self, op: Op, kind: io::ErrorKind) {
        self.next.lock().expect("no panic").push((op, kind));
    }

    pub(crate) fn count(&self, op: Op) -> usize {
        self.seen.lock().expect("no panic").iter().filter(|seen| **seen == op).count()
    }
}

impl Disk for Script {
    fn before(&self, op: Op) -> io::Result<()> {
        self.seen.lock().expect("no panic").push(op);
        let mut next = self.next.lock().expect("no panic");
        match next.iter().position(|(planned, _)| *planned == op) {
            Some(at) => Err(next.remove(at).1.into()),
            None => Ok(()),
        }
    }
}

/// What a sender knows about the bytes that it has, once it was told their digest.
pub(crate) fn digest(data: &[u8]) -> Digest {
    Digest::of(data)
}
