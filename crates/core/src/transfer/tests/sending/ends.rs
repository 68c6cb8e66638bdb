//! What a sender checks before it declares a file complete, and what it reports if the check fails.

use super::*;

/// The length and digest of a thousand zeros.
fn whole() -> wire::Whole {
    wire::Whole { length: 1000, digest: Digest::of(&[0; 1000]), deduplicated: false }
}

/// A sender that has sent everything, and whose source has reported the digest of it.
fn sent() -> Scripted {
    let mut sender = Scripted::sending(1000);
    sender.read();
    sender.say();
    sender.0.provide_digest(Instant::ZERO, id(1), 1000, whole().digest);
    sender
}

fn says_fin(sender: &mut Scripted) -> bool {
    sender.say().iter().any(|frame| matches!(frame, Frame::Fin(..)))
}

/// A sender whose receiver already has 400 bytes. Everything has been sent, and what remains is to compare those.
fn sent_behind_a_part() -> Scripted {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 1000)).expect("new");
    sender.say();
    let prefix = Some(Digest::of(&[0; 400]));
    sender.hear(Frame::Accept(1, wire::Accept { resume: 400, prefix, ..accept(1000) }));
    sender.read();
    sender.say();
    sender.0.provide_digest(Instant::ZERO, id(1), 1000, whole().digest);
    sender.0.confirm(Instant::ZERO, id(1));
    sender
}

#[test]
fn a_done_with_another_length_is_a_failure() {
    let mut sender = sent();
    sender.0.confirm(Instant::ZERO, id(1));
    assert!(says_fin(&mut sender));
    sender.events();
    sender.hear(Frame::Done(1, wire::Whole { length: 999, ..whole() }));
    let failed = |event: &Event| matches!(event, Event::Failed { failure, .. } if failure.code == Code::DigestMismatch);
    assert!(sender.events().iter().any(failed));
}

#[test]
fn the_fin_waits_for_the_digest_of_the_part_that_was_there() {
    let mut sender = sent_behind_a_part();
    assert!(!says_fin(&mut sender));
    sender.0.provide_digest(Instant::ZERO, id(1), 400, Digest::of(&[0; 400]));
    assert!(says_fin(&mut sender));
}

#[test]
fn a_part_of_another_file_is_discarded() {
    let mut sender = sent_behind_a_part();
    sender.0.provide_digest(Instant::ZERO, id(1), 400, Digest::of(&[1; 400]));
    let said = sender.say();
    let [Frame::Cancel(1, cancel)] = &said[..] else { panic!("{said:?}") };
    assert_eq!((cancel.code, cancel.discard), (Code::SourceChanged, true));
}

#[test]
fn a_file_that_is_sent_again_is_checked_again() {
    let mut sender = sent();
    sender.0.confirm(Instant::ZERO, id(1));
    assert!(says_fin(&mut sender));
    sender.hear_ack(0, Some(wire::Rewind::Gap));
    sender.read();
    assert!(!says_fin(&mut sender), "the source may have changed since");
    sender.0.confirm(Instant::ZERO, id(1));
    assert!(says_fin(&mut sender));
}

#[test]
fn a_sender_does_not_wait_forever_for_a_receiver_at_work() {
    let at = Instant::from_secs;
    let mut sender = sent();
    sender.0.confirm(Instant::ZERO, id(1));
    assert!(says_fin(&mut sender));
    sender.hear_ack(1000, None);
    let mut last = 0;
    for second in (10..1000).step_by(10) {
        sender.0.handle_timeout(at(second));
        if cancelled(&sender.say_at(at(second))).is_some() {
            break;
        }
        last = second;
        sender.hear_at(at(second), Frame::Finishing(1, wire::Phase::Commit));
        if second == 500 {
            // An acknowledgement that brings nothing new is no progress.
            let ack = Ack { received: 1000, durable: 0, credit: 0, last_seq: 0, hold_us: 0, rewind: None };
            sender.hear_at(at(second), Frame::Ack(1, ack));
        }
    }
    assert_eq!(last, 660, "ten minutes from the first time, and the time to answer");
}
