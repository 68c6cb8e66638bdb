//! What the adapters of Bowline have in common, whoever moves the bytes: how a dial is told, how a socket is set up, how a
//! sleep of the machine is noticed, how pieces become messages, and (feature `transfer`) what becomes of the links, the
//! transfers and the messages of clients and servers. For those who write an adapter of their own; who uses one finds all
//! of it there.
//!
//! No I/O happens here but in [`nonblocking`] and over WebSockets of tungstenite's, and no time is read but to notice a
//! sleep.
//!
//! # Features
//!
//! None is on by default. `transfer`: clients and servers of files and messages. `tls`: settings of encrypted connections
//! (`wss://`) by rustls. `tungstenite`: a heartbeat and explained ends for WebSockets of tungstenite's, also for programs that
//! use nothing else of this crate.

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

pub use ended::{DEAF, Ended, LAST_WORDS, aborted};
pub use error::{AcceptError, DialError, Stage, read_end};
pub use exchange::{Exchange, Pending};
pub use gather::gather;
pub use joiner::Joiner;
pub use machine::Machine;
pub use pings::Pings;
pub use seed::seed;
pub use sleep::SleepWatch;
pub use unsent::Unsent;
pub use valve::Valve;
