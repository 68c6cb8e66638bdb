//! What the peer sent before it violated the protocol still counts.

use super::*;

fn said(connection: &mut Connection, now: Instant) -> Vec<(Opcode, Bytes)> {
    let bytes = drain(connection, now);
    frames(Role::Server, &bytes)
}

fn text(payload: &str) -> (Opcode, Bytes) {
    (Opcode::Text, Bytes::copy_from_slice(payload.as_bytes()))
}

/// Our Close for a frame with a reserved bit.
fn refusal() -> (Opcode, Bytes) {
    (Opcode::Close, close_payload(1002, "reserved bits 100 set").into())
}

/// A text frame with a reserved bit that no extension has given a meaning.
fn reserved() -> Vec<u8> {
    let mut frame = to_server(0x81, b"reserved");
    frame[0] |= 0x40;
    frame
}

/// A server that received two messages and, in the same read, an invalid frame.
fn offended() -> Connection {
    let mut server = server();
    server.handle_input(T0, &[to_server(0x81, b"a"), to_server(0x81, b"b"), reserved()].concat());
    server
}

#[test]
fn a_message_can_be_answered_although_a_fault_came_with_it() {
    let mut server = offended();
    for expected in ["a", "b"] {
        let Some(Event::Message(message)) = server.poll_event() else { panic!("no message") };
        assert_eq!(message, Message::text(expected));
        assert!(server.is_open() && server.room() > 0);
        server.send(at(1), message).unwrap();
    }
    assert_eq!(said(&mut server, at(1)), [text("a"), text("b")]);

    // It asks for more, and there is no more.
    assert_eq!(server.poll_event(), None);
    assert!(!server.is_open() && server.room() == 0);
    assert!(server.poll_timeout() <= Some(at(1)));
    server.handle_timeout(at(2));
    assert_eq!(said(&mut server, at(2)), [refusal()]);
    assert_eq!(server.transport(), Transport::FinishWriting);
    server.handle_end(at(3), End::Eof);
    let disconnect = end(&mut server);
    assert_eq!(disconnect.kind(), Kind::WeFailed(CloseCode::PROTOCOL_ERROR));
}

#[test]
fn a_long_message_before_a_fault_can_be_answered_as_well() {
    let mut server = server();
    let long = "a".repeat(2000);
    server.handle_input(T0, &[to_server(0x81, long.as_bytes()), reserved()].concat());
    assert_eq!(server.poll_event(), Some(Event::Message(Message::text(&*long))));
    server.send(at(1), Message::text("seen")).unwrap();
    assert_eq!(said(&mut server, at(1)), [text("seen")]);
    assert_eq!(server.poll_event(), None);
    server.handle_timeout(at(2));
    assert_eq!(said(&mut server, at(2)), [refusal()]);
}

#[test]
fn an_application_that_waits_for_more_does_not_delay_the_refusal() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x81, b"a"));
    assert_eq!(events(&mut server).len(), 1);
    server.handle_input(at(1), &reserved());
    assert_eq!(said(&mut server, at(1)), [refusal()]);
}

#[test]
fn any_call_with_a_time_sends_the_refusal_that_is_due() {
    let calls: [fn(&mut Connection); 6] = [
        |server| server.handle_input(at(1), b""),
        |server| server.handle_written(at(1), 0),
        |server| server.handle_blocked(at(1)),
        |server| server.set_reading(at(1), true),
        |server| server.handle_wake(at(1), Duration::ZERO),
        |server| drop(server.send(at(1), Message::text("late"))),
    ];
    for call in calls {
        let mut server = offended();
        events(&mut server);
        call(&mut server);
        assert!(server.poll_timeout() > Some(at(1)));
        assert_eq!(said(&mut server, at(1)), [refusal()]);
    }
}

#[test]
fn an_absent_application_delays_the_refusal_by_half_the_close_timeout() {
    let mut server = offended();
    assert_eq!(server.poll_timeout(), Some(at(2500)));
    server.handle_timeout(at(2499));
    assert_eq!(said(&mut server, at(2499)), []);
    server.handle_timeout(at(2500));
    assert_eq!(said(&mut server, at(2500)), [refusal()]);
    // It still receives what arrived.
    let events = events(&mut server);
    assert!(matches!(events[..], [Event::Message(_), Event::Message(_), Event::CloseSent(_)]), "{events:?}");
}

#[test]
fn the_refusal_follows_the_replies() {
    let mut server = offended();
    while let Some(Event::Message(message)) = server.poll_event() {
        server.send(at(1), message).unwrap();
    }
    server.handle_timeout(at(2));
    assert_eq!(said(&mut server, at(2)), [text("a"), text("b"), refusal()]);
}

#[test]
fn replies_that_cannot_leave_are_replaced_by_the_refusal() {
    let mut server = offended();
    server.poll_event();
    server.send(at(1), Message::binary(vec![7; 1 << 20])).unwrap();
    events(&mut server);
    server.handle_timeout(at(2));
    assert_eq!(server.poll_timeout(), Some(at(1002)));
    server.handle_timeout(at(1002));
    assert_eq!(said(&mut server, at(1002)), [refusal()]);
}

#[test]
fn input_after_a_fault_is_ignored() {
    let mut server = offended();
    assert!(!server.wants_input());
    let late = [to_server(0x81, b"late"), to_server(0x89, b"late"), to_server(0x88, b"")];
    server.handle_input(at(10), &late.concat());
    assert_eq!(said(&mut server, at(10)), []);
    assert_eq!(events(&mut server).len(), 2);
    server.handle_timeout(at(11));
    assert_eq!(said(&mut server, at(11)), [refusal()]);
    server.handle_end(at(12), End::Eof);
    assert_eq!(server.stats().messages_received, 2);
}

#[test]
fn the_refusal_of_bad_text_inside_a_frame_waits_too() {
    let mut server = server();
    let half = &to_server(0x81, b"\xff and more")[..8];
    server.handle_input(T0, &[&to_server(0x81, b"a"), half].concat());
    assert_eq!(said(&mut server, T0), []);
    assert_eq!(events(&mut server).len(), 1);
    server.handle_timeout(at(1));
    assert_eq!(
        said(&mut server, at(1)),
        [(Opcode::Close, close_payload(1007, "invalid UTF-8 at byte 0").into())]
    );
}

#[test]
fn a_fault_is_recorded_although_the_transport_ends_before_the_refusal() {
    for how in [End::Eof, End::Reset, End::WriteFailed, End::WriteReset] {
        let mut server = offended();
        server.handle_end(at(1), how);
        let disconnect = end(&mut server);
        assert_eq!(disconnect.kind(), Kind::WeFailed(CloseCode::PROTOCOL_ERROR), "{how:?}");
    }
}

#[test]
fn an_aborted_connection_ends_by_our_decision_and_not_by_the_fault() {
    let mut server = offended();
    server.abort(at(1));
    assert_eq!(end(&mut server).kind(), Kind::LocalAbort);
}

#[test]
fn our_close_before_the_fault_is_seen_stays_the_only_one() {
    let mut server = offended();
    server.close(at(1), Close::new(4000, "enough").unwrap()).unwrap();
    let goodbye = (Opcode::Close, close_payload(4000, "enough").into());
    assert_eq!(said(&mut server, at(1)), [goodbye]);
    events(&mut server);
    server.handle_timeout(at(2));
    assert_eq!(said(&mut server, at(2)), []);
    assert_eq!(server.transport(), Transport::FinishWriting);
}

#[test]
fn a_fault_after_our_close_is_handled_at_once() {
    let mut server = server();
    server.close(T0, Close::normal()).unwrap();
    drain(&mut server, T0);
    assert_eq!(server.transport(), Transport::Keep);
    // The message can no longer be answered.
    server.handle_input(at(1), &[to_server(0x81, b"a"), reserved()].concat());
    assert_eq!(server.transport(), Transport::FinishWriting);
}

#[test]
fn our_failure_does_not_wait_for_a_fault() {
    let mut server = offended();
    server.fail(at(1), CloseCode::POLICY, "enough");
    assert_eq!(said(&mut server, at(1)), [(Opcode::Close, close_payload(1008, "enough").into())]);
    // For the peer's Close.
    assert!(server.wants_input());
    events(&mut server);
    server.handle_timeout(at(2));
    assert_eq!(said(&mut server, at(2)), []);
}

#[test]
fn a_close_after_a_fault_is_not_recorded() {
    let mut server = server();
    let input =
        [to_server(0x81, b"a"), to_server(0x81, b"\xff"), to_server(0x88, &close_payload(1000, "bye"))];
    server.handle_input(T0, &input.concat());
    events(&mut server);
    server.handle_timeout(at(1));
    assert_eq!(said(&mut server, at(1)).len(), 1);
    server.handle_end(at(2), End::Eof);
    let disconnect = end(&mut server);
    assert_eq!(disconnect.received(), None);
    assert_eq!(disconnect.kind(), Kind::WeFailed(CloseCode::INVALID_DATA));
}

#[test]
fn the_timeline_shows_when_we_refused() {
    let mut server = offended();
    events(&mut server);
    let before = server.timeline(at(1)).to_string();
    server.handle_timeout(at(1));
    let after = server.timeline(at(1)).to_string();
    assert!(!before.contains("1002") && after.contains("1002"), "{before}\n{after}");
}

#[test]
fn a_message_can_be_answered_although_an_invalid_close_came_with_it() {
    let mut server = server();
    let input = [to_server(0x81, b"a"), to_server(0x88, &close_payload(1006, ""))];
    server.handle_input(T0, &input.concat());
    while let Some(event) = server.poll_event() {
        if let Event::Message(message) = event {
            server.send(at(1), message).unwrap();
        }
    }
    server.handle_timeout(at(1));
    let answer = (Opcode::Close, close_payload(1002, "invalid close code").into());
    assert_eq!(said(&mut server, at(1)), [text("a"), answer]);
    server.handle_end(at(2), End::Eof);
    assert_eq!(end(&mut server).kind(), Kind::ProtocolViolation);
}
