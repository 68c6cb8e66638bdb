//! Digests of what is sent: computed one stride at a time.

use super::*;

/// Two strides and a half, of zeros.
const LARGE: u64 = 40 << 20;

#[test]
fn a_long_beginning_is_hashed_one_stride_at_a_time() {
    let (mut world, (spawn, jobs)) = (World::new(), Jobs::new());
    world.client.spawn_by(&spawn);
    let path = world.from.path().join("source");
    std::fs::File::create(&path).and_then(|file| file.set_len(LARGE)).expect("a sparse file");
    world.client.worker.add_source(ID, Source::open(&path).expect("a source"));
    for upto in [LARGE, LARGE - 1] {
        assert!(world.client.worker.carry_out(Event::Hash { id: ID, upto }).is_none());
        let strides = std::iter::repeat_with(|| jobs.run_those()).take_while(|ran| *ran > 0).count();
        let report = world.client.reports.recv().expect("a report");
        let Outcome::Hashed { digest, .. } = report.outcome else { panic!("{report:?}") };
        assert_eq!(digest, Digest::of(&vec![0; upto as usize]));
        // What is left behind is a mark away.
        assert_eq!(strides, if upto == LARGE { 3 } else { 1 });
    }
}

#[test]
fn nobody_hashes_a_source_that_is_dropped() {
    let (mut world, (spawn, jobs)) = (World::new(), Jobs::new());
    world.client.spawn_by(&spawn);
    let path = world.from.path().join("source");
    std::fs::File::create(&path).and_then(|file| file.set_len(LARGE)).expect("a sparse file");
    world.client.worker.add_source(ID, Source::open(&path).expect("a source"));
    assert!(world.client.worker.carry_out(Event::Hash { id: ID, upto: LARGE }).is_none());
    assert_eq!(jobs.run_those(), 1);
    world.client.worker.drop_sources();
    assert_eq!((jobs.run_those(), jobs.run_those()), (1, 0), "the stride that hears of it");
    assert!(world.client.reports.try_recv().is_err());
}
