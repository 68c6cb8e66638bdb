//! The same session as over channels, over WebSockets of tokio-tungstenite: another carrier, and nothing else changes.
//!
//! ```text
//!   WebSocketStream ──▶ handle_message ┌───────┐ poll_event ──▶ Worker ──▶ threads that read and write files
//!   WebSocketStream ◀── poll_message   │ Party │                              │
//!   tokio's clock   ──▶ patience       └───────┘ ◀── handle_report ◀──────────┘
//! ```
//!
//! Bytes enter and leave as messages in `live`, time through its `sleep`; files are the `Worker`'s. Nobody pings here:
//! a `bowline_host::tungstenite::Watch` could say when to. Run it with `cargo run --release -p bowline-hosts --example
//! session_over_tokio_tungstenite -- serve 127.0.0.1:9001 FOLDER`, and another one with `.. -- send 127.0.0.1:9001
//! FILE`.
#![allow(clippy::print_stdout)]

#[allow(dead_code)]
#[path = "session_over_channels.rs"]
mod session_over_channels;

use std::error::Error;
use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;

use bowline_core::session::Event;
use bowline_core::transfer::{SafeName, TransferId};
use bowline_core::{Message as Said, Retry};
use bowline_store::DiskStore;
use bowline_store::worker::{Deliver, Report};
use futures_util::{SinkExt, StreamExt};
use session_over_channels::is_end;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

pub(crate) use session_over_channels::Party;

/// Where reports arrive, and how they get there.
pub(crate) fn reports() -> (Deliver, UnboundedReceiver<Report>) {
    let (deliver, reports) = unbounded_channel();
    (Arc::new(move |report| drop(deliver.send(report))), reports)
}

/// Runs on a link until it ends, which is an error that says why, or until `hear` wants no more.
async fn live<S: AsyncRead + AsyncWrite + Unpin>(
    party: &mut Party,
    reports: &mut UnboundedReceiver<Report>,
    socket: WebSocketStream<S>,
    hear: &mut impl FnMut(&mut Party, Option<Event>) -> bool,
) -> Result<(), String> {
    let (mut out, mut inp) = socket.split();
    let (mut next, mut flushed) = (None, true);
    loop {
        while let Some(event) = party.poll_event() {
            hear(party, Some(event));
        }
        if !hear(party, None) {
            return Ok(());
        }
        if next.is_none() {
            // One message waits for tungstenite, and tungstenite for the socket; the window does the rest.
            next = party.session.poll_message(party.now(), usize::MAX);
        }
        if let Some(close) = party.session.poll_close() {
            return Err(close.to_string());
        }
        let waits = next.is_some();
        // All at once: an end that waits for its writing to finish would not read, and neither would the other end.
        tokio::select! {
            message = inp.next() => match message {
                // A message that is not of our protocol is returned.
                Some(Ok(Message::Binary(message))) => drop(party.session.handle_message(party.now(), message)),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("the WebSocket has ended".into()),
            },
            // A sink that is ready for one more has made room by writing.
            wrote = poll_fn(|cx| if waits { out.poll_ready_unpin(cx) } else { out.poll_flush_unpin(cx) }),
                if waits || !flushed =>
            {
                wrote.map_err(|error| error.to_string())?;
                flushed = !waits;
                if let Some(message) = next.take() {
                    out.start_send_unpin(Message::Binary(message.into_bytes())).map_err(|error| error.to_string())?;
                }
            }
            Some(report) = reports.recv() => party.handle_report(report),
            () = sleep(party.patience()) => {}
        }
    }
}

/// Runs over one link after the other until `hear` wants no more.
pub(crate) async fn call(
    party: &mut Party,
    reports: &mut UnboundedReceiver<Report>,
    address: &str,
    mut hear: impl FnMut(&mut Party, Option<Event>) -> bool,
) {
    loop {
        while let Some(event) = party.poll_event() {
            if event != Event::Dial {
                hear(party, Some(event));
                continue;
            }
            let socket = async {
                let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
                let dialled = client_async(format!("ws://{address}/"), stream).await;
                dialled.map(|(socket, _)| socket).map_err(|error| error.to_string())
            };
            let Ok(socket) = socket.await else {
                party.session.handle_dial_failed(party.now(), Retry::Backoff);
                continue;
            };
            party.handle_link_up();
            match live(party, reports, socket, &mut hear).await {
                Ok(()) => return,
                Err(why) => party.handle_link_down(&why),
            }
        }
        if !hear(party, None) {
            return;
        }
        tokio::select! {
            Some(report) = reports.recv() => party.handle_report(report),
            () = sleep(party.patience()) => {}
        }
    }
}

/// Serves one client after the other; a client that returns resumes.
pub(crate) async fn serve(listener: TcpListener, store: DiskStore) -> Result<(), Box<dyn Error>> {
    let (deliver, mut reports) = reports();
    let mut party = Party::server(store, deliver)?;
    loop {
        let (stream, peer) = listener.accept().await?;
        let Ok(socket) = accept_async(stream).await else { continue };
        party.handle_link_up();
        if let Err(why) = live(&mut party, &mut reports, socket, &mut |_, _| true).await {
            println!("{peer}: {why}");
            party.handle_link_down(&why);
        }
        // What was on its way to the disk is made durable.
        while party.poll_event().is_some() {}
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, folder] => {
            let store = DiskStore::open(Path::new(folder), bowline_store::Config::default())?;
            serve(TcpListener::bind(address).await?, store).await
        }
        ["send", address, file] => {
            let (deliver, mut reports) = reports();
            let (mut party, file) = (Party::client(deliver)?, Path::new(file));
            let name = file.file_name().and_then(|name| name.to_str()).ok_or("no name for a file")?;
            let id = TransferId::from_half_of(&bowline_host::seed()?);
            party.upload(file, SafeName::parse(name)?, id)?;
            let now = party.now();
            party.session.messages_mut().ok_or("it has messages")?.send(now, Said::text("hello"))?;
            let mut done = false;
            call(&mut party, &mut reports, address, |_, event| {
                done |= event.as_ref().is_some_and(is_end);
                event.inspect(|event| println!("{event:?}"));
                !done
            })
            .await;
            Ok(())
        }
        _ => Err("serve ADDRESS FOLDER, or send ADDRESS FILE".into()),
    }
}
