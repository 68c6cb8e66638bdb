//! An axum server with ordinary routes, one of which becomes a link of Bowline's: files that are uploaded there are
//! served by the other routes.
//!
//! ```text
//!                  ┌─ GET /, GET /files/NAME ──▶ axum ──▶ the folder
//!   TCP ◀──▶ hyper ┤                                         ▲
//!                  └─ GET /link ──▶ Server::answer, 101      │
//!                       the upgraded stream ──▶ Server::serve_guest, whose threads write files
//! ```
//!
//! Bytes enter and leave through hyper's upgraded stream; time is tokio's; files are the `Server`'s. Run it with `cargo
//! run --release -p bowline-hosts --example axum_uploads -- 127.0.0.1:9001 FOLDER`, then `bowline send FILE
//! ws://127.0.0.1:9001/link`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path as Part, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use bowline_core::transfer::SafeName;
use bowline_store::DiskStore;
use bowline_tokio::{Server, ServerConfig, tcp};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[derive(Clone)]
struct House {
    server: Server,
    folder: PathBuf,
}

/// The answer to clients without Bowline.
async fn hello() -> &'static str {
    "send files to /link, and get them from /files/NAME\n"
}

async fn file(State(house): State<House>, Part(name): Part<String>) -> Result<Vec<u8>, StatusCode> {
    let name = SafeName::parse(&name).map_err(|_| StatusCode::NOT_FOUND)?;
    tokio::fs::read(house.folder.join(name.as_str())).await.map_err(|_| StatusCode::NOT_FOUND)
}

async fn link(
    State(house): State<House>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
) -> Response {
    let (answer, guest) = house.server.answer(&request);
    if let Some(guest) = guest {
        let upgraded = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            // An error means that the client left before it had its answer.
            if let Ok(stream) = upgraded.await {
                house.server.serve_guest(TokioIo::new(stream), guest, peer.to_string()).await;
            }
        });
    }
    answer.map(Body::from)
}

/// Serves a folder until `shutdown` completes.
pub(crate) async fn serve(
    listener: TcpListener,
    folder: &Path,
    config: ServerConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let store = DiskStore::open(folder, bowline_store::Config::default())?;
    let house = House { server: Server::new(store, config), folder: folder.to_owned() };
    let server = house.server.clone();
    let app = Router::new()
        .route("/", get(hello))
        .route("/files/{name}", get(file))
        .route("/link", get(link))
        .with_state(house)
        .into_make_service_with_connect_info::<SocketAddr>();
    let listener = listener.tap_io(|stream| tcp::tune(stream));
    let shutdown = {
        let server = server.clone();
        async move {
            shutdown.await;
            server.stop();
        }
    };
    tokio::select! {
        served = async { axum::serve(listener, app).with_graceful_shutdown(shutdown).await } => Ok(served?),
        never = server.sweep() => match never {},
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let address = words.next().unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let folder = words.next().unwrap_or_else(|| "inbox".to_owned());
    let listener = TcpListener::bind(address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    let shutdown = async { drop(tokio::signal::ctrl_c().await) };
    serve(listener, Path::new(&folder), ServerConfig::default(), shutdown).await
}
