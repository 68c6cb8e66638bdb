//! Many clients that upload at once to one server, which has a process of its own.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use bowline_core::transfer::{SafeName, TransferId};
use bowline_store::{DiskStore, Durability};
use bowline_tokio::{Client, ClientConfig, Server, ServerConfig};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::Barrier;
use tokio::time::{sleep, timeout};

use crate::machine;
use crate::table::Table;

/// How much all clients together send.
const TOTAL: u64 = 2 << 30;
/// How often to check.
const LOOK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(180);

/// A row for each of these numbers of clients; if there are none, for the usual ones.
pub(crate) fn uploads(quick: bool, clients: &[u64]) -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new(
        "uploads",
        "Clients that upload at once to one server",
        "All clients in one process, the server in another, files in memory. All are connected before any begins, and all begin at \
         once. The slowest against the median: what each had brought when half of all bytes had arrived.",
        &[
            "clients",
            "MiB each",
            "seconds",
            "slowest / median",
            "last / median to end",
            "peak MiB of the server",
        ],
    );
    let usual: &[u64] = if quick { &[1, 100] } else { &[1, 10, 100, 1_000] };
    for &count in if clients.is_empty() { usual } else { clients } {
        table.row(measure(count, if quick { TOTAL / 8 } else { TOTAL })?);
    }
    Ok(table)
}

fn measure(count: u64, total: u64) -> Result<Vec<String>, Box<dyn Error>> {
    let folder = Path::new("/dev/shm").join(format!("bowline-many.{}", std::process::id()));
    let inbox = folder.join("inbox");
    fs::create_dir_all(&inbox)?;
    let len = total / count;
    // All send the same file under names of their own.
    fs::write(folder.join("file"), vec![7; usize::try_from(len)?])?;
    let mut server = Command::new(std::env::current_exe()?)
        .args([Path::new("serve"), &inbox])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut port = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(server.stdout.take().ok_or("no stdout")?), &mut port)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let measured = runtime.block_on(upload(port.trim(), &folder.join("file"), count, len));
    let peak = machine::peak(&server.id().to_string());
    server.kill()?;
    server.wait()?;
    fs::remove_dir_all(&folder)?;
    let Measured { seconds, slowest, last } = measured?;
    Ok(vec![
        count.to_string(),
        format!("{:.1}", len as f64 / f64::from(1 << 20)),
        format!("{seconds:.2}"),
        format!("{slowest:.2}"),
        format!("{last:.2}"),
        format!("{:.1}", peak as f64 / f64::from(1 << 20)),
    ])
}

struct Measured {
    seconds: f64,
    slowest: f64,
    last: f64,
}

async fn upload(port: &str, file: &Path, count: u64, len: u64) -> Result<Measured, Box<dyn Error>> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(Client::new(&format!("ws://127.0.0.1:{port}"), ClientConfig::default())?);
    }
    for client in &clients {
        let mut link = client.link();
        let up = link.wait_for(|state| matches!(state, bowline_tokio::LinkState::Up));
        timeout(PATIENCE, up).await??;
    }
    let barrier = Arc::new(Barrier::new(clients.len() + 1));
    // The observer of an upload, once it has begun.
    let begun: Arc<[OnceLock<_>]> = clients.iter().map(|_| OnceLock::new()).collect();
    let mut ends = Vec::new();
    for (n, client) in clients.iter().enumerate() {
        let mut id = [7; 16];
        id[..8].copy_from_slice(&n.to_be_bytes());
        let (name, id) = (SafeName::parse(&format!("file {n}"))?, TransferId::from_bytes(id));
        let (client, file) = (client.clone(), file.to_owned());
        let (barrier, begun) = (Arc::clone(&barrier), Arc::clone(&begun));
        ends.push(tokio::spawn(async move {
            barrier.wait().await;
            let mut upload = client.upload(&file, name, id).await?;
            begun[n].get_or_init(|| upload.progress());
            upload.finished().await.map(|_| Instant::now())
        }));
    }
    barrier.wait().await;
    let start = Instant::now();
    let mut slowest = None;
    while !ends.iter().all(tokio::task::JoinHandle::is_finished) {
        if start.elapsed() > PATIENCE {
            return Err("the uploads do not end".into());
        }
        sleep(LOOK).await;
        let mut brought: Vec<u64> =
            begun.iter().map(|begun| begun.get().map_or(0, |watch| watch.borrow().received)).collect();
        if slowest.is_none() && brought.iter().sum::<u64>() >= count * len / 2 {
            brought.sort_unstable();
            slowest = Some(brought[0] as f64 / brought[brought.len() / 2].max(1) as f64);
        }
    }
    let mut ended = Vec::new();
    for end in ends {
        ended.push((end.await?? - start).as_secs_f64());
    }
    ended.sort_by(f64::total_cmp);
    let (last, median) = (ended[ended.len() - 1], ended[ended.len() / 2]);
    Ok(Measured { seconds: last, slowest: slowest.unwrap_or(1.0), last: last / median })
}

/// Serves a folder, prints its port, and ends when its stdin is closed.
#[allow(clippy::print_stdout)]
pub(crate) fn serve(dir: &Path) -> Result<(), Box<dyn Error>> {
    let mut store = bowline_store::Config::default();
    // In memory, nothing has to be made safe.
    store.fsync = Durability::None;
    let mut config = ServerConfig::default();
    config.max_connections = 20_000;
    config.max_open = Some(20_000);
    let server = Server::new(DiskStore::open(dir, store)?, config);
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    thread::spawn(|| {
        let _ = io::Read::read(&mut io::stdin(), &mut [0]);
        std::process::exit(0);
    });
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        server.serve(listener, std::future::pending()).await?;
        Ok(())
    })
}
