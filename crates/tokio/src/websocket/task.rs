//! A WebSocket driven by a task of its own.
//!
//! ```text
//!   Sender ──── commands ───▶ ┌──────┐
//!   Sender ───────┘           │ task │ ◀──▶ Driver ◀──▶ stream
//!   Receiver ◀─── arrivals ── └──────┘
//! ```

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bowline_core::closing::CloseError;
use bowline_core::connection::{Event, SendError};
use bowline_core::{Close, Disconnect, Message};
use futures_core::{FusedStream, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

use super::WebSocket;
use super::ended::{Ended, aborted};
use crate::driver::Driver;

/// How many messages may wait in each direction, beyond the bytes that the connection holds by its settings: enough
/// that a burst of small ones costs one wake-up, and not so many that large ones fill the memory.
const QUEUE: usize = 32;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> WebSocket<S> {
    /// Lets a task of the current runtime drive this WebSocket, and returns two halves that reach it by queues.
    ///
    /// Pings and pongs leave on time then, whatever the owner of the halves is busy with. When both the last
    /// [`Sender`] and the [`Receiver`] are dropped, the connection is closed with 1000; the task brings that to its
    /// end.
    pub fn spawn(self) -> (Sender, Receiver) {
        let (commands, to_do) = mpsc::channel(QUEUE);
        let (news, arrivals) = mpsc::channel(QUEUE);
        let task = Task { driver: self.driver, commands: Some(to_do), arrivals: Some(news), arrived: None };
        tokio::spawn(task.run());
        (Sender { commands }, Receiver { arrivals, ended: self.ended })
    }
}

/// The half that sends. Clones send over the same connection.
#[derive(Clone)]
pub struct Sender {
    commands: mpsc::Sender<Command>,
}

/// The half that receives.
///
/// As a `Stream` it yields messages, and ends as [`WebSocket`] does.
pub struct Receiver {
    arrivals: mpsc::Receiver<Result<Message, Disconnect>>,
    ended: Ended,
}

enum Command {
    Send(Message),
    Close(Close),
}

impl Sender {
    /// Waits until there is room in the queue, and hands a message to the connection. Whether it arrived, only an
    /// answer of the peer's application tells.
    ///
    /// Cancel-safe: when the future is dropped early, nothing of the message has been sent; but the message is gone.
    ///
    /// # Errors
    /// If the connection is over; the message comes back.
    pub async fn send(&self, message: Message) -> Result<(), SendError<Message>> {
        match self.commands.reserve().await {
            Ok(place) => {
                place.send(Command::Send(message));
                Ok(())
            }
            Err(_) => Err(SendError::Closing(message)),
        }
    }

    /// Hands a message to the connection if there is room in the queue at once.
    ///
    /// # Errors
    /// If there is no room, or the connection is over; the message comes back.
    pub fn try_send(&self, message: Message) -> Result<(), SendError<Message>> {
        match self.commands.try_reserve() {
            Ok(place) => {
                place.send(Command::Send(message));
                Ok(())
            }
            Err(mpsc::error::TrySendError::Full(())) => Err(SendError::Full(message)),
            Err(mpsc::error::TrySendError::Closed(())) => Err(SendError::Closing(message)),
        }
    }

    /// Starts the closing handshake, behind the messages sent so far. What the peer sends until it closes too is still
    /// received. If the connection is closing already, the first Close stands.
    ///
    /// Cancel-safe: when the future is dropped early, nothing has been closed.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is over.
    pub async fn close(&self, close: Close) -> Result<(), CloseError> {
        // One that was received perhaps must not be sent.
        let close = Close::new(close.code(), close.reason())?;
        let command = Command::Close(close);
        self.commands.send(command).await.map_err(|_| CloseError::AlreadyClosing)
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }
}

impl Receiver {
    /// The next message, or how the connection ended; that again and again.
    ///
    /// Cancel-safe: nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The end, clean or not.
    pub async fn receive(&mut self) -> Result<Message, Disconnect> {
        poll_fn(|cx| self.poll_receive(cx)).await
    }

    /// Waits for the end, and drops the messages that come before it.
    ///
    /// Cancel-safe: call it again, or receive.
    pub async fn ended(&mut self) -> Disconnect {
        loop {
            if let Err(disconnect) = self.receive().await {
                return disconnect;
            }
        }
    }

    /// How the connection ended, once that was received.
    pub fn disconnect(&self) -> Option<&Disconnect> {
        self.ended.disconnect()
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, Disconnect>> {
        if let Some(disconnect) = self.ended.disconnect() {
            return Poll::Ready(Err(disconnect.clone()));
        }
        match ready!(self.arrivals.poll_recv(cx)) {
            Some(Ok(message)) => Poll::Ready(Ok(message)),
            Some(Err(disconnect)) => Poll::Ready(Err(self.ended.set(disconnect))),
            // The task was ended, as by the end of its runtime.
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

struct Task<S> {
    driver: Driver<S>,
    /// Until the last sender is dropped, or nothing can be sent any more.
    commands: Option<mpsc::Receiver<Command>>,
    /// Until the receiver is dropped.
    arrivals: Option<mpsc::Sender<Result<Message, Disconnect>>>,
    /// Waits for a place in the queue to the receiver.
    arrived: Option<Message>,
}

/// What the task waited for.
enum Woken {
    Place,
    ReceiverDropped,
    Command(Option<Command>),
    Driven,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Task<S> {
    async fn run(mut self) {
        loop {
            match self.wait().await {
                Woken::Place => self.deliver(),
                Woken::ReceiverDropped => self.arrivals = None,
                Woken::Command(Some(command)) => self.carry_out(command),
                Woken::Command(None) => self.commands = None,
                Woken::Driven => {}
            }
            while self.arrived.is_none() {
                match self.driver.conn_mut().poll_event() {
                    Some(Event::Message(message)) => {
                        self.arrived = Some(message);
                        self.deliver();
                    }
                    Some(Event::Closed(disconnect)) => return self.end(disconnect).await,
                    Some(_) => {}
                    None if self.driver.is_over() => return self.end(aborted()).await,
                    None => break,
                }
            }
            if !self.driver.conn().is_open() {
                // Whoever sends gets its message back from now on.
                self.commands = None;
            } else if self.commands.is_none() && self.arrivals.is_none() {
                let now = self.driver.now();
                let _ = self.driver.conn_mut().close(now, Close::normal());
            }
        }
    }

    async fn wait(&mut self) -> Woken {
        let Self { driver, commands, arrivals, arrived } = self;
        let arrivals = arrivals.as_ref();
        let has_room = driver.conn().room() > 0;
        // The end may have to wait behind messages for which there is no place.
        let is_over = driver.is_over();
        tokio::select! {
            () = place(arrivals), if arrived.is_some() => Woken::Place,
            () = dropped(arrivals), if commands.is_none() => Woken::ReceiverDropped,
            command = next(commands.as_mut()), if has_room => Woken::Command(command),
            () = driver.drive(), if !is_over => Woken::Driven,
        }
    }

    /// Carries out a command, and those behind it for which there is room.
    fn carry_out(&mut self, command: Command) {
        let now = self.driver.now();
        let conn = self.driver.conn_mut();
        let mut next = Some(command);
        while let Some(command) = next {
            // What comes too late is lost, as is what is on its way when a connection ends. Closing already is as good
            // as closing.
            match command {
                Command::Send(message) => drop(conn.send(now, message)),
                Command::Close(close) => drop(conn.close(now, close)),
            }
            let is_free = conn.room() > 0;
            next = self.commands.as_mut().filter(|_| is_free).and_then(|commands| commands.try_recv().ok());
        }
    }

    /// Hands the message that waits to the receiver, if there is a place for it.
    fn deliver(&mut self) {
        let (Some(arrivals), Some(message)) = (&self.arrivals, self.arrived.take()) else { return };
        match arrivals.try_send(Ok(message)) {
            Err(mpsc::error::TrySendError::Full(waiting)) => self.arrived = waiting.ok(),
            Err(mpsc::error::TrySendError::Closed(_)) => self.arrivals = None,
            Ok(()) => {}
        }
    }

    async fn end(self, disconnect: Disconnect) {
        drop((self.commands, self.driver));
        if let Some(arrivals) = self.arrivals {
            // Nobody may be there any more to hear it.
            let _ = arrivals.send(Err(disconnect)).await;
        }
    }
}

/// Waits for a place in the queue to the receiver, or until it is dropped.
async fn place<T>(arrivals: Option<&mpsc::Sender<T>>) {
    if let Some(arrivals) = arrivals {
        let _ = arrivals.reserve().await;
    }
}

/// Waits until the receiver is dropped.
async fn dropped<T>(arrivals: Option<&mpsc::Sender<T>>) {
    match arrivals {
        Some(arrivals) => arrivals.closed().await,
        None => std::future::pending().await,
    }
}

/// The next command; `None` when the last sender is dropped.
async fn next(commands: Option<&mut mpsc::Receiver<Command>>) -> Option<Command> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
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
