//! Folders over links that each carry little before they break: something of each link remains.

use bowline_core::{End, Instant, Role};
use bowline_tests::sim::{Link, Path, World, contents};
use std::time::Duration;

const FILES: usize = 200;
const LENGTH: usize = 100;
/// What leaves for a file where no link breaks: its offer, which has a long name, its bytes and its FIN.
const COST: u64 = 360;

/// A world whose links break when this many bytes have arrived in one of the two directions.
fn world(carried: u64) -> World {
    let mut world = World::new(1);
    let path = Path::new(Duration::from_millis(10), None);
    world.handshake = path.latency * 2;
    world.dialler = Box::new(move |_, now| {
        let mut link = Link::new(path.clone(), now);
        for role in [Role::Client, Role::Server] {
            link.cut_after(role, carried, End::Reset);
        }
        Some(link)
    });
    world
}

fn name(n: usize) -> String {
    format!("folder/a file with a name of some length, number {n:03}")
}

/// How many links it takes until a folder has arrived, and how long.
fn arrival(sender: Role, carried: u64) -> (u64, Instant) {
    let mut world = world(carried);
    let data = contents(1, FILES + LENGTH);
    for n in 0..FILES {
        let data = data[n..n + LENGTH].to_vec();
        match sender {
            Role::Client => world.upload(&name(n), data),
            Role::Server => world.download(&name(n), data),
        };
    }
    let done = world.run(Duration::from_secs(3600));
    let left = world.session.transfers().len();
    assert!(done, "{sender:?} sends over links of {carried} bytes: {left} files are left");
    let disk = if sender == Role::Client { &world.server_disk } else { &world.client_disk };
    for n in 0..FILES {
        assert!(disk.file(&name(n)) == &data[n..n + LENGTH], "{sender:?}, {carried}: file {n}");
    }
    (world.dials().into(), world.now())
}

#[test]
fn a_folder_arrives_over_links_that_carry_a_kibibyte() {
    for sender in [Role::Client, Role::Server] {
        arrival(sender, 1 << 10);
    }
}

#[test]
fn at_least_a_fifth_of_what_links_of_a_few_kib_carry_counts() {
    for sender in [Role::Client, Role::Server] {
        for carried in [2 << 10, 3 << 10, 4 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10] {
            let (links, _) = arrival(sender, carried);
            let least = FILES as u64 * COST / carried;
            assert!(links <= 5 * least + 2, "{sender:?} sends: {links} links of {carried} bytes");
        }
    }
}

/// Files that lack nothing but their FIN bring no bytes, and a client that brings none dials later and later.
#[test]
fn a_link_that_completed_a_file_counts_as_useful() {
    let (links, at) = arrival(Role::Client, 2 << 10);
    assert!(at <= Instant::from_secs(links), "{links} links in {at:?}");
}
