//! Files of all sizes in both directions, while everything goes wrong that can: each arrives whole.

use bowline_core::{End, Instant, Rng, Role, connection, session};
use bowline_tests::sim::{Link, Path, Then, World, contents, rng};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(24 * 3600);

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

/// Does to a link one of the things that happen to links.
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

fn world(seed: u64, rng: &mut Rng) -> World {
    let mut config = session::Config::default();
    config.transfer.sync_bytes = 100_000 << below(rng, 6);
    config.transfer.credit = 64 << 10 << below(rng, 7);
    let mut world = World::with(seed, config.clone(), config);
    let path = path(rng);
    world.handshake = path.latency * 3;
    world.connection = connection::Config::default();
    world.connection.heartbeat.interval = Duration::from_secs(1);
    world.connection.heartbeat.timeout = Duration::from_secs(1);
    world.connection.heartbeat.timeout_max = Duration::from_secs(5);
    world.client_disk.delay = Duration::from_millis(below(rng, 30));
    world.server_disk.delay = Duration::from_millis(below(rng, 30));
    let mut dice = rng.fork();
    let disturbed = 4 + below(rng, 12) as u32;
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
    world
}

/// One run; how many dials it took.
fn run(seed: u64) -> u32 {
    let mut rng = rng(seed);
    let mut world = world(seed, &mut rng);
    let mut files = Vec::new();
    for n in 0..2 + below(&mut rng, 6) {
        let len = [0, 3000, 65_537, 400_000, 1_500_000, 4_000_000][below(&mut rng, 6) as usize];
        let (name, data) = (format!("file {n}"), contents(seed * 10 + n, len));
        let sender = role(&mut rng);
        let id = match sender {
            Role::Client => world.upload(&name, data.clone()),
            Role::Server => world.download(&name, data.clone()),
        };
        files.push((sender, id, name, data));
    }
    for _ in 0..below(&mut rng, 3) {
        let until = world.now() + Duration::from_millis(below(&mut rng, 4000));
        world.run_until(until);
        world.crash_server();
    }
    assert!(world.run(LONG), "seed {seed}: {:#?}\n{:#?}", world.worker.told, world.past);
    for (sender, id, name, data) in files {
        assert!(world.done(id).is_some(), "seed {seed}: {name} is not done: {:#?}", world.worker.told);
        let disk = if sender == Role::Client { &world.server_disk } else { &world.client_disk };
        assert!(disk.file(&name) == data, "seed {seed}: {name} differs");
    }
    world.dials()
}

#[test]
fn every_file_arrives_whatever_happens() {
    let dials: u32 = (0..80).map(run).sum();
    assert!(dials > 320, "hardly anything happened: {dials} dials");
}
