//! Very many connections in one thread: `mio` says which socket is ready, a heap says which deadline comes next. What comes
//! is sent back.
//!
//! ```text
//! cargo run --release -p bowline-hosts --example mio_loop -- 127.0.0.1:9001
//! ```
#![allow(
    clippy::print_stdout,
    clippy::missing_errors_doc,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    dead_code
)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use bowline_core::connection::{Config, Event, Transport};
use bowline_core::{Connection, End, Instant};
use bowline_handshake::server::{Accept, Handshake};
use bowline_host::Machine;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

/// One socket, from the first byte of its handshake on.
#[derive(Debug)]
struct Peer {
    stream: TcpStream,
    stage: Stage,
    /// The deadline that stands for it in the heap.
    due: Option<Instant>,
}

#[derive(Debug)]
enum Stage {
    Accepting(Box<Handshake>),
    Open(Box<Connection>),
    Over,
}

impl Stage {
    fn machine(&mut self) -> Option<&mut dyn Machine> {
        match self {
            Self::Accepting(handshake) => Some(&mut **handshake),
            Self::Open(conn) => Some(&mut **conn),
            Self::Over => None,
        }
    }
}

/// All of them.
#[derive(Debug)]
pub struct Loop {
    poll: Poll,
    listener: TcpListener,
    peers: BTreeMap<usize, Box<Peer>>,
    next: usize,
    /// Deadlines, the earliest first. One that has moved since is found when its turn comes.
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    start: std::time::Instant,
    config: Config,
    place: Vec<u8>,
    /// How connections ended.
    pub ends: Vec<String>,
}

impl Loop {
    pub fn bind(address: SocketAddr, config: Config) -> io::Result<Self> {
        let (poll, mut listener) = (Poll::new()?, TcpListener::bind(address)?);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let (peers, timers, place) = (BTreeMap::new(), BinaryHeap::new(), vec![0; 16 << 10]);
        let (start, ends) = (std::time::Instant::now(), Vec::new());
        Ok(Self { poll, listener, peers, next: 1, timers, start, config, place, ends })
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn count(&self) -> usize {
        self.peers.len()
    }

    /// Waits for what comes next, a socket or a deadline, no longer than this; and does what follows from it.
    pub fn turn(&mut self, most: Duration) -> io::Result<()> {
        let due = self.timers.peek().map(|Reverse((due, _))| *due - self.now());
        let mut events = Events::with_capacity(1024);
        self.poll.poll(&mut events, Some(due.map_or(most, |due| due.min(most))))?;
        // All sockets before all deadlines: a byte that waits is a sign of life.
        for event in &events {
            match event.token() {
                LISTENER => self.accept()?,
                Token(number) => self.serve(number),
            }
        }
        while self.timers.peek().is_some_and(|Reverse((due, _))| *due <= self.now()) {
            let Some(Reverse((due, number))) = self.timers.pop() else { break };
            if let Some(peer) = self.peers.get_mut(&number).filter(|peer| peer.due == Some(due)) {
                peer.due = None;
                self.serve(number);
            }
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        Instant::from(self.start.elapsed())
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let (number, interest) = (self.next, Interest::READABLE | Interest::WRITABLE);
            self.next += 1;
            self.poll.registry().register(&mut stream, Token(number), interest)?;
            let handshake = Handshake::new(bowline_handshake::Config::default(), self.now());
            let peer = Peer { stream, stage: Stage::Accepting(Box::new(handshake)), due: None };
            self.peers.insert(number, Box::new(peer));
            self.serve(number);
        }
    }

    /// Moves everything that can move at one socket, and sets its next deadline.
    fn serve(&mut self, number: usize) {
        let Some(mut peer) = self.peers.remove(&number) else { return };
        // As long as something moves: readiness is told once.
        while self.read(&mut peer) | self.look(&mut peer) | self.write(&mut peer) {}
        let Some(machine) = peer.stage.machine() else { return };
        // A deadline that moves away, as most do with every byte, leaves its place in the heap as it is.
        let due = machine.poll_timeout().filter(|due| peer.due.is_none_or(|set| *due < set));
        if let Some(due) = due {
            peer.due = Some(due);
            self.timers.push(Reverse((due, number)));
        }
        self.peers.insert(number, peer);
    }

    fn read(&mut self, peer: &mut Peer) -> bool {
        let now = self.now();
        let Some(machine) = peer.stage.machine() else { return false };
        let mut moved = machine.wants_input();
        if moved {
            match peer.stream.read(&mut self.place) {
                Ok(0) => machine.handle_end(now, End::Eof),
                Ok(n) => machine.handle_input(now, &self.place[..n]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => moved = false,
                Err(_) => machine.handle_end(now, End::Reset),
            }
        }
        machine.handle_timeout(now);
        moved
    }

    fn write(&mut self, peer: &mut Peer) -> bool {
        let now = self.now();
        let Some(machine) = peer.stage.machine().filter(|machine| !machine.output().is_empty()) else {
            return false;
        };
        match peer.stream.write(machine.output()) {
            Ok(n) => machine.handle_written(now, n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                machine.handle_blocked(now);
                return false;
            }
            Err(_) => machine.handle_end(now, End::WriteFailed),
        }
        true
    }

    /// What has come of it: a connection of a handshake, messages of a connection.
    fn look(&mut self, peer: &mut Peer) -> bool {
        let now = self.now();
        match &mut peer.stage {
            Stage::Accepting(handshake) => {
                if handshake.request().is_some() {
                    let _ = handshake.accept(now, &Accept::new());
                }
                match handshake.poll_result() {
                    Some(Ok(upgraded)) => {
                        let mut conn = Connection::server(self.config.clone(), seed(self.next), now);
                        conn.handle_input(now, &upgraded.leftover);
                        peer.stage = Stage::Open(Box::new(conn));
                    }
                    Some(Err(error)) => self.end(peer, error.to_string()),
                    None => return false,
                }
            }
            Stage::Open(conn) => match conn.poll_event() {
                Some(Event::Message(message)) => drop(conn.send(now, message)),
                Some(Event::Closed(disconnect)) => self.end(peer, disconnect.to_string()),
                Some(_) => {}
                None => {
                    if conn.output().is_empty() && conn.transport() == Transport::FinishWriting {
                        let _ = peer.stream.shutdown(Shutdown::Write);
                    }
                    return false;
                }
            },
            Stage::Over => return false,
        }
        true
    }

    fn end(&mut self, peer: &mut Peer, why: String) {
        peer.stage = Stage::Over;
        self.ends.push(why);
    }
}

/// For the jitter of pings: another one for each. A client's would have to come from the system, for it keys the masks.
fn seed(number: usize) -> [u8; 32] {
    std::array::from_fn(|n| number.to_ne_bytes().get(n).copied().unwrap_or(7))
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let mut server = Loop::bind(address.parse().map_err(io::Error::other)?, Config::default())?;
    println!("listening on ws://{}/", server.local_addr()?);
    loop {
        server.turn(Duration::from_secs(10))?;
        server.ends.drain(..).for_each(|end| println!("{end}"));
    }
}
