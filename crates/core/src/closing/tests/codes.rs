//! The name of each code, who may send it, and what it advises; and Close frames in memory and on the wire.

use super::super::*;
use crate::{Instant, Role};
use alloc::format;
use alloc::string::{String, ToString};
use proptest::prelude::*;

/// First code, last code, may be sent, name, advice when a peer sends it.
const CODES: &str = "
    0     999   no   unknown                            no (invalid)
    1000  1000  yes  OK                                 no (finished)
    1001  1001  yes  going away                         backoff
    1002  1002  yes  protocol error                     no (the same again)
    1003  1003  yes  unsupported data                   no (the same again)
    1004  1004  no   unknown                            no (invalid)
    1005  1005  no   no status received [internal]      backoff
    1006  1006  no   abnormal closure [internal]        backoff
    1007  1007  yes  invalid frame payload data         no (the same again)
    1008  1008  yes  policy violation                   no (refused)
    1009  1009  yes  message too big                    with smaller messages
    1010  1010  yes  mandatory extension                no (the same again)
    1011  1011  yes  internal error                     backoff
    1012  1012  yes  service restart                    after 5 s to 30 s
    1013  1013  yes  try again later                    backoff after 10 s
    1014  1014  yes  bad gateway                        backoff
    1015  1015  no   TLS handshake failure [internal]   no (certificate)
    1016  2999  no   unknown                            no (invalid)
    3000  3000  yes  registered                         no (refused)
    3001  3002  yes  registered                         backoff
    3003  3003  yes  registered                         no (refused)
    3004  3999  yes  registered                         backoff
    4000  4399  yes  private use                        backoff
    4400  4407  yes  private use                        no (refused)
    4408  4408  yes  private use                        backoff
    4409  4428  yes  private use                        no (refused)
    4429  4429  yes  private use                        backoff
    4430  4499  yes  private use                        no (refused)
    4500  4999  yes  private use                        backoff
    5000  65535 no   unknown                            no (invalid)
";

#[test]
fn the_code_table_holds() {
    let mut next = 0;
    for row in CODES.trim().lines() {
        let mut words = row.split_whitespace();
        let mut number = || words.next().unwrap().parse::<u16>().unwrap();
        let (first, last) = (number(), number());
        assert_eq!(u32::from(first), next, "the table has a gap before {first}");
        next = u32::from(last) + 1;
        for number in first..=last {
            let code = CloseCode::new(number);
            let sendable = if code.is_sendable() { "yes" } else { "no" };
            let line = format!("{first} {last} {sendable} {} {}", code.explanation(), code.retry(""));
            assert_eq!(
                line,
                row.split_whitespace().collect::<alloc::vec::Vec<_>>().join(" "),
                "code {number}"
            );
        }
    }
    assert_eq!(next, 65_536);
}

#[test]
fn a_close_code_converts_to_its_number() {
    for number in [0, 1000, 4999, 65_535] {
        assert_eq!(u16::from(CloseCode::from(number)), number);
    }
}

#[test]
fn each_close_of_the_peer_has_the_kind_that_the_table_says() {
    let table = "
        1000           => Clean no (finished)
        1000 Please reconnect. => GoingAway backoff
        1001           => GoingAway backoff
        1002 mask      => Rejected(CloseCode(1002)) no (the same again)
        1008 token     => Rejected(CloseCode(1008)) no (refused)
        1008 Too many pings => Rejected(CloseCode(1008)) with a slower heartbeat
        1009           => Rejected(CloseCode(1009)) with smaller messages
        1011 disk full => PeerError backoff
        1011 keepalive ping timeout => PeerTimedUsOut backoff
        1012           => Restart after 5 s to 30 s
        1013           => Overload backoff after 10 s
        1014           => Gateway backoff
        3000           => Rejected(CloseCode(3000)) no (refused)
        3008           => App(CloseCode(3008)) backoff
        4000 bye       => App(CloseCode(4000)) backoff
        4403           => Rejected(CloseCode(4403)) no (refused)
        4429 slow down => App(CloseCode(4429)) backoff
    ";
    for row in table.trim().lines() {
        let (close, expected) = row.split_once("=>").unwrap();
        let (code, reason) = close.trim().split_once(' ').unwrap_or((close.trim(), ""));
        let close = Close::new(code.parse::<u16>().unwrap(), reason).unwrap();
        let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
        closing.handle_close(Instant::ZERO, &close.encode());
        closing.handle_end(Instant::ZERO, End::Eof);
        let disconnect = closing.poll_disconnect(&Evidence::default()).unwrap();
        assert_eq!(format!("{:?} {}", disconnect.kind(), disconnect.retry()), expected.trim(), "{close}");
    }
}

#[test]
fn each_upgrade_status_says_whether_to_retry() {
    let for_good = [501, 505, 506, 508, 510, 511];
    for status in 0..=999 {
        let is_passing = matches!(status, 408 | 425 | 429 | 500..=599) && !for_good.contains(&status);
        let expected = if is_passing { Retry::Backoff } else { Retry::No(Why::Status(status)) };
        assert_eq!(retry_status(status), expected);
    }
    assert_eq!(retry_status(404).to_string(), "no (status 404)");
}

#[test]
fn a_close_that_cannot_be_sent_says_why() {
    let error = |code: u16, length| Close::new(code, "x".repeat(length)).unwrap_err().to_string();
    assert_eq!(error(1006, 0), "close code 1006 must not be sent");
    assert_eq!(error(1000, 124), "close reason of 124 bytes is longer than 123");
    assert_eq!(CloseError::AlreadyClosing.to_string(), "the connection is closing already");
}

#[test]
fn our_close_reason_is_cut_between_characters() {
    let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
    let payload = closing.fail(Instant::ZERO, CloseCode::POLICY, &format!("a{}", "€".repeat(50))).unwrap();
    let (close, flaw) = Close::decode(&payload);
    assert_eq!(flaw, None);
    assert_eq!(close.reason(), format!("a{}", "€".repeat(40))); // 121 bytes: two more are no character
}

#[test]
fn an_answer_always_fits_a_control_frame() {
    let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
    let long = [&[0x03, 0xe8], "x".repeat(1000).as_bytes()].concat();
    assert_eq!(closing.handle_close(Instant::ZERO, &long).unwrap().len(), 125);
}

#[test]
fn we_do_not_fail_with_a_code_that_must_not_be_sent() {
    let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
    let payload = closing.fail(Instant::ZERO, CloseCode::ABNORMAL, "").unwrap();
    assert_eq!(Close::decode(&payload), (Close::new(CloseCode::INTERNAL_ERROR, "").unwrap(), None));
}

#[test]
fn a_peers_reason_stays_on_one_line() {
    let (close, _) = Close::decode(b"\x0f\xa0a\nERROR b\x1b[31m \"c\"");
    assert_eq!(close.to_string(), "4000 (private use) a\\nERROR b\\u{1b}[31m \"c\"");
}

#[test]
fn control_characters_in_a_peers_reason_are_escaped() {
    // Right to left, a line separator, a space of no width; a joiner makes one picture of two.
    let close = Close::new(1000, "a\u{202e}b\u{2028}c\u{200b}d\u{feff} \u{1f469}\u{200d}\u{1f680}").unwrap();
    let expected = "1000 (OK) a\\u{202e}b\\u{2028}c\\u{200b}d\\u{feff} \u{1f469}\u{200d}\u{1f680}";
    assert_eq!(close.to_string(), expected);
}

#[test]
fn a_close_is_printed_with_its_name_unless_it_has_none() {
    let printed = |code: u16| Close::decode(&code.to_be_bytes()).0.to_string();
    assert_eq!(printed(1011), "1011 (internal error)");
    assert_eq!(printed(3000), "3000 (registered)");
    assert_eq!(printed(1006), "1006 (invalid code)");
    assert_eq!(printed(2000), "2000 (invalid code)");
    assert_eq!(CloseCode::ABNORMAL.to_string(), "1006 (abnormal closure [internal])");
}

proptest! {
    #[test]
    fn a_close_survives_the_wire(code in 0_u16..5100, reason in ".{0,40}") {
        match Close::new(code, reason.clone()) {
            Ok(close) => prop_assert_eq!(Close::decode(&close.encode()), (close, None)),
            Err(CloseError::InvalidCode(invalid)) => prop_assert_eq!(invalid, code),
            Err(error) => prop_assert_eq!(error, CloseError::ReasonTooLong(reason.len())),
        }
    }

    #[test]
    fn a_flaw_names_what_is_wrong_with_the_payload(payload in prop::collection::vec(any::<u8>(), 0..130)) {
        let (close, flaw) = Close::decode(&payload);
        let expected = match payload.as_slice() {
            [_] => Some(Flaw::HalfCode),
            [a, b, ..] if !CloseCode::new(u16::from_be_bytes([*a, *b])).is_sendable() => {
                Some(Flaw::InvalidCode(u16::from_be_bytes([*a, *b])))
            }
            [_, _, reason @ ..] if String::from_utf8(reason.into()).is_err() => Some(Flaw::ReasonNotUtf8),
            _ => None,
        };
        prop_assert_eq!(flaw, expected);
        if flaw.is_none() {
            prop_assert_eq!(&close.encode()[..], &payload[..]);
        }
    }
}
