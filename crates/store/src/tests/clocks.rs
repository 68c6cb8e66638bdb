//! Clocks that are changed while a transfer is open.

use super::*;
use crate::fault::held_clock;

/// A transfer that begins just after the start of a machine without a clock of its own.
fn begin(rig: &Rig, spec: &Spec) -> Partial {
    held_clock::set(day(0));
    let mut partial = rig.begin(1, spec);
    partial.write(0, b"abc").expect("in order");
    partial
}

/// How much of it is left a little later than day 100, on which the machine got the time.
fn durable_later(rig: &Rig, spec: &Spec) -> u64 {
    open(rig.store.attach(id(1), spec, attach(0, ALICE), day(106))).1
}

#[test]
fn a_clock_that_is_set_while_a_transfer_is_open_does_not_expire_it() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    let partial = begin(&rig, &spec);
    held_clock::set(day(100));
    partial.detach().expect("safe");
    assert_eq!(durable_later(&rig, &spec), 3);
}

#[test]
fn a_clock_that_is_set_when_all_is_safe_does_not_expire_it() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    let mut partial = begin(&rig, &spec);
    partial.flush().run().expect("safe");
    held_clock::set(day(100));
    partial.detach().expect("safe");
    assert_eq!(durable_later(&rig, &spec), 3);
}

#[test]
fn a_clock_that_is_set_before_a_takeover_does_not_expire_it() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    let mut partial = begin(&rig, &spec);
    partial.flush().run().expect("safe");
    held_clock::set(day(100));
    let (newer, ..) = open(rig.store.attach(id(1), &spec, attach(0, ALICE), day(100)));
    newer.detach().expect("safe");
    assert_eq!(durable_later(&rig, &spec), 3);
}

#[test]
fn a_clock_that_is_set_back_does_not_expire_it() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    held_clock::set(day(100));
    let (mut partial, ..) = open(rig.store.attach(id(1), &spec, attach(0, ALICE), day(100)));
    held_clock::set(day(0));
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    assert_eq!(durable_later(&rig, &spec), 3);
}

#[test]
fn a_committed_record_is_kept_from_the_day_of_the_commit() {
    let rig = Rig::new();
    let spec = spec("a", 3);
    let partial = begin(&rig, &spec);
    held_clock::set(day(100));
    partial.commit(3, digest(b"abc")).expect("whole");
    assert_eq!(rig.store.sweep(day(100), 10).expect("a folder").removed, 0);
}

#[test]
fn a_transfer_begun_under_the_right_clock_does_not_move_into_the_future() {
    let rig = Rig::new();
    let spec = spec("a", 9);
    let mut partial = rig.begin(1, &spec);
    partial.write(0, b"abc").expect("in order");
    partial.detach().expect("safe");
    // The machine starts with the wrong time, and gets the right one again.
    held_clock::set(UNIX_EPOCH);
    let (partial, ..) = open(rig.store.attach(id(1), &spec, attach(0, ALICE), UNIX_EPOCH));
    held_clock::set(day(1));
    partial.detach().expect("safe");
    assert_eq!(rig.store.sweep(day(7), 10).expect("a folder").removed, 0);
    assert_eq!(rig.store.sweep(day(8), 10).expect("a folder").removed, 1);
}
