//! Digests of what is sent, computed one stride at a time.

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
        // The first digest leaves a mark behind, from which the second one continues.
        assert_eq!(strides, if upto == LARGE { 3 } else { 1 });
    }
}

#[test]
fn a_source_that_has_changed_is_read_only_until_the_next_check() {
    const PIECE: usize = 256 * 1024;
    let (mut world, (spawn, jobs)) = (World::new(), Jobs::new());
    world.client.spawn_by(&spawn);
    let path = world.from.path().join("source");
    let file = std::fs::File::create(&path).expect("writable");
    file.set_len(LARGE).expect("a sparse file");
    world.client.worker.add_source(ID, Source::open(&path).expect("a source"));
    let mut read = |piece: u64| {
        let read = Event::Read { id: ID, offset: piece * PIECE as u64, len: PIECE };
        assert!(world.client.worker.carry_out(read).is_none());
        jobs.run_those();
        world.client.reports.recv().expect("a report").outcome
    };
    for piece in 0..5 {
        assert!(matches!(read(piece), Outcome::Read { .. }), "{piece}");
    }
    file.set_len(LARGE + 1).expect("it grows");
    for piece in 5..7 {
        assert!(matches!(read(piece), Outcome::Read { .. }), "{piece}: nobody has looked");
    }
    let found = read(7);
    assert!(matches!(&found, Outcome::Failed(failure) if failure.code == Code::SourceChanged), "{found:?}");
}

#[test]
fn the_hashing_of_a_dropped_source_stops() {
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

/// A source of this many bytes, and jobs that are run by hand.
fn small(world: &mut World, len: usize) -> Jobs {
    let (spawn, jobs) = Jobs::new();
    world.client.spawn_by(&spawn);
    let path = world.from.path().join("source");
    std::fs::write(&path, contents(len)).expect("writable");
    world.client.worker.add_source(ID, Source::open(&path).expect("a source"));
    jobs
}

#[test]
fn a_short_file_takes_one_job() {
    let mut world = World::new();
    let jobs = small(&mut world, 1000);
    let carry_out = |world: &mut World, event| assert!(world.client.worker.carry_out(event).is_none());
    carry_out(&mut world, Event::Read { id: ID, offset: 0, len: 1000 });
    assert_eq!(jobs.run_those(), 1);
    assert!(matches!(world.client.reports.recv().expect("read").outcome, Outcome::Read { .. }));
    carry_out(&mut world, Event::Hash { id: ID, upto: 1000 });
    let Outcome::Hashed { upto: 1000, digest } = world.client.reports.recv().expect("hashed").outcome else {
        panic!("another report")
    };
    assert_eq!(digest, Digest::of(&contents(1000)));
    carry_out(&mut world, Event::Check { id: ID });
    assert!(matches!(world.client.reports.recv().expect("checked").outcome, Outcome::Checked));
    assert_eq!(jobs.run_those(), 0);
}

#[test]
fn a_check_counts_only_after_all_reads() {
    let mut world = World::new();
    let jobs = small(&mut world, 1000);
    for (offset, len) in [(0, 1000), (0, 500)] {
        assert!(world.client.worker.carry_out(Event::Read { id: ID, offset, len }).is_none());
    }
    while jobs.run_those() > 0 {}
    let read: Vec<_> = world.client.reports.try_iter().collect();
    assert_eq!(read.len(), 2);
    assert!(world.client.worker.carry_out(Event::Check { id: ID }).is_none());
    assert_eq!(jobs.run_those(), 1, "the last read was not the one with the look");
}

#[test]
fn an_empty_file_is_checked_too() {
    let mut world = World::new();
    let jobs = small(&mut world, 0);
    assert!(world.client.worker.carry_out(Event::Check { id: ID }).is_none());
    assert_eq!(jobs.run_those(), 1);
}
