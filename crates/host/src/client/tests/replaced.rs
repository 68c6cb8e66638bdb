//! A link that gives way to another one: what it counts for.

use super::*;

/// A keeper that asks for a file on a link that has fallen silent, and the link, in doubt; and when that is.
fn doubtful(dir: &std::path::Path) -> (Keeper<&'static str>, Connection, Instant) {
    let mut ends = Ends::new();
    // Both say hello.
    for _ in 0..3 {
        ends.round();
    }
    let Ends { mut keeper, mut near, .. } = ends;
    let mut now = Instant::ZERO + 11 * SECOND;
    let store = DiskStore::open(dir, bowline_store::Config::default()).unwrap();
    let Offer { id, name, .. } = offer(1);
    keeper.download(now, Download::new(id, name.clone(), name), store, "file");
    said(&mut keeper, now);
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
    (keeper, near, now)
}

fn links(keeper: &mut Keeper<&'static str>, now: Instant) -> Vec<u32> {
    keeper.progress(now + SECOND).map(|(_, progress)| progress.links).collect()
}

#[test]
fn one_that_did_not_answer_has_carried_the_request_and_one_that_is_kept_goes_on() {
    for gives_way in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        let (mut keeper, mut near, now) = doubtful(dir.path());
        if !gives_way {
            // Half a frame is a sign of life.
            near.handle_input(now, &[0x82]);
        }
        assert_eq!(keeper.replace(now, &mut near), gives_way);
        assert_eq!(links(&mut keeper, now) == [1], gives_way);
        let told = said(&mut keeper, now);
        assert_eq!(told.iter().any(|line| line == "LetGo"), gives_way, "{told:?}");
    }
}

#[test]
fn who_is_done_dials_no_other() {
    for is_done in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let (mut keeper, mut near, now) = doubtful(dir.path());
        if is_done {
            keeper.close();
        }
        keeper.pump(now, &mut near);
        let told = said(&mut keeper, now);
        assert_eq!(told.iter().any(|line| line == "Dial"), !is_done, "{told:?}");
    }
}
