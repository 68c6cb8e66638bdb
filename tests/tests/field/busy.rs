//! Connections that carry as much as they can, or are asked to carry more. None of them may be taken for dead.
//!
//! Four programs, each with both ends of ours, and with a receiver by python websockets. The last test replaces our
//! sender by python websockets, too, and only reports what happens.

use std::time::Duration;

use bowline_core::connection::Config;
use bowline_core::heartbeat::Mode;
use serde_json::Value;

use crate::ends::{Adapter, Fate, heartbeat};
use crate::peer::{Peer, python};
use crate::relay::Relay;

/// One of the four programs.
#[derive(Clone, Copy, Debug)]
struct Program {
    name: &'static str,
    /// Bytes per second of the link.
    rate: Option<u32>,
    /// Heartbeats in seconds: interval and timeout.
    sender: Option<(u64, u64)>,
    receiver: Option<(u64, u64)>,
    /// How long the receiver takes for each message.
    each: Duration,
    size: usize,
    time: Duration,
}

const SLOW_LINK: Program = Program {
    name: "full speed over 500 kB/s, heartbeat 1 s/1 s",
    rate: Some(500_000),
    sender: Some((1, 1)),
    receiver: Some((1, 1)),
    each: Duration::ZERO,
    size: 64 << 10,
    time: Duration::from_secs(60),
};

const SLOWER_LINK: Program = Program {
    name: "full speed over 150 kB/s, default heartbeat",
    rate: Some(150_000),
    sender: Some((20, 20)),
    receiver: Some((20, 20)),
    time: Duration::from_secs(120),
    ..SLOW_LINK
};

const SLOW_RECEIVER: Program = Program {
    name: "a receiver that takes 0.4 s per 256 KiB, heartbeat of the sender 1 s/1 s",
    rate: None,
    // python websockets does not see pongs while it waits for its application, and blames the sender.
    receiver: None,
    each: Duration::from_millis(400),
    size: 256 << 10,
    time: Duration::from_secs(60),
    ..SLOW_LINK
};

const TIGHT_LOOP: Program = Program {
    name: "a tight loop of 640 bytes, heartbeat of the receiver 1 s/1 s",
    rate: None,
    sender: Some((20, 20)),
    receiver: Some((1, 1)),
    size: 640,
    time: Duration::from_secs(20),
    ..SLOW_LINK
};

over! {
    a_slow_link_at_full_speed_lives
    a_slower_link_lives_with_the_default_settings
    a_slow_receiver_is_not_taken_for_dead
    a_sender_in_a_tight_loop_is_not_taken_for_dead
    python_sees_a_slow_link_live
    python_sees_a_slower_link_live
    python_as_a_slow_receiver_is_not_taken_for_dead
    python_does_not_take_a_tight_loop_for_dead
}

// ----- both ends are ours -----

async fn a_slow_link_at_full_speed_lives(adapter: Adapter) {
    lives(adapter, SLOW_LINK).await;
}

async fn a_slower_link_lives_with_the_default_settings(adapter: Adapter) {
    lives(adapter, SLOWER_LINK).await;
}

async fn a_slow_receiver_is_not_taken_for_dead(adapter: Adapter) {
    lives(adapter, SLOW_RECEIVER).await;
}

async fn a_sender_in_a_tight_loop_is_not_taken_for_dead(adapter: Adapter) {
    lives(adapter, TIGHT_LOOP).await;
}

async fn lives(adapter: Adapter, program: Program) {
    let (server, received) = adapter.receive(settings(program.receiver), program.each).await;
    let (relay, url) = link(program, &server).await;
    let sent = adapter.send(&url, settings(program.sender), program.time, program.size).await;
    drop(relay);
    check(adapter, program, &sent);
    // The sender disappears without a word: that is how it ends, and not earlier.
    let received = crate::peer::within(received).await.unwrap();
    println!("{adapter:?}: {}: {} MB received", program.name, received.bytes / 1_000_000);
    // The clocks of the two ends start at different moments.
    assert!(
        received.lived + Duration::from_secs(1) >= program.time,
        "the receiver died after {:?}: {:?}",
        received.lived,
        received.end
    );
}

// ----- the receiver is python websockets -----

async fn python_sees_a_slow_link_live(adapter: Adapter) {
    lives_for_python(adapter, SLOW_LINK).await;
}

async fn python_sees_a_slower_link_live(adapter: Adapter) {
    lives_for_python(adapter, SLOWER_LINK).await;
}

async fn python_as_a_slow_receiver_is_not_taken_for_dead(adapter: Adapter) {
    lives_for_python(adapter, SLOW_RECEIVER).await;
}

async fn python_does_not_take_a_tight_loop_for_dead(adapter: Adapter) {
    lives_for_python(adapter, TIGHT_LOOP).await;
}

async fn lives_for_python(adapter: Adapter, program: Program) {
    let (mut receiver, server) = python_receiver(program).await;
    let (relay, url) = link(program, &server).await;
    let sent = adapter.send(&url, settings(program.sender), program.time, program.size).await;
    check(adapter, program, &sent);
    drop(relay);
    let received = crate::peer::within(receiver.line()).await.unwrap();
    println!("{adapter:?}: {}, for python: {received}", program.name);
    assert!(received["after"].as_f64().unwrap() >= program.time.as_secs_f64() - 0.1, "{received}");
}

// ----- both ends are python websockets -----

/// Nothing to pass or fail: this shows what others do in the same situation.
#[tokio::test]
#[ignore = "takes two minutes, and needs python websockets: tests/interop/field runs it"]
async fn python_websockets_in_the_same_places() {
    tokio::join!(tell(SLOW_LINK), tell(SLOWER_LINK), tell(SLOW_RECEIVER), tell(TIGHT_LOOP));
}

async fn tell(program: Program) {
    let (mut receiver, server) = python_receiver(program).await;
    let (relay, url) = link(program, &server).await;
    let Program { time, size, .. } = program;
    let mut sender = python("field.py");
    sender.args(["send", &url]).args(arguments(program.sender));
    sender.args([time.as_secs().to_string(), size.to_string()]);
    let mut sender = Peer::start(sender);

    let limit = time + Duration::from_secs(60);
    let sent = tokio::time::timeout(limit, sender.line()).await.ok().flatten();
    let received = tokio::time::timeout(Duration::from_secs(60), receiver.line()).await.ok().flatten();
    drop(relay);
    let words = |told: Option<Value>| told.map_or_else(|| "nothing".to_owned(), |told| told.to_string());
    println!("python: {}", program.name);
    println!("python:   sender told {}", words(sent));
    println!("python:   receiver told {}", words(received));
}

// ----- what they share -----

async fn link(program: Program, server: &str) -> (Option<Relay>, String) {
    match program.rate {
        Some(rate) => {
            let relay = Relay::start(server, Some(rate)).await;
            let url = relay.url();
            (Some(relay), url)
        }
        None => (None, server.to_owned()),
    }
}

async fn python_receiver(program: Program) -> (Peer, String) {
    let mut receiver = python("field.py");
    receiver.arg("receive").args(arguments(program.receiver)).arg(program.each.as_secs_f64().to_string());
    let mut receiver = Peer::start(receiver);
    let url = receiver.url().await;
    (receiver, url)
}

fn settings(seconds: Option<(u64, u64)>) -> Config {
    let Some((interval, timeout)) = seconds else {
        let mut config = Config::default();
        config.heartbeat.mode = Mode::Off;
        return config;
    };
    heartbeat(interval, timeout)
}

/// The same for python, where an interval of 0 is none.
fn arguments(seconds: Option<(u64, u64)>) -> [String; 2] {
    let (interval, timeout) = seconds.unwrap_or_default();
    [interval.to_string(), timeout.to_string()]
}

fn check(adapter: Adapter, program: Program, sent: &Fate) {
    println!(
        "{adapter:?}: {}: {} MB sent in {:.1} s",
        program.name,
        sent.bytes / 1_000_000,
        sent.lived.as_secs_f64()
    );
    if let Some(end) = &sent.end {
        panic!("{}: died after {:.1} s: {end}", program.name, sent.lived.as_secs_f64());
    }
    // A connection that lives without carrying anything is useless. Half of what the link can do is a generous bound.
    let carried = program.rate.map_or(1_000_000, |rate| u64::from(rate) * program.time.as_secs() / 2);
    assert!(sent.bytes >= carried, "only {} bytes were carried", sent.bytes);
}
