//! What is offered and requested on a link after a broken one: only a few at first.

use super::super::wire::{self, Frame, Phase};
use super::super::*;
use super::script::*;
use super::world::*;
use bytes::Bytes;
use std::vec::Vec;

/// The handles of the offers and requests that leave.
fn opened(end: &mut Scripted) -> Vec<u32> {
    let handle = |frame: Frame| match frame {
        Frame::Offer(handle, _) | Frame::Request(handle, _) => Some(handle),
        _ => None,
    };
    end.say().into_iter().filter_map(handle).collect()
}

/// A sender of a hundred files of this length, or of unknown length, on its second link. The first four have left.
fn sender(length: Option<u64>) -> Scripted {
    let mut sender = Scripted::client();
    let offer = |n| Offer { length, ..Offer::new(id(n), name("file"), 0) };
    (1..=100).for_each(|n| sender.0.offer(Instant::ZERO, offer(n)).expect("new"));
    assert_eq!(opened(&mut sender).len(), 9, "as many as the peer takes");
    sender.events();
    sender.relink();
    assert_eq!(opened(&mut sender), [1, 3, 5, 7]);
    sender
}

/// The same with files that are requested.
fn receiver() -> Scripted {
    let mut receiver = Scripted::client();
    (1..=100).for_each(|n| receiver.0.request(Instant::ZERO, id(n), name("file")).expect("new"));
    assert_eq!(opened(&mut receiver).len(), 9);
    receiver.relink();
    assert_eq!(opened(&mut receiver), [1, 3, 5, 7]);
    receiver
}

#[test]
fn the_rest_of_a_small_file_goes_before_other_offers() {
    let mut sender = sender(Some(1000));
    sender.hear(Frame::Accept(1, accept(1000)));
    assert_eq!(opened(&mut sender), [], "it is read");
    sender.0.provide(Instant::ZERO, id(1), 0, Bytes::from(std::vec![0; 1000]));
    assert_eq!(opened(&mut sender), [], "it is hashed");
    sender.0.provide_digest(Instant::ZERO, id(1), 1000, Digest::of(&[0; 1000]));
    sender.0.confirm(Instant::ZERO, id(1));
    let said = sender.say();
    assert!(matches!(said[..], [Frame::Fin(1, _), Frame::Offer(9, _), Frame::Offer(11, _)]), "{said:?}");
}

#[test]
fn a_large_file_that_moves_does_not_hold_back_other_offers() {
    for (length, handles) in [(Some(1 << 30), [9, 11]), (None, [9, 11])] {
        let mut sender = sender(length);
        sender.hear(Frame::Accept(1, accept(1 << 20)));
        if length.is_some() {
            assert_eq!(opened(&mut sender), [], "it is read");
            sender.read();
        }
        assert_eq!(opened(&mut sender), handles, "{length:?}");
    }
}

#[test]
fn a_transfer_that_does_not_wait_for_the_link_holds_back_no_offers() {
    let whole = wire::Whole { length: 1000, digest: Digest::of(b""), deduplicated: false };
    let complete = wire::Accept { have: wire::Have::Complete, resume: 1000, ..accept(1000) };
    let cases: [(&str, Vec<Frame>); 4] = [
        ("the receiver is at work", std::vec![Frame::Finishing(1, Phase::Verify)]),
        ("the receiver pauses", std::vec![Frame::Pause(1, wire::Pause { offset: 0, answer: false })]),
        ("the receiver is busy", std::vec![Frame::Cancel(1, cancel(Code::Busy, Duration::from_secs(1)))]),
        ("it is there", std::vec![Frame::Accept(1, complete), Frame::Done(1, whole)]),
    ];
    for (case, frames) in cases {
        let mut sender = sender(Some(1000));
        for frame in frames {
            sender.hear(frame);
        }
        assert_eq!(opened(&mut sender), [9, 11], "{case}");
    }
    let mut sender = sender(Some(1000));
    sender.0.pause(Instant::ZERO, id(1));
    assert_eq!(opened(&mut sender), [9, 11], "we pause");
    let cancelled = sender.0.cancel(Instant::ZERO, id(2), Leftover::Keep);
    assert!(cancelled && opened(&mut sender) == [13, 15]);
}

#[test]
fn a_requested_file_makes_room_once_some_of_it_arrives() {
    let mut receiver = receiver();
    receiver.hear_offer(2, 1, 1000);
    receiver.take(1);
    assert_eq!(opened(&mut receiver), [], "only its offer is here");
    receiver.hear_data(2, 0, 500);
    assert_eq!(opened(&mut receiver), [9, 11]);
    receiver.hear_data(2, 500, 500);
    assert_eq!(opened(&mut receiver), [], "it counts once");
    receiver.hear(Frame::Cancel(3, cancel(Code::NotFound, Duration::ZERO)));
    assert_eq!(opened(&mut receiver), [13, 15]);
}

#[test]
fn a_sender_that_is_asked_again_offers_only_a_few_files_at_first() {
    for again in [false, true] {
        let mut sender = Scripted::server();
        for n in 1..=9 {
            let request = wire::Request { again, ..asked(id(n), name("file")) };
            sender.hear(Frame::Request(2 * u32::from(n) - 1, request));
            sender.0.offer(Instant::ZERO, Offer::new(id(n), name("file"), 10_000)).expect("asked for");
        }
        assert_eq!(opened(&mut sender).len(), if again { 4 } else { 9 });
    }
}

#[test]
fn the_next_link_begins_with_as_many_offers_as_were_completed() {
    let mut sender = sender(Some(1000));
    let whole = wire::Whole { length: 1000, digest: Digest::of(b""), deduplicated: false };
    let complete = wire::Accept { have: wire::Have::Complete, resume: 1000, ..accept(1000) };
    for n in 0..6 {
        sender.hear(Frame::Accept(2 * n + 1, complete));
        sender.hear(Frame::Done(2 * n + 1, whole));
        sender.say();
    }
    sender.relink();
    assert_eq!(opened(&mut sender).len(), 6);
}
