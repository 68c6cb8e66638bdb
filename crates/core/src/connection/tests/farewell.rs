//! How the peer's Close is answered: after the application's remaining messages, and in time.

use super::*;

fn said(role: Role, connection: &mut Connection, now: Instant) -> Vec<(Opcode, Bytes)> {
    let bytes = drain(connection, now);
    frames(role, &bytes)
}

fn text(payload: &str) -> (Opcode, Bytes) {
    (Opcode::Text, Bytes::copy_from_slice(payload.as_bytes()))
}

fn goodbye(code: u16) -> (Opcode, Bytes) {
    (Opcode::Close, close_payload(code, "").into())
}

/// A server that received two messages and a Close in one read.
fn asked_to_close() -> Connection {
    let mut server = server();
    let input = [to_server(0x81, b"a"), to_server(0x81, b"b"), to_server(0x88, &close_payload(1000, ""))];
    server.handle_input(T0, &input.concat());
    server
}

#[test]
fn a_message_can_be_answered_although_a_close_came_with_it() {
    let mut server = asked_to_close();
    for expected in ["a", "b"] {
        let Some(Event::Message(message)) = server.poll_event() else { panic!("no message") };
        assert_eq!(message, Message::text(expected));
        assert!(server.is_open() && server.room() > 0);
        server.send(at(1), message).unwrap();
    }
    assert_eq!(said(Role::Server, &mut server, at(1)), [text("a"), text("b")]);

    assert_eq!(server.poll_event(), Some(Event::CloseReceived(Close::normal())));
    assert!(!server.is_open() && server.room() == 0);
    // The answer needs the time, and so a call that has it.
    assert!(server.poll_timeout() <= Some(at(1)));
    assert_eq!(server.output(), b"");
    server.handle_timeout(at(2));
    assert_eq!(server.send(at(2), Message::text("c")), Err(SendError::Closing(Message::text("c"))));
    assert_eq!(said(Role::Server, &mut server, at(2)), [goodbye(1000)]);
    assert_eq!(server.transport(), Transport::FinishWriting);
    server.handle_end(at(3), End::Eof);
    assert_eq!(end(&mut server).to_string(), "received 1000 (OK); then sent 1000 (OK)");
}

#[test]
fn the_close_answer_waits_for_an_application_that_had_no_room() {
    let mut server = server();
    while server.room() > 0 {
        server.send(T0, Message::text("a")).unwrap();
    }
    assert_eq!(server.poll_event(), None);
    server.handle_input(T0, &to_server(0x88, &close_payload(1000, "")));
    assert!(server.is_open());
    assert!(said(Role::Server, &mut server, at(1)).iter().all(|said| *said == text("a")));
    server.send(at(1), Message::text("b")).unwrap();
    assert_eq!(events(&mut server), [Event::CloseReceived(Close::normal())]);
    server.handle_timeout(at(2));
    assert_eq!(said(Role::Server, &mut server, at(2)), [text("b"), goodbye(1000)]);
}

#[test]
fn any_call_with_a_time_sends_the_close_answer_that_is_due() {
    let calls: [fn(&mut Connection); 5] = [
        |server| server.handle_input(at(1), b""),
        |server| server.handle_written(at(1), 0),
        |server| server.handle_blocked(at(1)),
        |server| server.set_reading(at(1), true),
        |server| drop(server.send(at(1), Message::text("late"))),
    ];
    for call in calls {
        let mut server = asked_to_close();
        events(&mut server);
        call(&mut server);
        assert_eq!(said(Role::Server, &mut server, at(1)), [goodbye(1000)]);
        assert!(server.poll_timeout() > Some(at(1)));
    }
}

#[test]
fn a_message_taken_before_the_close_came_can_be_answered() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x81, b"a"));
    let Some(Event::Message(message)) = server.poll_event() else { panic!("no message") };
    // It is working on its reply, and has not asked for more.
    server.handle_input(at(1), &to_server(0x88, b""));
    server.send(at(2), message).unwrap();
    assert_eq!(events(&mut server), [Event::CloseReceived(Close::decode(b"").0)]);
    server.handle_timeout(at(2));
    assert_eq!(said(Role::Server, &mut server, at(2)), [text("a"), (Opcode::Close, Bytes::new())]);
}

#[test]
fn an_application_that_waits_for_more_does_not_delay_the_answer() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x81, b"a"));
    assert_eq!(events(&mut server).len(), 1);
    server.handle_input(at(1), &to_server(0x88, &close_payload(1000, "")));
    assert!(!server.is_open());
    assert_eq!(said(Role::Server, &mut server, at(1)), [goodbye(1000)]);
}

#[test]
fn an_absent_application_delays_the_answer_by_half_the_close_timeout() {
    let mut server = asked_to_close();
    server.send(at(2000), Message::text("unasked")).unwrap();
    assert_eq!(server.poll_timeout(), Some(at(2500)));
    server.handle_timeout(at(2499));
    assert_eq!(said(Role::Server, &mut server, at(2499)), [text("unasked")]);
    server.handle_timeout(at(2500));
    assert_eq!(said(Role::Server, &mut server, at(2500)), [goodbye(1000)]);
    assert!(!server.is_open());
    // It still receives what arrived, and learns that the answer has left.
    assert_eq!(events(&mut server).len(), 4);
    server.handle_timeout(at(4500));
    assert_eq!(end(&mut server).to_string(), "received 1000 (OK); then sent 1000 (OK)");
}

#[test]
fn a_waiting_answer_lets_our_pings_go_on_and_the_peers_input_is_ignored() {
    let mut config = config();
    config.heartbeat.interval = Duration::from_secs(1);
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &[to_server(0x81, b"a"), to_server(0x88, &close_payload(1000, ""))].concat());
    assert!(server.wants_input());
    let late =
        [to_server(0x81, b"late"), to_server(0x89, b"late"), to_server(0x8a, b"late"), to_server(0x88, b"")];
    server.handle_input(at(10), &late.concat());
    assert_eq!(drain(&mut server, at(10)), b"");
    server.handle_timeout(at(1010));
    let pings = said(Role::Server, &mut server, at(1010));
    assert!(matches!(pings[..], [(Opcode::Ping, _)]), "{pings:?}");

    assert_eq!(events(&mut server).len(), 2);
    server.handle_timeout(at(1020));
    assert_eq!(said(Role::Server, &mut server, at(1020)), [goodbye(1000)]);
    server.handle_end(at(1030), End::Eof);
    assert_eq!(end(&mut server).ignored_after_close(), 4);
}

#[test]
fn the_end_of_the_transport_does_not_wait_for_the_application() {
    for (how, sentence) in [
        (End::Eof, "received 1000 (OK); no close frame sent"),
        (End::Reset, "received 1000 (OK); no close frame sent"),
        (End::WriteFailed, "received 1000 (OK); no close frame sent"),
    ] {
        let mut server = asked_to_close();
        server.handle_end(at(1), how);
        assert_eq!((server.transport(), server.output()), (Transport::Drop, &b""[..]));
        assert!(!server.is_open());
        let events = events(&mut server);
        let [Event::Message(_), Event::Message(_), Event::CloseReceived(_), Event::Closed(disconnect)] =
            &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!((disconnect.to_string().as_str(), disconnect.kind()), (sentence, Kind::Clean));
    }
}

#[test]
fn our_close_answers_a_close_that_was_not_seen_yet() {
    let mut server = asked_to_close();
    server.close(at(1), Close::new(4000, "enough").unwrap()).unwrap();
    let sent = said(Role::Server, &mut server, at(1));
    assert_eq!(sent, [(Opcode::Close, close_payload(4000, "enough").into())]);
    server.handle_end(at(2), End::Eof);
    let disconnect = end(&mut server);
    assert_eq!(disconnect.to_string(), "received 1000 (OK); then sent 4000 (private use) enough");
    assert_eq!(disconnect.retry().to_string(), "no (asked)");
}

#[test]
fn our_failure_does_not_wait_for_the_application() {
    let mut server = asked_to_close();
    server.send(at(1), Message::text("lost")).unwrap();
    server.fail(at(1), CloseCode::UNSUPPORTED_DATA, "text");
    assert_eq!(said(Role::Server, &mut server, at(1)), [(Opcode::Close, close_payload(1003, "text").into())]);
}

#[test]
fn the_answer_to_an_invalid_close_replaces_waiting_messages() {
    let mut server = server();
    server.send(T0, Message::text("lost")).unwrap();
    server.handle_input(T0, &to_server(0x88, &close_payload(1006, "")));
    assert_eq!(
        said(Role::Server, &mut server, T0),
        [(Opcode::Close, close_payload(1002, "invalid close code").into())]
    );
}

#[test]
fn the_close_answer_follows_messages_that_wait_to_be_sent() {
    let mut server = server();
    server.send(T0, Message::binary(vec![1; 60_000])).unwrap();
    server.handle_written(T0, 1);
    server.handle_input(T0, &to_server(0x88, &close_payload(1000, "")));
    let sent = drain(&mut server, at(999));
    assert_eq!(sent.len(), 60_000 + 4 * 4 - 1 + 4);
    assert_eq!(sent[sent.len() - 4..], [0x88, 2, 0x03, 0xe8]);
}

/// A server whose peer has closed while a message of this many bytes waits to be written.
fn closed_over(len: usize) -> Connection {
    let mut server = server();
    server.send(T0, Message::binary(vec![1; len])).unwrap();
    server.handle_input(T0, &to_server(0x88, &close_payload(1000, "")));
    server
}

#[test]
fn messages_before_the_close_answer_are_dropped_after_a_second() {
    let mut server = closed_over(60_000);
    // A little leaves: the peer reads slowly.
    server.handle_written(at(900), 20_000);
    assert_eq!(server.poll_timeout(), Some(at(1000)));
    server.handle_timeout(at(999));
    assert!(server.queued() > 40_000);
    server.handle_timeout(at(1000));
    let sent = drain(&mut server, at(1000));
    assert_eq!(sent.len(), 2 * (16_384 + 4) - 20_000 + 4);
    assert_eq!(sent[sent.len() - 4..], [0x88, 2, 0x03, 0xe8]);
    // The answer has left; what remains is the peer's turn.
    assert_eq!(server.poll_timeout(), Some(at(3000)));
}

#[test]
fn the_end_reports_messages_that_a_closing_peer_did_not_take_in_time() {
    let mut server = closed_over(60_000);
    server.handle_written(at(900), 20_000);
    server.handle_timeout(at(1000));
    drain(&mut server, at(1000));
    server.handle_end(at(1100), End::Eof);
    let told = "received 1000 (OK); then sent 1000 (OK); 26.6 KiB of messages had not left";
    assert_eq!(end(&mut server).to_string(), told);
}

#[test]
fn the_end_reports_messages_that_waited_when_a_closed_peer_vanished() {
    let mut server = closed_over(200_000);
    server.handle_end(at(10), End::Reset);
    let told = "received 1000 (OK); no close frame sent; 195.3 KiB of messages had not left";
    assert_eq!(end(&mut server).to_string(), told);
}

#[test]
fn the_end_reports_messages_that_our_failure_replaced() {
    let mut server = server();
    server.send(T0, Message::text("lost")).unwrap();
    server.fail(T0, CloseCode::UNSUPPORTED_DATA, "text");
    drain(&mut server, T0);
    server.handle_end(at(10), End::Eof);
    let told = "sent 1003 (unsupported data) text; no close frame received; 6 bytes of messages had not left";
    assert_eq!(end(&mut server).to_string(), told);
}

/// A client that has closed while a message fills its inbox.
fn closed_behind_a_message() -> Connection {
    let mut config = config();
    config.receive_buffer = 10;
    let mut client = Connection::client(config, [1; 32], T0);
    client.handle_input(T0, &to_client(0x82, &[0; 100]));
    client.close(T0, Close::normal()).unwrap();
    drain(&mut client, T0);
    client
}

#[test]
fn a_peer_whose_answer_we_do_not_read_is_not_blamed_for_it() {
    let mut client = closed_behind_a_message();
    assert!(!client.wants_input());
    assert_eq!(client.poll_timeout(), Some(at(5000)));
    client.handle_timeout(at(5000));
    // From now on messages are skipped, and the peer has its time.
    assert!(client.wants_input());
    assert_eq!(client.poll_timeout(), Some(at(10_000)));
    let rest = [to_client(0x82, &[0; 100]), to_client(0x88, &close_payload(1000, ""))].concat();
    client.handle_input(at(5000), &rest);
    client.handle_end(at(5001), End::Eof);
    assert_eq!(client.stats().messages_received, 1);
    let disconnect = end(&mut client);
    assert_eq!(disconnect.to_string(), "sent 1000 (OK); then received 1000 (OK)");
    assert_eq!(disconnect.ignored_after_close(), 1);
}

#[test]
fn the_peers_time_to_close_starts_once_everything_is_read() {
    let mut client = closed_behind_a_message();
    // At the last moment, the application takes its message, and learns that our Close has left.
    assert_eq!(events(&mut client).len(), 2);
    client.handle_timeout(at(4999));
    client.handle_timeout(at(5000));
    assert_eq!(events(&mut client), []);
    client.handle_timeout(at(9999));
    assert_eq!(events(&mut client), []);
    client.handle_timeout(at(10_000));
    assert_eq!(end(&mut client).kind(), Kind::CloseTimeout);
}

#[test]
fn bytes_after_the_close_do_not_change_the_answer_even_if_malformed() {
    // A byte that begins no frame; a continuation of nothing.
    for behind in [&b"\xff"[..], &to_server(0x80, b"x")] {
        let mut server = asked_to_close();
        server.handle_input(T0, behind);
        while let Some(event) = server.poll_event() {
            if let Event::Message(message) = event {
                server.send(T0, message).unwrap();
            }
        }
        server.handle_timeout(T0);
        server.handle_input(T0, behind);
        assert_eq!(said(Role::Server, &mut server, T0), [text("a"), text("b"), goodbye(1000)]);
    }
}

/// The system between a client and its transport: it holds up to this many bytes, and writes `passes` bytes per 100 ms.
struct System {
    holds: usize,
    most: usize,
    passes: usize,
}

impl System {
    /// Takes what it has room for. Returns how many bytes have crossed in 100 ms.
    fn take(&mut self, client: &mut Connection, now: Instant) -> usize {
        while !client.output().is_empty() {
            let taken = client.output().len().min(self.most - self.holds);
            if taken == 0 {
                client.handle_blocked(now);
                break;
            }
            client.handle_written(now, taken);
            self.holds += taken;
        }
        let crossed = self.holds.min(self.passes);
        self.holds -= crossed;
        crossed
    }
}

/// A client closes after sending a message of this many bytes, and its peer answers as soon as the Close arrives.
/// Returns how it ended.
fn closed_behind(bytes: usize, mut system: System) -> Disconnect {
    let mut client = client();
    client.send(T0, Message::binary(vec![7; bytes])).unwrap();
    client.close(T0, Close::normal()).unwrap();
    let (mut left, mut now) = (bytes, 0);
    while client.transport() != Transport::Drop {
        left = left.saturating_sub(system.take(&mut client, at(now)));
        if left == 0 && system.holds == 0 && client.output().is_empty() {
            client.handle_input(at(now + 50), &to_client(0x88, &close_payload(1000, "")));
            client.handle_end(at(now + 60), End::Eof);
        }
        now += 100;
        client.handle_timeout(at(now));
    }
    end(&mut client)
}

#[test]
fn a_close_behind_much_unsent_data_gets_the_time_it_needs() {
    let end = closed_behind(1 << 20, System { holds: 0, most: 128 << 10, passes: 500 });
    assert_eq!(end.to_string(), "sent 1000 (OK); then received 1000 (OK)", "26 s, as it was seen to be slow");
    let end = closed_behind(200 << 10, System { holds: 0, most: 1 << 20, passes: 1200 });
    assert_eq!(
        end.to_string(),
        "sent 1000 (OK); then received 1000 (OK)",
        "17 s, and nobody had seen how fast it is"
    );
}

#[test]
fn a_close_does_not_wait_much_longer_for_a_vanished_peer() {
    let silent = |bytes, passes| {
        let mut client = client();
        let mut system = System { holds: 0, most: 4 << 20, passes };
        client.send(T0, Message::binary(vec![7; bytes])).unwrap();
        client.close(T0, Close::normal()).unwrap();
        system.take(&mut client, T0);
        let mut deadline = T0;
        while let Some(due) = client.poll_timeout() {
            deadline = due;
            client.handle_timeout(due);
        }
        deadline
    };
    assert_eq!(silent(15 << 10, 1), at(5000), "as much as acknowledgements have");
    assert!(silent(80 << 10, 1) < at(10_100), "5 s more for 80 KiB");
    assert_eq!(silent(1 << 20, 1), at(25_000), "what the heartbeat allows");
}
