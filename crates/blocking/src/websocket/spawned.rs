//! A WebSocket driven by a thread of its own, from its owner's side.

use std::fmt;
use std::io;
use std::sync::{Arc, MutexGuard, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bowline_core::closing::CloseError;
use bowline_core::connection::{Event, SendError};
use bowline_core::message::Piece;
use bowline_core::{Close, Disconnect, Message};
use bowline_host::{Ended, Joiner, Unsent};

use super::WebSocket;
use super::mailbox::{Command, Mailbox, QUEUE, State};
use super::thread::Thread;
use crate::stream::Stream;
use crate::wait::{Wakened, Waker, waker};

impl<S: Stream + Send + 'static> WebSocket<S> {
    /// Lets a thread drive this WebSocket, and returns two halves that reach it through queues; they may be used by
    /// different threads.
    ///
    /// Pings and pongs then leave on time, whatever the owner of the halves is busy with. The other side's Close is
    /// answered when the owner has received all messages and asks for one more, behind what it has sent by then. What
    /// it has sent and the other side does not accept in the
    /// [time of its Close](bowline_core::closing::Config::close_timeout) is lost, which [`Sender::flush`] reports.
    ///
    /// When both the last [`Sender`] and the [`Receiver`] are dropped, the connection is closed with 1000, as by
    /// [`Sender::close`]. The thread completes that; if its peer accepts nothing, it ends with the stall timeout. If
    /// the owner does not receive, the queue may hold as many bytes as the connection
    /// ([`Config::receive_buffer`](bowline_core::connection::Config::receive_buffer)), and one message more. Messages
    /// that are [held](Self::set_ahead) come first.
    ///
    /// # Errors
    /// If the system provides no thread, or no way to wake it.
    pub fn spawn(self) -> io::Result<(Sender, Receiver)> {
        let (waker, wakened) = waker()?;
        let (thread, sender, receiver) = self.halves(waker, wakened);
        thread::Builder::new().name("bowline".into()).spawn(move || thread.run())?;
        Ok((sender, receiver))
    }
}

impl<S: Stream> WebSocket<S> {
    /// What a thread runs, and the halves that reach it.
    pub(super) fn halves(self, waker: Waker, wakened: Wakened) -> (Thread<S>, Sender, Receiver) {
        let Self { mut driver, mut held, joiner, ended } = self;
        driver.set_wakened(wakened);
        let mailbox =
            Arc::new(Mailbox::new(waker, driver.conn().unfinished(), driver.conn().receive_buffer()));
        let mut state = mailbox.lock();
        while let Some(event) = held.pop() {
            if let Some(piece) = held_piece(event) {
                state.push(Ok(piece));
            }
        }
        drop(state);
        let thread = Thread::new(driver, Arc::clone(&mailbox));
        let sender = Sender { mailbox: Arc::clone(&mailbox) };
        (thread, sender, Receiver { mailbox, taken: 0, joiner, ended })
    }
}

/// The message or piece in a held event.
fn held_piece(event: Event) -> Option<Piece> {
    match event {
        Event::Message(message) => Some(message.into()),
        Event::Piece(piece) => Some(piece),
        _ => None,
    }
}

/// The half that sends. Clones send over the same connection.
///
/// Calls wait no longer than [those of a WebSocket](WebSocket#how-long-calls-wait). If nobody receives, reading
/// eventually stops, and silence then does not count against the peer. So if both ends send and do not receive, they
/// wait for each other, for [`write_timeout`](bowline_core::connection::Config::write_timeout) if that is set.
pub struct Sender {
    pub(super) mailbox: Arc<Mailbox>,
}

/// The half that receives.
pub struct Receiver {
    pub(super) mailbox: Arc<Mailbox>,
    /// How many pieces the owner has taken.
    taken: u64,
    joiner: Joiner,
    ended: Ended,
}

impl Sender {
    /// Waits until there is room in the queue, and passes a message to the connection. Only an answer from the peer's
    /// application says whether it arrived.
    ///
    /// # Errors
    /// If the connection is over, or a message in pieces has not ended; the message is returned.
    pub fn send(&self, message: Message) -> Result<(), SendError<Message>> {
        let state = self.place();
        self.queue_message(state, message)
    }

    /// Passes a message to the connection if there is room in the queue at once.
    ///
    /// # Errors
    /// If there is no room, the connection is over, or a message in pieces has not ended; the message is returned.
    pub fn try_send(&self, message: Message) -> Result<(), SendError<Message>> {
        let (state, message) = self.place_at_once(message)?;
        self.queue_message(state, message)
    }

    /// Waits until there is room in the queue, and passes the next piece of a message to the connection, as
    /// [`WebSocket::send_piece`] does. The pieces of one message may come from several clones; no other message comes
    /// between them.
    ///
    /// # Errors
    /// If the connection is over, or the message was begun with pieces of the other kind; the piece is returned.
    pub fn send_piece(&self, piece: Piece) -> Result<(), SendError<Piece>> {
        let state = self.place();
        self.queue_piece(state, piece)
    }

    /// Passes the next piece of a message to the connection if there is room in the queue at once.
    ///
    /// # Errors
    /// If there is no room, the connection is over, or the message was begun with pieces of the other kind; the piece
    /// is returned.
    pub fn try_send_piece(&self, piece: Piece) -> Result<(), SendError<Piece>> {
        let (state, piece) = self.place_at_once(piece)?;
        self.queue_piece(state, piece)
    }

    /// Waits until the last byte of what was sent before, by any clone, is on its way. What clones send meanwhile
    /// leaves afterwards.
    ///
    /// # Errors
    /// Some of what was sent is lost: the connection has ended, or is ending without it.
    pub fn flush(&self) -> Result<(), Unsent> {
        loop {
            let (answer, answered) = mpsc::channel();
            let mut state = self.mailbox.lock();
            if state.has_ended {
                return if state.has_lost { Err(Unsent::Lost) } else { Ok(()) };
            }
            if state.is_closed && state.commands.is_empty() && state.close.is_none() {
                state.flushes.push(answer);
                self.mailbox.wake(&mut state);
                drop(state);
            } else {
                self.queue(state, Command::Flush(answer));
            }
            if let Ok(result) = answered.recv() {
                return result;
            }
        }
    }

    /// Starts the closing handshake, behind the messages sent so far, whether or not there is room; after that, nothing
    /// more can be sent. It does not wait. What the peer sends until it also closes is still received. If the peer
    /// accepts nothing for the [stall timeout](bowline_core::closing::Config::stall_timeout), waiting ends: what has
    /// not left is then lost, and the end says so.
    ///
    /// # Errors
    /// If this Close must not be sent, or the connection is closing already, or over: the first Close stands.
    pub fn close(&self, close: Close) -> Result<(), CloseError> {
        // A Close that was received may not be sendable.
        Close::new(close.code(), close.reason())?;
        let mut state = self.mailbox.lock();
        if state.is_closed {
            return Err(CloseError::AlreadyClosing);
        }
        state.close = Some(close);
        self.mailbox.end(&mut state);
        Ok(())
    }

    /// Drops the connection at once and without a word, for all clones. It does not wait. What has not left is lost.
    /// The receiver learns of the end after everything that arrived before.
    pub fn abort(&self) {
        let mut state = self.mailbox.lock();
        state.is_aborted = true;
        self.mailbox.end(&mut state);
    }

    /// Whether nothing more can be sent: the connection is closing, or over.
    pub fn is_closed(&self) -> bool {
        self.mailbox.lock().is_closed
    }

    /// Waits for room in the queue, or for the end.
    fn place(&self) -> MutexGuard<'_, State> {
        let mut state = self.mailbox.lock();
        while !state.is_closed && state.commands.len() >= QUEUE {
            state = self.mailbox.wait_for_room(state);
        }
        state
    }

    fn place_at_once<T>(&self, message: T) -> Result<(MutexGuard<'_, State>, T), SendError<T>> {
        let state = self.mailbox.lock();
        if !state.is_closed && state.commands.len() >= QUEUE {
            return Err(SendError::Full { message, held: QUEUE, limit: QUEUE });
        }
        Ok((state, message))
    }

    fn queue_message(
        &self,
        state: MutexGuard<'_, State>,
        message: Message,
    ) -> Result<(), SendError<Message>> {
        if state.is_closed {
            return Err(SendError::Closing(message));
        }
        if state.unfinished.is_some() {
            return Err(SendError::Unfinished(message));
        }
        self.queue(state, Command::Send(message));
        Ok(())
    }

    fn queue_piece(&self, mut state: MutexGuard<'_, State>, piece: Piece) -> Result<(), SendError<Piece>> {
        if state.is_closed {
            return Err(SendError::Closing(piece));
        }
        if !state.unfinished.fits(&piece) {
            return Err(SendError::OtherKind(piece));
        }
        state.unfinished.push(&piece);
        self.queue(state, Command::Piece(piece));
        Ok(())
    }

    fn queue(&self, mut state: MutexGuard<'_, State>, command: Command) {
        state.commands.push_back(command);
        self.mailbox.wake(&mut state);
    }
}

impl Receiver {
    /// The next message, or how the connection ended, which is repeated on each further call.
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
        // A time that the clock cannot express means for ever.
        let until = Instant::now().checked_add(time);
        while let Some(piece) = self.piece(until)? {
            if let Some(message) = self.joiner.push(piece) {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// The next piece of a message, as from [`WebSocket::receive_piece`].
    ///
    /// # Errors
    /// The end, clean or not.
    pub fn receive_piece(&mut self) -> Result<Piece, Disconnect> {
        loop {
            if let Some(piece) = self.piece(None)? {
                return Ok(piece);
            }
        }
    }

    /// Waits for the end, and drops the messages that come before it.
    pub fn ended(&mut self) -> Disconnect {
        loop {
            if let Err(disconnect) = self.receive_piece() {
                return disconnect;
            }
        }
    }

    /// How the connection ended, once that was received.
    pub fn disconnect(&self) -> Option<&Disconnect> {
        self.ended.disconnect()
    }

    /// The next piece; `None` when the time is over.
    fn piece(&mut self, until: Option<Instant>) -> Result<Option<Piece>, Disconnect> {
        if let Some(disconnect) = self.ended.disconnect() {
            return Err(disconnect.clone());
        }
        let mut state = self.mailbox.lock();
        loop {
            // An owner that asks has finished with what came before.
            state.asked = self.taken;
            let was_full = !state.has_place();
            match state.pop() {
                Some(Ok(piece)) => {
                    self.taken += 1;
                    if was_full && state.has_place() {
                        self.mailbox.wake(&mut state);
                    }
                    return Ok(Some(piece));
                }
                Some(Err(disconnect)) => return Err(self.ended.set(disconnect)),
                None => {}
            }
            // Even if the owner only looks: the thread waits to learn how far it has come.
            if state.is_thread_behind {
                self.mailbox.wake(&mut state);
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                return Ok(None);
            }
            state = self.mailbox.wait_for_arrival(state, until);
        }
    }
}

impl Clone for Sender {
    fn clone(&self) -> Self {
        self.mailbox.lock().senders += 1;
        Self { mailbox: Arc::clone(&self.mailbox) }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.mailbox.lock();
        state.senders -= 1;
        if state.senders == 0 {
            self.mailbox.wake(&mut state);
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.mailbox.lock();
        state.drop_receiver();
        self.mailbox.wake(&mut state);
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
