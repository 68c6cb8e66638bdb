//! Between the halves of a WebSocket and the thread that drives it.
//!
//! ```text
//!   Sender ──── commands, questions ───▶ ┌────────┐
//!   Sender ───────┘                      │ thread │ ◀──▶ Driver ◀──▶ stream
//!   Receiver ◀─── arrivals ───────────── └────────┘
//!       └──── has seen so many ─────────────┘
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

/// How many messages, or pieces of them, may wait in each direction: enough that a burst of small ones costs one
/// wake-up. Those that were received are no more bytes than the connection's receive buffer, but for the last of them.
pub(super) const QUEUE: usize = 32;

/// What the owner of the halves wants.
#[derive(Debug)]
pub(super) enum Command {
    Send(Message),
    Piece(Piece),
    /// To say when all before this has left, or is lost. Without an answer it is not known yet.
    Flush(Flushed),
}

/// Where the answer to a flush goes.
pub(super) type Flushed = mpsc::Sender<Result<(), Unsent>>;

/// What both sides see, one at a time.
#[derive(Debug)]
pub(super) struct Mailbox {
    state: Mutex<State>,
    /// A command was taken, or none will be.
    pub(super) room: Condvar,
    /// Something has arrived for the receiver.
    pub(super) arrived: Condvar,
    waker: Waker,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) commands: VecDeque<Command>,
    /// To be sent behind the commands, though there may be no room for them.
    pub(super) close: Option<Close>,
    /// The connection is to end without a word.
    pub(super) is_aborted: bool,
    pub(super) asks: Vec<Ask>,
    pub(super) senders: usize,
    /// The message that is sent in pieces.
    pub(super) unfinished: Unfinished,
    /// Nothing can be sent any more.
    pub(super) is_closed: bool,
    /// The thread is gone.
    pub(super) has_ended: bool,
    /// Whoever waits until all has left.
    pub(super) flushes: Vec<Flushed>,
    /// Whether a message was lost before it came to the connection, or in it when that ended.
    pub(super) has_lost: bool,

    arrivals: VecDeque<Result<Piece, Disconnect>>,
    /// How many bytes of pieces are in it, and may be.
    arrived: usize,
    receive_buffer: usize,
    pub(super) has_receiver: bool,
    /// How many pieces have gone to the receiver, and how many its owner had taken when it last asked for one.
    pub(super) delivered: u64,
    pub(super) asked: u64,

    /// The thread waits for the stream, and does not look here before it is woken.
    pub(super) is_thread_waiting: bool,
    /// The thread waits for the owner to ask for more.
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

    /// Waits until something has arrived, or until then.
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

    /// The owner ends the connection: nothing more is sent, and whoever waits for room need not.
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
    /// What has been queued is lost.
    pub(super) fn refuse(&mut self) {
        self.has_lost |= self.commands.drain(..).any(|command| !matches!(command, Command::Flush(_)));
    }

    /// Whether one more piece may wait for the receiver.
    pub(super) fn has_place(&self) -> bool {
        self.arrivals.len() < QUEUE && self.arrived < self.receive_buffer
    }

    /// A piece waits for the receiver from here on, or the end.
    pub(super) fn push(&mut self, arrived: Result<Piece, Disconnect>) {
        self.arrived += arrived.as_ref().map_or(0, Piece::len);
        self.delivered += u64::from(arrived.is_ok());
        self.arrivals.push_back(arrived);
    }

    /// What has waited longest.
    pub(super) fn pop(&mut self) -> Option<Result<Piece, Disconnect>> {
        let arrived = self.arrivals.pop_front()?;
        self.arrived -= arrived.as_ref().map_or(0, Piece::len);
        Some(arrived)
    }

    /// Nobody receives any more.
    pub(super) fn drop_receiver(&mut self) {
        self.has_receiver = false;
        self.arrivals.clear();
        self.arrived = 0;
    }

    /// Whether the owner has seen everything that was delivered, asked for more, and what it said to that was taken, if
    /// the connection still takes it.
    pub(super) fn is_caught_up(&self, is_open: bool) -> bool {
        let has_seen = !self.has_receiver || self.asked == self.delivered;
        has_seen && (!is_open || self.commands.is_empty())
    }
}
