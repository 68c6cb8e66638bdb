use super::*;
use std::net::TcpListener;
use std::thread;

#[test]
fn who_has_asked_is_not_looked_at_for_a_place() {
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
