//! A connection to any server that is re-established whenever it is lost.

use super::*;
use bowline_core::connection::Event;
use bowline_core::message::Piece;
use bowline_core::{Close, CloseCode, Message, adapt};

fn reconnecting(config: ReconnectingConfig) -> Reconnecting {
    let mut reconnecting = unwanted(config);
    reconnecting.handle_timeout(Instant::ZERO);
    reconnecting
}

/// One for which nobody has waited yet.
fn unwanted(config: ReconnectingConfig) -> Reconnecting {
    Reconnecting::new(config, &Request::new("ws://127.0.0.1:9000").unwrap(), Instant::ZERO).unwrap()
}

/// All its outputs, in short form.
fn told(reconnecting: &mut Reconnecting) -> Vec<String> {
    std::iter::from_fn(|| reconnecting.poll_event())
        .map(|event| match event {
            LinkEvent::Up { link } => format!("link {link}"),
            LinkEvent::Dialing { attempt } => format!("dialing {attempt}"),
            LinkEvent::Waiting { attempt, .. } => format!("waiting for {attempt}"),
            LinkEvent::Down { disconnect } => format!("down: {disconnect}"),
            LinkEvent::DialFailed { attempt, disconnect } => format!("{attempt} failed: {disconnect}"),
            LinkEvent::GaveUp { why, reached } => format!("gave up: {why}, reached: {reached}"),
            LinkEvent::Notice(Event::HeartbeatChanged { to, .. }) => format!("pings after {to:?}"),
            other => format!("{other:?}"),
        })
        .collect()
}

/// A connection with its settings that begins now, and ends like this after this much silence.
fn cut(reconnecting: &mut Reconnecting, now: Instant, silence: Duration, end: End) -> Instant {
    reconnecting.handle_up(now);
    let mut connection = Connection::client(reconnecting.connection(now), [7; 32], now);
    let now = now + silence;
    connection.handle_end(now, end);
    reconnecting.handle_down(now, end_of(&mut connection));
    now
}

/// Waits for the next dial.
fn wait(reconnecting: &mut Reconnecting) -> Instant {
    let now = reconnecting.poll_timeout().expect("it dials again");
    reconnecting.handle_timeout(now);
    now
}

#[test]
fn it_dials_until_it_is_up_and_again_when_it_is_down() {
    let mut it = reconnecting(ReconnectingConfig::default());
    assert!(matches!(it.state(), LinkState::Dialing { attempt: 1 }));
    it.handle_dial_failed(Instant::ZERO, refused());
    assert_eq!(told(&mut it), ["dialing 1", "1 failed: nothing is listening", "waiting for 2"]);
    assert!(matches!(it.state(), LinkState::Waiting { why, .. } if why == "nothing is listening"));

    let now = wait(&mut it);
    assert!(matches!(it.state(), LinkState::Dialing { attempt: 2 }));
    let now = cut(&mut it, now, 60 * SECOND, End::Reset);
    assert_eq!(told(&mut it)[..2], ["dialing 2", "link 1"]);
    assert!(matches!(it.state(), LinkState::Waiting { attempt: 1, until, .. } if *until > now));
    wait(&mut it);
    assert_eq!(told(&mut it), ["dialing 1"]);
}

#[test]
fn while_it_is_up_there_is_nothing_to_wait_for() {
    let mut it = reconnecting(ReconnectingConfig::default());
    it.handle_up(Instant::ZERO);
    assert!(matches!(it.state(), LinkState::Up));
    assert_eq!(it.poll_timeout(), None);
}

#[test]
fn a_silence_that_ended_one_connection_is_avoided_on_the_next() {
    let mut config = ReconnectingConfig::default();
    config.connection.heartbeat.interval = 120 * SECOND;
    let paths = config.paths.clone();
    let mut it = reconnecting(config);
    told(&mut it);
    let now = cut(&mut it, Instant::ZERO, 60 * SECOND, End::Eof);
    let told = told(&mut it);
    assert!(told[1].starts_with("down: ") && told[1].ends_with("; heartbeat set to 45 s"), "{told:?}");
    assert_eq!(told[2..], ["pings after 45s", "waiting for 1"]);
    assert_eq!(it.heartbeat_interval(now), 45 * SECOND);
    assert_eq!(it.connection(now).heartbeat.interval, 45 * SECOND);
    assert_ne!(it.connection(now).history, connection::Config::default().history, "it explains the next end");
    assert!(paths.to_string().starts_with("127.0.0.1:9000 "), "{paths}");

    // Another client on this path knows it from the start.
    let mut config = ReconnectingConfig::default();
    config.connection.heartbeat.interval = 120 * SECOND;
    config.paths = paths.clone();
    assert_eq!(reconnecting(config.clone()).heartbeat_interval(now), 45 * SECOND);
    config.path = Some("elsewhere".into());
    assert_eq!(reconnecting(config.clone()).heartbeat_interval(now), 120 * SECOND, "that is another path");
    (config.path, config.learning) = (None, adapt::Mode::Fixed);
    assert_eq!(reconnecting(config).heartbeat_interval(now), 120 * SECOND, "nothing is to be learned");
}

#[test]
fn a_server_that_wants_fewer_pings_gets_fewer() {
    let now = Instant::ZERO;
    let mut it = reconnecting(ReconnectingConfig::default());
    it.handle_up(now);
    let interval = it.heartbeat_interval(now);
    let mut client = Connection::client(it.connection(now), [7; 32], now);
    let mut server = Connection::server(connection::Config::default(), [8; 32], now);
    server.close(now, Close::new(CloseCode::POLICY, "too many pings").unwrap()).unwrap();
    pass(now, &mut server, &mut client);
    while let Some(event) = client.poll_event() {
        assert!(!matches!(event, Event::Closed(_)), "the stream is open yet");
    }
    client.handle_end(now, End::Eof);
    it.handle_down(now, end_of(&mut client));
    assert_eq!(it.heartbeat_interval(now), 2 * interval);
}

#[test]
fn a_refusal_by_the_server_is_final() {
    let mut it = reconnecting(ReconnectingConfig::default());
    told(&mut it);
    let no = Disconnect::handshake_rejected(401, None, "a token is wanted");
    it.handle_dial_failed(Instant::ZERO, no.clone());
    let expected = ["1 failed: a token is wanted", "gave up: a token is wanted, reached: false"];
    assert_eq!(told(&mut it), expected);
    assert_eq!(it.ended(), Some(&GaveUp::Refused("a token is wanted".into())));
    assert!(matches!(it.state(), LinkState::Ended { why } if why == "a token is wanted"));

    it.handle_up(Instant::ZERO);
    it.handle_dial_failed(Instant::ZERO, no);
    it.handle_network_change(Instant::ZERO);
    it.handle_timeout(Instant::ZERO + 60 * SECOND);
    assert_eq!((told(&mut it), it.poll_timeout()), (Vec::new(), None), "it stays so");
    assert_eq!(it.ended(), Some(&GaveUp::Refused("a token is wanted".into())));
}

#[test]
fn an_application_can_dial_again_after_a_refusal() {
    let mut it = reconnecting(ReconnectingConfig::default());
    let no = Disconnect::handshake_rejected(401, None, "a token is wanted");
    it.handle_dial_failed(Instant::ZERO, no);
    told(&mut it);
    it.dial(Instant::ZERO);
    assert_eq!((told(&mut it), it.ended()), (vec!["dialing 2".into()], None));
    it.dial(Instant::ZERO);
    it.handle_up(Instant::ZERO);
    it.dial(Instant::ZERO);
    assert_eq!(told(&mut it), ["link 1"], "there is nothing to dial for");

    it.close();
    it.handle_down(Instant::ZERO, Disconnect::handshake_rejected(503, None, "busy"));
    told(&mut it);
    it.dial(Instant::ZERO);
    assert_eq!((told(&mut it), it.ended()), (Vec::new(), Some(&GaveUp::Closed)));
}

#[test]
fn a_server_that_is_away_for_too_long_is_given_up() {
    let mut config = ReconnectingConfig::default();
    config.reconnect.max_attempts = Some(2);
    let mut it = reconnecting(config);
    cut(&mut it, Instant::ZERO, 60 * SECOND, End::Reset);
    for _ in 0..2 {
        let now = wait(&mut it);
        told(&mut it);
        it.handle_dial_failed(now, refused());
    }
    let why = "nothing is listening; gave up: no connection after 2 attempts";
    assert_eq!(told(&mut it), ["2 failed: nothing is listening", &format!("gave up: {why}, reached: true")]);
    assert_eq!(it.ended(), Some(&GaveUp::Unreachable(why.into())));
}

#[test]
fn a_dial_that_does_not_end_is_abandoned() {
    let mut config = ReconnectingConfig::default();
    config.dial.connect_timeout = 3 * SECOND;
    let mut it = reconnecting(config);
    told(&mut it);
    assert_eq!(it.poll_timeout(), Some(Instant::from_secs(4)), "it says by itself what it waited for");
    wait(&mut it);
    assert_eq!(told(&mut it), ["waiting for 2"]);
}

#[test]
fn a_dial_after_one_that_timed_out_has_twice_as_long() {
    let mut it = reconnecting(ReconnectingConfig::default());
    let mut now = Instant::ZERO;
    for time in [10, 20, 40, 60, 60] {
        assert_eq!(patience(&it.dial_config()).0, time);
        assert_eq!(it.poll_timeout(), Some(now + (time + 1) as u32 * SECOND));
        it.handle_dial_failed(now, timed_out());
        now = wait(&mut it);
    }
    it.handle_network_change(now);
    assert_eq!(it.poll_timeout(), Some(now + 11 * SECOND), "another network");
    it.handle_dial_failed(now, timed_out());
    now = wait(&mut it);
    it.handle_up(now);
    assert_eq!(patience(&it.dial_config()).0, 10);
}

#[test]
fn a_connection_that_is_wanted_late_has_its_full_time() {
    let mut config = ReconnectingConfig::default();
    config.reconnect.first_contact = Some(20 * SECOND);
    let mut it = unwanted(config);
    assert!(matches!(it.state(), LinkState::Dialing { attempt: 1 }));
    let late = Instant::from_secs(3600);
    it.handle_timeout(late);
    assert_eq!((told(&mut it), it.poll_timeout()), (vec!["dialing 1".into()], Some(late + 11 * SECOND)));
    it.handle_dial_failed(late + SECOND, refused());
    assert_eq!(told(&mut it), ["1 failed: nothing is listening", "waiting for 2"]);
}

#[test]
fn pieces_are_joined_into_whole_messages() {
    let mut it = reconnecting(ReconnectingConfig::default());
    let notice = |piece| LinkEvent::Notice(Event::Piece(piece));
    assert_eq!(it.message(notice(Piece::text("the beginning of one"))), None);
    cut(&mut it, Instant::ZERO, SECOND, End::Reset);
    assert_eq!(it.message(notice(Piece::text("an"))), None);
    assert_eq!(it.message(LinkEvent::Notice(Event::Pong { rtt: SECOND })), None);
    assert_eq!(it.message(notice(Piece::text("other").last())), Some(Message::text("another")));
    assert_eq!(
        it.message(LinkEvent::Notice(Event::Message(Message::text("one")))),
        Some(Message::text("one"))
    );
}

#[test]
fn a_dial_may_have_no_time_limit() {
    let (mut single, mut files) = (ReconnectingConfig::default(), ClientConfig::default());
    (single.dial.connect_timeout, files.dial.connect_timeout) = (Duration::MAX, Duration::MAX);
    assert_eq!(reconnecting(single).poll_timeout(), None);
    assert_eq!(keeper(files).poll_timeout(), None);
}

#[test]
fn a_closed_connection_is_not_dialled_again() {
    let mut it = reconnecting(ReconnectingConfig::default());
    it.close();
    assert_eq!((told(&mut it), it.poll_timeout()), (Vec::new(), None), "nor does it begin to");
    assert_eq!(it.ended(), Some(&GaveUp::Closed));

    let mut it = reconnecting(ReconnectingConfig::default());
    it.handle_up(Instant::ZERO);
    told(&mut it);
    it.close();
    let mut connection = Connection::client(it.connection(Instant::ZERO), [7; 32], Instant::ZERO);
    connection.handle_end(Instant::ZERO, End::LocalAbort);
    it.handle_down(Instant::ZERO, end_of(&mut connection));
    let told = told(&mut it);
    assert!(told.len() == 1 && told[0].starts_with("down: "), "{told:?}");
    assert_eq!(it.poll_timeout(), None);
}

/// How it has ended, or by a reset now.
fn end_of(connection: &mut Connection) -> Disconnect {
    connection.handle_end(Instant::ZERO, End::Reset);
    std::iter::from_fn(|| connection.poll_event())
        .find_map(|event| if let Event::Closed(disconnect) = event { Some(disconnect) } else { None })
        .expect("it is over")
}

#[test]
fn a_change_of_network_shortens_the_wait_for_the_next_dial() {
    let mut config = ReconnectingConfig::default();
    config.reconnect.floor = 20 * SECOND;
    let mut it = reconnecting(config);
    it.handle_dial_failed(Instant::ZERO, refused());
    assert!(it.poll_timeout() >= Some(Instant::from_secs(20)));
    told(&mut it);
    it.handle_network_change(Instant::ZERO);
    assert!(it.poll_timeout() <= Some(Instant::from_millis(500)), "{:?}", it.poll_timeout());
}

/// A peer that answers every ping, for this long; returns the intervals that the connection changed to.
fn intervals(learning: adapt::Mode, hours: u64) -> Vec<Duration> {
    let mut config = ReconnectingConfig::default();
    (config.learning, config.connection.heartbeat.jitter_percent) = (learning, 0);
    let mut it = reconnecting(config);
    let mut now = Instant::ZERO;
    it.handle_up(now);
    let mut client = Connection::client(it.connection(now), [7; 32], now);
    let mut server = connection::Config::default();
    server.heartbeat.mode = bowline_core::heartbeat::Mode::Off;
    let mut server = Connection::server(server, [8; 32], now);
    let mut intervals = Vec::new();
    while now < Instant::from_secs(hours * 3600) {
        now = client.poll_timeout().expect("a heartbeat");
        client.handle_timeout(now);
        pass(now, &mut client, &mut server);
        while server.poll_event().is_some() {}
        pass(now, &mut server, &mut client);
        while let Some(event) = client.poll_event() {
            match event {
                Event::HeartbeatChanged { to, .. } => intervals.push(to),
                Event::Closed(disconnect) => panic!("{disconnect}"),
                _ => {}
            }
            if let Some(silence) = client.poll_survived() {
                it.handle_survived(now, silence, &mut client);
            }
        }
    }
    intervals
}

fn pass(now: Instant, from: &mut Connection, to: &mut Connection) {
    while !from.output().is_empty() {
        let n = from.output().len();
        to.handle_input(now, from.output());
        from.handle_written(now, n);
    }
}

#[test]
fn exploring_lengthens_the_ping_interval_on_a_path_that_allows_it() {
    let intervals = intervals(adapt::Mode::Explore, 12);
    assert!(intervals.is_sorted() && intervals.last() > Some(&(40 * SECOND)), "{intervals:?}");
}

#[test]
fn the_ping_interval_stays_the_same_without_exploring() {
    assert!(intervals(adapt::Mode::Learn, 12).is_empty());
}

/// Facts and commands in any order, even those that no adapter would produce.
#[test]
fn its_events_agree_with_its_state_in_any_order_of_calls() {
    let mut rng = bowline_core::Rng::from_seed([5; 32]);
    for _ in 0..300 {
        let mut config = ReconnectingConfig::default();
        config.reconnect.max_attempts = Some(3 + rng.next_u32() % 3);
        let mut it = reconnecting(config);
        let (mut now, mut last, mut is_closed) = (Instant::ZERO, "", false);
        for _ in 0..60 {
            now += Duration::from_millis(u64::from(rng.next_u32() % 4000));
            match rng.next_u32() % 16 {
                0..4 => it.handle_up(now),
                4..8 => it.handle_dial_failed(now, refused()),
                8 => it.handle_dial_failed(now, Disconnect::handshake_rejected(401, None, "no")),
                9..11 => {
                    let mut connection = Connection::client(it.connection(now), [7; 32], now);
                    it.handle_down(now, end_of(&mut connection));
                }
                11 => it.handle_network_change(now),
                12 => it.dial(now),
                13 if rng.next_u32() % 16 == 0 => {
                    is_closed = true;
                    it.close();
                }
                _ => it.handle_timeout(now),
            }
            while let Some(event) = it.poll_event() {
                match event {
                    LinkEvent::Up { .. } => last = "up",
                    LinkEvent::Dialing { .. } => last = "dialing",
                    LinkEvent::Waiting { .. } => last = "waiting",
                    LinkEvent::GaveUp { .. } => last = "ended",
                    _ => {}
                }
            }
            let state = match it.state() {
                LinkState::Up => "up",
                LinkState::Dialing { .. } => "dialing",
                LinkState::Waiting { .. } => "waiting",
                LinkState::Ended { .. } => "ended",
            };
            assert_eq!(state, if is_closed { "ended" } else { last });
            assert_eq!(it.ended().is_some(), state == "ended");
            assert_eq!(it.poll_timeout().is_some(), state == "dialing" || state == "waiting", "{state}");
        }
    }
}
