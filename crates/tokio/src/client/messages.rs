//! Messages: what the application of a client says and hears.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bowline_core::Message;
use bowline_core::messages::{MAX_MESSAGE, Receipt, SendError};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::{Client, Command};
use crate::messages::{Heard, SessionLost};

/// How many messages wait on their way between the application and the task; those that wait for the peer are counted
/// in the session.
const WAITING: usize = 16;

/// What the application says to the task.
#[derive(Debug)]
pub(super) enum Said {
    Message(Message),
    Volatile(Message, oneshot::Sender<Result<(), SendError>>),
    /// Asked for when so many sessions had been lost.
    Flush(u64, oneshot::Sender<()>),
}

/// The application's end.
#[derive(Clone, Debug)]
pub(super) struct Line {
    said: mpsc::Sender<Said>,
    heard: Arc<Mutex<mpsc::Receiver<Heard>>>,
    losses: Arc<AtomicU64>,
}

/// The task's end.
#[derive(Debug)]
pub(super) struct Far {
    pub(super) said: mpsc::Receiver<Said>,
    pub(super) heard: mpsc::Sender<Heard>,
    /// How many sessions were lost.
    pub(super) losses: Arc<AtomicU64>,
}

pub(super) fn line() -> (Line, Far) {
    let (said, inbox) = mpsc::channel(WAITING);
    let (outbox, heard) = mpsc::channel(WAITING);
    let losses = Arc::new(AtomicU64::new(0));
    let far = Far { said: inbox, heard: outbox, losses: Arc::clone(&losses) };
    (Line { said, heard: Arc::new(Mutex::new(heard)), losses }, far)
}

impl Client {
    /// Sends a message of the session: it arrives once and in order, however many links it takes. Needs
    /// [`ClientConfig::messages`](super::ClientConfig::messages).
    ///
    /// Returns when it is queued, and waits while too much is unacknowledged, with or without a link. Cancel-safe: a
    /// cancelled call has queued nothing.
    ///
    /// # Errors
    /// The message is too long, the client has ended, or it does not speak of messages. The message comes back.
    pub async fn send(&self, message: Message) -> Result<(), SendError> {
        if message.len() > MAX_MESSAGE {
            return Err(SendError::TooLong(message));
        }
        match self.line.said.reserve().await {
            Ok(permit) => {
                permit.send(Said::Message(message));
                Ok(())
            }
            Err(_) => Err(SendError::Unknown(message)),
        }
    }

    /// Sends a message at once or never.
    ///
    /// # Errors
    /// The session is on no link, the message is too long, or too many wait. The message comes back.
    pub async fn send_volatile(&self, message: Message) -> Result<(), SendError> {
        let Ok(permit) = self.line.said.reserve().await else { return Err(SendError::Unknown(message)) };
        let (done, taken) = oneshot::channel();
        permit.send(Said::Volatile(message.clone(), done));
        taken.await.unwrap_or(Err(SendError::Unknown(message)))
    }

    /// Waits until everything that was sent before has arrived.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The session is lost meanwhile, or the client has ended.
    pub async fn flush(&self) -> Result<(), SessionLost> {
        let (done, flushed) = oneshot::channel();
        let losses = self.line.losses.load(Ordering::Acquire);
        self.line.said.send(Said::Flush(losses, done)).await.map_err(|_| SessionLost)?;
        flushed.await.map_err(|_| SessionLost)
    }

    /// The next message, or the next turn in the life of the session; `None` once the client has ended. With several
    /// callers, each hears something else.
    ///
    /// Cancel-safe: a cancelled call has taken nothing. While nobody calls, the peer is stopped before memory grows.
    pub async fn receive(&self) -> Option<Heard> {
        self.line.heard.lock().await.recv().await
    }

    /// Everything up to this message is taken care of, and may be acknowledged: for
    /// [`AckOn::Confirmation`](bowline_core::replay::AckOn::Confirmation).
    pub fn confirm(&self, receipt: Receipt) {
        // Whoever has ended acknowledges nothing.
        let _ = self.commands.send(Command::Confirm(receipt));
    }
}
