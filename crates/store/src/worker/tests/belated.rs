//! Frames from a link that the sender has given up, which arrive after another link has taken the transfer.

use super::*;

/// Gives the client another link to a server of the same store. Returns the server's end of the old one, which has not
/// noticed anything, and the client's messages on it, which have not arrived yet.
fn held_up(world: &mut World) -> (End, Vec<Bytes>) {
    world.link_up();
    // A file of unknown length is offered only after the server has said that it accepts such files.
    step(&mut world.server, &mut world.client, Instant::ZERO);
    world.client.turn(Instant::ZERO);
    let said = std::iter::from_fn(|| world.client.transfers.poll_message(Instant::ZERO, 1));
    let said = said.map(bowline_core::message::Parts::into_bytes).collect();
    world.client.transfers.handle_link_down(Instant::ZERO);
    let new = End::new(Role::Server, world.to.path(), 2);
    let old = std::mem::replace(&mut world.server, new);
    world.server.store = old.store.clone();
    world.link_up();
    (old, said)
}

/// What was held up arrives; returns what the old link makes of it.
fn arrive(old: &mut End, said: Vec<Bytes>) -> Option<Result<(), Code>> {
    for message in said {
        old.transfers.handle_message(Instant::ZERO, message);
    }
    old.settle(Instant::ZERO);
    old.ended(ID)
}

/// All of it arrives, and nothing else.
fn arrives_whole(world: &mut World, len: usize) {
    assert_eq!(world.run(), Ok(()));
    assert_eq!(std::fs::read(world.to.path().join("file")).expect("it arrived"), contents(len));
}

#[test]
fn a_senders_own_belated_offer_does_not_end_its_upload() {
    let mut world = World::new();
    world.offer(&contents(8_000_000));
    let (mut old, said) = held_up(&mut world);
    world.exchange_until_received(2_000_000);
    assert_eq!(arrive(&mut old, said), Some(Err(Code::Fenced)));
    assert_eq!(world.run(), Ok(()));
    assert!(!world.client.told.iter().any(|event| matches!(event, Event::Retrying { .. })));
    assert_eq!(std::fs::read(world.to.path().join("file")).expect("it arrived"), contents(8_000_000));
}

#[test]
fn a_senders_own_belated_offer_does_not_end_its_upload_from_a_pipe() {
    let mut world = World::new();
    world.offer_pipe(std::io::Cursor::new(contents(3_000_000)));
    let (mut old, said) = held_up(&mut world);
    world.exchange_until_received(100_000);
    assert_eq!(arrive(&mut old, said), Some(Err(Code::Fenced)));
    arrives_whole(&mut world, 3_000_000);
}

#[test]
fn a_belated_offer_finds_the_finished_file() {
    let mut world = World::new();
    world.offer(&contents(3_000_000));
    let (mut old, said) = held_up(&mut world);
    assert_eq!(world.run(), Ok(()));
    assert_eq!(arrive(&mut old, said), Some(Ok(())), "it is there");
    assert_eq!(std::fs::read(world.to.path().join("file")).expect("it arrived"), contents(3_000_000));
}

#[test]
fn after_a_belated_offer_the_next_link_goes_on() {
    let mut world = World::new();
    world.offer(&contents(8_000_000));
    let (mut old, said) = held_up(&mut world);
    world.exchange_until_received(2_000_000);
    // The second link is lost as well, and for the moment nobody holds the transfer.
    world.client.transfers.handle_link_down(Instant::ZERO);
    world.server.transfers.handle_link_down(Instant::ZERO);
    world.server.settle(Instant::ZERO);
    assert_eq!(arrive(&mut old, said), None, "who is there may have it");
    world.server = End::new(Role::Server, world.to.path(), 2);
    world.server.store = old.store.clone();
    world.link_up();
    arrives_whole(&mut world, 8_000_000);
}

#[test]
fn a_late_discard_takes_nothing_from_the_sender_that_took_over() {
    let mut world = World::new();
    world.offer(&contents(8_000_000));
    world.link_up();
    world.exchange_until_received(1_000_000);
    world.client.transfers.handle_link_down(Instant::ZERO);
    world.server.transfers.handle_link_down(Instant::ZERO);
    world.server.settle(Instant::ZERO);
    assert!(world.client.transfers.cancel(Instant::ZERO, ID, Leftover::Discard));
    // Another process takes it over, and only then does the first one get a link again.
    let mut first = std::mem::replace(&mut world.client, End::new(Role::Client, world.from.path(), 3));
    world.offer_as_it_is();
    world.link_up();
    world.exchange_until_received(2_000_000);
    let mut server = End::new(Role::Server, world.to.path(), 2);
    server.store = world.server.store.clone();
    for end in [&mut first, &mut server] {
        end.transfers.handle_link_up(Instant::ZERO, None);
    }
    let said = std::iter::from_fn(|| first.transfers.poll_message(Instant::ZERO, 1));
    arrive(&mut server, said.map(bowline_core::message::Parts::into_bytes).collect());
    arrives_whole(&mut world, 8_000_000);
}

#[test]
fn another_sender_takes_over_even_on_an_older_link() {
    let mut world = World::new();
    world.offer(&contents(8_000_000));
    let (mut old, _) = held_up(&mut world);
    world.exchange_until_received(2_000_000);
    let mut rival = End::new(Role::Client, world.from.path(), 3);
    std::mem::swap(&mut world.client, &mut rival);
    std::mem::swap(&mut world.server, &mut old);
    world.offer_as_it_is();
    // On the older of the two links.
    world.server.transfers.handle_link_down(Instant::ZERO);
    world.link_up();
    arrives_whole(&mut world, 8_000_000);
}
