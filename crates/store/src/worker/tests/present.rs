//! Offers of files that exist already: they are hashed for as long as somebody waits, interleaved with other transfers.

use super::*;

/// More than a stride, and of zeros.
const LARGE: u64 = 40 << 20;

/// A server whose jobs are run by hand, and a large file in its folder that a client offers as well.
fn offered() -> (World, Jobs) {
    let (mut world, (spawn, jobs)) = (World::new(), Jobs::new());
    world.server.spawn_by(&spawn);
    for path in [world.from.path().join("source"), world.to.path().join("file")] {
        std::fs::File::create(path).and_then(|file| file.set_len(LARGE)).expect("a sparse file");
    }
    world.offer_as_it_is();
    world.link_up();
    for _ in 0..4 {
        world.exchange();
    }
    (world, jobs)
}

#[test]
fn a_file_that_is_there_is_hashed_one_stride_at_a_time() {
    let (mut world, jobs) = offered();
    let strides = std::iter::repeat_with(|| jobs.run_those()).take_while(|ran| *ran > 0).count();
    assert_eq!(strides, 1 + 3, "the attach, and what it begins");
    assert_eq!(world.run(), Ok(()), "it is the same");
    assert_eq!(std::fs::read_dir(world.to.path()).expect("a folder").count(), 1, "nothing was begun");
}

#[test]
fn hashing_stops_when_the_link_goes_down() {
    let (mut world, jobs) = offered();
    assert_eq!((jobs.run_those(), jobs.run_those()), (1, 1), "the attach, and a stride");
    world.server.transfers.handle_link_down(Instant::ZERO);
    world.server.turn(Instant::ZERO);
    assert_eq!(jobs.run_those(), 2, "the stride that hears of it, and what detaches");
    assert_eq!(jobs.run_those(), 0);
}

#[test]
fn hashing_stops_when_the_worker_is_gone() {
    let (mut world, jobs) = offered();
    assert_eq!((jobs.run_those(), jobs.run_those()), (1, 1), "the attach, and a stride");
    world.server = End::new(Role::Server, world.to.path(), 2);
    assert_eq!((jobs.run_those(), jobs.run_those()), (1, 0), "the stride that hears of it");
}

#[test]
fn a_repeated_offer_does_not_wait_for_hashing() {
    let (mut world, jobs) = offered();
    assert_eq!((jobs.run_those(), jobs.run_those()), (1, 1), "the attach, and a stride");
    // On another link; the old one has not noticed anything.
    let new = End::new(Role::Server, world.to.path(), 2);
    let old = std::mem::replace(&mut world.server, new);
    world.server.store = old.store.clone();
    world.client.transfers.handle_link_down(Instant::ZERO);
    world.link_up();
    assert_eq!(world.run(), Ok(()));
}

#[test]
fn few_files_are_hashed_at_once() {
    let (mut world, jobs) = offered();
    for n in 2..10 {
        let id = TransferId::from_bytes([n; 16]);
        let source = Source::open(&world.from.path().join("source")).expect("a source");
        let offer = Offer::new(id, SafeName::parse("file").expect("safe"), source.length());
        world.client.worker.add_source(id, source);
        world.client.transfers.offer(Instant::ZERO, offer).expect("new");
    }
    for _ in 0..4 {
        world.exchange();
    }
    assert_eq!(jobs.run_those(), 9, "all attach");
    assert_eq!(jobs.run_those(), 2, "the others hold no thread");
}

#[cfg(unix)]
#[test]
fn hashing_goes_on_where_the_last_link_was_cut() {
    crate::fault::held_clock::set(std::time::SystemTime::now() + Duration::from_secs(3600));
    let (mut world, jobs) = offered();
    assert_eq!((jobs.run_those(), jobs.run_those()), (1, 1), "the attach, and a stride of three");
    world.client.transfers.handle_link_down(Instant::ZERO);
    world.server.transfers.handle_link_down(Instant::ZERO);
    world.link_up();
    for _ in 0..4 {
        world.exchange();
    }
    let strides = std::iter::repeat_with(|| jobs.run_those()).take_while(|ran| *ran > 0).count();
    assert_eq!(strides, 1 + 2, "the attach, and what was left");
    assert_eq!(world.run(), Ok(()));
}

#[test]
fn a_file_that_changes_while_it_is_compared_counts_as_another() {
    let (mut world, jobs) = offered();
    assert_eq!((jobs.run_those(), jobs.run_those()), (1, 1), "the attach, and a stride");
    let file = std::fs::File::options().write(true).open(world.to.path().join("file")).expect("it is there");
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("a time");
    assert_eq!((jobs.run_those(), jobs.run_those()), (1, 0));
    assert_eq!(world.run(), Err(Code::Exists));
}
