//! A server with a folder, and what tests need around it.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bowline_core::transfer::{SafeName, TransferId};
use bowline_host::client::ClientConfig;
use bowline_host::server::ServerConfig;
use bowline_host::transfer::{Finished, TransferError, TransferProgress};
use bowline_store::DiskStore;
use tempfile::TempDir;
use tokio::net::TcpSocket;

use crate::ends::{Begun, Client, Pair, Server, Transfer};

/// A server with its folder.
pub(crate) struct Serving {
    pair: Pair,
    pub(crate) dir: TempDir,
    pub(crate) server: Box<dyn Server>,
}

impl Serving {
    pub(crate) fn start(pair: Pair, config: ServerConfig) -> Self {
        let dir = folder();
        let store = store(dir.path());
        Self::of(pair, store, dir, config)
    }

    pub(crate) fn of(pair: Pair, store: DiskStore, dir: TempDir, config: ServerConfig) -> Self {
        Self::at(TcpListener::bind(anywhere()).expect("a port"), pair, store, dir, config)
    }

    pub(crate) fn at(
        listener: TcpListener,
        pair: Pair,
        store: DiskStore,
        dir: TempDir,
        config: ServerConfig,
    ) -> Self {
        allow_files();
        Self { server: pair.server.server_of(listener, store, pair.over.server(config)), pair, dir }
    }

    /// Stops the server, and starts another one with the same folder at the same address.
    pub(crate) fn restart(&mut self, config: ServerConfig) {
        self.server.stop();
        let address = self.server.address();
        let config = self.pair.over.server(config);
        self.server = self.pair.server.server(address, store(self.dir.path()), config);
    }

    pub(crate) fn client(&self, config: ClientConfig) -> Box<dyn Client> {
        self.client_at(self.server.address(), config)
    }

    /// A client that connects through another address.
    pub(crate) fn client_at(&self, address: SocketAddr, config: ClientConfig) -> Box<dyn Client> {
        let Pair { client, over, .. } = self.pair;
        client.client(&over.url(address), over.client(config))
    }

    pub(crate) fn file(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.path().join(name)).expect("it is there")
    }
}

/// An address at which nobody listens, and nobody else can while the returned socket is held.
pub(crate) fn nobody() -> (SocketAddr, impl Sized) {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
    (stream.local_addr().expect("connected"), (listener, stream))
}

/// An address at which nobody listens yet. On Linux, nobody else is given it while the returned socket is held.
pub(crate) fn reserved() -> (SocketAddr, Option<TcpSocket>) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("set");
    socket.bind(anywhere()).expect("a port");
    let address = socket.local_addr().expect("bound");
    // On other systems it would keep us from listening, too.
    (address, cfg!(target_os = "linux").then_some(socket))
}

pub(crate) fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub(crate) fn store(dir: &Path) -> DiskStore {
    DiskStore::open(dir, bowline_store::Config::default()).expect("a store")
}

/// Lets this process have as many open files as it may: most systems allow a thousand by default, and with many
/// processors many tests run at once.
fn allow_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        // If the limit cannot be raised, it stays as it is.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    }
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// A client that dials again after milliseconds.
pub(crate) fn quick() -> ClientConfig {
    let mut config = ClientConfig::default();
    config.reconnect.base = Duration::from_millis(50);
    config.reconnect.first_window = Duration::from_millis(50);
    config.reconnect.floor = Duration::from_millis(1);
    config.reconnect.cap = Duration::from_millis(200);
    config
}

/// The same, slow enough for a transfer to have a middle.
pub(crate) fn slow(rate: u64) -> ClientConfig {
    let mut config = quick();
    config.transfer.limit_rate = Some(rate);
    config
}

/// With BLAKE3, which is compiled with optimisation, unlike a loop of ours.
pub(crate) fn contents(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

pub(crate) fn name(text: &str) -> SafeName {
    SafeName::parse(text).expect("a safe name")
}

pub(crate) fn id(n: u8) -> TransferId {
    TransferId::from_bytes([n; 16])
}

/// A file of this many bytes to send. One that is already being sent is not touched.
pub(crate) fn source(dir: &TempDir, len: usize) -> PathBuf {
    let path = dir.path().join(format!("source {len}"));
    if !path.exists() {
        std::fs::write(&path, contents(len)).expect("written");
    }
    path
}

pub(crate) fn end(transfer: Begun) -> Result<Finished, TransferError> {
    transfer.expect("queued").finished()
}

pub(crate) fn until(
    transfer: &mut Box<dyn Transfer>,
    mut enough: impl FnMut(&TransferProgress) -> bool,
) -> TransferProgress {
    transfer.until(&mut enough)
}

/// Waits until this is true.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < crate::ends::LIMIT, "{what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// All files in a folder and those in it.
pub(crate) fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

/// How many bytes are kept of files that have not arrived.
pub(crate) fn kept(dir: &Path) -> u64 {
    let staging = dir.join(".bowline");
    let parts = if staging.exists() { walk(&staging) } else { Vec::new() };
    let is_part = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == "part");
    parts.iter().filter(is_part).filter_map(|path| path.metadata().ok()).map(|data| data.len()).sum()
}

/// Passes bytes on, and cuts each connection after this many of them in either direction.
pub(crate) fn cutting_proxy(to: SocketAddr, after: u64) -> SocketAddr {
    proxy(to, move |_, _| Fate::Cut { after })
}

/// The same after different numbers of bytes, from the smallest to the largest.
pub(crate) fn uneven_proxy(to: SocketAddr, least: u64, most: u64) -> SocketAddr {
    proxy(to, move |n, _| Fate::Cut { after: least + (n as u64 * 7919 + 431) % (most - least) })
}

/// Passes bytes on, and cuts the first connection after this many of them; others carry everything.
pub(crate) fn once_cutting_proxy(to: SocketAddr, after: u64) -> SocketAddr {
    proxy(to, move |n, _| Fate::Cut { after: if n == 0 { after } else { u64::MAX } })
}

/// Passes bytes on, and cuts the first connection after this many of them; others carry nothing.
pub(crate) fn lone_proxy(to: SocketAddr, after: u64) -> SocketAddr {
    proxy(to, move |n, _| Fate::Cut { after: if n == 0 { after } else { 0 } })
}

/// Passes bytes on, but reads only this many of those that the first client sends, without saying so.
pub(crate) fn stalling_proxy(to: SocketAddr, after: u64) -> SocketAddr {
    proxy(to, move |n, way| match (n, way) {
        (0, Way::Up) => Fate::Stall { after },
        _ => Fate::Cut { after: u64::MAX },
    })
}

/// Passes bytes on, but reads only this many of those that the first client sends, until there is a second connection.
/// The second one has to wait for 3 s.
pub(crate) fn recovering_proxy(to: SocketAddr, after: u64) -> SocketAddr {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        let accept = || Some((listener.accept().ok()?.0, TcpStream::connect(to).ok()?));
        let (near, far) = accept()?;
        let ends = (near.try_clone().ok()?, far.try_clone().ok()?);
        let (resume, resumed) = mpsc::channel();
        thread::spawn(move || {
            let (near, far) = (&mut &ends.0, &mut &ends.1);
            copy(&mut near.take(after), far).and_then(|_| {
                let _ = resumed.recv();
                copy(near, far)
            })
        });
        thread::spawn(move || copy(&mut &far, &mut &near));
        let (near, far) = accept()?;
        resume.send(()).ok()?;
        thread::sleep(Duration::from_secs(3));
        through(near, far);
        Some(())
    });
    address
}

/// Relays a connection until its end.
pub(crate) fn through(near: TcpStream, far: TcpStream) {
    join(near, far, |_| Fate::Cut { after: u64::MAX });
}

#[derive(Clone, Copy)]
enum Way {
    Up,
    Down,
}

/// What happens to one direction of a connection.
#[derive(Clone, Copy)]
enum Fate {
    Cut { after: u64 },
    Stall { after: u64 },
}

fn proxy(to: SocketAddr, fate: impl Fn(usize, Way) -> Fate + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for (n, near) in listener.incoming().enumerate() {
            let (Ok(near), Ok(far)) = (near, TcpStream::connect(to)) else { return };
            join(near, far, |way| fate(n, way));
        }
    });
    address
}

fn join(near: TcpStream, far: TcpStream, fate: impl Fn(Way) -> Fate) {
    let back = (far.try_clone().expect("cloned"), near.try_clone().expect("cloned"));
    for (fate, from, to) in [(fate(Way::Up), near, far), (fate(Way::Down), back.0, back.1)] {
        thread::spawn(move || pass(fate, &from, &to));
    }
}

fn pass(fate: Fate, mut from: &TcpStream, mut to: &TcpStream) {
    let (Fate::Cut { after } | Fate::Stall { after }) = fate;
    let passed = copy(&mut Read::by_ref(&mut from).take(after), &mut to);
    // A side that has ended by itself does not wait.
    while matches!((fate, &passed), (Fate::Stall { .. }, Ok(n)) if *n == after) {
        thread::park();
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// The address of something that answers every request with these bytes.
pub(crate) fn answering(words: &'static str) -> SocketAddr {
    let listener = TcpListener::bind(anywhere()).expect("a port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(words.as_bytes());
        }
    });
    address
}
