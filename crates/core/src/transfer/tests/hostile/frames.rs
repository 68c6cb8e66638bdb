//! Frames that are invalid in themselves, or in the wrong place.

use super::super::super::wire::{Cancel, Phase};
use super::super::script::{Scripted, cancel};
use super::*;
use std::format;

/// A frame of any type, with these bytes after the common header.
fn raw(kind: u8, flags: u8, handle: u32, ext: &[u8], fixed: &[u8]) -> Bytes {
    let mut bytes = std::vec![kind, flags];
    bytes.extend((ext.len() as u16).to_be_bytes());
    bytes.extend(handle.to_be_bytes());
    bytes.extend(fixed);
    bytes.extend(ext);
    bytes.extend([0; 4]);
    resealed(bytes)
}

fn whole(length: u64) -> Whole {
    Whole { length, digest: Digest::of(b"x"), deduplicated: false }
}

fn ack() -> Ack {
    Ack { received: 0, durable: 0, credit: 0, last_seq: 0, hold_us: 0, rewind: None }
}

#[test]
fn an_unknown_type_ends_only_its_transfer() {
    let mut victim = Victim::with_transfer(1000);
    victim.offer(3, 2, 5);
    let said = victim.hear_bytes(raw(0x7f, 0, 1, &[], &[]));
    assert_eq!(cancelled_because(&said), Some((Code::Unsupported, "frame type 0x7f")));
    assert!(victim.0.progress(id(1)).is_none() && victim.0.progress(id(2)).is_some());
    let said = victim.hear_bytes(raw(0x7f, 0, 0, &[], &[]));
    assert_eq!(broken_because(&said), Some((Code::Unsupported, "frame type 0x7f")));
}

#[test]
fn an_unknown_type_that_may_be_ignored_changes_nothing() {
    let mut victim = Victim::with_transfer(1000);
    for handle in [0, 1, 99] {
        assert_eq!(victim.hear_bytes(raw(0x80, 0x0f, handle, &[1, 2], &[3; 100])), []);
    }
    assert!(victim.0.progress(id(1)).is_some());
}

#[test]
fn unknown_flags_end_the_link_only_in_the_low_nibble() {
    let mut victim = Victim::new();
    assert_eq!(victim.hear_bytes(raw(0x04, 0xf0, 0, &[], &[0; 8])), [Frame::ProbeAck(0)]);
    let said = victim.hear_bytes(raw(0x04, 0x02, 0, &[], &[0; 8]));
    assert_eq!(
        broken_because(&said),
        Some((Code::Protocol, "frame type 0x04, handle 0: unknown flags 0x02"))
    );
}

#[test]
fn bad_fields_refuse_an_offer_but_end_the_link_in_other_frames() {
    let cases: [(&[u8], Code, &str); 4] = [
        (&[0, 0x77, 0, 0], Code::Unsupported, "unknown field 0x0077"),
        (&[0x80, 1, 0, 0, 0x80, 1, 0, 0], Code::Protocol, "field 0x8001 appears twice"),
        (&[0x80, 1, 0, 9, 1], Code::Protocol, "a field is cut off"),
        (&[0x80], Code::Protocol, "a field is cut off"),
    ];
    for (ext, code, why) in cases {
        let mut victim = Victim::with_transfer(1000);
        let mut fixed = [0; 72];
        fixed[32] = 1;
        let said = victim.hear_bytes(raw(0x10, 0, 3, ext, &fixed));
        let text = format!("frame type 0x10, handle 3: {why}");
        assert_eq!(cancelled_because(&said), Some((code, text.as_str())));
        assert!(victim.0.progress(id(1)).is_some());
        let said = victim.hear_bytes(raw(0x04, 0, 0, ext, &[0; 8]));
        let text = format!("frame type 0x04, handle 0: {why}");
        assert_eq!(broken_because(&said), Some((code, text.as_str())));
    }
}

#[test]
fn more_fields_than_any_frame_needs_are_refused() {
    let ext: Vec<u8> = (0..65_u8).flat_map(|n| [0x90, n, 0, 0]).collect();
    let said = Victim::new().hear_bytes(raw(0x04, 0, 0, &ext, &[0; 8]));
    assert_eq!(broken_because(&said), Some((Code::Protocol, "frame type 0x04, handle 0: too many fields")));
}

#[test]
fn frames_that_are_too_short_or_too_long_end_the_link() {
    let said = Victim::new().hear_bytes(raw(0x04, 0, 0, &[], &[0; 7]));
    assert_eq!(
        broken_because(&said),
        Some((Code::Protocol, "frame type 0x04, handle 0: 19 bytes are too few"))
    );
    let said = Victim::new().hear_bytes(raw(0x04, 0, 0, &[], &[0; 9]));
    assert_eq!(
        broken_because(&said),
        Some((Code::Protocol, "frame type 0x04, handle 0: 21 bytes are too many"))
    );
    let said = Victim::new().hear_bytes(raw(0x04, 0, 0, &[], &std::vec![0; 20_000]));
    assert_eq!(
        broken_because(&said),
        Some((Code::Protocol, "frame type 0x04, handle 0: 20012 bytes are too many"))
    );
}

#[test]
fn an_offer_of_an_absurd_length_is_refused() {
    for length in [1 << 63, u64::MAX - 1] {
        let mut victim = Victim::with_transfer(1000);
        let said = victim.offer(3, 2, length);
        let text = format!("frame type 0x10, handle 3: length cannot be {length}");
        assert_eq!(cancelled_because(&said), Some((Code::Protocol, text.as_str())));
        assert!(victim.0.progress(id(1)).is_some());
    }
}

#[test]
fn chunks_at_absurd_offsets_end_their_transfer() {
    for (offset, end) in
        [(1 << 63, (1 << 63) + 100), (u64::MAX, u64::MAX), (u64::MAX - 50, u64::MAX), (1000, 1100)]
    {
        let mut victim = Victim::with_transfer(1000);
        let text = format!("a chunk ends at {end}, the file at 1000");
        assert_eq!(cancelled_because(&victim.data(offset, 100)), Some((Code::LengthMismatch, text.as_str())));
    }
}

#[test]
fn only_the_new_bytes_of_overlapping_chunks_are_used() {
    let mut victim = Victim::with_transfer(1000);
    victim.data(0, 300);
    victim.data(200, 300);
    assert_eq!(cancelled(&victim.data(0, 400)), None);
    let written: Vec<_> = core::iter::from_fn(|| victim.0.poll_event())
        .filter_map(|event| {
            if let Event::Write { offset, data, .. } = event { Some((offset, data.len())) } else { None }
        })
        .collect();
    assert_eq!(written, [(0, 300), (300, 200)]);
}

#[test]
fn a_fin_of_another_length_ends_its_transfer() {
    for length in [0, 999, 1001, u64::MAX] {
        let text = format!("1000 bytes were announced, but {length} were sent");
        let said = Victim::with_transfer(1000).hear(Frame::Fin(1, whole(length)));
        assert_eq!(cancelled_because(&said), Some((Code::LengthMismatch, text.as_str())));
    }
}

#[test]
fn a_fin_before_its_bytes_is_answered_with_a_rewind() {
    let said = Victim::with_transfer(1000).hear(Frame::Fin(1, whole(1000)));
    assert!(
        matches!(said[..], [Frame::Ack(1, Ack { received: 0, rewind: Some(wire::Rewind::Gap), .. })]),
        "{said:?}"
    );
}

#[test]
fn a_fin_after_a_gap_causes_no_second_rewind() {
    let mut victim = Victim::with_transfer(1000);
    let rewinds = |said: &[Frame]| {
        said.iter().filter(|frame| matches!(frame, Frame::Ack(_, Ack { rewind: Some(_), .. }))).count()
    };
    assert_eq!(rewinds(&victim.data(100, 900)), 1);
    assert_eq!(rewinds(&victim.hear(Frame::Fin(1, whole(1000)))), 0);
    // The sender has gone back, and sends FIN again as well.
    for offset in [0, 500] {
        assert_eq!(rewinds(&victim.data(offset, 500)), 0, "at {offset}");
        victim.0.written(Instant::ZERO, id(1), offset + 500);
    }
    let finishes = |victim: &mut Victim| {
        core::iter::from_fn(|| victim.0.poll_event()).filter(|e| matches!(e, Event::Finish { .. })).count()
    };
    assert_eq!(finishes(&mut victim), 0);
    victim.hear(Frame::Fin(1, whole(1000)));
    assert_eq!(finishes(&mut victim), 1);
}

#[test]
fn handles_may_not_be_reused_go_back_or_belong_to_the_other_side() {
    for handle in [0, 2, u32::MAX - 1] {
        let said = Victim::new().offer(handle, 1, 5);
        let text = format!("handle {handle} cannot be opened");
        assert_eq!(broken_because(&said), Some((Code::Protocol, text.as_str())));
    }
    for handle in [7, 5] {
        let mut victim = Victim::new();
        victim.offer(7, 1, 5);
        let said = victim.offer(handle, 2, 5);
        let text = format!("handle {handle} cannot be opened");
        assert_eq!(broken_because(&said), Some((Code::Protocol, text.as_str())));
    }
    // The last possible one.
    assert_eq!(broken(&Victim::new().offer(u32::MAX, 1, 5)), None);
}

#[test]
fn a_refused_offer_uses_up_its_handle() {
    let mut victim = Victim::new();
    assert_eq!(cancelled(&victim.offer(1, 1, u64::MAX - 1)), Some(Code::Protocol));
    assert_eq!(broken_because(&victim.offer(1, 1, 5)), Some((Code::Protocol, "handle 1 cannot be opened")));
}

#[test]
fn an_id_that_is_already_open_is_refused_and_its_transfer_goes_on() {
    let mut victim = Victim::with_transfer(1000);
    let text = "the transfer is already open on this connection";
    assert_eq!(cancelled_because(&victim.offer(3, 1, 1000)), Some((Code::Busy, text)));
    let request = asked(id(1), name("file"));
    assert_eq!(cancelled_because(&victim.hear(Frame::Request(5, request))), Some((Code::Busy, text)));
    assert_eq!(cancelled(&victim.data(0, 100)), None);
}

#[test]
fn a_frame_for_senders_only_ends_just_the_transfer_it_names() {
    let frames = [
        (Frame::Accept(1, Accept { resume: 7, ..accept() }), "unexpected ACCEPT for handle 1, 7 bytes"),
        (Frame::Ack(1, Ack { received: 8, ..ack() }), "unexpected ACK for handle 1, 8 bytes"),
        (Frame::Done(1, whole(1000)), "unexpected DONE for handle 1, 1000 bytes"),
    ];
    for (frame, text) in frames {
        let mut victim = Victim::with_transfer(1000);
        victim.offer(3, 2, 5);
        let said = victim.hear(frame.clone());
        assert_eq!(cancelled_because(&said), Some((Code::Protocol, text)));
        assert!(victim.0.progress(id(2)).is_some(), "{frame:?}");
    }
}

#[test]
fn a_frame_for_receivers_only_ends_a_sending_transfer() {
    let chunk = Data { offset: 9, seq: 0, payload: Bytes::from_static(&[7; 100]) };
    for (frame, text) in [
        (Frame::Data(1, chunk), "unexpected DATA for handle 1, 100 bytes at 9"),
        (Frame::Fin(1, whole(5)), "unexpected FIN for handle 1, 5 bytes"),
    ] {
        let said = Victim::sending(1_000_000).hear(frame);
        assert_eq!(cancelled_because(&said), Some((Code::Protocol, text)));
    }
}

#[test]
fn the_error_for_an_unknown_handle_names_the_frame_and_the_handle() {
    let cancel = cancel(Code::Expired, Duration::ZERO);
    for (frame, words) in [
        (Frame::Accept(9, Accept { resume: 7, ..accept() }), "ACCEPT for handle 9, 7 bytes"),
        (
            Frame::Data(9, Data { offset: 5, seq: 0, payload: Bytes::from_static(b"abc") }),
            "DATA for handle 9, 3 bytes at 5",
        ),
        (Frame::Fin(9, whole(8)), "FIN for handle 9, 8 bytes"),
        (Frame::Ack(9, Ack { received: 6, ..ack() }), "ACK for handle 9, 6 bytes"),
        (Frame::Done(9, whole(8)), "DONE for handle 9, 8 bytes"),
        (Frame::Finishing(9, Phase::Sync), "FINISHING for handle 9"),
        (Frame::Pause(9, wire::Pause { offset: 4, answer: false }), "PAUSE for handle 9, 4 bytes"),
        (Frame::Resume(9, wire::Resume { offset: 3, pauses: 1 }), "RESUME for handle 9, 3 bytes"),
        (Frame::Cancel(9, cancel), "CANCEL for handle 9, code 5"),
    ] {
        let text = format!("unexpected {words}");
        assert_eq!(broken_because(&Victim::new().hear(frame)), Some((Code::Protocol, text.as_str())));
    }
}

#[test]
fn late_frames_are_dropped_whatever_they_are() {
    let mut victim = Victim::with_transfer(1000);
    victim.0.fail(Instant::ZERO, id(1), Failure::local(Code::Rejected, ""));
    assert_eq!(cancelled(&victim.say(Instant::ZERO)), Some(Code::Rejected));
    let cancel = Cancel { discard: true, ..cancel(Code::Cancelled, Duration::ZERO) };
    let frames = [
        Frame::Accept(1, accept()),
        Frame::Ack(1, ack()),
        Frame::Done(1, whole(1000)),
        Frame::Fin(1, whole(7)),
        Frame::Finishing(1, Phase::Sync),
        Frame::Cancel(1, cancel),
        Frame::Unsupported(1, 0x7f),
    ];
    for frame in frames {
        assert_eq!(victim.hear(frame), []);
    }
}

#[test]
fn a_second_or_late_hello_ends_the_link() {
    let mut victim = Victim::with_transfer(1000);
    assert_eq!(broken_because(&victim.hear(hello())), Some((Code::Protocol, "a second HELLO")));
    let mut mute = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    mute.handle_link_up(Instant::ZERO, None);
    let said = Victim(mute).hear(Frame::Probe(1));
    assert_eq!(broken_because(&said), Some((Code::Protocol, "the first frame is not a HELLO")));
}

#[test]
fn an_unknown_type_for_a_request_ends_only_the_request() {
    let mut server = Scripted::server();
    let request = asked(id(1), name("file"));
    server.hear(Frame::Request(1, request));
    server.hear_offer(3, 2, 5);
    server.hear(Frame::Unsupported(1, 0x77));
    assert_eq!(cancelled_because(&server.say()), Some((Code::Unsupported, "frame type 0x77")));
    assert!(!server.0.is_requested(id(1)) && server.0.progress(id(2)).is_some());

    let mut client = Scripted::client();
    client.0.request(Instant::ZERO, id(1), name("file")).expect("new");
    client.say();
    client.hear(Frame::Unsupported(1, 0x77));
    assert_eq!(cancelled_because(&client.say()), Some((Code::Unsupported, "frame type 0x77")));
    let failed = client.events();
    assert!(matches!(&failed[..], [Event::Failed { failure, .. }] if failure.code == Code::Unsupported));
}

#[test]
fn an_unreadable_offer_may_not_precede_hello_either() {
    let mut transfers = Transfers::new(Role::Server, Config::default(), Instant::ZERO);
    transfers.handle_link_up(Instant::ZERO, None);
    let mut server = Scripted(transfers);
    let offer = wire::Offer { kind: Kind::Folder, ..plain_offer(id(1), "folder", 10) };
    server.hear(Frame::Offer(1, offer));
    assert_eq!(broken_because(&server.say()), Some((Code::Protocol, "the first frame is not a HELLO")));
}
