//! Many clients that are turned away, at a server whose events a program reads.

use crate::common::World;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// This many clients connect, request something that does not exist, and leave when they have been told so.
fn flood(address: SocketAddr, times: usize) {
    for _ in 0..times {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").expect("it is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn events_of_files_are_reported_however_many_clients_are_refused() {
    let world = World::new();
    world.file("a", 10);
    let mut server = world.serve(&["--json"]);
    let address = server.address();
    // The reader is busy with something else: the pipe is full, and so would be what is queued behind it.
    flood(address, 1500);
    assert_eq!(world.run(["send", "a", &server.url]).code, Some(0));
    let received = server.process.event(|event| event["event"] == "received");
    assert_eq!(received["name"], "a");
    // On a busy machine, it may take long until more of them than have a line arrive within one second.
    let is_counted = AtomicBool::new(false);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while !is_counted.load(Ordering::Relaxed) {
                    flood(address, 10);
                }
            });
        }
        server.process.event(|event| event["event"] == "rejected_more" && event["count"].as_u64() > Some(0));
        is_counted.store(true, Ordering::Relaxed);
    });
}
