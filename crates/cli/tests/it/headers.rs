//! Headers that the user adds.

use crate::common::World;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

/// A web server that refuses one client, and then returns what that client had requested.
fn refusing() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("bound"));
    let asked = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a whole request");
            head.extend(byte);
        }
        stream
            .write_all(b"HTTP/1.1 403 No\r\nContent-Length: 17\r\n\r\nno blue-eyed team")
            .expect("it reads");
        String::from_utf8(head).expect("text")
    });
    (url, asked)
}

#[test]
fn headers_are_sent_by_every_client_and_shown_by_none() {
    let world = World::new();
    world.file("a", 10);
    let commands: [&[&str]; 5] = [
        &["send", "a", "URL"],
        &["fetch", "URL/a"],
        &["list", "URL"],
        &["probe", "URL"],
        &["watch", "URL", "--for", "20s"],
    ];
    for command in commands {
        let (url, asked) = refusing();
        let mut args: Vec<_> = command.iter().map(|word| word.replace("URL", &url)).collect();
        let more =
            ["--header", "X-Team: blue-eyed", "--header", "cookie:a=b", "--header", "X-Team: two", "-vv"];
        args.extend(more.map(str::to_owned));
        let done = world.run(&args);
        assert_ne!(done.code, Some(0), "{done:?}");
        let asked = asked.join().expect("it was asked");
        for line in ["X-Team: blue-eyed", "X-Team: two", "Cookie: a=b"] {
            assert!(asked.contains(&format!("\r\n{line}\r\n")), "{line} of {command:?}: {asked}");
        }
        // Not even if the server repeats it.
        assert!(done.stderr.contains("403 Forbidden"), "{done:?}");
        assert!(!done.stderr.contains("blue-eyed"), "{done:?}");
    }
}

#[test]
fn custom_subprotocols_are_asked_for_instead() {
    for command in ["probe", "watch"] {
        let (url, asked) = refusing();
        let done = World::new().run([command, &url, "--subprotocol", "chat", "--subprotocol", "soap"]);
        let asked = asked.join().expect("it was asked");
        assert!(asked.contains("\r\nSec-WebSocket-Protocol: chat, soap\r\n"), "{asked}, {done:?}");
    }
}

#[test]
fn headers_that_cannot_be_sent_are_wrong_usage() {
    let world = World::new();
    for (header, words) in [
        ("no colon", "a header is written \"NAME: VALUE\""),
        ("Host: other.example", "header `host` belongs to the handshake"),
        ("Sec-WebSocket-Key: x", "belongs to the handshake"),
        ("a b: c", "this is not the name of a header"),
        ("X: a\u{1}geheim", "the value of x holds what HTTP cannot carry"),
    ] {
        let done = world.run(["probe", "ws://127.0.0.1:1/", "--header", header]);
        assert_eq!(done.code, Some(2), "{done:?}");
        assert!(done.stderr.contains(words), "{words}: {done:?}");
    }
    let twice = ["fetch", "ws://127.0.0.1:1/a", "--token", "t", "--header", "Authorization: Basic x"];
    let done = world.run(twice);
    assert!(done.code == Some(2) && done.stderr.contains("credentials are given twice"), "{done:?}");
}
