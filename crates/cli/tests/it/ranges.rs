//! Parts of files are fetched exactly as they are in the file.

use crate::common::{Process, Relay, World};
use std::fs;

const BIG: usize = 8_000_000;

#[test]
fn parts_are_the_bytes_that_the_file_has_there() {
    let world = World::new();
    world.file("inbox/holiday/big", 300_000);
    let server = world.serve(&[]);
    let url = format!("{}/holiday/big", server.url);
    let whole = world.inbox("holiday/big");
    for (range, part) in [
        ("0-0", 0..1),
        ("100-199", 100..200),
        ("65535-131072", 65_535..131_073),
        ("299999-299999", 299_999..300_000),
        ("200000-", 200_000..300_000),
        ("250000-999999999", 250_000..300_000),
    ] {
        let fetched = world.run(["fetch", &url, "--range", range]);
        assert_eq!(fetched.code, Some(0), "{fetched:?}");
        let arrived = fs::read(world.path(&format!("big.{range}"))).expect("it is named after the range");
        assert!(arrived == whole[part], "{range}");
    }
    assert!(!world.path("big").exists(), "no part passes for the whole");
    let placed = world.run(["fetch", &url, "--range", "7-9", "-o", "some"]);
    assert_eq!(placed.code, Some(0), "{placed:?}");
    assert_eq!(fs::read(world.path("some")).expect("it is there"), whole[7..10]);
}

#[test]
fn the_parts_make_up_the_whole_even_if_they_come_at_the_same_time() {
    let world = World::new();
    world.file("inbox/big", 1_000_000);
    let server = world.serve(&[]);
    let url = format!("{}/big", server.url);
    let ranges = ["0-333332", "333333-666665", "666666-"];
    let fetch = |range| Process::start(&mut world.bowline(["fetch", &url, "--range", range]));
    for fetching in ranges.map(fetch) {
        let fetched = fetching.finish();
        assert_eq!(fetched.code, Some(0), "{fetched:?}");
    }
    let parts = ranges.map(|range| fs::read(world.path(&format!("big.{range}"))).expect("it is there"));
    assert!(parts.concat() == world.inbox("big"));
}

#[test]
fn a_range_of_the_whole_file_is_not_a_part() {
    let world = World::new();
    world.file("inbox/a", 500);
    world.file("inbox/none", 0);
    let server = world.serve(&[]);
    for name in ["a", "none"] {
        let fetched = world.run(["fetch", &format!("{}/{name}", server.url), "--range", "0-"]);
        assert_eq!(fetched.code, Some(0), "{fetched:?}");
        assert!(fs::read(world.path(name)).expect("under its own name") == world.inbox(name));
    }
}

#[test]
fn a_part_that_was_interrupted_goes_on() {
    let world = World::new();
    world.file("inbox/big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let url = format!("{}/big", relay.url);
    let fetch = ["fetch", &url, "--range", "1000000-6999999"];
    let slow = ["--limit-rate", "1200k", "--json"];
    let mut first = Process::start(&mut world.bowline(fetch.iter().chain(&slow)));
    let safe = first.middle();
    first.kill();
    assert!(!world.path("big.1000000-6999999").exists(), "a piece is not the part");
    relay.down();
    // Another part is independent of it.
    let other = world.run(["fetch", &url, "--range", "1000000-1000009"]);
    assert_eq!(other.code, Some(0), "{other:?}");
    let again = world.run(fetch);
    assert_eq!(again.code, Some(0), "{again:?}");
    let arrived = fs::read(world.path("big.1000000-6999999")).expect("it is there");
    assert!(arrived == world.inbox("big")[1_000_000..7_000_000]);
    let moved = relay.down();
    assert!(moved <= 6_000_000 - safe + 200_000, "{moved} bytes were fetched although {safe} were safe");
}

#[test]
fn a_range_beyond_the_end_is_refused_with_both_numbers() {
    let world = World::new();
    world.file("inbox/a", 500);
    let server = world.serve(&[]);
    let url = format!("{}/a", server.url);
    for range in ["500-", "500-599", "9000-9001"] {
        let fetched = world.run(["fetch", &url, "--range", range]);
        assert_eq!(fetched.code, Some(1), "{fetched:?}");
        let from = range.split('-').next().expect("a number");
        let numbers = format!("the range begins at byte {from}, and the file has 500 bytes");
        assert!(fetched.stderr.contains(&numbers), "{fetched:?}");
        assert!(!world.path(&format!("a.{range}")).exists());
    }
    let reversed = world.run(["fetch", &url, "--range", "9-5"]);
    assert_eq!(reversed.code, Some(2), "{reversed:?}");
    assert!(reversed.stderr.contains("the first byte, 9, comes after the last, 5"), "{reversed:?}");
}

#[test]
fn a_folder_has_no_parts() {
    let world = World::new();
    world.file("inbox/photos/a", 500);
    let server = world.serve(&[]);
    let fetched = world.run(["fetch", &format!("{}/photos", server.url), "--range", "0-99"]);
    assert_eq!(fetched.code, Some(1), "{fetched:?}");
    assert!(fetched.stderr.contains("nothing else has a range of bytes"), "{fetched:?}");
    assert!(!world.path("photos").exists() && !world.path("photos.0-99").exists());
}
