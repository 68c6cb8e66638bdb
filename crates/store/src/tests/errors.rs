//! A disk that fails at each of its calls, once or permanently, in each of the ways in which disks fail.

use super::sender::{Sender, flushed_twice, in_many_links};
use super::*;
use crate::sys::model::{Device, Kept, Trouble};
use crate::sys::{Access, File, Folder};
use bowline_core::Rng;

/// EIO has no kind of its own; any kind without another meaning stands for it.
const EIO: io::ErrorKind = io::ErrorKind::InvalidData;
const ENOSPC: io::ErrorKind = io::ErrorKind::StorageFull;
const EDQUOT: io::ErrorKind = io::ErrorKind::QuotaExceeded;
const EROFS: io::ErrorKind = io::ErrorKind::ReadOnlyFilesystem;

type Tell = fn(&DiskStore, &mut Sender) -> Result<(), StoreError>;

/// A store of a new process.
fn start(device: &Device) -> (DiskStore, u32) {
    let process = device.start_process();
    let top = Folder::Model(device.top(process));
    (DiskStore::within(top, Config::default()).expect("a store"), process)
}

fn read(device: &Device, path: &[&str]) -> Option<Vec<u8>> {
    let (name, folders) = path.split_last().expect("a name");
    let top = device.top(device.start_process());
    let folder = folders.iter().try_fold(top, |folder, part| folder.enter(part)).ok()?;
    let file = File::Model(folder.open_file(name, Access::Read).ok()?);
    let mut data = vec![0; crate::sys::meta(&file).expect("readable").id.len as usize];
    crate::sys::read_full_at(&file, &mut data, 0).expect("readable");
    Some(data)
}

/// Runs a story on a disk that fails at a call; returns whether the story was shorter than that.
fn fails_at(tell: Tell, calls: u32, kind: io::ErrorKind, for_good: bool, power_fails: bool) -> bool {
    let case = format!("{kind:?} at call {calls}, for good: {for_good}, power fails: {power_fails}");
    let device = Device::new(512, true);
    let mut sender = Sender::new("d/a", content(2 * 65_536 + 30_077));
    let (first, process) = start(&device);
    let trouble = if for_good { Trouble::Always(kind) } else { Trouble::Once(kind) };
    device.expect_trouble(process, calls, trouble);
    let told = tell(&first, &mut sender);
    let was_shorter = !device.had_trouble(process);
    if let Err(error) = &told {
        let expected = match kind {
            ENOSPC | EDQUOT => ErrorKind::NoSpace,
            EROFS => ErrorKind::Denied,
            _ => ErrorKind::Io,
        };
        assert_eq!(error.kind(), expected, "{case}: {error}");
    }
    device.heal();
    let store = if power_fails {
        drop(first);
        device.lose_power(Kept::Nothing, &mut Rng::from_seed([7; 32]));
        start(&device).0
    } else {
        // The same process continues as soon as the disk works again.
        first
    };
    let found = read(&device, &["d", "a"]);
    assert!(found.as_ref().is_none_or(|found| *found == sender.data), "half a file: {case}");
    assert!(found.is_some() || !sender.done, "no file: {case}");
    // The part was kept: what was safe is safe, as the sender checks itself.
    sender.finish(&store).unwrap_or_else(|e| panic!("{e}: {case}"));
    assert!(read(&device, &["d", "a"]).expect("the file") == sender.data, "another file: {case}");
    // What was reported as done is kept, even where a failed sync has left pages that no later sync writes.
    drop(store);
    device.lose_power(Kept::Nothing, &mut Rng::from_seed([7; 32]));
    assert!(read(&device, &["d", "a"]).is_some_and(|found| found == sender.data), "gone: {case}");
    let store = start(&device).0;
    store.sweep(day(1000), 100).expect("swept");
    store.sweep(day(2000), 100).expect("swept");
    let top = device.top(device.start_process());
    assert_eq!(top.names().expect("a folder"), ["d"], "left over: {case}");
    was_shorter
}

fn survives(tell: Tell) {
    for kind in [EIO, ENOSPC, EDQUOT, EROFS] {
        for (for_good, power_fails) in [(false, false), (false, true), (true, false), (true, true)] {
            let calls = (0..1000).find(|calls| fails_at(tell, *calls, kind, for_good, power_fails));
            assert!(calls > Some(10), "the story has calls");
        }
    }
}

#[test]
fn an_upload_survives_any_error_at_any_call() {
    survives(flushed_twice);
}

#[test]
fn an_upload_in_many_links_survives_any_error_at_any_call() {
    survives(in_many_links);
}

#[test]
fn a_small_upload_survives_any_error_at_any_call() {
    survives(|store, sender| {
        sender.data.truncate(1000);
        sender.spec = spec("d/a", 1000);
        sender.finish(store)
    });
}
