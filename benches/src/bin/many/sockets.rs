//! As many connections over loopback TCP as the system allows a process, with both ends in it.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bowline_core::connection::{Config, Event};
use bowline_tokio::{Clock, Driver};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::time::sleep;

use crate::machine::{self, Stopwatch};
use crate::table::Table;

/// What is left for everything else.
const SPARE: u64 = 200;
const HEARTBEAT: Duration = Duration::from_secs(5);

pub(crate) fn sockets(quick: bool) -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new(
        "sockets",
        "Idle connections over sockets, with tokio",
        "Both ends in this process, a task for each, a ping from each every 5 s. Bytes: what the process grew by, for each end; the \
         system's part of a socket is not in it.",
        &["connections", "bytes for each end", "CPU µs per ping and answer, both ends", "pings"],
    );
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    rustix::process::setrlimit(
        rustix::process::Resource::Nofile,
        rustix::process::Rlimit { current: limit.maximum, ..limit },
    )?;
    let most = usize::try_from(limit.maximum.unwrap_or(1 << 20).saturating_sub(SPARE) / 2)?.min(100_000);
    for count in if quick { vec![1_000] } else { vec![1_000, most] } {
        table.row(measure(count)?);
    }
    Ok(table)
}

/// Pings that were answered.
static PINGS: AtomicU64 = AtomicU64::new(0);

fn measure(count: usize) -> Result<[String; 4], Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let before = machine::memory();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        for _ in 0..count {
            let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr()?), listener.accept());
            let mut config = Config::default();
            config.heartbeat.interval = HEARTBEAT;
            stay(Driver::client(near?, &[], config.clone(), Clock::start())?);
            stay(Driver::server(far?.0, &[], config, Clock::start())?);
        }
        // Both ends would ping every five seconds, and the ping of one is a sign of life for the other.
        sleep(HEARTBEAT).await;
        let bytes = machine::memory().saturating_sub(before) / (2 * count as u64);
        let (watch, pings) = (Stopwatch::of_process(), PINGS.load(Relaxed));
        sleep(2 * HEARTBEAT).await;
        let (time, pings) = (watch.elapsed(), PINGS.load(Relaxed) - pings);
        let each = time.as_secs_f64() * 1e6 / pings.max(1) as f64;
        Ok([count.to_string(), bytes.to_string(), format!("{each:.1}"), pings.to_string()])
    })
}

/// Drives a connection until it ends.
fn stay(mut driver: Driver<TcpStream>) {
    tokio::spawn(async move {
        loop {
            while let Some(event) = driver.conn_mut().poll_event() {
                match event {
                    Event::Pong { .. } => drop(PINGS.fetch_add(1, Relaxed)),
                    Event::Closed(_) => return,
                    _ => {}
                }
            }
            driver.drive().await;
        }
    });
}
