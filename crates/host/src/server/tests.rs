//! What a server answers and what it remembers, without a socket.

mod belated;
mod crowd;
mod doors;
mod jobs;
mod listings;
mod rates;

use std::sync::Arc;
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bowline_core::connection::{Config, Stats};
use bowline_core::transfer::{SUBPROTOCOL, TransferId};
use bowline_core::{Connection, End, Instant, Message};
use bowline_store::{DiskStore, Principal};

use super::figures::Tally;
use super::*;
use crate::AcceptError;
use crate::accept::Decision;
use crate::transfer::Verb;

fn house(config: ServerConfig) -> (tempfile::TempDir, Arc<House>) {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), bowline_store::Config::default()).unwrap();
    (dir, Arc::new(House::new(store, config, Arc::new(|| ()), Instant::ZERO)))
}

fn request(authorization: Option<&str>) -> http::Request<()> {
    let mut request = http::Request::new(());
    if let Some(value) = authorization {
        request.headers_mut().insert("authorization", value.parse().unwrap());
    }
    request
}

fn page(host: &str, origin: &str) -> http::Request<()> {
    http::Request::builder().header("host", host).header("origin", origin).body(()).unwrap()
}

fn status(decision: &Decision) -> u16 {
    match decision {
        Decision::Accept(_) => 101,
        Decision::Reject(response) => response.status().as_u16(),
    }
}

/// A client that has connected.
fn served(house: &Arc<House>, now: Instant) -> Served {
    let (_, pass) = house.decide(&request(None), &[SUBPROTOCOL.to_owned()]);
    let (spawn, deliver, stir): (bowline_store::worker::Spawn, _, _) =
        (Arc::new(|job| job()), Arc::new(drop), Arc::new(|| ()));
    house.serve(pass.unwrap(), "peer".into(), spawn, deliver, stir, now)
}

#[test]
fn the_token_says_who_the_client_is_and_the_subprotocol_what_it_wants() {
    let alice = Principal::named("alice").unwrap();
    let access = Access::by_token("common").with_token(Secret::of("hers"), Grant::to(alice.clone()));
    let config = ServerConfig { access, ..ServerConfig::default() };
    let (_dir, house) = house(config);
    let ours = [SUBPROTOCOL.to_owned()];
    for (shown, expected, who) in [
        (Some("Bearer hers"), 101, Some(alice)),
        (Some("Bearer common"), 101, Some(Principal::default())),
        (Some("Bearer other"), 401, None),
        (None, 401, None),
    ] {
        let (decision, pass) = house.decide(&request(shown), &ours);
        let principal = pass.map(|pass| pass.principal().clone());
        assert_eq!((status(&decision), principal), (expected, who), "{shown:?}");
    }
    let (decision, _) = house.decide(&request(Some("Bearer common")), &["chat".to_owned()]);
    assert_eq!(status(&decision), 400);
}

#[test]
fn a_client_without_a_token_is_told_what_kind_is_wanted() {
    let (_dir, house) = house(ServerConfig { access: Access::by_token("his"), ..ServerConfig::default() });
    let (decision, _) = house.decide(&request(None), &[SUBPROTOCOL.to_owned()]);
    let Decision::Reject(response) = decision else { panic!("{decision:?}") };
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
}

#[test]
fn a_message_longer_than_any_client_has_to_send_is_refused() {
    let (_dir, house) = house(ServerConfig::default());
    let now = Instant::ZERO;
    let mut near = Connection::client(Config::default(), [1; 32], now);
    let mut far = Connection::server(house.connection(), [1; 32], now);
    near.send(now, Message::binary(vec![0; 1 << 20])).unwrap();
    while !near.output().is_empty() && far.is_open() {
        let part = near.output().len().min(64 << 10);
        far.handle_input(now, &near.output()[..part]);
        near.handle_written(now, part);
    }
    assert!(!far.is_open(), "all of it was taken");
}

#[test]
fn anybody_may_come_where_there_are_no_tokens() {
    let (_dir, house) = house(ServerConfig::default());
    assert_eq!(status(&house.decide(&request(None), &[SUBPROTOCOL.to_owned()]).0), 101);
}

#[test]
fn pages_of_others_do_not_reach_a_server() {
    let answer = |house: &House, request| house.decide(&request, &[SUBPROTOCOL.to_owned()]);
    let (_dir, house) = house(ServerConfig::default());
    let (decision, pass) = answer(&house, page("127.0.0.1:9000", "https://evil.example"));
    assert!(pass.is_none());
    let Decision::Reject(response) = decision else { panic!("{decision:?}") };
    assert_eq!(response.status(), 403);
    assert!(
        String::from_utf8_lossy(response.body()).ends_with("here: https://evil.example\n"),
        "{response:?}"
    );
    let own = answer(&house, page("127.0.0.1:9000", "http://127.0.0.1:9000"));
    assert_eq!((status(&own.0), own.1.is_some()), (101, true));
}

#[test]
fn pages_that_are_named_reach_a_server() {
    let origins = Origins::own().with_origin("https://example.org").unwrap();
    let (_dir, house) = house(ServerConfig { origins, ..ServerConfig::default() });
    for (origin, expected) in [("https://example.org", 101), ("https://evil.example", 403)] {
        let request = page("127.0.0.1:9000", origin);
        assert_eq!(status(&house.decide(&request, &[SUBPROTOCOL.to_owned()]).0), expected, "{origin}");
    }
}

#[test]
fn a_page_needs_a_token_as_well() {
    let origins = Origins::own().with_origin("*").unwrap();
    let config = ServerConfig { origins, access: Access::by_token("his"), ..ServerConfig::default() };
    let (_dir, house) = house(config);
    let request = page("127.0.0.1:9000", "https://example.org");
    assert_eq!(status(&house.decide(&request, &[SUBPROTOCOL.to_owned()]).0), 401);
}

#[test]
fn a_refused_page_is_reported_and_counted_as_such() {
    let (_dir, house) = house(ServerConfig::default());
    let error = bowline_handshake::server::Error::Rejected {
        status: http::StatusCode::FORBIDDEN,
        text: "a page of https://evil.example".into(),
    };
    let event = house.refuse_handshake("peer".into(), &AcceptError::Handshake(error));
    let ServerEvent::Rejected { peer, why } = event else { panic!("{event:?}") };
    assert!(peer == "peer" && why.ends_with("403 Forbidden: a page of https://evil.example"), "{why}");
    assert_eq!(house.figures().refused.get("origin"), Some(&1));
}

#[test]
fn a_pause_outlives_links_until_it_is_taken_back() {
    let (_dir, house) = house(ServerConfig::default());
    let id = TransferId::from_bytes([1; 16]);
    for end in [Verb::Resume, Verb::Cancel(bowline_core::transfer::Leftover::Keep)] {
        house.order(id, Verb::Pause);
        assert!(house.is_paused(id));
        house.order(id, end);
        assert!(!house.is_paused(id));
    }
}

#[test]
fn a_pause_is_remembered_as_long_as_an_abandoned_file() {
    let dir = tempfile::tempdir().unwrap();
    for (expire_after, lasts) in [(Some(Duration::ZERO), false), (None, true)] {
        let mut config = bowline_store::Config::default();
        config.expire_after = expire_after;
        let store = DiskStore::open(dir.path(), config).unwrap();
        let house = House::new(store, ServerConfig::default(), Arc::new(|| ()), Instant::ZERO);
        let id = TransferId::from_bytes([1; 16]);
        house.order(id, Verb::Pause);
        assert_eq!(house.is_paused(id), lasts);
    }
}

#[test]
fn the_end_of_a_link_is_reported_last() {
    let now = Instant::ZERO;
    let (_dir, house) = house(ServerConfig::default());
    let mut served = served(&house, now);
    let mut connection = Connection::server(Config::default(), [7; 32], now);
    served.pump(now, &mut connection);
    served.send_away(now, &mut connection);
    assert!(!connection.is_open(), "the client is told to come back");
    connection.handle_end(now, End::Reset);
    served.pump(now, &mut connection);
    let outputs: Vec<_> = std::iter::from_fn(|| served.poll_output(now)).collect();
    assert!(matches!(outputs.first(), Some(Output::Event(ServerEvent::Connected { .. }))), "{outputs:?}");
    assert!(matches!(outputs.last(), Some(Output::Down(_))), "{outputs:?}");
    assert_eq!(outputs.iter().filter(|output| matches!(output, Output::Down(_))).count(), 1);
}

#[test]
fn each_past_link_is_counted_once_as_ended() {
    let now = Instant::ZERO;
    let (_dir, house) = house(ServerConfig::default());
    let mut reset = served(&house, now);
    let mut connection = Connection::server(Config::default(), [7; 32], now);
    connection.handle_end(now, End::Reset);
    reset.pump(now, &mut connection);
    drop((reset, served(&house, now)));
    let figures = house.figures();
    assert_eq!((figures.opened, figures.connections), (2, 0));
    // The second one was cut.
    assert_eq!(figures.ended, [("local_abort", 1), ("reset", 1)].into());
}

#[test]
fn bytes_and_pings_that_cross_a_link_are_counted_once() {
    let tally = Tally::default();
    let (mut share, mut stats) = (tally.join(), Stats::default());
    for n in [1, 1, 5] {
        (stats.bytes_received, stats.bytes_sent) = (10 * n, 20 * n);
        (stats.pings, stats.pongs, stats.pings_received) = (30 * n, 40 * n, 50 * n);
        share.handle_stats(&stats);
        let Traffic { bytes_received, bytes_sent, pings, pongs, pings_received } = tally.figures().traffic;
        let counted = [bytes_received, bytes_sent, pings, pongs, pings_received];
        assert_eq!(counted, [10, 20, 30, 40, 50].map(|each| each * n));
    }
}

#[test]
fn open_transfers_of_a_link_are_counted_while_it_lives() {
    let tally = Tally::default();
    let mut share = tally.join();
    let moving = |moving| Stages { moving, ..Stages::default() };
    for count in [1, 3, 3, 2] {
        share.handle_open((moving(count), Stages::default()));
        assert_eq!(tally.figures().sent_by_clients.open, moving(count));
    }
    drop(share);
    assert_eq!(tally.figures().sent_by_clients.open, Stages::default());
}

/// Whether the client is about to be told this.
fn is_told(connection: &Connection, word: &str) -> bool {
    String::from_utf8_lossy(connection.output()).contains(word)
}

#[test]
fn a_grant_ends_by_the_wall_clock_even_if_that_is_set_forward_or_back() {
    const HOUR: Duration = Duration::from_secs(3600);
    let wall = SystemTime::now();
    let spawn: bowline_store::worker::Spawn = Arc::new(|job| job());
    for (until, is_over) in [(wall - HOUR, true), (wall + HOUR, false)] {
        let grant = Grant { until: Some(until), ..Grant::default() };
        let access = Access::anybody(grant);
        let pass = access.pass(request(None).headers(), UNIX_EPOCH).unwrap();
        let (_dir, house) = house(ServerConfig { access, ..ServerConfig::default() });
        let now = Instant::ZERO;
        let deliver = Arc::new(drop);
        let mut served = house.serve(pass, "peer".into(), spawn.clone(), deliver, Arc::new(|| ()), now);
        let mut connection = Connection::server(Config::default(), [7; 32], now);
        served.pump(now, &mut connection);
        assert_eq!(is_told(&connection, "expired"), is_over, "before any timer rings");
        // As if the clock had been set back by two hours.
        let late = now + 2 * HOUR;
        served.handle_timeout(late);
        served.pump(late, &mut connection);
        assert_eq!(is_told(&connection, "expired"), is_over);
    }
}

#[test]
fn a_guest_without_a_valid_token_is_refused() {
    let (_dir, house) = house(ServerConfig { access: Access::by_token("his"), ..ServerConfig::default() });
    for (shown, expected) in [(Some("Bearer his"), 101), (Some("Bearer hers"), 401), (None, 401)] {
        let mut request = request(shown);
        let headers = [
            ("host", "localhost"),
            ("connection", "upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", SUBPROTOCOL),
        ];
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        let (answer, guest) = house.answer(&request);
        assert_eq!((answer.status().as_u16(), guest.is_some()), (expected, expected == 101), "{shown:?}");
    }
}

#[test]
fn a_server_that_has_stopped_is_heard_until_its_last_link_is_gone() {
    let now = Instant::ZERO;
    let messages = Some(bowline_core::messages::SessionsConfig::default());
    let (_dir, house) = house(ServerConfig { messages, ..ServerConfig::default() });
    let served = served(&house, now);
    house.talks().stop(now);
    assert_eq!(house.talks().receive(now), Err(TryRecvError::Empty));
    drop(served);
    assert_eq!(house.talks().receive(now), Err(TryRecvError::Disconnected));
}

#[test]
fn a_store_is_swept_no_more_than_once_a_second() {
    let every = |sweep_every| house(ServerConfig { sweep_every, ..ServerConfig::default() }).1.sweep_every();
    assert_eq!(every(Some(Duration::ZERO)), Some(Duration::from_secs(1)));
    assert_eq!(every(Some(Duration::from_secs(2))), Some(Duration::from_secs(2)));
    assert_eq!(every(None), None);
}
