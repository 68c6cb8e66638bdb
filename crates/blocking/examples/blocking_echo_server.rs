//! Sends every message back, with a thread for each client. The Autobahn test suite's fuzzing client can talk to it:
//!
//! ```text
//! cargo run --release -p bowline-blocking --example blocking_echo_server -- 127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout)]

use std::io;
use std::net::TcpStream;

use bowline_blocking::{AcceptError, Listener, WebSocket, tcp};
use bowline_core::Disconnect;

fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = Listener::bind(&address)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    listener.serve(|stream, peer| match echo(stream) {
        Ok(disconnect) => println!("{peer}: {disconnect}"),
        Err(error) => println!("{peer}: {error}"),
    })?;
    Ok(())
}

fn echo(stream: TcpStream) -> Result<Disconnect, AcceptError> {
    let mut socket = WebSocket::accept(stream)?.with_valve(tcp::set_unsent);
    loop {
        match socket.receive() {
            // If it cannot be sent, the next call says why.
            Ok(message) => drop(socket.send(message)),
            Err(disconnect) => return Ok(disconnect),
        }
    }
}
