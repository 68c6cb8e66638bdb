//! What `watch` shows about the life of a connection.

use crate::common::{Done, Process, Relay, World, greets, nobody};
use crate::path::{End, Limit, echo, relay};
use bowline_blocking::WebSocket;
use bowline_blocking::accept::{self, Decision};
use bowline_core::connection::Config;
use bowline_core::{Close, Message};
use serde_json::Value;
use std::net::TcpListener;
use std::time::Duration;

fn lines(done: &Done) -> Vec<Value> {
    done.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_connection_that_was_cut_for_its_silence_is_explained_and_the_next_one_lives() {
    let url = relay(echo(), Limit::Silence(Duration::from_secs(3)), End::Fin);
    // On an overloaded machine, a ping may come too late on any connection. Nor does a process learn from an end during
    // which it did not run itself.
    let mut attempts = Vec::new();
    let world = loop {
        let world = World::new();
        let done = world.run(["watch", &url, "--heartbeat", "10s", "--for", "14s", "--json"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        let lines = lines(&done);
        let downs = lines.iter().filter(|line| line["state"] == "down");
        let downs: Vec<_> = downs.map(|line| line["why"].as_str().expect("a reason")).collect();
        let summary = lines.last().expect("a summary");
        assert_eq!(
            (&summary["event"], &summary["links"]),
            (&"summary".into(), &downs.len().into()),
            "{done:?}"
        );
        let [cut @ .., closed] = &downs[..] else { panic!("a connection at least: {done:?}") };
        let is_learned = cut.iter().any(|why| why.contains("of silence; heartbeat set to"));
        let has_pinged = lines.iter().any(|line| line["event"] == "pong");
        if is_learned && has_pinged && *closed == "sent 1000 (OK); then received 1000 (OK)" {
            break world;
        }
        attempts.push(done);
        assert!(attempts.len() < 4, "{attempts:#?}");
    };

    // Another process has learned from it.
    let done = world.run(["watch", &url, "--heartbeat", "10s", "--for", "6s"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let first = done.stderr.lines().next().expect("a line");
    assert!(first.contains("connected, handshake in") && !first.contains("after 10 s of silence"), "{first}");
    let last = done.stderr.lines().last().expect("a line");
    assert!(last.contains("watched for ") && last.contains("up for "), "{last}");
}

#[test]
fn programs_hear_for_how_long_nothing_comes() {
    let world = World::new();
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let args = ["watch", &relay.url, "--heartbeat", "1s", "--json"];
    let mut watch = Process::start(&mut world.bowline(args));
    watch.event(|event| event["event"] == "pong");
    relay.fall_silent();
    for least in [1.0, 2.0] {
        let silent = watch.event(|event| event["event"] == "silent");
        assert!(silent["seconds"].as_f64() >= Some(least), "{silent}");
    }
    watch.kill();
}

#[test]
fn a_message_may_be_as_large_as_it_likes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("bound"));
    let world = World::new();
    let watch = Process::start(&mut world.bowline(["watch", &url, "--json"]));
    let (stream, _) = listener.accept().expect("it dials");
    let settings = accept::Config::default();
    let accepted = accept::accept(stream, &settings, |_, _| Decision::accept()).expect("a request");
    let mut config = Config::default();
    // In one frame, which is longer than allowed by default.
    config.fragment = Some(17 << 20);
    let mut server = WebSocket::server(accepted, config).expect("random bytes");
    server.send(Message::binary(vec![0; 17 << 20])).expect("open");
    let _ = server.close(Close::normal());
    assert_eq!(server.ended().to_string(), "sent 1000 (OK); then received 1000 (OK)");
    watch.kill();
}

#[test]
fn a_bowline_server_is_greeted_and_does_not_end_a_silent_connection() {
    assert!(greets("watch"));
}

#[test]
fn a_server_that_is_never_there_is_given_up_with_the_reason() {
    let (address, _kept) = nobody();
    let done = World::new().run(["watch", &format!("ws://{address}/"), "--give-up-after", "5s"]);
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.stderr.contains("not reachable: nothing is listening"), "{done:?}");
    assert!(done.stderr.contains("gave up: never connected"), "{done:?}");
}

#[test]
fn a_server_that_does_not_come_back_is_given_up() {
    let world = World::new();
    let server = world.serve(&[]);
    let args = ["watch", &server.url, "--give-up-after", "1s", "--json"];
    let mut watch = Process::start(&mut world.bowline(args));
    watch.event(|event| event["state"] == "up");
    server.process.kill();
    let done = watch.finish();
    assert_eq!(done.code, Some(3), "{done:?}");
}

#[test]
fn a_server_that_refuses_was_reached() {
    let world = World::new();
    std::fs::write(world.path("who"), "alice secret\n").expect("written");
    let server = world.serve(&["--tokens", "who"]);
    let done = world.run(["watch", &server.url]);
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("401"), "{done:?}");
}

#[test]
fn a_dial_is_not_waited_for_longer_than_the_server() {
    // It accepts connections, and sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", silent.local_addr().expect("bound"));
    let world = World::new();
    world.file("a", 10);
    for command in [&["watch"][..], &["send", "a"]] {
        // One of a few attempts names its cause: an attempt that did not run for a while knows only that the time was
        // over.
        let mut attempts = (0..6).map(|_| {
            let done = world.run(command.iter().chain(&[url.as_str(), "--give-up-after", "500ms"]));
            assert_eq!(done.code, Some(3), "{done:?}");
            done.stderr
        });
        assert!(attempts.any(|said| said.contains("did not answer within 500 ms")), "{command:?}");
    }
}
