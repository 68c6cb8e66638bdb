//! What `probe` finds out about servers, and about what is in front of them.

use crate::common::{Done, World, greets, nobody};
use crate::path::{End, Limit, closing_after, echo, mute, relay};
use serde_json::Value;
use std::time::Duration;

/// The lines of `probe --json` of this kind.
fn found(done: &Done, event: &str) -> Value {
    let mut lines = done.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.find(|line| line["event"] == event).unwrap_or_else(|| panic!("no {event}: {done:?}"))
}

fn probe(url: &str, args: &[&str]) -> Done {
    let done = World::new().run([&["probe", url, "--json"], args].concat());
    assert_eq!(done.code, Some(0), "{done:?}");
    done
}

/// What one of a few attempts reports about this. On an overloaded machine, measured times mean nothing, and a server
/// that is given little time is not reached.
fn one_of_few(event: &str, url: &str, args: &[&str], fits: impl Fn(&Value, &Done) -> bool) {
    let mut attempts = Vec::new();
    for _ in 0..6 {
        let done = World::new().run([&["probe", url, "--json"], args].concat());
        if done.code == Some(0) && fits(&found(&done, event), &done) {
            return;
        }
        attempts.push(done);
    }
    panic!("{attempts:#?}");
}

#[test]
fn a_good_server_answers_pings_and_a_close() {
    let url = format!("ws://{}/", echo());
    let done = probe(&url, &["--pings", "3"]);
    let open = found(&done, "open");
    assert_eq!((open["subprotocol"].is_null(), open["peer"].is_string()), (true, true), "{done:?}");
    let pings = found(&done, "pings");
    assert_eq!((&pings["asked"], &pings["answered"]), (&3.into(), &3.into()), "{done:?}");
    assert!(pings["least_ms"].as_f64() <= pings["median_ms"].as_f64(), "{done:?}");
    assert!(pings["median_ms"].as_f64() <= pings["most_ms"].as_f64(), "{done:?}");
    let close = found(&done, "close");
    assert_eq!((&close["answered"], &close["code"]), (&true.into(), &1000.into()), "{done:?}");

    let done = World::new().run(["probe", &url]);
    let lines: Vec<_> = done.stderr.lines().map(|line| line.split("  ").next().expect("a word")).collect();
    assert_eq!(lines, ["connection", "pings", "close"], "{done:?}");
}

#[test]
fn a_server_that_answers_nothing_is_reported_as_such() {
    let url = format!("ws://{}/", mute());
    one_of_few("pings", &url, &["--timeout", "300ms"], |pings, done| {
        assert_eq!((&pings["asked"], &pings["answered"]), (&1.into(), &0.into()), "{done:?}");
        let close = found(done, "close");
        assert_eq!(close["answered"], false, "{done:?}");
        assert!(close["end"].as_str().is_some_and(|end| end.contains("sent 1000")), "{done:?}");
        true
    });
}

#[test]
fn an_absent_server_is_exit_code_3_and_one_without_websocket_is_1() {
    let world = World::new();
    let (address, _kept) = nobody();
    let done = world.run(["probe", &format!("ws://{address}/")]);
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.stderr.contains("nothing is listening"), "{done:?}");

    let server = world.serve(&[]);
    let done = world.run(["probe", &server.url, "--subprotocol", "chat"]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("400"), "{done:?}");
}

#[test]
fn the_largest_message_is_found() {
    let done = probe(&format!("ws://{}/", echo()), &["--largest=1MiB"]);
    let found = found(&done, "largest");
    let (taken, refused) = (found["taken"].as_u64().expect("some"), found["refused"].as_u64().expect("some"));
    assert!(taken <= 100 << 10 && 100 << 10 < refused && refused - taken <= taken / 16, "{done:?}");
    assert!(found["why"].as_str().is_some_and(|why| why.contains("1009")), "{done:?}");
}

#[test]
fn nothing_is_claimed_that_needs_pings_if_the_server_answers_none() {
    let url = format!("ws://{}/", mute());
    let args = ["--timeout", "300ms", "--pings", "0", "--largest", "--idle", "--max", "1s"];
    one_of_few("idle", &url, &args, |idle, done| {
        assert_eq!(idle["found"], "no_pongs", "{done:?}");
        let largest = found(done, "largest");
        assert!(largest["taken"].is_null() && largest["refused"].is_null(), "{done:?}");
        assert!(largest["why"].as_str().is_some_and(|why| why.contains("answers no pings")), "{done:?}");
        true
    });
}

#[test]
fn message_sizes_are_not_tried_on_a_bowline_server() {
    let server = World::new().serve(&[]);
    let done = World::new().run(["probe", &server.url, "--largest"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.contains("messages    not tried: the server speaks bowline.v1"), "{done:?}");
}

#[test]
fn a_bowline_server_is_greeted_and_does_not_end_a_silent_connection() {
    assert!(greets("probe"));
}

#[test]
fn a_proxy_that_cuts_silent_connections_is_measured_exactly() {
    let url = relay(echo(), Limit::Silence(Duration::from_millis(2500)), End::Fin);
    one_of_few("idle", &url, &["--idle", "--max", "6s"], |idle, done| {
        let Some(fatal) = idle["fatal_seconds"].as_f64() else { return false };
        let is_exact = idle["found"] == "limit" && idle["exact"] == true && (2.4..4.0).contains(&fatal);
        let heartbeat = idle["heartbeat_seconds"].as_f64().expect("a time");
        assert!(!is_exact || (heartbeat - fatal * 0.75).abs() < 0.01, "{done:?}");
        is_exact
    });
}

#[test]
fn a_server_that_closes_silent_connections_does_not_break_the_silence() {
    let url = format!("ws://{}/", closing_after(Duration::from_millis(2500)));
    one_of_few("idle", &url, &["--idle", "--max", "6s"], |idle, done| {
        assert_ne!(idle["found"], "server_speaks", "{done:?}");
        let Some(fatal) = idle["fatal_seconds"].as_f64() else { return false };
        let is_told = idle["end"].as_str().is_some_and(|end| end.contains("1001"));
        idle["found"] == "limit" && idle["exact"] == true && (2.4..4.0).contains(&fatal) && is_told
    });
}

#[test]
fn the_limit_of_a_nat_that_forgets_silent_connections_is_narrowed_down() {
    let url = relay(echo(), Limit::Silence(Duration::from_millis(2500)), End::BlackHole);
    one_of_few("idle", &url, &["--idle", "--max", "4s", "--timeout", "3s"], |idle, _| {
        let bounds = (idle["borne_seconds"].as_f64(), idle["fatal_seconds"].as_f64());
        let (Some(borne), Some(fatal)) = bounds else { return false };
        let is_near = borne < 2.5 && 2.5 <= fatal && fatal - borne <= 1.0;
        idle["found"] == "limit" && idle["exact"] == false && is_near
    });
}

#[test]
fn a_limit_on_the_age_is_not_taken_for_a_limit_on_silence() {
    let url = relay(echo(), Limit::Age(Duration::from_secs(2)), End::Fin);
    one_of_few("idle", &url, &["--idle", "--max", "4s"], |idle, _| idle["found"] == "age");
}

#[test]
fn a_silent_end_at_some_age_is_not_taken_for_a_limit_on_silence() {
    let url = relay(echo(), Limit::Age(Duration::from_secs(2)), End::BlackHole);
    let args = ["--idle", "--max", "4s", "--timeout", "1s"];
    one_of_few("idle", &url, &args, |idle, _| idle["found"] == "age");
}

#[test]
fn a_server_that_survives_every_silence_or_speaks_itself_shows_no_limit() {
    let url = format!("ws://{}/", echo());
    one_of_few("idle", &url, &["--idle", "--max", "1s"], |idle, _| {
        idle["found"] == "no_limit" && idle["borne_seconds"] == 1.0
    });

    let server = World::new().serve(&["--heartbeat", "1s"]);
    one_of_few("idle", &server.url, &["--idle", "--max", "4s"], |idle, _| idle["found"] == "server_speaks");
}
