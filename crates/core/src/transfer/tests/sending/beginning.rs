//! The beginning of a large file: it follows its offer unasked if the offer is the first on its link.

use super::*;

/// This much leaves before anything is known about the path.
const WINDOW: u64 = 32 * 1024;

/// A sender that has offered these files, of 1 MiB each.
fn offering(count: u8) -> Scripted {
    let mut sender = Scripted::client();
    for n in 1..=count {
        sender.0.offer(Instant::ZERO, Offer::new(id(n), name("file"), 1 << 20)).expect("new");
    }
    assert_eq!(sender.say().len(), count.into(), "the offers");
    sender
}

/// The offset and the length of everything that it sends in one go, if that is contiguous.
fn piece(sender: &mut Scripted) -> Option<(u64, u64)> {
    let mut piece = None;
    for frame in sender.say() {
        let Frame::Data(_, data) = frame else { continue };
        let (begin, len) = piece.unwrap_or((data.offset, 0));
        assert_eq!(data.offset, begin + len);
        piece = Some((begin, len + data.payload.len() as u64));
    }
    piece
}

#[test]
fn the_first_file_begins_before_its_offer_is_answered_and_then_continues() {
    let mut sender = offering(1);
    assert_eq!(reads(&mut sender), [64 * 1024], "no more than a receiver takes unasked");
    sender.provide(0, 64 * 1024);
    assert_eq!(piece(&mut sender), Some((0, WINDOW)));
    sender.hear(Frame::Accept(1, accept(1 << 20)));
    sender.read();
    sender.hear_ack(WINDOW, None);
    sender.read();
    assert_eq!(piece(&mut sender).map(|(offset, _)| offset), Some(WINDOW));
}

#[test]
fn only_the_first_of_many_files_begins_unasked() {
    let mut sender = offering(2);
    assert_eq!(reads(&mut sender), [64 * 1024], "of the first");
}

#[test]
fn no_file_begins_unasked_after_another_was_sent() {
    let mut sender = offering(1);
    sender.read();
    sender.say();
    sender.hear(Frame::Cancel(1, cancel(Code::Exists, Duration::ZERO)));
    sender.0.offer(Instant::ZERO, Offer::new(id(2), name("other"), 1 << 20)).expect("new");
    assert_eq!(sender.say().len(), 1, "the offer");
    assert_eq!(reads(&mut sender), []);
}

#[test]
fn a_file_begins_unasked_only_once() {
    let mut sender = offering(1);
    sender.read();
    sender.say();
    sender.relink();
    sender.say();
    assert_eq!(reads(&mut sender), []);
}

#[test]
fn bytes_sent_in_vain_keep_no_place_in_the_window() {
    for resume in [0, 20_000, WINDOW, 1 << 19] {
        for have in [wire::Have::Part, wire::Have::Present] {
            let mut sender = offering(1);
            sender.read();
            assert_eq!(piece(&mut sender), Some((0, WINDOW)));
            sender.hear(Frame::Accept(1, wire::Accept { resume, have, ..accept(1 << 20) }));
            let waits = have == wire::Have::Part && resume < WINDOW;
            assert_eq!(sender.0.traffic().in_flight > 0, waits, "{resume} {have:?}");
        }
    }
}

#[test]
fn a_receiver_with_the_beginning_gets_the_rest_without_new_reads() {
    let mut sender = offering(1);
    sender.read();
    sender.say();
    sender.hear(Frame::Accept(1, wire::Accept { resume: WINDOW, ..accept(1 << 20) }));
    assert_eq!(piece(&mut sender), Some((WINDOW, WINDOW)));
    assert_eq!(reads(&mut sender), [64 * 1024, 64 * 1024], "behind what was read with the offer");
}
