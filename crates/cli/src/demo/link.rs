//! A bad link: a relay between two sockets on this machine that is slow, stalls, cuts and goes silent according to a
//! plan.

use super::plan::{Mishap, Plan, Way};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

/// How many bytes are carried at once.
const PIECE: usize = 16 << 10;
/// How much the system may buffer on each side of the relay: a real link does not hold megabytes either.
const BUFFER: u32 = 64 << 10;

/// A relay that follows a plan of mishaps.
#[derive(Clone, Debug)]
pub(super) struct Link {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    road: Mutex<Road>,
    tell: mpsc::UnboundedSender<Mishap>,
}

/// The state of the link, shared by its connections.
#[derive(Debug)]
struct Road {
    plan: Plan,
    /// When the next piece may leave.
    free: Instant,
    slow: Option<(Instant, u64)>,
    stalled: Instant,
    away: Instant,
    /// How many bytes have set out in the direction of the plan.
    carried: u64,
}

/// How a connection is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Reset,
    Torn,
}

/// What happens to a piece.
enum Fate {
    Passes { at: Instant },
    Vanishes,
    Cuts(Cut),
}

impl Link {
    /// Opens a link to `server` that follows a plan; returns it with the address of its near end. It relays until the
    /// returned set is dropped.
    pub(super) fn open(
        server: SocketAddr,
        plan: Plan,
        tell: mpsc::UnboundedSender<Mishap>,
    ) -> io::Result<(Self, SocketAddr, JoinSet<()>)> {
        let socket = TcpSocket::new_v4()?;
        // Before it listens, because connections inherit it only then.
        socket.set_recv_buffer_size(BUFFER)?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(16)?;
        let near = listener.local_addr()?;
        let now = Instant::now();
        let road = Road { plan, free: now, slow: None, stalled: now, away: now, carried: 0 };
        let link = Self { shared: Arc::new(Shared { server, road: Mutex::new(road), tell }) };
        let mut tasks = JoinSet::new();
        tasks.spawn(link.clone().accept(listener));
        Ok((link, near, tasks))
    }

    /// Follows another plan from now on.
    pub(super) fn follow(&self, plan: Plan) {
        let mut road = self.shared.road();
        road.plan = plan;
        road.carried = 0;
    }

    /// How many bytes have set out in the direction of the plan, whether they arrived or not.
    pub(super) fn carried(&self) -> u64 {
        self.shared.road().carried
    }

    async fn accept(self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        while let Ok((near, _)) = listener.accept().await {
            while connections.try_join_next().is_some() {}
            if Instant::now() < self.shared.road().away {
                // Refuses the connection, as far as a program can.
                let _ = near.set_zero_linger();
                continue;
            }
            connections.spawn(relay(Arc::clone(&self.shared), near));
        }
    }
}

impl Shared {
    fn road(&self) -> MutexGuard<'_, Road> {
        // A panic elsewhere leaves nothing half done here.
        self.road.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides what happens to the next `n` bytes.
    fn decide(&self, way: Way, n: u64, silent: &AtomicBool) -> Fate {
        let now = Instant::now();
        let mut guard = self.road();
        let road = &mut *guard;
        if way == road.plan.way {
            road.carried += n;
        }
        if way == road.plan.way && !silent.load(Ordering::Relaxed) {
            if let Some(mishap) = road.plan.due(road.carried) {
                let _ = self.tell.send(mishap);
                match mishap {
                    Mishap::Slow { rate, during } => road.slow = Some((now + during, rate)),
                    Mishap::Stall { during } => road.stalled = now + during,
                    Mishap::Silence => silent.store(true, Ordering::Relaxed),
                    Mishap::Reset => return Fate::Cuts(Cut::Reset),
                    Mishap::Torn { away } => {
                        road.away = now + away;
                        return Fate::Cuts(Cut::Torn);
                    }
                }
            }
        }
        if silent.load(Ordering::Relaxed) {
            return Fate::Vanishes;
        }
        let rate = match road.slow {
            Some((until, rate)) if now < until => rate,
            _ => road.plan.rate,
        };
        if way == road.plan.way {
            road.free = road.free.max(now) + Duration::from_secs_f64(n as f64 / rate as f64);
        }
        Fate::Passes { at: road.free.max(road.stalled) }
    }
}

/// Relays one connection until it ends or is cut.
async fn relay(shared: Arc<Shared>, mut near: TcpStream) {
    let Ok(mut far) = dial(shared.server).await else { return };
    let silent = AtomicBool::new(false);
    let end = {
        let (near_in, near_out) = near.split();
        let (far_in, far_out) = far.split();
        let up = pump(&shared, Way::Up, &silent, near_in, far_out);
        let down = pump(&shared, Way::Down, &silent, far_in, near_out);
        tokio::try_join!(up, down)
    };
    match end {
        Ok(((), ())) => {}
        Err(Cut::Reset) => {
            let _ = (near.set_zero_linger(), far.set_zero_linger());
        }
        Err(Cut::Torn) => {
            // For an end without a reset, reading must continue until the other side has gone too.
            let _ = tokio::join!(near.shutdown(), far.shutdown());
            let drained = async { tokio::join!(drain(&mut near), drain(&mut far)) };
            let _ = timeout(Duration::from_secs(1), drained).await;
        }
    }
}

async fn dial(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(BUFFER)?;
    socket.set_send_buffer_size(BUFFER)?;
    socket.connect(server).await
}

async fn drain(stream: &mut TcpStream) {
    let mut buffer = vec![0; PIECE];
    while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {}
}

async fn pump(
    shared: &Shared,
    way: Way,
    silent: &AtomicBool,
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
) -> Result<(), Cut> {
    let mut buffer = vec![0; PIECE];
    loop {
        let n = from.read(&mut buffer).await.unwrap_or(0);
        if n == 0 {
            break;
        }
        match shared.decide(way, n as u64, silent) {
            Fate::Vanishes => continue,
            Fate::Cuts(cut) => return Err(cut),
            Fate::Passes { at } => {
                // Timers are accurate to a millisecond. What is due sooner goes at once, and is made up for later.
                if at > Instant::now() + Duration::from_millis(2) {
                    sleep_until(at).await;
                }
            }
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            break;
        }
    }
    // On a silent link, not even the end gets through.
    if !silent.load(Ordering::Relaxed) {
        let _ = to.shutdown().await;
    }
    Ok(())
}
