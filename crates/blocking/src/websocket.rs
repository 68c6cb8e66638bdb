//! Messages in, messages out: a WebSocket for applications that need nothing else.

mod ask;
mod held;
mod look;
mod mailbox;
mod sending;
mod spawned;
mod thread;

use std::fmt;
use std::io;
use std::time::Duration;

use bowline_core::closing::CloseError;
use bowline_core::connection::{Config, Event};
use bowline_core::message::Piece;
use bowline_core::{Close, Disconnect, Instant, Message};
use bowline_host::{AcceptError, DialError, Ended, Joiner, aborted};

use crate::accept::{self, Accepted, Decision};
use crate::clock::Clock;
use crate::dial::{self, Dialed};
use crate::driver::{Driven, Driver};
use crate::maybe_tls::MaybeTlsStream;
use crate::stream::Stream;
use held::Held;

pub use spawned::{Receiver, Sender};

/// A WebSocket that works while its owner calls, over any stream.
///
/// ```
/// use bowline_blocking::{WebSocket, tcp};
/// use bowline_core::{Close, Message};
/// use std::net::TcpListener;
/// use std::thread;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let url = format!("ws://{}/", listener.local_addr()?);
/// let server = thread::spawn(move || {
///     let (stream, _) = listener.accept().unwrap();
///     tcp::tune(&stream);
///     let mut socket = WebSocket::accept(stream).unwrap().with_valve(tcp::set_unsent);
///     let message = socket.receive().unwrap();
///     socket.send(message).unwrap();
///     socket.ended()
/// });
///
/// let mut socket = WebSocket::connect(&url)?;
/// socket.send(Message::text("hello"))?;
/// assert_eq!(socket.receive()?, Message::text("hello"));
/// socket.close(Close::normal())?;
/// assert_eq!(socket.ended().to_string(), "sent 1000 (OK); then received 1000 (OK)");
/// # server.join().unwrap();
/// # Ok(())
/// # }
/// ```
///
/// # Heartbeats
/// Pings, pongs and deadlines are handled in both directions while a call waits, and by sends that do not wait. No call
/// waits longer than the connection's next deadline without checking it. An owner that does something else for longer
/// than half the heartbeat interval should let a thread drive the WebSocket: [`spawn`](Self::spawn).
///
/// # How long calls wait
/// No call waits for ever for a peer that is gone, but some do for one that is alive:
///
/// | call | waits for | at most |
/// |---|---|---|
/// | [`connect`](Self::connect), [`accept`](Self::accept) | the opening handshake | [`dial::Config::connect_timeout`], [`accept::Config::timeout`] |
/// | [`receive`](Self::receive), [`receive_piece`](Self::receive_piece), [`event`](Self::event) | whatever comes next | as long as the peer answers pings; [`receive_timeout`](Self::receive_timeout) no longer than it is told |
/// | [`ended`](Self::ended) | the end | as long as the peer answers pings or sends; after a [`close`](Self::close) as [`closing::Config`](bowline_core::closing::Config) says |
/// | [`send`](Self::send), [`send_piece`](Self::send_piece), [`flush`](Self::flush) | the peer, to accept what was sent | as long as the peer is alive, or until it has accepted nothing for [`Config::write_timeout`], which is not set by default |
///
/// A peer counts as gone when the [heartbeat](bowline_core::heartbeat::Config) declares it dead: by default 40 s after
/// its last byte. Without a heartbeat, only the system notices, usually after a quarter of an hour, and never if
/// nothing is under way. The other calls do not wait.
///
/// # The socket below
/// The WebSocket controls it: whether calls block changes from call to call, also for duplicates of the socket
/// (`try_clone`). You can use a duplicate to shut the socket down, but not to read or write.
///
/// # Both sides send
/// While [`send`](Self::send) waits for the peer to accept what was sent, it reads what the peer sends, and holds it
/// for the next [`receive`](Self::receive). So two ends that send before they receive do not wait for each other. The
/// amount held is [limited](Self::set_ahead).
///
/// # The other side closes
/// Its Close is answered when the owner asks for more after the last message, and what was sent before that leaves
/// first. So a loop that receives and replies has replied to everything, whatever followed.
///
/// # Messages larger than memory
/// With [`Config::delivery`], messages arrive in pieces, in parts of a frame if necessary: see
/// [`receive_piece`](Self::receive_piece) and [`send_piece`](Self::send_piece).
pub struct WebSocket<S> {
    driver: Driver<S>,
    held: Held,
    joiner: Joiner,
    ended: Ended,
}

/// How long a call waits.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Patience {
    Endless,
    Until(Instant),
    /// What has arrived is still taken, but nothing more is driven: a peer that never stops would be waited for for
    /// ever.
    Over,
}

impl WebSocket<MaybeTlsStream> {
    /// Dials a `ws://` URL, or with feature `tls` a `wss://` one, with the default settings.
    ///
    /// # Errors
    /// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
    pub fn connect(url: &str) -> Result<Self, DialError> {
        let dialed = dial::connect(url, &dial::Config::default())?;
        let driver = Driver::dialed(dialed, Config::default(), Clock::start());
        driver.map(Self::new).map_err(DialError::System)
    }
}

impl<S: Stream> WebSocket<S> {
    /// Accepts whatever WebSocket the client requests, even from pages of any site, with the default settings; see
    /// [`accept`](crate::accept) for more.
    ///
    /// The stream may be of any kind, so it is used as it is. If it is a TCP socket, [tune](crate::tcp::tune) it first,
    /// as a [`Listener`](crate::Listener) does, or pings will wait behind what the system has queued; and let it hold
    /// more on a fast path with a [valve](Self::with_valve).
    ///
    /// # Errors
    /// Says why there is no WebSocket. The client has been told.
    pub fn accept(stream: S) -> Result<Self, AcceptError> {
        let accepted = accept::accept(stream, &accept::Config::default(), |_, _| Decision::accept())?;
        Self::server(accepted, Config::default()).map_err(AcceptError::System)
    }

    /// The end that dialled.
    ///
    /// # Errors
    /// If the system provides no random bytes, or the stream cannot be made non-blocking.
    pub fn client(dialed: Dialed<S>, config: Config) -> io::Result<Self> {
        let Dialed { stream, leftover, .. } = dialed;
        Driver::client(stream, &leftover, config, Clock::start()).map(Self::new)
    }

    /// The end that accepted.
    ///
    /// # Errors
    /// If the system provides no random bytes, or the stream cannot be made non-blocking.
    pub fn server(accepted: Accepted<S>, config: Config) -> io::Result<Self> {
        let Accepted { stream, leftover, .. } = accepted;
        Driver::server(stream, &leftover, config, Clock::start()).map(Self::new)
    }

    /// A WebSocket on a connection that is ready for frames.
    pub fn new(driver: Driver<S>) -> Self {
        Self { driver, held: Held::default(), joiner: Joiner::default(), ended: Ended::default() }
    }

    /// Calls `set` with how many unsent bytes the system may hold for this stream, whenever that changes; see
    /// [`Valve`](bowline_host::Valve). For a [tuned](crate::tcp::tune) socket, `set` is
    /// [`set_unsent`](crate::tcp::set_unsent), which tells the system. [`connect`](WebSocket::connect) has done both.
    #[must_use]
    pub fn with_valve(self, set: fn(&S, u32)) -> Self {
        Self { driver: self.driver.with_valve(set), ..self }
    }

    // ----- receiving -----

    /// The next message, or how the connection ended, which is repeated on each further call. If messages arrive in
    /// pieces, the message is joined from the pieces that were not received yet.
    ///
    /// # Errors
    /// The end, clean or not.
    pub fn receive(&mut self) -> Result<Message, Disconnect> {
        loop {
            let piece = self.receive_piece()?;
            if let Some(message) = self.joiner.push(piece) {
                return Ok(message);
            }
        }
    }

    /// The next message if one comes within this time.
    ///
    /// # Errors
    /// The end, clean or not.
    pub fn receive_timeout(&mut self, time: Duration) -> Result<Option<Message>, Disconnect> {
        let mut patience = Patience::Until(self.driver.now() + time);
        while let Some(piece) = self.piece(&mut patience)? {
            if let Some(message) = self.joiner.push(piece) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The next piece of a message, or how the connection ended, which is repeated on each further call.
    ///
    /// With [`Config::delivery`] set to [`Pieces`](bowline_core::message::Delivery::Pieces), a piece is what has
    /// arrived, and no more memory is used than the settings say, however long the message is. Otherwise each message
    /// is its own first and last piece.
    ///
    /// # Errors
    /// The end, clean or not.
    pub fn receive_piece(&mut self) -> Result<Piece, Disconnect> {
        loop {
            if let Some(piece) = self.piece(&mut Patience::Endless)? {
                return Ok(piece);
            }
        }
    }

    /// The next thing that happens: a message, news of the connection, or the end, which is repeated on each further
    /// call. For owners that want to know more than messages.
    pub fn event(&mut self) -> Event {
        loop {
            if let Some(event) = self.next_event(&mut Patience::Endless) {
                return event;
            }
        }
    }

    /// Waits for the end, and drops the messages that come before it: as long as the peer sends, unless it was told to
    /// [close](Self::close).
    pub fn ended(&mut self) -> Disconnect {
        loop {
            if let Err(disconnect) = self.receive_piece() {
                return disconnect;
            }
        }
    }

    // ----- closing -----

    /// Starts the closing handshake, behind the messages sent so far. Then keep [receiving](Self::receive), or wait for
    /// the [end](Self::ended): what the peer sends until it also closes is still received.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is closing already.
    pub fn close(&mut self, close: Close) -> Result<(), CloseError> {
        let now = self.driver.now();
        self.driver.conn_mut().close(now, close)
    }

    /// The driver inside, for owners that will use the connection itself. Held messages are lost.
    pub fn into_driver(self) -> Driver<S> {
        self.driver
    }

    // ----- inside -----

    /// The next piece; `None` when the time is over.
    fn piece(&mut self, patience: &mut Patience) -> Result<Option<Piece>, Disconnect> {
        loop {
            match self.next_event(patience) {
                Some(Event::Message(message)) => return Ok(Some(message.into())),
                Some(Event::Piece(piece)) => return Ok(Some(piece)),
                Some(Event::Closed(disconnect)) => return Err(disconnect),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    /// The next event of any kind; after the last one, that one again and again. `None` when the time is over.
    pub(crate) fn next_event(&mut self, patience: &mut Patience) -> Option<Event> {
        loop {
            if let Some(event) = self.held.pop() {
                return Some(event);
            }
            if let Some(disconnect) = self.ended.disconnect() {
                return Some(Event::Closed(disconnect.clone()));
            }
            match self.driver.conn_mut().poll_event() {
                Some(Event::Closed(disconnect)) => return Some(Event::Closed(self.ended.set(disconnect))),
                Some(event) => return Some(event),
                // The end was taken before this was created.
                None if self.driver.is_over() => return Some(Event::Closed(self.ended.set(aborted()))),
                None => {}
            }
            let until = match *patience {
                Patience::Endless => None,
                Patience::Until(until) => Some(until),
                Patience::Over => return None,
            };
            let driven = self.driver.drive(until);
            if driven == Driven::TimedOut || until.is_some_and(|until| until <= self.driver.now()) {
                *patience = Patience::Over;
            }
        }
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("driver", &self.driver).finish_non_exhaustive()
    }
}
