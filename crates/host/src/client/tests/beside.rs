//! A second link beside one that is silent: what is told of it.

use super::*;

/// A keeper whose link falls silent while a file waits, and when; the second link is being dialled.
fn doubting() -> (Keeper<&'static str>, Connection, Instant) {
    let mut ends = Ends::new();
    // Both say hello.
    for _ in 0..3 {
        ends.round();
    }
    let Ends { mut keeper, mut near, .. } = ends;
    let mut now = Instant::ZERO + 11 * SECOND;
    said(&mut keeper, now);
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), bowline_store::Config::default()).unwrap();
    let Offer { id, name, .. } = offer(1);
    keeper.download(now, Download::new(id, name.clone(), name), store, "file");
    let mut told = Vec::new();
    while told.is_empty() {
        keeper.pump(now, &mut near);
        while !near.output().is_empty() {
            near.handle_written(now, near.output().len());
        }
        told = said(&mut keeper, now);
        told.retain(|told| !told.starts_with("Notice"));
        now = [keeper.poll_timeout(), near.poll_timeout()].into_iter().flatten().min().unwrap().max(now);
        assert!(now < Instant::ZERO + 30 * SECOND, "{told:?}");
        keeper.handle_timeout(now);
        let _ = keeper.progress(now);
        near.handle_timeout(now);
    }
    assert_eq!(told, ["DialingBeside", "Dial"]);
    (keeper, near, now)
}

#[test]
fn one_that_is_not_reached_is_told_and_changes_nothing() {
    let (mut keeper, _, now) = doubting();
    keeper.handle_dial_failed(now, refused());
    assert_eq!(said(&mut keeper, now), ["DialBesideFailed"]);
}

#[test]
fn one_that_is_open_first_takes_the_place_of_the_other() {
    let (mut keeper, mut near, now) = doubting();
    assert!(keeper.replace(now, &mut near));
    assert_eq!(said(&mut keeper, now), ["LetGo", "Down"]);
    keeper.handle_link_up(now, SECOND);
    assert_eq!(said(&mut keeper, now)[..2], ["Up", "link 2"]);
}

#[test]
fn one_that_is_open_too_late_is_not_kept_and_that_is_told() {
    let (mut keeper, mut near, now) = doubting();
    // Half a frame is a sign of life.
    near.handle_input(now, &[0x82]);
    assert!(!keeper.replace(now, &mut near));
    assert_eq!(said(&mut keeper, now), ["Kept"]);
}

#[test]
fn one_that_comes_after_a_goodbye_is_closed_without_a_word() {
    let (mut keeper, mut near, now) = doubting();
    keeper.close();
    keeper.pump(now, &mut near);
    said(&mut keeper, now);
    assert!(!keeper.replace(now, &mut near));
    assert_eq!(said(&mut keeper, now), [""; 0]);
}
