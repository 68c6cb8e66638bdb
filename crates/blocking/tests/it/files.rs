//! Files through a client that works while its owner calls, and the example. What both kinds of clients have in common
//! is tested over all adapters, in the tests of the workspace.

use std::fs;
use std::io::Read as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bowline_blocking::accept::{self, Accept, Decision};
use bowline_blocking::{
    Client, ClientConfig, InlineClient, LinkState, Listener, Server, ServerConfig, ServerEvent, StartError,
    Stopper, TransferError, WebSocket, dial,
};
use bowline_core::closing::Kind;
use bowline_core::connection::{Config, PingError};
use bowline_core::transfer::{Code, Leftover, SUBPROTOCOL, SafeName, Stage, TransferId};
use bowline_handshake::HeaderError;
use bowline_handshake::client::{Request, RequestError};
use bowline_store::DiskStore;
use tempfile::TempDir;

#[cfg(feature = "tls")]
use crate::common::papers;
use crate::common::{LIMIT, Over, dialing, take_all, within};

#[path = "../../examples/blocking_upload.rs"]
#[allow(dead_code)]
mod blocking_upload;

/// A server of a folder, until it is dropped.
pub(crate) struct Serving {
    dir: TempDir,
    url: String,
    dial: dial::Config,
    server: Server,
    stopper: Stopper,
    thread: Option<JoinHandle<()>>,
}

impl Serving {
    fn start(rate: Option<u64>) -> Self {
        Self::over(Over::Tcp, rate)
    }

    fn over(over: Over, rate: Option<u64>) -> Self {
        let mut config = ServerConfig::default();
        config.transfer.limit_rate = rate;
        // Nothing wakes up by itself.
        config.connection.heartbeat.interval = 10 * LIMIT;
        Self::of(over, config)
    }

    #[cfg_attr(not(feature = "tls"), expect(unused_mut))]
    pub(crate) fn of(over: Over, mut config: ServerConfig) -> Self {
        #[cfg(feature = "tls")]
        if matches!(over, Over::Tls) {
            config.tls = Some(papers().server.clone());
        }
        let dir = tempfile::tempdir().unwrap();
        let store = DiskStore::open(dir.path(), bowline_store::Config::default()).unwrap();
        let server = Server::new(store, config);
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let ((url, dial), stopper) = (dialing(over, listener.local_addr().unwrap()), listener.stopper());
        let serving = server.clone();
        let thread = Some(thread::spawn(move || serving.serve(listener).unwrap()));
        Self { dir, url, dial, server, stopper, thread }
    }

    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    fn client(&self) -> InlineClient {
        let mut config = ClientConfig::default();
        config.connection.heartbeat.interval = 10 * LIMIT;
        self.client_of(config)
    }

    pub(crate) fn client_of(&self, mut config: ClientConfig) -> InlineClient {
        config.dial = self.dial.clone();
        InlineClient::new(&self.url, config).unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stopper.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn name(text: &str) -> SafeName {
    SafeName::parse(text).unwrap()
}

fn id(n: u8) -> TransferId {
    TransferId::from_bytes([n; 16])
}

fn write(path: &Path, len: usize) -> Vec<u8> {
    let bytes: Vec<u8> = (0..len).map(|i| (i ^ (i >> 8)) as u8).collect();
    fs::write(path, &bytes).unwrap();
    bytes
}

pub(crate) fn the_owners_calls_carry_files_both_ways_and_return_when_done(over: Over) {
    within(move || {
        let start = Instant::now();
        let (serving, dir) = (Serving::over(over, None), tempfile::tempdir().unwrap());
        let bytes = write(&dir.path().join("file"), 3_000_000);
        let mut client = serving.client();
        assert!(matches!(client.link(), LinkState::Dialing { attempt: 1 }));
        assert_eq!(client.ping(), Err(PingError::Closing), "there is no link yet");
        let sent = client.upload(&dir.path().join("file"), name("there"), id(1)).unwrap().finished().unwrap();
        assert_eq!((sent.bytes, sent.links), (3_000_000, 1));
        assert!(client.ping().is_ok() && matches!(client.link(), LinkState::Up));
        let back = dir.path().join("back");
        let got = client.download(name("there"), &back, id(2), false).unwrap().finished().unwrap();
        assert_eq!(got.digest, sent.digest);
        assert_eq!(fs::read(back).unwrap(), bytes);
        client.close();
        assert!(start.elapsed() < LIMIT / 2);
    });
}

#[test]
fn progress_is_reported_until_the_transfer_ends() {
    within(|| {
        let (serving, dir) = (Serving::start(Some(500_000)), tempfile::tempdir().unwrap());
        write(&dir.path().join("file"), 3_000_000);
        let mut client = serving.client();
        let mut upload = client.upload(&dir.path().join("file"), name("file"), id(1)).unwrap();
        let mut told = Vec::new();
        while let Some(progress) = upload.progress() {
            told.push(progress);
        }
        assert!(told.iter().filter(|p| p.stage == Stage::Moving).count() > 3, "{told:?}");
        assert!(told.is_sorted_by_key(|progress| progress.received));
        assert_eq!(told.last().unwrap().durable, 3_000_000);
        assert_eq!(upload.finished().unwrap().bytes, 3_000_000);
    });
}

#[test]
fn an_unwatched_transfer_moves_with_the_next_and_can_be_cancelled() {
    within(|| {
        let (serving, dir) = (Serving::start(Some(2_000_000)), tempfile::tempdir().unwrap());
        write(&dir.path().join("large"), 20_000_000);
        let bytes = write(&dir.path().join("small"), 100_000);
        let mut client = serving.client();
        let control = client.upload(&dir.path().join("large"), name("large"), id(1)).unwrap().control();
        client.upload(&dir.path().join("small"), name("small"), id(2)).unwrap().finished().unwrap();
        assert_eq!(fs::read(serving.dir.path().join("small")).unwrap(), bytes);
        // Until it has begun.
        while !serving.dir.path().join(".bowline").exists() {
            assert!(client.drive(Duration::from_millis(10)));
        }
        control.cancel(Leftover::Discard);
        assert!(client.drive(Duration::from_millis(200)));
        // The name is free for another transfer.
        client.upload(&dir.path().join("small"), name("large"), id(3)).unwrap().finished().unwrap();
    });
}

pub(crate) fn a_thread_takes_over_a_transfer_that_the_owner_has_begun(over: Over) {
    within(move || {
        let (serving, dir) = (Serving::over(over, Some(2_000_000)), tempfile::tempdir().unwrap());
        let bytes = write(&dir.path().join("file"), 1_000_000);
        let mut client = serving.client();
        let mut upload = client.upload(&dir.path().join("file"), name("file"), id(1)).unwrap();
        upload.progress().unwrap();
        let events = serving.server.events();
        let client = client.spawn().unwrap();
        // It continues to send by itself, and stays until somebody says that it may go.
        while !matches!(events.recv().unwrap(), ServerEvent::Received(_)) {}
        assert_eq!(fs::read(serving.dir.path().join("file")).unwrap(), bytes);
        assert!(client.ping().is_ok());
        client.close();
    });
}

#[test]
fn a_wait_for_an_answer_to_a_ping_ends_on_time() {
    const MOMENT: Duration = Duration::from_millis(50);
    within(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (wake, sleep) = mpsc::channel::<()>();
        let server = thread::spawn(move || {
            let stream = listener.accept().unwrap().0;
            let accept = Decision::Accept(Accept::new().with_subprotocol(SUBPROTOCOL));
            let accepted = accept::accept(stream, &accept::Config::default(), |_, _| accept).unwrap();
            sleep.recv().unwrap();
            WebSocket::server(accepted, Config::default()).unwrap().ended()
        });
        let mut client = InlineClient::new(&url, ClientConfig::default()).unwrap();
        assert_eq!(client.ping_timeout(MOMENT), Err(PingError::Closing), "there is no link yet");
        while !matches!(client.link(), LinkState::Up) {
            assert!(client.drive(MOMENT));
        }
        let start = Instant::now();
        assert_eq!(client.ping_timeout(MOMENT), Ok(None));
        let client = client.spawn().unwrap();
        assert_eq!(client.ping_timeout(MOMENT), Ok(None));
        assert!(start.elapsed() >= 2 * MOMENT);
        wake.send(()).unwrap();
        assert!(matches!(client.ping_timeout(LIMIT), Ok(Some(_))));
        client.close();
        server.join().unwrap();
    });
}

#[test]
fn the_thread_ends_with_the_last_handle_once_no_transfer_is_open() {
    within(|| {
        let start = Instant::now();
        let (serving, dir) = (Serving::start(Some(2_000_000)), tempfile::tempdir().unwrap());
        write(&dir.path().join("file"), 1_000_000);
        let client = serving.client().spawn().unwrap();
        let (mut link, server) = (client.link(), serving.server.events());
        drop(client.upload(&dir.path().join("file"), name("file"), id(1)).unwrap());
        drop(client);
        assert_eq!(link.by_ref().count().min(1), 1, "its states end with it");
        let left = server.iter().find_map(|event| match event {
            ServerEvent::Disconnected { disconnect, .. } => Some(disconnect.to_string()),
            _ => None,
        });
        assert_eq!(left.unwrap(), "received 1000 (OK); then sent 1000 (OK)");
        assert_eq!(fs::metadata(serving.dir.path().join("file")).unwrap().len(), 1_000_000);
        assert!(start.elapsed() < LIMIT / 2);
    });
}

/// A client that does not even send a request: neither a timeout of the server nor one of the listener ends it.
pub(crate) fn a_silent_client_is_dropped_when_the_server_stops(over: Over) {
    within(move || {
        let mut config = ServerConfig::default();
        config.drain = Duration::from_secs(3600);
        config.accept.timeout = config.drain;
        let mut serving = Serving::of(over, config);
        let events = serving.server.events();
        let address = serving.url.split('/').nth(2).unwrap();
        let mut silent = TcpStream::connect(address).unwrap();
        // A client that is refused came after that one.
        TcpStream::connect(address).unwrap().shutdown(Shutdown::Write).unwrap();
        let rejected = || match events.recv().unwrap() {
            ServerEvent::Rejected { why, .. } => why,
            other => panic!("{other:?}"),
        };
        rejected();
        serving.stopper.stop();
        serving.thread.take().unwrap().join().unwrap();
        let mut told = Vec::new();
        let _ = silent.read_to_end(&mut told);
        // A thread that started slowly believes that the stop came before its client, and has answered nothing.
        match rejected() {
            why if why == "the server is stopping" => assert_eq!(told, b""),
            why => assert!(why.contains("1 s"), "{why}"),
        }
    });
}

#[test]
fn a_silent_link_is_cut_when_the_time_of_a_stopping_server_is_over() {
    within(|| {
        let mut config = ServerConfig::default();
        config.drain = Duration::from_millis(50);
        config.connection.closing.close_timeout = 10 * LIMIT;
        let mut serving = Serving::of(Over::Tcp, config);
        let request = Request::new(&serving.url).unwrap().with_subprotocol(SUBPROTOCOL).unwrap();
        let silent = dial::connect_with(&request, &serving.dial).unwrap();
        serving.stopper.stop();
        serving.thread.take().unwrap().join().unwrap();
        take_all(silent.stream);
    });
}

#[test]
fn a_link_that_opens_after_its_client_is_gone_is_not_kept() {
    within(|| {
        let (listener, dir) = (TcpListener::bind("127.0.0.1:0").unwrap(), tempfile::tempdir().unwrap());
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let mut client = InlineClient::new(&url, ClientConfig::default()).unwrap();
        let there = dir.path().join("there");
        let control = client.download(name("file"), &there, id(1), false).unwrap().control();
        client.drive(Duration::ZERO);
        let stream = listener.accept().unwrap().0;
        drop(client);
        // It still dials.
        let end = WebSocket::accept(stream).unwrap().ended();
        assert_ne!(end.kind(), Kind::KeepaliveTimeout, "{end}");
        control.cancel(Leftover::Keep);
    });
}

#[test]
fn a_server_takes_any_stream() {
    within(|| {
        let (serving, dir) = (Serving::start(None), tempfile::tempdir().unwrap());
        let bytes = write(&dir.path().join("file"), 100_000);
        // Through a listener of the application's own, as with TLS or a tunnel.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let server = serving.server.clone();
        let link =
            thread::spawn(move || server.serve_stream(listener.accept().unwrap().0, "a friend".into()));
        let mut client = InlineClient::new(&url, ClientConfig::default()).unwrap();
        client.upload(&dir.path().join("file"), name("file"), id(1)).unwrap().finished().unwrap();
        client.close();
        link.join().unwrap();
        assert_eq!(fs::read(serving.dir.path().join("file")).unwrap(), bytes);
    });
}

#[test]
fn an_impossible_request_fails_at_once() {
    let url = "http://example.org";
    let error = InlineClient::new(url, ClientConfig::default()).unwrap_err();
    assert!(matches!(error, StartError::Request(RequestError::Scheme { .. })), "{error}");
    assert!(matches!(Client::new(url, ClientConfig::default()), Err(StartError::Request(_))));
    let serving = Serving::start(None);
    let mut client = serving.client();
    assert!(matches!(client.set_token("a\nb"), Err(RequestError::Header(HeaderError::Value { .. }))));
    let missing = client.upload(Path::new("/nowhere/file"), name("file"), id(1));
    assert!(matches!(missing, Err(TransferError::File(_))));
    let nameless = client.download(name("file"), Path::new("/"), id(1), false);
    assert!(matches!(nameless, Err(TransferError::Failed(failure)) if failure.code == Code::NameInvalid));
}

#[test]
fn the_example_uploads_a_file() {
    within(|| {
        let (serving, dir) = (Serving::start(None), tempfile::tempdir().unwrap());
        let bytes = write(&dir.path().join("holiday.tar"), 1_000_000);
        blocking_upload::upload(&dir.path().join("holiday.tar"), &serving.url).unwrap();
        assert_eq!(fs::read(serving.dir.path().join("holiday.tar")).unwrap(), bytes);
        let text = include_str!("../../examples/blocking_upload.rs");
        assert!(text.lines().count() <= 40);
    });
}
