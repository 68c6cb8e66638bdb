//! Messages that outlive their links: once, in order, on the same connection as files.
//!
//! A *session* of messages has two ends. The client's is [`Messages`]; those of all clients of a server are
//! [`Sessions`]. Messages are numbered and kept until the other end has them ([`Replay`](crate::Replay) counts). When a
//! link is lost, the client shows on the next one the name of its session and a secret that is changed each time, both
//! say how far they have come, and what is missing is sent again. Who resumes a session fences off whoever had it
//! before.
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
//! What is promised: within a session each message is delivered exactly once and in the order of sending. When a session
//! is lost, each message was delivered at most once, and those of which nobody knows come back to whoever sent them
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
    /// The session. Numbers of another one mean other messages.
    pub session: SessionId,
    /// The number of the message.
    pub number: u64,
}
