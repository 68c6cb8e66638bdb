//! A WebSocket on `smol`, client and server: `async-io` waits for the socket or for the next deadline, whichever is first.
//!
//! ```text
//! cargo run --release -p bowline-hosts --example smol_echo -- 127.0.0.1:9001
//! ```
#![allow(
    clippy::print_stdout,
    clippy::missing_errors_doc,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    dead_code
)]

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use bowline_core::connection::{Config, Event, Transport};
use bowline_core::{Connection, Disconnect, End, Instant, Message};
use bowline_handshake::{client, server};
use bowline_host::Machine;
use smol::future::FutureExt;
use smol::{Async, Timer};

/// A socket and the time.
pub struct Link {
    socket: Async<TcpStream>,
    start: std::time::Instant,
}

impl Link {
    pub fn new(socket: Async<TcpStream>) -> Self {
        Self { socket, start: std::time::Instant::now() }
    }

    fn now(&self) -> Instant {
        Instant::from(self.start.elapsed())
    }

    /// Moves what can move, and waits if nothing could: what is to be done around any machine, whatever it decides.
    async fn turn(&self, machine: &mut impl Machine) -> io::Result<()> {
        let read = self.read(machine);
        // After the reading: a byte that waits is a sign of life.
        machine.handle_timeout(self.now());
        if read | self.write(machine) {
            return Ok(());
        }
        let deadline = machine.poll_timeout().map(|due| self.start + due.since_start());
        let (wants_input, has_output) = (machine.wants_input(), !machine.output().is_empty());
        let readable =
            async { if wants_input { self.socket.readable().await } else { std::future::pending().await } };
        let writable =
            async { if has_output { self.socket.writable().await } else { std::future::pending().await } };
        let time = async {
            deadline.map_or_else(Timer::never, Timer::at).await;
            Ok(())
        };
        readable.or(writable).or(time).await
    }

    fn read(&self, machine: &mut impl Machine) -> bool {
        if !machine.wants_input() {
            return false;
        }
        let mut place = [0; 16 << 10];
        match self.socket.get_ref().read(&mut place) {
            Ok(0) => machine.handle_end(self.now(), End::Eof),
            Ok(n) => machine.handle_input(self.now(), &place[..n]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => machine.handle_end(self.now(), End::Reset),
        }
        true
    }

    fn write(&self, machine: &mut impl Machine) -> bool {
        if machine.output().is_empty() {
            return false;
        }
        match self.socket.get_ref().write(machine.output()) {
            Ok(n) => machine.handle_written(self.now(), n),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                machine.handle_blocked(self.now());
                return false;
            }
            Err(_) => machine.handle_end(self.now(), End::WriteFailed),
        }
        true
    }

    /// The server's handshake, and the connection after it.
    pub async fn accept(&self, config: Config) -> io::Result<Connection> {
        let mut handshake = server::Handshake::new(bowline_handshake::Config::default(), self.now());
        loop {
            if handshake.request().is_some() {
                let _ = handshake.accept(self.now(), &server::Accept::new());
            }
            if let Some(result) = handshake.poll_result() {
                let upgraded = result.map_err(io::Error::other)?;
                let mut conn = Connection::server(config, seed()?, self.now());
                conn.handle_input(self.now(), &upgraded.leftover);
                return Ok(conn);
            }
            self.turn(&mut handshake).await?;
        }
    }

    /// The client's.
    pub async fn ask(&self, url: &str, config: Config) -> io::Result<Connection> {
        let request = client::Request::new(url).map_err(io::Error::other)?;
        let (mut nonce, limits) = ([0; 16], bowline_handshake::Config::default());
        nonce.copy_from_slice(&seed()?[..16]);
        let mut handshake = client::Handshake::new(&request, nonce, limits, self.now());
        loop {
            if let Some(result) = handshake.poll_result() {
                let upgraded = result.map_err(io::Error::other)?;
                let mut conn = Connection::client(config, seed()?, self.now());
                conn.handle_input(self.now(), &upgraded.leftover);
                return Ok(conn);
            }
            self.turn(&mut handshake).await?;
        }
    }

    /// Drives a connection to its end, and lets `hear` answer what comes.
    pub async fn drive(
        &self,
        conn: &mut Connection,
        mut hear: impl FnMut(&mut Connection, Instant, Message),
    ) -> io::Result<Disconnect> {
        loop {
            while let Some(event) = conn.poll_event() {
                match event {
                    Event::Message(message) => hear(conn, self.now(), message),
                    Event::Closed(disconnect) => return Ok(disconnect),
                    _ => {}
                }
            }
            if conn.output().is_empty() && conn.transport() == Transport::FinishWriting {
                let _ = self.socket.get_ref().shutdown(Shutdown::Write);
            }
            self.turn(conn).await?;
        }
    }
}

/// Keys the masks of a client, so it comes from the system.
fn seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}

/// Sends everything back that one client sends.
pub async fn echo(socket: Async<TcpStream>) -> io::Result<Disconnect> {
    let link = Link::new(socket);
    let mut conn = link.accept(Config::default()).await?;
    link.drive(&mut conn, |conn, now, message| drop(conn.send(now, message))).await
}

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    smol::block_on(async {
        let listener = Async::<TcpListener>::bind(address.parse::<SocketAddr>().map_err(io::Error::other)?)?;
        println!("listening on ws://{}/", listener.get_ref().local_addr()?);
        loop {
            let (socket, peer) = listener.accept().await?;
            let told = async move {
                match echo(socket).await {
                    Ok(disconnect) => println!("{peer}: {disconnect}"),
                    Err(error) => println!("{peer}: {error}"),
                }
            };
            smol::spawn(told).detach();
        }
    })
}
