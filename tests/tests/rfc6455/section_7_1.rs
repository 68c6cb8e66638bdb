//! §7.1, definitions: how a connection is closed, and how it is failed.
//!
//! Binds no endpoint of ours: that the TLS session is closed cleanly too is the transport's business (§7.1.1), and that
//! a failure is logged the host's, to whom the last event tells it (§7.1.7).

use crate::wire::{CLOSE, CONTINUATION, Endpoint, FIN, PING, TEXT, body, code, fails};
use bowline_core::closing::{Exchange, Kind, Transport};
use bowline_core::connection::Event;
use bowline_core::{Close, CloseCode, End, Message, Role};
use core::time::Duration;

// §7.1.1, Close the WebSocket Connection.

#[test]
fn a_server_ends_the_writing_side_first_and_reads_to_the_end() {
    let mut server = Endpoint::server();
    server.hears(FIN | CLOSE, &body(1000, ""));
    assert!(!server.connection.output().is_empty(), "its Close has to leave first");
    server.says();
    assert_eq!(server.connection.transport(), Transport::FinishWriting);
    assert!(server.connection.wants_input());
    server.ends();
    assert_eq!(server.connection.transport(), Transport::Drop);
}

#[test]
fn trailing_bytes_are_discarded() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1000, ""));
        us.says();
        us.hears_bytes(&[0xff; 1000]);
        assert_eq!(us.writes(), b"");
        assert_eq!(us.ends().kind(), Kind::Clean);
    }
}

#[test]
fn an_endpoint_waits_for_the_end_of_tcp_for_a_reasonable_time() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        us.hears(FIN | CLOSE, &body(1000, ""));
        us.waits(Duration::from_millis(1999));
        assert_ne!(us.connection.transport(), Transport::Drop);
        us.waits(Duration::from_millis(1));
        assert_eq!(us.connection.transport(), Transport::Drop);
        assert_eq!(us.told().kind(), Kind::Clean);
    }
}

#[test]
fn a_connection_may_be_dropped_without_a_word_when_necessary() {
    for mut us in Endpoint::both() {
        us.sends(Message::text("never sent"));
        us.connection.abort(us.now);
        assert_eq!((us.writes().len(), us.connection.transport()), (0, Transport::Drop));
    }
}

// §7.1.2, Start the WebSocket Closing Handshake.

#[test]
fn a_close_is_sent_with_its_code_and_its_reason() {
    for mut us in Endpoint::both() {
        us.closes(3000, "because");
        assert_eq!(us.says_one().close(), Some((3000, "because".to_owned())));
    }
}

#[test]
fn a_peer_that_does_not_answer_our_close_is_left() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        us.waits(Duration::from_secs(5));
        assert_eq!(us.connection.transport(), Transport::Drop);
        assert_eq!(us.told().kind(), Kind::CloseTimeout);
    }
}

// §7.1.3, the closing handshake is started.

#[test]
fn a_connection_is_closing_once_a_close_was_sent_or_received() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        assert!(!us.connection.is_open());
    }
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, b"");
        assert!(!us.connection.is_open());
    }
}

// §7.1.4, the connection is closed.

#[test]
fn a_connection_is_closed_when_its_transport_is() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1000, ""));
        us.says();
        assert!(!us.events.iter().any(|event| matches!(event, Event::Closed(_))));
        us.ends();
        assert_eq!(us.events.iter().filter(|event| matches!(event, Event::Closed(_))).count(), 1);
    }
}

#[test]
fn a_connection_is_closed_cleanly_after_both_closes() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        us.hears(FIN | CLOSE, &body(1000, ""));
        assert_eq!(us.ends().kind(), Kind::Clean);
    }
}

#[test]
fn a_connection_without_a_close_is_not_closed_cleanly() {
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, b"last words");
        assert_eq!(us.ends().kind(), Kind::Eof);
    }
    for mut us in Endpoint::both() {
        us.hears(TEXT, b"last wo");
        assert!(matches!(us.ends().kind(), Kind::Truncated { .. }));
    }
}

#[test]
fn a_connection_whose_close_was_not_answered_is_not_closed_cleanly() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        assert_eq!(us.ends().kind(), Kind::CleanUnacknowledged);
    }
}

// §7.1.5 and §7.1.6, the close code and the close reason.

#[test]
fn the_close_code_is_the_one_in_the_first_close_received() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1001, "first"));
        us.hears(FIN | CLOSE, &body(4000, "second"));
        us.says();
        let disconnect = us.ends();
        assert_eq!(disconnect.code(), CloseCode::GOING_AWAY);
        assert_eq!(disconnect.received().map(Close::reason), Some("first"));
    }
}

#[test]
fn the_close_code_is_the_one_received_and_not_the_one_sent() {
    for mut us in Endpoint::both() {
        us.closes(1001, "ours");
        us.says();
        us.hears(FIN | CLOSE, &body(4000, "theirs"));
        let disconnect = us.ends();
        assert_eq!(disconnect.code(), code(4000));
        assert_eq!(disconnect.received().map(Close::reason), Some("theirs"));
    }
}

#[test]
fn the_close_code_is_1005_if_the_close_had_none() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, b"");
        us.says();
        let disconnect = us.ends();
        assert_eq!(disconnect.code(), CloseCode::NO_STATUS);
        assert_eq!(disconnect.received().map(Close::reason), Some(""));
    }
}

#[test]
fn the_close_code_is_1006_if_no_close_was_received() {
    for mut us in Endpoint::both() {
        assert_eq!(us.ends().code(), CloseCode::ABNORMAL);
    }
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        assert_eq!(us.ends().code(), CloseCode::ABNORMAL);
    }
}

#[test]
fn a_reason_that_is_absent_is_the_empty_string() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, &body(1000, ""));
        us.says();
        assert_eq!(us.ends().received().map(Close::reason), Some(""));
    }
}

// §7.1.7, Fail the WebSocket Connection.

#[test]
fn an_endpoint_that_fails_sends_a_close_with_the_code_that_fits() {
    for us in Endpoint::both() {
        fails(us, &[0xff], 1002);
    }
    for mut us in Endpoint::both() {
        us.hears(TEXT, b"");
        us.hears(CONTINUATION, b"te");
        let bytes = crate::wire::frame(crate::wire::peer_of(us.role), FIN | CONTINUATION, b"\xff");
        fails(us, &bytes, 1007);
    }
}

#[test]
fn the_close_of_an_endpoint_that_fails_overtakes_the_data_that_waits() {
    for mut us in Endpoint::both() {
        us.sends(Message::binary(vec![1; 50_000]));
        us.hears_bytes(&[0xff]);
        assert_eq!(us.says_one().close().map(|(code, _)| code), Some(1002));
    }
}

#[test]
fn an_endpoint_that_fails_ends_the_transport() {
    for mut us in Endpoint::both() {
        us.hears_bytes(&[0xff]);
        us.says();
        // A server at once, a client once the server had time to do so.
        let expected = if us.role == Role::Server { Transport::FinishWriting } else { Transport::Keep };
        assert_eq!(us.connection.transport(), expected);
        us.waits(Duration::from_secs(5));
        assert_eq!(us.connection.transport(), Transport::Drop);
        assert_eq!(us.told().kind(), Kind::WeFailed(CloseCode::PROTOCOL_ERROR));
    }
}

#[test]
fn a_peer_cannot_make_an_endpoint_that_fails_wait_longer() {
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, b"\xff");
        us.says();
        for _ in 0..49 {
            us.waits(Duration::from_millis(100));
            us.hears(FIN | TEXT, b"going on");
        }
        us.waits(Duration::from_millis(100));
        assert_eq!(us.connection.transport(), Transport::Drop);
    }
}

#[test]
fn an_endpoint_that_has_failed_processes_nothing_any_more() {
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, b"\xff");
        us.hears(FIN | TEXT, b"data");
        us.hears(FIN | PING, b"ping");
        assert_eq!(us.says_one().first, FIN | CLOSE);
        us.hears(FIN | TEXT, b"data");
        us.hears(FIN | PING, b"ping");
        assert_eq!(us.writes(), b"");
        assert!(matches!(us.events[..], [Event::CloseSent(_)]), "{:?}", us.events);
    }
}

#[test]
fn an_endpoint_that_has_failed_does_not_process_the_answer_to_its_close() {
    for mut us in Endpoint::both() {
        us.hears(FIN | TEXT, b"\xff");
        us.says();
        us.hears(FIN | CLOSE, &body(1007, "so I hear"));
        assert!(!us.events.iter().any(|event| matches!(event, Event::CloseReceived(_))), "{:?}", us.events);
        let disconnect = us.ends();
        assert!(matches!(disconnect.exchange(), Exchange::Sent(_)), "{disconnect}");
        assert_eq!(disconnect.code(), CloseCode::ABNORMAL);
    }
}

#[test]
fn an_endpoint_that_fails_after_its_close_sends_no_other() {
    for mut us in Endpoint::both() {
        us.closes(1000, "");
        us.says();
        us.hears_bytes(&[0xff]);
        assert_eq!(us.writes(), b"");
        assert_eq!(us.ends().kind(), Kind::WeFailed(CloseCode::PROTOCOL_ERROR));
    }
}

#[test]
fn a_close_may_be_omitted_if_it_cannot_arrive() {
    for mut us in Endpoint::both() {
        us.connection.handle_end(us.now, End::WriteFailed);
        us.hears_bytes(&[0xff]);
        assert_eq!(us.writes(), b"");
        assert_eq!(us.connection.transport(), Transport::Drop);
    }
}
