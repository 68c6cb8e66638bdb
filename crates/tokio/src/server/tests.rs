use super::*;
use crate::{Client, ClientConfig, Heard};
use bowline_core::Message;
use bowline_core::messages::{self, SessionsConfig};
use std::time::Duration;
use tokio::io::DuplexStream;

pub(super) fn server(config: ServerConfig) -> (Server, tempfile::TempDir) {
    let inbox = tempfile::tempdir().unwrap();
    let store = DiskStore::open(inbox.path(), bowline_store::Config::default()).unwrap();
    (Server::new(store, config), inbox)
}

#[tokio::test]
async fn the_number_of_connections_may_be_unlimited() {
    let mut config = ServerConfig::default();
    config.max_connections = usize::MAX;
    let (server, _inbox) = server(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    server.serve(listener, async {}).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_is_not_swept_without_a_pause() {
    let mut config = ServerConfig::default();
    config.sweep_every = Some(Duration::ZERO);
    let (server, _inbox) = server(config);
    timeout(Duration::from_millis(10), server.sweep()).await.unwrap_err();
}

#[tokio::test]
async fn dropping_the_serving_future_cuts_the_clients_and_loses_no_session() {
    let mut config = ServerConfig::default();
    config.messages = Some(SessionsConfig::default());
    let (server, _inbox) = server(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = ClientConfig::default();
    config.messages = Some(messages::Config::default());
    let client = Client::new(&format!("ws://{}", listener.local_addr().unwrap()), config).unwrap();
    client.send(Message::text("hello")).await.unwrap();
    let mut session = None;
    let heard = async {
        while let Some((id, heard)) = server.receive().await {
            session = Some(id);
            if let Heard::Message(_) = heard {
                break;
            }
        }
    };
    tokio::select! {
        served = server.serve(listener, std::future::pending()) => panic!("{served:?}"),
        heard = timeout(Duration::from_secs(60), heard) => heard.expect("in time"),
    }
    let heard = timeout(Duration::from_secs(60), server.receive()).await.expect("in time");
    assert_eq!(heard, Some((session.unwrap(), Heard::Detached)));
    let sent = server.send(session.unwrap(), Message::text("for the next link")).await;
    assert_eq!(sent, Ok(()), "it is kept");
}

/// A server that has time for everybody.
fn patient() -> (Server, tempfile::TempDir) {
    let mut config = ServerConfig::default();
    config.drain = Duration::from_secs(3600);
    config.accept.timeout = config.drain;
    server(config)
}

#[tokio::test]
async fn a_silent_client_is_dropped_when_the_server_stops() {
    let (server, _inbox) = patient();
    let mut events = server.events();
    let (_silent, far) = tokio::io::duplex(64);
    let serving = server.clone();
    let serving = tokio::spawn(async move { serving.serve_stream(far, "somebody".into()).await });
    // There is only one thread, so it has begun to wait.
    tokio::task::yield_now().await;
    server.stop();
    timeout(Duration::from_secs(60), serving).await.expect("in time").unwrap();
    let told = events.recv().await.unwrap();
    assert!(
        matches!(&told, ServerEvent::Rejected { why, .. } if why == "the server is stopping"),
        "{told:?}"
    );
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_client_silent_in_the_tls_handshake_is_dropped_when_the_server_stops() {
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let mut config = ServerConfig::default();
    config.drain = Duration::from_secs(3600);
    config.accept.timeout = config.drain;
    config.tls = Some(crate::tls::ServerTls::new(certificate.as_bytes(), key.as_bytes()).unwrap());
    let (server, _inbox) = server(config);
    let mut events = server.events();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _silent = TcpStream::connect(address).await.unwrap();
    // The connection that is refused came after that one.
    drop(TcpStream::connect(address).await.unwrap());
    let refused = async { while !matches!(events.recv().await.unwrap(), ServerEvent::Rejected { .. }) {} };
    timeout(Duration::from_secs(60), server.serve(listener, refused)).await.expect("in time").unwrap();
}

/// TLS, for example, which has taken most of the time.
#[tokio::test(start_paused = true)]
async fn time_spent_before_a_request_counts_towards_its_timeout() {
    let (server, _inbox) = server(ServerConfig::default());
    let patience = server.patience(Away::never());
    // Out of 10 s.
    tokio::time::advance(Duration::from_secs(9)).await;
    let (_silent, far) = tokio::io::duplex(4096);
    let start = tokio::time::Instant::now();
    server.serve_with(far, "somebody".into(), |_, _| {}, (None, patience)).await;
    // A timeout is answered, and then the server waits for the end.
    assert_eq!(start.elapsed().as_secs(), 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_comes_after_the_server_has_stopped_has_a_second_to_ask() {
    let (server, _inbox) = patient();
    server.stop();
    let (_silent, far) = tokio::io::duplex(64);
    let start = tokio::time::Instant::now();
    server.serve_stream(far, "somebody".into()).await;
    // A timeout is answered, and then the server waits for the end.
    assert!(start.elapsed() <= 3 * LAST_WORDS, "{:?}", start.elapsed());
}

/// Requests a link.
async fn dial(near: DuplexStream) -> crate::dial::Dialed<DuplexStream> {
    let request = bowline_handshake::client::Request::new("ws://localhost/").unwrap();
    let request = request.with_subprotocol(bowline_core::transfer::SUBPROTOCOL).unwrap();
    crate::dial::handshake(near, &request, &accept::Config::default()).await.unwrap()
}

#[tokio::test]
async fn a_request_after_the_server_has_stopped_is_told_to_come_back() {
    let (server, _inbox) = patient();
    server.stop();
    let (near, far) = tokio::io::duplex(4096);
    let serving = tokio::spawn(async move { server.serve_stream(far, "somebody".into()).await });
    let dialed = dial(near).await;
    let mut client = crate::WebSocket::client(dialed, bowline_core::connection::Config::default()).unwrap();
    let told = timeout(Duration::from_secs(60), client.ended()).await.expect("in time");
    assert_eq!(told.kind(), bowline_core::closing::Kind::Restart, "{told}");
    drop(client);
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_while_the_remaining_ones_are_dropped_is_dropped_too() {
    let (server, _inbox) = patient();
    server.stop();
    let (mut events, (near, far)) = (server.events(), tokio::io::duplex(4096));
    let serving = server.clone();
    let serving = tokio::spawn(async move { serving.serve_stream(far, "somebody".into()).await });
    // There is only one thread, so it has begun to wait.
    tokio::task::yield_now().await;
    server.letting_go.send_replace(());
    let _silent = dial(near).await;
    serving.await.unwrap();
    let end = loop {
        if let ServerEvent::Disconnected { disconnect, .. } = events.recv().await.unwrap() {
            break disconnect;
        }
    };
    assert_eq!(end.kind(), bowline_core::closing::Kind::LocalAbort, "{end}");
}

#[tokio::test]
async fn a_silent_client_makes_room_for_one_that_waits() {
    let mut config = ServerConfig::default();
    config.max_connections = 2;
    config.accept.timeout = Duration::from_secs(3600);
    let (server, _inbox) = server(config);
    let mut events = server.events();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener, std::future::pending()).await }
    });
    let first = TcpStream::connect(address).await.unwrap();
    let second = TcpStream::connect(address).await.unwrap();
    let request = bowline_handshake::client::Request::new(&format!("ws://{address}/")).unwrap();
    let request = request.with_subprotocol(bowline_core::transfer::SUBPROTOCOL).unwrap();
    let config = crate::dial::Config::default();
    let dialing = crate::dial::connect_with(&request, &config);
    let dialed = timeout(Duration::from_secs(60), dialing).await.expect("in time").unwrap();
    let told = events.recv().await.unwrap();
    let ServerEvent::Rejected { peer, why } = &told else { panic!("{told:?}") };
    assert_eq!(*peer, first.local_addr().unwrap().to_string(), "who came first");
    assert!(why.starts_with("all places were taken"), "{why}");
    drop((second, dialed));
    serving.abort();
}

#[tokio::test]
async fn all_listeners_of_a_server_share_its_places() {
    let mut config = ServerConfig::default();
    config.max_connections = 1;
    let (server, _inbox) = server(config);
    let (mut serving, mut urls) = (JoinSet::new(), Vec::new());
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        urls.push(format!("ws://{}/", listener.local_addr().unwrap()));
        let server = server.clone();
        serving.spawn(async move { server.serve(listener, std::future::pending()).await });
    }
    let dial = async |url: &str| {
        let request = bowline_handshake::client::Request::new(url).unwrap();
        let request = request.with_subprotocol(bowline_core::transfer::SUBPROTOCOL).unwrap();
        crate::dial::connect_with(&request, &crate::dial::Config::default()).await.unwrap()
    };
    let first = dial(&urls[0]).await;
    let mut second = pin!(dial(&urls[1]));
    assert!(timeout(Duration::from_millis(200), &mut second).await.is_err(), "there is one place");
    drop(first);
    timeout(Duration::from_secs(60), second).await.expect("in time");
}

#[tokio::test]
async fn a_named_principal_leaves_half_of_the_places_to_others() {
    let mut config = ServerConfig::default();
    config.max_connections = 2;
    let alice = Grant::to(bowline_store::Principal::named("alice").unwrap());
    config.access = Access::anybody(Grant::default()).with_token(Secret::of("hers"), alice);
    let (server, _inbox) = server(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener, std::future::pending()).await }
    });
    let dial = async |token: Option<&str>| {
        let request = bowline_handshake::client::Request::new(&url).unwrap();
        let request = request.with_subprotocol(bowline_core::transfer::SUBPROTOCOL).unwrap();
        let request = token.into_iter().fold(request, |request, token| request.with_bearer(token).unwrap());
        crate::dial::connect_with(&request, &crate::dial::Config::default()).await
    };
    let first = dial(Some("hers")).await.unwrap();
    let error = dial(Some("hers")).await.map(drop).expect_err("one of two places is hers");
    assert!(error.to_string().contains("503"), "{error}");
    dial(None).await.expect("the other one is not hers");
    drop(first);
    serving.abort();
}

#[tokio::test]
async fn a_client_that_has_sent_its_request_is_not_asked_to_leave() {
    let (server, _inbox) = patient();
    let places = Places::new(1, server.clock);
    let (stand, away) = places.stand();
    let (near, far) = tokio::io::duplex(4096);
    let serving = server.clone();
    let serving = tokio::spawn(async move {
        let patience = serving.patience(away);
        serving.serve_with(far, "somebody".into(), |_, _| {}, (Some(stand), patience)).await;
    });
    assert!(places.is_looked_at());
    let request = bowline_handshake::client::Request::new("ws://localhost/").unwrap();
    let request = request.with_subprotocol(bowline_core::transfer::SUBPROTOCOL).unwrap();
    let dialed = crate::dial::handshake(near, &request, &accept::Config::default()).await.unwrap();
    assert!(!places.is_looked_at());
    drop(dialed);
    serving.await.unwrap();
}
