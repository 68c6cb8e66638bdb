//! What follows for a session from what its links carry, from their ends, and from silent peers.

use super::*;
use crate::messages::wire as spoken;
use crate::messages::{self, Secret, SendError};
use crate::replay::Window;
use crate::transfer::wire as files;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);

/// The HELLO of a peer that supports messages, and accepts what others accept.
fn hello() -> Bytes {
    let hello = files::Hello {
        min_version: 1,
        max_version: 1,
        max_chunk: 1 << 20,
        max_transfers: 9,
        max_offers_per_second: 1000,
        credit: 1 << 20,
        features: spoken::FEATURE,
        instance: [9; 16],
        agent: String::new(),
    };
    files::Frame::Hello(hello).encode().into_bytes()
}

fn speaking() -> Config {
    Config { messages: Some(messages::Config::default()), ..Config::default() }
}

/// A client on a link whose other end is played by the test, and has said HELLO.
fn greeted(config: Config) -> Session {
    let mut session = Session::client(config, SEED, Instant::ZERO);
    session.handle_link_up(Instant::ZERO, Some(Duration::from_millis(100)));
    session.handle_message(Instant::ZERO, hello());
    session
}

fn said(session: &mut Session, now: Instant) -> Vec<Parts> {
    core::iter::from_fn(|| session.poll_message(now, 1)).collect()
}

/// The server has found the session, for the `epoch`th time.
fn resumed(session: &mut Session, now: Instant, epoch: u32) {
    let (secret, last) = (Secret::from_bytes([1; 16]), 0);
    let resumed = spoken::Resumed { epoch, window: Window::default(), keep: SECOND, secret, last };
    session.handle_message(now, spoken::Frame::Resumed(resumed).encode().into_bytes());
}

/// The longest of the waits after twenty links that end early, if `carry` happens on each.
fn longest_wait(carry: impl Fn(&mut Session, Instant, u32)) -> Duration {
    let mut config = speaking();
    config.reconnect.first_window = Duration::from_millis(500);
    let mut session = Session::client(config, SEED, Instant::ZERO);
    let mut now = Instant::ZERO;
    let mut longest = Duration::ZERO;
    for link in 1..=20 {
        session.handle_link_up(now, None);
        session.handle_message(now, hello());
        said(&mut session, now);
        carry(&mut session, now, link);
        now += Duration::from_millis(900);
        let mut connection = Connection::client(connection::Config::default(), SEED, now);
        connection.handle_end(now, End::Reset);
        pump(now, &mut connection, &mut session);
        let at = session.poll_timeout().expect("it dials again");
        longest = longest.max(at - now);
        now = at;
        session.handle_timeout(now);
    }
    longest
}

#[test]
fn early_cuts_cause_no_backoff_while_messages_get_through() {
    let with_messages = longest_wait(|session, now, link| {
        resumed(session, now, link);
        let message = Message::text("still here");
        let data = spoken::Data { number: Some(link.into()), ack: 0, message };
        session.handle_message(now, spoken::Frame::Data(data).encode().into_bytes());
    });
    assert!(with_messages <= SECOND, "{with_messages:?}");
    let with_nothing = longest_wait(resumed);
    assert!(with_nothing > 5 * SECOND, "{with_nothing:?}");
}

#[test]
fn a_host_that_did_not_report_a_link_is_told_so_and_the_peer_redials() {
    let mut pair = Pair::new();
    pair.server.1 = Session::server(Config::default(), pair.now);
    pair.settle();
    let closed = |event: &Event| match event {
        Event::Link(connection::Event::CloseReceived(close)) => Some(close.to_string()),
        _ => None,
    };
    let told: Vec<_> = events(&mut pair.client.1).iter().filter_map(closed).collect();
    assert_eq!(told, ["1011 (internal error) a message came before the session was told of its link"]);
    pair.client.0.handle_end(pair.now, End::Eof);
    pump(pair.now, &mut pair.client.0, &mut pair.client.1);
    assert!(matches!(events(&mut pair.client.1)[..], [.., Event::LinkDown(_), Event::Waiting { .. }]));
}

#[test]
fn volatile_messages_are_refused_once_the_link_has_ended() {
    let mut session = greeted(speaking());
    said(&mut session, Instant::ZERO);
    resumed(&mut session, Instant::ZERO, 1);
    let send = |session: &mut Session| {
        let messages = session.messages_mut().expect("a client that speaks");
        messages.send_volatile(Instant::ZERO, Message::text("x"))
    };
    assert_eq!(send(&mut session), Ok(()));
    let mut connection = Connection::client(connection::Config::default(), SEED, Instant::ZERO);
    connection.handle_end(Instant::ZERO, End::Reset);
    pump(Instant::ZERO, &mut connection, &mut session);
    assert_eq!(send(&mut session), Err(SendError::Down(Message::text("x"))));
}

#[test]
fn a_server_that_does_not_resume_the_session_is_left_after_a_timeout() {
    let mut session = greeted(speaking());
    assert_eq!(said(&mut session, Instant::ZERO).len(), 2, "HELLO and RESUME");
    let due = Instant::from_secs(30);
    assert_eq!(session.poll_timeout(), Some(due));
    session.handle_timeout(due);
    let close = session.poll_close().expect("the link is of no use");
    assert_eq!(close.to_string(), "1011 (internal error) the session was asked for, but there is no answer");
}

#[test]
fn a_client_leaves_a_server_that_is_slow_to_go_away_and_redials() {
    let mut session = greeted(Config::default());
    let leaving = files::Frame::GoAway { code: Code::ShuttingDown, retry_after: SECOND };
    session.handle_message(Instant::ZERO, leaving.encode().into_bytes());
    session.transfers_mut().offer(Instant::ZERO, offer(5)).expect("new");
    let due = Instant::from_secs(60);
    assert_eq!(session.poll_timeout(), Some(due));
    session.handle_timeout(due);
    let close = session.poll_close().expect("others may be there");
    assert_eq!(close.code(), CloseCode::GOING_AWAY);
    events(&mut session);
    let mut connection = Connection::client(connection::Config::default(), SEED, due);
    connection.close(due, close).expect("open");
    connection.handle_end(due, End::Eof);
    pump(due, &mut connection, &mut session);
    let told = events(&mut session);
    assert!(matches!(told[..], [Event::LinkDown(_), Event::Waiting { .. }]), "{told:?}");
}

#[test]
fn a_close_carries_the_beginning_of_a_long_reason() {
    for (text, expected) in [("x".repeat(123), 123), ("x".repeat(500), 123), ("ä".repeat(62), 122)] {
        let mut session = Session::server(Config::default(), Instant::ZERO);
        session.handle_link_up(Instant::ZERO, None);
        session.break_link(Code::Protocol, text.clone());
        let close = session.poll_close().expect("a broken link is closed");
        assert_eq!((close.code(), close.reason()), (CloseCode::PROTOCOL_ERROR, &text[..expected]));
    }
}

#[test]
fn a_ping_that_is_faster_than_any_answer_narrows_the_window() {
    let mut session = greeted(Config::default());
    session.transfers_mut().offer(Instant::ZERO, offer(1 << 30)).expect("new");
    said(&mut session, Instant::ZERO);
    let accept = files::Accept {
        resume: 0,
        credit: u64::MAX,
        max_chunk: 1 << 20,
        epoch: 1,
        expires: 0,
        ack_ms: 25,
        have: files::Have::Part,
        prefix: None,
    };
    session.handle_message(Instant::ZERO, files::Frame::Accept(1, accept).encode().into_bytes());
    session.transfers_mut().provide(Instant::ZERO, ID, 0, Bytes::from(alloc::vec![0; 16 << 10]));
    assert_eq!(said(&mut session, Instant::ZERO).len(), 5, "a chunk, in pieces");
    let now = Instant::from_millis(100);
    let ack = files::Ack {
        received: 16 << 10,
        durable: 0,
        credit: u64::MAX,
        last_seq: 0,
        hold_us: 0,
        rewind: None,
    };
    session.handle_message(now, files::Frame::Ack(1, ack).encode().into_bytes());
    // Four times what was delivered, and the first window.
    let chunk = 16 << 10;
    assert_eq!(session.transfers().window(), 4 * chunk + 4 * chunk);
    session.handle_rtt(now, Duration::from_millis(10));
    // Four times the rate, over the round trip and 50 ms, and a chunk.
    assert_eq!(session.transfers().window(), 4 * 10 * chunk * 60 / 1000 + chunk);
}

#[test]
fn a_client_whose_authorization_is_revoked_dials_again() {
    let mut pair = Pair::new();
    pair.client.1.transfers_mut().offer(pair.now, offer(1 << 30)).expect("new");
    pair.settle();
    pair.server.1.transfers_mut().revoke(pair.now, "the token has expired");
    pair.settle();
    pair.client.0.handle_end(pair.now, End::Eof);
    pair.settle();
    let told = events(&mut pair.client.1);
    let broken = |event: &Event| match event {
        Event::Transfer(transfer::Event::Broken { code, text }) => Some((*code, text.clone())),
        _ => None,
    };
    let (code, text) = told.iter().find_map(broken).expect("it is told why");
    assert_eq!((code, text.as_str()), (Code::Unauthorized, "the token has expired"));
    let [.., Event::LinkDown(disconnect), Event::Waiting { .. }] = &told[..] else { panic!("{told:?}") };
    let close = disconnect.received().expect("the server has closed");
    assert_eq!((close.code(), close.reason()), (CloseCode::UNAUTHORIZED, "the token has expired"));
}

#[test]
fn damage_excuses_one_protocol_error() {
    for (rewind, is_excused) in [(files::Rewind::Gap, false), (files::Rewind::Corrupt, true)] {
        let mut pair = Pair::new();
        pair.client.1.transfers_mut().offer(pair.now, offer(1 << 30)).expect("new");
        pair.settle();
        let (received, durable, credit, last_seq, hold_us) = (0, 0, 0, 0, 0);
        let ack = files::Ack { received, durable, credit, last_seq, hold_us, rewind: Some(rewind) };
        pair.client.1.handle_message(pair.now, files::Frame::Ack(1, ack).encode().into_bytes());
        pair.server
            .0
            .close(pair.now, Close::new(CloseCode::PROTOCOL_ERROR, "").expect("valid"))
            .expect("open");
        pair.settle();
        pair.client.0.handle_end(pair.now, End::Eof);
        pair.settle();
        let told = events(&mut pair.client.1);
        assert_eq!(matches!(told.last(), Some(Event::Waiting { .. })), is_excused, "{told:?}");
        let [.., Event::LinkDown(disconnect), _] = &told[..] else { panic!("{told:?}") };
        if is_excused {
            let session = &mut pair.client.1;
            let now = session.poll_timeout().expect("the next dial");
            session.handle_timeout(now);
            session.handle_link_up(now, None);
            session.handle_link_down(now, disconnect.clone().with_retry(Retry::No(Why::SameAgain)));
            assert!(matches!(events(session).last(), Some(Event::GaveUp(_))));
        }
    }
}

/// The link ends without a word.
fn cut(session: &mut Session, now: Instant) -> Disconnect {
    let mut connection = Connection::client(connection::Config::default(), SEED, now);
    connection.handle_end(now, End::Reset);
    pump(now, &mut connection, session);
    let told = events(session);
    let ended = told.into_iter().find_map(|event| match event {
        Event::LinkDown(disconnect) => Some(disconnect),
        _ => None,
    });
    ended.expect("it is down")
}

#[test]
fn a_close_that_a_lost_link_could_not_send_is_not_sent_on_the_next() {
    let mut session = greeted(Config::default());
    session.break_link(Code::Protocol, "no".into());
    cut(&mut session, Instant::ZERO);
    session.handle_link_up(Instant::ZERO, None);
    assert_eq!(session.poll_close(), None);
}

#[test]
fn damage_is_remembered_until_it_has_explained_an_end() {
    for why in [Why::SameAgain, Why::Invalid] {
        let mut session = greeted(Config::default());
        session.transfers_mut().offer(Instant::ZERO, offer(1 << 30)).expect("new");
        said(&mut session, Instant::ZERO);
        let (received, durable, credit, last_seq, hold_us) = (0, 0, 0, 0, 0);
        let rewind = Some(files::Rewind::Corrupt);
        let ack = files::Ack { received, durable, credit, last_seq, hold_us, rewind };
        session.handle_message(Instant::ZERO, files::Frame::Ack(1, ack).encode().into_bytes());
        // This end needs no excuse.
        let mut disconnect = cut(&mut session, Instant::ZERO);
        disconnect = disconnect.with_retry(Retry::No(why));
        let mut last = None;
        for _ in 0..2 {
            let now = session.poll_timeout().expect("the next dial");
            session.handle_timeout(now);
            session.handle_link_up(now, None);
            session.handle_link_down(now, disconnect.clone());
            let told = events(&mut session);
            match last.replace(told.last().cloned()) {
                None => assert!(matches!(told.last(), Some(Event::Waiting { .. })), "{told:?}"),
                Some(_) => assert!(matches!(told.last(), Some(Event::GaveUp(_))), "{told:?}"),
            }
        }
    }
}

#[test]
fn a_failure_that_the_application_reports_becomes_an_event_at_once() {
    let mut session = greeted(Config::default());
    session.transfers_mut().offer(Instant::ZERO, offer(5)).expect("new");
    events(&mut session);
    let failure = transfer::Failure::local(Code::Cancelled, "enough");
    session.transfers_mut().fail(Instant::ZERO, ID, failure);
    let told = session.poll_event();
    assert!(matches!(told, Some(Event::Transfer(transfer::Event::Failed { .. }))), "{told:?}");
}

#[test]
fn a_session_sends_nothing_without_room() {
    let mut session = greeted(Config::default());
    assert_eq!(session.poll_message(Instant::ZERO, 0), None);
    assert!(session.poll_message(Instant::ZERO, 1).is_some(), "HELLO");
}

#[test]
fn a_server_that_claims_unsent_messages_ends_the_link() {
    let mut session = greeted(speaking());
    said(&mut session, Instant::ZERO);
    let (secret, epoch) = (Secret::from_bytes([1; 16]), 1);
    let resumed = spoken::Resumed { epoch, window: Window::default(), keep: SECOND, secret, last: 5 };
    session.handle_message(Instant::ZERO, spoken::Frame::Resumed(resumed).encode().into_bytes());
    let close = session.poll_close().expect("there is no going on");
    assert_eq!(close.code(), CloseCode::INTERNAL_ERROR);
}

#[test]
fn a_broken_link_neither_sends_nor_takes_messages() {
    let mut session = greeted(speaking());
    said(&mut session, Instant::ZERO);
    resumed(&mut session, Instant::ZERO, 1);
    let messages = session.messages_mut().expect("a client that speaks");
    messages.send(Instant::ZERO, Message::text("hello")).expect("room");
    session.break_link(Code::Protocol, "no".into());
    let data = spoken::Data { number: Some(1), ack: 0, message: Message::text("you too") };
    session.handle_message(Instant::ZERO, spoken::Frame::Data(data).encode().into_bytes());
    assert!(session.messages().is_some_and(|messages| !messages.has_received()));
    assert!(session.poll_close().is_some());
    let last = said(&mut session, Instant::ZERO);
    let error = files::Frame::Error { code: Code::Protocol, text: "no".into() };
    assert_eq!(last, [error.encode()]);
}
