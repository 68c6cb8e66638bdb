use super::*;
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

#[test]
fn a_client_that_has_sent_its_request_is_not_asked_to_leave() {
    let inbox = tempfile::tempdir().unwrap();
    let store = DiskStore::open(inbox.path(), bowline_store::Config::default()).unwrap();
    let server = Server::new(store, ServerConfig::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (far, peer) = listener.accept().unwrap();
    let porch = &server.0.porch;
    let caller = server.caller("somebody").unwrap().with_stand();
    assert!(porch.is_looked_at());
    thread::scope(|threads| {
        threads.spawn(|| server.serve_caller(caller, far, peer.to_string()));
        let request = bowline_handshake::client::Request::new("ws://localhost/").unwrap();
        let request = request.with_subprotocol(bowline_core::transfer::SUBPROTOCOL).unwrap();
        let dialed = crate::dial::handshake(near, &request, &accept::Config::default()).unwrap();
        assert!(!porch.is_looked_at());
        drop(dialed);
    });
}

/// TLS, for example, which has taken all the time. Otherwise this would take a minute.
#[test]
fn time_spent_before_a_request_counts_towards_its_timeout() {
    let inbox = tempfile::tempdir().unwrap();
    let store = DiskStore::open(inbox.path(), bowline_store::Config::default()).unwrap();
    let (mut config, time) = (ServerConfig::default(), Duration::from_secs(60));
    config.accept.timeout = time;
    let server = Server::new(store, config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _silent = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut caller = server.caller("somebody").unwrap();
    caller.clock = caller.clock.set_forward(time);
    let start = std::time::Instant::now();
    server.serve_caller(caller, listener.accept().unwrap().0, "somebody".to_owned());
    assert!(start.elapsed() < time, "{:?}", start.elapsed());
}
