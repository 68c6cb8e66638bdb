//! What the adapters of Bowline have in common, independent of how bytes are moved: how a dial is reported, how a
//! socket is set up, how a sleep of the machine is noticed, how pieces become messages, and (feature `transfer`) what
//! happens to the links, transfers and messages of clients and servers. This crate is for authors of adapters; an
//! adapter exports everything that its users need.
//!
//! There is no I/O here, except in [`nonblocking`] and in the support for tungstenite, and the clock is read only to
//! notice a sleep.
//!
//! # Features
//!
//! None is enabled by default. `transfer`: clients and servers of files and messages. `tls`: settings for encrypted
//! connections (`wss://`) with rustls. `tungstenite`: a heartbeat and explained ends for tungstenite's WebSockets, also
//! for programs that use nothing else from this crate.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod accept;
#[cfg(feature = "transfer")]
pub mod client;
#[cfg(feature = "transfer")]
mod desk;
pub mod dial;
mod ended;
mod error;
mod exchange;
mod gather;
mod joiner;
mod machine;
#[cfg(feature = "transfer")]
pub mod messages;
pub mod nonblocking;
mod pings;
pub mod proxy;
mod seed;
#[cfg(feature = "transfer")]
pub mod server;
mod sleep;
pub mod socket;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "transfer")]
pub mod transfer;
#[cfg(feature = "tungstenite")]
pub mod tungstenite;
#[cfg(unix)]
pub mod unix;
mod unsent;
mod valve;
mod writing;

pub use ended::{DEAF, Ended, LAST_WORDS, aborted};
pub use error::{AcceptError, DialError, Stage, read_end, write_end};
pub use exchange::{Exchange, Pending};
pub use gather::gather;
pub use joiner::Joiner;
pub use machine::Machine;
pub use pings::Pings;
pub use seed::seed;
pub use sleep::SleepWatch;
pub use unsent::Unsent;
pub use valve::Valve;
pub use writing::Writing;
