//! The task that drives a WebSocket for the owner of its halves.
//!
//! ```text
//!   Sender ──── commands ───▶ ┌──────┐
//!   Sender ───────┘           │ task │ ◀──▶ Driver ◀──▶ stream
//!   Receiver ◀─── arrivals ── └──────┘
//!       └──── demand ────────────┘
//! ```
//!
//! Both halves also ask it for pings, and for what the connection knows.

use std::future::poll_fn;
use std::iter;
use std::sync::Arc;
use std::task::Poll;

use bowline_core::closing::CloseError;
use bowline_core::connection::Event;
use bowline_core::message::Piece;
use bowline_core::{Close, Disconnect, Message};
use bowline_host::aborted;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, mpsc};

use super::arrivals::{Arrivals, Refused};
use super::ask::{Answerer, Ask};
use super::demand::Demand;
use super::desk::Desk;
use super::flush::{Flushed, Flushes};
use crate::driver::Driver;

/// What the owner of the halves wants.
pub(super) enum Command {
    Send(Message),
    Piece(Piece),
    /// Answer when everything before this has left or is lost. While there is no answer, that is not known.
    Flush(Flushed),
}

/// Drives a connection for the owner of two halves.
pub(super) struct Task<S> {
    driver: Driver<S>,
    /// Present until the last sender is dropped, or nothing can be sent any more.
    commands: Option<mpsc::Receiver<Command>>,
    /// Present until the receiver is dropped.
    arrivals: Option<Arrivals>,
    /// Waits for room in the queue to the receiver.
    arrived: Option<Piece>,
    /// How many pieces have gone to the receiver, and how many of them its owner has seen.
    delivered: u64,
    told: Told,
    answerer: Answerer,
    flushes: Flushes,
}

/// What the halves share with the task besides commands and questions.
pub(super) struct Told {
    pub(super) demand: Arc<Demand>,
    /// Notified to end the connection without a word.
    pub(super) abort: Arc<Notify>,
    pub(super) desk: Arc<Desk>,
}

/// What the task waited for.
enum Woken {
    Place,
    ReceiverDropped,
    CaughtUp,
    Command(Option<Command>),
    /// `None` when both halves are dropped.
    Ask(Option<Ask>),
    Abort,
    Driven,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Task<S> {
    pub(super) fn new(
        driver: Driver<S>,
        commands: mpsc::Receiver<Command>,
        arrivals: Arrivals,
        told: Told,
        answerer: Answerer,
        flushes: Flushes,
    ) -> Self {
        Self {
            driver,
            commands: Some(commands),
            arrivals: Some(arrivals),
            arrived: None,
            delivered: 0,
            told,
            answerer,
            flushes,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            // A caller that has pinged need not wait until the owner has come that far.
            while let Some((ping, rtt)) = self.driver.conn_mut().poll_answered() {
                self.answerer.handle_answered(ping, rtt);
            }
            // Taking the peer's Close makes the connection answer it. It stays queued until the owner has seen what
            // came before it, and its replies have been sent.
            let mut has_seen = self.has_seen();
            while self.arrived.is_none() && self.has_next(has_seen) {
                match self.driver.conn_mut().poll_event() {
                    Some(Event::Message(message)) => self.handle_arrived(message.into()),
                    Some(Event::Piece(piece)) => self.handle_arrived(piece),
                    Some(Event::Closed(disconnect)) => return self.end(disconnect),
                    Some(_) => {}
                    None if self.driver.is_over() => return self.end(aborted()),
                    None => break,
                }
                has_seen = self.has_seen();
            }
            if !self.driver.conn().is_open() {
                self.refuse();
            }
            self.flushes.look(&self.driver);
            if self.driver.is_over() {
                // Nothing is left to wait for.
                self.answerer.handle_over();
            }
            match self.wait(has_seen).await {
                Woken::Place => self.deliver(),
                Woken::ReceiverDropped => self.arrivals = None,
                Woken::Command(Some(command)) => self.carry_out(command),
                Woken::Command(None) => self.commands = None,
                Woken::Ask(Some(Ask::Close(close, answer))) => drop(answer.send(self.close(close))),
                Woken::Ask(Some(Ask::Flush(flushed))) => self.flushes.push(flushed),
                Woken::Ask(Some(Ask::Look(look))) => self.answerer.answer(look, &mut self.driver),
                // Already closing is just as good.
                Woken::Ask(None) => {
                    let _ = self.close(Close::normal());
                }
                Woken::Abort => self.abort(),
                Woken::CaughtUp | Woken::Driven => {}
            }
        }
    }

    /// Waits for the next thing to do. If the owner had not seen everything when the task checked, it may have by now,
    /// so the task does not wait in vain for that.
    async fn wait(&mut self, has_seen: bool) -> Woken {
        let is_behind = self.driver.conn().has_events() && !self.is_caught_up(has_seen);
        // What is on its way here goes before the answer to a Close that is read now.
        self.driver.conn_mut().hold_answer();
        let Self { driver, commands, arrivals, arrived, delivered, told, answerer, flushes } = self;
        let arrivals = arrivals.as_ref();
        // Commands behind a flush wait until it is done; otherwise it might never be.
        let has_room = driver.conn().room() > 0 && flushes.is_empty();
        // The end may have to wait behind messages for which there is no room.
        let is_over = driver.is_over();
        tokio::select! {
            () = place(arrivals, arrived.as_ref()), if arrived.is_some() => Woken::Place,
            () = dropped(arrivals), if is_behind => Woken::ReceiverDropped,
            () = told.demand.met(*delivered), if is_behind && !has_seen => Woken::CaughtUp,
            command = next(commands.as_mut()), if has_room => Woken::Command(command),
            ask = answerer.next() => Woken::Ask(ask),
            () = told.abort.notified() => Woken::Abort,
            () = driven(driver, !flushes.is_empty()), if !is_over => Woken::Driven,
        }
    }

    /// Carries out a command, and those behind it for which there is room.
    fn carry_out(&mut self, command: Command) {
        let now = self.driver.now();
        let conn = self.driver.conn_mut();
        let mut next = Some(command);
        while let Some(command) = next {
            // What comes too late is lost, like what is on its way when a connection ends.
            let is_lost = match command {
                Command::Send(message) => conn.send(now, message).is_err(),
                Command::Piece(piece) => conn.send_piece(now, piece).is_err(),
                Command::Flush(flushed) => {
                    self.flushes.push(flushed);
                    false
                }
            };
            self.flushes.lose(is_lost);
            let is_free = conn.room() > 0 && self.flushes.is_empty();
            next = self.commands.as_mut().filter(|_| is_free).and_then(|commands| commands.try_recv().ok());
        }
    }

    /// Closes the connection behind everything queued. It does not wait for a transport that accepts nothing: that is
    /// left to the timeouts of the end.
    fn close(&mut self, close: Close) -> Result<(), CloseError> {
        let now = self.driver.now();
        if !self.driver.conn().is_open() {
            return Err(CloseError::AlreadyClosing);
        }
        self.told.desk.close();
        let Self { commands, flushes, .. } = self;
        let last = commands.iter_mut().flat_map(|commands| iter::from_fn(|| commands.try_recv().ok()));
        let last = last.filter_map(|command| match command {
            Command::Send(message) => Some(message.into()),
            Command::Piece(piece) => Some(piece),
            Command::Flush(flushed) => {
                flushes.push(flushed);
                None
            }
        });
        self.driver.conn_mut().close_behind(now, last, close)
    }

    /// From now on senders get their messages back, and what was queued is lost.
    fn refuse(&mut self) {
        self.told.desk.close();
        let Some(commands) = &mut self.commands else { return };
        commands.close();
        while let Ok(command) = commands.try_recv() {
            self.flushes.lose(!matches!(command, Command::Flush(_)));
        }
    }

    /// Ends the connection without a Close.
    fn abort(&mut self) {
        let now = self.driver.now();
        self.driver.conn_mut().abort(now);
    }

    fn handle_arrived(&mut self, piece: Piece) {
        self.arrived = Some(piece);
        self.deliver();
    }

    /// Passes the waiting piece to the receiver, if there is room.
    fn deliver(&mut self) {
        let (Some(arrivals), Some(piece)) = (&self.arrivals, self.arrived.take()) else { return };
        match arrivals.try_send(piece) {
            Err(Refused::Full(piece)) => self.arrived = Some(piece),
            Err(Refused::Closed) => self.arrivals = None,
            Ok(()) => self.delivered += 1,
        }
    }

    /// Whether to take the next event. The peer's Close and the end are not taken before the owner has come that far;
    /// then nothing more is accepted, and what was accepted goes first.
    fn has_next(&self, has_seen: bool) -> bool {
        let conn = self.driver.conn();
        if conn.has_messages() || conn.has_news() {
            return true;
        }
        if !self.is_caught_up(has_seen) {
            return false;
        }
        if conn.has_events() {
            self.told.desk.close();
        }
        // Something may have been accepted just before that.
        self.is_caught_up(has_seen)
    }

    /// Whether the owner has seen everything, and its replies are in the connection, if it still accepts them.
    fn is_caught_up(&self, has_seen: bool) -> bool {
        // Checked in this order: a reply comes before the owner asks for more.
        let has_said = || {
            self.answerer.is_asked() || self.commands.as_ref().is_some_and(|commands| !commands.is_empty())
        };
        has_seen && !(self.driver.conn().is_open() && has_said())
    }

    /// Whether the owner has seen everything, and asks for more.
    fn has_seen(&self) -> bool {
        self.arrivals.is_none() || self.told.demand.is_met(self.delivered)
    }

    fn end(mut self, disconnect: Disconnect) {
        self.refuse();
        self.flushes.end(&self.driver);
        drop((self.commands, self.driver, self.answerer));
        if let Some(arrivals) = self.arrivals {
            arrivals.end(disconnect);
        }
    }
}

/// Waits for room in the queue to the receiver, or until it is dropped.
async fn place(arrivals: Option<&Arrivals>, arrived: Option<&Piece>) {
    if let (Some(arrivals), Some(piece)) = (arrivals, arrived) {
        arrivals.place(piece).await;
    }
}

/// Waits until the receiver is dropped.
async fn dropped(arrivals: Option<&Arrivals>) {
    match arrivals {
        Some(arrivals) => arrivals.dropped().await,
        None => std::future::pending().await,
    }
}

/// Drives; if `is_flushing`, also returns when nothing is left to leave.
async fn driven<S: AsyncRead + AsyncWrite + Unpin>(driver: &mut Driver<S>, is_flushing: bool) {
    poll_fn(|cx| {
        let driven = driver.poll_drive(cx);
        if is_flushing && !driver.has_output() { Poll::Ready(()) } else { driven }
    })
    .await;
}

/// The next command; `None` when the last sender is dropped.
async fn next(commands: Option<&mut mpsc::Receiver<Command>>) -> Option<Command> {
    match commands {
        Some(commands) => commands.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{arrivals, ask};
    use super::*;
    use crate::Clock;
    use bowline_core::connection::Config;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn an_owner_that_asks_for_more_at_the_last_moment_is_heard() {
        let (near, far) = tokio::io::duplex(1 << 10);
        let clock = Clock::start();
        let mut peer = Driver::client(far, &[], Config::default(), clock).unwrap();
        peer.conn_mut().close(clock.now(), Close::normal()).unwrap();
        peer.drive().await;
        let mut driver = Driver::server(near, &[], Config::default(), clock).unwrap();
        driver.drive().await;
        assert!(driver.conn().has_events(), "a Close");

        let (_commands, to_do) = mpsc::channel(1);
        let (arrivals, _arrived) = arrivals::channel(1);
        let (_asker, answerer) = ask::channel();
        // Since the task looked at the events, the owner has caught up with them.
        let desk = Arc::new(Desk::new(driver.conn().unfinished()));
        let told = Told { demand: Arc::default(), abort: Arc::default(), desk };
        let mut task = Task::new(driver, to_do, arrivals, told, answerer, Flushes::default());
        let woken = timeout(Duration::from_millis(1), task.wait(false)).await;
        assert!(matches!(woken, Ok(Woken::CaughtUp)));
    }
}
