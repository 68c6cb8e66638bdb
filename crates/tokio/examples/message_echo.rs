//! Sends every message of a session back, at either end, over links that may be cut:
//!
//! ```text
//! cargo run -p bowline-tokio --example message_echo -- serve 127.0.0.1:9000 FOLDER
//! cargo run -p bowline-tokio --example message_echo -- dial ws://127.0.0.1:9000
//! ```
//!
//! It prints the events of sessions. For the server, the last argument is how many seconds it keeps a session without a
//! link; for the client, how many milliseconds it waits before it dials again. The text `bye` makes the server end the
//! session.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use bowline_core::Message;
use bowline_core::messages::{self, Event, SessionId, SessionsConfig};
use bowline_store::DiskStore;
use bowline_tokio::{Client, ClientConfig, Heard, Server, ServerConfig};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["dial", url] => dial(url, ClientConfig::default()).await,
        ["dial", url, milliseconds] => {
            let mut config = ClientConfig::default();
            let pause = Duration::from_millis(milliseconds.parse()?);
            let waits = &mut config.reconnect;
            (waits.first_window, waits.cap, waits.floor) = (pause, pause, pause);
            dial(url, config).await
        }
        ["serve", address, folder] => serve(address, folder, SessionsConfig::default().keep).await,
        ["serve", address, folder, seconds] => {
            serve(address, folder, Duration::from_secs(seconds.parse()?)).await
        }
        _ => Err("serve ADDRESS FOLDER [SECONDS], or dial URL [MILLISECONDS]".into()),
    }
}

async fn dial(url: &str, mut config: ClientConfig) -> Result<(), Box<dyn Error>> {
    config.messages = Some(messages::Config::default());
    let client = Client::new(url, config)?;
    while let Some(heard) = client.receive().await {
        match heard {
            Heard::Message(received) if received.receipt.is_none() => {
                // There is no link to send it on, so it is lost, as a volatile message may be.
                drop(client.send_volatile(received.message).await);
            }
            Heard::Message(received) => client.send(received.message).await?,
            Heard::Session(Event::Lost { why, messages, .. }) => {
                println!("lost {}: {why}", messages.len());
                for lost in messages {
                    // The last event of a client that has given up is of this kind, too: it takes no more.
                    drop(client.send(lost.message).await);
                }
            }
            Heard::Session(event) => println!("{event}"),
            _ => {}
        }
    }
    Ok(())
}

async fn serve(address: &str, folder: &str, keep: Duration) -> Result<(), Box<dyn Error>> {
    let mut config = ServerConfig::default();
    let mut sessions = SessionsConfig::default();
    sessions.keep = keep;
    config.messages = Some(sessions);
    let server = Server::new(DiskStore::open(Path::new(folder), bowline_store::Config::default())?, config);
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    tokio::spawn(echo(server.clone()));
    server.serve(listener, std::future::pending()).await?;
    Ok(())
}

async fn echo(server: Server) {
    while let Some((session, heard)) = server.receive().await {
        match heard {
            Heard::Message(received) if received.receipt.is_none() => {
                drop(server.send_volatile(session, received.message));
            }
            Heard::Message(received) if received.message == Message::text("bye") => {
                println!("lost {}", server.end_session(session).len());
            }
            Heard::Message(received) => answer(&server, session, received.message).await,
            Heard::Session(event) => println!("{event}"),
            _ => {}
        }
    }
}

/// A client that is away must not keep all others waiting for ever.
async fn answer(server: &Server, session: SessionId, message: Message) {
    if tokio::time::timeout(Duration::from_secs(60), server.send(session, message)).await.is_err() {
        server.end_session(session);
    }
}
