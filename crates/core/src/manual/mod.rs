//! The manual: pages to read, with programs that compile and run.
//!
//! - [`failures`]: how connections fail in the field: what you see, what it means, and what is done about it.
//! - [`defaults`]: every default, and why it is what it is.
//! - [`embedding`]: drivers for the state machines: blocking sockets, tokio's `select!`, and the heartbeat alone next
//!   to a foreign WebSocket.
#![cfg_attr(
    feature = "transfer",
    doc = "- [`messages`]: a fourth driver, for transfers over nothing but messages.
- [`session`]: a client that dials again, its server, and a store in memory: a file over links that are cut."
)]

pub mod defaults;
pub mod embedding;
pub mod failures;
#[cfg(feature = "transfer")]
pub mod messages;
#[cfg(feature = "transfer")]
pub mod session;
