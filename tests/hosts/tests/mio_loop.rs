//! The loop on mio: very many links, dead ones among living ones, clients that do not read, and requests for no
//! WebSocket.

#[allow(dead_code)]
#[path = "../examples/mio_loop.rs"]
mod mio_loop;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant as Clock};

use bowline_core::connection::{Config, Event, Transport};
use bowline_core::heartbeat::Mode;
use bowline_core::{Close, Connection, Instant, Message};
use bowline_handshake::client::{Handshake, Request};
use bowline_host::nonblocking;
use mio_loop::Loop;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Generous: no test waits this long if all is well.
const LIMIT: Duration = Duration::from_secs(60);
/// Where the clients in another process find their server, and how many they are.
const ORDERS: &str = "BOWLINE_MIO_CLIENTS";

/// A frame in the same segment as the request; its mask is four zeros.
const REQUEST_AND_FRAME: &[u8] =
    b"GET / HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n\x81\x85\0\0\0\0hello";

/// Both ends of a link close, the client first.
const END: &str = "received 1000 (OK); then sent 1000 (OK)";

/// Runs a server next to `clients`, and returns how its links ended. It ends with them, whatever happens to them.
fn beside(config: &Config, clients: impl FnOnce(SocketAddr, &Receiver<String>)) -> Vec<String> {
    let mut server = Loop::bind("127.0.0.1:0".parse().unwrap(), config.clone()).unwrap();
    let address = server.listener.local_addr().unwrap();
    let (running, stopped) = channel::<()>();
    let (told, ends) = channel();
    thread::scope(|scope| {
        let serving = scope.spawn(move || {
            let (mut all, mut stopped_at) = (Vec::new(), None);
            while stopped_at.is_none_or(|at: Clock| at.elapsed() < LIMIT && !server.links.is_empty()) {
                server.turn(Duration::from_millis(10)).unwrap();
                if stopped_at.is_none() && stopped.try_recv() == Err(TryRecvError::Disconnected) {
                    stopped_at = Some(Clock::now());
                }
                for end in server.ends.drain(..) {
                    let _ = told.send(end.clone());
                    all.push(end);
                }
            }
            all
        });
        {
            // Also dropped by a panic; its links end with the sockets of the clients.
            let _running = running;
            clients(address, &ends);
        }
        serving.join().unwrap()
    })
}

/// The simplest client: one of many that are asked in turns whether there is something to do.
struct Client {
    socket: TcpStream,
    conn: Connection,
    reads: bool,
    answers: Vec<Message>,
    end: Option<String>,
}

impl Client {
    /// On a socket that is connected.
    fn open(mut socket: TcpStream, now: Instant) -> Self {
        let server = socket.peer_addr().unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        let request = Request::new(&format!("ws://{server}/")).unwrap();
        let mut handshake = Handshake::new(&request, [7; 16], bowline_handshake::Config::default(), now);
        socket.write_all(handshake.output()).unwrap();
        handshake.handle_written(now, handshake.output().len());
        let mut place = [0; 1024];
        let upgraded = loop {
            assert!(
                nonblocking::read(&mut socket, &mut handshake, now, &mut place),
                "an answer within a minute"
            );
            if let Some(result) = handshake.poll_result() {
                break result.unwrap();
            }
        };
        socket.set_nonblocking(true).unwrap();
        // It is up to the server to ping.
        let mut config = Config::default();
        config.heartbeat.mode = Mode::Off;
        // The server ends its direction; if that did not happen, this would wait for too long.
        config.closing.end_timeout = 10 * LIMIT;
        let mut conn = Connection::client(config, [7; 32], now);
        conn.handle_input(now, &upgraded.leftover);
        Self { socket, conn, reads: true, answers: Vec::new(), end: None }
    }

    /// Moves what can be moved; returns whether anything was.
    fn turn(&mut self, now: Instant, place: &mut [u8]) -> bool {
        let Self { socket, conn, .. } = self;
        let read = self.reads && nonblocking::read(socket, conn, now, place);
        conn.handle_timeout(now);
        let written = nonblocking::write(socket, conn, now);
        while let Some(event) = conn.poll_event() {
            match event {
                Event::Message(message) => self.answers.push(message),
                Event::Closed(disconnect) => self.end = Some(disconnect.to_string()),
                _ => {}
            }
        }
        if conn.transport() == Transport::Drop {
            let _ = socket.shutdown(Shutdown::Both);
        }
        read | written
    }
}

/// This many clients at once, from one thread.
struct Clients {
    all: Vec<Client>,
    start: Clock,
    place: Vec<u8>,
}

impl Clients {
    fn dial(server: SocketAddr, count: usize) -> Self {
        let start = Clock::now();
        let mut all = Vec::new();
        while all.len() < count {
            // Several at once, but no more than the queue of a listener holds.
            let few = (all.len()..count.min(all.len() + 50))
                .map(|_| TcpStream::connect_timeout(&server, LIMIT).unwrap());
            let few: Vec<_> = few.collect();
            all.extend(few.into_iter().map(|socket| Client::open(socket, Instant::from(start.elapsed()))));
        }
        Self { all, start, place: vec![0; 16 << 10] }
    }

    fn now(&self) -> Instant {
        Instant::from(self.start.elapsed())
    }

    fn until(&mut self, what: &str, mut is_so: impl FnMut(&Client) -> bool) {
        let limit = Clock::now() + LIMIT;
        loop {
            let now = self.now();
            let moved =
                self.all.iter_mut().fold(false, |any, client| client.turn(now, &mut self.place) | any);
            let missing = self.all.iter().filter(|client| !is_so(client)).count();
            if missing == 0 {
                return;
            }
            assert!(Clock::now() < limit, "{missing} of {} clients never: {what}", self.all.len());
            if !moved {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Sends nothing until each link has been pinged twice, which happens only if it answered the first ping; then sends,
/// receives its echo, and closes.
fn live_speak_close(server: SocketAddr, count: usize) {
    let mut clients = Clients::dial(server, count);
    clients.until("pinged twice", |client| {
        assert_eq!(client.end, None);
        client.conn.stats().pings_received >= 2
    });
    let now = clients.now();
    for (n, client) in clients.all.iter_mut().enumerate() {
        client.conn.send(now, Message::text(n.to_string())).unwrap();
    }
    clients.until("answered", |client| client.answers.len() == 1);
    let now = clients.now();
    for (n, client) in clients.all.iter_mut().enumerate() {
        assert_eq!(client.answers, [Message::text(n.to_string())]);
        client.conn.close(now, Close::normal()).unwrap();
    }
    clients.until("closed", |client| client.end.is_some());
    for client in &clients.all {
        assert_eq!(client.end.as_deref(), Some("sent 1000 (OK); then received 1000 (OK)"));
    }
}

fn heartbeat(interval: Duration, timeout: Duration) -> Config {
    let mut config = Config::default();
    (config.heartbeat.interval, config.heartbeat.timeout) = (interval, timeout);
    config
}

/// Lets this process have this many files open.
fn allow_files(count: usize) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = count as u64 + 100;
    if current.is_some_and(|current| current < wanted) {
        assert!(maximum.is_none_or(|most| most >= wanted), "{wanted} files are needed, {maximum:?} allowed");
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).unwrap();
    }
}

#[test]
fn a_thousand_links_live_by_their_heartbeats() {
    allow_files(2000);
    let config = heartbeat(Duration::from_secs(1), LIMIT);
    let ends = beside(&config, |server, _| live_speak_close(server, 1000));
    assert_eq!(ends, vec![END; 1000]);
}

#[test]
#[ignore = "ten seconds, and 10,100 open files in each of two processes"]
fn ten_thousand_links_live_by_their_heartbeats() {
    const COUNT: usize = 10_000;
    allow_files(COUNT);
    let config = heartbeat(Duration::from_secs(2), LIMIT);
    let ends = beside(&config, |server, _| {
        let mut clients = Command::new(std::env::current_exe().unwrap());
        clients.args(["--exact", "clients_for_another_process", "--include-ignored"]);
        let status = clients.env(ORDERS, format!("{server} {COUNT}")).status().unwrap();
        assert!(status.success(), "{status}");
    });
    assert_eq!(ends.len(), COUNT);
    assert!(ends.iter().all(|end| end == END));
}

#[test]
#[ignore = "only for the test above"]
fn clients_for_another_process() {
    let Ok(orders) = std::env::var(ORDERS) else { return };
    let (server, count) = orders.split_once(' ').unwrap();
    let count = count.parse().unwrap();
    allow_files(count);
    live_speak_close(server.parse().unwrap(), count);
}

#[test]
fn only_clients_that_do_not_answer_are_found_dead() {
    // A living client may not run for longer than that on a busy machine.
    let config = heartbeat(Duration::from_millis(200), Duration::from_secs(6));
    let ends = beside(&config, |server, ends| {
        let mut living = Clients::dial(server, 3);
        let dead = Clients::dial(server, 3);
        let mut found = Vec::new();
        living.until("dead ones found", |client| {
            assert_eq!(client.end, None);
            found.extend(ends.try_iter());
            found.len() == dead.all.len()
        });
        assert!(found.iter().all(|end| end.contains("ping")), "{found:?}");
        let now = living.now();
        living.all.iter_mut().for_each(|client| client.conn.close(now, Close::normal()).unwrap());
        living.until("closed", |client| client.end.is_some());
    });
    assert_eq!(ends[3..], [END; 3]);
}

#[test]
fn a_client_that_does_not_read_is_not_read_from_and_loses_nothing() {
    const COUNT: u32 = 300;
    let message = |n: u32| Message::binary(n.to_be_bytes().repeat(16 << 10));
    let ends = beside(&Config::default(), |server, _| {
        let mut clients = Clients::dial(server, 1);
        clients.all[0].reads = false;
        let (mut sent, mut still) = (0, Clock::now());
        // Some of it is held on the way, and the rest waits here until somebody reads.
        while still.elapsed() < Duration::from_millis(300) {
            let now = clients.now();
            let client = &mut clients.all[0];
            if client.conn.room() > 0 && sent < COUNT {
                client.conn.send(now, message(sent)).unwrap();
                sent += 1;
            }
            if client.turn(now, &mut clients.place) {
                still = Clock::now();
            }
        }
        let held = clients.all[0].conn.queued();
        assert!(
            sent < COUNT || held > 0,
            "{sent} messages were taken by a server that could not answer them"
        );
        clients.all[0].reads = true;
        let limit = Clock::now() + LIMIT;
        while clients.all[0].answers.len() < COUNT as usize {
            assert!(Clock::now() < limit, "{} answers to {sent}", clients.all[0].answers.len());
            let now = clients.now();
            if clients.all[0].conn.room() > 0 && sent < COUNT {
                clients.all[0].conn.send(now, message(sent)).unwrap();
                sent += 1;
            }
            clients.all[0].turn(now, &mut clients.place);
        }
        assert!((0..COUNT).all(|n| clients.all[0].answers[n as usize] == message(n)));
    });
    assert_eq!(ends.len(), 1);
}

#[test]
fn a_message_right_after_the_request_is_heard() {
    let ends = beside(&Config::default(), |server, _| {
        let mut socket = TcpStream::connect_timeout(&server, LIMIT).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.write_all(REQUEST_AND_FRAME).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n\x81\x05hello") {
            let mut place = [0; 100];
            let n = socket.read(&mut place).unwrap();
            assert!(n > 0, "{:?}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&place[..n]);
        }
    });
    assert_eq!(ends.len(), 1);
}

#[test]
fn a_client_that_does_not_speak_websocket_is_told_so() {
    let ends = beside(&Config::default(), |server, _| {
        let mut socket = TcpStream::connect_timeout(&server, LIMIT).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    });
    assert_eq!(ends.len(), 1);
}

#[test]
fn a_client_with_a_long_invalid_request_is_told_why_it_is_refused() {
    let ends = beside(&Config::default(), |server, _| {
        let mut socket = TcpStream::connect(server).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.write_all(b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 100000\r\n\r\n").unwrap();
        socket.write_all(&vec![0; 100_000]).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 405 "), "{}", String::from_utf8_lossy(&answer));
    });
    assert!(ends[0].contains("POST"), "{ends:?}");
}
