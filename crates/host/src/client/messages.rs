//! The messages of a client, between its application and its session.

use bowline_core::messages::{Receipt, SendError};
use bowline_core::{Instant, Message};

use super::Keeper;

impl<T> Keeper<T> {
    /// Sends a message now or never: it is not repeated if the link is lost.
    ///
    /// # Errors
    /// If the session has no link, the message is too long, too many wait, or messages are not enabled. The message is
    /// returned.
    pub fn send_volatile(&mut self, now: Instant, message: Message) -> Result<(), SendError> {
        match self.desk.session.messages_mut() {
            Some(messages) => messages.send_volatile(now, message),
            None => Err(SendError::Mute(message)),
        }
    }

    /// The application has processed everything up to this message.
    pub fn confirm(&mut self, now: Instant, receipt: Receipt) {
        if let Some(messages) = self.desk.session.messages_mut() {
            messages.confirm(now, receipt);
        }
    }

    /// Moves messages between the application and the session; returns whether there is something to send.
    pub(super) fn converse(&mut self, now: Instant) -> bool {
        self.desk.session.messages_mut().is_some_and(|messages| self.talk.0.serve(now, messages))
    }

    /// There will be no more links for messages.
    pub(super) fn end_talk(&mut self, now: Instant) {
        if let Some(messages) = self.desk.session.messages_mut() {
            self.talk.0.end(messages.reset(now));
        }
    }

    /// Whether everything that was sent has arrived.
    pub(super) fn is_silent(&self) -> bool {
        let messages = self.desk.session.messages();
        messages.is_none_or(|messages| messages.unacknowledged() == 0) && self.talk.0.is_silent()
    }
}
