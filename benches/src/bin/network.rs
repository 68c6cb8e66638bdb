//! The ends of a measurement over a slow network; `benches/network/run` starts them.
//!
//! ```text
//! network serve ADDRESS DIR       takes files, until it is stopped
//! network send URL FILE SECONDS   sends a file for so long, pings ten times a second, and prints a line of JSON:
//!                                 bytes that were acknowledged, seconds, and what the pings took, in seconds
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use bowline_core::transfer::{Leftover, SafeName, TransferId};
use bowline_store::{Config, DiskStore, Durability};
use bowline_tokio::{Client, ClientConfig, LinkState, Server, ServerConfig};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

const PING_EVERY: Duration = Duration::from_millis(100);
/// How long a server may take to come up.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, dir] => serve(address.parse()?, Path::new(dir)).await,
        ["send", url, file, seconds] => {
            send(url, Path::new(file), Duration::from_secs_f64(seconds.parse()?)).await
        }
        _ => Err("network serve ADDRESS DIR, or network send URL FILE SECONDS".into()),
    }
}

async fn serve(address: SocketAddr, dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    // The network is measured, and not the disk.
    config.fsync = Durability::None;
    let server = Server::new(DiskStore::open(dir, config)?, ServerConfig::default());
    server.serve(TcpListener::bind(address).await?, std::future::pending()).await?;
    Ok(())
}

async fn send(url: &str, file: &Path, time: Duration) -> Result<(), Box<dyn Error>> {
    let client = Client::new(url, ClientConfig::default())?;
    let mut link = client.link();
    tokio::time::timeout(PATIENCE, link.wait_for(|state| matches!(state, LinkState::Up))).await??;

    let start = Instant::now();
    let upload = client.upload(file, SafeName::parse("file")?, TransferId::from_bytes([7; 16])).await?;
    let (done, mut answers) = mpsc::unbounded_channel();
    let pings = tokio::spawn({
        let client = client.clone();
        async move {
            let mut ticks = interval(PING_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                let (client, done, asked) = (client.clone(), done.clone(), Instant::now());
                tokio::spawn(async move {
                    // From the question on: what a ping waits for before it leaves counts, too.
                    if client.ping().await.is_ok() {
                        let _ = done.send(asked.elapsed().as_secs_f64());
                    }
                });
            }
        }
    });
    sleep(time).await;
    let bytes = upload.progress().borrow().received;
    let seconds = start.elapsed().as_secs_f64();
    pings.abort();
    answers.close();
    let mut took = Vec::new();
    while let Some(answer) = answers.recv().await {
        took.push(answer);
    }
    let result = serde_json::json!({ "bytes": bytes, "seconds": seconds, "pings": took });
    #[allow(clippy::print_stdout)]
    {
        println!("{result}");
    }
    upload.cancel(Leftover::Keep);
    Ok(())
}
