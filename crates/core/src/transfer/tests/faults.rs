//! Faults that need two failures at once, and what a peer can pile up.

use super::super::wire::{self, Accept, Ack, Data, Frame};
use super::super::*;
use super::script::*;
use super::world::*;
use bytes::Bytes;
use std::vec::Vec;

#[test]
fn bytes_sent_before_a_sender_went_back_twice_may_be_acknowledged() {
    let mut sender = Scripted::sending(1_000_000);
    sender.read();
    let first = sender.0.poll_message(Instant::ZERO, 1).expect("a chunk");
    let end = first.body.len() as u64;
    // Two consecutive damaged chunks: the second answer finds that the first has already been obeyed.
    sender.hear_ack(0, Some(wire::Rewind::Corrupt));
    sender.read();
    assert!(sender.0.poll_message(Instant::ZERO, 1).is_some());
    sender.hear_ack(0, Some(wire::Rewind::Corrupt));
    sender.hear_ack(end, None);
    assert_eq!(cancelled(&sender.say()), None);
    sender.read();
    let next = sender.say();
    assert!(matches!(&next[..], [Frame::Data(1, data), ..] if data.offset == end), "{next:?}");
}

#[test]
fn a_damaged_early_chunk_is_requested_again_once_the_offer_is_answered() {
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 40_000);
    let chunk = |offset| {
        let data = Data { offset, seq: 0, payload: Bytes::from(contents(0, 16_384)) };
        Frame::Data(1, data).encode().into_bytes()
    };
    let mut damaged = chunk(0).to_vec();
    damaged[100] ^= 1;
    receiver.0.handle_message(Instant::ZERO, damaged.into());
    receiver.0.handle_message(Instant::ZERO, chunk(16_384));
    assert!(receiver.say().is_empty());
    receiver.take(1);
    let said = receiver.say();
    assert!(
        matches!(said[..], [Frame::Accept(..), Frame::Ack(1, Ack { received: 0, rewind: Some(_), .. })]),
        "{said:?}"
    );
}

#[test]
fn two_downloads_that_stall_at_the_same_time_are_both_retried() {
    let mut receiver = Scripted::client();
    for (n, handle) in [(1, 2), (2, 4)] {
        receiver.0.request(Instant::ZERO, id(n), name("file")).expect("new");
        receiver.say();
        receiver.hear_offer(handle, n, 1_000_000);
        receiver.take(n);
    }
    receiver.say();
    receiver.events();
    receiver.0.handle_timeout(Instant::from_secs(121));
    let events = receiver.events();
    let again = events.iter().filter(|event| matches!(event, Event::Retrying { .. })).count();
    assert_eq!(again, 2, "{events:?}");
}

#[test]
fn a_busy_sender_is_asked_again_after_the_time_it_gives() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    receiver.say();
    receiver.hear(Frame::Cancel(1, cancel(Code::Busy, Duration::from_secs(7))));
    assert!(matches!(receiver.events()[..], [Event::Retrying { after, .. }] if after.as_secs() == 7));
    receiver.0.handle_timeout(Instant::from_secs(7));
    assert!(receiver.0.poll_message(Instant::from_secs(7), 1).is_some());
}

#[test]
fn a_receiver_that_is_too_busy_for_its_own_request_asks_again() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    receiver.say();
    receiver.hear_offer(2, 1, 1000);
    let failure =
        Failure { retry_after: Duration::from_secs(1), ..Failure::local(Code::Busy, "no more files") };
    receiver.0.fail(Instant::ZERO, id(1), failure);
    assert_eq!(cancelled(&receiver.say()), Some(Code::Busy));
    assert!(receiver.events().iter().any(|event| matches!(event, Event::Retrying { .. })));
    receiver.0.handle_timeout(Instant::from_secs(1));
    assert!(matches!(receiver.say_at(Instant::from_secs(1))[..], [Frame::Request(..)]));
}

#[test]
fn a_full_local_disk_is_waited_for_like_a_remote_one() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    let (wait, mut now) = (Duration::from_secs(30), Instant::ZERO);
    for n in 0.. {
        receiver.0.handle_timeout(now);
        assert!(matches!(receiver.say_at(now)[..], [.., Frame::Request(..)]), "{now:?}");
        receiver.hear_offer(2 * (n + 1), 1, 1000);
        let failure = Failure { retry_after: wait, ..Failure::local(Code::NoSpace, "full") };
        receiver.0.fail(now, id(1), failure);
        assert_eq!(cancelled(&receiver.say_at(now)), Some(Code::NoSpace));
        match receiver.events().pop() {
            Some(Event::Retrying { after, .. }) => assert_eq!(after, wait),
            Some(Event::Failed { failure, .. }) => {
                assert_eq!(failure.code, Code::NoSpace);
                break;
            }
            other => panic!("{other:?}"),
        }
        now += wait;
    }
    assert_eq!(now.since_start(), Config::default().space_timeout);
    assert!(receiver.0.is_empty());
}

#[test]
fn a_failing_local_disk_is_tried_a_few_times() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    receiver.say();
    receiver.hear_offer(2, 1, 1000);
    let failure = Failure { retry_after: Duration::from_secs(5), ..Failure::local(Code::StoreFailed, "") };
    receiver.0.fail(Instant::ZERO, id(1), failure);
    let events = receiver.events();
    assert!(matches!(events[..], [.., Event::Retrying { after, .. }] if after.as_secs() == 5), "{events:?}");
}

#[test]
fn a_local_failure_that_waiting_cannot_cure_ends_the_request() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    receiver.say();
    receiver.hear_offer(2, 1, 1000);
    // Another link might cure this failure, but the application has decided.
    receiver.0.fail(Instant::ZERO, id(1), Failure::local(Code::Internal, "no"));
    assert!(matches!(receiver.events()[..], [.., Event::Failed { .. }]));
    assert!(receiver.0.is_empty());
}

#[test]
fn a_receiver_does_not_wait_for_a_sender_that_is_busy_indefinitely() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    receiver.say();
    receiver.hear(Frame::Cancel(1, cancel(Code::Busy, Duration::ZERO)));
    assert!(matches!(receiver.events()[..], [Event::Failed { .. }]));
}

#[test]
fn no_more_files_are_requested_at_once_than_the_peer_takes() {
    let mut receiver = Scripted::client();
    for n in 0..20 {
        receiver.0.request(Instant::ZERO, id(n), name("file")).expect("new");
    }
    assert_eq!(receiver.say().len(), 9);
    receiver.hear(Frame::Cancel(1, cancel(Code::NotFound, Duration::ZERO)));
    assert_eq!(receiver.say().len(), 1, "one place is free again");
}

#[test]
fn a_download_that_makes_progress_may_be_interrupted_any_number_of_times() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    for n in 0..20u32 {
        let now = Instant::from_secs(100 * u64::from(n));
        receiver.0.handle_timeout(now);
        assert!(receiver.0.poll_message(now, 1).is_some(), "asked for");
        let (handle, from) = (2 * n + 2, 1000 * u64::from(n));
        receiver.hear_offer(handle, 1, 1_000_000);
        let answer = Answer::Take { from, prefix: Digest::of(b""), epoch: n, expires: None };
        assert!(receiver.0.answer(now, id(1), answer));
        let data = Data { offset: from, seq: 0, payload: Bytes::from(contents(0, 1000)) };
        receiver.hear(Frame::Data(handle, data));
        receiver.hear(Frame::Cancel(handle, cancel(Code::Internal, Duration::ZERO)));
        receiver.say();
        let events = receiver.events();
        assert!(matches!(events.last(), Some(Event::Retrying { .. })), "{n}: {events:?}");
    }
}

#[test]
fn a_withdrawn_request_is_withdrawn_at_the_peer_too() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    receiver.say();
    receiver.0.fail(Instant::ZERO, id(1), Failure::local(Code::Cancelled, ""));
    assert_eq!(cancelled(&receiver.say()), Some(Code::Cancelled));
    // The peer's answer crossed it on the way.
    receiver.hear(Frame::Cancel(1, cancel(Code::NotFound, Duration::ZERO)));
    assert!(matches!(receiver.events()[..], [Event::Failed { .. }]));
}

#[test]
fn a_peer_that_probes_without_reading_the_answers_ends_the_link() {
    let mut victim = Scripted::server();
    for n in 0..1_000_000 {
        // Not so fast that it would be too many for that reason.
        let now = Instant::from_millis(2 * n);
        victim.0.handle_message(now, Frame::Probe(n).encode().into_bytes());
        if let Some(Event::Broken { code: Code::Protocol, .. }) = victim.0.poll_event() {
            // Up to eight for each transfer that may be open, plus some.
            return assert_eq!(n, 8 * u64::from(Config::default().max_transfers) + 1024 + 1);
        }
        assert!(n < 100_000, "answers are piled up without end");
    }
}

#[test]
fn a_receiver_that_rewinds_repeatedly_does_not_pile_up_reads() {
    let mut sender = Scripted::sending(10_000_000);
    for _ in 0..8 {
        sender.hear_ack(0, Some(wire::Rewind::Gap));
    }
    let reads = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Read { .. })).count();
    let events = sender.events();
    assert!(reads(&events) < 10, "{} reads", reads(&events));
    // It continues as soon as the disk has answered.
    for event in events {
        if let Event::Read { id, offset, len } = event {
            sender.0.provide(Instant::ZERO, id, offset, Bytes::from(std::vec![0; len]));
        }
    }
    sender.read();
    assert!(matches!(sender.say()[..], [Frame::Data(1, Data { offset: 0, .. }), ..]));
}

fn request(handle: u32, n: u8) -> Frame {
    let request = asked(id(n), name("file"));
    Frame::Request(handle, request)
}

#[test]
fn the_end_of_a_request_is_reported_whoever_ends_it() {
    let mut sender = Scripted::server();
    sender.hear(request(1, 1));
    assert!(sender.0.is_requested(id(1)));
    sender.hear(Frame::Cancel(1, cancel(Code::Cancelled, Duration::ZERO)));
    assert!(!sender.0.is_requested(id(1)));
    sender.hear(request(3, 2));
    sender.0.fail(Instant::ZERO, id(2), Failure::local(Code::NotFound, ""));
    let told: Vec<_> = sender
        .events()
        .into_iter()
        .filter_map(
            |event| if let Event::Failed { id, failure } = event { Some((id, failure.code)) } else { None },
        )
        .collect();
    assert_eq!(told, [(id(1), Code::Cancelled), (id(2), Code::NotFound)]);
}

#[test]
fn an_id_belongs_to_one_transfer_in_one_direction() {
    let mut both = Scripted::server();
    both.hear_offer(1, 1, 10);
    both.hear(request(3, 1));
    assert_eq!(cancelled(&both.say()), Some(Code::Busy));
    both.hear(request(5, 2));
    both.hear_offer(7, 2, 10);
    assert_eq!(cancelled(&both.say()), Some(Code::Busy));
    let offer = |n| Offer::new(id(n), name("file"), 10);
    assert_eq!(both.0.offer(Instant::ZERO, offer(1)), Err(AlreadyKnown(id(1))));
    both.0.request(Instant::ZERO, id(3), name("file")).expect("new");
    assert_eq!(both.0.offer(Instant::ZERO, offer(3)), Err(AlreadyKnown(id(3))));
    both.0.offer(Instant::ZERO, offer(4)).expect("new");
    assert_eq!(both.0.request(Instant::ZERO, id(4), name("file")), Err(AlreadyKnown(id(4))));
}

#[test]
fn extreme_limits_are_no_limits() {
    let config = Config {
        stall_timeout: Duration::MAX,
        ack_delay: Duration::MAX,
        sync_delay: Duration::MAX,
        credit: u64::MAX,
        link_credit: u64::MAX,
        read_ahead: u64::MAX,
        limit_rate: Some(u64::MAX),
        ..Config::default()
    };
    let mut world = World::with(config);
    world.send(id(1), "file", contents(1, 1_000_000));
    world.client.transfers.handle_rtt(world.now, Duration::MAX);
    world.link_up();
    world.client.transfers.handle_rtt(world.now, Duration::MAX);
    world.run(Duration::from_secs(60));
    assert!(world.client.done(id(1)));
}

#[test]
fn many_transfers_share_the_memory_of_a_link() {
    let config = Config::default();
    let mut receiver = Scripted::server();
    let mut promised = 0;
    for n in 0..200u8 {
        receiver.hear_offer(2 * u32::from(n) + 1, n, 1 << 30);
        receiver.take(n);
        for frame in receiver.say() {
            let Frame::Accept(_, accept) = frame else { continue };
            promised += accept.credit;
        }
    }
    assert!(promised <= config.link_credit + 200 * wire::INITIAL_CREDIT, "{promised} bytes");
    assert_eq!(receiver.0.promised(), promised);
    // A transfer that ends returns its share.
    for n in 0..200u8 {
        receiver.hear(Frame::Cancel(2 * u32::from(n) + 1, cancel(Code::Cancelled, Duration::ZERO)));
    }
    receiver.hear_offer(1001, 250, 1 << 30);
    receiver.take(250);
    let said = receiver.say();
    assert!(matches!(said[..], [Frame::Accept(_, Accept { credit, .. })] if credit == 3 << 20), "{said:?}");
}

#[test]
fn damage_that_arrives_too_late_does_no_harm() {
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 40_000);
    receiver.take(1);
    receiver.0.fail(Instant::ZERO, id(1), Failure::local(Code::Cancelled, ""));
    receiver.say();
    let data = Data { offset: 0, seq: 0, payload: Bytes::from(contents(0, 1000)) };
    let mut damaged = Frame::Data(1, data).encode().into_bytes().to_vec();
    damaged[100] ^= 1;
    receiver.0.handle_message(Instant::ZERO, damaged.into());
    assert!(receiver.say().is_empty());
}
