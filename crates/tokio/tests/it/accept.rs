use std::time::Duration;

use bowline_handshake::client::{self, Request};
use bowline_handshake::server;
use bowline_tokio::accept::{self, Accept, Accepted, Config, Decision};
use bowline_tokio::{AcceptError, DialError, dial};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use crate::common::PIPE;

async fn say(words: &[u8]) -> (Result<Accepted<DuplexStream>, AcceptError>, String) {
    let (mut near, far) = duplex(PIPE);
    near.write_all(words).await.unwrap();
    let config = Config::default();
    let (accepted, answer) = tokio::join!(
        accept::accept(far, &config, |_, _| panic!("this is no request for a WebSocket")),
        async {
            let mut answer = String::new();
            near.read_to_string(&mut answer).await.unwrap();
            answer
        }
    );
    (accepted, answer)
}

#[tokio::test(start_paused = true)]
async fn an_invalid_request_for_a_websocket_gets_the_right_answer() {
    let (accepted, answer) = say(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").await;
    assert!(matches!(accepted, Err(AcceptError::Handshake(server::Error::NoUpgrade))), "{accepted:?}");
    assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");

    let (accepted, answer) = say(b"SSH-2.0-OpenSSH_9.9\r\n").await;
    assert!(matches!(accepted, Err(AcceptError::Handshake(server::Error::NotHttp { .. }))), "{accepted:?}");
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_turned_away() {
    let start = Instant::now();
    let (accepted, answer) = say(b"GET / HT").await;
    assert!(matches!(accepted, Err(AcceptError::Handshake(server::Error::TimedOut { .. }))), "{accepted:?}");
    assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    // The server waits for another second, in which the client could still read the answer.
    assert_eq!(start.elapsed(), Duration::from_secs(11));
}

#[tokio::test(start_paused = true)]
async fn a_decision_sees_the_request_and_its_offers() {
    let (near, far) = duplex(PIPE);
    let request = Request::new("ws://example.org/chat?room=7").unwrap();
    let request = request.with_subprotocol("b").unwrap().with_subprotocol("a").unwrap();
    let config = Config::default();
    let decide = |request: &http::Request<()>, offered: &[String]| {
        assert_eq!(request.uri().query(), Some("room=7"));
        assert_eq!(offered, ["b", "a"]);
        Decision::Accept(Accept::new().with_subprotocol("a").with_header("x-seen", "1").unwrap())
    };
    let (dialed, accepted) =
        tokio::join!(dial::handshake(near, &request, &config), accept::accept(far, &config, decide));
    let (dialed, accepted) = (dialed.unwrap(), accepted.unwrap());
    assert_eq!(dialed.subprotocol.as_deref(), Some("a"));
    assert_eq!(dialed.response.headers()["x-seen"], "1");
    assert_eq!(accepted.request.uri().path(), "/chat");
}

#[tokio::test(start_paused = true)]
async fn a_decision_that_cannot_be_sent_is_our_mistake() {
    let (near, far) = duplex(PIPE);
    let request = Request::new("ws://example.org/").unwrap();
    let config = Config::default();
    let decide =
        |_: &http::Request<()>, _: &[String]| Decision::Accept(Accept::new().with_subprotocol("chat.v1"));
    let (dialed, accepted) =
        tokio::join!(dial::handshake(near, &request, &config), accept::accept(far, &config, decide));
    let Err(DialError::Handshake { source: client::Error::Refused(refusal), .. }) = dialed else {
        panic!("{dialed:?}")
    };
    assert_eq!(refusal.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(accepted.unwrap_err().to_string(), "the client did not offer subprotocol `chat.v1`");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_no_answer_is_given_up() {
    let (mut near, far) = duplex(64);
    let config = Config::default();
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let start = Instant::now();
    let (accepted, sent) =
        tokio::join!(accept::accept(far, &config, |_, _| Decision::accept()), near.write_all(request));
    sent.unwrap();
    assert!(matches!(accepted, Err(AcceptError::Handshake(server::Error::Stuck { .. }))), "{accepted:?}");
    assert_eq!(start.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_dropped_ends_the_connection() {
    let (near, far) = duplex(PIPE);
    let request = Request::new("ws://example.org/").unwrap();
    let config = Config::default();
    let (dialed, ()) = tokio::join!(dial::handshake(near, &request, &config), async {
        drop(accept::receive(far, &config).await.unwrap());
    });
    let Err(DialError::Handshake { source, .. }) = dialed else { panic!("{dialed:?}") };
    assert_eq!(source.to_string(), "the connection was closed before the server said anything");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_ended_its_side_still_gets_its_answer() {
    let (mut near, far) = duplex(64);
    let config = Config::default();
    let ask = async {
        near.write_all(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n").await.unwrap();
        near.shutdown().await.unwrap();
        // The answer does not fit into the pipe at once.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut answer = String::new();
        near.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (accepted, answer) = tokio::join!(accept::accept(far, &config, |_, _| Decision::accept()), ask);
    assert!(matches!(accepted, Err(AcceptError::Handshake(server::Error::NoUpgrade))), "{accepted:?}");
    assert!(answer.ends_with('\n') && answer.contains("Upgrade: websocket\r\n"), "{answer}");
}
