//! A thread for each client that connects.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bowline_host::accept::{Failures, PAUSE, is_passing};

use crate::count::{Count, Counted};
use crate::door::Door;
use crate::places::{Place, Places};
use crate::wait::{Interest, Wakened, Waker, wait, waker};

/// How many clients are served at once by default.
const MOST: usize = 1024;

/// Accepts connections, and serves each with a thread of its own: on a TCP port, on a Unix socket, or on any other
/// [`Door`].
///
/// ```
/// use bowline_blocking::{Listener, WebSocket};
/// use bowline_core::{Close, Message};
/// use std::thread;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = Listener::bind("127.0.0.1:0")?;
/// let (address, stopper) = (listener.local_addr()?, listener.stopper());
/// let server = thread::spawn(move || {
///     listener.serve(|stream, _peer| {
///         let Ok(mut socket) = WebSocket::accept(stream) else { return };
///         while let Ok(message) = socket.receive() {
///             // If it cannot be sent, the next call says why.
///             let _ = socket.send(message);
///         }
///     })
/// });
///
/// let mut socket = WebSocket::connect(&format!("ws://{address}/"))?;
/// socket.send(Message::text("hello"))?;
/// assert_eq!(socket.receive()?, Message::text("hello"));
/// socket.close(Close::normal())?;
/// socket.ended();
/// stopper.stop();
/// let left = server.join().unwrap()?;
/// assert!(left.wait(Duration::from_secs(10)), "all clients are gone");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listener<D = TcpListener> {
    door: D,
    wakened: Wakened,
    stopper: Stopper,
    most: usize,
}

/// Stops a [`Listener`]. Clones stop the same one.
#[derive(Clone, Debug)]
pub struct Stopper {
    is_stopped: Arc<AtomicBool>,
    waker: Waker,
}

/// The clients that were being served when a listener stopped.
#[derive(Clone, Debug, Default)]
pub struct Left(Count);

impl Listener<TcpListener> {
    /// Listens at an address; port 0 picks a free one.
    ///
    /// # Errors
    /// The system's error.
    pub fn bind(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::new(TcpListener::bind(address)?)
    }

    /// The address on which it listens.
    ///
    /// # Errors
    /// The system's error.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.door.local_addr()
    }
}

impl<D: Door> Listener<D> {
    /// Listens on an open door.
    ///
    /// # Errors
    /// The system's error.
    pub fn new(door: D) -> io::Result<Self> {
        door.set_nonblocking()?;
        let (waker, wakened) = waker()?;
        Ok(Self { door, wakened, stopper: Stopper { is_stopped: Arc::default(), waker }, most: MOST })
    }

    /// Sets how many clients are served at once; others wait in the system's queue. Default: 1024. A
    /// [`Server`](crate::Server) has a limit of its own.
    #[must_use]
    pub fn with_most(self, most: usize) -> Self {
        Self { most: most.max(1), ..self }
    }

    /// A handle that can stop it.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// Calls `serve` in a thread of its own for each client, until it is [stopped](Stopper::stop). Clients that are
    /// then being served continue; the returned value can wait for them.
    ///
    /// # Errors
    /// If the listener cannot be used at all. The failure of a single connection is not an error.
    pub fn serve(self, serve: impl Fn(D::Stream, D::Address) + Send + Sync + 'static) -> io::Result<Left> {
        let left = Left::default();
        let places = Places::new(self.most);
        self.accept_all(&left, &places, || None, serve)?;
        Ok(left)
    }

    /// The same with places that may be shared with others; the clients are counted even if it ends with an error.
    /// `make_room` is called for a client that waits while all places are taken, and returns after what time to call it
    /// again.
    pub(crate) fn accept_all(
        self,
        left: &Left,
        places: &Places,
        make_room: impl Fn() -> Option<Duration>,
        serve: impl Fn(D::Stream, D::Address) + Send + Sync + 'static,
    ) -> io::Result<()> {
        let serve = Arc::new(serve);
        // A client that has connected and has no place yet.
        let mut next = None;
        let mut failures = Failures::default();
        while !self.stopper.is_stopped() {
            if let Some(client) = next.take() {
                if let Some(place) = places.take(&self.stopper.waker) {
                    Self::seat(client, left, place, &serve);
                } else {
                    next = Some(client);
                    self.wakened.wait(make_room())?;
                }
            } else {
                match self.door.accept() {
                    Ok(client) => {
                        failures.clear();
                        next = Some(client);
                    }
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        let interest = Interest { read: true, write: false };
                        wait(Some(self.door.socket()), interest, Some(&self.wakened), None)?;
                    }
                    Err(error) if is_passing(&error) => thread::sleep(failures.pause(&error)),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Gives a client a place and a thread.
    fn seat<F>((stream, peer): (D::Stream, D::Address), left: &Left, place: Place, serve: &Arc<F>)
    where
        F: Fn(D::Stream, D::Address) + Send + Sync + 'static,
    {
        let place = (left.0.enter(), place);
        let serve = Arc::clone(serve);
        let client = thread::Builder::new().name(format!("bowline {peer:?}")).spawn(move || {
            let _place = place;
            // Nothing of the service is held after the client is no longer counted.
            let serve = serve;
            serve(stream, peer);
        });
        if client.is_err() {
            thread::sleep(PAUSE);
        }
    }
}

impl Stopper {
    /// The listener accepts no more clients, and [`Listener::serve`] returns.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
        self.waker.wake();
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }
}

impl Left {
    /// Counts one more client to be waited for.
    pub(crate) fn enter(&self) -> Counted {
        self.0.enter()
    }

    /// How many are left.
    pub fn count(&self) -> usize {
        self.0.get()
    }

    /// Waits until all have left, but no longer than this; returns whether they have.
    pub fn wait(&self, time: Duration) -> bool {
        self.0.wait_for(time)
    }
}
