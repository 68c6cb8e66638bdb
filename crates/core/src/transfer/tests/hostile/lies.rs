//! Receivers that make false statements.

use super::super::script::Scripted;
use super::*;

fn ack(received: u64, durable: u64, credit: u64, rewind: Option<wire::Rewind>) -> Frame {
    Frame::Ack(1, Ack { received, durable, credit, last_seq: 0, hold_us: 0, rewind })
}

/// A client that waits for the answer to its offer.
fn offering(length: u64) -> Victim {
    let mut transfers = Transfers::new(Role::Client, Config::default(), Instant::ZERO);
    transfers.offer(Instant::ZERO, Offer::new(id(1), name("file"), length)).expect("new");
    transfers.handle_link_up(Instant::ZERO, None);
    let mut victim = Victim(transfers);
    victim.hear(hello());
    victim
}

#[test]
fn more_bytes_than_were_sent_cannot_be_acknowledged() {
    let mut victim = Victim::sending(1_000_000);
    let said = victim.hear(ack(999_999, 0, 0, None));
    let (code, text) = cancelled_because(&said).expect("an end");
    assert_eq!(code, Code::BadOffset);
    assert!(text.starts_with("999999 bytes acknowledged, ") && text.ends_with(" sent"), "{text}");
}

#[test]
fn more_bytes_than_were_received_cannot_be_durable() {
    let said = Victim::sending(1_000_000).hear(ack(100, 101, 0, None));
    let text = "101 bytes called durable, 100 received";
    assert_eq!(cancelled_because(&said), Some((Code::BadOffset, text)));
}

#[test]
fn acknowledged_bytes_and_credit_never_go_back() {
    let mut victim = Victim::sending(1_000_000);
    victim.hear(ack(1000, 500, 500_000, None));
    assert_eq!(cancelled(&victim.hear(ack(10, 5, 5000, None))), None);
    let progress = victim.0.progress(id(1)).expect("it goes on");
    assert_eq!((progress.received, progress.durable), (1000, 500));
    // Nor is the credit: more than 5000 bytes are sent.
    while victim.0.in_flight() > 0 {
        let sent = 1000 + victim.0.in_flight();
        victim.read();
        victim.hear(ack(sent.min(400_000), 0, 5000, None));
        if sent > 5000 {
            return;
        }
    }
    panic!("it stopped");
}

#[test]
fn absurd_credit_is_capped_by_the_file() {
    let mut victim = offering(70_000);
    let said = victim.hear(Frame::Accept(1, Accept { credit: u64::MAX, ..accept() }));
    assert_eq!(cancelled(&said), None);
    victim.read();
    assert_eq!(cancelled(&victim.hear(ack(0, 0, u64::MAX, None))), None);
}

#[test]
fn a_second_accept_is_refused() {
    let said = Victim::sending(1_000_000).hear(Frame::Accept(1, accept()));
    assert_eq!(cancelled_because(&said), Some((Code::Protocol, "a second ACCEPT")));
}

#[test]
fn a_resume_beyond_the_end_is_refused() {
    let said =
        offering(70_000).hear(Frame::Accept(1, Accept { resume: 70_001, credit: u64::MAX, ..accept() }));
    let text = "it was asked to resume at 70001 of 70000 bytes";
    assert_eq!(cancelled_because(&said), Some((Code::BadOffset, text)));
}

#[test]
fn a_done_before_the_fin_is_refused() {
    let whole = Whole { length: 1_000_000, digest: Digest::of(&contents(1, 1_000_000)), deduplicated: false };
    let mut victim = Victim::sending(1_000_000);
    let sent = victim.0.in_flight();
    let said = victim.hear(Frame::Done(1, whole));
    let text = std::format!("DONE after {sent} of 1000000 bytes, before FIN");
    assert_eq!(cancelled_because(&said), Some((Code::Protocol, text.as_str())));
    let said = offering(1_000_000).hear(Frame::Done(1, whole));
    assert_eq!(cancelled_because(&said), Some((Code::Protocol, "DONE after 0 of 1000000 bytes, before FIN")));
}

#[test]
fn a_done_with_another_digest_is_a_failure() {
    let data = contents(1, 70_000);
    let mut victim = offering(70_000);
    victim.hear(Frame::Accept(1, Accept { credit: 70_000, ..accept() }));
    let mut said = Vec::new();
    while !said.iter().any(|frame| matches!(frame, Frame::Fin(..))) {
        while let Some(event) = victim.0.poll_event() {
            match event {
                Event::Read { id, offset, len } => {
                    let piece = Bytes::copy_from_slice(&data[offset as usize..offset as usize + len]);
                    victim.0.provide(Instant::ZERO, id, offset, piece);
                }
                Event::Hash { id, upto } => {
                    victim.0.provide_digest(Instant::ZERO, id, upto, Digest::of(&data[..upto as usize]));
                }
                Event::Check { id } => victim.0.confirm(Instant::ZERO, id),
                _ => {}
            }
        }
        said.extend(victim.say(Instant::ZERO));
        let sent = victim.0.in_flight();
        if sent > 0 {
            let received = victim.0.progress(id(1)).map_or(0, |p| p.received) + sent;
            said.extend(victim.hear(ack(received, 0, 0, None)));
        }
    }
    victim.hear(Frame::Done(1, Whole { length: 70_000, digest: Digest::of(b"other"), deduplicated: false }));
    let events: Vec<_> = core::iter::from_fn(|| victim.0.poll_event()).collect();
    let failed = |event: &Event| matches!(event, Event::Failed { failure, .. } if failure.code == Code::DigestMismatch);
    assert!(events.iter().any(failed), "{events:?}");
}

#[test]
fn a_receiver_that_asks_to_go_back_endlessly_is_given_up() {
    let mut victim = Victim::sending(1_000_000);
    for _ in 0..64 {
        assert_eq!(cancelled(&victim.hear(ack(0, 0, 0, Some(wire::Rewind::Gap)))), None);
        victim.read();
    }
    let said = victim.hear(ack(0, 0, 0, Some(wire::Rewind::Corrupt)));
    assert_eq!(cancelled_because(&said), Some((Code::Protocol, "asked 65 times to go back to 0")));
}

#[test]
fn a_receiver_that_makes_progress_may_ask_to_go_back_at_will() {
    let mut victim = Victim::sending(1_000_000);
    for n in 0..100 {
        victim.read();
        assert_eq!(cancelled(&victim.hear(ack(n, 0, 0, Some(wire::Rewind::Gap)))), None, "{n}");
    }
}

#[test]
fn a_done_between_an_early_fin_and_the_accept_names_the_missing_accept() {
    let mut sender = Scripted::client();
    sender.0.offer(Instant::ZERO, Offer::new(id(1), name("file"), 10)).expect("new");
    sender.say();
    sender.read();
    sender.say();
    sender.0.provide_digest(Instant::ZERO, id(1), 10, Digest::of(&[0; 10]));
    sender.0.confirm(Instant::ZERO, id(1));
    assert!(sender.say().iter().any(|frame| matches!(frame, Frame::Fin(..))));
    let whole = Whole { length: 10, digest: Digest::of(&[0; 10]), deduplicated: false };
    sender.hear(Frame::Done(1, whole));
    let said = sender.say();
    assert_eq!(cancelled_because(&said), Some((Code::Protocol, "DONE after 10 of 10 bytes, before ACCEPT")));
}
