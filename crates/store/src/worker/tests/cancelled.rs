//! Jobs of a transfer that ended while its first job was waiting for a thread.

use super::*;

#[test]
fn nothing_is_opened_for_an_offer_that_was_cancelled() {
    for leftover in [Leftover::Keep, Leftover::Discard] {
        let mut world = World::new();
        let (spawn, jobs) = Jobs::new();
        world.server.spawn_by(&spawn);
        world.offer(&contents(1000));
        world.link_up();
        world.exchange();
        assert!(world.client.transfers.cancel(Instant::ZERO, ID, leftover));
        for _ in 0..3 {
            world.exchange();
        }
        assert_eq!(world.server.ended(ID), Some(Err(Code::Cancelled)));
        assert!(jobs.run_those() > 0, "it was to be opened");
        let left = std::fs::read_dir(world.to.path()).expect("a folder").count();
        assert_eq!(left, 0, "{leftover:?}: something was made for nobody");
    }
}

#[test]
fn nothing_is_opened_for_a_request_that_has_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("file"), contents(1000)).expect("a source");
    for rests in [false, true] {
        let (mut end, jobs) = by_hand(dir.path());
        end.worker.offer(&end.store, ID, SafeName::parse("file").expect("safe"), ByteRange::WHOLE);
        if rests {
            end.worker.drop_sources();
        } else {
            let failure = Failure::local(Code::Cancelled, "changed my mind");
            assert!(end.worker.carry_out(Event::Failed { id: ID, failure }).is_some());
        }
        for job in jobs.try_iter() {
            job();
        }
        assert!(end.reports.try_recv().is_err(), "it was opened for nobody");
    }
}
