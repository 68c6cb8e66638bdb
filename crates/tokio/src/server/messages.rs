//! What the application of a server sends and receives.

use std::sync::mpsc::TryRecvError;

use bowline_core::Message;
use bowline_core::messages::{Receipt, SendError, SessionId};
use bowline_core::replay::Unacknowledged;
use tokio::time::Instant;

use super::Server;
use crate::Heard;

impl Server {
    /// Sends a message to a client: it arrives once and in order, however many links it takes. Needs
    /// [`ServerConfig::messages`](super::ServerConfig::messages).
    ///
    /// Returns when it is queued, and waits while too much is unacknowledged, with or without a link. Cancel-safe: a
    /// cancelled call has queued nothing.
    ///
    /// # Errors
    /// If there is no such session (any more), the message is too long, or this server does not support messages
    /// ([`SendError::Mute`]). The message is returned.
    pub async fn send(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        let send = || match self.house.talks().send(self.clock.now(), session, message.clone()) {
            Err(SendError::Full(_)) => Err(self.expiry()),
            result => Ok(result),
        };
        self.news.look(send).await
    }

    /// Sends a message to a client now or never.
    ///
    /// # Errors
    /// If the session has no link or does not exist, the message is too long, or too many wait. The message is
    /// returned.
    pub fn send_volatile(&self, session: SessionId, message: Message) -> Result<(), SendError> {
        self.house.talks().send_volatile(self.clock.now(), session, message)
    }

    /// The next message from any client, or the next event of a session. With several callers, each gets different
    /// ones. `None` if the server has stopped and its last client is gone.
    ///
    /// Without [`ServerConfig::messages`](super::ServerConfig::messages) it is `None` at once, as if the server had
    /// stopped, with a warning in the log; [`send`](Self::send) then says [`SendError::Mute`].
    ///
    /// Cancel-safe: a cancelled call has taken nothing. If nobody calls this, clients are stopped before memory grows,
    /// and events beyond four for each possible session are forgotten, the oldest first, except those that return
    /// messages.
    pub async fn receive(&self) -> Option<(SessionId, Heard)> {
        let receive = || match self.house.talks().receive(self.clock.now()) {
            Ok(heard) => Ok(Some(heard)),
            Err(TryRecvError::Empty) => Err(self.expiry()),
            Err(TryRecvError::Disconnected) => {
                if self.house.talks().is_mute() {
                    tracing::warn!(
                        "a receiver is waiting for messages, but `messages` is not set in the settings of this server"
                    );
                }
                Ok(None)
            }
        };
        self.news.look(receive).await
    }

    /// Everything of its session up to this message has been processed and may be acknowledged: for
    /// [`AckOn::Confirmation`](bowline_core::replay::AckOn::Confirmation).
    pub fn confirm(&self, receipt: Receipt) {
        self.house.talks().confirm(self.clock.now(), receipt);
    }

    /// Ends a session and informs its client, which may begin another one. Returns the messages that are not known to
    /// have arrived.
    pub fn end_session(&self, session: SessionId) -> Vec<Unacknowledged> {
        self.house.talks().end_session(self.clock.now(), session)
    }

    /// When the next session expires.
    fn expiry(&self) -> Option<Instant> {
        self.house.talks().poll_timeout().map(|due| self.clock.deadline(due))
    }
}
