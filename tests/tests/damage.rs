//! A path that damages bytes anywhere: in chunks, in other frames, in the headers of WebSocket frames.

use bowline_core::{Instant, Rng, Role};
use bowline_tests::sim::{Link, Path, World, contents, rng};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(24 * 3600);

/// A link that damages one byte in this many of what each role writes, on average.
fn damaging(rng: &mut Rng, now: Instant, distance: u64) -> Link {
    let path = Path::new(Duration::from_millis(5), Some(5_000_000));
    let mut link = Link::new(path, now);
    for role in [Role::Client, Role::Server] {
        let mut at = 0;
        while at < 20_000_000 {
            at += 1 + rng.next_u64() % (2 * distance);
            link.damage(role, at, 1 << (rng.next_u32() % 8));
        }
    }
    link
}

/// Files of this many bytes in both directions over such links; returns how many links it took.
fn run(seed: u64, len: usize, distance: u64) -> u32 {
    let mut world = World::new(seed);
    let mut dice = rng(seed);
    world.dialler = Box::new(move |_, now| Some(damaging(&mut dice, now, distance)));
    let up = contents(seed, len);
    let down = contents(seed + 100, len);
    let ids = [world.upload("up", up.clone()), world.download("down", down.clone())];
    assert!(world.run(LONG), "seed {seed}: {:#?}\n{:#?}", world.worker.told, world.past);
    for id in ids {
        assert!(world.done(id).is_some(), "seed {seed}: {:#?}", world.worker.told);
    }
    assert!(world.server_disk.file("up") == up && world.client_disk.file("down") == down, "seed {seed}");
    world.dials()
}

#[test]
fn files_arrive_over_links_that_damage_a_byte_every_200_kb() {
    for seed in 0..4 {
        run(seed, 2_000_000, 200_000);
    }
}

#[test]
fn files_arrive_over_links_that_damage_a_byte_every_20_kb() {
    let dials: u32 = (0..8).map(|seed| run(seed, 1_000_000, 20_000)).sum();
    assert!(dials > 16, "hardly a link was lost: {dials} dials");
}
