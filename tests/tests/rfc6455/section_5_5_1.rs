//! §5.5.1, the Close frame. Which codes are allowed in it is tested with §7.4, and how an endpoint fails with §7.1.7.
//!
//! Binds no endpoint of ours: that end users must not be shown the reason is for the application to keep; what we print
//! of it is one line without control characters, see below.

use crate::wire::{
    BINARY, CLOSE, CONTINUATION, Endpoint, FIN, Frame, PING, TEXT, VALID_CODES, body, fails, frame, header,
    peer_of,
};
use bowline_core::closing::Transport;
use bowline_core::connection::{Config, SendError};
use bowline_core::{Close, Message};
use core::time::Duration;

#[test]
fn the_body_begins_with_the_code_in_network_byte_order() {
    for mut us in Endpoint::both() {
        us.closes(1001, "away");
        let close = us.says_one();
        assert_eq!(close.first, FIN | CLOSE);
        assert_eq!(close.payload, b"\x03\xe9away");
    }
}

#[test]
fn the_reason_is_sent_in_utf_8() {
    for mut us in Endpoint::both() {
        us.closes(4000, "gr\u{fc}n");
        assert_eq!(us.says_one().payload, b"\x0f\xa0gr\xc3\xbcn");
    }
}

#[test]
fn a_body_of_one_byte_is_refused_with_1002() {
    for us in Endpoint::both() {
        let bytes = frame(peer_of(us.role), FIN | CLOSE, &[3]);
        fails(us, &bytes, 1002);
    }
}

#[test]
fn a_reason_that_is_not_utf_8_is_refused_with_1007() {
    for reason in [&b"\xff"[..], b"ok\xc0\x80", b"\xed\xa0\x80", b"cut \xe2\x82"] {
        for us in Endpoint::both() {
            let bytes = frame(peer_of(us.role), FIN | CLOSE, &[&1000_u16.to_be_bytes(), reason].concat());
            fails(us, &bytes, 1007);
        }
    }
}

#[test]
fn a_close_from_a_client_is_masked() {
    let mut client = Endpoint::client();
    client.closes(1000, "");
    assert!(client.says_one().key.is_some());
    let mut client = Endpoint::client();
    client.hears(FIN | CLOSE, b"");
    assert!(client.says_one().key.is_some());
}

#[test]
fn no_data_can_be_sent_after_a_close() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        for text in ["before the Close has left", "after the Close has left"] {
            let refused = us.connection.send(us.now, Message::text(text));
            assert_eq!(refused, Err(SendError::Closing(Message::text(text))));
            us.says();
        }
    }
}

#[test]
fn messages_accepted_before_a_close_are_sent_before_it() {
    let mut config = Config::default();
    config.fragment = Some(1000);
    for mut us in Endpoint::both_with(&config) {
        us.sends(Message::binary(vec![1; 3500]));
        us.closes(1000, "");
        let opcodes: Vec<_> = us.says().iter().map(Frame::opcode).collect();
        assert_eq!(opcodes, [BINARY, CONTINUATION, CONTINUATION, CONTINUATION, CLOSE]);
        assert_eq!(us.writes(), b"");
    }
}

#[test]
fn a_close_is_answered_by_a_close_with_its_code() {
    for code in VALID_CODES {
        for reason in ["", "because", &"r".repeat(123)] {
            for mut us in Endpoint::both() {
                us.hears(FIN | CLOSE, &body(code, reason));
                assert_eq!(us.says_one().close(), Some((code, reason.to_owned())));
            }
        }
    }
}

#[test]
fn a_close_without_a_code_is_answered_by_one_without() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, b"");
        let close = us.says_one();
        assert_eq!((close.first, &close.payload[..]), (FIN | CLOSE, &b""[..]));
    }
}

#[test]
fn a_close_is_answered_when_the_message_being_sent_is_complete() {
    let mut config = Config::default();
    config.fragment = Some(1000);
    for mut us in Endpoint::both_with(&config) {
        us.sends(Message::binary(vec![1; 5000]));
        us.hears(FIN | CLOSE, &body(1001, ""));
        let mut frames = us.says();
        assert_eq!(frames.pop().and_then(|frame| frame.close()), Some((1001, String::new())));
        assert_eq!(frames.iter().map(|frame| frame.payload.len()).collect::<Vec<_>>(), [1000; 5]);
    }
}

#[test]
fn a_close_is_answered_after_the_current_frame_if_the_message_takes_too_long() {
    let mut config = Config::default();
    config.fragment = Some(1000);
    for mut us in Endpoint::both_with(&config) {
        us.sends(Message::binary(vec![1; 5000]));
        let begun = us.connection.output()[..1].to_vec();
        us.connection.handle_written(us.now, 1);
        us.hears(FIN | CLOSE, &body(1001, ""));
        us.now += Duration::from_secs(1);
        us.connection.handle_timeout(us.now);
        let frames = crate::wire::parse(&[begun, us.writes()].concat());
        let [fragment, close] = &frames[..] else { panic!("{} frames", frames.len()) };
        assert_eq!((fragment.first, fragment.payload.len()), (BINARY, 1000));
        assert_eq!(close.close(), Some((1001, String::new())));
    }
}

#[test]
fn a_close_is_answered_once() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1000, ""));
        us.hears(FIN | CLOSE, &body(1001, ""));
        assert_eq!(us.says_one().close(), Some((1000, String::new())));
        us.hears(FIN | CLOSE, &body(1000, ""));
        assert_eq!(us.writes(), b"");
    }
}

#[test]
fn the_answer_to_our_close_is_not_answered() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        us.hears(FIN | CLOSE, &body(1000, ""));
        assert_eq!(us.writes(), b"");
    }
}

#[test]
fn closes_that_cross_end_the_connection_without_a_third() {
    let (mut client, mut server) = (Endpoint::client(), Endpoint::server());
    client.closes(1000, "client");
    server.closes(1001, "server");
    let (from_client, from_server) = (client.writes(), server.writes());
    client.hears_bytes(&from_server);
    server.hears_bytes(&from_client);
    assert_eq!((client.writes(), server.writes()), (vec![], vec![]));
    assert_eq!(server.connection.transport(), Transport::FinishWriting);
    let (at_client, at_server) = (client.ends(), server.ends());
    assert_eq!(at_client.received().map(Close::reason), Some("server"));
    assert_eq!(at_server.received().map(Close::reason), Some("client"));
}

#[test]
fn messages_before_the_answer_to_our_close_are_delivered() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        us.hears(FIN | TEXT, b"written before your Close came");
        assert_eq!(us.messages(), [Message::text("written before your Close came")]);
    }
}

#[test]
fn a_server_ends_tcp_at_once_after_both_closes() {
    let mut asked = Endpoint::server();
    asked.hears(FIN | CLOSE, &body(1000, ""));
    asked.says();
    assert_eq!(asked.connection.transport(), Transport::FinishWriting);

    let mut asking = Endpoint::server();
    asking.closes(1000, "");
    asking.says();
    assert_eq!(asking.connection.transport(), Transport::Keep, "the client has not answered");
    asking.hears(FIN | CLOSE, &body(1000, ""));
    assert_eq!(asking.connection.transport(), Transport::FinishWriting);
}

#[test]
fn a_client_waits_for_the_server_to_end_tcp() {
    let mut asked = Endpoint::client();
    asked.hears(FIN | CLOSE, &body(1000, ""));
    asked.says();
    let mut asking = Endpoint::client();
    asking.closes(1000, "");
    asking.says();
    asking.hears(FIN | CLOSE, &body(1000, ""));
    for mut client in [asked, asking] {
        client.waits(Duration::from_millis(1999));
        assert_eq!(client.connection.transport(), Transport::Keep);
        client.ends();
        assert_eq!(client.connection.transport(), Transport::Drop);
    }
}

#[test]
fn a_client_does_not_wait_for_ever() {
    let mut client = Endpoint::client();
    client.hears(FIN | CLOSE, &body(1000, ""));
    client.says();
    client.waits(Duration::from_secs(2));
    assert_eq!(client.connection.transport(), Transport::Drop);
    assert_eq!(client.told().received().map(Close::code), Some(crate::wire::code(1000)));
}

#[test]
fn nothing_after_the_close_of_the_peer_is_processed() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1000, ""));
        us.hears(FIN | TEXT, b"late");
        us.hears(FIN | PING, b"late");
        us.hears_bytes(&header(us.role, 0x70, 5));
        assert_eq!(us.messages(), []);
        assert_eq!(us.says_one().close(), Some((1000, String::new())));
    }
}

#[test]
fn a_reason_is_printed_on_one_line() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1000, "gr\u{fc}n\n\x1b[31mred"));
        us.says();
        let line = us.ends().to_string();
        assert!(line.contains("gr\u{fc}n\\n\\u{1b}[31mred"), "{line}");
    }
}

#[test]
fn an_application_learns_why_the_peer_closes() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(4000, "because"));
        us.says();
        let disconnect = us.ends();
        let received = disconnect.received().expect("a Close");
        assert_eq!((received.code().as_u16(), received.reason()), (4000, "because"));
    }
}
