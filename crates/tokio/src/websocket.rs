//! Messages in, messages out: a WebSocket for applications that need nothing else.

mod arrivals;
mod ask;
mod demand;
mod desk;
mod flush;
mod halves;
mod look;
mod pieces;
mod sink;
mod spawned;
mod task;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bowline_core::closing::CloseError;
use bowline_core::connection::{Config, Event, SendError};
use bowline_core::{Close, Disconnect, Instant, Message};
use bowline_host::{AcceptError, DialError, Ended, Joiner, Unsent, aborted};
use futures_core::{FusedStream, Stream};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::accept::{self, Accepted, Decision};
use crate::clock::Clock;
use crate::dial::{self, Dialed};
use crate::driver::Driver;
use crate::maybe_tls::MaybeTlsStream;
use halves::{Half, Halves};

pub use sink::SinkError;
pub use spawned::{Receiver, Sender};

/// A WebSocket that its owner polls, over any stream.
///
/// ```
/// use bowline_core::Message;
/// use bowline_tokio::{WebSocket, tcp};
/// use tokio::net::TcpListener;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let url = format!("ws://{}/", listener.local_addr()?);
/// let server = tokio::spawn(async move {
///     let (stream, _) = listener.accept().await.unwrap();
///     tcp::tune(&stream);
///     let mut socket = WebSocket::accept(stream).await.unwrap().with_valve(tcp::set_unsent);
///     let message = socket.receive().await.unwrap();
///     socket.send(message).await.unwrap();
///     socket.ended().await
/// });
///
/// let mut socket = WebSocket::connect(&url).await?;
/// socket.send(Message::text("hello")).await?;
/// assert_eq!(socket.receive().await?, Message::text("hello"));
/// socket.close(bowline_core::Close::normal())?;
/// assert_eq!(socket.ended().await.to_string(), "sent 1000 (OK); then received 1000 (OK)");
/// # server.await?;
/// # Ok(())
/// # }
/// ```
///
/// # Heartbeats
/// Pings, pongs and deadlines are handled while the owner receives, sends, or flushes. An owner that does something
/// else for longer than half the heartbeat interval should let a task drive the WebSocket: [`spawn`](Self::spawn).
///
/// # The other side closes
/// Its Close is answered when [`receive`](Self::receive) is called after the last message, and what was sent before
/// that call leaves first. So a loop that receives and replies has replied to everything, whatever followed. If the
/// owner does not call it, the answer is given after half of
/// [`close_timeout`](bowline_core::closing::Config::close_timeout).
///
/// # Messages larger than memory
/// With [`Config::delivery`], messages arrive in pieces, in parts of a frame if necessary: see
/// [`receive_piece`](Self::receive_piece) and [`send_piece`](Self::send_piece).
///
/// # Two halves
/// `futures::StreamExt::split` makes a receiving and a sending half that work in two tasks, with a lock between them
/// that is held only while one of them polls. The halves of [`spawn`](Self::spawn) share only queues.
///
/// # As a `Stream`
/// Yields messages, and ends after the last one. Unless the end was clean (both sides closed with 1000, or without a
/// code), the last item is the [`Disconnect`] as an error. [`disconnect`](Self::disconnect) knows how it ended in
/// either case.
pub struct WebSocket<S> {
    driver: Driver<S>,
    halves: Halves,
    joiner: Joiner,
    ended: Ended,
}

impl WebSocket<MaybeTlsStream> {
    /// Dials a `ws://` URL, or with feature `tls` a `wss://` one, with the default settings.
    ///
    /// Cancel-safe: dropping the future drops the connection and leaves nothing behind.
    ///
    /// # Errors
    /// Says in one sentence what is wrong, and in [`DialError::retry`] whether to try again.
    pub async fn connect(url: &str) -> Result<Self, DialError> {
        let dialed = dial::connect(url, &dial::Config::default()).await?;
        let driver = Driver::dialed(dialed, Config::default(), Clock::start());
        driver.map(Self::new).map_err(DialError::System)
    }
}

impl<S> WebSocket<S> {
    /// A WebSocket on a connection that is ready for frames.
    pub fn new(driver: Driver<S>) -> Self {
        Self { driver, halves: Halves::new(), joiner: Joiner::default(), ended: Ended::default() }
    }

    /// The end that dialled.
    ///
    /// # Errors
    /// If the system provides no random bytes.
    pub fn client(dialed: Dialed<S>, config: Config) -> io::Result<Self> {
        let Dialed { stream, leftover, .. } = dialed;
        Driver::client(stream, &leftover, config, Clock::start()).map(Self::new)
    }

    /// The end that accepted.
    ///
    /// # Errors
    /// If the system provides no random bytes.
    pub fn server(accepted: Accepted<S>, config: Config) -> io::Result<Self> {
        let Accepted { stream, leftover, .. } = accepted;
        Driver::server(stream, &leftover, config, Clock::start()).map(Self::new)
    }

    /// Calls `set` with how many unsent bytes the system may hold for this stream, whenever that changes; see
    /// [`Valve`](bowline_host::Valve). For a [tuned](crate::tcp::tune) socket, `set` is
    /// [`set_unsent`](crate::tcp::set_unsent), which tells the system. [`connect`](WebSocket::connect) has done both.
    #[must_use]
    pub fn with_valve(self, set: fn(&S, u32)) -> Self {
        Self { driver: self.driver.with_valve(set), ..self }
    }

    /// Starts the closing handshake, behind the messages sent so far. Then keep [receiving](Self::receive), or wait for
    /// the [end](Self::ended): what the peer sends until it also closes is still received.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is closing already.
    pub fn close(&mut self, close: Close) -> Result<(), CloseError> {
        let now = self.driver.now();
        self.driver.conn_mut().close(now, close)
    }

    /// Queues a message if there is room for it at once. It leaves when the WebSocket is next polled.
    ///
    /// # Errors
    /// If there is no room, the connection is closing, or a message in pieces has not ended; the message is returned.
    pub fn try_send(&mut self, message: Message) -> Result<(), SendError<Message>> {
        let now = self.driver.time_to_send();
        self.driver.conn_mut().send(now, message)
    }

    /// The driver inside, for owners that will use the connection itself.
    pub fn into_driver(self) -> Driver<S> {
        self.driver
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Accepts whatever WebSocket the client requests, even from pages of any site, with the default settings; see
    /// [`accept`](crate::accept) for more.
    ///
    /// The stream may be of any kind, so it is used as it is. If it is a TCP socket, [tune](crate::tcp::tune) it first,
    /// or pings will wait behind what the system has queued; and let it hold more on a fast path with a
    /// [valve](Self::with_valve).
    ///
    /// Cancel-safe in that dropping the future drops the stream; half a handshake is useless.
    ///
    /// # Errors
    /// Says why there is no WebSocket. The client has been told.
    pub async fn accept(stream: S) -> Result<Self, AcceptError> {
        let accepted = accept::accept(stream, &accept::Config::default(), |_, _| Decision::accept()).await?;
        Self::server(accepted, Config::default()).map_err(AcceptError::System)
    }

    /// The next message, or how the connection ended, which is repeated on each further call. If messages arrive in
    /// pieces, the message is joined from the pieces that were not received yet.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The end, clean or not.
    pub async fn receive(&mut self) -> Result<Message, Disconnect> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// The next thing that happens: a message, news of the connection, or the end, which is repeated on each further
    /// call. For owners that want to know more than messages.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    pub async fn event(&mut self) -> Event {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// Waits until there is room, and sends a message. What the stream accepts at once has left when this returns; the
    /// rest follows whenever the WebSocket is polled.
    ///
    /// While it waits, it receives, up to a limit. If the peer does not read until we read, while we wait here, nothing
    /// moves: receive and send at the same time, with two halves.
    ///
    /// Cancel-safe: when the future is dropped early, nothing of the message has been sent; but the message is gone.
    ///
    /// # Errors
    /// If the connection is closing or closed, or a message in pieces has not ended; the message is returned.
    pub async fn send(&mut self, message: Message) -> Result<(), SendError<Message>> {
        poll_fn(|cx| self.poll_room(cx)).await;
        let now = self.driver.now();
        self.driver.conn_mut().send(now, message)?;
        self.offer(now);
        Ok(())
    }

    /// Waits until the last byte of what was sent is on its way.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// Some of it is lost: the connection has ended, or is ending without it.
    pub async fn flush(&mut self) -> Result<(), Unsent> {
        poll_fn(|cx| self.poll_sent(cx)).await
    }

    /// Waits for the end, and drops the messages that come before it.
    ///
    /// Cancel-safe: call it again, or receive.
    pub async fn ended(&mut self) -> Disconnect {
        loop {
            if let Err(disconnect) = self.receive_piece().await {
                return disconnect;
            }
        }
    }

    /// The next event of any kind; after the last one, that one again and again.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(disconnect) = self.ended.disconnect() {
                return Poll::Ready(Event::Closed(disconnect.clone()));
            }
            match self.driver.conn_mut().poll_event() {
                Some(Event::Closed(disconnect)) => {
                    return Poll::Ready(Event::Closed(self.ended.set(disconnect)));
                }
                Some(event) => return Poll::Ready(event),
                // The end was taken before this was created.
                None if self.driver.is_over() => {
                    return Poll::Ready(Event::Closed(self.ended.set(aborted())));
                }
                None => ready!(self.drive_half(Half::Receive, cx)),
            }
        }
    }

    /// Waits until there is room, or there will be none.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match self.driver.conn() {
                conn if !conn.is_open() || conn.room() > 0 => return Poll::Ready(()),
                _ => ready!(self.drive_half(Half::Send, cx)),
            }
        }
    }

    /// Writes what the stream accepts at once. Nobody waits for the rest here, so nobody needs to be woken for it.
    fn offer(&mut self, now: Instant) {
        self.driver.poll_offer(&mut Context::from_waker(self.halves.waker()), now);
        self.wake_at_end();
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Unsent>> {
        let mut driven = Poll::Ready(());
        while self.driver.has_output() {
            ready!(driven);
            // More than a flush: a ping that arrives meanwhile is read, and answered before more is written.
            driven = self.drive_half(Half::Send, cx);
        }
        Poll::Ready(if self.driver.has_lost_output() { Err(Unsent::Lost) } else { Ok(()) })
    }

    /// Lets the driver work for one half while it still wakes the other.
    fn drive_half(&mut self, half: Half, cx: &mut Context<'_>) -> Poll<()> {
        let waker = self.halves.wake_later(half, cx.waker());
        let driven = self.driver.poll_drive(&mut Context::from_waker(waker));
        self.wake_at_end();
        driven
    }

    /// A dropped stream wakes nobody, but the other half may be waiting for it.
    fn wake_at_end(&self) {
        if self.driver.is_over() {
            self.halves.waker().wake_by_ref();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for WebSocket<S> {
    type Item = Result<Message, Disconnect>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let received = ready!(self.poll_receive(cx));
        Poll::Ready(self.ended.item(received))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> FusedStream for WebSocket<S> {
    fn is_terminated(&self) -> bool {
        self.ended.is_told()
    }
}

impl<S> fmt::Debug for WebSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("driver", &self.driver).finish_non_exhaustive()
    }
}
