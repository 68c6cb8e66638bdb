//! Ranges of files: requested, interrupted, resumed, and answered with something else.

use super::super::wire::{self, Frame};
use super::super::*;
use super::world::*;
use std::vec::Vec;

const MINUTE: Duration = Duration::from_secs(60);

/// A client that asks a server for some bytes of a file of 3,000,000.
fn asking(range: &str) -> World {
    let mut world = World::new();
    world.server.present.insert(name("there"), contents(3, 3_000_000));
    let range = range.parse().expect("a range");
    world.client.transfers.request_range(world.now, id(9), name("there"), range).expect("new");
    world.link_up();
    world
}

/// The ranges of the requests that are on their way.
fn asked(world: &World) -> Vec<(u64, u64)> {
    let frames = world.up.iter().map(|message| wire::decode(message.clone()).expect("a frame"));
    frames
        .filter_map(|frame| if let Frame::Request(_, r) = frame { Some((r.from, r.to)) } else { None })
        .collect()
}

#[test]
fn a_part_arrives_as_a_file_of_its_own() {
    for (text, part) in [
        ("0-0", 0..1),
        ("1000000-1999999", 1_000_000..2_000_000),
        ("2999999-2999999", 2_999_999..3_000_000),
        ("1234567-", 1_234_567..3_000_000),
        ("2000000-9999999", 2_000_000..3_000_000),
        ("0-", 0..3_000_000),
    ] {
        let mut world = asking(text);
        world.run(MINUTE);
        let expected = &contents(3, 3_000_000)[part];
        assert!(world.client.disk[&id(9)].data == expected, "{text}");
        for end in [&world.client, &world.server] {
            let done = end.told.iter().find_map(|event| match event {
                Event::Done { length, digest, .. } => Some((*length, *digest)),
                _ => None,
            });
            assert_eq!(done, Some((expected.len() as u64, Digest::of(expected))), "{text}: {:?}", end.told);
        }
    }
}

#[test]
fn a_part_continues_after_a_cut_where_it_stopped() {
    let mut world = asking("500000-2499999");
    world.cut_in_the_middle();
    let safe = world.client.disk[&id(9)].safe;
    assert!(safe > 0 && safe < 2_000_000, "{safe}");
    world.link_up();
    world.poll_messages();
    world.poll_messages();
    assert_eq!(asked(&world), [(500_000, 2_500_000)], "the same part is asked for");
    world.run(MINUTE);
    let part = &world.client.disk[&id(9)];
    assert!(part.data == contents(3, 3_000_000)[500_000..2_500_000]);
    assert_eq!((part.epoch, part.committed), (2, true));
    let resumed = world.server.told.iter().find_map(|event| match event {
        Event::Accepted { resume, .. } if *resume > 0 => Some(*resume),
        _ => None,
    });
    assert_eq!(resumed, Some(safe as u64));
}

#[test]
fn a_part_may_be_cut_anywhere() {
    for cut in (1..60).step_by(7) {
        let mut world = asking("500000-2499999");
        for _ in 0..cut {
            world.poll_messages();
            world.deliver(true);
            world.deliver(false);
            world.client.carry_out_one(world.now);
            world.server.carry_out_one(world.now);
        }
        world.cut();
        world.link_up();
        world.run(MINUTE);
        assert!(world.client.disk[&id(9)].data == contents(3, 3_000_000)[500_000..2_500_000], "{cut}");
    }
}

#[test]
fn a_range_beyond_the_file_is_refused_once_with_both_numbers() {
    let mut world = asking("3000000-3000009");
    world.run(MINUTE);
    let failure = world.client.told.iter().find_map(|event| match event {
        Event::Failed { failure, .. } => Some(failure),
        _ => None,
    });
    let failure = failure.expect("it is no use to ask again");
    assert_eq!((failure.code, failure.by_peer), (Code::OutOfRange, true));
    assert_eq!(failure.text, "the range begins at byte 3000000, and the file has 3000000 bytes");
    assert!(world.client.transfers.is_empty() && world.client.disk.is_empty());
}

/// What a client answers to an offer in response to its request for bytes 100 to 199.
fn answered(change: impl Fn(&mut Offer)) -> World {
    let mut world = asking("100-199");
    world.settle_with(|effect, transfers, now| {
        let Event::Requested { id, name, .. } = effect else { return true };
        let mut offer = Offer::new(*id, name.clone(), 100);
        change(&mut offer);
        transfers.offer(now, offer).expect("asked for");
        true
    });
    world
}

#[test]
fn an_offer_that_is_not_the_part_is_refused() {
    type Change = fn(&mut Offer);
    let lies: [(Change, Code, &str); 5] = [
        (|offer| offer.length = Some(101), Code::LengthMismatch, "101 bytes are offered for bytes 100-199"),
        (|offer| offer.length = Some(1 << 60), Code::LengthMismatch, "bytes are offered for bytes 100-199"),
        (|offer| offer.length = Some(0), Code::LengthMismatch, "0 bytes are offered for bytes 100-199"),
        (|offer| offer.length = None, Code::LengthMismatch, "an unknown length is offered for bytes 100-199"),
        (|offer| offer.kind = Kind::Listing, Code::Protocol, "a part of a file was asked for"),
    ];
    for (lie, code, text) in lies {
        let world = answered(lie);
        let [Event::Failed { failure, .. }] = &world.client.told[..] else {
            panic!("{:?}", world.client.told)
        };
        assert_eq!((failure.code, failure.by_peer), (code, false));
        assert!(failure.text.contains(text), "{failure}");
        assert!(world.client.disk.is_empty(), "nothing was opened for it");
        assert!(world.client.transfers.is_empty() && world.server.transfers.is_empty());
        assert_eq!(world.server.failure(id(9)), Some(code), "the peer is told");
    }
}

#[test]
fn a_part_may_be_shorter_than_requested() {
    let world = answered(|offer| offer.length = Some(99));
    assert!(world.client.disk.contains_key(&id(9)), "{:?}", world.client.told);
}
