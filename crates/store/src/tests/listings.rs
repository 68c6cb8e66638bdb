//! How much memory listings take, and who is charged for it.

use super::*;
use crate::{Principal, Source};

/// A folder whose listing takes the least memory, and one whose listing takes three times as much. All listings
/// together may take this many bytes.
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
    assert_eq!(kind(rig.store.listing(Some(&name("large")))), ErrorKind::TooMuchToList);
    let first = rig.store.listing(Some(&name("small"))).expect("there is room");
    let second = rig.store.listing(Some(&name("small"))).expect("there is room");
    assert_eq!(kind(rig.store.listing(Some(&name("small")))), ErrorKind::ListingsBusy);
    let again = first.clone();
    drop(first);
    assert_eq!(kind(rig.store.listing(Some(&name("small")))), ErrorKind::ListingsBusy);
    drop((again, second));
    rig.store.listing(Some(&name("small"))).expect("there is room again");
}

#[test]
fn a_principal_that_holds_listings_leaves_half_of_the_memory_to_others() {
    let rig = with_folders(256 * 1024);
    let [alice, bob] = ["alice", "bob"].map(|name| rig.store.for_principal(Principal::named(name).unwrap()));
    let held: Vec<_> = std::iter::from_fn(|| alice.listing(Some(&name("small"))).ok()).collect();
    assert_eq!(held.len(), 2);
    assert_eq!(kind(alice.listing(Some(&name("small")))), ErrorKind::ListingsBusy);
    bob.listing(Some(&name("small"))).expect("half of it is for others");
    drop(held);
    alice.listing(Some(&name("large"))).expect("one may have more than half");
}

#[test]
fn a_listing_with_other_contents_is_another_version() {
    let rig = with_folders(1 << 20);
    let folder = rig.path("small");
    let validator = || rig.store.listing(Some(&name("small"))).expect("there is room").validator();
    fs::write(folder.join("a"), "1").expect("written");
    let before = validator();
    assert_eq!(validator(), before);
    // As long as before.
    fs::rename(folder.join("a"), folder.join("b")).expect("renamed");
    assert_ne!(validator(), before);
}

/// The contents of a listing.
fn text(source: Result<Source, StoreError>) -> String {
    let source = source.expect("it can be listed");
    String::from_utf8(source.read(0, source.length() as usize).expect("all of it").to_vec()).expect("UTF-8")
}

/// The last fields of each line: the length and the name.
fn lines(source: Result<Source, StoreError>) -> Vec<String> {
    let text = text(source);
    let entries = text.lines().filter(|line| line.starts_with("f ") || line.starts_with("d "));
    entries.map(|line| line.splitn(4, ' ').last().expect("fields").to_owned()).collect()
}

#[test]
fn a_store_is_listed_without_its_unfinished_files() {
    let rig = with_folders(1 << 20);
    rig.begin(1, &spec("under way", 9)).detach().expect("safe");
    fs::write(rig.path("small/a b"), "abc").expect("written");
    fs::write(rig.path("文"), "").expect("written");
    fs::remove_dir_all(rig.path("large")).expect("removed");
    assert_eq!(lines(rig.store.listing(None)), ["0 small", "3 small/a b", "0 文"]);
    assert!(text(rig.store.listing(None)).ends_with("end 3 0 0\n"), "what is under way is not counted");
}

#[test]
fn a_store_in_a_folder_lists_only_that_folder_even_before_it_exists() {
    let rig = with_folders(1 << 20);
    fs::write(rig.path("small/a"), "abc").expect("written");
    assert_eq!(lines(rig.store.in_folder(name("small")).listing(None)), ["3 a"]);
    let nobodys = rig.store.in_folder(name("none/yet"));
    assert_eq!(text(nobodys.listing(None)), "bowline listing 1 - 0\nend 0 0 0\n");
    assert_eq!(kind(nobodys.listing(Some(&name("a")))), ErrorKind::NotFound);
}

#[test]
fn a_file_is_listed_in_one_line_and_takes_its_share() {
    let rig = with_folders(64 * 1024);
    fs::write(rig.path("small/a b"), "abc").expect("written");
    let of = |file| rig.store.listing_of_file(&name(file));
    let listed = of("small/a b");
    assert_eq!(kind(of("small/a b")), ErrorKind::ListingsBusy);
    assert_eq!(lines(listed), ["3 a b"]);
    assert_eq!(kind(of("small")), ErrorKind::NotAFile);
    assert_eq!(kind(of("none")), ErrorKind::NotFound);
    assert_eq!(kind(of(".bowline/x")), ErrorKind::BadName);
}
