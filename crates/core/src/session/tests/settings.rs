//! Settings of sessions at their extremes.

use super::messages::{LINK, pair_with, settle_at};
use super::*;
use crate::messages::{self, Sessions, SessionsConfig};
use alloc::format;
use alloc::string::String;

/// Sets one number to its least, or to its most.
type Set<T> = fn(&mut T, bool);

fn time(most: bool) -> Duration {
    if most { Duration::MAX } else { Duration::ZERO }
}

fn size(most: bool) -> usize {
    if most { usize::MAX } else { 0 }
}

/// A client, a server's end of its link, and the sessions there.
type Talk = (Session, Session, Sessions);

/// Each number of the settings of messages.
const OF_MESSAGES: [(&str, Set<messages::Config>); 10] = [
    ("max_bytes", |config, most| config.replay.max_bytes = size(most)),
    ("max_messages", |config, most| config.replay.max_messages = size(most)),
    ("ack_messages", |config, most| config.replay.ack_messages = if most { u64::MAX } else { 0 }),
    ("ack_bytes", |config, most| config.replay.ack_bytes = size(most)),
    ("ack_after", |config, most| config.replay.ack_after = time(most)),
    ("window.messages", |config, most| config.replay.window.messages = if most { u32::MAX } else { 0 }),
    ("window.bytes", |config, most| config.replay.window.bytes = if most { u32::MAX } else { 0 }),
    ("max_volatile", |config, most| config.max_volatile = size(most)),
    ("max_volatile_bytes", |config, most| config.max_volatile_bytes = size(most)),
    ("resume_timeout", |config, most| config.resume_timeout = time(most)),
];

/// Each number of what a server keeps of all its sessions.
const OF_SESSIONS: [(&str, Set<SessionsConfig>); 3] = [
    ("keep", |config, most| config.keep = time(most)),
    ("max_sessions", |config, most| config.max_sessions = size(most)),
    ("max_detached_bytes", |config, most| config.max_detached_bytes = size(most)),
];

#[test]
fn no_setting_keeps_messages_from_crossing() {
    for (field, set) in OF_MESSAGES {
        for most in [false, true] {
            let mut extreme = messages::Config::default();
            set(&mut extreme, most);
            let plain = messages::Config::default();
            for [client, server] in [[extreme, extreme], [extreme, plain], [plain, extreme]] {
                let sessions = SessionsConfig { session: server, ..SessionsConfig::default() };
                two_cross(&mut talk_of(client, sessions), Instant::ZERO)
                    .unwrap_or_else(|told| panic!("{field}, {most}: {told}"));
            }
        }
    }
}

#[test]
fn no_server_setting_keeps_messages_from_crossing_on_any_link() {
    for (field, set) in OF_SESSIONS {
        for most in [false, true] {
            let mut config = SessionsConfig::default();
            set(&mut config, most);
            let mut talk = talk_of(messages::Config::default(), config);
            for link in 0..3 {
                let now = Instant::from_secs(60 * link);
                relink(&mut talk, config, now);
                two_cross(&mut talk, now).unwrap_or_else(|told| panic!("{field}, {most}, {link}: {told}"));
            }
        }
    }
}

/// A client, and a server whose sessions have these settings.
fn talk_of(client: messages::Config, sessions: SessionsConfig) -> Talk {
    let config = |messages| Config { messages: Some(messages), ..Config::default() };
    pair_with(config(client), config(sessions.session), sessions)
}

/// The link is cut without a word, and the next one is up.
fn relink((client, server, sessions): &mut Talk, config: SessionsConfig, now: Instant) {
    lose_link(client, now);
    sessions.handle_link_down(now, LINK, false);
    sessions.handle_timeout(now);
    *server = Session::server(Config { messages: Some(config.session), ..Config::default() }, now);
    client.handle_link_up(now, None);
    server.handle_link_up(now, None);
    sessions.handle_link_up(now, LINK, b"");
    // What is sent before the client knows whether its session still exists may be returned.
    settle_at(now, client, server, sessions);
}

fn lose_link(session: &mut Session, now: Instant) {
    let mut connection = Connection::client(connection::Config::default(), SEED, Instant::ZERO);
    connection.handle_end(now, End::Reset);
    pump(now, &mut connection, session);
}

/// Two messages go each way, one after the other, as soon as there is room.
fn two_cross((client, server, sessions): &mut Talk, mut now: Instant) -> Result<(), String> {
    let (mut up, mut down) = (0, 0);
    let (mut said, mut answered, mut id) = (0, 0, None);
    for _ in 0..100 {
        let speaks = client.messages_mut().expect("a client that speaks");
        if said < 2 && speaks.send(now, Message::text("hello")).is_ok() {
            said += 1;
        }
        settle_at(now, client, server, sessions);
        if let Some((from, _)) = sessions.poll_received(now) {
            (up, id) = (up + 1, Some(from));
        }
        if id.is_some_and(|id| answered < 2 && sessions.send(now, id, Message::text("you too")).is_ok()) {
            answered += 1;
        }
        settle_at(now, client, server, sessions);
        down += usize::from(client.messages_mut().expect("it speaks").poll_received(now).is_some());
        if (up, down) == (2, 2) {
            return Ok(());
        }
        now += Duration::from_millis(100);
        client.handle_timeout(now);
        server.handle_timeout(now);
        sessions.handle_timeout(now);
    }
    Err(format!("{up} went up and {down} down: {:?}", events(client)))
}

/// Each of the numbers that make a client dial.
const OF_DIALS: [(&str, Set<Config>); 11] = [
    ("base", |config, most| config.reconnect.base = time(most)),
    ("cap", |config, most| config.reconnect.cap = time(most)),
    ("floor", |config, most| config.reconnect.floor = time(most)),
    ("first_window", |config, most| config.reconnect.first_window = time(most)),
    ("stable_after", |config, most| config.reconnect.stable_after = time(most)),
    ("connect_timeout", |config, most| config.reconnect.connect_timeout = time(most)),
    ("max_attempts", |config, most| config.reconnect.max_attempts = Some(if most { u32::MAX } else { 0 })),
    ("max_elapsed", |config, most| config.reconnect.max_elapsed = Some(time(most))),
    ("first_contact", |config, most| config.reconnect.first_contact = Some(time(most))),
    ("interval", |config, most| config.adapt.interval = time(most)),
    ("unix", |config, most| config.unix = if most { u64::MAX } else { 0 }),
];

#[test]
fn no_setting_keeps_a_client_from_its_first_link_or_from_going_on() {
    for (field, set) in OF_DIALS {
        for most in [false, true] {
            let mut config = Config::default();
            set(&mut config, most);
            let mut session = Session::client(config, SEED, Instant::ZERO);
            assert_eq!(session.poll_event(), Some(Event::Dial), "{field}, {most}");
            session.handle_link_up(Instant::ZERO, None);
            lose_link(&mut session, Instant::from_secs(1));
            let told = events(&mut session);
            let is_next =
                |event: &Event| matches!(event, Event::Dial | Event::Waiting { .. } | Event::GaveUp(_));
            assert!(told.iter().any(is_next), "{field}, {most}: {told:?}");
        }
    }
}
