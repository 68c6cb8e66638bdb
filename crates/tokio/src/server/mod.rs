//! A server that takes files into a folder and gives them out again, for many clients at once.

mod config;
mod messages;
mod orders;
mod seats;
mod served;
mod sweeping;

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bowline_core::message::Delivery;
use bowline_core::session::{self, Session};
use bowline_core::transfer::{Digest, SUBPROTOCOL};
use bowline_store::{DiskStore, Principal};
use http::{StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::accept::{self, Accept, Accepted, Decision};
use crate::clock::Clock;
use crate::driver::Driver;
use crate::host::{Host, seed};
use crate::tcp;
use messages::Talks;
use orders::Orders;
use seats::Seats;
use served::Served;

pub use config::{FileEvent, ServerConfig, ServerEvent};

/// How long to wait after the system refused a connection for lack of something, before it is asked again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server of one folder. Clones share it.
///
/// ```no_run
/// use bowline_store::DiskStore;
/// use bowline_tokio::{Server, ServerConfig};
/// use std::path::Path;
/// use tokio::net::TcpListener;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = DiskStore::open(Path::new("inbox"), bowline_store::Config::default())?;
/// let server = Server::new(store, ServerConfig::default());
/// let listener = TcpListener::bind("127.0.0.1:9000").await?;
/// server.serve(listener, async { let _ = tokio::signal::ctrl_c().await; }).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    store: DiskStore,
    config: Arc<ServerConfig>,
    /// Names this process to its clients.
    instance: [u8; 16],
    seats: Seats,
    events: broadcast::Sender<ServerEvent>,
    stopping: watch::Sender<bool>,
    /// The sessions of messages, if they are spoken.
    talks: Option<Arc<Talks>>,
    orders: Orders,
}

impl Server {
    /// A server of the files in this store.
    ///
    /// # Panics
    /// If the operating system has no randomness.
    pub fn new(store: DiskStore, config: ServerConfig) -> Self {
        let mut instance = [0; 16];
        instance.copy_from_slice(&seed()[..16]);
        let (events, _) = broadcast::channel(1024);
        let (stopping, _) = watch::channel(false);
        let talks = config.messages.map(|sessions| Arc::new(Talks::new(sessions)));
        let (seats, orders) = (Seats::default(), Orders::default());
        Self { store, config: Arc::new(config), instance, seats, events, stopping, talks, orders }
    }

    /// What happens from now on. Who listens too slowly misses some of it.
    pub fn events(&self) -> broadcast::Receiver<ServerEvent> {
        self.events.subscribe()
    }

    /// Serves everybody who connects, until `shutdown` completes; then tells all clients to come back later, makes
    /// durable what has come, and returns when they are gone, or when [`ServerConfig::drain`] has passed.
    ///
    /// # Errors
    /// The listener cannot be used at all. A single connection that fails is no error.
    pub async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> io::Result<()> {
        let mut shutdown = pin!(shutdown);
        let mut links = JoinSet::new();
        let places = Arc::new(Semaphore::new(self.config.max_connections));
        // Aborted with the set, when this returns or is dropped.
        let mut sweeping = JoinSet::new();
        if let Some(every) = self.config.sweep_every {
            sweeping.spawn(sweeping::sweep(self.store.clone(), every));
        }
        loop {
            let accepted = async {
                // Never closed, so a place always comes free.
                let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
                listener.accept().await.map(|(stream, peer)| (stream, peer, place))
            };
            tokio::select! {
                () = &mut shutdown => break,
                accepted = accepted => match accepted {
                    Ok((stream, peer, place)) => {
                        tcp::tune(&stream);
                        let server = self.clone();
                        links.spawn(async move {
                            server.serve_stream(stream, peer.to_string()).await;
                            drop(place);
                        });
                    }
                    Err(error) if is_passing(&error) => {
                        tracing::warn!(%error, "accept");
                        sleep(ACCEPT_PAUSE).await;
                    }
                    Err(error) => return Err(error),
                },
                Some(_) = links.join_next() => {}
            }
        }
        drop(listener);
        self.stopping.send_replace(true);
        let _ = timeout(self.config.drain, async { while links.join_next().await.is_some() {} }).await;
        Ok(())
    }

    /// Serves one client over a stream that is connected and, if need be, encrypted. `peer` is for logs and events.
    pub async fn serve_stream<S>(&self, stream: S, peer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut who = Principal::default();
        let decide =
            |request: &http::Request<()>, offered: &[String]| self.decide(request, offered, &mut who);
        match accept::accept(stream, &self.config.accept, decide).await {
            Ok(accepted) => self.serve_link(accepted, who, peer).await,
            Err(error) => {
                tracing::info!(%peer, %error, "rejected");
                self.tell(ServerEvent::Rejected { peer, why: error.to_string() });
            }
        }
    }

    fn decide(&self, request: &http::Request<()>, offered: &[String], who: &mut Principal) -> Decision {
        let shown = request.headers().get(header::AUTHORIZATION).map_or(&b""[..], |value| value.as_bytes());
        match self.name(shown) {
            Some(principal) => *who = principal,
            None => return Decision::reject(StatusCode::UNAUTHORIZED, "a valid token is needed\n"),
        }
        match accept::negotiate(&[SUBPROTOCOL], offered) {
            Some(name) => Decision::Accept(Accept::new().with_subprotocol(name)),
            None => Decision::reject(
                StatusCode::BAD_REQUEST,
                format!("this server speaks the subprotocol {SUBPROTOCOL}\n"),
            ),
        }
    }

    /// Whom a header names; nobody may come whom none of the tokens names, if there are any.
    fn name(&self, shown: &[u8]) -> Option<Principal> {
        let ServerConfig { token, tokens, .. } = &*self.config;
        let anybody = (token.is_none() && tokens.is_empty()).then(Principal::default);
        let known = token.iter().map(|token| (Principal::default(), token));
        let named = tokens.iter().map(|(who, token)| (who.clone(), token));
        // All of them are compared, so that the time tells nothing.
        known.chain(named).fold(anybody, |found, (who, token)| {
            let is_this = is_bearer(shown, token);
            found.or_else(|| is_this.then_some(who))
        })
    }

    async fn serve_link<S>(&self, accepted: Accepted<S>, who: Principal, peer: String)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let clock = Clock::start();
        let mut settings = session::Config::default();
        settings.transfer = self.config.transfer.clone();
        settings.transfer.instance = self.instance;
        settings.messages = self.config.messages.map(|sessions| sessions.session);
        let mut session = Session::server(settings, clock.now());
        session.handle_link_up(clock.now(), None);
        let Accepted { stream, leftover, .. } = accepted;
        let mut config = self.config.connection.clone();
        // Chunks of files are messages of the protocol, and none is large.
        config.delivery = Delivery::Whole;
        let driver = match Driver::server(stream, &leftover, config, clock) {
            Ok(driver) => driver,
            Err(error) => return tracing::error!(%peer, %error, "no randomness"),
        };
        tracing::info!(%peer, "connected");
        self.tell(ServerEvent::Connected { peer: peer.clone() });
        let stopping = self.stopping.subscribe();
        // Only the same principal can have its session of messages back.
        let place = self.talks.as_ref().map(|talks| talks.join(who.name().as_bytes()));
        let store = self.store.for_principal(who);
        let (host, orders) = (Host::new(session, clock), self.orders.listen());
        let link = Served { server: self, store, peer, host, orders, names: BTreeMap::new(), place };
        link.run(driver, stopping).await;
    }

    fn tell(&self, event: ServerEvent) {
        // Nobody may be listening.
        let _ = self.events.send(event);
    }
}

/// Whether another try may work: one connection was gone already, or the system lacks something for the moment. Only
/// a listener that is none cannot be used again; everything else may be the fault of a single client or network.
fn is_passing(error: &io::Error) -> bool {
    error.kind() != io::ErrorKind::InvalidInput && !matches!(error.raw_os_error(), Some(9 | 88)) // EBADF, ENOTSOCK
}

/// Whether a header shows this token. Takes the same time wherever they differ.
fn is_bearer(shown: &[u8], token: &str) -> bool {
    let Some((scheme, shown)) = shown.split_at_checked(7) else { return false };
    let (shown, expected) = (Digest::of(shown), Digest::of(token.as_bytes()));
    let differ = shown.as_bytes().iter().zip(expected.as_bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
    scheme.eq_ignore_ascii_case(b"bearer ") && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_with_one_client_does_not_end_the_server() {
        for passing in [1, 12, 23, 24, 64, 71, 92, 100, 101, 103, 105, 112, 113] {
            assert!(is_passing(&io::Error::from_raw_os_error(passing)), "{passing}");
        }
        for fatal in [9, 22, 88] {
            assert!(!is_passing(&io::Error::from_raw_os_error(fatal)), "{fatal}");
        }
    }

    #[test]
    fn only_the_very_token_opens() {
        assert!(is_bearer(b"Bearer secret", "secret"));
        assert!(is_bearer(b"bearer secret", "secret"));
        for shown in [&b"Bearer secre"[..], b"Bearer secrett", b"Basic secret", b"secret", b"Bearer", b""] {
            assert!(!is_bearer(shown, "secret"), "{shown:?}");
        }
    }
}
