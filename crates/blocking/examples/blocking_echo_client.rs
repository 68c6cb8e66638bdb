//! Sends every message back, as a client of the Autobahn test suite's fuzzing server. It runs all its cases, and has
//! the report written.
//!
//! ```text
//! cargo run --release -p bowline-blocking --example blocking_echo_client -- ws://127.0.0.1:9001 bowline
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;

use bowline_blocking::{DialError, WebSocket};
use bowline_core::{Disconnect, Message};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let agent = arguments.next().unwrap_or_else(|| "bowline".to_owned());

    let cases = case_count(&format!("{server}/getCaseCount"))?;
    for case in 1..=cases {
        let disconnect = echo(&format!("{server}/runCase?case={case}&agent={agent}"))?;
        println!("case {case} of {cases}: {disconnect}");
    }
    echo(&format!("{server}/updateReports?agent={agent}"))?;
    Ok(())
}

fn case_count(url: &str) -> Result<u32, Box<dyn Error>> {
    let mut socket = WebSocket::connect(url)?;
    match socket.receive()? {
        Message::Text(count) => Ok(count.parse()?),
        Message::Binary(_) => Err("the number of cases is not text".into()),
    }
}

fn echo(url: &str) -> Result<Disconnect, DialError> {
    let mut socket = WebSocket::connect(url)?;
    loop {
        match socket.receive() {
            // If it cannot be sent, the next call says why.
            Ok(message) => drop(socket.send(message)),
            Err(disconnect) => return Ok(disconnect),
        }
    }
}
