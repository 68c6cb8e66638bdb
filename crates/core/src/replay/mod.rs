//! Messages that arrive once and in order, however many links it takes.
//!
//! Each message gets a number, and is kept until the peer has acknowledged it. When a link is lost, both ends tell each
//! other on the next one which number has arrived last, and continue from there: what had arrived is dropped here, the
//! rest is sent again, and duplicates are recognised by their numbers.
//!
//! ```text
//!              handle_link_up: tell the peer our number      handle_resumed: its number has come
//!  ┌──────┐ ─────────────────────────────▶ ┌──────────┐ ──────────────────────────────────▶ ┌────┐
//!  │ Down │                                │ Resuming │                                     │ Up │
//!  └──────┘ ◀───────────────────────────── └──────────┘ ◀─── (again) ────────────────────── └────┘
//!      ▲            handle_link_down             the numbers do not fit: Lost; reset, and Up      │
//!      └──────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! It moves by [`handle_link_up`](Replay::handle_link_up), [`handle_resumed`](Replay::handle_resumed),
//! [`handle_message`](Replay::handle_message), [`handle_ack`](Replay::handle_ack),
//! [`handle_link_down`](Replay::handle_link_down) and [`reset`](Replay::reset).
//!
//! What is promised: within a session, each message is delivered exactly once and in the order of sending. When a
//! session is lost, because one end has forgotten it, each message was delivered at most once, and those whose fate is
//! unknown come back to the sender.

mod config;
mod incoming;
mod outgoing;

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;

pub use config::{AckOn, Config, Window};

use crate::{Instant, Message};
use alloc::vec::Vec;
use incoming::Incoming;
use outgoing::Outgoing;
use thiserror::Error;

/// One end of a session of messages.
///
/// ```
/// use bowline_core::replay::{Arrival, Config, Replay};
/// use bowline_core::{Instant, Message};
///
/// let now = Instant::ZERO;
/// let (mut here, mut there) = (Replay::new(Config::default()), Replay::new(Config::default()));
/// // Sent before there is a link: it is kept.
/// here.send(Message::text("hello"))?;
///
/// // A link comes up. Both say how far they have come.
/// let (ours, theirs) = (here.handle_link_up(now), there.handle_link_up(now));
/// here.handle_resumed(now, theirs)?;
/// there.handle_resumed(now, ours)?;
/// let (number, message) = here.poll_message().unwrap();
/// assert_eq!(there.handle_message(now, number, message), Arrival::Deliver(Message::text("hello")));
///
/// // It is lost before the acknowledgement has left. The next one tells what is known: nothing is sent twice.
/// here.handle_link_down(now);
/// there.handle_link_down(now);
/// let (ours, theirs) = (here.handle_link_up(now), there.handle_link_up(now));
/// here.handle_resumed(now, theirs)?;
/// there.handle_resumed(now, ours)?;
/// assert_eq!((here.poll_message(), here.unacknowledged()), (None, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Replay {
    config: Config,
    link: Link,
    now: Instant,
    /// What the peer takes.
    window: Window,
    outgoing: Outgoing,
    incoming: Incoming,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    /// The peer has not said how far it has come.
    Resuming,
    Up,
}

/// What happened to a message that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one: for the application.
    Deliver(Message),
    /// It had come before, on an earlier link.
    Duplicate,
    /// The peer does not follow the protocol. Close the link with 1002.
    Fault(Fault),
}

/// What a peer must not do. Close the link with 1002; nothing was changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// A number was left out; within one link that cannot happen by itself.
    #[error("gap: expected {expected}, got {got}")]
    Gap {
        /// The number that is next.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// Something was acknowledged that was never sent.
    #[error("ack of unsent: {acked}, but {sent} was the last one sent")]
    AckOfUnsent {
        /// What was acknowledged.
        acked: u64,
        /// The last that was sent.
        sent: u64,
    },
    /// More came than is accepted before it is acknowledged.
    #[error("more than the window allows: {messages} messages of {bytes} bytes are already waiting")]
    Flood {
        /// How many wait.
        messages: usize,
        /// How many bytes they have.
        bytes: usize,
    },
    /// It came before the peer had said what has arrived there.
    #[error("a message or ack before the session was resumed")]
    TooEarly,
}

/// The two ends do not remember the same session: less has arrived at the peer than it had acknowledged, or more than
/// was ever sent. Call [`Replay::reset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the peer does not know this session: it says that {last} was the last message it received")]
#[non_exhaustive]
pub struct Lost {
    /// The last number that has arrived, according to the peer.
    pub last: u64,
}

/// A message that is not known to have arrived when its session was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unacknowledged {
    /// The message.
    pub message: Message,
    /// Whether it was handed to a link, so that it may have arrived.
    pub maybe_delivered: bool,
}

/// A message that was not accepted: too many wait for their acknowledgement.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no room: too many messages are waiting to be acknowledged")]
pub struct Full(pub Message);

impl Replay {
    /// The end of a session that begins, without a link.
    pub fn new(config: Config) -> Self {
        Self {
            config: config.usable(),
            link: Link::Down,
            now: Instant::ZERO,
            window: Window::MAX,
            outgoing: Outgoing::default(),
            incoming: Incoming::default(),
        }
    }

    // Facts.

    /// A link is up. Tell the peer this number, the last that has arrived here, before anything else.
    pub fn handle_link_up(&mut self, now: Instant) -> u64 {
        self.at(now);
        self.link = Link::Resuming;
        self.incoming.acknowledge()
    }

    /// The peer has said which number was the last to arrive there. What comes after it is sent again, before all else.
    ///
    /// # Errors
    /// The peer remembers another session. Nothing was changed.
    pub fn handle_resumed(&mut self, now: Instant, last: u64) -> Result<(), Lost> {
        self.at(now);
        if self.link != Link::Resuming {
            return Ok(()); // of a link that has been given up, or said twice
        }
        if !self.outgoing.resume(last) {
            return Err(Lost { last });
        }
        self.link = Link::Up;
        Ok(())
    }

    /// The peer has said how much it accepts unacknowledged. Until it does, everything is handed over.
    pub fn handle_window(&mut self, window: Window) {
        self.window = window;
    }

    /// A message came with this number.
    pub fn handle_message(&mut self, now: Instant, number: u64, message: Message) -> Arrival {
        let now = self.at(now);
        if self.link != Link::Up {
            return Arrival::Fault(Fault::TooEarly);
        }
        self.incoming.handle_message(&self.config, now, number, message)
    }

    /// The peer acknowledges everything up to this number.
    pub fn handle_ack(&mut self, now: Instant, last: u64) -> Option<Fault> {
        self.at(now);
        if self.link != Link::Up {
            return Some(Fault::TooEarly);
        }
        self.outgoing.handle_ack(last).err()
    }

    /// The link is lost. What is not acknowledged is kept for the next one.
    pub fn handle_link_down(&mut self, now: Instant) {
        self.at(now);
        self.link = Link::Down;
    }

    // Commands.

    /// Accepts a message, with or without a link, and returns its number.
    ///
    /// # Errors
    /// If too many wait for their acknowledgement; the message comes back.
    pub fn send(&mut self, message: Message) -> Result<u64, Full> {
        self.outgoing.send(&self.config, message).map_err(Full)
    }

    /// The application has taken care of everything up to this number, so it may be acknowledged: for
    /// [`AckOn::Confirmation`].
    pub fn confirm(&mut self, now: Instant, last: u64) {
        let now = self.at(now);
        self.incoming.confirm(now, last);
    }

    /// The session is over, and a new one begins: on the current link, if there is one. Returns what is not known to
    /// have arrived, in order.
    pub fn reset(&mut self) -> Vec<Unacknowledged> {
        if self.link == Link::Resuming {
            self.link = Link::Up;
        }
        self.incoming = Incoming::default();
        self.outgoing.reset()
    }

    // Outputs.

    /// The next message to write, with its number.
    pub fn poll_message(&mut self) -> Option<(u64, Message)> {
        if self.link == Link::Up { self.outgoing.next(self.window) } else { None }
    }

    /// The number to acknowledge, if it is time.
    pub fn poll_ack(&mut self, now: Instant) -> Option<u64> {
        let now = self.at(now);
        self.poll_timeout().filter(|due| *due <= now)?;
        Some(self.incoming.acknowledge())
    }

    /// The number to acknowledge, if there is something to acknowledge: to go along with what is being written anyway.
    pub fn ack_along(&mut self) -> Option<u64> {
        (self.link == Link::Up && self.incoming.is_owed()).then(|| self.incoming.acknowledge())
    }

    /// The number to write into a frame that has a place for it. This acknowledges it.
    pub fn acknowledge(&mut self) -> u64 {
        self.incoming.acknowledge()
    }

    /// When to call [`poll_ack`](Self::poll_ack).
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.link == Link::Up { self.incoming.due(&self.config) } else { None }
    }

    // Looking.

    /// Whether a message may be written.
    pub fn has_message(&self) -> bool {
        self.link == Link::Up && self.outgoing.has_next(self.window)
    }

    /// How many messages wait for their acknowledgement.
    pub fn unacknowledged(&self) -> usize {
        self.outgoing.len()
    }

    /// How many bytes they have.
    pub fn unacknowledged_bytes(&self) -> usize {
        self.outgoing.bytes()
    }

    /// How many messages are handed to this link for the second time, and not yet.
    pub fn repeats(&self) -> u64 {
        self.outgoing.repeats()
    }

    /// How many messages came twice.
    pub fn duplicates(&self) -> u64 {
        self.incoming.duplicates()
    }

    /// The latest time seen: one that steps back stands still.
    fn at(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}
