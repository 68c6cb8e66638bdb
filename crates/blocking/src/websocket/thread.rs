//! The thread that drives a WebSocket for the owner of its halves.

use std::sync::Arc;

use bowline_core::connection::Event;
use bowline_core::message::Piece;
use bowline_core::{Close, Disconnect};
use bowline_host::{Unsent, aborted};

use super::ask::Ask;
use super::mailbox::{Command, Mailbox, State};
use crate::driver::Driver;
use crate::pings::{self, Pings};
use crate::stream::Stream;

/// What the thread runs.
pub(super) struct Thread<S> {
    driver: Driver<S>,
    mailbox: Arc<Mailbox>,
    pings: Pings,
}

impl<S: Stream> Thread<S> {
    pub(super) fn new(driver: Driver<S>, mailbox: Arc<Mailbox>) -> Self {
        Self { driver, mailbox, pings: pings::pings() }
    }

    pub(super) fn run(mut self) {
        // Reported even after a panic of a foreign stream.
        let mut last = LastNews { mailbox: Arc::clone(&self.mailbox), disconnect: None, has_lost: true };
        while last.disconnect.is_none() {
            last.disconnect = self.exchange();
            last.has_lost = self.driver.has_lost_output();
            if last.disconnect.is_none() {
                self.wait();
            }
        }
        // The stream ends before anybody hears of it, and questions get no answer.
        drop(self);
    }

    /// Waits for the next thing to exchange. A connection that is over brings nothing more, and its end waits for the
    /// owner.
    fn wait(&mut self) {
        if self.driver.is_over() {
            self.driver.wait_for_call();
        } else {
            // What is on its way here goes before the answer to a Close that is read now.
            self.driver.conn_mut().hold_answer();
            self.driver.drive(None);
        }
    }

    /// Takes what the owner wants, and passes on what has arrived; returns how the connection ended, if it did.
    fn exchange(&mut self) -> Option<Disconnect> {
        let mailbox = Arc::clone(&self.mailbox);
        let mut state = mailbox.lock();
        for ask in std::mem::take(&mut state.asks) {
            self.answer(ask);
        }
        self.take_commands(&mut state);
        self.close(&mut state);
        // A caller that has pinged need not wait until the owner has come that far.
        while let Some((ping, rtt)) = self.driver.conn_mut().poll_answered() {
            self.pings.handle_answered(ping, rtt);
        }
        // Taking the peer's Close makes the connection answer it. It stays queued until the owner has seen what came
        // before it, and its replies have been sent. The end comes after everything else.
        while state.has_place() && self.has_next(&state) {
            match self.driver.conn_mut().poll_event() {
                Some(Event::Message(message)) => self.deliver(&mut state, message.into()),
                Some(Event::Piece(piece)) => self.deliver(&mut state, piece),
                Some(Event::Closed(disconnect)) => return Some(disconnect),
                Some(_) => {}
                None if self.driver.is_over() => return Some(aborted()),
                None => break,
            }
        }
        if self.driver.is_over() {
            // Nothing is left to wait for.
            self.pings.clear();
        }
        if !self.driver.conn().is_open() {
            // From now on senders get their messages back.
            state.is_closed = true;
            state.refuse();
            mailbox.room.notify_all();
        }
        self.flush(&mut state);
        state.is_thread_behind = self.driver.conn().has_events();
        state.is_thread_waiting = true;
        None
    }

    /// Carries out as many commands as there is room for.
    fn take_commands(&mut self, state: &mut State) {
        let now = self.driver.now();
        let before = state.commands.len();
        // Commands behind a flush wait until it is done; otherwise it might never be.
        while state.flushes.is_empty() && self.driver.conn().room() > 0 {
            let conn = self.driver.conn_mut();
            // What comes too late is lost, like what is on its way when a connection ends.
            match state.commands.pop_front() {
                Some(Command::Send(message)) => state.has_lost |= conn.send(now, message).is_err(),
                Some(Command::Piece(piece)) => state.has_lost |= conn.send_piece(now, piece).is_err(),
                Some(Command::Flush(flushed)) => state.flushes.push(flushed),
                None => break,
            }
        }
        if state.commands.len() < before {
            self.mailbox.room.notify_all();
        }
    }

    /// Ends the connection as the owner wants it. Commands that wait for room go before a Close. A transport that
    /// accepts nothing is not waited for; that is left to the timeouts of the end.
    fn close(&mut self, state: &mut State) {
        let now = self.driver.now();
        if std::mem::take(&mut state.is_aborted) {
            self.driver.conn_mut().abort(now);
        }
        let is_left = state.senders == 0 && !state.has_receiver && self.driver.conn().is_open();
        if let Some(close) = state.close.take().or_else(|| is_left.then(Close::normal)) {
            // Already closing is just as good.
            let State { commands, flushes, .. } = state;
            let last = commands.drain(..).filter_map(|command| match command {
                Command::Send(message) => Some(message.into()),
                Command::Piece(piece) => Some(piece),
                Command::Flush(flushed) => {
                    flushes.push(flushed);
                    None
                }
            });
            let _ = self.driver.conn_mut().close_behind(now, last, close);
        }
    }

    /// Answers callers that wait until everything has left, if it has. Nothing signals later what could leave at once,
    /// and nothing is read here, because events are checked only after the next wait.
    fn flush(&mut self, state: &mut State) {
        while !state.flushes.is_empty() {
            self.driver.write(self.driver.now());
            if self.driver.has_output() {
                return;
            }
            let is_lost = state.has_lost || self.driver.has_lost_output();
            for flushed in state.flushes.drain(..) {
                // The caller may be gone.
                let _ = flushed.send(if is_lost { Err(Unsent::Lost) } else { Ok(()) });
            }
            // Commands behind a flush are taken at once, and may be another flush.
            self.take_commands(state);
        }
    }

    fn deliver(&mut self, state: &mut State, piece: Piece) {
        if state.has_receiver {
            state.push(Ok(piece));
            self.mailbox.arrived.notify_one();
        }
    }

    /// Whether to take the next event. The peer's Close and the end are not taken before the owner has come that far.
    fn has_next(&self, state: &State) -> bool {
        let conn = self.driver.conn();
        conn.has_messages() || conn.has_news() || state.is_caught_up(conn.is_open())
    }

    /// Answers at once, or remembers the question until the peer has answered. The asker may be gone.
    fn answer(&mut self, ask: Ask) {
        let now = self.driver.now();
        match ask {
            Ask::Ping(payload, answer) => {
                pings::ask(&mut self.pings, &mut self.driver, &payload, answer);
            }
            Ask::Rtt(answer) => drop(answer.send(self.driver.conn().rtt())),
            Ask::Stats(answer) => drop(answer.send(self.driver.conn().stats())),
            Ask::Timeline(answer) => drop(answer.send(self.driver.conn().timeline(now))),
        }
    }
}

/// When dropped, tells the owner of the halves that the thread is gone, and how the connection has ended, if that is
/// known.
struct LastNews {
    mailbox: Arc<Mailbox>,
    disconnect: Option<Disconnect>,
    has_lost: bool,
}

impl Drop for LastNews {
    fn drop(&mut self) {
        let disconnect = self.disconnect.take().unwrap_or_else(aborted);
        let mut state = self.mailbox.lock();
        (state.is_closed, state.has_ended) = (true, true);
        state.refuse();
        state.has_lost |= self.has_lost;
        state.flushes.clear();
        state.asks.clear();
        state.push(Err(disconnect));
        self.mailbox.room.notify_all();
        self.mailbox.arrived.notify_all();
    }
}

#[cfg(test)]
mod tests;
