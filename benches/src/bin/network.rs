//! The ends of a measurement over a slow network; `benches/network/run` starts them.
//!
//! ```text
//! network serve ADDRESS DIR            takes files, until it is stopped
//! network send URL FILE SECONDS LATE   sends a file for so long, pings ten times a second, and prints a line of JSON:
//!                                      bytes that were acknowledged, in all and in the last LATE seconds, seconds, and
//!                                      what the pings took, in seconds
//! network drain ADDRESS                takes bytes, and answers how many have come, until it is stopped
//! network flood ADDRESS SECONDS LATE   sends bytes for so long, and prints the same line, without pings
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use bowline_core::transfer::{Digest, Leftover, SafeName, TransferId};
use bowline_store::{Config, DiskStore, Durability};
use bowline_tokio::{Client, ClientConfig, LinkState, Server, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

const PING_EVERY: Duration = Duration::from_millis(100);
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve", address, dir] => serve(address.parse()?, Path::new(dir)).await,
        ["send", url, file, time, late] => send(url, Path::new(file), seconds(time)?, seconds(late)?).await,
        ["drain", address] => drain(TcpListener::bind(address).await?).await,
        ["flood", address, time, late] => flood(address, seconds(time)?, seconds(late)?).await,
        _ => {
            Err("serve ADDRESS DIR | send URL FILE SECONDS LATE | drain ADDRESS | flood ADDRESS SECONDS LATE"
                .into())
        }
    }
}

fn seconds(word: &str) -> Result<Duration, Box<dyn Error>> {
    Ok(Duration::try_from_secs_f64(word.parse()?)?)
}

async fn serve(address: SocketAddr, dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut config = Config::default();
    // The network is measured, not the disk.
    config.fsync = Durability::None;
    let server = Server::new(DiskStore::open(dir, config)?, ServerConfig::default());
    server.serve(TcpListener::bind(address).await?, std::future::pending()).await?;
    Ok(())
}

async fn send(url: &str, file: &Path, time: Duration, late: Duration) -> Result<(), Box<dyn Error>> {
    let client = Client::new(url, ClientConfig::default())?;
    let mut link = client.link();
    timeout(PATIENCE, link.wait_for(|state| matches!(state, LinkState::Up))).await??;

    let start = Instant::now();
    let name = file.file_name().and_then(|name| name.to_str()).ok_or("the file has no name")?;
    let id = TransferId::from_bytes(Digest::of(name.as_bytes()).as_bytes()[..16].try_into()?);
    let upload = client.upload(file, SafeName::parse(name)?, id).await?;
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
                    // From the request on: what a ping waits for before it leaves counts, too.
                    if client.ping().await.is_ok() {
                        let _ = done.send(asked.elapsed().as_secs_f64());
                    }
                });
            }
        }
    });
    sleep(time.saturating_sub(late)).await;
    let early = upload.progress().borrow().received;
    sleep(late).await;
    let bytes = upload.progress().borrow().received;
    let seconds = start.elapsed().as_secs_f64();
    pings.abort();
    answers.close();
    let mut took = Vec::new();
    while let Some(answer) = answers.recv().await {
        took.push(answer);
    }
    tell(bytes, early, seconds, &took);
    upload.cancel(Leftover::Keep);
    Ok(())
}

#[allow(clippy::print_stdout)]
fn tell(bytes: u64, early: u64, seconds: f64, pings: &[f64]) {
    let late = bytes - early;
    println!("{}", serde_json::json!({ "bytes": bytes, "late": late, "seconds": seconds, "pings": pings }));
}

async fn drain(listener: TcpListener) -> Result<(), Box<dyn Error>> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            let (mut place, mut count, mut told) = (vec![0; 64 << 10], 0, Instant::now());
            while let Ok(n @ 1..) = stream.read(&mut place).await {
                count += n as u64;
                if told.elapsed() > PING_EVERY {
                    told = Instant::now();
                    let _ = stream.write_u64(count).await;
                }
            }
        });
    }
}

async fn flood(address: &str, time: Duration, late: Duration) -> Result<(), Box<dyn Error>> {
    let (mut answers, mut stream) = TcpStream::connect(address).await?.into_split();
    let start = Instant::now();
    let writing = tokio::spawn(async move {
        let piece = vec![0; 64 << 10];
        while stream.write_all(&piece).await.is_ok() {}
    });
    let (mut bytes, mut early) = (0, 0);
    while let Ok(count) = timeout(time.saturating_sub(start.elapsed()), answers.read_u64()).await {
        bytes = count?;
        if start.elapsed() + late < time {
            early = bytes;
        }
    }
    tell(bytes, early, start.elapsed().as_secs_f64(), &[]);
    writing.abort();
    Ok(())
}
