//! Servers behind other doors than TCP: a Unix socket, and another HTTP server.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use bowline_blocking::{
    Access, Client, ClientConfig, Grant, LinkEvent, Listener, Secret, Server, ServerConfig, ServerEvent,
    Stopper, WebSocket, dial,
};
#[cfg(target_os = "linux")]
use bowline_blocking::{DialError, Stage};
use bowline_core::closing::Kind;
use bowline_core::connection::Config;
use bowline_core::transfer::{SUBPROTOCOL, SafeName, TransferId};
use bowline_handshake::client::Request;
use bowline_store::{Attach, DiskStore, Mode, Principal, Spec};

use crate::common::{LIMIT, within};

fn name(text: &str) -> SafeName {
    SafeName::parse(text).unwrap()
}

fn id(n: u8) -> TransferId {
    TransferId::from_bytes([n; 16])
}

fn server(dir: &Path, config: ServerConfig) -> Server {
    Server::new(DiskStore::open(dir, bowline_store::Config::default()).unwrap(), config)
}

/// Serves at an address of its own until it is stopped.
fn listening(server: Server) -> (SocketAddr, Stopper, JoinHandle<io::Result<()>>) {
    let listener = Listener::bind("127.0.0.1:0").unwrap();
    let (address, stopper) = (listener.local_addr().unwrap(), listener.stopper());
    (address, stopper, thread::spawn(move || server.serve(listener)))
}

/// The next event of this kind.
fn until<T>(events: &mpsc::Receiver<T>, is_it: impl Fn(&T) -> bool) -> T {
    std::iter::repeat_with(|| events.recv_timeout(LIMIT).expect("in time")).find(is_it).expect("endless")
}

#[cfg(unix)]
#[test]
fn a_unix_socket_carries_files_until_its_listener_stops_and_clients_hear_why() {
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        let (path, inbox) = (dir.path().join("socket"), dir.path().join("inbox"));
        fs::create_dir(&inbox).unwrap();
        fs::write(dir.path().join("small"), [7; 1000]).unwrap();
        fs::write(dir.path().join("large"), vec![7; 10_000_000]).unwrap();
        let (listener, _file) = bowline_host::unix::listen(&path).unwrap();
        let server = server(&inbox, ServerConfig::default());
        let (came, listener) = (server.events(), Listener::new(listener).unwrap());
        let (stopper, serving) = (listener.stopper(), server.clone());
        let serving = thread::spawn(move || serving.serve_unix(listener));

        let mut config = ClientConfig::default();
        config.dial.unix = Some(path);
        config.transfer.limit_rate = Some(100_000);
        let client = Client::new("ws://localhost/", config).unwrap();
        let events = client.events();
        let mut small = client.upload(&dir.path().join("small"), name("small"), id(1)).unwrap();
        small.finished().unwrap();
        assert_eq!(fs::read(inbox.join("small")).unwrap(), [7; 1000]);
        let ServerEvent::Connected { peer } =
            until(&came, |event| matches!(event, ServerEvent::Connected { .. }))
        else {
            unreachable!()
        };
        #[cfg(target_os = "linux")]
        assert_eq!(peer.address, format!("unix:user={}", rustix::process::getuid().as_raw()));
        #[cfg(not(target_os = "linux"))]
        assert_eq!(peer.address, "unix");

        let large = client.upload(&dir.path().join("large"), name("large"), id(2)).unwrap();
        large.progress().wait_for(|progress| progress.received > 0).unwrap();
        stopper.stop();
        serving.join().unwrap().unwrap();
        let down = until(&events, |event| matches!(event, LinkEvent::Down { .. }));
        let LinkEvent::Down { disconnect } = down else { unreachable!() };
        assert_eq!(disconnect.kind(), Kind::Restart, "{disconnect}");
        assert!(inbox.join(".bowline").exists(), "what has come of the file stays for later");
    });
}

/// On other systems, a caller cannot be made to wait.
#[cfg(target_os = "linux")]
#[test]
fn a_dial_to_a_unix_socket_with_a_full_queue_ends_on_time() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
        bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        listen(&listener, 0).unwrap();
        let _first = std::os::unix::net::UnixStream::connect(&path).unwrap();

        let mut config = dial::Config::default();
        (config.unix, config.connect_timeout) = (Some(path.clone()), Duration::from_millis(200));
        let error = dial::connect("ws://localhost/", &config).unwrap_err();
        let DialError::TimedOut { place, stage, after } = &error else { panic!("{error}") };
        assert_eq!((&**place, *after), (path.to_str().unwrap(), config.connect_timeout));
        assert_eq!(*stage, Stage::Connect);
    });
}

/// An HTTP server that can hand over one route.
fn host(server: &Server, listener: &TcpListener, served: &AtomicUsize) {
    thread::scope(|scope| {
        loop {
            let (stream, peer) = listener.accept().unwrap();
            let Some(request) = read(&stream) else { return };
            scope.spawn(move || {
                let (answer, guest) = server.answer(&request);
                write(&stream, &answer);
                if let Some(guest) = guest {
                    server.serve_guest(stream, guest, peer.to_string());
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
}

/// The head of a request, byte by byte, because what follows it is not ours; `None` at the end.
fn read(stream: &TcpStream) -> Option<http::Request<()>> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut lines = std::iter::from_fn(|| {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 2).map(|_| line.trim_end().to_owned())
    });
    let (method, rest) = lines.next()?.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let mut request = http::Request::builder().method(&*method).uri(rest.split_once(' ')?.0);
    for line in lines {
        let (name, value) = line.split_once(": ")?;
        request = request.header(name, value);
    }
    request.body(()).ok()
}

fn write(mut stream: &TcpStream, answer: &http::Response<bytes::Bytes>) {
    let mut text = format!("HTTP/1.1 {}\r\n", answer.status()).into_bytes();
    for (name, value) in answer.headers() {
        write!(text, "{name}: {}\r\n", value.to_str().unwrap()).unwrap();
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(answer.body());
    // The client may be gone.
    let _ = stream.write_all(&text);
}

/// The answer to plain HTTP.
fn ask(address: SocketAddr, more: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\n{more}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_guest_of_another_server_brings_files_and_leaves_when_the_server_stops() {
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("file"), vec![7; 100_000]).unwrap();
        let inbox = dir.path().join("inbox");
        fs::create_dir(&inbox).unwrap();
        let mut config = ServerConfig::default();
        config.access = Access::by_token("open sesame");
        let server = server(&inbox, config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (hosting, served) = (server.clone(), Arc::new(AtomicUsize::new(0)));
        let host = thread::spawn({
            let served = Arc::clone(&served);
            move || host(&hosting, &listener, &served)
        });

        assert!(ask(address, "").starts_with("HTTP/1.1 4"), "no upgrade");
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        assert!(ask(address, upgrade).starts_with("HTTP/1.1 401 "), "no token");
        let page = format!("{upgrade}Origin: https://evil.example\r\n");
        assert!(ask(address, &page).starts_with("HTTP/1.1 403 "), "a page of another origin");

        let mut config = ClientConfig::default();
        config.token = Some("open sesame".into());
        let client = Client::new(&format!("ws://{address}/"), config).unwrap();
        let events = client.events();
        let mut upload = client.upload(&dir.path().join("file"), name("file"), id(1)).unwrap();
        upload.finished().unwrap();
        assert_eq!(fs::read(inbox.join("file")).unwrap(), vec![7; 100_000]);
        assert_eq!(served.load(Ordering::Relaxed), 0, "the guest is there");
        server.stop();
        until(&events, |event| matches!(event, LinkEvent::Down { .. }));
        client.close();
        // A client that sends nothing ends the host, which waits for its guests.
        drop(TcpStream::connect(address));
        host.join().unwrap();
        assert!(served.load(Ordering::Relaxed) > 0);
    });
}

/// Two ends of a connection, one of which is served by a server that has stopped.
fn late(dir: &Path) -> (TcpStream, JoinHandle<()>) {
    let mut config = ServerConfig::default();
    config.accept.timeout = Duration::from_secs(3600);
    let server = server(dir, config);
    server.stop();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let far = listener.accept().unwrap().0;
    (near, thread::spawn(move || server.serve_stream(far, "somebody".to_owned())))
}

#[test]
fn a_request_after_the_server_has_stopped_is_told_to_come_back() {
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        let (near, serving) = late(dir.path());
        let request = Request::new("ws://localhost/").unwrap().with_subprotocol(SUBPROTOCOL).unwrap();
        let dialed = dial::handshake(near, &request, &bowline_handshake::Config::default()).unwrap();
        let mut client = WebSocket::client(dialed, Config::default()).unwrap();
        let told = client.ended();
        assert_eq!(told.kind(), Kind::Restart, "{told}");
        drop(client);
        serving.join().unwrap();

        let (_silent, serving) = late(dir.path());
        serving.join().unwrap();
    });
}

#[test]
fn a_silent_client_makes_room_for_one_that_waits() {
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::default();
        config.max_connections = 2;
        config.accept.timeout = Duration::from_secs(3600);
        let server = server(dir.path(), config);
        let events = server.events();
        let (address, stopper, serving) = listening(server);
        let silent = [(); 2].map(|()| TcpStream::connect(address).unwrap());
        let request =
            Request::new(&format!("ws://{address}/")).unwrap().with_subprotocol(SUBPROTOCOL).unwrap();
        let dialed = dial::connect_with(&request, &dial::Config::default()).unwrap();
        let told = until(&events, |event| matches!(event, ServerEvent::Rejected { .. }));
        let ServerEvent::Rejected { peer, why } = &told else { unreachable!() };
        // Which of them stands in the porch first depends on threads.
        assert!(silent.iter().any(|silent| *peer == silent.local_addr().unwrap().to_string()), "{peer}");
        assert!(why.starts_with("all places were taken"), "{why}");
        drop((silent, dialed));
        stopper.stop();
        serving.join().unwrap().unwrap();
    });
}

#[test]
fn a_named_principal_leaves_half_of_the_places_to_others() {
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::default();
        config.max_connections = 2;
        let alice = Grant::to(Principal::named("alice").unwrap());
        config.access = Access::anybody(Grant::default()).with_token(Secret::of("hers"), alice);
        let server = server(dir.path(), config);
        let (address, stopper, serving) = listening(server);
        let dial = |token: Option<&str>| {
            let request = Request::new(&format!("ws://{address}/")).unwrap().with_subprotocol(SUBPROTOCOL);
            let request = token.into_iter().try_fold(request.unwrap(), Request::with_bearer).unwrap();
            dial::connect_with(&request, &dial::Config::default())
        };
        let first = dial(Some("hers")).unwrap();
        let error = dial(Some("hers")).map(drop).expect_err("one of two places is hers");
        assert!(error.to_string().contains("503"), "{error}");
        drop((dial(None).expect("the other one is not hers"), first));
        stopper.stop();
        serving.join().unwrap().unwrap();
    });
}

#[test]
fn all_listeners_of_a_server_share_its_places() {
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = ServerConfig::default();
        config.max_connections = 1;
        let server = server(dir.path(), config);
        let [first, second] = [(); 2].map(|()| {
            let (address, stopper, serving) = listening(server.clone());
            (format!("ws://{address}/"), stopper, serving)
        });
        let dial = |url: &str| {
            let request = Request::new(url).unwrap().with_subprotocol(SUBPROTOCOL).unwrap();
            dial::connect_with(&request, &dial::Config::default()).unwrap()
        };
        let dialed = dial(&first.0);
        let (came, coming) = mpsc::channel();
        let url = second.0.clone();
        let waiting = thread::spawn(move || drop(came.send(dial(&url))));
        assert!(coming.recv_timeout(Duration::from_millis(200)).is_err(), "there is one place");
        drop(dialed);
        drop(coming.recv().unwrap());
        waiting.join().unwrap();
        for (_, stopper, serving) in [first, second] {
            stopper.stop();
            serving.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_sweep_removes_abandoned_files_and_ends_with_the_server() {
    within(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = bowline_store::Config::default();
        config.expire_after = Some(Duration::from_millis(1));
        let store = DiskStore::open(dir.path(), config).unwrap();
        let leave = |begun| {
            let (spec, attach) =
                (Spec::new(name("file"), Some(10)), Attach::new(Mode::AttachOrCreate, [1; 16]));
            drop(store.attach(id(1), &spec, attach, begun).unwrap());
            assert!(dir.path().join(".bowline").exists());
        };
        let sweep = |every, leave: &dyn Fn()| {
            let mut config = ServerConfig::default();
            config.sweep_every = Some(every);
            let server = Server::new(store.clone(), config);
            leave();
            let sweeping = server.clone();
            let sweeping = thread::spawn(move || sweeping.sweep());
            while dir.path().join(".bowline").exists() {
                thread::yield_now();
            }
            // By then it waits for the next round, which may be far away.
            thread::sleep(Duration::from_millis(50));
            server.stop();
            sweeping.join().unwrap();
        };
        let now = SystemTime::now();
        sweep(Duration::from_secs(3600), &|| leave(now - Duration::from_secs(60)));
        // Not yet in the first round.
        sweep(Duration::from_millis(20), &|| leave(now + Duration::from_millis(200)));

        let mut config = ServerConfig::default();
        config.sweep_every = None;
        Server::new(store, config).sweep();
    });
}
