//! However much is logged, files and pings behave as they would without.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_core::connection::Config;
use bowline_core::session::{self, Event, Session};
use bowline_core::transfer::{self, Digest, Offer, SUBPROTOCOL, SafeName, TransferId};
use bowline_core::{Close, pump};
use bowline_handshake::client::Request;
use bowline_store::DiskStore;
use bowline_tokio::{Clock, Driver, Server, ServerConfig, dial};
use bytes::Bytes;
use tokio::io::{DuplexStream, duplex};
use tokio::time::{Instant, timeout};
use tracing_subscriber::filter::LevelFilter;

const LEN: usize = 3_000_000;
const ID: TransferId = TransferId::from_bytes([7; 16]);

/// The result of a run, in virtual time.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// How long the file took, in hundredths of a second.
    took: u128,
    /// How many pings the client sent in the ten minutes after it, and how many were answered.
    pings: (u64, u64),
    /// How the connection ended.
    end: String,
}

/// A log that is read later.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Client {
    driver: Driver<DuplexStream>,
    session: Session,
    data: Bytes,
}

impl Client {
    /// Does what can be done; returns whether the file has arrived.
    async fn step(&mut self) -> bool {
        let now = self.driver.now();
        pump(now, self.driver.conn_mut(), &mut self.session);
        while let Some(event) = self.session.poll_event() {
            let Event::Transfer(event) = event else { continue };
            let transfers = self.session.transfers_mut();
            match event {
                transfer::Event::Read { id, offset, len } => {
                    let end = LEN.min(offset as usize + len);
                    transfers.provide(now, id, offset, self.data.slice(offset as usize..end));
                }
                transfer::Event::Hash { id, upto } => {
                    transfers.provide_digest(now, id, upto, Digest::of(&self.data[..upto as usize]));
                }
                transfer::Event::Check { id } => transfers.confirm(now, id),
                transfer::Event::Done { .. } => return true,
                transfer::Event::Failed { failure, .. } => panic!("{failure}"),
                _ => {}
            }
            pump(now, self.driver.conn_mut(), &mut self.session);
        }
        let wait = self.session.poll_timeout().map_or(Duration::from_secs(1), |due| due - now);
        if timeout(wait, self.driver.drive()).await.is_err() {
            self.session.handle_timeout(self.driver.now());
        }
        false
    }
}

async fn run() -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let store = DiskStore::open(dir.path(), bowline_store::Config::default()).unwrap();
    let mut config = ServerConfig::default();
    config.transfer.limit_rate = Some(500_000);
    // Only the client pings.
    config.connection.heartbeat.interval = Duration::from_secs(3600);
    let server = Server::new(store, config);
    let (near, far) = duplex(64 << 10);
    let serving = tokio::spawn(async move { server.serve_stream(far, "pipe".into()).await });

    let request = Request::new("ws://pipe/").unwrap().with_subprotocol(SUBPROTOCOL).unwrap();
    let dialed = dial::handshake(near, &request, &dial::Config::default().handshake).await.unwrap();
    let clock = Clock::start();
    let mut config = Config::default();
    config.heartbeat.jitter_percent = 0;
    let driver = Driver::client(dialed.stream, &dialed.leftover, config, clock).unwrap();
    let mut session = Session::client(session::Config::default(), [1; 32], clock.now());
    session.handle_link_up(clock.now(), Some(Duration::from_millis(1)));
    let data = Bytes::from((0..LEN).map(|i| (i ^ (i >> 8)) as u8).collect::<Vec<_>>());
    let offer = Offer::new(ID, SafeName::parse("file").unwrap(), LEN as u64);
    session.transfers_mut().offer(clock.now(), offer).unwrap();
    let mut client = Client { driver, session, data };
    let start = Instant::now();
    while !client.step().await {}
    let took = start.elapsed().as_millis() / 10;
    let quiet = Instant::now() + Duration::from_secs(600);
    let before = client.driver.conn().stats();
    while Instant::now() < quiet {
        client.step().await;
    }
    let stats = client.driver.conn().stats();
    let now = client.driver.now();
    client.driver.conn_mut().close(now, Close::normal()).unwrap();
    while !client.driver.is_over() {
        client.driver.drive().await;
    }
    serving.await.unwrap();
    assert_eq!(std::fs::read(dir.path().join("file")).unwrap(), client.data);
    let pings = (stats.pings - before.pings, stats.pongs - before.pongs);
    let end = std::iter::from_fn(|| client.driver.conn_mut().poll_event()).last();
    Outcome { took, pings, end: format!("{end:?}").chars().take(60).collect() }
}

/// The same run with a log at this level; also returns how many lines were logged. Their length depends on real times.
fn logged(level: LevelFilter, is_json: bool) -> (Outcome, usize) {
    let log = Log::default();
    let writer = log.clone();
    let log_to = tracing_subscriber::fmt().with_max_level(level).with_writer(move || writer.clone());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let outcome = if is_json {
        tracing::subscriber::with_default(log_to.json().finish(), || runtime.block_on(run()))
    } else {
        tracing::subscriber::with_default(log_to.finish(), || runtime.block_on(run()))
    };
    let lines = String::from_utf8_lossy(&log.0.lock().unwrap()).lines().count();
    (outcome, lines)
}

#[test]
fn the_level_of_the_log_changes_neither_throughput_nor_liveness() {
    let (silent, nothing) = logged(LevelFilter::OFF, false);
    assert_eq!(nothing, 0);
    // Six seconds at this rate; a ping every 20 s.
    assert!((550..650).contains(&silent.took), "{silent:?}");
    assert!(silent.pings.0 >= 28 && silent.pings.0 - silent.pings.1 <= 1, "{silent:?}");
    let mut before = 0;
    for level in
        [LevelFilter::ERROR, LevelFilter::WARN, LevelFilter::INFO, LevelFilter::DEBUG, LevelFilter::TRACE]
    {
        for is_json in [false, true] {
            let (outcome, lines) = logged(level, is_json);
            assert_eq!(outcome, silent, "{level}");
            if !is_json {
                assert!(lines >= before, "{level}: {lines} after {before}");
                before = lines;
            }
        }
    }
    assert!(before > 5, "at the end there is a log: {before} lines");
}
