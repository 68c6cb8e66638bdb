//! The closing handshake and other ends.

use super::*;
use crate::closing::{Retry, Who, Why};

fn close(code: u16, reason: &str) -> Close {
    Close::new(code, reason).unwrap()
}

fn closed(role: Role, connection: &mut Connection) -> Vec<(u16, Bytes)> {
    let bytes = drain(connection, T0);
    let closes = frames(role, &bytes).into_iter().filter(|(opcode, _)| *opcode == Opcode::Close);
    closes.map(|(_, payload)| (u16::from_be_bytes([payload[0], payload[1]]), payload.slice(2..))).collect()
}

#[test]
fn a_close_is_answered_with_the_same_close() {
    let mut client = client();
    client.handle_input(T0, &to_client(0x88, &close_payload(1001, "restart")));
    assert_eq!(closed(Role::Client, &mut client), [(1001, "restart".into())]);
    assert_eq!(client.transport(), Transport::Keep); // the server ends TCP
    assert!(client.wants_input());
    client.handle_end(at(100), End::Eof);
    assert_eq!(client.transport(), Transport::Drop);
    let events = events(&mut client);
    assert_eq!(events[0], Event::CloseReceived(close(1001, "restart")));
    assert_eq!(events[1], Event::CloseSent(close(1001, "restart")));
    let Event::Closed(disconnect) = &events[2] else { panic!("{events:?}") };
    assert_eq!(
        disconnect.to_string(),
        "received 1001 (going away) restart; then sent 1001 (going away) restart"
    );
    assert_eq!(disconnect.kind(), Kind::GoingAway);
}

#[test]
fn a_server_ends_its_direction_after_the_answer() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x88, b""));
    assert_eq!(frames(Role::Server, &drain(&mut server, T0)), [(Opcode::Close, Bytes::new())]);
    assert_eq!(server.transport(), Transport::FinishWriting);
    server.handle_end(at(1), End::Eof);
    assert_eq!(
        end(&mut server).to_string(),
        "received 1005 (no status received [internal]); then sent 1005 (no status received [internal])"
    );
}

#[test]
fn our_close_follows_the_data_and_is_answered() {
    let (mut client, mut server) = (client(), server());
    client.send(T0, Message::binary(vec![1; 50_000])).unwrap();
    client.close(T0, close(1000, "bye")).unwrap();
    assert_eq!(client.close(T0, close(1001, "")), Err(crate::closing::CloseError::AlreadyClosing));
    assert_eq!(client.send(T0, Message::text("late")), Err(SendError::Closing(Message::text("late"))));
    assert_eq!(client.room(), 0);
    converse(T0, &mut client, &mut server);
    let mut at_server = events(&mut server);
    converse(T0, &mut client, &mut server);
    server.handle_timeout(T0);
    converse(T0, &mut client, &mut server);
    assert_eq!(server.transport(), Transport::FinishWriting);
    client.handle_end(T0, End::Eof);
    server.handle_end(T0, End::Eof);
    at_server.extend(events(&mut server));
    assert_eq!(at_server[0], Event::Message(Message::binary(vec![1; 50_000])));
    assert_eq!(at_server[1], Event::CloseReceived(close(1000, "bye")));
    assert_eq!(at_server[2], Event::CloseSent(close(1000, "bye")));
    assert_eq!(at_server.len(), 4);
    assert_eq!(end(&mut client).to_string(), "sent 1000 (OK) bye; then received 1000 (OK) bye");
}

/// A connection that ended before its application learned of it, and that the application then closes.
fn closed_too_late(mut client: Connection) -> Disconnect {
    assert_eq!(client.close(T0, close(1000, "")), Err(crate::closing::CloseError::AlreadyClosing));
    client.handle_end(T0, End::Eof);
    end(&mut client)
}

#[test]
fn a_client_that_closes_before_it_sees_the_end_is_not_told_to_redial() {
    let mut client = client();
    client.handle_input(T0, &to_client(0x81, b"the last answer"));
    client.handle_end(T0, End::Eof);
    assert_eq!(client.poll_event(), Some(Event::Message(Message::text("the last answer"))));
    let disconnect = closed_too_late(client);
    assert_eq!(disconnect.retry(), Retry::No(Why::Asked));
    assert_eq!((disconnect.kind(), disconnect.who()), (Kind::Eof, Who::PeerOrPath));
}

#[test]
fn a_client_that_closes_after_a_failed_write_is_not_told_to_redial() {
    let mut client = client();
    client.handle_end(T0, End::WriteFailed);
    let disconnect = closed_too_late(client);
    assert_eq!(disconnect.retry(), Retry::No(Why::Asked));
    assert_eq!(disconnect.who(), Who::PeerOrPath);
}

#[test]
fn a_client_that_closes_before_it_sees_a_peers_close_is_not_told_to_redial() {
    let mut client = client();
    client.handle_input(T0, &to_client(0x88, &close_payload(1012, "")));
    client.handle_end(T0, End::Eof);
    assert_eq!(closed_too_late(client).retry(), Retry::No(Why::Asked));
}

#[test]
fn a_client_that_closes_after_an_automatic_answer_is_not_told_to_redial() {
    let mut client = client();
    client.handle_input(T0, &to_client(0x81, b"the last answer"));
    client.handle_input(T0, &to_client(0x88, &close_payload(1012, "")));
    // Half of the close timeout is for the application.
    let late = T0 + Config::default().closing.close_timeout / 2;
    client.handle_timeout(late);
    assert!(!client.output().is_empty(), "it is answered");
    assert_eq!(closed_too_late(client).retry(), Retry::No(Why::Asked));
}

#[test]
fn a_client_that_closes_after_it_saw_a_close_gets_the_peers_advice() {
    for gone in [End::Eof, End::WriteFailed, End::WriteReset] {
        let mut client = client();
        client.handle_input(T0, &to_client(0x88, &close_payload(1012, "")));
        assert_eq!(client.poll_event(), Some(Event::CloseReceived(close(1012, ""))));
        client.handle_end(T0, gone);
        let retry = closed_too_late(client).retry();
        assert!(matches!(retry, Retry::After { .. }), "{gone:?}: {retry:?}");
    }
}

#[test]
fn a_client_that_aborts_before_it_sees_the_end_is_not_told_to_redial() {
    for peer_closes in [false, true] {
        let mut client = client();
        if peer_closes {
            client.handle_input(T0, &to_client(0x88, &close_payload(1012, "")));
        }
        client.handle_end(T0, End::Eof);
        client.abort(T0);
        assert_eq!(end(&mut client).retry(), Retry::No(Why::Asked), "{peer_closes}");
    }
}

#[test]
fn a_client_that_aborts_after_it_saw_a_close_gets_the_peers_advice() {
    let mut client = client();
    client.handle_input(T0, &to_client(0x88, &close_payload(1012, "")));
    assert_eq!(client.poll_event(), Some(Event::CloseReceived(close(1012, ""))));
    client.abort(T0);
    let retry = end(&mut client).retry();
    assert!(matches!(retry, Retry::After { .. }), "{retry:?}");
}

#[test]
fn closes_that_cross_are_both_recorded() {
    let (mut client, mut server) = (client(), server());
    client.close(T0, close(1000, "a")).unwrap();
    server.close(T0, close(1001, "b")).unwrap();
    converse(T0, &mut client, &mut server);
    assert_eq!((client.stats().bytes_sent, server.stats().bytes_sent), (2 + 4 + 3, 2 + 3));
    client.handle_end(T0, End::Eof);
    server.handle_end(T0, End::Eof);
    assert_eq!(end(&mut client).to_string(), "sent 1000 (OK) a; then received 1001 (going away) b");
    assert_eq!(end(&mut server).to_string(), "sent 1001 (going away) b; then received 1000 (OK) a");
}

#[test]
fn messages_are_delivered_until_the_peer_closes_too() {
    let mut client = client();
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, T0);
    let input = [to_client(0x81, b"one"), to_client(0x88, &close_payload(1000, "")), to_client(0x81, b"two")]
        .concat();
    client.handle_input(T0, &input);
    client.handle_end(T0, End::Eof);
    let events = events(&mut client);
    assert_eq!(events[0], Event::CloseSent(Close::normal()));
    assert_eq!(events[1], Event::Message(Message::text("one")));
    assert_eq!(events[2], Event::CloseReceived(Close::normal()));
    let Event::Closed(disconnect) = &events[3] else { panic!("{events:?}") };
    assert_eq!(disconnect.ignored_after_close(), 1);
}

#[test]
fn a_second_close_is_not_reported() {
    let mut client = client();
    let closes = [to_client(0x88, &close_payload(1000, "")), to_client(0x88, &close_payload(1001, ""))];
    client.handle_input(T0, &closes.concat());
    assert_eq!(events(&mut client), [Event::CloseReceived(Close::normal())]);
    assert_eq!(closed(Role::Client, &mut client).len(), 1);
}

#[test]
fn a_ping_is_answered_until_the_peer_closes() {
    let mut client = client();
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, T0);
    client.handle_input(T0, &to_client(0x89, b"there?"));
    // RFC 6455 §5.5.2 asks for this even though our Close has left.
    assert_eq!(frames(Role::Client, &drain(&mut client, T0)), [(Opcode::Pong, "there?".into())]);
    client.handle_input(T0, &[to_client(0x88, b""), to_client(0x89, b"there?")].concat());
    assert_eq!(drain(&mut client, T0), b"");
}

#[test]
fn an_invalid_close_is_refused_with_1002() {
    for payload in [close_payload(1006, "x"), vec![3], close_payload(999, ""), close_payload(1004, "")] {
        let mut server = server();
        server.handle_input(T0, &to_server(0x88, &payload));
        assert_eq!(closed(Role::Server, &mut server)[0].0, 1002);
        server.handle_end(T0, End::Eof);
        assert_eq!(end(&mut server).kind(), Kind::ProtocolViolation);
    }
}

#[test]
fn an_unanswered_close_times_out() {
    let mut client = client();
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, at(1000));
    assert_eq!(client.poll_timeout(), Some(at(6000)));
    client.handle_timeout(at(5999));
    assert_eq!(events(&mut client), [Event::CloseSent(Close::normal())]);
    client.handle_timeout(at(6000));
    assert_eq!(client.transport(), Transport::Drop);
    assert_eq!(end(&mut client).kind(), Kind::CloseTimeout);
    assert_eq!(client.poll_timeout(), None);
    assert!(!client.wants_input());
}

#[test]
fn a_failed_write_leaves_time_to_read() {
    let mut client = client();
    client.send(T0, Message::text("lost")).unwrap();
    client.handle_end(at(12_000), End::WriteFailed);
    assert_eq!(client.output(), b"");
    assert!(client.wants_input());
    assert_eq!(events(&mut client), []);
    client.handle_input(at(12_100), &to_client(0x88, &close_payload(1008, "no")));
    let disconnect = end(&mut client);
    assert_eq!(disconnect.kind(), Kind::Rejected(CloseCode::POLICY));
    assert_eq!(client.output(), b"");
}

#[test]
fn a_last_close_is_found_behind_messages_that_nobody_takes() {
    let mut config = config();
    config.receive_buffer = 10;
    let mut client = Connection::client(config, [1; 32], T0);
    client.handle_input(T0, &to_client(0x82, &[0; 100]));
    client.handle_end(at(1000), End::WriteFailed);
    // The application has its time to make room.
    assert!(!client.wants_input());
    client.handle_timeout(at(1999));
    assert!(!client.wants_input());
    client.handle_timeout(at(2000));
    assert!(client.wants_input());
    assert_eq!(client.poll_timeout(), Some(at(3000)));
    client.handle_input(at(2000), &to_client(0x02, &[0; 100]));
    client.handle_input(at(2000), &to_client(0x88, &close_payload(1011, "ping timeout")));
    assert_eq!(client.stats().messages_received, 1);
    let disconnect = end(&mut client);
    assert_eq!((disconnect.kind(), disconnect.ignored_after_close()), (Kind::PeerTimedUsOut, 1));
}

#[test]
fn the_end_records_where_the_input_was_cut() {
    let whole = to_client(0x82, &[0; 1000]);
    let of = |bytes: &[u8]| {
        let mut client = client();
        client.handle_input(T0, bytes);
        client.handle_end(at(50), End::Eof);
        end(&mut client)
    };
    assert_eq!(of(&whole).cut(), Cut::Boundary);
    assert_eq!(of(&whole[..3]).cut(), Cut::Header);
    assert_eq!(of(&whole[..104]).cut(), Cut::Payload { opcode: 2, got: 100, of: 1000 });
    assert_eq!(of(&whole[..104]).kind(), Kind::Truncated { got: 100, of: Some(1000) });
    // The frame is measured on its own, whatever happened to its message before it.
    let (begun, rest) = (to_client(0x02, &[0; 2000]), to_client(0x80, &[0; 1000]));
    let second = of(&[&begun[..], &rest[..104]].concat());
    assert_eq!(second.kind(), Kind::Truncated { got: 100, of: Some(1000) });
    assert_eq!(second.incomplete_message(), 2000);
    let fragment = of(&to_client(0x02, b"begun"));
    assert_eq!((fragment.cut(), fragment.incomplete_message()), (Cut::Boundary, 5));
}

#[test]
fn input_after_a_fault_does_not_count_as_cut() {
    let bad = to_server(0x81, b"good\xffnever looked at");
    let of = |before: fn(&mut Connection), parts: &[&[u8]], last: End| {
        let mut server = server();
        before(&mut server);
        for part in parts {
            server.handle_input(T0, part);
        }
        server.handle_end(T0, last);
        end(&mut server)
    };
    let write_failed: fn(&mut Connection) = |server| server.handle_end(T0, End::WriteFailed);
    let app_failed: fn(&mut Connection) = |server| server.fail(T0, CloseCode::NORMAL, "");
    let waits: fn(&mut Connection) = |server| server.handle_input(T0, &to_server(0x81, b"not taken"));
    for (before, last) in [(write_failed, End::Eof), (app_failed, End::Eof), (waits, End::LocalAbort)] {
        let whole = of(before, &[&bad], last);
        assert_eq!(whole.cut(), Cut::Boundary, "{whole}");
        for at in 1..bad.len() {
            assert_eq!(of(before, &[&bad[..at], &bad[at..]], last), whole, "{at}");
        }
    }
}

#[test]
fn a_close_inside_a_message_is_a_close() {
    let mut client = client();
    client.handle_input(T0, &[to_client(0x01, b"begun"), to_client(0x88, &close_payload(1000, ""))].concat());
    assert_eq!(closed(Role::Client, &mut client).len(), 1);
    client.handle_end(T0, End::Eof);
    let disconnect = end(&mut client);
    assert_eq!((disconnect.kind(), disconnect.incomplete_message()), (Kind::Clean, 5));
}

#[test]
fn messages_not_yet_queued_go_before_a_held_close_answer() {
    for end in [to_client(0x88, &close_payload(1000, "")), to_server(0x81, b"masked")] {
        let mut client = client();
        assert_eq!(events(&mut client), []);
        client.hold_answer();
        client.handle_input(T0, &end);
        assert_eq!((client.output(), client.is_open()), (&b""[..], true));
        // Once the answer is queued, nothing takes it back.
        client.hold_answer();
        client.send(T0, Message::text("late")).unwrap();
        let _ = events(&mut client);
        client.hold_answer();
        assert!(!client.is_open());
        client.handle_timeout(T0);
        let sent = frames(Role::Client, &drain(&mut client, T0));
        assert_eq!(sent.iter().map(|frame| frame.0).collect::<Vec<_>>(), [Opcode::Text, Opcode::Close]);
    }
}

#[test]
fn the_application_can_fail_the_connection() {
    let mut server = server();
    server.send(T0, Message::binary(vec![1; 60_000])).unwrap();
    server.fail(T0, CloseCode::UNSUPPORTED_DATA, "binary only");
    assert_eq!(
        frames(Role::Server, &drain(&mut server, T0)),
        [(Opcode::Close, b"\x03\xebbinary only"[..].into())]
    );
    assert_eq!(server.transport(), Transport::FinishWriting);
    server.handle_input(T0, &to_server(0x81, b"ignored"));
    server.handle_end(T0, End::Eof);
    assert_eq!(end(&mut server).kind(), Kind::WeFailed(CloseCode::UNSUPPORTED_DATA));
}

#[test]
fn the_application_can_drop_the_connection() {
    let mut server = server();
    server.send(T0, Message::text("never sent")).unwrap();
    server.abort(T0);
    assert_eq!((server.output(), server.transport()), (&b""[..], Transport::Drop));
    assert_eq!(end(&mut server).kind(), Kind::LocalAbort);
}

#[test]
fn events_after_the_end_change_nothing() {
    let mut server = server();
    server.handle_end(T0, End::Reset);
    server.handle_input(T0, &to_server(0x81, b"late"));
    server.input().extend_from_slice(&to_server(0x81, b"late"));
    server.handle_read(T0);
    server.handle_end(T0, End::Eof);
    server.handle_timeout(at(1_000_000));
    server.fail(T0, CloseCode::NORMAL, "");
    assert!(matches!(events(&mut server)[..], [Event::Closed(_)]));
    assert_eq!((server.output(), server.poll_timeout()), (&b""[..], None));
    assert_eq!(server.decoder.memory(), 0);
    assert_eq!(server.send(T0, Message::text("x")), Err(SendError::Closing(Message::text("x"))));
}
