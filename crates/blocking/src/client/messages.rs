//! What the application of a client sends and receives.

use std::sync::mpsc::{self, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use bowline_core::Message;
use bowline_core::messages::{Receipt, SendError};
use bowline_host::messages::{FlushError, Heard};

use super::{Client, Letter};
use crate::watch::look;

impl Client {
    /// Sends a message of the session: it arrives once and in order, however many links it takes. Needs
    /// [`ClientConfig::messages`](super::ClientConfig::messages).
    ///
    /// Returns when it is queued, and waits while too much is unacknowledged, with or without a link. If both ends send
    /// before they receive, they wait for each other: let another thread receive, or [set a limit](Self::send_timeout).
    ///
    /// # Errors
    /// If the message is too long, the client has ended, or it does not support messages ([`SendError::Mute`]). The
    /// message is returned.
    pub fn send(&self, message: Message) -> Result<(), SendError> {
        self.queue(message, None)
    }

    /// Sends a message, and waits no longer than this until it is queued.
    ///
    /// # Errors
    /// As for [`send`](Self::send); after that time, [`SendError::Full`].
    pub fn send_timeout(&self, message: Message, time: Duration) -> Result<(), SendError> {
        self.queue(message, Instant::now().checked_add(time))
    }

    /// Sends a message now or never.
    ///
    /// # Errors
    /// If the session has no link, the message is too long, or too many wait. The message is returned.
    pub fn send_volatile(&self, message: Message) -> Result<(), SendError> {
        self.ask_volatile(message.clone()).recv().unwrap_or(Err(SendError::Unknown(message)))
    }

    /// Waits until everything that was sent before has arrived. Nothing arrives while no link is up, or while the
    /// server on it does not support messages ([`Event::Unsupported`](bowline_core::messages::Event::Unsupported)).
    ///
    /// # Errors
    /// If the session is lost meanwhile, or the client has ended; [`receive`](Self::receive) returns what may not have
    /// arrived. [`FlushError::Mute`]: the client does not support messages.
    pub fn flush(&self) -> Result<(), FlushError> {
        self.flushed(None)
    }

    /// Waits for that no longer than this.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush); after that time, [`FlushError::TimedOut`].
    pub fn flush_timeout(&self, time: Duration) -> Result<(), FlushError> {
        self.flushed(Instant::now().checked_add(time))
    }

    /// The next message, or the next event of the session; `None` once the client has ended. With several callers, each
    /// gets different ones.
    ///
    /// Without [`ClientConfig::messages`](super::ClientConfig::messages) it is `None` at once, as if the client had
    /// ended; [`send`](Self::send) then says [`SendError::Mute`].
    ///
    /// If nobody calls this, the peer is stopped before memory grows, and session events beyond 64 are forgotten, the
    /// oldest first, except those that return messages.
    pub fn receive(&self) -> Option<Heard> {
        self.heard(None).ok()
    }

    /// The same, if something arrives within this time.
    ///
    /// # Errors
    /// Nothing has arrived in time ([`RecvTimeoutError::Timeout`]), or nothing will arrive.
    pub fn receive_timeout(&self, time: Duration) -> Result<Heard, RecvTimeoutError> {
        self.heard(Instant::now().checked_add(time))
    }

    /// Everything up to this message has been processed and may be acknowledged: for
    /// [`AckOn::Confirmation`](bowline_core::replay::AckOn::Confirmation).
    pub fn confirm(&self, receipt: Receipt) {
        // A client that has ended acknowledges nothing.
        self.line.send(Letter::Confirm(receipt));
    }

    // ----- inside -----

    /// If there is no thread to answer, the question is dropped, which the caller notices.
    pub(super) fn ask_volatile(&self, message: Message) -> mpsc::Receiver<Result<(), SendError>> {
        let (done, taken) = mpsc::channel();
        self.line.send(Letter::Volatile(message, done));
        taken
    }

    fn queue(&self, message: Message, until: Option<Instant>) -> Result<(), SendError> {
        let send = || match self.talk.send(message.clone()) {
            Err(SendError::Full(_)) => Err(None),
            result => Ok(result),
        };
        look(&self.news, until, send).unwrap_or(Err(SendError::Full(message)))
    }

    fn flushed(&self, until: Option<Instant>) -> Result<(), FlushError> {
        let mark = self.talk.mark()?;
        let flushed = look(&self.news, until, || self.talk.flushed(mark).ok_or(None));
        flushed.unwrap_or(Err(FlushError::TimedOut))
    }

    fn heard(&self, until: Option<Instant>) -> Result<Heard, RecvTimeoutError> {
        let receive = || match self.talk.receive() {
            Ok(heard) => Ok(Ok(heard)),
            Err(TryRecvError::Empty) => Err(None),
            Err(TryRecvError::Disconnected) => Ok(Err(RecvTimeoutError::Disconnected)),
        };
        look(&self.news, until, receive).unwrap_or(Err(RecvTimeoutError::Timeout))
    }
}
