//! A second link beside one that is silent: what is told of it.

use super::*;

/// A keeper that asks for a file on a link that falls silent, that link, and the time at which a second one is dialled.
fn doubting() -> (Keeper<&'static str>, Connection, Instant) {
    let (keeper, near, now, told) = silent(false);
    assert_eq!(told, ["DialingBeside", "Dial"]);
    (keeper, near, now)
}

/// The same, closed before that or not, and what is said when the link is in doubt.
fn silent(is_closed: bool) -> (Keeper<&'static str>, Connection, Instant, Vec<String>) {
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
    while !near.is_doubtful() {
        keeper.pump(now, &mut near);
        while !near.output().is_empty() {
            near.handle_written(now, near.output().len());
        }
        now = [keeper.poll_timeout(), near.poll_timeout()].into_iter().flatten().min().unwrap().max(now);
        assert!(now < Instant::ZERO + 30 * SECOND);
        keeper.handle_timeout(now);
        keeper.progress(now).for_each(drop);
        near.handle_timeout(now);
    }
    if is_closed {
        keeper.close();
    }
    keeper.pump(now, &mut near);
    let mut told = said(&mut keeper, now);
    told.retain(|told| !told.starts_with("Notice"));
    (keeper, near, now, told)
}

/// How many links the file has used up.
fn links(keeper: &mut Keeper<&'static str>, now: Instant) -> u32 {
    keeper.progress(now + SECOND).map(|(_, progress)| progress.links).sum()
}

#[test]
fn a_second_dial_that_fails_is_reported_and_changes_nothing() {
    let (mut keeper, _, now) = doubting();
    keeper.handle_dial_failed(now, refused());
    assert_eq!(said(&mut keeper, now), ["DialBesideFailed"]);
}

#[test]
fn a_second_connection_that_opens_first_replaces_the_other() {
    let (mut keeper, mut near, now) = doubting();
    assert!(keeper.replace(now, &mut near));
    assert_eq!(links(&mut keeper, now), 1, "the first one has carried the request");
    assert_eq!(said(&mut keeper, now), ["LetGo", "Down"]);
    keeper.handle_link_up(now, SECOND);
    assert_eq!(said(&mut keeper, now)[..2], ["Up", "link 2"]);
}

#[test]
fn a_second_connection_that_opens_too_late_is_reported_and_not_kept() {
    let (mut keeper, mut near, now) = doubting();
    // Half a frame is a sign of life.
    near.handle_input(now, &[0x82]);
    assert!(!keeper.replace(now, &mut near));
    assert_eq!(links(&mut keeper, now), 0);
    assert_eq!(said(&mut keeper, now), ["Kept"]);
}

#[test]
fn a_second_connection_after_a_goodbye_is_closed_silently() {
    let (mut keeper, mut near, now) = doubting();
    keeper.close();
    keeper.pump(now, &mut near);
    said(&mut keeper, now);
    assert!(!keeper.replace(now, &mut near));
    assert_eq!(said(&mut keeper, now), [""; 0]);
}

#[test]
fn a_client_that_was_closed_dials_no_second_link() {
    let (.., told) = silent(true);
    assert!(!told.contains(&"Dial".to_owned()), "{told:?}");
}
