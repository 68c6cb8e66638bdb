//! Links that open but carry nothing: what a client with a time limit does about them.

use super::*;
use crate::messages;
use crate::transfer::Failure;
use alloc::string::{String, ToString as _};

const SECOND: Duration = Duration::from_secs(1);
/// How long it takes to find a dead link, and the time after which no dial may begin.
const DEAD: Duration = Duration::from_secs(40);
const LIMIT: Duration = Duration::from_secs(120);
const HOUR: Duration = Duration::from_secs(3600);

/// Links of a client come and go for an hour. On each, what `meet` does arrives, and nothing after that, until the link
/// is found dead. Returns why the client gives up, and when.
fn links(begin: impl Fn(&mut Session), meet: impl Fn(&mut Pair)) -> Option<(String, Duration)> {
    let mut pair = Pair::new();
    let mut config = Config { messages: Some(messages::Config::default()), ..Config::default() };
    config.reconnect.max_elapsed = Some(LIMIT);
    pair.client.1 = Session::client(config, SEED, pair.now);
    begin(&mut pair.client.1);
    while pair.now < Instant::ZERO + HOUR {
        let now = pair.now;
        pair.client.0 = Connection::client(connection::Config::default(), SEED, now);
        let config = Config { messages: Some(messages::Config::default()), ..Config::default() };
        pair.server =
            (Connection::server(connection::Config::default(), SEED, now), Session::server(config, now));
        pair.client.1.handle_link_up(now, None);
        pair.server.1.handle_link_up(now, None);
        meet(&mut pair);
        pair.now = pair.now.max(now + DEAD);
        pair.client.0.handle_end(pair.now, End::TimedOut);
        pump(pair.now, &mut pair.client.0, &mut pair.client.1);
        loop {
            let told = events(&mut pair.client.1);
            let gave_up = |event: &Event| match event {
                Event::GaveUp(why) => Some(why.to_string()),
                _ => None,
            };
            if let Some(why) = told.iter().find_map(gave_up) {
                return Some((why, pair.now - Instant::ZERO));
            }
            if told.contains(&Event::Dial) {
                break;
            }
            pair.now = pair.client.1.poll_timeout().expect("it dials again");
            pair.client.1.handle_timeout(pair.now);
        }
    }
    None
}

/// The client gives up in time, and reports why.
fn given_up(begin: impl Fn(&mut Session), meet: impl Fn(&mut Pair)) {
    let (why, at) = links(begin, meet).expect("it goes on for ever");
    assert!(why.starts_with("connections open, but nothing has got across for "), "{why}");
    assert!(at >= LIMIT && at < LIMIT + DEAD + SECOND, "after {at:?}");
}

fn offers(session: &mut Session) {
    session.transfers_mut().offer(Instant::ZERO, offer(1 << 20)).expect("new");
}

fn asks(session: &mut Session) {
    let name = SafeName::parse("file").expect("safe");
    session.transfers_mut().request(Instant::ZERO, ID, name).expect("new");
}

/// The receiver accepts the file, and answers nothing else.
fn take(pair: &mut Pair, of_server: bool) {
    pair.settle();
    let session = if of_server { &mut pair.server.1 } else { &mut pair.client.1 };
    let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
    assert!(session.transfers_mut().answer(pair.now, ID, answer));
    pair.settle();
}

/// The client sends a chunk, which is lost.
fn send(pair: &mut Pair) {
    let chunk = Bytes::from(alloc::vec![7; 4096]);
    pair.client.1.transfers_mut().provide(pair.now, ID, 0, chunk);
    pump(pair.now, &mut pair.client.0, &mut pair.client.1);
}

#[test]
fn a_client_gives_up_on_a_file_if_no_byte_is_acknowledged() {
    given_up(offers, |pair| {
        take(pair, true);
        send(pair);
    });
}

/// The server offers what it is asked for.
fn give(pair: &mut Pair) {
    pair.settle();
    pair.server.1.transfers_mut().offer(pair.now, offer(1 << 20)).expect("new");
    take(pair, false);
}

#[test]
fn a_client_gives_up_on_a_file_if_no_byte_arrives() {
    given_up(asks, give);
}

/// The client has the file already, and waits for its digest.
fn have(pair: &mut Pair) {
    pair.settle();
    pair.server.1.transfers_mut().offer(pair.now, offer(1 << 20)).expect("new");
    pair.settle();
    let answer = Answer::Present { digest: Digest::of(b"it") };
    assert!(pair.client.1.transfers_mut().answer(pair.now, ID, answer));
    pair.settle();
}

#[test]
fn a_file_of_which_only_the_end_is_missing_is_given_up() {
    for length in [0, 1 << 20] {
        given_up(asks, |pair| {
            pair.settle();
            pair.server.1.transfers_mut().offer(pair.now, offer(length)).expect("new");
            pair.settle();
            let prefix = Digest::of(&alloc::vec![7; length as usize]);
            let answer = Answer::Take { from: length, prefix, epoch: 1, expires: None };
            assert!(pair.client.1.transfers_mut().answer(pair.now, ID, answer));
            pump(pair.now, &mut pair.client.0, &mut pair.client.1);
        });
    }
}

#[test]
fn a_file_that_is_here_and_is_not_confirmed_is_given_up() {
    given_up(asks, have);
}

#[test]
fn a_client_gives_up_on_offers_and_requests_without_an_answer() {
    given_up(offers, |_| {});
    given_up(offers, Pair::settle);
    given_up(asks, Pair::settle);
    given_up(
        |session| session.transfers_mut().request_listing(Instant::ZERO, ID, None).expect("new"),
        Pair::settle,
    );
}

#[test]
fn a_client_gives_up_on_an_unacknowledged_message() {
    let say = |session: &mut Session| {
        let messages = session.messages_mut().expect("a client that speaks");
        messages.send(Instant::ZERO, Message::text("hello")).expect("room");
    };
    given_up(say, Pair::settle);
}

#[test]
fn a_client_that_gets_a_byte_across_on_each_link_goes_on() {
    let end = links(offers, |pair| {
        take(pair, true);
        send(pair);
        pair.settle();
        pair.server.1.transfers_mut().written(pair.now, ID, 4096);
        pair.now += SECOND;
        pair.server.1.handle_timeout(pair.now);
        pair.settle();
    });
    assert_eq!(end, None);
}

#[test]
fn a_client_with_nothing_to_send_goes_on() {
    assert_eq!(links(|_| {}, Pair::settle), None);
}

#[test]
fn a_client_goes_on_while_either_end_pauses_the_transfer() {
    for of_server in [true, false] {
        let end = links(offers, |pair| {
            pair.settle();
            // What is paused here is not offered again.
            if pair.server.1.transfers().progress(ID).is_some() {
                take(pair, true);
            }
            let end = if of_server { &mut pair.server.1 } else { &mut pair.client.1 };
            end.transfers_mut().pause(pair.now, ID);
            pair.settle();
        });
        assert_eq!(end, None, "of the server: {of_server}");
        let end = links(asks, |pair| {
            pair.settle();
            if pair.server.1.transfers().is_requested(ID) {
                give(pair);
            }
            let end = if of_server { &mut pair.server.1 } else { &mut pair.client.1 };
            end.transfers_mut().pause(pair.now, ID);
            pair.settle();
        });
        assert_eq!(end, None, "fetched, of the server: {of_server}");
    }
}

#[test]
fn a_pause_of_a_file_that_is_here_is_borne() {
    let end = links(asks, |pair| {
        have(pair);
        pair.server.1.transfers_mut().pause(pair.now, ID);
        pair.settle();
    });
    assert_eq!(end, None);
}

/// The sender says that it has heard of it, which the client does not hear any more.
#[test]
fn a_pause_of_ours_is_borne_before_it_is_confirmed() {
    let end = links(asks, |pair| {
        pair.client.1.transfers_mut().resume(pair.now, ID);
        give(pair);
        pair.client.1.transfers_mut().pause(pair.now, ID);
    });
    assert_eq!(end, None);
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    for code in [Code::Busy, Code::NoSpace] {
        let end = links(offers, |pair| {
            pair.settle();
            let failure = Failure { retry_after: HOUR, ..Failure::local(code, "") };
            pair.server.1.transfers_mut().fail(pair.now, ID, failure);
            pair.settle();
        });
        assert_eq!(end, None, "{code}");
    }
}

#[test]
fn a_client_waits_for_a_server_that_is_at_work() {
    let end = links(offers, |pair| {
        pair.settle();
        // It checks what it has of the file.
        for _ in 0..6 {
            pair.now += 10 * SECOND;
            pair.server.1.handle_timeout(pair.now);
            pair.settle();
        }
    });
    assert_eq!(end, None);
}

#[test]
fn a_client_waits_for_a_source_that_gives_nothing() {
    let piped = |session: &mut Session| {
        let piped = Offer { length: None, ..offer(0) };
        session.transfers_mut().offer(Instant::ZERO, piped).expect("new");
    };
    assert_eq!(links(piped, |pair| take(pair, true)), None);
}
