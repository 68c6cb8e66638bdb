//! What is reported about a running transfer is meaningful.

use crate::common::{Process, Relay, World};
use serde_json::Value;
use std::thread;
use std::time::Duration;

const BIG: usize = 8_000_000;

fn send(world: &World, url: &str, rate: &str) -> Process {
    Process::start(&mut world.bowline(["send", "big", url, "--json", "--limit-rate", rate]))
}

fn number(event: &Value, key: &str) -> f64 {
    event[key].as_f64().unwrap_or_else(|| panic!("no {key}: {event}"))
}

fn has_rate(event: &Value) -> bool {
    event["event"] == "progress" && event["rate"].is_u64()
}

#[test]
fn the_rate_is_that_of_the_path_and_the_time_left_follows_from_it() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let mut sender = send(&world, &server.url, "2500k");
    // Zero at first, if nothing moves for a while.
    let told = sender.event(|event| has_rate(event) && event["rate"] != 0);
    let (rate, left) = (number(&told, "rate"), number(&told, "seconds_left"));
    assert!(rate > 0.0 && rate < 4_000_000.0, "{told}");
    let expected = (number(&told, "bytes") - number(&told, "received")) / rate;
    assert!((left - expected).abs() < 0.01, "{told}: {expected}");
    sender.kill();
}

#[test]
fn a_file_that_does_not_move_has_no_rate() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let sent = send(&world, &server.url, "4M").finish();
    let told: Vec<Value> =
        sent.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let told: Vec<_> = told.iter().filter(|event| event["event"] == "progress").collect();
    assert!(told.iter().any(|event| event["stage"] == "moving") && told.iter().any(|event| has_rate(event)));
    for event in told {
        assert!(event.get("rate").is_some() && event.get("seconds_left").is_some(), "{event}");
        let moves = event["stage"] == "moving";
        assert!(moves || (event["rate"].is_null() && event["seconds_left"].is_null()), "{event}");
    }
}

#[test]
fn bytes_of_an_earlier_process_do_not_raise_the_rate() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let mut first = send(&world, &server.url, "2500k");
    first.event(|event| event["durable"].as_u64() > Some(2_000_000));
    first.kill();
    let mut second = send(&world, &server.url, "1M");
    let told = second.event(has_rate);
    assert!(number(&told, "received") > 2_000_000.0, "{told}");
    assert!(number(&told, "rate") < 2_000_000.0, "{told}");
    second.kill();
}

#[test]
fn a_path_that_carries_nothing_has_a_rate_of_zero_and_no_end() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut sender = send(&world, &relay.url, "1200k");
    sender.event(has_rate);
    relay.fall_silent();
    let stalled = sender.event(|event| event["rate"] == 0);
    assert!(stalled["stage"] == "moving" && stalled["seconds_left"].is_null(), "{stalled}");
    sender.kill();
}

#[test]
fn programs_see_how_long_nothing_has_moved_and_how_long_may_pass() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut sender = send(&world, &relay.url, "1200k");
    let moves = sender.event(has_rate);
    assert!(moves["seconds_still"].is_null() && moves["seconds_borne"].is_null(), "{moves}");
    relay.fall_silent();
    let still = sender.event(|event| event["seconds_still"].is_f64());
    assert!(number(&still, "seconds_still") >= 5.0 && still["seconds_borne"] == 60.0, "{still}");
    sender.kill();
}

#[test]
fn a_link_that_is_lost_is_waited_for_and_not_measured() {
    let world = World::new();
    world.file("big", BIG);
    let server = world.serve(&[]);
    let mut sender = send(&world, &server.url, "1200k");
    sender.event(has_rate);
    server.process.kill();
    let waiting = sender.event(|event| event["stage"] == "waiting");
    assert!(waiting["rate"].is_null() && waiting["seconds_left"].is_null(), "{waiting}");
    assert!(number(&waiting, "received") > 0.0, "what was shown is not taken back: {waiting}");
    sender.kill();
}

#[test]
fn people_read_that_a_link_is_lost_and_that_it_is_there_again() {
    let world = World::new();
    world.file("some", 3_000_000);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let args = ["send", "some", &relay.url, "--limit-rate", "500k"];
    let sender = Process::start(&mut world.bowline(args));
    let mut sent = 0;
    while sent < 300_000 {
        thread::sleep(Duration::from_millis(5));
        sent += relay.up();
    }
    relay.cut();
    let done = sender.finish();
    assert_eq!(done.code, Some(0), "{done:?}");
    let lost = done.stderr.find("disconnected: no close frame").expect("it is lost");
    assert!(done.stderr[lost..].contains("connected again\n"), "{done:?}");
}
