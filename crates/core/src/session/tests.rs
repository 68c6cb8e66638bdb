//! A client's session through links that begin and end, and the pump between session and connection.

mod beside;
mod learning;
mod links;
mod messages;
mod settings;
mod stuck;
mod superseded;
mod unseen;

use super::*;
use crate::transfer::{Answer, Digest, Offer, SafeName, TransferId};
use crate::{Connection, End, Message, pump};

const SEED: [u8; 32] = [5; 32];
const ID: TransferId = TransferId::from_bytes([1; 16]);

/// A client and a server, each with its connection, joined without a network.
struct Pair {
    now: Instant,
    client: (Connection, Session),
    server: (Connection, Session),
}

impl Pair {
    fn new() -> Self {
        let now = Instant::ZERO;
        let config = connection::Config::default;
        let mut client = Session::client(Config::default(), SEED, now);
        let mut server = Session::server(Config::default(), now);
        assert_eq!(client.poll_event(), Some(Event::Dial));
        client.handle_link_up(now, Some(Duration::from_millis(1)));
        server.handle_link_up(now, None);
        let client = (Connection::client(config(), SEED, now), client);
        let server = (Connection::server(config(), SEED, now), server);
        Self { now, client, server }
    }

    /// Moves bytes and messages until nothing moves.
    fn settle(&mut self) {
        loop {
            pump(self.now, &mut self.client.0, &mut self.client.1);
            pump(self.now, &mut self.server.0, &mut self.server.1);
            let moved = carry(self.now, &mut self.client.0, &mut self.server.0)
                + carry(self.now, &mut self.server.0, &mut self.client.0);
            if moved == 0 {
                return;
            }
        }
    }
}

fn carry(now: Instant, from: &mut Connection, to: &mut Connection) -> usize {
    let n = from.output().len();
    to.handle_input(now, from.output());
    from.handle_written(now, n);
    n
}

fn offer(length: u64) -> Offer {
    Offer::new(ID, SafeName::parse("file").expect("safe"), length)
}

fn events(session: &mut Session) -> alloc::vec::Vec<Event> {
    core::iter::from_fn(|| session.poll_event()).collect()
}

#[test]
fn a_file_crosses_two_connections() {
    let mut pair = Pair::new();
    let data = Bytes::from(alloc::vec![7; 200_000]);
    pair.client.1.transfers_mut().offer(pair.now, offer(200_000)).expect("new");
    let mut written = 0;
    for _ in 0..100 {
        pair.settle();
        for event in events(&mut pair.client.1) {
            let transfers = pair.client.1.transfers_mut();
            match event {
                Event::Transfer(transfer::Event::Read { id, offset, len }) => {
                    transfers.provide(
                        pair.now,
                        id,
                        offset,
                        data.slice(offset as usize..offset as usize + len),
                    );
                }
                Event::Transfer(transfer::Event::Hash { id, upto }) => {
                    transfers.provide_digest(pair.now, id, upto, Digest::of(&data[..upto as usize]));
                }
                Event::Transfer(transfer::Event::Check { id }) => transfers.confirm(pair.now, id),
                Event::Transfer(transfer::Event::Done { length: 200_000, .. }) => return,
                _ => {}
            }
        }
        for event in events(&mut pair.server.1) {
            let transfers = pair.server.1.transfers_mut();
            match event {
                Event::Transfer(transfer::Event::Offered(offered)) => {
                    let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
                    assert!(transfers.answer(pair.now, offered.id, answer));
                }
                Event::Transfer(transfer::Event::Write { id, offset, data }) => {
                    written = offset + data.len() as u64;
                    transfers.written(pair.now, id, written);
                }
                Event::Transfer(transfer::Event::Finish { id, .. }) => {
                    assert_eq!(written, 200_000);
                    transfers.finish(pair.now, id);
                }
                _ => {}
            }
        }
    }
    panic!("it did not arrive");
}

#[test]
fn the_receiver_of_a_file_keeps_buffers_until_the_transfer_ends() {
    let mut pair = Pair::new();
    let keeps = |pair: &Pair| (pair.client.0.keeps_places(), pair.server.0.keeps_places());
    pair.client.1.transfers_mut().offer(pair.now, offer(2_000_000)).expect("new");
    pair.settle();
    assert_eq!(keeps(&pair), (false, false), "nobody has taken it");
    let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
    pair.server.1.transfers_mut().answer(pair.now, ID, answer);
    pair.settle();
    assert_eq!(keeps(&pair), (false, true));
    pair.client.1.transfers_mut().provide(pair.now, ID, 0, Bytes::from(alloc::vec![7; 100_000]));
    pair.settle();
    assert_eq!(keeps(&pair), (false, true), "it is not written");
    let failure = transfer::Failure::local(Code::NoSpace, "the disk is full");
    pair.server.1.transfers_mut().fail(pair.now, ID, failure);
    pair.settle();
    assert_eq!(keeps(&pair), (false, false));
}

/// The end of a link on which nothing arrives any longer, in either direction.
fn cut_off((connection, session): &mut (Connection, Session), mut now: Instant) -> Disconnect {
    loop {
        pump(now, connection, session);
        // It leaves, but does not arrive.
        connection.handle_written(now, connection.output().len());
        let down = events(session).into_iter().find_map(|event| match event {
            Event::LinkDown(disconnect) => Some(disconnect),
            _ => None,
        });
        if let Some(disconnect) = down {
            return disconnect;
        }
        now = connection.poll_timeout().expect("a heartbeat");
        connection.handle_timeout(now);
    }
}

#[test]
fn a_silence_during_a_transfer_is_not_a_limit_of_the_path() {
    let mut pair = Pair::new();
    pair.client.1.transfers_mut().offer(pair.now, offer(2_000_000)).expect("new");
    pair.settle();
    let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
    pair.server.1.transfers_mut().answer(pair.now, ID, answer);
    pair.settle();
    pair.client.1.transfers_mut().provide(pair.now, ID, 0, Bytes::from(alloc::vec![7; 4096]));
    // One waits for an acknowledgement, the other for the next chunk.
    for end in [&mut pair.client, &mut pair.server] {
        let disconnect = cut_off(end, pair.now);
        assert_eq!(disconnect.kind(), crate::closing::Kind::KeepaliveTimeout);
        assert_eq!(disconnect.unanswered_silence().unwrap_or_default(), Duration::ZERO, "{disconnect}");
    }
}

#[test]
fn a_silence_without_a_file_may_be_a_limit_of_the_path() {
    let mut pair = Pair::new();
    pair.settle();
    for end in [&mut pair.client, &mut pair.server] {
        assert!(cut_off(end, pair.now).unanswered_silence() >= Some(Duration::from_secs(10)));
    }
}

#[test]
fn a_lost_link_is_redialled_and_its_transfers_are_offered_again() {
    let mut pair = Pair::new();
    pair.client.1.transfers_mut().offer(pair.now, offer(1 << 30)).expect("new");
    pair.settle();
    events(&mut pair.client.1);
    pair.client.0.handle_end(pair.now, End::Reset);
    pump(pair.now, &mut pair.client.0, &mut pair.client.1);
    let told = events(&mut pair.client.1);
    assert!(matches!(told[..], [Event::LinkDown(_), Event::Waiting { .. }]), "{told:?}");

    let at = pair.client.1.poll_timeout().expect("it waits");
    pair.client.1.handle_timeout(at);
    assert_eq!(pair.client.1.poll_event(), Some(Event::Dial));
    pair.client.1.handle_link_up(at, None);
    let messages: alloc::vec::Vec<_> = core::iter::from_fn(|| pair.client.1.poll_message(at, 1)).collect();
    assert_eq!(messages.len(), 2, "HELLO and OFFER");
}

#[test]
fn early_cuts_cause_no_backoff_while_bytes_get_through() {
    let mut config = Config::default();
    config.reconnect.first_window = Duration::from_millis(500);
    let mut session = Session::client(config, SEED, Instant::ZERO);
    session.transfers_mut().request(Instant::ZERO, ID, SafeName::parse("file").expect("safe")).expect("new");
    let mut now = Instant::ZERO;
    for link in 0..20 {
        session.handle_link_up(now, None);
        let mut server = Transfers::new(Role::Server, transfer::Config::default(), now);
        server.handle_link_up(now, None);
        let mut received = false;
        while !received {
            while let Some(message) = session.poll_message(now, 1) {
                server.handle_message(now, message.into_bytes());
            }
            while let Some(event) = server.poll_event() {
                match event {
                    transfer::Event::Requested { id, name, .. } => {
                        server.offer(now, Offer::new(id, name, 1 << 30)).expect("new");
                    }
                    transfer::Event::Read { id, offset, len } => {
                        server.provide(now, id, offset, alloc::vec![0; len].into());
                    }
                    _ => {}
                }
            }
            while let Some(message) = server.poll_message(now, 1) {
                session.handle_message(now, message.into_bytes());
            }
            for event in events(&mut session) {
                match event {
                    Event::Transfer(transfer::Event::Offered(offered)) => {
                        let from = link * 1000;
                        let answer = Answer::Take { from, prefix: Digest::of(b""), epoch: 1, expires: None };
                        session.transfers_mut().answer(now, offered.id, answer);
                    }
                    Event::Transfer(transfer::Event::Write { .. }) => received = true,
                    _ => {}
                }
            }
        }
        now += Duration::from_millis(900);
        let mut connection = Connection::client(connection::Config::default(), SEED, now);
        connection.handle_end(now, End::Reset);
        pump(now, &mut connection, &mut session);
        let at = session.poll_timeout().expect("it dials again");
        assert!(at - now <= Duration::from_secs(1), "link {link}: after {:?}", at - now);
        now = at;
        session.handle_timeout(now);
    }
}

#[test]
fn a_failed_dial_is_retried_unless_the_advice_is_no() {
    let mut session = Session::client(Config::default(), SEED, Instant::ZERO);
    assert_eq!(session.poll_event(), Some(Event::Dial));
    session.handle_dial_failed(Instant::ZERO, Retry::Backoff);
    assert!(matches!(session.poll_event(), Some(Event::Waiting { .. })));
    session.handle_timeout(Instant::from_secs(100));
    assert_eq!(session.poll_event(), Some(Event::Dial));
    session.handle_dial_failed(Instant::from_secs(100), Retry::No(Why::Refused));
    assert!(matches!(session.poll_event(), Some(Event::GaveUp(GiveUp::No(_)))));
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn a_network_change_brings_the_next_dial_forward() {
    let mut session = Session::client(Config::default(), SEED, Instant::ZERO);
    let mut now = Instant::ZERO;
    for _ in 0..6 {
        session.handle_dial_failed(now, Retry::Backoff);
        now = session.poll_timeout().expect("the next dial");
        session.handle_timeout(now);
    }
    session.handle_dial_failed(now, Retry::BackoffAfter(Duration::ZERO));
    let before = events(&mut session).pop();
    session.handle_network_change(now);
    let Some(Event::Waiting { until }) = session.poll_event() else { panic!("it was {before:?}") };
    assert!(until <= now + Duration::from_millis(500));
    assert_eq!((session.poll_timeout(), session.attempts()), (Some(until), 7));
}

#[test]
fn a_client_that_waits_or_has_given_up_dials_when_it_is_told_to() {
    let now = Instant::from_secs(5);
    let mut session = Session::client(Config::default(), SEED, now);
    assert_eq!(events(&mut session), [Event::Dial]);
    session.dial(now);
    assert_eq!(events(&mut session), [], "that dial is under way");

    session
        .handle_dial_failed(now, Retry::After { min: Duration::from_secs(60), max: Duration::from_secs(90) });
    assert!(matches!(events(&mut session)[..], [Event::Waiting { .. }]));
    session.dial(now);
    assert_eq!(events(&mut session), [Event::Dial], "even if the server has asked for time");

    session.handle_dial_failed(now, Retry::No(Why::Refused));
    assert!(matches!(events(&mut session)[..], [Event::GaveUp(_)]));
    session.dial(now);
    assert_eq!(events(&mut session), [Event::Dial]);

    session.handle_link_up(now, None);
    session.dial(now);
    assert_eq!(events(&mut session), [], "there is a link");
}

#[test]
fn messages_of_another_protocol_close_the_connection_with_1003() {
    for message in [Message::text("hello"), Message::Binary(Bytes::from_static(b"\x50hello"))] {
        let mut pair = Pair::new();
        pair.settle();
        pair.client.0.send(pair.now, message).expect("room");
        pair.settle();
        let told = events(&mut pair.client.1);
        let received = told.iter().any(|event| {
            matches!(event, Event::Link(connection::Event::CloseReceived(close)) if close.code() == CloseCode::UNSUPPORTED_DATA)
        });
        assert!(received, "{told:?}");
    }
}

#[test]
fn a_protocol_error_closes_with_1002_and_damage_with_1011() {
    for (message, code) in [
        (&b"\x04\0\0\0\0\0\0\0\0"[..], CloseCode::PROTOCOL_ERROR),
        (&b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"[..], CloseCode::INTERNAL_ERROR),
    ] {
        let mut pair = Pair::new();
        pair.settle();
        pair.client.0.send(pair.now, Message::Binary(Bytes::copy_from_slice(message))).expect("room");
        pair.settle();
        let told = events(&mut pair.client.1);
        let received = told.iter().any(|event| {
            matches!(event, Event::Link(connection::Event::CloseReceived(close)) if close.code() == code)
        });
        assert!(received, "{code}: {told:?}");
    }
}

#[test]
fn a_session_sends_what_it_has_queued_before_it_answers_a_close() {
    let mut pair = Pair::new();
    pair.client.1.transfers_mut().offer(pair.now, offer(1 << 30)).expect("new");
    pair.settle();
    // The client offers another file and leaves at once; meanwhile the server accepts the first one.
    let second = Offer::new(TransferId::from_bytes([2; 16]), SafeName::parse("other").expect("safe"), 5);
    pair.client.1.transfers_mut().offer(pair.now, second).expect("new");
    pump(pair.now, &mut pair.client.0, &mut pair.client.1);
    pair.client.0.close(pair.now, Close::normal()).expect("open");
    let answer = Answer::Take { from: 0, prefix: Digest::of(b""), epoch: 1, expires: None };
    assert!(pair.server.1.transfers_mut().answer(pair.now, ID, answer));
    assert!(carry(pair.now, &mut pair.client.0, &mut pair.server.0) > 0);

    pump(pair.now, &mut pair.server.0, &mut pair.server.1);
    pair.server.0.handle_timeout(pair.now);
    let output = pair.server.0.outputs().collect::<alloc::vec::Vec<_>>().concat();
    assert_eq!((output[0], &output[output.len() - 4..]), (0x82, &[0x88, 2, 0x03, 0xe8][..]));
}

#[test]
fn each_client_announces_its_own_instance() {
    let instance = |seed: u8, given: [u8; 16]| {
        let mut config = Config::default();
        config.transfer.instance = given;
        let mut client = Session::client(config, [seed; 32], Instant::ZERO);
        let mut server = Session::server(Config::default(), Instant::ZERO);
        client.handle_link_up(Instant::ZERO, None);
        server.handle_link_up(Instant::ZERO, None);
        while let Some(message) = client.poll_message(Instant::ZERO, usize::MAX) {
            server.handle_message(Instant::ZERO, message.into_bytes());
        }
        server.transfers().peer().expect("its HELLO").instance
    };
    assert_ne!(instance(1, [0; 16]), [0; 16]);
    assert_ne!(instance(1, [0; 16]), instance(2, [0; 16]));
    assert_eq!(instance(1, [7; 16]), [7; 16]);
}
