//! Where messages are accepted for the queue to the task, or returned.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bowline_core::Message;
use bowline_core::connection::SendError;
use bowline_core::message::{Piece, Unfinished};

use super::task::Command;

/// Shared by all senders and the task: what was accepted is in the queue before the task can close this.
#[derive(Debug)]
pub(super) struct Desk(Mutex<State>);

#[derive(Debug)]
struct State {
    /// The message that is being sent in pieces.
    unfinished: Unfinished,
    is_closed: bool,
}

impl Desk {
    pub(super) fn new(unfinished: Unfinished) -> Self {
        Self(Mutex::new(State { unfinished, is_closed: false }))
    }

    /// Queues a message, unless it comes too late or between the pieces of another.
    pub(super) fn accept(
        &self,
        message: Message,
        queue: impl FnOnce(Command),
    ) -> Result<(), SendError<Message>> {
        let state = self.lock();
        if state.is_closed {
            return Err(SendError::Closing(message));
        }
        if state.unfinished.is_some() {
            return Err(SendError::Unfinished(message));
        }
        queue(Command::Send(message));
        Ok(())
    }

    /// Queues a piece of a message, unless it comes too late or does not fit.
    pub(super) fn accept_piece(
        &self,
        piece: Piece,
        queue: impl FnOnce(Command),
    ) -> Result<(), SendError<Piece>> {
        let mut state = self.lock();
        if state.is_closed {
            return Err(SendError::Closing(piece));
        }
        if !state.unfinished.fits(&piece) {
            return Err(SendError::OtherKind(piece));
        }
        state.unfinished.push(&piece);
        queue(Command::Piece(piece));
        Ok(())
    }

    /// From now on senders get their messages back.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
