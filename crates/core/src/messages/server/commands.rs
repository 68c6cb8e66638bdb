//! What a server's application does with its sessions.

use super::kept::{Kept, Place};
use super::{Sessions, SessionsEvent, State};
use crate::messages::wire::{Frame, Why};
use crate::messages::{Event, Receipt, SendError, SessionId};
use crate::replay::Unacknowledged;
use crate::{Instant, Message};
use alloc::vec::Vec;
use core::time::Duration;

impl Sessions {
    /// Accepts a message for a client, connected or not, and returns its number in the session.
    ///
    /// # Errors
    /// If there is no such session, the message is too long, or too many wait. The message is returned.
    pub fn send(&mut self, now: Instant, session: SessionId, message: Message) -> Result<u64, SendError> {
        self.advance(now);
        let Some(kept) = self.kept.get_mut(&session) else { return Err(SendError::Unknown(message)) };
        if let Place::Attached(link) = kept.place {
            self.stirred.insert(link);
            return kept.channel.send(message);
        }
        let before = kept.channel.size();
        if self.detached_bytes.saturating_add(message.len()) > self.config.max_detached_bytes {
            return Err(SendError::Full(message));
        }
        let number = kept.channel.send(message)?;
        self.detached_bytes += kept.channel.size() - before;
        Ok(number)
    }

    /// Sends a message to a client now or never.
    ///
    /// # Errors
    /// If there is no such session, it has no link, the message is too long, or too many wait. The message is returned.
    pub fn send_volatile(
        &mut self,
        now: Instant,
        session: SessionId,
        message: Message,
    ) -> Result<(), SendError> {
        self.advance(now);
        let Some(kept) = self.kept.get_mut(&session) else { return Err(SendError::Unknown(message)) };
        let Place::Attached(link) = kept.place else { return Err(SendError::Down(message)) };
        self.stirred.insert(link);
        kept.channel.send_volatile(message)
    }

    /// Everything of its session up to this message has been processed and may be acknowledged: for
    /// [`AckOn::Confirmation`](crate::replay::AckOn::Confirmation).
    pub fn confirm(&mut self, now: Instant, receipt: Receipt) {
        self.advance(now);
        if let Some(kept) = self.kept.get_mut(&receipt.session) {
            kept.channel.confirm(self.now, receipt.number);
            if let Place::Attached(link) = kept.place {
                self.stirred.insert(link);
            }
        }
    }

    /// Ends a session and informs its client, which may begin another one. Returns the messages that are not known to
    /// have arrived.
    pub fn close(&mut self, now: Instant, session: SessionId) -> Vec<Unacknowledged> {
        self.advance(now);
        let Some(Kept { place, mut channel, .. }) = self.remove(session) else { return Vec::new() };
        self.bury(session, Why::Closed);
        if let Place::Attached(link) = place {
            let answer = Some(Frame::NewSession { why: Why::Closed, retry_after: Duration::ZERO });
            let state = State::Open { answer, late: true };
            self.links.entry(link).and_modify(|link| link.state = state);
            self.stirred.insert(link);
        }
        channel.reset(self.now)
    }

    /// Ends all sessions, for a server that stops for good. Each is reported as [`Event::Lost`], with the messages that
    /// are not known to have arrived.
    pub fn close_all(&mut self, now: Instant) {
        while let Some(session) = self.kept.keys().next().copied() {
            let messages = self.close(now, session);
            let event = Event::Lost { why: Why::Closed, messages };
            self.tell(SessionsEvent::Session(session, event));
        }
    }
}
