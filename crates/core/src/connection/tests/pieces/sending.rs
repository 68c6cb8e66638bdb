//! Messages sent in pieces, and from end to end.

use super::*;
use alloc::collections::VecDeque;
use proptest::prelude::*;

#[test]
fn a_message_is_sent_in_pieces_with_pings_between_them() {
    let (mut client, mut server) = (client(), server());
    client.send_piece(T0, Piece::binary("")).unwrap();
    assert_eq!(client.output(), b"");
    client.send_piece(T0, Piece::binary(vec![1; 40_000])).unwrap();
    client.handle_input(T0, &to_client(0x89, b"between"));
    client.send_piece(T0, Piece::binary("end")).unwrap();
    client.send_piece(T0, Piece::binary("").last()).unwrap();
    client.send(T0, Message::text("next")).unwrap();
    let sent = drain(&mut client, T0);
    let lens: Vec<_> =
        frames(Role::Client, &sent).iter().map(|(opcode, payload)| (*opcode as u8, payload.len())).collect();
    assert_eq!(lens, [(10, 7), (2, 16_384), (0, 16_384), (0, 7232), (0, 3), (0, 0), (1, 4)]);
    assert_eq!(client.stats().messages_sent, 2);

    server.handle_input(T0, &sent);
    let (messages, rest) = join(pieces(&mut server));
    assert_eq!((messages.len(), messages[0].len(), rest.len()), (2, 40_003, 0));
    assert_eq!(messages[1], Message::text("next"));
}

#[test]
fn a_message_in_pieces_must_end_before_the_next() {
    let mut client = client();
    client.send_piece(T0, Piece::text("begun")).unwrap();
    let message = Message::text("other");
    assert_eq!(client.send(T0, message.clone()), Err(SendError::Unfinished(message.clone())));
    let parts = Parts::from(Bytes::from("other"));
    assert_eq!(client.send_parts(T0, parts.clone()), Err(SendError::Unfinished(parts)));
    let piece = Piece::binary("other");
    assert_eq!(client.send_piece(T0, piece.clone()), Err(SendError::OtherKind(piece.clone())));
    client.send_piece(T0, Piece::text("").last()).unwrap();
    client.send(T0, message).unwrap();
    client.send_piece(T0, piece).unwrap();
}

#[test]
fn pieces_need_room_as_messages_do() {
    let mut client = client();
    client.send_piece(T0, Piece::binary(vec![0; 100_000])).unwrap();
    let refused = client.send_piece(T0, Piece::binary("more")).unwrap_err();
    assert!(matches!(refused, SendError::Full { limit: 65_536, held: 100_000.., .. }), "{refused:?}");
    assert_eq!(refused.into_inner(), Piece::binary("more"));
    drain(&mut client, T0);
    client.send_piece(T0, Piece::binary("more").last()).unwrap();
    client.close(T0, Close::normal()).unwrap();
    let late = Piece::binary("late");
    assert_eq!(client.send_piece(T0, late.clone()), Err(SendError::Closing(late)));
}

#[test]
fn an_unfinished_message_does_not_hide_that_the_connection_is_closing() {
    let mut client = client();
    client.send_piece(T0, Piece::binary("begun")).unwrap();
    client.close(T0, Close::normal()).unwrap();
    let late = Message::text("late");
    assert_eq!(client.send(T0, late.clone()), Err(SendError::Closing(late)));
}

#[test]
fn a_close_abandons_a_message_in_pieces() {
    for fails in [false, true] {
        let (mut client, mut server) = (client(), server());
        client.send_piece(T0, Piece::text("half")).unwrap();
        converse(T0, &mut client, &mut server);
        client.send_piece(T0, Piece::text(" more")).unwrap();
        if fails {
            client.fail(T0, CloseCode::INTERNAL_ERROR, "no more");
        } else {
            client.close(T0, Close::normal()).unwrap();
        }
        converse(T0, &mut client, &mut server);
        let got = events(&mut server);
        assert_eq!(got[0], Event::Piece(Piece::text("half")));
        assert_eq!(got.contains(&Event::Piece(Piece::text(" more"))), !fails);
        assert!(matches!(got[if fails { 1 } else { 2 }], Event::CloseReceived(_)), "{got:?}");
        server.handle_end(T0, End::Eof);
        assert_eq!(end(&mut server).incomplete_message(), if fails { 4 } else { 9 });
    }
}

#[test]
fn an_echo_of_pieces_is_a_loop() {
    let (mut client, mut server) = (Connection::client(in_pieces(config()), [1; 32], T0), server());
    client.send(T0, Message::binary(vec![7; 300_000])).unwrap();
    client.send_piece(T0, Piece::text("a")).ok();
    let mut echoed = Vec::new();
    for _ in 0..100 {
        let sent = client.output().to_vec();
        client.handle_written(T0, sent.len());
        server.handle_input(T0, &sent);
        while server.room() > 0 {
            let Some(Event::Piece(piece)) = server.poll_event() else { break };
            server.send_piece(T0, piece).unwrap();
        }
        client.handle_input(T0, &drain(&mut server, T0));
        echoed.extend(pieces(&mut client));
    }
    assert_eq!(join(echoed).0, [Message::binary(vec![7; 300_000])]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// However messages are cut into pieces, writes and reads: what arrives is what was sent, and it needs no more
    /// memory than the receive buffer and one read.
    #[test]
    fn pieces_add_up_to_the_messages(
        messages in prop::collection::vec(
            (any::<bool>(), prop_oneof![4 => ".{0,300}".boxed(), 1 => "[a-z\u{20ac}]{5000,9000}".boxed()]),
            0..8,
        ),
        cuts in prop::collection::vec(1..2000_usize, 1..6),
        reads in prop::collection::vec(1..3000_usize, 1..6),
        buffer in 1..5000_usize,
        to_client in any::<bool>(),
    ) {
        let mut config = in_pieces(config());
        config.receive_buffer = buffer;
        config.fragment = Some(700);
        config.send_buffer = 3000;
        let mut ends = (Connection::client(config.clone(), [1; 32], T0), Connection::server(config, [2; 32], T0));
        let (from, to) = if to_client { (&mut ends.1, &mut ends.0) } else { (&mut ends.0, &mut ends.1) };
        let sent: Vec<_> = messages.iter().map(|(is_text, text)| match is_text {
            true => Message::text(text.as_str()),
            false => Message::binary(text.as_bytes().to_vec()),
        }).collect();
        let (mut cuts, mut reads) = (cuts.into_iter().cycle(), reads.into_iter().cycle());
        let mut queue: VecDeque<Piece> = sent
            .iter()
            .enumerate()
            .flat_map(|(number, message)| cut(message, number % 3 == 0, &mut cuts))
            .collect();
        let longest = 3000;
        let mut received = Vec::new();
        for _ in 0..100_000 {
            while from.room() > 0 {
                let Some(piece) = queue.pop_front() else { break };
                from.send_piece(T0, piece).unwrap();
            }
            let mut waiting = 0;
            while to.wants_input() && !from.output().is_empty() {
                let n = reads.next().unwrap_or(1).min(from.output().len());
                to.handle_input(T0, &from.output()[..n]);
                from.handle_written(T0, n);
                waiting += n;
            }
            prop_assert!(waiting <= buffer + longest, "{waiting} bytes wait");
            prop_assert!(to.decoder.memory() <= longest + 1000, "{} bytes are held", to.decoder.memory());
            let taken = pieces(to);
            let weight: usize = taken.iter().map(Piece::len).sum();
            prop_assert!(weight <= buffer + longest);
            let is_done = queue.is_empty() && from.output().is_empty();
            received.extend(taken);
            if is_done {
                break;
            }
        }
        let (whole, begun) = join(received);
        prop_assert!(whole == sent && begun.is_empty());
    }
}

/// The message in pieces of these lengths, or whole.
fn cut(message: &Message, whole: bool, cuts: &mut impl Iterator<Item = usize>) -> Vec<Piece> {
    if whole {
        return vec![message.clone().into()];
    }
    let mut pieces = Vec::new();
    let mut at = 0;
    loop {
        // Now and then an empty one.
        let len = if pieces.len() % 5 == 3 { 0 } else { cuts.next().unwrap_or(1) };
        let mut end = at + len.min(message.len() - at);
        let part = match message {
            Message::Text(text) => {
                while !text.is_char_boundary(end) {
                    end += 1;
                }
                Message::text(&text[at..end])
            }
            Message::Binary(bytes) => Message::binary(bytes.slice(at..end)),
        };
        at = end;
        // Some messages end with an empty piece.
        let is_last = at == message.len() && pieces.len() % 2 == 0;
        pieces.push(Piece { part, is_last });
        if is_last {
            return pieces;
        }
    }
}
