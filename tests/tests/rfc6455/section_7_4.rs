//! §7.4, status codes.
//!
//! Binds no endpoint of ours: that 1010 lists the extensions it wanted, since we want none; who registers which code.
//! 1012, 1013 and 1014 were registered later, and are valid for us.

use crate::wire::{
    CLOSE, CONTINUATION, Endpoint, FIN, INVALID_CODES, TEXT, VALID_CODES, body, code, fails, frame, header,
    peer_of,
};
use bowline_core::closing::CloseError;
use bowline_core::connection::Config;
use bowline_core::{Close, CloseCode};
use core::time::Duration;

#[test]
fn a_code_that_must_not_be_sent_cannot_be_sent() {
    for number in INVALID_CODES {
        assert_eq!(Close::new(number, ""), Err(CloseError::InvalidCode(number)));
    }
}

#[test]
fn a_close_that_came_in_with_a_bad_code_cannot_be_sent_on() {
    for number in INVALID_CODES {
        let (close, _) = Close::decode(&body(number, ""));
        for mut us in Endpoint::both() {
            assert_eq!(us.connection.close(us.now, close.clone()), Err(CloseError::InvalidCode(number)));
            assert!(us.connection.is_open());
            assert_eq!(us.writes(), b"");
        }
    }
}

#[test]
fn a_code_that_may_be_sent_can_be_sent() {
    for number in VALID_CODES {
        for mut us in Endpoint::both() {
            us.closes(number, "");
            assert_eq!(us.says_one().close(), Some((number, String::new())));
        }
    }
}

#[test]
fn every_code_is_either_sendable_or_reserved() {
    for number in 0..=u16::MAX {
        // §7.4.1 keeps 1004, 1005, 1006 and 1015 off the wire; §7.4.2 gives meaning to nothing below 1000, from 1016 to
        // 2999, or above 4999.
        let expected = (1000..1015).contains(&number) && !(1004..=1006).contains(&number)
            || (3000..5000).contains(&number);
        assert_eq!(code(number).is_sendable(), expected, "{number}");
    }
}

#[test]
fn a_code_that_must_not_be_sent_is_refused_with_1002() {
    for number in INVALID_CODES {
        for reason in ["", "because"] {
            for us in Endpoint::both() {
                let bytes = frame(peer_of(us.role), FIN | CLOSE, &body(number, reason));
                fails(us, &bytes, 1002);
            }
        }
    }
}

#[test]
fn a_code_that_fails_the_connection_is_never_one_that_must_not_be_sent() {
    for number in INVALID_CODES {
        for mut us in Endpoint::both() {
            us.connection.fail(us.now, code(number), "");
            assert_eq!(us.says_one().close(), Some((1011, String::new())));
        }
    }
}

#[test]
fn the_absence_of_a_code_is_not_sent_as_1005() {
    for mut us in Endpoint::both() {
        us.hears(FIN | CLOSE, b"");
        assert_eq!(us.says_one().payload, b"");
    }
}

#[test]
fn a_violation_of_the_protocol_is_1002() {
    for us in Endpoint::both() {
        fails(us, &[FIN | CONTINUATION], 1002);
    }
}

#[test]
fn data_that_its_type_forbids_is_1007() {
    for us in Endpoint::both() {
        let bytes = frame(peer_of(us.role), FIN | TEXT, b"\xff");
        fails(us, &bytes, 1007);
    }
}

#[test]
fn a_message_that_breaks_a_policy_is_1008() {
    let mut config = Config::default();
    config.message_timeout = Some(Duration::from_secs(10));
    for mut us in Endpoint::both_with(&config) {
        us.hears(TEXT, b"begun, and never finished");
        us.waits(Duration::from_secs(10));
        assert_eq!(us.says_one().close().map(|(code, _)| code), Some(1008));
    }
}

#[test]
fn a_message_that_is_too_big_is_1009() {
    let mut config = Config::default();
    config.limits.message = Some(200);
    for us in Endpoint::both_with(&config) {
        let bytes = header(peer_of(us.role), FIN | TEXT, 201);
        fails(us, &bytes, 1009);
    }
}

#[test]
fn a_condition_that_was_not_expected_is_1011() {
    for mut us in Endpoint::both() {
        us.connection.fail(us.now, CloseCode::INTERNAL_ERROR, "disk full");
        assert_eq!(us.says_one().close(), Some((1011, "disk full".to_owned())));
    }
}
