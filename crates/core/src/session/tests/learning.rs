//! What a session learns about its path, and what it reports to its connections.

use super::*;
use crate::adapt::Mode;
use crate::connection::Lesson;
use alloc::string::ToString;
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const START: Instant = Instant::from_secs(100);

fn learner(mode: Mode) -> Config {
    let mut config = Config::default();
    (config.adapt.mode, config.adapt.interval) = (mode, 40 * SECOND);
    config.unix = 1_790_000_000;
    config.messages = Some(crate::messages::Config::default());
    config
}

fn client(mode: Mode) -> Session {
    let mut session = Session::client(learner(mode), SEED, START);
    session.handle_link_up(START, None);
    events(&mut session);
    session
}

/// A connection that opened at the start and was ended by something else after this silence.
fn ended_after(silence: Duration) -> Disconnect {
    let mut connection = Connection::client(connection::Config::default(), SEED, START);
    connection.set_heartbeat_interval(START, 3600 * SECOND, Lesson::Asked);
    connection.handle_end(START + silence, End::Eof);
    core::iter::from_fn(|| connection.poll_event())
        .find_map(|event| match event {
            connection::Event::Closed(disconnect) => Some(disconnect),
            _ => None,
        })
        .expect("it is over")
}

fn changed(from: u64, to: u64, why: Lesson) -> Event {
    let (from, to) = (Duration::from_secs(from), Duration::from_secs(to));
    Event::Link(connection::Event::HeartbeatChanged { from, to, why })
}

#[test]
fn an_end_after_a_silence_shortens_the_next_interval_and_says_so() {
    let mut session = client(Mode::Learn);
    assert_eq!(session.heartbeat_interval(START), Some(40 * SECOND));
    let lost = START + 20 * SECOND;
    session.handle_link_down(lost, ended_after(20 * SECOND));

    let told = events(&mut session);
    let Event::LinkDown(disconnect) = &told[0] else { panic!("{told:?}") };
    assert!(disconnect.to_string().ends_with("; heartbeat set to 15 s"), "{disconnect}");
    assert_eq!(told[1], changed(40, 15, Lesson::Dropped { silence: 20 * SECOND }));
    assert_eq!(session.heartbeat_interval(lost), Some(15 * SECOND));
    let path = session.path().expect("a client has one");
    assert_eq!(path.to_string(), "- - 20.000 1790000020", "the wall clock has gone on with ours");
}

#[test]
fn a_limit_is_forgotten_when_a_link_opens_after_a_week() {
    let mut session = client(Mode::Learn);
    session.handle_link_down(START + 20 * SECOND, ended_after(20 * SECOND));
    events(&mut session);
    let week = START + 20 * SECOND + 7 * 24 * 3600 * SECOND;
    assert_eq!(session.heartbeat_interval(week), Some(40 * SECOND));
    session.handle_link_up(week, None);
    assert_eq!(events(&mut session), [changed(15, 40, Lesson::Forgotten)]);
}

#[test]
fn a_session_begins_with_what_is_known_about_its_path() {
    let mut config = learner(Mode::Learn);
    config.path = "here - 20.000 1789999999".parse().expect("a line");
    let session = Session::client(config, SEED, START);
    assert_eq!(session.heartbeat_interval(START), Some(15 * SECOND));
    assert_eq!(session.path().map(adapt::Path::key), Some("here"));
}

#[test]
fn a_server_learns_nothing() {
    let mut session = Session::server(learner(Mode::Learn), START);
    session.handle_link_up(START, None);
    session.handle_survived(START, 40 * SECOND);
    session.handle_link_down(START + 20 * SECOND, ended_after(20 * SECOND));
    assert_eq!((session.heartbeat_interval(START), session.path()), (None, None));
    assert_eq!(session.poll_heartbeat(START), None);
    let told = events(&mut session);
    let [Event::LinkDown(disconnect)] = &told[..] else { panic!("{told:?}") };
    assert!(disconnect.to_string().ends_with("; set the heartbeat to 15 s or less"), "{disconnect}");
}

#[test]
fn a_client_that_explores_changes_the_interval_of_the_current_link() {
    let mut session = client(Mode::Explore);
    let mut connection = Connection::client(connection::Config::default(), SEED, START);
    connection.set_heartbeat_interval(START, 40 * SECOND, Lesson::Asked);
    assert!(connection.poll_event().is_some());
    let mut now = START;
    let mut told = Vec::new();
    for _ in 0..3 {
        // A ping after a silence, and its answer.
        now += 40 * SECOND;
        connection.handle_timeout(now);
        while !connection.output().is_empty() {
            let n = connection.output().len();
            connection.handle_written(now, n);
        }
        now += Duration::from_millis(1);
        connection.handle_input(now, &[0x8a, 0]);
        pump(now, &mut connection, &mut session);
        pump(now, &mut connection, &mut session);
        told.extend(events(&mut session).into_iter().filter(|event| matches!(event, Event::Link(_))));
    }
    assert_eq!(told, [changed(40, 60, Lesson::Explores)]);

    // A transfer begins: nothing is risked meanwhile.
    session.transfers_mut().offer(now, offer(10)).expect("new");
    let calm = session.poll_heartbeat(now).expect("another interval");
    assert_eq!((calm.to, calm.why), (40 * SECOND, Lesson::Busy));
    assert_eq!(session.poll_heartbeat(now), None, "said once");
    session.transfers_mut().fail(now, ID, transfer::Failure::local(Code::Cancelled, "enough"));
    let again = session.poll_heartbeat(now).expect("the interval that was tried");
    assert_eq!((again.to, again.why), (60 * SECOND, Lesson::Explores));

    // The same while a message is under way.
    let messages = session.messages_mut().expect("a client that speaks");
    messages.send(now, Message::text("hello")).expect("room");
    let calm = session.poll_heartbeat(now).expect("another interval");
    assert_eq!((calm.to, calm.why), (40 * SECOND, Lesson::Busy));
}

#[test]
fn a_change_learned_on_a_lost_link_is_not_reported_to_the_next() {
    let mut session = client(Mode::Explore);
    for n in 1..=3 {
        session.handle_survived(START + n * 40 * SECOND, 40 * SECOND);
    }
    let later = START + 200 * SECOND;
    session.handle_link_up(later, None);
    assert_eq!(session.poll_heartbeat(later), None, "the connection was built with it");
    assert_eq!(session.heartbeat_interval(later), Some(60 * SECOND));
}

#[test]
fn a_change_waits_until_it_is_polled() {
    let mut session = client(Mode::Explore);
    for n in 1..=4 {
        session.handle_survived(START + n * 40 * SECOND, 40 * SECOND);
    }
    let change = session.poll_heartbeat(START + 200 * SECOND).expect("after the third");
    assert_eq!((change.to, change.why), (60 * SECOND, Lesson::Explores));
}
