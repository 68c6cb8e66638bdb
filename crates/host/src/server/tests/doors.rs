//! How many of a server's places one principal may take.

use std::sync::Arc;

use bowline_core::Instant;
use bowline_core::transfer::SUBPROTOCOL;
use bowline_store::Principal;

use super::{house, request, status};
use crate::accept::Decision;
use crate::server::{Access, Grant, House, Pass, Secret, ServerConfig};

/// A server with this many places that knows Alice by two tokens and Bob by one.
fn server(max_connections: usize) -> (tempfile::TempDir, Arc<House>) {
    let grant = |name| Grant::to(Principal::named(name).unwrap());
    let access = Access::anybody(Grant::default())
        .with_token(Secret::of("one"), grant("alice"))
        .with_token(Secret::of("two"), grant("alice"))
        .with_token(Secret::of("bob"), grant("bob"));
    house(ServerConfig { access, max_connections, ..ServerConfig::default() })
}

fn ask(house: &House, token: Option<&str>) -> (Decision, Option<Pass>) {
    let shown = token.map(|token| format!("Bearer {token}"));
    house.decide_at_door(&request(shown.as_deref()), &[SUBPROTOCOL.to_owned()])
}

#[test]
fn a_named_principal_leaves_half_of_the_places_to_others() {
    let (_dir, house) = server(6);
    let [first, second, third] =
        ["one", "one", "two"].map(|token| ask(&house, Some(token)).1.expect("a place"));
    for token in ["one", "two"] {
        let (decision, pass) = ask(&house, Some(token));
        let Decision::Reject(answer) = decision else { panic!("{token}") };
        assert!(pass.is_none() && answer.status() == 503 && answer.headers()["retry-after"] == "5");
        let why = String::from_utf8_lossy(answer.body());
        assert_eq!(why, "alice has 3 connections, which is as many as one name may have here\n");
    }
    assert_eq!(status(&ask(&house, Some("bob")).0), 101);
    drop((first, second));
    assert_eq!(status(&ask(&house, Some("one")).0), 101, "there is room again");
    drop(third);
}

#[test]
fn a_single_named_principal_may_take_all_places() {
    let alice = Grant::to(Principal::named("alice").unwrap());
    let access = Access::nobody().with_token(Secret::of("one"), alice.clone());
    let access = access.with_token(Secret::of("two"), alice);
    let (_dir, house) = house(ServerConfig { access, max_connections: 4, ..ServerConfig::default() });
    let passes: Vec<_> = ["one", "two", "one", "two", "one"].map(|token| ask(&house, Some(token)).1).into();
    assert_eq!(passes.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, true, true, false]);
}

#[test]
fn a_place_is_taken_until_the_link_has_ended() {
    let (_dir, house) = server(1);
    let pass = ask(&house, Some("one")).1.expect("one at least");
    let served = house.serve(
        pass,
        "peer".into(),
        Arc::new(|job| job()),
        Arc::new(drop),
        Arc::new(|| ()),
        Instant::ZERO,
    );
    assert_eq!(status(&ask(&house, Some("one")).0), 503);
    drop(served);
    assert_eq!(status(&ask(&house, Some("one")).0), 101);
}

#[test]
fn clients_without_a_name_are_not_limited_as_one() {
    let (_dir, house) = server(2);
    let all: Vec<_> = (0..5).map(|_| ask(&house, None)).collect();
    assert!(all.iter().all(|(decision, pass)| status(decision) == 101 && pass.is_some()));
}

#[test]
fn a_connection_handed_over_by_an_application_takes_no_place() {
    let (_dir, house) = server(2);
    let ours = [SUBPROTOCOL.to_owned()];
    let all: Vec<_> = (0..5).map(|_| house.decide(&request(Some("Bearer one")), &ours)).collect();
    assert!(all.iter().all(|(_, pass)| pass.is_some()));
    assert!(ask(&house, Some("one")).1.is_some());
}
