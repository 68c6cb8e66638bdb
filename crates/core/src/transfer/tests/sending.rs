//! What a sender makes of its source, and what it says of itself.

use super::super::wire::Frame;
use super::super::*;
use super::script::*;
use super::world::*;
use bytes::Bytes;
use std::vec;

impl Scripted {
    /// Sends all that it can, with a receiver that acknowledges each chunk; how many bytes came.
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
fn of_a_source_that_has_grown_only_what_was_offered_is_sent() {
    let mut sender = Scripted::sending(100_000);
    sender.provide(0, 65_536);
    sender.provide(65_536, 50_000);
    let events = sender.events();
    let last_look = |event: &Event| matches!(event, Event::Check { .. });
    assert!(events.iter().any(last_look), "all of it is read: {events:?}");
    assert_eq!(sender.sent(), 100_000);
}

#[test]
fn what_a_transfer_is_doing_is_told_at_both_ends() {
    let stage = |end: &Scripted| end.0.progress(id(1)).map(|progress| progress.stage);
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 100_000)).expect("new");
    assert_eq!(stage(&sender), Some(Stage::Waiting));
    let offer = sender.say();
    assert!(matches!(offer[..], [Frame::Offer(1, _)]), "{offer:?}");
    assert_eq!(stage(&sender), Some(Stage::Opening));
    let mut receiver = Scripted::server();
    receiver.hear_offer(1, 1, 100_000);
    assert_eq!(stage(&receiver), Some(Stage::Opening));

    receiver.take(1);
    sender.hear(Frame::Accept(1, accept(1 << 20)));
    receiver.hear_data(1, 0, 99_999);
    assert_eq!((stage(&sender), stage(&receiver)), (Some(Stage::Moving), Some(Stage::Moving)));
    assert_eq!((sender.0.moved(), receiver.0.moved()), (0, 99_999));

    sender.read();
    assert_eq!(sender.sent(), 100_000);
    receiver.hear_data(1, 99_999, 1);
    assert_eq!((stage(&sender), stage(&receiver)), (Some(Stage::Finishing), Some(Stage::Finishing)));
    assert_eq!((sender.0.moved(), receiver.0.moved()), (100_000, 100_000));
}

/// The lengths of the reads that are asked for.
fn reads(sender: &mut Scripted) -> Vec<usize> {
    let len = |event| if let Event::Read { len, .. } = event { Some(len) } else { None };
    sender.events().into_iter().filter_map(len).collect()
}

#[test]
fn a_paused_transfer_takes_no_share_of_what_is_read_ahead() {
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
