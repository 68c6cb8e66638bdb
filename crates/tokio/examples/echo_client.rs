//! Sends every message back, as a client of the Autobahn test suite's fuzzing server. It runs all its cases, and has
//! the report written.
//!
//! ```text
//! cargo run --release -p bowline-tokio --example echo_client -- ws://127.0.0.1:9001 bowline
//! ```
#![allow(clippy::print_stdout)]

use std::error::Error;

use bowline_core::{Disconnect, Message};
use bowline_tokio::{DialError, WebSocket};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let server = arguments.next().unwrap_or_else(|| "ws://127.0.0.1:9001".to_owned());
    let agent = arguments.next().unwrap_or_else(|| "bowline".to_owned());

    let cases = case_count(&format!("{server}/getCaseCount")).await?;
    for case in 1..=cases {
        let disconnect = echo(&format!("{server}/runCase?case={case}&agent={agent}")).await?;
        println!("case {case} of {cases}: {disconnect}");
    }
    echo(&format!("{server}/updateReports?agent={agent}")).await?;
    Ok(())
}

async fn case_count(url: &str) -> Result<u32, Box<dyn Error>> {
    let mut socket = WebSocket::connect(url).await?;
    match socket.receive().await? {
        Message::Text(count) => Ok(count.parse()?),
        Message::Binary(_) => Err("the number of cases is not text".into()),
    }
}

async fn echo(url: &str) -> Result<Disconnect, DialError> {
    let mut socket = WebSocket::connect(url).await?;
    loop {
        match socket.receive().await {
            // If it cannot be sent, the next call says why.
            Ok(message) => drop(socket.send(message).await),
            Err(disconnect) => return Ok(disconnect),
        }
    }
}
