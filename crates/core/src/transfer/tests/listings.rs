//! A request for a listing gets a listing, and no file.

use super::super::wire::{self, Frame};
use super::super::*;
use super::script::*;
use super::world::*;
use core::cell::RefCell;
use std::vec::Vec;

const TEXT: &[u8] = b"bowline listing 1 - 0\nf - 0 12 notes.txt\nend 1 0 0\n";

/// A client that wants a listing, and a server that is asked for one on its first link.
fn asking(name: Option<SafeName>) -> World {
    let mut world = World::new();
    world.client.transfers.request_listing(world.now, id(1), name).expect("new");
    world.link_up();
    world
}

/// Settles while the server answers with an offer of this kind; returns what it was asked to list.
fn answer(world: &mut World, kind: Kind) -> Vec<Option<SafeName>> {
    let asked = RefCell::new(Vec::new());
    world.server.sources.insert(id(1), (name("listing"), TEXT.to_vec()));
    world.settle_with(|effect, transfers, now| {
        let Event::ListingRequested { id, name: wanted } = effect else { return false };
        asked.borrow_mut().push(wanted.clone());
        let mut offer = Offer::new(*id, name("listing"), TEXT.len() as u64);
        offer.kind = kind;
        transfers.offer(now, offer).expect("asked for");
        true
    });
    asked.into_inner()
}

#[test]
fn a_listing_is_requested_for_a_name_or_for_everything() {
    for wanted in [None, Some(name("top"))] {
        let mut world = asking(wanted.clone());
        assert_eq!(answer(&mut world, Kind::Listing), [wanted]);
        world.run(Duration::from_secs(10));
        assert!(world.client.done(id(1)), "{:?}", world.client.told);
        assert_eq!(world.client.disk[&id(1)].data, TEXT);
    }
}

#[test]
fn a_client_that_wants_a_listing_takes_nothing_else() {
    for kind in [Kind::File, Kind::Folder] {
        let mut receiver = Scripted::client();
        receiver.0.request_listing(Instant::ZERO, id(1), None).expect("new");
        receiver.say();
        let length = if kind == Kind::Folder { 0 } else { 9 };
        receiver.hear(Frame::Offer(2, wire::Offer { kind, ..plain_offer(id(1), "file", length) }));
        assert_eq!(cancelled(&receiver.say()), Some(Code::Protocol), "{kind:?}");
        let events = receiver.events();
        let [.., Event::Failed { failure, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!(failure.text, "a listing was asked for, but something else came");
    }
}

#[test]
fn a_listing_is_requested_again_over_the_next_link() {
    let mut receiver = Scripted::client();
    receiver.0.request_listing(Instant::ZERO, id(1), None).expect("new");
    let asked = |frames: &[Frame]| match frames {
        [Frame::Request(_, request)] => Some((request.what.clone(), request.again)),
        _ => None,
    };
    assert_eq!(asked(&receiver.say()), Some((What::Listing(None), false)));
    receiver.hear(Frame::Offer(2, wire::Offer { kind: Kind::Listing, ..plain_offer(id(1), "listing", 99) }));
    receiver.take(1);
    receiver.hear_data(2, 0, 50);
    receiver.relink();
    let said = receiver.say();
    let said: Vec<_> = said.into_iter().filter(|frame| matches!(frame, Frame::Request(..))).collect();
    assert_eq!(asked(&said), Some((What::Listing(None), true)), "something of it may be here");
}

/// The answer of a peer that only knows files: it does not know the field.
#[test]
fn a_peer_that_does_not_know_listings_is_asked_once() {
    let mut receiver = Scripted::client();
    receiver.0.request_listing(Instant::ZERO, id(1), None).expect("new");
    receiver.say();
    receiver.hear(Frame::Cancel(1, cancel(Code::Unsupported, Duration::ZERO)));
    let events = receiver.events();
    let [Event::Failed { failure, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((failure.code, failure.by_peer), (Code::Unsupported, true));
    assert!(receiver.0.is_empty());
}

#[test]
fn a_listing_has_no_parts() {
    let mut sender = Scripted::server();
    for (handle, (from, to)) in [(1, (0, 9)), (3, (9, u64::MAX))] {
        let what = What::Listing(None);
        let request = wire::Request { id: id(1), what, from, to, if_digest: None, again: false };
        sender.hear(Frame::Request(handle, request));
        assert_eq!(cancelled(&sender.say()), Some(Code::Rejected));
        assert!(sender.events().is_empty() && !sender.0.is_requested(id(1)));
    }
}

#[test]
fn a_slow_listing_is_reported_as_being_in_progress() {
    let mut sender = Scripted::server();
    let what = What::Listing(None);
    let request = wire::Request { id: id(1), what, from: 0, to: u64::MAX, if_digest: None, again: false };
    sender.hear(Frame::Request(1, request));
    assert!(matches!(&sender.events()[..], [Event::ListingRequested { name: None, .. }]));
    let due = Instant::from_secs(10);
    assert_eq!(sender.0.poll_timeout(), Some(due));
    sender.0.handle_timeout(due);
    assert_eq!(sender.say_at(due), [Frame::Finishing(1, wire::Phase::Verify)]);
}

/// A client whose request for a listing gets this answer every ten seconds; returns when it gives up, and why.
fn given_up(answer: Option<&Frame>) -> (Instant, Failure) {
    let mut receiver = Scripted::client();
    receiver.0.request_listing(Instant::ZERO, id(1), None).expect("new");
    receiver.say();
    for now in (10..1000).step_by(10).map(Instant::from_secs) {
        receiver.0.handle_timeout(now);
        match &receiver.events()[..] {
            [] => answer.into_iter().for_each(|frame| receiver.hear_at(now, frame.clone())),
            [Event::Failed { failure, .. }] => {
                assert_eq!(cancelled(&receiver.say_at(now)), Some(Code::Stalled), "the peer is told");
                assert!(receiver.0.is_empty());
                return (now, failure.clone());
            }
            other => panic!("{other:?}"),
        }
    }
    panic!("it waits for ever")
}

#[test]
fn a_peer_that_says_nothing_about_a_listing_is_not_asked_again() {
    let (when, failure) = given_up(None);
    assert_eq!((when, failure.code), (Instant::from_secs(60), Code::Stalled));
    assert_eq!(
        failure.text,
        "the other end has said nothing about the listing for 60 s, not even that it is working on it"
    );
}

#[test]
fn a_peer_that_works_on_a_listing_for_too_long_is_not_asked_again() {
    let (when, failure) = given_up(Some(&Frame::Finishing(1, wire::Phase::Verify)));
    assert_eq!((when, failure.code), (Instant::from_secs(660), Code::Stalled));
    assert_eq!(
        failure.text,
        "the listing has not come after 11 min, although the other end was working on it"
    );
}
