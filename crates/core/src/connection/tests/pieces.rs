//! Messages received in pieces.

mod sending;

use super::*;
use crate::message::{Delivery, Piece};

fn in_pieces(mut config: Config) -> Config {
    config.delivery = Delivery::Pieces;
    config.limits = Limits::none();
    config
}

fn server() -> Connection {
    Connection::server(in_pieces(config()), [2; 32], T0)
}

/// The queued pieces; nothing else may be queued.
fn pieces(connection: &mut Connection) -> Vec<Piece> {
    let taken = events(connection).into_iter().map(|event| match event {
        Event::Piece(piece) => piece,
        other => panic!("{other:?}"),
    });
    taken.collect()
}

/// Pieces joined into messages, and what there is of the last one.
fn join(pieces: impl IntoIterator<Item = Piece>) -> (Vec<Message>, Vec<u8>) {
    let (mut messages, mut begun) = (Vec::new(), Vec::new());
    for piece in pieces {
        begun.extend(piece.part.as_bytes());
        if piece.is_last {
            let whole = core::mem::take(&mut begun);
            messages.push(match piece.part {
                Message::Text(_) => Message::text(alloc::string::String::from_utf8(whole).unwrap()),
                Message::Binary(_) => Message::binary(whole),
            });
        }
    }
    (messages, begun)
}

/// The first bytes of a frame of this length, with a mask that changes nothing.
fn header(first: u8, len: u64) -> Vec<u8> {
    let opcode = Opcode::from_u8(first & 15).unwrap();
    Header { fin: first & 0x80 != 0, ..Header::new(opcode, len) }.masked([0; 4]).encode().to_vec()
}

#[test]
fn a_piece_is_delivered_before_its_frame_is_complete() {
    let mut server = server();
    server.handle_input(T0, &header(0x82, 10));
    assert_eq!(pieces(&mut server), []);
    server.handle_input(T0, b"abc");
    assert_eq!(pieces(&mut server), [Piece::binary("abc")]);
    server.handle_input(T0, b"defg");
    server.handle_input(T0, b"hij");
    assert_eq!(pieces(&mut server), [Piece::binary("defg"), Piece::binary("hij").last()]);
    assert_eq!((server.stats().messages_received, server.stats().longest_received), (1, 10));

    // The length of a message is unknown until it is complete.
    server.handle_input(T0, &to_server(0x02, &[0; 20]));
    assert_eq!(server.stats().longest_received, 10);
    server.handle_input(T0, &to_server(0x80, b""));
    assert_eq!((join(pieces(&mut server)).0.len(), server.stats().longest_received), (1, 20));

    // A message that arrives at once is one piece, and so is an empty one.
    server.handle_input(T0, &[to_server(0x81, b"x"), to_server(0x82, b"")].concat());
    assert_eq!(pieces(&mut server), [Piece::text("x").last(), Piece::binary("").last()]);
    assert_eq!(server.stats().messages_received, 4);
}

#[test]
fn fragments_of_one_message_end_with_the_last() {
    let mut server = server();
    let frames = [(0x01, "a"), (0x00, ""), (0x89, "ping"), (0x00, "b"), (0x80, "")];
    for (first, payload) in frames {
        server.handle_input(T0, &to_server(first, payload.as_bytes()));
    }
    assert_eq!(pieces(&mut server), [Piece::text("a"), Piece::text("b"), Piece::text("").last()]);
    assert_eq!(frames_of(&mut server), [Opcode::Pong]);
}

fn frames_of(connection: &mut Connection) -> Vec<Opcode> {
    let bytes = drain(connection, T0);
    frames(Role::Server, &bytes).into_iter().map(|(opcode, _)| opcode).collect()
}

#[test]
fn text_is_cut_between_characters() {
    let text = "gr\u{fc}n \u{20ac} \u{1f600}";
    let mut server = server();
    for byte in [&header(0x81, text.len() as u64), text.as_bytes()].concat() {
        server.handle_input(T0, &[byte]);
    }
    let taken = pieces(&mut server);
    assert_eq!(taken.len(), text.chars().count());
    assert_eq!(join(taken), (vec![Message::text(text)], Vec::new()));
}

#[test]
fn the_longest_possible_frame_passes_through_little_memory() {
    let mut config = in_pieces(config());
    config.receive_buffer = 100_000;
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &header(0x82, (1 << 63) - 1));
    let (mut received, mut taken) = (0_u64, 0_u64);
    while received < 20_000_000 {
        let mut waiting = 0;
        while server.wants_input() {
            let place = server.input();
            let n = place.capacity() - place.len();
            assert!((1..=64 << 10).contains(&n), "{n} bytes are asked for");
            place.resize(place.len() + n, 7);
            server.handle_read(T0);
            received += n as u64;
            waiting += n;
        }
        assert!(waiting <= 100_000 + (64 << 10));
        assert!(server.decoder.memory() <= 64 << 10);
        for piece in pieces(&mut server) {
            assert!(!piece.is_last);
            taken += piece.len() as u64;
        }
    }
    assert_eq!(taken, received);
    // In the middle of a frame, with nothing to read, no memory is held.
    server.input();
    server.handle_read(T0);
    assert_eq!(server.decoder.memory(), 0);
    server.handle_end(T0, End::Eof);
    let disconnect = end(&mut server);
    assert_eq!(disconnect.cut(), Cut::Payload { opcode: 2, got: received, of: (1 << 63) - 1 });
}

#[test]
fn kept_pieces_share_the_memory_they_were_read_into() {
    let mut server = server();
    server.handle_input(T0, &header(0x82, 1 << 40));
    let mut kept: Vec<Piece> = Vec::new();
    for _ in 0..100 {
        let place = server.input();
        place.resize(place.len() + 5000, 7);
        server.handle_read(T0);
        kept.extend(pieces(&mut server));
    }
    let is_next =
        |pair: &[Piece]| pair[0].part.as_bytes().as_ptr_range().end == pair[1].part.as_bytes().as_ptr();
    let neighbours = kept.windows(2).filter(|pair| is_next(pair)).count();
    assert!(neighbours > 70, "{neighbours} of 99 stand behind each other");
}

#[test]
fn pieces_that_are_not_taken_stop_the_reading() {
    let mut config = in_pieces(config());
    config.receive_buffer = 1000;
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &header(0x82, 1 << 40));
    for byte in 1..=14 {
        assert!(server.wants_input());
        server.handle_input(T0, &[byte; 10]);
    }
    assert!(!server.wants_input());
    server.poll_event();
    assert!(server.wants_input());
}

#[test]
fn bad_text_is_refused_at_its_first_bad_byte_at_every_split() {
    let text = b"good \xc3\xbc \xed\xa0\x80 never";
    for delivery in [Delivery::Whole, Delivery::Pieces] {
        // In the first frame, in the second one, and the frame is not complete in either case.
        for fragment in [0, 3, 6] {
            let first = [header(0x01, fragment), text[..fragment as usize].to_vec()].concat();
            let bytes = [first, header(0x80, 1000), text[fragment as usize..].to_vec()].concat();
            let bad = bytes.len() - 8;
            for split in 1..bytes.len() {
                let mut config = config();
                config.delivery = delivery;
                let mut server = Connection::server(config, [2; 32], T0);
                let mut got = Vec::new();
                for part in [&bytes[..split.min(bad)], &bytes[split.min(bad)..bad]] {
                    server.handle_input(T0, part);
                    assert!(server.is_open(), "all is good before the bad byte");
                    got.extend(events(&mut server));
                }
                server.handle_input(T0, &bytes[bad..=bad]);
                assert!(!server.is_open(), "{delivery:?} {fragment} {split}");
                got.extend(events(&mut server));
                let (good, begun) = join(got.into_iter().filter_map(|event| match event {
                    Event::Piece(piece) => Some(piece),
                    _ => None,
                }));
                assert_eq!((good.len(), begun.len()), (0, if delivery == Delivery::Pieces { 8 } else { 0 }));
                let close = &frames(Role::Server, &drain(&mut server, T0))[0];
                assert_eq!(close.1[..], close_payload(1007, "invalid UTF-8 at byte 8"));
            }
        }
    }
}

#[test]
fn a_text_message_must_not_end_inside_a_character() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x81, b"ab\xe2\x82"));
    assert_eq!(pieces(&mut server), [Piece::text("ab")]);
    // The refusal waited until the application had seen that.
    server.handle_timeout(T0);
    assert_eq!(frames(Role::Server, &drain(&mut server, T0))[0].1[..2], 1007_u16.to_be_bytes());
}

#[test]
fn limits_apply_to_messages_in_pieces_too() {
    let mut limits = Limits::none();
    limits.message = Some(15);
    limits.fragments = Some(2);
    limits.frame = Some(12);
    let cases = [
        (&[(0x02, 13)][..], "frame of 13 bytes over the limit of 12", 1009),
        (&[(0x02, 10), (0x80, 6)], "message of 16 bytes over the limit of 15", 1009),
        (&[(0x02, 1), (0x00, 0), (0x80, 1)], "message of more than 2 fragments", 1008),
    ];
    for delivery in [Delivery::Whole, Delivery::Pieces] {
        for (frames_in, reason, code) in cases {
            let mut config = config();
            (config.delivery, config.limits) = (delivery, limits.clone());
            let mut server = Connection::server(config, [2; 32], T0);
            let ((last, len), whole) = frames_in.split_last().unwrap();
            for (first, len) in whole {
                server.handle_input(T0, &[header(*first, *len), vec![0; *len as usize]].concat());
            }
            assert!(server.is_open());
            events(&mut server);
            // Its header is enough.
            server.handle_input(T0, &header(*last, *len));
            let close = &frames(Role::Server, &drain(&mut server, T0))[0];
            assert_eq!(close.1[..], close_payload(code, reason), "{delivery:?}");
        }
    }
}

#[test]
fn a_message_may_have_as_many_fragments_as_conformance_tests_send() {
    for delivery in [Delivery::Whole, Delivery::Pieces] {
        let mut config = config();
        config.delivery = delivery;
        let mut server = Connection::server(config, [2; 32], T0);
        server.handle_input(T0, &to_server(0x02, b""));
        let middle = to_server(0x00, b"");
        for _ in 1..65_535 {
            server.handle_input(T0, &middle);
        }
        server.handle_input(T0, &to_server(0x80, b"end"));
        assert_eq!((events(&mut server).len(), server.is_open()), (1, true));
    }
}

#[test]
fn data_after_a_close_is_not_buffered() {
    let mut server = server();
    server.handle_input(T0, &[to_server(0x88, b""), header(0x82, 1 << 40)].concat());
    for _ in 0..100 {
        server.handle_input(T0, &[0; 10_000]);
    }
    assert!(server.decoder.memory() < 20_000, "{}", server.decoder.memory());
    server.handle_end(T0, End::Eof);
    assert!(matches!(end(&mut server).cut(), Cut::Payload { got: 1_000_000, .. }));
}

#[test]
fn a_message_that_is_too_slow_is_refused_even_if_pieces_were_delivered() {
    let mut config = in_pieces(config());
    config.message_timeout = Some(Duration::from_secs(10));
    let mut server = Connection::server(config, [2; 32], T0);
    server.handle_input(T0, &header(0x82, 1 << 40));
    for secs in 1..10 {
        server.handle_input(Instant::from_secs(secs), b"x");
        events(&mut server);
    }
    assert_eq!(server.poll_timeout(), Some(Instant::from_secs(10)));
    server.handle_timeout(Instant::from_secs(10));
    assert_eq!(frames(Role::Server, &drain(&mut server, T0))[0].1[..], close_payload(1008, "too slow"));
}
