//! Sends every message back. The Autobahn test suite's fuzzing client can talk to it:
//!
//! ```text
//! cargo run --release -p bowline-tokio --example echo_server -- 127.0.0.1:9001
//! ```
#![allow(clippy::print_stdout)]

use std::io;

use bowline_core::Disconnect;
use bowline_core::connection::Config;
use bowline_tokio::accept::{self, Decision};
use bowline_tokio::{AcceptError, WebSocket, tcp};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on ws://{}/", listener.local_addr()?);
    loop {
        let (stream, peer) = listener.accept().await?;
        tcp::tune(&stream);
        tokio::spawn(async move {
            match echo(stream).await {
                Ok(disconnect) => println!("{peer}: {disconnect}"),
                Err(error) => println!("{peer}: {error}"),
            }
        });
    }
}

async fn echo(stream: TcpStream) -> Result<Disconnect, AcceptError> {
    let accepted = accept::accept(stream, &accept::Config::default(), |_, _| Decision::accept()).await?;
    let socket = WebSocket::server(accepted, Config::default()).map_err(AcceptError::System)?;
    let mut socket = socket.with_valve(tcp::set_unsent);
    loop {
        match socket.receive().await {
            // If it cannot be sent, the next call says why.
            Ok(message) => drop(socket.send(message).await),
            Err(disconnect) => return Ok(disconnect),
        }
    }
}
