//! How a limit on incoming data is shared.

use super::super::wire::{self, Frame, Whole};
use super::super::*;
use super::script::*;
use super::world::*;
use std::vec::Vec;

/// Whose limit it is: the sender's, or the receiver's.
const ENDS: [Role; 2] = [Role::Client, Role::Server];

/// A client that sends files with these lengths and priorities, where one end limits the rate to 200 kB per second.
fn sending(limited: Role, files: &[(usize, u16)]) -> (World, Vec<TransferId>) {
    let limit = |role| if role == limited { Some(200_000) } else { None };
    let mut world = World::with(Config { limit_rate: limit(Role::Server), ..Config::default() });
    let config = Config { limit_rate: limit(Role::Client), ..Config::default() };
    world.client = End::new(Role::Client, config);
    let ids: Vec<_> = (1..).take(files.len()).map(id).collect();
    for (which, (len, priority)) in ids.iter().zip(files) {
        let data = contents(1, *len);
        let mut offer = Offer::new(*which, name("file"), data.len() as u64);
        offer.priority = *priority;
        world.client.sources.insert(*which, (name("file"), data));
        world.client.transfers.offer(world.now, offer).expect("new");
    }
    world.link_up();
    (world, ids)
}

/// How much of each large file has arrived after this many seconds.
fn shares(limited: Role, priorities: &[u16], seconds: u64) -> Vec<u64> {
    let files: Vec<_> = priorities.iter().map(|priority| (20_000_000, *priority)).collect();
    let (mut world, ids) = sending(limited, &files);
    let end = world.now + Duration::from_secs(seconds);
    world.settle();
    while world.now < end && world.jump() {
        world.settle();
    }
    let received = |which: &TransferId| world.server.transfers.progress(*which).map_or(0, |p| p.received);
    ids.iter().map(received).collect()
}

#[test]
fn equal_files_get_equal_shares_of_a_limit() {
    for limited in ENDS {
        let shares = shares(limited, &[0, 0, 0, 0], 40);
        let sum: u64 = shares.iter().sum();
        assert!((7_900_000..=8_300_000).contains(&sum), "{limited:?}: {shares:?}");
        for share in &shares {
            assert!(share.abs_diff(sum / 4) <= 50_000, "{limited:?}: {shares:?}");
        }
    }
}

#[test]
fn a_preferred_file_gets_more_of_a_limit() {
    for limited in ENDS {
        let shares = shares(limited, &[0, 2], 40);
        let fair = shares[0] * 5 / 2..shares[0] * 7 / 2;
        assert!(fair.contains(&shares[1]), "{limited:?}: {shares:?}");
    }
}

#[test]
fn a_completed_file_leaves_its_share_to_the_others() {
    let (mut world, ids) = sending(Role::Server, &[(200_000, 0), (400_000, 0), (800_000, 0)]);
    let start = world.now;
    world.run(Duration::from_secs(60));
    assert!(ids.iter().all(|which| world.client.done(*which)), "{:?}", world.client.told);
    let took = (world.now - start).as_secs_f64();
    assert!((6.0..8.0).contains(&took), "{took} s");
    assert_eq!(world.server.transfers.shares.ids().count(), 0, "and nobody remembers it");
}

#[test]
fn a_sender_behind_the_last_bytes_of_another_file_gets_credit_in_time() {
    let config = Config { limit_rate: Some(200_000), ..Config::default() };
    let mut receiver = Scripted::new(Role::Server, config);
    for (n, handle, length) in [(1, 1, 100_000), (2, 3, 1 << 30)] {
        receiver.hear_offer(handle, n, length);
        receiver.take(n);
        receiver.hear_data(handle, 0, 65_536);
    }
    receiver.say();
    // Neither sender can send anything more.
    let mut given = Vec::new();
    let mut now = Instant::ZERO;
    while now < Instant::from_secs(2) {
        now = receiver.0.poll_timeout().expect("somebody waits");
        receiver.0.handle_timeout(now);
        for frame in receiver.say_at(now) {
            let Frame::Ack(handle, ack) = frame else { continue };
            given.push((handle, ack.credit));
        }
    }
    assert_eq!(given, [(1, 100_000), (3, 65_536 + 50_000)]);
}

/// A server that receives two files under a limit, has the first pieces of both on its disk, and has acknowledged them.
fn two_hungry() -> Scripted {
    let mut receiver = Scripted::new(Role::Server, Config { limit_rate: Some(200_000), ..Config::default() });
    for (n, handle) in [(1, 1), (2, 3)] {
        receiver.hear_offer(handle, n, 1 << 30);
        receiver.take(n);
        receiver.hear_data(handle, 0, 65_536);
        receiver.say();
        receiver.0.written(Instant::ZERO, id(n), 65_536);
        assert_eq!(receiver.say(), [], "there is nothing to say");
    }
    receiver
}

#[test]
fn credit_is_announced_once_there_is_any() {
    let mut receiver = two_hungry();
    let mut told = Vec::new();
    while told.len() < 2 {
        let now = receiver.0.poll_timeout().expect("somebody waits");
        assert!(now < Instant::from_secs(2), "{told:?}");
        receiver.0.handle_timeout(now);
        told.extend(receiver.say_at(now).into_iter().filter_map(|frame| match frame {
            Frame::Ack(handle, ack) => Some((handle, ack.credit)),
            _ => None,
        }));
    }
    assert_eq!(told, [(1, 65_536 + 50_000), (3, 65_536 + 50_000)]);
}

/// The credits that were granted, and to which handles.
fn credits(said: Vec<Frame>) -> Vec<(u32, u64)> {
    said.into_iter()
        .filter_map(|frame| match frame {
            Frame::Accept(handle, accept) => Some((handle, accept.credit)),
            Frame::Ack(handle, ack) => Some((handle, ack.credit)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_new_transfer_does_not_overtake_a_waiting_one() {
    let mut receiver = two_hungry();
    let now = Instant::from_secs(1);
    receiver.hear_at(now, Frame::Offer(5, plain_offer(id(3), "file", 1 << 30)));
    // It continues after everything that could have been sent before it was accepted.
    let answer = Answer::Take { from: 100_000, prefix: Digest::of(b""), epoch: 1, expires: None };
    receiver.0.answer(now, id(3), answer);
    assert_eq!(credits(receiver.say_at(now)), [(5, 100_000), (1, 65_536 + 50_000)]);
}

#[test]
fn credit_is_not_withdrawn_when_other_transfers_arrive() {
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 1 << 30);
    receiver.take(1);
    assert_eq!(credits(receiver.say()), [(1, 3 << 20)]);
    for n in 2..10 {
        receiver.hear_offer(2 * u32::from(n) - 1, n, 1 << 30);
        receiver.take(n);
    }
    receiver.say();
    for offset in [0, 65_536] {
        receiver.hear_data(1, offset, 65_536);
    }
    assert_eq!(credits(receiver.say()), [(1, 3 << 20)]);
}

/// A client begins as many files of 64 KiB as it can before the server's HELLO arrives, with a server that has this
/// limit. Returns how long all of them take, how many are put off, and how much is sent twice.
fn unasked(limit: u64) -> (Duration, usize, u64) {
    let mut world = World::with(Config { limit_rate: Some(limit), ..Config::default() });
    world.client = End::new(Role::Client, Config::default());
    let ids: Vec<_> = (1..).take(16).map(id).collect();
    for which in &ids {
        let data = contents(1, 64 << 10);
        let offer = Offer::new(*which, name("file"), data.len() as u64);
        world.client.sources.insert(*which, (name("file"), data));
        world.client.transfers.offer(world.now, offer).expect("new");
    }
    world.link_up();
    let start = world.now;
    // It sends everything it can before anything arrives.
    loop {
        let said = world.client.transfers.poll_message(start, 1);
        if said.is_none() && !world.client.carry_out_one(start) {
            break;
        }
        world.up.extend(said.map(crate::message::Parts::into_bytes));
    }
    world.run(Duration::from_secs(7200));
    assert!(ids.iter().all(|which| world.client.done(*which)), "{:?}", world.client.told);
    let (mut put_off, mut twice) = (0, 0);
    for event in &world.client.told {
        match event {
            Event::Retrying { .. } => put_off += 1,
            Event::Done { resent, .. } => twice += resent,
            _ => {}
        }
    }
    (world.now - start, put_off, twice)
}

#[test]
fn early_small_files_need_no_retry_at_two_kib_a_second() {
    assert_eq!(unasked(2048), (Duration::from_secs(512), 0, 0));
}

#[test]
fn early_small_files_need_no_retry_at_one_kib_a_second() {
    assert_eq!(unasked(1024), (Duration::from_secs(1024), 0, 0));
}

#[test]
fn small_files_get_the_same_rate_as_large_ones() {
    for limited in ENDS {
        let (mut world, ids) = sending(limited, &[(50_000, 0); 80]);
        let start = world.now;
        world.run(Duration::from_secs(60));
        assert!(ids.iter().all(|which| world.client.done(*which)), "{:?}", world.client.told);
        let took = (world.now - start).as_secs_f64();
        assert!((19.0..21.0).contains(&took), "{limited:?}: {took} s for 20 seconds' worth");
    }
}

#[test]
fn a_sender_that_waits_for_the_rate_limit_hears_that_the_receiver_is_at_work() {
    let config = Config { limit_rate: Some(10_000), ..Config::default() };
    let mut receiver = Scripted::new(Role::Server, config);
    receiver.hear_offer(1, 1, 25_000);
    receiver.hear_data(1, 0, 25_000);
    receiver.hear(Frame::Fin(1, Whole { length: 25_000, digest: Digest::of(b"x"), deduplicated: false }));
    receiver.take(1);
    receiver.0.written(Instant::ZERO, id(1), 25_000);
    let mut told = Vec::new();
    let finished = loop {
        let now = receiver.0.poll_timeout().expect("somebody waits");
        receiver.0.handle_timeout(now);
        let seconds = (now - Instant::ZERO).as_secs_f64();
        told.extend(receiver.say_at(now).iter().filter(|frame| is_at_work(frame)).map(|_| seconds));
        if receiver.events().iter().any(|event| matches!(event, Event::Finish { .. })) {
            break seconds;
        }
    };
    assert_eq!((told, finished), (std::vec![1.0, 2.0], 2.5));
}

#[test]
fn a_sender_without_credit_hears_from_the_receiver_before_it_times_out() {
    let mut receiver = Scripted::new(Role::Server, Config { limit_rate: Some(1024), ..Config::default() });
    receiver.hear_offer(1, 1, 1 << 20);
    receiver.take(1);
    receiver.hear_data(1, 0, 65_536);
    receiver.0.written(Instant::ZERO, id(1), 65_536);
    receiver.say();
    let mut told = Vec::new();
    while told.len() < 4 {
        let now = receiver.0.poll_timeout().expect("somebody waits");
        receiver.0.handle_timeout(now);
        for event in receiver.events() {
            if let Event::Sync { id } = event {
                receiver.0.commit(now, id, 65_536);
            }
        }
        let seconds = (now - Instant::ZERO).as_secs();
        let said = receiver.say_at(now);
        told.extend(credits(said).into_iter().map(|(_, credit)| (seconds, credit)));
    }
    // What is safe, twice the same, and, when everything is paid for, a kibibyte more.
    assert_eq!(told, [(1, 65_536), (21, 65_536), (41, 65_536), (61, 65_536)]);
}

fn is_at_work(frame: &Frame) -> bool {
    matches!(frame, Frame::Finishing(1, wire::Phase::Commit))
}

#[test]
fn a_low_limit_invites_no_more_files_than_it_can_pay_for_in_time() {
    for (limit_rate, invited) in [(None, 256), (Some(1 << 20), 256), (Some(65_536), 30), (Some(1), 1)] {
        let mut receiver =
            Transfers::new(Role::Server, Config { limit_rate, ..Config::default() }, Instant::ZERO);
        receiver.handle_link_up(Instant::ZERO, None);
        let first = receiver.poll_message(Instant::ZERO, 1).expect("HELLO").into_bytes();
        let Ok(Frame::Hello(hello)) = wire::decode(first) else { panic!("it comes first") };
        assert_eq!(hello.max_transfers, invited, "{limit_rate:?}");
    }
}

/// A server that accepts 10 kB per second, and has files of these lengths, which arrived unasked and are not paid for.
fn owing(files: &[u64]) -> Scripted {
    let mut receiver = Scripted::new(Role::Server, Config { limit_rate: Some(10_000), ..Config::default() });
    for (n, length) in (1..).zip(files) {
        let handle = 2 * u32::from(n) - 1;
        receiver.hear_offer(handle, n, *length);
        receiver.hear_data(handle, 0, *length as usize);
        receiver.take(n);
        receiver.0.written(Instant::ZERO, id(n), *length);
    }
    receiver
}

fn hear_fin(receiver: &mut Scripted, now: Instant, n: u8, length: u64) {
    let whole = Whole { length, digest: Digest::of(b"x"), deduplicated: false };
    receiver.hear_at(now, Frame::Fin(2 * u32::from(n) - 1, whole));
}

#[test]
fn early_bytes_are_paid_for_in_the_order_of_arrival() {
    let mut receiver = owing(&[25_000, 10_000]);
    for (n, length) in [(1, 25_000), (2, 10_000)] {
        hear_fin(&mut receiver, Instant::ZERO, n, length);
    }
    receiver.0.hold_back(Instant::from_secs(1), Instant::ZERO, Instant::from_secs(5));
    let mut finished = Vec::new();
    while finished.len() < 2 {
        let now = receiver.0.poll_timeout().expect("somebody waits");
        receiver.0.handle_timeout(now);
        receiver.say_at(now);
        for event in receiver.events() {
            if let Event::Finish { id, .. } = event {
                finished.push((id, now));
            }
        }
    }
    assert_eq!(finished, [(id(1), Instant::from_secs(4)), (id(2), Instant::from_secs(5))]);
}

#[test]
fn a_sender_with_a_late_fin_hears_a_second_later_that_work_goes_on() {
    let mut receiver = owing(&[60_000]);
    let late = Instant::from_secs(3);
    receiver.0.handle_timeout(late);
    receiver.say_at(late);
    hear_fin(&mut receiver, late, 1, 60_000);
    receiver.0.handle_timeout(late);
    assert!(!receiver.say_at(late).iter().any(is_at_work));
    let next = Instant::from_secs(4);
    receiver.0.handle_timeout(next);
    assert!(receiver.say_at(next).iter().any(is_at_work));
}
