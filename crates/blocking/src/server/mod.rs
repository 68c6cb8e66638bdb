//! A server that receives files into a folder and sends them out again, with a thread for each client.

mod caller;
mod link;
mod messages;
mod porch;
mod sweeping;
mod upgrade;

use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};

use bowline_core::End;
#[cfg(feature = "tls")]
use bowline_core::Instant;
use bowline_core::transfer::{Leftover, TransferId};
use bowline_handshake::server::Error;
use bowline_host::AcceptError;
use bowline_host::LAST_WORDS;
use bowline_host::server::{House, Hurry, Pass, Refusal};
#[cfg(feature = "tls")]
use bowline_host::tls::timed_out;
use bowline_host::transfer::Verb;
use bowline_store::DiskStore;

use crate::accept::{self, Accepted};
use crate::clock::Clock;
use crate::door::Door;
#[cfg(unix)]
use crate::door::unix_peer;
use crate::listener::{Left, Listener};
use crate::places::Places;
use crate::pool::Pool;
use crate::post::Post;
use crate::stream::Stream;
#[cfg(feature = "tls")]
use crate::tls::TlsStream;
use crate::watch::{Audience, Watch, watch};
use caller::{Caller, Patience};
use link::{Letter, Link};
use porch::Porch;
use sweeping::Sweeping;

pub use bowline_host::server::{
    Access, Figures, FileEvent, Grant, Guest, Origins, Peer, Secret, ServerConfig, ServerEvent,
};

/// How many threads work on the files of all clients: more than a disk can use.
const FILES: usize = 16;
/// How many events may wait for a listener.
const EVENTS: usize = 1024;

/// A server of one folder. Clones share it.
///
/// ```no_run
/// use bowline_blocking::{Listener, Server, ServerConfig};
/// use bowline_store::DiskStore;
/// use std::path::Path;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// std::fs::create_dir_all("inbox")?;
/// let store = DiskStore::open(Path::new("inbox"), bowline_store::Config::default())?;
/// let server = Server::new(store, ServerConfig::default());
/// let listener = Listener::bind("127.0.0.1:9000")?;
/// let stopper = listener.stopper(); // to stop the server later
/// server.serve(listener)?;
/// # drop(stopper);
/// # Ok(())
/// # }
/// ```
///
/// With [`ServerConfig::messages`], it also supports messages; see [`Client`](crate::Client).
#[derive(Clone, Debug)]
pub struct Server(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    house: Arc<House>,
    pool: Pool,
    events: Audience<ServerEvent>,
    links: Mutex<Links>,
    /// Places for clients of listeners.
    places: Places,
    porch: Porch,
    /// Notified when the server is stopped.
    stopped: Condvar,
    /// One clock for all links, which share the message sessions.
    clock: Clock,
    /// Signals that some message may have arrived, or that there may be room again.
    news: Watch<()>,
}

/// All connected clients by number, including those in their handshake.
#[derive(Debug, Default)]
struct Links {
    posts: BTreeMap<u64, Post<Letter>>,
    next: u64,
    is_stopping: bool,
}

impl Server {
    /// A server of the files in this store.
    ///
    /// # Panics
    /// If the operating system provides no random bytes.
    pub fn new(store: DiskStore, config: ServerConfig) -> Self {
        let (clock, (teller, news)) = (Clock::start(), watch(()));
        let (places, porch) = (Places::new(config.max_connections), Porch::new(clock));
        let house = Arc::new(House::new(store, config, teller.into_wake(), clock.now()));
        let (pool, (events, links, stopped)) = (Pool::new(FILES), Default::default());
        Self(Arc::new(Shared { house, pool, events, links, places, porch, stopped, clock, news }))
    }

    /// What the server has done so far, and its current state, for example for a page that Prometheus reads. Blocks on
    /// the disk.
    pub fn figures(&self) -> Figures {
        self.0.house.figures()
    }

    /// The events from now on. A receiver that is too slow misses some of them.
    pub fn events(&self) -> mpsc::Receiver<ServerEvent> {
        self.0.events.join(EVENTS)
    }

    /// Serves every client that connects, until the listener is [stopped](crate::Stopper::stop). Then it tells all
    /// clients to come back later, makes durable what has arrived, and returns when they are gone, or a second after
    /// [`ServerConfig::drain`] has passed, whatever a disk is doing by then. A client that has not sent its request by
    /// then is dropped without a word. The end of one listener ends the server: later clients of other listeners are
    /// told the same, if they send their request within a second.
    ///
    /// # Errors
    /// If the listener cannot be used at all; all clients have been told to come back later. The failure of a single
    /// connection is not an error.
    pub fn serve(&self, listener: Listener) -> io::Result<()> {
        self.serve_at(listener, |server, stream, peer| server.serve_tcp(stream, peer.to_string()))
    }

    /// The same at a Unix socket, without TLS. [`unix::listen`](crate::unix::listen) makes one that is for this user
    /// alone.
    ///
    /// # Errors
    /// If the listener cannot be used at all; all clients have been told to come back later. The failure of a single
    /// connection is not an error.
    #[cfg(unix)]
    pub fn serve_unix(&self, listener: Listener<UnixListener>) -> io::Result<()> {
        self.serve_at(listener, |server, stream, _| {
            let peer = unix_peer(&stream);
            server.serve_at_place(stream, peer);
        })
    }

    fn serve_at<D: Door>(
        &self,
        listener: Listener<D>,
        serve: impl Fn(&Self, D::Stream, D::Address) + Send + Sync + 'static,
    ) -> io::Result<()> {
        let config = self.0.house.config();
        let (server, left) = (self.clone(), Left::default());
        let sweeping = self.0.house.sweep_every().map(|every| {
            let house = Arc::clone(&self.0.house);
            Sweeping::start(left.enter(), move |pause| sweeping::sweep(&house, every, pause))
        });
        let served = listener.accept_all(
            &left,
            &self.0.places,
            || Some(self.0.porch.make_room()),
            move |stream, peer| serve(&server, stream, peer),
        );
        self.stop();
        // It is waited for like the clients, and no longer.
        drop(sweeping);
        if !left.wait(config.drain) {
            self.tell_links(|| Letter::Abort);
            left.wait(LAST_WORDS);
        }
        served
    }

    #[cfg(not(feature = "tls"))]
    fn serve_tcp(&self, stream: TcpStream, peer: String) {
        if self.0.house.config().wants_tls() {
            return self.tell(&self.0.house.refuse(peer, Refusal::Tls, "no TLS: it is not built in".into()));
        }
        self.serve_at_place(stream, peer);
    }

    #[cfg(feature = "tls")]
    fn serve_tcp(&self, stream: TcpStream, peer: String) {
        let config = self.0.house.config();
        let Some(tls) = &config.tls else { return self.serve_at_place(stream, peer) };
        let Some(caller) = self.caller(&peer).map(Caller::with_stand) else { return };
        let Patience { time, wakened } = caller.patience();
        let shaken = match TlsStream::server(stream, tls) {
            Ok(stream) => stream.shake_hands(caller.clock, Instant::ZERO + time, wakened),
            Err(error) => Some(Err(error)),
        };
        let error = match (shaken, wakened.and_then(|_| caller.hurry())) {
            (Some(Ok(stream)), _) => return self.serve_caller(caller, stream, peer),
            (Some(Err(error)), _) => error,
            (None, Some(hurry)) => return self.tell(&self.0.house.refuse_early(peer, Refusal::Tls, hurry)),
            (None, None) => timed_out(time),
        };
        self.tell(&self.0.house.refuse(peer, Refusal::Tls, format!("no TLS: {error}")));
    }

    /// Serves one client over a stream that is connected and, if necessary, encrypted, until it is gone. `peer` is for
    /// events.
    ///
    /// You must limit how many are served like this: [`ServerConfig::max_connections`] does not apply.
    pub fn serve_stream<S: Stream>(&self, stream: S, peer: String) {
        if let Some(caller) = self.caller(&peer) {
            self.serve_caller(caller, stream, peer);
        }
    }

    /// The same for a client that has a place.
    fn serve_at_place<S: Stream>(&self, stream: S, peer: String) {
        if let Some(caller) = self.caller(&peer).map(Caller::with_stand) {
            self.serve_caller(caller, stream, peer);
        }
    }

    /// A new client, if the system provides what it needs.
    fn caller(&self, peer: &str) -> Option<Caller<'_>> {
        let refuse = |error| self.0.house.refuse_handshake(peer.to_owned(), &AcceptError::System(error));
        Caller::new(self).map_err(|error| self.tell(&refuse(error))).ok()
    }

    fn serve_caller<S: Stream>(&self, caller: Caller<'_>, stream: S, peer: String) {
        let mut pass = None;
        let decide = |request: &http::Request<()>, offered: &[String]| {
            let (decision, may) = if caller.has_asked() {
                self.0.house.decide_at_door(request, offered)
            } else {
                self.0.house.decide(request, offered)
            };
            pass = may;
            decision
        };
        let mut limits = self.0.house.config().accept.clone();
        let Patience { time, wakened } = caller.patience();
        limits.timeout = time;
        match (accept::accept_since(caller.clock, wakened, stream, &limits, decide), pass) {
            (Ok(accepted), Some(pass)) => self.serve_link(caller, accepted, pass, peer),
            (Ok(_), None) => {}
            (Err(AcceptError::Handshake(Error::Closed { end: End::LocalAbort, .. })), _) => {
                let hurry = caller.hurry().unwrap_or(Hurry::Stop);
                self.tell(&self.0.house.refuse_early(peer, Refusal::Handshake, hurry));
            }
            (Err(error), _) => self.tell(&self.0.house.refuse_handshake(peer, &error)),
        }
    }

    fn serve_link<S: Stream>(&self, caller: Caller<'_>, accepted: Accepted<S>, pass: Pass, peer: String) {
        match Link::new(caller, accepted, pass, peer.clone()) {
            Ok(link) => link.run(),
            Err(error) => self.tell(&self.0.house.refuse_handshake(peer, &AcceptError::System(error))),
        }
    }

    /// Changes who may connect, and what each may do, from now on. Connections whose token is no longer known, or now
    /// permits something else, end with a sentence. Their clients reconnect with the token that they have by then, and
    /// their transfers continue.
    pub fn set_access(&self, access: Access) {
        self.0.house.set_access(access);
    }

    /// Stops the bytes of a transfer until [`resume`](Self::resume), on its later links too. The id is that of a
    /// [`ServerEvent::Began`].
    pub fn pause(&self, id: TransferId) {
        self.0.house.order(id, Verb::Pause);
    }

    /// Ends a [`pause`](Self::pause). The transfer moves again unless the client has paused it too.
    pub fn resume(&self, id: TransferId) {
        self.0.house.order(id, Verb::Resume);
    }

    /// Ends a running transfer, and says what happens to the receiver's part. The client is told. A transfer whose
    /// client is not connected does not end: the client will offer it again.
    pub fn cancel(&self, id: TransferId, leftover: Leftover) {
        self.0.house.order(id, Verb::Cancel(leftover));
    }

    // ----- inside -----

    fn tell(&self, event: &ServerEvent) {
        self.0.events.tell(event);
    }

    fn tell_links(&self, letter: impl Fn() -> Letter) {
        for post in self.lock().posts.values() {
            // A client that has gone need not be told.
            post.send(letter());
        }
    }

    /// A new client can be told things from here on.
    fn join(&self, post: &Post<Letter>) -> u64 {
        let mut links = self.lock();
        links.next += 1;
        let number = links.next;
        links.posts.insert(number, post.clone());
        if links.is_stopping {
            post.send(Letter::Away);
        }
        number
    }

    fn leave(&self, number: u64) {
        self.lock().posts.remove(&number);
    }

    fn lock(&self) -> MutexGuard<'_, Links> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
