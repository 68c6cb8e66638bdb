//! Ten thousand WebSockets in one thread: `mio` says which socket is ready, and a heap whose deadline is next. An echo.
//!
//! ```text
//!  mio: which socket is ready ──┐             ┌─▶ nonblocking::read ──▶ handle_input
//!                               ├─▶ one link ─┼─▶ handle_timeout, poll_event, send
//!  heap: whose time has come ───┘      │      └─▶ nonblocking::write ◀── output
//!                  └◀── poll_timeout ──┘
//! ```
//!
//! Bytes enter and leave in `Link::turn`; time enters through `Loop::now`, and deadlines leave to the heap. No files.
//! Run it with `cargo run --release -p bowline-hosts --example mio_loop -- 127.0.0.1:9001`.
#![allow(clippy::print_stdout)]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::{self, ErrorKind};
use std::mem::take;
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant as Clock};

use bowline_core::connection::{Config, Event, Transport};
use bowline_core::{Connection, End, Instant};
use bowline_handshake::{Config as Limits, server::Accept, server::Handshake};
use bowline_host::{LAST_WORDS, Machine, nonblocking, socket::tune};
use mio::{Events, Interest, Poll, Token, net::TcpListener, net::TcpStream};

/// The number of the listener; links are counted from 1.
const LISTENER: usize = 0;
/// How often a link may read and write before others have their turn.
const TURN: usize = 16;

/// One socket, from the first byte of its handshake on.
pub(crate) struct Link {
    stream: TcpStream,
    stage: Stage,
    /// Its deadline in the heap.
    due: Option<Instant>,
}

enum Stage {
    Opening(Box<Handshake>),
    Open(Box<Connection>),
    Refused(Refused),
}

/// A client that requested no WebSocket has its answer. What else it sends is read and dropped for a while: if a socket
/// is dropped with unread bytes, the system resets it, and the answer may be lost.
struct Refused {
    why: String,
    until: Instant,
    is_over: bool,
}

pub(crate) struct Loop {
    poll: Poll,
    events: Events,
    pub(crate) listener: TcpListener,
    pub(crate) links: BTreeMap<usize, Link>,
    last: usize,
    /// The links that had not finished when their turn was over.
    busy: Vec<usize>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    start: Clock,
    config: Config,
    /// The buffer into which all links read, so that an idle one owns no memory for it.
    place: Vec<u8>,
    pub(crate) ends: Vec<String>,
}

impl Loop {
    pub(crate) fn bind(address: SocketAddr, config: Config) -> io::Result<Self> {
        let (poll, mut listener) = (Poll::new()?, TcpListener::bind(address)?);
        poll.registry().register(&mut listener, Token(LISTENER), Interest::READABLE)?;
        let (events, start, place) = (Events::with_capacity(1024), Clock::now(), vec![0; 16 << 10]);
        let (links, busy, timers, ends) = Default::default();
        Ok(Self { poll, events, listener, links, last: 0, busy, timers, start, config, place, ends })
    }

    fn now(&self) -> Instant {
        Instant::from(self.start.elapsed())
    }

    /// Waits for a socket or a deadline, but no longer than this, and does what is due then.
    pub(crate) fn turn(&mut self, most: Duration) -> io::Result<()> {
        let most = if self.busy.is_empty() { most } else { Duration::ZERO };
        let wait = self.timers.peek().map_or(most, |Reverse((due, _))| most.min(*due - self.now()));
        self.poll.poll(&mut self.events, Some(wait))?;
        let mut ready = take(&mut self.busy);
        ready.extend(self.events.iter().map(|event| event.token().0));
        for number in ready {
            self.serve(number);
        }
        let now = self.now();
        while let Some(&Reverse((due, number))) = self.timers.peek().filter(|Reverse((due, _))| *due <= now) {
            self.timers.pop();
            // A link that has since set an earlier one was served then.
            if self.links.get_mut(&number).is_none_or(|link| link.due.take_if(|set| *set == due).is_some()) {
                self.serve(number);
            }
        }
        Ok(())
    }

    fn serve(&mut self, number: usize) {
        if number == LISTENER {
            return self.accept();
        }
        let now = self.now();
        let Some(link) = self.links.get_mut(&number) else { return };
        // As long as anything moves, because readiness is reported only once; but others wait, too.
        match (0..TURN)
            .map(|_| link.turn(now, &mut self.place, &self.config))
            .find(|moved| *moved != Ok(true))
        {
            Some(Err(why)) => {
                self.ends.push(why);
                self.links.remove(&number);
                return;
            }
            Some(Ok(_)) => {}
            None => self.busy.push(number),
        }
        // Most deadlines move away with every byte: the one in the heap stays there until it is reached.
        let due = link.stage.machine().poll_timeout().filter(|due| link.due.is_none_or(|set| *due < set));
        if let Some(due) = due {
            link.due = Some(due);
            self.timers.push(Reverse((due, number)));
        }
    }

    fn accept(&mut self) {
        let mut stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            // A system that lacked a descriptor does not report when it has one, so ask again.
            Err(_) => return self.timers.push(Reverse((self.now() + Duration::from_millis(100), LISTENER))),
        };
        tune(&stream);
        self.last += 1;
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, Token(self.last), interest).is_ok() {
            let stage = Stage::Opening(Box::new(Handshake::new(Limits::default(), self.now())));
            self.links.insert(self.last, Link { stream, stage, due: None });
        }
        self.busy.push(LISTENER);
    }
}

impl Stage {
    fn machine(&mut self) -> &mut dyn Machine {
        match self {
            Self::Opening(handshake) => &mut **handshake,
            Self::Open(conn) => &mut **conn,
            Self::Refused(refused) => refused,
        }
    }
}

impl Machine for Refused {
    fn handle_input(&mut self, _: Instant, _: &[u8]) {}
    fn handle_written(&mut self, _: Instant, _: usize) {}
    fn handle_blocked(&mut self, _: Instant) {}

    fn handle_end(&mut self, _: Instant, _: End) {
        self.is_over = true;
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.is_over |= self.until <= now;
    }

    fn output(&self) -> &[u8] {
        &[]
    }

    fn poll_timeout(&self) -> Option<Instant> {
        Some(self.until)
    }

    fn wants_input(&self) -> bool {
        !self.is_over
    }
}

impl Link {
    /// Moves what can be moved at once; returns whether anything was, or how it all ended.
    fn turn(&mut self, now: Instant, place: &mut [u8], config: &Config) -> Result<bool, String> {
        let Self { stream, stage, .. } = self;
        let read = nonblocking::read(stream, stage.machine(), now, place);
        // After reading: a waiting byte is a sign of life.
        stage.machine().handle_timeout(now);
        let answered = self.answer(now, config);
        let written = nonblocking::write(&mut self.stream, self.stage.machine(), now);
        Ok(answered? | read | written)
    }

    /// The results so far: the connection from a handshake, the messages from a connection.
    fn answer(&mut self, now: Instant, config: &Config) -> Result<bool, String> {
        match &mut self.stage {
            Stage::Opening(handshake) => {
                // There may be no request yet.
                let _ = handshake.accept(now, &Accept::new());
                let Some(result) = handshake.poll_result() else { return Ok(false) };
                let upgraded = match result {
                    Ok(upgraded) => upgraded,
                    Err(error) => {
                        let _ = self.stream.shutdown(Shutdown::Write);
                        let (why, until) = (error.to_string(), now + LAST_WORDS);
                        self.stage = Stage::Refused(Refused { why, until, is_over: false });
                        return Ok(true);
                    }
                };
                let seed = bowline_host::seed().map_err(|error| error.to_string())?;
                let mut conn = Connection::server(config.clone(), seed, now);
                conn.handle_input(now, &upgraded.leftover);
                self.stage = Stage::Open(Box::new(conn));
            }
            Stage::Refused(Refused { why, is_over: true, .. }) => return Err(take(why)),
            Stage::Refused(_) => return Ok(false),
            // There is no room for an answer.
            Stage::Open(conn) if conn.is_open() && conn.room() == 0 => return Ok(false),
            Stage::Open(conn) => match conn.poll_event() {
                Some(Event::Message(message)) => drop(conn.send(now, message)),
                Some(Event::Closed(disconnect)) => return Err(disconnect.to_string()),
                Some(_) => {}
                None => {
                    if conn.output().is_empty() && conn.transport() == Transport::FinishWriting {
                        let _ = self.stream.shutdown(Shutdown::Write);
                    }
                    return Ok(false);
                }
            },
        }
        Ok(true)
    }
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let mut server = Loop::bind(address.parse().map_err(io::Error::other)?, Config::default())?;
    println!("listening on ws://{}/", server.listener.local_addr()?);
    loop {
        server.turn(Duration::from_secs(10))?;
        server.ends.drain(..).for_each(|end| println!("{end}"));
    }
}
