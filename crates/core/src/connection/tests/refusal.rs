//! Protocol violations by the peer, and the Close that answers each.

use super::*;

/// Feeds a server; checks that it closes with `code` as soon as the last byte has arrived, and ignores the rest.
fn refused(mut config: Config, bytes: &[u8], code: u16) -> Disconnect {
    config.heartbeat.jitter_percent = 0;
    let mut server = Connection::server(config, [2; 32], T0);
    server.send(T0, Message::binary(vec![0; 50_000])).unwrap();
    let (last, before) = bytes.split_last().unwrap();
    server.handle_input(T0, before);
    assert!(server.closing.is_open(), "too early: {bytes:x?}");
    server.handle_input(T0, &[*last]);
    server.handle_input(T0, &[to_server(0x81, b"ignored"), to_server(0x89, b"")].concat());

    let sent = frames(Role::Server, &drain(&mut server, T0));
    let [(Opcode::Close, payload)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(u16::from_be_bytes([payload[0], payload[1]]), code);
    assert_eq!(server.transport(), Transport::FinishWriting);
    server.handle_end(T0, End::Eof);
    let events = events(&mut server);
    assert!(!events.contains(&Event::Message(Message::text("ignored"))));
    match events.last() {
        Some(Event::Closed(disconnect)) => disconnect.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bad_text_is_refused_before_its_frame_is_complete() {
    let whole = to_server(0x81, b"good\xffnever looked at");
    let disconnect = refused(config(), &whole[..6 + 5], 1007);
    assert_eq!(disconnect.kind(), Kind::WeFailed(CloseCode::INVALID_DATA));
    assert_eq!(disconnect.sent().map(Close::reason), Some("invalid UTF-8 at byte 4"));
}

#[test]
fn bad_text_is_refused_across_fragments() {
    refused(config(), &[to_server(0x01, b"\xe2\x82"), to_server(0x80, b"a")].concat(), 1007);
}

#[test]
fn an_unmasked_frame_from_a_client_is_refused() {
    let disconnect = refused(config(), b"\x81\x00", 1002);
    assert_eq!(disconnect.sent().map(Close::reason), Some("unmasked frame from a client"));
}

#[test]
fn a_masked_frame_from_a_server_is_refused() {
    let mut client = client();
    client.handle_input(T0, &to_server(0x81, b"x"));
    let sent = frames(Role::Client, &drain(&mut client, T0));
    assert_eq!(sent, [(Opcode::Close, b"\x03\xeamasked frame from a server"[..].into())]);
    assert_eq!(client.transport(), Transport::Keep);
}

#[test]
fn malformed_frames_are_refused() {
    for bytes in [&b"\xc1"[..], b"\x83", b"\x09", b"\x80", b"\x88\xfe", b"\x82\xff\xff\0\0\0\0\0\0\0"] {
        refused(config(), bytes, 1002);
    }
}

#[test]
fn frames_and_messages_that_are_too_long_are_refused_by_their_header() {
    let with = |frame, message| {
        let mut config = config();
        config.limits.frame = frame;
        config.limits.message = message;
        config
    };
    let header = to_server(0x82, &[0; 200])[..8].to_vec();
    refused(with(Some(199), None), &header[..4], 1009);
    refused(with(None, Some(199)), &header, 1009);
    let second = to_server(0x00, &[0; 100])[..6].to_vec();
    refused(with(None, Some(199)), &[to_server(0x02, &[0; 100]), second].concat(), 1009);
    let mut config = config();
    config.limits.fragments = Some(1);
    refused(config, &[to_server(0x02, b""), to_server(0x00, b"")].concat(), 1008);
}

#[test]
fn a_peer_that_pings_too_often_is_refused() {
    let mut config = config();
    config.min_ping_interval = Some(Duration::from_secs(5));
    let mut server = Connection::server(config, [2; 32], T0);
    for secs in [0, 10, 11, 12] {
        server.handle_input(Instant::from_secs(secs), &to_server(0x89, b"x"));
    }
    assert_eq!(frames(Role::Server, &drain(&mut server, at(12_000))).len(), 4);
    server.handle_input(at(13_000), &to_server(0x89, b"x"));
    let sent = frames(Role::Server, &drain(&mut server, at(13_000)));
    assert_eq!(sent.last(), Some(&(Opcode::Close, b"\x03\xf0too many pings"[..].into())));
}

#[test]
fn a_message_that_trickles_is_refused() {
    let mut config = config();
    config.message_timeout = Some(Duration::from_secs(30));
    let mut server = Connection::server(config, [2; 32], T0);
    let bytes = to_server(0x82, &[0; 100]);
    for (second, byte) in bytes[..31].iter().enumerate() {
        server.handle_input(Instant::from_secs(second as u64), &[*byte]);
        server.handle_timeout(Instant::from_secs(second as u64));
        assert_eq!(server.closing.is_open(), second < 30);
    }
    let sent = frames(Role::Server, &drain(&mut server, at(30_000)));
    assert_eq!(sent.last(), Some(&(Opcode::Close, b"\x03\xf0too slow"[..].into())));
}

#[test]
fn a_peer_may_take_its_time_between_messages() {
    let mut config = config();
    config.message_timeout = Some(Duration::from_secs(10));
    let mut server = Connection::server(config, [2; 32], T0);
    for secs in 0..30 {
        server.handle_input(Instant::from_secs(secs), &to_server(0x82, b"whole"));
        server.handle_timeout(Instant::from_secs(secs));
    }
    assert!(server.is_open());
}

#[test]
fn a_message_may_be_slow_while_the_machine_sleeps() {
    let mut config = config();
    config.message_timeout = Some(Duration::from_secs(10));
    config.heartbeat.mode = crate::heartbeat::Mode::Off;
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &to_server(0x82, &[0; 100])[..50]);
    server.handle_wake(at(9000), Duration::from_secs(11));
    server.handle_timeout(at(18_999));
    assert!(server.is_open());
    server.handle_timeout(at(19_000));
    assert!(!server.is_open());
}

#[test]
fn a_message_may_be_slow_while_we_do_not_read() {
    let mut config = config();
    config.min_receive_rate = Some(1000);
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &to_server(0x82, &[0; 100])[..50]);
    server.set_reading(at(9000), false);
    server.handle_timeout(at(60_000));
    server.set_reading(at(60_000), true);
    server.handle_timeout(at(69_999));
    assert!(server.closing.is_open());
    server.handle_timeout(at(70_000));
    assert!(!server.closing.is_open());
}

#[test]
fn nothing_is_recorded_after_a_refusal() {
    for bad in [to_server(0x81, b"\xff"), b"\xff".to_vec()] {
        let mut server = server();
        server.handle_input(T0, &[bad, to_server(0x88, &close_payload(1000, "bye"))].concat());
        assert_eq!(server.decoder.memory(), 0);
        server.handle_end(T0, End::Eof);
        assert_eq!(end(&mut server).received(), None);
    }
}

#[test]
fn a_refusal_after_our_close_sends_no_second_close() {
    let mut server = server();
    server.send(T0, Message::binary(vec![0; 60_000])).unwrap();
    server.handle_written(T0, 1);
    server.close(T0, Close::normal()).unwrap();
    server.handle_input(T0, b"\xff");
    let sent = drain(&mut server, T0);
    // The fragment that has begun, and the Close; the rest of the message is dropped.
    assert_eq!(sent.len(), 16_384 + 4 - 1 + 4);
    server.handle_end(T0, End::Eof);
    assert_eq!(end(&mut server).kind(), Kind::WeFailed(CloseCode::PROTOCOL_ERROR));
}
