//! A server that receives files into a folder and sends them out again, for many clients at once.

mod door;
mod log;
mod messages;
mod orders;
mod patience;
mod places;
mod served;
mod sweeping;
mod upgrade;

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bowline_host::accept::{Failures, is_passing};
use bowline_host::server::{House, Refusal};
use bowline_host::{AcceptError, LAST_WORDS};
use bowline_store::DiskStore;
use tokio::io::{AsyncRead, AsyncWrite};
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::accept::{self, Accepted};
use crate::clock::Clock;
use crate::driver::Driver;
use crate::host::{Hands, Host};
use crate::news::{News, Stir};
use crate::tcp;
#[cfg(feature = "tls")]
use crate::tls::TlsStream;
use door::{Caller, Door};
use log::Log;
use patience::Patience;
use places::{Away, Places, Stand};
use served::{Link, Orders};

use bowline_host::server::Pass;
pub use bowline_host::server::{
    Access, Figures, FileEvent, Grant, Guest, Origins, Peer, Secret, ServerConfig, ServerEvent,
};

/// A server of one folder. Clones share it.
///
/// ```no_run
/// use bowline_store::DiskStore;
/// use bowline_tokio::{Server, ServerConfig};
/// use std::path::Path;
/// use tokio::net::{TcpListener, TcpStream};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// std::fs::create_dir_all("inbox")?;
/// let store = DiskStore::open(Path::new("inbox"), bowline_store::Config::default())?;
/// let server = Server::new(store, ServerConfig::default());
/// let listener = TcpListener::bind("127.0.0.1:9000").await?;
/// server.serve(listener, async { let _ = tokio::signal::ctrl_c().await; }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    house: Arc<House>,
    events: broadcast::Sender<ServerEvent>,
    stopping: watch::Sender<bool>,
    /// Tells connected clients' links that their time to leave is over.
    letting_go: watch::Sender<()>,
    /// One clock for all links, which share the message sessions.
    clock: Clock,
    /// Places for clients of listeners.
    places: Places,
    /// Signals that some message may have arrived, or that there may be room again.
    news: News,
    log: Log,
}

impl Server {
    /// A server of the files in this store. It can support messages as well: [`ServerConfig::messages`].
    ///
    /// # Panics
    /// If the operating system provides no random bytes.
    pub fn new(store: DiskStore, config: ServerConfig) -> Self {
        let (events, _) = broadcast::channel(1024);
        let (stopping, letting_go) = (watch::Sender::new(false), watch::Sender::default());
        let (clock, news) = (Clock::start(), News::default());
        let places = Places::new(config.max_connections, clock);
        let house = Arc::new(House::new(store, config, news.teller(), clock.now()));
        Self { house, events, stopping, letting_go, clock, places, news, log: Log::new(clock) }
    }

    /// What the server has done so far, and its current state, for example for a page that Prometheus reads. Blocks on
    /// the disk.
    pub fn figures(&self) -> Figures {
        self.house.figures()
    }

    /// The events from now on. A receiver that is too slow misses some of them.
    pub fn events(&self) -> broadcast::Receiver<ServerEvent> {
        self.events.subscribe()
    }

    /// Serves every client that connects, until `shutdown` completes. Then it tells all clients to come back later,
    /// makes durable what has arrived, and returns when they are gone, or a second after [`ServerConfig::drain`] has
    /// passed. A client that has not finished its handshake by then is dropped without a word. The end of one listener
    /// ends the server: later clients of other listeners are told the same, if they send their request within a second.
    ///
    /// If the future is dropped early, its clients are cut off without a word, and come back as after any cut: their
    /// sessions are kept, and the server has not stopped and may serve again.
    ///
    /// # Errors
    /// If the listener cannot be used at all; all clients have been told to come back later. The failure of a single
    /// connection is not an error.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        self.serve_at(Door::Tcp(listener), shutdown).await
    }

    /// The same at a Unix socket, without TLS. [`unix::listen`](crate::unix::listen) makes one that is for this user
    /// alone.
    ///
    /// # Errors
    /// If the listener cannot be used at all; all clients have been told to come back later. The failure of a single
    /// connection is not an error.
    #[cfg(unix)]
    pub async fn serve_unix(
        &self,
        listener: UnixListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        self.serve_at(Door::Unix(listener), shutdown).await
    }

    async fn serve_at(&self, door: Door, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let mut shutdown = pin!(shutdown);
        let mut links = JoinSet::new();
        let places = &self.places;
        // A client that has connected and has no place yet.
        let mut next = None;
        let mut failures = Failures::default();
        // Aborted with the set when this returns or is dropped.
        let mut sweeping = JoinSet::new();
        if let Some(every) = self.house.sweep_every() {
            sweeping.spawn(sweeping::sweep(Arc::clone(&self.house), every));
        }
        let served = loop {
            tokio::select! {
                () = &mut shutdown => break Ok(()),
                place = places.take(), if next.is_some() => if let Some(caller) = next.take() {
                    let (server, stand) = (self.clone(), places.stand());
                    links.spawn(async move {
                        server.serve_caller(caller, stand).await;
                        drop(place);
                    });
                },
                accepted = door.accept(), if next.is_none() => match accepted {
                    Ok(caller) => {
                        failures.clear();
                        next = Some(caller);
                    }
                    Err(error) if is_passing(&error) => {
                        tracing::warn!(%error, "accept");
                        sleep(failures.pause(&error)).await;
                    }
                    Err(error) => break Err(error),
                },
                Some(_) = links.join_next() => {}
            }
        };
        drop((door, next));
        self.stopping.send_replace(true);
        if !have_gone(&mut links, self.house.config().drain).await {
            self.letting_go.send_replace(());
            have_gone(&mut links, LAST_WORDS).await;
        }
        // Links whose time is over end with their set, and the sessions end with the last link.
        self.house.talks().stop(self.clock.now());
        self.log.handle_end();
        served
    }

    async fn serve_caller(&self, caller: Caller, (stand, away): (Stand, Away)) {
        let stand = (Some(stand), self.patience(away));
        match caller {
            Caller::Tcp(stream, peer) => {
                tcp::tune(&stream);
                self.serve_tcp(stream, peer, stand).await;
            }
            #[cfg(unix)]
            Caller::Unix(stream, peer) => {
                Box::pin(self.serve_with(stream, peer, |_, _| {}, stand)).await;
            }
        }
    }

    #[cfg(not(feature = "tls"))]
    async fn serve_tcp(&self, stream: TcpStream, peer: String, stand: (Option<Stand>, Patience)) {
        if self.house.config().wants_tls() {
            return self.tell(self.house.refuse(peer, Refusal::Tls, "no TLS: it is not built in".into()));
        }
        self.serve_with(stream, peer, tcp::set_unsent, stand).await;
    }

    #[cfg(feature = "tls")]
    async fn serve_tcp(&self, stream: TcpStream, peer: String, mut stand: (Option<Stand>, Patience)) {
        let Some(tls) = &self.house.config().tls else {
            return Box::pin(self.serve_with(stream, peer, tcp::set_unsent, stand)).await;
        };
        let shaken = crate::tls::accept(stream, tls, stand.1.time());
        match stand.1.wait(shaken).await {
            Ok(Ok(stream)) => {
                let set_unsent = |stream: &TlsStream, most| tcp::set_unsent(stream.tcp(), most);
                Box::pin(self.serve_with(stream, peer, set_unsent, stand)).await;
            }
            Ok(Err(error)) => self.tell(self.house.refuse(peer, Refusal::Tls, format!("no TLS: {error}"))),
            Err(hurry) => self.tell(self.house.refuse_early(peer, Refusal::Tls, hurry)),
        }
    }

    /// Serves one client over a stream that is connected and, if necessary, encrypted. `peer` is for logs and events.
    /// You must limit how many are served like this: [`ServerConfig::max_connections`] does not apply. If the future is
    /// dropped early, the client is cut off without a word.
    pub async fn serve_stream<S>(&self, stream: S, peer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.serve_with(stream, peer, |_, _| {}, (None, self.patience(Away::never()))).await;
    }

    /// The same for a stream whose system can limit how many unsent bytes it holds.
    async fn serve_with<S>(
        &self,
        stream: S,
        peer: String,
        set_unsent: fn(&S, u32),
        (stand, mut patience): (Option<Stand>, Patience),
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut pass = None;
        let decide = |request: &http::Request<()>, offered: &[String]| {
            let (decision, may) = match stand {
                // A client that has sent its request keeps its place.
                Some(stand) => {
                    drop(stand);
                    self.house.decide_at_door(request, offered)
                }
                None => self.house.decide(request, offered),
            };
            pass = may;
            decision
        };
        let (clock, mut limits) = (patience.clock(), self.house.config().accept.clone());
        limits.timeout = patience.time();
        // Subscribed here, so that nothing that connected clients are told is missed during the handshake.
        let orders = self.orders();
        let accepted = patience.wait(accept::accept_since(clock, stream, &limits, decide)).await;
        match (accepted, pass) {
            (Ok(Ok(accepted)), Some(pass)) => {
                self.serve_link(accepted, pass, peer, set_unsent, orders).await;
            }
            (Ok(Ok(_)), None) => {}
            (Ok(Err(error)), _) => self.tell(self.house.refuse_handshake(peer, &error)),
            (Err(hurry), _) => self.tell(self.house.refuse_early(peer, Refusal::Handshake, hurry)),
        }
    }

    fn patience(&self, away: Away) -> Patience {
        Patience::new(self.stopping.subscribe(), self.house.config().accept.timeout, away)
    }

    /// The orders to connected clients from now on.
    fn orders(&self) -> Orders {
        (self.stopping.subscribe(), self.letting_go.subscribe())
    }

    async fn serve_link<S>(
        &self,
        accepted: Accepted<S>,
        pass: Pass,
        peer: String,
        set_unsent: fn(&S, u32),
        orders: Orders,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let clock = self.clock;
        let Accepted { stream, leftover, .. } = accepted;
        let driver = match Driver::server(stream, &leftover, self.house.connection(), clock) {
            Ok(driver) => driver.with_valve(set_unsent),
            Err(error) => return self.tell(self.house.refuse_handshake(peer, &AcceptError::System(error))),
        };
        let (host, Hands { spawn, deliver }) = Host::new(clock);
        let stir = Stir::default();
        let served = self.house.serve(pass, peer, spawn, deliver, stir.waker(), clock.now());
        Link { server: self, host, served, stir }.run(driver, orders).await;
    }

    fn tell(&self, event: ServerEvent) {
        self.log.tell(&event);
        // There may be no receiver.
        let _ = self.events.send(event);
    }
}

/// Whether all of them end within this time.
async fn have_gone(links: &mut JoinSet<()>, time: Duration) -> bool {
    timeout(time, async { while links.join_next().await.is_some() {} }).await.is_ok()
}

#[cfg(test)]
mod tests;
