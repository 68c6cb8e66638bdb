//! A small file: it follows its offer without waiting for an answer.

use super::*;

#[test]
fn a_small_file_follows_its_offer_only_once() {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1000)).expect("new");
    sender.read();
    sender.say();
    sender.read();
    assert_eq!(lengths(&sender.say()), [1000]);
    sender.relink();
    sender.say();
    sender.read();
    assert_eq!(lengths(&sender.say()), [], "the link may have broken before the receiver had a place for it");
}

#[test]
fn the_fin_of_a_small_file_follows_its_bytes_and_a_last_check() {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1000)).expect("new");
    sender.say();
    sender.0.provide_digest(Instant::ZERO, id(1), 1000, Digest::of(&[0; 1000]));
    assert_eq!(sender.say(), []);
    sender.provide(0, 1000);
    let said = sender.say();
    assert!(matches!(said[..], [Frame::Data(1, _)]), "{said:?}");
    sender.0.confirm(Instant::ZERO, id(1));
    let said = sender.say();
    assert!(matches!(said[..], [Frame::Fin(1, _)]), "{said:?}");
}

/// A sender of a small file that has been offered.
fn small() -> Scripted {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1000)).expect("new");
    sender.say();
    assert_eq!(reads(&mut sender), [1000]);
    sender
}

/// What it sends.
fn chunks(sender: &mut Scripted) -> Vec<(u64, usize)> {
    let chunk = |frame| match frame {
        Frame::Data(_, data) => Some((data.offset, data.payload.len())),
        _ => None,
    };
    sender.say().into_iter().filter_map(chunk).collect()
}

#[test]
fn a_small_file_is_not_read_or_sent_again_when_its_offer_is_answered() {
    for sent_before in [false, true] {
        let mut sender = small();
        sender.provide(0, 1000);
        if sent_before {
            assert_eq!(chunks(&mut sender), [(0, 1000)]);
        }
        sender.hear(Frame::Accept(1, accept(1 << 20)));
        assert_eq!(reads(&mut sender), []);
        assert_eq!(chunks(&mut sender).is_empty(), sent_before);
    }
}

#[test]
fn only_the_missing_bytes_of_a_small_file_are_sent() {
    let mut sender = small();
    sender.hear(Frame::Accept(1, wire::Accept { resume: 600, ..accept(1 << 20) }));
    assert_eq!(reads(&mut sender), [400]);
    sender.provide(600, 400);
    assert_eq!(chunks(&mut sender), [(600, 400)]);
}

#[test]
fn no_prefix_is_hashed_if_the_receiver_has_nothing() {
    let hashes = |sender: &mut Scripted| sender.events().iter().any(|e| matches!(e, Event::Hash { .. }));
    for (resume, compares) in [(0, false), (1, true)] {
        let mut sender = Scripted::client();
        sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1 << 20)).expect("new");
        sender.say();
        let prefix = Some(Digest::of(b""));
        sender.hear(Frame::Accept(1, wire::Accept { resume, prefix, ..accept(1 << 20) }));
        assert_eq!(hashes(&mut sender), compares);
    }
}

/// Whether a small file is read before its next offer is answered.
fn is_early(sender: &mut Scripted, now: Instant) -> bool {
    sender.0.handle_timeout(now);
    let said = sender.say_at(now);
    assert!(matches!(said[..], [.., Frame::Offer(..)]), "{said:?}");
    !reads(sender).is_empty()
}

#[test]
fn a_postponed_small_file_waits_for_the_next_answer() {
    let mut sender = small();
    sender.hear(Frame::Cancel(1, cancel(Code::Busy, Duration::from_secs(1))));
    assert!(!is_early(&mut sender, Instant::from_secs(1)));
}

#[test]
fn a_small_file_that_was_accepted_before_its_link_broke_waits_for_the_next_answer() {
    for accepted in [false, true] {
        let mut sender = small();
        if accepted {
            sender.hear(Frame::Accept(1, accept(1000)));
        }
        sender.relink();
        assert_eq!(is_early(&mut sender, Instant::ZERO), !accepted);
    }
}

#[test]
fn a_small_file_that_is_already_there_keeps_no_place_in_the_window() {
    let mut sender = small();
    sender.provide(0, 1000);
    sender.0.provide_digest(Instant::ZERO, id(1), 1000, Digest::of(&[0; 1000]));
    sender.0.confirm(Instant::ZERO, id(1));
    assert!(matches!(sender.say()[..], [Frame::Data(..), Frame::Fin(..)]));
    assert_eq!(sender.0.traffic().in_flight, 1000);
    sender.hear(Frame::Accept(1, wire::Accept { resume: 1000, ..accept(1000) }));
    assert_eq!(sender.0.traffic().in_flight, 0, "nothing of it will be acknowledged");
}
