//! What the application of a client sends and receives.

use std::sync::mpsc::TryRecvError;

use bowline_core::Message;
use bowline_core::messages::{Receipt, SendError};
use tokio::sync::oneshot;

use super::{Client, Command};
use crate::{FlushError, Heard};

impl Client {
    /// Sends a message of the session: it arrives once and in order, however many links it takes. Needs
    /// [`ClientConfig::messages`](super::ClientConfig::messages).
    ///
    /// Returns when it is queued, and waits while too much is unacknowledged, with or without a link. Cancel-safe: a
    /// cancelled call has queued nothing.
    ///
    /// # Errors
    /// If the message is too long, the client has ended, or it does not support messages ([`SendError::Mute`]). The
    /// message is returned.
    pub async fn send(&self, message: Message) -> Result<(), SendError> {
        let send = || match self.talk.send(message.clone()) {
            Err(SendError::Full(_)) => Err(None),
            result => Ok(result),
        };
        self.news.look(send).await
    }

    /// Sends a message now or never.
    ///
    /// If the future is dropped early, the message may or may not leave, and is not returned.
    ///
    /// # Errors
    /// If the session has no link, the message is too long, or too many wait. The message is returned.
    pub async fn send_volatile(&self, message: Message) -> Result<(), SendError> {
        let (done, taken) = oneshot::channel();
        // A client that has ended drops the channel, which answers.
        let _ = self.commands.send(Command::Volatile(message.clone(), done));
        taken.await.unwrap_or(Err(SendError::Unknown(message)))
    }

    /// Waits until everything that was sent before has arrived. Nothing arrives while no link is up, or while the
    /// server on it does not support messages ([`Event::Unsupported`](bowline_core::messages::Event::Unsupported)).
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// If the session is lost meanwhile, or the client has ended; [`receive`](Self::receive) returns what may not have
    /// arrived. [`FlushError::Mute`]: the client does not support messages.
    pub async fn flush(&self) -> Result<(), FlushError> {
        let mark = self.talk.mark()?;
        self.news.look(|| self.talk.flushed(mark).ok_or(None)).await
    }

    /// The next message, or the next event of the session; `None` once the client has ended. With several callers, each
    /// gets different ones.
    ///
    /// Without [`ClientConfig::messages`](super::ClientConfig::messages) it is `None` at once, as if the client had
    /// ended, with a warning in the log; [`send`](Self::send) then says [`SendError::Mute`].
    ///
    /// Cancel-safe: a cancelled call has taken nothing. If nobody calls this, the peer is stopped before memory grows,
    /// and session events beyond 64 are forgotten, the oldest first, except those that return messages.
    pub async fn receive(&self) -> Option<Heard> {
        let receive = || match self.talk.receive() {
            Ok(heard) => Ok(Some(heard)),
            Err(TryRecvError::Empty) => Err(None),
            Err(TryRecvError::Disconnected) => {
                if self.talk.is_mute() {
                    tracing::warn!(
                        "a receiver is waiting for messages, but `messages` is not set in the settings of this client"
                    );
                }
                Ok(None)
            }
        };
        self.news.look(receive).await
    }

    /// Everything up to this message has been processed and may be acknowledged: for
    /// [`AckOn::Confirmation`](bowline_core::replay::AckOn::Confirmation).
    pub fn confirm(&self, receipt: Receipt) {
        // A client that has ended acknowledges nothing.
        let _ = self.commands.send(Command::Confirm(receipt));
    }
}
