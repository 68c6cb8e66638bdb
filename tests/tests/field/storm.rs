//! A server that accepts every client and drops it at once: our client does not make it worse.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bowline_core::Close;
use bowline_core::transfer::SUBPROTOCOL;
use bowline_host::client::ClientConfig;
use bowline_tokio::WebSocket;
use bowline_tokio::accept::{self, Accept, Decision};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};

use crate::ends::{Adapter, aside};

const WATCHED: Duration = Duration::from_secs(30);
const MOST: usize = 12;

/// What the server does to each client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// The TCP connection ends.
    Slammed,
    /// The handshake is done, then TCP ends.
    ShutAfterHandshake,
    /// The handshake is completed, and a Close says that the server is going away.
    ClosedWithCode(u16),
}

over! {
    a_server_that_slams_the_door_is_not_stormed
    a_server_that_accepts_then_drops_is_not_stormed
    a_server_that_accepts_then_goes_away_is_not_stormed
    a_server_that_accepts_then_reports_an_error_is_not_stormed
}

async fn a_server_that_slams_the_door_is_not_stormed(adapter: Adapter) {
    is_not_stormed(adapter, Door::Slammed).await;
}

async fn a_server_that_accepts_then_drops_is_not_stormed(adapter: Adapter) {
    is_not_stormed(adapter, Door::ShutAfterHandshake).await;
}

async fn a_server_that_accepts_then_goes_away_is_not_stormed(adapter: Adapter) {
    is_not_stormed(adapter, Door::ClosedWithCode(1001)).await;
}

async fn a_server_that_accepts_then_reports_an_error_is_not_stormed(adapter: Adapter) {
    is_not_stormed(adapter, Door::ClosedWithCode(1011)).await;
}

async fn is_not_stormed(adapter: Adapter, door: Door) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (enough, watching) = mpsc::channel::<()>();
    let client = thread::spawn(move || {
        let _client = adapter.client(&url, ClientConfig::default());
        // It lives for as long as somebody may send something.
        let _ = watching.recv();
    });
    let until = Instant::now() + WATCHED;
    let mut connections = 0;
    while let Ok(accepted) = timeout_at(until, listener.accept()).await {
        connections += 1;
        tokio::spawn(show_out(accepted.unwrap().0, door));
    }
    drop(enough);
    aside(|| client.join()).await.unwrap();
    println!("{adapter:?}: {door:?}: {connections} connections in {} s", WATCHED.as_secs());
    // Fewer than two would not be an attempt to reconnect.
    assert!((2..=MOST).contains(&connections), "{door:?}: {connections} connections");
}

async fn show_out(stream: TcpStream, door: Door) {
    if door == Door::Slammed {
        return;
    }
    let config = accept::Config::default();
    let decide = |_: &_, _: &[String]| Decision::Accept(Accept::new().with_subprotocol(SUBPROTOCOL));
    // The client may be gone.
    let Ok(accepted) = accept::accept(stream, &config, decide).await else { return };
    if let Door::ClosedWithCode(code) = door {
        let mut socket = WebSocket::server(accepted, bowline_core::connection::Config::default()).unwrap();
        socket.close(Close::new(code, "").unwrap()).unwrap();
        socket.ended().await;
    }
}
