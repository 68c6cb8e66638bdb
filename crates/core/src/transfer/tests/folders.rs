//! Folders, batches and modes between two ends.

use super::super::wire::{self, Frame};
use super::super::*;
use super::world::*;

const MINUTE: Duration = Duration::from_secs(60);

fn done(end: &End, which: TransferId) -> Option<(u64, bool)> {
    end.told.iter().find_map(|event| match event {
        Event::Done { id, length, deduplicated, digest, .. } if *id == which => {
            assert_eq!(*digest, Digest::of(b""));
            Some((*length, *deduplicated))
        }
        _ => None,
    })
}

#[test]
fn a_folder_arrives_and_an_existing_one_is_reported_as_such() {
    let mut world = World::new();
    for (n, existed) in [(1, false), (2, true)] {
        world.client.transfers.offer(world.now, Offer::folder(id(n), name("empty/folder"))).expect("new");
        world.link_up();
        world.run(MINUTE);
        assert_eq!(done(&world.client, id(n)), Some((0, existed)), "{:?}", world.client.told);
        assert_eq!(done(&world.server, id(n)), Some((0, existed)), "{:?}", world.server.told);
    }
    assert!(world.server.folders.contains(&name("empty/folder")));
    assert!(world.client.transfers.is_empty() && world.server.transfers.is_empty());
}

#[test]
fn a_folder_needs_no_reading_hashing_or_sending() {
    let mut world = World::new();
    // There is no source that could be read.
    world.client.transfers.offer(world.now, Offer::folder(id(1), name("folder"))).expect("new");
    world.link_up();
    while world.poll_messages() | world.deliver(true) | world.deliver(false) {
        let frames = world.up.iter().map(|message| wire::decode(message.clone()).expect("a frame"));
        for frame in frames {
            assert!(matches!(frame, Frame::Hello(_) | Frame::Offer(..)), "{frame:?}");
        }
        assert!(world.client.effects.is_empty(), "{:?}", world.client.effects);
        world.server.carry_out_one(world.now);
    }
    assert_eq!(done(&world.client, id(1)), Some((0, false)));
}

#[test]
fn a_folder_is_offered_again_after_a_cut() {
    let mut world = World::new();
    world.client.transfers.offer(world.now, Offer::folder(id(1), name("folder"))).expect("new");
    world.link_up();
    while !world.server.folders.contains(&name("folder")) {
        world.poll_messages();
        world.deliver(true);
        world.deliver(false);
        world.server.carry_out_one(world.now);
    }
    world.cut();
    assert_eq!(done(&world.client, id(1)), None);
    world.link_up();
    world.run(MINUTE);
    assert_eq!(done(&world.client, id(1)), Some((0, true)));
}

#[test]
fn a_receiver_may_take_a_folder_as_an_empty_file() {
    let mut world = World::new();
    world.client.transfers.offer(world.now, Offer::folder(id(1), name("folder"))).expect("new");
    world.server.disk.insert(id(1), Part::default());
    world.link_up();
    world.settle_with(|effect, transfers, now| {
        let Event::Offered(offered) = effect else { return false };
        let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
        transfers.answer(now, offered.id, answer)
    });
    assert_eq!(done(&world.client, id(1)), Some((0, false)), "{:?}", world.client.told);
}

#[test]
fn the_metadata_of_a_file_reaches_the_other_end() {
    let mut world = World::new();
    let mut offer = Offer::new(id(1), name("a/b"), 3);
    offer.unix_mode = Some(UnixMode::from_bits(0o4755));
    offer.batch = Some(Batch { id: [7; 16], index: 2, count: 9 });
    offer.mtime_ms = 5;
    world.client.sources.insert(id(1), (name("a/b"), contents(1, 3)));
    world.client.transfers.offer(world.now, offer.clone()).expect("new");
    world.link_up();
    while world.server.effects.is_empty() {
        world.poll_messages();
        world.deliver(true);
    }
    let Some(Event::Offered(offered)) = world.server.effects.front() else { panic!("it is offered") };
    assert_eq!((offered.unix_mode, offered.batch), (Some(UnixMode::from_bits(0o755)), offer.batch));
    assert_eq!((offered.kind, offered.mtime_ms, offered.requested), (Kind::File, 5, false));
}

#[test]
fn a_folder_with_a_length_is_refused_without_harm_to_others() {
    let mut world = World::new();
    world.send(id(1), "file", contents(1, 300_000));
    world.link_up();
    while world.server.transfers.progress(id(1)).is_none() {
        world.poll_messages();
        world.deliver(true);
    }
    let offer = wire::Offer { kind: Kind::Folder, ..plain_offer(id(2), "folder", 5) };
    world.server.transfers.handle_message(world.now, Frame::Offer(101, offer).encode().into_bytes());
    world.server.collect();
    assert!(world.server.transfers.progress(id(2)).is_none());
    let mut refused = false;
    while let Some(message) = world.server.transfers.poll_message(world.now, 1) {
        let message = message.into_bytes();
        match wire::decode(message.clone()).expect("a frame") {
            Frame::Cancel(101, cancel) if cancel.code == Code::Protocol => refused = true,
            _ => world.down.push_back(message),
        }
    }
    assert!(refused);
    world.run(MINUTE);
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
}

#[test]
fn bytes_for_a_folder_end_its_transfer() {
    let mut world = World::new();
    world.client.transfers.offer(world.now, Offer::folder(id(1), name("folder"))).expect("new");
    world.link_up();
    world.poll_messages();
    world.poll_messages();
    while world.deliver(true) {}
    let data = wire::Data { offset: 0, seq: 0, payload: bytes::Bytes::from_static(b"x") };
    world.server.transfers.handle_message(world.now, Frame::Data(1, data).encode().into_bytes());
    world.server.collect();
    assert_eq!(world.server.failure(id(1)), Some(Code::LengthMismatch));
}
