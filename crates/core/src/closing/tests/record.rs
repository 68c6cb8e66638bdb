//! What the record of an end contains beyond its sentence: the evidence and the suspects.

use super::super::*;
use crate::{Instant, Role};
use alloc::string::ToString;
use core::time::Duration;

/// The end of a link on which something was received at the first time, and which ended by itself at the second.
fn ended(received: u64, end: u64) -> Disconnect {
    let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
    closing.handle_received(Instant::from_secs(received));
    closing.handle_end(Instant::from_secs(end), End::Eof);
    closing.poll_disconnect(&Evidence::default()).unwrap()
}

#[test]
fn the_record_keeps_the_evidence() {
    let mut closing = Closing::new(Config::default(), Role::Client, Instant::from_secs(100));
    closing.handle_received(Instant::from_secs(112));
    closing.handle_close(Instant::from_secs(113), &1006_u16.to_be_bytes());
    closing.handle_sent(Instant::from_secs(114), 1);
    closing.handle_end(Instant::from_secs(116), End::Reset);
    let evidence = Evidence { cut: Cut::Header, incomplete_message: 7, ..Evidence::default() };
    let disconnect = closing.poll_disconnect(&evidence).unwrap();
    assert_eq!(disconnect.age(), Duration::from_secs(16));
    assert_eq!(disconnect.idle(), Duration::from_secs(2));
    assert_eq!(disconnect.longest_silence(), Duration::from_secs(12));
    assert_eq!(disconnect.end(), Some(End::Reset));
    assert_eq!(disconnect.cut(), Cut::Header);
    assert_eq!(disconnect.incomplete_message(), 7);
    assert_eq!(disconnect.flaw(), Some(Flaw::InvalidCode(1006)));
    assert_eq!(disconnect.received().unwrap().code(), CloseCode::ABNORMAL);
    assert_eq!(disconnect.sent().unwrap().code(), CloseCode::PROTOCOL_ERROR);
    assert!(matches!(disconnect.exchange(), Exchange::ReceivedThenSent { .. }));
    assert_eq!(disconnect.suspect(), None);
}

#[test]
fn a_suspect_has_a_limit_with_or_without_a_name() {
    let suspect = |idle| {
        let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
        closing.handle_end(Instant::from_secs(idle), End::Eof);
        closing.poll_disconnect(&Evidence::default()).unwrap().suspect()
    };
    let limit = Duration::from_secs(55);
    assert_eq!(suspect(56), Some(Suspect { limit, names: "Heroku router", seen_before: false }));
    let limit = Duration::from_secs(47);
    assert_eq!(suspect(47), Some(Suspect { limit, names: "", seen_before: false }));
    assert_eq!(suspect(9), None);
}

#[test]
fn a_suspect_may_have_forgotten_the_connection() {
    let suspect = |silence| {
        let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
        closing.handle_sent(Instant::from_secs(silence), 1);
        closing.handle_end(Instant::from_secs(silence), End::Reset);
        closing.poll_disconnect(&Evidence::default()).unwrap().suspect()
    };
    let limit = Duration::from_secs(350);
    assert_eq!(suspect(400), Some(Suspect { limit, names: "AWS NLB", seen_before: false }));
    let limit = Duration::from_secs(30);
    assert_eq!(suspect(30), Some(Suspect { limit, names: "", seen_before: false }));
}

#[test]
fn a_suspect_may_end_connections_at_a_certain_age() {
    let mut history = History::default();
    let mut suspect = |age| {
        let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
        closing.handle_received(Instant::from_secs(age));
        closing.handle_end(Instant::from_secs(age), End::Eof);
        let disconnect = closing.poll_disconnect(&Evidence { history, ..Evidence::default() }).unwrap();
        history.record(&disconnect);
        disconnect.suspect()
    };
    let limit = Duration::from_secs(30);
    let names = "Google Cloud HTTP(S) LB default";
    assert_eq!(suspect(30), Some(Suspect { limit, names, seen_before: false }));
    let limit = Duration::from_secs(301);
    let measured = [301, 301, 301].map(suspect);
    assert_eq!(measured, [None, None, Some(Suspect { limit, names: "", seen_before: true })]);
}

#[test]
fn bytes_that_we_send_split_a_silence() {
    let survived = |sent: &[u64], received| {
        let mut closing = Closing::new(Config::default(), Role::Client, Instant::ZERO);
        for at in sent {
            closing.handle_sent(Instant::from_secs(*at), 1);
        }
        closing.handle_received(Instant::from_secs(received));
        closing.handle_end(Instant::from_secs(received), End::Eof);
        closing.poll_disconnect(&Evidence::default()).unwrap().longest_silence()
    };
    assert_eq!(survived(&[6], 7), Duration::from_secs(6));
    assert_eq!(survived(&[2, 5], 6), Duration::from_secs(3));
    assert_eq!(survived(&[5, 7], 8), Duration::from_secs(5));
}

#[test]
fn a_heartbeat_that_was_set_replaces_the_advice() {
    let mut disconnect = ended(15, 75);
    let sentence = disconnect.to_string();
    disconnect.set_heartbeat(Duration::from_secs(40));
    let (before, _) = sentence.split_once("; set the heartbeat to 45 s or less").unwrap();
    assert_eq!(disconnect.to_string(), [before, "; heartbeat set to 40 s"].concat());
}

#[test]
fn two_ends_are_equal_if_their_records_are() {
    assert_eq!(ended(15, 75), ended(15, 75));
    assert_ne!(ended(15, 75), ended(15, 76));
}
