//! Between the halves of a WebSocket and the thread that drives it.
//!
//! ```text
//!   Sender ──── commands, questions ───▶ ┌────────┐
//!   Sender ───────┘                      │ thread │ ◀──▶ Driver ◀──▶ stream
//!   Receiver ◀─── arrivals ───────────── └────────┘
//!       └──── how many it has seen ─────────┘
//! ```

use std::collections::VecDeque;
use std::sync::mpsc;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bowline_core::message::{Piece, Unfinished};
use bowline_core::{Close, Disconnect, Message};
use bowline_host::Unsent;

use super::ask::Ask;
use crate::wait::Waker;

/// How many messages, or pieces of them, may be queued in each direction: enough that a burst of small ones costs one
/// wake-up. Received ones, except for the last, have at most as many bytes as the connection's receive buffer.
pub(super) const QUEUE: usize = 32;

/// What the owner of the halves wants.
#[derive(Debug)]
pub(super) enum Command {
    Send(Message),
    Piece(Piece),
    /// Answer when everything before this has left or is lost. While there is no answer, that is not known.
    Flush(Flushed),
}

/// Where the answer to a flush goes.
pub(super) type Flushed = mpsc::Sender<Result<(), Unsent>>;

/// What both sides share, under a lock.
#[derive(Debug)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    /// Notified when a command was taken, or none will be.
    pub(super) room: Condvar,
    /// Notified when something has arrived for the receiver.
    pub(super) arrived: Condvar,
    waker: Waker,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) commands: VecDeque<Command>,
    /// A Close to be sent behind the commands, even if there is no room for them.
    pub(super) close: Option<Close>,
    /// Whether to end the connection without a Close.
    pub(super) is_aborted: bool,
    pub(super) asks: Vec<Ask>,
    pub(super) senders: usize,
    /// The message that is being sent in pieces.
    pub(super) unfinished: Unfinished,
    /// Whether nothing can be sent any more.
    pub(super) is_closed: bool,
    /// Whether the thread is gone.
    pub(super) has_ended: bool,
    /// Callers that wait until everything has left.
    pub(super) flushes: Vec<Flushed>,
    /// Whether a message was lost before it reached the connection, or in it when that ended.
    pub(super) has_lost: bool,

    arrivals: VecDeque<Result<Piece, Disconnect>>,
    /// How many bytes of pieces are queued, and how many may be.
    arrived: usize,
    receive_buffer: usize,
    pub(super) has_receiver: bool,
    /// How many pieces have gone to the receiver, and how many its owner had taken when it last asked for one.
    pub(super) delivered: u64,
    pub(super) asked: u64,

    /// Whether the thread waits for the stream, and will not look here until it is woken.
    pub(super) is_thread_waiting: bool,
    /// Whether the thread waits for the owner to ask for more.
    pub(super) is_thread_behind: bool,
}

impl Mailbox {
    pub(super) fn new(waker: Waker, unfinished: Unfinished, receive_buffer: usize) -> Self {
        let state = State {
            commands: VecDeque::new(),
            close: None,
            is_aborted: false,
            asks: Vec::new(),
            senders: 1,
            unfinished,
            is_closed: false,
            has_ended: false,
            flushes: Vec::new(),
            has_lost: false,
            arrivals: VecDeque::new(),
            arrived: 0,
            receive_buffer,
            has_receiver: true,
            delivered: 0,
            asked: 0,
            is_thread_waiting: false,
            is_thread_behind: false,
        };
        Self { state: Mutex::new(state), room: Condvar::new(), arrived: Condvar::new(), waker }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a command was taken.
    pub(super) fn wait_for_room<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.room.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has arrived, or until `until`.
    pub(super) fn wait_for_arrival<'a>(
        &self,
        state: MutexGuard<'a, State>,
        until: Option<Instant>,
    ) -> MutexGuard<'a, State> {
        match until {
            None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let time = until.saturating_duration_since(Instant::now());
                self.arrived.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    /// The owner ends the connection: nothing more is sent, and callers need not wait for room.
    pub(super) fn end(&self, state: &mut State) {
        state.is_closed = true;
        self.room.notify_all();
        self.wake(state);
    }

    /// Makes the thread look here, if it does not do so by itself.
    pub(super) fn wake(&self, state: &mut State) {
        if std::mem::take(&mut state.is_thread_waiting) {
            self.waker.wake();
        }
    }
}

impl State {
    /// Drops what was queued: it is lost.
    pub(super) fn refuse(&mut self) {
        self.has_lost |= self.commands.drain(..).any(|command| !matches!(command, Command::Flush(_)));
    }

    /// Whether one more piece may be queued for the receiver.
    pub(super) fn has_place(&self) -> bool {
        self.arrivals.len() < QUEUE && self.arrived < self.receive_buffer
    }

    /// Queues a piece, or the end, for the receiver.
    pub(super) fn push(&mut self, arrived: Result<Piece, Disconnect>) {
        self.arrived += arrived.as_ref().map_or(0, Piece::len);
        self.delivered += u64::from(arrived.is_ok());
        self.arrivals.push_back(arrived);
    }

    /// The oldest entry.
    pub(super) fn pop(&mut self) -> Option<Result<Piece, Disconnect>> {
        let arrived = self.arrivals.pop_front()?;
        self.arrived -= arrived.as_ref().map_or(0, Piece::len);
        Some(arrived)
    }

    /// The receiver is gone.
    pub(super) fn drop_receiver(&mut self) {
        self.has_receiver = false;
        self.arrivals.clear();
        self.arrived = 0;
    }

    /// Whether the owner has seen everything that was delivered and asked for more, and its replies were taken, if the
    /// connection still accepts them.
    pub(super) fn is_caught_up(&self, is_open: bool) -> bool {
        let has_seen = !self.has_receiver || self.asked == self.delivered;
        has_seen && (!is_open || self.commands.is_empty())
    }
}
