//! When a timer may fire, and that firing it once is enough.

use super::super::wire::{self, Data, Frame, Whole};
use super::super::*;
use super::world::*;
use bytes::Bytes;
use std::vec::Vec;

#[test]
fn no_deadline_is_overdue_after_a_timer_even_if_a_fin_is_rejected() {
    let now = Instant::from_secs(1);
    let config = Config { sync_bytes: 1, ..Config::default() };
    let mut receiver = Transfers::new(Role::Server, config, now);
    receiver.handle_link_up(now, None);
    let hear = |receiver: &mut Transfers, frame: Frame| {
        receiver.handle_message(now, frame.encode().into_bytes());
    };
    let chunk = |offset| Frame::Data(1, Data { offset, seq: 0, payload: Bytes::from(contents(0, 100)) });
    hear(&mut receiver, hello());
    hear(&mut receiver, Frame::Offer(1, plain_offer(id(1), "file", 400)));
    receiver.answer(now, id(1), Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None });
    hear(&mut receiver, chunk(0));
    receiver.written(now, id(1), 100);
    // While a synchronisation is under way, more is written, and the end comes before the middle.
    hear(&mut receiver, chunk(100));
    receiver.written(now, id(1), 200);
    hear(&mut receiver, chunk(300));
    let whole = Whole { length: 400, digest: Digest::of(b""), deduplicated: false };
    hear(&mut receiver, Frame::Fin(1, whole));
    receiver.commit(now, id(1), 100);
    hear(&mut receiver, chunk(100));

    let late = now + Duration::from_millis(30);
    receiver.handle_timeout(late);
    assert!(receiver.poll_timeout().is_some_and(|next| next > late), "{:?}", receiver.poll_timeout());
    let syncs = core::iter::from_fn(|| receiver.poll_event()).filter(|e| matches!(e, Event::Sync { .. }));
    assert_eq!(syncs.count(), 2);
}

#[test]
fn a_slow_sender_on_a_broken_link_is_judged_as_on_any_other() {
    let now = Instant::from_secs(1);
    let mut receiver = Transfers::new(Role::Server, Config::default(), now);
    receiver.handle_link_up(now, None);
    let hear = |receiver: &mut Transfers, frame: Frame| {
        receiver.handle_message(now, frame.encode().into_bytes());
    };
    hear(&mut receiver, hello());
    hear(&mut receiver, Frame::Offer(1, plain_offer(id(1), "file", 400)));
    receiver.answer(now, id(1), Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None });
    hear(&mut receiver, hello());
    assert!(receiver.is_broken(), "nobody says HELLO twice");

    let due = core::iter::from_fn(|| {
        let due = receiver.poll_timeout()?;
        receiver.handle_timeout(due);
        Some(due)
    });
    let due: Vec<_> = due.take(1000).collect();
    assert!(due.windows(2).all(|two| two[0] < two[1]), "{due:?}");
    assert!(receiver.is_empty());
}

#[test]
fn a_repeated_request_for_a_file_under_way_is_told_how_long_to_wait() {
    let now = Instant::from_secs(1);
    let mut sender = Transfers::new(Role::Server, Config::default(), now);
    sender.handle_link_up(now, None);
    let ask = |handle| Frame::Request(handle, asked(id(1), name("file")));
    // It has waited for too long, and what it waited for arrives once it has given up.
    for frame in [hello(), ask(1), ask(3)] {
        sender.handle_message(now, frame.encode().into_bytes());
    }
    let said: Vec<_> = core::iter::from_fn(|| sender.poll_message(now, 1))
        .map(|message| wire::decode(message.into_bytes()).expect("we send what we can read"))
        .collect();
    let refused = said.iter().find_map(|frame| match frame {
        Frame::Cancel(3, cancel) => Some((cancel.code, cancel.retry_after)),
        _ => None,
    });
    // Without a time, it would tell its user that the file will not arrive.
    assert_eq!(refused, Some((Code::Busy, Duration::from_secs(1))));
}

#[test]
fn the_peer_has_its_full_time_to_answer_after_a_silent_source() {
    let mut world = World::new();
    world.client.transfers.offer(world.now, Offer::of_unknown_length(id(1), name("pipe"))).expect("new");
    world.link_up();
    while world.poll_messages()
        | world.deliver(true)
        | world.deliver(false)
        | world.server.carry_out_one(world.now)
    {}
    let read = world.client.effects.pop_front();
    assert!(matches!(read, Some(Event::Read { offset: 0, .. })), "{read:?}");

    world.now += Duration::from_secs(3600);
    world.client.transfers.handle_timeout(world.now);
    world.client.transfers.provide(world.now, id(1), 0, Bytes::from_static(b"hello"));
    while world.poll_messages() {}
    let patience = world.config.stall_timeout;
    assert_eq!(world.client.transfers.poll_timeout(), Some(world.now + patience));

    // Nothing is due for what it leaves unanswered because more follows.
    world.now += patience / 2;
    world.client.transfers.provide(world.now, id(1), 5, Bytes::from_static(b"again"));
    while world.poll_messages() {}
    assert_eq!(world.client.transfers.poll_timeout(), Some(world.now + patience / 2));
}

#[test]
fn a_sender_that_waits_for_its_turn_says_that_it_is_there() {
    let config = Config { limit_rate: Some(1 << 20), min_rate: None, ..Config::default() };
    let mut world = World::with(config);
    world.send(id(1), "file", contents(1, 1_000_000));
    world.link_up();
    world.settle();
    // As many others share the rate as get their turns in five minutes.
    let turn = world.now + Duration::from_secs(300);
    world.client.transfers.hold_back(world.now, turn, world.now);
    world.run(Duration::from_secs(400));
    assert!(world.now > turn && world.client.done(id(1)), "{:?}", world.client.told);
    let gave_up = |event: &Event| matches!(event, Event::Retrying { .. } | Event::Failed { .. });
    assert!(!world.client.told.iter().chain(&world.server.told).any(gave_up), "{:?}", world.client.told);
}
