//! Waits that only a write ends: the peer sends nothing, and connections have no heartbeat.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use bowline_blocking::{Clock, Driver, Handle, Stream, Unsent, WebSocket};
use bowline_core::connection::{Config, Event};
use bowline_core::heartbeat::Mode;
use bowline_core::{Close, Message};

use crate::common::{Over, pair, streams, take_all, within};

/// The most that one call writes.
const TURN: usize = 1 << 20;

fn without_heartbeat() -> Config {
    let mut config = Config::default();
    config.heartbeat.mode = Mode::Off;
    config.closing.close_timeout = Duration::MAX;
    config
}

/// Accepts everything that is written, little at a time, once it has refused this many writes, and brings it on its way
/// once it has refused this many flushes.
struct Sink {
    socket: TcpStream,
    writes: Cell<usize>,
    flushes: Cell<usize>,
    /// The other end sends nothing, but is there.
    peer: TcpStream,
}

impl Read for Sink {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        self.socket.read(place)
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        refuse(&self.writes)?;
        Ok(bytes.len().min(64 << 10))
    }

    fn flush(&mut self) -> io::Result<()> {
        refuse(&self.flushes)
    }
}

fn refuse(left: &Cell<usize>) -> io::Result<()> {
    if left.get() == 0 {
        return Ok(());
    }
    left.set(left.get() - 1);
    Err(io::ErrorKind::WouldBlock.into())
}

impl Stream for Sink {
    fn set_nonblocking(&self) -> io::Result<()> {
        Stream::set_nonblocking(&self.socket)
    }

    fn socket(&self) -> Handle<'_> {
        Stream::socket(&self.socket)
    }

    fn finish_writing(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client over a stream that refuses this many writes and flushes.
fn client(writes: usize, flushes: usize) -> WebSocket<Sink> {
    socket(sink(writes, flushes))
}

fn sink(writes: usize, flushes: usize) -> Sink {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (writes, flushes) = (Cell::new(writes), Cell::new(flushes));
    Sink { socket, writes, flushes, peer: listener.accept().unwrap().0 }
}

fn socket(sink: Sink) -> WebSocket<Sink> {
    WebSocket::new(Driver::client(sink, &[], without_heartbeat(), Clock::start()).unwrap())
}

#[test]
fn a_message_that_was_only_queued_is_flushed() {
    within(|| {
        let mut client = client(0, 0);
        client.try_send(Message::text("hello")).unwrap();
        assert_eq!(client.flush(), Ok(()));
        assert_eq!(client.stats().bytes_sent, 2 + 4 + 5);
    });
}

#[test]
fn a_message_that_the_stream_has_refused_at_first_is_flushed() {
    for (writes, flushes) in (0..5).flat_map(|writes| (0..5).map(move |flushes| (writes, flushes))) {
        within(move || {
            let mut client = client(writes, flushes);
            client.send(Message::text("hello")).unwrap();
            assert_eq!(client.flush(), Ok(()));
            assert_eq!(client.stats().bytes_sent, 2 + 4 + 5);
        });
    }
}

#[test]
fn a_remainder_after_whole_turns_is_flushed() {
    for turns in 0..4 {
        within(move || {
            let mut client = client(0, 0);
            client.try_send(Message::binary(vec![7; turns * TURN + (10 << 10)])).unwrap();
            assert_eq!(client.flush(), Ok(()));
            assert!(client.conn().output().is_empty());
        });
    }
}

#[test]
fn bytes_that_the_stream_took_but_did_not_flush_are_lost_too() {
    within(|| {
        let sink = sink(0, usize::MAX);
        let peer = sink.peer.try_clone().unwrap();
        let mut client = socket(sink);
        client.send(Message::text("hello")).unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        client.ended();
        assert_eq!(client.flush(), Err(Unsent::Lost));
        assert_eq!(client.stats().bytes_sent, 2 + 4 + 5);
    });
}

#[test]
fn a_close_that_has_left_is_reported() {
    within(|| {
        let mut client = client(0, 0);
        client.close(Close::normal()).unwrap();
        assert_eq!(client.event(), Event::CloseSent(Close::normal()));
    });
}

pub(crate) fn a_flush_needs_only_a_peer_that_takes_the_bytes(over: Over) {
    within(move || {
        let (dialed, silent) = streams(over);
        let mut client = WebSocket::client(dialed, without_heartbeat()).unwrap();
        let taking = thread::spawn(move || take_all(silent.stream));
        for len in (0..40).map(|n| n * 97_001).chain([TURN + (10 << 10)]) {
            client.try_send(Message::binary(vec![7; len])).unwrap();
            assert_eq!(client.flush(), Ok(()), "{len} bytes");
        }
        drop(client);
        taking.join().unwrap();
    });
}

pub(crate) fn a_flush_after_a_clean_end_succeeds(over: Over) {
    within(move || {
        let (mut client, mut server) = pair(over, Config::default(), Config::default());
        let serving = thread::spawn(move || (server.ended(), server.flush()));
        client.send(Message::text("hello")).unwrap();
        client.close(Close::normal()).unwrap();
        assert_eq!(client.ended().to_string(), "sent 1000 (OK); then received 1000 (OK)");
        assert_eq!(client.flush(), Ok(()));
        let (ended, flushed) = serving.join().unwrap();
        assert_eq!(ended.to_string(), "received 1000 (OK); then sent 1000 (OK)");
        assert_eq!(flushed, Ok(()));
    });
}

pub(crate) fn a_flush_after_an_end_that_lost_messages_says_so(over: Over) {
    within(move || {
        let (mut client, server) = pair(over, Config::default(), Config::default());
        while client.conn().output().is_empty() {
            client.send(Message::binary(vec![7; 1 << 20])).unwrap();
        }
        drop(server);
        client.ended();
        assert_eq!(client.flush(), Err(Unsent::Lost));
    });
}

pub(crate) fn a_flush_after_a_close_waits_until_the_close_has_left(over: Over) {
    within(move || {
        let (client, server) = pair(over, without_heartbeat(), Config::default());
        let (sender, _receiver) = client.spawn().unwrap();
        sender.close(Close::normal()).unwrap();
        // A peer that has answered this has taken the Close.
        assert!(sender.stats().is_some());
        assert_eq!(sender.flush(), Ok(()));
        drop(server);
    });
}

#[cfg(unix)]
#[test]
fn a_flush_that_loses_what_was_sent_says_so() {
    let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
    let driver = Driver::client(near, &[], without_heartbeat(), Clock::start()).unwrap();
    let mut client = WebSocket::new(driver);
    drop(far);
    client.try_send(Message::text("hello")).unwrap();
    assert_eq!(client.flush(), Err(Unsent::Lost));
    assert_eq!(client.stats().bytes_sent, 0);
}
