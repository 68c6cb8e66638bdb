//! How much memory listings take, and whose.

use super::*;
use crate::Principal;

/// A folder whose listing takes the least, and one that takes three times as much; all of them may take so many bytes.
fn with_folders(listings: usize) -> Rig {
    let rig = Rig::with(|config| config.listings = listings);
    fs::create_dir_all(rig.path("small")).expect("made");
    fs::create_dir_all(rig.path("large")).expect("made");
    for n in 0..600 {
        fs::write(rig.path("large").join(format!("{n:0>250}")), "").expect("written");
    }
    rig
}

#[test]
fn listings_share_a_bounded_memory() {
    let rig = with_folders(128 * 1024);
    assert_eq!(kind(rig.store.listing(&name("large"))), ErrorKind::TooMuchToList);
    let first = rig.store.listing(&name("small")).expect("there is room");
    let second = rig.store.listing(&name("small")).expect("there is room");
    assert_eq!(kind(rig.store.listing(&name("small"))), ErrorKind::ListingsBusy);
    let again = first.clone();
    drop(first);
    assert_eq!(kind(rig.store.listing(&name("small"))), ErrorKind::ListingsBusy);
    drop((again, second));
    rig.store.listing(&name("small")).expect("there is room again");
}

#[test]
fn who_holds_listings_leaves_half_of_that_memory_to_others() {
    let rig = with_folders(256 * 1024);
    let [alice, bob] = ["alice", "bob"].map(|name| rig.store.for_principal(Principal::named(name).unwrap()));
    let held: Vec<_> = std::iter::from_fn(|| alice.listing(&name("small")).ok()).collect();
    assert_eq!(held.len(), 2);
    assert_eq!(kind(alice.listing(&name("small"))), ErrorKind::ListingsBusy);
    bob.listing(&name("small")).expect("half of it is for others");
    drop(held);
    alice.listing(&name("large")).expect("one may have more than half");
}

#[test]
fn a_listing_that_says_something_else_is_another_version() {
    let rig = with_folders(1 << 20);
    let folder = rig.path("small");
    let validator = || rig.store.listing(&name("small")).expect("there is room").validator();
    fs::write(folder.join("a"), "1").expect("written");
    let before = validator();
    assert_eq!(validator(), before);
    // As long as it was.
    fs::rename(folder.join("a"), folder.join("b")).expect("renamed");
    assert_ne!(validator(), before);
}
