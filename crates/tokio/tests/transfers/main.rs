//! Files over real sockets: whole, resumed, many at once, refused with a reason.

mod principals;
mod progress;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bowline_core::Retry;
use bowline_core::closing::Kind;
use bowline_core::connection::PingError;
use bowline_core::transfer::{Code, Digest, SafeName, TransferId};
use bowline_store::DiskStore;
use bowline_tokio::{
    Client, ClientConfig, LinkEvent, LinkState, Server, ServerConfig, Transfer, TransferError,
};
use bowline_tokio::{Finished, TransferProgress};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Generous: no test waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(60);

struct Serving {
    dir: TempDir,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Serving {
    async fn start(config: ServerConfig) -> Self {
        let dir = folder();
        let store = DiskStore::open(dir.path(), bowline_store::Config::default()).expect("a store");
        Self::of(store, dir, config).await
    }

    async fn of(store: DiskStore, dir: TempDir, config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::new(store, config);
        let task = tokio::spawn(async move { server.serve(listener, async { drop(stopped.await) }).await });
        Self { dir, address, stop: Some(stop), task }
    }

    fn client(&self, config: ClientConfig) -> Client {
        Client::new(&format!("ws://{}", self.address), config).expect("a URL")
    }

    fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).expect("it is there")
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A client that dials again after milliseconds.
fn quick() -> ClientConfig {
    let mut config = ClientConfig::default();
    config.reconnect.base = Duration::from_millis(50);
    config.reconnect.first_window = Duration::from_millis(50);
    config.reconnect.floor = Duration::from_millis(1);
    config.reconnect.cap = Duration::from_millis(200);
    config
}

fn contents(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i ^ (i >> 8) ^ (i >> 16)) as u8).collect()
}

fn name(text: &str) -> SafeName {
    SafeName::parse(text).expect("a safe name")
}

fn id(n: u8) -> TransferId {
    TransferId::from_bytes([n; 16])
}

fn source(dir: &TempDir, len: usize) -> PathBuf {
    let path = dir.path().join(format!("source {len}"));
    std::fs::write(&path, contents(len)).expect("written");
    path
}

async fn end(transfer: Result<Transfer, TransferError>) -> Result<Finished, TransferError> {
    timeout(LIMIT, transfer.expect("queued").finished()).await.expect("in time")
}

async fn until(transfer: &Transfer, enough: impl FnMut(&TransferProgress) -> bool) {
    let mut progress = transfer.progress();
    timeout(LIMIT, progress.wait_for(enough)).await.expect("in time").expect("it lives");
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down() {
    let serving = Serving::start(ServerConfig::default()).await;
    let dir = folder();
    let client = serving.client(quick());
    for (n, len) in [(10, 0), (20, 1), (30, 65_537), (40, 5_000_000)] {
        let file = format!("file {len}");
        let sent = end(client.upload(&source(&dir, len), name(&file), id(n)).await).await.expect("sent");
        assert_eq!((sent.bytes, sent.links, sent.resent, sent.deduplicated), (len as u64, 1, 0, false));
        assert_eq!(sent.digest, Digest::of(&contents(len)));
        assert_eq!(serving.file(&file), contents(len));

        let to = dir.path().join("back");
        let got = end(client.download(name(&file), &to, id(n + 1), true).await).await.expect("fetched");
        assert_eq!(got.digest, sent.digest);
        assert_eq!(std::fs::read(to).expect("there"), contents(len));
    }
    client.close().await;
    let left =
        std::fs::read_dir(dir.path()).expect("listed").map(|entry| entry.expect("an entry").file_name());
    let staged: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with('.')).collect();
    assert!(staged.is_empty(), "{staged:?}");
}

#[tokio::test]
async fn many_files_go_at_once() {
    let serving = Serving::start(ServerConfig::default()).await;
    let dir = folder();
    let path = source(&dir, 1024);
    let client = serving.client(quick());
    let mut ends = tokio::task::JoinSet::new();
    for n in 0..100 {
        let mut transfer = client.upload(&path, name(&format!("file {n}")), id(n)).await.expect("queued");
        ends.spawn(async move { timeout(LIMIT, transfer.finished()).await });
    }
    for ended in ends.join_all().await {
        ended.expect("in time").expect("sent");
    }
    for n in 0..100 {
        assert_eq!(serving.file(&format!("file {n}")), contents(1024));
    }
}

/// Passes bytes on, and cuts each connection after so many of them in either direction.
async fn cutting_proxy(to: SocketAddr, after: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let Ok(server) = TcpStream::connect(to).await else { return };
                let (client_in, mut client_out) = client.into_split();
                let (server_in, mut server_out) = server.into_split();
                let (mut client_in, mut server_in) = (client_in.take(after), server_in.take(after));
                tokio::select! {
                    _ = copy(&mut client_in, &mut server_out) => {}
                    _ = copy(&mut server_in, &mut client_out) => {}
                }
            });
        }
    });
    address
}

#[tokio::test]
async fn a_link_that_is_cut_again_and_again_carries_a_file_both_ways() {
    let serving = Serving::start(ServerConfig::default()).await;
    let dir = folder();
    let proxy = cutting_proxy(serving.address, 1_500_000).await;
    let client = Client::new(&format!("ws://{proxy}"), quick()).expect("a URL");
    let mut events = client.events();
    let sent = end(client.upload(&source(&dir, 10_000_000), name("file"), id(1)).await).await.expect("sent");
    assert_eq!(serving.file("file"), contents(10_000_000));
    assert!(sent.links >= 6, "{} links", sent.links);
    let to = dir.path().join("back");
    end(client.download(name("file"), &to, id(2), false).await).await.expect("fetched");
    assert_eq!(std::fs::read(to).expect("there"), contents(10_000_000));

    let mut ends = 0;
    while let Ok(event) = events.try_recv() {
        if let LinkEvent::Down { disconnect } = event {
            assert!(disconnect.to_string().starts_with("no close frame"), "{disconnect}");
            ends += 1;
        }
    }
    assert!(ends >= 12, "{ends} ends");
}

#[tokio::test]
async fn a_wrong_token_is_refused_at_once() {
    let mut config = ServerConfig::default();
    config.token = Some("right".into());
    let serving = Serving::start(config).await;
    let dir = folder();
    let path = source(&dir, 10);
    for (token, fine) in [(Some("right"), true), (Some("wrong"), false), (None, false)] {
        let mut config = quick();
        config.token = token.map(Into::into);
        let client = serving.client(config);
        match end(client.upload(&path, name("file"), id(1)).await).await {
            Ok(_) => assert!(fine),
            Err(TransferError::Refused(why)) => {
                assert!(!fine && why.contains("401") && !why.contains("wrong"), "{why}");
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_sends_its_clients_away_and_keeps_what_came() {
    let mut serving = Serving::start(ServerConfig::default()).await;
    let dir = folder();
    let mut config = quick();
    config.transfer.limit_rate = Some(2_000_000);
    let client = serving.client(config);
    let mut events = client.events();
    let transfer = client.upload(&source(&dir, 50_000_000), name("file"), id(1)).await.expect("queued");
    until(&transfer, |progress| progress.received > 500_000).await;
    serving.stop.take().map(|stop| stop.send(()));
    timeout(LIMIT, &mut serving.task).await.expect("in time").expect("no panic").expect("it stops");
    loop {
        if let LinkEvent::Down { disconnect } =
            timeout(LIMIT, events.recv()).await.expect("in time").expect("told")
        {
            assert!(disconnect.to_string().contains("1012"), "{disconnect}");
            break;
        }
    }
    let parts = walk(&serving.dir.path().join(".bowline"));
    let kept: u64 = parts
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "part"))
        .map(|path| path.metadata().expect("there").len())
        .sum();
    assert!(kept > 400_000, "{kept} bytes are kept in {parts:?}");
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn nobody_there_is_told_when_the_time_is_over() {
    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let mut config = quick();
    config.reconnect.first_contact = Some(Duration::from_millis(300));
    let client = Client::new(&format!("ws://{free}"), config).expect("a URL");
    let dir = folder();
    let end = end(client.upload(&source(&dir, 10), name("file"), id(1)).await).await;
    assert!(
        matches!(&end, Err(TransferError::Unreachable(why)) if why.contains("nobody listens")),
        "{end:?}"
    );
}

/// The address of something that answers every request in these words.
async fn answering(words: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(words.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn each_attempt_is_counted_and_told_like_an_end() {
    let address = answering("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n").await;
    let client = Client::new(&format!("ws://{address}"), quick()).expect("a URL");
    let mut events = client.events();
    for expected in 1..=3 {
        let mut told = Vec::new();
        while told.len() < 3 {
            told.push(events.recv().await.expect("the client lives"));
        }
        let [
            LinkEvent::Dialing { attempt },
            LinkEvent::DialFailed { attempt: failed, disconnect },
            LinkEvent::Waiting { attempt: next, .. },
        ] = &told[..]
        else {
            panic!("{told:?}")
        };
        assert_eq!((*attempt, *failed, *next), (expected, expected, expected + 1));
        assert_eq!(disconnect.kind(), Kind::HandshakeRejected(503), "{disconnect}");
        assert_eq!(disconnect.retry(), Retry::Backoff);
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_named_when_the_time_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let mut config = quick();
    config.dial.connect_timeout = Duration::from_millis(200);
    config.reconnect.first_contact = Some(Duration::from_millis(300));
    let client = Client::new(&format!("ws://{address}"), config).expect("a URL");
    let dir = folder();
    let end = end(client.upload(&source(&dir, 10), name("file"), id(1)).await).await;
    let Err(TransferError::Unreachable(why)) = end else { panic!("{end:?}") };
    assert!(why.contains(&address.to_string()) && why.contains("did not answer within 200ms"), "{why}");
}

#[tokio::test]
async fn a_server_of_something_else_is_named() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 9\r\n\r\n<!doctype";
    let address = answering(page).await;
    let client = Client::new(&format!("ws://{address}"), quick()).expect("a URL");
    let dir = folder();
    let end = end(client.upload(&source(&dir, 10), name("file"), id(1)).await).await;
    let Err(TransferError::Refused(why)) = end else { panic!("{end:?}") };
    assert!(why.contains("200") && why.contains("text/html") && why.contains("<!doctype"), "{why}");
}

#[tokio::test]
async fn a_taken_name_and_a_missing_file_are_refused_by_the_server() {
    let serving = Serving::start(ServerConfig::default()).await;
    std::fs::write(serving.dir.path().join("file"), b"something else").expect("written");
    let dir = folder();
    let client = serving.client(quick());
    let up = end(client.upload(&source(&dir, 10), name("file"), id(1)).await).await;
    assert!(matches!(&up, Err(TransferError::Failed(f)) if f.code == Code::Exists), "{up:?}");
    let down = end(client.download(name("nothing"), &dir.path().join("x"), id(2), false).await).await;
    assert!(matches!(&down, Err(TransferError::Failed(f)) if f.code == Code::NotFound), "{down:?}");
}

#[tokio::test]
async fn two_senders_of_one_id_leave_one_winner() {
    let serving = Serving::start(ServerConfig::default()).await;
    let dir = folder();
    let path = source(&dir, 4_000_000);
    let mut slow = quick();
    slow.transfer.limit_rate = Some(1_000_000);
    let first = serving.client(slow);
    let loser = first.upload(&path, name("file"), id(1)).await.expect("queued");
    until(&loser, |progress| progress.received > 100_000).await;
    let second = serving.client(quick());
    end(second.upload(&path, name("file"), id(1)).await).await.expect("sent");
    let lost = end(Ok(loser)).await;
    assert!(matches!(&lost, Err(TransferError::Failed(f)) if f.code == Code::Fenced), "{lost:?}");
    assert_eq!(serving.file("file"), contents(4_000_000));
}

#[tokio::test]
async fn a_ping_is_answered_while_a_file_goes_up_and_fails_without_a_link() {
    let serving = Serving::start(ServerConfig::default()).await;
    let client = serving.client(quick());
    let mut link = client.link();
    let is_up = |state: &LinkState| matches!(state, LinkState::Up);
    timeout(LIMIT, link.wait_for(is_up)).await.expect("in time").expect("it lives");
    let dir = folder();
    let upload = client.upload(&source(&dir, 5_000_000), name("a"), id(1)).await;
    let rtt = timeout(LIMIT, client.ping()).await.expect("in time").expect("answered");
    assert!(rtt < LIMIT);
    end(upload).await.expect("sent");

    // Nobody listens where this one dials.
    let lonely = Client::new("ws://127.0.0.1:9", quick()).expect("a URL");
    assert_eq!(timeout(LIMIT, lonely.ping()).await.expect("in time"), Err(PingError::Closing));
    client.close().await;
}
