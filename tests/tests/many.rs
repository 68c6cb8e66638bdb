//! Many files at once: how they share a link, how long small ones take, and how much memory they need.

use bowline_core::Instant;
use bowline_core::transfer::{Batch, Offer, SafeName, TransferId, UnixMode};
use bowline_tests::sim::{Link, Path, World, contents};
use std::collections::BTreeMap;
use std::time::Duration;

/// A world whose links have this round trip, and 100 Mbit/s.
fn world(round_trip: Duration) -> World {
    let mut world = World::new(1);
    world.handshake = round_trip;
    world.dialler = Box::new(move |_, now| {
        let buffers = 4 << 20;
        let path = Path {
            segment: 8 << 10,
            send_buffer: buffers,
            receive_buffer: buffers,
            ..Path::new(round_trip / 2, Some(12_500_000))
        };
        Some(Link::new(path, now))
    });
    world
}

#[test]
fn a_tree_of_ten_thousand_small_files_crosses_a_long_path_in_a_few_seconds() {
    const FOLDERS: usize = 100;
    const FILES: usize = 100;
    let mut world = world(Duration::from_millis(100));
    world.server_disk.delay = Duration::from_millis(1);
    let data = contents(1, 1024 + FOLDERS * FILES);
    let mut left = BTreeMap::new();
    for folder in 0..FOLDERS {
        for file in 0..FILES {
            let n = folder * FILES + file;
            let (id, name) = (id(n), name(&format!("tree/{folder:02}/{file:02}")));
            let mut offer = Offer::new(id, name.clone(), 1024);
            offer.unix_mode = Some(UnixMode::from_bits(0o640));
            offer.batch = Some(Batch { id: [7; 16], index: n as u32, count: (FOLDERS * (FILES + 1)) as u32 });
            world.client_disk.files.insert(name.clone(), data[n..n + 1024].to_vec().into());
            world.worker.send(id, name);
            let now = world.now();
            world.session.transfers_mut().offer(now, offer).expect("a new transfer");
            left.entry(folder).or_insert_with(Vec::new).push(id);
        }
    }
    let mut most = 0;
    // A folder is offered when everything in it has arrived.
    while !left.is_empty() || !world.session.transfers().is_empty() {
        assert!(world.now() < Instant::from_secs(20), "{} are left", world.session.transfers().len());
        world.run_until(world.now() + Duration::from_millis(10));
        most = most.max(world.session.transfers().in_flight());
        let now = world.now();
        let transfers = world.session.transfers_mut();
        left.retain(|folder, ids| {
            ids.retain(|id| transfers.progress(*id).is_some());
            if ids.is_empty() {
                let id = id(FOLDERS * FILES + folder);
                transfers.offer(now, Offer::folder(id, name(&format!("tree/{folder:02}")))).expect("new");
            }
            !ids.is_empty()
        });
    }
    // As many as the peer accepts at once, 256, and no more: that limits what either end holds.
    assert!(most <= 256 * 1024, "{most} bytes are under way");
    assert_eq!(world.server_disk.folders.len(), FOLDERS);
    for n in 0..FOLDERS * FILES {
        let name = format!("tree/{:02}/{:02}", n / FILES, n % FILES);
        assert!(world.server_disk.file(&name) == &data[n..n + 1024], "{name}");
    }
}

fn id(n: usize) -> TransferId {
    TransferId::from_bytes((n as u128 + 1).to_be_bytes())
}

fn name(name: &str) -> SafeName {
    SafeName::parse(name).expect("a safe name")
}

#[test]
fn transfers_share_a_link_by_their_priorities() {
    const LENGTH: usize = 20_000_000;
    let mut world = world(Duration::from_millis(20));
    let data = contents(1, LENGTH);
    let ids = [0, 3].map(|priority| {
        let (id, name) =
            (TransferId::from_bytes([priority + 1; 16]), SafeName::parse("a").expect("a safe name"));
        let mut offer = Offer::new(id, name.clone(), LENGTH as u64);
        offer.name = SafeName::parse(if priority == 0 { "plain" } else { "preferred" }).expect("a safe name");
        offer.priority = priority.into();
        world.client_disk.files.insert(name.clone(), data.clone().into());
        world.worker.send(id, name);
        let now = world.now();
        world.session.transfers_mut().offer(now, offer).expect("a new transfer");
        id
    });
    world.run_until(Instant::from_secs(2));
    let [plain, preferred] =
        ids.map(|id| world.session.transfers().progress(id).expect("it is under way").received as f64);
    let ratio = preferred / plain;
    assert!((3.0..=5.0).contains(&ratio), "{ratio:.2} instead of 4");
}
