//! What the application of a server sends and receives.

use std::sync::mpsc::{RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use bowline_core::Message;
use bowline_core::messages::{Receipt, SendError, SessionId};
use bowline_core::replay::Unacknowledged;
use bowline_host::messages::Heard;

use super::Server;
use crate::watch::look;

impl Server {
    /// Sends a message to a client: it arrives once and in order, however many links it takes. Needs
    /// [`ServerConfig::messages`](super::ServerConfig::messages).
    ///
    /// Returns when it is queued, and waits while too much is unacknowledged, with or without a link.
    ///
    /// # Errors
    /// If there is no such session (any more), the message is too long, or this server does not support messages
    /// ([`SendError::Mute`]). The message is returned.
    pub fn send(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        self.queue(session, message, None)
    }

    /// Sends a message to a client, and waits no longer than this until it is queued.
    ///
    /// # Errors
    /// As for [`send`](Self::send); after that time, [`SendError::Full`].
    pub fn send_timeout(
        &self,
        session: SessionId,
        message: Message,
        time: Duration,
    ) -> Result<(), SendError> {
        self.queue(session, message, Instant::now().checked_add(time))
    }

    /// Sends a message to a client now or never.
    ///
    /// # Errors
    /// If the session has no link or does not exist, the message is too long, or too many wait. The message is
    /// returned.
    pub fn send_volatile(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        self.0.house.talks().send_volatile(self.0.clock.now(), session, message)
    }

    /// The next message from any client, or the next event of a session. With several callers, each gets different
    /// ones. `None` if the server has stopped and its last client is gone.
    ///
    /// Without [`ServerConfig::messages`](super::ServerConfig::messages) it is `None` at once, as if the server had
    /// stopped; [`send`](Self::send) then says [`SendError::Mute`].
    ///
    /// If nobody calls this, clients are stopped before memory grows, and events beyond four for each possible session
    /// are forgotten, the oldest first, except those that return messages.
    pub fn receive(&self) -> Option<(SessionId, Heard)> {
        self.heard(None).ok()
    }

    /// The same, if something arrives within this time.
    ///
    /// # Errors
    /// Nothing has arrived in time ([`RecvTimeoutError::Timeout`]), or nothing will arrive.
    pub fn receive_timeout(&self, time: Duration) -> Result<(SessionId, Heard), RecvTimeoutError> {
        self.heard(Instant::now().checked_add(time))
    }

    /// Everything of its session up to this message has been processed and may be acknowledged: for
    /// [`AckOn::Confirmation`](bowline_core::replay::AckOn::Confirmation).
    pub fn confirm(&self, receipt: Receipt) {
        self.0.house.talks().confirm(self.0.clock.now(), receipt);
    }

    /// Ends a session and informs its client, which may begin another one. Returns the messages that are not known to
    /// have arrived.
    pub fn end_session(&self, session: SessionId) -> Vec<Unacknowledged> {
        self.0.house.talks().end_session(self.0.clock.now(), session)
    }

    // ----- inside -----

    fn queue(&self, session: SessionId, message: Message, until: Option<Instant>) -> Result<(), SendError> {
        let (talks, clock) = (self.0.house.talks(), self.0.clock);
        let send = || match talks.send(clock.now(), session, message.clone()) {
            Err(SendError::Full(_)) => Err(self.expiry()),
            result => Ok(result),
        };
        look(&self.0.news, until, send).unwrap_or(Err(SendError::Full(message)))
    }

    fn heard(&self, until: Option<Instant>) -> Result<(SessionId, Heard), RecvTimeoutError> {
        let receive = || match self.0.house.talks().receive(self.0.clock.now()) {
            Ok(heard) => Ok(Ok(heard)),
            Err(TryRecvError::Empty) => Err(self.expiry()),
            Err(TryRecvError::Disconnected) => Ok(Err(RecvTimeoutError::Disconnected)),
        };
        look(&self.0.news, until, receive).unwrap_or(Err(RecvTimeoutError::Timeout))
    }

    /// When the next session expires.
    fn expiry(&self) -> Option<Instant> {
        self.0.house.talks().poll_timeout().map(|due| self.0.clock.deadline(due))
    }
}
