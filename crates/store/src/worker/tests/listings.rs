//! How long a listing may be, and how it continues over another link.

use super::*;
use bowline_core::transfer::Kind;
use std::fs;
use std::path::{Path, PathBuf};

/// The longest that is accepted.
const LONGEST: u64 = 64 << 20;

/// A client's answer to a listing that claims this length.
fn answer_to(length: Option<u64>) -> Result<(), String> {
    let mut world = World::new();
    let name = SafeName::parse("top").expect("safe");
    world.client.transfers.request(Instant::ZERO, ID, name.clone()).expect("new");
    world.link_up();
    while !world.server.transfers.is_requested(ID) {
        step(&mut world.client, &mut world.server, Instant::ZERO);
        world.server.transfers.poll_event();
    }
    let mut offer = Offer::of_unknown_length(ID, name);
    (offer.kind, offer.length) = (Kind::Listing, length);
    world.server.transfers.offer(Instant::ZERO, offer).expect("asked for");
    for _ in 0..100_000 {
        world.exchange();
        if world.server.told.iter().any(|event| matches!(event, Event::Accepted { .. })) {
            return Ok(());
        }
        for event in &world.client.told {
            if let Event::Failed { failure, .. } = event {
                return Err(failure.to_string());
            }
        }
    }
    panic!("no answer: {:?} {:?}", world.client.told, world.server.told);
}

#[test]
fn a_listing_that_is_too_long_to_be_kept_in_memory_is_refused() {
    assert_eq!(answer_to(Some(LONGEST)), Ok(()));
    let why = answer_to(Some(LONGEST + 1)).expect_err("too long");
    assert!(why.contains("67108865 bytes, 67108864 are allowed"), "{why}");
    let why = answer_to(None).expect_err("perhaps too long");
    assert!(why.contains("who knows how many bytes, 67108864 are allowed"), "{why}");
}

/// A client, and a server that has a folder with a long listing.
fn holding_many() -> World {
    let world = World::new();
    fs::create_dir(world.to.path().join("top")).expect("a folder");
    for n in 0..FILES {
        add_file(&world, n);
    }
    world
}

/// The same, once the client has requested it.
fn asking_for_a_long_one() -> World {
    let mut world = holding_many();
    world.client.transfers.request(Instant::ZERO, ID, SafeName::parse("top").expect("safe")).expect("new");
    world
}

const FILES: usize = 3000;

fn add_file(world: &World, n: usize) {
    fs::write(world.to.path().join("top").join(format!("{n:0>240}")), "").expect("written");
}

/// Lets some of the listing arrive, and cuts the link.
fn cut_behind(world: &mut World, least: u64) {
    world.link_up();
    for _ in 0..100_000 {
        if world.client.transfers.progress(ID).is_some_and(|progress| progress.received > least) {
            world.client.transfers.handle_link_down(Instant::ZERO);
            world.server.transfers.handle_link_down(Instant::ZERO);
            world.client.settle(Instant::ZERO);
            world.server.settle(Instant::ZERO);
            return;
        }
        world.exchange();
    }
    panic!("nothing comes: {:?} {:?}", world.client.told, world.server.told);
}

/// From which offset it was sent over each link, and how many files it names.
fn come(world: &mut World) -> (Vec<u64>, u64) {
    assert_eq!(world.run(), Ok(()));
    let resumes = world.server.told.iter().filter_map(|event| match event {
        Event::Accepted { resume, .. } => Some(*resume),
        _ => None,
    });
    (resumes.collect(), world.client.worker.take_listing(ID).expect("it came").totals().files)
}

#[test]
fn a_listing_goes_on_over_the_next_link() {
    goes_on(asking_for_a_long_one());
}

/// It is requested, and cut in the middle.
fn goes_on(mut world: World) {
    cut_behind(&mut world, 100_000);
    world.link_up();
    let (resumes, files) = come(&mut world);
    assert!(matches!(resumes[..], [0, from] if from >= 100_000), "{resumes:?}");
    assert_eq!(files, FILES as u64);
}

#[test]
fn a_listing_starts_over_if_the_folder_has_changed_since() {
    let mut world = asking_for_a_long_one();
    cut_behind(&mut world, 100_000);
    add_file(&world, FILES);
    world.link_up();
    let (resumes, files) = come(&mut world);
    assert_eq!((&resumes[..], files), (&[0, 0][..], FILES as u64 + 1));
}

/// Another process takes the place of the client.
fn another_client(world: &mut World) {
    world.client = End::new(Role::Client, world.from.path(), 3);
    world.client.transfers.request(Instant::ZERO, ID, SafeName::parse("top").expect("safe")).expect("new");
}

#[test]
fn another_process_resumes_a_listing_and_leaves_nothing_behind() {
    let mut world = asking_for_a_long_one();
    cut_behind(&mut world, 100_000);
    another_client(&mut world);
    cut_behind(&mut world, 300_000);
    another_client(&mut world);
    world.link_up();
    let (resumes, files) = come(&mut world);
    assert!(matches!(resumes[..], [0, first, second] if 100_000 <= first && first < second), "{resumes:?}");
    assert_eq!(files, FILES as u64);
    assert_eq!(fs::read_dir(world.from.path()).expect("a folder").count(), 0);
}

#[test]
fn another_process_starts_a_listing_over_if_the_folder_has_changed_since() {
    let mut world = asking_for_a_long_one();
    cut_behind(&mut world, 100_000);
    add_file(&world, FILES);
    another_client(&mut world);
    world.link_up();
    let (resumes, files) = come(&mut world);
    assert_eq!((&resumes[..], files), (&[0, 0][..], FILES as u64 + 1));
    assert_eq!(fs::read_dir(world.from.path()).expect("a folder").count(), 0);
}

/// The names and lengths in the answer to a request for everything.
fn listed(world: &mut World, wanted: Option<&str>) -> Result<Vec<(String, u64)>, Code> {
    let wanted = wanted.map(|name| SafeName::parse(name).expect("safe"));
    world.client.transfers.request_listing(Instant::ZERO, ID, wanted).expect("new");
    world.link_up();
    world.run()?;
    let listing = world.client.worker.take_listing(ID).expect("it came");
    Ok(listing.entries().map(|entry| (entry.name.as_str().to_owned(), entry.length)).collect())
}

#[test]
fn everything_or_one_folder_or_one_file_can_be_listed() {
    let all = [("top", 0), ("top/a b", 3), ("文", 0)];
    for (wanted, expected) in
        [(None, &all[..]), (Some("top"), &[("a b", 3)]), (Some("top/a b"), &[("a b", 3)])]
    {
        let mut world = World::new();
        fs::create_dir(world.to.path().join("top")).expect("a folder");
        fs::write(world.to.path().join("top/a b"), "abc").expect("written");
        fs::write(world.to.path().join("文"), "").expect("written");
        let expected: Vec<_> = expected.iter().map(|(name, length)| ((*name).to_owned(), *length)).collect();
        assert_eq!(listed(&mut world, wanted), Ok(expected), "{wanted:?}");
        assert_eq!(fs::read_dir(world.from.path()).expect("a folder").count(), 0, "nothing is written");
    }
}

#[test]
fn an_empty_store_has_a_listing_and_a_missing_name_has_none() {
    assert_eq!(listed(&mut World::new(), None), Ok(Vec::new()));
    assert_eq!(listed(&mut World::new(), Some("none")), Err(Code::NotFound));
}

#[test]
fn a_listing_of_everything_goes_on_over_the_next_link() {
    let mut world = holding_many();
    world.client.transfers.request_listing(Instant::ZERO, ID, None).expect("new");
    goes_on(world);
}

#[test]
fn a_kept_listing_that_is_damaged_is_thrown_away_and_the_folder_is_listed_again() {
    for at in [1000, 99_000] {
        let mut world = asking_for_a_long_one();
        cut_behind(&mut world, 100_000);
        damage_what_is_kept(world.from.path(), at);
        another_client(&mut world);
        world.link_up();
        while world.client.ended(ID).is_none() {
            world.exchange();
            world.let_time_pass();
        }
        let (resumes, files) = come(&mut world);
        assert!(matches!(resumes[..], [0, from, 0] if from >= 100_000), "{at}: {resumes:?}");
        assert_eq!(files, FILES as u64);
        assert_eq!(fs::read_dir(world.from.path()).expect("a folder").count(), 0);
    }
}

/// Flips a bit of the only part that there is.
fn damage_what_is_kept(dir: &Path, at: usize) {
    let part = largest_in(dir).expect("something is kept");
    let mut bytes = fs::read(&part).expect("a part");
    bytes[at] ^= 1;
    fs::write(part, bytes).expect("written");
}

fn largest_in(dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).expect("a folder").map(|entry| entry.expect("readable").path());
    let files = entries.filter_map(|path| if path.is_dir() { largest_in(&path) } else { Some(path) });
    files.max_by_key(|path| fs::metadata(path).expect("readable").len())
}
