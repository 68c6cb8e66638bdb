//! What a sender does with its source, and how long it waits for its receiver.

mod beginning;
mod ends;
mod small;
mod told;

use super::super::wire::{self, Ack, Frame};
use super::super::*;
use super::script::*;
use super::world::*;
use bytes::Bytes;
use std::vec;
use std::vec::Vec;

impl Scripted {
    /// Sends everything it can, with a receiver that acknowledges each chunk; returns how many bytes arrived.
    fn sent(&mut self) -> u64 {
        let mut received = 0;
        loop {
            let before = received;
            for frame in self.say() {
                if let Frame::Data(_, data) = frame {
                    assert_eq!(data.offset, received);
                    received += data.payload.len() as u64;
                }
            }
            if received == before {
                return received;
            }
            self.hear_ack(received, None);
        }
    }

    fn provide(&mut self, offset: u64, len: usize) {
        self.0.provide(Instant::ZERO, id(1), offset, Bytes::from(vec![0; len]));
    }
}

#[test]
fn a_source_that_answers_twice_gives_its_bytes_once() {
    let mut sender = Scripted::sending(100_000);
    sender.provide(0, 65_536);
    sender.provide(0, 65_536);
    sender.provide(65_536, 34_464);
    assert_eq!(sender.sent(), 100_000);
}

#[test]
fn the_rest_of_a_short_read_is_requested_again() {
    let mut sender = Scripted::sending(100_000);
    assert_eq!(reads(&mut sender), [65_536, 34_464]);
    sender.provide(0, 10_000);
    assert_eq!(reads(&mut sender), [], "the other read is out");
    sender.provide(65_536, 34_464);
    assert_eq!(reads(&mut sender), [65_536, 24_464]);
    sender.provide(10_000, 65_536);
    sender.provide(75_536, 24_464);
    assert_eq!(sender.sent(), 100_000);
}

#[test]
fn a_source_that_gives_nothing_counts_as_changed() {
    let mut sender = Scripted::sending(100_000);
    sender.events();
    sender.provide(0, 65_536);
    sender.provide(65_536, 0);
    let events = sender.events();
    let Some(Event::Failed { failure, .. }) = events.first() else { panic!("it goes on: {events:?}") };
    assert_eq!(failure.code, Code::SourceChanged);
    assert_eq!(failure.text, "the source has nothing at 65536, but should have 100000 bytes");
    assert_eq!(cancelled(&sender.say()), Some(Code::SourceChanged));
}

#[test]
fn only_the_offered_bytes_of_a_grown_source_are_sent() {
    let mut sender = Scripted::sending(100_000);
    sender.provide(0, 65_536);
    sender.provide(65_536, 50_000);
    let events = sender.events();
    let last_look = |event: &Event| matches!(event, Event::Check { .. });
    assert!(events.iter().any(last_look), "all of it is read: {events:?}");
    assert_eq!(sender.sent(), 100_000);
}

/// The lengths of the requested reads.
fn reads(sender: &mut Scripted) -> Vec<usize> {
    let len = |event| if let Event::Read { len, .. } = event { Some(len) } else { None };
    sender.events().into_iter().filter_map(len).collect()
}

#[test]
fn a_paused_transfer_takes_no_share_of_the_read_ahead() {
    let config = Config { read_ahead: 256 * 1024, ..Config::default() };
    let mut sender = Scripted::new(Role::Client, config);
    for n in 1..=4 {
        sender.0.offer(Instant::ZERO, Offer::new(id(n), name("file"), 1 << 30)).expect("new");
    }
    assert_eq!(sender.say().len(), 4);
    sender.hear(Frame::Accept(1, accept(1 << 20)));
    assert_eq!(reads(&mut sender), [64 * 1024], "a quarter");
    sender.provide(0, 64 * 1024);
    assert_eq!(reads(&mut sender), []);
    for n in 2..=4 {
        sender.0.pause(Instant::ZERO, id(n));
    }
    sender.hear_ack(0, None);
    assert_eq!(reads(&mut sender), [64 * 1024], "all of it, and no more than is of use");
}

#[test]
fn the_source_is_read_two_pieces_ahead() {
    let mut sender = Scripted::sending(1 << 30);
    assert_eq!(reads(&mut sender), [64 * 1024, 64 * 1024]);
    sender.provide(0, 64 * 1024);
    sender.provide(64 * 1024, 64 * 1024);
    assert_eq!(sender.say().len(), 6, "two chunks, as many as the window admits; the first is cut");
    assert_eq!(reads(&mut sender), [64 * 1024], "before the first piece is gone");
}

/// The lengths of the payloads of DATA.
fn lengths(said: &[Frame]) -> Vec<usize> {
    let len = |frame: &Frame| if let Frame::Data(_, data) = frame { Some(data.payload.len()) } else { None };
    said.iter().filter_map(len).collect()
}

#[test]
fn a_link_begins_with_short_frames() {
    let mut sender = Scripted::sending(1 << 30);
    sender.read();
    assert_eq!(lengths(&sender.say()), [1 << 10, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 16 << 10]);
}

#[test]
fn the_short_frames_of_a_rate_limited_link_are_measured_separately() {
    let config = Config { limit_rate: Some(10_000), ..Config::default() };
    let mut sender = Scripted::new(Role::Client, config);
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1 << 20)).expect("new");
    sender.say();
    sender.hear(Frame::Accept(1, accept(1 << 20)));
    sender.read();
    let trip = Duration::from_millis(500);
    let mut sent: Vec<(Instant, u64)> = vec![];
    for millis in 0..1500 {
        let now = Instant::from_millis(millis);
        for (_, received) in sent.clone().into_iter().filter(|(left, _)| *left + trip == now) {
            let ack = Ack { received, durable: 0, credit: 1 << 20, last_seq: 0, hold_us: 0, rewind: None };
            sender.hear_at(now, Frame::Ack(1, ack));
        }
        for frame in sender.say_at(now) {
            let Frame::Data(_, data) = frame else { continue };
            sent.push((now, data.offset + data.payload.len() as u64));
        }
    }
    let ends: Vec<_> = sent.iter().map(|(_, end)| *end).collect();
    assert_eq!(ends[..3], [1024, 2048, 2500], "a quarter of a second's worth is one chunk");
    assert!(sent[2].0 < Instant::ZERO + trip, "nobody has answered before the last of it");
    assert_eq!(sender.0.traffic().round_trip, Some(trip));
}

#[test]
fn a_sliver_of_credit_is_saved_while_an_answer_is_due() {
    let credit = 16 * 1024 + 100;
    let mut sender = Scripted::with_credit(credit);
    sender.read();
    assert_eq!(lengths(&sender.say()).iter().sum::<usize>(), 16 * 1024);
    let ack = Ack { received: 16 * 1024, durable: 0, credit, last_seq: 0, hold_us: 0, rewind: None };
    sender.hear(Frame::Ack(3, ack));
    assert_eq!(lengths(&sender.say()), [100], "nothing else would bring more");
}

#[test]
fn a_sender_that_went_back_after_its_fin_may_still_receive_done() {
    let digest = Digest::of(&[0; 1000]);
    let mut sender = Scripted::sending(1000);
    sender.read();
    sender.say();
    sender.0.provide_digest(Instant::ZERO, id(1), 1000, digest);
    sender.0.confirm(Instant::ZERO, id(1));
    assert!(matches!(sender.say()[..], [Frame::Fin(1, _)]));
    sender.hear_ack(0, Some(wire::Rewind::Gap));
    sender.events();
    sender.hear(Frame::Done(1, wire::Whole { length: 1000, digest, deduplicated: false }));
    let events = sender.events();
    assert!(matches!(events[..], [Event::Done { length: 1000, .. }]), "{events:?}");
}

/// A timer fires, slightly late; returns whether the transfer is put off for lack of an answer.
fn stalls_at(sender: &mut Scripted, seconds: u64) -> bool {
    let due = Instant::from_secs(seconds);
    assert_eq!(sender.0.poll_timeout(), Some(due));
    let late = due + Duration::from_millis(7);
    sender.0.handle_timeout(late);
    let told = cancelled(&sender.say_at(late)) == Some(Code::Stalled);
    told && matches!(sender.events().last(), Some(Event::Retrying { .. }))
}

#[test]
fn a_sender_does_not_wait_for_a_receiver_that_acknowledges_nothing() {
    let mut sender = Scripted::sending(1 << 20);
    let due = Instant::from_secs(30);
    assert_eq!(sender.0.poll_timeout(), Some(due), "it waits for its own source");
    sender.0.handle_timeout(due);
    assert_eq!(sender.say_at(due), [Frame::Finishing(1, wire::Phase::Source)]);
    sender.read();
    sender.say_at(due);
    assert!(stalls_at(&mut sender, 90));
}

#[test]
fn a_sender_does_not_wait_for_a_receiver_that_gives_no_credit() {
    let mut sender = Scripted::with_credit(1000);
    sender.read();
    assert_eq!(sender.say().len(), 1);
    let ack = Ack { received: 1000, durable: 0, credit: 1000, last_seq: 0, hold_us: 0, rewind: None };
    sender.hear_at(Instant::from_secs(3), Frame::Ack(3, ack));
    assert!(stalls_at(&mut sender, 63));
}

#[test]
fn a_sender_that_hashes_for_an_existing_file_says_so() {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1 << 20)).expect("new");
    sender.say();
    let there = wire::Accept { have: wire::Have::Present, resume: 1 << 20, ..accept(1 << 20) };
    sender.hear(Frame::Accept(1, there));
    let progress = sender.0.progress(id(1)).expect("under way");
    assert_eq!((progress.received, progress.durable), (0, 0), "what is there may be another file");
    let due = Instant::from_secs(10);
    assert_eq!(sender.0.poll_timeout(), Some(due));
    sender.0.handle_timeout(due);
    assert_eq!(sender.say_at(due), [Frame::Finishing(1, wire::Phase::Verify)]);
}

/// An upload that would be offered again after seven seconds, and that is paused meanwhile.
fn put_off() -> Scripted {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1 << 20)).expect("new");
    sender.say();
    sender.hear(Frame::Cancel(1, cancel(Code::Busy, Duration::from_secs(7))));
    assert!(sender.0.pause(Instant::from_secs(1), id(1)));
    sender
}

#[test]
fn a_pause_does_not_change_the_time_of_the_next_offer() {
    let mut sender = put_off();
    let (early, due) = (Instant::from_secs(3), Instant::from_secs(7));
    assert!(sender.0.resume(early, id(1)));
    assert_eq!((sender.say_at(early), sender.0.poll_timeout()), (vec![], Some(due)));
    sender.0.handle_timeout(due);
    assert!(matches!(sender.say_at(due)[..], [Frame::Offer(..)]));
    for late in [7, 10] {
        let (mut sender, late) = (put_off(), Instant::from_secs(late));
        assert!(sender.0.resume(late, id(1)));
        assert_eq!(sender.0.poll_timeout(), None, "at {late}, at once");
        assert!(matches!(sender.say_at(late)[..], [Frame::Offer(..)]));
    }
}

#[test]
fn acknowledgements_that_bring_anything_new_are_no_flood() {
    let flooded = |ack: fn(u64) -> (u64, u64, u64)| {
        let mut sender = Scripted::with_credit(20_000);
        sender.read();
        sender.say();
        (1..=1500).any(|n| {
            let (received, durable, credit) = ack(n);
            sender.hear(Frame::Ack(
                3,
                Ack { received, durable, credit, last_seq: 0, hold_us: 0, rewind: None },
            ));
            sender.0.is_broken()
        })
    };
    assert!(!flooded(|n| (n, 0, 20_000)));
    assert!(!flooded(|n| (1500, n, 20_000)));
    assert!(!flooded(|n| (1500, 0, 20_000 + n)));
    assert!(flooded(|_| (1500, 0, 20_000)));
}
