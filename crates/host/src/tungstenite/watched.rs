//! A tungstenite WebSocket on a blocking socket, with a heartbeat and an explained end.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read, Write};
use std::time::Duration;

use ::tungstenite::error::Error;
use ::tungstenite::{self as foreign, WebSocket};
use bowline_core::closing::CloseError;
use bowline_core::connection::SendError;
use bowline_core::{Close, Disconnect, Instant, Role};

use super::counted::Counted;
use super::patience::Patience;
use super::watch::{Config, Watch, is_patience};
use crate::{SleepWatch, seed};

/// How long writing may keep us from reading and from checking the time, and the other way round.
pub(super) const MOMENT: Duration = Duration::from_millis(10);
/// How many bytes of messages are held for an owner that sends and does not read.
const HELD: usize = 32 << 20;

/// A `WebSocket` whose calls keep up the heartbeat while they wait, and whose end is a [`Disconnect`]. Its owner's loop
/// stays as it was.
///
/// ```
/// use bowline_host::tungstenite::{Config, Counted, Watched};
/// use std::net::{TcpListener, TcpStream};
///
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let client = std::thread::spawn({
/// #     let url = format!("ws://{}/", listener.local_addr()?);
/// #     move || {
/// #         let stream = TcpStream::connect(&url[5..url.len() - 1]).unwrap();
/// #         let mut client = tungstenite::client(url, stream).unwrap().0;
/// #         client.send("hello".into()).unwrap();
/// #         assert_eq!(client.read().unwrap(), "hello".into());
/// #         let code = tungstenite::protocol::frame::coding::CloseCode::Normal;
/// #         let bye = tungstenite::protocol::CloseFrame { code, reason: "bye".into() };
/// #         client.close(Some(bye)).unwrap();
/// #         while client.read().is_ok() {}
/// #     }
/// # });
/// # let stream = listener.accept()?.0;
/// // was: let mut socket = tungstenite::accept(stream)?;
/// let socket = tungstenite::accept(Counted::new(stream))?;
/// let mut socket = Watched::server(socket, Config::default())?;
/// let end = loop {
///     match socket.read() {
///         Ok(message) if message.is_text() => socket.send(message)?,
///         Ok(_) => {}
///         Err(end) => break end,
///     }
/// };
/// assert_eq!(end.to_string(), "received 1000 (OK) bye; then sent 1000 (OK) bye");
/// drop(socket); // the client waits for that
/// # client.join().unwrap();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # While nobody calls
/// The heartbeat stops: no ping leaves, and none is answered. An owner that does something else for longer than half
/// the heartbeat interval should call [`read_timeout`](Self::read_timeout) in between, with zero if necessary.
///
/// # While it sends
/// It also reads, so that two ends that both send do not wait for each other; what arrives is held for the owner, up to
/// 32 MiB.
pub struct Watched<S> {
    socket: WebSocket<Counted<S>>,
    watch: Watch,
    start: std::time::Instant,
    sleep: SleepWatch,
    /// What arrived while the owner was sending.
    held: VecDeque<foreign::Message>,
    pub(super) held_bytes: usize,
    /// What the watch wants written, and there was no room for.
    waiting: Option<foreign::Message>,
    /// Whether everything written has left.
    flushed: bool,
    ended: Option<Disconnect>,
}

impl<S: Read + Write + Patience> Watched<S> {
    /// Watches the client's end, from the end of its handshake on.
    ///
    /// # Errors
    /// If the system provides no random bytes, or the timeouts of the stream cannot be set.
    pub fn client(socket: WebSocket<Counted<S>>, config: Config) -> io::Result<Self> {
        Self::new(socket, Role::Client, config)
    }

    /// Watches the server's end.
    ///
    /// # Errors
    /// If the system provides no random bytes, or the timeouts of the stream cannot be set.
    pub fn server(socket: WebSocket<Counted<S>>, config: Config) -> io::Result<Self> {
        Self::new(socket, Role::Server, config)
    }

    fn new(socket: WebSocket<Counted<S>>, role: Role, config: Config) -> io::Result<Self> {
        socket.get_ref().get_ref().set_write_timeout(Some(MOMENT))?;
        let mut watch = Watch::new(role, config, seed()?, Instant::ZERO);
        // What the handshake has moved is not a sign of life.
        watch.handle_traffic(Instant::ZERO, socket.get_ref());
        let (start, held) = (std::time::Instant::now(), VecDeque::new());
        Ok(Self {
            socket,
            watch,
            start,
            sleep: SleepWatch::start(),
            held,
            held_bytes: 0,
            waiting: None,
            flushed: true,
            ended: None,
        })
    }

    /// The next message, including control frames, as from `WebSocket::read`; or the end, again and again.
    ///
    /// # Errors
    /// The end, clean or not.
    pub fn read(&mut self) -> Result<foreign::Message, Disconnect> {
        loop {
            if let Some(message) = self.take() {
                return Ok(message);
            }
            self.turn(Duration::MAX)?;
        }
    }

    /// The next message, if it arrives within this time. Keeps up the heartbeat even if the time is zero.
    ///
    /// # Errors
    /// The end, clean or not.
    pub fn read_timeout(&mut self, time: Duration) -> Result<Option<foreign::Message>, Disconnect> {
        let until = self.now() + time;
        loop {
            if let Some(message) = self.take() {
                return Ok(Some(message));
            }
            let left = until - self.now();
            self.turn(left)?;
            if left.is_zero() {
                return Ok(self.take());
            }
        }
    }

    /// Sends a message, and returns when it has left. If too much arrives meanwhile, it returns earlier:
    /// [read](Self::read) then, and the rest leaves while you read. To send a Close, use [`close`](Self::close).
    ///
    /// # Errors
    /// The message is returned: [`Full`](SendError::Full) if what arrived, or the message itself, exceeds the available
    /// room; [`Closing`](SendError::Closing) if it can no longer leave, and reading says why.
    pub fn send(&mut self, message: foreign::Message) -> Result<(), SendError<foreign::Message>> {
        // What was sent before goes first, so that little is queued.
        while !self.flush() {
            if self.held_bytes >= HELD {
                return Err(SendError::Full { message, held: self.held_bytes, limit: HELD });
            }
            self.listen(MOMENT);
        }
        if self.ended.is_some() || !self.watch.is_open() {
            return Err(SendError::Closing(message));
        }
        // Cloned messages share their bytes.
        if self.write_one(message.clone()).is_some() {
            let (held, limit) = (message.len(), self.socket.get_config().max_write_buffer_size);
            return Err(SendError::Full { message, held, limit });
        }
        while !self.flush() && self.held_bytes < HELD {
            self.listen(MOMENT);
        }
        if self.ended.is_some() && !self.flushed { Err(SendError::Closing(message)) } else { Ok(()) }
    }

    /// Starts the closing handshake. Then keep [reading](Self::read) until the end.
    ///
    /// # Errors
    /// If this Close must not be sent, or the WebSocket is closing already.
    pub fn close(&mut self, close: &Close) -> Result<(), CloseError> {
        self.watch.close(self.now(), close)
    }

    /// The WebSocket.
    pub fn get_ref(&self) -> &WebSocket<Counted<S>> {
        &self.socket
    }

    /// The [`Watch`] inside.
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    // Private, in the order of a turn.

    fn now(&self) -> Instant {
        Instant::from(self.start.elapsed())
    }

    fn take(&mut self) -> Option<foreign::Message> {
        let message = self.held.pop_front()?;
        self.held_bytes -= weight(&message);
        Some(message)
    }

    /// Moves what can be moved; if that is nothing, waits for at most this long.
    fn turn(&mut self, most: Duration) -> Result<(), Disconnect> {
        self.flush();
        self.listen(most);
        self.ended.clone().map_or(Ok(()), Err)
    }

    /// Waits for input, for the next deadline or for this long, and reports the time.
    pub(super) fn listen(&mut self, most: Duration) {
        if self.ended.is_some() {
            return;
        }
        let due = self.watch.poll_timeout().map_or(most, |due| most.min(due - self.now()));
        let patience = if self.flushed { due } else { due.min(MOMENT) };
        self.read_once(patience);
        if let Some(slept) = self.sleep.slept() {
            self.watch.handle_wake(self.now(), slept);
        }
        // After reading: a byte that is waiting is a sign of life.
        self.watch.handle_timeout(self.now());
        self.conclude();
    }

    fn read_once(&mut self, patience: Duration) {
        // Zero would mean for ever.
        let patience = patience.clamp(Duration::from_millis(1), Duration::from_secs(3600));
        self.socket.get_mut().allow(patience);
        let read = match self.socket.get_ref().get_ref().set_read_timeout(Some(patience)) {
            Ok(()) => self.socket.read(),
            Err(error) => Err(Error::Io(error)),
        };
        let now = self.now();
        self.watch.handle_traffic(now, self.socket.get_ref());
        match read {
            Ok(message) => {
                self.watch.handle_message(now, &message);
                // tungstenite has queued its answer behind what is queued.
                self.flushed &= !matches!(message, foreign::Message::Ping(_) | foreign::Message::Close(_));
                self.held_bytes += weight(&message);
                self.held.push_back(message);
            }
            Err(error) => self.watch.handle_read_error(now, &error),
        }
    }

    /// Writes what is queued, and what the heartbeat and the closing handshake want, for a moment. Returns whether
    /// everything has left that can.
    fn flush(&mut self) -> bool {
        while let Some(message) = self.waiting.take().or_else(|| self.watch.poll_message()) {
            self.waiting = self.write_one(message);
            if self.waiting.is_some() {
                break;
            }
        }
        if !self.flushed && self.ended.is_none() {
            self.socket.get_mut().allow(MOMENT);
            let flushed = self.socket.flush();
            let now = self.now();
            self.watch.handle_traffic(now, self.socket.get_ref());
            match flushed {
                // What is waiting will fit the next time.
                Ok(()) if self.waiting.is_some() => {}
                Ok(()) => {
                    self.flushed = true;
                    self.watch.handle_flushed(now);
                }
                Err(error) => self.failed(&error),
            }
            self.conclude();
        }
        self.flushed || self.ended.is_some()
    }

    /// Queues a message, and returns it if there is no room.
    fn write_one(&mut self, message: foreign::Message) -> Option<foreign::Message> {
        self.flushed = false;
        self.socket.get_mut().allow(MOMENT);
        let wrote = self.socket.write(message);
        self.watch.handle_traffic(self.now(), self.socket.get_ref());
        match wrote {
            Err(Error::WriteBufferFull(message)) => return Some(*message),
            Err(error) => self.failed(&error),
            Ok(()) => {}
        }
        None
    }

    fn failed(&mut self, error: &Error) {
        // tungstenite ends a server's side as soon as its answer to a Close has left.
        if matches!(error, Error::ConnectionClosed) {
            self.flushed = true;
            self.watch.handle_flushed(self.now());
        }
        if !is_patience(error) || self.socket.get_ref().is_full() {
            self.watch.handle_write_error(self.now(), error);
        }
    }

    /// Records the end, and writes the last words: only what the stream accepts at once.
    fn conclude(&mut self) {
        if self.ended.is_some() {
            return;
        }
        self.ended = self.watch.poll_disconnect();
        if self.ended.is_some() {
            self.socket.get_mut().allow(MOMENT);
            while let Some(message) = self.watch.poll_message() {
                let _ = self.socket.write(message);
            }
            let _ = self.socket.flush();
        }
    }
}

/// The memory that a message holds; even an empty one counts.
fn weight(message: &foreign::Message) -> usize {
    message.len() + size_of::<foreign::Message>()
}

impl<S> fmt::Debug for Watched<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched")
            .field("watch", &self.watch)
            .field("held", &self.held_bytes)
            .field("ended", &self.ended)
            .finish_non_exhaustive()
    }
}
