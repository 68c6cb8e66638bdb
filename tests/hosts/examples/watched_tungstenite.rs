//! A tungstenite server: an echo, with a thread for each client. It gains a heartbeat and explained ends through the
//! two lines marked with `+`, which replace the line marked with `-`.
//!
//! ```text
//!  TcpStream ◀──▶ Counted ◀──▶ tungstenite::WebSocket ◀──▶ Watched ◀──▶ the owner's loop
//!                    └── bytes that cross ──▶ Watch ◀── time
//! ```
//!
//! Bytes enter and leave where they did before; `Watched` looks at the clock. No files: see `files_over_tungstenite`.
//! Run it with `cargo run --release -p bowline-hosts --example watched_tungstenite -- 127.0.0.1:9001`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::net::{TcpListener, TcpStream};
use std::thread;

use bowline_core::Disconnect;
use bowline_host::tungstenite::{Config, Counted, Watched};

/// Sends everything back that one client sends, and says how it ended.
pub(crate) fn echo(stream: TcpStream, config: Config) -> Result<Disconnect, Box<dyn Error>> {
    // - let mut socket = tungstenite::accept(stream)?;
    let socket = tungstenite::accept(Counted::new(stream)).map_err(|error| error.to_string())?; // +
    let mut socket = Watched::server(socket, config)?; // +
    loop {
        match socket.read() {
            Ok(message) if message.is_text() || message.is_binary() => {
                // The next read returns the end.
                let _ = socket.send(message);
            }
            Ok(_) => {}
            Err(end) => return Ok(end),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on ws://{}/", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        thread::spawn(move || match echo(stream, Config::default()) {
            Ok(end) => println!("{}", end.explain()),
            Err(error) => println!("{error}"),
        });
    }
    Ok(())
}
