//! What the owner of an inline client sends and receives while it works.

use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::Duration;

use bowline_core::Message;
use bowline_core::messages::{Receipt, SendError};
use bowline_host::messages::{FlushError, Heard};

use super::InlineClient;

impl InlineClient {
    /// Sends a message of the session: it arrives once and in order, however many links it takes. Needs
    /// [`ClientConfig::messages`](crate::ClientConfig::messages).
    ///
    /// Returns when it is queued, and has left if it could at once; it works while too much is unacknowledged, with or
    /// without a link.
    ///
    /// # Errors
    /// If the message is too long, the client has ended, or it does not support messages ([`SendError::Mute`]).
    /// [`SendError::Full`]: as many messages as allowed are queued to be received, and the peer may be waiting for
    /// that, so [receive](Self::receive) first. The message is returned.
    pub fn send(&mut self, message: Message) -> Result<(), SendError> {
        self.queue(message, None)
    }

    /// Sends a message, and works no longer than this until it is queued.
    ///
    /// # Errors
    /// As for [`send`](Self::send); after that time, [`SendError::Full`].
    pub fn send_timeout(&mut self, message: Message, time: Duration) -> Result<(), SendError> {
        self.queue(message, Some(time))
    }

    /// Sends a message now or never.
    ///
    /// # Errors
    /// If the session has no link, the message is too long, or too many wait. The message is returned.
    pub fn send_volatile(&mut self, message: Message) -> Result<(), SendError> {
        let answer = self.client.ask_volatile(message.clone());
        let sent = self.task.work_until(None, || match answer.try_recv() {
            Ok(result) => Some(result),
            Err(TryRecvError::Disconnected) => Some(Err(SendError::Unknown(message.clone()))),
            Err(TryRecvError::Empty) => None,
        });
        self.drive(Duration::ZERO);
        sent.unwrap_or(Err(SendError::Unknown(message)))
    }

    /// Works until everything that was sent before has arrived. Nothing arrives while no link is up, or while the
    /// server on it does not support messages ([`Event::Unsupported`](bowline_core::messages::Event::Unsupported)).
    ///
    /// # Errors
    /// If the session is lost meanwhile, or the client has ended. [`FlushError::Mute`]: the client does not support
    /// messages. [`FlushError::Unheard`]: as many messages as allowed are queued to be received, and the peer may be
    /// waiting for that, so [receive](Self::receive) first.
    pub fn flush(&mut self) -> Result<(), FlushError> {
        self.flushed(None)
    }

    /// Works for that no longer than this.
    ///
    /// # Errors
    /// As for [`flush`](Self::flush); after that time, [`FlushError::TimedOut`].
    pub fn flush_timeout(&mut self, time: Duration) -> Result<(), FlushError> {
        self.flushed(Some(time))
    }

    /// Works until the next message or session event; `None` once the client has ended.
    ///
    /// Without [`ClientConfig::messages`](crate::ClientConfig::messages) it is `None` at once, as if the client had
    /// ended; [`send`](Self::send) then says [`SendError::Mute`].
    pub fn receive(&mut self) -> Option<Heard> {
        self.heard(None).ok()
    }

    /// The same, but works no longer than this.
    ///
    /// # Errors
    /// Nothing has arrived in time ([`RecvTimeoutError::Timeout`]), or nothing will arrive.
    pub fn receive_timeout(&mut self, time: Duration) -> Result<Heard, RecvTimeoutError> {
        self.heard(Some(time))
    }

    /// Everything up to this message has been processed and may be acknowledged: for
    /// [`AckOn::Confirmation`](bowline_core::replay::AckOn::Confirmation).
    pub fn confirm(&mut self, receipt: Receipt) {
        self.client.confirm(receipt);
        self.drive(Duration::ZERO);
    }

    // ----- inside -----

    fn queue(&mut self, message: Message, time: Option<Duration>) -> Result<(), SendError> {
        let Self { client, task } = self;
        let until = time.map(|time| task.now() + time);
        let sent = task.work_until(until, || match client.talk.send(message.clone()) {
            Err(SendError::Full(_)) if !client.talk.is_full() => None,
            result => Some(result),
        });
        self.drive(Duration::ZERO);
        sent.unwrap_or(Err(SendError::Full(message)))
    }

    fn flushed(&mut self, time: Option<Duration>) -> Result<(), FlushError> {
        let Self { client, task } = self;
        let until = time.map(|time| task.now() + time);
        let mark = client.talk.mark()?;
        let flushed = task.work_until(until, || match client.talk.flushed(mark) {
            None if client.talk.is_full() => Some(Err(FlushError::Unheard)),
            flushed => flushed,
        });
        flushed.unwrap_or(Err(FlushError::TimedOut))
    }

    fn heard(&mut self, time: Option<Duration>) -> Result<Heard, RecvTimeoutError> {
        let Self { client, task } = self;
        let until = time.map(|time| task.now() + time);
        let heard = task.work_until(until, || match client.talk.receive() {
            Ok(heard) => Some(Ok(heard)),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Err(RecvTimeoutError::Disconnected)),
        });
        heard.unwrap_or(Err(RecvTimeoutError::Timeout))
    }
}
