//! Messages that outlive their links: delivered once and in order, on the same connection as files.
//!
//! A *session* of messages has two ends. The client's end is [`Messages`]; the ends of all clients of a server are
//! [`Sessions`]. Messages are numbered and kept until the other end has them ([`Replay`](crate::Replay) does the
//! counting). When a link is lost, the client shows the session's name and a secret on the next link. The secret
//! changes each time. Both sides say how far they have come, and whatever is missing is sent again. A client that
//! resumes a session takes it away from whoever had it before.
//!
//! ```text
//!            handle_link_up        handle_peer           RESUMED
//!   (down) ────────────────▶ greet ───────────▶ asking ───────────▶ up
//!      ▲                                         │  ▲                │
//!      │                           NEWSESSION:   │  │ with a new     │
//!      │                           Lost          ▼  │ name           │
//!      └────────── handle_link_down ──────────── (name) ─────────────┘
//! ```
//!
//! The guarantee: within a session each message is delivered exactly once and in the order of sending. When a session
//! is lost, each message was delivered at most once, and those with an unknown fate are returned to their sender
//! ([`Event::Lost`]). *Volatile* messages are for what is worthless a moment later: they leave at once or not at all,
//! and are never sent again.

mod channel;
mod client;
mod config;
mod event;
mod id;
mod server;
mod turns;
pub mod wire;

#[cfg(test)]
mod tests;

pub use client::Messages;
pub use config::Config;
pub use event::{Event, Received, SendError};
pub use id::{Secret, SessionId};
pub use server::{Ended, LinkId, Sessions, SessionsConfig, SessionsEvent};
pub use wire::{MAX_MESSAGE, Why};

/// Which message of which session was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The session. The same number in another session is another message.
    pub session: SessionId,
    /// The number of the message.
    pub number: u64,
}
