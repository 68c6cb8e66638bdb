//! Discarding partial files by their ids.

use super::*;
use crate::Principal;

#[test]
fn a_part_that_nobody_holds_is_removed_with_its_journal() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 1000));
    partial.write(0, &content(500)).expect("written");
    partial.detach().expect("safe");
    assert!(rig.store.discard(id(1)).expect("removed"));
    assert!(!rig.path(".bowline").exists(), "nothing is left of staging");
    assert!(!rig.store.discard(id(1)).expect("nothing to do"));
    assert_eq!(rig.begin(1, &spec("a", 1000)).written(), 0);
}

#[test]
fn the_holder_of_a_discarded_part_is_fenced() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 1000));
    partial.write(0, &content(500)).expect("written");
    assert!(rig.store.discard(id(1)).expect("removed"));
    assert_eq!(partial.write(500, &content(10)).expect_err("it is gone").kind(), ErrorKind::Fenced);
}

#[test]
fn a_finished_file_stays() {
    let rig = Rig::new();
    let data = content(1000);
    let mut partial = rig.begin(1, &spec("a", 1000));
    partial.write(0, &data).expect("written");
    partial.commit(1000, digest(&data)).expect("in its place");
    rig.store.discard(id(1)).expect("its journal is removed");
    assert_eq!(rig.read("a"), data);
}

#[test]
fn discarding_an_unknown_transfer_removes_nothing() {
    let rig = Rig::new();
    assert!(!rig.store.discard(id(1)).expect("nothing"));
    rig.begin(2, &spec("b", 10));
    assert!(!rig.store.discard(id(1)).expect("nothing"));
}

#[test]
fn a_principal_cannot_discard_the_transfer_of_another() {
    let rig = Rig::new();
    let other = rig.store.for_principal(Principal::named("mallory").expect("a name"));
    let mut partial = rig.begin(1, &spec("a", 1000));
    partial.write(0, &content(500)).expect("written");
    assert!(!other.discard(id(1)).expect("not there for others"));
    partial.write(500, &content(10)).expect("as if nothing had happened");
    partial.detach().expect("safe");
    assert!(!other.discard(id(1)).expect("not there for others"));
    assert!(rig.store.discard(id(1)).expect("removed"));
}

#[test]
fn a_part_whose_journal_is_lost_is_removed() {
    let rig = Rig::new();
    let mut partial = rig.begin(1, &spec("a", 1000));
    partial.write(0, &content(500)).expect("written");
    partial.detach().expect("safe");
    fs::remove_file(rig.path(&part(&rig).replace(".part", ".jnl"))).expect("lost");
    assert!(rig.store.discard(id(1)).expect("removed"));
    assert!(!rig.path(".bowline").exists(), "nothing is left of staging");
}

#[test]
fn a_discarded_part_no_longer_counts() {
    let rig = Rig::new();
    for is_held in [true, false] {
        let mut partial = rig.begin(1, &spec("a", 1000));
        partial.write(0, &content(500)).expect("written");
        let held = if is_held { Some(partial) } else { partial.detach().map(|_| None).expect("safe") };
        assert_eq!(rig.store.unfinished(), (if is_held { 1000 } else { 500 }, 1));
        assert!(rig.store.discard(id(1)).expect("removed"));
        drop(held);
        assert_eq!(rig.store.unfinished(), (0, 0), "{is_held}");
    }
}
