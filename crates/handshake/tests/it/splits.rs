//! Splitting the input anywhere changes nothing, and no input is too strange.

use bowline_core::{End, Instant};
use bowline_handshake::server::Accept;
use bowline_handshake::{Config, client, server};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::common::{NOW, REQUEST, UPGRADE, client, request, text};

/// The whole story of a client whose server sends these pieces and ends.
fn client_story(pieces: &[&[u8]]) -> String {
    let mut client = client(&request().with_subprotocol("v1").unwrap());
    for piece in pieces {
        client.handle_input(NOW, piece);
    }
    client.handle_end(NOW, End::Eof);
    match client.poll_result().expect("the end ends it") {
        Ok(upgraded) => format!("{:?} {:?}", upgraded.subprotocol, upgraded.leftover),
        Err(error) => format!("{error} {error:?}"),
    }
}

/// The whole story of a server whose client sends these pieces and ends.
fn server_story(pieces: &[&[u8]]) -> String {
    let mut server = server::Handshake::new(Config::default(), NOW);
    for piece in pieces {
        server.handle_input(NOW, piece);
    }
    let _ = server.accept(NOW, &Accept::new());
    let answer = text(server.output());
    server.handle_written(NOW, answer.len());
    server.handle_end(NOW, End::Eof);
    match server.poll_result() {
        Some(Ok(upgraded)) => format!("{answer} {:?}", upgraded.leftover),
        Some(Err(error)) => format!("{answer} {error} {error:?}"),
        None => {
            let answer = text(server.output());
            server.handle_written(NOW, answer.len());
            format!("{answer} {:?}", server.poll_result())
        }
    }
}

fn assert_splits_do_not_matter(story: fn(&[&[u8]]) -> String, input: &[u8]) {
    let whole = story(&[input]);
    for at in 0..=input.len() {
        let (head, tail) = input.split_at(at);
        assert_eq!(story(&[head, tail]), whole, "split at {at} of {:?}", input.escape_ascii().to_string());
    }
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(story(&bytes), whole, "single bytes of {:?}", input.escape_ascii().to_string());
}

#[test]
fn a_client_behaves_the_same_however_the_answer_is_split() {
    let early = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let inputs: [&[u8]; 8] = [
        &format!("{early}{UPGRADE}Sec-WebSocket-Protocol: v1\r\n\r\n\u{2}\u{1}x\n\n").into_bytes(),
        &format!("{UPGRADE}\n").replace("\r\n", "\n").into_bytes(),
        b"HTTP/1.1 503 X\r\nRetry-After: 5\r\nContent-Length: 9\r\n\r\nback soon, not now",
        b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n<html>\r\n\r\n</html>",
        b"\r\nSSH-2.0-OpenSSH_9.6\r\nand more\r\n",
        b"\x15\x03\x03\x00\x02\x02(",
        b"HTTP/1.1 101 X\r\nno colon\r\n\r\nrest",
    ];
    for input in inputs {
        assert_splits_do_not_matter(client_story, input);
    }
}

#[test]
fn a_server_behaves_the_same_however_the_request_is_split() {
    let inputs: [&[u8]; 6] = [
        &format!("\r\n{REQUEST}\r\n\u{2}\u{1}x\n\n").into_bytes(),
        &format!("{REQUEST}\n").replace("\r\n", "\n").into_bytes(),
        b"POST / HTTP/1.1\r\nHost: a\r\n\r\nbody",
        b"GET / HTTP/1.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ];
    for input in inputs {
        assert_splits_do_not_matter(server_story, input);
    }
}

/// Bytes that come close to a head, or are one.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "HTTP/1.1 ", "101", "200 OK", "GET ", "/ ", "HTTP/1.1", "\r\n", "\r\n\r\n", "\n", "\r", ": ", ",", " ",
            "Upgrade", "websocket", "Connection", "Host", "Sec-WebSocket-Accept", "Sec-WebSocket-Key",
            "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: v1", "Content-Length: 3", "Retry-After: ", "Date: ",
            "Transfer-Encoding: chunked", "ffffffffffffffffffff", "3\r\nabc", "Sun, 06 Nov 1994 08:49:37 GMT",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::sample::select(vec![UPGRADE, REQUEST]).prop_map(|text| text.as_bytes().to_vec()),
        2 => vec(any::<u8>(), 0..80),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_input_panics_or_depends_on_its_splits(input in input(), cuts in vec(any::<prop::sample::Index>(), 0..6)) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for cut in cuts.into_iter().chain([input.len()]) {
            pieces.push(&input[start..cut]);
            start = cut;
        }
        prop_assert_eq!(client_story(&pieces), client_story(&[&input]));
        prop_assert_eq!(server_story(&pieces), server_story(&[&input]));
    }

    #[test]
    fn any_order_of_calls_is_allowed(calls in vec((0..8_u8, any::<u16>(), input()), 0..20)) {
        let request = client::Request::new("ws://ann:password@example.org/?q=12345").unwrap();
        let mut client = client::Handshake::new(&request, [1; 16], Config::default(), NOW);
        let mut server = server::Handshake::new(Config::default(), NOW);
        let (mut client_results, mut server_results) = (0, 0);
        for (call, number, input) in calls {
            let now = Instant::from_millis(number.into());
            match call {
                0 | 1 => {
                    client.handle_input(now, &input);
                    server.handle_input(now, &input);
                }
                2 => {
                    client.handle_written(now, number.into());
                    server.handle_written(now, number.into());
                }
                3 => {
                    let end = if number % 2 == 0 { End::WriteFailed } else { End::Reset };
                    client.handle_end(now, end);
                    server.handle_end(now, end);
                }
                4 => {
                    client.handle_timeout(now);
                    server.handle_timeout(now);
                    prop_assert!(client.poll_timeout().is_none_or(|due| due > now));
                    prop_assert!(server.poll_timeout().is_none_or(|due| due > now));
                }
                5 => drop(server.accept(now, &Accept::new())),
                6 => drop(server.reject(now, &http::Response::builder().status(500).body(input).unwrap())),
                _ => {
                    client_results += u32::from(client.poll_result().is_some());
                    server_results += u32::from(server.poll_result().is_some());
                }
            }
        }
        prop_assert!(client_results <= 1 && server_results <= 1);
    }
}
