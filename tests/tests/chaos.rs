//! Files of all sizes in both directions, while everything goes wrong that can: each arrives whole.

use bowline_core::transfer::Event;
use bowline_core::{End, Instant, Rng, Role, connection, session};
use bowline_tests::sim::{Link, Path, Then, World, contents, rng};
use std::num::NonZero;
use std::ops::Range;
use std::time::Duration;
use std::{env, thread};

const LONG: Duration = Duration::from_secs(24 * 3600);
/// More than the longest round trip, and than what all files send unasked takes at the lowest limit.
const PATIENCE: Duration = Duration::from_secs(6);

fn below(rng: &mut Rng, most: u64) -> u64 {
    rng.next_u64() % most
}

/// Small numbers as likely as large ones.
fn magnitude(rng: &mut Rng, most: u64) -> u64 {
    let bits = below(rng, u64::from(most.ilog2()) + 1);
    below(rng, 2 << bits).min(most)
}

fn role(rng: &mut Rng) -> Role {
    if below(rng, 2) == 0 { Role::Client } else { Role::Server }
}

fn end(rng: &mut Rng) -> End {
    if below(rng, 2) == 0 { End::Eof } else { End::Reset }
}

/// From a modem to a data centre.
fn path(rng: &mut Rng) -> Path {
    Path {
        latency: Duration::from_millis([0, 1, 10, 50, 150][below(rng, 5) as usize]),
        bandwidth: [None, Some(50_000_000), Some(2_000_000), Some(300_000)][below(rng, 4) as usize],
        segment: [1460, 8 << 10, 64 << 10][below(rng, 3) as usize],
        send_buffer: 8 << 10 << below(rng, 9),
        receive_buffer: 8 << 10 << below(rng, 9),
        stalls: Vec::new(),
    }
}

/// Does one of the things to a link that happen to links.
fn disturb(link: &mut Link, rng: &mut Rng, now: Instant) {
    let soon = now + Duration::from_millis(magnitude(rng, 5000));
    match below(rng, 8) {
        0..=2 => link.cut_after(role(rng), magnitude(rng, 1_500_000), end(rng)),
        3 => link.swallow(role(rng), soon),
        4 => {
            link.swallow(Role::Client, soon);
            link.swallow(Role::Server, soon);
        }
        5 => link.drop_idle(Duration::from_millis(300 + below(rng, 3000)), Then::Finish),
        6 => link.drop_idle(Duration::from_millis(300 + below(rng, 3000)), Then::ResetLater),
        _ => {
            let role = role(rng);
            link.lose(soon, role, End::Reset);
        }
    }
}

/// Settings that nobody would choose. What others limit, and does not matter here, stays as it is.
fn settings(rng: &mut Rng) -> session::Config {
    let mut config = session::Config::default();
    let transfer = &mut config.transfer;
    let [seldom, often] = [|rng: &mut Rng| below(rng, 3) == 0, |rng: &mut Rng| below(rng, 3) > 0];
    let kib = |rng: &mut Rng, doubled: u64| 1024_u64 << below(rng, doubled + 1);
    if seldom(rng) {
        transfer.max_chunk = kib(rng, 10) as u32;
    }
    if seldom(rng) {
        transfer.credit = kib(rng, 13);
    }
    if seldom(rng) {
        transfer.link_credit = kib(rng, 13);
    }
    if seldom(rng) {
        transfer.read_ahead = kib(rng, 11);
    }
    if seldom(rng) {
        transfer.max_transfers = 1 + below(rng, 5) as u32;
    }
    if seldom(rng) {
        transfer.ack_delay = Duration::from_millis(magnitude(rng, 2000));
    }
    if often(rng) {
        transfer.sync_bytes = kib(rng, 12);
    }
    if seldom(rng) {
        transfer.sync_delay = Duration::from_millis(magnitude(rng, 5000));
    }
    if seldom(rng) {
        transfer.limit_rate = Some(100 * kib(rng, 6));
    }
    config
}

/// A world, and how many of its links are disturbed.
fn world(seed: u64, rng: &mut Rng) -> (World, u32) {
    let (client, server) = (settings(rng), settings(rng));
    let mut world = World::with(seed, client, server);
    let path = path(rng);
    world.handshake = path.latency * 3;
    world.connection = connection::Config::default();
    world.connection.heartbeat.interval = Duration::from_secs(1);
    world.connection.heartbeat.timeout = Duration::from_secs(1);
    world.connection.heartbeat.timeout_max = Duration::from_secs(5);
    world.client_disk.delay = Duration::from_millis(below(rng, 30));
    world.server_disk.delay = Duration::from_millis(below(rng, 30));
    let mut dice = rng.fork();
    let disturbed = 1 + below(rng, 12) as u32;
    world.dialler = Box::new(move |n, now| {
        if n < disturbed && below(&mut dice, 5) == 0 {
            return None;
        }
        let mut link = Link::new(path.clone(), now);
        if n < disturbed {
            disturb(&mut link, &mut dice, now);
        }
        Some(link)
    });
    (world, disturbed)
}

/// The length of a file: preferably one at which something begins or ends.
fn len(rng: &mut Rng) -> usize {
    let len = match below(rng, 4) {
        0 => [0, 1, 3000, 65_535, 65_537, 400_000][below(rng, 6) as usize],
        1 => 1 << below(rng, 22),
        2 => (1 + below(rng, 20)) << 16,
        _ => magnitude(rng, 2_000_000),
    };
    len as usize
}

/// What has moved so far: ended links, received bytes, complete files.
fn moved(world: &World) -> (usize, usize, usize) {
    let is_done = |event: &Event| matches!(event, Event::Done { .. });
    let done = world.worker.transfer_events().filter(|(_, event)| is_done(event)).count();
    (world.past.len(), world.client_disk.received() + world.server_disk.received(), done)
}

/// Runs until everything is done. Returns whether it got there, and something moved all the time once nothing was
/// disturbed.
fn goes_on(world: &mut World, disturbed: u32) -> bool {
    let end = world.now() + LONG;
    while world.now() < end {
        let (before, until) = (moved(world), world.now() + PATIENCE);
        let is_up = world.pair().is_some() && world.dials() > disturbed;
        if world.run(PATIENCE) {
            return true;
        }
        world.run_until(until);
        if is_up && moved(world) == before {
            return false;
        }
    }
    false
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Upload,
    Pipe,
    Download,
}

const WAYS: [Way; 4] = [Way::Upload, Way::Pipe, Way::Download, Way::Download];

/// One run; returns how many dials it took.
fn run(seed: u64) -> u64 {
    let mut rng = rng(seed);
    let (mut world, disturbed) = world(seed, &mut rng);
    let mut files = Vec::new();
    for n in 0..2 + below(&mut rng, 6) {
        let data = contents(seed * 10 + n, len(&mut rng));
        let (name, way) = (format!("file {n}"), WAYS[below(&mut rng, 4) as usize]);
        let id = match way {
            Way::Upload => world.upload(&name, data.clone()),
            Way::Pipe => world.pipe(&name, data.clone()),
            Way::Download => world.download(&name, data.clone()),
        };
        files.push((way, id, name, data));
    }
    for _ in 0..below(&mut rng, 5) {
        let until = world.now() + Duration::from_millis(magnitude(&mut rng, 4000));
        world.run_until(until);
        match below(&mut rng, 3) {
            0 => world.crash_server(),
            1 => {
                world.restart_client();
                files.retain(|(way, id, ..)| *way != Way::Pipe || world.done(*id).is_some());
            }
            _ => {
                if let Some((_, id, ..)) = files.pop() {
                    world.cancel(id);
                }
            }
        }
    }
    let goes_on = goes_on(&mut world, disturbed);
    assert!(goes_on, "seed {seed}, at {}: {:#?}\n{:#?}", world.now(), world.worker.told, world.past);
    for (way, id, name, data) in files {
        assert!(world.done(id).is_some(), "seed {seed}: {name} is not done: {:#?}", world.worker.told);
        let disk = if way == Way::Download { &world.client_disk } else { &world.server_disk };
        assert!(disk.file(&name) == data, "seed {seed}: {name} differs");
    }
    world.dials().into()
}

/// Those of the environment if there are any, as `0..80`: to look for rare cases.
fn seeds() -> Range<u64> {
    let Ok(seeds) = env::var("CHAOS_SEEDS") else { return 0..80 };
    let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("CHAOS_SEEDS={seeds}"));
    let (from, to) = seeds.split_once("..").unwrap_or_else(|| panic!("CHAOS_SEEDS={seeds}"));
    number(from)..number(to)
}

#[test]
fn every_file_arrives_whatever_happens_and_no_transfer_stalls() {
    let seeds = seeds();
    let runs = seeds.end - seeds.start;
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = |n: usize| seeds.clone().skip(n).step_by(threads).map(run).sum::<u64>();
    let dials = thread::scope(|scope| {
        let shares: Vec<_> = (0..threads).map(|n| scope.spawn(move || share(n))).collect();
        shares.into_iter().map(|share| share.join().expect("all is well")).sum::<u64>()
    });
    assert!(dials > 3 * runs, "hardly anything happened: {dials} dials in {runs} runs");
}
