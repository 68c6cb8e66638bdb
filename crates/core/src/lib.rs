#![doc = include_str!("../README.md")]
//!
//! # The state machines
//!
//! | state machine | one job |
//! |---|---|
//! | [`frame::Decoder`], [`frame::Encoder`] | bytes to frames and back (RFC 6455), no time |
//! | [`Heartbeat`] | when to ping, whether anybody is there, the round-trip time |
//! | [`closing::Closing`] | who said what when, what ended the connection, and why |
//! | [`Reconnect`] | when to dial again, or why not |
//! | [`Adapt`] | how much silence a path allows, learned over many connections |
//! | [`Replay`] | messages that arrive once and in order, across many links |
//! | [`Connection`] | frames, heartbeat and closing together: bytes to messages and back |
#![cfg_attr(
    feature = "transfer",
    doc = "| [`Transfers`] | files over messages: offer, cut, acknowledge, resume |
| [`Messages`], [`Sessions`] | the two ends of a message session: replay on the wire, resumed and fenced |
| [`Session`] | reconnect, transfers and messages: the application's view across many links |"
)]
//!
//! The [manual] shows drivers for them, and says what is done about each kind of failure.
//!
//! # The verbs
//!
//! `handle_*` tells a state machine what happened, and never fails. A bare verb is a command, and may fail. `poll_*`
//! takes what the machine has to say. A noun only looks. Every `handle_*` and every command takes the time, `now`.
//! `poll_timeout` says when time alone would change something. Output that waits to be taken or written has no
//! deadline: take all events, and then write, before you sleep, also the first time.
//!
//! # The laws
//!
//! 1. The same calls give the same outputs.
//! 2. No order of calls is wrong, except that a link must be announced before what comes on it. Polling late changes
//!    latency, not content.
//! 3. After `handle_timeout(now)`, `poll_timeout()` is later than `now`, or `None`.
//! 4. An early `handle_timeout` changes nothing.
//! 5. Sleeping exactly to `poll_timeout` equals ticking every millisecond.
//! 6. Splitting the input anywhere changes nothing, except where a [piece](message::Piece) of a message ends.
//! 7. There is exactly one [`Closed`](connection::Event::Closed), and it comes last.
//! 8. Nothing from the network panics, or allocates beyond the configured limits.
//! 9. If time steps back, it counts as standing still.
//! 10. The work of a call is bounded by its input.
//!
//! # Features
//!
//! Both are on by default. `transfer`: `Transfers`, `Messages`, `Sessions`, `Session` and `pump`, with the digests they
//! need. `std`: the features of the processor are detected at run time.
//!
//! Without `std`, the crate needs an allocator, and a target with atomic swaps, such as `thumbv7em-none-eabi`:
//!
//! ```toml
//! bowline-core = { version = "0.1", default-features = false, features = ["transfer"] }
//! ```
//!
//! The defaults are for machines with megabytes to spare. Where memory is scarce, lower the values in
//! [`connection::Config`] (`limits`, `send_buffer`, `receive_buffer`) and `transfer::Config` (`max_chunk`, `credit`,
//! `link_credit`, `read_ahead`). A sending transfer still holds up to 64 KiB of its source.
//!
//! # Glossary
//!
//! - **link**: the life of one transport (one TCP connection). **session**: many links, one application.
//! - **frame**, **fragment**, **message**: as in RFC 6455; a message is one frame or several fragments.
//! - **chunk**: the piece of a file that one message carries.
//! - **room**: how many bytes may be queued before the high-water mark.
//! - **window**: how many bytes may be on their way, unacknowledged.
//! - **received**, **safe**: what the peer holds in memory, and what would survive its crash.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]
#![deny(unsafe_code)] // Only `mask/wide.rs` may allow it.

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod adapt;
pub mod closing;
pub mod connection;
pub mod frame;
pub mod heartbeat;
pub mod manual;
pub mod mask;
pub mod message;
mod outbox;
pub mod reconnect;
mod recorder;
pub mod replay;
mod rng;
mod rtt;
pub mod secret;
#[cfg(test)]
mod table;
pub mod time;
pub mod utf8;
mod words;

#[cfg(feature = "transfer")]
mod envelope;
#[cfg(feature = "transfer")]
pub mod messages;
#[cfg(feature = "transfer")]
mod pump;
#[cfg(feature = "transfer")]
pub mod session;
#[cfg(feature = "transfer")]
pub mod transfer;

pub use adapt::Adapt;
pub use closing::{Close, CloseCode, Disconnect, End, Retry};
pub use connection::Connection;
pub use frame::Role;
pub use heartbeat::Heartbeat;
pub use message::Message;
#[cfg(feature = "transfer")]
pub use messages::{Messages, Sessions};
#[cfg(feature = "transfer")]
pub use pump::pump;
pub use reconnect::Reconnect;
pub use recorder::Timeline;
pub use replay::Replay;
pub use rng::Rng;
pub use rtt::Rtt;
#[cfg(feature = "transfer")]
pub use session::Session;
pub use time::Instant;
#[cfg(feature = "transfer")]
pub use transfer::Transfers;
