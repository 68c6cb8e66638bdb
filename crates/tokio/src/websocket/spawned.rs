//! A WebSocket driven by a task of its own, from its owner's side.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bowline_core::closing::CloseError;
use bowline_core::connection::{PingError, SendError, Stats};
use bowline_core::message::Piece;
use bowline_core::{Close, Disconnect, Message, Timeline};
use bowline_host::{Ended, Joiner, Unsent, aborted};
use futures_core::{FusedStream, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::Notify;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Permit, UnboundedReceiver};

use super::WebSocket;
use super::arrivals::{self, Arrived};
use super::ask::{self, Asker};
use super::demand::Demand;
use super::desk::Desk;
use super::flush::{Flushes, flush};
use super::sink::{Leaving, Seat};
use super::task::{Command, Task, Told};

/// How many messages, or pieces of them, may be queued in each direction: enough that a burst of small ones costs one
/// wake-up. Received ones have at most as many bytes as the connection's receive buffer, or one message.
pub(super) const QUEUE: usize = 32;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocket<S> {
    /// Lets a task of the current runtime drive this WebSocket, and returns two halves that reach it through queues.
    ///
    /// Pings and pongs then leave on time, whatever the owner of the halves is busy with. The other side's Close is
    /// answered when the owner has received all messages and asks for one more, behind what it has sent by then; see
    /// [above](Self#the-other-side-closes). What it has sent and the other side does not accept in that time is lost,
    /// which [`Sender::flush`] reports.
    ///
    /// When both the last [`Sender`] and the [`Receiver`] are dropped, the connection is closed with 1000, as by
    /// [`Sender::close`]. The task completes that, and if the peer accepts nothing, it ends with the stall timeout. If
    /// the owner does not receive, the queue may hold as many bytes as the connection
    /// ([`Config::receive_buffer`](bowline_core::connection::Config::receive_buffer)), and one message more.
    pub fn spawn(self) -> (Sender, Receiver) {
        let (commands, to_do) = mpsc::channel(QUEUE);
        let (news, arrivals) = arrivals::channel(self.driver.conn().receive_buffer());
        let demand = Arc::new(Demand::default());
        let (asker, answerer) = ask::channel();
        let abort = Arc::new(Notify::new());
        let (flushes, has_left) = Flushes::new();
        let desk = Arc::new(Desk::new(self.driver.conn().unfinished()));
        let told = Told { demand: Arc::clone(&demand), abort: Arc::clone(&abort), desk: Arc::clone(&desk) };
        let task = Task::new(self.driver, to_do, news, told, answerer, flushes);
        tokio::spawn(task.run());
        let sender = Sender {
            commands,
            asker: asker.clone(),
            abort,
            has_left,
            desk,
            seat: Seat::default(),
            leaving: Leaving::default(),
        };
        let (joiner, ended) = (self.joiner, self.ended);
        (sender, Receiver { arrivals, asker, demand, taken: 0, joiner, ended })
    }
}

/// The half that sends. Clones send over the same connection.
///
/// As a `Sink`, it works with `futures::StreamExt::forward`; with the [`Receiver`] of another WebSocket, that makes a
/// relay.
pub struct Sender {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) asker: Asker,
    abort: Arc<Notify>,
    /// Whether nothing was lost, once the task has ended.
    pub(super) has_left: Arc<AtomicBool>,
    pub(super) desk: Arc<Desk>,
    /// Its place as a sink.
    pub(super) seat: Seat,
    pub(super) leaving: Leaving,
}

/// The half that receives.
///
/// As a `Stream` it yields messages, and ends as [`WebSocket`] does.
pub struct Receiver {
    arrivals: UnboundedReceiver<Arrived>,
    asker: Asker,
    demand: Arc<Demand>,
    /// How many pieces the owner has taken.
    taken: u64,
    joiner: Joiner,
    ended: Ended,
}

impl Sender {
    /// Waits until there is room in the queue, and passes a message to the connection. Only an answer from the peer's
    /// application says whether it arrived.
    ///
    /// Cancel-safe: when the future is dropped early, nothing of the message has been sent; but the message is gone.
    ///
    /// # Errors
    /// If the connection is over, or a message in pieces has not ended; the message is returned.
    pub async fn send(&self, message: Message) -> Result<(), SendError<Message>> {
        let (place, message) = self.place(message).await?;
        self.desk.accept(message, |command| place.send(command))
    }

    /// Passes a message to the connection if there is room in the queue at once.
    ///
    /// # Errors
    /// If there is no room, the connection is over, or a message in pieces has not ended; the message is returned.
    pub fn try_send(&self, message: Message) -> Result<(), SendError<Message>> {
        let (place, message) = self.place_at_once(message)?;
        self.desk.accept(message, |command| place.send(command))
    }

    /// Waits until there is room in the queue, and passes the next piece of a message to the connection, as
    /// [`WebSocket::send_piece`] does. The pieces of one message may come from several clones; no other message comes
    /// between them.
    ///
    /// Cancel-safe: when the future is dropped early, nothing of the piece has been sent; but the piece is gone.
    ///
    /// # Errors
    /// If the connection is over, or the message was begun with pieces of the other kind; the piece is returned.
    pub async fn send_piece(&self, piece: Piece) -> Result<(), SendError<Piece>> {
        let (place, piece) = self.place(piece).await?;
        self.desk.accept_piece(piece, |command| place.send(command))
    }

    /// Passes the next piece of a message to the connection if there is room in the queue at once.
    ///
    /// # Errors
    /// If there is no room, the connection is over, or the message was begun with pieces of the other kind; the piece
    /// is returned.
    pub fn try_send_piece(&self, piece: Piece) -> Result<(), SendError<Piece>> {
        let (place, piece) = self.place_at_once(piece)?;
        self.desk.accept_piece(piece, |command| place.send(command))
    }

    /// Waits until the last byte of what was sent before, by any clone, is on its way. What clones send meanwhile
    /// leaves afterwards.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// Some of what was sent is lost: the connection has ended, or is ending without it.
    pub async fn flush(&self) -> Result<(), Unsent> {
        flush(self.commands.clone(), self.asker.clone(), Arc::clone(&self.has_left)).await
    }

    /// Starts the closing handshake, behind the messages sent so far, whether or not there is room; after that, nothing
    /// more can be sent. What the peer sends until it also closes is still received. If the peer accepts nothing for
    /// the [stall timeout](bowline_core::closing::Config::stall_timeout), waiting ends: what has not left is then lost,
    /// and the end says so.
    ///
    /// Cancel-safe: when the future is dropped early, the connection may close or not.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is closing already, or over: the first Close stands.
    pub async fn close(&self, close: Close) -> Result<(), CloseError> {
        // A Close that was received may not be sendable.
        let close = Close::new(close.code(), close.reason())?;
        self.asker.close(close).await
    }

    /// Drops the connection at once and without a word, for all clones. What has not left is lost. The receiver learns
    /// of the end after everything that arrived before.
    pub fn abort(&self) {
        self.abort.notify_one();
    }

    /// Whether nothing more can be sent: the connection is closing, or over.
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// Pings the peer with this payload, and waits for its answer: returns the round-trip time. Choose distinct
    /// payloads.
    ///
    /// Unreceived messages do not delay the answer, unless they fill the queue and the
    /// [`receive_buffer`](bowline_core::connection::Config::receive_buffer): then nothing more is read. If the peer
    /// does not answer, this waits as long as the connection lives: put a timeout around it. Cancel-safe: if the future
    /// is dropped, the ping may still be sent, and its answer is ignored.
    ///
    /// # Errors
    /// If the payload is longer than 125 bytes, 8 pings are already queued, or the connection is closing or over;
    /// [`PingError::Unanswered`] if a peer that does not answer every ping has answered a later one, or got 8 more.
    pub async fn ping(&self, payload: &[u8]) -> Result<Duration, PingError> {
        self.asker.ping(payload).await
    }

    /// The smoothed round-trip time, measured by the heartbeat; `None` before the first Pong, and when the connection
    /// is over. Cancel-safe.
    pub async fn rtt(&self) -> Option<Duration> {
        self.asker.rtt().await
    }

    /// What the connection has counted so far; `None` when it is over. Cancel-safe.
    pub async fn stats(&self) -> Option<Stats> {
        self.asker.stats().await
    }

    /// What has happened so far, for people to read; `None` when the connection is over, since [`Disconnect::explain`]
    /// has it then. Cancel-safe.
    pub async fn timeline(&self) -> Option<Timeline> {
        self.asker.timeline().await
    }

    /// Waits for a place in the queue.
    async fn place<T>(&self, message: T) -> Result<(Permit<'_, Command>, T), SendError<T>> {
        let place = self.commands.reserve().await;
        self.leaving.outdate();
        match place {
            Ok(place) => Ok((place, message)),
            Err(_) => Err(SendError::Closing(message)),
        }
    }

    fn place_at_once<T>(&self, message: T) -> Result<(Permit<'_, Command>, T), SendError<T>> {
        self.leaving.outdate();
        match self.commands.try_reserve() {
            Ok(place) => Ok((place, message)),
            Err(TrySendError::Full(())) => Err(SendError::Full { message, held: QUEUE, limit: QUEUE }),
            Err(TrySendError::Closed(())) => Err(SendError::Closing(message)),
        }
    }
}

impl Receiver {
    /// The next message, or how the connection ended, which is repeated on each further call.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The end, clean or not.
    pub async fn receive(&mut self) -> Result<Message, Disconnect> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// The next piece of a message, as from [`WebSocket::receive_piece`], or how the connection ended.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The end, clean or not.
    pub async fn receive_piece(&mut self) -> Result<Piece, Disconnect> {
        poll_fn(|cx| self.poll_piece(cx)).await
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

    /// How the connection ended, once that was received.
    pub fn disconnect(&self) -> Option<&Disconnect> {
        self.ended.disconnect()
    }

    /// The smoothed round-trip time, measured by the heartbeat; `None` before the first Pong, and when the connection
    /// is over. Cancel-safe.
    pub async fn rtt(&self) -> Option<Duration> {
        self.asker.rtt().await
    }

    /// What the connection has counted so far; `None` when it is over. Cancel-safe.
    pub async fn stats(&self) -> Option<Stats> {
        self.asker.stats().await
    }

    /// What has happened so far, for people to read; `None` when the connection is over, since [`Disconnect::explain`]
    /// has it then. Cancel-safe.
    pub async fn timeline(&self) -> Option<Timeline> {
        self.asker.timeline().await
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Disconnect>> {
        loop {
            let piece = ready!(self.poll_piece(cx))?;
            if let Some(message) = self.joiner.push(piece) {
                return Poll::Ready(Ok(message));
            }
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Disconnect>> {
        if let Some(disconnect) = self.ended.disconnect() {
            return Poll::Ready(Err(disconnect.clone()));
        }
        self.demand.ask(self.taken);
        let Poll::Ready(arrived) = self.arrivals.poll_recv(cx) else {
            self.demand.tell();
            return Poll::Pending;
        };
        match arrived {
            Some((Ok(piece), _)) => {
                self.taken += 1;
                Poll::Ready(Ok(piece))
            }
            Some((Err(disconnect), _)) => Poll::Ready(Err(self.ended.set(disconnect))),
            // The task was ended, for example with its runtime.
            None => Poll::Ready(Err(self.ended.set(aborted()))),
        }
    }
}

impl Stream for Receiver {
    type Item = Result<Message, Disconnect>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let received = ready!(self.poll_receive(cx));
        Poll::Ready(self.ended.item(received))
    }
}

impl FusedStream for Receiver {
    fn is_terminated(&self) -> bool {
        self.ended.is_told()
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        let (commands, asker) = (self.commands.clone(), self.asker.clone());
        let (abort, has_left) = (Arc::clone(&self.abort), Arc::clone(&self.has_left));
        let desk = Arc::clone(&self.desk);
        Self { commands, asker, abort, has_left, desk, seat: Seat::default(), leaving: Leaving::default() }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").field("ended", &self.ended).finish_non_exhaustive()
    }
}
