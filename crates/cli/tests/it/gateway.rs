//! Something that answers in place of a server that is restarting.

use crate::common::{Process, Relay, World, bytes};
use std::fs;
use std::io::{Read as _, Write as _, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A gateway without its server.
fn gateway(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // The client may be gone.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

const NOT_FOUND: &str = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
const ELSEWHERE: &str =
    "HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/sorry.html\r\nContent-Length: 0\r\n\r\n";
const WITHDRAWN: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";

/// Sends slowly, and puts a gateway in place of the server once part of the file is safe.
fn replaced(world: &World, answer: &'static str, patience: &str) -> (Process, Relay) {
    world.file("a", 4_000_000);
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let args = ["send", "a", &relay.url, "--json", "--limit-rate", "1200k", "--give-up-after", patience];
    let mut sender = Process::start(&mut world.bowline(args));
    sender.middle();
    server.process.kill();
    relay.lead_to(gateway(answer));
    relay.cut();
    (sender, relay)
}

#[test]
fn a_file_goes_on_when_the_gateway_has_its_server_back() {
    for (answer, words) in
        [(NOT_FOUND, "404 Not Found"), (ELSEWHERE, "redirects to \"http://192.0.2.1/sorry.html\"")]
    {
        let world = World::new();
        let (mut sender, relay) = replaced(&world, answer, "1m");
        let told = sender.event(|event| event["state"] == "unreachable");
        assert!(told["why"].as_str().is_some_and(|why| why.contains(words)), "{told}");
        sender.event(|event| event["state"] == "waiting");
        let server = world.serve(&[]);
        relay.lead_to(server.address());
        assert_eq!(sender.finish().code, Some(0));
        assert!(world.inbox("a") == bytes("a", 4_000_000));
    }
}

#[test]
fn a_watch_looks_for_its_server_behind_the_gateway() {
    let world = World::new();
    let server = world.serve(&[]);
    let relay = Relay::to(server.address());
    let mut watch = Process::start(&mut world.bowline(["watch", &relay.url, "--json"]));
    watch.event(|event| event["state"] == "up");
    relay.lead_to(gateway(NOT_FOUND));
    relay.cut();
    watch.event(|event| event["state"] == "unreachable");
    relay.lead_to(server.address());
    watch.event(|event| event["state"] == "up");
}

#[test]
fn a_gateway_that_stays_without_its_server_is_given_up_with_its_answer() {
    let world = World::new();
    let (sender, _relay) = replaced(&world, NOT_FOUND, "5s");
    let done = sender.finish();
    assert_eq!(done.code, Some(3), "{done:?}");
    assert!(done.stderr.contains("the server answered 404 Not Found"), "{done:?}");
    assert!(done.stderr.contains("gave up: "), "{done:?}");
}

#[test]
fn a_token_that_was_withdrawn_meanwhile_ends_the_transfer_at_once() {
    let world = World::new();
    let (sender, _relay) = replaced(&world, WITHDRAWN, "1m");
    let done = sender.finish();
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.stderr.contains("401 Unauthorized"), "{done:?}");
}

#[test]
fn a_first_contact_with_a_gateway_fails_at_once() {
    let world = World::new();
    world.file("a", 10);
    for (answer, words) in [(NOT_FOUND, "404 Not Found"), (ELSEWHERE, "302 Found")] {
        let done = world.run(["send", "a", &format!("ws://{}", gateway(answer))]);
        assert_eq!(done.code, Some(1), "{done:?}");
        assert!(done.stderr.contains(words) && done.stderr.lines().count() == 1, "{done:?}");
    }
}

/// A gateway with a server behind one route, and nothing else; returns its URL with that route.
fn route_to(server: SocketAddr) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/files/", listener.local_addr().expect("bound"));
    thread::spawn(move || {
        for mut near in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let n = near.read(&mut head).expect("it speaks first");
            if !head.starts_with(b"GET /files/ HTTP/1.1\r\n") {
                near.write_all(NOT_FOUND.as_bytes()).expect("it reads");
                continue;
            }
            let mut far = TcpStream::connect(server).expect("the server is there");
            far.write_all(&head[..n]).expect("it reads");
            let back = (far.try_clone().expect("a handle"), near.try_clone().expect("a handle"));
            for (mut from, mut to) in [(near, far), back] {
                thread::spawn(move || {
                    let _ = copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    url
}

#[test]
fn files_behind_a_route_are_sent_and_fetched_by_their_names() {
    let world = World::new();
    world.file("50%.x", 1000);
    let server = world.serve(&[]);
    let url = route_to(server.address());

    let sent = world.run(["send", "50%.x", &url, "--into", "photos"]);
    assert_eq!(sent.code, Some(0), "{sent:?}");
    let fetched = world.run(["fetch", &url, "--name", "photos/50%.x", "-o", "back"]);
    assert_eq!(fetched.code, Some(0), "{fetched:?}");
    assert!(fs::read(world.path("back")).expect("it is there") == bytes("50%.x", 1000));
    let folder = world.run(["fetch", &url, "--name", "photos/"]);
    assert_eq!(folder.code, Some(0), "{folder:?}");
    assert!(fs::read(world.path("photos/50%.x")).expect("it is there") == bytes("50%.x", 1000));

    let elsewhere = world.run(["fetch", &format!("{url}photos/50%25.x"), "-o", "other"]);
    assert!(elsewhere.stderr.contains("404 Not Found"), "{elsewhere:?}");
    let bad = world.run(["fetch", &url, "--name", "../x"]);
    assert_eq!(bad.code, Some(2), "{bad:?}");
    assert!(bad.stderr.contains("../x cannot be fetched: "), "{bad:?}");
}
