//! What a server answers, and what it remembers, without a socket.

mod rates;

use std::sync::Arc;

use bowline_core::connection::Config;
use bowline_core::transfer::{SUBPROTOCOL, TransferId};
use bowline_core::{Connection, End, Instant};
use bowline_store::{DiskStore, Principal};

use super::*;
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

fn status(decision: &Decision) -> u16 {
    match decision {
        Decision::Accept(_) => 101,
        Decision::Reject(response) => response.status().as_u16(),
    }
}

#[test]
fn a_token_says_who_comes_and_the_subprotocol_what_for() {
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
fn anybody_may_come_where_there_are_no_tokens() {
    let (_dir, house) = house(ServerConfig::default());
    assert_eq!(status(&house.decide(&request(None), &[SUBPROTOCOL.to_owned()]).0), 101);
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
fn the_end_of_a_link_is_told_last() {
    let now = Instant::ZERO;
    let (_dir, house) = house(ServerConfig::default());
    let spawn: bowline_store::worker::Spawn = Arc::new(|job| job());
    let (_, pass) = house.decide(&request(None), &[SUBPROTOCOL.to_owned()]);
    let (deliver, stir) = (Arc::new(drop), Arc::new(|| ()));
    let mut served = house.serve(pass.unwrap(), "peer".into(), spawn, deliver, stir, now);
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
