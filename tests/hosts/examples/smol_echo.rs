//! A WebSocket on `smol`, both ends, without tokio: `async-io` waits for the socket or the next deadline, whichever is
//! first.
//!
//! ```text
//!               ┌─────────────────── Link::turn ───────────────────┐
//!   socket ───▶ │ nonblocking::read ──▶ handle_input               │
//!   clock  ───▶ │ handle_timeout                                   │ ◀──▶ Link::drive: poll_event, send, close
//!   socket ◀─── │ nonblocking::write ◀── output                    │
//!   async-io ◀──│ readable, writable, or the time of poll_timeout  │
//!               └──────────────────────────────────────────────────┘
//! ```
//!
//! Bytes enter and leave in `Link::turn`; time enters through `Link::now` and leaves as a `Timer`. No files. Run a
//! server with `cargo run --release -p bowline-hosts --example smol_echo -- 127.0.0.1:9001`; with one more word, a
//! client sends that word to it.
#![allow(clippy::print_stdout)]

use std::future::pending;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use bowline_core::connection::{Config, Event, Transport};
use bowline_core::{Close, Connection, Disconnect, Instant, Message};
use bowline_handshake::{client, server};
use bowline_host::{Machine, SleepWatch, nonblocking, socket::tune};
use smol::future::{FutureExt, yield_now};
use smol::{Async, Timer};

/// A socket and the time.
pub(crate) struct Link {
    socket: Async<TcpStream>,
    start: std::time::Instant,
}

impl Link {
    pub(crate) fn new(socket: Async<TcpStream>) -> Self {
        tune(socket.get_ref());
        Self { socket, start: std::time::Instant::now() }
    }

    fn now(&self) -> Instant {
        Instant::from(self.start.elapsed())
    }

    /// Moves what can be moved, and waits if nothing can; then look at the machine, whatever it is.
    async fn turn(&self, machine: &mut impl Machine) -> io::Result<()> {
        let (mut socket, now) = (self.socket.get_ref(), self.now());
        let read = nonblocking::read(&mut socket, machine, now, &mut [0; 16 << 10]);
        // After reading: a waiting byte is a sign of life.
        let is_due = machine.poll_timeout().is_some_and(|due| due <= now);
        machine.handle_timeout(now);
        if nonblocking::write(&mut socket, machine, now) | read | is_due {
            // There may be more to do, but others wait, too.
            yield_now().await;
            return Ok(());
        }
        let (reads, writes) = (machine.wants_input(), !machine.output().is_empty());
        let readable = async { if reads { self.socket.readable().await } else { pending().await } };
        let writable = async { if writes { self.socket.writable().await } else { pending().await } };
        let deadline = machine.poll_timeout().map(|due| self.start + due.since_start());
        let time = async {
            deadline.map_or_else(Timer::never, Timer::at).await;
            Ok(())
        };
        readable.or(writable).or(time).await
    }

    /// The server's handshake, and the connection after it.
    pub(crate) async fn accept(&self, config: Config) -> io::Result<Connection> {
        let mut handshake = server::Handshake::new(bowline_handshake::Config::default(), self.now());
        loop {
            // There may be no request yet.
            let _ = handshake.accept(self.now(), &server::Accept::new());
            if let Some(result) = handshake.poll_result() {
                let upgraded = result.map_err(io::Error::other)?;
                let mut conn = Connection::server(config, bowline_host::seed()?, self.now());
                conn.handle_input(self.now(), &upgraded.leftover);
                return Ok(conn);
            }
            self.turn(&mut handshake).await?;
        }
    }

    /// The client's.
    pub(crate) async fn ask(&self, url: &str, config: Config) -> io::Result<Connection> {
        let request = client::Request::new(url).map_err(io::Error::other)?;
        let (mut nonce, limits) = ([0; 16], bowline_handshake::Config::default());
        nonce.copy_from_slice(&bowline_host::seed()?[..16]);
        let mut handshake = client::Handshake::new(&request, nonce, limits, self.now());
        loop {
            if let Some(result) = handshake.poll_result() {
                let upgraded = result.map_err(io::Error::other)?;
                let mut conn = Connection::client(config, bowline_host::seed()?, self.now());
                conn.handle_input(self.now(), &upgraded.leftover);
                return Ok(conn);
            }
            self.turn(&mut handshake).await?;
        }
    }

    /// Drives a connection to its end, and lets `hear` answer what arrives: there is room for one message each time.
    /// Then the socket is dropped, for which the other end may wait.
    pub(crate) async fn drive(
        self,
        conn: &mut Connection,
        mut hear: impl FnMut(&mut Connection, Instant, Message),
    ) -> io::Result<Disconnect> {
        let mut watch = SleepWatch::start();
        loop {
            while conn.room() > 0 || !conn.is_open() {
                match conn.poll_event() {
                    Some(Event::Message(message)) => hear(conn, self.now(), message),
                    Some(Event::Closed(disconnect)) => {
                        // Last bytes that the socket has not accepted by now are given up.
                        nonblocking::write(&mut self.socket.get_ref(), conn, self.now());
                        return Ok(disconnect);
                    }
                    Some(_) => {}
                    None => break,
                }
            }
            if conn.output().is_empty() && conn.transport() == Transport::FinishWriting {
                let _ = self.socket.get_ref().shutdown(Shutdown::Write);
            }
            self.turn(conn).await?;
            if let Some(slept) = watch.slept() {
                conn.handle_wake(self.now(), slept);
            }
        }
    }
}

/// Sends everything back that one client sends.
pub(crate) async fn echo(socket: Async<TcpStream>, config: Config) -> io::Result<Disconnect> {
    let link = Link::new(socket);
    let mut conn = link.accept(config).await?;
    link.drive(&mut conn, |conn, now, message| drop(conn.send(now, message))).await
}

/// Sends something to a server, waits for an answer, and closes.
pub(crate) async fn say(server: SocketAddr, what: &str) -> io::Result<(Message, Disconnect)> {
    let link = Link::new(Async::<TcpStream>::connect(server).await?);
    let mut conn = link.ask(&format!("ws://{server}/"), Config::default()).await?;
    conn.send(link.now(), Message::text(what)).map_err(io::Error::other)?;
    let mut answer = None;
    let disconnect = link.drive(&mut conn, |conn, now, message| {
        answer = Some(message);
        let _ = conn.close(now, Close::normal());
    });
    let disconnect = disconnect.await?;
    Ok((answer.ok_or_else(|| io::Error::other(disconnect.to_string()))?, disconnect))
}

fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    if let Some(what) = words.next() {
        let (answer, disconnect) = smol::block_on(say(address, &what))?;
        println!("{answer:?}; {disconnect}");
        return Ok(());
    }
    smol::block_on(async {
        let listener = Async::<TcpListener>::bind(address)?;
        println!("listening on ws://{}/", listener.get_ref().local_addr()?);
        loop {
            let (socket, peer) = listener.accept().await?;
            let told = async move {
                match echo(socket, Config::default()).await {
                    Ok(disconnect) => println!("{peer}: {disconnect}"),
                    Err(error) => println!("{peer}: {error}"),
                }
            };
            smol::spawn(told).detach();
        }
    })
}
