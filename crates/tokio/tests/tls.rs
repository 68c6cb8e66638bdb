//! `wss://`: files cross it, and whoever does not prove who they are is told apart.
#![cfg(feature = "tls")]

use std::net::SocketAddr;
use std::time::Duration;

use bowline_core::closing::Obstacle;
use bowline_core::connection::Config;
use bowline_core::transfer::{SUBPROTOCOL, SafeName, TransferId};
use bowline_core::{End, Retry};
use bowline_handshake::client::Request;
use bowline_store::DiskStore;
use bowline_tokio::dial::{self, Dialed};
use bowline_tokio::tls::{ClientTls, ServerTls};
use bowline_tokio::{
    Client, ClientConfig, DialError, MaybeTlsStream, Server, ServerConfig, ServerEvent, WebSocket,
};
use rcgen::{CertificateParams, CertifiedKey, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

/// A certificate that nobody but itself certifies, and its key.
struct Papers {
    certificate: String,
    key: String,
}

impl Papers {
    fn of(name: &str) -> Self {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed([name.into()]).unwrap();
        Self { certificate: cert.pem(), key: signing_key.serialize_pem() }
    }

    fn expired() -> Self {
        let mut params = CertificateParams::new(["127.0.0.1".into()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        let key = KeyPair::generate().unwrap();
        Self { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
    }

    fn server(&self) -> ServerTls {
        ServerTls::new(self.certificate.as_bytes(), self.key.as_bytes()).unwrap()
    }

    fn client(&self) -> ClientTls {
        ClientTls::trusting(self.certificate.as_bytes()).unwrap()
    }
}

struct World {
    dir: TempDir,
    server: Server,
    address: SocketAddr,
}

impl World {
    async fn new(tls: ServerTls) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let inbox = dir.path().join("inbox");
        std::fs::create_dir(&inbox).unwrap();
        let mut config = ServerConfig::default();
        config.tls = Some(tls);
        config.accept.timeout = Duration::from_secs(10);
        let server = Server::new(DiskStore::open(&inbox, bowline_store::Config::default()).unwrap(), config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
        Self { dir, server, address }
    }

    async fn dial(&self, tls: Option<ClientTls>) -> Result<Dialed<MaybeTlsStream>, DialError> {
        dial(&format!("wss://{}/", self.address), tls).await
    }
}

async fn dial(url: &str, tls: Option<ClientTls>) -> Result<Dialed<MaybeTlsStream>, DialError> {
    let mut config = dial::Config::default();
    config.tls = tls;
    let request = Request::new(url).unwrap().with_subprotocol(SUBPROTOCOL).unwrap();
    timeout(Duration::from_secs(60), dial::connect_with(&request, &config)).await.expect("in time")
}

#[tokio::test]
async fn a_file_crosses_a_connection_that_is_encrypted() {
    let papers = Papers::of("127.0.0.1");
    let world = World::new(papers.server()).await;
    let content: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let path = world.dir.path().join("a.bin");
    std::fs::write(&path, &content).unwrap();

    let mut config = ClientConfig::default();
    config.dial.tls = Some(papers.client());
    let client = Client::new(&format!("wss://{}/", world.address), config).unwrap();
    let id = TransferId::from_bytes([7; 16]);
    let mut upload = client.upload(&path, SafeName::parse("a.bin").unwrap(), id).await.unwrap();
    timeout(Duration::from_secs(60), upload.finished()).await.expect("in time").unwrap();
    assert!(std::fs::read(world.dir.path().join("inbox/a.bin")).unwrap() == content);
    client.close().await;

    let dialed = world.dial(Some(papers.client())).await.unwrap();
    assert_eq!(dialed.stream.tls_version(), Some("TLSv1_3"));
    assert_eq!(dialed.stream.tcp().peer_addr().unwrap(), world.address);
}

/// That this is why there is no connection, and that nobody tries again.
fn assert_refused(result: Result<Dialed<MaybeTlsStream>, DialError>, why: &str) {
    let error = result.expect_err(why);
    assert!(error.to_string().ends_with(why), "{error}");
    assert!(matches!(error.retry(), Retry::No(_)), "{error}");
    let kind = error.disconnect().kind();
    assert_eq!(kind, bowline_core::closing::Kind::ConnectFailed(Obstacle::Tls), "{error}");
}

#[tokio::test]
async fn who_is_not_who_it_should_be_is_told_in_words() {
    let papers = Papers::of("127.0.0.1");
    let world = World::new(papers.server()).await;
    let stranger = Papers::of("127.0.0.1").client();
    assert_refused(world.dial(Some(stranger)).await, "nobody whom we trust has certified this server");
    assert!(world.dial(Some(ClientTls::trusting_anybody())).await.is_ok(), "whoever asks no questions");

    let papers = Papers::of("example.org");
    let world = World::new(papers.server()).await;
    assert_refused(
        world.dial(Some(papers.client())).await,
        "the certificate of this server is for another name",
    );

    let papers = Papers::expired();
    let world = World::new(papers.server()).await;
    assert_refused(world.dial(Some(papers.client())).await, "the certificate of this server has expired");
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    assert_refused(dial(&url, Some(ClientTls::trusting_anybody())).await, "what answers does not speak TLS");
}

#[tokio::test]
async fn a_client_without_tls_is_told_to_whoever_listens_to_the_server() {
    let world = World::new(Papers::of("127.0.0.1").server()).await;
    let mut events = world.server.events();
    assert!(dial(&format!("ws://{}/", world.address), None).await.is_err());
    let event = timeout(Duration::from_secs(60), events.recv()).await.expect("in time").unwrap();
    assert!(matches!(&event, ServerEvent::Rejected { why, .. } if why.starts_with("no TLS: ")), "{event:?}");
}

#[tokio::test]
async fn a_certificate_can_be_replaced_while_connections_live() {
    let (first, second) = (Papers::of("127.0.0.1"), Papers::of("127.0.0.1"));
    let tls = first.server();
    let world = World::new(tls.clone()).await;
    let dialed = world.dial(Some(first.client())).await.unwrap();
    let mut socket = WebSocket::client(dialed, Config::default()).unwrap();

    assert!(tls.replace(b"nonsense", second.key.as_bytes()).is_err());
    assert!(world.dial(Some(first.client())).await.is_ok(), "nothing has changed");
    tls.replace(second.certificate.as_bytes(), second.key.as_bytes()).unwrap();
    assert!(world.dial(Some(second.client())).await.is_ok());
    assert!(world.dial(Some(first.client())).await.is_err());

    socket.ping(b"").unwrap();
    let lives =
        async { while !matches!(socket.event().await, bowline_core::connection::Event::Answered { .. }) {} };
    timeout(Duration::from_secs(60), lives).await.expect("the old connection lives");
}

#[tokio::test]
async fn a_cut_below_tls_is_not_taken_for_an_end_of_the_server() {
    let papers = Papers::of("127.0.0.1");
    let world = World::new(papers.server()).await;
    // A relay that ends TCP, and knows nothing of TLS.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}/", listener.local_addr().unwrap());
    let (cut, cutting) = tokio::sync::oneshot::channel();
    let address = world.address;
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(address).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            _ = cutting => {}
        }
    });
    let dialed = dial(&url, Some(papers.client())).await.unwrap();
    let mut socket = WebSocket::client(dialed, Config::default()).unwrap();
    // What the server has to say at first has come.
    socket.receive().await.unwrap();
    cut.send(()).unwrap();
    let disconnect = timeout(Duration::from_secs(60), socket.ended()).await.expect("in time");
    assert_eq!(disconnect.end(), Some(End::TlsTruncated), "{disconnect}");
}
