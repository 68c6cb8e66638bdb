//! Two processes that both believe that they hold a transfer, on a file system whose locks exclude nobody.

use super::*;
use crate::journal::{HEAD, SLOT};
use crate::sys::Folder;
use crate::sys::model::{Device, Kept};
use bowline_core::Rng;

fn start(device: &Device) -> DiskStore {
    DiskStore::within(Folder::Model(device.top(device.start_process())), Config::default()).expect("a store")
}

/// One process has received three bytes, the other one took over and has received six; all of them are safe.
fn split() -> (Device, Partial, Partial, Spec) {
    let device = Device::new(64, false);
    let spec = spec("a", 9);
    let (mut old, ..) = open(start(&device).attach(id(1), &spec, attach(0, ALICE), day(0)));
    old.write(0, b"abc").expect("in order");
    old.flush().run().expect("safe");
    let (mut new, durable, epoch) = open(start(&device).attach(id(1), &spec, attach(0, BOB), day(0)));
    assert_eq!((durable, epoch), (3, 2));
    new.write(3, b"def").expect("in order");
    assert_eq!(new.flush().run().expect("safe"), 6);
    (device, old, new, spec)
}

#[test]
fn the_old_holder_is_fenced_at_its_next_checkpoint_and_breaks_no_promise() {
    let (device, mut old, _new, spec) = split();
    old.write(3, b"d").expect("it does not know yet");
    assert_eq!(kind(old.flush().run()), ErrorKind::Fenced);
    device.lose_power(Kept::Everything, &mut Rng::from_seed([1; 32]));
    assert_eq!(open(start(&device).attach(id(1), &spec, attach(0, BOB), day(0))).1, 6);
}

#[test]
fn the_old_holder_learns_that_it_is_fenced_even_if_the_new_one_started_over() {
    let device = Device::new(64, false);
    let spec = spec("a", 9);
    let (mut old, ..) = open(start(&device).attach(id(1), &spec, attach(0, ALICE), day(0)));
    old.write(0, b"abc").expect("in order");
    let restart = Attach { mode: Mode::Restart, ..attach(0, BOB) };
    let (_new, durable, _) = open(start(&device).attach(id(1), &spec, restart, day(0)));
    assert_eq!(durable, 0);
    assert_eq!(kind(old.flush().run()), ErrorKind::Fenced);
}

#[test]
fn the_old_holder_neither_commits_nor_discards() {
    let ways: [fn(Partial) -> Result<(), StoreError>; 3] = [
        |mut old| {
            old.write(3, b"defghi")?;
            old.commit(9, digest(b"abcdefghi")).map(drop)
        },
        |mut old| {
            old.write(3, b"defghi")?;
            old.commit(9, digest(b"another file")).map(drop)
        },
        Partial::discard,
    ];
    for way in ways {
        let (device, old, mut new, spec) = split();
        assert_eq!(kind(way(old)), ErrorKind::Fenced);
        new.write(6, b"ghi").expect("it holds the transfer");
        new.commit(9, digest(b"abcdefghi")).expect("whole");
        let again = start(&device).attach(id(1), &spec, attach(0, BOB), day(0));
        assert!(matches!(again, Ok(Attached::Committed { .. })), "{again:?}");
    }
}

#[test]
fn the_old_holder_does_not_discard_what_the_new_one_brings() {
    let device = Device::new(64, false);
    let spec = spec("a", 9);
    let store = start(&device);
    let (mut old, ..) = open(store.attach(id(1), &spec, attach(0, ALICE), day(0)));
    old.write(0, b"abc").expect("in order");
    old.flush().run().expect("safe");
    let (mut new, ..) = open(start(&device).attach(id(1), &spec, attach(0, BOB), day(0)));
    assert_eq!(kind(store.discard(id(1))), ErrorKind::Fenced);
    new.write(3, b"defghi").expect("in order");
    new.commit(9, digest(b"abcdefghi")).expect("whole");
}

#[test]
fn a_sweep_spares_a_partial_that_is_held_here() {
    let device = Device::new(64, false);
    let store = start(&device);
    let (mut held, ..) = open(store.attach(id(1), &spec("a", 6), attach(0, ALICE), day(0)));
    held.write(0, b"abc").expect("in order");
    held.flush().run().expect("safe");
    assert_eq!(store.sweep(day(1000), 100).expect("swept").removed, 0);
    held.write(3, b"def").expect("in order");
    held.commit(6, digest(b"abcdef")).expect("whole");
}

#[test]
#[cfg_attr(windows, ignore = "nobody else reads a file that is locked there")]
fn an_entry_torn_by_a_crash_does_not_fence_the_holder() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 6));
    let journal = rig.path(&part(&rig).replace("part", "jnl"));
    let mut bytes = fs::read(&journal).expect("it was begun");
    let (torn, first) = bytes.split_at_mut(SLOT);
    torn[..first.len()].copy_from_slice(first);
    // The number of the second entry, and the checksum of the first.
    torn[8..HEAD].copy_from_slice(&2_u64.to_be_bytes());
    fs::write(&journal, &bytes).expect("written");
    partial.write(0, b"abc").expect("in order");
    assert_eq!(partial.flush().run().expect("safe"), 3);
}
