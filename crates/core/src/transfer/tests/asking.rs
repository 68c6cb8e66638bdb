//! Files that we request: when the request is repeated, and when it is given up.

use super::super::wire::{self, Frame};
use super::super::*;
use super::script::*;
use super::world::*;
use std::vec::Vec;

fn asking() -> Scripted {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    receiver
}

/// Whether a file is requested at this time, without a timer that fires.
fn asks(receiver: &mut Scripted, now: Instant) -> bool {
    receiver.say_at(now).iter().any(|frame| matches!(frame, Frame::Request(..)))
}

/// The same, if a timer fires then.
fn asks_on_time(receiver: &mut Scripted, now: Instant) -> bool {
    receiver.0.handle_timeout(now);
    asks(receiver, now)
}

#[test]
fn an_unanswered_request_is_withdrawn_and_repeated() {
    let mut receiver = asking();
    assert!(asks(&mut receiver, Instant::ZERO));
    let due = Instant::from_secs(60);
    assert_eq!(receiver.0.poll_timeout(), Some(due));
    receiver.0.handle_timeout(due);
    let events = receiver.events();
    let [Event::Retrying { failure, after, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((failure.text.as_str(), *after), ("no answer for 60 s", Duration::from_secs(1)));
    assert_eq!(cancelled(&receiver.say_at(due)), Some(Code::Stalled), "the peer is told");
    let again = Instant::from_secs(61);
    assert_eq!(receiver.0.poll_timeout(), Some(again));
    assert!(asks_on_time(&mut receiver, again));
}

#[test]
fn a_request_waits_for_its_link_and_then_for_its_answer() {
    let stage = |receiver: &Scripted| receiver.0.progress(id(1)).map(|progress| progress.stage);
    let mut receiver = asking();
    assert_eq!(stage(&receiver), Some(Stage::Waiting));
    assert!(asks(&mut receiver, Instant::ZERO));
    assert_eq!(stage(&receiver), Some(Stage::Opening));
    receiver.hear_offer(2, 1, 1000);
    assert_eq!(stage(&receiver), Some(Stage::Opening));
    receiver.relink();
    assert_eq!(stage(&receiver), Some(Stage::Waiting));
    assert!(asks(&mut receiver, Instant::ZERO));
    receiver.hear(Frame::Cancel(1, cancel(Code::Internal, Duration::ZERO)));
    assert_eq!(stage(&receiver), Some(Stage::Waiting), "it is put off");
}

#[test]
fn a_client_waits_for_a_folder_that_takes_minutes_to_list() {
    let mut world = World::new();
    world.server.present.insert(name("top"), contents(1, 1000));
    world.client.transfers.request(world.now, id(1), name("top")).expect("new");
    world.link_up();
    let listed = world.now + Duration::from_secs(300);
    let is_looked_for =
        |event: &Event, _: &mut Transfers, _: Instant| matches!(event, Event::Requested { .. });
    world.settle_with(is_looked_for);
    while world.now < listed && world.jump() {
        world.settle_with(is_looked_for);
    }
    assert!(world.client.told.is_empty(), "{:?}", world.client.told);
    world.server.effects.push_back(Event::Requested {
        id: id(1),
        name: name("top"),
        range: ByteRange::WHOLE,
    });
    world.run(Duration::from_secs(60));
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
}

#[test]
fn a_sender_reports_that_it_is_looking_until_it_has_answered() {
    let mut sender = Scripted::server();
    let request = asked(id(1), name("top"));
    sender.hear(Frame::Request(1, request));
    for due in [10, 20].map(Instant::from_secs) {
        assert_eq!(sender.0.poll_timeout(), Some(due));
        sender.0.handle_timeout(due);
        assert_eq!(sender.say_at(due), [Frame::Finishing(1, wire::Phase::Verify)]);
    }
    sender.0.fail(Instant::from_secs(20), id(1), Failure::local(Code::NotFound, "no such folder"));
    assert_eq!(sender.0.poll_timeout(), None);
}

#[test]
fn a_receiver_does_not_wait_forever_for_a_sender_that_is_looking() {
    let mut receiver = asking();
    assert!(asks(&mut receiver, Instant::ZERO));
    for second in (10..=700).step_by(10) {
        let now = Instant::from_secs(second);
        receiver.0.handle_timeout(now);
        if let [Event::Retrying { failure, .. }] = &receiver.events()[..] {
            assert_eq!(failure.text, "no answer for 11 min");
            assert_eq!((second, cancelled(&receiver.say_at(now))), (660, Some(Code::Stalled)));
            return;
        }
        receiver.hear_at(now, Frame::Finishing(1, wire::Phase::Verify));
    }
    panic!("it is waited for");
}

#[test]
fn a_download_that_gets_nowhere_fails_after_a_few_tries() {
    for offered in [false, true] {
        let mut receiver = asking();
        let mut now = Instant::ZERO;
        let mut waits = Vec::new();
        for n in 0.. {
            assert!(asks_on_time(&mut receiver, now), "{offered} {n}");
            let mut handle = 2 * n + 1;
            if offered {
                handle += 1;
                receiver.hear_offer(handle, 1, 1000);
                receiver.take(1);
            }
            receiver.hear(Frame::Cancel(handle, cancel(Code::Internal, Duration::ZERO)));
            match receiver.events().pop() {
                Some(Event::Retrying { after, .. }) => {
                    waits.push(after.as_secs());
                    let early = now + after - Duration::from_millis(1);
                    assert!(!asks_on_time(&mut receiver, early), "{offered} {n}");
                    now += after;
                }
                Some(Event::Failed { .. }) => break,
                other => panic!("{other:?}"),
            }
            assert!(n < 10, "it goes on for ever");
        }
        assert_eq!(waits, [1, 2, 4, 8, 16]);
        assert!(receiver.0.is_empty());
    }
}

/// Whether the next REQUEST says that the file was offered before.
fn asks_anew(receiver: &mut Scripted) -> bool {
    let said = receiver.say();
    let again =
        |frame: &Frame| if let Frame::Request(_, request) = frame { Some(request.again) } else { None };
    said.iter().find_map(again).expect("it asks")
}

#[test]
fn a_file_offered_before_a_link_broke_is_requested_as_a_repeat() {
    let mut receiver = asking();
    assert!(!asks_anew(&mut receiver));
    receiver.relink();
    assert!(!asks_anew(&mut receiver), "nobody has answered");
    receiver.hear_offer(2, 1, 1000);
    for _ in 0..2 {
        receiver.relink();
        assert!(asks_anew(&mut receiver));
    }
}

#[test]
fn a_file_that_an_earlier_process_began_is_requested_as_a_repeat() {
    let mut receiver = Scripted::client();
    receiver.0.request_rest(Instant::ZERO, id(1), name("file"), ByteRange::WHOLE).expect("new");
    assert!(asks_anew(&mut receiver));
}

/// What is reported about a small file before it is accepted.
fn said_early(again: bool) -> Vec<Frame> {
    let mut sender = Scripted::server();
    let request = wire::Request { again, ..asked(id(1), name("file")) };
    sender.hear(Frame::Request(1, request));
    sender.events();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 10_000)).expect("asked for");
    let mut said = sender.say();
    sender.read();
    said.extend(sender.say());
    assert!(matches!(said[0], Frame::Offer(2, _)), "{said:?}");
    said
}

#[test]
fn a_small_file_follows_its_offer_only_if_it_was_not_offered_before() {
    assert!(matches!(said_early(false)[1..], [Frame::Data(..), ..]));
    assert_eq!(said_early(true).len(), 1);
}

/// A download whose request would be repeated after seven seconds, and that is paused meanwhile.
fn paused() -> Scripted {
    let mut receiver = asking();
    receiver.say();
    receiver.hear(Frame::Cancel(1, cancel(Code::Busy, Duration::from_secs(7))));
    assert!(receiver.0.pause(Instant::from_secs(1), id(1)));
    receiver
}

#[test]
fn a_pause_does_not_change_the_time_of_the_next_try() {
    let mut receiver = paused();
    let early = Instant::from_secs(3);
    assert!(receiver.0.resume(early, id(1)));
    assert!(!asks(&mut receiver, early));
    assert_eq!(receiver.0.poll_timeout(), Some(Instant::from_secs(7)));
    assert!(asks_on_time(&mut receiver, Instant::from_secs(7)));
    for late in [7, 10] {
        let (mut receiver, late) = (paused(), Instant::from_secs(late));
        assert!(!asks_on_time(&mut receiver, late));
        assert!(receiver.0.resume(late, id(1)));
        assert!(asks(&mut receiver, late), "at {late}, at once");
    }
}

#[test]
fn a_stalled_download_waits_before_it_is_requested_again() {
    let mut receiver = asking();
    receiver.say();
    receiver.hear_offer(2, 1, 1_000_000);
    receiver.take(1);
    let stalled = Instant::from_secs(121);
    assert!(!asks_on_time(&mut receiver, stalled));
    let events = receiver.events();
    assert!(matches!(events.last(), Some(Event::Retrying { .. })), "{events:?}");
    assert!(asks_on_time(&mut receiver, stalled + Duration::from_secs(1)));
}

/// What an earlier process has stored of a file, with a byte that its disk has damaged.
fn with_a_damaged_part() -> World {
    let mut world = World::new();
    let mut data = contents(1, 300_000);
    world.server.present.insert(name("file"), data.clone());
    data.truncate(100_000);
    data[50_000] ^= 1;
    world.client.disk.insert(id(1), Part { safe: data.len(), data, ..Part::default() });
    world.client.transfers.request_rest(world.now, id(1), name("file"), ByteRange::WHOLE).expect("new");
    world.link_up();
    world
}

#[test]
fn a_damaged_kept_part_is_discarded_and_requested_again() {
    let mut world = with_a_damaged_part();
    world.run(Duration::from_secs(10));
    assert!(world.client.done(id(1)), "{:?}", world.client.told);
    assert_eq!(world.client.disk[&id(1)].data, contents(1, 300_000));
    let resumed = world.client.told.iter().find_map(|event| match event {
        Event::Done { resumed, resent, .. } => Some((*resumed, *resent)),
        _ => None,
    });
    assert_eq!(resumed, Some((0, 0)));
}

#[test]
fn a_sender_that_calls_a_fresh_file_changed_is_not_asked_again() {
    let mut receiver = asking();
    let changed = wire::Cancel { discard: true, ..cancel(Code::SourceChanged, Duration::ZERO) };
    for (now, handle, from) in [(Instant::ZERO, 2, 50), (Instant::from_secs(1), 4, 0)] {
        assert!(asks_on_time(&mut receiver, now));
        receiver.hear_at(now, Frame::Offer(handle, plain_offer(id(1), "file", 100)));
        receiver.take_from(1, from);
        receiver.say_at(now);
        receiver.events();
        receiver.hear_at(now, Frame::Cancel(handle, changed.clone()));
        let [Event::Discard { .. }, end] = &receiver.events()[..] else { panic!("a part and an end") };
        let again = matches!(end, Event::Retrying { .. });
        assert_eq!(again, from > 0, "{end:?}");
    }
    assert!(receiver.0.is_empty());
}
