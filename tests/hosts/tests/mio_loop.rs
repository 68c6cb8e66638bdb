//! Ten thousand connections, as the machine allows, with both ends in this process.

#[path = "../examples/mio_loop.rs"]
mod mio_loop;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bowline_core::connection::{Config, Event};
use bowline_core::{Close, Connection, End, Instant, Message};
use bowline_handshake::client::{Handshake, Request};
use mio_loop::Loop;

/// Generous: nothing waits for it when all is well.
const LIMIT: Duration = Duration::from_secs(120);

/// Both ends of each connection are files of this process, and some are needed for other things.
fn most() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.map_or(10_000, |files| (files as usize).saturating_sub(200) / 2).min(10_000)
}

/// The plainest client: one of many that are asked in turns whether there is something to do.
struct Client {
    socket: TcpStream,
    conn: Connection,
    pongs: u32,
    end: Option<String>,
}

impl Client {
    fn dial(server: SocketAddr, config: Config, now: Instant) -> Self {
        let mut socket = TcpStream::connect(server).unwrap();
        let request = Request::new(&format!("ws://{server}/")).unwrap();
        let mut handshake = Handshake::new(&request, [7; 16], bowline_handshake::Config::default(), now);
        socket.write_all(handshake.output()).unwrap();
        handshake.handle_written(now, handshake.output().len());
        let mut place = [0; 1024];
        let upgraded = loop {
            let n = socket.read(&mut place).unwrap();
            handshake.handle_input(now, &place[..n]);
            if let Some(result) = handshake.poll_result() {
                break result.unwrap();
            }
        };
        socket.set_nonblocking(true).unwrap();
        let mut conn = Connection::client(config, [7; 32], now);
        conn.handle_input(now, &upgraded.leftover);
        Self { socket, conn, pongs: 0, end: None }
    }

    /// Says what came, if it was a message.
    fn turn(&mut self, now: Instant, place: &mut [u8]) -> Option<Message> {
        match self.socket.read(place) {
            Ok(0) => self.conn.handle_end(now, End::Eof),
            Ok(n) => self.conn.handle_input(now, &place[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.conn.handle_end(now, End::Reset),
        }
        self.conn.handle_timeout(now);
        while !self.conn.output().is_empty() {
            let n = self.socket.write(self.conn.output()).unwrap();
            self.conn.handle_written(now, n);
        }
        match self.conn.poll_event()? {
            Event::Message(message) => return Some(message),
            Event::Pong { .. } => self.pongs += 1,
            Event::Closed(disconnect) => self.end = Some(disconnect.to_string()),
            _ => {}
        }
        None
    }
}

#[test]
fn ten_thousand_connections_live_by_their_heartbeats_and_answer() {
    let count = most();
    let mut config = Config::default();
    config.heartbeat.interval = Duration::from_secs(2);
    config.heartbeat.timeout = Duration::from_secs(60);
    let mut server = Loop::bind("127.0.0.1:0".parse().unwrap(), config.clone()).unwrap();
    let address = server.local_addr().unwrap();
    let done = AtomicBool::new(false);
    let start = std::time::Instant::now();
    let now = || Instant::from(start.elapsed());
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let mut most = 0;
            while !done.load(Ordering::Acquire) || server.count() > 0 {
                server.turn(Duration::from_millis(50)).unwrap();
                most = most.max(server.count());
            }
            (most, server.ends)
        });
        let mut clients: Vec<_> = (0..count).map(|_| Client::dial(address, config.clone(), now())).collect();
        let mut place = vec![0; 4096];

        // Nobody speaks; each of our pings is answered, and each of theirs.
        while clients.iter().any(|client| client.pongs < 2) {
            assert!(start.elapsed() < LIMIT, "pings are not answered");
            for client in &mut clients {
                client.turn(now(), &mut place);
                assert_eq!(client.end, None);
            }
        }
        for (n, client) in clients.iter_mut().enumerate() {
            client.conn.send(now(), Message::text(n.to_string())).unwrap();
        }
        let mut answers = 0;
        while answers < count {
            assert!(start.elapsed() < LIMIT, "{answers} of {count} answers");
            for (n, client) in clients.iter_mut().enumerate() {
                if let Some(answer) = client.turn(now(), &mut place) {
                    assert_eq!(answer, Message::text(n.to_string()));
                    client.conn.close(now(), Close::normal()).unwrap();
                    answers += 1;
                }
            }
        }
        while let Some(client) = clients.iter_mut().find(|client| client.end.is_none()) {
            assert!(start.elapsed() < LIMIT, "connections do not end");
            client.turn(now(), &mut place);
        }
        assert!(clients.iter().all(|c| c.end.as_deref() == Some("sent 1000 (OK); then received 1000 (OK)")));
        done.store(true, Ordering::Release);
        let (most, ends) = serving.join().unwrap();
        assert_eq!((most, ends.len()), (count, count));
        assert!(ends.iter().all(|end| end == "received 1000 (OK); then sent 1000 (OK)"));
    });
}
