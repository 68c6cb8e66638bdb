use std::time::Duration;

use bowline_core::Retry;
use bowline_core::closing::Why;
use bowline_handshake::client::{self, Request};
use bowline_tokio::accept::{self, Accept, Decision};
use bowline_tokio::{DialError, Stage, dial};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream, duplex};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;

use crate::common::PIPE;

const HOST: &str = "ws://example.org/chat";

#[tokio::test(start_paused = true)]
async fn a_handshake_takes_any_stream() {
    let (near, far) = duplex(PIPE);
    let request = Request::new(HOST).unwrap().with_subprotocol("chat.v1").unwrap();
    let limits = bowline_handshake::Config::default();
    let answer = async {
        let asked = accept::receive(far, &accept::Config::default()).await.unwrap();
        sleep(Duration::from_millis(80)).await;
        let mut accepted = asked.accept(&Accept::new().with_subprotocol("chat.v1")).await.unwrap();
        accepted.stream.write_all(b"\x81\x02hi").await.unwrap();
        accepted
    };
    let (dialed, accepted) = tokio::join!(dial::handshake(near, &request, &limits), answer);
    let mut dialed = dialed.unwrap();
    assert_eq!(dialed.subprotocol.as_deref(), Some("chat.v1"));
    assert_eq!(accepted.subprotocol.as_deref(), Some("chat.v1"));
    assert_eq!(dialed.response.status(), StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(dialed.round_trip, Duration::from_millis(80));

    drop(accepted);
    let mut frames = dialed.leftover.to_vec();
    dialed.stream.read_to_end(&mut frames).await.unwrap();
    assert_eq!(frames, b"\x81\x02hi", "nothing behind the answer is lost");
}

#[tokio::test(start_paused = true)]
async fn the_round_trip_begins_when_the_request_has_left() {
    let (near, far) = duplex(16);
    let request = Request::new(HOST).unwrap();
    let limits = bowline_handshake::Config::default();
    let config = accept::Config::default();
    let answer = async {
        sleep(Duration::from_secs(1)).await;
        let asked = accept::receive(far, &config).await.unwrap();
        sleep(Duration::from_millis(80)).await;
        asked.accept(&Accept::new()).await.unwrap()
    };
    let (dialed, _) = tokio::join!(dial::handshake(near, &request, &limits), answer);
    assert_eq!(dialed.unwrap().round_trip, Duration::from_millis(80));
}

#[tokio::test(start_paused = true)]
async fn streams_that_hold_bytes_back_are_flushed() {
    let (near, far) = duplex(PIPE);
    let request = Request::new(HOST).unwrap();
    let limits = bowline_handshake::Config::default();
    let (dialed, accepted) = tokio::join!(
        dial::handshake(BufStream::new(near), &request, &limits),
        accept::accept(BufStream::new(far), &limits, |_, _| Decision::accept())
    );
    dialed.unwrap();
    accepted.unwrap();
}

#[tokio::test(start_paused = true)]
async fn frames_that_came_with_the_answer_are_left_over() {
    let (near, mut far) = duplex(PIPE);
    let request = Request::new(HOST).unwrap();
    let limits = bowline_handshake::Config::default();
    let answer = async {
        let mut asked = vec![0; 1024];
        let n = far.read(&mut asked).await.unwrap();
        let mut server =
            bowline_handshake::server::Handshake::new(limits.clone(), bowline_core::Instant::ZERO);
        server.handle_input(bowline_core::Instant::ZERO, &asked[..n]);
        server.accept(bowline_core::Instant::ZERO, &Accept::new()).unwrap();
        let together = [server.output(), b"\x81\x02hi"].concat();
        far.write_all(&together).await.unwrap();
    };
    let (dialed, ()) = tokio::join!(dial::handshake(near, &request, &limits), answer);
    assert_eq!(dialed.unwrap().leftover, &b"\x81\x02hi"[..]);
}

#[tokio::test(start_paused = true)]
async fn a_rejection_names_the_place_and_the_reason() {
    let (near, far) = duplex(PIPE);
    let request = Request::new("ws://example.org:8080/chat").unwrap();
    let limits = bowline_handshake::Config::default();
    let config = accept::Config::default();
    let answer =
        accept::accept(far, &config, |_, _| Decision::reject(StatusCode::NOT_FOUND, "no such room\n"));
    let (dialed, accepted) = tokio::join!(dial::handshake(near, &request, &limits), answer);

    let error = dialed.unwrap_err();
    assert_eq!(
        error.to_string(),
        "example.org:8080: the server answered 404 Not Found (text/plain) instead of a WebSocket upgrade: \"no such room\""
    );
    assert_eq!(error.retry(), Retry::No(Why::Status(404)));
    assert_eq!(
        accepted.unwrap_err().to_string(),
        "the request was rejected with 404 Not Found: no such room"
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_given_up() {
    let (near, _far) = duplex(PIPE);
    let start = tokio::time::Instant::now();
    let request = Request::new(HOST).unwrap();
    let error = dial::handshake(near, &request, &bowline_handshake::Config::default()).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    assert_eq!(error.to_string(), "example.org:80: the server did not answer within 10 s; 0 bytes came");
    assert_eq!(error.retry(), Retry::Backoff);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_takes_no_request_is_given_up() {
    let (near, _far) = duplex(16);
    let start = tokio::time::Instant::now();
    let request = Request::new(HOST).unwrap();
    let error = dial::handshake(near, &request, &bowline_handshake::Config::default()).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    assert!(matches!(error, DialError::Handshake { source: client::Error::TimedOut { .. }, .. }), "{error}");
}

#[tokio::test]
async fn a_socket_that_was_dialled_sends_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (config, limits) = (dial::Config::default(), accept::Config::default());
    let (dialed, _) = tokio::join!(dial::connect(&url, &config), async {
        let (stream, _) = listener.accept().await.unwrap();
        accept::accept(stream, &limits, |_, _| Decision::accept()).await.unwrap()
    });
    assert!(dialed.unwrap().stream.tcp().unwrap().nodelay().unwrap());
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_reported_as_such() {
    // Its port is taken.
    let nobody = TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = nobody.local_addr().unwrap();
    let error = dial::connect(&format!("ws://{address}/"), &dial::Config::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("nothing is listening at {address} (connection refused)"));
    assert_eq!(error.retry(), Retry::Backoff);
}

#[tokio::test]
async fn the_time_to_connect_covers_the_handshake() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = dial::Config::default();
    config.connect_timeout = Duration::from_millis(100);
    // It is connected, but nobody accepts.
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    match dial::connect(&url, &config).await.unwrap_err() {
        DialError::Handshake { source: client::Error::TimedOut { after, received: 0 }, .. }
        // An overloaded machine may not even get that far.
        | DialError::TimedOut { after, stage: Stage::Resolve | Stage::Connect, .. } => {
            assert_eq!(after, config.connect_timeout);
        }
        error => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_dialled_is_not_tried() {
    let config = dial::Config::default();
    #[cfg(not(feature = "tls"))]
    {
        let error = dial::connect("wss://example.org/chat", &config).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "example.org:443 asks for TLS (wss://), which is not built in: enable feature `tls`"
        );
        assert!(!error.retry().is_yes());
    }
    let error = dial::connect("http://example.org/", &config).await.unwrap_err();
    assert_eq!(error.to_string(), "the URL's scheme is `http`; a WebSocket's is `ws` or `wss`");
    assert!(!error.retry().is_yes());
}
