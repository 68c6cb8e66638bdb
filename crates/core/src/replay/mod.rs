//! Messages that arrive once and in order, however many links it takes.
//!
//! Each message gets a number, and is kept until the peer has acknowledged it. When a link is lost, the two ends tell
//! each other on the next one which number arrived last, and continue from there: what has arrived is dropped at the
//! sender, the rest is sent again, and duplicates are recognised by their numbers.
//!
//! ```text
//!              handle_link_up: tell the peer our number      handle_resumed: its number arrived
//!  ┌──────┐ ─────────────────────────────▶ ┌──────────┐ ──────────────────────────────────▶ ┌────┐
//!  │ Down │                                │ Resuming │                                     │ Up │
//!  └──────┘ ◀───────────────────────────── └──────────┘ ◀─── (again) ────────────────────── └────┘
//!      ▲            handle_link_down             the numbers do not fit: Lost; reset, and Up      │
//!      └──────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Its inputs are [`handle_link_up`](Replay::handle_link_up), [`handle_resumed`](Replay::handle_resumed),
//! [`handle_message`](Replay::handle_message), [`handle_ack`](Replay::handle_ack),
//! [`handle_link_down`](Replay::handle_link_down) and [`reset`](Replay::reset).
//!
//! The promise: within a session, each message is delivered exactly once and in the order of sending. When a session is
//! lost, because one end has forgotten it, each message was delivered at most once, and those whose fate is unknown are
//! returned to the sender.

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

/// One end of a message session.
///
/// ```
/// use bowline_core::replay::{Arrival, Config, Replay};
/// use bowline_core::{Instant, Message};
///
/// let now = Instant::ZERO;
/// let (mut here, mut there) = (Replay::new(Config::default()), Replay::new(Config::default()));
/// // Sent before there is a link, so it is kept.
/// here.send(Message::text("hello"))?;
///
/// // A link comes up. Both ends say how far they have got.
/// let (ours, theirs) = (here.handle_link_up(now), there.handle_link_up(now));
/// here.handle_resumed(now, theirs)?;
/// there.handle_resumed(now, ours)?;
/// let (number, message) = here.poll_message().unwrap();
/// assert_eq!(there.handle_message(now, number, message), Arrival::Deliver(Message::text("hello")));
///
/// // It is lost before the acknowledgement has left. On the next one, both say what they have:
/// // nothing is sent twice.
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
    /// How much the peer accepts.
    window: Window,
    outgoing: Outgoing,
    incoming: Incoming,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Down,
    /// The peer has not yet said how far it has got.
    Resuming,
    Up,
}

/// What to do with a message that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one: hand it to the application.
    Deliver(Message),
    /// It had already arrived, on an earlier link.
    Duplicate,
    /// The peer violates the protocol. Close the link with 1002.
    Fault(Fault),
}

/// A violation by the peer. Close the link with 1002; nothing was changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Fault {
    /// A number was left out, which cannot happen by itself within one link.
    #[error("gap: expected {expected}, got {got}")]
    Gap {
        /// The number that was due.
        expected: u64,
        /// The number that arrived.
        got: u64,
    },
    /// A number was acknowledged that was never sent.
    #[error("ack of unsent: {acked}, but {sent} was the last one sent")]
    AckOfUnsent {
        /// The number that was acknowledged.
        acked: u64,
        /// The last number that was sent.
        sent: u64,
    },
    /// More arrived than is accepted unacknowledged.
    #[error("more than the window allows: {messages} messages of {bytes} bytes are already waiting")]
    Flood {
        /// How many messages are unacknowledged.
        messages: usize,
        /// How many bytes they have.
        bytes: usize,
    },
    /// It arrived before the peer had said which messages had arrived there.
    #[error("a message or ack before the session was resumed")]
    TooEarly,
}

/// The two ends do not remember the same session: the peer says that less has arrived than it had acknowledged, or more
/// than was ever sent. Call [`Replay::reset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the peer does not know this session: it says that {last} was the last message it received")]
#[non_exhaustive]
pub struct Lost {
    /// The last number that has arrived, according to the peer.
    pub last: u64,
}

/// A message that may not have arrived when its session was lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unacknowledged {
    /// The message.
    pub message: Message,
    /// Whether it was handed to a link, so it may have arrived.
    pub maybe_delivered: bool,
}

/// A message that was not accepted: too many are unacknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no room: too many messages are waiting to be acknowledged")]
pub struct Full(pub Message);

impl Replay {
    /// One end of a new session, without a link.
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

    /// A link is up. Before anything else, tell the peer this number: the last that has arrived here.
    pub fn handle_link_up(&mut self, now: Instant) -> u64 {
        self.at(now);
        self.link = Link::Resuming;
        self.incoming.acknowledge()
    }

    /// The peer has said which number was the last to arrive there. The messages after it are sent again, before all
    /// others.
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

    /// The peer has said how much it accepts unacknowledged. Until then, there is no limit.
    pub fn handle_window(&mut self, window: Window) {
        self.window = window;
    }

    /// A message with this number arrived.
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

    /// The link is lost. Unacknowledged messages are kept for the next one.
    pub fn handle_link_down(&mut self, now: Instant) {
        self.at(now);
        self.link = Link::Down;
    }

    // Commands.

    /// Accepts a message, with or without a link, and returns its number.
    ///
    /// # Errors
    /// If too many are unacknowledged; the message is returned.
    pub fn send(&mut self, message: Message) -> Result<u64, Full> {
        self.outgoing.send(&self.config, message).map_err(Full)
    }

    /// The application has processed everything up to this number, so it may be acknowledged: for
    /// [`AckOn::Confirmation`].
    pub fn confirm(&mut self, now: Instant, last: u64) {
        let now = self.at(now);
        self.incoming.confirm(now, last);
    }

    /// The session is over, and a new one begins: on the current link, if there is one. Returns the messages that may
    /// not have arrived, in order.
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

    /// The number to acknowledge, if an acknowledgement is due.
    pub fn poll_ack(&mut self, now: Instant) -> Option<u64> {
        let now = self.at(now);
        self.poll_timeout().filter(|due| *due <= now)?;
        Some(self.incoming.acknowledge())
    }

    /// The number to acknowledge, if there is anything to acknowledge: to send along with something else.
    pub fn ack_along(&mut self) -> Option<u64> {
        (self.link == Link::Up && self.incoming.is_owed()).then(|| self.incoming.acknowledge())
    }

    /// The number for a frame that has a field for it. This counts as acknowledging it.
    pub fn acknowledge(&mut self) -> u64 {
        self.incoming.acknowledge()
    }

    /// When to call [`poll_ack`](Self::poll_ack).
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.link == Link::Up { self.incoming.due(&self.config) } else { None }
    }

    // Looking.

    /// Whether there is a message to write.
    pub fn has_message(&self) -> bool {
        self.link == Link::Up && self.outgoing.has_next(self.window)
    }

    /// How many messages are unacknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.outgoing.len()
    }

    /// How many bytes they have in total.
    pub fn unacknowledged_bytes(&self) -> usize {
        self.outgoing.bytes()
    }

    /// How many messages still have to be handed to this link although an earlier one had them.
    pub fn repeats(&self) -> u64 {
        self.outgoing.repeats()
    }

    /// How many messages arrived twice.
    pub fn duplicates(&self) -> u64 {
        self.incoming.duplicates()
    }

    /// The latest time seen: if the time steps back, it stands still.
    fn at(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}
