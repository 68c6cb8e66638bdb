//! Transfers over links that are cut anywhere: the file arrives whole, and little of it is sent twice.

use bowline_core::{End, Role, session};
use bowline_tests::sim::{Link, Path, World, contents, other, rng};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

/// 20 MB/s at 10 ms: an ordinary path, on which a few hundred kilobytes are under way. Segments are large, as with
/// today's network cards.
fn path() -> Path {
    Path { segment: 8 << 10, ..Path::new(Duration::from_millis(10), Some(20_000_000)) }
}

/// Cuts of the first links: after this many bytes of what this role writes, and in which way.
fn cut(world: &mut World, path: Path, cuts: Vec<(Role, u64, End)>) {
    world.handshake = path.latency * 2;
    world.dialler = Box::new(move |n, now| {
        let mut link = Link::new(path.clone(), now);
        if let Some((role, bytes, end)) = cuts.get(n as usize) {
            link.cut_after(*role, *bytes, *end);
        }
        Some(link)
    });
}

fn side(of: Role, pair: (u64, u64)) -> u64 {
    if of == Role::Client { pair.0 } else { pair.1 }
}

/// What headers and control messages may cost.
fn overhead(world: &World, files: &[usize], sender: Role) -> u64 {
    files.len() as u64 * 400 + side(sender, world.sent()) / 100 + 1000 * u64::from(world.dials())
}

/// The most that the sender may put on the wire: the files, the overhead, and two windows for each link that was cut.
fn bound(world: &World, files: &[usize], sender: Role) -> u64 {
    let total: u64 = files.iter().map(|len| *len as u64).sum();
    let windows = world.past.iter().map(|past| 2 * side(sender, past.window));
    total + overhead(world, files, sender) + windows.sum::<u64>()
}

/// One run: these files in this direction, over links that are cut at random places.
fn run(seed: u64, sender: Role, files: &[usize], cuts: usize) {
    let case = format!("seed {seed}, {sender:?} sends {files:?}, {cuts} cuts");
    let mut rng = rng(seed);
    let mut world = World::new(seed);
    let total: u64 = files.iter().map(|len| *len as u64).sum();
    let cuts = (0..cuts).map(|_| {
        // Acknowledgements are few, so only now and then does a cut count what goes the other way.
        let role = if rng.next_u32() % 4 == 0 { other(sender) } else { sender };
        let most = if role == sender { total + 2000 } else { 3000 };
        (role, rng.next_u64() % most, if rng.next_u32() % 2 == 0 { End::Eof } else { End::Reset })
    });
    let cuts = cuts.collect();
    cut(&mut world, path(), cuts);
    let mut expected = Vec::new();
    for (n, len) in files.iter().enumerate() {
        let (name, data) = (format!("file {n}"), contents(seed + n as u64, *len));
        expected.push(match sender {
            Role::Client => (world.upload(&name, data.clone()), name, data),
            Role::Server => (world.download(&name, data.clone()), name, data),
        });
    }
    assert!(world.run(LONG), "{case}: {:#?}", world.past);
    let mut resent = 0;
    for (id, name, data) in &expected {
        let disk = if sender == Role::Client { &world.server_disk } else { &world.client_disk };
        assert!(disk.file(name) == data, "{case}: {name} differs");
        let (_, again) = world.done(*id).unwrap_or_else(|| panic!("{case}: {name} is not done"));
        resent += again;
    }
    let sent = side(sender, world.sent());
    let most = bound(&world, files, sender);
    assert!(sent <= most, "{case}: {sent} bytes sent, {most} expected: {:#?}", world.past);
    assert!(resent <= most - total, "{case}: {resent} bytes resent, by its own account");
    // A sender knows what it sent twice; a receiver cannot know what was lost on its way.
    let explained = total + resent + overhead(&world, files, sender);
    let is_explained = sent <= explained || sender == Role::Server;
    assert!(is_explained, "{case}: {sent} bytes sent, and only {explained} explained");
}

#[test]
fn an_upload_survives_a_cut_at_any_of_fifty_places() {
    for seed in 0..50 {
        run(seed, Role::Client, &[3 << 20], 1);
    }
}

#[test]
fn a_download_survives_a_cut_at_any_of_fifty_places() {
    for seed in 100..150 {
        run(seed, Role::Server, &[3 << 20], 1);
    }
}

#[test]
fn an_upload_survives_many_cuts() {
    for seed in 200..210 {
        run(seed, Role::Client, &[3 << 20], 8);
    }
}

#[test]
fn a_download_survives_many_cuts() {
    for seed in 300..310 {
        run(seed, Role::Server, &[3 << 20], 8);
    }
}

#[test]
fn small_files_survive_cuts() {
    let files: Vec<usize> = (0..40).map(|n| n * n * 50).collect();
    for seed in 400..420 {
        run(seed, Role::Client, &files, 3);
        run(seed, Role::Server, &files, 3);
    }
}

#[test]
fn a_new_link_takes_over_from_one_that_the_server_still_believes_in() {
    for seed in 0..10 {
        let mut world = World::new(seed);
        cut(&mut world, path(), Vec::new());
        let data = contents(seed, 3 << 20);
        let id = world.upload("file", data.clone());
        for _ in 0..3 {
            let until = world.now() + Duration::from_millis(40 + 5 * seed);
            world.run_until(until);
            let now = world.now();
            if let Some(pair) = world.pair() {
                pair.link.lose(now, Role::Client, End::Reset);
            }
        }
        assert!(world.run(LONG), "seed {seed}: {world:?}");
        assert!(world.server_disk.file("file") == data, "seed {seed}");
        assert!(world.done(id).is_some() && world.dials() > 1, "seed {seed}: {} dials", world.dials());
    }
}

#[test]
fn an_upload_survives_crashes_of_the_server() {
    for seed in 0..10 {
        let mut server = session::Config::default();
        server.transfer.sync_bytes = 100_000;
        let mut world = World::with(seed, session::Config::default(), server);
        cut(&mut world, path(), Vec::new());
        let data = contents(seed, 3 << 20);
        let id = world.upload("file", data.clone());
        let mut safe = 0;
        for _ in 0..5 {
            let until = world.now() + Duration::from_millis(60 + 7 * seed);
            world.run_until(until);
            world.crash_server();
            assert!(world.server_disk.safe(id) >= safe, "seed {seed}: what was safe is gone");
            safe = world.server_disk.safe(id);
        }
        assert!(world.run(LONG), "seed {seed}: {world:?}");
        assert!(world.server_disk.file("file") == data, "seed {seed}");
        assert!(world.done(id).is_some() && world.dials() > 1, "seed {seed}: {} dials", world.dials());
    }
}

/// A small exchange, cut after every single byte that `role` writes.
fn cut_after_every_byte(sender: Role, role: Role) {
    const LEN: usize = 3 << 10;
    let path = Path::new(Duration::from_millis(1), None);
    let data = contents(1, LEN);
    let mut offset = 0;
    loop {
        let end = if offset % 2 == 0 { End::Eof } else { End::Reset };
        let mut world = World::new(1);
        cut(&mut world, path.clone(), vec![(role, offset, end)]);
        let (id, disk) = match sender {
            Role::Client => (world.upload("file", data.clone()), "server"),
            Role::Server => (world.download("file", data.clone()), "client"),
        };
        let case = format!("{sender:?} sends, cut behind byte {offset} of what {role:?} writes");
        assert!(world.run(LONG), "{case}: {world:#?}");
        let disk = if disk == "server" { &world.server_disk } else { &world.client_disk };
        assert!(disk.file("file") == data, "{case}");
        let (_, resent) = world.done(id).unwrap_or_else(|| panic!("{case}: not done"));
        assert!(resent <= LEN as u64, "{case}: {resent} bytes resent");
        if world.dials() == 1 {
            // The exchange is over before this many bytes.
            assert!(offset > 150, "{case}: hardly anything was cut");
            return;
        }
        offset += 1;
    }
}

#[test]
fn a_small_upload_survives_a_cut_after_every_byte_of_its_sender() {
    cut_after_every_byte(Role::Client, Role::Client);
}

#[test]
fn a_small_upload_survives_a_cut_after_every_byte_of_its_receiver() {
    cut_after_every_byte(Role::Client, Role::Server);
}

#[test]
fn a_small_download_survives_a_cut_after_every_byte_of_its_sender() {
    cut_after_every_byte(Role::Server, Role::Server);
}

#[test]
fn a_small_download_survives_a_cut_after_every_byte_of_its_receiver() {
    cut_after_every_byte(Role::Server, Role::Client);
}
