//! Short messages that arrive whole: they bypass the decoder, with no visible difference.

use super::*;
use crate::message::Delivery;

const ROLES: [Role; 2] = [Role::Client, Role::Server];

/// The outcome of these reads: everything that is reported to the application and the peer.
fn outcome(role: Role, config: &Config, reads: &[&[u8]]) -> (Vec<Event>, Vec<u8>) {
    let mut connection = Connection::new(role, config.clone(), [5; 32], T0);
    for read in reads {
        connection.handle_input(T0, read);
    }
    let mut told = events(&mut connection);
    let mut answer = drain(&mut connection, T0);
    // The application has seen everything, so events that waited for that are reported.
    connection.handle_timeout(T0);
    answer.extend(drain(&mut connection, T0));
    connection.handle_end(T0, End::Eof);
    told.extend(events(&mut connection));
    (told, answer)
}

/// The outcome of these bytes, which must not depend on whether they arrive together or one by one.
#[track_caller]
fn outcome_however_split(role: Role, config: &Config, before: &[u8], bytes: &[u8]) -> (Vec<Event>, Vec<u8>) {
    let whole = outcome(role, config, &[before, bytes]);
    let cut: Vec<_> = before.chunks(1).chain(bytes.chunks(1)).collect();
    assert_eq!(whole, outcome(role, config, &cut), "{role:?}, after {before:x?}: {bytes:x?}");
    whole
}

#[test]
fn any_frame_is_taken_as_if_it_came_byte_by_byte() {
    for (role, first) in ROLES.into_iter().flat_map(|role| (0..=255).map(move |first| (role, first))) {
        // Nothing, a fragment, and half a header.
        for before in [vec![], frame(role, 0x01, b"a"), vec![0x81]] {
            for second in [0, 1, 125, 126, 128, 129, 253, 254] {
                let rest = [0x63; 135];
                let bytes = [&[first, second], &rest[..]].concat();
                outcome_however_split(role, &config(), &before, &bytes);
            }
        }
    }
}

#[test]
fn invalid_text_is_refused_as_if_it_came_byte_by_byte() {
    for role in ROLES {
        let bytes = [frame(role, 0x81, b"good"), frame(role, 0x81, b"b\xffd"), frame(role, 0x81, b"late")];
        let (events, answer) = outcome_however_split(role, &config(), &[], &bytes.concat());
        assert_eq!(events[0], Event::Message(Message::text("good")));
        assert!(matches!(events[1..], [_, Event::Closed(_)]), "{events:?}");
        assert!(!answer.is_empty());
    }
}

#[test]
fn limits_apply_to_short_messages() {
    let (mut frames, mut messages, mut fragments) = (config(), config(), config());
    (frames.limits.frame, messages.limits.message) = (Some(3), Some(3));
    fragments.limits.fragments = Some(0);
    for role in ROLES {
        let bytes = [frame(role, 0x82, b"abc"), frame(role, 0x82, b"abcd")].concat();
        for (config, taken) in [(&frames, 1), (&messages, 1), (&fragments, 0)] {
            let (events, _) = outcome_however_split(role, config, &[], &bytes);
            let is_message = |event: &&Event| matches!(event, Event::Message(_));
            assert_eq!(events.iter().filter(is_message).count(), taken);
        }
    }
}

#[test]
fn nothing_is_taken_after_a_close_or_a_fault() {
    for role in ROLES {
        let close = frame(role, 0x88, &close_payload(1000, ""));
        let fault = [frame(role, 0x81, b"a"), vec![0xff]].concat();
        for before in [close, fault] {
            let (events, _) = outcome_however_split(role, &config(), &before, &frame(role, 0x81, b"late"));
            assert!(!events.contains(&Event::Message(Message::text("late"))));
        }
    }
}

#[test]
fn short_messages_are_delivered_as_pieces_if_pieces_are_wanted() {
    let mut config = config();
    config.delivery = Delivery::Pieces;
    let (events, _) = outcome(Role::Server, &config, &[&to_server(0x81, b"hello")]);
    assert!(matches!(events[0], Event::Piece(_)), "{events:?}");
}

#[test]
fn a_short_message_is_counted() {
    let mut server = server();
    server.handle_input(T0, &[to_server(0x81, b"hello"), to_server(0x82, b"!")].concat());
    let stats = server.stats();
    assert_eq!((stats.messages_received, stats.longest_received, stats.bytes_received), (2, 5, 18));
}

#[test]
fn a_short_message_takes_no_decoder_memory() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x82, &[7; 125]).repeat(100));
    assert_eq!(server.decoder.memory(), 0);
    assert_eq!(events(&mut server).len(), 100);
}

#[test]
fn a_short_message_ends_a_run_of_large_messages() {
    let mut server = server();
    server.handle_input(T0, &to_server(0x82, &vec![7; 100_000]));
    assert!(server.wanted() > 100_000);
    server.handle_input(T0, &to_server(0x82, b"short"));
    assert!(server.wanted() < 100);
}
