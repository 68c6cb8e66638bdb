//! What a receiver sends, and when: acknowledgements, credit, and signs of work; and what it asks of its disk, and
//! when.

use super::super::wire::{Accept, Ack, Data, Frame, INITIAL_CREDIT, Pause, Phase, Whole};
use super::super::*;
use super::script::*;
use super::world::*;
use bytes::Bytes;
use std::vec::Vec;

const CREDIT: u64 = 200_000;

/// A server that accepts a file of this length from its beginning.
fn receiving(length: u64) -> Scripted {
    let mut receiver = Scripted::new(Role::Server, Config { credit: CREDIT, ..Config::default() });
    receiver.hear_offer(1, 1, length);
    receiver.take(1);
    receiver.say();
    receiver.events();
    receiver
}

fn written(receiver: &mut Scripted, upto: u64) {
    receiver.0.written(Instant::ZERO, id(1), upto);
}

/// The credit of the acknowledgement, if there is one.
fn acknowledged(receiver: &mut Scripted) -> Option<u64> {
    receiver
        .say()
        .iter()
        .find_map(|frame| if let Frame::Ack(_, ack) = frame { Some(ack.credit) } else { None })
}

#[test]
fn a_sender_without_credit_gets_some_once_the_disk_has_made_room() {
    let mut receiver = receiving(1 << 30);
    for n in 0..4 {
        receiver.hear_data(1, n * 50_000, 50_000);
        receiver.say();
    }
    written(&mut receiver, 50_000);
    assert_eq!(acknowledged(&mut receiver), Some(CREDIT + 50_000));
}

#[test]
fn a_sender_with_much_credit_is_not_told_of_each_write() {
    // With less than half of the credit left it would.
    for second in [10_000, 50_000] {
        let mut receiver = receiving(1 << 30);
        receiver.hear_data(1, 0, 50_000);
        assert_eq!(acknowledged(&mut receiver), Some(CREDIT));
        receiver.hear_data(1, 50_000, second);
        written(&mut receiver, 50_000 + second as u64);
        assert_eq!(acknowledged(&mut receiver), None, "{second}");
    }
}

#[test]
fn a_sender_with_credit_up_to_the_end_gets_no_more() {
    let mut receiver = receiving(150_000);
    receiver.hear_data(1, 0, 50_000);
    assert_eq!(acknowledged(&mut receiver), Some(150_000));
    receiver.hear_data(1, 50_000, 50_000);
    written(&mut receiver, 100_000);
    assert_eq!(acknowledged(&mut receiver), None);
}

#[test]
fn repeated_reports_of_the_disk_are_acknowledged_once() {
    let mut receiver = receiving(1000);
    receiver.hear_data(1, 0, 100);
    written(&mut receiver, 100);
    let mut now = Instant::from_secs(1);
    receiver.0.handle_timeout(now);
    let events = receiver.events();
    assert!(matches!(events[..], [Event::Write { .. }, Event::Sync { .. }]), "{events:?}");
    receiver.0.commit(now, id(1), 100);
    now += Duration::from_millis(25);
    receiver.0.handle_timeout(now);
    let said = receiver.say_at(now);
    assert!(matches!(said[..], [Frame::Ack(1, Ack { durable: 100, .. })]), "{said:?}");
    let due = receiver.0.poll_timeout();
    written(&mut receiver, 100);
    receiver.0.commit(now, id(1), 100);
    assert_eq!(receiver.0.poll_timeout(), due, "nothing is to be done for it");
}

#[test]
fn a_receiver_proves_what_it_has_and_writes_only_the_rest() {
    for (from, writes) in [(0, &[(0, 100)][..]), (40, &[(40, 60)]), (100, &[])] {
        let mut receiver = Scripted::server();
        receiver.hear_offer(1, 1, 1000);
        receiver.hear_data(1, 0, 100);
        receiver.take_from(1, from);
        let said = receiver.say();
        let Some(Frame::Accept(1, Accept { resume, prefix, .. })) = said.first() else { panic!("{said:?}") };
        assert_eq!((*resume, prefix.is_some()), (from, from > 0));
        let written: Vec<_> = receiver
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Write { offset, data, .. } => Some((offset, data.len())),
                _ => None,
            })
            .collect();
        assert_eq!(written, writes, "from {from}");
    }
}

#[test]
fn a_slow_commit_is_reported_every_second() {
    let mut receiver = receiving(100);
    receiver.hear_data(1, 0, 100);
    written(&mut receiver, 100);
    let mut now = Instant::from_millis(500);
    let whole = Whole { length: 100, digest: Digest::of(b""), deduplicated: false };
    receiver.hear_at(now, Frame::Fin(1, whole));
    receiver.say_at(now);
    for _ in 0..3 {
        let before = now + Duration::from_millis(999);
        receiver.0.handle_timeout(before);
        assert_eq!(receiver.say_at(before), []);
        now += Duration::from_secs(1);
        assert_eq!(receiver.0.poll_timeout(), Some(now));
        receiver.0.handle_timeout(now);
        assert_eq!(receiver.say_at(now), [Frame::Finishing(1, Phase::Commit)]);
    }
}

#[test]
fn bytes_that_lost_links_brought_in_vain_are_counted() {
    let mut receiver = Scripted::client();
    receiver.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    let resent = |receiver: &Scripted| receiver.0.progress(id(1)).map(|progress| progress.resent);
    for (from, len, expected) in [(0, 1000, 0), (400, 100, 600), (900, 100, 600 + 100)] {
        receiver.say();
        receiver.hear_offer(2, 1, 1_000_000);
        receiver.take_from(1, from);
        receiver.hear_data(2, from, len);
        assert_eq!(resent(&receiver), Some(expected), "from {from}");
        receiver.relink();
    }
}

#[test]
fn a_paused_transfer_takes_no_share_of_the_credit() {
    let config = Config { credit: 2 << 20, link_credit: 4 << 20, ..Config::default() };
    let mut receiver = Scripted::new(Role::Server, config);
    let handles = [1, 3, 5, 7];
    for (n, handle) in (1..).zip(handles) {
        receiver.hear_offer(handle, n, 1 << 30);
    }
    (1..=4).for_each(|n| receiver.take(n));
    let said = receiver.say();
    let shared = |frame: &Frame| matches!(frame, Frame::Accept(7, accept) if accept.credit == 1 << 20);
    assert!(said.iter().any(shared), "{said:?}");
    for (n, handle) in (1..).zip(&handles[..3]) {
        receiver.0.pause(Instant::ZERO, id(n));
        receiver.hear(Frame::Pause(*handle, Pause { offset: 0, answer: true }));
    }
    receiver.say();
    receiver.hear_data(7, 0, 1000);
    assert_eq!(acknowledged(&mut receiver), Some(2 << 20));
}

/// Receives file `n`, whose first chunk, of `len` bytes, arrives after this many milliseconds. Returns the credit
/// before it, and where the credit ends once it is written.
fn credit_around(receiver: &mut Scripted, n: u8, millis: u64, len: usize) -> [u64; 2] {
    let (handle, start) = (2 * u32::from(n) + 1, Instant::from_secs(n.into()));
    receiver.hear_at(start, Frame::Offer(handle, plain_offer(id(n), "file", 1 << 30)));
    let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
    receiver.0.answer(start, id(n), answer);
    let mut credits = Vec::new();
    let mut note = |said: Vec<Frame>| {
        credits.extend(said.iter().filter_map(|frame| match frame {
            Frame::Accept(_, accept) => Some(accept.credit),
            Frame::Ack(_, ack) => Some(ack.credit),
            _ => None,
        }));
    };
    note(receiver.say_at(start));
    let now = start + Duration::from_millis(millis);
    receiver.hear_data_at(now, handle, 0, len);
    receiver.0.written(now, id(n), len as u64);
    note(receiver.say_at(now));
    receiver.0.cancel(now, id(n), Leftover::Discard);
    receiver.say_at(now);
    credits.try_into().expect("an ACCEPT and an ACK")
}

#[test]
fn a_sender_that_is_far_gets_more_credit() {
    let (near, far) = (3 << 20, 8 << 20);
    // What arrives within the first 64 KiB may have left before the ACCEPT.
    for (millis, len, ahead) in [(5, 65_537, near), (6, 65_537, far), (6, 65_536, near)] {
        let credit = credit_around(&mut Scripted::server(), 1, millis, len);
        assert_eq!(credit, [near, len as u64 + ahead], "{len} bytes after {millis} ms");
    }
}

#[test]
fn one_quick_answer_shows_that_a_link_is_short() {
    let (near, far) = (3 << 20, 8 << 20);
    let mut receiver = Scripted::server();
    assert_eq!(credit_around(&mut receiver, 1, 300, 100_000), [near, 100_000 + far]);
    assert_eq!(credit_around(&mut receiver, 2, 5, 100_000), [far, far], "what was given stays");
    assert_eq!(credit_around(&mut receiver, 3, 300, 100_000), [near, 100_000 + near]);
    receiver.relink();
    assert_eq!(credit_around(&mut receiver, 4, 300, 100_000), [near, 100_000 + far], "another link");
}

#[test]
fn a_sender_that_has_used_half_of_its_credit_gets_more_at_once() {
    let mut receiver = receiving(1 << 30);
    receiver.hear_data(1, 0, 50_000);
    receiver.say();
    receiver.hear_data(1, 50_000, 50_001);
    assert_eq!(acknowledged(&mut receiver), Some(CREDIT));
}

#[test]
fn bytes_that_arrive_twice_are_acknowledged_and_counted() {
    let mut receiver = receiving(1 << 30);
    let resent = |receiver: &Scripted| receiver.0.progress(id(1)).map(|progress| progress.resent);
    for (millis, offset, expected) in [(25, 0, 0), (50, 0, 1000), (75, 500, 1500)] {
        receiver.hear_data(1, offset, 1000);
        assert_eq!(resent(&receiver), Some(expected), "at {offset}");
        let late = Instant::from_millis(millis);
        receiver.0.handle_timeout(late);
        let said = receiver.say_at(late);
        assert!(matches!(said[..], [Frame::Ack(..)]), "at {offset}: {said:?}");
    }
}

#[test]
fn a_disk_is_asked_for_one_sync_at_a_time_by_size_and_by_time() {
    let mut receiver = Scripted::new(Role::Server, Config { sync_bytes: 1000, ..Config::default() });
    receiver.hear_offer(1, 1, 1 << 30);
    receiver.take(1);
    let mut end = 0;
    let mut write = |receiver: &mut Scripted, len: u64| {
        receiver.hear_data(1, end, len as usize);
        end += len;
        written(receiver, end);
        receiver.say();
        receiver.events().iter().any(|event| matches!(event, Event::Sync { .. }))
    };
    assert!(!write(&mut receiver, 500));
    assert!(write(&mut receiver, 500));
    assert!(!write(&mut receiver, 1000), "it is at work");
    receiver.0.commit(Instant::ZERO, id(1), 1000);
    let again = receiver.events();
    assert!(matches!(again[..], [Event::Sync { .. }]), "{again:?}");
    receiver.0.commit(Instant::ZERO, id(1), 2000);
    assert!(!write(&mut receiver, 500), "that is not much");
    receiver.0.handle_timeout(Instant::from_millis(999));
    assert_eq!(receiver.events(), []);
    receiver.0.handle_timeout(Instant::from_secs(1));
    let late = receiver.events();
    assert!(matches!(late[..], [Event::Sync { .. }]), "{late:?}");
}

#[test]
fn a_paused_receiver_gives_no_credit_and_says_nothing_twice() {
    let mut receiver = receiving(1 << 30);
    receiver.hear_data(1, 0, 50_000);
    receiver.say();
    receiver.0.pause(Instant::ZERO, id(1));
    receiver.0.pause(Instant::ZERO, id(1));
    assert_eq!(receiver.say(), [Frame::Pause(1, Pause { offset: 50_000, answer: false })]);
    written(&mut receiver, 50_000);
    // That was on its way.
    receiver.hear_data(1, 50_000, 60_000);
    assert_eq!(acknowledged(&mut receiver), Some(CREDIT));
    written(&mut receiver, 110_000);
    assert_eq!(receiver.say(), []);
}

#[test]
fn a_file_that_is_being_committed_cannot_be_paused() {
    let mut receiver = receiving(100);
    receiver.hear_data(1, 0, 50);
    receiver.say();
    receiver.hear_data(1, 50, 50);
    let whole = Whole { length: 100, digest: Digest::of(b""), deduplicated: false };
    receiver.hear(Frame::Fin(1, whole));
    written(&mut receiver, 100);
    receiver.0.pause(Instant::ZERO, id(1));
    assert_eq!(receiver.say(), []);
    let late = Instant::from_millis(25);
    receiver.0.handle_timeout(late);
    let said = receiver.say_at(late);
    assert!(said.iter().all(|frame| matches!(frame, Frame::Ack(..))), "{said:?}");
}

#[test]
fn acknowledgements_are_merged_and_name_the_last_chunk() {
    let mut receiver = receiving(1 << 30);
    for seq in 0..9 {
        let payload = Bytes::from(contents(0, 20_000));
        receiver.hear(Frame::Data(1, Data { offset: u64::from(seq) * 20_000, seq, payload }));
    }
    assert_eq!(receiver.0.acks.len(), 1);
    let last = |receiver: &mut Scripted| match receiver.say()[..] {
        [Frame::Ack(1, ack)] => ack.last_seq,
        ref other => panic!("{other:?}"),
    };
    assert_eq!(last(&mut receiver), 8);
    written(&mut receiver, 180_000);
    assert_eq!(last(&mut receiver), 8, "it brings credit only");
}

#[test]
fn a_sender_that_falls_silent_after_a_gap_is_given_up() {
    let mut receiver = Scripted::new(Role::Server, Config { min_rate: None, ..Config::default() });
    receiver.hear_offer(1, 1, 1000);
    receiver.take(1);
    receiver.hear_data(1, 100, 10);
    let whole = Whole { length: 1000, digest: Digest::of(b""), deduplicated: false };
    receiver.hear(Frame::Fin(1, whole));
    receiver.say();
    let late = Instant::from_secs(120);
    receiver.0.handle_timeout(late);
    assert_eq!(cancelled(&receiver.say_at(late)), Some(Code::Stalled));
}

#[test]
fn bytes_that_are_here_already_do_not_count_against_a_rate_limit() {
    let mut server = Scripted::new(Role::Server, Config { limit_rate: Some(100_000), ..Config::default() });
    server.hear_offer(1, 1, 10_000_000);
    server.take_from(1, 5_000_000);
    let mut credits = Vec::new();
    for tenth in 0..20 {
        let now = Instant::from_millis(tenth * 100);
        server.0.handle_timeout(now);
        for frame in server.say_at(now) {
            let (Frame::Accept(_, Accept { credit, .. }) | Frame::Ack(_, Ack { credit, .. })) = frame else {
                continue;
            };
            // It sends everything it may, which is written at once.
            let start = credits.last().copied().unwrap_or(5_000_000);
            if credit == start {
                continue;
            }
            credits.push(credit);
            server.hear_data_at(now, 1, start, (credit - start) as usize);
            server.0.written(now, id(1), credit);
        }
    }
    let last = credits.last().expect("an answer") - 5_000_000;
    assert!((150_000..=225_000).contains(&last), "two seconds of the rate: {credits:?}");
}

#[test]
fn a_sender_that_gets_credit_late_has_its_full_time_from_then_on() {
    let mut receiver = receiving(1 << 30);
    for n in 0..4 {
        receiver.hear_data(1, n * 50_000, 50_000);
    }
    receiver.say();
    let late = Instant::from_secs(110);
    receiver.0.written(late, id(1), 200_000);
    let said = receiver.say_at(late);
    assert!(matches!(said[..], [Frame::Ack(1, Ack { credit: 400_000, .. })]), "{said:?}");
    receiver.0.handle_timeout(Instant::from_secs(125));
    assert_eq!(receiver.say_at(Instant::from_secs(125)), []);
    assert!(receiver.0.progress(id(1)).is_some(), "it is given up after 120 s only");
}

#[test]
fn a_link_that_begins_to_share_its_memory_promises_less() {
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 1 << 30);
    receiver.take(1);
    receiver.say();
    for (share, credit) in [(200_000, 3 << 20), (4 << 20, 200_000 + (3 << 20))] {
        receiver.0.set_link_credit(share);
        let offset = receiver.0.progress(id(1)).unwrap().received;
        receiver.hear_data(1, offset, 50_000);
        receiver.hear_data(1, offset + 50_000, 50_000);
        receiver.0.written(Instant::ZERO, id(1), offset + 100_000);
        assert_eq!(acknowledged(&mut receiver), Some(credit), "with {share} bytes");
    }
}

#[test]
fn each_transfer_may_send_a_little_however_many_share_the_memory() {
    let mut receiver = Scripted::new(Role::Server, Config { link_credit: 100_000, ..Config::default() });
    for n in 1..=4 {
        receiver.hear_offer(u32::from(2 * n - 1), n, 1 << 30);
        receiver.take(n);
    }
    receiver.say();
    let least = INITIAL_CREDIT;
    for n in 1..=4 {
        receiver.hear_data(u32::from(2 * n - 1), 0, least as usize);
        receiver.0.written(Instant::ZERO, id(n), least);
        assert_eq!(acknowledged(&mut receiver), Some(2 * least), "transfer {n}");
    }
}

#[test]
fn no_bytes_count_as_received_while_an_existing_file_is_compared() {
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 1000);
    receiver.events();
    receiver.0.answer(Instant::ZERO, id(1), Answer::Present { digest: Digest::of(b"another") });
    let progress = receiver.0.progress(id(1)).expect("under way");
    assert_eq!((progress.stage, progress.received, progress.durable), (Stage::Finishing, 0, 0));
}
