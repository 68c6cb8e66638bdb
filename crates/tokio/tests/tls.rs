//! `wss://` in its simplest form. What happens to files over it, and how clients are told apart, is tested over all
//! adapters, in the tests of the workspace.
#![cfg(feature = "tls")]

use bowline_core::connection::Config;
use bowline_core::{Close, Message};
use bowline_tokio::tls::{ClientTls, ServerTls};
use bowline_tokio::{WebSocket, dial};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

#[tokio::test]
async fn a_websocket_over_tls_knows_what_is_below_it() {
    let pair = rcgen::generate_simple_self_signed(["127.0.0.1".into()]).unwrap();
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let tls = ServerTls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let stream =
            TlsAcceptor::from(tls.config()).accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut socket = WebSocket::accept(stream).await.unwrap();
        let message = socket.receive().await.unwrap();
        socket.send(message).await.unwrap();
        socket.ended().await.to_string()
    });

    let mut config = dial::Config::default();
    config.tls = Some(ClientTls::trusting(certificate.as_bytes()).unwrap());
    let dialed = dial::connect(&format!("wss://{address}/"), &config).await.unwrap();
    assert_eq!(dialed.stream.tls_version(), Some("TLSv1_3"));
    assert_eq!(dialed.stream.tcp().unwrap().peer_addr().unwrap(), address);
    let mut socket = WebSocket::client(dialed, Config::default()).unwrap();
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.receive().await.unwrap(), Message::text("hello"));
    socket.close(Close::normal()).unwrap();
    assert_eq!(socket.ended().await.to_string(), "sent 1000 (OK); then received 1000 (OK)");
    assert_eq!(server.await.unwrap(), "received 1000 (OK); then sent 1000 (OK)");
}
